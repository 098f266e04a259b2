"""Pack people small: every path, answer, piece of evidence and sentence is written once, people are lists of numbers.

A list of numbers is a string: each number is written in digits of five bits, the lowest first, by the 64 letters of
``ALPHABET``; the upper half of the alphabet means that another digit follows. ``base.js`` reads it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from deeppersona.studio.tally import in_words

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SENTENCE_END = re.compile(r"(?<=[.!?:]) ")
_NEW_LINE = "\n"


def numbers(items: Iterable[int]) -> str:
    """Write whole numbers from 0 as a short string."""
    out: list[str] = []
    for item in items:
        rest = item
        while rest >= 32:
            out.append(ALPHABET[32 + rest % 32])
            rest //= 32
        out.append(ALPHABET[rest])
    return "".join(out)


class Interned:
    """A list in which equal things stand once."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.size = 0
        self._places: dict[bytes, int] = {}

    def place(self, item: Any) -> int:
        """Where the item stands; a new one is put at the end."""
        key = orjson.dumps(item)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.items)
            self.items.append(item)
            self.size += len(key) + 1
        return found


class Pack:
    """The people whose pages are in the gallery. ``size`` is about how many bytes they take."""

    def __init__(self) -> None:
        self.people: list[dict[str, Any]] = []
        self._paths = Interned()
        self._facts = Interned()
        self._evidence = Interned()
        self._sentences = Interned()
        self._sentences.place(_NEW_LINE)
        self._people_size = 0

    @property
    def size(self) -> int:
        """The bytes packed so far, near enough to plan by."""
        tables = (self._paths, self._facts, self._evidence, self._sentences)
        return self._people_size + sum(table.size for table in tables)

    @property
    def paths(self) -> list[str]:
        """The attribute paths met so far."""
        return self._paths.items

    def _text(self, text: str) -> str:
        places: list[int] = []
        for k, line in enumerate(text.split(_NEW_LINE)):
            if k:
                places.append(0)
            places += [self._sentences.place(part) for part in _SENTENCE_END.split(line)]
        return numbers(places)

    def _trait(self, trait: dict[str, Any]) -> tuple[int, int]:
        value = trait["value"]
        if not isinstance(value, (str, int, float, list)):
            value = in_words(value)
        fact = self._facts.place([self._paths.place(str(trait["path"])), value])
        evidence = trait.get("evidence") or {}
        if trait.get("colour"):
            evidence = {**evidence, "colour": trait["colour"]}
        return fact, self._evidence.place([trait.get("source", ""), evidence])

    def add(self, record: dict[str, Any]) -> None:
        """Pack one person, all but the life book."""
        origin = record.get("provenance") or {}
        person: dict[str, Any] = {
            "i": str(record["id"]),
            "t": numbers(n for trait in record.get("traits", ()) for n in self._trait(trait)),
            "n": self._text(record.get("narrative") or ""),
            "p": self._text(record.get("system_prompt") or ""),
            "s": [
                [s.get("age"), s.get("title", ""), self._text(s.get("text", ""))] for s in record.get("stories") or ()
            ],
            "o": {k: origin[k] for k in ("engine", "seed", "slot", "model", "parent") if origin.get(k) is not None},
        }
        if record.get("missing"):
            person["m"] = [[str(hole.get("path")), str(hole.get("reason"))] for hole in record["missing"]]
        self.people.append(person)
        self._people_size += len(orjson.dumps(person)) + 1

    def add_book(self, place: int, book: str, budget: int) -> bool:
        """Pack the life book of the person at ``place``, unless the pack is already over the budget."""
        if self.size >= budget:
            return False
        packed = self._text(book)
        self.people[place]["b"] = packed
        self._people_size += len(packed) + 6
        return True

    def tables(self) -> dict[str, Any]:
        """The tables that the numbers of the people point into."""
        facts = self._facts.items
        return {
            "paths": self._paths.items,
            "factPaths": numbers(path for path, _ in facts),
            "factValues": [value for _, value in facts],
            "evidence": self._evidence.items,
            "sentences": self._sentences.items,
        }
