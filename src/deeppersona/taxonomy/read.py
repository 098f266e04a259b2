"""Read taxonomies from folders of YAML. Every fault is an Issue with file, line, path and fix."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from deeppersona.errors import UsageError, nearest, unknown
from deeppersona.runtime.executor import without_gc
from deeppersona.schema import vocabulary as v
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Attribute, Category, Rule, Taxonomy
from deeppersona.version import __version__

SHIPPED = Path(__file__).parent
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Source:
    """Where an attribute or a rule was written."""

    file: str
    line: int


@dataclass(frozen=True)
class Reading:
    """A taxonomy as far as it could be read, the faults met on the way, and where each attribute stands."""

    taxonomy: Taxonomy
    issues: tuple[Issue, ...]
    sources: dict[str, Source]

    def placed(self, issue: Issue) -> Issue:
        """The issue with the file and line of its attribute, where they are known."""
        source = self.sources.get(issue.path)
        return issue if source is None else issue.model_copy(update={"file": source.file, "line": source.line})


class _Compiled(BaseModel):
    categories: list[Category]
    attributes: list[Attribute]
    rules: list[Rule]
    fingerprint: str


def taxonomy_files(folder: Path) -> list[Path]:
    """Every YAML file of a taxonomy folder, in the order of the tree."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; a taxonomy is a folder of YAML files (see docs/authoring.md)")
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml"))
    if not files:
        raise UsageError(f"{folder} holds no .yaml file; a taxonomy is a folder of YAML files (see docs/authoring.md)")
    return files


def _lined_items(text: str) -> list[tuple[int, Any]]:
    """The items of a YAML list, each with the line it begins on."""
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: expected a list of items, each beginning with '- '")
        return [(item.start_mark.line + 1, loader.construct_document(item)) for item in node.value]
    finally:
        loader.dispose()


def _explain(error: ValidationError, known: tuple[str, ...]) -> list[str]:
    out = []
    for detail in error.errors(include_url=False):
        place = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            field = str(detail["loc"][-1])
            misplaced = field in known and len(detail["loc"]) > 1
            message = "belongs to the attribute, not here" if misplaced else f"unknown field{nearest(field, known)}"
        elif detail["type"] == "string_pattern_mismatch" and "leans" in detail["loc"]:
            message = str(unknown("latent", str(detail["input"]), v.LATENT))
        elif detail["type"] == "string_type" and isinstance(detail["input"], bool):
            message = f'quote the value: write "yes" or "no", not {detail["input"]}'
        out.append(f"{place}: {message}" if place else message)
    return out


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issues: list[Issue] = []
        self.attributes: dict[str, Attribute] = {}
        self.rules: list[Rule] = []
        self.categories: list[Category] = []
        self.sources: dict[str, Source] = {}

    def fault(self, file: str, line: int, path: str, rule: str, message: str) -> None:
        self.issues.append(Issue(path=path, rule=rule, message=message, file=file, line=line))

    def items(self, file: Path, name: str) -> Iterator[tuple[int, Any]]:
        try:
            yield from _lined_items(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            self.fault(name, 1, "", "yaml", "not UTF-8 text; save the file as UTF-8")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            self.fault(name, line, "", "yaml", str(getattr(error, "problem", None) or error))

    def read(self) -> Reading:
        for file in taxonomy_files(self.folder):
            name = file.relative_to(self.folder).as_posix()
            for line, raw in self.items(file, name):
                if not isinstance(raw, dict):
                    self.fault(name, line, "", "schema", f"expected a mapping of fields, got {raw!r}")
                elif name.startswith("rules/"):
                    self._rule(name, line, raw)
                elif name == "categories.yaml":
                    self.categories.append(Category.model_validate(raw))
                else:
                    self._attribute(name, line, raw)
        taxonomy = Taxonomy(self.attributes.values(), self.categories, self.rules)
        return Reading(taxonomy, tuple(self.issues), self.sources)

    def _rule(self, name: str, line: int, raw: dict[str, Any]) -> None:
        try:
            rule = Rule.model_validate(raw)
            _ = rule.condition, rule.bans
        except ValidationError as error:
            for message in _explain(error, ("if", "never", "because")):
                self.fault(name, line, "", "schema", message)
            return
        except UsageError as error:
            self.fault(name, line, "", "condition", str(error))
            return
        self.sources[f"rule:{len(self.rules)}"] = Source(name, line)
        self.rules.append(rule)

    def _attribute(self, name: str, line: int, raw: dict[str, Any]) -> None:
        path = str(raw.get("path", ""))
        try:
            attribute = Attribute.model_validate(raw)
            _ = attribute.condition, [(o.condition, o.places) for o in attribute.options]
        except ValidationError as error:
            for message in _explain(error, tuple(Attribute.model_fields)):
                self.fault(name, line, path, "schema", message)
            return
        except UsageError as error:
            self.fault(name, line, path, "condition", str(error))
            return
        if path in self.attributes:
            first = self.sources[path]
            self.fault(
                name, line, path, "unique", f"path already used in {first.file}:{first.line}; rename one of the two"
            )
            return
        self.attributes[path] = attribute
        self.sources[path] = Source(name, line)


def read_folder(folder: Path) -> Reading:
    """Read a folder of YAML without raising on faulty attributes: they are reported as issues."""
    return _Reader(folder).read()


def _cache_file(folder: Path) -> Path | None:
    home = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache" if os.environ.get("HOME") else None)
    if home is None:
        return None
    digest = hashlib.sha256(__version__.encode())
    for file in taxonomy_files(folder):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return Path(home) / "deeppersona" / f"taxonomy-{digest.hexdigest()[:32]}.json"


def _load_compiled(cache: Path | None) -> Taxonomy | None:
    if cache is None:
        return None
    with suppress(OSError, ValueError), without_gc():
        compiled = _Compiled.model_validate_json(cache.read_bytes())
        taxonomy = Taxonomy(compiled.attributes, compiled.categories, compiled.rules)
        taxonomy.fingerprint = compiled.fingerprint
        return taxonomy
    return None


def _save_compiled(cache: Path | None, taxonomy: Taxonomy) -> None:
    """Keep the parsed form as JSON so that the next start skips YAML; a cache that cannot be written is no fault."""
    if cache is None:
        return
    form = {
        "categories": [c.model_dump() for c in taxonomy.categories],
        "attributes": [a.model_dump(exclude_defaults=True) for a in taxonomy.attributes],
        "rules": [r.model_dump(by_alias=True) for r in taxonomy.rules],
        "fingerprint": taxonomy.fingerprint,
    }
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache.parent, delete=False, encoding="utf-8") as handle:
            json.dump(form, handle, ensure_ascii=False, separators=(",", ":"))
        Path(handle.name).replace(cache)


def read_taxonomy(folder: Path | str) -> Taxonomy:
    """Read a taxonomy folder. Raises UsageError listing every fault with file, line, path and fix."""
    folder = Path(folder)
    cache = _cache_file(folder)
    if (known := _load_compiled(cache)) is not None:
        return known
    reading = read_folder(folder)
    if reading.issues:
        shown = "\n".join(f"  {issue}" for issue in reading.issues[:20])
        more = f"\n  and {len(reading.issues) - 20} more" if len(reading.issues) > 20 else ""
        raise UsageError(f"the taxonomy in {folder} has {len(reading.issues)} faults:\n{shown}{more}")
    _save_compiled(cache, reading.taxonomy)
    return reading.taxonomy


@lru_cache(maxsize=2)
def read_once(folder: str) -> Taxonomy:
    """``read_taxonomy``, kept: for processes that are given part after part."""
    return read_taxonomy(folder)


@lru_cache(maxsize=1)
def shipped_taxonomy() -> Taxonomy:
    """The taxonomy that comes with deeppersona."""
    return read_taxonomy(SHIPPED)
