"""What tokens cost, and a purse that is never overdrawn."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import isfinite

import orjson

from deeppersona.errors import Stopped, UsageError
from deeppersona.models.port import Prompt, Usage

_MILLION = 1_000_000
_BYTES_A_TOKEN = 3  # on the safe side: English has four and more
_FRAME = 30  # bytes a turn is wrapped in, counted as tokens too


@dataclass(frozen=True)
class Price:
    """Dollars a million tokens: read, read from the server's cache, written."""

    tokens_in: float
    cached: float
    tokens_out: float

    def of(self, usage: Usage) -> float:
        """Dollars of a completion."""
        fresh = usage.tokens_in - usage.cached
        return (fresh * self.tokens_in + usage.cached * self.cached + usage.tokens_out * self.tokens_out) / _MILLION


FREE = Price(0.0, 0.0, 0.0)


@lru_cache(maxsize=1)
def shipped_prices() -> dict[str, Price]:
    """List prices of hosted models (``prices.toml``), dated there; ``--price`` overrides them."""
    raw = tomllib.loads(resources.files("deeppersona.models").joinpath("prices.toml").read_text("utf-8"))
    return {name: Price(*row) for name, row in raw["dollars_per_million"].items()}


def parse_price(text: str) -> Price:
    """``0.4/1.6`` or, with cached tokens apart, ``0.4/0.1/1.6``: dollars a million tokens in, (cached,) out."""
    try:
        parts = [float(part) for part in text.split("/")]
        if len(parts) == 2:
            parts = [parts[0], parts[0], parts[1]]
        if len(parts) != 3 or not all(isfinite(part) and part >= 0 for part in parts):
            raise ValueError
    except ValueError:
        raise UsageError(
            f"price {text!r}: write dollars a million tokens as IN/OUT or IN/CACHED/OUT, as in 0.4/1.6"
        ) from None
    return Price(*parts)


class Purse:
    """The money of a run: what is spent, what is promised to requests on their way, and the budget (dollars)."""

    def __init__(
        self, budget: float | None = None, spent: float = 0.0, prices: Mapping[str, Price] | None = None
    ) -> None:
        self.budget, self.spent, self.promised = budget, spent, 0.0
        self.prices = dict(prices or {})
        self._asking = 0
        self._came_in = asyncio.Event()

    def price(self, model: str) -> Price | None:
        """The price of a model; None where it is not known."""
        return self.prices.get(model)

    def most(self, model: str, prompt: Prompt) -> float:
        """The most a prompt can cost, in dollars."""
        price = self.prices.get(model, FREE)
        if price == FREE:
            return 0.0
        length = sum(len(m.text.encode()) + _FRAME for m in prompt.messages)
        if prompt.shape == "schema":
            length += len(orjson.dumps(prompt.schema))
        return price.of(Usage(length // _BYTES_A_TOKEN + 1, 0, prompt.max_tokens))

    @asynccontextmanager
    async def reserved(self, model: str, prompt: Prompt) -> AsyncIterator[None]:
        """Promise the most a prompt can cost while it is asked. Stopped where the budget does not have it any more.

        Most answers cost far less than was promised for them, so what the budget may yet have is waited for.
        """
        most = self.most(model, prompt)
        while self.budget is not None and self.spent + self.promised + most > self.budget:
            if self.spent + most > self.budget:
                raise Stopped(
                    f"the budget of ${self.budget:.2f} is spent (${self.spent:.2f} so far); go on with the same command and a larger --budget"
                )
            self._came_in.clear()
            await self._came_in.wait()
        self.promised += most
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            self.promised = self.promised - most if self._asking else 0.0  # sums of fractions leave a trace
            self._came_in.set()

    def pay(self, model: str, usage: Usage) -> float:
        """Enter what a completion cost, in dollars."""
        cost = self.prices.get(model, FREE).of(usage)
        self.spent += cost
        return cost
