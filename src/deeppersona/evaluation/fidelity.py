"""How true a population is to its targets: every margin and every joint up to three-way, told with what chance alone would give.

A table of people found is held against a table of people expected: total variation (half the sum of differences in shares), the
cell furthest off, and Pearson's chi-square with small cells pooled. Beside the total variation stands what a simple random sample
of the same size would be off by on average (its *floor*), for no sample of a given size can be expected nearer. P-values come from the
approximation of Wilson and Hilferty (1931), and are adjusted for the number of tables by Holm's (1979) method.
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
    """One table found against expected; shares but for ``worst``, which is in people."""

    dims: tuple[str, ...]
    cells: int
    tv: float
    floor: float
    worst: float
    worst_cell: dict[str, str]
    chi_square: float
    freedom: int
    p: float
    p_holm: float = 1.0


def chi_square_tail(x: float, freedom: int) -> float:
    """The chance of a chi-square above ``x`` (Wilson and Hilferty 1931; within about .002 from 3 degrees of freedom on)."""
    if freedom < 1:
        return 1.0
    if freedom == 1:
        return math.erfc(math.sqrt(max(x, 0.0) / 2))
    if freedom == 2:
        return math.exp(-max(x, 0.0) / 2)
    spread = 2 / (9 * freedom)
    return 0.5 * math.erfc(((x / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(2 * spread))


def table_of(codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], over: Sequence[str], weights: Floats | None = None) -> Floats:
    """People (or their weights) by category of ``over``; ``codes`` has a column (people,) a dimension, -1 for none of its categories."""
    shape = tuple(len(dims[d]) for d in over)
    columns = np.stack([codes[d] for d in over]).astype(np.int64) if over else np.zeros((0, 0), dtype=np.int64)
    known = (columns >= 0).all(axis=0)
    flat = np.ravel_multi_index(tuple(columns[:, known]), shape)
    return np.asarray(np.bincount(flat, None if weights is None else weights[known], math.prod(shape)).reshape(shape), dtype=np.float64)


def compare(found: Floats, expected: Floats, dims: Mapping[str, Sequence[str]], over: tuple[str, ...]) -> Joint:
    """One table against another, scaled to the people found."""
    n = float(found.sum()) or 1.0
    want = expected / max(float(expected.sum()), 1e-300) * n
    gap = found - want
    at = np.unravel_index(int(np.argmax(np.abs(gap))), gap.shape)
    share = want / n
    floor = float(np.sqrt(2 * share * (1 - share) / (math.pi * n)).sum() / 2)
    statistic, freedom = _pooled(found.ravel(), want.ravel())
    return Joint(
        over, int((want > 0).sum()), float(np.abs(gap).sum() / n / 2), floor, float(gap[at]),
        {d: dims[d][int(k)] for d, k in zip(over, at, strict=True)}, statistic, freedom, chi_square_tail(statistic, freedom),
    )  # fmt: skip


def _pooled(found: Floats, want: Floats) -> tuple[float, int]:
    """Pearson's statistic and its degrees of freedom; cells that expect few are joined, in the order of what they expect."""
    order = np.argsort(want, kind="stable")
    found, want = found[order], want[order]
    if (found[want <= 0] > 0).any():
        return math.inf, 1  # somebody where nobody can be
    found, want = found[want > 0], want[want > 0]
    few = int(np.searchsorted(np.cumsum(want) - want, _FEW)) if len(want) and want[0] < _FEW else 0
    small = want < _FEW
    groups = np.where(small, np.floor(np.cumsum(np.where(small, want, 0)) / _FEW), np.arange(len(want)) + len(want) + few)
    _, group = np.unique(groups, return_inverse=True)
    f, w = np.bincount(group.ravel(), found), np.bincount(group.ravel(), want)
    return float(((f - w) ** 2 / w).sum()), max(len(w) - 1, 0)


def joints(codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], expected: Expected, ways: int, tick: Callable[[int], None] = lambda n: None) -> list[Joint]:
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
    out = [compare(table_of(codes, dims, over), want, dims, over) for over, want in sorted(tables.items(), key=lambda kv: (len(kv[0]), kv[0]))]
    return holm(out)


def holm(found: Sequence[Joint]) -> list[Joint]:
    """The same with p-values adjusted for their number (Holm 1979)."""
    order = sorted(range(len(found)), key=lambda k: found[k].p)
    adjusted, worst = [1.0] * len(found), 0.0
    for rank, k in enumerate(order):
        worst = max(worst, min(1.0, (len(found) - rank) * found[k].p))
        adjusted[k] = worst
    return [Joint(**{**asdict(j), "p_holm": p}) for j, p in zip(found, adjusted, strict=True)]


def quota_errors(codes: Mapping[str, Ints], dims: Mapping[str, Sequence[str]], quotas: Sequence[Margin]) -> list[dict[str, Any]]:
    """For each quota: the people furthest off in a cell; a figure that is no whole number is met by either neighbour."""
    out = []
    for margin in quotas:
        target = np.asarray(margin.target, dtype=float)
        found = table_of(codes, dims, margin.dims)
        off = np.maximum(np.maximum(np.floor(target + 1e-9) - found, found - np.ceil(target - 1e-9)), 0.0)
        off = np.where(np.isnan(target), 0.0, off)
        at = np.unravel_index(int(np.argmax(off)), off.shape) if off.size else ()
        cell = {d: dims[d][int(k)] for d, k in zip(margin.dims, at, strict=True)}
        out.append({"quota": str(margin), "cells": int((~np.isnan(target)).sum()), "error": float(off.max(initial=0.0)), "cell": cell})
    return out


def described_weights(weights: Floats) -> dict[str, float]:
    """What a weighting costs: the design effect and effective n of Kish (1965), and its range as ratios to the mean."""
    n, effective = len(weights), effective_n(weights)
    mean = float(weights.mean())
    return {"design_effect": n / effective, "effective_n": effective, "smallest": float(weights.min() / mean), "largest": float(weights.max() / mean)}
