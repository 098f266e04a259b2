"""Anchors: conditions the user sets on the core, ``age=60..75``, ``occupation=nurse``, ``religion=Catholic``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deeppersona.errors import UsageError, unknown
from deeppersona.facts.tables import Facts
from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import Clause, parse_clause

# What a user may write -> the key of the clause it becomes.
FIELDS = {
    "age": "age",
    "sex": "sex",
    "country": "country",
    "region": "region",
    "city": "city",
    "urban": "urban",
    "education": "education",
    "occupation": "occupation",
    "employment_status": "status",
    "income": "income",
    "marital_status": "marital",
    "children": "children",
    "household_size": "household",
    "religion": "religion",
    "language": "language",
}
SAME = {
    "gender": "sex", "job": "occupation", "marital": "marital_status", "household": "household_size",
    "status": "employment_status", "faith": "religion", "location": "city",
}  # fmt: skip
_WORDS = {"woman": "female", "women": "female", "f": "female", "man": "male", "men": "male", "m": "male"}


@dataclass(frozen=True)
class Anchors:
    """The conditions by field, the countries they leave, and how each was written (for messages)."""

    clauses: Mapping[str, Clause]
    written: Mapping[str, str]

    def get(self, key: str) -> Clause | None:
        """The clause on a key, if there is one."""
        return self.clauses.get(key)

    def without(self, key: str) -> Anchors:
        """The same anchors less one."""
        return Anchors({k: c for k, c in self.clauses.items() if k != key}, self.written)

    def __bool__(self) -> bool:
        return bool(self.clauses)


NONE = Anchors({}, {})


def _listed(raw: object) -> list[str]:
    if isinstance(raw, (list, tuple)):
        return [str(item).strip() for item in raw]
    return [part.strip() for part in str(raw).split(",") if part.strip()]


def _occupations(words: Sequence[str], facts: Facts) -> frozenset[str]:
    """The occupations meant: an exact title, a status such as ``retired``, or every title holding the words."""
    titles = facts.occupations.title
    found: set[str] = set()
    for word in words:
        plain = word.casefold().replace("_", " ")
        exact = {t for t in titles if t.casefold() == plain}
        statuses = {s for s in v.STATUS if s.replace("_", " ") == plain and s not in v.IN_WORK}
        holding = {t for t in titles if f" {plain} " in f" {t.casefold()} " or t.casefold().endswith(f" {plain}")}
        hit = exact or statuses or holding
        if not hit:
            raise unknown("occupation", word, titles)
        found |= hit
    return frozenset(found)


def _religions(words: Sequence[str], facts: Facts) -> frozenset[str]:
    """Groups (``muslim``) or branches (``Catholic``); a branch is kept as ``branch:Catholic``."""
    branches = {row["branch"] for row in facts.rows("religion.csv") if row["branch"]}
    by_fold = {b.casefold(): f"branch:{b}" for b in branches} | {g: g for g in v.RELIGION}
    by_fold |= {"no religion": "none", "atheist": "none"}
    found = set()
    for word in words:
        key = word.casefold().replace("_", " ")
        if key not in by_fold:
            raise unknown("religion", word, [*v.RELIGION, *sorted(branches)])
        found.add(by_fold[key])
    return frozenset(found)


def _known(what: str, words: Sequence[str], choices: Sequence[str]) -> frozenset[str]:
    by_fold = {choice.casefold(): choice for choice in choices}
    for word in words:
        if word.casefold() not in by_fold:
            raise unknown(what, word, sorted(set(choices)))
    return frozenset(by_fold[word.casefold()] for word in words)


def _clause(field: str, raw: object, facts: Facts) -> Clause:
    key = FIELDS[field]
    words = _listed(raw)
    if not words:
        raise UsageError(f"anchor {field} is empty; write {field}=VALUE, a range 60..75 or a set a,b")
    if field == "occupation":
        return Clause(key, words=_occupations(words, facts))
    if field == "religion":
        return Clause(key, words=_religions(words, facts))
    if field == "country":
        return Clause(key, words=frozenset(facts.country(word).iso2 for word in words))
    if field == "language":
        return Clause(key, words=_known(field, words, [r["language"] for r in facts.rows("language.csv")]))
    if field == "city":
        return Clause(key, words=_known(field, words, [r["city"] for r in facts.rows("cities.csv.gz")]))
    if field == "income":
        ranks = {word: str(i + 1) for i, word in enumerate(v.INCOME)}
        ranks |= {"lowest": "1", "low": "1..2", "middle": "3", "high": "4..5", "highest": "5", "poor": "1", "rich": "5"}
        words = [ranks.get(word.casefold(), word) for word in words]
    plain = [_WORDS.get(word.casefold(), word.casefold().replace(" ", "_").replace("-", "_")) for word in words]
    if field in ("age", "children", "household_size", "income"):
        plain = [word.replace("_", "") for word in plain]
    if field == "education":
        plain = [word.replace(".._", "..").replace("_..", "..") for word in plain]
    return parse_clause(key, plain if len(plain) > 1 else plain[0])


def parse_anchors(raw: Mapping[str, object], facts: Facts) -> Anchors:
    """Read anchors given as field -> value(s). UsageError names the nearest valid choice."""
    clauses: dict[str, Clause] = {}
    written: dict[str, str] = {}
    for name, value in raw.items():
        field = name.removeprefix("demographics.").casefold()
        field = SAME.get(field, field)
        if field not in FIELDS:
            raise unknown("anchor", name, FIELDS)
        clause = _clause(field, value, facts)
        if clause.key in clauses:
            raise UsageError(f"anchor {field} is given twice; write a set, {field}=a,b, or a range")
        clauses[clause.key] = clause
        written[clause.key] = f"{field}={','.join(_listed(value))}"
    return Anchors(clauses, written)
