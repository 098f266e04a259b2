"""Text and numbers agree: what words say, read back, predicts the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Scale
from deeppersona.refinement.methods import METHODS, structured
from deeppersona.refinement.past import Past
from deeppersona.refinement.preference import Preferences, Taste, answers
from deeppersona.refinement.rounds import go
from deeppersona.refinement.words import in_words, of_words, told
from tests.refinement.streams import made

FIVE = Scale((1.0, 2.0, 3.0, 4.0, 5.0))
HALVES = Scale.of("0.5..5/0.5")
FEATURES = st.sampled_from(
    ["word:dragon", "word:house", "word:genre", "brand:moe s grill", "genre:science fiction", "decade:1990s"]
)
TASTES = st.dictionaries(FEATURES, st.builds(Taste, st.floats(-2, 2), st.floats(0.1, 90)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 60), min_size=5, max_size=5), TASTES)
def test_words_read_back_are_the_rounded_persona(counts: list[float], tastes: dict[str, Taste]) -> None:
    persona = Preferences(tuple(counts), tastes)
    rounded = told(persona, FIVE)
    assert of_words(in_words(persona, FIVE), FIVE) == rounded
    assert told(rounded, FIVE) == rounded
    assert in_words(rounded, FIVE) == in_words(persona, FIVE)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 60), min_size=10, max_size=10), TASTES)
def test_on_ten_levels_too(counts: list[float], tastes: dict[str, Taste]) -> None:
    persona = Preferences(tuple(counts), tastes)
    assert of_words(in_words(persona, HALVES), HALVES) == told(persona, HALVES)


@pytest.mark.parametrize("name", METHODS)
def test_the_text_of_everybody_predicts_what_their_rounded_persona_does(name: str) -> None:
    behaviour = made(25, 4)
    rounds = go(behaviour, [structured(name)])
    past = Past(rounds.scale, 25)
    for t in range(3):
        past.take([s.windows[t] for s in behaviour.streams])
    exact = same = 0
    for persona, stream in zip(rounds.outcomes[name].personas, behaviour.streams, strict=True):
        asked = [e.asked() for e in stream.windows[3]]
        read = answers(of_words(in_words(persona, rounds.scale), rounds.scale), asked, past.prior(), rounds.scale)
        assert read == answers(told(persona, rounds.scale), asked, past.prior(), rounds.scale)
        both = zip(read, answers(persona, asked, past.prior(), rounds.scale), strict=True)
        same += sum(a == b for a, b in both)
        exact += len(asked)
    # Five levels keep the usual answer always and the rest nearly: of answers without any rounding, four in five stay.
    assert same / exact > 0.8


def test_the_usual_answer_is_never_lost() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        persona = Preferences(tuple(float(x) for x in rng.integers(0, 30, 5)))
        nothing = Past(FIVE, 1).prior()
        asked = [made(1, 1).streams[0].windows[0][0].asked()]
        if persona.n:
            assert answers(told(persona, FIVE), asked, nothing, FIVE) == answers(persona, asked, nothing, FIVE)


def test_the_budget_is_kept_and_the_strongest_told_first() -> None:
    tastes = {f"word:w{k:02}": Taste(0.9 if k == 7 else 0.1, 3.0) for k in range(60)}
    persona = Preferences((1.0, 1.0, 5.0, 9.0, 4.0), tastes)
    for budget in (30, 60, 120):
        text = in_words(persona, FIVE, budget)
        assert len(text) <= 4 * budget
        assert "w07" in text or budget == 30
    assert in_words(persona, FIVE, 60).index("w07") < in_words(persona, FIVE, 60).index("w00")


@pytest.mark.parametrize(
    "text",
    ["", "Usually answers 4.", "Usually answers 4, never lower, often higher; from 3 answers.",
     "Usually answers 4, often lower, often higher; from 3 answers.\nHates: dogs (3).",
     "Usually answers 4, often lower, often higher; from 3 answers.\nDrawn to: dogs."],
)  # fmt: skip
def test_other_text_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(UsageError):
        of_words(text, FIVE)
