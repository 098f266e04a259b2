"""``deeppersona merge``: a run made in shards, put together."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deeppersona.runtime.shard import merge
from deeppersona.studio.gallery import write_gallery

if TYPE_CHECKING:
    from deeppersona.populate import Meant

GALLERY_UP_TO = 5_000  # people of a population: a gallery reads everybody, which takes an eighth of the time they took
_OF_ONE = ("shard", "out", "workers", "resume", "repair", "engine", "address", "as_json")


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
@click.option(
    "--taxonomy",
    "folder",
    type=click.Path(path_type=Path),
    help="Of a population made with another taxonomy: its folder.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=None, help="Of a population: processes that look through it."
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
def command(shards: tuple[Path, ...], out: Path, folder: Path | None, workers: int | None, as_json: bool) -> None:
    r"""Put a run together that was made in shards (generate or population, --shard): the same run, byte for byte, as made by one process.

    \b
    Examples:
      for i in 1 2 3 4; do deeppersona generate -n 100000 --seed 7 --shard $i/4 --out runs/large-$i & done; wait
      deeppersona merge runs/large-[1-4] --out runs/large
      deeppersona merge /mnt/*/shard --out runs/large

    The plans must be the same and all parts there, each as its shard wrote it; what is missing is named, with the command
    that makes it. Parts are linked where the disk can, else copied; shards may be deleted afterwards. Stopped at any
    moment, the same command goes on. A population is then looked through as a whole: near-duplicates, quotas, weights, report.
    """
    meant = _meant(shards, folder)
    columns = (TextColumn("putting parts together"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        people, failed = merge(shards, out, lambda done, of: bar.update(task, completed=done, total=of))
    summary: dict[str, Any] = {"out": str(out), "shards": len(shards), "people": people, "failures": failed}
    page = "index.html"
    if meant is not None:
        from deeppersona import populate

        made = populate.finish_merged(meant, out, workers=workers, **({"taxonomy_folder": folder} if folder else {}))
        report, page, failed = made.report or {}, "fidelity.html", made.failures
        summary |= {"failures": failed, "quota_error": report["quota_error"], "violations": report["violations"]}
    if meant is None or people <= GALLERY_UP_TO:
        write_gallery(out)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print(
            f"[bold]{people}[/] people of {len(shards)} shards in [bold]{out}[/]"
            + (f"; {failed} could not be made, see {out / 'failures.jsonl'}" if failed else "")
            + f"\n  open  {out / page}\n  read  deeppersona show {out}"
        )
    if meant is not None and failed:
        raise click.exceptions.Exit(1)


def _meant(shards: tuple[Path, ...], folder: Path | None) -> Meant | None:
    """What the shards of a population were made for; nothing for a run of another kind."""
    if not any((path / "spec.json").exists() for path in shards):
        return None
    from deeppersona import populate
    from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

    return populate.merged(shards, read_taxonomy(folder or SHIPPED))
