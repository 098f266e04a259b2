"""The fidelity report of a population as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from deeppersona.runtime.store import write_whole

JSON, PAGE = "fidelity.json", "fidelity.html"


def write_report(out: Path, report: Mapping[str, Any]) -> None:
    """Write ``fidelity.json`` and ``fidelity.html`` into a run folder."""
    from jinja2.sandbox import SandboxedEnvironment

    page = resources.files("deeppersona.evaluation").joinpath("fidelity.html").read_text("utf-8")
    environment = SandboxedEnvironment(autoescape=True)
    environment.filters |= {"whole": _whole, "pct": _percent, "p": _p}
    by_ways = {
        k: sorted(
            (j for j in report["joints"] if len(j["dims"]) == k), key=lambda j: -(j["tv"] / max(j["floor"], 1e-9))
        )
        for k in (1, 2, 3)
    }
    top = max((m["share"] for rows in report["margins"].values() for m in rows), default=1.0)
    text = environment.from_string(page).render(r=report, by_ways=by_ways, top=max(top, 1e-9), name=out.resolve().name)
    write_whole(out / JSON, json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")
    write_whole(out / PAGE, text.encode())


def _whole(x: float) -> str:
    return f"{x:,.0f}"


def _percent(x: float) -> str:
    return f"{100 * x:.1f} %" if x >= 0.1 else f"{100 * x:.2f} %"


def _p(x: float) -> str:
    return "< 0.001" if x < 0.001 else f"{x:.3f}"
