"""Distances item by item, each between a floor and a ceiling, with intervals, and their means over items and countries.

The *floor* is the mean distance of two samples of humans of the same sizes as the two sides: no population can be asked to
come nearer. The *ceiling* is that of as many people who answer at random, every option alike. The score is
(ceiling - distance) / (ceiling - floor): 1 as near as other humans, 0 no better than chance, below 0 worse than chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.evaluation.survey.items import Item
from deeppersona.evaluation.survey.metrics import METRICS, bias
from deeppersona.evaluation.survey.resample import Resamples, distance_interval, interval, levelled, resampled, sampled
from deeppersona.evaluation.survey.side import Side
from deeppersona.runtime.seed import Floats

_SIMULATED = 200  # samples behind a floor and a ceiling
_APART = 1.5  # times the floor that the ceiling must be, or a score says nothing
Keep = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Found:
    """One distance: value, resamples of it and of two equal sides, floor, its 95th percentile, ceiling, and if all gave the mode."""

    value: float
    replicates: Floats
    null: Floats
    floor: float
    floor_95: float
    ceiling: float
    mode: float

    def record(self) -> dict[str, Any]:
        """As plain values, with interval and score."""
        low, high = distance_interval(self.value, self.replicates, self.null)
        return {
            "value": self.value, "low": low, "high": high, "floor": self.floor, "floor_95": self.floor_95, "ceiling": self.ceiling,
            "mode": self.mode, "score": score(self.value, self.floor, self.ceiling),
        }  # fmt: skip


def score(value: float, floor: float, ceiling: float) -> float | None:
    """1 at the floor, 0 at the ceiling; None where humans themselves answer about uniformly, so that nothing lies between."""
    return (ceiling - value) / (ceiling - floor) if ceiling > _APART * floor else None


@dataclass(frozen=True, eq=False)
class ItemFound:
    """What was found of one item: shares (options,) of both sides, their resamples (times, options), distances by metric."""

    item: Item
    ours: Floats
    humans: Floats
    ours_again: Floats
    humans_again: Floats
    found: Mapping[str, Found]

    @property
    def values(self) -> Floats:
        """The options as numbers, (options,)."""
        return np.array(self.item.options)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sides of one country (or of all) with their resamples."""

    ours: Side
    humans: Side
    resamples: tuple[Resamples, Resamples]
    seed: str

    @classmethod
    def of(cls, ours: Side, humans: Side, times: int, seed: str) -> Pair:
        """Lay the resamples of both out; they are drawn when first needed."""
        return cls(ours, humans, (Resamples(ours, times, seed), Resamples(humans, times, seed)), seed)


def measured(pair: Pair, item: Item, keep: tuple[Keep, Keep] | None = None, label: str = "") -> ItemFound:
    """Every distance of one item, for all people or those of a subgroup (masks over the people of both sides)."""
    k, key = len(item.options), item.key
    sides, masks = (pair.ours, pair.humans), keep or (None, None)
    p, q = (_shares(side, key, k, mask) for side, mask in zip(sides, masks, strict=True))
    values = np.array(item.options)
    p_again, q_again = (r.shares(key, k, mask) for r, mask in zip(pair.resamples, masks, strict=True))
    seed, n = f"{pair.seed}/{key}/{label}", _people(pair.ours, key, masks[0])
    other = resampled(pair.humans, key, k, _SIMULATED, f"{seed}/humans", masks[1])
    alike = sampled(q, n, _SIMULATED, f"{seed}/alike")
    chance = sampled(np.full(k, 1 / k), n, _SIMULATED, f"{seed}/uniform")
    mode = np.eye(k)[int(np.argmax(q))]
    p_equal, q_equal = levelled(p, p_again, (p + q) / 2), levelled(q, q_again, (p + q) / 2)
    found = {}
    for metric in METRICS:
        if item.ordered or not metric.ordered:
            floor = metric.of(alike, other, values)
            found[metric.name] = Found(
                float(metric.of(p, q, values)), metric.of(p_again, q_again, values),
                metric.of(p_equal, q_equal, values),
                float(floor.mean()),
                float(np.quantile(floor, 0.95)), float(metric.of(chance, other, values).mean()), float(metric.of(mode, q, values)),
            )  # fmt: skip
    return ItemFound(item, p, q, p_again, q_again, found)


def _shares(side: Side, key: str, options: int, keep: Keep | None) -> Floats:
    if keep is None:
        return side.shares(key, options)
    coded = side.answers[key]
    rows = keep[coded.person]
    counts = np.bincount(coded.option[rows], side.weights(key)[rows], options)
    return np.asarray(counts / counts.sum())


def _people(side: Side, key: str, keep: Keep | None = None) -> int:
    person = np.unique(side.answers[key].person)
    return int(keep[person].sum()) if keep is not None else len(person)


def mean_of(found: Sequence[Found]) -> Found | None:
    """The mean of distances whose resamples belong together: of values, resamples, floors, ceilings and modes."""
    if not found:
        return None
    value, floor, top, ceiling, mode = (
        float(np.mean([getattr(f, name) for f in found])) for name in ("value", "floor", "floor_95", "ceiling", "mode")
    )
    replicates, null = (np.mean([getattr(f, name) for f in found], axis=0) for name in ("replicates", "null"))
    return Found(value, replicates, null, floor, top, ceiling, mode)


def means(items: Sequence[ItemFound]) -> dict[str, Found]:
    """Every metric's mean over the items that have it."""
    out = {}
    for metric in METRICS:
        mean = mean_of([i.found[metric.name] for i in items if metric.name in i.found])
        if mean is not None:
            out[metric.name] = mean
    return out


def item_record(found: ItemFound, pair: Pair) -> dict[str, Any]:
    """One item as plain values."""
    item, ours, humans = found.item, pair.ours, pair.humans
    off = float(bias(found.ours, found.humans, found.values))
    low, high = interval(off, bias(found.ours_again, found.humans_again, found.values))
    return {
        "item": item.key, "human item": item.index.parts if item.index else item.human or item.key, "title": item.title,
        "options": list(item.options), "labels": list(item.labels), "ordered": item.ordered, "options inferred": item.inferred,
        "ours": {"n": ours.n(item.key), "effective n": ours.effective(item.key), "shares": found.ours.tolist(), **_spans(found.ours_again), **ours.left[item.key].record()},
        "humans": {
            "n": humans.n(item.key), "effective n": humans.effective(item.key), "shares": found.humans.tolist(),
            **_spans(found.humans_again), **humans.left[item.key].record(),
        },
        "bias": {"value": off, "low": low, "high": high, "unit": "scale points, ours minus humans"} if item.ordered else None,
        "metrics": {name: f.record() for name, f in found.found.items()},
    }  # fmt: skip


def _spans(again: Floats) -> dict[str, list[float]]:
    """Percentile intervals of shares, by option: what another sample of as many people might have shown."""
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    return {"shares low": low.tolist(), "shares high": high.tolist()}
