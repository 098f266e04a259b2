"""The fidelity report of a population as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.page import page

JSON, PAGE = "fidelity.json", "fidelity.html"


def write_report(out: Path, report: Mapping[str, Any]) -> None:
    """Write ``fidelity.json`` and ``fidelity.html`` into a run folder."""
    by_ways = {
        k: sorted(
            (j for j in report["joints"] if len(j["dims"]) == k), key=lambda j: -(j["tv"] / max(j["floor"], 1e-9))
        )
        for k in (1, 2, 3)
    }
    top = max((m["share"] for rows in report["margins"].values() for m in rows), default=1.0)
    values = {"r": report, "by_ways": by_ways, "top": max(top, 1e-9), "name": out.resolve().name}
    text = page("deeppersona.evaluation", "fidelity.html", **values)
    write_whole(out / JSON, json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")
    write_whole(out / PAGE, text.encode())
