"""The sampling frame: how many of the people meant are in each combination of categories, before any quota.

For a country it is exact: the joint table of its people by cell (age x sex x schooling x town or country), times, for what is
drawn given the cell, the share of each category there. So joints of any dimensions come from the same figures as the people.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeppersona.facts.tables import Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.generation.core import CountryModel, conditional_cells, country_model
from deeppersona.population.dimension import BLOCK_FIELDS, CELL_FIELDS, Dimension
from deeppersona.runtime.seed import Floats, Ints
from deeppersona.schema.condition import Clause

_SOMEBODY = 1e-9  # share of people
_KEYS = (
    ("marital", "children"),
    ("status", "occupation"),
    ("religion", "language"),
    ("city",),
)  # of CountryModel.blocks


def both(one: Clause | None, other: Clause, facts: Facts) -> Clause | None:
    """A clause that holds where two on one key, both of numbers or both of words, hold; None where nobody can."""
    if one is None or one == other:
        return other
    if one.words is None or other.words is None:
        low, high = max(one.low, other.low), min(one.high, other.high)
        return Clause(other.key, low, high) if low <= high else None
    if other.key == "religion":  # a group holds its branches
        one, other = _by_branch(one, facts), _by_branch(other, facts)
    mine, theirs = one.words or frozenset(), other.words or frozenset()
    if one.negated == other.negated:
        words = mine | theirs if one.negated else mine & theirs
        return Clause(other.key, words=words, negated=one.negated) if words else None
    words = theirs - mine if one.negated else mine - theirs
    return Clause(other.key, words=words) if words else None


def _by_branch(clause: Clause, facts: Facts) -> Clause:
    """A clause on religion in the smallest words there are: ``christian/Catholic``, ``hindu/``."""
    rows = {(r["religion"], r["branch"]) for r in facts.rows("religion.csv")}
    rows |= {(group, "") for group, _ in rows} | {("none", "")}
    words = clause.words or frozenset()
    named = {f"{g}/{b}" for g, b in rows if ({g, f"{g}/{b}"} | ({f"branch:{b}"} if b else set())) & words}
    return Clause(clause.key, words=frozenset(named), negated=clause.negated)


@dataclass(frozen=True)
class Frame:
    """The people meant: countries by weight, the conditions they all meet, and the youngest age."""

    facts: Facts
    countries: Mapping[str, float]
    anchors: Anchors
    youngest: int

    def table(self, dims: Sequence[Dimension], tick: Callable[[str], None] = lambda code: None) -> Floats:
        """Shares of people by country x ``dims``, shape (countries, categories of each...); the whole is 1."""
        return self.joint(dims, self.whole, tick)

    def whole(self, code: str) -> list[tuple[Anchors, Floats]]:
        """The people meant of one country, as shares of all: (the conditions they meet, people by cell)."""
        cells = conditional_cells(country_model(self.facts, code), self.anchors, self.youngest)
        return [(self.anchors, cells / max(cells.sum(), 1e-300) * self.countries[code] / sum(self.countries.values()))]

    def joint(
        self, dims: Sequence[Dimension], people: Callable[[str], Sequence[tuple[Anchors, Floats]]],
        tick: Callable[[str], None] = lambda code: None,
    ) -> Floats:  # fmt: skip
        """The table over country x ``dims`` of people given, for each country, as (the conditions they meet, people by cell)."""
        shape = tuple(len(d.categories) for d in dims)
        out = np.zeros((len(self.countries), *shape))
        for c, code in enumerate(self.countries):
            for anchors, cells in people(code):
                out[c] += self._spread(code, dims, anchors, cells)
            tick(code)
        return np.where(out > _SOMEBODY * max(out.sum(), 1e-300), out, 0.0)

    def _spread(self, code: str, dims: Sequence[Dimension], anchors: Anchors, people: Floats) -> Floats:
        """People by cell who meet some conditions, spread over the categories of the dimensions."""
        model = country_model(self.facts, code)
        drawn = [k for k, d in enumerate(dims) if d.field in BLOCK_FIELDS]
        inside = np.flatnonzero(people > 0)
        index, size = _cell_index([d for d in dims if d.field in CELL_FIELDS], inside)
        before = model.likelihoods(anchors)
        likelihood = _Likelihoods(model)
        out = np.zeros([*(len(dims[k].categories) for k in drawn), size])
        for places in itertools.product(*(range(len(dims[k].categories)) for k in drawn)):
            clauses = [tuple(dims[k].clauses.values())[p] for k, p in zip(drawn, places, strict=True)]
            wanted = with_clauses(anchors, clauses, self.facts)
            if wanted is None:
                continue
            share = np.ones(len(inside))
            for k, base in enumerate(before):
                if (now := likelihood.of(k, wanted)) is not None:
                    share *= now[inside] / (np.maximum(base[inside], 1e-300) if base is not None else 1.0)
            out[places] = np.bincount(index, people[inside] * share, size)
        shape = [len(dims[k].categories) for k in drawn] + [len(d.categories) for d in dims if d.field in CELL_FIELDS]
        order = drawn + [k for k, d in enumerate(dims) if d.field in CELL_FIELDS]
        fixed = {k: self._place(d, code) for k, d in enumerate(dims) if k not in order}
        table = out.reshape(shape).transpose([order.index(k) for k in range(len(dims)) if k not in fixed])
        whole = np.zeros([len(d.categories) for d in dims])
        whole[tuple(fixed.get(k, slice(None)) for k in range(len(dims)))] = table
        return whole

    def _place(self, dim: Dimension, code: str) -> int:
        """The category of a country, of a dimension of places."""
        value = code if dim.field == "country" else self.facts.countries[code].region
        return next((k for k, clause in enumerate(dim.clauses.values()) if clause.holds(value)), 0)


class _Likelihoods:
    """How likely conditions are in every cell, by block of a country's model; each worked out once."""

    def __init__(self, model: CountryModel) -> None:
        self._model = model
        self._known: dict[tuple[int, tuple[Clause | None, ...]], Floats | None] = {}

    def of(self, block: int, anchors: Anchors) -> Floats | None:
        """As ``Block.likelihood``, shape (cells,)."""
        key = (block, tuple(anchors.get(k) for k in _KEYS[block]))
        if key not in self._known:
            asked = any(clause is not None for clause in key[1])
            self._known[key] = self._model.blocks[block].likelihood(anchors) if asked else None
        return self._known[key]


def with_clauses(anchors: Anchors, clauses: Sequence[Clause], facts: Facts) -> Anchors | None:
    """The anchors with more clauses; None where nobody can meet them all."""
    held = dict(anchors.clauses)
    for clause in clauses:
        joined = both(held.get(clause.key), clause, facts)
        if joined is None:
            return None
        held[clause.key] = joined
    return Anchors(held, anchors.written)


def _cell_index(dims: Sequence[Dimension], inside: Ints) -> tuple[Ints, int]:
    """The place of cells in the table over the dimensions of the cell, flat, and its size."""
    index = np.zeros(len(inside), dtype=np.int64)
    for d in dims:
        index = index * len(d.categories) + d.masks[:, inside].argmax(axis=0)
    return index, math.prod(len(d.categories) for d in dims)
