"""Which attributes without options a person is to be told by, where a model writes: long tail first, like the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deeppersona.generation.fill import Fill
from deeppersona.generation.selection import focus_weight
from deeppersona.runtime.seed import label_keys
from deeppersona.schema.plan import Plan
from deeppersona.schema.taxonomy import Taxonomy


class Texts:
    """The ``text`` attributes of a taxonomy, made ready to choose from."""

    def __init__(self, taxonomy: Taxonomy, focus: Mapping[str, float]) -> None:
        self.attributes = [a for a in taxonomy if a.kind == "text" and focus_weight(a.path, focus) > 0]
        self.places = [taxonomy.index[a.path] for a in self.attributes]
        self.share = len(self.attributes) / max(len(taxonomy), 1)
        self.keys = label_keys([f"select/{a.path}" for a in self.attributes])
        rarity = np.array([1.0 + 0.35 * len(a.condition.clauses) for a in self.attributes])
        self.pull = rarity * np.array([focus_weight(a.path, focus) for a in self.attributes])

    def choose(self, fill: Fill, plan: Plan) -> list[tuple[int, ...]]:
        """For each person the attributes to write, by their places in the taxonomy: as large a share of the depth as texts are of the tree."""
        cohort = fill.cohort
        if not self.attributes:
            return [()] * len(cohort)
        applies = np.stack([cohort.mask(a.condition, fill.attribute_mask) for a in self.attributes], axis=1)
        race = np.where(applies, -np.log(cohort.dice.uniforms(self.keys)) / self.pull, np.inf)
        wanted = max(round(plan.depth * self.share), 1)
        out = []
        for row, order in zip(race, np.argsort(race, axis=1, kind="stable"), strict=True):
            out.append(tuple(self.places[k] for k in order[:wanted] if np.isfinite(row[k])))
        return out
