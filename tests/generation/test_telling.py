"""Portraits, stories, prompts and books: whole, grammatical, various, and carried by the traits."""

import re

import numpy as np
import pytest

import deeppersona as dp
from deeppersona.evaluation import diversity
from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.stories import Grammar, read_templates, slots
from deeppersona.schema.phrase import PERSONS, say

# "to you is" is good English: you and they are judged where they are the subject, at the start of a sentence.
DISAGREES = re.compile(
    r"(?<!would )(?<!should )(?<!could )(?<!does )(?<!will )(?<!can )(?<!did )(?<!may )(?<!must )\b([Ss]he|[Hh]e) (have|are|do|go|were)\b"
    r"|(?:^|[.;-] )(You|They) (has|is|does|goes|was)\b",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def hundred() -> dp.Population:
    return dp.generate(100, ["KE", "DE", "IN", "BR", "JP", "US", "NG", "FR", "EG", "PH"], seed=17)


def test_portraits_are_150_to_400_words(hundred: dp.Population) -> None:
    words = [len(p.narrative.split()) for p in hundred]
    assert min(words) >= 150
    assert max(words) <= 400


def test_openings_differ(hundred: dp.Population) -> None:
    """Across a hundred people no more than two share an opening of five words (the design's bar)."""
    openings = [tuple(diversity.tokens(p.narrative)[:5]) for p in hundred]
    assert max(openings.count(o) for o in openings) <= 2
    aged = [p for p in hundred if re.search(r"\b\d+[- ]year", p.narrative.split(".")[0])]
    assert len(aged) < 5


def test_nothing_is_left_open_or_doubled(hundred: dp.Population) -> None:
    for p in hundred:
        for text in (p.narrative, p.system_prompt, *(s.text for s in p.stories), *(s.title for s in p.stories)):
            assert not re.search(r"[{}]|  |\.\.|,,| ,|\ba [aeiou]nd\b", text), text
            assert text[0].isupper() or not text[0].isalpha()


def test_pronouns_agree(hundred: dp.Population) -> None:
    """No 'she have', 'he are', 'you has' in any sentence said of anybody."""
    for p in hundred:
        found = DISAGREES.search(p.narrative) or DISAGREES.search(
            p.system_prompt.split("Some of what is true of you:")[1]
        )
        assert found is None, (p.id, found)


def test_every_phrase_reads_for_everybody(taxonomy: dp.Taxonomy) -> None:
    for a in taxonomy:
        for o in a.options:
            for person in PERSONS:
                said = say(o.phrase or a.phrase, person, o.value, "Ann")
                assert not DISAGREES.search(said), said


def test_the_portrait_says_only_what_traits_carry(hundred: dp.Population) -> None:
    """Ages, towns and names of kin in a portrait are those of the record."""
    for p in hundred:
        ages = {int(m) for m in re.findall(r"\bis (\d{2})\b", p.narrative)}
        assert ages <= {p["demographics.age"]}
        for child in p.get("relationships.kin.children", []):
            assert re.match(r".+, (daughter|son), \d+$", child)


def test_stories_have_a_length_and_follow_the_facts(hundred: dp.Population) -> None:
    lengths = [len(s.text.split()) for p in hundred for s in p.stories]
    assert np.percentile(lengths, 2) >= 80
    assert np.percentile(lengths, 98) <= 160
    for p in hundred:
        interests = [t for t in p.traits if t.source == "story"]
        assert [t.evidence["story"] for t in interests] == [s.title for s in p.stories]
        years = [int(y) for s in p.stories for y in re.findall(r"\b(19\d\d|20\d\d)\b", s.text)]
        assert all(2026 - p["demographics.age"] <= y <= 2026 for y in years), p.id


def test_tones_are_a_quarter_good_a_quarter_bad() -> None:
    templates = read_templates()
    assert len(templates) >= 60
    share = {t: sum(x.tone == t for x in templates) / len(templates) for t in ("good", "bad", "mixed")}
    assert share["good"] > 0.15
    assert share["bad"] > 0.15
    assert share["mixed"] > 0.3


def test_templates_use_known_slots_and_can_be_told() -> None:
    known = {"name", "year", "age_words", "place", "town", "country", "years_ago", "month", "few", "sum", "job", "trade",
             "tool", "mother_job", "father_job"}  # fmt: skip
    for role in ("friend", "boss", "neighbour", "teacher", "cousin", "sister", "brother", "partner", "child"):
        known |= {role, f"{role}_they", f"{role}_their", f"{role}_them"}
    grammar = Grammar(read_templates())
    for template in grammar.templates:
        for line in (*template.titles, *template.echo, *(x for beat in template.beats for x in beat)):
            assert {s.lower() for s in slots(line)} <= known, (template.key, line)
        assert sum(max(len(x.split()) for x in beat) for beat in template.beats) >= 70, template.key


def test_the_book_is_long_and_by_chapters() -> None:
    person = dp.generate(1, "KE", seed=4, book=True)[0]
    assert person.book is not None
    assert len(person.book.split()) > 2000
    assert person.book.count("\n## ") >= 12


def test_the_prompt_is_a_prompt(hundred: dp.Population) -> None:
    for p in hundred[:20]:
        assert p.system_prompt.startswith(f"You are {p.name}")
        assert "synthetic" in p.system_prompt
        assert len(re.findall(r"^- ", p.system_prompt, re.MULTILINE)) >= 60


def test_names_fit_sex_and_partner(hundred: dp.Population) -> None:
    facts = shipped_facts()
    female = {
        n for t in facts.traditions.values() for n in (*t.given["female"], *t.older["female"], *t.younger["female"])
    }
    male = {n for t in facts.traditions.values() for n in (*t.given["male"], *t.older["male"], *t.younger["male"])}
    for p in hundred:
        parts = set(re.split(r"[ ]", p.name)) | {p.name}
        pool = female if p["demographics.sex"] == "female" else male
        assert any(name in pool for name in parts) or any(n in p.name for n in pool), p.name
