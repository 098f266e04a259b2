"""The core follows its tables, jointly, and anchors are conditions of the draw."""

from collections import Counter

import numpy as np
import pytest

import deeppersona as dp
from deeppersona.evaluation.distribution import against_table
from deeppersona.facts.tables import EDUCATION_AND_CHILD, shipped_facts
from deeppersona.generation.anchors import parse_anchors
from deeppersona.generation.cells import AGE, SEX
from deeppersona.generation.cohort import Cohort
from deeppersona.generation.core import conditional_cells, country_model
from deeppersona.schema import vocabulary as v
from deeppersona.study import engine_for, make_plan


def cohort(n: int, country: str, **options: object) -> Cohort:
    return engine_for(make_plan(n, country, **options), dp.shipped_taxonomy()).cohort(range(n))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kenya() -> Cohort:
    return cohort(4000, "KE", seed=2)


@pytest.mark.parametrize("code", ["KE", "PL", "VU", "LI"])
def test_margins_are_nearer_than_a_random_sample(code: str) -> None:
    facts, c = shipped_facts(), cohort(3000, code, seed=1)
    country, model = facts.country(code), c.models[code]
    religion = facts.religion(country)
    target = {(r["religion"], r["branch"]): float(x) for r, x in zip(religion.rows, religion.share, strict=True)}
    drawn = [(model.belief.groups[b], model.belief.branches[b]) for b in c.columns["belief"]]
    assert against_table(drawn, target).ratio < 1.2
    language = facts.language(country)
    spoken = {r["language"]: float(x) for r, x in zip(language.rows, language.share, strict=True)}
    assert against_table([model.belief.languages[t] for t in c.columns["tongue"]], spoken).ratio < 1.2
    urban = facts.figure(country, "urban_share").value
    assert against_table(c.columns["urban"].tolist(), {0: urban, 1: 1 - urban}).ratio < 1.2 or urban in (0, 1)
    people, _ = facts.age_sex_education(country)
    joint = {
        (a // 5, s, e): float(people[a // 5 * 5 : a // 5 * 5 + 5, s, e].sum())
        for a in range(20, 105, 5) for s in range(2) for e in range(len(EDUCATION_AND_CHILD) - 1)
    }  # fmt: skip
    keys = zip(
        (c.columns["age"] // 5).tolist(), c.columns["sex"].tolist(), c.columns["education"].tolist(), strict=True
    )
    assert against_table([k for k in keys if k[0] >= 4], joint).ratio < 1.2


def test_sectors_are_those_of_the_country(kenya: Cohort) -> None:
    facts = shipped_facts()
    country = facts.country("KE")
    for s, sex in enumerate(v.SEX):
        at_work = kenya.columns["sector"][(kenya.columns["sex"] == s) & (kenya.columns["sector"] >= 0)]
        wanted = {
            k: facts.figure(country, f"{name}_{sex[0]}").value
            for k, name in enumerate(("agri", "industry", "services"))
        }
        drawn = {k: n / len(at_work) for k, n in Counter(at_work.tolist()).items()}
        # Adults only, and about 1,300 of each sex: three standard errors are about .04.
        assert all(abs(drawn[k] - wanted[k]) < 0.06 for k in wanted)


def test_women_in_a_union_are_as_many_as_the_survey_says() -> None:
    facts = shipped_facts()
    for code in ("KE", "IN", "PE"):
        c = cohort(6000, code, seed=5).columns
        women = (c["sex"] == 0) & (c["age"] >= 20) & (c["age"] <= 49)
        share = np.isin(c["marital"][women], [1, 2]).mean()
        whole = facts.figure(facts.country(code), "married_women_15_49").value
        # The figure counts from 15; those of 20-49 are in a union more often, by less than .2.
        assert whole - 0.03 < share < whole + 0.2


@pytest.mark.parametrize(
    "anchors",
    [{"age": 34, "sex": "female", "occupation": "nurse"}, {"age": "60..75"}, {"education": "bachelor,master", "urban": "rural"},
     {"religion": "muslim"}, {"religion": "Catholic", "marital_status": "widowed"}, {"children": "3..5", "employment_status": "unemployed"},
     {"income": "highest fifth"}, {"household_size": "7..9"}, {"occupation": "retired", "sex": "male"}, {"city": "Mombasa"},
     {"language": "Kikuyu"}, {"education": ">=upper_secondary"}],
)  # fmt: skip
def test_anchors_hold_for_everybody(anchors: dict[str, object]) -> None:
    people = dp.generate(25, "KE", seed=3, anchors=anchors, depth=20)
    assert len(people) == 25
    for field, value in anchors.items():
        for p in people:
            drawn = p[f"demographics.{field}"]
            if field == "age":
                low, _, high = str(value).partition("..")
                assert int(low) <= drawn <= int(high or low)
            elif field in ("children", "household_size"):
                low, _, high = str(value).partition("..")
                assert int(low) <= drawn <= int(high)
            elif field == "religion":
                assert str(value).casefold() in str(drawn).casefold()
            elif field == "education":
                assert drawn in {"bachelor,master": ("bachelor", "master")}.get(
                    str(value), ("upper secondary", "short tertiary", "bachelor", "master")
                )
            else:
                assert str(drawn) == str(value)


def test_anchors_shift_the_rest_as_the_joint_table_does() -> None:
    """Of people over 80 in Japan more are women than men: an anchor on age must bring that with it."""
    facts = shipped_facts()
    people, _ = facts.age_sex_education(facts.country("JP"))
    share = people[85:, 0].sum() / people[85:].sum()
    old = cohort(2000, "JP", anchors={"age": ">=85"}).columns
    assert abs((old["sex"] == 0).mean() - share) < 0.03


def test_the_posterior_of_the_cell_is_exact() -> None:
    """P(cell | status = unemployed) by Bayes, against a large unconditioned sample."""
    facts = shipped_facts()
    model = country_model(facts, "KE")
    weight = conditional_cells(model, parse_anchors({"employment_status": "unemployed"}, facts), 18)
    mean_age = np.average(AGE, weights=weight)
    share_women = np.average(SEX == 0, weights=weight)
    c = cohort(30_000, "KE", seed=8).columns
    jobless = c["status"] == v.STATUS.index("unemployed")
    assert abs(c["age"][jobless].mean() - mean_age) < 1.0
    assert abs((c["sex"][jobless] == 0).mean() - share_women) < 0.05


@pytest.mark.parametrize(
    ("anchors", "said"),
    [({"age": 19, "education": "master"}, "nobody in Germany"), ({"age": 8}, "--all-ages"),
     ({"occupation": "nurse", "employment_status": "retired"}, "occupation=nurse and employment_status=retired"),
     ({"age": 15, "children": "4..6"}, "age=15")],
)  # fmt: skip
def test_the_impossible_is_refused_with_the_reason(anchors: dict[str, object], said: str) -> None:
    with pytest.raises(dp.UsageError, match=said.replace("(", r"\(")):
        dp.generate(3, "DE", anchors=anchors)


@pytest.mark.parametrize(
    ("anchors", "said"),
    [({"ocupation": "nurse"}, "did you mean occupation"), ({"occupation": "nurze"}, "did you mean nurse"), ({"age": "old"}, "cannot read|number"),
     ({"religion": "muslimm"}, "did you mean muslim"), ({"sex": "x"}, "unknown sex"), ({"age": ""}, "empty")],
)  # fmt: skip
def test_unknown_anchors_name_the_nearest(anchors: dict[str, object], said: str) -> None:
    with pytest.raises(dp.UsageError, match=said):
        dp.generate(3, "DE", anchors=anchors)


def test_every_country_makes_people() -> None:
    engine = engine_for(make_plan(1, "world"), dp.shipped_taxonomy())
    for code in shipped_facts().countries:
        c = engine_for(make_plan(5, code, depth=20), dp.shipped_taxonomy()).cohort(range(5))
        assert c.made.all(), code
    assert len(engine.plan.countries) >= 190


def test_fallbacks_say_so() -> None:
    """Liechtenstein has no census projection of its own here: its region's stands in, and the evidence says it."""
    person = dp.generate(1, "LI", depth=20)[0]
    assert person.trait("demographics.age").evidence["of"] == "Western Europe"
    assert dp.generate(1, "KE", depth=20)[0].trait("demographics.age").evidence["of"] == "Kenya"


def test_children_are_made_when_asked() -> None:
    people = dp.generate(200, "NG", seed=1, adults_only=False, depth=20)
    ages = [p["demographics.age"] for p in people]
    assert min(ages) < 10
    assert 0.3 < np.mean([a < 18 for a in ages]) < 0.7
    assert all(p["demographics.age"] >= 18 for p in dp.generate(200, "NG", seed=1, depth=20))


@pytest.mark.parametrize("code", ["KE", "DE", "IN", "PE"])
def test_households_have_the_mean_size_of_the_country(code: str) -> None:
    c = cohort(4000, code, adults_only=False, seed=3).columns
    mean = 1 / np.mean(1 / c["household"])  # a household of h is met h times as often when one meets its people
    assert abs(mean / shipped_facts().figure(shipped_facts().country(code), "household_size").value - 1) < 0.07


def test_personality_has_the_measured_means_and_correlations() -> None:
    c = cohort(8000, "US", seed=3)
    women, men = (c.big_five[c.columns["sex"] == s] for s in (0, 1))
    neuroticism, agreeableness = v.TRAIT_5.index("neuroticism"), v.TRAIT_5.index("agreeableness")
    assert 0.1 < women[:, neuroticism].mean() - men[:, neuroticism].mean() < 0.45
    assert 0.15 < women[:, agreeableness].mean() - men[:, agreeableness].mean() < 0.5
    young, old = (c.columns["age"] < 25), (c.columns["age"] > 55)
    assert (
        c.big_five[old, v.TRAIT_5.index("conscientiousness")].mean()
        > c.big_five[young, v.TRAIT_5.index("conscientiousness")].mean() + 0.15
    )
    same = (c.columns["sex"] == 0) & (c.columns["age"] >= 35) & (c.columns["age"] < 55)
    found = np.corrcoef(c.big_five[same].T)
    wanted = np.array([[float(r[t]) for t in v.TRAIT_5] for r in shipped_facts().rows("personality_correlations.csv")])
    assert np.abs(found - wanted).max() < 0.09


def test_the_world_is_shared_out_by_who_meets_the_anchors() -> None:
    plan = make_plan(10, None, anchors={"religion": "hindu", "age": "60..75"})
    total = sum(plan.countries.values())
    assert plan.countries["IN"] / total > 0.8
    assert "NP" in plan.countries
    everybody = make_plan(10, None).countries
    assert len(everybody) >= 190
    assert 0.1 < everybody["IN"] / sum(everybody.values()) < 0.2
    assert set(make_plan(10, None, anchors={"region": "west_africa"}).countries) >= {"NG", "GH", "SN"}
