"""Distances between distributions of answers over the options of an item, and the published ones between samples.

The first kind takes shares over the options, shape (..., options), so that thousands of resamples are measured at once.
The second (``PAPER``) takes the raw values of two samples and computes what the DeepPersona evaluation computed
(arXiv 2511.07338 and the code beside it), trap for trap: see ``binned_js_distance``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deeppersona.runtime.seed import Floats

_BINS = 19  # twenty edges in the published code
_CLIP = 1e-10  # the published code lifts empty bins to this density
Measure = Callable[[Floats, Floats, Floats], Floats]


def ks(p: Floats, q: Floats, values: Floats) -> Floats:
    """Kolmogorov-Smirnov: the largest difference of the cumulative shares, 0..1. Options in order."""
    return np.asarray(np.abs(np.cumsum(p - q, axis=-1)).max(axis=-1))


def wasserstein(p: Floats, q: Floats, values: Floats) -> Floats:
    """Wasserstein-1 (earth mover's) distance in units of the item's scale; ``values`` (options,) ascend."""
    gap = np.abs(np.cumsum(p - q, axis=-1)[..., :-1])
    return np.asarray(gap @ np.diff(values))


def wasserstein_scaled(p: Floats, q: Floats, values: Floats) -> Floats:
    """Wasserstein-1 with the range of the scale as unit, 0..1: comparable over items."""
    return wasserstein(p, q, values) / max(float(values[-1] - values[0]), 1e-300)


def js_divergence(p: Floats, q: Floats, values: Floats) -> Floats:
    """Jensen-Shannon divergence over the options in bits, 0..1 (Lin 1991)."""
    middle = (p + q) / 2
    return np.asarray(np.maximum(_against(p, middle) + _against(q, middle), 0.0) / 2)


def _against(p: Floats, middle: Floats) -> Floats:
    """Kullback-Leibler divergence of p from the middle, in bits; 0 log 0 is 0."""
    ratio = np.divide(p, middle, out=np.ones_like(middle), where=(p > 0) & (middle > 0))
    return np.asarray((p * np.log2(ratio)).sum(axis=-1))


def js_distance(p: Floats, q: Floats, values: Floats) -> Floats:
    """The square root of the divergence in bits, 0..1: a metric (Endres and Schindelin 2003)."""
    return np.asarray(np.sqrt(js_divergence(p, q, values)))


def total_variation(p: Floats, q: Floats, values: Floats) -> Floats:
    """Half the sum of absolute differences in shares: the share of people who would have to answer otherwise, 0..1."""
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def bias(p: Floats, q: Floats, values: Floats) -> Floats:
    """Mean of p minus mean of q in units of the scale, with its sign."""
    return np.asarray((p - q) @ values)


def mean_difference(p: Floats, q: Floats, values: Floats) -> Floats:
    """The size of the bias with the range of the scale as unit, 0..1."""
    return np.asarray(np.abs(bias(p, q, values)) / max(float(values[-1] - values[0]), 1e-300))


@dataclass(frozen=True)
class Metric:
    """A distance over options: its name in reports, what it computes, and whether the options must have an order."""

    name: str
    title: str
    of: Measure
    ordered: bool


METRICS = (
    Metric("ks", "KS", ks, True),
    Metric("wasserstein", "Wasserstein, range 1", wasserstein_scaled, True),
    Metric("js_divergence", "JS divergence, bits", js_divergence, False),
    Metric("js_distance", "JS distance", js_distance, False),
    Metric("total_variation", "total variation", total_variation, False),
    Metric("mean_difference", "mean difference, range 1", mean_difference, True),
)


def sample_ks(a: Floats, b: Floats) -> float:
    """The two-sample Kolmogorov-Smirnov statistic of values (n,) and (m,); as ``scipy.stats.ks_2samp``."""
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    return float(np.abs(np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b)).max())


def sample_wasserstein(a: Floats, b: Floats) -> float:
    """Wasserstein-1 of values (n,) and (m,) in their own units; as ``scipy.stats.wasserstein_distance``."""
    a, b = np.sort(a), np.sort(b)
    both = np.sort(np.concatenate([a, b]))
    at = both[:-1]
    gap = np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b))
    return float(gap @ np.diff(both))


def binned_js_distance(a: Floats, b: Floats) -> float:
    """The published "JS divergence": scipy's *distance* (a square root, in nats) over 19 equal bins from minimum to maximum.

    Empty bins are lifted to a density of 1e-10, as there. Two constant and equal samples, where the published code gives
    nan, are at distance 0.
    """
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if low == high:
        return 0.0
    edges = np.linspace(low, high, _BINS + 1)
    p, q = (np.clip(np.histogram(x, bins=edges, density=True)[0], _CLIP, None) for x in (a, b))
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(np.sqrt(max(float((p * np.log(p / middle)).sum() + (q * np.log(q / middle)).sum()), 0.0) / 2))


def sample_mean_difference(a: Floats, b: Floats) -> float:
    """Absolute difference of the means of values (n,) and (m,)."""
    return float(abs(a.mean() - b.mean()))


PAPER: dict[str, tuple[str, Callable[[Floats, Floats], float]]] = {
    "ks": ("KS", sample_ks),
    "wasserstein": ("Wasserstein, scale units", sample_wasserstein),
    "js_distance_19_bins": ("JS distance over 19 bins, nats", binned_js_distance),
    "mean_difference": ("mean difference, scale units", sample_mean_difference),
}
