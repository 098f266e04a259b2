"""The port behind which everybody answers who can be asked: a model in role, a response model, a baseline, a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from deeppersona.runtime.seed import Dice, Floats, Ints
from deeppersona.schema.inventory import Inventory

Record = Mapping[str, Any]
NO_ANSWER = -(2**31)
"""Stands in a table of answers where none was given."""


@dataclass(frozen=True)
class Form:
    """A questionnaire as it is put to people: items in the order asked, and for each its options in the order shown.

    ``order`` are places in ``inventory.items``; ``turned`` marks items whose options are shown from last to first; ``draw``
    numbers the askings of the same people, which for them are days apart.
    """

    inventory: Inventory
    draw: int = 0
    order: tuple[int, ...] = ()
    turned: frozenset[str] = frozenset()

    @property
    def asked(self) -> tuple[int, ...]:
        """Places of the items in the order they are asked."""
        return self.order or tuple(range(len(self.inventory)))

    def shown(self, item_id: str) -> tuple[int, ...]:
        """The codes of an item's options in the order they are shown."""
        values = self.inventory.values(item_id)
        return values[::-1] if item_id in self.turned else values


@dataclass(frozen=True)
class Answered:
    """Answers of some people to a form.

    ``codes`` (people, items) in the order of the inventory's items, whatever the order of asking, ``NO_ANSWER`` where there
    is none; ``source`` says of each person who answered; ``why`` tells why an answer is missing, by (person, item):
    ``refused``, ``invalid`` or another word. ``chances`` gives the chances of each item's options where the respondent knows
    them, (people, options) by item id.
    """

    codes: Ints
    source: tuple[str, ...]
    why: Mapping[tuple[int, int], str] = field(default_factory=dict)
    chances: Mapping[str, Floats] = field(default_factory=dict)


class Respondent(Protocol):
    """Whoever answers. ``answer`` takes a batch of people at once and may wait: a model asks many at a time."""

    @property
    def name(self) -> str:
        """What stands in the column ``source`` of the answers, and in their settings."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the answers depend on besides people, inventory and seed; plain data."""
        ...

    async def answer(self, people: Sequence[Record], form: Form) -> Answered:
        """Answers of people to a form. The same person gives the same answer to the same form in any batch."""
        ...


def shuffled(form: Form, seed: int) -> Form:
    """The form with its items in a random order."""
    n = len(form.inventory)
    order = np.argsort(Dice(seed, np.arange(n, dtype=np.int64)).uniform(f"item order/{form.inventory.id}"))
    return Form(form.inventory, form.draw, tuple(int(i) for i in order), form.turned)


def turned(form: Form) -> Form:
    """The form with the options of every item shown from last to first."""
    return Form(form.inventory, form.draw, form.order, frozenset(i.id for i in form.inventory.items) - form.turned)
