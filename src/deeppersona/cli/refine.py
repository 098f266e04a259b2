"""``deeppersona refine``: personas that learn from what people do; the log of what they learnt, told, compared and taken back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deeppersona.cli.model_options import asking, read_asking
from deeppersona.cli.written import usage_line
from deeppersona.errors import BY_YOU, Stopped, UsageError

if TYPE_CHECKING:
    from deeppersona.models.spec import Open
    from deeppersona.refinement.tree import Leaf
    from deeppersona.refinement.written_run import Estimate
    from deeppersona.schema.persona import Persona

_BELOW = ("log", "diff", "revert")


class _Refine(click.Group):
    """A group whose own work begins where the first word is a file and no subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word ``stream`` before a file."""
        if args and args[0] not in _BELOW and args != ["--help"] and args != ["-h"]:
            args = ["stream", *args]
        return super().parse_args(ctx, args)


@click.group("refine", cls=_Refine)
def command() -> None:
    r"""Refine personas from what people do: ratings, choices, survey answers.

    \b
      deeppersona refine behaviour.jsonl --persona none --out runs/refined
      deeppersona refine behaviour.jsonl --persona runs/kenya --out runs/refined --compare full-regeneration
      deeppersona refine behaviour.jsonl --form written --model SPEC --users 20 --out runs/written
      deeppersona refine log runs/refined ID
      deeppersona refine diff runs/refined ID --from 2 --to 5
      deeppersona refine revert runs/refined ID --to 3

    behaviour.jsonl has an event a line, {"user": "u1", "time": 1, "item": "a film (1994)", "rating": 4}, or a person a line with
    "windows". Each window is predicted before it is read. See: deeppersona refine stream --help
    """


@command.command("stream", hidden=True)
@click.argument("behaviour", type=click.Path(path_type=Path))
@click.option(
    "--persona",
    default="none",
    show_default=True,
    metavar="RUN|none",
    help="Personas the preferences are put to: a run, or none.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("refined"), show_default=True, help="The run folder to be."
)
@click.option(
    "--method",
    default="deeper",
    show_default=True,
    help="deeper, full-regeneration, slide-regeneration, incremental, hierarchical-merge, frozen.",
)
@click.option(
    "--compare",
    multiple=True,
    metavar="METHOD",
    help="A method whose figures stand beside (may be given again); all: every one.",
)
@click.option(
    "--scale",
    metavar="LOW..HIGH[/STEP]",
    help="The answers there are, as 1..5 or 0.5..5/0.5 (default: those of the first windows).",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Events a window, where the file has single events.",
)
@click.option(
    "--at-least",
    type=click.IntRange(min=2),
    default=None,
    help="Windows a person must have (default: as many as most have).",
)
@click.option(
    "--not-rated", default="0", show_default=True, metavar="NUMBER|none", help="A rating that means no rating."
)
@click.option("--domain", default=None, help="What the behaviour is about (default: from the file's name).")
@click.option(
    "--item-prior/--no-item-prior",
    default=True,
    show_default=True,
    help="Use what others made of an item, in windows before.",
)
@click.option(
    "--budget-tokens",
    type=click.IntRange(min=20),
    default=200,
    show_default=True,
    help="Tokens of a persona's preferences in words.",
)
@click.option(
    "--export-pairs",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Write preference pairs for DPO (prompt, chosen, rejected).",
)
@click.option(
    "--users", type=click.IntRange(min=1), default=None, help="So many people of the file, drawn by the seed."
)
@click.option("--windows", type=click.IntRange(min=2), default=None, help="The first so many windows of each person.")
@click.option(
    "--form",
    type=click.Choice(["structured", "written"]),
    default="structured",
    show_default=True,
    help="Personas of numbers, with no model; or texts that a model writes and rewrites.",
)
@click.option(
    "--directions",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of deeper, written: candidates tried.",
)
@click.option(
    "--persona-words",
    type=click.IntRange(min=30),
    default=200,
    show_default=True,
    help="Most words of a written persona.",
)
@click.option("--estimate", is_flag=True, help="Written: refine two people, kept, and say what all will take.")
@asking
@click.option("--seed", type=int, default=0, show_default=True, help="Of the intervals, and of who is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def stream(
    behaviour: Path, persona: str, out: Path, method: str, compare: tuple[str, ...], not_rated: str, item_prior: bool,
    export_pairs: Path | None, as_json: bool, estimate: bool, **more: Any,
) -> None:  # fmt: skip
    """Refine personas from a stream of behaviour, window by window: with no model, or written by one (--form written).

    BEHAVIOUR is JSON lines, also .gz: an event a line (user, time, item, and rating, answer, or choice with options; brand, genre and
    decade where known), or a person a line with windows in time order.
    """
    from deeppersona.refinement import written_run
    from deeppersona.refinement.folder import Wanted
    from deeppersona.refinement.methods import METHODS
    from deeppersona.refinement.report import PAGE, write_page
    from deeppersona.refinement.run import refine

    asked = {key: more.pop(key) for key in ("models", "concurrency", "budget", "price", "timeout_s")}
    others = tuple(m for m in METHODS if m != method) if "all" in compare else compare
    wanted = Wanted(
        str(behaviour),
        method,
        others,
        not_rated=_number(not_rated),
        use_items=item_prior,
        persona=None if persona == "none" else persona,
        **more,
    )
    people = _people(persona)
    if wanted.form == "written":
        roles, traffic = read_asking(asked)
        if estimate:
            _show_estimate(written_run.estimate(wanted, out, roles, traffic, people), out, as_json)
            return
        try:
            with _progress(as_json) as told:
                refined = written_run.refine_written(wanted, out, roles, traffic, people, export_pairs, told)
        except Stopped as stop:
            _stopped(stop, out, as_json)
    else:
        _no_model(asked, more, estimate)
        refined = refine(wanted, out, people, export_pairs)
    write_page(refined)
    if as_json:
        click.echo(json.dumps(refined.report | ({"usage": refined.paid} if refined.paid else {}), ensure_ascii=False))
        return
    _show(refined.report, out, out / PAGE, export_pairs)


def _stopped(stop: Stopped, out: Path, as_json: bool) -> NoReturn:
    """Say why a run stopped and what it has cost so far: 130 where the user asked for it, else 1."""
    if as_json:
        click.echo(json.dumps({"event": "stopped", "out": str(out), "stopped": str(stop)}))
    else:
        click.echo(f"stopped: {stop}\n  {usage_line(out)}, kept in {out}")
    raise click.exceptions.Exit(130 if str(stop) == BY_YOU else 1)


def _no_model(asked: dict[str, Any], more: dict[str, Any], estimate: bool) -> None:
    """Say what belongs to the written form alone."""
    if asked["models"] or asked["budget"] is not None or asked["price"] or estimate or more["directions"] != 1:
        raise UsageError(
            "--model, --budget, --price, --estimate and --directions are for texts that a model writes: add --form written"
        )


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[int, int, Open], None]]:
    """Show how many windows people have passed, and what was paid for."""
    if as_json:
        yield lambda done, total, models: click.echo(
            json.dumps({"event": "progress", "windows": done, "of": total, "cost": models.purse.spent})
        )
        return
    told = TextColumn("{task.fields[told]}")
    columns = (TextColumn("refining"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), told)
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None, told="")

        def show(done: int, total: int, models: Open) -> None:
            use = models.usage()
            cost = f"{use.tokens_in + use.tokens_out:,} tokens, ${models.purse.spent:.2f}"
            bar.update(task, completed=done, total=total, told=cost)

        yield show


def _show_estimate(found: Estimate, out: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event": "estimate", "out": str(out), **asdict(found)}))
        return
    click.echo(
        f"{found.pilot} people refined as a pilot (kept in {out}, not paid for again); a person takes\n"
        f"  {found.calls:.1f} calls, {found.tokens_in:,.0f} tokens in ({found.tokens_cached:,.0f} from the server's cache), "
        f"{found.tokens_out:,.0f} out, {found.seconds:.0f} s of the model"
    )
    whole = "no price is known for this model; give --price IN/OUT" if found.cost is None else f"${found.cost:,.2f}"
    click.echo(
        f"  {found.people:,} people: {whole}; {found.seconds * found.people / 60:.0f} min of the model, one request after another\n"
        "  next  the same command without --estimate, with --budget DOLLARS for a hard stop"
    )


def _number(text: str) -> float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--not-rated {text!r}: a number, or none") from None


def _people(persona: str) -> list[Persona] | None:
    if persona == "none":
        return None
    from deeppersona import study

    return list(study.load(persona))


def _show(report: dict[str, Any], out: Path, page: Path, export_pairs: Path | None) -> None:
    from deeppersona.refinement.figures import order

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{report['people']:,} people, {report['windows']} windows, {report['events']:,} events ({report['domain']})"
    )
    for why, n in report["left out"].items():
        console.print(f"  [yellow]left out[/] {n:,} {escape(why)}")
    future = report["future"]
    last = max(k for k, e in enumerate(future[report["method"]]) if e is not None)
    table = Table(
        box=None,
        padding=(0, 2),
        header_style="bold",
        title="mean absolute error, windows answered before they were seen",
        title_justify="left",
    )
    table.add_column("")
    for k in range(1, last + 1):
        table.add_column(f"W{k}", justify="right")
    for name, _ in order(future, last):
        row = [f"{e:.3f}" if (e := future[name][k]) is not None else "" for k in range(1, last + 1)]
        table.add_row(f"[bold]{name}[/]" if name == report["method"] else name, *row)
    console.print(table)
    for name, against in report["against"].items():
        gap = against["by window"][last]
        if gap is not None:
            console.print(
                f"  against {name} at W{last}: {gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f}); helped {against['helped']:.0%}, hurt {against['hurt']:.0%}"
            )
    if "written" in report:
        _show_writing(console, report, out)
    console.print(f"  open    {page}")
    console.print(f"  log     deeppersona refine log {out} ID")
    if export_pairs is not None:
        console.print(f"  pairs   {export_pairs}")


def _show_writing(console: Console, report: dict[str, Any], out: Path) -> None:
    """What the writing came to beside the structured form, what failed, and what it cost."""
    from deeppersona.refinement.figures import ALL_KNOWN, STRUCTURED

    means = report["all windows"]
    told = ", ".join(f"{name} {means[name]:.3f}" for name in (report["method"], STRUCTURED, ALL_KNOWN) if name in means)
    console.print(f"  mean of all windows: {told}")
    for name in (STRUCTURED, ALL_KNOWN):
        gap = report["against"].get(name, {}).get("all windows")
        if gap:
            console.print(f"  written less {name}: {gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f})")
    for method, came in report["written"].items():
        for why, n in came["failed"].items():
            console.print(f"  [yellow]{method}[/] {n:,} {escape(why)}")
        if came["median instead"]:
            console.print(f"  [yellow]{method}[/] {came['median instead']:,} answers are the person's median instead")
    console.print(f"  {usage_line(out)}")


@command.command("log")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("person", metavar="ID")
@click.option("--round", "number", type=click.IntRange(min=0), default=None, help="One round alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the edits as JSON lines.")
def log(run: Path, person: str, number: int | None, as_json: bool) -> None:
    """Every edit of one person's memory: what, from which events, in which direction."""
    from deeppersona.refinement.folder import read_log

    edits = [e for e in read_log(run, person)[person] if number is None or e.round == number]
    for e in edits:
        if as_json:
            click.echo(json.dumps(e.record(), ensure_ascii=False))
            continue
        change = " -> ".join(_leaf(v) for v in (e.before, e.after) if v is not None)
        where = (
            f"  [{', '.join(e.evidence)}]"
            if 0 < len(e.evidence) <= 6
            else f"  [{len(e.evidence)} events]"
            if e.evidence
            else ""
        )
        click.echo(f"W{e.round}  {e.op:<6}  {e.path}  {change}{where}  {e.why}")


def _leaf(values: Leaf) -> str:
    if isinstance(values, str):
        return json.dumps(values, ensure_ascii=False)
    return "(" + ", ".join(f"{v:.4g}" for v in values) + ")"


@command.command("diff")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("person", metavar="ID")
@click.option("--from", "first", type=click.IntRange(min=0), default=0, show_default=True, help="The earlier round.")
@click.option("--to", "last", type=click.IntRange(min=0), default=None, help="The later round (default: as it is now).")
def diff(run: Path, person: str, first: int, last: int | None) -> None:
    """What was learnt and unlearnt between two rounds, and the persona in words before and after."""
    from deeppersona.refinement.folder import read_log, scale_of
    from deeppersona.refinement.tree import difference, render, replay

    edits = read_log(run, person)[person]
    most = max(e.round for e in edits)
    if first > most or (last is not None and last > most):
        raise UsageError(f"there is no round {max(first, last or 0)}; rounds are 0 to {most}")
    old, new = replay(edits, first), replay(edits, last)
    domain, scale = scale_of(run)
    for op, path in difference(old, new):
        change = " -> ".join(_leaf(v) for v in (old.get(path), new.get(path)) if v is not None)
        click.echo(f"{op:<6}  {path}  {change}")
    click.echo(
        f"\nafter W{first}:\n{render(old, domain, scale, 120)}\n\n{'now' if last is None else f'after W{last}'}:\n{render(new, domain, scale, 120)}"
    )


@command.command("revert")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("person", metavar="ID")
@click.option("--to", "number", type=click.IntRange(min=0), required=True, help="The round to go back to.")
def revert_(run: Path, person: str, number: int) -> None:
    """Take one person back to what was known after a round. The log keeps all that was, and the taking back."""
    from deeppersona.refinement.folder import revert

    edits = revert(run, person, number)
    click.echo(
        f"{person} is as after W{number}: {len(edits)} edits taken back; nothing is lost, see  deeppersona refine log {run} {person}"
    )
