"""Talk made for the tests: who says what is known, so what must be found is known too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PETS = ("dog", "cat", "parrot")
SAYS = (
    "I have a {pet} and two kids.",
    "I work as a nurse. My sister and I share a flat.",
    "I love fishing, and my husband hates it.",
    "I can't sleep. I feel lonely most of the time.",
    "I donate to the animal shelter every year.",
    "I am 34 years old and I live in Leeds.",
    "My neighbour plays the drums. I wish he would stop.",
)
SECRET = (
    "My name is Wolfgang Szymanski, call me on +49 171 5550199.",
    "I live at 12 Baker Street, write to w.szymanski@example.org or @wolfszy.",
)
TASK = "Write a function that sorts a list of numbers and explain its running time."


def talk(n: int, *, secrets: bool = True) -> list[dict[str, Any]]:
    """``n`` conversations in OpenAI's form: some tell of their person, some set a task."""
    out = []
    for k in range(n):
        if k % 4 == 3:
            said = [{"role": "user", "content": f"{TASK} Use {k} examples."}]
        else:
            lines = [SAYS[(k + j) % len(SAYS)].format(pet=PETS[k % 3]) for j in range(3)]
            if secrets and k % 5 == 0:
                lines += SECRET
            said = [{"role": "user", "content": f"{' '.join(lines)} This is letter {k}."}]
        said.append({"role": "assistant", "content": "I am a robot. I have seven goats and I love polka."})
        out.append({"id": f"talk-{k}", "messages": said})
    return out


def write(path: Path, conversations: list[dict[str, Any]]) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(c) + "\n" for c in conversations))
    return path
