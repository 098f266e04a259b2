"""Work fits age and schooling."""

from __future__ import annotations

from collections.abc import Iterable

from deeppersona.facts.tables import shipped_facts
from deeppersona.population.validators._subject import Subject
from deeppersona.schema import vocabulary as v
from deeppersona.schema.report import Issue

_YOUNGEST_WORKER, _YOUNGEST_RETIRED = 15, 40


def validate(subject: Subject) -> Iterable[Issue]:
    """No child works, nobody works in what they have neither the age nor the schooling for, nobody retires at 25."""
    facts, age, status = subject.facts, int(subject.facts["age"]), subject.facts["status"]
    path = "demographics.occupation"
    if age < _YOUNGEST_WORKER and status not in ("child", "student"):
        yield subject.issue("demographics.employment_status", "no child works", f"{status} at {age}")
    if status == "retired" and age < _YOUNGEST_RETIRED:
        yield subject.issue("demographics.employment_status", "retired fits age", f"retired at {age}")
    jobs = shipped_facts().occupations
    row = jobs.index.get(str(subject.get(path)))
    if status in v.IN_WORK and row is None and subject.persona.trait(path).source == "table":
        yield subject.issue(path, "workers have work", f"{status}, but no occupation")
    if row is None:
        return
    if status not in v.IN_WORK:
        yield subject.issue(path, "workers have work", f"{jobs.title[row]}, but {status}")
    if not jobs.age_min[row] <= age <= jobs.age_max[row]:
        yield subject.issue(path, "work fits age", f"{jobs.title[row]} at {age}")
    level = facts["education"]
    if level is None or v.EDUCATION.index(level) < jobs.edu_min[row]:
        yield subject.issue(path, "work fits schooling", f"{jobs.title[row]} with {level}")
