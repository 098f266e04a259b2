"""The people of a run, read from its parts when asked for: memory does not grow with the run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from deeppersona.errors import StoreError
from deeppersona.runtime.parts import Part, Place, open_part, part_lines

_PARTS_KEPT = 4096  # where lines begin, 4 kB a part of 500: two million people before one is looked up twice
_CHUNKS_KEPT = 8  # unpacked frames, a few MB each at most

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class _Latest(Generic[Key, Value]):
    """What was made last, a few of them."""

    def __init__(self, make: Callable[[Key], Value], most: int) -> None:
        self._make, self._most = make, most
        self._held: OrderedDict[Key, Value] = OrderedDict()

    def __call__(self, key: Key) -> Value:
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = self._make(key)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(key)
        return found


class RunRecords(Sequence[dict[str, Any]]):
    """The records of a run as a sequence, in the order of the slots; nothing is read before it is asked for.

    Args:
        files: the file of each part by its number.
        people: how many people each part holds, as far as the ledger knows; other parts are counted by their lines.
        size: slots a part, by which a person is found from the slot in their id; 0: not known.

    Raises:
        StoreError: when a person is read whose part is damaged; the message names the part and the fix.

    """

    def __init__(self, files: Mapping[int, Path], people: Mapping[int, int] | None = None, size: int = 0) -> None:
        self._numbers = sorted(files)
        self._files = [files[number] for number in self._numbers]
        self._size = size
        self._part: _Latest[int, Part] = _Latest(self._open, _PARTS_KEPT)
        self._chunk: _Latest[tuple[int, int], list[Place]] = _Latest(self._read, _CHUNKS_KEPT)
        self._known = [(people or {}).get(number) for number in self._numbers]
        self._ends = list(accumulate(len(open_part(f)) if n is None else n for f, n in self._parts()))

    def _parts(self) -> Iterator[tuple[Path, int | None]]:
        return zip(self._files, self._known, strict=True)

    def _open(self, p: int) -> Part:
        part, known = open_part(self._files[p]), self._known[p]
        if known is not None and len(part) != known:
            raise self._odd(p, len(part))
        return part

    def _odd(self, p: int, people: int) -> StoreError:
        return StoreError(
            f"{self._files[p]} is damaged: it holds {people} people where {self._known[p]} were written; "
            "run the generate command again with --repair"
        )

    def _read(self, key: tuple[int, int]) -> list[Place]:
        return self._part(key[0]).chunk(key[1])

    @property
    def parts(self) -> dict[int, Path]:
        """The file of each part by its number."""
        return dict(zip(self._numbers, self._files, strict=True))

    @property
    def counts(self) -> dict[int, int]:
        """How many people each part holds, by its number."""
        return dict(zip(self._numbers, (b - a for a, b in pairwise([0, *self._ends])), strict=True))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"place {index} among {len(self)} people")
        p = bisect_right(self._ends, place)
        chunk, nth = self._part(p).locate(place - (self._ends[p - 1] if p else 0))
        return self._parse(self._chunk((p, chunk))[nth], p)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for p, (file, known) in enumerate(self._parts()):
            count = 0
            for line in part_lines(file):
                yield self._parse(line, p)
                count += 1
            if known not in (None, count):
                raise self._odd(p, count)

    def _parse(self, found: Place, p: int) -> dict[str, Any]:
        try:
            record: dict[str, Any] = orjson.loads(found.line)
        except orjson.JSONDecodeError:
            raise StoreError(
                f"{self._files[p]} is damaged at byte {found.offset}: a line is no JSON; "
                "run the generate command again with --repair"
            ) from None
        return record

    def find(self, who: str) -> int | None:
        """The place of a person by id, None where there is no such person.

        An id ends with its slot, and the slot gives the part, so that a few people are read and no more. Only a run
        whose ids are of another form is read through.
        """
        if not len(self):
            return None
        if self._size and _slot_in(self[0]["id"]) == _slot(self[0]):
            return self._find_by_slot(who)
        return next((place for place, record in enumerate(self) if record["id"] == who), None)

    def _find_by_slot(self, who: str) -> int | None:
        slot = _slot_in(who)
        if slot is None:
            return None
        p = bisect_left(self._numbers, slot // self._size)
        if p == len(self._numbers) or self._numbers[p] != slot // self._size:
            return None
        places = range(self._ends[p - 1] if p else 0, self._ends[p])  # people who failed leave no line
        nth = bisect_left(places, slot, key=lambda place: _slot(self[place]))
        return places[nth] if nth < len(places) and self[places[nth]]["id"] == who else None


def _slot(record: Mapping[str, Any]) -> int:
    return int(record["provenance"]["slot"])


def _slot_in(who: str) -> int | None:
    digits = who.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else None
