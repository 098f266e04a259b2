"""An ordered, weighted set of personas one can index, filter, group and count."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product, repeat
from random import Random
from typing import TYPE_CHECKING, Any, overload

from deeppersona.errors import UsageError
from deeppersona.schema.condition import Clause, parse_clause
from deeppersona.schema.persona import Persona

if TYPE_CHECKING:
    import pandas

Record = dict[str, Any]


class _Part(Sequence[Record]):
    """Some of a sequence that is read when asked for: the places alone are held, eight bytes a person or less."""

    def __init__(self, whole: Sequence[Record], places: Sequence[int]) -> None:
        self.whole: Sequence[Record] = whole.whole if isinstance(whole, _Part) else whole
        inner = whole.places if isinstance(whole, _Part) else None  # a part of a part reads the whole, at one remove
        if inner is not None:
            slice_of = _ascending(places)
            places = inner[slice_of] if slice_of else [inner[i] for i in places]
        self.places: Sequence[int] = places if isinstance(places, range) else array("q", places)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.whole[i] for i in self.places[index]]
        return self.whole[self.places[index]]

    def __iter__(self) -> Iterator[Record]:
        return (self.whole[i] for i in self.places)

    def find(self, who: str) -> int | None:
        """The place of a person by id, None where they are not among these."""
        place = _place(self.whole, who)
        return self.places.index(place) if place is not None and place in self.places else None


def _ascending(places: Sequence[int]) -> slice | None:
    return slice(places.start, places.stop, places.step) if isinstance(places, range) and places.step > 0 else None


def _place(records: Sequence[Record], who: str) -> int | None:
    """Where a person stands, by id: as the records know it themselves (a run does), else by looking through them."""
    find: Callable[[str], int | None] | None = getattr(records, "find", None)
    if find is not None:
        return find(who)
    return next((place for place, record in enumerate(records) if record["id"] == who), None)


class Population(Sequence[Persona]):
    """People in order. Records are read, and become ``Persona`` objects, when looked at: a million are opened at once.

    What takes some of them (a slice, ``filter``, ``group``, ``sample``) holds their places, not their records, and what
    counts them (``values``, ``marginal``) reads each record once and lets it go.

    ``weights`` are sampling weights, one a person; equal when not given.
    """

    def __init__(self, records: Sequence[Record], weights: Sequence[float] | None = None, failures: int = 0) -> None:
        if weights is not None and len(weights) != len(records):
            raise UsageError(f"{len(weights)} weights for {len(records)} people; give one weight a person")
        self._records = records
        self.weights = None if weights is None else tuple(float(w) for w in weights)
        self.failures = failures

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Persona: ...
    @overload
    def __getitem__(self, index: slice) -> Population: ...
    @overload
    def __getitem__(self, index: str) -> Persona: ...
    def __getitem__(self, index: int | slice | str) -> Persona | Population:
        """A person by place or id, or a smaller population by slice."""
        if isinstance(index, slice):
            return self._take(range(*index.indices(len(self))))
        if isinstance(index, str):
            place = _place(self._records, index)
            if place is not None:
                return Persona.model_validate(self._records[place])
            first, last = (self._records[i]["id"] for i in (0, -1)) if len(self) else ("", "")
            raise UsageError(f"no person {index!r} among {len(self)}; ids run from {first} to {last}")
        return Persona.model_validate(self._records[index])

    def __iter__(self) -> Iterator[Persona]:
        for record in self._records:
            yield Persona.model_validate(record)

    def _take(self, places: Sequence[int]) -> Population:
        weights = None if self.weights is None else [self.weights[i] for i in places]
        if isinstance(self._records, (list, tuple)):
            return Population([self._records[i] for i in places], weights)
        return Population(_Part(self._records, places), weights)

    def filter(self, keep: Callable[[Persona], bool] | None = None, **where: Any) -> Population:
        """Keep the people for whom ``keep`` is true and whose demographics fit ``where``.

        ``where`` reads like anchors: ``age="60..75"``, ``country=["KE", "TZ"]``, ``sex="female"``.
        """
        clauses = [(f"demographics.{key}", _clause(key, value)) for key, value in where.items()]
        paths = [path for path, _ in clauses]

        def fits(record: Record) -> bool:  # a typed person is made only where a function is to look at them
            told = _values(record, paths)
            return all(_holds(clause, value) for (_, clause), value in zip(clauses, told, strict=True)) and (
                keep is None or keep(Persona.model_validate(record))
            )

        return self._take(array("q", (i for i, record in enumerate(self._records) if fits(record))))

    def group(self, path: str) -> dict[Any, Population]:
        """Split by the value at a path; a bare name means ``demographics.<name>``."""
        places: dict[Any, array[int]] = {}
        for i, (value,) in enumerate(self._told(path)):
            places.setdefault(tuple(value) if isinstance(value, list) else value, array("q")).append(i)
        return {value: self._take(index) for value, index in places.items()}

    groupby = group

    def _told(self, *paths: str) -> Iterator[tuple[Any, ...]]:
        full = [path if "." in path else f"demographics.{path}" for path in paths]
        return (_values(record, full) for record in self._records)

    def values(self, path: str) -> list[Any]:
        """The value at a path of every person, None where they are not told by it."""
        return [value for (value,) in self._told(path)]

    def marginal(self, path: str) -> dict[Any, float]:
        """Weighted share of people by value at a path, commonest first; a list counts each of its items."""
        return {value: share for (value,), share in self.marginals(path).items()}

    def marginals(self, *paths: str) -> dict[tuple[Any, ...], float]:
        """Weighted share of people by their values at several paths jointly, commonest first, in one pass.

        Keys hold a value for each path. A list counts each of its items; who is not told by one of the paths counts in
        the whole only, so that the shares may add up to less than one.
        """
        count: Counter[tuple[Any, ...]] = Counter()
        weights: Iterable[float] = repeat(1.0) if self.weights is None else self.weights
        total = 0.0
        for told, w in zip(self._told(*paths), weights, strict=False):
            total += w
            if None in told:
                continue
            for cell in product(*(value if isinstance(value, list) else (value,) for value in told)):
                count[cell] += w  # type: ignore[assignment]
        return {cell: n / (total or 1.0) for cell, n in count.most_common()}

    def sample(self, n: int, seed: int = 0) -> Population:
        """``n`` people at random without replacement, the same for the same seed."""
        if n > len(self):
            raise UsageError(f"a sample of {n} from {len(self)} people; ask for at most {len(self)}")
        return self._take(sorted(Random(seed).sample(range(len(self)), n)))  # noqa: S311 - a sample, no secret

    def map(self, change: Callable[[Persona], Persona]) -> Population:
        """Apply a function to every person, keeping order and weights."""
        return Population([change(person).record() for person in self], self.weights)

    def records(self) -> list[Record]:
        """The people as plain data, one dictionary each."""
        return list(self._records)

    def frame(self) -> pandas.DataFrame:
        """A data frame: one row a person, one column a path (needs pandas: ``pip install 'deeppersona[frame]'``)."""
        try:
            import pandas
        except ImportError:
            raise UsageError("a data frame needs pandas; pip install 'deeppersona[frame]'") from None
        return pandas.DataFrame([flat(record) for record in self._records]).set_index("id")

    def __repr__(self) -> str:
        return f"<Population of {len(self)}>"

    def _repr_html_(self) -> str:
        shown = self[:3]
        more = f"<p>and {len(self) - 3} more</p>" if len(self) > 3 else ""
        return f"<p><b>{len(self)} synthetic people</b></p>" + "".join(p._repr_html_() for p in shown) + more


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as one flat row: id, a column a trait, portrait; lists joined with ``; ``."""
    row: dict[str, Any] = {"id": record["id"]}
    for trait in record["traits"]:
        value = trait["value"]
        row[trait["path"]] = "; ".join(map(str, value)) if isinstance(value, list) else value
    row["narrative"] = record.get("narrative", "")
    return row


def _values(record: Mapping[str, Any], paths: Sequence[str]) -> tuple[Any, ...]:
    """The values of a record at some paths, None where it has none."""
    found = {trait["path"]: trait["value"] for trait in record["traits"] if trait["path"] in paths}
    return tuple(found.get(path) for path in paths)


_SPOKEN = {"marital_status": "marital", "household_size": "household"}


def _clause(key: str, value: Any) -> Clause:
    if key in ("age", "children", "household_size"):
        return parse_clause(_SPOKEN.get(key, key), value)
    items = value if isinstance(value, (list, tuple, set)) else [value]
    return Clause(key, words=frozenset(str(item) for item in items))


def _holds(clause: Clause, value: Any) -> bool:
    return clause.holds(value if clause.words is None or value is None else str(value))
