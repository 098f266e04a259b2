"""The traits of the core, the kin and the positions, with their sources: what every persona has before any selection."""

from __future__ import annotations

from typing import Any

from deeppersona.facts.tables import region_words
from deeppersona.generation.cohort import Cohort
from deeppersona.generation.person import Child, Person, ordinal
from deeppersona.generation.person import number_word as in_words
from deeppersona.schema import vocabulary as v
from deeppersona.schema.phrase import join_words
from deeppersona.schema.taxonomy import Attribute

Trait = dict[str, Any]


def spoken_value(attribute: Attribute, value: object) -> str:
    """A value as a sentence says it: a list with ``and``, a scale by its label."""
    if isinstance(value, list):
        return join_words([str(x) for x in value]) if value else "nothing"
    if attribute.scale is not None and isinstance(value, int):
        return attribute.scale.labels[value - 1]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _trait(path: str, value: object, source: str, evidence: object = None) -> Trait:
    return {"path": path, "value": value, "source": source, "evidence": dict(evidence) if evidence else {}}  # type: ignore[call-overload]


def occupation_words(person: Person) -> str:
    """The occupation trait: the work, or what somebody does instead of it."""
    if person.job:
        return person.job_title
    return {
        "child": "small child", "student": "pupil" if person.age < 16 else "student", "unemployed": "looking for work",
        "homemaker": "homemaker", "retired": "retired", "unable_to_work": "unable to work",
    }.get(person.status, person.status)  # fmt: skip


def _education_words(person: Person) -> str:
    if person.education is not None:
        return person.education.replace("_", " ")
    return "not yet at school" if person.age < 6 else "at school"


def core_traits(cohort: Cohort, person: Person) -> list[Trait]:
    """The ``demographics.*`` traits, from tables; what an anchor fixed is still drawn within the table."""
    model = cohort.model(person.index)
    e, c, i = model.evidence, cohort.columns, person.index
    pick = cohort.given_core[i] if cohort.given_core else {}
    rows = [
        ("country", person.country, {"name": person.country_name}),
        ("region", region_words(model.country.region), {"of": person.country_name}),
        ("age", person.age, e["education"]),
        ("sex", v.SEX[int(c["sex"][i])], e["education"]),
        ("education", _education_words(person), e["education"]),
        ("urban", v.URBAN[int(c["urban"][i])], e["urban"]),
        ("city", person.town, e["city"] if person.urban else {**e["city"], "as": "nearest town"}),
        ("marital_status", person.marital, e["marital"]),
        ("children", len(person.children), e["children"]),
        ("household_size", person.household, {"table": "countries: household_size", "of": person.country_name}),
        ("religion", person.religion_words, e["religion"]),
        ("language", person.language, e["language"]),
        ("employment_status", person.status.replace("_", " "), e["status"]),
        ("occupation", occupation_words(person), e["occupation"]),
        ("income", v.INCOME[person.income - 1],
         {"table": "occupations: income, schooling", "percentile": int(c["income_percentile"][i])}),
        ("name", person.name.whole, e["name"]),
    ]  # fmt: skip
    out = [
        _trait(
            f"demographics.{key}",
            pick.get(key, value),
            "given" if key in pick else "table",
            None if key in pick else ev,
        )
        for key, value, ev in rows
    ]
    if person.former and not person.job:
        kept = "former_occupation" in pick
        out.append(_trait("demographics.former_occupation", person.former, "given" if kept else "table",
                          None if kept else e["occupation"]))  # fmt: skip
    return out


def _child_words(child: Child) -> str:
    return f"{child.name}, {'daughter' if child.sex == 0 else 'son'}, {child.age}"


def _lives_with(person: Person) -> list[str]:
    """Who shares the roof: the partner, children, parents, and how many others."""
    home = sum(child.home for child in person.children)
    others = person.household - 1 - person.partnered - home
    out = ["partner"] if person.partnered else []
    if home:
        out.append("one child" if home == 1 else f"{in_words(home)} children")
    if person.with_parents:
        out.append("parents")
    elif others:
        out.append("one other" if others == 1 else f"{in_words(others)} others")
    return out or ["nobody"]


def kin_traits(person: Person) -> list[Trait]:
    """The people around: derived from the ages and tables of the family block."""
    out: list[Trait] = []

    def add(key: str, value: object) -> None:
        out.append(_trait(f"relationships.kin.{key}", value, "derived"))

    if person.partner and person.marital != "single":
        role = {"married": "spouse", "cohabiting": "partner", "widowed": "late spouse"}.get(
            person.marital, "former spouse"
        )
        work = f", {person.partner_job}" if person.partner_job and person.marital != "widowed" else ""
        age = f", {person.partner_age}" if person.partnered else ""
        add("partner", f"{person.partner.given}{age}{work} ({role})")
        add("age_at_union", person.wed_age)
    if person.children:
        add("children", [_child_words(child) for child in person.children])
        add("children_at_home", sum(child.home for child in person.children))
    if person.grandchildren:
        add("grandchildren", person.grandchildren)
    add("lives_with", _lives_with(person))
    brothers = "an only child" if not person.siblings else (
        f"{ordinal(person.birth_order)} of {in_words(person.siblings + 1)} children"
    )  # fmt: skip
    add("birth_order", brothers)
    living = [w for w, a in (("mother", person.mother_age), ("father", person.father_age)) if a >= 0]
    words = {2: "both parents living", 1: f"{living[0] if living else ''} living", 0: "both parents dead"}
    add("parents", words[len(living)])
    if person.mother_job:
        add("mother_work", person.mother_job)
    if person.father_job:
        add("father_work", person.father_job)
    return out


def position_traits(cohort: Cohort, i: int) -> list[Trait]:
    """Big Five scores (1-5) and the two positions on the values map."""
    out = [
        _trait(f"personality.big_five.{t}", round(float(cohort.big_five[i, k]), 1), "table",
               {"table": "personality", "scale": "1-5, IPIP-50"})
        for k, t in enumerate(v.TRAIT_5)
    ]  # fmt: skip
    place = cohort.model(i).country.name
    for k, key in enumerate(("survival_to_self_expression", "traditional_to_secular")):
        out.append(
            _trait(f"values.orientation.{key}", round(float(cohort.values[i, k]), 1), "table",
                   {"table": "countries: iw", "of": place, "scale": "Inglehart-Welzel map"})
        )  # fmt: skip
    return out
