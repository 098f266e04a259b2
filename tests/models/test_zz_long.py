"""Asking steadily: patience, retries, the limit, stragglers and an end that comes soon when it is asked for."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import DeepPersonaError, Malformed, Stopped, Unreachable, UsageError
from deeppersona.models.openai import OpenAICompatible
from deeppersona.models.port import Completion, Message, Prompt
from deeppersona.models.steady import Gate, Steady
from tests.models.test_openai import choice, saying, serving
from tests.servers import FaultyServer

GOOD = web.json_response
T = TypeVar("T")


def prompt(text: str | int = "Tell me about the town.", stage: str = "test") -> Prompt:
    return Prompt((Message("user", str(text)),), stage, 400)


def steadily(url: str, work: Callable[[Steady], Awaitable[T]], **options: Any) -> T:
    async def run() -> T:
        steady = Steady(OpenAICompatible("m", url, timeout_s=30), **({"first_pause_s": 0.01} | options))
        try:
            return await work(steady)
        finally:
            await steady.close()

    return asyncio.run(run())


async def tried(coroutine: Coroutine[Any, Any, Completion]) -> Completion | DeepPersonaError:
    """A completion, or the error there was instead."""
    try:
        return await coroutine
    except DeepPersonaError as error:
        return error


class Fake:
    """A model in memory, for times that no server can be had to keep: ``takes`` says what the n-th request of all does."""

    name = "fake:"

    def __init__(self, takes: Callable[[int], float | Exception]) -> None:
        self.takes, self.asked, self.inside, self.most, self.cancelled = takes, 0, 0, 0, 0

    async def complete(self, _: Prompt) -> Completion:
        number, self.asked = self.asked, self.asked + 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            does = self.takes(number)
            if isinstance(does, Exception):
                await asyncio.sleep(0.001)
                raise does
            await asyncio.sleep(does)
            return Completion(str(number))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1

    async def close(self) -> None:
        """Nothing is held."""


# Patience.


def test_a_request_waits_as_long_as_it_is_told_and_the_others_do_not() -> None:
    seen: Counter[str] = Counter()
    ended: dict[str, float] = {}

    async def answer(request: web.Request) -> web.Response:
        text = orjson.loads(await request.read())["messages"][0]["content"]
        seen[text] += 1
        if text == "unlucky" and seen[text] == 1:
            return web.json_response({"error": "slow down"}, status=429, headers={"Retry-After": "0.6"})
        return GOOD(choice("yes"))

    async def all_of_them() -> Steady:
        async with serving(answer) as url:
            steady = Steady(OpenAICompatible("m", url), limit=4)
            began = time.perf_counter()

            async def one(text: str) -> None:
                await steady.complete(prompt(text))
                ended[text] = time.perf_counter() - began

            await asyncio.gather(one("unlucky"), *(one(str(i)) for i in range(40)))
            await steady.close()
            return steady

    steady = asyncio.run(all_of_them())
    assert seen["unlucky"] == 2
    assert 0.6 <= ended.pop("unlucky") < 3
    assert max(ended.values()) < 0.6
    assert steady.gate.capacity == 4  # one 429 is no reason to ask less
    assert steady.counts["rate_limited"] == 1
    assert steady.counts["slowed"] == 0


def test_sustained_429s_lower_the_limit_and_good_answers_raise_it_again() -> None:
    with FaultyServer(capacity=3, latency=0.01) as server:

        async def work(steady: Steady) -> tuple[float, float]:
            await asyncio.gather(*(steady.complete(prompt(i)) for i in range(60)))
            lowered = steady.gate.capacity
            server.capacity = None
            await asyncio.gather(*(steady.complete(prompt(f"more {i}")) for i in range(200)))
            assert steady.counts["slowed"] >= 1
            assert steady.counts["failed"] == 0
            return lowered, steady.gate.capacity

        lowered, raised = steadily(server.url, work, limit=16)
        assert lowered < 16
        assert raised == 16
        assert server.good == 260
        assert server.answered_twice == 0


def test_told_to_wait_no_time_at_all_it_does_not_besiege_the_server() -> None:
    asked = 0

    async def never(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"error": "busy"}, status=429, headers={"Retry-After": "0"})

    async def run() -> None:
        async with serving(never) as url:
            steady = Steady(OpenAICompatible("m", url), deadline_s=0.5)
            with pytest.raises(Stopped, match="429"):
                await steady.complete(prompt())
            await steady.close()

    asyncio.run(run())
    assert 2 <= asked < 40


# Retries and their end.


def test_what_fails_is_asked_again_until_it_works() -> None:
    kinds = ["error_500", "reset", "not_json", "rate_limit"]
    with FaultyServer(faults=0.4, kinds=kinds, seed=3) as server:

        async def work(steady: Steady) -> list[Completion]:
            return await asyncio.gather(*(steady.complete(prompt(i)) for i in range(60)))

        found = steadily(server.url, work, limit=12, attempts=25)
        assert len({completion.text for completion in found}) == 60
        assert server.good == 60
        assert server.answered_twice == 0
        assert sum(server.by_kind.values()) > 15
        assert server.max_in_flight <= 12


def test_an_error_that_no_patience_mends_is_asked_once() -> None:
    with FaultyServer(require_key="sk-none") as server:

        async def work(steady: Steady) -> None:
            with pytest.raises(UsageError, match="key"):
                await steady.complete(prompt())
            assert steady.gate.inside == 0

        steadily(server.url, work)
        assert server.requests == 1


async def _bad_among_good(bad: Callable[[], web.Response], **options: Any) -> tuple[DeepPersonaError, int, int]:
    """One request that is always answered badly, while others are answered well: its error, its tries, theirs."""
    seen: Counter[bool] = Counter()

    async def answer(request: web.Request) -> web.Response:
        is_bad = b'"bad"' in await request.read()
        seen[is_bad] += 1
        return bad() if is_bad else GOOD(choice("yes"))

    async with serving(answer) as url:
        steady = Steady(OpenAICompatible("m", url), **({"first_pause_s": 0.02} | options))

        async def good() -> None:
            for i in range(1000):
                await steady.complete(prompt(i))
                await asyncio.sleep(0.01)

        others = asyncio.ensure_future(good())
        found = await tried(steady.complete(prompt("bad")))
        others.cancel()
        await asyncio.gather(others, return_exceptions=True)
        assert not steady.stopping
        assert (await steady.complete(prompt("after"))).text == "yes"
        await steady.close()
    assert isinstance(found, DeepPersonaError)
    return found, seen[True], seen[False]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (lambda: web.json_response({"error": "oh"}, status=500), Unreachable),
        (lambda: web.json_response({"nothing": "here"}), Malformed),
    ],
)
def test_one_bad_request_among_good_ones_fails_alone(
    bad: Callable[[], web.Response], error: type[DeepPersonaError]
) -> None:
    found, asked, others = asyncio.run(_bad_among_good(bad, attempts=4))
    assert type(found) is error
    assert asked == 4
    assert others > 1


def test_the_time_for_one_prompt_is_bounded_in_all() -> None:
    began = time.perf_counter()
    found, asked, _ = asyncio.run(
        _bad_among_good(lambda: web.json_response({"error": "oh"}, status=500), attempts=10**6, deadline_s=0.4)
    )
    assert type(found) is Unreachable
    assert 2 <= asked < 30
    assert time.perf_counter() - began < 5


def test_patience_beyond_the_deadline_is_not_begun() -> None:
    says = iter(("0.1", "86400"))

    def bad() -> web.Response:
        return web.json_response({"error": "tomorrow"}, status=429, headers={"Retry-After": next(says)})

    began = time.perf_counter()
    found, asked, _ = asyncio.run(_bad_among_good(bad, deadline_s=5))
    assert type(found) is Unreachable
    assert "tomorrow" in str(found)
    assert asked == 2
    assert time.perf_counter() - began < 3


def test_a_server_that_is_gone_ends_all_in_words_that_help() -> None:
    with FaultyServer() as server:
        pass

    async def work(steady: Steady) -> list[Completion | DeepPersonaError]:
        return await asyncio.gather(*(tried(steady.complete(prompt(i))) for i in range(40)))

    began = time.perf_counter()
    found = steadily(server.url, work, limit=4, attempts=4)
    assert all(type(one) is Stopped for one in found)
    for part in ("openai:m", "does not answer", f"127.0.0.1:{server.port}"):
        assert part in str(found[-1])
    assert time.perf_counter() - began < 5


def test_a_server_that_goes_away_in_the_middle_ends_the_rest() -> None:
    async def run() -> list[Completion | DeepPersonaError]:
        with FaultyServer(latency=0.02) as server:
            steady = Steady(OpenAICompatible("m", server.url), limit=4, attempts=4, first_pause_s=0.01)
            tasks = [asyncio.ensure_future(tried(steady.complete(prompt(i)))) for i in range(60)]
            await asyncio.sleep(0.15)
        ended = await asyncio.gather(*tasks)
        assert isinstance(await tried(steady.complete(prompt("after"))), Stopped)
        await steady.close()
        return ended

    found = asyncio.run(run())
    good = [one for one in found if isinstance(one, Completion)]
    assert 0 < len(good) < 60
    assert {type(one) for one in found if not isinstance(one, Completion)} <= {Stopped, Unreachable}


def test_what_finds_out_what_a_server_can_do_asks_it_twice_at_most() -> None:
    with FaultyServer(faults=1, kinds=["error_500"], persistent=True) as server:

        async def work(steady: Steady) -> None:
            with pytest.raises(Stopped):
                await steady.complete(prompt(stage="check"))

        steadily(server.url, work)
        assert server.requests == 2 + 1  # and whether it answers anything at all


@pytest.mark.parametrize("status", [500, 400])
def test_a_request_that_kills_a_server_that_lives_fails_alone(status: int) -> None:
    """Asked one at a time nobody else is answered meanwhile, so the server is asked whether it is there."""
    small: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        if body["messages"][0]["content"] == "bad":
            return web.json_response({"error": "oh"}, status=500)
        small.append(body["max_tokens"])
        return GOOD(choice("yes")) if status == 500 else web.json_response({"error": "too small"}, status=400)

    async def run() -> None:
        async with serving(answer) as url:
            steady = Steady(OpenAICompatible("m", url), limit=1, attempts=3, first_pause_s=0.01)
            assert type(await tried(steady.complete(prompt("bad")))) is Unreachable
            assert not steady.stopping
            await steady.close()

    asyncio.run(run())
    assert small == [4]


def test_a_quota_that_is_used_up_for_today_stops_the_run() -> None:
    async def never(_: web.Request) -> web.Response:
        return web.json_response({"error": "daily limit"}, status=429, headers={"Retry-After": "86400"})

    async def run() -> None:
        async with serving(never) as url:
            steady = Steady(OpenAICompatible("m", url))
            ended = await asyncio.gather(*(tried(steady.complete(prompt(i))) for i in range(5)))
            assert {type(one) for one in ended} == {Stopped}  # and no person is written without words
            assert "daily limit" in str(ended[0])
            await steady.close()

    asyncio.run(run())


# Stopping.


def test_stop_lets_in_what_is_on_its_way_and_begins_nothing() -> None:
    async def answer(request: web.Request) -> web.Response:
        if b"told to wait" in await request.read():
            return web.json_response({"error": "later"}, status=429, headers={"Retry-After": "60"})
        asked.append(time.perf_counter())
        await asyncio.sleep(0.25)
        return GOOD(choice("yes"))

    asked: list[float] = []

    async def run() -> None:
        async with serving(answer) as url:
            steady = Steady(OpenAICompatible("m", url), limit=3)
            sleeping = asyncio.ensure_future(tried(steady.complete(prompt("told to wait"))))
            tasks = [asyncio.ensure_future(tried(steady.complete(prompt(i)))) for i in range(20)]
            await asyncio.sleep(0.1)
            assert len(asked) == 3
            began = time.perf_counter()
            steady.stop("enough")
            steady.stop("a later reason does not count")
            found = await sleeping
            assert time.perf_counter() - began < 0.2  # it sleeps no longer
            assert str(found) == "enough"
            ended = await asyncio.gather(*tasks)
            assert time.perf_counter() - began < 2
            assert sum(isinstance(one, Completion) for one in ended) == 3
            assert {str(one) for one in ended if not isinstance(one, Completion)} == {"enough"}
            assert isinstance(await tried(steady.complete(prompt("after"))), Stopped)
            assert len(asked) == 3
            assert steady.gate.inside == 0
            await steady.close()

    asyncio.run(run())


# The gate.


def test_the_limit_is_never_exceeded() -> None:
    with FaultyServer(latency=0.005, faults=0.3, kinds=["error_500", "rate_limit", "not_json"], seed=1) as server:

        async def work(steady: Steady) -> None:
            await asyncio.gather(*(steady.complete(prompt(i)) for i in range(100)))
            assert steady.gate.inside == 0

        steadily(server.url, work, limit=5, attempts=25)
        assert server.max_in_flight == 5


@settings(max_examples=2000, deadline=None)
@given(
    limit=st.integers(1, 4),
    visits=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 5), st.none() | st.integers(0, 12), st.booleans()),
        min_size=1, max_size=25,
    ),
    changes=st.lists(st.tuples(st.integers(0, 15), st.booleans()), max_size=8),
)  # fmt: skip
def test_the_gate_counts_right_whoever_is_cancelled_when(
    limit: int, visits: list[tuple[int, int, int | None, bool]], changes: list[tuple[int, bool]]
) -> None:
    """Each visit: when it comes, how long it stays, when it is cancelled, whether it pushes in (in turns of the loop)."""

    async def run() -> None:
        gate, inside = Gate(limit), 0

        async def ticks(n: int) -> None:
            for _ in range(n):
                await asyncio.sleep(0)

        async def visit(comes: int, stays: int, first: bool) -> None:
            nonlocal inside
            await ticks(comes)
            await gate.enter(first=first)
            inside += 1
            try:
                assert inside <= limit
                assert inside <= gate.inside
                await ticks(stays)
            finally:
                inside -= 1
                gate.leave()

        async def change(when: int, more: bool) -> None:
            await ticks(when)
            (gate.more if more else gate.less)()

        async def cancel(task: asyncio.Task[None], when: int) -> None:
            await ticks(when)
            task.cancel()

        tasks = [asyncio.create_task(visit(comes, stays, first)) for comes, stays, _, first in visits]
        others = [asyncio.create_task(change(*one)) for one in changes]
        others += [
            asyncio.create_task(cancel(task, when))
            for task, (_, _, when, _) in zip(tasks, visits, strict=True)
            if when is not None
        ]
        await asyncio.gather(*others)
        ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        kept = [one for one, (_, _, when, _) in zip(ended, visits, strict=True) if when is None]
        assert kept == [None] * len(kept)
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in ended)
        assert gate.inside == 0
        for _ in range(int(gate.capacity)):  # all places are free again
            await asyncio.wait_for(gate.enter(), 0.1)

    asyncio.run(run())


def test_cancelling_requests_on_the_wire_and_in_the_queue_leaves_the_gate_free() -> None:
    with FaultyServer(latency=0.05) as server:

        async def work(steady: Steady) -> None:
            tasks = [asyncio.ensure_future(steady.complete(prompt(i))) for i in range(30)]
            await asyncio.sleep(0.02)
            for task in tasks[::2]:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, Completion) for one in ended[1::2])
            assert all(isinstance(one, asyncio.CancelledError) for one in ended[::2])
            assert steady.gate.inside == 0

        steadily(server.url, work, limit=4)


# Stragglers.


async def _learnt(fake: Fake, **options: Any) -> Steady:
    """A model that has answered quickly often enough for a straggler to be told."""
    steady = Steady(fake, first_pause_s=0.01, **options)
    for _ in range(40):
        await steady.complete(prompt())
    return steady


def test_a_straggler_is_asked_twice_and_the_first_good_answer_wins() -> None:
    async def run() -> None:
        fake = Fake(lambda n: 60.0 if n == 40 else 0.001)
        steady = await _learnt(fake)
        began = time.perf_counter()
        found = await steady.complete(prompt())
        assert found.text == "41"
        assert 0.9 < time.perf_counter() - began < 5
        assert steady.counts["hedged"] == fake.cancelled == 1
        assert fake.inside == steady.gate.inside == 0

    asyncio.run(run())


def test_nobody_is_asked_twice_before_it_is_known_how_long_answers_take() -> None:
    async def run() -> None:
        fake = Fake(lambda n: 0.2 if n == 10 else 0.001)
        steady = Steady(fake)
        for _ in range(29):
            await steady.complete(prompt())
        await steady.complete(prompt(stage="another"))
        assert steady.counts["hedged"] == 0
        assert steady._straggles == {}

    asyncio.run(run())


@pytest.mark.parametrize("hedge", [True, False])
def test_hedges_stay_few_and_within_the_limit(hedge: bool) -> None:
    async def run() -> None:
        fake = Fake(lambda _: 0.03)
        steady = Steady(fake, limit=6, hedge=hedge)
        steady._straggles["test"] = 0.005  # all of them straggle: the server is slow, not a request
        await asyncio.gather(*(steady.complete(prompt(i)) for i in range(150)))
        assert fake.most <= 6
        assert steady.counts["hedged"] <= 2 + 0.03 * 150
        assert (steady.counts["hedged"] > 0) is hedge
        assert fake.inside == steady.gate.inside == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (0.1, Unreachable("second"), "0"),  # the hedge fails: the first is still on its way
        (0.1, UsageError("second"), "0"),
        (60.0, 0.01, "1"),
        (0.03, 60.0, "0"),
    ],
)
def test_one_good_answer_of_two_is_enough(first: float, second: float | Exception, text: str) -> None:
    async def run() -> None:
        fake = Fake(lambda n: (first, second)[n])
        steady = Steady(fake)
        steady._straggles["test"] = 0.01
        assert (await steady.complete(prompt())).text == text
        assert fake.asked == 2
        assert fake.inside == steady.gate.inside == 0

    asyncio.run(run())


def test_a_straggler_that_fails_twice_is_asked_again_like_any_other() -> None:
    async def run() -> None:
        async def complete(_: Prompt) -> Completion:
            fake.asked += 1
            if fake.asked == 1:
                await asyncio.sleep(0.03)
                raise Unreachable("first")
            if fake.asked == 2:
                raise Unreachable("second")
            return Completion("third")

        fake = Fake(lambda _: 0.0)
        fake.complete = complete  # type: ignore[method-assign]
        steady = Steady(fake, first_pause_s=0.01)
        steady._straggles["test"] = 0.01
        steady._good_at = asyncio.get_running_loop().time()
        assert (await steady.complete(prompt())).text == "third"
        assert steady.counts["retried"] == 1

    asyncio.run(run())


def test_cancelling_a_hedged_request_cancels_both() -> None:
    async def run() -> None:
        fake = Fake(lambda _: 60.0)
        steady = Steady(fake)
        steady._straggles["test"] = 0.01
        task = asyncio.ensure_future(steady.complete(prompt()))
        await asyncio.sleep(0.05)
        assert fake.inside == 2
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fake.cancelled == 2
        assert fake.inside == steady.gate.inside == 0

    asyncio.run(run())


def test_the_same_words_for_a_server_that_only_ever_fails() -> None:
    async def run() -> None:
        async with serving(saying({"error": "out of memory"}, 500)) as url:
            steady = Steady(OpenAICompatible("m", url), first_pause_s=0.01, attempts=3)
            with pytest.raises(Stopped, match=r"openai:m does not answer.*out of memory"):
                await steady.complete(prompt())
            await steady.close()

    asyncio.run(run())
