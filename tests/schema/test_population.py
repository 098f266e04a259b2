"""A population can be indexed, filtered, grouped, weighted and turned into a table; a persona is a view of its record."""

import pytest

import deeppersona as dp


def test_a_persona_is_its_record(people: dp.Population) -> None:
    for record, person in zip(people.records(), people, strict=True):
        assert person.record() == {
            **record,
            "traits": [{k: x for k, x in t.items() if k != "evidence" or x} for t in record["traits"]],
        }
        assert dp.Persona.model_validate(person.record()).record() == person.record()


def test_reading_a_persona(people: dp.Population) -> None:
    p = people[0]
    assert p["demographics.age"] == p.trait("demographics.age").value
    assert "demographics.age" in p
    assert p.get("no.such.path", 5) == 5
    assert p.portrait == p.narrative
    assert len(p.under("demographics")) >= 16
    with pytest.raises(dp.UsageError, match=r"did you mean .*demographics\.age"):
        p["demographics.agee"]
    card = p._repr_html_()
    assert p.name in card
    assert "synthetic" in card


def test_a_card_is_safe() -> None:
    trait = dp.Trait(path="a.b", value="<script>alert(1)</script>", source="given")
    p = dp.Persona(
        id="x", traits=(trait,), narrative="<b>", provenance=dp.Provenance(engine="0", taxonomy="t", seed=0, slot=0)
    )
    assert "<script>" not in p._repr_html_()


def test_indexing_filtering_grouping(people: dp.Population) -> None:
    assert people[3].id == people[people[3].id].id
    assert len(people[10:20]) == 10
    women = people.filter(sex="female", age="30..60")
    assert 0 < len(women) < len(people)
    assert all(p["demographics.sex"] == "female" and 30 <= p["demographics.age"] <= 60 for p in women)
    groups = people.group("country")
    assert sum(len(g) for g in groups.values()) == len(people)
    assert set(groups) == {"KE", "DE", "IN", "BR", "JP", "US"}
    assert len(people.filter(lambda p: len(p.stories) == 3, country=["KE", "DE"])) <= 20
    assert [p.id for p in people.sample(5, seed=1)] == [p.id for p in people.sample(5, seed=1)]
    assert "synthetic" in people._repr_html_()
    with pytest.raises(dp.UsageError, match="ids run from"):
        people["zz-1"]
    with pytest.raises(dp.UsageError, match="at most"):
        people.sample(1000)


def test_marginals_and_weights(people: dp.Population) -> None:
    shares = people.marginal("sex")
    assert sum(shares.values()) == pytest.approx(1)
    first = dp.Population(people.records()[:2], weights=[3, 1])
    assert first.marginal("country")[first[0]["demographics.country"]] >= 0.75
    with pytest.raises(dp.UsageError, match="weights"):
        dp.Population(people.records()[:2], weights=[1])


def test_a_frame_has_a_row_a_person(people: dp.Population) -> None:
    frame = people.frame()
    assert len(frame) == len(people)
    assert frame.loc[people[0].id, "demographics.age"] == people[0]["demographics.age"]


def test_mapping_keeps_order(people: dp.Population) -> None:
    renamed = people[:3].map(lambda p: p.model_copy(update={"narrative": "x"}))
    assert [p.narrative for p in renamed] == ["x"] * 3
    assert [p.id for p in renamed] == [p.id for p in people[:3]]


def test_a_run_is_the_same_as_memory(run_folder: object) -> None:
    loaded = dp.load(str(run_folder))
    made = dp.generate(12, ["KE", "FR"], seed=4, depth=60)
    assert [p.record() for p in loaded] == [p.record() for p in made]
    assert loaded[-1].id == made[11].id
