"""The Embedder port and the shipped adapter: static word-piece vectors, numpy only, the same integers everywhere.

The table (``words.npz``) is derived from WordLlama's weights (D. Lee Miller 2024, MIT) by ``tools/derive_words.py``.
Vectors are whole numbers held in float32, and so are their dot products, which makes every similarity exact whatever
order a machine adds in: a selection that rests on them is the same on any machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
UNIT = 127.0
_WORD = re.compile(r"[a-z]+")
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "how",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "that",
        "the",
        "their",
        "them",
        "they",
        "this",
        "to",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "you",
        "your",
        "person",
        "people",
        "usually",
        "most",
        "often",
    ]
)


class Embedder(Protocol):
    """Turns texts into vectors of length about ``UNIT`` whose entries are whole numbers."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, dimensions)."""


def normalise(vectors: NDArray[np.float64] | Vectors) -> Vectors:
    """Scale rows to length UNIT and round to whole numbers, so that dot products are exact in float32."""
    wide = np.asarray(vectors, dtype=np.float64)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    return np.asarray(np.rint(wide * (UNIT / np.maximum(length, 1e-9))), dtype=np.float32)


class WordPieces:
    """The mean of word-piece vectors; unknown words are cut greedily into the longest known pieces."""

    def __init__(self) -> None:
        with resources.files("deeppersona.models").joinpath("words.npz").open("rb") as handle:
            table = np.load(handle, allow_pickle=False)
            names = str(table["pieces"]).split("\n")
            self._vectors = table["vectors"].astype(np.float64)
        self._row = {name: i for i, name in enumerate(names)}
        self._places: dict[str, int] = {}  # of words in what is known of them
        self._words = np.zeros((1024, self._vectors.shape[1]))

    def _place(self, word: str) -> int:
        """Where the mean vector of a word's longest known pieces stands; zeros where it has none."""
        place = self._places.get(word)
        if place is None:
            rows, rest = [], "▁" + word
            while rest:
                end = next((n for n in range(len(rest), 0, -1) if rest[:n] in self._row), 0)
                if end:
                    rows.append(self._row[rest[:end]])
                rest = rest[max(end, 1) :]
            place = self._places[word] = len(self._places)
            if place == len(self._words):
                self._words = np.concatenate([self._words, np.zeros_like(self._words)])
            if rows:
                self._words[place] = self._vectors[rows].mean(axis=0)
        return place

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return whole-number vectors of length about UNIT, shape (texts, 64); a text without words is all zeros."""
        out = np.zeros((len(texts), self._vectors.shape[1]))
        for i, text in enumerate(texts):
            places = [self._place(w) for w in _WORD.findall(text.casefold()) if w not in _STOP]
            out[i] = np.add.reduce(self._words[places], axis=0)  # row by row, in the order of the words
        return normalise(out)


@lru_cache(maxsize=1)
def default_embedder() -> Embedder:
    """The embedder used when none is named."""
    return WordPieces()


def cosine(a: Vectors, b: Vectors) -> Vectors:
    """Return cosines of rows of a with rows of b, shape (len(a), len(b)), up to the rounding of ``normalise``."""
    return np.asarray(a @ b.T, dtype=np.float32) / np.float32(UNIT * UNIT)
