"""``deeppersona taxonomy show``: the tree for reading: categories, a branch, one attribute whole, or a search."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.schema import vocabulary as v
from deeppersona.schema.phrase import capitalise, say
from deeppersona.schema.taxonomy import Attribute, Option, Taxonomy

_BAR = 12


def show(console: Console, taxonomy: Taxonomy, path: str | None) -> None:
    """Print what stands at a path: everything where it is None."""
    if path is None:
        _categories(console, taxonomy)
    elif path in taxonomy:
        _attribute(console, taxonomy, taxonomy[path])
    else:
        _branch(console, taxonomy.subtree(path), path)


def find(taxonomy: Taxonomy, words: str, most: int = 15) -> list[Attribute]:
    """The attributes nearest to some words: those that contain them all first, then by meaning."""
    vectors = default_embedder().embed([f"{a.title} {a.definition} {a.question}" for a in taxonomy])
    near = cosine(default_embedder().embed([words]), vectors)[0]
    wanted = words.lower().split()

    def holds(a: Attribute) -> bool:
        text = f"{a.path} {a.definition} {a.question} {' '.join(o.value for o in a.options)}".lower()
        return all(word in text for word in wanted)

    ranked = sorted(range(len(taxonomy)), key=lambda i: (not holds(taxonomy.attributes[i]), -near[i]))
    return [taxonomy.attributes[i] for i in ranked[:most]]


def listed(console: Console, attributes: list[Attribute]) -> None:
    """Print attributes one a line."""
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True, overflow="fold")
    table.add_column()
    for a in attributes:
        table.add_row(f"[cyan]{a.path}[/]", escape(a.question))
    console.print(table)


def _categories(console: Console, taxonomy: Taxonomy) -> None:
    table = Table(box=None, header_style="bold")
    table.add_column("category", style="cyan")
    table.add_column("attributes", justify="right")
    table.add_column("branches", justify="right")
    table.add_column("what belongs there")
    counts = Counter(a.category for a in taxonomy)
    for c in taxonomy.categories:
        branches = {a.subtree for a in taxonomy if a.category == c.key}
        table.add_row(c.key, str(counts[c.key]), str(len(branches)), escape(c.about))
    table.add_row("[bold]all[/]", f"[bold]{len(taxonomy)}[/]", f"[bold]{len({a.subtree for a in taxonomy})}[/]", "")
    console.print(table)
    console.print("[dim]go on with: deeppersona taxonomy show CATEGORY[.BRANCH[.LEAF]], or --find WORDS[/]")


def _branch(console: Console, part: Taxonomy, path: str) -> None:
    tree = Tree(f"[bold cyan]{path}[/] ({len(part)})")
    nodes: dict[str, Tree] = {path: tree}
    counts = Counter(a.subtree for a in part)
    if len(counts) > 3 and path.count(".") == 0:  # a whole category: its branches, not hundreds of lines
        for branch, n in counts.items():
            titles = ", ".join(a.title for a in part if a.subtree == branch)
            tree.add(f"[cyan]{branch.removeprefix(path + '.')}[/] ({n})  [dim]{escape(titles)}[/]")
        console.print(tree)
        console.print(f"[dim]go on with: deeppersona taxonomy show {next(iter(counts))}[/]")
        return
    for a in part:
        if a.subtree not in nodes:
            nodes[a.subtree] = tree.add(f"[cyan]{a.subtree.removeprefix(path + '.')}[/] ({counts[a.subtree]})")
        nodes[a.subtree].add(f"{a.title}  [dim]{escape(a.question)}[/]")
    console.print(tree)
    console.print(f"[dim]go on with: deeppersona taxonomy show {part.attributes[0].path}[/]")


def in_words(applies: Mapping[str, Any]) -> str:
    """A condition for reading: ``{age: ">=16", status: [employed]}`` -> ``age 16 or more; status employed``."""
    out = []
    for key, test in applies.items():
        negated = isinstance(test, Mapping)
        raw = test["not"] if isinstance(test, Mapping) else test
        items = [str(x).replace("_", " ") for x in (raw if isinstance(raw, (list, tuple)) else [raw])]
        said = " or ".join(items)
        for sign, words in ((">=", "{} or more"), ("<=", "at most {}"), (">", "more than {}"), ("<", "under {}")):
            if said.startswith(sign):
                said = words.format(said.removeprefix(sign).strip())
                break
        name = key.rpartition(".")[2].replace("_", " ") if "." in key else key.replace("_", " ")
        out.append(f"{name} {'not ' if negated else ''}{said.replace('..', ' to ')}")
    return "; ".join(out)


def places_in_words(o: Option) -> str:
    """Where an option is found, with whole groups of regions named as such."""
    regions, countries = set(o.places[0]), sorted(o.places[1])
    out = []
    for group, members in {**v.REGION_GROUP}.items():
        if regions >= set(members) and group != "sub_saharan_africa":
            out.append(group)
            regions -= set(members)
    return ", ".join([*(g.replace("_", " ") for g in [*out, *sorted(regions)]), *countries])


def _attribute(console: Console, taxonomy: Taxonomy, a: Attribute) -> None:
    marks = [a.kind + (f" of {a.count}" if a.kind == "many" else ""), f"telling {a.telling}"]
    marks += ["sensitive"] if a.sensitive else []
    console.print(f"[bold cyan]{a.path}[/]  [dim]{', '.join(marks)}[/]")
    console.print(f"{escape(a.definition)}\n[italic]{escape(a.question)}[/]")
    if a.applies:
        console.print(f"[dim]applies to:[/] {escape(in_words(a.applies))}")
    if a.options:
        console.print(_options(a))
    for spec in (a.number, a.scale):
        if spec is not None:
            console.print(escape(json.dumps(spec.model_dump(exclude_defaults=True), ensure_ascii=False)))
    for example in a.examples:
        console.print(f"  e.g. {escape(example)}")
    _said(console, a)
    for rule in taxonomy.rules:
        if a.path in rule.when or a.path in rule.never:
            one = "; ".join(f"{k} {' or '.join(x)}" for k, x in rule.when.items())
            two = "; ".join(f"{k} {' or '.join(x)}" for k, x in rule.never.items())
            console.print(f"[dim]rule:[/] {escape(one)} [bold]never[/] {escape(two)} [dim]({escape(rule.because)})[/]")
    needing = [b.path for b in taxonomy if a.path in b.condition.paths()]
    if needing:
        console.print(f"[dim]asked only after this:[/] {', '.join(needing)}")


def _options(a: Attribute) -> Table:
    top = max(o.weight for o in a.options)
    rows = [
        {
            "option": escape(o.value), "weight": f"{o.weight:g}",
            " ": f"[cyan]{'█' * max(round(_BAR * o.weight / top), 1)}[/]", "found in": places_in_words(o),
            "only for": escape(in_words(o.applies)), "leans": ", ".join(f"{k} {w:+g}" for k, w in o.leans.items()),
        }
        for o in a.options
    ]  # fmt: skip
    table = Table(box=None, header_style="bold")
    heads = [head for head in rows[0] if any(row[head] for row in rows)]
    for head in heads:
        table.add_column(head, justify="right" if head == "weight" else "left", no_wrap=head == " ")
    for row in rows:
        table.add_row(*(row[head] for head in heads))
    return table


def _said(console: Console, a: Attribute) -> None:
    """How the likeliest answer is told of somebody."""
    if a.options:
        o = max(a.options, key=lambda o: (not any(o.places), o.weight))
        template, value = o.phrase or a.phrase, o.value
    elif a.scale is not None:
        template, value = a.phrase, a.scale.labels[len(a.scale.labels) // 2]
    elif a.number is not None:
        template, value = a.phrase, f"{a.number.mean:g}"
    else:
        template, value = a.phrase, a.examples[0]
    sentence = capitalise(say(template, "she", value).replace("{label}", value))
    console.print(f"[dim]told as:[/] [green]{escape(sentence)}[/]")
