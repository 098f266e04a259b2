"""Behaviour made for the tests: people with a style, tastes and drift of their own, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from deeppersona.refinement.behaviour import Behaviour, Event, Stream, Window
from deeppersona.refinement.features import of_item

NOUNS = ("dragon", "garden", "railway", "island", "winter", "captain", "kitchen", "mountain")


def made(people: int = 30, windows: int = 6, seed: int = 1, taste: float = 1.2) -> Behaviour:
    rng = np.random.default_rng(seed)
    streams = []
    for p in range(people):
        centre, liked = rng.normal(3.6, 0.8), rng.permutation(len(NOUNS))
        rows = []
        for t in range(windows):
            row = []
            for k in range(10):
                a, b = rng.choice(len(NOUNS), 2, replace=False)
                item = f"The {NOUNS[a]} and the {NOUNS[b]} ({1950 + 10 * int(rng.integers(6)) + k % 3})"
                lean = taste * (float(a in liked[:2]) - float(b in liked[-2:]))
                value = float(np.clip(np.rint(centre + lean + rng.normal(0, 0.7)), 1, 5))
                row.append(Event(item, value, "rating", (), t * 10 + k, of_item(item)))
            rows.append(tuple(row))
        streams.append(Stream(f"u{p}", tuple(rows)))
    return Behaviour(tuple(streams), "films")


def poisoned(behaviour: Behaviour, first: int) -> Behaviour:
    """The same with all answers of window ``first`` and later turned round, and later items renamed."""

    def turned(window: Window, later: bool) -> Window:
        name: Callable[[str], str] = (lambda item: f"poison {item}") if later else (lambda item: item)
        return tuple(
            replace(e, value=6.0 - float(e.value), item=name(e.item), features=of_item(name(e.item))) for e in window
        )

    streams = []
    for s in behaviour.streams:
        windows = [w if t < first else turned(w, t > first) for t, w in enumerate(s.windows)]
        streams.append(replace(s, windows=tuple(windows)))
    return replace(behaviour, streams=tuple(streams))
