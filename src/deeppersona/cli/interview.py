"""``deeppersona interview``: talk with a person of a run, or put a list of questions to many."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeppersona.cli.model_options import asking, read_asking
from deeppersona.cli.written import usage_line
from deeppersona.errors import BY_YOU, Stopped, UsageError
from deeppersona.runtime.store import RunFolder

if TYPE_CHECKING:
    from deeppersona.models.spec import Open, Spec, Traffic
    from deeppersona.schema.taxonomy import Taxonomy
    from deeppersona.simulation.interview import Conversation, Interviewed, Manner
    from deeppersona.simulation.transcript import Question, Turn

_HELP = """  /who           the person in short
  /traits WORD   traits that hold a word, or come near to it
  /why           what the last answer was told to go by, and what in it is new
  /save          write the talk as Markdown beside the transcript
  /quit          end (so do Ctrl-D and Ctrl-C); all that was said is on disk already"""
_FOUND = 12  # traits that /traits lists


@click.command("interview")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("person", required=False, metavar="[ID]")
@click.option("--questions", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Questions to put, one a line, or CSV/JSONL with question and id; without it you talk yourself.")  # fmt: skip
@click.option("--ids", "ids", multiple=True, metavar="ID,ID", help="More people to put the questions to. Repeatable.")
@click.option("-n", "n", type=click.IntRange(min=1), default=None, help="Put the questions to the first N of the run.")
@click.option("--apart", is_flag=True, help="Ask each question by itself: no answer is seen by the next question.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Where transcripts go (default RUN/interviews)."
)
@click.option("--markdown", "readable", is_flag=True, help="Also write each transcript as Markdown, to be read.")
@click.option(
    "--temperature", type=click.FloatRange(0, 2), default=0.7, show_default=True, help="How freely people talk."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another talk.")
@click.option(
    "--taxonomy",
    "tree",
    type=click.Path(path_type=Path),
    help="The taxonomy the run was made with, if not the shipped one.",
)
@asking
@click.option("--json", "as_json", is_flag=True, help="Print each turn or interview as a line of JSON, and a summary.")
def command(
    run: Path, person: str | None, file: Path | None, ids: tuple[str, ...], n: int | None, apart: bool, out: Path | None,
    readable: bool, temperature: float, seed: int, tree: Path | None, as_json: bool, **raw: Any,
) -> None:  # fmt: skip
    r"""Talk with one person of RUN (by ID, or the place in the run: 0, 1, ...), or put a file of questions to many.

    The model plays the person from their own record: who they are stands first, and for each question the traits that bear on
    it are looked up. Replies are checked (no refusal, no assistant's voice); what stays at fault is marked. Transcripts say
    which traits were shown, and name what the model made up besides. Everything in them is synthetic.

    \b
      deeppersona interview runs/kenya ke-000003 --model openai:gpt-4.1-mini
      deeppersona interview runs/kenya 3 --model local:/models/small.gguf
      echo "How was your day?" | deeppersona interview runs/kenya 3 --model scripted:
      deeppersona interview runs/kenya --questions q.txt -n 20 --markdown --model openai:gpt-4.1-mini --budget 1
      deeppersona interview runs/kenya --questions q.csv --ids ke-000003,ke-000011 --apart --model openai:NAME@http://host/v1

    With --questions, stopped at any moment, the same command goes on where it was and pays for nothing twice.
    """
    from deeppersona.simulation.interview import Manner, chosen, speaker
    from deeppersona.simulation.transcript import FOLDER, read_questions
    from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

    wanted = [*([person] if person else []), *(i.strip() for some in ids for i in some.split(",") if i.strip())]
    roles, traffic = read_asking(raw)
    spec = speaker(roles)
    if n is not None and wanted:
        raise UsageError("name people by id or say -n how many of the first, not both")
    if not wanted and n is None:
        raise UsageError(
            "say whom to talk to: an ID (deeppersona show RUN lists them); with --questions also --ids, or -n N"
        )
    if file is None and (n is not None or len(wanted) > 1 or apart):
        raise UsageError(
            "a talk is with one person; to ask many, or each question apart, give the questions with --questions FILE"
        )
    questions = read_questions(file) if file else None
    records = RunFolder(run).records()
    people = chosen(records, wanted, n)
    manner = Manner(seed, temperature, apart)
    taxonomy = read_taxonomy(tree or SHIPPED)
    folder = out or run / FOLDER
    if questions is not None:
        total = min(n, len(records)) if n is not None else len(dict.fromkeys(wanted))
        stopped = _batch(people, total, questions, spec, traffic, folder, manner, taxonomy, readable, as_json)
    else:
        stopped = _Talk(next(people), spec, manner, taxonomy, folder, as_json).hold(traffic, readable)
    _close(folder, stopped, as_json)


def _batch(
    people: Iterator[Any], total: int, questions: list[Question], spec: Spec, traffic: Traffic, folder: Path, manner: Manner,
    taxonomy: Taxonomy, readable: bool, as_json: bool,
) -> str:  # fmt: skip
    from deeppersona.simulation.interview import interview, speaking

    faulty = 0

    async def all_of_them(tell: Callable[[Interviewed], None]) -> str:
        async with speaking(spec, traffic, folder) as models:
            return await interview(
                people,
                questions,
                models,
                folder,
                manner,
                at_once=traffic.concurrency,
                taxonomy=taxonomy,
                readable=readable,
                done=tell,
            )

    with _progress(total, as_json) as shown:

        def tell(found: Interviewed) -> None:
            nonlocal faulty
            faulty += sum(bool(turn.fault) for turn in found.turns)
            shown(found)

        stopped = asyncio.run(all_of_them(tell))
    if faulty:
        click.echo(f"warning: {faulty:,} answers stayed at fault; the transcripts say why", err=True)
    return stopped


@contextmanager
def _progress(total: int, as_json: bool) -> Iterator[Callable[[Interviewed], None]]:
    """Show interviews as they end: a bar in a terminal, else a line each; events with ``--json``."""
    columns = (TextColumn("interviews"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=total)

        def show(found: Interviewed) -> None:
            bar.advance(task)
            at_fault = sum(bool(turn.fault) for turn in found.turns)
            if as_json:
                row = {"event": "interview", "person": found.person, "file": str(found.file), "answers": len(found.turns),
                       "at_fault": at_fault, "before": found.before}  # fmt: skip
                click.echo(json.dumps(row))
            else:
                told = f", {at_fault} at fault" if at_fault else ""
                bar.console.print(
                    f"{found.person}: {len(found.turns)} answers{told}, in {found.file}",
                    highlight=False,
                    soft_wrap=True,
                )

        yield show


def _close(folder: Path, stopped: str, as_json: bool) -> None:
    """Say what it cost, and where it was stopped."""
    if as_json:
        click.echo(
            json.dumps({"event": "done", "out": str(folder), "stopped": stopped, "usage": RunFolder(folder).usage()})
        )
    else:
        click.echo(f"  all interviews in {folder}: {usage_line(folder)}")
        if stopped:
            click.echo(f"  stopped: {stopped}\n  nothing paid for is paid for again when you go on")
    if stopped:
        raise click.exceptions.Exit(130 if stopped == BY_YOU else 1)


class _Talk:
    """A talk in the terminal, or over lines of standard input; each turn is on disk before it is shown."""

    talk: Conversation
    transcript: Path | None = None  # begun with the first turn

    def __init__(
        self, record: Mapping[str, Any], spec: Spec, manner: Manner, taxonomy: Taxonomy, folder: Path, as_json: bool
    ) -> None:  # fmt: skip
        from deeppersona.simulation.interview import head_of

        self.record, self.spec, self.manner, self.taxonomy = record, spec, manner, taxonomy
        self.folder, self.as_json = folder, as_json
        self.head = head_of(record, spec.name, manner)
        self.console = Console(highlight=False)
        self.live = sys.stdin.isatty()

    def hold(self, traffic: Traffic, readable: bool) -> str:
        """Talk until it ends. Returns why it was stopped, "" where it was not."""
        from deeppersona.simulation.interview import Conversation, save_readable, speaking

        stopped = ""
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            try:
                opening = stack.enter_async_context(speaking(self.spec, traffic, self.folder))
                self.talk = Conversation(
                    self.record, runner.run(_entered(opening)).models["actor"], self.manner, self.taxonomy
                )
                self._greet()
                for line in self._lines():
                    if not self._took(line):
                        self._ask(runner, line)
            except Stopped as reason:
                stopped = str(reason)
            except (KeyboardInterrupt, EOFError):
                self._say("")
            finally:
                runner.run(stack.aclose())
        if self.transcript is not None:
            if readable:
                save_readable(self.transcript, self.head, self.talk.turns)
            self._say(f"{len(self.talk.turns)} turns, in {self.transcript}")
        return stopped

    def _greet(self) -> None:
        if self.live and not self.as_json:
            self.console.print(
                f"\n[bold]{escape(self.talk.name)}[/] [dim]synthetic, played by {escape(self.head['model'])}[/]"
            )
            self.console.print("[dim]ask away; /help lists what else you can type, /quit ends[/]\n")

    def _lines(self) -> Iterator[str]:
        """What is typed, until it ends; empty lines are left out."""
        while True:
            line = self.console.input("[bold]you[/]  ") if self.live else sys.stdin.readline()
            if not self.live and not line:
                return
            if line.strip() in ("/quit", "/exit", "/q"):
                return
            if line.strip():
                yield " ".join(line.split())

    def _ask(self, runner: asyncio.Runner, line: str) -> None:
        from deeppersona.simulation.transcript import LONGEST, Question, append, claim

        if len(line) > LONGEST:
            self._say(f"that is {len(line):,} characters; the most is {LONGEST:,}")
            return
        turn = runner.run(self.talk.ask(Question(f"q{len(self.talk.turns) + 1}", line)))
        self.transcript = self.transcript or claim(self.folder, str(self.record["id"]), self.head, again=False)
        append(self.transcript, turn)
        self._show(turn)

    def _show(self, turn: Turn) -> None:
        if self.as_json:
            from dataclasses import asdict

            click.echo(json.dumps({"event": "turn", **asdict(turn)}, ensure_ascii=False))
            return
        width = min(self.console.width, 92)
        self.console.print()
        self.console.print(Padding(escape(_printable(turn.answer or "(no answer)")), (0, 2)), width=width)
        if turn.fault:
            self.console.print(f"  [yellow]not to be trusted: {escape(turn.fault)}[/]")
        self.console.print()

    def _took(self, line: str) -> bool:
        """Whether a line was a command, and if so, what it says."""
        if not line.startswith("/"):
            return False
        word, _, rest = line[1:].partition(" ")
        known: dict[str, Callable[[str], str]] = {
            "who": self._who,
            "traits": self._traits,
            "why": self._why,
            "save": self._save,
            "help": lambda _: _HELP,
        }
        if word in known:
            self._say(known[word](rest.strip()))
        else:
            from deeppersona.errors import nearest

            self._say(f"no command /{word}{nearest(word, known)}\n{_HELP}")
        return True

    def _say(self, text: str) -> None:
        if not self.as_json:
            self.console.print(escape(_printable(text)), soft_wrap=True)

    def _who(self, _: str) -> str:
        return self.talk.role.partition("\n\n")[0]

    def _traits(self, word: str) -> str:
        from deeppersona.simulation.role import bearing

        if not word:
            return "say of what: /traits work"
        said = self.talk.said
        low = word.casefold()
        found = [s for s in said if low in s.path.replace("_", " ").casefold() or low in s.sentence.casefold()]
        found += [s for s in bearing(said, word, most=_FOUND) if s not in found]
        return "\n".join(f"  {s.path}: {s.sentence}" for s in found[:_FOUND]) or f"nothing near {word!r}"

    def _why(self, _: str) -> str:
        if not self.talk.turns:
            return "nothing was asked yet"
        turn = self.talk.turns[-1]
        by_path = {s.path: s.sentence for s in self.talk.said}
        lines = [f"  {path}: {by_path[path]}" for path in turn.shown]
        told = (
            "\n".join(lines)
            if lines
            else "  no trait bears on it: the answer goes by who the person is, or is invented"
        )
        new = f"\n  new in it, not in the record: {', '.join(turn.new)}" if turn.new else ""
        return f"{told}{new}\n  asked {turn.calls} time{'s' if turn.calls != 1 else ''}" + (
            f": {turn.fault}" if turn.fault else ""
        )

    def _save(self, _: str) -> str:
        from deeppersona.simulation.interview import save_readable

        if self.transcript is None:
            return "nothing was asked yet"
        return f"in {save_readable(self.transcript, self.head, self.talk.turns)}"


async def _entered(opening: Awaitable[Open]) -> Open:
    """Open the models within a task: a runner takes nothing less than a coroutine."""
    return await opening


def _printable(text: str) -> str:
    """Text of a model without what a terminal would obey."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
