"""Structure: how items correlate in people, and how much of an answer is the person and how much the draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deeppersona.evaluation.survey.distances import Pair, score
from deeppersona.evaluation.survey.items import Item
from deeppersona.evaluation.survey.resample import distance_interval
from deeppersona.evaluation.survey.side import Side
from deeppersona.runtime.seed import Dice, Floats, Ints

_TIMES = 200
_FEW = 20  # people who answered both items, below which their correlation is not told


def _matrix(side: Side, items: Sequence[Item]) -> tuple[Floats, Ints, Floats]:
    """Answers as numbers (units, items), nan for none; the person of each unit; its weight. A unit is a person's draw."""
    keys = np.concatenate([np.stack([a.person, a.draw]) for i in items for a in [side.answers[i.key]]], axis=1)
    units, at = np.unique(keys, axis=1, return_inverse=True)
    values, begin = np.full((units.shape[1], len(items)), np.nan), 0
    for j, item in enumerate(items):
        option = side.answers[item.key].option
        values[at.ravel()[begin : begin + len(option)], j] = np.array(item.options)[option]
        begin += len(option)
    person = units[0]
    return values, person, side.weight[person] / np.bincount(person)[person]


def correlations(values: Floats, weight: Floats) -> Floats:
    """Weighted Pearson correlations of columns over the rows that have both, (items, items); nan where too few have."""
    known = ~np.isnan(values)
    x, m = np.where(known, values, 0.0), known.astype(np.float64)
    w = weight[:, None]
    total, sums, squares, cross = m.T @ (w * m), x.T @ (w * m), (x * x).T @ (w * m), x.T @ (w * x)
    total = np.where(known.T.astype(np.float64) @ m >= _FEW, total, np.nan)
    mean_a, mean_b = sums / total, sums.T / total
    spread = np.sqrt(np.maximum(squares / total - mean_a**2, 0) * np.maximum(squares.T / total - mean_b**2, 0))
    out: Floats = np.full(total.shape, np.nan)
    np.divide(cross / total - mean_a * mean_b, spread, out=out, where=spread > 1e-12)
    return out


def correlation_record(pair: Pair, items: Sequence[Item]) -> dict[str, Any] | None:
    """The correlations of ordered items in both sides and how far apart they are; None where humans answered one item each.

    The floor is the mean absolute difference of two samples of humans of the sizes at hand, the ceiling that of people
    whose answers have nothing to do with each other.
    """
    items = [i for i in items if i.ordered]
    if not (pair.ours.joint and pair.humans.joint) or len(items) < 2:
        return None
    mine, theirs = _matrix(pair.ours, items), _matrix(pair.humans, items)
    r_ours, r_humans = (correlations(values, weight) for values, _, weight in (mine, theirs))
    upper = np.triu_indices(len(items), 1)
    a, b = r_ours[upper], r_humans[upper]
    told = ~(np.isnan(a) | np.isnan(b))
    if not told.any():
        return None
    value = float(np.abs(a - b)[told].mean())
    again, floor = np.empty(_TIMES), np.empty(_TIMES)
    people, humans = len(pair.ours), len(pair.humans)
    for k in range(_TIMES):
        first, second = (
            _drawn(m, n, f"{pair.seed}/correlations/{s}/{k}")
            for s, (m, n) in enumerate(((mine, people), (theirs, humans)))
        )
        like = _drawn(theirs, people, f"{pair.seed}/correlations/floor/{k}")
        again[k] = np.nanmean(np.abs(first[upper] - second[upper])[told])
        floor[k] = np.nanmean(np.abs(like[upper] - second[upper])[told])
    low, high = distance_interval(value, again, floor, top=2.0)
    ceiling = float(np.abs(b[told]).mean())
    agree = float(np.corrcoef(a[told], b[told])[0, 1]) if told.sum() > 2 and a[told].std() and b[told].std() else None
    return {
        "items": [i.key for i in items], "ours": _plain(r_ours), "humans": _plain(r_humans), "pairs": int(told.sum()),
        "mean absolute difference": {
            "value": value, "low": low, "high": high, "floor": float(floor.mean()), "ceiling": ceiling, "score": score(value, float(floor.mean()), ceiling),
        },
        "mean absolute correlation": {"ours": float(np.abs(a[told]).mean()), "humans": ceiling}, "agreement": agree,
    }  # fmt: skip


def _drawn(matrix: tuple[Floats, Ints, Floats], size: int, seed: str) -> Floats:
    """The correlations in ``size`` people drawn with replacement."""
    values, person, weight = matrix
    people = int(person.max()) + 1
    drawn = Dice(seed, np.arange(size)).below("person", people)
    times = np.bincount(drawn, minlength=people)[person]
    some = times > 0
    return correlations(values[some], weight[some] * times[some])


def _plain(r: Floats) -> list[list[float | None]]:
    return [[None if np.isnan(x) else float(x) for x in row] for row in r]


def steadiness(pair: Pair, items: Sequence[Item]) -> dict[str, Any] | None:
    """Share of the variance of our answers that lies between people, not between draws of one person: ICC(1) by item.

    One-way random effects (Shrout and Fleiss 1979), unequal numbers of draws allowed for; percentile intervals over people.
    1 says that a person always answers alike, 0 that draws of one person differ as much as people do. None where nobody
    was asked twice.
    """
    rows: list[dict[str, Any]] = []
    for item in items:
        coded = pair.ours.answers[item.key]
        draws = np.bincount(coded.person, minlength=len(pair.ours)).astype(np.float64)
        if not item.ordered or draws.max(initial=0) < 2 or (draws >= 2).sum() < 2:
            continue
        values = np.array(item.options)[coded.option]
        some = draws > 0
        n = draws[some]
        mean = np.bincount(coded.person, values, len(pair.ours))[some] / n
        within = np.maximum(np.bincount(coded.person, values**2, len(pair.ours))[some] - n * mean**2, 0.0)
        value = icc(n, mean, within, np.ones((1, len(n))))[0]
        seed = f"{pair.seed}/icc/{item.key}"
        again = icc(n, mean, within, np.stack([
            np.bincount(Dice(f"{seed}/{k}", np.arange(len(n))).below("person", len(n)), minlength=len(n)) for k in range(_TIMES)
        ]).astype(np.float64))  # fmt: skip
        low, high = np.nanquantile(again, [0.025, 0.975]) if not np.isnan(again).all() else (np.nan, np.nan)
        rows.append(
            {
                "item": item.key,
                "people": len(n),
                "draws": float(n.mean()),
                "icc": _or_none(value),
                "low": _or_none(low),
                "high": _or_none(high),
            }
        )
    known = [r["icc"] for r in rows if r["icc"] is not None]
    return {"items": rows, "mean": float(np.mean(known)) if known else None} if rows else None


def _or_none(x: float) -> float | None:
    return None if np.isnan(x) else float(x)


def icc(n: Floats, mean: Floats, within: Floats, times: Floats) -> Floats:
    """ICC(1) of people with ``n`` draws, their mean and sum of squares within, each (people,), counted ``times`` (resamples, people)."""
    people, total = times.sum(axis=1), times @ n
    grand = times @ (n * mean) / total
    between = (times @ (n * mean**2) - total * grand**2) / (people - 1)
    inside = (times @ within) / np.maximum(total - people, 1e-300)
    draws = (total - times @ n**2 / total) / (people - 1)
    whole = between + (draws - 1) * inside
    return np.asarray(np.divide(between - inside, whole, out=np.full(len(whole), np.nan), where=whole > 1e-12))
