"""Which models a run uses: specifications as written on the command line, by role, and how they are opened."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deeppersona.errors import BY_YOU, UsageError, unknown
from deeppersona.models.capability import best_shape
from deeppersona.models.journal import Journal, Journaled
from deeppersona.models.port import LanguageModel, Shape, Usage
from deeppersona.models.price import FREE, Price, Purse, shipped_prices
from deeppersona.models.steady import Steady
from deeppersona.runtime.executor import rarer_gc

ROLES = ("writer", "judge", "actor")
KINDS = ("openai", "local", "scripted")


@dataclass(frozen=True)
class Spec:
    """A model as named: ``openai:NAME``, ``openai:NAME@URL``, ``local:FILE.gguf``, ``scripted:``."""

    kind: str
    model: str
    url: str | None = None

    @property
    def name(self) -> str:
        """What goes into plans and provenance: neither the address nor the folder it lies in."""
        return (
            f"{self.kind}:{Path(self.model).name if self.kind in ('local', 'scripted') and self.model else self.model}"
        )


def parse_spec(text: str) -> Spec:
    """Read a specification. UsageError with the nearest form."""
    kind, sign, rest = text.partition(":")
    if not sign or kind not in KINDS:
        if not sign:
            raise UsageError(
                f"model {text!r}: write openai:NAME, openai:NAME@http://host/v1, local:FILE.gguf or scripted:"
            )
        raise unknown("kind of model", kind, KINDS)
    if kind == "openai":
        model, _, url = rest.partition("@")
        if not model:
            raise UsageError(f"model {text!r}: a name is missing, as in openai:gpt-4.1-mini")
        if "@" in url:  # said first and without the address, which then holds a secret
            raise UsageError("a key does not belong in the address: set DEEPPERSONA_API_KEY in the environment")
        if url and not url.startswith(("http://", "https://")):
            raise UsageError(f"model {text!r}: the address begins with http:// or https://")
        return Spec(kind, model, url or None)
    if kind == "local" and not rest:
        raise UsageError("local: needs a file, as in local:/models/small.gguf")
    return Spec(kind, rest)


def parse_roles(texts: Iterable[str]) -> dict[str, Spec]:
    """Models by role: a bare SPEC is the writer's; ``judge=SPEC`` and ``actor=SPEC`` name the others."""
    out: dict[str, Spec] = {}
    for text in texts:
        role, sign, spec = text.partition("=")
        if not sign or ":" in role:
            role, spec = "writer", text
        if role not in ROLES:
            raise unknown("role", role, ROLES)
        if role in out:
            raise UsageError(f"the {role} is named twice; other roles are judge=SPEC and actor=SPEC")
        out[role] = parse_spec(spec)
    return out


@dataclass(frozen=True)
class Traffic:
    """How models are asked: at once, within what money and time. None of it changes what is written."""

    concurrency: int = 32
    budget: float | None = None
    price: Price | None = None
    timeout_s: float = 180.0
    hedge: bool = True


def adapter(spec: Spec, traffic: Traffic) -> LanguageModel:
    """The adapter of a specification, not yet connected."""
    if spec.kind == "openai":
        from deeppersona.models.openai import OpenAICompatible

        return OpenAICompatible(spec.model, spec.url, timeout_s=traffic.timeout_s)
    if spec.kind == "local":
        from deeppersona.models.local import Local

        return Local(Path(spec.model).expanduser(), timeout_s=max(traffic.timeout_s, 600.0))
    from deeppersona.models.scripted import Scripted

    return Scripted(Path(spec.model).expanduser() if spec.model else None)


def price_of(spec: Spec, traffic: Traffic) -> Price | None:
    """What a model costs: as told, nothing for one of one's own, else the list price; None where it is not known."""
    if traffic.price is not None:
        return traffic.price
    if spec.kind != "openai" or (spec.url is not None and _is_own(spec.url)):
        return FREE
    return shipped_prices().get(spec.model) if spec.url is None else None


def _is_own(url: str) -> bool:
    """Whether a server stands in one's own network, where tokens cost nothing."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))


@dataclass
class Open:
    """Models opened for a run: each asked steadily, within the purse, through the journal."""

    models: Mapping[str, Journaled]
    shapes: Mapping[str, Shape]
    journal: Journal
    purse: Purse
    steadies: list[Steady] = field(default_factory=list)

    def stop(self, reason: str) -> None:
        """Begin no further request."""
        for steady in self.steadies:
            steady.stop(reason)

    @property
    def stopping(self) -> str:
        """Why no further request is begun; empty while they are."""
        return next((steady.stopping for steady in self.steadies if steady.stopping), "")

    def in_flight(self) -> int:
        """Requests on their way now."""
        return sum(steady.gate.inside for steady in self.steadies)

    def usage(self) -> Usage:
        """Tokens paid for since the models were opened."""
        all_of = [model.usage for model in dict.fromkeys(self.models.values())]
        return Usage(sum(u.tokens_in for u in all_of), sum(u.cached for u in all_of), sum(u.tokens_out for u in all_of))

    def counts(self) -> dict[str, int]:
        """Requests, retries, 429s, hedges and what the journal answered."""
        out: dict[str, int] = {}
        for steady in self.steadies:
            for key, n in steady.counts.items():
                out[key] = out.get(key, 0) + n
        return out


@asynccontextmanager
async def opened(
    roles: Mapping[str, Spec], journal: Journal, traffic: Traffic, system: str = ""
) -> AsyncIterator[Open]:  # fmt: skip
    """Open the models of a run and find out, once a run, in which shape each answers best (see ``best_shape``)."""
    prices = {spec.name: price_of(spec, traffic) for spec in roles.values()}
    unpriced = sorted(name for name, price in prices.items() if price is None)
    if unpriced and traffic.budget is not None:
        raise UsageError(f"no price is known for {', '.join(unpriced)}, so a budget cannot hold; give --price IN/OUT")
    purse = Purse(traffic.budget, journal.spent(), {name: price for name, price in prices.items() if price is not None})
    async with AsyncExitStack() as stack:
        stack.enter_context(rarer_gc())
        from deeppersona.models.local import Local

        by_spec: dict[Spec, Journaled] = {}
        steadies: list[Steady] = []
        for spec in dict.fromkeys(roles.values()):
            inner = adapter(spec, traffic)
            stack.push_async_callback(inner.close)
            local = inner.parallel if spec.kind == "local" and isinstance(inner, Local) else 0
            steady = Steady(
                inner, limit=min(traffic.concurrency, local) if local else traffic.concurrency, hedge=traffic.hedge and not local and traffic.budget is None,
                deadline_s=max(900.0, traffic.timeout_s),
            )  # fmt: skip
            steadies.append(steady)
            by_spec[spec] = Journaled(steady, journal, purse)
        shapes: dict[str, Shape] = {}
        for spec, model in by_spec.items():
            known: Any = journal.note(f"shape of {spec.name}")
            if known is None:
                known = await best_shape(model, system)
                journal.set_note(f"shape of {spec.name}", known)
            shapes[spec.name] = known
        yield Open(
            {role: by_spec[spec] for role, spec in roles.items()},
            {role: shapes[spec.name] for role, spec in roles.items()}, journal, purse, steadies,
        )  # fmt: skip


@contextmanager
def stopping_on_interrupt(stop: Callable[[str], None]) -> Iterator[None]:
    """Let the first Ctrl-C finish what is on its way (``stop`` is told why); the second breaks off."""
    loop = asyncio.get_running_loop()

    def once() -> None:
        stop(BY_YOU)
        loop.remove_signal_handler(signal.SIGINT)

    try:
        loop.add_signal_handler(signal.SIGINT, once)
    except (NotImplementedError, RuntimeError, ValueError):  # no signals here: a thread, or another system
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
