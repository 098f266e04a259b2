"""A run of refinement: a plan that is held to, refined personas, the log of every edit, pairs, figures and a page.

The structured form is quick and its rounds depend on nothing but the plan: a run that was killed is made again from the same
command, to the same bytes, and files are written whole or not at all. What a model writes is kept in the run's journal
(``written_run``). A run that is there already is read, not made again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from deeppersona.errors import UsageError, unknown
from deeppersona.refinement.behaviour import Behaviour, Scale, read_behaviour
from deeppersona.refinement.features import plain
from deeppersona.refinement.figures import figures
from deeppersona.refinement.folder import LOG, PERSONAS, REPORT, Wanted, hold_to, owners_of, record_of
from deeppersona.refinement.methods import METHODS, structured
from deeppersona.refinement.rounds import Outcome, Rounds, go
from deeppersona.refinement.search import Searching
from deeppersona.refinement.step import Context, Step
from deeppersona.refinement.tree import Edit, Kept, edits_between, render, replay
from deeppersona.runtime.disk import whole, write_whole
from deeppersona.runtime.seed import Dice
from deeppersona.schema.persona import Persona
from deeppersona.version import __version__


@dataclass(frozen=True)
class Refined:
    """A run that was made: its figures, how one person's persona went (for the page), and what a model cost."""

    out: Path
    report: dict[str, Any]
    story: dict[str, Any]
    paid: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ready:
    """What a run begins with: the people it refines, all that are known, the answers there are, whose personas they are."""

    behaviour: Behaviour
    everybody: Behaviour
    places: tuple[int, ...]
    scale: Scale
    owners: list[Persona | None]


def refine(
    wanted: Wanted, out: Path, people: Sequence[Persona] | None = None, export_pairs: Path | None = None
) -> Refined:
    """Refine personas from a file of behaviour into ``out``, in the structured form.

    Args:
        wanted: what is asked.
        out: the run folder; one with another plan is refused, one with this plan is made again to the same bytes.
        people: personas that the preferences are put to: the one a stream names, else the one at its place. None: bare ones.
        export_pairs: where preference pairs for DPO are written; only ``deeper`` has any.

    Raises:
        UsageError: unknown method, a folder of another plan, personas that do not suffice, no pairs to export.

    """
    ready = begin(wanted, out, people, export_pairs)
    steps = [structured(name) for name in dict.fromkeys((wanted.method, *wanted.compare))]
    log = Log(ready, steps[0])
    rounds = go(ready.behaviour, steps, scale=ready.scale, use_items=wanted.use_items, seen=log.seen)
    return end(wanted, out, ready, rounds, steps[0], log, export_pairs)


def begin(
    wanted: Wanted, out: Path, people: Sequence[Persona] | None = None, export_pairs: Path | None = None
) -> Ready:
    """Read the behaviour, choose the people and freeze the plan; what cannot be is said here. See ``refine``."""
    for name in (wanted.method, *wanted.compare):
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    if export_pairs is not None and wanted.method != "deeper":
        raise UsageError(f"--export-pairs needs the candidates of --method deeper; {wanted.method} has none")
    everybody = read_behaviour(
        Path(wanted.behaviour), window=wanted.window, at_least=wanted.at_least, not_rated=wanted.not_rated,
        domain=plain(wanted.domain).replace(" ", "_") if wanted.domain else None,
    )  # fmt: skip
    if wanted.windows is not None:
        if wanted.windows < 2:
            raise UsageError("--windows takes 2 or more: one to begin with and one to be predicted")
        everybody = replace(
            everybody, streams=tuple(replace(s, windows=s.windows[: wanted.windows]) for s in everybody.streams)
        )
    scale = Scale.of(wanted.scale) if wanted.scale else everybody.first_scale()
    places = drawn(len(everybody.streams), wanted.users, wanted.seed)
    behaviour = replace(everybody, streams=tuple(everybody.streams[k] for k in places))
    hold_to(out, wanted, behaviour)
    return Ready(behaviour, everybody, places, scale, owners_of(behaviour, people))


def drawn(people: int, users: int | None, seed: int) -> tuple[int, ...]:
    """The places of so many people, drawn by a seed, in their order; all of them where None is asked."""
    if users is None or users >= people:
        return tuple(range(people))
    lots = Dice(seed, np.arange(people)).uniform("users")
    return tuple(sorted(np.argsort(lots, kind="stable")[:users].tolist()))


def end(
    wanted: Wanted, out: Path, ready: Ready, rounds: Rounds[Any], step: Step[Any], log: Log, export_pairs: Path | None,
    more: Mapping[str, Any] | None = None,
) -> Refined:  # fmt: skip
    """Write all that came of the rounds into the folder; ``more`` goes into the report."""
    report = {
        "engine": __version__,
        "plan": asdict(wanted),
        **figures(rounds, ready.behaviour, wanted.method, wanted.seed),
    }
    if isinstance(step, Searching):
        report["directions"] = _directions(step)
    report |= more or {}
    story = log.story(rounds, wanted.budget_tokens)
    _write(out, ready, rounds, log, report, wanted)
    if export_pairs is not None and isinstance(step, Searching):
        found = step.pairs(ready.scale, ready.behaviour.domain)
        write_whole(export_pairs, b"".join(orjson.dumps(p, option=orjson.OPT_APPEND_NEWLINE) for p in found))
    return Refined(out, report, story)


class Log:
    """Every edit, as the personas are refined."""

    def __init__(self, ready: Ready, step: Step[Any]) -> None:
        self._behaviour, self._step = ready.behaviour, step
        self.ids = [o.id if o else s.user for s, o in zip(ready.behaviour.streams, ready.owners, strict=True)]
        self.edits: list[list[Edit]] = [[] for _ in self.ids]

    def seen(self, person: int, context: Context, before: Kept | None, after: Kept) -> None:
        """Note what a round changed."""
        mine = self.edits[person]
        mine += edits_between(
            before, after, person=self.ids[person], domain=self._behaviour.domain, number=context.number, window=context.window,
            seq=len(mine), why=self._why(person) if before is not None else "begun",
        )  # fmt: skip

    def _why(self, person: int) -> str:
        return self._step.latest(person) if isinstance(self._step, Searching) else self._step.name

    def story(self, rounds: Rounds[Any], budget: int) -> dict[str, Any]:
        """How the persona went whose error fell most as near the middle as can be: for the page."""
        main = next(iter(rounds.outcomes.values()))
        person = typical(main)
        mine, domain = self.edits[person], self._behaviour.domain
        steps = []
        for t in range(len(self._behaviour.streams[person].windows)):
            ops: dict[str, int] = defaultdict(int)
            for e in mine:
                ops[e.op] += e.round == t
            text = render(replay(mine, t), domain, rounds.scale, min(budget, 90))
            own, median = main.future[person, t], rounds.yardsticks["user-median"].future[person, t]
            why = next((e.why for e in mine if e.round == t), "")
            steps.append({"round": t, "text": text, "edits": dict(ops), "why": why,
                          "error": None if own != own else round(float(own), 3), "user median": None if median != median else round(float(median), 3)})  # fmt: skip
        return {"person": self.ids[person], "rounds": steps}


def typical(outcome: Outcome[Any]) -> int:
    """The person whose mean error is the median one: neither the best nor the worst to show."""
    known = np.isfinite(outcome.future)
    means = np.where(known.any(axis=1), np.nansum(outcome.future, axis=1) / np.maximum(known.sum(axis=1), 1), np.inf)
    return int(np.argsort(means, kind="stable")[int((np.isfinite(means).sum() - 1) // 2)])


def _directions(step: Searching[Any]) -> dict[str, Any]:
    taken: dict[str, int] = defaultdict(int)
    refused = 0
    for choice in step.search.record:
        taken[choice.taken] += 1
        refused += sum(not c.passed for c in choice.candidates)
    return {
        "taken": dict(sorted(taken.items())),
        "refused by the guard": refused,
        "weights": step.search.experience.told(),
    }


def _write(
    out: Path, ready: Ready, rounds: Rounds[Any], log: Log, report: Mapping[str, Any], wanted: Wanted
) -> None:  # fmt: skip
    main = rounds.outcomes[wanted.method]
    with whole(out / LOG) as handle:
        for mine in log.edits:
            handle.writelines(orjson.dumps(e.record(), option=orjson.OPT_APPEND_NEWLINE) for e in mine)
    lines = [
        orjson.dumps(
            record_of(who, kept, owner, ready.behaviour.domain, rounds.scale, wanted, k),
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for k, (who, kept, owner) in enumerate(zip(log.ids, main.personas, ready.owners, strict=True))
    ]
    write_whole(out / PERSONAS, b"".join(lines))
    write_whole(out / REPORT, orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
