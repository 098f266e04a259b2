"""What a tree has to say about whom: attributes particular to a stage of life or a group, and options by region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import Clause
from deeppersona.schema.taxonomy import Attribute, Option, Taxonomy

LEAST_PER_STAGE = 40
LEAST_PER_REGION = 4

CARED_FOR = "relationships.caring.cared_for"
ARRIVAL = "demographics.migration.arrival"
DISABILITY = "health.disability.lives_with"


def _only(*words: str) -> Callable[[Clause], bool]:
    """Whether a clause lets through nobody but these."""
    return lambda c: bool(c.words) and not c.negated and (c.words or frozenset()) <= set(words)


def _without(word: str) -> Callable[[Clause], bool]:
    """Whether a clause shuts out those whose answer is this word: not a believer, nobody to care for."""

    def test(c: Clause) -> bool:
        words = c.words or frozenset()
        return word in words if c.negated else bool(words) and word not in words

    return test


# Stage or group -> clauses (key, test) any of which keeps an attribute to its members.
LIFE_STAGES: dict[str, tuple[tuple[str, Callable[[Clause], bool]], ...]] = {
    "children and teenagers": (("age", lambda c: c.high < 18),),
    "students": (("status", _only("student")),),
    "parents": (("children", lambda c: c.low >= 1), ("youngest_child", lambda c: True)),
    "carers": ((CARED_FOR, _without("nobody at present")),),
    "retired": (("status", _only("retired")),),
    "migrants": ((ARRIVAL, _without("born in the country")),),
    "living with disability": ((DISABILITY, _without("none")),),
    "rural": (("urban", _only("rural")),),
    "urban": (("urban", _only("urban")),),
    "rich": (("income", lambda c: c.low >= 4),),
    "poor": (("income", lambda c: c.high <= 2),),
    "believers": (("religion", _without("none")),),
    "non-believers": (("religion", _only("none")),),
}


def _clauses(taxonomy: Taxonomy, a: Attribute, seen: frozenset[str] = frozenset()) -> Iterator[Clause]:
    """The clauses an attribute is held to: its own, and those of the attributes it requires an answer of."""
    for clause in a.condition.clauses:
        yield clause
        if not clause.is_fact and not clause.negated and clause.key in taxonomy and clause.key not in seen:
            yield from _clauses(taxonomy, taxonomy[clause.key], seen | {a.path})


def stages_of(taxonomy: Taxonomy, a: Attribute) -> list[str]:
    """The stages of life and groups an attribute is particular to; most attributes are to none."""
    held = list(_clauses(taxonomy, a))
    return [
        stage for stage, tests in LIFE_STAGES.items()
        if any(clause.key == key and test(clause) for key, test in tests for clause in held)
    ]  # fmt: skip


def by_stage(taxonomy: Taxonomy) -> dict[str, int]:
    """Stage or group -> how many attributes apply to it in particular."""
    out = dict.fromkeys(LIFE_STAGES, 0)
    for a in taxonomy:
        for stage in stages_of(taxonomy, a):
            out[stage] += 1
    return out


def is_regional(a: Attribute) -> bool:
    """Whether what can be answered depends on the region or country."""
    return any(any(o.places) for o in a.options)


def regions_reached(a: Attribute) -> frozenset[str]:
    """The regions an attribute applies in; none where it is tied to countries."""
    if any(c.key == "country" for c in a.condition.clauses):
        return frozenset()
    named = (c.words for c in a.condition.clauses if c.key == "region" and c.words and not c.negated)
    return next(named, frozenset(v.REGION)) or frozenset()


def options_in(a: Attribute, region: str) -> list[Option]:
    """The options that exist all over a region."""
    return [o for o in a.options if not any(o.places) or region in o.places[0]]


def by_region(taxonomy: Taxonomy) -> dict[str, int]:
    """Region -> how many options are found there and not everywhere."""
    out = dict.fromkeys(v.REGION, 0)
    for a in taxonomy:
        for o in a.options:
            for region in o.places[0]:
                out[region] += 1
    return out


def thin_regions(a: Attribute) -> Iterable[tuple[str, int]]:
    """Regions in which a regional attribute leaves fewer than four options to choose from."""
    if is_regional(a):
        for region in sorted(regions_reached(a)):
            n = len(options_in(a, region))
            if n < LEAST_PER_REGION:
                yield region, n
