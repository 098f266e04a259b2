"""A person's standing among the incomes of their country, from work, schooling, place and chance."""

from __future__ import annotations

import numpy as np

from deeppersona.facts.tables import Occupations
from deeppersona.generation.cells import AGE, CHILD_LEVEL, EDUCATION, SEX, URBAN, Cells
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema import vocabulary as v

# Weights of a Mincer-like score (Mincer 1974: schooling, experience and its square); what they leave is chance.
_OCCUPATION, _SCHOOLING, _URBAN, _EXPERIENCE, _WOMEN, _CHANCE = 0.55, 0.35, 0.18, 0.25, -0.12, 0.70
_BY_STATUS = {
    "child": 0.0, "student": 0.0, "employed": 0.1, "self_employed": -0.1,
    "unemployed": -0.65, "homemaker": -0.15, "retired": -0.2, "unable_to_work": -0.75,
}  # fmt: skip


def income_position(jobs: Occupations, dice: Dice, cell: Ints, columns: dict[str, Ints], cells: Cells) -> Floats:
    """A score whose rank among the country's adults is the income position, shape (people,)."""
    mean, sd = cells.adult_education
    level = np.where(EDUCATION[cell] == CHILD_LEVEL, mean, EDUCATION[cell])
    job = columns["occupation"]
    last = np.where(job >= 0, job, columns["former"])
    pay = np.where(last >= 0, jobs.income[last.clip(min=0)], 0.0) * np.where(job >= 0, 1.0, 0.4)
    status = np.array([_BY_STATUS[word] for word in v.STATUS])[columns["status"]]
    experience = 1.0 - ((AGE[cell] - 48.0) / 30.0) ** 2
    return np.asarray(
        _OCCUPATION * pay
        + _SCHOOLING * (level - mean) / max(sd, 0.3)
        + _URBAN * (URBAN[cell] == 0)
        + _EXPERIENCE * experience.clip(-1, 1) * (AGE[cell] >= 18)
        + _WOMEN * (SEX[cell] == 0) * (job >= 0)
        + status
        + _CHANCE * dice.normal("income")
    )
