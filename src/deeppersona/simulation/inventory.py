"""Read and check inventories: shipped ones by name, a user's own as TOML or CSV."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deeppersona.errors import UsageError, unknown
from deeppersona.schema.inventory import Inventory
from deeppersona.schema.report import Issue

SHIPPED = Path(__file__).parent / "inventories"
_SUFFIX = (".toml", ".csv")
_COLUMNS = ("item", "text", "options", "scale", "reversed", "measures")
_LARGEST = 4_000_000  # bytes of a questionnaire file


def shipped() -> tuple[str, ...]:
    """The ids of the shipped inventories."""
    return tuple(sorted(f.stem for f in SHIPPED.glob("*.toml") if not f.name.endswith(".model.toml")))


def inventory_file(name: str | Path) -> Path:
    """The file of an inventory: a shipped one by id, else a path. UsageError naming the nearest where there is none."""
    word = str(name)
    if word in shipped():
        return SHIPPED / f"{word}.toml"
    path = Path(name)
    if path.suffix.lower() not in _SUFFIX:
        raise unknown("inventory", word, [*shipped(), "a path that ends in .toml or .csv"])
    if not path.is_file():
        raise UsageError(f"there is no file {path}; the shipped inventories are {', '.join(shipped())}")
    if path.stat().st_size > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST // 1_000_000} MB: that is no questionnaire")
    return path


@lru_cache(maxsize=32)
def _read(path: Path, changed: float) -> Inventory:
    try:
        text = path.read_text("utf-8-sig")
        raw = tomllib.loads(text) if path.suffix.lower() == ".toml" else from_csv(text.splitlines(), path.stem)
        inventory = Inventory.model_validate(raw)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        more = f" and {len(told) - 3} more" if told[3:] else ""
        raise UsageError(f"{path}: {'; '.join(told[:3])}{more}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if faults := [issue for issue in check(inventory, str(path)) if issue.severity == "error"]:
        raise UsageError("; ".join(str(f) for f in faults[:5]) + (f" and {len(faults) - 5} more" if faults[5:] else ""))
    return inventory


def read_inventory(name: str | Path) -> Inventory:
    """An inventory by shipped id or path, checked. UsageError where it cannot be used, saying where and why."""
    path = inventory_file(name)
    return _read(path, path.stat().st_mtime)


def from_csv(lines: Iterable[str], name: str) -> dict[str, Any]:
    """The plain data of an inventory from a CSV file.

    Lines ``# title: ...``, ``# source: ...``, ``# licence: ...``, ``# instruction: ...`` come first. Then a row for each
    item: ``item, text, options, scale, reversed, measures``; options are ``1=no|2=yes``, empty for those of the row above;
    ``reversed`` is yes, 1 or x; several scales are joined by ``|``.
    """
    told: dict[str, str] = {}
    body = []
    for line in lines:
        if line.lstrip().startswith("#"):
            key, _, value = line.lstrip("# ").partition(":")
            told[key.strip().casefold()] = value.strip()
        elif line.strip():
            body.append(line)
    reader = csv.DictReader(body)
    if strange := [c for c in reader.fieldnames or () if c not in _COLUMNS]:
        raise unknown("column of an inventory", strange[0], _COLUMNS)
    out: dict[str, Any] = {"id": told.pop("id", name), "title": told.pop("title", name), "responses": {}, "items": []}
    out |= {key: told[key] for key in ("source", "licence", "instruction", "language") if key in told}
    scales: dict[str, dict[str, Any]] = {}
    known: dict[str, str] = {}
    before = ""
    for row in reader:
        options = (row.get("options") or before).strip()
        before = options
        response = known.setdefault(options, f"r{len(known) + 1}")
        out["responses"].setdefault(response, {"options": list(_options(options, str(row.get("item"))))})
        out["items"].append({"id": row.get("item"), "text": row.get("text"), "responses": response})
        for scale in filter(None, (s.strip() for s in (row.get("scale") or "").split("|"))):
            found = scales.setdefault(scale, {"id": scale, "title": scale, "items": [], "reversed": []})
            found["items"].append(row.get("item"))
            if (row.get("reversed") or "").strip().casefold() in ("yes", "1", "x", "true"):
                found["reversed"].append(row.get("item"))
            if row.get("measures"):
                found["measures"] = row["measures"]
    return out | {"scales": list(scales.values())}


def _options(words: str, item: str) -> Iterator[dict[str, Any]]:
    for word in filter(None, words.split("|")):
        value, _, label = word.partition("=")
        try:
            yield {"value": int(value), "label": label.strip() or value.strip()}
        except ValueError:
            raise UsageError(
                f"item {item}: option {word!r} must be a whole number and its words, as in 1=agree"
            ) from None


def check(inventory: Inventory, file: str = "") -> list[Issue]:
    """What is wrong with an inventory: what is named twice or nowhere, options that clash, items without a key."""
    issues: list[Issue] = []

    def fault(path: str, rule: str, message: str, *, error: bool = True) -> None:
        severity = "error" if error else "warning"
        issues.append(Issue(path=path, rule=rule, message=message, severity=severity, file=file))

    ids = [item.id for item in inventory.items]
    names = Counter([*ids, *(c.id for c in inventory.composites)])
    for name in (n for n, times in names.items() if times > 1):
        fault(name, "once", "is the id of two items or composites")
    for item in inventory.items:
        if item.responses not in inventory.responses:
            fault(item.id, "responses", f"answers to {item.responses!r}, which is not under [responses]")
    for name, responses in inventory.responses.items():
        twice = [v for v, times in Counter(responses.values).items() if times > 1]
        if twice or set(responses.values) & set(responses.missing):
            fault(
                name,
                "codes",
                f"a code stands for two answers: {twice or set(responses.values) & set(responses.missing)}",
            )
    for what, asked in _named(inventory):
        for item_id in asked:
            if item_id not in ids:
                fault(what, "items", f"names {item_id!r}, which is no item")
    for scale in inventory.scales:
        if strange := set(scale.reversed) - set(scale.items):
            fault(scale.id, "reversed", f"reverses {sorted(strange)}, which it does not hold")
    for scale_id in (s for s, times in Counter(s.id for s in inventory.scales).items() if times > 1):
        fault(scale_id, "once", "is the id of two scales")
    keyed = {i for s in inventory.scales for i in s.items} | {i for c in inventory.composites for i in c.asks}
    if bare := [i for i in ids if i not in keyed]:
        fault(bare[0], "key", f"and {len(bare) - 1} more items belong to no scale or composite", error=False)
    return issues


def _named(inventory: Inventory) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from ((s.id, s.items) for s in inventory.scales)
    yield from ((c.id, c.asks) for c in inventory.composites)
    yield from (("limit", x.items) for x in inventory.limits)
    yield from (("ranking", r.items) for r in inventory.rankings)
