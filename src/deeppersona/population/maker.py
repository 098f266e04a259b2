"""Who makes the people of a plan, of whatever kind; slots left empty are filled anew, and every failure is kept on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import numpy as np

from deeppersona.facts.tables import Facts, shipped_facts
from deeppersona.generation.engine import Made, Record
from deeppersona.population.allot import engine_of
from deeppersona.population.rounding import Slots
from deeppersona.population.validators import validate
from deeppersona.runtime.executor import without_gc
from deeppersona.runtime.seed import Ints
from deeppersona.schema.persona import Persona
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.read import read_once

REFILLS = 6  # attempts at a slot after the first


class Maker(Protocol):
    """Makes any slots of one plan, in any order; for a further attempt, other people for the same cells."""

    plan: Plan

    def make(self, slots: Sequence[int], attempt: int = 0) -> Made:
        """The records of some slots, in their order, and those that could not be made."""


class StudentMaker:
    """Makes the pupils of a plan (``population.students``)."""

    def __init__(self, plan: Plan, facts: Facts) -> None:
        from deeppersona.population.students import Students

        self.plan = plan
        self.students = Students(plan.countries, facts, told_only=plan.depth < TOLD_ONLY_BELOW)
        if plan.allocation is not None:
            cells, counts = (np.array(column, dtype=np.int64) for column in zip(*plan.allocation.counts, strict=True))
            self._slots, self._cells = Slots(counts, plan.seed), cells
            self._shape = tuple(len(raw) for raw in plan.allocation.dims.values())

    def cells_of(self, slots: Sequence[int]) -> Mapping[str, Ints] | None:
        """What the quotas say of each slot: dimension -> code."""
        if self.plan.allocation is None:
            return None
        at = np.unravel_index(self._cells[self._slots.cell_of(np.asarray(slots, dtype=np.int64))], self._shape)
        codes = dict(zip(self.plan.allocation.dims, at, strict=True))
        if "country" in codes:
            order = [self.students.pupils.homes.code_of[c] for c in self.plan.allocation.dims["country"]]
            codes["country"] = np.array(order)[codes["country"]]
        if "grade" in codes:
            codes["grade"] = codes["grade"] + 1
        return codes

    def make(self, slots: Sequence[int], attempt: int = 0) -> Made:
        """See ``Maker``."""
        return self.students.make(self.plan.seed, slots, self.cells_of(slots), attempt)


TOLD_ONLY_BELOW = 60  # depth: pupils are then recorded by what their profile tells


def maker_of(plan: Plan, taxonomy: Taxonomy) -> Maker:
    """The maker of a plan."""
    return (
        StudentMaker(plan, shipped_facts()) if plan.kind == "students" else engine_of(plan, shipped_facts(), taxonomy)
    )


@lru_cache(maxsize=2)
def maker_elsewhere(plan_json: str, folder: str) -> Maker:
    """The maker of a plan in a process of its own, which builds it once."""
    return maker_of(Plan.model_validate_json(plan_json), read_once(folder))


def filled(maker: Maker, slots: Sequence[int], taxonomy: Taxonomy | None = None) -> Made:
    """Make slots; where the plan's cells are to be kept full, those that failed are made again until they are.

    With a plan that is ``checked``, whoever a validator finds fault with fails, the last attempt too. Each failure stays on
    record, with the attempt at which the slot was filled.
    """
    with without_gc():
        made = _checked(maker, maker.make(slots), taxonomy)
        if not maker.plan.exact or not made.failures:
            return made
        records: dict[int, Record] = {r["provenance"]["slot"]: r for r in made.records}
        failures = {f.slot: f for f in made.failures}
        for attempt in range(1, REFILLS + 1):
            empty = [slot for slot in slots if slot not in records]
            if not empty:
                break
            again = _checked(maker, maker.make(empty, attempt), taxonomy)
            for record in again.records:
                slot = record["provenance"]["slot"]
                records[slot] = record
                failures[slot] = failures[slot].model_copy(update={"refilled": attempt})
        return Made([records[s] for s in slots if s in records], [failures[s] for s in slots if s in failures])


def others(maker: Maker, slots: Sequence[int], attempt: int, taxonomy: Taxonomy | None = None) -> list[Record]:
    """Somebody else for each slot and its cell, looked at like everybody else; a slot whose attempt made nobody is left out."""
    return _checked(maker, maker.make(slots, attempt), taxonomy).records


def _checked(maker: Maker, made: Made, taxonomy: Taxonomy | None) -> Made:
    """Those the validators find no fault with; the others as failures. Pupils are held to their rules as they are made."""
    if not maker.plan.checked or taxonomy is None or maker.plan.kind != "people":
        return made
    kept, failures = [], list(made.failures)
    for record in made.records:
        faults = [i for i in validate(Persona.model_validate(record), taxonomy) if i.severity == "error"]
        if faults:
            slot, reason = record["provenance"]["slot"], f"{faults[0].path}: {faults[0].message} [{faults[0].rule}]"
            failures.append(Failure(slot=slot, stage="validators", reason=reason))
        else:
            kept.append(record)
    return replace(made, records=kept, failures=sorted(failures, key=lambda f: f.slot))
