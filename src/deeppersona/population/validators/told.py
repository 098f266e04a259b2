"""What a model wrote agrees with the facts it was given: name, pronoun, age, children, marriage, when things happened.

Predicates, no judgement. A fault is found only where a sentence can be about nobody else: other people have husbands,
ages and children too, so where one of them was named before, the sentence is left to a judge. Texts of the grammar
hold these by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deeppersona.generation.person import number_word
from deeppersona.generation.stories import THIS_YEAR
from deeppersona.population.validators._subject import Subject
from deeppersona.schema.report import Issue

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_AGES = {number_word(n): n for n in range(13, 100)}
_HOW_MANY = rf"(?P<n>{'|'.join(_NUMBERS)}|\d{{1,2}})"
_KIND = r"(?:(?:small|little|young|younger|older|grown|growing|living|adult|own|of (?:her|his) own) )?"
_YEARS = r"(?P<n>\b\d{1,3}|\b[a-z]+(?:-[a-z]+)?)"
_AGE = rf"{_YEARS}(?:[- ]years?[- ]old\b|[,;.]| and\b(?! a half)|$)"
_AGE_HINT = re.compile(
    r"\d|year|-(?:one|two|three|four|five|six|seven|eight|nine)\b|\b(?:twen|thir|for|fif|six|seven|eigh|nine)(?:ty|teen)\b",
    re.I,
)
_NAMED_AGE = re.compile(rf"\b(?P<who>[^\W\d_]+(?: [^\W\d_]+)*?),? (?:is |aged )?(?:now )?(?:an? )?{_AGE}")
_BORN = re.compile(r"\b(?P<who>[^\W\d_]+) was born\b[^.;]{0,60}?\b(?P<year>(?:18|19|20)\d\d)\b")
_THIS_YEAR = rf"\bturn(?:s|ed) {_YEARS} this year\b"
_LEFT = r"(?! (?:at|in|with|left|living|under|who|to)\b)"  # no children *left at home*
_PARENT_OF = re.compile(r"(?:mother|father|parent) (?:of|to) ")
_TAUGHT = r"(?! (?:in (?:her|his|the) |to (?:teach|mind|look)|who\b))"  # thirty children *in the class*
_COUNTS = (  # {own} is her or his
    rf"\b(?:has|have|had|raised|raises|is raising|bore|brought up) {_HOW_MANY} {_KIND}(?:children|kids)\b{_TAUGHT}",
    rf"\b(?:mother|father|parent) (?:of|to) {_HOW_MANY}\b(?=[.,;]| (?:and|who|with|in|at|{_KIND}(?:children|kids))\b)",
    rf"\b(?:married|lives|living) with (?:{{own}} (?:husband|wife) and )?(?:{{own}} )?{_HOW_MANY} {_KIND}(?:children|kids)\b",
    rf"\b{{own}} {_HOW_MANY} {_KIND}(?:children|kids)\b",
)
_CHILDLESS = (
    rf"\b(?:has|have|had|bore) no (?:children|kids)\b{_LEFT}|\bchildless(?=[.,;]| and\b)"
    r"|\bwithout children(?: of {own} own)?(?=[.,;])"
)
_CHILD = (
    r"(?<!like )(?<!as )\b{own} (?:own |eldest |oldest |youngest |only |little |grown |two |three )*(?:son|daughter|child|children|sons"
    r"|daughters)\b(?!-|[’']s? (?:school|class)| (?:at|in|from) (?:the )?(?:school|nursery|class|church|choir|ward))"
)
_WED_HINT = re.compile("married|bachelor|single", re.I)
_NEVER_WED = r"\b(?:has )?never (?:been )?married\b(?! (?:her|him|again|the|a)\b)|\bis a bachelor\b(?![’'])"
_SINGLE = r"\bis (?:single|unmarried)\b"
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]")
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?:;](?:\s+|$)|\n+")
_TELLING = 3  # pronouns of the wrong kind, and none of the right one
_SUBJECTS = {"female": "she", "male": "he"}
_FORMS = {"female": frozenset(["she", "her", "hers", "herself"]), "male": frozenset(["he", "him", "his", "himself"])}
_OF_A_SEX = {
    "female": "mother grandmother sister aunt niece daughter wife woman women girl lady landlady widow mum nun",
    "male": "father grandfather brother uncle nephew son husband man men boy landlord widower dad priest imam",
}  # fmt: skip
_OF_BOTH = (
    "parents cousin neighbour neighbor friend colleague boss teacher couple family families people client customer patient pupil "
    "student partner stranger lodger tenant someone somebody everyone everybody nobody who whose"
)
# Words a sentence can begin with that are nobody's name; those in -ing and -ly besides.
_OPENERS = """
a after all also although an and another as at because before behind below besides between both but by downstairs during
each even every for from he her here his how if in it its just later like many mornings most much near neither never no
nobody none not nothing now of often on once one only or other out over she since so some sometimes still that the their
then there these they this those though three through to today two under until upstairs was what when where while who
with without yet
"""
_BEFORE_PLACES = "in at of from to near on by outside around until since last next every"
_NO_NAMES, _PLACES = frozenset(_OPENERS.split()), frozenset(_BEFORE_PLACES.split())
_PEOPLE = {sex: frozenset((words + " " + _OF_BOTH).split()) for sex, words in _OF_A_SEX.items()}


@dataclass(frozen=True)
class _Who:
    """The person a text is about, as the record's demographics give them; None and "" where that cannot be read."""

    name: str
    sex: str
    age: int | None
    children: int | None
    marital: str

    @property
    def names(self) -> list[str]:
        """The parts of the name: which of them is the given name, a record does not say."""
        return [part for part in self.name.split() if len(part) > 1] or [self.name]

    @property
    def called(self) -> str:
        """A pattern of any of them."""
        return f"(?:{'|'.join(re.escape(part) for part in self.names)})"


def faults(record: Mapping[str, Any], core: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a record's written texts: place (``narrative``, ``stories.0.text``) -> why.

    ``core`` holds ``name age sex children marital_status`` as the record's demographics give them.
    """
    who = _who(core)
    found: dict[str, str] = {}
    for k, story in enumerate(record["stories"]):
        if why := _of_story(_QUOTED.sub(" ", str(story["text"])), who):
            found[f"stories.{k}.text"] = why
    portrait = str(record["narrative"])
    if why := _of_portrait(_QUOTED.sub(" ", portrait), who):
        found["narrative"] = why
    elif not any(part in portrait for part in who.names):
        found["narrative"] = f"it does not name {who.name}"
    return found


def _who(core: Mapping[str, Any]) -> _Who:
    """What was given stays as it was written (``F``, ``two``): only what can be read is held against a text."""
    sex = {"f": "female", "w": "female", "m": "male"}.get(str(core["sex"]).strip().casefold()[:1], "")
    age, children = (int(str(core[key])) if str(core[key]).isdecimal() else None for key in ("age", "children"))
    return _Who(str(core["name"]), sex, age, children, str(core["marital_status"]).strip().casefold())


def _of_story(text: str, who: _Who) -> str:
    """A story may be about others most of the time: only the wrong pronoun alone, with nobody there to bear it."""
    if not who.sex:
        return ""
    words = [w.lower() for w in _WORD.findall(text)]
    other = _other_sex(who.sex)
    if words.count(_SUBJECTS[other]) < _TELLING or _FORMS[who.sex] & set(words):
        return ""
    return "" if _others(text, who, [other]) else f"{who.name} is {_SUBJECTS[who.sex]}, not {_SUBJECTS[other]}"


def _of_portrait(text: str, who: _Who) -> str:
    if not who.sex:
        return ""
    words = [w.lower() for w in _WORD.findall(text)]
    right, wrong = _SUBJECTS[who.sex], _SUBJECTS[_other_sex(who.sex)]
    if words.count(wrong) >= _TELLING and not words.count(right):
        return f"{who.name} is {right}, not {wrong}"
    return _of_age(text, who) or _of_children(text, who) or _of_marriage(text, who)


def _of_age(text: str, who: _Who) -> str:
    if who.age is None:
        return ""
    if not _AGE_HINT.search(text):
        return ""
    for match in _BORN.finditer(text):
        whose = match["who"]
        about = whose in who.names or whose.lower() == _SUBJECTS[who.sex]
        if about and abs(THIS_YEAR - who.age - int(match["year"])) > 1:
            return f"{who.name} is {who.age} and was not born in {match['year']}"
    for match in _NAMED_AGE.finditer(text):
        words = match["who"].split()
        called = len(words)
        while called and words[called - 1] in who.names:
            called -= 1
        if called == len(words):
            continue
        before = [*text[: match.start()].split(), *words[:called]]
        relative = before and before[-1][:1].isupper() and before[-1][-1:].isalpha()  # Wei Li, 38, is another Li
        said = _age(match["n"])
        if said and said != who.age and not relative:
            return f"{who.name} is {who.age}, not {match['n']}"
    for pattern in (rf"\b{_SUBJECTS[who.sex]} is (?:now )?{_AGE}", _THIS_YEAR):
        for match in re.finditer(pattern, text, re.IGNORECASE):
            said = _age(match["n"].lower())
            if said and said != who.age and _is_about(text, match.start("n"), who, both=True):
                return f"{who.name} is {who.age}, not {match['n']}"
    return ""


def _age(written: str) -> int | None:
    return int(written) if written.isdigit() else _AGES.get(written)


def _of_children(text: str, who: _Who) -> str:
    if who.children is None:
        return ""
    low = text.lower()  # most texts say nothing of children, and are done with at a glance
    young, named = "child" in low or "kids" in low, "son" in low or "daughter" in low
    if not young and not named and not _PARENT_OF.search(low):
        return ""
    has = "no children" if not who.children else "1 child" if who.children == 1 else f"{who.children} children"
    for k, pattern in enumerate(_COUNTS):
        for match in _said(pattern, text, who, both=k < len(_COUNTS) - 1):
            n = int(match["n"]) if match["n"].isdigit() else 1 + _NUMBERS.index(match["n"].lower())
            if n > who.children:
                return f"{who.name} has {has}, but it says «{match[0]}»"
    if who.children and (none := next(_said(_CHILDLESS, text, who, both=True), None)):
        return f"{who.name} has {has}, but it says «{none[0]}»"
    if not who.children and (own := next(_said(_CHILD, text, who), None)):
        return f"{who.name} has {has}, but it says «{own[0]}»"
    return ""


def _of_marriage(text: str, who: _Who) -> str:
    spouse = r"\bher husband\b" if who.sex == "female" else r"\bhis wife\b"
    if who.marital == "single" and (found := next(_said(spouse, text, who), None)):
        return f"{who.name} is not married, but it says «{found[0]}»"
    if not _WED_HINT.search(text):
        return ""
    wed = who.marital not in ("single", "cohabiting")
    if wed and (found := next(_said(_NEVER_WED, text, who, both=True), None)):
        return f"{who.name} is {who.marital}, but it says «{found[0]}»"
    if who.marital == "married" and (found := next(_said(_SINGLE, text, who, both=True), None)):
        return f"{who.name} is married, but it says «{found[0]}»"
    return ""


def _said(pattern: str, text: str, who: _Who, *, both: bool = False) -> Iterator[re.Match[str]]:
    """Where a text says this of the person; ``both``: anybody, whatever their sex, may be meant instead."""
    own = "her" if who.sex == "female" else "his"
    for match in re.finditer(pattern.replace("{own}", own), text, re.IGNORECASE):
        if _is_about(text, match.start(), who, both=both):
            yield match


def _is_about(text: str, at: int, who: _Who, *, both: bool) -> bool:
    """Whether only the person can be meant at a place: they are its subject, and nobody else was named on the way."""
    sexes = ["female", "male"] if both else [who.sex]
    ends = [m.end() for m in _SENTENCE_END.finditer(text, 0, at)]
    before = text[ends[-1] if ends else 0 : at]
    who_named = rf"\b{who.called}\b(?![’']s)"
    named = re.search(who_named, before)
    subject = named or re.search(rf"\b{_SUBJECTS[who.sex]}\b", before, re.IGNORECASE)
    if both and subject and re.fullmatch(r" and [^\W\d_]+ ", before[subject.end() :]):  # Mary and Daniel have
        return not before[: subject.start()].strip()
    if _others(before, who, sexes):
        return False
    if not subject and (len(before.split()) > 2 if both else re.search(r"\b(?:and|with) $", before)):
        return False
    if named or not ends:
        return True
    earlier = text[ends[-2] if len(ends) > 1 else 0 : ends[-1]]
    own = re.search(rf"{who_named}|\b{_SUBJECTS[who.sex]}\b", earlier, re.IGNORECASE)
    return not _others(earlier[: own.start()] if own else earlier, who, sexes)


def _others(text: str, who: _Who, sexes: Iterable[str]) -> bool:
    """Whether somebody else is spoken of who could be she (or he): by a word for people, or by a name."""
    people = frozenset[str]().union(*(_PEOPLE[sex] for sex in sexes))
    last = ""
    for match in _WORD.finditer(text):
        word = match[0]
        if word.lower() in people or word.lower().removesuffix("s") in people:
            return True
        if word[0].isupper() and word not in who.names and _is_name(word, last, text[: match.start()]):
            return True
        last = word.lower()
    return False


def _is_name(word: str, last: str, before: str) -> bool:
    """Whether a word with a capital is somebody's name, and not the beginning of a sentence, a place or a day."""
    if word == "I" or word.endswith("day") or last in _PLACES:
        return False
    if not before.strip() or _SENTENCE_END.search(before[-2:]):
        return word.lower() not in _NO_NAMES and not (len(word) > 5 and word.endswith(("ing", "ly")))
    return True


def _other_sex(sex: str) -> str:
    return "male" if sex == "female" else "female"


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
