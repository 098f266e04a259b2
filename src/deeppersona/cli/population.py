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
from deeppersona.cli.running import executor, running
from deeppersona.cli.show import show_one
from deeppersona.errors import UsageError, unknown
from deeppersona.studio.gallery import write_gallery

if TYPE_CHECKING:
    from deeppersona.populate import Populated

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
    spec: Path | None, preset: str | None, show: bool, schema: bool, n: int | None, seed: int | None, country: tuple[str, ...], depth: int | None,
    out: Path, folder: Path | None, repair: bool, limits: tuple[str, ...], dry_run: bool, slot: int | None, as_json: bool, **raw: Any,
) -> None:  # fmt: skip
    r"""Make a population to a specification: exact quotas, right joints, checked people, no doubles; and prove it.

    \b
    Examples:
      deeppersona population --preset national --country KE -n 2000 --out runs/kenya
      deeppersona population --preset panel --show > panel.toml      then edit it, and
      deeppersona population panel.toml --out runs/panel --fail-if "quota_error>0"
      deeppersona population --preset students -n 100000 --out runs/students
      deeppersona population panel.toml --shard 3/8 --out runs/panel-3       one of eight machines; then merge

    Targets that cannot be met together are found before anybody is made, with the smallest set that conflicts. Stopped at any
    moment, the same command goes on where it was and ends with the same bytes.
    """
    from deeppersona import populate, study
    from deeppersona.population import spec as specs
    from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

    if schema:
        click.echo(json.dumps(specs.schema(), indent=1))
        return
    if (spec is None) == (preset is None):
        raise UsageError(
            "name a specification or a preset, one of them: deeppersona population SPEC.toml, or --preset national"
        )
    if show:
        click.echo(
            specs.preset_text(preset) if preset else specs.canonical(specs.read_spec(spec or Path())).decode(), nl=False
        )
        return
    wanted = specs.preset(preset) if preset else specs.read_spec(spec or Path())
    changed = {key: x for key, x in (("n", n), ("seed", seed), ("depth", depth)) if x is not None}
    base = {**wanted.base.model_dump(), **({"country": list(country)} if country else {})}
    wanted = specs.parse_spec({**wanted.model_dump(), **changed, "base": base}, str(spec or preset))
    broken_limits(limits, None)
    folder = folder or SHIPPED
    taxonomy = read_taxonomy(folder)
    meant = populate.mean(wanted, taxonomy)
    if dry_run:
        click.echo(
            f"{meant.plan.n:,} people can be made"
            + (f" in {meant.cells:,} cells; every quota can be met" if meant.quotas else "")
        )
        return
    if slot is not None:
        show_one(study.record_at(meant.plan, slot, taxonomy), as_json)
        return
    began = time.perf_counter()
    over, workers, shard = executor(raw)
    with _bars(as_json) as progress:
        made = populate.populate(
            meant,
            out,
            taxonomy,
            taxonomy_folder=folder,
            workers=workers,
            repair=repair,
            over=over,
            shard=shard,
            progress=progress,
        )
    if made.report is None:
        click.echo(
            f"{made.people:,} people of shard {shard} are made, in {out}\n  next  when all shards are: deeppersona merge SHARD... --out DIR"
        )
        if made.failures:
            raise click.exceptions.Exit(1)
        return
    if made.people <= GALLERY_UP_TO:
        write_gallery(out)
    failed = broken_limits(limits, made.report)
    if as_json:
        click.echo(
            json.dumps(
                {"out": str(out), "seconds": round(time.perf_counter() - began, 2), "broken": failed, **made.report},
                ensure_ascii=False,
            )
        )
    else:
        _closing(made, time.perf_counter() - began)
    for limit in failed:
        click.echo(f"--fail-if: {limit}", err=True)
    if failed or made.failures:
        raise click.exceptions.Exit(1)


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
    console.print(
        f'  open  {made.out / "fidelity.html"}\n  read  deeppersona show {made.out}\n  ask   deeppersona query {made.out} "select ..."'
    )
    console.print("  All people are synthetic: drawn from statistics and a curated taxonomy, nobody real is described.")
