"""The form of a part on disk: JSON lines, plain or in zstd frames, so that one person is read without the rest.

``part-00000.jsonl.zst`` is a file of the zstd seekable format (Facebook, ``contrib/seekable_format``): independent
frames of ``FRAME`` people each, with a checksum, and behind them a table of their sizes, which other tools skip; so
``zstd -dc`` gives the plain lines. The same lines give the same bytes, for one version of the library.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, get_args

import zstandard

from deeppersona.errors import StoreError
from deeppersona.runtime.disk import told

Storage = Literal["jsonl", "zstd"]
STORAGES: tuple[Storage, ...] = get_args(Storage)
FRAME = 64  # people a frame: more packs little better, and costs more where one of them is wanted
_LEVEL = 3  # 300 MB a second and up; level 9 saves a fifth more and takes five times as long
_FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
_TABLE_MAGIC, _FOOTER_MAGIC = 0x184D2A5E, 0x8F92EAB1
_HEAD, _ENTRY, _FOOTER = struct.Struct("<II"), struct.Struct("<II"), struct.Struct("<IBI")
_NAME = re.compile(r"part-(\d{5,})\.jsonl(\.zst)?")
_REPAIR = "run the generate command again with --repair"


def part_name(number: int, storage: Storage) -> str:
    """The name of a part's file: ``part-00000.jsonl`` or ``part-00000.jsonl.zst``; more digits from part 100,000 on."""
    return f"part-{number:05d}.jsonl" + (".zst" if storage == "zstd" else "")


def part_files(folder: Path, storage: Storage = "jsonl") -> dict[int, Path]:
    """The parts in a folder by number, in the order of the numbers; of two forms of one part that of ``storage``."""
    found: dict[int, Path] = {}
    with told("reading", folder):
        for file in folder.iterdir() if folder.is_dir() else ():
            named = _NAME.fullmatch(file.name)
            if named and (int(named[1]) not in found or (named[2] is not None) == (storage == "zstd")):
                found[int(named[1])] = file
    return dict(sorted(found.items()))


def packed(lines: bytes, storage: Storage) -> bytes:
    """The content of a part's file from its JSON lines. What is packed already is returned as it is.

    The two cannot be taken for each other: a record is an object, so that its line begins with a brace.
    """
    if storage == "jsonl" or lines.startswith((_FRAME_MAGIC, _TABLE_MAGIC.to_bytes(4, "little"))):
        return lines
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    ends = _ends(lines)
    bounds = [0, *ends[FRAME - 1 :: FRAME]]
    if bounds[-1] != len(lines):
        bounds.append(len(lines))
    frames, entries = [], []
    for begin, end in pairwise(bounds):
        frames.append(compressor.compress(lines[begin:end]))
        entries.append(_ENTRY.pack(len(frames[-1]), end - begin))
    table = b"".join(entries) + _FOOTER.pack(len(frames), 0, _FOOTER_MAGIC)
    return b"".join([*frames, _HEAD.pack(_TABLE_MAGIC, len(table)), table])


def _ends(lines: bytes) -> array[int]:
    """Where each line ends; the last one too where it lacks its end of line."""
    ends, at = array("Q"), lines.find(b"\n") + 1
    while at:
        ends.append(at)
        at = lines.find(b"\n", at) + 1
    if len(lines) > (ends[-1] if ends else 0):
        ends.append(len(lines))
    return ends


class Place(NamedTuple):
    """A line of a part, and the byte of the file it (or its frame) begins at."""

    line: bytes
    offset: int


class PlainPart:
    """A part of plain JSON lines; where they end is kept, eight bytes a person."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with told("reading", file), file.open("rb") as handle:
            self._ends = array("Q", accumulate(map(len, handle)))

    def __len__(self) -> int:
        return len(self._ends)

    def locate(self, place: int) -> tuple[int, int]:
        """Which chunk a person is in, and the place in it: a chunk is read as one."""
        return place, 0

    def chunk(self, number: int) -> list[Place]:
        """The people of a chunk: here one."""
        begin = self._ends[number - 1] if number else 0
        with told("reading", self.file), self.file.open("rb") as handle:
            handle.seek(begin)
            return [Place(handle.read(self._ends[number] - begin), begin)]


def plain_lines(file: Path) -> Iterator[Place]:
    """The lines of a plain file, one at a time."""
    offset = 0
    with told("reading", file), file.open("rb") as handle:
        for line in handle:
            yield Place(line, offset)
            offset += len(line)


class FramedPart:
    """A part in zstd frames; the table of the frames is kept. StoreError where the file is damaged."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with told("reading", file), file.open("rb") as handle:
            size = handle.seek(0, 2)
            self._sizes = self._table(handle, size)
        self._starts = [0, *accumulate(packed for packed, _ in self._sizes)]
        self._people = -1

    def _table(self, handle: BinaryIO, size: int) -> list[tuple[int, int]]:
        if size >= _HEAD.size + _FOOTER.size:
            handle.seek(size - _FOOTER.size)
            count, flags, magic = _FOOTER.unpack(handle.read(_FOOTER.size))
            length = count * _ENTRY.size + _FOOTER.size
            if magic == _FOOTER_MAGIC and not flags and length + _HEAD.size <= size:
                handle.seek(size - length - _HEAD.size)
                head = _HEAD.unpack(handle.read(_HEAD.size))
                sizes: list[tuple[int, int]] = list(_ENTRY.iter_unpack(handle.read(count * _ENTRY.size)))
                if head == (_TABLE_MAGIC, length) and sum(a for a, _ in sizes) == size - length - _HEAD.size:
                    return sizes
        raise self._damaged(max(size - _FOOTER.size, 0), "the table of its frames is not whole")

    def _damaged(self, offset: int, what: str) -> StoreError:
        return StoreError(f"{self.file} is damaged at byte {offset}: {what}; {_REPAIR}")

    def __len__(self) -> int:
        if self._people < 0:
            whole = max(len(self._sizes) - 1, 0)
            self._people = whole * FRAME + (len(self.chunk(whole)) if self._sizes else 0)
        return self._people

    def locate(self, place: int) -> tuple[int, int]:
        """Which frame a person is in, and the place in it."""
        return divmod(place, FRAME)

    def chunk(self, number: int) -> list[Place]:
        """The people of a frame."""
        with told("reading", self.file), self.file.open("rb") as handle:
            handle.seek(self._starts[number])
            return self._lines_of(number, handle.read(self._sizes[number][0]))

    def _lines_of(self, number: int, frame: bytes) -> list[Place]:
        offset = self._starts[number]
        try:
            if zstandard.frame_content_size(frame) != self._sizes[number][1]:  # before room is made for it
                raise self._damaged(offset, "a frame is not as long as the table says")
            lines = zstandard.ZstdDecompressor().decompress(frame).splitlines(keepends=True)
        except zstandard.ZstdError as error:
            raise self._damaged(offset, str(error)) from None
        if len(lines) > FRAME or (len(lines) < FRAME and number < len(self._sizes) - 1):
            raise self._damaged(offset, f"a frame holds {len(lines)} people")
        return [Place(line, offset) for line in lines]

    def lines(self) -> Iterator[Place]:
        """Every line, from the first on, a frame at a time."""
        with told("reading", self.file), self.file.open("rb") as handle:
            for number, (size, _) in enumerate(self._sizes):
                yield from self._lines_of(number, handle.read(size))


Part = PlainPart | FramedPart


def open_part(file: Path) -> Part:
    """A part by its file, in whichever form."""
    return FramedPart(file) if file.suffix == ".zst" else PlainPart(file)


def part_lines(file: Path) -> Iterator[Place]:
    """The lines of a part, in whichever form, one at a time (a frame at a time where it is packed)."""
    return FramedPart(file).lines() if file.suffix == ".zst" else plain_lines(file)
