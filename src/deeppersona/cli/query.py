"""``deeppersona query``: questions to a run in SQL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deeppersona.corpus.query import FORMATS, Answer, asked, save_answer, views, write_answer
from deeppersona.corpus.tables import in_words, tables
from deeppersona.errors import UsageError

_SHOWN = 40


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A bar for the first question of a run, which makes its tables."""
    console = Console(stderr=True)
    columns = (TextColumn("reading the run, once"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, people: bar.update(task, completed=done, total=people)


def _show(answer: Answer) -> None:
    """Print the first rows as a table; on a terminal narrower than a text the text is folded."""
    rows = answer.rows()
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in answer.columns:
        table.add_column(escape(name), overflow="fold")
    for row in islice(rows, _SHOWN):
        table.add_row(*(escape(_words(value)) for value in row))
    Console(highlight=False).print(table)
    if left := sum(1 for _ in rows):
        click.echo(f"{left:,} more rows; --format csv, json or parquet gives all of them", err=True)


def _words(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else in_words(value)


def _form_of(form: str | None, out: Path | None) -> str:
    if form is None:
        form = out.suffix.lstrip(".").lower() if out is not None else "table"
        if form not in FORMATS or (out is not None and form == "table"):
            raise UsageError(f"what is {out} to be? name it .csv, .json or .parquet, or pass --format")
    if form == "parquet" and out is None:
        raise UsageError("parquet is no text to print; name a file with --out FILE")
    if form == "table" and out is not None:
        raise UsageError("a table is for the terminal; pass --format csv, json or parquet with --out")
    return form


@click.command("query")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("sql", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: table, or by the name of --out.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the rows there instead of printing them.")
def command(run: Path, sql: str | None, form: str | None, out: Path | None) -> None:
    r"""Ask a run of any size a question in SQL (DuckDB). Without SQL: list the views and their columns.

    \b
    Views: people (one row a person: id, age, sex, country, ...), traits (id, path, value, source),
    stories (id, age, title, text), failures.

    \b
    Count people by two of their columns:
      deeppersona query runs/kenya "select sex, education, count(*) as n from people group by all order by all"
    Ask one attribute, whose path 'deeppersona taxonomy show --find' names, and join who they are:
      deeppersona query runs/kenya "select value, count(*) as n, avg(age) as age from traits join people using (id)
        where path = 'personality.big_five.openness' group by value order by n desc"
    Find people to read, and write them to a file:
      deeppersona query runs/kenya "select id, name, age, narrative from people
        where age between 60 and 75 and narrative like '%radio%'" --out radio.csv

    The first question reads the run into tables under RUN/.query; the next ones take a second or less. Questions can
    read the views and nothing else: no other file, no network, and nothing is changed.
    """
    form = _form_of(form, out)
    with _bar() as progress:
        tables(run, progress)
    if sql is None:
        click.echo(views(run))
        return
    with asked(run, sql) as answer:
        if out is not None:
            count = save_answer(answer, form, out)
            click.echo(f"{count:,} rows written: {out}", err=True)
        elif form == "table":
            _show(answer)
        else:
            write_answer(answer, form, sys.stdout.buffer)
