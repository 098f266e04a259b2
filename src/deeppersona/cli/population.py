"""``deeppersona population``: a population to a specification, and the proof that it met it."""

from __future__ import annotations

import json
import operator
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deeppersona.cli.merge import GALLERY_UP_TO
from deeppersona.cli.model_options import asking, read_asking
from deeppersona.cli.running import begin_early, executor, running
from deeppersona.cli.show import show_one
from deeppersona.cli.written import show_estimate, usage_line
from deeppersona.errors import BY_YOU, UsageError, unknown
from deeppersona.runtime.store import RunFolder
from deeppersona.studio.gallery import write_gallery

if TYPE_CHECKING:
    from deeppersona.populate import Populated
    from deeppersona.population.narrate import Narrator
    from deeppersona.population.spec import Spec

_LIMIT = re.compile(r"^\s*([a-z_]+)\s*(>=|<=|>|<|==)\s*([0-9.eE+-]+)\s*$")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
}


def measures(report: dict[str, Any]) -> dict[str, float]:
    """What ``--fail-if`` can ask of a report."""
    tables = report["joints"]
    out = {
        "quota_error": report["quota_error"], "failures": report["failures"], "violations": report["violations"],
        "duplicates": len(report["duplicates"].get("left", [])), "missing": report["asked"] - report["people"],
        "tv": max((j["tv"] for j in tables), default=0.0), "tv_margin": max((j["tv"] for j in tables if len(j["dims"]) == 1), default=0.0),
        "p": min((j["p_holm"] for j in tables), default=1.0), "design_effect": report.get("weights", {}).get("design_effect", 1.0),
    }  # fmt: skip
    return {key: float(value) for key, value in out.items()}


def broken_limits(limits: tuple[str, ...], report: dict[str, Any] | None) -> list[str]:
    """The limits a report breaks. UsageError for one that cannot be read, with or without a report."""
    known, broken = measures(report or _EMPTY), []
    for limit in limits:
        match = _LIMIT.match(limit)
        number = _number(match[3]) if match else None
        if match is None or number is None:
            raise UsageError(f"--fail-if {limit!r}: write it as NAME>NUMBER, as in quota_error>0 or p<0.01")
        if match[1] not in known:
            raise unknown("measure in --fail-if", match[1], known)
        if report is not None and _SIGNS[match[2]](known[match[1]], number):
            broken.append(f"{limit.strip()} ({match[1]} is {known[match[1]]:g})")
    return broken


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_EMPTY: dict[str, Any] = {
    "joints": [],
    "quota_error": 0,
    "failures": 0,
    "violations": 0,
    "duplicates": {},
    "asked": 0,
    "people": 0,
}


@contextmanager
def _bars(as_json: bool) -> Iterator[Callable[[str, int, int], None]]:
    if as_json:
        yield lambda stage, done, of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=of or None)
            bar.advance(tasks[stage], done)

        yield show


@click.command("population")
@click.argument("spec", required=False, type=click.Path(path_type=Path))
@click.option("--preset", metavar="national|world|panel|cohort|students", help="Start from a preset instead of a file.")
@click.option("--show", is_flag=True, help="Print the preset (or the specification as it is read) and stop.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of a specification and stop.")
@click.option(
    "-n", "n", type=click.IntRange(min=1), default=None, help="How many people, in place of the specification's."
)
@click.option("--seed", type=int, default=None, help="In place of the specification's.")
@click.option(
    "--country", multiple=True, metavar="KE|Kenya|IN=3|world", help="In place of the specification's. Repeatable."
)
@click.option(
    "--depth", type=int, default=None, help="Attributes a person besides the core, in place of the specification's."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/population"), show_default=True, help="The run folder."
)
@click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), help="A taxonomy folder; default: the shipped one."
)
@running
@asking
@click.option(
    "--estimate",
    is_flag=True,
    help="With --model: tell three people, say what all would cost and take, and stop there.",
)
@click.option("--repair", is_flag=True, help="Set damaged parts aside and make them anew.")
@click.option(
    "--fail-if",
    "limits",
    multiple=True,
    metavar="NAME>NUMBER",
    help="Exit 1 if it holds: quota_error>0, tv>0.05, p<0.01, violations>0, duplicates>0, failures>0, missing>0, design_effect>2. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Check that the targets can be met, say what would be made, and stop.")
@click.option(
    "--slot",
    type=click.IntRange(min=0),
    default=None,
    help="Make the person of one slot alone and show them; nothing is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    spec: Path | None, preset: str | None, show: bool, schema: bool, out: Path, folder: Path | None, limits: tuple[str, ...],
    as_json: bool, **raw: Any,
) -> None:  # fmt: skip
    r"""Make a population to a specification: exact quotas, right joints, checked people, no doubles; and prove it.

    \b
    Examples:
      deeppersona population --preset national --country KE -n 2000 --out runs/kenya
      deeppersona population --preset panel --show > panel.toml      then edit it, and
      deeppersona population panel.toml --out runs/panel --fail-if "quota_error>0"
      deeppersona population --preset students -n 100000 --out runs/students
      deeppersona population panel.toml --shard 3/8 --out runs/panel-3       one of eight machines; then merge
      deeppersona population --preset students -n 200 --model openai:gpt-4.1-mini --budget 2 --out runs/told

    Targets that cannot be met together are found before anybody is made, with the smallest set that conflicts. With --model the
    population is made and proven as without one, and then told anew: each profile or portrait is written from the record, checked
    against it, and kept from the grammar where it never comes right. Stopped at any moment, the same command goes on where it was
    and ends with the same bytes.
    """
    from deeppersona import populate, study
    from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

    if _shown(spec, preset, show, schema):
        return
    wanted = _wanted(spec, preset, raw)
    broken_limits(limits, None)
    narrator = _narrator(raw)
    if raw["slot"] is None and not (raw["dry_run"] or raw["estimate"]):
        begin_early(raw, populate.size_of(wanted), populate.__name__)
    folder = folder or SHIPPED
    taxonomy = read_taxonomy(folder)
    meant = populate.mean(wanted, taxonomy)
    if raw["dry_run"]:
        cells = f" in {meant.cells:,} cells; every quota can be met" if meant.quotas else ""
        click.echo(f"{meant.plan.n:,} people can be made{cells}")
        return
    if raw["slot"] is not None:
        show_one(study.record_at(meant.plan, raw["slot"], taxonomy), as_json)
        return
    if raw["estimate"] and narrator is not None:
        from deeppersona.population.narrate import estimate

        show_estimate(estimate(RunFolder(out), meant.plan, taxonomy, narrator), out, as_json)
        return
    began = time.perf_counter()
    over, workers, shard = executor(raw)
    with _bars(as_json) as progress:
        made = populate.populate(
            meant, out, taxonomy, taxonomy_folder=folder, workers=workers, repair=raw["repair"], over=over, shard=shard,
            progress=progress, narrator=narrator,
        )  # fmt: skip
    if made.report is None:
        click.echo(
            f"{made.people:,} people of shard {shard} are made, in {out}\n  next  when all shards are: deeppersona merge SHARD... --out DIR"
        )
        raise click.exceptions.Exit(1 if made.failures else 0)
    if made.people <= GALLERY_UP_TO:
        write_gallery(out)
    _end(made, limits, time.perf_counter() - began, as_json)


def _shown(spec: Path | None, preset: str | None, show: bool, schema: bool) -> bool:
    """Print the schema or a specification where that is asked for. UsageError unless a file or a preset is named, one of them."""
    from deeppersona.population import spec as specs

    if schema:
        click.echo(json.dumps(specs.schema(), indent=1))
        return True
    if (spec is None) == (preset is None):
        raise UsageError(
            "name a specification or a preset, one of them: deeppersona population SPEC.toml, or --preset national"
        )
    if show:
        click.echo(
            specs.preset_text(preset) if preset else specs.canonical(specs.read_spec(spec or Path())).decode(), nl=False
        )
    return show


def _wanted(spec: Path | None, preset: str | None, raw: dict[str, Any]) -> Spec:
    """The specification, with what the options say in place of it."""
    from deeppersona.population import spec as specs

    wanted = specs.preset(preset) if preset else specs.read_spec(spec or Path())
    changed = {key: raw[key] for key in ("n", "seed", "depth") if raw[key] is not None}
    base = {**wanted.base.model_dump(), **({"country": list(raw["country"])} if raw["country"] else {})}
    return specs.parse_spec({**wanted.model_dump(), **changed, "base": base}, str(spec or preset))


def _narrator(raw: dict[str, Any]) -> Narrator | None:
    """Who tells the people, if a model is named. UsageError where what is asked does not go with that."""
    if not raw["models"]:
        if raw["estimate"] or raw["budget"] is not None or raw["price"]:
            raise UsageError("there is no model to tell them: name one with --model SPEC")
        return None
    if raw["slot"] is not None:
        raise UsageError("--slot shows one person as figures draw them: leave --model away")
    if raw["shard"] or raw["engine"] != "local":
        raise UsageError(
            "a model tells a whole population, from one purse: make it without --model first (in shards: deeppersona merge puts them "
            "together), then run this command with --model, without --shard and --engine, and with --out naming what was made; nobody "
            "is made twice"
        )
    from deeppersona.population.narrate import Narrator

    return Narrator(*read_asking(raw))


def _end(made: Populated, limits: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Tell what came of it, and exit as that deserves: 1 for a limit broken, a slot empty or a stop, 130 where the user stopped it."""
    report = made.report or {}
    failed = broken_limits(limits, report)
    if as_json:
        told = {"usage": RunFolder(made.out).usage(), "stopped": made.stopped} if "telling" in report else {}
        summary = {"out": str(made.out), "seconds": round(seconds, 2), "broken": failed, **report, **told}
        click.echo(json.dumps(summary, ensure_ascii=False))
    else:
        _closing(made, seconds)
    for limit in failed:
        click.echo(f"--fail-if: {limit}", err=True)
    if made.stopped:
        raise click.exceptions.Exit(130 if made.stopped == BY_YOU else 1)
    if failed or made.failures:
        raise click.exceptions.Exit(1)


def _telling(console: Console, made: Populated) -> None:
    """How many were told by the model, why the others were not, what it cost."""
    t = (made.report or {})["telling"]
    console.print(
        f"  [bold]{t['told']:,}[/] of {t['people']:,} told by {t['writer']}"
        + (f"; {t['kept']:,} kept from the grammar ({_reasons(t['kept because'])})" if t["kept"] else "")
    )
    console.print(f"  {usage_line(made.out)}")
    if made.stopped:
        console.print(
            f"  [bold]stopped[/] with {t['left']:,} people left: {made.stopped}\n"
            "  nothing paid for is paid for again when you go on"
        )


def _reasons(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {n:,}" for reason, n in most[:4]) + (", ..." if len(most) > 4 else "")


def _closing(made: Populated, seconds: float) -> None:
    console, r = Console(highlight=False, soft_wrap=True), made.report or {}
    console.print(f"[bold]{r['people']:,}[/] people in {seconds:.1f} s, in [bold]{made.out}[/]")
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for head in ("table", "cells", "total variation", "floor", "p (Holm)"):
        table.add_column(head, justify="left" if head == "table" else "right")
    for ways in (1, 2, 3):
        rows = [j for j in r["joints"] if len(j["dims"]) == ways]
        for j in sorted(rows, key=lambda j: -j["tv"])[: 20 if ways == 1 else 2]:
            table.add_row(
                " x ".join(j["dims"]), f"{j['cells']:,}", f"{j['tv']:.4f}", f"{j['floor']:.4f}", f"{j['p_holm']:.3f}"
            )
    console.print(table)
    said = [f"quota error [bold]{r['quota_error']:,.0f}[/]"] if r["quotas"] else []
    said += [f"{r['violations']} contradictions in {r['checked']:,} checked"]
    if "found" in r["duplicates"]:
        said += [f"{r['duplicates']['found']} near-duplicates, {r['duplicates']['replaced']} replaced"]
    said += [f"{r['failures']} slots empty"] if r["failures"] else []
    if "weights" in r:
        said += [f"design effect {r['weights']['design_effect']:.3f}, effective n {r['weights']['effective_n']:,.0f}"]
    console.print("  " + "; ".join(said))
    if "telling" in r:
        _telling(console, made)
    page = made.out / "index.html"
    see = page if page.exists() else f"deeppersona gallery {made.out}"
    console.print(
        f'  open  {made.out / "fidelity.html"}\n  see   {see}\n  read  deeppersona show {made.out}\n  ask   deeppersona query {made.out} "select ..."'
    )
    console.print("  All people are synthetic: drawn from statistics and a curated taxonomy, nobody real is described.")
