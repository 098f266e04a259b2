"""Drawing: proportions and correlations as the schema states them, cells kept, and no batch that matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import UsageError
from deeppersona.population.students import Pupils, Students, school_age_people
from deeppersona.population.students.choose import Columns, Lot, Rows
from deeppersona.population.students.positions import level_of_rank, normal_quantile
from deeppersona.population.students.schema import shipped_schema
from deeppersona.runtime.seed import Dice
from deeppersona.schema import vocabulary as v

_KINDS = ("values", "creativity", "wellbeing")


def r(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_drawn_levels_have_the_proportions_of_their_definition(columns: Columns) -> None:
    shares = np.bincount(columns["level"], minlength=4) / len(columns["level"])
    assert shares == pytest.approx([0.1, 0.2, 0.2, 0.5], abs=0.012)  # 3.4 standard errors of the largest at n = 20,000
    assert (level_of_rank(columns["percentile"].astype(np.int64), [0.1, 0.2, 0.2, 0.5]) == columns["level"]).all()


def test_grades_are_equal_and_the_sexes_nearly(columns: Columns) -> None:
    grades = np.bincount(columns["grade"], minlength=13)[1:] / len(columns["grade"])
    assert grades == pytest.approx(np.full(12, 1 / 12), abs=0.01)
    assert (columns["sex"] == 0).mean() == pytest.approx(0.49, abs=0.015)


def test_ages_spread_around_the_grade(columns: Columns) -> None:
    away = columns["age"].astype(int) - columns["grade"]
    assert set(np.unique(away)) <= {4, 5, 6, 7, 8}
    assert np.isin(away, [5, 6]).mean() > 0.88
    last = columns["grade"] == 12
    repeated = np.isin(columns["route"], [1, 2])
    assert 0.07 < repeated[last].mean() < 0.16  # PISA: one in nine at 15
    assert repeated[last].mean() > 4 * repeated[columns["grade"] <= 2].mean()


@pytest.mark.parametrize(
    ("a", "b", "stated"),
    [
        ("z:ability", "z:conscientiousness", 0.24), ("z:ability", "z:openness", 0.14), ("z:ability", "z:agreeableness", 0.08),
        ("z:ability", "z:extraversion", 0.0), ("z:ability", "z:background", 0.32),
    ],
)  # fmt: skip
def test_correlations_with_achievement_are_near_those_of_the_sources(
    columns: Columns, a: str, b: str, stated: float
) -> None:
    # .007 is the standard error at n = 20,000; ages and sexes take up to .02 off a correlation within them.
    assert r(columns[a], columns[b]) == pytest.approx(stated, abs=0.035)


def test_personality_hangs_together_as_measured(students: Students, columns: Columns) -> None:
    for row in students.pupils.facts.rows("personality_correlations.csv"):
        for trait in v.TRAIT_5:
            if trait != row["trait"]:
                found = r(columns[f"z:{row['trait']}"], columns[f"z:{trait}"])
                assert found == pytest.approx(float(row[trait]), abs=0.06), (row["trait"], trait)


def test_dimensions_lean_as_the_literature_says(columns: Columns) -> None:
    assert -0.65 < r(columns["neuroticism"], columns["calm"]) < -0.45
    assert 0.2 < r(columns["openness"], columns["imagination"]) < 0.5
    assert 0.1 < r(columns["z:ability"], columns["curiosity"]) < 0.32  # creativity and achievement about .22
    assert 0.3 < r(columns["agreeableness"], columns["kindness"]) < 0.6
    assert r(columns["order"], columns["novelty"]) < -0.1 and r(columns["tradition"], columns["independence"]) < -0.1
    eight = np.corrcoef([columns[d.name] for d in shipped_schema().dimensions if d.group == "creativity"])
    assert 0.15 < eight[np.triu_indices(8, 1)].mean() < 0.5


def test_age_trends_have_the_published_shape(columns: Columns) -> None:
    def mean(trait: str, low: int, high: int, sex: int | None = None) -> float:
        who = (columns["age"] >= low) & (columns["age"] <= high)
        who &= True if sex is None else columns["sex"] == sex
        return float(columns[f"z:{trait}"][who].mean())

    assert mean("conscientiousness", 9, 11) > mean("conscientiousness", 13, 15) < mean("conscientiousness", 17, 19)
    assert mean("extraversion", 6, 8) > mean("extraversion", 14, 16)
    apart = [mean("neuroticism", a, b, 0) - mean("neuroticism", a, b, 1) for a, b in ((6, 8), (15, 18))]
    assert abs(apart[0]) < 0.15 and 0.3 < apart[1] < 0.8


def test_no_cluster_is_of_one_sex(columns: Columns) -> None:
    shares = np.stack([np.bincount(columns["cluster"][columns["sex"] == s], minlength=6) for s in (0, 1)]).astype(float)
    shares /= shares.sum(axis=1, keepdims=True)
    ratio = shares[0] / shares[1]
    assert (ratio < 1.75).all() and (ratio > 0.55).all()
    assert ratio[0] > 1 > ratio[2]  # languages, mathematics: what PISA measures, and no more


def test_every_option_is_drawn_by_somebody(columns: Columns) -> None:
    never = []
    for topic in shipped_schema().topics:
        for column in topic.columns():
            if topic.kind != "many":
                used = np.bincount(columns[column][columns[column] >= 0], minlength=len(topic.options_of(column)))
                never += [f"{topic.path}: {topic.options_of(column)[k].text}" for k in np.flatnonzero(used == 0)]
    assert len(never) <= 6, never  # the rarest fit one pupil in some thousands


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    slots=st.lists(st.integers(0, 2**50), min_size=1, max_size=12, unique=True),
    data=st.data(),
)
def test_a_pupil_depends_on_seed_and_slot_alone(
    students: Students, seed: int, slots: list[int], data: st.DataObject
) -> None:
    whole = students.pupils.draw(seed, slots)
    order = data.draw(st.permutations(range(len(slots))))
    cut = data.draw(st.integers(0, len(slots)))
    for part in (order[:cut], order[cut:]):
        if part:
            again = students.pupils.draw(seed, [slots[i] for i in part])
            for name, column in again.items():
                assert (column == whole[name][np.array(part)]).all(), name


def test_seeds_differ(students: Students) -> None:
    one, other = (students.pupils.draw(seed, np.arange(200)) for seed in (1, 2))
    assert (one["z:ability"] != other["z:ability"]).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_cells_are_kept_whatever_is_given(students: Students, seed: int, data: st.DataObject) -> None:
    n = 30
    cells = {}
    for name, values in students.pupils.cells().items():
        first = 1 if name == "grade" else 0
        if data.draw(st.booleans()):
            codes = st.integers(first, first + len(values) - 1) | st.just(-1)
            cells[name] = np.array(data.draw(st.lists(codes, min_size=n, max_size=n)))
    columns = students.pupils.draw(seed, np.arange(n), cells)
    for name, asked in cells.items():
        assert (columns[name][asked >= 0] == asked[asked >= 0]).all()


def test_a_fixed_cell_changes_the_rest_no_more_than_it_must(students: Students) -> None:
    slots = np.arange(500)
    free = students.pupils.draw(3, slots)
    same = students.pupils.draw(3, slots, {name: free[name] for name in ("grade", "sex", "cluster", "level")})
    for name, column in free.items():
        if not name.startswith("cell:"):
            assert (column == same[name]).all(), name


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ({"grade": np.array([0, 13])}, "grade must be 1..12"), ({"level": np.array([4, 0])}, "level must be 0..3"),
        ({"grade": np.array([1])}, "give one a slot"), ({"sexes": np.array([0, 1])}, "did you mean sex"),
    ],
)  # fmt: skip
def test_cells_that_are_none_are_refused(students: Students, cells: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word.replace(".", r"\.")):
        students.pupils.draw(1, [0, 1], cells)


@pytest.mark.parametrize(
    ("countries", "word"),
    [({"XX": 1}, "unknown country"), ({"KE": 0}, "above 0"), ({}, "no country"), ({"KE": 1, "Kenya": 2}, "twice")],
)
def test_countries_that_are_none_are_refused(countries: dict[str, float], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        Pupils(countries)


def test_the_world_is_drawn_by_people_of_school_age() -> None:
    pupils = Pupils()
    columns = pupils.draw(1, np.arange(3000))
    codes = [pupils.homes.countries[c].iso2 for c in columns["country"].tolist()]
    assert 0.13 < codes.count("IN") / 3000 < 0.24 and codes.count("DE") / 3000 < 0.02
    assert len(set(codes)) > 90
    people = school_age_people(pupils.facts)
    assert list(people) == [c.iso2 for c in pupils.homes.countries] and min(people.values()) > 0


def test_the_default_quota_sums_to_one_and_has_the_levels_shares(students: Students) -> None:
    joint = students.pupils.base_joint()
    assert joint.shape == (12, 2, 6, 4) and joint.sum() == pytest.approx(1.0)
    assert joint.sum(axis=(0, 1, 2)) == pytest.approx([0.1, 0.2, 0.2, 0.5])
    assert tuple(len(values) for values in students.pupils.cells().values()) == joint.shape


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.3, 1.0, 7.0]), min_size=1, max_size=6).filter(any), min_size=1, max_size=8
    ),
    st.data(),
)
def test_one_search_draws_from_many_distributions(rows: list[list[float]], data: st.DataObject) -> None:
    table = Rows([np.array(row) for row in rows])
    row = data.draw(st.integers(0, len(rows) - 1))
    u = data.draw(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True))
    chosen = int(table.draw(np.array([row]), np.array([u]))[0])
    weight = np.array(rows[row])
    assert 0 <= chosen < len(weight) and (weight[chosen] > 0 or u < 1e-12)
    below = weight[:chosen].sum() / weight.sum()
    assert below - 1e-9 <= u <= below + weight[chosen] / weight.sum() + 1e-9


def test_nobody_goes_to_a_dog_who_has_none(columns: Columns) -> None:
    topic = shipped_schema().topic
    words = [o.text for o in topic["student.wellbeing.goes_to"].parts["whom"]]
    animals = [o.text for o in topic["student.home.pet"].parts["animal"]]
    to_dog = columns["student.wellbeing.goes_to/whom"] == words.index("the dog")
    assert to_dog.any() and (columns["student.home.pet/animal"][to_dog] == animals.index("dog")).all()


def test_choices_without_replacement_do_not_repeat() -> None:
    topic = shipped_schema().topic["student.interests.hobbies"]
    lot = Lot(topic.parts["hobby"])
    n = 400
    columns: Columns = {"grade": np.full(n, 6, dtype=np.int16)}
    columns |= {key: np.full(n, 3.0) for key in topic.keys() - {"grade"}}
    chosen, _ = lot.draw_many(columns, Dice(1, np.arange(n)), "x", np.full(n, 3), 3)
    assert all(len(set(row)) == 3 for row in np.stack(chosen, axis=1).tolist())


def test_the_quantile_is_that_of_the_normal() -> None:
    assert normal_quantile(np.array([0.5, 0.975, 0.1])) == pytest.approx([0.0, 1.959964, -1.281552], abs=5e-4)
