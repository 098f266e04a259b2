"""Frozen: the persona of the first window, never changed. What refinement is worth is measured against it."""

from __future__ import annotations

from deeppersona.refinement.methods.describe import described
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.written import Written


class Frozen(Structured):
    """Keep the first persona."""

    name = "frozen"

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe the first window; afterwards return what came in."""
        return described(context.seen, context) if persona is None else persona


class WrittenFrozen(Written):
    """Keep the first text."""

    name = "frozen"

    async def __call__(self, persona: str | None, context: Context) -> str:
        """Have the first window described; afterwards return what came in."""
        return await self.described(context.seen, context, None) if persona is None else persona


method, written = Frozen, WrittenFrozen
