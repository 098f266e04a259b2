"""The rounds of refinement: everybody is asked a window, it is answered, compared, and only then may a persona learn from it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Answer, Behaviour, Scale, Window
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
    return asyncio.run(walk(behaviour, steps, scale=scale, use_items=use_items, seen=seen, at_once=at_once))


async def walk(
    behaviour: Behaviour, steps: Sequence[Step[P]], *, scale: Scale | None = None, use_items: bool = True, seen: Seen[P] | None = None,
    at_once: int = 1, passed: Callable[[], None] | None = None,
) -> Rounds[P]:  # fmt: skip
    """``go`` inside a loop that runs already, as where a model is open; ``passed`` is told of each window a person has passed."""
    scale = scale or behaviour.first_scale()
    n, rounds = len(behaviour.streams), behaviour.rounds
    if not n:
        raise UsageError("there is nobody to refine")
    past, yard = Past(scale, n, use_items), Yardsticks(n)
    runs = [_Run(step, n, rounds, at_once, passed) for step in steps]
    marks = {name: Outcome[None](name, _blank(n, rounds), _blank(n, rounds)) for name in YARDSTICKS}
    trust = []
    for t in range(rounds):
        windows = [s.windows[t] if t < len(s.windows) else () for s in behaviour.streams]
        there = [p for p in range(n) if t < len(behaviour.streams[p].windows)]
        prior, spread = past.prior(), past.spread if t else _spread_of(windows, scale)
        asked = [_Asked(Context(p, t, scale, prior, spread, tuple(past.windows[p])), windows[p]) for p in there]
        trust.append(prior.trust)
        if t:
            for run in runs:
                await run.ask(asked)
            for a in asked:
                for name, given in yard.answers(a.context.person, a.events).items():
                    marks[name].future[a.context.person, t] = _mean(given, a.window)
        for k, run in enumerate(runs):
            await run.learn(asked, seen if not k else None)
        past.take(windows)
        yard.take(windows)
    return Rounds({run.step.name: run.outcome() for run in runs}, marks, scale, trust)


class _Asked:
    """One person's window in a round: as it is asked, and what was answered."""

    def __init__(self, context: Context, window: Window) -> None:
        self.context, self.window = context, window
        self.events = [e.asked() for e in window]
        self.answered = replace(context, window=window)


class _Run(Generic[P]):
    """One step's way through the rounds."""

    def __init__(
        self, step: Step[P], people: int, rounds: int, at_once: int, passed: Callable[[], None] | None = None
    ) -> None:
        self.step, self._at_once, self._passed = step, at_once, passed
        self.personas: list[P | None] = [None] * people
        self.future, self.current = _blank(people, rounds), _blank(people, rounds)

    async def ask(self, asked: Sequence[_Asked]) -> None:
        """Have all windows of a round answered; the step is given no values."""
        await self._each(self._ask, asked)

    async def learn(self, asked: Sequence[_Asked], seen: Seen[P] | None) -> None:
        """Show the step what was done: first to look at, everybody's; then to refine each persona."""
        await self._each(lambda a: self.step.observe(a.answered), asked)
        await self._each(lambda a: self._refine(a, seen), asked)

    async def _each(self, work: Callable[[_Asked], Coroutine[Any, Any, None]], asked: Sequence[_Asked]) -> None:
        for k in range(0, len(asked), self._at_once):
            if self._at_once == 1:
                await work(asked[k])
                continue
            # A stop ends one of them first; what the others have on its way is paid for, and is waited for.
            ended = await asyncio.gather(*(work(a) for a in asked[k : k + self._at_once]), return_exceptions=True)
            for failure in ended:
                if failure is not None:
                    raise failure

    async def _ask(self, a: _Asked) -> None:
        persona = self.personas[a.context.person]
        if persona is not None and a.events:
            given = await self.step.predict(persona, a.events, a.context)
            self.future[a.context.person, a.context.number] = _mean(given, a.window)

    async def _refine(self, a: _Asked, seen: Seen[P] | None) -> None:
        person = a.context.person
        before = self.personas[person]
        after = self.personas[person] = await self.step(before, a.answered)
        if a.events and self.step.reflects(after, a.answered):
            self.current[person, a.context.number] = _mean(
                await self.step.predict(after, a.events, a.context), a.window
            )
        if seen is not None:
            seen(person, a.answered, before, after)
        if self._passed is not None:
            self._passed()

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
