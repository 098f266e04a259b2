"""The run folder: a frozen plan, parts written whole or not at all, and a ledger of what is done.

A part is a range of slots. It is written beside its place, flushed to disk, then renamed; only then does the ledger
(SQLite, write-ahead log) say it is done. So a process killed at any moment loses at most the part in hand, and the
same command goes on to the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from filelock import FileLock, Timeout
from pydantic import ValidationError

from deeppersona.errors import StoreError, UsageError
from deeppersona.runtime.disk import told as told
from deeppersona.runtime.disk import write_whole as write_whole
from deeppersona.runtime.parts import STORAGES, Storage, packed, part_files, part_name
from deeppersona.runtime.records import RunRecords as RunRecords
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure

PART_SIZE = 500
PACKED_FROM = 20_000  # people: 900 MB of plain lines at depth 220
LEDGER = """
create table if not exists part (number integer primary key, sha256 text not null, size integer not null,
  mtime_ns integer not null, people integer not null);
create table if not exists failure (slot integer primary key, part integer not null, line text not null);
create table if not exists completion (key text primary key, model text not null, body blob not null, usage text not null);
create table if not exists note (key text primary key, value text not null);
"""


_EMPTY = "coalesce(json_extract(line, '$.refilled'), 0) = 0"
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


def usual_storage(plan: Plan) -> Storage:
    """How the parts of a new run are kept: packed where there are many; plain where few, or a model writes, to be read as it comes."""
    return "zstd" if plan.n >= PACKED_FROM and plan.writing is None else "jsonl"


def part_slots(plan: Plan, number: int) -> range:
    """The slots of a part."""
    size = part_size(plan)
    return range(number * size, min((number + 1) * size, plan.n))


def part_count(plan: Plan) -> int:
    """How many parts a plan has."""
    return -(-plan.n // part_size(plan))


def lines_of(records: Sequence[dict[str, Any]]) -> bytes:
    """Records as JSON lines."""
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)


class Entry(NamedTuple):
    """What the ledger says of a part's file: its checksum, bytes, and the people in it."""

    sha256: str
    size: int
    people: int


class RunFolder:
    """One run on disk, held by one process while it is written."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.personas = self.path / "personas"
        self._lock = FileLock(self.path / ".lock", timeout=0)
        self._storage: Storage | None = None

    @contextmanager
    def writing(self, plan: Plan, storage: Storage | None = None) -> Iterator[RunFolder]:
        """Hold the folder for a plan: create it, or go on with it; another plan or another process is refused.

        ``storage`` is the form of its parts, settled when the folder is made; None takes what was settled, or for a
        new folder what ``usual_storage`` says.
        """
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
            self._hold_to(plan, storage)
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

    def _hold_to(self, plan: Plan, storage: Storage | None) -> None:
        file = self.path / "plan.json"
        if file.exists() and self._frozen() != (plan, storage or self.storage) and self._nothing_made():
            file.unlink()
        self._storage = None
        if not file.exists():
            if part_files(self.personas):
                raise StoreError(f"{self.path} holds personas but no plan.json; choose another --out")
            body: dict[str, Any] = {"fingerprint": plan.fingerprint, "plan": plan.model_dump(mode="json")}
            if (storage or usual_storage(plan)) == "zstd":
                body["storage"] = "zstd"
            write_whole(file, json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n")
            return
        known, form = self._frozen()
        if known != plan:
            raise UsageError(
                f"{self.path} was begun with a different plan ({'; '.join(plan.differences(known))}); "
                "use the same plan to go on with it, or choose another --out"
            )
        if storage not in (None, form):
            raise UsageError(f"{self.path} was begun with storage {form}; go on with that, or choose another --out")

    def _nothing_made(self) -> bool:
        """Whether nothing was made or paid for under the plan: then another may take its place."""
        if part_files(self.personas):
            return False
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            db.executescript(LEDGER)
            return not any(db.execute(f"select 1 from {table} limit 1").fetchone() for table in _MADE)  # noqa: S608 - ours

    def plan(self) -> Plan:
        """The frozen plan. StoreError where there is none or it was changed by hand."""
        return self._frozen()[0]

    @property
    def storage(self) -> Storage:
        """The form of the parts, as settled when the folder was made."""
        if self._storage is None:
            self._storage = self._frozen()[1]
        return self._storage

    def _frozen(self) -> tuple[Plan, Storage]:
        file = self.path / "plan.json"
        try:
            body = json.loads(file.read_text("utf-8"))
            plan, storage = Plan.model_validate(body["plan"]), STORAGES[STORAGES.index(body.get("storage", "jsonl"))]
        except FileNotFoundError:
            raise UsageError(
                f"{self.path} is not a run: it has no plan.json; name a folder that generate made"
            ) from None
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise StoreError(
                f"{file} cannot be read ({type(error).__name__}); restore it or choose another --out"
            ) from None
        if plan.fingerprint != body.get("fingerprint"):
            raise StoreError(f"{file} was changed after it was frozen; restore it or choose another --out")
        return plan, storage

    def part_file(self, number: int) -> Path:
        """Where a part stands."""
        return self.personas / part_name(number, self.storage)

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
        """Write a part whole and enter it in the ledger.

        ``content`` are its JSON lines, or these as ``parts.packed`` makes them, which a worker may have done.
        """
        file, content = self.part_file(number), packed(content, self.storage)
        write_whole(file, content)
        stat = file.stat()
        with told("entering a part in", self.path / "run.sqlite"), closing(self._connect()) as db, db:
            db.execute(
                "insert or replace into part values (?, ?, ?, ?, ?)",
                (number, hashlib.sha256(content).hexdigest(), stat.st_size, stat.st_mtime_ns, people),
            )
            db.executemany(
                "insert or replace into failure values (?, ?, ?)",
                [(f.slot, number, f.model_dump_json(exclude_defaults=True)) for f in failures],
            )

    def forget(self, number: int) -> None:
        """Strike a part from the ledger before it is written anew: stopped in between, it is not damaged but still to be made."""
        with told("striking a part from", self.path / "run.sqlite"), closing(self._connect()) as db, db:
            db.execute("delete from part where number = ?", (number,))

    def keep_unfinished(self, number: int, content: bytes) -> None:
        """Write the people of a part that was stopped in the middle, to be read meanwhile.

        The ledger does not know it: the part is made again, from what was paid for, when the run goes on.
        """
        write_whole(self.part_file(number), packed(content, self.storage))

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
        """(people written, slots that stayed empty)."""
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            people = db.execute("select coalesce(sum(people), 0) from part").fetchone()[0]
            failures = db.execute(f"select count(*) from failure where {_EMPTY}").fetchone()[0]  # noqa: S608 - ours
        return int(people), int(failures)

    def failures(self) -> list[Failure]:
        """The people who could not be made, in the order of their slots."""
        if not (self.path / "run.sqlite").exists():
            return []
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            db.executescript(LEDGER)
            return [
                Failure.model_validate_json(line) for (line,) in db.execute("select line from failure order by slot")
            ]

    def ledger(self) -> dict[int, Entry]:
        """The parts that are done by number, as they were written; empty where there is no ledger."""
        if not (self.path / "run.sqlite").exists():
            return {}
        with told("reading", self.path / "run.sqlite"), closing(self._connect()) as db:
            db.executescript(LEDGER)
            rows = db.execute("select number, sha256, size, people from part order by number").fetchall()
        return {number: Entry(*row) for number, *row in rows}

    def records(self) -> RunRecords:
        """The people of the run, read when asked for. A part the ledger does not know as it stands is counted."""
        plan, files, ledger = self.plan(), part_files(self.personas, self.storage), self.ledger()
        with told("reading", self.personas):
            known = {
                k: ledger[k].people
                for k, file in files.items()
                if k in ledger and file.stat().st_size == ledger[k].size
            }
        return RunRecords(files, known, part_size(plan))


def _unchanged(file: Path, sha256: str, size: int, mtime_ns: int) -> bool:
    """Whether a part is as written: by size and time, else by its checksum."""
    try:
        stat = file.stat()
        if stat.st_size != size:
            return False
        return stat.st_mtime_ns == mtime_ns or hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    except FileNotFoundError:
        return False
