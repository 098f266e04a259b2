"""Ask a run questions in SQL, through DuckDB (extra ``[query]``). The only module that imports it.

A question can read the views and nothing else: one SELECT, no files, no network, no settings, nothing written.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from deeppersona.corpus.export import cell
from deeppersona.corpus.tables import in_words, spill_of, tables
from deeppersona.errors import UsageError
from deeppersona.runtime.disk import told, whole

FORMATS = ("table", "csv", "json", "parquet")
_BATCH = 2048
_ABOUT = {
    "people": "one row a person", "traits": "one row a trait; lists joined with '; '", "stories": "one row a story",
    "failures": "slots where nobody could be made",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a question gives: the names of the columns, and the rows in order, a few thousand in memory at a time."""

    columns: list[str]
    _db: Any
    _statement: Any

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, each a tuple of plain values."""
        found = self._db.execute(self._statement)
        while rows := found.fetchmany(_BATCH):
            yield from rows

    def batches(self) -> Any:
        """The rows as a reader of Arrow batches."""
        return self._db.sql(self._statement).to_arrow_reader(100_000)


@contextmanager
def asked(
    run: Path | str, sql: str, progress: Callable[[int, int], None] = lambda done, people: None
) -> Iterator[Answer]:  # fmt: skip
    """Ask a run one question; the first question of a run makes its tables (see ``corpus.tables``).

    Args:
        run: a run folder, finished or not; of an unfinished one, who is there.
        sql: a SELECT over ``people``, ``traits``, ``stories`` and ``failures``.
        progress: told (people done, people in all) while the tables are made.

    Raises:
        UsageError: the question is no SELECT, or not understood; the message has DuckDB's words and lists the views.
        StoreError: the run is damaged or its tables cannot be written.

    """
    duckdb, run = _duckdb(), Path(run)
    db = _opened(tables(run, progress), run)
    try:
        yield _answer(duckdb, db, sql)
    except duckdb.Error as error:  # some faults come only when rows are fetched
        raise UsageError(f"{str(error).strip()}\n\n{_listed(db)}") from None
    finally:
        db.close()
        shutil.rmtree(spill_of(run), ignore_errors=True)


def views(run: Path, progress: Callable[[int, int], None] = lambda done, people: None) -> str:
    """The views of a run and their columns with types, one view a line."""
    _duckdb()
    db = _opened(tables(run, progress), run)
    try:
        return _listed(db, types=True)
    finally:
        db.close()
        shutil.rmtree(spill_of(run), ignore_errors=True)


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise UsageError("questions need duckdb; pip install 'deeppersona[query]'") from None
    return duckdb


def _opened(place: Path, run: Path) -> Any:
    """A database in memory with the views and access to their files alone."""
    db = _duckdb().connect(config={
        "autoinstall_known_extensions": False, "autoload_known_extensions": False, "python_enable_replacements": False,
        "temp_directory": str(spill_of(run)),
    })  # fmt: skip
    files = sorted(str(file.resolve()) for file in place.glob("*.parquet"))
    for name in _ABOUT:
        some = [file for file in files if Path(file).name.startswith(name)]
        source = f"read_parquet({_quoted(some)}, union_by_name = true)"
        weights = [file for file in files if Path(file).name == "weights.parquet"]
        if name == "people" and weights:
            held = f"read_parquet({_quoted(weights)})"
            whose = db.execute(f"select * from {held} limit 0").description[0][0]  # noqa: S608 - files of ours
            source = f"{source} as p left join {held} as w using ({whose})"
        shown = "* exclude (slot, narrative), slot, narrative" if name == "people" else "*"
        db.execute(f"create view {name} as select {shown} from {source}")  # noqa: S608 - files of ours
    db.execute(f"set allowed_paths = {_quoted(files)}")
    db.execute("set enable_external_access = false")
    db.execute("set lock_configuration = true")
    return db


def _quoted(files: list[str]) -> str:
    return "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"


def _listed(db: Any, *, types: bool = False) -> str:
    lines = []
    for name, about in _ABOUT.items():
        columns = [(row[0], row[1].lower()) for row in db.execute(f"describe {name}").fetchall()]
        told_by = ", ".join(f"{column} {kind}" if types else column for column, kind in columns)
        lines.append(f"{name} ({about}): {told_by}")
    return "\n".join(lines)


def _answer(duckdb: Any, db: Any, sql: str) -> Answer:
    statements = db.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(f"a question is one SELECT; nothing is changed, and there are no settings\n\n{_listed(db)}")
    return Answer(list(db.sql(statements[0]).columns), db, statements[0])


def write_answer(answer: Answer, form: str, out: BinaryIO) -> int:
    """Write the rows as csv, json (an array, one object a line) or parquet; returns how many there were."""
    if form == "parquet":
        return _write_parquet(answer, out)
    text = TextIOWrapper(out, "utf-8", newline="")
    count = 0
    if form == "csv":
        table = csv.writer(text, lineterminator="\n")
        table.writerow(answer.columns)
        for count, row in enumerate(answer.rows(), 1):  # noqa: B007 - counted
            table.writerow([cell(in_words(value) if isinstance(value, list) else value) for value in row])
    else:
        names = _distinct(answer.columns)
        for count, row in enumerate(answer.rows(), 1):
            line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=_plain)
            text.write(("[\n" if count == 1 else ",\n") + line)
        text.write("\n]\n" if count else "[]\n")
    text.flush()
    text.detach()
    return count


def _distinct(names: list[str]) -> list[str]:
    """Names of columns with those that are there twice numbered, since an object has each once."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def _write_parquet(answer: Answer, out: BinaryIO) -> int:
    import pyarrow.parquet as pq

    reader = answer.batches()
    count = 0
    with pq.ParquetWriter(out, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def save_answer(answer: Answer, form: str, file: Path) -> int:
    """Write the rows into a file, whole or not at all; returns how many there were."""
    with told("creating", file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as handle:
        return write_answer(answer, form, handle)
