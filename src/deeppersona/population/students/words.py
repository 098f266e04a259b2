"""A batch of pupils in words: names of the pupil, the nearest friend, the teacher and the siblings, and every trait's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deeppersona.generation.naming import Naming, birth_year, whole_name
from deeppersona.generation.person import number_word, ordinal
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.draw import Pupils
from deeppersona.population.students.home import MOST_SIBLINGS
from deeppersona.population.students.schema import Schema, Topic
from deeppersona.runtime.seed import Dice, label_keys
from deeppersona.schema.phrase import conjugate, join_words

_LABELS: Final = (
    "given", "family", "friend", "teacher sex", "teacher given", "teacher family", "friend family", "school", "school number",
    "school surname",
    *(f"sibling {k}" for k in range(MOST_SIBLINGS)),
)  # fmt: skip
_KEYS = label_keys([f"name/{label}" for label in _LABELS])
_FIRST_SIBLING = _LABELS.index("sibling 0")
_TEACHER_BORN = 1984
_MEN_WHO_TEACH = (
    0.38  # share of men among the teachers of primary and secondary schools (UNESCO UIS, about a third to two fifths)
)
_LAST_PRIMARY, _SCHOOLS = 6, 60
_NAMED_SIBLINGS = 3
_GOLDEN = 0.6180339887


@dataclass(slots=True)
class Named:
    """The names of one pupil's life: siblings as (name, age, sex code), in order of birth; ``friend`` is empty for none."""

    given: str
    whole: str
    friend: str
    friend_whole: str
    teacher: str
    teacher_sex: int
    school: str
    siblings: list[tuple[str, int, int]]


def names_of(pupils: Pupils, seed: int | str, columns: Columns) -> Iterator[Named]:
    """Names for every pupil of a batch, in the order of the rows."""
    uniforms = Dice(f"pupils {seed}", columns["slot"]).uniforms(_KEYS).tolist()
    frames = pupils.schema.telling["school_names"]
    wanted = ("country", "naming", "sex", "age", "grade", "friends", "friend_sex", "sibling_ages", "sibling_sexes")
    for u, *row in zip(uniforms, *(columns[name].tolist() for name in wanted), strict=True):
        yield _named(pupils.homes.naming[row[0]], u, row[1:], frames)


def _named(naming: Naming, u: list[float], row: list[Any], frames: list[str]) -> Named:
    tradition, sex, age, grade, friends, friend_sex, ages, sexes = row
    born = birth_year(age)
    name = naming.name(tradition, sex, born, u[0], u[1])
    taken = {name.given}
    friend = whole = ""
    if friends:
        friend = _fresh(naming, tradition, friend_sex, born, u[2], taken)
        whole = whole_name(naming.traditions[tradition], friend, naming.family(tradition, friend_sex, u[6]))
    teacher_sex = int(u[3] < _MEN_WHO_TEACH)
    teacher = naming.name(tradition, teacher_sex, _TEACHER_BORN, u[4], u[5]).whole
    siblings = []
    for k, sibling_age in enumerate(ages):
        if sibling_age >= 0:
            girl = sexes[k]
            given = _fresh(naming, tradition, girl, birth_year(sibling_age), u[_FIRST_SIBLING + k], taken)
            siblings.append((given, sibling_age, girl))
    siblings.sort(key=lambda s: -s[1])
    school = _school(frames[int(u[7] * len(frames))], naming.family(tradition, 1, u[9]), grade, u[8])
    return Named(name.given, name.whole, friend, whole, teacher, teacher_sex, school, siblings)


def _school(frame: str, surname: str, grade: int, u: float) -> str:
    """The name of a school that is none: after a surname of the country, or by number."""
    kind = "Primary" if grade <= _LAST_PRIMARY else "Secondary"
    n = 1 + int(u * _SCHOOLS)
    return frame.format(
        surname=surname or f"{ordinal(1 + n % 9).capitalize()}", kind=kind, n=n, th=ordinal(1 + n % 10).capitalize()
    )


def _fresh(naming: Naming, tradition: int, sex: int, born: int, u: float, taken: set[str]) -> str:
    """A given name nobody else in the pupil's life bears, as far as the tradition allows."""
    given = naming.given(tradition, sex, born, u)
    tries = 0
    while given in taken and tries < 8:
        tries += 1
        given = naming.given(tradition, sex, born, (u + tries * _GOLDEN) % 1.0)
    taken.add(given)
    return given


def house_words(named: Named, age: int, mother: int, father: int, grandparent: int, sex: int) -> str:
    """Who shares the roof: ``both parents, a grandmother, an older sister called Ama and two younger brothers``."""
    their = "her" if sex == 0 else "his"
    elders = ("", "a grandmother", "a grandfather", "two grandparents")[grandparent]
    if not mother and not father:
        listed = [{1: f"{their} grandmother", 2: f"{their} grandfather"}.get(grandparent, f"{their} grandparents")]
    else:
        both = ("both parents", "mother and father", f"{their} parents")[len(named.given) % 3]
        listed = [both if mother and father else f"{their} {'mother' if mother else 'father'}"]
        listed += [elders] if elders else []
    return join_words(listed + _sibling_words(named, age))


def _sibling_words(named: Named, age: int) -> list[str]:
    if len(named.siblings) > _NAMED_SIBLINGS:
        return [f"{number_word(len(named.siblings))} brothers and sisters"]
    groups: dict[tuple[bool, int], list[str]] = {}
    for name, other, sex in named.siblings:
        groups.setdefault((other > age, sex), []).append(name)
    ages = {name: other for name, other, _ in named.siblings}
    said = []
    for (older, sex), names in groups.items():
        kin, which = ("sister", "brother")[sex], ("older" if older else "younger")
        article = "an" if older else "a"
        years = ages[names[0]]
        forms = (
            f"{article} {which} {kin} called {names[0]}", f"the {which} {kin} {names[0]}",
            f"a {kin} of {number_word(years) if years else 'some months'} called {names[0]}",
        )  # fmt: skip
        one = forms[len(names[0]) % 3]
        said.append(one if len(names) == 1 else f"{number_word(len(names))} {which} {kin}s")
    return said


class Values:
    """What the topics' codes say, for either sex; ``text`` is used by records, sentences and rules alike."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._said = {
            (topic.path, name, sex): [option.said(sex) for option in options]
            for topic in schema.topics for name, options in topic.parts.items() for sex in (0, 1)
        }  # fmt: skip
        self._value = {
            (t.path, sex): conjugate_slots(t.value, tuple(t.parts), sex) for t in schema.topics for sex in (0, 1)
        }

    def frame(self, topic: Topic, sex: int) -> str:
        """The value's frame, its parts as ``{part}``."""
        return self._value[topic.path, sex]

    def of(self, columns: Columns) -> Said:
        """What the topics of a batch say."""
        return Said(self._said, self.schema, columns)


class Said:
    """What the topics of a batch say, put into words when it is asked for: most of it never is."""

    def __init__(self, texts: Mapping[tuple[str, str, int], list[str]], schema: Schema, columns: Columns) -> None:
        self._sex: list[int] = columns["sex"].tolist()
        self._lists: dict[str, list[list[int]]] = {
            t.path: [columns[c].tolist() for c in t.columns()] for t in schema.topics
        }
        self._many = {t.path for t in schema.topics if t.kind == "many"}
        self._parts = {
            t.path: [(name, [texts[t.path, name, sex] for sex in (0, 1)]) for name in t.parts] for t in schema.topics
        }  # fmt: skip

    def says(self, path: str, row: int) -> Any:
        """The dictionary of parts, the list of choices, or None where a pupil has nothing to say on a topic."""
        lists, parts, sex = self._lists[path], self._parts[path], self._sex[row]
        if lists[0][row] < 0:
            return None
        if path in self._many:
            words = parts[0][1][sex]
            return [words[codes[row]] for codes in lists if codes[row] >= 0]
        return {name: words[sex][codes[row]] for (name, words), codes in zip(parts, lists, strict=True)}


def conjugate_slots(template: str, slots: tuple[str, ...], sex: int) -> str:
    """Set pronouns and verbs for a sex, leave the slots standing as ``{slot}``; a capital slot is a slot too."""
    held = template
    for slot in slots:
        for form in (slot, slot[0].upper() + slot[1:]):
            held = held.replace(f"{{{form}}}", f"<{slot}>")
    said = conjugate(held, "she" if sex == 0 else "he")
    for slot in slots:
        said = said.replace(f"<{slot}>", f"{{{slot}}}")
    return said


def place_words(city: str, rural: int, country: str, several: bool) -> str:
    """``Kisumu``, ``a village near Kisumu``; with the country where pupils of several are made."""
    near = ("a village near", "a village outside", "the villages round", "the country outside")[len(city) % 4]
    where = f"{near} {city}" if rural else city
    return f"{where}, {country}" if several and country != city else where
