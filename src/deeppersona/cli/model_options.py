"""The options of every command that can use a language model, said once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from deeppersona.models.spec import Spec, Traffic

Command = TypeVar("Command", bound=Callable[..., Any])
SAMENESS = ("counter", "measure", "off")
_ASKING = (
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="SPEC",
        help="Who writes what figures cannot: openai:NAME, openai:NAME@http://host/v1, local:FILE.gguf, scripted:. "
        "Another role: judge=SPEC. Repeatable.",
    ),
    click.option(
        "--concurrency", type=click.IntRange(1, 4096), default=32, show_default=True, help="Requests at once, at most."
    ),
    click.option("--budget", type=click.FloatRange(min=0), help="Dollars: a hard stop; what is made so far stays."),
    click.option("--price", metavar="IN/OUT", help="Dollars a million tokens, IN/OUT or IN/CACHED/OUT."),
    click.option(
        "--timeout", "timeout_s", type=click.FloatRange(min=1), default=180.0, show_default=True,
        help="Seconds a request may take.",
    ),
)  # fmt: skip
_WRITING = (
    click.option(
        "--temperature", type=click.FloatRange(0, 2), default=None, help="How freely the model writes (default 0.9)."
    ),
    click.option("--colour", type=click.IntRange(min=0), default=None, help="Drawn values to tell more particularly."),
    click.option("--book-words", type=click.IntRange(min=0), default=None, help="Length of a life book by the model."),
    click.option(
        "--diversity", type=click.Choice(SAMENESS), default=None,
        help="Sameness: measure and rule out worn phrasings (default), measure only, or neither.",
    ),
)  # fmt: skip


def asking(command: Command) -> Command:
    """Add the options of asking a model: which, how many at once, for what money, within what time."""
    for option in reversed(_ASKING):
        command = option(command)
    return command


def writing(command: Command) -> Command:
    """Add the options of what a model writes, and those of asking it."""
    for option in reversed(_WRITING):
        command = option(command)
    return asking(command)


def read_asking(raw: Mapping[str, Any]) -> tuple[dict[str, Spec], Traffic]:
    """The models by role, and how they are asked."""
    from deeppersona.models.price import parse_price
    from deeppersona.models.spec import Traffic, parse_roles

    price = parse_price(raw["price"]) if raw["price"] else None
    roles = parse_roles(raw["models"])
    return roles, Traffic(raw["concurrency"], raw["budget"], price, raw["timeout_s"])


def read_writing(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is to write, as ``study.make_writing`` takes it; only what was said."""
    out = {key: raw[key] for key in ("temperature", "colour", "book_words") if raw[key] is not None}
    if raw["diversity"] is not None:
        out["counter"] = raw["diversity"] == "counter"
    return out
