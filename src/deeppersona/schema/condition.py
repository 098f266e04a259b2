"""Conditions on a person, as taxonomy authors and anchors write them: ``{age: ">=16", status: [employed]}``.

A condition is a conjunction of clauses. A clause tests one key (a core fact such as ``age`` or the path of another
attribute) against a range or a set. The same parsed form is evaluated one person at a time here and over whole
columns of people in ``generation.cohort``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deeppersona.errors import UsageError, unknown
from deeppersona.schema import vocabulary as v

WORD_FACTS: dict[str, tuple[str, ...]] = {
    "sex": v.SEX,
    "urban": v.URBAN,
    "status": v.STATUS,
    "sector": v.SECTOR,
    "trade": v.TRADE,
    "marital": v.MARITAL,
    "religion": v.RELIGION,
    "region": v.REGION,
    "mother": ("alive", "dead"),
    "father": ("alive", "dead"),
    "with_parents": ("no", "yes"),
}
NUMBER_FACTS = (
    "age", "income", "children", "youngest_child", "grandchildren", "household", "siblings", "older_siblings",
    "younger_siblings", "wed_age",
)  # fmt: skip
FACTS = (*NUMBER_FACTS, "education", *WORD_FACTS, "country")
_IS_FACT = frozenset(FACTS)
_ALIASES = {"regions": "region", "countries": "country"}
_COMPARISON = re.compile(r"^(>=|<=|>|<|=|==)?\s*([a-z_]+|\d+(?:\.\d+)?)$")
_RANGE = re.compile(r"^(>=|<=|>|<)\s*\d+(\.\d+)?$|^\d+(\.\d+)?\s*\.\.\s*\d+(\.\d+)?$")
_SPAN = re.compile(r"^([a-z_]+|\d+(?:\.\d+)?)?\s*\.\.\s*([a-z_]+|\d+(?:\.\d+)?)?$")


@dataclass(frozen=True, slots=True)
class Clause:
    """One test of one key: a closed range of numbers (``low``..``high``), or membership in ``words``.

    A scale is tested by rank, a number by its value, ``education`` is tested by the rank of its level. ``negated`` turns a set test around.
    """

    key: str
    low: float = -math.inf
    high: float = math.inf
    words: frozenset[str] | None = None
    negated: bool = False

    @property
    def is_fact(self) -> bool:
        """Whether the key is a core fact (else it is the path of another attribute)."""
        return self.key in _IS_FACT

    def holds(self, value: Any) -> bool:
        """Whether one person's value (``None`` where they have none) passes."""
        if self.words is not None:
            found = value if isinstance(value, (list, tuple)) else (value,)
            hit = any(item in self.words for item in found if item is not None)
            return hit != self.negated
        if self.key == "education":
            return value in v.EDUCATION and self.low <= v.EDUCATION.index(value) <= self.high
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Condition:
    """A conjunction of clauses; empty means always."""

    clauses: tuple[Clause, ...] = ()

    def holds(self, person: Mapping[str, Any]) -> bool:
        """Whether a person, given as key -> value (words unabbreviated, numbers as numbers), passes every clause."""
        return all(clause.holds(person.get(clause.key)) for clause in self.clauses)

    def paths(self) -> set[str]:
        """The attribute paths (not core facts) this condition looks at."""
        return {clause.key for clause in self.clauses if not clause.is_fact}

    def __and__(self, other: Condition) -> Condition:
        return Condition(tuple(dict.fromkeys(self.clauses + other.clauses)))


ALWAYS = Condition()


def _rank(key: str, text: str) -> float:
    if key != "education":
        try:
            return float(text)
        except ValueError:
            raise UsageError(f"{key} is a number; got {text!r}") from None
    if text not in v.EDUCATION:
        raise unknown("education level", text, v.EDUCATION)
    return float(v.EDUCATION.index(text))


def _span(key: str, raw: object) -> tuple[float, float]:
    text = str(raw).strip().lower()
    if key == "education":
        text = text.replace(" ", "_").replace("=_", "=").replace(">_", ">").replace("<_", "<")
    if (match := _SPAN.match(text)) and (match[1] or match[2]):  # one end may be left open: 65..
        low = _rank(key, match[1]) if match[1] else -math.inf
        high = _rank(key, match[2]) if match[2] else math.inf
        if low > high:
            raise UsageError(f"{key}: the range {raw!r} is empty; write the smaller number first")
        return low, high
    match = _COMPARISON.match(text)
    if match is None:
        raise UsageError(f'{key}: cannot read {raw!r}; write ">=16", "<70", "18..65" or a single value')
    sign, number = match[1] or "=", _rank(key, match[2])
    whole = key in NUMBER_FACTS or key == "education"
    step = 1.0 if whole else 1e-9
    return {
        ">=": (number, math.inf),
        ">": (number + step, math.inf),
        "<=": (-math.inf, number),
        "<": (-math.inf, number - step),
    }.get(sign, (number, number))


def expand_regions(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split region names and group names into plain regions and country codes; unknown names raise UsageError."""
    regions: list[str] = []
    countries: list[str] = []
    for name in names:
        if name in v.REGION:
            regions.append(name)
        elif name in v.REGION_GROUP:
            regions.extend(v.REGION_GROUP[name])
        elif name in v.COUNTRY_GROUP:
            countries.extend(v.COUNTRY_GROUP[name])
        else:
            raise unknown("region", name, (*v.REGION, *v.REGION_GROUP, *v.COUNTRY_GROUP))
    return regions, countries


def parse_clause(key: str, raw: Any) -> Clause:
    """Read one ``key: test`` pair. Raises UsageError naming the nearest valid choice."""
    key = _ALIASES.get(key, key)
    negated = False
    if isinstance(raw, Mapping):
        if set(raw) != {"not"}:
            raise UsageError(f"{key}: the only mapping understood is {{not: [...]}}; got {dict(raw)!r}")
        negated, raw = True, raw["not"]
    listed = [str(item) for item in raw] if isinstance(raw, (list, tuple, set, frozenset)) else [str(raw)]
    if key in NUMBER_FACTS or (key == "education" and len(listed) == 1 and not negated):
        if negated:
            raise UsageError(f"{key}: a number cannot be tested with not; write a range")
        spans = [_span(key, item) for item in listed]
        return Clause(key, min(low for low, _ in spans), max(high for _, high in spans))
    if key == "education" or key in WORD_FACTS:
        valid = v.EDUCATION if key == "education" else WORD_FACTS[key]
        if key == "region":
            listed = expand_regions(listed)[0]
        for item in listed:
            if item not in valid:
                raise unknown(key, item, valid)
        if key == "education":  # education is ranked everywhere, so a set of levels becomes a range where it can
            ranks = sorted(v.EDUCATION.index(item) for item in listed)
            if not negated and ranks == list(range(ranks[0], ranks[-1] + 1)):
                return Clause(key, ranks[0], ranks[-1])
        return Clause(key, words=frozenset(listed), negated=negated)
    if key == "country":
        return Clause(key, words=frozenset(item.upper() for item in listed), negated=negated)
    if "." not in key:
        raise unknown("condition key", key, FACTS)
    if len(listed) == 1 and not negated and _RANGE.match(listed[0]):  # a scale (by rank) or a number
        return Clause(key, *_span(key, listed[0]))
    return Clause(key, words=frozenset(listed), negated=negated)


def parse_condition(raw: Mapping[str, Any] | None) -> Condition:
    """Read an ``applies`` mapping into a Condition. Raises UsageError on any key or value not understood.

    Equal mappings give the same object, so that what is worked out for a condition can be kept by its identity.
    """
    if not raw:
        return ALWAYS
    written = repr(raw)
    if written not in _PARSED:
        _PARSED[written] = Condition(tuple(parse_clause(key, value) for key, value in raw.items()))
    return _PARSED[written]


_PARSED: dict[str, Condition] = {}


def place_clauses(regions: Sequence[str], countries: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the (regions, countries) an option exists in; it exists where either matches, both empty: everywhere."""
    plain, extra = expand_regions(regions)
    return frozenset(plain), frozenset([*extra, *(c.upper() for c in countries)])
