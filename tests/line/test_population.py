"""The command: what it makes, what it refuses, how it ends; and shards put together are the run of one process."""

from __future__ import annotations

import csv
import gzip
import json
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
