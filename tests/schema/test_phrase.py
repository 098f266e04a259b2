"""Pronouns and verbs agree."""

import pytest

from deeppersona.schema.phrase import PERSONS, faults, join_words, say, singular, third_person


@pytest.mark.parametrize(
    ("verb", "form"),
    [("have", "has"), ("be", "is"), ("go", "goes"), ("try", "tries"), ("play", "plays"), ("wash", "washes"),
     ("do not", "does not"), ("can", "can"), ("miss", "misses"), ("be not", "is not"), ("were", "was"), ("fix", "fixes")],
)  # fmt: skip
def test_third_person(verb: str, form: str) -> None:
    assert third_person(verb) == form


def test_one_of_a_thing_is_singular() -> None:
    assert singular("It takes her about 1 hours on foot.") == "It takes her about 1 hour on foot."
    assert singular("21 hours and 1.1 minutes with 1 people") == "21 hours and 1.1 minutes with 1 person"


def test_a_phrase_for_everybody() -> None:
    template = "{They} {have} {value} and {do not} share {their} plate with those near {them}; {they} {be} {themself}."
    said = {p: say(template, p, "tea") for p in PERSONS}
    assert said["she"] == "She has tea and does not share her plate with those near her; she is herself."
    assert said["he"] == "He has tea and does not share his plate with those near him; he is himself."
    assert said["you"] == "You have tea and do not share your plate with those near you; you are yourself."
    assert said["they"].startswith("They have tea and do not share their plate")


@pytest.mark.parametrize(
    ("template", "fault"),
    [("{They} {has} {value}.", "already conjugated"), ("{They} {have} {value}", "full stop"),
     ("{They} {have} tea.", "never says"), ("{They} {have} {value.", "brace"), ("He has {value}.", "written out"),
     ("they have {value}.", "small letter"), ("{They} {have2} {value}.", "brace")],
)  # fmt: skip
def test_faults_are_found(template: str, fault: str) -> None:
    assert any(fault in found for found in faults(template))


def test_join_words() -> None:
    assert [join_words(x) for x in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
