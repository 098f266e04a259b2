"""``local:/path/model.gguf``: llama.cpp in a process of ours, on loopback, started when needed and stopped with us.

Needs the extra ``[local]`` (xllamacpp). The server speaks the same wire format as every other, so its adapter is theirs.
It runs in a process of its own: a crash in the native code cannot take the run down, and stopping it frees its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

from deeppersona.errors import Unreachable, UsageError
from deeppersona.models.openai import OpenAICompatible
from deeppersona.models.port import Completion, Prompt

START_S = 180.0
CONTEXT = 8192  # tokens a conversation, for each of those held at once


class Local:
    """A model file served by us; one process, ``parallel`` conversations at once."""

    def __init__(self, file: Path, *, parallel: int = 2, timeout_s: float = 600.0) -> None:
        if not file.is_file():
            raise UsageError(f"local: no model file at {file}; give the path of a .gguf file")
        with file.open("rb") as handle:
            if handle.read(4) != b"GGUF":
                raise UsageError(f"local: {file} is no GGUF file")
        if find_spec("xllamacpp") is None:
            raise UsageError("local: needs the extra: pip install 'deeppersona[local]'")
        self.file, self.parallel, self.name = file, parallel, f"local:{file.name}"
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._model: OpenAICompatible | None = None
        self._starting = asyncio.Lock()

    async def complete(self, prompt: Prompt) -> Completion:
        """Ask the server, starting it the first time."""
        async with self._starting:
            if self._model is None:
                url = await asyncio.to_thread(self._start)
                self._model = OpenAICompatible(self.file.name, url, timeout_s=self._timeout_s, name=self.name)
        if self._process is not None and self._process.poll() is not None:
            raise Unreachable(f"the server of {self.file.name} ended (status {self._process.returncode})")
        return await self._model.complete(prompt)

    def _start(self) -> str:
        """Start the server and wait until it answers; its address."""
        self._end()  # one that never became ready
        command = [
            sys.executable,
            "-m",
            "deeppersona.models.local",
            str(self.file),
            str(self.parallel),
            str(os.getpid()),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
            start_new_session=True,  # Ctrl-C is for us: what is on its way is still wanted
        )  # fmt: skip
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        url = next((line[4:].strip() for line in self._process.stdout if line.startswith("url ")), "")
        if not url:
            raise UsageError(f"local: {self.file} could not be loaded by llama.cpp; is it a complete model file?")
        end = time.monotonic() + START_S
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxy there is
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError), direct.open(f"{url}/health", timeout=5.0) as answer:
                if answer.status == 200:
                    return f"{url}/v1"
            time.sleep(0.1)
        raise UsageError(f"local: {self.file} was not ready within {START_S:g} s")

    async def close(self) -> None:
        """Stop the server."""
        if self._model is not None:
            await self._model.close()
        self._model = None
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
        self._process = None


def _serve(file: str, parallel: int, parent: int) -> None:
    """The server process: prints its address, ends when its parent has ended."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_parallel, params.n_ctx = parallel, CONTEXT * parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.warmup = False
    params.endpoint_metrics = False
    server = xllamacpp.Server(params)
    print(f"url {server.listening_address}", flush=True)
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
