"""Coverage, difference and trial of small trees written for the purpose."""

from pathlib import Path
from typing import Any

import pytest

from deeppersona.evaluation.audit import audit
from deeppersona.facts.tables import shipped_facts
from deeppersona.schema.taxonomy import Attribute, Category, Rule, Taxonomy
from deeppersona.taxonomy import check as checker
from deeppersona.taxonomy.check import check, check_folder
from deeppersona.taxonomy.coverage import DISABILITY, by_stage, stages_of
from deeppersona.taxonomy.diff import diff
from tests.generation.whole import whole_people


def attribute(path: str, **changes: Any) -> Attribute:
    """A whole attribute with some fields changed."""
    raw: dict[str, Any] = {
        "path": path, "definition": f"What is asked at {path}, in words of its own.", "question": f"And {path}?",
        "kind": "choice", "options": ["tea", "water", "milk", "beer", "juice"], "phrase": "{They} {take} {value}.",
    }  # fmt: skip
    return Attribute.model_validate(raw | changes)


def scale(path: str, **changes: Any) -> Attribute:
    return attribute(path, kind="scale", options=[], phrase="It is {label} {they} {do} it.",
                     scale={"labels": ["never", "seldom", "often", "always"]}, **changes)  # fmt: skip


def number(path: str, **changes: Any) -> Attribute:
    spec = {"mean": 30, "sd": 15, "min": 0, "max": 120, "unit": "minutes"}
    return attribute(path, kind="number", options=[], number=spec, phrase="It takes {value} minutes.", **changes)


@pytest.mark.parametrize(
    ("applies", "stage"),
    [
        ({"age": "6..12"}, "children and teenagers"), ({"status": ["student"]}, "students"),
        ({"youngest_child": "<=12"}, "parents"), ({"children": ">=1"}, "parents"), ({"status": ["retired"]}, "retired"),
        ({"urban": "rural"}, "rural"), ({"urban": "urban"}, "urban"), ({"income": ">=4"}, "rich"),
        ({"income": "<=2"}, "poor"), ({"religion": ["sikh"]}, "believers"), ({"religion": {"not": ["none"]}}, "believers"),
        ({"religion": ["none"]}, "non-believers"),
    ],
)  # fmt: skip
def test_a_condition_makes_an_attribute_particular(applies: dict[str, Any], stage: str) -> None:
    one = attribute("food.drinks.evening", applies=applies)
    assert stages_of(Taxonomy([one]), one) == [stage]


@pytest.mark.parametrize(
    "applies",
    [{}, {"age": ">=6"}, {"income": ">=2"}, {"status": ["student", "employed"]}, {"religion": ["none", "folk"]}],
)
def test_what_others_share_is_particular_to_none(applies: dict[str, Any]) -> None:
    one = attribute("food.drinks.evening", applies=applies)
    assert stages_of(Taxonomy([one]), one) == []


def test_particularity_is_inherited_from_what_is_required() -> None:
    gate = attribute(DISABILITY, options=["none", "deafness"], phrase="It is {value}.")
    first = attribute("health.disability.since", applies={DISABILITY: ["deafness"]})
    second = attribute("health.disability.then", applies={"health.disability.since": ["tea"]})
    able = attribute("health.disability.dances", applies={DISABILITY: {"not": ["deafness"]}})
    any_ = attribute("health.disability.card", applies={DISABILITY: {"not": ["none"]}})
    counts = by_stage(Taxonomy([gate, first, second, able, any_]))
    assert counts["living with disability"] == 3


def found(taxonomy: Taxonomy) -> dict[str, set[str]]:
    """Rule -> paths at fault."""
    out: dict[str, set[str]] = {}
    for issue in check(taxonomy):
        out.setdefault(issue.rule, set()).add(issue.path)
    return out


def test_duplicates_are_found_by_shared_stems_over_the_whole_tree() -> None:
    one = attribute(
        "home.kitchen.burnt_pots",
        definition="How often dinners burn while telephoning somebody.",
        question="Do dinners burn?",
    )
    two = attribute(
        "money.loss.pot_burning",
        definition="Telephoning somebody, how often dinners burnt.",
        question="Did a dinner burn?",
    )
    assert found(Taxonomy([one, two]))["near-duplicate"] == {"money.loss.pot_burning"}


def test_a_region_with_fewer_than_four_options_is_named() -> None:
    options: list[Any] = [{"value": x, "regions": ["europe"]} for x in ("tea", "ale", "cider")] + [
        "water",
        "milk",
        "juice",
    ]
    faults = [
        i for i in check(Taxonomy([attribute("food.drinks.evening", options=options)])) if i.rule == "thin-region"
    ]
    assert "east_asia 3" in faults[0].message
    assert "northern_europe" not in faults[0].message


def test_a_whole_tree_is_held_to_stages_and_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Taxonomy([attribute("food.drinks.evening", options=["good tea", "happy ale", "a lovely glass of milk"])])
    assert not {"coverage", "balance"} & set(found(tree))
    monkeypatch.setattr(checker, "WHOLE_TREE", 1)
    assert {"coverage", "balance"} <= set(found(tree))


@pytest.mark.parametrize(
    ("clause", "fine"),
    [({"food.drinks.often": ">=3"}, True), ({"food.drinks.often": ["often"]}, False), ({"food.drinks.often": ">=1"}, False),
     ({"food.drinks.minutes": "<20"}, True), ({"food.drinks.minutes": ">500"}, False), ({"food.drinks.evening": ">=2"}, False)],
)  # fmt: skip
def test_scales_and_numbers_are_referred_to_by_a_range(clause: dict[str, str], fine: bool) -> None:
    tree = [attribute("food.drinks.evening"), scale("food.drinks.often"), number("food.drinks.minutes"),
            attribute("food.drinks.cup", applies=clause)]  # fmt: skip
    assert ("reference" in found(Taxonomy(tree))) != fine


def test_rules_over_scales_numbers_and_facts_hold(tmp_path: Path) -> None:
    rules = [
        Rule.model_validate({"if": {"a.b.walk": ["tea"]}, "never": {"a.b.minutes": [">=20"], "a.b.often": ["<=2"]}, "because": "tea is near"}),
        Rule.model_validate({"if": {"a.b.often": [">=3"]}, "never": {"a.b.last": ["water"]}, "because": "always means today"}),
        Rule.model_validate({"if": {"age": ["<30"]}, "never": {"a.b.walk": ["beer"]}, "because": "the young do not"}),
    ]  # fmt: skip
    tree = Taxonomy(
        [attribute("a.b.walk"), number("a.b.minutes"), scale("a.b.often"), attribute("a.b.last")], (), rules
    )
    fill = whole_people(tree, ["KE"], 500)
    walk, minutes, often, last = fill.codes.T
    assert (walk == 0).any()
    assert minutes[walk == 0].max() == 19
    assert minutes[walk != 0].max() > 40
    assert often[walk == 0].min() == 3
    assert not (last[often >= 3] == 1).any()
    assert (last[often < 3] == 1).any()
    assert not (walk[fill.cohort.columns["age"] < 30] == 3).any()


def test_rules_hold_in_circles_and_against_what_applies() -> None:
    """Whichever attribute is settled last gives way, and what an attribute applies to is never turned round."""
    rules = [
        Rule.model_validate({"if": {one: ["tea"]}, "never": {two: ["water"]}, "because": "never both"})
        for one, two in (("a.b.one", "a.b.two"), ("a.b.two", "a.b.three"), ("a.b.three", "a.b.one"))
    ] + [Rule.model_validate({"if": {"a.b.often": [">=3"]}, "never": {"a.b.one": ["milk"]}, "because": "seldom"})]
    tree = Taxonomy(
        [attribute("a.b.one"), attribute("a.b.two"), attribute("a.b.three"),
         scale("a.b.often", applies={"a.b.one": ["milk", "beer"]})], (), rules,
    )  # fmt: skip
    fill = whole_people(tree, ["KE"], 800)
    one, two, three, often = fill.codes.T
    for x, y in ((one, two), (two, three), (three, one)):
        assert not ((x == 0) & (y == 1)).any()
        assert (x == 0).any()
        assert (y == 1).any()
    assert (one[often >= 0] >= 2).all()
    assert often[one == 2].max() == 2
    assert often[one == 3].max() == 4


def test_a_rule_over_a_core_fact_cannot_be_turned_round() -> None:
    rule = Rule.model_validate({"if": {"a.b.walk": ["tea"]}, "never": {"age": [">=30"]}, "because": "never so"})
    assert "reference" in found(Taxonomy([attribute("a.b.walk")], (), [rule]))


def test_a_rule_that_cannot_be_read_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("- {if: {aeg: ['<3']}, never: {a.b.c: [x]}, because: none at all}\n")
    issues = check_folder(tmp_path)[1]
    assert issues[0].file == "rules/a.yaml"
    assert "did you mean" in issues[0].message


def test_the_own_kind_of_work_is_a_condition() -> None:
    tree = Taxonomy([attribute("work.farm.crop", applies={"trade": ["farming"]}), attribute("work.farm.hat")])
    fill = whole_people(tree, ["NE"], 300)
    isco = shipped_facts().occupations.isco
    farms = [j >= 0 and isco[j][0] in "69" for j in fill.cohort.columns["occupation"]]
    crop = fill.codes[:, 0] >= 0
    assert crop.any()
    assert all(farms[i] for i in crop.nonzero()[0])


def test_differences_are_told() -> None:
    before = Taxonomy(
        [attribute("a.b.one"), attribute("a.b.two", options=["x", "y"]), attribute("a.b.old", options=["p", "q"])]
    )
    after = Taxonomy(
        [attribute("a.b.one", question="Another question?", options=["tea", {"value": "water", "weight": 3}, "milk", "gin", "juice"]),
         attribute("a.b.renamed", definition=before["a.b.two"].definition, question=before["a.b.two"].question, options=["x", "y"]),
         attribute("a.b.new", options=["r", "s"])],
        [Category(key="a", title="A", about="")],
        [Rule.model_validate({"if": {"a.b.one": ["tea"]}, "never": {"a.b.new": ["r"]}, "because": "because"})],
    )  # fmt: skip
    told = diff(before, after)
    assert (told.added, told.removed, told.renamed) == (["a.b.new"], ["a.b.old"], [("a.b.two", "a.b.renamed")])
    assert [c.path for c in told.changed] == ["a.b.one"]
    assert told.changed[0].differs == [
        ("question", "And a.b.one?", "Another question?"), ("option removed", "beer", None), ("option added", None, "gin"),
        ("option 'water', weight", 1.0, 3.0),
    ]  # fmt: skip
    assert told.rules_added == ["because"]
    assert not diff(before, before)


def test_a_trial_finds_what_never_comes_up() -> None:
    tree = Taxonomy([
        attribute("a.b.one", options=["tea", {"value": "kava", "countries": ["XX"]}, "water"]),
        attribute("a.b.two", options=[{"value": "yes and no", "weight": 99}, "nay"]),
        attribute("a.b.nobody", applies={"age": "<18", "status": ["retired"]}),
        number("a.b.minutes"), scale("a.b.often"),
        attribute("a.b.several", kind="many", count="1..2"),
    ])  # fmt: skip
    tried = audit(tree, 400, seed=2)
    rules = {(i.rule, i.path) for i in tried.issues()}
    assert rules == {("never-drawn", "a.b.one"), ("tells-nothing", "a.b.two"), ("never-asked", "a.b.nobody")}
    by_path = {a.attribute.path: a for a in tried.answers}
    assert by_path["a.b.one"].never == ["kava"]
    assert by_path["a.b.one"].entropy == pytest.approx(1.0, abs=0.05)
    assert sum(n for _, n in by_path["a.b.minutes"].counts) == by_path["a.b.minutes"].asked == 400
    assert len(tried.pool) == 400
    assert audit(tree, 400, seed=2).answers == tried.answers
