"""What any persona has to beat: predictions that need none, from the same windows before the one predicted.

``user-median`` is the person's own median answer (of two middle ones the mean), ``population-median`` everybody's, ``user-mean``
the person's mean, ``item-mean`` the item's, ``bias-model`` mean + person + item (Koren, Bell and Volinsky 2009), held towards 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from deeppersona.refinement.behaviour import Event, Window

YARDSTICKS = ("user-median", "population-median", "user-mean", "item-mean", "bias-model")
Key = TypeVar("Key", bound=Hashable)
_PERSON, _ITEM = 5.0, 10.0  # answers for which an effect of 0 counts


class Yardsticks:
    """Fed with windows as they are answered; asked before."""

    def __init__(self, people: int) -> None:
        self._own: list[list[float]] = [[] for _ in range(people)]
        self._items: dict[str, tuple[float, int]] = {}
        self._told: list[tuple[int, str, float]] = []
        self._population = 0.0
        self._mean = 0.0
        self._bias: tuple[dict[int, float], dict[str, float]] = ({}, {})

    def take(self, windows: Sequence[Window]) -> None:
        """Take in one window a person, in the order of people."""
        for person, window in enumerate(windows):
            for e in window:
                if isinstance(e.value, (int, float)):
                    value = float(e.value)
                    self._own[person].append(value)
                    total, n = self._items.get(e.item, (0.0, 0))
                    self._items[e.item] = (total + value, n + 1)
                    self._told.append((person, e.item, value))
        if self._told:
            values = np.array([value for _, _, value in self._told])
            self._population, self._mean = float(np.median(values)), float(values.mean())
            self._bias = self._effects()

    def _effects(self) -> tuple[dict[int, float], dict[str, float]]:
        items: dict[str, float] = {}
        people: dict[int, float] = {}
        for _ in range(3):
            people = _held(((p, v - self._mean - items.get(i, 0.0)) for p, i, v in self._told), _PERSON)
            items = _held(((i, v - self._mean - people[p]) for p, i, v in self._told), _ITEM)
        return people, items

    def answers(self, person: int, asked: Sequence[Event]) -> dict[str, list[float]]:
        """The answer of each yardstick to each event; a person or item never met gets everybody's."""
        own, people, items = self._own[person], *self._bias
        median = float(np.median(own)) if own else self._population
        mean = sum(own) / len(own) if own else self._mean
        return {
            "user-median": [median] * len(asked),
            "population-median": [self._population] * len(asked),
            "user-mean": [mean] * len(asked),
            "item-mean": [
                total / n if n else self._mean for total, n in (self._items.get(e.item, (0.0, 0)) for e in asked)
            ],
            "bias-model": [self._mean + people.get(person, 0.0) + items.get(e.item, 0.0) for e in asked],
        }


def _held(found: Iterable[tuple[Key, float]], towards: float) -> dict[Key, float]:
    """Sums by key over their number and ``towards``: means held towards 0."""
    sums: dict[Key, list[float]] = {}
    for key, value in found:
        kept = sums.setdefault(key, [0.0, 0.0])
        kept[0] += value
        kept[1] += 1.0
    return {key: total / (n + towards) for key, (total, n) in sums.items()}
