"""The straight line, one function an arrow: plan -> people -> run folder -> population."""

from __future__ import annotations

import csv
import gzip
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from deeppersona.corpus.shallow import Shallow
from deeppersona.corpus.tables import WEIGHTS
from deeppersona.errors import Stopped, UsageError
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.anchors import parse_anchors
from deeppersona.generation.cells import ADULT_AGE
from deeppersona.generation.core import world_weights
from deeppersona.generation.engine import Engine, Record
from deeppersona.generation.enrich import deepen
from deeppersona.population.allot import engine_of
from deeppersona.population.maker import Maker, filled, maker_elsewhere, maker_of
from deeppersona.runtime.executor import Over, cores, is_here, over_parts, without_gc
from deeppersona.runtime.parts import Storage, packed
from deeppersona.runtime.shard import Shard, hold_to, parts_of
from deeppersona.runtime.store import RunFolder, lines_of, part_count, part_slots
from deeppersona.schema.persona import Persona
from deeppersona.schema.plan import DEPTH_RANGE, Plan, Writing
from deeppersona.schema.population import Population
from deeppersona.schema.report import Failure, Issue
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.carry import at_hand, carried
from deeppersona.taxonomy.read import SHIPPED, read_once, shipped_taxonomy
from deeppersona.version import __version__

if TYPE_CHECKING:  # what has to do with models is imported when one is asked for: the main job starts sooner without
    from deeppersona.models.spec import Spec, Traffic
    from deeppersona.population.written import Drawn, Estimate, Outcome, Tally

Countries = str | Sequence[str] | Mapping[str, float] | None
_DRAWN_ELSEWHERE_FROM = 600  # people below which a process costs more than it saves
_PARALLEL_FROM = 4  # parts below which starting processes costs more than it saves


def countries(wanted: Countries) -> dict[str, float]:
    """ISO codes and weights from names, codes, ``IN=3`` pairs or a mapping; nothing or ``world``: empty."""
    facts = shipped_facts()
    if wanted is None or wanted == "world" or wanted == ["world"] or wanted == ("world",):
        return {}
    pairs: list[tuple[str, float]] = []
    if isinstance(wanted, Mapping):
        pairs = [(name, float(weight)) for name, weight in wanted.items()]
    else:
        for item in wanted.split(",") if isinstance(wanted, str) else wanted:
            word, _, share = item.partition("=")
            try:
                pairs.append((word, float(share) if share else 1.0))
            except ValueError:
                raise UsageError(f"country {item!r}: a weight is a number, as in IN=3") from None
    out: dict[str, float] = {}
    for name, weight in pairs:
        code = facts.country(name).iso2
        if code in out:
            raise UsageError(f"country {code} is given twice; give it once, with a weight: {code}=2")
        out[code] = weight
    return out


def make_plan(
    n: int, country: Countries = None, *, seed: int = 0, depth: int = 220, ratio: Sequence[int] = (5, 3, 2),
    focus: Mapping[str, float] | None = None, anchors: Mapping[str, Any] | None = None, adults_only: bool = True,
    book: bool = False, taxonomy: Taxonomy | None = None, shallow: str | None = None, writing: Writing | None = None,
) -> Plan:  # fmt: skip
    """Freeze what is wanted into a plan. UsageError where it cannot be meant, before anything is made."""
    facts = shipped_facts()
    given = {
        k: ",".join(map(str, x)) if isinstance(x, (list, tuple, set)) else str(x) for k, x in (anchors or {}).items()
    }
    read = parse_anchors(given, facts)
    weights = countries(country)
    place, region = read.get("country"), read.get("region")
    if not weights and place is not None and place.words:
        weights = dict.fromkeys(sorted(place.words), 1.0)
    if not weights:  # the world: every country has as many as live there and meet the anchors
        rest = read.without("country").without("region")
        weights = world_weights(facts, rest, ADULT_AGE if adults_only else 0)
    if place is not None and place.words:
        weights = {c: w for c, w in weights.items() if c in place.words}
    if region is not None and region.words:
        weights = {c: w for c, w in weights.items() if facts.countries[c].region in region.words}
    if not weights:
        hint = ", or pass --all-ages" if adults_only and read.get("age") is not None else ""
        said = " and ".join(read.written.values())
        raise UsageError(f"nobody in the countries asked for has {said}; loosen one of them{hint}")
    if not DEPTH_RANGE[0] <= depth <= DEPTH_RANGE[1]:
        raise UsageError(f"depth {depth} is outside {DEPTH_RANGE[0]}..{DEPTH_RANGE[1]}; 200 to 250 reads best")
    if n < 1:
        raise UsageError(f"n is {n}; ask for at least one person")
    taxonomy = taxonomy or shipped_taxonomy()
    try:
        return Plan(
            n=n, countries=weights, seed=seed, depth=depth, ratio=tuple(ratio), focus=dict(focus or {}),
            anchors={k: x for k, x in given.items() if k not in ("country", "region")}, adults_only=adults_only,
            book=book, taxonomy=taxonomy.fingerprint, engine=__version__, given=shallow, writing=writing,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place_of = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"plan: {place_of}: {first['msg'].removeprefix('Value error, ')}") from None


def make_writing(
    roles: Mapping[str, Spec], *, temperature: float = 0.9, colour: int = 0, book_words: int = 0, counter: bool = True
) -> Writing:
    """What a model is to write, for a plan. UsageError where no writer is named or a figure is out of range."""
    from deeppersona import prompts

    if "writer" not in roles:
        raise UsageError("no model writes: name one with --model SPEC, besides the judge")
    judge = roles.get("judge")
    try:
        return Writing(
            writer=roles["writer"].name, judge=judge.name if judge else None, prompts=prompts.fingerprint("writing", "reading"),
            temperature=temperature, colour=colour, book_words=book_words, counter=counter,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None


def engine_for(plan: Plan, taxonomy: Taxonomy) -> Engine:
    """Build the engine of a plan of people and refuse what is impossible."""
    if plan.kind != "people":
        raise UsageError(f"a plan of {plan.kind} is made by deeppersona population; a model cannot write on it")
    engine = engine_of(plan, shipped_facts(), taxonomy)
    engine.refuse_impossible()
    return engine


def maker_for(plan: Plan, taxonomy: Taxonomy) -> Maker:
    """Build the maker of a plan of any kind and refuse what is impossible."""
    return engine_for(plan, taxonomy) if plan.kind == "people" else maker_of(plan, taxonomy)


def person_at(plan: Plan, slot: int, taxonomy: Taxonomy) -> Persona:
    """The person of one slot; see ``record_at``."""
    return Persona.model_validate(record_at(plan, slot, taxonomy))


def record_at(plan: Plan, slot: int, taxonomy: Taxonomy) -> Record:
    """Make the person of one slot alone, as in any run of the plan. UsageError where nobody can be made there."""
    if not 0 <= slot < plan.n:
        raise UsageError(f"slot {slot:,} is outside the plan; slots run from 0 to {plan.n - 1:,}")
    made = filled(maker_for(plan, taxonomy), [slot], taxonomy)
    if not made.records:
        raise UsageError(f"slot {slot:,} stays empty in this plan: {made.failures[0].reason}")
    return made.records[0]


def generate(
    n: int, country: Countries = None, *, seed: int = 0, depth: int = 220, ratio: Sequence[int] = (5, 3, 2),
    focus: Mapping[str, float] | None = None, anchors: Mapping[str, Any] | None = None, adults_only: bool = True,
    book: bool = False, taxonomy: Taxonomy | None = None, out: Path | str | None = None,
    model: str | Sequence[str] | None = None, traffic: Traffic | None = None, **writing: Any,
) -> Population:  # fmt: skip
    """Make ``n`` deep synthetic people.

    Args:
        n: how many.
        country: a code or name, several, or code -> weight; none means the world by population.
        seed: the same seed and plan give the same people.
        depth: attributes a person is told by, 20 to 400, besides the core.
        ratio: near : mid : far from the core.
        focus: node of the taxonomy -> weight, to deepen (above 1) or thin (below 1) it.
        anchors: conditions of the draw, as ``{"age": "60..75", "occupation": "nurse"}``.
        adults_only: people of 18 and over.
        book: also write the long narrative.
        taxonomy: another tree than the shipped one.
        out: a run folder to write (and to resume); none keeps the people in memory.
        model: who writes what figures cannot: ``openai:NAME``, ``openai:NAME@URL``, ``local:FILE.gguf``; also
            ``judge=SPEC``. None: nobody, which needs no key and no network.
        traffic: requests at once, budget, prices, time limits.
        writing: with a model: ``temperature``, ``colour``, ``book_words``, ``counter`` (see ``make_writing``).

    Returns:
        The population, in the order of the slots. People who could not be made are counted in ``failures``.

    Raises:
        UsageError: what is asked cannot be; the message says the fix.

    """
    taxonomy = taxonomy or shipped_taxonomy()
    roles: Mapping[str, Spec] = {}
    if model:
        from deeppersona.models.spec import parse_roles

        roles = parse_roles([model] if isinstance(model, str) else model)
    plan = make_plan(
        n, country, seed=seed, depth=depth, ratio=ratio, focus=focus, anchors=anchors, adults_only=adults_only,
        book=book, taxonomy=taxonomy, writing=make_writing(roles, **writing) if roles else None,
    )  # fmt: skip
    if roles:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(out) if out is not None else Path(folder) / "run"
            outcome = write(plan, place, taxonomy, roles, traffic)
            if outcome.stopped:
                raise Stopped(f"{outcome.stopped}; {outcome.people} of {n} people are written")
            return (
                load(place)
                if out is not None
                else Population(list(RunFolder(place).records()), failures=outcome.failures)
            )
    if out is not None:
        run(plan, Path(out), taxonomy)
        return load(out)
    engine = engine_for(plan, taxonomy)
    records, failures = [], 0
    for number in range(part_count(plan)):
        made = filled(engine, part_slots(plan, number), taxonomy)
        records += made.records
        failures += len(made.failures)
    return Population(records, failures=failures)


@dataclass(frozen=True)
class _Task:
    plan_json: str
    number: int
    taxonomy_folder: str  # none: of a machine that may not have it, see carried
    storage: Storage
    fingerprint: str = ""
    carried: bytes = b""


def _make_part(maker: Maker, number: int, taxonomy: Taxonomy, storage: Storage) -> tuple[bytes, int, list[Failure]]:
    with without_gc():
        made = filled(maker, part_slots(maker.plan, number), taxonomy)
        return packed(lines_of(made.records), storage), len(made.records), made.failures


def _make_here(maker: Maker, taxonomy: Taxonomy, task: _Task) -> tuple[bytes, int, list[Failure]]:
    return _make_part(maker, task.number, taxonomy, task.storage)


def _make_task(task: _Task) -> tuple[bytes, int, list[Failure]]:
    """The same in a process of its own, which builds its maker once."""
    folder = task.taxonomy_folder or str(at_hand(task.carried, task.fingerprint))
    maker = maker_elsewhere(task.plan_json, folder)
    return _make_part(maker, task.number, read_once(folder), task.storage)


def run(
    plan: Plan, out: Path, taxonomy: Taxonomy, *, taxonomy_folder: Path = SHIPPED, workers: int | None = None,
    repair: bool = False, progress: Callable[[int], None] = lambda done: None, storage: Storage | None = None,
    over: Over = over_parts, shard: Shard | None = None, checked: bool = False,
) -> tuple[int, int]:  # fmt: skip
    """Make a plan into a run folder, or go on with it. Returns (people, failures); ``progress`` is told people done.

    ``storage`` is the form of the parts of a new folder: ``jsonl`` or ``zstd``; None: zstd from 20,000 people. ``over`` is
    how parts run, in processes here or on a cluster (``runtime.ray.ray_at``); ``workers`` then the parts at once, None for
    as many as it likes. ``shard`` makes its parts alone, to be put together by ``runtime.shard.merge``. ``checked``:
    that the plan can be made was seen before, so that nobody who makes people need be built here for that.
    """
    folder = RunFolder(out)
    maker = None if checked else maker_for(plan, taxonomy)
    with folder.writing(plan, storage):
        done = folder.finished(plan, repair=repair)
        progress(sum(len(part_slots(plan, number)) for number in done))
        hold_to(folder, shard)
        body, form = plan.model_dump_json(), folder.storage
        here = is_here(over)
        place = (str(taxonomy_folder), form) if here else ("", form, plan.taxonomy, carried(taxonomy_folder))
        left = [_Task(body, k, *place) for k in parts_of(plan, shard) if k not in done]
        processes = workers or (0 if not here else 1 if len(left) < _PARALLEL_FROM else cores())
        alone = here and processes == 1
        work: Callable[[_Task], tuple[bytes, int, list[Failure]]] = _make_task
        if alone and left:
            work = partial(_make_here, maker or maker_for(plan, taxonomy), taxonomy)
        for task, (content, people, failures) in over(work, left, processes):
            folder.commit(task.number, content, people, failures)
            progress(len(part_slots(plan, task.number)))
        return folder.finish()


def write(
    plan: Plan, out: Path, taxonomy: Taxonomy, roles: Mapping[str, Spec], traffic: Traffic | None = None, *,
    repair: bool = False, progress: Callable[[Tally], None] = lambda tally: None, taxonomy_folder: Path | None = None,
) -> Outcome:  # fmt: skip
    """Make a plan that a model writes into a run folder, or go on with it; nothing paid for is paid for again.

    With the folder of the taxonomy, many people are drawn in a process of its own while others are written.
    """
    from deeppersona.population.written import drawn_by, drawn_elsewhere, run_written

    folder = RunFolder(out)
    engine = engine_for(plan, taxonomy)
    with folder.writing(plan), ExitStack() as stack:
        draw = drawn_by(engine)
        if taxonomy_folder is not None and plan.n >= _DRAWN_ELSEWHERE_FROM and cores() > 1:
            draw = stack.enter_context(drawn_elsewhere(engine, taxonomy_folder))
        return run_written(engine, folder, roles, traffic or _traffic(), repair=repair, progress=progress, draw=draw)


def estimate(
    plan: Plan, out: Path, taxonomy: Taxonomy, roles: Mapping[str, Spec], traffic: Traffic | None = None
) -> Estimate:  # fmt: skip
    """What a plan will cost, from a pilot of its first three people, who are kept and not paid for again."""
    from deeppersona.population import written

    folder = RunFolder(out)
    engine = engine_for(plan, taxonomy)
    with folder.writing(plan):
        return written.estimate(engine, folder, roles, traffic or _traffic())


def enrich(
    people: Sequence[Shallow], out: Path, taxonomy: Taxonomy, *, country: Countries = None, seed: int = 0,
    depth: int = 220, focus: Mapping[str, float] | None = None, ratio: Sequence[int] = (5, 3, 2), book: bool = False,
    writing: Writing | None = None, roles: Mapping[str, Spec] | None = None, traffic: Traffic | None = None,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> tuple[int, list[Issue]]:  # fmt: skip
    """Deepen shallow personas into a run folder, in their order. Returns (people, warnings on what was not taken up).

    With a model (``writing`` and ``roles``) free texts are read by it first, and what it writes is added.
    """
    if not people:
        raise UsageError("there is nobody to deepen; the file holds no line")
    plan = make_plan(
        len(people), country, seed=seed, depth=depth, ratio=ratio, focus=focus, book=book, taxonomy=taxonomy,
        shallow=hashlib.sha256(repr(people).encode()).hexdigest()[:16], writing=writing,
    )  # fmt: skip
    engine = Engine(plan, shipped_facts(), taxonomy)
    folder = RunFolder(out)
    warnings: list[Issue] = []
    with folder.writing(plan):
        if writing is not None and roles is not None:
            return _enrich_written(engine, folder, people, roles, traffic or _traffic(), progress)
        done = folder.finished(plan)
        for number in range(part_count(plan)):
            if number in done:
                continue
            slots = part_slots(plan, number)
            sheets, issues = deepen(engine, people[slots.start : slots.stop], slots.start)
            warnings += issues
            folder.commit(number, lines_of([sheet.record for sheet in sheets]), len(sheets), [])
        made, _ = folder.finish()
    return made, warnings


def _enrich_written(
    engine: Engine, folder: RunFolder, people: Sequence[Shallow], roles: Mapping[str, Spec], traffic: Traffic,
    progress: Callable[[Tally], None],
) -> tuple[int, list[Issue]]:  # fmt: skip
    from deeppersona.population.written import read_all, run_written

    read, warnings = read_all(folder, people, roles, traffic)

    def draw(numbers: Sequence[int]) -> list[Drawn]:
        out: list[Drawn] = []
        for number in numbers:
            slots = part_slots(engine.plan, number)
            sheets, issues = deepen(engine, read[slots.start : slots.stop], slots.start)
            warnings.extend(issues)
            out.append((number, len(slots), list(sheets), []))
        return out

    outcome = run_written(engine, folder, roles, traffic, progress=progress, draw=draw)
    if outcome.stopped:
        raise Stopped(f"{outcome.stopped}; {outcome.people} of {len(people)} people are written")
    return outcome.people, warnings


def _traffic() -> Traffic:
    from deeppersona.models.spec import Traffic

    return Traffic()


def load(folder: Path | str) -> Population:
    """Open a run folder as a population, with its weights if it has any; people are read when looked at."""
    run_folder = RunFolder(folder)
    return Population(run_folder.records(), _weights(run_folder), run_folder.counts()[1])


def _weights(folder: RunFolder) -> list[float] | None:
    """The weights of a population with soft targets (``weights.csv.gz``: id, weight, in the order of the people)."""
    file = folder.path / WEIGHTS
    if not file.exists():
        return None
    with gzip.open(file, "rt", encoding="utf-8", newline="") as handle:
        return [float(row["weight"]) for row in csv.DictReader(handle)]
