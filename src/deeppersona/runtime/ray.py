"""Run parts over a Ray cluster: the same contract as ``executor.over_parts``, on other machines.

The driver takes the parts as they come and alone writes them, so that nothing of a run lives on the cluster: whatever dies
there costs the parts it had in hand, and these are given out again. Ray's own retries are left aside, because they cannot
bring back a result that was made and then lost with its machine. The only module that knows Ray (extra ``[ray]``).
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from deeppersona.errors import StoreError, UsageError
from deeppersona.runtime.executor import AHEAD, Over, Result, Task
from deeppersona.version import __version__

ATTEMPTS = 5  # workers a part may take down with it before it is held to be the cause
_LOOK_S = 5.0  # how long to wait for a part before looking at the cluster again
_PATIENCE_S = 300.0  # how long a cluster may be without any processor: one that grows on demand needs minutes
_REACH_S = 10.0
_NOT_THERE = re.compile(r"No module named '([\w.]+)'|failed to import on the worker")  # as Python and Ray say it
_AGAIN = "what is written is safe: run the same command again"


def over_ray(
    work: Callable[[Task], Result], tasks: Iterable[Task], workers: int = 0, *, address: str | None = None
) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) as they come from a Ray cluster; see ``executor.Over``.

    Args:
        work: a top-level function of an installed module; every machine of the cluster has the same version.
        tasks: taken as processors come free, two in hand for each, so that a stream of them is never held as a whole.
        workers: parts at once; 0: as many as the cluster has processors, also while it grows or shrinks.
        address: ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``; ``local`` starts a cluster of this machine alone for as long
            as it is needed. None: the one this process is connected to, else ``RAY_ADDRESS``, else ``local``.

    Raises:
        UsageError: Ray is not installed, the cluster cannot be reached, or its machines lack the package.
        StoreError: a task took down ``ATTEMPTS`` workers, no processor is left, or the connection was lost.
        Whatever ``work`` raises, unchanged (but that a module is missing over there, which is a UsageError).

    """
    with _connected(address, workers) as ray:
        call = ray.remote(num_cpus=1, max_retries=0)(_call)
        running: dict[Any, tuple[Task, int]] = {}
        try:
            yield from _streamed(ray, lambda task: call.remote(__version__, work, task), tasks, workers, running)
        finally:
            for ref in running:
                with suppress(Exception):  # the cluster may be gone; what matters is the error on its way out
                    ray.cancel(ref, force=True)


def ray_at(address: str | None) -> Over:
    """``over_ray`` on a given cluster."""

    def over(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int = 0) -> Iterator[tuple[Task, Result]]:
        return over_ray(work, tasks, workers, address=address)

    return over


def _call(version: str, work: Callable[[Task], Result], task: Task) -> Result:
    """Do a task on the machine of a worker, unless another version there would make other people."""
    if version != __version__:
        raise UsageError(
            f"a machine of the cluster ({socket.gethostname()}) has deeppersona {__version__}, this one {version}; "
            "install the same version on every machine"
        )
    return work(task)


def _streamed(
    ray: Any, give: Callable[[Task], Any], tasks: Iterable[Task], workers: int, running: dict[Any, tuple[Task, int]]
) -> Iterator[tuple[Task, Result]]:
    """Keep the cluster in work and yield what comes; ``running`` maps what is given out to (task, workers it took down)."""
    waiting, lost = iter(tasks), deque[tuple[Task, int]]()
    alive, looked, room = time.monotonic(), -_LOOK_S, 0
    while True:
        if time.monotonic() - looked >= _LOOK_S:
            with _held(ray):
                looked, processors = time.monotonic(), int(ray.cluster_resources().get("CPU", 0))
            room = AHEAD * max(min(processors, workers) if workers else processors, 1)
            alive = looked if processors else alive
        while len(running) < room:
            task, falls = lost.popleft() if lost else (next(waiting, _NONE), 0)
            if task is _NONE:
                break
            with _held(ray):
                running[give(task)] = task, falls
        if not running:
            return
        with _held(ray):
            done, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK_S)
        if not done and time.monotonic() - alive > _PATIENCE_S:
            raise StoreError(f"the Ray cluster has had no processor for {_PATIENCE_S:.0f} s; add a machine, {_AGAIN}")
        for ref in done:
            task, falls = running.pop(ref)
            try:
                yield task, _result(ray, ref)
            except _Lost as error:
                if falls + 1 >= ATTEMPTS:
                    raise StoreError(
                        f"a part was given out {ATTEMPTS} times and its worker died each time (out of memory?): {error}; "
                        f"{_AGAIN}, with fewer --workers if it happens again"
                    ) from None
                lost.append((task, falls + 1))


_NONE: Any = object()


@contextmanager
def _held(ray: Any) -> Iterator[None]:
    """Say it where the connection to the cluster is lost."""
    try:
        yield
    except (ConnectionError, ray.exceptions.RpcError, ray.exceptions.RaySystemError) as error:
        raise StoreError(f"the connection to the Ray cluster was lost ({_first(error)}); {_AGAIN}") from error


class _Lost(Exception):
    """The worker of a task, or its machine, died: the task can be given out again."""


def _result(ray: Any, ref: Any) -> Any:
    """What a task returned; what it raised is raised here. ``_Lost`` where it came to no end of its own."""
    wrong = ray.exceptions
    try:
        return ray.get(ref)
    except wrong.RayTaskError as error:  # first of all: it is also of the kind of what the work raised
        cause = getattr(error, "cause", None)
        lacking = _NOT_THERE.search(str(error))
        if lacking and isinstance(cause, (ModuleNotFoundError, RuntimeError, wrong.RaySystemError)):
            what = f"module {lacking[1]}" if lacking[1] else "the package"
            raise UsageError(
                f"the machines of the cluster lack something ({what}); install deeppersona {__version__} on every one of them"
            ) from error
        raise (cause if isinstance(cause, Exception) else error) from error
    except wrong.RuntimeEnvSetupError as error:
        raise UsageError(f"the cluster cannot set up its workers: {_first(error)}") from error
    except (
        wrong.WorkerCrashedError, wrong.NodeDiedError, wrong.LocalRayletDiedError,
        wrong.ObjectLostError, wrong.OutOfMemoryError,
    ) as error:  # fmt: skip
        raise _Lost(_first(error)) from None
    except (ConnectionError, wrong.RpcError, wrong.RaySystemError) as error:
        with _held(ray):
            raise error


@contextmanager
def _connected(address: str | None, workers: int) -> Iterator[Any]:
    """Ray, connected to a cluster, for as long as it is needed; a connection that was there before stays."""
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    fix = "see that it runs (ray status) and name it as --address auto, HOST:PORT or ray://HOST:PORT"
    _reach(address, fix)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {"include_dashboard": False} | ({"num_cpus": workers} if workers else {})
    try:
        ray.init(address=address, **options)
    except Exception as error:  # Ray has a dozen ways to say that it cannot, RuntimeError and ValueError among them
        what = "no Ray can be started here" if address == "local" else f"the Ray cluster at {address} cannot be used"
        raise UsageError(f"{what}: {_first(error)}; {fix}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody, unless the user wants it
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # no processor but the usual ones is asked for
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UsageError("there is no Ray here: pip install 'deeppersona[ray]', or leave --engine ray away") from None
    return ray


def _reach(address: str, fix: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for minutes."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not host or not port.isdigit():
        raise UsageError(
            f"--address {address!r} is no address of a Ray cluster; write auto, HOST:PORT or ray://HOST:PORT"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster answers at {address} ({error}); {fix}") from None


def _first(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
