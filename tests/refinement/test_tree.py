"""The memory tree: replayed, compared, taken back; nothing is lost and nothing can be slipped in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import UsageError
from deeppersona.refinement.preference import Preferences, Taste
from deeppersona.refinement.tree import (
    Edit,
    difference,
    edits_between,
    feature_of,
    leaf_path,
    leaves_of,
    preferences_of,
    replay,
    reverted,
)

FEATURES = st.sampled_from(
    ["word:dragon", "word:style", "word:text", "brand:moe s grill", "genre:science fiction", "decade:1990s"]
)
PERSONAS = st.builds(
    Preferences,
    st.tuples(*[st.floats(0, 50).map(lambda x: round(x, 4))] * 3),
    st.dictionaries(FEATURES, st.builds(Taste, st.floats(-2, 2), st.floats(0, 9))),
)


def log_of(personas: list[Preferences]) -> list[Edit]:
    edits: list[Edit] = []
    before = None
    for t, after in enumerate(personas):
        edits += edits_between(before, after, person="u", domain="films", number=t, window=(), seq=len(edits))
        before = after
    return edits


@settings(max_examples=150, deadline=None)
@given(st.lists(PERSONAS, min_size=1, max_size=5), st.data())
def test_the_log_replays_to_every_round_and_back(personas: list[Preferences], data: st.DataObject) -> None:
    edits = [Edit.of(e.record()) for e in log_of(personas)]
    for t, persona in enumerate(personas):
        assert preferences_of(replay(edits, t), "films") == persona
    assert [e.seq for e in edits] == list(range(len(edits)))
    to = data.draw(st.integers(0, len(personas) - 1))
    back = [*edits, *reverted(edits, to)]
    assert replay(back) == leaves_of(personas[to], "films")
    assert [e.seq for e in back] == list(range(len(back)))


def test_what_stays_is_a_no_op() -> None:
    persona = Preferences((1.0, 2.0), {"word:sea": Taste(0.5, 2.0)})
    assert [e.op for e in log_of([persona, persona])] == ["ADD", "ADD", "NO_OP"]
    other = Preferences((1.0, 3.0), {"word:dragon": Taste(0.5, 2.0)})
    assert sorted(op for op, _ in difference(leaves_of(persona, "x"), leaves_of(other, "x"))) == [
        "ADD",
        "DELETE",
        "UPDATE",
    ]


def test_a_log_that_was_tampered_with_is_noticed() -> None:
    edits = log_of([Preferences((1.0, 2.0)), Preferences((2.0, 2.0)), Preferences((3.0, 2.0))])
    with pytest.raises(UsageError, match="does not fit"):
        replay([edits[0], edits[2]])
    with pytest.raises(UsageError, match="does not fit"):
        replay([edits[0], replace(edits[1], before=(9.0, 9.0))])


def test_there_is_no_way_back_to_what_never_was() -> None:
    edits = log_of([Preferences((1.0, 2.0))])
    for to in (-1, 1):
        with pytest.raises(UsageError, match="rounds are 0 to 0"):
            reverted(edits, to)


@given(FEATURES)
def test_paths_and_features(feature: str) -> None:
    assert feature_of(leaf_path("films", feature)) == feature
