"""Parts in both forms hold the same people; a run is read lazily; damage is named."""

import io
import json
import re
from pathlib import Path
from random import Random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import deeppersona as dp
from deeppersona.runtime import parts, records
from deeppersona.runtime.parts import FRAME, STORAGES, Storage, open_part, packed, part_files, part_lines, part_name
from deeppersona.runtime.store import PACKED_FROM, RunFolder, lines_of, part_count, part_slots, usual_storage

GONE = {3, 4, 499, 500, 730}  # slots whose people could not be made


def plan_of(n: int, **more: object) -> dp.Plan:
    return dp.Plan(n=n, countries={"KE": 1.0}, taxonomy="t", engine="0", **more)


def record(slot: int) -> dict[str, object]:
    return {
        "id": f"{'ke' if slot % 2 else 'de'}-{slot:06d}",
        "traits": [{"path": "demographics.age", "value": slot % 90, "source": "table"}],
        "narrative": "x" * (slot % 7) + "é",
        "provenance": {"engine": "0", "taxonomy": "t", "seed": 0, "slot": slot},
    }


def made(out: Path, n: int = 1200, storage: Storage | None = None, numbers: set[int] | None = None) -> RunFolder:
    plan, folder = plan_of(n), RunFolder(out)
    with folder.writing(plan, storage):
        for number in range(part_count(plan)):
            if numbers is None or number in numbers:
                people = [record(slot) for slot in part_slots(plan, number) if slot not in GONE]
                folder.commit(number, lines_of(people), len(people), [])
        folder.finish()
    return folder


@pytest.fixture(scope="module", params=STORAGES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return made(tmp_path_factory.mktemp("records") / "run", storage=request.param)


WANTED = [record(slot) for slot in range(1200) if slot not in GONE]


@given(st.lists(st.binary(max_size=40).map(lambda b: b"{" + b.replace(b"\n", b"") + b"\n"), max_size=3 * FRAME))
def test_packed_is_a_plain_zstd_file_of_the_same_lines(lines: list[bytes]) -> None:
    content = b"".join(lines)
    whole = packed(content, "zstd")
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(whole), read_across_frames=True).read() == content
    assert packed(content, "zstd") == whole
    assert packed(whole, "zstd") == whole
    assert packed(content, "jsonl") == content


def test_both_forms_hold_the_same_people(run: RunFolder) -> None:
    people = run.records()
    assert len(people) == len(WANTED) == run.counts()[0]
    assert list(people) == WANTED
    assert people[0] == WANTED[0]
    assert people[-1] == WANTED[-1]
    assert people[490:510] == WANTED[490:510]
    assert people[5:1:-2] == WANTED[5:1:-2]
    order = Random(1).sample(range(len(WANTED)), 300)  # noqa: S311 - an order, no secret
    assert [people[i] for i in order] == [WANTED[i] for i in order]
    with pytest.raises(IndexError):
        people[len(WANTED)]
    with pytest.raises(IndexError):
        people[-len(WANTED) - 1]


def test_the_file_is_what_the_folder_was_settled_to(tmp_path: Path) -> None:
    assert "storage" not in json.loads((made(tmp_path / "a", 10).path / "plan.json").read_text())
    folder = made(tmp_path / "b", 10, "zstd")
    assert folder.part_file(0).name == "part-00000.jsonl.zst"
    assert json.loads((folder.path / "plan.json").read_text())["storage"] == "zstd"
    assert RunFolder(folder.path).plan() == RunFolder(tmp_path / "a").plan()
    with folder.writing(plan_of(10)):  # going on takes the form there is
        assert folder.finished(plan_of(10)) == {0}
    with pytest.raises(dp.UsageError, match="begun with storage zstd"), folder.writing(plan_of(10), "jsonl"):
        pass
    (folder.path / "plan.json").write_text((folder.path / "plan.json").read_text().replace('"zstd"', '"zip"'))
    with pytest.raises(dp.StoreError, match="cannot be read"):
        RunFolder(folder.path).records()


def test_a_folder_where_nothing_was_made_may_change_its_form(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", 10, "zstd", numbers=set())
    with folder.writing(plan_of(10), "jsonl"):
        assert folder.storage == "jsonl"


def test_many_people_are_packed_unless_a_model_writes() -> None:
    assert usual_storage(plan_of(PACKED_FROM - 1)) == "jsonl"
    assert usual_storage(plan_of(PACKED_FROM)) == "zstd"
    assert usual_storage(plan_of(PACKED_FROM, writing={"writer": "m", "prompts": "p"})) == "jsonl"


def test_workers_and_the_folder_pack_to_the_same_bytes(tmp_path: Path, taxonomy: dp.Taxonomy) -> None:
    plan = dp.make_plan(7, "KE", seed=2, depth=20)
    dp.run(plan, tmp_path / "plain", taxonomy)
    dp.run(plan, tmp_path / "packed", taxonomy, storage="zstd")
    plain = (tmp_path / "plain" / "personas" / "part-00000.jsonl").read_bytes()
    assert (tmp_path / "packed" / "personas" / "part-00000.jsonl.zst").read_bytes() == packed(plain, "zstd")
    assert [p.record() for p in dp.load(tmp_path / "packed")] == [p.record() for p in dp.load(tmp_path / "plain")]


def test_opening_reads_no_part_the_ledger_knows(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    real = records.open_part
    monkeypatch.setattr(records, "open_part", lambda file: opened.append(file) or real(file))
    people = run.records()
    assert len(people) == len(WANTED)
    assert opened == []
    assert people.find("de-000600") == 600 - 4
    assert opened == [run.part_file(0), run.part_file(1)]  # the first person says how ids are made


def test_people_are_found_by_id(run: RunFolder) -> None:
    people = run.records()
    for place, wanted in enumerate(WANTED[::37]):
        assert people.find(str(wanted["id"])) == place * 37
    for nobody in ("ke-000003", "ke-000600", "de-009999", "ke-000730", "Teresia", "", "de-0x1"):
        assert people.find(nobody) is None


def test_ids_of_another_form_are_looked_for(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    people = [{**record(slot), "id": f"p{slot}x"} for slot in range(20)]
    with folder.writing(plan_of(20)):
        folder.commit(0, lines_of(people), 20, [])
    assert folder.records().find("p13x") == 13
    assert folder.records().find("de-000004") is None


def test_a_part_the_ledger_does_not_know_is_counted(tmp_path: Path) -> None:
    for storage in STORAGES:
        folder = made(tmp_path / storage, 1200, storage, numbers={0, 2})
        folder.keep_unfinished(1, lines_of([record(slot) for slot in range(501, 630)]))
        assert [r["provenance"]["slot"] for r in folder.records()][497:501] == [501, 502, 503, 504]
        assert len(folder.records()) == 497 + 129 + 200
        assert folder.records()[497 + 128] == record(629)
        (folder.path / "run.sqlite").unlink()
        assert len(folder.records()) == 497 + 129 + 200
        assert not (folder.path / "run.sqlite").exists()


def test_parts_sort_by_number_beyond_five_digits(tmp_path: Path) -> None:
    for number in (99_999, 100_000, 7, 1_234_567):
        (tmp_path / part_name(number, "zstd" if number == 7 else "jsonl")).write_bytes(b"")
    (tmp_path / "part-00008.jsonl.damaged").write_bytes(b"")
    (tmp_path / ".part-00009.jsonl.1.tmp").write_bytes(b"")
    assert list(part_files(tmp_path)) == [7, 99_999, 100_000, 1_234_567]
    (tmp_path / part_name(7, "jsonl")).write_bytes(b"")
    assert part_files(tmp_path)[7].suffix == ".jsonl"
    assert part_files(tmp_path, "zstd")[7].suffix == ".zst"


def test_any_flipped_byte_of_a_packed_part_is_found(tmp_path: Path) -> None:
    file = tmp_path / part_name(0, "zstd")
    lines = lines_of(WANTED[:150]).splitlines(keepends=True)
    good = packed(b"".join(lines), "zstd")
    for at in range(len(good)):
        file.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        try:
            harmless = [line for line, _ in part_lines(file)] == lines  # bit 4 of a frame's first byte means nothing
        except dp.StoreError as error:
            assert re.search(r"part-00000\.jsonl\.zst is damaged at byte \d+: .*--repair", str(error))
        else:
            assert harmless
    for cut in (0, 5, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:cut])
        with pytest.raises(dp.StoreError, match="is damaged at byte"):
            open_part(file)


@pytest.mark.parametrize("storage", STORAGES)
def test_people_missing_from_a_part_are_told(tmp_path: Path, storage: Storage) -> None:
    folder = made(tmp_path / "run", 1200, storage)
    people = folder.records()
    folder.part_file(1).write_bytes(packed(lines_of([record(slot) for slot in range(501, 900)]), storage))
    for look in (lambda: people[600], lambda: list(people)):
        with pytest.raises(dp.StoreError, match=r"part-00001.* is damaged: it holds 399 people where 498 were"):
            look()
    assert people[0] == WANTED[0]  # the other parts are read all the same


@pytest.mark.parametrize("storage", STORAGES)
def test_repair_sets_a_damaged_part_aside(tmp_path: Path, storage: Storage) -> None:
    folder = made(tmp_path / "run", 1200, storage)
    file = folder.part_file(1)
    file.write_bytes(b"#" + file.read_bytes()[1:])
    with pytest.raises(dp.StoreError, match=f"{file.name} is not as it was written"):
        folder.finished(plan_of(1200))
    with pytest.raises(dp.StoreError, match=f"{file.name} is damaged at byte"):
        list(folder.records())
    assert folder.finished(plan_of(1200), repair=True) == {0, 2}
    assert file.with_name(file.name + ".damaged").exists()
    assert len(RunFolder(folder.path).records()) == len(WANTED) - 498


def test_memory_of_an_open_run_is_its_parts_not_its_people(tmp_path: Path) -> None:
    file = tmp_path / part_name(0, "zstd")
    file.write_bytes(packed(lines_of(WANTED[:500]), "zstd"))
    known = dict.fromkeys(range(2000), 500)
    people = records.RunRecords(dict.fromkeys(range(2000), file), known, 500)
    assert len(people) == 1_000_000
    assert people[999_999] == WANTED[499]
    for place in range(0, 1_000_000, 20_011):
        people[place]
    assert len(people._chunk._held) == records._CHUNKS_KEPT
    assert parts.FRAME * records._CHUNKS_KEPT <= 1000
