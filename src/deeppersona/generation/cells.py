"""Where the joint draw begins: a country's people by single year of age x sex x education x urban.

Every other part of the core is a *block*: a table of shares given the cell. A block can say how likely an anchored
value is in each cell, so that anchors are exact conditions of the joint draw and not filters on its outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import AGES, EDUCATION_AND_CHILD, Country, Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema import vocabulary as v

SHAPE = (AGES, 2, len(EDUCATION_AND_CHILD), 2)
AGE, SEX, EDUCATION, URBAN = (axis.ravel() for axis in np.indices(SHAPE))
CHILD_LEVEL = len(EDUCATION_AND_CHILD) - 1
ADULT_AGE = 18
_URBAN_PER_LEVEL = 0.22  # log-odds of living in a town for each level of schooling; the country's share stays exact

Evidence = Mapping[str, str | float | int]


class Block(Protocol):
    """A part of the core that depends on the cell only."""

    def likelihood(self, anchors: Anchors) -> Floats | None:
        """The probability of what the anchors ask, in every cell, shape (cells,); None if they ask nothing here."""

    def draw(self, dice: Dice, cell: Ints, anchors: Anchors) -> dict[str, NDArray[np.int64]]:
        """Draw the block's columns for people in the given cells, within the anchors."""


def logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def solve_intercept(weight: Floats, slope: Floats, target: float) -> float:
    """The intercept c for which the weighted mean of logistic(c + slope) is ``target``, by bisection."""
    low, high = -25.0, 25.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.average(logistic(middle + slope), weights=weight) < target else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class Cells:
    """The joint table of one country: ``weight`` is thousands of people by cell, shape (cells,)."""

    weight: Floats
    evidence: Mapping[str, Evidence]

    @cached_property
    def adult_education(self) -> tuple[float, float]:
        """Mean and standard deviation of the level of schooling among those of 25 and over."""
        grown = self.weight * (AGE >= 25)
        mean = float(np.average(EDUCATION, weights=grown))
        return mean, float(np.sqrt(np.average((EDUCATION - mean) ** 2, weights=grown)))


def country_cells(facts: Facts, country: Country) -> Cells:
    """Build the table: age x sex x education from the census projections, urban by schooling around its own share."""
    people, place = facts.age_sex_education(country)
    urban = facts.figure(country, "urban_share")
    level = np.arange(SHAPE[2], dtype=float)
    level[CHILD_LEVEL] = 0.0
    share = np.full(SHAPE[:3], urban.value)
    grown = people[ADULT_AGE:]
    if 0.0 < urban.value < 1.0 and grown.sum() > 0:
        by_level = grown.sum(axis=(0, 1))
        slope = _URBAN_PER_LEVEL * (level - np.average(level, weights=by_level))
        share[ADULT_AGE:] = logistic(solve_intercept(by_level, slope, urban.value) + slope)
    table = np.stack([people * share, people * (1 - share)], axis=-1)
    return Cells(
        table.ravel(),
        {
            "education": {"table": "age_sex_education", "of": place},
            "urban": {"table": "countries: urban_share", "of": urban.place},
        },
    )


def anchored(cells: Cells, anchors: Anchors, youngest: int) -> Floats:
    """The weights of the cells that pass the anchors on age, sex, education and urban."""
    weight = cells.weight * (youngest <= AGE)
    for key, axis in (("age", AGE), ("education", EDUCATION)):
        if (clause := anchors.get(key)) is not None and clause.words is None:
            weight = weight * ((axis >= clause.low) & (axis <= clause.high))
    if (clause := anchors.get("education")) is not None:
        weight = weight * (EDUCATION != CHILD_LEVEL)
        if clause.words is not None:
            ranks = [v.EDUCATION.index(word) for word in clause.words]
            weight = weight * (np.isin(EDUCATION, ranks) != clause.negated)
    for key, axis, words in (("sex", SEX, v.SEX), ("urban", URBAN, v.URBAN)):
        if (clause := anchors.get(key)) is not None and clause.words is not None:
            weight = weight * np.isin(axis, [words.index(word) for word in clause.words])
    return np.asarray(weight, dtype=np.float64)
