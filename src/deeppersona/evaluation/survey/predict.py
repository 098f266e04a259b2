"""What synthetic people say a human would answer: the predictions that rectification weighs.

Where every human has a double among the synthetic people (the same id, and the caller says so), its answer is the
prediction. Otherwise it is the mean answer of synthetic people like the human in country, age, sex and education: the additive fit of these, moved to the
mean of the exact combination as far as there are people to support it. Any prediction keeps the intervals valid; a good
one makes them narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.items import GROUPS
from deeppersona.evaluation.survey.reading import Texts
from deeppersona.evaluation.survey.side import Side
from deeppersona.runtime.seed import Floats

_PRIOR = 5.0  # people that the additive fit is worth against a combination's own mean
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Answered:
    """People of one side who answered an item: their mean answer over draws as a row of features (people, columns), weight, groups."""

    ids: tuple[str, ...]
    values: Floats
    weight: Floats
    groups: Mapping[str, Texts]


def answered(side: Side, key: str, table: Floats) -> Answered:
    """Those who answered an item; ``table`` (options, columns) says what an option is worth in each column."""
    coded = side.answers[key]
    draws = np.bincount(coded.person, minlength=len(side))
    some = np.flatnonzero(draws)
    sums = np.stack(
        [np.bincount(coded.person, table[coded.option, j], len(side)) for j in range(table.shape[1])], axis=1
    )
    ids = tuple(side.ids[k] for k in some.tolist())
    groups = {g: v[some] for g, v in side.groups.items()}
    return Answered(ids, sums[some] / draws[some, None], side.weight[some], groups)


def shared_groups(ours: Side, humans: Side) -> tuple[str, ...]:
    """The groups that both sides know and that tell people apart in ours."""
    out = []
    for group in GROUPS:
        if group in ours.groups and group in humans.groups:
            mine, theirs = set(ours.groups[group].tolist()), set(humans.groups[group].tolist())
            if len(mine) > 1 and len(mine & theirs) > 1:
                out.append(group)
    return tuple(out)


def doubles(ours: Answered, humans: Answered) -> tuple[Floats, Floats]:
    """(prediction of each human, 1 for each of ours who is nobody's double and 0 for the others).

    Raises:
        UsageError: a human has no double.

    """
    at = {name: k for k, name in enumerate(ours.ids)}
    for name in humans.ids:
        if name not in at:
            raise UsageError(
                f"person {name!r} of the humans has no answer among the synthetic people; leave --doubles out to predict from groups"
            )
    rows = np.array([at[name] for name in humans.ids])
    free = np.ones(len(ours.ids))
    free[rows] = 0.0
    return ours.values[rows], free


def by_groups(ours: Answered, humans: Answered, groups: Sequence[str]) -> tuple[Floats, Floats]:
    """(prediction of each human, of each ours), each (people, columns), from the groups."""
    codes = []
    for group in groups:
        _, code = np.unique(np.concatenate([ours.groups[group], humans.groups[group]]), return_inverse=True)
        codes.append(code.ravel())
    people = len(ours.weight)
    columns = [np.ones((people + len(humans.weight), 1))]
    columns += [np.eye(int(c.max()) + 1)[c][:, 1:] for c in codes]
    design = np.concatenate(columns, axis=1)
    mine, w = design[:people], ours.weight[:, None] / ours.weight.mean()
    fit = np.linalg.solve(mine.T @ (w * mine) + _RIDGE * people * np.eye(design.shape[1]), mine.T @ (w * ours.values))
    additive = design @ fit
    if not codes:
        return additive[people:], additive[:people]
    _, cell = np.unique(np.stack(codes), axis=1, return_inverse=True)
    cell = cell.ravel()
    own = np.bincount(cell[:people], w[:, 0], int(cell.max()) + 1)
    rest = ours.values - additive[:people]
    off = np.stack([np.bincount(cell[:people], w[:, 0] * rest[:, j], len(own)) for j in range(rest.shape[1])], axis=1)
    predicted = additive + (off / (own + _PRIOR)[:, None])[cell]
    return predicted[people:], predicted[:people]
