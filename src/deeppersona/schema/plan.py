"""What a run is asked to make, frozen: the same plan and slot give the same person, whatever else is running."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property, lru_cache
from math import gcd
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DEPTH_RANGE = (20, 400)
_CYCLE = 10_000
_LATER = ("writing", "kind", "allocation", "even", "checked")


class Writing(BaseModel):
    """What a language model writes of each person, and which: all of it changes the text, so it belongs to the plan.

    ``writer`` and ``judge`` are names of models (never addresses or keys); ``prompts`` the fingerprint of what is said
    to them; ``colour`` how many drawn values are told more particularly; ``book_words`` the length of the life book;
    ``counter`` whether overused phrasings are ruled out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    writer: str
    judge: str | None = None
    prompts: str
    temperature: float = Field(default=0.9, ge=0, le=2)
    colour: int = Field(default=0, ge=0, le=DEPTH_RANGE[1])
    book_words: int = Field(default=0, ge=0, le=250_000)
    counter: bool = True


class Allocation(BaseModel):
    """How many people each cell of a table of quotas has, exactly.

    ``dims`` maps a dimension to its categories, in order, and each category to the condition that it stands for, as anchors
    are written (the word ``other`` for whatever the others leave); the first is the country. ``counts`` lists the cells that
    have anybody: (index in C order, people), which add up to the plan's ``n``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dims: dict[str, dict[str, str]]
    counts: tuple[tuple[int, int], ...]


class Plan(BaseModel):
    """A generation plan.

    ``countries`` maps ISO codes to weights; ``anchors`` field -> condition as the user wrote it; ``focus`` a node of the
    tree -> weight; ``ratio`` near:mid:far; ``taxonomy`` the fingerprint of the tree; ``given`` that of the shallow personas deepened, if any; ``writing`` what a model writes, if one does.
    Of populations: ``kind`` is who they are; ``allocation`` their quotas; ``even`` whether personality and values are spread
    evenly; ``checked`` whether every person is looked at by the validators and made anew where one finds a fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int = Field(ge=1, le=10**12)
    countries: dict[str, float] = Field(min_length=1)
    seed: int = 0
    depth: int = Field(default=220, ge=DEPTH_RANGE[0], le=DEPTH_RANGE[1])
    ratio: tuple[int, int, int] = (5, 3, 2)
    focus: dict[str, float] = Field(default_factory=dict)
    anchors: dict[str, str] = Field(default_factory=dict)
    adults_only: bool = True
    book: bool = False
    taxonomy: str
    engine: str
    given: str | None = None
    writing: Writing | None = None
    kind: Literal["people", "students"] = "people"
    allocation: Allocation | None = None
    even: bool = False
    checked: bool = False

    @field_validator("countries")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not w > 0 for w in value.values()):
            raise ValueError("a country's weight is above 0")
        return value

    @field_validator("focus")
    @classmethod
    def _not_negative(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 <= w <= 100 for w in value.values()):
            raise ValueError("a focus is between 0 (leave out) and 100")
        return value

    @model_validator(mode="after")
    def _some_ratio(self) -> Plan:
        if min(self.ratio) < 0 or sum(self.ratio) == 0:
            raise ValueError("the ratio near:mid:far needs whole numbers, at least one above 0")
        return self

    @property
    def exact(self) -> bool:
        """Whether it has cells to be kept full: a slot whose person cannot be, or is somebody's double, is filled anew."""
        return self.allocation is not None or self.kind != "people" or self.checked

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:`` of the plan: what a run folder is held to."""
        body = self.model_dump(mode="json")
        for later in _LATER:  # a plan that uses none of these is the plan it was before there were any
            if body[later] == Plan.model_fields[later].default:
                del body[later]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def country_of(self, slot: int) -> tuple[str, int]:
        """The country of a slot and the slot's place among that country's people."""
        cycle, before, counts = _cycle(tuple(self.countries.items()))
        turn, place = divmod(slot, len(cycle))
        code = cycle[place]
        return code, turn * counts[code] + before[place]

    def differences(self, other: Plan) -> list[str]:
        """Which fields differ, in words."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return [f"{k}: {_short(theirs[k])} there, {_short(mine[k])} asked" for k in mine if mine[k] != theirs[k]]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


@lru_cache(maxsize=16)
def _cycle(weights: tuple[tuple[str, float], ...]) -> tuple[tuple[str, ...], tuple[int, ...], dict[str, int]]:
    """The repeating order of countries: any run of slots is within one person of its exact share.

    Returns the order, for each place how many of its country came before, and how many each country has in a cycle.
    """
    total = sum(w for _, w in weights)
    if all(float(w).is_integer() for _, w in weights) and total <= _CYCLE:
        divisor = gcd(*(int(w) for _, w in weights))
        quota = {code: int(w) // divisor for code, w in weights}
    else:
        exact = {code: w / total * _CYCLE for code, w in weights}
        quota = {code: max(int(x), 1) for code, x in exact.items()}
        for code in sorted(exact, key=lambda c: quota[c] - exact[c])[: max(_CYCLE - sum(quota.values()), 0)]:
            quota[code] += 1
    # Each country's j-th person belongs at (j + 1/2) / quota of the cycle: sorting by that spreads all of them evenly.
    places = sorted(((j + 0.5) / q, code, j) for code, q in quota.items() for j in range(q))
    return tuple(code for _, code, _ in places), tuple(j for _, _, j in places), quota
