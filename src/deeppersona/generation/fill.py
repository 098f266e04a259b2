"""Fill attributes from their priors: P(option) proportional to weight x exp(LEAN x sum(lean x latent)), in settling order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deeppersona.generation.cohort import Cohort, Mask
from deeppersona.generation.latents import LATENT_INDEX
from deeppersona.generation.priors import Priors
from deeppersona.runtime.seed import Floats, Ints, label_key, pick
from deeppersona.schema.condition import Clause, Condition
from deeppersona.schema.taxonomy import NumberSpec

UNSET, NOT_GIVEN = -1, -2
_NUMBER_LEAN = 0.5
_TRIES = 40  # draws of the settled attributes until given values go with them


class Fill:
    """The values of a cohort: ``codes`` (people, attributes), UNSET where not settled, and the chance each had."""

    def __init__(self, priors: Priors, cohort: Cohort, given: Ints | None = None) -> None:
        self.priors, self.cohort = priors, cohort
        shape = (len(cohort), len(priors))
        self.codes: Ints = np.full(shape, UNSET, dtype=np.int64)
        self.chance = np.zeros(shape, dtype=np.float32)
        self.given = given
        self._binds: dict[int, list[int]] = {}  # base -> the given attributes that look at it
        if given is not None:
            self.codes = np.where(given != NOT_GIVEN, given, UNSET)
            for b in np.nonzero((given != NOT_GIVEN).any(axis=0))[0].tolist():
                for base in priors.needs[b]:
                    self._binds.setdefault(base, []).append(b)
        self._settled: set[int] = set()
        self._again = ""
        self._masks: dict[Clause, Mask] | None = None
        self._outs: dict[int, tuple[Ints, NDArray[np.bool_]]] | None = None
        self._conditions: dict[int, Mask] | None = None  # by identity: conditions live as long as the taxonomy
        self._allowed: dict[int, NDArray[np.bool_] | None] | None = None
        self._settle_bases(np.ones(len(cohort), dtype=bool))
        for attempt in range(_TRIES if given is not None else 0):
            clashing = self._clashing()
            if not clashing.any():
                break
            self._again = f"/again {attempt}"
            self._settle_bases(clashing)
        self._again = ""
        # From here on what others look at stays, so masks over it are kept.
        self._masks, self._allowed, self._conditions, self._outs = {}, {}, {}, {}

    def _settle_bases(self, people: Mask) -> None:
        """Settle what others look at, for these people (anew where it was settled before)."""
        for i in self.priors.order:
            if i in self.priors.bases:
                free = people if self.given is None else people & (self.given[:, i] == NOT_GIVEN)
                self.codes[free, i] = UNSET
                self._settle(i, np.nonzero(people & self.applies(i))[0])

    def _clashing(self) -> Mask:
        """Whose given values do not go with what was drawn for the attributes they look at."""
        out = np.zeros(len(self.cohort), dtype=bool)
        for b in sorted({b for found in self._binds.values() for b in found}):
            column = self.given[:, b] if self.given is not None else np.full(len(self.cohort), NOT_GIVEN)
            attribute = self.priors.attributes[b]
            looks_at = Condition(tuple(c for c in attribute.condition.clauses if not c.is_fact))
            fits = self.cohort.mask(looks_at, self.attribute_mask)
            for ban in self.priors.bans[b]:
                fits &= ~(self._mask(ban.condition) & self.priors.forbids(b, ban, column))
            out |= (column != NOT_GIVEN) & ~fits
        return out

    def attribute_mask(self, clause: Clause) -> Mask:
        """Who passes a clause on another attribute (settled before this one)."""
        if self._masks is None:
            return self._attribute_mask(clause)
        if clause not in self._masks:
            self._masks[clause] = self._attribute_mask(clause)
        return self._masks[clause]

    def _attribute_mask(self, clause: Clause) -> Mask:
        i = self.priors.index.get(clause.key)
        if i is None:
            return np.full(len(self.cohort), clause.negated)
        attribute, codes = self.priors.attributes[i], self.codes[:, i]
        if clause.words is None:  # a scale by rank, a number by value
            value = codes * (attribute.number.step if attribute.number else 1.0)
            return np.asarray((codes != UNSET) & (value >= clause.low) & (value <= clause.high))
        named = [o.value in clause.words for o in attribute.options]
        if attribute.kind == "many":
            bits = sum(1 << j for j, hit in enumerate(named) if hit)
            hit = (codes != UNSET) & ((codes.clip(min=0) & bits) != 0)
        else:
            hit = np.array([*named, False])[codes]  # the last place is that of UNSET, -1
        return np.asarray(hit != clause.negated)

    def _mask(self, condition: Condition) -> Mask:
        """Who passes a condition; kept once the attributes it may look at are settled. Not to be changed in place."""
        if self._conditions is None:
            return self.cohort.mask(condition, self.attribute_mask)
        known = self._conditions.get(id(condition))
        if known is None:
            known = self._conditions[id(condition)] = self.cohort.mask(condition, self.attribute_mask)
        return known

    def allowed(self, i: int) -> NDArray[np.bool_] | None:
        """Which options exist for whom, (people, options); None where every option exists for everybody."""
        if self._allowed is None:
            return self._options_allowed(i)
        if i not in self._allowed:
            self._allowed[i] = self._options_allowed(i)
        return self._allowed[i]

    def _options_allowed(self, i: int) -> NDArray[np.bool_] | None:
        attribute, banned = self.priors.attributes[i], self.priors.bans[i]
        if not banned and not any(o.regions or o.countries or o.applies for o in attribute.options):
            return self._held_by_given(i, None)
        present, code, regions = self.cohort.places
        table = self.priors.found_in(i)[regions]
        for j, option in enumerate(attribute.options):
            for country in option.places[1] & present.keys():
                table[present[country], j] = True
        out = table[code]
        for j, option in enumerate(attribute.options):
            if option.applies:
                out[:, j] &= self._mask(option.condition)
        for ban in banned:
            hit = self._mask(ban.condition)
            if hit.any():
                out &= ~(hit[:, None] & ban.options[None, :])
        return self._held_by_given(i, out)

    def _held_by_given(self, i: int, out: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Rule out the options that would clash with what was given further down the order."""
        if self.given is None or i not in self._binds:
            return out
        attribute = self.priors.attributes[i]
        if out is None:
            out = np.ones((len(self.cohort), len(attribute.options)), dtype=bool)
        for b in self._binds[i]:
            column = self.given[:, b]
            for ban in self.priors.bans[b]:
                clauses = ban.condition.clauses
                if len(clauses) == 1 and clauses[0].key == attribute.path:
                    hit = self.priors.forbids(b, ban, column)
                    words = clauses[0].words or frozenset()
                    out[np.ix_(hit, np.array([o.value in words for o in attribute.options], dtype=bool))] = False
            for clause in self.priors.attributes[b].condition.clauses:
                if clause.key == attribute.path and clause.words is not None:
                    fits = np.array([(o.value in clause.words) != clause.negated for o in attribute.options])
                    out[np.ix_(column != NOT_GIVEN, ~fits)] = False
        stuck = ~out.any(axis=1)
        out[stuck] = True
        return out

    def applies(self, i: int) -> Mask:
        """To whom attribute ``i`` applies and for whom it has an option left, shape (people,)."""
        attribute = self.priors.attributes[i]
        out = self._mask(attribute.condition).copy()
        if not self.priors.always_open[i]:
            if not attribute.options:
                out &= self._ways_out(i)[1].any(axis=1)
            elif (allowed := self.allowed(i)) is not None:
                out &= allowed.any(axis=1)
        if self.given is not None:
            out |= self.given[:, i] != NOT_GIVEN
        return out

    def pool(self) -> NDArray[np.bool_]:
        """Who can have which attribute, (people, attributes)."""
        return np.stack([self.applies(i) for i in range(len(self.priors))], axis=1)

    def settle(self, selected: NDArray[np.bool_]) -> None:
        """Fill the selected attributes of each person, shape (people, attributes)."""
        for i in self.priors.order:
            if i not in self._settled:
                self._settle(i, np.nonzero(selected[:, i])[0])

    def _settle(self, i: int, rows: NDArray[np.intp]) -> None:
        self._settled.add(i)
        if self.given is not None:
            rows = rows[self.given[rows, i] == NOT_GIVEN]
        if not len(rows):
            return
        attribute = self.priors.attributes[i]
        if attribute.kind == "choice":
            self._choose(i, rows)
        elif attribute.kind == "many":
            self._choose_many(i, rows)
        else:
            self._measure(i, rows)

    def _odds(self, i: int, rows: NDArray[np.intp]) -> Floats:
        log_weight, leans = self.priors.weights(i)
        used = np.nonzero(leans.any(axis=1))[0]
        utility = np.broadcast_to(log_weight, (len(rows), len(log_weight)))
        if len(used):
            utility = utility + self.cohort.latents[np.ix_(rows, used)] @ leans[used]
        odds = np.exp(utility)
        if (allowed := self.allowed(i)) is not None:
            odds = odds * allowed[rows]
        return np.asarray(odds)

    def _uniform(self, i: int, rows: NDArray[np.intp]) -> Floats:
        dice = self.cohort.dice.rows(rows)
        if self._again:
            return dice.uniform(f"value/{self.priors.attributes[i].path}{self._again}")
        return dice.uniforms(self.priors.keys[i : i + 1])[:, 0]

    def _choose(self, i: int, rows: NDArray[np.intp]) -> None:
        odds = self._odds(i, rows)
        running = np.cumsum(odds, axis=1)
        found = pick(running, self._uniform(i, rows))
        self.codes[rows, i] = found
        self.chance[rows, i] = odds[np.arange(len(rows)), found] / np.maximum(running[:, -1], 1e-300)

    def _choose_many(self, i: int, rows: NDArray[np.intp]) -> None:
        """Options by exponential races (weighted sampling without replacement, Efraimidis and Spirakis 2006)."""
        attribute = self.priors.attributes[i]
        odds = self._odds(i, rows)
        low, high = attribute.count_range
        wanted = low + (self._uniform(i, rows) * (high - low + 1)).astype(np.int64)
        wanted = np.minimum(wanted, (odds > 0).sum(axis=1))
        keys = np.array(
            [label_key(f"value/{attribute.path}/{o.value}{self._again}") for o in attribute.options], dtype=np.uint64
        )
        u = self.cohort.dice.rows(rows).uniforms(keys)
        with np.errstate(divide="ignore"):
            arrival = np.where(odds > 0, -np.log(u) / odds, np.inf)
        place = np.argsort(np.argsort(arrival, axis=1, kind="stable"), axis=1, kind="stable")
        taken = place < wanted[:, None]
        self.codes[rows, i] = (taken * (1 << np.arange(len(keys)))).sum(axis=1)
        self.chance[rows, i] = 0.0

    def _measure(self, i: int, rows: NDArray[np.intp]) -> None:
        attribute = self.priors.attributes[i]
        spec = attribute.number or attribute.scale
        assert spec is not None  # noqa: S101 - the schema holds this
        leans = {LATENT_INDEX[name]: strength for name, strength in spec.leans.items()}
        told = sum((w * self.cohort.latents[rows, k] for k, w in leans.items()), start=np.zeros(len(rows)))
        left = max(1.0 - sum((_NUMBER_LEAN * w) ** 2 for w in leans.values()), 0.3) ** 0.5
        z = _NUMBER_LEAN * told + left * self.cohort.dice.rows(rows).normal(f"value/{attribute.path}")
        if attribute.scale is not None:
            k = len(attribute.scale.labels)
            centre = attribute.scale.centre if attribute.scale.centre is not None else (k + 1) / 2
            codes = np.rint(centre + attribute.scale.spread * z).clip(1, k)
        else:
            codes = _numbers(attribute.number, z, self.cohort.columns["age"][rows])
        self.codes[rows, i] = self._kept_out_of_bans(i, rows, codes.astype(np.int64))

    def _kept_out_of_bans(self, i: int, rows: NDArray[np.intp], codes: Ints) -> Ints:
        """Move values that rules forbid to the nearest one they allow; UNSET where they allow none."""
        if not self.priors.bans[i]:
            return codes
        ways, open_ = self._ways_out(i)
        far = np.where(open_[rows], np.abs(ways[None, :] - codes[:, None]), np.iinfo(np.int64).max)
        nearest = far.argmin(axis=1)
        moved = np.where(open_[rows].any(axis=1), ways[nearest], UNSET)
        return np.where(self._banned(i, codes[:, None], rows)[:, 0], moved, codes)

    def _ways_out(self, i: int) -> tuple[Ints, NDArray[np.bool_]]:
        """The values next to each forbidden range, and the ends: (values,), and which are open to whom, (people, values)."""
        if self._outs is not None and i in self._outs:
            return self._outs[i]
        low, high = self.priors.ends(i)
        ends = {low, high}
        for first, last in self.priors.ranges(i):
            ends |= {first - 1, last + 1}
        ways = np.array(sorted(code for code in ends if low <= code <= high), dtype=np.int64)
        everybody = np.arange(len(self.cohort))
        out = ways, ~self._banned(i, np.broadcast_to(ways, (len(everybody), len(ways))), everybody)
        if self._outs is not None:
            self._outs[i] = out
        return out

    def _banned(self, i: int, codes: Ints, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which codes (rows, codes) of a scale or number a rule forbids these people."""
        out = np.zeros(codes.shape, dtype=bool)
        for ban, (first, last) in zip(self.priors.bans[i], self.priors.ranges(i), strict=True):
            out |= self._mask(ban.condition)[rows][:, None] & (codes >= first) & (codes <= last)
        return out


def _numbers(spec: NumberSpec | None, z: Floats, age: Ints) -> Floats:
    assert spec is not None  # noqa: S101 - the schema holds this
    if spec.log:
        sigma2 = np.log1p((spec.sd / spec.mean) ** 2)
        x = np.exp(np.log(spec.mean) - sigma2 / 2 + np.sqrt(sigma2) * z)
    else:
        x = spec.mean + spec.sd * z
    x = x.clip(spec.min, spec.max)
    if spec.unit.startswith("year"):  # nobody has done a thing for longer than they have lived
        x = np.minimum(x, age)
    return np.asarray(np.rint(x / spec.step))


def encode_given(priors: Priors, given: Sequence[Mapping[str, object]]) -> Ints:
    """Codes of values given from outside, (people, attributes), NOT_GIVEN elsewhere or where no code fits."""
    out = np.full((len(given), len(priors)), NOT_GIVEN, dtype=np.int64)
    for row, traits in enumerate(given):
        for path, value in traits.items():
            i = priors.index.get(path)
            code = priors.encode(i, value) if i is not None else None
            if i is not None and code is not None:
                out[row, i] = code
    return out
