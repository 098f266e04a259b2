"""Expected people: the table over any dimensions that quotas and figures together ask for, each worked out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from deeppersona.generation.anchors import Anchors
from deeppersona.generation.cells import AGE
from deeppersona.generation.core import conditional_cells, country_model
from deeppersona.population.allot import Allotted
from deeppersona.population.dimension import BLOCK_FIELDS, CELL_FIELDS, Dimension
from deeppersona.population.frame import Frame, with_clauses
from deeppersona.runtime.seed import Floats

People = Callable[[str], Sequence[tuple[Anchors, Floats]]]
"""The people of a country as (the conditions they meet, people by cell), of any scale."""


def summed(table: Floats, order: Sequence[str], over: Sequence[str]) -> Floats:
    """A table over the dimensions in ``order`` as one over some of them, in the order of ``over``."""
    small = table.sum(axis=tuple(k for k, d in enumerate(order) if d not in over))
    kept = [d for d in order if d in over]
    return np.asarray(small.transpose([kept.index(d) for d in over]))


class ExpectedTables:
    """Called with dimensions: the people expected in each combination of their categories."""

    def __init__(self, frame: Frame, dims: Mapping[str, Dimension], people: People) -> None:
        self._frame, self._dims, self._people = frame, dims, people
        self._known: dict[tuple[str, ...], Floats] = {}

    def __call__(self, over: tuple[str, ...]) -> Floats:
        """The table, shape (categories of each of ``over``...)."""
        wide = next((known for known in self._known if set(over) <= set(known)), None)
        if wide is None:
            wide, rest = over, [d for d in over if d != "country"]
            table = self._frame.joint([self._dims[d] for d in rest], self._people)
            self._known[over] = summed(self._by_country(table), ["country", *rest], over)
        return summed(self._known[wide], wide, over)

    def _by_country(self, table: Floats) -> Floats:
        """A table by countries of the frame as one by the categories of the dimension of countries, where there is one."""
        if "country" not in self._dims:
            return table
        clauses = list(self._dims["country"].clauses.values())
        out = np.zeros((len(clauses), *table.shape[1:]))
        for c, code in enumerate(self._frame.countries):
            out[next(k for k, clause in enumerate(clauses) if clause.holds(code))] += table[c]
        return out


def framed(frame: Frame, n: int) -> People:
    """``n`` people as the figures have them."""

    def people(code: str) -> Sequence[tuple[Anchors, Floats]]:
        return [(anchors, cells * n) for anchors, cells in frame.whole(code)]

    return people


def allotted_people(frame: Frame, allotted: Allotted) -> People:
    """People as the counts of the quotas have them, by what else each cell of the quotas asks."""
    dims = {d: dim for d, dim in allotted.dims.items() if d != "country"}
    names, codes = list(dims), list(allotted.dims["country"].categories)
    drawn = [k for k, d in enumerate(names) if d in BLOCK_FIELDS]
    masked = [k for k, d in enumerate(names) if d in CELL_FIELDS]

    def spread(code: str, anchors: Anchors, places: Sequence[tuple[int, ...]]) -> Floats:
        weight = conditional_cells(country_model(frame.facts, code), anchors, frame.youngest)
        out = np.zeros(AGE.size)
        for place in places:
            part = weight.copy()
            for k in masked:
                part *= dims[names[k]].masks[place[k]]
            out += part / max(part.sum(), 1e-300) * allotted.counts[(codes.index(code), *place)]
        return out

    def people(code: str) -> Sequence[tuple[Anchors, Floats]]:
        by_conditions: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for place in np.argwhere(allotted.counts[codes.index(code)]).tolist():
            by_conditions.setdefault(tuple(place[k] for k in drawn), []).append(tuple(place))
        out = []
        for key, places in by_conditions.items():
            clauses = [tuple(dims[names[k]].clauses.values())[c] for k, c in zip(drawn, key, strict=True)]
            anchors = with_clauses(frame.anchors, clauses, frame.facts)
            if anchors is not None:
                out.append((anchors, spread(code, anchors, places)))
        return out

    return people
