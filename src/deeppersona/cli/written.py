"""How a run with a model is shown while it goes and when it ends."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeppersona.runtime.store import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeppersona.population.written import Estimate, Tally

_EVENT_EVERY_S = 1.0


def event(kind: str, **fields: Any) -> None:
    """One line of ``--json``."""
    click.echo(json.dumps({"event": kind, **fields}))


@contextmanager
def progress_of(n: int, as_json: bool) -> Iterator[Callable[[Tally], None]]:
    """Show how far a run is: a bar in a terminal, events with ``--json``, nothing elsewhere."""
    if as_json:
        last = [0.0]

        def tell(tally: Tally) -> None:
            now = time.monotonic()
            if now - last[0] >= _EVENT_EVERY_S:
                last[0] = now
                event("progress", n=n, **asdict(tally))

        yield tell
        return
    columns = (
        TextColumn("writing people"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=n, told="")
        began = time.monotonic()

        def show(tally: Tally) -> None:
            tokens = tally.tokens_in + tally.tokens_out
            rate = tokens / max(time.monotonic() - began, 1e-9)
            told = f"{tokens:,} tokens ({rate:,.0f}/s), ${tally.cost:.2f}, {tally.in_flight} asked at once"
            if tally.retried:
                told += f", {tally.retried} asked again"
            if tally.failures or tally.missing:
                told += f", {tally.failures} failures, {tally.missing} holes"
            bar.update(task, completed=tally.people, told=told)

        yield show


def show_estimate(found: Estimate, out: Path, as_json: bool) -> None:
    """Print what a run will take."""
    if as_json:
        event("estimate", out=str(out), **asdict(found))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{found.pilot}[/] people written as a pilot (kept in {out}, not paid for again); a person takes"
    )
    console.print(
        f"  {found.calls:.1f} calls, {found.tokens_in:,.0f} tokens in ({found.tokens_cached:,.0f} from the server's cache), "
        f"{found.tokens_out:,.0f} out: {(found.tokens_in + found.tokens_out) / max(found.filled, 1):.0f} tokens a trait"
    )
    n = f"[bold]{found.n:,}[/] people"
    if found.cost is None:
        console.print(f"  {n}: no price is known for this model; give --price IN/OUT")
    else:
        low, middle, high = found.cost
        console.print(f"  {n}: [bold]${middle:,.2f}[/] (95%: ${low:,.2f} to ${high:,.2f})")
    low, middle, high = found.seconds
    console.print(
        f"  {n}: {_span(middle)} (95%: {_span(low)} to {_span(high)}) with {found.concurrency} requests at once, "
        "if the server answers many as fast as one"
    )
    console.print("  next  the same command without --estimate, with --budget DOLLARS for a hard stop")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def usage_line(out: Path) -> str:
    """What a run cost, in a line."""
    usage = RunFolder(out).usage()
    return (
        f"{usage['calls']:,} answers paid for: {usage['tokens_in']:,} tokens in ({usage['tokens_cached']:,} cached), "
        f"{usage['tokens_out']:,} out, ${usage['cost']:.4f}"
    )
