"""Weights: given people raked to soft targets, with trimming, and what the weighting costs.

Raking to one margin is post-stratification; to several it is generalised raking (Deville and Särndal 1992): of all weights
that meet the margins, those nearest to the starting weights. With bounds on the ratio to the mean weight a weight is the
starting weight times the factors of its figures, cut at the bounds, and the factors allow for the cutting: so the margins
are met as well, where that is possible within the bounds. What a weighting costs is told by Kish's (1965) design effect,
n x sum(w^2) / sum(w)^2, and the effective number of people, n / design effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeppersona.errors import UsageError, unknown
from deeppersona.population.margins import EXACT, Dims, Margin, System, counted, equations, settled, shape_of
from deeppersona.runtime.seed import Dice, Floats, Ints

People = Mapping[str, ArrayLike]
Bools = NDArray[np.bool_]

_HEADWAY = 50  # rounds of raking within bounds, in which the worst miss must halve
_FAR = 1e6  # factor beyond a bound at which a weight stays cut for good
_NAMED = 8


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights of people, shape (people,), and how well they do.

    ``error`` is the largest miss of a figure as a share of the total; ``missed`` names the figures that the bounds keep
    from their targets; ``at_bound`` is the share of people whose weight is cut.
    """

    weights: Floats
    error: float
    rounds: int
    converged: bool
    at_bound: float = 0.0
    missed: tuple[str, ...] = ()

    @property
    def design_effect(self) -> float:
        """Kish's design effect: 1 for equal weights."""
        return design_effect(self.weights)

    @property
    def effective_n(self) -> float:
        """How many people of equal weight tell as much (Kish)."""
        return effective_n(self.weights)


def design_effect(weights: ArrayLike) -> float:
    """Kish's design effect of weights (people,): n x sum of squares / square of the sum; at least 1."""
    return float(np.size(weights) / effective_n(weights))


def effective_n(weights: ArrayLike) -> float:
    """Kish's effective number of people for weights (people,); raises UsageError if none is above 0."""
    w = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise UsageError("weights must be finite, not below 0 and not all 0")
    w = w / w.max()
    return float(w.sum() ** 2 / (w @ w))


def coded(people: People, dims: Dims, over: Sequence[str]) -> Ints:
    """The categories of people as numbers, shape (over, people).

    A column of ``people`` is whole numbers already, or names of categories. Raises UsageError for a column or category
    that is not there, or columns of different lengths.
    """
    columns = []
    for dim in over:
        for where, what in ((dims, "dimension"), (people, "column of people")):
            if dim not in where:
                raise unknown(what, dim, where)
        column, names = np.asarray(people[dim]), [str(c) for c in dims[dim]]
        if not np.issubdtype(column.dtype, np.integer):
            given, back = np.unique(column.astype(str), return_inverse=True)
            number = {name: k for k, name in enumerate(names)}
            if strange := [str(g) for g in given if str(g) not in number]:
                raise unknown(f"category of {dim}", strange[0], names)
            column = np.array([number[str(g)] for g in given], dtype=np.int64)[back]
        elif column.size and not 0 <= column.min() <= column.max() < len(names):
            raise UsageError(
                f"column {dim} has categories {column.min()} to {column.max()}; they are 0 to {len(names) - 1}"
            )
        columns.append(column.astype(np.int64).ravel())
    if len({len(c) for c in columns}) > 1:
        raise UsageError(
            f"columns {', '.join(over)} of the people have lengths {', '.join(str(len(c)) for c in columns)}"
        )
    return np.array(columns, dtype=np.int64).reshape(len(over), len(columns[0]) if columns else 0)


def weighted_margin(people: People, dims: Dims, over: Sequence[str], weights: ArrayLike) -> Floats:
    """Sums of weights (people,) by category of the dimensions ``over``, in their shape."""
    shape = tuple(len(dims[d]) for d in over)
    w = np.asarray(weights, dtype=np.float64)
    cell = np.ravel_multi_index(tuple(coded(people, dims, over)), shape) if over else np.zeros(len(w), dtype=np.int64)
    return np.asarray(np.bincount(cell, w, int(np.prod(shape))).reshape(shape))


def rake(
    people: People,
    dims: Dims,
    margins: Sequence[Margin],
    *,
    base: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    tolerance: float = EXACT,
) -> Weighting:
    """Weight people to the margins, starting from ``base`` (people,), 1 each if not given.

    ``people`` has a column (people,) for every dimension of a margin. ``bounds`` are the smallest and largest weight
    allowed, as ratios to the mean; people of a category whose target is 0 get 0 and are left out of that mean. What the
    bounds do not allow is told (``converged``, ``missed``), not raised. Raises UsageError for targets that nobody is
    there to meet, naming them, and for targets that contradict each other.
    """
    start, system = _laid_out(people, dims, margins, base)
    alive = np.flatnonzero(start > 0)
    _check_there(system, alive)
    rows, kind, size = _kinds(system.rows[:, alive], start[alive])
    few, begin = replace(system, rows=rows), np.asarray(np.bincount(kind, start[alive], len(size)), dtype=np.float64)
    after, error, rounds, conflict = settled(begin, few, tolerance)
    if conflict is not None:
        raise UsageError(f"{conflict.message} (the base being the people given)")
    each, cut = after / size, np.zeros(len(size))
    if bounds is not None:
        each, cut, more = _bounded(few, each, size, bounds, tolerance)
        rounds += more
    gap = np.abs(counted(rows, each * size, len(few.target)) - few.target) / few.total
    weights = np.zeros(len(start))
    weights[alive] = each[kind]
    at_bound, error = float(cut @ size) / len(start), float(gap.max(initial=0.0))
    return Weighting(weights, error, rounds, error <= tolerance, at_bound, _told(few, each * size, gap > tolerance))


def _laid_out(people: People, dims: Dims, margins: Sequence[Margin], base: ArrayLike | None) -> tuple[Floats, System]:
    """The starting weights, and the margins as equations over people, where others are over the cells of a table."""
    n = max((np.size(column) for column in people.values()), default=0)
    start = np.ones(n) if base is None else np.asarray(base, dtype=np.float64)
    if start.shape != (n,) or not np.isfinite(start).all() or (start < 0).any() or not start.any():
        raise UsageError(f"starting weights must be {n} finite numbers, one a person, not below 0 and not all 0")
    rows, home, target = [], [np.zeros((0, 2), dtype=np.int64)], np.zeros(0)
    for k, margin in enumerate(margins):
        codes = coded(people, dims, margin.dims)
        own = {d: dims[d] for d in margin.dims}
        part = equations(own, [margin])
        row = part.rows[0][np.ravel_multi_index(tuple(codes), shape_of(own)) if own else np.zeros(n, dtype=np.int64)]
        rows.append(np.where(row < len(part.target), row + len(target), -1))
        home.append(np.stack([np.full(len(part.target), k), part.home[:, 1]], axis=1))
        target = np.append(target, part.target)
    every = np.array(rows, dtype=np.int64).reshape(len(margins), n)
    return start, System(dims, tuple(margins), np.where(every < 0, len(target), every), target, np.concatenate(home))


def _check_there(system: System, alive: Ints) -> None:
    """Refuse targets above 0 for categories that nobody has, naming them."""
    there = counted(system.rows[:, alive], np.ones(len(alive)), len(system.target)) > 0
    gone = [
        f"{', '.join(f'{d}={c}' for d, c in system.categories(f).items())} (margin {system.margins[system.home[f, 0]]}: "
        f"{system.target[f]:,.10g})"
        for f in np.flatnonzero(~there & (system.target > EXACT * system.total)).tolist()
    ]
    if gone:
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        raise UsageError(
            f"nobody among the people is {'; '.join(gone[:_NAMED])}{more}: merge each with a neighbouring category, or set it to 0"
        )


def _kinds(rows: Ints, start: Floats) -> tuple[Ints, Ints, Floats]:
    """People alike in all figures and in starting weight, as one: their rows, each person's kind, people of each kind."""
    figures = int(rows.max(initial=0)) + 1
    values, level = np.unique(start, return_inverse=True)
    keys = Dice(0, np.arange(figures + len(values))).bits("kind")
    # Sums of random words stand for the columns. Should two kinds ever share one, columns are compared themselves.
    _, first, kind = np.unique(keys[rows].sum(axis=0) + keys[figures + level], return_index=True, return_inverse=True)
    if (rows[:, first][:, kind] != rows).any() or (level[first][kind] != level).any():
        _, first, kind = np.unique(np.vstack([rows, level]), axis=1, return_index=True, return_inverse=True)
    return rows[:, first], kind.ravel(), np.bincount(kind.ravel()).astype(np.float64)


def _bounded(
    system: System, each: Floats, size: Floats, bounds: tuple[float, float], tolerance: float
) -> tuple[Floats, Floats, int]:
    """Weights of kinds within the bounds, whether each is cut (0 or 1), and the rounds it took.

    Every figure's factor is set so that the weights not cut make up for those that are, in turn until all figures are
    met or no headway is made. Then the total is kept at least, and with it the mean that the bounds refer to.
    """
    if not 0.0 <= bounds[0] <= 1.0 <= bounds[1]:
        raise UsageError(
            f"bounds {bounds[0]:g} to {bounds[1]:g} are ratios to the mean weight; give one up to 1 and one from 1"
        )
    figures, total, near = len(system.target), float(each @ size), tolerance * system.total
    low, high = (np.where(each > 0, b * total / size[each > 0].sum(), 0.0) for b in bounds)
    wanted = np.append(system.target, 0.0)
    mine = [(np.bincount(row, minlength=figures + 1) > 0) & (np.arange(figures + 1) < figures) for row in system.rows]
    v, rounds, error, before = each.copy(), 0, np.inf, np.inf
    while error > near and (rounds % _HEADWAY or error < before / 2 or not rounds):
        before = error if rounds % _HEADWAY == 0 else before
        rounds, error = rounds + 1, 0.0
        for row, own in zip(system.rows, mine, strict=True):
            x = v.clip(low, high) * size
            gap = np.where(own, wanted - np.bincount(row, x, figures + 1), 0.0)
            error = max(error, float(np.abs(gap).max()))
            free = np.bincount(row, x * ((v >= low) & (v <= high)), figures + 1)
            push = np.where(gap > 0, 2.0, np.where(gap < 0, 0.5, 1.0))  # where all are cut
            v = v * np.divide(free + gap, free, out=push, where=free > 0).clip(0.25, 4.0)[row]
            v = v.clip(low / _FAR, high * _FAR)
    least, most = (0.0, 0.0) if error <= near else (-40.0, 40.0)
    for _ in range(80 if most else 0):
        middle = (least + most) / 2
        few = float((v * np.exp(middle)).clip(low, high) @ size) < total
        least, most = (middle, most) if few else (least, middle)
    v = v * np.exp(most)
    return np.asarray(v.clip(low, high)), 1.0 * ((v < low) | (v > high)), rounds


def _told(system: System, x: Floats, off: Bools) -> tuple[str, ...]:
    """The figures that weights miss, in words."""
    sums = counted(system.rows, x, len(system.target))
    return tuple(
        f"{', '.join(f'{d}={c}' for d, c in system.categories(f).items()) or 'all'} (margin "
        f"{system.margins[system.home[f, 0]]}): {sums[f]:,.6g} for {system.target[f]:,.6g}"
        for f in np.flatnonzero(off).tolist()
    )
