"""Distances lie between floor and ceiling as they should, intervals hold, subgroups and structure are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey import metrics
from deeppersona.evaluation.survey.comparison import Asked, compare
from deeppersona.evaluation.survey.distances import score
from deeppersona.evaluation.survey.report import write_comparison
from deeppersona.evaluation.survey.resample import distance_interval, levelled
from deeppersona.evaluation.survey.structure import correlations, icc
from deeppersona.evaluation.survey.worldmap import read_projection
from tests.evaluation.survey.made import humans_file, map_file, ours_file, table

QUICK = 60


def compared(folder: Path, ours: Path | None = None, humans: Path | None = None, **more: Any) -> dict[str, Any]:
    times = more.pop("times", QUICK)
    return compare(
        Asked(ours or ours_file(folder), humans or humans_file(folder), str(map_file(folder)), times=times, **more)
    )


def test_people_like_the_humans_score_about_one_and_random_ones_about_none(tmp_path: Path) -> None:
    alike = compared(tmp_path)
    g = np.random.default_rng(5)
    rows = [(f"r{k}", item, g.integers(1, top + 1)) for k in range(400) for item, top in (("happy", 4), ("god", 5))]
    random = compared(tmp_path, table(tmp_path / "r.csv", ("person", "item", "answer"), rows))
    for name in ("ks", "wasserstein", "js_distance", "total_variation"):
        # one sample against one sample: the score scatters about 1 and 0 by about the floor over the ceiling
        assert alike["overall"][name]["score"] == pytest.approx(1, abs=0.35)
        assert random["overall"][name]["score"] == pytest.approx(0, abs=0.35)
        assert alike["overall"][name]["floor"] < random["overall"][name]["value"]


def test_the_worst_is_worse_than_chance_and_the_mode_is_known(tmp_path: Path) -> None:
    rows = [(f"r{k}", "happy", 1) for k in range(50)]
    humans = table(
        tmp_path / "c.csv", ("item", "option", "count"), [("V1", 1, 0), ("V1", 2, 10), ("V1", 3, 10), ("V1", 4, 80)]
    )
    found = compared(tmp_path, table(tmp_path / "r.csv", ("person", "item", "answer"), rows), humans)["overall"]
    assert found["total_variation"]["value"] == 1
    assert found["total_variation"]["score"] < 0
    assert found["total_variation"]["mode"] == pytest.approx(0.2)


def test_weights_change_the_humans_and_not_in_vain(tmp_path: Path) -> None:
    rows = [(w, 1, 30, v, v) for v, w in ((1, 3), (2, 1)) for _ in range(50)]
    humans = table(tmp_path / "h.csv", ("w", "gender", "age", "V1", "V2"), rows)
    item = compared(tmp_path, humans=humans)["items"][0]
    assert item["humans"]["shares"] == pytest.approx([0.75, 0.25, 0, 0])
    assert item["humans"]["effective n"] == pytest.approx(200**2 / 500)


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    humans = humans_file(tmp_path, weights=True)
    first, second, third = (compared(tmp_path, humans=humans, seed=s) for s in (1, 1, 2))
    assert json.dumps(first) == json.dumps(second)
    assert first["overall"]["ks"]["high"] != third["overall"]["ks"]["high"]
    assert first["overall"]["ks"]["value"] == third["overall"]["ks"]["value"]


def test_countries_are_compared_one_by_one(tmp_path: Path) -> None:
    def rows(country: str, answer: int) -> list[tuple[str, str, int, str]]:
        return [(f"{country}{k}", "happy", answer if k % 2 else 2, country) for k in range(40)]

    ours = table(
        tmp_path / "o.csv", ("person", "item", "answer", "country"), rows("KE", 1) + rows("JP", 3) + rows("FR", 1)
    )
    humans = table(
        tmp_path / "h.csv",
        ("V1", "country"),
        [(r[2], {"KE": "Kenya", "JP": "JPN"}[r[3]]) for r in rows("KE", 1) + rows("JP", 3)],
    )
    report = compared(tmp_path, ours, humans)
    assert report["countries"] == ["JP", "KE"]
    assert report["countries of one side"] == {"FR": "ours only"}
    assert report["overall"]["total_variation"]["value"] == 0  # pooled with France it would not be
    nowhere = table(tmp_path / "n.csv", ("V1", "country"), [(1, "BR"), (2, "BR")])
    with pytest.raises(UsageError, match="no country in common"):
        compared(tmp_path, ours, nowhere)


def test_groups_differ_as_they_do_in_humans(tmp_path: Path) -> None:
    report = compared(tmp_path, ours_file(tmp_path, n=1500), humans_file(tmp_path, n=1500))
    found = report["gaps"]["all"]["summary"]["sex"]
    assert found["clear"] == 4  # two items, two sexes, half a standard deviation apart
    assert found["right sign"] == 4
    assert found["slope"] == pytest.approx(1, abs=0.35)
    assert {(s["group"], s["value"]) for s in report["subgroups"]} >= {("sex", "female"), ("age", "60+")}


def test_people_too_alike_are_found_out(tmp_path: Path) -> None:
    rows = [(f"p{k}", item, 3, ("male", "female")[k % 2], 40) for k in range(300) for item in ("happy", "god")]
    rows[0] = ("p0", "happy", 1, "male", 40)
    ours = table(tmp_path / "o.csv", ("person", "item", "answer", "sex", "age"), rows)
    report = compared(tmp_path, ours)
    assert report["variance ratio"]["value"] < 0.1
    assert all(s["variance ratio"]["value"] < 0.1 for s in report["subgroups"])
    assert compared(tmp_path)["variance ratio"]["value"] == pytest.approx(1, abs=0.2)


def test_correlations_of_items_and_their_floor(tmp_path: Path) -> None:
    alike = compared(tmp_path)["correlations"]["all"]["mean absolute difference"]
    apart = compared(tmp_path, ours_file(tmp_path, name="o.csv", weight_on_trait=0.0))["correlations"]["all"][
        "mean absolute difference"
    ]
    assert alike["value"] < 3 * alike["floor"]
    assert apart["score"] == pytest.approx(0, abs=0.3)


def test_weighted_correlations_are_those_of_people_counted_so_often() -> None:
    g = np.random.default_rng(0)
    x = g.normal(size=(60, 3))
    x[:, 1] += x[:, 0]
    times = g.integers(1, 4, 60)
    assert correlations(x, times.astype(float)) == pytest.approx(np.corrcoef(np.repeat(x, times, axis=0).T))
    x[5:40, 2] = np.nan
    x[50:, 0] = np.nan
    assert np.isnan(correlations(x, np.ones(60))[0, 2])  # fifteen people have both


def test_steadiness_is_the_share_between_people() -> None:
    g = np.random.default_rng(3)
    people = g.normal(size=4000)
    draws = people[:, None] * np.sqrt(0.7) + g.normal(size=(4000, 4)) * np.sqrt(0.3)
    mean, within = draws.mean(axis=1), ((draws - draws.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert icc(np.full(4000, 4.0), mean, within, np.ones((1, 4000)))[0] == pytest.approx(0.7, abs=0.02)
    some = g.random(draws.shape) < 0.8
    some[:, 0] = True
    n = some.sum(axis=1)
    mean = (draws * some).sum(axis=1) / n
    within = (((draws - mean[:, None]) ** 2) * some).sum(axis=1)
    assert icc(n.astype(float), mean, within, np.ones((1, 4000)))[0] == pytest.approx(0.7, abs=0.02)


def test_draws_that_always_agree_are_steady(tmp_path: Path) -> None:
    found = compared(tmp_path, ours_file(tmp_path, n=80, draws=2))["steadiness"]["all"]
    assert found["mean"] == pytest.approx(1)
    assert compared(tmp_path)["steadiness"] == {}


@pytest.mark.parametrize("p", [(0.1, 0.2, 0.3, 0.4), (0.22, 0.24, 0.26, 0.28), (0.25, 0.25, 0.25, 0.25)])
def test_the_interval_of_a_distance_holds_the_truth_about_as_often_as_it_says(p: tuple[float, ...]) -> None:
    at, q, repeats = np.arange(4.0), np.full(4, 0.25), 120
    truth = {m.name: float(m.of(np.array(p), q, at)) for m in metrics.METRICS}
    hits = dict.fromkeys(truth, 0)
    g = np.random.default_rng(4)
    for _ in range(repeats):
        a, b = g.multinomial(300, p) / 300, g.multinomial(300, q) / 300
        again = [g.multinomial(300, x, 100) / 300 for x in (a, b)]
        equal = [levelled(x, y, (a + b) / 2) for x, y in zip((a, b), again, strict=True)]
        for m in metrics.METRICS:
            low, high = distance_interval(float(m.of(a, b, at)), m.of(*again, at), m.of(*equal, at))
            hits[m.name] += low - 1e-12 <= truth[m.name] <= high + 1e-12
    for name, n in hits.items():
        assert n / repeats >= 0.89, name  # 95 % of 120 has a standard deviation of 2 points


def test_a_score_is_not_told_where_humans_are_uniform() -> None:
    assert score(0.1, 0.1, 0.1) is None
    assert score(0.05, 0.05, 0.35) == 1
    assert score(0.35, 0.05, 0.35) == 0


def test_the_map_places_means_as_the_formula_says(tmp_path: Path) -> None:
    raw = {"items": ["A", "B"], "center": [1, 2], "scale": [2, 4], "weights": [[0.5, 0.1], [0.2, 0.4]], "se": 1, "sec": 2,
           "rc1": [1.8, 0.4], "rc2": [1.6, -0.1]}  # fmt: skip
    path = tmp_path / "projection.json"
    path.write_text(json.dumps(raw), "utf-8")
    mean = np.array([3.0, 6.0])
    z = (mean - raw["center"]) / raw["scale"]
    s = z @ np.array(raw["weights"])
    assert read_projection(path).place(mean) == pytest.approx([1.8 * s[0] + 0.4, 1.6 * s[1] - 0.1])
    raw |= {"items": ["happy", "god"]}
    path.write_text(json.dumps(raw), "utf-8")
    place = compared(tmp_path, projection=path)["map"]["all"]
    assert place["apart"] == pytest.approx(np.linalg.norm(np.subtract(place["ours"], place["humans"])))
    assert place["apart"] < 2 * place["chance"]
    with pytest.raises(UsageError, match="projection"):
        read_projection(map_file(tmp_path))


def test_the_report_shows_what_a_reader_must_know(tmp_path: Path) -> None:
    rows = [(1, 1, 30, v, v) for v in (1, 2, 3, 4, 7)] * 20 + [(1, 2, 50, -1, "<b>x</b>")]
    humans = table(tmp_path / "h.csv", ("w", "gender", "age", "V1", "V2"), rows)
    report = compared(tmp_path, humans=humans)
    write_comparison(tmp_path / "out", report)
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert json.loads((tmp_path / "out" / "compare.json").read_text("utf-8")) == json.loads(json.dumps(report))
    for words in ("made for tests", "-1: 1", "7: 20", "floor", "very", "Sameness"):
        assert words in page
    assert "<b>x</b>" not in page


def test_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="god"):
        compared(tmp_path, only=("godd",))
    other = table(tmp_path / "h.csv", ("V8", "V9"), [(1, 2)])
    with pytest.raises(UsageError, match="V1"):
        compared(tmp_path, humans=other)
