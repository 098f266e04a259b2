"""A cohort with every attribute filled that applies."""

from collections.abc import Sequence

import deeppersona as dp
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.anchors import parse_anchors
from deeppersona.generation.engine import cohort_of
from deeppersona.generation.fill import Fill
from deeppersona.generation.priors import Priors


def whole_people(taxonomy: dp.Taxonomy, countries: Sequence[str], n: int, *, seed: int = 17) -> Fill:
    """``n`` people of all ages of these countries."""
    facts = shipped_facts()
    plan = dp.make_plan(n, list(countries), seed=seed, adults_only=False, taxonomy=dp.shipped_taxonomy())
    fill = Fill(Priors(taxonomy), cohort_of(plan, facts, range(n), parse_anchors({}, facts), {}))
    fill.settle(fill.pool())
    return fill
