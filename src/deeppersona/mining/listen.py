"""Listen to one conversation: scrub it, find what each person discloses, judge it. Nothing here keeps the text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from deeppersona.corpus.conversations import Conversation
from deeppersona.mining.cues import Mention, told_in
from deeppersona.mining.frames import open_in
from deeppersona.mining.scrub import scrub
from deeppersona.mining.sieve import Verdict, nearer_to_talk, sieve
from deeppersona.mining.speech import clauses, is_commissioned

_LONGEST = 20_000  # letters of one turn that are listened to: beyond, it is a document and no talk
_LEAST_FOR_LANGUAGE = 20  # letters below which a language is not guessed


@dataclass(frozen=True)
class Disclosure:
    """A mention and the person who made it, by hash."""

    speaker: bytes
    mention: Mention


@dataclass(frozen=True)
class Heard:
    """What is kept of a conversation: hashes, language, class with reasons, and what was disclosed."""

    unit: bytes
    language: str
    verdict: Verdict
    disclosures: tuple[Disclosure, ...]
    speakers: int
    own_words: str = ""  # the persons' own words, scrubbed; for a model, never stored


def digest(text: str) -> bytes:
    """Sixteen bytes that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@lru_cache(maxsize=1)
def _langid() -> object:
    import py3langid

    return py3langid


def language_of(text: str) -> str:
    """The ISO code of the language a text is in; ``und`` where it is too short to say."""
    if len(text) < _LEAST_FOR_LANGUAGE:
        return "und"
    return str(_langid().classify(text[:1000])[0])  # type: ignore[attr-defined]


def unit_of(conversation: Conversation) -> bytes:
    """What a conversation is known by: the hash of what its people said, so that a copy under another name is known."""
    return digest("\x1f".join(turn.text for turn in conversation.turns if turn.person))


def listen(conversation: Conversation, *, keep_words: bool = False) -> Heard:
    """Find what the people of a conversation disclose about themselves."""
    own = [turn for turn in conversation.turns if turn.person]
    raw = "\n".join(turn.text[:_LONGEST] for turn in own)
    disclosures: list[Disclosure] = []
    words: list[str] = []
    for turn in own:
        text = scrub(turn.text[:_LONGEST])
        words.append(text)
        speaker = digest(turn.speaker)
        disclosures += [Disclosure(speaker, mention) for mention in mentions_in(text)]
    mentions = [d.mention for d in disclosures]
    verdict = sieve(mentions, commissioned=is_commissioned(raw))
    kept = tuple(disclosures) if verdict.kind != "not" else ()
    return Heard(
        unit_of(conversation),
        language_of(raw),
        verdict,
        kept,
        len({turn.speaker for turn in own}),
        "\n".join(words) if keep_words else "",
    )


def mentions_in(text: str) -> list[Mention]:
    """What one turn discloses: by cues, and where a clause has none, by open frames that sound like talk about oneself."""
    found: list[Mention] = []
    faint: list[Mention] = []
    for clause in clauses(text):
        told = list(told_in(clause))
        found += told
        if not told:
            faint += open_in(clause)
    personal = nearer_to_talk([m.quote for m in faint])
    return found + [m for m, yes in zip(faint, personal, strict=True) if yes]


def without_quotes(disclosures: Sequence[Disclosure]) -> list[Disclosure]:
    """The same with each quotation replaced by its hash: what is stored unless evidence is to be kept."""
    return [replace(d, mention=replace(d.mention, quote=digest(d.mention.quote).hex())) for d in disclosures]
