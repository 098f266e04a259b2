"""What there is to tell of each pupil of a batch: words for the slots of sentences, topics in the order they come up, draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.generation.person import number_word, ordinal, with_article
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.draw import Pupils
from deeppersona.population.students.frames import Line, Words
from deeppersona.population.students.words import Named, Said, Values, conjugate_slots, house_words, place_words
from deeppersona.runtime.seed import Dice, label_keys
from deeppersona.schema.phrase import join_words

PARAGRAPHS = ("home", "school", "people", "self")
OPENING = "opening"
_DRAWS = 72
_KEYS = label_keys([f"tell/{k}" for k in range(_DRAWS)])
_SEXES = ("she", "he")
_GRADE_WORDS = ("", *(ordinal(n) for n in range(1, 11)), "eleventh", "twelfth")
_MATTERS = 4  # the least grade of a value that is said to matter


@dataclass(slots=True)
class Sheet:
    """One pupil: words for slots, what the topics say, draws; ``order`` has by paragraph the topics as they come up.

    Topics in ``order`` are places in ``Sheets.paths``; only those with something to say are there. ``used`` grows.
    """

    sex: int
    words: Words
    said: Said
    row: int
    order: dict[str, list[int]]
    u: list[float]
    at: int = 0
    used: set[str] = field(default_factory=set)

    def says(self, path: str) -> Any:
        """What a topic says of this pupil: its parts, or the list of choices; None for nothing."""
        return self.said.says(path, self.row)

    def draw(self) -> float:
        """The next draw of this pupil, uniform."""
        self.at += 1
        return self.u[self.at % _DRAWS]

    def one_of(self, lines: Sequence[Line]) -> Line:
        """One of the lines."""
        return lines[int(self.draw() * len(lines))]


class Sheets:
    """Lays out the sheets of a population's pupils. Build it once a process."""

    def __init__(self, pupils: Pupils) -> None:
        self.pupils, self.schema = pupils, pupils.schema
        self.values = Values(pupils.schema)
        topics = [t for t in self.schema.topics if t.say]
        by_part = {part: [t for t in topics if t.part == part] for part in PARAGRAPHS}
        by_part[OPENING] = [t for t in topics if t.opens]
        self.paths = {part: [t.path for t in listed] for part, listed in by_part.items()}
        self._first = {t.path: t.columns()[0] for t in self.schema.topics}
        self._described = [t.path for t in self.schema.topics if t.kind == "described"]
        self._worth = {
            (name, sex): [conjugate_slots(text, (), sex) for text in texts]
            for name, texts in self.schema.telling["worth"].items() for sex in (0, 1)
        }  # fmt: skip
        self._names = {g: [d.name for d in self.schema.dimensions if d.group == g] for g in ("values", "wellbeing")}

    def lay(self, seed: int | str, columns: Columns, names: Sequence[Named], attempt: int = 0) -> list[Sheet]:
        """One sheet a row of the columns; another ``attempt`` tells the same otherwise."""
        dice = Dice(f"pupils {seed}", columns["slot"])
        dice = dice.again(attempt) if attempt else dice
        draws = dice.uniforms(_KEYS).tolist()
        said = self.values.of(columns)
        orders = {part: self._orders(dice, part, columns) for part in self.paths}
        out = []
        for i, (words, sex) in enumerate(zip(self._words(columns, names), columns["sex"].tolist(), strict=True)):
            order = {part: ranked[i] for part, ranked in orders.items()}
            found = (said.says(path, i) for path in self._described)
            words["described"] = join_words([one["does"] for one in found if one is not None])
            out.append(Sheet(sex, words, said, i, order, draws[i]))
        return out

    def _orders(self, dice: Dice, part: str, columns: Columns) -> list[list[int]]:
        """In which order a pupil's topics of a paragraph come up, one list a pupil; those with nothing to say left out."""
        paths = self.paths[part]
        u = dice.uniforms(label_keys([f"order/{part}/{path}" for path in paths]))
        there = np.stack([columns[self._first[path]] >= 0 for path in paths], axis=1)
        ranked = np.where(there, u, 2.0).argsort(axis=1, kind="stable").tolist()
        return [row[:count] for row, count in zip(ranked, there.sum(axis=1).tolist(), strict=True)]

    def _words(self, columns: Columns, names: Sequence[Named]) -> list[Words]:
        """The words of the slots that are no topic's; a slot with nothing in it has an empty text."""
        keys = ("country", "city", "rural", "sex", "age", "grade", "mother_home", "father_home", "grandparent", "mother_work",
                "father_work", "average", "friends", "friend_sex", "minutes", "level", "route")  # fmt: skip
        rows = zip(*(columns[k].tolist() for k in keys), strict=True)
        subjects = zip(
            *(codes_of(columns, k).tolist() for k in ("strong", "weak")), columns["marks"].tolist(), strict=True
        )
        out = []
        for row, listed, named in zip(rows, subjects, names, strict=True):
            r = dict(zip(keys, row, strict=True))
            out.append({**self._who(r, named), **self._school(r, *listed)})
        self._graded(columns, out)
        return out

    def _who(self, r: Mapping[str, int], named: Named) -> Words:
        homes = self.pupils.homes
        country = homes.countries[r["country"]]
        town = homes.places[r["country"]].names[r["city"]]
        age, sex = r["age"], r["sex"]
        return {
            "name": named.given, "friend": named.friend, "friend_whole": named.friend_whole, "teacher": named.teacher,
            "school": named.school, "age": str(age), "age_word": number_word(age),
            "place": place_words(town, r["rural"], country.name, len(homes.countries) > 1),
            "#where": place_words(town, r["rural"], country.name, several=True),
            "house": house_words(named, age, r["mother_home"], r["father_home"], r["grandparent"], sex),
            "#home": "home" if named.siblings else "alone",
            **self._work("mother", 0, r["mother_work"]), **self._work("father", 1, r["father_work"]),
            "friends": number_word(r["friends"]), "#friends": str(min(r["friends"], 3)),
            "#sex": _SEXES[sex], "#friend": _SEXES[r["friend_sex"]], "#teacher": _SEXES[named.teacher_sex],
            "#mother": "she", "#father": "he",
        }  # fmt: skip

    def _school(self, r: Mapping[str, int], strong: list[int], weak: list[int], marks: list[int]) -> Words:
        subject, (best, worst) = self.schema.subject_words, (strong[0], weak[0])
        grade = r["grade"]
        return {
            "grade": str(grade), "grade_th": _GRADE_WORDS[grade], "average": str(r["average"]), "minutes": str(r["minutes"]),
            "strong": join_words([subject[k] for k in strong if k >= 0]),
            "weak": join_words([subject[k] for k in weak if k >= 0]),
            "best": subject[best], "worst": subject[worst] if worst >= 0 else "",
            "best_mark": str(marks[best]), "worst_mark": str(marks[worst]),
            "#strong": "many" if strong[1] >= 0 else "one",
            "#weak": "none" if worst < 0 else "many" if weak[1] >= 0 else "one",
            "level": self.schema.levels[r["level"]], "route": self.schema.routes[r["route"]],
        }  # fmt: skip

    def _work(self, parent: str, sex: int, row: int) -> Words:
        """A parent's work, where it is done, and what is said of it at supper."""
        jobs = self.pupils.homes.facts.occupations
        if row < 0:
            return {f"{parent}_work": ""}
        return {
            f"{parent}_work": with_article(jobs.title_by_sex[sex][row]), f"{parent}_place": jobs.place[row],
            f"{parent}_grumble": jobs.grumble[row],
        }  # fmt: skip

    def _graded(self, columns: Columns, out: list[Words]) -> None:
        """The value that matters most, and the wellbeing grade furthest from the middle, into the words."""
        values = np.stack([columns[name] for name in self._names["values"]], axis=1)
        grades = np.stack([columns[name] for name in self._names["wellbeing"]], axis=1)
        odd = np.abs(grades - 3).argmax(axis=1)
        told = (values.argmax(axis=1), values.max(axis=1), odd, grades[np.arange(len(odd)), odd], columns["sex"])
        for words, best, strength, which, grade, sex in zip(out, *(x.tolist() for x in told), strict=True):
            said = self._worth[self._names["values"][best], sex]
            words["worth"] = said[sum(words["name"].encode()) % len(said)] if strength >= _MATTERS else ""
            words["#wellbeing"] = f"wellbeing/{self._names['wellbeing'][which]}/{grade}"


def codes_of(columns: Columns, name: str) -> NDArray[Any]:
    """``strong_0..2`` or ``weak_0..2`` side by side, shape (n, 3)."""
    return np.stack([columns[f"{name}_{k}"] for k in range(3)], axis=1)
