"""The command: what it makes, what it refuses, how it ends; and shards put together are the run of one process."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deeppersona.cli.main import cli
from deeppersona.cli.population import broken_limits, measures
from deeppersona.errors import DeepPersonaError, UsageError
from deeppersona.runtime import store
from tests.population.telling import scripted
from tests.servers import FaultyServer

PANEL = """
name = "panel"
n = 30
depth = 20
check = 5
[base]
country = ["KE", "DE"]
ages = "25..70"
where = { marital_status = ["married", "single"] }
focus = { health = 3 }
[[quota]]
over = ["sex", "urban"]
people = [["female", "urban", 9], ["male", "rural", 6]]
[[target]]
over = "sex"
share = { female = 0.6, male = 0.4 }
[weights]
trim = [0.2, 5.0]
[report]
on = ["age"]
strata = ["sex"]
"""


@dataclass
class Ended:
    """How a command ended: as ``main`` would end it, what it printed, what it told."""

    exit_code: int
    stdout: str
    output: str


def call(*words: object) -> Ended:
    result = CliRunner().invoke(cli, [str(w) for w in words])
    error = result.exception
    if isinstance(error, DeepPersonaError):
        return Ended(error.exit_code, result.stdout, f"{result.output}deeppersona: {error}")
    if error is not None and not isinstance(error, SystemExit):
        raise error
    return Ended(result.exit_code, result.stdout, result.output)


def whole(out: Path) -> dict[str, bytes]:
    return {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and "sqlite" not in file.name and not file.name.startswith(".")
    }


@pytest.fixture(scope="module", autouse=True)
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PART_SIZE", 8)
        yield


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "panel.toml"
    path.write_text(PANEL)
    return path


@pytest.fixture(scope="module")
def run(spec: Path) -> Path:
    out = spec.parent / "one" / "run"
    made = call("population", spec, "--out", out, "--workers", 1, "--json", "--fail-if", "quota_error>0")
    assert made.exit_code == 0, made.output
    return out


def test_what_is_made_is_what_was_asked_for(run: Path) -> None:
    report = json.loads((run / "fidelity.json").read_text())
    assert (report["people"], report["quota_error"], report["failures"], report["checked"]) == (30, 0, 0, 5)
    people = [
        {t["path"]: t["value"] for t in json.loads(line)["traits"]}
        for part in sorted((run / "personas").iterdir())
        for line in part.read_text().splitlines()
    ]
    assert sum(p["demographics.sex"] == "female" and p["demographics.urban"] == "urban" for p in people) == 9
    assert sum(p["demographics.sex"] == "male" and p["demographics.urban"] == "rural" for p in people) == 6
    assert all(
        25 <= p["demographics.age"] <= 70 and p["demographics.marital_status"] in ("married", "single") for p in people
    )
    assert set(report["strata"]["sex"]) == {"female", "male"}
    assert (run / "fidelity.html").read_text().startswith("<!doctype html>")


def test_weights_meet_the_target_and_their_cost_is_told(run: Path) -> None:
    report = json.loads((run / "fidelity.json").read_text())
    with gzip.open(run / "weights.csv.gz", "rt") as handle:
        weights = {row["id"]: float(row["weight"]) for row in csv.DictReader(handle)}
    records = [
        json.loads(line) for part in sorted((run / "personas").iterdir()) for line in part.read_text().splitlines()
    ]
    female = [
        weights[r["id"]]
        for r in records
        if any(t["path"] == "demographics.sex" and t["value"] == "female" for t in r["traits"])
    ]
    w = np.array(list(weights.values()))
    assert len(w) == 30
    assert sum(female) / w.sum() == pytest.approx(0.6, abs=1e-4)
    assert report["weights"]["design_effect"] == pytest.approx(30 * (w**2).sum() / w.sum() ** 2, rel=1e-4)
    assert report["weights"]["targets"][0]["tv"] < 1e-6
    assert report["weights"]["missed"] == []


@pytest.mark.parametrize("up_to", [8, 7])
def test_a_gallery_is_written_of_a_few_and_named_for_many(
    up_to: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeppersona.cli.population.GALLERY_UP_TO", up_to)
    out = tmp_path / "run"
    said = call("population", "--preset", "national", "--country", "KE", "-n", 8, "--depth", 20, "--out", out).stdout
    few = up_to == 8
    assert (out / "index.html").exists() is few
    assert (f"see   {out / 'index.html'}" if few else f"see   deeppersona gallery {out}") in said


def test_trimming_that_keeps_from_a_target_is_told(spec: Path) -> None:
    tight = spec.with_name("tight.toml")
    tight.write_text(
        PANEL.replace("trim = [0.2, 5.0]", "trim = [0.95, 1.05]").replace(
            "female = 0.6, male = 0.4", "female = 0.95, male = 0.05"
        )
    )
    made = call("population", tight, "--out", spec.parent / "tight", "--workers", 1, "--json")
    weights = json.loads(made.stdout)["weights"]
    assert weights["missed"]
    assert not weights["converged"]
    assert (weights["smallest"], weights["largest"]) == pytest.approx((0.95, 1.05), abs=0.01)


def test_a_target_nobody_made_can_meet_is_told_and_not_raised(spec: Path) -> None:
    rare = spec.with_name("rare.toml")
    rare.write_text(
        PANEL.replace(
            'over = "sex"\nshare = { female = 0.6, male = 0.4 }',
            'over = "children"\nshare = { "12" = 0.001, "0..3" = 0.6 }',
        )
    )
    made = call("population", rare, "--out", spec.parent / "rare", "--workers", 1, "--json")
    assert made.exit_code == 0, made.output
    assert "nobody is there" in json.loads(made.stdout)["weights"]["missed"][0]


def test_run_again_nothing_changes(run: Path, spec: Path) -> None:
    before = whole(run)
    assert call("population", spec, "--out", run, "--workers", 1).exit_code == 0
    assert whole(run) == before


def told_by_nobody_real(made: Path, spec: Path, out: Path) -> Path:
    """A population that is made already, told by the shipped double."""
    shutil.copytree(made, out)
    told = call("population", spec, "--out", out, "--workers", 1, "--model", "scripted:", "--json")
    assert told.exit_code == 0, told.output
    report = json.loads(told.stdout)
    assert report["telling"]["told"] + report["telling"]["kept"] == 30
    assert report["usage"]["models"]["scripted:"]["telling"]["calls"] >= 30
    assert report["stopped"] == ""
    return out


KILLED = """
import os, signal, sys
from importlib import import_module
from deeppersona.cli.main import main
from deeppersona.runtime import store

store.PART_SIZE = 8
module, name, left = import_module(sys.argv[1]), sys.argv[2], [int(sys.argv[3])]
real = getattr(module, name)
def killed(*words, **named):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*words, **named)
setattr(module, name, killed)
sys.argv[1:] = sys.argv[4:]
main()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no kill -9 here")
def test_a_merge_that_is_killed_and_run_again_is_the_run_of_one_process(run: Path, spec: Path, tmp_path: Path) -> None:
    shards = [tmp_path / f"s{k}" for k in (1, 2)]
    for k, shard in enumerate(shards, 1):
        assert call("population", spec, "--out", shard, "--shard", f"{k}/2", "--workers", 1).exit_code == 0
    merging = ["merge", *map(str, shards), "--out", str(tmp_path / "m" / "run"), "--workers", "1"]
    # While parts are taken over; when all are there and none is looked through; just before the report is written.
    for module, name, turn in (
        ("runtime.shard", "_take", 3),
        ("populate", "look_through", 1),
        ("populate", "write_report", 1),
    ):
        words = [sys.executable, "-c", KILLED, f"deeppersona.{module}", name, str(turn), *merging]
        assert subprocess.run(words, capture_output=True).returncode == -signal.SIGKILL
        assert not (tmp_path / "m" / "run" / "fidelity.json").exists()
    done = call(*merging)
    assert done.exit_code == 0, done.output
    assert whole(tmp_path / "m" / "run") == whole(run)


def test_shards_put_together_are_the_run_of_one_process(run: Path, spec: Path, tmp_path: Path) -> None:
    for k in (1, 2, 3):
        made = call("population", spec, "--out", tmp_path / f"s{k}", "--shard", f"{k}/3", "--workers", 1)
        assert made.exit_code == 0, made.output
        assert not (tmp_path / f"s{k}" / "fidelity.json").exists()
    shards = [tmp_path / f"s{k}" for k in (1, 2, 3)]
    for _ in range(2):  # and again: nothing changes
        made = call("merge", *shards, "--out", tmp_path / "m" / "run", "--json")
        assert made.exit_code == 0, made.output
        assert json.loads(made.stdout)["quota_error"] == 0
        assert whole(tmp_path / "m" / "run") == whole(run)
    told = whole(told_by_nobody_real(run, spec, tmp_path / "told" / "run"))
    assert whole(told_by_nobody_real(tmp_path / "m" / "run", spec, tmp_path / "told again" / "run")) == told
    other = json.loads((shards[1] / "spec.json").read_text())
    (shards[1] / "spec.json").write_text(json.dumps({**other, "duplicates": "off"}))
    refused = call("merge", *shards, "--out", tmp_path / "n")
    assert refused.exit_code == 2
    assert "different specifications" in refused.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a specification or a preset"), (["--preset", "nationl"], "did you mean national"), (["none.toml"], "no specification at"),
        (["--preset", "panel", "-n", 7], "adds up to 1,000, not to the 7"), (["--preset", "national", "--fail-if", "quota>0"], "did you mean quota_error"),
        (["--preset", "national", "--fail-if", "tv=>3"], "NAME>NUMBER"), (["--preset", "national", "--fail-if", "tv>1e"], "NAME>NUMBER"),
        (["--preset", "national", "--country", "Kenia"], "did you mean Kenya"), (["--preset", "national", "--depth", 5], "depth"),
        (["--preset", "students", "--model", "scriptd:"], "did you mean scripted"), (["--preset", "students", "--model", "judge=scripted:"], "besides the judge"),
        (["--preset", "students", "--model", "scripted:", "--shard", "1/2"], "deeppersona merge"), (["--preset", "students", "--estimate"], "--model SPEC"),
        (["--preset", "students", "--model", "scripted:", "--engine", "ray"], "without --shard and --engine"), (["--preset", "students", "--budget", 2], "--model SPEC"),
        (["--preset", "students", "--model", "scripted:", "--slot", 3], "leave --model away"), (["--preset", "students", "--model", "openai:m", "--price", "x"], "IN/OUT"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_made(words: list[Any], told: str, tmp_path: Path) -> None:
    made = call("population", *words, "--out", tmp_path / "run")
    assert made.exit_code == 2
    assert told in made.output
    assert "Traceback" not in made.output
    assert not (tmp_path / "run").exists()


def test_showing_and_trying_make_nothing(tmp_path: Path, spec: Path) -> None:
    assert call("population", "--preset", "panel", "--show").output.startswith("# A panel")
    assert json.loads(call("population", "--schema").output)["title"] == "deeppersona population"
    tried = call("population", spec, "--dry-run", "--out", tmp_path / "run")
    assert "30 people can be made in" in tried.output
    assert not (tmp_path / "run").exists()


REPORT: dict[str, Any] = {
    "quota_error": 1.0, "failures": 2, "violations": 0, "duplicates": {"left": [1]}, "asked": 10, "people": 8, "weights": {"design_effect": 1.5},
    "joints": [{"dims": ["a"], "tv": 0.02, "p_holm": 0.5}, {"dims": ["a", "b"], "tv": 0.07, "p_holm": 0.004}],
}  # fmt: skip


def test_limits_are_read_and_held() -> None:
    assert measures(REPORT) == {
        "quota_error": 1, "failures": 2, "violations": 0, "duplicates": 1, "missing": 2, "tv": 0.07, "tv_margin": 0.02, "p": 0.004, "design_effect": 1.5,
    }  # fmt: skip
    every = ("quota_error>0", " tv > 5e-2", "tv_margin>=0.02", "p<0.01", "missing==2", "design_effect<=1.5")
    assert len(broken_limits(every, REPORT)) == len(every)
    assert broken_limits(("quota_error>1", "tv>0.07", "p<0.004", "violations>0"), REPORT) == []
    assert broken_limits(("tv>0",), None) == []
    for wrong in ("tv", "tv>", "tv>x", "tv>1e", "TV>1", "tv<>1", "tvv>1"):
        with pytest.raises(UsageError):
            broken_limits((wrong,), None)


def test_a_broken_limit_ends_with_one(run: Path, spec: Path) -> None:
    made = call(
        "population", spec, "--out", run, "--workers", 1, "--fail-if", "design_effect>=1", "--fail-if", "quota_error>0"
    )
    assert made.exit_code == 1
    assert "design_effect>=1 (design_effect is" in made.output


# --- told by a model -------------------------------------------------------------------------------------------------


def student_command(server: FaultyServer, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "deeppersona", "population", "--preset", "students", "-n", "24", "--country", "KE", "--seed", "5",
        "--workers", "1", "--model", f"openai:m@{server.url}", "--concurrency", "4", "--out", str(out), *more,
    ]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no kill -9 here")
def test_killed_while_it_is_told_the_same_command_pays_nothing_twice(tmp_path: Path) -> None:
    out = tmp_path / "a" / "run"
    with FaultyServer(model="m", script=scripted, latency=0.02) as server:
        with subprocess.Popen(
            student_command(server, out), stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            deadline = time.monotonic() + 120
            while server.good < 12:
                assert process.poll() is None
                assert time.monotonic() < deadline, "it never came to that"
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGKILL)
        server.latency = 0.0
        done = subprocess.run(student_command(server, out, "--json"), capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["telling"]["told"] == 24
        assert server.answered_twice <= 4  # what was on the wire
        again = subprocess.run(
            student_command(server, tmp_path / "b" / "run"), capture_output=True, text=True, timeout=120
        )
        assert (again.returncode, again.stderr) == (0, "")
        assert "24 of 24 told by openai:m" in again.stdout
        assert "25 answers paid for" in again.stdout
    one, other = (whole(tmp_path / name / "run") for name in "ab")
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name] and name != "usage.json"] == []


def test_an_estimate_makes_nobody_and_a_broken_purse_says_so(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("population", spec, "--out", out, "--workers", 1, "--model", "scripted:", "--price", "100/100")
    said = call(*words, "--estimate", "--json")
    found = json.loads(said.stdout)
    assert (found["event"], found["pilot"], found["n"]) == ("estimate", 3, 30)
    assert not list((out / "personas").iterdir())
    stopped = call(*words, "--budget", found["cost"][1] / 2)
    assert stopped.exit_code == 1
    assert "the budget of" in stopped.output
    assert "people left" in stopped.output
    refused = call("population", spec, "--out", out, "--workers", 1)
    assert (refused.exit_code, "add --model" in refused.output) == (2, True)
