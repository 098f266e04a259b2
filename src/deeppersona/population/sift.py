"""A look through a finished run: near-duplicates found and replaced within their cells, people counted, some of them checked.

Sketches and counts are made part by part in processes; the sieve meets people in the order of their slots, so the outcome
depends on the plan alone. What is replaced is written down whole (``replaced.jsonl``: what was found, then a person a line) before
any part is touched: killed at any moment, the same command applies what was decided and comes to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from deeppersona.generation.engine import Record
from deeppersona.population.counting import Counted, codes_of
from deeppersona.population.dedup import Sieve
from deeppersona.population.maker import REFILLS, maker_elsewhere, others
from deeppersona.population.minhash import sketches
from deeppersona.population.validators import validate
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.executor import Over, over_parts, without_gc
from deeppersona.runtime.parts import packed, part_lines
from deeppersona.runtime.seed import Ints
from deeppersona.runtime.store import RunFolder, lines_of, part_count, part_size
from deeppersona.schema.persona import Persona
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Issue
from deeppersona.taxonomy.read import read_once

REPLACED, FOUND = "replaced.jsonl", "duplicates.json"
_PARALLEL_FROM = 8  # parts from which processes are worth their start
_WORTH_A_TASK = 8  # people to be made for whom another process is asked
_TRIES = 8  # people drawn for a slot before a double is let stand, and told


@dataclass(frozen=True)
class Task:
    """A part to look through: where it stands, what to count by, which people to check, whether to sketch."""

    folder: str
    number: int
    counted: Counted
    check: frozenset[int]
    sketch: bool
    taxonomy_folder: str


@dataclass
class Look:
    """What was seen in a part: slots and ids in order, codes by dimension, sketches, and what the validators found, by slot."""

    slots: Ints
    ids: list[str]
    codes: dict[str, Ints]
    sketches: Any
    issues: dict[int, list[Issue]] = field(default_factory=dict)
    checked: int = 0

    def take(self, record: Record, task: Task) -> None:
        """See somebody who is now in the place of another."""
        slot = record["provenance"]["slot"]
        row = int(np.searchsorted(self.slots, slot))
        self.ids[row] = record["id"]
        for d, codes in codes_of([record], task.counted).items():
            self.codes[d][row] = codes[0]
        if slot in task.check:
            self.issues |= faults_of([record], task.taxonomy_folder)  # of this slot, in place of what was found before


def look(task: Task) -> Look:
    """Look through one part."""
    with without_gc():
        records = part_records(RunFolder(task.folder), task.number)
        slots = np.array([r["provenance"]["slot"] for r in records], dtype=np.int64)
        some = [r for r in records if r["provenance"]["slot"] in task.check]
        return Look(
            slots,
            [r["id"] for r in records],
            codes_of(records, task.counted),
            sketches(records) if task.sketch else None,
            {slot: issues for slot, issues in faults_of(some, task.taxonomy_folder).items() if issues},
            len(some),
        )


def faults_of(records: Sequence[Record], taxonomy_folder: str) -> dict[int, list[Issue]]:
    """What the validators, or the rules for pupils, find wrong with people of one kind, by slot."""
    if not records:
        return {}
    slots = [record["provenance"]["slot"] for record in records]
    if records[0]["kind"] == "student":
        from deeppersona.population.students import validate_all

        return dict(zip(slots, validate_all(records), strict=True))
    taxonomy = read_once(taxonomy_folder)
    return {
        slot: validate(Persona.model_validate(record), taxonomy) for slot, record in zip(slots, records, strict=True)
    }


def checked_slots(plan: Plan, people: int) -> frozenset[int]:
    """The slots to check, evenly spread over the plan."""
    people = min(people, plan.n)
    return frozenset(int(k * plan.n // people) for k in range(people)) if people else frozenset()


def in_order(tasks: Sequence[Task], workers: int, over: Over = over_parts) -> Iterator[tuple[Task, Look]]:
    """Looks in the order of the parts, whatever order they come in."""
    waiting: dict[int, tuple[Task, Look]] = {}
    numbers = iter([task.number for task in tasks])
    following = next(numbers, None)
    for task, seen in over(look, tasks, workers):
        waiting[task.number] = (task, seen)
        while following is not None and following in waiting:
            yield waiting.pop(following)
            following = next(numbers, None)


@dataclass
class Sifted:
    """What came of the look: ids, slots and codes of everybody in order, doubles, and what was found wrong."""

    ids: list[str]
    slots: Ints
    codes: dict[str, Ints]
    duplicates: dict[str, Any]
    issues: list[Issue]
    checked: int


def sift(
    folder: RunFolder, plan: Plan, counted: Counted, *, workers: int, mode: str, check: int,
    taxonomy_folder: Path, over: Over = over_parts, progress: Callable[[int], None] = lambda people: None,
) -> Sifted:  # fmt: skip
    """Look through a run that is held for writing; with ``mode`` ``replace`` doubles give way to other people of the same cell."""
    apply(folder, plan, workers, over)
    found = _decided(folder, mode)
    some = checked_slots(plan, check)
    tasks = [
        Task(str(folder.path), k, counted, some, mode != "off" and found is None, str(taxonomy_folder))
        for k in range(part_count(plan))
    ]
    sieve, looks = Sieve(seed=plan.seed), list[Look]()
    doubles: list[tuple[int, int]] = []
    for task, seen in in_order(tasks, workers, over):
        looks.append(seen)
        if task.sketch:
            answers = sieve.add_sketches(seen.sketches, seen.slots.tolist())
            doubles += [(int(seen.slots[row]), earlier) for row, earlier in enumerate(answers) if earlier is not None]
        seen.sketches = None
        progress(len(seen.slots))
    if mode != "off" and found is None:
        instead = dict[int, Record]()
        if mode == "replace":
            drawn = partial(_drawn, plan.model_dump_json(), str(taxonomy_folder), workers, over)
            instead = _others(drawn, [slot for slot, _ in doubles], sieve)
        found = _decide(folder, mode, sum(len(seen.slots) for seen in looks), doubles, instead)
        apply(folder, plan, workers, over)
        write_whole(folder.path / FOUND, _pretty(found))
        for slot, record in instead.items():
            looks[slot // part_size(plan)].take(record, tasks[slot // part_size(plan)])
    return Sifted(
        [i for s in looks for i in s.ids], np.concatenate([s.slots for s in looks]),
        {d: np.concatenate([s.codes[d] for s in looks]) for d in counted.dims}, found or {},
        [i for s in looks for slot in sorted(s.issues) for i in s.issues[slot]], sum(s.checked for s in looks),
    )  # fmt: skip


def _decided(folder: RunFolder, mode: str) -> dict[str, Any] | None:
    """What was found and decided before, of which nothing is left to do; None where that is still to be done."""
    replaced, file = folder.path / REPLACED, folder.path / FOUND
    if replaced.exists():  # stopped after the decision, maybe before it was told
        write_whole(file, _pretty(orjson.loads(replaced.read_bytes().split(b"\n", 1)[0])))
    if mode == "off" or not file.exists():
        return None
    found: dict[str, Any] = orjson.loads(file.read_bytes())
    return found if replaced.exists() or mode == "report" or found["mode"] == mode else None


def _decide(
    folder: RunFolder, mode: str, people: int, doubles: Sequence[tuple[int, int]], instead: Mapping[int, Record]
) -> dict[str, Any]:
    """Write down who takes whose place; returns what was found."""
    replaced = [
        {"slot": slot, "like": earlier, "record": instead[slot]} for slot, earlier in doubles if slot in instead
    ]
    left = [{"slot": slot, "like": earlier} for slot, earlier in doubles if slot not in instead]
    found = {"mode": mode, "people": people, "found": len(doubles), "replaced": len(replaced), "left": left}
    if replaced:
        write_whole(folder.path / REPLACED, lines_of([found, *replaced]))
    return found


def _pretty(found: Mapping[str, Any]) -> bytes:
    return orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n"


@dataclass(frozen=True)
class _Draw:
    """Slots for which somebody else is to be made."""

    plan_json: str
    taxonomy_folder: str
    slots: Sequence[int]
    attempt: int


def _drawn_task(task: _Draw) -> list[Record]:
    """Somebody else for each slot, where a maker is at hand that made the first."""
    maker, taxonomy = maker_elsewhere(task.plan_json, task.taxonomy_folder), read_once(task.taxonomy_folder)
    return others(maker, task.slots, task.attempt, taxonomy)


def _drawn(plan_json: str, folder: str, workers: int, over: Over, slots: Sequence[int], attempt: int) -> list[Record]:
    """Somebody else for each of some slots, in their order; a slot whose attempt made nobody is left out."""
    many = max(1, min(workers, len(slots) // _WORTH_A_TASK))
    tasks = [_Draw(plan_json, folder, tuple(slots[k::many]), attempt) for k in range(many)]
    made = [record for _, records in over(_drawn_task, tasks, workers) for record in records]
    return sorted(made, key=lambda record: int(record["provenance"]["slot"]))


def _others(
    draw: Callable[[Sequence[int], int], list[Record]], slots: Sequence[int], sieve: Sieve
) -> dict[int, Record]:
    """Somebody else for slots, who is nobody's double; a slot for which none was found is left out."""
    out: dict[int, Record] = {}
    for attempt in range(REFILLS + 1, REFILLS + 1 + _TRIES):
        still = [slot for slot in slots if slot not in out]
        for record in draw(still, attempt) if still else []:
            slot = record["provenance"]["slot"]
            if sieve.add([record], [slot])[0] is None:
                out[slot] = orjson.loads(orjson.dumps(record))  # as it is read back
    return out


@dataclass(frozen=True)
class _Rewrite:
    """A part of which some people are to give way to others, by slot."""

    folder: str
    number: int
    people: Mapping[int, Record]


def _rewritten(task: _Rewrite) -> tuple[bytes, int] | None:
    """The part as it is to be, packed, and its people; None where it is that already."""
    folder, changed = RunFolder(task.folder), False
    lines = [place.line for place in part_lines(folder.part_file(task.number))]
    for row, line in enumerate(lines):
        if not any(b'"slot":%d' % slot in line for slot in task.people):
            continue  # which spares reading everybody
        record = orjson.loads(line)
        other = task.people.get(record["provenance"]["slot"])
        # Who has their traits is there already, and may have been told anew since.
        if other is not None and other["traits"] != record["traits"]:
            lines[row], changed = lines_of([dict(other)]), True
    return (packed(b"".join(lines), folder.storage), len(lines)) if changed else None


def apply(folder: RunFolder, plan: Plan, workers: int, over: Over = over_parts) -> None:
    """Put the people of ``replaced.jsonl`` in their slots, where they are not there yet."""
    file = folder.path / REPLACED
    if not file.exists():
        return
    by_part: dict[int, dict[int, Record]] = {}
    for line in file.read_bytes().split(b"\n")[1:-1]:
        entry = orjson.loads(line)
        by_part.setdefault(entry["slot"] // part_size(plan), {})[entry["slot"]] = entry["record"]
    tasks = [_Rewrite(str(folder.path), number, people) for number, people in sorted(by_part.items())]
    for task, changed in over(_rewritten, tasks, workers if len(tasks) >= _PARALLEL_FROM else 1):
        if changed is not None:
            folder.forget(task.number)
            folder.commit(task.number, *changed, [])


def part_records(folder: RunFolder, number: int) -> list[Record]:
    """The people of one part."""
    return [orjson.loads(place.line) for place in part_lines(folder.part_file(number))]
