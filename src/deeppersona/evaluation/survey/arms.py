"""Several arms before the same humans: one table, over the items and countries that every arm answered.

The humans' resamples are the same ones for every arm (``Resamples`` is seeded by country and item), so that the humans' own
sampling error falls out of the difference of two arms; arms that asked the same people, in the same order, are paired by
person as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.distances import Found, ItemFound, mean_of, score
from deeppersona.evaluation.survey.groups import variance_ratio
from deeppersona.evaluation.survey.resample import interval

Cell = tuple[str, str]  # country, item


@dataclass(frozen=True, eq=False)
class Arm:
    """One set of answers: what is told of it, its part of the report, its distances by cell (none under the paper's protocol)."""

    name: str
    about: Mapping[str, Any]
    report: Mapping[str, Any]
    found: Mapping[Cell, ItemFound]

    @property
    def cells(self) -> dict[Cell, Mapping[str, Any]]:
        """The item records of the report, by cell."""
        return {(i["country"], i["item"]): i for i in self.report["items"]}


def arms_record(arms: Sequence[Arm]) -> dict[str, Any]:
    """All arms beside floor and ceiling: overall, what each is further off than the first, and item by item.

    Raises:
        UsageError: there is no item that all arms answered.

    """
    every = [arm.cells for arm in arms]
    common = [c for c in every[0] if all(c in cells for cells in every[1:])]
    if not common:
        raise UsageError(f"the arms have no item and country in common: {', '.join(a.name for a in arms)}")
    names = [m for m in arms[0].report["metrics"] if any(m in every[0][c]["metrics"] for c in common)]
    return {
        "cells": len(common), "of": len(set().union(*every)), "metrics": names, "rows": [_row(arm, arms[0], common, names) for arm in arms],
        "items": _items(arms, every, common),
    }  # fmt: skip


def _row(arm: Arm, first: Arm, common: Sequence[Cell], names: Sequence[str]) -> dict[str, Any]:
    cells = arm.cells
    overall: dict[str, Any] = {}
    less: dict[str, Any] = {}
    for name in names:
        mine = [cells[c]["metrics"][name] for c in common if name in cells[c]["metrics"]]
        told = {k: float(np.mean([m[k] for m in mine])) for k in ("value", "floor", "ceiling")}
        overall[name] = {**told, "score": score(**told)}
        mean, other = (_mean(a, common, name) for a in (arm, first))
        if mean is not None and other is not None:
            overall[name] |= {k: mean.record()[k] for k in ("low", "high")}
            off = mean.value - other.value
            low, high = interval(off, mean.replicates - other.replicates)
            less |= {name: {"value": off, "low": low, "high": high}} if arm is not first else {}
    return {
        "name": arm.name, **arm.about, "overall": overall, "further off than the first": less,
        "variance ratio": variance_ratio([arm.found[c] for c in common if c in arm.found]), "left out": _left_out(arm.report), **_structure(arm.report),
    }  # fmt: skip


def _left_out(report: Mapping[str, Any]) -> int:
    """Answers of the arm that are missing codes or off the scale."""
    kinds = ("missing", "off scale", "off scale, kept")
    return sum(n for i in report["items"] for kind in kinds for n in i["ours"].get(kind, {}).values())


def _mean(arm: Arm, common: Sequence[Cell], name: str) -> Found | None:
    return mean_of([arm.found[c].found[name] for c in common if c in arm.found and name in arm.found[c].found])


def _structure(report: Mapping[str, Any]) -> dict[str, Any]:
    """Differences between groups, correlations of items and steadiness of an arm, over its countries."""
    apart = [r["mean absolute difference"] for r in report.get("correlations", {}).values()]
    steady = [s["mean"] for s in report.get("steadiness", {}).values() if s["mean"] is not None]
    return {
        "slopes": report.get("slopes", {}),
        "correlations apart": {k: float(np.mean([d[k] for d in apart])) for k in ("value", "floor", "ceiling")} if apart else None,
        "ICC(1)": float(np.mean(steady)) if steady else None,
    }  # fmt: skip


def _items(
    arms: Sequence[Arm], every: Sequence[Mapping[Cell, Mapping[str, Any]]], common: Sequence[Cell]
) -> list[dict[str, Any]]:
    """Each item's distance in each arm, KS where the options have an order, else total variation; means over countries."""
    out = []
    for key in dict.fromkeys(item for _, item in common):
        mine = [c for c in common if c[1] == key]
        head = every[0][mine[0]]
        name = "ks" if "ks" in head["metrics"] else "total_variation"

        def of(
            cells: Mapping[Cell, Mapping[str, Any]], what: str, mine: Sequence[Cell] = mine, name: str = name
        ) -> float:
            return float(np.mean([cells[c]["metrics"][name][what] for c in mine]))

        values = {arm.name: of(cells, "value") for arm, cells in zip(arms, every, strict=True)}
        ceiling = of(every[0], "ceiling")
        out.append({
            "item": key, "title": head["title"], "metric": name, "floor": of(every[0], "floor"), "ceiling": ceiling,
            "arms": values, "most": max(ceiling, *values.values()),
        })  # fmt: skip
    return out
