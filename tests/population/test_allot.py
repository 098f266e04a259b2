"""Quotas: whole people that meet them, cells drawn within, and whatever cannot be met refused before anybody is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deeppersona as dp
from deeppersona import populate, study
from deeppersona.errors import UsageError
from deeppersona.evaluation.fidelity import quota_errors
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.engine import Engine
from deeppersona.population import allot
from deeppersona.population.allot import AllottedEngine, engine_of
from deeppersona.population.counting import codes_of
from deeppersona.population.maker import filled
from deeppersona.population.margins import Margin
from deeppersona.population.spec import parse_spec, read_spec


def meant(n: int | None = 40, quota: list[Any] | None = None, **rest: Any) -> populate.Meant:
    raw = {"depth": 20, "base": {"country": ["KE", "DE"]}, "quota": quota or [], **({"n": n} if n else {}), **rest}
    return populate.mean(parse_spec(raw, "test"), dp.shipped_taxonomy())


def people(**figures: int) -> dict[str, Any]:
    return {"over": "sex", "people": figures}


@pytest.mark.parametrize(
    ("quota", "told"),
    [
        ([people(female=30, male=20)], "adds up to 50, not to the 40 people asked for"),
        ([people(female=41)], "asks for 41 people of 40"),
        ([people(female=-1, male=41)], "0 or more"),
        ([{"over": "sex", "people": {"female": 20.5, "male": 19.5}}], "whole numbers; write share"),
        ([{"over": "sex", "share": {"female": 0.7, "male": 0.6}}], "add up to 1.3"),
        ([{"over": "sex", "share": {"female": 1.2}}], "add up to 1.2"),
        ([people(femail=10)], "did you mean female"),
        ([{"over": ["sex", "age"], "people": [["female", "18..34", 1], ["female", "18..34", 2]]}], "given twice"),
        ([{"over": "income", "people": {"low": 40}}], "drawn last"),
        ([{"over": "shoe", "people": {"low": 40}}], "unknown dimension"),
        ([{"over": "country", "people": {"FR": 40}}], "unknown category of country"),
        ([{"over": "age", "people": {"18..34": 10, "30..50": 30}}], "overlap"),
        ([{"over": "age", "people": {"0..10": 10}}], "nobody there"),
        ([people(female=20), {"over": ["sex", "urban"], "people": [["female", "urban", 15], ["female", "rural", 9]]}], "cannot all be met"),
        ([people(female=20), {"over": "marital_status", "people": {"married": 30}}, {"over": ["sex", "marital_status"], "people": [["male", "married", 5], ["female", "married", 4]]}], "Lower"),
    ],
)  # fmt: skip
def test_impossible_quotas_are_refused_in_words(quota: list[Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        meant(quota=quota)


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ({"base": {"country": "KE", "where": {"age": "18..20", "employment_status": "retired"}}}, "loosen"),
        ({"base": {"country": "KE", "ages": "20..30", "where": {"age": "20..25"}}}, "both say which ages"),
        ({"base": {"country": "KE", "ages": "soon"}}, "age"), ({"base": {"country": "Kenia"}}, "did you mean Kenya"),
        ({"base": {"country": {"KE": -1}}}, "above 0"), ({"report": {"on": ["sexx"]}}, "did you mean sex"),
        ({"report": {"strata": ["city"]}}, "no usual categories"),
        ({"target": [{"over": "sex", "share": {"female": 0.8, "male": 0.2}}], "quota": [people(female=0, male=40)]}, "nobody there"),
        ({"target": [{"over": "sex", "share": {"female": 0.8, "male": 0.2}}, {"over": ["sex", "urban"], "base": True}]}, "cannot all be met"),
        ({"dimensions": {"country": {"all": "KE,DE"}}, "quota": [{"over": "country", "people": {"KE": 40}}]}, "one by one"),
    ],
)  # fmt: skip
def test_other_impossible_wishes_are_refused_too(rest: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        meant(**rest)


def test_the_size_is_that_of_the_quota_where_none_is_given() -> None:
    assert meant(None, [people(female=12, male=9)]).plan.n == 21
    assert meant(None, [{"over": "sex", "share": {"female": 0.5}}]).plan.n == 1000


@pytest.mark.parametrize(
    "quota",
    [
        [{"over": "country", "people": {"Germany": 13, "Kenya": 27}}], [{"over": "country", "share": {"DE": 0.4}}],
        [{"over": "region", "people": {"western_europe": 11}}], [{"over": ["country", "sex"], "people": [["DE", "female", 7]]}],
        [{"over": "gender", "people": {"women": 7, "men": 33}}], [{"over": "education", "people": {"none..primary": 7, "bachelor..": 9}}],
        [{"over": "religion", "people": {"Catholic": 7, "muslim": 3}}, {"over": "occupation", "people": {"teacher": 2, "retired": 4}}],
    ],
)  # fmt: skip
def test_quotas_are_met_to_the_person_in_the_records(quota: list[Any]) -> None:
    m = meant(quota=quota)
    made = filled(study.maker_for(m.plan, dp.shipped_taxonomy()), range(40), dp.shipped_taxonomy())
    assert len(made.records) == 40
    errors = quota_errors(codes_of(made.records, m.counted), m.labels, m.quotas)
    assert [e["error"] for e in errors] == [0.0] * len(quota)
    assert sum(m.plan.allocation.counts[k][1] for k in range(len(m.plan.allocation.counts))) == 40  # type: ignore[union-attr]


def test_conditions_hold_beside_quotas() -> None:
    where = {"religion": "christian", "age": "25..45", "income": "1..3"}
    m = meant(quota=[{"over": "religion", "people": {"Catholic": 20}}], base={"country": ["KE", "DE"], "where": where})
    made = filled(study.maker_for(m.plan, dp.shipped_taxonomy()), range(40))
    told = [{t["path"]: t["value"] for t in r["traits"]} for r in made.records]
    assert sum(t["demographics.religion"] == "Christian (Catholic)" for t in told) == 20
    assert all(t["demographics.religion"].startswith("Christian") and 25 <= t["demographics.age"] <= 45 for t in told)
    assert not any("fourth" in t["demographics.income"] or "highest" in t["demographics.income"] for t in told)


def test_a_table_of_your_own_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("sex,urban,count\nfemale,urban,5000\nmale,rural,3000\n")
    (tmp_path / "s.toml").write_text(
        'n = 40\ndepth = 20\n[base]\ncountry = "KE"\ntable = "own.csv"\n[report]\non = ["sex", "urban"]\n'
    )
    m = populate.mean(read_spec(tmp_path / "s.toml"), dp.shipped_taxonomy())
    assert np.allclose(m.expected(("sex", "urban")), [[25, 0], [0, 15]])
    assert m.targets == ()
    with_quota = read_spec(tmp_path / "s.toml").model_copy(
        update={"quota": parse_spec({"quota": [people(female=10, male=30)]}, "x").quota}
    )
    assert np.allclose(populate.mean(with_quota, dp.shipped_taxonomy()).expected(("sex", "urban")), [[10, 0], [0, 30]])
    (tmp_path / "own.csv").write_text(
        "dimension,category,people\nsex,female,5000000\nsex,male,5000000\nurban,urban,10\nurban,rural,30\n"
    )
    m = populate.mean(read_spec(tmp_path / "s.toml"), dp.shipped_taxonomy())
    assert np.allclose(m.expected(("sex",)), [20, 20])
    assert np.allclose(m.expected(("urban",)), [10, 30])


def test_shares_are_met_by_neighbouring_whole_numbers_even_where_the_first_rounding_is_not() -> None:
    g = np.random.default_rng(0)
    turned = 0
    for k in range(25):
        labels = {d: [str(c) for c in range(int(s))] for d, s in zip("abcd", g.integers(2, 5, 4), strict=True)}
        base = g.gamma(0.7, size=[len(c) for c in labels.values()])
        base = base / base.sum() * 77
        near = [
            Margin(over, np.einsum(base, [0, 1, 2, 3], ["abcd".index(d) for d in over]))
            for over in (("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"))
        ]
        counts = allot._rounded(base, labels, [], near, k)
        assert all(allot._neighbours(counts, labels, m) for m in near)
        first = allot.controlled_rounding(base, labels, [], [m.dims for m in near], seed=k).counts
        turned += not np.array_equal(first, counts)
    assert turned  # else the loop is not needed


def test_an_engine_for_quotas_wants_quotas() -> None:
    plan = dp.make_plan(3, "KE", depth=20)
    assert type(engine_of(plan, shipped_facts(), dp.shipped_taxonomy())) is Engine
    with pytest.raises(UsageError, match="no quotas"):
        AllottedEngine(plan, shipped_facts(), dp.shipped_taxonomy()).cohort([0])


def test_old_tables_give_way() -> None:
    tables = allot._Tables()
    for k in range(5):
        tables.keep(("KE", k), (np.zeros(allot._KEPT // 3, dtype=np.int64), np.zeros(1)))
    assert [k for _, k in tables] == [2, 3, 4]
