"""``deeppersona check``: contradictions in a run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deeppersona import study
from deeppersona.errors import UsageError
from deeppersona.evaluation.sameness import MEASURES, write_sameness
from deeppersona.population.validators import registered, validate
from deeppersona.runtime.store import RunFolder
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy


def show_sameness(found: dict[str, Any]) -> None:
    """Print how alike people are told; where it is known, before and after worn phrasings were ruled out."""
    both = "before" in found["portraits"]
    columns = ("all", "before", "after") if both else ("all",)
    table = Table("sameness", *(f"{kind}, {c}" for kind in ("portraits", "stories") for c in columns))
    for key, words in MEASURES.items():
        table.add_row(words, *(f"{found[kind][c][key]:.3f}" for kind in ("portraits", "stories") for c in columns))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"  {found['name_repeated']:.1%} of {found['people']} people share their whole name with another")


@click.command("check")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), help="The taxonomy of the run, if not the shipped one."
)
@click.option("--show", type=click.IntRange(min=0), default=20, show_default=True, help="How many issues to print.")
@click.option("--diversity", is_flag=True, help="Also measure how alike the people are told (diversity.json).")
@click.option("--json", "as_json", is_flag=True, help="Print all issues as JSON.")
def command(run: Path, folder: Path | None, show: int, diversity: bool, as_json: bool) -> None:
    """Look for contradictions in a run with the validators. Exit code 2 when one is found."""
    taxonomy = read_taxonomy(folder or SHIPPED)
    if RunFolder(run).plan().taxonomy != taxonomy.fingerprint:
        raise UsageError(f"{run} was made with another taxonomy; name it with --taxonomy FOLDER")
    population = study.load(run)
    issues = [issue for persona in population for issue in validate(persona, taxonomy)]
    found = write_sameness(run) if diversity else None
    if as_json:
        listed = [i.model_dump() for i in issues]
        whole = listed if found is None else {"issues": listed, "diversity": found}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
    else:
        for issue in issues[:show]:
            click.echo(f"{issue.severity}: {issue}")
        by_rule = Counter(i.rule for i in issues)
        click.echo(
            f"{len(population)} people, {len(registered())} validators, {len(issues)} contradictions"
            + (": " + ", ".join(f"{rule} {n}" for rule, n in by_rule.most_common()) if issues else "")
        )
    if found is not None and not as_json:
        show_sameness(found)
    if issues:
        raise click.exceptions.Exit(2)
