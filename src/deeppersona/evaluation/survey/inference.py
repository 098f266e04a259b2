"""Prediction-powered inference: a small human sample and many predictions, with intervals that hold whatever the predictions.

The estimate is lam * mean(f over the many) + mean(y - lam * f over the humans). Were the predictions perfect, the second term
would vanish and the many would count as humans; are they worthless, the tuned ``lam`` is 0 and what is left is the human mean
(Angelopoulos et al. 2023, Science 382; power-tuned in "PPI++", arXiv 2311.01453, section 6). Weighted means are ratios,
their variances linearised (Särndal, Swensson and Wretman 1992, 5.5), with a factor of n / (n - 1) for small samples; that of
the rectified estimate is a jackknife over the humans, so that tuning on few of them is paid for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from deeppersona.population.weights import effective_n
from deeppersona.runtime.seed import Floats

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and interval."""

    value: float
    se: float
    low: float
    high: float

    def record(self) -> dict[str, float]:
        """As plain values."""
        return {"value": self.value, "se": self.se, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Rectified:
    """The same figure three ways: synthetic alone, humans alone, and rectified with its tuning ``lam``.

    ``effective_n`` is the number of humans alone whose interval would be as narrow; ``n`` how many there were, counted by
    Kish where they have weights.
    """

    synthetic: Estimate
    humans: Estimate
    rectified: Estimate
    lam: float
    n: float
    effective_n: float

    def record(self) -> dict[str, Any]:
        """As plain values; ``covered`` says whether the synthetic figure lies within the rectified interval."""
        return {
            "synthetic alone": self.synthetic.record(), "humans alone": self.humans.record(), "rectified": self.rectified.record(),
            "lambda": self.lam, "n": self.n, "effective n": self.effective_n, "gained": self.effective_n - self.n,
            "synthetic bias": self.synthetic.value - self.rectified.value,
            "synthetic within the interval": self.rectified.low <= self.synthetic.value <= self.rectified.high,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Material:
    """What one figure rests on: human answers y (n,), predictions of them (n,), weights (n,); predictions of the many (N,) and weights.

    ``own`` are the answers of the many themselves (N,), which the predictions were made of: synthesis alone is their mean.
    """

    y: Floats
    predicted: Floats
    weight: Floats
    many: Floats
    many_weight: Floats
    own: Floats


def t_quantile(p: float, freedom: float) -> float:
    """The quantile of Student's t by Hill's expansion of the normal's (1970; Abramowitz and Stegun 26.7.5): within .001 from 5 degrees on."""
    z = NormalDist().inv_cdf(p)
    g = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom ** (k + 1) for k, term in enumerate(g))


def _normalised(weight: Floats) -> Floats:
    return np.asarray(weight / weight.sum())


def _mean(x: Floats, weight: Floats) -> tuple[float, float]:
    """Weighted mean and the variance of it, linearised."""
    w = _normalised(weight)
    mean = float(w @ x)
    n = int((weight > 0).sum())
    return mean, float((w**2) @ (x - mean) ** 2) * n / max(n - 1, 1)


def _tuning(
    m: Material, worth: float, y: Floats | float = 0.0, f: Floats | float = 0.0, w: Floats | float = 0.0
) -> tuple[Any, Any, Any]:
    """(mean of y, mean of f, lam) of the humans, each person ``w`` with answers ``y``, ``f`` left out in turn."""
    total = m.weight.sum() - w
    mean_y, mean_f = (m.weight @ m.y - w * y) / total, (m.weight @ m.predicted - w * f) / total
    cross = (m.weight @ (m.y * m.predicted) - w * y * f) / total - mean_y * mean_f
    square = (m.weight @ m.predicted**2 - w * f * f) / total - mean_f**2
    slope = np.where(square > 1e-12, cross / np.maximum(square, 1e-12), 0.0)
    return mean_y, mean_f, np.clip(worth * slope, 0.0, 1.0)


def _worth(m: Material) -> float:
    """Variance of the predictions' mean over the humans, as a share of that and of the mean over the many: 1 with endless many."""
    of_humans, of_many = _mean(m.predicted, m.weight)[1], _mean(m.many, m.many_weight)[1]
    return of_humans / (of_humans + of_many) if of_humans > 1e-300 else 0.0


def tuned(m: Material) -> float:
    """The ``lam`` of least variance, kept to 0..1: the slope of answers on predictions among the humans, times ``_worth``."""
    return float(_tuning(m, _worth(m))[2])


def _rectified(m: Material) -> tuple[float, float, float]:
    """(estimate, its variance, lam). The humans' part of the variance is the jackknife's, which knows that lam was tuned on them."""
    worth = _worth(m)
    many, spread_many = _mean(m.many, m.many_weight)
    mean_y, mean_f, lam = (float(x) for x in _tuning(m, worth))
    n = len(m.y)
    without_y, without_f, without_lam = _tuning(m, worth, m.y, m.predicted, m.weight)
    without = without_y + without_lam * (many - without_f)
    spread = float(((without - without.mean()) ** 2).sum()) * (n - 1) / n
    return mean_y + lam * (many - mean_f), spread + lam**2 * spread_many, lam


def rectified_mean(m: Material, *, share: bool = False, level: float = LEVEL) -> Rectified:
    """A mean, or a share (``share``: y and predictions in 0..1), three ways.

    The interval of a mean is Student's, with the humans' degrees of freedom; that of a share Wilson's (1927) at the
    number of humans that would have the rectified variance, since Wald's fails for small shares.
    """
    n = effective_n(m.weight)
    value, variance, lam = _rectified(m)
    alone, spread_alone = _mean(m.y, m.weight)
    gained = n * spread_alone / variance if variance > 1e-300 else n
    own, spread_own = _mean(m.own, m.many_weight)
    of = _share if share else _plain
    return Rectified(
        of(own, spread_own, effective_n(m.many_weight), level),
        of(alone, spread_alone, n, level),
        of(value, variance, n, level, gained),
        lam,
        n,
        gained,
    )


def _plain(value: float, variance: float, n: float, level: float, worth: float | None = None) -> Estimate:
    se = math.sqrt(max(variance, 0.0))
    reach = t_quantile((1 + level) / 2, max(n - 1, 1.0)) * se
    return Estimate(value, se, value - reach, value + reach)


def _share(value: float, variance: float, n: float, level: float, worth: float | None = None) -> Estimate:
    """Wilson's interval at the number of people that would give this variance, at least n of them where nobody differs."""
    p = min(max(value, 0.0), 1.0)
    people = p * (1 - p) / variance if variance > 1e-300 and 0 < p < 1 else (worth or n)
    z = t_quantile((1 + level) / 2, max(n - 1, 1.0))
    centre = (p + z * z / (2 * people)) / (1 + z * z / people)
    reach = z / (1 + z * z / people) * math.sqrt(p * (1 - p) / people + z * z / (4 * people * people))
    return Estimate(p, math.sqrt(max(variance, 0.0)), max(centre - reach, 0.0), min(centre + reach, 1.0))


def difference(a: Rectified, b: Rectified) -> Rectified:
    """The difference of two independent groups' means or shares, a minus b.

    Its interval is put together from those of the two (Zou and Donner 2008; Newcombe's, 1998, where they are Wilson's), at
    their level. ``n`` and ``effective_n`` are of both groups, ``lam`` is the mean.
    """
    out = []
    for x, y in ((a.synthetic, b.synthetic), (a.humans, b.humans), (a.rectified, b.rectified)):
        value = x.value - y.value
        below, above = math.hypot(x.value - x.low, y.high - y.value), math.hypot(x.high - x.value, y.value - y.low)
        out.append(Estimate(value, math.hypot(x.se, y.se), value - below, value + above))
    n = a.n + b.n
    gained = n * (out[1].se / out[2].se) ** 2 if out[2].se > 0 else n
    return Rectified(out[0], out[1], out[2], (a.lam + b.lam) / 2, n, gained)
