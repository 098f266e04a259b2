"""Ask a model for the fields of a form: constrain, read, check; ask again for the fields at fault and for them only.

What was good is kept. A field that does not come right in so many tries is ``missing`` with its reason: nothing is
silently empty. Works with servers that hold an answer to a JSON schema, with those that only promise JSON, and with
those that promise nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from deeppersona.errors import DeepPersonaError, Malformed, NotSupported, Unreachable
from deeppersona.models import text as texts
from deeppersona.models.loose_json import json_object
from deeppersona.models.port import Completion, LanguageModel, Prompt

TRIES = 3
_RECITED = 6  # of a told text's
_RUN, _ALIKE = 4, 0.6  # words of a run, and the share of runs that two answers may have in common
_ECHO = 4  # words of the question at the beginning of an answer that are no chance
_WORD = re.compile(r"[^\W_]+")
Check = Callable[[Any], Any]
T = TypeVar("T", bound=BaseModel)


class Fault(ValueError):
    """Why an answer cannot be kept, in words the model can act on."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing asked for: a short key, the line that asks it, its JSON schema, and the check that coerces or refuses."""

    key: str
    asks: str
    schema: Mapping[str, Any]
    check: Check


@dataclass(frozen=True)
class Form:
    """Fields asked together."""

    fields: tuple[Field, ...]

    def __len__(self) -> int:
        return len(self.fields)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the whole; what fields share by reference stands at its root, where references look."""
        shared: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        for f in self.fields:
            shared |= f.schema.get("$defs", {})
            properties[f.key] = {key: part for key, part in f.schema.items() if key != "$defs"}
        return {
            "type": "object", "properties": properties, "required": [f.key for f in self.fields],
            "additionalProperties": False, **({"$defs": shared} if shared else {}),
        }  # fmt: skip

    @property
    def lines(self) -> str:
        """The lines that ask, keyed."""
        return "\n".join(f"{f.key}. {f.asks}" for f in self.fields)

    def only(self, keys: Mapping[str, Any]) -> Form:
        """The fields of these keys."""
        return Form(tuple(f for f in self.fields if f.key in keys))


@dataclass
class Answer:
    """What came of asking: values by key, reasons by the keys that are missing, and the last turns of the conversation."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    said: str = ""
    calls: int = 0


def words(low: int, high: int, *, sentence: bool = False) -> Check:
    """A check of prose: ``low`` to ``high`` words, fit to keep."""

    def check(value: Any) -> str:
        if isinstance(value, (list, dict)) or value is None:
            raise Fault("a text was wanted")
        said = texts.clean(str(value))
        if fault := texts.fault(said, words=(low, high), sentence=sentence):
            raise Fault(fault)
        return said

    return check


def prose(key: str, asks: str, low: int, high: int, *, sentence: bool = False, begins: str = "") -> Field:
    """A field of prose of ``low`` to ``high`` words; ``begins`` is a beginning it finishes and is not to repeat.

    Lengths stay out of the schema: grammars that count are slow.
    """
    check = words(low, high, sentence=sentence)

    def own_words(value: Any) -> str:
        if isinstance(value, str) and not sentence:
            value = _without(_without_the_question(value, asks), begins)
        said: str = check(value)
        if sentence and _echoed(said, asks) >= _RECITED:
            raise Fault("it begins by repeating what was asked")
        if low > 1 and len(said) <= len(asks) and _plain(said) in _plain(asks):
            raise Fault("that only repeats what was asked")
        return said

    return Field(key, f"({low} to {high} words) {asks}", {"type": "string"}, own_words)


def _without_the_question(text: str, asks: str) -> str:
    """``A title for that story is 'The Thief'`` -> ``The Thief``: the answer alone, where the question comes before it."""
    same = _echoed(text, asks)
    if same < _ECHO:
        return text
    said = list(_WORD.finditer(text))
    if same == len(said):
        return text
    rest = text[said[same - 1].end() :].lstrip(" :,-–.'\"“”‘")
    return re.sub(r"^(?:is|was|would be)\b[: ]*(?:to )?", "", rest).strip(" '\"“”‘’.") or text


@lru_cache(maxsize=4096)
def _asked(asks: str) -> tuple[str, ...]:
    """The words of a question: the same ones are asked of everybody."""
    return tuple(_WORD.findall(asks.casefold()))


def _echoed(text: str, asks: str) -> int:
    """How many words of the question an answer begins with."""
    asked = _asked(asks)
    said = _WORD.findall(text[: 2 * len(asks)].casefold())
    same = int(bool(said and asked) and {said[0], asked[0]} <= {"a", "an", "the"})
    while same < min(len(said), len(asked)) and said[same] == asked[same]:
        same += 1
    return same


def _without(text: str, begins: str) -> str:
    """The text without a beginning that it repeats."""
    if not begins:
        return text
    if text[:4].casefold() != begins[:4].casefold() or not _plain(text).startswith(_plain(begins)):
        return text
    words = list(_WORD.finditer(text))
    after = len(_WORD.findall(begins))
    return text[words[after].start() :].rstrip(" '\"”’") if after < len(words) else ""


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


async def ask(model: LanguageModel, prompt: Prompt, form: Form, *, tries: int = TRIES) -> Answer:
    """Ask for the fields of a form. ``prompt`` ends with the turn that asks them; its ``shape`` is what the server can do."""
    answer, left = Answer(), form
    current = replace(prompt, schema=form.schema)
    for attempt in range(tries):
        found, faults, whole = await _answers(model, current, left)
        answer.calls += 1
        answer.values.update(found)
        if attempt == 0 and not faults:
            answer.said = whole
        answer.missing = faults
        if not faults:
            break
        left = left.only(faults)
        again = "\n".join(f"{f.key}. {f.asks} [{faults[f.key]}]" for f in left.fields)
        current = replace(
            prompt.then(_kept(answer.values), f"Again, as one JSON object, only these, mended:\n{again}"),
            schema=left.schema, seed=prompt.seed + attempt + 1,
        )  # fmt: skip
    answer.said = answer.said or _kept(answer.values)
    return answer


async def ask_for(model: LanguageModel, prompt: Prompt, into: type[T], *, tries: int = TRIES) -> T:
    """Ask for a pydantic type. Malformed, naming the fields, where some never come right."""
    answer = await ask(model, prompt, form_of(into), tries=tries)
    why = "; ".join(f"{k}: {reason}" for k, reason in answer.missing.items())
    if not why:  # else a default would pass for an answer
        try:
            return into.model_validate(answer.values)
        except ValidationError as error:
            why = str(error)
    raise Malformed(f"{model.name} did not fill {into.__name__}: {why}")


def form_of(into: type[BaseModel]) -> Form:
    """The form of a pydantic type: one field a field, checked by its annotation."""
    schema = _closed(into.model_json_schema())
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    fields = []
    for name, info in into.model_fields.items():
        adapter: TypeAdapter[Any] = TypeAdapter(info.rebuild_annotation())
        fields.append(Field(name, info.description or name, schema["properties"][name] | shared, _typed(adapter)))
    return Form(tuple(fields))


def _closed(schema: Any) -> Any:
    """As servers that hold to a schema want it: objects closed, members required, nothing beside a reference."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    out = {key: _closed(part) for key, part in schema.items() if key != "default" or part is not None}
    if isinstance(schema.get("properties"), dict):
        out |= {"required": list(schema["properties"]), "additionalProperties": False}
    return out


def _typed(adapter: TypeAdapter[Any]) -> Check:
    def check(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise Fault(error.errors(include_url=False)[0]["msg"]) from None

    return check


async def _answers(model: LanguageModel, prompt: Prompt, form: Form) -> tuple[dict[str, Any], dict[str, str], str]:
    """One call: (good values, faults by key, the text where it was whole)."""
    try:
        completion = await model.complete(prompt)
    except (Unreachable, Malformed, NotSupported) as error:
        return {}, dict.fromkeys((f.key for f in form.fields), _in_short(error)), ""
    return read(completion, form)


def read(completion: Completion, form: Form) -> tuple[dict[str, Any], dict[str, str], str]:
    """Read a completion into a form: (good values, faults by key, the text if it may stand as it is in a conversation)."""
    if completion.refusal or completion.finish == "content_filter":
        return {}, dict.fromkeys((f.key for f in form.fields), "a refusal"), ""
    said, doubted, whole = json_object(completion.text, {f.key for f in form.fields})
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    seen: dict[str, set[str]] = {}
    overall = "" if said else (texts.fault(completion.text) or "no JSON object")
    for f in form.fields:
        if f.key in doubted:
            faults[f.key] = "given twice, or cut off"
        elif f.key not in said:
            faults[f.key] = overall or ("cut off" if completion.finish == "length" else "not answered")
        else:
            try:
                value = f.check(_written(said[f.key]))
                if isinstance(value, str) and (twin := _twin(value, f.key, seen)):
                    raise Fault(f"the same as {twin}")
                values[f.key] = value
            except (ValueError, TypeError, OverflowError) as fault:  # a check may be as plain as ``int``
                faults[f.key] = str(fault)
    return values, faults, completion.text if whole and not faults else ""


def _twin(value: str, key: str, seen: dict[str, set[str]]) -> str:
    """The key of an earlier answer that says much the same; answers of one word may. Enters this one with them."""
    words = _WORD.findall(value.casefold())
    if len(words) < 2:
        return ""
    runs = {" ".join(words[i : i + _RUN]) for i in range(max(len(words) - _RUN + 1, 1))}
    for other, theirs in seen.items():
        short, long = sorted((len(runs), len(theirs)))
        if 2 * short >= long and len(runs & theirs) > _ALIKE * short:  # a phrase within a story is no second story
            return other
    seen[key] = runs
    return ""


async def ask_text(
    model: LanguageModel, prompt: Prompt, check: Callable[[str], str], *, tries: int = TRIES
) -> tuple[str, str]:  # fmt: skip
    """Ask for plain text. ``check`` says what is wrong with it ("" if nothing). Returns (text, "") or ("", reason).

    Of a last try that was cut off for its length, the whole sentences are taken, if they will do.
    """
    current = replace(prompt, schema=None, shape="plain")
    reason = ""
    for attempt in range(tries):
        try:
            completion = await model.complete(current)
        except (Unreachable, Malformed, NotSupported) as error:
            reason = _in_short(error)
            continue
        said = texts.clean(completion.text)
        if completion.refusal or completion.finish == "content_filter":
            reason = "a refusal"
        elif completion.finish == "length":
            reason = "cut off: it was too long"
            whole = _whole_sentences(said)
            if attempt == tries - 1 and not (texts.fault(whole) or check(whole)):
                return whole, ""
        else:
            reason = texts.fault(said) or check(said)
        if not reason:
            return said, ""
        last = prompt.messages[-1].text
        asked = replace(prompt.messages[-1], text=f"{last}\n(Mind: the last try was no good: {reason}.)")
        current = replace(
            current, messages=(*prompt.messages[:-1], asked), seed=prompt.seed + attempt + 1,
            max_tokens=int(prompt.max_tokens * (1.5 if "cut off" in reason else 1.0)),
        )  # fmt: skip
    return "", reason


def _whole_sentences(text: str) -> str:
    """The text up to its last full stop."""
    end = max(text.rfind(sign) for sign in ".!?…。")
    return text[: end + 1]


def _written(value: Any) -> Any:
    """A value that can be written down: half a character, which an escape in JSON can name, cannot."""
    try:
        to_json(value)
    except PydanticSerializationError:
        raise Fault("not language") from None
    return value


def _in_short(error: DeepPersonaError) -> str:
    """Why nothing came, as a record may say it: no address, none of the server's own words."""
    if isinstance(error, Unreachable):
        return "the server gave no answer"
    return (
        "the server refused the request" if isinstance(error, NotSupported) else "the server's answer was no completion"
    )


def _kept(values: Mapping[str, Any]) -> str:
    return to_json(values).decode()
