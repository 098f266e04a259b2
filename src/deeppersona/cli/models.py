"""``deeppersona models``: what an endpoint can do, and what models cost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deeppersona.cli.model_options import asking, read_asking
from deeppersona.errors import UsageError


@click.group("models")
def command() -> None:
    r"""Language models: check an endpoint, list known prices.

    \b
    A model is named by a specification:
      openai:gpt-4.1-mini                        hosted; key in OPENAI_API_KEY
      openai:NAME@http://127.0.0.1:8000/v1       any compatible server (vLLM, llama.cpp, Ollama ...);
                                                 key, if it wants one, in DEEPPERSONA_API_KEY
      local:/models/small.gguf                   embedded llama.cpp, started and stopped by us (extra [local])
      scripted:                                  a deterministic double that writes lawful nonsense
    """


@command.command("check")
@click.argument("spec")
@asking
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check(spec: str, as_json: bool, **raw: Any) -> None:
    r"""Say what an endpoint can do: JSON schema, JSON mode, plain text; logprobs; speed. Five small calls.

    \b
    deeppersona models check openai:llama3@http://127.0.0.1:11434/v1
    """
    from deeppersona.models.capability import probe
    from deeppersona.models.spec import adapter, parse_spec

    if raw["models"]:
        raise UsageError("models check takes the model as its argument, without --model")
    _, traffic = read_asking(raw)

    async def run() -> dict[str, Any]:
        model = adapter(parse_spec(spec), traffic)
        try:
            return (await probe(model)).as_dict()
        finally:
            await model.close()

    found = asyncio.run(run())
    if as_json:
        click.echo(json.dumps(found))
        return
    table = Table(title=found["model"], show_header=False)
    for shape, words in (("schema", "JSON schema"), ("json", "JSON mode"), ("plain", "plain text")):
        why = found["works"][shape]
        table.add_row(words, "[green]works[/]" if not why else f"[yellow]no[/]: {why}")
    table.add_row("logprobs", "[green]works[/]" if found["logprobs"] else "no")
    table.add_row("speed of one request", f"{found['tokens_per_s']:g} tokens/s, {found['latency_s']:g} s")
    table.add_row("used as", f"[bold]{found['shape']}[/]")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"  next  deeppersona generate -n 3 --model {spec} --out runs/written --estimate")


@command.command("prices")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def prices(as_json: bool) -> None:
    """List the prices known (dollars a million tokens). Another: --price IN/CACHED/OUT where a model is used."""
    from deeppersona.models.price import shipped_prices

    known = shipped_prices()
    if as_json:
        click.echo(json.dumps({name: [p.tokens_in, p.cached, p.tokens_out] for name, p in known.items()}))
        return
    table = Table("model", "in", "in, cached", "out", title="dollars a million tokens (list prices, see prices.toml)")
    for name, p in known.items():
        table.add_row(name, f"{p.tokens_in:g}", f"{p.cached:g}", f"{p.tokens_out:g}")
    Console(highlight=False).print(table)
