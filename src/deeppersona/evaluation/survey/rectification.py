"""Estimates from synthetic answers and a small human sample, item by item: means, shares, group differences.

The humans must be a probability sample (or be weighted to one) of those the synthetic people stand for; what the intervals
do not ask is that the synthetic people answer rightly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeppersona.errors import UsageError, unknown
from deeppersona.evaluation.survey.comparison import Matched, coding_of, matched
from deeppersona.evaluation.survey.groups import SUBGROUPS
from deeppersona.evaluation.survey.inference import Material, Rectified, difference, rectified_mean
from deeppersona.evaluation.survey.items import Item
from deeppersona.evaluation.survey.predict import Answered, answered, by_groups, doubles, shared_groups
from deeppersona.evaluation.survey.side import UNKNOWN, Side, people_by
from deeppersona.runtime.seed import Dice, Floats
from deeppersona.version import __version__

FEWEST = 20  # humans below whom no interval is given
_OFF = 0.05  # total variation between the sides' groups from which it is warned of


@dataclass(frozen=True)
class Wanted:
    """What to rectify: the files, the map, the groups to contrast, the level, and how many repeats to show coverage by.

    ``doubles`` says that ids are of the same people on both sides: a synthetic double was made of every human.
    """

    synthetic: Path
    humans: Path
    items: str | None = None
    inventory: str | None = None
    only: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    level: float = 0.95
    repeats: int = 200
    seed: int = 0
    doubles: bool = False


@dataclass(frozen=True, eq=False)
class Prepared:
    """An item ready for inference: both sides' answers in columns (the number, then one a option), predictions, weights of the many."""

    item: Item
    ours: Answered
    humans: Answered
    predicted: Floats
    many: Floats
    many_weight: Floats
    link: str

    def material(self, column: int, group: tuple[str, str] | None = None) -> Material:
        """One figure's material: a column, of all people or of a group's."""
        mine, theirs = (
            np.ones(len(a.weight), dtype=bool) if group is None else a.groups[group[0]] == group[1]
            for a in (self.ours, self.humans)
        )
        return Material(
            self.humans.values[theirs, column], self.predicted[theirs, column], self.humans.weight[theirs],
            self.many[mine, column], self.many_weight[mine], self.ours.values[mine, column],
        )  # fmt: skip


def prepared(item: Item, ours: Side, humans: Side, *, paired: bool = False) -> Prepared:
    """Predict every human's answer to an item, as a number and as shares of the options; ``paired`` by their doubles.

    Raises:
        UsageError: too few humans answered, or a human has no double.

    """
    humans = humans.where(humans.weight > 0)
    table = np.concatenate([np.array(item.options)[:, None], np.eye(len(item.options))], axis=1)
    mine, theirs = answered(ours, item.key, table), answered(humans, item.key, table)
    if len(theirs.weight) < FEWEST:
        raise UsageError(f"only {len(theirs.weight)} humans answered {item.key}; intervals need {FEWEST}")
    if paired:
        predicted, free = doubles(mine, theirs)
        if free.sum() < FEWEST:
            raise UsageError(
                f"only {free.sum():.0f} synthetic people are nobody's double; rectification needs {FEWEST}, better thousands"
            )
        return Prepared(item, mine, theirs, predicted, mine.values, mine.weight * free, "the human's own double")
    groups = shared_groups(ours, humans)
    predicted, many = by_groups(mine, theirs, groups)
    return Prepared(
        item,
        mine,
        theirs,
        predicted,
        many,
        mine.weight,
        f"people alike in {', '.join(groups)}" if groups else "the mean of all",
    )


def item_estimates(p: Prepared, by: Sequence[str], level: float) -> dict[str, Any]:
    """All figures of one item as plain values: mean, shares of options, differences between groups."""
    item, out = p.item, dict[str, Any]()
    if item.ordered:
        out["mean"] = rectified_mean(p.material(0), level=level).record()
    out["shares"] = [
        {
            "option": option,
            "label": item.labels[k] if item.labels else "",
            **rectified_mean(p.material(k + 1), share=True, level=level).record(),
        }
        for k, option in enumerate(item.options)
    ]
    out["groups"] = [row for group in by for row in _contrasts(p, group, level)] if item.ordered else []
    return {"item": item.key, "title": item.title, "options": list(item.options), "predicted by": p.link, **out}


def _contrasts(p: Prepared, group: str, level: float) -> list[dict[str, Any]]:
    """Each value's mean minus that of the value with most humans; values with too few on either side are left out."""
    sizes = {}
    for value in np.unique(p.humans.groups[group]).tolist():
        n = [int((a.groups[group] == value).sum()) for a in (p.humans, p.ours)]
        if value != UNKNOWN and min(n) >= FEWEST and p.many_weight[p.ours.groups[group] == value].any():
            sizes[value] = n[0]
    if len(sizes) < 2:
        return []
    base = max(sizes, key=lambda v: (sizes[v], v))
    of: dict[str, Rectified] = {v: rectified_mean(p.material(0, (group, v)), level=level) for v in sizes}
    return [
        {"group": group, "value": v, "minus": base, **difference(of[v], of[base]).record()} for v in sizes if v != base
    ]


def coverage(p: Prepared, repeats: int, level: float, seed: str) -> dict[str, float]:
    """How often intervals of the mean hold the truth, were the human sample the whole population: shares of the repeats.

    Each repeat draws as many humans anew, and as many predictions as there are synthetic people, from the sample; its own
    weighted mean is the truth.
    """
    m = p.material(0)
    w = m.weight / m.weight.sum()
    truth, n, many = float(w @ m.y), len(m.y), int((m.many_weight > 0).sum())
    running = np.cumsum(w)
    hits = dict.fromkeys(("synthetic", "humans", "rectified"), 0)
    for k in range(repeats):
        dice = Dice(f"{seed}/{k}", np.arange(max(n, many)))
        again = dice.below("humans", n)[:n]
        drawn = np.searchsorted(running, dice.uniform("many")[:many] * running[-1], "right").clip(max=n - 1)
        found = rectified_mean(
            Material(m.y[again], m.predicted[again], m.weight[again], m.predicted[drawn], np.ones(many), m.own[:many]),
            level=level,
        )
        for name in ("humans", "rectified"):
            estimate = getattr(found, name)
            hits[name] += estimate.low <= truth <= estimate.high
    alone = rectified_mean(m, level=level).synthetic
    hits["synthetic"] = repeats * int(alone.low <= truth <= alone.high)
    return {name: n / repeats for name, n in hits.items()}


def rectify(wanted: Wanted) -> dict[str, Any]:
    """The rectified estimates of every item as plain values: see ``docs/methods/comparison.md``.

    Raises:
        UsageError: files or map cannot be read, humans answered one item each (counts, shares), too few humans, no such group.

    """
    m = matched(
        wanted.synthetic, wanted.humans, coding_of(wanted.synthetic, wanted.items, wanted.inventory), wanted.only
    )
    ours, humans = m.sides
    if not humans.joint:
        raise UsageError(
            f"{wanted.humans} has {humans.kind}; rectification needs the people themselves, one row each or one row an answer"
        )
    for group in wanted.by:
        if group not in SUBGROUPS:
            raise unknown("group", group, SUBGROUPS)
        if group not in ours.groups or group not in humans.groups:
            raise UsageError(
                f"no column {group} in {'ours' if group not in ours.groups else 'the humans'}; map it with --items map.toml"
            )
    by = wanted.by or tuple(g for g in SUBGROUPS if g in shared_groups(ours, humans))
    items = []
    for item in m.items:
        p = prepared(item, ours, humans, paired=wanted.doubles)
        found = item_estimates(p, by, wanted.level)
        if item.ordered and wanted.repeats:
            found["coverage"] = coverage(p, wanted.repeats, wanted.level, f"{wanted.seed}/{item.key}")
        items.append(
            {**found, "left out": {"ours": ours.left[item.key].record(), "humans": humans.left[item.key].record()}}
        )
    return {
        "engine": __version__, "level": wanted.level, "repeats": wanted.repeats, "seed": wanted.seed,
        "synthetic": {"file": ours.file, "people": len(ours)}, "groups": list(by), "items": items, "not compared": m.not_compared,
        "humans": {"file": humans.file, "people": len(humans), "weighted": humans.weighted, "licence": m.coding.licence or "not stated", "notes": list(humans.notes)},
        "balance": _balance(m), "summary": _summary(items),
    }  # fmt: skip


def _balance(m: Matched) -> list[dict[str, Any]]:
    """How far the humans are from the synthetic people in what predictions rest on: weighted total variation of each group."""
    out = []
    for group in shared_groups(*m.sides):
        shares = []
        values = sorted(set(people_by(m.sides[0], group)) | set(people_by(m.sides[1], group)))
        for side in m.sides:
            w = np.array([float(side.weight[side.groups[group] == v].sum()) for v in values])
            shares.append(w / w.sum())
        tv = float(np.abs(shares[0] - shares[1]).sum() / 2)
        chance = float(np.sqrt(2 * shares[0] * (1 - shares[0]) / (np.pi * len(m.sides[1]))).sum() / 2)
        out.append({"group": group, "total variation": tv, "by chance": chance, "warn": tv > max(_OFF, 2 * chance)})
    return out


def _summary(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the items that have a mean; biases in units of the item's range."""
    rows = [(i, i["mean"], i["options"][-1] - i["options"][0]) for i in items if "mean" in i]
    if not rows:
        return {}
    return {
        "items": len(rows), "mean absolute synthetic bias, range 1": float(np.mean([abs(r["synthetic bias"]) / unit for _, r, unit in rows])),
        "synthetic within the interval": sum(r["synthetic within the interval"] for _, r, _ in rows),
        "effective n over n": float(np.mean([r["effective n"] / r["n"] for _, r, _ in rows])),
        "width of interval, rectified over humans alone": float(np.mean([r["rectified"]["se"] / max(r["humans alone"]["se"], 1e-300) for _, r, _ in rows])),
    }  # fmt: skip
