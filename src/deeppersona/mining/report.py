"""What a run of mining came to, as JSON and as a page: read, kept, rejected and why; new branches; what people talk about."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from deeppersona.mining.match import NEAR_ALONE, NEAR_WITH_WORDS
from deeppersona.mining.mine import FOLDER, Mined, Wanted
from deeppersona.mining.shelf import Shelf
from deeppersona.mining.sieve import CLASSES
from deeppersona.runtime.disk import write_whole
from deeppersona.runtime.page import page
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.page import sunburst
from deeppersona.version import __version__

_TOP = 30


def report_of(mined: Mined, wanted: Wanted) -> dict[str, Any]:
    """The report as plain values. Shares are of conversations, support is in people."""
    shelf = Shelf(mined.out / FOLDER / "heard.sqlite")
    try:
        twice, known = shelf.twice()
        files = _files(mined, shelf)
        read = {
            "files": files, "conversations": sum(f["conversations"] for f in files), "met twice": twice, "in the base already": known,
            "unreadable": sum(f["unreadable"] for f in files), "languages": shelf.table("language"),
            "classes": {kind: shelf.table("class").get(kind, 0) for kind in CLASSES},
            "reasons": {kind: dict(shelf.reasons(kind)) for kind in CLASSES},
        }  # fmt: skip
    finally:
        shelf.close()
    return {
        "engine": __version__, "base": wanted.base, "base attributes": len(mined.base), "attributes": len(mined.taxonomy),
        "terms": {
            "people behind an option": wanted.terms.min_support, "people behind a new attribute": wanted.terms.min_speakers,
            "smoothing, in people": wanted.terms.smoothing, "cosine to match with the words": NEAR_WITH_WORDS, "cosine to match alone": NEAR_ALONE,
        },
        "read": read, **_decided(mined), "coverage": _coverage(mined.base, mined.taxonomy),
    }  # fmt: skip


def _files(mined: Mined, shelf: Shelf) -> list[dict[str, Any]]:
    classes: dict[int, dict[str, int]] = defaultdict(dict)
    for number, kind, n in shelf.by_file():
        classes[number][kind] = n
    return [
        {
            "file": read.file, "layout": read.layout.told() if read.layout else {}, "conversations": read.conversations,
            "unreadable": read.unreadable, "first fault": read.first_fault, **{kind: classes[k].get(kind, 0) for kind in CLASSES},
        }
        for k, read in enumerate(mined.reads)
    ]  # fmt: skip


def _decided(mined: Mined) -> dict[str, Any]:
    done = Counter(entry["do"] for entry in mined.log)
    added = [e for e in mined.log if e["do"] == "add"]
    branches = Counter(e["path"].rpartition(".")[0] for e in added)
    base_nodes = mined.base.nodes
    return {
        "decisions": dict(sorted(done.items())),
        "new": [
            {
                "path": e["path"], "question": e["attribute"]["question"], "people": e["speakers"], "conversations": e["conversations"],
                "topic": f"{e['frame']}: {e['topic']}", "answers": _answers(e["attribute"]),
            }
            for e in sorted(added, key=lambda e: (-e["speakers"], e["path"]))
        ],
        "branches": [
            {"branch": branch, "attributes": n, "new": branch not in base_nodes} for branch, n in sorted(branches.items(), key=lambda b: (-b[1], b[0]))
        ],
        "options": [
            {"path": e["path"], "option": e["value"], "people": e["speakers"]}
            for e in sorted((e for e in mined.log if e["do"] == "option"), key=lambda e: (-e["speakers"], e["path"], e["value"]))
        ],
        "refused": [{"topic": f"{e['frame']}: {e['topic']}", "why": e["why"]} for e in mined.log if e["do"] == "refuse"],
    }  # fmt: skip


def _answers(attribute: Mapping[str, Any]) -> list[str]:
    if "scale" in attribute:
        return list(attribute["scale"]["labels"])
    return [o["value"] for o in attribute.get("options", [])]


def _coverage(base: Taxonomy, taxonomy: Taxonomy) -> dict[str, Any]:
    """Which attributes of the base people do talk about, and which they do not, by category."""
    told = {a.path: a.support for a in taxonomy if a.support is not None and a.path in base}
    by_category = []
    for category in base.categories:
        mine = [a.path for a in base if a.category == category.key]
        heard = [path for path in mine if path in told]
        if mine:
            by_category.append({
                "category": category.title, "attributes": len(mine), "told": len(heard), "people": sum(told[p].speakers for p in heard),
                "silent": [p for p in mine if p not in told][:8],
            })  # fmt: skip
    top = sorted(told.items(), key=lambda item: (-item[1].speakers, item[0]))[:_TOP]
    return {
        "told": len(told), "of": len(base), "by category": by_category,
        "most told": [{"path": path, "people": s.speakers, "conversations": s.conversations} for path, s in top],
    }  # fmt: skip


def write_report(mined: Mined, wanted: Wanted) -> dict[str, Any]:
    """Write ``report.json``, ``report.html`` and ``tree.svg`` beside the shelf, and return the report."""
    report = report_of(mined, wanted)
    folder = mined.out / FOLDER
    picture = sunburst(mined.taxonomy, _shades(mined))
    text = page("deeppersona.mining", "report.html", r=report, picture=picture, name=mined.out.resolve().name)
    write_whole(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")
    write_whole(folder / "tree.svg", picture.encode())
    write_whole(folder / "report.html", text.encode())
    return report


def _shades(mined: Mined) -> dict[str, float]:
    """Dark for what many told, pale for what nobody did; new attributes darkest."""
    out: dict[str, float] = {}
    for a in mined.taxonomy:
        if a.path not in mined.base:
            out[a.path] = 1.0
        elif a.support is not None:
            out[a.path] = min(0.35 + 0.1 * a.support.speakers**0.5, 0.9)
    return out
