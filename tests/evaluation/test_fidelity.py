"""The fidelity report: statistics against known values, and a page and a file that can be trusted."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeppersona.evaluation.fidelity import (
    Joint,
    _pooled,
    against_target,
    chi_square_tail,
    compare,
    described_weights,
    holm,
    joints,
    mean_deviation,
    quota_errors,
    table_of,
)
from deeppersona.evaluation.fidelity_page import write_report
from deeppersona.population.margins import Margin

DIMS = {"a": ("x", "y"), "b": ("p", "q", "r")}


@pytest.mark.parametrize(
    ("freedom", "points"),
    [  # upper 10 %, 5 %, 1 % and 0.1 % points of printed tables
        (1, (2.706, 3.841, 6.635, 10.828)), (2, (4.605, 5.991, 9.210, 13.816)), (3, (6.251, 7.815, 11.345, 16.266)),
        (4, (7.779, 9.488, 13.277, 18.467)), (7, (12.017, 14.067, 18.475, 24.322)), (10, (15.987, 18.307, 23.209, 29.588)),
        (30, (40.256, 43.773, 50.892, 59.703)), (100, (118.498, 124.342, 135.807, 149.449)),
    ],
)  # fmt: skip
def test_chi_square_tail_is_that_of_the_tables(freedom: int, points: tuple[float, ...]) -> None:
    for point, tail in zip(points, (0.1, 0.05, 0.01, 0.001), strict=True):
        assert chi_square_tail(point, freedom) == pytest.approx(tail, rel=2e-3)


def test_chi_square_tail_far_out_and_at_its_ends() -> None:
    assert chi_square_tail(0, 5) == chi_square_tail(7, 0) == 1.0
    assert chi_square_tail(5000, 4000) < 1e-20
    assert chi_square_tail(3000, 4000) > 1 - 1e-9
    assert chi_square_tail(4000, 4000) == pytest.approx(0.497, abs=2e-3)


@given(st.floats(0.01, 200), st.integers(1, 60))
def test_chi_square_tail_falls_in_x_and_rises_in_freedom(x: float, freedom: int) -> None:
    here = chi_square_tail(x, freedom)
    assert 0 <= here <= 1
    assert chi_square_tail(x * 1.1, freedom) <= here + 1e-12
    assert chi_square_tail(x, freedom + 1) >= here - 1e-12


@given(st.integers(1, 60), st.floats(0.001, 0.999))
def test_the_floor_is_the_mean_deviation_of_a_binomial(n: int, p: float) -> None:
    exact = sum(abs(k - n * p) * math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1))
    assert float(mean_deviation(n, np.array(p))) == pytest.approx(exact, rel=1e-6, abs=1e-12)
    assert mean_deviation(n, np.array([0.0, 1.0])).tolist() == [0, 0]


def test_the_floor_is_what_simple_random_samples_are_off_by() -> None:
    g = np.random.default_rng(1)
    share = g.dirichlet(np.full(200, 0.3)).reshape(20, 10)
    dims = {"a": [str(k) for k in range(20)], "b": [str(k) for k in range(10)]}
    found = [
        compare(g.multinomial(150, share.ravel()).reshape(20, 10) * 1.0, share, dims, ("a", "b")) for _ in range(300)
    ]
    assert np.mean([j.tv for j in found]) == pytest.approx(found[0].floor, rel=0.02)
    assert np.mean([j.p < 0.05 for j in found]) < 0.1
    assert np.mean([j.p for j in found]) == pytest.approx(0.5, abs=0.06)


def test_one_table_against_another() -> None:
    joint = compare(np.array([30.0, 70.0]), np.array([0.5, 0.5]), {"a": ("x", "y")}, ("a",))
    assert (joint.tv, joint.worst, joint.worst_cell, joint.cells) == (0.2, -20, {"a": "x"}, 2)
    assert (joint.chi_square, joint.freedom) == (16, 1)
    assert joint.p == pytest.approx(6.334e-5, rel=1e-3)


def test_people_where_nobody_can_be_are_told_and_make_p_nothing() -> None:
    joint = compare(np.array([3.0, 50.0, 47.0]), np.array([0.0, 1.0, 1.0]), {"a": ("x", "y", "z")}, ("a",))
    assert (joint.nowhere, joint.p, joint.cells) == (3, 0.0, 2)
    assert math.isfinite(joint.chi_square)
    json.dumps(joint.__dict__, allow_nan=False)


def test_cells_that_expect_few_are_joined_until_they_expect_enough() -> None:
    assert _pooled(np.array([1.0, 2.0, 3.0, 94.0]), np.array([2.0, 2.0, 2.0, 94.0])) == (0.0, 1)  # 6 and 94
    assert _pooled(np.array([9.0, 1.0, 10.0]), np.array([10.0, 2.0, 8.0])) == pytest.approx((0.2, 1))  # 2 goes with 8
    assert _pooled(np.array([1.0, 2.0]), np.array([1.5, 1.5])) == (0.0, 0)
    assert _pooled(np.zeros(0), np.zeros(0)) == (0.0, 0)


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=30), st.integers(0, 2**32))
def test_pooling_keeps_everybody_and_leaves_no_small_cell(want: list[float], seed: int) -> None:
    expected = np.array(want)
    found = np.random.default_rng(seed).poisson(expected) * 1.0
    _, freedom = _pooled(found, expected)
    assert freedom <= max(len(want) - 1, 0)
    assert freedom + 1 <= max(expected.sum() / 5, 1)
    assert _pooled(expected, expected)[0] == 0


def test_holm_adjusts_and_never_turns_the_order() -> None:
    some = [Joint(("a",), 2, 0, 0, 0, {}, 0, 1, p) for p in (0.01, 0.04, 0.03, 0.9)]
    assert [j.p_holm for j in holm(some)] == pytest.approx([0.04, 0.09, 0.09, 0.9])
    assert holm([]) == []


def test_tables_leave_out_whom_no_category_has() -> None:
    codes = {"a": np.array([0, 1, 1, -1]), "b": np.array([2, 0, 0, 1])}
    assert table_of(codes, DIMS, ("a", "b")).tolist() == [[0, 0, 1], [2, 0, 0]]
    assert table_of(codes, DIMS, ("b",), np.array([1.0, 2, 3, 4])).tolist() == [5, 4, 1]
    assert table_of(codes, DIMS, ()).tolist() == 4


def test_every_margin_and_joint_is_there_once() -> None:
    g = np.random.default_rng(0)
    dims = dict.fromkeys("abcd", ("x", "y", "z")) | {"one": ("only",)}
    codes = {d: g.integers(0, len(c), 100) for d, c in dims.items()}
    whole = g.random((3, 3, 3, 3))

    def expected(over: tuple[str, ...]) -> np.ndarray:
        return np.einsum(whole, [0, 1, 2, 3], ["abcd".index(d) for d in over])

    for ways in (1, 2, 3):
        tables = joints(codes, dims, expected, ways)
        assert [j.dims for j in tables] == [o for k in range(1, ways + 1) for o in itertools.combinations("abcd", k)]
    flat = compare(table_of(codes, dims, ("a", "c")), expected(("a", "c")), dims, ("a", "c"))
    assert next(j.tv for j in tables if j.dims == ("a", "c")) == pytest.approx(flat.tv)


def test_quota_errors_name_the_cell_and_let_fractions_be_met_by_their_neighbours() -> None:
    codes = {"a": np.array([0] * 4 + [1] * 6), "b": np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, 2])}
    exact, near, partial = (
        Margin(("a",), [3, 7]), Margin(("b",), [2.5, 2.5, 5.0]), Margin(("b",), [np.nan, np.nan, 9])
    )  # fmt: skip
    told = quota_errors(codes, DIMS, [exact, near, partial])
    assert [t["error"] for t in told] == [1, 0, 4]
    assert told[2]["cell"] == {"b": "r"}
    assert told[2]["cells"] == 1


def test_targets_without_every_figure_count_the_rest_as_one_cell() -> None:
    assert against_target(np.array([40.0, 60.0]), np.array([60.0, np.nan])) == pytest.approx(0.2)
    assert against_target(np.array([40.0, 60.0]), np.array([6.0, 4.0])) == pytest.approx(0.2)
    assert against_target(np.array([60.0, 40.0]), np.array([60.0, 40.0])) == 0


def test_design_effect_of_kish() -> None:
    told = described_weights(np.array([1.0, 1, 1, 3]))
    assert told["design_effect"] == pytest.approx(4 * 12 / 36)
    assert told["effective_n"] == pytest.approx(3)
    assert (told["smallest"], told["largest"]) == pytest.approx((2 / 3, 2))


def test_the_page_escapes_what_it_is_given(tmp_path: Path) -> None:
    report = {
        "name": "<b>x</b>", "engine": "1", "seed": 0, "people": 2, "asked": 2, "quota_error": 0, "violations": 0, "checked": 0, "quotas": [],
        "duplicates": {}, "failures": 0, "refilled": 0, "joints": [], "margins": {"<i>": []}, "strata": {}, "violations by rule": {},
    }  # fmt: skip
    write_report(tmp_path, report)
    page = (tmp_path / "fidelity.html").read_text()
    assert "<b>x" not in page
    assert "<i>" not in page
    assert json.loads((tmp_path / "fidelity.json").read_text()) == report
