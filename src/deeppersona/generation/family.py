"""Marital status and children, given age, sex and schooling.

First union follows the mean age at marriage and the share of women of 15-49 in a union (both the country's own where
known); widowhood follows the mortality of the other sex across the age gap; divorce the region's share at 50.
Children follow the country's fertility, raised for older generations, and the mother's age at first birth.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import AGES, Country, Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.generation.cells import AGE, CHILD_LEVEL, EDUCATION, SEX, SHAPE, Cells, Evidence
from deeppersona.runtime.seed import Dice, Floats, Ints, pick
from deeppersona.schema import vocabulary as v

MOST_CHILDREN = 12
_YEARS = np.arange(AGES, dtype=float)
_SPREAD_UNION = 5.0  # years, standard deviation of age at first union
_SPREAD_BIRTHS = 6.0
_FERTILE_UNTIL = 45
# Children of the never married, as a share of what the married of that age have.
_SINGLE_PARENTS = {
    "north_america": 0.30, "central_america": 0.25, "caribbean": 0.45, "south_america": 0.30, "northern_europe": 0.22,
    "western_europe": 0.18, "southern_europe": 0.08, "eastern_europe": 0.15, "north_africa": 0.0, "west_africa": 0.10,
    "east_africa": 0.18, "central_africa": 0.20, "southern_africa": 0.45, "middle_east": 0.0, "central_asia": 0.05,
    "south_asia": 0.0, "southeast_asia": 0.06, "east_asia": 0.03, "oceania": 0.20, "pacific_islands": 0.20,
}  # fmt: skip
_LEGAL_AGE = {"female": 16, "male": 18}
_erf = np.vectorize(math.erf, otypes=[float])


def normal_cdf(x: Floats) -> Floats:
    """The standard normal distribution function."""
    return np.asarray(0.5 * (1.0 + _erf(np.asarray(x, dtype=float) / math.sqrt(2.0))))


def survival(facts: Facts, region: str, sex: str) -> Floats:
    """Share alive at each single year of age 0..104 under the region's Gompertz mortality from 20 on."""
    row = facts.regional("mortality.csv", region, sex=sex)[0]
    b, mode = float(row["gompertz_b"]), float(row["gompertz_mode"])
    alive = np.exp(-np.exp(b * (_YEARS - mode)) + math.exp(b * (20.0 - mode)))
    return np.asarray(np.minimum(alive, 1.0))


class Family:
    """The block of ``marital`` and ``children``: a table (age, sex, education, marital, children)."""

    def __init__(self, facts: Facts, country: Country, cells: Cells, development: float) -> None:
        self.country = country
        self.region = facts.regional("marriage.csv", country.region)[0]
        self.age_gap = float(self.region["age_gap"])
        self.first_birth = facts.figure(country, "first_birth_age").value
        self.fertility = facts.figure(country, "fertility").value
        self.household_size = facts.figure(country, "household_size").value
        self.union_age = np.array([facts.figure(country, f"marriage_age_{s[0]}").value for s in v.SEX])
        self.alive = np.stack([survival(facts, country.region, s) for s in v.SEX])
        self._facts, self._development = facts, development
        marital = self._marital(cells)
        children = self._children(marital)
        table = marital[:, :, None, :, None] * children
        self.table: NDArray[np.float64] = table.reshape(AGES * 2 * SHAPE[2], -1)
        self.evidence: dict[str, Evidence] = {
            "marital": {"table": "marriage, countries: marriage_age", "of": self._union_place},
            "children": {"table": "countries: fertility, first_birth_age", "of": self._fertility_place},
        }

    def _partnered_curve(self, sex: str, mean_age: float, shift: float) -> Floats:
        final = float(self.region[f"ever_married_{sex[0]}"])
        curve = final * normal_cdf((_YEARS - (mean_age + shift)) / _SPREAD_UNION)
        return np.asarray(np.where(_LEGAL_AGE[sex] > _YEARS, 0.0, curve))

    def _marital(self, cells: Cells) -> Floats:
        """Shares (age, sex, marital)."""
        facts, country = self._facts, self.country
        mean_age = {s: facts.figure(country, f"marriage_age_{s[0]}") for s in v.SEX}
        married = facts.figure(country, "married_women_15_49")
        self._union_place = mean_age["female"].place
        women = np.bincount(AGE[SEX == 0], weights=cells.weight[SEX == 0], minlength=AGES) * (
            (_YEARS >= 15) & (_YEARS <= 49)
        )
        low, high = -8.0, 8.0
        for _ in range(40):  # the shift of ages that meets the share of women in a union
            shift = (low + high) / 2
            together = self._statuses("female", self._partnered_curve("female", mean_age["female"].value, shift))
            share = np.average(together[:, [1, 2]].sum(axis=1), weights=np.maximum(women, 1e-9))
            low, high = (shift, high) if share > married.value else (low, shift)
        return np.stack(
            [self._statuses(s, self._partnered_curve(s, mean_age[s].value, shift * 0.7)) for s in v.SEX], axis=1
        )

    def _statuses(self, sex: str, ever: Floats) -> Floats:
        """Shares (age, marital) from the share ever in a union."""
        other = "male" if sex == "female" else "female"
        gap = self.age_gap if sex == "female" else -self.age_gap
        alive = survival(self._facts, self.country.region, other)
        wed = float(self._facts.figure(self.country, f"marriage_age_{sex[0]}").value)

        def at(age: Floats) -> Floats:
            return np.asarray(np.interp(age, _YEARS, alive))

        lost = 1.0 - at(_YEARS + gap) / at(np.minimum(_YEARS, wed) + gap)
        remarry = float(self.region["widows_remarry_f" if sex == "female" else "widowers_remarry_m"])
        lost = lost * (1.0 - remarry * (_YEARS < 75))
        apart = float(self.region[f"divorced_{sex[0]}"]) * np.clip((_YEARS - wed) / 22.0, 0.0, 1.0)
        apart = np.where(_YEARS > 65, apart * np.clip(1.0 - (_YEARS - 65) / 60.0, 0.4, 1.0), apart)
        widowed = ever * lost
        parted = ever * (1 - lost) * apart
        together = ever - widowed - parted
        cohabit = np.where(
            _YEARS < 45, float(self.region["cohabiting_under_45"]), float(self.region["cohabiting_45_plus"])
        )
        cohabit = np.where(_YEARS < 25, np.minimum(cohabit * 1.6, 0.9), cohabit)
        return np.stack(
            [1 - ever, together * cohabit, together * (1 - cohabit), parted * 0.3, parted * 0.7, widowed], axis=1
        )

    def _children(self, marital: Floats) -> Floats:
        """Shares (age, sex, education, marital, children 0..12), a truncated under-dispersed Poisson."""
        fertility = self._facts.figure(self.country, "fertility")
        self._fertility_place = fertility.place
        growth = float(np.clip(0.010 - 0.008 * self._development, 0.002, 0.018))
        cohort = np.minimum(fertility.value * (1 + growth * (np.clip(_YEARS, 25, 75) - 25)), 7.0)
        single = _SINGLE_PARENTS[self.country.region]
        by_marital = np.array([single, 0.9, 1.1, 0.95, 0.95, 1.08])
        level = np.arange(SHAPE[2], dtype=float)
        level[CHILD_LEVEL] = 0.0
        by_level = np.exp(-(0.03 if self._development > 0.5 else 0.055) * (level - 3.5))
        k = np.arange(MOST_CHILDREN + 1)
        log_factorial = np.array([math.lgamma(i + 1.0) for i in k])
        out = np.zeros((AGES, 2, SHAPE[2], len(v.MARITAL), MOST_CHILDREN + 1))
        for s, later in enumerate((0.0, self.age_gap)):
            centre = self.first_birth + later + 1.1 * np.maximum(cohort - 1.0, 0.3)
            done = normal_cdf((_YEARS - centre) / _SPREAD_BIRTHS)
            mean = (cohort * done)[:, None, None] * by_level[None, :, None] * by_marital[None, None, :]
            mean = np.maximum(mean, 1e-9)[..., None]
            logs = 1.25 * (k * np.log(mean) - log_factorial)
            share = np.exp(logs - logs.max(axis=-1, keepdims=True))
            most = np.where(_YEARS < 17, 0, np.floor((_YEARS - 15 - (2 if s else 0)) / 1.7)).clip(0, MOST_CHILDREN)
            share = share * (k <= most[:, None, None, None])
            share[..., 1:] *= (by_marital > 0)[None, None, :, None]
            out[:, s] = share / share.sum(axis=-1, keepdims=True)
        return out

    def _allowed(self, anchors: Anchors) -> NDArray[np.bool_] | None:
        marital, children = anchors.get("marital"), anchors.get("children")
        if marital is None and children is None:
            return None
        mask = np.ones((len(v.MARITAL), MOST_CHILDREN + 1), dtype=bool)
        if marital is not None and marital.words is not None:
            mask &= np.array([(word in marital.words) != marital.negated for word in v.MARITAL])[:, None]
        if children is not None:
            k = np.arange(MOST_CHILDREN + 1)
            mask &= (k >= children.low) & (k <= children.high)
        return mask.ravel()

    @staticmethod
    def _row(cell: Ints) -> Ints:
        return np.asarray((AGE[cell] * 2 + SEX[cell]) * SHAPE[2] + EDUCATION[cell])

    def likelihood(self, anchors: Anchors) -> Floats | None:
        """The share of each cell with the marital status and number of children asked for."""
        mask = self._allowed(anchors)
        return None if mask is None else np.asarray(self.table[:, mask].sum(axis=1)[self._row(np.arange(AGE.size))])

    def draw(self, dice: Dice, cell: Ints, anchors: Anchors) -> dict[str, NDArray[np.int64]]:
        """Columns ``marital`` (code) and ``children`` (number)."""
        shares = self.table[self._row(cell)]
        if (mask := self._allowed(anchors)) is not None:
            shares = shares * mask
        found = pick(np.cumsum(shares, axis=1), dice.uniform("family"))
        return {"marital": found // (MOST_CHILDREN + 1), "children": found % (MOST_CHILDREN + 1)}
