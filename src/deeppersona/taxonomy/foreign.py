"""Trees as others publish them: nested dictionaries in, nested dictionaries and our own JSON out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deeppersona.errors import UsageError
from deeppersona.models.embedder import Embedder, Vectors, cosine, default_embedder
from deeppersona.runtime.store import told, write_whole
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.check import PLUMBING, VALUE_NAMES, stem

_MATCH, _TWINS = 0.75, 0.93
_MEASURE = re.compile(
    r"^(quality|levels?|frequency|types?|preferences?|times?|hours|habits?|history|methods?|style|status|amount|duration"
    r"|kinds?|sources?|goals?|concerns?|place|location|reason|number|count|cost|budget|plans?|partner|routine|schedule)s?$"
)
_VAGUE_NAME = re.compile(r"^(overall|additional|key|core|basic|personal)?_?(aspects?|factors?|preferences?|experiences?"
                         r"|characteristics?|features?|considerations?|status|types?|levels?|profile|overview|background)$")  # fmt: skip
_DEEPEST = 12


FATES = ("matched", "new", "rejected")


@dataclass(frozen=True)
class Judged:
    """One foreign leaf: its path as ours would spell it, what became of it, why, and the attribute of ours it is."""

    path: str
    fate: str
    reason: str
    match: str = ""


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
    near = _nearness(paths, ours, embedder) if len(ours) else None
    names = [a.path for a in ours]
    seen: dict[tuple[str, str], str] = {}
    parents = {p[:i] for p in paths for i in range(1, len(p))}
    twins = _twins(paths, embedder)
    out = []
    for k, path in enumerate(paths):
        dotted = ".".join(path)
        reason = _fault(path, seen, parents) or twins.get(path, "")
        if reason:
            out.append(Judged(dotted, "rejected", reason))
            continue
        seen[(path[-2] if len(path) > 1 else "", path[-1])] = dotted
        best = int(near[k].argmax()) if near is not None else 0
        if near is not None and near[k, best] >= _MATCH:
            out.append(Judged(dotted, "matched", f"nearness {near[k, best]:.2f}", names[best]))
        elif near is not None:
            out.append(Judged(dotted, "new", f"the nearest of ours is {names[best]} ({near[k, best]:.2f})"))
        else:
            out.append(Judged(dotted, "new", "nothing to compare with"))
    return out


def _nearness(paths: list[tuple[str, ...]], ours: Taxonomy, embedder: Embedder) -> Vectors:
    """How near foreign leaves are to ours, (leaves, attributes): mean of the cosines by place in the tree and by meaning."""
    words = [[part.replace("_", " ") for part in path] for path in paths]
    by_place = cosine(
        embedder.embed([f"{' '.join(w)} {w[-1]}" for w in words]),
        embedder.embed([f"{a.path.replace('.', ' ').replace('_', ' ')} {a.title}" for a in ours]),
    )
    by_meaning = cosine(
        embedder.embed([f"{' '.join(w[-2:])} {w[-1]}" for w in words]),
        embedder.embed([f"{a.title} {a.definition} {a.question}" for a in ours]),
    )
    return np.asarray((by_place + by_meaning) / 2)


def _twins(paths: list[tuple[str, ...]], embedder: Embedder) -> dict[tuple[str, ...], str]:
    """Leaves that ask what an earlier sibling asks: the same stems, or all but the same meaning."""
    siblings: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in paths:
        siblings.setdefault(path[:-1], []).append(path)
    out: dict[tuple[str, ...], str] = {}
    for group in siblings.values():
        titles = [p[-1].replace("_", " ") for p in group]
        stems = [frozenset(stem(word) for word in title.split() if len(word) > 2) for title in titles]
        vectors = embedder.embed(titles)
        similar = cosine(vectors, vectors)
        for later in range(1, len(group)):
            for earlier in range(later):
                same = stems[later] == stems[earlier] or similar[later, earlier] > _TWINS
                if same and group[later] != group[earlier] and group[earlier] not in out:
                    out[group[later]] = f"asks what its sibling {group[earlier][-1]} asks"
                    break
    return out


def _fault(path: tuple[str, ...], seen: dict[tuple[str, str], str], parents: set[tuple[str, ...]]) -> str:
    leaf, parent = path[-1], path[-2] if len(path) > 1 else ""
    if not all(path):
        return "a name without letters"
    if leaf == parent or leaf.rstrip("s") == parent.rstrip("s"):
        return "repeats its parent"
    if PLUMBING.search(".".join(path)):
        return "a plumbing name"
    if _VAGUE_NAME.search(leaf):
        return "too vague to be asked"
    rest = leaf.removeprefix(f"{parent}_")
    if VALUE_NAMES.search(leaf) or (rest != leaf and not _MEASURE.match(rest)):
        return "an answer, not a question"
    if (parent, leaf) in seen:
        return f"stands already at {seen[(parent, leaf)]}"
    if path in parents:
        return "is also a branch"
    return ""


def report(judged: list[Judged]) -> str:
    """What became of every leaf, in Markdown: counts, then the rejected by reason, the matched, the new."""
    fates = Counter(item.fate for item in judged)
    whole = max(len(judged), 1)
    out = ["# What became of the tree", ""]
    out += [f"* {fate}: {fates[fate]} of {len(judged)} leaves ({fates[fate] / whole:.0%})" for fate in FATES]
    by_reason: dict[str, list[Judged]] = {}
    for item in judged:
        if item.fate == "rejected":
            by_reason.setdefault(plain_reason(item.reason), []).append(item)
    for reason, items in sorted(by_reason.items(), key=lambda pair: -len(pair[1])):
        out += ["", f"## Rejected: {reason} ({len(items)})", "", *(f"* `{i.path}`: {i.reason}" for i in items)]
    out += ["", f"## Matched ({fates['matched']})", ""]
    out += [f"* `{i.path}` is our `{i.match}` ({i.reason})" for i in judged if i.fate == "matched"]
    out += ["", f"## New ({fates['new']})", "", *(f"* `{i.path}`" for i in judged if i.fate == "new"), ""]
    return "\n".join(out)


def plain_reason(reason: str) -> str:
    """A reason without the path it names, for counting."""
    return re.sub(r" (at|sibling) [\w.]+", "", reason)


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
