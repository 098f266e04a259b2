"""A specification of a population, as TOML: who is meant, exact quotas, soft targets, what is checked and reported on.

``read_spec`` reads and checks one; ``schema()`` is its JSON schema; the presets are files of the same form in ``presets/``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from deeppersona.corpus.parquet import rows_of
from deeppersona.errors import UsageError, unknown
from deeppersona.schema.plan import DEPTH_RANGE

PRESETS = ("national", "world", "panel", "cohort", "students")
Scalar = str | int | float


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Margin(_Part):
    """Figures over one dimension or several: how many people, or which share of them, each combination has.

    ``over``: the dimensions. The figures are one of: ``people`` or ``share``, a table category -> figure for one dimension, or
    rows ``["female", "18..34", 120]`` for several; ``file``, a CSV or Parquet with a column a dimension and one of ``people``,
    ``share``, ``count`` or ``weight``; ``base = true``, the shares the base has. Combinations left out have no figure.
    """

    over: tuple[str, ...]
    people: dict[str, float] | list[list[Scalar]] | None = None
    share: dict[str, float] | list[list[Scalar]] | None = None
    file: str | None = None
    base: bool = False
    name: str = ""

    @field_validator("over", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> Margin:
        given = [k for k in ("people", "share", "file") if getattr(self, k) is not None] + ["base"] * self.base
        if len(given) != 1:
            raise ValueError(f"give one of people, share, file or base = true, not {' and '.join(given) or 'none'}")
        if not self.over or len(set(self.over)) < len(self.over):
            raise ValueError("over names one dimension or several, each once")
        return self

    @property
    def told(self) -> str:
        """How messages call it."""
        return self.name or " x ".join(self.over)

    def rows(self) -> tuple[str, list[tuple[tuple[str, ...], float]]]:
        """("people" or "share", [(category of each dimension, figure)]). UsageError where a row is no such thing."""
        kind = "people" if self.people is not None else "share"
        given = self.people if self.people is not None else self.share
        if isinstance(given, Mapping):
            listed: list[list[Scalar]] = [[category, number] for category, number in given.items()]
        else:
            listed = given or []
        out = []
        for row in listed:
            if len(row) != len(self.over) + 1 or isinstance(row[-1], str):
                raise UsageError(f"{self.told}: the row {row!r} must be {', '.join(self.over)}, then a number")
            out.append((tuple(str(word) for word in row[:-1]), float(row[-1])))
        return kind, out


class Base(_Part):
    """Whom the population is drawn from, before quotas.

    ``country``: a code or name, ``"KE=2"``, a list of these, a table code -> weight, or ``"world"``. ``ages``: ``"adults"`` (18 and
    over), ``"all"``, or a range. ``where``: conditions everybody meets, as anchors. ``focus``: nodes of the taxonomy to deepen.
    ``table``: a CSV or Parquet of your own, a column a dimension and ``count``, ``share`` or ``weight``, which takes the place of
    our figures on its dimensions; all else is drawn given them.
    """

    country: str | list[str] | dict[str, float] = "world"
    ages: str = "adults"
    where: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    focus: dict[str, float] = Field(default_factory=dict)
    table: str | None = None


class Weights(_Part):
    """``trim``: the smallest and largest weight, as ratios to the mean."""

    trim: tuple[float, float] = (0.2, 5.0)


class ReportOn(_Part):
    """``on``: dimensions reported on besides those of quotas and targets. ``strata``: dimensions by whose categories it is split.

    ``ways``: joints up to that many dimensions.
    """

    on: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    ways: int = Field(default=3, ge=1, le=3)


class Spec(_Part):
    """The whole of a specification."""

    name: str = "population"
    n: int | None = Field(default=None, ge=1, le=3_000_000_000)
    seed: int = 0
    kind: Literal["people", "students"] = "people"
    depth: int = Field(default=220, ge=DEPTH_RANGE[0], le=DEPTH_RANGE[1])
    spread: Literal["even", "random"] = "even"
    check: int | Literal["all"] = 500
    duplicates: Literal["replace", "report", "off"] = "replace"
    base: Base = Field(default_factory=Base)
    dimensions: dict[str, list[Scalar] | dict[str, str]] = Field(default_factory=dict)
    quota: tuple[Margin, ...] = ()
    target: tuple[Margin, ...] = ()
    weights: Weights = Field(default_factory=Weights)
    report: ReportOn = Field(default_factory=ReportOn)


def schema() -> dict[str, Any]:
    """The JSON schema of a specification, for editors and for those who write one by program."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "deeppersona population", **Spec.model_json_schema()}


def parse_spec(raw: Mapping[str, Any], where: str) -> Spec:
    """A specification from plain data. UsageError names the place and the nearest key."""
    _known_keys(raw, Spec, where)
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def _known_keys(raw: Mapping[str, Any], model: type[BaseModel], where: str) -> None:
    for key, value in raw.items():
        if key not in model.model_fields:
            raise unknown(f"key in {where}:", key, model.model_fields)
        inner = {"base": Base, "weights": Weights, "report": ReportOn, "quota": Margin, "target": Margin}.get(key) if model is Spec else None
        for item in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(item, Mapping):
                _known_keys(item, inner, f"{where}, [{key}]")


def read_spec(path: Path) -> Spec:
    """Read a specification; files it names are looked for beside it. UsageError names what is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no specification at {path}; write one, or start from a preset: deeppersona population --preset national --show") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the specification {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the specification {path} is no valid TOML: {error}") from None
    spec = parse_spec(raw, str(path))
    margins = {key: tuple(_with_file(m, path.parent) for m in getattr(spec, key)) for key in ("quota", "target")}
    if spec.base.table is not None:
        table = Margin(over=("table",), file=spec.base.table, name=f"base.table {spec.base.table}")
        margins["target"] = (*margins["target"], _with_file(table, path.parent, own_table=True))
    return spec.model_copy(update=margins)


def _with_file(margin: Margin, folder: Path, *, own_table: bool = False) -> Margin:
    """The margin with the rows of its file in place of the file."""
    if margin.file is None:
        return margin
    columns, rows = read_table(folder / margin.file)
    figures = [c for c in columns if c.casefold() in ("people", "count", "n", "share", "weight")]
    over = [c for c in columns if c not in figures] if own_table else list(margin.over)
    if len(figures) != 1 or any(d not in columns for d in over) or not over:
        raise UsageError(f"{margin.file} has columns {', '.join(columns)}; it needs {', '.join(margin.over) if not own_table else 'dimensions'} and one of people, share, count, weight")
    kind = "people" if figures[0].casefold() in ("people", "n") else "share"
    out: list[list[Scalar]] = []
    for line, row in enumerate(rows, 2):
        try:
            out.append([*(str(row[d]).strip() for d in over), float(row[figures[0]])])
        except (TypeError, ValueError):
            raise UsageError(f"{margin.file}, row {line}: {figures[0]} is {row[figures[0]]!r}, which is no number") from None
    return Margin(over=tuple(over), name=margin.name or margin.file, **{kind: out})  # type: ignore[arg-type]


def read_table(path: Path) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The columns and rows of a CSV or Parquet file. UsageError where it cannot be read, or a row of it."""

    def refuse(fault: str) -> None:
        raise UsageError(f"the table {path} cannot be read: {fault}")

    if not path.is_file():
        raise UsageError(f"no table at {path}; files are looked for beside the specification")
    rows = list(rows_of(path, str(path), refuse))
    if not rows:
        raise UsageError(f"the table {path} has no rows")
    return list(rows[0]), rows


def preset_text(name: str) -> str:
    """A preset as it is written. UsageError names the nearest."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return resources.files("deeppersona.population").joinpath("presets", f"{name}.toml").read_text("utf-8")


@lru_cache(maxsize=8)
def preset(name: str) -> Spec:
    """A preset, read."""
    return parse_spec(tomllib.loads(preset_text(name)), f"preset {name}")


def canonical(spec: Spec) -> bytes:
    """A specification as it is kept in a run folder (``spec.json``)."""
    return json.dumps(spec.model_dump(mode="json"), indent=1, ensure_ascii=False).encode() + b"\n"
