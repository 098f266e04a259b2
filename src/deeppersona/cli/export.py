"""``deeppersona export``: a run in other formats."""

from __future__ import annotations

from pathlib import Path

import click

from deeppersona import study
from deeppersona.corpus.export import FORMATS, export
from deeppersona.runtime.store import RunFolder


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to", "name", required=True, type=click.Choice(list(FORMATS)), help="hf is a dataset folder with a data card."
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to (default RUN/export-FORMAT).")
def command(run: Path, name: str, out: Path | None) -> None:
    """Write a run as parquet, csv, markdown or a dataset folder (hf)."""
    population = study.load(run)
    place = export(population, name, out or run / f"export-{name}", plan=RunFolder(run).plan())
    click.echo(f"{len(population)} people written: {place}")
