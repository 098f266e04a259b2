"""Persona files in, data sets out."""
