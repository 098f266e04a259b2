"""Rounding keeps totals and hard margins to the last person, moves no cell by 1 where that can be, and favours none."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import UsageError
from deeppersona.population.margins import Margin, fit
from deeppersona.population.rounding import Slots, apportion, controlled_rounding
from deeppersona.runtime.seed import Floats, Ints

CUBE = {"a": ["0", "1", "2"], "b": ["0", "1", "2"], "c": ["0", "1", "2"]}
PAIRS = (("a", "b"), ("b", "c"), ("a", "c"))
# Halves whose margins are whole, though no table of whole people over the same cells has them.
HALVES = np.array([
    [[1, 0, 1], [0, 1, 1], [1, 1, 0]],
    [[1, 0, 1], [1, 1, 0], [0, 1, 1]],
    [[0, 0, 0], [1, 0, 1], [1, 0, 1]],
]) / 2  # fmt: skip


def summed(table: Any, dims: dict[str, list[str]], over: tuple[str, ...]) -> Any:
    names = list(dims)
    return np.einsum(np.asarray(table), list(range(len(names))), [names.index(d) for d in over])


@st.composite
def problems(draw: st.DrawFn, most: int) -> tuple[dict[str, list[str]], Floats, list[Margin], list[tuple[str, ...]]]:
    """Dimensions, a fitted table with fractions, the hard margins it meets, and margins to stay near."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    dims = {f"d{k}": [str(c) for c in range(n)] for k, n in enumerate(sizes)}
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    whole = g.integers(0, 4, sizes) * (g.random(sizes) < draw(st.sampled_from([0.4, 1.0])))
    names = st.sets(st.sampled_from(list(dims)), max_size=2).map(lambda s: tuple(sorted(s)))
    hard = [Margin(over, summed(whole, dims, over) * 1.0) for over in draw(st.lists(names, max_size=most))]
    near = draw(st.lists(names, max_size=max(0, 2 - len(hard))))
    base = np.exp(g.normal(0, 1, sizes)) * ((g.random(sizes) < 0.8) | (whole > 0))
    table = fit(base, dims, [Margin((), np.array(float(whole.sum()))), *hard]).table
    return dims, table, hard, near


@settings(max_examples=150, deadline=None)
@given(problems(2), st.integers(0, 99))
def test_one_and_two_margins_always_come_within_one(problem: Any, seed: int) -> None:
    dims, table, hard, near = problem
    done = controlled_rounding(table, dims, hard, near, seed=seed)
    assert done.method in ("systematic", "network")
    assert done.counts.sum() == round(float(table.sum()))
    assert done.change < 1 + 1e-6
    assert (done.counts[table == 0] == 0).all()
    assert (done.counts >= 0).all()
    for margin in hard:
        assert (summed(done.counts, dims, margin.dims) == margin.target).all()
    for over in near:
        assert np.abs(summed(done.counts, dims, over) - summed(table, dims, over)).max() < 1 + 1e-6
    assert (controlled_rounding(table, dims, hard, near, seed=seed).counts == done.counts).all()


@settings(max_examples=60, deadline=None)
@given(problems(4), st.integers(0, 99))
def test_any_margins_are_kept(problem: Any, seed: int) -> None:
    dims, table, hard, near = problem
    done = controlled_rounding(table, dims, hard, near, seed=seed)
    assert done.counts.sum() == round(float(table.sum()))
    assert (done.counts[table == 0] == 0).all()
    for margin in hard:
        assert (summed(done.counts, dims, margin.dims) == margin.target).all()


def met_by(table: Floats, choices: Floats) -> bool:
    """Whether any whole table with these choices in every cell above 0 has the three two-way margins; by brute force."""
    cells = np.argwhere(table > 0)
    every = np.array(list(product(choices, repeat=len(cells))))
    same = np.ones(len(every), dtype=bool)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        target = table.sum(axis=3 - one - other)
        place = cells[:, one] * 3 + cells[:, other]
        same &= ((every @ (place[:, None] == np.arange(9))) == target.ravel()).all(axis=1)
    return bool(same.any())


def test_where_no_whole_table_exists_it_says_so() -> None:
    hard = [Margin(d, summed(HALVES, CUBE, d)) for d in PAIRS]
    assert not met_by(HALVES, np.array([0, 1]))  # no margin is above 1, so there is nothing else to try
    with pytest.raises(UsageError, match=r"no table of whole people meets .* misses \d+ of 28 figures"):
        controlled_rounding(HALVES, CUBE, hard)


def test_where_none_is_within_one_a_wider_one_is_found() -> None:
    table = HALVES + (HALVES == 0)  # whole cells between, which may only move when all else has failed
    hard = [Margin(d, summed(table, CUBE, d)) for d in PAIRS]
    done = controlled_rounding(table, CUBE, hard, seed=3)
    assert done.method == "search"
    assert done.change >= 1
    for margin in hard:
        assert (summed(done.counts, CUBE, margin.dims) == margin.target).all()


@pytest.mark.parametrize("where", [(("a",),), (("a", "b"), ("c",)), (("a",), ("b",)), PAIRS])
def test_no_cell_is_favoured(where: tuple[tuple[str, ...], ...]) -> None:
    g = np.random.default_rng(8)
    whole = g.integers(0, 5, (3, 3, 3)) * 1.0
    hard = [Margin(d, summed(whole, CUBE, d)) for d in where]
    table = fit(g.random((3, 3, 3)) + 0.1, CUBE, hard).table
    runs = 500
    done = [controlled_rounding(table, CUBE, hard, seed=seed).counts for seed in range(runs)]
    share = table - np.floor(table)
    z = (np.mean(done, axis=0) - table) / np.sqrt(np.maximum(share * (1 - share), 1e-3) / runs)
    assert np.abs(z).max() < (4.5 if len(where) < 3 else 7)  # the search that ends three margins is not quite even
    assert len({d.tobytes() for d in done}) > (50 if len(where) < 3 else 5)


def test_a_large_table_by_two_margins() -> None:
    dims = {"a": [str(k) for k in range(100)], "b": [str(k) for k in range(60)], "c": ["x", "y"]}
    g = np.random.default_rng(2)
    whole = g.integers(0, 30, (100, 60, 2)) * 1.0
    hard = [Margin(d, summed(whole, dims, d)) for d in (("a",), ("b", "c"))]
    done = controlled_rounding(fit(g.random(whole.shape), dims, hard).table, dims, hard)
    assert done.change < 1
    for margin in hard:
        assert (summed(done.counts, dims, margin.dims) == margin.target).all()


@pytest.mark.parametrize(
    ("table", "hard", "word"),
    [
        ([[0.5, 0.2], [1.0, 1.0]], [], "2.7"),
        ([[0.5, 0.5], [1.0, 1.0]], [Margin(("a",), [2, 1])], "the table has 1, the quota is 2"),
        ([[0.5, 0.75], [1.0, 0.75]], [Margin(("a",), [1.25, 1.75])], "whole number"),
        ([[-1.0, 2.0], [1.0, 1.0]], [], "below 0"),
        ([0.5, 0.5], [], "shape"),
    ],
)
def test_what_cannot_be_rounded_is_refused(table: Any, hard: list[Margin], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        controlled_rounding(table, {"a": ["0", "1"], "b": ["0", "1"]}, hard)


def test_a_quota_in_some_cells_only() -> None:
    table = np.full((3, 3, 3), 1.25)
    table[0] = 4 / 3
    hard = [Margin(("a",), [12, np.nan, np.nan]), Margin(("b", "c"), np.full((3, 3), np.nan))]
    table[1:] *= 22 / table[1:].sum()
    for seed in range(20):
        done = controlled_rounding(table, CUBE, hard, seed=seed)
        assert done.counts.sum() == 34
        assert done.counts[0].sum() == 12
        assert abs(done.counts[1].sum() - 11) <= 1
        assert np.abs(done.counts.sum(axis=0) - table.sum(axis=0)).max() < 1


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30).filter(lambda s: sum(s) > 0), st.integers(0, 10_000))
def test_apportionment_gives_every_seat_and_keeps_quota(shares: list[float], n: int) -> None:
    seats = apportion(shares, n)
    exact = np.array(shares) / sum(shares) * n
    assert seats.sum() == n
    assert np.abs(seats - exact).max() < 1 + 1e-6


def test_largest_remainders_and_ties() -> None:
    assert apportion([41.2, 30.7, 28.1], 100).tolist() == [41, 31, 28]
    assert apportion([[1, 2], [3, 4]], 100).tolist() == [[10, 20], [30, 40]]
    winners = {int(np.argmax(apportion([1, 1, 1], 4, seed=seed))) for seed in range(30)}
    assert winners == {0, 1, 2}
    for bad in ([-1, 2], [0, 0], [np.nan]):
        with pytest.raises(UsageError):
            apportion(bad, 3)


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40).filter(any), st.integers(0, 9), st.integers(0, 10**6))
def test_slots_fill_the_counts_and_one_is_answered_alone(counts: list[int], seed: int, pick: int) -> None:
    slots = Slots(np.array(counts), seed)
    n = sum(counts)
    cell, number = slots.place_of(np.arange(n))
    assert np.bincount(cell, minlength=len(counts)).tolist() == counts
    for c in range(len(counts)):
        assert sorted(number[cell == c].tolist()) == list(range(counts[c]))
    assert slots.cell_of(np.array(pick % n)) == cell[pick % n]


def deviation(counts: Ints, cell: Ints) -> float:
    """The most that any prefix has too many or too few of a cell."""
    n = len(cell)
    hits = cell[:, None] == np.arange(len(counts))
    return float(np.abs(np.cumsum(hits, axis=0) - np.arange(1, n + 1)[:, None] * counts / n).max())


@pytest.mark.parametrize("n", [100, 1000, 9973, 20_000])
def test_any_prefix_of_slots_is_nearly_proportional(n: int) -> None:
    counts = apportion(np.random.default_rng(n).random(24) ** 3, n)
    assert deviation(counts, Slots(counts, 5).cell_of(np.arange(n))) < 4
    rough = np.random.default_rng(1).permutation(np.repeat(np.arange(24), counts))
    assert n < 1000 or deviation(counts, rough) > 8  # what a random order does


def test_slots_by_seed_and_by_the_billion() -> None:
    counts = np.array([5, 3, 2])
    assert len({tuple(Slots(counts, seed).cell_of(np.arange(10)).tolist()) for seed in range(20)}) > 5
    large = Slots(np.array([2_000_000_000, 999_999_999, 1]))
    cell, number = large.place_of(np.array([0, 1, 2_999_999_999]))
    assert ((number >= 0) & (number < large.counts[cell])).all()
    for bad in (np.array([3, -1]), np.array([0]), np.array([2**40])):
        with pytest.raises(UsageError, match="counts must"):
            Slots(bad).cell_of(np.array([0]))
    with pytest.raises(UsageError, match="numbered 0 to 9"):
        Slots(counts).cell_of(np.array([10]))
