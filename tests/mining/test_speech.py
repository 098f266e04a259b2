"""A person's words cut into clauses: what is theirs, and what they ask, suppose or only report."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.mining.speech import LONGEST, clauses, is_commissioned, own_words


def said(text: str) -> list[str]:
    return [clause.text for clause in clauses(text)]


def vouched(text: str) -> list[str]:
    """The clauses the speaker states as true."""
    return [clause.text for clause in clauses(text) if not clause.asks and not clause.supposes]


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("I'm a baker", "i am a baker"),
        ("im a baker", "i am a baker"),
        ("Well, honestly, I've got two sons", "i have two sons"),
        ("I don't smoke", "i do not smoke"),
        ("My hubby snores", "my husband snores"),
        ("Married with twins, and tired", "i am married with twins, and tired"),
        ("Born in Lima", "i was born in lima"),
        ("As a Peruvian midwife, I see a lot", "i am a peruvian midwife"),
        ("My wife and I are moving", "we are moving"),
    ],
)
def test_contractions_are_written_out_and_subjects_given_back(text: str, clause: str) -> None:
    assert clause in said(text)


def test_a_clause_without_its_subject_gets_it_back() -> None:
    assert said("I'm a tailor and live in Cork, but I miss home") == ["i am a tailor", "i live in cork", "i miss home"]
    assert "i live in cork" not in said("I want to be rich and live in Cork")


@pytest.mark.parametrize(
    "text",
    [
        'She wrote "I am a tailor" on the door',
        "```\ni am a tailor\n```",
        "> I am a tailor",
        "Correct the following text: I am a tailor",
        "print('i am a tailor');",
    ],
)
def test_quotations_code_and_handed_over_texts_are_not_ones_own(text: str) -> None:
    assert "i am a tailor" not in own_words(text).casefold()


@pytest.mark.parametrize(
    "text",
    [
        "If I am a tailor, what then?",
        "Am I a tailor?",
        "I might be a tailor",
        "My sister thinks I am a tailor",
        "He told everyone that I am a tailor",
        "I wish I were a tailor",
        "Explain it as if I am a tailor",
        "When I am a tailor, I will be happy",
        "I am 40 and my son is 12. When I was 30 he was 2. How old is my son?",
    ],
)
def test_nothing_is_vouched_for_in_questions_suppositions_and_hearsay(text: str) -> None:
    assert not [clause for clause in vouched(text) if "i am" in clause]


def test_a_question_after_a_statement_leaves_the_statement() -> None:
    assert vouched("I have a parrot, do you have pets?") == ["i have a parrot"]
    assert vouched("I have a parrot, and you?") == ["i have a parrot"]
    assert not vouched("So you have a parrot?")


def test_what_is_denied_and_what_is_past_is_marked() -> None:
    (clause,) = clauses("I never had a parrot")
    assert clause.denies
    assert clause.past
    (clause,) = clauses("I have a parrot")
    assert not clause.denies
    assert not clause.past


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Act as a pirate and tell me of your day", True),
        ("You are an experienced lawyer.", True),
        ("Please write me a poem about rain", True),
        ("I write a lot and I love it", False),
        ("You are a kind person, thank you", True),  # a prompt may begin so; talk seldom does
        ("Thank you, you are a kind person", False),
        ("My husband and I argue about money", False),
    ],
)
def test_commissions(text: str, yes: bool) -> None:
    assert is_commissioned(text) is yes


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_it(text: str) -> None:
    for spot, clause in enumerate(clauses(text)):
        assert clause.spot == spot
        assert 1 < len(clause.text) <= LONGEST + 10
    is_commissioned(text)


@given(
    st.lists(
        st.sampled_from(
            ["i", "am", "my", "and", ",", "'", '"', "as a", "if", "\n", "?", "wife", "(", "...", "not", "`", "{"]
        ),
        max_size=80,
    )
)
@settings(max_examples=200, deadline=None)
def test_no_jumble_of_its_own_words_breaks_it(words: list[str]) -> None:
    list(clauses(" ".join(words)))


@pytest.mark.parametrize(
    "unit",
    [
        "have ",
        " ",
        "'",
        '"',
        "{",
        "([",
        "<a",
        ", ",
        ".",
        "well ",
        "\n",
        "`",
        "a",
        "1 ",
        "my wife and i ",
        ": ",
        "and i have ",
        "as a ",
        "\t ",
        "😀",
    ],
)
def test_hostile_runs_are_cut_quickly(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    list(clauses(text))
    is_commissioned(text)
    assert time.process_time() - start < 1.0
