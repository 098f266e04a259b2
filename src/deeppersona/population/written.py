"""A run with a model: people drawn, written, checked and revised, many at once; parts written when they are whole."""

from __future__ import annotations

import asyncio
import gc
import marshal
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import orjson

from deeppersona.corpus.reading import read_given
from deeppersona.corpus.shallow import Shallow
from deeppersona.errors import Stopped, StoreError
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.engine import Draft, Engine, Record, Sheet
from deeppersona.generation.writing.book import write_book
from deeppersona.generation.writing.worn import MILESTONES, Worn
from deeppersona.generation.writing.writer import Writer
from deeppersona.models.journal import METER, Journal
from deeppersona.models.port import Completion
from deeppersona.models.spec import Open, Spec, Traffic, opened, stopping_on_interrupt
from deeppersona.population.allot import engine_of
from deeppersona.population.revise import Judge, revise
from deeppersona.prompts import say
from deeppersona.runtime.executor import helper
from deeppersona.runtime.parts import part_lines
from deeppersona.runtime.pipeline import Part, over_people
from deeppersona.runtime.store import RunFolder, lines_of, part_count, part_size, part_slots
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure, Issue
from deeppersona.taxonomy.read import read_taxonomy

_CHUNK = 300  # slots drawn at once: large chunks are cheaper a person, small ones come sooner
_FIRST_CHUNK = 50
_MORE_PEOPLE = 1.35  # people in work for each request allowed at once, so that the limit is always full
Drawn = tuple[
    int, int, list[Sheet | bytes], list[Failure]
]  # number of the part, its size, the people drawn, those who could not be


@dataclass
class Tally:
    """How far a run is, as its progress is told."""

    people: int = 0
    failures: int = 0
    missing: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    in_flight: int = 0
    retried: int = 0


@dataclass
class Outcome:
    """What came of a run: people and failures on disk; why it stopped before the end, if it did."""

    people: int
    failures: int
    stopped: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


class Desk:
    """Where people are written: the writer, the judge, the worn phrasings of the run."""

    def __init__(self, engine: Engine, models: Open, worn: Worn) -> None:
        plan = engine.plan
        assert plan.writing is not None  # noqa: S101 - only written runs have a desk
        self.engine, self.models, self.worn, self.writing = engine, models, worn, plan.writing
        self.writer = Writer(plan, plan.writing, models.models["writer"], models.shapes["writer"])
        self.judge = Judge(models.models["judge"], models.shapes["judge"]) if plan.writing.judge else None

    async def write(self, draft: Draft) -> Record:
        """Propose, validate, revise; then the book. Raises Stopped."""
        slot = draft.person.slot
        try:
            worn = await self.worn.before(slot) if self.writing.counter else []
            script = await self.writer.write(draft, worn)
            script = await revise(script, self.writer, self.judge)
            if self.writing.book_words:
                await write_book(script, self.writer, self.engine.taxonomy.categories, self.writing.book_words)
        except BaseException as error:  # whatever ends this one ends the run: nobody is left waiting for it
            reason = str(error) if isinstance(error, Stopped) else f"{type(error).__name__} in another person"
            self.worn.stop(reason)
            self.models.stop(reason)
            raise
        record = script.record(self.models.models["writer"].name)
        self.worn.add(slot, text_of(record))
        return record


def text_of(record: Mapping[str, Any]) -> str:
    """What was written of a person and may be worn: the stories and the portrait."""
    return "\n".join([*(s["text"] for s in record["stories"]), record["narrative"]])


def run_written(
    engine: Engine, folder: RunFolder, roles: Mapping[str, Spec], traffic: Traffic, *, repair: bool = False,
    progress: Callable[[Tally], None] = lambda tally: None, draw: Callable[[Sequence[int]], list[Drawn]] | None = None,
) -> Outcome:  # fmt: skip
    """Make a plan with a model into a run folder already held, or go on with it."""
    plan = engine.plan
    done = folder.finished(plan, repair=repair)
    left = [number for number in range(part_count(plan)) if number not in done]
    journal = Journal(folder.path / "run.sqlite")
    gc.freeze()  # the taxonomy and the engine are here to stay: the collector need not walk them again and again
    try:
        return asyncio.run(
            _run(engine, folder, roles, traffic, journal, done, left, progress, draw or drawn_by(engine))
        )
    finally:
        journal.close()
        gc.unfreeze()


def read_all(
    folder: RunFolder, people: Sequence[Shallow], roles: Mapping[str, Spec], traffic: Traffic
) -> tuple[list[Shallow], list[Issue]]:  # fmt: skip
    """Read the free texts of shallow personas with the writer (kept in the journal like all it answers)."""
    journal = Journal(folder.path / "run.sqlite")

    async def read() -> list[tuple[Shallow, list[Issue]]]:
        async with opened(roles, journal, traffic, say("writing/system")) as models:
            model, shape = models.models["writer"], models.shapes["writer"]
            return await asyncio.gather(*(read_given(model, shape, shallow) for shallow in people))

    try:
        found = asyncio.run(read())
    finally:
        journal.close()
    return [shallow for shallow, _ in found], [issue for _, issues in found for issue in issues]


def drawn_by(engine: Engine) -> Callable[[Sequence[int]], list[Drawn]]:
    """Draw the people of parts with an engine, all of them in one go."""

    def draw(numbers: Sequence[int]) -> list[Drawn]:
        spans = [part_slots(engine.plan, number) for number in numbers]
        sheets, failures = engine.sheets([slot for span in spans for slot in span])
        out: list[Drawn] = []
        for number, span in zip(numbers, spans, strict=True):
            mine: list[Sheet | bytes] = [sheet for sheet in sheets if sheet.person.slot in span]
            out.append((number, len(span), mine, [f for f in failures if f.slot in span]))
        return out

    return draw


@contextmanager
def drawn_elsewhere(engine: Engine, folder: Path) -> Iterator[Callable[[Sequence[int]], list[Drawn]]]:
    """The same in a process of its own, so that drawing takes nothing from the one that asks and writes.

    People come over as bytes and are unpacked one by one when their turn comes: hundreds unpacked at once would hold up
    every answer that arrives meanwhile (by nearly half a second).
    """
    plan_json = engine.plan.model_dump_json()
    with helper() as pool:

        def draw(numbers: Sequence[int]) -> list[Drawn]:
            try:
                return pool.submit(_draw_task, plan_json, str(folder), list(numbers)).result()
            except BrokenProcessPool:
                raise StoreError(
                    "the process that draws was killed (out of memory?); nothing is lost: run the same command again"
                ) from None

        yield draw


@lru_cache(maxsize=1)
def _engine_of(plan_json: str, folder: str) -> Engine:
    return engine_of(Plan.model_validate_json(plan_json), shipped_facts(), read_taxonomy(folder))


def _draw_task(plan_json: str, folder: str, numbers: list[int]) -> list[Drawn]:
    drawn = drawn_by(_engine_of(plan_json, folder))(numbers)
    return [(number, size, [_packed(sheet) for sheet in mine], failures) for number, size, mine, failures in drawn]


def _packed(sheet: Sheet | bytes) -> bytes:
    """A person as bytes: the record, which is plain data and most of it, in the form that is quickest to unpack."""
    if isinstance(sheet, bytes):
        return sheet
    return pickle.dumps((marshal.dumps(sheet.record), replace(sheet, record={})))


def _sheet(drawn: Sheet | bytes) -> Sheet:
    """A person drawn here, or come over from our own process that draws (see ``drawn_elsewhere``)."""
    if isinstance(drawn, bytes):
        record, rest = pickle.loads(drawn)  # noqa: S301 - from our own child process, over its pipe
        found: Sheet = replace(rest, record=marshal.loads(record))  # noqa: S302 - the same
        return found
    return drawn


async def _run(
    engine: Engine, folder: RunFolder, roles: Mapping[str, Spec], traffic: Traffic, journal: Journal, done: set[int],
    left: Sequence[int], progress: Callable[[Tally], None], draw: Callable[[Sequence[int]], list[Drawn]],
) -> Outcome:  # fmt: skip
    plan = engine.plan
    tally = Tally(people=sum(len(part_slots(plan, k)) for k in done))
    progress(tally)
    stop, stopped_parts = "", []
    counts: Mapping[str, int] = {}
    if left:
        # The first people are drawn before the models are opened: from the first request on the server is kept busy.
        first = left[: max(_FIRST_CHUNK // part_size(plan), 1)]
        drawn = await asyncio.to_thread(draw, first)

        def draw_on(numbers: Sequence[int]) -> list[Drawn]:
            return drawn if numbers == first else draw(numbers)

        async with opened(roles, journal, traffic, say("writing/system")) as models:
            worn = Worn(plan.n, _written_before(plan, folder, done))
            desk = Desk(engine, models, worn)

            async def work(drawn: Sheet | bytes) -> Record:
                record = await desk.write(engine.draft(_sheet(drawn)))
                tally.people += 1
                tally.missing += len(record.get("missing", ()))
                _tell(tally, models, progress)
                return record

            def begun(part: Part[Sheet | bytes]) -> None:
                tally.failures += len(part.failures)
                for failure in part.failures:  # nobody is to wait for what they would have written
                    worn.add(failure.slot, "")

            def commit(part: Part[Sheet | bytes]) -> None:
                folder.commit(part.number, lines_of(part.in_order()), len(part.records), part.failures)

            def stop_all(reason: str) -> None:
                models.stop(reason)
                worn.stop(reason)

            with stopping_on_interrupt(stop_all):
                limit = models.steadies[0].gate.limit  # the writer's; a model of one's own may take fewer than allowed
                # An embedded model remembers as many conversations as it answers at once: another would push one out.
                window = limit if roles["writer"].kind == "local" else max(int(limit * _MORE_PEOPLE), limit + 2)
                stopped_parts = await over_people(
                    left, draw_on, work, commit, window=window, ahead=max(_CHUNK // part_size(plan), 1), first=len(first), begun=begun,
                )  # fmt: skip
            stop = next((s.stopping for s in models.steadies if s.stopping), "")
            counts = models.counts()
            journal.set_note("asked", dict(Counter(journal.note("asked") or {}) + Counter(counts)))
    for part in stopped_parts:
        if part.records:
            folder.keep_unfinished(part.number, lines_of(part.in_order()))
    people, failures = folder.finish()
    people += sum(len(part.records) for part in stopped_parts)
    return Outcome(people, failures, stop, counts)


def _tell(tally: Tally, models: Open, progress: Callable[[Tally], None]) -> None:
    usage = models.usage()
    tally.calls = sum(m.asked for m in dict.fromkeys(models.models.values()))
    tally.tokens_in, tally.tokens_cached, tally.tokens_out = usage.tokens_in, usage.cached, usage.tokens_out
    tally.cost, tally.in_flight = models.purse.spent, models.in_flight()
    tally.retried = models.counts().get("retried", 0)
    progress(tally)


def _written_before(plan: Plan, folder: RunFolder, done: set[int]) -> dict[int, str]:
    """Texts of the first people where their parts are whole: worn phrasings are made of them."""
    out: dict[int, str] = {}
    for number in sorted(done):
        span = part_slots(plan, number)
        if span.start >= MILESTONES[-1][0]:
            break
        out.update(dict.fromkeys(span, ""))
        for line, _ in part_lines(folder.part_file(number)):
            record = orjson.loads(line)
            out[record["provenance"]["slot"]] = text_of(record)
    return out


@dataclass(frozen=True)
class Estimate:
    """What a run will take, from a pilot: means a person, and the whole with a 95% interval (low, expected, high)."""

    pilot: int
    n: int
    calls: float
    tokens_in: float
    tokens_cached: float
    tokens_out: float
    filled: float
    cost: tuple[float, float, float] | None
    seconds: tuple[float, float, float]
    concurrency: int


_T95 = {1: 12.706, 2: 4.303}  # Student's t, two-sided, by degrees of freedom


async def _pilot(engine: Engine, roles: Mapping[str, Spec], traffic: Traffic, journal: Journal, n: int) -> Estimate:
    drafts, _ = engine.drafts(range(n))
    async with opened(roles, journal, traffic, say("writing/system")) as models:
        desk = Desk(engine, models, Worn(engine.plan.n))
        meters: list[list[Completion]] = []
        filled: list[int] = []

        async def one(draft: Draft) -> None:
            meter: list[Completion] = []
            METER.set(meter)
            record = await desk.write(draft)
            meters.append(meter)
            filled.append(len(record["traits"]))

        began = time.perf_counter()
        await asyncio.gather(*(asyncio.create_task(one(draft)) for draft in drafts))
        wall = time.perf_counter() - began
        writer = models.models["writer"].name
        price = models.purse.price(writer)
        costs = [sum(price.of(c.usage) for c in meter) for meter in meters] if price else []
        local = any(spec.kind == "local" for spec in roles.values())
        at_once = min(traffic.concurrency, len(drafts)) if local else traffic.concurrency
        times = [sum(c.seconds for c in meter) for meter in meters]
        if not any(times):
            times = [wall] * len(meters)
        n_all = engine.plan.n
        return Estimate(
            len(meters), n_all, mean(len(m) for m in meters), mean(sum(c.usage.tokens_in for c in m) for m in meters),
            mean(sum(c.usage.cached for c in m) for m in meters), mean(sum(c.usage.tokens_out for c in m) for m in meters),
            mean(filled), whole(costs, n_all, 1) if costs else None, whole(times, n_all, min(at_once, n_all)), at_once,
        )  # fmt: skip


def whole(of_one: Sequence[float], n: int, at_once: int) -> tuple[float, float, float]:
    """The sum over ``n`` people, expected and with its 95% interval, from a few of them."""
    middle = mean(of_one)
    k = len(of_one)
    spread = _T95.get(k - 1, 2.0) * stdev(of_one) * (1 / k + 1 / n) ** 0.5 if k > 1 else middle
    return tuple(round(max(x, 0.0) * n / at_once, 6) for x in (middle - spread, middle, middle + spread))  # type: ignore[return-value]


def estimate(engine: Engine, folder: RunFolder, roles: Mapping[str, Spec], traffic: Traffic, n: int = 3) -> Estimate:
    """Write the first few people of a run (they are kept and not paid for again) and say what the whole will take."""
    journal = Journal(folder.path / "run.sqlite")
    try:
        return asyncio.run(_pilot(engine, roles, traffic, journal, min(n, engine.plan.n)))
    finally:
        journal.close()
