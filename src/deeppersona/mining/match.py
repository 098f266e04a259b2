"""Which attribute of a tree a topic belongs to: by its words first, by meaning second, with both thresholds told.

A topic is *asked about* by an attribute whose title, definition or question holds all its words and that lies near it in
meaning; it is a *value* of an attribute one of whose options holds them. What is neither may be new.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deeppersona.mining.words import lemma
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.schema.taxonomy import Attribute, Taxonomy

NEAR_WITH_WORDS = 0.80  # cosine from which an attribute that holds the topic's words is about it
NEAR_ALONE = 0.86  # cosine from which it is about it whatever the words
NEAR_AS_VALUE = 0.30  # cosine from which an attribute that offers the topic as an answer is meant by it
_COMMON = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "and",
        "or",
        "to",
        "in",
        "on",
        "at",
        "for",
        "with",
        "by",
        "from",
        "your",
        "you",
        "do",
        "does",
        "is",
        "are",
        "how",
        "what",
        "which",
        "who",
        "one",
        "some",
        "any",
        "my",
        "myself",
    ]
)


@dataclass(frozen=True)
class Match:
    """Where a topic belongs and how that was found: ``asked`` by the attribute, a ``value`` of it, or some ``answer``.

    An answer is an option of the attribute, but of others too, and it is not known of which.
    """

    path: str
    how: Literal["asked", "value", "answer"]
    cosine: float
    words: bool


def stems(text: str) -> frozenset[str]:
    """The telling words of a text in their base forms."""
    out = set()
    for word in re.findall(r"[a-z]{2,}", text.casefold()):
        if word not in _COMMON:
            out.add(lemma(lemma(word, "VERB"), "NOUN"))
    return frozenset(out)


class Matcher:
    """A taxonomy made ready to be matched against."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.attributes: list[Attribute] = list(taxonomy)
        self._asks: dict[str, set[int]] = defaultdict(set)
        self._offers: dict[str, set[int]] = defaultdict(set)
        for i, a in enumerate(self.attributes):
            for s in stems(f"{a.title} {a.definition} {a.question}"):
                self._asks[s].add(i)
            for option in a.options:
                for s in stems(option.value):
                    self._offers[s].add(i)
        texts = [f"{a.title} {a.definition} {a.question}" for a in self.attributes]
        self._vectors = default_embedder().embed(texts) if texts else None

    def find(self, topic: str, asked: str, under: Sequence[str] = ()) -> Match | None:
        """The attribute a topic belongs to; ``asked`` is the question it would be, ``under`` where it would stand."""
        wanted = stems(topic)
        if not wanted or self._vectors is None:
            return None
        near = cosine(default_embedder().embed([f"{topic} {asked}"]), self._vectors)[0]
        best = int(np.argmax(near))
        holding = self._holding(wanted, self._asks)
        if holding:
            choice = max(holding, key=lambda i: (near[i], -i))
            if near[choice] >= NEAR_WITH_WORDS:
                return Match(self.attributes[choice].path, "asked", round(float(near[choice]), 3), True)
        if near[best] >= NEAR_ALONE:
            return Match(self.attributes[best].path, "asked", round(float(near[best]), 3), False)
        categories = {path.partition(".")[0] for path in under}
        offering = [i for i in self._holding(wanted, self._offers) if self._offered(i, wanted)]
        offering = [i for i in offering if not categories or self.attributes[i].category in categories]
        if offering:
            choice = max(offering, key=lambda i: (near[i], -i))
            how: Literal["value", "answer"] = "value" if near[choice] >= NEAR_AS_VALUE else "answer"
            return Match(self.attributes[choice].path, how, round(float(near[choice]), 3), True)
        return None

    def _holding(self, wanted: Iterable[str], index: dict[str, set[int]]) -> list[int]:
        sets = [index.get(s, set()) for s in wanted]
        return sorted(set.intersection(*sets)) if sets else []

    def _offered(self, i: int, wanted: frozenset[str]) -> bool:
        """Whether one option holds all the words, and hardly more: ``fishing``, not ``fishing boats on the wall``."""
        return any(
            wanted <= (found := stems(o.value)) and len(found) <= len(wanted) + 1 for o in self.attributes[i].options
        )


def options_for(attribute: Attribute, value: str) -> list[int]:
    """The options of an attribute that a said value stands for: the same words, or options that hold them all."""
    wanted = stems(value)
    if not wanted:
        folded = value.casefold()
        return [k for k, o in enumerate(attribute.options) if o.value.casefold() == folded]
    exact = [k for k, o in enumerate(attribute.options) if stems(o.value) == wanted]
    return exact or [k for k, o in enumerate(attribute.options) if wanted <= stems(o.value)]
