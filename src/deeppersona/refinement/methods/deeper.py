"""DEEPER (arXiv 2502.11078): predict, compare, refine from the discrepancy, in the direction that promises most.

A direction is a pace of forgetting and a readiness to believe in tastes. Each is followed for each person all along, as a
branch of its own, so that what is compared is where a direction leads and not one step of it; ``search`` says which branch
the persona is taken from, and the guard leaves it as it is where none is better. Tastes are learnt from what style and item
prior could not foretell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deeppersona.refinement.behaviour import Scale, Window
from deeppersona.refinement.methods.describe import MOST
from deeppersona.refinement.methods.written_deeper import WrittenDeeper
from deeppersona.refinement.preference import (
    RIDGE,
    Preferences,
    Surprise,
    Taste,
    counted,
    mean_error,
    surprises,
    tastes_from,
)
from deeppersona.refinement.search import KEEP, Choice, Goals, Searching, pairs
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.words import in_words

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


class Deeper(Structured, Searching[Preferences]):
    """Refine by the discrepancy between what was foretold and what was done."""

    name = "deeper"

    def __init__(self, directions: Mapping[str, Direction] = DIRECTIONS) -> None:
        super().__init__(tuple(directions))
        self.directions = directions
        self._branches: dict[int, dict[float, tuple[float, ...]]] = {}

    async def observe(self, context: Context) -> None:
        """Try the candidates of the round before on the window just answered."""
        choice = self.chosen.get(context.person)
        if choice is not None and context.window:
            off = {c.direction: _off(c.persona, context.window, context) for c in choice.candidates}
            self.search.experience.tried(choice, {direction: off[KEEP] - error for direction, error in off.items()})

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Begin a persona, or refine it."""
        self.settle(context.number)
        refinements = self._refinements(context)
        if persona is None:
            return next(iter(refinements.values()))
        before, now = (_off(persona, window, context) for window in (context.before[-1], context.window))
        scored = {
            name: (p, Goals(before - _off(p, context.before[-1], context), now - _off(p, context.window, context)))
            for name, p in refinements.items()
        }
        choice = self.search.choose(context.person, context.number, persona, scored, context.window)
        self.chosen[context.person] = choice
        return choice.of(choice.taken).persona

    def pairs(self, scale: Scale, domain: str) -> Iterator[dict[str, Any]]:
        """Pairs whose personas are said in five-level words."""

        def say(persona: Preferences) -> str:
            return in_words(persona, scale)

        def prompt(choice: Choice[Preferences]) -> str:
            done = "\n".join(
                f"- {' '.join(e.item.split())}: {f'{e.value:g}' if isinstance(e.value, float) else e.value}"
                for e in choice.window
            )
            return (
                f"The persona of one person ({domain.replace('_', ' ')}, answers {scale.levels[0]:g} to {scale.levels[-1]:g}):\n"
                f"{say(choice.replaced)}\n\nWhat the person did next:\n{done}\n\n"
                "Refine the persona so that it predicts what the person does after that."
            )

        return pairs(self.search.record, say, prompt)

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


def _off(persona: Preferences, window: Window, context: Context) -> float:
    """The mean error of a persona on a window; none where the window is empty."""
    return mean_error(persona, window, context.prior, context.scale) if window else 0.0


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


method, written = Deeper, WrittenDeeper
