"""DEEPER in the written form: the model foretells, is shown where it went wrong, and rewrites the persona from that.

A direction is an instruction of ours. Each candidate is asked the window just answered (the guard: one that foretells it worse
than the persona it replaces, which had not seen it, is not taken). Several directions are compared as the structured form
compares its own, by the goals and by what the directions were worth before; that takes more calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deeppersona.prompts import say
from deeppersona.refinement.behaviour import Answer, Scale, Window
from deeppersona.refinement.search import Choice, Goals, Searching, pairs
from deeppersona.refinement.step import Context
from deeppersona.refinement.written import Writer, Written, off, unanswered

DIRECTIONS = ("correct", "recent", "general")  # what each asks for stands in prompts/refinement/direction.md


class WrittenDeeper(Written, Searching[str]):
    """Have the text refined by the discrepancy between what was foretold and what was done.

    ``directions`` of them are tried. ``thorough``: all three goals are scored even where one direction leaves nothing to
    compare, as pairs for training need it.
    """

    name = "deeper"

    def __init__(self, writer: Writer, directions: int = 1, thorough: bool = False) -> None:
        Written.__init__(self, writer)
        Searching.__init__(self, DIRECTIONS[:directions])
        self.directions, self._thorough = DIRECTIONS[:directions], thorough or directions > 1

    async def observe(self, context: Context) -> None:
        """Try the candidates of the round before on the window just answered."""
        choice = self.chosen.get(context.person)
        if choice is None or not context.window or not self._thorough:
            return
        old, *errors = await asyncio.gather(*(self._off(c.persona, context.window, context) for c in choice.candidates))
        names = [c.direction for c in choice.candidates]
        self.search.experience.tried(choice, {name: old - e for name, e in zip(names, (old, *errors), strict=True)})

    async def __call__(self, persona: str | None, context: Context) -> str:
        """Begin a persona, or refine it; where nothing came, the last one stands."""
        self.settle(context.number)
        if persona is None:
            return await self.described((context.window,), context, None)
        if not context.window:
            return persona
        asked = [e.asked() for e in context.window]
        given = await self.predict(persona, asked, unanswered(context))
        # Where all was foretold there is no discrepancy to refine from, and no call to be made.
        scored = await self._scored(persona, context, given) if off(given, context.window) else {}
        choice = self.search.choose(context.person, context.number, persona, scored, context.window, given)
        self.chosen[context.person] = choice
        return choice.of(choice.taken).persona

    async def _scored(self, persona: str, context: Context, given: Sequence[Answer]) -> Mapping[str, tuple[str, Goals]]:
        """What each direction leads to, and what it gains on the current window and, where that is looked at, the previous."""
        window, before = context.window, context.before[-1] if self._thorough else ()
        texts = await asyncio.gather(*(self.writer.refined(persona, window, given, d) for d in self.directions))
        found = {
            d: self.writer.persona(text, context.seen, context)
            for d, text in zip(self.directions, texts, strict=True)
            if text
        }
        earlier = await self._off(persona, before, context)

        async def goals(text: str) -> Goals:
            previous = earlier - await self._off(text, before, context)
            return Goals(previous, off(given, window) - await self._off(text, window, context))

        scores = await asyncio.gather(*(goals(text) for text in found.values()))
        return {d: (text, score) for (d, text), score in zip(found.items(), scores, strict=True)}

    async def _off(self, persona: str, window: Window, context: Context) -> float:
        """The error of a text on a window that has been answered; it is shown the items alone."""
        if not window:
            return 0.0
        return off(await self.predict(persona, [e.asked() for e in window], unanswered(context)), window)

    def pairs(self, scale: Scale, domain: str) -> Iterator[dict[str, Any]]:
        """Pairs of texts; the prompt is what the model was asked, without a direction."""

        def prompt(choice: Choice[str]) -> str:
            shown = self.writer.to_refine(choice.replaced, choice.window, choice.given)
            return say("refinement/refine", direction="", **shown)

        return pairs(self.search.record, lambda text: text, prompt)
