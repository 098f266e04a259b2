"""What an endpoint can do: hold an answer to a JSON schema, promise JSON, or neither; logprobs; speed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from deeppersona.errors import Malformed, ModelError, NotSupported, RateLimited, Unreachable
from deeppersona.models.ask import Field, Form, read, words
from deeppersona.models.port import Completion, LanguageModel, Message, Prompt, Shape

_QUESTION = (
    "Name a colour and a number below ten. Answer as one JSON object with the keys 1 (the colour) and 2 (the number)."
)
_COLOUR = Field("1", "a colour", {"type": "string", "enum": ["red", "green", "blue"]}, words(1, 1))
_NUMBER = Field("2", "a number below ten", {"type": "integer", "minimum": 1, "maximum": 9}, int)
_FORM = Form((_COLOUR, _NUMBER))
_SHAPES: tuple[Shape, ...] = ("schema", "json", "plain")  # strictest first
_SPEED = "Write sixty to eighty plain words about rain on a roof."


@dataclass(frozen=True)
class Capability:
    """What was found: ``shape`` is the strictest that works; speeds in tokens a second and seconds."""

    model: str
    shape: Shape
    works: dict[str, str]
    logprobs: bool
    tokens_per_s: float
    latency_s: float

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def _prompt(shape: Shape, system: str = "") -> Prompt:
    turns = ((Message("system", system),) if system else ()) + (Message("user", _QUESTION),)
    return Prompt(turns, "check", 60, 0.0, 1, _FORM.schema, shape)


async def _try(model: LanguageModel, prompt: Prompt) -> Completion | str:
    """A completion, or why there is none of this shape. A server that cannot be reached at all is an error."""
    try:
        return await model.complete(prompt)
    except NotSupported as error:
        return f"refused: {error}"
    except (Malformed, RateLimited) as error:
        return str(error)


def _fits(completion: Completion | str) -> str:
    """Why an answer does not fit; empty where it does."""
    if isinstance(completion, str):
        return completion
    values, faults, _ = read(completion, _FORM)
    return "" if len(values) == len(_FORM) else "; ".join(f"{k}: {why}" for k, why in faults.items())


async def best_shape(model: LanguageModel, system: str = "") -> Shape:
    """The strictest shape that works, by asking: what every run does once. One small call where schemas work.

    With the ``system`` turn of the run the same call warms the prefix that all later ones share.
    """
    last = ""
    for shape in _SHAPES:
        found = await _try(model, _prompt(shape, system))
        if not (last := _fits(found)):
            return shape
        if not isinstance(found, str) and shape == "plain":
            return "plain"  # it talks, if not well: the form will be asked and repaired
    raise ModelError(f"{model.name} gives no usable answer: {last}")


async def probe(model: LanguageModel) -> Capability:
    """Find out all of it, with five small calls. Unreachable where nobody answers."""
    works: dict[str, str] = {}
    for shape in _SHAPES:
        works[shape] = _fits(await _try(model, _prompt(shape)))
    began = time.perf_counter()
    said = await _try(model, Prompt((Message("user", _SPEED),), "check", 120, 0.7, 1))
    took = time.perf_counter() - began
    tokens = said.usage.tokens_out if isinstance(said, Completion) else 0
    told = await _try(
        model, Prompt((Message("user", "Answer with one letter, A or B."),), "check", 2, 0.0, 1, top_logprobs=5)
    )
    if tokens == 0 and all(works.values()):
        raise Unreachable(f"{model.name} gives no usable answer: {orjson.dumps(works).decode()}")
    best: Shape = next((shape for shape in _SHAPES if not works[shape]), "plain")
    return Capability(
        model.name,
        best,
        works,
        isinstance(told, Completion) and bool(told.top),
        round(tokens / max(took, 1e-9), 1),
        round(took, 3),
    )
