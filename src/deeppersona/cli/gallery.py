"""``deeppersona gallery``: the page of a run, written again."""

from __future__ import annotations

from pathlib import Path

import click

from deeppersona.studio.gallery import write_gallery


@click.command("gallery")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--limit", type=click.IntRange(min=0), default=200, show_default=True,
    help="How many people get a page of their own; the charts count everybody.",
)  # fmt: skip
def command(run: Path, limit: int) -> None:
    r"""Write the page index.html of a run again and print its path.

    \b
    The page is one file: open it in a browser, offline, or send it to somebody.
      deeppersona gallery runs/kenya
      deeppersona gallery runs/kenya --limit 500
    """
    click.echo(write_gallery(run, limit=limit))
