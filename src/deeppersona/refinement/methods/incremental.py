"""Incremental update: what the new window shows is added to the persona there is, half and half.

A written persona does not say how many answers it rests on, so that the old and the new weigh the same at each round; the
structured form keeps to that.
"""

from __future__ import annotations

from deeppersona.refinement.methods.describe import MOST, described
from deeppersona.refinement.preference import DIGITS, Preferences, Taste
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.written import Written


class Incremental(Structured):
    """Add the new window to the old persona."""

    name = "incremental"

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe the new window and put it to the persona, half and half."""
        if persona is None:
            return described((context.window,), context)
        return mixed(persona, described((context.window,), context)) if context.window else persona


def mixed(old: Preferences, new: Preferences) -> Preferences:
    """Half of each: shares of answers and shifts of tastes are averaged, the numbers of answers added."""
    n = old.n + new.n
    shares = [(a / old.n + b / new.n) / 2.0 for a, b in zip(old.counts, new.counts, strict=True)]
    none = Taste(0.0, 0.0)
    tastes = {}
    for f in dict.fromkeys((*old.tastes, *new.tastes)):
        a, b = old.tastes.get(f, none), new.tastes.get(f, none)
        tastes[f] = Taste(round((a.shift + b.shift) / 2.0, DIGITS), round(a.n + b.n, DIGITS))
    strongest = sorted(tastes, key=lambda f: (-abs(tastes[f].shift), f))[:MOST]
    return Preferences(tuple(n * s for s in shares), {f: tastes[f] for f in strongest}).rounded()


class WrittenIncremental(Written):
    """Have what the new window shows added to the text."""

    name = "incremental"

    async def __call__(self, persona: str | None, context: Context) -> str:
        """Have the first window described, and each later one added to what there is."""
        if persona is None:
            return await self.described((context.window,), context, None)
        if not context.window:
            return persona
        words = await self.writer.updated(persona, context.window)
        return self.writer.persona(words, context.seen, context) or persona


method, written = Incremental, WrittenIncremental
