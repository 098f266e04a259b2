"""``deeppersona survey``: the line from a run to scores, and errors with their fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deeppersona.cli.main import cli
from deeppersona.errors import UsageError


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["survey", *map(str, words)])


def test_the_line_from_a_run_to_scores(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    ran = call("run", "ipip-50", run_folder, "--out", out, "--draws", 2, "--json")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["counts"]["answered"] == 12 * 50 * 2
    scored = call("score", out, "--json", "--out", tmp_path / "scores.csv")
    report = json.loads(scored.stdout)
    assert [row["n"] for row in report["scales"]] == [12] * 5
    assert len(report["congruence"]) == 5
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 1 + 12 * 2
    assert "alpha" in call("score", out).output
    again = call("run", "ipip-50", run_folder, "--out", out, "--draws", 2)
    assert "12 people, 50 items, 2 askings" in again.output


@pytest.mark.parametrize("who", ["uniform", "mode", "shuffled-country", "no-persona"])
def test_baselines_answer_too(run_folder: Path, tmp_path: Path, who: str) -> None:
    ran = call("run", "life-and-trust", run_folder, "--respondent", who, "--out", tmp_path / "a.csv", "--json")
    assert json.loads(ran.stdout)["counts"]["answered"] == 120


def test_replay_mode_of_people_and_single_items(run_folder: Path, tmp_path: Path) -> None:
    first = tmp_path / "a.csv"
    call("run", "wvs-iw10", run_folder, "--items", "Q57,Q46", "--out", first)
    call(
        "run",
        "wvs-iw10",
        run_folder,
        "--items",
        "Q57,Q46",
        "--respondent",
        "replay",
        "--from",
        first,
        "--out",
        tmp_path / "b.csv",
    )
    answers = [[line.split(",")[:4] for line in (tmp_path / n).read_text().splitlines()] for n in ("a.csv", "b.csv")]
    assert answers[0] == answers[1]
    ran = call(
        "run",
        "wvs-iw10",
        run_folder,
        "--items",
        "Q57",
        "--respondent",
        "mode",
        "--from",
        first,
        "--out",
        tmp_path / "c.csv",
    )
    assert ran.exit_code == 0, ran.output
    assert len({line.split(",")[3] for line in (tmp_path / "c.csv").read_text().splitlines()[1:]}) == 1


def test_validity_list_and_show(run_folder: Path) -> None:
    found = json.loads(call("validity", "ipip-50", run_folder, "--json").stdout)
    assert found["forms"]["changed"]["turned"] == 0
    assert {i["id"] for i in json.loads(call("list", "--json").stdout)} >= {
        "ipip-50",
        "ipip-neo-120",
        "wvs-iw10",
        "life-and-trust",
    }
    assert "ipip-50" in call("list").output
    shown = call("show", "wvs-iw10").output
    assert "licence" in shown
    assert "Y002" in shown
    assert "compare" in call("--help").output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "ipip50", "RUN"], "did you mean ipip-50"),
        (["run", "ipip-50", "nowhere"], "is not a run"),
        (["run", "ipip-50", "RUN", "--respondent", "replay"], "--from FILE"),
        (["run", "ipip-50", "RUN", "--from", "x.csv"], "is for replay and mode"),
        (["run", "ipip-50", "RUN", "--items", "E1,E99"], "unknown item"),
        (["score", "nowhere.csv"], "--inventory"),
    ],
)
def test_errors_name_their_fix(run_folder: Path, tmp_path: Path, words: list[str], told: str) -> None:
    here = [str(run_folder) if w == "RUN" else w for w in words] + (["--out", str(tmp_path / "a.csv")])
    error = call(*here).exception
    assert isinstance(error, UsageError), error
    assert told in str(error)


def test_the_nearest_command_is_named() -> None:
    assert "did you mean score" in call("scor").output
