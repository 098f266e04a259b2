"""Full regeneration: the persona is thrown away and described anew from all windows so far."""

from __future__ import annotations

from deeppersona.refinement.methods.describe import described
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Context, Structured


class FullRegeneration(Structured):
    """Describe everything anew."""

    name = "full-regeneration"

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe all windows so far, each counting the same."""
        return described(context.seen, context)


method = FullRegeneration
