"""What is known when a window is predicted: the windows before it, of everybody, and the item prior learnt from them.

Windows are handed over one round at a time, after everybody has answered them: what has not been handed over cannot be read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deeppersona.refinement.behaviour import Event, Scale, Window
from deeppersona.refinement.preference import counted
from deeppersona.runtime.seed import Floats, Ints

_FORGET = 0.8  # of an answer's weight in a person's spread, a window on
_ITEM, _FEATURE = 6.0, 40.0  # ridge of an item's and of a feature's effect, in answers over _INFORMATION
_INFORMATION = 0.3
_SWEEPS = 8
_AT_ONCE = 3.0  # features of an item move together, so that each takes a smaller step
TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)  # how far the prior may be believed; which of them, is learnt
_FIRST_TRUST = 2  # place in TRUST before anything was predicted


class Prior:
    """What people make of items: shifts in logits by item and by feature, ``trust`` of which is believed."""

    def __init__(
        self, items: dict[str, float], features: dict[str, float], trust: float, options: dict[str, float] | None = None
    ) -> None:
        self.items, self.features, self.trust = items, features, trust
        self.options = options or {}
        self._known: dict[str, float] = {}

    def shift(self, event: Event) -> float:
        """How far an item moves anybody's answer, in logits: its own effect and those of its features."""
        known = self._known.get(event.item)
        if known is None:
            of = self.features
            known = self.items.get(event.item, 0.0) + sum(of.get(f, 0.0) for f in event.features)
            self._known[event.item] = known = known * self.trust
        return known

    def drawn(self, option: str) -> float:
        """How far an option draws anybody: the log of its share of the times it was offered, against an even choice."""
        return self.options.get(option, 0.0)


class Past:
    """Everybody's windows so far. ``spread`` is how all answers fall on the scale, shape (levels,), summing to 1."""

    def __init__(self, scale: Scale, people: int, use_items: bool = True) -> None:
        self.scale, self.use_items = scale, use_items
        self.windows: list[list[Window]] = [[] for _ in range(people)]
        self._spread = np.zeros(len(scale.levels))
        self._own = np.zeros((people, len(scale.levels)))
        self._places: dict[str, int] = {}
        self._feature_places: dict[str, int] = {}
        self._of_item: list[list[int]] = []
        self._seen: list[tuple[Ints, Ints, Ints]] = []  # rounds of (person, item, level)
        self._offered: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._misses = np.zeros(len(TRUST))
        self._latest: Prior | None = None

    @property
    def rounds(self) -> int:
        """How many windows have been handed over."""
        return len(self._seen)

    @property
    def spread(self) -> list[float]:
        """How all answers so far fall on the scale, one share a level; even before there are any."""
        return [float(x) for x in (self._spread + 1.0) / (self._spread + 1.0).sum()]

    def take(self, windows: Sequence[Window]) -> None:
        """Take in one window a person (in the order of people; empty where somebody has none), answered by all."""
        if self._places and self.use_items:
            self._judge(windows, self.prior())
        rows: list[tuple[int, int, int]] = []
        self._own *= _FORGET
        for person, window in enumerate(windows):
            self.windows[person].append(window)
            own = np.array(counted(window, self.scale))
            self._own[person] += own
            self._spread += own
            for e in window:
                if e.kind == "choice":
                    self._offered.update(e.options)
                    self._taken[str(e.value)] += 1
                elif isinstance(e.value, (int, float)):
                    rows.append((person, self._place(e), self.scale.code(float(e.value))))
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        self._seen.append((table[:, 0], table[:, 1], table[:, 2]))
        self._latest = None

    def _place(self, event: Event) -> int:
        place = self._places.get(event.item)
        if place is None:
            place = self._places[event.item] = len(self._places)
            known = self._feature_places
            self._of_item.append([known.setdefault(f, len(known)) for f in event.features])
        return place

    def prior(self) -> Prior:
        """What people make of items, learnt from the windows handed over so far."""
        if self._latest is None:
            options = {o: math.log((self._taken[o] + 1.0) / (n + 2.0) * 2.0) for o, n in self._offered.items()}
            items, features = self._effects() if self.use_items and self._places else ({}, {})
            trust = TRUST[int(self._misses.argmin())] if self._misses.any() else TRUST[_FIRST_TRUST]
            self._latest = Prior(items, features, trust, options if self.use_items else {})
        return self._latest

    def _odds(self) -> Floats:
        """Logits of each person's shares of answers at or below each level, shape (people, levels - 1)."""
        p = self._own + 2.0 * np.array(self.spread)
        below = (p.cumsum(axis=1) / p.sum(axis=1, keepdims=True))[:, :-1].clip(1e-3, 1.0 - 1e-3)
        return np.asarray(np.log(below / (1.0 - below)))

    def _effects(self) -> tuple[dict[str, float], dict[str, float]]:
        """Effects of items and features, by turns one Newton step of each: proportional odds, ridge towards none."""
        person, item, level = (np.concatenate([seen[k] for seen in self._seen]) for k in range(3))
        odds = np.pad(self._odds()[person], ((0, 0), (1, 1)), constant_values=(-np.inf, np.inf))
        low, high = (np.take_along_axis(odds, level[:, None] + k, axis=1)[:, 0] for k in (0, 1))
        width = max((len(of) for of in self._of_item), default=0)
        features = len(self._feature_places)
        of = np.full((len(self._of_item), max(width, 1)), features)
        for k, places in enumerate(self._of_item):
            of[k, : len(places)] = places
        each = of[item]
        n_item = np.bincount(item, minlength=len(of))
        n_feature = np.bincount(each.ravel(), minlength=features + 1)
        by_item, by_feature = np.zeros(len(of)), np.zeros(features + 1)
        for _ in range(_SWEEPS // 2):
            score = _score(low, high, by_item[item] + by_feature[each].sum(axis=1))
            pull = np.bincount(each.ravel(), np.repeat(score, each.shape[1]), features + 1) - _FEATURE * by_feature
            by_feature += pull / (n_feature * _INFORMATION * _AT_ONCE + _FEATURE)
            by_feature[features] = 0.0
            score = _score(low, high, by_item[item] + by_feature[each].sum(axis=1))
            by_item += (np.bincount(item, score, len(of)) - _ITEM * by_item) / (n_item * _INFORMATION + _ITEM)
        items = {name: float(by_item[k]) for name, k in self._places.items()}
        return items, {name: float(by_feature[k]) for name, k in self._feature_places.items()}

    def _judge(self, windows: Sequence[Window], prior: Prior) -> None:
        """How wrong each degree of trust in the prior would have been, before the new windows are taken in."""
        odds, levels = self._odds(), np.array(self.scale.levels)
        whole = Prior(prior.items, prior.features, 1.0)
        people, shifts, told = [], [], []
        for person, window in enumerate(windows):
            for e in window:
                if isinstance(e.value, (int, float)):
                    people.append(person)
                    shifts.append(whole.shift(e))
                    told.append(float(e.value))
        own, shift, value = odds[people], np.array(shifts), np.array(told)
        for k, trust in enumerate(TRUST):
            self._misses[k] += (
                np.abs(levels[(own < trust * shift[:, None]).sum(axis=1)] - value).sum() if len(value) else 0.0
            )


def _score(low: Floats, high: Floats, shift: NDArray[np.float64]) -> Floats:
    """P(at most y) + P(below y) - 1 after shifts: above 0 where the answer was higher than foretold."""
    return np.asarray(1.0 / (1.0 + np.exp(shift - low)) + 1.0 / (1.0 + np.exp(shift - high)) - 1.0)
