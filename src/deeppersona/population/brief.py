"""What a model is given of a finished person to tell them anew, and what its text is held to.

A brief is made from the record alone, so that people can be told long after they were made, on another machine. Its checks are the
predicates that ``deeppersona check`` runs; a text that breaks none here breaks none there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deeppersona.generation.records import spoken_value
from deeppersona.generation.writing.writer import PORTRAIT
from deeppersona.models.text import fault
from deeppersona.population.judged import told_pairs
from deeppersona.population.validators import validate
from deeppersona.prompts import say, unmarked
from deeppersona.schema.persona import Persona
from deeppersona.schema.phrase import Person as Pronoun
from deeppersona.schema.phrase import capitalise, conjugate, join_words, singular
from deeppersona.schema.taxonomy import Attribute, Taxonomy

Record = dict[str, Any]
Pairs = list[tuple[str, str, str]]
SENTENCES = 56  # of the traits somebody is told by: about 900 tokens
TEXT = "narrative"
_PLACES = (TEXT, "system_prompt")  # of issues that are the text's
_REPEATED = 0.5  # what a second trait of a category loses against the first of another, in grades of telling
_CORE = ("education", "religion", "language", "income", "marital_status", "children", "former_occupation")
_NATURE = {
    "extraversion": ("reserved", "outgoing"), "neuroticism": ("calm", "easily worried"),
    "agreeableness": ("hard-headed", "soft-hearted"), "conscientiousness": ("careless", "orderly"),
    "openness": ("set in old ways", "curious"),
}  # fmt: skip
_LOW, _HIGH = 2.7, 3.9  # scores (1-5) from which a trait of personality is worth a word
_PRONOUN: Mapping[str, Pronoun] = {"female": "she", "male": "he"}
THEM = {"she": "her", "he": "him", "they": "them"}
_OPENINGS = (
    "with an hour of the day and what is done in it", "with a thing {they} {own}", "with the work", "with a room and who is in it",
    "with a habit and its reason", "with what others know {them} for", "with something that happened and what it left behind",
    "with what {they} cannot stand", "with a meal", "with somebody {they} {live} with or {miss}", "with something {they} {be} good at",
    "with money", "with the place and the weather in it",
)  # fmt: skip


@dataclass(frozen=True)
class Brief:
    """One person to be told: the question, the words wanted (least, most), the faults of a text by rule, and what a judge is shown.

    ``pairs`` are (place, a sentence of the text, a sentence of what was drawn) that may be about one matter, nearest first.
    """

    name: str
    question: str
    words: tuple[int, int]
    issues: Callable[[str], dict[str, str]]
    pairs: Callable[[str], Pairs]


def retold(record: Record, text: str, model: str) -> Record:
    """The record with another narrative, in its prompt too, by the model of that name."""
    out = dict(record)
    out[TEXT] = text
    out["system_prompt"] = str(record["system_prompt"]).replace(record[TEXT], text, 1)
    out["provenance"] = {**record["provenance"], "model": model}
    return out


def brief_of(record: Record, taxonomy: Taxonomy, dice: int) -> Brief:
    """The brief of a person of any kind; ``dice`` choose how the text is to begin."""
    if record["kind"] == "student":
        from deeppersona.population.students.brief import pupil_brief

        return pupil_brief(record, dice)
    return person_brief(record, taxonomy, dice)


def person_brief(record: Record, taxonomy: Taxonomy, dice: int) -> Brief:
    """The brief of a person of the taxonomy: who they are, the traits that tell most, their stories."""
    core = {t["path"]: t["value"] for t in record["traits"]}
    name, pronoun = str(core["demographics.name"]), _PRONOUN.get(str(core.get("demographics.sex")), "they")
    question = say(
        "population/portrait", facts=facts_of(record, taxonomy), name=unmarked(name), them=THEM[pronoun], low=PORTRAIT[0],
        high=PORTRAIT[1], opening=conjugate(_OPENINGS[dice % len(_OPENINGS)], pronoun),
        stories="\n".join(f"At {s['age']}: {unmarked(s['text'])}" for s in record["stories"]),
    )  # fmt: skip

    def person(text: str) -> Persona:
        return Persona.model_validate(retold(record, text, "a model"))

    def issues(text: str) -> dict[str, str]:
        if wrong := fault(text, words=PORTRAIT, sentence=True):
            return {"portrait reads": wrong}
        found = [i for i in validate(person(text), taxonomy) if i.severity == "error" and i.path in _PLACES]
        return {i.rule: i.message.removeprefix(f"{record['id']}: ") for i in reversed(found)}

    def pairs(text: str) -> Pairs:
        return told_pairs(person(text).model_copy(update={"stories": ()}), taxonomy)

    return Brief(name, question, PORTRAIT, issues, pairs)


def facts_of(record: Mapping[str, Any], taxonomy: Taxonomy) -> str:
    """The facts of a finished person in lines, about 1,200 tokens at the most."""
    core = {t["path"]: t["value"] for t in record["traits"]}
    d = {path.rpartition(".")[2]: value for path, value in core.items() if path.startswith("demographics.")}
    country = next(
        (t.get("evidence", {}).get("name") for t in record["traits"] if t["path"] == "demographics.country"), None
    )
    kin = {path.rpartition(".")[2]: value for path, value in core.items() if path.startswith("relationships.kin.")}
    pronoun = _PRONOUN.get(str(d.get("sex")), "they")
    lines = [
        f"Name: {d['name']}",
        f"{capitalise(pronoun)}, {d['age']}, of {d.get('city')}, {country or d.get('country')} ({d.get('urban')})."
        f" Work: {d.get('occupation', 'none')} ({d.get('employment_status', '')}).",
        "; ".join(f"{key.replace('_', ' ')}: {d[key]}" for key in _CORE if key in d),
        "; ".join(f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in kin.items()),
    ]
    nature = []
    for trait, (low, high) in _NATURE.items():
        score = core.get(f"personality.big_five.{trait}")
        if isinstance(score, (int, float)):
            nature += [low] if score <= _LOW else [high] if score >= _HIGH else []
    lines += [f"By nature: {join_words(nature)}."] if nature else []
    return unmarked("\n".join(line for line in [*lines, *_sentences(record, taxonomy, pronoun)] if line))


def _sentences(record: Mapping[str, Any], taxonomy: Taxonomy, pronoun: Pronoun) -> list[str]:
    """What the traits say, those that tell most and of as many parts of life as there are, in the order of the record."""
    said = [(taxonomy[t["path"]], t) for t in record["traits"] if t["path"] in taxonomy]
    seen: Counter[str] = Counter()
    rank: dict[int, float] = {}
    for k in sorted(range(len(said)), key=lambda k: (-said[k][0].telling, k)):
        rank[k] = said[k][0].telling - _REPEATED * seen[said[k][0].category]
        seen[said[k][0].category] += 1
    chosen = sorted(rank, key=lambda k: (-rank[k], k))[:SENTENCES]
    return [sentence_of(*said[k], pronoun) for k in sorted(chosen)]


def sentence_of(attribute: Attribute, trait: Mapping[str, Any], pronoun: Pronoun) -> str:
    """The phrase of an attribute for the value somebody has."""
    value, template = trait["value"], attribute.phrase
    if attribute.kind == "choice":
        template = next((o.phrase for o in attribute.options if o.value == value and o.phrase), None) or template
    try:
        words = spoken_value(attribute, value)
    except IndexError:  # a value of one's own, off the scale
        words = str(value)
    if not template:  # every option has a phrase of its own, and this value is none of them
        return f"{attribute.question} {capitalise(words)}."
    text = capitalise(conjugate(template, pronoun).replace("{value}", words).replace("{label}", words))
    return singular(text) if attribute.kind == "number" else text


def _plain(value: object) -> str:
    return join_words([str(x) for x in value]) if isinstance(value, list) else str(value)
