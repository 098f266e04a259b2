"""What is asked in interviews, and what is kept of them: questions read from a file, a line of JSON a turn, Markdown to read.

A transcript is ``ID-<n>.jsonl``. Its first line says who was asked by whom and how, and that nobody in it is real; each further
line is a turn. There is no time in it: the same interview again is the same bytes.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from deeppersona.errors import StoreError, UsageError, nearest
from deeppersona.runtime.disk import told, write_whole

FOLDER = "interviews"
SYNTHETIC = "Synthetic: the person is made up and the answers are a language model's. Nobody real was asked."
LONGEST = 2000  # characters of a question
_TEXT, _NAME = ("question", "text", "ask", "prompt"), ("id", "name", "key")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask: an id, and its words, which are data."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what was answered.

    ``fault`` says why an answer cannot be trusted, though it is kept ("" when it can be); ``shown`` are the paths of the traits
    that were put before the model for this question; ``new`` names and numbers of the answer that nothing it was shown
    holds: invented, as far as such marks tell. ``tokens_in`` and ``tokens_out`` are of all ``calls`` the turn took.
    """

    turn: int
    id: str
    question: str
    answer: str
    fault: str = ""
    shown: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def line(self) -> bytes:
        """As the transcript keeps it."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)


def read_questions(path: Path) -> list[Question]:
    """Questions from a file: ``.csv`` and ``.tsv`` with a column ``question`` (and ``id``), ``.jsonl`` alike, else one a line.

    In plain text, empty lines and lines that begin with # are left out. Questions without an id are q1, q2 and so on.

    Raises:
        UsageError: the file is not there, holds no question or a line that is none; the message gives the line.

    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}; write your questions there, one a line") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text in UTF-8: {error}") from None
    suffix = path.suffix.lower()
    rows = _of_json(path, text) if suffix in (".jsonl", ".ndjson") else (
        _of_table(path, text, "\t" if suffix == ".tsv" else ",") if suffix in (".csv", ".tsv") else _of_lines(text)
    )  # fmt: skip
    found: dict[str, Question] = {}
    for number, name, words in rows:
        question = " ".join(words.split())
        if not question:
            raise UsageError(f"{path}, line {number}: the question is empty")
        if len(question) > LONGEST:
            raise UsageError(
                f"{path}, line {number}: a question of {len(question):,} characters; the most is {LONGEST:,}"
            )
        key = name.strip() or f"q{len(found) + 1}"
        if key in found:
            raise UsageError(f"{path}, line {number}: the id {key!r} is given twice; give each question one of its own")
        found[key] = Question(key, question)
    if not found:
        raise UsageError(f"{path} holds no question; write one a line")
    return list(found.values())


def _of_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, "", question) of plain text."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, "", line


def _of_table(path: Path, text: str, sign: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.DictReader(text.splitlines(keepends=True), delimiter=sign, strict=True)
    try:
        heads = [head.strip().casefold() for head in reader.fieldnames or ()]
        asks = next((head for head in _TEXT if head in heads), None)
        if asks is None:
            there = f"; there are {', '.join(heads)}" if heads else ""
            raise UsageError(f"{path}, line 1: no column {_TEXT[0]}{there}{nearest(' '.join(heads), _TEXT, 1)}")
        reader.fieldnames = heads
        name = next((head for head in _NAME if head in heads), "")
        for row in reader:
            if None in row or row[asks] is None:
                raise UsageError(
                    f"{path}, line {reader.line_num}: {len(heads)} columns wanted; put questions with commas in quotes"
                )
            yield reader.line_num, str(row.get(name) or ""), str(row[asks])
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.reader.line_num}: {error}") from None


def _of_json(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{path}, line {number}: no JSON ({error})") from None
        row = {"question": row} if isinstance(row, str) else row
        asks = next((k for k in _TEXT if isinstance(row.get(k), str)), None) if isinstance(row, dict) else None
        if asks is None:
            raise UsageError(f'{path}, line {number}: write {{"id": "...", "question": "..."}}')
        yield number, str(next((row[k] for k in _NAME if k in row), "")), row[asks]


def claim(folder: Path, who: str, head: Mapping[str, Any], *, again: bool = True) -> Path:
    """The transcript of a person that begins with ``head``: the one there is (``again``), else the next number, begun.

    Two processes at once get two numbers.
    """
    name = _UNSAFE.sub("_", who).lstrip(".")[:100] or "person"
    first = orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)
    with told("writing in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=60):
            for n in count(1):
                path = folder / f"{name}-{n}.jsonl"
                if not path.exists():
                    write_whole(path, first)
                    return path
                with path.open("rb") as handle:
                    if again and handle.readline() == first:
                        return path
    raise AssertionError("numbers do not end")


def finished(path: Path, questions: int) -> list[Turn] | None:
    """The turns of a transcript that holds them all, each with an answer; None while it does not."""
    _, turns = read_transcript(path)
    return turns if len(turns) == questions and all(turn.answer for turn in turns) else None


def append(path: Path, turn: Turn) -> None:
    """Add a turn; it is on disk when this returns."""
    with told("writing", path), path.open("ab") as handle:
        handle.write(turn.line())
        handle.flush()
        os.fsync(handle.fileno())


def write_transcript(path: Path, head: Mapping[str, Any], turns: Sequence[Turn]) -> None:
    """Write a transcript whole."""
    write_whole(path, orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE) + b"".join(turn.line() for turn in turns))


def read_transcript(path: Path) -> tuple[dict[str, Any], list[Turn]]:
    """What stands at the head of a transcript, and its turns; a last line that was cut off is left out.

    Raises:
        StoreError: it is none.

    """
    with told("reading", path):
        lines = path.read_bytes().split(b"\n")
    try:
        head = orjson.loads(lines[0])
        turns = [
            Turn(**(row | {key: tuple(row[key]) for key in ("shown", "new")})) for row in map(orjson.loads, lines[1:-1])
        ]
    except (ValueError, TypeError, KeyError):
        raise StoreError(
            f"{path} is no transcript of an interview; move it away and run the same command again"
        ) from None
    return head, turns


def markdown(head: Mapping[str, Any], turns: Sequence[Turn]) -> str:
    """A transcript to be read. What was said is text, never markup."""
    asked_by = (
        f"{head['model']}, deeppersona {head['engine']}, seed {head['seed']}, temperature {head['temperature']:g}"
    )
    parts = [
        f"# Interview with {_bare(head['name'])} ({_bare(head['person'])})",
        f"*{SYNTHETIC}*",
        f"Model: {_bare(asked_by)}",
    ]
    for turn in turns:
        notes = []
        if turn.fault:
            notes.append(f"not to be trusted: {turn.fault}")
        if turn.new:
            notes.append(f"not in the record: {', '.join(turn.new)}")
        if turn.shown:
            notes.append(f"from: {', '.join(turn.shown)}")
        parts.append(f"**{_bare(turn.question)}**")
        parts.append(_bare(turn.answer) or "(no answer)")
        if notes:
            parts.append(f"<sub>{_bare('; '.join(notes))}</sub>")
    return "\n\n".join(parts) + "\n"


def _bare(text: object) -> str:
    """Text without what Markdown or HTML would read as theirs."""
    return re.sub(r"([\\`*_\[\]#|])", r"\\\1", str(text)).replace("&", "&amp;").replace("<", "&lt;")
