"""The grounded respondent: answers from the person's own traits, position and circumstances by a response model, no language model.

It has the questionnaire by heart: order and wording do not touch it. What it cannot know, such as an opinion no feature bears on,
it draws; what it draws belongs to the person for the share that people's answers are steady, and to the day for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema.inventory import Inventory, Limit, Ranking
from deeppersona.simulation.grounds import Grounds, Record, grounds
from deeppersona.simulation.respondent import Answered, Form
from deeppersona.simulation.response import ResponseModel, normal_cdf, response_model, root, weighed


class Grounded:
    """Answers from the record by the response model of an inventory; ``model`` in place of the one beside it."""

    name = "grounded"

    def __init__(self, inventory: Inventory, seed: int = 0, model: ResponseModel | None = None) -> None:
        self.inventory, self.seed = inventory, seed
        self.model = model or response_model(inventory)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Who answers, and what the response model rests on."""
        return {"respondent": self.name, "model": self.model.source}

    def people(self, records: Sequence[Record]) -> Grounds:
        """What bears on the answers of people."""
        return grounds(records, self.seed)

    async def answer(self, people: Sequence[Record], form: Form) -> Answered:
        """Answers of people to a form; people of whom something was not known are marked ``grounded:assumed``."""
        found = self.people(people)
        source = tuple(f"{self.name}:assumed" if a or self.model.assumed else self.name for a in found.assumed)
        return Answered(self.codes(found, form.draw), source)

    def codes(self, people: Grounds, draw: int = 0) -> Ints:
        """The answers (people, items) of one asking, as codes of options."""
        y = self.propensities(people, draw)
        inventory, model = self.inventory, self.model
        out = np.zeros(y.shape, dtype=np.int64)
        for k, item in enumerate(inventory.items):
            values = np.array(inventory.values(item.id))
            if item.id in model.country:
                out[:, k] = values[self._among_compatriots(k, people, y[:, k])]
            elif len(model.cuts[k]):
                out[:, k] = values[np.searchsorted(model.cuts[k], y[:, k])]
        places = {item.id: k for k, item in enumerate(inventory.items)}
        for limit in inventory.limits:
            self._keep_to(limit, [places[i] for i in limit.items], y, out)
        for ranking in inventory.rankings:
            self._rank(ranking, [places[i] for i in ranking.items], people, draw, out)
        return out

    def _among_compatriots(self, k: int, people: Grounds, y: Floats) -> Ints:
        """Places of the options (people,) that propensities (people,) come to, by the cut points of each person's country."""
        codes = np.array(people.country)
        out = np.zeros(len(y), dtype=np.int64)
        for code in sorted(set(people.country)):
            rows = np.flatnonzero(codes == code)
            out[rows] = np.searchsorted(self.model.cuts_in(k, code), y[rows])
        return out

    def propensities(self, people: Grounds, draw: int = 0) -> Floats:
        """The propensity of people to each item in one asking, shape (people, items)."""
        model, dice, label = self.model, people.dice, self.inventory.id
        features = people.matrix(model.features)
        if model.traits is not None:
            features = self._standing(people, draw, features)
        y = weighed(features, model.loads.T)
        for m in range(model.minor.shape[1]):
            if model.minor[:, m].any():
                y += np.outer(_drawn(dice, f"{label}/minor {m}", draw, model.minor_stability), model.minor[:, m])
        for k, item in enumerate(model.items):
            y[:, k] += model.noise[k] * _drawn(dice, f"{label}/{item}", draw, model.item_stability)
        return np.asarray(y)

    def _standing(self, people: Grounds, draw: int, features: Floats) -> Floats:
        """Features with the five traits in place of their scores: what scores measure, on this day."""
        model = self.model
        traits = model.traits
        assert traits is not None  # noqa: S101 - asked by the caller
        group, own = traits.standing(people)
        rho = model.trait_stability
        day = np.stack([people.dice.normal(f"day/{t}/{draw}") for t in range(5)], axis=1)
        day = weighed(day, root(traits.correlations))
        out = features.copy()
        spread = people.norms[1] / traits.sd
        out[:, : group.shape[1]] = group + np.sqrt(rho) * own + np.sqrt(1.0 - rho) * day * spread
        return out

    def _keep_to(self, limit: Limit, places: list[int], y: Floats, out: Ints) -> None:
        """Take back the answer that may be given ``most`` times where it lies farthest below the others' propensity."""
        chosen = out[:, places] == limit.value
        rank = np.argsort(
            np.argsort(np.where(chosen, -y[:, places], np.inf), axis=1, kind="stable"), axis=1, kind="stable"
        )
        over = chosen & (rank >= limit.most)
        for j, k in enumerate(places):
            values = self.inventory.values(self.inventory.items[k].id)
            out[over[:, j], k] = next(value for value in values if value != limit.value)

    def _rank(self, ranking: Ranking, places: list[int], people: Grounds, draw: int, out: Ints) -> None:
        """First choice, second and so on by utilities with Gumbel chance (Luce 1959, Plackett 1975)."""
        first = ranking.items[0]
        options = self.model.choices[first]
        values = np.array(list(options))
        utility = np.zeros((len(people), len(values)))
        for j, (value, (base, loads)) in enumerate(options.items()):
            told = sum((w * people.columns[name] for name, w in loads.items()), start=np.zeros(len(people)))
            chance = _gumbel(people.dice, f"{self.inventory.id}/{first}={value}", draw, self.model.item_stability)
            utility[:, j] = base + told + chance
        order = np.argsort(-utility, axis=1, kind="stable")
        for r, k in enumerate(places):
            out[:, k] = values[order[:, r]]


def _drawn(dice: Dice, label: str, draw: int, stability: float) -> Floats:
    """Standard normal numbers of people, the share ``stability`` of whose variance is the same at every asking."""
    return np.asarray(
        np.sqrt(stability) * dice.normal(f"{label}/own") + np.sqrt(1.0 - stability) * dice.normal(f"{label}/day {draw}")
    )


def _gumbel(dice: Dice, label: str, draw: int, stability: float) -> Floats:
    """Standard Gumbel numbers of people, steady over askings as ``_drawn`` is: by way of the normal distribution."""
    z = _drawn(dice, label, draw, stability)
    return np.asarray(-np.log(-np.log(normal_cdf(z).clip(1e-12, 1 - 1e-12))))
