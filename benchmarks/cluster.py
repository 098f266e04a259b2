"""Two Ray nodes of one processor each against one, the same work in all: how much quicker, and whether to the same bytes.

``python benchmarks/cluster.py [--people N] [--depth N]``; needs the extra [ray] and two free cores. The clusters are on this
machine; starting them is not counted. "once warm" leaves out connecting and the first part of each node, which builds its engine: parts
are then timed as they come to the driver, which writes them into a run folder as ever. (Not called ray.py: that would hide Ray.)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import deeppersona as dp
from deeppersona.runtime.ray import ray_at
from deeppersona.runtime.store import PART_SIZE


def fingerprint(run: Path) -> str:
    """``sha256`` over the parts and failures of a run."""
    digest = hashlib.sha256()
    for file in [*sorted((run / "personas").iterdir()), run / "failures.jsonl", run / "plan.json"]:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def on_nodes(nodes: int, plan: dp.Plan, out: Path) -> dict[str, Any]:
    """Make a plan on a cluster of nodes of one processor each; seconds for all of it, and people a second once warm."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=1)
    came: list[tuple[float, int]] = []
    began = time.perf_counter()
    try:
        dp.run(plan, out, dp.shipped_taxonomy(), over=ray_at(cluster.address),
               progress=lambda people: came.append((time.perf_counter(), people)))  # fmt: skip
    finally:
        seconds = time.perf_counter() - began
        cluster.shutdown()
    warm = came[nodes:]  # progress is told once of what was there before: nothing
    people = sum(n for _, n in warm[1:])
    return {
        "seconds": round(seconds, 1),
        "warm_per_s": round(people / (warm[-1][0] - warm[0][0]), 1),
        "sha256": fingerprint(out),
    }


def main() -> None:
    """Run both and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--depth", type=int, default=220)
    asked = parser.parse_args()
    plan = dp.make_plan(max(asked.people, 6 * PART_SIZE), ["KE", "DE", "IN", "BR"], seed=1, depth=asked.depth)
    with tempfile.TemporaryDirectory() as folder:
        one, two = (on_nodes(nodes, plan, Path(folder) / str(nodes) / "run") for nodes in (1, 2))
    print(
        json.dumps(
            {
                "people": plan.n, "depth": plan.depth, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
                "one": one, "two": two, "speed-up of all": round(one["seconds"] / two["seconds"], 2),
                "speed-up once warm": round(two["warm_per_s"] / one["warm_per_s"], 2),
                "same bytes": one["sha256"] == two["sha256"],
            },
            indent=1,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
