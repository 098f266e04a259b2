"""The page of a run: errors by window beside the yardsticks, gaps with intervals, who was helped, how one persona went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from deeppersona.refinement.figures import order
from deeppersona.refinement.run import Refined
from deeppersona.runtime.disk import write_whole

PAGE = "report.html"
_WIDTH, _HEIGHT, _LEFT, _TOP = 640, 260, 46, 14
_COLOURS = ("#3b6ea5", "#b5612c", "#5a8a4a", "#8a5a9a", "#7a7a7a", "#c0a030")


def write_page(refined: Refined) -> None:
    """Write ``report.html`` into the run folder."""
    from jinja2.sandbox import SandboxedEnvironment

    report = refined.report
    shown = [
        name
        for name in (report["method"], *report["plan"]["compare"], "user-median", "population-median")
        if name in report["future"]
    ]
    page = resources.files("deeppersona.refinement").joinpath("report.html").read_text("utf-8")
    text = SandboxedEnvironment(autoescape=True).from_string(page).render(
        r=report, story=refined.story, name=refined.out.resolve().name, chart=chart({name: report["future"][name] for name in shown}),
        lines=list(zip(shown, _COLOURS, strict=False)), ranks=order(report["future"], _last(report)), last=_last(report),
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
    step = (_WIDTH - _LEFT - 10) / max(n - 1, 1)

    def y(e: float) -> float:
        return _TOP + (_HEIGHT - 2 * _TOP - 14) * (1 - e / top)

    parts = []
    for k in range(5):
        e = top * k / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y(e):.1f}" y2="{y(e):.1f}" stroke="#8884"/><text x="2" y="{y(e) + 4:.1f}">{e:.2f}</text>'
        )
    parts += [f'<text x="{_LEFT + k * step - 8:.1f}" y="{_HEIGHT - 4}">W{k}</text>' for k in range(n)]
    for (_, line), colour in zip(lines.items(), _COLOURS, strict=False):
        points = [(k, e) for k, e in enumerate(line) if e is not None]
        path = " ".join(f"{_LEFT + k * step:.1f},{y(e):.1f}" for k, e in points)
        wide = 3 if colour == _COLOURS[0] else 1.5
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{wide}"/>')
        parts += [
            f'<circle cx="{_LEFT + k * step:.1f}" cy="{y(e):.1f}" r="{wide + 0.5}" fill="{colour}"/>' for k, e in points
        ]
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="mean absolute error by window" font-size="11" fill="currentColor">{inner}</svg>'
