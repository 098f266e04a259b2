"""The table of occupations: whole, in range, and in words that fit the sentences they go into."""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

FACTS = Path(__file__).resolve().parents[2] / "src" / "deeppersona" / "facts"
REGIONS = (
    "north_america", "central_america", "caribbean", "south_america", "northern_europe", "western_europe",
    "southern_europe", "eastern_europe", "north_africa", "west_africa", "east_africa", "central_africa",
    "southern_africa", "middle_east", "central_asia", "south_asia", "southeast_asia", "east_asia", "oceania",
    "pacific_islands",
)  # fmt: skip
EDUCATION = (
    "none", "incomplete_primary", "primary", "lower_secondary", "upper_secondary", "short_tertiary", "bachelor",
    "master",
)  # fmt: skip
SECTORS = {"agriculture": 45, "industry": 85, "services": 200}
RANGES = {
    "edu_typical": (0, 7), "edu_spread": (0.3, 2), "female_share": (0, 1), "urban": (-2, 2), "development": (-2, 2),
    "income": (-2, 2), "self_employed": (0, 1), "formal": (0, 1),
}  # fmt: skip
WORDS = ("place", "tool", "grumble", "task")
COLUMNS = (
    "isco", "title", "title_female", "title_male", "sector", "weight", "edu_min", "edu_typical", "edu_spread",
    "female_share", "urban", "development", "age_min", "age_max", "income", "self_employed", "formal", "regions",
    *WORDS,
)  # fmt: skip


@cache
def rows() -> list[dict[str, str]]:
    with (FACTS / "occupations.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _found_in(row: dict[str, str], region: str) -> bool:
    return not row["regions"] or region in row["regions"].split(";")


def test_columns_are_those_the_engine_reads() -> None:
    assert tuple(rows()[0]) == COLUMNS
    assert all(None not in row and None not in row.values() for row in rows())


@pytest.mark.parametrize("column", ["title", "grumble", "task"])
def test_nothing_is_said_twice(column: str) -> None:
    assert [x for x, n in Counter(row[column] for row in rows()).items() if n > 1] == []


def test_codes_are_unit_groups() -> None:
    # The armed forces are 0110, 0210 and 0310; any other code is of one of the nine major groups.
    good = re.compile(r"0[123]10|[1-9][1-6]\d\d")
    assert [row["title"] for row in rows() if not good.fullmatch(row["isco"])] == []


@pytest.mark.parametrize("sector", SECTORS)
def test_sectors_are_full_and_sum_to_100(sector: str) -> None:
    found = [float(row["weight"]) for row in rows() if row["sector"] == sector]
    assert len(found) >= SECTORS[sector]
    assert min(found) > 0
    assert sum(found) == pytest.approx(100, abs=0.01)
    assert {row["sector"] for row in rows()} == set(SECTORS)


@pytest.mark.parametrize("column", RANGES)
def test_figures_are_in_range(column: str) -> None:
    low, high = RANGES[column]
    assert [row["title"] for row in rows() if not low <= float(row[column]) <= high] == []


def test_ages_and_schooling_agree() -> None:
    for row in rows():
        low, high = int(row["age_min"]), int(row["age_max"])
        assert 15 <= low < high <= 90, row["title"]
        assert EDUCATION.index(row["edu_min"]) <= float(row["edu_typical"]), row["title"]
        if row["edu_min"] in {"bachelor", "master"}:
            assert low >= 21, row["title"]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(("sector", "least"), [("agriculture", 6), ("industry", 60), ("services", 120)])
def test_every_region_has_work(region: str, sector: str, least: int) -> None:
    assert sum(row["sector"] == sector and _found_in(row, region) for row in rows()) >= least


def test_regions_are_known() -> None:
    assert {x for row in rows() for x in row["regions"].split(";") if x} <= set(REGIONS)


@pytest.mark.parametrize("sector", SECTORS)
@pytest.mark.parametrize("level", range(len(EDUCATION)))
def test_every_schooling_has_work_in_every_sector(sector: str, level: int) -> None:
    may = [r for r in rows() if r["sector"] == sector and EDUCATION.index(r["edu_min"]) <= level]
    near = [r for r in may if abs(float(r["edu_typical"]) - level) <= 1.5]
    assert len(may) >= 3
    assert len(near) >= 3


@pytest.mark.parametrize("column", WORDS)
def test_words_fit_their_sentences(column: str) -> None:
    for row in rows():
        text = row[column]
        assert text == text.strip(), row["title"]
        assert text, row["title"]
        assert "  " not in text, row["title"]
        assert text[-1] not in ".,;:!?", row["title"]
        rest = re.sub(r"\{(their|they|them)\}", "", text) if column == "task" else text
        assert not re.search(r"[{}]", rest), row["title"]
        assert not re.search(r"\b(he|she|his|her|him|hers|I|my|you|your)\b", text), row["title"]


def test_titles_are_bare_and_tools_have_an_article() -> None:
    for row in rows():
        assert not re.match(r"(a|an|the) ", row["title"]), row["title"]
        assert re.match(r"(a|an|the) ", row["tool"]), row["title"]
        assert not re.match(r"(a|an|the|to) ", row["task"]), row["title"]


def test_source_is_named() -> None:
    named = tomllib.loads((FACTS / "occupations.sources.toml").read_text(encoding="utf-8"))["occupations.csv"]
    assert set(named) == {"title", "publisher", "year", "licence", "note"}
