"""A run made in shards, each by a process that knows nothing of the others, and put together in the end.

Shard i of n makes the parts k with k % n == i - 1 into a run folder of its own with the same frozen plan; ``shard.json`` says
which it is. Since a part depends on the plan and its slots alone, what is put together is the run that one process makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from deeppersona.errors import StoreError, UsageError
from deeppersona.runtime.disk import told, write_whole
from deeppersona.runtime.parts import part_files
from deeppersona.runtime.store import Entry, RunFolder, part_count, part_slots
from deeppersona.schema.plan import Plan

_NAME = "shard.json"
_MOST = 100_000
_NAMED = 12  # shards or parts named in one message


@dataclass(frozen=True)
class Shard:
    """Shard ``number`` of ``of``, counted from 1; ``command`` is how it was asked for, without the shard and the folder."""

    number: int
    of: int
    command: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str, command: str = "") -> Shard:
        """Read ``2/8``. UsageError where it means nothing."""
        read = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
        if not read or not 1 <= int(read[1]) <= int(read[2]) <= _MOST:
            raise UsageError(f"--shard {text!r}: write which of how many, counted from 1, as in 2/8")
        return cls(int(read[1]), int(read[2]), command)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def parts(self, plan: Plan) -> range:
        """The parts of a plan that are this shard's."""
        return range(self.number - 1, part_count(plan), self.of)

    def people(self, plan: Plan) -> int:
        """The slots of a plan that are this shard's."""
        return sum(len(part_slots(plan, number)) for number in self.parts(plan))


def parts_of(plan: Plan, shard: Shard | None) -> range:
    """The parts to be made: all of a plan, or those of a shard."""
    return range(part_count(plan)) if shard is None else shard.parts(plan)


def shard_of(folder: Path) -> Shard | None:
    """Which shard a run folder is; None: a whole run. StoreError where ``shard.json`` cannot be read."""
    file = folder / _NAME
    try:
        body = json.loads(file.read_text("utf-8"))
        return Shard.parse(body["shard"], str(body.get("command", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        raise StoreError(
            f"{file} cannot be read ({type(error).__name__}); make the shard again in another --out"
        ) from None


def hold_to(folder: RunFolder, shard: Shard | None) -> None:
    """Hold a folder being written to being this shard, or a whole run. UsageError where it was begun as something else."""
    known = shard_of(folder.path)
    begun = bool(part_files(folder.personas))
    if begun and (known is None) != (shard is None):
        what = f"shard {known}" if known else "a whole run"
        fix = f"go on with --shard {known}" if known else "leave --shard away"
        raise UsageError(f"{folder.path} was begun as {what}; {fix}, or choose another --out")
    if begun and known and shard and known != shard:
        raise UsageError(f"{folder.path} was begun as shard {known}, not {shard}; choose another --out for each shard")
    if shard is not None:
        body = {"shard": str(shard), "command": shard.command}
        write_whole(folder.path / _NAME, json.dumps(body, indent=2).encode() + b"\n")
    elif known is not None:
        with told("writing", folder.path):
            (folder.path / _NAME).unlink(missing_ok=True)


def merge(
    shards: Sequence[Path], out: Path, progress: Callable[[int, int], None] = lambda done, of: None
) -> tuple[int, int]:
    """Put shards together into a run folder that is the same, byte for byte, as if one process had made it.

    Parts are linked where the file system can, else copied; each is held against the checksum in its shard's ledger first.
    Stopped at any moment, the same call goes on. ``progress`` is told (parts done, parts in all).

    Returns:
        (people, failures).

    Raises:
        UsageError: a folder is no shard, or the shards do not belong together or are not all there; the message says
            what is missing and the command that makes it.
        StoreError: a part is not as its shard's ledger says, a shard is still being written, or ``out`` cannot be.

    """
    places = [path.resolve() for path in shards]
    for place, path in zip(places, shards, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{path} is named twice; name each shard once")
    with ExitStack() as stack:
        for path in shards:
            stack.enter_context(_still(path))
        plan, named = _together(shards, out)
        sources = _sources(plan, named)
        folder = stack.enter_context(RunFolder(out).writing(plan, RunFolder(shards[0]).storage))
        hold_to(folder, None)
        done = folder.finished(plan, repair=True)  # the shards have what is damaged here
        failures = {shard: _failures(RunFolder(path)) for shard, path in named.items()}
        progress(len(done), len(sources))
        for count, number in enumerate((k for k in sources if k not in done), len(done) + 1):
            shard, entry = sources[number]
            _take(RunFolder(named[shard]), folder, number, entry, failures[shard].get(number, []))
            progress(count, len(sources))
        return folder.finish()


@contextmanager
def _still(path: Path) -> Iterator[None]:
    """Hold a shard still while it is read."""
    RunFolder(path).plan()
    lock = FileLock(path / ".lock", timeout=0)
    with told("locking", path):
        try:
            lock.acquire()
        except Timeout:
            raise StoreError(
                f"{path} is still being written by another process; wait for it, then merge again"
            ) from None
    try:
        yield
    finally:
        lock.release()


def _together(shards: Sequence[Path], out: Path) -> tuple[Plan, dict[Shard, Path]]:
    """The plan of the shards, and where each is; UsageError where they do not make one run."""
    named: dict[Shard, Path] = {}
    for path in shards:
        plan, shard = RunFolder(path).plan(), shard_of(path)
        if path.resolve() == out.resolve():
            raise UsageError(f"{out} is one of the shards; choose another --out")
        if shard is None:
            raise UsageError(f"{path} is no shard, but a whole run; name folders that were made with --shard")
        for other, place in list(named.items())[:1]:  # each like the first: then all are alike
            known = RunFolder(place).plan()
            if plan != known:
                differ = "; ".join(plan.differences(known))
                raise UsageError(f"{path} and {place} are shards of different plans ({differ}); merge shards of one")
            if shard.of != other.of:
                raise UsageError(f"{path} is shard {shard} and {place} is {other}; merge shards of one division")
            if RunFolder(path).storage != RunFolder(place).storage:
                raise UsageError(f"{path} and {place} keep their parts in different forms; make them with one storage")
        if shard in named:
            raise UsageError(f"{path} and {named[shard]} are both shard {shard}; name one of them")
        named[shard] = path
    if not named:
        raise UsageError("there is nothing to merge; name the folders of all shards")
    return plan, named


def _sources(plan: Plan, named: Mapping[Shard, Path]) -> dict[int, tuple[Shard, Entry]]:
    """Who has each part, by number; UsageError names those that nobody has and the command that makes them."""
    any_of = next(iter(named))
    numbers = {shard.number for shard in named}
    wanted = [k for k in range(1, any_of.of + 1) if k not in numbers]
    absent = [s for s in (Shard(k, any_of.of, any_of.command) for k in wanted) if s.parts(plan)]
    if absent:
        what = _listed("shard", [str(shard) for shard in absent])
        raise UsageError(f"{what} missing; name the folder too, or make it:\n{_remedy(absent, named)}")
    sources: dict[int, tuple[Shard, Entry]] = {}
    lines, unfinished = [], []
    for shard, path in named.items():
        ledger = RunFolder(path).ledger()
        sources |= {k: (shard, ledger[k]) for k in shard.parts(plan) if k in ledger}
        missing = [str(k) for k in shard.parts(plan) if k not in ledger]
        if missing:
            unfinished.append(shard)
            lines.append(f"  {_listed('part', missing)} missing in {path} (shard {shard})")
    if unfinished:
        told_of = "\n".join(lines[:_NAMED])
        raise UsageError(f"not all parts are made:\n{told_of}\nmake them:\n{_remedy(unfinished, named)}")
    return dict(sorted(sources.items()))


def _listed(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (
        f"{what}{'s' if len(names) > 1 else ''} {', '.join(names[:_NAMED])}{more} {'are' if len(names) > 1 else 'is'}"
    )


def _remedy(shards: Sequence[Shard], places: Mapping[Shard, Path]) -> str:
    """The commands that make shards, one a line."""
    lines = [
        f"  {shard.command or 'deeppersona generate ...'} --shard {shard} --out {places.get(shard, 'FOLDER')}"
        for shard in shards[:_NAMED]
    ]
    return "\n".join(lines + ([f"  and {len(shards) - _NAMED} more"] if len(shards) > _NAMED else []))


def _take(
    shard: RunFolder, folder: RunFolder, number: int, entry: Entry, failures: Sequence[tuple[int, int, str]]
) -> None:
    """Take a part over from a shard, as a link or a copy, and enter it in the ledger of the run with its failures."""
    source, place = shard.part_file(number), folder.part_file(number)
    with told("reading", source):
        gone = not source.is_file()
        if gone or source.stat().st_size != entry.size or _checksum(source) != entry.sha256:
            what = "is gone" if gone else "is not as it was written (its checksum differs)"
            raise StoreError(f"{source} {what}; run the command of that shard again with --repair, then merge again")
    beside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    with told("writing", place):
        try:
            _link_or_copy(source, beside)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)  # also where both were links of one file: renaming then does nothing
        stat = place.stat()
    ledger = folder.path / "run.sqlite"
    with told("entering a part in", ledger), closing(sqlite3.connect(ledger, timeout=30.0)) as db, db:
        db.execute(
            "insert or replace into part (number, sha256, size, mtime_ns, people) values (?, ?, ?, ?, ?)",
            (number, entry.sha256, stat.st_size, stat.st_mtime_ns, entry.people),
        )
        db.executemany("insert or replace into failure (slot, part, line) values (?, ?, ?)", failures)


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:  # another file system, or one that cannot link
        shutil.copyfile(source, place)
        with place.open("rb") as handle:
            os.fsync(handle.fileno())


def _failures(shard: RunFolder) -> dict[int, list[tuple[int, int, str]]]:
    """The failures in a shard's ledger, by part."""
    out: dict[int, list[tuple[int, int, str]]] = {}
    ledger = shard.path / "run.sqlite"
    with told("reading", ledger), closing(sqlite3.connect(ledger, timeout=30.0)) as db:
        for row in db.execute("select slot, part, line from failure order by slot"):
            out.setdefault(row[1], []).append(row)
    return out


def _checksum(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
