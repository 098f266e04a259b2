"""The port of refinement: a step answers a window from the persona as it is, then makes a better persona of what was done.

Both calls are coroutines, so that a form in which a model writes and reads the persona can stand beside the structured one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from deeppersona.refinement.behaviour import Answer, Event, Scale, Window
from deeppersona.refinement.past import Prior
from deeppersona.refinement.preference import START, Preferences, answers

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may know of one person in round ``number``.

    ``prior`` and ``spread`` (shares of all answers, one a level) rest on everybody's windows before this one; ``before``
    holds the person's own. ``window`` is the one just answered, empty while it is only asked.
    """

    person: int
    number: int
    scale: Scale
    prior: Prior
    spread: Sequence[float]
    before: Sequence[Window]
    window: Window = ()

    @property
    def seen(self) -> tuple[Window, ...]:
        """The person's windows up to and with this one."""
        return (*self.before, self.window)

    def start(self) -> list[float]:
        """What a new persona's style begins with: the population's spread, for a few answers."""
        return [START * share for share in self.spread]


class Step(Protocol[P]):
    """A way of keeping a persona up to date. ``name`` stands in reports and on the command line."""

    name: str

    async def predict(self, persona: P, asked: Sequence[Event], context: Context) -> list[Answer]:
        """Answer the events of a window, whose values are hidden."""

    async def observe(self, context: Context) -> None:
        """Look at what a person did in the window just answered, before anybody's persona is refined."""

    async def __call__(self, persona: P | None, context: Context) -> P:
        """Return the refined persona; ``persona`` is None at the first window."""

    def reflects(self, persona: P, context: Context) -> bool:
        """Whether the refined persona is asked the window it has just seen, too: with a model that may be a call more."""


class Structured:
    """What every step over ``Preferences`` has in common: the answer is the median of the predictive distribution."""

    name = ""

    async def predict(self, persona: Preferences, asked: Sequence[Event], context: Context) -> list[Answer]:
        """Answer the events of a window."""
        return answers(persona, asked, context.prior, context.scale)

    async def observe(self, context: Context) -> None:
        """Nothing is learnt from others."""

    def reflects(self, persona: Preferences, context: Context) -> bool:
        """It costs nothing."""
        return True
