"""The profile: three or four paragraphs of sentence frames, chosen by the pupil's own dice. Nothing is said that no trait carries.

Each paragraph (home, school, people, self) has sentences that must be there and topics that may; sentences are added until the
length drawn for the pupil is reached. A paragraph says the name before it says she or he, and so does a sentence that follows
one about somebody else of the same sex. Short neighbours are sometimes joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deeppersona.population.students.choose import Columns
from deeppersona.population.students.draw import Pupils
from deeppersona.population.students.frames import Line, Told, Words, compile_line, sentence
from deeppersona.population.students.sheets import OPENING, PARAGRAPHS, Sheet, Sheets
from deeppersona.population.students.words import Named
from deeppersona.schema.phrase import join_words

_SHORTEST, _LONGEST = 128, 182  # words a profile is filled up to, before its last sentence
_FUSED, _SHORT = 0.28, 10  # chance that two neighbours of at most so many words are joined
_JOINED = 0.5  # chance that two paragraphs are one, where they may be
_GROUPS = ("level", "route", "friends")
_SHINES, _TRIPS = "student.academic.shines_at", "student.academic.trips_on"
# How often a sentence that is no topic's is told.
_HOUSE, _WORK, _BOTH, _FRIENDS, _WELLBEING, _WORTH = 0.8, 0.6, 0.3, 0.8, 0.6, 0.4
_ONE_SENTENCE, _IN_SUBJECT, _LEVEL, _MARK, _BEST_MARK, _HOMEWORK = 0.5, 0.5, 0.6, 0.35, 0.6, 0.2


class Teller:
    """Tells pupils of a population. Build it once a process."""

    def __init__(self, pupils: Pupils) -> None:
        self.pupils, self.schema = pupils, pupils.schema
        self.laid = Sheets(pupils)
        self.values = self.laid.values
        telling = self.schema.telling
        flat = {name: lines for name, lines in telling.items() if isinstance(lines, list)}
        for group in _GROUPS:
            flat |= {f"{group}/{name}": lines for name, lines in telling[group].items()}
        for name, grades in telling["wellbeing"].items():
            flat |= {f"wellbeing/{name}/{g}": lines for g, lines in enumerate(grades, 1)}
        flat |= {f"topic/{t.path}": list(t.say) for t in self.schema.topics if t.say}
        slots = {f"topic/{t.path}": tuple(t.parts) for t in self.schema.topics}
        self._lines: dict[tuple[str, int], list[Line]] = {
            (name, sex): [compile_line(frame, slots.get(name, ()), sex) for frame in frames]
            for name, frames in flat.items() for sex in (0, 1)
        }  # fmt: skip
        self._openings = {
            (t.path, sex): early for t in self.schema.topics if t.opens for sex in (0, 1)
            if (early := [line for line in self._lines[f"topic/{t.path}", sex] if line.early])
        }  # fmt: skip

    def sheets(self, seed: int | str, columns: Columns, names: Sequence[Named], attempt: int = 0) -> list[Sheet]:
        """What there is to tell of each pupil of a batch; another ``attempt`` tells it otherwise."""
        return self.laid.lay(seed, columns, names, attempt)

    def tell(self, sheet: Sheet) -> str:
        """The profile of one pupil. A sheet is told once."""
        parts = {
            "home": self._home(sheet), "school": self._school(sheet), "people": self._people(sheet), "self": self._self(sheet)
        }  # fmt: skip
        for part, told in parts.items():  # no paragraph of one sentence
            if len(told) < 2 and (more := self._topic(sheet, part)):
                told.append(more)
        goal = _SHORTEST + sheet.draw() * (_LONGEST - _SHORTEST)
        length = sum(t.length() for part in parts.values() for t in part)
        turn, dry = int(sheet.draw() * len(PARAGRAPHS)), 0
        while length < goal and dry < len(PARAGRAPHS):
            part = PARAGRAPHS[turn % len(PARAGRAPHS)]
            turn += 1
            more = self._topic(sheet, part)
            dry = 0 if more else dry + 1
            if more:
                parts[part].append(more)
                length += more.length()
        return self._joined(sheet, parts)

    # -- what a paragraph is built around -------------------------------------------------------------------------------

    def _home(self, sheet: Sheet) -> list[Told]:
        """The opening, who it is, the route if it was no straight one, who is at home, what the parents do."""
        w = sheet.words
        out = [self._opening(sheet), self._line(sheet, "who")]
        if (f"route/{w['route']}", sheet.sex) in self._lines:
            out.append(self._line(sheet, f"route/{w['route']}"))
        if sheet.draw() < _HOUSE:
            out.append(self._line(sheet, w["#home"]))
        works = [p for p in ("mother", "father") if w[f"{p}_work"]]
        if works and sheet.draw() < _WORK:
            both = len(works) == 2 and sheet.draw() < _BOTH
            out.append(self._line(sheet, "work_both" if both else f"work_{works[int(sheet.draw() * len(works))]}"))
        return out

    def _opening(self, sheet: Sheet) -> Told:
        """A particular thing, with the name in its first words."""
        paths = self.laid.paths[OPENING]
        for k in sheet.order[OPENING]:
            path = paths[k]
            if lines := self._openings.get((path, sheet.sex)):
                sheet.used.add(path)
                return Told(sheet.one_of(lines), self._with_parts(sheet, path))
        return self._line(sheet, "who")

    def _school(self, sheet: Sheet) -> list[Told]:
        """Strong and weak subjects in one sentence or two; where they show; level; a mark; homework."""
        w, out = sheet.words, []
        if w["#weak"] != "none" and sheet.draw() < _ONE_SENTENCE:
            out.append(self._line(sheet, "strong_weak"))
        else:
            out += [self._line(sheet, f"strong_{w['#strong']}"), self._line(sheet, f"weak_{w['#weak']}")]
        for key, path in (("shines", _SHINES), ("trips", _TRIPS)):
            said = sheet.says(path)
            if said is not None and sheet.draw() < _IN_SUBJECT:
                w[key] = said[key]
                sheet.used.add(path)
                out.append(self._line(sheet, key))
        if sheet.draw() < _LEVEL:
            out.insert(int(sheet.draw() * (len(out) + 1)), self._line(sheet, f"level/{w['level']}"))
        if sheet.draw() < _MARK:
            best = w["#weak"] == "none" or sheet.draw() < _BEST_MARK
            out.append(self._line(sheet, "best_mark" if best else "worst_mark"))
        if sheet.draw() < _HOMEWORK:
            out.append(self._line(sheet, "homework"))
        return out

    def _people(self, sheet: Sheet) -> list[Told]:
        """Friends, how the pupil is, or both."""
        out = [self._line(sheet, f"friends/{sheet.words['#friends']}")] if sheet.draw() < _FRIENDS else []
        if sheet.draw() < _WELLBEING or not out:
            out.insert(int(sheet.draw() * 2), self._line(sheet, sheet.words["#wellbeing"]))
        return out

    def _self(self, sheet: Sheet) -> list[Told]:
        """The two to four descriptions; what matters."""
        out = [self._line(sheet, "described")]
        if sheet.words["worth"] and sheet.draw() < _WORTH:
            out.insert(int(sheet.draw() * 2), self._line(sheet, "matters"))
        return out

    # -- sentences ------------------------------------------------------------------------------------------------------

    def _line(self, sheet: Sheet, name: str) -> Told:
        return Told(sheet.one_of(self._lines[name, sheet.sex]), sheet.words)

    def _topic(self, sheet: Sheet, part: str) -> Told | None:
        """The next topic of a paragraph that was not told yet."""
        paths = self.laid.paths[part]
        for k in sheet.order[part]:
            path = paths[k]
            if path not in sheet.used:
                sheet.used.add(path)
                return Told(sheet.one_of(self._lines[f"topic/{path}", sheet.sex]), self._with_parts(sheet, path))
        return None

    @staticmethod
    def _with_parts(sheet: Sheet, path: str) -> Words:
        """The words of a topic's frames: its parts, or the list of what was chosen."""
        found = sheet.says(path)
        if isinstance(found, list):
            return {**sheet.words, "value": join_words(found)}
        words: Words = {**sheet.words, **found}
        if words["friend"]:
            for name, text in found.items():
                if "{friend}" in text:
                    words[name] = text.replace("{friend}", words["friend"])
        return words

    # -- paragraphs -----------------------------------------------------------------------------------------------------

    def _joined(self, sheet: Sheet, parts: Mapping[str, list[Told]]) -> str:
        """Home first, the others in one of six orders; where people and self follow each other they are sometimes one."""
        order = list(PARAGRAPHS[1:])
        for k in (2, 1):
            j = int(sheet.draw() * (k + 1))
            order[k], order[j] = order[j], order[k]
        out = [self._paragraph(sheet, parts[name]) for name in ("home", *order)]
        if order[1] != "school" and sheet.draw() < _JOINED:
            at = 1 if order[2] == "school" else 2
            out[at : at + 2] = [f"{out[at]} {out[at + 1]}"]
        return "\n\n".join(out)

    def _paragraph(self, sheet: Sheet, block: Sequence[Told]) -> str:
        out: list[str] = []
        named = False
        subject = "She " if sheet.sex == 0 else "He "
        for told in block:
            line = told.line
            with_name = line.named if not named else None
            text = sentence(with_name.format_map(told.words) if with_name else told.plain())
            named = (named or with_name is not None) and not _mistakable(told)
            if out and text.startswith(subject) and _fits_behind(out[-1], text) and sheet.draw() < _FUSED:
                glue = (", and ", "; ")[int(sheet.draw() * 2)]
                out[-1] = f"{out[-1][:-1]}{glue}{text[0].lower()}{text[1:]}"
            else:
                out.append(text)
        return " ".join(out)


def _mistakable(told: Told) -> bool:
    """Whether a she or he behind this sentence could be somebody else in it."""
    return bool(told.line.others) and told.words[f"#{told.line.others}"] == told.words["#sex"]


def _fits_behind(before: str, text: str) -> bool:
    """Whether two sentences are short and plain enough to be one."""
    plain = not any(mark in before for mark in (",", ";", ":", "'", " and "))
    return plain and before.count(" ") < _SHORT and text.count(" ") < _SHORT and before.endswith(".")
