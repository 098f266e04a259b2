"""Slide regeneration: the persona is thrown away and described anew from the last window alone."""

from __future__ import annotations

from deeppersona.refinement.methods.describe import described
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.written import Written


class SlideRegeneration(Structured):
    """Describe the last window."""

    name = "slide-regeneration"

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe the window just seen; one without answers leaves the persona as it is."""
        if persona is not None and not context.window:
            return persona
        return described((context.window,), context)


class WrittenSlideRegeneration(Written):
    """Have the last window described."""

    name = "slide-regeneration"

    async def __call__(self, persona: str | None, context: Context) -> str:
        """Have the window just seen described; one without answers leaves the text as it is."""
        if persona is not None and not context.window:
            return persona
        return await self.described((context.window,), context, persona)


method, written = SlideRegeneration, WrittenSlideRegeneration
