"""Rows of a file, streamed: JSON lines, JSON, CSV, TSV, text, and Parquet (extra ``[parquet]``: pyarrow).

What cannot be read is handed to ``fault`` with the reason; only a file of which nothing can be read is an error.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from deeppersona.errors import UsageError

MAX_LINE = 16_000_000  # bytes of one line or one record: longer is no conversation but a broken file
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt")
NOT_UTF8 = re.compile("[\ud800-\udfff]")  # what stands for a byte that could not be decoded
_CHUNK = 1 << 18
_ROWS = 256
_CUT = "the file is cut off or damaged after {}, and what follows is not read; fetch it again"
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
Row = Mapping[str, Any]
Fault = Callable[[str], None]


def suffix_of(path: Path) -> str:
    """The ending that says what a file holds; packed files have it before ``.gz``."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def rows_of(path: Path, name: str, fault: Fault) -> Iterator[Row]:
    """The rows of a file (``-`` is standard input) as dictionaries. UsageError where it cannot be opened or is of another kind."""
    yield from _parquet(path) if suffix_of(path) == ".parquet" else _rows(path, name, fault)


def _parquet(path: Path) -> Iterator[Row]:
    """A batch in memory at a time."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError(f"{path}: reading Parquet needs pyarrow; install deeppersona[parquet]") from None
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path} cannot be read as Parquet: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[BufferedIOBase]:
    try:
        if str(path) == "-":
            yield sys.stdin.buffer  # type: ignore[misc]
        elif path.suffix == ".gz":
            with gzip.open(path, "rb") as packed:
                yield packed
        else:
            with path.open("rb") as plain:
                yield plain
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read: {why}; fetch it again") from None


def _rows(path: Path, name: str, fault: Fault) -> Iterator[Row]:
    with _opened(path) as handle:
        first = handle.readline(_CHUNK).removeprefix(codecs.BOM_UTF8)
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UsageError(f"{path} is written in UTF-16; save it as UTF-8")
        suffix, opens = suffix_of(path), first.lstrip()[:1]
        if opens == b"[" and suffix not in (".csv", ".tsv", ".txt"):
            yield from _values(first, handle, name, fault)
            return
        first += b"" if first.endswith(b"\n") else handle.readline(MAX_LINE + 1 - len(first))
        if suffix in (".csv", ".tsv"):
            yield from _table(_lines(first, handle, fault), suffix, fault)
        elif suffix == ".txt" or (suffix not in SUFFIXES and opens not in (b"{", b'"')):
            yield from _text_lines(_lines(first, handle, fault), fault)
        elif opens == b"{" and suffix in ("", ".json") and not _is_json(first):
            yield from _values(first, handle, name, fault)
        else:
            yield from _json_lines(_lines(first, handle, fault), fault)


def _lines(first: bytes, handle: BufferedIOBase, fault: Fault) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, but for those that are too long; up to where it is cut off, if it is."""
    line, number = first, 1
    try:
        while line:
            if len(line) > MAX_LINE:
                fault(f"line {number} is over {MAX_LINE:,} bytes")
                while line and not line.endswith(b"\n"):
                    line = handle.readline(MAX_LINE)
            else:
                yield number, line
            line = handle.readline(MAX_LINE + 1)
            number += 1
    except _BROKEN:
        fault(_CUT.format(f"line {number}"))


def _text_lines(lines: Iterable[tuple[int, bytes]], fault: Fault) -> Iterator[Row]:
    for number, line in lines:
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            fault(f"line {number} is not UTF-8; save the file as UTF-8")
            continue
        if text:
            yield {"text": text}


def _json_lines(lines: Iterable[tuple[int, bytes]], fault: Fault) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            fault(f"line {number} is no JSON ({error})")
            continue
        if isinstance(item, dict | str):
            yield item if isinstance(item, dict) else {"text": item}
        else:
            fault(f"line {number}: expected an object, got {type(item).__name__}")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _values(first: bytes, handle: BufferedIOBase, name: str, fault: Fault) -> Iterator[Row]:
    """The objects of one JSON array, or objects over several lines, one in memory at a time."""
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    scan = json.JSONDecoder(strict=False).raw_decode
    more, buffer, number, at = first, "", 0, 0
    while True:
        buffer += decode(more, final=not more)
        try:
            while (at := _BETWEEN.match(buffer, at).end()) < len(buffer):  # type: ignore[union-attr]  # it matches the empty text too
                item, end = scan(buffer, at)
                number += 1
                if NOT_UTF8.search(buffer, at, end):
                    fault(f"record {number} is not UTF-8; save the file as UTF-8")
                elif isinstance(item, dict):
                    yield from _unwrapped(item)
                else:
                    fault(f"record {number}: expected an object, got {type(item).__name__}")
                at = end
        except (ValueError, RecursionError) as error:  # unfinished, or wrong
            if not more or len(buffer) - at > MAX_LINE:
                if not number:
                    told = f"{name} is no JSON ({error}); JSON lines are read best: one object a line"
                    raise UsageError(told) from None
                return fault(f"record {number + 1} is no JSON ({error}), and what follows is not read")
        if not more:
            return None
        buffer, at = buffer[at:], 0
        try:
            more = handle.read1(_CHUNK)
        except _BROKEN:
            return fault(_CUT.format(f"record {number}"))


_BETWEEN = re.compile(r"[\s,\[\]]*")


def _unwrapped(item: dict[str, Any]) -> Iterator[Row]:
    """``{"data": [...]}`` is as good as its list."""
    wrapped = len(item) == 1 and next(iter(item)) in ("data", "rows", "train", "examples")
    inner = next(iter(item.values())) if wrapped else None
    if isinstance(inner, list) and all(isinstance(one, dict) for one in inner):
        yield from inner
    else:
        yield item


def _table(lines: Iterator[tuple[int, bytes]], suffix: str, fault: Fault) -> Iterator[Row]:
    """Rows of a CSV or TSV file with a head; a semicolon or a tab between the columns is seen from the head."""
    csv.field_size_limit(MAX_LINE)
    text = (line.decode("utf-8", "surrogateescape") for _, line in lines)
    head = next(text, "")
    sep = "\t" if suffix == ".tsv" else max(",;\t|", key=head.count)
    rows = csv.reader(chain([head], text), delimiter=sep, strict=True)
    names: list[str] = []
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            fault(f"line {rows.line_num}: {error}")
            continue
        if not names:
            names = [name.strip() or f"column {k}" for k, name in enumerate(row, 1)]
        elif len(row) != len(names):
            if row:
                fault(f"line {rows.line_num} has {len(row)} columns, the head {len(names)}")
        elif any(map(NOT_UTF8.search, row)):
            fault(f"line {rows.line_num} is not UTF-8; save the file as UTF-8")
        elif any(row):
            yield dict(zip(names, row, strict=True))
