"""Try a taxonomy on a world of people: which options are never drawn, which attributes tell nothing, who has how many.

Every attribute is drawn for everybody it applies to, whether a persona would be told by it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import Facts, shipped_facts
from deeppersona.generation.anchors import parse_anchors
from deeppersona.generation.core import world_weights
from deeppersona.generation.engine import cohort_of
from deeppersona.generation.fill import UNSET, Fill
from deeppersona.generation.priors import Priors
from deeppersona.generation.stories import shipped_grammar
from deeppersona.runtime.seed import Floats, Ints
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Attribute, Taxonomy
from deeppersona.version import __version__

TELLS_NOTHING = 0.95
_LEAST_ASKED = 200  # of people an attribute must apply to before the shares of its answers are judged
_BATCH = 2000


@dataclass(frozen=True)
class Answers:
    """How one attribute was answered: by how many, and how often each answer was given.

    ``counts`` has a place for each option, each label of a scale, or each number that occurred.
    """

    attribute: Attribute
    asked: int
    counts: tuple[tuple[str, int], ...]

    @property
    def top(self) -> tuple[str, float]:
        """The commonest answer and its share of those asked."""
        value, n = max(self.counts, key=lambda pair: pair[1], default=("", 0))
        return value, n / max(self.asked, 1)

    @property
    def entropy(self) -> float:
        """Shannon entropy of the answers in bits."""
        shares = np.array([n for _, n in self.counts if n], dtype=float)
        shares /= max(shares.sum(), 1.0)
        return float(-(shares * np.log2(shares)).sum()) if len(shares) else 0.0

    @property
    def never(self) -> list[str]:
        """Options nobody was drawn."""
        return [value for value, n in self.counts if n == 0]


@dataclass(frozen=True)
class Audit:
    """What came of drawing every attribute for a world sample; ``pool`` is how many apply to each person."""

    people: int
    answers: tuple[Answers, ...]
    pool: Ints

    @property
    def options(self) -> int:
        """Options that could have been drawn."""
        return sum(len(a.attribute.options) for a in self.answers)

    @property
    def never(self) -> list[tuple[str, str]]:
        """(path, option) never drawn."""
        return [(a.attribute.path, value) for a in self.answers for value in a.never]

    def issues(self) -> list[Issue]:
        """What an author should look at, as warnings."""
        out = []
        for a in self.answers:
            path = a.attribute.path
            if not a.asked:
                out.append(_warning(path, "never-asked", f"applied to none of {self.people} people"))
                continue
            closed = f"drawn for none of {a.asked} people who were asked"
            out += [_warning(path, "never-drawn", f"option {value!r}: {closed}") for value in a.never]
            value, share = a.top
            if share > TELLS_NOTHING and a.asked >= _LEAST_ASKED:
                out.append(
                    _warning(path, "tells-nothing", f"{value!r} is the answer of {share:.0%} of {a.asked} people")
                )
        return out


def _warning(path: str, rule: str, message: str) -> Issue:
    return Issue(path=path, rule=rule, message=message, severity="warning")


def _counts(priors: Priors, i: int, codes: Ints) -> Floats:
    """How often each answer of attribute ``i`` occurs among codes of people who have one."""
    attribute = priors.attributes[i]
    if attribute.kind == "many":
        return np.array([(codes >> j & 1).sum() for j in range(len(attribute.options))], dtype=float)
    if attribute.kind == "choice":
        return np.bincount(codes, minlength=len(attribute.options)).astype(float)
    if attribute.scale is not None:
        return np.bincount(codes, minlength=len(attribute.scale.labels) + 1)[1:].astype(float)
    return np.zeros(0)


def world_and_every_country(facts: Facts) -> dict[str, float]:
    """Country weights for an audit: half the people as the world is peopled, half spread evenly over all countries."""
    peopled = world_weights(facts, parse_anchors({}, facts), 0)
    whole = sum(peopled.values())
    return {code: n / whole + 1 / len(peopled) for code, n in peopled.items()}


def audit(
    taxonomy: Taxonomy, people: int, *, seed: int = 0, facts: Facts | None = None,
    tick: Callable[[int], None] = lambda n: None,
) -> Audit:  # fmt: skip
    """Draw every attribute for ``people`` of all ages and countries; ``tick`` is told of each batch."""
    facts = facts or shipped_facts()
    priors = Priors(taxonomy)
    counts: list[Floats] = [_counts(priors, i, np.zeros(0, dtype=np.int64)) for i in range(len(priors))]
    numbers: list[dict[int, int]] = [{} for _ in range(len(priors))]
    asked = np.zeros(len(priors), dtype=np.int64)
    pool_sizes: list[Ints] = []
    for fill in world_fills(priors, facts, people, seed):
        has: NDArray[np.bool_] = fill.codes != UNSET
        asked += has.sum(axis=0)
        pool_sizes.append(has.sum(axis=1))
        for i, attribute in enumerate(priors.attributes):
            codes = fill.codes[has[:, i], i]
            if attribute.number is not None:
                for code, n in zip(*np.unique(codes, return_counts=True), strict=True):
                    numbers[i][int(code)] = numbers[i].get(int(code), 0) + int(n)
            else:
                counts[i] += _counts(priors, i, codes)
        tick(len(fill.codes))
    answers = tuple(
        Answers(a, int(asked[i]), _named(priors, i, counts[i], numbers[i])) for i, a in enumerate(priors.attributes)
    )
    return Audit(people, answers, np.concatenate(pool_sizes) if pool_sizes else np.zeros(0, dtype=np.int64))


def world_fills(priors: Priors, facts: Facts, people: int, seed: int) -> Iterator[Fill]:
    """People of all ages and countries, a batch at a time, with every attribute that applies to them filled."""
    anchors = parse_anchors({}, facts)
    plan = Plan(
        n=people, countries=world_and_every_country(facts), seed=seed, adults_only=False,
        taxonomy=priors.taxonomy.fingerprint, engine=__version__,
    )  # fmt: skip
    stories, cells = shipped_grammar(), dict[str, Floats]()
    for begin in range(0, people, _BATCH):
        cohort = cohort_of(plan, facts, range(begin, min(begin + _BATCH, people)), anchors, cells)
        stories.choose(cohort)  # stories lean the latents, as they do when a persona is made
        fill = Fill(priors, cohort)
        fill.settle(fill.pool())
        yield fill


def _named(priors: Priors, i: int, counts: Floats, numbers: dict[int, int]) -> tuple[tuple[str, int], ...]:
    attribute = priors.attributes[i]
    if attribute.number is not None:
        return tuple((str(priors.decode(i, code)), n) for code, n in sorted(numbers.items()))
    labels = [o.value for o in attribute.options] or list(attribute.scale.labels if attribute.scale else ())
    return tuple(zip(labels, counts.astype(int).tolist(), strict=True))
