"""Dimensions: what a population is counted by, each cut into categories that leave nobody out.

A category is a condition on one field, written as anchors are: ``age = "18..34"``, ``education = "none..primary"``,
``religion = "Catholic"``. What a person is by country and cell (age, sex, schooling, town or country) is told by a mask over
the cells; what is drawn given the cell (marital status, children, religion, language, city, status, occupation) by a clause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError, unknown
from deeppersona.facts.tables import AGES, Facts
from deeppersona.generation.anchors import SAME, parse_anchors
from deeppersona.generation.cells import ADULT_AGE, AGE, CHILD_LEVEL, EDUCATION, SEX, URBAN
from deeppersona.generation.family import MOST_CHILDREN
from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import Clause

Mask = NDArray[np.bool_]
OTHER = "other"
CELL_FIELDS = {"age": AGE, "sex": SEX, "education": EDUCATION, "urban": URBAN}
PLACES = ("country", "region")
BLOCK_FIELDS = ("marital_status", "children", "religion", "language", "city", "employment_status", "occupation")
FIELDS_OF_QUOTAS = (*PLACES, *CELL_FIELDS, *BLOCK_FIELDS)
_WORDS = {
    "sex": v.SEX,
    "urban": v.URBAN,
    "marital_status": v.MARITAL,
    "employment_status": v.STATUS,
    "religion": v.RELIGION,
    "region": v.REGION,
}
_BANDS = ("0..4", "5..14", "15..17", "18..24", "25..34", "35..44", "45..54", "55..64", "65..")
_DRAWN_LAST = ("income", "household_size")
_TOP = {"age": AGES - 1, "children": MOST_CHILDREN, "education": CHILD_LEVEL}
AT_SCHOOL = "at school"


@dataclass(frozen=True)
class Dimension:
    """A field cut into categories: name -> the clause it stands for."""

    field: str
    clauses: Mapping[str, Clause]
    written: Mapping[str, str]

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories in order."""
        return tuple(self.clauses)

    @cached_property
    def masks(self) -> Mask:
        """Of a field of the cell: which cells are in each category, shape (categories, cells)."""
        return np.stack([cell_mask(self.field, clause) for clause in self.clauses.values()])

    def of(self, value: object) -> str | None:
        """The category of one person's value, as it stands in a record; None where no category has it."""
        if isinstance(value, str) and self.field not in ("occupation", "city", "language", "religion", "country"):
            value = value.replace(" ", "_")
        return next((name for name, clause in self.clauses.items() if _holds(clause, value)), None)


def _holds(clause: Clause, value: object) -> bool:
    if clause.key == "education" and clause.words is None and value not in v.EDUCATION:
        return clause.low == CHILD_LEVEL  # those still at school, or too young for it
    return clause.holds(value)


def cell_mask(field: str, clause: Clause) -> Mask:
    """Which cells a clause on age, sex, schooling or town and country holds for, shape (cells,)."""
    axis = CELL_FIELDS[field]
    if clause.words is None:
        open_end = (
            field == "education" and clause.low < CHILD_LEVEL
        )  # bachelor.. is no child, though its level is coded above
        return np.asarray(
            (axis >= clause.low) & (axis <= (min(clause.high, CHILD_LEVEL - 1) if open_end else clause.high))
        )
    words: Sequence[str] = v.EDUCATION if field == "education" else _WORDS[field]
    named = np.array([(word in clause.words) != clause.negated for word in words] + [clause.negated])
    return np.asarray(named[axis.clip(max=len(words))])


def dimension(
    field: str, written: Mapping[str, str] | Sequence[str] | None, facts: Facts, countries: Iterable[str], youngest: int = 0
) -> Dimension:  # fmt: skip
    """Read a dimension: name -> condition, or conditions that name themselves, or nothing for the usual categories.

    What the categories leave out becomes one more (``other``, or the ranges between). Raises UsageError for fields that cannot
    be counted by, conditions that cannot be read, and categories that overlap, with the fix.
    """
    field = SAME.get(field.removeprefix("demographics."), field.removeprefix("demographics."))
    if field in _DRAWN_LAST:
        raise UsageError(
            f"{field} is drawn last, from all the rest; it can be a condition or a soft target, not a quota"
        )
    if field not in FIELDS_OF_QUOTAS:
        raise unknown("dimension", field, FIELDS_OF_QUOTAS)
    if not written:
        written = _usual(field, countries, youngest)
    named = dict(written) if isinstance(written, Mapping) else {str(w): str(w) for w in written}
    rest_name = next((name for name, words in named.items() if words == OTHER), None)
    clauses = _read(field, {name: words for name, words in named.items() if words != OTHER}, facts)
    if not clauses:
        raise UsageError(f"{field}: {OTHER!r} alone says nothing; name the categories that it is besides")
    rest = dict(_left_out(field, clauses, countries, youngest))
    if rest_name is not None and len(rest) == 1:
        rest = {rest_name: next(iter(rest.values()))}
    if twice := [name for name in rest if name in clauses]:
        raise UsageError(
            f"{field}: a category is called {twice[0]!r}, which is what the others leave out; call it something else"
        )
    clauses |= rest
    return Dimension(field, clauses, {name: OTHER if name in rest else named[name] for name in clauses})


def _read(field: str, named: Mapping[str, str], facts: Facts) -> dict[str, Clause]:
    """The clause of each category. UsageError for one that cannot be read, and for two that overlap."""
    clauses: dict[str, Clause] = {}
    for name, words in named.items():
        (clause,) = parse_anchors({field: words}, facts).clauses.values()
        for earlier, known in clauses.items():
            if _overlap(field, clause, known, facts):
                raise UsageError(f"{field}: the categories {earlier!r} and {name!r} overlap; give everybody one place")
        clauses[name] = clause
    return clauses


def _usual(field: str, countries: Iterable[str], youngest: int) -> Sequence[str]:
    if field == "country":
        return sorted(countries)
    if field == "age":
        return [band for band in _BANDS if int(band.split("..")[0]) >= youngest]
    if field == "education":
        return v.EDUCATION
    if field == "children":
        return ("0", "1", "2", "3", "4..")
    if field not in _WORDS:
        raise UsageError(f"{field} has no usual categories; name those you count by, in [dimensions] or in the quota")
    return _WORDS[field]


def _numbers(field: str, clause: Clause) -> set[int]:
    if clause.words is not None:  # levels of schooling by name
        return {k for k, word in enumerate(v.EDUCATION) if (word in clause.words) != clause.negated}
    if clause.low == CHILD_LEVEL and field == "education":
        return {CHILD_LEVEL}
    high = min(clause.high, len(v.EDUCATION) - 1) if field == "education" else clause.high
    return {k for k in range(_TOP[field] + 1) if clause.low <= k <= high}


def _overlap(field: str, one: Clause, other: Clause, facts: Facts) -> bool:
    if field in ("age", "children", "education"):
        return bool(_numbers(field, one) & _numbers(field, other))
    a, b = one.words or frozenset(), other.words or frozenset()
    if field == "religion":  # a group holds its branches
        group = {f"branch:{r['branch']}": r["religion"] for r in facts.rows("religion.csv") if r["branch"]}
        return bool(a & b) or any(group.get(x) in b for x in a) or any(group.get(x) in a for x in b)
    return bool(a & b)


def _left_out(
    field: str, clauses: Mapping[str, Clause], countries: Iterable[str], youngest: int
) -> Iterable[tuple[str, Clause]]:
    """The categories for those whom the others leave out."""
    if field in ("age", "children", "education"):
        yield from _gaps(field, clauses, youngest)
        return
    taken = frozenset[str]().union(*(c.words or frozenset() for c in clauses.values()))
    key = next(iter(clauses.values())).key
    if field == "country":
        left = frozenset(countries) - taken
    elif field in _WORDS and not any(w.startswith("branch:") for w in taken):
        left = frozenset(_WORDS[field]) - taken
    else:
        yield OTHER, Clause(key, words=taken, negated=True)
        return
    if left:
        yield OTHER, Clause(key, words=left)


def _gaps(field: str, clauses: Mapping[str, Clause], youngest: int) -> Iterable[tuple[str, Clause]]:
    """The ranges of a number, or of levels of schooling, between the categories, and before and after them."""
    taken = set[int]().union(*(_numbers(field, c) for c in clauses.values()))
    top = _TOP[field] - (field == "education" and youngest >= ADULT_AGE)  # no adult is still at school in this sense
    left = [k for k in range(youngest if field == "age" else 0, top + 1) if k not in taken]
    for run in np.split(left, np.flatnonzero(np.diff(left) > 1) + 1):
        if not len(run):
            continue
        low, high = int(run[0]), int(run[-1])
        if field != "education":
            yield (
                f"{low}.." if high == top else str(low) if low == high else f"{low}..{high}",
                Clause(field, low, high if high < top else np.inf),
            )
            continue
        if high == CHILD_LEVEL:
            yield AT_SCHOOL, Clause(field, CHILD_LEVEL, CHILD_LEVEL)
            high -= 1
        if low <= high:
            names = v.EDUCATION[low], v.EDUCATION[high]
            yield names[0] if low == high else f"{names[0]}..{names[1]}", Clause(field, low, high)
