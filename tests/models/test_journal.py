"""What is paid for is kept, and no more is paid than was allowed."""

import asyncio
import gc
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.errors import Stopped, Unreachable, UsageError
from deeppersona.models.journal import METER, Journal, Journaled
from deeppersona.models.openai import OpenAICompatible
from deeppersona.models.port import Completion, Message, Prompt, Usage
from deeppersona.models.price import FREE, Price, Purse, parse_price, shipped_prices
from deeppersona.models.steady import Steady
from deeppersona.runtime.store import RunFolder
from tests.servers import FaultyServer

DEAR = Price(1000.0, 100.0, 4000.0)  # so that cents are a matter of a few prompts


def prompt(text: str | int = "Tell me about the town.", **more: Any) -> Prompt:
    return Prompt((Message("user", str(text)),), "test", 100, **more)


class Fake:
    """A model in memory that answers with the prompt's words, or fails where they say so."""

    name = "fake:"

    def __init__(self, usage: Usage = Usage(10, 4, 20), takes: float = 0.0) -> None:  # noqa: B008 - frozen
        self.usage, self.takes, self.asked = usage, takes, 0

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked += 1
        await asyncio.sleep(self.takes)
        if prompt.messages[-1].text == "fail":
            raise Unreachable("as told")
        return Completion(f"{prompt.messages[-1].text} {self.asked}", usage=self.usage)

    async def close(self) -> None:
        """Nothing is held."""


def test_asked_once_answered_twice(tmp_path: Path) -> None:
    async def twice() -> None:
        with FaultyServer() as server:
            journal = Journal(tmp_path / "run.sqlite")
            model = Journaled(OpenAICompatible("m", server.url), journal, Purse())
            first = await model.complete(prompt())
            assert await model.complete(prompt()) == first
            await model.complete(prompt("Another town?"))
            assert (model.asked, model.remembered, server.requests) == (2, 1, 2)
            await model.close()
            journal.close()
            again = Journal(tmp_path / "run.sqlite")  # of the run that goes on
            model = Journaled(OpenAICompatible("m", server.url), again, Purse())
            assert await model.complete(prompt()) == first
            assert (model.asked, model.remembered, server.requests) == (0, 1, 2)
            assert model.usage == Usage()
            await model.close()
            again.close()

    asyncio.run(twice())


def test_equal_prompts_at_once_are_paid_for_once() -> None:
    async def run() -> None:
        fake = Fake(takes=0.02)
        model = Journaled(fake, Journal(), Purse())
        found = await asyncio.gather(*(model.complete(prompt(i % 3)) for i in range(30)))
        assert fake.asked == model.asked == 3
        assert model.remembered == 27
        assert len({completion.text for completion in found}) == 3
        gc.collect()
        assert len(model._turns) <= 1  # nothing grows with a run

    asyncio.run(run())


def test_of_equal_prompts_the_next_one_asks_where_the_first_fails_or_is_cancelled() -> None:
    async def run() -> None:
        fake = Fake(takes=0.02)
        model = Journaled(fake, Journal(), Purse())
        first, second = (asyncio.ensure_future(model.complete(prompt())) for _ in range(2))
        await asyncio.sleep(0.005)
        first.cancel()
        assert (await second).text.endswith(" 2")
        failed = await asyncio.gather(*(model.complete(prompt("fail")) for _ in range(2)), return_exceptions=True)
        assert [type(one) for one in failed] == [Unreachable] * 2
        assert fake.asked == 4

    asyncio.run(run())


def test_another_model_seed_shape_or_length_is_another_prompt() -> None:
    one = prompt()
    schema = {"type": "object"}
    others = [
        replace(one, seed=1), replace(one, temperature=0.1), replace(one, max_tokens=99), replace(one, top_logprobs=2),
        replace(one, schema=schema, shape="schema"), replace(one, schema=schema, shape="json"),
        replace(one, messages=(Message("system", "Tell me about the town."),)), one.then("yes", "and?"),
    ]  # fmt: skip
    assert len({p.key("a") for p in [one, *others]} | {one.key("b")}) == len(others) + 2
    assert replace(one, stage="another").key("a") == one.key("a")  # never sent


def test_whoever_counts_hears_of_every_completion() -> None:
    async def run() -> None:
        model = Journaled(Fake(), Journal(), Purse())
        met: list[Completion] = []
        METER.set(met)
        await model.complete(prompt())
        await model.complete(prompt())
        assert len(met) == 2

    asyncio.run(run())


def test_notes_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.sqlite")
    assert journal.note("shape") is None
    journal.set_note("shape", "json")
    journal.set_note("shape", {"now": ["schema", 1, None]})
    journal.close()
    journal.close()  # twice is once
    again = Journal(tmp_path / "run.sqlite")
    assert again.note("shape") == {"now": ["schema", 1, None]}
    again.close()


@given(
    st.text(), st.text(), st.dictionaries(st.text(max_size=5), st.floats(-50, 0), max_size=4),
    st.tuples(*[st.integers(0, 10**9)] * 3),
)  # fmt: skip
@settings(deadline=None)
def test_a_completion_comes_back_as_it_was(text: str, refusal: str, top: dict[str, float], use: Any) -> None:
    journal = Journal()
    kept = Completion(text, "length", Usage(*use), refusal, top, 1.5)
    journal.put("key", "m", "test", kept, 0.25)
    assert journal.get("key") == kept
    journal.put("key", "m", "test", Completion("another"), 1.0)  # what was paid for first stays
    assert journal.get("key") == kept
    assert journal.spent() == 0.25
    assert journal.get("another") is None
    journal.close()


def test_usage_adds_up(tmp_path: Path) -> None:
    async def run(journal: Journal) -> Journaled:
        purse = Purse(prices={"fake:": DEAR})
        model = Journaled(Fake(Usage(10, 4, 20)), journal, purse)
        await asyncio.gather(*(model.complete(prompt(i)) for i in range(6)))
        await model.complete(replace(prompt("seventh"), stage="book"))
        await model.complete(prompt(3))
        assert purse.spent == pytest.approx(journal.spent())
        return model

    journal = Journal(tmp_path / "run.sqlite")
    model = asyncio.run(run(journal))
    assert model.usage == Usage(70, 28, 140)
    each = (6 * 1000 + 4 * 100 + 20 * 4000) / 1e6
    assert journal.spent() == pytest.approx(7 * each)
    journal.close()
    found = RunFolder(tmp_path).usage()
    assert found.pop("models")["fake:"].keys() == {"book", "test"}
    assert found == {"calls": 7, "tokens_in": 70, "tokens_cached": 28, "tokens_out": 140, "cost": round(7 * each, 6)}


# Killed.

_ASKS = """
import asyncio, sys
from pathlib import Path
from deeppersona.models.journal import Journal, Journaled
from deeppersona.models.openai import OpenAICompatible
from deeppersona.models.port import Message, Prompt
from deeppersona.models.price import Purse
from deeppersona.models.steady import Steady

async def main(url, file):
    model = Journaled(Steady(OpenAICompatible("m", url), limit=4), Journal(Path(file)), Purse())
    print("begun", flush=True)
    await asyncio.gather(*(model.complete(Prompt((Message("user", str(i)),), "test", 100)) for i in range(5000)))

asyncio.run(main(*sys.argv[1:]))
"""


def test_killed_at_any_moment_it_has_lost_what_was_on_the_wire_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "run.sqlite"
    with FaultyServer(latency=0.005) as server:
        process = subprocess.Popen([sys.executable, "-c", _ASKS, server.url, str(file)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        end = time.monotonic() + 20
        while server.good < 60 and time.monotonic() < end:
            time.sleep(0.002)
        process.kill()
        process.wait()
        process.stdout.close()
        time.sleep(0.05)  # what the server had in hand
        answered = server.good
        assert 60 <= answered < 5000
        with sqlite3.connect(file) as db:
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
            kept = db.execute("select count(*) from completion").fetchone()[0]
        db.close()
        assert answered - 8 <= kept <= answered  # of four at once, each may be answered or on its way into the journal

        async def go_on() -> Journaled:
            model = Journaled(Steady(OpenAICompatible("m", server.url), limit=4), journal, Purse())
            found = await asyncio.gather(*(model.complete(prompt(i)) for i in range(kept + 20)))
            assert all(completion.text for completion in found)
            await model.close()
            return model

        journal = Journal(file)
        model = asyncio.run(go_on())
        journal.close()
        assert model.remembered + model.asked == kept + 20
        assert model.remembered >= kept - 4  # prompts are asked in order, all but those at the end
        assert server.answered_twice <= 8


def test_a_failed_request_is_neither_kept_nor_paid_for() -> None:
    async def run() -> None:
        purse = Purse(1.0, prices={"fake:": DEAR})
        journal = Journal()
        model = Journaled(Fake(), journal, purse)
        with pytest.raises(Unreachable):
            await model.complete(prompt("fail"))
        assert (model.asked, journal.spent(), purse.spent, purse.promised) == (0, 0.0, 0.0, 0.0)

    asyncio.run(run())


# The purse.


def test_a_budget_is_never_exceeded_with_many_requests_at_once() -> None:
    async def run(url: str, budget: float) -> tuple[Journaled, list[Any]]:
        purse = Purse(budget, prices={"openai:m": DEAR})
        inner = Steady(OpenAICompatible("m", url), limit=50, first_pause_s=0.01, attempts=20)
        model = Journaled(inner, Journal(), purse)
        found = await asyncio.gather(*(model.complete(prompt(i)) for i in range(200)), return_exceptions=True)
        await model.close()
        return model, found

    with FaultyServer(latency=0.005, faults=0.2, kinds=["error_500", "rate_limit", "cut_length"], seed=2) as server:
        model, found = asyncio.run(run(server.url, 12.0))
        good = [one for one in found if isinstance(one, Completion)]
        stops = [one for one in found if not isinstance(one, Completion)]
        assert stops
        assert {type(one) for one in stops} == {Stopped}
        spent = model.purse.spent
        assert spent == pytest.approx(sum(DEAR.of(one.usage) for one in good)) == pytest.approx(model.journal.spent())
        # all but what one more prompt might have cost is used
        assert 12.0 - model.purse.most("openai:m", prompt(199)) - 0.01 <= spent <= 12.0
        assert model.purse.promised == 0.0
        assert "$12.00" in str(stops[-1])
        assert f"${spent:.2f} so far" in str(stops[-1])


@settings(max_examples=60, deadline=None)
@given(
    budget=st.floats(0, 2),
    before=st.floats(0, 1),
    requests=st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=20),
)
def test_the_purse_is_never_overdrawn(budget: float, before: float, requests: list[tuple[int, float, int]]) -> None:
    """Each request: the tokens it may use, the share of them it does use, and how many turns of the loop it takes."""

    async def run() -> None:
        purse = Purse(budget, before, {"m": DEAR})
        if before > budget:
            with pytest.raises(Stopped):
                async with purse.reserved("m", prompt()):
                    raise AssertionError
            return

        async def one(most: int, share: float, takes: int) -> None:
            asked = replace(prompt("x" * 30), max_tokens=most)
            async with purse.reserved("m", asked):
                assert purse.spent + purse.promised <= budget + 1e-9
                for _ in range(takes):
                    await asyncio.sleep(0)
                if share < 0.1:
                    raise Unreachable("no answer")
                purse.pay("m", Usage(10, 0, int(most * share)))

        ended = await asyncio.wait_for(asyncio.gather(*(one(*r) for r in requests), return_exceptions=True), 5)
        assert all(one is None or isinstance(one, Stopped | Unreachable) for one in ended)
        assert purse.spent <= budget + 1e-9
        assert purse.promised == 0.0

    asyncio.run(run())


def test_the_most_a_prompt_can_cost_is_more_than_it_costs() -> None:
    schema = {"type": "object", "properties": {"1": {"type": "string", "enum": ["red", "green", "blue"]}}}
    prompts = [
        prompt(""), prompt("Hi"), prompt("x" * 3000), prompt("Nuit et jour à l'été " * 20),
        Prompt(tuple(Message("user", "Hi") for _ in range(40)), "test", 5),
        replace(prompt("Hi"), schema=schema, shape="schema"),
    ]  # fmt: skip
    purse = Purse(prices={"openai:m": DEAR})

    async def run(url: str) -> None:
        model = OpenAICompatible("m", url)
        for one in prompts:
            usage = (await model.complete(one)).usage
            assert DEAR.of(replace(usage, cached=0)) <= purse.most("openai:m", one)
        await model.close()

    with FaultyServer() as server:
        asyncio.run(run(server.url))
    assert purse.most("openai:m", prompts[-1]) > purse.most("openai:m", prompt("Hi"))  # schemas are read, so paid for
    assert purse.most("another", prompts[-1]) == 0.0


def test_what_is_free_is_free() -> None:
    async def run() -> None:
        model = Journaled(Fake(), Journal(), Purse(0.0, prices={"fake:": FREE}))
        await model.complete(prompt())
        assert model.purse.spent == 0.0

    asyncio.run(run())


# Prices.


def test_prices_are_read() -> None:
    assert parse_price("0.4/1.6") == Price(0.4, 0.4, 1.6)
    assert parse_price("0.4/0.1/1.6") == Price(0.4, 0.1, 1.6)
    assert parse_price("0/0") == FREE
    assert Price(1.0, 0.5, 4.0).of(Usage(1_000_000, 500_000, 1_000_000)) == 0.5 + 0.25 + 4.0


@pytest.mark.parametrize("text", ["", "1", "1/2/3/4", "a/b", "-1/2", "1/-2", "nan/1", "1/inf", "1,5/2", "/", "$1/2"])
def test_what_is_no_price_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"IN/OUT.*0\.4/1\.6"):
        parse_price(text)


def test_the_list_prices_are_prices() -> None:
    prices = shipped_prices()
    assert "gpt-4.1-mini" in prices
    assert all(0 < p.cached <= p.tokens_in < p.tokens_out for p in prices.values())
