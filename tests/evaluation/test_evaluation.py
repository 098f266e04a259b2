"""The yardsticks measure what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeppersona.evaluation import diversity
from deeppersona.evaluation.distribution import against_table, total_variation

SHARES = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1), min_size=2)


@given(SHARES, SHARES)
def test_total_variation_is_a_distance(p: dict[str, float], q: dict[str, float]) -> None:
    p, q = ({k: x / sum(d.values()) for k, x in d.items()} for d in (p, q))
    assert total_variation(p, p) == pytest.approx(0)
    assert 0 <= total_variation(p, q) <= 1 + 1e-9
    assert total_variation(p, q) == pytest.approx(total_variation(q, p))


def test_a_random_sample_has_ratio_about_one() -> None:
    rng = np.random.default_rng(1)
    target = {k: float(w) for k, w in zip("abcdefgh", rng.dirichlet(np.ones(8)), strict=True)}
    ratios = [against_table(rng.choice(list(target), 4000, p=list(target.values())), target).ratio for _ in range(40)]
    assert 0.85 < np.mean(ratios) < 1.15
    assert against_table(["a"] * 4000, target).ratio > 10


def test_copies_are_the_same_over_the_corpus() -> None:
    copies = ["the cow was sold in the spring for the fees of the term"] * 50
    others = [f"word{i} thing{i} friend{i} noon{i} with cow{i} rain{i} chair{i}" for i in range(50)]
    assert diversity.distinct(copies) < 0.03
    assert diversity.distinct(others) > 0.8
    assert diversity.self_bleu(copies) > 0.95
    assert diversity.self_bleu(others) < 0.2
    assert diversity.identical_openings(copies) == 1
    assert diversity.identical_openings(others) == 0
    assert diversity.mean_overlap([frozenset("abc"), frozenset("abc")]) == 1
    assert diversity.mean_overlap([frozenset("abc"), frozenset("xyz")]) == 0
    assert diversity.mean_similarity(copies[:3]) > 0.95
