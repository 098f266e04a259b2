"""Any specification that can be met is met to the person in the finished records, and any slot made alone is the one of the run."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deeppersona as dp
from deeppersona import populate, study
from deeppersona.errors import UsageError
from deeppersona.evaluation.fidelity import quota_errors
from deeppersona.population.counting import codes_of
from deeppersona.population.maker import filled
from deeppersona.population.spec import parse_spec

CATEGORIES = {
    "sex": ["female", "male"], "age": ["18..34", "35..54", "55.."], "education": ["none..primary", "lower_secondary..upper_secondary", "short_tertiary.."],
    "urban": ["urban", "rural"], "marital_status": ["single", "married,cohabiting", "separated,divorced,widowed"],
    "religion": ["Catholic", "muslim", "other"], "employment_status": ["employed,self_employed", "retired", "other"], "country": ["DE", "KE"],
}  # fmt: skip
STUDENTS = {
    "grade": [str(k) for k in range(1, 13)],
    "sex": ["female", "male"],
    "level": None,
    "cluster": None,
    "country": ["KE", "JP"],
}


@st.composite
def specifications(draw: st.DrawFn) -> dict[str, Any]:
    """One to three quotas that come from one table of people, so that they agree; a few do not, for the zeros of the base."""
    n, seed = draw(st.integers(8, 30)), draw(st.integers(0, 2**20))
    g = np.random.default_rng(seed)
    quotas, used = [], set()
    groups = draw(
        st.lists(
            st.lists(st.sampled_from(list(CATEGORIES)), min_size=1, max_size=2, unique=True), min_size=1, max_size=3
        )
    )
    people = {d: g.integers(0, len(c), n) for d, c in CATEGORIES.items()}
    named = draw(st.booleans())
    for over in groups:
        rows = []
        kind = draw(st.sampled_from(["people", "share"]))
        for place in itertools.product(*(range(len(CATEGORIES[d])) for d in over)):
            count = int(np.all([people[d] == k for d, k in zip(over, place, strict=True)], axis=0).sum())
            rows.append(
                [
                    *(CATEGORIES[d][k] for d, k in zip(over, place, strict=True)),
                    count if kind == "people" else count / n,
                ]
            )
        if draw(st.booleans()) and len(rows) > 1:
            rows = [rows[k] for k in sorted(g.permutation(len(rows))[: draw(st.integers(1, len(rows) - 1))].tolist())]
        quotas.append({"over": over, kind: rows})
        used |= set(over)
    named_dims = {d: CATEGORIES[d] for d in used - {"country"} if named or d in ("religion", "employment_status")}
    return {
        "n": n,
        "seed": seed,
        "depth": 20,
        "base": {"country": ["KE", "DE"]},
        "dimensions": named_dims,
        "quota": quotas,
    }


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specifications(), st.data())
def test_quotas_are_met_to_the_person_and_slots_stand_alone(raw: dict[str, Any], data: st.DataObject) -> None:
    taxonomy = dp.shipped_taxonomy()
    try:
        meant = populate.mean(parse_spec(raw, "made"), taxonomy)
    except UsageError as error:
        assert any(word in str(error) for word in ("cannot", "nobody", "no table of whole people"))
        return
    n = raw["n"]
    maker = study.maker_for(meant.plan, taxonomy)
    made = filled(maker, range(n), taxonomy)
    assert len(made.records) == n
    codes = codes_of(made.records, meant.counted)
    assert all((column >= 0).all() for column in codes.values())
    assert [e["error"] for e in quota_errors(codes, meant.labels, meant.quotas)] == [0.0] * len(raw["quota"])
    slot, cut = data.draw(st.integers(0, n - 1)), data.draw(st.integers(1, n - 1))
    assert filled(maker, [slot], taxonomy).records[0] == made.records[slot]
    assert filled(maker, range(cut, n), taxonomy).records == made.records[cut:]


def test_person_at_is_the_one_of_the_run() -> None:
    raw = {
        "n": 20,
        "seed": 2,
        "depth": 20,
        "base": {"country": "JP"},
        "quota": [{"over": "sex", "people": {"female": 13}}],
    }
    plan = populate.mean(parse_spec(raw, "made"), dp.shipped_taxonomy()).plan
    made = filled(study.maker_for(plan, dp.shipped_taxonomy()), range(20))
    for slot in (0, 7, 19):
        assert (
            study.person_at(plan, slot, dp.shipped_taxonomy()).model_dump(mode="json", exclude_none=True)["id"]
            == made.records[slot]["id"]
        )
        assert study.person_at(plan, slot, dp.shipped_taxonomy()).narrative == made.records[slot]["narrative"]
    with pytest.raises(UsageError, match="outside the plan"):
        study.person_at(plan, 20, dp.shipped_taxonomy())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.sampled_from(sorted(STUDENTS)), min_size=1, max_size=2, unique=True), min_size=1, max_size=3),
    st.integers(12, 60),
    st.integers(0, 99),
)
def test_quotas_of_pupils_are_met_to_the_person(groups: list[list[str]], n: int, seed: int) -> None:
    raw = {"n": n, "seed": seed, "kind": "students", "depth": 20, "base": {"country": ["KE", "JP"]},
           "quota": [{"over": over, "base": True} for over in groups] + [{"over": "sex", "people": {"female": n // 3}}]}  # fmt: skip
    if ["sex"] in groups or any("sex" in over for over in groups):
        raw["quota"] = raw["quota"][:-1]  # type: ignore[index]
    meant = populate.mean(parse_spec(raw, "made"), dp.shipped_taxonomy())
    maker = study.maker_for(meant.plan, dp.shipped_taxonomy())
    made = filled(maker, range(n))
    codes = codes_of(made.records, meant.counted)
    assert len(made.records) == n
    assert max(e["error"] for e in quota_errors(codes, meant.labels, meant.quotas)) == 0
    assert filled(maker, [n // 2]).records[0] == made.records[n // 2]
    assert filled(maker, range(n // 2, n)).records == made.records[n // 2 :]
