"""The closed word lists every stage shares. The order of each list is the order of its codes."""

from __future__ import annotations

from typing import Final

SEX: Final = ("female", "male")
URBAN: Final = ("urban", "rural")
EDUCATION: Final = (
    "none", "incomplete_primary", "primary", "lower_secondary",
    "upper_secondary", "short_tertiary", "bachelor", "master",
)  # fmt: skip
STATUS: Final = (
    "child", "student", "employed", "self_employed", "unemployed", "homemaker", "retired", "unable_to_work",
)  # fmt: skip
IN_WORK: Final = ("employed", "self_employed")
SECTOR: Final = ("agriculture", "industry", "services")
TRADE: Final = (
    "farming", "building", "making", "driving", "selling", "serving", "caring", "teaching", "office", "technical",
    "arts_and_law", "leading", "guarding", "odd_jobs",
)  # fmt: skip
MARITAL: Final = ("single", "cohabiting", "married", "separated", "divorced", "widowed")
PARTNERED: Final = ("cohabiting", "married")
RELIGION: Final = ("christian", "muslim", "hindu", "buddhist", "jewish", "sikh", "folk", "other", "none")
REGION: Final = (
    "north_america", "central_america", "caribbean", "south_america", "northern_europe", "western_europe",
    "southern_europe", "eastern_europe", "north_africa", "west_africa", "east_africa", "central_africa",
    "southern_africa", "middle_east", "central_asia", "south_asia", "southeast_asia", "east_asia", "oceania",
    "pacific_islands",
)  # fmt: skip
REGION_GROUP: Final[dict[str, tuple[str, ...]]] = {
    "europe": ("northern_europe", "western_europe", "southern_europe", "eastern_europe"),
    "africa": ("north_africa", "west_africa", "east_africa", "central_africa", "southern_africa"),
    "sub_saharan_africa": ("west_africa", "east_africa", "central_africa", "southern_africa"),
    "latin_america": ("central_america", "caribbean", "south_america"),
    "asia": ("central_asia", "south_asia", "southeast_asia", "east_asia"),
}
COUNTRY_GROUP: Final[dict[str, tuple[str, ...]]] = {"anglosphere": ("US", "CA", "GB", "IE", "AU", "NZ")}
INCOME: Final = ("lowest fifth", "second fifth", "middle fifth", "fourth fifth", "highest fifth")
TRAIT_5: Final = ("extraversion", "neuroticism", "agreeableness", "conscientiousness", "openness")
LATENT: Final = (
    "age", "female", "education", "income", "urban", "development", "religiosity",
    "openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism",
    "secular", "self_expression", "health", "sociability", "health_interest", "fitness", "tech",
    "arts", "nature", "thrift", "risk", "politics", "family", "ambition",
)  # fmt: skip
SOURCE: Final = ("given", "table", "prior", "model", "story", "derived", "edited", "learnt")
STRATUM: Final = ("near", "mid", "far")
