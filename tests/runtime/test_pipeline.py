"""People worked on many at once: parts come out in order and once, nothing waits at a part's end, no error is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from deeppersona.errors import Stopped, StoreError
from deeppersona.runtime.pipeline import Part, over_people
from deeppersona.schema.report import Failure

Drawn = list[tuple[int, int, list[int], list[Failure]]]
SIZE = 5


def failure(slot: int) -> Failure:
    return Failure(slot=slot, stage="core", reason="nobody is so")


class Line:
    """A run of ``over_people`` watched: what was drawn in one go, who was worked on, which parts were committed."""

    def __init__(self, lost: Sequence[int] = ()) -> None:
        self.lost = set(lost)
        self.drawn: list[list[int]] = []
        self.begun: list[int] = []
        self.committed: list[int] = []
        self.parts: dict[int, Part[int]] = {}
        self.inside = self.most_inside = 0

    def draw(self, numbers: Sequence[int]) -> Drawn:
        self.drawn.append(list(numbers))
        out: Drawn = []
        for number in numbers:
            span = range(number * SIZE, (number + 1) * SIZE)
            lost = [failure(slot) for slot in span if slot in self.lost]
            out.append((number, SIZE, [slot for slot in span if slot not in self.lost], lost))
        return out

    async def work(self, slot: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"slot": slot}

    def commit(self, part: Part[int]) -> None:
        self.committed.append(part.number)
        self.parts[part.number] = part

    async def _watched(self, work: Callable[[int], Awaitable[dict[str, Any]]], slot: int) -> dict[str, Any]:
        self.begun.append(slot)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            return await work(slot)
        finally:
            self.inside -= 1

    def run(
        self, parts: int | Sequence[int], work: Callable[[int], Awaitable[dict[str, Any]]] | None = None, *,
        window: int = 4, ahead: int = 3, first: int = 1,
    ) -> list[Part[int]]:  # fmt: skip
        async def go() -> list[Part[int]]:
            numbers = range(parts) if isinstance(parts, int) else parts
            watched = over_people(
                numbers, self.draw, lambda slot: self._watched(work or self.work, slot), self.commit,
                window=window, ahead=ahead, first=first,
            )  # fmt: skip
            return await asyncio.wait_for(watched, 20)

        return asyncio.run(go())


@pytest.mark.parametrize("window", [1, 2, 7, 100])
def test_every_part_comes_once_and_whole_with_its_people_in_order(window: int) -> None:
    line = Line(lost=[3, 11])

    async def late(slot: int) -> dict[str, Any]:
        await asyncio.sleep(0.001 * (slot * 7 % 5))  # they come in another order than they went
        return {"slot": slot}

    assert line.run(8, late, window=window) == []
    assert sorted(line.committed) == list(range(8))
    for number, part in line.parts.items():
        span = range(number * SIZE, (number + 1) * SIZE)
        assert [r["slot"] for r in part.in_order()] == [slot for slot in span if slot not in line.lost]
        assert [f.slot for f in part.failures] == [slot for slot in span if slot in line.lost]
    assert line.most_inside <= window


def test_people_are_begun_in_the_order_of_their_slots() -> None:
    line = Line()
    line.run(6)
    assert line.begun == list(range(6 * SIZE))


def test_only_the_parts_asked_for_are_made() -> None:
    line = Line()
    line.run([2, 5, 6])
    assert line.committed == [2, 5, 6]
    assert line.begun == [*range(10, 15), *range(25, 35)]


def test_a_part_of_failures_only_is_committed() -> None:
    line = Line(lost=range(SIZE, 2 * SIZE))
    assert line.run(3) == []
    assert sorted(line.committed) == [0, 1, 2]
    assert (line.parts[1].in_order(), len(line.parts[1].failures)) == ([], SIZE)


def test_failures_at_a_parts_end_or_beginning_do_not_hold_it_up() -> None:
    line = Line(lost=[0, 4, 9, 10])
    assert line.run(3) == []
    assert {number: len(part.records) for number, part in line.parts.items()} == {0: 3, 1: 4, 2: 4}


def test_the_window_is_filled_and_never_exceeded() -> None:
    line = Line()

    async def slow(slot: int) -> dict[str, Any]:
        await asyncio.sleep(0.005)
        return {"slot": slot}

    line.run(8, slow, window=6)
    assert line.most_inside == 6


def test_nothing_to_make_is_no_work() -> None:
    line = Line()
    assert line.run(0) == []
    assert (line.drawn, line.committed) == ([], [])


def test_a_slow_person_in_the_first_part_does_not_keep_others_from_being_committed() -> None:
    line = Line()
    others_done = asyncio.Event()

    async def work(slot: int) -> dict[str, Any]:
        if slot == 2:
            await others_done.wait()  # until every other part is on disk
        elif slot == 7 * SIZE:
            while len(line.committed) < 6:  # parts 1 to 6
                await asyncio.sleep(0.001)
            others_done.set()
        return {"slot": slot}

    assert line.run(8, work, window=2) == []
    assert line.committed[-2:] in ([0, 7], [7, 0])
    assert set(line.committed[:-2]) == {1, 2, 3, 4, 5, 6}


def test_people_are_drawn_a_chunk_ahead_in_another_thread() -> None:
    line = Line()
    threads: set[str] = set()
    plain = line.draw

    def draw(numbers: Sequence[int]) -> Drawn:
        threads.add(threading.current_thread().name)
        return plain(numbers)

    line.draw = draw  # type: ignore[method-assign]
    line.run(8, first=2, ahead=3)
    assert line.drawn == [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert threading.main_thread().name not in threads


def test_drawing_does_not_hold_up_those_in_work() -> None:
    line = Line()
    plain, worked = line.draw, threading.Event()

    def draw(numbers: Sequence[int]) -> Drawn:
        if numbers[0] > 0:
            assert worked.wait(10)  # the next chunk takes as long as somebody of the first is worked on
        return plain(numbers)

    async def work(slot: int) -> dict[str, Any]:
        await asyncio.sleep(0.001)
        if slot == SIZE - 1:
            worked.set()
        return {"slot": slot}

    line.draw = draw  # type: ignore[method-assign]
    assert line.run(3, work, window=2) == []
    assert sorted(line.committed) == [0, 1, 2]


def test_an_error_in_work_is_raised_and_other_parts_in_hand_come_to_their_end() -> None:
    line = Line()
    went_wrong = asyncio.Event()

    async def work(slot: int) -> dict[str, Any]:
        if slot == 2:
            await asyncio.sleep(0.01)  # by now the second part is wholly in hand
            went_wrong.set()
            raise ValueError("a mistake of ours")
        if slot >= SIZE:
            await went_wrong.wait()
        return {"slot": slot}

    with pytest.raises(ValueError, match="a mistake of ours"):
        line.run(40, work, window=SIZE + 1)
    assert line.committed == [1]
    assert max(line.begun) < 4 * SIZE  # nobody was begun after it


def test_the_first_of_several_errors_is_raised() -> None:
    line = Line()

    async def work(slot: int) -> dict[str, Any]:
        await asyncio.sleep(0.002 * (4 - slot))
        raise ValueError(f"slot {slot}")

    with pytest.raises(ValueError, match="slot 3"):
        line.run(1, work, window=4)


def test_an_error_in_drawing_is_raised() -> None:
    line = Line()
    plain = line.draw

    def draw(numbers: Sequence[int]) -> Drawn:
        if 4 in numbers:
            raise ValueError("no such country")
        return plain(numbers)

    line.draw = draw  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no such country"):
        line.run(8)
    assert 0 in line.committed


@pytest.mark.parametrize("parts", [1, 4])
def test_an_error_in_commit_is_raised(parts: int) -> None:
    line = Line()

    def commit(part: Part[int]) -> None:
        if part.number == 0:
            raise StoreError("the disk is full")
        line.committed.append(part.number)

    line.commit = commit  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="the disk is full"):
        line.run(parts)


def test_stopped_gives_back_the_parts_in_hand() -> None:
    line = Line(lost=[7])

    async def work(slot: int) -> dict[str, Any]:
        await asyncio.sleep(0.001)
        if slot >= 8:
            raise Stopped("the budget is spent")
        return {"slot": slot}

    stopped = line.run(50, work, window=3)
    assert line.committed == [0]
    assert [part.number for part in stopped] == sorted({part.number for part in stopped})
    assert stopped[0].number == 1
    assert [r["slot"] for r in stopped[0].in_order()] == [5, 6]
    assert [f.slot for f in stopped[0].failures] == [7]
    assert all(not part.records for part in stopped[1:])
    assert max(line.begun) < 8 + 3 + 1


def test_those_on_their_way_come_in_after_a_stop() -> None:
    line = Line()
    stopping = asyncio.Event()

    async def work(slot: int) -> dict[str, Any]:
        if slot == 1:
            await asyncio.sleep(0.002)
            stopping.set()
            raise Stopped("stopped by you")
        await stopping.wait()
        await asyncio.sleep(0.01)
        return {"slot": slot}

    (part,) = line.run(3, work, window=3)
    assert [r["slot"] for r in part.in_order()] == [0, 2]


def test_an_error_outweighs_a_stop() -> None:
    line = Line()

    async def work(slot: int) -> dict[str, Any]:
        await asyncio.sleep(0.001 * slot)
        if slot == 0:
            raise Stopped("stopped by you")
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="a mistake"):
        line.run(3, work, window=3)


def test_a_stop_while_a_chunk_is_being_drawn_ends_soon() -> None:
    line = Line()
    plain = line.draw

    def draw(numbers: Sequence[int]) -> Drawn:
        time.sleep(0.05 if numbers[0] else 0)
        return plain(numbers)

    async def work(slot: int) -> dict[str, Any]:
        raise Stopped("stopped by you")

    line.draw = draw  # type: ignore[method-assign]
    began = time.perf_counter()
    stopped = line.run(300, work, window=2)
    assert time.perf_counter() - began < 2
    assert all(not part.records for part in stopped)
    assert len(line.drawn) <= 3
