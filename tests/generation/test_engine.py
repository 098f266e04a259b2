"""A person depends on (plan, slot) alone; traits are what the taxonomy and the person allow."""

import numpy as np
import pytest

import deeppersona as dp
from deeppersona.generation.fill import Fill
from deeppersona.generation.priors import LEAN, Priors
from deeppersona.generation.selection import focus_weight
from deeppersona.schema.taxonomy import Attribute, Rule, Taxonomy
from deeppersona.study import engine_for, make_plan

COUNTRIES = ["KE", "DE", "IN"]


def test_batches_do_not_matter() -> None:
    plan = make_plan(40, COUNTRIES, seed=6, depth=120, book=True)
    whole = engine_for(plan, dp.shipped_taxonomy()).make(range(40)).records
    engine = engine_for(plan, dp.shipped_taxonomy())
    pieces = [r for slots in ([39, 3], range(10, 20), [0], [25]) for r in engine.make(list(slots)).records]
    by_id = {r["id"]: r for r in whole}
    assert len(pieces) == 14
    assert all(r == by_id[r["id"]] for r in pieces)


def test_a_person_does_not_depend_on_n() -> None:
    few, many = (dp.generate(n, COUNTRIES, seed=6, depth=40) for n in (4, 30))
    assert [p.record() for p in few] == [p.record() for p in many[:4]]


def test_seeds_make_other_people() -> None:
    names = [{p.name for p in dp.generate(20, "KE", seed=s, depth=20)} for s in (1, 2)]
    assert len(names[0] & names[1]) < 6


def test_depth_is_a_view() -> None:
    """What a person is told by grows with depth; the values and the core stay."""
    shallow, deep = (dp.generate(5, "KE", seed=1, depth=d) for d in (40, 300))
    for a, b in zip(shallow, deep, strict=True):
        values = {t.path: t.value for t in b.traits}
        shared = [t for t in a.traits if t.path in values]
        assert len(shared) > 25
        assert all(values[t.path] == t.value for t in shared)


@pytest.mark.parametrize("depth", [20, 220, 400])
def test_every_selected_slot_is_filled(depth: int) -> None:
    for person in dp.generate(20, ["KE", "JP", "BR", "SE"], seed=1, depth=depth):
        assert sum(t.source == "prior" for t in person.traits) == depth


def test_strata_have_the_ratio(people: dp.Population) -> None:
    for person in people[:20]:
        strata = [t.evidence["stratum"] for t in person.traits if t.source == "prior"]
        assert [strata.count(s) for s in ("near", "mid", "far")] == [110, 66, 44]


def test_another_ratio() -> None:
    person = dp.generate(1, "KE", depth=100, ratio=(1, 0, 1))[0]
    strata = [t.evidence["stratum"] for t in person.traits if t.source == "prior"]
    assert [strata.count(s) for s in ("near", "mid", "far")] == [50, 0, 50]


def test_near_is_nearer_than_far(people: dp.Population) -> None:
    """Those at work are told by work near the core more than those who are retired."""

    def near_work(status: tuple[str, ...]) -> float:
        shares = [
            np.mean([t.path.startswith("work.") for t in p.traits if t.evidence.get("stratum") == "near"])
            for p in people if p["demographics.employment_status"] in status
        ]  # fmt: skip
        return float(np.mean(shares))

    assert near_work(("employed", "self employed")) > near_work(("retired", "homemaker", "unable to work"))


def test_categories_are_covered_breadth_first(people: dp.Population) -> None:
    for person in people[:20]:
        counts = [sum(t.source == "prior" and t.path.startswith(c + ".") for t in person.traits) for c in
                  ("health", "values", "relationships", "work", "money", "lifestyle", "culture", "technology")]  # fmt: skip
        assert min(counts) >= 5


def test_focus_deepens_and_thins() -> None:
    def count(focus: dict[str, float], node: str) -> float:
        people = dp.generate(15, "KE", seed=1, focus=focus)
        return float(np.mean([len([t for t in p.under(node) if t.source == "prior"]) for p in people]))

    plain = count({}, "health")
    assert count({"health": 3}, "health") > 1.5 * plain
    assert count({"health": 0.3}, "health") < 0.7 * plain
    assert count({"health": 0}, "health") == 0
    assert focus_weight("health.body.x", {"health": 2, "health.body": 5}) == 5


def test_depth_beyond_the_pool_is_refused(taxonomy: dp.Taxonomy) -> None:
    small = Taxonomy(taxonomy.subtree("money").attributes)
    with pytest.raises(dp.UsageError, match="beyond the pool"):
        dp.generate(2, "KE", taxonomy=small, depth=220)


def _attribute(path: str, options: list[dict[str, object]], **more: object) -> Attribute:
    return Attribute.model_validate(
        {"path": path, "definition": "A thing asked about.", "question": "What is it?", "kind": "choice", "options": options,
         "phrase": "{They} {have} {value}.", **more}
    )  # fmt: skip


def _fill(attributes: list[Attribute], rules: list[Rule] | None = None, n: int = 4000) -> Fill:
    taxonomy = dp.shipped_taxonomy()
    cohort = engine_for(make_plan(n, ["KE", "DE"], seed=1), taxonomy).cohort(range(n))
    priors = Priors(Taxonomy(attributes, (), rules or ()))
    fill = Fill(priors, cohort)
    fill.settle(fill.pool())
    return fill


def test_shares_follow_weights_and_leans() -> None:
    fill = _fill([
        _attribute("a.b.plain", [{"value": "x", "weight": 3}, {"value": "y", "weight": 1}]),
        _attribute("a.b.leaning", [{"value": "x", "leans": {"extraversion": 2}}, {"value": "y"}]),
    ])  # fmt: skip
    assert abs((fill.codes[:, 0] == 0).mean() - 0.75) < 0.03
    z = fill.cohort.latents[:, _latents().index("extraversion")]
    chance = 1 / (1 + np.exp(-2 * LEAN * z))
    assert abs((fill.codes[:, 1] == 0).mean() - chance.mean()) < 0.03
    assert np.corrcoef(fill.codes[:, 1] == 0, z)[0, 1] > 0.25


def _latents() -> tuple[str, ...]:
    from deeppersona.schema.vocabulary import LATENT

    return LATENT


def test_places_conditions_and_rules_hold_by_construction() -> None:
    fill = _fill(
        [
            _attribute("a.b.owner", [{"value": "a car"}, {"value": "nothing"}]),
            _attribute("a.b.way", [{"value": "by own car"}, {"value": "on foot"}, {"value": "by matatu", "countries": ["KE"]},
                                   {"value": "by tram", "regions": ["europe"]}]),
            _attribute("a.b.pension", [{"value": "x"}, {"value": "y"}], applies={"age": ">=65"}),
            _attribute("a.b.colour", [{"value": "red", "applies": {"a.b.owner": ["a car"]}}, {"value": "none"}]),
        ],
        [Rule.model_validate({"if": {"a.b.owner": ["nothing"]}, "never": {"a.b.way": ["by own car"]}, "because": "no car"})],
    )  # fmt: skip
    owner, way, pension, colour = (fill.codes[:, i] for i in range(4))
    kenyan = fill.cohort.country == "KE"
    assert not ((owner == 1) & (way == 0)).any()
    assert ((owner == 0) & (way == 0)).any()
    assert not ((way == 2) & ~kenyan).any()
    assert not ((way == 3) & kenyan).any()
    assert ((pension >= 0) == (fill.cohort.columns["age"] >= 65)).all()
    assert not ((colour == 0) & (owner == 1)).any()


def test_many_numbers_and_scales() -> None:
    fill = _fill([
        _attribute("a.b.many", [{"value": c} for c in "abcdef"], kind="many", count="2..3"),
        _attribute("a.b.number", [], kind="number", number={"mean": 7, "sd": 1, "min": 3, "max": 12, "step": 0.5}),
        _attribute("a.b.years", [], kind="number", number={"mean": 30, "sd": 20, "min": 0, "max": 80, "unit": "years"}),
        _attribute("a.b.scale", [], kind="scale", scale={"labels": ["low", "mid", "high"], "leans": {"openness": 1}},
                   phrase="{They} {be} {label}."),
    ])  # fmt: skip
    many = [fill.priors.decode(0, int(code)) for code in fill.codes[:200, 0]]
    assert {len(x) for x in many} == {2, 3}  # type: ignore[arg-type]
    numbers = [fill.priors.decode(1, int(code)) for code in fill.codes[:, 1]]
    assert all(3 <= x <= 12 and (x * 2) % 1 == 0 for x in numbers)  # type: ignore[operator]
    assert abs(np.mean(numbers) - 7) < 0.1  # type: ignore[arg-type]
    assert (fill.codes[:, 2] <= fill.cohort.columns["age"]).all()
    assert set(fill.codes[:, 3].tolist()) == {1, 2, 3}


def test_nobody_is_told_the_same_thing_twice(people: dp.Population) -> None:
    """Of two attributes that ask nearly the same, one at most is among a person's."""
    selector = engine_for(dp.make_plan(1, "KE"), dp.shipped_taxonomy()).selector
    paths = [a.path for a in selector.priors.attributes]
    pairs = [(paths[i], paths[j]) for i, j in selector.same_matter.tolist()]
    assert len(pairs) > 100
    for person in people:
        told = {t.path for t in person.traits if t.source == "prior"}
        assert not [pair for pair in pairs if told.issuperset(pair)]
