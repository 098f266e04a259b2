"""Reliability, structure and steadiness against known cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeppersona.evaluation.psychometrics import (
    acquiescence,
    alpha,
    congruence,
    correlations,
    intraclass,
    matched,
    omega,
    one_factor,
    principal_components,
    structure,
    varimax,
)

RNG = np.random.default_rng(0)


def one_factor_data(load: float, items: int, people: int = 20_000) -> np.ndarray:
    f = RNG.standard_normal((people, 1))
    return load * f + np.sqrt(1 - load**2) * RNG.standard_normal((people, items))


@pytest.mark.parametrize(("load", "items"), [(0.5, 10), (0.7, 4), (0.9, 6)])
def test_alpha_and_omega_of_parallel_items_are_spearman_browns(load: float, items: int) -> None:
    x, r = one_factor_data(load, items), load**2
    wanted = items * r / (1 + (items - 1) * r)
    assert alpha(x) == pytest.approx(wanted, abs=0.01)
    assert omega(x) == pytest.approx(wanted, abs=0.01)


def test_alpha_is_below_omega_where_loadings_differ() -> None:
    f = RNG.standard_normal((20_000, 1))
    load = np.array([0.95, 0.9, 0.3, 0.2])
    x = f * load + np.sqrt(1 - load**2) * RNG.standard_normal((20_000, 4))
    assert alpha(x) < omega(x) - 0.02


def test_one_factor_finds_the_loadings() -> None:
    load = np.array([0.8, 0.6, 0.4, 0.7])
    r = np.outer(load, load)
    np.fill_diagonal(r, 1.0)
    assert one_factor(r) == pytest.approx(load, abs=1e-4)


def test_nothing_can_be_said_of_nothing() -> None:
    assert np.isnan(alpha(np.zeros((0, 3))))
    assert np.isnan(alpha(np.ones((9, 3))))
    assert np.isnan(omega(np.ones((9, 3))))
    assert np.isnan(intraclass(np.ones((5, 1))))


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_alpha_does_not_mind_shift_order_or_a_common_scale(items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 6, (40, items)).astype(float) + rng.standard_normal((40, 1))
    order = rng.permutation(items)
    assert alpha(x[:, order] * 3.0 + rng.standard_normal(items)) == pytest.approx(alpha(x), abs=1e-9)


def test_varimax_finds_simple_structure_again_whatever_the_rotation() -> None:
    simple = np.zeros((12, 3))
    simple[np.arange(12), np.arange(12) % 3] = 0.7
    turn, _ = np.linalg.qr(RNG.standard_normal((3, 3)))
    assert matched(varimax(simple @ turn), simple) == pytest.approx(simple, abs=1e-4)


def test_congruence_is_one_with_itself_and_nought_with_another() -> None:
    a = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert congruence(a, a * 5) == pytest.approx(np.eye(2))


def test_structure_is_found_in_answers_of_that_structure_and_not_in_noise() -> None:
    f = RNG.standard_normal((4000, 2))
    load = np.zeros((10, 2))
    load[:5, 0] = load[5:, 1] = 0.7
    x = f @ load.T + 0.7 * RNG.standard_normal((4000, 10))
    assert (structure(x, load)[1] > 0.98).all()
    assert (structure(RNG.standard_normal((4000, 10)), load)[1] < 0.85).all()
    assert np.isnan(structure(np.ones((50, 10)), load)[1]).all()


def test_principal_components_carry_the_variance() -> None:
    r = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert (principal_components(r, 2) ** 2).sum() == pytest.approx(2.0)


def test_intraclass_is_the_share_between_people() -> None:
    person = RNG.standard_normal((20_000, 1)) * 2.0
    assert intraclass(person + RNG.standard_normal((20_000, 3))) == pytest.approx(0.8, abs=0.01)
    assert intraclass(RNG.standard_normal((20_000, 2))) == pytest.approx(0.0, abs=0.02)


def test_acquiescence_is_what_agreeing_adds() -> None:
    back = np.array([False, True, False, True])
    trait = RNG.standard_normal((5000, 1))
    fair = 3.0 + trait * np.where(back, -1.0, 1.0)
    assert acquiescence(fair, back, 3.0) == pytest.approx(0.0, abs=1e-9)
    assert acquiescence(fair + 0.4, back, 3.0) == pytest.approx(0.4)
    assert np.isnan(acquiescence(fair, np.zeros(4, dtype=bool), 3.0))


def test_correlations_are_pairwise() -> None:
    x = np.array([[1.0, 2.0, np.nan], [2.0, 4.0, 1.0], [3.0, 6.0, 2.0], [4.0, 8.0, 1.0]])
    r = correlations(x)
    assert r[0, 1] == pytest.approx(1.0)
    assert r[0, 2] == pytest.approx(float(np.corrcoef([2, 3, 4], [1, 2, 1])[0, 1]))
