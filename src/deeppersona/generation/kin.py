"""The people around a person: the partner's age, the children's ages, parents, siblings, who shares the roof.

Whole numbers only, drawn for many people at once; names are given when a person is told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeppersona.generation.family import MOST_CHILDREN, Family
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema import vocabulary as v

Columns = dict[str, NDArray[np.int64]]
_YOUNGEST_MOTHER, _OLDEST_MOTHER, _YOUNGEST_FATHER, _OLDEST_FATHER = 16, 46, 18, 60
NONE = -1
_CROWDS = (0.02, 0.8, 2.0, 4.0, 8.0)
# How many relatives besides partner and children share the roof, beyond what the mean household size implies.
_MATURITY = 18


def _first_birth(family: Family, dice: Dice, columns: Columns) -> Ints:
    """The person's age at the birth of their first child (meaningful where they have one)."""
    age, sex, n = columns["age"], columns["sex"], columns["children"]
    youngest = np.where(sex == 0, _YOUNGEST_MOTHER, _YOUNGEST_FATHER)
    oldest = np.where(sex == 0, _OLDEST_MOTHER, _OLDEST_FATHER)
    # Many children begin early: leave 1.4 years for each that follows, within the person's own age.
    latest = np.minimum(age, oldest) - np.ceil(1.4 * (n - 1).clip(min=0)).astype(np.int64)
    mean = family.first_birth + np.where(sex == 0, 0.0, family.age_gap) - 0.35 * (n - 2).clip(min=0)
    drawn = np.rint(mean + 4.2 * dice.normal("first birth")).astype(np.int64)
    return np.asarray(
        np.minimum(np.maximum(drawn, youngest), np.maximum(latest, youngest)).clip(max=np.maximum(age, 0))
    )


def _children_ages(dice: Dice, columns: Columns, first: Ints) -> Ints:
    """Ages of the children, oldest first, shape (people, 12), -1 beyond their number."""
    age, sex, n = columns["age"], columns["sex"], columns["children"]
    oldest_child = age - first
    last = np.minimum(age, np.where(sex == 0, _OLDEST_MOTHER, _OLDEST_FATHER + 2))
    span = (last - first).clip(min=0).astype(float)
    gaps = (n - 1).clip(min=1)
    usual = np.minimum(3.0, span / gaps)
    stretch = (0.7 + 0.8 * dice.uniform("spacing")) * usual
    stretch = np.minimum(stretch, span / gaps)
    k = np.arange(MOST_CHILDREN)
    ages = np.floor(oldest_child[:, None] - stretch[:, None] * k).astype(np.int64)
    return np.where(k < n[:, None], ages.clip(min=0), NONE)


def _at_home(dice: Dice, ages: Ints, development: float, columns: Columns) -> Ints:
    """Which children live in the household (0/1), shape (people, 12)."""
    keys = [f"child at home/{i}" for i in range(MOST_CHILDREN)]
    u = np.stack([dice.uniform(key) for key in keys], axis=1)
    leaves = 24.0 - 1.5 * development
    stays = 1.0 / (1.0 + np.exp((ages - leaves) / 2.5))
    stays = np.where(ages < _MATURITY, 1.0, stays)
    # After parting, young children live with their mothers more often than with their fathers.
    parted = np.isin(columns["marital"], [v.MARITAL.index(w) for w in ("single", "separated", "divorced")])
    stays = np.where((parted & (columns["sex"] == 1))[:, None], stays * 0.22, stays)
    # Of the siblings under one roof the youngest go last: one draw decides for the grown ones of a family.
    return np.asarray(((u < stays) & (ages >= 0)).astype(np.int64))


def _others(
    dice: Dice, columns: Columns, development: float, crowd: float, parents: Ints
) -> tuple[Ints, NDArray[np.bool_]]:
    """Parents, siblings and further kin in the household, and whether they live with a parent.

    Many for the young and single, more the more crowded the country's households are (``crowd``, set so that their mean
    size is met); ``parents`` is how many are living.
    """
    age = columns["age"]
    partnered = np.isin(columns["marital"], [v.MARITAL.index(w) for w in v.PARTNERED])
    with_parents = 1.0 / (1.0 + np.exp((age - (27.0 - 3.0 * development)) / 3.0))
    with_parents = np.where(partnered, 0.12 * crowd, with_parents).clip(0.0, 0.97)
    at_parents = (dice.uniform("with parents") < np.where(age < _MATURITY, 1.0, with_parents)) & (parents > 0)
    both = (parents > 1) & (dice.uniform("parents at home") < 0.85)
    nest = 1 + both + _poisson(dice.uniform("others at home"), 0.25 + 0.55 * crowd)
    kin = _poisson(dice.uniform("others at home"), np.where(partnered, 0.18, 0.30) * crowd)
    alone = (age >= 60) & ~partnered
    kin = np.where(alone, _poisson(dice.uniform("others at home"), np.full(len(age), 0.75 * crowd)), kin)
    flat = (~partnered) & (age < 40) & (dice.uniform("shares a flat") < 0.3)
    return np.asarray(np.where(at_parents, nest, kin + (flat & (kin == 0))), dtype=np.int64), at_parents


def _poisson(u: Floats, mean: Floats | float) -> Ints:
    mean = np.broadcast_to(np.asarray(mean, dtype=float), u.shape)
    total, term = np.exp(-mean), np.exp(-mean)
    out = np.zeros(u.shape, dtype=np.int64)
    for k in range(1, 10):
        out += u > total
        term = term * mean / k
        total = total + term
    return out


def crowd_for(family: Family, region: str, development: float, dice: Dice, columns: Columns) -> float:
    """The ``crowd`` at which households of these people (of all ages) have the country's mean size.

    A household of h is met h times as often when one meets its people, so its mean is the harmonic one.
    """
    sizes = []
    for crowd in _CROWDS:
        household = draw_kin(family, region, development, crowd, dice, columns)["household"]
        sizes.append(1.0 / float(np.mean(1.0 / household)))
    return float(np.interp(family.household_size, sizes, _CROWDS))


def draw_kin(
    family: Family, region: str, development: float, crowd: float, dice: Dice, columns: Columns
) -> Columns:  # fmt: skip
    """Draw the kin.

    Columns: partner_age, wed_age, first_birth, child_0.. child_11 and child_home_0.. (ages, 0/1), children_home,
    youngest_child, grandchildren, household, with_parents, siblings, birth_order, older_siblings, younger_siblings,
    mother_age, father_age; -1 for none or dead.
    """
    age, sex = columns["age"], columns["sex"]
    first = _first_birth(family, dice, columns)
    ages = _children_ages(dice, columns, first)
    home = _at_home(dice, ages, development, columns)
    partnered = np.isin(columns["marital"], [v.MARITAL.index(w) for w in v.PARTNERED])
    had_partner = columns["marital"] != 0
    gap = np.rint(np.where(sex == 0, family.age_gap, -family.age_gap) + 3.0 * dice.normal("age gap")).astype(np.int64)
    adult = np.where(age >= 20, 18, 16)
    partner = np.where(had_partner, (age + gap).clip(min=adult, max=100), NONE)
    union = family.union_age[sex] + 3.2 * dice.normal("wed age")
    bound = np.minimum(age, np.where(columns["children"] > 0, first + 4, age))
    wed = np.minimum(np.rint(union).astype(np.int64), bound).clip(min=16)
    wed = np.where(had_partner, np.minimum(np.maximum(wed, age - partner + 16), age), NONE)  # neither of them a child
    youngest = np.where(ages >= 0, ages, 999).min(axis=1)
    grown = np.where(ages >= 0, ages - (family.first_birth - 1.5), -1.0)
    chance = (grown / 9.0).clip(0.0, 1.0)
    expected = np.minimum(chance * family.fertility, grown.clip(min=0) / 1.6).sum(axis=1)
    grandchildren = np.where(expected > 0, _poisson(dice.uniform("grandchildren"), expected * 0.9), 0)
    can = (ages - 17).max(axis=1) >= 0
    grandchildren = np.where(can, np.minimum(grandchildren, np.floor(expected * 2 + 1)), 0).astype(np.int64)
    family_then = np.minimum(family.fertility * (1.15 + 0.012 * age), 7.5)
    siblings = _poisson(dice.uniform("siblings"), np.maximum(family_then - 1.0, 0.3))
    younger = (dice.uniform("birth order") * (siblings + 1)).astype(np.int64)
    younger = np.minimum(younger, (age + 1) // 2)  # a small child has few brothers and sisters after it as yet
    order = siblings - younger + 1
    drawn = np.rint(family.first_birth + 1.7 * (order - 1) + 2.5 * dice.normal("mother age")).astype(np.int64)
    mother = age + np.minimum(np.maximum(drawn, 17 + (1.5 * (order - 1)).astype(np.int64)), 46)
    father = mother + np.rint(np.maximum(family.age_gap + 3.0 * dice.normal("father age"), -3)).astype(np.int64)
    born = {"mother": mother - age, "father": father - age}
    parents = {}
    for parent, s in (("mother", 0), ("father", 1)):
        years = age + born[parent]
        alive = family.alive[s]
        then = alive[born[parent].clip(0, 104)]
        lives = dice.uniform(f"{parent} alive") < alive[years.clip(0, 104)] / np.maximum(then, 1e-9)
        parents[f"{parent}_age"] = np.where(lives & (years < 104), years, NONE)
    living = (parents["mother_age"] != NONE).astype(np.int64) + (parents["father_age"] != NONE)
    others, with_parents = _others(dice, columns, development, crowd, living)
    # Small children's brothers and sisters live with them: no more than there is room for, but for a few grown ones.
    room = (others - living).clip(min=0) + ((age - 8) // 3).clip(min=0)
    siblings = np.where(with_parents & (age < 15), np.minimum(siblings, room), siblings)
    younger = np.minimum(younger, siblings)
    order = siblings - younger + 1
    out: Columns = {
        **parents,
        "with_parents": with_parents.astype(np.int64),
        "partner_age": partner,
        "wed_age": wed,
        "first_birth": np.where(columns["children"] > 0, first, NONE),
        "children_home": home.sum(axis=1),
        "youngest_child": np.where(youngest == 999, NONE, youngest),
        "grandchildren": grandchildren,
        "siblings": siblings,
        "birth_order": order,
        "older_siblings": order - 1,
        "younger_siblings": younger,
        "household": np.minimum(1 + partnered + home.sum(axis=1) + others, 15).astype(np.int64),
    }
    for i in range(MOST_CHILDREN):
        out[f"child_{i}"] = ages[:, i]
        out[f"child_home_{i}"] = home[:, i]
    return out
