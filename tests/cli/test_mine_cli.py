"""``deeppersona mine`` as a user meets it: errors say the fix, Ctrl-C leaves no traceback, what a model cost is told."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mining.corpus import talk, write

SCRIPT = str(Path(sys.executable).parent / "deeppersona")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, "mine", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "at least one file"),
        (("nowhere.jsonl",), "nowhere.jsonl"),
        (("talk.jsonl", "--base", "shiped"), "shipped"),
        (("talk.jsonl", "--map", "txt=body"), "text"),
        (("talk.jsonl", "--replay", "nothing.jsonl"), "nothing.jsonl"),
        (("talk.jsonl", "--budget", "3"), "--model"),
        (("talk.jsonl", "--model", "opnai:x"), "openai"),
        (("talk.jsonl", "--reviewed", "talk.jsonl"), "review"),
        (("talk.jsonl", "--out", "talk.jsonl"), "is a file"),
        (("talk.jsonl", "--out", "other"), "choose another --out"),
        (("picture.png",), "picture.png"),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_fix(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    write(tmp_path / "talk.jsonl", talk(8))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("not mined")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    assert said in done.stderr


def test_what_a_model_cost_is_written_down(tmp_path: Path) -> None:
    write(tmp_path / "talk.jsonl", talk(8))
    reading = {"class": "partly", "told": [{"attribute": "trade", "value": "nurse", "quote": "I work as a nurse"}]}
    said = [{"when": "plainly tells", "say": json.dumps({str(k): reading for k in range(1, 6)})}]
    (tmp_path / "script.json").write_text(json.dumps(said))
    done = run("talk.jsonl", "--out", "mined", "--model", f"scripted:{tmp_path / 'script.json'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "answers paid for" in done.stdout
    usage = json.loads((tmp_path / "mined" / "mining" / "usage.json").read_text())
    assert usage["calls"] > 0
    assert usage["tokens_out"] > 0


def test_stopped_by_hand_it_says_how_to_go_on_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "talk.jsonl", talk(2400))
    command = [SCRIPT, "mine", "talk.jsonl", "--out", "mined", "--workers", "2", "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first chunk is entered
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process of the command gets it
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "same command again" in errors
    done = run("talk.jsonl", "--out", "mined", "--workers", "2", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["read"]["conversations"] == 2400
