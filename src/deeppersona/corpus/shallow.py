"""Read shallow personas: our own records, flat dictionaries, or one line ``{"persona": "..."}`` (PersonaHub's form).

What can be recognised safely becomes an anchor of the core; everything given is kept as it was given. Text is data: it
is searched for words, never run, filled in or followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from deeppersona.errors import UsageError
from deeppersona.facts.tables import Facts

MAX_LINE = 1_000_000
_KEYS = {
    "age": "age", "sex": "sex", "gender": "sex", "country": "country", "nationality": "country", "city": "city",
    "location": "city", "town": "city", "occupation": "occupation", "job": "occupation", "profession": "occupation",
    "education": "education", "marital_status": "marital_status", "marital": "marital_status", "children": "children",
    "household_size": "household_size", "religion": "religion", "language": "language", "name": "name",
    "full_name": "name", "income": "income", "employment_status": "employment_status", "urban": "urban",
    "region": "region",
}  # fmt: skip
_INTERESTS = ("interests", "hobbies", "interest", "hobby", "likes")
_AGE = re.compile(
    r"\b(\d{1,3})[- ]years?[- ]old\b|\baged? (\d{1,3})\b|\bage of (\d{1,3})\b|\bin (?:his|her|their) (?:(early|mid|late)[- ])?(\d)0s\b",
    re.IGNORECASE,
)
GENDERED = {
    "female": re.compile(r"\b(woman|mother|wife|girl|grandmother|daughter|sister|widow|she|her|herself|housewife|lady|actress|waitress)\b", re.I),
    "male": re.compile(r"\b(man|father|husband|boy|grandfather|son|brother|widower|he|his|himself|gentleman|waiter)\b", re.I),
}  # fmt: skip
MARRIED = {
    "married": re.compile(r"\b(married|husband and|wife and|(?:his|her) (?:wife|husband))\b", re.I),
    "divorced": re.compile(r"\b(divorced|divorcee?)\b", re.I),
    "widowed": re.compile(r"\b(widowed|widow|widower)\b", re.I),
    "single": re.compile(r"\b(unmarried|bachelor who|never married|single (?:man|woman|mother|father|parent))\b", re.I),
}
_INTEREST = re.compile(
    r"\b(?:loves?|enjoys?|(?:is |are )?(?:passionate|enthusiastic|crazy) about|(?:is |are )?interested in|(?:is |are )?fond of|"
    r"fascinated by|(?:a |an )?(?:avid|keen) fan of)\s+([^.;,]{3,60})",
    re.IGNORECASE,
)
_RETIRED = re.compile(r"\bretired\b", re.I)


@dataclass(frozen=True)
class Shallow:
    """A persona as it came: ``core`` what anchors the draw (field -> text as written), ``given`` traits to keep.

    ``interests`` are phrases read off; ``text`` the free line, if that is all there was.
    """

    line: int
    core: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    interests: tuple[str, ...] = ()
    text: str = ""


@lru_cache(maxsize=1)
def _finders() -> tuple[re.Pattern[str], dict[str, str], re.Pattern[str], dict[str, str]]:
    """Patterns of the countries (names and demonyms) and of the occupations, longest first."""
    facts = Facts()
    places: dict[str, str] = {}
    for c in facts.countries.values():
        places[c.name.casefold()] = c.iso2
        for demonym in re.split(r"[,/]| or ", c.demonym):
            if len(demonym.strip()) > 3:
                places.setdefault(demonym.strip().casefold(), c.iso2)
    jobs = {title.casefold(): title for title in facts.occupations.title}

    def pattern(words: dict[str, str]) -> re.Pattern[str]:
        return re.compile(
            r"\b(" + "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True)) + r")s?\b", re.I
        )

    return pattern(places), places, pattern(jobs), jobs


def named_places(text: str) -> set[str]:
    """The countries a text names, by name, people or code."""
    pattern, places, _, _ = _finders()
    return {places[m.casefold()] for m in pattern.findall(text)} | ({text} & Facts().countries.keys())


def recognise(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read off a free line what is safe: age, sex, country, occupation, marital status, interests.

    Two different hits for one thing (two countries, both sexes) are not safe and are left out.
    """
    core: dict[str, Any] = {}
    if (m := _AGE.search(text)) is not None:
        exact = next((g for g in m.groups()[:3] if g), None)
        if exact is not None:
            core["age"] = int(exact)
        else:
            low = int(m[5]) * 10
            first, last = {"early": (0, 3), "mid": (4, 6), "late": (7, 9)}.get((m[4] or "").lower(), (0, 9))
            core["age"] = f"{low + first}..{low + last}"
    sexes = {sex for sex, pattern in GENDERED.items() if pattern.search(text)}
    if len(sexes) == 1:
        core["sex"] = sexes.pop()
    place_pattern, places, job_pattern, jobs = _finders()
    found = {places[m.casefold()] for m in place_pattern.findall(text)}
    if len(found) == 1:
        core["country"] = found.pop()
    if (job := job_pattern.search(text)) is not None:
        title = jobs[job[1].casefold()]
        if _RETIRED.search(text):
            core["employment_status"] = "retired"
            core["former_occupation"] = title
        else:
            core["occupation"] = title
    elif _RETIRED.search(text):
        core["employment_status"] = "retired"
    states = {state for state, pattern in MARRIED.items() if pattern.search(text)}
    if len(states) == 1:
        core["marital_status"] = states.pop()
    interests = tuple(dict.fromkeys(m.strip().rstrip("'\"") for m in _INTEREST.findall(text)))[:5]
    return core, interests


def _own_record(raw: Mapping[str, Any], line: int) -> Shallow:
    core, given = {}, {}
    for trait in raw["traits"]:
        path, value = str(trait["path"]), trait["value"]
        head, _, leaf = path.partition(".")
        if head == "demographics" and leaf in _KEYS:
            core[leaf] = value
        else:
            given[path] = value
    return Shallow(line, core, given)


def _flat(raw: Mapping[str, Any], line: int) -> Shallow:
    core: dict[str, Any] = {}
    given: dict[str, Any] = {}
    interests: list[str] = []
    for key, value in raw.items():
        if value is None or value == "":
            continue
        folded = str(key).strip().casefold().replace(" ", "_").replace("-", "_").removeprefix("demographics.")
        if folded in _KEYS:
            core[_KEYS[folded]] = value
        elif folded in _INTERESTS:
            items = value if isinstance(value, list) else re.split(r"[;,]", str(value))
            interests += [str(item).strip() for item in items if str(item).strip()]
        elif isinstance(value, (str, int, float, list)):
            given[folded if "." in folded else f"given.{re.sub(r'[^a-z0-9_]+', '_', folded).strip('_') or 'field'}"] = (
                value
            )
    return Shallow(line, core, given, tuple(interests))


def shallow_persona(raw: Any, line: int) -> Shallow:
    """Read one record. UsageError where it is none of the three forms."""
    if not isinstance(raw, Mapping):
        raise UsageError(f"line {line}: expected a JSON object, got {type(raw).__name__}")
    if isinstance(raw.get("traits"), list):
        try:
            return _own_record(raw, line)
        except (KeyError, TypeError):
            raise UsageError(f"line {line}: a trait needs path and value") from None
    text = raw.get("persona")
    if isinstance(text, str):
        core, interests = recognise(text)
        rest = _flat({k: x for k, x in raw.items() if k != "persona"}, line)
        return Shallow(line, {**core, **rest.core}, rest.given, (*rest.interests, *interests), text)
    if not raw:
        raise UsageError(f'line {line}: the object is empty; give at least one field, as {{"age": 34}}')
    return _flat(raw, line)


def read_shallow(path: Path) -> Iterator[Shallow]:
    """Read a JSON-lines file. UsageError names the line and the fix; no line is dropped in silence."""
    try:
        handle = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            if len(line) > MAX_LINE:
                raise UsageError(f"{path}: line {number} is over {MAX_LINE:,} bytes; one persona a line")
            try:
                raw = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UsageError(f"{path}: line {number} is no JSON ({error}); one JSON object a line") from None
            yield shallow_persona(raw, number)
