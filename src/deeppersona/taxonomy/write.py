"""Write a taxonomy as a folder of YAML that ``read_taxonomy`` reads back to the same tree."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from deeppersona.runtime.store import told, write_whole
from deeppersona.schema.taxonomy import Taxonomy

_DUMPER: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _text(items: list[dict[str, Any]]) -> bytes:
    text = yaml.dump(items, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None)
    return str(text).encode()


def write_taxonomy(taxonomy: Taxonomy, folder: Path) -> None:
    """Write one file a branch (``culture/hobbies.yaml``), the categories and the rules; other YAML there is removed."""
    branches: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for attribute in taxonomy:
        parts = attribute.path.split(".")
        name = f"{parts[0]}/{parts[1] if len(parts) > 2 else 'others'}.yaml"
        branches[name].append(attribute.model_dump(mode="json", exclude_defaults=True))
    files = {name: _text(items) for name, items in branches.items()}
    files["categories.yaml"] = _text([c.model_dump(mode="json") for c in taxonomy.categories])
    if taxonomy.rules:
        files["rules/rules.yaml"] = _text([r.model_dump(mode="json", by_alias=True) for r in taxonomy.rules])
    with told("writing", folder):
        for old in [*folder.rglob("*.yaml"), *folder.rglob("*.yml")] if folder.exists() else []:
            if old.relative_to(folder).as_posix() not in files:
                old.unlink()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, content)
