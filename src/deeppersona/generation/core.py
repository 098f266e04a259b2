"""The core of a person, drawn jointly from figures: who, where, how schooled, with whom, believing, speaking, working."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError
from deeppersona.facts.tables import Country, Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.generation.belief import Belief, Place
from deeppersona.generation.cells import (
    ADULT_AGE,
    AGE,
    CHILD_LEVEL,
    EDUCATION,
    SEX,
    URBAN,
    Cells,
    Evidence,
    anchored,
    country_cells,
)
from deeppersona.generation.family import Family
from deeppersona.generation.income import income_position
from deeppersona.generation.kin import crowd_for, draw_kin
from deeppersona.generation.naming import Naming
from deeppersona.generation.work import Work
from deeppersona.runtime.seed import Dice, Floats, Ints

Columns = dict[str, NDArray[np.int64]]
CellDraw = Callable[[Dice, Ints, int], Ints]
"""The cells of some people of a batch, from their dice, their places in the batch, and how often they were drawn before."""
_TRIES = 300
_SOMEBODY = 1e-6  # thousands of people: less is nobody
_CALIBRATION = 3000
_OF_CELLS = {"age", "sex", "education", "urban", "country", "region"}  # conditions that no block has a say in
_BLOCKS = 4
# Steps of the evenly spread sequences (Kronecker), the powers of the plastic number, as 64-bit fractions.
_ORDER = np.lexsort((EDUCATION, AGE, SEX, URBAN))  # cells as they are walked evenly: town and country apart first
_STEPS = tuple(np.uint64(int(2**64 / 1.3247179572447460259609**k)) for k in (1, 2))


def evenly(dice: Dice, rank: Ints, dimension: int, country: str) -> Floats:
    """A low-discrepancy uniform for the ``rank``-th person of a country, shifted at random by seed and country.

    Small populations so cover a table evenly, and any run of people is near its margins (Kronecker sequence).
    """
    one = Dice(dice.seed, np.zeros(1, dtype=np.int64)).bits(f"evenly/{dimension}/{country}")[0]
    with np.errstate(over="ignore"):
        bits = rank.astype(np.uint64) * _STEPS[dimension] + one
    return np.asarray(((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


class CountryModel:
    """Everything drawn for the people of one country, each part built when first asked for: counting by age needs the cells alone."""

    def __init__(self, facts: Facts, code: str) -> None:
        self.country: Country = facts.countries[code]
        self.development: float = facts.development[code]
        self._facts = facts

    @cached_property
    def cells(self) -> Cells:
        """Age x sex x schooling x town or country."""
        return country_cells(self._facts, self.country)

    @cached_property
    def family(self) -> Family:
        """Partners and children."""
        return Family(self._facts, self.country, self.cells, self.development)

    @cached_property
    def work(self) -> Work:
        """Status and occupation."""
        return Work(self._facts, self.country, self.cells, self.development)

    @cached_property
    def belief(self) -> Belief:
        """Religion and language."""
        return Belief(self._facts, self.country)

    @cached_property
    def place(self) -> Place:
        """Town or city."""
        return Place(self._facts, self.country)

    @cached_property
    def naming(self) -> Naming:
        """Names."""
        return Naming(self._facts, self.country, self.belief)

    @cached_property
    def evidence(self) -> Mapping[str, Evidence]:
        """Where each part comes from."""
        return {
            **self.cells.evidence, **self.family.evidence, **self.work.evidence, **self.belief.evidence, **self.place.evidence,
            "name": self.naming.evidence,
        }  # fmt: skip

    @property
    def blocks(self) -> tuple[Family, Work, Belief, Place]:
        """The parts that depend on the cell."""
        return self.family, self.work, self.belief, self.place

    def likelihoods(self, anchors: Anchors) -> list[Floats | None]:
        """What each block says of the anchors, by cell, shape (cells,); None where they ask nothing of it."""
        if set(anchors.clauses) <= _OF_CELLS:
            return [None] * _BLOCKS
        return [block.likelihood(anchors) for block in self.blocks]

    @cached_property
    def income_grid(self) -> Floats:
        """Bounds of the ranks of income, from a reference draw of the country's adults."""
        dice = Dice("income", np.arange(_CALIBRATION, dtype=np.int64))
        weight = self.cells.weight * (AGE >= ADULT_AGE)
        cell = np.searchsorted(np.cumsum(weight), dice.uniform("cell") * weight.sum(), side="right")
        columns = self.work.draw(dice, cell, Anchors({}, {}))
        position = income_position(self.work.jobs, dice, cell, columns, self.cells)
        return np.asarray(np.quantile(position, np.linspace(0.005, 0.995, 199)))

    @cached_property
    def crowd(self) -> float:
        """How crowded households are so that their mean size comes out, from a reference draw of everybody."""
        everybody = np.cumsum(self.cells.weight)
        dice = Dice("household", np.arange(_CALIBRATION // 2, dtype=np.int64))
        cell = np.searchsorted(everybody, dice.uniform("cell") * everybody[-1], side="right")
        people: Columns = {"age": AGE[cell], "sex": SEX[cell], **self.family.draw(dice, cell, Anchors({}, {}))}
        return crowd_for(self.family, self.country.region, self.development, dice, people)


@lru_cache(maxsize=256)
def _model_of(folder: str, code: str) -> CountryModel:
    return CountryModel(_facts(folder), code)


@lru_cache(maxsize=8)
def _facts(folder: str) -> Facts:
    from pathlib import Path

    return Facts(Path(folder))


def country_model(facts: Facts, code: str) -> CountryModel:
    """The model of one country; made once a process."""
    return _model_of(str(facts.folder), code)


def conditional_cells(model: CountryModel, anchors: Anchors, youngest: int) -> Floats:
    """The country's cells weighted by how many people in each meet the anchors: the exact posterior of the cell."""
    weight = anchored(model.cells, anchors, youngest)
    for likelihood in model.likelihoods(anchors):
        if likelihood is not None:
            weight = weight * likelihood
    return weight


def world_weights(facts: Facts, anchors: Anchors, youngest: int) -> dict[str, float]:
    """People (thousands) who meet the anchors, by country, where there are any: how the world is shared out."""
    found = {}
    for code, country in facts.countries.items():
        model = country_model(facts, code)
        cells = conditional_cells(model, anchors, youngest)
        if (people := float(cells.sum())) > _SOMEBODY:
            # A country without a table of its own borrows its region's shape, not its size.
            borrowed = model.cells.weight.sum()
            found[code] = round(people * min((country.figures["population_k"] or borrowed) / borrowed, 1.0), 3) or 0.001
    return found


def refuse_impossible(models: Sequence[CountryModel], anchors: Anchors, youngest: int) -> None:
    """Raise UsageError, naming the smallest set of anchors that clash, when nobody in these countries meets them."""
    possible = [m for m in models if conditional_cells(m, anchors, youngest).sum() > _SOMEBODY]
    if possible or not anchors:
        return
    clash = anchors
    for key in list(anchors.clauses):
        fewer = clash.without(key)
        if all(conditional_cells(m, fewer, youngest).sum() <= _SOMEBODY for m in models):
            clash = fewer
    said = " and ".join(anchors.written[key] for key in clash.clauses)
    where = ", ".join(m.country.name for m in models[:5]) + (" ..." if len(models) > 5 else "")
    grown = f" among people of {youngest} and over" if youngest else ""
    raise UsageError(
        f"nobody in {where}{grown} has {said or 'these anchors'}; loosen one of them"
        + (", or pass --all-ages" if youngest and "age" in clash.clauses else "")
    )


def walked(weight: Floats, rank: Ints, country: str) -> CellDraw:
    """Draw cells by their weight, shape (cells,), walking evenly along them by rank; by chance when drawn again."""
    cumulative = np.cumsum(weight[_ORDER])

    def draw(dice: Dice, places: Ints, attempt: int) -> Ints:
        u = dice.uniform("cell") if attempt else evenly(dice, rank[places], 0, country)
        return np.asarray(_ORDER[np.searchsorted(cumulative, u * cumulative[-1], side="right").clip(max=AGE.size - 1)])

    return draw


def draw_core(
    model: CountryModel, dice: Dice, rank: Ints, anchors: Anchors, draw_cell: CellDraw
) -> tuple[Columns, NDArray[np.bool_]]:
    """Draw the core of the people of one country; columns hold codes (see ``vocabulary``) or whole numbers.

    ``rank`` is the place of each among the country's people of the plan. What cannot be had from the joint table alone
    (income, household size) is met by drawing again. Returns the columns and which people could be made.
    """
    pending = np.arange(len(dice))
    columns: Columns = {}
    for attempt in range(_TRIES):
        part = dice.rows(pending)
        if attempt:
            part = part.again(attempt)
        cell = draw_cell(part, pending, attempt)
        spread = evenly(dice, rank[pending], 1, model.country.iso2) if attempt == 0 else None
        drawn: Columns = {
            "cell": cell, "age": AGE[cell], "sex": SEX[cell], "education": EDUCATION[cell], "urban": URBAN[cell],
            **model.family.draw(part, cell, anchors), **model.work.draw(part, cell, anchors),
            **model.belief.draw(part, cell, anchors, spread), **model.place.draw(part, cell, anchors),
        }  # fmt: skip
        drawn["education"] = np.where(drawn["education"] == CHILD_LEVEL, -1, drawn["education"])
        position = income_position(model.work.jobs, part, cell, drawn, model.cells)
        percentile = (np.searchsorted(model.income_grid, position) * 0.5 + 0.25).clip(0.25, 99.75)
        drawn["income_percentile"] = np.rint(percentile).astype(np.int64).clip(1, 99)
        drawn["income"] = (percentile // 20).astype(np.int64).clip(0, 4) + 1
        drawn |= draw_kin(model.family, model.country.region, model.development, model.crowd, part, drawn)
        drawn |= _relatives(model.work, part, drawn)
        drawn["attempt"] = np.full(len(part), attempt)
        if not columns:
            columns = {name: np.zeros(len(dice), dtype=np.int64) for name in drawn}
        good = _meets(drawn, anchors)
        for name, values in drawn.items():
            columns[name][pending[good]] = values[good]
        pending = pending[~good]
        if not len(pending):
            break
    made = np.ones(len(dice), dtype=bool)
    made[pending] = False
    return columns, made


def _relatives(work: Work, dice: Dice, drawn: Columns) -> Columns:
    """What the partner does, and what the parents did when the person was small (a level less schooled)."""
    level = np.where(drawn["education"] < 0, 3, drawn["education"])
    before = (level - 1 - (dice.uniform("parents schooling") < 0.5)).clip(min=0).astype(np.int64)
    grown = np.full(len(dice), 42)
    women, men = np.zeros(len(dice), dtype=np.int64), np.ones(len(dice), dtype=np.int64)
    partner = np.where(
        drawn["partner_age"] >= 18,
        work.of_relative(dice, "partner", drawn["partner_age"].clip(min=18), 1 - drawn["sex"], level, drawn["urban"]),
        -1,
    )
    return {
        "partner_job": np.where(drawn["partner_age"] > 66, -1, partner),
        "mother_job": work.of_relative(dice, "mother", grown, women, before, drawn["urban"]),
        "father_job": work.of_relative(dice, "father", grown, men, before, drawn["urban"]),
    }


def _meets(drawn: Columns, anchors: Anchors) -> NDArray[np.bool_]:
    good = np.ones(len(drawn["age"]), dtype=bool)
    for key in ("income", "household"):
        if (clause := anchors.get(key)) is not None:
            good &= (drawn[key] >= clause.low) & (drawn[key] <= clause.high)
    return good
