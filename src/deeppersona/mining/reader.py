"""A model reads what people wrote a second time, scrubbed and many texts to a call; what it reads must stand in the text.

What it read is added to what the cues found, and the class goes by both: a model's own judgement only keeps out texts in which
no cue spoke. It also words the attributes that its readings propose. Every answer is kept in the run's journal: none is paid for twice.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from deeppersona.corpus.reading import supported
from deeppersona.mining.cues import Mention
from deeppersona.mining.listen import Disclosure, Heard
from deeppersona.mining.sieve import CLASSES, Class, Verdict
from deeppersona.models.ask import Fault, Field, Form, ask
from deeppersona.models.journal import Journal
from deeppersona.models.port import Message, Prompt
from deeppersona.models.spec import Open, Spec, Traffic, opened
from deeppersona.prompts import quoted, say, unmarked

FRAME = "model"
_AT_ONCE = 5  # texts to a call
_LONGEST = 1500  # letters of one text that are shown
_MOST = 12  # readings taken from one text
_WORDED = 6  # topics worded in one call
_SELF = re.compile(r"\b(?:i|i'm|i’m|im|my|me|we|our)\b", re.I)
_NAMES = re.compile(
    r"^(?!(?:how|why|do|does|can|should|is|am|looking)\b)(?!.*\b(?:i|my|me)\b)[a-z][a-z '/-]{2,40}$"
)  # no question, no self
_TO_YOU = re.compile(r"\byou(?:r|rs|rself)?\b", re.I)
_LABEL = re.compile(r"^topic \d+$")
_IN_GENERAL = re.compile(r"\bmost (?:common|effective|typical)\b", re.I)
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|my|me|myself)\b", re.I)
_ANSWER_WORDS = 7
_VALUE_WORDS = 8  # a value is a few words; a small model copies the sentence
T = TypeVar("T")

_READING = {
    "type": "object", "additionalProperties": False, "required": ["class", "told"],
    "properties": {
        "class": {"type": "string", "enum": list(CLASSES)},
        "told": {"type": "array", "maxItems": _MOST, "items": {
            "type": "object", "additionalProperties": False, "required": ["attribute", "value", "quote"],
            "properties": {key: {"type": "string", "maxLength": 120} for key in ("attribute", "value", "quote")},
        }},
    },
}  # fmt: skip
_WORDING = {
    "type": "object", "additionalProperties": False, "required": ["name", "question", "definition", "answers"],
    "properties": {
        **{key: {"type": "string", "maxLength": 160} for key in ("name", "question", "definition")},
        "answers": {"type": "array", "maxItems": 6, "items": {"type": "string", "maxLength": 60}},
    },
}  # fmt: skip


class ModelReader:
    """A model open in a loop of its own, so that listening and asking go side by side."""

    def __init__(self, models: Open, loop: asyncio.AbstractEventLoop) -> None:
        self.models, self._loop = models, loop
        self.unsupported = 0  # readings left out since the text does not say so
        self.unread: dict[str, int] = {}  # texts the model did not answer for, by reason

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def read(self, heard: list[Heard]) -> list[Heard]:
        """A chunk with what the model read in it; texts without a word of oneself are not shown to it."""
        shown = [h for h in heard if h.disclosures or h.language not in ("en", "und") or _SELF.search(h.own_words)]
        batches = [shown[k : k + _AT_ONCE] for k in range(0, len(shown), _AT_ONCE)]

        async def all_of_them() -> list[dict[bytes, dict[str, Any]]]:
            return await asyncio.gather(*(self._read_batch(batch) for batch in batches))

        read = {unit: found for part in self._wait(all_of_them()) for unit, found in part.items()}
        return [self._with(h, read[h.unit]) if h.unit in read else h for h in heard]

    async def _read_batch(self, batch: Sequence[Heard]) -> dict[bytes, dict[str, Any]]:
        texts = "\n".join(f"{k}. {quoted(h.own_words[:_LONGEST])}" for k, h in enumerate(batch, 1))
        form = Form(tuple(Field(str(k), f"text {k}", _READING, _reading) for k in range(1, len(batch) + 1)))
        question = say("mining/read", texts=texts, lines=form.lines)
        model, shape = self.models.models["writer"], self.models.shapes["writer"]
        prompt = Prompt((Message("user", question),), "mining", 420 * len(batch), 0.0, 1, shape=shape)
        answer = await ask(model, prompt, form, tries=2)
        for reason in answer.missing.values():
            self.unread[reason] = self.unread.get(reason, 0) + 1
        return {h.unit: answer.values[str(k)] for k, h in enumerate(batch, 1) if str(k) in answer.values}

    def _with(self, heard: Heard, read: dict[str, Any]) -> Heard:
        known = {(d.mention.attribute, d.mention.value) for d in heard.disclosures}
        speaker = heard.disclosures[0].speaker if heard.disclosures else heard.unit
        found: list[Disclosure] = []
        for item in read["told"]:
            name, value, quote = (
                " ".join(str(item[key]).casefold().split()).strip(" .") for key in ("attribute", "value", "quote")
            )
            few = 0 < len(value.split()) <= _VALUE_WORDS
            if not _NAMES.match(name) or not few or supported("other", value, quote, heard.own_words):
                self.unsupported += 1
            elif (name, value) not in known:
                known.add((name, value))
                found.append(Disclosure(speaker, Mention(FRAME, "", name, name, value[:60], 0, quote)))
        both = (*heard.disclosures, *found)
        # Not all a model calls personal is: what stands in the text decides, as it does where cues alone have read.
        told = {d.mention.attribute or d.mention.topic for d in both}
        kind: Class = (
            "not"
            if not told or (read["class"] == "not" and not heard.disclosures)
            else "personalisable"
            if len(told) > 1
            else "partly"
        )
        reasons = (
            heard.verdict.reasons if heard.disclosures else tuple(f"tells {d.mention.attribute}" for d in found[:4])
        )
        return replace(
            heard,
            verdict=Verdict(kind, reasons or ("the model finds nothing of the speaker",)),
            disclosures=both if kind != "not" else (),
        )

    def words(self, topics: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Topics worded as attributes: topic -> name, question, definition, answers; those it calls none are left out."""
        batches = [topics[k : k + _WORDED] for k in range(0, len(topics), _WORDED)]

        async def all_of_them() -> list[dict[str, dict[str, Any]]]:
            return await asyncio.gather(*(self._word_batch(batch) for batch in batches))

        return {topic: found for part in self._wait(all_of_them()) for topic, found in part.items() if found["name"]}

    async def _word_batch(self, batch: Sequence[str]) -> dict[str, dict[str, Any]]:
        listed = "\n".join(f"{k}. {unmarked(topic)}" for k, topic in enumerate(batch, 1))
        form = Form(tuple(Field(str(k), f"topic {k}", _WORDING, _wording) for k in range(1, len(batch) + 1)))
        model, shape = self.models.models["writer"], self.models.shapes["writer"]
        question = say("mining/word", topics=listed, lines=form.lines)
        answer = await ask(
            model, Prompt((Message("user", question),), "mining", 200 * len(batch), 0.0, 1, shape=shape), form, tries=3
        )
        return {topic: answer.values[str(k)] for k, topic in enumerate(batch, 1) if str(k) in answer.values}


def _reading(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or value.get("class") not in CLASSES or not isinstance(value.get("told"), list):
        raise Fault('{"class": ..., "told": [...]} was wanted')
    told = [
        item for item in value["told"][:_MOST]
        if isinstance(item, Mapping) and all(isinstance(item.get(key), (str, int, float)) for key in ("attribute", "value", "quote"))
    ]  # fmt: skip
    return {"class": value["class"], "told": told}


def _wording(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise Fault('{"name": ..., "question": ..., "definition": ..., "answers": [...]} was wanted')
    name = value["name"].strip().casefold()
    if _LABEL.match(name):
        raise Fault("a name of two to four words for what the topic is about")
    if not name:
        return {"name": ""}
    question, definition = (str(value.get(key) or "").strip() for key in ("question", "definition"))
    answers = value.get("answers")
    words = list(dict.fromkeys(str(a).strip().rstrip(".") for a in answers)) if isinstance(answers, list) else []
    if not question.endswith("?") or not _TO_YOU.search(question) or _IN_GENERAL.search(question):
        raise Fault(
            "a question put to one person about themselves, with the word you or your, that ends with a question mark"
        )
    if len(definition) < 8:
        raise Fault("a definition of one sentence")
    if not 3 <= len(words) <= 6 or any(len(w) > 60 or not 1 <= len(w.split()) <= _ANSWER_WORDS for w in words):
        raise Fault("four to six different answers of a few words")
    if (
        any(_FIRST_PERSON.search(w) for w in words)
        or len({" ".join(w.casefold().split()[:2]) for w in words if " " in w}) == 1
    ):
        raise Fault("answers that differ from their first word on, without I or my, as: never; now and then; every day")
    return {"name": name, "question": question, "definition": definition, "answers": words}


@contextmanager
def model_reader(path: Path, roles: Mapping[str, Spec], traffic: Traffic) -> Iterator[ModelReader]:
    """Open the writer of a run of mining; its answers are kept in ``path`` (``run.sqlite``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="model", daemon=True)
    thread.start()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    stack = AsyncExitStack()

    async def enter() -> Open:
        return await stack.enter_async_context(
            opened({"writer": roles["writer"]}, journal, traffic, say("writing/system"))
        )

    try:
        yield ModelReader(wait(enter()), loop)
    finally:
        wait(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        journal.close()
