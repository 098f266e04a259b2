"""The wire: what is read of an answer, what each fault becomes, and that a key goes nowhere but to its own server."""

import asyncio
import gzip
import time
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from deeppersona.errors import DeepPersonaError, Malformed, NotSupported, RateLimited, Unreachable, UsageError
from deeppersona.models.journal import Journal, Journaled
from deeppersona.models.openai import HOSTED, OpenAICompatible
from deeppersona.models.port import Completion, Message, Prompt, Usage
from deeppersona.models.price import Purse
from deeppersona.models.spec import parse_roles
from deeppersona.study import make_plan, make_writing
from tests.servers import FaultyServer

KEY = "sk-very-secret-0123456789"
PROMPT = Prompt((Message("system", "You answer."), Message("user", "Tell me about the town.")), "test", 400)
SCHEMA = {"type": "object", "properties": {"1": {"type": "string"}}, "required": ["1"], "additionalProperties": False}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("DEEPPERSONA_API_KEY", raising=False)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server that does just one thing; its base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(url: str, **options: Any) -> AsyncIterator[OpenAICompatible]:
    model = OpenAICompatible("m", url, **options)
    try:
        yield model
    finally:
        await model.close()


def complete(url: str, prompt: Prompt = PROMPT, **options: Any) -> Completion:
    async def one() -> Completion:
        async with asking(url, **options) as model:
            return await model.complete(prompt)

    return asyncio.run(one())


def answered_by(handler: Handler, prompt: Prompt = PROMPT, **options: Any) -> Completion:
    async def one() -> Completion:
        async with serving(handler) as url, asking(url, **options) as model:
            return await model.complete(prompt)

    return asyncio.run(one())


def saying(body: Any, status: int = 200, **headers: str) -> Handler:
    """A handler that always says the same."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def say(_: web.Request) -> web.Response:
        return web.Response(body=content, status=status, headers={"Content-Type": "application/json"} | headers)

    return say


def choice(text: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]} | more


# What is read.


def test_a_completion_is_read() -> None:
    with FaultyServer() as server:
        found = complete(server.url)
        assert 40 <= len(found.text.split()) <= 60
        assert (found.finish, found.refusal) == ("stop", "")
        assert found.usage.tokens_in == -(-len("system\nYou answer.\nuser\nTell me about the town.\n") // 4)
        assert found.usage.tokens_out == -(-len(found.text) // 4)
        assert 0 < found.seconds < 10
        assert Completion.of_body(found.body()) == found


def test_cached_tokens_are_those_of_the_prefix() -> None:
    first = Prompt((Message("system", "x" * 1000), Message("user", "one?")), "test", 50)
    second = replace(first, messages=(first.messages[0], Message("user", "two?")))

    async def both(url: str) -> list[Usage]:
        async with asking(url) as model:
            return [(await model.complete(prompt)).usage for prompt in (first, second)]

    with FaultyServer() as server:
        assert [usage.cached for usage in asyncio.run(both(server.url))] == [0, 192]


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"usage": {"prompt_tokens": 30, "completion_tokens": 5, "prompt_cache_hit_tokens": 20}}, Usage(30, 20, 5)),
        ({"usage": {"prompt_tokens": 30, "completion_tokens": 5}, "timings": {"cache_n": 12}}, Usage(30, 12, 5)),
        ({"usage": {"prompt_tokens": 30, "completion_tokens": 5, "prompt_tokens_details": None}}, Usage(30, 0, 5)),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}}, Usage(3, 3, 5)),
        ({"usage": {"prompt_tokens": -30, "completion_tokens": -5}}, Usage(0, 0, 0)),
        ({}, Usage(8, 0, 2)),
        ({"usage": None}, Usage(8, 0, 2)),
    ],
)  # fmt: skip
def test_usage_as_the_server_counts_it_or_a_quarter_of_the_characters(usage: dict[str, Any], read: Usage) -> None:
    assert answered_by(saying(choice("nine char", **usage))).usage == read


def test_content_in_parts_a_refusal_and_a_finish_are_read() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert answered_by(saying(choice(parts))).text == "one two"
    message = {"content": None, "refusal": "No."}
    found = answered_by(saying({"choices": [{"message": message, "finish_reason": "content_filter"}]}))
    assert (found.text, found.refusal, found.finish) == ("", "No.", "content_filter")


def test_the_first_token_s_alternatives_are_read() -> None:
    with FaultyServer() as server:
        found = complete(server.url, replace(PROMPT, top_logprobs=5, max_tokens=2))
        assert len(found.top) == 5
        assert all(x < 0 for x in found.top.values())
        assert complete(server.url).top == {}


def test_what_is_sent() -> None:
    sent: list[dict[str, Any]] = []

    async def keep(request: web.Request) -> web.Response:
        sent.append(orjson.loads(await request.read()))
        return web.json_response(choice("yes"))

    answered_by(keep, replace(PROMPT, seed=2**40 + 5, temperature=0.25))
    answered_by(keep, replace(PROMPT, schema=SCHEMA, shape="schema"))
    answered_by(keep, replace(PROMPT, schema=SCHEMA, shape="json"))
    plain, strict, some = sent
    assert plain == {
        "model": "m", "messages": [{"role": m.role, "content": m.text} for m in PROMPT.messages], "max_tokens": 400,
        "temperature": 0.25, "seed": 5,
    }  # fmt: skip
    assert strict["response_format"]["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}
    assert some["response_format"] == {"type": "json_object"}


# What each fault becomes.


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("rate_limit", RateLimited, "429"),
        ("error_500", Unreachable, "500"),
        ("reset", Unreachable, ""),
        ("slow_drip", Unreachable, "no answer within 0.4 s"),
        ("huge", Malformed, "8,000,000 bytes"),
        ("not_json", Malformed, "no completion"),
    ],
)
def test_each_fault_is_the_right_error(kind: str, error: type[DeepPersonaError], says: str) -> None:
    with FaultyServer(faults=1, kinds=[kind], persistent=True) as server:
        began = time.perf_counter()
        with pytest.raises(error) as raised:
            complete(server.url, replace(PROMPT, max_tokens=10**8), timeout_s=0.4 if kind == "slow_drip" else 30)
        assert type(raised.value) is error
        assert says in str(raised.value)
        assert time.perf_counter() - began < 5
        if isinstance(raised.value, RateLimited):
            assert raised.value.after_s == 0.05


@pytest.mark.parametrize("kind", ["cut_json", "cut_length", "refusal", "garbage", "empty"])
def test_faults_of_content_are_completions_all_the_same(kind: str) -> None:
    with FaultyServer(faults=1, kinds=[kind]) as server:
        found = complete(server.url)
        assert found.finish == ("length" if kind == "cut_length" else "stop")


def test_nobody_listens() -> None:
    with FaultyServer() as server:
        pass
    with pytest.raises(Unreachable, match=f"127.0.0.1:{server.port}"):
        complete(server.url)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'"text"', b'{"choices": []}', b'{"choices": [{"message": null}]}', b'{"choices": {}}',
     b'{"choices": [{"message": {"content": [1]}}]}', b'{"error": {"message": "no"}}', b"\xff\xfe",
     b'{"choices": [{"message": {"content": "\\ud800"}}]}',
     orjson.dumps(choice("x", usage="many")), orjson.dumps(choice("x", usage={"prompt_tokens": "many"}))],
)  # fmt: skip
def test_what_is_no_completion_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        answered_by(saying(body))


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_left_early_and_costs_bounded_memory(packed: bool) -> None:
    """The length is not said, or it is that of a packed answer: 128 MB of it stay unread."""
    block, written = b'{"choices": ' + b" " * (1 << 18), 0
    bomb = gzip.compress(b" " * (64 << 20)) if packed else b""

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal written
        if packed:
            return web.Response(body=bomb, headers={"Content-Encoding": "gzip"}, content_type="application/json")
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(512):
            await response.write(block)
            written += len(block)
        return response

    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match="8,000,000 bytes"):
            answered_by(pour)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()
    assert written < 32 << 20


def test_an_answer_in_chunks_is_read_whole() -> None:
    whole = orjson.dumps(choice("one two three " * 3000))

    async def pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for start in range(0, len(whole), 1000):
            await response.write(whole[start : start + 1000])
        return response

    assert answered_by(pieces).text == "one two three " * 3000


def test_how_long_to_wait_is_a_number_or_a_date_and_nonsense_is_none() -> None:
    def after(header: str) -> float | None:
        with pytest.raises(RateLimited) as raised:
            answered_by(saying({"error": "slow"}, 429, Retry_After=header))
        return raised.value.after_s

    assert after("7") == 7.0
    assert after("0.25") == 0.25
    assert after("-3") == 0.0
    found = after(formatdate(time.time() + 60, usegmt=True))
    assert found is not None
    assert 50 < found <= 60
    assert after(formatdate(0, usegmt=True)) == 0.0
    for nonsense in ("soon", "nan", "inf", "1e999", "Thu, 99 Foo 9999 99:99:99 GMT"):
        assert after(nonsense) is None, nonsense


def test_a_503_that_says_when_is_patience_and_one_that_does_not_is_an_error() -> None:
    with pytest.raises(RateLimited) as raised:
        answered_by(saying({"error": "loading"}, 503, Retry_After="2"))
    assert raised.value.after_s == 2.0
    with pytest.raises(Unreachable, match="503: loading"):
        answered_by(saying({"error": "loading"}, 503))


@pytest.mark.parametrize(("status", "says"), [(402, "money"), (403, "forbids"), (404, "no such model"), (418, "418")])
def test_what_cannot_be_asked_again_is_a_usage_error(status: int, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        answered_by(saying({"error": {"message": "the words of the server"}}, status))
    assert "the words of the server" in str(raised.value)


def test_an_account_without_money_is_no_rate_limit() -> None:
    error = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
    with pytest.raises(UsageError, match="add money"):
        answered_by(saying(error, 429))


def test_a_shape_that_is_refused_is_not_supported() -> None:
    with FaultyServer(modes={"plain"}) as server:
        for shape in ("schema", "json"):
            with pytest.raises(NotSupported, match="response_format"):
                complete(server.url, replace(PROMPT, schema=SCHEMA, shape=shape))
        assert complete(server.url).text


# Servers that do not know a parameter.


def picky(*refused: str) -> tuple[Handler, list[dict[str, Any]]]:
    """A server that refuses some parameters, one a request, in the hosted service's words; the bodies it took."""
    taken: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        await asyncio.sleep(0.01)
        if found := next((name for name in refused if name in body), None):
            said = f"Unsupported parameter: '{found}' is not supported with this model."
            if found == "max_tokens":
                said += " Use 'max_completion_tokens' instead."
            return web.json_response({"error": {"message": said, "param": found}}, status=400)
        taken.append(body)
        return web.json_response(choice("yes"))

    return answer, taken


@pytest.mark.parametrize("refused", [["max_tokens"], ["temperature"], ["seed"], ["max_tokens", "temperature", "seed"]])
def test_a_parameter_refused_by_name_is_left_out_from_then_on(refused: list[str]) -> None:
    handler, taken = picky(*refused)

    async def several() -> None:
        async with serving(handler) as url, asking(url) as model:
            # all at once: each has to find out, or to hear of it in time
            await asyncio.gather(*(model.complete(replace(PROMPT, seed=seed)) for seed in range(12)))
            assert len(taken) == 12
            await model.complete(PROMPT)

    asyncio.run(several())
    assert not set(refused) & set(taken[-1])
    assert taken[-1].get("max_completion_tokens" if "max_tokens" in refused else "max_tokens") == 400


def test_a_request_refused_whatever_is_left_out_is_not_asked_for_ever() -> None:
    asked = 0

    async def never(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        said = "max_tokens, temperature, seed and top_logprobs are all wrong, and so are you"
        return web.json_response({"error": {"message": said}}, status=400)

    with pytest.raises(NotSupported, match="so are you"):
        answered_by(never)
    assert asked <= 5


# Keys.


def test_a_key_that_is_not_accepted_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", "sk-another-0000000000")
    with FaultyServer(require_key=KEY) as server, pytest.raises(UsageError, match="DEEPPERSONA_API_KEY") as raised:
        complete(server.url)
    assert raised.value.exit_code == 2
    assert "sk-another" not in str(raised.value)


def test_a_key_given_for_a_named_server_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", f" {KEY}\n")  # as `export KEY="$(cat file)"` and copying leave it
    with FaultyServer(require_key=KEY) as server:
        assert complete(server.url).text
        assert server.rejected["key"] == 0


def test_the_key_of_the_hosted_service_is_never_sent_to_a_named_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    seen: list[str] = []

    async def keep(request: web.Request) -> web.Response:
        seen.append(repr((request.path_qs, list(request.headers.items()), await request.read())))
        return web.json_response(choice("yes"))

    answered_by(keep)
    monkeypatch.setenv("DEEPPERSONA_API_KEY", "sk-mine-1111111111")
    answered_by(keep)
    assert len(seen) == 2
    assert all(KEY not in one for one in seen)
    assert "Authorization" not in seen[0]
    assert "Bearer sk-mine-1111111111" in seen[1]


def test_the_hosted_service_needs_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", KEY)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        OpenAICompatible("m")
    monkeypatch.setenv("OPENAI_API_KEY", " \n")
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        OpenAICompatible("m")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert OpenAICompatible("m").url == HOSTED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", KEY)
    elsewhere: list[str] = []

    async def thief(request: web.Request) -> web.Response:
        elsewhere.append(repr(list(request.headers.items())))
        return web.json_response(choice("thanks"))

    async def go() -> None:
        async with serving(thief) as there:
            moved = saying(b"", status, Location=f"{there}/chat/completions")
            async with serving(moved) as here, asking(here) as model:
                await model.complete(PROMPT)

    with pytest.raises(UsageError, match=str(status)):
        asyncio.run(go())
    assert elsewhere == []


@pytest.mark.parametrize("status", [200, 400, 401, 418, 429, 500])
def test_no_error_repeats_a_key_that_the_server_repeats(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", KEY)

    async def echo(request: web.Request) -> web.Response:
        said = f"Incorrect API key provided: {request.headers['Authorization']}"
        return web.json_response({"error": {"message": said}}, status=status)

    with pytest.raises(DeepPersonaError) as raised:
        answered_by(echo)
    assert "Incorrect API key" in str(raised.value)
    assert KEY not in "".join(traceback.format_exception(raised.value)) + repr(raised.value)


def test_a_key_is_in_no_name_plan_or_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", KEY)
    with FaultyServer(require_key=KEY) as server:
        roles = parse_roles([f"openai:m@{server.url}"])
        plan = make_plan(2, "KE", writing=make_writing(roles))
        assert plan.writing is not None
        assert plan.writing.writer == "openai:m"  # nor is the address, which may hold one
        model = OpenAICompatible("m", server.url)
        journal = Journal(tmp_path / "run.sqlite")

        async def once() -> None:
            await Journaled(model, journal, Purse()).complete(PROMPT)
            await model.close()

        asyncio.run(once())
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        journal.close()
        assert b"openai:m" in kept
        everything = kept.decode("latin-1") + plan.model_dump_json() + repr((model, model.name, roles))
        assert KEY not in everything
