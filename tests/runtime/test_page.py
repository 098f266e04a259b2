"""The frame that report pages share."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deeppersona.runtime import page as shared
from deeppersona.runtime.page import COLOURS, chance, colour, page, percent, signed, three, two, whole

SRC = Path(shared.__file__).parents[1]
REPORTS = {
    "deeppersona.mining": "report.html",
    "deeppersona.refinement": "report.html",
    "deeppersona.evaluation": "fidelity.html",
    "deeppersona.evaluation.survey": "compare.html",
}
_STYLE = (SRC / "runtime" / "page.css").read_text("utf-8")


@pytest.mark.parametrize(("package", "template"), [*REPORTS.items(), ("deeppersona.evaluation.survey", "rectify.html")])
def test_reports_use_the_frame_and_bring_no_style_of_their_own(package: str, template: str) -> None:
    text = (SRC / Path(*package.split(".")[1:]) / template).read_text("utf-8")
    assert text.startswith('{% extends "page.html" %}')
    for own in ("<style", "<script", "<html", ":root", "http://", "https://"):
        assert own not in text


def test_every_colour_is_known_in_light_and_dark() -> None:
    light, dark = _STYLE.split("@media (prefers-color-scheme: dark)", 1)
    for name in COLOURS:
        for scheme in (light, dark.split("}\n", 1)[0]):
            assert re.search(rf"{name.removeprefix('var(').removesuffix(')')}: #[0-9a-f]{{6}};", scheme), name
    assert colour(0) == colour(len(COLOURS))
    assert len(set(COLOURS)) == len(COLOURS)


def test_every_variable_that_is_used_is_set() -> None:
    templates = "".join(p.read_text("utf-8") for p in (SRC / "evaluation").rglob("*.html"))
    pictures = (SRC / "evaluation" / "survey" / "report.py").read_text("utf-8")
    used = set(re.findall(r"var\((--[\w-]+)\)", _STYLE + templates + pictures))
    assert used <= set(re.findall(r"(--[\w-]+):", _STYLE))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def test_what_is_put_in_is_escaped_and_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "made_for_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "own.html").write_text(
        '{% extends "page.html" %}{% block title %}{{ t }}{% endblock %}{% block body %}{{ x }} {{ 1234.5 | n }}{% endblock %}'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = page("made_for_test", "own.html", t="<script>a</script>", x="<em>", name="<svg>")
    tags = _Tags()
    tags.feed(text)
    assert not {"script", "em", "svg"} & set(tags.seen)
    assert tags.seen.count("h1") == 1
    assert "Synthetic people" in text
    assert "1,234" in text
    assert "default-src 'none'" in text


def test_figures_in_words() -> None:
    assert (whole(1234.4), percent(0.1234), percent(0.0012), percent(0)) == ("1,234", "12.3 %", "0.12 %", "0.0 %")
    assert (two(1.005), three(0.12345), signed(-0.5), chance(0.0001), chance(0.25)) == (
        "1.00", "0.123", "-0.50", "< 0.001", "0.250",
    )  # fmt: skip
    assert {f(None) for f in (whole, percent, two, three, signed, chance)} == {"–"}
