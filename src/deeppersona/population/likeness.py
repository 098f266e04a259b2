"""How alike two sketches are, part by part, how alike chance makes them, and who is worth comparing.

Each part of a sketch (``population.minhash``) is one ``Part`` here. It gives a person keys, one a band: those who share
a key are worth a look (locality-sensitive hashing, Indyk and Motwani 1998). It measures a pair on the whole part, and
tells whether that is more than the threshold asks and more than chance explains among so many people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeppersona.population.minhash import BYTES, MEANING, Bytes, Places, Words, mixed, nibbles, vectors, wholes
from deeppersona.runtime.seed import Dice

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.uint32]
Keys = list[tuple[Places, Words]]  # of each band: the people who have a key in it, by place, and their keys

MOST = (1 << 24) - 4096  # people: a bucket has 24 bits for one, and a piece may go beyond before it is cut
FIRST = 8  # people after whom something is learnt for the first time; then after 16, 32, 64 ...
_TOLD = 32  # people from whom a middle of the meanings is learnt
_PIECE = 2048  # pairs measured at once
_GUESS = 0.5  # how often strangers agree in a bin, while there is nobody to learn from
_TRUST = 16  # people whose spread weighs as much as the guess at it
_ENOUGH = 512  # people who met a stranger, to learn from how near that was
_WRONG = 1e-3  # the share of people that one part may flag wrongly
_SMALL = 1 << 18  # multiplications at once: for more, BLAS wakes threads that mostly wait for each other
_UNIT = 32.0  # weights are whole numbers of 1/32 nat, so that their sums are the same on every machine
_TAIL = 4.77  # nats that a normal deviate's bound gives the quantile .999: 3.09**2 / 2
_NEVER = 2.0  # a limit that no likeness reaches
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Part:
    """One part of a sketch: proposes earlier people, and measures how alike two are in it."""

    def __init__(self, name: str, bands: int, least: float) -> None:
        """``bands``: keys a person has; ``least``: the likeness that the threshold asks."""
        self.name, self.bands, self._least = name, bands, least
        self.buckets = Buckets(bands, 1)
        self.seen = np.zeros(257, dtype=np.int64)  # people kept, by likeness in 256ths of the nearest one proposed

    def learn(self, some: Bytes, one: Bytes, other: Bytes, people: int, seed: int) -> None:
        """Learn what is usual from some of those kept and from pairs of strangers, for up to ``people`` people."""

    def keys(self, sketches: Bytes) -> Keys:
        """The keys of people in every band."""
        raise NotImplementedError

    def alike(self, one: Bytes, other: Bytes) -> tuple[Floats, Flags]:
        """How alike pairs are (0-1), and whether that is more than the threshold asks and chance explains; (pairs,) each."""
        raise NotImplementedError

    def nearest_strangers(self) -> float:
        """The likeness that one person in a thousand has to the nearest stranger proposed, if none was flagged wrongly.

        Extremes follow Gumbel's law, laid through the quantiles .9 and .99 of those seen since this was last asked; there
        will be twice as many people.
        """
        seen, self.seen = self.seen, np.zeros_like(self.seen)
        met = int(seen[1:].sum())
        if met < _ENOUGH:
            return 0.0
        ninety, ninety_nine = np.interp([0.9, 0.99], np.cumsum(seen[1:]) / met, np.arange(2, 258) / 256)
        scale = max(float(ninety_nine - ninety) / 2.35, 1 / 256)
        return float(ninety_nine) + scale * max(float(np.log(2 * met / seen.sum() / _WRONG)) - 4.6, 0)


class Same(Part):
    """All that is compared: two people who are equal in it need no further proof, however little it is."""

    def __init__(self) -> None:
        super().__init__("same", bands=3, least=1.0)  # three tables, so that a full bucket hides nobody

    def keys(self, sketches: Bytes) -> Keys:
        """The hash of all, in as many forms as there are bands."""
        whole = wholes(sketches)
        some = np.flatnonzero(whole)
        return [(some, whole[some] * np.uint64(2 * band + 1)) for band in range(self.bands)]

    def alike(self, one: Bytes, other: Bytes) -> tuple[Floats, Flags]:
        """1 for the same hash, 0 for others."""
        same = (wholes(one) == wholes(other)) & (wholes(one) > 0)
        return same.astype(np.float64), same


class Bins(Part):
    """A MinHash part: bins of four bits, compared bin by bin."""

    def __init__(self, name: str, *, bands: int, least: float) -> None:
        super().__init__(name, bands, least)
        self._bytes = BYTES[name]
        self.bins = bins = 2 * (self._bytes.stop - self._bytes.start)
        self._first = 256 * np.arange(bins)
        self._weigh(np.full((bins, 16), _UNIT))
        self._same = np.full(bins, _GUESS)  # how often two strangers agree in a bin
        self._usual = (_GUESS, bins / 2.0, float(bins))  # the share strangers agree in, independent bins, bins compared

    def _weigh(self, weights: Floats) -> None:
        """Make the table of what a pair of values adds, in one number: weight agreed, weight of both, one bin compared."""
        weights[:, 0] = 0
        whole = np.rint(weights).astype(np.int64)
        pair = (whole[:, :, None] + whole[:, None, :]) << 16
        pair += np.eye(16, dtype=np.int64) * whole[:, :, None] << 40
        pair += np.arange(256).reshape(16, 16) > 0
        self._pair = pair.ravel()

    def learn(self, some: Bytes, one: Bytes, other: Bytes, people: int, seed: int) -> None:
        """Learn frequencies, the agreement of strangers and the bands; before there is anybody, from a guess."""
        nearest = self.nearest_strangers()
        if len(some) >= FIRST:
            values = nibbles(some[:, self._bytes]) + 16 * np.arange(self.bins)
            counts = np.bincount(values.ravel(), minlength=16 * self.bins).reshape(self.bins, 16)
            self._same = ((counts / len(some)) ** 2).sum(axis=1)
            self._weigh(-np.log((counts + 0.5) / (len(some) + 8)) * _UNIT)
            share, compared = self._shares(one, other)
            share, compared = share[compared > 0], compared[compared > 0]
            if len(share):
                mean = float(np.clip(share.mean(), 0.01, 0.9))
                guess = mean * (1 - mean) * 4 / float(compared.mean())
                variance = (float(share.var()) * len(some) + guess * _TRUST) / (len(some) + _TRUST)
                spread = mean * (1 - mean) / max(variance, 1e-6)
                tail = _TAIL / float(_divergence(np.maximum(np.quantile(share, [0.999]), mean + 0.01), mean)[0])
                self._usual = (mean, min(spread, tail, self.bins), float(compared.mean()))
        self._limits = self._beyond_chance(people, nearest)
        self._bands = self._drawn(people, seed)

    def _beyond_chance(self, people: int, nearest: float) -> Floats:
        """The least share that counts, by the number of bins compared, shape (bins + 1,)."""
        mean, independent, compared = self._usual
        grid = np.arange(257) / 256
        grid = grid[grid > mean]
        proof = np.outer(np.arange(self.bins + 1) * (independent / compared), _divergence(grid, mean))
        asked = float(np.log(people / _WRONG))
        if nearest > mean:
            asked = max(asked, independent * float(_divergence(np.array([min(nearest, 0.95)]), mean)[0]))
        enough = proof >= asked
        return np.where(enough.any(axis=1), np.maximum(grid[enough.argmax(axis=1)], self._least), _NEVER)

    def _drawn(self, people: int, seed: int) -> list[Places]:
        """Bands of bins drawn at random, those that tell people apart first, until strangers hardly ever share one."""
        worth = -np.log(np.maximum(self._same, 1e-6))
        worth[self._same > 0.9] = 0
        dice = Dice(seed, np.arange(self.bins))
        bands = []
        for band in range(self.bands):
            order = np.argsort(np.log(dice.uniform(f"{self.name} {band} {people}")) / np.maximum(worth, 1e-9))[::-1]
            order = order[worth[order] > 0]
            wide = int(np.searchsorted(np.cumsum(worth[order]), np.log(2 * people))) + 1
            bands.append(order[:wide])
        return bands

    def keys(self, sketches: Bytes) -> Keys:
        """Hashes of the bins of a band, of those in whom more than half of them hold something."""
        values = nibbles(sketches[:, self._bytes]).T
        holds, wide = values > 0, values.astype(np.uint64, order="C")
        out = []
        for columns in self._bands:
            some = np.flatnonzero(2 * np.count_nonzero(holds[columns], axis=0) > len(columns))
            key = np.zeros(values.shape[1], dtype=np.uint64)
            for column in columns:
                key *= _ODD
                key += wide[column]
            out.append((some, key[some]))
        return out

    def _shares(self, one: Bytes, other: Bytes) -> tuple[Floats, Places]:
        """The weighted share of bins in which pairs agree, and how many bins either has; shape (pairs,) each."""
        total = np.zeros(len(one), dtype=np.int64)
        for begin in range(0, len(one), _PIECE):
            piece = slice(begin, begin + _PIECE)
            a, b = nibbles(one[piece, self._bytes]), nibbles(other[piece, self._bytes])
            total[piece] = self._pair.take(self._first + (a << 4 | b)).sum(axis=1)
        return 2 * (total >> 40) / np.maximum(total >> 16 & 0xFFFFFF, 1), total & 0xFFFF

    def alike(self, one: Bytes, other: Bytes) -> tuple[Floats, Flags]:
        """The weighted share of bins in which pairs agree."""
        share, compared = self._shares(one, other)
        return share, share >= self._limits[compared]

    def half_alike(self, one: Bytes, other: Bytes) -> Flags:
        """Whether pairs are more than halfway from strangers to duplicates."""
        share, compared = self._shares(one, other)
        return share >= (self._limits[compared] + self._usual[0]) / 2


class Meaning(Part):
    """The directions of the texts in the space of the embedder, seen from the middle of everybody.

    Proof only together with shingles halfway alike: texts that the embedder cannot read (garbled, another language) all
    point one way.
    """

    def __init__(self, shingles: Bins, *, bands: int, least: float) -> None:
        super().__init__("meaning", bands, least)
        self._shingles = shingles
        self._limit = _NEVER  # nobody is judged by meaning before there are some to learn from
        self._middle = np.zeros(MEANING, dtype=np.float32)
        self._planes = np.zeros((MEANING, 0), dtype=np.float32)

    def learn(self, some: Bytes, one: Bytes, other: Bytes, people: int, seed: int) -> None:
        """Learn the middle, and from the cosines of strangers which cosine chance cannot explain."""
        nearest = self.nearest_strangers()
        wide = int(np.ceil(np.log2(2 * people)))
        bits = Dice(seed, np.arange(self.bands * wide)).bits(f"planes {people}")
        signs = bits >> np.arange(MEANING, dtype=np.uint64)[:, None] & np.uint64(1)
        self._planes = np.where(signs, 1, -1).astype(np.float32)
        told = vectors(some)
        told = told[told.any(axis=1)]
        if len(told) < _TOLD:
            return
        self._middle = np.rint(told.mean(axis=0, dtype=np.float64)).astype(np.float32)
        cosine = self._cosines(one, other)
        # Of vectors in d dimensions, a share of about (1 - c**2) ** ((d - 1) / 2) has a cosine above c; 1/d is its variance.
        power = (1 / max(float((cosine**2).mean()), 1e-3) - 1) / 2
        tail = _TAIL / -float(np.log1p(-(np.clip(np.quantile(cosine, 0.999), 0.1, 0.99) ** 2)))
        limit = np.sqrt(1 - (_WRONG / people) ** (1 / max(min(power, tail), 0.1)))
        self._limit = max(float(np.ceil(limit * 256) / 256), self._least, min(nearest, 0.99))

    def _cosines(self, one: Bytes, other: Bytes) -> Floats:
        a, b = vectors(one), vectors(other)
        told = a.any(axis=1) & b.any(axis=1)
        a, b = a - self._middle, b - self._middle
        aa, bb, ab = (np.einsum("ij,ij->i", x, y).astype(np.float64) for x, y in ((a, a), (b, b), (a, b)))  # exact
        return np.where(told, np.maximum(ab, 0) / np.maximum(np.sqrt(aa * bb), 1.0), 0.0)

    def keys(self, sketches: Bytes) -> Keys:
        """The sides of a band's planes that people are on (random hyperplanes: Charikar 2002)."""
        if self._limit > 1:
            return []
        some = np.flatnonzero(sketches[:, BYTES["meaning"]].any(axis=1))
        told = vectors(sketches[some]) - self._middle
        few = _SMALL // self._planes.size + 1
        cuts = [told[a : a + few] @ self._planes > 0 for a in range(0, len(told), few)]  # whole numbers: exact
        sides = np.concatenate([np.zeros((0, self._planes.shape[1]), dtype=np.bool_), *cuts])
        packed = np.packbits(sides.reshape(len(some), self.bands, -1), axis=2)
        keys = np.zeros(packed.shape[:2], dtype=np.uint64)
        for byte in range(packed.shape[2]):
            keys = keys << np.uint64(8) | packed[:, :, byte]
        return [(some, keys[:, band]) for band in range(self.bands)]

    def alike(self, one: Bytes, other: Bytes) -> tuple[Floats, Flags]:
        """The cosine of pairs."""
        cosine = self._cosines(one, other)
        enough = cosine >= self._limit
        enough[enough] = self._shingles.half_alike(one[enough], other[enough])
        return cosine, enough


def _divergence(share: Floats, mean: float) -> Floats:
    """Kullback and Leibler's divergence of shares from a mean, in nats; shares above 0."""
    rest = np.maximum(1 - share, 1e-12)
    return np.asarray(share * np.log(share / mean) + rest * np.log(rest / (1 - mean)))


_DEEP = 8  # people a bucket holds
_IDS = 24  # bits of a person's number in a bucket; the other eight are a tag of the key
_NUMBER = np.uint32((1 << _IDS) - 1)
Spots = tuple[Places, Places, Numbers]


class Buckets:
    """A hash table of every band: key -> the first people who came with it. Four bytes an entry, three quarters full.

    A bucket is shared by many keys, told apart by a tag of eight bits: what it answers is worth a look, no more.
    """

    def __init__(self, bands: int, people: int) -> None:
        """``people``: how many will be entered, fewer than 2**24."""
        self._many = people * 4 // (3 * _DEEP) + 1  # of a band
        self._rows = np.zeros((bands * self._many, _DEEP), dtype=np.uint32)
        self._full = np.zeros(bands * self._many, dtype=np.uint8)  # how many a bucket holds

    def places(self, keys: Keys) -> Spots:
        """Where people belong: who they are (by place in the keys), their buckets and their tags; (entries,) each."""
        if not keys:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.uint32)
        key = mixed(np.concatenate([key for _, key in keys]))
        bucket = ((key >> np.uint64(32)) * np.uint64(self._many) >> np.uint64(32)).astype(np.intp)
        bucket += np.repeat(np.arange(len(keys)) * self._many, [len(some) for some, _ in keys])
        return np.concatenate([some for some, _ in keys]), bucket, key.astype(np.uint32) << np.uint32(_IDS)

    def enter(self, spots: Spots, ids: Numbers, kept: Flags) -> tuple[Places, Bytes]:
        """Enter those who are kept, ``ids`` ascending; who finds a bucket full is not entered in that band.

        Returns what ``leave`` needs to undo it.
        """
        some, bucket, tag = spots
        stay = np.flatnonzero(kept[some])
        bucket, entry = bucket[stay], tag[stay] | (ids[some[stay]] + np.uint32(1))
        rows, before = self._rows.reshape(-1), self._full.take(bucket)
        at = bucket * _DEEP + before
        todo = np.flatnonzero(before < _DEEP)
        while len(todo):
            spot, new = at[todo], entry[todo]
            rows[spot[::-1]] = new[::-1]  # of several at one place the first is written last, and stays
            self._full[bucket[todo]] = spot % _DEEP + 1
            todo = todo[rows.take(spot) != new]
            at[todo] += 1
            todo = todo[at[todo] % _DEEP > 0]
        return bucket, before

    def leave(self, before: tuple[Places, Bytes]) -> None:
        """Undo the last ``enter``."""
        bucket, full = before
        self._rows[bucket] *= np.arange(_DEEP) < full[:, None]
        self._full[bucket] = full

    def before(self, spots: Spots, ids: Numbers) -> tuple[Places, Numbers]:
        """Who with a number below one's own shares a bucket and a tag: (place in the keys, number), in order.

        Shape (pairs,) each, every pair once. Entered in one batch or one by one, the answers are the same.
        """
        some, bucket, tag = spots
        held = self._rows.take(bucket, axis=0)
        hit = np.flatnonzero((held ^ tag[:, None]) <= _NUMBER)  # the same tag
        place, number = some[hit // _DEEP], held.reshape(-1)[hit] & _NUMBER
        real = (number > 0) & (number <= ids[place])
        single = np.sort(place[real].astype(np.uint64) << np.uint64(32) | (number[real] - np.uint32(1)))
        single = single[np.diff(single, prepend=~np.uint64(0)) > 0]
        return (single >> np.uint64(32)).astype(np.intp), single.astype(np.uint32)
