"""Open frames (``frames.yaml``): the shapes in which people tell of matters no cue names, and the attributes they propose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from deeppersona.mining import topics
from deeppersona.mining import words as w
from deeppersona.mining.cues import Mention, compiled, lexicon
from deeppersona.mining.speech import Clause
from deeppersona.schema.phrase import third_person

_LONGEST = 500  # letters of a clause that are looked at: what is longer is no sentence anybody says
_MOST = 4  # topics of one clause, and places in it where a pattern is tried
_LONGEST_LEAF = 40
_LEAD = 12  # letters before a match in which a denial counts
_SPEAKER = re.compile(r"\b(?:i|my|me|we|our)\b")
_DENIES = re.compile(r"\b(?:not|never|no longer|cannot(?! (?:stand|help|wait))|no|without|hardly|neither)\b")
_SAID_BY_OTHERS = re.compile(
    r"\b(?:he|she|they|you|it|who|doctors?|mother|father|mom|dad|parents|friends?|husband|wife|boyfriend|girlfriend|everyone|people|nobody) "
    r"(?:\w+ ){0,2}(?:says?|said|thinks?|thought|tells?|told|telling|believes?|claims?|asks?|asked|saying|accus\w+|means?) (?:me |that )*$"
)  # fmt: skip
_SPLIT = re.compile(r"\s*(?:,|\band\b|\bor\b|&|;)\s*")
_WORD = re.compile(r"[a-zé][a-zé-]*")
_DETERMINED = re.compile(r"^(?:an?|the|my) ")
_OWN = "my"
_TOKENS = re.compile(r"\{(ts?|a_t|be_ts|kin|verbs?|ing|pp|v)\}")
_IN_PHRASE = ("{their}", "{themself}", "{them}")


@dataclass(frozen=True)
class Saying:
    """One pattern of a frame with the value it tells; None: it then tells nothing."""

    pattern: re.Pattern[str]
    value: str | None
    denied: str | None
    negative: bool  # the pattern itself denies
    asks: bool  # it reads questions too


@dataclass(frozen=True)
class Frame:
    """One open frame: its patterns, what its topic must be, the words that tell a value, and what it proposes."""

    name: str
    kind: str
    sayings: tuple[Saying, ...]
    values: tuple[tuple[re.Pattern[str], str], ...]
    own: bool  # the topic is said with "your"
    past: bool  # the verb stands in the past
    one: bool  # the topic is said of one thing (buy a house), not of things in general (buy houses)
    doings: str  # the list of verbs it is about; empty for those anybody may do
    among: str  # the list its topics are of
    when: frozenset[str]  # a clause holds one of these words, or the frame is not tried
    without: frozenset[str]  # topics it leaves alone
    elsewhere: frozenset[str]  # topics that are told otherwise
    new: Mapping[str, Any]


def _told_by(name: str) -> frozenset[str]:
    """A list of nouns, of ``frames.yaml`` or of ``lexicon.yaml``."""
    return frozenset(w.forms(name) if name in w.frames_file()["words"]["nouns"] else lexicon().get(name, ()))


def _written_out(say: str) -> str:
    """A pattern with our macros and lists in place; those of ``cues.py`` are left for it."""

    def expand(match: re.Match[str]) -> str:
        key, words, macros = match[1], w.frames_file()["words"], w.frames_file()["macros"]
        if key in macros:
            return _written_out(macros[key])
        listed = w.forms(key) if key in words["nouns"] else words.get(key)
        if listed is None:
            return match[0]
        return "(?:" + "|".join(re.escape(word) for word in sorted(listed, key=lambda word: (-len(word), word))) + ")"

    return re.sub(r"(?<!P)<([a-z_]+)>", expand, say)


@lru_cache(maxsize=1)
def shipped_frames() -> tuple[Frame, ...]:
    """The frames that come with deeppersona."""
    return tuple(_frame(raw) for raw in w.frames_file()["frames"])


def _frame(raw: Mapping[str, Any]) -> Frame:
    sayings = []
    for entry in raw["say"]:
        said = {**raw, **({"say": entry} if isinstance(entry, str) else entry)}
        pattern = compiled(_written_out(said["say"]))
        flags = bool(said.get("negative")), bool(said.get("asks"))
        sayings.append(Saying(pattern, said.get("is"), said.get("denied"), *flags))
    return Frame(
        name=raw["frame"], kind=raw["kind"], sayings=tuple(sayings),
        values=tuple((re.compile(words), value) for words, value in raw.get("values", {}).items()),
        own=bool(raw.get("own")), past=bool(raw.get("past")), one=bool(raw.get("one")),
        doings=raw.get("doings", ""), among=raw.get("among", ""), when=frozenset(raw.get("when", "").split()), without=frozenset(raw.get("not", ())),
        elsewhere=frozenset().union(*(_told_by(name) for name in raw.get("elsewhere", ()))), new=raw["new"],
    )  # fmt: skip


@lru_cache(maxsize=1)
def by_name() -> dict[str, Frame]:
    """Frames by their name."""
    return {frame.name: frame for frame in shipped_frames()}


# --- what a clause tells ---------------------------------------------------------------------------


def open_in(clause: Clause) -> Iterator[Mention]:
    """What the open frames find in one clause; a frame finds a topic once."""
    text = clause.text[:_LONGEST]
    if clause.supposes or _SPEAKER.search(text) is None:
        return
    words = frozenset(re.findall(r"[a-z]+", text))
    for frame in shipped_frames():
        if frame.when and frame.when.isdisjoint(words):
            continue
        seen: set[str] = set()
        for saying in frame.sayings:
            if clause.asks and not saying.asks:
                continue
            for topic, value in _told(frame, saying, text):
                if topic not in seen and len(seen) < _MOST:
                    seen.add(topic)
                    yield Mention(frame.name, "", frame.name, topic, value, clause.spot, clause.text)


def _told(frame: Frame, saying: Saying, text: str) -> Iterator[tuple[str, str]]:
    """The topics one pattern finds, each with its value."""
    for k, match in enumerate(saying.pattern.finditer(text)):
        if k == _MOST:
            return
        if _SAID_BY_OTHERS.search(text[: match.start()]):
            continue
        value = _value(frame, saying, match, text)
        if value is not None:
            yield from ((topic, value) for topic in _topics(frame, match, text) if topic)


def _value(frame: Frame, saying: Saying, match: re.Match[str], text: str) -> str | None:
    """The value a match tells; None where it tells nothing."""
    said = match.groupdict().get("v")
    if said:
        return w.singular(w.noun_phrase(said)) or None
    lead = max(0, match.start() - _LEAD)
    around = f"{text[lead : match.start('t')]} | {text[match.end('t') : match.end()]}"
    if not saying.negative and _DENIES.search(around):
        return saying.denied
    if saying.value is None:
        return None
    return next((value for words, value in frame.values if words.search(text[lead:])), saying.value)


def _topics(frame: Frame, match: re.Match[str], text: str) -> Iterator[str]:
    raw = match["t"]
    if frame.kind == "person":
        yield _kept(frame, w.alias(w.singular(raw)))
    elif frame.kind == "word":
        yield _kept(frame, raw)
    elif frame.kind == "listed":
        yield _kept(frame, w.alias(w.forms(frame.among)[raw]))
    elif frame.kind == "to_me":
        yield _kept(frame, topics.to_me(raw, match["tail"] or ""))
    else:
        parts = _SPLIT.split(text[match.start("t") :])[:_MOST] if match.end("t") == match.end() else [raw]
        for k, part in enumerate(parts):
            if frame.kind == "verb":
                verb, found = topics.doing_in(part, frame.doings, past=frame.past, one=frame.one)
                found = "" if f"{verb} +" in frame.without else found
            else:
                found = topics.noun_in(raw if raw.startswith(topics.JOINED) else part)
            if not found or (k and not _alike(part, found, parts[0], frame)):
                return
            yield _kept(frame, found)


def _alike(part: str, found: str, first: str, frame: Frame) -> bool:
    """Whether a later part of ``dogs, old cars and rain`` is another of the same: nothing else stands in it."""
    if frame.kind == "verb":
        return part.split()[0].endswith("ing") == first.split()[0].endswith("ing")
    idle = w.listed("articles") | w.listed("thin_modifier") | {"also"}
    words = [word for word in part.split() if word not in idle]
    return len(words) == len(found.split()) or w.singular(" ".join(words)) in w.listed("thick_phrase")


def _kept(frame: Frame, topic: str) -> str:
    """A topic the frame does not leave alone."""
    last = topic.rpartition(" ")[2]
    left = topic in frame.without or (frame.kind == "noun" and last in frame.without)
    told = topic in frame.elsewhere or (frame.name == "calling" and last in frame.elsewhere)
    return "" if left or told else topic


# --- what a topic proposes -------------------------------------------------------------------------


def proposal(frame_name: str, topic: str) -> dict[str, Any]:
    """The attribute a frame proposes for a topic: leaf, definition, question, phrase, scale or options, under, sensitive."""
    frame = by_name()[frame_name]
    new = frame.new
    forms = _doing_forms(frame, topic) if frame.kind == "verb" else _other_forms(frame, topic)
    options = [
        {"value": value, "phrase": _filled(phrase, forms, _IN_PHRASE)}
        for value, phrase in new.get("options", {}).items()
    ]
    words = {
        form
        for word in re.findall(r"[a-z-]+", topic.casefold())
        for form in (word, w.singular(word), w.base_verb(word))
    }
    return {
        "leaf": _leaf(_filled(new["leaf"], forms, ("", "self", ""))),
        "definition": _filled(new["definition"], forms, ("their", "themself", "them")),
        "question": _filled(new["question"], forms, ("your", "yourself", "you")),
        "phrase": _filled(new.get("phrase", ""), forms, _IN_PHRASE),
        **({"options": options} if options else {"scale": list(new["labels"])}),
        "under": list(new["under"]),
        "sensitive": bool(new.get("sensitive")) or not words.isdisjoint(w.listed("sensitive")),
    }


def _other_forms(frame: Frame, topic: str) -> dict[str, str]:
    """A thing, person, feeling, trait or treatment in the forms a template asks for."""
    if frame.kind == "to_me":
        parted = re.fullmatch(r"(.+?) (off|away|out|down|badly)", topic)
        return {"t": topic, "verb": f"{parted[1]} {{THEM}} {parted[2]}" if parted else f"{topic} {{THEM}}"}
    if frame.kind == "word":
        return {"t": _with_pronouns(topic)}
    bare = w.singular(_DETERMINED.sub("", topic, count=1))
    if frame.kind == "person":
        bare = re.sub(r"^ex-", "former ", bare)
    many = bare in w.listed("several_kin" if frame.kind == "person" else "own_many")
    kin = w.plural(bare) if many else bare
    in_general = (
        f"{{OWN}} {kin}"
        if frame.own or topics.is_owned(bare)
        else bare
        if bare in topics.countries()
        else w.several(bare)
    )
    out = {"t": bare, "ts": in_general, "a_t": w.single(bare), "kin": kin, "be_ts": "are" if many else "is"}
    return {key: _capitals(value) for key, value in out.items()}


def _doing_forms(frame: Frame, topic: str) -> dict[str, str]:
    """A doing in the forms a template asks for: ``play the drums``, ``playing the drums``, ``{play} the drums``."""
    words, verbs = topic.split(), topics.verbs_of(frame.doings)
    n = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in verbs), 1)
    k = 1 if n > 1 and words[0] in w.listed("first_half") else 0
    verb, particles, thing = words[k], words[k + 1 : n], " ".join(words[n:])
    if thing and thing not in ("others", "people", topics.SELF, *topics.countries()) and not _DETERMINED.match(thing):
        if thing in w.listed("own") or w.singular(thing) in w.listed("own_always"):
            thing = f"{_OWN} {thing}"
        elif w.singular(thing) == thing and verb not in w.listed("said_as_is"):
            thing = w.single(thing) if frame.one else w.several(thing)
    rest = _with_pronouns(_capitals(" ".join([*particles, thing]).strip()))
    lead, hyphen, verb = verb.rpartition("-") if not k else (words[0], " ", verb)
    lead += hyphen  # self-harm, ice skate: the last part is bent
    forms = {
        "verb": verb, "ing": w.inflected(verb, "VBG"), "v": "{" + verb + "}" if verb.isalpha() and verb.isascii() else verb,
        "verbs": third_person(verb), "pp": w.inflected(verb, "VBN"),
    }  # fmt: skip
    return {key: f"{lead}{form} {rest}".strip() for key, form in forms.items()}


def _with_pronouns(text: str) -> str:
    """``hate myself`` -> ``hate {SELF}``, to be filled in by whose words a template is."""
    return re.sub(rf"\b{_OWN}\b", "{OWN}", re.sub(rf"\b{topics.SELF}\b", "{SELF}", text))


@lru_cache(maxsize=1)
def _capital() -> dict[str, str]:
    """Names by their small letters, and the adjectives of peoples, tongues and faiths."""
    listed = {
        word for key in ("people", "language", "faith") for words in lexicon().get(key, ()) for word in words.split()
    }
    named = {word: word[:1].upper() + word[1:] for word in (listed - w.listed("no_name")) | topics.countries()}
    return named | {word.casefold(): word for word in w.frames_file()["words"]["proper"]}


def _capitals(text: str) -> str:
    """Names with their capitals: ``english food`` -> ``English food``."""
    return _WORD.sub(lambda m: _capital().get(m[0]) or _capital().get(m[0].removesuffix("s"), m[0]), text)


def _filled(template: str, forms: Mapping[str, str], pronouns: tuple[str, str, str]) -> str:
    """A template with the topic in it and pronouns for its own; tokens of our phrase grammar are left standing."""
    text = _TOKENS.sub(lambda m: forms.get(m[1], m[0]), template)
    for token, pronoun in zip(("{OWN}", "{SELF}", "{THEM}"), pronouns, strict=True):
        text = text.replace(token, pronoun)
    return re.sub(" +", " ", text).strip()


def _leaf(text: str) -> str:
    """A path segment: ``how often playing the drums`` -> ``how_often_playing_drums``, cut between words."""
    words = [
        word
        for word in re.findall(r"[a-z0-9]+", text.casefold().replace("é", "e").replace("'", ""))
        if word not in w.listed("idle")
    ]
    while words and not words[0][0].isalpha():
        words = words[1:]
    out = ""
    for word in words:
        if len(out) + len(word) + 1 > _LONGEST_LEAF:
            break
        out = f"{out}_{word}" if out else word
    return out or "topic"
