"""Populations, one function an arrow: specification -> plan with exact quotas -> people -> looked through -> weighed -> report."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from deeppersona import study
from deeppersona.errors import UsageError
from deeppersona.evaluation.fidelity import Expected, compare, described_weights, joints, quota_errors, table_of
from deeppersona.evaluation.fidelity_page import write_report
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.anchors import Anchors, parse_anchors
from deeppersona.generation.cells import ADULT_AGE, AGE
from deeppersona.generation.core import blocks_of, conditional_cells
from deeppersona.population.allot import Allotted, allot, dimensions_of, field_of, margin_of, own_table
from deeppersona.population.counting import Counted
from deeppersona.population.dimension import BLOCK_FIELDS, CELL_FIELDS, Dimension
from deeppersona.population.frame import Frame, with_clauses
from deeppersona.population.margins import Margin, fit
from deeppersona.population.rounding import controlled_rounding
from deeppersona.population.sift import Sifted, sift
from deeppersona.population.spec import Spec, canonical
from deeppersona.population.weights import Weighting, rake
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.executor import Over, cores, over_parts
from deeppersona.runtime.seed import Floats
from deeppersona.runtime.shard import Shard
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.condition import Clause
from deeppersona.schema.plan import Allocation, Plan, Writing
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.read import SHIPPED
from deeppersona.version import __version__

Progress = Callable[[str, int, int], None]
"""Told how far a stage is: its name, how many more are done, how many there are (0: not known)."""
_USUAL_N = 1000
_COUNTRIES_TOLD = 40  # countries up to which the report counts by each
SPEC = "spec.json"


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
    """How many people: as said, else as the first complete quota in people adds up to, else a thousand."""
    if spec.n is not None:
        return spec.n
    sums = [sum(number for _, number in rows) for kind, rows in (m.rows() for m in spec.quota if not m.base) if kind == "people"]
    return int(max(sums)) if sums else _USUAL_N


def mean(spec: Spec, taxonomy: Taxonomy, *, writing: Writing | None = None) -> Meant:
    """Make a specification definite. UsageError where its targets cannot be met together, with the smallest set that conflicts."""
    return _mean_students(spec, taxonomy) if spec.kind == "students" else _mean_people(spec, taxonomy, writing)


def _mean_people(spec: Spec, taxonomy: Taxonomy, writing: Writing | None) -> Meant:
    facts, n = shipped_facts(), size_of(spec)
    where: dict[str, Any] = dict(spec.base.where)
    adults = spec.base.ages != "all"
    if spec.base.ages not in ("adults", "all"):
        where["age"] = spec.base.ages
        clause = parse_anchors({"age": spec.base.ages}, facts).get("age")
        adults = clause is not None and clause.low >= ADULT_AGE
    plan = study.make_plan(
        n, spec.base.country, seed=spec.seed, depth=spec.depth, focus=spec.base.focus, anchors=where, adults_only=adults,
        taxonomy=taxonomy, writing=writing,
    )  # fmt: skip
    plan = plan.model_copy(update={"even": spec.spread == "even", "checked": spec.check == "all"})
    anchors = parse_anchors(plan.anchors, facts)
    frame = Frame(facts, plan.countries, anchors, ADULT_AGE if adults else 0)
    allotted = allot(spec, n, frame)
    if allotted is not None:
        plan = plan.model_copy(update={"allocation": allotted.allocation})
    own = own_table(spec)
    soft = [m for m in spec.target if m not in own]
    wanted = [field_of(d) for m in (*spec.quota, *soft) for d in m.over] + [field_of(d) for d in (*spec.report.on, *spec.report.strata)]
    usual = ["sex", "age", "education", "urban"] if not wanted else []
    several = ["country"] if 1 < len(plan.countries) <= _COUNTRIES_TOLD else []
    dims = dimensions_of(spec, [*several, *wanted, *usual], frame)
    counted = Counted({d: dim.categories for d, dim in dims.items()}, dims)
    people = _allotted_people(frame, allotted) if allotted is not None else _frame_people(frame, n)

    def expected(over: tuple[str, ...]) -> Floats:
        table = frame.joint([dims[d] for d in over if d != "country"], people)
        if "country" not in over:
            return np.asarray(table.sum(axis=0))
        order = [d for d in over if d != "country"]
        return np.asarray(_by_country(table, frame, dims["country"]).transpose([0 if d == "country" else 1 + order.index(d) for d in over]))

    targets = []
    for margin in soft:
        over = tuple(field_of(d) for d in margin.over)
        shares = frame.table([dims[d] for d in over if d != "country"])
        shares = _by_country(shares, frame, dims["country"]) if "country" in over else shares.sum(axis=0)
        order = tuple(dict.fromkeys([*(["country"] if "country" in over else []), *(d for d in over if d != "country")]))
        targets.append(margin_of(margin, dims, n, np.asarray(shares), order, facts)[0])
    return Meant(
        spec, plan, counted, allotted.quotas if allotted else (), tuple(targets), expected,
        int((allotted.counts > 0).sum()) if allotted else 0,
    )  # fmt: skip


def _by_country(table: Floats, frame: Frame, dim: Dimension) -> Floats:
    """A table by countries of the frame as one by the categories of a dimension of countries."""
    out = np.zeros((len(dim.categories), *table.shape[1:]))
    for c, code in enumerate(frame.countries):
        out[next(k for k, clause in enumerate(dim.clauses.values()) if clause.holds(code))] += table[c]
    return out


def _frame_people(frame: Frame, n: int) -> Callable[[str], Sequence[tuple[Anchors, Floats]]]:
    total = sum(frame.countries.values())

    def people(code: str) -> Sequence[tuple[Anchors, Floats]]:
        cells = conditional_cells(blocks_of(frame.facts, code), frame.anchors, frame.youngest)
        return [(frame.anchors, cells / max(cells.sum(), 1e-300) * frame.countries[code] / total * n)]

    return people


def _allotted_people(frame: Frame, allotted: Allotted) -> Callable[[str], Sequence[tuple[Anchors, Floats]]]:
    """People by country and cell as the counts of the quotas have them, by what else each cell of the quotas asks."""
    dims = {d: dim for d, dim in allotted.dims.items() if d != "country"}
    names = list(dims)
    drawn = [k for k, d in enumerate(names) if d in BLOCK_FIELDS]
    masked = [k for k, d in enumerate(names) if d in CELL_FIELDS]
    codes = list(allotted.dims["country"].categories)

    def people(code: str) -> Sequence[tuple[Anchors, Floats]]:
        counts = allotted.counts[codes.index(code)]
        by_conditions: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for place in zip(*np.nonzero(counts), strict=True):
            by_conditions.setdefault(tuple(int(place[k]) for k in drawn), []).append(tuple(int(p) for p in place))
        out = []
        for key, places in by_conditions.items():
            anchors = with_clauses(frame.anchors, [tuple(dims[names[k]].clauses.values())[c] for k, c in zip(drawn, key, strict=True)])
            if anchors is None:
                continue
            weight = conditional_cells(blocks_of(frame.facts, code), anchors, frame.youngest)
            whole = np.zeros(AGE.size)
            for place in places:
                part = weight.copy()
                for k in masked:
                    part *= dims[names[k]].masks[place[k]]
                whole += part / max(part.sum(), 1e-300) * counts[place]
            out.append((anchors, whole))
        return out

    return people


def _mean_students(spec: Spec, taxonomy: Taxonomy) -> Meant:
    from deeppersona.population.students import Pupils, school_age_people, shipped_schema

    facts, n = shipped_facts(), size_of(spec)
    if spec.base.where or spec.base.focus or spec.target or spec.base.table:
        raise UsageError("students have no where, focus, table or soft targets; quotas are over grade, sex, cluster, level and country")
    weights = study.countries(cast("study.Countries", spec.base.country))
    weights = weights or school_age_people(facts)
    pupils = Pupils(weights, facts)
    labels: dict[str, tuple[str, ...]] = {d: tuple(str(c) for c in categories) for d, categories in pupils.cells().items()}
    base = pupils.base_joint()
    named = [field_of(d) for m in spec.quota for d in m.over]
    with_country = "country" in named
    if with_country:
        share = np.array([weights[c.iso2] for c in pupils.homes.countries])
        labels = {"country": tuple(c.iso2 for c in pupils.homes.countries), **labels}
        base = share.reshape(-1, 1, 1, 1, 1) / share.sum() * base
    dims = {d: Dimension(d, {c: Clause(d, words=frozenset([c])) for c in categories}, {c: c for c in categories}) for d, categories in labels.items()}
    order = tuple(labels)
    made = [margin_of(m, dims, n, base, order, facts) for m in spec.quota]
    quotas = tuple(m for m, _ in made)
    allocation, table = None, base / base.sum() * n
    if quotas:
        table = fit(table, labels, [*quotas, Margin((), np.array(float(n)), "the size of the population")]).table
        counts = controlled_rounding(table, labels, [m for m, exact in made if exact], [m.dims for m, exact in made if not exact], seed=spec.seed).counts
        flat, table = counts.ravel(), counts.astype(float)
        some = np.flatnonzero(flat)
        allocation = Allocation(dims={d: {c: c for c in labels[d]} for d in order}, counts=tuple(zip(some.tolist(), flat[some].tolist(), strict=True)))
    plan = Plan(
        n=n, countries=weights, seed=spec.seed, depth=spec.depth, adults_only=False, taxonomy=taxonomy.fingerprint,
        engine=__version__, kind="students", allocation=allocation, given=shipped_schema().fingerprint,
    )  # fmt: skip

    def expected(over: tuple[str, ...]) -> Floats:
        summed = table.sum(axis=tuple(k for k, d in enumerate(order) if d not in over))
        kept = [d for d in order if d in over]
        return np.asarray(summed.transpose([kept.index(d) for d in over]))

    return Meant(spec, plan, Counted(labels, {}), quotas, (), expected, 0 if allocation is None else len(allocation.counts))


@dataclass(frozen=True)
class Populated:
    """What came of a population: people, failures, its report (a shard has none), and where it stands."""

    people: int
    failures: int
    report: dict[str, Any] | None
    out: Path


def populate(
    meant: Meant, out: Path, taxonomy: Taxonomy, *, taxonomy_folder: Path = SHIPPED, workers: int | None = None, repair: bool = False,
    over: Over = over_parts, shard: Shard | None = None, progress: Progress | None = None,
) -> Populated:  # fmt: skip
    """Make the people of a specification into a run folder, or go on with it; look through them, weigh them, report.

    ``over`` is how parts are made, ``shard`` makes some parts alone (see ``study.run``). Everything is a function of the specification: stopped at any moment, the same call comes to the same bytes.
    """
    told = progress or (lambda stage, done, of: None)
    plan = meant.plan

    def made(done: int) -> None:
        told("making people", done, plan.n)

    people, failures = study.run(
        plan, out, taxonomy, taxonomy_folder=taxonomy_folder, workers=workers, repair=repair, over=over, shard=shard, progress=made
    )
    write_whole(out / SPEC, canonical(meant.spec))
    if shard is not None:
        return Populated(people, failures, None, out)
    return look_through(meant, out, taxonomy, taxonomy_folder=taxonomy_folder, workers=workers, progress=progress)


def look_through(
    meant: Meant, out: Path, taxonomy: Taxonomy, *, taxonomy_folder: Path = SHIPPED, workers: int | None = None,
    progress: Progress | None = None,
) -> Populated:  # fmt: skip
    """Look through a run that is made: doubles, counts, checks, weights, report."""
    told = progress or (lambda stage, done, of: None)
    plan, spec, folder = meant.plan, meant.spec, RunFolder(out)
    with folder.writing(plan):
        maker = study.maker_for(plan, taxonomy)
        check = plan.n if spec.check == "all" and plan.kind == "people" else 0 if spec.check == "all" else spec.check
        sifted = sift(
            folder, plan, maker, meant.counted, workers=workers or cores(), mode=spec.duplicates, check=check,
            taxonomy_folder=taxonomy_folder, progress=lambda n: told("looking through them", n, plan.n),
        )  # fmt: skip
        folder.finish()
        people, failures = folder.counts()
        weighting = _weigh(meant, sifted)
        if weighting is not None:
            _write_weights(out, sifted, weighting)
        report = fidelity_report(meant, sifted, weighting, folder, lambda n: told("comparing with the targets", n, 0))
        write_report(out, report)
    return Populated(people, failures, report, out)


def _weigh(meant: Meant, sifted: Sifted) -> Weighting | None:
    """Weights that bring the people to the soft targets, trimmed as the specification says; None where there is no target."""
    if not meant.targets:
        return None
    scaled = [Margin(m.dims, np.asarray(m.target, dtype=float) / meant.plan.n * len(sifted.ids), m.name) for m in meant.targets]
    return rake(sifted.codes, meant.labels, scaled, bounds=meant.spec.weights.trim)


def _write_weights(out: Path, sifted: Sifted, weighting: Weighting) -> None:
    rows = "".join(f"{i},{w:.6g}\n" for i, w in zip(sifted.ids, weighting.weights.tolist(), strict=True))
    write_whole(out / "weights.csv.gz", gzip.compress(("id,weight\n" + rows).encode(), mtime=0))


def fidelity_report(meant: Meant, sifted: Sifted, weighting: Weighting | None, folder: RunFolder, tick: Callable[[int], None]) -> dict[str, Any]:
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
        "joints": [asdict(j) for j in tables],
        "margins": {d: _margin(sifted, labels, meant.expected, d) for d in labels},
        "strata": {d: _stratum(sifted, labels, meant.expected, d) for d in map(field_of, spec.report.strata)},
    }  # fmt: skip
    if weighting is not None:
        targets = [{"target": str(m), **asdict(compare(table_of(sifted.codes, labels, m.dims, weighting.weights), np.nan_to_num(np.asarray(m.target, dtype=float)), labels, m.dims))}
                   for m in meant.targets]  # fmt: skip
        report["weights"] = {**described_weights(weighting.weights), "converged": weighting.converged, "at_bound": weighting.at_bound, "missed": list(weighting.missed), "targets": targets}
    return report


def _failures(folder: RunFolder) -> tuple[int, int]:
    """(slots filled at a further attempt, slots that stayed empty)."""
    lines = (folder.path / "failures.jsonl").read_bytes().splitlines()
    refilled = sum(bool(orjson.loads(line).get("refilled")) for line in lines)
    return refilled, len(lines) - refilled


def _margin(sifted: Sifted, labels: Mapping[str, tuple[str, ...]], expected: Expected, dim: str) -> list[dict[str, Any]]:
    found, want = table_of(sifted.codes, labels, (dim,)), expected((dim,))
    n, total = max(found.sum(), 1.0), max(want.sum(), 1e-300)
    return [{"category": c, "people": int(f), "share": float(f / n), "expected": float(w / total)} for c, f, w in zip(labels[dim], found, want, strict=True)]


def _stratum(sifted: Sifted, labels: Mapping[str, tuple[str, ...]], expected: Expected, dim: str) -> dict[str, list[dict[str, Any]]]:
    """For each category of a dimension: how far its people are off on every other margin."""
    out: dict[str, list[dict[str, Any]]] = {}
    for other in labels:
        if other != dim:
            found, want = table_of(sifted.codes, labels, (dim, other)), expected((dim, other))
            for k, category in enumerate(labels[dim]):
                if found[k].sum() and want[k].sum():
                    out.setdefault(category, []).append(asdict(compare(found[k], want[k], labels, (other,))))
    return out
