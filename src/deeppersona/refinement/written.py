"""The written form: a persona is a text that a model writes and rewrites, and a prediction is a call.

Statistics first here too: how somebody usually answers is counted and stands first, in the words of the structured form; what the
model writes is what figures do not say. A small model left to find the usual answer itself did not say it, and foretold the
lowest level of nearly everything.

Behind the same port as the structured form (``step.Step``), so that the same rounds keep the same chronology. What a model
is shown of a window it has to foretell are the items alone; names of items and texts of personas stand between marks, as data.
A call that fails loses nobody: the last persona stands, a missing prediction is the person's median so far, and both are counted.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from deeppersona.models.ask import Fault, Field, Form, ask, ask_text
from deeppersona.models.port import LanguageModel, Message, Prompt, Shape
from deeppersona.prompts import say, unmarked
from deeppersona.refinement.behaviour import Answer, Event, Scale, Window
from deeppersona.refinement.preference import Preferences, counted, error
from deeppersona.refinement.step import Context
from deeppersona.refinement.tree import sentences_within
from deeppersona.refinement.words import in_words, of_words

STAGE_ANSWERS, STAGE_PERSONA = "predict", "persona"  # calls are counted by these
PERSONA_WORDS = 200  # the most words of a persona
_ITEM_WORDS = 12  # of an item's name that are shown
_LEAST_WORDS = 15
_TOKENS_AN_ANSWER, _TOKENS_A_WORD = 9, 2
_TRIES = 2
_COUNTED = re.compile(r"\bUsually answers \S+, [a-z ]+ lower, [a-z ]+ higher; from \d+ answers?\.\s*")
_RECITED = re.compile(r"\bforetold\b|[<(]/?data>", re.IGNORECASE)  # words of our questions that no persona needs


class Writer:
    """A model that answers as a persona and writes personas; for one domain and one scale.

    ``failed`` counts what did not come, by reason; ``fallbacks`` the answers that were the person's median instead.
    """

    def __init__(
        self, model: LanguageModel, shape: Shape, domain: str, scale: Scale, words: int = PERSONA_WORDS, ratings: bool = True
    ) -> None:  # fmt: skip
        self.model, self.shape, self.scale, self.words = model, shape, scale, words
        levels = ", ".join(f"{level:g}" for level in scale.levels)
        self._about = {
            "about": domain.replace("_", " "),
            "levels": f"answers are {levels}, from least to most"
            if ratings
            else "each time one of several options is taken",
            "counted": ratings,
        }
        self._system = Message("system", say("refinement/system"))
        self._given: dict[tuple[int, str, tuple[str, ...]], list[Answer]] = {}
        self.failed: Counter[str] = Counter()
        self.fallbacks = 0

    async def answers(self, persona: str, asked: Sequence[Event], context: Context) -> list[Answer]:
        """Answer events as a persona: one call. Each is asked once, however often it is looked at."""
        key = _key(persona, asked, context)
        if key not in self._given:
            self._given[key] = await self._answered(persona, [e.asked() for e in asked], context.before)
        return self._given[key]

    def has_answered(self, persona: str, asked: Sequence[Event], context: Context) -> bool:
        """Whether these events were asked of this persona before."""
        return _key(persona, asked, context) in self._given

    async def _answered(self, persona: str, asked: Sequence[Event], before: Sequence[Window]) -> list[Answer]:
        form = Form(tuple(self._field(str(k), e) for k, e in enumerate(asked, 1)))
        question = say("refinement/predict", persona=unmarked(persona), lines=form.lines, **self._about)
        most = _TOKENS_AN_ANSWER * len(asked) + 24
        found = await ask(self.model, self._prompt(question, STAGE_ANSWERS, most), form, tries=_TRIES)
        for reason in found.missing.values():
            self.failed[f"predictions: {reason}"] += 1
        self.fallbacks += len(found.missing)
        out: list[Answer] = []
        for k, event in enumerate(asked, 1):
            if str(k) not in found.values:
                out.append(usual(event, before))
                continue
            place = found.values[str(k)]
            out.append(event.options[place] if event.kind == "choice" else self.scale.levels[place])
        return out

    def _field(self, key: str, event: Event) -> Field:
        """An answer: a level of the scale, or the number of an option; kept as its place."""
        choices = (
            [float(k + 1) for k in range(len(event.options))] if event.kind == "choice" else list(self.scale.levels)
        )
        plain = [int(level) if level.is_integer() else level for level in choices]

        def place(value: object) -> int:
            try:
                said = float(str(value))
            except ValueError:
                said = float("nan")
            if said not in choices:
                raise Fault(f"one of {', '.join(map(str, plain))}")
            return choices.index(said)

        return Field(key, _shown(event), {"type": "number", "enum": plain}, place)

    async def described(self, windows: Sequence[Window]) -> str:
        """What windows say of a person in words; "" where none came."""
        return await self._written("describe", done="\n".join(_did(e) for window in windows for e in window))

    async def refined(self, persona: str, window: Window, given: Sequence[Answer], direction: str) -> str:
        """The words of a persona rewritten from the discrepancy between what was foretold and what was done; "" where none came."""
        question = self.to_refine(persona, window, given)
        return await self._ask(
            say("refinement/refine", direction=say("refinement/direction", name=direction), **question)
        )

    def to_refine(self, persona: str, window: Window, given: Sequence[Answer]) -> dict[str, object]:
        """What a model that refines is shown, but for the direction."""
        compared = "\n".join(
            f"{_shown(e)}: foretold {_said(answer, e)}, was {_said(e.value, e)}"
            for e, answer in zip(window, given, strict=True)
        )
        return {
            "persona": unmarked(persona), "compared": compared, "discrepancy": _discrepancy(window, given),
            "low": self._low, "high": self.words, **self._about,
        }  # fmt: skip

    async def updated(self, persona: str, window: Window) -> str:
        """The words of a persona with what a window shows added; "" where none came."""
        return await self._written("update", persona=unmarked(persona), done="\n".join(map(_did, window)))

    async def merged(self, earlier: str, later: str) -> str:
        """One persona of two, counts added up; "" where none came."""
        text = await self._written("merge", earlier=unmarked(earlier), later=unmarked(later))
        heads = [of_words(found[0], self.scale) for found in map(_COUNTED.match, (earlier, later)) if found]
        if not text or len(heads) < 2:
            return text
        both = tuple(a + b for a, b in zip(heads[0].counts, heads[1].counts, strict=True))
        return f"{in_words(Preferences(both), self.scale)} {text}"

    def counted(self, windows: Sequence[Window], context: Context) -> str:
        """How somebody answers, by count, in a sentence of ours."""
        counts = context.start()
        for window in windows:
            counts = [a + b for a, b in zip(counts, counted(window, self.scale), strict=True)]
        return in_words(Preferences(tuple(counts)), self.scale)

    def persona(self, words: str, windows: Sequence[Window], context: Context) -> str:
        """A persona: how they usually answer in these windows, by count, then what the model wrote; "" where it wrote nothing."""
        return f"{self.counted(windows, context)} {words}" if words and self._about["counted"] else words

    @property
    def _low(self) -> int:
        return max(self.words // 4, _LEAST_WORDS)

    async def _written(self, prompt: str, **values: object) -> str:
        return await self._ask(say(f"refinement/{prompt}", low=self._low, high=self.words, **values, **self._about))

    async def _ask(self, question: str) -> str:
        prompt = self._prompt(question, STAGE_PERSONA, _TOKENS_A_WORD * self.words + 32)
        text, reason = await ask_text(self.model, prompt, _unfit, tries=_TRIES)
        if reason:
            self.failed[f"personas: {reason}"] += 1
            return ""
        return _within(_COUNTED.sub("", text), self.words)

    def _prompt(self, question: str, stage: str, max_tokens: int) -> Prompt:
        return Prompt((self._system, Message("user", question)), stage, max_tokens, 0.0, shape=self.shape)


class Written:
    """What every written step has in common: an answer is a call with the persona's text."""

    name = ""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def predict(self, persona: str, asked: Sequence[Event], context: Context) -> list[Answer]:
        """Answer the events of a window."""
        return await self.writer.answers(persona, asked, context)

    async def observe(self, context: Context) -> None:
        """Nothing is learnt from others."""

    def reflects(self, persona: str, context: Context) -> bool:
        """Only where it was asked already, as by the guard: it is a look back, and not worth a call."""
        return self.writer.has_answered(persona, context.window, context)

    async def described(self, windows: Sequence[Window], context: Context, otherwise: str | None) -> str:
        """The persona that windows show; where none came what was there stands, or at first a sentence by count."""
        text = await self.writer.described(windows) if any(windows) else ""
        return self.writer.persona(text, windows, context) or otherwise or self.writer.counted(windows, context)


def _key(persona: str, asked: Sequence[Event], context: Context) -> tuple[int, str, tuple[str, ...]]:
    return context.person, persona, tuple(_shown(e) for e in asked)


def usual(event: Event, before: Sequence[Window]) -> Answer:
    """What stands in for an answer that did not come: the person's median so far; of a choice the option taken most often."""
    own = [e.value for window in before for e in window]
    if event.kind == "choice":
        taken = Counter(value for value in own if value in event.options)
        return max(event.options, key=lambda option: taken[option])
    numbers = [float(value) for value in own if isinstance(value, (int, float))]
    return statistics.median(numbers) if numbers else 0.0


def off(given: Sequence[Answer], window: Window) -> float:
    """The mean error of answers to a window; 0 where it is empty."""
    return sum(map(error, given, window)) / len(window) if window else 0.0


def unanswered(context: Context) -> Context:
    """The context of a window that is only asked."""
    return replace(context, window=())


def _shown(event: Event) -> str:
    """An item as a model is shown it: so many words of its name, and the options of a choice by number."""
    name = unmarked(" ".join(event.item.split()[:_ITEM_WORDS]))
    options = "; ".join(f"{k} {unmarked(' '.join(o.split()[:_ITEM_WORDS]))}" for k, o in enumerate(event.options, 1))
    return f"{name} ({options})" if options else name


def _said(answer: Answer | None, event: Event) -> str:
    if isinstance(answer, str):
        return str(event.options.index(answer) + 1) if answer in event.options else unmarked(answer)
    return "" if answer is None else f"{answer:g}"


def _did(event: Event) -> str:
    return f"{_shown(event)}: {_said(event.value, event)}"


def _discrepancy(window: Window, given: Sequence[Answer]) -> str:
    """What the comparison comes to, in a sentence of ours."""
    right = sum(error(answer, e) == 0 for e, answer in zip(window, given, strict=True))
    gaps = [
        answer - e.value
        for e, answer in zip(window, given, strict=True)
        if isinstance(answer, (int, float)) and isinstance(e.value, (int, float))
    ]
    if not gaps:
        return f"{right} of {len(window)} were foretold."
    high, low = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    return f"{right} of {len(window)} were foretold, {high} too high, {low} too low; off by {off(given, window):.1f} on average."


def _unfit(text: str) -> str:
    if _RECITED.search(text):
        return "it recites what was shown"
    return "too short" if len(_COUNTED.sub("", text).split()) < _LEAST_WORDS // 2 else ""


def _within(text: str, words: int) -> str:
    """A text in one paragraph, of its first sentences as many as have so many words."""
    fits: Callable[[str], bool] = lambda said: len(said.split()) <= words  # noqa: E731 - it is passed on
    return " ".join(sentences_within(" ".join(text.split()), fits).split()[:words])
