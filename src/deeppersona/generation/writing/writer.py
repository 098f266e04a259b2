"""A person written in three append-only rounds of one conversation: values, attitude and stories; the particular; the portrait.

Each round is conditioned on the person so far, and begins with all that went before, so that a server's prefix cache
serves it. Many slots go into one call, keyed by numbers. What the priors fill is never asked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deeppersona.generation.engine import Draft
from deeppersona.generation.writing.brief import facts_of, turning_point
from deeppersona.generation.writing.manuscript import Manuscript
from deeppersona.models.ask import Field, Form, ask, ask_text, prose
from deeppersona.models.port import LanguageModel, Message, Prompt, Shape
from deeppersona.models.text import fault
from deeppersona.prompts import say, unmarked
from deeppersona.schema.phrase import conjugate
from deeppersona.schema.plan import Plan, Writing
from deeppersona.schema.taxonomy import Attribute

PORTRAIT = (160, 320)  # words
MOST_SLOTS = 24  # in one call
_FINISH = "finish: "
_LONG = 60  # words from which a text that came to nothing among others is asked for by itself
_THEM = {"she": "her", "he": "him", "they": "them", "you": "you"}
_OPENINGS = (
    "with an hour of the day and what is done in it", "with a thing {they} owns", "with a sum of money",
    "with a remark {they} often makes", "in the middle of the work", "with something given up and what it cost",
    "with a room and who is in it", "with what others say behind {their} back", "with a habit and its reason",
    "with the person {they} lives with or misses", "with something that went wrong", "with a journey {they} makes often",
    "with what {they} cannot stand", "with a meal", "with something {they} is proud of, said without praise",
    "with a debt, a grudge or a fear",
)  # fmt: skip


def seed_of(plan: Plan, draft: Draft, stage: str) -> int:
    """The sampling seed of a person's call: by plan and slot, never by order."""
    text = f"{plan.seed}/{draft.record['id']}/{stage}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFFFFFF


@dataclass(frozen=True)
class Slots:
    """Fields of one call and the places they are for, by key."""

    form: Form
    places: dict[str, str]
    longest: int  # words of the longest answer wanted

    @property
    def max_tokens(self) -> int:
        """Room for the longest answer, with some to spare."""
        return 2 * self.longest + 16 * len(self.form) + 60


def slots_of(asks: Mapping[str, tuple[str, int, int]], first: int, sentence: Callable[[str], bool]) -> Slots:
    """Number what is asked from ``first`` on."""
    fields: list[Field] = []
    places: dict[str, str] = {}
    for key, (place, (line, low, high)) in enumerate(asks.items(), start=first):
        places[str(key)] = place
        begins = re.split(r"\.\.\.|___", line.removeprefix(_FINISH))[0] if line.startswith(_FINISH) else ""
        fields.append(prose(str(key), unmarked(line), low, high, sentence=sentence(place), begins=begins))
    return Slots(Form(tuple(fields)), places, sum(high for _, _, high in asks.values()))


def _is_sentence(place: str) -> bool:
    return place in ("values", "attitude") or (place.startswith("stories.") and place.endswith(".text"))


class Writer:
    """Writes people of a plan with a model."""

    def __init__(self, plan: Plan, writing: Writing, model: LanguageModel, shape: Shape) -> None:
        self.plan, self.writing, self.model, self.shape = plan, writing, model, shape
        self.system = Message("system", say("writing/system"))

    async def write(self, draft: Draft, worn: Sequence[str] = ()) -> Manuscript:
        """Write one person; ``worn`` are phrasings used too often in the run so far."""
        script = Manuscript(draft)
        first = self._first(draft)
        slots = slots_of(first, 1, _is_sentence)
        opening = say(
            "writing/first",
            name=draft.person.name.given,
            facts=facts_of(draft),
            worn=list(worn),
            lines=slots.form.lines,
        )
        await self._round(
            script, "stories", first, slots, Prompt((self.system, Message("user", opening)), "stories", 0)
        )
        more = list(self._more(draft).items())
        number = len(first) + 1
        for start in range(0, len(more), MOST_SLOTS):
            some = dict(more[start : start + MOST_SLOTS])
            slots = slots_of(some, number, _is_sentence)
            number += len(some)
            await self._round(
                script, "particulars", some, slots, self._next(script, say("writing/more", lines=slots.form.lines))
            )
        await self._portrait(script, worn)
        return script

    def _next(self, script: Manuscript, question: str) -> Prompt:
        """The next turn of a person's conversation."""
        assert script.talk is not None  # noqa: S101 - the first round began it
        talk = script.talk
        return Prompt((*talk.messages, Message("user", question)), talk.stage, talk.max_tokens)

    async def _round(
        self, script: Manuscript, stage: str, asks: Mapping[str, tuple[str, int, int]], slots: Slots, prompt: Prompt
    ) -> None:
        """Ask for some slots at once and keep what came."""
        script.asks.update(asks)
        prompt = Prompt(
            prompt.messages, stage, slots.max_tokens, self.writing.temperature,
            seed_of(self.plan, script.draft, f"{stage} {next(iter(slots.places))}"), shape=self.shape,
        )  # fmt: skip
        answer = await ask(self.model, prompt, slots.form)
        script.keep(slots.places, answer.values, answer.missing)
        script.talk = Prompt((*prompt.messages, Message("assistant", answer.said)), stage, 0)
        for place in [p for p in slots.places.values() if p in script.missing and asks[p][1] >= _LONG]:
            await self._alone(script, stage, place, asks[place])

    async def _alone(self, script: Manuscript, stage: str, place: str, asked: tuple[str, int, int]) -> None:
        """Ask for one long text by itself, as plain text: what a weak model cannot do among others it often can alone."""
        line, low, high = asked
        assert script.talk is not None  # noqa: S101 - the round it failed in
        question = say("writing/alone", line=unmarked(line), low=low, high=high)
        messages = (self.system, script.talk.messages[1], Message("assistant", "Yes."), Message("user", question))
        seed = seed_of(self.plan, script.draft, f"alone {place}")
        prompt = Prompt(messages, stage, 2 * high + 60, self.writing.temperature, seed)
        text, reason = await ask_text(
            self.model, prompt, lambda text: fault(text, words=(low, high), sentence=True), tries=2
        )
        script.keep({"": place}, {"": text} if text else {}, {"": reason})
        if text:  # what follows is to know it
            turns = (*script.talk.messages, Message("user", question), Message("assistant", text))
            script.talk = Prompt(turns, stage, 0)

    def _first(self, draft: Draft) -> dict[str, tuple[str, int, int]]:
        """What the first round asks, by place."""
        them = _THEM[draft.person.pronoun]
        name = draft.person.name.given
        asks = {
            "values": (f"what matters most to {name}. Say what {name} does because of it, name no virtue.", 15, 40),
            "attitude": (f"how {name} looks at life, as somebody close to {them} would put it.", 15, 40),
        }
        for k, told in enumerate(draft.told):
            asks[f"stories.{k}.text"] = (
                f"the story of a turning point: {turning_point(draft, told)} Tell it as a scene in the past tense: where it "
                f"was, who else was there, what {name} had to choose, what came of it.", 80, 150,
            )  # fmt: skip
            asks[f"stories.{k}.title"] = ("a title for that story.", 2, 8)
            asks[f"stories.{k}.interest"] = (f"what {name} has liked to do or to follow ever since.", 2, 9)
        return asks

    def _more(self, draft: Draft) -> dict[str, tuple[str, int, int]]:
        """What the second round asks: attributes without options, and colour for drawn values where the plan asks."""
        pronoun, name = draft.person.pronoun, draft.person.name.given
        asks = {f"text:{a.path}": (_gap(a, draft), 2, 16) for a in draft.texts}
        for k in draft.sayable.order[: self.writing.colour]:
            sentence = draft.sayable.say(k, pronoun).replace("{name}", name)
            asks[f"colour:{draft.sayable.attributes[k].path}"] = (
                f"As one would see it, nothing changed: {sentence}",
                5,
                24,
            )
        return asks

    async def _portrait(self, script: Manuscript, worn: Sequence[str]) -> None:
        """The last round: the portrait, as plain text."""
        person = script.draft.person
        seed = seed_of(self.plan, script.draft, "portrait")
        opening = conjugate(_OPENINGS[seed % len(_OPENINGS)], person.pronoun)
        low, high = PORTRAIT
        question = say(
            "writing/portrait",
            name=unmarked(person.name.whole),
            them=_THEM[person.pronoun],
            opening=opening,
            low=low,
            high=high,
            worn=list(worn),
        )
        talk = self._next(script, question)
        prompt = Prompt(talk.messages, "portrait", 2 * high + 60, self.writing.temperature, seed)
        text, reason = await ask_text(self.model, prompt, portrait_check(person.name.given))
        if text:
            script.texts["portrait"] = text
            script.missing.pop("portrait", None)
        else:
            script.missing["portrait"] = reason
        script.talk = Prompt(
            (*prompt.messages, Message("assistant", text or script.draft.record["narrative"])), "portrait", 0
        )

    async def redo(self, script: Manuscript, issues: Mapping[str, str], attempt: int) -> None:
        """Write anew only what is at fault, with the reasons given: place -> issue."""
        asks = {place: script.asks[place] for place in issues if place in script.asks}
        if asks:
            first = 1 + len(script.asks) + 100 * attempt
            slots = slots_of(asks, first, _is_sentence)
            listed = [f"{place}: {issue}" for place, issue in ((_words_of(p, script), issues[p]) for p in asks)]
            question = say("writing/again", issues=listed, lines=slots.form.lines)
            await self._round(script, "revision", asks, slots, self._next(script, question))
        if "portrait" in issues:
            low, high = PORTRAIT
            question = say("writing/portrait_again", issues=[issues["portrait"]], low=low, high=high)
            talk = self._next(script, question)
            seed = seed_of(self.plan, script.draft, f"portrait again {attempt}")
            prompt = Prompt(talk.messages, "revision", 2 * high + 60, self.writing.temperature, seed)
            text, reason = await ask_text(self.model, prompt, portrait_check(script.draft.person.name.given))
            if text:
                script.texts["portrait"] = text
            else:
                script.strike("portrait", reason)


def _words_of(place: str, script: Manuscript) -> str:
    """A place, as the model can recognise it: the beginning of what stands there."""
    return f"«{' '.join(script.texts.get(place, place).split()[:12])}»"


def portrait_check(name: str) -> Callable[[str], str]:
    """What is wrong with a portrait: its length, its ending, or that it does not say whose it is."""

    def check(text: str) -> str:
        return fault(text, words=PORTRAIT, sentence=True) or ("" if name in text else f"it does not name {name}")

    return check


def _gap(attribute: Attribute, draft: Draft) -> str:
    """A text attribute as a sentence to be finished."""
    said = conjugate(attribute.phrase, draft.person.pronoun).replace("{name}", draft.person.name.given)
    ends = said.rstrip(". ").endswith("{value}")
    return f"{_FINISH}{said.rstrip('. ').replace('{value}', '...' if ends else '___')}"
