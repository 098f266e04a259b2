"""A person in 200 bytes: what is compared to find near-duplicates, a pure function of the record.

Four parts, each of which finds copies that the others miss, and a hash of all that is compared, which finds the same
person however little is told:

* ``traits``: MinHash over paths. A trait falls into one of 96 bins by its path; the bin keeps the value of the path that
  comes first. So two people told by the same attributes are compared attribute by attribute, which tells a copy with a
  fifth of its values redrawn from a stranger far better than the overlap of two sets does.
* ``places``: the letters at 64 places of the text. A copy with a fifth of its characters replaced keeps 80% of them, but
  hardly a third of its words and a quarter of its shingles. Blind to what was moved: that is what shingles are for.
* ``shingles``: one-permutation MinHash (Broder 1997; Li, Owen and Zhang 2012) over runs of five characters, 96 bins.
  Finds copies with insertions, deletions and sentences in another order. Runs of characters rather than of words:
  measured on our portraits, 5% of characters edited leave 65% of such shingles the same and 40% of pairs of words.
* ``meaning``: the mean of the vectors of the words of four letters and more (``models.embedder``), whole numbers from
  -127 to 127. Order is nothing to it. Shorter words, pronouns above all, only tell what many share.

The first three keep four bits a bin (b-bit MinHash: Li and König 2010), 0 for nothing, two bins a byte.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.models.embedder import Vectors, default_embedder, normalise

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.intp]
Numbers = NDArray[np.uint32]

TRAITS, PLACES, SHINGLES, MEANING = 96, 64, 96, 64  # bins of the three MinHash parts; dimensions of the vector
WHOLE = 8  # bytes of the hash of all
_CUT = (0, TRAITS // 2, (TRAITS + PLACES) // 2, (TRAITS + PLACES + SHINGLES) // 2)
BYTES = {name: slice(a, b) for name, a, b in zip(("traits", "places", "shingles"), _CUT, _CUT[1:], strict=False)}
BYTES |= {"meaning": slice(_CUT[3], _CUT[3] + MEANING), "whole": slice(_CUT[3] + MEANING, _CUT[3] + MEANING + WHOLE)}
WIDTH = _CUT[3] + MEANING + WHOLE  # bytes of a sketch
RUN = 5  # characters of a shingle
CORE = frozenset(
    f"demographics.{key}"
    for key in (
        "country", "region", "age", "sex", "education", "urban", "city", "marital_status", "children", "household_size",
        "religion", "language", "employment_status", "occupation", "income", "name", "former_occupation",
    )
)  # fmt: skip

_GAP = " " * RUN  # between two texts, so that no shingle holds letters of both
_AT = np.array([4 * k + k * k // 8 for k in range(PLACES)], dtype=np.intp)  # 0 to 748, closer together at the beginning
_LETTERS = 26  # codes 1 to 26 are a to z
_OTHER = 64  # codes from here on are the letters of other scripts, hashed
_SHARED = ("", " ", "e", "tz", "axj", "oq", "nk", "i", "sv", "rb", "hp", "dw", "lg", "uyf", "cm")  # letters of a nibble
_PIECE = 1 << 18  # characters sketched at once
_ORDER = 56  # bits of a trait's code below the bin
_KEPT = 512  # values of one path whose hashes are kept: options, not free text
_LONG = 4  # letters of a word that counts for the meaning
_WORDS = 1 << 15  # words whose vectors are kept
_ODD = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64


def sketches(records: Sequence[Mapping[str, Any]]) -> Bytes:
    """Sketch people, each from its own record alone: any process may do it, in any batch.

    Args:
        records: people as in ``personas/part-*.jsonl``; ``traits``, ``stories`` and ``narrative`` may be missing.

    Returns:
        Shape (people, WIDTH): 48 bytes of traits, 32 of places, 48 of shingles, 64 of meaning (int8 seen as uint8), 8 of
        the hash of all, 0 where there is neither a text nor a trait outside the core.

    """
    texts = [_text(record) for record in records]
    out = np.zeros((len(records), WIDTH), dtype=np.uint8)
    size = np.cumsum([len(text) + RUN for text in texts]) // _PIECE  # so many characters at once stay in the cache
    for a, b in pairwise([0, *(np.flatnonzero(np.diff(size)) + 1).tolist(), len(records)] if texts else []):
        codes, begin, end = _folded(texts[a:b])
        bins, whole = _traits(records[a:b])
        totals = _Totals(codes)
        out[a:b, BYTES["traits"]] = _packed(bins)
        out[a:b, BYTES["places"]] = _packed(_places(codes, begin, end))
        out[a:b, BYTES["shingles"]] = _packed(_shingles(codes, begin, end))
        out[a:b, BYTES["meaning"]] = _meaning(codes, begin, end, totals).view(np.uint8)
        told = np.flatnonzero(end > begin)
        whole[told] += totals.keys(begin[told], end[told])
        out[a:b, BYTES["whole"]] = whole.astype("<u8")[:, None].view(np.uint8)
    return out


def nibbles(packed: Bytes) -> Bytes:
    """Unpack bins: shape (people, bytes) to (people, 2 x bytes), each 0 (nothing) to 15."""
    out = np.empty((packed.shape[0], 2 * packed.shape[1]), dtype=np.uint8)
    np.bitwise_and(packed, 15, out=out[:, 0::2])
    np.right_shift(packed, 4, out=out[:, 1::2])
    return out


def vectors(sketches: Bytes) -> Vectors:
    """The vectors of the meanings, shape (people, MEANING); zeros where there was nothing to read."""
    return sketches[:, BYTES["meaning"]].view(np.int8).astype(np.float32)


def wholes(sketches: Bytes) -> Words:
    """The hashes of all that is compared, shape (people,); 0 where that is nothing."""
    return np.ascontiguousarray(sketches[:, BYTES["whole"]]).view("<u8")[:, 0].astype(np.uint64)


def mixed(x: Words) -> Words:
    """Scatter 64-bit keys (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _packed(bins: Bytes) -> Bytes:
    return np.asarray(bins[:, 0::2] | (bins[:, 1::2] << 4), dtype=np.uint8)


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


# --- traits


class _Values(dict[str, int]):
    """Value of one path -> bin, order of the path in its bin (28 bits), four bits of the value, 24 more of it."""

    def __init__(self, path: str) -> None:
        key = _key(path)
        self._path = path
        self._head = TRAITS if path in CORE else key % TRAITS  # core traits go into a bin that is thrown away
        self._head = self._head << _ORDER | key >> 36 << 28

    def __missing__(self, value: str) -> int:
        key = _key(f"{self._path}={value}")
        code = self._head | key % 15 + 1 << 24 | key >> 40
        if len(self) < _KEPT:
            self[value] = code
        return code


class _Paths(dict[str, _Values]):
    """Path -> its values. A cache and nothing more: what it answers is a function of path and value."""

    def __missing__(self, path: str) -> _Values:
        if len(self) >= 1 << 14:
            self.clear()
        self[path] = values = _Values(path)
        return values


_paths = _Paths()


def _codes(traits: Iterable[Mapping[str, Any]]) -> list[int]:
    return [
        _paths[trait["path"]][value if (value := trait["value"]).__class__ is str else str(value)] for trait in traits
    ]


def _traits(records: Sequence[Mapping[str, Any]]) -> tuple[Bytes, Words]:
    """Bins of the traits that are not of the core, shape (people, TRAITS), and a hash of all of those, (people,)."""
    every: list[int] = []
    counts = []
    for record in records:
        codes = _codes(record.get("traits") or ())
        counts.append(len(codes))
        every += codes
    code = np.array(every, dtype=np.int64)
    width = TRAITS + 1
    owner, column = np.repeat(np.arange(len(records)), counts), code >> _ORDER
    none = np.int64(1 << _ORDER)
    first = np.full(len(records) * width, none, dtype=np.int64)
    np.minimum.at(first, owner * width + column, code & (none - 1))
    bins = np.where(first < none, first >> 24 & 15, 0).astype(np.uint8).reshape(-1, width)
    whole = np.zeros(len(records), dtype=np.uint64)
    drawn = column < TRAITS
    with np.errstate(over="ignore"):
        np.add.at(whole, owner[drawn], mixed(code[drawn].astype(np.uint64)))
    return bins[:, :TRAITS], whole


# --- texts


def _text(record: Mapping[str, Any]) -> str:
    parts = [record.get("narrative") or ""]
    parts += [story.get("text") or "" for story in record.get("stories") or ()]
    return _GAP.join(part for part in parts if part)


@lru_cache(maxsize=1)
def _fold() -> Bytes:
    """Code of every character below 65,536: letters without case and accents, one code for all white space."""
    table = np.asarray(_OTHER + (np.arange(1 << 16, dtype=np.uint32) * 40503 >> 7) % (256 - _OTHER), dtype=np.uint8)
    codes = {chr(ord("a") + k): k + 1 for k in range(_LETTERS)} | {str(d): 27 + d for d in range(10)}
    for point in range(0x0600):  # Latin, Greek, Cyrillic and their neighbours have cases and accents
        char = chr(point)
        base = (unicodedata.normalize("NFKD", char.casefold()) or char)[0]
        if char.isspace() or point < 32:
            table[point] = 37
        else:
            table[point] = codes.get(base, 38 + ord(base) % 26 if point < 128 else table[ord(base)])
    table[[0x2018, 0x2019, 0x201C, 0x201D]] = table[[39, 39, 34, 34]]  # marks of speech, curved and straight
    return table


def _folded(texts: Sequence[str]) -> tuple[Bytes, Places, Places]:
    """All texts as codes in one array with gaps between, and where each begins and ends."""
    whole = _GAP.join(texts) + _GAP
    if whole.isascii():
        points: NDArray[Any] = np.frombuffer(whole.encode("ascii"), dtype=np.uint8)
    else:
        points = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        points = np.where(points < 1 << 16, points, 0xE000 + points % 0x1900)  # beyond: among those of no script
    lengths = np.array([len(text) for text in texts], dtype=np.intp)
    begin = np.cumsum(lengths + RUN) - lengths - RUN
    return _fold()[points], begin, begin + lengths


@lru_cache(maxsize=1)
def _nibble_of_code() -> Bytes:
    """Letters shared out over 15 values so that two strangers agree as seldom as can be (about one place in twelve)."""
    table = (np.arange(256) % 15 + 1).astype(np.uint8)
    fold = _fold()
    for value, letters in enumerate(_SHARED):
        for letter in letters:
            table[fold[ord(letter)]] = value
    return table


def _places(codes: Bytes, begin: Places, end: Places) -> Bytes:
    """The letters at fixed places counted from the beginning, shape (people, PLACES); 0 beyond the end."""
    at = begin[:, None] + _AT
    inside = at < end[:, None]
    return np.asarray(_nibble_of_code()[codes[np.where(inside, at, 0)]] * inside, dtype=np.uint8)


def _owner(begin: Places, end: Places, short: int) -> Places:
    """Whose text each position is, shape (characters,); ``len(begin)`` for gaps and the last ``short`` of every text."""
    people = len(begin)
    kept = np.maximum(end - begin - short, 0)
    runs = np.empty(2 * people, dtype=np.intp)
    runs[0::2], runs[1::2] = kept, end - begin + RUN - kept
    who = np.full(2 * people, people, dtype=np.intp)
    who[0::2] = np.arange(people)
    return np.repeat(who, runs)


def _shingles(codes: Bytes, begin: Places, end: Places) -> Bytes:
    """The least hash of each bin over all runs of five characters, four bits of it, shape (people, SHINGLES)."""
    many = len(codes) - RUN + 1
    wide = codes.astype(np.uint32)
    with np.errstate(over="ignore"):
        key = wide[:many] * np.uint32(0x9E3779B1)
        for k in range(1, RUN):
            key += wide[k : many + k]
            key *= np.uint32(0x9E3779B1)
        key ^= key >> np.uint32(15)
        key *= np.uint32(0x85EBCA6B)
        key ^= key >> np.uint32(13)
        key *= np.uint32(0xC2B2AE35)
        bins = ((key >> np.uint32(16)) * np.uint32(SHINGLES)) >> np.uint32(16)
        order = (key ^ (key >> np.uint32(16))) * np.uint32(0x7FEB352D)
        owner = _owner(begin, end, RUN - 1)[:many]
        none = np.uint32(0xFFFFFFFF)
        least = np.full((len(begin) + 1) * SHINGLES, none, dtype=np.uint32)
        np.minimum.at(least, owner * SHINGLES + bins, order)
        value = ((least ^ (least >> np.uint32(15))) * np.uint32(0x846CA68B)) >> np.uint32(16)
    out = np.where(least == none, 0, value % np.uint32(15) + 1).astype(np.uint8)
    return out.reshape(-1, SHINGLES)[: len(begin)]


# --- meaning


class _WordVectors:
    """Word vectors by the hash of the word, sorted. A cache and nothing more: it is emptied when full."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._keys = np.array([~np.uint64(0)])  # a last one, so that every search ends at a place
        self._vectors = np.zeros((1, MEANING), dtype=np.float32)

    def _rows(self, keys: Words, spell: Callable[[Places], list[str]]) -> Places:
        if len(self._keys) > _WORDS:
            self._clear()
        rows = np.searchsorted(self._keys, keys)
        missing = np.flatnonzero(self._keys[rows] != keys)
        if len(missing):
            new, at = np.unique(keys[missing], return_index=True)
            vectors = default_embedder().embed(spell(missing[at]))
            place = np.searchsorted(self._keys, new)
            self._keys = np.insert(self._keys, place, new)
            self._vectors = np.insert(self._vectors, place, vectors, axis=0)
            rows = np.searchsorted(self._keys, keys)
        return rows

    def sums(self, keys: Words, owner: Places, people: int, spell: Callable[[Places], list[str]]) -> Vectors:
        """Add up the vectors of each person's words (``owner`` ascending), shape (people, MEANING), whole numbers.

        ``spell`` gives the words at places of ``keys``, for those met for the first time.
        """
        rows = self._rows(keys, spell)
        out = np.zeros((people, MEANING), dtype=np.float32)
        cuts = np.searchsorted(owner, np.arange(people + 1)).tolist()
        for person, (a, b) in enumerate(pairwise(cuts)):  # one person at a time: what a processor's cache holds
            self._vectors.take(rows[a:b], axis=0).sum(axis=0, out=out[person])
        return out


@lru_cache(maxsize=1)
def _word_vectors() -> _WordVectors:
    return _WordVectors()


@lru_cache(maxsize=4)
def _powers(log2: int) -> tuple[Words, Words]:
    """Powers of an odd number and of its inverse modulo 2**64, 2**log2 of each."""
    up = np.full(1 << log2, _ODD, dtype=np.uint64)
    down = np.full(1 << log2, pow(_ODD, -1, 1 << 64), dtype=np.uint64)
    return np.cumprod(up, dtype=np.uint64), np.cumprod(down, dtype=np.uint64)


class _Totals:
    """Running sums of a polynomial in the codes: a stretch has the same hash wherever it stands."""

    def __init__(self, codes: Bytes) -> None:
        up, self._down = _powers(max(len(codes).bit_length(), 16))
        self._sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum(codes * up[: len(codes)], dtype=np.uint64, out=self._sums[1:])

    def keys(self, first: Places, last: Places) -> Words:
        """64-bit hashes of the stretches [first, last), shape of both."""
        with np.errstate(over="ignore"):
            return mixed((self._sums[last] - self._sums[first]) * self._down[first])


def _meaning(codes: Bytes, begin: Places, end: Places, totals: _Totals) -> NDArray[np.int8]:
    """The direction of the mean of a text's word vectors, whole numbers of length 127, shape (people, MEANING)."""
    letter = (codes >= 1) & (codes <= _LETTERS)
    edge = np.flatnonzero(np.diff(letter, prepend=False, append=False))
    long = edge[1::2] - edge[0::2] >= _LONG
    first, last = edge[0::2][long], edge[1::2][long]
    if not len(first):
        return np.zeros((len(begin), MEANING), dtype=np.int8)

    def spell(places: Places) -> list[str]:
        return [(codes[first[p] : last[p]] + 96).tobytes().decode("ascii") for p in places]

    owner = np.searchsorted(begin, first, side="right") - 1
    sums = _word_vectors().sums(totals.keys(first, last), owner, len(begin), spell)
    return normalise(sums).astype(np.int8)
