"""Questions in SQL: the views are the run, made once and again when it changes; nothing else can be read or written."""

import csv
import gzip
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import deeppersona as dp
from deeppersona.corpus import tables
from deeppersona.corpus.query import asked, save_answer, views, write_answer
from deeppersona.runtime.parts import STORAGES, Storage
from deeppersona.runtime.store import RunFolder, lines_of, part_count, part_slots


def record(slot: int) -> dict[str, Any]:
    traits = [
        {"path": "demographics.age", "value": slot % 80, "source": "table"},
        {"path": "demographics.sex", "value": "female" if slot % 2 else "male", "source": "table"},
        {"path": "demographics.origins.roots", "value": "here", "source": "prior"},
        {"path": "student.academic.strong", "value": ["music", "art"][: slot % 3], "source": "prior"},
        {"path": "leisure.song", "value": ["a", "b"] if slot % 2 else "=1+1", "source": "prior"},
    ]
    if slot >= 500:  # told of a few only, and in another kind than elsewhere
        traits.append({"path": "demographics.income", "value": 1.5 if slot % 2 else 2, "source": "table"})
    return {
        "id": f"ke-{slot:06d}", "kind": "demographic", "traits": traits, "narrative": f"says {slot}",
        "stories": [{"age": 9, "title": "t", "text": "x"}] * (slot % 3),
        "provenance": {"engine": "0", "taxonomy": "t", "seed": 0, "slot": slot},
    }  # fmt: skip


def made(out: Path, n: int = 1200, storage: Storage = "jsonl", gone: int = 7) -> Path:
    plan, folder = dp.Plan(n=n, countries={"KE": 1.0}, taxonomy="t", engine="0"), RunFolder(out)
    with folder.writing(plan, storage):
        for number in range(part_count(plan)):
            people = [record(slot) for slot in part_slots(plan, number) if slot != gone]
            failed = [dp.Failure(slot=gone, stage="fill", reason="why")] if gone in part_slots(plan, number) else []
            folder.commit(number, lines_of(people), len(people), failed)
        folder.finish()
    return out


@pytest.fixture(scope="module", params=STORAGES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("query") / "it's a run", storage=request.param)


def ask(run: Path, sql: str) -> list[tuple[Any, ...]]:
    with asked(run, sql) as answer:
        return list(answer.rows())


def test_the_views_are_the_run(run: Path) -> None:
    people = [r for r in map(record, range(1200)) if r["provenance"]["slot"] != 7]
    assert ask(run, "select count(*), sum(age), count(income), sum(income) from people") == [
        (1199, sum(r["traits"][0]["value"] for r in people), 700, 350 * 3.5)
    ]
    assert ask(
        run, "select id, slot, age, sex, academic_strong, narrative from people order by slot limit 1 offset 8"
    ) == [("ke-000009", 9, 9, "female", [], "says 9")]
    told = [(r["id"], t["path"], t["value"], t["source"]) for r in people for t in r["traits"]]
    wanted = sorted((i, p, "; ".join(v) if isinstance(v, list) else str(v), s) for i, p, v, s in told)
    assert sorted(ask(run, "from traits")) == wanted
    assert ask(run, "select count(*) from stories") == [(sum(len(r["stories"]) for r in people),)]
    assert ask(run, "from failures") == [(7, "fill", "why", 0)]


def test_many_chunks_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_CHUNK", 400)
    monkeypatch.setattr(tables, "_PARALLEL_FROM", 99)
    told: list[tuple[int, int]] = []
    place = tables.tables(made(tmp_path / "run"), lambda done, people: told.append((done, people)))
    assert len(list(place.glob("people-*.parquet"))) == 3
    assert told == [(499, 1199), (999, 1199), (1199, 1199)]
    assert ask(tmp_path / "run", "select count(*), count(income), sum(income) from people") == [(1199, 700, 1225)]


def test_tables_are_made_once_and_again_when_the_run_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "run")
    first = tables.tables(run)
    monkeypatch.setattr(tables, "_write_chunk", None)
    assert tables.tables(run) == first
    monkeypatch.undo()
    folder = RunFolder(run)
    folder.commit(2, lines_of([record(1000)]), 1, [])
    assert ask(run, "select count(*) from people") == [(1000,)]
    assert not first.exists()
    with gzip.open(run / "weights.csv.gz", "wt") as handle:
        handle.write("id,weight\n" + "".join(f"ke-{slot:06d},{slot}\n" for slot in range(1001)))
    assert ask(run, "select sum(weight), count(*) from people") == [(1000 * 1001 / 2 - 7, 1000)]
    with gzip.open(run / "weights.csv.gz", "wt") as handle:
        handle.write("slot,weight\n0,3\n9,4\n")
    assert ask(run, "select slot, weight from people where weight > 0 order by slot") == [(0, 3.0), (9, 4.0)]


@pytest.mark.parametrize(
    "text", ["id,w\nke-000000,1\n", "weight\n1\n", "id,weight\na,heavy\n", "id,weight\na,1\na,2\n"]
)
def test_weights_that_are_none_are_told(tmp_path: Path, text: str) -> None:
    run = made(tmp_path / "run", 5)
    with gzip.open(run / "weights.csv.gz", "wt") as handle:
        handle.write(text)
    with pytest.raises(dp.StoreError, match=r"columns id \(or slot\) and weight"):
        ask(run, "from people")


def test_a_run_stopped_in_the_middle_of_making_tables_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run", 20)
    monkeypatch.setattr(tables, "_write_failures", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tables.tables(run)
    monkeypatch.undo()
    assert ask(run, "select count(*) from people") == [(19,)]
    assert [p.name for p in (run / ".query").iterdir() if p.is_dir()] == [tables.tables(run).name]


def test_an_unfinished_or_empty_run_can_be_asked(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.writing(dp.Plan(n=1000, countries={"KE": 1.0}, taxonomy="t", engine="0")):
        assert ask(folder.path, "select count(*) from people") == [(0,)]
        assert ask(folder.path, "from traits") == []
        folder.keep_unfinished(1, lines_of([record(501)]))
        assert ask(folder.path, "select id from people") == [("ke-000501",)]


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 600, "zstd")
    file = run / "personas" / "part-00001.jsonl.zst"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(dp.StoreError, match=r"part-00001\.jsonl\.zst is damaged"):
        ask(run, "from people")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select nope from people", "nope"),
        ("selec id from people", "syntax error"),
        ("select cast(narrative as int) from people", "says"),
        ("from folk", "folk"),
        ("", "one SELECT"),
        ("select 1; select 2", "one SELECT"),
        ("drop view people", "one SELECT"),
        ("create table t as from people", "one SELECT"),
        ("set memory_limit = '1GB'", "one SELECT"),
        ("install httpfs", "one SELECT"),
        ("attach '{other}' as o", "one SELECT"),
        ("copy people to '{other}'", "one SELECT"),
        ("explain analyze copy people to '{other}'", "one SELECT"),
        ("from read_csv('{there}')", "(?i)permission"),
        ("from read_text('{there}')", "(?i)permission"),
        ("from '{there}'", "(?i)permission"),
        ("from glob('{there}')", "(?i)permission"),
        ("from read_parquet('http://127.0.0.1:1/x.parquet')", "(?i)permission"),
        ("from run", "run"),  # a variable of the caller is no table
    ],
)
def test_what_is_no_question_is_refused(run: Path, tmp_path: Path, sql: str, said: str) -> None:
    there, other = tmp_path / "there.csv", tmp_path / "other.db"
    there.write_text("a\n1\n")
    with pytest.raises(dp.UsageError, match=said) as refused:
        ask(run, sql.format(there=there, other=other))
    assert "people (one row a person): id, age, sex" in str(refused.value)
    assert not other.exists()


def test_answers_in_every_form(run: Path, tmp_path: Path) -> None:
    sql = "select id, academic_strong as strong, income, date '2020-01-02' as day, 1.5::decimal(4,2) as d, slot, slot from people order by id"
    out: dict[str, bytes] = {}
    for form in ("csv", "json"):
        with asked(run, sql) as answer:
            handle = io.BytesIO()
            assert write_answer(answer, form, handle) == 1199
            out[form] = handle.getvalue()
    rows = list(csv.DictReader(io.StringIO(out["csv"].decode())))
    assert len(rows) == 1199
    assert (rows[2]["strong"], rows[2]["income"], rows[2]["day"]) == ("music; art", "", "2020-01-02")
    objects = json.loads(out["json"])
    assert objects[2] == {"id": "ke-000002", "strong": ["music", "art"], "income": None, "day": "2020-01-02", "d": 1.5, "slot": 2, "slot_2": 2}  # fmt: skip
    with asked(run, "select id, age from people") as answer:
        assert save_answer(answer, "parquet", tmp_path / "new" / "p.parquet") == 1199
    assert pq.read_table(tmp_path / "new" / "p.parquet").column_names == ["id", "age"]
    with asked(run, "select id from people where false") as answer:
        empty = io.BytesIO()
        assert write_answer(answer, "json", empty) == 0
        assert json.loads(empty.getvalue()) == []


def test_a_text_that_begins_like_a_formula_is_no_formula_in_csv(run: Path) -> None:
    with asked(run, "select value from traits where path = 'leisure.song' and id = 'ke-000000'") as answer:
        out = io.BytesIO()
        write_answer(answer, "csv", out)
    assert out.getvalue() == b"value\n'=1+1\n"


def test_a_fault_while_fetching_leaves_no_file(run: Path, tmp_path: Path) -> None:
    sql = "select cast(case when slot > 1100 then narrative else '1' end as int) from people"
    with pytest.raises(dp.UsageError, match="Could not convert"), asked(run, sql) as answer:
        save_answer(answer, "csv", tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_views_are_listed(run: Path) -> None:
    listed = views(run)
    assert "age bigint" in listed
    assert "income double" in listed
    assert "academic_strong varchar[]" in listed
    assert "failures (slots where nobody could be made): slot bigint, stage varchar" in listed


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(dp.UsageError, match="is not a run"):
        ask(tmp_path, "from people")
    assert list(tmp_path.iterdir()) == []


def test_sorting_by_path_lets_a_question_pass_over_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ROW_GROUP", 1000)
    place = tables.tables(made(tmp_path / "run"))
    file = pq.ParquetFile(place / "traits-00000.parquet").metadata
    spans = [file.row_group(k).column(1).statistics for k in range(file.num_row_groups)]
    assert sum(s.min <= "leisure.song" <= s.max for s in spans) <= 3 < len(spans)


def test_the_ledger_is_not_written_by_a_question(run: Path) -> None:
    before = sqlite3.connect(run / "run.sqlite").execute("select * from part").fetchall()
    ask(run, "from people")
    assert sqlite3.connect(run / "run.sqlite").execute("select * from part").fetchall() == before
