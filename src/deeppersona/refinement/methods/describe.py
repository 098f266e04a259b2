"""A persona described from what somebody did, nothing having been predicted: what the rivals of DEEPER start from."""

from __future__ import annotations

from collections.abc import Sequence

from deeppersona.refinement.behaviour import Window
from deeppersona.refinement.preference import Preferences, counted, surprises, tastes_from
from deeppersona.refinement.step import Context

MOST = 150  # tastes a persona keeps


def described(windows: Sequence[Window], context: Context) -> Preferences:
    """The style and tastes that windows show, each answer counting the same.

    Tastes are read off how answers differ from the person's own others: a description knows of no prediction, and so of
    nothing that the item prior explains already.
    """
    counts = context.start()
    for window in windows:
        counts = [a + b for a, b in zip(counts, counted(window, context.scale), strict=True)]
    style = Preferences(tuple(counts))
    found = [s for window in windows for s in surprises(style, window, context.prior, context.scale, own=True)]
    return Preferences(style.counts, tastes_from(found, most=MOST)).rounded()
