"""Labour-force participation and status by world region, sex and age: rounded approximations, authored.

Levels follow ILO modelled estimates of about 2022-2023 in their broad lines. The engine scales participation
to the country's own rate, so that the profile over age and sex is what counts here.
"""

from __future__ import annotations

BANDS: tuple[tuple[int, int], ...] = ((15, 19), (20, 24), (25, 54), (55, 64), (65, 74), (75, 120))
PARTICIPATION_HEADER = ("region", "sex", "age_from", "age_to", "rate")
STATUS_HEADER = (
    "region",
    "sex",
    "age_from",
    "age_to",
    "self_employed",
    "homemaker",
    "unable_to_work",
    "retired",
)

# Rates in the six age bands: women, men.
PARTICIPATION: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "north_america": ((0.38, 0.70, 0.78, 0.60, 0.23, 0.06), (0.37, 0.73, 0.89, 0.72, 0.32, 0.11)),
    "central_america": ((0.22, 0.45, 0.56, 0.38, 0.20, 0.07), (0.43, 0.76, 0.94, 0.78, 0.52, 0.22)),
    "caribbean": ((0.18, 0.52, 0.67, 0.47, 0.20, 0.06), (0.28, 0.70, 0.88, 0.71, 0.36, 0.13)),
    "south_america": ((0.25, 0.59, 0.69, 0.46, 0.20, 0.06), (0.37, 0.76, 0.91, 0.75, 0.38, 0.14)),
    "northern_europe": ((0.41, 0.72, 0.85, 0.68, 0.16, 0.03), (0.39, 0.76, 0.91, 0.76, 0.23, 0.05)),
    "western_europe": ((0.25, 0.67, 0.84, 0.64, 0.10, 0.01), (0.28, 0.71, 0.92, 0.72, 0.16, 0.03)),
    "southern_europe": ((0.10, 0.45, 0.76, 0.51, 0.09, 0.01), (0.14, 0.54, 0.89, 0.68, 0.16, 0.03)),
    "eastern_europe": ((0.06, 0.45, 0.84, 0.48, 0.11, 0.02), (0.09, 0.57, 0.92, 0.66, 0.16, 0.04)),
    "north_africa": ((0.06, 0.18, 0.25, 0.16, 0.07, 0.02), (0.24, 0.55, 0.90, 0.68, 0.35, 0.14)),
    "west_africa": ((0.30, 0.50, 0.72, 0.68, 0.50, 0.28), (0.33, 0.58, 0.88, 0.85, 0.70, 0.45)),
    "east_africa": ((0.44, 0.68, 0.80, 0.74, 0.58, 0.34), (0.49, 0.76, 0.93, 0.88, 0.76, 0.52)),
    "central_africa": ((0.35, 0.58, 0.80, 0.75, 0.58, 0.34), (0.36, 0.64, 0.91, 0.88, 0.74, 0.48)),
    "southern_africa": ((0.25, 0.53, 0.74, 0.58, 0.36, 0.20), (0.31, 0.64, 0.86, 0.73, 0.50, 0.32)),
    "middle_east": ((0.07, 0.24, 0.33, 0.16, 0.07, 0.02), (0.27, 0.66, 0.92, 0.64, 0.29, 0.11)),
    "central_asia": ((0.18, 0.43, 0.66, 0.45, 0.12, 0.04), (0.31, 0.71, 0.92, 0.71, 0.23, 0.08)),
    "south_asia": ((0.12, 0.26, 0.38, 0.30, 0.16, 0.06), (0.34, 0.74, 0.96, 0.84, 0.55, 0.26)),
    "southeast_asia": ((0.25, 0.58, 0.70, 0.57, 0.34, 0.14), (0.34, 0.76, 0.95, 0.81, 0.54, 0.25)),
    "east_asia": ((0.19, 0.62, 0.82, 0.48, 0.23, 0.08), (0.22, 0.67, 0.94, 0.71, 0.37, 0.14)),
    "oceania": ((0.57, 0.79, 0.82, 0.66, 0.20, 0.04), (0.53, 0.82, 0.91, 0.76, 0.30, 0.09)),
    "pacific_islands": ((0.26, 0.45, 0.60, 0.48, 0.32, 0.14), (0.28, 0.54, 0.78, 0.64, 0.44, 0.20)),
}

# Working for themselves or in the family's business or field, among the employed of 25-54: women, men.
_SELF_EMPLOYED: dict[str, tuple[float, float]] = {
    "north_america": (0.08, 0.11), "central_america": (0.37, 0.31), "caribbean": (0.32, 0.42),
    "south_america": (0.35, 0.36), "northern_europe": (0.09, 0.16), "western_europe": (0.10, 0.15),
    "southern_europe": (0.16, 0.25), "eastern_europe": (0.11, 0.16), "north_africa": (0.30, 0.28),
    "west_africa": (0.88, 0.75), "east_africa": (0.82, 0.70), "central_africa": (0.86, 0.72),
    "southern_africa": (0.55, 0.43), "middle_east": (0.24, 0.27), "central_asia": (0.36, 0.37),
    "south_asia": (0.76, 0.70), "southeast_asia": (0.52, 0.46), "east_asia": (0.38, 0.40),
    "oceania": (0.12, 0.18), "pacific_islands": (0.70, 0.58),
}  # fmt: skip
_SELF_EMPLOYED_ODDS = (0.6, 0.6, 1.0, 1.6, 2.8, 4.0)

# Retired among those outside the labour force, at 55-64, 65-74 and 75+: women, men. Low where few have a
# pension.
_RETIRED: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "north_america": ((0.48, 0.90, 0.94), (0.55, 0.94, 0.96)),
    "central_america": ((0.10, 0.28, 0.34), (0.38, 0.68, 0.68)),
    "caribbean": ((0.22, 0.52, 0.58), (0.38, 0.70, 0.72)),
    "south_america": ((0.24, 0.58, 0.66), (0.45, 0.80, 0.82)),
    "northern_europe": ((0.48, 0.94, 0.96), (0.50, 0.96, 0.97)),
    "western_europe": ((0.45, 0.90, 0.93), (0.58, 0.96, 0.97)),
    "southern_europe": ((0.32, 0.66, 0.70), (0.62, 0.95, 0.96)),
    "eastern_europe": ((0.74, 0.97, 0.97), (0.62, 0.97, 0.97)),
    "north_africa": ((0.06, 0.12, 0.14), (0.48, 0.66, 0.62)),
    "west_africa": ((0.05, 0.14, 0.18), (0.18, 0.36, 0.38)),
    "east_africa": ((0.06, 0.16, 0.20), (0.18, 0.38, 0.40)),
    "central_africa": ((0.05, 0.14, 0.18), (0.18, 0.36, 0.38)),
    "southern_africa": ((0.14, 0.50, 0.54), (0.22, 0.60, 0.62)),
    "middle_east": ((0.10, 0.18, 0.20), (0.58, 0.76, 0.74)),
    "central_asia": ((0.58, 0.92, 0.94), (0.48, 0.93, 0.94)),
    "south_asia": ((0.05, 0.14, 0.18), (0.32, 0.55, 0.56)),
    "southeast_asia": ((0.14, 0.32, 0.36), (0.36, 0.60, 0.62)),
    "east_asia": ((0.58, 0.80, 0.82), (0.60, 0.88, 0.88)),
    "oceania": ((0.42, 0.90, 0.94), (0.50, 0.94, 0.96)),
    "pacific_islands": ((0.10, 0.22, 0.24), (0.24, 0.44, 0.44)),
}
# Homemakers among those outside the labour force who are neither students nor retired; the rest cannot work.
_HOMEMAKERS = {"female": (0.85, 0.90, 0.90, 0.78, 0.68, 0.50), "male": (0.45, 0.45, 0.32, 0.22, 0.25, 0.25)}
_EARLY_RETIRED = (0.0, 0.0, 0.02)


def participation_table() -> list[tuple[str, ...]]:
    """List participation rates by region, sex and age band."""
    return [
        (region, sex, str(low), str(high), f"{rate:.2f}")
        for region, rates in sorted(PARTICIPATION.items())
        for sex, by_band in zip(("female", "male"), rates, strict=True)
        for (low, high), rate in zip(BANDS, by_band, strict=True)
    ]


def status_table() -> list[tuple[str, ...]]:
    """List self-employment, and the statuses outside the labour force."""
    rows: list[tuple[str, ...]] = []
    for region in sorted(_RETIRED):
        for place, sex in enumerate(("female", "male")):
            retired_shares = _EARLY_RETIRED + _RETIRED[region][place]
            base = _SELF_EMPLOYED[region][place]
            for band, (low, high) in enumerate(BANDS):
                odds = base / (1 - base) * _SELF_EMPLOYED_ODDS[band]
                retired = round(retired_shares[band], 2)
                home = round((1 - retired) * _HOMEMAKERS[sex][band], 2)
                unable = round(1 - retired - home, 2)
                shares = (odds / (1 + odds), home, unable, retired)
                rows.append((region, sex, str(low), str(high), *(f"{share:.2f}" for share in shares)))
    return rows
