"""The sampling frame is the people drawn: its joints agree with large cohorts of cores, for what is drawn when, given quotas too."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

import deeppersona as dp
from deeppersona import populate
from deeppersona.evaluation.fidelity import compare
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.anchors import parse_anchors
from deeppersona.generation.cohort import Cohort
from deeppersona.generation.engine import Engine
from deeppersona.population.allot import AllottedEngine, engine_of
from deeppersona.population.dimension import Dimension, dimension
from deeppersona.population.frame import Frame, both, with_clauses
from deeppersona.population.spec import parse_spec
from deeppersona.runtime.seed import Floats
from deeppersona.schema.condition import Clause

FACTS = shipped_facts()
N = 20_000
WRITTEN: dict[str, list[str] | None] = {
    "sex": None, "age": ["0..17", "18..34", "35..54", "55.."], "education": ["none..primary", "lower_secondary..upper_secondary", "short_tertiary.."],
    "urban": None, "marital_status": ["single", "married,cohabiting"], "children": ["0", "1..2", "3.."],
    "religion": ["Catholic", "Protestant", "muslim"], "employment_status": ["employed", "self_employed", "homemaker", "retired,unable_to_work"],
}  # fmt: skip


@cache
def dims_of(youngest: int) -> dict[str, Dimension]:
    return {d: dimension(d, w, FACTS, ["KE", "DE"], youngest) for d, w in WRITTEN.items()}


def found(cohort: Cohort, dims: dict[str, Dimension], over: tuple[str, ...]) -> Floats:
    """People by category, from the columns of the cores."""
    codes = []
    for d in over:
        clauses = list(dims[d].clauses.values())
        if d in ("sex", "age", "education", "urban"):
            codes.append(dims[d].masks[:, cohort.columns["cell"]].argmax(axis=0))
        elif d == "religion":
            held = np.zeros((len(clauses), len(cohort)), dtype=bool)
            for i, c in enumerate(cohort.country):
                belief = cohort.models[str(c)].belief
                k = cohort.columns["belief"][i]
                held[:, i] = [x.holds((belief.groups[k], f"branch:{belief.branches[k]}")) for x in clauses]
            codes.append(held.argmax(axis=0))
        else:
            codes.append(np.stack([cohort.fact_mask(c) for c in clauses]).argmax(axis=0))
    shape = tuple(len(dims[d].categories) for d in over)
    return (
        np.bincount(np.ravel_multi_index(tuple(np.array(codes)), shape), minlength=int(np.prod(shape))).reshape(shape)
        * 1.0
    )


JOINTS = [("age", "education", "sex"), ("marital_status", "children", "age"), ("religion", "employment_status"),
          ("employment_status", "education", "urban"), ("marital_status", "employment_status", "sex"), ("children", "religion", "urban")]  # fmt: skip


def agree(cohort: Cohort, dims: dict[str, Dimension], over: tuple[str, ...], expected: Floats) -> None:
    assert cohort.made.all()
    joint = compare(found(cohort, dims, over), expected, {d: dims[d].categories for d in over}, over)
    assert joint.nowhere == 0
    assert joint.p > 1e-4, joint
    assert joint.tv < 1.6 * joint.floor + 2e-3, joint


@cache
def cohort_of(where: tuple[tuple[str, str], ...], adults: bool) -> tuple[Cohort, Frame]:
    taxonomy = dp.shipped_taxonomy()
    plan = dp.make_plan(N, ["KE", "DE"], seed=11, depth=20, anchors=dict(where), adults_only=adults)
    engine = Engine(plan, FACTS, taxonomy)
    return engine.cohort(range(N)), Frame(
        FACTS, plan.countries, parse_anchors(plan.anchors, FACTS), 18 if adults else 0
    )


@pytest.mark.parametrize("over", JOINTS)
@pytest.mark.parametrize("where", [(), (("religion", "christian"), ("age", "25.."))])
def test_joints_are_those_of_the_people_drawn(over: tuple[str, ...], where: tuple[tuple[str, str], ...]) -> None:
    cohort, frame = cohort_of(where, bool(where))
    dims = dims_of(frame.youngest)
    agree(cohort, dims, over, frame.table([dims[d] for d in over]).sum(axis=0))


@cache
def with_quotas() -> tuple[Cohort, populate.Meant, AllottedEngine]:
    taxonomy = dp.shipped_taxonomy()
    spec = parse_spec(
        {
            "n": N, "seed": 7, "depth": 20, "base": {"country": ["KE", "DE"]}, "report": {"on": list(WRITTEN)},
            "dimensions": {d: w for d, w in WRITTEN.items() if w},
            "quota": [
                {"over": ["sex", "age"], "share": [["female", "18..34", 0.3], ["male", "55..", 0.25]]},
                {"over": "religion", "people": {"Catholic": 3000, "muslim": 9000}},
                {"over": "marital_status", "share": {"single": 0.5}},
            ],
        },
        "test",
    )  # fmt: skip
    meant = populate.mean(spec, taxonomy)
    engine = engine_of(meant.plan, FACTS, taxonomy)
    assert isinstance(engine, AllottedEngine)
    return engine.cohort(range(N)), meant, engine


@pytest.mark.parametrize("over", [*JOINTS, ("sex", "age"), ("religion", "marital_status", "age")])
def test_with_quotas_everything_else_is_still_as_the_figures_have_it(over: tuple[str, ...]) -> None:
    cohort, meant, _ = with_quotas()
    agree(cohort, dict(meant.counted.read_by), over, meant.expected(over))


def test_a_margin_is_the_sum_of_any_joint_that_holds_it() -> None:
    _, meant, _ = with_quotas()
    for one, other in itertools.combinations(("sex", "religion", "education"), 2):
        table = meant.expected((one, other))
        assert np.allclose(table.sum(axis=1), meant.expected((one,)))
        assert np.allclose(table.T, meant.expected((other, one)))
        assert table.sum() == pytest.approx(N, rel=1e-6)


def test_an_age_that_has_nobody_has_nobody_in_the_frame() -> None:
    frame = Frame(FACTS, {"KE": 1.0}, parse_anchors({"age": "30..40"}, FACTS), 18)
    dim = dimension("age", ["18..29", "30..44"], FACTS, ["KE"], 18)
    assert frame.table([dim]).tolist()[0] == pytest.approx([0, 1, 0])


def test_conditions_on_religion_know_that_a_group_holds_its_branches() -> None:
    words = lambda *names, negated=False: Clause("religion", words=frozenset(names), negated=negated)  # noqa: E731
    inside = both(words("christian"), words("branch:Catholic"), FACTS)
    assert inside == words("christian/Catholic")
    rest = both(words("christian"), words("branch:Catholic", negated=True), FACTS)
    assert rest is not None
    assert rest.words is not None
    assert "christian/Orthodox" in rest.words
    assert not any(w.endswith("Catholic") or w.startswith("muslim") for w in rest.words)
    assert both(words("muslim"), words("branch:Catholic"), FACTS) is None
    assert both(words("muslim", "none"), words("hindu", "none"), FACTS) == words("none/")


def test_ranges_meet_or_leave_nobody() -> None:
    none = parse_anchors({}, FACTS)
    held = with_clauses(none, [Clause("children", 0, 3), Clause("children", 2, 9)], FACTS)
    assert held is not None
    assert held.get("children") == Clause("children", 2, 3)
    assert with_clauses(none, [Clause("children", 0, 1), Clause("children", 2, 9)], FACTS) is None
