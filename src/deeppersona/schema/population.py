"""An ordered, weighted set of personas one can index, filter, group and count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, overload

from deeppersona.errors import UsageError
from deeppersona.schema.condition import Clause, parse_clause
from deeppersona.schema.persona import Persona

if TYPE_CHECKING:
    import pandas

Record = dict[str, Any]


class Population(Sequence[Persona]):
    """People in order. Records become ``Persona`` objects when looked at, so a million can be opened at once.

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
            for record in self._records:
                if record["id"] == index:
                    return Persona.model_validate(record)
            first, last = (self._records[i]["id"] for i in (0, -1)) if len(self) else ("", "")
            raise UsageError(f"no person {index!r} among {len(self)}; ids run from {first} to {last}")
        return Persona.model_validate(self._records[index])

    def __iter__(self) -> Iterator[Persona]:
        for record in self._records:
            yield Persona.model_validate(record)

    def _take(self, places: Sequence[int]) -> Population:
        weights = None if self.weights is None else [self.weights[i] for i in places]
        return Population([self._records[i] for i in places], weights)

    def filter(self, keep: Callable[[Persona], bool] | None = None, **where: Any) -> Population:
        """Keep the people for whom ``keep`` is true and whose demographics fit ``where``.

        ``where`` reads like anchors: ``age="60..75"``, ``country=["KE", "TZ"]``, ``sex="female"``.
        """
        clauses = [(key, _clause(key, value)) for key, value in where.items()]

        def fits(person: Persona) -> bool:
            return all(_holds(c, person.get(f"demographics.{k}")) for k, c in clauses) and (
                keep is None or keep(person)
            )

        return self._take([i for i, person in enumerate(self) if fits(person)])

    def group(self, path: str) -> dict[Any, Population]:
        """Split by the value at a path; a bare name means ``demographics.<name>``."""
        places: dict[Any, list[int]] = {}
        for i, value in enumerate(self.values(path)):
            places.setdefault(tuple(value) if isinstance(value, list) else value, []).append(i)
        return {value: self._take(index) for value, index in places.items()}

    def values(self, path: str) -> list[Any]:
        """The value at a path of every person, None where they are not told by it."""
        full = path if "." in path else f"demographics.{path}"
        return [next((t["value"] for t in r["traits"] if t["path"] == full), None) for r in self._records]

    def marginal(self, path: str) -> dict[Any, float]:
        """Weighted share of people by value at a path, commonest first; a list counts each of its items."""
        weights = self.weights or [1.0] * len(self)
        count: Counter[Any] = Counter()
        for value, w in zip(self.values(path), weights, strict=True):
            for item in value if isinstance(value, list) else [value]:
                if item is not None:
                    count[item] += w  # type: ignore[assignment]
        total = sum(weights) or 1.0
        return {value: n / total for value, n in count.most_common()}

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


_SPOKEN = {"marital_status": "marital", "household_size": "household"}


def _clause(key: str, value: Any) -> Clause:
    if key in ("age", "children", "household_size"):
        return parse_clause(_SPOKEN.get(key, key), value)
    items = value if isinstance(value, (list, tuple, set)) else [value]
    return Clause(key, words=frozenset(str(item) for item in items))


def _holds(clause: Clause, value: Any) -> bool:
    return clause.holds(value if clause.words is None or value is None else str(value))
