"""The command on made behaviour: a run folder, the same bytes again, the log told and taken back, personas of a run refined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import deeppersona as dp
from deeppersona.cli.refine import command
from deeppersona.errors import DeepPersonaError, UsageError
from tests.refinement.streams import made


@pytest.fixture(scope="module")
def behaviour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("behaviour") / "films.jsonl"
    rows = []
    for s in made(8, 4, seed=5).streams:
        rows += [
            json.dumps({"user": s.user, "time": e.time, "item": e.item, "rating": e.value})
            for w in s.windows
            for e in w
        ]
    path.write_text("\n".join(rows) + "\n")
    return path


def call(*words: Any) -> Result:
    result = CliRunner().invoke(command, [str(w) for w in words])
    if isinstance(result.exception, DeepPersonaError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def run(behaviour: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("refined") / "run"
    call(behaviour, "--out", out, "--compare", "frozen", "--export-pairs", out.parent / "pairs.jsonl")
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_folder_has_all_of_it(run: Path) -> None:
    assert set(contents(run)) == {
        "refinement.json",
        "log.jsonl",
        "report.json",
        "report.html",
        "personas/part-00000.jsonl",
    }
    report = json.loads((run / "report.json").read_text())
    assert set(report["future"]) == {
        "deeper",
        "frozen",
        "user-median",
        "population-median",
        "user-mean",
        "item-mean",
        "bias-model",
    }
    assert report["future"]["deeper"][0] is None
    assert report["against"]["user-median"]["by window"][3][1] <= report["against"]["user-median"]["by window"][3][0]
    page = (run / "report.html").read_text()
    assert "Current windows: seen before they were answered" in page
    assert "<svg" in page
    record = json.loads((run / "personas" / "part-00000.jsonl").read_text().splitlines()[0])
    assert record["traits"][0]["path"] == "preferences.films.style"
    assert record["traits"][0]["source"] == "learnt"
    assert "Usually answers" in record["system_prompt"]


def test_a_second_time_gives_the_same_bytes_and_another_plan_is_refused(run: Path, behaviour: Path) -> None:
    before = contents(run)
    call(behaviour, "--out", run, "--compare", "frozen")
    assert contents(run) == before
    with pytest.raises(UsageError, match="another plan"):
        call(behaviour, "--out", run, "--method", "frozen")


def test_what_can_be_mended_is_said(behaviour: Path, tmp_path: Path) -> None:
    for words, message in (
        (("--method", "deepest"), "did you mean deeper"),
        (("--method", "frozen", "--export-pairs", tmp_path / "p"), "needs the candidates"),
        (("--scale", "many"), "LOW..HIGH"),
        (("--not-rated", "x"), "a number, or none"),
    ):
        with pytest.raises(UsageError, match=message):
            call(behaviour, "--out", tmp_path / "out", *words)
    with pytest.raises(UsageError, match="no run of deeppersona refine"):
        call("log", tmp_path, "u1")


def test_log_diff_revert(behaviour: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    call(behaviour, "--out", out)
    lines = [json.loads(line) for line in call("log", out, "u3", "--json").output.splitlines()]
    assert {line["person"] for line in lines} == {"u3"}
    assert {line["op"] for line in lines} >= {"ADD", "UPDATE"}
    assert lines[0]["evidence"]
    told = call("diff", out, "u3", "--from", 1, "--to", 3).output
    assert "UPDATE  preferences.films.style" in told
    assert "after W1:" in told
    others = [line for line in (out / "log.jsonl").read_text().splitlines() if '"u3"' not in line]
    call("revert", out, "u3", "--to", 1)
    back = call("diff", out, "u3", "--from", 1).output
    assert not back.split("\nafter W1:")[0].strip()
    assert [line for line in (out / "log.jsonl").read_text().splitlines() if '"u3"' not in line] == others
    records = [json.loads(line) for line in (out / "personas" / "part-00000.jsonl").read_text().splitlines()]
    style = next(t for r in records if r["id"] == "u3" for t in r["traits"] if t["path"].endswith("style"))
    then = [json.loads(line) for line in call("log", out, "u3", "--round", 1, "--json").output.splitlines()]
    assert style["evidence"]["counts"] == next(e["after"] for e in then if e["path"].endswith("style"))
    with pytest.raises(UsageError, match="did you mean"):
        call("revert", out, "u33", "--to", 1)
    with pytest.raises(UsageError, match="rounds are 0 to 3"):
        call("diff", out, "u3", "--from", 9)


def test_personas_of_a_run_keep_what_they_are(behaviour: Path, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    call(behaviour, "--persona", run_folder, "--out", out)
    old = [json.loads(line) for line in (run_folder / "personas" / "part-00000.jsonl").read_text().splitlines()]
    new = [json.loads(line) for line in (out / "personas" / "part-00000.jsonl").read_text().splitlines()]
    assert len(new) == 8
    for before, after in zip(old, new, strict=False):
        assert after["id"] == before["id"]
        kept = [t | {"evidence": t.get("evidence", {})} for t in after["traits"][: len(before["traits"])]]
        assert kept == before["traits"]
        assert after["traits"][len(before["traits"])]["source"] == "learnt"
        assert after["system_prompt"].startswith(before["system_prompt"])
        assert after["provenance"]["parent"].startswith("sha256:")
    refined = new[2]["id"]
    call("revert", out, refined, "--to", 0)
    again = [json.loads(line) for line in (out / "personas" / "part-00000.jsonl").read_text().splitlines()]
    assert again[2]["system_prompt"].startswith(old[2]["system_prompt"])
    assert again[1] == new[1]


def test_too_few_personas_are_refused(behaviour: Path, taxonomy: dp.Taxonomy, tmp_path: Path) -> None:
    dp.run(dp.make_plan(3, ["KE"], seed=1, depth=40), tmp_path / "few", taxonomy)
    with pytest.raises(UsageError, match="8 people in the behaviour and 3 personas"):
        call(behaviour, "--persona", tmp_path / "few", "--out", tmp_path / "out")
