"""``deeppersona survey``: the line from a run to scores, and errors with their fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deeppersona.cli.main import cli
from deeppersona.errors import UsageError
from tests.servers import FaultyServer


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


@pytest.mark.parametrize("who", [None, "cultural-prompt", "model-alone"])
def test_a_model_answers_and_says_what_it_cost(run_folder: Path, tmp_path: Path, who: str | None) -> None:
    out = tmp_path / "a.csv"
    words = [
        "run",
        "wvs-iw10",
        run_folder,
        "--model",
        "scripted:",
        "--out",
        out,
        "-n",
        4,
        *(["--respondent", who] if who else []),
    ]
    ran = call(*words)
    assert ran.exit_code == 0, ran.output
    assert "4 people, 21 items, 1 asking: 84 of 84 answers" in ran.output
    assert "5 answers paid for" in ran.output  # one finds out how the model answers
    about = json.loads((tmp_path / "a.csv.json").read_text())
    assert about["respondent"]["model"] == "scripted:"
    assert about["respondent"]["respondent"] == (who or "model")
    assert about["usage"]["models"]["scripted:"]["survey"]["calls"] == 4
    other = str(call(*words, "--temperature", 0.5).exception)
    assert "(respondent: temperature: 1.0 there, 0.5 here)" in other


def test_an_estimate_asks_nothing(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    words = [
        "run",
        "ipip-50",
        run_folder,
        "--model",
        "openai:m@http://127.0.0.1:9/v1",
        "--price",
        "1/2",
        "--draws",
        3,
        "--out",
        out,
    ]
    found = json.loads(call(*words, "--estimate", "--json").stdout)
    assert found["calls"] == 12 * 5 * 3
    assert found["cost"] == pytest.approx((found["tokens_in"] + 2 * found["tokens_out"]) / 1e6, abs=1e-4)
    assert list(tmp_path.iterdir()) == []


def test_no_key_is_written_anywhere_and_more_people_cost_only_themselves(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", "a-secret-of-mine")
    with FaultyServer(require_key="a-secret-of-mine") as server:
        words = ["run", "life-and-trust", run_folder, "--model", f"openai:m@{server.url}", "--out", tmp_path / "a.csv"]
        assert call(*words, "--price", "100/100", "--budget", 0.4, "--concurrency", 1).exit_code == 1
        assert not (tmp_path / "a.csv").exists()
        paid = server.good
        assert call(*words, "-n", 10).exit_code == 0
        (tmp_path / "a.csv").unlink()
        assert call(*words).exit_code == 0
        assert server.answered_twice == 0
        assert server.good == 12 + 1 > paid
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(files) >= 3
    assert not any(b"a-secret-of-mine" in f.read_bytes() for f in files)


def test_the_kit_keeps_a_models_answers_beside_its_report(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "kit.json"
    words = ["validity", "life-and-trust", run_folder, "--model", "scripted:", "-n", 5, "--out", out]
    ran = call(*words, "--json")
    assert ran.exit_code == 0, ran.output
    report = json.loads(out.read_text())
    assert set(report["forms"]["changed"]) == {"again", "turned", "reordered", "reworded"}
    assert json.loads(ran.stdout) == report
    assert report["usage"]["calls"] == 5 * 5 + 1
    call(*words)
    assert json.loads(out.read_text()) == report, "asked again of nobody"


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
        (["run", "ipip-50", "RUN", "--respondent", "cultural-prompt"], "add --model SPEC"),
        (["run", "ipip-50", "RUN", "--respondent", "uniform", "--model", "scripted:"], "asks no model"),
        (["run", "ipip-50", "RUN", "--memory"], "--respondent model"),
        (["run", "ipip-50", "RUN", "--estimate"], "asks no model"),
        (["run", "ipip-50", "RUN", "--model", "judge=scripted:"], "nobody is named to answer"),
        (["run", "ipip-50", "RUN", "--model", "scripted:", "--from", "x.csv"], "is for replay and mode"),
    ],
)
def test_errors_name_their_fix(run_folder: Path, tmp_path: Path, words: list[str], told: str) -> None:
    here = [str(run_folder) if w == "RUN" else w for w in words] + (["--out", str(tmp_path / "a.csv")])
    error = call(*here).exception
    assert isinstance(error, UsageError), error
    assert told in str(error)


def test_the_nearest_command_is_named() -> None:
    assert "did you mean score" in call("scor").output
