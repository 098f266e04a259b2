"""Choose which attributes a person is told by: near, mid and far from the core, 5:3:2, breadth first, long tail first.

After DeepPersona (arXiv 2511.07338, stage 2). Similarity is the cosine of static embeddings of the attribute and of the
settled core. What cannot apply to a person is left out before anything is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import unknown
from deeppersona.generation.cohort import Cohort
from deeppersona.generation.latents import LATENT_INDEX
from deeppersona.generation.priors import Priors
from deeppersona.models.embedder import Embedder, Vectors, cosine, normalise
from deeppersona.runtime.seed import Ints, label_keys
from deeppersona.schema import vocabulary as v

STRATA = len(v.STRATUM)
SAME_MATTER = 0.75  # cosine of two questions from which on a person is told by one of them only
# What a strong interest adds to the core, in words the embedder can compare.
_INTEREST_WORDS = {
    "religiosity": "prayer faith religion church mosque temple",
    "arts": "music painting books theatre art",
    "nature": "garden animals plants river outdoors",
    "tech": "computers phone internet machines",
    "fitness": "sport exercise running strength",
    "politics": "politics voting news government",
    "family": "family children relatives parents home",
    "thrift": "saving money debts budget prices",
    "ambition": "career business promotion plans",
    "sociability": "friends neighbours parties talking",
    "risk": "gambling travel adventure danger",
    "health_interest": "health diet medicine doctor",
    "neuroticism": "worry sleep nerves fear",
}
_STRONG = 0.9
_KEY_BITS = 21  # what sort keys are below, in bits
_LAST_KEY = float((1 << _KEY_BITS) - 4)
_STAGES = ((0, "small child play"), (6, "school child pupil"), (13, "teenager school friends"),
           (18, "young adult student first job"), (30, "working adult household"), (45, "middle aged family work"),
           (62, "old age grandparent pension"))  # fmt: skip


@dataclass(frozen=True)
class Selection:
    """Who is told by what: ``chosen`` and ``stratum`` are (people, attributes), stratum 0 near, 1 mid, 2 far."""

    chosen: NDArray[np.bool_]
    stratum: NDArray[np.int8]


class Selector:
    """Selection made ready for one taxonomy, depth, ratio and focus."""

    def __init__(
        self, priors: Priors, embedder: Embedder, depth: int, ratio: tuple[int, int, int], focus: Mapping[str, float]
    ) -> None:
        self.priors, self.embedder, self.depth, self.ratio = priors, embedder, depth, ratio
        attributes = priors.attributes
        self.vectors = embedder.embed(
            [f"{a.path.replace('.', ' ').replace('_', ' ')} {a.definition}" for a in attributes]
        )
        categories = sorted({a.category for a in attributes})
        self.category = np.array([categories.index(a.category) for a in attributes])
        self.focus = np.array([focus_weight(a.path, focus) for a in attributes])
        for path in focus:
            if path not in priors.taxonomy.nodes:
                raise unknown("part of the taxonomy in focus", path, sorted(priors.taxonomy.nodes))
        # Long tail: what applies to few, and what lies deep, is preferred to what everybody can be asked.
        self.rarity = np.array(
            [1.0 + 0.35 * len(a.condition.clauses) + 0.25 * (a.path.count(".") - 2) for a in attributes]
        )
        self.keys = label_keys([f"select/{a.path}" for a in attributes])
        asked = embedder.embed([f"{a.title} {a.title} {a.definition} {a.question}" for a in attributes])
        self.same_matter = np.argwhere(np.triu(cosine(asked, asked), 1) > SAME_MATTER)
        self._word_vectors: dict[str, Vectors] = {}

    def _vector(self, text: str) -> Vectors:
        known = self._word_vectors.get(text)
        if known is None:
            known = self._word_vectors[text] = self.embedder.embed([text])[0]
        return known

    def core_vectors(self, cohort: Cohort, titles: list[str]) -> Vectors:
        """The settled core of each person as a vector: work, faith, place, stage of life, family, strong interests."""
        columns = cohort.columns
        total = np.zeros((len(cohort), self.vectors.shape[1]))

        def add(codes: Ints, words: list[str], weight: float = 1.0) -> None:
            table = np.stack([self._vector(word) for word in words]).astype(np.float64)
            total[:] += weight * table[codes]

        stage = np.searchsorted([low for low, _ in _STAGES], columns["age"], side="right") - 1
        add(stage, [words for _, words in _STAGES])
        jobs = [*titles, "none"]
        job = np.where(columns["occupation"] >= 0, columns["occupation"], columns["former"])
        used, inverse = np.unique(job, return_inverse=True)
        add(inverse, [jobs[int(j)] if j >= 0 else "household" for j in used], 2.0)
        add(columns["status"], [s.replace("_", " ") for s in v.STATUS])
        add(columns["religion"], [f"{r} faith" if r != "none" else "no religion" for r in v.RELIGION])
        add(columns["urban"], ["city street town", "village field countryside"])
        add((columns["children"] > 0).astype(np.int64), ["single without children", "parent of children"])
        for name, words in _INTEREST_WORDS.items():
            strong = (cohort.latents[:, LATENT_INDEX[name]] > _STRONG).astype(np.float64)
            total += strong[:, None] * self._vector(words).astype(np.float64)
        return normalise(total)

    def select(
        self, cohort: Cohort, pool: NDArray[np.bool_], titles: list[str], given: NDArray[np.bool_] | None = None
    ) -> Selection:
        """Choose ``depth`` attributes a person from the pool (people, attributes); those given are always in."""
        pool = pool & (self.focus > 0)
        similarity = self.core_vectors(cohort, titles) @ self.vectors.T
        with np.errstate(divide="ignore"):
            race = -np.log(cohort.dice.uniforms(self.keys)) / (self.rarity * np.maximum(self.focus, 1e-9))
        if given is not None:
            race = np.where(given, 0.0, race)
        told_once = self._one_of_each_matter(pool, race)
        pool = told_once if given is None else told_once | (pool & given)
        stratum = self._strata(similarity, pool)
        rounds = self._rounds(race, stratum, pool) / np.maximum(self.focus, 1e-9)
        if given is not None:
            rounds = np.where(given, -1.0, rounds)
        order = _ranked(np.where(pool, rounds, np.inf))
        sorted_stratum = np.take_along_axis(stratum, order, axis=1)
        quota = self._quotas(pool, stratum)
        chosen_sorted = np.zeros_like(pool)
        for s in range(STRATA):
            here = (sorted_stratum == s) & np.take_along_axis(pool, order, axis=1)
            chosen_sorted |= here & (np.cumsum(here, axis=1) <= quota[:, s : s + 1])
        chosen = np.zeros_like(pool)
        np.put_along_axis(chosen, order, chosen_sorted, axis=1)
        return Selection(chosen, stratum)

    def _one_of_each_matter(self, pool: NDArray[np.bool_], race: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The pool without what asks a person nearly the same as something drawn before it: nobody is told twice."""
        if not len(self.same_matter):
            return pool
        one, two = self.same_matter[:, 0], self.same_matter[:, 1]
        both = np.ascontiguousarray((pool[:, one] & pool[:, two]).T)
        first = np.ascontiguousarray((race[:, one] <= race[:, two]).T)
        kept = np.ones(pool.shape[::-1], dtype=bool)  # (attributes, people): a pair at a time is a row at a time
        for pair, (i, j) in enumerate(self.same_matter.tolist()):
            kept[j] &= ~(both[pair] & first[pair])
            kept[i] &= ~(both[pair] & ~first[pair])
        return np.asarray(pool & kept.T)

    def _strata(self, similarity: Vectors, pool: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Thirds of the person's own pool by similarity: 0 near, 1 mid, 2 far."""
        order = _ranked(np.where(pool, -similarity, np.inf))
        place = np.empty_like(order)
        np.put_along_axis(place, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
        size = np.maximum(pool.sum(axis=1, keepdims=True), 1)
        return np.asarray((place * STRATA // size).clip(max=STRATA - 1), dtype=np.int8)

    def _rounds(
        self, race: NDArray[np.float64], stratum: NDArray[np.int8], pool: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """The round in which breadth-first search over categories reaches each attribute, within its stratum."""
        n_categories = int(self.category.max()) + 1
        group = stratum.astype(np.int64) * n_categories + self.category
        group = np.where(pool, group, STRATA * n_categories)
        key = group + race / (1.0 + race)
        order = _ranked(key)
        ranked = np.take_along_axis(group, order, axis=1)
        position = np.arange(order.shape[1])
        starts = np.where(np.diff(ranked, axis=1, prepend=-1) > 0, position, 0)
        within = position - np.maximum.accumulate(starts, axis=1)
        turn = np.take_along_axis(race / (1.0 + race), order, axis=1)
        rounds = np.empty(race.shape)
        np.put_along_axis(rounds, order, within + turn, axis=1)
        return rounds

    def _quotas(self, pool: NDArray[np.bool_], stratum: NDArray[np.int8]) -> Ints:
        """How many from each stratum, (people, 3): the ratio, and what one lacks is made up by the others."""
        available = np.stack([(pool & (stratum == s)).sum(axis=1) for s in range(STRATA)], axis=1)
        whole = sum(self.ratio)
        want = np.array([self.depth * r // whole for r in self.ratio])
        want[0] += self.depth - want.sum()
        quota = np.minimum(want, available)
        for s in range(STRATA):
            missing = np.minimum(self.depth, available.sum(axis=1)) - quota.sum(axis=1)
            quota[:, s] += np.minimum(missing, available[:, s] - quota[:, s])
        return np.asarray(quota, dtype=np.int64)


def _ranked(key: NDArray[np.float64]) -> Ints:
    """The stable argsort of each row of keys in -2..2,000,000, to eight decimals or so; infinity comes last.

    Key and place are packed into one whole number: sorting numbers is several times faster than sorting places by key.
    """
    bits = int(key.shape[1]).bit_length()
    grain = float(1 << (62 - _KEY_BITS - bits))
    whole = ((np.minimum(key, _LAST_KEY) + 2.0) * grain).astype(np.int64)
    packed = np.sort((whole << bits) | np.arange(key.shape[1]), axis=1)
    return np.asarray(packed & ((1 << bits) - 1), dtype=np.int64)


def focus_weight(path: str, focus: Mapping[str, float]) -> float:
    """The weight of an attribute: that of the longest focused path it lies under, else 1."""
    best, weight = -1, 1.0
    for node, w in focus.items():
        if (path == node or path.startswith(node + ".")) and len(node) > best:
            best, weight = len(node), w
    return weight
