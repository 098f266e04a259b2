"""Conditions parse, hold, and name the nearest valid choice."""

import pytest

from deeppersona.errors import UsageError
from deeppersona.schema.condition import parse_condition

NURSE = {"age": 34, "sex": "female", "status": "employed", "education": "bachelor", "region": "east_africa", "country": "KE",
         "children": 2, "youngest_child": 6, "marital": "married", "home.pets.kept": ["a dog", "a cat"]}  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [{"age": ">=16"}, {"age": "18..40"}, {"age": "<35"}, {"sex": "female"}, {"status": ["employed", "self_employed"]},
     {"education": ">=upper_secondary"}, {"education": ["bachelor", "master"]}, {"regions": ["africa"]}, {"countries": ["ke"]},
     {"children": ">=1", "youngest_child": "<=12"}, {"home.pets.kept": ["a dog"]}, {"home.pets.kept": {"not": ["a fish"]}},
     {"marital": {"not": ["single"]}}, {"other.path.here": {"not": ["x"]}}],
)  # fmt: skip
def test_holds(raw: dict[str, object]) -> None:
    assert parse_condition(raw).holds(NURSE)


@pytest.mark.parametrize(
    "raw",
    [{"age": "<34"}, {"age": ">34"}, {"sex": "male"}, {"status": ["retired"]}, {"education": "<=primary"},
     {"regions": ["europe"]}, {"countries": ["DE"]}, {"youngest_child": ">=7"}, {"home.pets.kept": {"not": ["a dog"]}},
     {"grandchildren": ">=1"}, {"other.path.here": ["x"]}],
)  # fmt: skip
def test_does_not_hold(raw: dict[str, object]) -> None:
    assert not parse_condition(raw).holds(NURSE)


@pytest.mark.parametrize(
    ("raw", "said"),
    [({"age": "old"}, "cannot read|number"), ({"statuz": ["employed"]}, "did you mean status"), ({"status": ["employd"]}, "did you mean employed"),
     ({"regions": ["east_afrika"]}, "did you mean east_africa"), ({"education": ">=batchelor"}, "did you mean bachelor"),
     ({"age": "40..20"}, "empty"), ({"marital": {"nott": []}}, "not")],
)  # fmt: skip
def test_faults_name_the_fix(raw: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_condition(raw)
