"""A person's standardised position on what leans their choices: personality, values, health, interests.

Personality: means and spreads by age and sex and correlations measured on 19,719 people (50 IPIP markers); no country
shifts, since instruments disagree on them. Values: the country's place on the Inglehart-Welzel map (Tao et al. 2024),
with age and schooling inside the country. The rest are modest linear mixes of these, standardised, plus chance;
the strengths are given in ``_MIX`` and mean correlations of about .2 to .5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import Facts
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema import vocabulary as v

LATENT_INDEX = {name: i for i, name in enumerate(v.LATENT)}
_VALUE_SPREAD = 1.25  # standard deviation of persons around their country, on the axes of the map
_VALUE_SCALE = 1.6  # of persons over the world, to standardise
# latent -> weights on latents settled before it; chance fills up to unit variance
_MIX: dict[str, dict[str, float]] = {
    "religiosity": {"secular": -0.45, "age": 0.12, "female": 0.10, "agreeableness": 0.10},
    "health": {"age": -0.42, "income": 0.22, "neuroticism": -0.20, "conscientiousness": 0.10, "education": 0.08},
    "sociability": {"extraversion": 0.60, "agreeableness": 0.20, "health": 0.10},
    "health_interest": {"conscientiousness": 0.25, "education": 0.20, "female": 0.12, "age": 0.10, "openness": 0.08},
    "fitness": {"health": 0.40, "conscientiousness": 0.15, "age": -0.22, "extraversion": 0.10},
    "tech": {"age": -0.50, "education": 0.30, "development": 0.25, "urban": 0.12, "openness": 0.08},
    "arts": {"openness": 0.45, "education": 0.15, "female": 0.10},
    "nature": {"openness": 0.15, "age": 0.15, "urban": -0.25, "fitness": 0.10},
    "thrift": {"conscientiousness": 0.30, "income": -0.12, "age": 0.15, "neuroticism": 0.05},
    "risk": {"age": -0.28, "female": -0.18, "extraversion": 0.25, "conscientiousness": -0.20, "openness": 0.12},
    "politics": {"education": 0.28, "age": 0.18, "openness": 0.15, "self_expression": 0.12},
    "family": {"secular": -0.28, "agreeableness": 0.22, "age": 0.10, "female": 0.08, "religiosity": 0.12},
    "ambition": {"age": -0.28, "conscientiousness": 0.20, "extraversion": 0.20, "education": 0.15},
}


Normal = Callable[[str], Floats]
"""Standard normal numbers of people by what is drawn, shape (people,)."""
_SPREAD = (*(f"big five/{t}" for t in v.TRAIT_5), "self expression", "secular")
_ROOT = 1.0969815577985598  # of x ** 8 = x + 1; its powers are steps that fill seven dimensions evenly (R sequence, Roberts 2018)
_STEPS = {label: np.uint64(int(2**64 / _ROOT ** (k + 1))) for k, label in enumerate(_SPREAD)}
_quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])


def spread(dice: Dice, even: Ints | None) -> Normal:
    """The normal numbers of personality and values: by chance, or evenly along the numbers ``even``, shape (people,).

    A low-discrepancy sequence covers the tails of all seven together in small populations too. Its start is drawn by the seed.
    """
    if even is None:
        return dice.normal

    def normal(label: str) -> Floats:
        start = Dice(dice.seed, np.zeros(1, dtype=np.int64)).bits(f"spread/{label}")[0]
        with np.errstate(over="ignore"):
            bits = even.astype(np.uint64) * _STEPS[label] + start
        return np.asarray(_quantile(((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53))

    return normal


class Personality:
    """The measured norms: raw scores (1-5) by age and sex, correlated; ``standardise`` puts them on the adults' scale."""

    def __init__(self, facts: Facts) -> None:
        ages = 105
        self.mean: Floats = np.zeros((ages, 2, 5))
        self.sd: Floats = np.zeros((ages, 2, 5))
        for row in facts.rows("personality.csv"):
            s, t = v.SEX.index(row["sex"]), v.TRAIT_5.index(row["trait"])
            low, high = int(row["age_from"]), int(row["age_to"])
            low, high = (0, high) if low <= 13 else (low, 104 if low >= 65 else high)
            self.mean[low : high + 1, s, t] = float(row["mean"])
            self.sd[low : high + 1, s, t] = float(row["sd"])
        matrix = np.zeros((5, 5))
        for row in facts.rows("personality_correlations.csv"):
            matrix[v.TRAIT_5.index(row["trait"])] = [float(row[t]) for t in v.TRAIT_5]
        self.root: Floats = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
        adults = slice(18, 80)
        self.centre: Floats = np.asarray(self.mean[adults].mean(axis=(0, 1)), dtype=np.float64)
        self.spread: Floats = np.sqrt((self.sd[adults] ** 2).mean(axis=(0, 1)) + self.mean[adults].var(axis=(0, 1)))

    def draw(self, normal: Normal, age: NDArray[np.int64], sex: NDArray[np.int64]) -> Floats:
        """Raw scores of people, shape (people, 5), in the order of ``TRAIT_5``, cut to 1..5."""
        z = np.stack([normal(f"big five/{t}") for t in v.TRAIT_5], axis=1)
        correlated = (z[:, None, :] * self.root[None, :, :]).sum(axis=2)
        return np.asarray((self.mean[age, sex] + self.sd[age, sex] * correlated).clip(1.0, 5.0))

    def standardise(self, raw: Floats) -> Floats:
        """Scores in standard deviations from the mean adult."""
        return np.asarray((raw - self.centre) / self.spread)


@lru_cache(maxsize=4)
def personality(facts_folder: str) -> Personality:
    """The norms of a facts folder, read once."""
    from pathlib import Path

    return Personality(Facts(Path(facts_folder)))


def draw_values(
    normal: Normal, age: NDArray[np.int64], education_z: Floats, urban: NDArray[np.int64], centre: tuple[float, float]
) -> Floats:
    """Positions on the map (survival to self-expression, traditional to secular), shape (people, 2)."""
    young = (45.0 - age) / 18.0
    x = centre[0] + 0.18 * young + 0.28 * education_z + _VALUE_SPREAD * normal("self expression")
    y = centre[1] + 0.16 * young + 0.20 * education_z + 0.10 * (urban == 0) + _VALUE_SPREAD * normal("secular")
    return np.stack([x, y], axis=1)


def latents(
    dice: Dice, columns: dict[str, NDArray[np.int64]], big_five: Floats, values: Floats, education_z: Floats,
    development: Floats, believes: NDArray[np.bool_],
) -> Floats:  # fmt: skip
    """The whole matrix (people, latents) in the order of ``vocabulary.LATENT``."""
    out = np.zeros((len(dice), len(v.LATENT)))

    def put(name: str, values_: NDArray[np.floating[Any]]) -> None:
        out[:, LATENT_INDEX[name]] = np.clip(values_, -3.0, 3.0)

    put("age", (columns["age"] - 45.0) / 18.0)
    put("female", np.where(columns["sex"] == 0, 1.0, -1.0))
    put("education", education_z)
    put("income", (columns["income_percentile"] - 50.0) / 29.0)
    put("urban", np.where(columns["urban"] == 0, 1.0, -1.0))
    put("development", development)
    for i, trait in enumerate(v.TRAIT_5):
        put(trait, big_five[:, i])
    put("self_expression", values[:, 0] / _VALUE_SCALE)
    put("secular", values[:, 1] / _VALUE_SCALE)
    for name, mix in _MIX.items():
        told = sum((w * out[:, LATENT_INDEX[k]] for k, w in mix.items()), start=np.zeros(len(dice)))
        left = max(1.0 - sum(w * w for w in mix.values()), 0.25) ** 0.5
        mixed = told + left * dice.normal(f"latent/{name}")
        put(name, np.where(believes, mixed + 0.25, mixed - 1.1) if name == "religiosity" else mixed)
    return out
