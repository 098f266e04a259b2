"""The schema of a pupil: subjects, levels, stages, graded dimensions and topics, read from the YAML files of this folder.

A *topic* is one thing a pupil is told by. It has one or more *parts*, each a list of options with weights, grades, leanings and
the conditions (``fits``) under which an option is true of somebody. ``fits`` is read twice: when an option is drawn, and again
by the rules, from the finished record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deeppersona.errors import UsageError, unknown
from deeppersona.runtime.seed import Floats, Ints
from deeppersona.schema import vocabulary as v
from deeppersona.schema.phrase import conjugate

FOLDER = Path(__file__).parent
GRADES = 12
NONE = -1  # the code of a topic a pupil has nothing to say on
UNREAD = -2  # the code of a value that is none of the options
_FILES = ("home", "school", "people", "character", "interests", "small_things")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FACTS = ("friend", "teacher")
_TOKEN = re.compile(r"\{([A-Za-z_ ]+)\}")
_PRONOUNS = frozenset(("they", "them", "their", "theirs", "themself"))
_SPAN = re.compile(r"^(>=|<=)?\s*(-?\d+(?:\.\d+)?)?(?:\.\.(-?\d+(?:\.\d+)?)?)?$")
_KINDS = frozenset(("choice", "many", "described"))


@dataclass(frozen=True, slots=True)
class Fit:
    """A closed range a column must lie in."""

    key: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: text, weight, the grades it exists in, leanings (position, strength) and what it must fit."""

    text: str
    weight: float
    first: int
    last: int
    leans: tuple[tuple[str, float], ...]
    fits: tuple[Fit, ...]

    def said(self, sex: int) -> str:
        """The text with its pronouns set for a sex code."""
        if "{" not in self.text:
            return self.text
        held = self.text.replace("{friend}", "<friend>")  # a slot, not a verb
        return conjugate(held, "she" if sex == 0 else "he").replace("<friend>", "{friend}")


@dataclass(frozen=True)
class Topic:
    """One thing a pupil is told by: path, question, parts with options, the value they make, sentences that say it."""

    path: str
    asks: str
    part: str
    kind: str
    value: str
    parts: Mapping[str, tuple[Option, ...]]
    say: tuple[str, ...]
    fits: tuple[Fit, ...]
    chance: float
    most: int
    opens: bool
    of: str

    def columns(self) -> list[str]:
        """The names of the topic's columns of codes: one a part, or one a choice where several are made."""
        if self.kind == "many":
            return [f"{self.path}/{k}" for k in range(self.most)]
        return [f"{self.path}/{name}" for name in self.parts]

    def options_of(self, column: str) -> tuple[Option, ...]:
        """The options a column's codes point at."""
        name = column.rpartition("/")[2]
        return next(iter(self.parts.values())) if name.isdigit() else self.parts[name]

    def keys(self) -> frozenset[str]:
        """Columns looked at when the topic is drawn."""
        options = [o for part in self.parts.values() for o in part]
        looked = {f.key for o in options for f in o.fits} | {f.key for f in self.fits} | {"grade"}
        return frozenset(looked | {f"z:{k}" for o in options for k, _ in o.leans} | ({self.of} if self.of else set()))


@dataclass(frozen=True)
class Dimension:
    """A graded dimension: its group, the words of its five grades, the mix of positions it comes from, its sources."""

    group: str
    name: str
    what: str
    grades: tuple[str, ...]
    mix: Mapping[str, float]
    sources: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where the trait stands."""
        return f"student.{self.group}.{self.name.replace(' ', '_')}"


def _number(text: str | None, other: float) -> float:
    return other if text is None else float(text)


def parse_fit(key: str, raw: object) -> Fit:
    """Read ``">=4"``, ``"<=2"``, ``"2..4"``, ``"..0"`` or a single number. UsageError on anything else."""
    text = str(raw).strip()
    match = _SPAN.match(text)
    if match is None or not text:
        raise UsageError(f'{key}: cannot read {raw!r}; write ">=4", "<=2" or "2..4"')
    sign, first, second = match.groups()
    if sign or ".." not in text:
        at = _number(first, 0.0)
        return Fit(key, -np.inf if sign == "<=" else at, np.inf if sign == ">=" else at)
    return Fit(key, _number(first, -np.inf), _number(second, np.inf))


def _option(raw: object, span: str) -> Option:
    entry: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {"v": raw}
    if strange := set(entry) - {"v", "w", "leans", "fits"}:
        raise unknown("key of an option", sorted(strange)[0], ("v", "w", "leans", "fits"))
    first, _, last = span.partition("-")
    return Option(
        str(entry["v"]),
        float(entry.get("w", 1.0)),
        int(first),
        int(last or first),
        tuple((str(k), float(x)) for k, x in entry.get("leans", {}).items() if x),
        tuple(parse_fit(str(k), x) for k, x in entry.get("fits", {}).items()),
    )


def _options(groups: Mapping[Any, list[Any]]) -> tuple[Option, ...]:
    """All options of a part. The same text in several groups is several options: each has its grades."""
    return tuple(_option(raw, str(span)) for span, listed in groups.items() for raw in listed)


def _topic(raw: Mapping[str, Any]) -> Topic:
    kind = str(raw.get("kind", "choice"))
    if kind not in _KINDS:
        raise unknown("kind of topic", kind, sorted(_KINDS))
    return Topic(
        path=str(raw["path"]), asks=str(raw["asks"]), part=str(raw["part"]), kind=kind, value=str(raw["value"]),
        parts={str(name): _options(groups) for name, groups in raw["parts"].items()},
        say=tuple(raw.get("say", ())), fits=tuple(parse_fit(str(k), x) for k, x in raw.get("fits", {}).items()),
        chance=float(raw.get("chance", 1.0)), most=int(raw.get("most", 1)), opens=bool(raw.get("opens", False)),
        of=str(raw.get("of", "")),
    )  # fmt: skip


def _subject_topics(raw: Mapping[str, Any], names: list[str]) -> list[Topic]:
    """What shines in the best subject and what trips in the worst, from the lists by subject."""
    out = []
    for path, key, column, asks in (
        ("student.academic.shines_at", "shines", "best", "What goes best in the strongest subject."),
        ("student.academic.trips_on", "trips", "worst", "What goes wrong in the weakest subject."),
    ):
        options = []
        for subject, lists in raw.items():
            code = names.index(subject)
            options += [
                Option(str(text), 1.0, o.first, o.last, (), (Fit(column, code, code),))
                for o in _options(lists[key])
                for text in [o.text]
            ]
        out.append(
            Topic(path, asks, "academic", "choice", f"{{{key}}}", {key: tuple(options)}, (), (), 1.0, 1, False, "")
        )
    return out


class Schema:
    """Everything a pupil can be, with codes in the order of the lists; ``raw`` holds the numbers of ``schema.yaml``."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = [folder / "schema.yaml", folder / "telling.yaml", folder / "traits" / "subjects.yaml"]
        files += [folder / "traits" / f"{name}.yaml" for name in _FILES]
        texts = [file.read_text("utf-8") for file in files]
        self.fingerprint = "sha256:" + hashlib.sha256("\0".join(texts).encode()).hexdigest()
        read = [yaml.load(text, Loader=_LOADER) for text in texts]  # noqa: S506 - a safe loader
        self.raw: dict[str, Any] = read[0]
        self.telling: dict[str, Any] = read[1]
        self.subjects: list[str] = list(self.raw["subjects"])
        self.clusters: list[str] = self.raw["clusters"]["values"]
        self.levels: list[str] = self.raw["levels"]["values"]
        self.routes: list[str] = [r["value"] for r in self.raw["routes"]]
        self.bands: list[str] = self.raw["bands"]
        self.topics: tuple[Topic, ...] = (
            *(_topic(raw) for raw in read[3]), *_subject_topics(read[2], self.subjects),
            *(_topic(raw) for listed in read[4:] for raw in listed),
        )  # fmt: skip
        self.dimensions: tuple[Dimension, ...] = tuple(self._dimensions())
        self._check()

    def _dimensions(self) -> Iterator[Dimension]:
        for group, listed in self.raw["dimensions"].items():
            for name, d in listed.items():
                words = tuple(d.get("grades", self.raw["grades_of_a_dimension"]))
                yield Dimension(group, name, d["what"], words, d["mix"], tuple(d["sources"]))

    def _check(self) -> None:
        """Refuse a slot in a sentence that no part or fact fills, and a leaning on nothing known."""
        known = set(self.positions)
        for topic in self.topics:
            if len(topic.parts) == 1 and topic.value != f"{{{next(iter(topic.parts))}}}":
                raise UsageError(f"{topic.path} has one part, so its value is that part and nothing else")
            slots = set(topic.parts) | {"value", "grade", *_FACTS}
            for say in (topic.value, *topic.say):
                for token in _TOKEN.findall(say):
                    lower = token[0].lower() + token[1:]
                    fine = lower in slots or lower in _PRONOUNS or re.fullmatch(r"[a-z]+( not)?", lower)
                    if not fine:
                        raise unknown(f"slot in {topic.path}", token, sorted(slots))
            for option in (o for part in topic.parts.values() for o in part):
                for key, _ in option.leans:
                    if key not in known:
                        raise unknown(f"position in {topic.path}", key, sorted(known))
            for name, part in topic.parts.items():
                for grade in range(1, GRADES + 1):
                    there = [
                        (o.text, o.fits if topic.part == "academic" else ()) for o in part if o.first <= grade <= o.last
                    ]
                    if len(there) != len(set(there)):
                        raise UsageError(f"{topic.path}, {name}: an option stands twice in grade {grade}")

    @cached_property
    def positions(self) -> tuple[str, ...]:
        """The positions choices lean on."""
        plain = ("ability", "background", "means", "development", "urban", "age", "girl", "teenage_girl")
        shared = ("creative", "steady", "conserving", "striving")
        return (*v.TRAIT_5, *plain, *shared, *(f"for_{name}" for name in self.clusters))

    @cached_property
    def cluster_of(self) -> Ints:
        """Subject code -> cluster code."""
        return np.array([self.clusters.index(s["cluster"]) for s in self.raw["subjects"].values()])

    @cached_property
    def taught(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Whether a subject is taught in a grade, shape (13, subjects); row 0 is no grade."""
        spans = [s["grades"] for s in self.raw["subjects"].values()]
        first, last = np.array(spans).T
        grade = np.arange(GRADES + 1)[:, None]
        return np.asarray((first <= grade) & (grade <= last))

    @cached_property
    def subject_words(self) -> list[str]:
        """How a sentence calls each subject."""
        return [s.get("say", name) for name, s in self.raw["subjects"].items()]

    @cached_property
    def topic(self) -> Mapping[str, Topic]:
        """Path -> topic."""
        return {t.path: t for t in self.topics}

    def base_joint(self) -> Floats:
        """Shares of pupils by grade x sex x cluster x level, shape (12, 2, 6, 4), summing to one.

        Grades are equal in size, levels have the shares of their definition and do not depend on the rest; the cluster
        depends on stage of school and sex (see ``clusters`` in schema.yaml). The table a quota is fitted to by default.
        """
        raw = self.raw["clusters"]
        girls = np.array(raw["girls"])
        by_stage = np.array(raw["shares"], dtype=float)[:, None, :] * np.stack([girls, 1 / girls])[None]
        by_stage /= by_stage.sum(axis=-1, keepdims=True)
        sexes = np.array([self.raw["sex_share_of_girls"], 1 - self.raw["sex_share_of_girls"]])
        cluster = by_stage[(np.arange(GRADES)) // 3] * sexes[None, :, None] / GRADES
        return np.asarray(cluster[..., None] * np.array(self.raw["levels"]["shares"]))


@lru_cache(maxsize=1)
def shipped_schema() -> Schema:
    """The schema that comes with deeppersona, read once."""
    return Schema()
