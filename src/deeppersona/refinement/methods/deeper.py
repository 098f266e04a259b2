"""DEEPER (arXiv 2502.11078): predict, compare, refine from the discrepancy, in the direction that promises most.

A direction is a pace of forgetting and a readiness to believe in tastes. Each is followed for each person all along, as a
branch of its own, so that what is compared is where a direction leads and not one step of it; ``search`` says which branch
the persona is taken from, and the guard leaves it as it is where none is better. Tastes are learnt from what style and item
prior could not foretell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deeppersona.refinement.methods.describe import MOST
from deeppersona.refinement.preference import (
    RIDGE,
    Preferences,
    Surprise,
    Taste,
    counted,
    surprises,
    tastes_from,
)
from deeppersona.refinement.search import Choice, Experience, Search
from deeppersona.refinement.step import Context, Structured

_MEMORY = 0.9  # of a discrepancy's weight, a window on


class Direction(NamedTuple):
    """``memory``: the parts of old answers' weight that are kept, several of them blended; ``tastes``: whether they are believed."""

    memory: tuple[float, ...]
    tastes: bool


DIRECTIONS: Mapping[str, Direction] = {  # the first is taken while nothing is known
    "blend": Direction((1.0, 0.75, 0.5), True),
    "steady": Direction((1.0,), True),
    "turn": Direction((0.5,), True),
    "plain": Direction((1.0, 0.75, 0.5), False),
}


class Deeper(Structured):
    """Refine by the discrepancy between what was foretold and what was done."""

    name = "deeper"

    def __init__(self, directions: Mapping[str, Direction] = DIRECTIONS) -> None:
        self.directions = directions
        self.search = Search(Experience(tuple(directions)))
        self._branches: dict[int, dict[float, tuple[float, ...]]] = {}
        self._latest: dict[int, Choice] = {}
        self._settled = 0

    def latest(self, person: int) -> str:
        """The direction taken last for a person; ``begun`` before there was one."""
        return self._latest[person].taken if person in self._latest else "begun"

    async def observe(self, context: Context) -> None:
        """Try the candidates of the round before on the window just answered."""
        if context.person in self._latest:
            self.search.experience.tried(self._latest[context.person], context.window, context.prior, context.scale)

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Begin a persona, or refine it."""
        if context.number != self._settled:
            self.search.experience.settle()
            self._settled = context.number
        refinements = self._refinements(context)
        if persona is None:
            return next(iter(refinements.values()))
        choice = self.search.choose(
            context.person, context.number, persona, refinements, context.before[-1], context.window, context.prior, context.scale
        )  # fmt: skip
        self._latest[context.person] = choice
        return choice.of(choice.taken).persona

    def _refinements(self, context: Context) -> dict[str, Preferences]:
        """Each branch one window on. What is forgotten of a person's answers goes back to what is known of everybody's."""
        paces = dict.fromkeys(memory for d in self.directions.values() for memory in d.memory)
        old = self._branches.get(context.person)
        new, start = counted(context.window, context.scale), context.start()
        styles: dict[float, tuple[float, ...]] = {}
        for memory in paces:
            before = old[memory] if old else tuple(start)
            kept = zip(before, new, start, strict=True)
            styles[memory] = tuple(memory * a + b + (1.0 - memory) * s for a, b, s in kept)
        self._branches[context.person] = styles
        blends = {d.memory: _blended([styles[m] for m in d.memory]) for d in self.directions.values()}
        tastes = learnt(Preferences(next(iter(blends.values()))), context)
        return {
            name: Preferences(blends[memory], tastes if believed else {}).rounded()
            for name, (memory, believed) in self.directions.items()
        }


def _blended(styles: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """The mean of the shares of several styles, over the mean of their answers."""
    totals = [sum(style) or 1.0 for style in styles]
    n = sum(totals) / len(totals)
    return tuple(
        n * sum(c / t for c, t in zip(column, totals, strict=True)) / len(styles)
        for column in zip(*styles, strict=True)
    )


def learnt(style: Preferences, context: Context) -> dict[str, Taste]:
    """Tastes from all that was not foretold so far, the older the less: discrepancies against style and item prior."""
    found: list[Surprise] = []
    for age, window in enumerate(reversed(context.seen)):
        found += surprises(style, window, context.prior, context.scale, weight=_MEMORY**age)
    return tastes_from(found, RIDGE, MOST)


method = Deeper
