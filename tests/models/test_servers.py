"""The fault-injecting server does what it says, seen through a raw HTTP client."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tests.servers import KINDS, REFUSAL, FaultyServer

Body = dict[str, Any]
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 20, "maxLength": 60},
        "story": {"type": "string", "description": "A day told plainly (60 to 80 words)"},
        "note": {"type": "string"},
        "mood": {"type": "string", "enum": ["calm", "cross", "glad"]},
        "age": {"type": "integer", "minimum": 18, "maximum": 19},
        "share": {"type": "number", "minimum": 0.25, "maximum": 0.5},
        "moved": {"type": "boolean"},
        "tags": {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "string", "enum": ["a", "b", "c"]}},
        "home": {"$ref": "#/$defs/home"},
    },
    "$defs": {"home": {"type": "object", "properties": {"street": {"type": "string", "maxLength": 30}}}},
}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
AS_OBJECT = {"type": "json_object"}
LINES = "Reply with a JSON object.\n12. what she eats\n13. a memory (30 to 40 words)\n14. what she keeps"


def body(text: str = "Tell me about the town.", **more: Any) -> Body:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def asked(server: FaultyServer, *bodies: Body, **headers: str) -> list[tuple[int, Any, Any]]:
    """Status, headers and JSON (or text) of each body's answer, one after another on one connection."""

    async def ask() -> list[tuple[int, Any, Any]]:
        out: list[tuple[int, Any, Any]] = []
        async with aiohttp.ClientSession(headers=headers) as session:
            for one in bodies:
                async with session.post(f"{server.url}/chat/completions", json=one) as answer:
                    raw = await answer.text()
                    of_json = answer.content_type == "application/json"
                    out.append((answer.status, answer.headers, json.loads(raw) if of_json else raw))
        return out

    return asyncio.run(ask())


def content(server: FaultyServer, one: Body) -> Any:
    ((status, _, answer),) = asked(server, one)
    assert status == 200
    return answer["choices"][0]["message"]["content"]


def words(text: str) -> int:
    return len(text.split())


def test_an_answer_obeys_the_schema() -> None:
    with FaultyServer() as server:
        for i in range(5):
            found = json.loads(content(server, body(f"{i}\nnote (9 to 11 words)", response_format=AS_SCHEMA)))
            assert list(found) == list(SCHEMA["properties"])
            assert 20 <= len(found["title"]) <= 60
            assert found["title"].endswith(".")
            assert 60 <= words(found["story"]) <= 80
            assert 9 <= words(found["note"]) <= 11
            assert found["mood"] in {"calm", "cross", "glad"}
            assert found["age"] in {18, 19}
            assert 0.25 <= found["share"] <= 0.5
            assert isinstance(found["moved"], bool)
            assert len(set(found["tags"])) == len(found["tags"]) in {2, 3}
            assert 1 <= len(found["home"]["street"]) <= 30


def test_numbered_lines_name_the_keys() -> None:
    with FaultyServer() as server:
        found = json.loads(content(server, body(LINES, response_format=AS_OBJECT)))
        assert list(found) == ["12", "13", "14"]
        assert 4 <= words(found["12"]) <= 10
        assert 30 <= words(found["13"]) <= 40
        fenced = content(server, body(LINES))
        assert fenced.startswith("```json\n")
        assert fenced.endswith("\n```")
        assert list(json.loads(fenced[8:-4])) == ["12", "13", "14"]


def test_prose_has_the_length_and_the_name_asked_for() -> None:
    with FaultyServer() as server:
        assert 40 <= words(content(server, body())) <= 60
        text = content(server, body("Name: María Ortiz Gómez\nWrite about her (300 to 320 words)."))
        assert 300 <= words(text) <= 320
        assert "María Ortiz Gómez" in text.split(". ")[0]
        assert text.count("María") > 1
        assert all(50 <= words(p) <= 90 for p in text.split("\n\n")[:-1])
        sentences = re.split(r"(?<=\.)\s+", text)
        assert all(7 <= words(s) <= 16 for s in sentences)
        assert len(set(sentences)) == len(sentences)


def test_the_same_request_is_given_the_same_text_and_another_is_not() -> None:
    with FaultyServer(seed=1) as server, FaultyServer(seed=2) as other:
        assert content(server, body()) == content(server, body()) == content(other, body())
        variants = (body(), body(temperature=0.5), body(seed=3), body("Another town?"), body(LINES))
        assert len({content(server, v) for v in variants}) == len(variants)
    with FaultyServer(script=lambda b: "B" if b.get("logprobs") else None) as server:
        assert content(server, body(logprobs=True)) == "B"
        assert words(content(server, body())) >= 40


def test_usage_counts_tokens_and_the_cached_prefix() -> None:
    long = [{"role": "system", "content": "x" * 1000}]
    with FaultyServer() as server:
        first, second, other = (
            {"messages": [*long, {"role": "user", "content": f"{i}?"}]} for i in ("one", "two", "three")
        )
        other["messages"][0] = {"role": "system", "content": "y" + "x" * 999}
        used = [a["usage"] for _, _, a in asked(server, first, second, other)]
        assert [u["prompt_tokens_details"]["cached_tokens"] for u in used] == [0, 192, 0]
        assert all(250 <= u["prompt_tokens"] <= 256 for u in used)
        text = content(server, first)
        assert used[0]["completion_tokens"] == -(-len(text) // 4)


def test_max_tokens_cuts() -> None:
    with FaultyServer() as server:
        whole = content(server, body())
        ((_, _, cut),) = asked(server, body(max_tokens=10))
        assert cut["choices"][0]["finish_reason"] == "length"
        assert cut["choices"][0]["message"]["content"] == whole[:40]
        assert cut["usage"]["completion_tokens"] == 10
        ((_, _, enough),) = asked(server, body(max_tokens=500))
        assert enough["choices"][0]["finish_reason"] == "stop"


def test_logprobs_of_the_first_token() -> None:
    with FaultyServer(script=lambda _: "B") as server:
        ((_, _, answer),) = asked(server, body(logprobs=True, top_logprobs=5))
        (first,) = answer["choices"][0]["logprobs"]["content"]
        assert [t["token"] for t in first["top_logprobs"]] == ["B", "A", "C", "D", "E"]
        chances = [t["logprob"] for t in first["top_logprobs"]]
        assert chances == sorted(chances, reverse=True)
        assert chances[0] < 0


def test_what_is_not_let_in() -> None:
    with FaultyServer(modes={"json"}, require_key="secret") as server:
        key = {"Authorization": "Bearer secret"}
        assert asked(server, body())[0][0] == 401
        ((status, _, answer),) = asked(server, body(response_format=AS_SCHEMA), **key)
        assert status == 400
        assert answer["error"]["param"] == "response_format"
        assert asked(server, body(), **key)[0][0] == 400
        assert asked(server, {"messages": []}, **key)[0][0] == 400
        assert asked(server, body(response_format=AS_OBJECT), **key)[0][0] == 200
        assert server.rejected == {"malformed": 1, "key": 1, "mode": 2, "capacity": 0}
        assert (server.requests, server.good) == (5, 1)


def test_more_at_once_than_it_can_take() -> None:
    async def crowd(server: FaultyServer) -> list[int]:
        async with aiohttp.ClientSession() as session:

            async def one(i: int) -> int:
                async with session.post(f"{server.url}/chat/completions", json=body(str(i))) as answer:
                    assert answer.status == 200 or answer.headers["Retry-After"] == "0.05"
                    return answer.status

            return await asyncio.gather(*(one(i) for i in range(10)))

    with FaultyServer(latency=0.5, capacity=4) as server:
        assert sorted(asyncio.run(crowd(server))) == [200] * 4 + [429] * 6
        stats = server.stats()
        assert (stats["max_in_flight"], stats["in_flight"], stats["rejected"]["capacity"]) == (4, 0, 6)
        assert 4 * 0.49 <= stats["busy_s"] <= 4 * stats["wall_s"]


def test_the_counters_can_be_asked_for_and_forgotten() -> None:
    async def over_http(server: FaultyServer) -> tuple[Any, Any, Any]:
        root = server.url.removesuffix("/v1")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{root}/stats") as answer:
                before = await answer.json()
            async with session.post(f"{root}/reset") as answer:
                assert answer.status == 204
            async with session.get(f"{server.url}/models") as answer:
                models = await answer.json()
            async with session.get(f"{root}/stats") as answer:
                return before, models, await answer.json()

    with FaultyServer(model="tiny") as server:
        asked(server, body("a"), body("a"), body("a"), body("b"))
        assert server.stats()["in_flight"] == 0
        before, models, after = asyncio.run(over_http(server))
        assert {k: before[k] for k in ("requests", "good", "distinct", "answered_twice")} == {
            "requests": 4, "good": 4, "distinct": 2, "answered_twice": 1,
        }  # fmt: skip
        assert 0 < before["busy_s"] <= before["wall_s"]
        assert models["data"][0]["id"] == "tiny"
        assert after["requests"] == after["good"] == after["distinct"] == after["answered_twice"] == 0


def test_a_retry_usually_succeeds_unless_faults_persist() -> None:
    bodies = [body(f"{i}") for i in range(60)]

    def outcomes(**options: Any) -> list[list[int]]:
        with FaultyServer(faults=0.4, kinds=["error_500"], **options) as server:
            return [[status for status, _, _ in asked(server, *[b] * 4)] for b in bodies]

    fleeting, lasting = outcomes(seed=1), outcomes(seed=1, persistent=True)
    assert 0.3 < sum(o.count(500) for o in fleeting) / 240 < 0.5
    assert sum(200 in o for o in fleeting) >= 55
    assert all(len(set(o)) == 1 for o in lasting)
    assert {o[0] for o in lasting} == {200, 500}
    assert fleeting == outcomes(seed=1)
    assert fleeting != outcomes(seed=2)


def faulty(kind: str, count: int = 8) -> list[tuple[int, Any, Any]]:
    with FaultyServer(faults=1, kinds=[kind], seed=1) as server:
        out = asked(server, *(body(f"{i}\n{LINES}", response_format=AS_OBJECT) for i in range(count)))
        assert server.by_kind == dict.fromkeys(KINDS, 0) | {kind: count}
        assert server.good == 0
        return out


def said(kind: str) -> list[Any]:
    return [answer["choices"][0]["message"]["content"] for _, _, answer in faulty(kind)]


def test_errors() -> None:
    assert all((s, h["Retry-After"]) == (429, "0.05") and "error" in a for s, h, a in faulty("rate_limit"))
    assert all(s == 500 and "error" in a for s, _, a in faulty("error_500"))
    assert all(s == 200 and a.startswith("<!doctype html>") for s, _, a in faulty("not_json"))


def test_cut_answers() -> None:
    for kind, finish in (("cut_json", "stop"), ("cut_length", "length")):
        for _, _, answer in faulty(kind):
            choice = answer["choices"][0]
            assert choice["finish_reason"] == finish
            with pytest.raises(json.JSONDecodeError):
                json.loads(choice["message"]["content"])


def test_answers_that_are_none() -> None:
    messages = [a["choices"][0]["message"] for _, _, a in faulty("refusal")]
    assert all(REFUSAL in (m["content"], m["refusal"]) for m in messages)
    assert {m["content"] for m in messages} == {REFUSAL, None}
    assert set(said("empty")) == {"", None}
    for text in said("garbage"):
        assert len(set(text.split())) == 1 or not re.search(r"[a-z]{3}", text)


def test_json_that_is_wrong() -> None:
    for text in said("wrong_schema"):
        found = json.loads(text)
        assert set(found) != {"12", "13", "14"} or not any(isinstance(v, str) for v in found.values())
    for text in said("duplicate_keys"):
        pairs = json.loads(text, object_pairs_hook=list)
        keys = [k for k, _ in pairs]
        assert len(keys) == 4
        assert set(keys) == {"12", "13", "14"}
        twice = keys[-1]
        assert len({v for k, v in pairs if k == twice}) == 2
    for text in said("prose_around"):
        assert set(json.loads(text[text.index("{") : text.rindex("}") + 1])) == {"12", "13", "14"}


def test_a_huge_answer() -> None:
    ((_, headers, answer),) = faulty("huge", 1)
    assert len(answer["choices"][0]["message"]["content"]) >= 20 * 2**20
    assert int(headers["Content-Length"]) > 20 * 2**20


def test_a_connection_closed_without_an_answer() -> None:
    with FaultyServer(faults=1, kinds=["reset"]) as server:
        for i in range(6):
            with pytest.raises(aiohttp.ClientConnectionError):
                asked(server, body(str(i)))
        assert server.by_kind["reset"] == 6


def test_an_answer_that_drips_and_a_client_that_leaves() -> None:
    async def leave(server: FaultyServer) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/chat/completions", json=body()) as answer,
        ):
            assert answer.status == 200
            got = b""
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    while True:
                        got += await answer.content.readany()
            return len(got)

    with FaultyServer(faults=1, kinds=["slow_drip"]) as server:
        assert 1 <= asyncio.run(leave(server)) <= 4
        until(lambda: server.in_flight == 0)
        assert (server.disconnected, server.good) == (1, 0)


def test_an_answer_nobody_waited_for_is_not_counted_as_given() -> None:
    with FaultyServer(latency=0.8) as server:

        async def leave() -> None:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.3)) as session:
                with pytest.raises(TimeoutError):
                    await session.post(f"{server.url}/chat/completions", json=body())

        asyncio.run(leave())
        until(lambda: server.in_flight == 0)
        assert (server.requests, server.good, server.disconnected) == (1, 0, 1)


def until(true: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for the server's thread to notice."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_kinds_that_mean_nothing_to_prose_are_not_drawn_for_it() -> None:
    with FaultyServer(faults=1, kinds=["wrong_schema", "duplicate_keys", "prose_around"]) as server:
        assert 40 <= words(content(server, body())) <= 60
        assert server.good == 1
    with pytest.raises(ValueError, match="unknown"):
        FaultyServer(kinds=["bored"])


def test_a_server_of_its_own_process() -> None:
    command = [sys.executable, "-m", "tests.servers", "--faults", "1", "--kinds", "error_500", "--latency", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        server = FaultyServer(port=int(url.split(":")[2].split("/")[0]))
        try:
            assert url == server.url
            assert asked(server, body())[0][0] == 500
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
