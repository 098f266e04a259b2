"""``deeppersona facts``: the figures behind a country."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from deeppersona.facts.tables import Facts, Shares, shipped_facts


def _top(shares: Shares, *columns: str, n: int = 8) -> list[tuple[str, float]]:
    rows = [
        (" ".join(filter(None, (r[c] for c in columns))), float(s))
        for r, s in zip(shares.rows, shares.share, strict=True)
    ]
    return sorted(rows, key=lambda row: -row[1])[:n]


@click.command("facts")
@click.argument("country", required=False)
@click.option("--sources", is_flag=True, help="List every table with source, year and licence.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(country: str | None, sources: bool, as_json: bool) -> None:
    """Show the figures behind a country and where they come from.

    Without a country: the countries there are.
    """
    facts = shipped_facts()
    console = Console(highlight=False)
    if sources:
        _sources(console, facts, as_json)
    elif country is None:
        _countries(console, facts, as_json)
    else:
        _one(console, facts, country, as_json)


def _sources(console: Console, facts: Facts, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts.sources, indent=1, ensure_ascii=False))
        return
    for entry in facts.sources:
        columns = ", ".join(c for c in entry.get("columns", []) if c != "*")
        console.print(f"[bold]{entry['file']}[/]" + (f" ({columns})" if columns else "") + f": {entry['title']}")
        console.print(f"  {entry['publisher']}, {entry['year']}; {entry['licence']}", style="dim")


def _countries(console: Console, facts: Facts, as_json: bool) -> None:
    found = list(facts.countries.values())
    if as_json:
        click.echo(json.dumps([{"iso2": c.iso2, "name": c.name, "region": c.region} for c in found], indent=1))
        return
    for region, members in sorted(facts.by_region.items()):
        console.print(f"[bold]{region}[/]: {', '.join(f'{c.iso2} {c.name}' for c in members)}")


def _one(console: Console, facts: Facts, country: str, as_json: bool) -> None:
    c = facts.country(country)
    figures = {name: facts.figure(c, name) for name in c.figures}
    religion, language, city = facts.religion(c), facts.language(c), facts.cities(c)
    if as_json:
        body = {
            "iso2": c.iso2, "name": c.name, "region": c.region,
            "figures": {k: {"value": f.value, "of": f.place} for k, f in figures.items()},
            "religion": dict(_top(religion, "religion", "branch", n=99)), "language": dict(_top(language, "language", n=99)),
        }  # fmt: skip
        click.echo(json.dumps(body, indent=1, ensure_ascii=False))
        return
    table = Table(title=f"{c.name} ({c.iso2}), {c.region}", box=None, title_justify="left", title_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("of", style="dim")
    for name, f in figures.items():
        table.add_row(name, f"{f.value:,.3g}" if abs(f.value) < 1000 else f"{f.value:,.0f}", f.place)
    console.print(table)
    for title, rows in (
        ("religion", _top(religion, "religion", "branch")),
        ("language at home", _top(language, "language")),
        ("towns", _top(city, "city")),
    ):
        console.print(f"[bold]{title}[/]: " + ", ".join(f"{name} {share:.1%}" for name, share in rows))
