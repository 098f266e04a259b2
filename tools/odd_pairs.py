"""Search for rules that are missing: answers that deny something, held together with answers that presume it.

Draws people of all ages and countries with every attribute filled, then looks at pairs of attributes close in meaning:
where one is answered by a denial (*never*, *no car*, *nobody*) and the other by something else, and both are found in one
person, the pair is listed for a reader, nearest in meaning and commonest first. What is a contradiction becomes a rule in
``taxonomy/rules``; most are not.

``python tools/odd_pairs.py --people 5000 [--only CATEGORY] [--near 0.5]``
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deeppersona.evaluation.audit import world_fills
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.fill import UNSET
from deeppersona.generation.priors import Priors
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.runtime.seed import Floats, Ints
from deeppersona.taxonomy.read import shipped_taxonomy

DENIAL = re.compile(
    r"^(no|none|never|nobody|nothing|nowhere|not|without|hardly|neither|cannot|does not|is not|has no)\b", re.I
)


@dataclass(frozen=True)
class OddPair:
    """A denial of one attribute found beside answers of another: how near they are, and how often each was met."""

    near: float
    denied: str
    denial: str
    other: str
    answers: tuple[tuple[str, int], ...]


def _labels(priors: Priors, i: int) -> list[str]:
    a = priors.attributes[i]
    return [o.value for o in a.options] or [f"{k + 1} {x}" for k, x in enumerate(a.scale.labels if a.scale else ())]


def _held(priors: Priors, i: int, codes: Ints) -> Floats:
    """Which answer each person holds, (people, answers) of 0 and 1."""
    a, labels = priors.attributes[i], _labels(priors, i)
    if a.kind == "many":
        return np.stack([(codes != UNSET) & (codes.clip(min=0) >> j & 1 == 1) for j in range(len(labels))], 1).astype(
            float
        )
    first = 0 if a.options else 1
    return np.asarray(codes[:, None] == np.arange(first, first + len(labels))[None, :], dtype=float)


def odd_pairs(people: int, seed: int, near: float, least: int, most: int) -> Iterator[OddPair]:
    """Denials beside affirmations of neighbouring attributes, nearest first."""
    taxonomy = shipped_taxonomy()
    priors = Priors(taxonomy)
    codes = np.concatenate([fill.codes for fill in world_fills(priors, shipped_facts(), people, seed)])
    texts = [f"{a.title} {a.definition} {a.question}" for a in priors.attributes]
    vectors = default_embedder().embed(texts)
    similar = cosine(vectors, vectors)
    found = []
    for i, a in enumerate(priors.attributes):
        denials = [(j, o.value) for j, o in enumerate(a.options) if DENIAL.match(o.value)]
        if not denials:
            continue
        held = _held(priors, i, codes[:, i])
        for k in [k for k in np.argsort(-similar[i])[: most + 1] if similar[i, k] >= near]:
            if k == i or not _labels(priors, int(k)):
                continue
            together = held.T @ _held(priors, int(k), codes[:, k])
            labels = _labels(priors, int(k))
            for j, denial in denials:
                answers = [
                    (x, int(n)) for x, n in zip(labels, together[j], strict=True) if n >= least and not DENIAL.match(x)
                ]
                if answers:
                    found.append(
                        OddPair(float(similar[i, k]), a.path, denial, priors.attributes[k].path, tuple(answers))
                    )
    yield from sorted(found, key=lambda pair: -pair.near)


def main() -> None:
    """Print what was found, grouped by the attribute denied."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--near", type=float, default=0.5, help="least cosine of two attributes")
    parser.add_argument("--most", type=int, default=6, help="neighbours looked at for each attribute")
    parser.add_argument("--least", type=int, default=3, help="people who must hold both answers")
    parser.add_argument("--only", help="a category: of the attribute denied")
    arguments = parser.parse_args()
    grouped: dict[tuple[str, str], list[OddPair]] = defaultdict(list)
    for pair in odd_pairs(arguments.people, arguments.seed, arguments.near, arguments.least, arguments.most):
        if not arguments.only or pair.denied.startswith(arguments.only + "."):
            grouped[pair.denied, pair.denial].append(pair)
    for (path, denial), pairs in grouped.items():
        print(f"{path}: {denial!r}")
        for pair in pairs:
            print(f"   {pair.near:.2f} {pair.other}: " + "; ".join(f"{x} ({n})" for x, n in pair.answers))


if __name__ == "__main__":
    main()
