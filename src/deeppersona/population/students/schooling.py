"""Grade, route and age, level and marks, subjects and cluster, and the stages of development that go with age.

Each rule these follow is checked again in ``rules.py`` from the finished record; here they hold by construction.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeppersona.population.students.choose import Columns, Rows
from deeppersona.population.students.schema import GRADES, NONE, Schema
from deeppersona.runtime.seed import Dice, Floats, Ints, label_keys, pick

CELL = ("grade", "sex", "cluster", "level")
MOST_STRONG, MOST_WEAK = 3, 3
_SAME_CLUSTER_AGAIN = 0.30  # chance that a second strong subject is of the first one's cluster
_ELSEWHERE = 0.6  # how much rarer a weak subject is in the cluster a pupil is strong in
_WORST_MARK = 5


class Schooling:
    """Draws everything school knows of a pupil."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._raw = schema, schema.raw
        self.joint = schema.base_joint()
        self._shape = self.joint.shape
        self._rows = Rows([self.joint.ravel()])
        self._stage_names = ("piaget", "erikson", "kohlberg")

    def cell(self, dice: Dice, columns: Columns) -> Columns:
        """Grade (1..12), sex, cluster and level (codes): as given (``cell:*``, -1 for drawn), the rest given that."""
        given = np.stack([columns[f"cell:{name}"] for name in CELL], axis=1).astype(np.int64)
        given[:, 0] -= given[:, 0] > 0  # grade 1 is row 0
        u = dice.uniform("cell")
        flat = self._rows.draw(np.zeros(len(dice), dtype=np.int64), u)
        whole = (given >= 0).all(axis=1)
        flat[whole] = np.ravel_multi_index(tuple(given[whole].T), self._shape)
        some = np.flatnonzero((given >= 0).any(axis=1) & ~whole)
        if len(some):
            weight = np.broadcast_to(self.joint, (len(some), *self._shape)).copy()
            for axis in range(4):
                index = np.arange(self._shape[axis]).reshape([-1 if k == axis else 1 for k in range(4)])
                asked = given[some, axis].reshape(-1, 1, 1, 1, 1)
                weight *= (asked < 0) | (asked == index[None])
            flat[some] = pick(np.cumsum(weight.reshape(len(some), -1), axis=1), u[some])
        grade, sex, cluster, level = (x.astype(np.int16) for x in np.unravel_index(flat, self._shape))
        return {"grade": (grade + 1).astype(np.int16), "sex": sex, "cluster": cluster, "level": level,
                "stage": (grade // 3).astype(np.int16)}  # fmt: skip

    def age(self, dice: Dice, columns: Columns) -> Columns:
        """The route through school (code) and the age in years."""
        routes = self._raw["routes"]
        grade, level = columns["grade"].astype(np.int64), columns["level"]
        weight = np.stack([r["share"] * np.array(r["by_level"], dtype=float)[level] for r in routes])
        repeated = np.array([str(r["value"]).startswith("repeated") for r in routes])
        weight[repeated] *= grade / GRADES * np.exp(-0.3 * columns["z:development"])
        weight[self._schema.routes.index("repeated two grades")] *= grade >= 3
        weight[self._schema.routes.index("skipped a grade")] *= grade >= 2
        weight[0] = np.maximum(1.0 - weight[1:].sum(axis=0), 0.05)
        running = np.cumsum(weight, axis=0)
        route = (running <= dice.uniform("route") * running[-1]).sum(axis=0)
        years = np.array([r["years"] for r in routes])[route]
        half = (dice.uniform("birthday") < 0.5).astype(np.int64)
        age = grade + self._raw["youngest_in_grade"] + half + years
        return {"route": route.astype(np.int16), "age": age.astype(np.int16)}

    def stages(self, dice: Dice, columns: Columns) -> Columns:
        """Piaget, Erikson and Kohlberg stage (codes): thresholds on age with overlaps, within the ages each is known at."""
        out: Columns = {}
        age = columns["age"].astype(np.float64)
        for name in self._stage_names:
            raw = self._raw[name]
            at = (
                age
                + dice.uniform(f"{name}/month")
                + raw["achievement"] * columns["z:ability"]
                + raw["spread"] * dice.normal(name)
            )
            low, high = stage_limits(raw["ages"], columns["age"])
            code = np.clip(np.searchsorted(np.array(raw["below"]), at, side="right"), low, high)
            if name == "kohlberg":
                code = np.minimum(code, np.searchsorted(np.array(raw["reasoning"]), out["piaget"], side="right") - 1)
            out[name] = code.astype(np.int16)
        return out

    def subjects(self, dice: Dice, columns: Columns) -> Columns:
        """``strong_0..2`` (the best first) and ``weak_0..2`` (the worst first): subject codes, NONE for none."""
        n, names = len(dice), self._schema.subjects
        taught = self._schema.taught[columns["grade"]]
        cluster_of, cluster = self._schema.cluster_of, columns["cluster"].astype(np.int64)
        key = dice.uniforms(label_keys([f"subject/{name}" for name in names]))
        key = np.where(taught, key, np.inf)
        level = columns["level"].astype(np.int64)
        strong_count = self._count(dice, "strong_counts", level) + 1
        weak_count = self._count(dice, "weak_counts", level)
        own = cluster_of[None, :] == cluster[:, None]
        at = np.arange(n)
        out: Columns = {}

        def take(
            name: str, among: NDArray[np.bool_] | None, wanted: NDArray[np.bool_], bias: Floats | float = 0.0
        ) -> Ints:
            masked = key + bias if among is None else np.where(among, key, np.inf)
            best = masked.argmin(axis=1)
            fine = np.isfinite(masked[at, best]) & wanted
            key[at[fine], best[fine]] = np.inf
            out[name] = np.where(fine, best, NONE).astype(np.int16)
            return out[name]

        take("strong_0", own, np.ones(n, dtype=bool))
        again = dice.uniform("same cluster") < _SAME_CLUSTER_AGAIN
        left = np.isfinite(np.where(own, key, np.inf)).any(axis=1)
        second = take("strong_1", np.where((again & left)[:, None], own, ~own), strong_count >= 2)
        # A third may not outnumber the first one's cluster: not the second's, unless that is the same.
        other = cluster_of[np.maximum(second, 0)]
        barred = (cluster_of[None, :] == other[:, None]) & (other != cluster)[:, None]
        take("strong_2", ~barred, strong_count >= 3)
        for k in range(MOST_WEAK):
            take(f"weak_{k}", None, weak_count > k, _ELSEWHERE * own)
        out["best"], out["worst"] = out["strong_0"], out["weak_0"]
        return out

    def _count(self, dice: Dice, name: str, level: Ints) -> Ints:
        table = np.array([self._raw[name][word] for word in self._schema.levels], dtype=float)
        return pick(np.cumsum(table, axis=1)[level], dice.uniform(name))

    def marks(self, dice: Dice, columns: Columns) -> Columns:
        """``marks`` (n, subjects) of 100, NONE where not taught; their ``average``; ``minutes`` of homework a day."""
        raw, names = self._raw["marks"], self._schema.subjects
        n, level = len(dice), columns["level"].astype(np.int64)
        taught = self._schema.taught[columns["grade"]]
        low, high = np.array(self._raw["levels"]["marks"], dtype=float)[level].T
        base = raw["mean"] + raw["spread"] * columns["z:ability"] + raw["chance"] * dice.normal("marks")
        base = np.clip(base, low + 1.0, high - 1.0)
        u = dice.uniforms(label_keys([f"mark/{name}" for name in names]))
        away = raw["near"] * (2 * u - 1)
        for names_, (least, most), sign in (
            (("strong", MOST_STRONG), raw["above"], 1),
            (("weak", MOST_WEAK), raw["below"], -1),
        ):
            for k in range(names_[1]):
                code = columns[f"{names_[0]}_{k}"]
                has = np.flatnonzero(code >= 0)
                away[has, code[has]] = sign * (least + (most - least) * u[has, code[has]])
        away = np.where(taught, away, 0.0)
        away -= np.where(taught, (away.sum(axis=1) / taught.sum(axis=1))[:, None], 0.0)
        marks = np.clip(np.rint(base[:, None] + away), _WORST_MARK, 100)
        average = np.rint((marks * taught).sum(axis=1) / taught.sum(axis=1))
        average = np.clip(average, low, high)
        spread = self._raw["homework"]["spread"]
        effort = np.exp(spread * (0.45 * columns["z:conscientiousness"] + 0.9 * dice.normal("homework")))
        minutes = np.rint(self._raw["homework"]["minutes_a_grade"] * columns["grade"] * effort / 5) * 5
        minutes = np.clip(minutes, 5, most_minutes(columns["grade"]))
        return {"marks": np.where(taught, marks, NONE).astype(np.int16).reshape(n, len(names)),
                "average": average.astype(np.int16), "minutes": minutes.astype(np.int16)}  # fmt: skip


def most_minutes(grade: Ints) -> Ints:
    """The most homework of a day that a pupil of a grade is given, minutes; three times the usual, about."""
    return np.minimum(60 + 15 * grade.astype(np.int64), 240)


def stage_limits(ages: list[list[int]], age: Ints) -> tuple[Ints, Ints]:
    """The first and last stage (codes) known at each age, each shape (n,)."""
    span = np.array(ages)
    known = (span[:, 0][None] <= age[:, None]) & (age[:, None] <= span[:, 1][None])
    return known.argmax(axis=1), known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)


def cluster_of_strong(strong: NDArray[np.int16], cluster_of: Ints, clusters: int) -> Ints:
    """The cluster (code) most strong subjects are of, a tie going to the first; ``strong`` (n, 3), NONE for none."""
    named = np.where(strong >= 0, cluster_of[np.maximum(strong, 0)], clusters)
    counts = np.stack([(named == c).sum(axis=1) for c in range(clusters)], axis=1)
    first = named[:, 0]
    at = np.arange(len(strong))
    mine = np.where(first < clusters, counts[at, np.minimum(first, clusters - 1)], 0)
    return np.where(mine == counts.max(axis=1), first, counts.argmax(axis=1))


def given_cells(cells: Mapping[str, object] | None, n: int) -> Columns:
    """The cells as columns ``cell:*``: -1 where the value is to be drawn."""
    out: Columns = {}
    for name in (*CELL, "country"):
        found = None if cells is None else cells.get(name)
        out[f"cell:{name}"] = np.full(n, NONE, dtype=np.int16) if found is None else np.asarray(found).astype(np.int16)
    return out
