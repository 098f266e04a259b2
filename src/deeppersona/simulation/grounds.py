"""What of a person bears on an answer: traits, position, place and circumstances, as numbers, from their record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from deeppersona.facts.tables import Facts, shipped_facts
from deeppersona.generation.latents import personality
from deeppersona.runtime.seed import Dice, Floats, Ints, label_key
from deeppersona.schema import vocabulary as v

Record = Mapping[str, Any]
FEATURES = (
    *v.TRAIT_5, "age", "female", "education", "income", "urban", "believer", "muslim", "partnered", "unemployed",
    "self_expression", "secular", "development", "country_x", "country_y", "country_xx", "country_xy", "country_yy",
)  # fmt: skip
"""What a response model may lean on. Big Five, age, education and income are in standard deviations; ``female`` and ``urban``
are 1 or -1; ``believer``, ``muslim``, ``partnered`` and ``unemployed`` 1 or 0; ``self_expression`` and ``secular`` are how far
somebody stands from their country on the Inglehart-Welzel map, in standard deviations; ``country_*`` are the country's own
coordinates, their squares and product; ``development`` its income a head."""
NO_COUNTRY = ""
_ADULT = 18
_VALUES = ("survival_to_self_expression", "traditional_to_secular")
_SPREAD = 1.25  # of people about their country on the map, see generation.latents
_WANTED = frozenset(
    [f"demographics.{k}" for k in ("country", "age", "sex", "education", "urban", "income", "religion", "marital_status",
                                   "employment_status")]
    + [f"personality.big_five.{t}" for t in v.TRAIT_5] + [f"values.orientation.{k}" for k in _VALUES]
)  # fmt: skip


def _dice(seed: int, ids: Sequence[str]) -> Dice:
    """Dice of people by their id: what is drawn for somebody depends on nobody else."""
    salt = np.array([label_key(i) for i in ids], dtype=np.uint64)
    return Dice(seed, np.zeros(len(ids), dtype=np.int64), salt)


@lru_cache(maxsize=512)
def _schooling(code: str) -> tuple[float, float]:
    """Mean and spread of the schooling of a country's adults, as codes of the vocabulary."""
    facts = shipped_facts()
    table, _ = facts.age_sex_education(facts.countries[code])
    people = table[_ADULT:, :, : len(v.EDUCATION)].sum(axis=(0, 1))
    codes = np.arange(len(v.EDUCATION))
    mean = float(np.average(codes, weights=people))
    return mean, max(float(np.sqrt(np.average((codes - mean) ** 2, weights=people))), 0.5)


@lru_cache(maxsize=512)
def place_of(code: str) -> tuple[float, float, float]:
    """A country's place on the map (x, y) and its development; the world's middle where the country is not known."""
    facts = shipped_facts()
    if code not in facts.countries:
        return 0.0, 0.0, 0.0
    country = facts.countries[code]
    return facts.figure(country, "iw_x").value, facts.figure(country, "iw_y").value, facts.development[code]


@dataclass(frozen=True)
class Grounds:
    """Some people as columns; rows in the order of the records.

    ``raw`` are Big Five scores 1-5 (people, 5); ``columns`` holds each of ``FEATURES`` (people,); ``assumed`` marks people of
    whom something was not known and taken from chance or the middle.
    """

    ids: tuple[str, ...]
    country: tuple[str, ...]
    age: Ints
    sex: Ints
    raw: Floats
    columns: dict[str, Floats]
    assumed: tuple[bool, ...]
    dice: Dice

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def norms(self) -> tuple[Floats, Floats]:
        """Mean and spread of the Big Five at each person's age and sex, shape (people, 5) each."""
        found = personality(str(_facts().folder))
        return found.mean[self.age, self.sex], found.sd[self.age, self.sex]

    def matrix(self, names: Sequence[str]) -> Floats:
        """Features by name, shape (people, names)."""
        if not names:
            return np.zeros((len(self), 0))
        return np.stack([self.columns[name] for name in names], axis=1)

    def elsewhere(self, codes: Sequence[str]) -> Grounds:
        """The same people as if of other countries: what their country adds to an answer is another's."""
        return Grounds(self.ids, tuple(codes), self.age, self.sex, self.raw,
                       self.columns | _places(codes), self.assumed, self.dice)  # fmt: skip


def _facts() -> Facts:
    return shipped_facts()


def _places(codes: Sequence[str]) -> dict[str, Floats]:
    x, y, development = np.array([place_of(c) for c in codes], dtype=np.float64).reshape(-1, 3).T
    return {"country_x": x, "country_y": y, "country_xx": x * x, "country_xy": x * y, "country_yy": y * y,
            "development": development}  # fmt: skip


def told(record: Record) -> dict[str, Any]:
    """The traits that bear on answers, by path, and of the income its percentile where the evidence gives it."""
    found: dict[str, Any] = {}
    for trait in record["traits"]:
        path = trait["path"]
        if path in _WANTED:
            found[path] = trait["value"]
            if path == "demographics.income":
                found["percentile"] = (trait.get("evidence") or {}).get("percentile")
    return found


def grounds(records: Sequence[Record], seed: int = 0) -> Grounds:
    """The grounds of some people, from their records.

    What a record does not tell is drawn (personality, by age and sex) or taken to be average, and the person is marked.
    """
    ids = tuple(str(r["id"]) for r in records)
    facts = [told(r) for r in records]
    dice = _dice(seed, ids)
    age = np.array([_whole(f.get("demographics.age"), 40) for f in facts], dtype=np.int64).clip(0, 104)
    sex = np.array([int(f.get("demographics.sex") == "male") for f in facts], dtype=np.int64)
    country = tuple(str(f.get("demographics.country", NO_COUNTRY)) for f in facts)
    assumed = [not {"demographics.age", "demographics.sex", "demographics.country"} <= set(f) for f in facts]
    raw = _personality(facts, assumed, dice, age, sex)
    places = _places(country)
    columns: dict[str, Floats] = dict(zip(v.TRAIT_5, personality(str(_facts().folder)).standardise(raw).T, strict=True))
    columns |= (
        places | _circumstances(facts, country) | {"age": (age - 45.0) / 18.0, "female": np.where(sex == 0, 1.0, -1.0)}
    )
    for name, key, centre in zip(("self_expression", "secular"), _VALUES, ("country_x", "country_y"), strict=True):
        at = np.array([_number(f.get(f"values.orientation.{key}")) for f in facts])
        columns[name] = np.where(np.isnan(at), 0.0, (at - places[centre]) / _SPREAD)
        assumed = [a or bool(np.isnan(x)) for a, x in zip(assumed, at, strict=True)]
    return Grounds(ids, country, age, sex, raw, columns, tuple(assumed), dice)


def _circumstances(facts: Sequence[dict[str, Any]], country: Sequence[str]) -> dict[str, Floats]:
    """Schooling, income, town, faith, partner and work of people, as features."""
    n = len(facts)
    out = {
        name: np.zeros(n) for name in ("education", "income", "urban", "believer", "muslim", "partnered", "unemployed")
    }
    known = _facts().countries
    for i, (f, code) in enumerate(zip(facts, country, strict=True)):
        level = f.get("demographics.education")
        if level in v.EDUCATION and code in known:
            mean, sd = _schooling(code)
            out["education"][i] = min(max((v.EDUCATION.index(level) - mean) / sd, -2.5), 2.5)
        income = f.get("demographics.income")
        fifth = v.INCOME.index(income) * 20 + 10 if income in v.INCOME else 50
        percentile = f.get("percentile")
        out["income"][i] = ((fifth if percentile is None else float(percentile)) - 50.0) / 29.0
        out["urban"][i] = {"urban": 1.0, "rural": -1.0}.get(str(f.get("demographics.urban")), 0.0)
        religion = str(f.get("demographics.religion", ""))
        out["believer"][i] = float(bool(religion) and religion != "no religion")
        out["muslim"][i] = float(religion.startswith("Muslim"))
        out["partnered"][i] = float(f.get("demographics.marital_status") in v.PARTNERED)
        out["unemployed"][i] = float(f.get("demographics.employment_status") == "unemployed")
    return out


def _personality(facts: Sequence[dict[str, Any]], assumed: list[bool], dice: Dice, age: Ints, sex: Ints) -> Floats:
    """Big Five scores (people, 5): as told; drawn by age and sex where they are not.

    Records hold scores cut at 1 and 5. A score at a bound stands for all beyond it, and is set to a place beyond, drawn from
    the tail of the normal distribution at that age and sex, so that many of the most agreeable are not all alike.
    """
    raw = np.array([[_number(f.get(f"personality.big_five.{t}")) for t in v.TRAIT_5] for f in facts]).reshape(-1, 5)
    unknown_ = np.isnan(raw)
    norms = personality(str(_facts().folder))
    mean, sd = norms.mean[age, sex], norms.sd[age, sex]
    if unknown_.any():
        drawn = norms.draw(dice.normal, age, sex)
        raw = np.where(unknown_, drawn, raw)
        assumed[:] = [a or bool(u) for a, u in zip(assumed, unknown_.any(axis=1), strict=True)]
    for t, trait in enumerate(v.TRAIT_5):
        for bound, sign in ((1.0, -1.0), (5.0, 1.0)):
            at = np.flatnonzero(sign * (raw[:, t] - bound) >= 0)
            if not len(at):
                continue
            beyond = sign * (bound - sign * 0.05 - mean[at, t]) / sd[at, t]
            u = dice.rows(at).uniform(f"tail/{trait}")
            raw[at, t] = mean[at, t] + sign * sd[at, t] * _tail(beyond, u)
    return raw


def _tail(bound: Floats, u: Floats) -> Floats:
    """Standard normal numbers above ``bound``, by their uniform ``u``; both (people,)."""
    from statistics import NormalDist

    normal = NormalDist()
    below = np.array([normal.cdf(b) for b in bound])
    return np.array([normal.inv_cdf(min(max(p, 1e-12), 1 - 1e-12)) for p in below + u * (1.0 - below)])


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _whole(value: object, otherwise: int) -> int:
    return int(value) if isinstance(value, (int, float)) else otherwise
