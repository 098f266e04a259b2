"""Run people through slow work, many at once, in order of their slots and without barriers between parts.

People are drawn a chunk ahead in a thread of its own, worked on as places come free, and a part is committed when its
last person is done, whatever other parts are in hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from deeppersona.errors import Stopped
from deeppersona.schema.report import Failure

Draft = TypeVar("Draft")
Record = dict[str, Any]


@dataclass
class Part(Generic[Draft]):
    """A part in hand: its people as they come, by place."""

    number: int
    size: int
    records: dict[int, Record] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether everybody is made or known to have failed."""
        return len(self.records) + len(self.failures) == self.size

    def in_order(self) -> list[Record]:
        """The people made so far in the order of their slots."""
        return [self.records[place] for place in sorted(self.records)]


async def over_people(
    numbers: Sequence[int], draw: Callable[[Sequence[int]], list[tuple[int, int, list[Draft], list[Failure]]]],
    work: Callable[[Draft], Awaitable[Record]], commit: Callable[[Part[Draft]], None], *, window: int, ahead: int, first: int,
    begun: Callable[[Part[Draft]], None] = lambda part: None,
) -> list[Part[Draft]]:  # fmt: skip
    """Make parts, ``window`` people at once.

    ``draw`` makes the drafts of some parts at once: (number, size, drafts, failures) each; it is
    asked for ``ahead`` parts at once, for ``first`` to begin with. ``work`` raises Stopped where nothing more may be begun;
    ``begun`` is told of each part with those who could not be drawn, before anybody of it is worked on.

    Returns:
        The parts that were stopped in the middle; empty when all was made. The first other error is raised.

    """
    places = asyncio.Semaphore(window)
    running: set[asyncio.Task[None]] = set()
    stopped: dict[int, Part[Draft]] = {}
    halt = asyncio.Event()
    trouble: list[BaseException] = []

    async def one(part: Part[Draft], place: int, draft: Draft) -> None:
        try:
            part.records[place] = await work(draft)
            if part.whole:
                commit(part)
        except Stopped:
            stopped[part.number] = part
            halt.set()
        except BaseException as error:
            trouble.append(error)
            halt.set()
        finally:
            places.release()

    async def feed() -> None:
        async for number, size, drafts, failures in _drawn(numbers, draw, first, ahead):
            part: Part[Draft] = Part(number, size, {}, failures)
            begun(part)
            if part.whole:
                commit(part)
            for place, draft in enumerate(drafts):
                await places.acquire()
                if halt.is_set():
                    stopped.setdefault(number, part)
                    return
                task = asyncio.create_task(one(part, place, draft))
                running.add(task)
                task.add_done_callback(running.discard)

    try:
        if numbers:
            await feed()
    except Exception as error:
        trouble.append(error)
    while running:
        await asyncio.wait(set(running))
    if trouble:
        raise trouble[0]
    return list(stopped.values())


async def _drawn(
    numbers: Sequence[int], draw: Callable[[Sequence[int]], list[tuple[int, int, list[Draft], list[Failure]]]], first: int, ahead: int
) -> AsyncIterator[tuple[int, int, list[Draft], list[Failure]]]:  # fmt: skip
    """Parts drawn in a thread, the next chunk while the last is worked on."""
    chunks = [numbers[:first], *(numbers[i : i + ahead] for i in range(first, len(numbers), ahead))]
    coming = asyncio.create_task(asyncio.to_thread(draw, chunks[0]))
    try:
        for after in [*chunks[1:], None]:
            drawn = await coming
            if after is not None:
                coming = asyncio.create_task(asyncio.to_thread(draw, after))
            for part in drawn:
                yield part
    finally:
        await asyncio.wait({coming})
