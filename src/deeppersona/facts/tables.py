"""Look up the shipped figures. A figure missing for a country is its region's mean, and says so."""

from __future__ import annotations

import csv
import gzip
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import unknown
from deeppersona.schema import vocabulary as v

Floats = NDArray[np.float64]
SHIPPED = Path(__file__).parent
AGES = 105  # single years 0..104; the open group 100+ fills the last five
EDUCATION_AND_CHILD = (*v.EDUCATION, "under_15")
_LEVEL = {word: k for k, word in enumerate(EDUCATION_AND_CHILD)}
_COMPLETED_AT = (0, 0, 11, 14, 17, 19, 20, 22, 0)  # youngest age at which a level can be finished
_OLDEST_SHARES = (0.40, 0.25, 0.17, 0.11, 0.07)  # how 100+ falls off by year of age


@lru_cache(maxsize=1024)
def _years(low: int, high: int, level: int) -> tuple[list[int], Floats, float]:
    """The single years of a group of ages in which a level can have been finished, how people lie in them, and the sum of that."""
    years = [a for a in range(low, min(high, AGES - 1) + 1) if a >= _COMPLETED_AT[level]] or [min(high, AGES - 1)]
    shares = np.array(_OLDEST_SHARES[: len(years)]) if low >= 100 else np.ones(len(years))
    return years, shares, float(shares.sum())


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the place it is of: the country itself, or its region where the country has none."""

    value: float
    place: str


@dataclass(frozen=True, slots=True)
class Country:
    """One country: codes, names, world region and its single figures (``None`` where there is none)."""

    iso2: str
    iso3: str
    name: str
    demonym: str
    region: str
    currency: str
    figures: Mapping[str, float | None]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Shares:
    """A distribution over labelled categories, which place it is of, and the columns it came with."""

    rows: tuple[dict[str, str], ...]
    share: Floats
    place: str


@dataclass(frozen=True, slots=True)
class Tradition:
    """A naming tradition: given names by sex and generation, family names by sex, and their order."""

    key: str
    order: str
    given: Mapping[str, tuple[str, ...]]
    older: Mapping[str, tuple[str, ...]]
    younger: Mapping[str, tuple[str, ...]]
    family: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Occupations:
    """The occupations as columns, one entry a row of ``occupations.csv``."""

    title: tuple[str, ...]
    title_by_sex: tuple[tuple[str, ...], tuple[str, ...]]
    isco: tuple[str, ...]
    place: tuple[str, ...]
    tool: tuple[str, ...]
    grumble: tuple[str, ...]
    task: tuple[str, ...]
    sector: NDArray[np.int64]
    edu_min: NDArray[np.int64]
    age_min: Floats
    age_max: Floats
    weight: Floats
    edu_typical: Floats
    edu_spread: Floats
    female_share: Floats
    urban: Floats
    development: Floats
    income: Floats
    self_employed: Floats
    regions: tuple[frozenset[str], ...]

    def __len__(self) -> int:
        return len(self.title)

    @cached_property
    def trade(self) -> NDArray[np.int64]:
        """The kind of work of each, by its ISCO-08 group: an index into ``vocabulary.TRADE``."""
        return np.array([trade_of(code) for code in self.isco])

    @cached_property
    def index(self) -> dict[str, int]:
        """Title -> row."""
        return {title: i for i, title in enumerate(self.title)}


# ISCO-08 prefix -> the kind of work; the longest prefix that fits counts.
_TRADE_OF_ISCO = {
    "0": "guarding", "1": "leading", "21": "technical", "22": "caring", "23": "teaching", "24": "office",
    "25": "technical", "26": "arts_and_law", "31": "technical", "32": "caring", "33": "office", "34": "arts_and_law",
    "35": "technical", "4": "office", "51": "serving", "516": "odd_jobs", "52": "selling", "53": "caring",
    "5312": "teaching", "54": "guarding", "6": "farming", "71": "building", "7": "making", "8": "driving", "81": "making",
    "82": "making", "91": "serving", "92": "farming", "931": "building", "932": "making", "933": "driving",
    "94": "serving", "95": "selling", "96": "odd_jobs",
}  # fmt: skip


def trade_of(isco: str) -> int:
    """The kind of work (an index into ``vocabulary.TRADE``) behind an ISCO-08 code."""
    prefix = max((p for p in _TRADE_OF_ISCO if isco.startswith(p)), key=len)
    return v.TRADE.index(_TRADE_OF_ISCO[prefix])


def region_words(region: str) -> str:
    """A region in words: ``East Africa``."""
    return region.replace("_", " ").title()


def _tradition(key: str, raw: dict[str, Any]) -> Tradition:
    both = tuple(raw.get("family", ()))
    return Tradition(
        key,
        raw.get("order", "given family"),
        {sex: tuple(raw[sex]) for sex in v.SEX},
        {sex: tuple(raw.get(f"older_{sex}", ())) for sex in v.SEX},
        {sex: tuple(raw.get(f"younger_{sex}", ())) for sex in v.SEX},
        {sex: tuple(raw.get(f"family_{sex}", both)) for sex in v.SEX},
    )


@dataclass
class Facts:
    """The tables of one folder. Each is read when first asked for."""

    folder: Path = SHIPPED
    _cache: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV table as dictionaries of text."""
        if name not in self._cache:
            path = self.folder / name
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            self._cache[name] = list(csv.DictReader(StringIO(raw.decode("utf-8"))))
        return self._cache[name]

    @cached_property
    def sources(self) -> list[dict[str, Any]]:
        """What each table was derived from: file, columns, title, publisher, year, licence, note; in the files' order."""
        found: list[dict[str, Any]] = []
        for path in sorted(self.folder.rglob("*sources.toml")):
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            found += raw.pop("source", [])
            found += [{"file": name, **entry} for name, entry in raw.items()]
        return found

    @cached_property
    def countries(self) -> dict[str, Country]:
        """ISO 3166 alpha-2 code -> country, in the order of the codes."""
        words = ("iso2", "iso3", "name", "demonym", "region", "currency", "tertiary_split")
        found = {}
        for row in self.rows("countries.csv"):
            figures = {k: float(x) if x else None for k, x in row.items() if k not in words}
            found[row["iso2"]] = Country(
                row["iso2"], row["iso3"], row["name"], row["demonym"], row["region"], row["currency"], figures
            )
        return {code: found[code] for code in sorted(found)}

    def country(self, word: str) -> Country:
        """Find a country by ISO code or name. UsageError offers the nearest names."""
        folded = word.strip().casefold()
        for c in self.countries.values():
            if folded in (c.iso2.casefold(), c.iso3.casefold(), c.name.casefold()):
                return c
        names = [c.name for c in self.countries.values()]
        codes = [c.iso2 for c in self.countries.values()]
        raise unknown("country", word, codes if len(word.strip()) <= 3 else names)

    @cached_property
    def by_region(self) -> dict[str, tuple[Country, ...]]:
        """Region -> its countries."""
        found: dict[str, list[Country]] = defaultdict(list)
        for c in self.countries.values():
            found[c.region].append(c)
        return {region: tuple(cs) for region, cs in found.items()}

    def figure(self, country: Country, name: str) -> Figure:
        """One figure of a country; where it is missing, the mean of its region weighted by population."""
        own = country.figures[name]
        if own is not None:
            return Figure(own, country.name)
        for place, pool in (
            (region_words(country.region), self.by_region[country.region]),
            ("World", tuple(self.countries.values())),
        ):
            known = [(c.figures[name], c.figures["population_k"] or 1.0) for c in pool if c.figures[name] is not None]
            if known:
                total = sum(w for _, w in known)
                return Figure(sum((x or 0.0) * w for x, w in known) / total, place)
        raise KeyError(name)

    @cached_property
    def development(self) -> dict[str, float]:
        """A country's standing by GDP a head (logarithm, standardised over people): iso2 -> about -2..2."""
        codes = list(self.countries)
        logs = np.log([self.figure(self.countries[c], "gdp_per_head").value for c in codes])
        weight = np.array([self.countries[c].figures["population_k"] or 1.0 for c in codes])
        mean = np.average(logs, weights=weight)
        sd = np.sqrt(np.average((logs - mean) ** 2, weights=weight))
        return {c: float(np.clip((x - mean) / sd, -2.2, 2.2)) for c, x in zip(codes, logs, strict=True)}

    @cached_property
    def _education_rows(self) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in self.rows("age_sex_education.csv.gz"):
            found[row["iso2"]].append(row)
        return found

    def age_sex_education(self, country: Country) -> tuple[Floats, str]:
        """People (thousands) by single year of age x sex x education, shape (105, 2, 9), and the place it is of.

        Five-year groups are spread evenly over their years, except that nobody has finished a level before the age at
        which it can be finished; the group totals stay exact.
        """
        rows = self._education_rows.get(country.iso2)
        place = country.name
        if rows is None:
            place = region_words(country.region)
            rows = [r for c in self.by_region[country.region] for r in self._education_rows.get(c.iso2, [])]
        table = np.zeros((AGES, 2, len(EDUCATION_AND_CHILD)))
        for row in rows:
            level = _LEVEL[row["education"]]
            years, shares, whole = _years(int(row["age_from"]), int(row["age_to"]), level)
            table[years, v.SEX.index(row["sex"]), level] += float(row["thousands"]) * shares / whole
        return table, place

    def _shares(self, name: str, country: Country, column: str) -> Shares:
        def of(codes: Iterable[str]) -> list[dict[str, str]]:
            return [row for code in codes for row in self._by_country(name).get(code, [])]

        rows, place = [r for r in of([country.iso2]) if float(r[column]) > 0], country.name
        if rows:
            share = np.array([float(r[column]) for r in rows])
        else:
            place = region_words(country.region)
            rows = [r for r in of(c.iso2 for c in self.by_region[country.region]) if float(r[column]) > 0]
            share = np.array(
                [float(r[column]) * (self.countries[r["iso2"]].figures["population_k"] or 1) for r in rows]
            )
        return Shares(tuple(rows), share / share.sum(), place)

    def _by_country(self, name: str) -> dict[str, list[dict[str, str]]]:
        index: dict[str, list[dict[str, str]]] = self.__dict__.setdefault(f"index:{name}", {})
        if not index:
            for row in self.rows(name):
                index.setdefault(row["iso2"], []).append(row)
        return index

    def religion(self, country: Country) -> Shares:
        """Share of people by religion and branch."""
        return self._shares("religion.csv", country, "share")

    def language(self, country: Country) -> Shares:
        """Share of people by main home language."""
        return self._shares("language.csv", country, "home_share")

    def cities(self, country: Country) -> Shares:
        """Towns and cities by share of the people living in those listed."""
        return self._shares("cities.csv.gz", country, "population_k")

    def regional(self, name: str, region: str, **where: str) -> list[dict[str, str]]:
        """The rows of a table kept by world region."""
        return [r for r in self.rows(name) if r["region"] == region and all(r[k] == x for k, x in where.items())]

    @cached_property
    def occupations(self) -> Occupations:
        """The occupations."""
        rows = self.rows("occupations.csv")

        def number(name: str) -> Floats:
            return np.array([float(r[name]) for r in rows])

        def text(name: str) -> tuple[str, ...]:
            return tuple(r[name].strip() for r in rows)

        def spoken(name: str) -> tuple[str, ...]:
            return tuple(r[name].strip() or r["title"].strip() for r in rows)

        return Occupations(
            text("title"), (spoken("title_female"), spoken("title_male")), text("isco"), text("place"), text("tool"), text("grumble"), text("task"),
            np.array([v.SECTOR.index(r["sector"]) for r in rows]),
            np.array([v.EDUCATION.index(r["edu_min"]) for r in rows]),
            number("age_min"), number("age_max"), number("weight"), number("edu_typical"), number("edu_spread"),
            number("female_share"), number("urban"), number("development"), number("income"), number("self_employed"),
            tuple(frozenset(filter(None, r["regions"].split(";"))) for r in rows),
        )  # fmt: skip

    @cached_property
    def _name_files(self) -> dict[str, Path]:
        """Tradition -> the file it stands in, by its heading: only the files asked for are parsed."""
        files = (p for p in sorted((self.folder / "names").glob("*.toml")) if p.name != "sources.toml")
        return {key: p for p in files for key in re.findall(r"^\[(\w+)\]", p.read_text("utf-8"), re.MULTILINE)}

    def tradition(self, key: str) -> Tradition:
        """A naming tradition by its key."""
        known: dict[str, Tradition] = self.__dict__.setdefault("_traditions", {})
        if key not in known:
            for name, raw in tomllib.loads(self._name_files[key].read_text("utf-8")).items():
                known[name] = _tradition(name, raw)
        return known[key]

    @property
    def traditions(self) -> dict[str, Tradition]:
        """All naming traditions by key."""
        return {key: self.tradition(key) for key in self._name_files}

    def naming(self, country: Country) -> list[tuple[Tradition, float, frozenset[str], frozenset[str]]]:
        """(tradition, weight, religions, languages) rows of a country; empty sets mean any."""
        rows = self._by_country("names/mapping.csv").get(country.iso2, [])
        return [
            (
                self.tradition(row["tradition"]),
                float(row["weight"]),
                frozenset(filter(None, row["religions"].split(";"))),
                frozenset(filter(None, row["languages"].split(";"))),
            )
            for row in rows
        ]


@lru_cache(maxsize=1)
def shipped_facts() -> Facts:
    """The tables that come with deeppersona."""
    return Facts()
