"""How ``deeppersona survey`` shows what it does and finds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


@contextmanager
def bar(words: str, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how many people have been asked, on a terminal."""
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=hidden or not sys.stderr.isatty()
    ) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, people: shown.update(task, completed=done, total=people)


def plain(value: Any) -> Any:
    """With null in place of numbers that are none, which JSON has no word for."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and value != value else value


def show_reliability(report: dict[str, Any]) -> None:
    """Print scales with their reliability, beside people's where these are known."""
    console = Console(highlight=False)
    console.width = max(console.width, 100)
    table = Table(box=None, padding=(0, 1), header_style="bold")
    steady = report.get("steadiness")
    heads = (
        "scale",
        "items",
        "n",
        "mean",
        "sd",
        "alpha",
        "omega",
        "people:",
        "mean",
        "sd",
        "alpha",
        *(("again r",) if steady else ()),
    )
    for head in heads:
        table.add_column(head, justify="left" if head == "scale" else "right", no_wrap=True)
    for row in report["scales"]:
        people = row.get("people") or {}
        ours = [f"{row[k]:.2f}" if row[k] == row[k] else "-" for k in ("mean", "sd", "alpha", "omega")]
        theirs = [f"{people[k]:.2f}" if people.get(k) is not None else "-" for k in ("mean", "sd", "alpha")]
        again = [f"{steady['retest'][row['scale']]:.2f}"] if steady else []
        table.add_row(row["scale"], str(row["items"]), f"{row['n']:,}", *ours, "", *theirs, *again)
    console.print(table)
    if "congruence" in report:
        click.echo("congruence with people's factors: " + ", ".join(f"{c:.3f}" for c in report["congruence"]))
    if report["acquiescence"]:
        told = ", ".join(f"{k} {x:+.2f}" for k, x in report["acquiescence"].items())
        click.echo(f"what agreeing adds (points): {told}")


def show_validity(report: Mapping[str, Any]) -> None:
    """Print what the kit found."""
    show_reliability(dict(report))
    forms = report["forms"]
    told = ", ".join(f"{name} {share:.1%}" for name, share in forms["changed"].items())
    click.echo(f"answers changed: {told}")
    click.echo(f"gain of the option shown first over last: {forms['primacy']:+.1%}")
    if "beside_options" in report:
        click.echo(f"chances on none of the options: {report['beside_options']:.1%}")
    for word, share in report["unanswered"].items():
        click.echo(f"{word}: {share:.1%}")
    for warning in report["warnings"]:
        click.echo(f"warning: {warning}", err=True)
