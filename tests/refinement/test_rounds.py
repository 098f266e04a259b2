"""The rounds: nothing later is read before it is predicted; every method obeys the port, improves and repeats itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Answer, Behaviour, Event, Scale, Stream
from deeppersona.refinement.methods import METHODS, structured
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.rounds import Rounds, go
from deeppersona.refinement.step import Context, Step, Structured
from tests.refinement.streams import made, poisoned

FIVE = Scale((1.0, 2.0, 3.0, 4.0, 5.0))


class Spy:
    """A step that notes what it was asked and answered."""

    def __init__(self, step: Step[Preferences]) -> None:
        self.step, self.name = step, step.name
        self.given: dict[tuple[int, int], list[Answer]] = {}

    async def predict(self, persona: Preferences, asked: Sequence[Event], context: Context) -> list[Answer]:
        given = await self.step.predict(persona, asked, context)
        self.given.setdefault((context.number, context.person), given)
        return given

    async def observe(self, context: Context) -> None:
        await self.step.observe(context)

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        return await self.step(persona, context)

    def reflects(self, persona: Preferences, context: Context) -> bool:
        return self.step.reflects(persona, context)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("first", [1, 3])
def test_poison_in_the_future_changes_no_answer_before_it(name: str, first: int) -> None:
    clean, poison = Spy(structured(name)), Spy(structured(name))
    behaviour = made(8, 5)
    a = go(behaviour, [clean], scale=FIVE)
    b = go(poisoned(behaviour, first), [poison], scale=FIVE)
    # The window itself is asked before its answers are known; what it is asked about is the same.
    for t in range(1, first + 1):
        for p in range(8):
            assert clean.given[t, p] == poison.given[t, p], (t, p)
    for mark in a.yardsticks:
        assert np.array_equal(a.all[mark].future[:, 1:first], b.all[mark].future[:, 1:first])
    later = [clean.given[t, p] != poison.given[t, p] for t in range(first + 1, 5) for p in range(8)]
    assert name == "frozen" or any(later), "the poison was never read at all: the test would prove nothing"


def test_a_step_is_asked_without_the_values() -> None:
    class Nosy(Structured):
        name = "nosy"

        async def predict(self, persona: Preferences, asked: Sequence[Event], context: Context) -> list[Answer]:
            assert all(e.value is None for e in asked)
            assert context.window == ()
            assert len(context.before) == context.number
            return [3.0] * len(asked)

        async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
            assert all(e.value is not None for e in context.window)
            return Preferences((1.0,) * 5)

    go(made(3, 3), [Nosy()])


def test_the_scale_is_that_of_the_first_windows() -> None:
    behaviour = made(4, 3)
    assert behaviour.first_scale() == poisoned(behaviour, 1).first_scale()


@pytest.fixture(scope="module")
def rounds() -> Rounds[Preferences]:
    return go(made(60, 6, seed=4, taste=2.0), [structured(name) for name in METHODS])


def error(rounds: Rounds[Preferences], name: str, window: int = 5) -> float:
    return float(np.nanmean(rounds.all[name].future[:, window]))


def test_refinement_learns_tastes_that_a_median_cannot(rounds: Rounds[Preferences]) -> None:
    # Tastes were drawn to move answers by 2 stars either way: a persona that learns them gains far more than chance.
    assert error(rounds, "deeper") < error(rounds, "user-median") - 0.05
    assert error(rounds, "deeper") < error(rounds, "frozen") - 0.05
    assert error(rounds, "full-regeneration") < error(rounds, "user-median") - 0.05


def test_error_falls_as_windows_come(rounds: Rounds[Preferences]) -> None:
    assert error(rounds, "deeper", 5) < error(rounds, "deeper", 1)


def test_the_first_window_is_predicted_by_nobody(rounds: Rounds[Preferences]) -> None:
    for outcome in rounds.all.values():
        assert np.isnan(outcome.future[:, 0]).all()
        assert np.isfinite(outcome.future[:, 1:]).all()


@pytest.mark.parametrize("at_once", [1, 7])
def test_the_same_comes_again(at_once: int) -> None:
    behaviour = made(12, 4)
    a, b = (go(behaviour, [structured("deeper")], at_once=n) for n in (1, at_once))
    assert a.outcomes["deeper"].personas == b.outcomes["deeper"].personas
    assert np.array_equal(a.all["deeper"].future, b.all["deeper"].future, equal_nan=True)


@pytest.mark.parametrize("name", METHODS)
def test_empty_windows_and_early_ends_are_borne(name: str) -> None:
    behaviour = made(5, 4)
    streams = list(behaviour.streams)
    streams[0] = Stream("gap", (streams[0].windows[0], (), *streams[0].windows[2:]))
    streams[1] = Stream("short", streams[1].windows[:2])
    streams[2] = Stream("late", ((), *streams[2].windows[1:]))
    found = go(Behaviour(tuple(streams), "films"), [structured(name)], scale=FIVE).outcomes[name]
    assert math.isnan(found.future[0, 1])
    assert np.isnan(found.future[1, 2:]).all()
    assert np.isfinite(found.future[2, 1:]).all()
    assert len(found.personas) == 5


def test_an_unknown_method_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean deeper"):
        structured("deper")


def test_choices_are_learnt_through_the_same_port() -> None:
    rng = np.random.default_rng(2)
    streams = []
    for p in range(10):
        rows = []
        for _ in range(4):
            row = []
            for _ in range(10):
                options = (
                    ("a quiet garden", "a loud market") if rng.random() < 0.5 else ("a loud street", "a quiet room")
                )
                row.append(
                    Event("a walk", next(o for o in options if ("quiet" in o) == (p % 2 == 0)), "choice", options)
                )
            rows.append(tuple(row))
        streams.append(Stream(f"u{p}", tuple(rows)))
    for name in ("deeper", "full-regeneration", "incremental"):
        found = go(Behaviour(tuple(streams), "walks"), [structured(name)]).outcomes[name]
        assert np.nanmean(found.future[:, 1:]) < 0.05, name
