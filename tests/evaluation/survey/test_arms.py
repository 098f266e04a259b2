"""Several arms before the same humans, the validity kit beside them, and what the page then shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deeppersona.cli.survey_compare import compare as command
from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.comparison import Asked, compare
from deeppersona.evaluation.survey.report import write_comparison
from tests.evaluation.survey.made import humans_file, map_file, ours_file, table

KIT = {
    "inventory": "made", "respondent": {"respondent": "grounded"}, "people": 40, "draws": 2, "answered": 0.98,
    "scales": [{"scale": "joy", "title": "Joy <b>", "items": 2, "n": 40, "mean": 2.5, "sd": 0.5, "alpha": 0.71, "omega": None,
                "people": {"mean": 2.4, "sd": 0.6, "alpha": 0.75}}],
    "acquiescence": {"joy": 0.12}, "halves": {"joy": 0.4}, "congruence": [0.97], "warnings": ["an option gains +9% shown first"],
    "steadiness": {"retest": {"joy": 0.8}, "intraclass": {"joy": 0.79}, "item_retest": 0.6, "same_answer": 0.7},
    "forms": {"primacy": 0.09, "changed": {"again": 0.2, "turned": 0.31, "reordered": 0.22, "reworded": 0.27}, "shift": {"again": 0.01, "turned": 0.05, "reordered": 0.01}},
    "unanswered": {"refused": 0.03}, "beside_options": 0.04,
}  # fmt: skip


def uniform_file(folder: Path, n: int = 400, items: tuple[str, ...] = ("happy", "god")) -> Path:
    g = np.random.default_rng(8)
    rows = [(f"p{k}", i, 0, int(g.integers(1, 5 if i == "happy" else 6))) for k in range(n) for i in items]
    return table(folder / "chance.csv", ("person", "item", "draw", "answer"), rows)


def kit_file(folder: Path, **other: Any) -> Path:
    path = folder / "kit.json"
    path.write_text(json.dumps({**KIT, **other}), "utf-8")
    return path


def compared(folder: Path, **other: Any) -> dict[str, Any]:
    return compare(Asked(ours_file(folder), humans_file(folder), str(map_file(folder)), times=60, **other))


def test_each_arm_is_what_it_is_alone(tmp_path: Path) -> None:
    other = uniform_file(tmp_path)
    both = compared(tmp_path, against=(("chance", other),))
    alone = compare(Asked(other, tmp_path / "humans.csv", str(tmp_path / "map.toml"), times=60))
    ours, chance = both["arms"]["rows"]
    for metric, found in both["overall"].items():
        assert ours["overall"][metric] == pytest.approx({k: found[k] for k in ours["overall"][metric]})
        assert chance["overall"][metric]["value"] == pytest.approx(alone["overall"][metric]["value"])
        assert chance["overall"][metric]["score"] == pytest.approx(alone["overall"][metric]["score"])
        less = chance["further off than the first"][metric]
        assert less["value"] == pytest.approx(alone["overall"][metric]["value"] - found["value"])
        assert less["low"] < less["value"] < less["high"]
    assert chance["further off than the first"]["ks"]["low"] > 0
    assert (ours["name"], chance["name"]) == ("answers", "chance")
    assert abs(chance["overall"]["ks"]["score"]) < 0.3 < ours["overall"]["ks"]["score"]
    assert ours["further off than the first"] == {}
    assert both["arms"]["items"][0]["arms"]["chance"] == pytest.approx(alone["items"][0]["metrics"]["ks"]["value"])


def test_arms_are_compared_on_what_all_answered(tmp_path: Path) -> None:
    report = compared(tmp_path, against=(("part", uniform_file(tmp_path, items=("god",))),))
    assert (report["arms"]["cells"], report["arms"]["of"]) == (1, 2)
    assert [i["item"] for i in report["arms"]["items"]] == ["god"]
    god = next(i for i in report["items"] if i["item"] == "god")
    assert report["arms"]["rows"][0]["overall"]["ks"]["value"] == pytest.approx(god["metrics"]["ks"]["value"])


def test_arms_under_the_published_protocol(tmp_path: Path) -> None:
    report = compared(tmp_path, against=(("", uniform_file(tmp_path)),), protocol="paper")
    assert [a["name"] for a in report["arms"]["rows"]] == ["answers", "chance"]
    assert "low" not in report["arms"]["rows"][1]["overall"]["ks"]
    write_comparison(tmp_path / "out", report)
    assert "Arms" in (tmp_path / "out" / "compare.html").read_text("utf-8")


def test_two_of_one_name_are_refused_and_kits_need_an_arm(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two arms are called 'answers'"):
        compared(tmp_path, against=(("answers", uniform_file(tmp_path)),))
    with pytest.raises(UsageError, match="did you mean chance"):
        compared(tmp_path, against=(("chance", uniform_file(tmp_path)),), kits=(("chanse", kit_file(tmp_path)),))


def test_a_kit_that_is_none_or_of_somebody_else(tmp_path: Path) -> None:
    for text, words in (("{", "no JSON"), ("[]", "no validity kit"), ('{"forms": {}}', "scales")):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UsageError, match=words):
            compared(tmp_path, kits=(("", tmp_path / "bad.json"),))
    with pytest.raises(UsageError, match="cannot be read"):
        compared(tmp_path, kits=(("", tmp_path / "none.json"),))
    beside = {"inventory": "ipip-50", "respondent": {"respondent": "uniform"}, "draws": 1, "seed": 0}
    (tmp_path / "answers.csv.json").write_text(json.dumps(beside))
    notes = " ".join(
        compared(tmp_path, inventory=None, kits=(("", kit_file(tmp_path, people=12)),))["validity"][0]["notes"]
    )
    for words in ("questionnaire made", "respondent grounded, not uniform", "12 people"):
        assert words in notes


def test_the_page_holds_arms_kit_and_sameness(tmp_path: Path) -> None:
    report = compared(tmp_path, against=(("chance", uniform_file(tmp_path)),), kits=(("", kit_file(tmp_path)),))
    write_comparison(tmp_path / "out", report)
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    for words in (
        "Arms, before the same humans", "chance.csv", "Do the answers hold up?", "Joy &lt;b&gt;", "9.0 %", "3.0 %", "4.0 %", "31.0 %", "0.970", "in other words",
        "0.71", "an option gains +9% shown first", "sex:<br>female", "made for tests", "other humans",
    ):  # fmt: skip
        assert words in page, words
    assert "Joy <b>" not in page
    told = json.loads((tmp_path / "out" / "compare.json").read_text("utf-8"))
    assert told["validity"][0]["forms"] == KIT["forms"]


def test_variance_by_item_and_subgroup(tmp_path: Path) -> None:
    ours = [
        (f"p{k}", "happy", 0, 2 + (k % 2 if k < 200 else k % 3 - 1), ("male", "female")[k < 200]) for k in range(400)
    ]
    humans = [(1, 1 + (k < 300), 1 + k % 4) for k in range(600)]
    coding = map_file(tmp_path)
    report = compare(Asked(
        table(tmp_path / "a.csv", ("person", "item", "draw", "answer", "sex"), ours), table(tmp_path / "h.csv", ("w", "gender", "V1"), humans),
        str(coding), times=60,
    ))  # fmt: skip
    (row,) = report["sameness"]
    ratio = {w["value"]: w["ratio"]["value"] for w in row["within"]}
    assert ratio["female"] == pytest.approx(0.25 / 1.25)
    assert ratio["male"] == pytest.approx((2 / 3) / 1.25, rel=0.02)
    happy = report["items"][0]
    for side in ("ours", "humans"):
        spans = zip(happy[side]["shares low"], happy[side]["shares"], happy[side]["shares high"], strict=True)
        assert all(low <= share <= high for low, share, high in spans)


def test_other_humans_would_show_a_slope_below_one(tmp_path: Path) -> None:
    report = compared(tmp_path)
    slope = report["slopes"]["sex"]
    assert 0.8 < slope["humans"] <= 1
    assert slope["low"] < slope["slope"] < slope["high"]
    assert 0.7 < slope["slope"] < 1.4
    none = compare(Asked(
        ours_file(tmp_path, n=120, seed=5), humans_file(tmp_path, n=120, seed=6), str(tmp_path / "map.toml"), times=60
    ))["slopes"]  # fmt: skip
    assert none["sex"]["humans"] < slope["humans"]


def test_the_command_takes_arms_and_a_kit(tmp_path: Path) -> None:
    files = [
        str(ours_file(tmp_path)),
        str(humans_file(tmp_path)),
        "--items",
        str(map_file(tmp_path)),
        "--resamples",
        "50",
    ]
    more = ["--name", "mine", "--against", f"dice={uniform_file(tmp_path)}", "--validity", f"mine={kit_file(tmp_path)}"]
    done = CliRunner().invoke(command, [*files, *more], catch_exceptions=False)
    for words in ("humans (floor)", "mine", "dice", "ceiling"):
        assert words in done.output
    assert "validity of mine: an option gains +9% shown first" in done.stderr
    with pytest.raises(UsageError, match="NAME=FILE"):
        CliRunner().invoke(command, [*files, "--against", "=x"], catch_exceptions=False)


def test_what_is_left_out_is_counted_country_by_country(tmp_path: Path) -> None:
    head = ("country", "V1", "V2")
    humans = [(c, v, 2) for c, odd in (("KE", -1), ("SE", 7)) for v in (1, 2, 3, 4, odd) for _ in range(20)]
    ours = [(f"p{k}", "happy", 0, 1 + k % 4, ("KE", "SE")[k % 2]) for k in range(80)]
    report = compare(Asked(
        table(tmp_path / "a.csv", ("person", "item", "draw", "answer", "country"), ours), table(tmp_path / "h.csv", head, humans),
        str(map_file(tmp_path)), times=50,
    ))  # fmt: skip
    told = {i["country"]: i["humans"] for i in report["items"]}
    assert (told["KE"]["answers"], told["KE"]["missing"], told["KE"]["off scale"]) == (100, {"-1": 20}, {})
    assert (told["SE"]["answers"], told["SE"]["missing"], told["SE"]["off scale"]) == (100, {}, {"7": 20})
