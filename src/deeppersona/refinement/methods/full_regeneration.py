"""Full regeneration: the persona is thrown away and described anew from all windows so far."""

from __future__ import annotations

from deeppersona.refinement.methods.describe import described
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.written import Written


class FullRegeneration(Structured):
    """Describe everything anew."""

    name = "full-regeneration"

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe all windows so far, each counting the same."""
        return described(context.seen, context)


class WrittenFullRegeneration(Written):
    """Have everything described anew."""

    name = "full-regeneration"

    async def __call__(self, persona: str | None, context: Context) -> str:
        """Have all windows so far described."""
        return await self.described(context.seen, context, persona)


method, written = FullRegeneration, WrittenFullRegeneration
