"""A persona: traits in the order they were settled, stories, a narrative, and where all of it came from."""

from __future__ import annotations

import html
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deeppersona.errors import unknown

Source = Literal["given", "table", "prior", "model", "story", "derived", "edited", "learnt"]
TraitValue = str | int | float | list[str]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trait(_Frozen):
    """One thing known of a person: a path, its value, where it came from, and the evidence for that.

    Evidence of a ``table`` trait names the table and the place it is of; of a ``prior`` trait the stratum it was
    selected from and the chance (``p``) the value had for this person; of a ``story`` trait the story. ``colour`` is a
    model's more particular wording of a drawn value.
    """

    path: str
    value: TraitValue
    source: Source
    evidence: dict[str, Any] = Field(default_factory=dict)
    colour: str | None = None


class Missing(_Frozen):
    """A hole that is known: what a model was asked for and did not give, and why. What stands in, if anything, is drawn."""

    path: str
    reason: str


class Story(_Frozen):
    """A turning point: the age it came at, a title, 80 to 150 words."""

    age: int
    title: str
    text: str


class Provenance(_Frozen):
    """What made this person: engine version, taxonomy fingerprint, seed, slot, and the model that wrote, if any."""

    engine: str
    taxonomy: str
    seed: int
    slot: int
    model: str | None = None
    parent: str | None = None


class Persona(_Frozen):
    """A synthetic person. ``persona["demographics.age"]`` is a value; ``persona.traits`` says where each came from."""

    id: str
    kind: str = "demographic"
    traits: tuple[Trait, ...]
    stories: tuple[Story, ...] = ()
    narrative: str = ""
    system_prompt: str = ""
    book: str | None = None
    missing: tuple[Missing, ...] = ()
    provenance: Provenance

    @cached_property
    def _by_path(self) -> dict[str, Trait]:
        return {trait.path: trait for trait in self.traits}

    def __getitem__(self, path: str) -> TraitValue:
        """The value at a path. KeyError-like UsageError naming the nearest paths this person has."""
        return self.trait(path).value

    def __contains__(self, path: object) -> bool:
        return path in self._by_path

    def __len__(self) -> int:
        return len(self.traits)

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path, or ``default`` where the person is not told by it."""
        found = self._by_path.get(path)
        return default if found is None else found.value

    def trait(self, path: str) -> Trait:
        """The trait at a path, with its source and evidence."""
        try:
            return self._by_path[path]
        except KeyError:
            raise unknown(f"trait of {self.id}", path, self._by_path) from None

    def under(self, path: str) -> tuple[Trait, ...]:
        """The traits at or under a node of the tree."""
        return tuple(t for t in self.traits if t.path == path or t.path.startswith(path + "."))

    def paths(self) -> Iterator[str]:
        """The paths this person is told by, in the order they were settled."""
        return iter(self._by_path)

    @property
    def name(self) -> str:
        """The person's name."""
        return str(self.get("demographics.name", self.id))

    @property
    def portrait(self) -> str:
        """The short portrait, 150 to 400 words."""
        return self.narrative

    def record(self) -> dict[str, Any]:
        """The persona as plain data: one line of a run's part."""
        out = self.model_dump(mode="json")
        for trait in out["traits"]:
            if not trait["evidence"]:
                del trait["evidence"]
            if trait["colour"] is None:
                del trait["colour"]
        if out["book"] is None:
            del out["book"]
        if not out["missing"]:
            del out["missing"]
        if out["provenance"]["parent"] is None:
            del out["provenance"]["parent"]
        return out

    def __repr__(self) -> str:
        return f"<Persona {self.id} {self.name}, {len(self.traits)} traits>"

    def _repr_html_(self) -> str:
        """A card, for notebooks."""
        e = html.escape
        facts = [str(self.get(f"demographics.{k}", "")) for k in ("age", "sex", "city", "country", "occupation")]
        rows = "".join(
            f"<tr><td style='text-align:left'>{e(t.path)}</td><td style='text-align:left'>{e(_words(t.value))}</td>"
            f"<td style='opacity:.6'>{e(t.source)}</td></tr>"
            for t in self.traits
        )
        stories = "".join(f"<p><b>{e(s.title)}</b> (at {s.age}) {e(s.text)}</p>" for s in self.stories)
        return (
            "<div style='max-width:46em;border:1px solid #8884;border-radius:12px;padding:1em 1.3em;font-family:Georgia,serif'>"
            f"<h3 style='margin:.1em 0'>{e(self.name)}</h3>"
            f"<div style='opacity:.7;font-family:sans-serif'>{e(' · '.join(f for f in facts if f))} · synthetic</div>"
            f"<p>{e(self.narrative)}</p>{stories}"
            f"<details><summary>{len(self.traits)} traits</summary><table>{rows}</table></details></div>"
        )


def _words(value: TraitValue) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
