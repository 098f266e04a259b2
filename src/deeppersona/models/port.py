"""The LanguageModel port: one prompt in, one completion out. Everything else is an adapter or a wrapper around it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import orjson

Role = Literal["system", "user", "assistant"]
Shape = Literal["schema", "json", "plain"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. What comes from outside stands in a user turn, between marks (see ``prompts.quoted``)."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked: the turns, the shape wanted of the answer and how it is sampled.

    ``stage`` names what the call is for (usage is counted by it) and is never sent. ``schema`` is given where an object
    is wanted; how far the server is held to it is ``shape``.
    """

    messages: tuple[Message, ...]
    stage: str
    max_tokens: int
    temperature: float = 0.9
    seed: int = 0
    schema: Mapping[str, Any] | None = None
    shape: Shape = "plain"
    top_logprobs: int = 0

    def key(self, model: str) -> str:
        """What this prompt's completion by this model is kept under: equal prompts are paid for once."""
        turns = [[m.role, m.text] for m in self.messages]
        schema = self.schema if self.shape == "schema" else None
        body = [model, turns, schema, self.shape, self.max_tokens, self.temperature, self.seed, self.top_logprobs]
        return hashlib.sha256(orjson.dumps(body)).hexdigest()

    def then(self, answer: str, question: str, **changes: Any) -> Prompt:
        """The same conversation one turn on: append-only, so that a server's prefix cache serves all that went before."""
        messages = (*self.messages, Message("assistant", answer), Message("user", question))
        return replace(self, messages=messages, **changes)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a completion; ``cached`` are those of ``tokens_in`` that the server took from its cache."""

    tokens_in: int = 0
    cached: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. ``finish`` is the server's finish_reason; ``top`` the first token's alternatives, token -> logprob."""

    text: str
    finish: str = "stop"
    usage: Usage = Usage()
    refusal: str = ""
    top: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def body(self) -> bytes:
        """As the journal keeps it."""
        return orjson.dumps(
            {"text": self.text, "finish": self.finish, "refusal": self.refusal, "top": dict(self.top),
             "usage": [self.usage.tokens_in, self.usage.cached, self.usage.tokens_out], "seconds": self.seconds}
        )  # fmt: skip

    @staticmethod
    def of_body(body: bytes) -> Completion:
        """Read back from the journal."""
        kept = orjson.loads(body)
        return Completion(
            kept["text"], kept["finish"], Usage(*kept["usage"]), kept["refusal"], kept["top"], kept["seconds"]
        )


class LanguageModel(Protocol):
    """Anything that completes prompts. ``name`` goes into provenance and into the keys of what was paid for."""

    @property
    def name(self) -> str:
        """What the model is called, without the place where it runs."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt. Raises RateLimited, Unreachable or Malformed (worth asking again), UsageError, Stopped."""

    async def close(self) -> None:
        """Let go of connections and processes."""
