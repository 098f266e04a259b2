"""A finished persona as validators look at it: facts in the words conditions use, read back from the traits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.person import ordinal
from deeppersona.schema import vocabulary as v
from deeppersona.schema.persona import Persona
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Taxonomy

_CHILD = re.compile(r"^(.+), (daughter|son), (\d+)$")


@dataclass(frozen=True)
class Subject:
    """The person, the taxonomy they were told by, and their facts (see ``schema.condition``)."""

    persona: Persona
    taxonomy: Taxonomy
    facts: dict[str, Any]
    children_ages: tuple[int, ...]

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path."""
        return self.persona.get(path, default)

    def issue(self, path: str, rule: str, message: str) -> Issue:
        """An error found at a path of this person."""
        return Issue(path=path, rule=rule, message=f"{self.persona.id}: {message}")

    @classmethod
    def of(cls, persona: Persona, taxonomy: Taxonomy) -> Subject:
        """Read a persona."""
        children = persona.get("relationships.kin.children", [])
        ages = tuple(int(m[3]) for line in children if (m := _CHILD.match(line)))
        return cls(persona, taxonomy, _facts(persona, ages), ages)


def _group(words: str) -> str:
    """The religion group behind a religion in words."""
    folded = words.casefold()
    if folded == "no religion":
        return "none"
    named = next((g for g in v.RELIGION if folded.startswith(g)), None)
    if named:
        return named
    return next((r["religion"] for r in shipped_facts().rows("religion.csv") if r["branch"] == words), "other")


def _facts(persona: Persona, ages: tuple[int, ...]) -> dict[str, Any]:
    def core(key: str, default: Any = None) -> Any:
        return persona.get(f"demographics.{key}", default)

    jobs = shipped_facts().occupations
    level = str(core("education", "")).replace(" ", "_")
    row = jobs.index.get(str(core("occupation", "")))
    country = shipped_facts().countries.get(str(core("country", "")))
    parents = str(persona.get("relationships.kin.parents", ""))
    alive = {
        "both parents living": ("alive", "alive"), "mother living": ("alive", "dead"), "father living": ("dead", "alive"),
    }.get(parents, ("dead", "dead"))  # fmt: skip
    income = core("income")
    order = re.match(r"^([\w-]+) of ([\w-]+) children", str(persona.get("relationships.kin.birth_order", "")))
    siblings = _WORDS.get(order[2], 1) - 1 if order else 0
    older = next((n - 1 for n in range(1, len(_WORDS)) if order and ordinal(n) == order[1]), 0)
    return {
        "age": core("age"), "sex": core("sex"), "urban": core("urban"), "country": core("country"),
        "region": country.region if country else None, "education": level if level in v.EDUCATION else None,
        "status": str(core("employment_status", "")).replace(" ", "_"),
        "sector": v.SECTOR[int(jobs.sector[row])] if row is not None else None,
        "trade": v.TRADE[int(jobs.trade[row])] if row is not None else None,
        "income": v.INCOME.index(income) + 1 if income in v.INCOME else None,
        "marital": core("marital_status"), "children": core("children", 0),
        "youngest_child": min(ages) if ages else None,
        "grandchildren": persona.get("relationships.kin.grandchildren", 0), "household": core("household_size"),
        "religion": _group(str(core("religion", "no religion"))),
        "siblings": siblings, "older_siblings": older, "younger_siblings": siblings - older,
        "wed_age": persona.get("relationships.kin.age_at_union"), "mother": alive[0], "father": alive[1],
        "with_parents": "yes" if "parents" in persona.get("relationships.kin.lives_with", []) else "no",
    }  # fmt: skip


_WORDS = {
    w: n for n, w in enumerate(
        ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"))
}  # fmt: skip
