"""What may be a topic: things and doings that could be asked of anybody. Whatever else stands in a frame is left."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from deeppersona.facts.tables import shipped_facts
from deeppersona.mining import words as w
from deeppersona.mining.cues import lexicon

SELF = "myself"
JOINED = ("arts and craft", "rock and roll", "mac and cheese", "fish and chip", "peace and quiet", "law and order")
_LONGEST = 30  # letters of a thing
_LONGEST_VERB = 5  # words of a verb with its particles
_WORD = re.compile(r"[a-zé][a-zé-]*")
_THINGS_TOO = frozenset(["turkey", "georgia", "jersey", "chad", "jordan"])  # countries, and names or things


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """Countries whose name is one word, in small letters."""
    names = (country.name.casefold() for country in shipped_facts().countries.values())
    return frozenset(name for name in names if " " not in name) - _THINGS_TOO


@lru_cache(maxsize=1)
def _beyond_the_dictionary() -> frozenset[str]:
    listed = (part for words in lexicon().values() for word in words for part in (word, *word.split()))
    return w.listed("known") | frozenset(listed) | countries()


@lru_cache(maxsize=1)
def _instruments() -> frozenset[str]:
    return frozenset(w.singular(name) for name in lexicon().get("instrument", ()))


def is_owned(noun: str) -> bool:
    """Whether a thing is said with ``your``: kin, and the parts of one's own life."""
    return noun in w.listed("own") or w.singular(noun) in w.listed("own_many")


# --- things ----------------------------------------------------------------------------------------


@lru_cache(maxsize=50_000)
def noun_in(raw: str) -> str:
    """The thing some words name, in the singular; empty where they name none that could be asked of anybody."""
    words = raw.split()
    if not words or words[0] in w.listed("cuts") - w.listed("articles") - w.listed("one_certain"):
        return ""
    cuts = (k for k, word in enumerate(words) if k and (word in w.listed("cuts") or w.is_act(word)))
    raw = " ".join(words[: next(cuts, len(words))])
    phrase = w.noun_phrase(raw, 3)
    thick = w.singular(phrase) in w.listed("thick_phrase")
    if (" of " in phrase and not thick) or w.goes_on(raw, phrase):
        return ""
    if not phrase.startswith(JOINED):
        phrase = re.split(r" (?:and|n|'n') ", phrase)[0]
    kept = phrase.split()
    while not thick and len(kept) > 1 and kept[0] in w.listed("thin_modifier"):
        kept = kept[1:]
    noun = w.alias(w.singular(" ".join(kept)))
    last = noun.rpartition(" ")[2]
    one_certain = words[0] in w.listed("one_certain") and not w.wants_the(last)
    vague = not w.listed("no_topic").isdisjoint((noun, last, phrase)) or any(map(is_unprinted, phrase.split()))
    named_barely = raw == noun == last  # without an article: a thing would be said with one, or with none at all
    return noun if noun and not (one_certain or vague) and _is_thing(noun, named_barely) else ""


@lru_cache(maxsize=50_000)
def is_unprinted(word: str) -> bool:
    """Whether a word is one we would not print: known by its hash, so that it stands nowhere here."""
    return hashlib.blake2b(w.singular(word).encode(), digest_size=6).hexdigest() in w.listed("unprinted")


def _is_thing(noun: str, named_barely: bool) -> bool:
    """Whether known words name a thing: no people, doing, quality or manner."""
    last = noun.rpartition(" ")[2]
    kinds = w.kinds(last)
    if len(noun) > _LONGEST or last in lexicon().get("people", ()) or w.is_doing(noun):
        return False
    if not all(_WORD.fullmatch(word) and _known(word) and w.kinds(word) != {"ADV"} for word in noun.split()):
        return False
    if named_barely and not (w.is_mass(noun) or noun in w.listed("known") or kinds.isdisjoint(("ADJ", "ADV"))):
        return False
    return w.is_noun(last.rpartition("-")[2]) and not (last.endswith("ly") and "ADV" in kinds)


def _known(word: str) -> bool:
    parts = [part for part in word.split("-") if part]
    in_dictionary = bool(parts) and all(len(part) > 1 and w.kinds(part) for part in parts)
    return in_dictionary or word in _beyond_the_dictionary()


# --- doings ----------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def verbs_of(doings: str) -> dict[str, str]:
    """The verbs of a list, with their particles: ``+`` where they want an object, ``*`` where they may have one."""
    if doings:
        marked = (verb.rpartition(" ") for verb in w.listed(doings))
        return {head: mark for head, _, mark in marked if mark in ("+", "*")} | {
            verb: "" for verb in w.listed(doings) if verb[-1] not in "+*"
        }
    alone, with_object = w.listed("alone"), w.listed("with_object")
    both = alone & with_object
    return dict.fromkeys(alone, "") | dict.fromkeys(with_object, "+") | dict.fromkeys(both, "*")


def doing_in(raw: str, doings: str = "", *, past: bool = False, one: bool = False) -> tuple[str, str]:
    """(verb, verb with its object): ``playing drums`` -> ``play``, ``play the drums``; empty where it is none of a list.

    Args:
        raw: the words.
        doings: the list of verbs; none for those anybody may do.
        past: whether the verb is to stand in the past.
        one: whether it is done with one thing (buy a house) and not with things in general (buy houses).

    """
    words = raw.split()
    if len(words) > 1 and words[0] in ("go", "going") and words[1].endswith("ing"):
        words = words[1:]
    if not words:
        return "", ""
    k = 1 if len(words) > 1 and words[0] in w.listed("first_half") else 0
    verb, after = w.base_verb(words[k]), words[k + 1 :]
    in_past = (words[k] != verb and not words[k].endswith("ing")) or (past and verb in w.listed("same_in_past"))
    if in_past != past or (verb == "lie" and not w.listed("lying_where").isdisjoint(after[:1])):
        return "", ""
    words, verbs = [*words[:k], verb, *after], verbs_of(doings)
    n = next((n for n in range(min(len(words), _LONGEST_VERB), 0, -1) if " ".join(words[:n]) in verbs), 0)
    if not n:
        return "", ""
    said = " ".join(words[:n])
    thing = _object(said, words[n:], one=one) if verbs[said] else ""
    has_other = not (w.listed("pointing") | w.listed("articles") | w.listed("one_certain")).isdisjoint(words[n : n + 1])
    if not thing and (verbs[said] == "+" or has_other):
        return "", ""
    return said, f"{said} {thing}".strip()


def _object(verb: str, words: list[str], *, one: bool) -> str:
    """What something is done with, as one would say it."""
    while words and words[0] in ("just", "only", "also", "even", "really", "all", "too"):
        words = words[1:]
    first, rest = (words[0], " ".join(words)) if words else ("", "")
    if first in (SELF, "people", "others"):
        return first
    if first in ("everyone", "everybody") or rest.startswith(("other people", "other others")):
        return "others"
    if first in ("", "to", "be", "being", "been", "now"):
        return ""
    is_verb = "VERB" in w.kinds(first) and first == w.base_verb(first) and first not in w.listed("places")
    if is_verb and verb in ("go to", "help"):
        return ""  # going to watch a film: no place
    if verb in ("be", "become") and (first not in ("a", "an") or words[-1] in lexicon().get("job", ())):
        return ""
    said = w.noun_phrase(rest, 3)
    if verb in ("play", "practice", "practise", "learn") and w.singular(said) in _instruments():
        return f"the {'drums' if said == 'drum' else said}"
    noun, many, mine = noun_in(rest), w.singular(said) != said, first in ("my", "our")
    if not noun or noun in countries():
        return noun
    if one:
        return (
            w.several(noun)
            if many and noun not in w.listed("own")
            else noun
            if mine and is_owned(noun)
            else w.single(noun)
        )
    if (verb in w.listed("said_as_is") and not many) or (mine and noun in w.listed("own")):
        return noun
    return w.several(noun, place=verb == "go to")


def to_me(raw: str, tail: str) -> str:
    """``yelling at`` -> ``yell at``; empty where it is not among what people do to one another."""
    verb, *rest = raw.split()
    done = " ".join([w.base_verb(verb), *rest]) + tail
    return done if done in w.listed("treated") else ""
