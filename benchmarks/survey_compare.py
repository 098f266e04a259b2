"""Floor, ceiling and baselines of survey comparison on real countries, and the published figures computed again.

    python benchmarks/survey_compare.py baselines --data VALUES        # floor, uniform, mode, average country, by protocol
    python benchmarks/survey_compare.py published --arm our_responses.csv

VALUES is the folder with the shares of answers by country and wave (World Values Survey and European Values Study, as Our
World in Data tells them; it holds trust and petitions of the ten items whole, homosexuality and abortion in five steps, and
three more items). The shares come without n: samples of ``-n`` people a side are drawn from them.

``published`` takes the answers file of the published arm for Canada (40 people, draws already averaged; it lies beside the
paper's code and is not ours to ship) and asks whether any 40 human answers give the published KS, Wasserstein, "JS" and
mean under ``--protocol paper``: that they do to the last digit shows that the protocol is the one that was used.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deeppersona.evaluation.survey.metrics import METRICS, PAPER
from deeppersona.evaluation.survey.resample import sampled
from deeppersona.runtime.seed import Dice, Floats

TIMES = 100
SHOWN = ("ks", "wasserstein", "js_distance", "total_variation")
ACTION = ("have_done_political_action_{}", "might_do_political_action_{}", "never_political_action_{}")
IMPORTANT = tuple(f"{k}_important_in_life_{{}}" for k in ("very", "rather", "not_very", "notatall"))
COLUMNS = {
    "petition (Q209)": tuple(c.format("E025") for c in ACTION), "demonstration": tuple(c.format("E027") for c in ACTION),
    "religion": tuple(c.format("A006") for c in IMPORTANT), "friends": tuple(c.format("A002") for c in IMPORTANT),
}  # fmt: skip
JUSTIFIABLE = {"homosexuality (Q182)": "F118", "abortion (Q184)": "F120"}
# Published for Canada: options, KS, Wasserstein, "JS", mean of the arm, mean of the humans (arXiv 2511.07338, results beside the code)
PUBLISHED = {
    "Q45": (3, 0.200, 0.191, 0.405, 1.975, 1.800), "Q46": (4, 0.175, 0.242, 0.306, 1.908, 2.100), "Q57": (2, 0.425, 0.858, 0.497, 2.433, 1.575),
    "Q218": (3, 0.600, 0.675, 0.526, 2.175, 1.500), "Q254": (4, 0.350, 0.550, 0.449, 1.759, 1.775),
}  # fmt: skip
ARMS = {
    "cultural prompting": (0.570, 0.601),
    "OpenCharacter": (0.374, 0.434),
    "DeepPersona": (0.324, 0.425),
}  # KS, "JS"; six countries


def country_shares(folder: Path) -> dict[str, dict[str, Floats]]:
    """Country -> item -> shares of those who gave one of its options, in the last wave (2022) of each."""
    out: dict[str, dict[str, Floats]] = {}
    with gzip.open(next(folder.glob("ivs_answer_shares*.csv.gz")), "rt", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if row["year"] == "2022":
                found = {item: _shares([row[c] for c in columns]) for item, columns in COLUMNS.items()}
                if row["trust"]:
                    found["trust (Q57)"] = np.array([float(row["trust"]), 100 - float(row["trust"])]) / 100
                found |= {item: _five(row, code) for item, code in JUSTIFIABLE.items()}
                out[row["country"]] = {item: p for item, p in found.items() if p is not None}
    return out


def _shares(cells: list[str]) -> Floats | None:
    numbers = np.array([float(c) for c in cells if c])
    return np.asarray(numbers / numbers.sum()) if len(numbers) == len(cells) and numbers.sum() > 50 else None


def _five(row: Mapping[str, str], code: str) -> Floats | None:
    """Never, leaning to never, in between, leaning to always, always."""
    names = ("never_just_", "never_just_agg_", "neutral_", "always_just_", "dont_know_", "missing_")
    if not row[f"never_just_{code}"]:
        return None
    never, against, middle, always, unsure, missing = (float(row[n + code] or 0) for n in names)
    five = np.array([never, against - never, middle, 100 - against - middle - unsure - missing - always, always])
    return np.asarray(np.maximum(five, 0) / np.maximum(five, 0).sum(), dtype=np.float64)


def baselines(folder: Path, n: int) -> None:
    """Mean distances over countries and items: two human samples, uniform, the mode, the average of the other countries."""
    shares = country_shares(folder)
    rows: dict[str, list[list[float]]] = {
        k: [] for k in ("two samples of humans", "average other country", "uniform answers", "everybody the mode")
    }
    for item in sorted({i for found in shares.values() for i in found}):
        have = {c: found[item] for c, found in shares.items() if item in found}
        for country, q in have.items():
            at, k = np.arange(len(q), dtype=np.float64), len(q)
            other = sampled(q, n, TIMES, f"{country}/{item}/humans")
            rivals = {
                "two samples of humans": sampled(q, n, TIMES, f"{country}/{item}/alike"),
                "average other country": sampled(
                    np.mean([p for c, p in have.items() if c != country], axis=0), n, TIMES, f"{country}/{item}/average"
                ),
                "uniform answers": sampled(np.full(k, 1 / k), n, TIMES, f"{country}/{item}/uniform"),
                "everybody the mode": np.tile(np.eye(k)[int(np.argmax(q))], (TIMES, 1)),
            }
            for name, p in rivals.items():
                rows[name].append([float(m.of(p, other, at).mean()) for m in METRICS if m.name in SHOWN])
    print(f"corrected: {len(shares)} countries, 7 items, {n} people a side")
    print(f"{'':26}" + "".join(f"{m.title:>24}" for m in METRICS if m.name in SHOWN))
    for name, values in rows.items():
        print(f"{name:26}" + "".join(f"{x:24.3f}" for x in np.mean(values, axis=0)))
    _paper(shares)


def _paper(shares: Mapping[str, Mapping[str, Floats]], n: int = 40, times: int = 10) -> None:
    """The same under the published protocol, 40 rows a side, on the items whose options are whole: the published arms beside."""
    rows: dict[str, list[list[float]]] = {
        "two samples of humans": [],
        "uniform, one draw": [],
        "uniform, mean of three draws": [],
    }
    for country, found in shares.items():
        for item, q in found.items():
            if item in JUSTIFIABLE:
                continue
            dice = Dice(f"paper/{country}/{item}", np.arange(times * n))
            humans, alike = (
                1.0 + np.searchsorted(np.cumsum(q)[:-1], dice.uniform(k), "right").reshape(times, n)
                for k in ("humans", "alike")
            )
            draws = np.stack([1.0 + dice.below(f"draw {d}", len(q)) for d in range(3)]).reshape(3, times, n)
            for name, ours in (
                ("two samples of humans", alike),
                ("uniform, one draw", draws[0]),
                ("uniform, mean of three draws", draws.mean(axis=0)),
            ):
                rows[name].append(
                    [float(np.mean([of(a, b) for a, b in zip(ours, humans, strict=True)])) for _, of in PAPER.values()]
                )
    print(f"\nprotocol of the paper, {n} rows a side, items of 2 to 4 options")
    print(f"{'':30}" + "".join(f"{title:>32}" for title, _ in PAPER.values()))
    for name, values in rows.items():
        print(f"{name:30}" + "".join(f"{x:32.3f}" for x in np.mean(values, axis=0)))
    for name, (ks, js) in ARMS.items():
        print(f"{'published: ' + name:30}{ks:32.3f}{'':32}{js:32.3f}   (other countries, two items of ten options)")


def published(arm: Path) -> None:
    """Which 40 human answers give the published figures."""
    with arm.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    for item, (options, ks, wasserstein, js, mean_arm, mean_humans) in PUBLISHED.items():
        ours = np.array([float(r[item]) for r in rows])
        fits = []
        for counts in itertools.product(range(len(ours) + 1), repeat=options - 1):
            last = len(ours) - sum(counts)
            humans = np.repeat(np.arange(1.0, options + 1), (*counts, last)) if last >= 0 else np.zeros(0)
            if len(humans) and abs(humans.mean() - mean_humans) <= 0.00051:
                found = (of(ours, humans) for name, (_, of) in PAPER.items() if name != "mean_difference")
                if all(abs(x - y) <= 0.00051 for x, y in zip(found, (ks, wasserstein, js), strict=True)):
                    fits.append((*counts, last))
        told = f"reproduced by human counts {fits[0]}{' only' if len(fits) == 1 else ''}" if fits else "not reproduced"
        print(
            f"{item}: KS {ks} Wasserstein {wasserstein} JS {js}: {told}; mean of the arm {ours.mean():.3f}, published {mean_arm}"
        )


def main() -> None:
    """Print one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("baselines", "published"))
    parser.add_argument("--data", type=Path, help="the folder of shares by country")
    parser.add_argument("--arm", type=Path, help="the published arm's answers")
    parser.add_argument("-n", type=int, default=1000, help="people a side")
    args = parser.parse_args()
    needed = args.data if args.what == "baselines" else args.arm
    if needed is None:
        parser.error("give --data for baselines, --arm for published")
    if args.what == "baselines":
        baselines(needed, args.n)
    else:
        published(needed)


if __name__ == "__main__":
    main()
