"""``deeppersona survey``: put questionnaires to the people of a run, score the answers, compare them with people's."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from deeppersona.cli.survey_model import (
    MODELLED,
    closing,
    estimate,
    modelled,
    modelled_respondent,
    usage,
    with_model,
    without_model,
    write_report,
)
from deeppersona.cli.survey_shown import bar, plain, show_reliability, show_validity
from deeppersona.errors import UsageError, nearest

if TYPE_CHECKING:
    from deeppersona.runtime.records import RunRecords
    from deeppersona.schema.inventory import Inventory
    from deeppersona.simulation.respondent import Respondent

RESPONDENTS = ("grounded", *MODELLED, "uniform", "mode", "shuffled-country", "no-persona", "replay")
_ELSEWHERE = {
    "compare": "Compare answers with people's: distances between floor and ceiling, subgroups, a report.",
    "rectify": "Estimates with valid intervals from synthetic answers and a small human sample.",
}
_LOADED = ("list", "show", "run", "score", "validity")


class Survey(click.Group):
    """The group; ``compare`` and ``rectify`` are loaded when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of use."""
        return [*_LOADED, *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, imported where it lives elsewhere."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module("deeppersona.cli.survey_compare"), cmd_name)
        if found.help:
            found.help = found.help.replace("\\b\n", "\b\n")
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Name the nearest command when the one asked for is unknown."""
        if args and args[0] not in self.list_commands(ctx):
            ctx.fail(
                f"no command {args[0]!r}{nearest(args[0], self.list_commands(ctx)) or '; see deeppersona survey --help'}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        own = [(name, self.commands[name].get_short_help_str(90)) for name in _LOADED]
        with formatter.section("Commands"):
            formatter.write_dl([*own, *_ELSEWHERE.items()])


@click.group("survey", cls=Survey)
def command() -> None:
    r"""Put questionnaires to the people of a run, and compare their answers with people's.

    \b
      deeppersona survey list
      deeppersona survey run ipip-50 runs/kenya --out answers.csv
      deeppersona survey score answers.csv
      deeppersona survey validity ipip-50 runs/kenya
    """


def _respondent(name: str, inventory: Inventory, records: RunRecords, asked: dict[str, Any]) -> Respondent:
    """The respondent of a name, with what it needs; UsageError where that is lacking or does not belong to it."""
    from deeppersona.simulation import baselines
    from deeppersona.simulation.answers import Replay, commonest
    from deeppersona.simulation.grounded import Grounded
    from deeppersona.simulation.response import response_model

    if name in MODELLED:
        if asked["of"] is not None:
            raise UsageError(f"--from FILE is for replay and mode; {name} reads no answers")
        return modelled_respondent(name, inventory, asked)
    without_model(name, asked)
    file: Path | None = asked["of"]
    if (file is not None) != (name == "replay") and not (name == "mode" and file is not None):
        raise UsageError(
            "replay needs --from FILE, the answers to give again" if name == "replay"
            else f"--from FILE is for replay and mode; {name} reads no answers"
        )  # fmt: skip
    if name == "replay" and file is not None:
        return Replay(inventory, file)
    if name == "uniform":
        return baselines.Uniform(inventory, asked["seed"])
    if name == "mode" and file is not None:
        return baselines.Mode(inventory, of=commonest(file))
    model = response_model(inventory, asked["inventory"])
    if name == "mode":
        return baselines.Mode(inventory, model)
    if name == "shuffled-country":
        countries = [str(t["value"]) for r in records for t in r["traits"] if t["path"] == "demographics.country"]
        if len(set(countries)) < 2:
            raise UsageError("shuffled-country needs a run of at least two countries")
        return baselines.ShuffledCountry(inventory, asked["seed"], model, countries)
    kinds = {"grounded": Grounded, "no-persona": baselines.NoPersona}
    return kinds[name](inventory, asked["seed"], model)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_(as_json: bool) -> None:
    """List the shipped questionnaires."""
    from deeppersona.simulation.inventory import read_inventory, shipped

    found = [read_inventory(name) for name in shipped()]
    if as_json:
        keys = ("id", "title", "source", "licence")
        click.echo(json.dumps([{**{k: getattr(i, k) for k in keys}, "items": len(i), "scales": [s.id for s in i.scales]}
                               for i in found], indent=1, ensure_ascii=False))  # fmt: skip
        return
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for head in ("inventory", "items", "what", "licence"):
        table.add_column(head, justify="right" if head == "items" else "left", overflow="fold")
    for inventory in found:
        table.add_row(inventory.id, str(len(inventory)), inventory.title, inventory.licence)
    Console(highlight=False).print(table)
    click.echo(
        "  show   deeppersona survey show ID\n  your own: a TOML or CSV file in place of the id, docs/methods/surveys.md"
    )


@command.command("show")
@click.argument("inventory")
def show(inventory: str) -> None:
    """Print a questionnaire: items, options, scales, source and licence. Faults in your own are told here."""
    from deeppersona.simulation.inventory import check, read_inventory

    found = read_inventory(inventory)
    click.echo(f"{found.title}\n{found.instruction}\n")
    before = ""
    for item in found.items:
        options = "  ".join(f"{o.value} {o.label}" for o in found.answerable(item.id).options)
        click.echo(f"  {item.id:8} {item.text}" + (f"\n           [{options}]" if options != before else ""))
        before = options
    for scale in found.scales:
        items = " ".join(f"{'-' if i in scale.reversed else ''}{i}" for i in scale.items)
        click.echo(f"\n  {scale.id}: {scale.title} ({scale.score} of {items})")
    for composite in found.composites:
        click.echo(f"\n  {composite.id}: {composite.title} (of {' '.join(composite.asks)})")
    click.echo(f"\nsource: {found.source}\nlicence: {found.licence}")
    for issue in check(found):
        click.echo(f"{issue.severity}: {issue}", err=True)


_ASKED = (
    click.argument("inventory"),
    click.argument("run", type=click.Path(path_type=Path)),
    click.option(
        "--respondent",
        type=click.Choice(RESPONDENTS),
        default=None,
        help="Who answers. Default: grounded; with --model: model, which plays the person (cultural-prompt: anybody of "
        "the country; model-alone: nobody).",
    ),
    click.option(
        "--from", "of", type=click.Path(path_type=Path), help="Answers to replay; people's answers whose mode is given."
    ),
    click.option("-n", "people", type=click.IntRange(min=1), help="Ask the first so many people only."),
    click.option("--items", default="", metavar="A,B,...", help="Ask these items only."),
    click.option("--seed", type=int, default=0, show_default=True, help="Of what is left to chance in answers."),
)


def asked(function: Callable[..., None]) -> Callable[..., None]:
    """Add what is common to commands that ask people."""
    function = modelled(function)
    for option in reversed(_ASKED):
        function = option(function)
    return function


def _to_ask(raw: dict[str, Any]) -> tuple[Inventory, RunRecords, int, Respondent]:
    from deeppersona.runtime.store import RunFolder
    from deeppersona.simulation.inventory import read_inventory

    inventory = read_inventory(raw["inventory"])
    if raw["items"]:
        inventory = inventory.only(tuple(word.strip() for word in raw["items"].split(",") if word.strip()))
    folder = RunFolder(raw["run"])
    folder.plan()
    records = folder.records()
    people = min(raw["people"] or len(records), len(records))
    if not people:
        raise UsageError(f"{raw['run']} holds nobody yet; run generate first")
    name = raw["respondent"] or ("model" if raw["models"] else "grounded")
    return inventory, records, people, _respondent(name, inventory, records, raw)


@command.command("run")
@asked
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("answers.csv"),
    show_default=True,
    help="The file of answers.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Times everybody is asked; kept apart, never averaged.",
)
@click.option(
    "--order", type=click.Choice(["fixed", "shuffled"]), default="fixed", show_default=True, help="Order of the items."
)
@click.option(
    "--options",
    "shown",
    type=click.Choice(["fixed", "turned"]),
    default="fixed",
    show_default=True,
    help="Order of the options.",
)
@click.option(
    "--wording",
    type=click.Choice(["plain", "other"]),
    default="plain",
    show_default=True,
    help="A model: what is said around the items.",
)
@click.option("--estimate", "weigh", is_flag=True, help="A model: say what it would take and cost, and ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def run_(
    out: Path, draws: int, order: str, shown: str, wording: str, weigh: bool, as_json: bool, **raw: Any
) -> None:  # fmt: skip
    r"""Put INVENTORY (an id of survey list, or your own .toml or .csv) to the people of RUN.

    Answers are rows of person, item, draw, answer. Stopped at any moment, the same command goes on where it was: what a model
    answered is kept beside them, in answers.csv.asked, and not paid for again.

    \b
      deeppersona survey run ipip-50 runs/kenya --out answers.csv
      deeppersona survey run wvs-iw10 runs/world --model openai:NAME --estimate
      deeppersona survey run wvs-iw10 runs/world --respondent uniform --out uniform.csv
    """
    from deeppersona.runtime.store import RunFolder
    from deeppersona.simulation.answers import Settings, forms, write_answers, written
    from deeppersona.simulation.modelled import Modelled
    from deeppersona.simulation.respondent import Form, reworded, shuffled, turned

    inventory, records, people, respondent = _to_ask(raw)
    by_model = isinstance(respondent, Modelled)
    if not by_model and (weigh or wording != "plain"):
        raise UsageError(f"{respondent.name} asks no model: leave --estimate and --wording away, or name --model SPEC")

    def change(form: Form) -> Form:
        form = shuffled(form, raw["seed"]) if order == "shuffled" else form
        form = turned(form) if shown == "turned" else form
        return reworded(form) if wording == "other" else form

    if weigh and isinstance(respondent, Modelled):
        estimate(respondent, records, people, forms(inventory, draws, change), raw, as_json)
        return
    settings = Settings(
        raw["inventory"], inventory.fingerprint, respondent.settings, people, RunFolder(raw["run"]).plan().fingerprint, draws,
        raw["seed"], {"order": order, "options": shown, **({"wording": wording} if by_model else {})},
    )  # fmt: skip
    with bar(f"asking {inventory.id}", as_json) as progress:
        how: dict[str, Any] = {"draws": draws, "change": change, "progress": progress}
        if isinstance(respondent, Modelled):
            about = with_model(
                respondent, out, raw,
                lambda: written(records, inventory, respondent, out, settings, more=lambda: usage(out), **how),
            )  # fmt: skip
        else:
            about = write_answers(records, inventory, respondent, out, settings, **how)
    if as_json:
        click.echo(json.dumps({"out": str(out), **about}, ensure_ascii=False))
        return
    _show_run(about, inventory, out)


def _show_run(about: dict[str, Any], inventory: Inventory, out: Path) -> None:
    people, draws = about["people"], about["draws"]
    counts = about["counts"]
    whole = counts["answered"] + counts["refused"] + counts["invalid"] + counts["missing"]
    click.echo(
        f"{people:,} people, {len(inventory)} items, {draws} asking{'s' if draws > 1 else ''}: {counts['answered']:,} of {whole:,} answers, in {out}"
    )
    for word in ("refused", "invalid", "missing"):
        if counts[word]:
            click.echo(f"warning: {counts[word]:,} answers {word}", err=True)
    if counts["assumed"]:
        click.echo(f"warning: {counts['assumed']:,} answer sheets rest on assumptions (their source says so)", err=True)
    if "usage" in about:
        closing(about, out)
    click.echo(f"  score    deeppersona survey score {out}\n  compare  deeppersona survey compare {out} HUMAN.csv")


@command.command("score")
@click.argument("answers", type=click.Path(path_type=Path))
@click.option("--inventory", default=None, help="The questionnaire, where nothing beside the answers tells it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write each person's scores there (csv).")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def score(answers: Path, inventory: str | None, out: Path | None, as_json: bool) -> None:
    """Score ANSWERS: scales with reliability, people's factor structure, steadiness over askings."""
    import numpy as np

    from deeppersona.evaluation.validity import reliability, scores
    from deeppersona.simulation.answers import read_answers, write_scores
    from deeppersona.simulation.inventory import read_inventory
    from deeppersona.simulation.response import human_structure

    name = inventory or _told_beside(answers)
    found = read_inventory(name)
    table = read_answers(answers, found)
    here = [i.id for i in found.items if i.id in table.items]
    if not here:
        raise UsageError(f"{answers} holds no answer to an item of {found.id}; name its questionnaire with --inventory")
    whole = len(here) == len(found)
    part = found if whole else found.only(tuple(here))
    codes = np.stack([table.of(here, d) for d in range(table.codes.shape[1])], axis=1)
    report = reliability(part, codes, human_structure(found, name) if whole else None)
    report = {"inventory": found.id, "left out": table.strange, **report}
    if out is not None:
        write_scores(out, table, part, [scores(part, codes[:, d]) for d in range(codes.shape[1])])
    if as_json:
        click.echo(json.dumps(plain(report), indent=1, ensure_ascii=False))
        return
    show_reliability(report)
    for fault, n in table.strange.items():
        click.echo(f"warning: {n:,} rows left out: {fault}", err=True)
    if out is not None:
        click.echo(f"  scores of {len(table.people):,} people, in {out}")


def _told_beside(answers: Path) -> str:
    from deeppersona.simulation.answers import settings_beside

    name = settings_beside(answers).get("inventory")
    if not isinstance(name, str):
        raise UsageError(f"nothing beside {answers} tells which questionnaire it answers; name it with --inventory")
    return name


@command.command("validity")
@asked
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report there (JSON). A model's answers are kept beside it; for one the default is validity.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def validity_(out: Path | None, as_json: bool, **raw: Any) -> None:
    """Put INVENTORY to the people of RUN in four forms, and report how far the form alone changes what they say.

    As it is, a second time, with options turned round, with items in another order; to a model also in other words. Also
    reliability, reversed items, agreeing with everything, refusals, and people's factor structure where it is known.
    """
    from deeppersona.evaluation.validity import forms_asked, judged, validity
    from deeppersona.simulation.modelled import Modelled
    from deeppersona.simulation.response import human_structure

    inventory, records, people, respondent = _to_ask(raw)
    human = None if raw["items"] else human_structure(inventory, raw["inventory"])
    some, more = list(islice(records, people)), {}
    if isinstance(respondent, Modelled):
        out = out or Path("validity.json")
        with bar(f"asking {inventory.id}", as_json) as progress:
            given = with_model(
                respondent, out, raw, lambda: forms_asked(inventory, respondent, some, raw["seed"], progress)
            )
        found, more = judged(inventory, given, human), usage(out)
    else:
        found = validity(inventory, respondent, some, seed=raw["seed"], human=human)
    report = plain({"inventory": inventory.id, "respondent": dict(respondent.settings), **found, **more})
    if out is not None:
        write_report(out, report)
    if as_json:
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
        return
    show_validity(found)
    if out is not None:
        click.echo(f"  the report, in {out}")
    if more and out is not None:
        closing(more, out)
