"""What the cues find in a clause, where they stay silent, and that their file is sound."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import DeepPersonaError
from deeppersona.mining.cues import Told, compiled, lexicon, place_in, shipped_cues, told_in
from deeppersona.mining.speech import clauses
from deeppersona.schema.phrase import faults
from deeppersona.schema.taxonomy import Attribute, Taxonomy
from deeppersona.taxonomy.check import check
from deeppersona.taxonomy.read import shipped_taxonomy


def told(text: str) -> dict[str, set[str]]:
    """Values by the last two parts of the path."""
    out: dict[str, set[str]] = {}
    for clause in clauses(text):
        for mention in told_in(clause):
            out.setdefault(mention.path.split(".", 1)[1], set()).add(mention.value)
    return out


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("I'm 41 years old", "age", "41"),
        ("I am in my late twenties", "age", "late twenties"),
        ("I (33F) need some advice", "age", "33"),
        ("I (33F) need some advice", "sex", "female"),
        ("I am a father of three", "children", "three"),
        ("I am a dad to a 2 year old", "children", "one or more"),
        ("We live just outside Leeds", "city", "Leeds"),
        ("I moved to São Paulo last year", "city", "Sao Paulo"),
        ("I'm from Accra, Ghana", "country", "Ghana"),
        ("Greetings from Nova Scotia", "region", "Nova Scotia"),
        ("I live on a farm", "urban", "rural"),
        ("I work part time as a dental nurse", "occupation", "nurse"),
        ("I mend clocks for a living", "occupation", "mending clocks"),
        ("I was laid off in May", "employment_status", "looking for work"),
        ("My partner snores", "marital_status", "in a relationship"),
        ("How do I tell my wife?", "marital_status", "married"),
        ("I speak Tamil and some Malay", "language", "malay"),
        ("I'm Buddhist and proud of it", "religion", "buddhist"),
        ("My dad was a miner", "family.fathers_work", "miner"),
        ("I have one brother and two sisters", "siblings.how_many", "one brother and two sisters"),
        ("I'm the youngest", "siblings.place_among", "the youngest"),
        ("We've been married for twelve years", "partner.years_together", "twelve years"),
        ("I live with my grandparents", "household.shared_with", "grandparents"),
        ("I adopted a rescue greyhound", "animals_and_plants.pets", "greyhound"),
        ("I adore otters", "animals_and_plants.animal_liking", "otters"),
        ("I grew up in Kenya", "origins.comes_from", "Kenya"),
        ("I have had asthma since school", "ailments.long_illness", "asthma"),
        ("I was diagnosed with OCD", "mind_and_mood.troubled_by", "ocd"),
        ("I'm on sertraline", "mind_and_mood.nerve_medicine", "every day at present"),
        ("I'm allergic to shellfish", "ailments.allergy", "shellfish"),
        ("I can't fall asleep", "sleep_and_rest.sleep_complaint", "lying long awake at first"),
        ("My grandad passed away in June", "love_and_loss.bereavement", "grandfather"),
        ("I feel like a burden", "mind.recurring_feeling", "like a burden"),
        ("I'm quite shy around strangers", "self.own_word", "shy"),
        ("I'm terrified of wasps", "emotions.afraid_of", "wasps"),
        ("I love to bake", "hobbies.main_pastime", "baking"),
        ("I collect old maps", "hobbies.collected", "old maps"),
        ("I play badminton on Fridays", "sport.played_now", "badminton"),
        ("I listen to a lot of reggae", "music.favourite_style", "reggae"),
        ("I play the oboe", "music.instrument", "oboe"),
        ("I love biryani", "food.liked_food", "biryani"),
        ("I love a good taco", "food.liked_food", "tacos"),
        ("I can't stand broccoli", "food.disliked_food", "broccoli"),
        ("I became a vegan, I am vegan", "food.diet", "nothing that comes from an animal"),
        ("I quit smoking", "habits.tobacco", "gave up some years ago"),
        ("I drink a lot of green tea", "food.hot_drink", "green tea"),
        ("I donate every month to a food bank", "giving.charity_habit", "regularly"),
        ("I volunteer at a hospice", "community.unpaid_work", "helping at hospice"),
        ("I drive an old Volvo", "mobility.vehicle", "volvo"),
        ("I want to become a midwife", "preferences.job_wished", "midwife"),
        ("I'd love to visit Iceland", "travel.wished_for", "Iceland"),
        ("I'm on a tight budget", "household_budget.getting_by", "short of money"),
        ("I still owe on my student loans", "debts.owed_to", "student debt"),
        ("I program in Rust", "learning.programming_language", "rust"),
        ("My MacBook is slow", "devices.system", "a Mac"),
    ],
)  # fmt: skip
def test_what_is_told_is_found(text: str, path: str, value: str) -> None:
    found = told(text)
    assert value in found.get(path, set()), found


def test_every_item_of_a_list_counts() -> None:
    assert told("I have a wife, two daughters and a tortoise").keys() >= {
        "marital_status",
        "children",
        "animals_and_plants.pets",
    }
    assert told("I speak French, Wolof and a little English")["language"] == {"french", "wolof", "english"}
    assert "nationality" not in told("I am good at French and German")


@pytest.mark.parametrize(
    "text",
    [
        "I am not a teacher",
        "I'm no teacher",
        "I don't have a cat",
        "I never play tennis",
        "I am not from Ghana",
        "Are you a teacher?",
        "Should I become vegetarian?",
        "If I had a dog I would walk it",
        "If I were a teacher I'd move to Rome",
        "I wish I had a sister",
        "Imagine I am a pilot",
        "Explain it like I am 5",
        "My friend is a teacher and she has two cats",
        "My neighbour's wife has three kids",
        "He said that I am a teacher",
        'She shouted "I am a teacher!"',
        "You have a lovely dog",
        "Your husband sounds kind",
        "I used to live in Rome",
        "I used to be a teacher",
        "I love your dog",
        "I love how you explain things",
        "I ate fish for dinner",
        "I am in trouble",
        "I am just in from the pub",
        "I am flying to Chile in August",
        "I need to feed the fish",
        "`i am a teacher`",
        "Fix the following text: I am a teacher and I have two cats.",
        "I am happy to help",
        "I feel like going out",
        "I feel used to it",
        "We are fighting cancer together",
        "I have a hot dog",
        "I have a python script that fails",
        "We are based in Geneva and help children in need",
        "We have so many children that go hungry",
        "I am told that I am lazy",
        "I do not eat eggs",
    ],
)
def test_silence(text: str) -> None:
    found = told(text)
    assert found in ({}, {"animals_and_plants.pets": {"no pet"}}), found  # who has no cat may say so


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("I don't have any pets", "animals_and_plants.pets", "no pet"),
        ("I have no children", "children", "none"),
        ("I'm not married", "marital_status", "not married"),
        ("I don't drink alcohol", "habits.alcohol", "drinks no alcohol"),
        ("I can't swim", "fitness.swimming", "cannot"),
        ("I don't believe in God", "life_and_death.belief_in_god", "no"),
        ("I have no one to talk to", "friends.night_call", "nobody"),
    ],
)
def test_denying_is_telling_where_it_says_something(text: str, path: str, value: str) -> None:
    assert value in told(text)[path]


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("leeds, england", {"city": "Leeds", "region": "England"}),
        ("the uk with my son", {"country": "United Kingdom"}),
        ("the bar", {}),
        ("nice house", {}),
        ("zzyzxville", {"city": "Zzyzxville"}),
        ("the hague", {"city": "The Hague"}),
        ("", {}),
    ],
)
def test_places(words: str, place: dict[str, str]) -> None:
    assert place_in(words) == place
    assert place_in("zzyzxville", guess=False) == {}


# --- the file ------------------------------------------------------------------------------------


def _is_core(entry: Told) -> bool:
    return entry.path.startswith("demographics.") and entry.path.count(".") == 1


@pytest.mark.parametrize("entry", shipped_cues(), ids=lambda entry: entry.path)
def test_every_entry_names_an_attribute_that_is_or_can_be(entry: Told) -> None:
    assert entry.cues
    fixed = {value for cue in entry.cues for value in (cue.value, cue.denied) if value is not None}
    assert "" not in fixed
    if entry.path in shipped_taxonomy() or _is_core(entry):
        assert not entry.made
        return
    made = Attribute.model_validate({"path": entry.path, "kind": "choice", **entry.made})
    assert 4 <= len(made.options) <= 8
    assert not faults(made.phrase)
    assert all(not faults(option.phrase, needs_value=False) for option in made.options if option.phrase)
    _ = made.condition, [option.condition for option in made.options]


def test_paths_are_told_apart() -> None:
    paths = [entry.path for entry in shipped_cues()]
    assert len(paths) == len(set(paths))
    assert len({entry.attribute for entry in shipped_cues()}) == len(paths)


def test_attributes_of_ones_own_pass_the_checker_in_the_shipped_tree() -> None:
    base = shipped_taxonomy()
    own = [
        Attribute.model_validate({"path": entry.path, "kind": "choice", **entry.made})
        for entry in shipped_cues()
        if entry.path not in base and not _is_core(entry)
    ]
    before = {(issue.path, issue.rule) for issue in check(base)}
    grown = check(Taxonomy([*base, *own], base.categories, base.rules))
    assert [str(i) for i in grown if i.severity == "error" and (i.path, i.rule) not in before] == []


def test_a_macro_nobody_knows_is_refused() -> None:
    with pytest.raises(DeepPersonaError, match="neither a macro nor a list"):
        compiled("<nonsense>")
    assert not any(key.startswith("_") for key in lexicon())


# --- any text ------------------------------------------------------------------------------------

_WORDS = [word for words in lexicon().values() for word in words[:3]]
_WORDS += [
    "i",
    "my",
    "we",
    "am",
    "have",
    "love",
    "not",
    "and",
    "or",
    ",",
    "?",
    "(",
    "a",
    "the",
    "to",
    "in",
    "work",
    "feel",
    "like",
    "28f",
]


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_them(text: str) -> None:
    for clause in clauses(text):
        list(told_in(clause))


@given(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_jumble_of_their_own_words_breaks_them(words: list[str]) -> None:
    for clause in clauses(" ".join(words)):
        for mention in told_in(clause):
            assert mention.value
            assert mention.value == mention.value.strip()
            assert "{" not in mention.value


@pytest.mark.parametrize(
    "unit",
    [
        "i have ",
        "i am a ",
        "my ",
        "i am so very really ",
        "i like to ",
        "a ",
        "i donate to ",
        "i have been with my ",
        " ",
        '"',
        "([",
        "i am from the ",
        "and ",
        "i have a wife, ",
        "1",
        "i feel ",
    ],
)
def test_hostile_runs_are_searched_quickly(unit: str) -> None:
    list(told_in(next(iter(clauses("I am ready")))))  # patterns are made once
    place_in("rome")
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    for clause in clauses(text):
        list(told_in(clause))
    assert time.process_time() - start < 1.0
