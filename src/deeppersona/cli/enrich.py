"""``deeppersona enrich``: deepen shallow personas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from deeppersona import study
from deeppersona.cli.generate import pairs, parse_ratio
from deeppersona.cli.model_options import read_asking, read_writing, writing
from deeppersona.cli.written import progress_of
from deeppersona.corpus.shallow import read_shallow
from deeppersona.errors import BY_YOU, Stopped, UsageError
from deeppersona.studio.gallery import write_gallery
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy


@click.command("enrich")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/enriched"), show_default=True, help="The run folder."
)
@click.option(
    "--country", multiple=True, metavar="KE|IN=3", help="For people who name no country (default: the world)."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--depth", type=int, default=220, show_default=True, help="Attributes a person besides the core.")
@click.option("--focus", multiple=True, metavar="NODE=WEIGHT")
@click.option("--ratio", default="5:3:2", show_default=True, metavar="NEAR:MID:FAR")
@click.option("--book", is_flag=True, help="Also write the life book.")
@click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), help="A taxonomy folder; default: the shipped one."
)
@writing
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON; with a model, events as they come.")
def command(
    source: Path, out: Path, country: tuple[str, ...], seed: int, depth: int, focus: tuple[str, ...], ratio: str,
    book: bool, folder: Path | None, as_json: bool, **raw: Any,
) -> None:  # fmt: skip
    r"""Deepen the shallow personas of a JSON-lines file; what is given stays untouched, with the source `given`.

    \b
    A line may be a record of ours, a flat object, or PersonaHub's form:
      {"age": 34, "occupation": "nurse", "country": "KE", "interests": ["choir"]}
      {"persona": "A retired bus driver from Lima who loves chess"}

    With --model, free texts are read by the model too: what it reads must stand in the text to count as given.
    """
    taxonomy = read_taxonomy(folder or SHIPPED)
    people = list(read_shallow(source))
    weights = {k: float(w) for k, w in pairs(focus, "focus").items()}
    roles, traffic = read_asking(raw) if raw["models"] else ({}, None)
    if not roles and (raw["budget"] is not None or raw["price"] or read_writing(raw)):
        raise UsageError("there is no model to write: name one with --model SPEC")
    try:
        with progress_of(len(people), as_json and bool(roles)) as progress:
            made, warnings = study.enrich(
                people, out, taxonomy, country=list(country) or None, seed=seed, depth=depth, focus=weights,
                ratio=parse_ratio(ratio), book=book, roles=roles, traffic=traffic, progress=progress,
                writing=study.make_writing(roles, **read_writing(raw)) if roles else None,
            )  # fmt: skip
    except Stopped as stop:
        if any((out / "personas").glob("part-*")):
            write_gallery(out)
        click.echo(f"deeppersona: {stop}", err=True)
        raise click.exceptions.Exit(130 if str(stop).startswith(BY_YOU) else 1) from None
    write_gallery(out)
    if as_json:
        click.echo(
            json.dumps(
                {"out": str(out), "asked": len(people), "people": made, "warnings": [w.model_dump() for w in warnings]}
            )
        )
        return
    for warning in warnings[:20]:
        click.echo(f"warning: {warning.path}: {warning.message}", err=True)
    if len(warnings) > 20:
        click.echo(f"and {len(warnings) - 20} more warnings; all with --json", err=True)
    click.echo(
        f"{made} of {len(people)} people deepened, in {out}\n  open  {out / 'index.html'}\n  read  deeppersona show {out}"
    )
