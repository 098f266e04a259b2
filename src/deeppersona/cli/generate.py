"""``deeppersona generate``: the main job."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeppersona import study
from deeppersona.cli.model_options import SAMENESS, read_asking, read_writing, writing
from deeppersona.cli.running import begin_early, executor, running
from deeppersona.cli.show import show_one
from deeppersona.cli.written import progress_of, show_estimate, usage_line
from deeppersona.corpus.export import FORMATS, export
from deeppersona.errors import BY_YOU, UsageError, unknown
from deeppersona.evaluation.sameness import write_sameness
from deeppersona.runtime.executor import Over
from deeppersona.runtime.shard import Shard
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.plan import Plan
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.studio.gallery import write_gallery
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

_PLAN_KEYS: dict[str, type | tuple[type, ...]] = {
    "n": int, "country": (str, list, dict), "seed": int, "depth": int, "ratio": (str, list), "focus": dict,
    "anchor": dict, "adults_only": bool, "book": bool, "taxonomy": str, "format": (str, list), "out": str,
    "model": (str, list), "temperature": (int, float), "colour": int, "book_words": int, "diversity": str,
}  # fmt: skip


def pairs(items: tuple[str, ...], what: str) -> dict[str, str]:
    """``("age=34", "sex=female")`` as a mapping; UsageError where one has no ``=`` or comes twice."""
    out: dict[str, str] = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise UsageError(f"--{what} {item!r}: write it as NAME=VALUE")
        if key.strip() in out:
            raise UsageError(f"--{what} {key.strip()} is given twice; for a set write {key.strip()}=a,b")
        out[key.strip()] = value.strip()
    return out


def read_plan(path: Path) -> dict[str, Any]:
    """A plan file: the options of generate in TOML. UsageError names the line or the nearest key."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no plan at {path}; write one, or pass the options directly") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the plan {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the plan {path} is no valid TOML: {error}") from None
    for key, value in raw.items():
        if key not in _PLAN_KEYS:
            raise unknown(f"key in the plan {path}:", key, _PLAN_KEYS)
        wanted = _PLAN_KEYS[key]
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        listed = value if key in ("model", "format") and isinstance(value, list) else []
        odd = isinstance(value, bool) and bool not in kinds
        if odd or not isinstance(value, kinds) or not all(isinstance(item, str) for item in listed):
            raise UsageError(f"the plan {path}: {key} cannot be {value!r}")
        if key == "diversity" and value not in SAMENESS:
            raise unknown(f"diversity in the plan {path}:", value, SAMENESS)
    return raw


def parse_ratio(text: str | list[int]) -> tuple[int, ...]:
    """``5:3:2``."""
    parts = text.split(":") if isinstance(text, str) else text
    try:
        ratio = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        ratio = ()
    if len(ratio) != 3:
        raise UsageError(f"ratio {text!r}: write near:mid:far as three whole numbers, as in 5:3:2")
    return ratio


def _focus(raw: dict[str, Any]) -> dict[str, float]:
    out = {}
    for path, weight in raw.items():
        try:
            out[path] = float(weight)
        except (TypeError, ValueError):
            raise UsageError(f"focus {path}={weight!r}: a focus is a number, as in health=3") from None
    return out


@click.command("generate")
@click.option("-n", "n", type=int, default=None, help="How many people in all (default 12).")
@click.option(
    "--country",
    "country",
    multiple=True,
    metavar="KE|Kenya|IN=3",
    help="Repeatable; countries share n by weight. Default: the world, by population.",
)
@click.option("--seed", type=int, default=None, help="The same seed and plan give the same people (default 0).")
@click.option("--depth", type=int, default=None, help="Attributes a person besides the core, 20..400 (default 220).")
@click.option(
    "--anchor",
    "anchor",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A condition of the draw: age=60..75, sex=female, occupation=nurse, religion=Catholic, city=Lyon. Repeatable.",
)
@click.option(
    "--focus",
    "focus",
    multiple=True,
    metavar="NODE=WEIGHT",
    help="Deepen or thin a part of the tree: health=3, work.commute=0.5. Repeatable.",
)
@click.option(
    "--ratio", default=None, metavar="NEAR:MID:FAR", help="Shares near, mid and far from the core (default 5:3:2)."
)
@click.option(
    "--adults-only/--all-ages", "adults_only", default=None, help="People of 18 and over (default), or everybody."
)
@click.option("--book", is_flag=True, default=None, help="Also write the life book, by chapters, from all traits.")
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="The same options in a TOML file; flags win over it."
)
@click.option(
    "--taxonomy", "folder", type=click.Path(path_type=Path), help="A taxonomy folder; default: the shipped one."
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The run folder (default runs/run).")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(["jsonl", *FORMATS]), help="Extra outputs. Repeatable."
)
@running
@click.option("--resume/--no-resume", default=True, help="Going on with a run begun before is the default.")
@click.option("--repair", is_flag=True, help="Set damaged parts aside and make them anew.")
@writing
@click.option("--estimate", is_flag=True, help="Write three people, say what all would cost and take, and stop there.")
@click.option(
    "--slot",
    type=click.IntRange(min=0),
    default=None,
    help="Make the person of one slot alone, the same as in any run of the plan, and show them; nothing is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON; with a model, events as they come.")
def command(
    n: int | None, country: tuple[str, ...], seed: int | None, depth: int | None, anchor: tuple[str, ...],
    focus: tuple[str, ...], ratio: str | None, adults_only: bool | None, book: bool | None, plan_file: Path | None,
    folder: Path | None, out: Path | None, formats: tuple[str, ...], resume: bool, repair: bool,
    estimate: bool, slot: int | None, as_json: bool, **raw: Any,
) -> None:  # fmt: skip
    r"""Make deep personas of real countries, with no model and no key; with --model, a model writes what figures cannot.

    \b
    Examples:
      deeppersona generate -n 20 --country KE --seed 7 --out runs/kenya
      deeppersona generate -n 40 --country IN=3 --country BR=1 --out runs/two
      deeppersona generate -n 5 --country DE --anchor age=60..75 --anchor occupation=nurse --out runs/nurses
      deeppersona generate -n 100 --focus health=3 --focus work=0.5 --depth 300 --out runs/health
      deeppersona generate -n 100000 --shard 3/16 --out runs/large-3
      deeppersona generate --country JP --slot 1000000000            one of a billion, alone
      deeppersona generate -n 200 --country KE --model openai:gpt-4.1-mini --estimate --out runs/written
      deeppersona generate -n 200 --country KE --model openai:gpt-4.1-mini --budget 5 --out runs/written

    Stopped at any moment, the same command goes on where it was and ends with the same bytes.
    """
    file = read_plan(plan_file) if plan_file else {}
    folder = folder or (Path(file["taxonomy"]) if "taxonomy" in file else SHIPPED)
    taxonomy = read_taxonomy(folder)
    wanted: Any = list(country) or file.get("country")
    raw["models"] = raw["models"] or tuple([m] if isinstance(m := file.get("model", []), str) else m)
    for key in ("temperature", "colour", "book_words", "diversity"):
        raw[key] = raw[key] if raw[key] is not None else file.get(key)
    roles, traffic = read_asking(raw) if raw["models"] else ({}, None)
    if not roles and (estimate or raw["budget"] is not None or raw["price"] or read_writing(raw)):
        raise UsageError("there is no model to write: name one with --model SPEC")
    if slot is not None and (roles or raw["shard"] or formats or book):
        raise UsageError(
            "--slot shows one person as figures draw them: leave --model, --shard, --format and --book away"
        )
    asked = n if n is not None else file.get("n", 12)
    if slot is None and not roles:
        begin_early(raw, asked, study.__name__)
    plan = study.make_plan(
        asked if slot is None else max(asked, slot + 1), wanted, seed=seed if seed is not None else file.get("seed", 0),
        depth=depth if depth is not None else file.get("depth", 220),
        ratio=parse_ratio(ratio or file.get("ratio", "5:3:2")),
        focus=_focus(pairs(focus, "focus") or file.get("focus", {})),
        anchors=pairs(anchor, "anchor") or file.get("anchor", {}),
        adults_only=adults_only if adults_only is not None else file.get("adults_only", True),
        book=book if book is not None else file.get("book", False), taxonomy=taxonomy,
        writing=study.make_writing(roles, **read_writing(raw)) if roles else None,
    )  # fmt: skip
    if slot is not None:
        show_one(study.record_at(plan, slot, taxonomy), as_json)
        return
    out = out or Path(file.get("out", "runs/run"))
    if not resume and (out / "plan.json").exists():
        raise UsageError(f"{out} already holds a run; choose another --out, or leave --no-resume away to go on with it")
    over, workers, shard = executor(raw, written=bool(roles))
    more = _more_formats(formats, file, shard)
    began = time.perf_counter()
    stopped = ""
    if estimate:
        show_estimate(study.estimate(plan, out, taxonomy, roles, traffic), out, as_json)
        return
    if roles:
        with progress_of(plan.n, as_json) as progress:
            outcome = study.write(
                plan, out, taxonomy, roles, traffic, repair=repair, progress=progress, taxonomy_folder=folder
            )
        people, failed, stopped = outcome.people, outcome.failures, outcome.stopped
    else:
        people, failed = _run_with_bar(plan, out, taxonomy, folder, workers, repair, over, shard)
    if shard:
        _closing_shard(out, shard, plan, people, failed, as_json)
        return
    write_gallery(out)
    if roles and raw["diversity"] != "off":
        write_sameness(out)
    for name in more:
        export(study.load(out), name, out / f"export-{name}", plan=plan)
    _closing(out, plan, people, failed, time.perf_counter() - began, as_json, stopped)


def _more_formats(formats: tuple[str, ...], file: dict[str, Any], shard: Shard | None) -> list[str]:
    """The formats to export besides JSON lines, from the flags or the plan file."""
    more = [*formats] or ([file["format"]] if isinstance(file.get("format"), str) else list(file.get("format", [])))
    for name in more:
        if name not in ("jsonl", *FORMATS):
            raise unknown("format", name, ["jsonl", *FORMATS])
    if shard and more:
        raise UsageError(
            "a shard is not everybody: leave --format away, and export what deeppersona merge has put together"
        )
    return [name for name in more if name != "jsonl"]


def _run_with_bar(
    plan: Plan, out: Path, taxonomy: Taxonomy, folder: Path, workers: int | None, repair: bool, over: Over,
    shard: Shard | None,
) -> tuple[int, int]:  # fmt: skip
    console = Console(stderr=True)
    columns = (TextColumn("making people"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=shard.people(plan) if shard else plan.n)
        return study.run(
            plan, out, taxonomy, taxonomy_folder=folder, workers=workers, repair=repair,
            progress=lambda done: bar.advance(task, done), over=over, shard=shard,
        )  # fmt: skip


def _closing_shard(out: Path, shard: Shard, plan: Plan, people: int, failed: int, as_json: bool) -> None:
    """Say what a shard holds and how it becomes a run. It has no gallery: that is written of the whole."""
    if as_json:
        summary = {
            "out": str(out),
            "shard": str(shard),
            "asked": shard.people(plan),
            "people": people,
            "failures": failed,
        }
        click.echo(json.dumps(summary))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{people}[/] people of shard {shard} in [bold]{out}[/]"
        + (f"; {failed} could not be made" if failed else "")
    )
    console.print("  when all shards are made: deeppersona merge SHARD... --out DIR")


def _closing(out: Path, plan: Plan, people: int, failed: int, seconds: float, as_json: bool, stopped: str) -> None:
    if as_json:
        summary = {"out": str(out), "asked": plan.n, "people": people, "failures": failed, "seconds": round(seconds, 2)}
        if plan.writing is not None:
            summary |= {"event": "done", "stopped": stopped, "usage": RunFolder(out).usage()}
        click.echo(json.dumps(summary))
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print(
            f"[bold]{people}[/] people in {seconds:.1f} s, in [bold]{out}[/]"
            + (f"; {failed} could not be made, see {out / 'failures.jsonl'}" if failed else "")
        )
        if plan.writing is not None:
            console.print(f"  {usage_line(out)}")
        if stopped:
            console.print(
                f"  [bold]stopped[/] after {people} of {plan.n}: {stopped}\n"
                "  nothing paid for is paid for again when you go on"
            )
        console.print(f"  open  {out / 'index.html'}\n  read  deeppersona show {out}\n  check deeppersona check {out}")
        console.print(
            "  All people are synthetic: drawn from statistics and a curated taxonomy, nobody real is described."
        )
    if stopped:
        raise click.exceptions.Exit(130 if stopped == BY_YOU else 1)
    if failed and not people:
        raise click.exceptions.Exit(1)
