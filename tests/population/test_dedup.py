"""Copies are found, strangers are not, and neither the batch nor the machine has a say in it."""

import random
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deeppersona as dp
from deeppersona.errors import UsageError
from deeppersona.population import minhash
from deeppersona.population.dedup import Sieve, find_duplicates, sketches
from deeppersona.population.likeness import Buckets
from deeppersona.population.minhash import BYTES, WIDTH, nibbles
from deeppersona.schema.phrase import say

Record = dict[str, Any]
LETTERS = "abcdefghijklmnopqrstuvwxyz "
N = 600


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a test, no secret


def person(taxonomy: dp.Taxonomy, number: int) -> Record:
    """Somebody of 60 traits and a paragraph of about 120 words, drawn evenly from the tree."""
    rng = seeded(number)
    pick = [a for a in rng.sample(taxonomy.attributes, 110) if a.options]
    drawn = [(a, rng.choice(a.options).value) for a in pick]
    told = [say(a.phrase, "she", value, "Ada") for a, value in drawn[60:] if a.phrase]
    traits = [{"path": a.path, "value": value, "source": "prior", "evidence": {}} for a, value in drawn[:60]]
    traits.append({"path": "demographics.age", "value": 34, "source": "table", "evidence": {}})
    return {"id": f"x-{number:06d}", "traits": traits, "stories": [], "narrative": " ".join(told[:14])}


@pytest.fixture(scope="module")
def crowd(taxonomy: dp.Taxonomy) -> list[Record]:
    return [person(taxonomy, number) for number in range(N)]


def blurred(text: str, share: float, rng: random.Random) -> str:
    """The text with that share of its characters replaced by others."""
    letters = list(text)
    for at in rng.sample(range(len(letters)), round(share * len(letters))):
        letters[at] = rng.choice(LETTERS.replace(letters[at].lower(), ""))
    return "".join(letters)


def edited(text: str, share: float, rng: random.Random) -> str:
    """The text with that share of its characters replaced, dropped or doubled by another."""
    places = set(rng.sample(range(len(text)), round(share * len(text))))
    change = (lambda c: rng.choice(LETTERS), lambda c: "", lambda c: c + rng.choice(LETTERS))
    return "".join(rng.choice(change)(c) if k in places else c for k, c in enumerate(text))


def redrawn(traits: list[Record], share: float, rng: random.Random, taxonomy: dp.Taxonomy) -> list[Record]:
    traits = [dict(trait) for trait in traits]
    for trait in rng.sample(traits[:60], round(share * 60)):
        trait["value"] = rng.choice([o.value for o in taxonomy[trait["path"]].options if o.value != trait["value"]])
    return traits


def only(record: Record, *keys: str) -> Record:
    return {key: record[key] for key in keys}


@pytest.mark.parametrize("keys", [("traits", "narrative"), ("narrative",), ("traits",)], ids="+".join)
def test_copies_are_found_and_strangers_are_not(crowd, taxonomy, keys) -> None:
    rng = seeded(5)
    for share, wanted in ((0.01, 0.99), (0.05, 0.95), (0.2, 0.6)):
        sieve = Sieve()
        assert sum(first is not None for first in sieve.add([only(r, *keys) for r in crowd])) <= N // 1000
        chosen = rng.sample(range(N), 100)
        copies = [
            {
                "narrative": blurred(crowd[i]["narrative"], share, rng),
                "traits": redrawn(crowd[i]["traits"], share, rng, taxonomy),
            }
            for i in chosen
        ]
        found = sieve.add([only(r, *keys) for r in copies])
        assert sum(first == i for first, i in zip(found, chosen, strict=True)) >= wanted * 100
        assert all(first in (i, None) for first, i in zip(found, chosen, strict=True))


@pytest.mark.parametrize("share, wanted", [(0.01, 0.99), (0.03, 0.9)])
def test_insertions_deletions_and_another_order_are_found(crowd, share, wanted) -> None:
    rng = seeded(6)
    sieve = Sieve()
    sieve.add([only(r, "narrative") for r in crowd])
    chosen = rng.sample(range(N), 100)
    copies = []
    for i in chosen:
        sentences = crowd[i]["narrative"].split(". ")
        rng.shuffle(sentences)
        copies.append({"narrative": edited(". ".join(sentences), share, rng)})
    assert sum(a == i for a, i in zip(sieve.add(copies), chosen, strict=True)) >= wanted * 100


def test_the_first_of_a_group_is_kept_and_groups_stand_in_order(crowd) -> None:
    people = [crowd[k] for k in (0, 1, 2, 1, 3, 0, 1, 4)]
    found = find_duplicates(people)
    assert found.people == 8
    assert found.groups == ((0, 5), (1, 3, 6))
    assert [(pair.later, pair.earlier) for pair in found.found] == [(3, 1), (5, 0), (6, 1)]


@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(1, 399), max_size=6), seed=st.integers(0, 3))
def test_batches_change_nothing(crowd, cuts, seed) -> None:
    rng = seeded(1)
    people = [*crowd[:200], *[{"narrative": blurred(r["narrative"], 0.1, rng)} for r in crowd[:200]]]
    whole = find_duplicates(people, seed=seed)
    sieve, answers = Sieve(seed=seed), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 400], strict=True):
        answers += sieve.add(people[begin:end])
    assert tuple(sieve.found) == whole.found
    assert len(whole.found) > 190
    assert {k: first for k, first in enumerate(answers) if first is not None} == {
        p.later: p.earlier for p in whole.found
    }


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_who_is_flagged_changes_nothing_for_anybody_else(crowd, data) -> None:
    """Left out, or shown many times over: the others get the same answers, though buckets fill and bands grow."""
    rng = seeded(data.draw(st.integers(0, 99)))
    few = crowd[: data.draw(st.sampled_from([20, 130, 300]))]
    people = [only(r, "narrative") for r in few]
    for r in rng.choices(few, k=60):
        people.insert(
            rng.randrange(len(people)), {"narrative": blurred(r["narrative"], rng.choice([0, 0.1, 0.25]), rng)}
        )
    whole = find_duplicates(people)
    flagged = {pair.later for pair in whole.found}
    assert flagged
    kept = [k for k in range(len(people)) if k not in flagged]
    assert find_duplicates(people[k] for k in kept).found == ()
    times = [k for k in range(len(people)) for _ in range(rng.choice([0, 1, 30]) if k in flagged else 1)]
    again = find_duplicates(people[k] for k in times)
    before = {pair.later: pair.earlier for pair in whole.found}
    assert {times[pair.later]: times[pair.earlier] for pair in again.found} == {
        k: first for k, first in before.items() if k in times
    }
    assert len(again.found) == len(times) - len(kept)


def test_a_run_refills_slots_to_the_same_end(crowd) -> None:
    sieve = Sieve()
    assert sieve.add([crowd[0], crowd[1], crowd[0]], slots=[10, 11, 12]) == [None, None, 10]
    assert sieve.add([crowd[1], crowd[2]], slots=[12, 13]) == [11, None]  # slot 12, made anew, is a copy again
    assert sieve.add([crowd[3], crowd[2]], slots=[12, 14]) == [None, 13]
    assert sieve.add([crowd[3]], slots=[15]) == [12]
    assert len(sieve) == 8


def test_sketches_made_elsewhere_count_the_same(crowd) -> None:
    people = [*crowd[:90], *crowd[:5]]
    sieve = Sieve()
    assert sieve.add_sketches(np.concatenate([sketches(people[:40]), sketches(people[40:])])) == Sieve().add(people)


def test_a_sketch_is_a_function_of_its_record(crowd) -> None:
    whole = sketches(crowd[:60])
    assert whole.shape == (60, WIDTH) and WIDTH == 200
    order = seeded(2).sample(range(60), 60)
    assert (sketches([crowd[k] for k in order]) == whole[order]).all()
    assert (np.concatenate([sketches([record]) for record in crowd[:60]]) == whole).all()


def test_a_sketch_is_the_same_on_every_machine() -> None:
    record = {
        "traits": [
            {"path": "culture.music.instrument", "value": "a violin with three strings"},
            {"path": "home.room.count", "value": 3},
            {"path": "relationships.kin.lives_with", "value": ["partner", "two children"]},
        ],
        "stories": [{"age": 9, "title": "The ladder", "text": "Zoë fell off a ladder; nobody saw it. 梯子 🙂"}],
        "narrative": "Zoë Müller mends clocks in a village by the river, and is never on time.",
    }
    assert blake2b(sketches([record]).tobytes(), digest_size=8).hexdigest() == "cd6a929eec892b6a"


def test_a_full_cache_of_words_changes_nothing(crowd, monkeypatch) -> None:
    whole = sketches(crowd[:40])
    monkeypatch.setattr(minhash, "_WORDS", 50)
    monkeypatch.setattr(minhash, "_KEPT", 1)
    minhash._word_vectors.cache_clear()
    minhash._paths.clear()
    assert (np.concatenate([sketches(crowd[k : k + 3]) for k in range(0, 39, 3)]) == whole[:39]).all()


def test_what_everybody_shares_is_no_part_of_a_sketch() -> None:
    core = {"traits": [{"path": "demographics.age", "value": 34}, {"path": "demographics.name", "value": "Ada"}]}
    assert not sketches([core, {}, {"traits": None, "narrative": None, "stories": None}]).any()
    assert Sieve().add([core, core, {}, {}]) == [None] * 4


def test_parts_of_a_sketch_stand_where_they_should() -> None:
    text = {"narrative": "Somebody mends clocks in a village by the river."}
    traits = {"traits": [{"path": "home.room.count", "value": 3}]}
    one, other = sketches([text, traits])
    assert one[BYTES["places"]].any() and one[BYTES["shingles"]].any() and one[BYTES["meaning"]].any()
    assert not one[BYTES["traits"]].any()
    assert np.count_nonzero(nibbles(other[None, BYTES["traits"]])) == 1
    assert not other[BYTES["places"].start : BYTES["whole"].start].any()
    assert one[BYTES["whole"]].any() and other[BYTES["whole"]].any()


def test_case_accents_and_kinds_of_space_are_nothing() -> None:
    one, other = sketches([{"narrative": "Zoë MÜLLER’s clock"}, {"narrative": "zoe\nmuller's\u00a0clock"}])
    assert (one == other).all()


@pytest.mark.parametrize("text", ["", "\0", "\ud800 alone", "梯子", "🙂" * 9, "a", "ab cd"])
def test_any_text_can_be_sketched(text: str) -> None:
    found = Sieve().add([{"narrative": text}, {"narrative": "quite another text than that"}, {"narrative": text}])
    assert found == [None, None, 0 if text else None]


def test_little_text_proves_little() -> None:
    rng = seeded(3)
    trade, land, likes = (
        ["bus driver", "nurse", "farmer", "clerk", "cook", "tailor", "teacher", "guard", "baker", "sailor"],
        ["Peru", "Kenya", "Japan", "Chile", "Egypt", "Nepal", "Ghana", "Spain", "Laos", "Fiji"],
        ["chess", "choir", "fishing", "cards", "football", "baking", "films", "dancing", "maps", "tea"],
    )
    lines = [f"A retired {a} from {b} who loves {c}." for a in trade for b in land for c in likes]
    rng.shuffle(lines)
    found = find_duplicates([{"narrative": line} for line in [*lines, *lines[:50]]])
    assert [pair.earlier for pair in found.found if pair.later >= 1000] == list(range(50))  # word for word
    assert sum(pair.later < 1000 for pair in found.found) <= 3


def test_few_weak_traits_prove_nothing() -> None:
    rng = seeded(4)
    people = [
        {"traits": [{"path": f"student.k{k}", "value": rng.choice(["low", "middle", "high"])} for k in range(14)]}
        for _ in range(2000)
    ]
    found = find_duplicates(people)
    different = sum(people[p.later] != people[p.earlier] for p in found.found)
    assert different <= 3


def test_garbled_strangers_do_not_count_as_alike(crowd) -> None:
    """The embedder sees all of them in one direction; that alone is no proof."""
    rng = seeded(8)
    people = [only(r, "narrative") for r in crowd[:450]]
    people += [{"narrative": edited(r["narrative"], 0.3, rng)} for r in crowd[450:]]
    assert find_duplicates(people).groups == ()


def test_meaning_helps_where_every_word_stands_elsewhere(crowd) -> None:
    rng = seeded(9)
    sieve = Sieve()
    sieve.add([only(r, "narrative") for r in crowd])
    for i in rng.sample(range(N), 40):
        words = crowd[i]["narrative"].split()
        rng.shuffle(words)
        sieve.add([{"narrative": " ".join(w for w in words if rng.random() > 0.1)}])
    assert "meaning" in {pair.by for pair in sieve.found}
    assert len(sieve.found) > 20


def test_everybody_alike_is_one_group_and_takes_no_longer(crowd) -> None:
    found = find_duplicates([crowd[0]] * 3000)
    assert found.groups == (tuple(range(3000)),)


def test_a_higher_threshold_finds_fewer(crowd) -> None:
    rng = seeded(10)
    copies = [{"narrative": blurred(r["narrative"], 0.25, rng)} for r in crowd[:100]]
    people = [*[only(r, "narrative") for r in crowd[:300]], *copies]
    loose, strict = (len(find_duplicates(people, threshold=t).found) for t in (0.6, 0.9))
    assert loose > 60 and strict <= 3  # a share is estimated, from 64 places: one in twenty is 0.07 off


@pytest.mark.parametrize("threshold", [0.1, 1.5, float("nan")])
def test_a_threshold_out_of_range_is_told(threshold: float) -> None:
    with pytest.raises(UsageError, match=r"give a share from 0\.3 to 1"):
        find_duplicates([], threshold=threshold)


@settings(max_examples=30, deadline=None)
@given(keys=st.lists(st.integers(0, 12), min_size=1, max_size=60), cut=st.integers(0, 60))
def test_buckets_answer_the_first_eight_before_in_one_batch_or_two(keys: list[int], cut: int) -> None:
    key, ids = np.array(keys, dtype=np.uint64), np.arange(len(keys), dtype=np.uint32)
    buckets, got = Buckets(1, 1000), set()
    for some in (ids[:cut], ids[cut:]):
        spots = buckets.places([(np.arange(len(some)), key[some])])
        buckets.leave(buckets.enter(spots, some, some % 2 > 0))  # undone, it leaves no trace
        buckets.enter(spots, some, some >= 0)
        place, earlier = buckets.before(spots, some)
        assert (np.diff(place) >= 0).all()
        got |= set(zip(some[place].tolist(), earlier.tolist(), strict=True))
    wanted = {(j, i) for j in ids.tolist() for i in range(j) if keys[i] == keys[j] and keys[:i].count(keys[i]) < 8}
    assert got == wanted
