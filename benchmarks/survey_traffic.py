"""How a language model is asked in surveys: requests in flight, what the asking costs, kill -9, the same answers at any speed.

``python benchmarks/survey_traffic.py`` runs all against a server of the tests in a process of its own; some by name
(``utilisation kill same``); ``--json`` prints data.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from models import ROOT, SLOW, server, stats, timed
from run import report

# A block of ten answers is some 20 tokens as the server counts (a quarter of the characters) and 73 as a real tokenizer does
# (18,379 for 250 blocks): with 7 ms for one of its own, an answer takes as long as one of a server of 2 ms a token.
REAL = ("--latency", "0.2", "--per-token", "0.007")
PLACE = tempfile.TemporaryDirectory()


@lru_cache
def people(n: int) -> Path:
    """A run of ``n`` adults of three countries, made without a model."""
    out = Path(PLACE.name) / f"people-{n}"
    made = [
        "generate",
        "-n",
        str(n),
        "--country",
        "KE",
        "--country",
        "DE",
        "--country",
        "BR",
        "--seed",
        "5",
        "--out",
        str(out),
        "--json",
    ]
    subprocess.run([sys.executable, "-m", "deeppersona", *made], check=True, stdout=subprocess.DEVNULL)
    return out


def command(n: int, out: Path, url: str, *more: str) -> list[str]:
    """The command line that asks ``n`` people the fifty markers, five calls each."""
    return [
        sys.executable, "-m", "deeppersona", "survey", "run", "ipip-50", str(people(n)), "--model", f"openai:bench@{url}",
        "--out", str(out), "--json", *more,
    ]  # fmt: skip


def run(n: int, out: Path, url: str, *more: str) -> dict[str, Any]:
    """Run the command to its end; see ``models.timed``."""
    return timed(command(n, out, url, *more))


def utilisation() -> dict[str, Any]:
    """Mean requests in flight over the limit, against a server of 200 ms + 2 ms a token, real or as it counts; CPU of the whole command."""
    out: dict[str, Any] = {}
    for (limit, n), (how, speed) in product(
        ((32, 1500), (256, 4000)), {"real tokens": REAL, "as counted": SLOW}.items()
    ):
        people(n)
        with tempfile.TemporaryDirectory() as folder, server(*speed) as url:
            summary = run(n, Path(folder) / "answers.csv", url, "--concurrency", str(limit))
            found = stats(url)
            out[f"{limit} at once, {n} people x 50 items, {how}"] = {
                "utilisation": round(found["busy_s"] / found["wall_s"] / limit, 3), "requests": found["requests"],
                "requests a second": round(found["requests"] / found["wall_s"]), "wall s": round(summary["wall"], 1),
                "CPU-s per 1,000 requests, whole command": round(summary["cpu"] / found["requests"] * 1000, 2),
                "answered": summary["counts"]["answered"],
            }  # fmt: skip
    return out


def kill() -> dict[str, Any]:
    """Kill -9 in the middle, then the same command: good answers asked again, and whether the bytes are those of an undisturbed run."""
    n = 400
    people(n)
    with tempfile.TemporaryDirectory() as folder, server("--latency", "0.05", "--per-token", "0.0002") as url:
        whole, again = Path(folder) / "whole.csv", Path(folder) / "killed.csv"
        whole_s = run(n, whole, url, "--concurrency", "8")["wall"]
        request = urllib.request.Request(url.removesuffix("/v1") + "/reset", method="POST")
        urllib.request.urlopen(request).close()
        process = subprocess.Popen(
            command(n, again, url, "--concurrency", "8"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(whole_s * 0.6)
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        run(n, again, url, "--concurrency", "8")
        found = stats(url)
        return {"killed in the middle": killed, "good answers": found["good"], "asked again of them": found["answered_twice"],
                "not asked again": f"{1 - found['answered_twice'] / found['good']:.2%}", "same bytes": digest(whole) == digest(again)}  # fmt: skip


def same() -> dict[str, Any]:
    """The same answers at 1, 8 and 200 requests at once: whether the bytes are the same."""
    found = {}
    with server() as url, tempfile.TemporaryDirectory() as folder:
        for limit in (1, 8, 200):
            run(60, Path(folder) / f"{limit}.csv", url, "--concurrency", str(limit))
            found[f"{limit} at once"] = digest(Path(folder) / f"{limit}.csv")[:16]
    return found | {"same": len(set(found.values())) == 1}


def digest(file: Path) -> str:
    """The hash of a file of answers."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


ALL: dict[str, Callable[..., dict[str, Any]]] = {"utilisation": utilisation, "kill": kill, "same": same}


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(ROOT)
    report(ALL, __doc__)
