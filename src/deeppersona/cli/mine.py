"""``deeppersona mine``: real conversations into a taxonomy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deeppersona.cli.model_options import asking, read_asking
from deeppersona.cli.written import usage_line
from deeppersona.errors import UsageError

if TYPE_CHECKING:
    from deeppersona.mining.mine import Tally


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[Tally], None]]:
    if as_json:
        yield lambda tally: click.echo(json.dumps({"event": "progress", **vars(tally)}))
        return
    columns = (SpinnerColumn(), TextColumn("listening"), TimeElapsedColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None, told="")

        def show(tally: Tally) -> None:
            told = f"{tally.conversations:,} conversations, {tally.kept:,} kept, {tally.disclosures:,} disclosures ({tally.file})"
            bar.update(task, told=told + (f", {tally.tokens:,} tokens, ${tally.cost:.2f}" if tally.tokens else ""))

        yield show


@click.command("mine")
@click.argument("corpus", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("taxonomy-mined"),
    show_default=True,
    help="The folder of the taxonomy to be.",
)
@click.option("--base", default="shipped", show_default=True, metavar="shipped|empty|FOLDER", help="The tree to grow.")
@click.option(
    "--map",
    "layout",
    default="",
    metavar="FIELD=COLUMN,...",
    help="Which columns hold text, speaker, conversation, author, person, title, id.",
)
@click.option(
    "--min-support",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="People behind an option taken from talk (k-anonymity).",
)
@click.option(
    "--min-speakers", type=click.IntRange(min=1), default=3, show_default=True, help="People behind a new attribute."
)
@click.option(
    "--smoothing",
    type=click.FloatRange(min=1),
    default=50.0,
    show_default=True,
    help="How many people the base's weights stand for.",
)
@click.option(
    "--keep-evidence", is_flag=True, help="Keep the (scrubbed) clauses on this machine, not just their hashes."
)
@click.option(
    "--reviewed",
    type=click.Path(path_type=Path),
    metavar="review.csv",
    help="The review an earlier run wrote, edited: keep, path, question, definition.",
)
@click.option("--review", is_flag=True, help="Say where the review to edit stands and how to feed it back.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="log.jsonl",
    help="Make the taxonomy of a log again; no corpus is read.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=None, help="Processes that listen (default: one a core)."
)
@asking
@click.option("--json", "as_json", is_flag=True, help="Print events and the report as JSON lines.")
def command(
    corpus: tuple[str, ...], out: Path, base: str, layout: str, min_support: int, min_speakers: int, smoothing: float, keep_evidence: bool,
    reviewed: Path | None, review: bool, replay: Path | None, workers: int | None, as_json: bool, **raw: Any,
) -> None:  # fmt: skip
    r"""Mine a taxonomy of human attributes from real conversations, or grow the shipped one.

    CORPUS are files or folders (JSONL, JSON, CSV, TSV, Parquet, text; also .gz) or - for standard input. ShareGPT, OpenAI
    messages, WildChat, LMSYS, OASST, tables with role and text, and plain comments are recognised; --map says otherwise.

    Only a person's own words count. Names, addresses, numbers, e-mails and handles are scrubbed before anything is stored or
    sent to a model. Stopped at any moment, the same command goes on where it was.

    \b
      deeppersona mine chats.jsonl --out taxonomy-mined
      deeppersona generate --taxonomy taxonomy-mined -n 20
    """
    from deeppersona.corpus.conversations import parse_map
    from deeppersona.mining import mine as stage
    from deeppersona.mining.build import read_log
    from deeppersona.mining.merge import Terms
    from deeppersona.mining.reader import model_reader
    from deeppersona.mining.report import write_report
    from deeppersona.models.spec import Traffic
    from deeppersona.runtime.disk import write_whole
    from deeppersona.runtime.executor import cores
    from deeppersona.runtime.store import RunFolder

    if replay is not None:
        taxonomy = stage.replay(read_log(replay), base, out)
        click.echo(f"{len(taxonomy):,} attributes, in {out}\n  use  deeppersona generate --taxonomy {out}")
        return
    roles, traffic = read_asking(raw) if raw["models"] else ({}, Traffic())
    if not roles and (raw["budget"] is not None or raw["price"]):
        raise UsageError("there is no model to pay for: name one with --model SPEC")
    wanted = stage.Wanted(
        corpus, base, Terms(min_support, min_speakers, smoothing), parse_map(layout), keep_evidence,
        roles["writer"].name if "writer" in roles else None,
    )  # fmt: skip
    with _progress(as_json) as progress, ExitStack() as stack:
        reader = stack.enter_context(model_reader(out / stage.FOLDER / "run.sqlite", roles, traffic)) if roles else None
        mined = stage.mine(wanted, out, workers=workers or cores(), review=reviewed, reader=reader, progress=progress)
    report = write_report(mined, wanted)
    if roles:
        paid = RunFolder(out / stage.FOLDER).usage()
        write_whole(out / stage.FOLDER / "usage.json", json.dumps(paid, indent=2).encode() + b"\n")
        report = {**report, "usage": paid}
    if as_json:
        click.echo(json.dumps({"event": "mined", "out": str(out), **report}, ensure_ascii=False))
        return
    _show(report, out, review)


def _show(report: dict[str, Any], out: Path, review: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for head in ("file", "read as", "conversations", "personalisable", "partly", "not", "unreadable"):
        table.add_column(head, justify="left" if head in ("file", "read as") else "right")
    for f in report["read"]["files"]:
        numbers = (f"{f[key]:,}" for key in ("conversations", "personalisable", "partly", "not", "unreadable"))
        table.add_row(
            f["file"],
            f["layout"].get("form", "") + (f" ({f['layout']['text']})" if "text" in f["layout"] else ""),
            *numbers,
        )
    console.print(table)
    for f in report["read"]["files"]:
        if f["unreadable"]:
            click.echo(
                f"warning: {f['file']}: {f['unreadable']} rows could not be read, the first: {f['first fault']}",
                err=True,
            )
    coverage = report["coverage"]
    console.print(
        f"[bold]{report['attributes']:,}[/] attributes: {report['base attributes']:,} of the base ({coverage['told']} told of), "
        f"[bold]{len(report['new'])}[/] new; {len(report['options'])} new options"
    )
    for new in report["new"][:8]:
        console.print(f"  [dim]{new['people']:>5} people[/]  {new['question']}")
    if "usage" in report:
        console.print(f"  {usage_line(out / 'mining')}")
    console.print(f"  open    {out / 'mining' / 'report.html'}")
    console.print(f"  check   deeppersona taxonomy check {out}")
    console.print(f"  use     deeppersona generate --taxonomy {out}")
    if review:
        console.print(
            f"  review  edit {out / 'mining' / 'review.csv'} (keep, path, question, definition), then the same command with --reviewed {out / 'mining' / 'review.csv'}"
        )
