"""Portrait, system prompt and life book, made of what the traits say. Nothing is said that no trait carries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deeppersona.facts.tables import Occupations
from deeppersona.generation.cohort import Cohort
from deeppersona.generation.person import Child, Person, number_word, ordinal, with_article
from deeppersona.generation.stories import SAFE_LOADER, Told
from deeppersona.runtime.seed import Floats, Ints, label_keys
from deeppersona.schema.condition import Condition, parse_condition
from deeppersona.schema.phrase import Person as Pronoun
from deeppersona.schema.phrase import capitalise, conjugate, join_words
from deeppersona.schema.taxonomy import Attribute, Category

GRAMMAR = Path(__file__).parent / "grammar" / "portrait.yaml"
SECTIONS = ("opening", "who", "age", "work", "family", "roots")
_SLOT = re.compile(r"\{([A-Za-z_]+)\}")
_KEYS = label_keys([f"portrait/{i}" for i in range(64)])
_FUSED = 0.6  # of the neighbours that can be made one sentence
_LONGEST_FUSED = 24  # words of two sentences made one
_TRAIT_SENTENCES = (9, 12)
_PER_CATEGORY, _SENSITIVE = 2, 2
_SHORTEST = 155  # words
_PROMPT_FACTS = 70
_TELLING, _LUCK = (
    0.45,
    2.2,
)  # how much what is telling weighs against luck: enough luck that no trait is in every portrait
_TRAIT_OPENS = 0.85  # of the portraits, with a habit or thing; the others with a line of the grammar
_OPENS = ("lifestyle", "home", "work", "money", "culture", "relationships", "technology", "health")
# The name stands in for the first "she" of such a sentence, and early: an opening is somebody's from its first words.
_SUBJECT_EARLY = {p: re.compile(rf"^((?:[\w',-]+ ){{0,3}}){p}\b", re.IGNORECASE) for p in ("she", "he", "they", "you")}
_HISTORY_FIRST = 0.35  # of the portraits begin with where somebody comes from, the others with the day


@dataclass(frozen=True, slots=True)
class Sayable:
    """What of a person's selected traits can be said.

    ``attributes`` in the order they were settled; ``order`` the places of those worth saying, best first; ``say`` gives
    the sentence of a place, for she, he or you.
    """

    attributes: Sequence[Attribute]
    order: Sequence[int]
    say: Callable[[int, Pronoun], str]


@dataclass(frozen=True, slots=True)
class Said:
    """A trait as the portrait says it."""

    attribute: Attribute
    sentence: str


@dataclass(frozen=True)
class Line:
    """A line of the portrait grammar."""

    text: str
    condition: Condition
    slots: frozenset[str]


class PortraitGrammar:
    """The lines by section, and the sentences on schooling by level."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.lines = {
            section: tuple(
                Line(x["say"], parse_condition(x.get("applies")), frozenset(s.lower() for s in _SLOT.findall(x["say"])))
                for x in raw[section]
            )
            for section in SECTIONS
        }
        self.schooling: dict[str, list[str]] = raw["schooling"]

    def fitting(self, cohort: Cohort) -> dict[str, list[list[int]]]:
        """For each section and person the lines whose conditions hold."""
        out = {}
        for section, lines in self.lines.items():
            masks = [cohort.mask(line.condition).tolist() for line in lines]
            out[section] = [[j for j, mask in enumerate(masks) if mask[i]] for i in range(len(cohort))]
        return out


@lru_cache(maxsize=1)
def shipped_portrait_grammar() -> PortraitGrammar:
    """The grammar that comes with deeppersona."""
    raw = yaml.load(GRAMMAR.read_text("utf-8"), Loader=SAFE_LOADER)  # noqa: S506 - a safe loader
    return PortraitGrammar(raw)


def fillers(person: Person, jobs: Occupations, grammar: PortraitGrammar, u: float) -> dict[str, str]:
    """What can be said in the slots of the portrait."""
    words = {
        "name": person.name.given, "they_name": person.name.given, "age": str(person.age),
        "age_words": number_word(person.age), "place": person.place, "town": person.town,
        "country": person.country_name, "language": person.language, "household_words": _people(person.household),
        "order_word": ordinal(person.birth_order), "sibling_words": f"{number_word(person.siblings + 1)} children",
    }  # fmt: skip
    if person.job_row >= 0:
        r = person.job_row
        words |= {"job": with_article(person.job), "trade": person.job,
                  "place_of_work": jobs.place[r], "grumble": jobs.grumble[r],
                  "task": conjugate(jobs.task[r], person.pronoun)}  # fmt: skip
    if max(person.job_row, person.former_row) >= 0:
        words["tool"] = jobs.tool[max(person.job_row, person.former_row)]
    if person.former:
        words["former"] = with_article(person.former)
        words["former_task"] = conjugate(jobs.task[person.former_row], person.pronoun)
    if person.partner:
        words |= {"partner": person.partner.given, "partner_age": str(person.partner_age)}
        if person.partner_job:
            words["partner_job"] = with_article(person.partner_job)
    if person.children:
        one = len(person.children) == 1
        names = [_child_words(c) if one else c.name for c in person.children]
        words |= {"child_names": join_words(names), "eldest": person.children[0].name,
                  "children_words": "one child" if one else f"{number_word(len(person.children))} children",
                  "child_be": "is" if one else "are", "child_take": "takes" if one else "take",
                  "child_live": "lives" if one else "live",
                  "first_birth": str(person.age - person.children[0].age)}  # fmt: skip
    if person.mother_job:
        words["mother_job"] = with_article(person.mother_job)
    if person.father_job:
        words["father_job"] = with_article(person.father_job)
    if person.education and person.age >= 16:
        lines = grammar.schooling[person.education]
        words["schooling_sentence"] = conjugate(lines[int(u * len(lines))], person.pronoun)
    return words


def _child_words(child: Child) -> str:
    """An only child with the age, while it is one."""
    return f"baby {child.name}" if child.age == 0 else f"{child.name} ({child.age})" if child.age < 18 else child.name


def _people(n: int) -> str:
    return "one person" if n == 1 else f"{number_word(n)} people"


def _say(line: Line, person: Person, words: dict[str, str]) -> str | None:
    """One line said of the person, or None if they cannot fill its slots."""

    def put(match: re.Match[str]) -> str:
        token = match[1]
        lower = token[0].lower() + token[1:]
        if lower in words:
            return capitalise(words[lower]) if token[0].isupper() else words[lower]
        return match[0]

    text = conjugate(_SLOT.sub(put, line.text), person.pronoun)
    return None if "_" in text or "{" in text else capitalise(text)


def pick_line(
    lines: Sequence[Line], fitting: Sequence[int], person: Person, words: dict[str, str], u: float, used: set[str]
) -> str:
    """Say one of the fitting lines the person can fill and that tells nothing told before; empty if there is none."""
    n = len(fitting)
    start = int(u * n) if n else 0
    for k in range(n):
        line = lines[fitting[(start + k) % n]]
        tells = line.slots & _KNOWN_SLOTS
        if tells <= words.keys() and not tells & used and (said := _say(line, person, words)):
            used |= tells - _REPEATABLE
            return said
    return ""


# Slots not everybody can fill, and among them those that may be told twice.
_KNOWN_SLOTS = frozenset(
    [
        "job",
        "job_plain",
        "trade",
        "place_of_work",
        "grumble",
        "task",
        "tool",
        "former",
        "former_task",
        "partner",
        "partner_age",
        "partner_job",
        "child_names",
        "eldest",
        "children_words",
        "child_be",
        "child_take",
        "first_birth",
        "mother_job",
        "father_job",
        "schooling_sentence",
        "order_word",
        "household_words",
    ]
)
_REPEATABLE = frozenset({"partner", "child_be", "child_take", "child_live", "eldest"})


def fuse(sentences: Sequence[str], person: Person, u: Sequence[float]) -> str:
    """Join sentences into a paragraph: some neighbours with the same subject become one, some subjects the name."""
    subject = capitalise(person.pronoun) + " "
    out: list[str] = []
    k, since_name = 0, 1
    while k < len(sentences):
        first = sentences[k]
        follows = sentences[k + 1] if k + 1 < len(sentences) else ""
        roll = u[k % len(u)]
        if (
            roll < _FUSED and first.startswith(subject) and follows.startswith(subject)
            and " and " not in first and ";" not in first + follows and ":" not in first
            and len(first.split()) + len(follows.split()) <= _LONGEST_FUSED and first.endswith(".")
        ):  # fmt: skip
            first = f"{first[:-1]}{', and' if roll < 0.2 or ',' in first else ' and'} {follows[len(subject) :]}"
            k += 1
        if since_name >= 4 and first.startswith(subject):
            first, since_name = person.name.given + " " + first[len(subject) :], 0
        since_name += 1
        out.append(first)
        k += 1
    return " ".join(out)


def telling_order(telling: Ints, chance: Floats, u: Floats) -> list[int]:
    """The places of the traits worth saying, best first: how telling the attribute, how unlikely the value, and luck."""
    rare = np.where(chance > 0, np.where(chance < 0.12, 1.2, np.where(chance < 0.25, 0.5, 0.0)), 0.0)
    luck = np.resize(u, len(telling))
    order = np.argsort(-(_TELLING * telling + rare + _LUCK * luck), kind="stable")
    found: list[int] = order[telling[order] > 0].tolist()
    return found


def choose_telling(traits: Sayable, n: int, per_category: int) -> list[int]:
    """The places of the traits to say: few of a category, one of a sub-tree while two of a category are allowed."""
    chosen: list[int] = []
    categories: dict[str, int] = {}
    subtrees: set[str] = set()
    sensitive = 0
    for k in traits.order:
        a = traits.attributes[k]
        if categories.get(a.category, 0) >= per_category or (a.sensitive and sensitive >= _SENSITIVE):
            continue
        if a.subtree in subtrees and per_category <= _PER_CATEGORY:
            continue
        chosen.append(k)
        categories[a.category] = categories.get(a.category, 0) + 1
        subtrees.add(a.subtree)
        sensitive += a.sensitive
        if len(chosen) == n:
            break
    return chosen


_DAILY, _PAST = 3, 6  # places in the order below where the day ends, and where what was ends
_ORDER = {c: i for i, c in enumerate(
    ("lifestyle", "home", "work", "money", "education", "relationships", "demographics", "culture", "technology", "health",
     "values", "personality"))}  # fmt: skip


def portrait(
    person: Person, words: dict[str, str], traits: Sayable, told: Sequence[Told], grammar: PortraitGrammar,
    fitting: dict[str, list[list[int]]], u: Sequence[float],
) -> str:  # fmt: skip
    """A portrait of 150 to 400 words in three paragraphs: the day and the household, the history, the person."""
    low, high = _TRAIT_SENTENCES
    n = low + int(u[0] * (high - low + 1))
    used: set[str] = set()
    lines: dict[str, str] = {}
    for k, section in enumerate(SECTIONS):
        if section == "age" and lines["who"]:  # only where the opening has said already what they do
            continue
        fits = fitting[section][person.index]
        # Where a trait opens, the line only stands by, and may tell what others tell too.
        told_already = set() if section == "opening" and u[1] < _TRAIT_OPENS else used
        lines[section] = pick_line(grammar.lines[section], fits, person, words, u[3 + k], told_already)
    lines["who"] = lines["who"] or lines["age"]
    text = ""
    for more in range(4):  # who is told by few traits (small children) has more of them said
        places = choose_telling(traits, n + 4 * more, _PER_CATEGORY + more)
        chosen = [Said(traits.attributes[k], traits.say(k, person.pronoun)) for k in places]
        text = _compose(person, lines, chosen, told, u)
        if len(text.split()) >= _SHORTEST:
            break
    return text


def _compose(
    person: Person, lines: dict[str, str], chosen: list[Said], told: Sequence[Told], u: Sequence[float]
) -> str:
    first = lines["opening"] or f"{person.name.whole} lives in {person.place}."
    if u[1] < _TRAIT_OPENS:
        subject = _SUBJECT_EARLY[person.pronoun]
        opener = next((s for s in chosen if subject.match(s.sentence) and s.attribute.category in _OPENS), None)
        if opener is not None:
            name = person.name.whole if u[2] < 0.6 else person.name.given
            first = subject.sub(lambda match: match[1] + name, opener.sentence, count=1)
            chosen = [s for s in chosen if s is not opener]
    chosen = sorted(chosen, key=lambda s: _ORDER.get(s.attribute.category, 5))
    daily = [s.sentence for s in chosen if _ORDER.get(s.attribute.category, 5) <= _DAILY]
    past = [s.sentence for s in chosen if s.attribute.category in ("education", "relationships", "demographics")]
    inner = [s for s in chosen if _ORDER.get(s.attribute.category, 5) > _PAST]
    closing = next((s for s in reversed(inner) if s.attribute.telling >= 2), None)
    inward = [s.sentence for s in inner if s is not closing] + ([closing.sentence] if closing else [])
    echoes = [t.echo for t in told]
    day = [first, lines["who"], *daily, lines["work"], lines["family"]]
    history = [lines["roots"], *echoes[:2], *past]
    parts = [day, history, [*inward[:-1], *echoes[2:], *inward[-1:]]]
    if u[9] < _HISTORY_FIRST:
        parts = [[first, lines["who"], lines["roots"], *echoes[:1], *past, lines["family"]],
                 [*daily, lines["work"], *echoes[1:]], inward]  # fmt: skip
    paragraphs = [fuse([s for s in part if s], person, u[40 + 3 * k :]) for k, part in enumerate(parts)]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def system_prompt(
    person: Person, traits: Sayable, told: Sequence[Told], portrait_text: str, heart: Sequence[str] = ()
) -> str:  # fmt: skip
    """A prompt for role-play: who you are, what matters to you (``heart``), what you know of yourself, how to answer."""
    work = {
        "employed": f"You work as {with_article(person.job)}.", "self_employed": f"You work for yourself as {with_article(person.job)}.",
        "unemployed": "You are out of work.", "homemaker": "You keep the house.", "retired": "You are retired.",
        "student": "You are a student.", "child": "You are a small child.", "unable_to_work": "Your health does not let you work.",
    }[person.status]  # fmt: skip
    facts = "\n".join(f"- {traits.say(k, 'you')}" for k in sorted(traits.order[:_PROMPT_FACTS]))
    past = "\n".join(f"- At {t.story.age}: {t.story.text}" for t in told)
    return (
        f"You are {person.name.whole}, {person.age}, of {person.place}, {person.country_name}. {work} "
        f"Your language at home is {person.language}.\n\n"
        f"How others would tell it:\n{portrait_text}\n\n"
        + ("\n".join(heart) + "\n\n" if heart else "")
        + (f"What happened to you:\n{past}\n\n" if past else "")
        + f"Some of what is true of you:\n{facts}\n\n"
        "Answer as this person would: in the first person, from this life, with its words, its gaps and its opinions. "
        "You know what such a person knows and no more. Do not list these facts; let them show. Where something is not "
        "settled above, decide it so that it fits, and keep to it. You may be bored, wrong or unwilling to say. "
        "(You are a synthetic person: nobody real is described.)"
    )


def book(
    person: Person, traits: Sayable, told: Sequence[Told], categories: Sequence[Category], portrait_text: str, u: Sequence[float],
) -> str:  # fmt: skip
    """The long narrative: a chapter a category from all traits, the stories where they happened."""
    parts = [f"# {person.name.whole}", portrait_text]
    for category in categories:
        mine = [k for k, a in enumerate(traits.attributes) if a.category == category.key]
        if not mine:
            continue
        parts.append(f"## {category.title}")
        by_subtree: dict[str, list[str]] = {}
        for k in mine:
            by_subtree.setdefault(traits.attributes[k].subtree, []).append(traits.say(k, person.pronoun))
        parts += [fuse(sentences, person, u) for sentences in by_subtree.values()]
    if told:
        parts.append("## What happened")
        parts += [f"**{t.story.title}** ({person.age - t.story.age} years ago). {t.story.text}" for t in told]
    return "\n\n".join(parts) + "\n"


def portrait_uniforms(cohort: Cohort) -> Floats:
    """The uniforms portraits are drawn with, (people, 64)."""
    return cohort.dice.uniforms(_KEYS)
