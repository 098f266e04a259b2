"""The comparison and the rectification as JSON and as a page that a social scientist can check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from deeppersona.evaluation.survey.worldmap import backdrop
from deeppersona.runtime.disk import told, write_whole
from deeppersona.runtime.page import page

_SIDE, _MARGIN = 560.0, 46.0


def write_comparison(out: Path, report: Mapping[str, Any]) -> None:
    """Write ``compare.json`` and ``compare.html`` into a folder, made if it is not there.

    Raises:
        StoreError: it cannot be written.

    """
    picture = world_map(report["map"]) if report.get("map") else ""
    _write(out, "compare", report, picture=picture)


def write_rectification(out: Path, report: Mapping[str, Any]) -> None:
    """Write ``rectify.json`` and ``rectify.html`` into a folder, made if it is not there.

    Raises:
        StoreError: it cannot be written.

    """
    _write(out, "rectify", report)


def _write(out: Path, name: str, report: Mapping[str, Any], **more: Any) -> None:
    text = page("deeppersona.evaluation.survey", f"{name}.html", r=report, name=out.resolve().name, **more)
    with told("creating", out):
        out.mkdir(parents=True, exist_ok=True)
    write_whole(
        out / f"{name}.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    )
    write_whole(out / f"{name}.html", text.encode())


def world_map(places: Mapping[str, Any]) -> str:
    """The Inglehart-Welzel plane as SVG: ours (filled) and humans (ring) of every country joined by a line, the world pale behind."""
    behind = backdrop()
    points = [*behind.values()]
    for p in places.values():
        points += [p["ours"], p["humans"], p["ours low"], p["ours high"]]
    low, high = (tuple(f(p[k] for p in points) for k in (0, 1)) for f in (min, max))
    span = [max(high[k] - low[k], 1e-9) for k in (0, 1)]

    def at(point: list[float]) -> tuple[float, float]:
        x = _MARGIN + (point[0] - low[0]) / span[0] * (_SIDE - 2 * _MARGIN)
        return round(x, 1), round(_SIDE - _MARGIN - (point[1] - low[1]) / span[1] * (_SIDE - 2 * _MARGIN), 1)

    parts = [f'<svg viewBox="0 0 {_SIDE:.0f} {_SIDE:.0f}" role="img" class="chart" aria-label="Inglehart-Welzel map">']
    for code, place in behind.items():
        x, y = at(place)
        if code not in places:
            parts.append(f'<circle cx="{x}" cy="{y}" r="2.5" fill="var(--edge)" opacity=".4"/>')
    for code, p in places.items():
        (ax, ay), (bx, by) = at(p["ours"]), at(p["humans"])
        parts.append(f'<line x1="{ax}" y1="{ay}" x2="{bx}" y2="{by}" stroke="var(--soft)" stroke-width="1"/>')
        (x0, y0), (x1, y1) = at(p["ours low"]), at(p["ours high"])
        parts.append(f'<path d="M{x0} {ay}H{x1}M{ax} {y0}V{y1}" stroke="var(--ours)" stroke-width="1.5" opacity=".6"/>')
        parts.append(f'<circle cx="{bx}" cy="{by}" r="5" fill="var(--page)" stroke="var(--human)" stroke-width="2"/>')
        parts.append(f'<circle cx="{ax}" cy="{ay}" r="4.5" fill="var(--ours)"/>')
        parts.append(f'<text x="{bx + 8}" y="{by + 4}" class="label">{escape(code)}</text>')
    middle = _SIDE / 2
    parts.append(f'<text x="{middle}" y="{_SIDE - 12}" text-anchor="middle">survival to self-expression</text>')
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" {turned} text-anchor="middle">traditional to secular</text></svg>')
    return "".join(parts)
