"""Direction search: of several refinements of a persona the one that promises most, by three goals, and never a worse one.

The goals of DEEPER (arXiv 2502.11078), as falls of mean absolute error against the persona that would be replaced: on the
previous window (preservation), the current one (reflection), the next one (advancement). The next window is not known when
a direction is chosen. What is known is how the directions did so far: each candidate is tried on the window after it once
that has been answered, and a regression over these trials says how far the first two goals, and the direction itself, foretell
the third. The weights of the goals are so learnt from the past, and are nothing at first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deeppersona.refinement.behaviour import Scale, Window
from deeppersona.refinement.past import Prior
from deeppersona.refinement.preference import Preferences, mean_error
from deeppersona.refinement.words import in_words

KEEP = "keep"  # the direction that changes nothing
_RIDGE = 50.0  # trials that a goal's weight of 0 counts for
_AHEAD = 30.0  # trials that a direction's advancement of 0 counts for
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
    """A search of one person in one round: the persona replaced, the candidates, which one was taken."""

    person: int
    number: int
    replaced: Preferences
    candidates: list[Candidate]
    taken: str
    window: Window


class Experience:
    """How directions and goals foretold the next window, over all people and rounds tried so far."""

    def __init__(self, directions: Sequence[str]) -> None:
        self.directions = tuple(d for d in directions if d != KEEP)
        size = len(self.directions) + 2
        self._xx = np.diag([_AHEAD] * len(self.directions) + [_RIDGE * 0.05, _RIDGE * 0.05])  # a window's error varies by .05 squared
        self._xy = np.zeros(size)
        self._weights = np.zeros(size)
        self.trials = 0

    def _row(self, direction: str, goals: Goals) -> list[float]:
        return [*(float(d == direction) for d in self.directions), goals.previous, goals.current]

    def tried(self, choice: Choice, window: Window, prior: Prior, scale: Scale) -> None:
        """Try the candidates of a choice on the window after it, now that it is answered."""
        if not window:
            return
        before = mean_error(choice.replaced, window, prior, scale)
        for candidate in choice.candidates:
            fell = before - mean_error(candidate.persona, window, prior, scale)
            known = Goals(candidate.goals.previous, candidate.goals.current, fell)
            if candidate.direction != KEEP:
                row = np.array(self._row(candidate.direction, candidate.goals))
                self._xx += np.outer(row, row)
                self._xy += row * fell
                self.trials += 1
            candidate.goals = known

    def settle(self) -> None:
        """Learn from what was tried since, before the next choices."""
        self._weights = np.linalg.solve(self._xx, self._xy)

    def expected(self, direction: str, goals: Goals) -> float:
        """The fall of error on the next window that a candidate promises; 0 for keeping the persona."""
        if direction == KEEP:
            return 0.0
        return float(np.dot(self._row(direction, goals), self._weights))

    def told(self) -> dict[str, float]:
        """The weights learnt: what each direction promises by itself, and what a unit of each goal does."""
        return {name: round(float(w), 4) for name, w in zip((*self.directions, "previous", "current"), self._weights, strict=True)}


@dataclass
class Search:
    """Chooses among candidates and keeps the record. ``first`` is the direction taken while nothing is known."""

    experience: Experience
    first: str
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
        candidates = [Candidate(KEEP, replaced, Goals(0.0, 0.0))]
        for direction, persona in refinements.items():
            goals = Goals(
                old - mean_error(persona, before, prior, scale) if before else 0.0,
                now - mean_error(persona, window, prior, scale) if window else 0.0,
            )
            expected = self.experience.expected(direction, goals)
            candidates.append(Candidate(direction, persona, goals, expected, goals.current >= -_SAME))
        allowed = [c for c in candidates if c.passed]
        if self.experience.trials:
            best = max(allowed, key=lambda c: c.expected)
        else:
            best = next((c for c in allowed if c.direction == self.first), allowed[0])
        choice = Choice(person, number, replaced, candidates, best.direction, window)
        self.record.append(choice)
        return choice


def taken(choice: Choice) -> Candidate:
    """The candidate a choice took."""
    return next(c for c in choice.candidates if c.direction == choice.taken)


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
        yield {
            "prompt": _prompt(choice, scale, domain), "chosen": chosen, "rejected": rejected,
            "meta": {
                "person": choice.person, "round": choice.number, "taken": choice.taken,
                **{side: {"direction": c.direction, "previous": round(c.goals.previous, 4), "current": round(c.goals.current, 4),
                          "future": round(c.goals.future or 0.0, 4)} for side, c in (("chosen", best), ("rejected", worst))},
            },
        }  # fmt: skip


def _prompt(choice: Choice, scale: Scale, domain: str) -> str:
    done = "\n".join(f"- {' '.join(e.item.split())}: {e.value:g}" if isinstance(e.value, float) else f"- {' '.join(e.item.split())}: {e.value}" for e in choice.window)
    return (
        f"The persona of one person ({domain.replace('_', ' ')}, answers {scale.levels[0]:g} to {scale.levels[-1]:g}):\n"
        f"{in_words(choice.replaced, scale)}\n\nWhat the person did next:\n{done}\n\n"
        "Refine the persona so that it predicts what the person does after that."
    )
