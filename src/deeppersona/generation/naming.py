"""Names that fit country, sex, religion, main language and generation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deeppersona.facts.tables import Country, Facts, Tradition
from deeppersona.generation.belief import Belief
from deeppersona.generation.cells import Evidence
from deeppersona.runtime.seed import Dice, Floats, Ints, pick
from deeppersona.schema import vocabulary as v

_OLDER_BORN, _YOUNGER_BORN = 1965, 1995
_BOOK_YEAR = 2026
_GENERATION_SHARE = 0.55  # of those born in a generation with names of its own, who bear one of them


@dataclass(frozen=True, slots=True)
class Name:
    """A name in its parts, and whole in the order of its tradition."""

    given: str
    family: str
    whole: str


def whole_name(tradition: Tradition, given: str, family: str) -> str:
    """Put the parts in the order of the tradition."""
    if tradition.order == "given" or not family:
        return given
    return f"{family} {given}" if tradition.order.startswith("family") else f"{given} {family}"


class Naming:
    """The naming of one country: which tradition a person belongs to, and names drawn from it."""

    def __init__(self, facts: Facts, country: Country, belief: Belief) -> None:
        rows = facts.naming(country)
        self.traditions = [row[0] for row in rows]
        table = np.zeros((*belief.table.shape, len(rows)))
        for i, group in enumerate(belief.groups):
            for j, language in enumerate(belief.languages):
                table[i, j] = self._weights(rows, group, language)
        self._cumulative = np.cumsum(table, axis=-1)
        self.evidence: Evidence = {"table": "names", "of": country.name}

    @staticmethod
    def _weights(
        rows: list[tuple[Tradition, float, frozenset[str], frozenset[str]]], religion: str, language: str
    ) -> Floats:
        """Weights of the traditions for a religion and language: the rows that name the language win over the rest."""
        fits = np.array([not r or religion in r for _, _, r, _ in rows])
        speaks = np.array([language in named for _, _, _, named in rows])
        open_to_all = np.array([not named for _, _, _, named in rows])
        weight = np.array([w for _, w, _, _ in rows])
        for mask in (fits & speaks, fits & open_to_all, speaks, open_to_all):
            if (weight * mask).sum() > 0:
                return np.asarray(weight * mask)
        return weight

    def tradition(self, dice: Dice, belief: Ints, tongue: Ints) -> Ints:
        """The tradition (index) of each person."""
        return pick(self._cumulative[belief, tongue], dice.uniform("tradition"))

    def given(self, tradition: int, sex: int, born: int, u: float) -> str:
        """A given name; ``u`` uniform on (0, 1) decides the generation's list and the place in it."""
        t = self.traditions[tradition]
        word = v.SEX[sex]
        own = t.older[word] if born < _OLDER_BORN else t.younger[word] if born > _YOUNGER_BORN else ()
        if own and u < _GENERATION_SHARE:
            return own[int(u / _GENERATION_SHARE * len(own))]
        u = (u - _GENERATION_SHARE) / (1 - _GENERATION_SHARE) if own else u
        return t.given[word][int(u * len(t.given[word]))]

    def family(self, tradition: int, sex: int, u: float) -> str:
        """A family name, in the form of the sex where it inflects; empty where the tradition has none."""
        names = self.traditions[tradition].family[v.SEX[sex]]
        if not names:
            return ""
        # Popular surnames are far commoner than rare ones: the power leans to the front of the list.
        return names[int(u**1.5 * len(names))]

    def name(self, tradition: int, sex: int, born: int, u_given: float, u_family: float) -> Name:
        """A whole name."""
        given, family = self.given(tradition, sex, born, u_given), self.family(tradition, sex, u_family)
        if family == given:  # a few names serve as both
            family = self.family(tradition, sex, (u_family + 0.37) % 1.0)
        return Name(given, family, whole_name(self.traditions[tradition], given, family))


def birth_year(age: int) -> int:
    """The year of birth of somebody of this age, for the year the tables are told in."""
    return _BOOK_YEAR - age
