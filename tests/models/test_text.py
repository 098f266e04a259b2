"""What a model says is kept or turned away for a stated reason, and half an answer is never taken for a whole one."""

from __future__ import annotations

import json
import string
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.models.loose_json import json_object
from deeppersona.models.text import clean, fault

PORTRAIT = (
    "Margit grew up above her father's bakery in Pécs, where the ovens were lit at three and nobody slept past five. "
    "She learned to count by stacking rolls, and she still counts under her breath when she is nervous. At nineteen "
    "she left for Budapest with a borrowed suitcase; the city felt, she says, like a shop with too many doors. She "
    "trained as a bookkeeper, hated it, and stayed eleven years. What changed her mind was a leak: the ceiling of the "
    "office came down one wet Tuesday, and while the others cursed she found herself laughing. She gave notice that "
    "week. Now she runs a small repair café with two friends, fixing kettles and radios and the occasional accordion. "
    "Her daughter, who is fourteen and unimpressed by everything, helps on Saturdays and solders better than she does."
)

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with this request.",
    "I am sorry, but I cannot create this content.",
    "I'm sorry, I can't do that.",
    "I'm sorry, but I can't.",
    "Sorry, but I can't write about this person.",
    "I apologize, but I cannot fulfill this request.",
    "I cannot assist with that.",
    "I cannot assist.",
    "I can't create content that depicts a real person in this way.",
    "Unfortunately, I can't provide a detailed description of this individual.",
    "I am unable to help.",
    "I'm not able to produce sexual or violent content about minors.",
    "I can't engage in this conversation.",
    "I must decline.",
    "I must respectfully decline to write this.",
    "I won't write this for you.",
    "Thank you for asking. However, I cannot help with creating such a profile.",
    "As an AI language model, I do not have a childhood.",
    "As an AI, I can't have a favourite food.",
    "I'm not comfortable writing this.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "No puedo ayudar con esa solicitud.",
    "Como modelo de lenguaje, no tengo recuerdos.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Désolée, je ne peux pas créer ce contenu.",
    "En tant que modèle de langage, je n'ai pas d'enfance.",
    "Es tut mir leid, aber ich kann dabei nicht helfen.",
    "Tut mir leid, das kann ich nicht erstellen.",
    "Als KI-Sprachmodell habe ich keine Kindheit.",
    "抱歉，我无法协助完成这个请求。",
    "对不起，我不能提供这样的内容。",
    "作为一个人工智能，我没有童年。",
]
NO_REFUSALS = [
    "She said \"I'm sorry, but I can't come\" and hung up.",
    "“I'm sorry, but I can't help you,” said the clerk, and shut the window.",
    "‘I cannot assist you,’ the man at the gate told her, and that was that.",
    "He could not help them.",
    "He was sorry, but he could not write the letter for her.",
    "I'm sorry, but I can't stand coriander.",
    "I can't help laughing at funerals.",
    "I cannot help but think of my mother.",
    "I can't provide for all of them on one wage.",
    "I can't write without my glasses.",
    "I am unable to help my father on the farm since the accident.",
    "I cannot assist my brother with money any more.",
    "I can't give my pupils clear instructions when I am tired.",
    "I must decline most invitations in Lent.",
    "I won't do this alone again, she thought.",
    "I can't continue without coffee.",
    "As an AI researcher in Lagos, I work on speech.",
    "As an aide to the mayor she saw everything.",
    "She cannot create a portrait without a model to sit for her.",
    "No puedo ayudar a mi madre con la compra los lunes.",
    "Je ne peux pas vous dire combien cela m'a coûté.",
    "Tut mir leid, ich kann heute nicht kommen.",
    "Als Kind war er oft krank.",
    "—Lo siento, no puedo ayudarte con eso —dijo ella.",
    "我不能吃辣的东西。",
    PORTRAIT + " I cannot assist with that, her daughter once wrote on the door.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_named(text: str) -> None:
    assert fault(text) == "a refusal"


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_people_may_refuse_and_be_sorry(text: str) -> None:
    assert fault(text) == ""


VOICES = [
    "She loves the sea. As an AI, I find this moving.",
    "He left early. I am a language model and cannot say more.",
    "I'm an AI assistant, so I have no home town.",
    "She would know. As an artificial intelligence, I would not.",
    "Being a large language model, I never slept badly.",
    "I don't have personal experiences, but a person in her place would be proud.",
    "I do not have feelings or memories of that time.",
    "Sure, here is the text you wanted. She was born in May.",
    "Sure! Here's something about her life by the river.",
    "Here's a portrait of Amina, who sells fish in Mombasa.",
    "**Here is the description of the man:** he is tall.",
    "Certainly! Amina sells fish in Mombasa.",
    "Of course! I can write that. Amina sells fish.",
    "She was born in [insert city] and never left it.",
    "Her name is [Your Name] and she is forty.",
    "She never left the valley. (Word count: 6)",
    "She never left the valley.\n\nNote: This is a fictional portrait written to the given facts.",
    "She never left the valley. (Note: the text keeps to the word limit.)",
    "My training data does not say where she lived.",
]
NO_VOICES = [
    "She trains a large language model for a bank in Oslo.",
    "I am a language model researcher at a small laboratory.",
    "I'm an AI engineer and I sleep badly.",
    "He began as an AI assistant trainer and reads about artificial intelligence at night.",
    '"As an AI, I have no opinion," the screen said, and she laughed.',
    "“Sure, here is your change,” said the baker.",
    "He is sure here is where the house stood.",
    "Here is where she buried the dog.",
    "Here is the thing about my brother: he never calls.",
    "Certainly he was tired.",
    "Of course I can swim.",
    "A note: never lend Tomas a ladder.",
    "On the fridge hangs a list. Note: bring milk.",
    "I don't have personal experience of war, only my father's.",
    "I don't have a car or a telephone.",
    "She said 'I am an AI assistant' in a flat voice until the child giggled.",
]


@pytest.mark.parametrize("text", VOICES)
def test_a_model_speaking_as_itself_is_heard(text: str) -> None:
    assert fault(text) == "speaks as a model"


@pytest.mark.parametrize("text", NO_VOICES)
def test_people_may_talk_of_models_and_begin_with_here(text: str) -> None:
    assert fault(text) == ""


REMAINS = [
    "```\nShe left.\n```",
    "She left.<|im_end|>",
    "She left.</s>",
    "[INST] Write a portrait. [/INST] She left.",
    "Her name is {{name}} and she left.",
    "<think>What would she do?",
    "### Portrait\nShe left.",
    "**She** was **very** tired and **not** at all **glad**.",
    "She left.\\nShe came back.",
    "She left.\nAssistant: What next?",
    "User: write more about her.",
    'She left. {"name": "Ann", "age": 4}',
]
NO_REMAINS = [
    "He is number #1 in the shop and knows it.",
    "She was **very** tired that day.",
    "Her title is Office Assistant: she answers the telephone.",
    "Two kinds of user: the patient and the rest.",
    "He bets <5 euros | never more> on horses.",
    "They met in the village {the old one} by the lake.",
    "She left.\nShe came back.",
]


@pytest.mark.parametrize("text", REMAINS)
def test_remains_of_a_prompt_are_seen(text: str) -> None:
    assert fault(text) == "holds markup or a prompt's remains"


@pytest.mark.parametrize("text", NO_REMAINS)
def test_plain_signs_are_no_remains(text: str) -> None:
    assert fault(text) == ""


@pytest.mark.parametrize("text", ["", "   \n", "...", "—", "?!", "***", "“”", "🙂 🙂"])
def test_nothing_said_is_empty(text: str) -> None:
    assert fault(text) == "empty"


GARBLED = [
    "She left the h\ufffduse at dawn.",
    "She left \x00 the house.",
    "She left \x1b[31m the house.",
    "She left \ud83d the house.",
    "She " + "a" * 61 + " left.",
    "@@ ## $$ 12 %% && a",
    "1029 3847 5665 4839 2010 1029 3847 5665 4839 2010 and so",
    "a b c d e f g h i j k l m n o p",
    "sdfkj wrtzp lkjhg qwrtp zxcvb mnbvc dfghj kjhgf rtypl",
    "xkcd brrrt fnord qwrtz plmkn bhgvf tyghb njkmh vbnms",
]
LANGUAGE = [
    "42",
    "1985",
    "€45,000–€60,000",
    "+1-555-0100",
    "C++",
    "O+",
    "MBA",
    "PhD, NYC",
    "She wrote to https://example.org/" + "a" * 80 + " and waited.",
    "Zażółć gęślą jaźń, a potem wróć do domu przed zmrokiem, bo matka czeka.",
    "Die Angstschwelle der Schwester schmolz schnell, als Herbststürme die Strandpromenade trafen.",
    "Tôi là một người Việt Nam sống ở Hà Nội và bán phở ngoài phố mỗi buổi sáng.",
    "她出生在成都的一个小巷子里，父亲修自行车，母亲卖豆腐，家里总是很吵，但她说那是她一生中最安静的时候，因为没有人问她将来要做什么，也没有人催她长大成人离开家。",
    "彼女は小さな港町で育ち、父は漁師で、母は学校の給食を作っていました。",
    "वह सुबह जल्दी उठती है और अपने बच्चों के लिए खाना बनाती है।",
    "เธอเติบโตในหมู่บ้านเล็กๆริมแม่น้ำและช่วยแม่ขายผลไม้ที่ตลาดทุกเช้าก่อนไปโรงเรียนกับน้องชาย",
    "هي تعمل في مدرسة صغيرة قرب البحر وتحب القراءة.",
    "Она выросла на море и до сих пор просыпается рано.",
    "그녀는 부산에서 자랐고 지금도 바다를 그리워한다.",
    "👩‍🌾 She farms.",
    "Her mother\u2011in\u2011law, née Ó Súilleabháin, keeps bees\u00a0— and a grudge.",
    "She hums “hmm, brr, pst” and nobody minds her doing so in the kitchen at night.",
]


@pytest.mark.parametrize("text", GARBLED)
def test_noise_is_not_language(text: str) -> None:
    assert fault(text) == "not language"


@pytest.mark.parametrize("text", LANGUAGE)
def test_every_tongue_and_a_bare_number_are_language(text: str) -> None:
    assert fault(text) == ""


REPEATS = [
    "She gets up and goes out. " * 8,
    "He likes tea. She likes the sea at night. He likes tea. She likes the sea at night.",
    "tired " * 12,
    "very tired very tired and very tired so very tired but very tired very",
    "ha " * 20,
    "a tired a tired a tired a tired a tired a tired",
    PORTRAIT + " one day at a" * 7,
    "她喜欢在河边散步。" * 3,
]
NO_REPEATS = [
    "She sings. She sings. She sings again.",
    "No, no, no, no. Never.",
    "the cat and the dog and the hen and the cow met in the yard by the barn",
    "tired tired tired",
    PORTRAIT,
    PORTRAIT + "\n\nOn the one hand she rests; on the other hand she works. Then she rests again.",
]


@pytest.mark.parametrize("text", REPEATS)
def test_going_round_in_circles_is_seen(text: str) -> None:
    assert fault(text) == "repeats itself"


@pytest.mark.parametrize("text", NO_REPEATS)
def test_a_refrain_is_allowed(text: str) -> None:
    assert fault(text) == ""


def distinct(count: int) -> str:
    letters = string.ascii_lowercase
    return " ".join(f"{letters[i % 26]}a{letters[i // 26 % 26]}o" for i in range(count))


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (63, "63 words, wanted 80 to 150"),
        (64, ""),
        (100, ""),
        (180, ""),
        (181, "181 words, wanted 80 to 150"),
    ],
)
def test_length_is_held_to_a_fifth(count: int, reason: str) -> None:
    assert fault(distinct(count), words=(80, 150)) == reason


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Well-known Ann — who can't sing - left (early).", 7),
        ("她出生在成都。", 6),
        ("वह सुबह जल्दी उठती है।", 5),
        ("Она живёт на море.", 4),
    ],
)
def test_words_are_counted_in_every_script(text: str, count: int) -> None:
    assert fault(text, words=(100, 200)) == f"{count} words, wanted 100 to 200"


ENDED = [
    "She left.",
    "Did she leave?",
    "She left…",
    "“She left.”",
    "She said (and meant it!)",
    "¿Se fue? Sí.",
    "她走了。",
    "她走了！",
    "'Go,' she said.",
    "1985 was a hard year.",
    "वह चली गई।",
    "«Elle est partie.»",
    "She *left.*",
]


@pytest.mark.parametrize("text", ENDED)
def test_a_finished_sentence_passes(text: str) -> None:
    assert fault(text, sentence=True) == ""


@pytest.mark.parametrize(
    "text", ["She left and then", "She left,", "She left the", "“She left", "She left:", "She left -"]
)
def test_a_text_cut_off_is_named(text: str) -> None:
    assert fault(text, sentence=True) == "cut off before a full stop"
    assert fault(text) == ""


@pytest.mark.parametrize("text", ["- she left.", ", and she left.", "...she left.", ") She left."])
def test_a_text_that_starts_in_the_middle_is_named(text: str) -> None:
    assert fault(text, sentence=True) == "does not start as a sentence"


def test_a_sound_portrait_is_judged_fast() -> None:
    assert fault(PORTRAIT, words=(80, 150), sentence=True) == ""
    quickest = min(_timed(100) for _ in range(20))
    assert quickest < 0.0005  # ten times the aim, since a test machine may be busy


def _timed(times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        fault(PORTRAIT, words=(80, 150), sentence=True)
    return (time.perf_counter() - start) / times


@given(st.text(st.characters(), max_size=300), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_text_is_judged_and_cleaned(text: str, sentence: bool) -> None:
    fault(text, words=(3, 5), sentence=sentence)
    clean(text)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("  She left.  ", "She left."),
        ("<think>Who is she?</think>\n\nShe left.", "She left."),
        ("<think>Who\nis</think>She left.<think>Good.</think>", "She left."),
        ("<think>Who is she? Perhaps", ""),
        ("Who is she?</think>\nShe left.", "She left."),
        ("```\nShe left.\n```", "She left."),
        ("```text\nShe left.\n```", "She left."),
        ('"She left."', "She left."),
        ("“She left.”", "She left."),
        ("'It's late, she said.'", "It's late, she said."),
        ("‘It’s late.’", "It’s late."),
        ("«Elle est partie.»", "Elle est partie."),
        ("Answer: blue", "blue"),
        ("**Portrait:** She left.", "She left."),
        ("Final answer: She left.", "She left."),
        ("回答：她走了。", "她走了。"),
        ("3. She left.", "She left."),
        ("- She left.", "She left."),
        ("Sure! Here is the portrait you asked for:\n\nShe left.", "She left."),
        ("Here's a short description of Ann:\nShe left.", "She left."),
        ("Certainly!\n\nShe left.", "She left."),
        ("She left.\n\n(Word count: 212)", "She left."),
        ("She left. (Word count: 212)", "She left."),
        ("She left.\n\n**Word count: 212**", "She left."),
        ("She left.\n(212 words)", "She left."),
        ("She left.\n\nLet me know if you would like any changes!", "She left."),
        ("She left.\n\n(Word count: 2)\n\nLet me know if you'd like more.", "She left."),
        ('Sure! Here is the text:\n```\n"Answer: She left."\n```\nLet me know if it fits.', "She left."),
        ("She left.\r\nShe came.\r\r\r\rShe stayed.", "She left.\nShe came.\n\nShe stayed."),
        ("She left.  \n \n \n\nShe came.", "She left.\n\nShe came."),
        ("Cafe\u0301", "Café"),
        ("\ufeffShe left.", "She left."),
    ],
)
def test_wrapping_is_taken_off(text: str, bare: str) -> None:
    assert clean(text) == bare
    assert clean(bare) == bare


@pytest.mark.parametrize(
    "text",
    [
        PORTRAIT,
        "“Go,” she said. “Now.”",
        "'Go' and 'stay'",
        "- one\n- two",
        "1. one\n2. two",
        "1984 was hard.",
        "-5",
        "10",
        "3.",
        '"',
        "Monday: rest. Tuesday: work.",
        "Here is what I remember:\nit rained.",
        "Of course he left.",
        "Sure enough, he left.",
        "He wrote: let me know if it rains.",
        "She counted 212 words (and stopped).",
        "12 words",
        "One  two   three",
        "She used `ls`, ```twice```, in a café.",
    ],
)
def test_the_inside_is_left_alone(text: str) -> None:
    assert clean(text) == text


def test_wrapping_without_end_costs_no_time() -> None:
    start = time.perf_counter()
    for text in (
        "- " * 100_000,
        "Answer: " * 25_000,
        "<think>" * 30_000,
        "```\n" + " " * 200_000,
        "'" * 200_000,
        "\n" * 200_000,
    ):
        clean(text)
        fault(text)
        json_object("{" + text)
    assert time.perf_counter() - start < 20


OBJECTS: list[tuple[str, dict[str, Any], set[str], bool]] = [
    # as asked
    ('{"a": 1, "b": "x"}', {"a": 1, "b": "x"}, set(), True),
    ('{" a ": 1, "b": [1, {"c": null}]}', {"a": 1, "b": [1, {"c": None}]}, set(), True),
    ("{}", {}, set(), True),
    # said twice
    ('{"a": 1, "a": 1, "b": 2}', {"a": 1, "b": 2}, set(), True),
    ('{"a": 1, "a": 2, "b": 2}', {"b": 2}, {"a"}, True),
    ('{"a": 1, "a ": true, "b": 2}', {"b": 2}, {"a"}, True),
    ('{"a": {"x": 1, "x": 2}, "b": 2}', {"b": 2}, {"a"}, True),
    ("{'a': 'x', 'b': 'y', 'a': 'z'}", {"b": "y"}, {"a"}, True),
    # wrapped
    ('```json\n{"a": 1, "b": 2}\n```', {"a": 1, "b": 2}, set(), True),
    ('Here you {go}: {"a": 1, "b": 2} I hope it helps.', {"a": 1, "b": 2}, set(), True),
    ('<think>{"a": 5}</think>{"a": 1, "b": 2}', {"a": 1, "b": 2}, set(), True),
    ('Maybe {"a": 5}?</think>{"a": 1}', {"a": 1}, set(), True),
    ('{"answers": {"1": "x", "2": "y"}}', {"1": "x", "2": "y"}, set(), True),
    ('{"result": {"answers": {"1": "x", "2": "y"}}}', {"1": "x", "2": "y"}, set(), True),
    ('[{"a": 1, "b": 2}]', {"a": 1, "b": 2}, set(), True),
    ('[{"id": "1", "answer": "x"}, {"id": 2, "answer": "y"}]', {"1": "x", "2": "y"}, set(), True),
    ('[{"id": "1", "answer": "x"}, {"id": 1, "answer": "y"}]', {}, {"1"}, True),
    ('[{"1": "x"}, {"2": "y"}]', {"1": "x", "2": "y"}, set(), True),
    ('{"answers": [{"id": "1", "answer": "x"}, {"id": "2", "answer": "y"}]}', {"1": "x", "2": "y"}, set(), True),
    ('{"1": "x"}\n{"2": "y"}', {"1": "x", "2": "y"}, set(), True),
    # loosely written
    ("{'a': 'it's fine', 'b': True}", {"a": "it's fine", "b": True}, set(), True),
    ('{a: None, b: "x",}', {"a": None, "b": "x"}, set(), True),
    ('{"a": "x", // first\n "b": "y" /* second */}', {"a": "x", "b": "y"}, set(), True),
    (
        '{# both\n"a": "x # not a note", "b": "http://y // no"}',
        {"a": "x # not a note", "b": "http://y // no"},
        set(),
        True,
    ),
    ('{"a": "one\ntwo", "b": "y"}', {"a": "one\ntwo", "b": "y"}, set(), True),
    ('{"a": "she said "no", and left", "b": "y"}', {"a": 'she said "no", and left', "b": "y"}, set(), True),
    ('{"a": "x"\n "b": "y"}', {"a": "x", "b": "y"}, set(), True),
    ('{"a": "x"; "b": "y"}', {"a": "x", "b": "y"}, set(), True),
    ("{“a”: “x”, “b”: “y”}", {"a": "x", "b": "y"}, set(), True),
    ('{"a": """x""", "b": plain words}', {"a": "x", "b": "plain words"}, set(), True),
    ('{1: "x", 2: ["y", "z",]}', {"1": "x", "2": ["y", "z"]}, set(), True),
    ('{"a": , "b": 2}', {"b": 2}, {"a"}, True),
    ('{"a": NaN, "b": 2,}', {"a": None, "b": 2}, set(), True),
    # cut off
    ('{"a": "x", "b": "y', {"a": "x"}, {"b"}, False),
    ('{"a": "x", "b": "y"', {"a": "x"}, {"b"}, False),
    ('{"a": "x", "b": "y",', {"a": "x"}, {"b"}, False),
    ('{"a": "x", "b":', {"a": "x"}, {"b"}, False),
    ('{"a": "x} and', {}, {"a"}, False),
    ('{"a": {"c": 1}', {}, {"a"}, False),
    ('{"a', {}, set(), False),
    ('```json\n{"a": "x", "b": "y\n```', {"a": "x"}, {"b"}, False),
    ("{'a': 'x', 'b': 'y", {"a": "x"}, {"b"}, False),
    ('{"a": 1, "b": 2, "a": 3', {"b": 2}, {"a"}, False),
    ('{"a": "she said "no", and', {}, {"a"}, False),
    ('{"answers": {"1": "x", "2": "y', {"1": "x"}, {"2"}, False),
    ('[{"id": "1", "answer": "x"}, {"id": "2", "answer": "y', {"1": "x"}, {"2"}, False),
    ('[{"1": "x"}, {"2": "y', {"1": "x"}, {"2"}, False),
    ('[{"1": "x"}, ', {"1": "x"}, set(), False),
    # nothing there
    ("", {}, set(), False),
    ("I cannot help.", {}, set(), False),
    ("5", {}, set(), False),
    ("[1, 2]", {}, set(), False),
    ('<think>Perhaps {"a": 1}', {}, set(), False),
]


@pytest.mark.parametrize(("text", "values", "doubtful", "whole"), OBJECTS)
def test_an_object_is_read_out_of_an_answer(text: str, values: dict[str, Any], doubtful: set[str], whole: bool) -> None:
    assert json_object(text) == (values, doubtful, whole)


@pytest.mark.parametrize(
    "text", ["{" * 200_000, '{"a":' * 40_000, "[" * 100_000 + "]" * 100_000, '{"a": ' + "(" * 5_000 + "}"]
)
def test_bottomless_nesting_is_nothing_found(text: str) -> None:
    values, _, _ = json_object(text)
    assert values == {}


def test_a_very_long_answer_is_read_as_far_as_it_is_cut() -> None:
    values = {f"key {number}": "word " * 50 for number in range(1_000)}
    read, doubtful, whole = json_object(json.dumps(values))
    assert not whole
    assert len(doubtful) == 1
    assert read.items() <= values.items()
    assert len(read) > 700


KEYS = st.text(min_size=1, max_size=12).map(str.strip).filter(bool)
VALUES = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="\"'{}[],: ab\\\n", max_size=20),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
SIMPLE = st.dictionaries(
    KEYS | st.text(alphabet="\"'{}[],:ab\\", min_size=1, max_size=8), VALUES, min_size=2, max_size=6
)
WRITTEN = st.sampled_from([{"ensure_ascii": False}, {"indent": 1}, {"separators": (",", ":")}])


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


@given(SIMPLE, WRITTEN)
@settings(max_examples=300, deadline=None)
def test_an_object_comes_back_as_it_was_written(values: dict[str, Any], style: dict[str, Any]) -> None:
    written = json.dumps(values, **style)
    for text in (
        written,
        f"```json\n{written}\n```",
        f"<think>hm</think>\n{written}",
        f"Here it is:\n{written}\nThat is all.",
    ):
        read, doubtful, whole = json_object(text)
        assert whole
        assert not doubtful
        assert read.keys() == values.keys()
        assert all(same(read[key], values[key]) for key in values)


@given(SIMPLE, WRITTEN)
@settings(max_examples=200, deadline=None)
def test_no_half_value_is_taken_for_a_whole_one(values: dict[str, Any], style: dict[str, Any]) -> None:
    written = json.dumps(values, **style)
    for end in range(len(written)):
        read, doubtful, whole = json_object(written[:end])
        assert not whole
        assert not read.keys() & doubtful
        assert all(key in values and same(value, values[key]) for key, value in read.items())


@given(st.lists(SIMPLE, min_size=2, max_size=3))
@settings(max_examples=100, deadline=None)
def test_no_half_value_is_taken_from_a_list(parts: list[dict[str, Any]]) -> None:
    numbered = [{f"{number} {key}": value for key, value in part.items()} for number, part in enumerate(parts)]
    values = {key: value for part in numbered for key, value in part.items()}
    written = json.dumps(numbered)
    assert json_object(written) == (values, set(), True)
    for end in range(len(written)):
        read, _, whole = json_object(written[:end])
        assert not whole
        assert all(same(value, values[key]) for key, value in read.items())


@given(st.text(max_size=200) | st.text(alphabet="{}[]\"'“”,:/*# \\\nab1", max_size=80))
@settings(max_examples=1000, deadline=None)
def test_no_text_whatever_breaks_the_reader(text: str) -> None:
    for answer in (text, "{" + text, '{"a": ' + text + "}"):
        values, doubtful, whole = json_object(answer)
        assert isinstance(values, dict)
        assert isinstance(doubtful, set)
        assert isinstance(whole, bool)
        assert not values.keys() & doubtful
