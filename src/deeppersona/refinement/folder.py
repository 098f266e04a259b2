"""A run of refinement on disk: the plan that is held to, people's records, the log read, told and taken back."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from deeppersona.errors import StoreError, UsageError, unknown
from deeppersona.refinement.behaviour import Behaviour, Scale
from deeppersona.refinement.tree import (
    Edit,
    Kept,
    Leaf,
    feature_of,
    leaves_of,
    render,
    replay,
    reverted,
    root,
    style_path,
    text_path,
)
from deeppersona.runtime.disk import told, whole, write_whole
from deeppersona.schema.persona import Persona, Provenance, Trait
from deeppersona.version import __version__

PLAN, LOG, REPORT, PERSONAS = "refinement.json", "log.jsonl", "report.json", "personas/part-00000.jsonl"
BUDGET_TOKENS = 200


@dataclass(frozen=True)
class Wanted:
    """What is asked of a run. ``compare`` names methods whose figures stand beside; they cost as much again each.

    ``users`` are so many people of the file, drawn by ``seed``; None: all. The last fields are of the written form alone:
    the model's name, the fingerprint of what is said to it, how many directions are tried, the most words of a persona.
    """

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
    form: str = "structured"
    users: int | None = None
    windows: int | None = None
    model: str | None = None
    prompts: str | None = None
    directions: int = 1
    persona_words: int = 200


def hold_to(out: Path, wanted: Wanted, behaviour: Behaviour) -> None:
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


def owners_of(behaviour: Behaviour, people: Sequence[Persona] | None) -> list[Persona | None]:
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


def record_of(
    who: str, kept: Kept, owner: Persona | None, domain: str, scale: Scale, wanted: Wanted, slot: int
) -> dict[str, Any]:  # fmt: skip
    """The refined persona as a line of a run: what it was, with its preferences as traits that were learnt.

    A style's evidence has ``counts``, one a level; a taste's has ``shift`` in logits and ``n``, the answers it rests on; a
    written text's names the form. The system prompt ends with the preferences in words, within the budget of tokens.
    """
    leaves = leaves_of(kept, domain)
    text = render(leaves, domain, scale, wanted.budget_tokens)
    traits = [_trait(path, value, domain, scale, text) for path, value in leaves.items()]
    if owner is None:
        bare = Persona(
            id=who, kind="behaviour", traits=tuple(traits), narrative=text, system_prompt=_prompt("", domain, scale, text),
            provenance=Provenance(engine=__version__, taxonomy="none", seed=wanted.seed, slot=slot, model=wanted.model),
        )  # fmt: skip
        return bare.record()
    others = tuple(t for t in owner.traits if not (t.path == root(domain) or t.path.startswith(root(domain) + ".")))
    parent = "sha256:" + hashlib.sha256(orjson.dumps(owner.record())).hexdigest()
    provenance = owner.provenance.model_copy(update={"parent": parent})
    prompt = _prompt(owner.system_prompt, domain, scale, text)
    return owner.model_copy(
        update={"traits": (*others, *traits), "system_prompt": prompt, "provenance": provenance}
    ).record()


def _prompt(before: str, domain: str, scale: Scale, text: str) -> str:
    about = f"What you do tells this of you ({domain.replace('_', ' ')}; answers {scale.levels[0]:g} to {scale.levels[-1]:g}):"
    return "\n\n".join(part for part in (before, f"{about}\n{text}") if part)


def _trait(path: str, value: Leaf, domain: str, scale: Scale, text: str) -> Trait:
    if isinstance(value, str):
        return Trait(path=path, value=value, source="learnt", evidence={"form": "written"})
    if path == style_path(domain):
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
        _renewed(orjson.loads(line), person, everything[person], domain, scale, plan) for line in record_lines(out)
    ]
    with whole(out / LOG) as handle:
        for mine in everything.values():
            handle.writelines(orjson.dumps(e.record(), option=orjson.OPT_APPEND_NEWLINE) for e in mine)
    write_whole(out / PERSONAS, b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return more


def record_lines(out: Path) -> Iterable[bytes]:
    """The lines of people's records, as they are written."""
    """The lines of people's records, as they are written."""
    with told("reading", out / PERSONAS):
        return (out / PERSONAS).read_bytes().splitlines()


def records_of_run(out: Path) -> list[dict[str, Any]]:
    """The records of a run of refine. UsageError where it is none, or was stopped before anybody was written."""
    read_plan(out)
    if not (out / PERSONAS).exists():
        raise UsageError(f"{out} has nobody yet: it was stopped; run the same command again to go on")
    return [orjson.loads(line) for line in record_lines(out)]


def record_of_run(out: Path, person: str) -> dict[str, Any]:
    """One person's record, by id, or by the place in the run. UsageError names the nearest ids."""
    records = records_of_run(out)
    by_id = {record["id"]: record for record in records}
    if person not in by_id and person.isdigit() and int(person) < len(records):
        return records[int(person)]
    if person not in by_id:
        raise unknown("person", person, by_id)
    found: dict[str, Any] = by_id[person]
    return found


def words_of(record: Mapping[str, Any], domain: str, scale: Scale, budget_tokens: int | None = None) -> str:
    """What was learnt of a person, in words, from their record."""
    leaves: dict[str, Leaf] = {}
    for trait in record["traits"]:
        path, evidence = trait["path"], trait.get("evidence", {})
        if path == text_path(domain):
            leaves[path] = trait["value"]
        elif path == style_path(domain):
            leaves[path] = tuple(evidence["counts"])
        elif path.startswith(f"{root(domain)}."):
            leaves[path] = (evidence["shift"], evidence["n"])
    return render(leaves, domain, scale, budget_tokens)


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
        _trait(path, value, domain, scale, text).model_dump(mode="json", exclude_none=True)
        for path, value in leaves.items()
    ]
    before = _prompt("", domain, scale, "").rstrip()
    prompt = record["system_prompt"].partition(before)[0].rstrip()
    return (
        record
        | {"traits": kept + new, "system_prompt": _prompt(prompt, domain, scale, text)}
        | ({"narrative": text} if record["kind"] == "behaviour" else {})
    )
