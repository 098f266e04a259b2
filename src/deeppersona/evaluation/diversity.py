"""Sameness of texts and of people: openings, distinct-2 over the corpus, self-BLEU, overlap of attributes.

Distinct-n is taken over the whole corpus: averaged per document it scores 200 copies of one paragraph .99.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from random import Random

from deeppersona.models.embedder import cosine, default_embedder

_TOKEN = re.compile(r"[\w'-]+")


def tokens(text: str) -> list[str]:
    """Words in lower case."""
    return _TOKEN.findall(text.lower())


def identical_openings(texts: Sequence[str], words: int = 5) -> float:
    """Share of texts whose first words are also those of another text."""
    openings = [tuple(tokens(t)[:words]) for t in texts]
    count = Counter(openings)
    return sum(count[o] > 1 for o in openings) / max(len(texts), 1)


def distinct(texts: Sequence[str], n: int = 2) -> float:
    """Distinct n-grams over all n-grams of the whole corpus."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = tokens(text)
        grams.update(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return len(grams) / max(grams.total(), 1)


def _bleu(candidate: Sequence[str], references: Sequence[Sequence[str]], most: int = 4) -> float:
    """BLEU of one text against others (Papineni et al. 2002), with add-one smoothing of the higher orders."""
    logs = 0.0
    for n in range(1, most + 1):
        grams = Counter(tuple(candidate[i : i + n]) for i in range(len(candidate) - n + 1))
        best: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            best |= Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
        hit = sum(min(c, best[g]) for g, c in grams.items())
        smooth = 0 if n == 1 else 1
        logs += math.log(max(hit + smooth, 1e-9) / max(grams.total() + smooth, 1))
    closest = min((abs(len(r) - len(candidate)), len(r)) for r in references)[1]
    brevity = min(1.0, math.exp(1 - closest / max(len(candidate), 1)))
    return brevity * math.exp(logs / most)


def self_bleu(texts: Sequence[str], *, sample: int = 60, seed: int = 0) -> float:
    """Mean BLEU-4 of each sampled text against the other sampled texts; lower is more various."""
    if len(texts) < 2:
        return 0.0
    chosen = Random(seed).sample(list(texts), min(sample, len(texts)))  # noqa: S311 - a sample, no secret
    split = [tokens(t) for t in chosen]
    return sum(_bleu(c, split[:i] + split[i + 1 :]) for i, c in enumerate(split)) / len(split)


def mean_overlap(paths: Sequence[frozenset[str]], *, pairs: int = 2000, seed: int = 0) -> float:
    """Mean Jaccard overlap of the attribute paths of two people."""
    every = list(combinations(range(len(paths)), 2))
    if not every:
        return 0.0
    chosen = every if len(every) <= pairs else Random(seed).sample(every, pairs)  # noqa: S311 - a sample, no secret
    return sum(len(paths[i] & paths[j]) / len(paths[i] | paths[j]) for i, j in chosen) / len(chosen)


def mean_similarity(texts: Sequence[str]) -> float:
    """Mean cosine of static embeddings over all pairs of texts."""
    vectors = default_embedder().embed(texts)
    similar = cosine(vectors, vectors)
    n = len(texts)
    return float((similar.sum() - similar.trace()) / max(n * (n - 1), 1))
