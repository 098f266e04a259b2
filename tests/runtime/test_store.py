"""The run folder loses nothing: killed, locked, damaged, full."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import deeppersona as dp
from deeppersona.runtime import disk
from deeppersona.runtime.executor import Processes, over_parts
from deeppersona.runtime.store import RunFolder

PLAN = {"n": 1200, "country": ["KE", "DE"], "seed": 9, "depth": 40}
SCRIPT = (
    "import sys; from pathlib import Path; import deeppersona as dp\n"
    "dp.run(dp.make_plan(1200, ['KE', 'DE'], seed=9, depth=40), Path(sys.argv[1]), dp.shipped_taxonomy(), workers=int(sys.argv[2]))"
)


def contents(folder: Path) -> dict[str, bytes]:
    names = [
        "plan.json",
        "failures.jsonl",
        "usage.json",
        *(f"personas/{p.name}" for p in (folder / "personas").iterdir()),
    ]
    return {name: (folder / name).read_bytes() for name in sorted(names)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    dp.run(dp.make_plan(**PLAN), out, dp.shipped_taxonomy(), workers=1)
    return contents(out)


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_nine_at_any_moment_then_the_same_bytes(
    tmp_path: Path, undisturbed: dict[str, bytes], workers: int
) -> None:
    out = tmp_path / "run"
    for attempt, wait in enumerate((0.9, 1.3, 1.7, 2.2)):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(out), str(workers)], start_new_session=True)
        deadline = time.monotonic() + 20
        first = out / "personas" / f"part-{min(attempt, 2):05d}.jsonl"
        began = time.monotonic()
        while time.monotonic() < deadline and process.poll() is None:
            if time.monotonic() - began > wait or (attempt and first.exists()):
                break
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", SCRIPT, str(out), str(workers)], check=True, timeout=120)
    assert contents(out) == undisturbed


def test_workers_do_not_change_the_bytes(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    dp.run(dp.make_plan(**PLAN), tmp_path / "run", dp.shipped_taxonomy(), workers=2)
    assert contents(tmp_path / "run") == undisturbed


def test_a_different_plan_is_refused(run_folder: Path, taxonomy: dp.Taxonomy) -> None:
    with pytest.raises(dp.UsageError, match=r"different plan.*seed: 4 there, 5 asked"):
        dp.run(dp.make_plan(12, ["KE", "FR"], seed=5, depth=60), run_folder, taxonomy)


def test_a_second_process_is_refused(run_folder: Path, taxonomy: dp.Taxonomy) -> None:
    plan = RunFolder(run_folder).plan()
    held = (
        "import sys; from deeppersona.runtime.store import RunFolder\n"
        "f = RunFolder(sys.argv[1])\n"
        "with f.writing(f.plan()): print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", held, str(run_folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(dp.StoreError, match="another process"):
        dp.run(plan, run_folder, taxonomy)
    process.communicate()
    dp.run(plan, run_folder, taxonomy)


def test_a_damaged_part_is_an_error_and_repair_brings_the_same_bytes(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    plan, out = dp.make_plan(6, "KE", seed=1, depth=30), tmp_path / "run"
    dp.run(plan, out, taxonomy)
    part = out / "personas" / "part-00000.jsonl"
    good = part.read_bytes()
    part.write_bytes(good[:1000] + b"#" + good[1001:])
    with pytest.raises(dp.StoreError, match="--repair"):
        dp.run(plan, out, taxonomy)
    dp.run(plan, out, taxonomy, repair=True)
    assert part.read_bytes() == good
    assert part.with_name("part-00000.jsonl.damaged").exists()


def test_a_part_that_vanished_is_an_error(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    plan, out = dp.make_plan(6, "KE", seed=1, depth=30), tmp_path / "run"
    dp.run(plan, out, taxonomy)
    (out / "personas" / "part-00000.jsonl").unlink()
    with pytest.raises(dp.StoreError, match="is gone"):
        dp.run(plan, out, taxonomy)


def test_a_line_cut_short_is_named(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    out = tmp_path / "run"
    dp.run(dp.make_plan(3, "KE", seed=1, depth=30), out, taxonomy)
    part = out / "personas" / "part-00000.jsonl"
    part.write_bytes(part.read_bytes()[:-200])
    with pytest.raises(dp.StoreError, match=r"part-00000\.jsonl is damaged at byte"):
        list(dp.load(out))


def test_a_full_disk_is_told_and_nothing_written_is_lost(
    tmp_path: Path, taxonomy: dp.Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = dp.make_plan(1100, "KE", seed=1, depth=30), tmp_path / "run"
    calls = {"n": 0}
    real = os.fsync

    def full(fd: int) -> None:
        calls["n"] += 1
        if calls["n"] == 3:  # the plan, the first part, then no more room
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd)

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(dp.StoreError, match="disk is full"):
        dp.run(plan, out, taxonomy, workers=1)
    monkeypatch.undo()
    assert [p.name for p in (out / "personas").iterdir()] == ["part-00000.jsonl"]
    people, failures = dp.run(plan, out, taxonomy, workers=1)
    assert (people, failures) == (1100, 0)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    with pytest.raises(dp.UsageError, match="is a file"):
        dp.run(dp.make_plan(2, "KE"), blocker, taxonomy)
    with pytest.raises(dp.StoreError):
        dp.run(dp.make_plan(2, "KE"), blocker / "below", taxonomy)


def test_a_plan_changed_by_hand_is_refused(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    out = tmp_path / "run"
    dp.run(dp.make_plan(2, "KE", depth=30), out, taxonomy)
    body = json.loads((out / "plan.json").read_text())
    body["plan"]["seed"] = 77
    (out / "plan.json").write_text(json.dumps(body))
    with pytest.raises(dp.StoreError, match="changed after it was frozen"):
        dp.load(out)
    (out / "plan.json").write_text("{")
    with pytest.raises(dp.StoreError, match="cannot be read"):
        dp.load(out)


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(dp.UsageError, match=r"no plan\.json"):
        dp.load(tmp_path)


def _die(task: int) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(dp.StoreError, match="worker process was killed"):
        list(over_parts(_die, [0, 1, 2, 3], 2))


def _who(task: int) -> tuple[int, int]:
    return task, os.getpid()


_PREPARED = """
import os, sys, time
from deeppersona.runtime import executor

def at_hand(task):
    return "wave" in sys.modules, os.getpid()

if __name__ == "__main__":
    executor.prepare("wave")  # a module that nothing else imports
    with executor.Processes() as over:
        seen = [result for _, result in over(at_hand, range(6), 2)]
        print(all(there for there, _ in seen), os.environ.get("PYTHONSAFEPATH"), seen[0][1], flush=True)
        list(over(time.sleep, [60, 60], 2))
"""
_FORKED = pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked here")


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program that prepares, begun in a folder where a file has the name of the module; its processes sleep in the end."""
    (tmp_path / "wave.py").write_text("raise SystemExit('a file of the folder the user stands in was run')")
    (tmp_path / "elsewhere").mkdir()
    program = tmp_path / "elsewhere" / "program.py"
    program.write_text(_PREPARED)
    with subprocess.Popen([sys.executable, str(program)], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as ran:
        yield ran
        ran.kill()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@_FORKED
def test_what_is_prepared_is_at_hand_and_its_processes_live_as_long_as_they_are_wanted(prepared: Any) -> None:
    there, safe_path, worker = prepared.stdout.readline().split()
    assert (there, safe_path) == ("True", "None")  # the module of Python, and nothing is left in the environment
    os.kill(int(worker), signal.SIGINT)  # Ctrl-C goes to all of them; they leave it to the one that wanted them
    time.sleep(0.3)
    assert _lives(int(worker)) and prepared.poll() is None
    prepared.kill()  # -9: nobody tells them
    end = time.monotonic() + 10
    while _lives(int(worker)):
        assert time.monotonic() < end, "a process lives on after the one that wanted it"
        time.sleep(0.05)


def test_kept_processes_do_several_runs() -> None:
    with Processes() as over:
        first, second = ({pid for _, (_, pid) in over(_who, range(20), 2)} for _ in range(2))
        assert first | second and os.getpid() not in first | second
        assert len(first | second) <= 2
        assert [result for _, result in over(_who, [7], 1)] == [(7, os.getpid())]
        assert {
            pid for _, (_, pid) in over(_who, [7], 2)
        } <= first | second  # they are there, and have at hand what they built
    with Processes() as over:
        assert [result for _, result in over(_who, [7], 2)] == [(7, os.getpid())]  # not worth a process
    alone = {pid for _, (_, pid) in over_parts(_who, range(20), 2)}
    assert not alone & (first | second)
    assert sorted(task for task, _ in over_parts(_who, iter(range(9)), 2)) == list(range(9))
