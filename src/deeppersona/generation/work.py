"""Employment status and occupation, given age, sex, schooling and urban.

Participation is the region's profile by age and sex, scaled to the country's own rate; who works does so in the three
sectors in the shares the country has by sex; within a sector an occupation's share follows its weight, the schooling
it takes, who does it, and where. Sector shares are met exactly by scaling (iterative proportional fitting).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deeppersona.facts.tables import AGES, Country, Facts
from deeppersona.generation.anchors import Anchors
from deeppersona.generation.cells import AGE, EDUCATION, SEX, SHAPE, URBAN, Cells, Evidence
from deeppersona.runtime.seed import Dice, Floats, Ints, pick
from deeppersona.schema import vocabulary as v

_YEARS = np.arange(AGES)
_AGE_CLASSES = np.array([15, 18, 22, 26, 30, 36, 45, 56, 66])  # first years of the classes occupations are tabled by
_STATUS = ("child", "student", "working", "unemployed", "homemaker", "retired", "unable_to_work")
_WORKING = _STATUS.index("working")
_SCHOOL_AGE, _WORKING_AGE, _YOUNGEST_RETIRED = 6, 15, 48
_YOUNG_UNEMPLOYMENT = 2.1  # unemployment of those under 25 against the whole, a stable ratio worldwide (ILO)
_YOUNG = 30
_SEEKING_NOT_HOMEMAKING, _SEEKING_NOT_UNABLE = {"female": 0.1, "male": 0.8}, 0.7
NO_OCCUPATION = -1


def age_class(age: Ints) -> Ints:
    """The class of age that occupations are tabled by."""
    return np.asarray(np.searchsorted(_AGE_CLASSES, age, side="right") - 1).clip(min=0)


def _studying(development: float) -> Floats:
    """Share still studying by (age, education), adults by the level reached so far."""
    out = np.zeros((AGES, SHAPE[2]))
    dev = np.clip(development, -1.5, 1.5) / 1.5
    out[15:18] = 0.68 + 0.27 * dev
    out[15:18, 0] = 0.02
    out[15:18, 1] = 0.35 + 0.25 * dev
    out[18:20, 3] = 0.22 + 0.12 * dev
    for level, (young, older) in {4: (0.46, 0.10), 5: (0.32, 0.08), 6: (0.28, 0.10), 7: (0.14, 0.08)}.items():
        out[18:22, level] = young + 0.12 * dev
        out[22:25, level] = (young + older) / 2 + 0.05 * dev
        out[25:30, level] = older * (0.7 + 0.3 * dev)
    return np.asarray(out.clip(0.0, 0.97))


class Work:
    """The block of ``status`` and ``occupation`` (a row of the occupations, -1 for none)."""

    def __init__(self, facts: Facts, country: Country, cells: Cells, development: float) -> None:
        self.country, self.jobs = country, facts.occupations
        self._facts, self._development = facts, development
        self.status = self._status_table(cells)  # (age, sex, education, status)
        self.jobs_table = self._job_table(cells)  # (age class, sex, education 0..7, urban, occupation)
        rows = facts.regional("working_statuses.csv", country.region, age_from="25")
        regional = np.array([float(next(r for r in rows if r["sex"] == s)["self_employed"]) for s in v.SEX])
        self.self_employed = self._self_employed(cells, regional)  # (sex, occupation)
        self.evidence: dict[str, Evidence] = {
            "status": {"table": "participation, working_statuses", "of": self._status_place},
            "occupation": {"table": "occupations, countries: sectors", "of": self._sector_place},
        }

    def _by_age(self, name: str, sex: str, column: str) -> Floats:
        out = np.zeros(AGES)
        for row in self._facts.regional(name, self.country.region, sex=sex):
            low, high = int(row["age_from"]), min(int(row["age_to"]), AGES - 1)
            out[low : high + 1] = float(row[column])
        return out

    def _status_table(self, cells: Cells) -> Floats:
        facts, country = self._facts, self.country
        people = np.bincount(AGE * 2 + SEX, weights=cells.weight, minlength=AGES * 2).reshape(AGES, 2)
        profile = np.stack([self._by_age("participation.csv", s, "rate") for s in v.SEX], axis=1)
        target = facts.figure(country, "participation")
        unemployment = facts.figure(country, "unemployment").value
        self._status_place = target.place
        grown = people * (_YEARS >= _WORKING_AGE)[:, None]
        odds = np.log(np.clip(profile, 0.005, 0.97) / (1 - np.clip(profile, 0.005, 0.97)))
        low, high = -4.0, 4.0
        for _ in range(40):
            shift = (low + high) / 2
            active = 1 / (1 + np.exp(-(odds + shift)))
            low, high = (shift, high) if np.average(active, weights=grown) < target.value else (low, shift)
        studying = _studying(self._development)
        out = np.zeros((AGES, 2, SHAPE[2], len(_STATUS)))
        for s, sex in enumerate(v.SEX):
            level = np.arange(SHAPE[2]) - 3.5
            tilt = (0.10 if s == 0 else 0.03) * level[None, :]
            share = 1 / (1 + np.exp(-(np.log(active[:, s] / (1 - active[:, s]))[:, None] + tilt)))
            share = np.where((self.jobs.age_max.max() >= _YEARS)[:, None], share, 0.0)
            share = np.minimum(share / np.maximum(1 - studying * 0.85, 0.25), 0.985) * (1 - studying)
            idle = 1 - share - studying
            jobless = np.where(_YEARS < 25, unemployment * _YOUNG_UNEMPLOYMENT, unemployment * 0.8).clip(0, 0.6)
            jobless = np.where(_YEARS >= 66, 0.0, jobless)[:, None]
            home, unable, retired = (
                self._by_age("working_statuses.csv", sex, c)[:, None]
                for c in ("homemaker", "unable_to_work", "retired")
            )
            retired = np.where((_YEARS >= _YOUNGEST_RETIRED)[:, None], retired, 0.0)
            whole = np.maximum(home + unable + retired, 1e-9)
            out[:, s, :, 1] = studying
            out[:, s, :, 2] = share * (1 - jobless)
            out[:, s, :, 3] = share * jobless
            # The young outside work and school mostly look for some, whatever the surveys book them as.
            young = (_YEARS < _YOUNG)[:, None]
            seeking = np.where(young, _SEEKING_NOT_HOMEMAKING[sex], 0.0)
            able = np.where(young, _SEEKING_NOT_UNABLE, 0.0)
            out[:, s, :, 3] += idle * (seeking * home + able * unable) / whole
            out[:, s, :, 4] = idle * (1.0 - seeking) * home / whole
            out[:, s, :, 5] = idle * retired / whole
            out[:, s, :, 6] = idle * (1.0 - able) * unable / whole
        out[:_WORKING_AGE] = 0.0
        out[:_SCHOOL_AGE, ..., 0] = 1.0
        out[_SCHOOL_AGE:_WORKING_AGE, ..., 1] = 1.0
        return np.asarray(out / out.sum(axis=-1, keepdims=True))

    def _fit(self) -> Floats:
        """How well each occupation fits (age class, sex, education, urban): unscaled weights."""
        jobs, dev = self.jobs, self._development
        exists = np.array([not r or self.country.region in r for r in jobs.regions])
        base = jobs.weight * exists * np.exp(0.7 * jobs.development * dev)
        level = np.arange(len(v.EDUCATION))[:, None]
        schooling = np.exp(-0.5 * ((level - jobs.edu_typical) / np.maximum(jobs.edu_spread, 0.5)) ** 2)
        schooling = np.maximum(schooling, 0.004) * (level >= jobs.edu_min)
        sex = np.stack([jobs.female_share, 1 - jobs.female_share])
        urban = np.stack([np.exp(0.6 * jobs.urban), np.exp(-0.6 * jobs.urban)])
        first = _AGE_CLASSES
        last = np.append(_AGE_CLASSES[1:] - 1, AGES)
        ages = (last[:, None] >= jobs.age_min) & (first[:, None] <= jobs.age_max)
        return np.asarray(
            base
            * ages[:, None, None, None, :]
            * sex[None, :, None, None, :]
            * schooling[None, None, :, None, :]
            * urban[None, None, None, :, :]
        )

    def _job_table(self, cells: Cells) -> Floats:
        facts, jobs = self._facts, self.jobs
        fit = self._fit()
        figures = [
            [facts.figure(self.country, f"{sector}_{s[0]}") for sector in ("agri", "industry", "services")]
            for s in v.SEX
        ]
        self._sector_place = figures[0][0].place
        target = np.array([[f.value for f in row] for row in figures])
        target = np.maximum(target, 1e-4) / np.maximum(target, 1e-4).sum(axis=1, keepdims=True)
        working = cells.weight * self.status[AGE, SEX, EDUCATION, _WORKING]
        grown = (AGE >= _WORKING_AGE) & (len(v.EDUCATION) > EDUCATION)
        people = np.zeros(fit.shape[:-1])
        np.add.at(people, (age_class(AGE[grown]), SEX[grown], EDUCATION[grown], URBAN[grown]), working[grown])
        sector = np.stack([fit[..., jobs.sector == k].sum(axis=-1) for k in range(3)], axis=-1)
        scale = np.ones((2, 3))
        for _ in range(60):
            shares = sector * scale[None, :, None, None, :]
            shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-12)
            reached = (shares * people[..., None]).sum(axis=(0, 2, 3))
            reached = reached / np.maximum(reached.sum(axis=1, keepdims=True), 1e-12)
            scale *= target / np.maximum(reached, 1e-9)
            scale /= scale.max(axis=1, keepdims=True)
        table = fit * scale[:, jobs.sector][None, :, None, None, :]
        return np.asarray(table / np.maximum(table.sum(axis=-1, keepdims=True), 1e-12))

    def _self_employed(self, cells: Cells, regional: Floats) -> Floats:
        """Chance of working for oneself by (sex, occupation), shifted in log-odds to the region's share."""
        jobs = self.jobs
        odds = np.log(np.clip(jobs.self_employed, 0.01, 0.97) / (1 - np.clip(jobs.self_employed, 0.01, 0.97)))
        fixed = (jobs.self_employed <= 0.02) | (jobs.self_employed >= 0.98)
        out = np.zeros((2, len(jobs)))
        middle = age_class(np.array([35]))[0]
        for s in range(2):
            weight = np.zeros(self.jobs_table.shape[2:4])
            np.add.at(
                weight,
                (
                    EDUCATION[(AGE == 35) & (s == SEX) & (EDUCATION < 8)],
                    URBAN[(AGE == 35) & (s == SEX) & (EDUCATION < 8)],
                ),
                cells.weight[(AGE == 35) & (s == SEX) & (EDUCATION < 8)],
            )
            mix = (self.jobs_table[middle, s] * weight[..., None]).sum(axis=(0, 1))
            low, high = -4.0, 4.0
            for _ in range(30):
                shift = (low + high) / 2
                share = np.where(fixed, jobs.self_employed, 1 / (1 + np.exp(-(odds + shift))))
                low, high = (shift, high) if np.average(share, weights=mix) < regional[s] else (low, shift)
            out[s] = share
        return out

    def _job_shares(self, age: Ints, sex: Ints, education: Ints, urban: Ints) -> Floats:
        """Occupation shares of people, (people, occupations), with the hard ages of each occupation held."""
        shares = self.jobs_table[age_class(age), sex, np.minimum(education, len(v.EDUCATION) - 1), urban]
        held = (age[:, None] >= self.jobs.age_min) & (age[:, None] <= self.jobs.age_max)
        return np.asarray(shares * held)

    def _wanted(self, anchors: Anchors) -> tuple[Floats, Floats, Floats]:
        """(status allowed (7,), employed/self-employed allowed (2,), occupation allowed (jobs,)) as 0/1."""
        status, kind, job = np.ones(len(_STATUS)), np.ones(2), np.ones(len(self.jobs))
        if (clause := anchors.get("status")) is not None and clause.words is not None:
            words = {w for w in v.STATUS if (w in clause.words) != clause.negated}
            status = np.array([float(s in words or (s == "working" and bool(words & set(v.IN_WORK)))) for s in _STATUS])
            kind = np.array([float(w in words) for w in v.IN_WORK])
        if (clause := anchors.get("occupation")) is not None and clause.words is not None:
            titles = {t for t in self.jobs.title if (t in clause.words) != clause.negated}
            also = {s for s in _STATUS if s != "working" and (s in clause.words) != clause.negated}
            status = status * np.array([float(s in also or (s == "working" and bool(titles))) for s in _STATUS])
            job = np.array([float(t in titles) for t in self.jobs.title])
        return status, kind, job

    def _working_share(self, age: Ints, sex: Ints, education: Ints, urban: Ints, kind: Floats, job: Floats) -> Floats:
        """Given work, the share in the occupations and kinds of employment asked for."""
        shares = self._job_shares(age, sex, education, urban)
        alone = self.self_employed[sex]
        asked = shares * job * (kind[0] * (1 - alone) + kind[1] * alone)
        return np.asarray(asked.sum(axis=1) / np.maximum(shares.sum(axis=1), 1e-12))

    @cached_property
    def _kinds(self) -> Floats:
        """Given work, the shares of the employed and of those working for themselves in every cell, shape (2, cells)."""
        out, every = np.zeros((2, AGE.size)), np.ones(len(self.jobs))
        for start in range(0, AGE.size, 512):
            part = slice(start, start + 512)
            where = (AGE[part], SEX[part], EDUCATION[part], URBAN[part])
            out[:, part] = [self._working_share(*where, one, every) for one in np.eye(2)]
        return out

    def likelihood(self, anchors: Anchors) -> Floats | None:
        """The share of each cell with the status and occupation asked for."""
        if anchors.get("status") is None and anchors.get("occupation") is None:
            return None
        status, kind, job = self._wanted(anchors)
        shares = self.status[AGE, SEX, EDUCATION] * status
        if job.all() and not kind.all():
            shares[:, _WORKING] *= kind @ self._kinds
        elif not job.all():
            for start in range(0, AGE.size, 512):
                part = slice(start, start + 512)
                shares[part, _WORKING] *= self._working_share(
                    AGE[part], SEX[part], EDUCATION[part], URBAN[part], kind, job
                )
        return np.asarray(shares.sum(axis=1))

    def draw(self, dice: Dice, cell: Ints, anchors: Anchors) -> dict[str, NDArray[np.int64]]:
        """Columns ``status`` (code), ``occupation`` and ``former`` (the work of before, of those who have left it)."""
        age, sex, education, urban = AGE[cell], SEX[cell], EDUCATION[cell], URBAN[cell]
        wanted, kind, job = self._wanted(anchors)
        shares = self.status[age, sex, education] * wanted
        if not (kind.all() and job.all()):
            shares[:, _WORKING] *= self._working_share(age, sex, education, urban, kind, job)
        coarse = pick(np.cumsum(shares, axis=1), dice.uniform("status"))
        alone = self.self_employed[sex]
        odds = self._job_shares(age, sex, education, urban) * job * (kind[0] * (1 - alone) + kind[1] * alone)
        # Where no occupation is open to the age and schooling of somebody, they have retired.
        coarse = np.where((coarse == _WORKING) & (odds.sum(axis=1) <= 0), _STATUS.index("retired"), coarse)
        works = coarse == _WORKING
        occupation = np.where(works, pick(np.cumsum(odds, axis=1), dice.uniform("occupation")), NO_OCCUPATION)
        chance = alone[np.arange(len(cell)), occupation.clip(min=0)]
        weight_self = kind[1] * chance / np.maximum(kind[0] * (1 - chance) + kind[1] * chance, 1e-12)
        own = works & (dice.uniform("self employed") < weight_self)
        code = np.array([v.STATUS.index(s if s != "working" else "employed") for s in _STATUS])[coarse]
        code = np.where(own, v.STATUS.index("self_employed"), code)
        return {"status": code, "occupation": occupation, "former": self._former(dice, cell, coarse)}

    def _former(self, dice: Dice, cell: Ints, coarse: Ints) -> Ints:
        """What those out of work did when they last worked; -1 for the young and for many homemakers."""
        age, sex = AGE[cell], SEX[cell]
        then = np.where(age >= 60, 52, np.maximum(age - 2, 15)).astype(np.int64)
        shares = self._job_shares(then, sex, EDUCATION[cell], URBAN[cell])
        job = pick(np.cumsum(shares, axis=1), dice.uniform("former occupation"))
        chance = np.array([0.0, 0.0, 0.0, 0.85, 0.45, 1.0, 0.8])[coarse]
        had = (dice.uniform("worked before") < chance) & (age >= 21)
        return np.where(had, job, NO_OCCUPATION)

    def of_relative(self, dice: Dice, label: str, age: Ints, sex: Ints, education: Ints, urban: Ints) -> Ints:
        """The work of a relative: an occupation row, or -1 for somebody who never worked for pay."""
        at = np.clip(age, 18, 55)
        works = self.status[at, sex, np.minimum(education, len(v.EDUCATION) - 1), _WORKING]
        shares = self._job_shares(at, sex, education, urban)
        job = pick(np.cumsum(shares, axis=1), dice.uniform(f"{label} work"))
        return np.where(dice.uniform(f"{label} works") < works, job, NO_OCCUPATION)
