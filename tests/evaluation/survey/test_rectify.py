"""Rectified estimates: intervals hold however wrong the synthetic people are, and good predictions are worth people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.inference import Material, difference, rectified_mean, t_quantile, tuned
from deeppersona.evaluation.survey.rectification import Wanted, rectify
from deeppersona.evaluation.survey.report import write_rectification
from tests.evaluation.survey.made import humans_file, latent, map_file, ours_file, table

REPEATS = 400


def material(
    seed: int, n: int, agree: float, *, off: float = 0.0, share: bool = False, weights: bool = False
) -> tuple[Material, float]:
    """A human sample of a standard normal (or its share above 1) and predictions that correlate by ``agree``, off by ``off``."""
    g = np.random.default_rng(seed)
    z, noise = g.normal(size=n + 4000), g.normal(size=n + 4000)
    f = agree * z + np.sqrt(1 - agree**2) * noise + off
    y, f = ((z > 1) * 1.0, (f > 1) * 1.0) if share else (z, f)
    w = g.exponential(size=n) + 0.2 if weights else np.ones(n)
    return Material(y[:n], f[:n], w, f[n:], np.ones(4000), f[n:]), 0.15865525393145707 if share else 0.0


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("agree", [0.0, 0.8])
def test_intervals_hold_the_truth_whatever_the_predictions(share: bool, weights: bool, agree: float) -> None:
    found = [
        (rectified_mean(m, share=share), truth)
        for m, truth in (material(k, 60, agree, off=1.0, share=share, weights=weights) for k in range(REPEATS))
    ]
    held = np.mean([r.rectified.low <= truth <= r.rectified.high for r, truth in found])
    alone = np.mean([r.synthetic.low <= truth <= r.synthetic.high for r, truth in found])
    assert 0.92 <= held <= 0.98  # 95 % of 400 has a standard deviation of 1.1 points
    assert alone < 0.05
    bias = np.mean([r.rectified.value - truth for r, truth in found])
    assert abs(bias) < 0.1 * abs(np.mean([r.synthetic.value - truth for r, truth in found]))


def test_good_predictions_are_worth_people_and_bad_ones_cost_none() -> None:
    good, bad = ([rectified_mean(material(k, 200, agree)[0]) for k in range(100)] for agree in (0.9, 0.0))
    spread = [np.var([getattr(r, which).value for r in good]) for which in ("humans", "rectified")]
    assert spread[0] / spread[1] > 2.5  # 1 / (1 - 0.81) with endless predictions, less with 4,000
    told = np.mean([r.effective_n for r in good]) / 200
    assert told == pytest.approx(spread[0] / spread[1], rel=0.4)
    assert np.mean([r.effective_n for r in bad]) == pytest.approx(200, rel=0.03)
    assert np.mean([r.lam for r in bad]) < 0.1 < 0.7 < np.mean([r.lam for r in good])


def test_the_tuning_is_the_one_of_least_variance() -> None:
    m, _ = material(1, 300, 0.7)
    best = tuned(m)
    wide = [
        np.var(m.y - lam * m.predicted, ddof=1) / 300 + lam**2 * np.var(m.many, ddof=1) / 4000
        for lam in np.linspace(0, 1, 201)
    ]
    assert best == pytest.approx(np.linspace(0, 1, 201)[int(np.argmin(wide))], abs=0.005)


def test_equal_weights_are_no_weights_and_a_doubled_person_is_one_of_double_weight() -> None:
    m, _ = material(2, 80, 0.5)
    plain = rectified_mean(m)
    heavy = rectified_mean(Material(m.y, m.predicted, m.weight * 7, m.many, m.many_weight * 3, m.own))
    assert (heavy.rectified.low, heavy.rectified.high) == pytest.approx((plain.rectified.low, plain.rectified.high))
    assert plain.humans.se == pytest.approx(np.std(m.y, ddof=1) / np.sqrt(80))


def test_differences_hold_the_truth_too() -> None:
    hits = 0
    for k in range(REPEATS):
        a, b = (rectified_mean(material(2 * k + s, 50, 0.6, off=1.0 + s)[0]) for s in (0, 1))
        d = difference(a, b)
        hits += d.rectified.low <= 0 <= d.rectified.high
        assert d.rectified.value == pytest.approx(a.rectified.value - b.rectified.value)
    assert 0.92 <= hits / REPEATS <= 0.98


def test_shares_nobody_or_everybody_gives_have_an_interval() -> None:
    g = np.random.default_rng(0)
    many = (g.random(1000) < 0.3) * 1.0
    for y in (np.zeros(50), np.ones(50)):
        e = rectified_mean(
            Material(y, many[:50], np.ones(50), many[50:], np.ones(950), many[50:]), share=True
        ).rectified
        assert 0 <= e.low <= e.value <= e.high <= 1
        assert 0.02 < e.high - e.low < 0.2


@pytest.mark.parametrize("freedom", [5, 10, 30, 200])
@pytest.mark.parametrize("p", [0.9, 0.975, 0.995])
def test_students_quantile(p: float, freedom: int) -> None:
    assert t_quantile(p, freedom) == pytest.approx(t.ppf(p, freedom), abs=0.005)


def test_from_files_by_groups(tmp_path: Path) -> None:
    report = rectify(
        Wanted(
            ours_file(tmp_path, n=800), humans_file(tmp_path, n=120, weights=True), str(map_file(tmp_path)), repeats=100
        )
    )
    assert report["groups"] == ["sex", "age"]
    item = report["items"][0]
    assert item["predicted by"] == "people alike in age, sex"
    assert 0.88 <= item["coverage"]["rectified"] <= 1
    assert sum(s["rectified"]["value"] for s in item["shares"]) == pytest.approx(1, abs=0.02)
    sexes = [g for g in item["groups"] if g["group"] == "sex"]
    assert len(sexes) == 1
    write_rectification(tmp_path / "out", report)
    assert "lambda" in (tmp_path / "out" / "rectify.html").read_text("utf-8")
    assert json.loads((tmp_path / "out" / "rectify.json").read_text("utf-8"))["level"] == 0.95


def test_doubles_are_used_only_when_said_so(tmp_path: Path) -> None:
    ours = ours_file(tmp_path, n=700, seed=4)
    sex, age, happy, god = latent(700, 4)
    rows = [(f"p{k}", 1, sex[k], age[k], happy[k], god[k]) for k in range(100)]
    humans = table(tmp_path / "h.csv", ("person", "w", "gender", "age", "V1", "V2"), rows)
    plain, twins = (rectify(Wanted(ours, humans, str(map_file(tmp_path)), repeats=0, doubles=d)) for d in (False, True))
    assert plain["items"][0]["predicted by"] != twins["items"][0]["predicted by"] == "the human's own double"
    assert twins["items"][0]["mean"]["effective n"] > 500  # the doubles answer as their humans do
    with pytest.raises(UsageError, match="no answer among the synthetic"):
        rectify(Wanted(ours, humans_file(tmp_path), str(map_file(tmp_path)), doubles=True))


def test_a_sample_of_other_people_is_warned_of(tmp_path: Path) -> None:
    sex, age, happy, god = latent(300, 9)
    rows = [(1, s, a, h, r) for s, a, h, r in zip(sex, age, happy, god, strict=True) if s == 2]
    rows += [(1, 1, 40, 2, 2)] * 8
    humans = table(tmp_path / "h.csv", ("w", "gender", "age", "V1", "V2"), rows)
    report = rectify(Wanted(ours_file(tmp_path), humans, str(map_file(tmp_path)), repeats=0))
    assert {b["group"]: b["warn"] for b in report["balance"]}["sex"]


def test_faults_are_named(tmp_path: Path) -> None:
    counts = table(tmp_path / "c.csv", ("item", "option", "count"), [("V1", o, 20) for o in range(1, 5)])
    with pytest.raises(UsageError, match="the people themselves"):
        rectify(Wanted(ours_file(tmp_path), counts, str(map_file(tmp_path))))
    with pytest.raises(UsageError, match="only 12 humans"):
        rectify(Wanted(ours_file(tmp_path), humans_file(tmp_path, n=12), str(map_file(tmp_path))))
    with pytest.raises(UsageError, match="education"):
        rectify(Wanted(ours_file(tmp_path), humans_file(tmp_path), str(map_file(tmp_path)), by=("education",)))
