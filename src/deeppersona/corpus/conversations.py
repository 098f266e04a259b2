"""Conversations in, from any usual layout, streamed: who said what, and which of it a person said.

Only a person's own words can disclose anything about them, so every turn says whether a person spoke it. Where a layout
does not say who is a person, all speakers are (two people chatting); where it names an assistant or a bot, that one is
not. A row that cannot be read is counted and reported, never dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from deeppersona.corpus.parquet import MAX_LINE, NOT_UTF8, SUFFIXES, Row, rows_of, suffix_of
from deeppersona.errors import UsageError, nearest, unknown

_ENDINGS = f"conversations come in files that end in {', '.join(SUFFIXES)}, or the same with .gz"
MAPPABLE = ("text", "title", "speaker", "conversation", "author", "person", "id")
_SNIFF = 20  # records looked at before a layout is settled on
# Names of fields, folded and without what stands between words; the first that is there counts.
_TEXT = ("text", "body", "comment", "prompt", "content", "message", "utterance", "selftext", "question", "questiontext", "post", "instruction", "tweet", "review",
         "human", "query", "response", "unit", "value")  # fmt: skip
_TITLE = ("title", "questiontitle", "subject", "headline")
_SPEAKER = ("role", "speaker", "sender", "from", "b4")
_CONVERSATION = ("conversationid", "conversation", "dialogid", "dialogueid", "dialog", "threadid", "thread", "convid", "chatid", "b2",
                 "messagetreeid")  # fmt: skip
_AUTHOR = ("author", "userid", "user", "username", "hashedip", "authorid", "person")
_ID = ("id", "uid", "conversationhash", "conversationid", "questionid", "messageid", "dialogid", "messagetreeid", "commentid",
       "hash")  # fmt: skip
_LISTS = ("conversations", "messages", "conversation", "dialog", "dialogue", "turns", "chat", "utterances",
          "conversationa")  # fmt: skip
_ROLES = ("role", "from", "sender", "speaker", "author")  # of a turn in a list
_SAID = ("content", "value", "text", "message", "utterance", "body")
_NOT_PEOPLE = frozenset([
    "assistant", "bot", "system", "gpt", "chatgpt", "ai", "model", "bing", "bard", "gemini", "tool", "function", "developer", "claude", "llama", "llm",
    "machine", "chatbot", "automoderator",
])  # fmt: skip
_WITH_THEM = frozenset([  # as in "large language model"
    "virtual", "voice", "digital", "language", "large", "chat", "turbo", "mini", "pro", "response", "output", "reply", "call",
])  # fmt: skip
_NOBODY = frozenset(
    ["", "[deleted]", "[removed]", "deleted", "anonymous", "anon", "unknown", "none", "null", "nan", "n/a", "guest"]
)
_MACHINE_NAME = re.compile(r"[a-z]Bot$|[-_]bot$")


@dataclass(frozen=True)
class Turn:
    """What one speaker said at once. ``speaker`` is the same for one person wherever the corpus says so."""

    speaker: str
    person: bool
    text: str


@dataclass(frozen=True)
class Conversation:
    """One conversation, comment or prompt: its id within the file, and its turns."""

    id: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Layout:
    """How a file was read: the form of its records and which fields hold what.

    ``turns`` is the field with a list of turns, ``conversation`` the one that says which rows belong together.
    """

    form: str
    turns: str = ""
    text: str = ""
    title: str = ""
    speaker: str = ""
    conversation: str = ""
    author: str = ""
    person: str = ""
    id: str = ""
    others: set[str] = field(default_factory=set, init=False)  # the roles met that only a machine has
    met: set[str] = field(default_factory=set, init=False)  # some of the roles met, for an error that names the nearest

    def told(self) -> dict[str, str]:
        """How the file was read, for a report: the form, whose words count, and the fields that are used."""
        who = f"all but {', '.join(sorted(self.others))}" if self.others else "every speaker"
        out = {"form": self.form, "people": f"only {self.person}" if self.person else who}
        return out | {key: value for key in ("turns", *MAPPABLE) if key != "person" and (value := getattr(self, key))}


@dataclass
class Read:
    """What came of reading one file: its layout, how many conversations, and the rows that could not be read."""

    file: str
    layout: Layout | None = None
    conversations: int = 0
    unreadable: int = 0
    first_fault: str = ""

    def fault(self, why: str) -> None:
        """Count a row that cannot be read; the first is told."""
        self.unreadable += 1
        self.first_fault = self.first_fault or why


@dataclass
class Corpus:
    """The files of a corpus and how they are read."""

    files: list[Path]
    wanted: Mapping[str, str] = field(default_factory=dict)

    def stream(self, reads: list[Read]) -> Iterator[tuple[Read, Conversation]]:
        """Every conversation of every file, in order; ``reads`` gains one entry a file."""
        for path in self.files:
            read = Read("standard input" if str(path) == "-" else path.name)
            reads.append(read)
            for conversation in conversations(path, read, self.wanted):
                yield read, conversation


def parse_map(words: str) -> dict[str, str]:
    """Read ``text=Unit,speaker=B4,conversation=B2``. UsageError with the nearest field."""
    out: dict[str, str] = {}
    for pair in filter(None, (p.strip() for p in words.split(","))):
        key, sign, value = (part.strip() for part in pair.partition("="))
        if key not in MAPPABLE:
            raise unknown("field of --map", key, MAPPABLE)
        if not sign or not value or key in out:
            raise UsageError(f"--map {pair!r}: write FIELD=COLUMN, each field once, as in text=body")
        out[key] = value
    return out


def corpus_files(sources: Iterable[str | Path]) -> list[Path]:
    """The files of a corpus in a settled order, each once: files as named, folders walked. ``-`` is standard input."""
    out: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file() and suffix_of(p) in SUFFIXES)
            if not found:
                raise UsageError(f"{path} holds no conversations; {_ENDINGS}")
            out += found
        elif path.is_file() and suffix_of(path) not in SUFFIXES:
            raise UsageError(f"{path}: {_ENDINGS}")
        elif str(source) == "-" or path.is_file():
            out.append(path)
        else:
            raise UsageError(f"{path} is not there; name files, folders, or - for standard input")
    if not out:
        raise UsageError("name at least one file or folder of conversations, or - for standard input")
    return list({str(p.absolute()): p for p in out}.values())


def conversations(path: Path, read: Read, wanted: Mapping[str, str] | None = None) -> Iterator[Conversation]:
    """Stream the conversations of one file; ``read`` is filled as it goes.

    Raises:
        UsageError: the file cannot be opened, or no layout fits and ``wanted`` (see ``parse_map``) names none.

    """
    rows = rows_of(path, read.file, read.fault)
    ahead = list(islice(rows, _SNIFF))
    if not ahead:
        if not read.unreadable:
            read.fault("the file holds no rows")
        return
    layout = read.layout = _layout(ahead, dict(wanted or {}), read.file)
    make = _grouped if layout.conversation and not layout.turns else _single
    said_by_a_person = False
    for conversation in make(chain(ahead, rows), layout, read):
        read.conversations += 1
        said_by_a_person = said_by_a_person or any(turn.person for turn in conversation.turns)
        yield conversation
    if layout.person and not said_by_a_person:
        read.fault(f"no speaker is called {layout.person!r}{nearest(layout.person, sorted(layout.met))}")


# --- layouts -------------------------------------------------------------------------------------


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _layout(records: list[Row], wanted: dict[str, str], file: str) -> Layout:
    """The layout the first records have, with what is wanted in place of what is recognised. UsageError where none fits."""
    names = list(dict.fromkeys(key for record in records for key in record))
    folded = {_squeezed(name): name for name in reversed(names)}

    def first(choices: Iterable[str]) -> str:
        return next((folded[c] for c in choices if c in folded), "")

    def listed(name: str) -> bool:
        return any(_items(record.get(name)) for record in records)

    mapped = wanted.get("conversation", "")
    turns = mapped if listed(mapped) else next((name for name in map(folded.get, _LISTS) if name and listed(name)), "")
    if wanted.get("text") in names and mapped != turns:
        turns = ""
    items = [item for record in records for item in _items(record.get(turns)) or () if isinstance(item, Mapping)]
    inside = list(dict.fromkeys(key for item in items for key in item))
    for key, name in wanted.items():
        among = inside if turns and key in ("text", "speaker") else names
        if key != "person" and name not in among:
            raise unknown(f"column of {file}", name, sorted(among))
    if turns:
        found = {"author": first(_AUTHOR), "id": first(_ID), **wanted, "turns": turns, "conversation": ""}
        return Layout("a list of turns", **found)
    if "text" not in wanted and any(isinstance(r.get("prompt"), Mapping) for r in records):
        return Layout("trees of messages", author="user_id", id=first(_ID), person=wanted.get("person", ""))
    said = (name for name in map(folded.get, _TEXT) if name and any(_words(record.get(name)) for record in records))
    text = wanted.get("text") or next(said, "")
    if not text:
        fields = ", ".join(sorted(names)[:12])
        hint = "; personas are no conversations: deeppersona enrich takes them" if "persona" in folded else ""
        told = f"no text is recognised among the fields {fields}; say which with --map text=FIELD"
        raise UsageError(f"{file}: {told}{hint}")
    speaker = wanted.get("speaker") or first(_SPEAKER)
    found = {
        "title": "" if "text" in wanted else first(_TITLE), "speaker": speaker, "conversation": first(_CONVERSATION) if speaker else "",
        "author": first(_AUTHOR), "id": first(_ID), **wanted, "text": text,
    }  # fmt: skip
    return Layout("one turn a row" if found["conversation"] else "one text a row", **found)


def _items(value: Any) -> list[Any] | None:
    """A list of turns, also where a table holds it as JSON."""
    if isinstance(value, str) and value[:1] == "[":
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, list) and value and isinstance(value[0], Mapping | str) else None


def _words(value: Any, deep: int = 0) -> str:
    """The text of a value: itself, a number, or what the parts of a message say."""
    if isinstance(value, str):
        return (NOT_UTF8.sub("\ufffd", value) if NOT_UTF8.search(value) else value).strip()
    if isinstance(value, Mapping) and deep < 5:
        return _words(next((value[key] for key in ("text", "value", "parts", "role") if key in value), None), deep + 1)
    if isinstance(value, list) and deep < 5:
        return "\n".join(filter(None, (_words(part, deep + 1) for part in value)))
    return "" if value is None or isinstance(value, bool | list | Mapping) else str(value)


def _is_person(role: str, layout: Layout) -> bool:
    """Whether who speaks in this role is a person: a role that only a machine has is noted as such."""
    folded = role.strip().casefold()
    words = re.findall(r"[^\W\d_]+", folded)
    machine = any(word in _NOT_PEOPLE for word in words) and all(word in _NOT_PEOPLE | _WITH_THEM for word in words)
    if len(layout.met) < _SNIFF:
        layout.met.add(role)
    if machine and len(layout.others) < _SNIFF:
        layout.others.add(folded)
    return folded == layout.person.casefold() if layout.person else not machine


def _turn(text: Any, role: str, kind: str, author: str, spot: str, layout: Layout) -> Turn | None:
    """One turn, if it says anything; who is named counts as one person in the whole corpus."""
    said = _words(text)
    if not said or said.casefold() in ("[deleted]", "[removed]"):
        return None
    machine = _MACHINE_NAME.search(author) is not None or _squeezed(author) in _NOT_PEOPLE
    person = _is_person(kind, layout) and not machine
    known = person and author.casefold() not in _NOBODY
    return Turn(author if known else f"{spot}/{role}", person, said)


def _single(rows: Iterable[Row], layout: Layout, read: Read) -> Iterator[Conversation]:
    """Records that are whole conversations: a list of turns, a tree, or one text."""
    for number, row in enumerate(rows, 1):
        name = _words(row.get(layout.id)) or str(number)
        author, spot = _words(row.get(layout.author)), f"{read.file}/{name}"
        if layout.turns:
            turns = _turns(row, layout, author, spot)
        elif not layout.text:
            turns = _branches(row.get("prompt"), layout, spot)
        else:
            role = _words(row.get(layout.speaker))
            text = "\n".join(filter(None, (_words(row.get(key)) for key in (layout.title, layout.text) if key)))
            turns = [_turn(text, role, role, author, spot, layout)]
        if said := tuple(turn for turn in turns if turn is not None):
            yield Conversation(name, said)
        else:
            read.fault(f"record {number} holds no text")


def _turns(row: Row, layout: Layout, author: str, spot: str) -> list[Turn | None]:
    """Turns of ShareGPT (from, value), OpenAI, WildChat and LMSYS (role, content), sender and text, or texts alone."""
    # ConvAI2 says who is who apart from the turns, if at all; where it does, participant2 is the bot.
    declared = {"participant2": "bot"} if "bot_profile" in row or "profile_match" in row else {}
    for key, value in row.items():
        if key.endswith("_id") and isinstance(value, Mapping) and "class" in value:
            declared[key.removesuffix("_id")] = str(value["class"])
    out: list[Turn | None] = []
    for k, item in enumerate(_items(row.get(layout.turns)) or ()):
        if isinstance(item, Mapping):
            roles = (_words(item.get(key)) for key in ([layout.speaker] if layout.speaker else _ROLES))
            role = next(filter(None, roles), "")
            text = next((item[key] for key in ([layout.text] if layout.text else _SAID) if item.get(key)), None)
            kind = str(item.get("sender_class") or declared.get(role, role))
            out.append(_turn(text, role, kind, author, spot, layout))
        else:  # two who take turns: the second is a machine where the record names its model
            role = ("user", "assistant" if "model" in row else "other")[k % 2]
            out.append(_turn(item, role, role, author if k % 2 == 0 else "", spot, layout))
    return out


def _branches(root: Any, layout: Layout, spot: str) -> list[Turn | None]:
    """A tree of messages, every message once, in the order of the tree."""
    out: list[Turn | None] = []
    stack = [root]
    while stack:
        here = stack.pop()
        if isinstance(here, Mapping):
            role = _words(here.get("role"))
            out.append(_turn(here.get("text"), role, role, _words(here.get(layout.author)), spot, layout))
            replies = here.get("replies")
            stack += reversed(replies if isinstance(replies, list) else [])
    return out


def _grouped(rows: Iterable[Row], layout: Layout, read: Read) -> Iterator[Conversation]:
    """Rows that are single turns; those of one conversation follow one another."""
    name, turns, size = "", list[Turn](), 0
    for number, row in enumerate(rows, 1):
        here = _words(row.get(layout.conversation)) or f"row {number}"
        if turns and (here != name or size > MAX_LINE):
            if here == name:
                why = "does --map conversation= name the right column?"
                read.fault(f"conversation {name!r} is over {MAX_LINE:,} letters and was cut; {why}")
            yield Conversation(name, tuple(turns))
            turns, size = [], 0
        name, role = here, _words(row.get(layout.speaker))
        turn = _turn(row.get(layout.text), role, role, _words(row.get(layout.author)), f"{read.file}/{name}", layout)
        if turn is None:
            read.fault(f"row {number} holds no text")
        else:
            turns.append(turn)
            size += len(turn.text)
    if turns:
        yield Conversation(name, tuple(turns))
