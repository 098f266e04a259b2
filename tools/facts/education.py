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

Group = tuple[int, int, str]
Cells = dict[tuple[str, int, int, str, str], float]


def people(originals: Originals) -> tuple[Cells, dict[str, str]]:
    """Count thousands of people by (iso2, age from, age to, sex, level), and say whose tertiary split was used.

    "Post Secondary" contains the three tertiary categories. Where a country has them they are used as shares of
    Post Secondary; where not, the region's (else the world's) mean shares of the same age group and sex are.
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
    own = {iso2 for (iso2, _), parts in split.items() if sum(parts.values()) > 0}
    regional: dict[tuple[str, Group], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (iso2, group), parts in split.items():
        for level, thousands in parts.items():
            regional[REGION_OF[iso2], group][level] += thousands
            regional["world", group][level] += thousands
    for (iso2, group), thousands in post.items():
        parts = split.get((iso2, group), {})
        if sum(parts.values()) <= 0:
            parts = regional[REGION_OF[iso2], group]
        if sum(parts.values()) <= 0:
            parts = regional["world", group]
        total = sum(parts.values())
        for level, part in parts.items() if total > 0 else [("bachelor", 1.0)]:
            cells[iso2, *group, level] += thousands * part / (total or 1.0)
    return dict(cells), {iso2: "own" if iso2 in own else "region" for iso2, *_ in cells}


def table(cells: Cells) -> list[tuple[str, ...]]:
    """List rows in file order, to one decimal of a thousand; what rounds to nothing is left out."""
    ordered = sorted(cells.items(), key=lambda item: (*item[0][:4], ORDER[item[0][4]]))
    return [(*map(str, key), f"{value:.1f}") for key, value in ordered if round(value, 1) > 0]
