"""How well a questionnaire holds together: reliability, factor structure, and what form and repetition do to answers.

Alpha is Cronbach's (1951), omega McDonald's (1999) of one factor; congruence is Tucker's (1951); the intraclass correlation is
the one-way ICC(1) of Shrout and Fleiss (1979). Arrays of answers are (people, items) of numbers, NaN where there is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeppersona.runtime.seed import Floats

_LEAST = 3  # people or items below which nothing can be said
_ROUNDS = 500


def _answered(answers: ArrayLike) -> Floats:
    x = np.asarray(answers, dtype=np.float64)
    return np.asarray(x[~np.isnan(x).any(axis=1)])


def alpha(answers: ArrayLike) -> float:
    """Cronbach's alpha of keyed answers (people, items), of people without a gap; NaN where it is not defined."""
    x = _answered(answers)
    if x.shape[0] < _LEAST or x.shape[1] < 2 or not (total := float(x.sum(axis=1).var(ddof=1))):
        return float("nan")
    k = x.shape[1]
    return float(k / (k - 1) * (1.0 - x.var(axis=0, ddof=1).sum() / total))


def one_factor(correlations: ArrayLike) -> Floats:
    """Loadings (items,) of a single factor by iterated principal axes, in the sense that their sum is positive."""
    r = np.asarray(correlations, dtype=np.float64)
    h = np.abs(r - np.eye(len(r))).max(axis=1)
    loadings = np.sqrt(h)
    for _ in range(_ROUNDS):
        reduced = r - np.diag(np.diag(r)) + np.diag(h)
        values, vectors = np.linalg.eigh(reduced)
        loadings = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
        after = np.clip(loadings**2, 0.0, 0.995)
        if np.abs(after - h).max() < 1e-9:
            break
        h = after
    return np.asarray(loadings if loadings.sum() >= 0 else -loadings)


def omega(answers: ArrayLike) -> float:
    """McDonald's omega (total, one factor) of keyed answers (people, items); NaN where it is not defined."""
    x = _answered(answers)
    if x.shape[0] < _LEAST or x.shape[1] < _LEAST or (x.std(axis=0) == 0).any():
        return float("nan")
    sd = x.std(axis=0, ddof=1)
    loadings = one_factor(np.corrcoef(x, rowvar=False)) * sd
    shared = float(loadings.sum()) ** 2
    return float(shared / (shared + (sd**2 - loadings**2).clip(0).sum()))


def principal_components(correlations: ArrayLike, components: int) -> Floats:
    """Loadings (items, components) of the largest principal components."""
    values, vectors = np.linalg.eigh(np.asarray(correlations, dtype=np.float64))
    largest = np.argsort(values)[::-1][:components]
    return np.asarray(vectors[:, largest] * np.sqrt(values[largest].clip(0)))


def varimax(loadings: ArrayLike, tolerance: float = 1e-10) -> Floats:
    """Loadings rotated to Kaiser's (1958) varimax with row normalisation, shape as given."""
    given = np.asarray(loadings, dtype=np.float64)
    length = np.sqrt((given**2).sum(axis=1, keepdims=True)).clip(1e-12)
    a = given / length
    rotation, before = np.eye(a.shape[1]), 0.0
    for _ in range(_ROUNDS):
        turned = a @ rotation
        u, s, vt = np.linalg.svd(a.T @ (turned**3 - turned * (turned**2).mean(axis=0)))
        rotation, now = u @ vt, float(s.sum())
        if now - before < tolerance * max(now, 1.0):
            break
        before = now
    return np.asarray(a @ rotation * length)


def congruence(one: ArrayLike, other: ArrayLike) -> Floats:
    """Tucker's congruence of factors, shape (factors of one, factors of other)."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    size = np.outer(np.sqrt((a**2).sum(axis=0)), np.sqrt((b**2).sum(axis=0)))
    return np.asarray(np.divide(a.T @ b, size, out=np.zeros_like(size), where=size > 0))


def matched(loadings: ArrayLike, target: ArrayLike) -> Floats:
    """Factors put in the order and the sense of a target's (items, factors), the likest first, without rotation."""
    a = np.asarray(loadings, dtype=np.float64)
    phi = congruence(a, target)
    out, left = np.zeros_like(a), np.abs(phi)
    for _ in range(a.shape[1]):
        i, j = np.unravel_index(int(np.argmax(left)), left.shape)
        out[:, j] = a[:, i] * (1.0 if phi[i, j] >= 0 else -1.0)
        left[i, :], left[:, j] = -1.0, -1.0
    return out


def structure(answers: ArrayLike, human: ArrayLike) -> tuple[Floats, Floats]:
    """Varimax loadings of answers (people, items) as of people, in their order, and the congruence of each factor (factors,).

    Both have as many factors as ``human`` (items, factors). Raises ``LinAlgError``-free NaN loadings where an item never varies.
    """
    target = np.asarray(human, dtype=np.float64)
    x = _answered(answers)
    if len(x) < _LEAST or (x.std(axis=0) == 0).any():
        nothing = np.full(target.shape, np.nan)
        return nothing, np.full(target.shape[1], np.nan)
    found = matched(varimax(principal_components(np.corrcoef(x, rowvar=False), target.shape[1])), target)
    return found, np.asarray(np.diag(congruence(found, target)))


def intraclass(draws: ArrayLike) -> float:
    """ICC(1) of one answer or score of people asked several times (people, draws): the share of variance between people.

    NaN where there are fewer than two draws or people, or nothing varies. A negative estimate is given as it is.
    """
    x = _answered(draws)
    n, k = x.shape
    if n < 2 or k < 2:
        return float("nan")
    between = k * float(x.mean(axis=1).var(ddof=1))
    within = float(x.var(axis=1, ddof=1).mean())
    whole = between + (k - 1) * within
    return (between - within) / whole if whole else float("nan")


def correlations(scores: ArrayLike) -> Floats:
    """Correlations of columns (people, scores), pairwise over people who have both."""
    x = np.asarray(scores, dtype=np.float64)
    seen = ~np.isnan(x)
    out = np.eye(x.shape[1])
    for i in range(x.shape[1]):
        for j in range(i):
            both = seen[:, i] & seen[:, j]
            a, b = x[both, i], x[both, j]
            fine = both.sum() >= _LEAST and a.std() > 0 and b.std() > 0
            out[i, j] = out[j, i] = float(np.corrcoef(a, b)[0, 1]) if fine else float("nan")
    return out


def acquiescence(answers: ArrayLike, reversed_items: NDArray[np.bool_], middle: float) -> float:
    """How far people agree whatever is said, in points of the answer scale: 0 for none.

    ``answers`` (people, items) are as given, not keyed. The mean over the items that are reversed and that over those that
    are not lie as far above ``middle`` as below where nobody acquiesces to a trait of mean ``middle``; half the sum of what
    they lie above it, over items of either key alike, is what agreeing adds (Soto and John 2017). NaN without both keys.
    """
    x = np.asarray(answers, dtype=np.float64)
    if not reversed_items.any() or reversed_items.all():
        return float("nan")
    plain, turned = np.nanmean(x[:, ~reversed_items]), np.nanmean(x[:, reversed_items])
    return float((plain + turned) / 2.0 - middle)


def summary(answers: ArrayLike) -> Mapping[str, Any]:
    """n, mean, sd, alpha and omega of one scale from keyed answers (people, items)."""
    x = np.asarray(answers, dtype=np.float64)
    with np.errstate(all="ignore"):
        score = np.nanmean(x, axis=1) if x.size else np.zeros(0)
    score = score[~np.isnan(score)]
    return {
        "n": len(score), "mean": float(score.mean()) if len(score) else float("nan"),
        "sd": float(score.std(ddof=1)) if len(score) > 1 else float("nan"), "alpha": alpha(x), "omega": omega(x),
    }  # fmt: skip
