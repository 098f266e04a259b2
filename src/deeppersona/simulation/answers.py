"""Answers on disk: one row for each person, item and asking, written so that a run killed at any moment goes on.

``answers.csv`` has the columns of ``COLUMNS``; beside it ``answers.csv.json`` says which questionnaire, who was asked, who
answered, licence and counts. While it is being made, rows are added to ``.answers.csv.part`` and what is certain to be on disk
is noted after each batch; the file stands in its place when all of it is written. Where a respondent knows the chances of the
options, ``answers.csv.chances.jsonl`` holds a line for each person, item and asking: the chances by code, and what fell beside.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from deeppersona.errors import Stopped, UsageError
from deeppersona.runtime.disk import told, write_whole
from deeppersona.runtime.executor import without_gc
from deeppersona.runtime.seed import Ints
from deeppersona.schema.inventory import Inventory
from deeppersona.simulation.respondent import NO_ANSWER, Answered, Form, ManyForms, Record, Respondent, answers_to
from deeppersona.simulation.unfinished import COLUMNS as COLUMNS
from deeppersona.simulation.unfinished import Part, same
from deeppersona.simulation.unfinished import Settings as Settings
from deeppersona.simulation.unfinished import beside as beside
from deeppersona.simulation.unfinished import chances_beside as chances_beside

_NEEDED = ("person", "item", "answer")
BATCH = 500
_FULL = 16  # times as many people a batch as are asked at once, so that few wait for its last
COMPOSITE = "composite"
_ABOUT = tuple(f"demographics.{k}" for k in ("country", "age", "sex", "education"))


def forms(inventory: Inventory, draws: int, change: Callable[[Form], Form] = lambda form: form) -> list[Form]:
    """The forms of several askings."""
    return [change(Form(inventory, draw)) for draw in range(draws)]


def write_answers(
    records: Iterable[Record], inventory: Inventory, respondent: Respondent, out: Path, settings: Settings, *,
    draws: int = 1, change: Callable[[Form], Form] = lambda form: form, weights: Sequence[float] | None = None,
    progress: Callable[[int, int], None] = lambda done, people: None, more: Callable[[], Mapping[str, Any]] = dict,
) -> dict[str, Any]:  # fmt: skip
    """Ask the first ``settings.people`` and write ``out``; goes on where it was stopped. Returns what ``answers.csv.json`` holds.

    Raises:
        UsageError: ``out`` holds answers to something else.
        StoreError: it cannot be written.

    """
    return asyncio.run(
        written(
            records,
            inventory,
            respondent,
            out,
            settings,
            draws=draws,
            change=change,
            weights=weights,
            progress=progress,
            more=more,
        )
    )


async def written(
    records: Iterable[Record], inventory: Inventory, respondent: Respondent, out: Path, settings: Settings, *,
    draws: int = 1, change: Callable[[Form], Form] = lambda form: form, weights: Sequence[float] | None = None,
    progress: Callable[[int, int], None] = lambda done, people: None, more: Callable[[], Mapping[str, Any]] = dict,
) -> dict[str, Any]:  # fmt: skip
    """``write_answers`` for those who wait already: a respondent that keeps connections open does so in one loop.

    ``more`` is asked at the end for what else is to stand in ``answers.csv.json``. Stopped where the respondent is stopped.
    """
    if (made := _made(out, settings)) is not None:
        progress(settings.people, settings.people)
        return made
    part = Part(out, settings)
    put, done = forms(inventory, draws, change), part.people
    size = max(BATCH, _FULL * respondent.at_once) if isinstance(respondent, ManyForms) else BATCH
    with part:
        people = islice(
            iter(records), done, settings.people
        )  # in its order a run is read several times as fast as by place
        while batch := _taken(people, size):
            through = _Through(done, settings.people, progress)
            try:
                answered = await answers_to(respondent, batch, put, through)
            except Stopped as stop:
                raise Stopped(f"{stop} ({through.now:,} of {settings.people:,} people have answered)") from None
            w = None if weights is None else weights[done : done + len(batch)]
            done += len(batch)
            part.add(_rows(batch, inventory, answered, w, part.counts), _chances(batch, inventory, answered), done)
            progress(done, settings.people)
    about = {**settings.plain(), "title": inventory.title, "source": inventory.source, "licence": inventory.licence,
             "counts": part.counts, "columns": list(COLUMNS), **more()}  # fmt: skip
    part.finish(about)
    return about


class _Through:
    """Told of each batch how many have answered; tells of all."""

    def __init__(self, before: int, people: int, progress: Callable[[int, int], None]) -> None:
        self.before, self.now, self.people, self.progress = before, before, people, progress

    def __call__(self, done: int) -> None:
        self.now = self.before + done
        self.progress(self.now, self.people)


def _taken(people: Iterator[Record], size: int) -> list[Record]:
    """The next people. Records are trees without cycles: looking for some would take most of the reading time."""
    with without_gc():
        return list(islice(people, size))


def _made(out: Path, settings: Settings) -> dict[str, Any] | None:
    """What is told beside finished answers, if they are to the same; UsageError where they are to something else."""
    if not out.exists():
        return None
    try:
        about: dict[str, Any] = json.loads(beside(out).read_text("utf-8"))
    except (OSError, ValueError):
        raise UsageError(
            f"{out} is there already and nothing beside it says how it came about; choose another --out"
        ) from None
    same(about, settings, out)
    return about


def _chances(people: Sequence[Record], inventory: Inventory, answered: Sequence[Answered]) -> bytes:
    """The lines of chances of a batch, person by person."""
    out: list[str] = []
    if not any(found.chances for found in answered):
        return b""
    for p, record in enumerate(people):
        for draw, found in enumerate(answered):
            for item in (i.id for i in inventory.items if i.id in found.chances):
                row = found.chances[item][p].tolist()
                if row[0] != row[0]:
                    continue
                line: dict[str, Any] = {"person": record["id"], "item": item, "draw": draw}
                line["chances"] = {str(c): round(x, 6) for c, x in zip(inventory.values(item), row, strict=True)}
                if item in found.beside:
                    line["beside"] = round(float(found.beside[item][p]), 6)
                out.append(json.dumps(line) + "\n")
    return "".join(out).encode()


def _rows(
    people: Sequence[Record], inventory: Inventory, answered: Sequence[Answered], weights: Sequence[float] | None,
    counts: dict[str, int],
) -> str:  # fmt: skip
    """The rows of a batch, person by person; composites after the items they are made of."""
    target = StringIO()
    writer = csv.writer(target, lineterminator="\n")
    ids = [item.id for item in inventory.items]
    for p, record in enumerate(people):
        about = {t["path"]: t["value"] for t in record["traits"] if t["path"] in _ABOUT}
        weight = 1 if weights is None else f"{weights[p]:.10g}"
        tail = (weight, *(about.get(path, "") for path in _ABOUT))
        who = record["id"]
        for draw, found in enumerate(answered):
            codes: list[int] = found.codes[p].tolist()
            source = found.source[p]
            rows = [(who, i, draw, "" if c == NO_ANSWER else c, source, *tail) for i, c in zip(ids, codes, strict=True)]
            answers = {i: c for i, c in zip(ids, codes, strict=True) if c != NO_ANSWER}
            for composite in inventory.composites:
                value = composite.of(answers)
                rows.append((who, composite.id, draw, "" if value is None else value, COMPOSITE, *tail))
            writer.writerows(rows)
            _count(counts, found, p, len(answers), len(ids), source)
    return target.getvalue()


def _count(counts: dict[str, int], found: Answered, p: int, given: int, asked: int, source: str) -> None:
    counts["answered"] += given
    counts["assumed"] += source.endswith(":assumed")
    for (person, _), word in found.why.items() if given < asked else ():
        if person == p:
            counts[word if word in counts else "missing"] += 1
    counts["missing"] += 0 if found.why else asked - given


@dataclass
class Table:
    """Answers read from a file, by item: codes (people, draws, items), NaN where there is none.

    ``people`` and ``items`` in the order they come; ``about`` the columns of each person besides the answers;
    ``strange`` rows by fault, left out and counted.
    """

    people: list[str]
    items: list[str]
    codes: np.ndarray[Any, np.dtype[np.float64]]
    about: list[dict[str, str]]
    strange: dict[str, int]
    settings: dict[str, Any]

    def of(self, items: Sequence[str], draw: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Answers to some items at one asking, (people, items); a column of NaN for an item nobody was asked."""
        none = np.full(len(self.people), np.nan)
        at = {item: k for k, item in enumerate(self.items)}
        columns = [self.codes[:, draw, at[i]] if i in at else none for i in items]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.people), 0))


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a file of answers. UsageError where it is none."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; deeppersona survey run writes one")
    with told("reading", path), path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        if lacking := [c for c in _NEEDED if c not in (reader.fieldnames or ())]:
            raise UsageError(
                f"{path} has no column {', '.join(lacking)}; answers have the columns {', '.join(COLUMNS)}"
            )
        yield from reader


def read_answers(path: Path, inventory: Inventory | None = None) -> Table:
    """Read answers. With the inventory, codes that are no option of an item are left out and counted, never kept in silence."""
    people: dict[str, int] = {}
    items: dict[str, int] = {}
    about: list[dict[str, str]] = []
    cells: list[tuple[int, int, int, float]] = []
    strange: dict[str, int] = {}
    allowed: dict[str, tuple[int, ...]] = {}
    if inventory is not None:
        allowed = {
            name: inventory.values(name)
            for name in [*(i.id for i in inventory.items), *(c.id for c in inventory.composites)]
        }
    draws = 0
    for row in read_rows(path):
        fault, value, draw = _cell(row, allowed if inventory is not None else None)
        if row["person"] not in people:
            about.append({key: row.get(key) or "" for key in COLUMNS[5:]})
        p = people.setdefault(row["person"], len(people))
        if fault:
            strange[fault] = strange.get(fault, 0) + 1
            continue
        i = items.setdefault(row["item"], len(items))
        draws = max(draws, draw + 1)
        cells.append((p, draw, i, value))
    codes = np.full((len(people), max(draws, 1), len(items)), np.nan)
    if cells:
        at = np.array([c[:3] for c in cells], dtype=np.intp)
        codes[at[:, 0], at[:, 1], at[:, 2]] = [c[3] for c in cells]
    settings = settings_beside(path)
    return Table(list(people), list(items), codes, about, strange, settings)


def _cell(row: Mapping[str, str], allowed: Mapping[str, tuple[int, ...]] | None) -> tuple[str, float, int]:
    """(fault or nothing, answer, draw) of a row."""
    try:
        draw = int(row.get("draw") or 0)
        value = float(row["answer"]) if row["answer"] not in ("", None) else float("nan")
    except ValueError:
        return "not a number", 0.0, 0
    if draw < 0:
        return "draw below 0", 0.0, 0
    if allowed is None or value != value:
        return "", value, draw
    if row["item"] not in allowed:
        return "item not in the inventory", 0.0, 0
    return ("", value, draw) if value in allowed[row["item"]] else ("answer off the scale", 0.0, 0)


def settings_beside(path: Path) -> dict[str, Any]:
    """What stands beside answers: how they came about; empty where nothing does."""
    try:
        found = json.loads(beside(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def commonest(path: Path) -> dict[str, int]:
    """The commonest answer to each item in a file of people's answers, by weight where there is a column for it."""
    mass: dict[str, dict[int, float]] = {}
    for row in read_rows(path):
        try:
            value, weight = int(float(row["answer"])), float(row.get("weight") or 1.0)
        except (TypeError, ValueError):
            continue
        found = mass.setdefault(row["item"], {})
        found[value] = found.get(value, 0.0) + weight
    return {item: max(sorted(found), key=lambda value, of=found: of[value]) for item, found in mass.items()}  # type: ignore[misc]


def write_scores(
    out: Path, table: Table, inventory: Inventory, scores: Sequence[np.ndarray[Any, np.dtype[np.float64]]]
) -> None:
    """Write scores of people (a table (people, scales) for each draw): person, draw, a column for each scale, who they are."""
    target = StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["person", "draw", *(s.id for s in inventory.scales), *COLUMNS[5:]])
    for p, (who, about) in enumerate(zip(table.people, table.about, strict=True)):
        for draw, held in enumerate(scores):
            told_ = ["" if x != x else f"{x:.10g}" for x in held[p].tolist()]
            writer.writerow([who, draw, *told_, *about.values()])
    write_whole(out, target.getvalue().encode())


class Replay:
    """Answers from a file: the people of the run give what is written there, at the same asking."""

    name = "replay"

    def __init__(self, inventory: Inventory, path: Path) -> None:
        self.inventory, self.path = inventory, path
        table = read_answers(path, inventory)
        self.strange = table.strange
        self._place = {who: p for p, who in enumerate(table.people)}
        self._codes = np.stack(
            [table.of([i.id for i in inventory.items], d) for d in range(table.codes.shape[1])], axis=1
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """Who answers, and from which file."""
        return {"respondent": self.name, "file": self.path.name}

    async def answer(self, people: Sequence[Record], form: Form) -> Answered:
        """What the file holds; none where it holds none."""
        codes: Ints = np.full((len(people), len(self.inventory)), NO_ANSWER, dtype=np.int64)
        for p, record in enumerate(people):
            place = self._place.get(str(record["id"]))
            if place is not None and form.draw < self._codes.shape[1]:
                row = self._codes[place, form.draw]
                codes[p] = np.where(np.isnan(row), NO_ANSWER, np.nan_to_num(row)).astype(np.int64)
        return Answered(codes, (self.name,) * len(people))
