"""The port behind which everybody answers who can be asked: a model in role, a response model, a baseline, a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

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
    numbers the askings of the same people, which for them are days apart. ``wording`` 1 puts other words of ours round the items
    than 0 does, for those who read them.
    """

    inventory: Inventory
    draw: int = 0
    order: tuple[int, ...] = ()
    turned: frozenset[str] = frozenset()
    wording: int = 0

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
    them, (people, options) by item id in the order of its codes, NaN where they are not; they add up to 1. ``beside`` is what
    fell on none of the options before they were made to, (people,) by item id.
    """

    codes: Ints
    source: tuple[str, ...]
    why: Mapping[tuple[int, int], str] = field(default_factory=dict)
    chances: Mapping[str, Floats] = field(default_factory=dict)
    beside: Mapping[str, Floats] = field(default_factory=dict)


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


@runtime_checkable
class ManyForms(Protocol):
    """A respondent who rather answers several forms person by person than form by form, and many people at once.

    ``at_once`` is how many; ``wordings`` how many wordings of a form there are for them.
    """

    wordings: int

    @property
    def at_once(self) -> int:
        """How many people are asked at once."""
        ...

    async def answer_all(
        self, people: Sequence[Record], forms: Sequence[Form], each: Callable[[int], None] = ...
    ) -> list[Answered]:
        """Answers to each form; ``each`` is told how many people have answered all of them."""
        ...


async def answers_to(
    respondent: Respondent, people: Sequence[Record], forms: Sequence[Form],
    each: Callable[[int], None] = lambda done: None,
) -> list[Answered]:  # fmt: skip
    """Answers of people to several forms, in the order that suits whoever answers."""
    if isinstance(respondent, ManyForms):
        return await respondent.answer_all(people, forms, each)
    return [await respondent.answer(people, form) for form in forms]


def shuffled(form: Form, seed: int) -> Form:
    """The form with its items in a random order."""
    n = len(form.inventory)
    order = np.argsort(Dice(seed, np.arange(n, dtype=np.int64)).uniform(f"item order/{form.inventory.id}"))
    return replace(form, order=tuple(int(i) for i in order))


def turned(form: Form) -> Form:
    """The form with the options of every item shown from last to first."""
    return replace(form, turned=frozenset(i.id for i in form.inventory.items) - form.turned)


def reworded(form: Form) -> Form:
    """The form with other words of ours round its items."""
    return replace(form, wording=1 - form.wording)
