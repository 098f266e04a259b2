"""Validators: predicates on one person that return issues. One file each; a file in this folder is a validator.

They read the finished persona alone, not the engine's columns, so they would catch the engine out.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable

from deeppersona.population.validators._subject import Subject
from deeppersona.schema.persona import Persona
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Taxonomy

Validator = Callable[[Subject], Iterable[Issue]]


def registered() -> dict[str, Validator]:
    """Every validator by name, found by looking at the folder."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}").validate for name in names}


def validate(persona: Persona, taxonomy: Taxonomy) -> list[Issue]:
    """Run every validator on a person."""
    subject = Subject.of(persona, taxonomy)
    return [issue for check in registered().values() for issue in check(subject)]
