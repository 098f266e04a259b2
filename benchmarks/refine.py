"""Measure ``deeppersona refine`` in its structured form: every method and yardstick, by domain and window.

    python benchmarks/refine.py methods --data BEHAVIOUR   # mean absolute error, intervals, order of the methods, time
    python benchmarks/refine.py parts --data BEHAVIOUR     # what the item prior, and the wording, are worth
    python benchmarks/refine.py words --data BEHAVIOUR     # what saying personas in five-level words costs, over everybody

BEHAVIOUR is a folder of ``ratings_<domain>.jsonl.gz``, windows of ten ratings a person a line; it is not ours to ship.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are small: threads only get in each other's way

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from deeppersona.refinement.behaviour import read_behaviour
from deeppersona.refinement.figures import interval
from deeppersona.refinement.methods import METHODS, structured
from deeppersona.refinement.past import Past
from deeppersona.refinement.preference import Preferences, answers, mean_error
from deeppersona.refinement.rounds import Rounds, go
from deeppersona.refinement.words import in_words, of_words, told
from deeppersona.runtime.seed import Floats

SEED = 7
LAST = 5  # the window that figures are compared at: google_local has none after it


def _means(rounds: Rounds[Preferences]) -> dict[str, list[float]]:
    return {
        name: [round(float(x), 4) for x in np.nanmean(o.future[:, 1 : LAST + 1], axis=0)]
        for name, o in rounds.all.items()
    }


def methods(path: Path) -> dict[str, Any]:
    """All methods over one domain; gaps of ``deeper`` with intervals over people."""
    began = time.process_time()
    behaviour = read_behaviour(path)
    rounds = go(behaviour, [structured(name) for name in METHODS])
    gaps: dict[str, Any] = {}
    own = rounds.all["deeper"].future
    for other in ("user-median", "full-regeneration", "incremental"):
        gap = own - rounds.all[other].future
        found = interval(gap[:, LAST], SEED)
        gaps[other] = None if found is None else [round(x, 4) for x in found]
    helped = own[:, 1 : LAST + 1] - rounds.all["user-median"].future[:, 1 : LAST + 1]
    by_person = _mean_rows(helped)
    return {
        "domain": behaviour.domain, "people": len(behaviour.streams), "left out": dict(behaviour.left), "future": _means(rounds),
        "current": {name: [round(float(x), 4) for x in np.nanmean(o.current[:, 1 : LAST + 1], axis=0)] for name, o in rounds.outcomes.items()},
        "W5 less": gaps, "helped": round(float((by_person < -1e-9).mean()), 3), "hurt": round(float((by_person > 1e-9).mean()), 3),
        "errors": {name: o.future[:, LAST].tolist() for name, o in rounds.all.items()}, "cpu_s": round(time.process_time() - began, 1),
    }  # fmt: skip


def _mean_rows(errors: Floats) -> Floats:
    known = np.isfinite(errors)
    return np.asarray(np.nansum(errors, axis=1)[known.any(axis=1)] / known.sum(axis=1)[known.any(axis=1)])


def parts(path: Path) -> dict[str, Any]:
    """``deeper`` and full regeneration without the item prior."""
    rounds = go(read_behaviour(path), [structured("deeper"), structured("full-regeneration")], use_items=False)
    return {"domain": read_behaviour(path).domain, "future": _means(rounds)}


def words(path: Path) -> dict[str, Any]:
    """Last personas said in words and read back: whether they answer the same, and what rounding to words costs at W5."""
    behaviour = read_behaviour(path)
    whole = type(behaviour)(tuple(type(s)(s.user, s.windows[:LAST]) for s in behaviour.streams), behaviour.domain)
    rounds = go(whole, [structured("deeper")])
    past = Past(rounds.scale, len(whole.streams))
    for t in range(LAST):
        past.take([s.windows[t] for s in whole.streams])
    prior, scale, same, as_exact, errors = past.prior(), rounds.scale, 0, [0, 0], []
    for stream, persona in zip(behaviour.streams, rounds.outcomes["deeper"].personas, strict=True):
        window, rounded = stream.windows[LAST], told(persona, scale)
        read = of_words(in_words(persona, scale), scale)
        given, exact = answers(read, window, prior, scale), answers(persona, window, prior, scale)
        same += given == answers(rounded, window, prior, scale)
        as_exact[0] += sum(a == b for a, b in zip(given, exact, strict=True))
        as_exact[1] += len(window)
        if window:
            errors.append((mean_error(persona, window, prior, scale), mean_error(read, window, prior, scale)))
    exact_error, told_error = np.mean(errors, axis=0)
    return {
        "domain": behaviour.domain, "people": len(behaviour.streams), "text predicts what the rounded persona does": same,
        "answers as of the unrounded persona": round(as_exact[0] / as_exact[1], 4),
        "W5": round(float(exact_error), 4), "W5 from the words": round(float(told_error), 4), "cost": round(float(told_error - exact_error), 4),
    }  # fmt: skip


def _macro(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over domains, the order at W5, and an interval of the macro gaps: people drawn again within each domain."""
    future = {
        name: [round(float(x), 4) for x in np.mean([f["future"][name] for f in found], axis=0)]
        for name in found[0]["future"]
    }
    out: dict[str, Any] = {"future": future, "order at W5": sorted(future, key=lambda name: future[name][-1])}
    if "errors" in found[0]:
        rng_gaps = {}
        for other in ("user-median", "full-regeneration", "incremental"):
            gaps = [np.array(f["errors"]["deeper"]) - np.array(f["errors"][other]) for f in found]
            rng_gaps[other] = [round(x, 4) for x in _macro_interval([g[np.isfinite(g)] for g in gaps])]
        out["W5 less"] = rng_gaps
        out["domains below the user median at W5"] = sum(
            f["future"]["deeper"][-1] < f["future"]["user-median"][-1] for f in found
        )
    return out


def _macro_interval(gaps: Sequence[Floats], repeats: int = 1000) -> tuple[float, float, float]:
    """Mean over domains of mean gaps, with a 95% percentile interval."""
    rng = np.random.default_rng(SEED)
    drawn = np.mean([[rng.choice(g, len(g)).mean() for _ in range(repeats)] for g in gaps], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.mean([g.mean() for g in gaps])), float(low), float(high)


WHAT: dict[str, Callable[[Path], dict[str, Any]]] = {"methods": methods, "parts": parts, "words": words}


def main() -> None:
    """Measure over all domains of the folder, two processes at once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", action="append", help="Domains, by a part of the file's name.")
    asked = parser.parse_args()
    files = [
        f
        for f in sorted(asked.data.glob("ratings_*.jsonl.gz"))
        if not asked.only or any(o in f.name for o in asked.only)
    ]
    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(WHAT[asked.what], sorted(files, key=lambda f: -f.stat().st_size)))
    whole = _macro(found) if "future" in found[0] else {}
    for f in found:
        f.pop("errors", None)
        print(json.dumps(f, indent=1))
    print(json.dumps({"all domains": whole, "seconds": round(time.perf_counter() - began, 1)}, indent=1))


if __name__ == "__main__":
    main()
