"""Every sentence said to a model, as files: ``say("writing/portrait", ...)``. Their fingerprint goes into the plan.

Templates are ours alone and rendered in a sandbox; what comes from outside enters as a value, between marks.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

_FOLDER = Path(__file__).parent
# No mark begins without this sign or one that looks like it; what comes from outside has none of them left.
_OPENERS = str.maketrans(dict.fromkeys("<\uff1c\ufe64\u2039\u3008\u27e8", "("))


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(  # no HTML is made
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


@lru_cache(maxsize=64)
def _template(name: str) -> Template:
    return _environment().from_string((_FOLDER / f"{name}.md").read_text("utf-8").strip())


def say(prompt: str, /, **values: Any) -> str:
    """Say a sentence of the house with these values."""
    return _template(prompt).render(**values)


def quoted(text: str) -> str:
    """Text from outside, between marks that it cannot close itself: data, whatever it says."""
    return f"<data>\n{unmarked(text)}\n</data>"


def unmarked(text: str) -> str:
    """Text that will stand between marks, without any of its own."""
    return text.translate(_OPENERS)


@lru_cache(maxsize=4)
def fingerprint(*stages: str) -> str:
    """``sha256:`` of all that can be said, or of what some stages say: another wording is another plan."""
    digest = hashlib.sha256()
    folders = [_FOLDER / stage for stage in stages] or [_FOLDER]
    for file in sorted(file for folder in folders for file in folder.rglob("*.md")):
        digest.update(file.relative_to(_FOLDER).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return "sha256:" + digest.hexdigest()
