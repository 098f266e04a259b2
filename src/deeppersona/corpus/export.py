"""Write a population as parquet, csv, markdown or a dataset folder with a data card."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import orjson

from deeppersona.errors import UsageError, unknown
from deeppersona.runtime.disk import told, whole, write_whole
from deeppersona.schema.persona import Persona
from deeppersona.schema.plan import Plan
from deeppersona.schema.population import Population, flat

_BATCH = 2000
_RESERVED = "=+-@\t\r"


def _records(population: Population) -> Iterable[dict[str, Any]]:
    return population._records


def cell(value: Any) -> Any:
    """A spreadsheet runs a cell that begins like a formula: such text is written with a leading apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _RESERVED else value


def to_csv(population: Population, out: Path, plan: Plan | None = None) -> Path:
    """One row a person, one column a path; lists joined with ``; ``. Returns the file."""
    columns: dict[str, None] = {"id": None}
    for record in _records(population):
        columns.update(dict.fromkeys(t["path"] for t in record["traits"]))
    columns["narrative"] = None
    core = [c for c in columns if c.startswith("demographics.") and c.count(".") == 1]
    order = ["id", *core, *sorted(c for c in columns if c not in core and c not in ("id", "narrative")), "narrative"]
    file = out / "personas.csv"
    with whole(file) as handle:
        text = TextIOWrapper(handle, "utf-8", newline="")
        writer = csv.DictWriter(text, order, lineterminator="\n")
        writer.writeheader()
        for record in _records(population):
            writer.writerow({k: cell(x) for k, x in flat(record).items()})
        text.flush()
        text.detach()
    return file


def to_parquet(population: Population, out: Path, plan: Plan | None = None) -> Path:
    """Nested rows: core columns, ``traits`` as a list of (path, value as JSON, source, evidence as JSON), stories, texts."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("parquet needs pyarrow; pip install 'deeppersona[parquet]'") from None
    trait = pa.struct(
        [("path", pa.string()), ("value", pa.string()), ("source", pa.string()), ("evidence", pa.string())]
    )
    story = pa.struct([("age", pa.int32()), ("title", pa.string()), ("text", pa.string())])
    schema = pa.schema([
        ("id", pa.string()), ("country", pa.string()), ("age", pa.int32()), ("sex", pa.string()), ("name", pa.string()),
        ("occupation", pa.string()), ("narrative", pa.string()), ("system_prompt", pa.string()), ("book", pa.string()),
        ("traits", pa.list_(trait)), ("stories", pa.list_(story)), ("provenance", pa.string()),
    ])  # fmt: skip
    file = out / "personas.parquet"
    beside = out / ".personas.parquet.tmp"
    with told("writing", file), pq.ParquetWriter(beside, schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for record in _records(population):
            batch.append(_row(record))
            if len(batch) == _BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    beside.replace(file)
    return file


def _row(record: dict[str, Any]) -> dict[str, Any]:
    core = {
        t["path"].removeprefix("demographics."): t["value"]
        for t in record["traits"]
        if t["path"].startswith("demographics.")
    }
    return {
        "id": record["id"], "country": core.get("country"), "age": core.get("age"), "sex": core.get("sex"),
        "name": core.get("name"), "occupation": core.get("occupation"), "narrative": record["narrative"],
        "system_prompt": record["system_prompt"], "book": record.get("book"), "stories": record["stories"],
        "provenance": json.dumps(record["provenance"]),
        "traits": [
            {"path": t["path"], "value": json.dumps(t["value"], ensure_ascii=False), "source": t["source"],
             "evidence": json.dumps(t.get("evidence", {}), ensure_ascii=False)}
            for t in record["traits"]
        ],
    }  # fmt: skip


def markdown(persona: Persona) -> str:
    """One person as a Markdown page."""
    lines = [f"# {persona.name}", "", f"*{persona.id}, synthetic*", "", persona.narrative, ""]
    for story in persona.stories:
        lines += [f"## {story.title} (at {story.age})", "", story.text, ""]
    category = ""
    for t in sorted(persona.traits, key=lambda t: t.path.partition(".")[0] != "demographics"):
        head = t.path.partition(".")[0]
        if head != category:
            category = head
            lines += ["", f"## {category.capitalize()}", "", "| | value | source |", "|---|---|---|"]
        value = "; ".join(t.value) if isinstance(t.value, list) else str(t.value)
        lines.append(f"| {t.path.partition('.')[2]} | {value.replace('|', '/')} | {t.source} |")
    return "\n".join(lines) + "\n"


def to_markdown(population: Population, out: Path, plan: Plan | None = None) -> Path:
    """One page a person. Returns the folder."""
    for persona in population:
        write_whole(out / f"{Path(persona.id).name}.md", markdown(persona).encode())
    return out


def data_card(population: Population, plan: Plan | None) -> str:
    """What a data set of these people says of itself: how it was made, that it is synthetic, what it is not for."""
    countries = population.marginal("country")
    sources: Counter[str] = Counter(t["source"] for record in _records(population) for t in record["traits"])
    total = sum(sources.values()) or 1
    size = next((s for n, s in ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")) if len(population) < n), "n>1M")  # fmt: skip
    made = (
        f"Engine {plan.engine}, seed {plan.seed}, depth {plan.depth}, plan {plan.fingerprint}."
        if plan
        else "See provenance."
    )
    shares = ", ".join(f"{s} {n / total:.0%}" for s, n in sources.most_common())
    listed = ", ".join(f"{c} {share:.0%}" for c, share in list(countries.items())[:20])
    return f"""---
pretty_name: Deep synthetic personas
language: [en]
size_categories: ["{size}"]
task_categories: [text-generation]
tags: [synthetic, personas, deeppersona]
configs:
- config_name: default
  data_files: [{{split: train, path: "data/train-*.jsonl"}}]
---
# Deep synthetic personas

**Everybody here is synthetic.** {len(population)} people drawn by deeppersona from published statistics and a curated
taxonomy of human attributes. No record describes a real person; a likeness is chance.

## How they were made
{made} Country, age, sex, schooling, religion, language, family, work, personality and values were drawn jointly from
tables of figures; the other traits from the options of the taxonomy, conditioned on the person; the stories and the
portrait by a grammar from the person's own traits. No language model was used unless `provenance` names one.

Countries: {listed}.
Where the values come from: {shares}. Every trait carries its source, and its evidence where there is any.

## Fields
`id`, `kind`, `traits` (path, value, source, evidence), `stories` (age, title, text), `narrative`, `system_prompt`,
`provenance`.

## What it is for, and what not
For research on personalisation, simulation and evaluation, and for testing products. Margins follow the source tables;
associations between the finer traits are modelled, mild, and not estimates of anything. Do not use it to make decisions
about real people or groups, or to pass off synthetic opinions as those of a public.
"""


def to_hf(population: Population, out: Path, plan: Plan | None = None) -> Path:
    """A dataset folder: ``README.md`` (the data card) and ``data/train-*.jsonl``."""
    data = out / "data"
    with told("creating", data):
        data.mkdir(parents=True, exist_ok=True)
    batch: list[bytes] = []
    number = 0
    for record in _records(population):
        batch.append(orjson.dumps(_even(record), option=orjson.OPT_APPEND_NEWLINE))
        if len(batch) == _BATCH:
            write_whole(data / f"train-{number:05d}.jsonl", b"".join(batch))
            batch, number = [], number + 1
    if batch:
        write_whole(data / f"train-{number:05d}.jsonl", b"".join(batch))
    write_whole(out / "README.md", data_card(population, plan).encode())
    return out


def _even(record: dict[str, Any]) -> dict[str, Any]:
    """Readers of data sets want one type a column: values and evidence become text."""
    traits = [
        {"path": t["path"], "value": "; ".join(map(str, t["value"])) if isinstance(t["value"], list) else str(t["value"]),
         "source": t["source"], "evidence": json.dumps(t.get("evidence", {}), ensure_ascii=False)}
        for t in record["traits"]
    ]  # fmt: skip
    return {**record, "traits": traits, "provenance": json.dumps(record["provenance"])}


FORMATS: dict[str, Callable[..., Path]] = {"parquet": to_parquet, "csv": to_csv, "markdown": to_markdown, "hf": to_hf}


def export(population: Population, name: str, out: Path, *, plan: Plan | None = None) -> Path:
    """Write a population in one of the formats into a folder; returns what to open."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    with told("creating", out):
        out.mkdir(parents=True, exist_ok=True)
    return FORMATS[name](population, out, plan)
