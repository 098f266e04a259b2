"""A run of refinement on disk: a plan that is held to, refined personas, the log of every edit, pairs, figures and a page.

The structured form is quick and its rounds depend on nothing but the plan: a run that was killed is made again from the same
command, to the same bytes, and files are written whole or not at all. A run that is there already is read, not made again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from deeppersona.errors import StoreError, UsageError, unknown
from deeppersona.refinement.behaviour import Behaviour, Scale, read_behaviour
from deeppersona.refinement.features import plain
from deeppersona.refinement.figures import figures
from deeppersona.refinement.methods import METHODS, structured
from deeppersona.refinement.methods.deeper import Deeper
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.rounds import Outcome, Rounds, go
from deeppersona.refinement.search import pairs
from deeppersona.refinement.step import Context
from deeppersona.refinement.tree import Edit, edits_between, feature_of, leaves_of, render, replay, reverted, root
from deeppersona.runtime.disk import told, whole, write_whole
from deeppersona.schema.persona import Persona, Provenance, Trait
from deeppersona.version import __version__

PLAN, LOG, REPORT, PERSONAS = "refinement.json", "log.jsonl", "report.json", "personas/part-00000.jsonl"
BUDGET_TOKENS = 200


@dataclass(frozen=True)
class Wanted:
    """What is asked of a run. ``compare`` names methods whose figures stand beside; they cost as much again each."""

    behaviour: str
    method: str = "deeper"
    compare: tuple[str, ...] = ()
    scale: str | None = None
    window: int = 10
    at_least: int | None = None
    not_rated: float | None = 0.0
    domain: str | None = None
    use_items: bool = True
    seed: int = 0
    budget_tokens: int = BUDGET_TOKENS
    persona: str | None = None


@dataclass(frozen=True)
class Refined:
    """A run that was made: its figures, and how one person's persona went (for the page)."""

    out: Path
    report: dict[str, Any]
    story: dict[str, Any]


def refine(
    wanted: Wanted, out: Path, people: Sequence[Persona] | None = None, export_pairs: Path | None = None
) -> Refined:
    """Refine personas from a file of behaviour into ``out``.

    Args:
        wanted: what is asked.
        out: the run folder; one with another plan is refused, one with this plan is made again to the same bytes.
        people: personas that the preferences are put to: the one a stream names, else the one at its place. None: bare ones.
        export_pairs: where preference pairs for DPO are written; only ``deeper`` has any.

    Raises:
        UsageError: unknown method, a folder of another plan, personas that do not suffice, no pairs to export.

    """
    for name in (wanted.method, *wanted.compare):
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    if export_pairs is not None and wanted.method != "deeper":
        raise UsageError(f"--export-pairs needs the candidates of --method deeper; {wanted.method} has none")
    domain = plain(wanted.domain).replace(" ", "_") if wanted.domain else None
    behaviour = read_behaviour(
        Path(wanted.behaviour),
        window=wanted.window,
        at_least=wanted.at_least,
        not_rated=wanted.not_rated,
        domain=domain,
    )
    scale = Scale.of(wanted.scale) if wanted.scale else behaviour.first_scale()
    _hold_to(out, wanted, behaviour)
    owners = _owners(behaviour, people)
    steps = [structured(name) for name in dict.fromkeys((wanted.method, *wanted.compare))]
    log = _Log(behaviour, owners, lambda person: _why(steps[0], person))
    rounds = go(behaviour, steps, scale=scale, use_items=wanted.use_items, seen=log.seen)
    report = {"engine": __version__, "plan": asdict(wanted), **figures(rounds, behaviour, wanted.method, wanted.seed)}
    if isinstance(steps[0], Deeper):
        report["directions"] = _directions(steps[0])
    story = log.story(rounds, wanted.budget_tokens)
    _write(out, behaviour, owners, rounds, log, report, wanted)
    if export_pairs is not None and isinstance(steps[0], Deeper):
        found = pairs(steps[0].search.record, scale, behaviour.domain)
        write_whole(export_pairs, b"".join(orjson.dumps(p, option=orjson.OPT_APPEND_NEWLINE) for p in found))
    return Refined(out, report, story)


def _hold_to(out: Path, wanted: Wanted, behaviour: Behaviour) -> None:
    """Freeze the plan, or refuse a folder that has another."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder")
    plan = asdict(wanted) | {
        "engine": __version__,
        "domain": behaviour.domain,
        "behaviour_sha256": _digest(Path(wanted.behaviour)),
    }
    content = orjson.dumps(plan, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    there = out / PLAN
    if there.exists() and there.read_bytes() != content:
        raise UsageError(
            f"{out} holds a run of another plan (other options, behaviour or version); choose another --out"
        )
    if not there.exists() and out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} holds something that is no run of refine; choose another --out")
    with told("creating", out):
        (out / "personas").mkdir(parents=True, exist_ok=True)
    write_whole(there, content)


def _digest(path: Path) -> str:
    with told("reading", path), path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _owners(behaviour: Behaviour, people: Sequence[Persona] | None) -> list[Persona | None]:
    """The persona each stream belongs to."""
    if people is None:
        return [None] * len(behaviour.streams)
    by_id = {p.id: p for p in people}
    out: list[Persona | None] = []
    for place, stream in enumerate(behaviour.streams):
        if stream.persona is not None:
            if stream.persona not in by_id:
                raise unknown(f"persona of stream {stream.user}", stream.persona, by_id)
            out.append(by_id[stream.persona])
        elif place < len(people):
            out.append(people[place])
        else:
            raise UsageError(
                f"there are {len(behaviour.streams)} people in the behaviour and {len(people)} personas; make more, or use --persona none"
            )
    return out


def _why(step: Any, person: int) -> str:
    return step.latest(person) if isinstance(step, Deeper) else str(step.name)


class _Log:
    """Every edit, as the personas are refined."""

    def __init__(self, behaviour: Behaviour, owners: Sequence[Persona | None], why: Callable[[int], str]) -> None:
        self._behaviour, self._why = behaviour, why
        self.ids = [o.id if o else s.user for s, o in zip(behaviour.streams, owners, strict=True)]
        self.edits: list[list[Edit]] = [[] for _ in self.ids]

    def seen(self, person: int, context: Context, before: Preferences | None, after: Preferences) -> None:
        """Note what a round changed."""
        mine = self.edits[person]
        mine += edits_between(
            before, after, person=self.ids[person], domain=self._behaviour.domain, number=context.number, window=context.window,
            seq=len(mine), why=self._why(person) if before is not None else "begun",
        )  # fmt: skip

    def story(self, rounds: Rounds[Preferences], budget: int) -> dict[str, Any]:
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


def _directions(step: Deeper) -> dict[str, Any]:
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
    out: Path, behaviour: Behaviour, owners: Sequence[Persona | None], rounds: Rounds[Preferences], log: _Log, report: Mapping[str, Any],
    wanted: Wanted,
) -> None:  # fmt: skip
    main = rounds.outcomes[wanted.method]
    with whole(out / LOG) as handle:
        for mine in log.edits:
            handle.writelines(orjson.dumps(e.record(), option=orjson.OPT_APPEND_NEWLINE) for e in mine)
    lines = []
    for k, (who, preferences, owner) in enumerate(zip(log.ids, main.personas, owners, strict=True)):
        lines.append(
            orjson.dumps(
                record_of(who, preferences, owner, behaviour.domain, rounds.scale, wanted, k),
                option=orjson.OPT_APPEND_NEWLINE,
            )
        )
    write_whole(out / PERSONAS, b"".join(lines))
    write_whole(out / REPORT, orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")


def record_of(
    who: str, preferences: Preferences, owner: Persona | None, domain: str, scale: Scale, wanted: Wanted, slot: int
) -> dict[str, Any]:  # fmt: skip
    """The refined persona as a line of a run: what it was, with its preferences as traits that were learnt.

    A style's evidence has ``counts``, one a level; a taste's has ``shift`` in logits and ``n``, the answers it rests on. The
    system prompt ends with the preferences in words, within the budget of tokens.
    """
    leaves = leaves_of(preferences, domain)
    text = render(leaves, domain, scale, wanted.budget_tokens)
    traits = [_trait(path, value, scale, text) for path, value in leaves.items()]
    if owner is None:
        bare = Persona(
            id=who, kind="behaviour", traits=tuple(traits), narrative=text, system_prompt=_prompt("", domain, scale, text),
            provenance=Provenance(engine=__version__, taxonomy="none", seed=wanted.seed, slot=slot),
        )  # fmt: skip
        return bare.record()
    kept = tuple(t for t in owner.traits if not (t.path == root(domain) or t.path.startswith(root(domain) + ".")))
    parent = "sha256:" + hashlib.sha256(orjson.dumps(owner.record())).hexdigest()
    provenance = owner.provenance.model_copy(update={"parent": parent})
    prompt = _prompt(owner.system_prompt, domain, scale, text)
    return owner.model_copy(
        update={"traits": (*kept, *traits), "system_prompt": prompt, "provenance": provenance}
    ).record()


def _prompt(before: str, domain: str, scale: Scale, text: str) -> str:
    about = f"What you do tells this of you ({domain.replace('_', ' ')}; answers {scale.levels[0]:g} to {scale.levels[-1]:g}):"
    return "\n\n".join(part for part in (before, f"{about}\n{text}") if part)


def _trait(path: str, value: Sequence[float], scale: Scale, text: str) -> Trait:
    if path.endswith(".style"):
        evidence = {"counts": list(value), "levels": list(scale.levels)}
        return Trait(path=path, value=text.partition("\n")[0], source="learnt", evidence=evidence)
    shift, n = value
    return Trait(
        path=path,
        value=round(shift, 4),
        source="learnt",
        evidence={"feature": feature_of(path), "shift": shift, "n": n},
    )


def read_plan(out: Path) -> dict[str, Any]:
    """The plan of a run of refine. UsageError where the folder is none."""
    try:
        plan: dict[str, Any] = orjson.loads((out / PLAN).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{out} is no run of deeppersona refine: it has no {PLAN}") from None
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{out / PLAN} is damaged ({error}); refine again into another folder") from error
    if "method" not in plan or "behaviour" not in plan:
        raise UsageError(f"{out} is a run, but not of deeppersona refine")
    return plan


def scale_of(out: Path) -> tuple[str, Scale]:
    """The domain and the scale of a run."""
    plan = read_plan(out)
    with told("reading", out / REPORT):
        report = orjson.loads((out / REPORT).read_bytes())
    return str(plan["domain"]), Scale(tuple(report["scale"]))


def read_log(out: Path, person: str | None = None) -> dict[str, list[Edit]]:
    """The edits of a run, by person; of one person alone where named. UsageError names the nearest ids."""
    read_plan(out)
    found: dict[str, list[Edit]] = defaultdict(list)
    ids: dict[str, None] = {}
    with told("reading", out / LOG), (out / LOG).open("rb") as handle:
        for line in handle:
            row = orjson.loads(line)
            ids[row["person"]] = None
            if person is None or row["person"] == person:
                found[row["person"]].append(Edit.of(row))
    if person is not None and person not in ids:
        raise unknown("person", person, ids)
    return dict(found)


def revert(out: Path, person: str, to: int) -> list[Edit]:
    """Take one person back to what was known after round ``to``: edits at the end of the log, and the record made new."""
    plan = read_plan(out)
    everything = read_log(out)
    if person not in everything:
        raise unknown("person", person, everything)
    more = reverted(everything[person], to)
    everything[person] += more
    domain, scale = scale_of(out)
    lines = [
        _renewed(orjson.loads(line), person, everything[person], domain, scale, plan) for line in _record_lines(out)
    ]
    with whole(out / LOG) as handle:
        for mine in everything.values():
            handle.writelines(orjson.dumps(e.record(), option=orjson.OPT_APPEND_NEWLINE) for e in mine)
    write_whole(out / PERSONAS, b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return more


def _record_lines(out: Path) -> Iterable[bytes]:
    with told("reading", out / PERSONAS):
        return (out / PERSONAS).read_bytes().splitlines()


def _renewed(
    record: dict[str, Any], person: str, edits: Sequence[Edit], domain: str, scale: Scale, plan: Mapping[str, Any]
) -> dict[str, Any]:
    if record["id"] != person:
        return record
    leaves = replay(edits)
    text = render(leaves, domain, scale, int(plan["budget_tokens"]))
    above = root(domain) + "."
    kept = [t for t in record["traits"] if not t["path"].startswith(above)]
    new = [
        _trait(path, value, scale, text).model_dump(mode="json", exclude_none=True) for path, value in leaves.items()
    ]
    before = _prompt("", domain, scale, "").rstrip()
    prompt = record["system_prompt"].partition(before)[0].rstrip()
    return (
        record
        | {"traits": kept + new, "system_prompt": _prompt(prompt, domain, scale, text)}
        | ({"narrative": text} if record["kind"] == "behaviour" else {})
    )
