"""``scripted:``, a deterministic double: obeys any form, writes lawful nonsense, costs nothing. For tests and plugin authors.

``scripted:FILE.json`` answers from a script first: a list of ``{"when": "words in the last turn", "say": "..."}``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from math import ceil, floor
from pathlib import Path
from random import Random
from typing import Any

from deeppersona.errors import UsageError
from deeppersona.models.port import Completion, Prompt, Usage

_WORDS_WANTED = re.compile(r"(\d+) to (\d+) words")
_LINE = re.compile(r"^(\w+)\. (.+)$", re.MULTILINE)
_NAME = re.compile(r"^Name: (.+)$", re.MULTILINE)
_WHO = (
    "a neighbour", "the younger cousin", "an old teacher", "the man with the cart", "a nurse", "the landlord", "two girls",
    "the baker", "a stranger in boots", "the caretaker", "an aunt", "the boy next door", "a driver", "the tailor", "his sister",
    "the clerk", "a widow", "some uncle", "the goalkeeper", "a midwife",
)  # fmt: skip
_DID = (
    "left", "carried", "sold", "mended", "borrowed", "counted", "hid", "washed", "forgot", "brought", "broke", "kept", "lost",
    "painted", "returned", "weighed", "wrapped", "found", "swapped", "dropped", "ordered", "measured", "wanted", "pawned",
)  # fmt: skip
_THING = (
    "a kettle", "the grey coat", "three eggs", "a receipt", "the spare key", "an umbrella", "a blue door", "the bus ticket",
    "a sack of rice", "the radio", "a chair", "half a loaf", "nine buttons", "the good scissors", "a ladder", "one candle",
    "an old map", "the wrong hat", "four nails", "a drum", "some rope", "the left shoe", "a letter", "a bucket of lime",
)  # fmt: skip
_WHERE = (
    "at the corner shop", "behind the school", "under the stairs", "near the river", "on the late bus", "by the pump",
    "in the yard", "at the clinic", "outside the bank", "on the roof", "along the canal", "in the back room", "beside the mill",
    "between two lorries", "over the fence", "at table six", "below the bridge", "inside the shed",
)  # fmt: skip
_WHEN = (
    "before breakfast", "on a wet Tuesday", "after the harvest", "that winter", "twice a week", "at a quarter to six",
    "the year of the flood", "on the last day of the month", "during the match", "once in spring", "without a word", "at noon",
    "for eleven months", "with both hands", "in front of everybody", "against advice",
)  # fmt: skip

_HOW = ("quietly", "again", "alone", "slowly", "anyway", "twice", "indoors", "early", "badly", "first")


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
            fields, shared = prompt.schema["properties"], prompt.schema.get("$defs", {})
            return json.dumps({key: _value(spec, asked.get(key, ""), dice, shared) for key, spec in fields.items()})
        name = _NAME.findall("\n".join(m.text for m in prompt.messages))
        return _prose(dice, *_wanted(last, (40, 60)), name[-1] if name else "")

    async def close(self) -> None:
        """Nothing is held."""


def _turns(prompt: Prompt) -> bytes:
    return "\0".join(m.text for m in prompt.messages).encode()


def _wanted(text: str, otherwise: tuple[int, int]) -> tuple[int, int]:
    found = _WORDS_WANTED.findall(text)
    return (int(found[-1][0]), int(found[-1][1])) if found else otherwise


class _Telling:
    """Sentences, no two of them the same; every phrase comes once before any comes again."""

    def __init__(self, dice: Random) -> None:
        self._decks = [_shuffled(dice, phrases) for phrases in (_WHO, _DID, _THING, _WHERE, _WHEN)]
        self._dice, self._seen = dice, set[str]()

    def next(self, room: int = 99) -> str:
        """One of at most ``room`` words; empty where there is none."""
        for _ in range(20):
            parts = [next(deck) for deck in self._decks]
            if self._dice.random() < 0.5:
                parts.insert(0, parts.pop())
            while len(" ".join(parts).split()) > room and len(parts) > 3:
                parts.remove(parts[0] if parts[0] in _WHEN else parts[-1])
            said = " ".join(parts)
            if len(said.split()) <= room and said not in self._seen:
                self._seen.add(said)
                return said
        return ""


def _shuffled(dice: Random, phrases: tuple[str, ...]) -> Iterator[str]:
    while True:
        yield from dice.sample(phrases, len(phrases))


def _prose(dice: Random, low: int, high: int, name: str = "") -> str:
    """Between ``low`` and ``high`` words: a fragment where few are wanted, sentences where many are."""
    telling, wanted = _Telling(dice), max((low + high) // 2, 1)
    if high < 14:
        fragment: list[str] = []
        while len(fragment) < wanted:
            fragment += telling.next().split()
        return " ".join(fragment[:wanted])
    out, n = [], 0
    if name:
        out, n = [f"{name} was up early"], len(name.split()) + 3
    while n < wanted and (said := telling.next(high - n)):
        out.append(said[0].upper() + said[1:])
        n += len(said.split())
    if n < low:
        out[-1] += " " + " ".join(dice.sample(_HOW, min(low - n, len(_HOW))))
    return ". ".join(out) + "."


def _value(spec: Mapping[str, Any], asked: str, dice: Random, shared: Mapping[str, Any]) -> Any:
    while "$ref" in spec or "anyOf" in spec:
        spec = shared[spec["$ref"].rpartition("/")[2]] if "$ref" in spec else spec["anyOf"][0]
    kind = spec.get("type", "string")
    if "const" in spec or "enum" in spec:
        return spec["const"] if "const" in spec else dice.choice(list(spec["enum"]))
    if kind == "object":
        return {k: _value(s, "", dice, shared) for k, s in spec.get("properties", {}).items()}
    if kind == "array":
        return _list(spec, dice, shared)
    if kind == "integer":
        low, high = _bounds(spec, 9)
        return dice.randint(ceil(low), floor(high))
    if kind == "number":
        low, high = _bounds(spec, 1)
        return min(max(round(dice.uniform(low, high), 2), low), high)
    if kind in ("boolean", "null"):
        return None if kind == "null" else dice.random() < 0.5
    least, most = int(spec.get("minLength", 0)), spec.get("maxLength")
    return _prose(dice, *_wanted(asked, (4, 9)))[:most].ljust(least, "s")


def _list(spec: Mapping[str, Any], dice: Random, shared: Mapping[str, Any]) -> list[Any]:
    low = int(spec.get("minItems", 0))
    high = int(spec.get("maxItems", max(low, 3)))
    choices = spec.get("items", {}).get("enum", ())
    if len(choices) >= low and choices:  # none twice while there are enough
        return dice.sample(list(choices), min(max(low, 1), len(choices), high))
    return [_value(spec.get("items", {}), "", dice, shared) for _ in range(low)]


def _bounds(spec: Mapping[str, Any], width: int) -> tuple[float, float]:
    """The bounds of a number: 0 and ``width`` where they are not told."""
    low, high = spec.get("minimum"), spec.get("maximum")
    if low is None:
        low = 0 if high is None or high >= 0 else high - width
    if high is None:
        high = width if low <= width else low + width
    return low, high


def _read(path: Path) -> list[dict[str, str]]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if not all(isinstance(line["when"], str) and isinstance(line["say"], str) for line in found):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f'the script {path} is no list of {{"when": "...", "say": "..."}}') from None
    return list(found)
