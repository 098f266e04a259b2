"""A model asked steadily: so many at once, again where it failed, twice where one request straggles.

The limit adapts: one 429 makes its own request wait as long as the server says; only when they keep coming is less
asked at once. Requests are retried one by one, so nothing waits for the slowest of a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict, deque

from deeppersona.errors import Malformed, NotSupported, RateLimited, Stopped, Unreachable
from deeppersona.models.port import Completion, LanguageModel, Message, Prompt

GONE = "see that it is up (deeppersona models check SPEC), then run the same command again"
_WINDOW = 20  # answers looked at to tell a sustained 429 from a single one
_SUSTAINED = 5
_CUT = 0.7
_LEARN = 30  # answers of a stage before stragglers can be told
_HEDGED = 0.03  # share of requests asked twice, at the most
_LONGEST_PAUSE_S = 20.0
_SHORTEST_PATIENCE_S = 0.05  # a server that says "in 0 seconds" for ever is not asked in a tight loop


class Gate:
    """Lets so many pass at once, first come first served; how many may change while they wait."""

    def __init__(self, limit: int) -> None:
        self.limit, self.capacity, self.inside = limit, float(limit), 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    async def enter(self, *, first: bool = False) -> None:
        """Wait for a place, before all others who wait where ``first``; it is given back with ``leave``."""
        if self.inside < int(self.capacity) and not self._waiting:
            self.inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)(turn)
        try:
            await turn  # whoever wakes it has counted it in
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back."""
        self.inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.inside < int(self.capacity):
            turn = self._waiting.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)

    def less(self) -> None:
        """Let fewer in from now on."""
        self.capacity = max(1.0, self.capacity * _CUT)

    def more(self) -> None:
        """Let one more in after as many good answers as there are places."""
        if self.capacity < self.limit:
            self.capacity = min(self.limit, self.capacity + 1.0 / self.capacity)
            self._admit()


class Steady:
    """Retries, an adaptive limit, a total deadline and hedged stragglers around a model."""

    def __init__(
        self, inner: LanguageModel, *, limit: int = 32, attempts: int = 6, deadline_s: float = 900.0,
        first_pause_s: float = 0.5, hedge: bool = True,
    ) -> None:  # fmt: skip
        self.inner, self.name = inner, inner.name
        self.gate = Gate(limit)
        self.attempts, self.deadline_s, self.first_pause_s = attempts, deadline_s, first_pause_s
        self.stopping, self.hedge = "", hedge
        self.counts: dict[str, int] = defaultdict(int)
        self._limited: deque[bool] = deque(maxlen=_WINDOW)
        self._took: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=200))
        self._straggles: dict[str, float] = {}
        self._good_at = 0.0
        self._cut_at = 0.0
        self._halt: asyncio.Event | None = None
        self._jitter = random.Random()  # noqa: S311 - spreads retries in time; no result depends on it

    def stop(self, reason: str) -> None:
        """Begin no further request; those on their way come in."""
        self.stopping = self.stopping or reason
        if self._halt is not None:
            self._halt.set()

    async def _wait(self, pause: float) -> None:
        """Pause, but not beyond a stop."""
        if self._halt is None:
            self._halt = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._halt.wait(), pause)

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt, asking again where that may help. Unreachable or Malformed when it does not; Stopped."""
        clock = asyncio.get_running_loop().time
        began, failed = clock(), 0
        while True:
            if self.stopping:
                raise Stopped(self.stopping)
            try:
                completion = await self._one(prompt)
            except (RateLimited, Unreachable, Malformed) as error:
                if isinstance(error, RateLimited):
                    pause = self._patience(error, clock(), failed)
                else:
                    pause = self._pause(failed)
                    failed += 1
                self.counts["rate_limited" if isinstance(error, RateLimited) else "failed"] += 1
                if (
                    failed >= (2 if prompt.stage == "check" else self.attempts)
                    or clock() - began + pause > self.deadline_s
                ):
                    if self._good_at < began and (isinstance(error, RateLimited) or not await self._answers()):
                        # not this request alone: the server is gone, or will have no more of us for now
                        self.stop(f"{self.name} does not answer ({error}); {GONE}")
                        raise Stopped(self.stopping) from None
                    if isinstance(error, RateLimited):
                        raise Unreachable(str(error)) from None
                    raise
                self.counts["retried"] += 1
                await self._wait(pause)
            else:
                self._good_at = clock()
                self._limited.append(False)
                self.gate.more()
                return completion

    async def _answers(self) -> bool:
        """Whether the server answers the smallest of questions."""
        try:
            await self.inner.complete(Prompt((Message("user", "Say yes."),), "check", 4, 0.0))
        except (Unreachable, Malformed):
            return False
        except (RateLimited, NotSupported):
            return True
        return True

    def _pause(self, failed: int) -> float:
        longest = min(self.first_pause_s * 2**failed, _LONGEST_PAUSE_S)
        return float(longest * (0.5 + 0.5 * self._jitter.random()))

    def _patience(self, error: RateLimited, now: float, failed: int) -> float:
        """How long a request that was turned away waits; and, where 429s keep coming, how much less is asked at once."""
        self._limited.append(True)
        if sum(self._limited) >= _SUSTAINED and now - self._cut_at > 1.0:
            self.gate.less()
            self._cut_at = now
            self.counts["slowed"] += 1
        if error.after_s is None:
            return self._pause(failed + 1)
        return max(error.after_s, _SHORTEST_PATIENCE_S) * (1.0 + 0.1 * self._jitter.random())

    async def _one(self, prompt: Prompt) -> Completion:
        """One request, or two where the first straggles: the first good answer wins."""
        async with self.gate:
            if self.stopping:
                raise Stopped(self.stopping)
            self.counts["requests"] += 1
            clock = asyncio.get_running_loop().time
            began, wait = clock(), self._straggles.get(prompt.stage)
            if wait is None or not self.hedge or self.counts["hedged"] >= 2 + _HEDGED * self.counts["requests"]:
                completion = await self.inner.complete(prompt)
            else:
                completion = await self._hedged(prompt, wait)
            self._learn(prompt.stage, clock() - began)
            return completion

    async def _hedged(self, prompt: Prompt, wait: float) -> Completion:
        first = asyncio.ensure_future(self.inner.complete(prompt))
        both: set[asyncio.Future[Completion]] = {first}
        try:
            done, _ = await asyncio.wait(both, timeout=wait)
            if done or self.stopping:
                return await first
            self.counts["hedged"] += 1
            both.add(asyncio.ensure_future(self._again(prompt)))
            failure: BaseException | None = None
            while both:
                done, both = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    failure = one.exception() or failure
                for one in done:
                    if one.exception() is None:
                        return one.result()
            raise failure or Unreachable("no answer")
        finally:
            for one in both:
                one.cancel()
                with contextlib.suppress(BaseException):
                    await one

    async def _again(self, prompt: Prompt) -> Completion:
        """The second request of a straggler takes a place like any other: the limit is the server's."""
        await self.gate.enter(first=True)
        try:
            if self.stopping:
                raise Stopped(self.stopping)
            return await self.inner.complete(prompt)
        finally:
            self.gate.leave()

    def _learn(self, stage: str, took: float) -> None:
        """From the times of a stage's answers, tell from when on a request straggles: far beyond 19 in 20 of them."""
        times = self._took[stage]
        times.append(took)
        if len(times) >= _LEARN and self.counts["requests"] % 10 == 0:
            self._straggles[stage] = 1.0 + 2.5 * sorted(times)[int(0.95 * len(times))]

    async def close(self) -> None:
        """Close the model."""
        await self.inner.close()
