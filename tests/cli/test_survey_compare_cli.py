"""``survey compare`` and ``survey rectify`` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deeppersona.cli.survey_compare import compare, rectify
from deeppersona.errors import UsageError
from tests.evaluation.survey.made import humans_file, map_file, ours_file, table


def test_compare_prints_and_writes(tmp_path: Path) -> None:
    ours, humans, coding = ours_file(tmp_path, n=100), humans_file(tmp_path, n=150), map_file(tmp_path)
    arguments = [str(ours), str(humans), "--items", str(coding), "--resamples", "50", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(compare, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    for words in ("happy", "KS", "uniform", "score", "compare.html"):
        assert words in done.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"compare.html", "compare.json"}
    told = CliRunner().invoke(compare, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(told.stdout) == json.loads((tmp_path / "out" / "compare.json").read_text("utf-8"))


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    humans = table(tmp_path / "h.csv", ("w", "gender", "age", "V1"), [(1, 1, 30, v) for v in (1, 2, 3, 4, 7, -1)] * 9)
    done = CliRunner().invoke(
        compare, [str(ours_file(tmp_path)), str(humans), "--items", str(map_file(tmp_path)), "--resamples", "50"]
    )
    assert "humans: 9 answers are off the scale, left out: happy=7 (9)" in done.stderr
    assert "humans: 9 answers are missing codes" in done.stderr
    assert "not compared, no usable answer in humans: god" in done.stderr


@pytest.mark.parametrize("rows", ["-3", "many", "0"])
def test_rows_of_the_paper(tmp_path: Path, rows: str) -> None:
    files = [str(ours_file(tmp_path, n=30)), str(humans_file(tmp_path, n=50)), "--items", str(map_file(tmp_path))]
    with pytest.raises(UsageError, match="all"):
        CliRunner().invoke(compare, [*files, "--protocol", "paper", "--human-rows", rows], catch_exceptions=False)
    with pytest.raises(UsageError, match="corrected"):
        CliRunner().invoke(compare, [*files, "--human-rows", "40"], catch_exceptions=False)
    done = CliRunner().invoke(compare, [*files, "--protocol", "paper"], catch_exceptions=False)
    assert "not for findings" in done.output


def test_rectify_prints_and_writes(tmp_path: Path) -> None:
    files = [str(ours_file(tmp_path, n=200)), str(humans_file(tmp_path, n=80)), "--items", str(map_file(tmp_path))]
    done = CliRunner().invoke(
        rectify, [*files, "--repeats", "20", "--by", "sex", "--out", str(tmp_path / "r")], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "rectified" in done.output
    assert {p.name for p in (tmp_path / "r").iterdir()} == {"rectify.html", "rectify.json"}
