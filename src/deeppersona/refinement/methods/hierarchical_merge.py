"""Hierarchical merge: each window is described alone, and the descriptions are merged two by two, up a tree.

What a merge hands upwards is a summary in words, five levels of each; that is what is lost on the way up.
"""

from __future__ import annotations

from deeppersona.refinement.methods.describe import described
from deeppersona.refinement.methods.incremental import mixed
from deeppersona.refinement.preference import Preferences
from deeppersona.refinement.step import Context, Structured
from deeppersona.refinement.words import told
from deeppersona.refinement.written import Writer, Written

_Floor = tuple[int, int, Preferences]


class HierarchicalMerge(Structured):
    """Merge the descriptions of windows in a tree."""

    name = "hierarchical-merge"

    def __init__(self) -> None:
        self._leaves: dict[int, list[Preferences]] = {}
        self._merged: dict[tuple[int, int, int], Preferences] = {}

    async def __call__(self, persona: Preferences | None, context: Context) -> Preferences:
        """Describe the window and merge all descriptions two by two until one is left; an odd one is merged a floor higher."""
        leaves = self._leaves.setdefault(context.person, [])
        if context.window or persona is None:
            leaves.append(described((context.window,), context))
        floor = [(k, k + 1, leaf) for k, leaf in enumerate(leaves)]  # from which description, to which, merged
        while len(floor) > 1:
            pairs = [self._one(a, b, context) for a, b in zip(floor[::2], floor[1::2], strict=False)]
            floor = pairs + floor[len(pairs) * 2 :]
        return floor[0][2]

    def _one(self, earlier: _Floor, later: _Floor, context: Context) -> _Floor:
        """Two made one; merges of the rounds before are not made again."""
        first, last = earlier[0], later[1]
        key = (context.person, first, last)
        if key not in self._merged:
            self._merged[key] = told(mixed(earlier[2], later[2]), context.scale)
        return first, last, self._merged[key]


class WrittenHierarchicalMerge(Written):
    """Have each window described, and descriptions merged two by two in a tree."""

    name = "hierarchical-merge"

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer)
        self._leaves: dict[int, list[str]] = {}
        self._merged: dict[tuple[str, str], str] = {}

    async def __call__(self, persona: str | None, context: Context) -> str:
        """Have the window described and all descriptions merged; where a merge does not come, the later of the two stands."""
        leaves = self._leaves.setdefault(context.person, [])
        if context.window or persona is None:
            leaves.append(await self.described((context.window,), context, None))
        floor = list(leaves)
        while len(floor) > 1:
            pairs = [await self._one(a, b) for a, b in zip(floor[::2], floor[1::2], strict=False)]
            floor = pairs + floor[len(pairs) * 2 :]
        return floor[0]

    async def _one(self, earlier: str, later: str) -> str:
        """Two made one; merges of the rounds before are not made again."""
        if (earlier, later) not in self._merged:
            self._merged[earlier, later] = await self.writer.merged(earlier, later) or later
        return self._merged[earlier, later]


method, written = HierarchicalMerge, WrittenHierarchicalMerge
