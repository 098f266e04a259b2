"""Draws depend on (seed, slot, label) alone, and are uniform and normal as they claim."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deeppersona.runtime.seed import Dice, label_keys, pick


@given(st.integers(0, 2**40), st.integers(0, 10**12), st.text(min_size=1, max_size=20))
def test_a_draw_does_not_depend_on_the_batch(seed: int, slot: int, label: str) -> None:
    alone = Dice(seed, np.array([slot])).uniform(label)[0]
    among = Dice(seed, np.array([3, slot, 7])).uniform(label)[1]
    column = Dice(seed, np.array([slot])).uniforms(label_keys(["other", label]))[0, 1]
    assert alone == among == column
    assert 0.0 < alone < 1.0


def test_rows_are_the_draws_of_those_slots() -> None:
    dice = Dice(1, np.arange(10))
    assert np.array_equal(dice.rows(np.array([2, 5])).uniform("x"), dice.uniform("x")[[2, 5]])


def test_labels_seeds_and_slots_are_independent() -> None:
    n = 20_000
    dice = Dice(5, np.arange(n))
    a, b, c = dice.uniform("a"), dice.uniform("b"), Dice(6, np.arange(n)).uniform("a")
    bound = 4 / np.sqrt(n)  # four standard errors of a correlation of independent draws
    for x, y in ((a, b), (a, c), (a[:-1], a[1:])):
        assert abs(np.corrcoef(x, y)[0, 1]) < bound
    counts = np.histogram(a, bins=20, range=(0, 1))[0]
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 43.8  # chi-square, 19 degrees of freedom, p = .001


def test_normal_has_the_moments_of_a_normal() -> None:
    z = Dice(2, np.arange(50_000)).normal("z")
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02
    assert abs((z**4).mean() - 3) < 0.15


def test_pick_never_takes_an_option_of_weight_zero() -> None:
    weights = np.array([[0.0, 1.0, 0.0, 2.0, 0.0]] * 1000)
    found = pick(np.cumsum(weights, axis=1), Dice(1, np.arange(1000)).uniform("p"))
    assert set(found.tolist()) == {1, 3}
    assert abs((found == 3).mean() - 2 / 3) < 0.06
