"""Read an object out of a model's answer, whatever stands around it and however it is spelt.

A value that may be half a value is worse than none, so an object that was cut off is read only as far as the last comma
that is sure to stand between two members: one with a key and a colon after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import chain, pairwise
from typing import Any, NamedTuple

from deeppersona.models.text import without_thoughts

_MOST = 200_000
_MOST_REPAIRED = 5_000  # the tolerant reader slows with the square of some inputs, and a value is never this long
_STRINGS = {'"': '"', "'": "'", "“": "”"}
_NOTE = r"(?://|\#[ ])[^\n]{0,400}\n|/\*(?:[^*]|\*(?!/)){0,400}\*/"
_KEY = re.compile(
    r"\s*+(?:\"(?P<double>(?:[^\"\\]|\\.){0,500}+)\"|'(?P<single>(?:[^'\\\n]|\\.|'(?=\w)){0,500}+)'"
    r"|“(?P<curly>[^”\n]{0,500}+)”|(?P<bare>[^\W_][\w .>&()-]{0,120}))\s*+:",
    re.DOTALL,
)
_BEGIN = re.compile(rf"\{{(?:\s|{_NOTE})*+(?:[\"'“}}]|[^\W_][\w .>&()-]{{0,120}}:)")
_SIGN = re.compile(r"[{}\[\],:\"'“]|(?<![^\s,{}\[\]\"'])(?://|\#[ ]|/\*)")
_STRING_END = {  # a closing mark is one after which a member can end; others are quotation left unescaped
    opener: re.compile(rf"\\.|{closer}(?=\s*+(?:[,:}}\]]|$|//|\#[ ]|/\*)|[ \t]*+\n)", re.DOTALL)
    for opener, closer in _STRINGS.items()
}
_MISSING_COMMA = {
    opener: re.compile(
        rf"{closer}[\s;]+(?:{opener}[^{opener}{closer}\n]{{1,200}}+{closer}\s{{0,4}}:|\w{{1,80}}+\s{{0,4}}:\s{{0,4}}{opener})"
    )
    for opener, closer in _STRINGS.items()
}
_ESCAPED = re.compile(r'\\.|"', re.DOTALL)
_LITERALS = {"True": True, "False": False, "None": None}
_WRAPPER_NAMES = "answers?|attributes|data|fields|items|json|object|output|persona|profile|response|results?|values"
_WRAPPER = re.compile(_WRAPPER_NAMES, re.IGNORECASE)
_WRAPPED = re.compile(rf"\{{\s*+[\"'“]?(?:{_WRAPPER_NAMES})[\"'”]?\s*+:\s*+(?=[{{\[])", re.IGNORECASE)
_IDS = frozenset(["attribute", "id", "index", "key", "no", "number", "path", "question", "question_id"])
_ANSWERS = frozenset(["answer", "content", "response", "text", "value"])
_IN_DOUBT = object()


class _Found(NamedTuple):
    """An object in a text: where it stands, its body, the commas between its members, and whether it was cut off."""

    start: int
    end: int
    body: str
    commas: list[int]
    cut: bool


def json_object(text: str, keys: Collection[str] = ()) -> tuple[dict[str, Any], set[str], bool]:
    """Read an object out of a model's answer: the values, the keys whose value is in doubt, and whether it is whole.

    An object that holds one of the ``keys`` asked for is the answer itself, and wraps nothing.
    """
    try:
        return _read(text[:_MOST], keys)
    except RecursionError:  # nested past all sense
        return {}, set(), False


def _read(text: str, keys: Collection[str]) -> tuple[dict[str, Any], set[str], bool]:
    text = text.strip().removeprefix("\ufeff")
    if text[:1] not in ("{", "["):
        text = without_thoughts(text)
    try:
        read = _strict(text)
    except ValueError:
        return _dig(text)
    values, doubtful = _settled(_flat(read, keys))
    return values, doubtful, isinstance(read, dict) or bool(values or doubtful)


def _strict(text: str) -> Any:
    return json.loads(text, strict=False, object_pairs_hook=_gathered, parse_constant=lambda _: None)


def _gathered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A dict that does not choose between two values of one key."""
    values: dict[str, Any] = {}
    for spaced, value in pairs:
        key = spaced.strip()
        if key in values and not (type(values[key]) is type(value) and values[key] == value):
            values[key] = _IN_DOUBT
        elif key:
            values[key] = value
    return values


def _settled(values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    doubtful = {key for key, value in values.items() if _is_doubtful(value)}
    return {key: value for key, value in values.items() if key not in doubtful}, doubtful


def _is_doubtful(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_doubtful, value.values()))
    return any(map(_is_doubtful, value)) if isinstance(value, list) else value is _IN_DOUBT


def _flat(read: Any, keys: Collection[str] = ()) -> dict[str, Any]:
    """One object out of a list of them, or out of an object that only wraps it."""
    outermost = True  # one wrapper may have any name; a second only a name that says it is one
    for _ in range(4):
        if isinstance(read, list):
            read = _joined(read) if all(isinstance(part, dict) for part in read) else {}
            continue
        if not isinstance(read, dict) or len(read) != 1:
            break
        ((key, inner),) = read.items()
        if key in keys:
            break
        parts = inner if isinstance(inner, list) else [inner]
        named = _WRAPPER.fullmatch(key) is not None
        if not inner or not all(isinstance(part, dict) for part in parts):
            break
        if not named and not (outermost and isinstance(inner, dict)):
            break
        read, outermost = inner, False
    return read if isinstance(read, dict) else {}


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The members of several objects, or where each is a question and its answer, the answers by question."""
    parts = [part for part in parts if part]
    if not parts:
        return {}
    asked = next((key for key in parts[0] if key.lower() in _IDS), None)
    told = next((key for key in parts[0] if key.lower() in _ANSWERS), None)
    if asked and told and all(isinstance(part.get(asked), str | int) for part in parts):
        return _gathered((str(part[asked]), part.get(told, _IN_DOUBT)) for part in parts)
    return _gathered(chain.from_iterable(part.items() for part in parts))


def _dig(text: str, wrappers: int = 2) -> tuple[dict[str, Any], set[str], bool]:
    """Read the longest run of objects in a text that is not JSON as a whole."""
    runs: list[list[_Found]] = []
    begin = 0
    while match := _BEGIN.search(text, begin):
        found = _object(text, match.start())
        if runs and not text[begin : found.start].strip(" \t\n\r,"):
            runs[-1].append(found)
        else:
            runs.append([found])
        begin = found.end
    if not runs:
        return {}, set(), False
    run = max(runs, key=lambda run: run[-1].end - run[0].start)
    cut = run[-1].cut
    if cut and wrappers and len(run) == 1 and (wrapper := _WRAPPED.match(run[0].body)) and len(_edges(run[0])) == 1:
        values, doubtful, _ = _dig(run[0].body[wrapper.end() :], wrappers - 1)
        return values, doubtful, False
    in_list = text[: run[0].start].rstrip().endswith("[")
    listed = in_list or len(run) > 1
    parts = [_members(found) for found in run]
    values, doubtful = _settled(
        (_joined(parts) if listed else parts[0]) if cut else _flat(parts if listed else parts[0])
    )
    open_list = in_list and not text[run[-1].end :].lstrip(" \t\n\r,").startswith("]")
    return values, doubtful, bool(values or doubtful) and not (cut or open_list)


def _object(text: str, start: int) -> _Found:
    """Follow one object to its end, told from the braces and commas in strings and notes."""
    nested: list[str] = []
    commas: list[int] = []
    notes: list[tuple[int, int]] = []
    at = fresh = start  # fresh: where the last sign ended, while nothing but blanks came since; then a string may begin
    while sign := _SIGN.search(text, at):
        blank = fresh >= 0 and not text[fresh : sign.start()].strip()
        at, mark = sign.end(), sign[0]
        if mark in _STRINGS:
            at = fresh = _string_end(text, sign.start()) if blank else at
            fresh = fresh if blank else -1
            continue
        if mark[0] in "/#":
            closing = "*/" if mark == "/*" else "\n"
            end = text.find(closing, at)
            at = len(text) if end < 0 else end + len(closing)
            notes.append((sign.start() - start, at - start))
            fresh = at if blank else -1
            continue
        fresh = at
        if mark in "{[":
            nested.append(mark)
        elif mark == "," and len(nested) == 1:
            commas.append(sign.start() - start)
        elif mark == "]" and nested[-1] == "[":
            nested.pop()
        elif mark == "}":
            while nested.pop() != "{":
                pass
            if not nested:
                return _Found(start, at, _blanked(text[start:at], notes), commas, cut=False)
    return _Found(start, len(text), _blanked(text[start:], notes), commas, cut=True)


def _string_end(text: str, opening: int) -> int:
    for sign in _STRING_END[text[opening]].finditer(text, opening + 1):
        if sign[0][0] != "\\":
            return sign.end()
    return len(text)


def _blanked(body: str, notes: list[tuple[int, int]]) -> str:
    if not notes:
        return body
    edges = [0, *chain.from_iterable(notes), len(body)]
    return "".join(
        " " * (end - begin) if number % 2 else body[begin:end] for number, (begin, end) in enumerate(pairwise(edges))
    )


def _edges(found: _Found) -> list[int]:
    """Where members begin: the brace, and each comma before a key that is quoted as the first one is."""
    first = _KEY.match(found.body, 1)
    keys = ((at, _KEY.match(found.body, at + 1)) for at in found.commas)
    return [0, *(at for at, key in keys if first and key and key.lastgroup == first.lastgroup)]


def _members(found: _Found) -> dict[str, Any]:
    body, edges = found.body, _edges(found)
    lost: list[tuple[str, Any]] = []
    if found.cut:
        last = edges.pop()
        if key := _KEY.match(body, last + 1):
            lost.append((_key_name(key), _IN_DOUBT))
        body = body[:last] + "}"
    if not edges:
        return _gathered(lost)
    try:
        return _gathered([*_strict(body).items(), *lost])
    except ValueError:
        parts = [_member(body[begin + 1 : end]) for begin, end in pairwise([*edges, len(body) - 1])]
        return _gathered([*chain.from_iterable(parts), *lost])


def _member(part: str) -> list[tuple[str, Any]]:
    key = _KEY.match(part)
    if not key:
        return []
    name, raw = _key_name(key), part[key.end() :].strip(" \t\n\r,")
    if raw in _LITERALS:
        return [(name, _LITERALS[raw])]
    for written in (raw, _requoted(raw)):
        with suppress(ValueError):
            return [(name, _strict(written))]
    return _repaired(name, raw)


def _key_name(key: re.Match[str]) -> str:
    name = key[key.lastgroup or 0]
    try:
        return str(_strict(f'"{name}"')).strip()
    except ValueError:
        return name.strip()


def _requoted(raw: str) -> str:
    """A string in any marks, with its own quotation unescaped, as JSON writes it; empty where it is not one string."""
    if raw.startswith('"""') and raw.endswith('"""') and len(raw) > 5:
        raw = raw[2:-2]
    closer = _STRINGS.get(raw[:1])
    if closer is None or len(raw) < 2 or raw[-1] != closer or _MISSING_COMMA[raw[0]].search(raw):
        return ""
    return '"' + _ESCAPED.sub(lambda sign: {'"': '\\"', "\\'": "'"}.get(sign[0], sign[0]), raw[1:-1]) + '"'


def _repaired(name: str, raw: str) -> list[tuple[str, Any]]:
    from json_repair import repair_json  # only a broken answer pays for it

    if not raw or len(raw) > _MOST_REPAIRED:
        return [(name, _IN_DOUBT)]
    try:
        read = repair_json(f"{{{json.dumps(name)}: {raw}}}", return_objects=True, skip_json_loads=True)
    except Exception:  # it promises an object and not that it never fails, and a failure here is only a value unread
        read = None
    if not isinstance(read, dict) or name not in read:
        return [(name, _IN_DOUBT)]
    return [(str(key), value) for key, value in read.items()]
