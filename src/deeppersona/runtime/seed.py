"""Random numbers addressed by (seed, slot, label): no stream to advance, so no order to depend on.

Each draw is a pure function of three integers, mixed with the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
A slot is the place of a person in a plan; a label names what is drawn. So a person can be made alone, in any batch
and on any machine with the same result, and adding an attribute moves nobody else's draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(n) for n in (30, 27, 31, 11))
_TO_UNIT = 2.0**-53


@lru_cache(maxsize=65536)
def label_key(label: str) -> np.uint64:
    """Return the 64-bit key of a label."""
    return np.uint64(int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little"))


def label_keys(labels: Sequence[str]) -> Words:
    """Return the keys of several labels, shape (labels,)."""
    return np.array([label_key(label) for label in labels], dtype=np.uint64)


def _mix(x: Words) -> Words:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> _S30)) * _A
        x = (x ^ (x >> _S27)) * _B
    return x ^ (x >> _S31)


class Dice:
    """The draws of a batch of slots. Every method returns one row per slot, in the order of ``slots``."""

    def __init__(self, seed: int | str, slots: Ints, salt: Words | None = None) -> None:
        """``salt`` keeps apart people who share seed and slot, as those of two countries do."""
        self.seed = seed
        self.slots = np.asarray(slots, dtype=np.int64)
        with np.errstate(over="ignore"):
            base = (self.slots.astype(np.uint64) + np.uint64(1)) * _GAMMA
        self._base = _mix(base ^ label_key(f"seed:{seed}"))
        if salt is not None:
            self._base = _mix(self._base ^ salt)

    def __len__(self) -> int:
        return len(self.slots)

    def _derived(self, slots: Ints, base: Words) -> Dice:
        part = object.__new__(Dice)
        part.seed, part.slots, part._base = self.seed, slots, base
        return part

    def rows(self, index: NDArray[np.intp]) -> Dice:
        """Return the dice of some of the slots only."""
        return self._derived(self.slots[index], self._base[index])

    def again(self, attempt: int) -> Dice:
        """Return other dice for the same slots, to draw once more."""
        return self._derived(self.slots, _mix(self._base ^ label_key(f"again {attempt}")))

    @staticmethod
    def side_by_side(dice: Sequence[Dice]) -> Dice:
        """Return the dice of several batches of one seed as those of one batch."""
        slots, base = (np.concatenate([getattr(d, name) for d in dice]) for name in ("slots", "_base"))
        return dice[0]._derived(slots, base)

    def bits(self, label: str) -> Words:
        """64 random bits a slot, shape (slots,)."""
        return _mix(_mix(self._base ^ label_key(label)) + _GAMMA)

    def uniform(self, label: str) -> Floats:
        """Uniform on the open interval (0, 1), shape (slots,)."""
        return ((self.bits(label) >> _S11).astype(np.float64) + 0.5) * _TO_UNIT

    def uniforms(self, keys: Words) -> Floats:
        """Uniform on (0, 1) for several label keys, shape (slots, keys); column j equals ``uniform`` of label j."""
        with np.errstate(over="ignore"):
            bits = _mix(_mix(self._base[:, None] ^ keys[None, :]) + _GAMMA)
        return ((bits >> _S11).astype(np.float64) + 0.5) * _TO_UNIT

    def normal(self, label: str) -> Floats:
        """Standard normal by Box and Muller (1958), shape (slots,)."""
        radius = np.sqrt(-2.0 * np.log(self.uniform(label)))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(label + "/angle")))

    def below(self, label: str, n: int) -> Ints:
        """A whole number in 0..n-1, shape (slots,)."""
        return (self.uniform(label) * n).astype(np.int64)


def pick(cumulative: Floats, u: Floats) -> Ints:
    """Inverse-CDF choice: ``cumulative`` is (slots, options) running sums (not normalised), ``u`` uniform (slots,).

    Returns the index of the first option whose running sum exceeds u times the total; shape (slots,). An option of
    weight zero is never chosen.
    """
    target = u * cumulative[:, -1]
    return np.asarray((cumulative <= target[:, None]).sum(axis=1)).clip(max=cumulative.shape[1] - 1)
