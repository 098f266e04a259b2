"""Conversations are read from any usual layout: who said what, what a person said, and what could not be read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.corpus import conversations as module
from deeppersona.corpus import parquet
from deeppersona.corpus.conversations import Conversation, Corpus, Read, conversations, corpus_files, parse_map
from deeppersona.errors import UsageError

SAID = [("I keep bees.", True), ("How nice.", False), ("My honey won a prize.", True)]
ROLES = ("user", "assistant")


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_all(path: Path, wanted: str = "") -> tuple[list[Conversation], Read]:
    read = Read(path.name)
    return list(conversations(path, read, parse_map(wanted))), read


def said(found: list[Conversation]) -> list[list[tuple[str, bool]]]:
    return [[(turn.text, turn.person) for turn in c.turns] for c in found]


def turns(role: str, text: str, roles: tuple[str, str] = ROLES) -> list[dict[str, str]]:
    return [{role: roles[k % 2], text: words} for k, (words, _) in enumerate(SAID)]


def table(path: Path, head: list[str], *rows: list[str], sep: str = ",") -> Path:
    with path.open("w", newline="") as out:
        csv.writer(out, delimiter=sep).writerows([head, *rows])
    return path


# --- layouts -------------------------------------------------------------------------------------

NESTED = {
    "sharegpt": {"id": "c7", "conversations": turns("from", "value", ("human", "gpt"))},
    "openai": {"id": "c7", "messages": turns("role", "content")},
    "capitals": {"id": "c7", "messages": turns("role", "content", ("USER", "Assistant"))},
    "versions": {"id": "c7", "messages": turns("role", "content", ("User 1", "gpt-4-turbo"))},
    "wildchat": {
        "conversation_hash": "c7", "model": "m-1", "language": "English", "hashed_ip": "ab12",
        "conversation": [{**turn, "language": "English", "toxic": False, "hashed_ip": "ab12"} for turn in turns("role", "content")],
    },
    "lmsys": {"conversation_id": "c7", "model": "m-1", "conversation": turns("role", "content"), "turn": 2},
    "texts of a model": {"id": "c7", "model": "m-1", "dialogue": [words for words, _ in SAID]},
    "sender": {"uid": "c7", "dialog": turns("sender", "text", ("Human", "Bot"))},
    "author within": {"id": "c7", "messages": [{"author": {"role": t["role"]}, "content": {"parts": [t["content"]]}} for t in turns("role", "content")]},
    "as a string": {"id": "c7", "conversation": json.dumps(turns("role", "content"))},
}  # fmt: skip


@pytest.mark.parametrize("layout", NESTED)
def test_a_list_of_turns(tmp_path: Path, layout: str) -> None:
    found, read = read_all(jsonl(tmp_path / "f.jsonl", NESTED[layout]))
    assert said(found) == [SAID]
    assert found[0].id == "c7"
    assert (read.conversations, read.unreadable) == (1, 0)
    assert read.layout is not None
    assert read.layout.told()["form"] == "a list of turns"
    assert read.layout.told()["people"].startswith("all but ")


def test_openai_parts_and_every_role_of_a_machine(tmp_path: Path) -> None:
    row = {
        "messages": [
            {"role": "system", "content": "Be brief. I am a wise owl."},
            {"role": "developer", "content": "I was told so."},
            {"role": "user", "content": [{"type": "text", "text": "I keep bees."}, {"type": "image_url", "image_url": {"url": "u"}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
            {"role": "tool", "content": "I am 40."},
            {"role": "Function", "content": "I am 41."},
            {"role": "AI Assistant", "content": "I am 42."},
            {"role": "user", "content": ["one", {"type": "text", "text": {"value": "two"}}]},
        ]
    }  # fmt: skip
    found, read = read_all(jsonl(tmp_path / "f.jsonl", row))
    assert [turn.text for turn in found[0].turns if turn.person] == ["I keep bees.", "one\ntwo"]
    assert len({turn.speaker for turn in found[0].turns if turn.person}) == 1
    assert read.layout is not None
    assert read.layout.told()["people"] == "all but ai assistant, developer, function, system, tool"


@pytest.mark.parametrize("role", ["Anna", "customer", "fashion model", "tool maker", "Robot Ron", "1", ""])
def test_who_is_no_machine_is_a_person(tmp_path: Path, role: str) -> None:
    found, read = read_all(jsonl(tmp_path / "f.jsonl", {"messages": [{"role": role, "content": "I keep bees."}]}))
    assert said(found) == [[("I keep bees.", True)]]
    assert read.layout is not None
    assert read.layout.told()["people"] == "every speaker"


def test_two_people_without_a_model_are_both_people(tmp_path: Path) -> None:
    found, _ = read_all(jsonl(tmp_path / "f.jsonl", {"dialog": ["I keep bees.", "And I keep goats."]}))
    assert said(found) == [[("I keep bees.", True), ("And I keep goats.", True)]]
    assert len({turn.speaker for turn in found[0].turns}) == 2


def test_a_person_known_by_an_address_is_one_in_the_whole_corpus(tmp_path: Path) -> None:
    rows = [
        {"id": k, "hashed_ip": ip, "conversation": turns("role", "content")}
        for k, ip in enumerate(["ab", "ab", "cd", None])
    ]
    one, _ = read_all(jsonl(tmp_path / "one.jsonl", *rows))
    people = [c.turns[0].speaker for c in one]
    assert people[0] == people[1] == "ab"
    assert len(set(people)) == 3
    assert [c.id for c in one] == ["0", "1", "2", "3"]
    assert one[0].turns[1].speaker != "ab"
    other, _ = read_all(jsonl(tmp_path / "other.jsonl", *rows))
    assert other[3].turns[0].speaker != people[3]  # the first conversation of two files is not of one person


TREE = {
    "message_tree_id": "t1",
    "prompt": {
        "message_id": "m1", "text": "I keep bees.", "role": "prompter", "user_id": "p1",
        "replies": [
            {"message_id": "m2", "text": "How nice.", "role": "assistant", "user_id": "p2", "replies": [
                {"message_id": "m3", "text": "My honey won a prize.", "role": "prompter", "user_id": "p3", "replies": []}]},
            {"message_id": "m4", "text": "Why bees?", "role": "assistant", "replies": []},
        ],
    },
}  # fmt: skip


def test_trees_of_messages(tmp_path: Path) -> None:
    found, read = read_all(jsonl(tmp_path / "f.jsonl", TREE))
    assert said(found) == [[*SAID, ("Why bees?", False)]]
    assert [turn.speaker for turn in found[0].turns if turn.person] == ["p1", "p3"]
    assert read.layout is not None
    assert read.layout.told()["form"] == "trees of messages"


def test_flat_rows_of_trees(tmp_path: Path) -> None:
    rows = [
        {"message_id": f"m{k}", "parent_id": f"m{k - 1}" if k else None, "user_id": f"p{k}", "text": words, "role": ("prompter", "assistant")[k % 2], "message_tree_id": "t1"}
        for k, (words, _) in enumerate(SAID)
    ]  # fmt: skip
    found, _ = read_all(jsonl(tmp_path / "f.jsonl", *rows))
    assert said(found) == [SAID]
    assert found[0].id == "t1"
    alone, _ = read_all(
        jsonl(tmp_path / "g.jsonl", *({k: v for k, v in row.items() if k != "message_tree_id"} for row in rows))
    )
    assert said(alone) == [[one] for one in SAID]


HEAD = ["Conversation ID", "role", "text"]
ROWS = [["a", ROLES[k % 2], words] for k, (words, _) in enumerate(SAID)] + [["b", "user", "I sail."]]


def grouped(folder: Path, kind: str) -> Path:
    path = folder / f"f{kind}"
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(zip(HEAD, row, strict=True)) for row in ROWS]), path)
        return path
    if kind == ".jsonl":
        return jsonl(path, *(dict(zip(HEAD, row, strict=True)) for row in ROWS))
    return table(path, HEAD, *ROWS, sep="\t" if kind == ".tsv" else ";" if kind == "-semicolon.csv" else ",")


@pytest.mark.parametrize("kind", [".csv", "-semicolon.csv", ".tsv", ".jsonl", ".parquet"])
def test_rows_that_are_turns(tmp_path: Path, kind: str) -> None:
    found, read = read_all(grouped(tmp_path, kind))
    assert said(found) == [SAID, [("I sail.", True)]]
    assert [c.id for c in found] == ["a", "b"]
    assert read.layout is not None
    assert read.layout.told() == {
        "form": "one turn a row", "people": "all but assistant", "text": "text", "speaker": "role", "conversation": "Conversation ID",
        "id": "Conversation ID",
    }  # fmt: skip


def test_parquet_with_lists_of_turns(tmp_path: Path) -> None:
    rows = [{"id": k, "conversation": turns("role", "content")} for k in range(300)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "f.parquet")
    found, _ = read_all(tmp_path / "f.parquet")
    assert said(found) == [SAID] * 300


def test_comments_of_a_forum(tmp_path: Path) -> None:
    rows = [
        {"id": "x1", "author": "bee_friend", "body": "I keep bees.", "subreddit": "honey", "score": 3},
        {"id": "x2", "author": "bee_friend", "body": "And goats.", "subreddit": "farm", "score": 1},
        {"id": "x3", "author": "[deleted]", "body": "I sail.", "subreddit": "sea", "score": 1},
        {"id": "x4", "author": "[deleted]", "body": "I row.", "subreddit": "sea", "score": 1},
        {"id": "x5", "author": "AutoModerator", "body": "I am a bot.", "subreddit": "sea", "score": 1},
        {"id": "x6", "author": "RemindMeBot", "body": "I remind you.", "subreddit": "sea", "score": 1},
        {"id": "x7", "author": "gone", "body": "[deleted]", "subreddit": "sea", "score": 1},
    ]
    found, read = read_all(jsonl(tmp_path / "f.jsonl", *rows))
    people = [c.turns[0].speaker for c in found]
    assert people[:2] == ["bee_friend"] * 2
    assert people[2] != people[3]
    assert [c.turns[0].person for c in found] == [True] * 4 + [False] * 2
    assert (read.conversations, read.unreadable) == (6, 1)


def test_posts_have_their_title_in_front(tmp_path: Path) -> None:
    found, _ = read_all(jsonl(tmp_path / "f.jsonl", {"title": "My bees", "selftext": "They swarm.", "author": "x"}))
    assert said(found) == [[("My bees\nThey swarm.", True)]]


def test_one_column_of_text(tmp_path: Path) -> None:
    found, _ = read_all(table(tmp_path / "f.csv", ["text"], ["I keep bees,\nand goats."], ["I sail."]))
    assert said(found) == [[("I keep bees,\nand goats.", True)], [("I sail.", True)]]
    assert [c.id for c in found] == ["1", "2"]


def test_prompts_count_and_answers_do_not(tmp_path: Path) -> None:
    found, _ = read_all(jsonl(tmp_path / "f.jsonl", {"prompt": "I keep bees. Help!", "response": "I am glad."}))
    assert said(found) == [[("I keep bees. Help!", True)]]


def test_lines_of_text_and_strings_of_json(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("I keep bees.\n\n  I sail.  \n")
    (tmp_path / "g.jsonl").write_text('"I keep bees."\n\n"I sail."\n')
    for name in ("f.txt", "g.jsonl"):
        found, read = read_all(tmp_path / name)
        assert said(found) == [[("I keep bees.", True)], [("I sail.", True)]]
        assert read.unreadable == 0


@pytest.mark.parametrize("form", ["array", "pretty", "wrapped", "object", "lines", "objects"])
def test_json_that_is_one_value(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_CHUNK", 7)
    rows = [NESTED["openai"], NESTED["openai"]]
    text = {
        "array": json.dumps(rows), "pretty": json.dumps(rows, indent=1), "wrapped": json.dumps({"data": rows}, indent=1),
        "object": json.dumps(rows[0], indent=1), "lines": "\n".join(map(json.dumps, rows)), "objects": "\n".join(json.dumps(r, indent=1) for r in rows),
    }[form]  # fmt: skip
    (tmp_path / "f.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found, read = read_all(tmp_path / "f.json")
    assert said(found) == [SAID] * (1 if form == "object" else 2)
    assert read.unreadable == 0


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".json", ".txt"])
def test_packed_files_are_as_good(tmp_path: Path, kind: str) -> None:
    plain = tmp_path / f"f{kind}"
    if kind == ".txt":
        plain.write_text("I sail.\nI row.\n")
    elif kind == ".json":
        plain.write_text(json.dumps([NESTED["openai"]]))
    else:
        grouped(tmp_path, kind)
    packed = tmp_path / f"{plain.name}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert said(read_all(packed)[0]) == said(read_all(plain)[0]) != []


@pytest.mark.parametrize(
    ("sent", "texts"),
    [
        ('{"text": "I keep bees."}\n{"text": "I sail."}\n', ["I keep bees.", "I sail."]),
        ('[{"text": "I keep bees."},\n {"text": "I sail."}]', ["I keep bees.", "I sail."]),
        ("I keep bees.\nI sail.\n", ["I keep bees.", "I sail."]),
    ],
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, sent: str, texts: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sent.encode())))
    reads: list[Read] = []
    found = [c for _, c in Corpus(corpus_files(["-"])).stream(reads)]
    assert [c.turns[0].text for c in found] == texts
    assert [(r.file, r.unreadable) for r in reads] == [("standard input", 0)]


def test_a_folder_is_walked_in_order_and_each_file_read_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.txt", "a.txt", "in/c.txt"):
        (tmp_path / name).write_text(f"I am {name}\n")
    (tmp_path / "notes.md").write_text("no talk")
    files = corpus_files([tmp_path, tmp_path / "b.txt"])
    assert [f.name for f in files] == ["a.txt", "b.txt", "c.txt"]
    reads: list[Read] = []
    assert [c.turns[0].text for _, c in Corpus(files).stream(reads)] == ["I am a.txt", "I am b.txt", "I am in/c.txt"]
    assert [r.conversations for r in reads] == [1, 1, 1]


# --- what the user says of a layout ----------------------------------------------------------------


def test_columns_are_mapped(tmp_path: Path) -> None:
    path = table(
        tmp_path / "f.csv",
        ["Chat", "Who", "Words", "Head"],
        ["1", "usr", "I sail.", "h"],
        ["1", "Helper", "Nice.", "h"],
        ["2", "USR", "I row.", "h"],
    )
    found, read = read_all(path, "text=Words, speaker=Who,conversation=Chat,person=usr")
    assert said(found) == [[("I sail.", True), ("Nice.", False)], [("I row.", True)]]
    assert read.layout is not None
    assert read.layout.told()["people"] == "only usr"
    alone, _ = read_all(path, "text=Words,title=Head,author=Who")
    assert [(c.turns[0].speaker, c.turns[0].text) for c in alone] == [
        ("usr", "h\nI sail."),
        ("Helper", "h\nNice."),
        ("USR", "h\nI row."),
    ]


def test_keys_within_a_list_are_mapped(tmp_path: Path) -> None:
    row = {"key": "k1", "talk": [{"by": "Guest A", "words": "I sail."}, {"by": "Host", "words": "Nice."}], "turn": "x"}
    found, _ = read_all(
        jsonl(tmp_path / "f.jsonl", row), "conversation=talk,text=words,speaker=by,person=guest a,id=key"
    )
    assert said(found) == [[("I sail.", True), ("Nice.", False)]]
    assert found[0].id == "k1"


def test_a_machine_is_one_where_only_the_text_is_mapped(tmp_path: Path) -> None:
    found, _ = read_all(
        table(tmp_path / "f.csv", ["role", "words"], ["Assistant", "I am here."], ["User", "I sail."]), "text=words"
    )
    assert said(found) == [[("I am here.", False)], [("I sail.", True)]]


def test_person_in_lists_and_trees(tmp_path: Path) -> None:
    found, _ = read_all(
        jsonl(tmp_path / "f.jsonl", {"conversations": turns("from", "value", ("seeker", "helper"))}), "person=Seeker"
    )
    assert said(found) == [SAID]
    found, _ = read_all(jsonl(tmp_path / "g.jsonl", TREE), "person=assistant")
    assert [text for text, person in said(found)[0] if person] == ["How nice.", "Why bees?"]


def test_a_person_who_never_speaks_is_told_with_the_nearest(tmp_path: Path) -> None:
    found, read = read_all(jsonl(tmp_path / "f.jsonl", NESTED["sharegpt"]), "person=humen")
    assert len(found) == 1
    assert read.first_fault == "no speaker is called 'humen'; did you mean human?"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("txt=body", "did you mean text"), ("speeker=x", "did you mean speaker"), ("zzz=body", "valid are text, title"), ("text", "write FIELD=COLUMN"),
        ("text=", "write FIELD=COLUMN"), ("text=a,text=b", "each field once"), ("=a", "unknown field"),
    ],
)  # fmt: skip
def test_a_wrong_map_is_refused(words: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_map(words)


def test_a_map_is_read() -> None:
    assert parse_map(" text=Unit,speaker = B4 ,, person=user") == {"text": "Unit", "speaker": "B4", "person": "user"}
    assert parse_map("") == {}


@pytest.mark.parametrize(
    ("row", "wanted", "told"),
    [
        ({"body": "x", "author": "a"}, "text=boddy", "unknown column of f.jsonl 'boddy'; did you mean body"),
        ({"messages": [{"role": "user", "content": "x"}]}, "speaker=rôle", "did you mean role"),
        (
            {"persona": "A keeper of bees."},
            "",
            r"no text is recognised among the fields persona; say which with --map text=FIELD.*enrich",
        ),
        ({"label": 1, "score": 2}, "", "among the fields label, score; say which with --map text=FIELD"),
        ({}, "", "no text is recognised"),
    ],
)
def test_a_file_without_text_is_refused_with_the_fix(
    tmp_path: Path, row: dict[str, Any], wanted: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        read_all(jsonl(tmp_path / "f.jsonl", row), wanted)


# --- what cannot be read -----------------------------------------------------------------------------

GOOD = '{"text": "I sail."}\n'


@pytest.mark.parametrize(
    ("name", "content", "good", "bad", "told"),
    [
        ("f.jsonl", f'{GOOD}{{"text": \n{GOOD}[1]\n7\n'.encode(), 2, 3, "line 2 is no JSON"),
        ("f.jsonl", GOOD.encode() + b'{"text": "caf\xe9"}\n' + GOOD.encode(), 2, 1, "line 2 is no JSON"),
        ("f.jsonl", (GOOD + '{"text": " "}\n{"other": 1}\n').encode(), 1, 2, "record 2 holds no text"),
        ("f.jsonl", b"", 0, 1, "the file holds no rows"),
        ("f.jsonl", b"\n \n", 0, 1, "the file holds no rows"),
        ("f.jsonl", b"no json\n", 0, 1, "line 1 is no JSON"),
        ("f.json", b'[{"text": "I sail."}, 7, {"text": "I row."}]', 2, 1, "record 2: expected an object, got int"),
        ("f.json", b'[{"text": "I sail."}, {"text": "caf\xe9"}, {"text": "I row."}]', 2, 1, "record 2 is not UTF-8"),
        ("f.json", b'[{"text": "I sail."}, {"text": "I r', 1, 1, "record 2 is no JSON"),
        (
            "f.json",
            b'[{"text": "I sail."}, {"text" "I row."}, {"text": "I ski."}]',
            1,
            1,
            "record 2 is no JSON .* what follows is not read",
        ),
        ("f.csv", b"text,x\nI sail.,1\nI row.\nI ski.,1,2\n\nI walk.,4\n", 2, 2, "line 3 has 1 columns, the head 2"),
        ("f.csv", b'text,x\nI sail.,1\n"I "row".",2\nI ski.,3\n', 2, 1, "line 3"),
        ("f.csv", b'text,x\nI sail.,1\n"I row.,2\nI ski.,3\n', 1, 1, "unexpected end of data"),
        ("f.csv", b"text,x\nI sail.,1\ncaf\xe9,2\nI ski.,3\n", 2, 1, "line 3 is not UTF-8; save the file as UTF-8"),
        ("f.csv", b"text,x\n", 0, 1, "the file holds no rows"),
        ("f.txt", b"I sail.\ncaf\xe9\nI row.\n", 2, 1, "line 2 is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_counted_and_told(
    tmp_path: Path, name: str, content: bytes, good: int, bad: int, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found, read = read_all(tmp_path / name)
    assert (len(found), read.conversations, read.unreadable) == (good, good, bad)
    with pytest.raises(UsageError, match=told):
        raise UsageError(read.first_fault)


@pytest.mark.parametrize("name", ["f.jsonl", "f.csv", "f.txt", "f.json"])
def test_a_line_that_is_too_long_is_counted(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_LINE", 1000)
    monkeypatch.setattr(parquet, "_CHUNK", 100)
    long = "x" * 5000
    content = {
        "f.jsonl": f'{GOOD}{{"text": "{long}"}}\n{GOOD}', "f.csv": f"text,n\nI sail.,1\n{long},2\nI row.,3\n", "f.txt": f"I sail.\n{long}\nI row.\n",
        "f.json": f'[\n{GOOD},{{"text": "{long}"}},{GOOD}]',
    }[name]  # fmt: skip
    (tmp_path / name).write_text(content)
    found, read = read_all(tmp_path / name)
    assert len(found) == (1 if name == "f.json" else 2)
    assert read.unreadable == 1


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".json"])
def test_a_file_that_was_cut_is_read_up_to_there(tmp_path: Path, kind: str) -> None:
    texts = [f"I sail, and {k * k * 7919 % 10007} gulls follow me." for k in range(4000)]
    whole = {
        ".jsonl": "".join(json.dumps({"text": t}) + "\n" for t in texts), ".csv": "text,n\n" + "".join(f'"{t}",1\n' for t in texts),
        ".json": json.dumps([{"text": t} for t in texts], indent=0),
    }[kind]  # fmt: skip
    packed = gzip.compress(whole.encode())
    (tmp_path / f"f{kind}.gz").write_bytes(packed[: len(packed) // 2])
    found, read = read_all(tmp_path / f"f{kind}.gz")
    assert 1000 < len(found) < 3000
    assert read.unreadable in (1, 2)
    assert "cut off or damaged" in read.first_fault


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("f.jsonl.gz", b"no gzip", "cannot be read"), ("f.json", b"[oh no", "is no JSON"), ("f.csv", "text\nI sail.\n".encode("utf-16"), "UTF-16"),
        ("f.parquet", b"no parquet", "cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told):
        read_all(tmp_path / name)


def test_parquet_without_pyarrow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"install deeppersona\[parquet\]"):
        read_all(tmp_path / "f.parquet")


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (["gone.jsonl"], "is not there"),
        (["f.pdf"], "files that end in"),
        (["empty"], "holds no conversations"),
        ([], "name at least one file"),
    ],
)
def test_sources_that_are_none_are_refused(
    tmp_path: Path, sources: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.pdf").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=told):
        corpus_files(sources)


def test_a_column_that_never_changes_does_not_gather_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 100)
    rows = [{"thread": "all", "role": "user", "text": f"I sail boat {k}."} for k in range(50)]
    found, read = read_all(jsonl(tmp_path / "f.jsonl", *rows))
    assert sum(len(c.turns) for c in found) == 50
    assert len(found) > 5
    assert "was cut" in read.first_fault


# --- any input, any size -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".txt", ".json", ".parquet", ".jsonl.gz"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    peaks = []
    for size in (4_000, 16_000):
        path = tmp_path / f"f{size}{kind}"
        texts = (f"I sail, and {k} gulls follow me. {'Every day. ' * 25}" for k in range(size))
        if kind == ".parquet":
            pq.write_table(pa.table({"text": list(texts)}), path, row_group_size=500)
        elif kind == ".csv":
            table(path, ["text"], *([t] for t in texts))
        elif kind == ".txt":
            path.write_text("\n".join(texts))
        elif kind == ".json":
            path.write_text(json.dumps([{"text": t} for t in texts]))
        else:
            content = "".join(json.dumps({"text": t}) + "\n" for t in texts)
            path.write_bytes(gzip.compress(content.encode(), 1) if kind.endswith(".gz") else content.encode())
        read = Read(path.name)
        tracemalloc.start()
        count = sum(1 for _ in conversations(path, read))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == read.conversations > 0
    assert peaks[1] < peaks[0] * 1.5 + 500_000


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["text", "role", "content", "messages", "id", "prompt", "replies", "author", "x"]), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(JSON, min_size=1, max_size=5), kind=st.sampled_from([".jsonl", ".json"]))
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], kind: str) -> None:
    path = tmp_path_factory.mktemp("any") / f"f{kind}"
    path.write_text("\n".join(map(json.dumps, rows)) if kind == ".jsonl" else json.dumps(rows))
    check(path)


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=200),
    kind=st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".txt", ".jsonl.gz", ".parquet"]),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("any") / f"f{kind}"
    path.write_bytes(content)
    check(path)


def check(path: Path) -> None:
    try:
        found, read = read_all(path)
    except UsageError:
        return
    assert len(found) == read.conversations
    assert read.conversations or read.unreadable
    for conversation in found:
        assert conversation.turns
        for turn in conversation.turns:
            turn.text.encode()
            assert turn.text.strip()
