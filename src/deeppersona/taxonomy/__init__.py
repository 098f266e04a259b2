"""The shipped taxonomy (YAML, one file per sub-tree) and the code that reads, checks, imports and exports trees."""

from deeppersona.taxonomy.read import read_taxonomy, shipped_taxonomy

__all__ = ["read_taxonomy", "shipped_taxonomy"]
