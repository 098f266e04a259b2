"""Narratives by a model: a population that is made, sifted and weighed is told anew, person by person, from the records alone.

Nothing drawn changes; only the narrative does, and the prompt for role-play that quotes it. What the model writes is held to
predicates (``brief.py``); it is *given* the issues and writes the text anew, and the last round is looked at too. Where it never
comes right the grammar's text stays, and the record says why. A record shows by itself whether it was told (``provenance.model``)
or kept (``missing``), and every answer stands in the run's journal before a part is touched: killed at any moment, the same command
asks for nothing twice and comes to the same bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Any

from deeppersona.errors import Stopped, StoreError, UsageError
from deeppersona.models.ask import ask_text
from deeppersona.models.journal import METER, Journal
from deeppersona.models.port import Completion, Message, Prompt
from deeppersona.models.spec import Open, Spec, Traffic, opened, stopping_on_interrupt
from deeppersona.population.brief import TEXT, Brief, Record, brief_of, retold
from deeppersona.population.maker import filled, maker_of
from deeppersona.population.revise import Judge, one_line
from deeppersona.population.sift import part_records
from deeppersona.population.written import Estimate, whole
from deeppersona.prompts import fingerprint, say
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.pipeline import Part, over_people
from deeppersona.runtime.store import RunFolder, lines_of, part_count
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure
from deeppersona.schema.taxonomy import Taxonomy

NARRATOR = "narrator.json"
STAGE = "telling"
ROUNDS = 2  # of writing anew
TEMPERATURE = 0.8
_TRIES = 2  # at an answer that is language
_MORE_PEOPLE = 1.35  # people in work for each request allowed at once
_PLAIN = str.maketrans("‘’", "''")
Drawn = tuple[int, int, list[Record], list[Failure]]


@dataclass(frozen=True)
class Narrator:
    """Who tells people: models by role (``writer``, perhaps ``judge``), and how they are asked."""

    roles: Mapping[str, Spec]
    traffic: Traffic = field(default_factory=Traffic)

    def __post_init__(self) -> None:
        """UsageError where nobody writes, or somebody is named who has nothing to do."""
        if "writer" not in self.roles:
            raise UsageError("no model tells them: name one with --model SPEC, besides the judge")
        if "actor" in self.roles:
            raise UsageError("nobody acts while people are told; leave actor= away, or name a judge with judge=SPEC")

    @property
    def told(self) -> dict[str, Any]:
        """All that changes the texts: what a folder is held to once the first part is told."""
        judge = self.roles.get("judge")
        return {
            "writer": self.roles["writer"].name, "judge": judge.name if judge else None,
            "prompts": fingerprint("population", *(["writing"] if judge else [])), "temperature": TEMPERATURE,
        }  # fmt: skip


@dataclass
class Telling:
    """How far a population is told: people by the model, and kept from the grammar by reason; why it stopped, if it did."""

    people: int = 0
    told: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    stopped: str = ""

    def count(self, records: Iterable[Record]) -> None:
        """Count some people in."""
        for record in records:
            self.people += 1
            reason = kept_because(record)
            if reason is not None:
                self.kept[reason.partition(":")[0]] += 1
            elif record["provenance"]["model"] is not None:
                self.told += 1

    def described(self, narrator: Narrator) -> dict[str, Any]:
        """As the report has it."""
        kept = sum(self.kept.values())
        return {
            "writer": narrator.told["writer"], "judge": narrator.told["judge"], "people": self.people, "told": self.told,
            "kept": kept, "left": self.people - self.told - kept, "kept because": dict(sorted(self.kept.items())),
        }  # fmt: skip


def kept_because(record: Mapping[str, Any]) -> str | None:
    """Why a person is told by the grammar although a model was asked; None where it was not, or came right."""
    return next((hole["reason"] for hole in record.get("missing", ()) if hole["path"] == TEXT), None)


def done(record: Mapping[str, Any]) -> bool:
    """Whether a person has been told, or is settled to keep the grammar's text."""
    return record["provenance"]["model"] is not None or kept_because(record) is not None


def hold_to(folder: RunFolder, narrator: Narrator | None) -> None:
    """Refuse a folder that is being told by another model, or with other prompts, than the one asked for.

    UsageError with the fix; StoreError where its ``narrator.json`` cannot be read.
    """
    file = folder.path / NARRATOR
    if not file.exists():
        return
    try:
        there = dict(json.loads(file.read_bytes()))
        writer = str(there["writer"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{file} cannot be read; restore it or choose another --out") from None
    elsewhere = "or choose another --out: the same people are made there at no cost"
    if narrator is None:
        raise UsageError(
            f"the people in {folder.path} are told by {writer}; add --model to deeppersona population to go on with it, {elsewhere}"
        )
    asked = narrator.told
    if there == asked:
        return
    differ = "; ".join(
        f"{key}: {there.get(key)} there, {asked[key]} asked" for key in asked if there.get(key) != asked[key]
    )
    raise UsageError(f"the people in {folder.path} are told otherwise ({differ}): ask for the same, {elsewhere}")


class Desk:
    """Where people are told: the writer, the judge, what is known of the population."""

    def __init__(self, plan: Plan, taxonomy: Taxonomy, models: Open) -> None:
        self.plan, self.taxonomy, self.models = plan, taxonomy, models
        self.model = models.models["writer"]
        self.judge = Judge(models.models["judge"], models.shapes["judge"]) if "judge" in models.models else None
        self.system = Message("system", say("population/system"))

    async def tell(self, record: Record) -> Record:
        """One person told anew, or kept with the reason. Raises Stopped."""
        brief = brief_of(record, self.taxonomy, self._seed(record, "opening"))
        first = Prompt(
            (self.system, Message("user", brief.question)), STAGE, 2 * brief.words[1] + 60, TEMPERATURE, self._seed(record, "text")
        )  # fmt: skip
        text, reason = await self._asked(first)
        issues: dict[str, str] = {}
        for attempt in range(ROUNDS + 1):
            if not text:
                break
            before, issues = issues, brief.issues(text)
            if not issues and attempt < ROUNDS:
                issues = await self._judged(brief, text, self._seed(record, f"judge {attempt}"))
            if not issues:
                return retold(record, text, self.model.name)
            if attempt < ROUNDS:
                again = self._again(first, brief, text, issues, afresh=issues.keys() == before.keys())
                text, reason = await self._asked(
                    replace(again, stage="revision", seed=self._seed(record, f"again {attempt}"))
                )
        why = (
            "; ".join(f"{rule}: {said}" for rule, said in issues.items())
            if text
            else f"no text, {reason.replace(':', ',')}"
        )
        return {**record, "missing": [*record.get("missing", ()), {"path": TEXT, "reason": why}]}

    @staticmethod
    def _again(first: Prompt, brief: Brief, text: str, issues: Mapping[str, str], *, afresh: bool) -> Prompt:
        """The text back with what is wrong; ``afresh``, since small models only copy it, the question with that and no text."""
        if afresh:
            question = say("population/afresh", question=brief.question, issues=list(issues.values()))
            return replace(first, messages=(first.messages[0], Message("user", question)))
        return first.then(
            text, say("population/again", issues=list(issues.values()), low=brief.words[0], high=brief.words[1])
        )

    async def _asked(self, prompt: Prompt) -> tuple[str, str]:
        """A text that is language, with the plain apostrophes that the records have; or nothing, and why."""
        text, reason = await ask_text(self.model, prompt, lambda text: "", tries=_TRIES)
        return text.translate(_PLAIN), reason

    async def _judged(self, brief: Brief, text: str, seed: int) -> dict[str, str]:
        """What the judge holds against a text; nothing where there is no judge, or no pair that may clash."""
        pairs = brief.pairs(text) if self.judge is not None else []
        if self.judge is None or not pairs:
            return {}
        found = await self.judge.clashes([(said, drawn) for _, said, drawn in pairs], seed)
        said = [
            f"«{one_line(pairs[k][1])}» cannot be true beside «{one_line(pairs[k][2])}» ({one_line(why)})"
            for k, why in sorted(found.items())
        ]
        return {"judge": "; ".join(said)} if said else {}

    def _seed(self, record: Record, stage: str) -> int:
        """By plan and person, never by order."""
        text = f"{self.plan.seed}/{record['id']}/{stage}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFFFFFF


def narrate(
    folder: RunFolder, plan: Plan, taxonomy: Taxonomy, narrator: Narrator, progress: Callable[[int], None] = lambda people: None
) -> Telling:  # fmt: skip
    """Tell the people of a run that is held for writing; whoever was told before is left as they are.

    ``progress`` is told how many more people are done. A budget that is spent, a server that is gone or Ctrl-C end it in
    ``stopped``: what was told by then stands in the parts.
    """
    telling, left = Telling(), []
    for number in range(part_count(plan)):
        records = part_records(folder, number)
        telling.count(records)
        progress(sum(map(done, records)))
        if not all(map(done, records)):
            left.append(number)
    if left:
        journal = Journal(folder.path / "run.sqlite")
        try:
            telling.stopped = asyncio.run(_Run(folder, plan, taxonomy, narrator, journal, progress).of(left))
        finally:
            journal.close()
        stopped = telling.stopped
        telling = Telling(stopped=stopped)
        for number in range(part_count(plan)):
            telling.count(part_records(folder, number))
    return telling


class _Run:
    """One go at telling the parts that are left."""

    def __init__(
        self, folder: RunFolder, plan: Plan, taxonomy: Taxonomy, narrator: Narrator, journal: Journal, progress: Callable[[int], None]
    ) -> None:  # fmt: skip
        self.folder, self.plan, self.taxonomy, self.narrator = folder, plan, taxonomy, narrator
        self.journal, self.progress = journal, progress
        self.held: dict[int, list[Record]] = {}  # the people of the parts in hand, as they stand on disk

    async def of(self, left: Sequence[int]) -> str:
        """Tell these parts; why it stopped, if it did."""
        roles, traffic = self.narrator.roles, self.narrator.traffic
        async with opened(roles, self.journal, traffic, say("population/system")) as models:
            desk = Desk(self.plan, self.taxonomy, models)

            async def work(record: Record) -> Record:
                if done(record):
                    return record
                try:
                    told = await desk.tell(record)
                except Stopped as stop:
                    models.stop(str(stop))
                    raise
                except BaseException as error:  # whatever ends this one ends the run
                    models.stop(f"{type(error).__name__} in another person")
                    raise
                self.progress(1)
                return told

            with stopping_on_interrupt(models.stop):
                limit = models.steadies[0].gate.limit
                # An embedded model remembers as many conversations as it answers at once: another would push one out.
                window = limit if roles["writer"].kind == "local" else max(int(limit * _MORE_PEOPLE), limit + 2)
                stopped = await over_people(left, self._draw, work, self._commit, window=window, ahead=1, first=1)
            for part in stopped:
                self._commit(part)
            return next((s.stopping for s in models.steadies if s.stopping), "") if stopped else ""

    def _draw(self, numbers: Sequence[int]) -> list[Drawn]:
        for number in numbers:
            self.held[number] = part_records(self.folder, number)
        return [(number, len(self.held[number]), self.held[number], []) for number in numbers]

    def _commit(self, part: Part[Record]) -> None:
        """Write a part with those who are told; the others as they were."""
        before = self.held.pop(part.number)
        now = [part.records.get(place, record) for place, record in enumerate(before)]
        if now == before:
            return
        write_whole(self.folder.path / NARRATOR, json.dumps(self.narrator.told, indent=2).encode() + b"\n")
        self.folder.forget(part.number)
        self.folder.commit(part.number, lines_of(now), len(now), [])


def estimate(folder: RunFolder, plan: Plan, taxonomy: Taxonomy, narrator: Narrator, pilot: int = 3) -> Estimate:
    """What telling a population will take, from its first few people: nobody else is made, and their answers are kept in the journal.

    UsageError where none of them can be made, or the folder is told by another model.
    """
    hold_to(folder, narrator)
    some = range(min(pilot, plan.n))
    made = filled(maker_of(plan, taxonomy), some, taxonomy)
    if not made.records:
        raise UsageError(f"nobody can be made of the first {len(some)} to try a model on: {made.failures[0].reason}")
    with folder.writing(plan):
        journal = Journal(folder.path / "run.sqlite")
        try:
            return asyncio.run(_pilot(plan, taxonomy, narrator, journal, made.records))
        finally:
            journal.close()


async def _pilot(
    plan: Plan, taxonomy: Taxonomy, narrator: Narrator, journal: Journal, pilot: Sequence[Record]
) -> Estimate:
    traffic = narrator.traffic
    async with opened(narrator.roles, journal, traffic, say("population/system")) as models:
        desk = Desk(plan, taxonomy, models)
        meters: list[list[Completion]] = []

        async def one(record: Record) -> None:
            meter: list[Completion] = []
            METER.set(meter)
            await desk.tell(record)
            meters.append(meter)

        began = time.perf_counter()
        await asyncio.gather(*(asyncio.create_task(one(record)) for record in pilot))
        wall = time.perf_counter() - began
        price = models.purse.price(desk.model.name)
        costs = [sum(price.of(c.usage) for c in meter) for meter in meters] if price else []
        local = any(spec.kind == "local" for spec in narrator.roles.values())
        at_once = min(traffic.concurrency, len(pilot)) if local else traffic.concurrency
        times = [sum(c.seconds for c in meter) for meter in meters]
        times = times if any(times) else [wall] * len(meters)
        return Estimate(
            len(meters), plan.n, mean(len(m) for m in meters), mean(sum(c.usage.tokens_in for c in m) for m in meters),
            mean(sum(c.usage.cached for c in m) for m in meters), mean(sum(c.usage.tokens_out for c in m) for m in meters),
            mean(len(r["traits"]) for r in pilot), whole(costs, plan.n, 1) if costs else None,
            whole(times, plan.n, min(at_once, plan.n)), at_once,
        )  # fmt: skip
