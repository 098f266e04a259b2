"""Interviews: a model speaks as one person of a run, from that person's own record, and is held to it.

The role stands first and never drops off; older turns do. For each question the traits that bear on it are put before the model,
so that somebody of 220 traits answers from them and not from what is likeliest. Each reply is checked: no refusal, no assistant's
voice, nobody else's. What is at fault is asked once more, with the reason; what still is, is kept and marked.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from deeppersona import prompts
from deeppersona.errors import Malformed, Stopped, Unreachable, UsageError, nearest
from deeppersona.models import text as texts
from deeppersona.models.journal import Journal
from deeppersona.models.port import Completion, LanguageModel, Message, Prompt
from deeppersona.models.spec import Open, Spec, Traffic, opened, stopping_on_interrupt
from deeppersona.prompts import quoted, say, unmarked
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.records import RunRecords
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.simulation.role import BUDGET, Record, Said, bearing, role, sayings, tokens
from deeppersona.simulation.transcript import (
    SYNTHETIC,
    Question,
    Turn,
    claim,
    finished,
    markdown,
    write_transcript,
)
from deeppersona.version import __version__

STAGE = "interview"
_ANSWER_WORDS = (1, 220)
_TRIES = 2
_FEW = 3  # traits below which what was asked before helps to tell what a question is about
_PERHAPS = 0.3  # likeness of a trait that is shown where hardly any is nearer
_LOOKED_AT = 2000  # ids looked at to tell which is nearest to one that is not there
_KEPT_TOKENS = 160  # of what was said in turns that dropped off
_NAMELIKE = re.compile(r"(?<=[a-z,;)’'] )(?!I[’'])[A-Z][\w’'-]{2,}(?: [A-Z][\w’'-]+)*|\d[\d.,:]*")
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[^.!?…。]+[.!?…。]+[\"”’']?")
_SELF = re.compile(r"\b(?:i|i'm|i’m|i've|i’ve|my|me|mine|we|our|us)\b", re.IGNORECASE)
_LEAST_SPOKEN_OF = (
    8  # words from which an answer that begins with the own name is about oneself, not the name asked for
)


@dataclass(frozen=True)
class Manner:
    """How people are asked: all that an answer depends on besides the person, the questions and the model.

    ``apart`` asks each question by itself, with no memory of the others; tokens are counted as ``role.tokens`` does.
    """

    seed: int = 0
    temperature: float = 0.7
    apart: bool = False
    role_tokens: int = BUDGET
    history_tokens: int = 1200
    shown: int = 8
    answer_tokens: int = 320


@dataclass
class Conversation:
    """A talk with one person. ``turns`` are what was said so far."""

    record: Record
    model: LanguageModel
    manner: Manner = field(default_factory=Manner)
    taxonomy: Taxonomy | None = None
    turns: list[Turn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = _name(self.record)
        self.said = [*sayings(self.record, self.taxonomy), *_stories(self.record)]
        self.role = role(self.record, budget_tokens=self.manner.role_tokens, taxonomy=self.taxonomy)
        self._system = Message("system", say("interview/system", name=unmarked(self.name), person=quoted(self.role)))

    def bearing(self, question: str) -> list[Said]:
        """What of the person bears on a question, nearest first; one life story at the most."""
        found = bearing(self.said, question, most=self.manner.shown)
        if len(found) < _FEW:  # short questions are like nothing much
            found = bearing(self.said, question, most=_FEW, least=_PERHAPS)
        if len(found) < _FEW and self.turns and not self.manner.apart:
            before = f"{self.turns[-1].question} {question}"
            found += [s for s in bearing(self.said, before, most=self.manner.shown) if s not in found]
        stories = [s for s in found if s.path.startswith("stories.")]
        return [s for s in found if s not in stories[1:]][: self.manner.shown]

    async def ask(self, question: Question) -> Turn:
        """Put a question and keep the turn. A server that gives no answer leaves a turn with none.

        Raises:
            Stopped: the budget is spent, the user asked to stop, or the server is gone; no turn is kept.

        """
        shown = self.bearing(question.text)
        prompt = self._prompt(question.text, shown)
        answer, fault, taken = await self._answered(prompt)
        turn = Turn(
            len(self.turns) + 1, question.id, question.text, answer, fault, tuple(s.path for s in shown),
            tuple(_new(answer, "\n".join(m.text for m in prompt.messages))), len(taken),
            sum(c.usage.tokens_in for c in taken), sum(c.usage.tokens_out for c in taken),
        )  # fmt: skip
        self.turns.append(turn)
        return turn

    def _prompt(self, question: str, shown: Sequence[Said]) -> Prompt:
        recent, dropped = self._recent()
        bears = quoted("\n".join(f"- {s.sentence}" for s in shown)) if shown else ""
        before = _kept(dropped)
        asked = say(
            "interview/ask", name=unmarked(self.name), bears=bears, before=quoted(before) if before else "", question=quoted(question),
        )  # fmt: skip
        history = [m for t in recent for m in (Message("user", quoted(t.question)), Message("assistant", t.answer))]
        seed = self.manner.seed * 1000 + _TRIES * len(self.turns)
        return Prompt(
            (self._system, *history, Message("user", asked)),
            STAGE,
            self.manner.answer_tokens,
            self.manner.temperature,
            seed,
        )

    def _recent(self) -> tuple[list[Turn], list[Turn]]:
        """The last turns that fit the budget, and those that dropped off; answers at fault are not held up as examples."""
        sound = [] if self.manner.apart else [t for t in self.turns if not t.fault]
        left, first = self.manner.history_tokens, len(sound)
        while first and (left := left - tokens(sound[first - 1].question) - tokens(sound[first - 1].answer)) >= 0:
            first -= 1
        return sound[first:], sound[:first]

    async def _answered(self, prompt: Prompt) -> tuple[str, str, list[Completion]]:
        """(answer, what is wrong with it, the completions it took)."""
        current, answer, fault = prompt, "", ""
        taken: list[Completion] = []
        for attempt in range(_TRIES):
            try:
                completion = await self.model.complete(current)
            except (Unreachable, Malformed):
                return answer, fault or "the server gave no answer", taken
            taken.append(completion)
            said, fault = self._checked(completion)
            answer = said or answer
            if not fault:
                break
            last = prompt.messages[-1]
            asked = replace(last, text=f"{last.text}\n{say('interview/again', name=unmarked(self.name), reason=fault)}")
            current = replace(prompt, messages=(*prompt.messages[:-1], asked), seed=prompt.seed + attempt + 1)
        return answer, fault, taken

    def _checked(self, completion: Completion) -> tuple[str, str]:
        """The answer in a completion, and what is wrong with it."""
        said = _without_label(texts.clean(completion.text), self.name)
        if completion.finish == "length":
            said = "".join(_SENTENCE.findall(said)).strip() or said
        if completion.refusal or completion.finish == "content_filter":
            return said or completion.refusal, "a refusal"
        if fault := texts.fault(said, words=_ANSWER_WORDS):
            return said, fault
        if "<data" in said or "</data" in said:
            return said, "it repeats the marks"
        given, words = _WORD.findall(self.name.casefold())[:1], _WORD.findall(said.casefold())
        if len(words) >= _LEAST_SPOKEN_OF and words[:1] == given and not _SELF.search(said):
            return said, f"it speaks of {self.name}, not as {self.name}"
        return said, ""


def _name(record: Record) -> str:
    named = (str(t["value"]).strip() for t in record["traits"] if t["path"] == "demographics.name")
    return next(named, "") or str(record["id"])


def _stories(record: Record) -> list[Said]:
    """Life stories as something that may bear on a question."""
    return [
        Said(f"stories.{k}", f"At {s['age']}: {' '.join(str(s['text']).split())}", str(s["title"]), 3)
        for k, s in enumerate(record.get("stories") or ())
    ]


def _without_label(text: str, name: str) -> str:
    """The answer without the speaker's name before it: ``Ann Lee: I ...``."""
    first, sign, rest = text.partition(":")
    return (
        rest.strip()
        if sign and rest.strip() and first.strip("* ").casefold() in (name.casefold(), name.split()[0].casefold())
        else text
    )


def _new(answer: str, shown: str) -> list[str]:
    """Names and numbers of an answer that stand nowhere in what the model was shown, in their order.

    A sign of invention and no proof: capitals tell names apart in few languages, and what is made up of common words has none.
    """
    known = set(_WORD.findall(shown.casefold()))
    found = (match.strip(".,:’'") for match in _NAMELIKE.findall(answer))
    return list(dict.fromkeys(f for f in found if f and not set(_WORD.findall(f.casefold())) <= known))


def _kept(dropped: Sequence[Turn]) -> str:
    """What dropped turns made up, the latest first to stay: a person keeps to what they have said."""
    said = [
        s.strip() for t in dropped if t.new for s in _SENTENCE.findall(t.answer) if any(name in s for name in t.new)
    ]
    out: list[str] = []
    left = _KEPT_TOKENS
    for sentence in reversed(said):
        left -= tokens(sentence)
        if left < 0:
            break
        out.insert(0, sentence)
    return "\n".join(out)


def head_of(record: Record, model: str, manner: Manner, questions: Sequence[Question] | None = None) -> dict[str, Any]:
    """What stands at the head of a transcript: all that it depends on. ``questions`` is None where somebody asks as they go."""
    asked = None if questions is None else _digest([asdict(q) for q in questions])
    return {
        "kind": "interview", "synthetic": True, "note": SYNTHETIC, "person": record["id"], "name": _name(record),
        "record": _digest(record), "model": model, "engine": __version__, "prompts": prompts.fingerprint("interview"),
        **asdict(manner), "questions": asked,
    }  # fmt: skip


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def speaker(roles: Mapping[str, Spec]) -> Spec:
    """Who speaks for people: the ``actor`` where one is named, else the model named without a role. UsageError where none is."""
    found = roles.get("actor") or roles.get("writer")
    if found is None:
        raise UsageError(
            "an interview needs a model to speak: name one with --model openai:NAME, --model openai:NAME@http://host/v1 or "
            "--model local:FILE.gguf (scripted: shows how it goes, and talks nonsense)"
        )
    return found


@asynccontextmanager
async def speaking(spec: Spec, traffic: Traffic, folder: Path) -> AsyncIterator[Open]:
    """Open who speaks, as role ``actor``; every answer is kept in ``folder/run.sqlite`` as it comes and never paid for twice."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Journal(folder / "run.sqlite")) as journal:
        if (
            journal.note(f"shape of {spec.name}") is None
        ):  # talk is plain text: what else a server can do need not be found out
            journal.set_note(f"shape of {spec.name}", "plain")
        async with opened({"actor": spec}, journal, traffic) as models:
            yield models


@dataclass
class Interviewed:
    """One person's finished interview: where it is kept, its turns, and whether it was there before."""

    person: str
    file: Path
    turns: list[Turn]
    before: bool = False


async def interview(
    people: Iterable[Record], questions: Sequence[Question], models: Open, folder: Path, manner: Manner, *, at_once: int = 8,
    taxonomy: Taxonomy | None = None, readable: bool = False, done: Callable[[Interviewed], None] = lambda found: None,
) -> str:  # fmt: skip
    """Put the same questions to people, several at once; a transcript each in ``folder``, with Markdown where ``readable``.

    What was paid for comes from the journal and finished transcripts are left as they are, so that the same call after a
    ``kill -9`` ends with the same bytes. ``done`` is told of each interview as it ends.

    Returns:
        Why it was stopped before the end; "" when it was not.

    """
    model = models.models["actor"]
    waiting = iter(people)
    stopped: list[str] = []

    async def work() -> None:
        for record in waiting:
            if stopped:
                return
            try:
                done(await _one(record, questions, model, folder, manner, taxonomy, readable))
            except Stopped as reason:
                stopped.append(str(reason))

    with stopping_on_interrupt(models.stop):
        tasks = [asyncio.ensure_future(work()) for _ in range(max(at_once, 1))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return stopped[0] if stopped else ""


async def _one(
    record: Record, questions: Sequence[Question], model: LanguageModel, folder: Path, manner: Manner, taxonomy: Taxonomy | None,
    readable: bool,
) -> Interviewed:  # fmt: skip
    head = head_of(record, model.name, manner, questions)
    file = claim(folder, str(record["id"]), head)
    turns = finished(file, len(questions))
    before = turns is not None
    if turns is None:
        talk = Conversation(record, model, manner, taxonomy)
        for question in questions:
            await talk.ask(question)
        turns = talk.turns
        write_transcript(file, head, turns)
    if readable:
        save_readable(file, head, turns)
    return Interviewed(str(record["id"]), file, turns, before)


def save_readable(file: Path, head: Mapping[str, Any], turns: Sequence[Turn]) -> Path:
    """Write a transcript as Markdown beside it."""
    out = file.with_suffix(".md")
    write_whole(out, markdown(head, turns).encode())
    return out


def chosen(records: RunRecords, ids: Sequence[str], n: int | None) -> Iterator[Record]:
    """People of a run by id, in the order given, each once; or the first ``n``.

    Raises:
        UsageError: the run is empty, or nobody has such an id; the nearest are named.

    """
    if not len(records):
        raise UsageError("the run holds nobody to talk to; make people with deeppersona generate")
    if n is not None:
        return (records[k] for k in range(min(n, len(records))))
    places = dict.fromkeys(_place(records, who) for who in ids)
    return (records[k] for k in places)


def _place(records: RunRecords, who: str) -> int:
    """Where a person stands: by id, else by their place in the run."""
    place = records.find(who)
    if place is None and who.isascii() and who.isdigit() and int(who) < len(records):
        place = int(who)
    if place is None:
        ids = [records[k]["id"] for k in range(min(len(records), _LOOKED_AT))]
        hint = nearest(who, ids) or f"; ids run from {ids[0]} to {records[len(records) - 1]['id']}"
        raise UsageError(f"no person {who!r} among {len(records):,}{hint}")
    return place
