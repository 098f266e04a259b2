"""Finished records back into columns, so that the rules look at what was written and not at what was drawn.

A word that is none of the schema's is UNREAD (-2), a trait that is not there NONE (-1). What no record carries (how much the
family has, in standard deviations) is left out; conditions on it are not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeppersona.population.students.choose import Columns
from deeppersona.population.students.home import MOST_SIBLINGS
from deeppersona.population.students.schema import NONE, UNREAD, Option, Schema, Topic
from deeppersona.population.students.schooling import MOST_STRONG, MOST_WEAK
from deeppersona.population.students.words import conjugate_slots
from deeppersona.schema import vocabulary as v

PET, DESCRIBED, TRIPS = "student.home.pet", "student.personality.described", "student.academic.trips_on"
LISTED = "student.academic.subjects"
_SIBLING = re.compile(r"^(.+), (older|younger) (sister|brother), (\d+)$")
_STAGES = ("piaget", "erikson", "kohlberg")


class Reader:
    """Reads records of a schema. Build it once a process."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        raw = schema.raw
        self._words: dict[str, tuple[str, Mapping[str, int]]] = {
            "sex": ("demographics.sex", _codes(v.SEX)),
            "stage": ("student.school.stage", _codes(raw["school_stage"])),
            "route": ("student.school.route", _codes(schema.routes)),
            "level": ("student.academic.level", _codes(schema.levels)),
            "cluster": ("student.academic.cluster", _codes(schema.clusters)),
            "wellbeing": ("student.wellbeing.overall", _codes(raw["wellbeing_bands"]["values"])),
            "books": ("student.home.books", _codes(raw["books"]["values"])),
            "fifth": ("student.home.background", _codes(raw["background"])),
            **{name: (f"student.development.{name}", _codes(raw[name]["values"])) for name in _STAGES},
            **{t: (f"student.personality.{t}", _codes(schema.bands, 1)) for t in v.TRAIT_5},
            **{d.name: (d.path, _codes(d.grades, 1)) for d in schema.dimensions},
        }
        self._numbers = {
            "grade": "student.grade", "age": "demographics.age", "percentile": "student.academic.percentile",
            "average": "student.academic.average_mark", "minutes": "student.learning.homework_minutes",
            "friends": "student.social.close_friends", "household": "demographics.household_size",
        }  # fmt: skip
        self._subject = _codes(schema.subjects)
        self._mark_paths = [f"student.academic.marks.{s.replace(' ', '_')}" for s in schema.subjects]
        self._topics = [_Backwards(t) for t in schema.topics]

    def columns(self, records: Sequence[Mapping[str, Any]]) -> Columns:
        """The columns of finished records, one row a record; texts and names as lists of objects."""
        rows = [{t["path"]: t["value"] for t in r["traits"]} for r in records]
        out: Columns = {}
        for name, (path, codes) in self._words.items():
            out[name] = _ints(NONE if path not in row else codes.get(str(row[path]), UNREAD) for row in rows)
        for name, path in self._numbers.items():
            out[name] = _ints(row[path] if isinstance(row.get(path), int) else UNREAD for row in rows)
        self._subjects(rows, out)
        self._family(rows, out)
        for topic in self._topics:
            subjects = out["worst" if topic.path == TRIPS else "best"].tolist()
            columns = [topic.codes(row, *who) for row, *who in zip(rows, out["sex"].tolist(), subjects, strict=True)]
            for k, name in enumerate(topic.topic.columns()):
                out[name] = _ints(codes[k] for codes in columns)
        known = {text for t in self._topics if t.described for sex in (0, 1) for text in t.texts(sex)}
        out["described_unread"] = _ints(any(text not in known for text in row.get(DESCRIBED, [])) for row in rows)
        out["pet"] = (out[f"{PET}/animal"] != NONE).astype(np.int16)
        urban = [str(row.get("demographics.urban")) for row in rows]
        out["urban"] = np.array([1.0 if word == "urban" else -1.0 for word in urban])
        out["friend_named"] = _ints("student.social.best_friend" in row for row in rows)
        out["slot"] = np.array([int(r["provenance"]["slot"]) for r in records], dtype=np.int64)
        return out

    def _subjects(self, rows: Sequence[Mapping[str, Any]], out: Columns) -> None:
        for name, most in (("strong", MOST_STRONG), ("weak", MOST_WEAK)):
            listed = [[self._subject.get(s, UNREAD) for s in row.get(f"student.academic.{name}", [])] for row in rows]
            for k in range(most):
                out[f"{name}_{k}"] = _ints(codes[k] if k < len(codes) else NONE for codes in listed)
        out["best"], out["worst"] = out["strong_0"], out["weak_0"]
        marks = [[row.get(path, NONE) for path in self._mark_paths] for row in rows]
        out["marks"] = np.array(marks, dtype=np.int16).reshape(len(rows), len(self._mark_paths))
        taught = np.zeros(out["marks"].shape, dtype=bool)
        for i, row in enumerate(rows):
            if LISTED not in row:  # a lean record: the marks name them
                taught[i] = out["marks"][i] >= 0
                continue
            taught[i, [self._subject[s] for s in row[LISTED] if s in self._subject]] = True
        out["listed"] = taught

    @staticmethod
    def _family(rows: Sequence[Mapping[str, Any]], out: Columns) -> None:
        n = len(rows)
        ages, sexes = (np.full((n, MOST_SIBLINGS + 1), NONE, dtype=np.int16) for _ in range(2))
        older = np.zeros((n, MOST_SIBLINGS + 1), dtype=bool)
        unread = np.zeros(n, dtype=bool)
        homes = [row.get("student.home.lives_with", []) for row in rows]
        for i, row in enumerate(rows):
            for k, line in enumerate(row.get("student.home.siblings", [])[: MOST_SIBLINGS + 1]):
                match = _SIBLING.match(str(line))
                if match is None:
                    unread[i] = True
                    continue
                ages[i, k], older[i, k] = int(match[4]), match[2] == "older"
                sexes[i, k] = ("sister", "brother").index(match[3])
        there, girl = ages >= 0, sexes == 0
        out |= {"sibling_ages": ages, "sibling_sexes": sexes, "sibling_older": older, "sibling_unread": unread}
        counts = {"siblings": there, "older": older, "younger": there & ~older, "sisters": there & girl, "brothers": there & ~girl,
                  "older_sisters": older & girl, "older_brothers": older & ~girl}  # fmt: skip
        out |= {name: which.sum(axis=1).astype(np.int16) for name, which in counts.items()}
        out["mother_home"] = _ints("mother" in home for home in homes)
        out["father_home"] = _ints("father" in home for home in homes)
        out["grandparent"] = _ints(("grandmother" in home) + 2 * ("grandfather" in home) for home in homes)


def _codes(words: Sequence[str], first: int = 0) -> dict[str, int]:
    return {word: k for k, word in enumerate(words, first)}


def _ints(values: Any) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.array([min(max(int(x), -32768), 32767) for x in values], dtype=np.int16)


class _Backwards:
    """A topic read backwards: from a value to the codes of its parts."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.described = topic.kind == "described"
        self.path = DESCRIBED if self.described else topic.path
        self._codes = [{name: _by_text(options, sex) for name, options in topic.parts.items()} for sex in (0, 1)]
        self._none = [NONE] * len(topic.columns())
        self._unread = [UNREAD] * len(topic.columns())
        self._plain = len(topic.parts) == 1 and "{friend}" not in str(topic.parts)
        self._pattern = [None if self._plain else self._compiled(sex) for sex in (0, 1)]

    def _compiled(self, sex: int) -> re.Pattern[str]:
        frame = re.escape(conjugate_slots(self.topic.value, tuple(self.topic.parts), sex))
        for name in self.topic.parts:
            listed = sorted(self._codes[sex][name], key=len, reverse=True)
            either = "|".join(re.escape(text).replace(r"\{friend\}", ".+?") for text in listed)
            frame = frame.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{either})", 1)
        return re.compile(f"^{frame}$")

    def texts(self, sex: int) -> frozenset[str]:
        """All texts of the first part."""
        return frozenset(next(iter(self._codes[sex].values())))

    def codes(self, row: Mapping[str, Any], sex: int, subject: int) -> list[int]:
        """The codes of one record, NONE where the topic is absent, UNREAD where the value is none of the options."""
        value = row.get(self.path)
        if value is None or sex not in (0, 1):
            return self._none
        grade, known = row.get("student.grade"), self._codes[sex]
        if self.described:
            found = [known["does"][text] for text in value if text in known["does"]]
            return [_chosen(found[0], grade, subject)] if found else self._none
        if self.topic.kind == "many":
            part = next(iter(known))
            codes = [_chosen(known[part][t], grade, subject) if t in known[part] else UNREAD for t in value]
            return [*codes, *self._none][: len(self._none)]
        if self._plain:
            name = next(iter(known))
            text = str(value)
            return [_chosen(known[name][text], grade, subject)] if text in known[name] else self._unread
        pattern = self._pattern[sex]
        match = pattern.match(str(value)) if pattern else None
        if match is None:
            return self._unread
        return [self._part(known[name], match[name], grade, subject) for name in self.topic.parts]

    @staticmethod
    def _part(known: _Known, text: str, grade: Any, subject: int) -> int:
        if text in known:
            return _chosen(known[text], grade, subject)
        return next((_chosen(k, grade, subject) for t, k in known.items() if "{friend}" in t), UNREAD)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An option by its code: the grades it is of, and the subject it speaks of, NONE for none."""

    first: int
    last: int
    subject: int
    code: int


_Known = dict[str, list[_Entry]]


def _by_text(options: Sequence[Option], sex: int) -> _Known:
    """Text -> every option that says it."""
    found: _Known = {}
    for code, o in enumerate(options):
        subject = next((int(f.low) for f in o.fits if f.key in ("best", "worst")), NONE)
        found.setdefault(o.said(sex), []).append(_Entry(o.first, o.last, subject, code))
    return found


def _chosen(entries: Sequence[_Entry], grade: Any, subject: int) -> int:
    """Of the options of one text that of the pupil's grade and subject; the first where none is (a rule will say so)."""
    of_grade = [e for e in entries if isinstance(grade, int) and e.first <= grade <= e.last]
    exact = [e for e in of_grade if e.subject in (NONE, subject)]
    return (exact or of_grade or entries)[0].code
