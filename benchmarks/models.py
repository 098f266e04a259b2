"""Measure how models are asked: tokens a trait, holes under faults, use of the server, CPU, what a kill costs.

``python benchmarks/models.py`` runs all against a server of the tests in a process of its own; some by name
(``tokens faults utilisation kill same``); ``--json`` prints data.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deeppersona.models.ask import Form, ask, prose
from deeppersona.models.journal import Journal
from deeppersona.models.port import Message, Prompt
from deeppersona.models.spec import Traffic, opened, parse_roles
from run import report
from watched import watched

ROOT = Path(__file__).parent.parent
SLOW = ("--latency", "0.2", "--per-token", "0.002")


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    """A server of the tests in a process of its own: its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield next(line for line in process.stdout if "http" in line).split()[-1]
    finally:
        process.terminate()
        process.wait()


def stats(url: str) -> dict[str, Any]:
    """What the server counted."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def command(n: int, out: Path, url: str, *more: str) -> list[str]:
    """The command line of a run of ``n`` people."""
    return [
        sys.executable, "-m", "deeppersona", "generate", "-n", str(n), "--country", "KE", "--country", "DE", "--country", "BR",
        "--seed", "5", "--model", f"openai:bench@{url}", "--out", str(out), "--json", *more,
    ]  # fmt: skip


def run(n: int, out: Path, url: str, *more: str) -> dict[str, Any]:
    """Run the command to its end; see ``timed``."""
    return timed(command(n, out, url, *more))


def timed(asked: list[str]) -> dict[str, Any]:
    """Run a command line to its end: the summary it prints last, seconds and CPU-seconds of all its processes."""
    took = watched(asked)
    summary: dict[str, Any] = json.loads(took.out.splitlines()[-1])
    return summary | {"wall": took.seconds, "cpu": took.cpu}


def people_of(out: Path) -> list[dict[str, Any]]:
    """The records of a run."""
    return [json.loads(line) for file in sorted(out.glob("personas/part-*.jsonl")) for line in file.open()]


def asked_and_filled(people: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Slots of these people: (selected in all, asked of the model, not filled).

    Asked are what matters, the attitude, title, text and interest of each story, text attributes, colours, the portrait;
    the rest is drawn. A slot is not filled where the record says so, whatever stands in for it.
    """
    asked = drawn = holes = 0
    for person in people:
        gone = [hole["path"] for hole in person.get("missing", ())]
        written = sum(t["source"] == "model" for t in person["traits"]) + sum("colour" in t for t in person["traits"])
        lost = sum(not path.startswith(("stories.", "narrative")) for path in gone)
        asked += written + lost + 3 * len(person["stories"]) + 1
        drawn += sum(t["source"] == "prior" for t in person["traits"])
        holes += len(gone)
    return asked + drawn, asked, holes


def tokens() -> dict[str, Any]:
    """Tokens sent and received a filled trait, whole person included, depth 220; on a server that obeys."""
    out: dict[str, Any] = {}
    plan_people = 200
    with tempfile.TemporaryDirectory() as folder, server("--seed", "1") as url:
        place = Path(folder) / "run"
        summary = run(plan_people, place, url)
        usage, people = summary["usage"], people_of(place)
        wanted, asked, holes = asked_and_filled(people)
        filled = wanted - holes
        traits = sum(len(p["traits"]) for p in people)
        fresh = usage["tokens_in"] - usage["tokens_cached"] + usage["tokens_out"]
        out |= {
            "people": len(people), "calls a person": round(usage["calls"] / plan_people, 2),
            "tokens in, cached, out a person": [round(usage[k] / plan_people) for k in ("tokens_in", "tokens_cached", "tokens_out")],
            "tokens a filled attribute": round((usage["tokens_in"] + usage["tokens_out"]) / filled, 1),
            "of these uncached": round(fresh / filled, 1),
            "tokens a trait of any source": round((usage["tokens_in"] + usage["tokens_out"]) / traits, 1),
            "slots filled": f"{filled / wanted:.2%}", "of those asked of the model": f"{1 - holes / asked:.2%}", "holes recorded": holes,
        }  # fmt: skip
    return out


def faults() -> dict[str, Any]:
    """Slots filled where 5% of all answers are faulty (every kind of fault), people lost, holes not recorded."""
    n = 300
    with tempfile.TemporaryDirectory() as folder, server("--faults", "0.05", "--seed", "3") as url:
        summary = run(n, Path(folder) / "run", url, "--timeout", "5", "--concurrency", "64")
        people = people_of(Path(folder) / "run")
        wanted, asked, holes = asked_and_filled(people)
        silent = sum(not p["narrative"] or any(not s["text"] for s in p["stories"]) for p in people)
        found = stats(url)
        return {
            "people": f"{len(people)} of {n}", "slots filled": f"{1 - holes / wanted:.2%}",
            "of those asked of the model": f"{1 - holes / asked:.2%}", "holes recorded": holes,
            "people with a hole not recorded": silent, "faults served": found.get("faults", found),
            "asking": summary["usage"].get("asking"),
        }  # fmt: skip


def utilisation() -> dict[str, Any]:
    """Mean requests in flight over the limit, against a server of 200 ms + 2 ms a token; CPU of the whole command and of the client alone."""
    out: dict[str, Any] = {}
    for limit, n in ((32, 1500), (256, 20_000)):
        with tempfile.TemporaryDirectory() as folder, server(*SLOW) as url:
            summary = run(n, Path(folder) / "run", url, "--concurrency", str(limit), "--diversity", "counter")
            found = stats(url)
            out[f"whole run, {limit} at once, {n} people"] = {
                "utilisation": round(found["busy_s"] / found["wall_s"] / limit, 3), "requests": found["requests"],
                "requests a second": round(found["requests"] / found["wall_s"]), "wall s": round(summary["wall"], 1),
                "CPU-s per 1,000 requests, drawing people included": round(summary["cpu"] / found["requests"] * 1000, 2),
            }  # fmt: skip
    with server(*SLOW) as url:
        out["client alone, 256 at once"] = asyncio.run(_client(url, 256, 15_000)) | {"server": _used(stats(url), 256)}
    return out


def _used(found: dict[str, Any], limit: int) -> dict[str, Any]:
    return {"utilisation": round(found["busy_s"] / found["wall_s"] / limit, 3), "requests": found["requests"]}


async def _client(url: str, limit: int, n: int) -> dict[str, Any]:
    """Ask ``n`` forms of six fields through everything a run asks through: schema, checks, journal, limit, retries."""
    form = Form(tuple(prose(str(k), "something said", 12, 40) for k in range(1, 7)))
    system = Message("system", "You answer with one JSON object. " * 20)
    facts = "She keeps a blue bicycle under the stairs. " * 60
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "run.sqlite")
        async with opened(parse_roles([f"openai:bench@{url}"]), journal, Traffic(limit), system.text) as models:
            model, shape = models.models["writer"], models.shapes["writer"]
            before = time.process_time()

            async def one(k: int) -> int:
                turns = (system, Message("user", f"Person {k}. {facts}\n{form.lines}"))
                answer = await ask(model, Prompt(turns, "bench", 600, 0.9, k, shape=shape), form)
                return len(answer.values)

            todo = iter(range(n))

            async def worker() -> int:
                return sum([await one(k) for k in todo])

            got = sum(await asyncio.gather(*(worker() for _ in range(limit + 8))))
            cpu = time.process_time() - before
        journal.close()
    return {"fields filled": f"{got / n / len(form):.2%}", "CPU-s per 1,000 requests": round(cpu / n * 1000, 2)}


def kill() -> dict[str, Any]:
    """Kill -9 in the middle, then the same command: good answers asked again, and whether the bytes are those of an undisturbed run."""
    n = 400
    with tempfile.TemporaryDirectory() as folder, server("--latency", "0.05", "--per-token", "0.0002") as url:
        whole = Path(folder) / "whole"
        run(n, whole, url)
        request = urllib.request.Request(url.removesuffix("/v1") + "/reset", method="POST")
        urllib.request.urlopen(request).close()
        again = Path(folder) / "killed"
        kills = 0
        while kills < 1:
            process = subprocess.Popen(command(n, again, url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(6.0)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
            if process.returncode == 0:
                break
        run(n, again, url)
        found = stats(url)
        same = digest(whole) == digest(again)
        return {"kills": kills, "good answers": found["good"], "asked again of them": found["answered_twice"],
                "not asked again": f"{1 - found['answered_twice'] / found['good']:.2%}", "same bytes": same}  # fmt: skip


def same() -> dict[str, Any]:
    """The same plan and seed at 1, 8 and 200 requests at once: whether the bytes are the same."""
    found = {}
    with server() as url, tempfile.TemporaryDirectory() as folder:
        for limit in (1, 8, 200):
            run(60, Path(folder) / str(limit), url, "--concurrency", str(limit))
            found[f"{limit} at once"] = digest(Path(folder) / str(limit))[:16]
    return found | {"same": len(set(found.values())) == 1}


def digest(out: Path) -> str:
    """The hash of all people of a run."""
    whole = hashlib.sha256()
    for file in sorted(out.glob("personas/part-*.jsonl")):
        whole.update(file.read_bytes())
    return whole.hexdigest()


ALL: dict[str, Callable[..., dict[str, Any]]] = {
    "tokens": tokens, "faults": faults, "utilisation": utilisation, "kill": kill, "same": same,
}  # fmt: skip


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(ROOT)
    report(ALL, __doc__)
