"""Compare the answers of synthetic people with those of humans, as one report of plain values.

Countries are compared one by one where both tables name them, and means are over items and countries alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deeppersona.errors import UsageError, nearest
from deeppersona.evaluation.survey.arms import Arm, arms_record
from deeppersona.evaluation.survey.distances import ItemFound, Pair, item_record, mean_of, means, measured, score
from deeppersona.evaluation.survey.groups import (
    Cell,
    cells,
    gaps,
    left_out,
    sameness,
    slopes,
    subgroup_records,
    variance_ratio,
)
from deeppersona.evaluation.survey.items import Item, ItemMap, inferred, of_inventory, read_map
from deeppersona.evaluation.survey.kit import read_kit
from deeppersona.evaluation.survey.metrics import METRICS, PAPER
from deeppersona.evaluation.survey.paper import ALL, paper_record
from deeppersona.evaluation.survey.reading import Answers, read_answers
from deeppersona.evaluation.survey.side import AGE_BANDS, UNKNOWN, Side, bands_in, people_by, side_of
from deeppersona.evaluation.survey.structure import correlation_record, steadiness
from deeppersona.evaluation.survey.worldmap import place_of, published, read_projection
from deeppersona.population.weights import effective_n
from deeppersona.simulation.answers import settings_beside
from deeppersona.simulation.inventory import read_inventory
from deeppersona.version import __version__

Protocol = Literal["corrected", "paper"]
EVERYWHERE = "all"


@dataclass(frozen=True)
class Asked:
    """What is to be compared and how. ``human_rows`` is for the paper's protocol: None pairs rows, 0 takes all humans.

    ``against`` are other arms by name, set before the same humans; ``kits`` are validity kits by the name of an arm, "" for ours.
    """

    ours: Path
    humans: Path
    items: str | None = None
    inventory: str | None = None
    protocol: Protocol = "corrected"
    human_rows: int | None = None
    times: int = 500
    seed: int = 0
    projection: Path | None = None
    only: tuple[str, ...] = ()
    licence: str = ""
    name: str = ""
    against: tuple[tuple[str, Path], ...] = ()
    kits: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True, eq=False)
class Matched:
    """Two tables with the items they share: raw and coded, and the items that only one of them has."""

    raw: tuple[Answers, Answers]
    sides: tuple[Side, Side]
    items: tuple[Item, ...]
    coding: ItemMap
    not_compared: dict[str, str]


def coding_of(ours: Path, items: str | None, inventory: str | None) -> ItemMap:
    """How answers are coded: by a map, by a questionnaire, by the one that our answers were given to, or not known (empty)."""
    coding = read_map(items) if items else ItemMap()
    if coding.items:
        return coding
    if inventory is None:
        try:
            found = read_inventory(str(settings_beside(ours)["inventory"]))
        except (KeyError, UsageError):
            return coding
    else:
        found = read_inventory(inventory)
    asked = of_inventory(found)
    return replace(coding, items=asked.items, title=coding.title or asked.title)


def matched(
    ours: Path, humans: Path, coding: ItemMap | None = None, only: Sequence[str] = (), theirs: Answers | None = None
) -> Matched:
    """Read both tables and code them; where the coding has no items, by what humans answered. ``theirs`` are humans read before.

    Raises:
        UsageError: a table cannot be read, or no item is in both.

    """
    coding = coding or ItemMap()
    wanted = [[n for i in coding.items for n in i.names(human)] for human in (False, True)]
    mine = read_answers(ours, wanted[0])
    theirs = theirs or read_answers(humans, wanted[1] or list(mine.rows), coding.columns)
    found = coding.items or tuple(
        inferred(k, np.unique(theirs.rows[k].code).tolist()) for k in mine.rows if k in theirs.rows
    )
    gone: dict[str, str] = (
        {} if coding.items else {k: "not among the humans' items" for k in mine.rows if k not in theirs.rows}
    )
    if only:
        for key in only:
            if key not in {i.key for i in found}:
                raise UsageError(f"no item {key!r} to compare{nearest(key, [i.key for i in found])}")
        found = tuple(i for i in found if i.key in only)
    bands = bands_in(theirs.groups["age"]) if "age" in theirs.groups else AGE_BANDS
    sides = tuple(side_of(r, found, human=h, coding=coding, bands=bands) for r, h in ((mine, False), (theirs, True)))
    kept = []
    for item in found:
        lacking = [s.name for s in sides if item.key not in s.answers or not len(s.answers[item.key].person)]
        if lacking:
            gone[item.key] = f"no usable answer in {' and '.join(lacking)}"
        else:
            kept.append(item)
    if not kept:
        what = "; ".join(f"{k}: {why}" for k, why in list(gone.items())[:4])
        raise UsageError(
            f"{ours} and {humans} have no item in common ({what}); ours has {', '.join(list(mine.rows)[:8])}; map items with --items map.toml"
        )
    return Matched((mine, theirs), (sides[0], sides[1]), tuple(kept), coding, gone)


def countries_of(m: Matched) -> tuple[list[str], dict[str, str]]:
    """The countries to compare one by one ([EVERYWHERE] where tables do not name them), and those that only one side has."""
    ours, humans = (people_by(side, "country") for side in m.sides)
    if not ours or not humans:
        return [EVERYWHERE], {}
    both = sorted(set(ours) & set(humans))
    if not both:
        raise UsageError(
            f"no country in common: ours are {', '.join(list(ours)[:8])}, the humans' {', '.join(list(humans)[:8])}"
        )
    return both, {c: "ours only" if c in ours else "humans only" for c in sorted(set(ours) ^ set(humans))}


def compare(asked: Asked) -> dict[str, Any]:
    """The whole comparison as plain values: see ``docs/methods/comparison.md`` for what each figure is.

    Raises:
        UsageError: a table or a kit cannot be read, nothing is in common, two arms have one name.

    """
    names = arm_names(asked)
    coding = coding_of(asked.ours, asked.items, asked.inventory)
    m = matched(asked.ours, asked.humans, coding, asked.only)
    countries, alone = countries_of(m)
    arm = _arm(names[0], asked.ours, m, countries, asked)
    report: dict[str, Any] = {
        "engine": __version__, "protocol": asked.protocol, "seed": asked.seed, "resamples": asked.times,
        "ours": {"name": names[0], **arm.about}, "humans": {
            **_told(m.sides[1]), "title": m.coding.title, "source": m.coding.source, "licence": asked.licence or m.coding.licence or "not stated",
        },
        "countries": countries, "countries of one side": alone, "not compared": m.not_compared,
    }  # fmt: skip
    others = [_other(name, file, m, countries, asked) for name, (_, file) in zip(names[1:], asked.against, strict=True)]
    made = {a.name: a.about["made"] for a in (arm, *others)}
    kits = [read_kit(path, name or names[0], made[name or names[0]]) for name, path in asked.kits]
    return report | dict(arm.report) | {"arms": arms_record([arm, *others]) if others else None, "validity": kits}


def arm_names(asked: Asked) -> list[str]:
    """What our arm and the others are called: as told, else by their respondent, else by their file.

    Raises:
        UsageError: two of one name, or a kit of an arm that is not there.

    """
    names = [
        name or str((made_by(path).get("respondent") or {}).get("respondent") or path.name.split(".")[0])
        for name, path in ((asked.name, asked.ours), *asked.against)
    ]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise UsageError(f"two arms are called {twice!r}; name them: --name NAME, --against NAME=FILE")
    for name, _ in asked.kits:
        if name and name not in names:
            raise UsageError(
                f"no arm {name!r} for a validity kit{nearest(name, names)}; the arms are {', '.join(names)}"
            )
    return names


def _arm(name: str, file: Path, m: Matched, countries: Sequence[str], asked: Asked) -> Arm:
    report, found = _paper(m, countries, asked) if asked.protocol == "paper" else _corrected(m, countries, asked)
    return Arm(name, {**_told(m.sides[0]), "made": made_by(file)}, report, found)


def _other(name: str, file: Path, m: Matched, countries: Sequence[str], asked: Asked) -> Arm:
    """Another arm, coded as ours is and set before the humans that ours is set before."""
    coding = replace(m.coding, items=m.items)
    other = matched(file, asked.humans, coding, theirs=m.raw[1])
    here, _ = countries_of(other)
    if (here == [EVERYWHERE]) != (list(countries) == [EVERYWHERE]):
        raise UsageError(
            f"{file} {'names no countries' if here == [EVERYWHERE] else 'names countries'}, unlike {asked.ours}"
        )
    return _arm(name, file, other, [c for c in countries if c in here], asked)


def made_by(ours: Path) -> dict[str, Any]:
    """Who answered, as told beside the answers: respondent, questionnaire, draws, seed; empty where nothing is."""
    told = settings_beside(ours)
    return {k: told[k] for k in ("respondent", "inventory", "draws", "seed", "run", "counts") if k in told}


def _told(side: Side) -> dict[str, Any]:
    return {
        "file": side.file, "kind": side.kind, "people": len(side), "weighted": side.weighted, "effective n": effective_n(side.weight),
        "notes": list(side.notes),
    }  # fmt: skip


def _keep(side: Side, country: str) -> Any:
    return np.ones(len(side), dtype=bool) if country == EVERYWHERE else side.groups["country"] == country


def _items_of(sides: tuple[Side, Side], items: Sequence[Item]) -> list[Item]:
    return [i for i in items if all(len(s.answers[i.key].person) for s in sides)]


def _corrected(
    m: Matched, countries: Sequence[str], asked: Asked
) -> tuple[dict[str, Any], dict[tuple[str, str], ItemFound]]:
    projection = read_projection(asked.projection) if asked.projection else None
    everything: dict[tuple[str, str], ItemFound] = {}
    items: list[dict[str, Any]] = []
    by_country: dict[str, Any] = {}
    places: dict[str, Any] = {}
    correlations: dict[str, Any] = {}
    steady: dict[str, Any] = {}
    gap_rows: dict[str, Any] = {}
    small: dict[str, Any] = {}
    all_cells: list[Cell] = []
    by_place: list[tuple[dict[str, ItemFound], list[Cell]]] = []
    for country in countries:
        sides = (m.sides[0].where(_keep(m.sides[0], country)), m.sides[1].where(_keep(m.sides[1], country)))
        pair = Pair.of(*sides, asked.times, f"{asked.seed}/{country}")
        here = _items_of(sides, m.items)
        found = {item.key: measured(pair, item) for item in here}
        if not found:
            continue
        everything |= {(country, key): f for key, f in found.items()}
        items += [
            {"country": country, **item_record(f, pair), "variance ratio": variance_ratio([f])} for f in found.values()
        ]
        by_country[country] = {
            "n ours": len(sides[0]), "n humans": len(sides[1]), "items": len(found),
            "metrics": {k: f.record() for k, f in means(list(found.values())).items()}, "variance ratio": variance_ratio(list(found.values())),
        }  # fmt: skip
        some = list(cells(pair, here))
        all_cells += some
        by_place.append((found, some))
        if some:
            gap_rows[country] = gaps(found, some)
        small |= {country: left} if (left := left_out(pair)) else {}
        correlations |= {country: r} if (r := correlation_record(pair, here)) else {}
        steady |= {country: r} if (r := steadiness(pair, here)) else {}
        if projection is not None and (place := place_of(projection, found)):
            places[country] = place | {"published": published(country)}
    whole = list(everything.values())
    return {
        "metrics": {metric.name: metric.title for metric in METRICS}, "items": items,
        "overall": _overall(whole), "by country": by_country, "by item": _by_item(whole) if len(by_country) > 1 else [], "variance ratio": variance_ratio(whole), "sameness": sameness(whole, all_cells),
        "subgroups": subgroup_records(all_cells), "subgroups left out": small, "gaps": gap_rows, "slopes": slopes(by_place), "correlations": correlations,
        "steadiness": steady, "map": places or None,
    }, everything  # fmt: skip


def _by_item(found: Sequence[ItemFound]) -> list[dict[str, Any]]:
    """Each item's mean over countries: KS where its options have an order, else total variation; and its ratio of variances."""
    out = []
    for key in dict.fromkeys(f.item.key for f in found):
        mine = [f for f in found if f.item.key == key]
        name = "ks" if mine[0].item.ordered else "total_variation"
        mean = means(mine)[name].record()
        out.append({
            "item": key, "title": mine[0].item.title, "countries": len(mine), "metric": name,
            "found": {k: v for k, v in mean.items() if k != "floor_95"}, "variance ratio": variance_ratio(mine),
        })  # fmt: skip
    return out


def _overall(found: Sequence[ItemFound]) -> dict[str, Any]:
    """Means over items and countries; the 95th percentile of single floors is none of their mean, so it is left out."""
    out = {}
    for metric in METRICS:
        mean = mean_of([f.found[metric.name] for f in found if metric.name in f.found])
        if mean is not None:
            out[metric.name] = {k: v for k, v in mean.record().items() if k != "floor_95"}
    return out


def _paper(
    m: Matched, countries: Sequence[str], asked: Asked
) -> tuple[dict[str, Any], dict[tuple[str, str], ItemFound]]:
    items, by_country = [], {}
    for country in countries:
        keep = [_keep(side, country) for side in m.sides]
        sides = (m.sides[0].where(keep[0]), m.sides[1].where(keep[1]))
        raw = (m.raw[0].where(keep[0]), m.raw[1].where(keep[1]))
        rows = [
            paper_record(raw, i, asked.human_rows, f"{asked.seed}/{country}/{i.key}") for i in _items_of(sides, m.items)
        ]
        mine = [{"country": country, **row} for row in rows if row is not None]
        items += mine
        if mine:
            by_country[country] = {
                "n ours": len(sides[0]),
                "n humans": len(sides[1]),
                "items": len(mine),
                "metrics": _paper_means(mine),
            }
    rule = (
        "paired: as many human rows as ours"
        if asked.human_rows is None
        else "all human rows"
        if asked.human_rows == ALL
        else f"the first {asked.human_rows} human rows"
    )
    return {
        "metrics": {name: title for name, (title, _) in PAPER.items()}, "rows": rule, "weights": "none, as published", "items": items,
        "overall": _paper_means(items), "by country": by_country,
    }, {}  # fmt: skip


def _paper_means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    out = {}
    for name in PAPER:
        value, floor, ceiling = (
            float(np.mean([r["metrics"][name][k] for r in rows])) for k in ("value", "floor", "ceiling")
        )
        out[name] = {"value": value, "floor": floor, "ceiling": ceiling, "score": score(value, floor, ceiling)}
    return out


__all__ = ["AGE_BANDS", "UNKNOWN", "Asked", "Matched", "compare", "countries_of", "matched"]
