"""What has been paid for is kept: completions in the run's ledger, and the wrapper that asks it first.

Every completion is written the moment it arrives, in the write-ahead log of SQLite: a process killed at any moment has
lost what was still on the wire and nothing else. (The log is flushed to disk at checkpoints only, which is enough
against a killed process; a power cut may cost the last seconds.)
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import orjson

from deeppersona.models.port import Completion, LanguageModel, Prompt, Usage
from deeppersona.models.price import Purse
from deeppersona.runtime.store import LEDGER

_PUT = "insert or ignore into completion values (?, ?, ?, ?)"


class Journal:
    """Completions by the key of their prompt, and notes of the run; ``None`` keeps them in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", timeout=30.0, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(LEDGER)
        rows = self._db.execute("select key from completion")
        self._known = {hash(key) for (key,) in rows}  # most keys are new: they need not be looked for on disk

    def get(self, key: str) -> Completion | None:
        """The completion paid for under a key, if any."""
        if hash(key) not in self._known:
            return None
        row = self._db.execute("select body from completion where key = ?", (key,)).fetchone()
        return Completion.of_body(row[0]) if row else None

    def put(self, key: str, model: str, stage: str, completion: Completion, cost: float) -> None:
        """Keep a completion; it is on its way to the disk when this returns."""
        use = completion.usage
        usage = {"stage": stage, "in": use.tokens_in, "cached": use.cached, "out": use.tokens_out, "cost": cost,
                 "seconds": completion.seconds}  # fmt: skip
        self._db.execute(_PUT, (key, model, completion.body(), orjson.dumps(usage).decode()))
        self._known.add(hash(key))

    def note(self, key: str) -> Any:
        """A note of the run, or None."""
        row = self._db.execute("select value from note where key = ?", (key,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def set_note(self, key: str, value: Any) -> None:
        """Keep a note of the run."""
        self._db.execute("insert or replace into note values (?, ?)", (key, orjson.dumps(value).decode()))

    def spent(self) -> float:
        """Dollars spent so far."""
        return float(self._db.execute("select total(json_extract(usage, '$.cost')) from completion").fetchone()[0])

    def close(self) -> None:
        """Close the ledger."""
        with suppress(sqlite3.Error):
            self._db.close()


METER: ContextVar[list[Completion] | None] = ContextVar("completions of one person", default=None)


def _count(completion: Completion) -> None:
    """Let whoever counts (``METER``) know of a completion, paid for now or before."""
    if (meter := METER.get()) is not None:
        meter.append(completion)


def _sum(a: Usage, b: Usage) -> Usage:
    return Usage(a.tokens_in + b.tokens_in, a.cached + b.cached, a.tokens_out + b.tokens_out)


class Journaled:
    """A model that is asked once for each prompt: the journal answers what was paid for before."""

    def __init__(self, inner: LanguageModel, journal: Journal, purse: Purse) -> None:
        self.inner, self.journal, self.purse = inner, journal, purse
        self.name = inner.name
        self.asked = self.remembered = 0
        self.usage = Usage()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def complete(self, prompt: Prompt) -> Completion:
        """Answer from the journal, or ask within the budget and write the answer down before anybody uses it."""
        key = prompt.key(self.name)
        turn = self._turns.setdefault(key, asyncio.Lock())  # of equal prompts at once one is asked, the others wait
        async with turn:
            kept = self.journal.get(key)
            if kept is not None:
                self.remembered += 1
                _count(kept)
                return kept
            async with self.purse.reserved(self.name, prompt):
                completion = await self.inner.complete(prompt)
                cost = self.purse.pay(self.name, completion.usage)
                self.journal.put(key, self.name, prompt.stage, completion, cost)
        self.asked += 1
        self.usage = _sum(self.usage, completion.usage)
        _count(completion)
        return completion

    async def close(self) -> None:
        """Close the model; the journal is its opener's to close."""
        await self.inner.close()
