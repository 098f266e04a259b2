"""Dimensions: everybody has one place in each, whatever was named; what cannot be is refused with the fix."""

from __future__ import annotations

import numpy as np
import pytest

import deeppersona as dp
from deeppersona.errors import UsageError
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.cells import AGE, CHILD_LEVEL, EDUCATION
from deeppersona.population.counting import Counted, codes_of, core_of
from deeppersona.population.dimension import Dimension, dimension

FACTS = shipped_facts()
USUAL = (
    "country",
    "region",
    "sex",
    "age",
    "education",
    "urban",
    "marital_status",
    "children",
    "religion",
    "employment_status",
)


def read(field: str, written: object = None, countries: tuple[str, ...] = ("KE", "DE"), youngest: int = 0) -> Dimension:
    return dimension(field, written, FACTS, countries, youngest)  # type: ignore[arg-type]


def test_gaps_become_categories() -> None:
    assert read("age", ["18..34", "50..59"]).categories == ("18..34", "50..59", "0..17", "35..49", "60..")
    assert read("age", ["18..34"], youngest=18).categories == ("18..34", "35..")
    assert read("age", ["0..49", "51.."]).categories == ("0..49", "51..", "50")
    assert read("children", ["1..2"]).categories == ("1..2", "0", "3..")
    assert read("sex", ["female"]).categories == ("female", "other")
    assert read("education", ["primary..bachelor"]).categories == (
        "primary..bachelor", "none..incomplete_primary", "at school", "master",
    )  # fmt: skip
    assert read("education", ["none..bachelor"], youngest=18).categories == ("none..bachelor", "master")


@pytest.mark.parametrize("field", ["age", "education", "sex", "urban"])
@pytest.mark.parametrize("youngest", [0, 18])
def test_every_cell_of_the_people_meant_is_in_one_category(field: str, youngest: int) -> None:
    some = {
        "age": ["20..29", ">=60"],
        "education": ["none..primary", "bachelor.."],
        "sex": ["male"],
        "urban": ["rural"],
    }
    for written in (None, some[field]):
        inside = read(field, written, youngest=youngest).masks.sum(axis=0)
        meant = (youngest <= AGE) & ((EDUCATION < CHILD_LEVEL) | (youngest == 0))
        assert (inside[meant] == 1).all()


def test_an_open_range_of_schooling_holds_no_child_at_school() -> None:
    open_end = read("education", {"lower": "none..upper_secondary", "higher": "short_tertiary.."})
    assert open_end.of("at school") == open_end.of("not yet at school") == "at school"
    assert open_end.of("master") == "higher"
    assert not open_end.masks[1][EDUCATION == CHILD_LEVEL].any()


def test_levels_may_be_words_or_ranges_and_need_not_follow_each_other() -> None:
    mixed = read("education", {"ends": "none,master", "middle": "primary..bachelor"})
    assert [mixed.of(word) for word in ("none", "master", "lower secondary", "incomplete primary")] == [
        "ends", "ends", "middle", "incomplete_primary",
    ]  # fmt: skip
    assert (mixed.masks.sum(axis=0) == 1).all()


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("age", ["18..34", "34..50"]), ("education", ["none..primary", "primary,master"]), ("children", ["0..2", "2.."]),
        ("religion", ["christian", "Catholic"]), ("religion", ["Sunni,hindu", "muslim"]),
        ("marital_status", ["single,married", "married"]), ("country", ["KE", "Kenya,DE"]),
    ],
)  # fmt: skip
def test_overlaps_are_refused(field: str, written: list[str]) -> None:
    with pytest.raises(UsageError, match="overlap"):
        read(field, written)


@pytest.mark.parametrize(
    ("field", "written", "told"),
    [
        ("agee", None, "did you mean age"), ("marital_status", ["maried"], "did you mean married"),
        ("religion", ["Cathlic"], "did you mean Catholic"), ("education", ["none..primry"], "primary"),
        ("income", None, "drawn last"), ("household_size", None, "drawn last"), ("language", None, "no usual categories"),
        ("city", None, "no usual categories"), ("age", ["40..30"], "smaller number first"), ("religion", ["other"], "besides"),
        ("age", {"0..17": "18..30"}, "call it something else"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_the_fix(field: str, written: object, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read(field, written)


def test_the_rest_may_be_named_anywhere_and_read_again_is_the_same() -> None:
    for field, raw in (
        ("marital_status", {"rest": "other", "wed": "married"}), ("religion", ["christian", "other", "muslim"]),
        ("age", ["30..39"]), ("education", ["none..bachelor"]), ("occupation", ["teacher", "retired"]), ("country", ["KE"]),
    ):  # fmt: skip
        once = read(field, raw)
        assert list(once.written) == list(once.categories)
        again = read(field, once.written)
        assert again.clauses == once.clauses
        assert again.written == once.written
    assert read("marital_status", {"rest": "other", "wed": "married"}).categories == ("wed", "rest")


def test_groups_and_branches_of_religion() -> None:
    dim = read("religion", ["Catholic", "muslim", "other"])
    place = [
        dim.of(x)
        for x in [
            ("christian", "branch:Catholic", "christian/Catholic"),
            ("muslim", "branch:Shia", "muslim/Shia"),
            ("hindu", "hindu/"),
        ]
    ]
    assert place == ["Catholic", "muslim", "other"]


WORLD = [
    "AF",
    "US",
    "DM",
    "IN",
    "CN",
    "JP",
    "KE",
    "DE",
    "BR",
    "NG",
    "IR",
    "TH",
    "GB",
    "HT",
    "IL",
    "ET",
]  # all religions


def test_everybody_in_the_world_falls_into_one_category_of_every_usual_dimension() -> None:
    people = dp.generate(300, WORLD, seed=5, depth=20, adults_only=False)
    records = [p.model_dump(mode="json") for p in people]
    countries = {core_of(r)["country"] for r in records}
    dims = {d: read(d, None, tuple(sorted(countries))) for d in USUAL}
    dims |= {"religion": read("religion", ["Catholic", "other Christian", "Sunni", "hindu", "folk", "none"])}
    dims |= {"occupation": read("occupation", ["teacher", "retired", "smallholder"])}
    codes = codes_of(records, Counted({d: dim.categories for d, dim in dims.items()}, dims))
    for d, dim in dims.items():
        assert (codes[d] >= 0).all(), d
        for row in (0, 50, 299):  # one alone: the others do not hold for them
            value = core_of(records[row]).get(d)
            value = (
                value.replace(" ", "_")
                if isinstance(value, str) and d in ("marital_status", "employment_status")
                else value
            )
            assert sum(dim.of(value) == name for name in dim.categories) == 1
    assert len(np.unique(codes["religion"])) > 4
