"""Which answers are set beside which: the items to compare, their options, and how a human file is coded.

A map is a TOML file (``--items``), or the name of a shipped one (``wvs7``). Without a map the items are those that both
files have, and the options are those humans used: good for a first look, and said so in the report, since an option that
no human chose cannot be told from a slip.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from deeppersona.errors import UsageError, nearest, unknown
from deeppersona.schema.inventory import Inventory

GROUPS = ("country", "age", "sex", "education")
COLUMNS = ("person", "item", "draw", "answer", "weight", *GROUPS)
BLANK = frozenset(["", ".", "na", "n/a", "nan", "none", "null", "missing", "refused", "refusal", "invalid"])
_MOST_OPTIONS = 21
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", re.I)
_ITEM_KEYS = (
    "human",
    "title",
    "options",
    "labels",
    "ordered",
    "missing",
    "recode",
    "of",
    "signs",
    "table",
    "otherwise",
    "valid",
)
_MAP_KEYS = ("title", "source", "licence", "columns", "recode", "ours", "missing", "items")


@dataclass(frozen=True)
class Index:
    """An item made of others: a signed sum, or a table of their codes.

    ``valid`` are the codes a part may have; a person with another one has no index. ``table`` maps codes joined by
    commas to the value, ``otherwise`` is that of all others.
    """

    parts: tuple[str, ...]
    valid: tuple[float, ...]
    signs: tuple[float, ...] = ()
    table: Mapping[str, float] = field(default_factory=dict)
    otherwise: float | None = None

    def of(self, codes: tuple[float, ...]) -> float | None:
        """The index of one person's codes, or None where a part is not valid."""
        if any(c not in self.valid for c in codes):
            return None
        if self.signs:
            return sum(s * c for s, c in zip(self.signs, codes, strict=True))
        return self.table.get(",".join(f"{c:g}" for c in codes), self.otherwise)


@dataclass(frozen=True)
class Item:
    """An item on both sides: its name in ours and in the human file, its options in ascending order, its missing codes."""

    key: str
    options: tuple[float, ...]
    human: str = ""
    title: str = ""
    labels: tuple[str, ...] = ()
    ordered: bool = True
    missing: frozenset[str] = frozenset()
    recode: Mapping[str, str] = field(default_factory=dict)
    index: Index | None = None
    inferred: bool = False

    def name(self, human: bool) -> str:
        """What it is called on one side."""
        return self.human or self.key if human else self.key

    def names(self, human: bool) -> tuple[str, ...]:
        """The columns (or names of items) that it may be read from on one side: its own, or those of its parts."""
        return (self.name(human), *(self.index.parts if self.index else ()))


@dataclass(frozen=True)
class ItemMap:
    """The items and how the human file is coded: columns by our names, recoded groups, missing codes of all items.

    ``recode`` puts the human file's groups into common words, ``ours`` does so with ours (our eight levels of schooling
    into their three, say).
    """

    items: tuple[Item, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    recode: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ours: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    title: str = ""
    source: str = ""
    licence: str = ""


def read_map(where: str) -> ItemMap:
    """Read a map: a path, or the name of a shipped one. Raises UsageError that names the key at fault."""
    path = Path(where)
    if not path.is_file():
        shelf = resources.files("deeppersona.evaluation.survey").joinpath("maps")
        shipped = {entry.name.removesuffix(".toml"): entry for entry in shelf.iterdir() if entry.name.endswith(".toml")}
        if where not in shipped:
            raise UsageError(
                f"no map {where!r}: there is no such file, and shipped are {', '.join(shipped)}{nearest(where, shipped)}"
            )
        return _map(tomllib.loads(shipped[where].read_text("utf-8")), where)
    try:
        return _map(tomllib.loads(path.read_text("utf-8")), path.name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}") from None


def _map(raw: dict[str, Any], where: str) -> ItemMap:
    for key in raw:
        if key not in _MAP_KEYS:
            raise unknown(f"key of {where}", key, _MAP_KEYS)
    for key in raw.get("columns", {}):
        if key not in COLUMNS:
            raise unknown(f"column of {where}", key, COLUMNS)
    everywhere = [code_of(c) for c in raw.get("missing", [])]
    items = tuple(_item(key, entry, everywhere, where) for key, entry in raw.get("items", {}).items())
    for key in [*raw.get("recode", {}), *raw.get("ours", {})]:
        if key not in GROUPS:
            raise unknown(f"group of {where}", key, GROUPS)
    recode, ours = (
        {g: {code_of(k): str(v) for k, v in codes.items()} for g, codes in raw.get(w, {}).items()}
        for w in ("recode", "ours")
    )
    texts = {k: str(raw.get(k, "")) for k in ("title", "source", "licence")}
    return ItemMap(items, dict(raw.get("columns", {})), recode, ours, **texts)


def _item(key: str, raw: dict[str, Any], everywhere: Iterable[str], where: str) -> Item:
    for name in raw:
        if name not in _ITEM_KEYS:
            raise unknown(f"key of item {key} in {where}", name, _ITEM_KEYS)
    try:
        options = tuple(float(x) for x in raw["options"])
        recode = {code_of(k): code_of(v) for k, v in raw.get("recode", {}).items()}
        index = _index(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"item {key} in {where}: {error!s}; an item needs options = [numbers, ascending]") from None
    if list(options) != sorted(set(options)) or len(options) < 2:
        raise UsageError(
            f"item {key} in {where}: options {raw['options']} must be two or more numbers, ascending, each once"
        )
    labels = tuple(str(x) for x in raw.get("labels", ()))
    if labels and len(labels) != len(options):
        raise UsageError(f"item {key} in {where}: {len(labels)} labels for {len(options)} options")
    missing = frozenset([*everywhere, *(code_of(c) for c in raw.get("missing", []))])
    return Item(
        key,
        options,
        str(raw.get("human", "")),
        str(raw.get("title", "")),
        labels,
        bool(raw.get("ordered", True)),
        missing,
        recode,
        index,
    )


def _index(raw: Mapping[str, Any]) -> Index | None:
    if "of" not in raw:
        return None
    parts, signs = tuple(str(p) for p in raw["of"]), tuple(float(s) for s in raw.get("signs", ()))
    if bool(signs) == ("table" in raw) or (signs and len(signs) != len(parts)):
        raise ValueError("an index needs either signs, one a part, or a table")
    table = {str(k).replace(" ", ""): float(v) for k, v in raw.get("table", {}).items()}
    otherwise = float(raw["otherwise"]) if "otherwise" in raw else None
    return Index(parts, tuple(float(v) for v in raw["valid"]), signs, table, otherwise)


def of_inventory(inventory: Inventory) -> ItemMap:
    """The items and composites of a questionnaire as items to compare; the human file is taken to name them alike."""
    items = []
    for item in inventory.items:
        answerable = inventory.answerable(item.id)
        options = sorted(answerable.options, key=lambda o: o.value)
        missing = frozenset(code_of(c) for c in answerable.missing)
        labels = tuple(o.label for o in options)
        items.append(
            Item(item.id, tuple(float(o.value) for o in options), title=item.text, labels=labels, missing=missing)
        )
    for c in inventory.composites:
        valid = tuple(sorted({float(v) for part in c.asks for v in inventory.values(part)}))
        if c.rule == "difference":
            index = Index(c.asks, valid, signs=(1.0,) * len(c.plus) + (-1.0,) * len(c.minus))
        else:
            table = {
                f"{a:g},{b:g}": float(value) for value, both in c.values.items() for a in both for b in both if a != b
            }
            index = Index(c.asks, valid, table=table, otherwise=c.otherwise)
        items.append(Item(c.id, tuple(float(v) for v in inventory.values(c.id)), title=c.title, index=index))
    return ItemMap(tuple(items), title=inventory.title)


def code_of(answer: object) -> str:
    """An answer as a code: numbers without needless decimals ("2.0" and 2 are "2"), other text stripped."""
    text = str(answer).strip()
    return f"{float(text):.10g}" if _NUMBER.fullmatch(text) else text


def number_of(code: str) -> float | None:
    """The number a code is, or None."""
    return float(code) if _NUMBER.fullmatch(code) else None


def inferred(key: str, human_codes: Iterable[str]) -> Item:
    """An item whose options are the whole numbers from the least to the greatest code humans gave; negative codes are missing.

    Raises UsageError where these are no item of a scale: no numbers, or too many.
    """
    found = {c for c in human_codes if c.casefold() not in BLANK}
    numbers = sorted({x for c in found if (x := number_of(c)) is not None})
    scale = [x for x in numbers if x >= 0] or numbers
    if len(scale) < 2 or any(x != int(x) for x in scale) or scale[-1] - scale[0] >= _MOST_OPTIONS:
        told = ", ".join(sorted(found)[:6]) or "none"
        raise UsageError(
            f"the options of {key} cannot be told from the human answers ({told}); give them in a map (--items)"
        )
    options = tuple(float(k) for k in range(int(scale[0]), int(scale[-1]) + 1))
    missing = frozenset(code_of(x) for x in numbers if x < scale[0])
    return Item(key, options, missing=missing, inferred=True)
