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
            out["religion"] = _faiths(country).get(out["religion"], ("other",))
    if "employment_status" in out and "occupation" in out:
        out["occupation"] = (out["occupation"], str(out["employment_status"]).replace(" ", "_"))
    return out


@lru_cache(maxsize=512)
def _region(country: str) -> str:
    return shipped_facts().countries[country].region


@lru_cache(maxsize=512)
def _faiths(country: str) -> dict[str, tuple[str, ...]]:
    """How the religions of a country are told (``Person.religion_words``) -> the words that conditions know them by."""
    facts = shipped_facts()
    out: dict[str, tuple[str, ...]] = {"no religion": ("none", "none/")}
    for row in facts.religion(facts.countries[country]).rows:
        group, branch = row["religion"], row["branch"]
        if group in ("folk", "other"):
            told = branch or {"folk": "folk religion", "other": "another religion"}[group]
        elif group != "none":
            named = branch and not branch.startswith("other ")
            told = f"{group.capitalize()} ({branch})" if named else group.capitalize()
        else:
            continue
        out[told] = (group, f"branch:{branch}", f"{group}/{branch}") if branch else (group, f"{group}/")
    return out
