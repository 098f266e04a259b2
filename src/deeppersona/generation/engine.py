"""The straight line of stage 2: core from figures, stories, selection, fill, narrative. A persona depends on (plan, slot)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError
from deeppersona.facts.tables import Facts
from deeppersona.generation import narrative as tell_of
from deeppersona.generation.anchors import Anchors, parse_anchors
from deeppersona.generation.cells import ADULT_AGE
from deeppersona.generation.cohort import Cohort, draw_cohort
from deeppersona.generation.core import country_model, refuse_impossible
from deeppersona.generation.fill import NOT_GIVEN, Fill, encode_given
from deeppersona.generation.person import People, Person, with_given
from deeppersona.generation.priors import Priors, Value
from deeppersona.generation.records import core_traits, kin_traits, position_traits, spoken_value
from deeppersona.generation.selection import Selection, Selector
from deeppersona.generation.stories import Told, shipped_grammar, tell, telling_uniforms
from deeppersona.generation.texts import Texts
from deeppersona.models.embedder import Embedder, default_embedder
from deeppersona.runtime.executor import without_gc
from deeppersona.runtime.seed import Dice, Floats, label_keys
from deeppersona.schema import vocabulary as v
from deeppersona.schema.phrase import Person as Pronoun
from deeppersona.schema.phrase import capitalise, conjugate, singular
from deeppersona.schema.plan import Plan
from deeppersona.schema.report import Failure
from deeppersona.schema.taxonomy import Attribute, Taxonomy

Record = dict[str, Any]
_KEPT = 200_000  # sentences and values remembered, so that memory stays flat however many people are made
# Evidence of a trait by stratum and chance in percent (0: not known). Shared by all records: to be read only.
_EVIDENCE: list[list[dict[str, object]]] = [
    [{"stratum": stratum} | ({"p": percent / 100} if percent else {}) for percent in range(101)]
    for stratum in v.STRATUM
]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A person drawn whole, as plain data that can be sent between processes.

    ``rows`` are the selected attributes (places in the priors) in the order they were settled and ``codes`` their values;
    ``order`` the places of those worth saying; ``texts`` the attributes (places in the taxonomy) left for a model.
    """

    record: Record
    person: Person
    told: list[Told]
    rows: list[int]
    codes: list[int]
    order: list[int]
    texts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A person drawn whole, before a model writes: the record, who it is about, what can be said, what is left to write.

    ``texts`` are the attributes that figures cannot fill; without a model they are left out.
    """

    record: Record
    person: Person
    told: list[Told]
    sayable: tell_of.Sayable
    texts: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class Made:
    """What became of a batch of slots: records in the order of the slots, and those that could not be made."""

    records: list[Record]
    failures: list[Failure]


def dice_of(plan: Plan, slots: Sequence[int], country: NDArray[np.str_], attempt: int) -> Dice:
    """The dice of some slots; others for each further attempt at the same slots."""
    dice = Dice(plan.seed, np.array(slots, dtype=np.int64), label_keys(country.tolist()))
    return dice.again(-attempt) if attempt else dice


def cohort_of(
    plan: Plan, facts: Facts, slots: Sequence[int], anchors: Anchors, cells: dict[str, Floats], attempt: int = 0
) -> Cohort:  # fmt: skip
    """Draw the cores of some slots of a plan; ``cells`` keeps the conditioned tables between calls."""
    placed = [plan.country_of(slot) for slot in slots]
    country = np.array([code for code, _ in placed])
    rank = np.array([place for _, place in placed], dtype=np.int64)
    dice = dice_of(plan, slots, country, attempt)
    even = np.array(slots, dtype=np.int64) if plan.even else None
    return draw_cohort(facts, dice, country, rank, anchors, ADULT_AGE if plan.adults_only else 0, cells, even=even)


class Engine:
    """Makes the people of a plan, any slots in any order. Build it once a process."""

    def __init__(self, plan: Plan, facts: Facts, taxonomy: Taxonomy, embedder: Embedder | None = None) -> None:
        if plan.taxonomy != taxonomy.fingerprint:
            raise UsageError("the plan was made for another taxonomy; pass the same --taxonomy folder, unchanged")
        self.plan, self.facts, self.taxonomy = plan, facts, taxonomy
        self.youngest = ADULT_AGE if plan.adults_only else 0
        self.anchors = parse_anchors({k: x for k, x in plan.anchors.items() if k != "country"}, facts)
        with without_gc():
            self.priors = Priors(taxonomy)
            self.selector = Selector(self.priors, embedder or default_embedder(), plan.depth, plan.ratio, plan.focus)
        usable = int((self.selector.focus > 0).sum())
        if plan.depth > usable:
            raise UsageError(
                f"depth {plan.depth} is beyond the pool: the taxonomy has {usable} attributes that can be filled "
                f"without a model; ask for at most {usable}"
            )
        self.stories, self.portraits = shipped_grammar(), tell_of.shipped_portrait_grammar()
        self._cells: dict[str, Floats] = {}
        self._sentences: dict[tuple[int, int, Pronoun], str] = {}
        self._values: dict[tuple[int, int], Value] = {}
        self._paths = [a.path for a in self.priors.attributes]
        self._choices = [
            tuple(o.value for o in a.options) if a.kind == "choice" else () for a in self.priors.attributes
        ]
        self.texts = Texts(taxonomy, plan.focus) if plan.writing is not None else None
        self.telling = np.array([a.telling for a in self.priors.attributes])

    def refuse_impossible(self) -> None:
        """Raise UsageError when nobody in the plan's countries can meet the anchors."""
        if self.anchors:
            for code in self.plan.countries:
                refuse_impossible([country_model(self.facts, code)], self.anchors, self.youngest)

    def cohort(self, slots: Sequence[int], attempt: int = 0) -> Cohort:
        """Draw the cores of some slots; other ones for each further attempt."""
        return cohort_of(self.plan, self.facts, slots, self.anchors, self._cells, attempt)

    def make(self, slots: Sequence[int], attempt: int = 0) -> Made:
        """Make the people of some slots; others in their place for each further attempt."""
        with without_gc():
            return self.finish(self.cohort(slots, attempt))

    def sheets(self, slots: Sequence[int]) -> tuple[list[Sheet], list[Failure]]:
        """Draw the people of some slots as far as figures go."""
        with without_gc():
            return self.drawn(self.cohort(slots), None)

    def drafts(self, slots: Sequence[int]) -> tuple[list[Draft], list[Failure]]:
        """The people of some slots, ready for a model to write on."""
        sheets, failures = self.sheets(slots)
        return [self.draft(sheet) for sheet in sheets], failures

    def draft(self, sheet: Sheet) -> Draft:
        """A person drawn, ready for a model to write on."""
        texts = tuple(self.taxonomy.attributes[k] for k in sheet.texts)
        sayable = self.sayable(sheet.person, sheet.rows, sheet.codes, sheet.order)
        return Draft(sheet.record, sheet.person, sheet.told, sayable, texts)

    def sayable(self, person: Person, rows: list[int], codes: list[int], order: list[int]) -> tell_of.Sayable:
        """What of a person's selected traits can be said."""

        def say(k: int, pronoun: Pronoun) -> str:
            said = self.sentence(rows[k], codes[k], pronoun)
            return said.replace("{name}", "you" if pronoun == "you" else person.name.given) if "{" in said else said

        return tell_of.Sayable([self.priors.attributes[row] for row in rows], order, say)

    def finish(self, cohort: Cohort) -> Made:
        """Take drawn cores to whole people."""
        sheets, failures = self.drawn(cohort, None)
        return Made([sheet.record for sheet in sheets], failures)

    def drawn(
        self, cohort: Cohort, given: Sequence[Mapping[str, object]] | None
    ) -> tuple[list[Sheet], list[Failure]]:  # fmt: skip
        """Take drawn cores to whole people, as sheets. ``given`` are attribute values to keep, one mapping a person."""
        chosen = self.stories.choose(cohort)
        codes = None if given is None else encode_given(self.priors, given)
        fill = Fill(self.priors, cohort, codes)
        pool = fill.pool()
        selection = self.selector.select(
            cohort, pool, list(self.facts.occupations.title), None if codes is None else codes != NOT_GIVEN
        )
        fill.settle(selection.chosen)
        people = People(self.facts, cohort)
        fitting = self.portraits.fitting(cohort)
        story_u, portrait_u = telling_uniforms(cohort.dice), tell_of.portrait_uniforms(cohort)
        order = self.priors.place_in_order
        texts = self.texts.choose(fill, self.plan) if self.texts is not None else None
        sheets, failures = [], []
        for i in range(len(cohort)):
            slot = int(cohort.dice.slots[i])
            if not cohort.made[i]:
                failures.append(
                    Failure(slot=slot, stage="core", reason="the anchors were not met in the tries allowed")
                )
                continue
            person = people.person(i)
            if cohort.given_core:
                person = with_given(person, cohort.given_core[i])
            told = tell(self.stories, chosen, person, self.facts.occupations, story_u)
            rows = np.nonzero(selection.chosen[i])[0]
            rows = rows[np.argsort(order[rows], kind="stable")]
            left = texts[i] if texts is not None else ()
            sheets.append(self._sheet(cohort, person, told, fill, selection, rows, fitting, portrait_u[i], left))
        return sheets, failures

    def sentence(self, i: int, code: int, person: Pronoun) -> str:
        """The phrase of an attribute with its value; kept, since the same are said again and again."""
        key = (i, code, person)
        known = self._sentences.get(key)
        if known is None:
            attribute = self.priors.attributes[i]
            template = attribute.phrase
            if attribute.kind == "choice":
                template = attribute.options[code].phrase or template
            value = spoken_value(attribute, self.value(i, code))
            known = capitalise(conjugate(template, person).replace("{value}", value).replace("{label}", value))
            if attribute.kind == "number":
                known = singular(known)
            if len(self._sentences) < _KEPT:
                self._sentences[key] = known
        return known

    def value(self, i: int, code: int) -> Value:
        """The value behind a code; kept like the sentences."""
        key = (i, code)
        known = self._values.get(key)
        if known is None:
            known = self.priors.decode(i, code)
            if len(self._values) < _KEPT:
                self._values[key] = known
        return known

    def _sheet(
        self, cohort: Cohort, person: Person, told: list[Told], fill: Fill, selection: Selection,
        rows: NDArray[np.intp], fitting: dict[str, list[list[int]]], u: Floats, texts: tuple[int, ...],
    ) -> Sheet:  # fmt: skip
        i = person.index
        codes: list[int] = fill.codes[i, rows].tolist()
        traits = core_traits(cohort, person) + kin_traits(person) + position_traits(cohort, i)
        for t, rank in zip(told, ("first", "second", "third"), strict=False):
            traits.append({"path": f"culture.interests.{rank}", "value": t.interest, "source": "story",
                           "evidence": {"story": t.story.title}})  # fmt: skip
        traits += self._prior_traits(fill, selection, i, rows, codes)
        places: list[int] = rows.tolist()
        order = tell_of.telling_order(self.telling[rows], fill.chance[i, rows], u[16:56])
        sayable = self.sayable(person, places, codes, order)
        roll: list[float] = u.tolist()
        words = tell_of.fillers(person, self.facts.occupations, self.portraits, roll[63])
        text = tell_of.portrait(person, words, sayable, told, self.portraits, fitting, roll)
        record: Record = {
            "id": f"{person.country.lower()}-{person.slot:06d}",
            "kind": "demographic",
            "traits": traits,
            "stories": [{"age": t.story.age, "title": t.story.title, "text": t.story.text} for t in told],
            "narrative": text,
            "system_prompt": tell_of.system_prompt(person, sayable, told, text),
            "provenance": {"engine": self.plan.engine, "taxonomy": self.plan.taxonomy, "seed": self.plan.seed,
                           "slot": person.slot, "model": None},
        }  # fmt: skip
        if self.plan.book:
            record["book"] = tell_of.book(person, sayable, told, self.taxonomy.categories, text, roll)
        return Sheet(record, person, told, places, codes, order, texts)

    def _prior_traits(
        self, fill: Fill, selection: Selection, i: int, rows: NDArray[np.intp], codes: list[int]
    ) -> list[dict[str, Any]]:
        """The selected traits of a person, with stratum and chance as evidence."""
        percents: list[int] = np.rint(np.round(fill.chance[i, rows] * 100.0, 4)).astype(np.int64).tolist()
        strata: list[int] = selection.stratum[i, rows].tolist()
        paths, choices, value = self._paths, self._choices, self.value
        out: list[dict[str, Any]] = [
            {
                "path": paths[row],
                "value": choices[row][code] if choices[row] else value(row, code),
                "source": "prior",
                "evidence": _EVIDENCE[stratum][percent],
            }
            for row, code, stratum, percent in zip(rows.tolist(), codes, strata, percents, strict=True)
        ]
        if fill.given is not None:
            for trait, kept in zip(out, (fill.given[i, rows] != NOT_GIVEN).tolist(), strict=True):
                if kept:
                    trait |= {"source": "given", "evidence": {}}
        return out
