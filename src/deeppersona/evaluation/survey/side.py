"""One side of a comparison: answers coded by the options of the items, and what was left out of them, counted."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.items import BLANK, GROUPS, Index, Item, ItemMap, code_of, number_of
from deeppersona.evaluation.survey.reading import Answers, Rows, Texts
from deeppersona.population.weights import effective_n
from deeppersona.runtime.seed import Floats, Ints

AGE_BANDS = ("18-29", "30-44", "45-59", "60+")
UNKNOWN = ""  # a person's group where it is not known
_BAND = re.compile(r"(\d+)\s*(?:-|–|to|\+|and over)\s*(\d*)", re.I)


@dataclass(frozen=True, eq=False)
class Coded:
    """Usable answers to one item: person, draw, index of the option, all (answers,)."""

    person: Ints
    draw: Ints
    option: Ints

    def where(self, keep: NDArray[np.bool_]) -> Coded:
        """Some of the answers."""
        return Coded(self.person[keep], self.draw[keep], self.option[keep])


@dataclass(frozen=True, eq=False)
class Left:
    """Every answer to an item, usable or not, so that what was left out can be counted for any of the people.

    ``person`` and ``at`` are (answers,): whose it is, and which of ``codes``; ``why`` says of a code "" (usable), "missing" or "off".
    """

    person: Ints
    at: Ints
    codes: tuple[str, ...]
    why: tuple[str, ...]

    def where(self, keep: NDArray[np.bool_], number: Ints) -> Left:
        """The answers of some of the people (a mask), who get new numbers."""
        some = keep[self.person]
        return replace(self, person=number[self.person[some]], at=self.at[some])

    @property
    def total(self) -> int:
        """Answers in all."""
        return len(self.person)

    @property
    def missing(self) -> dict[str, int]:
        """Answers by missing code, the commonest first."""
        return self._by("missing")

    @property
    def off_scale(self) -> dict[str, int]:
        """Off-scale answers by what they were, the commonest first."""
        return self._by("off")

    def _by(self, why: str) -> dict[str, int]:
        times = np.bincount(self.at, minlength=len(self.codes)).tolist()
        found = Counter({code: n for code, n, w in zip(self.codes, times, self.why, strict=True) if w == why and n})
        return {code or "blank": n for code, n in found.most_common()}

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return {"answers": self.total, "missing": self.missing, "off scale": self.off_scale}


@dataclass(frozen=True, eq=False)
class Side:
    """People with weights (people,), groups, and coded answers by item."""

    name: str
    file: str
    kind: str
    ids: tuple[str, ...]
    weight: Floats
    groups: Mapping[str, Texts]
    answers: Mapping[str, Coded]
    left: Mapping[str, Left]
    joint: bool
    weighted: bool
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.weight)

    def weights(self, key: str) -> Floats:
        """Weight of each answer to an item, (answers,): a person's weight shared by the draws; sums to that of those who answered."""
        coded = self.answers[key]
        draws = np.bincount(coded.person, minlength=len(self))
        return np.asarray(self.weight[coded.person] / draws[coded.person])

    def shares(self, key: str, options: int) -> Floats:
        """Weighted shares of the options, (options,)."""
        counts = np.bincount(self.answers[key].option, self.weights(key), options)
        return np.asarray(counts / counts.sum())

    def n(self, key: str) -> int:
        """People who gave a usable answer."""
        return len(np.unique(self.answers[key].person))

    def effective(self, key: str) -> float:
        """Kish's effective number of these people."""
        return effective_n(self.weight[np.unique(self.answers[key].person)])

    def where(self, keep: NDArray[np.bool_]) -> Side:
        """Some of the people (a mask), their answers with them."""
        number = np.cumsum(keep) - 1
        answers = {}
        for key, coded in self.answers.items():
            some = coded.where(keep[coded.person])
            answers[key] = Coded(number[some.person], some.draw, some.option)
        left = {key: found.where(keep, number) for key, found in self.left.items()}
        groups = {g: values[keep] for g, values in self.groups.items()}
        ids = tuple(i for i, k in zip(self.ids, keep.tolist(), strict=True) if k)
        return replace(self, ids=ids, weight=self.weight[keep], groups=groups, answers=answers, left=left)


def side_of(
    raw: Answers, items: Sequence[Item], *, human: bool, coding: ItemMap, bands: Sequence[str] = AGE_BANDS
) -> Side:
    """Code a table by the items; on the human side with the map's recoding."""
    answers, left = {}, {}
    for item in items:
        rows = rows_of(raw, item, human)
        if rows is None:
            continue
        answers[item.key], left[item.key] = _coded(rows, item, human, raw)
    groups = {
        g: _grouped(g, values, (coding.recode if human else coding.ours).get(g, {}), bands)
        for g, values in raw.groups.items()
    }
    name = "humans" if human else "ours"
    return Side(
        name,
        raw.file,
        raw.kind,
        tuple(raw.ids),
        raw.weight,
        groups,
        answers,
        left,
        raw.joint,
        raw.weighted,
        tuple(raw.notes),
    )


def rows_of(raw: Answers, item: Item, human: bool) -> Rows | None:
    """The answers to an item as a table has them: under its name, else made of its parts; None where it has neither."""
    own = raw.rows.get(item.name(human))
    return _of_index(raw.rows, item.index) if own is None and item.index is not None else own


def _coded(rows: Rows, item: Item, human: bool, raw: Answers) -> tuple[Coded, Left]:
    """Each distinct code is judged once: an option, missing, or off the scale. People of weight 0 are not counted on."""
    codes, at = np.unique(rows.code, return_inverse=True)
    at = at.ravel()
    option = np.full(len(codes), -1, dtype=np.int64)
    why = []
    place = {value: k for k, value in enumerate(item.options)}
    for k, code in enumerate(codes.tolist()):
        written = item.recode.get(code, code) if human else code
        number = number_of(written)
        if number in place and code not in item.missing:
            option[k] = place[number]
            why.append("")
        else:
            gone = code in item.missing or code.casefold() in BLANK or _negative(number, item)
            why.append("missing" if gone else "off")
    keep = (option[at] >= 0) & (raw.weight[rows.person] > 0)
    found = Coded(rows.person, rows.draw, option[at]).where(keep)
    return found, Left(rows.person, at, tuple(codes.tolist()), tuple(why))


def _negative(number: float | None, item: Item) -> bool:
    """Whether a code is missing by the habit of surveys: below 0 on a scale that is not."""
    return number is not None and number < 0 <= item.options[0]


def _of_index(rows: Mapping[str, Rows], index: Index) -> Rows | None:
    """The index of everyone who answered all its parts in a draw; a part that is not valid leaves a blank."""
    if any(part not in rows for part in index.parts):
        return None
    codes: dict[tuple[int, int], list[float | None]] = defaultdict(lambda: [None] * len(index.parts))
    for j, part in enumerate(index.parts):
        r = rows[part]
        for person, draw, code in zip(r.person.tolist(), r.draw.tolist(), r.code.tolist(), strict=True):
            codes[person, draw][j] = number_of(code)
    keys = list(codes)
    made = []
    for found in codes.values():
        value = None if None in found else index.of(tuple(x for x in found if x is not None))
        made.append("" if value is None else code_of(value))
    return Rows(
        np.array([k[0] for k in keys], dtype=np.int64),
        np.array([k[1] for k in keys], dtype=np.int64),
        np.array(made, dtype=np.str_),
    )


def bands_in(values: Texts) -> tuple[str, ...]:
    """The age bands a table is told in, from its labels ("25-34", "65+"), or the usual ones where it has ages."""
    labels = sorted({v for v in values.tolist() if _BAND.fullmatch(v)}, key=_edges)
    return tuple(labels) or AGE_BANDS


def _edges(band: str) -> tuple[float, float]:
    match = _BAND.fullmatch(band)
    if match is None:
        raise UsageError(f"age band {band!r} is not like 18-29 or 60+")
    return float(match[1]), float(match[2] or "inf")


def _grouped(group: str, values: Texts, recode: Mapping[str, str], bands: Sequence[str]) -> Texts:
    """The group of each person in words; ages into bands, countries as ISO alpha-2 codes where they are known."""
    told: dict[str, str] = {}
    for value in np.unique(values).tolist():
        word = recode.get(value, value).strip()
        if word.casefold() in BLANK or ((number := number_of(word)) is not None and number < 0):
            told[value] = UNKNOWN
        elif group == "age" and number is not None:
            told[value] = next((b for b in bands if _edges(b)[0] <= number < _edges(b)[1] + 1), UNKNOWN)
        elif group == "country":
            told[value] = _country(word)
        else:
            told[value] = word.casefold() if group == "sex" else word
    if recode:
        told |= {v: UNKNOWN for v in told if v not in recode}
    return np.array([told[v] for v in values.tolist()], dtype=np.str_)


def _country(word: str) -> str:
    from deeppersona.facts.tables import shipped_facts

    try:
        return shipped_facts().country(word).iso2
    except UsageError:
        return word


def people_by(side: Side, group: str) -> dict[str, int]:
    """People of each value of a group, those of whom it is not known left out."""
    if group not in GROUPS or group not in side.groups:
        return {}
    counts = Counter(side.groups[group].tolist())
    counts.pop(UNKNOWN, None)
    return dict(sorted(counts.items()))
