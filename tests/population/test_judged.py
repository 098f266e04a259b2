"""A finished run before a judge: pairs of what was told and what was drawn; its findings are warnings, paid for once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

import deeppersona as dp
from deeppersona.errors import Stopped, UsageError
from deeppersona.models.spec import Traffic, parse_roles
from deeppersona.population.judged import judge_run, told_pairs
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.population import Population


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Population]:
    out = tmp_path_factory.mktemp("judged") / "run"
    people = dp.generate(3, "KE", seed=3, depth=60, out=out)
    return RunFolder(out), people


@pytest.fixture
def judge(tmp_path: Path) -> str:
    """A judge to whom the first pair of everybody clashes."""
    script = tmp_path / "judge.json"
    said = json.dumps({"clashes": [1], "why": ["one says <b>so</b>,\nthe other not"]})
    script.write_text(json.dumps([{"when": "both be true", "say": said}]))
    return f"judge=scripted:{script}"


def test_pairs_are_of_one_matter_and_never_of_the_same_words(run: tuple[RunFolder, Population]) -> None:
    _, people = run
    pairs = told_pairs(people[0], dp.shipped_taxonomy())
    assert pairs
    assert all(told != drawn for _, told, drawn in pairs)
    assert {place.partition(".")[0] for place, _, _ in pairs} <= {"stories", "narrative", "culture"}


def test_a_judge_finds_warnings_and_is_paid_once(run: tuple[RunFolder, Population], judge: str) -> None:
    folder, people = run
    issues = judge_run(folder, list(people), dp.shipped_taxonomy(), parse_roles([judge]), Traffic())
    assert len(issues) == len(people)
    assert {(i.rule, i.severity) for i in issues} == {("judge", "warning")}
    assert all("\n" not in i.message and "<b>" not in i.message for i in issues)
    again = judge_run(folder, list(people), dp.shipped_taxonomy(), parse_roles([judge]), Traffic())
    assert again == issues
    with sqlite3.connect(folder.path / "run.sqlite") as db:
        (asked,) = db.execute(
            "select count(*) from completion where json_extract(usage, '$.stage') = 'judge'"
        ).fetchone()
    assert asked == len(people)


def test_a_writer_judges_where_no_judge_is_named(run: tuple[RunFolder, Population]) -> None:
    folder, people = run
    assert judge_run(folder, list(people), dp.shipped_taxonomy(), parse_roles(["scripted:"]), Traffic()) == []
    with pytest.raises(UsageError, match="actor"):
        judge_run(folder, list(people), dp.shipped_taxonomy(), parse_roles(["actor=scripted:"]), Traffic())


def test_money_that_runs_out_stops_it(run: tuple[RunFolder, Population], tmp_path: Path) -> None:
    from deeppersona.models.price import Price

    folder, people = run
    script = tmp_path / "dear.json"
    script.write_text("[]")
    with pytest.raises(Stopped, match="budget"):
        judge_run(
            folder, list(people), dp.shipped_taxonomy(), parse_roles([f"judge=scripted:{script}"]),
            Traffic(budget=1e-9, price=Price(1000.0, 1000.0, 1000.0)),
        )  # fmt: skip
