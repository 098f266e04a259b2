"""The life book: as long as was asked, from everything that can be said, each part knowing what earlier ones settled."""

from __future__ import annotations

import asyncio
import re
from random import Random

import pytest

import deeppersona as dp
from deeppersona.generation.engine import Engine
from deeppersona.generation.writing.book import sections_of, write_book
from deeppersona.generation.writing.manuscript import Manuscript
from deeppersona.generation.writing.writer import Writer
from deeppersona.models.port import Prompt
from deeppersona.models.spec import parse_roles
from deeppersona.study import engine_for, make_plan, make_writing
from tests.doubles import REFUSAL, Recorder, last, obedient, sentences

FACTS = re.compile(r"<facts>\n(.*?)\n</facts>", re.DOTALL)
BEFORE = re.compile(r"<data>\n(.*?)\n</data>", re.DOTALL)


@pytest.fixture(scope="module")
def engine() -> Engine:
    writing = make_writing(parse_roles(["scripted:"]), book_words=3000)
    return engine_for(make_plan(8, ["KE", "JP"], seed=5, depth=60, writing=writing), dp.shipped_taxonomy())


def noting(prompt: Prompt) -> str:
    """An obedient part, with the note that is wanted of it."""
    return f"{obedient(prompt)}\n\nKEPT: the goat {prompt.seed} was sold."


def manuscript(engine: Engine) -> Manuscript:
    (draft,) = engine.drafts([2])[0]
    script = Manuscript(draft)
    script.texts = {f"text:{a.path}": "a green door" for a in draft.texts} | {"stories.0.text": "The roof came off."}
    return script


def bound(engine: Engine, words: int, model: Recorder) -> Manuscript:
    script, plan = manuscript(engine), engine.plan
    assert plan.writing is not None
    asyncio.run(write_book(script, Writer(plan, plan.writing, model, "schema"), engine.taxonomy.categories, words))
    return script


def told(book: str) -> str:
    return "\n".join(line for line in book.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("words", [500, 3_000, 20_000, 60_000])
def test_a_book_is_as_long_as_was_asked(engine: Engine, words: int) -> None:
    model = Recorder(noting)
    script = bound(engine, words, model)
    assert abs(len(told(script.texts["book"]).split()) - words) < 0.15 * words
    assert not script.missing
    assert len({p.seed for p in model.prompts}) == len(model.prompts)


@pytest.mark.parametrize("words", [500, 3_000, 20_000])
def test_everything_that_can_be_said_is_in_it(engine: Engine, words: int) -> None:
    model = Recorder(noting)
    script = bound(engine, words, model)
    matter = {line for p in model.prompts for line in FACTS.findall(last(p))[-1].splitlines()}
    sayable, pronoun = script.sayable(), script.draft.person.pronoun
    wanted = {sayable.say(k, pronoun) for k in range(len(sayable.attributes))}
    assert wanted <= matter
    assert any("a green door" in line for line in matter)
    assert any(line.endswith("The roof came off.") for line in matter)


@pytest.mark.parametrize("parts", [1, 2, 5, 13, 40])
def test_sections_share_the_matter_out(engine: Engine, parts: int) -> None:
    script = manuscript(engine)
    sections = sections_of(script, engine.taxonomy.categories, parts)
    assert abs(len(sections) - parts) <= max(3, 0.2 * parts)
    assert all(section.matter for section in sections)
    titles = [section.chapter for section in sections]
    assert titles[0].startswith("What happened")
    assert titles == sorted(titles, key=titles.index)
    if parts < 12:
        sizes = [len(section.matter) for section in sections]
        assert max(sizes) - min(sizes) <= 1


def test_later_parts_know_earlier_ones_within_bounds(engine: Engine) -> None:
    model = Recorder(lambda p: f"{obedient(p)}\nKEPT: goat{p.seed} {sentences(Random(p.seed), 90)}")  # noqa: S311
    bound(engine, 60_000, model)
    first, second, *rest = [BEFORE.findall(last(p)) for p in model.prompts]
    assert first == []
    assert f"goat{model.prompts[0].seed}" in second[0]
    for earlier, later in zip(model.prompts[1:], rest, strict=False):
        assert f"goat{earlier.seed}" in later[0].splitlines()[-1]
        assert len(later[0].split()) <= 1500
        assert len(later[1].split()) <= 60
    assert f"goat{model.prompts[0].seed}" in rest[-1][0]
    longest = max(len(" ".join(m.text for m in p.messages).split()) for p in model.prompts)
    assert longest < 4500


def test_a_part_that_never_comes_right_is_recorded(engine: Engine) -> None:
    lost: list[int] = []

    def failing(prompt: Prompt) -> str:
        number = int(re.findall(r"part (\d+) of", last(prompt))[0])
        lost.append(number)
        return REFUSAL if number == 3 else noting(prompt)

    script = bound(engine, 6_000, Recorder(failing))
    assert script.missing == {"book part 3": "a refusal"}
    assert lost.count(3) == 3
    assert abs(len(told(script.texts["book"]).split()) - 6_000) < 0.15 * 6_000
    person = dp.Persona.model_validate(script.record("m"))
    assert person.book == script.texts["book"]
    assert ("book part 3", "a refusal") in [(m.path, m.reason) for m in person.missing]


def test_no_part_no_book(engine: Engine) -> None:
    script = bound(engine, 3_000, Recorder(lambda prompt: REFUSAL))
    assert "book" not in script.texts
    assert script.missing["book"] == "no part of it came right"
    assert dp.Persona.model_validate(script.record("m")).book is None


@pytest.mark.parametrize(
    "note",
    ["\nKEPT: the goat was sold", "\n\n**KEPT:** the goat was sold", " KEPT: the goat was sold.", "\n(KEPT: the goat was sold)",
     "\nKEPT\nthe goat was sold", "\n- KEPT - the goat was sold"],
)  # fmt: skip
def test_notes_are_not_in_the_text(engine: Engine, note: str) -> None:
    model = Recorder(lambda p: obedient(p) + note)
    script = bound(engine, 3_000, model)
    assert "KEPT" not in script.texts["book"]
    assert "goat" not in script.texts["book"]
    assert "the goat was sold" in BEFORE.findall(last(model.prompts[1]))[0]


def test_a_part_without_a_note_is_remembered_by_its_end(engine: Engine) -> None:
    model = Recorder(obedient)
    script = bound(engine, 3_000, model)
    ending = told(script.texts["book"].split("##")[1]).split()[-5:]
    assert " ".join(ending) in BEFORE.findall(last(model.prompts[1]))[0]


def test_headings_name_the_chapters(engine: Engine) -> None:
    script = bound(engine, 20_000, Recorder(noting))
    headings = [line for line in script.texts["book"].splitlines() if line.startswith("#")]
    assert headings[0] == f"# {script.draft.person.name.whole}"
    assert headings[1] == "## What happened"
    assert len(headings) == len(set(headings))
    categories = {c.title for c in engine.taxonomy.categories}
    assert {h.removeprefix("## ").removesuffix(", again") for h in headings[2:]} <= categories
