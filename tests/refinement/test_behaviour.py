"""Streams as they come: two layouts, broken lines, missing ratings, incomplete people; each loss is counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Scale, read_behaviour
from deeppersona.refinement.features import of_item


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def windows(n: int, rating: float = 4) -> list[list[dict[str, Any]]]:
    return [[{"item": f"item {t} {k}", "rating": rating} for k in range(10)] for t in range(n)]


def test_windows_zero_ratings_and_incomplete_people(tmp_path: Path) -> None:
    parts = windows(3)
    parts[1][0]["rating"] = 0
    rows = [
        {"user": "a", "windows": parts},
        {"user": "b", "windows": windows(3)},
        {"user": "c", "windows": windows(1)},
        {"user": "a", "windows": parts},
    ]
    found = read_behaviour(write(tmp_path / "ratings_amazon_book.jsonl", rows))
    assert [s.user for s in found.streams] == ["a", "b"]
    assert len(found.streams[0].windows[1]) == 9
    assert found.domain == "book"
    assert found.left == {
        "ratings of 0, which mean no rating": 1,
        "people with fewer than 3 windows": 1,
        "people met twice": 1,
    }


def test_zero_is_a_rating_where_it_is_said_to_be(tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [{"user": "a", "windows": windows(2, 0)}])
    found = read_behaviour(file, not_rated=None)
    assert found.left == {}
    assert found.streams[0].windows[0][0].value == 0.0


def test_single_events_are_put_in_time_order_and_cut(tmp_path: Path) -> None:
    rows = [
        {"user": u, "time": t, "item": f"thing {t}", "rating": 1 + t % 5, "persona": f"ke-{u}"}
        for t in (5, 1, 4, 3, 2, 0, 6)
        for u in ("a", "b")
    ]
    with gzip.open(tmp_path / "x.jsonl.gz", "wt") as handle:
        handle.writelines(json.dumps(row) + "\n" for row in rows)
    found = read_behaviour(tmp_path / "x.jsonl.gz", window=3)
    assert [[e.time for e in w] for w in found.streams[0].windows] == [[0, 1, 2], [3, 4, 5]]
    assert found.streams[1].persona == "ke-b"
    assert found.left == {"events in a last window that is not full": 2}


def test_broken_lines_are_counted_not_fatal(tmp_path: Path) -> None:
    rows = [
        "{not json",
        "[1]",
        {"user": "a"},
        {"user": "a", "windows": [*windows(2), [{"item": "x", "rating": "good"}, {"item": "", "rating": 3}, 7]]},
    ]
    found = read_behaviour(write(tmp_path / "x.jsonl", rows), at_least=2)
    assert found.left == {
        "lines that are no event": 4,
        "events without the name of an item": 1,
        "answers that are no number": 1,
    }


def test_choices_and_survey_answers_have_the_same_port(tmp_path: Path) -> None:
    rows = [
        {"user": "a", "time": t, "item": "a meal", "choice": "rice", "options": ["rice", "bread"]} for t in range(4)
    ]
    found = read_behaviour(write(tmp_path / "c.jsonl", rows), window=2)
    assert found.streams[0].windows[0][0].options == ("rice", "bread")
    rows = [{"user": "a", "time": t, "item": "Most people can be trusted", "answer": t % 2 + 1} for t in range(4)]
    assert read_behaviour(write(tmp_path / "s.jsonl", rows), window=2).first_scale() == Scale((1.0, 2.0))


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "holds no behaviour"),
     ([{"user": "a", "windows": windows(1)}], "two windows"),
     ([{"user": "a", "item": "x", "rating": 3}], "needs a time"),
     ([{"user": "a", "windows": [*windows(2)]}, {"user": "b", "windows": [[{"item": "q", "answer": 1}] * 3] * 2}], "mixes")],
)  # fmt: skip
def test_what_cannot_be_used_is_said(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_behaviour(write(tmp_path / "x.jsonl", rows))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_behaviour(tmp_path / "no.jsonl")


def test_scales() -> None:
    assert Scale.of("1..5").levels == (1, 2, 3, 4, 5)
    assert len(Scale.of("0.5..5/0.5").levels) == 10
    assert Scale.seen_in([1, 5, 3, 4]).levels == (1, 2, 3, 4, 5)
    for wrong in ("5..1", "1-5", "1..5/0", "1..1000000"):
        with pytest.raises(UsageError, match=r"LOW\.\.HIGH"):
            Scale.of(wrong)


def test_features() -> None:
    assert of_item("The Third Man (1949)") == ("decade:1940s", "word:third", "word:man")
    assert of_item("Moe's Grill, 12 Bay Road, Leeds")[0] == "brand:moe s grill"
    assert of_item("x", {"genre": ["Sci-Fi"], "brand": ["O'Neill"]})[:2] == ("genre:sci fi", "brand:o neill")
