"""Shared fixtures: pupils of four countries, drawn and made once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deeppersona.population.students import Students
from deeppersona.population.students.choose import Columns


@pytest.fixture(scope="session")
def students() -> Students:
    return Students({"KE": 1, "DE": 1, "BR": 1, "IN": 1})


@pytest.fixture(scope="session")
def columns(students: Students) -> Columns:
    """20,000 pupils, in batches as a run draws them."""
    parts = [students.pupils.draw(11, np.arange(a, a + 4000)) for a in range(0, 20_000, 4000)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.fixture(scope="session")
def records(students: Students) -> list[dict[str, Any]]:
    made = students.make(11, np.arange(2000))
    assert not made.failures
    return made.records
