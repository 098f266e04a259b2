"""Trees as others publish them: nested dictionaries in, nested dictionaries and our own JSON out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deeppersona.errors import UsageError
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.runtime.store import told, write_whole
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.check import PLUMBING, VALUE_NAMES

_MATCH = 0.80
_DEEPEST = 12


@dataclass(frozen=True)
class Judged:
    """One foreign leaf: its path as ours would spell it, what became of it, and why."""

    path: str
    fate: str
    reason: str


def snake(word: str) -> str:
    """``UserProfileAttributes`` -> ``user_profile_attributes``."""
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(word))
    word = re.sub(r"[^A-Za-z0-9]+", "_", word).strip("_").lower()
    return word if word[:1].isalpha() else f"n_{word}" if word else ""


def leaves(tree: Any, trail: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of a nested dictionary's leaves; a list holds leaves, an empty mapping or any plain value is one."""
    if len(trail) > _DEEPEST:
        raise UsageError(f"the tree is deeper than {_DEEPEST} levels at {'.'.join(trail)}; that is no taxonomy")
    if isinstance(tree, Mapping) and tree:
        for key, below in tree.items():
            yield from leaves(below, (*trail, snake(key)))
    elif isinstance(tree, list) and tree:
        for item in tree:
            if isinstance(item, (Mapping, list)):
                yield from leaves(item, trail)
            else:
                yield (*trail, snake(item))
    elif trail:
        yield trail


def judge(tree: Any, ours: Taxonomy) -> list[Judged]:
    """Say of every foreign leaf whether ours has it (matched), whether it is new, or why it is rejected."""
    if not isinstance(tree, Mapping) or not tree:
        raise UsageError('expected a JSON object of nested categories, as {"work": {"commute": {}}}')
    paths = list(leaves(tree))
    embedder = default_embedder()
    mine = embedder.embed([f"{a.path.replace('.', ' ').replace('_', ' ')} {a.title}" for a in ours])
    texts = [f"{' '.join(p).replace('_', ' ')} {p[-1].replace('_', ' ')}" for p in paths]
    near = cosine(embedder.embed(texts), mine) if len(ours) else None
    names = [a.path for a in ours]
    seen: dict[tuple[str, str], str] = {}
    parents = {p[:i] for p in paths for i in range(1, len(p))}
    out = []
    for k, path in enumerate(paths):
        dotted = ".".join(path)
        reason = _fault(path, seen, parents)
        if reason:
            out.append(Judged(dotted, "rejected", reason))
            continue
        seen[(path[-2] if len(path) > 1 else "", path[-1])] = dotted
        best = int(near[k].argmax()) if near is not None else 0
        if near is not None and near[k, best] >= _MATCH:
            out.append(Judged(dotted, "matched", f"{names[best]} (cosine {near[k, best]:.2f})"))
        else:
            out.append(Judged(dotted, "new", "no attribute of ours is near"))
    return out


def _fault(path: tuple[str, ...], seen: dict[tuple[str, str], str], parents: set[tuple[str, ...]]) -> str:
    leaf, parent = path[-1], path[-2] if len(path) > 1 else ""
    if not all(path):
        return "a name without letters"
    if leaf == parent or leaf.rstrip("s") == parent.rstrip("s"):
        return "repeats its parent"
    if PLUMBING.search(".".join(path)):
        return "a plumbing name"
    if VALUE_NAMES.search(leaf) or (parent and leaf.startswith(f"{parent}_")):
        return "an answer, not a question"
    if (parent, leaf) in seen:
        return f"stands already at {seen[(parent, leaf)]}"
    if path in parents:
        return "is also a branch"
    return ""


def draft(judged: list[Judged]) -> list[dict[str, Any]]:
    """The new leaves as attributes for an author to finish: kind ``text``, to be given a definition and options."""
    out = []
    for item in judged:
        if item.fate != "new":
            continue
        parts = item.path.split(".")
        path = ".".join(parts[:5] if len(parts) > 1 else ["unsorted", *parts])
        words = parts[-1].replace("_", " ")
        out.append({
            "path": path, "definition": f"To be written: what is meant by {words} of a person.",
            "question": f"What about your {words}?", "kind": "text",
            "examples": ["to be written", "to be written too", "and a third"],
            "phrase": f"As for {words}, {{they}} {{say}}: {{value}}.",
        })  # fmt: skip
    return out


def write_draft(judged: list[Judged], out: Path) -> int:
    """Write the drafts by category, one YAML file each. Returns how many."""
    attributes = draft(judged)
    by_category: dict[str, list[dict[str, Any]]] = {}
    for attribute in attributes:
        by_category.setdefault(attribute["path"].partition(".")[0], []).append(attribute)
    for category, items in by_category.items():
        folder = out / category
        with told("creating", folder):
            folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(items, sort_keys=False, allow_unicode=True, width=120)
        write_whole(folder / "imported.yaml", text.encode())
    return len(attributes)


def nested(taxonomy: Taxonomy) -> dict[str, Any]:
    """The tree as nested dictionaries; a leaf is the list of its options' values (empty where it has none)."""
    tree: dict[str, Any] = {}
    for a in taxonomy:
        node = tree
        *branches, leaf = a.path.split(".")
        for branch in branches:
            node = node.setdefault(branch, {})
        node[leaf] = [o.value for o in a.options]
    return tree


def whole(taxonomy: Taxonomy) -> dict[str, Any]:
    """The taxonomy in full, as plain data."""
    return {
        "categories": [c.model_dump() for c in taxonomy.categories],
        "attributes": [a.model_dump(mode="json", exclude_defaults=True) for a in taxonomy],
        "rules": [r.model_dump(mode="json", by_alias=True) for r in taxonomy.rules],
    }
