"""Phrasings a model has used too often, ruled out for those who come later; the same whoever makes which part.

The list a person is written under depends on the plan alone: it is made from the first people of the run (the first 8,
then 24, then 192), and used from a slot on that lies well behind them, so that nobody waits but the very first.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from deeppersona.errors import Stopped

MILESTONES = ((8, 8), (24, 128), (192, 768))  # made from the slots below the first, used from the second on
MOST = 14
_SHARE, _FEWEST = 0.25, 3
_SIZES = (5, 4, 3)
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
# Words that make no phrase by themselves: a run of them is grammar, not a habit.
_PLAIN = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "hers",
        "him",
        "his",
        "i",
        "in",
        "is",
        "it",
        "its",
        "not",
        "of",
        "on",
        "or",
        "she",
        "so",
        "that",
        "the",
        "their",
        "them",
        "there",
        "they",
        "this",
        "to",
        "was",
        "were",
        "when",
        "which",
        "who",
        "will",
        "with",
        "would",
        "one",
        "two",
        "three",
        "years",
        "year",
        "old",
        "day",
        "days",
        "time",
    ]
)


def worn_phrases(people: Sequence[str], facts: Sequence[str] = ()) -> list[str]:
    """Runs of three to five words that a quarter of these people's texts share, most shared first; openings weigh double.

    ``facts`` are texts given to the model: what stands there is no habit of its own.
    """
    known = {
        " ".join(words[i : i + n])
        for text in facts
        for words in [_words(text)]
        for n in _SIZES
        for i in range(len(words))
    }
    count: Counter[str] = Counter()
    for text in people:
        here: set[str] = set()
        openings: set[str] = set()
        for sentence in _SENTENCE.split(text):
            words = _words(sentence)
            for n in _SIZES:
                grams = [words[i : i + n] for i in range(len(words) - n + 1)]
                here.update(" ".join(g) for g in grams if sum(w not in _PLAIN for w in g) >= 2)
            openings.add(" ".join(words[:3]))
        count.update(here)
        count.update(o for o in openings if o in here)
    least = max(_FEWEST, round(_SHARE * len(people)))
    often = sorted(
        (p for p, n in count.items() if n >= least and p not in known), key=lambda p: (-count[p], -len(p), p)
    )
    out: list[str] = []
    for phrase in often:
        if not any(phrase in other or other in phrase for other in out):
            out.append(phrase)
        if len(out) == MOST:
            break
    return out


def _words(text: str) -> list[str]:
    return [w.lower().replace("’", "'") for w in _WORD.findall(text)]


class Worn:
    """The lists of a run: told what is written, and asked what is worn for a slot. ``known`` are texts of earlier parts."""

    def __init__(self, n: int, known: Mapping[int, str] | None = None) -> None:
        self._texts: dict[int, str] = dict(known or {})
        self._steps = [(size, start) for size, start in MILESTONES if start < n]
        self._ready = [asyncio.Event() for _ in self._steps]
        self._lists: dict[int, list[str]] = {}
        self._stopped = ""
        self._look()

    def add(self, slot: int, text: str) -> None:
        """Take in what was written of a slot; empty where the person could not be made."""
        if self._steps and slot < self._steps[-1][0]:
            self._texts[slot] = text
            self._look()

    def _look(self) -> None:
        for (size, _), ready in zip(self._steps, self._ready, strict=True):
            if not ready.is_set() and all(slot in self._texts for slot in range(size)):
                ready.set()

    def stop(self, reason: str) -> None:
        """Nobody waits any longer: what they wait for will not come."""
        self._stopped = reason
        for ready in self._ready:
            ready.set()

    async def before(self, slot: int) -> list[str]:
        """What is worn for a slot, once those it depends on are written."""
        step = next((k for k in reversed(range(len(self._steps))) if slot >= self._steps[k][1]), None)
        if step is None:
            return []
        await self._ready[step].wait()
        if self._stopped:
            raise Stopped(self._stopped)
        if step not in self._lists:
            size = self._steps[step][0]
            self._lists[step] = worn_phrases([self._texts[k] for k in range(size) if self._texts[k]])
        return self._lists[step]
