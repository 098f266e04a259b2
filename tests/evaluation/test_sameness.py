"""How alike people are told is measured on equal numbers, before worn phrasings were ruled out and after."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deeppersona.evaluation import sameness as module
from deeppersona.evaluation.sameness import FILE, MEASURES, measures, positivity, sameness, write_sameness
from deeppersona.generation.writing.worn import MILESTONES

FIRST = MILESTONES[0][0]
WORN = "The kettle sings in the cold kitchen and nobody minds it at all."


def various(k: int) -> str:
    return f"Goat{k} ate hat{k} near lake{k}. Later frost{k} fell on roof{k}, brick{k} and lamp{k}."


def person(slot: int, portrait: str, stories: int = 2, name: str = "") -> dict[str, Any]:
    return {
        "traits": [{"path": "demographics.name", "value": name or f"Name {slot}"}],
        "narrative": portrait,
        "stories": [{"text": various(1000 + 10 * slot + k)} for k in range(stories)],
        "provenance": {"slot": slot},
    }


def test_copies_measure_as_copies() -> None:
    alike, unlike = measures([WORN] * 10), measures([various(k) for k in range(10)])
    assert set(alike) == set(unlike) == set(MEASURES)
    assert alike["same_opening"] == 1
    assert unlike["same_opening"] == 0
    assert alike["distinct_2"] < 0.2 < 0.8 < unlike["distinct_2"]
    assert alike["self_bleu"] > 0.9 > 0.5 > unlike["self_bleu"]
    others = measures(["The bus is late.", "Maize grows behind the school.", "He owes his cousin money for a radio."])
    assert alike["similarity"] > 0.95 > 0.5 > others["similarity"]


def test_little_can_be_measured_too() -> None:
    assert measures([]) == {"distinct_2": 0, "self_bleu": 0, "similarity": 0, "same_opening": 0, "positive": 0.5}
    assert measures([WORN])["self_bleu"] == 0
    assert sameness([])["people"] == 0


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (["The room is clean. The debt is a shame."], 0.5),
        (["She is proud. He is glad.", "It is a nice day."], 1.0),
        (["The roof leaks.\nThe bill is overdue. A chair stands there."], 0.0),
        (["A chair stands there."], 0.5),
        ([], 0.5),
    ],
)
def test_tone_is_the_share_of_the_favourable(texts: list[str], share: float) -> None:
    assert positivity(texts) == share


def test_ruling_worn_phrasings_out_shows() -> None:
    records = [person(k, f"{WORN} {various(k)}" if k < FIRST else various(k)) for k in range(3 * FIRST)]
    found = sameness(records)
    portraits = found["portraits"]
    assert portraits["before"]["same_opening"] == 1
    assert portraits["after"]["same_opening"] == 0
    assert portraits["before"]["self_bleu"] > portraits["after"]["self_bleu"]
    assert portraits["before"]["distinct_2"] < portraits["after"]["distinct_2"]
    assert portraits["after"]["same_opening"] < portraits["all"]["same_opening"] < 1
    assert found["stories"]["before"]["same_opening"] == 0


def test_before_and_after_are_of_equal_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(texts: list[str]) -> dict[str, float]:
        sizes.append(len(texts))
        return {}

    monkeypatch.setattr(module, "measures", counted)
    sameness([person(k, WORN, stories=1 + (k >= FIRST)) for k in range(3 * FIRST)])
    assert sizes == [3 * FIRST, FIRST, FIRST, 5 * FIRST, FIRST, FIRST]


@pytest.mark.parametrize("slots", [range(FIRST), range(2 * FIRST - 1), range(1, 3 * FIRST)])
def test_too_few_people_are_not_set_side_by_side(slots: range) -> None:
    found = sameness([person(k, various(k)) for k in slots])
    assert set(found["portraits"]) == set(found["stories"]) == {"all"}


def test_whole_names_that_come_twice() -> None:
    people = [person(k, WORN, name="Ann Lee" if k < 3 else "") for k in range(12)]
    assert sameness(people)["name_repeated"] == 0.25


def test_the_measures_go_into_the_run(run_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    found = write_sameness(run)
    assert json.loads((run / FILE).read_text()) == found
    assert found["people"] == 12
