"""A run made in shards and put together is the run that one process makes; what is missing or damaged is told."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deeppersona as dp
from deeppersona import study
from deeppersona.generation.engine import Made
from deeppersona.runtime import shard as shard_module
from deeppersona.runtime import store
from deeppersona.runtime.shard import Shard, merge, shard_of
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure
from deeppersona.studio.gallery import write_gallery

SCRIPT = str(Path(sys.executable).parent / "deeppersona")
PLAN = {"n": 37, "country": ["KE", "DE"], "seed": 5, "depth": 20}


def whole(run: Path) -> dict[str, bytes]:
    """Every file of a run but the ledger and what it leaves behind."""
    return {
        file.relative_to(run).as_posix(): file.read_bytes()
        for file in sorted(run.rglob("*"))
        if file.is_file() and "sqlite" not in file.name and not file.name.startswith(".")
    }


@pytest.fixture(autouse=True, scope="module")
def _small_parts_of_people_made_once() -> Iterator[None]:
    """What shards are made of matters to the commands alone (below), which make it in processes of their own."""
    taxonomy = dp.shipped_taxonomy()
    made = study.filled(study.maker_for(dp.make_plan(**PLAN), taxonomy), range(37), taxonomy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PART_SIZE", 5)
        patch.setattr(study, "maker_for", lambda plan, taxonomy: SimpleNamespace(plan=plan))
        patch.setattr(study, "filled", lambda maker, slots, taxonomy: Made([made.records[s] for s in slots], []))
        yield


@pytest.fixture(scope="module", params=["jsonl", "zstd"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, taxonomy: dp.Taxonomy) -> Path:
    """Three shards, and beside them the same run made by one process."""
    place, plan = tmp_path_factory.mktemp("shards"), dp.make_plan(**PLAN)
    for k in (1, 2, 3):
        shard = Shard(k, 3, "deeppersona generate -n 37")
        dp.run(plan, place / f"shard-{k}", taxonomy, workers=1, storage=request.param, shard=shard)
    dp.run(plan, place / "local" / "run", taxonomy, workers=1, storage=request.param)
    write_gallery(place / "local" / "run")
    return place


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(folder / f"shard-{k}", tmp_path / f"shard-{k}")) for k in (1, 2, 3)]


@pytest.fixture
def local(folder: Path) -> dict[str, bytes]:
    return whole(folder / "local" / "run")


def test_shards_put_together_are_the_local_run(
    shards: list[Path], local: dict[str, bytes], taxonomy: dp.Taxonomy
) -> None:
    out = shards[0].parent / "merged" / "run"
    assert merge(shards[::-1], out) == (37, 0)
    write_gallery(out)
    assert whole(out) == local
    assert sorted(RunFolder(out).ledger()) == list(range(8))
    part = RunFolder(out).part_file(1)
    assert part.samefile(RunFolder(shards[1]).part_file(1))
    assert merge(shards, out) == (37, 0)
    dp.run(dp.make_plan(**PLAN), out, taxonomy, workers=1)  # it is a run like any other
    assert [p["provenance"]["slot"] for p in RunFolder(out).records()] == list(range(37))


def test_failures_come_along(tmp_path: Path, taxonomy: dp.Taxonomy, monkeypatch: pytest.MonkeyPatch) -> None:
    real = study.filled

    def some_fail(maker, slots, taxonomy=None):  # type: ignore[no-untyped-def]
        made = real(maker, [s for s in slots if s % 7], taxonomy)
        failed = [Failure(slot=s, stage="core", reason="cannot be") for s in slots if not s % 7]
        return type(made)(made.records, failed)

    monkeypatch.setattr(study, "filled", some_fail)
    plan = dp.make_plan(**PLAN)
    for k in (1, 2):
        dp.run(plan, tmp_path / str(k), taxonomy, workers=1, shard=Shard(k, 2))
    dp.run(plan, tmp_path / "local", taxonomy, workers=1)
    assert merge([tmp_path / "1", tmp_path / "2"], tmp_path / "merged") == (31, 6)
    assert whole(tmp_path / "merged") == whole(tmp_path / "local")
    assert RunFolder(tmp_path / "merged").counts() == (31, 6)


def test_where_no_link_can_be_made_parts_are_copied(
    shards: list[Path], local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(shard_module.os, "link", refuse)
    out = shards[0].parent / "merged" / "run"
    merge(shards, out)
    for shard in shards:
        shutil.rmtree(shard)
    write_gallery(out)
    assert whole(out) == local


def test_stopped_in_the_middle_merge_goes_on(
    shards: list[Path], local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real, taken = shards[0].parent / "merged" / "run", shard_module._take, []

    def stops(*arguments: object) -> None:
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(arguments)
        real(*arguments)

    monkeypatch.setattr(shard_module, "_take", stops)
    with pytest.raises(KeyboardInterrupt):
        merge(shards, out)
    monkeypatch.setattr(shard_module, "_take", real)
    # and one part is spoilt meanwhile: its shard has the good one, unless both are the same file
    part = RunFolder(out).part_file(0)
    content = part.read_bytes()
    part.unlink()
    part.write_bytes(content[:-1] + b"#")
    told: list[tuple[int, int]] = []
    merge(shards, out, lambda done, of: told.append((done, of)))
    assert (told[0], told[-1]) == ((2, 8), (8, 8))
    part.with_name(part.name + ".damaged").unlink()
    write_gallery(out)
    assert whole(out) == local


def test_what_is_missing_is_named_with_the_command_that_makes_it(shards: list[Path], taxonomy: dp.Taxonomy) -> None:
    out = shards[0].parent / "merged"
    with pytest.raises(
        dp.UsageError, match=r"shard 2/3 is missing.*\n  deeppersona generate -n 37 --shard 2/3 --out FOLDER"
    ):
        merge([shards[0], shards[2]], out)
    shutil.rmtree(shards[1])
    real, made = RunFolder.commit, []

    def once(self: RunFolder, *arguments: object) -> None:
        if made:
            raise dp.StoreError("the disk is full")
        made.append(arguments)
        real(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, pytest.raises(dp.StoreError):
        patch.setattr(RunFolder, "commit", once)
        form = RunFolder(shards[0]).storage
        dp.run(dp.make_plan(**PLAN), shards[1], taxonomy, workers=1, storage=form, shard=Shard(2, 3, "deeppersona x"))
    with pytest.raises(
        dp.UsageError, match=r"parts 4, 7 are missing in .*\n.*\n  deeppersona x --shard 2/3 --out .*shard-2$"
    ):
        merge(shards, out)
    assert not out.exists()


def test_a_damaged_part_is_refused_and_repaired_by_its_shard(shards: list[Path], taxonomy: dp.Taxonomy) -> None:
    part = RunFolder(shards[0]).part_file(3)
    good = part.read_bytes()
    part.write_bytes(good[:100] + b"#" + good[101:])
    with pytest.raises(dp.StoreError, match=r"part-00003.*checksum.*--repair"):
        merge(shards, shards[0].parent / "merged")
    dp.run(dp.make_plan(**PLAN), shards[0], taxonomy, workers=1, repair=True, shard=Shard(1, 3))
    assert part.read_bytes() == good
    assert merge(shards, shards[0].parent / "merged") == (37, 0)
    RunFolder(shards[0]).part_file(3).unlink()
    with pytest.raises(dp.StoreError, match="is gone"):
        merge(shards, shards[0].parent / "again")


def test_folders_that_make_no_run_are_refused(tmp_path: Path, taxonomy: dp.Taxonomy, run_folder: Path) -> None:
    def made(name: str, shard: Shard | None, **change: object) -> Path:
        dp.run(dp.make_plan(**{**PLAN, **change}), tmp_path / name, taxonomy, workers=1, shard=shard)
        return tmp_path / name

    one, two = made("one", Shard(1, 2)), made("two", Shard(2, 2))
    for given_, said in (
        ([one, one], "named twice"), ([one, made("copy", Shard(1, 2))], "both shard 1/2"),
        ([one, made("other", Shard(2, 2), seed=6)], "different plans.*seed"),
        ([one, made("third", Shard(2, 3))], "one division"), ([one, run_folder], "no shard, but a whole run"),
        ([one, tmp_path / "nowhere"], "is not a run"),
    ):  # fmt: skip
        with pytest.raises(dp.UsageError, match=said):
            merge(given_, tmp_path / "out")
    with pytest.raises(dp.UsageError, match="one of the shards"):
        merge([one, two], one)
    with RunFolder(two).writing(dp.make_plan(**PLAN)), pytest.raises(dp.StoreError, match="still being written"):
        merge([one, two], tmp_path / "out")


def test_a_folder_stays_what_it_was_begun_as(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    plan, out = dp.make_plan(**PLAN), tmp_path / "run"
    dp.run(plan, out, taxonomy, workers=1, shard=Shard(1, 3))
    with pytest.raises(dp.UsageError, match="begun as shard 1/3, not 2/3"):
        dp.run(plan, out, taxonomy, workers=1, shard=Shard(2, 3))
    with pytest.raises(dp.UsageError, match="--shard 1/3"):
        dp.run(plan, out, taxonomy, workers=1)
    dp.run(plan, tmp_path / "whole", taxonomy, workers=1)
    with pytest.raises(dp.UsageError, match="a whole run; leave --shard away"):
        dp.run(plan, tmp_path / "whole", taxonomy, workers=1, shard=Shard(1, 3))
    (out / "shard.json").write_text("{")
    with pytest.raises(dp.StoreError, match=r"shard\.json cannot be read"):
        shard_of(out)


@given(st.integers(1, 400), st.integers(1, 60))
def test_every_part_is_of_one_shard(n: int, of: int) -> None:
    plan = Plan(n=n, countries={"KE": 1.0}, taxonomy="t", engine="e")
    parts = [part for k in range(1, of + 1) for part in Shard(k, of).parts(plan)]
    assert sorted(parts) == list(range(store.part_count(plan)))
    assert sum(Shard(k, of).people(plan) for k in range(1, of + 1)) == n


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_shard_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(dp.UsageError, match="as in 2/8"):
        Shard.parse(text)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=120)


def test_the_commands_with_a_shard_killed_in_the_middle(tmp_path: Path) -> None:
    asked = ("generate", "-n", "1100", "--country", "KE", "--depth", "20", "--anchor", "age=30..40", "--workers", "1")
    one = (*asked, "--shard", "1/2", "--out", str(tmp_path / "a"))
    first = subprocess.Popen([SCRIPT, *one], start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "a/personas/part-00000.jsonl").exists():
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    merged = ("merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "merged" / "run"))
    assert command(*asked, "--shard", "2/2", "--out", str(tmp_path / "b")).returncode == 0
    missing = command(*merged)
    assert missing.returncode == 2
    assert "generate -n 1100 --country KE --depth 20 --anchor age=30..40 --shard 1/2 --out" in missing.stderr
    assert "Traceback" not in missing.stderr
    done = command(*one, "--json")
    assert json.loads(done.stdout) == {
        "out": str(tmp_path / "a"),
        "shard": "1/2",
        "asked": 600,
        "people": 600,
        "failures": 0,
    }
    assert command(*merged).returncode == 0
    assert command(*asked, "--out", str(tmp_path / "local" / "run")).returncode == 0
    assert whole(tmp_path / "merged" / "run") == whole(tmp_path / "local" / "run")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--shard", "3/2"), "as in 2/8"),
        (("--shard", "1/2", "--model", "scripted:"), "one run folder"),
        (("--engine", "ray", "--model", "scripted:"), "one run folder"),
        (("--shard", "1/2", "--format", "csv"), "deeppersona merge"),
        (("--address", "auto"), "--engine ray"),
        (("--engine", "ray", "--address", "127.0.0.1:1"), "no Ray cluster answers"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = command("generate", "-n", "2", "--country", "KE", *arguments, "--out", str(tmp_path / "run"))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
