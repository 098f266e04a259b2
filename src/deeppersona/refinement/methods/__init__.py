"""The ways of keeping a persona up to date, one a file. Each has ``method(**options)`` and ``written(writer, **options)``.

The first makes its step in the structured form, the second in the written form.
"""

from __future__ import annotations

import importlib
from typing import Any

from deeppersona.errors import unknown
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Step
from deeppersona.refinement.written import Writer

METHODS = ("deeper", "full-regeneration", "slide-regeneration", "incremental", "hierarchical-merge", "frozen")


def structured(name: str) -> Step[Preferences]:
    """A step in its structured form, by name. UsageError names the nearest where there is none."""
    made: Step[Preferences] = _module(name).method()
    return made


def written(name: str, writer: Writer, **options: Any) -> Step[str]:
    """A step in its written form, by name; ``deeper`` takes ``directions`` and ``thorough``. UsageError as ``structured``."""
    made: Step[str] = _module(name).written(writer, **options)
    return made


def _module(name: str) -> Any:
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
