"""Read a free text about a person with a model, and keep only what the text supports: the rest was never given.

Each reading comes with the words it stands on. They must stand in the text as copied, and the value must show in them;
otherwise it is left out, with a warning that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from deeppersona.corpus.shallow import GENDERED, MARRIED, Shallow, named_places
from deeppersona.models.ask import Answer, Fault, Field, Form, ask
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.models.port import LanguageModel, Message, Prompt, Shape
from deeppersona.prompts import quoted, say
from deeppersona.schema.report import Issue

CORE = ("age", "sex", "name", "country", "city", "occupation", "former_occupation", "education", "marital_status", "children", "religion",
        "language")  # fmt: skip
_ALIKE = 0.45  # cosine from which a value in other words still shows in its quotation
_MOST = 12
_WORDS = re.compile(r"[^\W_]+")
_NUMBERS = {w: n for n, w in enumerate(
    ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"])}  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_ITEM = {
    "type": "object", "additionalProperties": False, "required": ["value", "quote"],
    "properties": {"value": {"type": "string"}, "quote": {"type": "string"}},
}  # fmt: skip
_OTHER = {
    "type": "object", "additionalProperties": False, "required": ["topic", "value", "quote"],
    "properties": {"topic": {"type": "string"}, "value": {"type": "string"}, "quote": {"type": "string"}},
}  # fmt: skip
_SEX = {"woman": "female", "girl": "female", "f": "female", "man": "male", "boy": "male", "m": "male"}
_KIN = r"(?:grand)?(?:mother|father|wife|husband|daughter|son|sister|brother|girl|boy)s?"
_RELATIVE = re.compile(  # her husband makes nobody a man
    rf"\b(her|his|my|their)\s+(?:\w+\s+)?{_KIN}(?:[’']s?\s+{_KIN})*\b", re.I
)
_UNWED = re.compile(r"\b(?:never|not|isn[’']t)\s+(?:yet\s+|been\s+|got\s+)*married\b(?!\s+again)|\bunmarried\b", re.I)
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
)  # no blanks between words
_LEVELS = frozenset(["primary", "secondary", "tertiary", "college", "university"])


def _squeezed(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))


def _within(words: str, text: str) -> bool:
    """Whether these words stand in a text as words, not as parts of others."""
    part, whole = _squeezed(words), _squeezed(text)
    return bool(part) and (f" {part} " in f" {whole} " or (_UNSPACED.search(part) is not None and part in whole))


def numbers_in(text: str) -> set[int]:
    """The whole numbers a text says, in figures or words."""
    words = _WORDS.findall(text.casefold())
    found = {int(w) for w in words if w.isdecimal() and len(w) < 6}
    for before, one, two in zip(["", *words], words, [*words[1:], ""], strict=False):
        if one in _TENS:
            found.add(_TENS[one] + (_NUMBERS[two] if 0 < _NUMBERS.get(two, 0) < 10 else 0))
        elif one in _NUMBERS and not (before in _TENS and 0 < _NUMBERS[one] < 10):  # twenty-five is no five
            found.add(_NUMBERS[one])
    return found


def _shows(value: str, quote: str) -> bool:
    """Whether a value shows in the words it stands on: a word of it does, or it means nearly the same."""
    return _shows_in_words(value, quote) or _means(value, quote)


def _shows_in_words(value: str, quote: str) -> bool:
    said = _squeezed(quote).split()
    stems = [w[:5] if len(w) > 5 else w for w in _squeezed(value).split() if len(w) > 3]
    return any(word.startswith(stem) for stem in stems for word in said) or _within(value, quote)


def _means(value: str, quote: str) -> bool:
    embedder = default_embedder()
    return bool(_squeezed(value)) and float(cosine(embedder.embed([value]), embedder.embed([quote]))[0, 0]) >= _ALIKE


def _marital(value: str, quote: str) -> bool:
    """Whether a quotation says this state and no other: near in meaning is not enough, for married is near to divorced."""
    found = {state for state, pattern in MARRIED.items() if pattern.search(quote)}
    if _UNWED.search(quote):
        found = found - {"married"} | {"single"}
    if found and value.casefold() in MARRIED:  # who was married once may be widowed now
        return value.casefold() in found and (value.casefold() != "married" or len(found) == 1)
    return _shows_in_words(value, quote)


def supported(key: str, value: str, quote: str, text: str) -> str:
    """Why a reading has no support in the text; empty where it has."""
    if not _within(quote, text):
        return "the words it stands on are not in the text"
    if key in ("age", "children"):
        digits = re.findall(r"\d+", value)
        n = int(digits[0]) if digits and len(digits[0]) < 6 else _NUMBERS.get(value.strip().casefold())
        return "" if n is not None and n in numbers_in(quote) else "the text does not say that number"
    if key == "sex":
        pattern = GENDERED.get(value.strip().casefold())
        said = _RELATIVE.sub(r"\1", quote)
        return "" if pattern is not None and pattern.search(said) else "the text does not say so"
    if key == "marital_status":
        return "" if _marital(value.strip(), quote) else "the text does not say so"
    if key == "country":
        return "" if named_places(value) & named_places(quote) else "the text does not name that country"
    if key in ("name", "city"):
        return "" if _within(value, quote) else "the text does not name it"
    if key == "education" and _LEVELS & set(_squeezed(quote).split()):  # primary is near to secondary
        return "" if _shows_in_words(value, quote) else "the text says another level"
    return "" if _shows(value, quote) else "it does not show in the words it stands on"


def _checked(key: str, text: str, dropped: list[str]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value in (None, "", {}, []):
            return None
        if not isinstance(value, dict) or not isinstance(value.get("value"), (str, int)):
            raise Fault('{"value": ..., "quote": ...} or null was wanted')
        said, quote = str(value["value"]).strip(), str(value.get("quote") or "")
        if said.casefold() in ("", "null", "none", "unknown", "not said", "n/a"):
            return None
        if key == "sex":
            said = _SEX.get(said.casefold(), said.casefold())
        if why := supported(key, said, quote, text):
            dropped.append(f"{key} {said!r}: {why}")
            return None
        return said

    return check


def _listed(text: str, dropped: list[str], *, topic: bool) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is None:
            return []
        if not isinstance(value, list):
            raise Fault("a list was wanted")
        out = []
        for item in value[:_MOST]:
            if (
                not isinstance(item, dict)
                or not isinstance(item.get("value"), str)
                or (topic and not isinstance(item.get("topic"), str))
            ):
                continue
            if why := supported("other", item["value"], str(item.get("quote") or ""), text):
                dropped.append(f"{item.get('topic', 'interest')} {item['value']!r}: {why}")
            else:
                out.append(item)
        return out

    return check


def _form(text: str, dropped: list[str]) -> Form:
    nullable = {"anyOf": [_ITEM, {"type": "null"}]}
    fields = [
        Field(
            key,
            f"{key.replace('_', ' ')}: the value and the quotation, or null",
            nullable,
            _checked(key, text, dropped),
        )
        for key in CORE
    ]
    some = {"type": "array", "maxItems": _MOST, "items": _ITEM}
    other = {"type": "array", "maxItems": _MOST, "items": _OTHER}
    fields.append(
        Field("interests", "interests: each value with its quotation", some, _listed(text, dropped, topic=False))
    )
    fields.append(Field("other", "anything else said of the person: topic in two or three words, value, quotation", other,
                        _listed(text, dropped, topic=True)))  # fmt: skip
    return Form(tuple(fields))


async def read_given(model: LanguageModel, shape: Shape, shallow: Shallow) -> tuple[Shallow, list[Issue]]:
    """A shallow persona with what a model reads off its free text; warnings on what had no support there."""
    if not shallow.text:
        return shallow, []
    dropped: list[str] = []
    form = _form(shallow.text, dropped)
    question = say("reading/given", text=quoted(shallow.text), lines=form.lines)
    prompt = Prompt((Message("user", question),), "reading", 1200, 0.0, 1, shape=shape)
    answer = await ask(model, prompt, form, tries=2)
    warnings = [_warning(shallow, why) for why in dict.fromkeys(dropped)]
    if answer.missing and not answer.values:
        warnings.append(_warning(shallow, f"the model read nothing: {next(iter(answer.missing.values()))}"))
    return _with(shallow, answer), warnings


def _warning(shallow: Shallow, why: str) -> Issue:
    return Issue(
        path="persona",
        rule="not in the text",
        severity="warning",
        message=f"line {shallow.line}: not taken as given: {why}",
    )


def _with(shallow: Shallow, answer: Answer) -> Shallow:
    """What was recognised by rule stands first; what the model read fills in."""
    read = {key: answer.values[key] for key in CORE if answer.values.get(key) is not None}
    for key in ("age", "children"):
        if key in read:
            found = re.findall(r"\d+", read[key])
            read[key] = int(found[0]) if found else _NUMBERS[read[key].strip().casefold()]
    core = {**read, **shallow.core}
    interests = list(shallow.interests)
    known = " ".join(interests).casefold()
    interests += [i["value"] for i in answer.values.get("interests") or [] if i["value"].casefold() not in known]
    given = dict(shallow.given)
    for item in answer.values.get("other") or []:
        slug = re.sub(r"[^a-z0-9]+", "_", item["topic"].casefold()).strip("_")[:40]
        if slug and not slug[0].isdigit():
            given.setdefault(f"given.{slug}", item["value"])
    return replace(shallow, core=core, interests=tuple(interests), given=given)
