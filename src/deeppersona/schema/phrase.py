"""Sentences with pronouns and verbs that agree: ``"{They} {have} {value} for breakfast."``.

Tokens in braces: the pronouns ``they them their theirs themself`` (capitalised at the start of a sentence), ``value``
and ``label``, ``name``, and any verb in its base form (``have``, ``be``, ``do not``, ``go``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

Person = Literal["she", "he", "they", "you"]
PERSONS: Final[tuple[Person, ...]] = ("she", "he", "they", "you")

_PRONOUNS: Final[dict[str, tuple[str, str, str, str]]] = {
    "they": ("she", "he", "they", "you"),
    "them": ("her", "him", "them", "you"),
    "their": ("her", "his", "their", "your"),
    "theirs": ("hers", "his", "theirs", "yours"),
    "themself": ("herself", "himself", "themself", "yourself"),
    "themselves": ("herself", "himself", "themself", "yourself"),
}
_IRREGULAR: Final = {"be": "is", "are": "is", "have": "has", "do": "does", "go": "goes", "were": "was"}
_PLAIN: Final = {"be": "are"}
_UNCHANGED: Final = frozenset(
    {"can", "could", "will", "would", "may", "might", "must", "should", "ought", "had", "did"}
)
_TOKEN: Final = re.compile(r"\{([A-Za-z][A-Za-z' -]*)\}")
_SLOTS: Final = frozenset({"value", "label", "name"})
_BASE_FORM: Final = re.compile(r"^[a-z]+(?: not)?$")


def third_person(verb: str) -> str:
    """Return the third person singular of a base form: have -> has, try -> tries, do not -> does not."""
    head, _, rest = verb.partition(" ")
    if head in _UNCHANGED:
        form = head
    elif head in _IRREGULAR:
        form = _IRREGULAR[head]
    elif re.search(r"(s|sh|ch|x|z|o)$", head):
        form = head + "es"
    elif re.search(r"[^aeiou]y$", head):
        form = head[:-1] + "ies"
    else:
        form = head + "s"
    return f"{form} {rest}" if rest else form


def _word(token: str, person: Person) -> str:
    lower = token[0].lower() + token[1:]
    if lower in _PRONOUNS:
        word = _PRONOUNS[lower][PERSONS.index(person)]
    elif person in ("she", "he"):
        word = third_person(lower)
    else:
        word = _PLAIN.get(lower, "are not" if lower == "be not" else lower)
    return word[0].upper() + word[1:] if token[0].isupper() else word


@lru_cache(maxsize=200_000)
def conjugate(template: str, person: Person) -> str:
    """Return the template with pronouns and verbs set for a person; ``{value} {label} {name}`` are left standing."""

    def replace(match: re.Match[str]) -> str:
        return match[0] if match[1] in _SLOTS else _word(match[1], person)

    return _TOKEN.sub(replace, template)


def capitalise(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def join_words(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def say(template: str, person: Person, value: str = "", name: str = "") -> str:
    """Return one sentence: template, person, value (already in words)."""
    text = conjugate(template, person)
    return capitalise(text.replace("{value}", value).replace("{label}", value).replace("{name}", name))


def singular(text: str) -> str:
    """``about 1 hours`` -> ``about 1 hour``; ``1 people`` -> ``1 person``."""
    return _ONE.sub(lambda m: f"1 {_ONE_OF.get(m[1], m[1].removesuffix('s'))}", text)


_ONE_OF = {"people": "person", "children": "child", "things": "thing"}
_ONE = re.compile(
    r"(?<![\d.,])1 (hours|minutes|days|nights|weeks|months|years|times|things|people|children|homes|languages|rooms|meals|cups)\b"
)


def faults(template: str, *, needs_value: bool = True) -> list[str]:
    """Return what is wrong with a template in words; empty if it reads for every person and value."""
    found = []
    for token in _TOKEN.findall(template):
        lower = token[0].lower() + token[1:]
        if lower in _SLOTS or lower in _PRONOUNS:
            continue
        if not _BASE_FORM.match(lower):
            found.append(f"{{{token}}} is neither a pronoun, value nor a verb in its base form")
        elif lower in ("has", "is", "was", "does", "goes", "isn't", "himself", "herself"):
            found.append(f"{{{token}}} is already conjugated; write the base form")
    if template.count("{") != template.count("}") or "{" in _TOKEN.sub("", template):
        found.append("a brace is left open or holds something that is no word")
    if needs_value and "{value}" not in template and "{label}" not in template:
        found.append("the phrase never says {value}")
    if not template.rstrip().endswith((".", "?", "!", '."')):
        found.append("the phrase is not a whole sentence ending in a full stop")
    first = template.lstrip('"')[:1]
    if not (first.isupper() or template.startswith(("{value}", "{label}", "{name}", "{They}", "{Their}"))):
        found.append("the phrase begins with a small letter")
    if re.search(r"\b(he|she|his|him|himself|herself|hers)\b", _TOKEN.sub("", template), re.IGNORECASE):
        found.append("a pronoun is written out; use {they}, {them}, {their}")
    return found
