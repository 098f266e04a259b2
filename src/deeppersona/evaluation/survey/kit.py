"""The validity kit of a respondent, as ``survey validity --json`` prints it, read to stand in the report beside the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeppersona.errors import UsageError

_NEEDED = ("inventory", "respondent", "scales", "forms", "unanswered", "people")
_FEWEST_PEOPLE = 30


def read_kit(path: Path, name: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """A kit by the name of its arm, with ``notes`` on where it is not of the answers compared.

    ``made`` is what is told beside the answers; where nothing is, the kit is taken on trust, and that is noted.

    Raises:
        UsageError: no such file, or not what ``survey validity`` prints.

    """
    try:
        kit = json.loads(path.read_text("utf-8"), parse_constant=lambda _: None)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"{path} is no JSON ({error}); {_how()}") from None
    lacking = [k for k in _NEEDED if k not in kit] if isinstance(kit, dict) else list(_NEEDED)
    if lacking or not isinstance(kit["forms"], dict) or not isinstance(kit["scales"], list):
        raise UsageError(f"{path} is no validity kit (no {', '.join(lacking) or 'forms or scales'}); {_how()}")
    return {**kit, "name": name, "file": path.name, "notes": _notes(kit, made)}


def _how() -> str:
    return "make one with: deeppersona survey validity INVENTORY RUN --out validity.json"


def _notes(kit: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    notes = []
    asked, who = str(made.get("inventory", "")), dict(made.get("respondent") or {})
    if not made:
        notes.append(
            "nothing beside the answers tells who gave them, so that the kit is taken to be of the same respondent"
        )
    if asked and "." not in asked and asked != kit["inventory"]:
        notes.append(f"the kit is of the questionnaire {kit['inventory']}, the answers are to {asked}")
    theirs = kit["respondent"] if isinstance(kit["respondent"], dict) else {}
    differ = [k for k in sorted({*who} & {*theirs}) if who[k] != theirs[k]]
    if differ:
        notes.append("the kit is of another respondent: " + ", ".join(f"{k} {theirs[k]}, not {who[k]}" for k in differ))
    if isinstance(kit["people"], int) and kit["people"] < _FEWEST_PEOPLE:
        notes.append(f"the kit rests on {kit['people']} people: read its figures as rough")
    return notes
