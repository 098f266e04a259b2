"""What a model has written of one person so far, by place; and how it is put into the record.

A place is ``values``, ``attitude``, ``stories.0.text``, ``portrait``, ``text:PATH`` or ``colour:PATH``. What is missing
is recorded with its reason; where something drawn can stand in (the grammar's story, the grammar's portrait, the drawn
value without colour), it stays, and the record says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deeppersona.generation import narrative as tell_of
from deeppersona.generation.engine import Draft, Record
from deeppersona.generation.stories import Told
from deeppersona.models.port import Prompt
from deeppersona.schema.phrase import Person as Pronoun
from deeppersona.schema.phrase import capitalise, conjugate
from deeppersona.schema.taxonomy import Attribute

TOLD = {"values": "values.told.what_matters", "attitude": "values.told.attitude_to_life"}
RANKS = ("first", "second", "third")


@dataclass
class Manuscript:
    """Texts by place, reasons by the places that are missing, and the conversation, which only grows."""

    draft: Draft
    texts: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    asks: dict[str, tuple[str, int, int]] = field(
        default_factory=dict
    )  # place -> (the line that asks, low, high words)
    talk: Prompt | None = None

    def keep(self, places: Mapping[str, str], values: Mapping[str, Any], missing: Mapping[str, str]) -> None:
        """Enter what came of asking; ``places`` says which place a key stood for."""
        for key, place in places.items():
            if key in values:
                text = str(values[key])
                text = text if _whole_sentences(place) else text.rstrip(". ")
                self.texts[place] = capitalise(text) if place.endswith(".title") else text
                self.missing.pop(place, None)
            elif key in missing:
                self.missing[place] = missing[key]

    def strike(self, place: str, reason: str) -> None:
        """Take back what was written at a place: it is missing now."""
        self.texts.pop(place, None)
        self.missing[place] = reason

    def told(self) -> list[Told]:
        """The stories: as written, or as the grammar tells them where they are missing."""
        out = []
        for k, drawn in enumerate(self.draft.told):
            text = self.texts.get(f"stories.{k}.text")
            title = self.texts.get(f"stories.{k}.title") if text else None
            story = drawn.story.model_copy(
                update={"text": text or drawn.story.text, "title": title or drawn.story.title}
            )
            out.append(replace(drawn, story=story, interest=self.texts.get(f"stories.{k}.interest", drawn.interest)))
        return out

    def sentence(self, attribute: Attribute, pronoun: Pronoun) -> str:
        """A written value as a sentence."""
        said = conjugate(attribute.phrase, pronoun).replace("{value}", self.texts[f"text:{attribute.path}"])
        name = "you" if pronoun == "you" else self.draft.person.name.given
        return capitalise(said.replace("{name}", name))

    def sayable(self) -> tell_of.Sayable:
        """What can be said of the person: what was written first, then what was drawn."""
        written = [a for a in self.draft.texts if f"text:{a.path}" in self.texts]
        drawn = self.draft.sayable
        n = len(drawn.attributes)

        def say(k: int, pronoun: Pronoun) -> str:
            return drawn.say(k, pronoun) if k < n else self.sentence(written[k - n], pronoun)

        order = [*range(n, n + len(written)), *drawn.order]
        return tell_of.Sayable([*drawn.attributes, *written], order, say)

    def record(self, model: str) -> Record:
        """The person's record with everything that was written in its place, and every hole named."""
        draft, told = self.draft, self.told()
        out: Record = dict(draft.record)
        out["traits"] = self._traits(told)
        out["stories"] = [{"age": t.story.age, "title": t.story.title, "text": t.story.text} for t in told]
        out["narrative"] = self.texts.get("portrait", draft.record["narrative"])
        heart = [f"{what}: {self.texts[place]}" for place, what in
                 (("values", "What matters to you"), ("attitude", "How you look at life")) if place in self.texts]  # fmt: skip
        out["system_prompt"] = tell_of.system_prompt(draft.person, self.sayable(), told, out["narrative"], heart)
        if "book" in self.texts:
            out["book"] = self.texts["book"]
        if self.missing:
            out["missing"] = [{"path": _public(place), "reason": reason} for place, reason in self.missing.items()]
        out["provenance"] = {**draft.record["provenance"], "model": model}
        return out

    def _traits(self, told: list[Told]) -> list[dict[str, Any]]:
        """Drawn traits, with their colour; what matters and the attitude after the core; written attributes last."""
        interests = {f"culture.interests.{rank}": t for rank, t in zip(RANKS, told, strict=False)}
        core: list[dict[str, Any]] = []
        rest: list[dict[str, Any]] = []
        for trait in self.draft.record["traits"]:
            path = trait["path"]
            if trait["source"] == "story" and path in interests:
                t = interests[path]
                trait = {**trait, "value": t.interest, "evidence": {"story": t.story.title}}
            if (colour := self.texts.get(f"colour:{path}")) is not None:
                trait = {**trait, "colour": colour}
            (rest if trait["source"] == "prior" else core).append(trait)
        heart = [_written(TOLD[place], self.texts[place]) for place in TOLD if place in self.texts]
        texts = [
            _written(a.path, self.texts[f"text:{a.path}"]) for a in self.draft.texts if f"text:{a.path}" in self.texts
        ]
        return [*core, *heart, *rest, *texts]


def _whole_sentences(place: str) -> bool:
    """Whether sentences stand at a place; elsewhere, a value that a sentence is made around."""
    return place in TOLD or place.startswith("colour:") or (place.startswith("stories.") and place.endswith(".text"))


def _written(path: str, value: str) -> dict[str, Any]:
    return {"path": path, "value": value, "source": "model", "evidence": {}}


def _public(place: str) -> str:
    """A place as the record names it: the path of a trait, ``stories.0.text``, ``narrative``, ``book``."""
    if place in TOLD:
        return TOLD[place]
    if place == "portrait":
        return "narrative"
    kind, _, path = place.partition(":")
    return f"{path} (colour)" if kind == "colour" else path or place
