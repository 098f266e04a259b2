"""What was heard, on disk: one SQLite file beside the mined taxonomy. Memory stays flat however large the corpus is.

A chunk of conversations is entered with its place in the corpus in one transaction, so that a run killed at any moment
goes on where it was. A conversation is known by its hash and counts once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from deeppersona.errors import StoreError
from deeppersona.mining.listen import Heard
from deeppersona.runtime.store import told

_SHELF = """
create table if not exists unit (hash blob primary key, file integer not null, language text not null, class text not null,
  reasons text not null, speakers integer not null) without rowid;
create table if not exists mention (unit blob not null, speaker blob not null, frame text not null, path text not null,
  attribute text not null, topic text not null, value text not null, quote text not null);
create table if not exists seen (hash blob primary key) without rowid;
create table if not exists chunk (number integer primary key, digest text not null, twice integer not null, known integer not null);
create table if not exists note (key text primary key, value text not null);
create index if not exists mention_by_topic on mention (frame, path, topic, value);
"""


@dataclass
class Support:
    """How many people and conversations told of something, and which values they gave (value -> people)."""

    speakers: int = 0
    conversations: int = 0
    values: dict[str, int] = field(default_factory=dict)


class Shelf:
    """The file of what was heard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with told("opening", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30.0)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.execute("pragma temp_store=file")
            self._db.executescript(_SHELF)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def note(self, key: str) -> Any:
        """A note by its key; None where there is none."""
        row = self._db.execute("select value from note where key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def set_note(self, key: str, value: Any) -> None:
        """Keep a note."""
        with told("writing", self.path), self._db:
            self._db.execute("insert or replace into note values (?, ?)", (key, json.dumps(value)))

    def hold_to(self, plan: Mapping[str, Any]) -> None:
        """Refuse to mix two runs in one folder: what was begun with one plan goes on with it."""
        known = self.note("plan")
        if known is None:
            self.set_note("plan", plan)
        elif known != json.loads(json.dumps(plan)):
            different = sorted(key for key in plan if known.get(key) != json.loads(json.dumps(plan[key])))
            raise StoreError(
                f"{self.path.parent} was begun otherwise ({', '.join(different)} differ); use the same command to go on, or another --out"
            )

    def knew(self, hashes: Iterable[bytes]) -> None:
        """Conversations the base was mined from already: they are to add nothing."""
        with told("writing", self.path), self._db:
            self._db.executemany("insert or ignore into seen values (?)", ((h,) for h in hashes))

    def done(self) -> dict[int, str]:
        """Chunks already entered, with the digest of what they held."""
        return dict(self._db.execute("select number, digest from chunk"))

    def known(self, hashes: Sequence[bytes], table: Literal["unit", "seen"]) -> set[bytes]:
        """Those conversations that are on the shelf (``unit``), or that the base was mined from (``seen``)."""
        out: set[bytes] = set()
        for start in range(0, len(hashes), 500):
            part = hashes[start : start + 500]
            marks = ",".join("?" * len(part))
            out.update(h for (h,) in self._db.execute(f"select hash from {table} where hash in ({marks})", part))  # noqa: S608 - ours
        return out

    def enter(self, number: int, digest: str, heard: Sequence[tuple[int, Heard]], twice: int, known: int) -> None:
        """Enter a chunk: (number of the file, what was heard) of each conversation; one on the shelf already adds nothing."""
        with told("writing", self.path), self._db:
            for file, h in heard:
                entered = self._db.execute(
                    "insert or ignore into unit values (?, ?, ?, ?, ?, ?)",
                    (h.unit, file, h.language, h.verdict.kind, json.dumps(h.verdict.reasons), h.speakers),
                )
                if not entered.rowcount:
                    twice += 1
                    continue
                self._db.executemany(
                    "insert into mention values (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        (h.unit, d.speaker, m.frame, m.path, m.attribute, m.topic, m.value, m.quote)
                        for d in h.disclosures for m in (d.mention,)
                    ),
                )  # fmt: skip
            self._db.execute("insert into chunk values (?, ?, ?, ?)", (number, digest, twice, known))

    # --- what was heard, counted ---------------------------------------------------------------

    def hashes(self) -> list[bytes]:
        """Every conversation this shelf or its base knows, in order."""
        return [h for (h,) in self._db.execute("select hash from unit union select hash from seen order by 1")]

    def table(self, column: str) -> dict[str, int]:
        """Conversations by language, class, or the number of their file."""
        if column not in ("language", "class", "file"):
            raise ValueError(column)
        rows = self._db.execute(f"select {column}, count(*) from unit group by 1 order by 2 desc, 1")  # noqa: S608 - ours
        return {str(key): n for key, n in rows}

    def by_file(self) -> list[tuple[int, str, int]]:
        """(number of the file, class, conversations)."""
        return list(self._db.execute("select file, class, count(*) from unit group by 1, 2 order by 1, 2"))

    def reasons(self, kind: str, most: int = 12) -> list[tuple[str, int]]:
        """The commonest reasons for a class."""
        return list(self._db.execute(
            "select j.value, count(*) from unit, json_each(unit.reasons) j where class = ? group by 1 order by 2 desc, 1 limit ?",
            (kind, most),
        ))  # fmt: skip

    def twice(self) -> tuple[int, int]:
        """Conversations met more than once, and conversations the base was mined from already."""
        row = self._db.execute("select coalesce(sum(twice), 0), coalesce(sum(known), 0) from chunk").fetchone()
        return int(row[0]), int(row[1])

    def supports(self, *, cues: bool, least: int = 1) -> Iterator[tuple[str, str, str, Support]]:
        """(frame, path, topic, support) of everything at least ``least`` people told of, in a settled order.

        A person counts once for a topic and once for each value of it.
        """
        which = "frame = 'cue'" if cues else "frame <> 'cue'"
        rows = self._db.execute(
            f"select frame, path, case when frame = 'cue' then attribute else topic end as what, count(distinct speaker), "  # noqa: S608 - ours
            f"count(distinct unit) from mention where {which} group by 1, 2, 3 having count(distinct speaker) >= ? order by 1, 2, 3",
            (least,),
        ).fetchall()
        for frame, path, what, speakers, conversations in rows:
            column = "attribute" if frame == "cue" else "topic"
            values = self._db.execute(
                f"select value, count(distinct speaker) n from mention where frame = ? and path = ? and {column} = ? "  # noqa: S608 - ours
                "group by 1 order by n desc, 1 limit 400",
                (frame, path, what),
            )
            yield frame, path, what, Support(speakers, conversations, dict(values.fetchall()))

    def people(self, topics: Sequence[tuple[str, str]]) -> tuple[int, int]:
        """People and conversations that told of any of these (frame, topic); for ``cue`` the attribute's name."""
        speakers: set[bytes] = set()
        units: set[bytes] = set()
        for frame, topic in topics:
            column = "attribute" if frame == "cue" else "topic"
            query = f"select distinct speaker, unit from mention where frame = ? and {column} = ?"  # noqa: S608 - ours
            found = self._db.execute(query, (frame, topic))
            for speaker, unit in found:
                speakers.add(speaker)
                units.add(unit)
        return len(speakers), len(units)
