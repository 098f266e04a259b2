"""Distances between what was drawn and the tables it was drawn from, beside what chance alone gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Distance:
    """Total variation distance of a sample of size ``n`` from its target, and that of a perfect random sample.

    ``chance`` is the mean over simulated multinomial samples of the same size; ``ratio`` is value / chance.
    """

    value: float
    chance: float
    n: int

    @property
    def ratio(self) -> float:
        """1 is as near as a perfect random sample; a stratified draw may be below."""
        return self.value / self.chance if self.chance else 0.0


def total_variation(p: Mapping[Hashable, float], q: Mapping[Hashable, float]) -> float:
    """Half the sum of absolute differences of two distributions over the union of their categories."""
    return 0.5 * sum(abs(p.get(k, 0.0) - q.get(k, 0.0)) for k in {*p, *q})


def against_table(
    sample: Iterable[Hashable], target: Mapping[Hashable, float], *, draws: int = 30, seed: int = 0
) -> Distance:
    """Compare a sample with target shares (normalised here)."""
    counts = Counter(sample)
    n = counts.total()
    whole = sum(target.values())
    shares = {k: x / whole for k, x in target.items() if x > 0}
    observed = {k: c / n for k, c in counts.items()}
    p = np.array(list(shares.values()))
    simulated = np.random.default_rng(seed).multinomial(n, p, size=draws) / n
    chance = float(np.abs(simulated - p).sum(axis=1).mean() / 2)
    return Distance(total_variation(observed, shares), chance, n)
