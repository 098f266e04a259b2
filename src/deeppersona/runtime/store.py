"""The run folder: a frozen plan, parts written whole or not at all, and a ledger of what is done.

A part is a range of slots. It is written beside its place, flushed to disk, then renamed; only then does the ledger
(SQLite, write-ahead log) say it is done. So a process killed at any moment loses at most the part in hand, and the
same command goes on to the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout
from pydantic import ValidationError

from deeppersona.errors import StoreError, UsageError
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure

PART_SIZE = 500
LEDGER = """
create table if not exists part (number integer primary key, sha256 text not null, size integer not null,
  mtime_ns integer not null, people integer not null);
create table if not exists failure (slot integer primary key, part integer not null, line text not null);
create table if not exists completion (key text primary key, model text not null, body blob not null, usage text not null);
create table if not exists note (key text primary key, value text not null);
"""


_MADE = ("part", "failure", "completion")
_COUNTED = ("calls", "tokens_in", "tokens_cached", "tokens_out", "cost")
_SPENT = """
select model, json_extract(usage, '$.stage') as stage, count(*), sum(json_extract(usage, '$.in')),
  sum(json_extract(usage, '$.cached')), sum(json_extract(usage, '$.out')), sum(json_extract(usage, '$.cost'))
from completion group by model, stage order by model, stage
"""


def part_size(plan: Plan) -> int:
    """Slots a part: few where a model writes, since each costs time and money and may hold a whole book."""
    return PART_SIZE if plan.writing is None else 5 if plan.writing.book_words else 50


def part_slots(plan: Plan, number: int) -> range:
    """The slots of a part."""
    size = part_size(plan)
    return range(number * size, min((number + 1) * size, plan.n))


def part_count(plan: Plan) -> int:
    """How many parts a plan has."""
    return -(-plan.n // part_size(plan))


@contextmanager
def told(doing: str, where: Path) -> Iterator[None]:
    """Turn operating-system errors into StoreErrors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            fix = "the disk is full; free some space and run the same command again, what is written is safe"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fix = "it cannot be written; choose another --out or change its permissions"
        else:
            fix = f"{error.strerror or error}; run the same command again when it is mended"
        raise StoreError(f"{doing} {where}: {fix}") from error
    except sqlite3.OperationalError as error:
        raise StoreError(f"{doing} {where}: {error}; what is written is safe, run the same command again") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, flushed, renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with told("writing", path):
        try:
            with beside.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def lines_of(records: Sequence[dict[str, Any]]) -> bytes:
    """Records as JSON lines."""
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)


class RunFolder:
    """One run on disk, held by one process while it is written."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.personas = self.path / "personas"
        self._lock = FileLock(self.path / ".lock", timeout=0)

    @contextmanager
    def writing(self, plan: Plan) -> Iterator[RunFolder]:
        """Hold the folder for a plan: create it, or go on with it; another plan or another process is refused."""
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file; --out names a folder")
        with told("creating", self.path):
            self.personas.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout:
                raise StoreError(
                    f"{self.path} is being written by another process; wait for it or choose another --out"
                ) from None
        try:
            self._hold_to(plan)
            with told("opening", self.path / "run.sqlite"), closing(self._connect()) as db:
                db.executescript(LEDGER)
            for stray in self.path.rglob(".*.tmp"):
                stray.unlink(missing_ok=True)
            yield self
        finally:
            self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path / "run.sqlite", timeout=30.0)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        return db

    def _hold_to(self, plan: Plan) -> None:
        file = self.path / "plan.json"
        if file.exists() and self.plan() != plan and self._nothing_made():
            file.unlink()
        if not file.exists():
            if any(self.personas.glob("part-*.jsonl")):
                raise StoreError(f"{self.path} holds personas but no plan.json; choose another --out")
            body = {"fingerprint": plan.fingerprint, "plan": plan.model_dump(mode="json")}
            write_whole(file, json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n")
            return
        known = self.plan()
        if known != plan:
            raise UsageError(
                f"{self.path} was begun with a different plan ({'; '.join(plan.differences(known))}); "
                "use the same plan to go on with it, or choose another --out"
            )

    def _nothing_made(self) -> bool:
        """Whether nothing was made or paid for under the plan: then another may take its place."""
        if any(self.personas.glob("part-*")):
            return False
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            db.executescript(LEDGER)
            return not any(db.execute(f"select 1 from {table} limit 1").fetchone() for table in _MADE)  # noqa: S608 - ours

    def plan(self) -> Plan:
        """The frozen plan. StoreError where there is none or it was changed by hand."""
        file = self.path / "plan.json"
        try:
            body = json.loads(file.read_text("utf-8"))
            plan = Plan.model_validate(body["plan"])
        except FileNotFoundError:
            raise UsageError(
                f"{self.path} is not a run: it has no plan.json; name a folder that generate made"
            ) from None
        except (json.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
            raise StoreError(
                f"{file} cannot be read ({type(error).__name__}); restore it or choose another --out"
            ) from None
        if plan.fingerprint != body.get("fingerprint"):
            raise StoreError(f"{file} was changed after it was frozen; restore it or choose another --out")
        return plan

    def part_file(self, number: int) -> Path:
        """Where a part stands."""
        return self.personas / f"part-{number:05d}.jsonl"

    def finished(self, plan: Plan, *, repair: bool = False) -> set[int]:
        """The parts done and still as they were written.

        A part that changed or vanished is an error, or, with ``repair``, is set aside (``.damaged``) and made anew.
        """
        done: set[int] = set()
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            rows = db.execute("select number, sha256, size, mtime_ns from part order by number").fetchall()
            for number, sha256, size, mtime_ns in rows:
                file = self.part_file(number)
                if _unchanged(file, sha256, size, mtime_ns):
                    done.add(number)
                    continue
                if not repair:
                    what = "is gone" if not file.exists() else "is not as it was written (its checksum differs)"
                    raise StoreError(
                        f"{file} {what}; run again with --repair to set it aside and make it anew, the same bytes as before"
                    )
                if file.exists():
                    file.replace(file.with_name(file.name + ".damaged"))
                with db:
                    db.execute("delete from part where number = ?", (number,))
        return {number for number in done if number < part_count(plan)}

    def commit(self, number: int, content: bytes, people: int, failures: Sequence[Failure]) -> None:
        """Write a part whole and enter it in the ledger."""
        file = self.part_file(number)
        write_whole(file, content)
        stat = file.stat()
        with told("entering a part in", self.path / "run.sqlite"), closing(self._connect()) as db, db:
            db.execute(
                "insert or replace into part values (?, ?, ?, ?, ?)",
                (number, hashlib.sha256(content).hexdigest(), stat.st_size, stat.st_mtime_ns, people),
            )
            db.executemany(
                "insert or replace into failure values (?, ?, ?)",
                [(f.slot, number, f.model_dump_json()) for f in failures],
            )

    def keep_unfinished(self, number: int, content: bytes) -> None:
        """Write the people of a part that was stopped in the middle, to be read meanwhile.

        The ledger does not know it: the part is made again, from what was paid for, when the run goes on.
        """
        write_whole(self.part_file(number), content)

    def finish(self) -> tuple[int, int]:
        """Write what a finished run shows besides its people: ``failures.jsonl`` and ``usage.json``.

        Returns (people, failures).
        """
        people, failures = self.counts()
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            lines = [line for (line,) in db.execute("select line from failure order by slot")]
        usage = {"personas": people, "failures": failures, **self.usage()}
        write_whole(self.path / "failures.jsonl", "".join(line + "\n" for line in lines).encode())
        write_whole(self.path / "usage.json", json.dumps(usage, indent=2).encode() + b"\n")
        return people, failures

    def usage(self) -> dict[str, Any]:
        """What models cost: in all, and by model and stage; tokens served from a cache apart, cost in dollars."""
        models: dict[str, dict[str, dict[str, Any]]] = {}
        total: dict[str, Any] = dict.fromkeys(_COUNTED, 0) | {"cost": 0.0}
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            for model, stage, *row in db.execute(_SPENT):
                counts = dict(zip(_COUNTED, row, strict=True))
                counts["cost"] = round(counts["cost"], 6)
                models.setdefault(model, {})[stage] = counts
                total = {key: total[key] + counts[key] for key in _COUNTED}
            note = db.execute("select value from note where key = 'asked'").fetchone()
        asked = json.loads(note[0]) if note else {}
        return {"models": models, **total, "cost": round(total["cost"], 6), **({"asking": asked} if asked else {})}

    def counts(self) -> tuple[int, int]:
        """(people written, failures recorded)."""
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            people = db.execute("select coalesce(sum(people), 0) from part").fetchone()[0]
            failures = db.execute("select count(*) from failure").fetchone()[0]
        return int(people), int(failures)

    def records(self) -> RunRecords:
        """The people of the run, read when asked for."""
        self.plan()
        return RunRecords(sorted(self.personas.glob("part-*.jsonl")))


def _unchanged(file: Path, sha256: str, size: int, mtime_ns: int) -> bool:
    """Whether a part is as written: by size and time, else by its checksum."""
    try:
        stat = file.stat()
        if stat.st_size != size:
            return False
        return stat.st_mtime_ns == mtime_ns or hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    except FileNotFoundError:
        return False


class RunRecords(Sequence[dict[str, Any]]):
    """The records of a run as a sequence; only the places of the lines are kept in memory."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._places: list[tuple[int, int, int]] = []
        self._files = list(files)
        for f, file in enumerate(self._files):
            offset = 0
            with told("reading", file), file.open("rb") as handle:
                for line in handle:
                    self._places.append((f, offset, len(line)))
                    offset += len(line)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        f, offset, size = self._places[index]
        with self._files[f].open("rb") as handle:
            handle.seek(offset)
            return self._parse(handle.read(size), f, offset)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for f, file in enumerate(self._files):
            offset = 0
            with file.open("rb") as handle:
                for line in handle:
                    yield self._parse(line, f, offset)
                    offset += len(line)

    def _parse(self, line: bytes, f: int, offset: int) -> dict[str, Any]:
        try:
            record: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise StoreError(
                f"{self._files[f]} is damaged at byte {offset}: a line is no JSON; run the generate command again with --repair"
            ) from None
        return record
