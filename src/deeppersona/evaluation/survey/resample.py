"""Resamples: the bootstrap of people, two samples of humans (the floor), uniform answers (the ceiling).

People are drawn, not answers: those who answered several items, or one item several times, come with all their answers, so
that an interval of a mean over items allows for their correlation (Efron and Tibshirani 1993, on clusters).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.evaluation.survey.side import Side
from deeppersona.runtime.seed import Dice, Floats, Ints

_AT_ONCE = 4_000_000  # random numbers held at a time
LEVEL = 0.95


def _numbers(seed: str, times: int, size: int, most: int) -> Iterator[tuple[slice, Ints]]:
    """Whole numbers below ``most``, (some of the times, size), chunk by chunk."""
    step = max(1, _AT_ONCE // max(size, 1))
    for begin in range(0, times, step):
        some = slice(begin, min(begin + step, times))
        slots = np.arange(begin * size, some.stop * size)
        yield some, Dice(seed, slots).below("resample", most).reshape(-1, size)


class Resamples:
    """Bootstrap resamples of one side's people, the same ones for every item where people answered several."""

    def __init__(self, side: Side, times: int, seed: str) -> None:
        self.side, self.times, self.seed = side, times, f"{seed}/{side.name}"

    @cached_property
    def _counts(self) -> NDArray[np.uint8]:
        """How often each person is drawn, (times, people)."""
        people = len(self.side)
        out = np.empty((self.times, people), dtype=np.uint8)
        for some, drawn in _numbers(self.seed, self.times, people, people):
            for k, row in zip(range(some.start, some.stop), drawn, strict=True):
                out[k] = np.minimum(np.bincount(row, minlength=people), 255)
        return out

    def _of_item(self, key: str, person: Ints) -> Any:
        """How often each answer's person is drawn, (times, answers)."""
        if self.side.joint:
            return self._counts[:, person]
        out = np.empty((self.times, len(person)), dtype=np.uint8)
        for some, drawn in _numbers(f"{self.seed}/{key}", self.times, len(person), len(person)):
            for k, row in zip(range(some.start, some.stop), drawn, strict=True):
                out[k] = np.minimum(np.bincount(row, minlength=len(person)), 255)
        return out

    def sums(self, key: str, table: Floats, keep: NDArray[np.bool_] | None = None) -> Floats:
        """Sums over drawn answers of the rows of ``table`` (answers, columns) times their weight, (times, columns)."""
        person = self.side.answers[key].person
        rows = np.flatnonzero(keep[person]) if keep is not None else np.arange(len(person))
        counts = self._of_item(key, person)
        weighted = table[rows] * self.side.weights(key)[rows, None]
        out = np.empty((self.times, table.shape[1]))
        step = max(1, _AT_ONCE // max(len(rows), 1))
        for begin in range(0, self.times, step):
            out[begin : begin + step] = counts[begin : begin + step][:, rows].astype(np.float64) @ weighted
        return out

    def shares(self, key: str, options: int, keep: NDArray[np.bool_] | None = None) -> Floats:
        """Shares of the options in every resample, (times, options); ``keep`` (people,) for a subgroup."""
        chosen = np.eye(options)[self.side.answers[key].option]
        sums = self.sums(key, chosen, keep)
        return np.asarray(sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-300))


def sampled(shares: Floats, size: int, times: int, seed: str) -> Floats:
    """Shares of the options in samples of ``size`` people who answer by ``shares`` (options,): (times, options)."""
    running = np.cumsum(shares)
    out = np.empty((times, len(shares)))
    step = max(1, _AT_ONCE // max(size, 1))
    for begin in range(0, times, step):
        stop = min(begin + step, times)
        u = Dice(seed, np.arange(begin * size, stop * size)).uniform("sample") * running[-1]
        option = np.searchsorted(running, u, "right").clip(max=len(shares) - 1).reshape(-1, size)
        flat = option + np.arange(stop - begin)[:, None] * len(shares)
        out[begin:stop] = (
            np.bincount(flat.ravel(), minlength=(stop - begin) * len(shares)).reshape(-1, len(shares)) / size
        )
    return out


def resampled(
    side: Side, key: str, options: int, times: int, seed: str, keep: NDArray[np.bool_] | None = None
) -> Floats:
    """Shares in samples of as many humans as answered an item, drawn from them with their weights: (times, options)."""
    coded, weight = side.answers[key], side.weights(key)
    rows = np.flatnonzero(keep[coded.person]) if keep is not None else np.arange(len(coded.person))
    option, weight, size = coded.option[rows], weight[rows], len(rows)
    if not side.weighted and side.joint:
        shares = np.bincount(option, minlength=options) / max(size, 1)
        return sampled(shares, size, times, seed)
    out = np.empty((times, options))
    for some, drawn in _numbers(seed, times, size, size):
        flat = option[drawn] + np.arange(len(drawn))[:, None] * options
        sums = np.bincount(flat.ravel(), weight[drawn].ravel(), len(drawn) * options).reshape(-1, options)
        out[some] = sums / sums.sum(axis=1, keepdims=True)
    return out


def interval(value: float, replicates: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The basic bootstrap interval of a signed figure: 2 x value - quantiles (Davison and Hinkley 1997, 5.2)."""
    upper, lower = np.quantile(replicates, [(1 + level) / 2, (1 - level) / 2])
    return float(2 * value - upper), float(2 * value - lower)


def distance_interval(
    value: float, replicates: Floats, null: Floats, level: float = LEVEL, top: float = 1.0
) -> tuple[float, float]:
    """The interval of a distance, which cannot be below 0 and whose resamples lie too high.

    From the least to the greatest bound of the percentile and the basic bootstrap; down to 0 where the distance is no greater
    than what resamples of two equal sides (``null``) reach. In simulations this covers in 93 to 100 of 100 cases at 95 %,
    near 0 and far from it, where the one alone falls to 0 and the other to 71 (docs/methods/comparison.md).
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    least, most = min(low, 2 * value - high), max(high, 2 * value - low)
    if value <= np.quantile(null, level):
        least = 0.0
    return float(np.clip(least, 0.0, top)), float(np.clip(most, 0.0, top))


def levelled(shares: Floats, again: Floats, middle: Floats) -> Floats:
    """Resamples (times, options) moved to scatter about ``middle`` (options,) as they do about ``shares``."""
    moved = np.maximum(again - shares + middle, 0.0)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))
