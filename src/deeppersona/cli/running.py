"""Options of every command that makes people: how many processes, on which machines, which shard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from deeppersona.cli.merge import asked_for
from deeppersona.errors import UsageError
from deeppersona.runtime.executor import Over, cores, over_parts, prepare
from deeppersona.runtime.shard import Shard

F = TypeVar("F", bound=Callable[..., Any])
_PREPARED_FROM = 2_000  # people for whom processes are begun while what is wanted is made definite
_OPTIONS = (
    click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes (default: one, or all cores for large n)."),
    click.option(
        "--engine", type=click.Choice(["local", "ray"]), default="local",
        help="Where parts are made: in processes here (default), or on a Ray cluster (docs/scale.md).",
    ),
    click.option(
        "--address", default=None, metavar="auto|HOST:PORT|ray://HOST:PORT",
        help="The Ray cluster. Default: RAY_ADDRESS, else one of this machine alone.",
    ),
    click.option(
        "--shard", default=None, metavar="I/N",
        help="Make shard I of N alone, into an --out of its own; put them together with deeppersona merge.",
    ),
)  # fmt: skip


def running(command: F) -> F:
    """Add the options to a command; it gets them as ``workers``, ``engine``, ``address`` and ``shard``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def executor(raw: dict[str, Any], *, written: bool = False) -> tuple[Over, int | None, Shard | None]:
    """How parts run, in how many processes, and which shard is to be made; ``written``: by a model.

    UsageError where they do not go together.
    """
    if written and (raw["shard"] or raw["engine"] != "local"):
        raise UsageError(
            "what a model writes is made in one run folder, since it looks back at what was written before and pays from one "
            "budget; leave --shard and --engine away, and let --concurrency keep the model busy"
        )
    if raw["address"] and raw["engine"] != "ray":
        raise UsageError("--address names a Ray cluster: add --engine ray")
    shard = Shard.parse(raw["shard"], asked_for(click.get_current_context())) if raw["shard"] else None
    if raw["engine"] == "ray":
        from deeppersona.runtime.ray import ray_at

        return ray_at(raw["address"]), raw["workers"], shard
    return over_parts, raw["workers"], shard


def begin_early(raw: dict[str, Any], people: int, module: str) -> None:
    """Where many are to be made in processes here, let what they start from import the module that makes them meanwhile."""
    if people >= _PREPARED_FROM and raw["engine"] == "local" and (raw["workers"] or cores()) > 1:
        prepare(module)
