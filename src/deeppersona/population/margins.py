"""Margins: a table fitted to targets by iterative proportional fitting, and targets that cannot hold together found first.

A table is a dense array over named dimensions (``Dims``: name -> categories, in the order of its axes). A ``Margin`` is
a target for its sums over all other dimensions; each of its numbers is a *figure*, NaN where there is none. Fitting is
that of Deming and Stephan (1940): of all tables that meet the margins, of any order and overlapping, the one nearest to
the base in Kullback-Leibler divergence. So odds ratios on which the margins say nothing stay those of the base, and zeros
stay zero. Where that is slow, Newton's method on the dual of the same problem ends it.

A conflict is proved by the lemma of Farkas (1902): whole multiples of figures such that every cell counts as often on one
side as on the other or less, while the figures say more. They come from a linear program and are checked in whole numbers.
The smallest is found by hitting sets: a conflict takes something from what any possible set leaves out (Reiter 1987).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from deeppersona.errors import UsageError, unknown
from deeppersona.runtime.seed import Dice, Floats, Ints

Dims = Mapping[str, Sequence[str]]

EXACT = 1e-10  # of the total: margins this near are met
_APART = 1e-9  # of the total: a conflict smaller than this is rounding in the targets, not a contradiction
_ROUNDS, _LONGEST, _NEWTON_FIGURES = 100, 2000, 800  # rounds before Newton's method; and where figures are too many
_WORK, _MOST_TRIES, _NODES = 2e9, 2000, 50_000  # bounds of the search for the smallest conflict: ten seconds or so


@dataclass(frozen=True, eq=False)
class Margin:
    """Targets for the sums over all dimensions but ``dims``; ``target`` has their shape, in their order. NaN is no target."""

    dims: tuple[str, ...]
    target: ArrayLike
    name: str = ""

    def __str__(self) -> str:
        return self.name or " x ".join(self.dims) or "total"


@dataclass(frozen=True, eq=False)
class System:
    """Margins as equations over the cells of a table: the cells that count in figure f add up to ``target[f]``.

    ``rows`` (margins, cells) is the figure that each cell counts in, ``len(target)`` where its margin has none for it;
    ``home`` (figures, 2) is the margin of a figure and its place in that margin's target.
    """

    dims: Dims
    margins: tuple[Margin, ...]
    rows: Ints
    target: Floats
    home: Ints

    def categories(self, figure: int) -> dict[str, str]:
        """The categories of a figure by dimension."""
        margin = self.margins[self.home[figure, 0]]
        index = np.unravel_index(self.home[figure, 1], np.shape(margin.target))
        return {dim: str(self.dims[dim][int(i)]) for dim, i in zip(margin.dims, index, strict=True)}

    @property
    def total(self) -> float:
        """The largest total of a margin, the scale of the figures; 1 where there is none."""
        return float(np.bincount(self.home[:, 0], self.target, 1).max()) or 1.0


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted ``table``; ``error`` is the largest miss of a figure as a share of the total, ``rounds`` the work it took."""

    table: Floats
    error: float
    rounds: int
    converged: bool


@dataclass(frozen=True)
class Conflict:
    """Figures that no table over the base meets together (margin, categories, target), told in words with the fix.

    ``smallest``: no fewer figures conflict, which is proved; else the search was given up at these.
    """

    figures: tuple[tuple[str, dict[str, str], float], ...]
    message: str
    smallest: bool


def shape_of(dims: Dims) -> tuple[int, ...]:
    """The shape of a table over ``dims``."""
    return tuple(len(categories) for categories in dims.values())


def counted(rows: Ints, x: Floats, figures: int) -> Floats:
    """Sums of the cells ``x`` (cells,) by figure, shape (figures,); ``rows`` as in ``System``."""
    return np.asarray(sum(np.bincount(row, x, figures + 1)[:figures] for row in rows) + np.zeros(figures))


def equations(dims: Dims, margins: Sequence[Margin]) -> System:
    """The margins as equations over all cells of a table, in the order of its axes (C order).

    Raises UsageError for unknown or repeated dimensions, wrong shapes, and targets below zero or infinite.
    """
    names, shape = list(dims), shape_of(dims)
    flat: list[Floats] = [np.zeros(0)]
    for margin in margins:
        target = np.asarray(margin.target, dtype=np.float64)
        if strange := [d for d in margin.dims if d not in dims]:
            raise unknown("dimension", strange[0], names)
        want = tuple(len(dims[d]) for d in margin.dims)
        if len(set(margin.dims)) < len(margin.dims) or target.shape != want:
            raise UsageError(f"margin {margin}: its target has shape {target.shape}; give {want}, each dimension once")
        if np.isinf(target).any() or (target < 0).any():
            raise UsageError(f"margin {margin}: a target is infinite or below 0; give counts, NaN for no target")
        flat.append(target.ravel())
    every = np.concatenate(flat)
    kept = ~np.isnan(every)
    number = np.split(np.where(kept, np.cumsum(kept) - 1, kept.sum()), np.cumsum([len(f) for f in flat[1:]]))
    rows = np.empty((len(margins), math.prod(shape)), dtype=np.int64)
    for row, own, margin in zip(rows, number, margins, strict=False):
        order = [margin.dims.index(d) for d in names if d in margin.dims]
        wide = [n if name in margin.dims else 1 for name, n in zip(names, shape, strict=True)]
        row[:] = np.broadcast_to(own.reshape(np.shape(margin.target)).transpose(order).reshape(wide), shape).ravel()
    home = [(k, i) for k, f in enumerate(flat[1:]) for i in np.flatnonzero(~np.isnan(f))]
    return System(dims, tuple(margins), rows, every[kept], np.array(home, dtype=np.int64).reshape(-1, 2))


def fit(base: ArrayLike, dims: Dims, margins: Sequence[Margin], *, tolerance: float = EXACT) -> Fit:
    """Fit ``base`` (any scale, shape of ``dims``) to the margins; ``tolerance`` is a share of the total.

    Raises UsageError, with the figures that conflict in words, where no table with the zeros of the base meets them.
    ``converged`` is False only where the targets contradict each other by about a billionth, or patience ended.
    """
    table, small, system = _laid_out(base, dims, margins)
    before = small[small > 0]
    after, error, rounds, conflict = settled(before, system, tolerance)
    if conflict is not None:
        raise UsageError(conflict.message)
    ratio = np.zeros(small.shape)
    ratio[small > 0] = after / before
    return Fit(table * ratio, error, rounds, error <= tolerance)


def find_conflict(base: ArrayLike, dims: Dims, margins: Sequence[Margin]) -> Conflict | None:
    """The smallest set of figures that no table with the zeros of ``base`` meets, or None if all can be met together."""
    _, small, system = _laid_out(base, dims, margins)
    return settled(small[small > 0], system, EXACT)[3]


def _laid_out(base: ArrayLike, dims: Dims, margins: Sequence[Margin]) -> tuple[Floats, Floats, System]:
    """The base, the same summed over what no margin names (axes kept), and the equations over the latter's cells above 0."""
    table = np.asarray(base, dtype=np.float64)
    if table.shape != shape_of(dims):
        raise UsageError(f"the base has shape {table.shape}; its dimensions {', '.join(dims)} need {shape_of(dims)}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise UsageError("the base has cells below 0 or not finite; give counts or shares of people")
    idle = {d: k for k, d in enumerate(dims) if all(d not in margin.dims for margin in margins)}
    small = table.sum(axis=tuple(idle.values()), keepdims=True)
    system = equations({d: ("",) if d in idle else c for d, c in dims.items()}, margins)
    return table, small, replace(system, rows=system.rows[:, small.ravel() > 0])


def settled(x: Floats, system: System, tolerance: float) -> tuple[Floats, float, int, Conflict | None]:
    """Fit the cells; where that fails, or plainly must, say which figures conflict."""
    near, error, rounds, y = tolerance * system.total, math.inf, 0, _plain_conflict(system)
    if y is None:
        x, error, rounds = scaled(x, system.rows, system.target, near, _ROUNDS)
        if error > near:
            slow = len(system.target) > _NEWTON_FIGURES
            how = scaled(x, system.rows, system.target, near, _LONGEST) if slow else _newton(x, system, near)
            x, error, rounds = how[0], how[1], rounds + how[2]
        if error > near:
            y = _certificate(system.rows, system.target, _APART * system.total)
    return x, error / system.total, rounds, None if y is None else _least(system, y)


def scaled(x: Floats, rows: Ints, target: Floats, near: float, rounds: int) -> tuple[Floats, float, int]:
    """Iterative proportional fitting of cells (cells,) until every figure is within ``near``: cells, worst miss, rounds."""
    x, error, wanted = x.copy(), 0.0, np.append(target, 1.0)
    own = [np.bincount(row, minlength=len(wanted)) > 0 for row in rows]  # other margins' figures have no cells in a row
    for done in range(rounds):
        error = 0.0
        for row, figures in zip(rows, own, strict=True):
            sums = np.bincount(row, x, len(wanted))
            sums[-1] = 1.0  # cells without a target stay as they are
            error = max(error, float(np.abs(wanted - sums)[figures].max(initial=0.0)))
            x *= np.divide(wanted, sums, out=np.ones(len(wanted)), where=sums > 0)[row]
        if error <= near:
            return x, error, done + 1
    return x, error, rounds


def _newton(x: Floats, system: System, near: float) -> tuple[Floats, float, int]:
    """As ``scaled``, where that is slow: Newton's method on the dual, cells being x * exp(sum of their multipliers)."""
    rows, target, n = system.rows, system.target, len(system.target)
    for done in range(120):
        gap = target - counted(rows, x, n)
        if (error := float(np.abs(gap).max())) <= near:
            return x, error, done
        pairs = (np.bincount(one * (n + 1) + other, x, (n + 1) ** 2) for one in rows for other in rows)
        curve = sum(pairs, np.zeros((n + 1) ** 2)).reshape(n + 1, n + 1)[:n, :n]
        size = np.sqrt(np.where(np.diag(curve) > 0, np.diag(curve), 1.0))
        values, vectors = np.linalg.eigh(curve / size / size[:, None])
        inverse = np.divide(1.0, values, out=np.zeros(n), where=values > 1e-13)  # margins repeat each other
        step = vectors @ (inverse * (vectors.T @ (gap / size))) / size
        move = np.append(step, 0.0)[rows].sum(axis=0)
        stride, rise, slope = min(1.0, 20.0 / max(float(np.abs(move).max()), 1e-300)), target @ step, gap @ step
        while stride > 1e-9 and stride * rise - x @ np.expm1(stride * move) < 1e-4 * stride * slope:
            stride /= 2
        x = x * np.exp(stride * move)
        if stride <= 1e-9:
            break
    return scaled(x, rows, target, near, _ROUNDS)


def _plain_conflict(system: System) -> Ints | None:
    """Multiples of figures that prove what can be seen at a glance: nobody in the base, or two margins that disagree."""
    n, margins, apart = len(system.target), system.margins, _APART * system.total
    empty = (counted(system.rows, np.ones(system.rows.shape[1]), n) == 0) & (system.target > apart)
    if empty.any():
        return np.asarray(np.arange(n) == np.argmax(empty), dtype=np.int64)
    for k, j in itertools.combinations(range(len(margins)), 2):
        axes = [{d: a for a, d in enumerate(margins[i].dims)} for i in (k, j)]
        shared = [d for d in axes[0] if d in axes[1]]
        both = ((np.asarray(margins[i].target, float), own) for i, own in zip((k, j), axes, strict=True))
        sums = [np.einsum(target, [*own.values()], [own[d] for d in shared]) for target, own in both]
        gap = np.nan_to_num(np.asarray(sums[0] - sums[1]))
        if np.abs(gap).max() > apart:
            at = np.unravel_index(int(np.argmax(np.abs(gap))), gap.shape)
            within = {d: str(system.dims[d][int(i)]) for d, i in zip(shared, at, strict=True)}.items()
            sign = (system.home[:, 0] == k).astype(int) - (system.home[:, 0] == j)
            found = [within <= system.categories(f).items() for f in range(n)]
            return np.asarray(sign * found * np.sign(gap[at]), dtype=np.int64)
    return None


def elastic(rows: Ints, target: Floats, weight: Floats, upper: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Cells in 0..``upper`` that miss the targets by least (sum of ``weight`` x miss): bounded simplex method (Dantzig 1955).

    ``rows`` as in ``System``. Returns the cells, what each figure lacks, and the multipliers of the figures: with no
    ``upper``, those of any cell add up to 0 or less, which proves that the miss cannot be less.
    """
    n, cells, scale = len(target), rows.shape[1], 2.0 ** math.ceil(math.log2(target.max(initial=0.0) or 1.0))
    spare = np.full((len(rows), 2 * n), n)  # what a figure lacks, what it exceeds
    spare[:1] = np.tile(np.arange(n), 2)
    rows, sign = np.hstack([rows, spare]), np.repeat([1.0, -1.0], [cells + n, n])
    top = np.append(np.full(cells, np.inf) if upper is None else upper / scale, np.full(2 * n, np.inf))
    price = np.concatenate([np.zeros(cells), weight, weight])
    basis, full, still = cells + np.arange(n), np.zeros(len(top), dtype=bool), 0
    inverse, x, y = np.eye(n), target / scale, np.zeros(n + 1)

    def column(j: int) -> Floats:
        return np.asarray(sign[j] * np.bincount(rows[:, j], minlength=n + 1)[:n])

    for turn in range(1, 60 * n + 2000):
        if turn % 500 == 0:  # so that rounding errors do not pile up
            inverse = np.linalg.inv(np.stack([column(j) for j in basis], axis=1))
            x = inverse @ (target / scale - counted(rows[:, full], top[full], n))
        y[:n] = price[basis] @ inverse
        gain = np.where(full, -1.0, 1.0) * (sign * y[rows].sum(axis=0) - price)
        gain[basis], gain[top == 0] = 0.0, 0.0
        # The largest gain first; where that stands still, the first (Bland 1977), which cannot go in circles.
        enter = int(np.argmax(gain) if still < 50 else np.argmax(gain > 1e-9))
        if gain[enter] <= 1e-9:
            break
        way = -1.0 if full[enter] else 1.0
        move = way * (inverse @ column(enter))
        room = np.full(n, np.inf)
        np.divide(x, move, out=room, where=move > 1e-9)
        np.divide(x - top[basis], move, out=room, where=move < -1e-9)
        step = min(max(float(room.min()), 0.0), float(top[enter]))
        still = 0 if step * gain[enter] > 1e-12 else still + 1
        x = x - step * move
        if step == top[enter]:
            full[enter] = ~full[enter]
            continue
        ties = np.flatnonzero(room <= step + 1e-12)
        out = int(ties[np.argmin(basis[ties])] if still >= 50 else ties[np.argmax(np.abs(move[ties]))])
        full[basis[out]], x[out] = move[out] < 0, step if way > 0 else top[enter] - step
        pivot = way * inverse[out] / move[out]
        inverse -= np.outer(way * move, pivot)
        inverse[out], basis[out], full[enter] = pivot, enter, False
    every = np.where(full, top, 0.0)
    every[basis] = x.clip(0.0)
    return every[:cells] * scale, (every[cells : cells + n] - every[cells + n :]) * scale, y[:n]


def _certificate(rows: Ints, target: Floats, apart: float) -> Ints | None:
    """Whole multiples of the figures that prove them in conflict (checked), or None: they can be met, or nearly."""
    y = elastic(rows, target, np.ones(len(target)))[2]
    y = np.where(np.abs(y) > 1e-7, y, 0.0)
    least = np.abs(y[y != 0]).min(initial=1.0)
    shares = [Fraction(float(v / least)).limit_denominator(60) for v in y]
    whole = np.array([int(s * math.lcm(*(s.denominator for s in shares))) for s in shares])
    sound = (np.append(whole, 0)[rows].sum(axis=0) <= 0).all() and math.fsum(whole * target) > apart
    return whole if sound else None


def _cost(rows: Ints, figures: int) -> float:
    """Roughly what a linear program costs: pivots x (cells, inverse, a sum for the rest); a billion take some seconds."""
    return 7.0 * figures * (rows.size + figures**2 + 20_000)


def _least(system: System, y: Ints) -> Conflict:
    """The smallest conflict, starting from the multiples of one that is proved."""
    rows, target, n = system.rows, system.target, len(system.target)
    apart, keys = _APART * system.total, np.append(Dice(0, np.arange(n)).bits("figure"), np.uint64(0))

    def proof(figures: Ints) -> Ints | None:
        local = np.full(n + 1, len(figures))
        local[figures] = np.arange(len(figures))
        _, kinds = np.unique(keys[np.where(local[rows] < len(figures), rows, n)].sum(axis=0), return_index=True)
        found = _certificate(local[rows[:, kinds]], target[figures], apart)
        return None if found is None else np.bincount(figures, found, n).astype(np.int64)

    for f in sorted(np.flatnonzero(y > 0), key=lambda f: float(y[f] * target[f])):  # the small ones may not be needed
        y[f] *= math.fsum(np.delete(y * target, f)) <= apart
    y = np.where((y > 0) | (counted(rows, 1.0 * (np.append(y, 0).clip(0)[rows].sum(axis=0) > 0), n) > 0), y, 0)
    block = int(np.count_nonzero(y)) if 10 * _cost(rows, int(np.count_nonzero(y))) < _WORK else 0
    while block := block // 2:  # leave out what is not needed, many at a time, at last one by one
        for some in np.array_split(np.flatnonzero(y), np.count_nonzero(y) // block):
            rest = np.setdiff1d(np.flatnonzero(y), some)
            if y[some].any() and len(rest) and (less := proof(rest)) is not None:
                y = less
    tries = min(int(_WORK / _cost(rows, n)), _MOST_TRIES)
    y, smallest = _smaller(system, y, tries, proof)
    told = [(f, str(system.margins[system.home[f, 0]])) for f in np.flatnonzero(y).tolist()]
    figures = tuple((name, system.categories(f), float(target[f])) for f, name in told)
    return Conflict(figures, _told(system, y), smallest or len(figures) == 1)


def _smaller(system: System, y: Ints, tries: int, proof: Callable[[Ints], Ints | None]) -> tuple[Ints, bool]:
    """The smallest conflict, from a known one, and whether it is proved to be that within ``tries`` linear programs."""
    n, nodes = len(system.target), [_NODES]
    cuts: list[frozenset[int]] = []

    def hitting(left: list[frozenset[int]], size: int, barred: frozenset[int]) -> frozenset[int] | None:
        """``size`` figures or fewer that take one from every cut left."""
        nodes[0] -= 1
        if not left or size <= 0 or nodes[0] < 0:
            return None if left else frozenset()
        shortest: frozenset[int] = min((cut - barred for cut in left), key=len)
        for f in sorted(shortest):
            if (rest := hitting([cut for cut in left if f not in cut], size - 1, barred)) is not None:
                return rest | {f}
            barred |= {f}
        return None

    for _ in range(tries):
        sizes = range(1, int(np.count_nonzero(y)))
        hit = next((h for size in sizes if (h := hitting(cuts, size, frozenset())) is not None), None)
        if hit is None or nodes[0] < 0:
            return y, nodes[0] >= 0
        chosen = np.isin(np.arange(n), list(hit))
        if hit and (found := proof(np.flatnonzero(chosen))) is not None:
            return found, True
        # These can be met. Whatever else is met with them cannot conflict either: a conflict takes from the rest.
        gap = elastic(system.rows, system.target, np.where(chosen, 1000.0, 1.0))[1]
        off = np.abs(gap) > _APART * system.total
        cuts.append(frozenset(np.flatnonzero(~chosen if off[chosen].any() else off).tolist()))
    return y, False


def _told(system: System, y: Ints) -> str:
    """What conflicts and what to do, for a person to read."""
    first, second = _side(system, y.clip(0)), _side(system, (-y).clip(0))
    more, less = (f"{math.fsum((s * y).clip(0) * system.target):,.10g}" for s in (1, -1))
    if not second:
        return f"{first} cannot be met, for the base has nobody there; set it to 0 or give the base such people"
    every = equations(system.dims, system.margins)
    zeros = bool((np.append(y, 0)[every.rows].sum(axis=0) > 0).any())
    return (
        f"these targets cannot all be met: {'by the zeros of the base, ' if zeros else ''}everybody counted in {first} is also "
        f"counted in {second}, so the former cannot exceed the latter; but they come to {more} and {less}. Lower the former or "
        f"raise the latter by {math.fsum(y * system.target):,.6g}, {'fill zeros of the base, ' if zeros else ''}or drop one"
    )


def _side(system: System, times: Ints) -> str:
    """Figures in words, those of a margin as one where they are all it has, or all it has of some categories."""
    parts = []
    for k, n in sorted({(int(system.home[f, 0]), int(times[f])) for f in np.flatnonzero(times)}):
        margin, figures = system.margins[k], np.flatnonzero((system.home[:, 0] == k) & (times == n)).tolist()
        told = [system.categories(f) for f in figures]
        common = {d: c for d, c in told[0].items() if all(t[d] == c for t in told)}
        some = [" & ".join(f"{d}={c}" for d, c in t.items()) for t in told]
        what = " + ".join(some[:4]) + (f" + {len(some) - 4} more" if len(some) > 4 else "")
        if len(figures) == math.prod(len(system.dims[d]) for d in margin.dims if d not in common):
            what = " & ".join(f"{d}={c}" for d, c in common.items()) or "all"
        total = f"{math.fsum(system.target[figures]):,.10g}"
        parts.append(f"{f'{n} times ' if n > 1 else ''}{what} of margin {margin} ({total})")
    return " and ".join(parts)
