"""What a model wrote agrees with the facts it was given: name, pronoun, age, children, marriage, when things happened.

Predicates, no judgement: what they cannot tell is left to a judge. Texts of the grammar hold these by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deeppersona.population.validators._subject import Subject
from deeppersona.schema.report import Issue

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNT = re.compile(
    rf"\b(?:(?:her|his|has|have|with|of|raised|raising) )(?:her |his )?({'|'.join(_NUMBERS)}|\d+) (?:\w+ )?(?:children|kids)\b",
    re.I,
)
_CHILDLESS = re.compile(r"\b(?:childless|(?:has|have|had) no children|without children)\b", re.I)
_OWN_CHILD = re.compile(
    r"\b(?:her|his) (?:own |eldest |youngest |only |little |grown |two |three )*(?:son|daughter|child|children|sons|daughters)\b(?!-|[’']s? (?:school|class))",
    re.I,
)
_SPOUSE = re.compile(r"\b(?:her (?:husband)|his (?:wife))\b", re.I)
_NEVER_WED = re.compile(r"\b(?:never married|unmarried|is single|a bachelor)\b", re.I)
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]")
_WORD = re.compile(r"[A-Za-z]+")
_TELLING = 3  # pronouns of the wrong kind, and none of the right one


def faults(record: Mapping[str, Any], core: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a record's written texts: place (``narrative``, ``stories.0.text``) -> why.

    ``core`` holds ``name age sex children marital_status`` as the record's demographics give them.
    """
    found: dict[str, str] = {}
    texts = {"narrative": str(record["narrative"])}
    texts |= {f"stories.{k}.text": str(story["text"]) for k, story in enumerate(record["stories"])}
    given = str(core["name"]).split()[0]
    for place, text in texts.items():
        why = _of_text(_QUOTED.sub(" ", text), given, core, now=place == "narrative")
        if why:
            found[place] = why
    if given not in texts["narrative"]:
        found.setdefault("narrative", f"it does not name {given}")
    return found


def _of_text(text: str, given: str, core: Mapping[str, Any], *, now: bool) -> str:
    words = [w.lower() for w in _WORD.findall(text)]
    right, wrong = ("she", "he") if core["sex"] == "female" else ("he", "she")
    if words.count(wrong) >= _TELLING and not words.count(right):
        return f"{given} is {right}, not {wrong}"
    if not now:
        return ""
    age, children = int(core["age"]), int(core["children"])
    said = re.search(
        rf"\b{re.escape(given)}(?: [A-Z]\w+)?,? (?:is |aged )?(?:a |an )?(\d{{1,3}})(?:[- ]year[- ]old|,| and\b| years)",
        text,
    )
    if said and int(said[1]) != age:
        return f"{given} is {age}, not {said[1]}"
    if (count := _COUNT.search(text)) is not None:
        n = int(count[1]) if count[1].isdigit() else _NUMBERS.index(count[1].lower())
        if n > children or (n == 0 and children):
            return f"{given} has {children} children, not {count[1]}"
    if children and _CHILDLESS.search(text):
        return f"{given} has {children} children"
    if not children and (own := _OWN_CHILD.search(text)) is not None:
        return f"{given} has no children, but it says «{own[0]}»"
    if core["marital_status"] == "single" and (spouse := _SPOUSE.search(text)) is not None:
        return f"{given} is not married, but it says «{spouse[0]}»"
    if core["marital_status"] == "married" and _NEVER_WED.search(text):
        return f"{given} is married"
    return ""


def validate(subject: Subject) -> Iterable[Issue]:
    """The texts of people a model wrote on."""
    persona = subject.persona
    if persona.provenance.model is None:
        return
    core = {key: persona.get(f"demographics.{key}") for key in ("name", "age", "sex", "children", "marital_status")}
    record = {"narrative": persona.narrative, "stories": [{"text": s.text} for s in persona.stories]}
    kept = {m.path for m in persona.missing}  # what stands in there is the grammar's
    for place, why in faults(record, core).items():
        if place not in kept:
            yield subject.issue(place, "told as it is", why)
