"""Countries on the Inglehart-Welzel map: our people, the humans compared with, and the published place.

The projection (means, deviations and loadings of ten items) comes as a file, as Tao et al. (2024, PNAS Nexus) publish it:
z = (mean - center) / scale; s = z @ weights; x = rc1[0] s[se] + rc1[1]; y = rc2[0] s[sec] + rc2[1]. x runs from survival
to self-expression, y from traditional to secular. It is linear, so a country's place is that of its mean answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.distances import ItemFound
from deeppersona.runtime.seed import Floats

# The integrated survey's names of the ten items, and the seventh wave's.
WAVE_7 = {
    "a008": "Q46", "a165": "Q57", "e018": "Q45", "e025": "Q209", "f063": "Q164", "f118": "Q182", "f120": "Q184", "g006": "Q254",
    "y002": "Y002", "y003": "Y003",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Projection:
    """The linear map from ten mean answers to two coordinates: ``slope`` (items, 2), ``shift`` (2,)."""

    items: tuple[str, ...]
    slope: Floats
    shift: Floats

    def place(self, means: Floats) -> Floats:
        """Coordinates (..., 2) of mean answers (..., items)."""
        return np.asarray(means @ self.slope + self.shift)


def read_projection(path: Path) -> Projection:
    """Read a projection file. Raises UsageError where it is none."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        scale, center, weights = (np.array(raw[k], dtype=np.float64) for k in ("scale", "center", "weights"))
        axes = [(raw["rc1"], raw["se"] - 1), (raw["rc2"], raw["sec"] - 1)]
        slope = np.stack([a * weights[:, k] / scale for (a, _), k in axes], axis=1)
        shift = np.array([b for (_, b), _ in axes]) - center @ slope
        return Projection(tuple(str(i).lower() for i in raw["items"]), slope, shift)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(
            f"{path} is no projection (items, center, scale, weights, rc1, rc2, se, sec): {error!r}"
        ) from None


def place_of(projection: Projection, found: Mapping[str, ItemFound]) -> dict[str, Any] | None:
    """Where a country's ours and humans stand, and how far apart with an interval; None unless all ten items are there."""
    keys = [i if i in found else WAVE_7.get(i, i) for i in projection.items]
    if any(k not in found for k in keys):
        return None
    mine = [found[k] for k in keys]
    ours, humans = (np.array([getattr(f, side) @ f.values for f in mine]) for side in ("ours", "humans"))
    again = [np.stack([getattr(f, f"{side}_again") @ f.values for f in mine], axis=1) for side in ("ours", "humans")]
    a, b = projection.place(ours), projection.place(humans)
    a_again, b_again = (projection.place(x) for x in again)
    low, high = np.quantile(a_again, 0.025, axis=0), np.quantile(a_again, 0.975, axis=0)
    apart = np.linalg.norm(a - b)
    spread = np.quantile(np.linalg.norm((a_again - b_again) - (a - b), axis=1), 0.95)
    return {
        "ours": a.tolist(), "ours low": low.tolist(), "ours high": high.tolist(), "humans": b.tolist(),
        "apart": float(apart), "chance": float(spread),
    }  # fmt: skip


def published(country: str) -> list[float] | None:
    """The published coordinates of a country that the shipped figures hold (Tao et al. 2024, rounded), or None."""
    from deeppersona.facts.tables import shipped_facts

    known = shipped_facts().countries.get(country)
    x, y = (known.figures["iw_x"], known.figures["iw_y"]) if known else (None, None)
    return [x, y] if x is not None and y is not None else None


def backdrop() -> dict[str, list[float]]:
    """Every country's published coordinates."""
    from deeppersona.facts.tables import shipped_facts

    places = {code: published(code) for code in shipped_facts().countries}
    return {code: place for code, place in places.items() if place is not None}
