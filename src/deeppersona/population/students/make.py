"""Make pupils: draw, look at the rules, draw again what is at fault, tell, look again, write. The last round is looked at too.

A pupil who still breaks a rule after three rounds becomes a ``Failure`` with the slot and the rules, never a record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from deeppersona.facts.tables import Facts
from deeppersona.generation.engine import Made
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.draw import Pupils, address
from deeppersona.population.students.records import Records
from deeppersona.population.students.rules import RULES, blocks_of, broken, broken_texts
from deeppersona.population.students.schema import Schema
from deeppersona.population.students.tell import Teller
from deeppersona.population.students.texts import Told
from deeppersona.population.students.words import Named, names_of
from deeppersona.runtime.executor import without_gc
from deeppersona.runtime.seed import Ints
from deeppersona.schema import vocabulary as v
from deeppersona.schema.report import Failure

ROUNDS = 3  # of drawing, or telling, again


class Students:
    """The students of a population, from drawing to records. Build it once a process."""

    def __init__(
        self, countries: Mapping[str, float] | None = None, facts: Facts | None = None, schema: Schema | None = None,
        *, told_only: bool = False,
    ) -> None:  # fmt: skip
        """``countries``: code or name -> weight, None for the world by people of school age.

        ``told_only``: records carry, of the small topics, those their profile tells; rules and quotas see no difference.
        """
        self.pupils = Pupils(countries, facts, schema)
        self.schema = self.pupils.schema
        self.teller = Teller(self.pupils)
        self.writer = Records(self.teller, told_only=told_only)

    def make(
        self, seed: int, slots: Sequence[int] | Ints, cells: Mapping[str, object] | None = None, attempt: int = 0
    ) -> Made:
        """The records of some slots in their order, and those that could not be made. See ``Pupils.draw`` for ``cells``.

        A further ``attempt`` makes other pupils for the same slots and cells, where the first failed or were one too many.
        """
        with without_gc():
            columns = self.pupils.draw(seed, slots, cells, attempt)
            faults = self.settle(address(seed, attempt), columns)
            failures = [Failure(slot=int(columns["slot"][i]), stage="students", reason=f"breaks {', '.join(ids)} after {ROUNDS} rounds")
                        for i, ids in sorted(faults.items())]  # fmt: skip
            if faults:
                rest = np.array([i for i in range(len(columns["slot"])) if i not in faults], dtype=np.int64)
                columns = {name: column[rest] for name, column in columns.items()}
            records, untold = self._written(seed, address(seed, attempt), columns)
        return Made(records, sorted([*failures, *untold], key=lambda f: f.slot))

    def settle(self, seed: int | str, columns: Columns) -> dict[int, list[str]]:
        """Draw again, in place, what breaks a rule, and look again. Returns row -> rules for those who still break one."""
        names = [block.name for block in self.pupils.blocks]
        serious = {rule.id for rule in RULES if rule.severity == "error"}
        for attempt in range(ROUNDS + 1):
            found = broken(columns, self.schema)
            if not found or attempt == ROUNDS:
                break
            todo: dict[int, set[str]] = {}
            for rule, mask in found.items():
                for i in np.flatnonzero(mask).tolist():
                    todo.setdefault(i, set()).update(blocks_of(rule, names))
            groups: dict[frozenset[str], list[int]] = {}
            for i, blocks in todo.items():
                groups.setdefault(frozenset(blocks), []).append(i)
            for group, rows in groups.items():
                self.pupils.redraw(columns, np.array(rows), group, seed, attempt + 1)
        out: dict[int, list[str]] = {}
        for rule, mask in found.items():
            if rule in serious:
                for i in np.flatnonzero(mask).tolist():
                    out.setdefault(i, []).append(rule)
        return out

    def _written(self, seed: int, dice: int | str, columns: Columns) -> tuple[list[dict[str, object]], list[Failure]]:
        """Records of ``seed``, told by the dice of the attempt, and those whose text never came right."""
        names = list(names_of(self.pupils, dice, columns))
        sheets = self.teller.sheets(dice, columns, names)
        texts = [self.teller.tell(sheet) for sheet in sheets]
        faults = broken_texts(self._told(columns, names, texts))
        for attempt in range(1, ROUNDS + 1):
            if not faults:
                break
            rows = sorted(faults)
            part: Columns = {name: column[np.array(rows)] for name, column in columns.items()}
            again = self.teller.sheets(dice, part, [names[i] for i in rows], attempt)
            for i, sheet in zip(rows, again, strict=True):
                sheets[i], texts[i] = sheet, self.teller.tell(sheet)
            left = broken_texts(self._told(part, [names[i] for i in rows], [texts[i] for i in rows]))
            faults = {rows[k]: ids for k, ids in left.items()}
        records = self.writer.records(seed, columns, names, sheets, texts)
        failures = [
            Failure(
                slot=int(columns["slot"][i]), stage="profile", reason=f"breaks {', '.join(ids)} after {ROUNDS} rounds"
            )
            for i, ids in faults.items()
        ]
        return [r for i, r in enumerate(records) if i not in faults], failures

    def _told(self, columns: Columns, names: Sequence[Named], texts: Sequence[str]) -> list[Told]:
        """What each text must agree with."""
        words = self.schema.subject_words
        keys = ("sex", "age", "grade", *(f"{kind}_{k}" for kind in ("strong", "weak") for k in range(3)))
        rows = zip(*(columns[k].tolist() for k in keys), strict=True)
        where = zip(columns["country"].tolist(), columns["city"].tolist(), strict=True)
        towns = [self.pupils.homes.places[country].names[city] for country, city in where]
        return [
            Told(text, (named.given,), named.whole, v.SEX[sex], age, grade,
                 tuple(words[k] for k in codes[:3] if k >= 0), tuple(words[k] for k in codes[3:] if k >= 0),
                 (named.friend_whole, named.friend, named.teacher, named.school, town, *(s[0] for s in named.siblings)))
            for (sex, age, grade, *codes), named, text, town in zip(rows, names, texts, towns, strict=True)
        ]  # fmt: skip
