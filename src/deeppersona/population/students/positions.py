"""Where a pupil stands: rank in the year, background, personality by age and sex, and the nineteen graded dimensions.

One draw a position, each given those before it. Achievement comes first because its rank is a quota; background and the Big
Five are drawn given it, with the correlations named in ``schema.yaml`` (Sirin 2005; Poropat 2009), and every graded dimension
is a mix of positions plus chance, so that what goes together in pupils goes together here.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import Facts
from deeppersona.generation.latents import personality
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.schema import Schema
from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema import vocabulary as v

_CUTS = np.array([-1.5, -0.5, 0.5, 1.5])
_FIFTHS = np.array([NormalDist().inv_cdf(p) for p in (0.2, 0.4, 0.6, 0.8)])
_GRID = np.linspace(0.0, 1.0, 20_001)[1:-1]
_QUANTILES = np.array([NormalDist().inv_cdf(float(p)) for p in _GRID])
_REACH = 3.2  # no position is further from the mean
_BASE_AGE = 15  # the age group the norms are of


def normal_quantile(u: Floats) -> Floats:
    """The standard normal quantile of u in (0, 1), shape kept; a table of 20,000 steps, right to .0005 within +-3."""
    return np.asarray(np.interp(u, _GRID, _QUANTILES))


def level_of_rank(percentile: Ints, shares: list[float]) -> Ints:
    """The level (code) of a rank 0..99, by the proportions of the levels' own definition, best first."""
    beaten = 1.0 - np.cumsum(shares)  # the lowest rank of each level
    return np.asarray((percentile[:, None] < np.rint(beaten[:-1] * 100)[None, :]).sum(axis=1))


class Positions:
    """Draws the positions and the dimensions of pupils."""

    def __init__(self, facts: Facts, schema: Schema) -> None:
        self._raw, self._dimensions = schema.raw, schema.dimensions
        self._clusters = schema.clusters
        norms = personality(str(facts.folder))
        self._norms = norms
        # Correlations of the Big Five (E N A C O) with achievement; what is left of them given it.
        self._with_ability = np.array([schema.raw["achievement_with"][t] for t in v.TRAIT_5])
        whole = norms.root @ norms.root.T
        left = whole - np.outer(self._with_ability, self._with_ability)
        self._rest: Floats = np.asarray(np.linalg.cholesky(left), dtype=np.float64)
        sexes_mean = norms.mean[_BASE_AGE].mean(axis=0)
        self._centre = sexes_mean
        self._spread = np.sqrt((norms.sd[_BASE_AGE] ** 2).mean(axis=0) + norms.mean[_BASE_AGE].var(axis=0))
        self._chance = {d.path: self._left(d.mix, whole) for d in schema.dimensions}
        self._creative_chance = self._left(schema.raw["creative_mix"], whole)

    def _left(self, mix: Mapping[str, float], whole: Floats) -> float:
        """The weight of chance that brings a mix to unit variance, given how the positions correlate."""
        keys = list(mix)
        weight = np.array([mix[k] for k in keys])
        matrix = np.eye(len(keys))
        for i, a in enumerate(keys):
            for j, b in enumerate(keys):
                if a in v.TRAIT_5 and b in v.TRAIT_5:
                    matrix[i, j] = whole[v.TRAIT_5.index(a), v.TRAIT_5.index(b)]
                elif {a, b} & {"ability"} and {a, b} & set(v.TRAIT_5):
                    matrix[i, j] = self._with_ability[v.TRAIT_5.index(a if b == "ability" else b)]
        return float(np.sqrt(max(1.0 - weight @ matrix @ weight, 0.15))) if keys else 1.0

    def rank(self, dice: Dice, columns: Columns) -> Columns:
        """``percentile`` (0..99) and the achievement score, within the level."""
        shares = self._raw["levels"]["shares"]
        high = 1.0 - np.concatenate([[0.0], np.cumsum(shares)[:-1]])
        low = np.concatenate([1.0 - np.cumsum(shares)[:-1], [0.0]])
        level = columns["level"]
        u = low[level] + (high - low)[level] * dice.uniform("rank")
        bottom = np.rint(low[level] * 100).astype(np.int64)
        top = np.rint(high[level] * 100).astype(np.int64) - 1
        percentile = np.clip((u * 100).astype(np.int64), bottom, top)
        return {"percentile": percentile.astype(np.int16), "z:ability": np.clip(normal_quantile(u), -_REACH, _REACH)}

    def background(self, dice: Dice, columns: Columns) -> Columns:
        """The standing of the family in its country, given achievement, and what that means in things."""
        r = self._raw["background_with_achievement"]
        z = r * columns["z:ability"] + np.sqrt(1 - r * r) * dice.normal("background")
        means = 0.7 * columns["z:development"] + 0.7 * z
        fifth = np.searchsorted(_FIFTHS, z).astype(np.int16)
        return {"z:background": z, "background": z, "z:means": means, "means": means, "fifth": fifth}

    def five(self, dice: Dice, columns: Columns) -> Columns:
        """The Big Five: raw scores of 1 to 5, positions, bands 1..5; and the factors that several dimensions share."""
        age, sex, n = columns["age"].astype(np.int64), columns["sex"].astype(np.int64), len(dice)
        eps = np.stack([dice.normal(f"big five/{t}") for t in v.TRAIT_5], axis=1)
        given = columns["z:ability"][:, None] * self._with_ability
        z = given + (eps[:, None, :] * self._rest[None]).sum(axis=2)
        out: Columns = {}
        trend = self._raw["age_trend"]
        for k, name in enumerate(v.TRAIT_5):
            mean, sd = self._norms.mean[_BASE_AGE, :, k], self._norms.sd[_BASE_AGE, :, k]
            apart = self._raw["sexes_apart_from"].get(name, self._raw["sexes_apart_from"]["others"])
            gap = np.clip((age - apart + 4) / 4.0, 0.0, 1.0)  # the sexes come apart over four years
            centre = mean.mean() + (mean[sex] - mean.mean()) * gap
            shifted = z[:, k] + np.interp(age, trend["ages"], trend[name])
            raw = np.clip(centre + sd[sex] * shifted, 1.0, 5.0)
            place = np.clip((centre + sd[sex] * shifted - self._centre[k]) / self._spread[k], -_REACH, _REACH)
            out[f"z:{name}"] = place
            out[name] = (np.searchsorted(_CUTS, place) + 1).astype(np.int16)
            out[f"score:{name}"] = np.round(raw, 1)
        out["z:age"] = (age - 11.5) / 3.5
        out["z:girl"] = np.where(sex == 0, 1.0, -1.0)
        out["z:teenage_girl"] = out["z:girl"] * np.clip((age - 10) / 4.0, 0.0, 1.0)
        for k, name in enumerate(self._clusters):
            out[f"z:for_{name}"] = np.where(columns["cluster"] == k, 1.0, -0.2)
        mix = self._raw["creative_mix"]
        told = sum((w * (columns | out)[f"z:{k}"] for k, w in mix.items()), start=np.zeros(n))
        out["z:creative"] = told + self._creative_chance * dice.normal("creative")
        for name in ("steady", "conserving", "striving"):  # what several dimensions have in common
            out[f"z:{name}"] = dice.normal(name)
        return out | self._told(dice, out)

    @staticmethod
    def _told(dice: Dice, out: Columns) -> Columns:
        """Which two to four of the five are told in a habit: those furthest from the middle, with some luck."""
        n = len(dice)
        count = 2 + dice.below("told", 3)
        size = np.stack([np.abs(out[f"z:{t}"]) + 0.7 * dice.uniform(f"told/{t}") for t in v.TRAIT_5], axis=1)
        rank = (-size).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        return {f"told:{t}": (rank[:, k] < count).astype(np.int16).reshape(n) for k, t in enumerate(v.TRAIT_5)}

    def dimensions(self, dice: Dice, columns: Columns) -> Columns:
        """The nineteen graded dimensions, 1 to 5, and the wellbeing band (code)."""
        out: Columns = {}
        n = len(dice)
        for d in self._dimensions:
            told = sum((w * columns[f"z:{k}"] for k, w in d.mix.items()), start=np.zeros(n))
            latent = told + self._chance[d.path] * dice.normal(d.path)
            out[d.name] = (np.searchsorted(_CUTS, latent) + 1).astype(np.int16)
        # Nobody easily upset is never worried, nor the other way round (rule calm-fits-temper).
        out["calm"] = np.where(columns["neuroticism"] == 5, np.minimum(out["calm"], 3), out["calm"])
        out["calm"] = np.where(columns["neuroticism"] == 1, np.maximum(out["calm"], 3), out["calm"])
        total = sum(
            (out[d.name] for d in self._dimensions if d.group == "wellbeing"), start=np.zeros(n, dtype=np.int16)
        )
        out["wellbeing"] = wellbeing_band(total, self._raw)
        return out


def wellbeing_band(total: NDArray[Any], raw: Mapping[str, Any]) -> Ints:
    """The band (code) of the sum of the four grades."""
    found = np.searchsorted(np.array(raw["wellbeing_bands"]["from"][1:]), total, side="right")
    return np.asarray(found.astype(np.int16))
