"""Habits of phrasing are found in what the first people of a run share, and nobody waits who need not."""

import asyncio
from random import Random

import pytest

from deeppersona.errors import Stopped
from deeppersona.generation.writing.worn import MILESTONES, MOST, Worn, worn_phrases

N = 1000


def plain(k: int) -> str:
    """A text that shares no phrase with the others."""
    return f"Thing{k} met word{k} at noon. Chair{k} broke under lamp{k}, and goat{k} left."


def planted(k: int) -> str:
    return plain(k) + (" Nobody forgets the smell of diesel here." if k % 3 == 0 else "")


def test_planted_phrases_are_found() -> None:
    found = worn_phrases([planted(k) for k in range(24)])
    assert "nobody forgets the smell of" in found or "forgets the smell of diesel" in found
    assert not any("thing" in phrase or "chair" in phrase for phrase in found)


def test_a_phrase_is_counted_once_a_person() -> None:
    thrice = " ".join(["A kettle sang low today."] * 3)
    assert worn_phrases([thrice, *map(plain, range(20))]) == []


def test_openings_weigh_double() -> None:
    """Four of thirty are few in the middle of a sentence, and enough at its beginning."""
    opened = [plain(k) + (f" Grey rain fell on roof{k}." if k < 4 else "") for k in range(30)]
    inside = [plain(k) + (f" Town{k} slept, grey rain fell on roof{k}." if k < 4 else "") for k in range(30)]
    assert worn_phrases(opened) == ["grey rain fell"]
    assert worn_phrases(inside) == []


def test_plain_grammar_is_no_habit() -> None:
    people = [f"{plain(k)} It was one of the two that he had." for k in range(12)]
    assert worn_phrases(people) == []


def test_what_the_facts_say_is_no_habit() -> None:
    assert worn_phrases([planted(k) for k in range(24)], ["Nobody forgets the smell of diesel here."]) == []


def test_apostrophes_of_both_kinds_are_one() -> None:
    people = [f"{plain(k)} She can{mark}t stand boiled cabbage." for k, mark in enumerate("'’" * 6)]
    assert any("can't stand boiled" in phrase for phrase in worn_phrases(people))


def test_the_list_is_short_and_does_not_depend_on_order() -> None:
    habits = [f"Old{h} clock{h} struck{h} noon{h}." for h in range(40)]
    people = [" ".join(Random(k).sample(habits, 40)) for k in range(10)]  # noqa: S311 - no secret
    found = worn_phrases(people)
    assert len(found) == MOST
    assert found == worn_phrases(people[::-1])
    assert not any(a != b and a in b for a in found for b in found)


def texts(n: int) -> dict[int, str]:
    return {k: planted(k) for k in range(n)}


def lists(order: list[int], *, asked: list[int]) -> list[list[str]]:
    """What is worn for some slots, once these texts came in this order."""

    async def go() -> list[list[str]]:
        worn = Worn(N)
        for slot in order:
            worn.add(slot, planted(slot))
        return [await asyncio.wait_for(worn.before(slot), 5) for slot in asked]

    return asyncio.run(go())


def test_lists_depend_on_slots_alone() -> None:
    order = list(range(MILESTONES[-1][0] + 300))
    asked = [8, 127, 128, 767, 768, 999]
    expected = lists(order, asked=asked)
    shuffled = order.copy()
    Random(1).shuffle(shuffled)  # noqa: S311 - no secret
    assert lists(shuffled, asked=asked[::-1]) == expected[::-1]
    assert expected[0] == expected[1] == worn_phrases(list(texts(8).values()))
    assert expected[2] == expected[3] == worn_phrases(list(texts(24).values()))
    assert expected[4] == expected[5] == worn_phrases(list(texts(192).values()))


def test_known_texts_are_as_good_as_new_ones() -> None:
    async def go() -> list[str]:
        worn = Worn(N, texts(24))
        return await asyncio.wait_for(worn.before(130), 5)

    assert asyncio.run(go()) == worn_phrases(list(texts(24).values()))


def test_people_who_could_not_be_made_hold_nobody_up() -> None:
    async def go() -> list[str]:
        worn = Worn(40)
        for slot in range(8):
            worn.add(slot, "" if slot == 3 else planted(slot))
        return await asyncio.wait_for(worn.before(39), 5)

    assert asyncio.run(go()) == worn_phrases([planted(k) for k in range(8) if k != 3])


@pytest.mark.parametrize("n", [1, 7, 8])
def test_nobody_waits_before_the_first_milestone(n: int) -> None:
    async def go() -> None:
        worn = Worn(n)
        for slot in range(n):
            assert await asyncio.wait_for(worn.before(slot), 1) == []
        worn.add(0, planted(0))

    asyncio.run(go())


def test_who_comes_after_waits_for_those_before() -> None:
    async def go() -> None:
        worn = Worn(N)
        waiting = asyncio.create_task(worn.before(8))
        for slot in range(7):
            worn.add(slot, planted(slot))
        await asyncio.sleep(0)
        assert not waiting.done()
        worn.add(7, planted(7))
        await asyncio.wait_for(waiting, 5)
        late = asyncio.create_task(worn.before(128))
        await asyncio.sleep(0)
        assert not late.done()
        late.cancel()

    asyncio.run(go())


def test_stopping_frees_those_who_wait() -> None:
    async def go() -> None:
        worn = Worn(N)
        waiting = [asyncio.create_task(worn.before(slot)) for slot in (8, 128, 768)]
        await asyncio.sleep(0)
        worn.stop("the budget is spent")
        for task in [*waiting, asyncio.create_task(worn.before(900))]:
            with pytest.raises(Stopped, match="budget"):
                await asyncio.wait_for(task, 5)
        assert await worn.before(2) == []

    asyncio.run(go())
