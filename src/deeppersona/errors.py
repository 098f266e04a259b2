"""Every error deeppersona raises on purpose: what happened, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

BY_YOU = "stopped by you; run the same command again to go on"  # the reason of a stop that was asked for


class DeepPersonaError(Exception):
    """The root: catch this to catch everything this library raises on purpose."""

    exit_code = 1


class UsageError(DeepPersonaError):
    """Something the caller can mend: shown without a traceback, exit code 2."""

    exit_code = 2


class StoreError(DeepPersonaError):
    """The run folder cannot be read or written; nothing already written is lost."""

    exit_code = 2


class ModelError(DeepPersonaError):
    """A language model could not be asked. What was answered before is kept: the same command goes on from there."""


class RateLimited(ModelError):
    """The server asks for patience: ask again after ``after_s`` seconds, or after a pause of our own (None)."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Unreachable(ModelError):
    """No usable answer came: connection, time limit or server error. Worth asking again."""


class Malformed(ModelError):
    """The server answered with something that is no completion. Worth asking again."""


class NotSupported(UsageError):
    """The server does not take such a request (HTTP 400); one of another shape it may."""


class Stopped(ModelError):
    """No further request is begun: the budget is spent, the user asked to stop, or the server is gone."""


def nearest(word: str, choices: Iterable[str], n: int = 3) -> str:
    """Return a hint ``; did you mean a, b?`` naming the nearest valid choices, or an empty string."""
    by_fold = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=n, cutoff=0.55)
    return f"; did you mean {', '.join(by_fold[c] for c in close)}?" if close else ""


def unknown(what: str, word: object, choices: Iterable[str], show: int = 12) -> UsageError:
    """Build the error for a name that is not one of the valid ones: the nearest, else the first few, are named."""
    listed = list(choices)
    hint = nearest(str(word), listed)
    if not hint:
        more = f" and {len(listed) - show} more" if len(listed) > show else ""
        hint = f"; valid are {', '.join(listed[:show])}{more}"
    return UsageError(f"unknown {what} {str(word)!r}{hint}")
