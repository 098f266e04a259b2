"""deeppersona: deep synthetic people, drawn from real statistics first and told in language second.

>>> import deeppersona as dp
>>> people = dp.generate(n=20, country="KE", seed=7)  # doctest: +SKIP
>>> people[0].portrait  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deeppersona.version import __version__

if TYPE_CHECKING:
    from deeppersona.errors import DeepPersonaError, StoreError, UsageError
    from deeppersona.schema.persona import Persona, Provenance, Story, Trait
    from deeppersona.schema.plan import Plan
    from deeppersona.schema.population import Population
    from deeppersona.schema.report import Failure, Issue
    from deeppersona.schema.taxonomy import Attribute, Option, Taxonomy
    from deeppersona.study import generate, load, make_plan, run
    from deeppersona.taxonomy.read import read_taxonomy, shipped_taxonomy


# Public name -> where it lives. Imported when first used, so that `import deeppersona` stays quick.
_PUBLIC = {
    "Attribute": "schema.taxonomy",
    "DeepPersonaError": "errors",
    "Failure": "schema.report",
    "Issue": "schema.report",
    "Option": "schema.taxonomy",
    "Persona": "schema.persona",
    "Plan": "schema.plan",
    "Population": "schema.population",
    "Provenance": "schema.persona",
    "StoreError": "errors",
    "Story": "schema.persona",
    "Taxonomy": "schema.taxonomy",
    "Trait": "schema.persona",
    "UsageError": "errors",
    "generate": "study",
    "load": "study",
    "make_plan": "study",
    "read_taxonomy": "taxonomy.read",
    "run": "study",
    "shipped_taxonomy": "taxonomy.read",
}
__all__ = [
    "Attribute",
    "DeepPersonaError",
    "Failure",
    "Issue",
    "Option",
    "Persona",
    "Plan",
    "Population",
    "Provenance",
    "StoreError",
    "Story",
    "Taxonomy",
    "Trait",
    "UsageError",
    "__version__",
    "generate",
    "load",
    "make_plan",
    "read_taxonomy",
    "run",
    "shipped_taxonomy",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'deeppersona' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"deeppersona.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
