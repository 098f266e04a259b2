"""The published protocol, so that published figures can be computed again: what it did, not what it should have done.

As in the code beside arXiv 2511.07338: the draws of a person are averaged, so that answers are no longer options; samples
are unweighted; row k of ours is paired with row k of the humans, so that of the humans only as many rows count as there are
of ours, and a row where either is missing is dropped; off-scale answers stay in; the "JS divergence" is the distance over 19
bins. One published arm was compared with all humans instead: ``human_rows`` says which. What the paper lacks is added:
floor and ceiling under the same protocol.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.distances import score
from deeppersona.evaluation.survey.items import BLANK, Item, number_of
from deeppersona.evaluation.survey.metrics import PAPER
from deeppersona.evaluation.survey.reading import Answers
from deeppersona.evaluation.survey.side import rows_of
from deeppersona.runtime.seed import Dice, Floats

_SIMULATED = 200
ALL = 0


def raw_values(raw: Answers, item: Item, *, human: bool) -> tuple[Floats, int, dict[str, int]]:
    """A person's mean answer (people,), nan where missing; the most draws a person has; off-scale answers kept, counted."""
    off: dict[str, int] = {}
    rows = rows_of(raw, item, human)
    if rows is None:
        raise UsageError(f"{raw.file} has no item {item.name(human)}")
    codes, at, times = np.unique(rows.code, return_inverse=True, return_counts=True)
    number = np.full(len(codes), np.nan)
    for k, code in enumerate(codes.tolist()):
        x = number_of(item.recode.get(code, code) if human else code)
        gone = x is None or code in item.missing or code.casefold() in BLANK or x < 0 <= item.options[0]
        if not gone and x is not None:
            number[k] = x
            off |= {code: int(times[k])} if x not in item.options else {}
    values, person = number[at.ravel()], rows.person
    known = ~np.isnan(values)
    draws = np.bincount(person[known], minlength=len(raw.ids))
    sums = np.bincount(person[known], values[known], len(raw.ids))
    return np.divide(sums, draws, out=np.full(len(draws), np.nan), where=draws > 0), int(draws.max(initial=0)), off


def rows_compared(ours: Floats, humans: Floats, human_rows: int | None) -> tuple[Floats, Floats]:
    """The values that are set side by side: paired by row (None), or ours beside the first ``human_rows`` (0 for all)."""
    if human_rows is None:
        n = min(len(ours), len(humans))
        both = ~(np.isnan(ours[:n]) | np.isnan(humans[:n]))
        return ours[:n][both], humans[:n][both]
    humans = humans[:human_rows] if human_rows != ALL else humans
    return ours[~np.isnan(ours)], humans[~np.isnan(humans)]


def paper_record(raw: tuple[Answers, Answers], item: Item, human_rows: int | None, seed: str) -> dict[str, Any] | None:
    """One item under the published protocol; None where no rows are left."""
    (mine, draws, off), (theirs, _, off_humans) = (raw_values(r, item, human=bool(k)) for k, r in enumerate(raw))
    a, b = rows_compared(mine, theirs, human_rows)
    pool = theirs[~np.isnan(theirs)]
    if not len(a) or not len(b):
        return None
    like, other, chance = _simulated(pool, np.array(item.options), len(a), len(b), draws, seed)
    metrics = {}
    for name, (_, of) in PAPER.items():
        floor, ceiling = (
            float(np.mean([of(x, y) for x, y in zip(some, other, strict=True)])) for some in (like, chance)
        )
        value = of(a, b)
        metrics[name] = {"value": value, "floor": floor, "ceiling": ceiling, "score": score(value, floor, ceiling)}
    return {
        "item": item.key, "title": item.title, "options": list(item.options), "metrics": metrics, "draws averaged": draws,
        "ours": {"n": len(a), "mean": float(a.mean()), "off scale, kept": off},
        "humans": {"n": len(b), "of": len(pool), "mean": float(b.mean()), "off scale, kept": off_humans},
    }  # fmt: skip


def _simulated(pool: Floats, options: Floats, n: int, m: int, draws: int, seed: str) -> tuple[Floats, Floats, Floats]:
    """Human samples of our size and of theirs, and means of ``draws`` uniform answers, each (times, size)."""
    dice = {
        k: Dice(f"{seed}/paper", np.arange(_SIMULATED * size))
        for k, size in (("like", n), ("other", m), ("chance", n * max(draws, 1)))
    }
    like = pool[dice["like"].below("like", len(pool))].reshape(_SIMULATED, n)
    other = pool[dice["other"].below("other", len(pool))].reshape(_SIMULATED, m)
    chance = options[dice["chance"].below("chance", len(options))].reshape(_SIMULATED, n, max(draws, 1)).mean(axis=2)
    return like, other, chance
