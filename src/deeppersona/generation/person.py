"""One person in words: what stories and portraits are told from. Everything said here is carried by a trait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from deeppersona.facts.tables import Facts
from deeppersona.generation.cohort import NONE, Cohort
from deeppersona.generation.family import MOST_CHILDREN
from deeppersona.generation.naming import Name, Naming, birth_year
from deeppersona.runtime.seed import Floats, label_keys
from deeppersona.schema import vocabulary as v
from deeppersona.schema.phrase import Person as Pronoun

_NAME_LABELS: Final = (
    "given", "family", "partner given", "partner family",
    *(f"child {i} {what}" for i in range(MOST_CHILDREN) for what in ("sex", "given")),
    *(f"cast {role}" for role in ("friend", "sister", "brother", "boss", "neighbour", "teacher", "cousin")),
    *(f"cast {role} sex" for role in ("friend", "boss", "neighbour", "teacher", "cousin")),
)  # fmt: skip
_KEYS = label_keys([f"name/{label}" for label in _NAME_LABELS])
_PLACE = {label: i for i, label in enumerate(_NAME_LABELS)}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}


def number_word(n: int) -> str:
    """A small number in words; figures from 100 on."""
    if 0 <= n <= 20:
        return _NUMBERS[n] if n else "nought"
    if n < 100:
        tens, ones = n // 10 * 10, n % 10
        return _TENS[tens] + (f"-{_NUMBERS[ones]}" if ones else "")
    return str(n)


def ordinal(n: int) -> str:
    """``first`` to ``tenth``, then ``11th``."""
    return _ORDINALS[n - 1] if 1 <= n <= 10 else f"{n}th"


def with_article(noun: str) -> str:
    """``a nurse``, ``an imam``."""
    return f"{'an' if noun[:1].lower() in 'aeiou' and not noun.lower().startswith(('uni', 'use', 'one', 'eu')) else 'a'} {noun}"


@dataclass(frozen=True, slots=True)
class Child:
    """A child: given name, age in years, sex code, whether under the same roof."""

    name: str
    age: int
    sex: int
    home: bool


@dataclass(slots=True)
class Person:
    """Who the story is about."""

    index: int
    slot: int
    name: Name
    pronoun: Pronoun
    age: int
    country: str
    country_name: str
    demonym: str
    town: str
    urban: bool
    status: str
    job: str
    job_title: str
    job_row: int
    former: str
    former_row: int
    education: str | None
    marital: str
    partner: Name | None
    partner_age: int
    partner_job: str
    children: list[Child]
    siblings: int
    birth_order: int
    mother_age: int
    father_age: int
    mother_job: str
    father_job: str
    household: int
    religion: str
    branch: str
    language: str
    income: int
    wed_age: int
    grandchildren: int
    with_parents: bool
    cast: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where they live, in words."""
        return self.town if self.urban else f"a village outside {self.town}"

    @property
    def partnered(self) -> bool:
        """Whether they live in a union now."""
        return self.marital in v.PARTNERED

    @property
    def religion_words(self) -> str:
        """``Christian (Catholic)``, ``Hindu``, ``no religion``."""
        if self.religion == "none":
            return "no religion"
        if self.religion in ("folk", "other"):
            return self.branch or {"folk": "folk religion", "other": "another religion"}[self.religion]
        word = self.religion.capitalize()
        return f"{word} ({self.branch})" if self.branch and not self.branch.startswith("other ") else word


def with_given(person: Person, kept: Mapping[str, object]) -> Person:
    """Let what was given of the core (name, occupation, town, language) be what the person is told by."""
    if "name" in kept:
        whole = str(kept["name"])
        first, _, last = whole.partition(" ")
        person.name = Name(first, last, whole)
    if "occupation" in kept and person.job:
        person.job = person.job_title = str(kept["occupation"])
    if "former_occupation" in kept and person.former:
        person.former = str(kept["former_occupation"])
    if "city" in kept:
        person.town = str(kept["city"])
    if "language" in kept:
        person.language = str(kept["language"])
    return person


def names_of(cohort: Cohort) -> Floats:
    """The uniforms all names of a cohort are drawn with, (people, labels)."""
    return cohort.dice.uniforms(_KEYS)


def traditions_of(cohort: Cohort) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The naming tradition of each person."""
    out = np.zeros(len(cohort), dtype=np.int64)
    for code, model in cohort.models.items():
        rows = np.nonzero(cohort.country == code)[0]
        columns = cohort.columns
        out[rows] = model.naming.tradition(cohort.dice.rows(rows), columns["belief"][rows], columns["tongue"][rows])
    return out


class People:
    """Makes persons of a cohort, one at a time."""

    def __init__(self, facts: Facts, cohort: Cohort) -> None:
        self.cohort, self.jobs = cohort, facts.occupations
        self.columns = {name: column.tolist() for name, column in cohort.columns.items()}
        self.uniforms = names_of(cohort)
        self.traditions = traditions_of(cohort)

    def person(self, i: int) -> Person:
        """The i-th person of the cohort in words."""
        c, u, model = self.columns, self.uniforms[i].tolist(), self.cohort.model(i)
        naming, tradition = model.naming, int(self.traditions[i])
        age, sex, slot = c["age"][i], c["sex"][i], int(self.cohort.dice.slots[i])
        born = birth_year(age)

        def draw(label: str) -> float:
            return float(u[_PLACE[label]])

        name = naming.name(tradition, sex, born, draw("given"), draw("family"))
        job, former = c["occupation"][i], c["former"][i]
        belief, level = c["belief"][i], c["education"][i]
        partner_age = c["partner_age"][i]
        partner = None
        if partner_age != NONE:
            partner = naming.name(
                tradition, 1 - sex, birth_year(partner_age), draw("partner given"), draw("partner family")
            )
        taken = {name.given} | ({partner.given} if partner else set())
        children = []
        for k in range(c["children"][i]):
            child_age = c[f"child_{k}"][i]
            child_sex = int(draw(f"child {k} sex") < 0.5)
            given = self._fresh(naming, tradition, child_sex, birth_year(child_age), draw(f"child {k} given"), taken)
            children.append(Child(given, child_age, child_sex, bool(c[f"child_home_{k}"][i])))
        person = Person(
            index=i, slot=slot, name=name, pronoun="she" if sex == 0 else "he", age=age,
            country=str(self.cohort.country[i]), country_name=model.country.name, demonym=model.country.demonym,
            town=model.place.names[c["city"][i]], urban=c["urban"][i] == 0, status=v.STATUS[c["status"][i]],
            job=self.jobs.title_by_sex[sex][job] if job >= 0 else "",
            job_title=self.jobs.title[job] if job >= 0 else "", job_row=job,
            former=self.jobs.title_by_sex[sex][former] if former >= 0 else "", former_row=former,
            education=v.EDUCATION[level] if level >= 0 else None, marital=v.MARITAL[c["marital"][i]],
            partner=partner, partner_age=partner_age, partner_job=self._job(c["partner_job"][i]), children=children,
            siblings=c["siblings"][i], birth_order=c["birth_order"][i], mother_age=c["mother_age"][i],
            father_age=c["father_age"][i], mother_job=self._job(c["mother_job"][i]),
            father_job=self._job(c["father_job"][i]), household=c["household"][i],
            religion=model.belief.groups[belief], branch=model.belief.branches[belief],
            language=model.belief.languages[c["tongue"][i]], income=c["income"][i], wed_age=c["wed_age"][i],
            grandchildren=c["grandchildren"][i], with_parents=bool(c["with_parents"][i]),
        )  # fmt: skip
        taken |= {child.name for child in children}
        for role, fixed in (("sister", 0), ("brother", 1), ("friend", None), ("boss", None), ("neighbour", None),
                            ("teacher", None), ("cousin", None)):  # fmt: skip
            role_sex = fixed if fixed is not None else int(draw(f"cast {role} sex") < 0.5)
            then = born if role in ("sister", "brother", "friend", "cousin") else born - 18
            person.cast[role] = self._fresh(naming, tradition, role_sex, then, draw(f"cast {role}"), taken)
            person.cast[f"{role}_sex"] = "she" if role_sex == 0 else "he"
        return person

    def _job(self, row: int) -> str:
        return self.jobs.title[row] if row >= 0 else ""

    @staticmethod
    def _fresh(naming: Naming, tradition: int, sex: int, born: int, u: float, taken: set[str]) -> str:
        """A given name nobody else in the person's life bears, as far as the tradition allows."""
        given = ""
        for k in range(8):
            given = naming.given(tradition, sex, born, (u + k * 0.6180339887) % 1.0)
            if given not in taken:
                break
        taken.add(given)
        return given
