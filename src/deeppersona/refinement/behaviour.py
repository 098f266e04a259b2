"""Streams of what people do: ratings, choices and survey answers, in time order, cut into windows.

Two layouts are read, as JSON lines (also ``.gz``). Events: ``{"user", "time", "item", "rating"}`` a line, or ``"answer"``
(a number on the scale) or ``"choice"`` with ``"options"``; ``brand``, ``genre`` and ``decade`` (a text or a list) are taken
where given. Windows: ``{"user", "windows": [[{"item", "rating"}, ...], ...]}`` a line, in time order.
"""

from __future__ import annotations

import gzip
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import orjson

from deeppersona.errors import StoreError, UsageError
from deeppersona.refinement.features import of_item

Kind = Literal["rating", "answer", "choice"]
Answer = float | str
KEYS: tuple[Kind, ...] = ("rating", "answer", "choice")
WINDOW = 10  # events a window (DEEPER, arXiv 2502.11078)
_MOST_LEVELS = 101


@dataclass(frozen=True, slots=True)
class Event:
    """One thing done: the item, what was answered (None: hidden), and what the item is known by.

    ``value`` is a number for ratings and answers and the option taken for choices. ``options`` are those of a choice.
    """

    item: str
    value: Answer | None
    kind: Kind = "rating"
    options: tuple[str, ...] = ()
    time: str | float | None = None
    features: tuple[str, ...] = ()

    def asked(self) -> Event:
        """The event as it is put to a persona: without what was answered."""
        return replace(self, value=None)


Window = tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """One person's behaviour in time order; ``persona`` is the id of the persona it belongs to, if the file says so."""

    user: str
    windows: tuple[Window, ...]
    persona: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """The answers there are, in ascending order; a persona answers with one of them."""

    levels: tuple[float, ...]

    def code(self, value: float) -> int:
        """The place of the level nearest to a value, the lower of two as near."""
        return _nearest(self.levels, value)

    @staticmethod
    def of(text: str) -> Scale:
        """Read ``1..5`` or ``0.5..5/0.5``. UsageError where it is no scale."""
        span, _, step = text.partition("/")
        low, dots, high = span.partition("..")
        try:
            first, last, by = float(low), float(high), float(step or 1)
        except ValueError:
            first, last, by = 0.0, 0.0, 0.0
        if not dots or by <= 0 or last <= first or (last - first) / by > _MOST_LEVELS:
            raise UsageError(f"--scale {text!r}: write it as LOW..HIGH or LOW..HIGH/STEP, as in 1..5 or 0.5..5/0.5")
        return Scale(tuple(first + by * k for k in range(math.floor((last - first) / by + 1.5))))

    @staticmethod
    def seen_in(values: Iterable[float]) -> Scale:
        """The scale of the values seen so far: from the lowest to the highest, by the smallest step between two."""
        found = sorted(set(values))
        if len(found) < 2:
            only = found[0] if found else 1.0
            return Scale((only, only + 1.0))
        by = min(b - a for a, b in itertools.pairwise(found))
        if (found[-1] - found[0]) / by > _MOST_LEVELS:
            raise UsageError(
                f"answers from {found[0]:g} to {found[-1]:g} in steps of {by:g}: name the scale, as in --scale 1..5"
            )
        return Scale(tuple(found[0] + by * k for k in range(round((found[-1] - found[0]) / by) + 1)))


@lru_cache(maxsize=4096)
def _nearest(levels: tuple[float, ...], value: float) -> int:
    """The place of the nearest level: asked for every answer, of a handful of values."""
    return min(range(len(levels)), key=lambda k: abs(levels[k] - value))


@dataclass(frozen=True)
class Behaviour:
    """The streams of a file. ``left`` counts what was left out, by reason; ``domain`` names what they are about."""

    streams: tuple[Stream, ...]
    domain: str
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """The most windows any stream has."""
        return max((len(s.windows) for s in self.streams), default=0)

    def first_scale(self) -> Scale:
        """The scale as the first windows show it; later ones are not looked at."""
        firsts = (e.value for s in self.streams for e in s.windows[0])
        return Scale.seen_in(float(v) for v in firsts if isinstance(v, (int, float)))


def read_behaviour(
    path: Path, *, window: int = WINDOW, at_least: int | None = None, not_rated: float | None = 0.0, domain: str | None = None
) -> Behaviour:  # fmt: skip
    """Read a file of behaviour.

    Args:
        path: JSON lines of events or of windows; may be ``.gz``.
        window: events a window, where the file has single events; a last window with fewer is left out.
        at_least: windows a person must have; by default as many as most people have. Others are left out and counted.
        not_rated: a rating that means "no rating" (food.com writes 0); None where there is none. Such ratings are dropped.
        domain: what the streams are about; by default from the file's name.

    Raises:
        UsageError: the file is not there, has no line that can be read, or nobody has enough windows.

    """
    left: Counter[str] = Counter()
    streams = list(_streams(path, window, not_rated, left))
    if not streams:
        raise UsageError(
            f'{path} holds no behaviour: one event a line, as in {{"user": "u1", "time": 1, "item": "a film", "rating": 4}}'
        )
    usual = Counter(len(s.windows) for s in streams).most_common()
    wanted = at_least if at_least is not None else max(n for n, people in usual if people == usual[0][1])
    kept = [s for s in streams if len(s.windows) >= max(wanted, 1)]
    if short := len(streams) - len(kept):
        left[f"people with fewer than {wanted} windows"] = short
    if not kept or wanted < 2:
        raise UsageError(
            f"nobody in {path} has two windows of {window} events, one to begin with and one to be predicted; try a smaller --window"
        )
    kinds = {_family(e) for s in kept for e in s.windows[0]}
    if len(kinds) > 1:
        raise UsageError(f"{path} mixes {' and '.join(sorted(kinds))}: one file for each, they have no scale in common")
    return Behaviour(tuple(kept), domain or _domain(path), dict(left))


def _family(event: Event) -> str:
    return {"rating": "ratings", "answer": "survey answers", "choice": "choices"}[event.kind]


def _domain(path: Path) -> str:
    name = path.name.partition(".")[0].casefold().removeprefix("ratings_").removeprefix("amazon_")
    return "".join(c if c.isalnum() else "_" for c in name) or "behaviour"


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    try:
                        yield number, orjson.loads(line)
                    except orjson.JSONDecodeError:
                        yield number, None
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}; give the behaviour as JSON lines") from None
    except (OSError, EOFError) as error:
        raise StoreError(f"reading {path}: {error}; it may be cut short, copy it again") from error


def _streams(path: Path, window: int, not_rated: float | None, left: Counter[str]) -> Iterator[Stream]:
    loose: dict[str, list[tuple[Any, int, Event]]] = {}
    owner: dict[str, str] = {}
    taken: set[str] = set()
    for number, row in _lines(path):
        user = str(row.get("user", "")) if isinstance(row, Mapping) else ""
        if not isinstance(row, Mapping) or not user:
            left["lines that are no event"] += 1
        elif isinstance(row.get("windows"), Sequence) and not isinstance(row["windows"], str):
            if user in taken:
                left["people met twice"] += 1
                continue
            taken.add(user)
            yield Stream(
                user, tuple(_window(part, not_rated, left) for part in row["windows"]), _text(row.get("persona"))
            )
        elif (event := _event(row, not_rated, left)) is not None:
            loose.setdefault(user, []).append((_moment(row.get("time"), path, number), number, event))
            if row.get("persona") is not None:
                owner[user] = str(row["persona"])
    for user, events in loose.items():
        in_time = [event for _, _, event in sorted(events, key=lambda e: e[:2])]
        whole = len(in_time) - len(in_time) % window
        if whole < len(in_time):
            left["events in a last window that is not full"] += len(in_time) - whole
        cut = tuple(tuple(in_time[k : k + window]) for k in range(0, whole, window))
        yield Stream(user, cut, owner.get(user))


def _moment(time: Any, path: Path, number: int) -> tuple[int, Any]:
    if isinstance(time, bool) or not isinstance(time, (int, float, str)):
        raise UsageError(f"{path}, line {number}: an event needs a time, a number or a text such as 2024-05-01")
    return (1, time) if isinstance(time, str) else (0, time)


def _window(part: Any, not_rated: float | None, left: Counter[str]) -> Window:
    rows = part if isinstance(part, Sequence) and not isinstance(part, str) else ()
    return tuple(e for row in rows if (e := _event(row, not_rated, left)) is not None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _event(row: Any, not_rated: float | None, left: Counter[str]) -> Event | None:
    kind = next((key for key in KEYS if isinstance(row, Mapping) and key in row), None)
    if kind is None:
        left["lines that are no event"] += 1
        return None
    if not isinstance(row.get("item"), str) or not row["item"].strip():
        left["events without the name of an item"] += 1
        return None
    value, options = row[kind], tuple(str(o) for o in row.get("options") or ())
    if kind == "choice":
        if str(value) not in options or len(options) < 2:
            left["choices that are not among their options"] += 1
            return None
        return Event(row["item"], str(value), "choice", options, row.get("time"))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        left["answers that are no number"] += 1
        return None
    if kind == "rating" and not_rated is not None and value == not_rated:
        left[f"ratings of {not_rated:g}, which mean no rating"] += 1
        return None
    more = {key: [str(x) for x in _listed(row[key])] for key in ("brand", "genre", "decade") if row.get(key)}
    return Event(row["item"], float(value), kind, (), row.get("time"), of_item(row["item"], more))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
