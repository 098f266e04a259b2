"""Direction search: of several refinements of a persona the one that promises most, by three goals, and never a worse one.

The goals of DEEPER (arXiv 2502.11078), as falls of mean absolute error against the persona that would be replaced: on the
previous window (preservation), the current one (reflection), the next one (advancement). The next window is not known when
a direction is chosen. What is known is how the directions did so far: each candidate is tried on the window after it once
that has been answered, and a regression over these trials says how far the first two goals, the direction, and the direction's
record with this very person foretell the third. The weights of the goals are so learnt from the past, and are nothing at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deeppersona.refinement.behaviour import Scale, Window
from deeppersona.refinement.past import Prior
from deeppersona.refinement.preference import Preferences, mean_error
from deeppersona.refinement.words import in_words
from deeppersona.runtime.seed import Floats

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
class Candidate:
    """A refinement: its direction, the persona it leads to, what it scores, what is expected of it, whether the guard let it pass."""

    direction: str
    persona: Preferences
    goals: Goals
    expected: float = 0.0
    passed: bool = True


@dataclass(slots=True)
class Choice:
    """A search for one person in one round: the persona replaced, the candidates, which one was taken."""

    person: int
    number: int
    replaced: Preferences
    candidates: list[Candidate]
    taken: str
    window: Window

    def of(self, direction: str) -> Candidate:
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
        self.trials = 0

    def _row(self, choice: Choice, direction: str) -> list[float]:
        mine, first = choice.of(direction).goals, choice.of(self.first).goals
        gained, windows = self._gained.get((choice.person, direction), (0.0, 0))
        record = gained / (windows + _RECORD)
        return [
            *(float(d == direction) for d in self.others),
            record,
            mine.previous - first.previous,
            mine.current - first.current,
        ]

    def tried(self, choice: Choice, window: Window, prior: Prior, scale: Scale) -> None:
        """Try the candidates of a choice on the window after it, now that it is answered."""
        if not window:
            return
        before = mean_error(choice.replaced, window, prior, scale)
        fell = {c.direction: before - mean_error(c.persona, window, prior, scale) for c in choice.candidates}
        for direction in self.others:
            row, gain = np.array(self._row(choice, direction)), fell[direction] - fell[self.first]
            self._xx += np.outer(row, row)
            self._xy += row * gain
            self._squares += gain * gain
            gained, windows = self._gained.get((choice.person, direction), (0.0, 0))
            self._gained[choice.person, direction] = (gained + gain, windows + 1)
            self.trials += 1
        for candidate in choice.candidates:
            candidate.goals = Goals(candidate.goals.previous, candidate.goals.current, fell[candidate.direction])

    def settle(self) -> None:
        """Learn from what was tried since, before the next choices."""
        inverse = np.linalg.inv(self._xx)
        self._weights = np.asarray(inverse @ self._xy)
        self._doubt = np.asarray(inverse * (self._squares / max(self.trials, 1)))

    def expected(self, choice: Choice, direction: str) -> float:
        """How much less error than the first direction a candidate promises on the next window, less a standard error.

        A direction is changed for when its promise is larger than its uncertainty; while nothing was tried, it is not.
        """
        if direction == self.first:
            return 0.0
        row = np.array(self._row(choice, direction))
        return float(row @ self._weights - math.sqrt(row @ self._doubt @ row)) if self.trials else -1.0

    def told(self) -> dict[str, float]:
        """The weights learnt: what each direction promises by itself, and what a unit of each goal does."""
        return {name: round(float(w), 4) for name, w in zip((*self.others, *_GOALS), self._weights, strict=True)}


@dataclass
class Search:
    """Chooses among candidates and keeps the record."""

    experience: Experience
    record: list[Choice] = field(default_factory=list)

    def choose(
        self, person: int, number: int, replaced: Preferences, refinements: Mapping[str, Preferences], before: Window, window: Window,
        prior: Prior, scale: Scale,
    ) -> Choice:  # fmt: skip
        """Score the refinements and take the best that is not worse on the guard window; else the persona stays (rollback).

        The guard is the window just answered: the replaced persona had not seen it, the candidates have. One that does
        worse on it nevertheless was led astray.
        """
        old = mean_error(replaced, before, prior, scale) if before else 0.0
        now = mean_error(replaced, window, prior, scale) if window else 0.0
        choice = Choice(person, number, replaced, [Candidate(KEEP, replaced, Goals(0.0, 0.0))], KEEP, window)
        for direction, persona in refinements.items():
            goals = Goals(
                old - mean_error(persona, before, prior, scale) if before else 0.0,
                now - mean_error(persona, window, prior, scale) if window else 0.0,
            )
            choice.candidates.append(Candidate(direction, persona, goals, 0.0, goals.current >= -_SAME))
        best = None
        for candidate in choice.candidates[1:]:
            candidate.expected = self.experience.expected(choice, candidate.direction)
            if candidate.passed and (best is None or candidate.expected > best.expected):
                best = candidate
        choice.taken = best.direction if best else KEEP
        self.record.append(choice)
        return choice


def pairs(record: Sequence[Choice], scale: Scale, domain: str, margin: float = 0.05) -> Iterator[dict[str, Any]]:
    """Preference pairs for training by DPO (Rafailov et al. 2023): ``prompt``, ``chosen``, ``rejected``, as trainers read them.

    For each search whose next window was answered, the candidate of the highest reward (the sum of the three goals) against
    the one of the lowest, where they differ by ``margin`` and in words. ``meta`` says where the pair comes from.
    """
    for choice in record:
        known = [c for c in choice.candidates if c.goals.future is not None]
        if len(known) < 2:
            continue
        best, worst = max(known, key=lambda c: c.goals.reward()), min(known, key=lambda c: c.goals.reward())
        chosen, rejected = in_words(best.persona, scale), in_words(worst.persona, scale)
        if best.goals.reward() - worst.goals.reward() < margin or chosen == rejected:
            continue
        sides = {"chosen": _scored(best), "rejected": _scored(worst)}
        meta = {"person": choice.person, "round": choice.number, "taken": choice.taken, **sides}
        yield {"prompt": _prompt(choice, scale, domain), "chosen": chosen, "rejected": rejected, "meta": meta}


def _scored(candidate: Candidate) -> dict[str, Any]:
    goals = candidate.goals
    scores = {"previous": goals.previous, "current": goals.current, "future": goals.future or 0.0}
    return {"direction": candidate.direction, **{name: round(x, 4) for name, x in scores.items()}}


def _prompt(choice: Choice, scale: Scale, domain: str) -> str:
    done = "\n".join(
        f"- {' '.join(e.item.split())}: {f'{e.value:g}' if isinstance(e.value, float) else e.value}"
        for e in choice.window
    )
    return (
        f"The persona of one person ({domain.replace('_', ' ')}, answers {scale.levels[0]:g} to {scale.levels[-1]:g}):\n"
        f"{in_words(choice.replaced, scale)}\n\nWhat the person did next:\n{done}\n\n"
        "Refine the persona so that it predicts what the person does after that."
    )
