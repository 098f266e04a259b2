"""A run as Parquet tables in ``RUN/.query``, made once and again when the run changes: what questions are asked of.

``people`` (a row a person), ``traits`` (a row a trait, sorted by path, so that a question about one attribute reads a
little of it), ``stories``, ``failures``, and ``weights`` where the run has any. Parts are streamed in, some thousand
people at a time, over processes where there are many.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from deeppersona.errors import StoreError, UsageError
from deeppersona.runtime.disk import told
from deeppersona.runtime.executor import cores, over_parts, without_gc
from deeppersona.runtime.records import RunRecords
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.report import Failure

FOLDER = ".query"
WEIGHTS = "weights.csv.gz"
_FORM = 1  # raised when the tables change, so that those made before are made again
_CHUNK = 10_000  # people a file: 100 files a million people, 300 MB of memory at depth 220
_ROW_GROUP = 122_880  # rows, as DuckDB reads them
_PARALLEL_FROM = 3  # chunks below which starting processes costs more than it saves
_SPILL = "spill-"
_TEXTS = ("id", "narrative")


def tables(run: Path, progress: Callable[[int, int], None] = lambda done, people: None) -> Path:
    """The folder with the tables of a run, as it stands now; made if they are not there or the run has changed.

    ``progress`` is told (people done, people in all).

    Raises:
        UsageError: no run, an odd file of weights, or pyarrow is missing.
        StoreError: a part is damaged, or nothing can be written.

    """
    _arrow()
    folder = RunFolder(run)
    records, home = folder.records(), folder.path / FOLDER
    with told("creating", home):
        home.mkdir(exist_ok=True)
        lock = FileLock(home / ".lock")
        with lock:
            place = home / _key(folder, records)
            if not place.exists():
                _make(folder, records, home / f"new-{place.name}", progress)
                (home / f"new-{place.name}").replace(place)
            for other in home.iterdir():
                if other.is_dir() and other != place and not other.name.startswith(_SPILL):
                    shutil.rmtree(other, ignore_errors=True)
    return place


def spill_of(run: Path) -> Path:
    """Where this process puts by what a question cannot hold in memory."""
    return run / FOLDER / f"{_SPILL}{os.getpid()}"


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("questions need duckdb and pyarrow; pip install 'deeppersona[query]'") from None
    return pyarrow, pyarrow.parquet


def _key(folder: RunFolder, records: RunRecords) -> str:
    """What the tables are made of, as a name: the checksums of the parts, as the ledger has them, and of the weights."""
    ledger = folder.ledger()
    seen: list[int | str] = [_FORM, folder.counts()[1] if ledger else 0]
    for number, file in records.parts.items():
        entry = ledger.get(number)
        known = entry is not None and file.stat().st_size == entry.size
        seen += [number, entry.sha256 if entry is not None and known else _checksum(file)]
    if (folder.path / WEIGHTS).exists():
        seen.append(_checksum(folder.path / WEIGHTS))
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


def _checksum(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True)
class _Task:
    number: int
    files: dict[int, Path]
    people: dict[int, int]
    place: Path


def _make(folder: RunFolder, records: RunRecords, place: Path, progress: Callable[[int, int], None]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    counts, files = records.counts, records.parts
    chunks: list[list[int]] = []
    held = _CHUNK
    for number in files:
        if held + counts[number] > _CHUNK:
            chunks.append([])
            held = 0
        chunks[-1].append(number)
        held += counts[number]
    tasks = [
        _Task(k, {i: files[i] for i in some}, {i: counts[i] for i in some}, place) for k, some in enumerate(chunks)
    ]
    done = 0
    for task, _ in over_parts(_write_chunk, tasks, cores() if len(tasks) >= _PARALLEL_FROM else 1):
        done += sum(task.people.values())
        progress(done, len(records))
    if not tasks:
        _write_chunk(_Task(0, {}, {}, place))
    _write_failures(folder.failures(), place)
    if (folder.path / WEIGHTS).exists():
        _write_weights(folder.path / WEIGHTS, place)


class _Columns:
    """The columns of some people, gathered a person at a time."""

    def __init__(self) -> None:
        self.people: dict[str, list[Any]] = {"id": [], "slot": []}
        self.narrative: list[str] = []
        self.stories: list[tuple[str, int, str, str]] = []
        self.traits: list[Any] = []
        self._names: dict[str, str] = {}
        self._clear()

    def _clear(self) -> None:
        self._ids: list[str] = []
        self._counts: list[int] = []
        self._paths: list[str] = []
        self._values: list[str] = []
        self._sources: list[str] = []

    def add(self, record: dict[str, Any]) -> None:
        """Take one person in."""
        traits, nth = record["traits"], len(self.narrative)
        self._ids.append(record["id"])
        self._counts.append(len(traits))
        self._paths += [t["path"] for t in traits]
        self._values += [v if type(v := t["value"]) is str else in_words(v) for t in traits]
        self._sources += [t["source"] for t in traits]
        self.people["id"].append(record["id"])
        self.people["slot"].append(record["provenance"]["slot"])
        self.narrative.append(record.get("narrative", ""))
        for t in traits:
            name = self._names.get(t["path"])
            if name is None:
                name = self._names[t["path"]] = column_of(t["path"])
            if name:
                column = self.people.setdefault(name, [])
                if len(column) <= nth:
                    column += [None] * (nth - len(column))
                    column.append(t["value"])
        self.stories += [(record["id"], s["age"], s["title"], s["text"]) for s in record.get("stories") or ()]
        if len(self._paths) >= _ROW_GROUP:
            self.fold()

    def fold(self) -> None:
        """Put the traits gathered so far by as coded columns, which take a tenth of the memory."""
        pa, _ = _arrow()
        ids = pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(len(self._ids), dtype=np.int32), self._counts), self._ids
        )
        coded = [pa.array(c, pa.string()).dictionary_encode() for c in (self._paths, self._values, self._sources)]
        self.traits.append(pa.table([ids, *coded], names=["id", "path", "value", "source"]))
        self._clear()


def column_of(path: str) -> str:
    """The column of ``people`` that a path has, or nothing: ``demographics.age`` is ``age``.

    Of students everything is a column, ``student.academic.level`` being ``academic_level``.
    """
    head, _, rest = path.partition(".")
    if head == "demographics" and "." not in rest and rest not in _TEXTS:
        return rest
    return rest.replace(".", "_") if head == "student" else ""


def in_words(value: Any) -> str:
    """A value as text; lists joined with ``; ``."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _write_chunk(task: _Task) -> None:
    """Write the people, traits and stories of some parts. A top-level function, for processes of their own."""
    pa, pq = _arrow()
    columns = _Columns()
    with without_gc():
        for record in RunRecords(task.files, task.people):
            columns.add(record)
        columns.fold()
    people = {
        name: _typed(values + [None] * (len(columns.narrative) - len(values)))
        for name, values in columns.people.items()
    }
    people["narrative"] = pa.array(columns.narrative, pa.string())
    story = [("id", pa.string()), ("age", pa.int64()), ("title", pa.string()), ("text", pa.string())]
    stories = {name: pa.array([s[i] for s in columns.stories], kind) for i, (name, kind) in enumerate(story)}
    made = {"people": pa.table(people), "traits": _by_path(columns.traits), "stories": pa.table(stories)}
    for name, table in made.items():
        file = task.place / f"{name}-{task.number:05d}.parquet"
        with told("writing", file):
            pq.write_table(table, file, compression="zstd", row_group_size=_ROW_GROUP)


def _typed(values: list[Any]) -> Any:
    """An Arrow array of what the values are: whole numbers, numbers, lists of texts, else texts."""
    pa, _ = _arrow()
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int}:
        return pa.array(values, pa.int64())
    if kinds <= {int, float}:
        return pa.array(values, pa.float64())
    if kinds == {list}:
        return pa.array([v if v is None else [str(item) for item in v] for v in values], pa.list_(pa.string()))
    return pa.array([v if v is None else in_words(v) for v in values], pa.string())


def _by_path(tables_: Sequence[Any]) -> Any:
    """The traits sorted by path, people in order: a row group then holds few paths, and others are passed over."""
    pa, _ = _arrow()
    table = pa.concat_tables(tables_).unify_dictionaries().combine_chunks()
    paths = table.column("path").chunk(0) if table.num_rows else None
    if paths is not None:
        words = paths.dictionary.to_pylist()
        rank = np.empty(len(words), np.int32)
        rank[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
        table = table.take(np.argsort(rank[paths.indices.to_numpy()], kind="stable"))
    return table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))


def _write_failures(failures: Iterable[Failure], place: Path) -> None:
    pa, pq = _arrow()
    fields = Failure.model_fields.items()
    schema = pa.schema([(name, pa.int64() if field.annotation is int else pa.string()) for name, field in fields])
    pq.write_table(pa.Table.from_pylist([f.model_dump() for f in failures], schema=schema), place / "failures.parquet")


def _write_weights(file: Path, place: Path) -> None:
    """The weights of a run: a table with a column ``weight`` and one that says whose, ``id`` or ``slot``."""
    pa, pq = _arrow()
    import pyarrow.csv

    try:
        table = pyarrow.csv.read_csv(file)
        whose = next(name for name in ("id", "slot") if name in table.column_names)
        weights = table.column("weight").cast(pa.float64())
        if len(table.column(whose).unique()) < len(table):
            raise KeyError("somebody is there twice")
    except (StopIteration, KeyError, pa.ArrowInvalid) as error:
        raise StoreError(f"{file} holds no weights ({error}); it needs the columns id (or slot) and weight") from None
    pq.write_table(
        pa.table({whose: table.column(whose), "weight": weights}), place / "weights.parquet", compression="zstd"
    )
