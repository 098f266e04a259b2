"""Sentence frames: read once for either sex, with a pronoun and with the name, and filled for one pupil at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deeppersona.population.students.words import conjugate_slots

Words = dict[str, str]
FACTS = (
    "name", "friend", "friend_whole", "teacher", "school", "grade", "grade_th", "age", "age_word", "place", "house",
    "mother_work", "mother_place", "mother_grumble", "father_work", "father_place", "father_grumble", "strong", "weak",
    "average", "best", "worst", "best_mark", "worst_mark", "shines", "trips", "worth", "friends", "minutes", "described", "value",
)  # fmt: skip
_FIRST_PRONOUN = re.compile(r"\{(They|they|Them|them|Theirs|theirs|Their|their)\}")
_LETTER = re.compile(r"[^\W\d_]")
_OTHERS = re.compile(r"\{(friend|friend_whole|teacher|mother_work|father_work)\}")
_EARLY = 4  # words before the name in an opening


@dataclass(frozen=True, slots=True)
class Line:
    """A frame for one sex: with the pronoun, and with the name in its place (None where there is no pronoun to replace).

    ``early`` says that the name comes within the first words; ``others`` whose sex a she or he in the next sentence could be
    taken for (friend, teacher, mother, father; empty for nobody).
    """

    plain: str
    named: str | None
    early: bool
    others: str


@dataclass(slots=True)
class Told:
    """A sentence on its way into a paragraph."""

    line: Line
    words: Words
    _text: str = ""

    def plain(self) -> str:
        """The sentence with the pronoun."""
        self._text = self._text or self.line.plain.format_map(self.words)
        return self._text

    def length(self) -> int:
        """How many words it will have, with the pronoun."""
        return self.plain().count(" ") + 1


def compile_line(frame: str, slots: tuple[str, ...], sex: int) -> Line:
    """Read a frame. ``slots`` are the parts of its topic; the facts are slots everywhere."""
    with_name = _FIRST_PRONOUN.sub(
        lambda m: "<name>'s" if m[1].lower().startswith("their") else "<name>", frame, count=1
    )
    known = (*slots, *(f for f in FACTS if f not in slots))
    named, early = None, False
    if with_name != frame:
        named = conjugate_slots(with_name, known, sex).replace("<name>", "{name}")
        early = len(named.split("{name}")[0].split()) < _EARLY
    other = _OTHERS.search(frame)
    return Line(conjugate_slots(frame, known, sex), named, early, other[1].partition("_")[0] if other else "")


def sentence(text: str) -> str:
    """The text with its first letter large, behind a quotation mark too."""
    if text[0].islower():
        return text[0].upper() + text[1:]
    first = _LETTER.search(text)
    at = first.start() if first else 0
    return text[:at] + text[at].upper() + text[at + 1 :] if at <= 1 else text
