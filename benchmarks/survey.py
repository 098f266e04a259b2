"""Measure the grounded respondent against people: the Big Five, values by country, time.

    python benchmarks/survey.py ipip --data DATA       # 5,000 adults against the half the model was not built on
    python benchmarks/survey.py values --data DATA     # ten items, countries left out of the fit
    python benchmarks/survey.py persons                # who answers what within countries
    python benchmarks/survey.py speed                  # 10,000 people, 50 items, start to file

DATA holds the files that tools/fit_ipip.py and tools/fit_wvs.py name. The norms of personality by age and sex in the engine were
derived from both halves of the answers; the response model from one. Both are told.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import deeppersona as dp
from deeppersona.evaluation.psychometrics import alpha, correlations, structure
from deeppersona.evaluation.validity import keyed, scores
from deeppersona.schema.inventory import Inventory
from deeppersona.simulation.answers import Settings, write_answers
from deeppersona.simulation.baselines import ShuffledCountry
from deeppersona.simulation.grounded import Grounded
from deeppersona.simulation.inventory import read_inventory
from deeppersona.simulation.response import human_structure, model_from

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
Floats = NDArray[np.float64]
Numbers = NDArray[Any]
BANDS = ((18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 100))


def _records(n: int, countries: list[str] | None, seed: int) -> list[dict[str, Any]]:
    people = dp.generate(n=n, country=countries, seed=seed, depth=20)
    return [person.record() for person in people]


def _half(data: Path, inventory: Inventory) -> tuple[Floats, Numbers, Numbers]:
    """Answers (people, items), ages and sexes of the adults of the odd rows without a gap."""
    import fit_ipip

    file = next(iter(sorted(data.rglob(fit_ipip.FILE))))
    ids = [i.id for i in inventory.items]
    kept, about = [], []
    with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as handle:
        for k, row in enumerate(csv.DictReader(handle, delimiter="\t")):
            given = [int(row[i] or 0) for i in ids]
            years = int(row["age"]) if row["age"].strip().isdigit() else 0
            if k % 2 == 1 and 18 <= years <= 100 and row["gender"] in ("1", "2") and min(given) > 0:
                kept.append(given)
                about.append((years, 0 if row["gender"] == "2" else 1))
    return np.array(kept, dtype=float), np.array([a for a, _ in about]), np.array([s for _, s in about])


def _matched(age: Numbers, sex: Numbers, like: tuple[Numbers, Numbers]) -> Floats:
    """Weights by which people of some ages and sexes are as old and as often women as others are."""
    out = np.zeros(len(age))
    for low, high in BANDS:
        for s in (0, 1):
            here, there = (
                (age >= low) & (age <= high) & (sex == s),
                (like[0] >= low) & (like[0] <= high) & (like[1] == s),
            )
            out[here] = there.mean() / max(here.sum(), 1)
    return np.asarray(out / out.sum())


def ipip(data: Path, n: int = 5000) -> dict[str, Any]:
    """Reliability, structure, trends and correlations of grounded answers beside those of the other half of people."""
    inventory = read_inventory("ipip-50")
    human, hage, hsex = _half(data, inventory)
    people = Grounded(inventory, seed=1)
    found = people.people(_records(n, None, 11))
    answers, again = people.codes(found).astype(float), people.codes(found, 1).astype(float)
    ours, theirs = scores(inventory, answers), scores(inventory, human)
    known = human_structure(inventory)
    assert known is not None
    at = {i.id: k for k, i in enumerate(inventory.items)}
    sign = {i: -1.0 if i in s.reversed else 1.0 for s in inventory.scales for i in s.items}
    turned = np.array([sign[i.id] for i in inventory.items])
    target = structure(human * turned, known[1])[0]
    weight = _matched(found.age, found.sex, (hage, hsex))
    draw = np.random.default_rng(0).choice(len(answers), size=n, p=weight)
    rows = []
    for j, scale in enumerate(inventory.scales):
        a, b = alpha(keyed(inventory, scale, answers)), alpha(keyed(inventory, scale, human))
        rows.append({
            "scale": scale.id, "alpha": a, "people": b, "off": a - b,
            "mean": float(ours[draw, j].mean()), "people mean": float(theirs[:, j].mean()),
            "sd": float(ours[draw, j].std()), "people sd": float(theirs[:, j].std()),
            "r with age": float(np.corrcoef(ours[draw, j], found.age[draw])[0, 1]), "people r": float(np.corrcoef(theirs[:, j], hage)[0, 1]),
            "sex d": _d(ours[draw, j], found.sex[draw]), "people d": _d(theirs[:, j], hsex),
            "cells off": _cells(ours[:, j], found.age, found.sex, theirs[:, j], hage, hsex),
            "again r": float(np.corrcoef(ours[:, j], scores(inventory, again)[:, j])[0, 1]),
        })  # fmt: skip
    off = correlations(ours[draw]) - correlations(theirs)
    items = [float(np.corrcoef(answers[:, k], again[:, k])[0, 1]) for k in range(len(at))]
    margins = [
        0.5 * sum(abs((answers[draw, k] == v).mean() - (human[:, k] == v).mean()) for v in range(1, 6))
        for k in at.values()
    ]
    return {
        "people": n, "humans": len(human), "scales": rows,
        "congruence with the other half": structure(answers * turned, target)[1].tolist(),
        "congruence of the two halves": structure(human * turned, known[1])[1].tolist(),
        "largest difference of a trait correlation": float(np.abs(off).max()), "mean difference": float(np.abs(off[np.triu_indices(5, 1)]).mean()),
        "median item r on asking again": float(np.median(items)), "mean total variation of an item": float(np.mean(margins)),
        "congruence of uniform answers": structure(np.random.default_rng(1).integers(1, 6, answers.shape).astype(float), target)[1].tolist(),
    }  # fmt: skip


def _d(score: Floats, sex: Numbers) -> float:
    return float((score[sex == 0].mean() - score[sex == 1].mean()) / score.std())


def _cells(ours: Floats, age: Numbers, sex: Numbers, theirs: Floats, hage: Numbers, hsex: Numbers) -> float:
    """Mean absolute difference of means by age and sex, in standard deviations, weighted by people of the cell."""
    total = weight = 0.0
    for low, high in BANDS:
        for s in (0, 1):
            here, there = (age >= low) & (age <= high) & (sex == s), (hage >= low) & (hage <= high) & (hsex == s)
            total += there.sum() * abs(ours[here].mean() - theirs[there].mean()) / theirs.std()
            weight += there.sum()
    return float(total / weight)


def _distances(p: Floats, q: Floats) -> tuple[float, float, float, float]:
    """KS, Wasserstein (range scaled to 1), Jensen-Shannon divergence (bits) of two lists of shares, and KS by 1-4, 5, 6-10 of ten."""
    gap = np.abs(np.cumsum(p - q))[:-1]
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        js = 0.5 * (np.where(p > 0, p * np.log2(p / m), 0).sum() + np.where(q > 0, q * np.log2(q / m), 0).sum())
    return float(gap.max()), float(gap.mean()), float(js), float((gap[1:3] if len(gap) == 4 else gap).max())


def _grouped(item: str, codes: Floats, options: tuple[int, ...]) -> Floats:
    """Shares of answers as the shares of people are given: ten points in the groups 1, 2-4, 5, 6-9, 10."""
    p = np.array([(codes == v).mean() for v in options])
    return np.array([p[0], p[1:4].sum(), p[4], p[5:9].sum(), p[9]]) if len(p) == 10 else p


def values(data: Path, each: int = 150, folds: int = 4, most: int = 40) -> dict[str, Any]:
    """Distances to people of countries that the model never saw.

    Of grounded answers, baselines, the floor (two samples of people of the country, as many as personas), the average country, and
    of two models of a country's shares without any persons: on the place on the map alone, and the one behind the grounded. ``ten
    chances`` are the same personas under ten seeds together: little sampling noise is left.
    """
    import fit_wvs

    inventory = read_inventory("wvs-iw10")
    at, seen = {i.id: k for k, i in enumerate(inventory.items)}, fit_wvs.shares(data)
    codes = sorted(set.intersection(*(set(s) for s in seen.values())))
    rng = np.random.default_rng(3)
    codes = [codes[i] for i in rng.permutation(len(codes))[:most]]
    tally: dict[str, dict[str, list[tuple[float, ...]]]] = {item: {} for item in seen}
    plane: list[tuple[Floats, Floats]] = []
    for fold in range(folds):
        left = codes[fold::folds]
        model = model_from(fit_wvs.fit(data, without=left), inventory)
        records = _records(each * len(left), left, 20 + fold)
        whose = [next(t["value"] for t in r["traits"] if t["path"] == "demographics.country") for r in records]
        mine = Grounded(inventory, 1, model)
        told = {"grounded": mine.codes(mine.people(records))}
        other = ShuffledCountry(inventory, 1, model, codes)
        told["shuffled country"] = other.codes(other.people(records))
        luck = [Grounded(inventory, seed, model) for seed in range(2, 12)]
        ten = np.stack(
            [one.codes(one.people(records)) for one in luck]
        )  # the same people, other chance: little of it is left
        rows = {code: np.array([w == code for w in whose]) for code in left}
        plane += [(_plane(data, inventory, told["grounded"][rows[code]]), fit_wvs.place(code)) for code in left]
        for item, shares in seen.items():
            options = inventory.values(item)
            without = _without_persons(item, {c: p for c, p in shares.items() if c not in left}, left, options)
            for code in left:
                people, n = shares[code], int(rows[code].sum())
                found = without[code] | {
                    who: _grouped(item, answers[rows[code], at[item]].astype(float), options)
                    for who, answers in told.items()
                }
                found["ten chances"] = _grouped(item, ten[:, rows[code], at[item]].ravel().astype(float), options)
                for name, p in found.items():
                    tally[item].setdefault(name, []).append(_distances(p, people))
                floor = _distances(rng.multinomial(n, people) / n, rng.multinomial(n, people) / n)
                tally[item].setdefault("floor", []).append(floor)
    out: dict[str, Any] = {"countries": len(codes), "people each": each, "items": {}}
    for item, names in tally.items():
        out["items"][item] = {name: _named(found) for name, found in names.items()}
    out["all"] = {name: _named([x for item in tally.values() for x in item[name]]) for name in tally["Q57"]}
    return out | _on_map(plane)


def _on_map(plane: list[tuple[Floats, Floats]]) -> dict[str, list[float]]:
    """How places on the map, (ours, people's) of each country, agree."""
    a, b = np.array([p for p, _ in plane]), np.array([q for _, q in plane])
    return {
        "map: r of x, y with the countries' own": [float(np.corrcoef(a[:, k], b[:, k])[0, 1]) for k in (0, 1)],
        "map: mean distance, spread of countries": [
            float(np.hypot(*(a - b).T).mean()),
            float(np.hypot(*b.std(axis=0))),
        ],
    }


def _without_persons(
    item: str, train: dict[str, Floats], left: list[str], options: tuple[int, ...]
) -> dict[str, dict[str, Floats]]:
    """By country left out, shares of answers by what knows no persons: models of countries, the average country, chance."""
    import fit_wvs

    fits = {"map alone": fit_wvs.fitted(train, fit_wvs.MAP, {}), "country model": fit_wvs.fitted(train)}
    fixed = {"average country": np.mean(list(train.values()), axis=0),
             "uniform": _grouped(item, np.repeat(options, 100).astype(float), options)}  # fmt: skip
    return {code: {name: np.diff([0.0, *fit.below(code), 1.0]) for name, fit in fits.items()} | fixed for code in left}


def persons(each: int = 300) -> dict[str, Any]:
    """What being old, a woman, schooled, a believer goes with in a country, and how items go together, in personas' answers.

    Differences of mean answers within countries, in standard deviations of the answers of the country, mean over ten countries;
    correlations between items within countries.
    """
    inventory = read_inventory("wvs-iw10")
    countries = ["US", "DE", "SE", "PL", "RU", "TR", "NG", "IN", "JP", "BR"]
    items = ["Q46", "Q57", "Q45", "Q209", "Q164", "Q182", "Q184", "Q254"]
    at = [k for i in items for k, item in enumerate(inventory.items) if item.id == i]
    mine = Grounded(inventory, 1)
    people = mine.people(_records(each * len(countries), countries, 31))
    answers, where = mine.codes(people)[:, at].astype(float), np.array(people.country)
    column = people.columns
    groups = {
        "55 and over - under 35": (people.age >= 55, people.age < 35), "women - men": (people.sex == 0, people.sex == 1),
        "much - little schooling": (column["education"] > 0.5, column["education"] < -0.5),
        "believers - others": (column["believer"] == 1, column["believer"] == 0),
    }  # fmt: skip
    gaps: dict[str, list[Floats]] = {name: [] for name in groups}
    together = []
    for code in countries:
        here = where == code
        for name, (one, other) in groups.items():
            if min((here & one).sum(), (here & other).sum()) >= 20:
                gaps[name].append(
                    (answers[here & one].mean(axis=0) - answers[here & other].mean(axis=0)) / answers[here].std(axis=0)
                )
        together.append(np.corrcoef(answers[here], rowvar=False))
    return {
        "people of each country": each, "items": items,
        "differences": {name: dict(zip(items, np.mean(found, axis=0).round(2).tolist(), strict=True)) for name, found in gaps.items()},
        "correlations": np.mean(together, axis=0).round(2).tolist(),
    }  # fmt: skip


def _named(found: list[tuple[float, ...]]) -> dict[str, float]:
    ks, wasserstein, js, coarse = np.mean(found, axis=0)
    return {
        "ks": float(ks),
        "wasserstein": float(wasserstein),
        "js divergence": float(js),
        "ks in three groups": float(coarse),
    }


def _plane(data: Path, inventory: Inventory, codes: NDArray[np.int64]) -> Floats:
    """Where people stand on the map by their answers, on average, (2,)."""
    import fit_wvs

    raw = json.loads(fit_wvs._file(data, fit_wvs.PROJECTION).read_text("utf-8"))
    ids = [i.id for i in inventory.items]
    rows = [dict(zip(ids, row, strict=True)) for row in codes.tolist()]
    for row in rows:
        for composite in inventory.composites:
            row[composite.id] = composite.of(row)
    x = np.array([[row[fit_wvs.CODES[i]] for i in raw["items"]] for row in rows], dtype=float)
    s = ((x - np.array(raw["center"])) / np.array(raw["scale"])) @ np.array(raw["weights"])
    return np.array([1.81 * s[:, 0].mean() + 0.38, 1.61 * s[:, 1].mean() - 0.01])


def speed(n: int = 10_000) -> dict[str, Any]:
    """Seconds to read the records of a run, answer 50 items and write the file."""
    from deeppersona.runtime.store import RunFolder

    inventory = read_inventory("ipip-50")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        dp.run(dp.make_plan(n, ["US", "KE", "DE", "IN"], seed=1), out, dp.shipped_taxonomy())
        begun = time.perf_counter()
        records, respondent = RunFolder(out).records(), Grounded(inventory)
        settings = Settings("ipip-50", inventory.fingerprint, respondent.settings, n, "benchmark", 1, 0)
        write_answers(records, inventory, respondent, Path(folder) / "answers.csv", settings)
        return {"people": n, "items": 50, "seconds": round(time.perf_counter() - begun, 2)}


def main() -> None:
    """Read the command line, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ipip", "values", "persons", "speed"])
    parser.add_argument("--data", type=Path, help="folder of the originals")
    parser.add_argument("-n", type=int, help="people (values, persons: of each country)")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        found = speed(arguments.n or 10_000)
    elif arguments.what == "persons":
        found = persons(arguments.n or 300)
    elif arguments.data is None:
        raise SystemExit(f"{arguments.what} needs --data, the folder of the originals")
    else:
        found = (
            ipip(arguments.data, arguments.n or 5000)
            if arguments.what == "ipip"
            else values(arguments.data, arguments.n or 150)
        )
    print(json.dumps(found, indent=1, default=float))


if __name__ == "__main__":
    main()
