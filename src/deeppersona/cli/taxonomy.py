"""``deeppersona taxonomy``: check, show, stats, import, export."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deeppersona.errors import UsageError, unknown
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.check import check_folder
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

_FOLDER = click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), default=None, help="A folder of YAML; default: the shipped one."
)


@click.group("taxonomy")
def command() -> None:
    """Browse, check, import and export trees of human attributes.

    How to write one is told in docs/authoring.md.
    """


@command.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--only", metavar="CATEGORY", help="Show the issues of one category only.")
@click.option("--json", "as_json", is_flag=True, help="Print the issues as JSON.")
def check(folder: Path | None, only: str | None, as_json: bool) -> None:
    """Hold a taxonomy to every rule: schema, duplicates, phrases, reachability, references.

    Exit code 2 when an error is found.
    """
    reading, issues = check_folder(folder or SHIPPED)
    if only:
        known = {a.category for a in reading.taxonomy} | {i.file.partition("/")[0] for i in issues}
        if only not in known:
            raise unknown("category", only, sorted(known))
        issues = [i for i in issues if i.path.startswith(only + ".") or i.file.startswith((only + "/", f"rules/{only}."))]
    if as_json:
        click.echo(json.dumps([i.model_dump() for i in issues], indent=1, ensure_ascii=False))
    else:
        for issue in issues:
            click.echo(f"{issue.severity}: {issue}")
    errors = sum(i.severity == "error" for i in issues)
    shown = [a for a in reading.taxonomy if not only or a.category == only]
    click.echo(
        f"{len(shown)} attributes, {sum(len(a.options) for a in shown)} options, {len(reading.taxonomy.rules)} rules: "
        + (f"{errors} errors" if errors else "no errors"),
        err=as_json,
    )
    if errors:
        raise click.exceptions.Exit(2)


def load(folder: Path | None) -> Taxonomy:
    """The taxonomy of a folder, or the shipped one."""
    return read_taxonomy(folder or SHIPPED)
