"""Measure ``population.dedup``: recall on planted copies, people flagged wrongly, speed and memory.

    python benchmarks/dedup.py quality                  # 20,000 adults, made first, and 20,000 pupils
    python benchmarks/dedup.py quality --run FOLDER     # the adults of a run there is already
    python benchmarks/dedup.py speed -n 1000000         # pupils
    python benchmarks/dedup.py quality speed --json

A copy has 1, 5 or 20% of the characters of its texts changed at random places, or that share of its drawn traits drawn anew
from what others have. A stranger is anybody the engine made; each of them flagged counts as an error.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from deeppersona import shipped_taxonomy, study
from deeppersona.population.dedup import Sieve, sketches
from deeppersona.population.minhash import BYTES, CORE, Bytes
from deeppersona.population.students import Students
from deeppersona.runtime.store import RunFolder

Record = dict[str, Any]
Change = Callable[[str, float, random.Random], str]
SHARES = (0.01, 0.05, 0.2)
LETTERS = "abcdefghijklmnopqrstuvwxyz "
COPIES = 500
BATCH = 1000
MILLION = 1 << 20


def light(record: Mapping[str, Any]) -> Record:
    """What is compared of a person: the traits that are not of the core, and the texts."""
    traits = [{"path": t["path"], "value": t["value"]} for t in record["traits"] if t["path"] not in CORE]
    return {
        "traits": traits,
        "narrative": record["narrative"],
        "stories": [{"text": s["text"]} for s in record["stories"]],
    }


def replaced(text: str, share: float, rng: random.Random) -> str:
    """The text with that share of its characters replaced by others."""
    letters = list(text)
    for at in rng.sample(range(len(letters)), round(share * len(letters))):
        letters[at] = rng.choice(LETTERS.replace(letters[at].lower(), ""))
    return "".join(letters)


def edited(text: str, share: float, rng: random.Random) -> str:
    """The text with that share of its characters replaced, dropped or followed by another, a third each."""
    places = set(rng.sample(range(len(text)), round(share * len(text))))
    change = (lambda c: rng.choice(LETTERS), lambda c: "", lambda c: c + rng.choice(LETTERS))
    return "".join(rng.choice(change)(c) if k in places else c for k, c in enumerate(text))


def retold(text: str, share: float, rng: random.Random) -> str:
    """The sentences in another order, without that share of the words."""
    sentences = text.replace("\n", " ").split(". ")
    rng.shuffle(sentences)
    return " ".join(word for word in ". ".join(sentences).split() if rng.random() > share)


def copy(
    record: Record, share: float, change: Change | None, pool: Mapping[str, list[Any]] | None, rng: random.Random
) -> Record:
    """A copy with texts changed and, where ``pool`` has the values of others, that share of the traits drawn anew."""
    traits = [dict(trait) for trait in record["traits"]]
    for trait in rng.sample(traits, round(share * len(traits)) if pool else 0):
        trait["value"] = rng.choice((pool or {})[trait["path"]])
    tell = (lambda text: change(text, share, rng)) if change else str
    stories = [{"text": tell(story["text"])} for story in record["stories"]]
    return {"traits": traits, "narrative": tell(record["narrative"]), "stories": stories}


def of_parts(made: Bytes, parts: str) -> Bytes:
    """Sketches of the same people without traits, or without texts."""
    out = made.copy()
    if parts == "texts":
        out[:, BYTES["traits"]], out[:, BYTES["whole"]] = 0, 0
    if parts == "traits":
        out[:, BYTES["traits"].stop :] = 0
    return out


def batches(people: Iterable[Record]) -> Iterator[list[Record]]:
    """Lists of ``BATCH`` people."""
    source = iter(people)
    while batch := list(islice(source, BATCH)):
        yield batch


KINDS: dict[str, list[tuple[str, Change | None, bool]]] = {
    "traits and texts": [("characters replaced, traits kept", replaced, False), ("and traits redrawn", replaced, True)],
    "texts": [
        ("characters replaced", replaced, False),
        ("characters edited", edited, False),
        ("retold", retold, False),
    ],
    "traits": [("traits redrawn", None, True)],
}


def recalls(made: Bytes, parts: str, held: Mapping[int, Record], pool: Mapping[str, list[Any]]) -> dict[str, Any]:
    """One sieve over everybody; then, with bands and limits as for a million, the copies of those held."""
    sieve, began = Sieve(), time.process_time()
    sieve.add_sketches(of_parts(made, parts))
    out: dict[str, Any] = {"sifted a second": round(len(made) / (time.process_time() - began))}
    flagged = {pair.later for pair in sieve.found}
    out["strangers flagged"] = f"{len(flagged) / len(made):.4%}"
    chosen = [number for number in held if number not in flagged]
    rng = random.Random(7)  # noqa: S311 - a sample, no secret
    sieve._room = MILLION // 2  # as if there were a million: wider bands and stricter limits
    sieve._grow()
    for kind, change, anew in KINDS[parts]:
        row = []
        for share in SHARES:
            copies = [copy(held[number], share, change, pool if anew else None, rng) for number in chosen]
            found = sieve.add_sketches(of_parts(sketches(copies), parts))
            row.append(sum(a == b for a, b in zip(found, chosen, strict=True)) / len(chosen))
        out[f"recall, {kind}"] = " ".join(f"{share:.0%}: {value:.3f}" for share, value in zip(SHARES, row, strict=True))
    return out


def quality(people: Iterable[Record]) -> dict[str, Any]:
    """Recall and strangers flagged: by everything, by texts alone, by traits alone."""
    rows: list[Bytes] = []
    held: dict[int, Record] = {}
    pool: dict[str, list[Any]] = defaultdict(list)
    seconds, number = 0.0, 0
    for batch in batches(light(record) for record in people):
        began = time.process_time()
        rows.append(sketches(batch))
        seconds += time.process_time() - began
        if len(held) < COPIES:
            held |= {number + k: record for k, record in enumerate(batch[:50])}
        for record in batch[:200]:
            for trait in record["traits"]:
                pool[trait["path"]].append(trait["value"])
        number += len(batch)
    made = np.concatenate(rows)
    out: dict[str, Any] = {"people": number, "sketched a second": round(number / seconds)}
    return out | {f"by {parts}": recalls(made, parts, held, pool) for parts in KINDS}


def speed(people: Iterable[Record], n: int) -> dict[str, Any]:
    """Seconds of each tenth of n people, and what the memory of the process grew by; to make them is not counted."""
    out: dict[str, Any] = {}
    sieve, before, made, sifted, done = Sieve(), 0, 0.0, 0.0, 0
    for batch in batches(islice(people, n)):
        before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        some = sketches(batch)
        between = time.process_time()
        sieve.add_sketches(some)
        made, sifted = made + between - began, sifted + time.process_time() - between
        done += len(batch)
        if done % max(n // 10, BATCH) == 0:
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            out[f"to {done:,}"] = (
                f"{done / made:,.0f} sketched and {done / sifted:,.0f} sifted a second so far, "
                f"{grown:.0f} MB, {len(sieve.found)} flagged"
            )
    return out


def pupils() -> Iterator[Record]:
    """Pupils without end, as the preset of students makes them."""
    students = Students(told_only=True)
    for first in count(0, BATCH):
        yield from students.make(7, np.arange(first, first + BATCH)).records


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=["quality", "speed"])
    parser.add_argument("--run", type=Path, help="a run folder whose people to take; none: they are generated")
    parser.add_argument("--people", type=int, default=20_000, help="how many of each kind")
    parser.add_argument("-n", type=int, default=200_000, help="people of speed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if "quality" in options.what:
        results["pupils"] = quality(islice(pupils(), options.people))
        with tempfile.TemporaryDirectory() as folder:
            run = options.run or Path(folder) / "run"
            if options.run is None:
                taxonomy = shipped_taxonomy()
                study.run(study.make_plan(options.people, seed=5, taxonomy=taxonomy), run, taxonomy)
            results["adults"] = quality(islice(RunFolder(run).records(), options.people))
    if "speed" in options.what:
        results["speed"] = speed(pupils(), options.n)
    print(json.dumps(results, indent=None if options.json else 2, ensure_ascii=False))


if __name__ == "__main__":
    main()
