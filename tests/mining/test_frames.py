"""Open frames: what they find in talk, where they stay silent, and that whatever they propose is a fit attribute."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.mining import words as w
from deeppersona.mining.frames import by_name, open_in, proposal, shipped_frames
from deeppersona.mining.speech import Clause, clauses
from deeppersona.schema.phrase import PERSONS, faults, say
from deeppersona.schema.taxonomy import Attribute
from deeppersona.taxonomy.check import PLUMBING, VALUE_NAMES
from deeppersona.taxonomy.read import shipped_taxonomy


def heard(text: str) -> set[tuple[str, str, str]]:
    return {(m.frame, m.topic, m.value) for clause in clauses(text) for m in open_in(clause)}


@pytest.mark.parametrize(
    ("text", "frame", "topic", "value"),
    [
        ("I love thunderstorms.", "liking", "thunderstorm", "love"),
        ("I can't stand loud restaurants.", "liking", "loud restaurant", "strong dislike"),
        ("Honestly I don't like opera.", "liking", "opera", "mild dislike"),
        ("I'm a huge chess fan", "liking", "chess", "liking"),
        ("I walk my neighbour's dog and I cry every night.", "doing", "cry", "most days"),
        ("I often bake bread.", "doing", "bake bread", "most weeks"),
        ("I never drink coffee.", "doing", "drink coffee", "never"),
        ("I like going to the gym.", "doing", "go to the gym", ""),
        ("I used to play drums.", "doing", "play the drums", ""),
        ("I play the piano.", "doing", "play the piano", "now and then"),
        ("I keep blaming myself.", "doing", "blame myself", "now and then"),
        ("We own a canoe.", "having", "canoe", "has"),
        ("I don't have a garden.", "having", "garden", "none"),
        ("I used to have a motorbike.", "having", "motorcycle", "in the past"),
        ("My mum lives far away.", "kin", "mother", ""),
        ("How do I talk to my stepdad?", "kin", "stepfather", ""),
        ("I always feel worthless.", "feeling", "worthless", "nearly always"),
        ("Crowds make me feel trapped.", "feeling", "trapped", "at times"),
        ("I'm a very stubborn person.", "being", "stubborn", "very"),
        ("I'm not patient.", "being", "patient", "not at all"),
        ("I am a daydreamer at heart.", "calling", "daydreamer", "yes"),
        ("I can't stop crying.", "difficulty", "stop crying", "hard"),
        ("I have trouble trusting people.", "difficulty", "trust people", "hard"),
        ("I can't swim.", "skill", "swim", "hopeless"),
        ("I'm really good at physics", "talent", "physics", "very good"),
        ("I worry about my weight all the time.", "worry", "weight", "day and night"),
        ("I want to learn the violin.", "wish", "learn the violin", "hopes to"),
        ("We are planning to buy a house.", "wish", "buy a house", "is working on it"),
        ("I firmly believe in reincarnation.", "belief", "reincarnation", "firmly"),
        ("I care about the environment.", "valuing", "environment", "a good deal"),
        ("I was homeschooled.", "undergone", "homeschooled", "once"),
        ("I have never been evicted.", "undergone", "evicted", "never"),
        ("I quit my job last spring.", "deed", "quit job", "once"),
        ("I won a medal twice.", "deed", "win a medal", "more than once"),
        ("I really miss the sea.", "missing", "sea", "a good deal"),
        ("My knees hurt.", "pain", "knee", "at times"),
        ("I hate my voice.", "contentment", "voice", "not content at all"),
        ("My marriage is not good.", "contentment", "marriage", "not content at all"),
        ("I'm against zoos.", "view", "zoo", "rather badly"),
        ("I try to stay calm.", "striving", "stay calm", "tries now and then"),
        ("I have been dealing with grief.", "dealing", "grief", "right now"),
        ("I had a car accident.", "happening", "car accident", "once"),
        ("My husband always ignores me.", "treated", "ignore", "nearly every day"),
        ("They make fun of me.", "treated", "make fun of", "at times"),
        ("I can't afford a dentist.", "affording", "dentist", "not at all"),
        ("I no longer trust doctors.", "trust", "doctor", "not at all"),
        ("I don't know much about horses.", "knowing", "horse", "hardly anything"),
        ("I'm in debt.", "state", "in debt", "now"),
        ("I have no patience.", "supply", "patience", "none"),
        ("I finally stopped smoking.", "ceasing", "smoke", "gave it up"),
    ],
)
def test_what_people_tell_is_found(text: str, frame: str, topic: str, value: str) -> None:
    assert (frame, topic, value) in heard(text), heard(text)


def test_several_things_said_at_once() -> None:
    assert {topic for frame, topic, _ in heard("I like cats, old maps and rain") if frame == "liking"} == {
        "cat",
        "map",
        "rain",
    }
    assert {topic for frame, topic, _ in heard("I like cats and you should see them") if frame == "liking"} == {"cat"}
    assert {topic for _, topic, _ in heard("I love singing and painting walls")} == {"sing", "paint walls"}


@pytest.mark.parametrize(
    "text",
    [
        "Do you like dogs?",
        "Should I be a stubborn person?",
        "If I had a canoe I would be happy.",
        "My sister loves old maps.",
        "He says I am stubborn.",
        "They told me that I am lazy.",
        "People like dogs.",
        "You always feel worthless.",
        'She wrote "I love thunderstorms".',
        "for (i = 0; i < n; i++) { like(dogs); }",
        "`i like dogs`",
        "I like that idea.",
        "I love the way you said it.",
        "I am going to check the list.",
        "I want you to write a poem.",
        "I have a question.",
        "I like your taste.",
        "I think so.",
        "The library has a large hall.",
        "",
    ],
)
def test_silence_where_nothing_is_told(text: str) -> None:
    assert {found for found in heard(text) if found[0] != "kin"} == set()


def test_topics_are_what_can_be_asked_of_anybody() -> None:
    for text in (
        "I like watch",
        "I love wide",
        "I like lot",
        "I want to check",
        "I play",
        "I have a thing",
        "I make sure",
        "I like my",
        "I go to watch films",
    ):
        assert heard(text) == set(), text


# --- what stands in the file -----------------------------------------------------------------------


def test_frames_are_few_and_each_asks_in_its_own_words() -> None:
    frames = shipped_frames()
    assert 25 <= len(frames) < 35
    assert len({frame.name for frame in frames}) == len(frames)
    assert len({frame.new["question"] for frame in frames}) >= len(frames) - 1


def test_values_are_answers_the_attribute_has() -> None:
    for frame in shipped_frames():
        answers = {*frame.new.get("labels", ()), *frame.new.get("options", ()), ""}
        told = {value for _, value in frame.values} | {
            v for s in frame.sayings for v in (s.value, s.denied) if v is not None
        }
        assert told <= answers, (frame.name, told - answers)
        assert all(isinstance(answer, str) for answer in answers), frame.name


def test_branches_stand_in_the_shipped_tree() -> None:
    base = shipped_taxonomy()
    assert not [(f.name, path) for f in shipped_frames() for path in f.new["under"] if path not in base.nodes]


def test_lists_hold_words_once() -> None:
    lists: dict[str, Any] = w.frames_file()["words"]
    for name, words in lists.items():
        if name not in ("nouns", "alias"):
            assert all(isinstance(word, str) for word in words), name
            bare = [re.sub(r" [+*]$", "", word) for word in words]
            assert len(bare) == len(set(bare)), name


# --- what is proposed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "topic", "leaf", "question", "he", "they"),
    [
        ("liking", "dog", "liking_for_dogs", "How do you feel about dogs?", "What he feels about dogs is love.", "What they feel about dogs is love."),
        ("liking", "rain", "liking_for_rain", "How do you feel about rain?", "What he feels about rain is love.", "What they feel about rain is love."),
        ("liking", "turkish food", "liking_for_turkish_food", "How do you feel about Turkish food?",
         "What he feels about Turkish food is love.", "What they feel about Turkish food is love."),
        ("doing", "play the drums", "how_often_playing_drums", "How often do you play the drums?",
         "Asked how often he plays the drums, he says: most days.", "Asked how often they play the drums, they say: most days."),
        ("doing", "blame myself", "how_often_blaming_self", "How often do you blame yourself?",
         "Asked how often he blames himself, he says: most days.", "Asked how often they blame themself, they say: most days."),
        ("doing", "visit mother", "how_often_visiting_mother", "How often do you visit your mother?",
         "Asked how often he visits his mother, he says: most days.", "Asked how often they visit their mother, they say: most days."),
        ("having", "ex-wife", "ex_wife_in_their_life", "Do you have, or have you ever had, an ex-wife?", "He has an ex-wife.", "They have an ex-wife."),
        ("having", "glasses", "glasses_in_their_life", "Do you have, or have you ever had, glasses?", "He has glasses.", "They have glasses."),
        ("kin", "friend", "terms_with_friends", "On what terms are you with your friends?", "He and his friends are close.", "They and their friends are close."),
        ("kin", "boss", "terms_with_boss", "On what terms are you with your boss?", "He and his boss are close.", "They and their boss are close."),
        ("wish", "buy a house", "wish_to_buy_house", "Would you like to buy a house some day?",
         "He once wished to buy a house, and by now the wish has come true.", "They once wished to buy a house, and by now the wish has come true."),
        ("deed", "quit job", "ever_quit_job", "Have you ever quit your job?", "He has quit his job more than once.", "They have quit their job more than once."),
        ("treated", "cut off", "people_who_cut_off", "How often do people close to you cut you off?",
         "Asked how often people close to him cut him off, he says: nearly every day.",
         "Asked how often people close to them cut them off, they say: nearly every day."),
        ("worry", "health", "worry_about_health", "How much do you worry about your health?",
         "Of worry about his health he says: day and night.", "Of worry about their health they say: day and night."),
        ("state", "on my own", "being_on_own", "Have you ever been on your own?", "He is on his own.", "They are on their own."),
    ],
)  # fmt: skip
def test_proposals_read_right(frame: str, topic: str, leaf: str, question: str, he: str, they: str) -> None:
    made = proposal(frame, topic)
    assert made["leaf"] == leaf
    assert made["question"] == question
    last = made["options"][-1] if "options" in made else {"phrase": made["phrase"], "value": made["scale"][-1]}
    assert say(last["phrase"], "he", last["value"]) == he
    assert say(last["phrase"], "they", last["value"]) == they


def test_delicate_matters_are_marked() -> None:
    assert proposal("dealing", "grief")["sensitive"]
    assert proposal("undergone", "bullied")["sensitive"]
    assert proposal("belief", "god")["sensitive"]
    assert not proposal("liking", "rain")["sensitive"]


PRONOUNS = {"he", "she", "his", "him", "her", "hers", "himself", "herself"}
WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12).filter(lambda word: word not in PRONOUNS)
LIKELY = st.sampled_from([
    "data", "details", "is", "yes", "no", "others", "general info", "piano", "an old umbrella", "the sea", "drums", "ex-wife", "mother-in-law", "myself", "people",
    "children", "english", "café", "fiancé", "play", "go to the gym", "lose temper", "take care of parents", "a", "half-brother", "kin", "value", "they", "x-ray",
    "pins and needles", "children's books", "3d printers", "sense of humor", "Facebook", "O'Hara",
])  # fmt: skip
TOPIC = LIKELY | st.lists(WORD, min_size=1, max_size=4).map(" ".join) | st.tuples(WORD, WORD).map("-".join)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(by_name())), TOPIC)
def test_any_topic_makes_a_legal_attribute(frame: str, topic: str) -> None:
    made = proposal(frame, topic)
    path = f"{made['under'][0]}.{made['leaf']}"
    assert len(made["leaf"]) <= 40
    assert not VALUE_NAMES.search(made["leaf"])
    assert not PLUMBING.search(path)
    raw = {key: made[key] for key in ("definition", "question", "phrase", "sensitive")}
    form = (
        {"kind": "scale", "scale": {"labels": made["scale"]}}
        if "scale" in made
        else {"kind": "choice", "options": made["options"]}
    )
    attribute = Attribute.model_validate({"path": path, **raw, **form})
    for template, value in [(o.phrase, o.value) for o in attribute.options] or [(attribute.phrase, made["scale"][0])]:
        assert faults(template or "", needs_value=not attribute.options) == []
        for person in PERSONS:
            said = say(template or "", person, value)
            assert "{" not in said
            assert "  " not in said
    assert "{" not in attribute.definition + attribute.question


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz '-.,[]0189"), max_size=60).map(lambda rest: "i like my " + rest)
    | st.text(max_size=60)
)
def test_no_clause_is_too_odd(text: str) -> None:
    found = list(open_in(Clause(text, asks=False, supposes=False, past=False, denies=False, spot=0)))
    for mention in found:
        assert proposal(mention.frame, mention.topic)["leaf"]


@pytest.mark.parametrize(
    "hostile",
    [
        "i really " * 11_000, "i " + "really " * 14_000, "my " * 33_000, "i like " + "dogs, " * 16_000, "i " * 50_000, "i feel so " * 10_000, "x" * 100_000,
        "i have a " + "very " * 20_000 + "dog", "people " + "always " * 14_000 + "me", " " * 100_000, "[" * 100_000, "i cannot " + "seem to " * 12_000, "i am not " * 11_000,
    ],
)  # fmt: skip
def test_long_clauses_take_no_time(hostile: str) -> None:
    list(
        open_in(Clause("i like rain", asks=False, supposes=False, past=False, denies=False, spot=0))
    )  # the file is read once
    began = time.perf_counter()
    list(open_in(Clause(hostile, asks=False, supposes=False, past=False, denies=False, spot=0)))
    assert time.perf_counter() - began < 1.0
