"""Draw pupils: the columns of any slots, in any batch, from (seed, slot) alone; and only the blocks at fault again.

A pupil is drawn in *blocks* (place, cell, rank, age, ...; each topic is one), every block a function of the dice and of the
columns drawn before it. So what a rule finds wrong can be drawn again with what hangs on it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeppersona.errors import UsageError, unknown
from deeppersona.facts.tables import Facts, shipped_facts
from deeppersona.population.students.choose import Columns, Draw
from deeppersona.population.students.home import Homes
from deeppersona.population.students.positions import Positions
from deeppersona.population.students.schema import Schema, shipped_schema
from deeppersona.population.students.schooling import Schooling, given_cells
from deeppersona.runtime.seed import Dice, Ints
from deeppersona.schema import vocabulary as v

PET = "student.home.pet"
CATEGORIES = {
    "grade": "student.grade",
    "sex": "demographics.sex",
    "cluster": "student.academic.cluster",
    "level": "student.academic.level",
}
"""Dimension of a quota -> the trait that says a pupil's category."""


def address(seed: int | str, attempt: int) -> int | str:
    """The seed of another pupil for the same slot; that of the first attempt is the seed itself."""
    return f"{seed}, attempt {attempt}" if attempt else seed


@dataclass(frozen=True)
class Block:
    """A step of the draw: what it is called, the columns it looks at, the columns it makes."""

    name: str
    draw: Callable[[Dice, Columns], Columns]
    needs: frozenset[str]
    makes: frozenset[str]


class Pupils:
    """The pupils of a population: draw any slots of it. Build it once a process (about a second for the world)."""

    def __init__(
        self, countries: Mapping[str, float] | None = None, facts: Facts | None = None, schema: Schema | None = None
    ) -> None:
        """``countries``: code or name -> weight; None is the world by people of school age."""
        self.facts, self.schema = facts or shipped_facts(), schema or shipped_schema()
        self.homes = Homes(self.facts, self.schema, countries)
        self._positions, self._schooling = Positions(self.facts, self.schema), Schooling(self.schema)
        self._core = (
            ("place", self.homes.place), ("cell", self._schooling.cell), ("rank", self._positions.rank),
            ("age", self._schooling.age), ("background", self._positions.background), ("five", self._positions.five),
            ("dimensions", self._positions.dimensions), ("stages", self._schooling.stages),
            ("subjects", self._schooling.subjects), ("marks", self._schooling.marks), ("family", self.homes.family),
            ("friends", self.homes.friends),
        )  # fmt: skip
        self.blocks: tuple[Block, ...] = self._linked()

    def cells(self) -> dict[str, tuple[Any, ...]]:
        """The dimensions of a quota with their categories, in the order of the codes that ``draw`` takes."""
        schema = self.schema
        return {
            "grade": tuple(range(1, 13)),
            "sex": v.SEX,
            "cluster": tuple(schema.clusters),
            "level": tuple(schema.levels),
        }

    def base_joint(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Shares by grade x sex x cluster x level, shape (12, 2, 6, 4): the default quota."""
        return self._schooling.joint.copy()

    @staticmethod
    def categories_of(record: Mapping[str, Any]) -> dict[str, str]:
        """Grade, sex, cluster and level of a finished record, as words (grade ``"7"``), read from its traits."""
        values = {t["path"]: t["value"] for t in record["traits"]}
        return {name: str(values[path]) for name, path in CATEGORIES.items()}

    def draw(
        self, seed: int | str, slots: Sequence[int] | Ints, cells: Mapping[str, object] | None = None, attempt: int = 0
    ) -> Columns:
        """The columns of some slots, one row a slot; a row depends on seed, slot, attempt and its own cell alone.

        ``cells`` maps any of ``grade`` (1..12), ``sex``, ``cluster``, ``level`` (codes in the order of ``cells()``) and
        ``country`` (index into ``homes.countries``) to an array with one value a slot, -1 where it is to be drawn.
        A further ``attempt`` draws another pupil of the same cell, drawn or given. UsageError for a cell that is no category.
        """
        dice, columns = self.start(seed, slots, cells)
        other = Dice(f"pupils {address(seed, attempt)}", dice.slots) if attempt else dice
        for block in self.blocks:
            columns |= block.draw(dice if block.name == "cell" else other, columns)
        return columns

    def start(
        self, seed: int | str, slots: Sequence[int] | Ints, cells: Mapping[str, object] | None
    ) -> tuple[Dice, Columns]:
        """The dice of some slots and the columns before anything is drawn."""
        dice = Dice(f"pupils {seed}", np.asarray(slots, dtype=np.int64))
        columns = given_cells(cells, len(dice))
        limits = {name: (values[0] if name == "grade" else 0, values[-1] if name == "grade" else len(values) - 1)
                  for name, values in self.cells().items()} | {"country": (0, len(self.homes.countries) - 1)}  # fmt: skip
        for name in set(cells or ()) - set(limits):
            raise unknown("dimension of a cell", name, sorted(limits))
        for name, (low, high) in limits.items():
            column = columns[f"cell:{name}"]
            if column.shape != (len(dice),):
                raise UsageError(f"cells: {name} has {column.shape} values for {len(dice)} slots; give one a slot")
            if len(column) and not (((column >= low) & (column <= high)) | (column == -1)).all():
                raise UsageError(
                    f"cells: {name} must be {low}..{high}, or -1 to be drawn; got {column.min()}..{column.max()}"
                )
        return dice, columns | {"slot": dice.slots}

    def redraw(
        self, columns: Columns, rows: Ints, names: Iterable[str], seed: int | str, attempt: int
    ) -> None:  # fmt: skip
        """Draw blocks again for some rows, with whatever was drawn from what they make; ``columns`` is changed in place."""
        dice = Dice(f"pupils {seed}", columns["slot"][rows])
        other, stale = dice.again(attempt), set(names)
        part: Columns = {name: column[rows] for name, column in columns.items()}
        dirty: set[str] = set()
        for block in self.blocks:
            if block.name in stale or block.needs & dirty:
                made = block.draw(other if block.name in stale else dice, part)
                part |= made
                dirty |= set(made)
        for name in dirty:
            columns[name][rows] = part[name]

    def _linked(self) -> tuple[Block, ...]:
        """The blocks with what they need, found by watching a small draw: nobody has to keep a list of it right."""
        dice, columns = self.start(0, np.arange(4), None)
        out = []
        drawers: list[tuple[str, Callable[[Dice, Columns], Columns]]] = list(self._core)
        drawers += [(t.path, _pet(Draw(t)) if t.path == PET else Draw(t)) for t in self.schema.topics]
        for name, draw in drawers:
            watched = _Watched(columns)
            made = draw(dice, watched)
            if twice := set(made) & set(columns):
                raise UsageError(
                    f"{name} makes {sorted(twice)[0]}, which an earlier block made; give one of them another name"
                )
            out.append(Block(name, draw, frozenset(watched.seen), frozenset(made)))
            columns |= made
        return tuple(out)


class _Watched(dict[str, Any]):
    """Columns that remember which of them were looked at."""

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self.seen: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.seen.add(key)
        return super().__getitem__(key)

    def __or__(self, other: Any) -> Any:
        joined = _Watched(dict(self) | dict(other))
        joined.seen = self.seen
        return joined


def _pet(draw: Draw) -> Callable[[Dice, Columns], Columns]:
    """The animal at home also makes ``pet`` (0 or 1), which other topics look at."""

    def with_flag(dice: Dice, columns: Columns) -> Columns:
        out = draw(dice, columns)
        return out | {"pet": (out[f"{PET}/animal"] >= 0).astype(np.int16)}

    return with_flag
