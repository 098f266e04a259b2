"""Attributes of human beings and the immutable tree they stand in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deeppersona.errors import unknown
from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import Clause, Condition, parse_clause, parse_condition, place_clauses

Kind = Literal["choice", "many", "number", "scale", "text"]
Leans = dict[
    Annotated[str, Field(pattern=rf"^({'|'.join(v.LATENT)})$")],  # a pattern, so that no Python runs for each of them
    Annotated[float, Field(ge=-3, le=3)],
]
PATH_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,4}$"


class _Frozen(BaseModel):
    # Python code runs for the fields that need it only: a tree of twenty thousand options is to load in a blink.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class _Leaning(_Frozen):
    leans: Leans = Field(default_factory=dict)


Words = Annotated[str, Field(min_length=1)]


class Option(_Leaning):
    """One possible value: its weight among typical people, where and for whom it exists, what makes it likelier."""

    value: Words
    weight: float = Field(default=1.0, gt=0)
    regions: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    applies: dict[str, Any] = Field(default_factory=dict)
    phrase: str | None = None

    @cached_property
    def condition(self) -> Condition:
        """The hard condition besides the place."""
        return parse_condition(self.applies)

    @cached_property
    def places(self) -> tuple[frozenset[str], frozenset[str]]:
        """(regions, countries) it exists in; both empty means everywhere."""
        return place_clauses(self.regions, self.countries)


class NumberSpec(_Leaning):
    """A numeric attribute: normal (or log-normal) around ``mean``, cut to ``min``..``max``, rounded to ``step``."""

    mean: float
    sd: float = Field(gt=0)
    min: float
    max: float
    step: float = Field(default=1.0, gt=0)
    unit: str = ""
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> NumberSpec:
        if not self.min < self.max:
            raise ValueError(f"min {self.min} must be below max {self.max}")
        if not self.min <= self.mean <= self.max:
            raise ValueError(f"mean {self.mean} lies outside {self.min}..{self.max}")
        if self.log and self.mean <= 0:
            raise ValueError("log needs a mean above 0")
        return self


class ScaleSpec(_Leaning):
    """An ordered scale: value 1..k is the rank of a label."""

    labels: tuple[Words, ...] = Field(min_length=3, max_length=10)
    centre: float | None = None
    spread: float = Field(default=1.0, gt=0)


class Support(_Frozen):
    """How many people and conversations told of an attribute when a corpus was mined."""

    speakers: int = Field(ge=0)
    conversations: int = Field(ge=0)


class Attribute(_Frozen):
    """One leaf of the taxonomy: a question about a person that has an answer."""

    path: str = Field(pattern=PATH_PATTERN)
    definition: str = Field(min_length=8)
    question: str = Field(min_length=6)
    kind: Kind
    applies: dict[str, Any] = Field(default_factory=dict)
    telling: int = Field(default=1, ge=0, le=3)
    sensitive: bool = False
    options: tuple[Option, ...] = ()
    count: str = "1..3"
    number: NumberSpec | None = None
    scale: ScaleSpec | None = None
    examples: tuple[str, ...] = ()
    phrase: str = ""
    support: Support | None = None

    @field_validator("options", mode="before")
    @classmethod
    def _bare_words(cls, raw: Any) -> Any:
        if isinstance(raw, (list, tuple)) and not all(isinstance(item, dict) for item in raw):
            return [item if isinstance(item, (dict, Option)) else {"value": item} for item in raw]
        return raw

    @model_validator(mode="after")
    def _one_form(self) -> Attribute:
        needs = {"choice": "options", "many": "options", "number": "number", "scale": "scale", "text": "examples"}
        for kind, field in needs.items():
            if self.kind == kind and not getattr(self, field):
                raise ValueError(f"kind {kind} needs {field}")
        if self.kind not in ("choice", "many") and self.options:
            raise ValueError(f"kind {self.kind} takes no options")
        if not self.phrase and not (self.options and all(option.phrase for option in self.options)):
            raise ValueError("phrase: field required (unless every option has a phrase of its own)")
        values = [option.value for option in self.options]
        if len(values) != len(set(values)):
            raise ValueError(f"option given twice: {sorted({x for x in values if values.count(x) > 1})}")
        if self.kind == "many":
            low, high = self.count_range
            if not 0 <= low <= high or len(self.options) > 60:
                raise ValueError(f"count {self.count!r} must be like 1..3, with at most 60 options")
        if self.kind == "text" and len(self.examples) < 3:
            raise ValueError("a text attribute gives three example answers")
        return self

    @cached_property
    def condition(self) -> Condition:
        """Whom the attribute applies to."""
        return parse_condition(self.applies)

    @cached_property
    def by_value(self) -> dict[str, Option]:
        """The options by what they say."""
        return {option.value: option for option in self.options}

    @cached_property
    def count_range(self) -> tuple[int, int]:
        """How few and how many options a ``many`` attribute takes."""
        low, _, high = self.count.partition("..")
        return int(low), int(high or low)

    @property
    def category(self) -> str:
        """The first segment of the path."""
        return self.path.partition(".")[0]

    @property
    def subtree(self) -> str:
        """The path without its leaf."""
        return self.path.rpartition(".")[0]

    @property
    def title(self) -> str:
        """The leaf in words: ``weekday breakfast``."""
        return self.path.rpartition(".")[2].replace("_", " ")


class Rule(_Frozen):
    """Two attributes that must not clash: where ``when`` holds, the ``never`` values are not drawn.

    Options are named by their words, scales (by rank) and numbers by a range: ``[">=4"]``.
    """

    when: dict[str, tuple[Words, ...]] = Field(alias="if", min_length=1)
    never: dict[str, tuple[Words, ...]] = Field(min_length=1)
    because: str = Field(min_length=4)

    model_config = ConfigDict(populate_by_name=True)

    @cached_property
    def condition(self) -> Condition:
        """The ``when`` side."""
        return Condition(tuple(parse_clause(path, words) for path, words in self.when.items()))

    @cached_property
    def bans(self) -> tuple[Clause, ...]:
        """The ``never`` side: each clause holds for the values that are not drawn."""
        return tuple(parse_clause(path, words) for path, words in self.never.items())


class Category(_Frozen):
    """A top category: its key, its title and one line that says what belongs there."""

    key: str
    title: str
    about: str


class Taxonomy:
    """An immutable tree of attributes: lookup, subtree, rules, a fingerprint. Order is the authors' order."""

    def __init__(
        self, attributes: Iterable[Attribute], categories: Iterable[Category] = (), rules: Iterable[Rule] = ()
    ) -> None:
        self.attributes: tuple[Attribute, ...] = tuple(attributes)
        self.rules: tuple[Rule, ...] = tuple(rules)
        named = {category.key: category for category in categories}
        for attribute in self.attributes:
            key = attribute.category
            named.setdefault(key, Category(key=key, title=key.replace("_", " ").capitalize(), about=""))
        self.categories: tuple[Category, ...] = tuple(named.values())
        self.index: dict[str, int] = {a.path: i for i, a in enumerate(self.attributes)}

    def __len__(self) -> int:
        return len(self.attributes)

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self.attributes)

    def __contains__(self, path: object) -> bool:
        return path in self.index

    def __getitem__(self, path: str) -> Attribute:
        try:
            return self.attributes[self.index[path]]
        except KeyError:
            raise unknown("attribute", path, self.index) from None

    def subtree(self, path: str) -> Taxonomy:
        """Return the part of the tree at or under ``path``; UsageError with the nearest names if there is none."""
        kept = [a for a in self.attributes if a.path == path or a.path.startswith(path + ".")]
        if not kept:
            raise unknown("part of the taxonomy", path, sorted(self.nodes))
        return Taxonomy(kept, [c for c in self.categories if c.key == kept[0].category], ())

    @cached_property
    def nodes(self) -> frozenset[str]:
        """Every node: inner ones and leaves."""
        found: set[str] = set()
        for attribute in self.attributes:
            parts = attribute.path.split(".")
            found.update(".".join(parts[:i]) for i in range(1, len(parts) + 1))
        return frozenset(found)

    def rules_about(self, paths: Iterable[str]) -> list[Rule]:
        """The rules, in their order, that can be broken by somebody told by these attributes alone."""
        found = set(self._rules_by_ban.get("", ()))
        for path in paths:
            found.update(self._rules_by_ban.get(path, ()))
        return [self.rules[k] for k in sorted(found)]

    @cached_property
    def _rules_by_ban(self) -> dict[str, list[int]]:
        """Places of rules by the attribute whose values they forbid; under "" those that forbid not having a value."""
        found: dict[str, list[int]] = {}
        for k, rule in enumerate(self.rules):
            for ban in rule.bans:
                found.setdefault("" if ban.holds(None) else ban.key, []).append(k)
        return found

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:`` of the canonical form: equal trees have equal fingerprints."""
        payload = [a.model_dump(mode="json", exclude_defaults=True) for a in self.attributes]
        rules = [r.model_dump(mode="json") for r in self.rules]
        text = json.dumps([payload, rules], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
