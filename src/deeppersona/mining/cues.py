"""What people say when they tell a fact about themselves (``cues.yaml``): patterns over clauses, each with its attribute."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from deeppersona.errors import DeepPersonaError
from deeppersona.facts.tables import shipped_facts
from deeppersona.mining.speech import Clause
from deeppersona.mining.words import alias, inflected, is_noun, kinds, noun_phrase, plural, stem_of

_ADVERBS = (
    r"(?:also|now|currently|still|just|really|actually|kind of|sort of|always|usually|often|even|only|both|honestly|already|recently|sometimes|"
    r"mostly|mainly|absolutely|truly|definitely|personally|do|too|so|very|pretty|quite|basically|a bit|a little|big|huge|myself|presently|happily)"
)
_NUMBER = r"(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|twenty|thirty|a few|several|many|a couple of|no)"
_MACROS = {
    "n": _NUMBER,
    "place": r"[^\W\d_][\w'’.-]*(?:,? [^\W\d_][\w'’.-]*){0,5}",
    "some": r"(?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)",
    "np": r"[a-z0-9][\w'’&/-]*(?: [\w'’&/-]+){0,5}",
    # words that may stand between a determiner and its noun: never one that begins another phrase
    "adj": r"(?:(?!(?:to|been|the|that|this|of|no|not|and|or|in|on|at|for|with|my|your|his|her|their|is|was|are|friend|who|a|an|i|you|me|him|us|them|it|about|from|as|like|watching|eating|has|have|had|do|does|did|will|would|can|could|should|only because)\b)[a-z0-9][\w-]* )",
    "i_am": rf"\bi (?:am|have been) (?:{_ADVERBS} )*(?:not )?(?:{_ADVERBS} )*",
    "i_was": rf"\bi (?:was|have been|had been|got|am being) (?:{_ADVERBS} )*(?:not |never )?(?:{_ADVERBS} )*",
    "i_have": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:do not |did not |never )?(?:{_ADVERBS} )*(?:have|got|own|keep|had) ",
    "i_own": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:do not |never )?(?:{_ADVERBS} )*(?:have|own|keep|got|bought|adopted) ",
    "i_bear": rf"\bi (?:{_ADVERBS} )*(?:do not |never )?(?:{_ADVERBS} )*(?:have been (?:suffering from|struggling with|dealing with|battling|having|living with)|"
    r"have (?:suffered from|struggled with|dealt with|battled|had|always had)|am (?:suffering from|struggling with|dealing with|having|living with|battling)|"
    r"have|had|suffer from|suffered from|suffer with|struggle with|struggled with|deal with|live with|battle|get|keep getting|developed) ",
    "i_like": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:do not |do |did not |cannot )?(?:{_ADVERBS} )*"
    r"(?:like|love|enjoy|adore|prefer|hate|dislike|cannot stand|am into|am fond of|am a fan of|am a (?:big|huge) fan of|am obsessed with|am passionate about|am interested in|am good at) ",
    "i_love": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:like|love|enjoy|adore|prefer|am into|am (?:{_ADVERBS} )*(?:into|fond of|keen on|crazy about|mad about|obsessed with|passionate about|addicted to|"
    r"interested in|good at|an? (?:big |huge |avid |die-hard )?fan of)) (?:very much |a lot )?",
    "i_hate": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:hate|dislike|detest|despise|cannot stand|do not (?:{_ADVERBS} )*(?:like|enjoy|eat)|am not (?:{_ADVERBS} )*(?:into|fond of|an? (?:big |huge )?fan of)) ",
    "i_do": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:do not |never |no longer |cannot |hardly |rarely )?(?:{_ADVERBS} )*",
    "i_live": rf"\b(?:(?:i|we) (?:{_ADVERBS} )*(?:(?:am |are |have been )?(?:{_ADVERBS} )*(?:live|living|reside|residing|stay|staying)|have (?:{_ADVERBS} )*lived|(?:have )?moved)|"
    rf"i (?:am|have been) (?:{_ADVERBS} )*(?:based|settled|located)) (?:{_ADVERBS} |here |over |down |up |out |back )*",
    "i_work": rf"\bi (?:{_ADVERBS} )*(?:am |have been |do not )?(?:{_ADVERBS} )*(?:work|working|employed) (?:{_ADVERBS} )*",
    "i_want": rf"\b(?:i|we) (?:{_ADVERBS} )*(?:do not |did not )?(?:{_ADVERBS} )*(?:want|would (?:like|love)|hope|plan|wish|need|dream of|am (?:planning|hoping|trying)) ",
    "my": r"\b(?:my|our) ",
    "by_trade": "(?:an? )?",
}
_HEAD = re.compile(r"^(<(?:i_|my)[a-z_]*>|\\b(?:i|we|my|our|\(\?:i\|we\)|\(\?:i\|me\)) )")
_DENIAL = re.compile(
    r"\b(?:not(?! only| just| to mention)|never|no longer|cannot|no|neither|without|hardly|rarely|barely)\b"
)
_DENIED_NEAR = re.compile(r"\b(?:not|no|never|without|neither)(?: a| your)? $")
_OF_PERSON = re.compile(r"\b(?:i|my|me|we|our|us|myself|mine|here|from|money|charit\w+|donations?)\b|^\d")
_AGED = re.compile(r" ?[(\[]\d\d ?/?,? ?[mf][)\]]")
_LIST = re.compile(
    rf"^(?P<lead>(?:[\w'-]+ ){{0,3}}?(?:i|we) (?:(?:{_ADVERBS}|do not|never|can|cannot|have been) )*(?:(?:am|are) (?:{_ADVERBS} )*(?:learning|studying|allergic to|afraid of|scared of|fluent in|into|diagnosed with) |"
    r"(?P<being>am|are) |(?:have|own|keep|got|use|speak|play|love|like|enjoy|adore|prefer|hate|dislike|study|learn|collect|grow|drink|eat|watch|suffer from|struggle with|was diagnosed with) "
    r"(?:to (?:play|watch|eat|read|drink|cook|go|listen to) |playing |watching |eating |reading |listening to |learning |studying )?))(?P<items>.*)$"
)
_LOOSE = re.compile(r" (?:in|of|with|from|at|to|for|by|on) ")
_JOINTS = re.compile(r",\s*(?:and |also )*|\s+(?:and|&|as well as)\s+(?:also )?")
_JOINTS_DENIED = re.compile(r",\s*(?:and |or )*|\s+(?:and|or|nor)\s+")
_KEYS = frozenset(["say", "is", "unsaid", "denied", "asks", "supposed", "not", "as", "of", "known"])


@dataclass(frozen=True)
class Cue:
    """One pattern and how its value is had. ``head`` is the macro the pattern begins with, ``pattern`` what follows it."""

    head: str
    pattern: re.Pattern[str]
    value: str | None
    denied: str | None  # the value where the clause denies; None: then it says nothing
    says_no: bool  # the pattern itself denies
    asks: bool
    supposed: bool
    excluded: re.Pattern[str] | None
    worded: str  # how the value is put, as in ``allergy to {}``; ``{ing}`` is its doing
    shape: str  # how the value is put or what it must be (``Told.shape``)
    open: bool  # the value is any noun phrase, which has an end to be found
    known: bool  # the place must be one of the tables


@dataclass(frozen=True)
class Told:
    """An attribute that people tell: its path, its name in plain words, and the cues for it.

    ``made`` holds definition, question, phrase and options for a base that lacks the path.
    """

    path: str
    attribute: str
    cues: tuple[Cue, ...]
    made: Mapping[str, Any]


@dataclass(frozen=True)
class Mention:
    """One thing disclosed: the attribute, the value, and the clause it stands in.

    ``frame`` is ``cue`` where the attribute is known, else the open frame the words stood in, and ``topic`` its noun.
    """

    frame: str
    path: str
    attribute: str
    topic: str
    value: str
    spot: int
    quote: str


@lru_cache(maxsize=1)
def _lists() -> dict[str, Any]:
    return dict(_read("lexicon.yaml"))


def _read(name: str) -> Any:
    text = resources.files("deeppersona.mining").joinpath(name).read_text("utf-8")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe, and written in C


@lru_cache(maxsize=1)
def lexicon() -> dict[str, tuple[str, ...]]:
    """Words by what they name (``lexicon.yaml``)."""
    return {key: tuple(str(word) for word in words) for key, words in _lists().items() if not key.startswith("_")}


@lru_cache(maxsize=8)
def _listed(name: str) -> frozenset[str]:
    """A list of words this module rests on."""
    return frozenset(_lists()[f"_{name}"])


@lru_cache(maxsize=64)
def alternatives(key: str) -> str:
    """A pattern of any word of a list, singular or plural, the longest first."""
    words = sorted(set(lexicon()[key]), key=lambda w: (-len(w), w))
    return "(?:" + "|".join(re.escape(w) + ("" if w.endswith("s") else "(?:e?s)?") for w in words) + ")"


def _expanded(say: str) -> str:
    def expand(match: re.Match[str]) -> str:
        key = match[1]
        if key in _MACROS:
            return _MACROS[key]
        if key in lexicon():
            return alternatives(key)
        raise DeepPersonaError(f"cue {say!r}: <{key}> is neither a macro nor a list of lexicon.yaml")

    return re.sub(r"(?<!P)<([a-z_]+)>", expand, say)


def compiled(say: str) -> re.Pattern[str]:
    """A pattern with its macros written out."""
    return re.compile(_expanded(say))


@lru_cache(maxsize=1)
def shipped_cues() -> tuple[Told, ...]:
    """The cues that come with deeppersona."""
    return tuple(
        Told(
            raw["path"], raw["attribute"], tuple(cue for c in raw["cues"] for cue in _cues(c, raw["path"], raw.get("shape", "said"))),
            {key: raw[key] for key in ("definition", "question", "phrase", "options", "applies", "sensitive") if key in raw},
        )
        for raw in _read("cues.yaml")
    )  # fmt: skip


def _cues(raw: Mapping[str, Any], path: str, shape: str) -> Iterator[Cue]:
    """The cues of one entry of the file: one for each way its pattern says it."""
    if unknown := set(raw) - _KEYS:
        raise DeepPersonaError(f"cues.yaml, {path}: {sorted(map(str, unknown))} is none of {sorted(_KEYS)}")
    excluded = re.compile(rf"\b(?:{raw['not']})(?!\w)") if "not" in raw else None
    for say in _ways(raw["say"]):
        head = _HEAD.match(say)
        yield Cue(
            head[1] if head else "", compiled(say[head.end() :] if head else say), raw.get("is"), raw.get("unsaid"), bool(raw.get("denied")),
            bool(raw.get("asks")), bool(raw.get("supposed")), excluded, raw.get("as", "{}"), raw.get("of", shape), "<np>" in say, bool(raw.get("known")),
        )  # fmt: skip


def _ways(say: str) -> list[str]:
    """A pattern cut at the bars that stand in no bracket, so that each part may begin with its own macro."""
    out, depth, start, k = list[str](), 0, 0, 0
    while k < len(say):
        if say[k] == "\\":
            k += 1
        elif say[k] == "[":
            k = say.index("]", k + 2)
        else:
            depth += (say[k] == "(") - (say[k] == ")")
            if say[k] == "|" and not depth:
                out.append(say[start:k])
                start = k + 1
        k += 1
    return [*out, say[start:]]


@lru_cache(maxsize=1)
def _by_head() -> tuple[tuple[str, re.Pattern[str] | None, tuple[tuple[int, Cue], ...]], ...]:
    """The cues by the macro they begin with, so that a clause is searched for each macro once."""
    groups: dict[str, list[tuple[int, Cue]]] = {}
    for k, told in enumerate(shipped_cues()):
        for cue in told.cues:
            groups.setdefault(cue.head, []).append((k, cue))
    return tuple((head, compiled(head) if head else None, tuple(cues)) for head, cues in groups.items())


def told_in(clause: Clause) -> Iterator[Mention]:
    """What the cues find in one clause; of an attribute each value once, where a list names several."""
    for k, value in _told(clause.text, clause.asks, clause.supposes):
        told = shipped_cues()[k]
        yield Mention("cue", told.path, told.attribute, "", value, clause.spot, clause.text)


@lru_cache(maxsize=8192)  # people say many things in the same words
def _told(text: str, asks: bool, supposes: bool) -> tuple[tuple[int, str], ...]:
    """(attribute by its number, value) of what the cues find in a clause."""
    found = _found(text, asks, supposes)
    if _AGED.search(text) is not None:  # my (28f) boyfriend (31m)
        found += _found(_AGED.sub("", text), asks, supposes)
    if found:
        for item in _items(text):
            found += _found(item, asks, supposes)
    return tuple(sorted(dict.fromkeys(found)))


def _found(text: str, asks: bool, supposes: bool) -> list[tuple[int, str]]:
    """The same of one text, one value an attribute."""
    if _OF_PERSON.search(text) is None:
        return []
    found: dict[int, str] = {}
    for _, pattern, cues in _by_head():
        spots = [m.span() for m in pattern.finditer(text)] if pattern is not None else [(0, 0)]
        if not spots:
            continue
        for k, cue in cues:
            if k in found or (asks and not cue.asks) or (supposes and not cue.supposed):
                continue
            if value := _first(cue, spots, text):
                found[k] = value
    return list(found.items())


def _items(text: str) -> Iterator[str]:
    """*I have a wife, two sons and a dog* as *I have two sons*, *I have a dog*: what follows the first of a list."""
    match = _LIST.match(text)
    if match is None:
        return
    joints = _JOINTS_DENIED if _DENIAL.search(match["lead"]) else _JOINTS
    first, *more = joints.split(match["items"])
    if match["being"] and _LOOSE.search(first) is not None:  # I am good at French and German
        return
    for item in more[:3]:
        if item and item.split(" ", 1)[0] not in _listed("no_item"):
            yield match["lead"] + item


def _first(cue: Cue, spots: Sequence[tuple[int, int]], text: str) -> str:
    """The first value a cue finds in a text; empty where it finds none."""
    for start, end in spots:
        match = cue.pattern.match(text, end) if cue.head else cue.pattern.search(text)
        if match is None:
            continue
        if cue.excluded is not None and cue.excluded.search(text):
            return ""
        if value := _value(cue, match, text, start if cue.head else match.start()):
            return value
    return ""


def _value(cue: Cue, match: re.Match[str], text: str, start: int) -> str:
    """The value of a match; empty where the clause denies what the cue would say."""
    if not cue.says_no and (
        _DENIED_NEAR.search(text[max(0, start - 14) : start])
        if cue.head in ("<my>", r"\bmy ", r"\bour ")
        else _DENIAL.search(text[max(0, start - 18) : match.end()])
    ):
        return cue.denied or ""
    groups = match.groupdict()
    raw = (groups.get("v") or groups.get("v2") or "").strip(" ,.'-")
    if not raw:
        return cue.value or ""
    if cue.value is not None:
        return cue.value
    if cue.shape in ("country", "region", "city", "place"):
        found = place_in(raw, guess=not cue.known)
        return ", ".join(found.values()) if cue.shape == "place" else found.get(cue.shape, "")
    value = _phrase(raw) if cue.open else raw
    if not value or (cue.open and _is_unfit(value.split())):
        return ""
    if "{ing}" in cue.worded:
        verb, space, rest = value.partition(" ")
        return cue.worded.replace("{ing}", (inflected(verb, "VBG") if "VERB" in kinds(verb) else verb) + space + rest)
    return cue.worded.format(_shaped(value, raw, cue.shape))


def _phrase(raw: str) -> str:
    """The noun phrase at the head of a stretch of words, without what trails after it."""
    words = noun_phrase(raw, 3).split(" and ")[0].split()
    while words and (
        words[-1] in _listed("trailing") or words[-1].isdigit() or (words[-1].endswith("ly") and not is_noun(words[-1]))
    ):
        words.pop()
    return " ".join(words)


def _is_unfit(words: Sequence[str]) -> bool:
    """Whether words make no value: pronouns and curses anywhere, or nothing but *things* or *lots*."""
    return words[-1] in _listed("empty") or not _listed("unfit").isdisjoint(words)


def _shaped(value: str, raw: str, shape: str) -> str:
    """A value as it is put: ``base`` *dogs* -> *dog*; ``plural`` *a taco* -> *tacos*, while *pizza* stays."""
    if shape == "base":
        return alias(stem_of(value))
    if shape == "kinds" or (shape == "plural" and raw.startswith(("a ", "an "))):
        *head, last = re.sub(r"^an? (?:good |nice )?", "", value).split()
        return " ".join([*head, last if stem_of(last) != last else plural(last)])
    return value


# --- places --------------------------------------------------------------------------------------


def _plain(name: str) -> str:
    """A name in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))


@lru_cache(maxsize=1)
def _gazetteer() -> dict[str, tuple[str, str]]:
    """Folded name -> (country, region or city; the name as it is written)."""
    facts = shipped_facts()
    names = {_plain(row["city"]): row["city"] for row in facts.rows("cities.csv.gz")}  # some are words: Bar, Man, To
    out = {folded: ("city", name) for folded, name in names.items() if " " in folded or not kinds(folded)}
    out |= {word: ("city", word.title()) for word in lexicon()["city"] if word not in out}
    out |= {word: ("region", word.title()) for word in lexicon()["region"]}
    out |= {_plain(country.name): ("country", country.name) for country in facts.countries.values()}
    return out | {
        word: ("country", facts.countries[code].name)
        for word, code in _lists()["country"].items()
        if code in facts.countries
    }


def place_in(raw: str, *, guess: bool = True) -> dict[str, str]:
    """City, region and country a stretch of words begins with: ``leeds, england`` has two; empty where it names no place.

    With ``guess``, a place no table knows is taken for a town where it is a word the dictionary lacks too.
    """
    words = _plain(raw).replace(",", " ").split()
    out: dict[str, str] = {}
    at = 0
    while at < len(words) and words[at] in ("sunny", "rainy", "beautiful", "downtown", "central", "good", "old"):
        at += 1
    while at < len(words) and len(out) < 3:
        size, kind, name = _known(words[at : at + 4])
        if not size and words[at] == "the":
            at += 1
            size, kind, name = _known(words[at : at + 4])
            size *= kind != "city"
        if not size and not out and guess:
            size, kind, name = _unheard(words[at : at + 2])
        if not size or kind in out:
            break
        out[kind] = name
        at += size
    return out if at == len(words) or words[at] in _listed("ends") or words[at].isdigit() else {}


def _known(words: Sequence[str]) -> tuple[int, str, str]:
    """How many of the words are a known place, of which kind, and its name."""
    for size in range(len(words), 0, -1):
        if hit := _gazetteer().get(" ".join(words[:size])):
            return (size, *hit)
    return 0, "", ""


def _unheard(words: Sequence[str]) -> tuple[int, str, str]:
    """Words at the start that no dictionary has: how many, and the town they may be."""
    size = 0
    while size < len(words) and _strange(words[size]) and (not size or not _known(words[size:])[0]):
        size += 1
    return (size, "city", " ".join(words[:size]).title()) if size else (0, "", "")


def _strange(word: str) -> bool:
    """Whether a word may be the name of a small place: letters that are no word, no people and no language."""
    known = word in _listed("ends") or any(word in lexicon()[key] for key in ("people", "language", "faith"))
    return word.isalpha() and len(word) > 3 and not known and not kinds(word)
