"""A run in the written form: models opened, everything paid for kept in the run's journal, the structured form beside it.

Killed at any moment, the same command goes on: what was answered is read from the journal, so that nothing is paid for twice
and the bytes are those of a run that was left alone. What it cost is written apart (``usage.json``): times differ.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson

from deeppersona.errors import UsageError
from deeppersona.models.journal import METER, Journal
from deeppersona.models.port import Completion, Usage
from deeppersona.models.spec import Open, Spec, Traffic, opened, price_of, stopping_on_interrupt
from deeppersona.prompts import fingerprint, say
from deeppersona.refinement.behaviour import Behaviour
from deeppersona.refinement.figures import ALL_KNOWN, STRUCTURED
from deeppersona.refinement.folder import Wanted
from deeppersona.refinement.methods import structured, written
from deeppersona.refinement.methods.written_deeper import DIRECTIONS
from deeppersona.refinement.rounds import Outcome, Rounds, go, walk
from deeppersona.refinement.run import Log, Ready, Refined, begin, end
from deeppersona.refinement.step import Step
from deeppersona.refinement.written import Writer, Written
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.persona import Persona

LEDGER, USAGE = "run.sqlite", "usage.json"
PILOT = 2
Told = Callable[[int, int, Open], None]  # windows passed, windows in all, the models
T = TypeVar("T")


@dataclass(frozen=True)
class Estimate:
    """What a run will take, from a pilot of a few people; calls, tokens and seconds of the model are a person's means.

    ``cost`` is in dollars for all, None where no price is known.
    """

    people: int
    pilot: int
    calls: float
    tokens_in: float
    tokens_cached: float
    tokens_out: float
    seconds: float
    cost: float | None


def refine_written(
    wanted: Wanted, out: Path, roles: Mapping[str, Spec], traffic: Traffic, people: Sequence[Persona] | None = None,
    export_pairs: Path | None = None, told: Told | None = None,
) -> Refined:  # fmt: skip
    """Refine personas that a model writes into ``out``; see ``run.refine``.

    Args:
        wanted: what is asked; its model, prompts and form are set here.
        out: the run folder, with the journal of what was paid for.
        roles: the models; the ``writer`` is asked.
        traffic: how many at once, within what money and time.
        people: personas that the texts are put to, or None.
        export_pairs: where preference pairs for DPO are written.
        told: told of each window that somebody has passed.

    Raises:
        UsageError: as ``run.refine``; too many directions; no price for a budget.
        Stopped: the budget is spent, Ctrl-C, or the server is gone. The same command goes on.

    """
    wanted = as_written(wanted, roles)
    ready = begin(wanted, out, people, export_pairs)
    steps: list[Step[str]] = []
    log: list[Log] = []
    names = tuple(dict.fromkeys((wanted.method, *wanted.compare)))
    thorough = export_pairs is not None

    async def rounds(models: Open) -> Rounds[str]:
        steps.extend(_step(name, models, ready, wanted, thorough) for name in names)
        log.append(Log(ready, steps[0]))
        passed = _passed(models, ready.behaviour, len(steps), told)
        return await walk(
            ready.behaviour, steps, scale=ready.scale, use_items=False, seen=log[0].seen,
            at_once=len(ready.behaviour.streams), passed=passed,
        )  # fmt: skip

    try:
        found = asyncio.run(_with_models(out, roles, traffic, rounds))
    finally:
        paid = _write_usage(out)
    found.yardsticks |= beside(ready, wanted)
    made = end(wanted, out, ready, found, steps[0], log[0], export_pairs, {"written": _told_of(steps)})
    return replace(made, paid=paid)


def as_written(wanted: Wanted, roles: Mapping[str, Spec]) -> Wanted:
    """What is asked, with the form, the model and the fingerprint of the prompts in it, so that the plan holds them."""
    if "writer" not in roles:
        raise UsageError("--form written needs a model that writes: --model SPEC")
    if not 1 <= wanted.directions <= len(DIRECTIONS):
        raise UsageError(f"--directions {wanted.directions}: there are {len(DIRECTIONS)} ({', '.join(DIRECTIONS)})")
    return replace(wanted, form="written", model=roles["writer"].name, prompts=fingerprint("refinement"))


def estimate(
    wanted: Wanted, out: Path, roles: Mapping[str, Spec], traffic: Traffic, people: Sequence[Persona] | None = None
) -> Estimate:
    """Refine a few people as a pilot, kept in the journal, and say what all will take."""
    wanted = as_written(wanted, roles)
    ready = begin(wanted, out, people)
    few = replace(ready.behaviour, streams=ready.behaviour.streams[:PILOT])
    names = tuple(dict.fromkeys((wanted.method, *wanted.compare)))
    seen: list[Completion] = []

    async def rounds(models: Open) -> None:
        METER.set(seen)
        steps = [_step(name, models, ready, wanted, False) for name in names]
        await walk(few, steps, scale=ready.scale, use_items=False, at_once=len(few.streams))

    try:
        asyncio.run(_with_models(out, roles, traffic, rounds))
    finally:
        _write_usage(out)
    n, each = len(ready.behaviour.streams), len(few.streams)
    use = Usage(*(sum(getattr(c.usage, key) for c in seen) for key in ("tokens_in", "cached", "tokens_out")))
    price = price_of(roles["writer"], traffic)
    return Estimate(
        n, each, len(seen) / each, use.tokens_in / each, use.cached / each, use.tokens_out / each,
        sum(c.seconds for c in seen) / each, None if price is None else price.of(use) / each * n,
    )  # fmt: skip


async def _with_models(
    out: Path, roles: Mapping[str, Spec], traffic: Traffic, work: Callable[[Open], Coroutine[Any, Any, T]]
) -> T:
    """Open the writer with the run's journal, and do the work; Ctrl-C lets what is on its way come in."""
    journal = Journal(out / LEDGER)
    try:
        writer = {"writer": roles["writer"]}
        async with opened(writer, journal, traffic, say("refinement/system")) as models:
            with stopping_on_interrupt(models.stop):
                return await work(models)
    finally:
        journal.close()


def _step(name: str, models: Open, ready: Ready, wanted: Wanted, thorough: bool) -> Step[str]:
    ratings = not any(e.kind == "choice" for s in ready.behaviour.streams for w in s.windows[:1] for e in w)
    writer = Writer(
        models.models["writer"], models.shapes["writer"], ready.behaviour.domain, ready.scale, wanted.persona_words, ratings
    )  # fmt: skip
    options = {"directions": wanted.directions, "thorough": thorough} if name == "deeper" else {}
    return written(name, writer, **options)


def _passed(models: Open, behaviour: Behaviour, steps: int, told: Told | None) -> Callable[[], None] | None:
    if told is None:
        return None
    total, done = steps * sum(len(s.windows) for s in behaviour.streams), [0]

    def passed() -> None:
        done[0] += 1
        told(done[0], total, models)

    return passed


def beside(ready: Ready, wanted: Wanted) -> dict[str, Outcome[None]]:
    """The structured form of the same method on the same people: knowing them alone, and knowing everybody in the file."""
    alone = go(ready.behaviour, [structured(wanted.method)], scale=ready.scale, use_items=wanted.use_items)
    mine = alone.outcomes[wanted.method]
    out = {STRUCTURED: Outcome[None](STRUCTURED, mine.future, mine.current)}
    if len(ready.places) < len(ready.everybody.streams):
        every = go(ready.everybody, [structured(wanted.method)], scale=ready.scale, use_items=wanted.use_items)
        rows, width = list(ready.places), ready.behaviour.rounds
        theirs = every.outcomes[wanted.method]
        out[ALL_KNOWN] = Outcome[None](ALL_KNOWN, theirs.future[rows, :width], theirs.current[rows, :width])
    return out


def _told_of(steps: Sequence[Step[str]]) -> dict[str, Any]:
    """What failed, by method: predictions that were the person's median instead, and why calls gave nothing."""
    out: dict[str, Any] = {}
    for step in steps:
        if isinstance(step, Written):
            failed = dict(sorted(step.writer.failed.items()))
            out[step.name] = {"median instead": step.writer.fallbacks, "failed": failed}
    return out


def _write_usage(out: Path) -> dict[str, Any]:
    """What the run has cost so far, in a file beside it: calls and tokens by stage, seconds of the model."""
    paid = RunFolder(out).usage()
    with closing(sqlite3.connect(out / LEDGER)) as db:
        (seconds,) = db.execute("select total(json_extract(usage, '$.seconds')) from completion").fetchone()
    paid["seconds of the model"] = round(seconds, 1)
    write_whole(out / USAGE, orjson.dumps(paid, option=orjson.OPT_INDENT_2) + b"\n")
    return paid
