"""A taxonomy made ready to fill: the order of settling, lean matrices, where options are found, what rules ban.

Whatever another attribute or a rule refers to (a *base*) is settled first and for everybody, whether it is selected or
not; so a persona's values never depend on how many of them are written down, and rules hold by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from deeppersona.generation.latents import LATENT_INDEX
from deeppersona.generation.settling import bans, settling_order
from deeppersona.runtime.seed import Floats, Ints, label_keys
from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import Condition
from deeppersona.schema.taxonomy import Attribute, Taxonomy

LEAN = 0.4  # log-odds that a lean of 1 adds for one standard deviation: odds x 1.5
Value = str | int | float | list[str]


@dataclass(frozen=True)
class _Bans:
    """What must not be drawn where the condition holds: options (as a 0/1 row), or a range of a scale or number."""

    condition: Condition
    options: NDArray[np.bool_]
    low: float
    high: float


def _joined(some: list[_Bans]) -> list[_Bans]:
    """Bans on options under the same condition made one; ranges stay apart."""
    by_condition: dict[Condition, NDArray[np.bool_]] = {}
    for ban in some:
        if len(ban.options):
            by_condition[ban.condition] = by_condition.get(ban.condition, ban.options) | ban.options
    ranges = [ban for ban in some if not len(ban.options)]
    return [*(_Bans(condition, options, 0.0, 0.0) for condition, options in by_condition.items()), *ranges]


class Priors:
    """A taxonomy made ready to fill: order, lean matrices, bans. Shared by all cohorts of a run."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self.attributes: tuple[Attribute, ...] = tuple(a for a in taxonomy if a.kind != "text")
        self.index = {a.path: i for i, a in enumerate(self.attributes)}
        self.keys = label_keys([f"value/{a.path}" for a in self.attributes])
        looks_at = [self._looks_at(a) for a in self.attributes]
        self.order = settling_order(looks_at, taxonomy.rules, self.index)
        self.place_in_order: Ints = np.argsort(np.array(self.order, dtype=np.int64))
        found: list[list[_Bans]] = [[] for _ in self.attributes]
        for ban in bans(
            taxonomy.rules, lambda path: int(self.place_in_order[self.index[path]]) if path in self.index else None
        ):
            i, clause = self.index[ban.clause.key], ban.clause
            options = np.array([o.value in (clause.words or ()) for o in self.attributes[i].options], dtype=bool)
            found[i].append(_Bans(ban.condition, options, clause.low, clause.high))
        self.bans = [_joined(some) for some in found]
        self.needs = [
            looks_at[i].union(*(self._indices(ban.condition) for ban in self.bans[i]))
            for i in range(len(self.attributes))
        ]
        self.bases = frozenset().union(*self.needs)
        self._found_in: dict[int, NDArray[np.bool_]] = {}
        self._compiled: dict[int, tuple[Floats, Floats]] = {}

    def __len__(self) -> int:
        return len(self.attributes)

    def _indices(self, condition: Condition) -> frozenset[int]:
        """The attributes a condition looks at."""
        return frozenset(self.index[path] for path in condition.paths() if path in self.index)

    def _looks_at(self, a: Attribute) -> frozenset[int]:
        """The attributes the conditions of an attribute and its options look at."""
        return self._indices(a.condition).union(*(self._indices(o.condition) for o in a.options))

    @cached_property
    def always_open(self) -> list[bool]:
        """Whether an attribute has an answer for whomever it applies to: no options, or one that nothing rules out."""
        out = []
        for a, some in zip(self.attributes, self.bans, strict=True):
            banned = np.zeros(len(a.options), dtype=bool)
            for ban in some:
                banned |= ban.options if len(ban.options) else False
            free = [
                not (hit or o.applies or o.regions or o.countries) for o, hit in zip(a.options, banned, strict=True)
            ]
            out.append(any(free) if a.options else not some)
        return out

    def ends(self, i: int) -> tuple[int, int]:
        """The lowest and the highest code of a scale or number."""
        a = self.attributes[i]
        if a.number is not None:
            return round(a.number.min / a.number.step), round(a.number.max / a.number.step)
        return 1, len(a.scale.labels) if a.scale else 1

    def ranges(self, i: int) -> list[tuple[int, int]]:
        """The forbidden range of each ban of a scale or number, as codes."""
        low, high = self.ends(i)
        number = self.attributes[i].number
        step = number.step if number else 1.0
        return [
            (ceil(max(ban.low / step, low) - 1e-9), floor(min(ban.high / step, high) + 1e-9)) for ban in self.bans[i]
        ]

    def found_in(self, i: int) -> NDArray[np.bool_]:
        """Which options exist all over which region, (regions, options)."""
        if i not in self._found_in:
            places = [o.places for o in self.attributes[i].options]
            self._found_in[i] = np.array(
                [[not any(place) or region in place[0] for place in places] for region in v.REGION], dtype=bool
            )
        return self._found_in[i]

    def forbids(self, i: int, ban: _Bans, codes: Ints) -> NDArray[np.bool_]:
        """Which codes of attribute ``i`` a ban is about; none where nothing is settled or given."""
        if not self.attributes[i].options:
            number = self.attributes[i].number
            value = codes * (number.step if number else 1.0)
            return np.asarray((codes >= 0) & (value >= ban.low) & (value <= ban.high))
        if self.attributes[i].kind == "many":
            bits = int((ban.options * (1 << np.arange(len(ban.options)))).sum())
            return np.asarray((codes >= 0) & ((codes & bits) != 0))
        return np.asarray((codes >= 0) & ban.options[codes.clip(min=0)])

    def weights(self, i: int) -> tuple[Floats, Floats]:
        """(log weights (options,), leans (latents, options)) of an attribute with options."""
        if i not in self._compiled:
            options = self.attributes[i].options
            leans = np.zeros((len(LATENT_INDEX), len(options)))
            for j, option in enumerate(options):
                for name, strength in option.leans.items():
                    leans[LATENT_INDEX[name], j] = LEAN * strength
            self._compiled[i] = (np.log([o.weight for o in options]), leans)
        return self._compiled[i]

    def encode(self, i: int, value: object) -> int | None:
        """The code of a value of attribute ``i`` as stored in a fill; None if it is not one of its values."""
        a = self.attributes[i]
        values = [o.value for o in a.options]
        if a.kind == "choice":
            return values.index(str(value)) if str(value) in values else None
        if a.kind == "many" and isinstance(value, (list, tuple)):
            return sum(1 << values.index(str(x)) for x in value) if all(str(x) in values for x in value) else None
        if a.kind == "scale" and isinstance(value, int) and a.scale and 1 <= value <= len(a.scale.labels):
            return value
        if a.kind == "number" and isinstance(value, (int, float)) and a.number and not isinstance(value, bool):
            return round(value / a.number.step) if a.number.min <= value <= a.number.max else None
        return None

    def decode(self, i: int, code: int) -> Value:
        """The value behind a code."""
        a = self.attributes[i]
        if a.kind == "choice":
            return a.options[code].value
        if a.kind == "many":
            return [o.value for j, o in enumerate(a.options) if code >> j & 1]
        if a.kind == "scale" or a.number is None:
            return code
        step = a.number.step
        return int(code * step) if float(step).is_integer() else round(code * step, 6)
