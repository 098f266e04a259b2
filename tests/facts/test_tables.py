"""The shipped tables of figures: whole, plausible, and in the words the engine expects."""

from __future__ import annotations

import csv
import gzip
import math
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

FACTS = Path(__file__).resolve().parents[2] / "src" / "deeppersona" / "facts"
TABLES = (
    "age_sex_education.csv.gz", "cities.csv.gz", "countries.csv", "language.csv", "marriage.csv",
    "mortality.csv", "participation.csv", "personality.csv", "personality_correlations.csv", "religion.csv",
    "working_statuses.csv",
)  # fmt: skip
REGIONS = {
    "north_america", "central_america", "caribbean", "south_america", "northern_europe", "western_europe",
    "southern_europe", "eastern_europe", "north_africa", "west_africa", "east_africa", "central_africa",
    "southern_africa", "middle_east", "central_asia", "south_asia", "southeast_asia", "east_asia", "oceania",
    "pacific_islands",
}  # fmt: skip
EDUCATION = {
    "under_15", "none", "incomplete_primary", "primary", "lower_secondary", "upper_secondary",
    "short_tertiary", "bachelor", "master",
}  # fmt: skip
RELIGIONS = {"christian", "muslim", "hindu", "buddhist", "jewish", "sikh", "folk", "other", "none"}
SECTORS = ("agri", "industry", "services")


@cache
def read(name: str) -> list[dict[str, str]]:
    path = FACTS / name
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes(name: str) -> set[str]:
    return {row["iso2"] for row in read(name)}


def country(iso2: str) -> dict[str, str]:
    return next(row for row in read("countries.csv") if row["iso2"] == iso2)


def sums(name: str, value: str, *keys: str) -> dict[tuple[str, ...], float]:
    totals: dict[tuple[str, ...], float] = defaultdict(float)
    for row in read(name):
        totals[tuple(row[key] for key in keys)] += float(row[value])
    return totals


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_rectangular_and_has_no_nan(name: str) -> None:
    rows = read(name)
    assert rows
    for row in rows:
        assert None not in row and None not in row.values(), row
        figures = {cell for column, cell in row.items() if column != "code"}  # nan is the code of Hokkien
        assert not {"nan", "None", "inf", "-inf"} & figures, row


@pytest.mark.parametrize("name", TABLES)
def test_no_row_comes_twice(name: str) -> None:
    keys = {
        "language.csv": ("iso2", "code"),
        "religion.csv": ("iso2", "religion", "branch"),
        "cities.csv.gz": ("iso2", "city"),
    }
    columns = keys.get(name, tuple(read(name)[0]))
    seen = [tuple(row[column] for column in columns) for row in read(name)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_its_source(name: str) -> None:
    sources = tomllib.loads((FACTS / "sources.toml").read_text(encoding="utf-8"))["source"]
    found = [source for source in sources if source["file"] == name]
    assert found
    for source in found:
        assert {"title", "publisher", "year", "licence", "url", "note"} <= set(source)


def test_every_column_of_countries_names_its_source() -> None:
    sources = tomllib.loads((FACTS / "sources.toml").read_text(encoding="utf-8"))["source"]
    named = {column for source in sources if source["file"] == "countries.csv" for column in source["columns"]}
    assert set(read("countries.csv")[0]) - {"region"} == named


def test_countries() -> None:
    rows = read("countries.csv")
    assert len(rows) >= 190
    assert {row["region"] for row in rows} == REGIONS
    for row in rows:
        assert len(row["iso2"]) == 2 and len(row["iso3"]) == 3
        assert row["name"] and row["demonym"] and row["currency"]
        for column in (
            "urban_share",
            "married_women_15_49",
            "participation",
            "unemployment",
            "gini",
            "literacy",
        ):
            assert row[column] == "" or 0 <= float(row[column]) <= 1, (row["iso2"], column)
        assert row["fertility"] == "" or 0.7 < float(row["fertility"]) < 8
        assert row["gdp_per_head"] == "" or 500 < float(row["gdp_per_head"]) < 300_000


def test_sectors_sum_to_one_for_each_sex() -> None:
    for row in read("countries.csv"):
        for sex in "fm":
            parts = [row[f"{sector}_{sex}"] for sector in SECTORS]
            assert parts == [""] * 3 or math.isclose(sum(map(float, parts)), 1, abs_tol=1e-6), row["iso2"]


def test_every_country_has_religion_language_and_a_town() -> None:
    everywhere = codes("countries.csv")
    for name in ("religion.csv", "language.csv", "cities.csv.gz"):
        assert codes(name) == everywhere, name
    assert codes("age_sex_education.csv.gz") < everywhere


def test_most_countries_are_complete() -> None:
    needed = ("urban_share", "population_k", "gdp_per_head", *(f"{s}_{x}" for s in SECTORS for x in "fm"))
    complete = {row["iso2"] for row in read("countries.csv") if all(row[column] for column in needed)}
    complete &= codes("age_sex_education.csv.gz") & codes("religion.csv") & codes("language.csv")
    assert len(complete) >= 150


def test_people_add_up_to_the_world_of_2020() -> None:
    rows = read("age_sex_education.csv.gz")
    assert {row["education"] for row in rows} == EDUCATION
    assert {row["sex"] for row in rows} == {"female", "male"}
    assert sum(float(row["thousands"]) for row in rows) == pytest.approx(7.80e6, rel=0.005)
    assert len({row["iso2"] for row in rows}) == 200
    for row in rows:
        assert (row["education"] == "under_15") == (int(row["age_to"]) < 15)
    by_country = sums("age_sex_education.csv.gz", "thousands", "iso2")
    for (iso2,), thousands in by_country.items():
        assert float(country(iso2)["population_k"]) == pytest.approx(thousands, rel=0.02)


def test_religion_sums_to_one() -> None:
    rows = read("religion.csv")
    assert {row["religion"] for row in rows} == RELIGIONS
    assert {row["basis"] for row in rows} == {"cow", "cia", "own"}
    assert all(total == pytest.approx(1, abs=1e-6) for total in sums("religion.csv", "share", "iso2").values())


def test_home_languages_sum_to_one() -> None:
    assert all(total == pytest.approx(1, abs=1e-6) for total in sums("language.csv", "home_share", "iso2").values())
    for row in read("language.csv"):
        assert row["language"].isascii(), row
        assert row["spoken_share"] == "" or 0 < float(row["spoken_share"]) <= 1
        if row["spoken_share"]:
            assert float(row["spoken_share"]) >= float(row["home_share"]) - 0.001, row


def test_cities() -> None:
    rows = read("cities.csv.gz")
    for row in rows:
        assert row["size"] in ("large", "small")
        assert row["city"].isascii() and row["city"][0].isalnum(), row
        assert -90 <= float(row["lat"]) <= 90 and -180 <= float(row["lon"]) <= 180
        assert float(row["population_k"]) > 0
    with_large = {row["iso2"] for row in rows if row["size"] == "large"}
    assert with_large == codes("countries.csv")
    assert max(sums("cities.csv.gz", "population_k", "iso2").values()) < 1e6
    listed = {(row["iso2"], row["city"]) for row in rows}
    assert {
        ("KE", "Nairobi"),
        ("US", "New York"),
        ("DE", "Cologne"),
        ("JP", "Tokyo"),
        ("BR", "Sao Paulo"),
    } <= listed
    assert not {("US", "Brooklyn"), ("US", "Manhattan"), ("CN", "Pudong"), ("JP", "Suginami")} & listed


def test_regional_tables_hold_every_region() -> None:
    for name in ("participation.csv", "working_statuses.csv", "marriage.csv", "mortality.csv"):
        assert {row["region"] for row in read(name)} == REGIONS, name
    for row in read("participation.csv"):
        assert 0 <= float(row["rate"]) <= 1
    for row in read("working_statuses.csv"):
        outside = sum(float(row[status]) for status in ("homemaker", "unable_to_work", "retired"))
        assert outside == pytest.approx(1, abs=1e-6)
        assert 0 < float(row["self_employed"]) < 1
    for row in read("mortality.csv"):
        assert 50 < float(row["e0"]) < 90 and 12 < float(row["e60"]) < 30 and 60 < float(row["gompertz_mode"]) < 95


def test_personality() -> None:
    norms = read("personality.csv")
    assert len(norms) == 2 * 7 * 5
    assert all(1 < float(row["mean"]) < 5 and 0.3 < float(row["sd"]) < 1.2 and int(row["n"]) > 20 for row in norms)
    matrix = read("personality_correlations.csv")
    for row in matrix:
        assert row[row["trait"]] == "1.00"
        assert all(other[row["trait"]] == row[other["trait"]] for other in matrix)


def religion_share(iso2: str, religion: str) -> float:
    return sums("religion.csv", "share", "iso2", "religion")[iso2, religion]


def home_share(iso2: str, language: str) -> float:
    return sums("language.csv", "home_share", "iso2", "language")[iso2, language]


def test_known_values() -> None:
    assert religion_share("IN", "hindu") == pytest.approx(0.79, abs=0.05)
    assert religion_share("DE", "none") == pytest.approx(0.44, abs=0.05)
    assert religion_share("ID", "muslim") == pytest.approx(0.86, abs=0.04)
    assert religion_share("JP", "none") > 0.5
    assert float(country("KE")["urban_share"]) == pytest.approx(0.31, abs=0.02)
    assert country("KE")["currency"] == "Kenyan shilling" and country("KE")["demonym"] == "Kenyan"
    assert float(country("NE")["fertility"]) == pytest.approx(6.8, abs=0.7)
    assert float(country("KR")["fertility"]) < 1.3
    assert home_share("DE", "German") > 0.85
    assert home_share("US", "English") == pytest.approx(0.79, abs=0.03)
    assert home_share("US", "Spanish") == pytest.approx(0.13, abs=0.02)
    assert 0.08 < home_share("KE", "Swahili") < 0.2 and home_share("KE", "English") < 0.04
    assert home_share("NG", "Hausa") > home_share("NG", "Yoruba") > home_share("NG", "Igbo") > 0.1
    assert home_share("CN", "Mandarin") == pytest.approx(0.7, abs=0.05)


def test_the_tables_are_small() -> None:
    assert sum((FACTS / name).stat().st_size for name in TABLES) < 1_500_000


def test_every_table_names_its_source() -> None:
    """No figure ships without title, year and licence."""
    from deeppersona.facts import shipped_facts

    facts = shipped_facts()
    named = {entry["file"] for entry in facts.sources}
    assert {p.name for p in facts.folder.glob("*.csv*")} <= named
    assert "names" in named
