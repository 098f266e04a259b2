"""Ages fit each other: schooling, union, births, parents."""

from __future__ import annotations

from collections.abc import Iterable

from deeppersona.population.validators._subject import Subject
from deeppersona.schema.report import Issue

_YOUNGEST_WITH = {"lower_secondary": 14, "upper_secondary": 16, "short_tertiary": 18, "bachelor": 19, "master": 21}
_YOUNGEST_PARENT, _OLDEST_MOTHER, _YOUNGEST_UNION = 15, 50, 16


def validate(subject: Subject) -> Iterable[Issue]:
    """Nobody has a degree, a spouse or a child too early, and no mother gives birth after 50."""
    facts, age = subject.facts, int(subject.facts["age"])
    level = facts["education"]
    if level in _YOUNGEST_WITH and age < _YOUNGEST_WITH[level]:
        yield subject.issue("demographics.education", "schooling fits age", f"{level} at {age}")
    if facts["wed_age"] is not None and not _YOUNGEST_UNION <= facts["wed_age"] <= age:
        yield subject.issue(
            "relationships.kin.age_at_union", "union fits age", f"union at {facts['wed_age']}, now {age}"
        )
    for child in subject.children_ages:
        if age - child < _YOUNGEST_PARENT:
            yield subject.issue("relationships.kin.children", "children fit parents", f"a child of {child} at {age}")
        if facts["sex"] == "female" and age - child > _OLDEST_MOTHER:
            yield subject.issue("relationships.kin.children", "children fit parents", f"a birth at {age - child}")
    for story in subject.persona.stories:
        if not 0 <= story.age <= age:
            yield subject.issue("stories", "stories fit age", f"a story at {story.age}, now {age}")
