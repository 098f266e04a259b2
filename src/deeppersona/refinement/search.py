"""Direction search: of several refinements of a persona the one that promises most, by three goals, and never a worse one.

The goals of DEEPER (arXiv 2502.11078), as falls of mean absolute error against the persona that would be replaced: on the
previous window (preservation), the current one (reflection), the next one (advancement). The next window is not known when
a direction is chosen. What is known is how the directions did so far: each candidate is tried on the window after it once
that has been answered, and a regression over these trials says how far the first two goals, the direction, and the direction's
record with this very person foretell the third. The weights of the goals are so learnt from the past, and are nothing at first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from deeppersona.refinement.behaviour import Answer, Scale, Window
from deeppersona.runtime.seed import Floats

P = TypeVar("P")

KEEP = "keep"  # the direction that changes nothing
_GOALS = ("record", "previous", "current")
_HELD = 20.0  # weight of "a goal foretells nothing", in squared errors: some 1,000 trials of windows that vary by 0.15
_HELD_DIRECTION = 30.0  # trials that "a direction promises nothing" counts for
_RECORD = 4.0  # windows for which a person's record of 0 counts
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Goals:
    """Falls of error, positive where the candidate is better; ``future`` is None until the next window is answered."""

    previous: float
    current: float
    future: float | None = None

    def reward(self) -> float:
        """The sum of the goals that are known, as the paper rewards a direction."""
        return self.previous + self.current + (self.future or 0.0)


@dataclass(slots=True)
class Candidate(Generic[P]):
    """A refinement: its direction, the persona it leads to, what it scores, what is expected of it, whether the guard let it pass."""

    direction: str
    persona: P
    goals: Goals
    expected: float = 0.0
    passed: bool = True


@dataclass(slots=True)
class Choice(Generic[P]):
    """A search for one person in one round: the persona replaced, the candidates, which one was taken, what was foretold."""

    person: int
    number: int
    replaced: P
    candidates: list[Candidate[P]]
    taken: str
    window: Window
    given: Sequence[Answer] = ()

    def of(self, direction: str) -> Candidate[P]:
        """The candidate of a direction."""
        return next(c for c in self.candidates if c.direction == direction)


class Experience:
    """How directions and goals foretold the next window, over all people and rounds tried so far.

    All is measured against the first direction, whose promise is 0. A person's record with a direction is the sum of what it
    gained for them on windows so far over their number and ``_RECORD``: held towards 0 while windows are few.
    """

    def __init__(self, directions: Sequence[str]) -> None:
        self.first, *rest = directions
        self.others = tuple(rest)
        held = [_HELD_DIRECTION] * len(self.others) + [_HELD] * len(_GOALS)
        self._xx: Floats = np.diag(held)
        self._xy: Floats = np.zeros(len(held))
        self._weights: Floats = np.zeros(len(held))
        self._doubt: Floats = np.zeros((len(held), len(held)))
        self._squares = 0.0
        self._gained: dict[tuple[int, str], tuple[float, int]] = {}
        self._new: list[tuple[Choice[Any], Mapping[str, float]]] = []
        self.trials = 0

    def _row(self, choice: Choice[Any], direction: str) -> list[float]:
        mine, first = choice.of(direction).goals, choice.of(self.first).goals
        gained, windows = self._gained.get((choice.person, direction), (0.0, 0))
        record = gained / (windows + _RECORD)
        return [
            *(float(d == direction) for d in self.others),
            record,
            mine.previous - first.previous,
            mine.current - first.current,
        ]

    def tried(self, choice: Choice[Any], fell: Mapping[str, float]) -> None:
        """Note what the candidates of a choice were worth on the window after it: falls of error, by direction."""
        for candidate in choice.candidates:
            candidate.goals = Goals(candidate.goals.previous, candidate.goals.current, fell[candidate.direction])
        self._new.append((choice, fell))

    def settle(self) -> None:
        """Learn from what was tried since, before the next choices; in whatever order people were tried, the same."""
        for choice, fell in sorted(self._new, key=lambda new: new[0].person):
            self._learn(choice, fell)
        self._new.clear()
        inverse = np.linalg.inv(self._xx)
        self._weights = np.asarray(inverse @ self._xy)
        self._doubt = np.asarray(inverse * (self._squares / max(self.trials, 1)))

    def _learn(self, choice: Choice[Any], fell: Mapping[str, float]) -> None:
        for direction in self.others:
            if direction not in fell or self.first not in fell:
                continue  # a model did not write it
            row, gain = np.array(self._row(choice, direction)), fell[direction] - fell[self.first]
            self._xx += np.outer(row, row)
            self._xy += row * gain
            self._squares += gain * gain
            gained, windows = self._gained.get((choice.person, direction), (0.0, 0))
            self._gained[choice.person, direction] = (gained + gain, windows + 1)
            self.trials += 1

    def expected(self, choice: Choice[Any], direction: str) -> float:
        """How much less error than the first direction a candidate promises on the next window, less a standard error.

        A direction is changed for when its promise is larger than its uncertainty; while nothing was tried, it is not.
        """
        if direction == self.first or all(c.direction != self.first for c in choice.candidates):
            return 0.0
        row = np.array(self._row(choice, direction))
        return float(row @ self._weights - math.sqrt(row @ self._doubt @ row)) if self.trials else -1.0

    def told(self) -> dict[str, float]:
        """The weights learnt: what each direction promises by itself, and what a unit of each goal does."""
        return {name: round(float(w), 4) for name, w in zip((*self.others, *_GOALS), self._weights, strict=True)}


@dataclass
class Search(Generic[P]):
    """Chooses among candidates and keeps the record."""

    experience: Experience
    record: list[Choice[P]] = field(default_factory=list)

    def choose(
        self, person: int, number: int, replaced: P, scored: Mapping[str, tuple[P, Goals]], window: Window,
        given: Sequence[Answer] = (),
    ) -> Choice[P]:  # fmt: skip
        """Take the best of the refinements that is not worse on the guard window; else the persona stays (rollback).

        The guard is the window just answered: the replaced persona had not seen it, the candidates have. One that does
        worse on it nevertheless was led astray.

        Args:
            person: whose persona it is, by place.
            number: the round.
            replaced: the persona there is.
            scored: by direction, where it leads and how it scores by the first two goals.
            window: the window just answered.
            given: what the replaced persona foretold of it, where that is to be told to whoever is trained on the record.

        """
        choice = Choice(person, number, replaced, [Candidate(KEEP, replaced, Goals(0.0, 0.0))], KEEP, window, given)
        for direction, (persona, goals) in scored.items():
            choice.candidates.append(Candidate(direction, persona, goals, 0.0, goals.current >= -_SAME))
        best = None
        for candidate in choice.candidates[1:]:
            candidate.expected = self.experience.expected(choice, candidate.direction)
            if candidate.passed and (best is None or candidate.expected > best.expected):
                best = candidate
        choice.taken = best.direction if best else KEEP
        self.record.append(choice)
        return choice


class Searching(Generic[P]):
    """What every step with direction search has in common: the search, and what it chose last for whom."""

    def __init__(self, directions: Sequence[str]) -> None:
        self.search: Search[P] = Search(Experience(directions))
        self.chosen: dict[int, Choice[P]] = {}
        self._settled = 0

    def latest(self, person: int) -> str:
        """The direction taken last for a person; ``begun`` before there was one."""
        return self.chosen[person].taken if person in self.chosen else "begun"

    def settle(self, number: int) -> None:
        """Before the first choice of a round: learn from what was tried."""
        if number != self._settled:
            self.search.experience.settle()
            self._settled = number

    def pairs(self, scale: Scale, domain: str) -> Iterator[dict[str, Any]]:
        """Preference pairs for training by DPO, of all searches so far."""
        raise NotImplementedError


def pairs(
    record: Iterable[Choice[P]], say: Callable[[P], str], prompt: Callable[[Choice[P]], str], margin: float = 0.05
) -> Iterator[dict[str, Any]]:
    """Preference pairs for training by DPO (Rafailov et al. 2023): ``prompt``, ``chosen``, ``rejected``, as trainers read them.

    For each search whose next window was answered, in the order of rounds and people, the candidate of the highest reward
    (the sum of the three goals) against the one of the lowest, where they differ by ``margin`` and in words. ``say`` puts a
    persona in words, ``prompt`` what was asked. ``meta`` says where the pair comes from.
    """
    for choice in sorted(record, key=lambda c: (c.number, c.person)):
        known = [c for c in choice.candidates if c.goals.future is not None]
        if len(known) < 2:
            continue
        best, worst = max(known, key=lambda c: c.goals.reward()), min(known, key=lambda c: c.goals.reward())
        chosen, rejected = say(best.persona), say(worst.persona)
        if best.goals.reward() - worst.goals.reward() < margin or chosen == rejected:
            continue
        sides = {"chosen": _scored(best), "rejected": _scored(worst)}
        meta = {"person": choice.person, "round": choice.number, "taken": choice.taken, **sides}
        yield {"prompt": prompt(choice), "chosen": chosen, "rejected": rejected, "meta": meta}


def _scored(candidate: Candidate[Any]) -> dict[str, Any]:
    goals = candidate.goals
    scores = {"previous": goals.previous, "current": goals.current, "future": goals.future or 0.0}
    return {"direction": candidate.direction, **{name: round(x, 4) for name, x in scores.items()}}
