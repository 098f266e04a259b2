"""The version, kept apart so that every stage can name it without importing the package's front."""

__version__ = "0.1.0"
