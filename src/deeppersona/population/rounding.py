"""Rounding: fractional tables to whole people with every quota exact, and slots to the cells of a table.

Controlled rounding keeps the grand total and every hard margin to the last person and changes no cell by 1 or more where
that is possible. It is always possible for one margin, by systematic sampling along its cells (Madow 1949), and for two,
by the classical network of rows and columns (Causey, Cox and Ernst 1985), rounded along its cycles (Cox 1987). For more
margins the flight of the cube method (Deville and Tillé 2004) rounds all cells but a few, and a search the rest: steps of
one person at a time, then branch and bound, which also proves that there is no such table. The first three are unbiased:
a cell of 2.3 becomes 3 with a chance of three in ten, drawn by the seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from deeppersona.errors import UsageError
from deeppersona.population.margins import Dims, Margin, System, counted, elastic, equations, shape_of
from deeppersona.runtime.seed import Dice, Floats, Ints, label_keys

Seed = int | str

_EPS, _LOOSE = 1e-9, 1e-3  # a share this near to 0 or 1 is that; the latter once much has been added to it
_WORK = 1e9  # what the search for a whole table may cost, as in margins
_GOLDEN, _MOST = 0.6180339887498949, 3_000_000_000  # slots: their products fit into 64 bits


@dataclass(frozen=True, eq=False)
class Rounded:
    """Whole ``counts``; ``change`` is the largest difference from the table (below 1 is a controlled rounding)."""

    counts: Ints
    change: float
    method: str


def apportion(shares: ArrayLike, n: int, *, seed: Seed = 0) -> Ints:
    """Give ``n`` whole seats to shares of any shape by largest remainders (Hamilton); ties are drawn by the seed."""
    share = np.asarray(shares, dtype=np.float64)
    if not np.isfinite(share).all() or (share < 0).any() or share.sum() <= 0 or n < 0:
        raise UsageError("shares must be finite, not below 0 and not all 0, and n not below 0")
    exact = share.ravel() / share.sum() * n
    seats = np.floor(exact + _EPS).astype(np.int64)
    left = np.round(exact - seats, 9)
    chance = Dice(seed, np.arange(len(left))).uniform("remainder")
    seats[np.lexsort((chance, -left))[: n - seats.sum()]] += 1
    return np.asarray(seats.reshape(share.shape))


def controlled_rounding(
    table: ArrayLike, dims: Dims, hard: Sequence[Margin] = (), near: Sequence[Sequence[str]] = (), *, seed: Seed = 0
) -> Rounded:
    """Round ``table`` (people, adding up to a whole number) so that its total and all ``hard`` margins are exact.

    ``table`` must meet the hard margins already, as ``margins.fit`` leaves it. Margins over the dimensions in ``near``
    (and hard figures that are NaN) come within 1 of the table's, surely where there are two margins in all. Zeros stay.
    Raises UsageError where the table misses a hard margin or no whole table can be found, with the figures.
    """
    x = np.asarray(table, dtype=np.float64)
    if x.shape != shape_of(dims) or not np.isfinite(x).all() or (x < 0).any():
        raise UsageError(f"the table to round must have shape {shape_of(dims)} and finite cells not below 0")
    total = Margin((), np.array(float(round(float(x.sum())))))
    kept = _finest(dims, hard, near, total)
    named = [any(d in m.dims for m in kept) for d in dims]
    small = np.asarray(x.sum(axis=tuple(k for k, n in enumerate(named) if not n)), dtype=np.float64)
    few = {d: c for (d, c), n in zip(dims.items(), named, strict=True) if n}
    system = equations(few, [total, *hard])
    _check(small, system)
    counts, method = _rounded(small, few, kept, system, seed)
    if (counted(system.rows, counts.ravel().astype(np.float64), len(system.target)) != system.target).any():
        raise UsageError("rounding lost a hard margin to rounding errors; fit the table more closely first")
    whole = _divided(x, named, counts, seed)
    return Rounded(whole, float(np.abs(whole - x).max(initial=0.0)), method)


def _finest(dims: Dims, hard: Sequence[Margin], near: Sequence[Sequence[str]], total: Margin) -> list[Margin]:
    """The margins to keep in mind: one within a complete hard one comes right by itself, and so may the total."""
    loose = [Margin(tuple(d), np.full([len(dims[i]) for i in d], np.nan)) for d in near]
    full = [m for m in hard if not np.isnan(np.asarray(m.target, float)).any()]
    kept: list[Margin] = []
    for m in sorted([*full, *(m for m in hard if m not in full), *loose], key=lambda m: -len(m.dims)):
        if not any(set(m.dims) <= set(k.dims) and (k in full or set(m.dims) == set(k.dims)) for k in kept):
            kept.append(m)
    if len(kept) != 2 and not any(m in full for m in kept):
        kept.append(total)
    return kept


def _check(small: Floats, system: System) -> None:
    """Refuse a table that does not meet the total and the hard margins, in whole numbers."""
    sums = counted(system.rows, small.ravel(), len(system.target))
    off = np.abs(sums - system.target) > max(1e-6, 1e-9 * system.target[0])
    for f in np.flatnonzero(off | (system.target % 1 != 0)).tolist():
        where = ", ".join(f"{d}={c}" for d, c in system.categories(f).items()) or "all"
        raise UsageError(
            f"margin {system.margins[system.home[f, 0]]}, {where}: the table has {sums[f]:.10g}, the quota is "
            f"{system.target[f]:.10g}; a quota must be a whole number, and the table fitted to it before it is rounded"
        )


def _rounded(small: Floats, dims: Dims, kept: Sequence[Margin], system: System, seed: Seed) -> tuple[Ints, str]:
    """Round a table of which every dimension is in a margin; and by what method."""
    if len(kept) == 1:
        return np.rint(small).astype(np.int64), "systematic"
    whole = np.floor(small.ravel() + _EPS)
    cells = np.flatnonzero(small.ravel() - whole > _EPS)
    rows, value = _shares(small.ravel() - whole, dims, kept, cells)
    network = len(kept) == 2
    up = _cycles(rows[0], rows[1], value, seed) if network else _flight(rows, value, seed)
    landed = np.floor(up + Dice(seed, np.arange(len(up))).uniform("landing").clip(_LOOSE, 1.0 - _LOOSE))
    whole[cells] += landed[: len(cells)]
    if (np.abs(up - landed) > _LOOSE).any():
        return _search(small, system, whole, seed), "search"
    return whole.astype(np.int64).reshape(small.shape), "network" if network else "cube"


def _divided(x: Floats, named: Sequence[bool], counts: Ints, seed: Seed) -> Ints:
    """Give the counts over the named dimensions to the cells, by systematic sampling: a random start, then whole steps.

    The start is drawn from those that give the count wanted; over all of them every cell is right on average.
    """
    order = [*(k for k, n in enumerate(named) if n), *(k for k, n in enumerate(named) if not n)]
    cells = np.transpose(x, order).reshape(counts.size, -1)
    wanted, sums = counts.ravel().astype(float), cells.sum(axis=1)
    floor = np.floor(sums + _EPS)
    share, u = (sums - floor).clip(0.0), Dice(seed, np.arange(counts.size)).uniform("systematic")
    start = np.where(wanted > floor, 1.0 - share + share * u, (1.0 - share) * u)
    moved = (wanted < floor) | (wanted > np.ceil(sums - _EPS))  # a search went further than the nearest whole numbers
    scale = np.divide(wanted, sums, out=np.ones(counts.size), where=moved & (sums > 0))
    run = np.cumsum(cells * scale[:, None], axis=1)
    steps = np.minimum(np.floor(run + np.where(moved, u, start)[:, None]), wanted[:, None])
    steps = np.where(
        run == run[:, -1:], wanted[:, None], steps
    )  # whatever rounding errors say, and no zero cell is filled
    given = np.diff(steps, axis=1, prepend=0.0).astype(np.int64)
    return np.transpose(given.reshape([x.shape[k] for k in order]), np.argsort(order))


def _shares(share: Floats, dims: Dims, kept: Sequence[Margin], cells: Ints) -> tuple[Ints, Floats]:
    """What is to be rounded, as values in (0, 1), and the figure of every margin that it counts in: rows, -1 for none.

    Behind the cells stand the slacks: for a figure that need not be met exactly, what its shares lack of a whole number.
    """
    ends = np.cumsum([0, *(math.prod(len(dims[d]) for d in m.dims) for m in kept)])
    # Of ten digits: the last bits of a fit, which machines may disagree on, must not decide between equal shares.
    rows, values, slacks = [], [np.round(share[cells], 10)], []
    for k, m in enumerate(kept):
        own = equations(dims, [Margin(m.dims, np.zeros(np.shape(m.target)))]).rows[0][cells]
        lacks = -np.bincount(own, share[cells], ends[k + 1] - ends[k]) % 1.0
        loose = np.flatnonzero(np.isnan(np.ravel(m.target)) & (lacks > _EPS) & (lacks < 1.0 - _EPS))
        slacks.append(np.full((len(kept), len(loose)), -1))
        slacks[k][k] = loose + ends[k]
        rows.append(own + ends[k])
        values.append(np.round(lacks[loose], 10))
    return np.hstack([np.array(rows), *slacks]), np.concatenate(values)


def _cycles(left: Ints, right: Ints, value: Floats, seed: Seed) -> Floats:
    """Round shares that are edges of a network of left and right nodes, whose sums at every node are whole numbers.

    A node with a share that is not whole has another, so a walk along such edges closes a cycle. Adding to every other
    edge of it what is taken from the rest keeps all sums, until one edge is whole.
    """
    v, chance = value.tolist(), iter(Dice(seed, np.arange(len(value))).uniform("cycle").tolist())
    ends = ((left + 1).tolist(), (right + int(left.max(initial=0)) + 3).tolist())  # "no figure" is a node too
    edges: list[list[int]] = [[] for _ in range(max(ends[1], default=-1) + 1)]
    for e, (one, other) in enumerate(zip(*ends, strict=True)):
        edges[one].append(e)
        edges[other].append(e)
    for start in range(len(edges)):
        nodes, path, place = [start], [-1], {start: 0}  # path[k] is the edge that leads to nodes[k]
        while nodes:
            e = _onward(edges[nodes[-1]], v, path[-1])
            if e < 0:  # nothing more here: the edge that led here is whole but for rounding errors
                if path[-1] >= 0:
                    v[path[-1]] = float(round(v[path[-1]]))
                del place[nodes.pop()], path[-1]
                continue
            far = ends[0][e] + ends[1][e] - nodes[-1]
            if far not in place:
                place[far] = len(nodes)
                nodes.append(far)
                path.append(e)
                continue
            k = place[far] + 1
            _turn([*path[k:], e], v, next(chance))
            for gone in nodes[k:]:
                del place[gone]
            del nodes[k:], path[k:]
    return np.array(v)


def _turn(cycle: list[int], v: list[float], u: float) -> None:
    """Move along a cycle of edges until one of them is whole."""
    gain, loss = [v[e] for e in cycle[::2]], [v[e] for e in cycle[1::2]]
    up, down = min(1.0 - max(gain), min(loss)), min(min(gain), 1.0 - max(loss))
    move = up if u * (up + down) < down else -down  # nothing moves on average
    for k, e in enumerate(cycle):
        moved = v[e] - move if k % 2 else v[e] + move
        v[e] = float(round(moved)) if min(moved, 1.0 - moved) < _EPS else moved


def _onward(edges: list[int], v: list[float], came: int) -> int:
    """The last edge that is not whole and not the one we came by, or -1; whole ones found on the way are dropped."""
    for k in range(len(edges) - 1, -1, -1):
        e = edges[k]
        if v[e] in (0.0, 1.0):
            edges.pop(k)
        elif e != came:
            return e
    return -1


def _flight(rows: Ints, value: Floats, seed: Seed) -> Floats:
    """The flight of the cube method: shares move along what keeps all sums, until few are left that are not whole.

    Neighbours first, which have most figures in common: that is fast, and what one gains is taken from one near it.
    """
    v = value.copy()
    for size in (500, 5000, max(len(v), 1)):
        live = np.flatnonzero((v > _EPS) & (v < 1.0 - _EPS))
        chance = Dice(seed, live).uniforms(label_keys([f"flight {size}", f"order {size}"]))
        for k in range(0, len(live), size):
            some = live[k : k + size][np.argsort(chance[k : k + size, 1], kind="stable")]
            figures, local = np.unique(rows[:, some], return_inverse=True)
            local = local.reshape(len(rows), -1) - (figures[0] < 0)
            v[some] = _fly(local, v[some], chance[k : k + size, 0])
    return v


def _fly(rows: Ints, v: Floats, chance: Floats) -> Floats:
    """One flight, column by column; at its end no more of them are not whole than there are independent figures.

    ``inverse`` (transposed) is that of the columns in ``basis`` (-1: a figure that none stands for yet), so that a column's
    multiples of them are at hand: those, and the column itself, are moved together.
    """
    n = int(rows.max(initial=0)) + 1
    inverse, basis = np.eye(n + 1, n), np.full(n, -1)  # the last row, for "no figure", stays 0
    for j in range(len(v)):
        d = inverse[rows[:, j]].sum(axis=0)
        d[np.abs(d) < 1e-7] = 0.0
        new = np.where(basis < 0, np.abs(d), 0.0)
        out = int(np.argmax(new))
        if new[out] == 0.0:
            held = np.flatnonzero(d)
            b, step = v[basis[held]], d[held]
            ups = np.append(np.where(step > 0, b, b - 1.0) / step, 1.0 - v[j]).clip(0.0)
            downs = np.append(np.where(step > 0, b - 1.0, b) / -step, v[j]).clip(0.0)
            up, down = ups.min(), downs.min()
            rising = chance[j] * (up + down) < down  # nothing moves on average
            move = up if rising else -down
            v[basis[held]] -= move * step
            v[j] += move
            hit = int(np.argmin(ups if rising else downs))
            if hit == len(held):
                v[j] = np.rint(v[j])
                continue
            out = int(held[hit])
            v[basis[out]] = np.rint(v[basis[out]])
        some, pivot = np.flatnonzero(d), inverse[:, out] / d[out]
        inverse[:, some] -= np.outer(pivot, d[some])
        inverse[:, out], basis[out] = pivot, j
    return v


def _search(small: Floats, system: System, counts: Floats, seed: Seed) -> Ints:
    """Whole counts that meet the hard margins, where the flight ended between: within 1 if it can be, else further off."""
    some = np.flatnonzero(small.ravel() > 0)
    x, rows, target, start = small.ravel()[some], system.rows[:, some], system.target, counts[some]
    whole, proved = np.floor(x + _EPS), False
    for reach in (0.0, 1.0, math.inf):
        low, high = (whole - reach).clip(0.0), (np.ceil(x - _EPS) + reach).clip(max=target[0])
        found = _walk(rows, target, low, high, start, x - whole, seed)
        if found is None:
            found, proved = _branch(rows, target, low, high)
        if found is not None:
            return np.bincount(some, found, small.size).astype(np.int64).reshape(small.shape)
    miss = counted(rows, start, len(target)) - target
    told = [
        f"{system.margins[system.home[f, 0]]} {', '.join(system.categories(f).values())}: {miss[f]:+.0f}"
        for f in np.flatnonzero(miss).tolist()
    ]
    raise UsageError(
        f"no table of whole people {'meets' if proved else 'was found, in the time given, to meet'} these hard margins, "
        f"though one with fractions does; the nearest found misses {len(told)} of {len(miss)} figures "
        f"({'; '.join(told[:6])}, ...): make one of these margins soft"
    )


def _branch(rows: Ints, target: Floats, low: Floats, high: Floats) -> tuple[Ints | None, bool]:
    """Whole cells in ``low``..``high`` that meet all targets, by branch and bound; None with True says there are none."""
    n = len(target)
    turns, sure, stack = int(_WORK / (7.0 * n * (rows.size + n * n + 20_000))), True, [(low, high)]
    while stack and turns:
        turns -= 1
        low, high = stack.pop()
        left = target - counted(rows, low, n)
        if (left < -_LOOSE).any():
            continue
        x, gap, y = elastic(rows, left.clip(0.0), np.ones(n), high - low)
        if np.abs(gap).max(initial=0.0) > 1e-6:  # none here, if the multipliers say so too
            sure &= bool(left @ y - (high - low) @ np.append(y, 0.0)[rows].sum(axis=0).clip(0.0) > 1e-7)
            continue
        x = x + low
        off = np.abs(x - np.rint(x))
        j = int(np.argmax(off))
        if off[j] < 1e-6:
            return np.rint(x).astype(np.int64), True
        below, above = high.copy(), low.copy()
        below[j], above[j] = np.floor(x[j]), np.ceil(x[j])
        ways = [(low, below), (above, high)]
        stack += ways if x[j] % 1.0 >= 0.5 else ways[::-1]  # the nearer one is looked at first
    return None, sure and not stack


def _walk(
    rows: Ints, target: Floats, low: Floats, high: Floats, start: Floats, share: Floats, seed: Seed
) -> Ints | None:
    """Steps of 1 in one cell at a time, each the best for the sum of all misses, none taken back soon (tabu search).

    Of steps as good as each other one is drawn, up in proportion to the cell's ``share`` and down to what is left of it.
    """
    x, n = start.clip(low, high), len(target)
    lacks = np.append(target - counted(rows, x, n), 0.0)
    steps = int(4 * np.abs(lacks).sum()) + 500
    rested = np.zeros(len(x), dtype=np.int64)
    chance, share = Dice(seed, np.arange(len(x))).uniform("walk"), share.clip(1e-3, 1.0 - 1e-3)
    for turn in range(1, steps):
        if not lacks.any():
            return np.asarray(np.rint(x), dtype=np.int64)
        more, less = np.where(lacks > 0, 1.0, -1.0), np.where(lacks < 0, 1.0, -1.0)
        more[n] = less[n] = 0.0
        rise = np.where(x < high, more[rows].sum(axis=0), -np.inf)
        fall = np.where(x > low, less[rows].sum(axis=0), -np.inf)
        u = (chance + _GOLDEN * turn) % 1.0
        rise, fall = rise + 0.9 * u ** (1.0 / share), fall + 0.9 * u ** (1.0 / (1.0 - share))
        worth = np.where(rested > turn, -np.inf, np.maximum(rise, fall))
        j = int(np.argmax(worth))
        if not np.isfinite(worth[j]):
            continue
        step = 1.0 if rise[j] >= fall[j] else -1.0
        x[j] += step
        rested[j] = turn + 8 + turn % 7
        np.subtract.at(lacks, rows[:, j], step)
        lacks[n] = 0.0
    return None


@dataclass(frozen=True, eq=False)
class Slots:
    """The cell of each of n slots, n being the sum of ``counts`` (any shape): exact in all, nearly proportional in any prefix.

    Slots are laid along the cells by steps of about n / golden ratio (a systematic sample at any length), so that one slot
    is answered without the others. The cells are shuffled first: in their own order steps can fall in with a dimension, and
    the first twenty people be of one sex. The seed sets the order and the first slot.
    """

    counts: Ints
    seed: Seed = 0

    @cached_property
    def order(self) -> Ints:
        """The cells (index into the flat counts) as the slots meet them."""
        return np.argsort(Dice(self.seed, np.arange(np.size(self.counts))).bits("order of cells"), kind="stable")

    @cached_property
    def ends(self) -> Ints:
        """How many slots the cells up to each in that order, and it, have; the last is n."""
        ends = np.cumsum(np.ravel(self.counts)[self.order], dtype=np.int64)
        if np.min(self.counts, initial=0) < 0 or not ends.size or not 0 < ends[-1] <= _MOST:
            raise UsageError(f"counts must be whole numbers, not below 0, that add up to 1 to {_MOST:,}")
        return ends

    @cached_property
    def _line(self) -> tuple[int, int, int]:
        """How many slots, the step (prime to that; as golden in its continued fraction as can be), and the start."""
        n = int(self.ends[-1])
        steps = [a for a in range(max(1, round(n * _GOLDEN) - 200), round(n * _GOLDEN) + 201) if math.gcd(a, n) == 1]
        start = int(Dice(self.seed, np.zeros(1, dtype=np.int64)).bits("slots")[0] % np.uint64(n))
        return n, min(steps, key=lambda a: (_roughness(a, n), abs(a - n * _GOLDEN))), start

    def place_of(self, slots: Ints) -> tuple[Ints, Ints]:
        """The cell (index into the flat counts) of each slot, and its number in the cell, 0 to the cell's count - 1."""
        at, (n, step, start) = np.asarray(slots, dtype=np.int64), self._line
        if ((at < 0) | (at >= n)).any():
            raise UsageError(f"slots are numbered 0 to {n - 1}; asked for {at.min()} to {at.max()}")
        position = (at * step + start) % n
        met = np.searchsorted(self.ends, position, side="right")
        cell = self.order[met]
        return cell, position - (self.ends[met] - np.ravel(self.counts)[cell])

    def cell_of(self, slots: Ints) -> Ints:
        """The cell (index into the flat counts) of each slot, shape of ``slots``."""
        return self.place_of(slots)[0]


def _roughness(a: int, n: int) -> int:
    """The largest partial quotient of a / n: the smaller, the more evenly the multiples of a lie modulo n."""
    worst = 0
    while a:
        worst = max(worst, n // a)
        a, n = n % a, a
    return worst
