"""The naming traditions: enough names in each, one for everybody, and only words the other tables know."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FACTS = Path(__file__).resolve().parents[2] / "src" / "deeppersona" / "facts"
NAMES = FACTS / "names"
FIELDS = {
    "title", "order", "female", "male", "older_female", "older_male", "younger_female", "younger_male",
    "family", "family_female", "family_male",
}  # fmt: skip
ORDERS = {"given family", "family given", "given", "given patronymic"}
RELIGIONS = {"christian", "muslim", "hindu", "buddhist", "jewish", "sikh", "folk", "other", "none"}


@cache
def traditions() -> dict[str, dict[str, Any]]:
    """Every tradition by key; a key stands in one file only."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(NAMES.glob("*.toml")):
        if path.name == "sources.toml":
            continue
        for key, raw in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert key not in found, f"{key} stands twice, again in {path.name}"
            found[key] = raw
    return found


@cache
def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def split(cell: str) -> list[str]:
    return [word for word in cell.split(";") if word]


def families(raw: dict[str, Any], sex: str) -> list[str]:
    found: list[str] = raw.get(f"family_{sex}", raw.get("family", []))
    return found


def test_there_are_traditions_for_the_whole_world() -> None:
    assert len(traditions()) >= 75


@pytest.mark.parametrize("key", sorted(traditions()))
def test_a_tradition_is_whole(key: str) -> None:
    raw = traditions()[key]
    assert not set(raw) - FIELDS
    assert raw["title"]
    assert raw["order"] in ORDERS
    for sex in ("female", "male"):
        assert len(raw[sex]) >= 30
        assert raw["order"] == "given" or len(families(raw, sex)) >= 30
    for field, names in raw.items():
        if field in ("title", "order"):
            continue
        assert len(names) == len(set(names)), f"{field}: a name stands twice"
        for name in names:
            assert name == " ".join(name.split()), name
            assert all(c.isalpha() or c in " -'." for c in name), name
            assert name[0].isalpha() or name[0] == "'", name


@pytest.mark.parametrize("key", sorted(traditions()))
def test_women_and_men_of_a_tradition_are_told_apart(key: str) -> None:
    female, male = set(traditions()[key]["female"]), set(traditions()[key]["male"])
    # Some peoples give most names to both; in Bhutan and among Sikhs the second name tells.
    most = 0.65 if key in ("bhutanese", "punjabi_sikh", "tsonga_venda") else 0.25
    assert len(female & male) <= most * min(len(female), len(male)), sorted(female & male)


def test_every_mapped_tradition_exists_and_none_is_idle() -> None:
    mapped = {row["tradition"] for row in rows("names/mapping.csv")}
    assert mapped <= set(traditions())
    assert set(traditions()) <= mapped


def test_every_country_has_a_row_for_anybody() -> None:
    anybody = {r["iso2"] for r in rows("names/mapping.csv") if not r["religions"] and not r["languages"]}
    countries = {r["iso2"] for r in rows("countries.csv")}
    assert countries <= anybody
    assert {r["iso2"] for r in rows("names/mapping.csv")} <= countries


def test_weights_religions_and_rows_are_sound() -> None:
    seen = set()
    for row in rows("names/mapping.csv"):
        assert float(row["weight"]) > 0
        assert set(split(row["religions"])) <= RELIGIONS
        key = row["iso2"], row["tradition"], row["religions"], row["languages"]
        assert key not in seen, key
        seen.add(key)


def test_mapped_languages_are_spoken_in_their_country() -> None:
    spoken = defaultdict(set)
    for row in rows("language.csv"):
        spoken[row["iso2"]].add(row["language"])
    for row in rows("names/mapping.csv"):
        assert set(split(row["languages"])) <= spoken[row["iso2"]], row


@pytest.mark.parametrize(
    ("iso2", "religion", "language", "tradition"),
    [
        ("KE", "christian", "Kikuyu", "kikuyu"),
        ("NG", "muslim", "Yoruba", "yoruba_muslim"),
        ("NG", "christian", "Igbo", "igbo"),
        ("IN", "hindu", "Tamil", "tamil"),
        ("IN", "christian", "Malayalam", "malayalam_christian"),
        ("US", "christian", "Spanish", "hispanic_us"),
        ("DJ", "muslim", "Somali", "somali"),
        ("BD", "muslim", "Bengali", "bengali_muslim"),
    ],
)
def test_a_language_and_a_religion_lead_to_their_names(iso2: str, religion: str, language: str, tradition: str) -> None:
    found = {
        row["tradition"]
        for row in rows("names/mapping.csv")
        if row["iso2"] == iso2
        and language in split(row["languages"])
        and religion in (split(row["religions"]) or [religion])
    }
    assert found == {tradition}


def test_the_source_is_named() -> None:
    source = tomllib.loads((NAMES / "sources.toml").read_text(encoding="utf-8"))["names"]
    assert {"title", "publisher", "year", "licence", "note"} <= set(source)
