"""Measure ``deeppersona survey rectify``: coverage, bias and effective sample on real people, in repeats of a known truth.

    python benchmarks/rectify.py --data PERSONALITY [--repeats 500] [--sizes 50 200]

PERSONALITY is the folder of the Open-Source Psychometrics Project's 50 IPIP markers (19,719 people, 1-5). One random half of
the adults is the world: its means are the truth. From the other half synthetic people are made who are wrong on purpose:
they answer by their age and sex as that half does, but agree too much, differ too little, and sex differences are doubled;
or, as *doubles*, they answer by a person's other items of the scale, with the same faults. In each repeat synthetic people
and a small human sample are drawn anew.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeppersona.evaluation.survey.inference import Rectified, difference, rectified_mean
from deeppersona.evaluation.survey.items import Item
from deeppersona.evaluation.survey.rectification import Prepared, prepared
from deeppersona.evaluation.survey.side import Coded, Side
from deeppersona.runtime.seed import Dice, Floats, Ints

ITEMS = ("E1", "N1", "A4", "C1", "O1")
REVERSED = {"E2", "E4", "E6", "E8", "E10", "N2", "N4", "A1", "A3", "A5", "A7", "C2", "C4", "C6", "C8", "O2", "O4", "O6"}
SIZES = (50, 100, 200, 500)
MANY = 3000
BANDS = ((18, 24), (25, 34), (35, 44), (45, 120))
OPTIONS = (1.0, 2.0, 3.0, 4.0, 5.0)
FIGURES = ("mean", "share of 5", "share of 1", "women minus men")


def people(folder: Path) -> Mapping[str, Ints]:
    """Adults of known sex who answered everything, by column."""
    file = next(folder.glob("big5_openpsychometrics*.tsv.gz"))
    with gzip.open(file, "rt", encoding="utf-8") as handle:
        rows = [
            r
            for r in csv.DictReader(handle, delimiter="\t")
            if r["gender"] in "12" and r["age"].isdigit() and 18 <= int(r["age"]) <= 90
        ]
    names = [n for n in rows[0] if n[0] in "ENACO" and n[1:].isdigit()]
    rows = [r for r in rows if all(r[n] in "12345" for n in names)]
    out = {n: np.array([int(r[n]) for r in rows]) for n in names}
    age = np.array([int(r["age"]) for r in rows])
    band = np.select([(age >= a) & (age <= b) for a, b in BANDS], range(len(BANDS)))
    return out | {"sex": np.array([int(r["gender"] == "2") for r in rows]), "band": band}


def scores(world: Mapping[str, Ints], item: str) -> Floats:
    """The mean of the other nine keyed items of an item's scale, (people,)."""
    others = [n for n in world if n[0] == item[0] and n != item and n[1:].isdigit()]
    keyed = [6 - world[n] if n in REVERSED else world[n] for n in others]
    return np.asarray(np.mean(keyed, axis=0))


def wrong(answers: Floats, sex: Ints, dice: Dice, label: str) -> Ints:
    """Answers (people,) made wrong: too near 3, half a point too high, women's and men's gap widened; whole numbers 1..5."""
    gap = answers[sex == 1].mean() - answers[sex == 0].mean()
    out = 3 + 0.6 * (answers - 3) + 0.5 + gap * (sex - 0.5)
    return np.asarray(np.clip(np.floor(out + dice.uniform(label)), 1, 5).astype(np.int64))


def side(name: str, item: str, answers: Ints, sex: Ints, band: Ints, ids: Ints) -> Side:
    """People who answered one item."""
    n = len(answers)
    groups = {"sex": np.where(sex == 1, "female", "male"), "age": np.array([str(b) for b in range(len(BANDS))])[band]}
    coded = Coded(np.arange(n), np.zeros(n, dtype=np.int64), answers - 1)
    return Side(name, "", "", tuple(map(str, ids.tolist())), np.ones(n), groups, {item: coded}, {}, True, False)


def figures(p: Prepared) -> dict[str, Rectified]:
    """The figures that are followed."""
    women, men = (rectified_mean(p.material(0, ("sex", s))) for s in ("female", "male"))
    return {
        "mean": rectified_mean(p.material(0)), "share of 5": rectified_mean(p.material(5), share=True),
        "share of 1": rectified_mean(p.material(1), share=True), "women minus men": difference(women, men),
    }  # fmt: skip


def truth(answers: Ints, sex: Ints) -> dict[str, float]:
    """The same of the whole world."""
    return {
        "mean": float(answers.mean()), "share of 5": float((answers == 5).mean()), "share of 1": float((answers == 1).mean()),
        "women minus men": float(answers[sex == 1].mean() - answers[sex == 0].mean()),
    }  # fmt: skip


def repeat(
    world: Mapping[str, Ints], other: Mapping[str, Ints], item: str, n: int, doubles: bool, seed: str
) -> dict[str, Rectified]:
    """One small human sample of the world and the synthetic people of the day."""
    size = len(world["sex"])
    dice = Dice(seed, np.arange(MANY + n))
    drawn = dice.below("people", size)  # the many, then the humans; with replacement, so the truth is the world's
    sex, band = world["sex"][drawn], world["band"][drawn]
    if doubles:
        score = scores(world, item)[drawn]
        made = wrong(score, sex, dice, "synthetic")
    else:
        pool = other[item].astype(np.float64)
        cell = other["sex"] * len(BANDS) + other["band"]
        order = np.argsort(cell, kind="stable")
        starts = np.searchsorted(cell[order], np.arange(2 * len(BANDS) + 1))
        mine = sex * len(BANDS) + band
        width = starts[mine + 1] - starts[mine]
        made = wrong(
            pool[order[starts[mine] + (dice.uniform("donor") * width).astype(np.int64)]], sex, dice, "synthetic"
        )
    ids = np.arange(MANY + n)
    humans = side("humans", item, world[item][drawn][MANY:], sex[MANY:], band[MANY:], ids[MANY:])
    some = slice(None) if doubles else slice(MANY)
    ours = side("ours", item, made[some], sex[some], band[some], ids[some])
    return figures(prepared(Item(item, OPTIONS), ours, humans, paired=doubles))


def run(data: Path, repeats: int, sizes: Sequence[int]) -> dict[str, Any]:
    """Coverage, bias in points or shares, and effective n over n: means over items of each kind, size and figure."""
    everybody = people(data)
    half = Dice("rectify", np.arange(len(everybody["sex"]))).uniform("half") < 0.5
    world, other = ({k: v[keep] for k, v in everybody.items()} for keep in (half, ~half))
    out: dict[str, Any] = {"people of the world": int(half.sum()), "repeats": repeats, "items": list(ITEMS)}
    for kind in ("groups", "doubles"):
        for n in sizes:
            rows: dict[str, list[tuple[float, ...]]] = {f: [] for f in FIGURES}
            for item in ITEMS:
                right = truth(world[item], world["sex"])
                found = [
                    repeat(world, other, item, n, kind == "doubles", f"{kind}/{n}/{item}/{k}") for k in range(repeats)
                ]
                for f in FIGURES:
                    mine = [x[f] for x in found]
                    held = [
                        np.mean([getattr(x, w).low <= right[f] <= getattr(x, w).high for x in mine])
                        for w in ("synthetic", "humans", "rectified")
                    ]
                    bias = [np.mean([getattr(x, w).value for x in mine]) - right[f] for w in ("synthetic", "rectified")]
                    spread = [np.std([getattr(x, w).value for x in mine]) for w in ("humans", "rectified")]
                    rows[f].append((*map(float, (*held, *np.abs(bias), (spread[0] / spread[1]) ** 2)),))
            names = (
                "synthetic covers",
                "humans cover",
                "rectified covers",
                "synthetic bias",
                "rectified bias",
                "n gained, times",
            )
            for f, values in rows.items():
                means = dict(zip(names, np.mean(values, axis=0).round(4).tolist(), strict=True))
                least, most = min(v[2] for v in values), max(v[2] for v in values)
                out[f"{kind}, n={n}, {f}"] = means | {"rectified covers, by item": [least, most]}
    return out


def main() -> None:
    """Print the figures as JSON and as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES), help="humans in a sample")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    began = time.perf_counter()
    found = run(args.data, args.repeats, args.sizes)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    print(
        f"{found['people of the world']:,} people are the world; {args.repeats} repeats, items {' '.join(ITEMS)}; |bias| in points or shares"
    )
    print(
        f"{'':34}{'covers: synth.':>15}{'humans':>9}{'rectified':>11}{'by item':>15}{'|bias| synth.':>15}{'rectified':>11}{'n times':>9}"
    )
    for key, row in found.items():
        if isinstance(row, dict):
            by = "{:.3f}-{:.3f}".format(*row["rectified covers, by item"])
            print(
                f"{key:34}{row['synthetic covers']:15.3f}{row['humans cover']:9.3f}{row['rectified covers']:11.3f}{by:>15}"
                f"{row['synthetic bias']:15.3f}{row['rectified bias']:11.3f}{row['n gained, times']:9.2f}"
            )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
