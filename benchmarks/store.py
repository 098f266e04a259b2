"""Measure what a run costs on disk and to read: bytes, opening, one person, all people, memory, questions in SQL.

``python benchmarks/store.py RUN [-n 100000]`` takes the people of a run (of any kind) again and again, under new slots,
until there are so many, and measures each form of storage. ``--json`` prints data.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from deeppersona.corpus.query import asked
from deeppersona.corpus.tables import tables
from deeppersona.runtime.parts import STORAGES, Storage
from deeppersona.runtime.store import RunFolder, lines_of, part_count, part_slots
from deeppersona.schema.plan import Plan

_SAMPLE = 2000  # people of the run that are taken again
_READ = 500
QUESTIONS = {
    "count by two columns": "select sex, education, count(*) from people group by all",
    "one attribute": "select value, count(*) from traits where path = '{path}' group by all",
    "an attribute by a column": "select sex, value, count(*) from traits join people using (id) where path = '{path}' group by all",
    "every attribute": "select path, count(distinct value) from traits group by all",
    "a word in the texts": "select count(*) from people where narrative like '%music%'",
}


def _many(source: Path, n: int) -> Iterator[dict[str, Any]]:
    """The people of a run under the slots 0 to n - 1, the same ones again and again."""
    held = list(islice(RunFolder(source).records(), _SAMPLE))
    for slot in range(n):
        record = held[slot % len(held)]
        kind = record["id"].rpartition("-")[0]
        yield record | {"id": f"{kind}-{slot:06d}", "provenance": record["provenance"] | {"slot": slot}}


def _write(source: Path, out: Path, n: int, storage: Storage) -> dict[str, float]:
    body = RunFolder(source).plan().model_dump(mode="json") | {"n": n, "allocation": None}
    folder, people, began = RunFolder(out), _many(source, n), time.perf_counter()
    plan = Plan.model_validate(body)
    with folder.writing(plan, storage):
        for number in range(part_count(plan)):
            some = list(islice(people, len(part_slots(plan, number))))
            folder.commit(number, lines_of(some), len(some), [])
        folder.finish()
    size = sum(file.stat().st_size for file in folder.personas.iterdir())
    return {"bytes a person": size / n, "written a second": n / (time.perf_counter() - began)}


def _timed(call: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    value = call()
    return time.perf_counter() - began, value


def _read(run: Path) -> dict[str, float]:
    """Measured in a process of its own, so that the memory is that of reading."""
    opened, people = _timed(RunFolder(run).records)
    n = len(people)
    first, _ = _timed(lambda: people[n // 2])
    some = Random(1).sample(range(n), min(_READ, n))  # noqa: S311 - a sample, no secret
    each, _ = _timed(lambda: [people[i] for i in some])
    found, _ = _timed(lambda: people.find(people[n - 2]["id"]))
    whole, count = _timed(lambda: sum(1 for _ in people))
    return {
        "opened in ms": opened * 1e3, "one in the middle in ms": first * 1e3, "one of many in ms": each / len(some) * 1e3,
        "found by id in ms": found * 1e3, "read a second": count / whole,
        "memory in MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }  # fmt: skip


def _ask(run: Path) -> dict[str, float]:
    made, place = _timed(lambda: tables(run))
    n = len(RunFolder(run).records())
    out = {"tables made in s": made, "people a second": n / made}
    for name in ("people", "traits", "stories"):
        out[f"{name}, bytes a person"] = sum(f.stat().st_size for f in place.glob(f"{name}-*")) / n
    with asked(
        run, "select path from traits where path like '%.%.%' group by path order by count(*) desc limit 1"
    ) as answer:
        path = next(answer.rows())[0]
    for name, sql in QUESTIONS.items():

        def put(sql: str = sql) -> list[tuple[Any, ...]]:
            with asked(run, sql.format(path=path)) as answer:
                return list(answer.rows())

        out[f"{name}, in s"] = _timed(put)[0]
    return out | {"memory in MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def _apart(what: str, run: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, str(run), "--only", what], capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("-n", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=["read", "ask"], help="One measure of the run as it is, as data.")
    options = parser.parse_args()
    if options.only:
        print(json.dumps({"read": _read, "ask": _ask}[options.only](options.run)))
        return
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for storage in STORAGES:
            run = Path(folder) / storage
            results[storage] = _write(options.run, run, options.n, storage) | _apart("read", run)
        results["questions"] = _apart("ask", Path(folder) / "zstd")
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for what, figures in results.items():
        for name, figure in figures.items():
            print(f"{what:10} {name:34} {figure:12,.2f}")


if __name__ == "__main__":
    main()
