"""The ways of keeping a persona up to date, one a file. Each has ``method(**options)``, which makes its step."""

from __future__ import annotations

import importlib
from typing import Any

from deeppersona.errors import unknown
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Step

METHODS = ("deeper", "full-regeneration", "slide-regeneration", "incremental", "hierarchical-merge", "frozen")


def structured(name: str) -> Step[Preferences]:
    """A step in its structured form, by name. UsageError names the nearest where there is none."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    module: Any = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    made: Step[Preferences] = module.method()
    return made
