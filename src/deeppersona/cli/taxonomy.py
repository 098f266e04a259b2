"""``deeppersona taxonomy``: check, show, stats, import, export."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from deeppersona.errors import UsageError, unknown
from deeppersona.runtime.store import write_whole
from deeppersona.schema.taxonomy import Attribute, Taxonomy
from deeppersona.taxonomy import foreign
from deeppersona.taxonomy.check import check_folder
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

_FOLDER = click.option(
    "--taxonomy",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="A folder of YAML; default: the shipped one.",
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
        + (f"{errors} errors" if errors else "no errors"),
        err=as_json,
    )
    if errors:
        raise click.exceptions.Exit(2)


@command.command()
@click.argument("path", required=False)
@_FOLDER
def show(path: str | None, folder: Path | None) -> None:
    """Browse the tree: the categories, a branch, or one attribute whole."""
    taxonomy = read_taxonomy(folder or SHIPPED)
    console = Console(highlight=False)
    if path is None:
        table = Table(box=None, header_style="bold")
        for head in ("category", "attributes", "what belongs there"):
            table.add_column(head)
        counts = Counter(a.category for a in taxonomy)
        for c in taxonomy.categories:
            table.add_row(c.key, str(counts[c.key]), escape(c.about))
        console.print(table)
        console.print("[dim]go on with: deeppersona taxonomy show CATEGORY[.BRANCH[.LEAF]][/]")
    elif path in taxonomy:
        _attribute(console, taxonomy[path])
    else:
        _branch(console, taxonomy.subtree(path), path)


def _branch(console: Console, part: Taxonomy, path: str) -> None:
    tree = Tree(f"[bold]{path}[/] ({len(part)})")
    nodes: dict[str, Tree] = {path: tree}
    for a in part:
        parent = a.subtree
        if parent not in nodes:
            n = sum(b.subtree == parent for b in part)
            nodes[parent] = tree.add(f"[bold]{parent.removeprefix(path + '.')}[/] ({n})")
        nodes[parent].add(f"{a.title}  [dim]{escape(a.question)}[/]")
    console.print(tree)


def _attribute(console: Console, a: Attribute) -> None:
    console.print(f"[bold]{a.path}[/]  [dim]{a.kind}{', sensitive' if a.sensitive else ''}, telling {a.telling}[/]")
    console.print(f"{escape(a.definition)}\n[italic]{escape(a.question)}[/]")
    if a.applies:
        console.print(f"applies: {escape(json.dumps(a.applies, ensure_ascii=False))}")
    table = Table(box=None, header_style="bold")
    for head in ("option", "weight", "only", "leans"):
        table.add_column(head)
    for o in a.options:
        only = "; ".join(
            filter(None, (", ".join((*o.regions, *o.countries)), json.dumps(o.applies) if o.applies else ""))
        )
        table.add_row(
            escape(o.value), f"{o.weight:g}", escape(only), ", ".join(f"{k} {w:+g}" for k, w in o.leans.items())
        )
    for spec in (a.number, a.scale):
        if spec is not None:
            console.print(escape(json.dumps(spec.model_dump(exclude_defaults=True), ensure_ascii=False)))
    if a.options:
        console.print(table)
    for example in a.examples:
        console.print(f"  e.g. {escape(example)}")
    if a.phrase:
        console.print(f"[dim]{escape(a.phrase)}[/]")


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
        "regional_attributes": sum(any(any(o.places) for o in a.options) for a in taxonomy),
        "conditional_attributes": sum(bool(a.applies) for a in taxonomy),
        "telling_2_or_3": sum(a.telling >= 2 for a in taxonomy), "fingerprint": taxonomy.fingerprint,
    }  # fmt: skip


@command.command()
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def stats(folder: Path | None, as_json: bool) -> None:
    """Count attributes, options, rules, by category, kind and depth."""
    found = statistics(read_taxonomy(folder or SHIPPED))
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
@click.option("--json", "as_json", is_flag=True, help="Print the fate of every leaf as JSON.")
def import_(tree: Path, out: Path | None, as_json: bool) -> None:
    """Read a tree of nested dictionaries as others publish them; say of every leaf: matched, new or rejected, and why."""
    try:
        raw = json.loads(tree.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{tree} cannot be read: {error}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{tree} is no JSON: {error}") from None
    judged = foreign.judge(raw, read_taxonomy(SHIPPED))
    written = foreign.write_draft(judged, out) if out else 0
    if as_json:
        click.echo(json.dumps([{"path": j.path, "fate": j.fate, "reason": j.reason} for j in judged], indent=1))
        return
    fates = Counter(j.fate for j in judged)
    click.echo(f"{len(judged)} leaves: " + ", ".join(f"{fate} {n}" for fate, n in fates.most_common()))
    reasons = Counter(j.reason.partition(" at ")[0] for j in judged if j.fate == "rejected")
    for reason, n in reasons.most_common():
        click.echo(f"  rejected {n}: {reason}")
    click.echo(
        f"{written} drafts written to {out}; finish them as docs/authoring.md tells"
        if out
        else "see each leaf with --json; write drafts of the new ones with --out FOLDER"
    )


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
    taxonomy = read_taxonomy(folder or SHIPPED)
    body = foreign.nested(taxonomy) if form == "nested" else foreign.whole(taxonomy)
    text = json.dumps(body, indent=1, ensure_ascii=False)
    if out is None:
        click.echo(text)
    else:
        write_whole(out, text.encode() + b"\n")
        click.echo(f"{len(taxonomy)} attributes written to {out}")
