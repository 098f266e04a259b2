"""A questionnaire as data: items, what may be answered, keys, scales, composites, norms, source and licence. No I/O.

The answer to an item is a whole number, the value of one of its options, in the coding of the questionnaire it comes from.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deeppersona.errors import UsageError, unknown

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=80)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Frozen):
    """One thing that may be answered: its code and its words."""

    value: int
    label: str


class Responses(_Frozen):
    """What may be answered to an item: options in the order they are shown, and codes that stand for no answer."""

    options: tuple[Option, ...] = Field(min_length=2)
    missing: dict[int, str] = Field(default_factory=dict)

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The codes of the options, in the order they are shown."""
        return tuple(option.value for option in self.options)


class Item(_Frozen):
    """One question or statement, and by name what may be answered to it."""

    id: Word
    text: str = Field(min_length=1)
    responses: Word = "default"


class Norm(_Frozen):
    """What people score on a scale: mean, standard deviation, reliability (alpha), how many people, and who."""

    mean: float
    sd: float = Field(gt=0)
    alpha: float | None = None
    n: int = Field(gt=0)
    of: str


class Scale(_Frozen):
    """Items that are scored together: those of ``reversed`` after reversal; mean or sum.

    ``measures`` names what of a person the scale is about (a latent, such as ``extraversion``), where that is known.
    """

    id: Word
    title: str
    items: tuple[Word, ...] = Field(min_length=1)
    reversed: tuple[Word, ...] = ()
    score: Literal["mean", "sum"] = "mean"
    measures: str | None = None
    norm: Norm | None = None


class Composite(_Frozen):
    """An index made of answers by a rule.

    ``pair``: the value whose list holds both answers, else ``otherwise``. ``difference``: the answers to ``plus`` added up,
    less those to ``minus``.
    """

    id: Word
    title: str
    rule: Literal["pair", "difference"]
    items: tuple[Word, ...] = ()
    values: dict[int, tuple[int, ...]] = Field(default_factory=dict)
    otherwise: int | None = None
    plus: tuple[Word, ...] = ()
    minus: tuple[Word, ...] = ()

    @property
    def asks(self) -> tuple[str, ...]:
        """The items it is made of."""
        return self.items + self.plus + self.minus

    def of(self, answers: dict[str, int]) -> int | None:
        """The index of a person's answers by item; None where one is missing."""
        if any(item not in answers for item in self.asks):
            return None
        if self.rule == "difference":
            return sum(answers[i] for i in self.plus) - sum(answers[i] for i in self.minus)
        told = {answers[i] for i in self.items}
        return next((value for value, both in self.values.items() if told <= set(both)), self.otherwise)


class Limit(_Frozen):
    """Among several items one answer may be given so many times at most: a pick of up to five, say."""

    items: tuple[Word, ...]
    value: int
    most: int = Field(gt=0)


class Ranking(_Frozen):
    """Items that ask for a first choice, a second and so on from one list: no option is chosen twice."""

    items: tuple[Word, ...] = Field(min_length=2)


class Inventory(_Frozen):
    """A questionnaire. ``inventory.item("E1")``, ``inventory.values("E1")``; the order of the items is that of asking.

    ``licence`` and ``source`` are of the texts; both must be told. ``instruction`` is said before the items.
    """

    id: Word
    title: str
    language: str = "en"
    instruction: str = ""
    source: str = Field(min_length=3)
    licence: str = Field(min_length=3)
    responses: dict[Word, Responses]
    items: tuple[Item, ...] = Field(min_length=1)
    scales: tuple[Scale, ...] = ()
    composites: tuple[Composite, ...] = ()
    limits: tuple[Limit, ...] = ()
    rankings: tuple[Ranking, ...] = ()

    @cached_property
    def _by_id(self) -> dict[str, Item]:
        return {item.id: item for item in self.items}

    def __len__(self) -> int:
        return len(self.items)

    def item(self, item_id: str) -> Item:
        """An item by id. UsageError naming the nearest where there is none."""
        try:
            return self._by_id[item_id]
        except KeyError:
            raise unknown(f"item of {self.id}", item_id, self._by_id) from None

    def answerable(self, item_id: str) -> Responses:
        """What may be answered to an item."""
        return self.responses[self.item(item_id).responses]

    def values(self, item_id: str) -> tuple[int, ...]:
        """The codes of the options of an item, in the order they are shown; of a composite the values it can take."""
        if item_id in self._by_id:
            return self.answerable(item_id).values
        composite = next((c for c in self.composites if c.id == item_id), None)
        if composite is None:
            raise unknown(f"item of {self.id}", item_id, [*self._by_id, *(c.id for c in self.composites)])
        if composite.rule == "pair":
            more = () if composite.otherwise is None else (composite.otherwise,)
            return tuple(sorted({*composite.values, *more}))
        low = sum(min(self.values(i)) for i in composite.plus) - sum(max(self.values(i)) for i in composite.minus)
        high = sum(max(self.values(i)) for i in composite.plus) - sum(min(self.values(i)) for i in composite.minus)
        return tuple(range(low, high + 1))

    def scale(self, scale_id: str) -> Scale:
        """A scale by id. UsageError naming the nearest where there is none."""
        for scale in self.scales:
            if scale.id == scale_id:
                return scale
        raise unknown(f"scale of {self.id}", scale_id, [s.id for s in self.scales])

    def keyed(self, scale: Scale, item_id: str, answer: float) -> float:
        """An answer in the sense of the scale: reversed, where the item is, about the middle of its options."""
        values = self.values(item_id)
        return min(values) + max(values) - answer if item_id in scale.reversed else answer

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything in it: answers name the questionnaire they are to."""
        return "sha256:" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]

    def only(self, items: tuple[str, ...]) -> Inventory:
        """The questionnaire cut down to some of its items, in their order here; scales and rules left with none go."""
        wanted = {self.item(i).id for i in items}
        if not wanted:
            raise UsageError("name at least one item")
        scales = [s.model_copy(update={"items": tuple(i for i in s.items if i in wanted),
                                       "reversed": tuple(i for i in s.reversed if i in wanted)}) for s in self.scales]  # fmt: skip
        return type(self)(**{  # a copy would carry what has been worked out for the whole
            **{name: getattr(self, name) for name in type(self).model_fields}, "items": tuple(i for i in self.items if i.id in wanted),
            "scales": tuple(s for s in scales if s.items),
            "composites": tuple(c for c in self.composites if set(c.asks) <= wanted),
            "limits": tuple(x for x in self.limits if set(x.items) <= wanted),
            "rankings": tuple(r for r in self.rankings if set(r.items) <= wanted),
        })  # fmt: skip
