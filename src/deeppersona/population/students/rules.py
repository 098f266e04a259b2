"""The rules a pupil must keep: 38 predicates, each with its theory or table, how bad a breach is, and what to draw again.

``broken`` runs them on the columns of a batch; ``validate`` and ``validate_all`` on finished records, which are read back into
columns first (``read.py``), so that nothing is believed but what was written. A model judges none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from deeppersona.population.students import predicates as p
from deeppersona.population.students import texts as t
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.read import Reader
from deeppersona.population.students.schema import Schema, shipped_schema
from deeppersona.schema.report import Issue

Severity = Literal["error", "warning"]
TEXT = "narrative"  # the block that is told again


@dataclass(frozen=True)
class Rule:
    """One rule. ``check`` is True where it is broken; ``blocks`` begin the paths or names drawn again; ``shows`` are said."""

    id: str
    what: str
    source: str
    path: str
    check: Callable[[Columns, Schema], p.Mask]
    blocks: tuple[str, ...]
    shows: tuple[str, ...] = ()
    severity: Severity = "error"


@dataclass(frozen=True)
class TextRule:
    """A rule on the profile against the traits."""

    id: str
    what: str
    source: str
    check: Callable[[t.Told], bool]
    severity: Severity = "error"


_OWN = "our definition of the trait"
RULES: tuple[Rule, ...] = (
    Rule("known-values", "every value is one the schema knows", _OWN, "student", p.known, ("cell",)),
    Rule("age-fits-grade", "the age is four to eight years above the grade", "UNESCO UIS: entry at five to seven; OECD 2020, PISA V: repeaters",
         "demographics.age", p.age_of_grade, ("age",), ("age", "grade")),
    Rule("route-explains-age", "an age out of step has its reason: repeated, skipped, early, late", "OECD 2020, PISA 2018 Results V",
         "student.school.route", p.route, ("age",), ("age", "grade", "route")),
    Rule("route-has-room", "two grades are repeated from grade 3 on at the earliest, one is skipped from 2 on", "arithmetic",
         "student.school.route", p.early_repeat, ("age",), ("grade", "route")),
    Rule("skippers-keep-up", "whoever skipped a grade is not in the lower half", "Steenbergen-Hu, Makel and Olszewski-Kubilius 2016",
         "student.school.route", p.skipped, ("age",), ("route", "level"), "warning"),
    Rule("school-stage-of-grade", "the stage of school has three grades each", _OWN, "student.school.stage", p.school_stage, ("cell",), ("grade",)),
    Rule("piaget-fits-age", "the stage of reasoning is one known at the age", "Piaget 1972; Shayer and Wylam 1978", "student.development.piaget",
         p.stage("piaget"), ("stages",), ("age", "piaget")),
    Rule("erikson-fits-age", "the crisis is one known at the age", "Erikson 1963", "student.development.erikson", p.stage("erikson"), ("stages",),
         ("age", "erikson")),
    Rule("kohlberg-fits-age", "the moral stage is one known at the age", "Colby, Kohlberg, Gibbs and Lieberman 1983",
         "student.development.kohlberg", p.stage("kohlberg"), ("stages",), ("age", "kohlberg")),
    Rule("kohlberg-needs-piaget", "a moral stage presupposes a stage of reasoning", "Walker 1980", "student.development.kohlberg", p.reasoning,
         ("stages",), ("piaget", "kohlberg")),
    Rule("subjects-disjoint", "strong and weak subjects have none in common, and there is a strong one", _OWN, "student.academic.weak",
         p.disjoint, ("subjects",)),
    Rule("subjects-of-grade", "strong, weak and marked subjects are taught in the grade", "UNESCO IBE, World Data on Education",
         "student.academic.subjects", p.taught, ("subjects", "marks"), ("grade",)),
    Rule("cluster-from-strong", "the cluster is that of most strong subjects", _OWN, "student.academic.cluster", p.cluster, ("subjects",), ("cluster",)),
    Rule("level-from-rank", "top 10%, next 20%, next 20%, lower 50%: the level's own definition", _OWN, "student.academic.level", p.level,
         ("rank",), ("percentile", "level")),
    Rule("mark-fits-level", "the average mark lies in the range of the level", _OWN, "student.academic.average_mark", p.average, ("marks",),
         ("average", "level")),
    Rule("marks-fit-subjects", "strong subjects above the own average, weak ones below it", _OWN, "student.academic.marks", p.marks, ("marks",),
         ("average",)),
    Rule("homework-fits-grade", "no more homework than the grade is given", "Cooper, Robinson and Patall 2006", "student.learning.homework_minutes",
         p.minutes, ("marks",), ("minutes", "grade"), "warning"),
    Rule("wellbeing-from-grades", "the overall band is that of its four grades", _OWN, "student.wellbeing.overall", p.wellbeing, ("dimensions",),
         ("wellbeing",)),
    Rule("calm-fits-temper", "very easily upset and calm throughout exclude each other", "Suldo, Minch and Hearon 2015; Eysenck 1967",
         "student.wellbeing.calm", p.temper, ("dimensions",), ("calm", "neuroticism")),
    Rule("habit-fits-band", "a description agrees with the band of its trait, and one of worry with calm", "John and Srivastava 1999",
         "student.personality.described", p.misfits("student.personality."), ("student.personality.",)),
    Rule("wording-fits-wellbeing", "what is said to worry or help agrees with the grades", "Spence 1998; Masten 2001", "student.wellbeing",
         p.misfits("student.wellbeing.", "student.self.afraid"), ("student.wellbeing.", "student.self.afraid"), ("calm",)),
    Rule("deed-fits-value", "what is done agrees with how much the value matters", "Schwartz 1992; Bardi and Schwartz 2003", "student.values.shown",
         p.misfits("student.values."), ("student.values.",)),
    Rule("making-fits-creativity", "how ideas come agrees with the eight grades", "Williams 1980; Guilford 1967", "student.creativity.way",
         p.misfits("student.creativity."), ("student.creativity.",)),
    Rule("hobby-fits-pupil", "a hobby that needs imagination or means goes with them", "Torrance 1974", "student.interests",
         p.misfits("student.interests."), ("student.interests.",)),
    Rule("shows-in-subject", "what shines is of the strongest subject, what trips of the weakest", _OWN, "student.academic.shines_at",
         p.misfits("student.academic."), ("student.academic.",), ("best", "worst")),
    Rule("company-fits", "no friend, brother or sister is spoken of who is not there", "Rubin, Bukowski and Bowker 2015", "student.social",
         p.misfits("student.social."), ("student.social.",), ("friends", "siblings")),
    Rule("home-fits", "home is told as the household is", _OWN, "student.home", p.misfits("student.home."), ("student.home.",), ("siblings",)),
    Rule("school-fits", "what teachers say goes with level and temper", _OWN, "student.learning",
         p.misfits("student.learning.", "student.school.", "student.self."), ("student.learning.", "student.school.", "student.self."), ("level",)),
    Rule("of-the-grade", "nothing is said that belongs to another age", "Havighurst 1972, developmental tasks", "student", p.untimely,
         ("student.",), ("grade",)),
    Rule("themes-fit-age", "no love, paid work, alcohol or smoking below the age for them", "ILO convention 138; Connolly and McIsaac 2009", "student",
         p.themes, ("student.",), ("age",)),
    Rule("friends-named", "a nearest friend is named where there are close friends", _OWN, "student.social.best_friend", p.friends, ("friends",),
         ("friends",)),
    Rule("household-adds-up", "siblings are as old as said and the household is counted right", "arithmetic", "student.home.siblings",
         p.household, ("family",), ("age",)),
)  # fmt: skip
TEXT_RULES: tuple[TextRule, ...] = (
    TextRule("text-says-name", "profile and prompt name the pupil", "traits", t.unnamed),
    TextRule("text-says-pronoun", "she or he as the sex says", "traits", t.mispronounced),
    TextRule("text-says-age", "the age is said, and no other", "traits", t.misaged),
    TextRule("text-says-grade", "the grade is said, and no other", "traits", t.misgraded),
    TextRule("text-says-subjects", "the strong and weak subjects are named", "traits", t.other_subjects),
    TextRule("text-not-clinical", "no word of diagnosis", "APA 2020, bias-free language", t.clinical),
    TextRule("text-fits-age", "no theme of older people", "ILO convention 138", t.unfitting),
    TextRule("text-length", "110 to 235 words", "our form", t.out_of_length),
    TextRule("text-reads", "no slip of the grammar", "our form", t.slipped),
)


def broken(columns: Columns, schema: Schema | None = None) -> dict[str, p.Mask]:
    """Rule id -> who breaks it, for the rules that anybody breaks. Columns as ``Pupils.draw`` makes them."""
    schema = schema or shipped_schema()
    found = {}
    for rule in RULES:
        mask = rule.check(columns, schema)
        if mask.any():
            found[rule.id] = mask
    return found


def broken_texts(told: Sequence[t.Told]) -> dict[int, list[str]]:
    """Row -> ids of the text rules it breaks, for the texts that break any."""
    found: dict[int, list[str]] = {}
    for i, one in enumerate(told):
        ids = [rule.id for rule in TEXT_RULES if rule.check(one)]
        if ids:
            found[i] = ids
    return found


def blocks_of(rule: str, names: Sequence[str]) -> set[str]:
    """The blocks of a draw, among ``names``, that a broken rule has drawn again."""
    starts = next(r.blocks for r in RULES if r.id == rule)
    return {name for name in names if name in starts or name.startswith(tuple(s for s in starts if s.endswith(".")))}


@lru_cache(maxsize=2)
def _reader(schema: Schema) -> Reader:
    return Reader(schema)


def validate_all(records: Sequence[Mapping[str, Any]], schema: Schema | None = None) -> list[list[Issue]]:
    """The issues of each of many finished records, in the order of the rules."""
    schema = schema or shipped_schema()
    if not records:
        return []
    columns = _reader(schema).columns(records)
    out: list[list[Issue]] = [[] for _ in records]
    for rule in RULES:
        for i in np.flatnonzero(rule.check(columns, schema)).tolist():
            shown = ", ".join(f"{name} {int(columns[name][i])}" for name in rule.shows)
            message = f"{records[i]['id']}: not so: {rule.what}" + (f" ({shown})" if shown else "")
            out[i].append(Issue(path=rule.path, rule=rule.id, message=message, severity=rule.severity))
    words = dict(zip(schema.subjects, schema.subject_words, strict=True))
    by_id = {rule.id: rule for rule in TEXT_RULES}
    for i, ids in broken_texts(list(t.told_of(records, words))).items():
        out[i] += [
            Issue(path=TEXT, rule=r, message=f"{records[i]['id']}: not so: {by_id[r].what}", severity=by_id[r].severity)
            for r in ids
        ]
    return out


def validate(record: Mapping[str, Any], schema: Schema | None = None) -> list[Issue]:
    """The issues of one finished record."""
    return validate_all([record], schema)[0]
