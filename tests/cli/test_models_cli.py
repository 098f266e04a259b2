"""Models on the command line: what an endpoint can do, what a run will cost, and what is said when it cannot be meant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import deeppersona as dp
from deeppersona.cli import check, enrich, generate
from deeppersona.cli.main import main
from deeppersona.generation.priors import Priors
from tests.servers import FaultyServer

SMALL = ("generate", "-n", "3", "--country", "KE", "--depth", "40")


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of ``--json``: each is an object."""
        found = [json.loads(line) for line in self.out.splitlines()]
        assert all(isinstance(event, dict) for event in found)
        return found


Run = Callable[..., Done]


@pytest.fixture(scope="module", autouse=True)
def tree_ready_once() -> Iterator[None]:
    """The tree is read and made ready once, not once a command: none of these tests looks at that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deeppersona.generation.engine.Priors", lru_cache(Priors))
        for module in (generate, enrich, check):
            patch.setattr(module, "read_taxonomy", lambda folder: dp.shipped_taxonomy())
        yield


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line as ``python -m deeppersona`` has it, without a process of its own, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for key in ("OPENAI_API_KEY", "DEEPPERSONA_API_KEY"):
        monkeypatch.delenv(key, raising=False)

    def go(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["deeppersona", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return go


# --- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modes", "shape", "works"),
    [
        (("schema", "json", "plain"), "schema", (True, True, True)),
        (("json", "plain"), "json", (False, True, True)),
        (("plain",), "plain", (False, False, True)),
    ],
)
def test_what_a_server_can_do_is_found_out(run: Run, modes: tuple[str, ...], shape: str, works: tuple[bool]) -> None:
    with FaultyServer(modes=modes, script=obliging) as server:
        spec = f"openai:m@{server.url}"
        done = run("models", "check", spec, "--json")
        assert (done.code, done.err) == (0, "")
        (found,) = done.events
        assert (found["model"], found["shape"], found["logprobs"]) == ("openai:m", shape, True)
        assert tuple(not found["works"][kind] for kind in ("schema", "json", "plain")) == works
        assert all("refused" in why for why in found["works"].values() if why)
        assert found["tokens_per_s"] > 0
        assert found["latency_s"] >= 0
        server.reset()
        table = run("models", "check", spec)
        assert server.requests == 5
    assert table.code == 0
    assert table.out.count("works") == sum(works) + 1  # and logprobs
    assert "used as" in table.out
    assert shape in table.out
    assert f"--model {spec}" in table.out


def obliging(body: dict[str, Any]) -> str | None:
    """A model that reads plain words well: the question of the check has no numbered lines for the server to obey."""
    asked = body["messages"][-1]["content"]
    schema = (body.get("response_format") or {}).get("type") == "json_schema"
    return '{"1": "red", "2": 7}' if asked.startswith("Name a colour") and not schema else None


def test_a_model_that_writes_a_number_out_is_no_mistake_of_ours(run: Run) -> None:
    def words(body: dict[str, Any]) -> str | None:
        return '{"1": "red", "2": "seven"}' if "colour" in body["messages"][-1]["content"] else None

    with FaultyServer(modes=("json", "plain"), script=words) as server:
        assert run("models", "check", f"openai:m@{server.url}", "--json").code == 0
        assert run(*SMALL, "--model", f"openai:m@{server.url}").code == 0


def test_a_server_that_answers_nothing_usable_is_told(run: Run) -> None:
    with FaultyServer(require_key="sk-right") as server:
        done = run("models", "check", f"openai:m@{server.url}")
    assert done.code == 2
    assert "does not accept the key" in done.err
    assert "DEEPPERSONA_API_KEY" in done.err
    gone = run("models", "check", f"openai:m@{server.url}")
    assert gone.code == 1
    assert "Cannot connect" in gone.err
    assert "Traceback" not in gone.err


def test_a_key_in_the_environment_is_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPPERSONA_API_KEY", "sk-right")
    with FaultyServer(require_key="sk-right") as server:
        assert run("models", "check", f"openai:m@{server.url}").code == 0
        assert server.rejected["key"] == 0


def test_prices_are_listed(run: Run) -> None:
    known = json.loads(run("models", "prices", "--json").out)
    table = run("models", "prices").out
    assert len(known) >= 5
    for name, (tokens_in, cached, tokens_out) in known.items():
        assert name in table
        assert 0 <= cached <= tokens_in <= tokens_out


# --- what cannot be meant --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("opena:x", "did you mean openai"),
        ("locale:x.gguf", "did you mean local"),
        ("gpt-4.1-mini", "write openai:NAME"),
        ("openai:", "a name is missing"),
        ("openai:m@ftp://host", "begins with http"),
        ("openai:m@http://sk-1@host/v1", "DEEPPERSONA_API_KEY"),
        ("openai:gpt-4.1-mini", "OPENAI_API_KEY"),
        ("local:", "needs a file"),
        ("local:/nowhere/small.gguf", "/nowhere/small.gguf"),
        ("scripted:/nowhere/script.json", "/nowhere/script.json"),
        ("judge=scripted:", "no model writes"),
        ("writer=opena:x", "did you mean openai"),
        ("judge=gpt", "write openai:NAME"),
    ],
)
def test_a_bad_specification_gets_a_message_and_exit_2(run: Run, spec: str, said: str) -> None:
    done = run(*SMALL, "--model", spec)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert "sk-1" not in done.err


@pytest.mark.parametrize("spec", ["opena:x", "gpt-4.1-mini", "openai:", "local:/nowhere/small.gguf"])
def test_models_check_refuses_bad_specifications(run: Run, spec: str) -> None:
    assert run("models", "check", spec).code == 2


def test_a_role_named_twice_is_refused(run: Run) -> None:
    done = run(*SMALL, "--model", "scripted:", "--model", "writer=scripted:")
    assert done.code == 2
    assert "named twice" in done.err


def test_a_model_that_could_not_be_opened_does_not_hold_the_folder(run: Run) -> None:
    assert run(*SMALL, "--model", "local:/nowhere/small.gguf", "--out", "out").code == 2
    assert run(*SMALL, "--model", "scripted:", "--out", "out").code == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--price", "1/x", "IN/OUT"), ("--price", "-1/2", "IN/OUT"), ("--price", "1", "IN/OUT"), ("--budget", "-1", "budget"),
        ("--concurrency", "0", "concurrency"), ("--timeout", "0", "timeout"), ("--temperature", "3", "temperature"),
        ("--colour", "-1", "colour"), ("--book-words", "-1", "book-words"), ("--book-words", "300000", "book_words"),
        ("--diversity", "some", "counter"),
    ],
)  # fmt: skip
def test_bad_options_get_a_message_and_exit_2(run: Run, option: str, value: str, said: str) -> None:
    done = run(*SMALL, "--model", "scripted:", option, value)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


WRITING = (("--temperature", "1"), ("--colour", "3"), ("--book-words", "500"), ("--diversity", "off"))


@pytest.mark.parametrize("option", [*WRITING, ("--estimate",)])
def test_options_of_writing_need_a_model(run: Run, tmp_path: Path, option: tuple[str, ...]) -> None:
    done = run(*SMALL, *option, "--out", "out")
    assert done.code == 2
    assert "name one with --model SPEC" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--budget", "3"), ("--price", "1/2")])
def test_options_of_asking_need_a_model(run: Run, option: tuple[str, ...]) -> None:
    done = run(*SMALL, *option)
    assert done.code == 2
    assert "--model SPEC" in done.err


@pytest.mark.parametrize("option", WRITING)
def test_enrich_needs_a_model_for_them_too(run: Run, tmp_path: Path, option: tuple[str, ...]) -> None:
    (tmp_path / "people.jsonl").write_text('{"age": 40}\n')
    done = run("enrich", "people.jsonl", *option)
    assert done.code == 2
    assert "name one with --model SPEC" in done.err


# --- a run -----------------------------------------------------------------------------------------------------------


def test_an_estimate_is_told_in_calls_tokens_money_and_time(run: Run, tmp_path: Path) -> None:
    arguments = (*SMALL, "-n", "40", "--model", "scripted:", "--price", "1/0.5/2")
    told = run(*arguments, "--estimate", "--out", "out")
    assert (told.code, told.err) == (0, "")
    for words in ("3 people written as a pilot", "kept in out", "not paid for again", "calls", "tokens in", "tokens a trait",
                  "40 people: $", "(95%: $", "requests at once", "--budget"):  # fmt: skip
        assert words in told.out
    assert not list((tmp_path / "out" / "personas").iterdir())
    (event,) = run(*arguments, "--estimate", "--out", "out", "--json").events
    low, middle, high = event["cost"]
    assert (event["event"], event["pilot"], event["n"]) == ("estimate", 3, 40)
    assert 0 < low < middle < high
    assert f"${middle:,.2f}" in told.out


def test_an_estimate_without_a_price_says_how_to_give_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from deeppersona.models import price

    monkeypatch.setattr("deeppersona.models.spec.price_of", lambda spec, traffic: None)
    assert "openai:unheard-of" not in price.shipped_prices()
    told = run(*SMALL, "--model", "scripted:", "--estimate")
    assert (told.code, "give --price IN/OUT" in told.out) == (0, True)


def test_with_json_every_line_is_an_event_and_the_last_is_the_summary(run: Run, tmp_path: Path) -> None:
    with FaultyServer(latency=0.35, model="m") as server:
        done = run("generate", "-n", "9", "--country", "KE", "--depth", "40", "--out", "out", "--json",
                   "--model", f"openai:m@{server.url}", "--concurrency", "4")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    *progress, summary = done.events
    assert {event["event"] for event in progress} == {"progress"}
    assert len(progress) >= 3
    assert [e["people"] for e in progress] == sorted(e["people"] for e in progress)
    assert progress[-1]["calls"] > 0
    assert progress[-1]["tokens_in"] >= progress[-1]["tokens_cached"]
    assert (summary["event"], summary["stopped"]) == ("done", "")
    assert (summary["asked"], summary["people"], summary["failures"]) == (9, 9, 0)
    assert summary["usage"]["calls"] == server.good
    usage = json.loads((tmp_path / "out" / "usage.json").read_text())
    assert usage == {"personas": 9, "failures": 0, **summary["usage"]}


def test_nothing_is_said_on_stderr_where_nobody_watches() -> None:
    with FaultyServer(model="m") as server:
        done = subprocess.run(
            [sys.executable, "-m", "deeppersona", "models", "check", f"openai:m@{server.url}"],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_a_run_says_what_it_cost_and_what_to_do_next(run: Run) -> None:
    done = run(*SMALL, "--model", "scripted:", "--price", "1/2", "--out", "out")
    assert (done.code, done.err) == (0, "")
    assert "answers paid for" in done.out
    assert "$0.0" in done.out
    for command in ("deeppersona show out", "deeppersona check out", "out/index.html"):
        assert command in done.out


def test_a_plan_file_says_the_same_as_flags(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(
        'n = 3\ncountry = "KE"\ndepth = 40\nout = "a"\nmodel = ["scripted:", "judge=scripted:"]\n'
        'temperature = 0.5\ncolour = 4\nbook_words = 300\ndiversity = "measure"\n'
    )
    assert run("generate", "--plan", "plan.toml").code == 0
    flags = ("--model", "scripted:", "--model", "judge=scripted:", "--temperature", "0.5", "--colour", "4",
             "--book-words", "300", "--diversity", "measure")  # fmt: skip
    assert run(*SMALL, *flags, "--out", "b").code == 0
    a, b = ((tmp_path / name / "personas" / "part-00000.jsonl").read_bytes() for name in "ab")
    assert a == b
    frozen = json.loads((tmp_path / "a" / "plan.json").read_text())
    assert frozen == json.loads((tmp_path / "b" / "plan.json").read_text())
    writing = frozen["plan"]["writing"]
    assert (writing["temperature"], writing["colour"], writing["book_words"], writing["counter"]) == (
        0.5,
        4,
        300,
        False,
    )
    assert (writing["writer"], writing["judge"]) == ("scripted:", "scripted:")
    (record, *_) = [json.loads(line) for line in a.splitlines()]
    assert record["book"]
    assert sum("colour" in trait for trait in record["traits"]) == 4


def test_flags_win_over_the_plan_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('n = 3\ncountry = "KE"\ndepth = 40\nmodel = "opena:x"\ntemperature = 0.5\n')
    assert (
        run("generate", "--plan", "plan.toml", "--model", "scripted:", "--temperature", "1.5", "--out", "a").code == 0
    )
    assert json.loads((tmp_path / "a" / "plan.json").read_text())["plan"]["writing"]["temperature"] == 1.5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("temperature = 5", "temperature"),
        ('temperature = "hot"', "temperature cannot be"),
        ("colour = -1", "colour"),
        ("book_words = 1.5", "book_words cannot be"),
        ('modle = "scripted:"', "did you mean model"),
        ('model = "opena:x"', "did you mean openai"),
        ("model = 3", "model cannot be"),
        ("model = [1]", "model"),
        ("temperature = true", "temperature cannot be"),
        ('diversity = "sometimes"', "diversity"),
    ],
)
def test_a_malformed_plan_is_told(run: Run, tmp_path: Path, line: str, said: str) -> None:
    model = "" if line.startswith("model") else 'model = "scripted:"\n'
    (tmp_path / "plan.toml").write_text(f'n = 2\ncountry = "KE"\ndepth = 40\nout = "out"\n{model}{line}\n')
    done = run("generate", "--plan", "plan.toml")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_another_model_is_another_plan(run: Run, tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text("[]")
    assert run(*SMALL, "--model", "scripted:", "--out", "out").code == 0
    for other in (("--model", "scripted:script.json"), ("--model", "scripted:", "--temperature", "0.1"), ()):
        done = run(*SMALL, *other, "--out", "out")
        assert done.code == 2
        assert "different plan" in done.err
    assert run(*SMALL, "--model", "scripted:", "--concurrency", "3", "--budget", "9", "--out", "out").code == 0


def test_check_measures_how_alike_people_are_told(run: Run, tmp_path: Path) -> None:
    assert (
        run("generate", "-n", "16", "--country", "KE", "--depth", "40", "--model", "scripted:", "--out", "out").code
        == 0
    )
    made = json.loads((tmp_path / "out" / "diversity.json").read_text())
    (tmp_path / "out" / "diversity.json").unlink()
    done = run("check", "out", "--diversity")
    assert (done.code, done.err) == (0, "")
    for words in ("0 contradictions", "self-BLEU", "portraits, before", "stories, after", "16 people"):
        assert words in done.out
    assert json.loads((tmp_path / "out" / "diversity.json").read_text()) == made
    assert set(made["portraits"]) == {"all", "before", "after"}


def test_check_with_json_prints_one_document(run: Run) -> None:
    assert run(*SMALL, "--model", "scripted:", "--out", "out").code == 0
    assert json.loads(run("check", "out", "--json").out) == []
    json.loads(run("check", "out", "--json", "--diversity").out)


def test_without_measuring_there_is_no_measure(run: Run, tmp_path: Path) -> None:
    assert run(*SMALL, "--model", "scripted:", "--diversity", "off", "--out", "out").code == 0
    assert not (tmp_path / "out" / "diversity.json").exists()


def test_enrich_with_a_model_tells_events_and_a_summary(run: Run, tmp_path: Path) -> None:
    (tmp_path / "people.jsonl").write_text('{"persona": "A nurse of 40 from Kenya"}\n{"age": 61, "country": "KE"}\n')
    done = run("enrich", "people.jsonl", "--depth", "40", "--model", "scripted:", "--out", "out", "--json")
    assert (done.code, done.err) == (0, "")
    summary = done.events[-1]
    assert (summary["asked"], summary["people"]) == (2, 2)
    record = json.loads((tmp_path / "out" / "personas" / "part-00000.jsonl").read_bytes().splitlines()[1])
    assert record["provenance"]["model"] == "scripted:"
    assert {t["path"]: t["source"] for t in record["traits"]}["demographics.age"] == "given"


@pytest.mark.parametrize(
    "command",
    ["generate", "enrich"],
)  # fmt: skip
def test_an_interrupt_ends_with_130_and_going_on_ends_the_same(run: Run, tmp_path: Path, command: str) -> None:
    lines = [f'{{"age": {40 + k}, "country": "KE"}}\n' for k in range(6)]
    (tmp_path / "people.jsonl").write_text("".join(lines))
    before = ("enrich", "people.jsonl") if command == "enrich" else ("generate", "-n", "6", "--country", "KE")
    interrupted: list[int] = []

    def interrupting(body: dict[str, Any]) -> None:
        if len(body["messages"]) == 4 and not interrupted:  # somebody's second round
            interrupted.append(1)
            os.kill(os.getpid(), signal.SIGINT)

    with FaultyServer(model="m", script=interrupting) as server:
        asking = ("--depth", "40", "--model", f"openai:m@{server.url}", "--concurrency", "2")
        done = run(*before, *asking, "--out", "out")
        assert (done.code, bool(interrupted)) == (130, True)
        assert "run the same command again" in done.out + done.err
        assert run(*before, *asking, "--out", "out").code == 0
        assert server.answered_twice == 0
        assert run(*before, *asking, "--out", "whole").code == 0
    a, b = ((tmp_path / name / "personas" / "part-00000.jsonl").read_bytes() for name in ("out", "whole"))
    assert a == b


@pytest.mark.parametrize("command", [("generate",), ("enrich",), ("models",)])
def test_help_says_how_a_model_is_named(run: Run, command: tuple[str, ...]) -> None:
    told = run(*command, "--help")
    assert told.code == 0
    text = " ".join(told.out.split())
    for form in ("openai:", "@http://", "local:", ".gguf", "scripted:"):
        assert form in text


def test_help_of_generate_names_every_option_of_models(run: Run) -> None:
    text = " ".join(run("generate", "--help").out.split())
    for option in ("--model", "judge=SPEC", "--concurrency", "--budget", "--price", "--timeout", "--temperature",
                   "--colour", "--book-words", "--diversity", "--estimate", "hard stop"):  # fmt: skip
        assert option in text
    assert "models" in run("--help").out
