"""The memory tree: a fixed trunk, leaves that refinement adds, updates and deletes, and the log of every edit.

Trunk: ``preferences.<domain>`` with ``style`` and the branches ``words``, ``brands``, ``genres``, ``decades``. A leaf is a list of
numbers: the counts of the style, or shift and number of answers of a taste. A persona that a model wrote is one leaf,
``text``. The log alone is the memory: the tree at any
round is the log replayed up to it, and taking edits back is more edits at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Scale, Window
from deeppersona.refinement.features import KINDS
from deeppersona.refinement.preference import Preferences, Taste
from deeppersona.refinement.words import in_words

Op = Literal["ADD", "UPDATE", "DELETE", "NO_OP"]
Leaf = tuple[float, ...] | str
Leaves = dict[str, Leaf]
Kept = Preferences | str  # a persona as a method keeps it: structured, or written
_BLANK = re.compile(r" ")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of one person's tree.

    ``round`` is the window it was learnt from, ``time`` that of the window's last event where the stream gives times.
    ``evidence`` names events as ``w3#0``: window 3, first event. ``before`` and ``after`` are the leaf's numbers or text, None
    where there is no leaf. ``why`` is the direction taken, or the edits taken back.
    """

    person: str
    seq: int
    round: int
    op: Op
    path: str
    before: Leaf | None
    after: Leaf | None
    evidence: tuple[str, ...] = ()
    time: str | float | None = None
    why: str = ""

    def record(self) -> dict[str, Any]:
        """The edit as plain data: a line of the log."""
        out: dict[str, Any] = {
            "person": self.person, "seq": self.seq, "round": self.round, "op": self.op, "path": self.path,
            "before": _plain(self.before), "after": _plain(self.after),
        }  # fmt: skip
        more = {"evidence": list(self.evidence), "time": self.time, "why": self.why}
        return out | {key: value for key, value in more.items() if value not in ([], None, "")}

    @staticmethod
    def of(line: Mapping[str, Any]) -> Edit:
        """Read a line of the log."""
        before, after = (_leaf(line[k]) for k in ("before", "after"))
        return Edit(
            line["person"], line["seq"], line["round"], line["op"], line["path"], before, after,
            tuple(line.get("evidence", ())), line.get("time"), line.get("why", ""),
        )  # fmt: skip


def _plain(leaf: Leaf | None) -> list[float] | str | None:
    return leaf if leaf is None or isinstance(leaf, str) else list(leaf)


def _leaf(plain: Any) -> Leaf | None:
    return plain if plain is None or isinstance(plain, str) else tuple(map(float, plain))


def root(domain: str) -> str:
    """Where a domain's trunk begins."""
    return f"preferences.{domain}"


def style_path(domain: str) -> str:
    """Where the rating style stands."""
    return f"{root(domain)}.style"


def text_path(domain: str) -> str:
    """Where a written persona stands."""
    return f"{root(domain)}.text"


def leaf_path(domain: str, feature: str) -> str:
    """Where the taste for a feature stands: ``word:dragon`` at ``preferences.<domain>.words.dragon``; blanks become ``_``."""
    kind, _, name = feature.partition(":")
    return f"{root(domain)}.{KINDS[kind]}.{_BLANK.sub('_', name)}"


def feature_of(path: str) -> str:
    """The feature of a taste's path."""
    branch, _, name = path.split(".", 2)[2].partition(".")
    return f"{next(kind for kind, b in KINDS.items() if b == branch)}:{name.replace('_', ' ')}"


def leaves_of(persona: Kept | None, domain: str) -> Leaves:
    """The leaves that a persona is written as."""
    if persona is None:
        return {}
    if isinstance(persona, str):
        return {text_path(domain): persona}
    style: Leaves = {style_path(domain): persona.counts}
    return style | {leaf_path(domain, f): (t[0], t[1]) for f, t in persona.tastes.items()}


def preferences_of(leaves: Mapping[str, Leaf], domain: str) -> Preferences:
    """The preferences that leaves say. UsageError where the tree has no style."""
    style = leaves.get(style_path(domain))
    if style is None or isinstance(style, str):
        raise UsageError(f"the tree knows nothing of {domain}: it has no leaf {style_path(domain)}")
    tastes = {
        feature_of(path): Taste(value[0], value[1])
        for path, value in leaves.items()
        if path.startswith(f"{root(domain)}.") and path != style_path(domain) and not isinstance(value, str)
    }
    return Preferences(tuple(style), tastes)


def edits_between(
    before: Kept | None, after: Kept, *, person: str, domain: str, number: int, window: Window, seq: int = 0, why: str = ""
) -> list[Edit]:  # fmt: skip
    """What changed from one persona to the next, in a settled order; one NO_OP on the trunk where nothing did."""
    old, new = leaves_of(before, domain), leaves_of(after, domain)
    time = window[-1].time if window else None
    where: dict[str, list[str]] = {}
    for k, event in enumerate(window):
        for f in event.features:
            where.setdefault(leaf_path(domain, f), []).append(f"w{number}#{k}")
    everything = tuple(f"w{number}#{k}" for k in range(len(window)))
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    if not changed:
        return [Edit(person, seq, number, "NO_OP", root(domain), None, None, everything, time, why)]
    out: list[Edit] = []
    for path in changed:
        a, b = old.get(path), new.get(path)
        op: Op = "ADD" if a is None else "DELETE" if b is None else "UPDATE"
        evidence = everything if path in (style_path(domain), text_path(domain)) else tuple(where.get(path, ()))
        out.append(Edit(person, seq + len(out), number, op, path, a, b, evidence, time, why))
    return out


def replay(edits: Iterable[Edit], until: int | None = None) -> Leaves:
    """The tree that edits of one person lead to, up to and with round ``until``.

    Raises UsageError where an edit does not fit what was there, as when lines of the log are missing.
    """
    leaves: Leaves = {}
    for edit in edits:
        if edit.op == "NO_OP":
            continue
        if until is not None and edit.round > until:
            break
        if leaves.get(edit.path) != edit.before:
            raise UsageError(
                f"edit {edit.seq} of {edit.person} does not fit what is at {edit.path}: the log was changed or cut; refine again"
            )
        if edit.after is None:
            del leaves[edit.path]
        else:
            leaves[edit.path] = edit.after
    return leaves


def difference(old: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> Iterator[tuple[Op, str]]:
    """What was added, updated, deleted between two trees, by path."""
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            yield "ADD", path
        elif path not in new:
            yield "DELETE", path
        elif old[path] != new[path]:
            yield "UPDATE", path


def reverted(edits: Sequence[Edit], to: int) -> list[Edit]:
    """The edits that bring one person's tree back to what it was after round ``to``: to be put at the end of the log.

    They stand in the log as of the last round there is. UsageError where there is no such round.
    """
    last = max((e.round for e in edits), default=-1)
    if not edits or not 0 <= to <= last:
        raise UsageError(f"there is no round {to} to go back to; rounds are 0 to {last}")
    now, then = replay(edits), replay(edits, to)
    out: list[Edit] = []
    for op, path in difference(now, then):
        seq = edits[-1].seq + 1 + len(out)
        out.append(
            Edit(edits[0].person, seq, last, op, path, now.get(path), then.get(path), (), None, f"back to round {to}")
        )
    return out


def render(leaves: Mapping[str, Leaf], domain: str, scale: Scale, budget_tokens: int | None = None) -> str:
    """The tree of a domain in words, within a budget of tokens (of four letters): the style, then the strongest tastes.

    Of a written persona the whole sentences that fit are told, the first in any case.
    """
    text = leaves.get(text_path(domain))
    if not isinstance(text, str):
        return in_words(preferences_of(leaves, domain), scale, budget_tokens)
    return text if budget_tokens is None else sentences_within(text, lambda said: len(said) <= budget_tokens * 4)


def sentences_within(text: str, fits: Callable[[str], bool]) -> str:
    """As many of a text's first sentences as fit, the first in any case."""
    kept, *rest = _SENTENCE.split(text)
    for sentence in rest:
        if not fits(f"{kept} {sentence}"):
            break
        kept = f"{kept} {sentence}"
    return kept
