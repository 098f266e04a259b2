"""``deeppersona survey compare`` and ``rectify``: synthetic answers beside humans', and estimates that need few humans."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table

from deeppersona.errors import UsageError

_SHOWN = 24
_FILE = click.Path(path_type=Path)


@click.command("compare")
@click.argument("answers", type=_FILE)
@click.argument("humans", type=_FILE)
@click.option(
    "--items", metavar="map.toml|wvs7", help="A map: items, options, missing codes, columns of the human file."
)
@click.option(
    "--inventory", metavar="ID|FILE", help="Take items and options from a questionnaire (default: the one answered)."
)
@click.option("--only", default="", metavar="ITEM,...", help="Compare these items only.")
@click.option(
    "--protocol",
    type=click.Choice(["corrected", "paper"]),
    default="corrected",
    show_default=True,
    help="paper: as published, traps and all.",
)
@click.option(
    "--human-rows", metavar="N|all", help="With --protocol paper: human rows (default: paired, as many as ours)."
)
@click.option(
    "--projection", type=_FILE, help="Projection weights of the Inglehart-Welzel map (JSON), for the country map."
)
@click.option("--licence", default="", help="Licence of the human data, for the report.")
@click.option("--name", default="", metavar="NAME", help="What ANSWERS are called (default: their respondent).")
@click.option(
    "--against", multiple=True, metavar="[NAME=]FILE", help="Another arm before the same humans; may be given again."
)
@click.option(
    "--validity",
    "kits",
    multiple=True,
    metavar="[NAME=]FILE",
    help="What survey validity --out wrote, for the report; with NAME of another arm.",
)
@click.option(
    "--resamples", type=click.IntRange(min=50), default=500, show_default=True, help="Bootstrap resamples of people."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples.")
@click.option("--out", type=_FILE, help="Folder for compare.html and compare.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def compare(
    answers: Path,
    humans: Path,
    protocol: Literal["corrected", "paper"],
    human_rows: str | None,
    out: Path | None,
    as_json: bool,
    **raw: Any,
) -> None:
    r"""Compare synthetic ANSWERS with those of HUMANS, between the human floor and the uniform ceiling.

    HUMANS is a table with one row a person, one row an answer, counts per option (item,option,count) or shares with n
    (item,option,share,n). Countries that both tables name are compared one by one. A score of 1 is as near as another
    sample of humans, 0 no nearer than random answers. With --against several sets of answers stand in one table.

    \b
      deeppersona survey compare answers.csv wvs.csv --items wvs7 --out comparison
      deeppersona survey compare grounded.csv wvs.csv --against uniform.csv --against bare=no-persona.csv --validity validity.json
      deeppersona survey compare answers.csv wvs.csv --items wvs7 --protocol paper --human-rows 40
    """
    from deeppersona.evaluation.survey.comparison import Asked
    from deeppersona.evaluation.survey.comparison import compare as compared
    from deeppersona.evaluation.survey.report import write_comparison

    if human_rows is not None and protocol != "paper":
        raise UsageError("--human-rows is for --protocol paper; the corrected protocol uses every human")
    report = compared(Asked(
        answers, humans, raw["items"], raw["inventory"], protocol, _rows(human_rows), raw["resamples"], raw["seed"], raw["projection"],
        _listed(raw["only"]), raw["licence"], raw["name"], tuple(_named(a) for a in raw["against"]), tuple(_named(k) for k in raw["kits"]),
    ))  # fmt: skip
    if out is not None:
        write_comparison(out, report)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        _show_comparison(report)
        if out is not None:
            click.echo(f"  open  {out / 'compare.html'}")


def _rows(told: str | None) -> int | None:
    if told is None:
        return None
    if told == "all":
        return 0
    if not told.isdigit() or int(told) < 1:
        raise UsageError(f"--human-rows {told!r}: give a number from 1, or all")
    return int(told)


def _listed(told: str) -> tuple[str, ...]:
    return tuple(word for word in (w.strip() for w in told.split(",")) if word)


def _named(told: str) -> tuple[str, Path]:
    """NAME=FILE, or FILE alone, which may hold an = itself."""
    name, mark, file = told.partition("=")
    if not mark or Path(told).exists():
        return "", Path(told)
    if not name or not file:
        raise UsageError(f"{told!r}: give NAME=FILE, or FILE")
    return name, Path(file)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _score(x: float | None) -> str:
    return "-" if x is None else f"{x:+.2f}"


def _table(*heads: str, left: int = 1) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for k, head in enumerate(heads):
        table.add_column(head, justify="left" if k < left else "right")
    return table


_BRIEF = {
    "ks": "KS", "wasserstein": "W", "js_divergence": "", "js_distance": "JS dist.", "total_variation": "TV",
    "mean_difference": "mean diff.", "js_distance_19_bins": "JS 19 bins",
}  # fmt: skip


def _show_arms(r: Mapping[str, Any], console: Console) -> None:
    """The arms between floor and ceiling."""
    arms, first = r["arms"], r["arms"]["rows"][0]
    names = [k for k in arms["metrics"] if _BRIEF[k]]
    table = _table("arm", "people", *(_BRIEF[k] for k in names), "score (KS)")
    for edge, end, score in (("humans (floor)", "floor", 1.0), ("at random (ceiling)", "ceiling", 0.0)):
        figures = (f"{first['overall'][k][end]:.3f}" for k in names)
        table.add_row(edge, "", *figures, _score(score), style="dim")
        for a in arms["rows"] if end == "floor" else ():
            figures = (f"{a['overall'][k]['value']:.3f}" for k in names)
            table.add_row(a["name"], f"{a['people']:,}", *figures, _score(a["overall"].get("ks", {}).get("score")))
    console.print(table)
    of = f" of {arms['of']}" if arms["of"] > arms["cells"] else ""
    console.print(f"  over the {arms['cells']}{of} items and countries that all arms answered", style="dim")


def _show_comparison(r: Mapping[str, Any]) -> None:
    console = _console()
    names = [k for k in r["metrics"] if _BRIEF[k]]
    several = len(r["countries"]) > 1
    if several:
        rows = [(c, row["n ours"], row["n humans"], row["metrics"]) for c, row in r["by country"].items()]
    else:
        rows = [(i["item"], i["ours"]["n"], i["humans"]["n"], i["metrics"]) for i in r["items"]]
    table = _table("country" if several else "item", "ours", "humans", *(_BRIEF[k] for k in names))
    for key, n, m, metrics in rows[:_SHOWN]:
        table.add_row(key, f"{n:,}", f"{m:,}", *(f"{metrics[k]['value']:.3f}" if k in metrics else "-" for k in names))
    console.print(table)
    if len(rows) > _SHOWN:
        console.print(f"  and {len(rows) - _SHOWN} more, in the report")
    table = _table("over all", "value", "95 %", "humans", "uniform", "score")
    for key, m in r["overall"].items():
        span = f"{m['low']:.3f}..{m['high']:.3f}" if "low" in m else "-"
        figures = (f"{m[k]:.3f}" for k in ("floor", "ceiling"))
        table.add_row(r["metrics"][key], f"{m['value']:.3f}", span, *figures, _score(m["score"]))
    console.print(table)
    console.print(
        "  humans: the floor, two samples of them of these sizes; uniform: the ceiling; score 1 to 0", style="dim"
    )
    if r["arms"]:
        _show_arms(r, console)
    if r["protocol"] == "paper":
        console.print(
            f"  protocol of the paper, {r['rows']}, weights {r['weights']}: for computing published figures again, not for findings"
        )
    elif r["variance ratio"]:
        v = r["variance ratio"]
        console.print(
            f"  variance of ours over humans' {v['value']:.2f} ({v['low']:.2f} to {v['high']:.2f}); 1 is as varied as people are"
        )
    _warn(r)


def _warn(r: Mapping[str, Any]) -> None:
    """Missing and off-scale answers, items and people left out: on standard error, never in silence."""
    for side in ("ours", "humans"):
        for note in r[side].get("notes", ()):
            click.echo(f"warning: {side}: {note}", err=True)
        lost, off = 0, dict[str, int]()
        for i in r["items"]:
            lost += sum(i[side].get("missing", {}).values())
            for code, n in (i[side].get("off scale") or i[side].get("off scale, kept") or {}).items():
                off[f"{i['item']}={code}"] = off.get(f"{i['item']}={code}", 0) + n
        if lost:
            click.echo(f"note: {side}: {lost:,} answers are missing codes and left out", err=True)
        if off:
            told = ", ".join(f"{k} ({n})" for k, n in sorted(off.items(), key=lambda x: -x[1])[:6])
            click.echo(
                f"warning: {side}: {sum(off.values()):,} answers are off the scale, {'kept as published' if r['protocol'] == 'paper' else 'left out'}: {told}",
                err=True,
            )
    for arm in (r["arms"] or {"rows": ()})["rows"][1:]:
        for note in arm["notes"]:
            click.echo(f"warning: {arm['name']}: {note}", err=True)
        if arm["left out"]:
            click.echo(f"note: {arm['name']}: {arm['left out']:,} answers are missing codes or off the scale", err=True)
    for kit in r["validity"]:
        for note in (*kit["notes"], *kit.get("warnings", ())):
            click.echo(f"warning: validity of {kit['name']}: {note}", err=True)
    guessed = [i["item"] for i in r["items"] if i.get("options inferred")]
    if guessed:
        click.echo(
            f"warning: options of {', '.join(guessed[:8])} are those humans used; --inventory or --items says them for sure",
            err=True,
        )
    _not_used("compared", r["not compared"])


def _not_used(done: str, items: Mapping[str, str]) -> None:
    by_reason: dict[str, list[str]] = {}
    for key, why in items.items():
        by_reason.setdefault(why, []).append(key)
    for why, keys in by_reason.items():
        more = f" and {len(keys) - 12} more" if len(keys) > 12 else ""
        click.echo(f"note: not {done}, {why}: {', '.join(keys[:12])}{more}", err=True)


@click.command("rectify")
@click.argument("synthetic", type=_FILE)
@click.argument("humans", type=_FILE)
@click.option(
    "--items", metavar="map.toml|wvs7", help="A map: items, options, missing codes, columns of the human file."
)
@click.option(
    "--inventory", metavar="ID|FILE", help="Take items and options from a questionnaire (default: the one answered)."
)
@click.option("--only", default="", metavar="ITEM,...", help="Estimate these items only.")
@click.option(
    "--by",
    default="",
    metavar="sex,age,education",
    help="Groups whose means are contrasted (default: all that both files know).",
)
@click.option(
    "--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Level of the intervals."
)
@click.option("--doubles", is_flag=True, help="Ids are of the same people: a synthetic double was made of every human.")
@click.option(
    "--repeats",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Simulated repeats that show coverage; 0 for none.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the simulation.")
@click.option("--out", type=_FILE, help="Folder for rectify.html and rectify.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def rectify(synthetic: Path, humans: Path, out: Path | None, as_json: bool, **raw: Any) -> None:
    r"""Estimate means, shares and group differences from SYNTHETIC answers and a small sample of HUMANS.

    Prediction-powered inference, power-tuned: the intervals hold however wrong the synthetic people are, if the humans
    are a probability sample (or weighted to one) of those the synthetic people stand for.

    \b
      deeppersona survey rectify answers.csv human_sample.csv --items wvs7 --out rectified
    """
    from deeppersona.evaluation.survey.rectification import Wanted
    from deeppersona.evaluation.survey.rectification import rectify as rectified
    from deeppersona.evaluation.survey.report import write_rectification

    report = rectified(Wanted(
        synthetic, humans, raw["items"], raw["inventory"], _listed(raw["only"]), _listed(raw["by"]), raw["level"], raw["repeats"], raw["seed"],
        raw["doubles"],
    ))  # fmt: skip
    if out is not None:
        write_rectification(out, report)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        _show_rectification(report)
        if out is not None:
            click.echo(f"  open  {out / 'rectify.html'}")


def _show_rectification(r: Mapping[str, Any]) -> None:
    console = _console()
    table = _table("mean of", "synthetic", "humans", "rectified", "95 %", "lambda", "n", "worth")
    for i in [i for i in r["items"] if "mean" in i][:_SHOWN]:
        m = i["mean"]
        three = (f"{m[k]['value']:.3f}" for k in ("synthetic alone", "humans alone", "rectified"))
        span = f"{m['rectified']['low']:.3f}..{m['rectified']['high']:.3f}"
        table.add_row(i["item"], *three, span, f"{m['lambda']:.2f}", f"{m['n']:,.0f}", f"{m['effective n']:,.0f}")
    console.print(table)
    if s := r["summary"]:
        console.print(
            f"  synthetic alone is off by {s['mean absolute synthetic bias, range 1']:.3f} of the range on average; "
            f"{s['synthetic within the interval']} of {s['items']} lie within the rectified interval"
        )
        console.print(f"  effective sample {s['effective n over n']:.2f} times the humans asked")
    for b in r["balance"]:
        if b["warn"]:
            click.echo(
                f"warning: by {b['group']} the humans are {b['total variation']:.0%} from the synthetic people (by chance {b['by chance']:.0%}): "
                "weight the humans, or make a population like theirs", err=True,
            )  # fmt: skip
    _not_used("estimated", r["not compared"])
