"""A page about a taxonomy, generated from it: counts in Markdown and the tree as a sunburst (SVG)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from deeppersona.schema import vocabulary as v
from deeppersona.schema.taxonomy import Attribute, Taxonomy
from deeppersona.taxonomy import tone
from deeppersona.taxonomy.coverage import by_region, by_stage, is_regional

# Twelve hues that stay apart for the commonest colour blindnesses by alternating light and dark.
_COLOURS = ("#3b6ea5", "#b0741f", "#3f8a58", "#b5536c", "#6f5fa8", "#6f8a2d",
            "#23808e", "#b9583a", "#536a7f", "#a3608e", "#806142", "#3f8a79")  # fmt: skip
_SIZE, _RINGS = 1000, (120.0, 235.0, 385.0, 440.0)  # edges of: category, branch, attribute


def _point(angle: float, radius: float) -> tuple[float, float]:
    half = _SIZE / 2
    return half + radius * math.sin(angle), half - radius * math.cos(angle)


def _sector(begin: float, end: float, inner: float, outer: float) -> str:
    """The SVG path of a ring's part, angles in radians clockwise from the top."""
    end = min(end, begin + 2 * math.pi - 1e-4)  # a whole ring has no end to draw an arc to
    large = int(end - begin > math.pi)
    (a, b), (c, d) = _point(begin, outer), _point(end, outer)
    (e, f), (g, h) = _point(end, inner), _point(begin, inner)
    return (
        f"M{a:.1f} {b:.1f}A{outer:g} {outer:g} 0 {large} 1 {c:.1f} {d:.1f}"
        f"L{e:.1f} {f:.1f}A{inner:g} {inner:g} 0 {large} 0 {g:.1f} {h:.1f}Z"
    )


def _label(text: str, begin: float, end: float, inner: float, outer: float, size: float) -> str:
    """A word along the radius in the middle of a sector, turned so that it is never upside down."""
    middle = (begin + end) / 2
    x, y = _point(middle, (inner + outer) / 2)
    turn = math.degrees(middle) - 90
    if math.pi < middle % (2 * math.pi):
        turn += 180
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" transform="rotate({turn:.1f} {x:.1f} {y:.1f})">'
        f"{escape(text)}</text>"
    )


def sunburst(taxonomy: Taxonomy, shades: Mapping[str, float] | None = None) -> str:
    """The tree as rings: categories, branches, attributes; each part as wide as it has attributes. Standalone SVG.

    ``shades`` gives the opacity of each attribute by path; without it, what tells most of a person is darkest.
    """
    n = max(len(taxonomy), 1)
    step = 2 * math.pi / n
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="50 50 {_SIZE - 100} {_SIZE - 100}" role="img" '
        f'aria-label="{len(taxonomy)} attributes by category and branch">',
        "<style>text{font-family:system-ui,sans-serif;text-anchor:middle;dominant-baseline:central;fill:#fff}"
        ".c text{font-weight:600}.m text{fill:#444}path{stroke:#fff;stroke-width:.6}.a path{stroke-width:.25}"
        "@media(prefers-color-scheme:dark){.m text{fill:#ddd}path{stroke:#111}}</style>",
    ]
    rings: dict[str, list[str]] = {"c": [], "b": [], "a": []}
    place = 0.0
    for number, category in enumerate(taxonomy.categories):
        colour = _COLOURS[number % len(_COLOURS)]
        mine = [a for a in taxonomy if a.category == category.key]
        branches = Counter(a.subtree for a in mine)
        begin = place
        for branch in branches:
            first = place
            for a in (a for a in mine if a.subtree == branch):
                shade = (0.85 if a.telling >= 2 else 0.5) if shades is None else shades.get(a.path, 0.12)
                rings["a"].append(
                    f'<path d="{_sector(place, place + step, _RINGS[2], _RINGS[3])}" fill="{colour}" '
                    f'fill-opacity="{shade}"><title>{escape(a.path)}</title></path>'
                )
                place += step
            name = branch.partition(".")[2].replace("_", " ").replace(".", ": ")
            rings["b"].append(
                f'<path d="{_sector(first, place, _RINGS[1], _RINGS[2])}" fill="{colour}" fill-opacity=".85">'
                f"<title>{escape(branch)}: {branches[branch]}</title></path>"
            )
            size = min(10.0, (place - first) * _RINGS[1] * 0.95)
            if size >= 4.0:
                fitted = min(size, (_RINGS[2] - _RINGS[1]) / (max(len(name), 1) * 0.56))
                rings["b"].append(_label(name, first, place, _RINGS[1], _RINGS[2], fitted))
        rings["c"].append(
            f'<path d="{_sector(begin, place, _RINGS[0], _RINGS[1])}" fill="{colour}">'
            f"<title>{escape(category.title)}: {len(mine)}</title></path>"
        )
        name = category.key.replace("_", " ").capitalize()
        fitted = min(15.0, (_RINGS[1] - _RINGS[0]) / (max(len(name), 1) * 0.7))
        if (place - begin) * _RINGS[0] > 6:
            rings["c"].append(_label(name, begin, place, _RINGS[0], _RINGS[1], fitted))
    for key, parts in rings.items():
        out.append(f'<g class="{key}">{"".join(parts)}</g>')
    half = _SIZE // 2
    out.append(
        f'<g class="m"><text x="{half}" y="{half - 14}" font-size="44" font-weight="700">{len(taxonomy):,}</text>'
        f'<text x="{half}" y="{half + 26}" font-size="20">attributes</text></g></svg>'
    )
    return "\n".join(out) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table; numbers to the right."""
    right = [all(isinstance(row[k], int) for row in rows) for k in range(len(head))]
    return [
        "| " + " | ".join(head) + " |",
        "|" + "|".join("---:" if r else "---" for r in right) + "|",
        *("| " + " | ".join(f"{x:,}" if isinstance(x, int) else str(x) for x in row) + " |" for row in rows),
        "",
    ]


def page(taxonomy: Taxonomy, picture: str) -> str:
    """The page in Markdown; ``picture`` is the file name of the sunburst beside it."""
    options = sum(len(a.options) for a in taxonomy)
    fillable = sum(a.kind != "text" for a in taxonomy)
    regional = [a for a in taxonomy if is_regional(a)]
    by_category: dict[str, list[Attribute]] = {c.key: [] for c in taxonomy.categories}
    for a in taxonomy:
        by_category[a.category].append(a)
    tones = tone.by_category(taxonomy)
    kinds = Counter(a.kind for a in taxonomy)
    out = [
        "# The taxonomy", "",
        "Written by `deeppersona taxonomy page`; do not edit by hand.", "",
        f"**{len(taxonomy):,} attributes** in {len(taxonomy.categories)} categories and "
        f"{len({a.subtree for a in taxonomy})} branches, {options:,} options, {len(taxonomy.rules):,} rules. "
        f"{fillable:,} ({fillable / max(len(taxonomy), 1):.0%}) are drawn without a language model, "
        f"{len(regional)} have options that depend on the region, "
        f"{sum(a.sensitive for a in taxonomy)} are marked sensitive.", "",
        f"![The tree as a sunburst]({picture})", "",
        "## Categories", "",
        *_table(
            ("category", "what belongs there", "branches", "attributes", "options", "regional", "sensitive",
             "unfavourable", "favourable"),
            [
                (f"`{c.key}`", c.about, len({a.subtree for a in mine}), len(mine), sum(len(a.options) for a in mine),
                 sum(is_regional(a) for a in mine), sum(a.sensitive for a in mine),
                 f"{tones[c.key]['unfavourable']:.0%}", f"{tones[c.key]['favourable']:.0%}")
                for c in taxonomy.categories if (mine := by_category[c.key]) is not None
            ],
        ),
        "The last two columns are shares of options that hold a plainly unfavourable or favourable word "
        "(`taxonomy/tone.py`); most options are neither.", "",
        "## Kinds", "",
        *_table(("kind", "attributes"), [(kind, n) for kind, n in kinds.most_common()]),
        "## Stages of life and groups", "",
        "Attributes that apply to members of the group only (all others apply besides).", "",
        *_table(("who", "attributes"), list(by_stage(taxonomy).items())),
        "## Regions", "",
        "Options that are found in the region and not everywhere.", "",
        *_table(("region", "options"), [(r.replace("_", " "), by_region(taxonomy)[r]) for r in v.REGION]),
        "## Branches", "",
    ]  # fmt: skip
    for c in taxonomy.categories:
        branches = Counter(a.subtree.partition(".")[2] or "(top)" for a in by_category[c.key])
        listed = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in branches.items())
        out += [f"**{c.title}**: {listed}", ""]
    out += [_HOW_TO]
    return "\n".join(out)


_HOW_TO = """\
## To add something

* **An attribute**: write it into the file of its branch (`src/deeppersona/taxonomy/<category>/<branch>.yaml`), by the
  format in [authoring.md](authoring.md). `deeppersona taxonomy check` says what is wrong, with file and line;
  `deeppersona taxonomy check --people 2000` draws people and says what is never drawn or tells nothing.
* **A branch**: a new file in the category's folder, 10 to 25 attributes that belong together.
* **A category**: a folder, and an entry in `categories.yaml` (key, title, what belongs there). Selection goes round the
  categories, so a category with few attributes is told in full more often than a large one.
* **A region**: regions are a closed list in `schema/vocabulary.py`, and each country belongs to one in
  `facts/countries.csv`. Add the region there, move its countries, then run the check: it names every attribute that
  has fewer than four options in it.
* **A tree of your own**: `deeppersona taxonomy import TREE.json --out my-tree` drafts one from nested dictionaries;
  `deeppersona generate --taxonomy my-tree` uses it; `deeppersona taxonomy diff shipped my-tree` compares.

Where weights and leanings come from is told in [methods/leanings.md](methods/leanings.md).
"""
