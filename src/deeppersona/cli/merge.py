"""``deeppersona merge``: a run made in shards, put together."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deeppersona.runtime.shard import merge
from deeppersona.studio.gallery import write_gallery

_OF_ONE = ("shard_text", "out", "workers", "resume", "repair", "engine", "address", "as_json")


def asked_for(context: click.Context) -> str:
    """The command of a shard as it was typed, without what differs between shards: to make one that is missing."""
    words = [*context.command_path.split()]
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in _OF_ONE or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        for one in value if parameter.multiple else [value]:
            if not isinstance(parameter, click.Option):
                words.append(str(one))
            elif parameter.is_flag:
                words.append((parameter.opts if one else parameter.secondary_opts)[-1])
            else:
                words += [parameter.opts[0], str(one)]
    return shlex.join(words)


@click.command("merge")
@click.argument("shards", nargs=-1, required=True, metavar="SHARD...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder to put together.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
def command(shards: tuple[Path, ...], out: Path, as_json: bool) -> None:
    r"""Put a run together that was made in shards (generate --shard): the same run, byte for byte, as made by one process.

    \b
    Examples:
      for i in 1 2 3 4; do deeppersona generate -n 100000 --seed 7 --shard $i/4 --out runs/large-$i & done; wait
      deeppersona merge runs/large-[1-4] --out runs/large
      deeppersona merge /mnt/*/shard --out runs/large

    The plans must be the same and all parts there, each as its shard wrote it; what is missing is named, with the command
    that makes it. Parts are linked where the disk can, else copied; shards may be deleted afterwards. Stopped at any
    moment, the same command goes on.
    """
    columns = (TextColumn("putting parts together"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        people, failed = merge(shards, out, lambda done, of: bar.update(task, completed=done, total=of))
    write_gallery(out)
    if as_json:
        click.echo(json.dumps({"out": str(out), "shards": len(shards), "people": people, "failures": failed}))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{people}[/] people of {len(shards)} shards in [bold]{out}[/]"
        + (f"; {failed} could not be made, see {out / 'failures.jsonl'}" if failed else "")
        + f"\n  open  {out / 'index.html'}\n  read  deeppersona show {out}"
    )
