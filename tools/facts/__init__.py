"""Derivation of the shipped tables of figures from downloaded originals."""
