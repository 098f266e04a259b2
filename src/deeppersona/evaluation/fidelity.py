"""How true a population is to its targets: every margin and every joint up to three-way, told with what chance alone would give.

A table of people found is held against a table of people expected: total variation (half the sum of differences in shares), the
cell furthest off, and Pearson's chi-square with small cells pooled. Beside the total variation stands what a simple random sample
of the same size would be off by on average (its *floor*, by de Moivre's formula for the mean absolute deviation of a binomial), for
no sample of a given size can be expected nearer by chance. P-values are adjusted for the number of tables by Holm's (1979) method.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deeppersona.population.margins import Margin
from deeppersona.population.weights import effective_n
from deeppersona.runtime.seed import Floats, Ints

_FEW = 5.0  # people expected below which a cell is pooled with others for chi-square
Expected = Callable[[tuple[str, ...]], Floats]


@dataclass(frozen=True)
class Joint:
    """One table found against expected; shares but for ``worst``, which is in people.

    ``nowhere`` are people found where none can be, which chi-square leaves out; with any, ``p`` is 0.
    """

    dims: tuple[str, ...]
    cells: int
    tv: float
    floor: float
    worst: float
    worst_cell: dict[str, str]
    chi_square: float
    freedom: int
    p: float
    nowhere: int = 0
    p_holm: float = 1.0


_lgamma = np.vectorize(math.lgamma, otypes=[float])


def chi_square_tail(x: float, freedom: int) -> float:
    """The chance of a chi-square above ``x``, by the finite series that whole degrees of freedom have (Abramowitz and Stegun 26.4)."""
    if freedom < 1 or x <= 0:
        return 1.0
    half, odd = x / 2, freedom % 2
    powers = np.arange(freedom // 2) + odd / 2
    terms = np.exp(powers * math.log(half) - half - _lgamma(powers + 1.0))
    return min(math.fsum(terms.tolist()) + (math.erfc(math.sqrt(half)) if odd else 0.0), 1.0)


def mean_deviation(n: int, share: Floats) -> Floats:
    """The mean of ``|k - n share|`` for ``k`` binomial, exactly (de Moivre 1730), shape of ``share``."""
    p = np.asarray(share, dtype=np.float64)
    inner = (p > 0) & (p < 1)
    q = np.where(inner, p, 0.5)
    k = np.floor(n * q) + 1
    logs = math.lgamma(n + 1) - _lgamma(k + 1) - _lgamma(n - k + 1) + k * np.log(q) + (n - k + 1) * np.log1p(-q)
    return np.where(inner, 2 * k * np.exp(logs), 0.0)


def table_of(
    codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], over: Sequence[str], weights: Floats | None = None
) -> Floats:
    """People (or their weights) by category of ``over``; ``codes`` has a column (people,) a dimension, -1 for none of its categories."""
    shape = tuple(len(dims[d]) for d in over)
    people = len(next(iter(codes.values()), ()))
    columns = np.array([codes[d] for d in over], dtype=np.int64).reshape(len(over), people)
    known = (columns >= 0).all(axis=0)
    flat = np.ravel_multi_index(tuple(columns[:, known]), shape) if over else np.zeros(people, dtype=np.int64)
    return np.asarray(
        np.bincount(flat, None if weights is None else weights[known], math.prod(shape)).reshape(shape),
        dtype=np.float64,
    )


def compare(found: Floats, expected: Floats, dims: Mapping[str, Sequence[str]], over: tuple[str, ...]) -> Joint:
    """One table against another, scaled to the people found."""
    n = float(found.sum()) or 1.0
    want = expected / max(float(expected.sum()), 1e-300) * n
    gap = found - want
    at = np.unravel_index(int(np.argmax(np.abs(gap))), gap.shape)
    floor = float(mean_deviation(round(n), want / n).sum() / n / 2)
    nowhere = found[want <= 0].sum()
    statistic, freedom = _pooled(found[want > 0], want[want > 0])
    return Joint(
        over, int((want > 0).sum()), float(np.abs(gap).sum() / n / 2), floor, float(gap[at]),
        {d: dims[d][int(k)] for d, k in zip(over, at, strict=True)}, statistic, freedom,
        0.0 if nowhere else chi_square_tail(statistic, freedom), int(nowhere),
    )  # fmt: skip


def _pooled(found: Floats, want: Floats) -> tuple[float, int]:
    """Pearson's statistic and its degrees of freedom over cells (cells,); those that expect few are joined until they expect enough.

    They are joined in the order of what they expect; what is left over at the end goes to the last.
    """
    order = np.argsort(want, kind="stable")
    found, want = found[order], want[order]
    ends, sums = [], 0.0
    for k, w in enumerate(want.tolist(), 1):
        sums += w
        if sums >= _FEW:
            ends.append(k)
            sums = 0.0
    if sums and ends:
        ends[-1] = len(want)
    if len(ends) < 2:
        return 0.0, 0
    starts = [0, *ends[:-1]]
    f, w = np.add.reduceat(found, starts), np.add.reduceat(want, starts)
    return float(((f - w) ** 2 / w).sum()), len(ends) - 1


def against_target(found: Floats, target: Floats) -> float:
    """Total variation of people (or weights) from a target in people, in which what has no figure (NaN) counts as one cell."""
    known = ~np.isnan(target)
    n, wanted = float(found.sum()) or 1.0, float(np.nansum(target))
    scale = wanted if known.all() else max(n, wanted)
    share, want = found[known] / n, target[known] / max(scale, 1e-300)
    return float(np.abs(share - want).sum() + abs(share.sum() - want.sum())) / 2


def joints(
    codes: Mapping[str, Ints],
    dims: Mapping[str, Sequence[str]],
    expected: Expected,
    ways: int,
    tick: Callable[[int], None] = lambda n: None,
) -> list[Joint]:
    """Every margin and joint of the dimensions up to ``ways``-way; the expected table of a smaller one is a sum of a larger one's."""
    names = [d for d in dims if len(dims[d]) > 1]
    ways = min(ways, len(names))
    tables: dict[tuple[str, ...], Floats] = {}
    for over in itertools.combinations(names, ways):
        whole = expected(over)
        tick(1)
        for k in range(1, ways + 1):
            for some in itertools.combinations(over, k):
                if some not in tables:
                    tables[some] = whole.sum(axis=tuple(i for i, d in enumerate(over) if d not in some))
    out = [
        compare(table_of(codes, dims, over), want, dims, over)
        for over, want in sorted(tables.items(), key=lambda kv: (len(kv[0]), kv[0]))
    ]
    return holm(out)


def holm(found: Sequence[Joint]) -> list[Joint]:
    """The same with p-values adjusted for their number (Holm 1979)."""
    order = sorted(range(len(found)), key=lambda k: found[k].p)
    adjusted, worst = [1.0] * len(found), 0.0
    for rank, k in enumerate(order):
        worst = max(worst, min(1.0, (len(found) - rank) * found[k].p))
        adjusted[k] = worst
    return [Joint(**{**asdict(j), "p_holm": p}) for j, p in zip(found, adjusted, strict=True)]


def quota_errors(
    codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], quotas: Sequence[Margin]
) -> list[dict[str, Any]]:
    """For each quota: the people furthest off in a cell; a figure that is no whole number is met by either neighbour."""
    out = []
    for margin in quotas:
        target = np.asarray(margin.target, dtype=float)
        found = table_of(codes, dims, margin.dims)
        off = np.maximum(np.maximum(np.floor(target + 1e-9) - found, found - np.ceil(target - 1e-9)), 0.0)
        off = np.where(np.isnan(target), 0.0, off)
        at = np.unravel_index(int(np.argmax(off)), off.shape) if off.size else ()
        cell = {d: dims[d][int(k)] for d, k in zip(margin.dims, at, strict=True)}
        out.append(
            {
                "quota": str(margin),
                "cells": int((~np.isnan(target)).sum()),
                "error": float(off.max(initial=0.0)),
                "cell": cell,
            }
        )
    return out


def described_weights(weights: Floats) -> dict[str, float]:
    """What a weighting costs: the design effect and effective n of Kish (1965), and its range as ratios to the mean."""
    n, effective = len(weights), effective_n(weights)
    mean = float(weights.mean())
    return {
        "design_effect": n / effective,
        "effective_n": effective,
        "smallest": float(weights.min() / mean),
        "largest": float(weights.max() / mean),
    }


def plain(joint: Joint) -> dict[str, Any]:
    """A table's figures as plain values, as JSON gives them back."""
    return {**asdict(joint), "dims": list(joint.dims)}


def margin_rows(
    codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], expected: Expected, dim: str
) -> list[dict[str, Any]]:
    """For each category of a dimension: the people found, their share, and the share expected."""
    found, want = table_of(codes, dims, (dim,)), expected((dim,))
    n, total = max(found.sum(), 1.0), max(want.sum(), 1e-300)
    return [
        {"category": c, "people": int(f), "share": float(f / n), "expected": float(w / total)}
        for c, f, w in zip(dims[dim], found, want, strict=True)
    ]


def by_stratum(
    codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], expected: Expected, dim: str
) -> dict[str, list[dict[str, Any]]]:
    """For each category of a dimension: how far its people are off on every other margin."""
    out: dict[str, list[dict[str, Any]]] = {}
    for other in dims:
        if other != dim:
            found, want = table_of(codes, dims, (dim, other)), expected((dim, other))
            for k, category in enumerate(dims[dim]):
                if found[k].sum() and want[k].sum():
                    out.setdefault(category, []).append(plain(compare(found[k], want[k], dims, (other,))))
    return out
