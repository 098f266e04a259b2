"""Answers while they are written: what makes them the same, and a file that grows batch by batch and is whole or not there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from deeppersona.errors import StoreError, UsageError
from deeppersona.runtime.disk import told, write_whole

COLUMNS = ("person", "item", "draw", "answer", "source", "weight", "country", "age", "sex", "education")


@dataclass
class Settings:
    """What makes answers the same: questionnaire, respondent, people, askings and seed."""

    inventory: str
    fingerprint: str
    respondent: Mapping[str, Any]
    people: int
    run: str
    draws: int
    seed: int
    form: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {**vars(self), "respondent": dict(self.respondent), "form": dict(self.form)}


def beside(out: Path) -> Path:
    """Where it is told how answers came about."""
    return out.with_name(out.name + ".json")


def chances_beside(out: Path) -> Path:
    """Where the chances of options are told, if they are known."""
    return out.with_name(out.name + ".chances.jsonl")


def same(about: Mapping[str, Any], settings: Settings, out: Path) -> None:
    """UsageError, naming what differs, where what is told beside answers is not what is wanted now."""
    wanted, there = _flat(json.loads(json.dumps(settings.plain()))), _flat({k: about.get(k) for k in settings.plain()})
    if differ := [
        f"{key}: {there.get(key)!r} there, {wanted.get(key)!r} here"
        for key in dict.fromkeys([*wanted, *there])
        if there.get(key) != wanted.get(key)
    ]:
        raise UsageError(
            f"{out} was begun with other settings ({'; '.join(differ)}); use the same, or choose another --out"
        )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those of the respondent and the form named one by one."""
    out: dict[str, Any] = {}
    for key, value in settings.items():
        out |= {f"{key}: {k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
    return out


class Part:
    """Answers being written: the rows and chances so far, and a note of what is certain to be on disk."""

    def __init__(self, out: Path, settings: Settings) -> None:
        """Go on with what is there of the same settings, cut to what is certain to be whole; else begin.

        Another number of people may be asked than when it was begun: those who are done stay, unless fewer are wanted.
        """
        self.out, self.settings = out, settings
        self.path, self.chances = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.chances.part")
        self.note = out.with_name(f".{out.name}.part.json")
        self.people, self.counts = 0, dict.fromkeys(("answered", "refused", "invalid", "missing", "assumed"), 0)
        out.parent.mkdir(parents=True, exist_ok=True)
        if not self._gone_on():
            head = StringIO()
            csv.writer(head, lineterminator="\n").writerow(COLUMNS)
            with told("writing", self.path):
                self.path.write_bytes(head.getvalue().encode())
                self.chances.write_bytes(b"")
                self.note.unlink(missing_ok=True)

    def _gone_on(self) -> bool:
        if not (self.path.exists() and self.note.exists()):
            return False
        try:
            state = json.loads(self.note.read_text("utf-8"))
            people, size, counts = int(state["people"]), int(state["bytes"]), dict(state["counts"])
            beside_ = int(state.get("chances", 0))
        except (ValueError, KeyError, TypeError):
            raise StoreError(
                f"{self.note} cannot be read; remove it and {self.path}, and run the same command again"
            ) from None
        same({**state["settings"], "people": self.settings.people}, self.settings, self.out)
        if people > self.settings.people or self.path.stat().st_size < size:
            return False
        if beside_ and (not self.chances.exists() or self.chances.stat().st_size < beside_):
            return False
        os.truncate(self.path, size)
        with self.chances.open("ab"):
            os.truncate(self.chances, beside_)
        self.people, self.counts = people, counts
        return True

    def __enter__(self) -> Part:
        """Open for more."""
        with told("writing", self.path):
            self._rows, self._more = self.path.open("ab"), self.chances.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        """Close; nothing is lost."""
        self._rows.close()
        self._more.close()

    def add(self, rows: str, chances: bytes, people: int) -> None:
        """Add a batch and make sure of it."""
        with told("writing", self.path):
            for handle, data in ((self._rows, rows.encode()), (self._more, chances)):
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            now = {"settings": self.settings.plain(), "people": people, "bytes": self._rows.tell(),
                   "chances": self._more.tell(), "counts": self.counts}  # fmt: skip
            write_whole(self.note, json.dumps(now).encode())
            self.people = people

    def finish(self, about: Mapping[str, Any]) -> None:
        """Put the whole in its place."""
        with told("writing", self.out):
            if self.chances.stat().st_size:
                self.chances.replace(chances_beside(self.out))
            else:
                self.chances.unlink()
                chances_beside(self.out).unlink(missing_ok=True)  # of answers that are gone
            write_whole(beside(self.out), json.dumps(about, indent=2, ensure_ascii=False).encode() + b"\n")
            self.path.replace(self.out)
            self.note.unlink(missing_ok=True)
