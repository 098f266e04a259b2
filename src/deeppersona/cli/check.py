"""``deeppersona check``: contradictions in a run."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deeppersona import study
from deeppersona.cli.model_options import asking, read_asking
from deeppersona.errors import UsageError
from deeppersona.evaluation.sameness import MEASURES, write_sameness
from deeppersona.population.validators import registered, validate
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.plan import Plan
from deeppersona.schema.population import Population
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Taxonomy
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


def _judged(
    run: Path, population: Population, taxonomy: Taxonomy, raw: dict[str, Any], *, quiet: bool
) -> list[Issue]:  # fmt: skip
    """What a judge finds, with a bar while it reads."""
    from deeppersona.population.judged import judge_run

    roles, traffic = read_asking(raw)
    hidden = quiet or not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task = bar.add_task("judging", total=len(population))
        return judge_run(
            RunFolder(run), list(population), taxonomy, roles, traffic, lambda n: bar.update(task, completed=n)
        )


def _found(run: Path, plan: Plan, population: Population, taxonomy: Taxonomy) -> tuple[list[Issue], str]:
    """What the validators, or the rules for pupils, find; and how many of them there are, in words."""
    if plan.kind == "people":
        issues = [issue for persona in population for issue in validate(persona, taxonomy)]
        return issues, f"{len(registered())} validators"
    from deeppersona.population.students import RULES, TEXT_RULES, shipped_schema, validate_all

    if plan.given != shipped_schema().fingerprint:
        raise UsageError(f"{run} was made by another version of the student schema; check it with that version")
    records = iter(RunFolder(run).records())
    batches = iter(lambda: list(islice(records, 1000)), [])
    issues = [issue for batch in batches for found in validate_all(batch) for issue in found]
    return issues, f"{len(RULES) + len(TEXT_RULES)} rules"


@click.command("check")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), help="The taxonomy of the run, if not the shipped one."
)
@click.option("--show", type=click.IntRange(min=0), default=20, show_default=True, help="How many issues to print.")
@asking
@click.option("--diversity", is_flag=True, help="Also measure how alike the people are told (diversity.json).")
@click.option("--json", "as_json", is_flag=True, help="Print all issues as JSON.")
def command(run: Path, folder: Path | None, show: int, diversity: bool, as_json: bool, **raw: Any) -> None:
    """Look for contradictions in a run with the validators. Exit code 2 when one is found.

    With --model, a judge is also shown what was written beside what was drawn near it in meaning. What it finds are
    warnings, since it is a model's word: they do not change the exit code.
    """
    taxonomy = read_taxonomy(folder or SHIPPED)
    plan = RunFolder(run).plan()
    if plan.taxonomy != taxonomy.fingerprint:
        raise UsageError(f"{run} was made with another taxonomy; name it with --taxonomy FOLDER")
    population = study.load(run)
    issues, rules = _found(run, plan, population, taxonomy)
    if raw["models"]:
        issues += _judged(run, population, taxonomy, raw, quiet=as_json)
    elif raw["budget"] is not None or raw["price"]:
        raise UsageError("there is no judge to pay for: name one with --model SPEC")
    found = write_sameness(run) if diversity else None
    if as_json:
        listed = [i.model_dump() for i in issues]
        whole = listed if found is None else {"issues": listed, "diversity": found}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
    else:
        for issue in issues[:show]:
            click.echo(f"{issue.severity}: {issue}")
        errors = [i for i in issues if i.severity == "error"]
        by_rule = Counter(i.rule for i in errors)
        click.echo(
            f"{len(population)} people, {rules}, {len(errors)} contradictions"
            + (": " + ", ".join(f"{rule} {n}" for rule, n in by_rule.most_common()) if errors else "")
            + (f"; {len(issues) - len(errors)} by the judge" if raw["models"] else "")
        )
    if found is not None and not as_json:
        show_sameness(found)
    if any(i.severity == "error" for i in issues):
        raise click.exceptions.Exit(2)
