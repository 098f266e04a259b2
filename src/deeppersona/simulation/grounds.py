"""What of a person bears on an answer: traits, position, place and circumstances, as numbers, from their record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from deeppersona.facts.tables import Country, Facts, shipped_facts
from deeppersona.generation.cells import AGE, EDUCATION, SEX, URBAN
from deeppersona.generation.core import country_model
from deeppersona.generation.latents import draw_values, personality
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
PLACE_FEATURES = (
    "country_x", "country_y", "country_xx", "country_xy", "country_yy", "development", "country_english", "country_iberian",
    "country_russian", "country_catholic", "country_protestant", "country_east_asia", "country_south_asia", "country_communist",
)  # fmt: skip
"""What a model may say of a country's people together: the place on the map, its squares and product, income a head, the shares
who speak English, Spanish or Portuguese, or Russian at home, who are Catholic or Protestant; and 1 or 0: East Asia, South and
South-East Asia, decades of communist rule (the cultural zones of Inglehart and Baker 2000, as far as the facts have them)."""
NO_COUNTRY = ""
_ADULT = 18
_VALUES = ("survival_to_self_expression", "traditional_to_secular")
_SPREAD = 1.25  # of people about their country on the map, see generation.latents
_COMMUNIST = frozenset([
    "AL", "AM", "AZ", "BA", "BG", "BY", "CN", "CU", "CZ", "EE", "GE", "HR", "HU", "KG", "KH", "KP", "KZ", "LA", "LT", "LV", "MD", "ME",
    "MK", "MN", "PL", "RO", "RS", "RU", "SI", "SK", "TJ", "TM", "UA", "UZ", "VN", "XK",
])  # fmt: skip
_SPEECH = {
    "country_english": ("English",),
    "country_iberian": ("Spanish", "Portuguese"),
    "country_russian": ("Russian",),
}
_BRANCH = {"country_catholic": ("Catholic",), "country_protestant": ("Protestant", "Anglican")}
_LAND = {"country_east_asia": ("east_asia",), "country_south_asia": ("south_asia", "southeast_asia")}
PARTNERED = 0.6  # of adults of the world, roughly
_WORLD_FAITH = (0.84, 0.24)  # believers and Muslims, of all people (Pew Research Center 2012)
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


@lru_cache(maxsize=512)
def country_features(code: str) -> dict[str, float]:
    """What a country is, by ``PLACE_FEATURES``; the mean of all countries where it is not known."""
    facts = shipped_facts()
    if code not in facts.countries:
        known = [country_features(c) for c in facts.countries]
        return {name: float(np.mean([f[name] for f in known])) for name in PLACE_FEATURES}
    country = facts.countries[code]
    x, y, development = place_of(code)
    speech, faith = facts.language(country), facts.religion(country)

    def share(rows: Sequence[Mapping[str, str]], shares: Floats, column: str, words: tuple[str, ...]) -> float:
        return float(sum(s for row, s in zip(rows, shares, strict=True) if row[column] in words))

    return {
        "country_x": x, "country_y": y, "country_xx": x * x, "country_xy": x * y, "country_yy": y * y, "development": development,
        **{name: share(speech.rows, speech.share, "language", words) for name, words in _SPEECH.items()},
        **{name: share(faith.rows, faith.share, "branch", words) for name, words in _BRANCH.items()},
        **{name: float(country.region in regions) for name, regions in _LAND.items()},
        "country_communist": float(code in _COMMUNIST),
    }  # fmt: skip


@dataclass(frozen=True)
class Compatriots:
    """The adults of a country as features.

    ``mean`` (features,) and ``covariance`` (features, features) are of all features but faith, in the order of ``FEATURES``;
    ``faith`` holds the groups (believer, muslim, share), within which the others are taken to be spread alike.
    """

    mean: Floats
    covariance: Floats
    faith: tuple[tuple[float, float, float], ...]

    def spread(self, loads: Mapping[str, float], chance: float) -> tuple[Floats, Floats, float]:
        """Means (groups,), shares (groups,) and standard deviation within groups of a propensity, ``chance`` its variance besides."""
        weight = np.array([loads.get(name, 0.0) for name in FEATURES])
        middle, within = float(weight @ self.mean), float(weight @ self.covariance @ weight)
        a, b = loads.get("believer", 0.0), loads.get("muslim", 0.0)
        means = np.array([middle + a * believer + b * muslim for believer, muslim, _ in self.faith])
        return means, np.array([share for _, _, share in self.faith]), float(np.sqrt(within + chance))


@lru_cache(maxsize=512)
def compatriots(code: str) -> Compatriots:
    """The adults of a country, from the tables that people are drawn from; people of the world where it is not known."""
    facts, norms, n = shipped_facts(), personality(str(_facts().folder)), len(FEATURES)
    at = {name: k for k, name in enumerate(FEATURES)}
    mean, covariance = np.zeros(n), np.zeros((n, n))
    alike, own = np.array([at[t] for t in v.TRAIT_5]), [at["self_expression"], at["secular"]]
    covariance[own, own] = 1.0
    if code not in facts.countries:
        covariance[np.ix_(alike, alike)] = norms.root @ norms.root.T
        mean[at["partnered"]] = PARTNERED
        return Compatriots(mean, covariance, ((*_WORLD_FAITH, 1.0),))
    country = facts.countries[code]
    cells = country_model(facts, code).cells
    grown = np.flatnonzero((AGE >= _ADULT) & (len(v.EDUCATION) > EDUCATION) & (cells.weight > 0))
    weight = cells.weight[grown] / cells.weight[grown].sum()
    age, sex, level, town = AGE[grown], SEX[grown], EDUCATION[grown], URBAN[grown]
    (centre, sd), (usual, unlike) = _schooling(code), cells.adult_education
    schooled = ((level - usual) / max(unlike, 0.5)).clip(-2.5, 2.5)
    lean = draw_values(lambda _: np.zeros(len(grown)), age, schooled, town, (0.0, 0.0)) / _SPREAD
    columns = np.zeros((len(grown), n))
    columns[:, alike] = norms.standardise(norms.mean[age, sex])
    columns[:, own] = lean
    columns[:, at["age"]], columns[:, at["female"]] = (age - 45.0) / 18.0, np.where(sex == 0, 1.0, -1.0)
    columns[:, at["education"]], columns[:, at["urban"]] = (
        ((level - centre) / sd).clip(-2.5, 2.5),
        np.where(town == 0, 1.0, -1.0),
    )
    mean = weight @ columns
    covariance += (columns - mean).T @ (weight[:, None] * (columns - mean))
    about = (weight @ norms.sd[age, sex]) / norms.spread
    covariance[np.ix_(alike, alike)] += norms.root @ norms.root.T * np.outer(about, about)
    covariance[at["income"], at["income"]] = 1.0
    for name, share in _states(facts, country).items():
        mean[at[name]], covariance[at[name], at[name]] = share, share * (1.0 - share)
    return Compatriots(mean, covariance, _faiths(facts, country))


def _states(facts: Facts, country: Country) -> dict[str, float]:
    """Shares of adults with a partner and out of work, roughly: as among women of 15 to 49, and as in the labour force."""
    together, idle = facts.figure(country, "married_women_15_49").value, facts.figure(country, "unemployment").value
    return {"partnered": together, "unemployed": idle * facts.figure(country, "participation").value}


def _faiths(facts: Facts, country: Country) -> tuple[tuple[float, float, float], ...]:
    """(believer, muslim, share) of people without religion, of Muslims, of all others."""
    found = facts.religion(country)
    by = {group: sum(float(s) for row, s in zip(found.rows, found.share, strict=True) if row["religion"] == group)
          for group in ("none", "muslim")}  # fmt: skip
    return (0.0, 0.0, by["none"]), (1.0, 1.0, by["muslim"]), (1.0, 0.0, 1.0 - by["none"] - by["muslim"])


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
        level = str(f.get("demographics.education", "")).replace(" ", "_")  # records are worded, the vocabulary is not
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
