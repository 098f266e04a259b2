"""Near-duplicates among any number of people, in one pass, linear time and about 0.7 kB of memory a person.

A person is sketched in 200 bytes (``population.minhash``: traits, places and shingles of the texts, meaning). Locality-
sensitive hashing (Indyk and Motwani 1998) proposes earlier people who share a band of bins with a new one; each proposal
is then measured on the whole part of the sketch. What is learnt, each time the number of people kept has doubled:

* how wide a band must be so that two strangers of that many hardly ever share one;
* what it is worth to agree: weight -log of the frequency (the agreement weights of Fellegi and Sunter 1969);
* how alike strangers are. A likeness counts only where chance does not explain it: the bound of Chernoff, with mean and
  spread over pairs of strangers, must fall below one person in a thousand wrongly flagged, and so must Gumbel's law of
  the nearest stranger of each. Few weak traits, or a line of text, therefore prove less than many.

A bucket holds the first eight who fall into it, so that no input, however much alike, takes more than linear time. All is
decided by those kept, in their order, the threshold and the seed. How people are cut into batches changes nothing, nor
does it for anybody else whether those who are flagged were ever shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.population.likeness import (
    FIRST,
    MOST,
    Bins,
    Buckets,
    Flags,
    Floats,
    Meaning,
    Numbers,
    Part,
    Same,
    Spots,
)
from deeppersona.population.minhash import WIDTH, Bytes, sketches
from deeppersona.runtime.seed import Dice, Ints

__all__ = ["THRESHOLD", "WIDTH", "Duplicates", "Found", "Sieve", "find_duplicates", "sketches"]

THRESHOLD = 0.6
_PIECE = 2048  # people worked on at once
_PAIRS = 1 << 14  # pairs of strangers measured
_SAMPLE = 1 << 15  # people whose bins are counted


@dataclass(frozen=True)
class Found:
    """A person, by number, the earlier one it is nearly the same as, the part that tells, and their likeness in it (0-1)."""

    later: int
    earlier: int
    by: str
    share: float


@dataclass(frozen=True)
class Duplicates:
    """What was found among ``people`` people, who are known by their place from 0.

    ``groups`` are in the order of their first members, each in order; the first of a group is the one to keep.
    """

    people: int
    groups: tuple[tuple[int, ...], ...]
    found: tuple[Found, ...]


def find_duplicates(records: Iterable[Mapping[str, Any]], *, threshold: float = THRESHOLD, seed: int = 0) -> Duplicates:
    """Group people who are nearly the same, in one pass over any iterable.

    Args:
        records: people as in ``personas/part-*.jsonl``; traits or texts may be missing.
        threshold: the share of the traits, or of the letters of the texts, that must agree (rare ones count more), 0.3 to 1.
        seed: of the bands; another seed finds the same clear cases and may differ in doubtful ones.

    Raises:
        UsageError: a threshold out of range, or more than 16 million people.

    """
    sieve, source = Sieve(threshold=threshold, seed=seed), iter(records)
    while batch := list(islice(source, _PIECE)):
        sieve.add(batch)
    groups: dict[int, list[int]] = {}
    for pair in sieve.found:
        groups.setdefault(pair.earlier, [pair.earlier]).append(pair.later)
    return Duplicates(len(sieve), tuple(tuple(groups[first]) for first in sorted(groups)), tuple(sieve.found))


class Sieve:
    """Meets people in order and says of each whether an earlier one is nearly the same.

    Only those kept are remembered: a later person is a duplicate of somebody kept or of nobody, and to leave out or put
    in people who are flagged changes no other answer. The answer for a person depends on those kept before, the seed and
    the threshold, and not on batches: a run may add people as they are made, make those flagged anew and add them again,
    and comes to the same end each time.
    """

    def __init__(self, *, threshold: float = THRESHOLD, seed: int = 0) -> None:
        """See ``find_duplicates``."""
        if not 0.3 <= threshold <= 1:
            raise UsageError(f"a threshold of {threshold:g} for duplicates; give a share from 0.3 to 1, as 0.6")
        self.found: list[Found] = []
        shingles = Bins("shingles", bands=40, least=threshold**1.7)
        self._parts: tuple[Part, ...] = (
            Same(),
            Bins("traits", bands=14, least=threshold),
            Bins("places", bands=10, least=threshold),
            shingles,
            Meaning(shingles, bands=8, least=threshold**0.25),
        )
        self._seed = seed
        self._shown = self._kept = self._room = 0
        self._sketches = np.zeros((0, WIDTH), dtype=np.uint8)  # of those kept
        self._numbers = np.zeros((0, 2), dtype=np.int64)  # of each of them: place among all shown, and slot

    def __len__(self) -> int:
        return self._shown

    def add(self, records: Sequence[Mapping[str, Any]], slots: Sequence[int] | None = None) -> list[int | None]:
        """Meet people and say, for each, the slot of the earlier person it is nearly the same as, or None.

        Args:
            records: people as in ``personas/part-*.jsonl``.
            slots: what each is to be called; none means numbers counted from the first ever added.

        """
        return self.add_sketches(sketches(records), slots)

    def add_sketches(self, made: Bytes, slots: Sequence[int] | None = None) -> list[int | None]:
        """Meet people by their ``sketches``, shape (people, WIDTH), which other processes may have made; see ``add``.

        Raises:
            UsageError: more than 16 million people kept.

        """
        called = np.arange(self._shown, self._shown + len(made)) if slots is None else np.asarray(slots, dtype=np.int64)
        answers: list[int | None] = []
        while (done := len(answers)) < len(made):
            if self._kept == self._room:
                self._grow()
            many = min(_PIECE, max(2 * (self._room - self._kept), 64))
            answers += self._sift(made[done : done + many], called[done : done + many])
        return answers

    def _grow(self) -> None:
        """Make room for twice as many, learn from those kept so far, and enter everybody into new bands."""
        if self._room >= MOST:
            raise UsageError(f"more than {self._room:,} people in one sieve; sift them by country or another stratum")
        self._room = min(max(2 * self._room, FIRST), MOST)
        for name in ("_sketches", "_numbers"):
            old = getattr(self, name)
            new = np.zeros((self._room + _PIECE, *old.shape[1:]), dtype=old.dtype)
            new[: self._kept] = old[: self._kept]
            setattr(self, name, new)
        kept = self._sketches[: self._kept]
        some = kept[:: self._kept // _SAMPLE + 1]
        dice = Dice(self._seed, np.arange(min(_PAIRS, self._kept * 8 if self._kept > 1 else 0)))
        one = dice.below(f"stranger {self._room}", self._kept)
        other = (one + 1 + dice.below(f"step {self._room}", self._kept - 1)) % max(self._kept, 1)
        for part in self._parts:
            part.learn(some, kept[one], kept[other], self._room, self._seed)
            part.buckets = Buckets(part.bands, self._room)
            for begin in range(0, self._kept, _PIECE):
                ids = np.arange(begin, min(begin + _PIECE, self._kept), dtype=np.uint32)
                spots = part.buckets.places(part.keys(kept[ids]))
                part.buckets.enter(spots, ids, np.ones(len(ids), dtype=np.bool_))

    def _sift(self, piece: Bytes, called: Ints) -> list[int | None]:
        """Answer for as many of the piece, from its beginning, as there is room for.

        Who of the piece is kept decides what the others meet. That is assumed, tried and put right until it agrees with
        what comes out; as everybody is judged by those before, there is one such end, and mostly the second try has it.
        """
        spots = [part.buckets.places(part.keys(piece)) for part in self._parts]
        flagged = np.zeros(len(piece), dtype=np.bool_)
        while True:
            before = (self._kept + np.cumsum(~flagged) - ~flagged).astype(np.uint32)  # how many kept before each
            self._sketches[before[~flagged]] = piece[~flagged]
            undo = [p.buckets.enter(s, before, ~flagged) for p, s in zip(self._parts, spots, strict=True)]
            first, nearest = self._judge(piece, spots, before, flagged)
            flags = np.array([j in first for j in range(len(piece))])
            if (flags == flagged).all():
                break
            for part, written in zip(self._parts, undo, strict=True):
                part.buckets.leave(written)
            flagged = flags
        many = int(np.count_nonzero(before < self._room))
        kept = np.flatnonzero(~flagged[:many])
        self._numbers[before[kept], 0], self._numbers[before[kept], 1] = self._shown + kept, called[kept]
        for part, shares in zip(self._parts, nearest, strict=True):
            part.seen += np.bincount((shares[kept] * 256).astype(np.intp), minlength=257)
        answers: list[int | None] = [None] * many
        for j in np.flatnonzero(flagged[:many]).tolist():
            earlier, by, share = first[j]
            self.found.append(Found(self._shown + j, int(self._numbers[earlier, 0]), by, share))
            answers[j] = int(self._numbers[earlier, 1])
        self._kept, self._shown = self._kept + len(kept), self._shown + many
        return answers

    def _judge(
        self, piece: Bytes, spots: Sequence[Spots], before: Numbers, flagged: Flags
    ) -> tuple[dict[int, tuple[int, str, float]], Floats]:
        """For those like somebody kept: the earliest of them, the part that tells and the likeness; and the nearest of all.

        The second has shape (parts, piece).
        """
        known: dict[int, dict[int, tuple[str, float]]] = {}
        nearest = np.zeros((len(self._parts), len(piece)))
        for k, part in enumerate(self._parts):
            later, earlier = part.buckets.before(spots[k], before)
            share, enough = part.alike(piece[later], self._sketches[earlier])
            np.maximum.at(nearest[k], later, share)
            for at in np.flatnonzero(enough).tolist():
                known.setdefault(int(later[at]), {}).setdefault(int(earlier[at]), (part.name, float(share[at])))
        first: dict[int, tuple[int, str, float]] = {}
        gone: set[int] = set()  # numbers of those who were assumed to be kept and are not
        for j, like in sorted(known.items()):
            one = min((other for other in like if other not in gone), default=None)
            if one is not None:
                first[j] = (one, *like[one])
                if not flagged[j]:
                    gone.add(int(before[j]))
        return first, nearest
