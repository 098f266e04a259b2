"""Making: what is at fault is drawn again and nothing else, the last round is looked at, a slot that cannot be is a failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deeppersona as dp
from deeppersona.population.students import Students, make, rules
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.rules import Rule
from deeppersona.schema.persona import Persona

Record = dict[str, Any]


def test_a_record_is_a_persona_of_ours(students: Students, records: list[Record]) -> None:
    persona = Persona.model_validate(records[17])
    assert persona.record() | {"traits": 0} == records[17] | {"traits": 0}
    assert persona.id == "pupil-000017" and persona.kind == "student" and persona.stories == ()
    for key in ("age", "sex", "country", "name"):
        assert f"demographics.{key}" in persona
    assert {t.source for t in persona.traits} == {"table", "prior", "derived"}
    assert persona.provenance.taxonomy == students.schema.fingerprint and persona.provenance.model is None
    assert persona.name in persona.system_prompt and persona.narrative in persona.system_prompt
    assert len(persona) > 95


def test_records_make_a_population(records: list[Record]) -> None:
    people = dp.Population(records[:60])
    assert sum(people.marginal("student.academic.level").values()) == pytest.approx(1.0)
    assert 0 < len(people.filter(age="6..10", sex="female")) < 60


def test_every_trait_says_where_it_comes_from(records: list[Record]) -> None:
    for record in records[:50]:
        paths = [t["path"] for t in record["traits"]]
        assert len(paths) == len(set(paths))
        assert all(t["evidence"] for t in record["traits"])


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    slots=st.lists(st.integers(0, 2**40), min_size=2, max_size=8, unique=True),
    data=st.data(),
)
def test_bytes_do_not_depend_on_the_batch(students: Students, seed: int, slots: list[int], data: st.DataObject) -> None:
    together = {r["id"]: orjson.dumps(r) for r in students.make(seed, slots).records}
    cut = data.draw(st.integers(1, len(slots) - 1))
    apart = [*students.make(seed, slots[cut:]).records, *students.make(seed, slots[:cut]).records]
    assert {r["id"]: orjson.dumps(r) for r in apart} == together


def test_the_world_and_a_country_draw_the_same_school(students: Students) -> None:
    kenya = Students({"Kenya": 2.0}).make(4, range(20)).records
    assert all({t["path"]: t["value"] for t in r["traits"]}["demographics.country"] == "KE" for r in kenya)


def test_a_record_may_be_left_lean(students: Students) -> None:
    lean = Students({"KE": 1}, told_only=True)
    full = Students({"KE": 1})
    for short, long in zip(lean.make(1, range(30)).records, full.make(1, range(30)).records, strict=True):
        assert short["narrative"] == long["narrative"] and 55 < len(short["traits"]) < len(long["traits"]) - 15
        assert rules.validate(short) == []
        assert len(orjson.dumps(short)) < 0.6 * len(orjson.dumps(long))
        same = {t["path"]: t for t in long["traits"]}
        assert all({k: x for k, x in same[t["path"]].items() if k in t} == t for t in short["traits"])
        assert Persona.model_validate(short).narrative == long["narrative"]


def test_a_further_attempt_is_another_pupil_of_the_same_slot_and_cell(students: Students) -> None:
    slots, cells = np.arange(40), {"grade": np.arange(40) % 12 + 1, "level": np.full(40, 3)}
    attempts = [students.make(5, slots, cells, k).records for k in (0, 1, 2)]
    assert [orjson.dumps(r) for r in attempts[0]] == [orjson.dumps(r) for r in students.make(5, slots, cells).records]
    for first, second, third in zip(*attempts, strict=True):
        assert first["provenance"] == second["provenance"] == third["provenance"] and first["id"] == third["id"]
        assert len({first["narrative"], second["narrative"], third["narrative"]}) == 3
        of = students.pupils.categories_of
        assert of(first) == of(second) == of(third)  # what the quota fixed, and what was drawn of the cell
        assert rules.validate(second) == []
    assert orjson.dumps(students.make(5, [7], {k: x[7:8] for k, x in cells.items()}, 2).records[0]) == orjson.dumps(
        attempts[2][7]
    )


def test_the_categories_of_a_record_are_those_it_was_asked_for(students: Students) -> None:
    words = students.pupils.cells()
    n = 48
    asked = {name: np.arange(n) * 7 % len(values) for name, values in words.items()}
    made = students.make(6, range(n), {**asked, "grade": asked["grade"] + 1}).records
    for i, record in enumerate(made):
        want = {name: str(values[asked[name][i]]) for name, values in words.items()}
        assert students.pupils.categories_of(record) == want


def test_the_prompt_names_the_country_once(records: list[Record]) -> None:
    alone = Students({"Kenya": 1.0}).make(4, range(20)).records
    for record in (*records[:60], *alone):
        first = record["system_prompt"].split("\n")[0]
        country = next(t["evidence"]["name"] for t in record["traits"] if t["path"] == "demographics.country")
        assert first.count(country) == 1, first


def _spoilt(students: Students, spoil: Any) -> Students:
    """Students of the same tables whose draw is spoilt before it is looked at."""
    other = object.__new__(Students)
    other.__dict__ |= students.__dict__

    class Spoilt:
        def __getattr__(self, name: str) -> Any:
            return getattr(students.pupils, name)

        def draw(self, *args: Any) -> Columns:
            columns = students.pupils.draw(*args)
            spoil(columns)
            return columns

    other.pupils = Spoilt()  # type: ignore[assignment]
    return other


def test_only_what_is_at_fault_is_drawn_again(students: Students) -> None:
    slots = np.arange(300)
    before = students.pupils.draw(8, slots)
    columns = {name: column.copy() for name, column in before.items()}
    columns["erikson"][:30] = np.where(columns["age"][:30] < 12, 3, 0)
    assert students.settle(8, columns) == {}
    for name, column in columns.items():
        if name not in ("piaget", "erikson", "kohlberg"):
            assert (column == before[name]).all(), name
        assert (column[30:] == before[name][30:]).all(), name


def test_what_hangs_on_the_fault_follows(students: Students) -> None:
    columns = students.pupils.draw(8, np.arange(300))
    columns["age"][:50] = 25
    assert students.settle(8, columns) == {}
    assert (columns["age"] < 21).all() and rules.broken(columns) == {}


def test_a_spoilt_draw_still_gives_every_slot(students: Students) -> None:
    def spoil(columns: Columns) -> None:
        columns["student.home.weekend/does"][::3] = 10_000 % 17
        columns["calm"][::2] = 5
        columns["neuroticism"][::2] = 5

    made = _spoilt(students, spoil).make(2, range(60))
    assert not made.failures and len(made.records) == 60
    assert rules.validate_all(made.records) == [[]] * 60


def test_what_cannot_be_mended_is_a_failure_with_its_reason(
    students: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = Rule(
        "never",
        "no girl of grade 3",
        "test",
        "student",
        lambda c, s: np.asarray((c["grade"] == 3) & (c["sex"] == 0)),
        ("marks",),
    )
    monkeypatch.setattr(rules, "RULES", (*rules.RULES, never))
    monkeypatch.setattr(make, "RULES", rules.RULES)
    columns = students.pupils.draw(3, np.arange(200))
    barred = np.flatnonzero((columns["grade"] == 3) & (columns["sex"] == 0)).tolist()
    made = students.make(3, range(200))
    assert [f.slot for f in made.failures] == barred and barred
    assert all(f.stage == "students" and "never" in f.reason for f in made.failures)
    assert [r["provenance"]["slot"] for r in made.records] == [i for i in range(200) if i not in barred]


def test_a_warning_is_mended_where_it_can_be_and_costs_no_slot(
    students: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    mild = Rule(
        "mild",
        "no boy of grade 5",
        "test",
        "student",
        lambda c, s: np.asarray((c["grade"] == 5) & (c["sex"] == 1)),
        ("marks",),
        (),
        "warning",
    )
    monkeypatch.setattr(rules, "RULES", (*rules.RULES, mild))
    monkeypatch.setattr(make, "RULES", rules.RULES)
    assert students.make(3, range(100)).failures == []


def test_a_text_at_fault_is_told_again(students: Students, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, spoilt = students.teller.tell, []

    def once(sheet: Any) -> str:
        text = tell(sheet)
        if not spoilt:
            spoilt.append(text)
            return text + " {x}"
        return text

    monkeypatch.setattr(students.teller, "tell", once)
    made = students.make(3, range(5))
    assert not made.failures and len(made.records) == 5
    assert made.records[0]["narrative"] != spoilt[0] and "{" not in made.records[0]["narrative"]


def test_a_text_that_never_reads_is_a_failure(students: Students, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = students.teller.tell
    monkeypatch.setattr(students.teller, "tell", lambda sheet: tell(sheet).replace(".", " ."))
    made = students.make(3, range(3))
    assert not made.records and [f.slot for f in made.failures] == [0, 1, 2]
    assert all(f.stage == "profile" and "text-reads" in f.reason for f in made.failures)
