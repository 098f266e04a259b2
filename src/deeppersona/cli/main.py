"""The command ``deeppersona``: subcommands are loaded when called, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are small here: threads only get in each other's way

import click

from deeppersona.errors import DeepPersonaError, nearest
from deeppersona.version import __version__

COMMANDS = {
    "generate": ("generate", "Make deep personas of real countries, with no model and no key."),
    "merge": ("merge", "Put a run together that was made in shards."),
    "population": ("population", "Make a population with exact quotas, and prove that it met them."),
    "show": ("show", "Read a run in the terminal: the list of people, or one person whole."),
    "export": ("export", "Write a run as parquet, csv, markdown or a dataset folder (hf)."),
    "query": ("query", "Ask a run of any size a question in SQL."),
    "enrich": ("enrich", "Deepen shallow personas you already have; what is given stays untouched."),
    "check": ("check", "Look for contradictions in a run with the validators."),
    "gallery": ("gallery", "Write the page index.html of a run again."),
    "models": ("models", "Say what a language model endpoint can do; list prices."),
    "mine": ("mine", "Turn real conversations into a taxonomy, or grow the shipped one."),
    "survey": ("survey", "Put questionnaires to people, score the answers, compare them with humans'."),
    "interview": ("interview", "Talk with a person in role, or put a file of questions to many (with a model)."),
    "refine": ("refine", "Refine personas from what people do, and predict what they do next."),
    "taxonomy": ("taxonomy", "Browse, check, import and export trees of human attributes."),
    "facts": ("facts", "Show the figures behind a country and where they come from."),
    "completion": ("completion", "Print the shell completion script for bash, zsh or fish."),
}


def _laid_out(command: click.Command) -> click.Command:
    """Keep the lines of examples apart in the help: click's mark is a backspace, our docstrings spell it out, being raw."""
    if command.help:
        command.help = command.help.replace("\\b\n", "\b\n")
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _laid_out(below)
    return command


class Lazy(click.Group):
    """A group whose commands live in modules of their own, imported only when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"deeppersona.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return _laid_out(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Name the nearest command when the one asked for is unknown."""
        if args and args[0] not in COMMANDS:
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], COMMANDS) or '; see deeppersona --help'}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="deeppersona")
def cli() -> None:
    r"""Deep synthetic people: drawn from real statistics first, told in language second.

    \b
    Begin with:
      deeppersona generate -n 12 --country KE --country JP --country BR --out runs/first
      deeppersona show runs/first
      open runs/first/index.html
    """


_laid_out(cli)


def main() -> None:
    """Run the command line: errors made on purpose are printed without a traceback."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("stopped; run the same command again to go on where it was", err=True)
        sys.exit(130)
    except DeepPersonaError as error:
        click.echo(f"deeppersona: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
