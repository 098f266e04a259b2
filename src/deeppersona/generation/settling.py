"""The order in which attributes are settled, and who gives way to whom.

An attribute whose conditions look at another is settled after it. A rule forbids a combination, whichever way round it was
written: the last of its attributes in the order gives way. The authors' direction (``if`` first) is kept wherever it makes
no circle, so rules can be written without knowing all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from deeppersona.schema.condition import Clause, Condition
from deeppersona.schema.taxonomy import Rule


@dataclass(frozen=True)
class Ban:
    """Where ``condition`` holds, values of the attribute at ``clause.key`` that ``clause`` holds for are not drawn."""

    condition: Condition
    clause: Clause


def settling_order(
    looks_at: Sequence[Set[int]], rules: Sequence[Rule], index: Mapping[str, int]
) -> list[int]:  # fmt: skip
    """Attributes so that each comes after what its conditions look at, and, where it can, after what rules put first.

    ``looks_at`` holds for each attribute those its own conditions look at (no circles: the checker sees to that).
    """
    hard = _ordered([sorted(needs) for needs in looks_at])
    place = {i: k for k, i in enumerate(hard)}
    wished: list[set[int]] = [set() for _ in looks_at]
    for rule in rules:
        first = {index[path] for path in rule.condition.paths() if path in index}
        for path in rule.never:
            if path in index:
                wished[index[path]] |= first - {index[path]}
    needs = [hard_ones | soft for hard_ones, soft in zip(looks_at, wished, strict=True)]
    circle = _circles(needs)
    kept = [
        sorted(looks_at[i] | {j for j in wished[i] if circle[i] != circle[j] or place[j] < place[i]})
        for i in range(len(needs))
    ]
    return _ordered(kept)


def _ordered(needs: Sequence[Sequence[int]]) -> list[int]:
    """Everything after its needs, else in the authors' order."""
    order: list[int] = []
    seen: set[int] = set()

    def visit(i: int) -> None:
        if i not in seen:
            seen.add(i)
            for need in needs[i]:
                visit(need)
            order.append(i)

    for i in range(len(needs)):
        visit(i)
    return order


def _circles(needs: Sequence[Set[int]]) -> list[int]:
    """The circle each belongs to, by number: its strongly connected component (Tarjan 1972)."""
    found, low, out = ([-1] * len(needs) for _ in range(3))
    stack: list[int] = []
    count = 0

    def visit(i: int) -> None:
        nonlocal count
        found[i] = low[i] = count
        count += 1
        stack.append(i)
        for need in sorted(needs[i]):
            if found[need] < 0:
                visit(need)
                low[i] = min(low[i], low[need])
            elif out[need] < 0:
                low[i] = min(low[i], found[need])
        if low[i] == found[i]:
            while out[i] < 0:
                out[stack.pop()] = i

    for i in range(len(needs)):
        if found[i] < 0:
            visit(i)
    return out


def bans(rules: Sequence[Rule], place: Callable[[str], int | None]) -> Iterator[Ban]:
    """Each forbidden combination as a ban on its attribute that is settled last; ``place`` is None for what is not drawn."""
    for rule in rules:
        for forbidden in rule.bans:
            members = [*rule.condition.clauses, forbidden]
            asked = [clause for clause in members if not clause.is_fact]
            places = [place(clause.key) for clause in asked]
            if any(at is None for at in places):
                continue
            last = max(range(len(asked)), key=lambda k: places[k] or 0)
            rest = tuple(clause for clause in members if clause is not asked[last])
            yield Ban(rule.condition if asked[last] is forbidden else Condition(rest), asked[last])
