"""Models as named on the command line: read, priced, opened; what a server can do is found out once; the double obeys."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deeppersona.errors import DeepPersonaError, ModelError, Stopped, Unreachable, UsageError
from deeppersona.models import text as texts
from deeppersona.models.ask import Form, ask, ask_for, form_of, prose
from deeppersona.models.capability import Capability, best_shape, probe
from deeppersona.models.journal import Journal
from deeppersona.models.openai import OpenAICompatible
from deeppersona.models.port import Completion, Message, Prompt, Usage
from deeppersona.models.price import FREE, Price, shipped_prices
from deeppersona.models.scripted import Scripted
from deeppersona.models.spec import Open, Spec, Traffic, opened, parse_roles, parse_spec, price_of
from tests.models.test_ask import TENANT, Tenant, asking_for
from tests.servers import FaultyServer

T = TypeVar("T")
Body = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("DEEPPERSONA_API_KEY", raising=False)


def prompt(text: str = "Tell me about the town.", **more: Any) -> Prompt:
    return Prompt((Message("user", text),), "test", 400, **more)


# Specifications.


@pytest.mark.parametrize(
    ("text", "spec", "name"),
    [
        ("openai:gpt-4.1-mini", Spec("openai", "gpt-4.1-mini"), "openai:gpt-4.1-mini"),
        ("openai:a/b:c@http://host:8000/v1", Spec("openai", "a/b:c", "http://host:8000/v1"), "openai:a/b:c"),
        ("openai:m@https://host/v1", Spec("openai", "m", "https://host/v1"), "openai:m"),
        ("local:/models/small.gguf", Spec("local", "/models/small.gguf"), "local:small.gguf"),
        ("local:/a=b/small.gguf", Spec("local", "/a=b/small.gguf"), "local:small.gguf"),
        ("scripted:", Spec("scripted", ""), "scripted:"),
        ("scripted:/here/lines.json", Spec("scripted", "/here/lines.json"), "scripted:lines.json"),
    ],
)
def test_a_specification_is_read_and_named_without_its_place(text: str, spec: Spec, name: str) -> None:
    assert parse_spec(text) == spec
    assert parse_spec(text).name == name
    assert parse_roles([text]) == {"writer": spec}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "openai:NAME"),
        ("gpt-4.1", "openai:NAME"),
        ("opnai:m", "did you mean openai?"),
        ("lokal:/m.gguf", "did you mean local?"),
        ("script:", "did you mean scripted?"),
        ("anthropic:m", "valid are openai, local, scripted"),
        ("openai:", "a name is missing"),
        ("openai:@http://host/v1", "a name is missing"),
        ("openai:m@host/v1", "begins with http:// or https://"),
        ("openai:m@ftp://host/v1", "begins with http:// or https://"),
        ("local:", "needs a file"),
    ],
)
def test_what_is_no_specification_is_said_with_the_nearest(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_spec(text)
    assert says in str(raised.value)


@pytest.mark.parametrize("text", ["openai:m@https://me:sk-secret@host/v1", "openai:m@me:sk-secret@host/v1"])
def test_a_key_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="DEEPPERSONA_API_KEY") as raised:
        parse_roles([text])
    assert "sk-secret" not in str(raised.value)


def test_roles_are_read() -> None:
    found = parse_roles(["judge=openai:j@http://host/v1", "openai:w", "actor=scripted:"])
    assert {role: spec.name for role, spec in found.items()} == {
        "judge": "openai:j", "writer": "openai:w", "actor": "scripted:",
    }  # fmt: skip
    assert parse_roles(["writer=openai:w"]) == parse_roles(["openai:w"])
    assert parse_roles([]) == {}


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["openai:a", "writer=openai:b"], "the writer is named twice"),
        (["judge=openai:a", "judge=openai:a"], "the judge is named twice"),
        (["jugde=openai:a"], "unknown role 'jugde'; did you mean judge?"),
        (["boss=openai:a"], "valid are writer, judge, actor"),
        (["judge="], "openai:NAME"),
    ],
)
def test_what_is_no_role_is_said_with_the_nearest(texts: list[str], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_roles(texts)
    assert says in str(raised.value)


def test_prices_are_those_told_else_nothing_for_one_s_own_else_the_list_s() -> None:
    told = Price(1, 1, 2)
    hosted, own, unheard = Spec("openai", "gpt-4.1"), Spec("openai", "gpt-4.1", "http://host/v1"), Spec("openai", "new")
    assert price_of(hosted, Traffic(price=told)) == price_of(own, Traffic(price=told)) == told
    assert price_of(hosted, Traffic()) == shipped_prices()["gpt-4.1"]
    assert price_of(own, Traffic()) == price_of(Spec("scripted", ""), Traffic()) == FREE
    assert price_of(unheard, Traffic()) is None
    # another's server may well take money, and how much is not on the list of the hosted service
    for url in ("https://paid.example/v1", "https://8.8.8.8/v1"):
        assert price_of(Spec("openai", "gpt-4.1", url), Traffic()) is None
    for url in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000/v1", "http://10.1.2.3/v1"):
        assert price_of(Spec("openai", "gpt-4.1", url), Traffic()) == FREE


# Opened.


def opened_for(
    specs: list[str], work: Callable[[Open], Awaitable[T]], journal: Journal | None = None, **traffic: Any
) -> T:  # fmt: skip
    async def run() -> T:
        async with opened(parse_roles(specs), journal or Journal(), Traffic(**traffic), "You answer.") as models:
            return await work(models)

    return asyncio.run(run())


async def shapes(models: Open) -> Mapping[str, str]:
    return dict(models.shapes)


def obliging(body: Body) -> str | None:
    """Answers the question of what shape works, in every shape."""
    return '{"1": "red", "2": 4}' if "Name a colour" in body["messages"][-1]["content"] else None


@pytest.mark.parametrize(
    ("modes", "shape"), [({"schema", "json", "plain"}, "schema"), ({"json", "plain"}, "json"), ({"plain"}, "plain")]
)
def test_the_strictest_shape_that_works_is_found_once_and_noted(modes: set[str], shape: str) -> None:
    journal = Journal()
    with FaultyServer(modes=modes, script=obliging) as server:
        spec = [f"openai:m@{server.url}"]
        assert opened_for(spec, shapes, journal) == {"writer": shape}
        asked = server.requests
        assert opened_for(spec, shapes, journal) == {"writer": shape}
        assert server.requests == asked == {"schema": 1, "json": 2, "plain": 3}[shape]
        assert journal.note("shape of openai:m") == shape
        assert opened_for(spec, shapes) == {"writer": shape}  # another run finds out for itself
        assert server.requests == 2 * asked


@pytest.mark.parametrize("kind", ["wrong_schema", "garbage", "refusal", "empty", "cut_length"])
def test_a_server_that_talks_nonsense_is_asked_plainly(kind: str) -> None:
    with FaultyServer(faults=1, kinds=[kind], persistent=True) as server:

        async def run() -> str:
            model = OpenAICompatible("m", server.url)
            try:
                return await best_shape(model)
            finally:
                await model.close()

        assert asyncio.run(run()) == "plain"


def test_a_server_that_gives_nothing_usable_is_an_error() -> None:
    for kind, error in (("not_json", ModelError), ("rate_limit", ModelError), ("error_500", Unreachable)):
        with FaultyServer(faults=1, kinds=[kind], persistent=True) as server:

            async def run(check: Callable[[OpenAICompatible], Awaitable[object]], url: str = server.url) -> None:
                model = OpenAICompatible("m", url)
                try:
                    await check(model)
                finally:
                    await model.close()

            with pytest.raises(error):
                asyncio.run(run(best_shape))
            with pytest.raises(error):
                asyncio.run(run(probe))
            if kind != "rate_limit":  # which is waited out: the server says that it will answer
                with pytest.raises(Stopped, match="does not answer"):
                    opened_for([f"openai:m@{server.url}"], shapes)


def test_the_question_shares_the_prefix_of_the_run() -> None:
    bodies: list[Body] = []

    def keep(body: Body) -> str | None:
        bodies.append(body)
        return obliging(body)

    with FaultyServer(script=keep) as server:
        opened_for([f"openai:m@{server.url}"], shapes)
    assert bodies[0]["messages"][0] == {"role": "system", "content": "You answer."}


def test_roles_share_a_model_and_its_journal() -> None:
    with FaultyServer(script=obliging) as server, FaultyServer(script=obliging) as other:

        async def work(models: Open) -> None:
            assert models.models["writer"] is models.models["actor"]
            assert models.models["judge"] is not models.models["writer"]
            before = models.usage()
            for role in ("writer", "actor", "judge"):
                await models.models[role].complete(prompt())
            assert models.models["writer"].remembered == 1
            size = -(-len("user\nTell me about the town.\n") // 4)
            assert models.usage().tokens_in - before.tokens_in == 2 * size
            assert models.in_flight() == 0
            assert models.counts() == {"requests": 4}
            models.stop("enough")
            for role in ("writer", "judge"):
                with pytest.raises(Stopped, match="enough"):
                    await models.models[role].complete(prompt("another"))

        specs = [f"openai:m@{server.url}", f"actor=openai:m@{server.url}", f"judge=openai:j@{other.url}"]
        opened_for(specs, work)
        assert (server.requests, other.requests) == (2, 2)


def test_a_budget_needs_a_price_and_goes_on_from_what_was_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no price is known for openai:new.*--price IN/OUT"):
        opened_for(["openai:new"], shapes, budget=1.0)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        opened_for(["openai:gpt-4.1"], shapes, budget=1.0)

    async def spend(models: Open) -> float:
        await models.models["writer"].complete(prompt())
        return models.purse.spent

    with FaultyServer(script=obliging) as server:
        spec, journal, price = [f"openai:m@{server.url}"], Journal(), Price(1000, 1000, 1000)
        spent = opened_for(spec, spend, journal, price=price, budget=5.0)
        assert 0 < spent == pytest.approx(journal.spent())
        assert opened_for(spec, spend, journal, price=price, budget=5.0) == pytest.approx(spent)

        async def more(models: Open) -> None:
            await models.models["writer"].complete(prompt("another"))

        with pytest.raises(Stopped, match=f"{spent:.2f} so far"):
            opened_for(spec, more, journal, price=price, budget=spent + 0.01)


def test_traffic_reaches_the_wire() -> None:
    with FaultyServer(latency=0.01, script=obliging) as server:

        async def many(models: Open) -> None:
            await asyncio.gather(*(models.models["writer"].complete(prompt(str(k))) for k in range(20)))

        opened_for([f"openai:m@{server.url}"], many, concurrency=3)
        assert server.max_in_flight == 3


def test_a_model_is_closed_though_another_cannot_be_opened(tmp_path: Path) -> None:
    for bad in (f"judge=local:{tmp_path}/none.gguf", f"judge=scripted:{tmp_path}/none.json"):
        with pytest.raises(UsageError, match="none"):
            opened_for(["scripted:", bad], shapes)


def test_all_of_what_a_server_can_do() -> None:
    async def found(url: str) -> Capability:
        model = OpenAICompatible("m", url)
        try:
            return await probe(model)
        finally:
            await model.close()

    with FaultyServer(script=obliging, latency=0.01) as server:
        all_of_it = asyncio.run(found(server.url))
        assert server.requests == 5
    assert (all_of_it.model, all_of_it.shape, all_of_it.logprobs) == ("openai:m", "schema", True)
    assert all_of_it.works == {"schema": "", "json": "", "plain": ""}
    assert all_of_it.tokens_per_s > 0 < all_of_it.latency_s
    assert json.loads(json.dumps(all_of_it.as_dict()))["shape"] == "schema"
    with FaultyServer(modes={"plain"}, script=obliging) as server:
        some = asyncio.run(found(server.url))
    assert some.shape == "plain"
    assert "response_format" in some.works["schema"]
    with pytest.raises(DeepPersonaError):
        asyncio.run(found(server.url))


# The double.


def said(prompt: Prompt, model: Scripted | None = None) -> Completion:
    return asyncio.run((model or Scripted()).complete(prompt))


def test_the_double_says_the_same_to_the_same_whatever_else_is_asked() -> None:
    prompts = [prompt(f"Tell me of town {k} (30 to 50 words).", seed=k % 3) for k in range(12)]
    first = {p: said(p) for p in prompts}

    async def at_once() -> list[Completion]:
        model = Scripted()
        return await asyncio.gather(*(model.complete(p) for p in reversed(prompts)))

    assert asyncio.run(at_once()) == [first[p] for p in reversed(prompts)]
    assert len({completion.text for completion in first.values()}) == 12
    assert said(replace(prompts[0], seed=9)).text != first[prompts[0]].text
    assert said(replace(prompts[0], temperature=0.1)).text != first[prompts[0]].text
    assert first[prompts[0]].usage.tokens_in > 0


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 400), st.integers(0, 60), st.integers(0, 10**6))
def test_the_double_writes_the_length_asked_for(low: int, more: int, seed: int) -> None:
    high = low + more
    text = said(prompt(f"Tell of the town ({low} to {high} words).", seed=seed)).text
    assert texts.fault(text, words=(low, high)) == ""
    named = said(prompt(f"Name: Ana Maria Silva\nTell of her ({low + 20} to {high + 20} words).", seed=seed)).text
    assert named.startswith("Ana Maria Silva")
    assert texts.fault(named, words=(low + 20, high + 20), sentence=True) == ""


def test_the_double_fills_any_form() -> None:
    form = Form((prose("1", "what she eats", 4, 9), prose("2", "a day she remembers", 20, 30, sentence=True)))
    answer = asyncio.run(ask(Scripted(), prompt(f"As JSON:\n{form.lines}", shape="schema"), form))
    assert answer.missing == {}
    assert answer.calls == 1
    tenant = asyncio.run(ask_for(Scripted(), asking_for(Tenant), Tenant, tries=1))
    assert Tenant.model_validate_json(tenant.model_dump_json()) == tenant
    assert form_of(Tenant).schema["required"] == list(TENANT)


def bounded(draw: Any, numbers: st.SearchStrategy[Any], names: tuple[str, str]) -> dict[str, Any]:
    one, other = draw(st.tuples(numbers, numbers))
    bounds = {names[0]: min(one, other), names[1]: max(one, other)}
    return {name: bounds[name] for name in names if draw(st.booleans())}


@st.composite
def leaves(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["enum", "const", "integer", "number", "boolean", "null", "string", "$ref"]))
    if kind == "enum":
        return {"enum": draw(st.lists(st.text(max_size=4) | st.integers(), min_size=1, max_size=4))}
    if kind == "const":
        return {"const": draw(st.text(max_size=3) | st.integers())}
    if kind == "$ref":
        return {"$ref": "#/$defs/Shared"}
    numbers = {"integer": st.integers(-50, 50), "number": st.floats(-50, 50), "string": st.integers(0, 30)}
    names = ("minLength", "maxLength") if kind == "string" else ("minimum", "maximum")
    return {"type": kind} | (bounded(draw, numbers[kind], names) if kind in numbers else {})


@st.composite
def branches(draw: Any, inner: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["array", "object", "anyOf"]))
    if kind == "anyOf":
        return {"anyOf": draw(st.lists(inner, min_size=1, max_size=2))}
    if kind == "array":
        return {"type": "array", "items": draw(inner)} | bounded(draw, st.integers(0, 5), ("minItems", "maxItems"))
    return {"type": "object", "properties": draw(st.dictionaries(st.text(max_size=3), inner, max_size=3))}


SHARED = {"type": "object", "properties": {"kept": {"type": "integer", "minimum": 18}}}


def obeys(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of a schema, for what of JSON schema the double knows."""
    if "$ref" in schema:
        schema = SHARED
    if "anyOf" in schema:
        return any(obeys(value, one) for one in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in ([schema["const"]] if "const" in schema else schema["enum"])
    kind = schema["type"]
    types = {"integer": int, "number": int | float, "boolean": bool, "null": type(None), "string": str, "array": list}
    if not isinstance(value, types.get(kind, dict)) or (isinstance(value, bool) and kind != "boolean"):
        return False
    if kind in ("integer", "number"):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if kind == "string":
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if kind == "array":
        fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return fits and all(obeys(one, schema["items"]) for one in value)
    if kind == "object":
        inner = schema["properties"]
        return bool(value.keys() == inner.keys() and all(obeys(value[key], inner[key]) for key in inner))
    return True


@example({"a": {"type": "array", "items": {"enum": ["b", "c", "d", "e"]}, "minItems": 4}}, 0)
@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), st.recursive(leaves(), branches, max_leaves=6), max_size=4), st.integers(0, 9)
)
def test_the_double_obeys_schemas(properties: dict[str, Any], seed: int) -> None:
    schema = {"type": "object", "properties": properties, "$defs": {"Shared": SHARED}}
    value = json.loads(said(prompt("As JSON, please.", schema=schema, shape="schema", seed=seed)).text)
    assert obeys(value, {"type": "object", "properties": properties})


def test_a_script_is_said_first(tmp_path: Path) -> None:
    script = tmp_path / "lines.json"
    lines = [{"when": "town", "say": "A small one."}, {"when": "small town", "say": "Never reached."}]
    script.write_text(json.dumps(lines), "utf-8")
    model = Scripted(script)
    assert model.name == "scripted:lines.json"
    assert said(prompt("Tell me of the small town."), model).text == "A small one."
    assert said(prompt("Tell me of the city."), model).text != "A small one."
    assert (
        said(prompt("The town?").then("Which town?", "The other."), model).text != "A small one."
    )  # the last turn counts
    assert model.asked == 3
    models = opened_for([f"scripted:{script}"], shapes)
    assert models == {"writer": "schema"}


@pytest.mark.parametrize(
    "content", ["", "{", "{}x", '{"when": "a", "say": "b"}', '[{"when": "a"}]', "[1]", "3", '[{"when": 1, "say": "b"}]']
)
def test_what_is_no_script_is_said(content: str, tmp_path: Path) -> None:
    script = tmp_path / "lines.json"
    script.write_text(content, "utf-8")
    with pytest.raises(UsageError, match=r"lines\.json is no list of"):
        Scripted(script)
    with pytest.raises(UsageError, match="none"):
        Scripted(tmp_path / "none.json")


def test_the_double_s_alternatives_are_told() -> None:
    assert said(prompt("A or B?", top_logprobs=5)).top.keys() == {"A", "B"}
    assert said(prompt("A or B?")).top == {}
    assert Counter(said(prompt("A or B?")).usage for _ in range(3)) == {
        Usage(1, 0, said(prompt("A or B?")).usage.tokens_out): 3
    }
