"""Run parts here or over processes. The bytes are the same either way: a part depends on the plan and its slots alone."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from types import TracebackType
from typing import Protocol, Self, TypeVar

from deeppersona.errors import StoreError

Result = TypeVar("Result")
Task = TypeVar("Task")
_FORKED = sys.platform == "linux"  # elsewhere libraries of the system may not live through being forked
_SAFE_PATH = "PYTHONSAFEPATH"
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


def prepare(module: str = __name__) -> None:
    """Begin the process that pools are forked from, which imports a module meanwhile: their processes then start with it at hand.

    Worth it some time before a pool is needed, and of no effect once there was one. Without it each process imports for itself.
    """
    if not _FORKED:
        return
    from multiprocessing import forkserver, resource_tracker

    forkserver.set_forkserver_preload([module])
    usual = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"  # nothing of the folder the user stands in is imported
    resource_tracker.ensure_running()  # which lets Ctrl-C through again when it has begun
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for this process, from the start
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.environ.pop(_SAFE_PATH)
        os.environ |= {} if usual is None else {_SAFE_PATH: usual}


def helper() -> ProcessPoolExecutor:
    """One process beside this one, which keeps its own processor free for what waits on a server; used in a ``with``."""
    return _pool(1)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes that end when this one does, however that ends, and leave Ctrl-C to it."""
    prepare()
    # Never a copy of this process, which has threads.
    context = multiprocessing.get_context("forkserver" if _FORKED else "spawn")
    return ProcessPoolExecutor(workers, context, _serve)


def _serve() -> None:
    """Live as long as the process that wanted this one, and end at once.

    After a ``kill -9`` nobody tells the pool's processes, and they would wait for work, and hold their memory, for ever.
    Told to end, they would take down what they built object by object, which takes most of a second.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(os._exit, 0)
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this is done in processes of pools alone

    def watch() -> None:
        parent.join()
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


class Processes:
    """Processes kept for several runs of parts, begun when first needed: the second time they have at hand what they built.

    Used as ``over`` inside a ``with``, as often as wanted; all with the same number of workers.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the processes there are, which gives back their memory; a further run begins others."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def __call__(
        self, work: Callable[[Task], Result], tasks: Iterable[Task], workers: int
    ) -> Iterator[tuple[Task, Result]]:
        """See ``Over``. With one worker, or for one task while no process has begun, it is done here."""
        if workers <= 1 or (self._pool is None and isinstance(tasks, Sized) and len(tasks) <= 1):
            for task in tasks:
                yield task, work(task)
            return
        if self._pool is None:  # which starts a process only when a task finds none idle
            self._pool = _pool(workers)
        running: dict[Future[Result], Task] = {}
        for task in tasks:
            running[self._pool.submit(work, task)] = task
            if len(running) >= workers * AHEAD:
                yield from _collect(running)
        while running:
            yield from _collect(running)


def over_parts(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) as they come; ``work`` is a top-level function when there is more than one worker.

    Tasks are taken as processes come free, so that a stream of them is never held as a whole.
    """
    with Processes() as over:
        yield from over(work, tasks, workers)


def is_here(over: Over) -> bool:
    """Whether a way to run parts keeps to this machine."""
    return over is over_parts or isinstance(over, Processes)


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
