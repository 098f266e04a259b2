"""The published protocol, trap for trap, on figures worked out with scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from deeppersona.evaluation.survey.comparison import Asked, compare
from tests.evaluation.survey.made import humans_file, map_file, ours_file, table
from tests.evaluation.survey.test_metrics import published_js

HUMANS = (1, 2, 2, 4, 3, 1, 1, 1, 4, 4)
OURS = ((1, 1, 2), (2, 2, 2), (4, 4, 1), (2, 3, 3), (5, 5, 5), (1, 2, 3))  # 5 is off the scale of 1..4


def paper(folder: Path, ours: Path, humans: Path, rows: int | None = None) -> dict[str, Any]:
    report = compare(Asked(ours, humans, str(map_file(folder)), protocol="paper", human_rows=rows, only=("happy",)))
    item: dict[str, Any] = report["items"][0]
    return item


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = [(f"p{k}", "happy", d, a) for k, draws in enumerate(OURS) for d, a in enumerate(draws)]
    ours = table(tmp_path / "o.csv", ("person", "item", "draw", "answer"), rows)
    return ours, table(tmp_path / "h.csv", ("V1", "w"), [(a, 1 + k) for k, a in enumerate(HUMANS)])


@pytest.mark.parametrize(("rows", "taken"), [(None, 6), (4, 4), (0, 10)])
def test_draws_are_averaged_rows_limited_weights_left_and_off_scale_kept(
    tmp_path: Path, files: tuple[Path, Path], rows: int | None, taken: int
) -> None:
    found = paper(tmp_path, *files, rows)
    a, b = np.mean(OURS, axis=1), np.array(HUMANS[:taken], dtype=float)
    values = {name: m["value"] for name, m in found["metrics"].items()}
    assert values == pytest.approx(
        {"ks": ks_2samp(a, b).statistic, "wasserstein": wasserstein_distance(a, b), "js_distance_19_bins": published_js(a, b),
         "mean_difference": abs(a.mean() - b.mean())}, abs=1e-9)  # fmt: skip
    assert found["draws averaged"] == 3
    assert found["ours"]["off scale, kept"] == {"5": 3}
    assert found["humans"]["n"] == taken


def test_a_row_is_dropped_where_either_is_missing(tmp_path: Path) -> None:
    ours = table(
        tmp_path / "o.csv", ("person", "item", "answer"), [(k, "happy", a) for k, a in enumerate((1, 2, 3, "refused"))]
    )
    humans = table(tmp_path / "h.csv", ("V1", "w"), [(4, 1), (-1, 1), (4, 1), (1, 1), (1, 1)])
    found = paper(tmp_path, ours, humans)
    assert found["ours"] == {"n": 2, "mean": 2.0, "off scale, kept": {}}
    assert found["humans"]["mean"] == 4


def test_floor_and_ceiling_are_under_the_same_protocol(tmp_path: Path) -> None:
    report = compare(
        Asked(ours_file(tmp_path, n=40, draws=3), humans_file(tmp_path), str(map_file(tmp_path)), protocol="paper")
    )
    for m in report["overall"].values():
        assert 0 < m["floor"] < m["ceiling"]
    assert "paired" in report["rows"]
    assert report["items"][0]["humans"]["n"] == 40
