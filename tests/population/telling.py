"""What a model that keeps every rule on profiles would answer, made of what the question itself says."""

from __future__ import annotations

import re
from typing import Any

from tests.servers import answer

_MUST = re.compile(r"call (?:her|him|them) (.+); say that (\w+) is (\d+) years old and in grade (\d+);")


def dutiful(question: str) -> str:
    """A text that keeps every rule a profile is held to, made of what the question itself says."""
    found = _MUST.search(question)
    assert found, question
    name, they, age, grade = found.groups()
    subjects = re.findall("«(.+?)»", question.partition("in these very words:")[2].partition("\n")[0])
    plain = answer({"messages": [{"role": "user", "content": f"Name: {name}\n{name} {age} (120 to 130 words)"}]})
    return f"{name} is {age} years old and in grade {grade}; {they} has {' and '.join(subjects)} on Monday.\n\n{plain}"


def question_of(messages: list[dict[str, str]]) -> str:
    return next(m["content"] for m in messages if m["role"] == "user")


def scripted(body: dict[str, Any]) -> str | None:
    question = question_of(body["messages"])
    return dutiful(question) if "Write the profile" in question else None
