"""The structured persona: how somebody rates and what draws them, as typed traits whose counts say how sure they are.

The answer to an item follows a proportional-odds model (McCullagh 1980): the person's own spread of answers (rating style),
shifted in logits by what people make of the item (the prior, if one is used) and by the person's tastes for what the item is
known by. The answer given is the median of that distribution, which has the least expected absolute error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from deeppersona.refinement.behaviour import Answer, Event, Scale
from deeppersona.refinement.features import of_item

START = 2.0  # answers that the population's spread counts for in a new persona
_LEAST = 1e-3  # share of answers below which no cut falls
_INFORMATION = 0.3  # of one answer about a shift, in logits: at most 1/3 (a uniform answer's)
RIDGE = 4.0  # strength of "no taste", in units of that information over _INFORMATION
LEAST = 0.03  # logits: a smaller taste is none
DIGITS = 4  # decimals of what a persona holds: what is written is what is


class Taste(NamedTuple):
    """How far a feature moves the answer, in logits (above 0: higher answers), and the answers it was learnt from."""

    shift: float
    n: float


class Shifts(Protocol):
    """What the population says of items: the port of the item prior."""

    def shift(self, event: Event) -> float:
        """How far an item moves anybody's answer, in logits; 0 where nothing is known."""

    def drawn(self, option: str) -> float:
        """How far an option draws anybody in a choice, in logits."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a persona's answers come from. ``counts`` has one number a level of the scale; ``tastes`` go by feature."""

    counts: tuple[float, ...]
    tastes: Mapping[str, Taste] = field(default_factory=dict)

    @property
    def n(self) -> float:
        """How many answers the style rests on."""
        return sum(self.counts)

    def rounded(self) -> Preferences:
        """The same with counts to the decimals that are written; tastes are made so."""
        return Preferences(tuple(round(c, DIGITS) for c in self.counts), self.tastes)


class NoShifts:
    """The item prior of whoever uses none."""

    def shift(self, event: Event) -> float:
        """Nothing is known of any item."""
        return 0.0

    def drawn(self, option: str) -> float:
        """Nothing is known of any option."""
        return 0.0


def cuts(preferences: Preferences) -> list[float]:
    """Logits of the shares of answers at or below each level but the highest."""
    total = preferences.n or 1.0
    run, out = 0.0, []
    for c in preferences.counts[:-1]:
        run += c
        share = min(max(run / total, _LEAST), 1.0 - _LEAST)
        out.append(math.log(share / (1.0 - share)))
    return out


def taste_of(preferences: Preferences, features: Sequence[str]) -> float:
    """The shift that a person's tastes give an item, in logits; each feature counts 1 / sqrt(features)."""
    tastes = preferences.tastes
    if not tastes or not features:
        return 0.0
    whole = 0.0
    for f in features:
        taste = tastes.get(f)
        if taste is not None:
            whole += taste[0]
    return whole / math.sqrt(len(features)) if whole else 0.0


def answers(preferences: Preferences, asked: Iterable[Event], prior: Shifts, scale: Scale) -> list[Answer]:
    """The persona's answer to each event: the median level, or for a choice the option it is drawn to most."""
    own = cuts(preferences)
    out: list[Answer] = []
    for event in asked:
        if event.kind == "choice":
            p = chances(preferences, event, prior)
            out.append(event.options[max(range(len(p)), key=p.__getitem__)])
            continue
        shift = prior.shift(event) + taste_of(preferences, event.features)
        out.append(scale.levels[next((k for k, cut in enumerate(own) if cut >= shift), len(own))])
    return out


def distribution(preferences: Preferences, event: Event, prior: Shifts) -> list[float]:
    """The chance of each level of the scale for an item; sums to 1."""
    shift = prior.shift(event) + taste_of(preferences, event.features)
    below = [0.0, *(1.0 / (1.0 + math.exp(shift - cut)) for cut in cuts(preferences)), 1.0]
    return [b - a for a, b in itertools.pairwise(below)]


def chances(preferences: Preferences, event: Event, prior: Shifts) -> list[float]:
    """The chance of each option of a choice (multinomial logit over the tastes for what the options are known by)."""
    pull = [prior.drawn(o) + taste_of(preferences, of_item(o)) for o in event.options]
    top = max(pull)
    weight = [math.exp(x - top) for x in pull]
    return [w / sum(weight) for w in weight]


def error(answer: Answer, event: Event) -> float:
    """How wrong an answer was: the absolute difference; for a choice 0 or 1."""
    if isinstance(answer, str) or isinstance(event.value, str) or event.value is None:
        return float(answer != event.value)
    return abs(answer - event.value)


def mean_error(preferences: Preferences, window: Sequence[Event], prior: Shifts, scale: Scale) -> float:
    """The mean error over a window; not a number where the window is empty."""
    if not window:
        return math.nan
    given = answers(preferences, window, prior, scale)
    return sum(map(error, given, window)) / len(window)


class Surprise(NamedTuple):
    """A discrepancy: features met, how much higher (above 0) or lower the answer was than foretold, -1 to 1, and its weight."""

    features: tuple[str, ...]
    amount: float
    weight: float = 1.0


def surprises(
    preferences: Preferences, window: Iterable[Event], prior: Shifts, scale: Scale, *, own: bool = False, weight: float = 1.0
) -> list[Surprise]:  # fmt: skip
    """What the answers of a window say against the persona's style, the prior taken into account, its tastes not.

    For ratings and answers the score of the proportional-odds model, P(at most y) + P(below y) - 1; for a choice the
    option's indicator less its chance, one surprise an option. ``own=True`` takes no account of the prior: a description.
    """
    at_most = [0.0, *(1.0 / (1.0 + math.exp(-cut)) for cut in cuts(preferences)), 1.0]
    style = Preferences(preferences.counts)
    out = []
    for event in window:
        if event.kind == "choice":
            p = chances(style, event, NoShifts() if own else prior)
            for option, chance in zip(event.options, p, strict=True):
                out.append(Surprise(of_item(option), float(option == event.value) - chance, weight))
            continue
        if not isinstance(event.value, (int, float)) or not event.features:
            continue
        k, shift = scale.code(float(event.value)), 0.0 if own else prior.shift(event)
        low, high = (_shifted(at_most[j], shift) for j in (k, k + 1))
        out.append(Surprise(event.features, low + high - 1.0, weight))
    return out


def _shifted(share: float, shift: float) -> float:
    """A share at or below a cut after a shift in logits."""
    if not shift or share in (0.0, 1.0):
        return share
    odds = share / (1.0 - share) * math.exp(-shift)
    return odds / (1.0 + odds)


def tastes_from(found: Sequence[Surprise], ridge: float = RIDGE, most: int | None = None) -> dict[str, Taste]:
    """Tastes that explain surprises best, held towards none: one step of ridge regression, solved over the answers.

    Returns at most ``most`` tastes, those that move answers furthest.
    """
    found = [s for s in found if s.features and s.weight > 0]
    if not found:
        return {}
    place: dict[str, int] = {}
    for s in found:
        for f in s.features:
            place.setdefault(f, len(place))
    x = np.zeros((len(found), len(place)))
    for row, s in enumerate(found):
        x[row, [place[f] for f in s.features]] = 1.0 / math.sqrt(len(s.features))
    weight = np.array([s.weight for s in found])
    root = np.sqrt(weight)
    scaled = x * root[:, None]
    amount = np.array([s.amount for s in found]) * root
    held = np.linalg.solve(_INFORMATION * (scaled @ scaled.T) + ridge * np.eye(len(found)), amount)
    shift, n = np.round(held @ scaled, DIGITS), np.round(weight @ (x > 0), DIGITS)
    names = list(place)
    kept = [k for k in np.argsort(-np.abs(shift), kind="stable")[:most].tolist() if abs(shift[k]) >= LEAST]
    return dict(zip((names[k] for k in kept), map(Taste, shift[kept].tolist(), n[kept].tolist()), strict=True))


def counted(window: Iterable[Event], scale: Scale) -> list[float]:
    """How often each level of the scale was answered in a window."""
    out = [0.0] * len(scale.levels)
    for event in window:
        if isinstance(event.value, (int, float)):
            out[scale.code(float(event.value))] += 1.0
    return out
