"""The household and the family agree with each other."""

from __future__ import annotations

from collections.abc import Iterable

from deeppersona.population.validators._subject import Subject
from deeppersona.schema.report import Issue
from deeppersona.schema.vocabulary import PARTNERED

_YOUNGEST_GRANDPARENT = 32


def validate(subject: Subject) -> Iterable[Issue]:
    """As many children as are named, room for all who live there, a partner where there is a union."""
    facts = subject.facts
    age, children = int(facts["age"]), int(facts["children"])
    if children != len(subject.get("relationships.kin.children", [])):
        yield subject.issue("demographics.children", "children are named", f"{children} children, others named")
    home = int(subject.get("relationships.kin.children_at_home", 0))
    partnered = facts["marital"] in PARTNERED
    if home > children or int(facts["household"]) < 1 + partnered + home:
        yield subject.issue(
            "demographics.household_size", "room for all", f"{facts['household']} people, {home} children at home"
        )
    if partnered and "relationships.kin.partner" not in subject.persona:
        yield subject.issue("relationships.kin.partner", "a union has two", f"{facts['marital']} without a partner")
    if facts["marital"] != "single" and age < 16:
        yield subject.issue("demographics.marital_status", "no child weds", f"{facts['marital']} at {age}")
    if facts["grandchildren"] and (
        age < _YOUNGEST_GRANDPARENT or not subject.children_ages or max(subject.children_ages) < 16
    ):
        yield subject.issue("relationships.kin.grandchildren", "grandchildren have parents", f"grandchildren at {age}")
    if age < 18 and children and age < 16:
        yield subject.issue("demographics.children", "no child is a parent", f"{children} children at {age}")
