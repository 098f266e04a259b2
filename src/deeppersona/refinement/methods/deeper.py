"""DEEPER (arXiv 2502.11078): predict, compare, refine from the discrepancy, in the direction that promises most.

Each direction forgets older answers at its own pace and learns tastes, from what the persona could not foretell, with its
own readiness; ``search`` chooses among them, and the guard keeps the persona where none is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from deeppersona.refinement.methods.describe import MOST
from deeppersona.refinement.preference import RIDGE, Preferences, Surprise, Taste, counted, surprises, tastes_from
from deeppersona.refinement.search import Choice, Experience, Search, taken
from deeppersona.refinement.step import Context, Structured

_MEMORY = 0.9  # of a discrepancy's weight, a window on


class Direction(NamedTuple):
    """``memory``: what is kept of the old answers' weight; ``tastes``: how much of the tastes learnt is believed, None: left as they are."""

    memory: float
    tastes: float | None


DIRECTIONS: Mapping[str, Direction] = {
    "steady": Direction(1.0, 1.0),
    "drift": Direction(0.8, 1.0),
    "turn": Direction(0.55, 1.0),
    "style": Direction(0.8, None),
    "sober": Direction(0.8, 0.5),
    "keen": Direction(0.8, 1.5),
}
FIRST = "drift"


class Deeper(Structured):
    """Refine by the discrepancy between what was foretold and what was done."""

    name = "deeper"

    def __init__(self, directions: Mapping[str, Direction] = DIRECTIONS) -> None:
        self.directions = directions
        self.search = Search(Experience(tuple(directions)), FIRST if FIRST in directions else next(iter(directions)))
        self._latest: dict[int, Choice] = {}
        self._settled = 0

    async def observe(self, context: Context) -> None:
        """Try the candidates of the round before on the window just answered."""
        if context.person in self._latest:
            self.search.experience.tried(self._latest[context.person], context.window, context.prior, context.scale)

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Begin a persona, or refine it."""
        if context.number != self._settled:
            self.search.experience.settle()
            self._settled = context.number
        if persona is None:
            counts = [a + b for a, b in zip(context.start(), counted(context.window, context.scale), strict=True)]
            return Preferences(tuple(counts), learnt(Preferences(tuple(counts)), context)).rounded()
        choice = self.search.choose(
            context.person, context.number, persona, self._refinements(persona, context), context.before[-1], context.window,
            context.prior, context.scale,
        )  # fmt: skip
        self._latest[context.person] = choice
        return taken(choice).persona

    def _refinements(self, persona: Preferences, context: Context) -> dict[str, Preferences]:
        new = counted(context.window, context.scale)
        styles: dict[float, tuple[float, ...]] = {}
        for memory in {d.memory for d in self.directions.values()}:
            styles[memory] = tuple(memory * a + b for a, b in zip(persona.counts, new, strict=True))
        tastes = learnt(Preferences(styles.get(0.8, next(iter(styles.values())))), context)
        out = {}
        for name, (memory, belief) in self.directions.items():
            held = persona.tastes if belief is None else {f: Taste(t.shift * belief, t.n) for f, t in tastes.items()}
            out[name] = Preferences(styles[memory], held).rounded()
        return out


def learnt(style: Preferences, context: Context) -> dict[str, Taste]:
    """Tastes from all that was not foretold so far, the older the less: discrepancies against style and item prior."""
    found: list[Surprise] = []
    for age, window in enumerate(reversed(context.seen)):
        found += surprises(style, window, context.prior, context.scale, weight=_MEMORY**age)
    return tastes_from(found, RIDGE, MOST)


method = Deeper
