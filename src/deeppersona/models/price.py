"""What tokens cost, and a purse that is never overdrawn."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from deeppersona.errors import Stopped, UsageError
from deeppersona.models.port import Prompt, Usage

_MILLION = 1_000_000
_BYTES_A_TOKEN = 3  # on the safe side: English has four and more


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
        if len(parts) != 3 or min(parts) < 0:
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

    def price(self, model: str) -> Price | None:
        """The price of a model; None where it is not known."""
        return self.prices.get(model)

    @contextmanager
    def reserved(self, model: str, prompt: Prompt) -> Iterator[None]:
        """Promise the most a prompt can cost while it is asked. Stopped where the budget does not have it any more."""
        price = self.prices.get(model, FREE)
        length = sum(len(m.text.encode()) for m in prompt.messages) if price != FREE else 0
        most = price.of(Usage(length // _BYTES_A_TOKEN, 0, prompt.max_tokens))
        if self.budget is not None and self.spent + self.promised + most > self.budget:
            raise Stopped(f"the budget of ${self.budget:.2f} is spent (${self.spent:.2f} so far)")
        self.promised += most
        try:
            yield
        finally:
            self.promised -= most

    def pay(self, model: str, usage: Usage) -> float:
        """Enter what a completion cost, in dollars."""
        cost = self.prices.get(model, FREE).of(usage)
        self.spent += cost
        return cost
