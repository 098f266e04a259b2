"""People made for the tests: what they answer, and what must be found, is known."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAP = """
title = "a survey made for tests"
licence = "made for tests"
missing = [-1, 9]

[columns]
weight = "w"
sex = "gender"

[recode.sex]
1 = "male"
2 = "female"

[items.happy]
human = "V1"
options = [1, 2, 3, 4]
labels = ["very", "rather", "hardly", "not"]

[items.god]
human = "V2"
options = [1, 2, 3, 4, 5]
"""


def table(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(head)
        writer.writerows(rows)
    return path


def map_file(folder: Path) -> Path:
    path = folder / "map.toml"
    path.write_text(MAP, "utf-8")
    return path


def latent(n: int, seed: int, *, weight_on_trait: float = 0.8) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(sex 1 or 2, age, answers to happy 1..4, answers to god 1..5); women (2) answer higher, the two items go together."""
    g = np.random.default_rng(seed)
    sex, age, z = g.integers(1, 3, n), g.integers(18, 90, n), g.normal(size=n)
    own = np.sqrt(1 - weight_on_trait**2)
    x, y = (weight_on_trait * z + own * g.normal(size=n) + 0.5 * (sex == 2) for _ in range(2))
    return sex, age, np.clip(np.round(2.5 + x), 1, 4).astype(int), np.clip(np.round(3 + y), 1, 5).astype(int)


def humans_file(folder: Path, n: int = 600, seed: int = 1, weights: bool = False) -> Path:
    sex, age, happy, god = latent(n, seed)
    w = np.random.default_rng(seed + 1).uniform(0.2, 3, n) if weights else np.ones(n)
    return table(
        folder / "humans.csv", ("w", "gender", "age", "V1", "V2"), zip(w.round(4), sex, age, happy, god, strict=True)
    )


def ours_file(
    folder: Path, n: int = 400, seed: int = 2, draws: int = 1, name: str = "answers.csv", **kind: float
) -> Path:
    sex, age, happy, god = latent(n, seed, **kind)
    rows = [
        (f"p{k}", item, d, a, ("male", "female")[s - 1], years)
        for k, (s, years, h, r) in enumerate(zip(sex, age, happy, god, strict=True))
        for item, a in (("happy", h), ("god", r))
        for d in range(draws)
    ]
    return table(folder / name, ("person", "item", "draw", "answer", "sex", "age"), rows)
