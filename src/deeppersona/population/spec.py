"""A specification of a population, as TOML: who is meant, exact quotas, soft targets, what is checked and reported on.

``read_spec`` reads and checks one; ``schema()`` is its JSON schema; the presets are files of the same form in ``presets/``.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator, model_validator

from deeppersona.corpus.parquet import rows_of
from deeppersona.errors import UsageError, unknown
from deeppersona.schema.plan import DEPTH_RANGE

PRESETS = ("national", "world", "panel", "cohort", "students")
Scalar = str | int | float
_FIGURES = ("people", "count", "n", "share", "weight")
_ONE_OR_SEVERAL = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_OF_BASE = "base.table "


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Margin(_Part):
    """Figures over one dimension or several: how many people, or which share of them, each combination has.

    ``over``: the dimensions. The figures are one of: ``people`` or ``share``, a table category -> figure for one dimension, or
    rows ``["female", "18..34", 120]`` for several; ``file``, a CSV or Parquet with a column a dimension and one of ``people``,
    ``share``, ``count`` or ``weight``; ``base = true``, the shares the base has. Combinations left out have no figure. ``counts``:
    the shares are counts of everybody, as those of a file may be.
    """

    over: Annotated[tuple[str, ...], WithJsonSchema(_ONE_OR_SEVERAL)]
    people: dict[str, float] | list[list[Scalar]] | None = None
    share: dict[str, float] | list[list[Scalar]] | None = None
    file: str | None = None
    base: bool = False
    name: str = ""
    counts: bool = False

    @field_validator("over", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("people", "share", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        listed = (
            value.values()
            if isinstance(value, Mapping)
            else [row[-1] for row in value if isinstance(row, (list, tuple)) and row]
            if isinstance(value, (list, tuple))
            else ()
        )
        for number in listed:
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
                raise ValueError(f"a figure is a number, 0 or more, not {number!r}")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Margin:
        given = [k for k in ("people", "share", "file") if getattr(self, k) is not None] + ["base"] * self.base
        if len(given) != 1:
            raise ValueError(f"give one of people, share, file or base = true, not {' and '.join(given) or 'none'}")
        if not self.over or len(set(self.over)) < len(self.over):
            raise ValueError("over names one dimension or several, each once")
        return self

    @property
    def of_base(self) -> bool:
        """Whether it is the user's own table of the base (see ``Base.table``)."""
        return self.name.startswith(_OF_BASE)

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
    our figures on its dimensions; all else is drawn given them. With the columns ``dimension``, ``category`` and a figure it
    holds several margins instead of a joint.
    """

    country: str | list[str] | dict[str, float] = "world"
    ages: str = "adults"
    where: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    focus: dict[str, float] = Field(default_factory=dict)
    table: str | None = None


class Weights(_Part):
    """``trim``: the smallest and largest weight, as ratios to the mean."""

    trim: tuple[float, float] = (0.2, 5.0)

    @field_validator("trim")
    @classmethod
    def _around_the_mean(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] <= 1 <= value[1] < math.inf:
            raise ValueError("give the smallest ratio to the mean, up to 1, and the largest, from 1, as [0.2, 5.0]")
        return value


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
    check: Annotated[int, Field(ge=0)] | Literal["all"] = 500
    duplicates: Literal["replace", "report", "off"] = "replace"
    base: Base = Field(default_factory=Base)
    dimensions: dict[str, list[Scalar] | dict[str, Scalar | list[Scalar]]] = Field(default_factory=dict)
    quota: tuple[Margin, ...] = ()
    target: tuple[Margin, ...] = ()
    weights: Weights = Field(default_factory=Weights)
    report: ReportOn = Field(default_factory=ReportOn)


def schema() -> dict[str, Any]:
    """The JSON schema of a specification, for editors and for those who write one by program."""
    described = {**Spec.model_json_schema(), "title": "deeppersona population"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def parse_spec(raw: Mapping[str, Any], where: str) -> Spec:
    """A specification from plain data. UsageError names the place and the nearest key."""
    _known_keys(raw, where)
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


_INNER: Mapping[str, type[BaseModel]] = {
    "base": Base,
    "weights": Weights,
    "report": ReportOn,
    "quota": Margin,
    "target": Margin,
}


def _known_keys(raw: Mapping[str, Any], where: str, model: type[BaseModel] = Spec) -> None:
    for key, value in raw.items():
        if key not in model.model_fields:
            raise unknown(f"key in {where}:", key, model.model_fields)
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if model is Spec and key in _INNER and isinstance(item, Mapping):
                _known_keys(item, f"{where}, [{key}]", _INNER[key])


def read_spec(path: Path) -> Spec:
    """Read a specification; files it names are looked for beside it. UsageError names what is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"no specification at {path}; write one, or start from a preset: deeppersona population --preset national --show"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the specification {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the specification {path} is no valid TOML: {error}") from None
    spec = parse_spec(raw, str(path))
    margins = {key: tuple(_with_file(m, path.parent) for m in getattr(spec, key)) for key in ("quota", "target")}
    if spec.base.table is not None:
        margins["target"] = (*margins["target"], *_own_table(spec.base.table, path.parent))
    return spec.model_copy(update=margins)


def _with_file(margin: Margin, folder: Path) -> Margin:
    """The margin with the rows of its file in place of the file."""
    if margin.file is None:
        return margin
    columns, rows = read_table(folder / margin.file)
    figure = _figure(margin.file, columns, ", ".join(margin.over), set(margin.over) <= set(columns))
    kind = "people" if figure.casefold() in ("people", "n") else "share"
    read = {
        "over": margin.over,
        "name": margin.name or margin.file,
        "counts": kind == "share" and figure.casefold() != "share",
    }
    return Margin.model_validate({**read, kind: _rows(margin.file, rows, margin.over, figure)})


def _own_table(file: str, folder: Path) -> list[Margin]:
    """The margins of the user's own table: one joint, or, with columns dimension and category, several."""
    columns, rows = read_table(folder / file)
    figure = _figure(file, columns, "a column a dimension", len(columns) > 1)
    over = [c for c in columns if c != figure]
    if set(over) != {"dimension", "category"}:
        return [
            Margin.model_validate(
                {"over": over, "name": f"{_OF_BASE}{file}", "share": _rows(file, rows, over, figure), "counts": True}
            )
        ]
    parts: dict[str, list[list[Scalar]]] = {}
    for dim, category, number in _rows(file, rows, ("dimension", "category"), figure):
        parts.setdefault(str(dim), []).append([category, number])
    return [
        Margin.model_validate({"over": [d], "name": f"{_OF_BASE}{file}, {d}", "share": part, "counts": True})
        for d, part in parts.items()
    ]


def _figure(file: str, columns: Sequence[str], needs: str, complete: bool) -> str:
    """The column of the figures. UsageError where there is none, or several, or another column is missing."""
    figures = [c for c in columns if c.casefold() in _FIGURES]
    if len(figures) != 1 or not complete:
        raise UsageError(
            f"{file} has columns {', '.join(columns)}; it needs {needs} and one of people, share, count, weight"
        )
    return figures[0]


def _rows(file: str, rows: Sequence[Mapping[str, Any]], over: Sequence[str], figure: str) -> list[list[Scalar]]:
    """Rows as those of a specification: categories, then the figure."""
    out: list[list[Scalar]] = []
    for line, row in enumerate(rows, 2):
        try:
            number = float(row[figure])
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise UsageError(f"{file}, row {line}: {figure} is {row[figure]!r}; a figure is a number, 0 or more")
        out.append([*(str(row[d]).strip() for d in over), number])
    return out


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
