"""The life book: the long narrative, chapter by chapter from all traits, with what earlier parts told kept in mind.

Each part is one call that sees the person, its own share of the traits, and a note of what each earlier part settled
(bounded, the latest most fully). Every part is in the journal, so a book goes on where it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deeppersona.generation.writing.brief import facts_of
from deeppersona.generation.writing.manuscript import Manuscript
from deeppersona.generation.writing.writer import Writer, seed_of
from deeppersona.models.ask import ask_text
from deeppersona.models.port import Message, Prompt
from deeppersona.models.text import fault
from deeppersona.prompts import say, unmarked
from deeppersona.schema.phrase import join_words
from deeppersona.schema.taxonomy import Category

PART_WORDS = 900
_LEAST, _MOST = 250, 1400  # words asked of one call
_NOTES = 1400  # words of notes on earlier parts
_ENDING = 60
_KEPT = re.compile(r"(?:^\W*KEPT\b[^\w\n]*|[*_(\[]*\bKEPT[*_]*:[*_]*)\s*(.*)\Z", re.MULTILINE | re.DOTALL)
_SHORT = 40  # the words of a note
_MORE = 1.5  # parts beyond the plan where they come out short, as a share
_SETTINGS = (
    "on an ordinary weekday morning", "on a day when something breaks", "years ago, at the age when it began", "during a visit",
    "on the way somewhere", "at a meal with others", "late in the evening, alone", "in the hottest or coldest week of the year",
    "on a feast day", "at work, or where work would be", "while waiting for somebody who is late", "on a day of bad news",
    "during a quarrel and after it", "on a payday or a day without money", "in the house of somebody else",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One part of the book: its chapter, the sentences it is about."""

    chapter: str
    matter: tuple[str, ...]


def sections_of(script: Manuscript, categories: Sequence[Category], parts: int) -> list[Section]:
    """Spread all that can be said over so many parts, chapter by chapter; the turning points make a chapter of their own.

    Where there are fewer parts than chapters, a part takes up several.
    """
    sayable, pronoun = script.sayable(), script.draft.person.pronoun
    chapters: list[tuple[str, list[str]]] = []
    told = script.told()
    if told:
        chapters.append(("What happened", [f"At {t.story.age}: {t.story.text}" for t in told]))
    for category in categories:
        mine = [sayable.say(k, pronoun) for k, a in enumerate(sayable.attributes) if a.category == category.key]
        if mine:
            chapters.append((category.title, mine))
    total = sum(len(matter) for _, matter in chapters)
    if parts < len(chapters):
        every = [(title, sentence) for title, matter in chapters for sentence in matter]
        cuts = [every[k * total // parts : (k + 1) * total // parts] for k in range(parts)]
        return [Section(_title([title for title, _ in cut]), tuple(sentence for _, sentence in cut)) for cut in cuts]
    out: list[Section] = []
    for title, matter in chapters:
        n = max(1, round(parts * len(matter) / total))
        for k in range(n):
            share = matter[k * len(matter) // n : (k + 1) * len(matter) // n] or [matter[k % len(matter)]]
            out.append(Section(title, tuple(share)))
    return out


def _title(titles: Sequence[str]) -> str:
    """The chapter of a part that takes up several: the first of them are named."""
    several = list(dict.fromkeys(titles))
    return join_words(several if len(several) <= 3 else [*several[:2], "the rest"])


async def write_book(script: Manuscript, writer: Writer, categories: Sequence[Category], words: int) -> None:
    """Write the book into the manuscript; parts that will not come right are left out and recorded."""
    parts = max(1, round(words / PART_WORDS))
    sections = sections_of(script, categories, parts)
    facts, name = facts_of(script.draft), script.draft.person.name.whole
    pages: list[str] = [f"# {name}"]
    notes: list[str] = []
    written, chapter, ending, lost = 0, "", "", 0
    number = 0
    while number < len(sections) * _MORE and (number < len(sections) or written < 0.9 * words):
        section = sections[number % len(sections)]
        left = max(len(sections) - number, 1)
        wanted = min(max((words - written) // left, min(words, _LEAST)), _MOST)
        seed = seed_of(writer.plan, script.draft, f"book {number}")
        chapter_now = section.chapter if number < len(sections) else f"{section.chapter}, again"
        question = say(
            "writing/chapter", name=unmarked(name), number=number + 1, of=max(len(sections), number + 1),
            chapter=unmarked(chapter_now), low=int(wanted * 0.85),
            high=int(wanted * 1.15), facts=facts, before=unmarked(_bounded(notes)), ending=unmarked(ending),
            matter=unmarked("\n".join(section.matter)), setting=_SETTINGS[seed % len(_SETTINGS)],
        )  # fmt: skip
        prompt = Prompt(
            (writer.system, Message("user", question)),
            "book",
            int(wanted * 2.2) + 120,
            writer.writing.temperature,
            seed,
        )
        text, reason = await ask_text(writer.model, prompt, _check(wanted))
        number += 1
        if not text:
            lost += 1
            script.missing[f"book part {number}"] = reason
            continue
        text, note = _parted(text)
        notes.append(f"{number}. {section.chapter}: {note}")
        ending = " ".join(text.split()[-_ENDING:])
        if chapter_now != chapter:
            pages.append(f"## {chapter_now}")
            chapter = chapter_now
        pages.append(text)
        written += len(text.split())
    if written:
        script.texts["book"] = "\n\n".join(pages) + "\n"
    elif lost:
        script.missing["book"] = "no part of it came right"


def _check(wanted: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        return fault(_parted(text)[0], words=(int(wanted * 0.5), int(wanted * 1.6)), sentence=True)

    return check


def _parted(text: str) -> tuple[str, str]:
    """The text and its note; where the model left the note out, the last words of the text stand for it."""
    found = _KEPT.search(text)
    body = text[: found.start()].strip() if found else text.strip()
    note = " ".join((found[1] if found else " ".join(body.split()[-_SHORT:])).split()[: _SHORT + 10])
    return body, note


def _bounded(notes: Sequence[str]) -> str:
    """The notes, oldest first, within bounds: of the earlier ones fewer words are kept."""
    out: list[str] = []
    room = _NOTES
    for back, note in enumerate(reversed(notes)):
        words = note.split()[: 50 if back < 12 else 14]
        room -= len(words)
        if room < 0:
            break
        out.append(" ".join(words))
    return "\n".join(reversed(out))
