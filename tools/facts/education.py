"""People by age, sex and highest schooling, from the Wittgenstein Centre's 2020 figures."""

from __future__ import annotations

from collections import defaultdict

from facts.originals import Originals
from facts.territories import REGION_OF

HEADER = ("iso2", "age_from", "age_to", "sex", "education", "thousands")
TERTIARY = {"Short Post Secondary": "short_tertiary", "Bachelor": "bachelor", "Master and higher": "master"}
LEVELS = {
    "Under 15": "under_15",
    "No Education": "none",
    "Incomplete Primary": "incomplete_primary",
    "Primary": "primary",
    "Lower Secondary": "lower_secondary",
    "Upper Secondary": "upper_secondary",
} | TERTIARY
ORDER = {level: place for place, level in enumerate(LEVELS.values())}

FEWEST_DONORS = 3
# Two-thirds of Maldivian graduates as masters is an artefact that would stamp all of South Asia.
NO_DONORS = {"MV"}
RICH = {
    "north_america", "northern_europe", "western_europe", "southern_europe", "eastern_europe", "oceania",
    "east_asia",
}  # fmt: skip

Group = tuple[int, int, str]
Cells = dict[tuple[str, int, int, str, str], float]


def donors_for(iso2: str, donors: set[str]) -> list[str]:
    """Choose the countries whose split stands in: the region's, or all poorer regions' where it has few."""
    near = [donor for donor in sorted(donors) if REGION_OF[donor] == REGION_OF[iso2]]
    return near if len(near) >= FEWEST_DONORS else [d for d in sorted(donors) if REGION_OF[d] not in RICH]


def mean_split(splits: list[dict[str, float]]) -> dict[str, float]:
    """Average the countries' shares, each country counting the same."""
    mean: dict[str, float] = defaultdict(float)
    for parts in splits:
        total = sum(parts.values())
        for level, part in parts.items():
            mean[level] += part / total if total > 0 else 0.0
    return mean


def people(originals: Originals) -> tuple[Cells, dict[str, str]]:
    """Count thousands of people by (iso2, age from, age to, sex, level), and say whose split was used.

    "Post Secondary" contains the three tertiary categories. Where a country has them they are used as shares
    of it; where not, the mean shares of the region's countries that do (of all poorer regions' where
    they are fewer than three), for the same age group and sex.
    """
    cells: Cells = defaultdict(float)
    post: dict[tuple[str, Group], float] = {}
    split: dict[tuple[str, Group], dict[str, float]] = defaultdict(dict)
    for iso2, low, high, sex, education, thousands in originals.wic:
        group = (low, high, sex)
        if education == "Post Secondary":
            post[iso2, group] = thousands
        elif education in TERTIARY:
            split[iso2, group][TERTIARY[education]] = thousands
        else:
            cells[iso2, low, high, sex, LEVELS[education]] += thousands
    donors = {iso2 for (iso2, _), parts in split.items() if sum(parts.values()) > 0} - NO_DONORS
    for (iso2, group), thousands in post.items():
        parts = split.get((iso2, group), {})
        if sum(parts.values()) <= 0:
            parts = mean_split([split[donor, group] for donor in donors_for(iso2, donors)])
        total = sum(parts.values())
        for level, part in parts.items() if total > 0 else [("bachelor", 1.0)]:
            cells[iso2, *group, level] += thousands * part / (total or 1.0)
    own = {iso2 for (iso2, _), parts in split.items() if sum(parts.values()) > 0}
    return dict(cells), {iso2: "own" if iso2 in own else "region" for iso2, *_ in cells}


def table(cells: Cells) -> list[tuple[str, ...]]:
    """List rows in file order, to one decimal of a thousand; what rounds to nothing is left out."""
    ordered = sorted(cells.items(), key=lambda item: (*item[0][:4], ORDER[item[0][4]]))
    return [(*map(str, key), f"{value:.1f}") for key, value in ordered if round(value, 1) > 0]
