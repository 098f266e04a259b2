"""Raked weights meet their targets, stay within their bounds, and say what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import UsageError
from deeppersona.population.margins import Margin, fit
from deeppersona.population.weights import coded, design_effect, effective_n, rake, weighted_margin

DIMS = {"sex": ["f", "m"], "age": ["young", "grown", "old"], "region": ["n", "s", "e"]}
PEOPLE = {"sex": ["f", "f", "f", "m"], "age": ["young", "old", "old", "grown"], "region": ["n", "s", "e", "n"]}


@st.composite
def problems(draw: st.DrawFn, spread: float) -> tuple[Any, Any, Any]:
    """People, margins met by some weights of theirs, and these weights."""
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 300))
    people = {d: g.choice(len(c), n, p=g.dirichlet(np.full(len(c), 2.0))) for d, c in DIMS.items()}
    true = np.exp(g.uniform(-spread, spread, n))
    names = st.sets(st.sampled_from(list(DIMS)), max_size=3).map(lambda s: tuple(sorted(s)))
    over = draw(st.lists(names, min_size=1, max_size=4))
    return people, [Margin(d, weighted_margin(people, DIMS, d, true)) for d in over], true


@settings(max_examples=80, deadline=None)
@given(problems(1.5), st.booleans())
def test_raking_meets_every_margin(problem: Any, weighted: bool) -> None:
    people, margins, true = problem
    base = np.linspace(0.5, 2, len(true)) if weighted else None
    done = rake(people, DIMS, margins, base=base)
    assert done.converged
    assert (done.weights > 0).all()
    for margin in margins:
        assert weighted_margin(people, DIMS, margin.dims, done.weights) == pytest.approx(margin.target, rel=1e-6)
    assert done.effective_n <= len(true) * (1 + 1e-12)
    assert done.design_effect * done.effective_n == pytest.approx(len(true))


@settings(max_examples=80, deadline=None)
@given(problems(0.7), st.booleans())
def test_trimmed_raking_meets_them_within_bounds_that_allow_it(problem: Any, weighted: bool) -> None:
    people, margins, true = problem
    base = np.random.default_rng(len(true)).uniform(0.2, 5, len(true)) if weighted else None
    low, high = true.min() / true.mean() * 0.99, true.max() / true.mean() * 1.01
    done = rake(people, DIMS, margins, base=base, bounds=(low, high))
    ratio = done.weights / done.weights.mean()
    assert done.converged
    assert low * (1 - 1e-6) <= ratio.min() <= ratio.max() <= high * (1 + 1e-6)
    assert not done.missed
    for margin in margins:
        assert weighted_margin(people, DIMS, margin.dims, done.weights) == pytest.approx(margin.target, rel=1e-6)


def test_one_margin_is_post_stratification() -> None:
    done = rake(PEOPLE, DIMS, [Margin(("sex",), [2, 6])])
    assert done.weights == pytest.approx([2 / 3, 2 / 3, 2 / 3, 6])
    assert done.at_bound == 0


def test_people_in_cells_get_what_the_table_gets() -> None:
    g = np.random.default_rng(4)
    codes = g.integers(0, [2, 3, 3], (4000, 3))
    people = {d: codes[:, k] for k, d in enumerate(DIMS)}
    base = weighted_margin(people, DIMS, tuple(DIMS), np.ones(4000))
    margins = [Margin(("sex", "age"), g.random((2, 3)) + 0.5), Margin(("region",), [1.0, 1.0, 1.0])]
    total = float(np.sum(margins[0].target))
    margins[1] = Margin(("region",), np.array([0.2, 0.3, 0.5]) * total)
    done = rake(people, DIMS, margins)
    table = fit(base, DIMS, margins).table
    assert weighted_margin(people, DIMS, tuple(DIMS), done.weights) == pytest.approx(table, rel=1e-7)


def test_bounds_that_are_too_narrow_are_told_and_kept() -> None:
    people = {"sex": ["f"] * 90 + ["m"] * 10, "age": (["young"] * 5 + ["grown"] * 5) * 10}
    margins = [Margin(("sex",), [50, 50]), Margin(("age",), [40, 60, 0])]
    free = rake(people, DIMS, margins)
    assert free.weights.max() == pytest.approx(6, rel=0.01)
    tight = rake(people, DIMS, margins, bounds=(0.2, 3))
    assert not tight.converged
    assert tight.weights.sum() == pytest.approx(100)
    assert tight.weights.max() <= 3 + 1e-9
    assert tight.weights.min() >= 0.2 - 1e-9
    assert tight.error == pytest.approx(0.2, abs=0.01)  # ten men of at most 3 are 30, not 50
    assert any("sex=m" in line and "30 for 50" in line for line in tight.missed)
    assert tight.at_bound >= 0.1
    assert tight.design_effect < free.design_effect


def test_kish() -> None:
    assert design_effect(np.full(7, 3.0)) == pytest.approx(1)
    assert effective_n(np.full(7, 3.0)) == pytest.approx(7)
    assert design_effect([1, 1, 1, 3]) == pytest.approx(4 * 12 / 36)
    for bad in ([0, 0], [1, -1], [np.nan]):
        with pytest.raises(UsageError, match="weights"):
            effective_n(bad)


def test_nobody_to_weight_is_named() -> None:
    with pytest.raises(UsageError, match=r"sex=f, age=grown \(margin quota: 3\); sex=m, age=old .*: 2\): merge"):
        rake(PEOPLE, DIMS, [Margin(("sex", "age"), [[1, 3, 1], [0, 2, 2]], "quota")])
    # A weight of 0 to begin with counts nobody.
    with pytest.raises(UsageError, match="sex=m"):
        rake(PEOPLE, DIMS, [Margin(("sex",), [1, 1])], base=[1, 1, 1, 0])


def test_contradictions_are_told() -> None:
    crossed = {"sex": ["f", "m"] * 3, "region": ["n", "n", "s", "s", "e", "e"]}
    with pytest.raises(
        UsageError, match=r"margin sex \(10\).*margin region \(9\)|margin region \(9\).*margin sex \(10\)"
    ):
        rake(crossed, DIMS, [Margin(("sex",), [5, 5]), Margin(("region",), [3, 3, 3])])


def test_a_target_of_zero_weighs_people_out() -> None:
    done = rake(PEOPLE, DIMS, [Margin(("age",), [2, 2, 0])], bounds=(0.5, 2))
    assert done.weights == pytest.approx([2, 0, 0, 2])
    assert done.converged


def test_figures_without_a_target_stay_as_they_are() -> None:
    done = rake(PEOPLE, DIMS, [Margin(("region",), [np.nan, 5, np.nan])])
    assert done.weights == pytest.approx([1, 5, 1, 1])


@pytest.mark.parametrize(
    ("people", "more", "word"),
    [
        ({"sex": ["f", "x"]}, {}, "unknown category of sex 'x'"),
        ({"sexx": ["f", "m"]}, {}, "did you mean"),
        ({"sex": [0, 2]}, {}, "0 to 1"),
        ({"sex": ["f", "m"], "age": ["old"]}, {"margins": [Margin(("sex", "age"), np.ones((2, 3)))]}, "lengths"),
        ({"sex": ["f", "m"]}, {"base": [1, 2, 3]}, "starting weights"),
        ({"sex": ["f", "m"]}, {"bounds": (1.5, 3)}, "ratios to the mean"),
        ({"sex": ["f", "m"]}, {"margins": [Margin(("sx",), [1, 1])]}, "did you mean sex"),
    ],
)
def test_what_makes_no_sense_is_refused(people: Any, more: Any, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        rake(people, DIMS, **{"margins": [Margin(("sex",), [1, 1])], **more})


def test_codes_and_names_are_the_same() -> None:
    codes = coded(PEOPLE, DIMS, ("age", "sex"))
    assert codes.tolist() == [[0, 2, 2, 1], [0, 0, 0, 1]]
    assert (coded({"age": codes[0], "sex": codes[1]}, DIMS, ("age", "sex")) == codes).all()
