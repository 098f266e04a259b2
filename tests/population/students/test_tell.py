"""The texts read: no slips, everybody's own, of the right length, for a child of six as for somebody of eighteen."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from deeppersona.evaluation.diversity import distinct, tokens
from deeppersona.population.students import Students, shipped_schema
from deeppersona.population.students.frames import compile_line, sentence
from deeppersona.population.students.texts import LONGEST, SHORTEST, Told, clinical, slipped
from deeppersona.population.students.words import conjugate_slots

Record = dict[str, Any]


def test_texts_are_three_or_four_paragraphs_of_110_to_235_words(records: list[Record]) -> None:
    lengths = [len(r["narrative"].split()) for r in records]
    assert min(lengths) >= SHORTEST and max(lengths) <= LONGEST
    assert 150 < float(np.mean(lengths)) < 185
    assert Counter(r["narrative"].count("\n\n") + 1 for r in records).keys() == {3, 4}
    for paragraph in (p for r in records for p in r["narrative"].split("\n\n")):
        assert paragraph.endswith((".", "'")) and len(paragraph.split()) > 6


def test_no_opening_is_worn(records: list[Record]) -> None:
    openings = Counter(" ".join(tokens(r["narrative"])[:5]) for r in records)
    assert openings.most_common(1)[0][1] <= 0.02 * len(records)


def test_texts_are_various(records: list[Record]) -> None:
    texts = [r["narrative"] for r in records]
    assert len(set(texts)) == len(texts)
    assert distinct(texts) > 0.13  # four countries; over the whole world .17, since there are more names
    sentences = Counter(s for text in texts for s in re.split(r"(?<=[.]) ", text.replace("\n\n", " ")))
    assert sentences.most_common(1)[0][1] < 0.06 * len(texts)


def test_every_text_says_particulars_that_traits_carry(records: list[Record]) -> None:
    counts = []
    for record in records[:300]:
        text = record["narrative"].lower()
        small = [
            t["value"]
            for t in record["traits"]
            if t["source"] == "prior" and "p" in t["evidence"] and isinstance(t["value"], str)
        ]
        told = sum(all(w in text for w in re.findall(r"[a-z]{4,}", value.lower())) for value in small)
        assert told >= 2, record["id"]
        counts.append(told)
    assert float(np.mean(counts)) > 5


@pytest.mark.parametrize("grade", [1, 12])
@pytest.mark.parametrize("sex", [0, 1])
def test_every_grade_and_sex_is_told(students: Students, grade: int, sex: int) -> None:
    n = 60
    made = students.make(5, range(n), {"grade": np.full(n, grade), "sex": np.full(n, sex)})
    assert len(made.records) == n
    assert all(re.search(r"\b(he|his|him)\b" if sex else r"\b(she|her)\b", r["narrative"], re.I) for r in made.records)


def every_sentence() -> list[tuple[str, str]]:
    """Every frame of every topic, for either sex, with every option at least once."""
    out = []
    for topic in shipped_schema().topics:
        longest = max(len(options) for options in topic.parts.values())
        for sex in (0, 1):
            for frame in topic.say:
                line = compile_line(frame, tuple(topic.parts), sex)
                for k in range(longest):
                    parts = {name: options[k % len(options)].said(sex) for name, options in topic.parts.items()}
                    words = {"name": "Ama", "friend": "Kofi", "teacher": "Esi Mensah", "grade": "4", **parts}
                    words["value"] = "chess and drawing"
                    filled = (t.format_map(words) for t in (line.plain, line.named) if t is not None)
                    out += [(topic.path, sentence(text.replace("{friend}", "Kofi"))) for text in filled]
    return out


def test_every_frame_reads_with_every_option() -> None:
    for path, said in every_sentence():
        told = Told(f"{said}", ("Ama",), "Ama", "female", 9, 4, (), ())
        assert not slipped(told) and not clinical(told), (path, said)
        assert said[0].isupper() or said[0] == "'", (path, said)
        assert said.endswith("."), (path, said)
        assert not re.search(r"\b(they|them|their) (am|is|has|does)\b|\b(she|he) (are|have|do|go)\b(?! not)", said), (
            path,
            said,
        )


def test_a_frame_says_the_name_in_place_of_its_first_pronoun() -> None:
    line = compile_line("In lessons {they} {watch} {their} door with {friend}.", (), 1)
    assert line.plain == "In lessons he watches his door with {friend}."
    assert line.named == "In lessons {name} watches his door with {friend}."
    assert line.others == "friend" and line.early
    assert compile_line("{Their} bag is heavy.", (), 0).named == "{name}'s bag is heavy."
    assert compile_line("Nothing is lost.", (), 0).named is None


def test_slots_are_no_verbs() -> None:
    assert (
        conjugate_slots("{They} {go} with {friend}, {Thing}", ("friend", "thing"), 0)
        == "She goes with {friend}, {thing}"
    )


def test_no_wording_is_of_one_sex_or_names_a_people() -> None:
    for topic in shipped_schema().topics:
        for option in (o for part in topic.parts.values() for o in part):
            assert not {f.key for f in option.fits} & {"sex", "z:girl"}, option.text
            assert not {key for key, _ in option.leans} & {"girl", "teenage_girl"}, option.text
            assert not re.search(r"\b(she|he|her|his)\b", option.text), option.text
