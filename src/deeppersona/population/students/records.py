"""Columns to records: every trait with its value, source and evidence, and the prompt. Paths are listed here, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from deeppersona.facts.tables import region_words
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.draw import PET
from deeppersona.population.students.schema import NONE
from deeppersona.population.students.sheets import Sheet, codes_of
from deeppersona.population.students.tell import Teller
from deeppersona.population.students.words import Named
from deeppersona.schema import vocabulary as v
from deeppersona.version import __version__

Record = dict[str, Any]
Field = tuple[str, list[Any], str, list[Any] | dict[str, Any]]  # path, a value a pupil (None: absent), source, evidence
_SIBLING = ("sister", "brother")
_STAGES = ("piaget", "erikson", "kohlberg")
# Evidence of drawn options by their chance in percent. Shared by all records: to be read only.
_QUOTA, _DRAWN = {"design": "quota"}, {"design": "drawn"}
_CHANCE = [{"p": percent / 100} for percent in range(101)]
# Traits whose evidence is a pupil's own. That of the others is the same for a whole country: a lean record leaves it out.
_OWN = frozenset(
    ("demographics.sex", "student.grade", "student.academic.level", *(f"student.personality.{t}" for t in v.TRAIT_5))
)
_LISTED = "student.academic.subjects"  # the marks name them too


class Records:
    """Writes the records of a population's pupils. Build it once a process."""

    def __init__(self, teller: Teller, *, told_only: bool = False) -> None:
        """``told_only`` makes lean records: without the small topics that the profile does not tell and common evidence."""
        self._told_only = told_only
        self.pupils, self.schema = teller.pupils, teller.schema
        topics = [t for t in self.schema.topics if t.kind != "described"]
        self._topics = {t.path: [teller.values.frame(t, sex) for sex in (0, 1)] for t in topics}
        self._rank = {path: k for k, path in enumerate(self._topics)}
        self._short = {name: _author_and_year(text) for name, text in self.schema.raw["sources"].items()}
        self._prompt: str = self.schema.telling["prompt"].replace("\n", "\n\n").rstrip()

    def records(
        self, seed: int | str, columns: Columns, names: Sequence[Named], sheets: Sequence[Sheet], texts: Sequence[str]
    ) -> list[Record]:
        """One record a row, ids ``pupil-000017`` by slot."""
        fields = [
            *self._core(columns, names),
            *self._school(columns),
            *self._inner(columns),
            *self._around(columns, names),
        ]
        n, languages = len(names), self._languages(columns)
        chances = {path: columns[f"chance:{path}"].tolist() for path in self._topics}
        out = []
        for i, (slot, traits) in enumerate(zip(columns["slot"].tolist(), self._traits(fields, n), strict=True)):
            traits += self._said(i, sheets[i], chances)
            out.append({
                "id": f"pupil-{slot:06d}", "kind": "student", "traits": traits, "stories": [], "narrative": texts[i],
                "system_prompt": self.prompt(names[i], languages[i], sheets[i], texts[i]),
                "provenance": {"engine": __version__, "taxonomy": self.schema.fingerprint, "seed": seed, "slot": slot, "model": None},
            })  # fmt: skip
        return out

    def _traits(self, fields: Sequence[Field], n: int) -> Iterator[list[dict[str, Any]]]:
        """The traits that are columns, one list a pupil."""
        if self._told_only:
            fields = [f for f in fields if f[0] != _LISTED]
        heads = [(f[0], f[2]) for f in fields]
        bare = [self._told_only and f[0] not in _OWN for f in fields]
        evidence = zip(*(f[3] if isinstance(f[3], list) else [f[3]] * n for f in fields), strict=True)
        for told, why in zip(zip(*(f[1] for f in fields), strict=True), evidence, strict=True):
            yield [
                {"path": path, "value": value, "source": source} if left
                else {"path": path, "value": value, "source": source, "evidence": because}
                for (path, source), value, because, left in zip(heads, told, why, bare, strict=True) if value is not None
            ]  # fmt: skip

    def _said(self, i: int, sheet: Sheet, chances: Mapping[str, list[int]]) -> Iterator[dict[str, Any]]:
        """The topics of one pupil, with the chance of what was drawn; in a lean record those that the profile tells."""
        told = sorted(sheet.used | {PET}, key=self._rank.__getitem__) if self._told_only else self._topics
        for path in told:  # the animal stays, because what is said of others may hang on it
            value = sheet.says(path)
            if value is None:
                continue
            if not isinstance(value, list):
                value = self._topics[path][sheet.sex].format_map(value)
                if "{friend}" in value:
                    value = value.replace("{friend}", sheet.words["friend"])
            yield {"path": path, "value": value, "source": "prior", "evidence": _CHANCE[chances[path][i]]}

    def prompt(self, named: Named, language: str, sheet: Sheet, text: str) -> str:
        """The system prompt of one pupil."""
        w = sheet.words
        return self._prompt.format(
            whole=named.whole, age=w["age"], grade=w["grade"], place=w["#where"], language=language, narrative=text
        )

    def _languages(self, columns: Columns) -> list[str]:
        """The language spoken at home, one a pupil."""
        listed = [b.languages for b in self.pupils.homes.beliefs]
        rows = zip(columns["country"].tolist(), columns["belief"].tolist(), strict=True)
        return [listed[c][b % len(listed[c])] for c, b in rows]

    def study(self, *names: str) -> dict[str, str]:
        """Evidence that names its sources, in short."""
        return {"study": "; ".join(self._short[name] for name in names)}

    def _core(self, columns: Columns, names: Sequence[Named]) -> Iterator[Field]:
        homes = self.pupils.homes
        country = columns["country"].tolist()
        codes = [homes.countries[c] for c in country]
        urban = [{"table": "countries: urban_share", "of": place} for place in homes.urban_place]
        language = [b.evidence["language"] for b in homes.beliefs]
        city = [[p.evidence["city"], {**p.evidence["city"], "as": "nearest town"}] for p in homes.places]
        rural = columns["rural"].tolist()
        of = {"of": "student.grade, student.school.route"}
        yield "demographics.country", [c.iso2 for c in codes], "table", [{"name": c.name} for c in codes]
        yield "demographics.region", [region_words(c.region) for c in codes], "table", [{"of": c.name} for c in codes]
        yield "demographics.age", columns["age"].tolist(), "derived", of
        yield "demographics.sex", [v.SEX[s] for s in columns["sex"].tolist()], "prior", self._design(columns, "sex")
        yield "demographics.education", ["at school"] * len(names), "derived", {"of": "student.grade"}
        yield "demographics.urban", [v.URBAN[r] for r in rural], "table", [urban[c] for c in country]
        yield ("demographics.city", [homes.places[c].names[k] for c, k in zip(country, columns["city"].tolist(), strict=True)],
               "table", [city[c][r] for c, r in zip(country, rural, strict=True)])  # fmt: skip
        yield "demographics.household_size", self._household(columns), "derived", {"of": "student.home.lives_with"}
        yield "demographics.language", self._languages(columns), "table", [language[c] for c in country]
        yield "demographics.employment_status", ["student"] * len(names), "derived", {"of": "student.grade"}
        yield "demographics.occupation", ["pupil"] * len(names), "derived", {"of": "student.grade"}
        yield "demographics.name", [n.whole for n in names], "table", [homes.naming[c].evidence for c in country]

    @staticmethod
    def _household(columns: Columns) -> list[int]:
        elders = np.array([0, 1, 1, 2])[columns["grandparent"]]
        alone = (columns["mother_home"] + columns["father_home"] + elders) == 0
        return list(
            (1 + columns["siblings"] + columns["mother_home"] + columns["father_home"] + elders + alone).tolist()
        )

    def _school(self, columns: Columns) -> Iterator[Field]:
        schema, raw = self.schema, self.schema.raw
        yield "student.grade", columns["grade"].tolist(), "prior", self._design(columns, "grade")
        yield (
            "student.school.stage",
            [raw["school_stage"][k] for k in columns["stage"].tolist()],
            "derived",
            {"of": "student.grade"},
        )
        yield (
            "student.school.route",
            [schema.routes[k] for k in columns["route"].tolist()],
            "prior",
            self.study("repeat"),
        )
        for name in _STAGES:
            words = raw[name]["values"]
            yield (
                f"student.development.{name}",
                [words[k] for k in columns[name].tolist()],
                "prior",
                self.study(*raw[name]["sources"]),
            )
        yield (
            "student.academic.level",
            [schema.levels[k] for k in columns["level"].tolist()],
            "prior",
            self._design(columns, "level"),
        )
        yield (
            "student.academic.percentile",
            columns["percentile"].tolist(),
            "prior",
            {"scale": "0-99, rank in the own year"},
        )
        yield "student.academic.average_mark", columns["average"].tolist(), "prior", {"scale": "0-100"}
        yield (
            "student.academic.subjects",
            [self._subjects(row) for row in (columns["marks"] >= 0)],
            "derived",
            {"of": "student.grade"},
        )
        for name in ("strong", "weak"):
            listed = [[schema.subjects[k] for k in row if k >= 0] for row in codes_of(columns, name).tolist()]
            yield f"student.academic.{name}", listed, "prior", self.study("curriculum")
        yield ("student.academic.cluster", [schema.clusters[k] for k in columns["cluster"].tolist()], "derived",
               {"of": "student.academic.strong"})  # fmt: skip
        scale = {"scale": "0-100"}
        for k, subject in enumerate(schema.subjects):
            marks = columns["marks"][:, k].tolist()
            yield f"student.academic.marks.{_key(subject)}", [m if m >= 0 else None for m in marks], "prior", scale
        yield "student.learning.homework_minutes", columns["minutes"].tolist(), "prior", self.study("steiner")

    @staticmethod
    def _design(columns: Columns, name: str) -> list[Any]:
        """Evidence of what a quota may fix: whether it did."""
        return [_QUOTA if code >= 0 else _DRAWN for code in columns[f"cell:{name}"].tolist()]

    def _subjects(self, taught: np.ndarray[Any, np.dtype[np.bool_]]) -> list[str]:
        return [self.schema.subjects[k] for k in np.flatnonzero(taught)]

    def _inner(self, columns: Columns) -> Iterator[Field]:
        schema = self.schema
        for trait in v.TRAIT_5:
            scores = [{"table": "personality", "score": s} for s in columns[f"score:{trait}"].tolist()]
            yield (
                f"student.personality.{trait}",
                [schema.bands[k - 1] for k in columns[trait].tolist()],
                "table",
                scores,
            )
        for d in schema.dimensions:
            yield d.path, [d.grades[k - 1] for k in columns[d.name].tolist()], "prior", self.study(*d.sources)
        words = schema.raw["wellbeing_bands"]["values"]
        yield (
            "student.wellbeing.overall",
            [words[k] for k in columns["wellbeing"].tolist()],
            "derived",
            {"of": "student.wellbeing"},
        )

    def _around(self, columns: Columns, names: Sequence[Named]) -> Iterator[Field]:
        homes, raw = self.pupils.homes, self.schema.raw
        jobs = homes.facts.occupations
        made = {"named after": "nobody real"}
        country = columns["country"].tolist()
        called = [homes.naming[c].evidence for c in country]
        yield "student.school.name", [n.school for n in names], "prior", made
        yield "student.school.teacher", [n.teacher for n in names], "table", called
        yield "student.social.close_friends", columns["friends"].tolist(), "prior", self.study("friends")
        yield "student.social.best_friend", [n.friend_whole or None for n in names], "table", called
        ages = columns["age"].tolist()
        yield ("student.home.siblings", [[_sibling(s, age) for s in n.siblings] for n, age in zip(names, ages, strict=True)],
               "table", [{"table": "countries: fertility, names", "of": homes.countries[c].name} for c in country])  # fmt: skip
        yield "student.home.lives_with", _grown_ups(columns), "prior", self.study("pew")
        for parent in ("mother", "father"):
            rows = columns[f"{parent}_work"].tolist()
            of = [{"table": "occupations", "of": homes.countries[c].name} for c in country]
            yield f"student.home.{parent}_work", [jobs.title[k] if k >= 0 else None for k in rows], "table", of
            yield f"student.home.{parent}_works", [jobs.place[k] if k >= 0 else None for k in rows], "table", of
            yield f"student.home.{parent}_says", [jobs.grumble[k] if k >= 0 else None for k in rows], "table", of
        yield (
            "student.home.background",
            [raw["background"][k] for k in columns["fifth"].tolist()],
            "prior",
            self.study("sirin"),
        )
        yield (
            "student.home.books",
            [raw["books"]["values"][k] for k in columns["books"].tolist()],
            "prior",
            self.study("pisa"),
        )
        yield "student.personality.described", self._described(columns), "prior", {"of": "student.personality"}

    def _described(self, columns: Columns) -> list[list[str]]:
        topics = [t for t in self.schema.topics if t.kind == "described"]
        sexes = columns["sex"].tolist()
        said = [[[o.said(sex) for o in t.parts["does"]] for sex in (0, 1)] for t in topics]
        codes = np.stack([columns[f"{t.path}/does"] for t in topics], axis=1).tolist()
        return [
            [said[k][sex][c] for k, c in enumerate(row) if c != NONE] for sex, row in zip(sexes, codes, strict=True)
        ]


def _author_and_year(source: str) -> str:
    """A source in short: up to its first year, else up to the first mark."""
    found = re.match(r".*?\b(?:19|20)\d\d(?:-\d{4})?", source)
    return found[0] if found else re.split(r"[(:;]", source)[0].strip()


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _sibling(sibling: tuple[str, int, int], age: int) -> str:
    name, other, sex = sibling
    return f"{name}, {'older' if other > age else 'younger'} {_SIBLING[sex]}, {other}"


def _grown_ups(columns: Columns) -> list[list[str]]:
    """Who brings the pupil up, under the same roof."""
    elders: tuple[list[str], ...] = ([], ["grandmother"], ["grandfather"], ["grandmother", "grandfather"])
    keys = ("mother_home", "father_home", "grandparent")
    return [
        (["mother"] if m else []) + (["father"] if f else []) + elders[g]
        for m, f, g in zip(*(columns[k].tolist() for k in keys), strict=True)
    ]
