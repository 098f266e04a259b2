"""``scripted:``, a deterministic double: obeys any form, writes lawful nonsense, costs nothing. For tests and plugin authors.

``scripted:FILE.json`` answers from a script first: a list of ``{"when": "words in the last turn", "say": "..."}``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from deeppersona.errors import UsageError
from deeppersona.models.port import Completion, Prompt, Usage

_WORDS_WANTED = re.compile(r"(\d+) to (\d+) words")
_LINE = re.compile(r"^(\w+)\. (.+)$", re.MULTILINE)
_NAME = re.compile(r"^Name: (.+)$", re.MULTILINE)
_WHO = (
    "a neighbour",
    "the younger cousin",
    "an old teacher",
    "the man with the cart",
    "a nurse",
    "the landlord",
    "two girls",
)
_DID = (
    "left",
    "carried",
    "sold",
    "mended",
    "borrowed",
    "counted",
    "hid",
    "washed",
    "forgot",
    "brought",
    "broke",
    "kept",
)
_THING = ("a kettle", "the grey coat", "three eggs", "a receipt", "the spare key", "an umbrella", "a blue door", "the bus ticket",
          "a sack of rice", "the radio", "a chair", "half a loaf")  # fmt: skip
_WHERE = ("at the corner shop", "behind the school", "under the stairs", "near the river", "on the late bus", "by the pump",
          "in the yard", "at the clinic", "outside the bank")  # fmt: skip
_WHEN = ("before breakfast", "on a wet Tuesday", "after the harvest", "that winter", "twice a week", "at a quarter to six",
         "the year of the flood", "on the last day of the month")  # fmt: skip


class Scripted:
    """The double: the same prompt, the same answer, whatever else is asked at the same time."""

    def __init__(self, script: Path | None = None) -> None:
        self.name = "scripted:" + (script.name if script else "")
        self._script = _read(script) if script else []
        self.asked = 0

    async def complete(self, prompt: Prompt) -> Completion:
        """Answer by the script, else by the schema, the keyed lines or the number of words asked for."""
        self.asked += 1
        last = prompt.messages[-1].text
        said = next((line["say"] for line in self._script if line["when"] in last), None)
        text = said if said is not None else self._written(prompt, last)
        size = sum(len(m.text) for m in prompt.messages) // 4
        cached = sum(len(m.text) for m in prompt.messages[:-1]) // 4
        top = {"A": -0.5, "B": -0.93} if prompt.top_logprobs else {}
        return Completion(text, "stop", Usage(size, cached, len(text) // 4), top=top)

    def _written(self, prompt: Prompt, last: str) -> str:
        dice = Random(hashlib.sha256(f"{prompt.seed}{prompt.temperature}".encode() + _turns(prompt)).digest())  # noqa: S311
        if prompt.schema is not None:
            asked = dict(_LINE.findall(last))
            fields = prompt.schema["properties"]
            return json.dumps({key: _value(spec, asked.get(key, ""), dice) for key, spec in fields.items()})
        name = _NAME.findall("\n".join(m.text for m in prompt.messages))
        return _prose(dice, *_wanted(last, (40, 60)), name[-1] if name else "")

    async def close(self) -> None:
        """Nothing is held."""


def _turns(prompt: Prompt) -> bytes:
    return "\0".join(m.text for m in prompt.messages).encode()


def _wanted(text: str, otherwise: tuple[int, int]) -> tuple[int, int]:
    found = _WORDS_WANTED.findall(text)
    return (int(found[-1][0]), int(found[-1][1])) if found else otherwise


def _sentences(dice: Random) -> Iterator[str]:
    """Sentences, no two of them the same."""
    seen: set[str] = set()
    while True:
        said = f"{dice.choice(_WHO)} {dice.choice(_DID)} {dice.choice(_THING)} {dice.choice(_WHERE)}"
        said = f"{dice.choice(_WHEN)} {said}" if dice.random() < 0.5 else f"{said} {dice.choice(_WHEN)}"
        if said not in seen:
            seen.add(said)
            yield said


def _prose(dice: Random, low: int, high: int, name: str = "") -> str:
    """Between ``low`` and ``high`` words: a fragment where few are wanted, sentences where many are."""
    sentences = _sentences(dice)
    if high < 14:
        return " ".join(next(sentences).split()[: max(low, (low + high) // 2)])
    out, n = [], 0
    if name:
        out, n = [f"{name} was up early."], len(name.split()) + 3
    while n < (low + high) / 2 - 5:
        said = next(sentences)
        out.append(said[0].upper() + said[1:] + ".")
        n += len(said.split())
    return " ".join(out)


def _value(spec: Mapping[str, Any], asked: str, dice: Random) -> Any:
    kind = spec.get("type", "string")
    if "enum" in spec:
        return dice.choice(list(spec["enum"]))
    if kind == "object":
        return {k: _value(s, "", dice) for k, s in spec.get("properties", {}).items()}
    if kind == "array":
        low, high = int(spec.get("minItems", 0)), int(spec.get("maxItems", 3))
        choices = spec.get("items", {}).get("enum")
        if choices:
            return dice.sample(list(choices), min(max(low, 1), len(choices), high))
        return [_value(spec.get("items", {}), "", dice) for _ in range(low)]
    if kind == "integer":
        return dice.randint(int(spec.get("minimum", 0)), int(spec.get("maximum", 9)))
    if kind == "number":
        return round(dice.uniform(float(spec.get("minimum", 0)), float(spec.get("maximum", 1))), 2)
    if kind == "boolean":
        return dice.random() < 0.5
    return _prose(dice, *_wanted(asked, (4, 9)))


def _read(path: Path) -> list[dict[str, str]]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if not all(isinstance(line["when"], str) and isinstance(line["say"], str) for line in found):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f'the script {path} is no list of {{"when": "...", "say": "..."}}') from None
    return list(found)
