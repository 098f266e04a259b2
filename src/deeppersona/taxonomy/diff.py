"""What became of one tree in another: attributes added, removed, renamed and changed; options; rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deeppersona.schema.taxonomy import Attribute, Taxonomy


@dataclass
class Change:
    """One attribute that is in both trees but not the same: what differs, as (what, before, after)."""

    path: str
    differs: list[tuple[str, Any, Any]] = field(default_factory=list)


@dataclass
class Difference:
    """From ``before`` to ``after``; ``renamed`` holds (old path, new path) of attributes that are otherwise equal."""

    added: list[str]
    removed: list[str]
    renamed: list[tuple[str, str]]
    changed: list[Change]
    rules_added: list[str]
    rules_removed: list[str]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.renamed, self.changed, self.rules_added, self.rules_removed))


def _body(a: Attribute) -> str:
    return a.model_dump_json(exclude={"path"}, exclude_defaults=True)


def _rules(taxonomy: Taxonomy) -> dict[str, str]:
    return {rule.model_dump_json(by_alias=True, exclude={"because"}): rule.because for rule in taxonomy.rules}


def _attribute(one: Attribute, two: Attribute) -> list[tuple[str, Any, Any]]:
    out: list[tuple[str, Any, Any]] = [
        (name, _plain(getattr(one, name)), _plain(getattr(two, name)))
        for name in type(one).model_fields
        if name not in ("path", "options") and getattr(one, name) != getattr(two, name)
    ]
    before, after = ({o.value: o for o in a.options} for a in (one, two))
    out += [("option removed", value, None) for value in before if value not in after]
    out += [("option added", None, value) for value in after if value not in before]
    for value in before:
        if value in after and before[value] != after[value]:
            a, b = (o.model_dump(mode="json", exclude={"value"}) for o in (before[value], after[value]))
            out += [(f"option {value!r}, {name}", a[name], b[name]) for name in a if a[name] != b[name]]
    if not out and list(before) != list(after):
        out.append(("order of options", list(before), list(after)))
    return out


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if hasattr(value, "model_dump") else value


def diff(before: Taxonomy, after: Taxonomy) -> Difference:
    """Compare two trees attribute by attribute."""
    gone = [a for a in before if a.path not in after]
    come = {_body(a): a.path for a in after if a.path not in before}
    renamed = [(a.path, come.pop(_body(a))) for a in gone if _body(a) in come]
    old = {path for path, _ in renamed}
    changes = [Change(a.path, found) for a in before if a.path in after and (found := _attribute(a, after[a.path]))]
    one, two = _rules(before), _rules(after)
    return Difference(
        added=sorted(come.values()),
        removed=[a.path for a in gone if a.path not in old],
        renamed=renamed,
        changed=changes,
        rules_added=[why for key, why in two.items() if key not in one],
        rules_removed=[why for key, why in one.items() if key not in two],
    )
