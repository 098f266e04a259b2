"""Response models: how an answer comes of a person's standing, as data beside the inventory (``<id>.model.toml``).

A graded response model (Samejima 1969) in its normal-ogive form. The propensity of person p to item i is

    y = sum of load x feature + sum of load x minor factor + noise x chance,

and the answer is the first option below whose cut point y lies. Minor factors and chance are partly the person's own, partly of
the day: ``*_stability`` is the share of their variance that a second asking finds again.

Where an item has a table ``country``, cut points are of the country. Its people together answer as the model has it for such a
country: a share Phi((cut - where) exp(-wide)) below each cut, ``where`` and ``wide`` sums of coefficient x feature of the country
(``country`` and ``spread``). Who among them gives which answer is by the person's place among compatriots: loads, minor factors
and chance order people, and the cut points by which the country's adults, as the facts have them, split so are found. What a
country's people are like (faith, age, schooling) is so counted once, in the country, and persons differ within.

Where the model holds ``traits``, the five traits are not the scores of the record but what such scores measure. A score is
known to the record as observed ones are, with their errors, so that observed scores of its answers must be spread and correlated
as observed ones are: the standing is F = g / sqrt(reliability) + M d, where g is how far people of that age and sex lie from all
adults, d how far the person lies from them, and M = Phi^(1/2) R^(-1/2), near to the identity, turns d, correlated as observed
scores are (R), into what is correlated as true scores are (Phi).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from deeppersona.errors import UsageError, unknown
from deeppersona.runtime.seed import Floats
from deeppersona.schema import vocabulary as v
from deeppersona.schema.inventory import Inventory
from deeppersona.simulation.grounds import FEATURES, NO_COUNTRY, PLACE_FEATURES, Grounds, compatriots, country_features
from deeppersona.simulation.inventory import inventory_file

_STABILITIES = ("trait_stability", "minor_stability", "item_stability")
_LOAD, _NARROW = 0.55, 0.35  # of an item nobody has measured: on its trait, and on each narrower scale it belongs to


@dataclass(frozen=True)
class Traits:
    """What scores of five traits measure: means and spreads of adults' scores, reliabilities (5,), true correlations (5, 5)."""

    mean: Floats
    sd: Floats
    reliability: Floats
    correlations: Floats

    def standing(self, people: Grounds) -> tuple[Floats, Floats]:
        """(what age and sex give, what the person adds to it), shape (people, 5) each; see the module."""
        mean, sd = people.norms
        group = (mean - self.mean) / self.sd / np.sqrt(self.reliability)
        own = (people.raw - mean) / sd
        return group, weighed(own, self.spread.T) * (sd / self.sd)

    @property
    def spread(self) -> Floats:
        """M: turns deviations correlated as observed scores are into ones correlated as true scores are."""
        observed = self.correlations * np.sqrt(np.outer(self.reliability, self.reliability))
        np.fill_diagonal(observed, 1.0)
        return root(self.correlations) @ np.linalg.inv(root(observed))


def weighed(columns: Floats, weights: Floats) -> Floats:
    """The product of (people, k) and (k, m), added up in one order: the same for a person in any batch, which BLAS is not."""
    out = np.zeros((len(columns), weights.shape[1]))
    for column, weight in zip(columns.T, weights, strict=True):
        out += column[:, None] * weight
    return out


def root(matrix: Floats) -> Floats:
    """The symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(values.clip(1e-12)) @ vectors.T)


@dataclass(frozen=True)
class ResponseModel:
    """Of each item cut points (options - 1), loads on features and minor factors, and chance.

    ``loads`` is (items, features), ``minor`` (items, minor factors), ``noise`` (items,). ``choices`` gives the items of a
    ranking: for the first item of it, of each option by value (base, loads). ``country`` and ``spread`` give, by item, what
    features of a country add to where its people stand and to the logarithm of how far they are apart; items that are not in
    ``country`` have the same cut points everywhere. ``assumed``: nobody's answers are behind it.
    """

    items: tuple[str, ...]
    features: tuple[str, ...]
    cuts: tuple[Floats, ...]
    loads: Floats
    minor: Floats
    noise: Floats
    source: str
    traits: Traits | None = None
    trait_stability: float = 0.9
    minor_stability: float = 0.8
    item_stability: float = 0.45
    choices: Mapping[str, Mapping[int, tuple[float, dict[str, float]]]] = field(default_factory=dict)
    structure: Floats | None = None
    assumed: bool = False
    country: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    spread: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    _found: dict[tuple[int, str], Floats] = field(default_factory=dict, repr=False, compare=False)

    def margins(self, k: int) -> Floats:
        """Shares of the options of the ``k``-th item among people of whom nothing is known, shape (options,)."""
        if self.items[k] in self.country:
            return np.diff(np.concatenate([[0.0], self.below(k, NO_COUNTRY), [1.0]]))
        spread = np.sqrt((self.loads[k] ** 2).sum() + (self.minor[k] ** 2).sum() + self.noise[k] ** 2)
        below = [NormalDist().cdf(float(c) / float(spread)) for c in self.cuts[k]]
        return np.diff(np.array([0.0, *below, 1.0]))

    def below(self, k: int, code: str) -> Floats:
        """Shares of a country's people below each cut of the ``k``-th item, shape (options - 1,), of an item with ``country``."""
        told = country_features(code)
        where = sum(w * told[name] for name, w in self.country[self.items[k]].items())
        wide = sum(w * told[name] for name, w in self.spread.get(self.items[k], {}).items())
        return normal_cdf((self.cuts[k] - where) * np.exp(-wide))

    def cuts_in(self, k: int, code: str) -> Floats:
        """Cut points of the ``k``-th item for people of a country, shape (options - 1,); see the module."""
        if self.items[k] not in self.country:
            return self.cuts[k]
        if (k, code) not in self._found:
            loads = dict(zip(self.features, self.loads[k].tolist(), strict=True))
            chance = float((self.minor[k] ** 2).sum() + self.noise[k] ** 2)
            self._found[k, code] = _split(self.below(k, code), *compatriots(code).spread(loads, chance))
        return self._found[k, code]


def _split(below: Floats, means: Floats, shares: Floats, sd: float) -> Floats:
    """Where groups of people, normal about ``means``, have the shares ``below`` under them, by bisection, shape of ``below``."""
    low, high = np.full(below.shape, means.min() - 8 * sd), np.full(below.shape, means.max() + 8 * sd)
    for _ in range(50):
        middle = (low + high) / 2
        under = normal_cdf((middle[:, None] - means) / sd) @ shares < below
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray((low + high) / 2)


def normal_cdf(z: Floats) -> Floats:
    """The normal distribution function, to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26)."""
    x = np.abs(z) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    half = 0.5 * poly * np.exp(-x * x)
    return np.asarray(np.where(z >= 0, 1.0 - half, half))


def response_model(inventory: Inventory, name: str | Path | None = None) -> ResponseModel:
    """The response model of an inventory: the file beside it, else an assumed one for items of scales that measure a trait.

    ``name`` is the shipped id or path that the inventory was read from; its id where not given. Raises UsageError where an
    item has no model and can be given none, saying what to add.
    """
    beside = _beside(str(name or inventory.id))
    return assumed_model(inventory) if beside is None else _cut_down(_read(beside, beside.stat().st_mtime), inventory)


def _beside(name: str) -> Path | None:
    try:
        path = inventory_file(name)
    except UsageError:
        return None
    path = path.with_name(path.stem + ".model.toml")
    return path if path.is_file() else None


@lru_cache(maxsize=16)
def _read(path: Path, changed: float) -> ResponseModel:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        return _built(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is no response model: {type(error).__name__}: {error}") from None


def model_from(raw: dict[str, Any], inventory: Inventory) -> ResponseModel:
    """A model of an inventory from the plain data of a file, as a fit makes it."""
    return _cut_down(_built(raw), inventory)


def _built(raw: dict[str, Any]) -> ResponseModel:
    """A model from the plain data of its file; KeyError, TypeError or ValueError where these are wrong."""
    items: dict[str, dict[str, Any]] = raw["items"]
    names: tuple[str, ...] = tuple(raw["traits"]["names"]) if "traits" in raw else ()
    told = [dict(zip(names, body.get("traits", ()), strict=False)) | body.get("loads", {}) for body in items.values()]
    features = tuple(dict.fromkeys(name for loads in told for name in loads))
    choices = {
        first: {
            int(value): (float(body.get("base", 0.0)), dict(body.get("loads", {}))) for value, body in options.items()
        }
        for first, options in raw.get("choices", {}).items()
    }
    for name in (*features, *(f for options in choices.values() for _, loads in options.values() for f in loads)):
        if name not in FEATURES:
            raise unknown("feature in loads", name, FEATURES)
    country = _tables(items, "country")
    loads = np.array([[float(of.get(name, 0.0)) for name in features] for of in told]).reshape(
        len(items), len(features)
    )
    widest = max((len(body.get("minor", ())) for body in items.values()), default=0)
    minor = np.array(
        [[*body.get("minor", ()), *[0.0] * (widest - len(body.get("minor", ())))] for body in items.values()]
    )
    traits = None
    if names:
        if names != v.TRAIT_5:
            raise UsageError(f"names of traits must be {', '.join(v.TRAIT_5)}")
        traits = Traits(
            *(np.array(raw["traits"][key], dtype=np.float64) for key in ("mean", "sd", "reliability", "correlations"))
        )
    minor = minor.reshape(len(items), widest).astype(np.float64)
    structure = [body["structure"] for body in items.values() if "structure" in body]
    found = ResponseModel(
        tuple(items), features, tuple(np.array(body.get("thresholds", ()), dtype=np.float64) for body in items.values()),
        loads, minor, _noise(items, loads, minor, traits), str(raw["source"]), traits, choices=choices,
        country=country, spread=_tables(items, "spread"), structure=np.array(structure, dtype=np.float64) if len(structure) == len(items) else None,
    )  # fmt: skip
    stability: dict[str, Any] = {key: float(raw[key]) for key in _STABILITIES if key in raw}
    return replace(found, **stability)


def _tables(items: Mapping[str, Any], key: str) -> dict[str, dict[str, float]]:
    """What features of a country add to an item, by item; ValueError where its loads name the country as well."""
    found = {item: {name: float(w) for name, w in body[key].items()} for item, body in items.items() if key in body}
    for item, told in found.items():
        for name in told:
            if name not in PLACE_FEATURES:
                raise unknown(f"feature in {key} of {item}", name, PLACE_FEATURES)
        if key == "spread" and "country" not in items[item]:
            raise ValueError(f"item {item} has spread and no country; add country = {{}}")
        if twice := [name for name in items[item].get("loads", {}) if name in PLACE_FEATURES]:
            raise ValueError(f"item {item} has country, so {twice[0]} belongs there and not in loads")
    return found


def _noise(items: Mapping[str, Any], loads: Floats, minor: Floats, traits: Traits | None) -> Floats:
    """Spread of chance of each item: as told; with traits what is left of a propensity of variance 1; else 1."""
    if traits is None:
        return np.array([float(body.get("noise", 1.0)) for body in items.values()])
    common = np.einsum("if,fg,ig->i", loads, traits.correlations, loads) + (minor**2).sum(axis=1)
    return np.asarray(np.sqrt((1.0 - common).clip(0.02)))


def _cut_down(model: ResponseModel, inventory: Inventory) -> ResponseModel:
    """The model in the order of an inventory's items; UsageError where one has no model or as many options as it has not."""
    places = []
    followers = {item for ranking in inventory.rankings for item in ranking.items}
    for item in inventory.items:
        if item.id not in model.items:
            raise unknown(f"item in the response model of {inventory.id}", item.id, model.items)
        k = model.items.index(item.id)
        if item.id not in followers and len(model.cuts[k]) != len(inventory.values(item.id)) - 1:
            raise UsageError(
                f"item {item.id} has {len(inventory.values(item.id))} options and {len(model.cuts[k])} thresholds; "
                "a response model needs one threshold fewer than options"
            )
        places.append(k)
    pick = np.array(places, dtype=np.intp)
    return ResponseModel(**{
        **model.__dict__, "items": tuple(i.id for i in inventory.items), "cuts": tuple(model.cuts[k] for k in places),
        "loads": model.loads[pick], "minor": model.minor[pick], "noise": model.noise[pick],
        "structure": None if model.structure is None else model.structure[pick], "_found": {},
    })  # fmt: skip


def assumed_model(inventory: Inventory) -> ResponseModel:
    """A model for items nobody has measured, of scales that say which of the Big Five they measure. An assumption, not a fit.

    Items load 0.55 on their trait and 0.35 on each narrower scale they belong to; cut points are spread evenly over 2.4
    standard deviations, shifted so that an item is as easy to agree to as the trait is high among adults.
    """
    measured = {i: (s, i in s.reversed) for s in inventory.scales if s.measures in v.TRAIT_5 for i in s.items}
    if bare := [i.id for i in inventory.items if i.id not in measured]:
        raise UsageError(
            f"nothing says how people answer {bare[0]}" + (f" and {len(bare) - 1} more items" if bare[1:] else "") + ": put a file "
            f"{inventory.id}.model.toml beside the inventory (docs/methods/surveys.md), or say what its scale measures "
            f"(measures = {' | '.join(v.TRAIT_5)})"
        )  # fmt: skip
    ipip = response_model_of_markers()
    narrow = [s for s in inventory.scales if s.measures not in v.TRAIT_5]
    loads, minor, cuts = np.zeros((len(inventory), 5)), np.zeros((len(inventory), max(len(narrow), 1))), []
    for k, item in enumerate(inventory.items):
        scale, turned = measured[item.id]
        trait, sign = v.TRAIT_5.index(str(scale.measures)), -1.0 if turned else 1.0
        loads[k, trait] = sign * _LOAD
        for j, other in enumerate(narrow):
            if item.id in other.items:
                minor[k, j] = _NARROW * (-1.0 if item.id in other.reversed else 1.0)
        options = len(inventory.values(item.id))
        easy = sign * (ipip.mean[trait] - 3.0) / 1.25
        cuts.append(np.linspace(-1.2, 1.2, options - 1) - easy if options > 2 else np.array([-easy]))
    noise = np.sqrt((1.0 - (loads**2).sum(axis=1) - (minor**2).sum(axis=1)).clip(0.02))
    return ResponseModel(tuple(i.id for i in inventory.items), v.TRAIT_5, tuple(cuts), loads, minor, noise,
                         "assumed: nobody's answers to these items are behind it", ipip, assumed=True)  # fmt: skip


def response_model_of_markers() -> Traits:
    """What scores on the 50 markers measure; personality in records is on their scale."""
    path = inventory_file("ipip-50")
    beside = path.with_name("ipip-50.model.toml")
    traits = _read(beside, beside.stat().st_mtime).traits
    if traits is None:
        raise UsageError(f"{beside} holds no [traits]; put the shipped file back")
    return traits


def human_structure(inventory: Inventory, name: str | Path | None = None) -> tuple[Sequence[str], Floats] | None:
    """The items and people's loadings (items, factors) that answers are compared with; None where they are not known."""
    beside = _beside(str(name or inventory.id))
    if beside is None:
        return None
    model = _cut_down(_read(beside, beside.stat().st_mtime), inventory)
    return None if model.structure is None else (model.items, model.structure)
