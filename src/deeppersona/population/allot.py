"""Quotas to people: a specification becomes whole counts by cell, and the slots of a plan are drawn within their cells.

Base shares are fitted to all targets of the quotas (``margins``), rounded with every quota exact (``rounding``), and the
counts are frozen into the plan. A slot's cell is known from the plan alone, so any slot can be made without the others.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError, unknown
from deeppersona.facts.tables import Facts
from deeppersona.generation.anchors import SAME, Anchors
from deeppersona.generation.cells import AGE, EDUCATION, SEX, URBAN
from deeppersona.generation.cohort import Cohort, draw_cohort, merge
from deeppersona.generation.core import CellDraw, CountryModel, conditional_cells, evenly
from deeppersona.generation.engine import Engine, dice_of
from deeppersona.population.dimension import BLOCK_FIELDS, CELL_FIELDS, Dimension, dimension
from deeppersona.population.frame import Frame, with_clauses
from deeppersona.population.margins import Margin, fit
from deeppersona.population.rounding import Slots, controlled_rounding
from deeppersona.population.spec import Margin as Figures
from deeppersona.population.spec import Spec
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema.condition import Clause
from deeppersona.schema.plan import Allocation, Plan
from deeppersona.schema.taxonomy import Taxonomy

_ORDER = np.lexsort((EDUCATION, AGE, SEX, URBAN))  # as ``core`` walks them
_TURNS = 50  # roundings tried before shares are said not to be met by neighbouring whole numbers
_KEPT = 6_000_000  # cells of conditioned tables kept in memory, 16 bytes each


def field_of(name: str) -> str:
    """The field a dimension is of: ``gender`` is ``sex``."""
    plain = name.removeprefix("demographics.")
    return SAME.get(plain, plain)


def dimensions_of(spec: Spec, names: Sequence[str], frame: Frame) -> dict[str, Dimension]:
    """The dimensions named, each with its categories: those of ``[dimensions]``, else those its figures name, else the usual."""
    written = {field_of(name): raw for name, raw in spec.dimensions.items()}
    out: dict[str, Dimension] = {}
    for name in dict.fromkeys(field_of(n) for n in names):
        raw = written.get(name)
        if name == "country" and (raw is None or any("country" in map(field_of, m.over) for m in spec.quota)):
            if raw is not None:
                raise UsageError(
                    "quotas count countries one by one; leave country out of [dimensions], or count by region"
                )
            out[name] = each_country(frame)
            continue
        if raw is None:
            named = [row[m_over.index(name)] for m in (*spec.quota, *spec.target)
                     if name in (m_over := [field_of(d) for d in m.over]) for row, _ in m.rows()[1]]  # fmt: skip
            raw = list(dict.fromkeys(named))
        listed = {k: _words(x) for k, x in raw.items()} if isinstance(raw, dict) else [_words(x) for x in raw]
        out[name] = dimension(name, listed, frame.facts, list(frame.countries), frame.youngest)
    return out


def each_country(frame: Frame) -> Dimension:
    """The countries of the frame, each a category, in its order."""
    return Dimension(
        "country",
        {c: Clause("country", words=frozenset([c])) for c in frame.countries},
        {c: c for c in frame.countries},
    )


def _words(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def margin_of(
    figures: Figures, dims: Mapping[str, Dimension], n: int, base: Floats, order: Sequence[str], facts: Facts
) -> tuple[Margin, bool]:  # fmt: skip
    """The figures as a margin in people, and whether they are counts to be met exactly.

    ``base`` are shares over the dimensions in ``order``, whose own are taken where the figures ask for them.
    """
    over = tuple(field_of(d) for d in figures.over)
    if strange := [d for d in over if d not in dims]:
        raise unknown(f"dimension in {figures.told}:", strange[0], dims)
    shape = tuple(len(dims[d].categories) for d in over)
    if figures.base:
        target = base.sum(axis=tuple(k for k, d in enumerate(order) if d not in over))
        target = target.transpose([[d for d in order if d in over].index(d) for d in over])
        return Margin(over, target / target.sum() * n, figures.told), False
    kind, rows = figures.rows()
    target = np.full(shape, np.nan)
    for words, number in rows:
        place = tuple(_place(figures, dims[d], word, facts) for d, word in zip(over, words, strict=True))
        if not np.isnan(target[place]):
            raise UsageError(f"{figures.told}: {', '.join(words)} is given twice")
        if number < 0 or not math.isfinite(number):
            raise UsageError(f"{figures.told}: {', '.join(words)} is {number:g}; a figure is 0 or more")
        target[place] = number
    if kind == "people" and not figures.of_base:
        if (np.nan_to_num(target) % 1).any():
            raise UsageError(f"{figures.told}: people come in whole numbers; write share for shares")
        return Margin(over, target, figures.told), True
    return Margin(over, _shares(figures, target) * n, figures.told), False


def _shares(figures: Figures, target: Floats) -> Floats:
    """Shares of 1: as given where they are, of 100 where they add up to that, else of their sum where they are complete."""
    total = float(np.nansum(target))
    table = figures.counts or figures.of_base  # of everybody: what it leaves out is nobody
    if abs(total - 1) < 1e-3 or abs(total - 100) < 0.1 or (table and total > 0):
        return np.where(np.isnan(target), 0.0, target) / total
    if total < 1:
        return target
    raise UsageError(f"{figures.told}: the shares add up to {total:g}; they are shares of 1 (or of 100)")


def _place(figures: Figures, dim: Dimension, word: str, facts: Facts) -> int:
    if dim.field == "country" and word not in dim.categories:
        word = facts.country(word).iso2
    if word not in dim.categories:
        raise unknown(f"category of {dim.field} in {figures.told}:", word, dim.categories)
    return dim.categories.index(word)


@dataclass(frozen=True)
class Allotted:
    """What came of the quotas: the dimensions, the base shares, the whole counts (countries x dims), and the quotas as margins."""

    dims: dict[str, Dimension]
    base: Floats
    counts: Ints
    quotas: tuple[Margin, ...]
    allocation: Allocation


def allot(spec: Spec, n: int, frame: Frame) -> Allotted | None:
    """Whole counts by cell that meet every quota; None where there is none. UsageError where they cannot be met together."""
    if not spec.quota and not own_table(spec):
        return None
    codes = list(frame.countries)
    named = [d for m in (*spec.quota, *own_table(spec)) for d in m.over]
    dims = dimensions_of(spec, [d for d in named if field_of(d) != "country"], frame)
    base = frame.table(list(dims.values()))
    dims = {"country": each_country(frame), **dims}
    own = [margin_of(m, dims, n, base, tuple(dims), frame.facts)[0] for m in own_table(spec)]
    base = fit(base / base.sum() * n, {d: dim.categories for d, dim in dims.items()}, own).table
    if len(codes) == 1 or any(field_of(d) in ("country", "region") for d in named):
        return settle(spec, n, dims, base, frame.facts, own)
    shares = base.sum(axis=tuple(range(1, base.ndim)))
    countries = Margin(("country",), shares / shares.sum() * n, "countries of the base")
    return settle(spec, n, dims, base, frame.facts, own, [countries])


def settle(
    spec: Spec, n: int, dims: dict[str, Dimension], base: Floats, facts: Facts, own: Sequence[Margin] = (), kept: Sequence[Margin] = ()
) -> Allotted:  # fmt: skip
    """Whole counts over ``dims`` that meet the quotas of a specification.

    Quotas in people are exact, those in shares met by either neighbouring whole number. ``own`` are margins that the base meets
    already, to be kept where there is no quota; ``kept`` some to be kept beside them. UsageError where the quotas cannot be met.
    """
    order = tuple(dims)
    labels = {d: dims[d].categories for d in order}
    made = [margin_of(m, dims, n, base, order, facts) for m in spec.quota]
    quotas = tuple(m for m, _ in made)
    _check_totals(quotas, n)
    whole = Margin((), np.array(float(n)), "the size of the population")
    fitted = fit(base / base.sum() * n, labels, [*quotas, *kept, whole]).table
    counts = _rounded(
        fitted,
        labels,
        [m for m, exact in made if exact],
        [m for m, exact in made if not exact] or ([] if made else own),
        spec.seed,
    )
    flat = counts.ravel()
    some = np.flatnonzero(flat)
    allocation = Allocation(
        dims={d: dict(dims[d].written) for d in order},
        counts=tuple(zip(some.tolist(), flat[some].tolist(), strict=True)),
    )
    return Allotted(dims, fitted, counts, quotas, allocation)


def _rounded(
    fitted: Floats, labels: Mapping[str, Sequence[str]], hard: Sequence[Margin], near: Sequence[Margin], seed: int
) -> Ints:
    """The table in whole people: hard margins exact, figures of the near ones either neighbouring whole number."""
    for turn in range(_TURNS):
        counts = controlled_rounding(
            fitted, labels, hard, [m.dims for m in near], seed=f"{seed}/{turn}" if turn else seed
        ).counts
        if all(_neighbours(counts, labels, m) for m in near):
            return counts
    raise UsageError(
        f"no whole people were found that meet the shares of {', '.join(str(m) for m in near)} to the neighbouring whole number each; "
        "leave one of these quotas out, or make it a target"
    )


def _neighbours(counts: Ints, labels: Mapping[str, Sequence[str]], margin: Margin) -> bool:
    names, target = list(labels), np.asarray(margin.target, dtype=float)
    found = np.einsum(counts, list(range(len(names))), [names.index(d) for d in margin.dims])
    return bool((np.isnan(target) | (np.abs(found - target) < 1 - 1e-9) | (np.abs(found - target) < 1e-6)).all())


def own_table(spec: Spec) -> tuple[Figures, ...]:
    """The user's own table of the base, which is among the targets (see ``spec.read_spec``) and holds for the draw too."""
    return tuple(m for m in spec.target if m.of_base)


def _check_totals(quotas: Sequence[Margin], n: int) -> None:
    for margin in quotas:
        target = np.asarray(margin.target, dtype=float)
        total = float(np.nansum(target))
        if not np.isnan(target).any() and abs(total - n) > 0.5:
            raise UsageError(
                f"the quota {margin} adds up to {total:,.10g}, not to the {n:,} people asked for; mend it, set n to {total:,.10g}, or write shares"
            )
        if total > n + 0.5:
            raise UsageError(f"the quota {margin} asks for {total:,.10g} people of {n:,}")


class _Tables(OrderedDict[tuple[str, int], tuple[Ints, Floats]]):
    """Conditioned tables by country and combination of categories; the oldest give way, so that memory stays flat."""

    size = 0

    def keep(self, key: tuple[str, int], table: tuple[Ints, Floats]) -> tuple[Ints, Floats]:
        """Keep a table, and give it back."""
        self[key] = table
        self.size += len(table[0])
        while self.size > _KEPT and len(self) > 1:
            self.size -= len(self.popitem(last=False)[1][0])
        return table


class AllottedEngine(Engine):
    """Makes the people of a plan with quotas: each slot within its cell."""

    @property
    def allocation(self) -> Allocation:
        """The counts of the plan. UsageError where it has none."""
        if self.plan.allocation is None:
            raise UsageError("the plan has no quotas; make it with Engine")
        return self.plan.allocation

    @cached_property
    def dims(self) -> dict[str, Dimension]:
        """The dimensions of the quotas."""
        allocation = self.allocation
        codes = list(allocation.dims["country"])
        return {
            d: dimension(d, raw, self.facts, codes, self.youngest)
            for d, raw in allocation.dims.items()
            if d != "country"
        }

    @cached_property
    def _slots(self) -> tuple[Slots, Ints, tuple[int, ...]]:
        allocation = self.allocation
        cells, counts = (np.array(column, dtype=np.int64) for column in zip(*allocation.counts, strict=True))
        return Slots(counts, self.plan.seed), cells, tuple(len(raw) for raw in allocation.dims.values())

    @cached_property
    def _tables(self) -> _Tables:
        return _Tables()

    def place_of(self, slots: Sequence[int]) -> tuple[Ints, Ints]:
        """The categories of slots by dimension, shape (dims, slots), the country first; and each slot's number in its cell."""
        line, cells, shape = self._slots
        at, number = line.place_of(np.asarray(slots, dtype=np.int64))
        return np.stack(np.unravel_index(cells[at], shape)), number

    def cohort(self, slots: Sequence[int], attempt: int = 0) -> Cohort:
        """Draw the cores of some slots, each within the cell of its quotas."""
        codes = np.array(list(self.allocation.dims["country"]))
        place, number = self.place_of(slots)
        names = list(self.dims)
        drawn = [k for k, d in enumerate(names, 1) if d in BLOCK_FIELDS]
        groups, group = (
            np.unique(place[drawn], axis=1, return_inverse=True)
            if drawn
            else (np.zeros((0, 1), dtype=np.int64), np.zeros(len(slots), dtype=np.int64))
        )
        parts, index = [], []
        for g in range(groups.shape[1]):
            rows = np.flatnonzero(group.ravel() == g)
            clauses = [
                tuple(self.dims[names[k - 1]].clauses.values())[c] for k, c in zip(drawn, groups[:, g], strict=True)
            ]
            anchors = with_clauses(self.anchors, clauses, self.facts)
            if anchors is None:
                raise UsageError("the plan's quotas and conditions leave a cell with nobody; it was changed by hand")
            parts.append(
                self._drawn_in(
                    [int(slots[i]) for i in rows.tolist()],
                    codes[place[0, rows]],
                    place[:, rows],
                    number[rows],
                    anchors,
                    attempt,
                )
            )
            index.append(rows)
        whole = merge(parts) if len(parts) > 1 else parts[0]
        back = np.argsort(np.concatenate(index), kind="stable")
        return self._held(whole.in_order(back), place)

    def _drawn_in(
        self, slots: Sequence[int], country: NDArray[np.str_], place: Ints, number: Ints, anchors: Anchors, attempt: int
    ) -> Cohort:  # fmt: skip
        """Draw people who meet the same conditions, each in the cells of their own categories."""
        masked = [k for k, d in enumerate(self.dims, 1) if d in CELL_FIELDS]
        at = np.asarray(slots, dtype=np.int64)
        whole = np.ravel_multi_index(tuple(place), self._slots[2])

        def draw_cell(model: CountryModel, index: Ints) -> CellDraw:
            kinds, kind = np.unique(whole[index], return_inverse=True)
            tables = [
                self._cells_of(model, int(w), place[:, index[np.argmax(kind == k)]], masked, anchors)
                for k, w in enumerate(kinds)
            ]
            starts = Dice(self.plan.seed, kinds).uniform(f"cell start {model.country.iso2}")

            def draw(dice: Dice, places: Ints, again: int) -> Ints:
                some = kind.ravel()[places]
                if again or attempt:
                    u = dice.uniform("cell")
                else:  # evenly within each cell of the quotas, from a start of its own
                    u = (evenly(dice, number[index][places], 0, model.country.iso2) + starts[some]) % 1.0
                out = np.empty(len(places), dtype=np.int64)
                for k in np.unique(some).tolist():
                    cells, running = tables[k]
                    mine = some == k
                    out[mine] = cells[
                        np.searchsorted(running, u[mine] * running[-1], side="right").clip(max=len(cells) - 1)
                    ]
                return out

            return draw

        dice = dice_of(self.plan, slots, country, attempt)
        even = at if self.plan.even else None
        return draw_cohort(self.facts, dice, country, at, anchors, self.youngest, {}, draw_cell=draw_cell, even=even)

    def _cells_of(
        self, model: CountryModel, whole: int, place: Ints, masked: Sequence[int], anchors: Anchors
    ) -> tuple[Ints, Floats]:
        """The cells of a combination of categories that have anybody, as they are walked, and the running sum of people there."""
        key = (model.country.iso2, whole)
        known = self._tables.get(key)
        if known is None:
            weight = conditional_cells(model, anchors, self.youngest)
            names = list(self.dims)
            for k in masked:
                weight = weight * self.dims[names[k - 1]].masks[place[k]]
            cells = _ORDER[weight[_ORDER] > 0]
            if not len(cells):
                raise UsageError(
                    f"a cell of the plan's quotas has nobody in {model.country.name}; the plan was changed by hand"
                )
            known = self._tables.keep(key, (cells, np.cumsum(weight[cells])))
        return known

    def _held(self, cohort: Cohort, place: Ints) -> Cohort:
        """Leave out whoever fell out of their cell: a status can change where no work is open to age and schooling."""
        if (at := list(self.dims).index("employment_status") if "employment_status" in self.dims else None) is not None:
            clauses = list(self.dims["employment_status"].clauses.values())
            fits = np.stack([cohort.fact_mask(clause) for clause in clauses])
            cohort.made &= fits[place[at + 1], np.arange(len(cohort))]
        return cohort

    def refuse_impossible(self) -> None:
        """Nothing to refuse: what is allotted was found in the tables."""


def engine_of(plan: Plan, facts: Facts, taxonomy: Taxonomy) -> Engine:
    """The engine of a plan: with quotas or without."""
    return (Engine if plan.allocation is None else AllottedEngine)(plan, facts, taxonomy)
