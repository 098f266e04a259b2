"""Words and phrases: what can be a noun or a verb, base forms, articles and plurals, and where a noun phrase ends."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

LONGEST = 4
_JOINS = frozenset(["of", "and", "'n'", "n"])  # inside a noun phrase: a box of matches, rock and roll
_AN = re.compile(r"(?:[aeio](?!ne\b|uro)|u(?!ni|s[aeiu]|k\b|\b|to)|hour|honest|honou?r|heir|mri\b|x-ray)", re.I)


@lru_cache(maxsize=1)
def frames_file() -> dict[str, Any]:
    """``frames.yaml``: the frames, and the lists of words they and this module rest on."""
    text = resources.files("deeppersona.mining").joinpath("frames.yaml").read_text("utf-8")
    read: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe, and written in C
    return read


@lru_cache(maxsize=128)
def listed(name: str) -> frozenset[str]:
    """A list of words by its name."""
    return frozenset(frames_file()["words"][name])


@lru_cache(maxsize=16)
def forms(name: str) -> dict[str, str]:
    """The nouns of a list by their forms, singular and plural."""
    return {form: noun for noun in frames_file()["words"]["nouns"][name] for form in (plural(noun), noun)}


@lru_cache(maxsize=100_000)
def kinds(word: str) -> frozenset[str]:
    """The parts of speech a word can be (``NOUN VERB ADJ ADV``); none for a word the dictionary lacks."""
    from lemminflect import getAllLemmas

    return frozenset(getAllLemmas(word))


@lru_cache(maxsize=100_000)
def lemma(word: str, kind: str) -> str:
    """The base form of a word as a noun or verb; the word itself where the dictionary lacks it."""
    from lemminflect import getAllLemmas

    found = getAllLemmas(word).get(kind)
    return str(found[0]) if found else word


_ODD = {  # where the dictionary has another form, or one no longer said
    ("travel", "VBG"): "travelling", ("travel", "VBN"): "travelled", ("program", "VBG"): "programming", ("program", "VBN"): "programmed", ("quit", "VBN"): "quit", ("get", "VBN"): "got", ("ski", "VBN"): "skied",
    ("wake", "VBN"): "woken", ("overthink", "VBN"): "overthought", ("babysit", "VBN"): "babysat", ("fit", "VBN"): "fit",
}  # fmt: skip


@lru_cache(maxsize=20_000)
def inflected(verb: str, form: str) -> str:
    """A verb as a gerund (``VBG``: baking) or a participle (``VBN``: baked)."""
    from lemminflect import getInflection

    found = getInflection(verb, form) if verb else ()
    return _ODD.get((verb, form)) or (str(found[0]) if found else verb + ("ing" if form == "VBG" else "ed"))


@lru_cache(maxsize=20_000)
def base_verb(word: str) -> str:
    """``baking`` -> ``bake``; a word that is no verb stays."""
    return lemma(word, "VERB")


@lru_cache(maxsize=20_000)
def plural(noun: str) -> str:
    """``hobby`` -> ``hobbies``; of a phrase the last word, ``box of matches`` -> ``boxes of matches``."""
    from lemminflect import getInflection

    head, of, rest = noun.partition(" of ")
    before, space, last = head.rpartition(" ")
    if last in listed("several_only"):
        return noun
    stem, hyphen, tail = last.rpartition("-")
    if tail == "law" and stem.endswith("-in"):  # mothers-in-law
        made = plural(stem.removesuffix("-in")) + "-in-law"
    else:
        found = getInflection(tail, "NNS", inflect_oov=False)
        made = stem + hyphen + (str(found[0]) if found else _regular(tail))
    return f"{before}{space}{made}{of}{rest}"


@lru_cache(maxsize=20_000)
def singular(noun: str) -> str:
    """``ex-wives`` -> ``ex-wife``, ``boxes of matches`` -> ``box of matches``; one the dictionary lacks by its ending."""
    head, of, rest = noun.partition(" of ")
    before, space, last = head.rpartition(" ")
    if last in listed("several_only") or not is_noun(last):
        return noun
    if last.endswith("-in-law"):
        made = singular(last.removesuffix("-in-law")) + "-in-law"
    else:
        stem, hyphen, tail = last.rpartition("-")
        base = lemma(tail, "NOUN")
        if not kinds(tail):
            base = (
                re.sub(r"(?<=[^aeious])ies$", "y", tail)
                if tail.endswith("ies")
                else re.sub(r"(?<=[^suix])s$", "", tail)
            )
        made = stem + hyphen + base
    return f"{before}{space}{made}{of}{rest}"


def _regular(noun: str) -> str:
    """The plural of a noun the dictionary lacks."""
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(?:s|x|z|ch|sh)$", noun) else "s")


@lru_cache(maxsize=20_000)
def is_mass(noun: str) -> bool:
    """Whether a noun is said without an article and has no plural: ``rain``, ``music``, ``kindness``."""
    last = noun.partition(" of ")[0].rpartition(" ")[2]
    if (
        last in listed("mass")
        or last in listed("several_only")
        or re.search(r"(?:[^ ]ness|[^ ]ism|[^c]ics|[^ ]ology|[^ ]ship)$", last)
    ):
        return last not in ("business", "witness", "illness", "relationship", "friendship", "championship", "comics")
    if last.endswith("ing") and "VERB" in kinds(last) and last not in listed("counted_ing"):
        return True
    return plural(last) == last


def article(noun: str) -> str:
    """``a`` or ``an``, by the sound a word begins with."""
    return "an" if _AN.match(noun) else "a"


def wants_the(noun: str) -> bool:
    """Whether a thing is said with ``the`` though any is meant: ``the sea``."""
    return noun in listed("with_the")


def several(noun: str, *, place: bool = False) -> str:
    """A thing in general: ``dogs``, ``rain``, ``the sea``; a ``place`` one goes to: ``the library``."""
    last = noun.rpartition(" ")[2]
    if last in listed("with_the") or (place and last in listed("the_place")):
        return f"the {noun}"
    return noun if is_mass(noun) else plural(noun)


def single(noun: str) -> str:
    """One of a thing: ``a dog``, ``an ex-wife``, ``rain``, ``the sea``."""
    if noun.rpartition(" ")[2] in listed("with_the"):
        return f"the {noun}"
    return noun if is_mass(noun) else f"{article(noun)} {noun}"


def is_noun(word: str) -> bool:
    """Whether a word can be a noun; unknown words can."""
    found = kinds(word)
    return not found or "NOUN" in found


def goes_on(text: str, phrase: str) -> bool:
    """Whether a phrase was cut out of what belongs together: ``my family`` of ``my family argue``."""
    words, wanted = text.split(), phrase.split()
    start = next((k for k in range(len(words)) if words[k : k + len(wanted)] == wanted), len(words))
    after = next(iter(words[start + len(wanted) :]), "")
    return after.isalpha() and after not in listed("stoppers") and "ADV" not in kinds(after)


def noun_phrase(text: str, longest: int = LONGEST) -> str:
    """The noun phrase a stretch of words begins with, without its articles; empty where none does."""
    out: list[str] = []
    words, stoppers, leading = text.split(), listed("stoppers"), listed("leading")
    for k, raw in enumerate(words):
        word = raw.strip('.,!?;:()"*')
        if not out and word in leading:
            continue
        if (
            word in _JOINS
            and out
            and k + 1 < len(words)
            and (word == "of" or len(out) == 1)
            and words[k + 1].strip(".,!") not in stoppers
        ):
            out.append(word)
            continue
        if not word or word in stoppers or word.isdigit() or "[" in word or len(word) < 2:
            break
        out.append(word)
        if raw[-1] in ".,!?;:)" or len(out) == longest:
            break
    while out and (out[-1] in _JOINS or not is_noun(out[-1])):
        out.pop()
    return " ".join(out)


def stem_of(phrase: str) -> str:
    """A phrase by the base form of its last word, to count ``cats`` with ``a cat``."""
    words = phrase.split()
    if not words:
        return ""
    last = words[-1] if words[-1] in listed("several_only") or not is_noun(words[-1]) else lemma(words[-1], "NOUN")
    return " ".join([*words[:-1], last])


def alias(noun: str) -> str:
    """The one word of several that mean the same: ``kid`` -> ``child``."""
    same: dict[str, str] = frames_file()["words"]["alias"]
    head, space, last = noun.rpartition(" ")
    return same.get(noun) or head + space + same.get(last, last)


def is_act(word: str) -> bool:
    """``watching`` in ``a book watching films``: where a thing ends and a doing begins."""
    return (
        word.endswith("ing")
        and "VERB" in kinds(word)
        and ("NOUN" not in kinds(word) or base_verb(word) in listed("with_object"))
    )


def is_doing(noun: str) -> bool:
    """``watching films``, ``helping``: a doing, and no thing."""
    first = noun.split()[0]
    if not first.endswith("ing") or noun in listed("thick_phrase"):
        return False
    verb = base_verb(first)
    return verb != first and (" " not in noun or verb in listed("with_object") or "NOUN" not in kinds(first))
