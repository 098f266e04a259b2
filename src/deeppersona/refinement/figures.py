"""The figures of a run: error by method and window, with intervals, helped and hurt, future apart from current windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deeppersona.refinement.behaviour import Behaviour
from deeppersona.refinement.rounds import Rounds
from deeppersona.runtime.seed import Dice, Floats

REPEATS = 1000
_LEVEL = 0.95
STRUCTURED, ALL_KNOWN = "structured", "structured, everybody known"  # yardsticks of the written form
AGAINST = (STRUCTURED, ALL_KNOWN, "user-median", "population-median", "full-regeneration")


def interval(differences: Floats, seed: int, repeats: int = REPEATS) -> tuple[float, float, float] | None:
    """Mean and 95% percentile interval (Efron 1979) of paired differences, one a person, people drawn again.

    Those not a number are left out; None where fewer than two are left.
    """
    d = differences[np.isfinite(differences)]
    if len(d) < 2:
        return None
    rows = Dice(seed, np.arange(repeats)).uniforms(_labels(len(d)))
    means = d[(rows * len(d)).astype(np.int64)].mean(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(d.mean()), float(low), float(high)


def _labels(n: int) -> Any:
    return (np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)


def figures(rounds: Rounds[Any], behaviour: Behaviour, method: str, seed: int) -> dict[str, Any]:
    """The report's numbers. Errors are means over people of each person's mean absolute error in a window."""
    future = {name: _by_window(o.future) for name, o in rounds.all.items()}
    last = behaviour.rounds - 1
    return {
        "domain": behaviour.domain, "people": len(behaviour.streams), "windows": behaviour.rounds,
        "events": sum(len(w) for s in behaviour.streams for w in s.windows), "left out": dict(behaviour.left),
        "scale": list(rounds.scale.levels), "method": method, "trust in the item prior": rounds.trust,
        "future": future, "all windows": {name: _rounded_mean(errors) for name, errors in future.items()}, "current": {name: _by_window(o.current) for name, o in rounds.outcomes.items() if np.isfinite(o.current).any()},
        "against": _against(rounds, method, seed), "last window": last,
    }  # fmt: skip


def _by_window(errors: Floats) -> list[float | None]:
    return [round(float(np.nanmean(column)), 4) if np.isfinite(column).any() else None for column in errors.T]


def _rounded_mean(errors: list[float | None]) -> float | None:
    known = [e for e in errors if e is not None]
    return round(sum(known) / len(known), 4) if known else None


def _against(rounds: Rounds[Any], method: str, seed: int) -> dict[str, Any]:
    own, out = rounds.all[method].future, {}
    for name in AGAINST:
        if name not in rounds.all or name == method:
            continue
        gap = own - rounds.all[name].future
        windows = [interval(gap[:, t], seed) for t in range(gap.shape[1])]
        whole = _person_mean(gap)
        known = whole[np.isfinite(whole)]
        out[name] = {
            "by window": [None if w is None else [round(x, 4) for x in w] for w in windows],
            "all windows": _rounded(interval(whole, seed)),
            "helped": round(float((known < -1e-9).mean()), 4) if len(known) else None,
            "hurt": round(float((known > 1e-9).mean()), 4) if len(known) else None,
        }
    return out


def _person_mean(errors: Floats) -> Floats:
    n = np.isfinite(errors).sum(axis=1)
    return np.asarray(np.where(n > 0, np.nansum(errors, axis=1) / np.maximum(n, 1), np.nan))


def _rounded(found: tuple[float, float, float] | None) -> list[float] | None:
    return None if found is None else [round(x, 4) for x in found]


def order(future: Mapping[str, list[float | None]], window: int) -> list[tuple[str, float]]:
    """Methods and yardsticks by their error at a window, the least first."""
    known = [(name, errors[window]) for name, errors in future.items() if window < len(errors)]
    return sorted(((name, e) for name, e in known if e is not None), key=lambda pair: pair[1])
