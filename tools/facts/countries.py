"""One row of figures per country."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from babel.numbers import get_currency_name, get_territory_currencies

from facts.education import Cells
from facts.family import MORTALITY
from facts.originals import Originals
from facts.territories import DEMONYMS, REGION_OF
from facts.writing import Cell, text

HEADER = (
    "iso2", "iso3", "name", "demonym", "region", "population_k", "gdp_per_head", "urban_share",
    "marriage_age_f",
    "marriage_age_m", "married_women_15_49", "first_birth_age", "fertility", "household_size",
    "participation",
    "unemployment", "agri_f", "agri_m", "industry_f", "industry_m", "services_f", "services_m", "gini",
    "iw_x", "iw_y",
    "literacy", "currency", "tertiary_split",
)  # fmt: skip
SECTORS = {"agriculture": "agri", "industry": "industry", "service": "services"}
OLDEST_MARRIAGE_YEAR = 1990
CURRENCIES = {
    "Afghan Afghani": "Afghan afghani", "Guyanaese dollar": "Guyanese dollar", "Kyrgystani som": "Kyrgyz som",
    "Tongan pa\u02bbanga": "Tongan pa'anga", "Uzbekistani som": "Uzbek som",
}  # fmt: skip
# CLDR's product for overseas France is of the 1990s.
STALE_GDP = {"GF", "GP", "MQ", "RE", "YT"}


def first_number(value: Any) -> float | None:
    """Find the first number in a CIA text ("55.5% (2019 est.)"), or in the newest of dated texts."""
    if isinstance(value, dict):
        dated = {key: v for key, v in value.items() if key != "note"}
        newest = max(dated, key=lambda key: (re.findall(r"\d{4}", key) or ["0"])[-1], default=None)
        return first_number(dated[newest]) if newest else None
    found = re.search(r"\d[\d,]*\.?\d*", str(value or ""))
    return float(found.group().replace(",", "")) if found else None


def share(value: Any) -> float | None:
    """Read a CIA percentage as a share."""
    number = first_number(value)
    return None if number is None else number / 100


def labour_force(entry: dict[str, Any]) -> float | None:
    """Count people in the labour force; the text reads "23.781 million (2024 est.)" or "77,500"."""
    number, raw = first_number(entry.get("Labor force")), str(entry.get("Labor force", ""))
    if number is None:
        return None
    return number * (1e9 if "billion" in raw else 1e6 if "million" in raw else 1)


def people_15_plus(entry: dict[str, Any]) -> float | None:
    """Count people of 15 and more from the CIA's age structure."""
    ages = entry.get("Age structure") or {}
    counts = [
        int(count.replace(",", ""))
        for band in ("15-64 years", "65 years and over")
        for count in re.findall(r"(?:male|female) ([\d,]+)", str(ages.get(band, "")))
    ]
    return float(sum(counts)) if len(counts) == 4 else None


def literacy(entry: dict[str, Any]) -> float | None:
    """Return the literate share of adults: the total where given, else the mean of the sexes."""
    group = entry.get("Literacy")
    if not isinstance(group, dict):
        return share(group)
    if "total population" in group:
        return share(group["total population"])
    parts = [s for s in (share(group.get("male")), share(group.get("female"))) if s is not None]
    return sum(parts) / 2 if len(parts) == 2 else None


def demonym(iso2: str, entry: dict[str, Any]) -> str:
    """Return the adjective of the country's people."""
    if iso2 in DEMONYMS:
        return DEMONYMS[iso2]
    nationality = entry.get("Nationality")
    adjective = nationality.get("adjective", "") if isinstance(nationality, dict) else ""
    return re.split(r"[,;/(]| or ", str(adjective))[0].strip()


def currency(iso2: str) -> str:
    """Name one unit of the currency in use ("Kenyan shilling")."""
    codes = get_territory_currencies(iso2)
    if not codes:
        return ""
    name = str(get_currency_name(codes[0], count=1, locale="en")).replace("&", "and")
    return CURRENCIES.get(name, name)


def urban_shares(originals: Originals) -> dict[str, float]:
    """Return the urban share of 2025 by country."""
    found: dict[str, float] = {}
    for row in originals.rows("urban_rural_un_wup2018_2020_2025.csv"):
        iso2 = originals.territories.by_name(row["Entity"])
        urban, rural = (float(v or 0) for v in list(row.values())[2:4])
        if iso2 and row["Year"] == "2025" and urban + rural > 0:
            found[iso2] = urban / (urban + rural)
    return found


def marriage_ages(originals: Originals) -> dict[str, tuple[float | None, float | None]]:
    """Return singulate mean ages at marriage, women and men; those from before 1990 are left out."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for row in originals.rows("mean_age_at_marriage_latest_un.csv"):
        iso2 = originals.territories.by_name(row["Entity"])
        men, women = (float(v) if v else None for v in list(row.values())[2:4])
        if iso2 and int(row["Year"]) >= OLDEST_MARRIAGE_YEAR:
            found[iso2] = (women, men)
    return found


def sector_shares(originals: Originals) -> dict[str, dict[str, float]]:
    """Return the share of employed women and men in each sector, scaled to sum to 1 per sex."""
    raw: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in originals.rows("employment_sector_by_sex_latest_gapminder_ilo.csv"):
        iso2 = originals.territories.by_iso3(row["geo"])
        if iso2:
            raw[iso2, row["sex"][0]][SECTORS[row["sector"]]] = float(row["pct"])
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (iso2, sex), parts in raw.items():
        total = sum(parts.values())
        if len(parts) == 3 and total > 0:
            agri, industry = (round(parts[name] / total, 3) for name in ("agri", "industry"))
            services = round(1 - agri - industry, 3)
            found[iso2] |= {f"agri_{sex}": agri, f"industry_{sex}": industry, f"services_{sex}": services}
    return found


def fertility(cells: Cells) -> dict[str, float]:
    """Estimate total fertility: children under 5 per woman 15-49, times 35/5, and those who died.

    Thirty-five years of childbearing over five years of births; the last factor is 1 + 0.004 per year by
    which the region's life expectancy falls short of 78.
    """
    children: dict[str, float] = defaultdict(float)
    women: dict[str, float] = defaultdict(float)
    for (iso2, low, _, sex, _), thousands in cells.items():
        if low < 5:
            children[iso2] += thousands
        elif sex == "female" and 15 <= low < 50:
            women[iso2] += thousands
    found: dict[str, float] = {}
    for iso2, count in children.items():
        lasting = sum(MORTALITY[REGION_OF[iso2], sex][0] for sex in ("female", "male")) / 2
        found[iso2] = count / women[iso2] * 35 / 5 * (1 + 0.004 * max(0.0, 78 - lasting))
    return found


def household_sizes(originals: Originals) -> dict[str, float]:
    """Return mean people per household by country."""
    found: dict[str, float] = {}
    for row in originals.rows("household_size_mean_un2019.csv"):
        iso2 = originals.territories.by_name(row["country"])
        if iso2 and iso2 not in found:
            found[iso2] = float(row["mean_household_size"])
    return found


def value_coordinates(originals: Originals) -> dict[str, tuple[float, float]]:
    """Return Inglehart-Welzel coordinates (x, y) by country."""
    found: dict[str, tuple[float, float]] = {}
    for row in originals.rows("iw_country_coords_tao2024.csv"):
        iso2 = originals.territories.by_name(row["country"])
        if iso2 and row["country"] not in ("North Ireland", "Northern Cyprus"):
            found[iso2] = (float(row["x"]), float(row["y"]))
    return found


def table(originals: Originals, cells: Cells, split: dict[str, str]) -> list[tuple[str, ...]]:
    """List all countries in order of their code; missing figures are empty cells."""
    population: dict[str, float] = defaultdict(float)
    for (iso2, *_), thousands in cells.items():
        population[iso2] += thousands
    urban, marriage, sectors = urban_shares(originals), marriage_ages(originals), sector_shares(originals)
    births, households, values = fertility(cells), household_sizes(originals), value_coordinates(originals)
    rows: list[tuple[str, ...]] = []
    for iso2 in originals.territories.codes:
        entry, cldr = originals.cia.get(iso2, {}), originals.cldr.get(iso2, {})
        heads = float(cldr.get("_population") or 0)
        people = population.get(iso2) or heads / 1000
        gdp = float(cldr.get("_gdp") or 0)
        force, adults = labour_force(entry), people_15_plus(entry)
        unemployment = share(entry.get("Unemployment rate"))
        gini = share(entry.get("Gini Index coefficient - distribution of family income"))
        town = urban.get(iso2)
        if town is None:
            town = share((entry.get("Urbanization") or {}).get("urban population"))
        women, men = marriage.get(iso2, (None, None))
        x, y = values.get(iso2, (None, None))
        figures: dict[str, Cell] = {
            "iso2": iso2,
            "iso3": originals.territories.iso3[iso2],
            "name": originals.territories.name[iso2],
            "demonym": demonym(iso2, entry),
            "region": REGION_OF[iso2],
            "population_k": text(people, 1),
            "gdp_per_head": str(int(round(gdp / heads, -2))) if gdp and heads and iso2 not in STALE_GDP else None,
            "urban_share": town,
            "marriage_age_f": text(women, 1),
            "marriage_age_m": text(men, 1),
            "married_women_15_49": share(entry.get("Currently married women (ages 15-49)")),
            "first_birth_age": text(first_number(entry.get("Mother's mean age at first birth")), 1),
            "fertility": text(births.get(iso2), 2),
            "household_size": text(households.get(iso2), 2),
            "participation": min(0.9, max(0.3, force / adults)) if force and adults else None,
            "unemployment": unemployment,
            "gini": gini,
            "iw_x": text(x, 2),
            "iw_y": text(y, 2),
            "literacy": literacy(entry),
            "currency": currency(iso2),
            "tertiary_split": split.get(iso2),
            **sectors.get(iso2, {}),
        }
        rows.append(tuple(text(figures.get(column)) for column in HEADER))
    return rows
