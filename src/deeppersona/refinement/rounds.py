"""The rounds of refinement: everybody is asked a window, it is answered, compared, and only then may a persona learn from it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Answer, Behaviour, Event, Scale, Window
from deeppersona.refinement.past import Past
from deeppersona.refinement.preference import error
from deeppersona.refinement.step import Context, Step
from deeppersona.refinement.yardsticks import YARDSTICKS, Yardsticks
from deeppersona.runtime.seed import Floats

P = TypeVar("P")
Seen = Callable[[int, Context, P | None, P], None]  # told of person, context, the persona before and after


@dataclass
class Outcome(Generic[P]):
    """What came of a step: mean absolute errors, shape (people, windows), not a number where there was nothing to answer.

    ``future`` is of windows answered before they were seen; the first window has none. ``current`` is of the refined persona on
    the window it was just refined with, which it has seen. ``personas`` are the last ones.
    """

    name: str
    future: Floats
    current: Floats
    personas: list[P] = field(default_factory=list)


@dataclass
class Rounds(Generic[P]):
    """All that came of the rounds: outcomes of steps and of yardsticks, by name, over the same people and windows."""

    outcomes: dict[str, Outcome[P]]
    yardsticks: dict[str, Outcome[None]]
    scale: Scale
    trust: list[float] = field(default_factory=list)

    @property
    def all(self) -> Mapping[str, Outcome[P] | Outcome[None]]:
        """Steps and yardsticks together."""
        return {**self.outcomes, **self.yardsticks}


def go(
    behaviour: Behaviour, steps: Sequence[Step[P]], *, scale: Scale | None = None, use_items: bool = True, seen: Seen[P] | None = None,
    at_once: int = 1,
) -> Rounds[P]:  # fmt: skip
    """Take everybody through all windows with each step.

    Args:
        behaviour: the streams; a person whose stream ends early is asked no more.
        steps: the ways of keeping a persona up to date, over the same people.
        scale: the answers there are; by default those of the first windows, which nobody has to foretell.
        use_items: whether what others made of an item is used (the item prior).
        seen: told of every persona of the first step as it is refined.
        at_once: people whose answers are awaited together, for steps that wait for a model.

    """
    return asyncio.run(_go(behaviour, steps, scale or behaviour.first_scale(), use_items, seen, at_once))


async def _go(
    behaviour: Behaviour, steps: Sequence[Step[P]], scale: Scale, use_items: bool, seen: Seen[P] | None, at_once: int
) -> Rounds[P]:  # fmt: skip
    n, rounds = len(behaviour.streams), behaviour.rounds
    if not n:
        raise UsageError("there is nobody to refine")
    past, yard = Past(scale, n, use_items), Yardsticks(n)
    runs = [_Run(step, n, rounds) for step in steps]
    marks = {name: Outcome[None](name, _blank(n, rounds), _blank(n, rounds)) for name in YARDSTICKS}
    trust = []
    for t in range(rounds):
        prior, spread = past.prior(), past.spread
        windows = [s.windows[t] if t < len(s.windows) else () for s in behaviour.streams]
        there = [p for p in range(n) if t < len(behaviour.streams[p].windows)]
        asked = {p: [e.asked() for e in windows[p]] for p in there}
        contexts = {p: Context(p, t, scale, prior, spread, tuple(past.windows[p])) for p in there}
        trust.append(prior.trust)
        if t:
            for run in runs:
                await _each(at_once, there, lambda p, run=run: run.ask(asked[p], contexts[p], windows[p]))
            for p in there:
                for name, given in yard.answers(p, asked[p]).items():
                    marks[name].future[p, t] = _mean(given, windows[p])
        elif any(e.kind != "choice" for w in windows for e in w):
            spread = _spread_of(windows, scale)
        contexts = {p: Context(p, t, scale, prior, spread, contexts[p].before, windows[p]) for p in there}
        for k, run in enumerate(runs):
            await _each(at_once, there, lambda p, run=run: run.step.observe(contexts[p]))
            await _each(at_once, there, lambda p, run=run, k=k: run.refine(contexts[p], asked[p], seen if not k else None))
        past.take(windows)
        yard.take(windows)
    return Rounds({run.step.name: run.outcome() for run in runs}, marks, scale, trust)


class _Run(Generic[P]):
    """One step's way through the rounds."""

    def __init__(self, step: Step[P], people: int, rounds: int) -> None:
        self.step = step
        self.personas: list[P | None] = [None] * people
        self.future, self.current = _blank(people, rounds), _blank(people, rounds)

    async def ask(self, asked: Sequence[Event], context: Context, window: Window) -> None:
        persona = self.personas[context.person]
        if persona is not None and asked:
            self.future[context.person, context.number] = _mean(await self.step.predict(persona, asked, context), window)

    async def refine(self, context: Context, asked: Sequence[Event], seen: Seen[P] | None) -> None:
        before = self.personas[context.person]
        after = await self.step(before, context)
        self.personas[context.person] = after
        if asked:
            self.current[context.person, context.number] = _mean(await self.step.predict(after, asked, context), context.window)
        if seen is not None:
            seen(context.person, context, before, after)

    def outcome(self) -> Outcome[P]:
        """What came of it."""
        return Outcome(self.step.name, self.future, self.current, [p for p in self.personas if p is not None])


def _blank(people: int, rounds: int) -> Floats:
    return np.full((people, rounds), math.nan)


def _mean(given: Sequence[Answer], window: Window) -> float:
    return sum(map(error, given, window)) / len(window) if window else math.nan


def _spread_of(windows: Sequence[Window], scale: Scale) -> list[float]:
    """How the first windows fall on the scale: what a new persona begins with, since nobody has to foretell them."""
    first = Past(scale, len(windows), use_items=False)
    first.take(windows)
    return first.spread


async def _each(at_once: int, people: Sequence[int], work):  # type: ignore[no-untyped-def]
    for k in range(0, len(people), at_once):
        if at_once == 1:
            await work(people[k])
        else:
            await asyncio.gather(*(work(p) for p in people[k : k + at_once]))
