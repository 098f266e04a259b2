"""Count people by dimensions: the category of every record, read from its own traits, whatever made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from deeppersona.facts.tables import shipped_facts
from deeppersona.population.dimension import Dimension
from deeppersona.runtime.seed import Ints
from deeppersona.schema import vocabulary as v

_PUPILS = {"student.grade": "grade", "student.academic.cluster": "cluster", "student.academic.level": "level"}


@dataclass(frozen=True)
class Counted:
    """What to count by: dimension -> its categories, and for people what each stands for."""

    dims: Mapping[str, tuple[str, ...]]
    read_by: Mapping[str, Dimension]


def codes_of(records: Sequence[Mapping[str, Any]], counted: Counted) -> dict[str, Ints]:
    """The category of each person by dimension, shape (people,); -1 where none has it."""
    out = {d: np.full(len(records), -1, dtype=np.int16) for d in counted.dims}
    place = {d: {c: k for k, c in enumerate(categories)} for d, categories in counted.dims.items()}
    known: dict[tuple[str, Any], int] = {}
    for row, record in enumerate(records):
        core = core_of(record)
        for d in counted.dims:
            value = core.get(d)
            key = (d, value)
            code = known.get(key)
            if code is None:
                dim = counted.read_by.get(d)
                name = dim.of(value) if dim is not None else None if value is None else str(value)
                code = known[key] = place[d].get(name, -1) if name is not None else -1
            out[d][row] = code
    return {d: column.astype(np.int64) for d, column in out.items()}


def core_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The core of a record by field, in the words conditions use."""
    out: dict[str, Any] = {}
    for trait in record["traits"]:
        path = trait["path"]
        if path.startswith("demographics."):
            out[path[13:]] = trait["value"]
        elif path in _PUPILS:
            out[_PUPILS[path]] = trait["value"]
        elif record["kind"] != "student":
            break  # the core stands first
    country = out.get("country")
    if country is not None:
        out["region"] = _region(country)
    if "religion" in out:
        out["religion"] = _faith(out["religion"])
    if "employment_status" in out and "occupation" in out:
        out["occupation"] = (out["occupation"], str(out["employment_status"]).replace(" ", "_"))
    return out


_PLAIN = {"no religion": "none", "folk religion": "folk", "another religion": "other"}


@lru_cache(maxsize=512)
def _region(country: str) -> str:
    return shipped_facts().countries[country].region


@lru_cache(maxsize=4096)
def _faith(words: str) -> tuple[str, ...]:
    """The group of a religion and, where it is one, its branch, as conditions name them."""
    if words in _PLAIN:
        return (_PLAIN[words],)
    group, _, branch = words.partition(" (")
    if group.casefold() in v.RELIGION:
        return (group.casefold(), f"branch:{branch[:-1]}") if branch else (group.casefold(),)
    row = next((r for r in shipped_facts().rows("religion.csv") if r["branch"] == words), None)
    return (row["religion"], f"branch:{words}") if row else ("other",)
