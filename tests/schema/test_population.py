"""A population can be indexed, filtered, grouped, weighted and turned into a table; a persona is a view of its record."""

from collections.abc import Sequence
from typing import Any

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


class Lazy(Sequence[dict[str, object]]):
    """Records as a run has them: read when asked for, which is counted."""

    def __init__(self, records: list[dict[str, object]]) -> None:
        self.records, self.read = records, 0

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: Any) -> Any:
        record = self.records[index]
        self.read += 1
        return record

    def find(self, who: str) -> int | None:
        return int(who.rpartition("-")[2]) if who.rpartition("-")[2].isdigit() else None


def lazy(n: int = 1000) -> tuple[Lazy, dp.Population]:
    provenance = {"engine": "0", "taxonomy": "t", "seed": 0}
    records = Lazy([
        {"id": f"ke-{i}", "provenance": provenance | {"slot": i}, "traits": [
            {"path": "demographics.age", "value": i % 10, "source": "table"},
            {"path": "demographics.sex", "value": ("female", "male")[i % 2], "source": "table"},
            *([{"path": "likes.music", "value": ["a", "b"][: i % 3], "source": "prior"}] if i % 4 else []),
        ]} for i in range(n)
    ])  # fmt: skip
    return records, dp.Population(records, [1 + i % 3 for i in range(n)])


def test_some_of_a_lazy_population_are_places(people: dp.Population) -> None:
    records, population = lazy()
    some = population[100:900:2].sample(50, seed=3)[10:20]
    assert records.read == 0
    wanted = [f"ke-{i}" for i in range(100, 900, 2)]
    assert [p.id for p in population[100:900:2]] == wanted
    assert [p.id for p in population[800:100:-200]] == ["ke-800", "ke-600", "ke-400", "ke-200"]
    assert [p.id for p in population[800:100:-200][1:3]] == ["ke-600", "ke-400"]
    records.read = 0
    assert len([p.id for p in some]) == 10
    assert records.read == 10
    assert some[3].id == some[some[3].id].id
    assert population[800:100:-200]["ke-400"].id == "ke-400"
    with pytest.raises(dp.UsageError, match="no person 'ke-401'"):
        population[800:100:-200]["ke-401"]
    assert some.weights == tuple(1 + int(p.id[3:]) % 3 for p in some)


def test_a_lazy_population_finds_by_id_without_reading_all() -> None:
    records, population = lazy()
    assert population["ke-777"]["demographics.age"] == 7
    assert records.read == 1


def test_filters_and_groups_of_a_lazy_population_hold_places() -> None:
    records, population = lazy()
    women = population.filter(sex="female", age="4..6")
    assert records.read == len(population)
    assert [int(p.id[3:]) % 10 for p in women] == [4, 6] * 100
    assert len(population.filter(lambda p: p["demographics.age"] == 3, sex="female")) == 0
    records.read = 0
    groups = population.groupby("sex")
    assert {sex: len(group) for sex, group in groups.items()} == {"female": 500, "male": 500}
    assert records.read == len(population)
    assert groups["male"].filter(age="3")[5].id == "ke-53"
    assert set(population.group("likes.music")) == {None, (), ("a",), ("a", "b")}


def test_joint_marginals_are_one_pass_and_sum_to_the_marginal() -> None:
    records, population = lazy()
    joint = population.marginals("sex", "age")
    assert records.read == len(population)
    assert sum(joint.values()) == pytest.approx(1)
    for sex, share in population.marginal("sex").items():
        assert share == pytest.approx(sum(s for (which, _), s in joint.items() if which == sex))
    both = population.marginals(
        "sex", "likes.music"
    )  # a list counts each of its items; who is not told of it, in the whole
    total = sum(1 + i % 3 for i in range(1000))
    wanted = sum(1 + i % 3 for i in range(1000) if i % 2 and i % 4 and i % 3 == 2)
    assert both["male", "b"] == pytest.approx(wanted / total)
    assert list(both.values()) == sorted(both.values(), reverse=True)
    assert population.marginal("nothing.here") == {}
