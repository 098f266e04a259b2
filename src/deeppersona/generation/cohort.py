"""A cohort: many people at once, as columns. What a condition asks becomes a mask over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.generation.core import (
    CellDraw,
    Columns,
    CountryModel,
    conditional_cells,
    country_model,
    draw_core,
    walked,
)
from deeppersona.generation.latents import draw_values, latents, personality, spread
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import Clause, Condition

Mask = NDArray[np.bool_]
_CODED = {
    "sex": v.SEX, "urban": v.URBAN, "status": v.STATUS, "sector": v.SECTOR, "trade": v.TRADE, "marital": v.MARITAL,
    "religion": v.RELIGION, "region": v.REGION, "with_parents": ("no", "yes"),
}  # fmt: skip
NONE = -1


@dataclass
class Cohort:
    """People of a plan side by side.

    ``columns`` holds codes of the closed vocabularies or whole numbers, -1 for none; ``latents`` is (people, latents);
    ``big_five`` raw scores 1-5 (people, 5); ``values`` positions on the values map (people, 2).
    """

    dice: Dice
    columns: Columns
    country: NDArray[np.str_]
    latents: Floats
    big_five: Floats
    values: Floats
    models: Mapping[str, CountryModel]
    made: Mask
    given_core: list[dict[str, object]] = field(default_factory=list)
    _masks: dict[Clause, Mask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.dice)

    @cached_property
    def places(self) -> tuple[dict[str, int], Ints, Ints]:
        """The countries that occur, numbered; each person's country by that number; the region of each country."""
        present, first, code = np.unique(self.country, return_index=True, return_inverse=True)
        numbered = {str(country): k for k, country in enumerate(present)}
        return numbered, np.asarray(code, dtype=np.int64), self.columns["region"][first]

    def in_order(self, index: NDArray[np.intp]) -> Cohort:
        """The same people in another order."""
        return Cohort(
            self.dice.rows(index), {name: column[index] for name, column in self.columns.items()}, self.country[index],
            self.latents[index], self.big_five[index], self.values[index], self.models, self.made[index],
            [self.given_core[int(i)] for i in index] if self.given_core else [],
        )  # fmt: skip

    def model(self, i: int) -> CountryModel:
        """The model of the country of person ``i``."""
        return self.models[str(self.country[i])]

    def fact_mask(self, clause: Clause) -> Mask:
        """Who passes a clause on a core fact, shape (people,)."""
        known = self._masks.get(clause)
        if known is None:
            known = self._masks[clause] = self._fact_mask(clause)
        return known

    def _fact_mask(self, clause: Clause) -> Mask:
        key = clause.key
        if key == "country":
            present, code, _ = self.places
            named = np.array([c in (clause.words or ()) for c in present], dtype=bool)
            return np.asarray(named[code] != clause.negated)
        if key in ("mother", "father"):
            alive = self.columns[f"{key}_age"] != NONE
            wanted = np.array([word == "alive" for word in clause.words or ()])
            return np.asarray(np.isin(alive, wanted) != clause.negated)
        column = self.columns[key]
        if clause.words is None:
            held = (column >= clause.low) & (column <= clause.high)
            return np.asarray(held & (column != NONE)) if key != "children" else np.asarray(held)
        words = v.EDUCATION if key == "education" else _CODED[key]
        named = np.array([word in clause.words for word in words] + [False])  # the last place is that of NONE, -1
        return np.asarray(named[column] != clause.negated)

    def mask(self, condition: Condition, attribute_mask: Callable[[Clause], Mask] | None = None) -> Mask:
        """Who passes a condition; clauses on attributes are asked of ``attribute_mask``."""
        out = np.ones(len(self), dtype=bool)
        for clause in condition.clauses:
            if clause.is_fact:
                out &= self.fact_mask(clause)
            elif attribute_mask is not None:
                out &= attribute_mask(clause)
        return out


def merge(cohorts: Sequence[Cohort]) -> Cohort:
    """Put cohorts of the same seed side by side, in their order."""
    return Cohort(
        dice=Dice.side_by_side([c.dice for c in cohorts]),
        columns={name: np.concatenate([c.columns[name] for c in cohorts]) for name in cohorts[0].columns},
        country=np.concatenate([c.country for c in cohorts]),
        latents=np.concatenate([c.latents for c in cohorts]),
        big_five=np.concatenate([c.big_five for c in cohorts]),
        values=np.concatenate([c.values for c in cohorts]),
        models={code: model for c in cohorts for code, model in c.models.items()},
        made=np.concatenate([c.made for c in cohorts]),
        given_core=[kept for c in cohorts for kept in c.given_core],
    )


def draw_cohort(
    facts: Facts, dice: Dice, country: NDArray[np.str_], rank: Ints, anchors: Anchors, youngest: int,
    cells: dict[str, Floats], *, draw_cell: Callable[[CountryModel, Ints], CellDraw] | None = None, even: Ints | None = None,
) -> Cohort:  # fmt: skip
    """Draw the cores and latents of a batch of slots.

    ``country`` is each slot's country, ``rank`` its place among that country's people of the plan; ``cells`` keeps
    the conditioned tables between batches (filled here when missing). ``draw_cell`` draws the cells of the people of a
    country, given by their places in the batch, in its own way; ``even`` are numbers along which personality and values
    are spread evenly (see ``latents.spread``) instead of by chance.
    """
    n = len(dice)
    columns: Columns = {}
    made = np.ones(n, dtype=bool)
    education_z, development, values = np.zeros(n), np.zeros(n), np.zeros((n, 2))
    models: dict[str, CountryModel] = {}
    for code in sorted(set(country.tolist())):
        index = np.nonzero(country == code)[0]
        model = models[code] = country_model(facts, code)
        if draw_cell is not None:
            draw = draw_cell(model, index)
        else:
            if code not in cells:
                cells[code] = conditional_cells(model, anchors, youngest)
            draw = walked(cells[code], rank[index], code)
        part = dice.rows(index)
        drawn, good = draw_core(model, part, rank[index], anchors, draw)
        made[index] = good
        drawn["religion"] = np.array([v.RELIGION.index(g) for g in model.belief.groups])[drawn["belief"]]
        drawn["region"] = np.full(len(index), v.REGION.index(model.country.region))
        job = drawn["occupation"]
        drawn["sector"] = np.where(job >= 0, facts.occupations.sector[job.clip(min=0)], NONE)
        drawn["trade"] = np.where(job >= 0, facts.occupations.trade[job.clip(min=0)], NONE)
        for name, column in drawn.items():
            columns.setdefault(name, np.zeros(n, dtype=np.int64))[index] = column
        mean, sd = model.cells.adult_education
        level = np.where(drawn["education"] < 0, mean, drawn["education"])
        education_z[index] = ((level - mean) / max(sd, 0.5)).clip(-2.5, 2.5)
        development[index] = model.development
        centre = (facts.figure(model.country, "iw_x").value, facts.figure(model.country, "iw_y").value)
        chance = spread(part, None if even is None else even[index])
        values[index] = draw_values(chance, drawn["age"], education_z[index], drawn["urban"], centre)
    norms = personality(str(facts.folder))
    raw = norms.draw(spread(dice, even), columns["age"], columns["sex"])
    believes = columns["religion"] != v.RELIGION.index("none")
    matrix = latents(dice, columns, norms.standardise(raw), values, education_z, development, believes)
    return Cohort(dice, columns, country, matrix, raw, values, models, made)
