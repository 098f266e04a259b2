"""Apply a log of decisions to a base: the mined taxonomy is made by nothing else, so a log can be replayed or edited.

A review is the list of proposals as a CSV that a person edits: ``keep`` yes or no, and path, definition and question as
they should read. Fed back, it changes the log.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deeppersona.errors import UsageError, unknown
from deeppersona.schema.taxonomy import Attribute, Support, Taxonomy

Entry = dict[str, Any]
_REVIEW = ("keep", "path", "question", "definition", "answers", "people", "conversations", "topic")
_YES, _NO = ("yes", "y", "1", "true", "keep"), ("no", "n", "0", "false", "drop")


def build(base: Taxonomy, log: Iterable[Entry]) -> Taxonomy:
    """The base with everything a log decided: attributes added, options added and weighed, support noted."""
    attributes = {a.path: a for a in base}
    for entry in log:
        path = entry.get("path", "")
        if entry["do"] == "add":
            if path not in attributes:
                attributes[path] = Attribute.model_validate(entry["attribute"])
        elif path in attributes and entry["do"] in _CHANGES:
            attributes[path] = _CHANGES[entry["do"]](attributes[path], entry)
    order = _beside_their_like(list(base.index), [p for p in attributes if p not in base.index])
    return Taxonomy([attributes[path] for path in order], base.categories, base.rules)


def _supported(a: Attribute, entry: Entry) -> Attribute:
    known = a.support or Support(speakers=0, conversations=0)
    more = Support(
        speakers=known.speakers + entry["speakers"], conversations=known.conversations + entry["conversations"]
    )
    return a.model_copy(update={"support": more})


def _with_option(a: Attribute, entry: Entry) -> Attribute:
    if any(o.value == entry["value"] for o in a.options):
        return a
    raw = a.model_dump(mode="json", exclude_defaults=True)
    raw["options"] = [
        *raw["options"],
        {
            "value": entry["value"],
            "weight": entry["weight"],
            **({"phrase": entry["phrase"]} if "phrase" in entry else {}),
        },
    ]
    return Attribute.model_validate(raw)


def _weighed(a: Attribute, entry: Entry) -> Attribute:
    weights = entry["weights"]
    options = tuple(o.model_copy(update={"weight": weights.get(o.value, o.weight)}) for o in a.options)
    return a.model_copy(update={"options": options})


_CHANGES = {"support": _supported, "option": _with_option, "weights": _weighed}


def _beside_their_like(base: Sequence[str], new: Sequence[str]) -> list[str]:
    """New paths after the last of their branch, so that a branch stays together in the tree."""
    last: dict[str, int] = {}
    for k, path in enumerate(base):
        parts = path.split(".")
        for depth in range(1, len(parts)):
            last[".".join(parts[:depth])] = k
    after: dict[int, list[str]] = {}
    for path in sorted(new):
        parts = path.split(".")
        place = next(
            (last[key] for d in range(len(parts) - 1, 0, -1) if (key := ".".join(parts[:d])) in last), len(base)
        )
        after.setdefault(place, []).append(path)
    out: list[str] = []
    for k, path in enumerate(base):
        out += [path, *after.get(k, [])]
    return out + after.get(len(base), [])


def log_lines(log: Iterable[Entry]) -> bytes:
    """A log as JSON lines."""
    return b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in log)


def read_log(path: Path) -> list[Entry]:
    """Read a log back. UsageError where it is none."""
    try:
        log = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no log of decisions ({error}); mine writes it as mining/log.jsonl") from None
    if not all(isinstance(entry, dict) and isinstance(entry.get("do"), str) for entry in log):
        raise UsageError(f"{path} is no log of decisions; mine writes it as mining/log.jsonl")
    return log


def review_table(log: Iterable[Entry]) -> bytes:
    """The proposals of a log as a CSV for a person to edit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_REVIEW)
    for entry in log:
        if entry["do"] == "add":
            a = entry["attribute"]
            answers = a["scale"]["labels"] if "scale" in a else [o["value"] for o in a.get("options", [])]
            writer.writerow(
                [
                    "yes",
                    entry["path"],
                    a["question"],
                    a["definition"],
                    "; ".join(answers),
                    entry["speakers"],
                    entry["conversations"],
                    entry["topic"],
                ]
            )
    return out.getvalue().encode()


def reviewed(log: Sequence[Entry], table: Path) -> list[Entry]:
    """A log as a person's review wants it. Rows are known by their topic and place in the table's order of the log.

    Raises:
        UsageError: the table is not the one of this log, or a cell cannot be meant; the line is named.

    """
    try:
        rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table} cannot be read as CSV: {error}") from None
    adds = [entry for entry in log if entry["do"] == "add"]
    if not rows or set(_REVIEW) - set(rows[0]) or [r["topic"] for r in rows] != [e["topic"] for e in adds]:
        raise UsageError(
            f"{table} is not the review of this run: write it with --review, edit its cells, keep its rows and their order"
        )
    changed: dict[str, Entry | None] = {}
    for line, (row, entry) in enumerate(zip(rows, adds, strict=True), 2):
        word = (row["keep"] or "").strip().casefold()
        if word not in _YES + _NO:
            raise UsageError(f"{table}:{line}: {unknown('word for keep', row['keep'] or '', ('yes', 'no'))}")
        changed[entry["path"]] = None if word in _NO else _edited(entry, row, f"{table}:{line}")
    out: list[Entry] = []
    for entry in log:
        path = entry.get("path", "")
        now = changed.get(path, entry)
        if now is entry or entry["do"] not in ("add", *_CHANGES):
            out.append(entry)
        elif now is None:
            if entry["do"] == "add":
                out.append({**entry, "do": "refuse", "why": "refused in review"})
        else:
            out.append(now if entry["do"] == "add" else {**entry, "path": now["path"]})
    return out


def _edited(entry: Entry, row: dict[str, str], where: str) -> Entry:
    raw = {**entry["attribute"], **{key: row[key].strip() for key in ("path", "question", "definition")}}
    try:
        attribute = Attribute.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{where}: {first['loc'][0] if first['loc'] else 'row'}: {first['msg']}") from None
    return {**entry, "path": attribute.path, "attribute": attribute.model_dump(mode="json", exclude_defaults=True)}
