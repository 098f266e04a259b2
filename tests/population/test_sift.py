"""Doubles give way to others of their cell, and whenever it is stopped the same command comes to the same bytes."""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import deeppersona as dp
from deeppersona import populate, study
from deeppersona.errors import StoreError
from deeppersona.evaluation import fidelity_page
from deeppersona.generation.engine import Made
from deeppersona.population import sift
from deeppersona.population.maker import Maker
from deeppersona.population.sift import FOUND, REPLACED, Task, checked_slots, in_order
from deeppersona.population.spec import parse_spec
from deeppersona.runtime import store

RAW: dict[str, Any] = {
    "n": 30, "seed": 3, "depth": 20, "base": {"country": "KE"}, "check": 5,
    "quota": [{"over": ["sex", "age"], "people": [["female", "18..34", 7], ["male", "35..", 9]]}],
    "target": [{"over": "urban", "share": {"urban": 0.5, "rural": 0.5}}],
}  # fmt: skip
COPIES = {4: 3, 12: 3, 25: 11}  # slot -> the slot whose person it repeats at first


class Repeating:
    """A maker that makes some people twice; a further attempt is somebody else."""

    def __init__(self, inner: Maker) -> None:
        self.inner, self.plan, self.kept = inner, inner.plan, dict[tuple[int, int], Any]()

    def make(self, slots: Sequence[int], attempt: int = 0) -> Made:
        records = []
        for slot in slots:
            source = COPIES.get(slot, slot) if attempt == 0 else slot
            if (source, attempt) not in self.kept:
                batch = [source] if attempt else list(range(self.plan.n))
                for made in self.inner.make(batch, attempt).records:
                    self.kept[made["provenance"]["slot"], attempt] = made
            record = copy.deepcopy(self.kept[source, attempt])
            record["id"] = record["id"][:3] + f"{slot:06d}"
            record["provenance"]["slot"] = slot
            records.append(record)
        return Made(records, [])


@pytest.fixture(scope="module")
def meant() -> populate.Meant:
    return populate.mean(parse_spec(RAW, "test"), dp.shipped_taxonomy())


@pytest.fixture(scope="module", autouse=True)
def repeating(meant: populate.Meant) -> Iterator[Repeating]:
    maker = Repeating(study.maker_for(meant.plan, dp.shipped_taxonomy()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "maker_for", lambda plan, taxonomy: maker)
        patch.setattr(sift, "maker_elsewhere", lambda plan, folder: maker)
        patch.setattr(store, "PART_SIZE", 10)
        yield maker


def run(meant: populate.Meant, out: Path, **options: Any) -> populate.Populated:
    return populate.populate(meant, out, dp.shipped_taxonomy(), workers=1, **options)


def whole(out: Path) -> dict[str, bytes]:
    return {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and "sqlite" not in file.name and not file.name.startswith(".") and "damaged" not in file.name
    }


@pytest.fixture(scope="module")
def undisturbed(
    meant: populate.Meant, tmp_path_factory: pytest.TempPathFactory, repeating: Repeating
) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    run(meant, out)
    return whole(out)


def records(files: dict[str, bytes]) -> dict[int, Any]:
    lines = [json.loads(line) for name in files if "part-" in name for line in files[name].splitlines()]
    return {record["provenance"]["slot"]: record for record in lines}


def test_doubles_are_found_and_replaced_within_their_cells(
    meant: populate.Meant, undisturbed: dict[str, bytes]
) -> None:
    found = json.loads(undisturbed[FOUND])
    assert (found["found"], found["replaced"], found["left"], found["people"]) == (3, 3, [], 30)
    head, *lines = (json.loads(line) for line in undisturbed[REPLACED].splitlines())
    assert head == found
    assert [(line["slot"], line["like"]) for line in lines] == list(COPIES.items())
    people = records(undisturbed)
    assert {line["slot"]: line["record"] for line in lines} == {slot: people[slot] for slot in COPIES}
    assert len({p["narrative"] for p in people.values()}) == 30
    report = json.loads(undisturbed["fidelity.json"])
    assert report["quota_error"] == 0
    assert report["duplicates"]["mode"] == "replace"


class Killed(BaseException):
    """As good as kill -9 for what is on disk."""


WRITERS = (populate, sift, store, fidelity_page)


def interrupted(monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> Callable[[], int]:
    """Stop at the ``at``-th file written, before or after it is there; returns how many were written."""
    real, count = store.write_whole, [0]

    def write(path: Path, content: bytes) -> None:
        count[0] += 1
        if count[0] - 1 == at and not after:
            raise Killed
        real(path, content)
        if count[0] - 1 == at:
            raise Killed

    for module in WRITERS:
        monkeypatch.setattr(module, "write_whole", write)
    return lambda: count[0]


def test_stopped_at_any_file_the_same_call_comes_to_the_same_bytes(
    meant: populate.Meant, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    for at in itertools.count():
        out = tmp_path / str(at) / "run"
        stopped = 0
        with pytest.MonkeyPatch.context() as patch:
            count = interrupted(patch, at, after=at % 2 == 0)
            try:
                run(meant, out)
            except Killed:
                stopped = 1
        if count() <= at:
            assert not stopped
            break
        run(meant, out)
        assert whole(out) == undisturbed, at
    assert at > 12  # the plan, the parts, who is replaced, the parts again, what was found, weights and report


def test_run_again_nothing_changes(meant: populate.Meant, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run(meant, tmp_path / "run")
    assert run(meant, tmp_path / "run").report == json.loads(undisturbed["fidelity.json"])
    assert whole(tmp_path / "run") == undisturbed


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_part_is_repaired_with_its_replacements(
    number: int, meant: populate.Meant, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run(meant, out)
    part = out / "personas" / f"part-{number:05d}.jsonl"
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(StoreError, match="--repair"):
        run(meant, out)
    run(meant, out, repair=True)
    assert whole(out) == undisturbed


def test_only_reporting_or_not_looking(meant: populate.Meant, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    specs = {
        m: populate.mean(parse_spec({**RAW, "duplicates": m}, "test"), dp.shipped_taxonomy()) for m in ("report", "off")
    }
    told = run(specs["report"], tmp_path / "run").report
    assert told is not None
    assert [entry["slot"] for entry in told["duplicates"]["left"]] == list(COPIES)
    assert not (tmp_path / "run" / REPLACED).exists()
    run(meant, tmp_path / "run")  # now they are to be replaced after all
    assert whole(tmp_path / "run") == undisturbed
    off = run(specs["off"], tmp_path / "other").report
    assert off is not None
    assert off["duplicates"] == {"mode": "off"}


def test_who_is_everybodys_double_is_left_and_told(
    meant: populate.Meant, repeating: Repeating, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = repeating.make
    monkeypatch.setattr(repeating, "make", lambda slots, attempt=0: real(slots, 0))
    report = run(meant, tmp_path / "run").report
    assert report is not None
    assert [entry["slot"] for entry in report["duplicates"]["left"]] == list(COPIES)


def test_parts_come_in_order_whoever_is_first() -> None:
    tasks = [Task("", k, None, frozenset(), False, "") for k in range(5)]  # type: ignore[arg-type]

    def over(work: object, tasks: list[Task], workers: int) -> Iterator[tuple[Task, int]]:
        yield from ((tasks[k], k) for k in (3, 0, 4, 1, 2))

    assert [seen for _, seen in in_order(tasks, 2, over)] == [0, 1, 2, 3, 4]  # type: ignore[comparison-overlap,arg-type]


def test_those_checked_are_spread_over_the_plan() -> None:
    plan = dp.make_plan(1000, "KE", depth=20)
    assert checked_slots(plan, 4) == {0, 250, 500, 750}
    assert checked_slots(plan, 5000) == set(range(1000))
    assert checked_slots(plan, 0) == frozenset()


SCRIPT = """
import os, signal, sys
from pathlib import Path
import deeppersona as dp
from deeppersona import populate
from deeppersona.population import sift
from deeppersona.population.spec import parse_spec
from deeppersona.runtime import store

store.PART_SIZE = 10
sift.Sieve.add_sketches = lambda self, made, slots=None: [0 if s in (4, 12, 25) and len(made) > 1 else None for s in slots]
if sys.argv[2] == "kill":
    real = store.RunFolder.commit
    def commit(self, number, content, people, failures):
        if (self.path / sift.REPLACED).exists() and number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, number, content, people, failures)
    store.RunFolder.commit = commit
meant = populate.mean(parse_spec({"n": 30, "seed": 3, "depth": 20, "base": {"country": "KE"}, "check": 5}, "test"), dp.shipped_taxonomy())
populate.populate(meant, Path(sys.argv[1]), dp.shipped_taxonomy(), workers=1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no kill -9 here")
def test_killed_in_the_middle_of_replacing(tmp_path: Path) -> None:
    def go(out: Path, how: str) -> int:
        return subprocess.run([sys.executable, "-c", textwrap.dedent(SCRIPT), str(out), how], check=False).returncode

    assert go(tmp_path / "a" / "run", "kill") == -9
    assert not (tmp_path / "a" / "run" / FOUND).exists()
    assert go(tmp_path / "a" / "run", "finish") == 0
    assert go(tmp_path / "b" / "run", "finish") == 0
    assert whole(tmp_path / "a" / "run") == whole(tmp_path / "b" / "run")
    assert json.loads((tmp_path / "a" / "run" / FOUND).read_bytes())["replaced"] == 3
