"""Populations measured: nationally representative samples, a million pupils, deep adults by the ten thousand.

    python benchmarks/population.py national            # 20 countries, n = 2,000 each, with and without quotas
    python benchmarks/population.py students -n 1000000 # quota-exact, checked, without doubles: time and memory of the whole command
    python benchmarks/population.py adults -n 10000 50000 200000   # depth 220: is time a person the same?

Everything runs as a user would run it (the command, in a process of its own); memory is the peak of all its processes together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from deeppersona import populate
from deeppersona.population.spec import parse_spec, preset
from deeppersona.taxonomy.read import shipped_taxonomy
from watched import Watched, watched

COUNTRIES = (
    "US", "MX", "BR", "AR", "GB", "DE", "FR", "IT", "PL", "RU", "TR", "EG", "NG", "ET", "KE", "ZA", "IN", "ID", "CN", "JP",
)  # fmt: skip


def timed(*arguments: str) -> Watched:
    """Run the command."""
    return watched([sys.executable, "-m", "deeppersona", *arguments])


def national(folder: Path) -> None:
    """Every margin, and age x sex x education, of 20 countries against the figures; Holm over all tables of all countries."""
    taxonomy, base = shipped_taxonomy(), preset("national")
    for name, quotas in (("drawn, no quota", ()), ("with quotas", base.quota)):
        found = []
        for code in COUNTRIES:
            raw = base.model_dump() | {
                "n": 2000,
                "depth": 20,
                "quota": [q.model_dump() for q in quotas],
                "duplicates": "off",
                "check": 0,
            }
            raw["base"]["country"] = code
            raw["report"]["on"] = [
                "sex",
                "age",
                "education",
                "urban",
                "marital_status",
                "employment_status",
                "religion",
            ]
            spec = parse_spec(raw, "national")
            made = populate.populate(populate.mean(spec, taxonomy), folder / f"{code}-{len(quotas)}", taxonomy)
            assert made.report is not None
            found += [(code, j) for j in made.report["joints"]]
            error = made.report["quota_error"]
            assert error == 0, (code, error)
        ways = {k: [(c, j) for c, j in found if len(j["dims"]) == k] for k in (1, 2, 3)}
        print(f"{name}: {len(COUNTRIES)} countries, n = 2,000")
        for k, tables in ways.items():
            p = sorted(j["p"] for _, j in tables)
            worst = min(p[i] * (len(found) - i) for i in range(len(p)))
            ratio = sum(j["tv"] / j["floor"] for _, j in tables) / len(tables)
            print(
                f"  {k}-way: {len(tables)} tables, smallest p {p[0]:.4f} (Holm over all: {min(1.0, worst):.3f}), total variation {ratio:.2f} of a random sample's"
            )
        joint = [(c, j) for c, j in ways[3] if set(j["dims"]) == {"age", "sex", "education"}]
        code, worst_joint = min(joint, key=lambda cj: cj[1]["p"])
        print(
            f"  age x sex x education: smallest p {worst_joint['p']:.3f} ({code}), largest total variation {max(j['tv'] for _, j in joint):.4f}"
        )


def students(folder: Path, numbers: list[int], workers: int) -> None:
    """The whole command for pupils: seconds, memory, quota error, rule violations, doubles."""
    for n in numbers:
        out = folder / f"students-{n}"
        took = timed(
            "population",
            "--preset",
            "students",
            "-n",
            str(n),
            "--depth",
            "40",
            "--workers",
            str(workers),
            "--out",
            str(out),
            "--json",
        )
        r = json.loads(took.out.splitlines()[-1])
        size = sum(f.stat().st_size for f in (out / "personas").iterdir())
        print(
            f"{n:,} pupils: {took.seconds:.0f} s, {1000 * took.seconds / n:.3f} ms each ({1000 * took.cpu / n:.3f} ms of processor time), {took.peak / 1e6:,.0f} MB at most, {size / n:,.0f} bytes each; quota error "
            f"{r['quota_error']:.0f}, {r['violations']} violations in {r['checked']:,} read back, {r['duplicates']['found']} doubles found, {r['duplicates']['replaced']} replaced, {r['failures']} empty",
            flush=True,
        )


def adults(folder: Path, numbers: list[int], workers: int) -> None:
    """Deep adults of one command: whether the time a person stays the same, and memory flat."""
    for n in numbers:
        out = folder / f"adults-{n}"
        took = timed(
            "population", "--preset", "national", "-n", str(n), "--workers", str(workers), "--out", str(out), "--json"
        )
        r = json.loads(took.out.splitlines()[-1])
        size = sum(f.stat().st_size for f in (out / "personas").iterdir())
        print(
            f"{n:,} adults, depth 220: {took.seconds:.0f} s, {1000 * took.seconds / n:.3f} ms each ({1000 * took.cpu / n:.3f} ms of processor time), {took.peak / 1e6:,.0f} MB at most, {size / n:,.0f} bytes each; quota error {r['quota_error']:.0f}, "
            f"{r['duplicates']['found']} doubles, {r['violations']} contradictions in {r['checked']:,} checked",
            flush=True,
        )
        shutil.rmtree(out)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("national", "students", "adults"))
    parser.add_argument("-n", type=int, nargs="+", default=[10_000])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if asked.what == "national":
            national(folder)
        else:
            (students if asked.what == "students" else adults)(folder, asked.n, asked.workers)


if __name__ == "__main__":
    main()
