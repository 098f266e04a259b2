"""Models for tests: one that keeps every prompt it was given, and ways to answer: dutifully, by refusing, by the test's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from random import Random

from deeppersona.models.port import Completion, Prompt
from deeppersona.models.scripted import Scripted

Answerer = Callable[[Prompt], str | None]
REFUSAL = "I'm sorry, but I can't help with that."
_SPAN = re.compile(r"(\d+) to (\d+) words")
_NAME = re.compile(r"^Name: (.+)$", re.MULTILINE)


class Recorder:
    """A model that answers by ``answers`` where that says something, else as ``scripted:`` would; it keeps all it is asked."""

    def __init__(self, answers: Answerer | None = None) -> None:
        self.name = "recorder:"
        self.prompts: list[Prompt] = []
        self._answers = answers or (lambda prompt: None)
        self._scripted = Scripted()

    async def complete(self, prompt: Prompt) -> Completion:
        self.prompts.append(prompt)
        said = self._answers(prompt)
        return Completion(said) if said is not None else await self._scripted.complete(prompt)

    async def close(self) -> None:
        """Nothing is held."""

    def of(self, stage: str) -> list[Prompt]:
        """The prompts of one stage, in the order they came."""
        return [p for p in self.prompts if p.stage == stage]


def last(prompt: Prompt) -> str:
    """What was asked just now."""
    return prompt.messages[-1].text


def keys_of(prompt: Prompt) -> list[str]:
    """The keys of the fields that are asked."""
    return list(prompt.schema["properties"]) if prompt.schema else []


def obedient(prompt: Prompt) -> str:
    """Words that mean nothing, never the same twice, as many as were asked for; in a plain text the person is named."""
    dice = Random(hashlib.sha256(f"{prompt.seed} {last(prompt)}".encode()).digest())  # noqa: S311 - no secret
    if prompt.schema is None:
        name = _NAME.findall("\n".join(m.text for m in prompt.messages))
        return f"{name[-1]} wakes. " * bool(name) + sentences(dice, _middle(last(prompt)))
    lines = {line.partition(". ")[0]: line for line in last(prompt).splitlines()}
    return json.dumps({key: sentences(dice, _middle(lines.get(key, ""))) for key in keys_of(prompt)})


def _middle(asked: str) -> int:
    found = _SPAN.findall(asked)
    return (int(found[-1][0]) + int(found[-1][1])) // 2 if found else 6


def sentences(dice: Random, n: int) -> str:
    """So many words in sentences of ten or so."""
    words = _words(dice)
    said = [next(words) for _ in range(n)]
    size = max(n // 10, 1)
    parts = [said[k * n // size : (k + 1) * n // size] for k in range(size)]
    return " ".join(" ".join(part).capitalize() + "." for part in parts)


def _words(dice: Random) -> Iterator[str]:
    while True:
        yield "".join(dice.choice("bdfgklmnprstv") + dice.choice("aeiou") for _ in range(dice.randint(2, 4)))


def wanting(*stages: str, otherwise: Answerer = obedient) -> Answerer:
    """Answer nothing of use in these stages."""
    return lambda prompt: REFUSAL if prompt.stage in stages else otherwise(prompt)
