"""Religion and language, jointly: both margins are the country's own, their association is iterated to fit.

Some pairs go together everywhere (Urdu and Islam, Punjabi and Sikhism, Hebrew and Judaism). The table of such odds is
small and its effect is bounded by the margins, which stay exact (Deming and Stephan 1940).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import Country, Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.generation.cells import AGE, URBAN, Evidence
from deeppersona.runtime.seed import Dice, Floats, Ints, pick


class Belief:
    """The block of ``belief`` (a row of the religion table) and ``tongue`` (a row of the language table)."""

    def __init__(self, facts: Facts, country: Country) -> None:
        religion, language = facts.religion(country), facts.language(country)
        self.groups = [row["religion"] for row in religion.rows]
        self.branches = [row["branch"] for row in religion.rows]
        self.languages = [row["language"] for row in language.rows]
        odds = np.ones((len(self.groups), len(self.languages)))
        for row in facts.rows("language_religion.csv"):
            if row["countries"] and country.iso2 not in row["countries"].split(";"):
                continue
            hit_r = np.array([g == row["religion"] for g in self.groups])
            hit_l = np.array([name == row["language"] for name in self.languages])
            odds[np.ix_(hit_r, hit_l)] *= float(row["odds"])
        table = odds * religion.share[:, None] * language.share[None, :]
        for _ in range(200):
            table *= (religion.share / np.maximum(table.sum(axis=1), 1e-15))[:, None]
            table *= (language.share / np.maximum(table.sum(axis=0), 1e-15))[None, :]
        self.table: Floats = table / table.sum()
        self.evidence: dict[str, Evidence] = {
            "religion": {"table": "religion", "of": religion.place},
            "language": {"table": "language", "of": language.place},
        }

    def _allowed(self, anchors: Anchors) -> NDArray[np.bool_] | None:
        religion, language = anchors.get("religion"), anchors.get("language")
        if religion is None and language is None:
            return None
        mask = np.ones(self.table.shape, dtype=bool)
        if religion is not None and religion.words is not None:
            named = [
                g in religion.words or f"branch:{b}" in religion.words or f"{g}/{b}" in religion.words
                for g, b in zip(self.groups, self.branches, strict=True)
            ]
            mask &= (np.array(named) != religion.negated)[:, None]
        if language is not None and language.words is not None:
            mask &= np.array([(name in language.words) != language.negated for name in self.languages])[None, :]
        return mask

    def likelihood(self, anchors: Anchors) -> Floats | None:
        """The country's share with the religion and language asked for, the same in every cell."""
        mask = self._allowed(anchors)
        return None if mask is None else np.full(AGE.size, self.table[mask].sum())

    def draw(self, dice: Dice, cell: Ints, anchors: Anchors, u: Floats | None = None) -> dict[str, NDArray[np.int64]]:
        """Columns ``belief`` and ``tongue``; ``u`` may be an evenly spread sequence instead of the dice."""
        table = self.table if (mask := self._allowed(anchors)) is None else self.table * mask
        running = np.cumsum(table.ravel())
        found = pick(np.broadcast_to(running, (len(cell), running.size)), dice.uniform("belief") if u is None else u)
        return {"belief": found // table.shape[1], "tongue": found % table.shape[1]}


class Place:
    """The block of ``city`` (a row of the cities table): where townspeople live, and the nearest town of the others."""

    def __init__(self, facts: Facts, country: Country) -> None:
        cities = facts.cities(country)
        self.names = [row["city"] for row in cities.rows]
        small = np.array([row["size"] == "small" for row in cities.rows])
        # Country people live near any town; a big city is nearest for few of them.
        self.share = np.stack([cities.share, np.sqrt(cities.share) * np.where(small, 2.0, 1.0)])
        self.share /= self.share.sum(axis=1, keepdims=True)
        self.evidence: dict[str, Evidence] = {"city": {"table": "cities", "of": cities.place}}

    def _allowed(self, anchors: Anchors) -> NDArray[np.bool_] | None:
        clause = anchors.get("city")
        if clause is None or clause.words is None:
            return None
        return np.array([(name in clause.words) != clause.negated for name in self.names])

    def likelihood(self, anchors: Anchors) -> Floats | None:
        """The share of townspeople and of country people in the places asked for."""
        mask = self._allowed(anchors)
        return None if mask is None else np.asarray(self.share[:, mask].sum(axis=1)[URBAN])

    def draw(self, dice: Dice, cell: Ints, anchors: Anchors) -> dict[str, NDArray[np.int64]]:
        """Column ``city``."""
        share = self.share if (mask := self._allowed(anchors)) is None else self.share * mask
        return {"city": pick(np.cumsum(share, axis=1)[URBAN[cell]], dice.uniform("city"))}
