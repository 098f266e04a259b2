"""Answers of synthetic people beside those of humans: distances between floor and ceiling, structure, rectification."""
