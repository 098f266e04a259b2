"""What must not be, as predicates: each looks at columns of many pupils, shape (n,), and is True where a rule is broken.

``rules.py`` says which rule each of them is, on what grounds, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.population.students.choose import Columns
from deeppersona.population.students.positions import level_of_rank, wellbeing_band
from deeppersona.population.students.schema import UNREAD, Schema, Topic
from deeppersona.population.students.schooling import cluster_of_strong, most_minutes, stage_limits
from deeppersona.schema import vocabulary as v

Mask = NDArray[np.bool_]
_STRONG, _WEAK = ("strong_0", "strong_1", "strong_2"), ("weak_0", "weak_1", "weak_2")
_OLDEST_APART = 30
_EXTREME = 2  # grades of calm and of temper that cannot be both
# Themes by the least age at which they may be a pupil's own (ILO convention 138: light work from 13; alcohol not at all).
THEMES: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "love": (13, ("girlfriend", "boyfriend", "kiss", "in love", "crush on", "meets somebody and says")),
    "paid work": (13, ("saturday job", "paid job", "a wage", "first wage", "shift work", "salary")),
    "alcohol and smoking": (99, ("beer", "drunk", "vodka", "whisky", "cigarette", "alcohol", "smokes", "hangover")),
}


def stack(columns: Columns, names: Iterable[str]) -> NDArray[np.int64]:
    """Columns side by side, shape (n, names)."""
    return np.stack([columns[name].astype(np.int64) for name in names], axis=1)


def age_of_grade(c: Columns, s: Schema) -> Mask:
    """The age is four to eight years above the grade, and the grade is one of the twelve."""
    away = c["age"].astype(np.int64) - c["grade"]
    return np.asarray((away < 4) | (away > 8) | (c["grade"] < 1) | (c["grade"] > s.raw["grades"]))


def route(c: Columns, s: Schema) -> Mask:
    """The age is that of the grade and of the route: repeated, skipped, early or late."""
    years = np.array([r["years"] for r in s.raw["routes"]])[c["route"]]
    away = c["age"].astype(np.int64) - c["grade"] - years - s.raw["youngest_in_grade"]
    return np.asarray((away < 0) | (away > 1))


def early_repeat(c: Columns, s: Schema) -> Mask:
    """Nobody has repeated or skipped a grade before there was one to repeat or skip."""
    twice, skipped = s.routes.index("repeated two grades"), s.routes.index("skipped a grade")
    return np.asarray(((c["route"] == twice) & (c["grade"] < 3)) | ((c["route"] == skipped) & (c["grade"] < 2)))


def skipped(c: Columns, s: Schema) -> Mask:
    """Whoever skipped a grade is not in the lower half of the year."""
    return np.asarray((c["route"] == s.routes.index("skipped a grade")) & (c["level"] == len(s.levels) - 1))


def stage(name: str) -> Callable[[Columns, Schema], Mask]:
    """The stage of development is one known at the age; the ages of neighbouring stages overlap."""

    def check(c: Columns, s: Schema) -> Mask:
        low, high = stage_limits(s.raw[name]["ages"], c["age"])
        return np.asarray((c[name] < low) | (c[name] > high))

    return check


def reasoning(c: Columns, s: Schema) -> Mask:
    """The moral stage presupposes a stage of reasoning."""
    least = np.array(s.raw["kohlberg"]["reasoning"])[np.clip(c["kohlberg"], 0, None)]
    return np.asarray(c["piaget"] < least)


def school_stage(c: Columns, s: Schema) -> Mask:
    """The stage of school is that of the grade."""
    return np.asarray(c["stage"] != (c["grade"].astype(np.int64) - 1) // 3)


def disjoint(c: Columns, s: Schema) -> Mask:
    """There is a strong subject, and none is named twice."""
    named = stack(c, (*_STRONG, *_WEAK))
    ranked = np.sort(np.where(named >= 0, named, -100 - np.arange(named.shape[1])), axis=1)
    return np.asarray((np.diff(ranked, axis=1) == 0).any(axis=1) | (named[:, 0] < 0))


def taught(c: Columns, s: Schema) -> Mask:
    """Strong, weak and marked subjects are those taught in the grade."""
    taught = s.taught[np.clip(c["grade"], 0, s.raw["grades"])]
    named = stack(c, (*_STRONG, *_WEAK))
    at = np.arange(len(named))[:, None]
    wrong = (named >= 0) & ~taught[at, np.maximum(named, 0)]
    listed = c.get("listed", c["marks"] >= 0)
    return np.asarray(wrong.any(axis=1) | (listed != taught).any(axis=1) | ((c["marks"] >= 0) != taught).any(axis=1))


def cluster(c: Columns, s: Schema) -> Mask:
    """The cluster is that of most strong subjects, a tie going to the strongest."""
    return np.asarray(
        cluster_of_strong(stack(c, _STRONG).astype(np.int16), s.cluster_of, len(s.clusters)) != c["cluster"]
    )


def level(c: Columns, s: Schema) -> Mask:
    """The level is that of the rank, by its own definition."""
    return np.asarray(level_of_rank(c["percentile"].astype(np.int64), s.raw["levels"]["shares"]) != c["level"])


def average(c: Columns, s: Schema) -> Mask:
    """The average mark lies in the range of the level."""
    low, high = np.array(s.raw["levels"]["marks"])[np.clip(c["level"], 0, None)].T
    return np.asarray((c["average"] < low) | (c["average"] > high))


def marks(c: Columns, s: Schema) -> Mask:
    """Strong subjects have marks above the average, weak ones below, and the average is that of the marks."""
    at, bad = np.arange(len(c["average"])), np.zeros(len(c["average"]), dtype=bool)
    for name in (*_STRONG, *_WEAK):
        mark = c["marks"][at, np.maximum(c[name], 0)]
        wrong = mark <= c["average"] if name in _STRONG else mark >= c["average"]
        bad |= (c[name] >= 0) & wrong
    taught = c["marks"] >= 0
    mean = np.where(taught, c["marks"], 0).sum(axis=1) / np.maximum(taught.sum(axis=1), 1)
    return np.asarray(bad | (np.abs(mean - c["average"]) > 2.5))


def minutes(c: Columns, s: Schema) -> Mask:
    """Nobody has more homework than a pupil of the grade is given."""
    return np.asarray((c["minutes"] > most_minutes(c["grade"])) | (c["minutes"] < 0))


def wellbeing(c: Columns, s: Schema) -> Mask:
    """The overall band is that of the sum of the four grades."""
    total = stack(c, (d.name for d in s.dimensions if d.group == "wellbeing")).sum(axis=1)
    return np.asarray(wellbeing_band(total, s.raw) != c["wellbeing"])


def temper(c: Columns, s: Schema) -> Mask:
    """Who is very easily upset is not calm throughout, and the other way round."""
    upset = (c["neuroticism"] == 5) & (c["calm"] >= 3 + _EXTREME - 1)
    unmoved = (c["neuroticism"] == 1) & (c["calm"] >= 1) & (c["calm"] <= _EXTREME)
    return np.asarray(upset | unmoved)


def friends(c: Columns, s: Schema) -> Mask:
    """A nearest friend is named where there are close friends, and only there."""
    named = c.get("friend_named", (c["friends"] > 0).astype(np.int16))
    return np.asarray((named > 0) != (c["friends"] > 0))


def household(c: Columns, s: Schema) -> Mask:
    """Siblings are older or younger as their ages say; the household is counted right."""
    ages, age = c["sibling_ages"].astype(np.int64), c["age"].astype(np.int64)[:, None]
    there = ages >= 0
    older = c.get("sibling_older", there & (ages > age))
    bad = (there & ((ages > age) != older)).any(axis=1) | (there & (np.abs(ages - age) > _OLDEST_APART)).any(axis=1)
    bad |= c.get("sibling_unread", np.zeros(len(ages), dtype=bool))
    if "household" in c:
        elders = np.array([0, 1, 1, 2])[c["grandparent"]]
        grown = c["mother_home"] + c["father_home"] + elders
        bad |= c["household"] != 1 + there.sum(axis=1) + np.maximum(grown, 1)
    return np.asarray(bad)


def known(c: Columns, s: Schema) -> Mask:
    """Every value is one the schema knows."""
    n = len(c["grade"])
    bad = np.zeros(n, dtype=bool)
    closed = ("sex", "stage", "route", "level", "cluster", "wellbeing", "piaget", "erikson", "kohlberg",
              *v.TRAIT_5, *(d.name for d in s.dimensions))  # fmt: skip
    for name in closed:
        bad |= c[name] < 0
    for topic in s.topics:
        for name in topic.columns():
            bad |= c[name] == UNREAD
    return np.asarray(bad | (c.get("described_unread", np.zeros(n)) > 0))


class Fitting:
    """Which of a topic's options are true of whom: the ranges of ``fits`` and grades as arrays by option."""

    def __init__(self, topic: Topic) -> None:
        self.columns = [(name, *self._arrays(topic, name)) for name in topic.columns()]

    @staticmethod
    def _arrays(
        topic: Topic, column: str
    ) -> tuple[NDArray[np.float64], Mapping[str, tuple[NDArray[Any], NDArray[Any]]]]:
        options = topic.options_of(column)
        span = np.array([(o.first, o.last) for o in options], dtype=float)
        keys = sorted({f.key for o in options for f in o.fits} | {f.key for f in topic.fits})
        limits = {}
        for key in keys:
            low, high = np.full(len(options), -np.inf), np.full(len(options), np.inf)
            for k, option in enumerate(options):
                for fit in (*topic.fits, *option.fits):
                    if fit.key == key:
                        low[k], high[k] = max(low[k], fit.low), min(high[k], fit.high)
            limits[key] = (low, high)
        return span, limits

    def misfits(self, c: Columns) -> Mask:
        """Who has an option whose ``fits`` do not hold; a column that is not known is not looked at."""
        bad = np.zeros(len(c["grade"]), dtype=bool)
        for name, _, limits in self.columns:
            code = c[name]
            has, at = code >= 0, np.maximum(code, 0)
            for key, (low, high) in limits.items():
                if key in c:
                    bad |= has & ((c[key] < low[at]) | (c[key] > high[at]))
        return bad

    def untimely(self, c: Columns) -> Mask:
        """Who has an option of another grade."""
        bad = np.zeros(len(c["grade"]), dtype=bool)
        for name, span, _ in self.columns:
            code, grade = c[name], c["grade"]
            at = np.maximum(code, 0)
            bad |= (code >= 0) & ((grade < span[at, 0]) | (grade > span[at, 1]))
        return bad


@lru_cache(maxsize=4)
def fittings(schema: Schema) -> dict[str, Fitting]:
    """Path of a topic -> its ranges."""
    return {topic.path: Fitting(topic) for topic in schema.topics}


def misfits(*starts: str) -> Callable[[Columns, Schema], Mask]:
    """Topics whose paths begin so say only what is true of the pupil, by the ranges of their options."""

    def check(c: Columns, s: Schema) -> Mask:
        found = [f.misfits(c) for path, f in fittings(s).items() if path.startswith(starts)]
        return np.asarray(np.logical_or.reduce(found))

    return check


def untimely(c: Columns, s: Schema) -> Mask:
    """Everything said is of the grade."""
    return np.asarray(np.logical_or.reduce([f.untimely(c) for f in fittings(s).values()]))


@lru_cache(maxsize=4)
def theme_ages(schema: Schema) -> dict[str, NDArray[np.int64]]:
    """Column of a topic -> the least age of each of its options, by the themes its words touch."""
    found = {}
    for topic in schema.topics:
        for column in topic.columns():
            texts = [o.text.lower() for o in topic.options_of(column)]
            least = np.array(
                [max([a for a, words in THEMES.values() if any(w in t for w in words)], default=0) for t in texts]
            )
            if least.any():
                found[column] = least
    return found


def themes(c: Columns, s: Schema) -> Mask:
    """No theme of the grown-up world below its age."""
    bad = np.zeros(len(c["age"]), dtype=bool)
    for column, least in theme_ages(s).items():
        bad |= (c[column] >= 0) & (c["age"] < least[np.maximum(c[column], 0)])
    return bad
