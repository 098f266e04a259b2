"""``deeppersona show``: a run or a person in the terminal."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from deeppersona import study
from deeppersona.schema.persona import Persona, Trait
from deeppersona.schema.population import Population, Record
from deeppersona.taxonomy.read import shipped_taxonomy

_COLOURS = {
    "given": "magenta",
    "table": "cyan",
    "prior": "green",
    "model": "yellow",
    "story": "blue",
    "derived": "white",
}


def _words(trait: Trait) -> str:
    return "; ".join(trait.value) if isinstance(trait.value, list) else str(trait.value)


def _evidence(trait: Trait) -> str:
    e = trait.evidence
    if "table" in e:
        return f"{e['table']}" + (f", {e['of']}" if "of" in e else "")
    if "stratum" in e:
        return f"{e['stratum']}" + (f", p {e['p']}" if "p" in e else "")
    return ", ".join(f"{k}: {x}" for k, x in e.items())


def show_one(record: Record, as_json: bool) -> None:
    """Print one person, to be read, or as the line of JSON that a run has."""
    if as_json:
        click.echo(orjson.dumps(record).decode())
    else:
        _person(Console(highlight=False), Persona.model_validate(record))


def _person(console: Console, persona: Persona) -> None:
    facts = [str(persona.get(f"demographics.{k}", "")) for k in ("age", "sex", "occupation", "city", "country")]
    console.print(
        f"\n[bold]{escape(persona.name)}[/]  [dim]{persona.id} · {escape(' · '.join(facts))} · synthetic[/]\n"
    )
    width = min(console.width, 92)
    console.print(Padding(escape(persona.narrative), (0, 2)), width=width, highlight=False)
    for story in persona.stories:
        console.print(f"\n  [bold]{escape(story.title)}[/] [dim]at {story.age}[/]")
        console.print(Padding(escape(story.text), (0, 2)), width=width, highlight=False)
    titles = {c.key: c.title for c in shipped_taxonomy().categories}
    keys = dict.fromkeys(t.path.partition(".")[0] for t in persona.traits)
    for key in sorted(keys, key=lambda k: list(titles).index(k) if k in titles else 99):
        traits = persona.under(key)
        table = Table(title=f"{titles.get(key, key)} ({len(traits)})", title_justify="left", title_style="bold", box=None,
                      show_header=False, padding=(0, 1), width=min(console.width, 120))  # fmt: skip
        table.add_column(ratio=4, style="dim")
        table.add_column(ratio=6)
        table.add_column(width=8)
        table.add_column(ratio=3, style="dim")
        for t in traits:
            path = t.path.partition(".")[2].replace("_", " ").replace(".", " / ")
            table.add_row(
                path,
                escape(_words(t)) + (f" [dim]{escape(t.colour)}[/]" if t.colour else ""),
                f"[{_COLOURS.get(t.source, 'white')}]{t.source}[/]",
                escape(_evidence(t)),
            )
        console.print()
        console.print(table)
    if persona.missing:
        console.print(f"\n  [bold]{len(persona.missing)} holes in what the model wrote[/]; what stands in was drawn")
        for hole in persona.missing:
            console.print(f"  {escape(hole.path)}: [dim]{escape(hole.reason)}[/]")


@click.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("person", required=False, metavar="[ID]")
@click.option("-n", "n", type=click.IntRange(min=1), default=20, show_default=True, help="How many to list.")
@click.option("--prompt", is_flag=True, help="Print the person's system prompt only.")
@click.option("--book", is_flag=True, help="Print the person's life book, where the run has them.")
@click.option("--json", "as_json", is_flag=True, help="Print the record(s) as JSON lines.")
def command(run: Path, person: str | None, n: int, prompt: bool, book: bool, as_json: bool) -> None:
    """Read a run in the terminal: the list of people, or one person whole (ID, or the place in the run: 0, 1, ...).

    Of a run of refine: what was learnt of people, in words.
    """
    if (run / "refinement.json").is_file():
        _refined(run, person, n, prompt, as_json)
        return
    population = study.load(run)
    console = Console(soft_wrap=False)
    if person is None:
        _listing(console, population, n, as_json)
        return
    persona = population[int(person)] if person.isdigit() and int(person) < len(population) else population[person]
    if as_json:
        click.echo(orjson.dumps(persona.record()).decode())
    elif prompt:
        click.echo(persona.system_prompt)
    elif book:
        click.echo(persona.book or "this run was made without --book; make one with: deeppersona generate --book ...")
    else:
        _person(console, persona)


def _refined(run: Path, person: str | None, n: int, prompt: bool, as_json: bool) -> None:
    """A run of refine: the list of people with the first line of what was learnt, or one person in words."""
    from deeppersona.refinement.folder import record_of_run, records_of_run, scale_of, words_of

    records = records_of_run(run)[:n] if person is None else [record_of_run(run, person)]
    if as_json:
        for record in records:
            click.echo(orjson.dumps(record).decode())
        return
    domain, scale = scale_of(run)
    if person is None:
        for record in records:
            first = words_of(record, domain, scale).partition("\n")[0]
            click.echo(f"{record['id']}  {first if len(first) < 100 else first[:97] + '...'}")
        click.echo(f"one whole: deeppersona show {run} {records[0]['id']}")
        return
    (record,) = records
    if prompt:
        click.echo(record["system_prompt"])
        return
    who = Persona.model_validate(record)
    facts = [str(who.get(f"demographics.{k}", "")) for k in ("name", "age", "sex", "occupation", "city", "country")]
    click.echo(f"\n{who.id}  {' · '.join(f for f in (domain.replace('_', ' '), *facts) if f)}\n")
    click.echo(words_of(record, domain, scale) + "\n")
    if who.kind != "behaviour":
        click.echo(f"  the whole person  deeppersona show {run} {who.id} --prompt")
    click.echo(f"  how it came       deeppersona refine log {run} {who.id}")
    click.echo(f"  what changed      deeppersona refine diff {run} {who.id} --from 0")


def _listing(console: Console, population: Population, n: int, as_json: bool) -> None:
    shown = population[:n]
    if as_json:
        for persona in shown:
            click.echo(orjson.dumps(persona.record()).decode())
        return
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for head in ("id", "name", "age", "sex", "occupation", "where"):
        table.add_column(head)
    for p in shown:
        where = f"{p.get('demographics.city', '')}, {p.get('demographics.country', '')}"
        table.add_row(
            p.id,
            *(escape(str(p.get(f"demographics.{k}", ""))) for k in ("name", "age", "sex", "occupation")),
            escape(where),
        )
    console.print(table)
    if len(population) > n:
        console.print(f"[dim]{len(population) - n} more; -n to list more of them[/]")
    if len(population):
        console.print(f"[dim]one whole: deeppersona show RUN {population[0].id}[/]")
