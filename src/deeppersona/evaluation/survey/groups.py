"""Subgroups: how near each is, whether its people are too alike, and whether groups differ as humans' groups do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeppersona.evaluation.survey.distances import ItemFound, Keep, Pair, mean_of, measured
from deeppersona.evaluation.survey.items import Item
from deeppersona.evaluation.survey.metrics import METRICS
from deeppersona.evaluation.survey.resample import LEVEL, interval
from deeppersona.evaluation.survey.side import people_by
from deeppersona.runtime.seed import Floats

SUBGROUPS = ("sex", "age", "education")
LEAST = 30  # people of a subgroup on either side, and of these who answered the item, below which nothing is said of it


@dataclass(frozen=True, eq=False)
class Cell:
    """One item in one subgroup."""

    group: str
    value: str
    found: ItemFound
    people: tuple[int, int]


def cells(pair: Pair, items: Sequence[Item]) -> Iterator[Cell]:
    """Every item in every subgroup that both sides know and that is large enough on both."""
    for group in SUBGROUPS:
        sizes = [people_by(side, group) for side in (pair.ours, pair.humans)]
        for value in sorted(set(sizes[0]) & set(sizes[1])):
            keep = (pair.ours.groups[group] == value, pair.humans.groups[group] == value)
            for item in items:
                n = tuple(_answered(pair, k, item.key, keep[k]) for k in (0, 1))
                if min(n) >= LEAST:
                    yield Cell(group, value, measured(pair, item, keep, f"{group}={value}"), (n[0], n[1]))


def _answered(pair: Pair, side: int, key: str, keep: Keep) -> int:
    person = (pair.ours, pair.humans)[side].answers[key].person
    return int(keep[np.unique(person)].sum())


def left_out(pair: Pair) -> dict[str, Any]:
    """Subgroups nothing is said of, with the people on both sides."""
    out: dict[str, Any] = {}
    for group in SUBGROUPS:
        ours, humans = people_by(pair.ours, group), people_by(pair.humans, group)
        small = {
            v: [ours.get(v, 0), humans.get(v, 0)]
            for v in sorted({*ours, *humans})
            if min(ours.get(v, 0), humans.get(v, 0)) < LEAST
        }
        if small:
            out[group] = small
    return out


def subgroup_records(found: Sequence[Cell]) -> list[dict[str, Any]]:
    """Every subgroup's mean distances over items, with floor, ceiling and score, and its mean ratio of variances."""
    out = []
    for group, value in dict.fromkeys((c.group, c.value) for c in found):
        mine = [c for c in found if (c.group, c.value) == (group, value)]
        metrics = {}
        for metric in METRICS:
            mean = mean_of([c.found.found[metric.name] for c in mine if metric.name in c.found.found])
            if mean is not None:
                metrics[metric.name] = mean.record()
        out.append({
            "group": group, "value": value, "items": len({c.found.item.key for c in mine}), "n ours": max(c.people[0] for c in mine),
            "n humans": max(c.people[1] for c in mine), "metrics": metrics, "variance ratio": variance_ratio([c.found for c in mine]),
        })  # fmt: skip
    return out


def variance_ratio(found: Sequence[ItemFound]) -> dict[str, Any] | None:
    """Variance of our answers over that of humans' (geometric mean over ordered items), with a bootstrap interval.

    Below 1 our people are more alike than humans; None where humans, or the resamples, have no variance.
    """
    logs, again = [], []
    for f in found:
        mine, theirs = _variance(f.ours, f.values), _variance(f.humans, f.values)
        if f.item.ordered and theirs > 0:
            floor = 1e-6 * theirs  # people who all say the same have a ratio of a millionth, not of minus infinity
            logs.append(float(np.log(np.maximum(mine, floor) / theirs)))
            mine_again, theirs_again = _variance(f.ours_again, f.values), _variance(f.humans_again, f.values)
            again.append(np.log(np.maximum(mine_again, floor) / np.maximum(theirs_again, floor)))
    if not logs:
        return None
    low, high = interval(float(np.mean(logs)), np.mean(again, axis=0))
    return {"value": float(np.exp(np.mean(logs))), "low": float(np.exp(low)), "high": float(np.exp(high))}


def sameness(found: Sequence[ItemFound], some: Sequence[Cell]) -> list[dict[str, Any]]:
    """The ratio of variances of every ordered item, for all people and within every subgroup; over countries together."""
    out = []
    for key in dict.fromkeys(f.item.key for f in found if f.item.ordered):
        mine = [c for c in some if c.found.item.key == key]
        within = [
            {"group": g, "value": v, "ratio": variance_ratio([c.found for c in mine if (c.group, c.value) == (g, v)])}
            for g, v in dict.fromkeys((c.group, c.value) for c in mine)
        ]
        out.append({"item": key, "all": variance_ratio([f for f in found if f.item.key == key]), "within": within})
    return out


def _variance(shares: Floats, values: Floats) -> Floats:
    return np.asarray(np.maximum(shares @ values**2 - (shares @ values) ** 2, 0.0))


def gaps(whole: Mapping[str, ItemFound], found: Sequence[Cell]) -> dict[str, Any]:
    """How far each subgroup's mean lies from the mean of all, ours and humans', and how well the ones follow the others.

    ``slope`` is that of our gaps on humans' through the origin, gaps in units of the item's range: 1 the right size, 0 no
    differences between groups, above 1 caricature. ``right sign`` is of those gaps whose human interval excludes 0.
    """
    known = [_gap(whole, c) for c in found if c.found.item.ordered]
    rows = [row for row, _, _ in known]
    summary = {}
    for group in SUBGROUPS:
        mine = [r for r in rows if r["group"] == group]
        if len(mine) < 2:
            continue
        x, y = (np.array([r[k] / r["range"] for r in mine]) for k in ("humans", "ours"))
        clear = [r for r in mine if r["clear"]]
        correlated = float(np.corrcoef(x, y)[0, 1]) if len(x) > 2 and x.std() and y.std() else None
        summary[group] = {
            "gaps": len(mine), **(_slope([k for k in known if k[0]["group"] == group]) or {"slope": None, "low": None, "high": None, "humans": None}),
            "correlation": correlated, "clear": len(clear), "right sign": sum(r["ours"] * r["humans"] > 0 for r in clear),
        }  # fmt: skip
    return {"rows": rows, "summary": summary, "level": LEVEL}


def slopes(places: Sequence[tuple[Mapping[str, ItemFound], Sequence[Cell]]]) -> dict[str, dict[str, Any]]:
    """The slope of our gaps on humans' by group, over all items and places (each its items and cells), as in ``gaps``."""
    known = [_gap(whole, c) for whole, found in places for c in found if c.found.item.ordered]
    out = {g: _slope([k for k in known if k[0]["group"] == g]) for g in SUBGROUPS}
    return {g: s for g, s in out.items() if s is not None}


Gap = tuple[dict[str, Any], Floats, float]


def _gap(whole: Mapping[str, ItemFound], c: Cell) -> Gap:
    """One gap, our resamples of it (times,), and the sampling variance of the humans'."""
    f, all_, values = c.found, whole[c.found.item.key], c.found.values
    ours, humans = (float((a - b) @ values) for a, b in ((f.ours, all_.ours), (f.humans, all_.humans)))
    theirs = (f.humans_again - all_.humans_again) @ values
    low, high = interval(humans, theirs)
    row = {
        "item": f.item.key, "group": c.group, "value": c.value, "ours": ours, "humans": humans, "humans low": low, "humans high": high,
        "range": float(values[-1] - values[0]), "clear": low > 0 or high < 0,
    }  # fmt: skip
    return row, np.asarray((f.ours_again - all_.ours_again) @ values), float(theirs.var())


def _slope(known: Sequence[Gap]) -> dict[str, Any] | None:
    """The slope of gaps, with an interval over our people, the humans' gaps taken as they are.

    ``humans`` is the slope that other humans would show: below 1, since part of the gaps of a sample is chance, which no
    other sample repeats (the reliability of the gaps, as in errors in variables; Fuller 1987).
    """
    x = np.array([r["humans"] / r["range"] for r, _, _ in known])
    if len(x) < 2 or not x.any():
        return None
    y = np.array([r["ours"] / r["range"] for r, _, _ in known])
    again = np.stack([a / r["range"] for r, a, _ in known])
    chance = sum(v / r["range"] ** 2 for r, _, v in known)
    slope = float(x @ y / (x @ x))
    low, high = interval(slope, x @ again / (x @ x))
    return {"slope": slope, "low": low, "high": high, "humans": max(0.0, 1.0 - chance / float(x @ x))}
