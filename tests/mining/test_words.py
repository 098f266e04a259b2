"""Words: base forms, plurals and articles as English has them, and noun phrases out of any text without a fault."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.mining import words as w


@pytest.mark.parametrize(
    ("noun", "in_general", "one"),
    [
        ("dog", "dogs", "a dog"),
        ("rain", "rain", "rain"),
        ("kindness", "kindness", "kindness"),
        ("sea", "the sea", "the sea"),
        ("hour", "hours", "an hour"),
        ("unicorn", "unicorns", "a unicorn"),
        ("umbrella", "umbrellas", "an umbrella"),
        ("european car", "european cars", "a european car"),
        ("ex-wife", "ex-wives", "an ex-wife"),
        ("mother-in-law", "mothers-in-law", "a mother-in-law"),
        ("box of matches", "boxes of matches", "a box of matches"),
        ("hobby", "hobbies", "a hobby"),
        ("tattoo", "tattoos", "a tattoo"),
        ("glasses", "glasses", "glasses"),
        ("child", "children", "a child"),
        ("painting", "paintings", "a painting"),
        ("illness", "illnesses", "an illness"),
    ],
)
def test_a_thing_in_general_and_one_of_it(noun: str, in_general: str, one: str) -> None:
    assert w.several(noun) == in_general
    assert w.single(noun) == one


def test_a_place_one_goes_to_has_its_article() -> None:
    assert w.several("library", place=True) == "the library"
    assert w.several("library") == "libraries"


@pytest.mark.parametrize(
    ("said", "base"),
    [("cats", "cat"), ("ex-wives", "ex-wife"), ("mothers-in-law", "mother-in-law"), ("boxes of matches", "box of matches"),
     ("tattoos", "tattoo"), ("clothes", "clothes"), ("feet", "foot"), ("bus", "bus"), ("chess", "chess"), ("piano", "piano")],
)  # fmt: skip
def test_singular(said: str, base: str) -> None:
    assert w.singular(said) == base
    assert w.singular(base) == base


def test_forms_of_verbs() -> None:
    assert [w.inflected(verb, "VBG") for verb in ("bake", "run", "lie", "program")] == [
        "baking",
        "running",
        "lying",
        "programming",
    ]
    assert [w.inflected(verb, "VBN") for verb in ("write", "quit", "get", "marry")] == [
        "written",
        "quit",
        "got",
        "married",
    ]
    assert w.base_verb("playing") == "play"
    assert w.base_verb("piano") == "piano"


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("the old red barn behind us", "old red barn"),
        ("a bowl of soup every night", "bowl of soup"),
        ("dogs because they are loyal", "dogs"),
        ("my own garden, which is small", "garden"),
        ("very", ""),
        ("", ""),
    ],
)
def test_where_a_noun_phrase_ends(text: str, phrase: str) -> None:
    assert w.noun_phrase(text) == phrase


def test_what_a_phrase_was_cut_out_of() -> None:
    assert w.goes_on("my sister worry", "sister")
    assert not w.goes_on("my sister and me", "sister")
    assert not w.goes_on("my sister daily", "sister")
    assert not w.goes_on("", "")


def test_things_and_doings_are_told_apart() -> None:
    assert w.is_doing("watching birds")
    assert w.is_doing("helping")
    assert not w.is_doing("swimming pool")
    assert not w.is_doing("bird")
    assert w.alias("kid") == "child"
    assert w.alias("old telly") == "old tv"


WORDY = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz '-.,!?[]()\"0123456789éß\n\t"), max_size=80)


@settings(max_examples=150, deadline=None)
@given(WORDY | st.text(max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    phrase = w.noun_phrase(text)
    assert len(phrase.split()) <= w.LONGEST
    for function in (w.stem_of, w.singular, w.plural, w.several, w.single, w.alias):
        assert isinstance(function(text), str)
    for form in ("VBG", "VBN"):
        assert isinstance(w.inflected(text, form), str)
    assert isinstance(w.is_mass(text), bool)
    w.goes_on(text, phrase)


@pytest.mark.parametrize(
    "hostile",
    ["a " * 50_000, "of " * 33_000, "dog " * 25_000, "x" * 100_000, "-" * 100_000, "'" * 100_000, " " * 100_000],
)
def test_long_texts_take_no_time(hostile: str) -> None:
    began = time.perf_counter()
    w.noun_phrase(hostile)
    w.stem_of(w.noun_phrase(hostile))
    w.singular(hostile)
    w.several(hostile)
    assert time.perf_counter() - began < 1.0
