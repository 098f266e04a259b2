"""Fit the response model of the 50 IPIP markers to one half of the measured answers; write inventories/ipip-50.model.toml.

    python tools/fit_ipip.py --originals DIR [--check]

DIR holds big5_openpsychometrics_19719x57.tsv.gz (Open-Source Psychometrics Project). Rows of even number (the first is 0),
adults only, are the half that is built on; ``benchmarks/survey.py`` reports on the odd ones. Running it again gives the same bytes.

Thresholds are normal quantiles of the answer shares. Correlations are polychoric (Olsson 1979, two steps). Twelve principal
axes give the common part C of them. The five traits are the common parts of the unit-weighted scales (multiple-group factors,
Thurstone 1945), so that they are what a scale score measures; what C holds besides them is kept as seven minor factors, which
carry facets and doublets.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUT = (
    Path(__file__).resolve().parent.parent / "src" / "deeppersona" / "simulation" / "inventories" / "ipip-50.model.toml"
)
FILE = "big5_openpsychometrics_19719x57.tsv.gz"
TRAITS = {
    "E": ("extraversion", (2, 4, 6, 8, 10)),
    "N": ("neuroticism", (2, 4)),
    "A": ("agreeableness", (1, 3, 5, 7)),
    "C": ("conscientiousness", (2, 4, 6, 8)),
    "O": ("openness", (2, 4, 6)),
}
ITEMS = tuple(f"{letter}{k}" for letter in TRAITS for k in range(1, 11))
KEY = np.array([-1.0 if k in TRAITS[letter][1] else 1.0 for letter in TRAITS for k in range(1, 11)])
SCALE = np.repeat(np.arange(5), 10)
FACTORS = 12
_GRID = np.linspace(-0.95, 0.95, 381)


def answers(folder: Path) -> tuple[Ints, Ints, Ints]:
    """Answers (people, 50; 1-5), ages and sexes (0 female, 1 male) of the adults of the even rows without a gap."""
    file = next(iter(sorted(folder.rglob(FILE))), None)
    if file is None:
        raise SystemExit(f"{FILE} is not under {folder}: download it first (see facts/sources.toml)")
    with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as handle:
        rows = [row for k, row in enumerate(csv.DictReader(handle, delimiter="\t")) if k % 2 == 0]
    kept, age, sex = [], [], []
    for row in rows:
        given = [int(row[item] or 0) for item in ITEMS]
        years = int(row["age"]) if row["age"].strip().isdigit() else 0
        if 18 <= years <= 100 and row["gender"] in ("1", "2") and min(given) > 0:
            kept.append(given)
            age.append(years)
            sex.append(0 if row["gender"] == "2" else 1)
    return np.array(kept), np.array(age), np.array(sex)


def _thresholds(table: Ints) -> Floats:
    """Normal quantiles of the running shares of answers, shape (items, 4)."""
    running = np.stack([(table <= k).mean(axis=0) for k in range(1, 5)], axis=1)
    return np.asarray(np.vectorize(NormalDist().inv_cdf)(running.clip(1e-4, 1 - 1e-4)), dtype=np.float64)


def polychoric(table: Ints) -> Floats:
    """Polychoric correlations of items answered 1-5 (people, items), by likelihood on a grid with a parabola at the top.

    The bivariate normal integral over rho is that of its density at the cut points (Plackett 1954), summed by trapezoids.
    """
    cut = _thresholds(table)
    n, items = table.shape
    margin = np.stack([(table <= k).mean(axis=0) for k in range(1, 5)], axis=1)
    spots = np.stack([(table == k) for k in range(1, 6)], axis=2).astype(np.float32)
    out = np.eye(items)
    zero = len(_GRID) // 2
    for i in range(items):
        a = cut[i][None, :, None, None]
        b = cut[i + 1 :].transpose(1, 0)[None, None]  # (1, 1, 4, others)
        if not b.size:
            break
        rho = _GRID[:, None, None, None]
        density = np.exp(-(a**2 - 2 * rho * a * b + b**2) / (2 * (1 - rho**2))) / (2 * np.pi * np.sqrt(1 - rho**2))
        step = _GRID[1] - _GRID[0]
        area = np.concatenate([np.zeros_like(density[:1]), np.cumsum((density[1:] + density[:-1]) / 2 * step, axis=0)])
        both = area - area[zero] + margin[i][None, :, None, None] * margin[i + 1 :].T[None, None]
        full = np.zeros((len(_GRID), 6, 6, b.shape[-1]))
        full[:, 1:5, 1:5] = both
        full[:, 5, 1:5] = margin[i + 1 :].T[None]
        full[:, 1:5, 5] = margin[i][None, :, None]
        full[:, 5, 5] = 1.0
        cells = np.diff(np.diff(full, axis=1), axis=2).clip(1e-10)
        seen = np.einsum("pa,pjb->abj", spots[:, i], spots[:, i + 1 :])
        found = np.einsum("gabj,abj->gj", np.log(cells), seen / n)
        top = found.argmax(axis=0).clip(1, len(_GRID) - 2)
        j = np.arange(len(top))
        low, mid, high = found[top - 1, j], found[top, j], found[top + 1, j]
        out[i, i + 1 :] = out[i + 1 :, i] = _GRID[top] + step * 0.5 * (low - high) / (low - 2 * mid + high)
    return out


def principal_axes(r: Floats, factors: int, rounds: int = 200) -> Floats:
    """Loadings (items, factors) by iterated principal axes."""
    h = 1.0 - 1.0 / np.diag(np.linalg.inv(r + 0.01 * np.eye(len(r))))
    for _ in range(rounds):
        reduced = r.copy()
        np.fill_diagonal(reduced, h)
        values, vectors = np.linalg.eigh(reduced)
        loadings = vectors[:, -factors:] * np.sqrt(values[-factors:].clip(0))
        h = (loadings**2).sum(axis=1).clip(0.02, 0.97)
    return np.asarray(loadings)


def fit(table: Ints, age: Ints, sex: Ints) -> dict[str, Any]:
    """The model of answers (people, 50): thresholds, loadings on traits and minor factors, reliabilities, trait correlations."""
    r = polychoric(table)
    axes = principal_axes(r, FACTORS)
    common = axes @ axes.T
    weights = np.zeros((50, 5))
    weights[np.arange(50), SCALE] = KEY
    cov = weights.T @ common @ weights
    d = np.sqrt(np.diag(cov))
    phi = cov / np.outer(d, d)
    pattern = (common @ weights / d) @ np.linalg.inv(phi)
    values, vectors = np.linalg.eigh(common - pattern @ phi @ pattern.T)
    minor = vectors[:, ::-1][:, : FACTORS - 5] * np.sqrt(values[::-1][: FACTORS - 5].clip(0))
    minor = minor * np.sign(minor[np.abs(minor).argmax(axis=0), np.arange(FACTORS - 5)])
    keyed = np.where(KEY > 0, table, 6 - table)
    scores = np.stack([keyed[:, k == SCALE].mean(axis=1) for k in range(5)], axis=1)
    return {
        "thresholds": _thresholds(table), "traits": pattern, "minor": minor, "phi": phi,
        "reliability": np.array([_alpha(keyed[:, k == SCALE]) for k in range(5)]),
        "mean": scores.mean(axis=0), "sd": scores.std(axis=0, ddof=1), "n": len(table), "scores": scores,
        "structure": structure(keyed),
    }  # fmt: skip


def _alpha(x: Ints) -> float:
    k = x.shape[1]
    return float(k / (k - 1) * (1 - x.var(axis=0, ddof=1).sum() / x.sum(axis=1).var(ddof=1)))


def structure(keyed: Ints) -> Floats:
    """Varimax loadings (50, 5) of the first five principal components of answers, in the order and sense of the traits."""
    from deeppersona.evaluation.psychometrics import matched, principal_components, varimax

    target = np.zeros((50, 5))
    target[np.arange(50), SCALE] = 1.0
    return matched(varimax(principal_components(np.corrcoef(keyed, rowvar=False), 5)), target)


def written(model: dict[str, Any]) -> str:
    """The model as TOML."""
    names = [name for name, _ in TRAITS.values()]

    def line(values: Any, digits: int) -> str:
        return "[" + ", ".join(f"{float(x) + 0.0:.{digits}f}" for x in values) + "]"

    out = [
        "# Made by tools/fit_ipip.py; do not edit. Our own figures, derived from the adults of the even rows of the answers of",
        "# 19,719 people to the 50 IPIP markers (Open-Source Psychometrics Project, about 2012; open data, to be cited).",
        "",
        'kind = "traits"',
        'source = "Derived from one half of the open answers of 19,719 people, Open-Source Psychometrics Project"',
        'licence = "Apache-2.0; the open data behind it are to be cited"',
        f"n = {model['n']}",
        "trait_stability = 0.90",
        "minor_stability = 0.80",
        "item_stability = 0.45",
        "",
        "[traits]",
        f"names = [{', '.join(chr(34) + n + chr(34) for n in names)}]",
        f"mean = {line(model['mean'], 3)}",
        f"sd = {line(model['sd'], 3)}",
        f"reliability = {line(model['reliability'], 3)}",
        "correlations = [",
        *(f"  {line(row, 3)}," for row in model["phi"]),
        "]",
        "",
        "# Of each item: cut points of the answer on the normal scale; loadings on the traits; on minor factors; loadings of",
        "# people's (keyed) answers on five varimax components, which is the structure that answers are compared with.",
    ]
    for i, item in enumerate(ITEMS):
        out += [
            "", f"[items.{item}]",
            f"thresholds = {line(model['thresholds'][i], 3)}",
            f"traits = {line(model['traits'][i], 3)}",
            f"minor = {line(model['minor'][i], 3)}",
            f"structure = {line(model['structure'][i], 3)}",
        ]  # fmt: skip
    return "\n".join(out) + "\n"


def main() -> None:
    """Read the command line, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--originals", type=Path, required=True, help="folder of the downloaded original")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    arguments = parser.parse_args()
    model = fit(*answers(arguments.originals))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(written(model), "utf-8")
    for k, (name, _) in enumerate(TRAITS.values()):
        print(f"{name:18} alpha {model['reliability'][k]:.3f}  mean {model['mean'][k]:.2f}  sd {model['sd'][k]:.2f}")
    print(f"{model['n']} adults; written to {arguments.out}")


if __name__ == "__main__":
    main()
