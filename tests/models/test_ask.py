"""Asking for the fields of a form: what is good is kept, what is not is asked again, and nothing is silently empty."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from deeppersona.errors import Malformed, Stopped, UsageError
from deeppersona.models import text as texts
from deeppersona.models.ask import TRIES, Answer, Fault, Form, ask, ask_for, ask_text, form_of, prose, read, words
from deeppersona.models.ask import Field as Asked
from deeppersona.models.openai import OpenAICompatible
from deeppersona.models.port import Completion, LanguageModel, Message, Prompt, Shape
from deeppersona.models.steady import Steady
from tests import servers
from tests.servers import FaultyServer

T = TypeVar("T")
Body = dict[str, Any]
SHAPES: tuple[Shape, ...] = ("schema", "json", "plain")
SPOILING = ("cut_json", "cut_length", "refusal", "garbage", "empty", "wrong_schema", "duplicate_keys", "prose_around")
FORM = Form((
    prose("1", "what she eats in the morning", 4, 9),
    prose("2", "a day she remembers", 20, 30, sentence=True),
    prose("3", "what stands on her shelf", 4, 9),
    prose("4", "whom she owes something", 5, 12),
))  # fmt: skip
GOOD = {
    "1": "two eggs and cold tea",
    "2": "The bus broke down by the mill, so she walked nine miles home, and her brother had already eaten the soup.",
    "3": "a tin of buttons, never opened",
    "4": "the landlord, since the flood in March",
}


def asking(form: Form = FORM, shape: Shape = "schema", seed: int = 0) -> Prompt:
    question = f"Answer as one JSON object with these keys.\n{form.lines}"
    return Prompt((Message("system", "You answer."), Message("user", question)), "test", 400, seed=seed, shape=shape)


def asked_of(url: str, work: Callable[[LanguageModel], Awaitable[T]], *, steady: bool = False) -> T:
    async def run() -> T:
        model: LanguageModel = OpenAICompatible("m", url)
        model = Steady(model, first_pause_s=0.01, attempts=20) if steady else model
        try:
            return await work(model)
        finally:
            await model.close()

    return asyncio.run(run())


class Says:
    """A server's script that answers the n-th request with the n-th line, the last one again and again; it keeps the bodies."""

    def __init__(self, *lines: Any) -> None:
        self.lines, self.bodies = lines, list[Body]()

    def __call__(self, body: Body) -> str:
        self.bodies.append(body)
        line = self.lines[min(len(self.bodies), len(self.lines)) - 1]
        return line if isinstance(line, str) else json.dumps(line)


# Good answers.


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_asked_for_and_read(shape: Shape) -> None:
    with FaultyServer(modes={shape, "plain"}) as server:
        answer = asked_of(server.url, lambda model: ask(model, asking(shape=shape), FORM))
        assert list(answer.values) == ["1", "2", "3", "4"]
        assert (answer.missing, answer.calls, server.requests) == ({}, 1, 1)
        for value, low, high in zip(answer.values.values(), (4, 20, 4, 5), (9, 30, 9, 12), strict=True):
            assert texts.fault(value, words=(low, high)) == ""
        assert json.loads(answer.said.removeprefix("```json\n").removesuffix("```")).keys() == answer.values.keys()


def test_the_schema_asks_for_just_the_fields() -> None:
    assert FORM.schema == {
        "type": "object", "properties": {k: {"type": "string"} for k in "1234"}, "required": list("1234"),
        "additionalProperties": False,
    }  # fmt: skip
    assert FORM.only({"2": "", "4": ""}).schema["required"] == ["2", "4"]
    assert FORM.lines.splitlines()[1].startswith("2. ")
    assert "(20 to 30 words)" in FORM.lines.splitlines()[1]


# Faulty ones.


def test_only_fields_at_fault_are_asked_again_and_good_ones_are_kept() -> None:
    says = Says(
        GOOD | {"2": "Too short.", "4": ["a", "list"]},
        {"1": "another breakfast, not asked for at all", "2": GOOD["2"], "4": "no"},
        {"4": GOOD["4"]},
    )
    with FaultyServer(script=says) as server:
        answer = asked_of(server.url, lambda model: ask(model, asking(seed=40), FORM))
    assert answer.values == GOOD
    assert (answer.missing, answer.calls) == ({}, 3)
    assert json.loads(answer.said) == GOOD
    first, second, third = says.bodies
    for body, fields in ((second, ["2", "4"]), (third, ["4"])):
        assert body["response_format"]["json_schema"]["schema"]["required"] == fields
        assert body["messages"][:2] == first["messages"]  # append-only, for the server's prefix cache
        assert [m["role"] for m in body["messages"][2:]] == ["assistant", "user"]
    assert json.loads(second["messages"][2]["content"]) == {k: GOOD[k] for k in "13"}
    again = second["messages"][3]["content"]
    assert "2 words, wanted 20 to 30" in again
    assert "a text was wanted" in again
    assert GOOD["1"] not in again
    assert [b["seed"] for b in says.bodies] == [40, 41, 42]  # else a cache would say the same again


@pytest.mark.parametrize("tries", [1, 2, TRIES])
def test_a_field_that_never_comes_right_is_missing_with_its_reason(tries: int) -> None:
    with FaultyServer(script=Says(GOOD | {"2": "Too short."})) as server:
        answer = asked_of(server.url, lambda model: ask(model, asking(), FORM, tries=tries))
        assert answer.values == {k: GOOD[k] for k in "134"}
        assert answer.missing == {"2": "2 words, wanted 20 to 30"}
        assert answer.calls == server.requests == tries
        assert json.loads(answer.said) == answer.values


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({k: GOOD[k] for k in "123"}, "not answered"),
        (GOOD | {"4": None}, "a text was wanted"),
        (GOOD | {"4": ""}, "empty"),
        (GOOD | {"4": "As an AI language model, I owe nobody anything."}, "a refusal"),
        (GOOD | {"4": "whom she owes something"}, "repeats what was asked"),
        (GOOD | {"4": "half a \ud83d of a smile for the landlord"}, "not language"),
        (json.dumps(GOOD)[:-1] + ', "4": "somebody else, since the drought"}', "given twice"),
        (json.dumps(GOOD)[:-20], "cut off"),
    ],
)
def test_the_reason_is_one_that_can_be_acted_on(said: Any, reason: str) -> None:
    with FaultyServer(script=Says(said, "{}")) as server:
        answer = asked_of(server.url, lambda model: ask(model, asking(), FORM, tries=1))
    assert answer.values == {k: GOOD[k] for k in "123"}
    assert reason in answer.missing["4"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", SPOILING)
def test_a_spoilt_answer_leaves_a_reason_and_never_a_bad_value(kind: str, shape: Shape) -> None:
    bodies: list[Body] = []

    def keep(body: Body) -> None:
        bodies.append(body)

    with FaultyServer(faults=1, kinds=[kind], persistent=True, script=keep) as server:
        for seed in range(0, 40, 10):
            answer = asked_of(server.url, lambda model, seed=seed: ask(model, asking(shape=shape, seed=seed), FORM))
            assert answer.values.keys() | answer.missing.keys() == set("1234")
            assert not answer.values.keys() & answer.missing.keys()
            assert all(answer.missing.values())
            if kind in ("refusal", "garbage", "empty", "wrong_schema"):
                assert answer.values == {}
                assert answer.calls == TRIES
            if kind == "prose_around":  # talk about the answer does no harm to it
                assert answer.missing == {}
            meant = [json.loads(servers.answer(b).removeprefix("```json\n").removesuffix("```")) for b in bodies]
            for key, value in answer.values.items():
                assert value in [said.get(key) for said in meant]  # whole, and as it was meant
            bodies.clear()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", SPOILING)
def test_asked_again_it_comes_right(kind: str, shape: Shape) -> None:
    with FaultyServer(faults=0.6, kinds=[kind], seed=5) as server:

        async def several(model: LanguageModel) -> list[Answer]:
            prompts = [asking(shape=shape, seed=100 * k) for k in range(6)]
            return await asyncio.gather(*(ask(model, prompt, FORM, tries=20) for prompt in prompts))

        answers = asked_of(server.url, several)
        assert [answer.missing for answer in answers] == [{}] * 6
        assert all(len(answer.values) == 4 for answer in answers)
        assert server.by_kind[kind] > 0
        if kind != "prose_around":
            assert server.requests > 6


def test_everything_at_once_and_still_nothing_is_lost_or_made_up() -> None:
    with FaultyServer(faults=0.4, kinds=[k for k in servers.KINDS if k not in ("slow_drip", "huge")], seed=8) as server:

        async def several(model: LanguageModel) -> list[Answer]:
            prompts = [asking(shape=SHAPES[k % 3], seed=100 * k) for k in range(60)]
            return await asyncio.gather(*(ask(model, prompt, FORM) for prompt in prompts))

        answers = asked_of(server.url, several, steady=True)
        whole = sum(not answer.missing for answer in answers)
        assert whole > 45
        for answer in answers:
            assert answer.values.keys() | answer.missing.keys() == set("1234")
            for f in FORM.fields:
                if f.key in answer.values:
                    assert f.check(answer.values[f.key]) == answer.values[f.key]


def test_a_server_that_does_not_answer_leaves_reasons_too() -> None:
    for kind, reason in (("error_500", "no answer"), ("not_json", "no completion"), ("reset", "no answer")):
        with FaultyServer(faults=1, kinds=[kind], persistent=True) as server:
            answer = asked_of(server.url, lambda model: ask(model, asking(), FORM))
            assert answer.values == {}
            assert answer.missing.keys() == set("1234")
            assert all(reason in why for why in answer.missing.values())
            assert "127.0.0.1" not in str(answer.missing)  # a record is no place for an address
    with FaultyServer(modes={"plain"}) as server:
        answer = asked_of(server.url, lambda model: ask(model, asking(), FORM))
        assert answer.missing["1"] == "the server refused the request"


def test_what_ends_a_run_is_not_swallowed() -> None:
    with FaultyServer(require_key="sk-none") as server, pytest.raises(UsageError, match="key"):
        asked_of(server.url, lambda model: ask(model, asking(), FORM))

    async def stopped(model: LanguageModel) -> Answer:
        assert isinstance(model, Steady)
        model.stop("enough")
        return await ask(model, asking(), FORM)

    with FaultyServer() as server, pytest.raises(Stopped, match="enough"):
        asked_of(server.url, stopped, steady=True)


# Reading.

NUMBER = Asked("n", "a number", {"type": "integer"}, int)
ANY = Asked("any", "anything", {}, lambda value: value)


@pytest.mark.parametrize("value", ["several", [1], None, {"a": 1}, "1e999", float("inf")])
def test_a_check_may_be_as_plain_as_int(value: Any) -> None:
    values, faults, _ = read(Completion(json.dumps({"n": value}).replace("Infinity", "1e999")), Form((NUMBER,)))
    assert values == {}
    assert faults["n"]


def test_values_that_cannot_be_written_down_are_no_values() -> None:
    for value in ("\ud83d", ["fine", {"\udc00": 1}]):
        values, faults, _ = read(Completion(json.dumps({"any": value})), Form((ANY,)))
        assert (values, faults) == ({}, {"any": "not language"})
    fine = {"any": ["\U0001f600", 10**30, 0.1, None, {"a": True}]}
    assert read(Completion(json.dumps(fine)), Form((ANY,)))[:2] == (fine, {})


def test_a_refusal_is_no_answer_whatever_it_holds() -> None:
    said = json.dumps(GOOD)
    for completion in (Completion(said, "content_filter"), Completion(said, refusal="I will not.")):
        values, faults, text = read(completion, FORM)
        assert (values, text) == ({}, "")
        assert faults == dict.fromkeys("1234", "a refusal")


@settings(max_examples=200, deadline=None)
@given(
    said=st.text(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["1", "2", "n", "any", "x"]), inner),
        max_leaves=12,
    ).map(json.dumps),
    end=st.none() | st.integers(0, 60),
    finish=st.sampled_from(["stop", "length", "content_filter"]),
)  # fmt: skip
def test_whatever_is_said_each_field_has_a_value_or_a_reason(said: str, end: int | None, finish: str) -> None:
    form = Form((*FORM.fields[:2], NUMBER, ANY))
    values, faults, _ = read(Completion(said[:end], finish), form)
    assert values.keys() | faults.keys() == {"1", "2", "n", "any"}
    assert not values.keys() & faults.keys()
    assert all(isinstance(why, str) and why for why in faults.values())


def test_a_check_of_words() -> None:
    check = words(3, 5)
    assert check("**Answer:** \u201cthree good words\u201d") == "three good words"
    for bad in (["a"], {"a": 1}, None, "", "one", "one two three four five six seven eight"):
        with pytest.raises(Fault):
            check(bad)


# Plain text.

QUESTION = Prompt((Message("user", "Tell of the town (40 to 60 words)."),), "test", 400)


def of_length(said: str) -> str:
    return texts.fault(said, words=(40, 60), sentence=True)


def test_a_text_is_asked_for() -> None:
    with FaultyServer() as server:
        text, reason = asked_of(server.url, lambda model: ask_text(model, QUESTION, of_length))
        assert of_length(text) == reason == ""
        assert server.requests == 1


@pytest.mark.parametrize("kind", ["cut_json", "cut_length", "refusal", "garbage", "empty", "error_500", "not_json"])
def test_a_spoilt_text_is_a_reason_and_no_text(kind: str) -> None:
    bodies: list[Body] = []

    def keep(body: Body) -> None:
        bodies.append(body)

    with FaultyServer(faults=1, kinds=[kind], persistent=True, script=keep) as server:
        for seed in range(0, 80, 10):
            prompt = replace(QUESTION, seed=seed)
            text, reason = asked_of(server.url, lambda model, prompt=prompt: ask_text(model, prompt, of_length))
            if kind == "cut_length" and text:  # the whole sentences of the last try, where they are enough
                assert of_length(text) == reason == ""
                assert servers.answer(bodies[-1]).startswith(text)
            elif text:
                assert kind == "cut_json"  # cut, as it happens, at the end of a sentence
                assert of_length(text) == reason == ""
            else:
                assert reason
                assert len(bodies) == TRIES
            bodies.clear()


@pytest.mark.parametrize("kind", ["cut_json", "cut_length", "refusal", "garbage", "empty", "error_500", "not_json"])
def test_a_text_asked_again_comes_right(kind: str) -> None:
    with FaultyServer(faults=0.6, kinds=[kind], seed=4) as server:

        async def several(model: LanguageModel) -> list[tuple[str, str]]:
            prompts = [replace(QUESTION, seed=100 * k) for k in range(8)]
            return await asyncio.gather(*(ask_text(model, prompt, of_length, tries=20) for prompt in prompts))

        for text, reason in asked_of(server.url, several):
            assert of_length(text) == reason == ""
        assert server.requests > 8


def test_the_next_try_is_told_what_was_wrong_and_given_room() -> None:
    says = Says("word " * 2000, "Too short.", "One, two. " * 5)
    with FaultyServer(script=says) as server:
        text, reason = asked_of(server.url, lambda model: ask_text(model, QUESTION, lambda said: "dull"))
    assert text == ""
    assert reason
    first, second, third = says.bodies
    assert [body["seed"] for body in says.bodies] == [0, 1, 2]
    assert second["max_tokens"] > first["max_tokens"] == third["max_tokens"]
    assert "too long" in second["messages"][-1]["content"]
    assert "dull" in third["messages"][-1]["content"]
    assert all(len(body["messages"]) == 1 for body in says.bodies)


def test_of_a_text_cut_off_for_good_there_is_never_nothing_without_a_reason() -> None:
    for said in ("word " * 2000, "I'm sorry, but I can't help with that. " + "word " * 2000):
        with FaultyServer(script=Says(said)) as server:
            found = asked_of(server.url, lambda model: ask_text(model, QUESTION, lambda _: ""))
        assert found[0] == ""
        assert found[1]


# Types.


class Mood(Enum):
    CALM = "calm"
    CROSS = "cross"


class Home(BaseModel):
    street: str = Field(min_length=3, max_length=30)
    rooms: int = Field(ge=1, le=9)


class Tenant(BaseModel):
    mood: Mood = Field(description="the mood she wakes in")
    home: Home = Field(description="where she lives")
    before: list[Home] = Field(min_length=1, max_length=2)
    age: int = Field(ge=18, le=30)
    by_name: dict[str, int] = Field(default_factory=dict)
    nickname: str | None = None


TENANT = {
    "mood": "cross", "home": {"street": "Mill Lane", "rooms": 2}, "before": [{"street": "Quay", "rooms": 1}], "age": 20,
    "by_name": {}, "nickname": None,
}  # fmt: skip


def asking_for(into: type[BaseModel]) -> Prompt:
    return asking(form_of(into))


def test_a_type_is_filled_by_a_server_that_holds_to_its_schema() -> None:
    with FaultyServer() as server:
        found = asked_of(server.url, lambda model: ask_for(model, asking_for(Tenant), Tenant))
        assert isinstance(found.mood, Mood)
        assert isinstance(found.before[0], Home)
        assert server.requests == 1


def test_the_schema_of_a_type_is_one_that_strict_servers_take() -> None:
    schema = form_of(Tenant).schema

    def held(part: Any) -> None:
        if isinstance(part, list):
            for inner in part:
                held(inner)
        if isinstance(part, dict):
            if "$ref" in part:
                assert part.keys() == {"$ref"}
                assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]
            if "properties" in part:
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
            for inner in part.values():
                held(inner)

    held(schema)
    assert schema["$defs"].keys() == {"Home", "Mood"}
    assert "the mood she wakes in" in form_of(Tenant).lines


def test_of_a_type_too_only_what_is_wrong_is_asked_again() -> None:
    says = Says(TENANT | {"age": 99}, {"age": 21})
    with FaultyServer(script=says) as server:
        found = asked_of(server.url, lambda model: ask_for(model, asking_for(Tenant), Tenant))
    assert found == Tenant.model_validate(TENANT | {"age": 21})
    assert json.loads(says.bodies[1]["messages"][-2]["content"]) == {k: v for k, v in TENANT.items() if k != "age"}
    assert "less than or equal to 30" in says.bodies[1]["messages"][-1]["content"]


@pytest.mark.parametrize(("field", "bad"), [("mood", "sleepy"), ("home", {"street": "Mill Lane"}), ("nickname", 7)])
def test_a_type_that_is_not_filled_names_its_fields_and_no_default_stands_in(field: str, bad: Any) -> None:
    with FaultyServer(script=Says(TENANT | {field: bad})) as server, pytest.raises(Malformed) as raised:
        asked_of(server.url, lambda model: ask_for(model, asking_for(Tenant), Tenant))
    assert f"openai:m did not fill Tenant: {field}: " in str(raised.value)


def test_what_only_echoes_the_question_is_no_answer() -> None:
    title = prose("1", "a title for that story.", 2, 8)
    assert title.check("A title for that story is 'The Long Way Home'.") == "The Long Way Home"
    tree = prose(
        "2",
        "finish: There is one tree he would mind losing: ...",
        2,
        16,
        begins="There is one tree he would mind losing: ",
    )
    assert tree.check("There is one tree he would mind losing: the one by the pump") == "the one by the pump"
    assert tree.check("the old mango") == "the old mango"
    with pytest.raises(Fault, match="repeats what was asked"):
        tree.check("he would mind losing")
    story = prose(
        "3", "the story of how a bell was rung eleven minutes early. Tell it as a scene.", 8, 40, sentence=True
    )
    with pytest.raises(Fault, match="begins by repeating"):
        story.check("The story of how a bell was rung eleven minutes early is a good one to tell.")
    assert story.check("Mercy held the rope and looked at the clock, which was right for once.")


def test_two_answers_that_say_much_the_same_are_one() -> None:
    form = Form(tuple(prose(str(k), f"story {k}", 8, 40, sentence=True) for k in (1, 2, 3)))
    one = "Mercy held the rope and looked at the clock, which was right for once."
    said = {"1": one, "2": f"In the end {one}", "3": "Nobody came to the second sale, so they ate the pears."}
    values, faults, _ = read(Completion(json.dumps(said)), form)
    assert set(values) == {"1", "3"}
    assert faults == {"2": "the same as 1"}
    phrase = Form((prose("1", "a habit", 2, 8), prose("2", "a story", 8, 40, sentence=True)))
    said = {"1": "looked at the clock", "2": one}
    assert read(Completion(json.dumps(said)), phrase)[1] == {}
