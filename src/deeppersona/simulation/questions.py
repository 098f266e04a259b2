"""A questionnaire as a language model is shown it: items become questions, questions blocks, and what is answered codes.

A model sees numbers and words, never codes: options are numbered in the order shown, but for scales of bare numbers, which keep
their own. Items of which only so many may be chosen become one list to pick from; a first and a second choice one list in order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from deeppersona.models.ask import Fault, Field
from deeppersona.models.text import fault as unfit
from deeppersona.prompts import unmarked
from deeppersona.schema.inventory import Inventory, Limit, Ranking
from deeppersona.simulation.respondent import Form

BLOCK = 10
KEYS = "abcdefghijklmnopqrstuvwxyz"
REFUSED, INVALID, MISSING = "refused", "invalid", "missing"
_SHARED = 3  # questions in a row from which on their options are said once for all
_NUMBER = re.compile(r"^\W*(\d{1,4})(?!\d)")
_UNSAID = re.compile(
    r"^\W*(?:(?:i )?(?:do not|don't|dont) know|no answer|not sure|unsure|n/?a|null|none|prefer not to (?:say|answer))\W*$",
    re.I,
)
_NOTHING_CAME = ("the server", "not answered", "cut off", "given twice", "empty")
_REFUSALS = ("a refusal", "speaks as a model")


@dataclass(frozen=True)
class Question:
    """What is asked at once.

    ``one``: an option of one item. ``pick``: up to ``most`` of the items, ``codes`` being (chosen, not chosen). ``rank``: for
    each item another option, first choice first. ``marks`` are the numbers shown before the ``words``, in the order shown.
    """

    items: tuple[str, ...]
    text: str
    marks: tuple[int, ...]
    words: tuple[str, ...]
    codes: tuple[int, ...]
    kind: Literal["one", "pick", "rank"] = "one"
    most: int = 1
    numeric: bool = False

    @property
    def options(self) -> str:
        """The options in a line."""
        if self.numeric:
            return f"a number from {self.marks[0]}, {self.words[0]}, to {self.marks[-1]}, {self.words[-1]}"
        return "; ".join(f"{mark}. {word}" for mark, word in zip(self.marks, self.words, strict=True))

    @property
    def asks(self) -> str:
        """The question with its options in a line."""
        if self.kind == "pick":
            return f"{self.text}: {self.options} [a list of at most {self.most} numbers]"
        if self.kind == "rank":
            return f"{self.text} {self.options} [a list of {len(self.items)} different numbers in that order]"
        return f"{self.text} [{self.options}]"

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of an answer."""
        one = {"type": "integer", "enum": list(self.marks)}
        if self.kind == "one":
            return one
        least = len(self.items) if self.kind == "rank" else 0
        return {"type": "array", "items": one, "minItems": least, "maxItems": self.most}

    def field(self, key: str) -> Field:
        """As a field of a form to be asked; its value is a mark, or a list of marks."""
        return Field(key, self.asks, self.schema, self.check)

    def check(self, value: Any) -> int | list[int]:
        """The marks of an answer as a model gave it. Fault where they are none that were offered."""
        if self.kind == "one":
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            return self._mark(value)
        if not isinstance(value, list):
            value = re.findall(r"\d+", value) if isinstance(value, str) and not _UNSAID.match(value) else [value]
        marks = [self._mark(part) for part in value]
        if self.kind == "rank" and len({*marks}) < len(self.items):
            raise Fault(f"a list of {len(self.items)} different numbers was wanted")
        marks = list(dict.fromkeys(marks))
        if self.kind == "pick" and len(marks) > self.most:
            raise Fault(f"a list of at most {self.most} numbers was wanted")
        return marks[: self.most]

    def _mark(self, value: Any) -> int:
        wanted = f"one of the numbers from {min(self.marks)} to {max(self.marks)} was wanted"
        if isinstance(value, str):
            said = value.strip().casefold()
            if said in (words := [word.casefold() for word in self.words]):
                return self.marks[words.index(said)]
            if _UNSAID.match(said) or unfit(value) in _REFUSALS:
                raise Fault(_REFUSALS[0])
            found = _NUMBER.match(said)
            value = int(found[1]) if found else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value not in self.marks:
            raise Fault(wanted)
        return value

    def coded(self, answer: int | Sequence[int]) -> dict[str, int]:
        """The code of each of its items for an answer that passed the check."""
        marks = [answer] if isinstance(answer, int) else list(answer)
        if self.kind == "pick":
            chosen, other = self.codes
            taken = {self.marks.index(mark) for mark in marks}
            return {item: chosen if k in taken else other for k, item in enumerate(self.items)}
        return {item: self.codes[self.marks.index(mark)] for item, mark in zip(self.items, marks, strict=True)}


def questions(form: Form) -> list[Question]:
    """The questions of a form in the order asked; a list stands where the first of its items would."""
    inventory = form.inventory
    lists: dict[str, Limit | Ranking] = {}
    rules: tuple[Limit | Ranking, ...] = (*inventory.limits, *inventory.rankings)
    for rule in rules:
        if is_list(inventory, rule):
            lists |= dict.fromkeys(rule.items, rule)
    order = [inventory.items[place].id for place in form.asked]
    out: list[Question] = []
    done: set[str] = set()
    for item in order:
        if item in done:
            continue
        rule_ = lists.get(item)
        if rule_ is None:
            out.append(_single(form, item))
        elif isinstance(rule_, Limit):
            out.append(_pick(form, rule_, [i for i in order if i in rule_.items]))
        else:
            out.append(_rank(form, rule_))
        done.update(out[-1].items)
    return out


def is_list(inventory: Inventory, rule: Limit | Ranking) -> bool:
    """Whether items with such a rule can be asked as one list: they have the same options, for a pick two of them."""
    values = {inventory.answerable(i).values for i in rule.items}
    if len(values) != 1 or len(rule.items) < 2:
        return False
    only = next(iter(values))
    return len(only) == 2 and rule.value in only if isinstance(rule, Limit) else len(only) >= len(rule.items)


def _single(form: Form, item: str) -> Question:
    inventory = form.inventory
    labels = {option.value: option.label for option in inventory.answerable(item).options}
    codes = form.shown(item)
    numeric = len(codes) > 2 and all(labels[code] == str(code) for code in inventory.values(item)[1:-1])
    marks = codes if numeric else tuple(range(1, len(codes) + 1))
    words = tuple(unmarked(labels[code]) for code in codes)
    return Question((item,), unmarked(inventory.item(item).text), marks, words, codes, numeric=numeric)


def _pick(form: Form, limit: Limit, members: Sequence[str]) -> Question:
    """Items that may be chosen so many times, as a list to pick from; what their texts share before a colon is its question."""
    inventory = form.inventory
    if members[0] in form.turned:
        members = members[::-1]
    other = next(code for code in inventory.values(members[0]) if code != limit.value)
    texts = [unmarked(inventory.item(i).text) for i in members]
    parts = [text.rpartition(": ") for text in texts]
    if all(head for head, _, _ in parts):
        text, words = max((head for head, _, _ in parts), key=len), [tail.rstrip("?. ") for _, _, tail in parts]
    else:
        label = next(o.label for o in inventory.answerable(members[0]).options if o.value == limit.value)
        text, words = f'Of which of these, {limit.most} at most, do you say "{unmarked(label)}"', texts
    marks = tuple(range(1, len(members) + 1))
    return Question(tuple(members), text, marks, tuple(words), (limit.value, other), "pick", limit.most)


def _rank(form: Form, ranking: Ranking) -> Question:
    inventory = form.inventory
    text = " ".join(unmarked(inventory.item(i).text) for i in ranking.items)
    one = _single(form, ranking.items[0])
    marks = tuple(range(1, len(one.codes) + 1))
    return Question(ranking.items, text, marks, one.words, one.codes, "rank", len(ranking.items))


def blocks(asked: Sequence[Question], size: int = BLOCK) -> list[Sequence[Question]]:
    """Questions that are put at once: blocks of nearly the same length, of ``size`` at the most."""
    n = -(-len(asked) // size)
    ends = [len(asked) * k // n for k in range(n + 1)] if n else [0]
    return [asked[a:b] for a, b in pairwise(ends)]


def lines(block: Sequence[Question]) -> str:
    """The questions of a block, keyed a, b, c; options that several in a row share are said once."""
    out: list[str] = []
    k = 0
    while k < len(block):
        end = k + 1
        while end < len(block) and _alike(block[k], block[end]):
            end += 1
        if end - k >= _SHARED:
            out.append(f"For each of {KEYS[k]} to {KEYS[end - 1]}: {block[k].options}")
            out += [f"{KEYS[j]}. {block[j].text}" for j in range(k, end)]
        else:
            out += [f"{KEYS[j]}. {block[j].asks}" for j in range(k, end)]
        k = end
    return "\n".join(out)


def _alike(a: Question, b: Question) -> bool:
    return a.kind == b.kind == "one" and a.words == b.words and a.marks == b.marks


def why(fault: str) -> str:
    """In one word why there is no answer: refused, missing (none came) or invalid (none that was offered)."""
    if fault.startswith(_REFUSALS):
        return REFUSED
    return MISSING if fault.startswith(_NOTHING_CAME) else INVALID


def kept_to(inventory: Inventory, codes: Mapping[str, int], order: Sequence[str]) -> set[str]:
    """Items whose answer was given oftener than a limit allows, the last asked first: those not asked as a list."""
    over: set[str] = set()
    for limit in inventory.limits:
        if not is_list(inventory, limit):
            over.update([i for i in order if i in limit.items and codes.get(i) == limit.value][limit.most :])
    return over
