"""Where a pupil lives and with whom: country, town, language, naming tradition, household, siblings, parents' work.

All from the project's own tables (``facts/``): school-age people by country, urban shares, towns, languages, names, fertility,
occupations. What a country has no figure for is its region's, and the trait's evidence says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import exp, factorial

import numpy as np

from deeppersona.errors import UsageError, nearest
from deeppersona.facts.tables import Country, Facts
from deeppersona.generation.belief import Belief, Place
from deeppersona.generation.naming import Naming
from deeppersona.population.students.choose import Columns, Rows
from deeppersona.population.students.schema import NONE, Schema
from deeppersona.runtime.seed import Dice, Floats, label_keys

MOST_SIBLINGS = 6
_SCHOOL_YEARS = {"5": 0.8, "10": 1.0, "15": 0.6}  # first age of a five-year group -> the part of it that is 6 to 17
_LARGEST_GAP = 5  # years between children born one after the other: 1 to 5
_PARENTS_AGE = 40
# Shares of pupils by who brings them up: both, mother, father, grandparents. Rest of the world and, with development, more
# single parents (Pew Research Center 2019: 7% of children live with one adult only, 23% in the United States).
_PARENTS = np.array([[0.85, 0.08, 0.02, 0.05], [0.80, 0.14, 0.035, 0.025]])
# Grandparents in the house besides the parents: log-odds (Pew 2019: 38% of people live in extended households, most in Asia and Africa).
_EXTENDED, _EXTENDED_BY_DEVELOPMENT = -0.75, -0.75
_GRANDPARENT = np.array([0.55, 0.15, 0.30])  # grandmother, grandfather, both
_FATHER_WORKS = 0.93
MEANS_BANDS = (-0.8, 0.0, 0.8)  # parents' work is tabled by these bands of what the family has


class Homes:
    """The tables of the countries asked for, built once, and the draws from them."""

    def __init__(self, facts: Facts, schema: Schema, countries: Mapping[str, float] | None = None) -> None:
        """``countries``: ISO code or name -> weight; None is the world, by people of school age."""
        self.facts, self.schema = facts, schema
        shares = school_age_people(facts) if countries is None else _asked(facts, countries)
        self.countries: list[Country] = [facts.countries[code] for code in shares]
        self.code_of = {c.iso2: k for k, c in enumerate(self.countries)}
        self._share = Rows([np.array(list(shares.values()))])
        self.beliefs = [Belief(facts, c) for c in self.countries]
        self.naming = [Naming(facts, c, b) for c, b in zip(self.countries, self.beliefs, strict=True)]
        self.places = [Place(facts, c) for c in self.countries]
        self._urban = np.array([facts.figure(c, "urban_share").value for c in self.countries])
        self.urban_place = [facts.figure(c, "urban_share").place for c in self.countries]
        self._development = np.array([facts.development[c.iso2] for c in self.countries])
        self._belief = Rows([b.table.ravel() for b in self.beliefs])
        self._languages = np.array([len(b.languages) for b in self.beliefs])
        self._city = Rows([p.share[urban] for p in self.places for urban in (0, 1)])
        self._tradition, self._tradition_start = self._traditions()
        self._siblings = Rows([_siblings(facts.figure(c, "fertility").value) for c in self.countries])
        self._jobs, self._mother_works = self._work()

    def _traditions(self) -> tuple[Rows, list[int]]:
        rows: list[Floats] = []
        start: list[int] = []
        for naming, belief in zip(self.naming, self.beliefs, strict=True):
            start.append(len(rows))
            running = naming._cumulative.reshape(belief.table.size, -1)
            rows += list(np.diff(running, axis=1, prepend=0.0))
        return Rows(rows), start

    def _work(self) -> tuple[Rows, Floats]:
        """Occupation of a parent of about forty by (country, sex, urban, band of means), and how many mothers earn."""
        jobs = self.facts.occupations
        of_age = (jobs.age_min <= _PARENTS_AGE) & (jobs.age_max >= _PARENTS_AGE)
        bands = np.array([-1.3, -0.4, 0.4, 1.3])
        rows = []
        for country, dev in zip(self.countries, self._development, strict=True):
            exists = np.array([not r or country.region in r for r in jobs.regions]) & of_age
            base = jobs.weight * exists * np.exp(0.7 * jobs.development * dev)
            for share in (jobs.female_share, 1 - jobs.female_share):
                for urban in (0.6, -0.6):
                    for band in bands:
                        fit = np.exp(urban * jobs.urban - 0.5 * ((jobs.income - 0.7 * band) / 0.8) ** 2)
                        rows.append(base * share * fit)
        female = {r["region"]: float(r["rate"]) for r in self.facts.rows("participation.csv")
                  if r["sex"] == "female" and int(r["age_from"]) <= _PARENTS_AGE <= int(r["age_to"])}  # fmt: skip
        return Rows(rows), np.array([female[c.region] for c in self.countries])

    def place(self, dice: Dice, columns: Columns) -> Columns:
        """``country`` (index), ``urban`` (0 urban, 1 rural), ``city``, ``belief`` and ``naming`` (tradition), all indices."""
        n = len(dice)
        given = columns["cell:country"].astype(np.int64)
        zero = np.zeros(n, dtype=np.int64)
        country = np.where(given >= 0, given, self._share.draw(zero, dice.uniform("country")))
        rural = (dice.uniform("urban") >= self._urban[country]).astype(np.int64)
        belief = self._belief.draw(country, dice.uniform("belief"))
        start = np.array(self._tradition_start)[country]
        development = self._development[country]
        town = np.where(rural == 0, 1.0, -1.0)
        return {
            "country": country, "rural": rural, "belief": belief, "city": self._city.draw(country * 2 + rural, dice.uniform("city")),
            "naming": self._tradition.draw(start + belief, dice.uniform("tradition")),
            "z:development": development, "development": development, "z:urban": town, "urban": town,
        }  # fmt: skip

    def family(self, dice: Dice, columns: Columns) -> Columns:
        """Parents and grandparents in the house, siblings with sex and age, the parents' work (rows of the occupations)."""
        n, country = len(dice), columns["country"]
        dev = columns["z:development"]
        mix = np.clip((dev + 1.5) / 3.0, 0.0, 1.0)[:, None]
        running = np.cumsum(_PARENTS[0] * (1 - mix) + _PARENTS[1] * mix, axis=1)
        keepers = (running <= (dice.uniform("parents") * running[:, -1])[:, None]).sum(axis=1)
        extended = dice.uniform("extended") < 1 / (1 + np.exp(-(_EXTENDED + _EXTENDED_BY_DEVELOPMENT * dev)))
        which = 1 + np.searchsorted(np.cumsum(_GRANDPARENT)[:-1], dice.uniform("which grandparent"))
        grandparent = np.where((keepers == 3) | extended, which, 0)
        mother, father = (keepers <= 1).astype(np.int16), ((keepers == 0) | (keepers == 2)).astype(np.int16)
        band = np.searchsorted(np.array(MEANS_BANDS), columns["z:means"])
        out: Columns = {"mother_home": mother, "father_home": father, "grandparent": grandparent.astype(np.int16)}
        for sex, (name, here, rate) in enumerate((("mother", mother, self._mother_works[country]),
                                                  ("father", father, np.full(n, _FATHER_WORKS)))):  # fmt: skip
            row = ((country * 2 + sex) * 2 + columns["rural"]) * (len(MEANS_BANDS) + 1) + band
            job = self._jobs.draw(row, dice.uniform(f"{name} work"))
            earns = (here > 0) & (dice.uniform(f"{name} works") < rate)
            out[f"{name}_work"] = np.where(earns, job, NONE).astype(np.int16)
        return out | self._brothers_and_sisters(dice, columns)

    def _brothers_and_sisters(self, dice: Dice, columns: Columns) -> Columns:
        n = len(dice)
        drawn = self._siblings.draw(columns["country"], dice.uniform("siblings"))
        older = (dice.uniform("birth order") * (drawn + 1)).astype(np.int64)
        gap = 1 + (dice.uniforms(label_keys([f"gap/{k}" for k in range(MOST_SIBLINGS)])) * _LARGEST_GAP).astype(
            np.int64
        )
        sex = (dice.uniforms(label_keys([f"sibling sex/{k}" for k in range(MOST_SIBLINGS)])) < 0.51).astype(np.int16)
        place = np.arange(MOST_SIBLINGS)[None, :]
        is_older = place < older[:, None]
        there = place < drawn[:, None]
        age = columns["age"].astype(np.int64)[:, None]
        up = age + np.cumsum(np.where(is_older, gap, 0), axis=1)
        down = age - np.cumsum(np.where(is_older, 0, gap), axis=1)
        ages = np.where(is_older, up, down)
        there &= (ages >= 0) & (ages <= 30)
        is_older, girl = is_older & there, sex == 0
        out: Columns = {
            "siblings": there.sum(axis=1), "older": is_older.sum(axis=1), "younger": (there & ~is_older).sum(axis=1),
            "sisters": (there & girl).sum(axis=1), "brothers": (there & ~girl).sum(axis=1),
            "older_sisters": (is_older & girl).sum(axis=1), "older_brothers": (is_older & ~girl).sum(axis=1),
        }  # fmt: skip
        out = {name: column.astype(np.int16) for name, column in out.items()}
        out["sibling_ages"] = np.where(there, ages, NONE).astype(np.int16).reshape(n, MOST_SIBLINGS)
        out["sibling_sexes"] = np.where(there, sex, NONE).astype(np.int16)
        return out

    def friends(self, dice: Dice, columns: Columns) -> Columns:
        """``friends`` (how many are close), the nearest one's sex, ``books`` at home (code)."""
        out: Columns = {}
        for name, raw in (("friends", self.schema.raw["friends"]), ("books", self.schema.raw["books"])):
            mix = raw["mix"]
            told = sum((w * columns[f"z:{k}"] for k, w in mix.items()), start=np.zeros(len(dice)))
            latent = told + np.sqrt(1 - sum(w * w for w in mix.values())) * dice.normal(name)
            out[name] = np.searchsorted(np.array(raw["below"]), latent).astype(np.int16)
        same = dice.uniform("friend sex") < np.array(self.schema.raw["same_sex_friend"])[columns["stage"]]
        out["friend_sex"] = np.where(same, columns["sex"], 1 - columns["sex"]).astype(np.int16)
        return out


def _siblings(fertility: float) -> Floats:
    """Shares of 0 to 6 siblings: Poisson around children per woman less 0.7.

    A child has more siblings than an average woman other children, since large families hold more children; families vary
    less than Poisson. The two about cancel at this shift.
    """
    mean = min(max(fertility - 0.7, 0.5), 4.5)
    return np.array([exp(-mean) * mean**k / factorial(k) for k in range(MOST_SIBLINGS + 1)])


def school_age_people(facts: Facts) -> dict[str, float]:
    """People of 6 to 17 by country, thousands; one without a table of its own has its region's share of its own people."""
    young: dict[str, float] = defaultdict(float)
    everybody: dict[str, float] = defaultdict(float)
    for row in facts.rows("age_sex_education.csv.gz"):
        people = float(row["thousands"])
        everybody[row["iso2"]] += people
        young[row["iso2"]] += people * _SCHOOL_YEARS.get(row["age_from"], 0.0)
    found = {}
    for code, country in facts.countries.items():
        if code in young:
            found[code] = max(young[code], 1e-3)
            continue
        near = [c.iso2 for c in facts.by_region[country.region] if c.iso2 in young]
        share = sum(young[c] for c in near) / max(sum(everybody[c] for c in near), 1e-9)
        found[code] = max((country.figures["population_k"] or 1.0) * share, 1e-3)
    return found


def _asked(facts: Facts, countries: Mapping[str, float]) -> dict[str, float]:
    """The countries by code. UsageError for an unknown one, for no country and for weights that are not above 0."""
    out: dict[str, float] = {}
    for word, weight in countries.items():
        if not weight > 0 or not np.isfinite(weight):
            raise UsageError(f"the weight of {word} is {weight}; write a number above 0, or leave the country out")
        code = facts.country(word).iso2
        if code in out:
            raise UsageError(f"{word} is named twice{nearest(word, countries)}; give each country one weight")
        out[code] = float(weight)
    if not out:
        raise UsageError("no country is named; name at least one, or none at all for the world")
    return out
