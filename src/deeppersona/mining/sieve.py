"""Which conversations tell of the person who speaks: the paper's three classes, with reasons.

``personalisable``: the person's own words disclose several things about them. ``partly``: one, or only faint ones.
``not``: none; or the text asks for another to be written or played, where an ``I`` may be anybody's.
Source of the classes: DeepPersona (arXiv 2511.07338), stage 1; how they are told apart without a model is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from deeppersona.mining.cues import Mention
from deeppersona.models.embedder import Vectors, cosine, default_embedder

Class = Literal["personalisable", "partly", "not"]
CLASSES: tuple[Class, ...] = ("personalisable", "partly", "not")
_ENOUGH = 2  # different things disclosed from which a conversation is personalisable
_TASK = (
    "Write a program that reads a file and prints the result.",
    "Explain how the algorithm works and give an example.",
    "Summarise the following article in three sentences.",
    "Generate a list of names for a product and a slogan.",
    "Solve this equation and show every step.",
    "What is the difference between the two methods?",
    "Translate the sentence and correct the grammar.",
    "Create a table with columns for date, price and quantity.",
)
_PERSONAL = (
    "I live with my family and work long hours.",
    "My husband and I have two children and a dog.",
    "I feel lonely and do not know whom I can talk to.",
    "I like cooking and going for walks with my friends.",
    "When I was young my parents moved to another town.",
    "I am afraid of losing my job and my house.",
    "I give to charity because I care about children.",
    "I have been depressed since my mother died.",
)


@dataclass(frozen=True)
class Verdict:
    """The class of a conversation and why."""

    kind: Class
    reasons: tuple[str, ...]


@lru_cache(maxsize=1)
def _prototypes() -> tuple[Vectors, Vectors]:
    embedder = default_embedder()
    return embedder.embed(_TASK), embedder.embed(_PERSONAL)


def nearer_to_talk(texts: Sequence[str]) -> list[bool]:
    """Whether each text lies nearer to talk about oneself than to a task, in meaning."""
    if not texts:
        return []
    task, personal = _prototypes()
    vectors = default_embedder().embed(texts)
    return [
        bool(p > t)
        for t, p in zip(cosine(vectors, task).max(axis=1), cosine(vectors, personal).max(axis=1), strict=True)
    ]


def sieve(mentions: Sequence[Mention], *, commissioned: bool) -> Verdict:
    """Judge a conversation by what its people disclosed (see ``mining.listen``)."""
    told = sorted({m.attribute for m in mentions if m.frame == "cue"})
    faint = sorted({f"{m.frame}: {m.topic}" for m in mentions if m.frame != "cue"})
    reasons = (*(f"tells {attribute}" for attribute in told[:6]), *(f"touches {topic}" for topic in faint[:4]))
    if commissioned and len(told) < _ENOUGH:
        return Verdict("not", ("asks for a text or a part: its I may be anybody's",))
    if not told and not faint:
        return Verdict("not", ("discloses nothing of the speaker",))
    if commissioned or len(told) + len(faint) < _ENOUGH or not told:
        return Verdict("partly", reasons)
    return Verdict("personalisable", reasons)
