"""The schema says what is wrong with it, and covers every grade."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deeppersona.errors import UsageError
from deeppersona.population.students.schema import FOLDER, Schema, parse_fit, shipped_schema


@pytest.mark.parametrize(
    ("raw", "low", "high"),
    [(">=4", 4, float("inf")), ("<=2", float("-inf"), 2), ("2..4", 2, 4), ("..0", float("-inf"), 0), (3, 3, 3), ("-0.5..", -0.5, float("inf"))],
)  # fmt: skip
def test_fits_are_ranges(raw: object, low: float, high: float) -> None:
    fit = parse_fit("calm", raw)
    assert (fit.low, fit.high) == (low, high)


@pytest.mark.parametrize("raw", ["four", "", "4-5", "<4"])
def test_a_fit_that_cannot_be_read_says_how_it_is_written(raw: str) -> None:
    with pytest.raises(UsageError, match="write"):
        parse_fit("calm", raw)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("leans: {extraversion: 1}}", "leans: {extroversion: 1}}", "did you mean extraversion"),
        ("- hums when writing", "", ""),
        ("{v: hums, w: 0.8}", "{v: hums, weight: 0.8}", "key of an option"),
        ("        - {v: hums, w: 0.8}", "        - {v: hums, w: 0.8}\n        - hums", "stands twice"),
    ],
)  # fmt: skip
def test_a_slip_in_the_files_is_named(tmp_path: Path, old: str, new: str, word: str) -> None:
    folder = tmp_path / "schema"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    file = folder / "traits" / "school.yaml"
    text = file.read_text("utf-8")
    if not word:
        assert Schema(folder).fingerprint == shipped_schema().fingerprint
        return
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(UsageError, match=word):
        Schema(folder)


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "schema"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    file = folder / "traits" / "home.yaml"
    file.write_text(file.read_text("utf-8").replace("a lazy", "an idle"), "utf-8")
    assert Schema(folder).fingerprint != shipped_schema().fingerprint


def test_every_cluster_has_a_subject_in_every_grade() -> None:
    schema = shipped_schema()
    for grade in range(1, 13):
        assert set(schema.cluster_of[schema.taught[grade]].tolist()) == set(range(6))
        assert schema.taught[grade].sum() >= 7  # three strong, three weak, one besides


def test_the_dimensions_are_seven_eight_and_four_with_sources() -> None:
    schema = shipped_schema()
    groups = [d.group for d in schema.dimensions]
    assert [groups.count(g) for g in ("values", "creativity", "wellbeing")] == [7, 8, 4]
    assert all(s in schema.raw["sources"] for d in schema.dimensions for s in d.sources)
    assert all(len(d.grades) == 5 for d in schema.dimensions)


def test_every_grade_has_something_to_say_on_every_topic() -> None:
    late = {"student.learning.before_a_test": 3}
    for topic in shipped_schema().topics:
        for name, options in topic.parts.items():
            for grade in range(late.get(topic.path, 1), 13):
                assert sum(o.first <= grade <= o.last for o in options) >= 3, (topic.path, name, grade)
