"""Measure what the README states, on this machine: speed, memory, start, fidelity, contradictions, sameness, taxonomy.

``python benchmarks/run.py`` runs all; ``python benchmarks/run.py speed fidelity`` some; ``--json`` prints data.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import deeppersona as dp
from deeppersona.evaluation import diversity
from deeppersona.evaluation.audit import TELLS_NOTHING, audit
from deeppersona.evaluation.distribution import against_table
from deeppersona.facts.tables import AGES, EDUCATION_AND_CHILD, shipped_facts
from deeppersona.generation.fill import Fill
from deeppersona.population.validators import validate
from deeppersona.study import engine_for, make_plan

TEN = ("KE", "IN", "BR", "DE", "JP", "US", "NG", "EG", "ID", "MX")
_CHILD = (
    "import resource, sys; from pathlib import Path; from deeppersona import study, shipped_taxonomy; t = shipped_taxonomy();"
    "plan = study.make_plan(int(sys.argv[1]), ['KE', 'DE', 'IN', 'BR'], seed=1, taxonomy=t);"
    "study.run(plan, Path(sys.argv[2]), t, workers=1);"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def machine() -> dict[str, Any]:
    """What this was measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__,
            "system": platform.platform(terse=True)}  # fmt: skip


def _pinned(arguments: list[str]) -> tuple[float, str]:
    """Run a command on one core; returns (seconds, what it printed)."""
    began = time.perf_counter()
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, {0})) if hasattr(os, "sched_setaffinity") else None,
    )  # fmt: skip
    return time.perf_counter() - began, done.stdout


def speed() -> dict[str, Any]:
    """1,000 people at depth 220 with portrait and stories, written to disk, on one core; memory at 1,000 and 4,000."""
    out: dict[str, Any] = {}
    for n in (1000, 4000):
        runs = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                seconds, printed = _pinned([sys.executable, "-c", _CHILD, str(n), f"{folder}/run"])
                size = sum(p.stat().st_size for p in Path(folder).rglob("*.jsonl"))
            runs.append((seconds, int(printed) / 1024))
        seconds = statistics.median(s for s, _ in runs)
        out[f"n={n}"] = {
            "whole command, s": round(seconds, 2),
            "people a second": round(n / seconds),
            "peak MB": round(max(m for _, m in runs)),
            "kB a person": round(size / n / 1000, 1),
        }
    began = time.perf_counter()
    plan = make_plan(2000, list(TEN[:4]), seed=2)
    engine = engine_for(plan, dp.shipped_taxonomy())
    ready = time.perf_counter() - began
    engine.make(range(500))
    began = time.perf_counter()
    engine.make(range(500, 2000))
    out["engine alone"] = {"ready, s": round(ready, 2), "people a second": round(1500 / (time.perf_counter() - began))}
    return out


def start() -> dict[str, Any]:
    """Seconds of ``deeppersona --help`` and of ``import deeppersona``, median of 7."""
    script = str(Path(sys.executable).parent / "deeppersona")
    helps = [_pinned([script, "--help"])[0] for _ in range(7)]
    imports = [_pinned([sys.executable, "-c", "import deeppersona"])[0] for _ in range(7)]
    return {"--help, s": round(statistics.median(helps), 3), "import, s": round(statistics.median(imports), 3)}


def fidelity(n: int = 20_000) -> dict[str, Any]:
    """Total variation to the source tables over n adults of each of ten countries, over that of a perfect random sample."""
    facts = shipped_facts()
    out: dict[str, Any] = {}
    for code in TEN:
        country = facts.country(code)
        engine = engine_for(make_plan(n, code, seed=11), dp.shipped_taxonomy())
        cells: Counter[tuple[int, int, int]] = Counter()
        drawn: dict[str, list[Any]] = {"age x sex x education": [], "religion": [], "language": [], "urban": []}
        for begin in range(0, n, 2000):
            cohort = engine.cohort(range(begin, min(begin + 2000, n)))
            c, model = cohort.columns, cohort.models[code]
            cells.update(zip((c["age"] // 5).tolist(), c["sex"].tolist(), c["education"].tolist(), strict=True))
            drawn["religion"] += [(model.belief.groups[b], model.belief.branches[b]) for b in c["belief"]]
            drawn["language"] += [model.belief.languages[t] for t in c["tongue"]]
            drawn["urban"] += c["urban"].tolist()
        drawn["age x sex x education"] = list(cells.elements())
        people, _ = facts.age_sex_education(country)
        target: dict[Any, float] = {}
        for age in range(18, AGES):
            for s in range(2):
                for level in range(len(EDUCATION_AND_CHILD) - 1):
                    key = (age // 5, s, level)
                    target[key] = target.get(key, 0.0) + float(people[age, s, level])
        religion, language = facts.religion(country), facts.language(country)
        urban = facts.figure(country, "urban_share").value
        targets: dict[str, dict[Any, float]] = {
            "age x sex x education": target,
            "religion": {
                (r["religion"], r["branch"]): float(x) for r, x in zip(religion.rows, religion.share, strict=True)
            },
            "language": {r["language"]: float(x) for r, x in zip(language.rows, language.share, strict=True)},
            "urban": {0: urban, 1: 1 - urban},
        }
        out[code] = {}
        for name, sample in drawn.items():
            d = against_table(sample, targets[name])
            out[code][name] = {"tv": round(d.value, 5), "chance": round(d.chance, 5), "ratio": round(d.ratio, 2)}
    return out


def contradictions(n: int = 10_000) -> dict[str, Any]:
    """Contradictions the validators find over n adults of the whole world, and the fill rate of selected slots."""
    taxonomy = dp.shipped_taxonomy()
    engine = engine_for(make_plan(n, "world", seed=5), taxonomy)
    issues: Counter[str] = Counter()
    made = selected = 0
    for begin in range(0, n, 500):
        batch = engine.make(range(begin, begin + 500))
        for record in batch.records:
            persona = dp.Persona.model_validate(record)
            made += 1
            selected += sum(t.source == "prior" for t in persona.traits)
            issues.update(issue.rule for issue in validate(persona, taxonomy))
    return {"people": made, "contradictions": sum(issues.values()), "by rule": dict(issues),
            "filled of selected": round(selected / (made * 220), 4)}  # fmt: skip


def taxonomy() -> dict[str, Any]:
    """Load of the compiled tree, paths over 500 people of the world, what a trial on 50,000 people finds."""
    load = "import time; from deeppersona.taxonomy.read import SHIPPED, read_taxonomy; t = time.perf_counter(); read_taxonomy(SHIPPED); print(time.perf_counter() - t)"
    loads = [float(_pinned([sys.executable, "-c", load])[1]) for _ in range(7)]
    tree = dp.shipped_taxonomy()
    people = dp.generate(500, seed=29)
    paths = [frozenset(t.path for t in p.traits if t.source == "prior") for p in people]
    engine = engine_for(make_plan(500, seed=29), tree)
    fill = Fill(engine.priors, engine.cohort(range(500)))
    applicable = {engine.priors.attributes[i].path for i in np.nonzero(fill.pool().any(axis=0))[0]}
    tried = audit(tree, 50_000, seed=1)
    asked = [a for a in tried.answers if a.asked >= 200]
    return {
        "load warm, s": round(statistics.median(loads), 3), "attributes": len(tree), "rules": len(tree.rules),
        "mean overlap of paths over 500": round(diversity.mean_overlap(paths), 3),
        "distinct paths over 500": len(frozenset().union(*paths)), "that apply to any of them": len(applicable),
        "share of those used": round(len(frozenset().union(*paths)) / len(applicable), 4),
        "options": tried.options, "options never drawn in 50,000": len(tried.never),
        "attributes where an answer takes over 95%": sum(a.top[1] > TELLS_NOTHING for a in asked),
        "median entropy, bits": round(statistics.median(a.entropy for a in asked), 2),
        "attributes a person can have, median": int(np.median(tried.pool)),
    }  # fmt: skip


def sameness() -> dict[str, Any]:
    """Coverage and overlap over 100 people, sameness of 200 portraits and their stories."""
    people = dp.generate(200, ["KE", "DE", "IN", "BR", "JP", "US", "NG", "FR"], seed=13)
    hundred = people[:100]
    pool = sum(a.kind != "text" for a in dp.shipped_taxonomy())
    paths = [frozenset(t.path for t in p.traits if t.source == "prior") for p in hundred]
    portraits = [p.narrative for p in people]
    stories = [s.text for p in people for s in p.stories]
    return {
        "distinct paths over 100": len(frozenset().union(*paths)), "fillable attributes": pool,
        "mean overlap of paths": round(diversity.mean_overlap(paths), 3),
        "mean cosine of portraits": round(diversity.mean_similarity(portraits[:100]), 3),
        "identical openings (5 words)": round(diversity.identical_openings(portraits), 4),
        "distinct-2 of portraits": round(diversity.distinct(portraits), 3),
        "self-BLEU of portraits": round(diversity.self_bleu(portraits), 3),
        "identical openings of stories": round(diversity.identical_openings(stories), 4),
        "distinct-2 of stories": round(diversity.distinct(stories), 3),
        "self-BLEU of stories": round(diversity.self_bleu(stories), 3),
        "words a portrait": round(statistics.mean(len(t.split()) for t in portraits)),
        "words a story": round(statistics.mean(len(t.split()) for t in stories)),
    }  # fmt: skip


ALL: dict[str, Callable[[], dict[str, Any]]] = {
    "start": start, "speed": speed, "fidelity": fidelity, "contradictions": contradictions, "sameness": sameness,
    "taxonomy": taxonomy,
}  # fmt: skip


def report(benchmarks: dict[str, Callable[[], dict[str, Any]]], about: str | None) -> None:
    """Run the benchmarks named on the command line, or all, and print what they found beside the machine."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("names", nargs="*", choices=[*benchmarks, []], help="which (default: all)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"machine": machine()}
    for name in arguments.names or benchmarks:
        results[name] = benchmarks[name]()
        if not arguments.json:
            print(f"\n{name}: {(benchmarks[name].__doc__ or '').strip()}")
            for key, value in results[name].items():
                print(f"  {key}: {value}", flush=True)
    if arguments.json:
        print(json.dumps(results, indent=1))
    else:
        print(f"\non {results['machine']}")


if __name__ == "__main__":
    report(ALL, __doc__)
