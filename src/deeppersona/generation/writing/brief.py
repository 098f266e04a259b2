"""A person in few words, for a model to write from: the core, the people around, the most telling of what was drawn."""

from __future__ import annotations

from deeppersona.generation.engine import Draft
from deeppersona.generation.stories import THIS_YEAR, Told
from deeppersona.prompts import unmarked
from deeppersona.schema.phrase import join_words

SENTENCES = 64  # of what was drawn: the most telling
_PLAIN_CORE = ("education", "religion", "language", "income", "marital_status", "former_occupation", "described_as")
_NATURE = {
    "extraversion": ("reserved", "outgoing"), "neuroticism": ("calm", "easily worried"),
    "agreeableness": ("hard-headed", "soft-hearted"), "conscientiousness": ("careless", "orderly"),
    "openness": ("set in old ways", "curious"),
}  # fmt: skip
_LONGEST = 600  # characters of a given text
_LOW, _HIGH = 2.7, 3.9
TONES = {
    "good": "It turned out well.",
    "bad": "It went badly and was never put right.",
    "mixed": "Something was gained by it and something lost.",
}


def facts_of(draft: Draft) -> str:
    """The facts a model writes from, about 1,200 tokens at the most."""
    person = draft.person
    core = {t["path"]: t["value"] for t in draft.record["traits"] if t["source"] != "prior"}
    work = core.get("demographics.occupation", "")
    lines = [
        f"Name: {person.name.whole}",
        f"{person.pronoun.capitalize()}, {person.age}, of {person.place}, {person.country_name}. Work: {work}"
        f" ({core.get('demographics.employment_status', '')}).",
        "; ".join(
            f"{key.replace('_', ' ')}: {core[path]}" for key in _PLAIN_CORE if (path := f"demographics.{key}") in core
        ),
    ]
    kin = {path.rpartition(".")[2]: value for path, value in core.items() if path.startswith("relationships.kin.")}
    lines.append("; ".join(
        f"{key.replace('_', ' ')}: {join_words(value) if isinstance(value, list) else value}" for key, value in kin.items()
    ))  # fmt: skip
    nature = []
    for trait, (low, high) in _NATURE.items():
        score = core.get(f"personality.big_five.{trait}")
        if isinstance(score, float):
            nature += [low] if score <= _LOW else [high] if score >= _HIGH else []
    if nature:
        lines.append(f"By nature: {join_words(nature)}.")
    given = [t for t in draft.record["traits"] if t["source"] == "given" and not t["path"].startswith("demographics.")]
    lines += [f"{t['path'].rpartition('.')[2].replace('_', ' ')}: {str(t['value'])[:_LONGEST]}" for t in given]
    lines += [draft.sayable.say(k, person.pronoun) for k in sorted(draft.sayable.order[:SENTENCES])]
    return unmarked("\n".join(line for line in lines if line))


def turning_point(draft: Draft, told: Told) -> str:
    """What a story is about, when it was and how it ended: all of it drawn."""
    age = told.story.age
    year = THIS_YEAR - (draft.person.age - age)
    return f"{told.echo.rstrip('.')}. {draft.person.name.given} was {age}, in {year}. {TONES[told.tone]}"
