"""Who somebody is, told to a model that is to speak for them: in words, within a budget of tokens, from their record alone.

First what is always told (who, where, of what age, work, home, faith), then how they are by nature and what they hold dear, then
as much of the rest as the budget has room for: traits that bear on what is asked before those that merely tell much of a person.
Nothing is inferred: what the record does not say is not said, and a sensitive trait is told only where it bears on the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import numpy as np

from deeppersona.facts.tables import shipped_facts
from deeppersona.generation.latents import personality
from deeppersona.generation.person import with_article
from deeppersona.models.embedder import Vectors, cosine, default_embedder
from deeppersona.population.brief import sentence_of
from deeppersona.prompts import unmarked
from deeppersona.schema import vocabulary as v
from deeppersona.schema.phrase import capitalise, join_words
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.read import shipped_taxonomy

Record = Mapping[str, Any]
BUDGET = 700
NEAR = 0.45  # cosine from which a trait is taken to bear on a question: pairs of unlike matters rarely reach it
_BEARING_SHARE, _STORY_SHARE = 0.6, 0.45  # of what the core leaves, at the most
_KEPT = 50_000  # vectors of texts
_REPEATED = 0.4  # what a trait loses for each of its category that goes before
_DEAR = ("values.told.what_matters", "values.told.attitude_to_life")
_INTERESTS = "culture.interests."
_KIN = "relationships.kin."
_ALWAYS = frozenset(
    [f"demographics.{k}" for k in ("country", "region", "age", "sex", "education", "urban", "city", "marital_status", "children",
                                   "household_size", "religion", "language", "employment_status", "occupation", "former_occupation",
                                   "income", "name", "described_as")]
    + [f"personality.big_five.{t}" for t in v.TRAIT_5]
    + ["values.orientation.survival_to_self_expression", "values.orientation.traditional_to_secular", *_DEAR]
)  # fmt: skip
_NATURE = {
    "extraversion": ("reserved and quiet", "outgoing and talkative", "neither reserved nor outgoing"),
    "agreeableness": ("blunt and hard-headed", "soft-hearted and trusting", "neither hard-headed nor soft-hearted"),
    "conscientiousness": ("careless of order and plans", "orderly and dutiful", "neither careless nor orderly"),
    "neuroticism": ("calm and hard to upset", "easily worried and upset", "neither calm nor nervous"),
    "openness": (
        "down to earth, with little taste for ideas and art",
        "curious and full of ideas",
        "as curious as most",
    ),
}
_VALUES = {
    "traditional_to_secular": (
        "Religion, family and authority mean a very great deal to you.",
        "Religion, family and authority mean much to you.",
        "You stand between tradition and a worldly view of life.",
        "Religion and old authority weigh little with you.",
        "Religion and old authority weigh hardly anything with you.",
    ),
    "survival_to_self_expression": (
        "Security and a sure income come far before freedom and having a say; strangers and other ways of life you do not trust.",
        "Security and a sure income come before freedom and having a say; with strangers you are careful.",
        "Security matters to you about as much as freedom and having a say.",
        "Freedom, having a say and letting others live their way come before security.",
        "Freedom, having a say and letting others live their way come far before security.",
    ),
}
_MONEY = dict(zip(v.INCOME, (
    "among the poorest fifth of the country", "somewhat poorer than most", "about in the middle", "somewhat better off than most",
    "among the richest fifth of the country",
), strict=True))  # fmt: skip
_WORK = {
    "employed": "You work as {}.", "self employed": "You work for yourself as {}.", "unemployed": "You are out of work.",
    "homemaker": "You keep the house.", "retired": "You are retired.", "student": "You are still at school or studying.",
    "child": "You are a small child.", "unable to work": "Your health does not let you work.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A trait as it is said to whom it is true of. ``asks`` is the question it answers; ``telling`` and ``rare`` rank it."""

    path: str
    sentence: str
    asks: str
    telling: int = 1
    rare: float = 0.0
    sensitive: bool = False


def tokens(text: str) -> int:
    """About how many tokens a text is: a quarter of its characters, but one each where the script is not Latin."""
    wide = 0 if text.isascii() else sum(1 for sign in text if ord(sign) > 0x24F)
    return -(-(len(text) - wide) // 4) + wide


def role(
    record: Record, *, budget_tokens: int = BUDGET, about: Sequence[str] = (), taxonomy: Taxonomy | None = None
) -> str:
    """Tell a person who they are ("You are ..."), in about ``budget_tokens`` tokens at the most.

    Args:
        record: a line of a run, as plain data.
        budget_tokens: tokens, counted as ``tokens`` does. The first line is told whatever the budget.
        about: questions or items that will be asked; traits that bear on them go first, each question in its turn.
        taxonomy: where the sentences of traits stand; the shipped one when not given.

    Returns:
        Plain text in paragraphs, the same for the same arguments, free of marks that could close a ``<data>`` block
        (``prompts.quoted`` puts it into one).

    """
    said = sayings(record, taxonomy)
    first, *others = (line for line in _core(_values(record), record) if line)
    room = _Room(budget_tokens - tokens(first))
    core = [first, *(line for line in others if room.take(line))]
    near = _in_turn([_nearest(of, len(said), NEAR) for of in nearness(said, about).T])
    chosen = room.most_of(near, said, _BEARING_SHARE)
    stories = _stories(record, about, room)
    for k in _telling_order(said):  # sensitive things only where they bear on what is asked
        if k not in chosen and not said[k].sensitive and room.take(said[k].sentence):
            chosen.append(k)
    parts = ["\n".join(core)]
    if stories:
        parts.append("What happened to you:\n" + "\n".join(stories))
    if chosen:
        parts.append("Also true of you:\n" + "\n".join(f"- {said[k].sentence}" for k in chosen))
    return unmarked("\n\n".join(parts))


def sayings(record: Record, taxonomy: Taxonomy | None = None) -> list[Said]:
    """What else a record tells of a person besides what a role always tells, in the order of the record.

    Where a model worded a trait more particularly, that stands after its sentence.
    """
    tree = taxonomy or shipped_taxonomy()
    out = []
    for trait in record["traits"]:
        path = str(trait["path"])
        if _always(path):
            continue
        evidence = trait.get("evidence")
        chance = evidence.get("p") if evidence else None
        rare = 0.6 if isinstance(chance, float) and 0 < chance < 0.12 else 0.0
        if path in tree:
            value = trait["value"]
            said = _said(tree, path, tuple(value) if isinstance(value, list) else value, rare)
            colour = trait.get("colour")
            out.append(replace(said, sentence=f"{said.sentence} ({colour})") if colour else said)
        else:
            words = path.split(".")[1:] or [path]
            name = " ".join(words[-2:]).replace("_", " ")
            out.append(Said(path, f"{capitalise(name)}: {_plain(trait['value'])}.", name, 1, rare))
    return out


@lru_cache(maxsize=10_000)
def _always(path: str) -> bool:
    return path in _ALWAYS or path.startswith((_KIN, _INTERESTS))


@lru_cache(maxsize=50_000, typed=True)
def _said(tree: Taxonomy, path: str, value: Any, rare: float) -> Said:
    """What somebody with a value of an attribute is told; kept, since many people have it."""
    a = tree[path]
    sentence = sentence_of(a, {"value": list(value) if isinstance(value, tuple) else value}, "you")
    return Said(path, sentence, a.question, a.telling, rare, a.sensitive)


def bearing(said: Sequence[Said], question: str, *, most: int = 8, least: float = NEAR) -> list[Said]:
    """Those of ``said`` that bear on a question, nearest first: at most ``most``, none less alike than ``least`` (cosine).

    Likeness is that of the question to the one a trait answers or to its sentence, whichever is more (``models.embedder``).
    """
    return [said[k] for k in _nearest(nearness(said, [question])[:, 0], most, least)]


def nearness(said: Sequence[Said], questions: Sequence[str]) -> Vectors:
    """How near each of ``said`` is to each question: cosines, shape (said, questions)."""
    if not said or not questions:
        return np.zeros((len(said), len(questions)), dtype=np.float32)
    asks, sentences, wanted = map(_embedded, ([s.asks for s in said], [s.sentence for s in said], questions))
    near: Vectors = np.maximum(cosine(asks, wanted), cosine(sentences, wanted))
    return near


def _nearest(near: Vectors, most: int, least: float) -> list[int]:
    """Places of the nearest, the nearest first: at most ``most``, none less alike than ``least``."""
    some = np.flatnonzero(near >= least)
    places: list[int] = some[np.argsort(-near[some], kind="stable")][:most].tolist()
    return places


def _embedded(texts: Sequence[str]) -> Vectors:
    """The vectors of texts, a row each; kept, since the same questions and sentences come again and again."""
    new = [text for text in dict.fromkeys(texts) if text not in _vectors]
    if new:
        if len(_vectors) > _KEPT:
            _vectors.clear()
            new = list(dict.fromkeys(texts))
        _vectors.update(zip(new, default_embedder().embed(new), strict=True))
    return np.array([_vectors[text] for text in texts])


_vectors: dict[str, Vectors] = {}


class _Room:
    """Tokens that are left."""

    def __init__(self, budget: int) -> None:
        self.left = budget

    def take(self, line: str) -> bool:
        """Whether a line still fits; it is counted if so."""
        cost = tokens(line) + 1
        if cost > self.left:
            return False
        self.left -= cost
        return True

    def most_of(self, places: Iterable[int], said: Sequence[Said], share: float) -> list[int]:
        """Those of some places that fit within a share of what is left."""
        within = _Room(int(self.left * share))
        chosen = [k for k in places if within.take(said[k].sentence)]
        self.left -= sum(tokens(said[k].sentence) + 1 for k in chosen)
        return chosen


def _telling_order(said: Sequence[Said]) -> list[int]:
    """The places of what tells most of a person first; the more of a part of life is told already, the later the next of it."""
    first = [-s.telling - s.rare for s in said]
    best = sorted(range(len(said)), key=first.__getitem__)
    of: dict[str, int] = {}
    rank = {}
    for k in best:
        category = said[k].path.partition(".")[0]
        before = of.get(category, 0)
        rank[k] = first[k] + _REPEATED * before
        of[category] = before + 1
    return sorted(best, key=rank.__getitem__)


def _in_turn(lists: Sequence[Sequence[int]]) -> list[int]:
    """The first of each list, then the second of each, everything once: no question takes all the room."""
    return list(dict.fromkeys(place for rank in zip_longest(*lists) for place in rank if place is not None))


def _stories(record: Record, about: Sequence[str], room: _Room) -> list[str]:
    """Life stories, each whole or not at all, those nearest to what is asked first; told in the order of age."""
    told = [Said(str(k), f"- At {s['age']}: {' '.join(str(s['text']).split())}", str(s["title"]))
            for k, s in enumerate(record.get("stories") or ())]  # fmt: skip
    order = _nearest(nearness(told, [" ".join(about)])[:, 0], len(told), -1.0)
    return [told[k].sentence for k in sorted(room.most_of(order, told, _STORY_SHARE))]


def _plain(value: object) -> str:
    return join_words([str(x) for x in value]) if isinstance(value, list) else str(value)


def _values(record: Record) -> dict[str, Any]:
    return {trait["path"]: trait["value"] for trait in record["traits"]}


def _core(told: Mapping[str, Any], record: Record) -> Iterator[str]:
    """What is always told, a line each, what matters most first."""
    d = {path.removeprefix("demographics."): value for path, value in told.items() if path.startswith("demographics.")}
    yield " ".join(_who(d, record))
    yield " ".join(_circumstances(d))
    if kin := _home(told, d):
        yield " ".join(kin)
    if d.get("described_as"):
        yield f"In short: {d['described_as']}"
    if nature := _nature(told):
        yield "By nature you are " + "; ".join(nature) + "."
    if values := _outlook(told):
        yield " ".join(values)
    for path, what in zip(_DEAR, ("What matters to you", "How you look at life"), strict=True):
        if path in told:
            yield f"{what}: {_plain(told[path])}"
    interests = [_plain(value) for path, value in told.items() if path.startswith(_INTERESTS)]
    if interests:
        yield f"You care for: {'; '.join(interests)}."


def _who(d: Mapping[str, Any], record: Record) -> Iterator[str]:
    age = d.get("age")
    young = isinstance(age, int) and age < 18
    noun = {"female": "girl" if young else "woman", "male": "boy" if young else "man"}.get(str(d.get("sex")), "person")
    aged = f", a {noun} of {age}" if age is not None else f", a {noun}" if "sex" in d else ""
    yield f"You are {d.get('name', 'a person')}{aged}."
    country = _country(record, d)
    town = d.get("city")
    if town:
        where = f"in the country, the nearest town being {town}" if d.get("urban") == "rural" else f"in {town}"
        yield f"You live {where}{', ' if country else ''}{country}."
    elif country:
        yield f"You live in {country}."


def _country(record: Record, d: Mapping[str, Any]) -> str:
    code = str(d.get("country", ""))
    found = shipped_facts().countries.get(code)
    return found.name if found else code


def _circumstances(d: Mapping[str, Any]) -> Iterator[str]:
    status, job = str(d.get("employment_status", "")).replace("_", " "), str(d.get("occupation", ""))
    line = _WORK.get(status)
    if line:
        yield line.format(with_article(job) if job else "you can")
    elif job:
        yield f"Your work: {job}."
    if d.get("former_occupation"):
        yield f"Your work before: {d['former_occupation']}."
    for key, what in (
        ("education", "Your schooling"),
        ("religion", "Your religion"),
        ("language", "Your language at home"),
    ):
        if d.get(key):
            yield f"{what}: {d[key]}."
    if d.get("income"):
        yield f"For money you are {_MONEY.get(str(d['income']), str(d['income']))}."


def _home(told: Mapping[str, Any], d: Mapping[str, Any]) -> list[str]:
    kin = {path.removeprefix(_KIN): value for path, value in told.items() if path.startswith(_KIN)}
    out = []
    if d.get("marital_status"):
        out.append(f"You are {d['marital_status']}." + (f" Partner: {kin['partner']}." if "partner" in kin else ""))
    if kin.get("children"):
        told_of = kin["children"]
        out.append(f"Your children: {'; '.join(map(str, told_of)) if isinstance(told_of, list) else told_of}.")
    elif isinstance(d.get("children"), int):
        out.append("You have no children." if d["children"] == 0 else f"You have {d['children']} children.")
    if kin.get("lives_with"):
        out.append(f"With you live {_plain(kin['lives_with'])}.")
    if kin.get("grandchildren"):
        out.append(f"Grandchildren: {_plain(kin['grandchildren'])}.")
    for key, what in (("birth_order", "Among brothers and sisters"), ("parents", "Parents"), ("mother_work", "Mother's work"),
                      ("father_work", "Father's work")):  # fmt: skip
        if kin.get(key):
            out.append(f"{what}: {_plain(kin[key])}.")
    return out


@lru_cache(maxsize=1)
def _norms() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of adults' Big Five scores (1-5), in the order of the vocabulary."""
    found = personality(str(shipped_facts().folder))
    return tuple(found.mean[18:81].mean(axis=(0, 1)).tolist()), tuple(found.sd[18:81].mean(axis=(0, 1)).tolist())


def _nature(told: Mapping[str, Any]) -> list[str]:
    """The Big Five in words, against all adults: how somebody is beside others is what such words mean."""
    out = []
    means, spreads = _norms()
    for trait, (low, high, between) in _NATURE.items():
        score = told.get(f"personality.big_five.{trait}")
        if not isinstance(score, (int, float)):
            continue
        k = v.TRAIT_5.index(trait)
        z = (score - means[k]) / spreads[k]
        how = "very" if abs(z) > 1.2 else "rather"
        out.append(f"{how} {low if z < 0 else high}" if abs(z) > 0.4 else between)
    return out


def _outlook(told: Mapping[str, Any]) -> list[str]:
    """The position on the Inglehart-Welzel map in words: five steps on each of its two sides, the world's middle at 0."""
    out = []
    for key, words in _VALUES.items():
        place = told.get(f"values.orientation.{key}")
        if isinstance(place, (int, float)):
            out.append(words[sum(place > edge for edge in (-1.5, -0.5, 0.5, 1.5))])
    return out
