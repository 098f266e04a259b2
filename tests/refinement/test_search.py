"""Direction search: the guard holds, experience is learnt from the past alone, pairs are laid out for trainers."""

from __future__ import annotations

import numpy as np
import pytest

from deeppersona.refinement.methods.deeper import DIRECTIONS, Deeper
from deeppersona.refinement.past import Past
from deeppersona.refinement.preference import NoShifts, Preferences, Surprise, Taste, mean_error, tastes_from
from deeppersona.refinement.rounds import go
from deeppersona.refinement.search import KEEP, Choice, Experience, Goals, Search
from tests.refinement.streams import made


@pytest.fixture(scope="module")
def deeper() -> Deeper:
    step = Deeper()
    go(made(25, 6, seed=3, taste=2.0), [step])
    return step


def test_nothing_taken_is_worse_on_the_guard_than_what_it_replaced(deeper: Deeper) -> None:
    assert len(deeper.search.record) == 25 * 5
    for choice in deeper.search.record:
        assert choice.of(choice.taken).goals.current >= -1e-12
        assert {c.direction for c in choice.candidates} == {KEEP, *DIRECTIONS}


def test_what_fails_the_guard_is_rolled_back() -> None:
    behaviour = made(1, 2)
    before, window = behaviour.streams[0].windows
    scale = behaviour.first_scale()
    past = Past(scale, 1)
    past.take([before])
    good = min(
        (Preferences(tuple(float(j == k) for j in range(len(scale.levels)))) for k in range(len(scale.levels))),
        key=lambda p: mean_error(p, window, past.prior(), scale),
    )
    bad = Preferences((100.0, *[0.0] * (len(scale.levels) - 1)))
    old, now = (mean_error(good, w, past.prior(), scale) for w in (before, window))
    goals = Goals(
        old - mean_error(bad, before, past.prior(), scale), now - mean_error(bad, window, past.prior(), scale)
    )
    search: Search[Preferences] = Search(Experience(("a", "b")))
    choice = search.choose(0, 1, good, {"a": (bad, goals), "b": (bad, goals)}, window)
    assert choice.taken == KEEP
    assert choice.of(KEEP).persona is good


def test_goals_are_known_once_the_next_window_was_answered(deeper: Deeper) -> None:
    for choice in deeper.search.record:
        assert all((c.goals.future is None) == (choice.number == 5) for c in choice.candidates)
    assert deeper.search.experience.trials == 25 * 4 * (len(DIRECTIONS) - 1)


def test_what_was_tried_is_learnt_the_same_in_whatever_order_people_came(deeper: Deeper) -> None:
    def learnt(record: list[Choice[Preferences]]) -> dict[str, float]:
        experience = Experience(tuple(DIRECTIONS))
        for choice in record:
            future = {c.direction: c.goals.future for c in choice.candidates}
            experience.tried(choice, {d: f for d, f in future.items() if f is not None})
        experience.settle()
        return experience.told()

    record = [c for c in deeper.search.record if c.number == 2]
    assert learnt(record) == learnt(record[::-1])
    assert any(learnt(record).values())


def test_tastes_are_found_worth_having(deeper: Deeper) -> None:
    # Tastes were drawn to move answers by 2 stars: leaving them out promises less than believing in them.
    assert deeper.search.experience.told()["plain"] < -0.01


def test_pairs_are_laid_out_as_trainers_read_them(deeper: Deeper) -> None:
    behaviour = made(25, 6, seed=3, taste=2.0)
    found = list(deeper.pairs(behaviour.first_scale(), "films"))
    assert found
    for pair in found:
        assert set(pair) == {"prompt", "chosen", "rejected", "meta"}
        assert all(isinstance(pair[key], str) for key in ("prompt", "chosen", "rejected"))
        assert pair["chosen"] != pair["rejected"]
        sides = [
            sum(pair["meta"][side][goal] for goal in ("previous", "current", "future"))
            for side in ("chosen", "rejected")
        ]
        assert sides[0] > sides[1]
        assert pair["meta"]["round"] < 5  # the last window has none after it


def test_tastes_come_from_surprises_and_grow_with_their_number() -> None:
    once = tastes_from([Surprise(("word:sea",), 0.8)])
    often = tastes_from([Surprise(("word:sea",), 0.8)] * 6)
    assert 0 < once["word:sea"].shift < often["word:sea"].shift
    assert often["word:sea"].n == 6
    assert tastes_from([Surprise(("word:sea",), 0.8), Surprise(("word:sea",), -0.8)]) == {}
    assert tastes_from([]) == {}


def test_tastes_agree_with_ridge_regression_over_features() -> None:
    rng = np.random.default_rng(1)
    names = [f"word:w{k}" for k in range(6)]
    found = [
        Surprise(
            tuple(n for n in names if rng.random() < 0.5) or (names[0],),
            float(rng.uniform(-1, 1)),
            float(rng.uniform(0.2, 1)),
        )
        for _ in range(30)
    ]
    x = np.array([[(n in s.features) / np.sqrt(len(s.features)) for n in names] for s in found])
    w, y = np.array([s.weight for s in found]), np.array([s.amount for s in found])
    plain = np.linalg.solve(0.3 * x.T @ (w[:, None] * x) + 4.0 * np.eye(6), x.T @ (w * y))
    got = tastes_from(found)
    for name, shift in zip(names, plain, strict=True):
        assert got.get(name, Taste(0.0, 0.0)).shift == pytest.approx(shift if abs(shift) >= 0.03 else 0.0, abs=2e-4)


def test_the_item_prior_learns_what_everybody_makes_of_an_item() -> None:
    behaviour = made(40, 2, taste=0.0)
    past = Past(behaviour.first_scale(), 40)
    assert past.prior().shift(behaviour.streams[0].windows[0][0]) == 0.0
    past.take([s.windows[0] for s in behaviour.streams])
    shifts = [past.prior().shift(e) for s in behaviour.streams for e in s.windows[0]]
    high = [past.prior().shift(e) for s in behaviour.streams for e in s.windows[0] if e.value == 5]
    assert np.mean(high) > np.mean(shifts)
    assert NoShifts().shift(behaviour.streams[0].windows[0][0]) == 0.0


def test_how_far_the_prior_is_believed_does_not_depend_on_who_asked_for_it() -> None:
    behaviour = made(40, 4, taste=0.0)
    asked, silent = (Past(behaviour.first_scale(), 40) for _ in range(2))
    for t in range(4):
        asked.prior()
        for past in (asked, silent):
            past.take([s.windows[t] for s in behaviour.streams])
    assert asked.prior().trust == silent.prior().trust
    assert asked.prior().items == silent.prior().items
