"""``deeppersona interview``: a talk over lines of input, a batch, and errors with their fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deeppersona.cli.main import cli
from deeppersona.errors import UsageError
from deeppersona.runtime.store import RunFolder


def call(*words: object, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["interview", *map(str, words)], input=typed)


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A model that says one thing of its breakfast, and another of everything else."""
    path = tmp_path / "script.json"
    said = [
        {"when": "morning", "say": "I have tea, and Mister Tumbo has 17 eggs."},
        {"when": "", "say": "I say what I think."},
    ]
    path.write_text(json.dumps(said))
    return f"scripted:{path}"


def test_a_talk_over_lines_of_input(run_folder: Path, tmp_path: Path, script: str) -> None:
    typed = (
        "/why\nWhat do you eat in the morning?\n/why\n/who\n/traits morning\n\nAnd why?\n/save\n/wy\n/quit\nNot heard\n"
    )
    ran = call(run_folder, "0", "--model", script, "--out", tmp_path / "out", typed=typed)
    assert ran.exit_code == 0, ran.output
    for said in (
        "nothing was asked yet",
        "I have tea",
        "Mister Tumbo, 17",
        "You are ",
        "I say what I think.",
        "did you mean why",
        "2 turns",
    ):
        assert said in ran.output, said
    (file,) = (tmp_path / "out").glob("*.jsonl")
    head, *turns = map(json.loads, file.read_text().splitlines())
    assert head["synthetic"] is True
    assert head["model"] == "scripted:script.json"
    assert [turn["question"] for turn in turns] == ["What do you eat in the morning?", "And why?"]
    assert "I have tea" in file.with_suffix(".md").read_text()


def test_a_talk_as_json_and_a_second_talk_has_a_number_of_its_own(
    run_folder: Path, tmp_path: Path, script: str
) -> None:
    for n in (1, 2):
        ran = call(
            run_folder,
            "0",
            "--model",
            script,
            "--out",
            tmp_path / "out",
            "--json",
            "--markdown",
            typed="How are you?\n",
        )
        rows = [json.loads(line) for line in ran.stdout.splitlines()]
        assert [row["event"] for row in rows] == ["turn", "done"]
        assert len(list((tmp_path / "out").glob("*.jsonl"))) == n
        assert len(list((tmp_path / "out").glob("*.md"))) == n


def test_nothing_asked_leaves_no_transcript(run_folder: Path, tmp_path: Path, script: str) -> None:
    assert call(run_folder, "0", "--model", script, "--out", tmp_path / "out").exit_code == 0
    assert list((tmp_path / "out").glob("*.jsonl")) == []


def test_questions_to_many(run_folder: Path, tmp_path: Path, script: str) -> None:
    (tmp_path / "q.csv").write_text("id,question\nfood,What do you eat in the morning?\nfear,What do you fear?\n")
    words = (
        run_folder,
        "-n",
        3,
        "--questions",
        tmp_path / "q.csv",
        "--model",
        script,
        "--out",
        tmp_path / "out",
        "--markdown",
    )
    ran = call(*words, "--json")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["event"] for row in rows] == ["interview"] * 3 + ["done"]
    assert rows[-1]["usage"]["calls"] == 6
    assert all("food" in Path(row["file"]).read_text() for row in rows[:3])
    again = call(*words)
    assert again.exit_code == 0
    assert "6 answers paid for" in again.output
    assert len(list((tmp_path / "out").glob("*.md"))) == 3


def test_transcripts_stand_in_the_run_by_default(tmp_path: Path, run_folder: Path, script: str) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    ids = [RunFolder(run).records()[k]["id"] for k in (1, 2)]
    (tmp_path / "q.txt").write_text("How are you?\n")
    assert call(run, "--ids", ",".join(ids), "--questions", tmp_path / "q.txt", "--model", script).exit_code == 0
    assert {file.name for file in (run / "interviews").glob("*.jsonl")} == {f"{who}-1.jsonl" for who in ids}


@pytest.mark.parametrize(("words", "why"), [
    (["0"], "needs a model"), (["0", "--model", "judge=scripted:"], "needs a model"), (["--model", "scripted:"], "whom to talk to"),
    (["nobody-1", "--model", "scripted:"], "no person 'nobody-1'"), (["0", "-n", "2", "--model", "scripted:"], "not both"),
    (["-n", "2", "--model", "scripted:"], "--questions"), (["0", "--apart", "--model", "scripted:"], "--questions"),
    (["0", "--questions", "nowhere.txt", "--model", "scripted:"], "no file nowhere.txt"),
    (["0", "--budget", "1", "--model", "openai:unheard-of"], "no price is known"),
])  # fmt: skip
def test_errors_say_what_to_do(
    run_folder: Path, tmp_path: Path, words: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    ran = call(run_folder, *words, "--out", tmp_path / "out")
    assert isinstance(ran.exception, UsageError), ran.output
    assert why in str(ran.exception)
    assert ran.exception.exit_code == 2


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    ran = call(tmp_path, "0", "--model", "scripted:")
    assert "is not a run" in str(ran.exception)


def test_what_a_terminal_would_obey_is_not_shown(run_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"when": "", "say": "I am \u001b[31m red, [bold]bold[/bold] and well."}]))
    ran = call(run_folder, "0", "--model", f"scripted:{path}", "--out", tmp_path / "out", typed="How are you?\n")
    assert "\u001b" not in ran.output
    assert "[bold]bold[/bold]" in ran.output
    assert "not to be trusted" in ran.output


def test_help_teaches() -> None:
    told = call("--help").output
    for said in ("--questions", "synthetic", "runs/kenya ke-000003"):
        assert said in told
