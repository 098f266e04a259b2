"""What a model is given of a pupil to tell them anew, and the rules on texts in words that a writer can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from deeppersona.models.text import fault
from deeppersona.population.brief import TEXT, THEM, Brief, Pairs, Record, retold
from deeppersona.population.revise import near_pairs, sentences
from deeppersona.population.students.rules import broken_texts
from deeppersona.population.students.schema import shipped_schema
from deeppersona.population.students.texts import Told, clinical_words, slip_of, told_of
from deeppersona.prompts import say, unmarked
from deeppersona.schema.phrase import Person as Pronoun
from deeppersona.schema.phrase import conjugate, join_words

WORDS = (130, 220)  # asked for; the rule bears a little less and more
_PRONOUN: Mapping[str, Pronoun] = {"female": "she", "male": "he"}
_OTHERS = {"she": "he, him, his or himself", "he": "she, her, hers or herself", "they": "anything untrue"}
_SECTIONS = (
    "home",
    "school",
    "academic",
    "learning",
    "social",
    "personality",
    "values",
    "creativity",
    "wellbeing",
    "interests",
    "self",
)
_TOLD_APART = (
    "student.grade", "student.development.", "student.academic.percentile", "student.academic.subjects", "student.academic.strong",
    "student.academic.weak", "student.academic.cluster", "student.academic.marks.",
)  # fmt: skip
_OPENINGS = (
    "with an hour of the school day", "with a thing {they} always {have} about {them}", "at home, before school", "on the way to school",
    "with a lesson that goes well", "with a lesson that does not", "with a friend, or with being alone", "with something {they} once did",
    "with what {they} {do} when the bell rings", "with what others know {them} for", "in the middle of a break", "with a habit",
)  # fmt: skip


def pupil_brief(record: Record, dice: int) -> Brief:
    """The brief of a pupil: all that is known, and the grammar's telling of it."""
    told = next(told_of([record], subject_words()))
    pronoun = _PRONOUN.get(told.sex, "they")
    name = next((part for part in told.names if part in told.text), told.whole)
    question = say(
        "population/profile", facts=facts_of(record), text=unmarked(told.text), name=unmarked(name), they=pronoun, them=THEM[pronoun],
        never=_OTHERS[pronoun], age=told.age, grade=told.grade, low=WORDS[0], high=WORDS[1], strong=_listed(told.strong),
        weak=_listed(told.weak), opening=conjugate(_OPENINGS[dice % len(_OPENINGS)], pronoun),
    )  # fmt: skip

    def issues(text: str) -> dict[str, str]:
        return issues_of(next(told_of([retold(record, text, "a model")], subject_words())))

    def pairs(text: str) -> Pairs:
        drawn = [
            *sentences(record[TEXT]),
            *(f"{name}: {line}." for lines in _by_section(record).values() for line in lines),
        ]
        return near_pairs([(TEXT, s) for s in sentences(text)], drawn)

    return Brief(told.whole, question, WORDS, issues, pairs)


def facts_of(record: Mapping[str, Any]) -> str:
    """What is known of a pupil, in lines: about 800 tokens of a full record, 400 of a lean one."""
    row = {t["path"]: t["value"] for t in record["traits"]}
    country = next(
        (t.get("evidence", {}).get("name") for t in record["traits"] if t["path"] == "demographics.country"), None
    )
    place = f"{row.get('demographics.city')}, {country or row.get('demographics.country')} ({row.get('demographics.urban')})"
    strong, weak = (_spoken(row.get(f"student.academic.{k}", ())) for k in ("strong", "weak"))
    lines = [
        f"Name: {row.get('demographics.name')}",
        f"{row.get('demographics.sex')}, {row.get('demographics.age')} years old, grade {row.get('student.grade')}, of {place}."
        f" At home they speak {row.get('demographics.language')}.",
        f"Subjects that go well: {join_words(strong)}. Subjects that do not: {join_words(weak) or 'none'}.",
    ]
    return unmarked(
        "\n".join([*lines, *(f"{section}: {'; '.join(said)}" for section, said in _by_section(record).items())])
    )


def _by_section(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """The other traits, each as its name and value, by section of the schema."""
    found: dict[str, list[str]] = {}
    for path, value in _others(record):
        _, section, name = path.split(".", 2)
        words = join_words([str(x) for x in value]) if isinstance(value, list) else str(value)
        found.setdefault(section, []).append(f"{name.replace('_', ' ')}: {words or 'none'}")
    return {
        section: found[section] for section in (*_SECTIONS, *sorted(found.keys() - set(_SECTIONS))) if section in found
    }


def _others(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for trait in record["traits"]:
        path = str(trait["path"])
        if path.startswith("student.") and path.count(".") > 1 and not path.startswith(_TOLD_APART):
            yield path, trait["value"]


def issues_of(told: Told) -> dict[str, str]:
    """The rules a model's text breaks, by their ids, in words to act on; what makes it unfit whatever it tells comes first."""
    if wrong := fault(told.text, sentence=True):
        return {"text-reads": wrong}
    return {rule: _ACT_ON[rule](told) for rule in broken_texts([told]).get(0, [])}


def _subjects(told: Told) -> str:
    left = [s for s in (*told.strong, *told.weak) if s not in told.low]
    return f"it does not name, in these very words: {_listed(left)}"


def _pronouns(told: Told) -> str:
    pronoun = _PRONOUN.get(told.sex, "they")
    return f"say {pronoun} and {THEM[pronoun]} of {told.whole}, and never {_OTHERS[pronoun]}, not of others either: call them by name or kin"


def _clinical(told: Told) -> str:
    return f"words of illness have no place in it: {', '.join(clinical_words(told))}"


def _length(told: Told) -> str:
    n = len(told.text.split())
    mend = "tell more of the facts" if n < WORDS[0] else "leave some of it out"
    return f"it has {n} words; {WORDS[0]} to {WORDS[1]} are wanted: {mend}"


_ACT_ON: Mapping[str, Callable[[Told], str]] = {
    "text-says-name": lambda told: f"it does not name {told.whole}",
    "text-says-pronoun": _pronouns,
    "text-says-age": lambda told: f"it must say {told.age} years old, and no other age of anybody in years",
    "text-says-grade": lambda told: f"it must say grade {told.grade}, in these words, and no other grade",
    "text-says-subjects": _subjects,
    "text-not-clinical": _clinical,
    "text-fits-age": lambda told: f"love, paid work, drink and smoking have no place in it at {told.age}",
    "text-length": _length,
    "text-reads": lambda told: f"a slip of the pen: «{slip_of(told)}»",
}


@lru_cache(maxsize=1)
def subject_words() -> Mapping[str, str]:
    """How sentences call each subject of the shipped schema."""
    schema = shipped_schema()
    return dict(zip(schema.subjects, schema.subject_words, strict=True))


def _spoken(subjects: Any) -> list[str]:
    return [subject_words().get(str(s), str(s)) for s in subjects]


def _listed(words: Any) -> str:
    return ", ".join(f"«{word}»" for word in words)
