"""Baselines: what answers look like that know little or nothing of the person. A comparison without them says little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deeppersona.runtime.seed import Dice, Ints, label_key
from deeppersona.schema.inventory import Inventory
from deeppersona.simulation.grounded import Grounded
from deeppersona.simulation.grounds import FEATURES, NO_COUNTRY, PARTNERED, Grounds, Record, compatriots
from deeppersona.simulation.respondent import NO_ANSWER, Answered, Form
from deeppersona.simulation.response import ResponseModel


class Uniform:
    """Every option as likely as any other: the ceiling of ignorance."""

    name = "uniform"

    def __init__(self, inventory: Inventory, seed: int = 0) -> None:
        self.inventory, self.seed = inventory, seed

    @property
    def settings(self) -> Mapping[str, Any]:
        """Who answers."""
        return {"respondent": self.name}

    async def answer(self, people: Sequence[Record], form: Form) -> Answered:
        """An option of each item at random; a ranking has no option twice, a limit is kept to."""
        ids = np.array([label_key(str(r["id"])) for r in people], dtype=np.uint64)
        dice = Dice(self.seed, np.zeros(len(people), dtype=np.int64), ids)
        inventory = self.inventory
        codes = np.zeros((len(people), len(inventory)), dtype=np.int64)
        for k, item in enumerate(inventory.items):
            values = np.array(inventory.values(item.id))
            codes[:, k] = values[dice.below(f"uniform/{inventory.id}/{item.id}/{form.draw}", len(values))]
        places = {item.id: k for k, item in enumerate(inventory.items)}
        for ranking in inventory.rankings:
            values = np.array(inventory.values(ranking.items[0]))
            u = np.stack(
                [dice.uniform(f"uniform/{inventory.id}/{ranking.items[0]}={x}/{form.draw}") for x in values], axis=1
            )
            for r, i in enumerate(ranking.items):
                codes[:, places[i]] = values[np.argsort(u, axis=1)[:, r]]
        for limit in inventory.limits:
            _limited(codes, [places[i] for i in limit.items], limit.value, limit.most, inventory, dice, form.draw)
        return Answered(codes, (self.name,) * len(people))


def _limited(
    codes: Ints, places: list[int], value: int, most: int, inventory: Inventory, dice: Dice, draw: int
) -> None:
    """Take back, at random, what was answered too often; in place."""
    chosen = codes[:, places] == value
    u = np.stack([dice.uniform(f"limit/{k}/{draw}") for k in places], axis=1)
    rank = np.argsort(np.argsort(np.where(chosen, u, 2.0), axis=1), axis=1)
    for j, k in enumerate(places):
        other = next(v for v in inventory.values(inventory.items[k].id) if v != value)
        codes[chosen[:, j] & (rank[:, j] >= most), k] = other


class Mode:
    """Everybody gives the commonest answer: of people, where their answers are given, else of the response model."""

    name = "mode"

    def __init__(
        self, inventory: Inventory, model: ResponseModel | None = None, of: Mapping[str, int] | None = None
    ) -> None:
        """``of``: the commonest code of each item among people; items left out take the model's."""
        self.inventory = inventory
        known, guessed = dict(of or {}), _commonest(inventory, model) if model is not None else {}
        self.codes = np.array([known.get(i.id, guessed.get(i.id, NO_ANSWER)) for i in inventory.items], dtype=np.int64)
        self._of = "people's answers" if of else "the response model"

    @property
    def settings(self) -> Mapping[str, Any]:
        """Who answers, and whose mode it is."""
        return {"respondent": self.name, "of": self._of}

    async def answer(self, people: Sequence[Record], form: Form) -> Answered:
        """The same answers for everybody; none where the commonest is not known."""
        return Answered(np.tile(self.codes, (len(people), 1)), (self.name,) * len(people))


def _commonest(inventory: Inventory, model: ResponseModel) -> dict[str, int]:
    out: dict[str, int] = {}
    for k, item in enumerate(inventory.items):
        if len(model.cuts[k]):
            out[item.id] = inventory.values(item.id)[int(np.argmax(model.margins(k)))]
    for ranking in inventory.rankings:
        options = model.choices[ranking.items[0]]
        best = sorted(options, key=lambda value: -options[value][0])
        out |= dict(zip(ranking.items, best, strict=False))
    return out


class ShuffledCountry(Grounded):
    """The grounded respondent as if everybody lived in another country of the run's: what the country itself is worth.

    ``countries`` are those of the whole run, so that a person's is the same in any batch.
    """

    name = "shuffled-country"

    def __init__(
        self, inventory: Inventory, seed: int = 0, model: ResponseModel | None = None, countries: Sequence[str] = ()
    ) -> None:
        super().__init__(inventory, seed, model)
        self.countries = tuple(sorted(set(countries)))

    def people(self, records: Sequence[Record]) -> Grounds:
        """People as if of another country, drawn evenly from the others of the run."""
        found = super().people(records)
        u = found.dice.uniform("another country")
        codes = []
        for code, x in zip(found.country, u, strict=True):
            others = [c for c in self.countries if c != code] or [code]
            codes.append(others[int(x * len(others))])
        return found.elsewhere(codes)


class NoPersona(Grounded):
    """The response model without a person: answers spread as among people of whom nothing is known."""

    name = "no-persona"

    def people(self, records: Sequence[Record]) -> Grounds:
        """People alike in everything; personality and what else bears on answers is drawn."""
        found = super().people([{"id": r["id"], "traits": []} for r in records])
        columns = {name: found.dice.normal(f"no persona/{name}") if name in ("self_expression", "secular") else 0.0 * found.columns[name]
                   for name in FEATURES} | {t: found.columns[t] for t in FEATURES[:5]}  # fmt: skip
        believer, muslim, _ = compatriots(NO_COUNTRY).faith[0]
        for name, share in (("believer", believer), ("muslim", muslim), ("partnered", PARTNERED)):
            columns[name] = np.full(len(found), share)
        return Grounds(found.ids, found.country, found.age, found.sex, found.raw, columns, found.assumed, found.dice)
