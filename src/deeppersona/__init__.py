"""deeppersona: deep synthetic people, drawn from real statistics first and told in language second."""

from __future__ import annotations

__version__ = "0.1.0"
