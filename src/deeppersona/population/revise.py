"""Propose, validate, revise: what a model wrote is checked, what is at fault is written anew with the reason given.

The last round is checked too: what still cannot stand is struck out and recorded as missing, and what was drawn stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeppersona.generation.writing.manuscript import Manuscript
from deeppersona.generation.writing.writer import Writer, seed_of
from deeppersona.models.ask import Fault, Field, Form, ask
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.models.port import LanguageModel, Message, Prompt, Shape
from deeppersona.population.validators.told import faults
from deeppersona.prompts import say, unmarked

ROUNDS = 2
MOST_PAIRS = 14  # shown to a judge at once
_NEAR = 0.42  # cosine of two sentences that may be about one matter
_TWICE = 0.6  # share of runs of words that make two stories one
_CORE = ("name", "age", "sex", "children", "marital_status")


@dataclass(frozen=True)
class Judge:
    """A model that is shown pairs of sentences and says which cannot both be true."""

    model: LanguageModel
    shape: Shape

    async def clashes(self, pairs: Sequence[tuple[str, str]], seed: int) -> dict[int, str]:
        """The numbers of the pairs that clash, and why. What the judge does not answer is no clash."""
        lines = "\n".join(f"{k}. A: {one_line(one)} | B: {one_line(other)}" for k, (one, other) in enumerate(pairs, 1))
        prompt = Prompt(
            (Message("user", say("writing/judge", pairs=lines)),),
            "judge",
            20 * len(pairs) + 60,
            0.0,
            seed,
            shape=self.shape,
        )
        answer = await ask(self.model, prompt, _verdict(len(pairs)), tries=2)
        numbers, why = answer.values.get("clashes", []), answer.values.get("why", [])
        return {n - 1: (why[k] if k < len(why) else "") for k, n in enumerate(numbers)}


def one_line(text: str) -> str:
    """Text from a model or a taxonomy, on one line and without marks: it can be taken for nothing else."""
    return " ".join(unmarked(text).split())


def _verdict(n: int) -> Form:
    def numbers(value: Any) -> list[int]:
        if not isinstance(value, list) or not all(
            isinstance(x, (int, str)) and str(x).strip().isdecimal() and len(str(x)) < 6 for x in value
        ):
            raise Fault("a list of numbers was wanted")
        found = list(dict.fromkeys(int(x) for x in value))
        if any(not 1 <= x <= n for x in found):
            raise Fault(f"numbers from 1 to {n}")
        return found

    def words(value: Any) -> list[str]:
        return [str(x)[:160] for x in value] if isinstance(value, list) else []

    return Form((
        Field("clashes", "numbers of the pairs that cannot both be true", {"type": "array", "items": {"type": "integer"}}, numbers),
        Field("why", "why, in the same order", {"type": "array", "items": {"type": "string"}}, words),
    ))  # fmt: skip


def pairs_of(script: Manuscript) -> list[tuple[str, str, str]]:
    """Pairs likely to clash: (place, what was written there, a drawn sentence near it in meaning), nearest first."""
    person = script.draft.person
    written: list[tuple[str, str]] = [
        (place, script.texts[place]) for place in ("values", "attitude") if place in script.texts
    ]
    for k in range(len(script.draft.told)):
        text = script.texts.get(f"stories.{k}.text", "")
        written += [(f"stories.{k}.text", s) for s in sentences(text)]
    written += [
        (f"text:{a.path}", script.sentence(a, person.pronoun))
        for a in script.draft.texts
        if f"text:{a.path}" in script.texts
    ]
    written += [("portrait", s) for s in sentences(script.texts.get("portrait", ""))]
    drawn = [script.draft.sayable.say(k, person.pronoun) for k in sorted(script.draft.sayable.order)]
    return near_pairs(written, drawn)


def near_pairs(written: Sequence[tuple[str, str]], drawn: Sequence[str]) -> list[tuple[str, str, str]]:
    """Of what was written (place, sentence) and what was drawn, the pairs that may be about one matter, nearest first."""
    if not written or not drawn:
        return []
    embedder = default_embedder()
    similar = cosine(embedder.embed([text for _, text in written]), embedder.embed(list(drawn)))
    out: list[tuple[str, str, str]] = []
    used: set[int] = set()
    for flat in np.argsort(-similar, axis=None, kind="stable"):
        i, j = divmod(int(flat), len(drawn))
        if similar[i, j] < _NEAR or len(out) == MOST_PAIRS:
            break
        if i not in used and written[i][1].strip(". ") != drawn[j].strip(". "):
            used.add(i)
            out.append((*written[i], drawn[j]))
    return out


def sentences(text: str) -> list[str]:
    """Sentences of four words and more."""
    return [s.strip() + "." for s in text.replace("\n", " ").split(". ") if len(s.split()) >= 4]


async def revise(script: Manuscript, writer: Writer, judge: Judge | None = None) -> Manuscript:
    """Check what was written and have only what is at fault written anew; strike what will not come right."""
    core = {
        t["path"].partition(".")[2]: t["value"]
        for t in script.draft.record["traits"]
        if t["path"].startswith("demographics.")
    }
    core = {key: core[key] for key in _CORE}
    for attempt in range(ROUNDS + 1):
        issues = _by_rule(script, core)
        if judge is not None and attempt < ROUNDS:
            issues = await _by_judge(script, judge, seed_of(writer.plan, script.draft, f"judge {attempt}")) | issues
        if not issues:
            break
        if attempt == ROUNDS:
            for place, why in issues.items():
                script.strike(place, why)
            break
        await writer.redo(script, issues, attempt)
    for place in script.missing.keys() & script.texts.keys():  # at fault, and nothing better came
        script.strike(place, script.missing[place])
    return script


def _by_rule(script: Manuscript, core: dict[str, Any]) -> dict[str, str]:
    """Faults the predicates find, by place of the manuscript; what the grammar wrote is not looked at."""
    told = script.told()
    record: dict[str, Any] = {"narrative": script.texts.get("portrait", str(core["name"])),
              "stories": [{"text": t.story.text if f"stories.{k}.text" in script.texts else ""} for k, t in enumerate(told)]}  # fmt: skip
    found = {"portrait" if place == "narrative" else place: why for place, why in faults(record, core).items()}
    return found | {place: why for place, why in _told_twice(record["stories"]).items() if place not in found}


def _told_twice(stories: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Stories that tell an earlier one again: most runs of four words are the same."""
    seen: list[set[str]] = []
    out: dict[str, str] = {}
    for k, story in enumerate(stories):
        words = story["text"].casefold().split()
        runs = {" ".join(words[i : i + 4]) for i in range(len(words) - 3)}
        if runs and any(len(runs & other) > _TWICE * min(len(runs), len(other)) for other in seen):
            out[f"stories.{k}.text"] = "it tells the same story as one before"
        elif runs:
            seen.append(runs)
    return out


async def _by_judge(script: Manuscript, judge: Judge, seed: int) -> dict[str, str]:
    pairs = pairs_of(script)
    if not pairs:
        return {}
    found = await judge.clashes([(text, drawn) for _, text, drawn in pairs], seed)
    out: dict[str, str] = {}
    for k, why in sorted(found.items()):
        place, text, drawn = pairs[k]
        reason = f" ({one_line(why)})" if why else ""
        out.setdefault(place, f"«{one_line(text)}» cannot be true beside «{one_line(drawn)}»{reason}")
    return out
