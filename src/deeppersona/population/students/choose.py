"""Choices by the thousand: one table search for static shares, weights times leanings for the rest.

P(option) is proportional to weight x exp(0.4 x sum of (lean x position)) over the options that exist in the grade and fit the
pupil, the same rule the taxonomy of adults uses (``docs/methods/leanings.md``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.population.students.schema import GRADES, NONE, Fit, Option, Topic
from deeppersona.runtime.seed import Dice, Floats, Ints, label_keys

Columns = dict[str, NDArray[Any]]
LEAN = 0.4
_MOST_LEAN = 4.0  # a pupil far out on several positions leans no further than this


class Rows:
    """Many discrete distributions of different lengths in one sorted array: one binary search draws for everybody.

    Row r holds its running shares plus r, so that ``searchsorted(r + u)`` finds the choice in row r.
    """

    def __init__(self, rows: Sequence[Floats]) -> None:
        """``rows`` are weights, each of shape (options,), none all zero."""
        parts, starts, at = [], [], 0
        for r, weight in enumerate(rows):
            running = np.cumsum(weight)
            share = running / running[-1]
            share[int(np.flatnonzero(weight)[-1]) :] = 1.0
            parts.append(r + share)
            starts.append(at)
            at += len(weight)
        self._flat = np.concatenate(parts)
        self._start = np.array(starts, dtype=np.int64)

    def draw(self, row: Ints, u: Floats) -> Ints:
        """The choice of each pupil: ``row`` (n,) which distribution, ``u`` (n,) uniform. Options of weight 0 never."""
        # Strictly above the target, so that a weightless option (a step of height 0) is passed over.
        target = np.minimum(row + u, np.nextafter(row + 1.0, 0.0))
        return np.asarray(np.searchsorted(self._flat, target, side="right") - self._start[row])


def holds(fits: Sequence[Fit], columns: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.bool_]:
    """Which of n pupils fit, shape (n,)."""
    good = np.ones(n, dtype=bool)
    for fit in fits:
        column = columns[fit.key]
        if np.isfinite(fit.low):
            good &= column >= fit.low
        if np.isfinite(fit.high):
            good &= column <= fit.high
    return good


class Lot:
    """The options of one part of a topic."""

    def __init__(self, options: Sequence[Option]) -> None:
        self.options = tuple(options)
        grade = np.arange(GRADES + 1)[:, None]
        span = np.array([(o.first, o.last) for o in options])
        weight = np.array([o.weight for o in options])
        self.by_grade: Floats = np.where((span[:, 0] <= grade) & (grade <= span[:, 1]), weight, 0.0)
        self.static = not any(o.fits or o.leans for o in options)
        if self.static:  # a grade with no option at all is never asked for: any row will do
            self._rows = Rows([row if row.sum() else weight for row in self.by_grade])
        conditions = dict.fromkeys(o.fits for o in options if o.fits)
        self._conditions = [(fits, [k for k, o in enumerate(options) if o.fits == fits]) for fits in conditions]
        self._leaning = [(k, o.leans) for k, o in enumerate(options) if o.leans]
        self._any_by_grade = self.by_grade.sum(axis=1) > 0

    def weights(self, columns: Columns) -> Floats:
        """Weights of the options, shape (options, n): one row an option, so that each is worked on in one stretch."""
        grade = columns["grade"]
        out = np.ascontiguousarray(self.by_grade.T)[:, grade]
        for fits, members in self._conditions:
            bad = ~holds(fits, columns, len(grade))
            for k in members:
                out[k, bad] = 0.0
        for k, leans in self._leaning:
            score = leans[0][1] * columns[f"z:{leans[0][0]}"]
            for key, strength in leans[1:]:
                score = score + strength * columns[f"z:{key}"]
            out[k] *= np.exp(LEAN * np.clip(score, -_MOST_LEAN, _MOST_LEAN))
        return out

    def draw(self, columns: Columns, u: Floats) -> tuple[Ints, Floats]:
        """(codes, chances), each of shape (n,); the code is NONE where no option exists for a pupil."""
        grade = columns["grade"]
        if self.static:
            code = self._rows.draw(grade, u)
            share = self.by_grade / np.maximum(self.by_grade.sum(axis=1, keepdims=True), 1e-12)
            return np.where(self._any_by_grade[grade], code, NONE), share[grade, code]
        weight = self.weights(columns)
        running = np.cumsum(weight, axis=0)
        total = running[-1]
        code = np.minimum((running <= u * total).sum(axis=0), len(weight) - 1)
        chance = weight[code, np.arange(len(grade))] / np.maximum(total, 1e-12)
        return np.where(total > 0, code, NONE), chance

    def draw_many(self, columns: Columns, dice: Dice, label: str, count: Ints, most: int) -> tuple[list[Ints], Floats]:
        """Several different options a pupil, by exponential keys (Efraimidis and Spirakis 2006).

        Returns ``most`` columns of codes (NONE beyond ``count``) and the chance of the first by its weight.
        """
        weight = self.weights(columns)
        u = dice.uniforms(label_keys([f"{label}/{k}" for k in range(len(weight))])).T
        with np.errstate(divide="ignore"):
            key = np.where(weight > 0, -np.log(u) / weight, np.inf)
        at = np.arange(weight.shape[1])
        chosen: list[Ints] = []
        for k in range(most):
            best = key.argmin(axis=0)
            fine = np.isfinite(key[best, at]) & (k < count)
            chosen.append(np.where(fine, best, NONE))
            key[best, at] = np.inf
        chance = weight[np.maximum(chosen[0], 0), at] / np.maximum(weight.sum(axis=0), 1e-12)
        return chosen, chance


class Draw:
    """One topic with its lots: fills the topic's columns."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.lots = {name: Lot(options) for name, options in topic.parts.items()}

    def __call__(self, dice: Dice, columns: Columns) -> Columns:
        """Columns of codes by part, and ``chance:PATH`` in percent of the least likely part."""
        topic, n = self.topic, len(dice)
        out: Columns = {}
        asked = holds(topic.fits, columns, n)
        if topic.chance < 1.0:
            asked &= dice.uniform(f"{topic.path}?") < topic.chance
        if topic.kind == "described":
            asked &= columns[f"told:{topic.of}"] > 0
        if topic.kind == "many":
            lot = next(iter(self.lots.values()))
            count = np.where(asked, 1 + dice.below(f"{topic.path}#", topic.most), 0)
            codes, chance = lot.draw_many(columns, dice, topic.path, count, topic.most)
            out = {f"{topic.path}/{k}": code.astype(np.int16) for k, code in enumerate(codes)}
        else:
            drawn = [lot.draw(columns, dice.uniform(f"{topic.path}/{name}")) for name, lot in self.lots.items()]
            whole = asked & np.logical_and.reduce([code >= 0 for code, _ in drawn])
            for name, (code, _) in zip(self.lots, drawn, strict=True):
                out[f"{topic.path}/{name}"] = np.where(whole, code, NONE).astype(np.int16)
            chance = np.minimum.reduce([c for _, c in drawn])
        out[f"chance:{topic.path}"] = np.clip(np.rint(chance * 100), 1, 100).astype(np.int16)
        return out
