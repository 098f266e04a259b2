"""Fitted tables meet their margins and keep the rest of the base; conflicts are real and as small as can be."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deeppersona.errors import UsageError
from deeppersona.population.margins import Margin, System, equations, find_conflict, fit, shape_of
from deeppersona.runtime.seed import Floats

DIMS = {"sex": ["f", "m"], "age": ["young", "grown", "old"], "region": ["north", "south"]}
CUBE = {"a": ["0", "1"], "b": ["0", "1"], "c": ["0", "1"]}
PAIRS = (("a", "b"), ("b", "c"), ("a", "c"))


def summed(table: Floats, dims: dict[str, list[str]], over: tuple[str, ...]) -> Floats:
    names = list(dims)
    return np.asarray(np.einsum(table, list(range(len(names))), [names.index(d) for d in over]))


def dense(system: System) -> Floats:
    """The equations as a matrix (figures, cells)."""
    matrix = np.zeros((len(system.target) + 1, system.rows.shape[1]))
    for row in system.rows:
        matrix[row, np.arange(len(row))] += 1
    return matrix[:-1]


@st.composite
def problems(draw: st.DrawFn) -> tuple[dict[str, list[str]], Floats, Floats, list[Margin]]:
    """Dimensions, a table that meets the margins, a base with at least its cells, and the margins."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dims = {f"d{k}": [str(c) for c in range(n)] for k, n in enumerate(sizes)}
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    table = g.integers(0, 9, sizes) * (g.random(sizes) < draw(st.sampled_from([0.3, 0.7, 1.0]))) * 1.0
    base = np.exp(g.normal(0, draw(st.sampled_from([0.5, 3.0])), sizes)) * ((g.random(sizes) < 0.7) | (table > 0))
    margins = []
    for over in draw(st.lists(st.sets(st.sampled_from(list(dims)), max_size=3), min_size=1, max_size=4)):
        target = summed(table, dims, tuple(sorted(over)))
        hidden = (g.random(target.shape) < 0.3) if draw(st.booleans()) else np.zeros(target.shape, dtype=bool)
        margins.append(Margin(tuple(sorted(over)), np.where(hidden, np.nan, target)))
    return dims, table, base, margins


@settings(max_examples=120, deadline=None)
@given(problems())
def test_fitting_converges_whenever_it_can_and_keeps_odds_ratios(problem: Any) -> None:
    dims, _, base, margins = problem
    done = fit(base, dims, margins)
    assert done.converged
    system = equations(dims, margins)
    matrix, x = dense(system), done.table.ravel()
    assert np.abs(matrix @ x - system.target).max(initial=0.0) <= 1.01e-10 * system.total
    assert (done.table[base == 0] == 0).all()
    # What the fit changed is a product of one factor a figure, so every odds ratio the margins do not name is the base's.
    some = x > 1e-7 * system.total
    moved = np.log(x[some] / base.ravel()[some])
    left = moved - matrix[:, some].T @ np.linalg.lstsq(matrix[:, some].T, moved, rcond=None)[0]
    assert np.abs(left).max(initial=0.0) < 1e-5
    assert find_conflict(base, dims, margins) is None


def test_a_fit_by_hand() -> None:
    done = fit(
        [[1, 2], [3, 4]], {"a": ["0", "1"], "b": ["0", "1"]}, [Margin(("a",), [50, 50]), Margin(("b",), [40, 60])]
    )
    t = done.table
    assert t.sum(axis=1) == pytest.approx([50, 50])
    assert t.sum(axis=0) == pytest.approx([40, 60])
    assert t[0, 0] * t[1, 1] / t[0, 1] / t[1, 0] == pytest.approx(4 / 6)


def test_the_order_of_a_margins_dimensions_is_its_own() -> None:
    base = np.arange(1.0, 13.0).reshape(shape_of(DIMS))
    target = np.array([[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]])
    one = fit(base, DIMS, [Margin(("age", "sex"), target)]).table
    other = fit(base, DIMS, [Margin(("sex", "age"), target.T)]).table
    assert (one == other).all()
    assert summed(one, DIMS, ("age", "sex")) == pytest.approx(target)
    # Region is in no margin: how it stands within each age and sex is left as it was.
    assert one / one.sum(axis=2, keepdims=True) == pytest.approx(base / base.sum(axis=2, keepdims=True))


def test_no_margins_no_change() -> None:
    base = np.arange(12.0).reshape(shape_of(DIMS))
    assert (fit(base, DIMS, []).table == base).all()


def test_the_limit_at_the_edge_is_reached() -> None:
    # Only a table with zeros at two cells meets this; proportional fitting alone would need a billion rounds.
    base = np.ones((2, 2, 2))
    table = np.array([[[3.0, 0], [1, 2]], [[2, 4], [0, 5.0]]])
    done = fit(base, CUBE, [Margin(d, summed(table, CUBE, d)) for d in PAIRS])
    assert done.converged
    assert done.rounds < 300
    assert done.table == pytest.approx(table, abs=1e-8)


def test_two_hundred_thousand_cells_and_ten_margins() -> None:
    sizes = (20, 10, 2, 5, 2, 5, 10)
    dims = {f"d{k}": [str(c) for c in range(n)] for k, n in enumerate(sizes)}
    g = np.random.default_rng(5)
    base = np.exp(g.normal(0, 1.5, sizes))
    table = base * np.exp(g.normal(0, 0.7, sizes))
    over = [(0, 1), (0, 2), (1, 2, 3), (0, 6), (0, 4), (5, 1, 2), (5, 3), (6, 1), (3, 4), (0, 3, 2)]
    margins = [Margin(m, summed(table, dims, m)) for m in (tuple(f"d{k}" for k in o) for o in over)]
    done = fit(base, dims, margins)
    assert done.converged
    for margin in margins:
        assert summed(done.table, dims, margin.dims) == pytest.approx(margin.target, rel=1e-6)


@pytest.mark.parametrize(
    ("margins", "size", "words"),
    [
        ([Margin(("sex",), [60, 40]), Margin(("region",), [50, 49])], 4, ["margin sex (100)", "margin region (99)", "by 1,"]),
        ([Margin(("sex",), [60, 40]), Margin(("region",), [10, 40])], 3, ["sex=f of margin sex (60)", "margin region (50)"]),
        (
            [Margin(("sex",), [60, 40]), Margin(("sex", "age"), [[30, 20, 11], [10, 10, 19]], "quota")],
            4,
            ["sex=f of margin quota (61)", "sex=f of margin sex (60)"],
        ),
        ([Margin(("age",), [30, 30, 40]), Margin(("sex", "age"), [[50, 0, 0], [0, 30, 20]])], 2, ["age=young", "50 and 30"]),
    ],
)  # fmt: skip
def test_conflicts_are_told_with_names_and_figures(margins: list[Margin], size: int, words: list[str]) -> None:
    found = find_conflict(np.ones(shape_of(DIMS)), DIMS, margins)
    assert found is not None
    assert found.smallest
    assert len(found.figures) == size
    for word in words:
        assert word in found.message
    assert "zeros of the base" not in found.message
    with pytest.raises(UsageError) as error:
        fit(np.ones(shape_of(DIMS)), DIMS, margins)
    assert str(error.value) == found.message


def test_a_target_where_the_base_has_nobody() -> None:
    base = np.ones(shape_of(DIMS))
    base[0, 2] = 0
    found = find_conflict(
        base, DIMS, [Margin(("age", "sex"), [[5, 20], [30, 20], [10, 10]]), Margin(("sex",), [45, 51])]
    )
    assert found is not None
    assert found.figures == (("age x sex", {"age": "old", "sex": "f"}, 10.0),)
    assert "nobody there" in found.message
    base[0, :, 0] = 0  # the north has no women: that the men there cannot be few follows from the zeros only
    found = find_conflict(base, DIMS, [Margin(("sex",), [60, 40]), Margin(("region",), [80, 20])])
    assert found is not None
    assert "by the zeros of the base" in found.message
    assert len(found.figures) == 2


def test_margins_that_agree_in_pairs_and_are_impossible_together() -> None:
    same, other = np.eye(2) * 50, (1 - np.eye(2)) * 50
    margins = [Margin(("a", "b"), same), Margin(("b", "c"), same), Margin(("a", "c"), other)]
    for two in combinations(margins, 2):
        assert find_conflict(np.ones((2, 2, 2)), CUBE, two) is None
    found = find_conflict(np.ones((2, 2, 2)), CUBE, margins)
    assert found is not None
    assert found.smallest
    assert len(found.figures) == 3
    assert {name for name, _, _ in found.figures} == {"a x b", "b x c", "a x c"}


@cache
def solvers(figures: tuple[int, ...]) -> Floats:
    """For each set of the cube's 8 cells, what turns targets of these figures into its least solution: (sets, 8, figures)."""
    matrix = dense(equations(CUBE, [Margin(d, np.zeros((2, 2))) for d in PAIRS]))[list(figures)]
    sets = (np.arange(256)[:, None] >> np.arange(8)) & 1
    return np.asarray(np.linalg.pinv(matrix[None] * sets[:, None, :]))


def possible(figures: tuple[int, ...], target: Floats, base: Floats) -> bool:
    """By brute force over all sets of cells: where a table is possible at all, one is with independent columns."""
    matrix = dense(equations(CUBE, [Margin(d, np.zeros((2, 2))) for d in PAIRS]))[list(figures)]
    x = solvers(figures) @ target[list(figures)]
    x = np.where(base.ravel() > 0, x, 0.0)
    met = np.abs(x @ matrix.T - target[list(figures)]).max(axis=1) < 1e-8
    return bool((met & (x > -1e-8).all(axis=1)).any())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=8, max_size=8),
    st.lists(st.integers(0, 1), min_size=8, max_size=8),
    st.lists(st.sampled_from([0, 0, 0, 1, -1, 2]), min_size=12, max_size=12),
    st.booleans(),
)
def test_conflicts_are_real_and_no_smaller_one_exists(
    cells: list[int], holes: list[int], shifts: list[int], full: bool
) -> None:
    base = np.ones((2, 2, 2)) if full else 1.0 - np.array(holes).reshape(2, 2, 2)
    table = np.array(cells, dtype=float).reshape(2, 2, 2)
    target = np.concatenate([summed(table, CUBE, d).ravel() for d in PAIRS])
    target = (target + shifts).clip(0)
    margins = [Margin(d, target[4 * k : 4 * k + 4].reshape(2, 2)) for k, d in enumerate(PAIRS)]
    assume(base.any())
    found = find_conflict(base, CUBE, margins)
    assert (found is None) == possible(tuple(range(12)), target, base)
    if found is None:
        return
    assert found.smallest
    places = {}
    for f in range(12):
        over, index = PAIRS[f // 4], divmod(f % 4, 2)
        places[" x ".join(over), over[0], str(index[0]), over[1], str(index[1])] = f
    chosen = [places[(name, *(w for item in where.items() for w in item))] for name, where, _ in found.figures]  # type: ignore[index]
    assert [target[f] for f in chosen] == [value for _, _, value in found.figures]
    assert not possible(tuple(sorted(chosen)), target, base)
    fewer = len(chosen) - 1
    if fewer and comb(12, fewer) <= 220:
        for some in combinations(range(12), fewer):  # whatever is smaller still is possible then too
            assert possible(some, target, base), f"{some} conflict already, not only {chosen}"
    else:
        for out in chosen:
            assert not fewer or possible(tuple(sorted(set(chosen) - {out})), target, base)


@pytest.mark.parametrize(
    ("margins", "word"),
    [
        ([Margin(("sexx",), [1, 1])], "did you mean sex"),
        ([Margin(("sex",), [1, 1, 1])], "shape"),
        ([Margin(("sex", "sex"), [[1, 1], [1, 1]])], "once"),
        ([Margin(("sex",), [1, -1])], "below 0"),
        ([Margin(("sex",), [1, np.inf])], "infinite"),
    ],
)
def test_margins_that_make_no_sense_are_refused(margins: list[Margin], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        fit(np.ones(shape_of(DIMS)), DIMS, margins)


@pytest.mark.parametrize("base", [np.ones((2, 3)), -np.ones((2, 3, 2)), np.full((2, 3, 2), np.nan)])
def test_a_base_that_makes_no_sense_is_refused(base: Floats) -> None:
    with pytest.raises(UsageError, match="base"):
        fit(base, DIMS, [Margin(("sex",), [1, 1])])
