"""From what was heard to decisions about a taxonomy: matched, a value, merged, new, or left out, each with its reason.

Everything is decided in a settled order from counts alone, so that the order of the corpus does not matter; the log holds
all that is needed to make the same taxonomy from the base again (``mining.build``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import ValidationError

from deeppersona.mining.cues import shipped_cues
from deeppersona.mining.frames import by_name, proposal
from deeppersona.mining.learn import learnt
from deeppersona.mining.match import NEAR_ALONE, Matcher, stems
from deeppersona.mining.reader import FRAME
from deeppersona.mining.shelf import Shelf, Support
from deeppersona.mining.topics import countries
from deeppersona.mining.words import listed
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Attribute, Taxonomy
from deeppersona.taxonomy.check import check
from deeppersona.taxonomy.read import shipped_taxonomy

Entry = dict[str, Any]
_TWIN = 0.93  # cosine of two proposals' questions from which they ask the same
_SYNONYMS = 0.62  # cosine of two feelings or traits from which they are words for one
_OF_WORDS = ("feeling", "being")
_OF_THINGS = ("doing", "liking", "having", "deed", "favourite", "wish", "valuing", "calling", "dealing", "skill", FRAME)
_OF_PEOPLE = {
    "relationships.partner": (
        "boyfriend",
        "girlfriend",
        "fianc",
        "husband",
        "wife",
        "partner",
        "spouse",
        "ex-",
        "crush",
        "lover",
    ),
    "relationships.parenting": ("son", "daughter", "child", "kid", "baby"),
    "work.people": ("boss", "coworker", "colleague", "manager", "supervisor", "client", "employ"),
    "relationships.friends": ("friend", "roommate", "flatmate"),
    "health.care": ("doctor", "therapist", "counsel", "psych"),
    "education.school_days": ("teacher", "professor", "classmate", "coach"),
}
_NEIGHBOURS = 8  # attributes whose branches vote on where a topic belongs
_NEAR_VOTES = 0.2  # votes from which they decide: the sum of the fourth powers of their cosines


@dataclass(frozen=True)
class Terms:
    """What is asked of the evidence: people behind an option, people behind a new attribute, and how fast talk is believed."""

    min_support: int = 5
    min_speakers: int = 3
    smoothing: float = 50.0


@dataclass
class Decisions:
    """The log, the proposals still standing, and by path the topics that tell of it and the values that were told."""

    log: list[Entry] = field(default_factory=list)
    new: dict[str, Attribute] = field(default_factory=dict)
    topics: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, Support] = field(default_factory=dict)

    def note(self, do: str, **fields: Any) -> None:
        """Add a line to the log."""
        self.log.append({"do": do, **fields})


Wording = Callable[[Sequence[str]], dict[str, dict[str, Any]]]


def decide(shelf: Shelf, base: Taxonomy, terms: Terms, wording: Wording | None = None) -> list[Entry]:
    """Decide what becomes of everything that was heard. The log is in the order things are to be applied.

    ``wording`` words topics that a model read and nothing in the base is about; without it they are left, and logged.
    """
    out = Decisions()
    _from_cues(shelf, base, terms, out)
    _from_frames(shelf, base, terms, out, wording)
    _gate(base, out)
    grown = Taxonomy([*base, *out.new.values()], base.categories, base.rules)
    for path in sorted(out.topics.keys() & grown.index.keys()):
        speakers, conversations = shelf.people(out.topics[path])
        out.note("support", path=path, speakers=speakers, conversations=conversations)
        if (told := out.told.get(path)) is not None:
            out.log += learnt(grown[path], told, terms.min_support, terms.smoothing)
    return out.log


def _from_cues(shelf: Shelf, base: Taxonomy, terms: Terms, out: Decisions) -> None:
    """Attributes that cues name: in the base, a core fact, or made with the words the cue file has for them."""
    made = {told.path: told for told in shipped_cues()}
    for _, path, attribute, found in shelf.supports(cues=True):
        if path in base:
            out.note("match", frame="cue", topic=attribute, path=path, how="cue", **_counts(found))
            out.topics[path].append(("cue", attribute))
            out.told[path] = found
        elif path.partition(".")[0] == "demographics" and path.count(".") == 1:
            out.note(
                "core",
                topic=attribute,
                path=path,
                how="a core fact is drawn from figures, not from talk",
                **_counts(found),
            )
        elif found.speakers < terms.min_speakers:
            out.note(
                "leave",
                frame="cue",
                topic=attribute,
                why=f"told by fewer than {terms.min_speakers} people",
                **_counts(found),
            )
        else:
            new = _worded(path, made)
            if new is None:
                out.note(
                    "leave", frame="cue", topic=attribute, why="nothing words it as an attribute", **_counts(found)
                )
                continue
            out.note("add", frame="cue", topic=attribute, path=path, attribute=_dumped(new), **_counts(found))
            out.new[path] = new
            out.topics[path].append(("cue", attribute))
            out.told[path] = found


def _worded(path: str, made: dict[str, Any]) -> Attribute | None:
    """An attribute a cue names, in the words of the cue file or, for an empty base, of the shipped taxonomy."""
    if path in shipped_taxonomy():
        return shipped_taxonomy()[path]
    told = made.get(path)
    if told is None or "definition" not in told.made:
        return None
    raw = {key: value for key, value in told.made.items() if value is not None}
    return Attribute.model_validate({"path": path, "kind": "choice", **raw})


def _from_frames(shelf: Shelf, base: Taxonomy, terms: Terms, out: Decisions, wording: Wording | None) -> None:
    """Topics of open frames and of a model: matched to the tree, taken for values, merged with their like, or proposed."""
    matcher = Matcher(Taxonomy([*base, *out.new.values()], base.categories, ()))
    proposals: list[_Proposal] = []
    unworded: dict[str, Support] = {}
    for frame, _, topic, found in shelf.supports(cues=False):
        if found.speakers < terms.min_speakers:
            out.note(
                "leave",
                frame=frame,
                topic=topic,
                why=f"told by fewer than {terms.min_speakers} people",
                **_counts(found),
            )
            continue
        if any(word in listed("proper") for word in topic.title().split()) or any(
            word in countries() for word in topic.split()
        ):
            out.note(
                "leave", frame=frame, topic=topic, why="a name of its own: an answer, and no question", **_counts(found)
            )
            continue
        filled: dict[str, Any] = (
            proposal(frame, topic) if frame != FRAME else {"question": f"What is your {topic}?", "under": ()}
        )
        match = matcher.find(topic, filled["question"], filled["under"])
        if match is not None and match.how == "answer":
            out.note(
                "leave",
                frame=frame,
                topic=topic,
                why=f"an answer, as to {match.path}, and no question",
                **_counts(found),
            )
            continue
        if match is not None:
            out.note(
                "match" if match.how == "asked" else "value", frame=frame, topic=topic, path=match.path, cosine=match.cosine,
                how="words and meaning" if match.words else "meaning", **_counts(found),
            )  # fmt: skip
            out.topics[match.path].append((frame, topic))
            if frame == FRAME and match.how == "asked":
                _add_values(out.told.setdefault(match.path, Support()), found)
        elif frame == FRAME:
            unworded[topic] = found
        else:
            proposals.append(_Proposal(frame, topic, found, filled))
    worded = wording(sorted(unworded)) if wording is not None and unworded else {}
    for topic, found in sorted(unworded.items()):
        if topic in worded:
            proposals.append(
                _Proposal(FRAME, worded[topic]["name"], found, _filled(base, worded[topic]), [(FRAME, topic)])
            )
        else:
            out.note(
                "leave",
                frame=FRAME,
                topic=topic,
                why="the model words it as no attribute of a person",
                **_counts(found),
            )
    _propose(proposals, base, out)


def _add_values(known: Support, more: Support) -> None:
    known.speakers += more.speakers
    known.conversations += more.conversations
    for value, people in more.values.items():
        known.values[value] = known.values.get(value, 0) + people


def _filled(base: Taxonomy, worded: dict[str, Any]) -> dict[str, Any]:
    """A proposal in a model's words, placed in the branch nearest in meaning."""
    name = worded["name"]
    leaf = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:40]
    branches = sorted({a.subtree for a in base if a.path.count(".") == 2})
    if not branches:
        keys = [c.key for c in base.categories]
        texts = default_embedder().embed([f"{c.title} {c.about}" for c in base.categories])
        near = cosine(default_embedder().embed([f"{name} {worded['question']}"]), texts)[0]
        branches = [f"{keys[int(np.argmax(near))]}.told"]
    return {
        "leaf": leaf, "definition": worded["definition"], "question": worded["question"], "under": branches, "sensitive": False,
        "phrase": f"Asked about {name}, {{they}} {{answer}}: {{value}}.", "options": [{"value": a} for a in worded["answers"]],
    }  # fmt: skip


@dataclass
class _Proposal:
    frame: str
    topic: str
    support: Support
    filled: dict[str, Any]
    merged: list[tuple[str, str]] = field(default_factory=list)  # topics that turned out to ask the same


def _propose(proposals: list[_Proposal], base: Taxonomy, out: Decisions) -> None:
    """Merge proposals about one thing, the best supported leading, place each in the tree, and add it."""
    order = {name: k for k, name in enumerate(by_name())}
    proposals.sort(key=lambda p: (-p.support.speakers, order.get(p.frame, 99), p.topic))
    leaders: list[_Proposal] = []
    for one, leader in _led(proposals):
        if leader is None:
            leaders.append(one)
        else:
            leader.merged.append((one.frame, one.topic))
            out.note(
                "merge",
                frame=one.frame,
                topic=one.topic,
                into=f"{leader.frame}: {leader.topic}",
                **_counts(one.support),
            )
    for one in leaders:
        if (asked := _asked_already(base, one)) is not None:
            out.note("leave", frame=one.frame, topic=one.topic, why=f"{asked} asks it already", **_counts(one.support))
            continue
        place = placed(base, one.frame, _told(one), one.filled["under"])
        path = f"{place}.{one.filled['leaf']}"
        if path in base or path in out.new:
            out.note("leave", frame=one.frame, topic=one.topic, why=f"{path} is there already", **_counts(one.support))
            continue
        try:
            attribute = _attribute(path, one.filled)
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"]
            out.note(
                "leave", frame=one.frame, topic=one.topic, why=f"makes no attribute: {why}", **_counts(one.support)
            )
            continue
        out.new[path] = attribute
        out.topics[path] += [(one.frame, one.topic), *one.merged]
        out.note(
            "add", frame=one.frame, topic=one.topic, path=path, attribute=_dumped(attribute), **_counts(one.support)
        )


def _told(one: _Proposal) -> str:
    """What a proposal is about, to be placed by: a model's words are better read with their question."""
    return f"{one.topic} {one.filled['question']}" if one.frame == FRAME else one.topic


def _asked_already(base: Taxonomy, one: _Proposal) -> str | None:
    """The attribute of the base that asks what a model has just worded, if one does: its topic alone did not show it."""
    if one.frame != FRAME or not len(base):
        return None
    attributes, vectors = _tree(base)
    near = cosine(default_embedder().embed([_told(one)]), vectors)[0]
    best = int(np.argmax(near))
    return attributes[best].path if near[best] >= NEAR_ALONE else None


def _led(proposals: Sequence[_Proposal]) -> Iterable[tuple[_Proposal, _Proposal | None]]:
    """Each proposal with the one before it that asks the same, if any: the same words, or nearly the same meaning."""
    by_words: dict[frozenset[str], _Proposal] = {}
    leaders: list[_Proposal] = []
    vectors = default_embedder().embed([f"{p.topic} {p.filled['question']}" for p in proposals])
    rows: list[int] = []
    for k, one in enumerate(proposals):
        words = stems(one.topic)
        leader = by_words.get(words)
        if leader is None and rows:
            near = cosine(vectors[k : k + 1], vectors[rows])[0]
            best = int(np.argmax(near))
            leader = (
                leaders[best] if near[best] > _TWIN and leaders[best].frame == one.frame else _synonym(one, leaders)
            )
        if leader is None:
            by_words[words] = one
            leaders.append(one)
            rows.append(k)
        yield one, leader


def _synonym(one: _Proposal, leaders: Sequence[_Proposal]) -> _Proposal | None:
    """An earlier proposal about the same feeling or trait in another word, if any."""
    same = [p for p in leaders if p.frame == one.frame]
    if one.frame not in _OF_WORDS or not same:
        return None
    near = cosine(default_embedder().embed([one.topic]), default_embedder().embed([p.topic for p in same]))[0]
    best = int(np.argmax(near))
    return same[best] if near[best] > _SYNONYMS else None


def placed(base: Taxonomy, frame: str, topic: str, under: Sequence[str]) -> str:
    """The branch for a topic: where its nearest neighbours in the tree stand, if they are near, else the first of ``under``.

    Feelings, traits and people stay where their frame puts them: their neighbours in meaning are everywhere.
    """
    if frame == "kin":
        near = next(
            (branch for branch, words in _OF_PEOPLE.items() if any(w in topic for w in words)), "relationships.family"
        )
        return near if near in base.nodes or not len(base) else under[0]
    usual = next((branch for branch in under if branch in base.nodes), under[0])
    if (frame not in _OF_THINGS and frame != FRAME) or not len(base):
        return usual
    attributes, vectors = _tree(base)
    cosines = cosine(default_embedder().embed([topic]), vectors)[0]
    votes: dict[str, float] = defaultdict(float)
    for k in np.argsort(-cosines, kind="stable")[:_NEIGHBOURS]:
        votes[attributes[k].subtree] += max(float(cosines[k]), 0.0) ** 4
    best = max(sorted(votes), key=lambda branch: votes[branch])
    return best if votes[best] >= _NEAR_VOTES or frame == FRAME else usual  # a model's topic has no usual place


@lru_cache(maxsize=2)
def _tree(base: Taxonomy) -> tuple[tuple[Attribute, ...], Any]:
    texts = [f"{a.title} {a.title} {a.definition} {' '.join(o.value for o in a.options[:8])}" for a in base]
    return base.attributes, default_embedder().embed(texts)


def _attribute(path: str, filled: dict[str, Any]) -> Attribute:
    raw: dict[str, Any] = {
        "path": path, "definition": filled["definition"], "question": filled["question"], "phrase": filled.get("phrase", ""),
        "sensitive": bool(filled.get("sensitive")),
    }  # fmt: skip
    if filled.get("scale"):
        raw |= {"kind": "scale", "scale": {"labels": filled["scale"]}}
    else:
        raw |= {"kind": "choice", "options": filled["options"]}
    return Attribute.model_validate(raw)


def _gate(base: Taxonomy, out: Decisions) -> None:
    """Check the grown tree as an author's would be: a proposal that brings a fault goes, until none is left."""
    before = {_known(issue) for issue in check(base)}
    while True:
        grown = Taxonomy([*base, *out.new.values()], base.categories, base.rules)
        faults = {i.path: i for i in check(grown) if _known(i) not in before and i.severity == "error"}
        guilty = {path: issue for path, issue in faults.items() if path in out.new}
        if not guilty:
            return
        for path, issue in sorted(guilty.items()):
            del out.new[path]
            for entry in out.log:
                if entry["do"] == "add" and entry["path"] == path:
                    entry["do"] = "refuse"
                    entry["why"] = f"{issue.rule}: {issue.message}"


def _known(issue: Issue) -> tuple[str, str]:
    return issue.path, issue.rule


def _counts(found: Support) -> dict[str, int]:
    return {"speakers": found.speakers, "conversations": found.conversations}


def _dumped(attribute: Attribute) -> dict[str, Any]:
    return attribute.model_dump(mode="json", exclude_defaults=True)
