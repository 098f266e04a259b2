"""Tables of figures about the world, each with its source, year and licence, and the code that looks them up."""

from deeppersona.facts.tables import Country, Facts, shipped_facts

__all__ = ["Country", "Facts", "shipped_facts"]
