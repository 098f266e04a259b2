"""The shipped taxonomy passes its checker; the checker finds each kind of fault; trees go in and out."""

import json
from pathlib import Path

import pytest

import deeppersona as dp
from deeppersona.taxonomy import foreign
from deeppersona.taxonomy.check import check_folder
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

GOOD = """
- path: {path}
  definition: What the person drinks in the evening.
  question: What do you drink in the evening?
  kind: choice
  options: [tea, water]
  phrase: "{{They}} {{drink}} {{value}} in the evening."
"""


def folder(tmp_path: Path, text: str, rules: str = "") -> Path:
    (tmp_path / "food").mkdir()
    (tmp_path / "food" / "drinks.yaml").write_text(text)
    if rules:
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "food.yaml").write_text(rules)
    return tmp_path


def test_the_shipped_tree_has_no_fault() -> None:
    reading, issues = check_folder(SHIPPED)
    assert [str(i) for i in issues] == []
    assert len(reading.taxonomy) >= 2400


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (GOOD.format(path="food.drinks.evening_drink").replace("kind: choice", "kind: choyce"), "schema"),
        (GOOD.format(path="food.drinks.evening_drink").replace("question:", "qestion:"), "schema"),
        (GOOD.format(path="food.drinks.evening_drink") * 2, "unique"),
        (GOOD.format(path="food.drinks.evening_drink") + GOOD.format(path="food.drinks.evening_drinks"), "near-duplicate"),
        (GOOD.format(path="food.drinks.drinks"), "child-equals-parent"),
        (GOOD.format(path="food.drinks.is_thirsty"), "value-as-attribute"),
        (GOOD.format(path="food.drinks.misc"), "plumbing"),
        (GOOD.format(path="food.drinks.evening_drink").replace("{drink}", "{drinks2}"), "phrase"),
        (GOOD.format(path="food.drinks.evening_drink").replace("{value} in", "{valu} in"), "phrase"),
        (GOOD.format(path="food.drinks.evening_drink").replace("[tea, water]", "[{value: tea, leans: {opennes: 1}}, water]"), "schema"),
        (GOOD.format(path="food.drinks.evening_drink").replace("[tea, water]", "[{value: tea, applies: {age: '<3'}}, water]").replace("kind:", "applies: {age: '>=6'}\n  kind:"), "unreachable"),
        (GOOD.format(path="food.drinks.evening_drink").replace("[tea, water]", "[{value: tea, regions: [europe]}, {value: water, regions: [asia]}]"), "bare-region"),
        (GOOD.format(path="food.drinks.evening_drink").replace("[tea, water]", "[{value: tea, regions: [europa]}, water]"), "condition"),
        (GOOD.format(path="food.drinks.evening_drink").replace("[tea, water]", "[tea, other]"), "vague-value"),
        (GOOD.format(path="food.drinks.evening_drink").replace("kind:", "applies: {food.drinks.nothing: [x]}\n  kind:"), "reference"),
        ("- path: [", "yaml"),
        ("just words", "yaml"),
    ],
)  # fmt: skip
def test_each_fault_is_found_with_its_place(tmp_path: Path, text: str, rule: str) -> None:
    _, issues = check_folder(folder(tmp_path, text))
    assert rule in {i.rule for i in issues}, [str(i) for i in issues]
    found = next(i for i in issues if i.rule == rule)
    assert found.file == "food/drinks.yaml"
    assert found.line >= 1


def test_references_of_rules_and_circles_of_conditions_are_checked(tmp_path: Path) -> None:
    cup = GOOD.format(path="food.drinks.cup_owned").replace("evening", "cup")
    text = GOOD.format(path="food.drinks.evening_drink").replace(
        "kind:", "applies: {food.drinks.cup_owned: [tea]}\n  kind:"
    )
    cup = cup.replace("kind:", "applies: {food.drinks.evening_drink: [tea]}\n  kind:")
    rules = "- {if: {food.drinks.cup_owned: [tea]}, never: {food.drinks.evening_drink: [water, gin]}, because: so}\n".replace(
        "so}", "so it is}"
    )
    found = {i.rule for i in check_folder(folder(tmp_path, text + cup, rules))[1]}
    assert {"circle", "reference"} <= found


def test_a_faulty_folder_is_refused_by_generate(tmp_path: Path) -> None:
    with pytest.raises(dp.UsageError, match=r"food/drinks.yaml:\d+"):
        read_taxonomy(
            folder(tmp_path, GOOD.format(path="food.drinks.evening_drink").replace("kind: choice", "kind: x"))
        )
    with pytest.raises(dp.UsageError, match="not a folder"):
        read_taxonomy(tmp_path / "nothing")


def test_reading_from_the_cache_gives_the_same_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = folder(
        tmp_path / "t" if (tmp_path / "t").mkdir() is None else tmp_path, GOOD.format(path="food.drinks.evening_drink")
    )
    first, second = read_taxonomy(place), read_taxonomy(place)
    assert list((tmp_path / "cache" / "deeppersona").iterdir())
    assert first.fingerprint == second.fingerprint
    (place / "food" / "drinks.yaml").write_text(GOOD.format(path="food.drinks.morning_drink"))
    assert "food.drinks.morning_drink" in read_taxonomy(place)


def test_a_foreign_tree_is_judged_leaf_by_leaf(taxonomy: dp.Taxonomy, tmp_path: Path) -> None:
    tree = {
        "Lifestyle": {"Food": {"WeekdayBreakfast": {}, "Food": {}, "UserProfileAttributes": {}}},
        "Health": {"Ethnicity": ["ethnicity_latino"], "Sleep": {"is_tired": {}}},
        "Zoology": {"SpiderKeeping": {}},
    }
    fates = {j.path: (j.fate, j.reason) for j in foreign.judge(tree, taxonomy)}
    assert fates["lifestyle.food.weekday_breakfast"][0] == "matched"
    assert fates["lifestyle.food.food"] == ("rejected", "repeats its parent")
    assert fates["lifestyle.food.user_profile_attributes"] == ("rejected", "a plumbing name")
    assert fates["health.ethnicity.ethnicity_latino"][0] == "rejected"
    assert fates["health.sleep.is_tired"][0] == "rejected"
    assert fates["zoology.spider_keeping"][0] == "new"
    tree = {"Pets": {"PetNames": {}, "NamesOfPets": {}, "Aspects": {}}}
    fates = {j.path: (j.fate, j.reason) for j in foreign.judge(tree, taxonomy)}
    assert fates["pets.names_of_pets"] == ("rejected", "asks what its sibling pet_names asks")
    assert fates["pets.aspects"] == ("rejected", "too vague to be asked")


def test_drafts_and_reports_are_written(taxonomy: dp.Taxonomy, tmp_path: Path) -> None:
    tree = {"Zoology": {"SpiderKeeping": {}}, "Lifestyle": {"Food": {"WeekdayBreakfast": {}, "Food": {}}}}
    assert foreign.write_draft(foreign.judge(tree, taxonomy), tmp_path / "drafts") == 1
    assert "zoology.spider_keeping" in read_taxonomy(tmp_path / "drafts")
    report = foreign.report(foreign.judge(tree, taxonomy))
    assert "* matched: 1 of 3 leaves (33%)" in report
    assert "`lifestyle.food.weekday_breakfast` is our `lifestyle.food.weekday_breakfast`" in report
    with pytest.raises(dp.UsageError, match="nested categories"):
        foreign.judge([1, 2], taxonomy)


def test_nested_export_holds_every_leaf(taxonomy: dp.Taxonomy) -> None:
    tree = json.loads(json.dumps(foreign.nested(taxonomy)))
    assert len(list(foreign.leaves({k: _emptied(x) for k, x in tree.items()}))) == len(taxonomy)


def _emptied(node: object) -> object:
    return {k: _emptied(x) for k, x in node.items()} if isinstance(node, dict) else {}
