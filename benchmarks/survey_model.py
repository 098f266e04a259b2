"""Answers that a language model gave in role, beside people's: the ten items against shares of answers of the country.

    deeppersona generate -n 50 --country US --seed 11 --out us50
    deeppersona survey run wvs-iw10 us50 --model SPEC --out model.csv
    deeppersona survey run wvs-iw10 us50 --out grounded.csv
    python benchmarks/survey_model.py model.csv grounded.csv --data DATA

DATA holds the shares of answers by country (see ``tools/fit_wvs.py``). The floor is as many people of the country as were asked, drawn from its
shares, against all of them (2,000 draws); uniform answers are drawn as often.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import fit_wvs
from deeppersona.simulation.answers import read_answers
from deeppersona.simulation.inventory import read_inventory
from survey import _distances, _grouped

DRAWS = 2000


def beside_people(files: list[Path], data: Path) -> dict[str, Any]:
    """By item: KS and Wasserstein (range 1) of each file's answers, of the floor and of uniform answers; means over countries."""
    inventory, seen = read_inventory("wvs-iw10"), fit_wvs.shares(data)
    rng, out = np.random.default_rng(0), dict[str, dict[str, list[float]]]()
    for item, shares in seen.items():
        options, found = inventory.values(item), dict[str, list[Any]]()
        for file in files:
            table = read_answers(file, inventory)
            where, codes = np.array([a["country"] for a in table.about]), table.of([item])[:, 0]
            each = []
            for code in sorted(set(where.tolist()) & set(shares)):
                given = codes[(where == code) & ~np.isnan(codes)]
                if not len(given):
                    continue
                each.append(_distances(_grouped(item, given, options), shares[code])[:2])
                for name, p in (
                    ("floor", shares[code]),
                    ("uniform", _grouped(item, np.repeat(options, 100).astype(float), options)),
                ):
                    drawn = rng.multinomial(len(given), p, DRAWS) / len(given)
                    found.setdefault(name, []).append(np.mean([_distances(d, shares[code])[:2] for d in drawn], axis=0))
            found[file.stem] = each
        out[item] = {
            name: [round(float(x), 3) for x in np.mean(rows, axis=0)] for name, rows in found.items() if len(rows)
        }
    names = next(iter(out.values()))
    return out | {
        "all": {name: np.round(np.mean([of[name] for of in out.values()], axis=0), 3).tolist() for name in names}
    }


def main() -> None:
    """Print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    asked = parser.parse_args()
    print(json.dumps(beside_people(asked.answers, asked.data), indent=1))


if __name__ == "__main__":
    main()
