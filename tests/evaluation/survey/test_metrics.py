"""The distances equal scipy's on data made by Hypothesis, and obey what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from deeppersona.evaluation.survey import metrics as m

_TIGHT = 1e-9
values = st.one_of(
    st.lists(st.integers(1, 10).map(float), min_size=2, max_size=60),
    st.lists(st.integers(3, 30).map(lambda k: k / 3), min_size=2, max_size=60),  # means of three draws
    st.lists(st.floats(-5, 5).map(lambda x: round(x, 4)), min_size=2, max_size=60),
)


def published_js(a: np.ndarray, b: np.ndarray) -> float:
    edges = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), 20)
    p, q = (np.clip(np.histogram(x, bins=edges, density=True)[0], 1e-10, None) for x in (a, b))
    return float(jensenshannon(p / p.sum(), q / q.sum()))


@settings(max_examples=150, deadline=None)
@given(values, values)
def test_the_published_measures_equal_scipys(one: list[float], other: list[float]) -> None:
    a, b = np.array(one), np.array(other)
    assert m.sample_ks(a, b) == pytest.approx(ks_2samp(a, b, method="asymp").statistic, abs=_TIGHT)
    assert m.sample_wasserstein(a, b) == pytest.approx(wasserstein_distance(a, b), abs=_TIGHT)
    assert m.sample_mean_difference(a, b) == pytest.approx(abs(a.mean() - b.mean()), abs=_TIGHT)
    if min(a.min(), b.min()) < max(a.max(), b.max()):
        assert m.binned_js_distance(a, b) == pytest.approx(published_js(a, b), abs=_TIGHT)


@st.composite
def two_shares(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = draw(st.integers(2, 11))
    counts = st.lists(st.integers(0, 50), min_size=k, max_size=k).filter(any)
    p, q = (np.array(draw(counts), dtype=float) for _ in range(2))
    at = np.cumsum(draw(st.lists(st.integers(1, 3), min_size=k, max_size=k))).astype(float)
    return p / p.sum(), q / q.sum(), at


@settings(max_examples=150, deadline=None)
@given(two_shares())
def test_the_measures_over_options_equal_scipys_weighted(made: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    p, q, at = made
    assert float(m.wasserstein(p, q, at)) == pytest.approx(wasserstein_distance(at, at, p, q), abs=_TIGHT)
    # the root magnifies the last bit of shares that differ by rounding alone: the divergence is held to 1e-9
    assert float(m.js_divergence(p, q, at)) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=_TIGHT)
    assert float(m.js_distance(p, q, at)) ** 2 == pytest.approx(float(m.js_divergence(p, q, at)), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(two_shares())
def test_they_are_distances_of_the_stated_range(made: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    p, q, at = made
    for metric in m.METRICS:
        there, back = float(metric.of(p, q, at)), float(metric.of(q, p, at))
        assert there == pytest.approx(back, abs=1e-12)
        assert -1e-12 <= there <= 1 + 1e-12
        assert float(metric.of(p, p, at)) == pytest.approx(0, abs=1e-12)
    assert float(m.ks(p, q, at)) <= float(m.total_variation(p, q, at)) + 1e-12
    assert float(m.bias(p, q, at)) == pytest.approx(p @ at - q @ at)
    assert float(m.mean_difference(p, q, at)) <= float(m.wasserstein_scaled(p, q, at)) + 1e-12


def test_resamples_are_measured_at_once() -> None:
    g = np.random.default_rng(1)
    p, q, at = g.dirichlet(np.ones(5), 7), g.dirichlet(np.ones(5), 7), np.arange(5.0)
    for metric in m.METRICS:
        together = metric.of(p, q, at)
        assert together.shape == (7,)
        assert together == pytest.approx([float(metric.of(a, b, at)) for a, b in zip(p, q, strict=True)])


def test_the_published_js_is_a_root_in_nats_and_can_exceed_what_categories_say() -> None:
    ones, twos = np.array([1.0, 1, 1]), np.array([2.0, 2, 2])
    assert m.binned_js_distance(ones, twos) == pytest.approx(np.sqrt(np.log(2)), abs=1e-6)
    mean_of_draws = np.array([1 + 1 / 3, 1 + 2 / 3, 4 / 3])  # near 1 and 2, yet in bins where no human can be
    assert m.binned_js_distance(mean_of_draws, np.array([1.0, 2.0, 1.0])) == pytest.approx(np.sqrt(np.log(2)), abs=1e-6)
    assert m.binned_js_distance(ones, ones) == 0.0
