"""Every trait drawn from the taxonomy applies to the person, and so does its value; no rule is broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deeppersona.population.validators._subject import Subject
from deeppersona.schema.condition import Condition
from deeppersona.schema.report import Issue


def _known(condition: Condition, facts: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a condition holds as far as it can be told: attributes the person is not told by are left open."""
    return all(
        clause.holds(facts.get(clause.key)) if clause.is_fact else clause.holds(subject.get(clause.key))
        for clause in condition.clauses
        if clause.is_fact or clause.key in subject.persona
    )


def validate(subject: Subject) -> Iterable[Issue]:
    """Applicability of attributes and options, places of options, values among the options, rules."""
    facts, taxonomy = subject.facts, subject.taxonomy
    for trait in subject.persona.traits:
        if trait.source != "prior" or trait.path not in taxonomy:
            continue
        attribute = taxonomy[trait.path]
        if not _known(attribute.condition, facts, subject):
            yield subject.issue(trait.path, "applies", f"does not apply ({attribute.applies})")
        values = trait.value if isinstance(trait.value, list) else [trait.value]
        for value in values if attribute.options else ():
            option = attribute.by_value.get(str(value))
            if option is None:
                yield subject.issue(trait.path, "options", f"{value!r} is not one of the options")
                continue
            regions, countries = option.places
            if (regions or countries) and facts["region"] not in regions and facts["country"] not in countries:
                yield subject.issue(trait.path, "places", f"{value!r} does not exist in {facts['country']}")
            if not _known(option.condition, facts, subject):
                yield subject.issue(trait.path, "applies", f"{value!r} does not apply ({option.applies})")
        if attribute.number is not None and isinstance(trait.value, (int, float)):
            spec = attribute.number
            past_life = spec.unit.startswith("year") and trait.value > facts["age"]
            if past_life or not (spec.min <= trait.value <= spec.max or spec.unit.startswith("year")):
                yield subject.issue(trait.path, "number", f"{trait.value} {spec.unit} at {facts['age']}")
    for rule in taxonomy.rules_about(subject.persona.paths()):  # of 3,700 the few that can be broken here
        if all(
            clause.holds(facts.get(clause.key) if clause.is_fact else subject.get(clause.key))
            for clause in rule.condition.clauses
        ):
            for ban in rule.bans:
                if ban.holds(subject.get(ban.key)):
                    yield subject.issue(ban.key, "rule", f"{subject.get(ban.key)!r}: {rule.because}")
