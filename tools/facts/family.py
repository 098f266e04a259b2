"""Marriage and mortality by world region: rounded approximations, authored.

Marriage follows UN World Marriage Data 2019 in its broad lines ("ever married" counts consensual unions,
as many
censuses do); mortality follows UN World Population Prospects 2022. Neither is a copy of a published table.
"""

from __future__ import annotations

import math

MARRIAGE_HEADER = (
    "region", "ever_married_f", "ever_married_m", "cohabiting_under_45", "cohabiting_45_plus", "divorced_f",
    "divorced_m", "age_gap", "widows_remarry_f", "widowers_remarry_m",
)  # fmt: skip
# Ever married by 50 (f, m); cohabiting among the partnered (under 45, older); divorced or separated at 50
# among the ever married (f, m); years a husband is older; widows and widowers under 60 who remarry.
MARRIAGE: dict[str, tuple[float, ...]] = {
    "north_america": (0.87, 0.84, 0.22, 0.09, 0.20, 0.17, 2.2, 0.20, 0.50),
    "central_america": (0.88, 0.90, 0.42, 0.22, 0.20, 0.11, 3.0, 0.15, 0.40),
    "caribbean": (0.86, 0.86, 0.50, 0.28, 0.22, 0.15, 4.0, 0.15, 0.40),
    "south_america": (0.87, 0.87, 0.48, 0.26, 0.22, 0.14, 3.0, 0.15, 0.40),
    "northern_europe": (0.86, 0.81, 0.35, 0.15, 0.20, 0.17, 2.3, 0.20, 0.45),
    "western_europe": (0.85, 0.79, 0.30, 0.12, 0.20, 0.17, 2.6, 0.20, 0.45),
    "southern_europe": (0.88, 0.83, 0.18, 0.07, 0.12, 0.09, 3.0, 0.10, 0.30),
    "eastern_europe": (0.93, 0.90, 0.15, 0.09, 0.20, 0.13, 2.2, 0.12, 0.40),
    "north_africa": (0.92, 0.95, 0.00, 0.00, 0.05, 0.03, 5.0, 0.08, 0.50),
    "west_africa": (0.98, 0.98, 0.10, 0.05, 0.06, 0.05, 7.5, 0.35, 0.70),
    "east_africa": (0.96, 0.97, 0.18, 0.12, 0.13, 0.07, 5.0, 0.20, 0.60),
    "central_africa": (0.96, 0.96, 0.35, 0.22, 0.14, 0.09, 6.0, 0.25, 0.60),
    "southern_africa": (0.85, 0.85, 0.20, 0.12, 0.13, 0.09, 4.5, 0.15, 0.50),
    "middle_east": (0.94, 0.96, 0.00, 0.00, 0.05, 0.03, 4.0, 0.08, 0.45),
    "central_asia": (0.96, 0.97, 0.06, 0.04, 0.10, 0.06, 3.0, 0.10, 0.45),
    "south_asia": (0.98, 0.98, 0.00, 0.00, 0.02, 0.01, 4.5, 0.06, 0.40),
    "southeast_asia": (0.93, 0.94, 0.08, 0.04, 0.06, 0.03, 3.0, 0.10, 0.40),
    "east_asia": (0.95, 0.92, 0.05, 0.02, 0.05, 0.04, 2.2, 0.10, 0.30),
    "oceania": (0.87, 0.84, 0.27, 0.11, 0.18, 0.15, 2.3, 0.18, 0.45),
    "pacific_islands": (0.94, 0.94, 0.15, 0.10, 0.07, 0.05, 3.5, 0.12, 0.45),
}

MORTALITY_HEADER = ("region", "sex", "e0", "e60", "gompertz_b", "gompertz_mode")
GOMPERTZ_B = 0.095
# Life expectancy at birth (f, m) and at 60 (f, m), years.
_EXPECTANCY: dict[str, tuple[float, float, float, float]] = {
    "north_america": (80.5, 75.5, 24.5, 21.5),
    "central_america": (78.0, 72.0, 22.5, 20.0),
    "caribbean": (75.5, 70.0, 22.0, 19.5),
    "south_america": (78.5, 72.5, 23.0, 20.0),
    "northern_europe": (83.0, 79.0, 25.0, 22.5),
    "western_europe": (84.0, 79.5, 26.0, 22.5),
    "southern_europe": (84.5, 79.5, 26.0, 22.5),
    "eastern_europe": (77.5, 68.5, 21.0, 16.5),
    "north_africa": (74.5, 70.5, 20.0, 18.0),
    "west_africa": (59.0, 57.0, 15.5, 14.5),
    "east_africa": (67.0, 62.5, 18.0, 16.5),
    "central_africa": (62.0, 58.5, 16.5, 15.0),
    "southern_africa": (64.5, 58.5, 18.0, 14.5),
    "middle_east": (78.0, 73.5, 22.0, 19.5),
    "central_asia": (74.5, 68.0, 20.0, 16.5),
    "south_asia": (70.5, 67.5, 19.0, 17.5),
    "southeast_asia": (74.5, 68.5, 20.0, 17.0),
    "east_asia": (82.0, 76.5, 23.5, 20.0),
    "oceania": (85.0, 81.5, 26.5, 24.0),
    "pacific_islands": (69.0, 64.0, 17.0, 15.0),
}
MORTALITY: dict[tuple[str, str], tuple[float, float]] = {
    (region, sex): (figures[place], figures[place + 2])
    for region, figures in _EXPECTANCY.items()
    for place, sex in enumerate(("female", "male"))
}


def remaining_years(mode: float, b: float, age: float = 60.0) -> float:
    """Return life expectancy at an age under the Gompertz hazard b * exp(b * (x - mode))."""
    step, left = 0.25, 0.0
    for place in range(int(70 / step)):
        t = (place + 0.5) * step
        left += step * math.exp(-math.exp(b * (age - mode)) * (math.exp(b * t) - 1))
    return left


def gompertz_mode(e60: float, b: float = GOMPERTZ_B) -> float:
    """Find the modal age at death that gives this life expectancy at 60, by bisection."""
    low, high = 55.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if remaining_years(middle, b) < e60 else (low, middle)
    return (low + high) / 2


def marriage_table() -> list[tuple[str, ...]]:
    """List the marriage figures by region."""
    return [
        (
            region,
            *(f"{figure:.1f}" if place == 6 else f"{figure:.2f}" for place, figure in enumerate(figures)),
        )
        for region, figures in sorted(MARRIAGE.items())
    ]


def mortality_table() -> list[tuple[str, ...]]:
    """List life expectancies and the Gompertz law by region and sex."""
    return [
        (region, sex, f"{e0:.1f}", f"{e60:.1f}", f"{GOMPERTZ_B:.3f}", f"{gompertz_mode(e60):.1f}")
        for (region, sex), (e0, e60) in sorted(MORTALITY.items())
    ]
