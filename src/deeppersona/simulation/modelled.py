"""A language model answers: in the role of the person, as an average person of the country, or as nobody at all.

``block``: some ten questions a call, the answer an object held to the options. ``item``: one question a call; where the endpoint
tells log probabilities, the chances of all options are read off the first token and the answer is drawn from them with our
seed (Santurkar et al. 2023 read models' opinions so), else the answer is held to the options like a block's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import exp
from typing import Any, Literal

import numpy as np

from deeppersona.errors import Malformed, NotSupported, Stopped, Unreachable, UsageError
from deeppersona.facts.tables import shipped_facts
from deeppersona.models.ask import Form as Asked
from deeppersona.models.ask import ask
from deeppersona.models.journal import Journal
from deeppersona.models.port import Message, Prompt
from deeppersona.models.spec import Open, Spec, Traffic, opened
from deeppersona.prompts import fingerprint, say, unmarked
from deeppersona.runtime.executor import cores, helper
from deeppersona.runtime.seed import Dice, Floats, label_key
from deeppersona.schema.inventory import Inventory
from deeppersona.simulation.questions import INVALID, KEYS, MISSING, Question, blocks, kept_to, lines, questions, why
from deeppersona.simulation.respondent import NO_ANSWER, Answered, Form, Record
from deeppersona.simulation.role import role

ACTOR = "actor"
STAGE = "survey"
TOKENS = 350  # of a person in words
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOP = 20  # alternatives that servers tell at the most
_NEXT_UP = 32  # people who are ready to be asked before their turn comes
_ELSEWHERE_FROM = 200  # people from which a process that tells who they are is worth its start
_LEAST = 0.2  # share of the first token's chances that must fall on options for them to be read off it
_A_MARK, _FRAME = 8, 60  # tokens an answer and an object may take
_AROUND = " \t\n.):(*\"'`▁Ġ"  # what tokens have before and after a mark
Who = Literal["model", "cultural-prompt", "model-alone"]
WHO: tuple[Who, ...] = ("model", "cultural-prompt", "model-alone")


@dataclass(frozen=True)
class Manner:
    """How a model is asked. ``memory`` shows it its earlier answers of the same sitting; ``tokens`` are of the person told."""

    by: Literal["block", "item"] = "block"
    memory: bool = False
    temperature: float = 1.0
    tokens: int = TOKENS


@dataclass
class _Sheet:
    """What somebody answered to a form: codes, reasons where there are none, chances of options and what fell beside them."""

    codes: dict[str, int] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    chances: dict[str, Floats] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    """Questions that are put in one call: in words, and as the fields an answer is held to."""

    group: Sequence[Question]
    text: str
    form: Asked


class Modelled:
    """The respondent. It answers while a model is open: ``async with respondent.asking(spec, journal, traffic): ...``."""

    wordings = 2  # it reads the words of a form, so that other words may change what it says

    def __init__(
        self,
        inventory: Inventory,
        seed: int,
        spec: Spec,
        manner: Manner | None = None,
        who: Who = "model",
        *,
        helped: bool = False,
    ) -> None:
        self.inventory, self.seed, self.spec, self.manner = inventory, seed, spec, manner or Manner()
        self.name: str = who
        self._about = tuple(item.text for item in inventory.items)
        self._helped = helped  # by a process, which a script that is not guarded by its __name__ cannot have
        self._helper: ProcessPoolExecutor | None = None
        self._ready: Future[str] | None = None
        self._models: Open | None = None
        self._logprobs = False

    @property
    def settings(self) -> Mapping[str, Any]:
        """Who answers, how they are asked, and the fingerprint of what they are told."""
        manner = self.manner
        told = {"persona tokens": manner.tokens} if self.name == "model" else {}
        return {
            "respondent": self.name, "model": self.spec.name, "ask": manner.by, "memory": manner.memory,
            "temperature": manner.temperature, "prompts": fingerprint("survey"), **told,
        }  # fmt: skip

    @asynccontextmanager
    async def asking(self, journal: Journal, traffic: Traffic) -> AsyncIterator[Open]:
        """Keep the model open. What it is asked goes through the journal and the budget, as everywhere."""
        async with opened({ACTOR: self.spec}, journal, traffic) as models:
            self._models, self._alone = models, asyncio.Lock()
            try:
                if self.manner.by == "item":
                    self._logprobs = await self._tells_chances(models)
                yield models
            finally:
                self._models = None
                if self._helper is not None:
                    self._helper.shutdown()
                    self._helper = None

    async def _tells_chances(self, models: Open) -> bool:
        """Whether the endpoint tells log probabilities; found out once and noted."""
        note = f"logprobs of {self.spec.name}"
        known = models.journal.note(note)
        if known is None:
            prompt = Prompt((Message("user", "Say only A or B."),), "check", 2, 0.0, 1, top_logprobs=_TOP)
            try:
                known = bool((await models.models[ACTOR].complete(prompt)).top)
            except (Malformed, NotSupported):
                known = False
            models.journal.set_note(note, known)
        return bool(known)

    @property
    def at_once(self) -> int:
        """How many people are asked at once."""
        if self._models is None:
            return 1
        return max(self._models.steadies[0].gate.limit, 1)

    async def answer(self, people: Sequence[Record], form: Form) -> Answered:
        """Answers of people to a form."""
        return (await self.answer_all(people, (form,)))[0]

    async def answer_all(
        self, people: Sequence[Record], forms: Sequence[Form], each: Callable[[int], None] = lambda done: None
    ) -> list[Answered]:
        """Answers of people to several forms, one after the other for each: a server's cache then serves who they are.

        ``each`` is told how many people have answered all forms. Stopped where the budget, the user or the server ends it;
        what was answered by then is in the journal.
        """
        models = self._models
        if models is None:
            raise UsageError("no model is open: use the respondent within `async with respondent.asking(...)`")
        next_up, free = asyncio.Semaphore(self.at_once + _NEXT_UP), asyncio.Semaphore(self.at_once)
        asked = [self._calls(form) for form in forms]
        sheets: list[list[_Sheet]] = [[] for _ in people]
        done = 0

        async def one(p: int, record: Record) -> None:
            nonlocal done
            async with next_up:
                if models.stopping:
                    raise Stopped(models.stopping)
                system = await self._told(record)
                async with free:
                    for form, calls in zip(forms, asked, strict=True):
                        sheets[p].append(await self._sitting(models, system, str(record["id"]), form, calls))
            done += 1
            each(done)

        if (
            self._helped
            and self._helper is None
            and len(people) >= _ELSEWHERE_FROM
            and cores() > 1
            and self.name == "model"
        ):
            self._helper = helper()
            self._ready = self._helper.submit(_role, None, 0, ())
        tasks = [asyncio.create_task(one(p, record)) for p, record in enumerate(people)]
        try:
            await asyncio.gather(*tasks)
        except BaseException as error:
            models.stop(str(error) or type(error).__name__)  # those on their way still come in
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return [self._answered([of[f] for of in sheets]) for f in range(len(forms))]

    async def _told(self, record: Record) -> str:
        """Who is asked, in words; of many people from a process of its own.

        That takes milliseconds a person, in which no answer that arrives would be looked at.
        """
        if self._helper is not None and self._ready is not None and self._ready.done():
            ask = asyncio.get_running_loop().run_in_executor
            with suppress(BrokenProcessPool):  # killed, for want of memory maybe: then here
                person = await ask(self._helper, _role, record, self.manner.tokens, self._about)
                return say("survey/person", person=person)
        async with self._alone:  # which lets requests go out between one person and the next
            return self._system(record)

    def _system(self, record: Record) -> str:
        if self.name == "model":
            return say("survey/person", person=_role(record, self.manner.tokens, self._about))
        if self.name == "cultural-prompt":
            code = next((str(t["value"]) for t in record["traits"] if t["path"] == "demographics.country"), "")
            found = shipped_facts().countries.get(code)
            return say("survey/country", country=found.name if found else unmarked(code) or "their country")
        return say("survey/nobody")

    def _calls(self, form: Form) -> list[_Call]:
        """What a form asks, call by call: the same of everybody."""
        instruction = unmarked(self.inventory.instruction)
        return [
            _Call(
                group, say("survey/block", wording=form.wording, instruction=instruction, lines=lines(group)),
                Asked(tuple(q.field(KEYS[k]) for k, q in enumerate(group))),
            )
            for group in (blocks(questions(form), 1) if self.manner.by == "item" else blocks(questions(form)))
        ]  # fmt: skip

    async def _sitting(self, models: Open, system: str, who: str, form: Form, calls: Sequence[_Call]) -> _Sheet:
        """One person's answers to one form; with memory, each question after what was asked and answered before."""
        turns: tuple[Message, ...] = (Message("system", system),)
        sheet = _Sheet()
        for call in calls:
            asked, said = await self._asked(models, turns, call, who, form, sheet)
            if self.manner.memory and said:
                turns = (*turns, Message("user", asked), Message("assistant", said))
        order = [self.inventory.items[place].id for place in form.asked]
        for item in kept_to(self.inventory, sheet.codes, order):
            del sheet.codes[item]
            sheet.why[item] = INVALID
        return sheet

    async def _asked(
        self, models: Open, turns: tuple[Message, ...], call: _Call, who: str, form: Form, sheet: _Sheet
    ) -> tuple[str, str]:
        """Ask some questions and enter what was answered: (what was asked, what was said) as turns of a conversation."""
        group = call.group
        if self._logprobs and len(group) == 1 and group[0].kind == "one":
            found = await self._weighed(models, turns, group[0], who, form, sheet)
            if found is not None:
                return found
        room = _FRAME + sum(_A_MARK + 4 * q.most for q in group)
        prompt = Prompt((*turns, Message("user", call.text)), STAGE, room, self.manner.temperature,
                        self._seed(who, form, group), shape=models.shapes[ACTOR])  # fmt: skip
        answer = await ask(models.models[ACTOR], prompt, call.form)
        for k, question in enumerate(group):
            if KEYS[k] in answer.values:
                sheet.codes |= question.coded(answer.values[KEYS[k]])
            else:
                sheet.why |= dict.fromkeys(question.items, why(answer.missing[KEYS[k]]))
        return call.text, answer.said if answer.values else ""

    def _seed(self, who: str, form: Form, group: Sequence[Question]) -> int:
        items = ",".join(item for question in group for item in question.items)
        return int(label_key(f"survey/{self.seed}/{who}/{form.draw}/{items}") & np.uint64(0x7FFFFFFF))

    def _one(self, question: Question, form: Form) -> tuple[str, dict[str, int]]:
        """A question alone, to be answered by one token, and its codes by that token."""
        lettered = max(question.marks) > 9 or len(question.marks) > 9
        signs = [_LETTERS[k] if lettered else str(mark) for k, mark in enumerate(question.marks)]
        words = [f"{mark} ({word})" if lettered and question.numeric and word != str(mark) else word
                 for mark, word in zip(question.marks, question.words, strict=True)]  # fmt: skip
        text = say(
            "survey/item", wording=form.wording, instruction=unmarked(self.inventory.instruction), text=question.text,
            options="\n".join(f"{sign}. {word}" for sign, word in zip(signs, words, strict=True)),
            sign="letter" if lettered else "number",
        )  # fmt: skip
        return text, dict(zip(signs, question.codes, strict=True))

    async def _weighed(
        self, models: Open, turns: tuple[Message, ...], question: Question, who: str, form: Form, sheet: _Sheet
    ) -> tuple[str, str] | None:
        """Read the chances of a question's options off the first token and draw; None where they cannot be read.

        The temperature sharpens them here, so that a server that scales what it tells does not do so twice.
        """
        text, signs = self._one(question, form)
        if len(signs) > min(_TOP, len(_LETTERS)):
            return None
        prompt = Prompt((*turns, Message("user", text)), STAGE, 1, 1.0, 0, top_logprobs=_TOP)
        try:
            completion = await models.models[ACTOR].complete(prompt)
        except (Unreachable, Malformed, NotSupported):
            return None
        mass = dict.fromkeys(signs, 0.0)
        for token, logprob in completion.top.items():
            sign = token.strip(_AROUND).upper()
            if sign in mass:
                mass[sign] += exp(min(logprob, 0.0))
        whole = sum(mass.values())
        if whole < _LEAST:
            return None
        item = question.items[0]
        values = self.inventory.values(item)
        by_code = {signs[sign]: chance for sign, chance in mass.items()}
        chances = _sharpened(np.array([by_code[code] for code in values]) / whole, self.manner.temperature)
        dice = Dice(self.seed, np.zeros(1, dtype=np.int64), np.array([label_key(who)], dtype=np.uint64))
        u = float(dice.uniform(f"survey/{self.inventory.id}/{item}/{form.draw}")[0])
        k = min(int(np.searchsorted(np.cumsum(chances), u, side="right")), len(values) - 1)
        sheet.codes[item], sheet.chances[item], sheet.beside[item] = values[k], chances, max(1.0 - whole, 0.0)
        return text, next(sign for sign, code in signs.items() if code == values[k])

    def _answered(self, sheets: Sequence[_Sheet]) -> Answered:
        ids = [item.id for item in self.inventory.items]
        codes = np.array([[sheet.codes.get(i, NO_ANSWER) for i in ids] for sheet in sheets], dtype=np.int64)
        reasons = {(p, k): sheet.why.get(i, MISSING) for p, sheet in enumerate(sheets) for k, i in enumerate(ids)
                   if i not in sheet.codes}  # fmt: skip
        weighed = [i for i in ids if any(i in sheet.chances for sheet in sheets)]
        none = {i: np.full(len(self.inventory.values(i)), np.nan) for i in weighed}
        chances = {i: np.stack([sheet.chances.get(i, none[i]) for sheet in sheets]) for i in weighed}
        beside = {i: np.array([sheet.beside.get(i, np.nan) for sheet in sheets]) for i in weighed}
        return Answered(codes.reshape(len(sheets), len(ids)), (self.name,) * len(sheets), reasons, chances, beside)

    def weigh(self, record: Record, form: Form) -> Iterator[tuple[int, int]]:
        """About how many tokens each call takes that somebody's answers to a form need: (read, written); nothing is asked.

        Every question counts as a call of its own or of its block; what has to be asked again is not foreseen.
        """
        before = len(self._system(record)) // 4 + 8
        for call in self._calls(form):
            read = len(call.text) // 4 + 8
            written = 4 + sum(5 + 3 * (q.most if q.kind != "one" else 0) for q in call.group)
            yield before + read, written
            before += (read + written) * self.manner.memory


def _role(record: Record | None, tokens: int, about: Sequence[str]) -> str:
    """Who somebody is; of nobody, which has a process read all it needs, nothing."""
    return role(record or {"traits": ()}, budget_tokens=tokens, about=about)


def _sharpened(chances: Floats, temperature: float) -> Floats:
    """Chances at a temperature; at 0 all falls on the likeliest."""
    if temperature <= 0:
        return np.asarray(np.eye(len(chances))[int(np.argmax(chances))])
    found = (chances / chances.max()) ** (1.0 / temperature)
    return np.asarray(found / found.sum())
