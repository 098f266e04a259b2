"""Does a profile agree with the traits it tells? Predicates on one text and a few facts; ``rules.py`` lists them with the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from deeppersona.generation.person import number_word, ordinal
from deeppersona.population.students.predicates import THEMES

SHORTEST, LONGEST = 110, 235  # words
# Pronouns behind anything that is no letter: searched for in a text with a space before it, which is faster than a boundary.
_SPOKEN = {"female": re.compile(r"\W(?:she|hers?|herself)\b"), "male": re.compile(r"\W(?:he|him|his|himself)\b")}
_GRADES = {**{ordinal(n): n for n in range(1, 11)}, "eleventh": 11, "twelfth": 12}
_GRADE, _OLD = re.compile(r"grade (\d+)"), re.compile(r"([\w-]+) years old")
_YEARS = {number_word(n): n for n in range(4, 23)} | {str(n): n for n in range(4, 23)}
_QUOTED = re.compile(r"(?<!\w)'[^'\n]+(?:'\w[^'\n]*)*'(?!\w)")
_SENTENCE, _ELDERS = re.compile(r"[.\n]"), re.compile(r"\b(?:mother|father|parents?)\b")
_CLINICAL_STEMS = (
    "depress", "adhd", "autis", "bipolar", "disorder", "diagnos", "patholog", "suicid", "ocd ", "self-harm", "traumati", "syndrome",
    "abnormal", "neurotic", "psychopath", "mentally ill", "anxiety", "at risk", "maladjust", "retard",
)  # fmt: skip
_OTHERS = ("student.social.best_friend", "student.school.teacher", "student.school.name", "demographics.city")
_SLIPS = (
    "  ",
    "{",
    "}",
    "<",
    ">",
    " ,",
    " .",
    " ;",
    " :",
    "..",
    ",,",
    ";;",
    ",.",
    "()",
    "None",
    *(f" {w} {w} " for w in ["the", "a", "an", "and", "of", "to", "in", "is", "at", "with", "for", "on"]),
)
_ARTICLE = re.compile(r" (an?) (\w+)")
_ARTICLE_FIRST = re.compile(r"\W(An?) (\w+)")
_SOUNDS_OTHERWISE = (
    "uni",
    "use",
    "usu",
    "one",
    "once",
    "eu",
    "hour",
    "honest",
    "heir",
    "x-ray",
)  # the article goes by sound


@dataclass(frozen=True)
class Told:
    """A text and what it must agree with: parts of the name, sex in words, age, grade, subjects as sentences call them."""

    text: str
    names: tuple[str, ...]
    whole: str
    sex: str
    age: int
    grade: int
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    others: tuple[str, ...] = ()  # names of friend, teacher, school, town and siblings, which may be any word
    prompt: str = ""

    @cached_property
    def low(self) -> str:
        """The text in small letters."""
        return self.text.lower()


def unnamed(told: Told) -> bool:
    """The text does not say the name, or the prompt not the whole of it."""
    return not any(part and part in told.text for part in told.names) or bool(
        told.prompt and told.whole not in told.prompt
    )


def mispronounced(told: Told) -> bool:
    """A pronoun of the other sex stands outside quotation, or none of the right one anywhere."""
    if told.sex not in _SPOKEN or not _SPOKEN[told.sex].search(f" {told.low}"):
        return True
    wrong = _SPOKEN["male" if told.sex == "female" else "female"]
    if not wrong.search(f" {told.low}"):
        return False
    return wrong.search(f" {_QUOTED.sub(' ', _without_names(told))}".lower()) is not None


def _without_names(told: Told) -> str:
    """The text with every name in it taken out: He and Her are surnames, An is a given name, Giengen an der Brenz a town."""
    names = sorted({n for n in (*told.others, told.whole, *told.names) if n}, key=len, reverse=True)
    return (
        re.sub("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), "Name", told.text)
        if names
        else told.text
    )


def misaged(told: Told) -> bool:
    """The age is not said, or another one is."""
    if told.age < 0 or not _age_said(told.age).search(told.low):
        return True
    said = _OLD.findall(told.low) if " years old" in told.low else []
    return any(_YEARS.get(age) != told.age for age in said)


@lru_cache(maxsize=256)
def _age_said(age: int) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{age}|{number_word(age)})\b")


def misgraded(told: Told) -> bool:
    """The grade is not said, or another one is."""
    said = [int(n) for n in _GRADE.findall(told.low)]
    before = [part.rpartition(" ")[2] for part in told.low.split(" grade")[:-1]]
    said += [_GRADES[word] for word in before if word in _GRADES]
    return not said or any(grade != told.grade for grade in said)


def other_subjects(told: Told) -> bool:
    """A strong or a weak subject is not named."""
    return not all(subject in told.low for subject in (*told.strong, *told.weak))


def clinical(told: Told) -> bool:
    """A word of diagnosis stands in the text."""
    return bool(clinical_words(told))


def clinical_words(told: Told) -> list[str]:
    """The words of diagnosis that stand in the text."""
    touched = tuple(stem for stem in _CLINICAL_STEMS if stem in told.low)
    found = (re.search(rf"\b{stem}\w*", told.low) for stem in touched)  # Bautista is a name
    return [match[0] for match in found if match]


def unfitting(told: Told) -> bool:
    """A theme of older people, in a sentence that is not about the parents."""
    touched = [w for age, words in THEMES.values() if told.age < age for w in words if w in told.low]
    if not touched:
        return False
    theirs = re.compile(rf"\b(?:{'|'.join(touched)})\b")  # Abeer and de Beer are names
    return any(theirs.search(s) and not _ELDERS.search(s) for s in _SENTENCE.split(_without_names(told).lower()))


def out_of_length(told: Told) -> bool:
    """Fewer words than a profile needs, or more than it bears."""
    return not SHORTEST <= told.text.count(" ") + told.text.count("\n\n") + 1 <= LONGEST


def slipped(told: Told) -> bool:
    """Double spaces, braces, ``a`` before a vowel, a small word twice."""
    return bool(slip_of(told))


def slip_of(told: Told) -> str:
    """The first slip of the text as it stands there; empty where there is none."""
    return _slip(told.text) and _slip(_without_names(told))


def _slip(text: str) -> str:
    for slip in _SLIPS:
        if slip in text:
            return slip
    found = _ARTICLE.findall(text)
    if "A " in text or "An " in text:
        found += _ARTICLE_FIRST.findall(f" {text}")
    return next((f"{a} {w}" for a, w in found if w[0].islower() and _misfits(a, w)), "")


def _misfits(article: str, word: str) -> bool:
    """Whether ``a`` or ``an`` is the wrong one before a word."""
    vowel = word[0] in "aeiou"
    if word.startswith(_SOUNDS_OTHERWISE):
        vowel = not vowel
    return vowel != (article.lower() == "an")


def told_of(records: Iterable[Mapping[str, Any]], say: Mapping[str, str]) -> Iterator[Told]:
    """What the texts of finished records must agree with, read from their traits; ``say`` is subject -> its words."""
    for record in records:
        row = {t["path"]: t["value"] for t in record["traits"]}
        whole = str(row.get("demographics.name", ""))
        strong, weak = (tuple(say.get(s, s) for s in row.get(f"student.academic.{k}", ())) for k in ("strong", "weak"))
        yield Told(
            str(record["narrative"]), tuple(p for p in whole.split() if len(p) > 1) or (whole,), whole,
            str(row.get("demographics.sex")), _int(row.get("demographics.age")), _int(row.get("student.grade")),
            strong, weak, tuple(_other_names(row)), str(record["system_prompt"]),
        )  # fmt: skip


def _other_names(row: Mapping[str, Any]) -> Iterator[str]:
    """The names of a record besides the pupil's own: whole, and the friend's in its parts."""
    yield from (str(row[path]) for path in _OTHERS if path in row)
    yield from str(row.get(_OTHERS[0], "")).split()
    yield from (str(line).split(",")[0] for line in row.get("student.home.siblings", ()))


def _int(value: object) -> int:
    return value if isinstance(value, int) else -1
