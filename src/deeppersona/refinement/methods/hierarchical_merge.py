"""Hierarchical merge: each window is described alone, and the descriptions are merged two by two, up a tree.

What a merge hands upwards is a summary in words, five levels of each; that is what is lost on the way up.
"""

from __future__ import annotations

from deeppersona.refinement.methods.describe import described
from deeppersona.refinement.methods.incremental import mixed
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.words import told


class HierarchicalMerge(Structured):
    """Merge the descriptions of windows in a tree."""

    name = "hierarchical-merge"

    def __init__(self) -> None:
        self._leaves: dict[int, list[Preferences]] = {}

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe the window and merge all descriptions two by two until one is left; an odd one is merged a floor higher."""
        leaves = self._leaves.setdefault(context.person, [])
        if context.window or persona is None:
            leaves.append(described((context.window,), context))
        floor = list(leaves)
        while len(floor) > 1:
            pairs = [told(mixed(a, b), context.scale) for a, b in zip(floor[::2], floor[1::2], strict=False)]
            floor = pairs + floor[len(pairs) * 2 :]
        return floor[0]


method = HierarchicalMerge
