"""Measure ``deeppersona mine``: the filter and the pairs against labels made by reading, time, and memory.

    python benchmarks/mining.py filter --data CONVERSATIONS   # precision and recall, both halves
    python benchmarks/mining.py pairs --data CONVERSATIONS    # precision of (attribute, value), by verdicts made by reading
    python benchmarks/mining.py speed --data CONVERSATIONS    # whole command; memory as the corpus grows
    python benchmarks/mining.py proposals --data CONVERSATIONS -n 100   # new attributes to be read, at random

The labels (``labels/mining.csv``, ``labels/mining_pairs.csv``) hold ids and labels only; the conversations are not ours to ship.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from deeppersona.corpus.conversations import Conversation, Corpus, Read, corpus_files
from deeppersona.mining.listen import listen
from watched import watched

LABELS = Path(__file__).parent / "labels"
SOURCES = {"counselchat": "counsel", "persuasionforgood": "persuasion", "convai2": "convai2", "arena": "arena"}


def units(data: Path) -> Iterator[tuple[str, Conversation]]:
    """Every conversation with the id the labels know it by."""
    reads: list[Read] = []
    for read, conversation in Corpus(corpus_files([data])).stream(reads):
        source = next((short for name, short in SOURCES.items() if read.file.startswith(name)), read.file)
        yield f"{source}:{conversation.id}", conversation


def rows(name: str) -> list[dict[str, str]]:
    """A table of labels."""
    with (LABELS / name).open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def the_filter(data: Path) -> dict[str, object]:
    """Precision and recall of "personalisable or partly", and how much of the task prompts is kept."""
    gold = {row["unit"]: row for row in rows("mining.csv")}
    counts: dict[str, Counter[str]] = {"tune": Counter(), "final": Counter()}
    kept, prompts = 0, 0
    for unit, conversation in units(data):
        if unit.startswith("arena:") or unit in gold:
            found = listen(conversation).verdict.kind != "not"
            if unit.startswith("arena:"):
                prompts += 1
                kept += found
            if unit in gold:
                wanted = gold[unit]["class"] != "not"
                key = ("right " if wanted == found else "wrong ") + ("kept" if found else "left")
                counts[gold[unit]["half"]][key] += 1
    out: dict[str, object] = {"task prompts kept": f"{kept} of {prompts}"}
    for half, c in counts.items():
        out[half] = {
            "units": c.total(), "precision": round(c["right kept"] / max(c["right kept"] + c["wrong kept"], 1), 3),
            "recall": round(c["right kept"] / max(c["right kept"] + c["wrong left"], 1), 3),
        }  # fmt: skip
    return out


def pairs(data: Path) -> dict[str, object]:
    """Precision of the pairs on the labelled sample. A pair without a verdict counts as wrong and is told."""
    verdicts = {(r["unit"], r["attribute"], r["value"]): r["right"] == "yes" for r in rows("mining_pairs.csv")}
    half = {row["unit"]: row["half"] for row in rows("mining.csv")}
    counts: dict[str, Counter[str]] = {"tune": Counter(), "final": Counter()}
    for unit, conversation in units(data):
        if unit in half:
            found = {
                (unit, m.attribute if m.frame == "cue" else f"{m.frame}: {m.topic}", m.value)
                for m in (d.mention for d in listen(conversation).disclosures)
            }
            for pair in found:
                known = verdicts.get(pair)
                counts[half[unit]]["unread" if known is None else "right" if known else "wrong"] += 1
    return {
        name: {**c, "precision": round(c["right"] / max(c.total(), 1), 3)} for name, c in counts.items() if c["right"]
    }


def copies(data: Path, path: Path, times: int, *, distinct: bool) -> None:
    """The corpus ``times`` over as one file of messages; ``distinct`` copies are of other people, word for word alike but for one."""
    with path.open("w", encoding="utf-8") as handle:
        for copy in range(times):
            for unit, conversation in units(data):
                mark = f" ({copy})" if distinct and copy else ""
                turns = [
                    {"role": "user" if t.person else "assistant", "content": t.text + (mark if t.person else "")}
                    for t in conversation.turns
                ]
                name = f"{unit}-{copy}" if distinct else unit
                handle.write(json.dumps({"id": name, "messages": turns}) + "\n")


def speed(data: Path, times: int, distinct: int) -> dict[str, object]:
    """The whole command over the corpus, over it repeated, and over copies that count as other people."""
    out: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = [sys.executable, "-m", "deeppersona", "mine"]
        plain = [*base, str(data), "--out", f"{folder}/once"]
        took = watched(plain)
        out["the corpus"] = {"seconds": round(took.seconds, 1), "peak MB": round(took.peak / 1e6)}
        for label, n, differ in (("repeated", times, False), ("of other people", distinct, True)):
            corpus = Path(folder) / f"{label.replace(' ', '-')}.jsonl"
            copies(data, corpus, n, distinct=differ)
            took = watched([*base, str(corpus), "--out", f"{folder}/{label.replace(' ', '-')}-out"])
            out[f"{n} times, {label}"] = {
                "seconds": round(took.seconds, 1),
                "peak MB": round(took.peak / 1e6),
                "MB of text": round(corpus.stat().st_size / 1e6),
            }
            corpus.unlink()
    return out


def proposals(data: Path, n: int, seed: int) -> dict[str, object]:
    """New attributes at random, to be read: human, clear, fillable, no duplicate of the base."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "deeppersona", "mine", str(data), "--out", f"{folder}/out"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        report = json.loads(Path(f"{folder}/out/mining/report.json").read_text("utf-8"))
    new = sorted(report["new"], key=lambda a: a["path"])
    return {"all": len(new), "drawn": random.Random(seed).sample(new, min(n, len(new)))}  # noqa: S311 - no secret


def main() -> None:
    """Run one measurement and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("filter", "pairs", "speed", "proposals"))
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder of the four corpora named in docs/methods/mining.md"
    )
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=50, help="speed: the corpus so many times over")
    parser.add_argument("--distinct", type=int, default=5, help="speed: so many copies that count as other people")
    args = parser.parse_args()
    found = {
        "filter": lambda: the_filter(args.data), "pairs": lambda: pairs(args.data), "speed": lambda: speed(args.data, args.times, args.distinct),
        "proposals": lambda: proposals(args.data, args.n, args.seed),
    }[args.what]()  # fmt: skip
    found["peak MB of this process"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
