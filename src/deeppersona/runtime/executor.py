"""Run parts here or over processes. The bytes are the same either way: a part depends on the plan and its slots alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from typing import Protocol, TypeVar

from deeppersona.errors import StoreError

Result = TypeVar("Result")
Task = TypeVar("Task")
_LOOK_S = 1.0
AHEAD = 2  # parts in hand for each process: enough to keep it busy, few enough to keep memory flat


@contextmanager
def without_gc() -> Iterator[None]:
    """Pause the cycle collector: a part makes a million small objects and no cycles, which it would walk in vain."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def rarer_gc() -> Iterator[None]:
    """Let the cycle collector look seldom: answers and people are many small objects and few cycles."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def die_with_parent() -> None:
    """Let a process of a pool end when the process that started it does, however that ended.

    After a ``kill -9`` nobody tells the pool's processes, and they would wait for work, and hold their memory, for ever.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    Thread(target=watch, name="die with parent", daemon=True).start()


class Over(Protocol):
    """A way to run parts: in processes (``over_parts``), on a cluster (``runtime.ray.over_ray``)."""

    def __call__(
        self, work: Callable[[Task], Result], tasks: Iterable[Task], workers: int
    ) -> Iterator[tuple[Task, Result]]:
        """Yield (task, result) as they come, in any order, each task once, few in hand at a time.

        ``work`` is a top-level function. What it raises is raised here, unchanged, and ends the run of parts.
        """


def over_parts(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) as they come; ``work`` is a top-level function when there is more than one worker.

    Tasks are taken as processes come free, so that a stream of them is never held as a whole.
    """
    few = len(tasks) if isinstance(tasks, Sized) else workers
    if workers <= 1 or few <= 1:
        for task in tasks:
            yield task, work(task)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(workers, few), mp_context=context, initializer=die_with_parent) as pool:
        waiting = iter(tasks)
        running: dict[Future[Result], Task] = {}
        for task in waiting:
            running[pool.submit(work, task)] = task
            if len(running) >= workers * AHEAD:
                yield from _collect(running)
        while running:
            yield from _collect(running)


def _collect(running: dict[Future[Result], Task]) -> Iterator[tuple[Task, Result]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        task = running.pop(future)
        try:
            yield task, future.result()
        except BrokenProcessPool:
            raise StoreError(
                "a worker process was killed (out of memory?); what is written is safe: run the same command again, "
                "with --workers 1 if it happens again"
            ) from None
