"""Report pages: one file each, no script, nothing fetched. What all of them share is here.

``page.html`` is the frame (head, the label that all people are synthetic, foot), ``page.css`` the style in light and dark,
``COLOURS`` the colours of charts. A report is a template beside its own module that begins with ``{% extends "page.html" %}``
and fills the blocks ``title``, ``heading`` (where it differs from the title), ``line`` and ``body``.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from deeppersona.version import __version__

_FRAME = "page.html"
_STYLE = "page.css"
# Told apart by those who see colours otherwise, and of like weight in light and dark; page.css says what they are.
COLOURS = tuple(f"var(--c{k})" for k in range(1, 9))


def page(package: str, template: str, **values: Any) -> str:
    """A whole page as text: ``template`` of ``package`` (a dotted name), put into the frame.

    ``values`` are what the template names; they are data, and escaped. ``name`` is shown at the head. The template may
    include others of the package.
    """
    from jinja2 import FunctionLoader
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    def text(name: str) -> str:
        return _asset(__package__ if name == _FRAME else package, name)

    environment = SandboxedEnvironment(autoescape=True, loader=FunctionLoader(text))
    environment.filters |= FILTERS
    style = Markup(_asset(__package__, _STYLE))  # noqa: S704 # our own file
    return environment.get_template(template).render(style=style, version=__version__, **values)


@cache
def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")


def colour(k: int) -> str:
    """The colour of the k-th line or arm, from 0; after the last they begin again."""
    return COLOURS[k % len(COLOURS)]


def whole(x: float | None) -> str:
    """A count: 12,345."""
    return "–" if x is None else f"{x:,.0f}"


def percent(x: float | None) -> str:
    """A share of 1 as per cent, with a second decimal below one per cent."""
    if x is None:
        return "–"
    return f"{100 * x:.1f} %" if abs(x) >= 0.01 or x == 0 else f"{100 * x:.2f} %"


def two(x: float | None) -> str:
    """Two decimals."""
    return "–" if x is None else f"{x:.2f}"


def three(x: float | None) -> str:
    """Three decimals."""
    return "–" if x is None else f"{x:.3f}"


def signed(x: float | None) -> str:
    """Two decimals and the sign."""
    return "–" if x is None else f"{x:+.2f}"


def chance(p: float | None) -> str:
    """A p-value."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


FILTERS = {"n": whole, "pct": percent, "x2": two, "x3": three, "signed": signed, "p": chance, "colour": colour}
