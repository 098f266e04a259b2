"""Read answers from a table: one row an answer, one row a person, counts per option, or shares with n.

Which of these a table is, its header says. Nothing is thrown away here: codes are kept as written (``items.code_of``), and
what they are worth is decided item by item in ``side``.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError, nearest
from deeppersona.evaluation.survey.items import GROUPS, code_of, number_of
from deeppersona.runtime.seed import Floats, Ints

Texts = NDArray[np.str_]
LONG, WIDE, COUNTS, SHARES = (
    "answers, one row each",
    "microdata, one row a person",
    "counts per option",
    "shares per option with n",
)
_OPTION = ("option", "answer", "code")
_NOT_ITEMS = ("id", "source")
_SHARE = ("share", "percent", "proportion")


@dataclass(frozen=True, eq=False)
class Rows:
    """The answers to one item: person (rows,), draw (rows,), code as written (rows,)."""

    person: Ints
    draw: Ints
    code: Texts


@dataclass(eq=False)
class Answers:
    """A table of answers as it stands: people in the order of their first row.

    ``joint`` says that the same person answered several items; in counts and shares every answer is a person of its own.
    ``weight`` is (people,), 1 where there is none; ``notes`` says what was odd about the table.
    """

    file: str
    kind: str
    ids: list[str]
    weight: Floats
    groups: dict[str, Texts]
    rows: dict[str, Rows]
    joint: bool = True
    weighted: bool = False
    notes: list[str] = field(default_factory=list)

    def where(self, keep: NDArray[np.bool_]) -> Answers:
        """The answers of some of the people (a mask), in the same order."""
        number = np.cumsum(keep) - 1
        rows = {}
        for item, r in self.rows.items():
            some = keep[r.person]
            rows[item] = Rows(number[r.person[some]], r.draw[some], r.code[some])
        ids = [i for i, k in zip(self.ids, keep.tolist(), strict=True) if k]
        return replace(
            self, ids=ids, weight=self.weight[keep], groups={g: v[keep] for g, v in self.groups.items()}, rows=rows
        )


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOBase]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
                yield handle
        else:
            with path.open(encoding="utf-8-sig", newline="") as handle:
                yield handle
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from None


def read_answers(path: Path, wanted: Sequence[str] = (), columns: Mapping[str, str] | None = None) -> Answers:
    """Read a table of answers (CSV, TSV or semicolons; also .gz).

    ``wanted`` are the items to take from a table with a row a person, all other columns if empty; ``columns`` says what our columns are called there.

    Raises:
        UsageError: no such file, no header that is understood, none of the wanted items, a weight or n that is no number.

    """
    with _opened(path) as handle:
        head = handle.readline()
        mark = max("\t;,", key=head.count)
        header = next(csv.reader([head], delimiter=mark), [])
        names = [h.strip() for h in header]
        at = _columns(names, columns or {}, path)
        rows = csv.reader(handle, delimiter=mark)
        lower = {n.casefold(): k for k, n in enumerate(names)}
        option = next((lower[o] for o in _OPTION if o in lower), None)
        if (
            "item" in at
            and option is not None
            and (share := next((lower[s] for s in _SHARE if s in lower), None)) is not None
        ):
            if "n" not in lower:
                raise UsageError(
                    f"{path}: shares need a column n, the people who answered, or no interval can be given"
                )
            return _tallied(path, rows, at, option, share, lower["n"])
        if (
            "item" in at
            and option is not None
            and (count := next((lower[c] for c in ("count", "n") if c in lower), None)) is not None
        ):
            return _tallied(path, rows, at, option, count, None)
        if {"person", "item", "answer"} <= set(at):
            return _long(path, rows, at)
        return _wide(path, rows, names, at, wanted)


def _columns(names: Sequence[str], given: Mapping[str, str], path: Path) -> dict[str, int]:
    """Where each of our columns stands."""
    found = {}
    folded = [n.casefold() for n in names]
    for ours in ("person", "item", "draw", "answer", "weight", *GROUPS):
        if ours in given:
            if given[ours] not in names:
                continue
            found[ours] = names.index(given[ours])
        elif ours in folded:
            found[ours] = folded.index(ours)
    if "sex" not in found and "gender" in folded:
        found["sex"] = folded.index("gender")
    if len(names) < 2:
        raise UsageError(f"{path} has no header of columns; expected person,item,draw,answer or one row a person")
    return found


class _People:
    """People as they are met, with their weight and groups."""

    def __init__(self, at: Mapping[str, int], path: Path) -> None:
        self.at, self.path = at, path
        self.number: dict[str, int] = {}
        self.weight: list[float] = []
        self.groups: dict[str, list[str]] = {g: [] for g in GROUPS if g in at}

    def met(self, name: str, row: Sequence[str]) -> int:
        k = self.number.setdefault(name, len(self.number))
        if k == len(self.weight):
            self.weight.append(self._weight(row))
            for group, values in self.groups.items():
                values.append(code_of(row[self.at[group]]))
        return k

    def _weight(self, row: Sequence[str]) -> float:
        """A weight of 0 or more; nan where there is none."""
        weight = number_of(row[self.at["weight"]].strip()) if "weight" in self.at else 1.0
        return math.nan if weight is None or weight < 0 else weight

    def answers(self, kind: str, rows: dict[str, Rows], joint: bool) -> Answers:
        """The people and their rows; a table of weights that are all 0 or no numbers is refused."""
        weight = np.array(self.weight)
        if len(weight) and np.isnan(weight).all() and "weight" in self.at:
            weight = np.ones(len(weight))  # a column of weights left empty
        off = int(np.isnan(weight).sum())
        weight = np.nan_to_num(weight)
        if not weight.any():
            raise UsageError(
                f"{self.path} has nobody with a weight above 0"
                if self.weight
                else f"{self.path} has a header and no rows"
            )
        notes = [f"{off} people without a usable weight are left out"] if off else []
        groups = {g: np.array(values) for g, values in self.groups.items()}
        return Answers(
            self.path.name, kind, list(self.number), weight, groups, rows, joint, bool(np.ptp(weight)), notes
        )


def _whole(rows: Iterable[list[str]], width: int, path: Path) -> Iterator[list[str]]:
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) < width:
            raise UsageError(f"{path} line {number} has {len(row)} fields and needs {width}: is it cut off?")
        yield row


def _long(path: Path, rows: Iterable[list[str]], at: Mapping[str, int]) -> Answers:
    people = _People(at, path)
    found: dict[str, tuple[list[int], list[int], list[str]]] = defaultdict(lambda: ([], [], []))
    seen: dict[tuple[int, str], set[str]] = {}
    for row in _whole(rows, max(at.values()) + 1, path):
        k, item = people.met(row[at["person"]].strip(), row), row[at["item"]].strip()
        draws = seen.setdefault((k, item), set())
        said = row[at["draw"]].strip() if "draw" in at else str(len(draws))
        if said in draws:
            who = f"person {row[at['person']]!r}, item {item!r}, draw {said!r}"
            raise UsageError(f"{path}: {who} stands there twice; number repeated answers in a column draw")
        draws.add(said)
        number = number_of(said)
        person, draw, code = found[item]
        person.append(k)
        draw.append(int(number) if number is not None else len(draws) - 1)
        code.append(code_of(row[at["answer"]]))
    return people.answers(LONG, {item: _rows(*columns) for item, columns in found.items()}, joint=True)


def _rows(person: Sequence[int], draw: Sequence[int], code: Sequence[str]) -> Rows:
    return Rows(np.array(person, dtype=np.int64), np.array(draw, dtype=np.int64), np.array(code, dtype=np.str_))


def _wide(
    path: Path, rows: Iterable[list[str]], names: Sequence[str], at: Mapping[str, int], wanted: Sequence[str]
) -> Answers:
    reserved = set(at.values())
    taken = {
        name: k
        for k, name in enumerate(names)
        if (name in wanted if wanted else k not in reserved and name.casefold() not in _NOT_ITEMS)
    }
    if not taken:
        near = next((h for w in wanted if (h := nearest(w, names))), "")
        raise UsageError(
            f"{path} has none of the items {', '.join(list(wanted)[:8])}{near or '; its columns are ' + ', '.join(names[:12])}; map them with --items map.toml"
        )
    people = _People(at, path)
    codes: dict[str, list[str]] = {name: [] for name in taken}
    known: dict[str, str] = {}
    width = max(*taken.values(), *at.values(), 0) + 1
    for number, row in enumerate(_whole(rows, width, path)):
        name = row[at["person"]].strip() if "person" in at else f"row {number}"
        if name in people.number:
            raise UsageError(f"{path}: person {name!r} stands there twice, in a table of one row a person")
        people.met(name, row)
        for item, k in taken.items():
            raw = row[k]
            code = known.get(raw)
            if code is None:
                code = known[raw] = code_of(raw)
            codes[item].append(code)
    n = len(people.weight)
    everybody, first = np.arange(n), np.zeros(n, dtype=np.int64)
    return people.answers(
        WIDE, {item: Rows(everybody, first, np.array(c, dtype=np.str_)) for item, c in codes.items()}, joint=True
    )


def _tallied(
    path: Path, rows: Iterable[list[str]], at: Mapping[str, int], option: int, amount: int, n_at: int | None
) -> Answers:
    """Counts or shares as people who each gave one answer; weights make shares exact where n times a share is no whole number."""
    cells: dict[tuple[str, ...], list[tuple[str, float, float]]] = defaultdict(list)
    groups = [g for g in GROUPS if g in at]
    for row in _whole(rows, max(*at.values(), option, amount, n_at or 0) + 1, path):
        much = number_of(row[amount].strip())
        people = number_of(row[n_at].strip()) if n_at is not None else 0.0
        if much is None or much < 0 or people is None:
            raise UsageError(f"{path}: {row} needs a count or share of 0 or more, and n a number")
        cells[(row[at["item"]].strip(), *(code_of(row[at[g]]) for g in groups))].append(
            (code_of(row[option]), much, people)
        )
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: {"code": [], "weight": [], "cell": []})
    notes: list[str] = []
    for cell, answers in cells.items():
        whole = sum(much for _, much, _ in answers)
        if not whole:
            continue
        if n_at is not None and abs(whole - 1) > 0.02 and abs(whole - 100) > 2:
            notes.append(
                f"shares of {' '.join(cell)} sum to {whole:g}: taken as shares of those who gave one of the answers listed"
            )
        n = max(p for _, _, p in answers) if n_at is not None else whole
        for code, times, weight in _as_people(answers, n, whole):
            found[cell[0]]["code"] += [code] * times
            found[cell[0]]["weight"] += [weight] * times
            found[cell[0]]["cell"] += [cell] * times
    rows_of, weight_of, cell_of, ids = {}, [], [], 0
    for item, made in found.items():
        k = len(made["code"])
        rows_of[item] = _rows(range(ids, ids + k), [0] * k, made["code"])
        weight_of += made["weight"]
        cell_of += made["cell"]
        ids += k
    if not ids:
        raise UsageError(f"{path} has no answers in it")
    by_group = {g: np.array([c[j + 1] for c in cell_of]) for j, g in enumerate(groups)}
    kind = COUNTS if n_at is None else SHARES
    return Answers(
        path.name, kind, [str(k) for k in range(ids)], np.array(weight_of), by_group, rows_of, False, False, notes
    )


def _as_people(answers: Sequence[tuple[str, float, float]], n: float, whole: float) -> list[tuple[str, int, float]]:
    """(code, people, weight of each) whose weighted shares are exactly those given and whose number is about n."""
    exact = [(code, much / whole * n) for code, much, _ in answers]
    times = [max(round(x), 1 if x > 0 else 0) for _, x in exact]
    return [(code, t, x / t) for (code, x), t in zip(exact, times, strict=True) if t]
