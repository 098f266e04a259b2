"""Refills: an empty slot is filled by another attempt, and every failure stays on record; the last attempt is validated too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import deeppersona as dp
from deeppersona import populate, study
from deeppersona.generation.engine import Made
from deeppersona.population import maker as makers
from deeppersona.population.maker import REFILLS, Maker, filled, others
from deeppersona.population.spec import parse_spec
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure, Issue

RAW = {
    "n": 24, "seed": 3, "depth": 20, "base": {"country": "KE"}, "duplicates": "off", "check": 0,
    "quota": [{"over": ["sex", "urban"], "people": [["female", "urban", 7], ["male", "rural", 9]]}],
}  # fmt: skip


class Failing:
    """A maker that fails for some slots in their first attempts."""

    def __init__(self, inner: Maker, until: dict[int, int]) -> None:
        self.inner, self.until, self.plan = inner, until, inner.plan
        self.asked: list[tuple[tuple[int, ...], int]] = []

    def make(self, slots: Sequence[int], attempt: int = 0) -> Made:
        self.asked.append((tuple(slots), attempt))
        bad = [s for s in slots if attempt < self.until.get(s, 0)]
        good = [s for s in slots if s not in bad]
        records = self.inner.make(good, attempt).records if good else []
        return Made(records, [Failure(slot=s, stage="core", reason="injected") for s in bad])


@pytest.fixture(scope="module")
def meant() -> populate.Meant:
    return populate.mean(parse_spec(RAW, "test"), dp.shipped_taxonomy())


@pytest.fixture(scope="module")
def inner(meant: populate.Meant) -> Maker:
    return study.maker_for(meant.plan, dp.shipped_taxonomy())


def slots_of(made: Made) -> list[int]:
    return [r["provenance"]["slot"] for r in made.records]


def test_failed_slots_are_made_again_until_they_are_full(inner: Maker) -> None:
    maker = Failing(inner, {2: 1, 5: 3, 9: REFILLS})
    made = filled(maker, range(12))
    assert slots_of(made) == list(range(12))
    assert [(f.slot, f.refilled) for f in made.failures] == [(2, 1), (5, 3), (9, REFILLS)]
    assert [a for _, a in maker.asked] == list(range(REFILLS + 1))
    assert maker.asked[2] == ((5, 9), 2)  # those already there are not made again


def test_a_slot_refilled_alone_is_the_one_of_the_batch(inner: Maker) -> None:
    maker = Failing(inner, {5: 2})
    assert filled(maker, [5]).records[0] == filled(maker, range(12)).records[5]
    assert filled(maker, [5]).records[0] != inner.make([5]).records[0]


def test_a_slot_that_cannot_be_made_stays_empty_and_on_record(inner: Maker) -> None:
    made = filled(Failing(inner, {4: 99}), range(6))
    assert slots_of(made) == [0, 1, 2, 3, 5]
    assert [(f.slot, f.refilled) for f in made.failures] == [(4, 0)]


def test_without_cells_to_keep_full_nothing_is_made_again() -> None:
    plan = dp.make_plan(6, "KE", seed=1, depth=20)
    made = filled(Failing(study.maker_for(plan, dp.shipped_taxonomy()), {4: 1}), range(6))
    assert slots_of(made) == [0, 1, 2, 3, 5]


def checked(monkeypatch: pytest.MonkeyPatch, faults: dict[int, int]) -> list[int]:
    """Validators find fault with some slots for so many looks; returns the slots looked at."""
    seen: list[int] = []

    def validate(person: dp.Persona, taxonomy: Any) -> list[Issue]:
        slot = person.provenance.slot
        seen.append(slot)
        bad = seen.count(slot) <= faults.get(slot, 0)
        warning = Issue(path="x", rule="mild", message="odd", severity="warning")
        return [warning, *[Issue(path="demographics.age", rule="injected", message="too old")] * bad]

    monkeypatch.setattr(makers, "validate", validate)
    return seen


def test_whoever_a_validator_finds_fault_with_is_made_anew_and_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plan: Plan = populate.mean(parse_spec({**RAW, "check": "all"}, "test"), dp.shipped_taxonomy()).plan
    assert plan.checked
    maker, taxonomy = study.maker_for(plan, dp.shipped_taxonomy()), dp.shipped_taxonomy()
    seen = checked(monkeypatch, {1: 2, 3: 99})
    made = filled(maker, range(5), taxonomy)
    assert slots_of(made) == [0, 1, 2, 4]
    assert [(f.slot, f.stage, f.refilled) for f in made.failures] == [(1, "validators", 2), (3, "validators", 0)]
    assert "too old [injected]" in made.failures[0].reason
    assert seen.count(3) == REFILLS + 1  # the last attempt too
    made = others(maker, [3, 2], REFILLS + 1, taxonomy)
    assert [r["provenance"]["slot"] for r in made] == [2]


@pytest.mark.parametrize(("until", "empty"), [({2: 1, 7: 2}, 0), ({2: 1, 7: 99}, 1)])
def test_a_run_with_failures_keeps_its_quotas_or_says_what_is_empty(
    meant: populate.Meant, inner: Maker, until: dict[int, int], empty: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(study, "maker_for", lambda plan, taxonomy: Failing(inner, until))
    made = populate.populate(meant, tmp_path / "run", dp.shipped_taxonomy(), workers=1)
    assert made.report is not None
    assert (made.people, made.failures, made.report["failures"], made.report["refilled"]) == (
        24 - empty,
        empty,
        empty,
        2 - empty,
    )
    assert (made.report["quota_error"] == 0) == (not empty)
    kept = [
        Failure.model_validate_json(line) for line in (tmp_path / "run" / "failures.jsonl").read_text().splitlines()
    ]
    assert {f.slot: f.refilled for f in kept} == {2: 1, 7: 0 if empty else 2}


def test_pupils_are_refilled_within_their_cells() -> None:
    raw = {"n": 36, "kind": "students", "depth": 20, "base": {"country": ["KE", "JP"]}, "duplicates": "off",
           "quota": [{"over": ["country", "grade"], "share": [["JP", "3", 0.5]]}]}  # fmt: skip
    meant = populate.mean(parse_spec(raw, "test"), dp.shipped_taxonomy())
    inner = study.maker_for(meant.plan, dp.shipped_taxonomy())
    first, made = inner.make(range(36)), filled(Failing(inner, dict.fromkeys(range(0, 36, 3), 1)), range(36))
    pick = ("demographics.country", "student.grade")
    cells = [[[t["value"] for t in r["traits"] if t["path"] in pick] for r in m.records] for m in (first, made)]
    assert cells[0] == cells[1]
    assert first.records[3] != made.records[3]
    assert first.records[4] == made.records[4]
