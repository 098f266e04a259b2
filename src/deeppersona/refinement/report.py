"""The page of a run: errors by window beside the yardsticks, gaps with intervals, who was helped, how one persona went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deeppersona.refinement.figures import STRUCTURED, order
from deeppersona.refinement.run import Refined
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.page import colour, page

PAGE = "report.html"
_WIDTH, _HEIGHT, _LEFT, _TOP = 640, 260, 46, 14


def write_page(refined: Refined) -> None:
    """Write ``report.html`` into the run folder."""
    report = refined.report
    shown = [
        name
        for name in (report["method"], *report["plan"]["compare"], STRUCTURED, "user-median", "population-median")
        if name in report["future"]
    ]
    text = page(
        "deeppersona.refinement", "report.html", r=report, story=refined.story, paid=refined.paid, name=refined.out.resolve().name, chart=chart({name: report["future"][name] for name in shown}),
        lines=[(name, colour(k)) for k, name in enumerate(shown)], ranks=order(report["future"], _last(report)), last=_last(report),
        evolved=chart({"this person": [s["error"] for s in refined.story["rounds"]], "user-median": [s["user median"] for s in refined.story["rounds"]]}),
    )  # fmt: skip
    write_whole(refined.out / PAGE, text.encode())


def _last(report: Mapping[str, Any]) -> int:
    known = [k for k, e in enumerate(report["future"][report["method"]]) if e is not None]
    return known[-1] if known else 0


def chart(lines: Mapping[str, Sequence[float | None]]) -> str:
    """Lines by window as an SVG picture, the first of them drawn thicker; the scale begins at 0 and says so."""
    top = max((e for line in lines.values() for e in line if e is not None), default=1.0) * 1.05 or 1.0
    n = max((len(line) for line in lines.values()), default=1)
    step = (_WIDTH - _LEFT - 18) / max(n - 1, 1)

    def y(e: float) -> float:
        return _TOP + (_HEIGHT - 2 * _TOP - 14) * (1 - e / top)

    parts = []
    for k in range(5):
        e = top * k / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y(e):.1f}" y2="{y(e):.1f}" class="grid"/><text x="2" y="{y(e) + 4:.1f}">{e:.2f}</text>'
        )
    parts += [f'<text x="{_LEFT + k * step:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">W{k}</text>' for k in range(n)]
    for k, line in enumerate(lines.values()):
        shade, wide = colour(k), 1.5 if k else 3
        points = [(w, e) for w, e in enumerate(line) if e is not None]
        path = " ".join(f"{_LEFT + w * step:.1f},{y(e):.1f}" for w, e in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{shade}" stroke-width="{wide}"/>')
        parts += [
            f'<circle cx="{_LEFT + w * step:.1f}" cy="{y(e):.1f}" r="{wide + 0.5}" fill="{shade}"/>' for w, e in points
        ]
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="chart" aria-label="mean absolute error by window">{inner}</svg>'
