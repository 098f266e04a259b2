"""Write the gallery of a run: ``index.html``, one file that needs nothing else, no server and no network.

What people say is data: it is carried as JSON with every ``<`` escaped and put on the page by ``textContent``. The
page's content security policy lets only its own script and style run, known by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import Any

import orjson
import yaml

from deeppersona.errors import UsageError
from deeppersona.runtime.store import RunFolder, write_whole
from deeppersona.schema.plan import Plan
from deeppersona.studio.pack import Pack
from deeppersona.studio.tally import EDUCATION_ORDER, Tally
from deeppersona.taxonomy.read import SHIPPED, shipped_taxonomy

_HERE = Path(__file__).parent
_SCRIPTS = ("base.js", "people.js", "person.js", "charts.js", "population.js", "gallery.js")
_STYLES = ("gallery.css", "pages.css")
_MARK = re.compile(r"\{\{(\w+)\}\}")
_BOOK_BUDGET = 2_350_000  # bytes packed, beyond which no more life books are carried


def write_gallery(folder: Path, *, limit: int = 200) -> Path:
    """Write ``index.html`` into a run folder and return its path.

    The charts count everybody in the run, read once and one at a time; the first ``limit`` people have pages. The
    same run gives the same bytes.

    Raises:
        UsageError: the folder is no run, or ``limit`` is below 0.
        StoreError: the run cannot be read, or the page cannot be written.

    """
    if limit < 0:
        raise UsageError(f"limit {limit} is below 0; say how many people get a page, as in --limit 200")
    run = RunFolder(folder)
    plan = run.plan()
    _, failures = run.counts()
    tally, pack, books = Tally(), Pack(), []
    for record in run.records():
        tally.add(record)
        if len(pack.people) < limit:
            pack.add(record)
            if record.get("book"):
                books.append((len(pack.people) - 1, str(record["book"])))
    carried = sum(pack.add_book(place, book, _BOOK_BUDGET) for place, book in books)
    name = run.path.resolve().name
    categories = category_titles()
    payload = {
        "run": {
            "name": name, "asked": plan.n, "failures": failures, "seed": plan.seed, "depth": plan.depth,
            "engine": plan.engine, "anchors": plan.anchors, "limit": limit, "books": [carried, len(books)],
        },
        "educationOrder": EDUCATION_ORDER,
        "categories": list(categories.items()),
        "answers": _answer_words(plan, pack.paths),
        "tables": pack.tables(),
        "people": pack.people,
        "population": tally.summary(categories),
    }  # fmt: skip
    page = folder / "index.html"
    write_whole(page, build(name, payload).encode())
    return page


def category_titles() -> dict[str, str]:
    """The titles of the shipped categories by key, in the order of the tree."""
    rows = yaml.safe_load((SHIPPED / "categories.yaml").read_text("utf-8"))
    return {row["key"]: row["title"] for row in rows}


def _answer_words(plan: Plan, paths: list[str]) -> dict[str, Any]:
    """What a number means, by the place of its path: the labels of a scale, or a unit. For the shipped tree only."""
    taxonomy = shipped_taxonomy()
    if taxonomy.fingerprint != plan.taxonomy:
        return {}
    out: dict[str, Any] = {}
    for place, path in enumerate(paths):
        if path not in taxonomy:
            continue
        attribute = taxonomy[path]
        if attribute.scale is not None:
            out[str(place)] = attribute.scale.labels
        elif attribute.number is not None and attribute.number.unit:
            out[str(place)] = attribute.number.unit
    return out


def embedded(payload: dict[str, Any]) -> str:
    """Data as JSON that cannot end, or begin, an element of the page."""
    return orjson.dumps(payload).decode().replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def build(name: str, payload: dict[str, Any]) -> str:
    """The whole page as text: the template with the style, the script and the data put in."""
    script = "\n(() => {\n'use strict';\n" + "\n".join(_asset(file) for file in _SCRIPTS) + "})();\n"
    style = "\n" + "\n".join(_asset(file) for file in _STYLES)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy, "title": html.escape(f"{name} · synthetic people"),
        "style": style, "script": script, "data": embedded(payload),
    }  # fmt: skip
    return _MARK.sub(lambda mark: parts[mark[1]], _asset("gallery.html"))


def _asset(file: str) -> str:
    return (_HERE / file).read_text("utf-8")
