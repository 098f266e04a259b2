"""``deeppersona taxonomy``: check, show, stats, diff, page, import, export."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from deeppersona.cli.taxonomy_show import find, listed
from deeppersona.cli.taxonomy_show import show as show_path
from deeppersona.errors import UsageError, unknown
from deeppersona.evaluation import audit
from deeppersona.runtime.store import write_whole
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy import diff as difference
from deeppersona.taxonomy import foreign, tone
from deeppersona.taxonomy.check import check_folder
from deeppersona.taxonomy.coverage import by_region, by_stage, is_regional
from deeppersona.taxonomy.page import page as page_of
from deeppersona.taxonomy.page import sunburst
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

_FOLDER = click.option(
    "--taxonomy",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="A folder of YAML; default: the shipped one.",
)


def _read(folder: Path | None) -> Taxonomy:
    return read_taxonomy(SHIPPED if folder is None or str(folder) == "shipped" else folder)


@click.group("taxonomy")
def command() -> None:
    """Browse, check, import and export trees of human attributes.

    How to write one is told in docs/authoring.md.
    """


@command.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--only", metavar="CATEGORY", help="Show the issues of one category only.")
@click.option(
    "--people",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Also draw every attribute for N people of all ages and countries, and report what never comes up.",
)
@click.option("--seed", default=0, show_default=True, help="Of the people drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the issues as JSON.")
def check(folder: Path | None, only: str | None, people: int, seed: int, as_json: bool) -> None:
    """Hold a taxonomy to every rule: schema, duplicates, phrases, reachability, references, coverage.

    With --people it is tried out too: options never drawn, attributes where nearly everybody answers the same,
    attributes that apply to nobody. Exit code 2 when an error is found; warnings do not fail.
    """
    reading, issues = check_folder(SHIPPED if folder is None or str(folder) == "shipped" else folder)
    tried = None
    if people and not any(i.severity == "error" for i in issues):
        tried = _try_out(reading.taxonomy, people, seed)
        issues += [reading.placed(issue) for issue in tried.issues()]
    if only:
        known = {a.category for a in reading.taxonomy} | {i.file.partition("/")[0] for i in issues}
        if only not in known:
            raise unknown("category", only, sorted(known))
        issues = [
            i for i in issues if i.path.startswith(only + ".") or i.file.startswith((only + "/", f"rules/{only}."))
        ]
    if as_json:
        click.echo(json.dumps([i.model_dump() for i in issues], indent=1, ensure_ascii=False))
    else:
        for issue in issues:
            click.echo(f"{issue.severity}: {issue}")
    errors = sum(i.severity == "error" for i in issues)
    shown = [a for a in reading.taxonomy if not only or a.category == only]
    click.echo(
        f"{len(shown)} attributes, {sum(len(a.options) for a in shown)} options, {len(reading.taxonomy.rules)} rules: "
        + (f"{errors} errors" if errors else "no errors")
        + (f", {len(issues) - errors} warnings" if len(issues) > errors else ""),
        err=as_json,
    )
    if tried is not None and not as_json:
        _tell_trial(tried)
    if errors:
        raise click.exceptions.Exit(2)


def _try_out(taxonomy: Taxonomy, people: int, seed: int) -> audit.Audit:
    """Draw a world sample, with a bar."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("drawing people", total=people)
        return audit.audit(taxonomy, people, seed=seed, tick=lambda n: bar.advance(task, n))


def _tell_trial(tried: audit.Audit) -> None:
    entropies = sorted(a.entropy for a in tried.answers if a.asked)
    quiet = [a for a in tried.answers if a.asked and a.top[1] > audit.TELLS_NOTHING]
    never = len(tried.never)
    click.echo(
        f"{tried.people} people drawn: {never} of {tried.options} options never came up ({never / max(tried.options, 1):.2%}); "
        f"{len(quiet)} attributes where one answer takes over {audit.TELLS_NOTHING:.0%}; "
        f"median entropy {entropies[len(entropies) // 2] if entropies else 0:.2f} bits; "
        f"a person can have {int(np.median(tried.pool))} attributes (median)"
    )


@command.command()
@click.argument("path", required=False)
@click.option("--find", "words", metavar="WORDS", help="List the attributes nearest to these words instead.")
@_FOLDER
def show(path: str | None, words: str | None, folder: Path | None) -> None:
    """Browse the tree: the categories, a branch, or one attribute whole."""
    taxonomy, console = _read(folder), Console(highlight=False)
    if words is not None:
        listed(console, find(taxonomy.subtree(path) if path else taxonomy, words))
    else:
        show_path(console, taxonomy, path)


def statistics(taxonomy: Taxonomy) -> dict[str, Any]:
    """Counts of a taxonomy, as data."""
    options = [o for a in taxonomy for o in a.options]
    filled = sum(a.kind != "text" for a in taxonomy)
    return {
        "attributes": len(taxonomy), "options": len(options), "rules": len(taxonomy.rules),
        "fillable_without_model": filled, "share_fillable": round(filled / max(len(taxonomy), 1), 3),
        "by_category": dict(Counter(a.category for a in taxonomy)), "by_kind": dict(Counter(a.kind for a in taxonomy)),
        "by_depth": dict(sorted(Counter(a.path.count(".") + 1 for a in taxonomy).items())),
        "subtrees": len({a.subtree for a in taxonomy}), "sensitive": sum(a.sensitive for a in taxonomy),
        "regional_attributes": sum(map(is_regional, taxonomy)),
        "conditional_attributes": sum(bool(a.applies) for a in taxonomy),
        "telling_2_or_3": sum(a.telling >= 2 for a in taxonomy), "by_stage_of_life": by_stage(taxonomy),
        "options_by_region": by_region(taxonomy),
        "tone_of_options": {k: round(x, 3) for k, x in tone.shares(o.value for o in options).items()}, "fingerprint": taxonomy.fingerprint,
    }  # fmt: skip


@command.command()
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def stats(folder: Path | None, as_json: bool) -> None:
    """Count attributes, options, rules, by category, kind, depth, stage of life and region."""
    found = statistics(_read(folder))
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    table = Table(box=None, show_header=False)
    for key, value in found.items():
        shown = ", ".join(f"{k} {n}" for k, n in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(key.replace("_", " "), shown)
    Console(highlight=False).print(table)


@command.command("import")
@click.argument("tree", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write the new leaves here as drafts for an author.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the fate of every leaf here, as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print the fate of every leaf as JSON.")
@_FOLDER
def import_(tree: Path, out: Path | None, report: Path | None, as_json: bool, folder: Path | None) -> None:
    """Read a tree of nested dictionaries as others publish them; say of every leaf: matched, new or rejected, and why."""
    try:
        raw = json.loads(tree.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{tree} cannot be read: {error}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{tree} is no JSON: {error}") from None
    judged = foreign.judge(raw, _read(folder))
    written = foreign.write_draft(judged, out) if out else 0
    if report:
        write_whole(report, foreign.report(judged).encode())
    if as_json:
        click.echo(json.dumps([asdict(item) for item in judged], indent=1))
        return
    table = Table(box=None, header_style="bold")
    for head in ("fate", "leaves", "why", "such as"):
        table.add_column(head, justify="right" if head == "leaves" else "left")
    groups: dict[tuple[str, str], list[foreign.Judged]] = {}
    for item in judged:
        why = foreign.plain_reason(item.reason) if item.fate == "rejected" else ""
        groups.setdefault((item.fate, why), []).append(item)
    for (fate, why), items in sorted(groups.items(), key=lambda g: (foreign.FATES.index(g[0][0]), -len(g[1]))):
        first = items[0].path + (f" = {items[0].match}" if items[0].match else "")
        table.add_row(fate, str(len(items)), escape(why), escape(first))
    Console(highlight=False, soft_wrap=True).print(table)
    click.echo(
        f"{len(judged)} leaves: " + ", ".join(f"{sum(i.fate == fate for i in judged)} {fate}" for fate in foreign.FATES)
    )
    if out:
        click.echo(f"{written} drafts written to {out}; finish them as docs/authoring.md tells")
    else:
        click.echo("write drafts of the new ones with --out FOLDER, the fate of every leaf with --report FILE.md")


@command.command()
@_FOLDER
@click.option(
    "--to",
    "form",
    type=click.Choice(["nested", "json"]),
    default="nested",
    show_default=True,
    help="nested: dictionaries of options; json: everything.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A file (default: print).")
def export(folder: Path | None, form: str, out: Path | None) -> None:
    """Write the tree as nested dictionaries, or whole as JSON."""
    taxonomy = _read(folder)
    body = foreign.nested(taxonomy) if form == "nested" else foreign.whole(taxonomy)
    text = json.dumps(body, indent=1, ensure_ascii=False)
    if out is None:
        click.echo(text)
    else:
        write_whole(out, text.encode() + b"\n")
        click.echo(f"{len(taxonomy)} attributes written to {out}")


@command.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Compare two trees, folders of YAML; "shipped" is the one that comes with deeppersona.

    Attributes added, removed, renamed and changed, options, weights, rules.
    """
    found = difference.diff(_read(before), _read(after))
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print("the two trees are the same")
    for path in found.removed:
        console.print(f"[red]- {path}[/]")
    for path in found.added:
        console.print(f"[green]+ {path}[/]")
    for old, new in found.renamed:
        console.print(f"[yellow]> {old} -> {new}[/]")
    for change in found.changed:
        console.print(f"[yellow]~ {change.path}[/]")
        for what, one, two in change.differs:
            shown = (
                f"{what}: {one!r}"
                if two is None
                else f"{what}: {two!r}"
                if one is None
                else f"{what}: {one!r} -> {two!r}"
            )
            console.print(f"    {escape(shown)}")
    for sign, rules in (("-", found.rules_removed), ("+", found.rules_added)):
        for why in rules:
            console.print(f"[{'red' if sign == '-' else 'green'}]{sign} rule: {escape(why)}[/]")
    click.echo(
        f"{len(found.added)} added, {len(found.removed)} removed, {len(found.renamed)} renamed, "
        f"{len(found.changed)} changed; rules: {len(found.rules_added)} added, {len(found.rules_removed)} removed"
    )


@command.command()
@_FOLDER
@click.option("--out", type=click.Path(path_type=Path), default=Path("taxonomy.md"), show_default=True,
              help="The Markdown file; the picture is written beside it as .svg.")  # fmt: skip
def page(folder: Path | None, out: Path) -> None:
    """Write a page about the tree: counts by category, stage of life and region, with a sunburst picture."""
    taxonomy = _read(folder)
    picture = out.with_suffix(".svg")
    write_whole(picture, sunburst(taxonomy).encode())
    write_whole(out, page_of(taxonomy, picture.name).encode())
    click.echo(f"{out} and {picture} tell of {len(taxonomy)} attributes; open the picture in a browser")
