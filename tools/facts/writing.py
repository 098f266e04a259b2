"""Writing tables the same way each time: UTF-8, line feeds, sorted, rounded, the same bytes again."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Cell = str | int | float | None


def text(value: Cell, digits: int = 3) -> str:
    """Write one cell: nothing for a missing value, the shortest rounded form for a number."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        rounded = f"{value:.{digits}f}"
        rounded = rounded.rstrip("0").rstrip(".") if "." in rounded else rounded
        return "0" if rounded == "-0" else rounded
    return str(value)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write rows (already text) under a header, gzipped where the name ends in .gz; return the row count."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    data = buffer.getvalue().encode("utf-8")
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)
    return count


def shares(weights: Mapping[str, float], digits: int = 4, least: float = 0.0) -> dict[str, float]:
    """Turn weights into rounded shares that sum to exactly 1; those below `least` are dropped first."""
    total = sum(weights.values())
    if total <= 0:
        return {}
    kept = {key: w / total for key, w in weights.items() if w / total >= least and w > 0}
    total = sum(kept.values())
    rounded = {key: round(w / total, digits) for key, w in kept.items()}
    largest = max(rounded, key=lambda key: (rounded[key], key))
    rounded[largest] = round(rounded[largest] + 1 - sum(rounded.values()), digits)
    return rounded
