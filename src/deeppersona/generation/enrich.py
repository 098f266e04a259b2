"""Deepen shallow personas: what is given anchors the draw and stays untouched; the rest is drawn around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deeppersona.corpus.shallow import Shallow
from deeppersona.errors import UsageError
from deeppersona.facts.tables import Facts
from deeppersona.generation.anchors import FIELDS, Anchors, parse_anchors
from deeppersona.generation.cohort import Cohort, draw_cohort, merge
from deeppersona.generation.core import conditional_cells, country_model
from deeppersona.generation.engine import Engine, Record, Sheet
from deeppersona.models.embedder import default_embedder
from deeppersona.runtime.seed import Dice, Floats, label_keys
from deeppersona.schema.condition import Clause
from deeppersona.schema.report import Issue

# What is let go first when the given fields together fit nobody in the tables; the given value itself is kept.
_LET_GO = ("city", "language", "religion", "household", "income", "children", "urban", "marital", "occupation", "education",
           "status", "sex", "age")  # fmt: skip
_NEAR_OCCUPATION = 0.55
_SOMEBODY = 1e-6  # thousands of people


def anchors_of(shallow: Shallow, facts: Facts) -> tuple[Anchors, list[Issue]]:
    """The anchors a shallow persona sets, and issues for given fields that no table knows (kept, but not anchored)."""
    raw: dict[str, object] = {}
    issues: list[Issue] = []
    for field, value in shallow.core.items():
        if field not in FIELDS:
            continue
        words = str(value).replace("-", "..") if field == "age" and isinstance(value, str) and "-" in value else value
        try:
            parse_anchors({field: words}, facts)
            raw[field] = words
        except UsageError as error:
            near = _nearest_occupation(str(value), facts) if field == "occupation" else None
            if near is not None:
                raw[field] = near
            else:
                issues.append(Issue(path=f"demographics.{field}", rule="unknown value", severity="warning",
                                    message=f"line {shallow.line}: kept as given, not anchored: {error}"))  # fmt: skip
    return parse_anchors(raw, facts), issues


def _nearest_occupation(words: str, facts: Facts) -> str | None:
    """The occupation nearest in meaning, if any is near."""
    embedder = default_embedder()
    titles = facts.occupations.title
    similarity = (embedder.embed([words]) @ embedder.embed(list(titles)).T)[0] / 127.0**2
    best = int(np.argmax(similarity))
    return titles[best] if similarity[best] >= _NEAR_OCCUPATION else None


class _Cells:
    """The conditioned tables of countries by anchors, kept: many people of a file ask for the same."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._known: dict[tuple[str, int, frozenset[tuple[str, Clause]]], Floats] = {}

    def of(self, code: str, anchors: Anchors, youngest: int) -> Floats:
        """The weights of the cells of a country under anchors."""
        key = (code, youngest, frozenset(anchors.clauses.items()))
        if key not in self._known:
            self._known[key] = conditional_cells(country_model(self.facts, code), anchors, youngest)
        return self._known[key]


def _fitting(cells: _Cells, code: str, anchors: Anchors, youngest: int, line: int) -> tuple[Anchors, list[Issue]]:
    """The anchors, less those let go until somebody fits them: the last let go first tried alone."""
    if cells.of(code, anchors, youngest).sum() > _SOMEBODY:
        return anchors, []
    for key in _LET_GO:  # one field alone may be what does not fit
        if anchors.get(key) is not None and cells.of(code, fewer := anchors.without(key), youngest).sum() > _SOMEBODY:
            return fewer, [_let_go(anchors, key, line)]
    issues: list[Issue] = []
    for key in _LET_GO:
        if anchors.get(key) is not None:
            issues.append(_let_go(anchors, key, line))
            anchors = anchors.without(key)
            if cells.of(code, anchors, youngest).sum() > _SOMEBODY:
                break
    return anchors, issues


def _let_go(anchors: Anchors, key: str, line: int) -> Issue:
    return Issue(path=anchors.written[key], rule="fits nobody", severity="warning",
                 message=f"line {line}: kept as given, but the rest is drawn without it")  # fmt: skip


def deepen(engine: Engine, people: Sequence[Shallow], first_slot: int = 0) -> tuple[list[Sheet], list[Issue]]:
    """Deepen people, in their order; returns them as sheets and, as warnings, what could not be taken up."""
    facts, cells = engine.facts, _Cells(engine.facts)
    cohorts: list[Cohort] = []
    warnings: list[Issue] = []
    for place, shallow in enumerate(people):
        slot = first_slot + place
        anchors, unknown_values = anchors_of(shallow, facts)
        country = anchors.get("country")
        code = sorted(country.words)[0] if country is not None and country.words else engine.plan.country_of(slot)[0]
        drawn = Anchors({k: c for k, c in anchors.clauses.items() if k not in ("country", "region")}, anchors.written)
        age = drawn.get("age")
        youngest = 0 if age is not None and age.high < engine.youngest else engine.youngest
        fitting, let_go = _fitting(cells, code, drawn, youngest, shallow.line)
        warnings += [*unknown_values, *let_go]
        table = {code: cells.of(code, fitting, youngest)}
        dice = Dice(engine.plan.seed, np.array([slot]), label_keys([code]))
        cohort = draw_cohort(facts, dice, np.array([code]), np.array([slot]), fitting, youngest, table)
        cohort.made[:] = True
        cohort.given_core = [_kept_core(shallow, code)]
        cohorts.append(cohort)
    sheets, _ = engine.drawn(merge(cohorts), [shallow.given for shallow in people])
    for sheet, shallow in zip(sheets, people, strict=True):
        _keep_given(sheet.record, shallow)
    return sheets, warnings


def _kept_core(shallow: Shallow, code: str) -> dict[str, object]:
    """The core fields to show as given, untouched; a range is not a value, and the country is shown by its code."""
    kept = {k: x for k, x in shallow.core.items() if not (k == "age" and not isinstance(x, int))}
    if "country" in kept:
        kept["country"] = code
    return kept


def _keep_given(record: Record, shallow: Shallow) -> None:
    """Put every given trait in, untouched, before what was drawn; nothing given is lost."""
    given: dict[str, Any] = dict(shallow.given)
    if shallow.text:
        given["demographics.described_as"] = shallow.text
    if shallow.interests:
        given["culture.interests.given"] = list(shallow.interests)
    placed = {t["path"] for t in record["traits"] if t["source"] == "given"}
    traits = [t for t in record["traits"] if t["path"] not in given or t["path"] in placed]
    extra = [
        {"path": path, "value": value, "source": "given", "evidence": {}}
        for path, value in given.items() if path not in placed
    ]  # fmt: skip
    n_core = sum(t["path"].startswith("demographics.") for t in traits[:20])
    record["traits"] = traits[:n_core] + extra + traits[n_core:]
