"""Populations, one function an arrow: specification -> plan with exact quotas -> people -> looked through -> weighed -> report -> told."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson

from deeppersona import study
from deeppersona.corpus.tables import WEIGHTS
from deeppersona.errors import UsageError, unknown
from deeppersona.evaluation.fidelity import (
    Expected,
    against_target,
    by_stratum,
    described_weights,
    joints,
    margin_rows,
    plain,
    quota_errors,
    table_of,
)
from deeppersona.evaluation.fidelity_page import write_report
from deeppersona.facts.tables import Facts, shipped_facts
from deeppersona.generation.anchors import parse_anchors
from deeppersona.generation.cells import ADULT_AGE
from deeppersona.generation.core import country_model, refuse_impossible
from deeppersona.population.allot import allot, dimensions_of, field_of, margin_of, settle
from deeppersona.population.counting import Counted
from deeppersona.population.dimension import Dimension
from deeppersona.population.expected import ExpectedTables, allotted_people, framed, summed
from deeppersona.population.frame import Frame
from deeppersona.population.margins import Margin, fit
from deeppersona.population.sift import Sifted, sift
from deeppersona.population.spec import Spec, canonical, parse_spec
from deeppersona.population.weights import Weighting, rake
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.executor import Over, Processes, cores, is_here, over_parts
from deeppersona.runtime.seed import Floats
from deeppersona.runtime.shard import Shard
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.condition import Clause
from deeppersona.schema.plan import Plan
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.read import SHIPPED
from deeppersona.version import __version__

if TYPE_CHECKING:  # what has to do with models is imported when one is asked for
    from deeppersona.population.narrate import Narrator

Progress = Callable[[str, int, int], None]
"""Told how far a stage is: its name, how many more are done, how many there are (0: not known)."""
_USUAL_N = 1000
_KEPT_UP_TO = (
    20_000  # people; with more, starting anew costs little beside the memory that makers hold while sketches pile up
)
_SEARCHED = 300_000  # cells of the joint of all soft targets up to which it is seen beforehand whether they go together
_COUNTRIES_TOLD = 40  # countries up to which the report counts by each
SPEC, NARRATOR = "spec.json", "narrator.json"


@dataclass(frozen=True)
class Meant:
    """A specification made definite: the plan, the dimensions to count by, the quotas and soft targets in people, the expected tables.

    ``expected`` gives the table of people over some dimensions, as quotas and figures have it.
    """

    spec: Spec
    plan: Plan
    counted: Counted
    quotas: tuple[Margin, ...]
    targets: tuple[Margin, ...]
    expected: Expected
    cells: int

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The categories of each dimension counted by."""
        return self.counted.dims


def size_of(spec: Spec) -> int:
    """How many people: as said, else as the largest quota in people adds up to, else a thousand."""
    if spec.n is not None:
        return spec.n
    sums = [
        sum(number for _, number in rows)
        for kind, rows in (m.rows() for m in spec.quota if not m.base)
        if kind == "people"
    ]
    return max(int(max(sums)), 1) if sums else _USUAL_N


def mean(spec: Spec, taxonomy: Taxonomy) -> Meant:
    """Make a specification definite. UsageError where its targets cannot be met together, with the smallest set that conflicts."""
    return _mean_students(spec, taxonomy) if spec.kind == "students" else _mean_people(spec, taxonomy)


def _mean_people(spec: Spec, taxonomy: Taxonomy) -> Meant:
    facts, n = shipped_facts(), size_of(spec)
    plan = _plan_of(spec, n, taxonomy)
    frame = Frame(facts, plan.countries, parse_anchors(plan.anchors, facts), ADULT_AGE if plan.adults_only else 0)
    for code in plan.countries if frame.anchors else ():
        refuse_impossible([country_model(facts, code)], frame.anchors, frame.youngest)
    allotted = allot(spec, n, frame)
    if allotted is not None:
        plan = plan.model_copy(update={"allocation": allotted.allocation})
    dims = _told_dimensions(spec, frame)
    counted = Counted({d: dim.categories for d, dim in dims.items()}, dims)
    expected = ExpectedTables(
        frame, dims, allotted_people(frame, allotted) if allotted is not None else framed(frame, n)
    )
    figures = ExpectedTables(frame, dims, frame.whole)
    targets = _soft_targets(spec, n, dims, expected, figures, facts)
    quotas, cells = (allotted.quotas, len(allotted.allocation.counts)) if allotted else ((), 0)
    return Meant(spec, plan, counted, quotas, targets, expected, cells)


def _plan_of(spec: Spec, n: int, taxonomy: Taxonomy) -> Plan:
    """The plan of a specification of people, but for its quotas."""
    where: dict[str, Any] = dict(spec.base.where)
    adults = spec.base.ages != "all"
    if spec.base.ages not in ("adults", "all"):
        if "age" in where:
            raise UsageError("base.ages and base.where both say which ages; leave one of them out")
        where["age"] = spec.base.ages
        clause = parse_anchors({"age": spec.base.ages}, shipped_facts()).get("age")
        adults = clause is not None and clause.low >= ADULT_AGE
    plan = study.make_plan(
        n, spec.base.country, seed=spec.seed, depth=spec.depth, focus=spec.base.focus, anchors=where, adults_only=adults,
        taxonomy=taxonomy,
    )  # fmt: skip
    return plan.model_copy(update={"even": spec.spread == "even", "checked": spec.check == "all"})


def _told_dimensions(spec: Spec, frame: Frame) -> dict[str, Dimension]:
    """The dimensions counted by: those of quotas, targets and the report, else the usual; and the country where there are a few."""
    soft = [m for m in spec.target if not m.of_base]
    wanted = [d for m in (*spec.quota, *soft) for d in m.over] + [*spec.report.on, *spec.report.strata]
    several = ["country"] if 1 < len(frame.countries) <= _COUNTRIES_TOLD else []
    return dimensions_of(spec, [*several, *(wanted or ["sex", "age", "education", "urban"])], frame)


def _soft_targets(
    spec: Spec, n: int, dims: Mapping[str, Dimension], expected: Expected, figures: Expected, facts: Facts
) -> tuple[Margin, ...]:
    """The soft targets in people. UsageError where no weights of the people expected could meet them together."""
    out = []
    for margin in spec.target:
        if not margin.of_base:
            over = tuple(dict.fromkeys(map(field_of, margin.over)))
            out.append(margin_of(margin, dims, n, figures(over), over, facts)[0])
    over = tuple(dict.fromkeys(d for m in out for d in m.dims))
    labels = {d: dims[d].categories for d in over}
    if out and math.prod(map(len, labels.values())) <= _SEARCHED:
        fit(expected(over), labels, [*out, Margin((), np.array(float(n)), "the size of the population")])
    return tuple(out)


def _mean_students(spec: Spec, taxonomy: Taxonomy) -> Meant:
    from deeppersona.population.students import Pupils, school_age_people, shipped_schema

    facts, n = shipped_facts(), size_of(spec)
    if spec.base.where or spec.base.focus or spec.target or spec.base.table or spec.dimensions:
        raise UsageError(
            "students have no where, focus, table, dimensions or soft targets; quotas are over grade, sex, cluster, level and country"
        )
    weights = study.countries(cast("study.Countries", spec.base.country)) or school_age_people(facts)
    pupils = Pupils(weights, facts)
    labels: dict[str, tuple[str, ...]] = {d: tuple(map(str, categories)) for d, categories in pupils.cells().items()}
    base = pupils.base_joint()
    if "country" in [field_of(d) for m in spec.quota for d in m.over]:
        share = np.array([weights[c.iso2] for c in pupils.homes.countries])
        labels = {"country": tuple(c.iso2 for c in pupils.homes.countries), **labels}
        base = np.multiply.outer(share / share.sum(), base)
    for d in map(field_of, (*spec.report.on, *spec.report.strata)):
        if d not in labels:
            raise unknown("dimension of students to report on:", d, labels)
    dims = {
        d: Dimension(d, {c: Clause(d, words=frozenset([c])) for c in cats}, {c: c for c in cats})
        for d, cats in labels.items()
    }
    settled = settle(spec, n, dims, base, facts) if spec.quota else None
    plan = Plan(
        n=n, countries=weights, seed=spec.seed, depth=spec.depth, adults_only=False, taxonomy=taxonomy.fingerprint,
        engine=__version__, kind="students", allocation=settled and settled.allocation, given=shipped_schema().fingerprint,
    )  # fmt: skip
    table = settled.counts.astype(np.float64) if settled else base / base.sum() * n

    def expected(over: tuple[str, ...]) -> Floats:
        return summed(table, tuple(labels), over)

    quotas, cells = (settled.quotas, len(settled.allocation.counts)) if settled else ((), 0)
    return Meant(spec, plan, Counted(labels, {}), quotas, (), expected, cells)


@dataclass(frozen=True)
class Populated:
    """What came of a population: people, slots left empty, its report (a shard has none), where it stands; why telling it stopped."""

    people: int
    failures: int
    report: dict[str, Any] | None
    out: Path
    stopped: str = ""


def populate(
    meant: Meant, out: Path, taxonomy: Taxonomy, *, taxonomy_folder: Path = SHIPPED, workers: int | None = None, repair: bool = False,
    over: Over = over_parts, shard: Shard | None = None, progress: Progress | None = None, narrator: Narrator | None = None,
) -> Populated:  # fmt: skip
    """Make the people of a specification into a run folder, or go on with it; look through them, weigh them, report.

    ``over`` is how parts are made, ``shard`` makes some parts alone (see ``study.run``); a ``narrator`` tells them anew when all else is
    done, and only in a whole run. Everything is a function of the specification: stopped at any moment, the same call comes to the
    same bytes.
    """
    _held_to(out, narrator)
    told = progress or (lambda stage, done, of: None)
    plan = meant.plan

    def made(done: int) -> None:
        told("making people", done, plan.n)

    with RunFolder(out).writing(plan):
        write_whole(out / SPEC, canonical(meant.spec))
    with Processes() as here:  # the same for making and for looking through
        people, _ = study.run(
            plan, out, taxonomy, taxonomy_folder=taxonomy_folder, workers=workers, repair=repair, over=here if is_here(over) else over,
            shard=shard, checked=True, progress=made,
        )  # fmt: skip
        if shard is not None:
            return Populated(people, _failures(RunFolder(out))[1], None, out)
        if plan.n > _KEPT_UP_TO:
            here.end()
        proven = look_through(
            meant, out, taxonomy_folder=taxonomy_folder, workers=workers, over=here, progress=progress
        )
    return (
        proven
        if narrator is None
        else _told(meant, proven, taxonomy, narrator, lambda n: told("telling them", n, plan.n))
    )


def _held_to(out: Path, narrator: Narrator | None) -> None:
    """UsageError where the people of a folder are told by another model than the one asked for, or by one and none is asked for."""
    if (out / NARRATOR).exists():
        from deeppersona.population.narrate import hold_to

        hold_to(RunFolder(out), narrator)


def _told(
    meant: Meant, proven: Populated, taxonomy: Taxonomy, narrator: Narrator, tick: Callable[[int], None]
) -> Populated:
    """Have a population told anew that is made and proven, and add to its report what came of it."""
    from deeppersona.population.narrate import narrate

    folder = RunFolder(proven.out)
    with folder.writing(meant.plan):
        telling = narrate(folder, meant.plan, taxonomy, narrator, tick)
        folder.finish()
        report = {**(proven.report or {}), "telling": telling.described(narrator)}
        write_report(proven.out, report)
    return replace(proven, report=report, stopped=telling.stopped)


def merged(shards: Sequence[Path], taxonomy: Taxonomy) -> Meant | None:
    """What the shards of a population were made for; None where they are of a run that has no specification.

    UsageError where their specifications differ, or are not of the plan they were made by.
    """
    files = [path / SPEC for path in shards]
    if not any(file.exists() for file in files):
        return None
    bodies = {file.read_bytes() if file.exists() else b"" for file in files}
    if len(bodies) > 1:
        raise UsageError(
            "the shards were made with different specifications; make them with one, report and checks included"
        )
    meant = mean(parse_spec(orjson.loads(bodies.pop()), str(files[0])), taxonomy)
    plan = RunFolder(shards[0]).plan()
    if meant.plan != plan:
        raise UsageError(
            f"{files[0]} is not what its plan was made from ({'; '.join(meant.plan.differences(plan))}); make the shards again, or pass their --taxonomy"
        )
    return meant


def finish_merged(meant: Meant, out: Path, **options: Any) -> Populated:
    """Look through a population that was put together from shards; ``options`` as of ``look_through``."""
    _held_to(out, None)
    with RunFolder(out).writing(meant.plan):
        write_whole(out / SPEC, canonical(meant.spec))
    return look_through(meant, out, **options)


def look_through(
    meant: Meant, out: Path, *, taxonomy_folder: Path = SHIPPED, workers: int | None = None, over: Over = over_parts,
    progress: Progress | None = None,
) -> Populated:  # fmt: skip
    """Look through a run that is made: doubles, counts, checks, weights, report; ``over`` processes of this machine."""
    told = progress or (lambda stage, done, of: None)
    plan, spec, folder = meant.plan, meant.spec, RunFolder(out)
    with folder.writing(plan):
        check = plan.n if spec.check == "all" else spec.check
        sifted = sift(
            folder, plan, meant.counted, workers=workers or cores(), mode=spec.duplicates,
            check=check, taxonomy_folder=taxonomy_folder, over=over, progress=lambda n: told("looking through them", n, plan.n),
        )  # fmt: skip
        people, _ = folder.finish()
        weighting = _weigh(meant, sifted)
        _write_weights(out, sifted, weighting)
        report = fidelity_report(meant, sifted, weighting, folder, lambda n: told("comparing with the targets", n, 0))
        write_report(out, report)
    return Populated(people, report["failures"], report, out)


def _weigh(meant: Meant, sifted: Sifted) -> Weighting | None:
    """Weights that bring the people to the soft targets, trimmed as the specification says; None where there is no target.

    What these people cannot meet, because a small sample has nobody there, is left out and told, not raised: all are made by now.
    """
    there = [_there(m, table_of(sifted.codes, meant.labels, m.dims), meant) for m in meant.targets]
    targets, gone = [m for m, _ in there], [words for _, missing in there for words in missing]
    for many in range(len(targets), 0, -1):
        try:
            weighting = rake(sifted.codes, meant.labels, targets[:many], bounds=meant.spec.weights.trim)
        except UsageError:
            gone.append(
                f"{targets[many - 1]}: it cannot be met together with the targets before it by the people there are"
            )
            continue
        return replace(weighting, missed=(*gone, *weighting.missed), converged=weighting.converged and not gone)
    n = len(sifted.ids)
    return Weighting(np.ones(n), 1.0, 0, False, missed=tuple(gone)) if targets and n else None


def _there(target: Margin, people: Floats, meant: Meant) -> tuple[Margin, list[str]]:
    """A target scaled to the people made and to the categories that anybody is in; and in words those that nobody is in."""
    want = np.asarray(target.target, dtype=float)
    gone = (people == 0) & (want > 0)
    words = [
        f"{', '.join(meant.labels[d][k] for d, k in zip(target.dims, at, strict=True))} (margin {target}): nobody is there for {want[tuple(at)]:,.6g}"
        for at in np.argwhere(gone).tolist()
    ]
    want = np.where(gone, np.nan if np.isnan(want).any() else 0.0, want)
    if not np.isnan(want).any():
        want *= people.sum() / max(want.sum(), 1e-300)
    else:
        want *= people.sum() / meant.plan.n
    return Margin(target.dims, want, str(target)), words


def _write_weights(out: Path, sifted: Sifted, weighting: Weighting | None) -> None:
    if weighting is None:
        (out / WEIGHTS).unlink(missing_ok=True)
        return
    rows = "".join(f"{i},{w:.6g}\n" for i, w in zip(sifted.ids, weighting.weights.tolist(), strict=True))
    write_whole(out / WEIGHTS, gzip.compress(("id,weight\n" + rows).encode(), mtime=0))


def fidelity_report(
    meant: Meant, sifted: Sifted, weighting: Weighting | None, folder: RunFolder, tick: Callable[[int], None]
) -> dict[str, Any]:
    """Everything that tells how true the population is to what was asked, as plain values."""
    labels, spec = dict(meant.labels), meant.spec
    errors = quota_errors(sifted.codes, labels, meant.quotas)
    tables = joints(sifted.codes, labels, meant.expected, spec.report.ways, tick)
    refilled, empty = _failures(folder)
    wrong = [i for i in sifted.issues if i.severity == "error"]
    counts = table_of(sifted.codes, labels, meant.quotas[0].dims) if meant.quotas else None
    report: dict[str, Any] = {
        "name": spec.name, "engine": __version__, "kind": spec.kind, "people": len(sifted.ids), "asked": meant.plan.n, "seed": meant.plan.seed,
        "plan": meant.plan.fingerprint, "quota_error": max((e["error"] for e in errors), default=0.0), "quotas": errors,
        "cells": {"asked for": meant.cells, "of the first quota filled": 0 if counts is None else int((counts > 0).sum())},
        "failures": empty, "refilled": refilled,
        "duplicates": {"mode": spec.duplicates, **sifted.duplicates}, "checked": sifted.checked, "violations": len(wrong),
        "violations by rule": dict(Counter(i.rule for i in wrong)),
        "joints": [plain(j) for j in tables],
        "margins": {d: margin_rows(sifted.codes, labels, meant.expected, d) for d in labels},
        "strata": {d: by_stratum(sifted.codes, labels, meant.expected, d) for d in map(field_of, spec.report.strata)},
    }  # fmt: skip
    if weighting is not None:
        report["weights"] = {
            **described_weights(weighting.weights), "converged": weighting.converged, "at_bound": weighting.at_bound,
            "missed": list(weighting.missed), "targets": [_target(sifted, labels, m, weighting) for m in meant.targets],
        }  # fmt: skip
    return report


def _target(
    sifted: Sifted, labels: Mapping[str, tuple[str, ...]], margin: Margin, weighting: Weighting
) -> dict[str, Any]:
    """How far the people are off a soft target, as they are and as they are weighted."""
    target = np.asarray(margin.target, dtype=np.float64)
    plain, weighted = (table_of(sifted.codes, labels, margin.dims, w) for w in (None, weighting.weights))
    tv, before = against_target(weighted, target), against_target(plain, target)
    return {"target": str(margin), "cells": int((~np.isnan(target)).sum()), "tv": tv, "tv_unweighted": before}


def _failures(folder: RunFolder) -> tuple[int, int]:
    """(slots filled at a further attempt, slots that stayed empty)."""
    lines = (folder.path / "failures.jsonl").read_bytes().splitlines()
    refilled = sum(bool(orjson.loads(line).get("refilled")) for line in lines)
    return refilled, len(lines) - refilled
