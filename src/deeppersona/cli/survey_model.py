"""What ``deeppersona survey`` does with a language model: its options, its journal beside the answers, what it will cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deeppersona.cli.model_options import Command, asking, read_asking
from deeppersona.cli.written import event, usage_line
from deeppersona.errors import BY_YOU, Stopped, UsageError

if TYPE_CHECKING:
    from deeppersona.runtime.records import RunRecords
    from deeppersona.schema.inventory import Inventory
    from deeppersona.simulation.modelled import Modelled
    from deeppersona.simulation.respondent import Form

MODELLED = ("model", "cultural-prompt", "model-alone")
_PEOPLE_WEIGHED = 25
T = TypeVar("T")
_OPTIONS = (
    click.option(
        "--ask", type=click.Choice(["block", "item"]), default=None,
        help="A model: some ten questions a call (default), or one, by log probabilities where the endpoint tells them.",
    ),
    click.option("--memory", is_flag=True, help="A model: show it its earlier answers of the same sitting."),
    click.option(
        "--temperature", type=click.FloatRange(0, 2), default=None, help="A model: how freely it answers (default 1)."
    ),
    click.option(
        "--persona-tokens", type=click.IntRange(min=40), default=None,
        help="A model: length of the person it is told (default 350).",
    ),
)  # fmt: skip


def modelled(command: Command) -> Command:
    """Add the options of asking a model in role."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return asking(command)


def modelled_respondent(name: str, inventory: Inventory, raw: Mapping[str, Any]) -> Modelled:
    """The respondent of a name that needs a model. UsageError where none is named."""
    from deeppersona.simulation.modelled import ACTOR, TOKENS, Manner, Modelled

    if not raw["models"]:
        raise UsageError(
            f"--respondent {name} needs a model: add --model SPEC (openai:NAME, openai:NAME@http://host/v1, local:FILE.gguf)"
        )
    roles, _ = read_asking(raw)
    spec = roles.get(ACTOR) or roles.get("writer")
    if spec is None:
        raise UsageError(f"nobody is named to answer: add --model SPEC or --model {ACTOR}=SPEC")
    temperature = 1.0 if raw["temperature"] is None else raw["temperature"]
    manner = Manner(raw["ask"] or "block", raw["memory"], temperature, raw["persona_tokens"] or TOKENS)
    return Modelled(inventory, raw["seed"], spec, manner, name, helped=True)  # type: ignore[arg-type]


def without_model(name: str, raw: Mapping[str, Any]) -> None:
    """UsageError where something was said that is for models alone, and the respondent is none."""
    told = ["--model"] * bool(raw["models"]) + ["--memory"] * raw["memory"] + [
        f"--{key.replace('_', '-')}" for key in ("ask", "temperature", "persona_tokens", "budget", "price") if raw[key] is not None
    ]  # fmt: skip
    if told:
        raise UsageError(f"{name} asks no model, so {told[0]} is not for it; for a model: --respondent {MODELLED[0]}")


def journal_folder(out: Path) -> Path:
    """Where all that a model answered is kept, beside the answers; no key is ever in it."""
    return out.with_name(out.name + ".asked")


def with_model(
    respondent: Modelled, out: Path, raw: Mapping[str, Any], work: Callable[[], Awaitable[T]]
) -> T:  # fmt: skip
    """Do some work while the respondent's model is open; what was paid for by then is kept, however it ends.

    The first Ctrl-C lets what is on its way come in. Ends the program in words where it is stopped.
    """
    from deeppersona.models.journal import Journal
    from deeppersona.models.spec import stopping_on_interrupt

    _, traffic = read_asking(raw)
    folder = journal_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "run.sqlite")

    async def go() -> T:
        async with respondent.asking(journal, traffic) as models:
            with stopping_on_interrupt(models.stop):
                return await work()

    try:
        return asyncio.run(go())
    except Stopped as stop:
        click.echo(f"deeppersona: {stop}", err=True)
        click.echo(f"  kept in {folder}: {usage_line(folder)}", err=True)
        raise click.exceptions.Exit(130 if str(stop).startswith(BY_YOU) else 1) from None
    finally:
        journal.close()


def usage(out: Path) -> dict[str, Any]:
    """What answers cost, by model and stage, as it is told beside them."""
    from deeppersona.runtime.store import RunFolder

    return {"usage": RunFolder(journal_folder(out)).usage()}


def estimate(
    respondent: Modelled, records: RunRecords, people: int, forms: Sequence[Form], raw: Mapping[str, Any], as_json: bool
) -> None:
    """Print what asking will take, reckoned from what would be said to some of the people; nothing is asked."""
    from deeppersona.models.port import Usage
    from deeppersona.models.spec import price_of

    step = max(people // _PEOPLE_WEIGHED, 1)
    some = list(islice((records[k] for k in range(0, people, step)), _PEOPLE_WEIGHED))
    calls = [call for record in some for form in forms for call in respondent.weigh(record, form)]
    share = people / len(some)
    n, read, written = (round(share * x) for x in (len(calls), sum(r for r, _ in calls), sum(w for _, w in calls)))
    price = price_of(respondent.spec, read_asking(raw)[1])
    cost = None if price is None else round(price.of(Usage(read, 0, written)), 4)
    if as_json:
        event("estimate", people=people, calls=n, tokens_in=read, tokens_out=written, cost=cost)
        return
    money = "no price is known; give --price IN/OUT" if cost is None else f"about ${cost:,.2f}"
    click.echo(
        f"{people:,} people, {len(forms)} askings: {n:,} calls, about {read:,} tokens in and {written:,} out: {money}\n"
        "  reckoned from what would be said, at four letters a token, without what a server's cache saves or must be asked again\n"
        "  next  the same command without --estimate, with --budget DOLLARS for a hard stop"
    )


def closing(about: Mapping[str, Any], out: Path) -> None:
    """Print what answers cost."""
    click.echo(f"  {usage_line(journal_folder(out))}")
    if (out.parent / (out.name + ".chances.jsonl")).exists():
        click.echo(f"  chances of the options, in {out}.chances.jsonl")


def write_report(out: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON."""
    from deeppersona.runtime.disk import write_whole

    write_whole(out, json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")
