"""``deeppersona check``: contradictions in a run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from deeppersona import study
from deeppersona.errors import UsageError
from deeppersona.population.validators import registered, validate
from deeppersona.runtime.store import RunFolder
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy


@click.command("check")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), help="The taxonomy of the run, if not the shipped one."
)
@click.option("--show", type=click.IntRange(min=0), default=20, show_default=True, help="How many issues to print.")
@click.option("--json", "as_json", is_flag=True, help="Print all issues as JSON.")
def command(run: Path, folder: Path | None, show: int, as_json: bool) -> None:
    """Look for contradictions in a run with the validators. Exit code 2 when one is found."""
    taxonomy = read_taxonomy(folder or SHIPPED)
    if RunFolder(run).plan().taxonomy != taxonomy.fingerprint:
        raise UsageError(f"{run} was made with another taxonomy; name it with --taxonomy FOLDER")
    population = study.load(run)
    issues = [issue for persona in population for issue in validate(persona, taxonomy)]
    if as_json:
        click.echo(json.dumps([i.model_dump() for i in issues], indent=1, ensure_ascii=False))
    else:
        for issue in issues[:show]:
            click.echo(f"{issue.severity}: {issue}")
        by_rule = Counter(i.rule for i in issues)
        click.echo(
            f"{len(population)} people, {len(registered())} validators, {len(issues)} contradictions"
            + (": " + ", ".join(f"{rule} {n}" for rule, n in by_rule.most_common()) if issues else "")
        )
    if issues:
        raise click.exceptions.Exit(2)
