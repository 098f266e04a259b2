"""Every validator finds the fault it is for, and none on people the engine makes. A new file here is tested at once."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

import deeppersona as dp
from deeppersona.population.validators import registered, validate

Change = Callable[[dict[str, Any]], None]


def put(path: str, value: Any, source: str | None = None) -> Change:
    def change(record: dict[str, Any]) -> None:
        for trait in record["traits"]:
            if trait["path"] == path:
                trait["value"] = value
                trait["source"] = source or trait["source"]
                return
        record["traits"].append({"path": path, "value": value, "source": source or "prior", "evidence": {}})

    return change


def both(*changes: Change) -> Change:
    def change(record: dict[str, Any]) -> None:
        for one in changes:
            one(record)

    return change


def text(key: str, value: str) -> Change:
    return lambda record: record.__setitem__(key, value)


# validator -> (change, rule it must name); a validator without an entry here fails the contract below.
FAULTS: dict[str, list[tuple[Change, str]]] = {
    "told": [
        (lambda r: (r["provenance"].__setitem__("model", "scripted:"), r.__setitem__("narrative", "Nobody is named here. " * 40))[0], "told as it is"),
    ],
    "ages": [
        (both(put("demographics.age", 17), put("demographics.education", "master")), "schooling fits age"),
        (put("relationships.kin.children", ["Ann, daughter, 30"]), "children fit parents"),
        (put("relationships.kin.age_at_union", 12), "union fits age"),
        (lambda r: r["stories"].append({"age": 99, "title": "t", "text": "t"}), "stories fit age"),
    ],
    "family": [
        (put("demographics.children", 11), "children are named"),
        (put("relationships.kin.children_at_home", 14), "room for all"),
        (both(put("demographics.age", 14), put("demographics.marital_status", "widowed")), "no child weds"),
        (put("relationships.kin.grandchildren", 3), "grandchildren have parents"),
    ],
    "work": [
        (both(put("demographics.age", 11), put("demographics.employment_status", "employed")), "no child works"),
        (both(put("demographics.age", 22), put("demographics.employment_status", "retired")), "retired fits age"),
        (both(put("demographics.employment_status", "employed"), put("demographics.occupation", "astronaut")), "workers have work"),
        (both(put("demographics.employment_status", "retired"), put("demographics.occupation", "nurse")), "workers have work"),
        (both(put("demographics.education", "none"), put("demographics.occupation", "nurse")), "work fits schooling"),
    ],
    "attributes": [
        (put("lifestyle.food.weekday_breakfast", "the moon"), "options"),
        (put("relationships.family.mother", "lives under the same roof", "prior"), "applies"),
    ],
    "texts": [
        (text("narrative", "Too short."), "portrait length"),
        (text("system_prompt", "You are {name}."), "texts are whole"),
        (lambda r: r["traits"].append(dict(r["traits"][0])), "one value a path"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def subject() -> dict[str, Any]:
    """A young man without parents or children, so that every change above is a fault."""
    people = dp.generate(
        1, "DE", seed=1, anchors={"sex": "male", "age": "25..40", "children": "0..0", "household_size": 1}
    )
    record = people[0].record()
    put("relationships.kin.parents", "both parents dead")(record)
    return record


def test_people_as_made_are_without_contradiction(people: dp.Population, taxonomy: dp.Taxonomy) -> None:
    assert [str(i) for p in people for i in validate(p, taxonomy)] == []


def test_children_and_the_old_are_without_contradiction(taxonomy: dp.Taxonomy) -> None:
    young = dp.generate(60, ["NG", "DE"], seed=2, adults_only=False, anchors={"age": "0..17"}, depth=150)
    old = dp.generate(60, ["JP", "IN"], seed=2, anchors={"age": "75..104"})
    assert [str(i) for group in (young, old) for p in group for i in validate(p, taxonomy)] == []


@pytest.mark.parametrize("name", sorted(registered()))
def test_every_validator_finds_its_faults(name: str, subject: dict[str, Any], taxonomy: dp.Taxonomy) -> None:
    assert FAULTS.get(name), f"validator {name} has no fault to find; add one to FAULTS"
    for change, rule in FAULTS[name]:
        record = copy.deepcopy(subject)
        change(record)
        issues = validate(dp.Persona.model_validate(record), taxonomy)
        assert rule in {i.rule for i in issues}, (name, rule, [str(i) for i in issues])


def test_rules_of_the_taxonomy_are_checked(subject: dict[str, Any], taxonomy: dp.Taxonomy) -> None:
    assert taxonomy.rules
    for rule in taxonomy.rules[::25]:
        record = copy.deepcopy(subject)
        if any(clause.is_fact for clause in rule.condition.clauses):
            continue
        for clause in (*rule.condition.clauses, *rule.bans):
            value: Any = sorted(clause.words)[0] if clause.words else int(max(clause.low, min(clause.high, 1)))
            put(clause.key, [value] if taxonomy[clause.key].kind == "many" else value, "prior")(record)
        issues = validate(dp.Persona.model_validate(record), taxonomy)
        assert any(i.rule == "rule" and rule.because in i.message for i in issues), rule.because
