"""Texts come out whole: a portrait of the promised length, no slot left open, no path twice."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deeppersona.population.validators._subject import Subject
from deeppersona.schema.report import Issue

_OPEN_SLOT = re.compile(r"\{[A-Za-z_]+\}|  ")
_WORDS = (150, 400)


def validate(subject: Subject) -> Iterable[Issue]:
    """Portrait of 150 to 400 words (shorter only for those told by few traits), nothing left open anywhere."""
    persona = subject.persona
    words = len(persona.narrative.split())
    if persona.narrative and not (_WORDS[0] <= words <= _WORDS[1]) and len(persona) >= 150:
        yield subject.issue("narrative", "portrait length", f"{words} words; 150 to 400 are promised")
    for name, text in (
        ("narrative", persona.narrative),
        ("system_prompt", persona.system_prompt),
        *(("stories", s.text) for s in persona.stories),
    ):
        if (found := _OPEN_SLOT.search(text)) is not None:
            yield subject.issue(name, "texts are whole", f"{text[max(found.start() - 30, 0) : found.end() + 30]!r}")
    paths = [t.path for t in persona.traits]
    if len(paths) != len(set(paths)):
        yield subject.issue("traits", "one value a path", f"{len(paths) - len(set(paths))} paths twice")
