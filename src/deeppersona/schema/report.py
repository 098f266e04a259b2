"""What went wrong, as values: findings about a taxonomy or a person, and people who could not be made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Issue(BaseModel):
    """One finding: where, which rule, what, how bad. For taxonomy files also the file and line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    rule: str
    message: str
    severity: Literal["error", "warning"] = "error"
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else ""
        path = f"{self.path}: " if self.path else ""
        return f"{place}{path}{self.message} [{self.rule}]"


class Failure(BaseModel):
    """A person who could not be made: the slot, the stage and the reason. One line of ``failures.jsonl``.

    ``refilled`` is the attempt at which another person took the slot; 0 where it stayed empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: int
    stage: str
    reason: str
    refilled: int = 0
