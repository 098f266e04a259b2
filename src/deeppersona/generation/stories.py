"""Life stories told from a person's own facts by a grammar of turning points (``grammar/stories/*.yaml``).

Stories come before the attributes: what happened leans what follows (``inclines``), and leaves an interest behind.
Of four stories one is plainly good, one plainly bad and two are mixed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deeppersona.errors import UsageError
from deeppersona.facts.tables import Occupations
from deeppersona.generation.cohort import NONE, Cohort
from deeppersona.generation.latents import LATENT_INDEX
from deeppersona.generation.person import Person, number_word, with_article
from deeppersona.generation.priors import LEAN
from deeppersona.runtime.seed import Dice, Floats, Ints, label_keys, pick
from deeppersona.schema.condition import Condition, parse_condition
from deeppersona.schema.persona import Story
from deeppersona.schema.phrase import capitalise, conjugate

SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
GRAMMAR = Path(__file__).parent / "grammar" / "stories"
MOST = 3
THIS_YEAR = 2026
_SLOT = re.compile(r"\{([a-z_]+)\}")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_SUMS = (
    "a week's wages",
    "a fortnight's pay",
    "a month's pay",
    "two months' pay",
    "three months' pay",
    "half a year's pay",
)
_PRONOUNS = frozenset({"they", "them", "their", "theirs", "themself", "were", "value"})
_ROLES = ("friend", "boss", "neighbour", "teacher", "cousin", "sister", "brother", "partner", "child")
# Slots that not everybody has; the rest can always be said.
_OPTIONAL = ("job", "trade", "tool", "partner", "child", "sister", "brother", "mother_job", "father_job")
Tone = Literal["good", "bad", "mixed"]
_TONES: tuple[tuple[Tone, float], ...] = (("good", 0.25), ("bad", 0.5), ("mixed", 1.0))  # running shares


class StoryTemplate(BaseModel):
    """A turning point as written: when it can happen, to whom, how it is told, and what it leaves behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    theme: str
    tone: Tone
    at: str
    ago: int = Field(default=1, ge=0)
    weight: float = Field(default=1.0, gt=0)
    applies: dict[str, Any] = Field(default_factory=dict)
    leans: dict[str, float] = Field(default_factory=dict)
    inclines: dict[str, float] = Field(default_factory=dict)
    titles: tuple[str, ...] = Field(min_length=2)
    beats: tuple[tuple[str, ...], ...] = Field(min_length=4, max_length=7)
    echo: tuple[str, ...] = Field(min_length=2)
    interest: tuple[str, ...] = Field(min_length=1)

    def condition(self) -> Condition:
        """Whom it can have happened to, besides age."""
        return parse_condition(self.applies)

    def ages(self) -> tuple[int, int]:
        """Youngest and oldest age it can have happened at."""
        low, _, high = self.at.partition("..")
        return int(low), int(high or low)


@lru_cache(maxsize=20_000)
def slots(text: str) -> frozenset[str]:
    """The slots a sentence uses, less pronouns."""
    return frozenset(_SLOT.findall(text)) - _PRONOUNS


@dataclass(frozen=True)
class Chosen:
    """Which templates each person is told by, and at what age it happened; -1 for none. Both (people, 3)."""

    template: Ints
    age: Ints


class Grammar:
    """The templates, read and checked once."""

    def __init__(self, templates: list[StoryTemplate]) -> None:
        self.templates = templates
        self.conditions = [t.condition() for t in templates]
        themes = sorted({t.theme for t in templates})
        self.theme = np.array([themes.index(t.theme) for t in templates])
        self.tone = np.array([[name for name, _ in _TONES].index(t.tone) for t in templates])
        self.ages = np.array([t.ages() for t in templates])
        self.ago = np.array([t.ago for t in templates])
        self.weight = np.array([t.weight for t in templates])
        self.leans = np.zeros((len(LATENT_INDEX), len(templates)))
        self.inclines = np.zeros((len(templates), len(LATENT_INDEX)))
        for j, t in enumerate(templates):
            for name, strength in t.leans.items():
                self.leans[LATENT_INDEX[name], j] = LEAN * strength
            for name, strength in t.inclines.items():
                self.inclines[j, LATENT_INDEX[name]] = strength
        self._needs = [[[sorted(slots(line) & set(_OPTIONAL)) for line in beat] for beat in t.beats] for t in templates]

    def possible(self, cohort: Cohort) -> NDArray[np.bool_]:
        """Who can have lived which story, (people, templates)."""
        have = _available(cohort)
        age = cohort.columns["age"]
        out = np.zeros((len(cohort), len(self.templates)), dtype=bool)
        for j, condition in enumerate(self.conditions):
            fits = cohort.mask(condition) & (age - self.ago[j] >= self.ages[j, 0])
            for beat in self._needs[j]:
                told = np.zeros(len(cohort), dtype=bool)
                for needed in beat:
                    told |= np.logical_and.reduce([have[slot] for slot in needed]) if needed else True
                fits &= told
            out[:, j] = fits
        return out

    def choose(self, cohort: Cohort) -> Chosen:
        """Choose one to three stories a person, of different themes, and lean the cohort's latents by them."""
        dice, age = cohort.dice, cohort.columns["age"]
        odds = self.possible(cohort) * self.weight * np.exp(cohort.latents @ self.leans)
        u = dice.uniform("stories")
        wanted = 1 + (u > 0.12).astype(np.int64) + (u > 0.45)
        wanted = np.where(age < 13, np.minimum(wanted, 1), wanted)
        template = np.full((len(cohort), MOST), NONE, dtype=np.int64)
        when = np.full((len(cohort), MOST), NONE, dtype=np.int64)
        for k in range(MOST):
            roll = dice.uniform(f"story {k} tone")
            tone = np.searchsorted([share for _, share in _TONES], roll, side="right").clip(max=2)
            toned = odds * (self.tone[None, :] == tone[:, None])
            use = np.where((toned.sum(axis=1) > 0)[:, None], toned, odds)
            found = pick(np.cumsum(use, axis=1), dice.uniform(f"story {k}"))
            can = (use.sum(axis=1) > 0) & (k < wanted)
            template[:, k] = np.where(can, found, NONE)
            low = self.ages[found, 0]
            high = np.minimum(self.ages[found, 1], age - self.ago[found])
            at = low + (dice.uniform(f"story {k} age") * (high - low + 1).clip(min=1)).astype(np.int64)
            when[:, k] = np.where(can, at, NONE)
            odds = odds * ~((self.theme[None, :] == self.theme[found][:, None]) & can[:, None])
            cohort.latents += np.where(can[:, None], self.inclines[found], 0.0)
        np.clip(cohort.latents, -3.0, 3.0, out=cohort.latents)
        return Chosen(template, when)


def _available(cohort: Cohort) -> dict[str, NDArray[np.bool_]]:
    c = cohort.columns
    job = (c["occupation"] >= 0) | (c["former"] >= 0)
    return {
        "job": job, "trade": job, "tool": job, "partner": c["partner_age"] >= 0, "child": c["children"] > 0,
        "sister": c["siblings"] > 0, "brother": c["siblings"] > 0, "mother_job": c["mother_job"] >= 0,
        "father_job": c["father_job"] >= 0,
    }  # fmt: skip


def read_templates(folder: Path = GRAMMAR) -> list[StoryTemplate]:
    """Read every template. UsageError with file and key on the first fault."""
    out: list[StoryTemplate] = []
    for file in sorted(folder.glob("*.yaml")):
        found = yaml.load(file.read_text("utf-8"), Loader=SAFE_LOADER)  # noqa: S506 - a safe loader
        for raw in found or []:
            try:
                template = StoryTemplate.model_validate(raw)
                template.condition()
            except (ValidationError, UsageError, TypeError) as error:
                raise UsageError(f"{file.name}: story {raw.get('key', '?')!r}: {error}") from None
            out.append(template)
    keys = [t.key for t in out]
    if twice := sorted({k for k in keys if keys.count(k) > 1}):
        raise UsageError(f"story keys used twice: {', '.join(twice)}")
    return out


@lru_cache(maxsize=1)
def shipped_grammar() -> Grammar:
    """The grammar that comes with deeppersona."""
    return Grammar(read_templates())


_PICK_KEYS = label_keys([f"telling/{k}/{i}" for k in range(MOST) for i in range(16)])


def telling_uniforms(dice: Dice) -> Floats:
    """The uniforms the wording of stories is drawn with, (people, 48)."""
    return dice.uniforms(_PICK_KEYS)


def _fillers(person: Person, at: int, jobs: Occupations, u: Floats) -> dict[str, str]:
    """What can be said in the slots of this person's story."""
    row = person.job_row if person.job_row >= 0 else person.former_row
    words = {
        "name": person.name.given, "year": str(THIS_YEAR - (person.age - at)), "age_words": number_word(at),
        "place": person.place, "town": person.town, "country": person.country_name,
        "years_ago": number_word(max(person.age - at, 1)), "month": _MONTHS[int(u[12] * 12)],
        "few": number_word(2 + int(u[13] * 5)), "sum": _SUMS[int(u[14] * len(_SUMS))],
        **{role: name for role, name in person.cast.items() if not role.endswith("_sex")},
    }  # fmt: skip
    for role in ("friend", "boss", "neighbour", "teacher", "cousin"):
        she = person.cast[f"{role}_sex"] == "she"
        words |= {f"{role}_they": "she" if she else "he", f"{role}_their": "her" if she else "his",
                  f"{role}_them": "her" if she else "him"}  # fmt: skip
    if row >= 0:
        title = person.job or person.former
        words |= {"job": with_article(title), "trade": title, "tool": jobs.tool[row]}
    if person.partner:
        his = person.pronoun == "she"
        words |= {"partner": person.partner.given, "partner_they": "he" if his else "she",
                  "partner_their": "his" if his else "her", "partner_them": "him" if his else "her"}  # fmt: skip
    if person.children:
        child = person.children[int(u[15] * len(person.children))]
        words |= {"child": child.name, "child_they": "she" if child.sex == 0 else "he",
                  "child_their": "her" if child.sex == 0 else "his", "child_them": "her" if child.sex == 0 else "him"}  # fmt: skip
    if not person.siblings:
        words.pop("sister")
        words.pop("brother")
    for key, job in (("mother_job", person.mother_job), ("father_job", person.father_job)):
        if job:
            words[key] = with_article(job)
    return words


def fill_slots(line: str, person: Person, words: dict[str, str]) -> str:
    """Say one sentence of the grammar."""
    text = conjugate_past(line, person)
    return capitalise(_SLOT.sub(lambda m: words[m[1]], text))


def conjugate_past(line: str, person: Person) -> str:
    """Set pronouns and was/were; the other slots are left standing."""
    return re.sub(r"\{([A-Za-z]+)\}", lambda m: _pronoun(m, person), line)


def _pronoun(match: re.Match[str], person: Person) -> str:
    return conjugate(match[0], person.pronoun) if match[1].lower() in _PRONOUNS else match[0]


def _pick_line(lines: tuple[str, ...], words: dict[str, str], u: float) -> str:
    can = [line for line in lines if slots(line) <= words.keys()]
    return can[int(u * len(can))] if can else ""


@dataclass(frozen=True, slots=True)
class Told:
    """A story told, the sentence the portrait may say of it, and the interest it left."""

    story: Story
    echo: str
    interest: str
    tone: str


def tell(grammar: Grammar, chosen: Chosen, person: Person, jobs: Occupations, uniforms: Floats) -> list[Told]:
    """Tell a person's stories in the order they happened."""
    out = []
    for k in range(MOST):
        j = int(chosen.template[person.index, k])
        if j == NONE:
            continue
        template, at = grammar.templates[j], int(chosen.age[person.index, k])
        u = uniforms[person.index, k * 16 : (k + 1) * 16]
        words = _fillers(person, at, jobs, u)
        lines = [_pick_line(beat, words, float(u[i])) for i, beat in enumerate(template.beats)]
        text = " ".join(fill_slots(line, person, words) for line in lines if line)
        title = fill_slots(_pick_line(template.titles, words, float(u[8])), person, words)
        echo = fill_slots(_pick_line(template.echo, words, float(u[9])), person, words)
        interest = template.interest[int(u[10] * len(template.interest))]
        out.append(Told(Story(age=at, title=title, text=text), echo, interest, template.tone))
    return sorted(out, key=lambda told: told.story.age)
