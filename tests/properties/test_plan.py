"""Countries share the slots as their weights say, in any run of slots."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from deeppersona.schema.plan import Plan

CODES = ["KE", "DE", "IN", "BR", "JP"]


def plan(weights: dict[str, float]) -> Plan:
    return Plan(n=1, countries=weights, taxonomy="t", engine="e")


@given(st.dictionaries(st.sampled_from(CODES), st.integers(1, 30), min_size=1), st.integers(1, 400))
def test_every_prefix_is_within_a_few_people_of_its_share(weights: dict[str, int], n: int) -> None:
    p = plan({k: float(w) for k, w in weights.items()})
    counts = Counter(p.country_of(slot)[0] for slot in range(n))
    total = sum(weights.values())
    for code, w in weights.items():
        assert abs(counts[code] - n * w / total) <= len(weights)
    if n % total == 0:
        assert all(counts[code] == n * w // total for code, w in weights.items())


@given(st.dictionaries(st.sampled_from(CODES), st.floats(0.01, 100), min_size=1), st.integers(0, 10**9))
def test_ranks_count_up_without_gaps(weights: dict[str, float], start: int) -> None:
    p = plan(weights)
    seen: dict[str, int] = {}
    for slot in range(start, start + 40):
        code, rank = p.country_of(slot)
        assert code not in seen or rank == seen[code] + 1
        seen[code] = rank


def test_the_example_of_the_help() -> None:
    p = plan({"IN": 3.0, "BR": 1.0})
    assert Counter(p.country_of(slot)[0] for slot in range(20)) == {"IN": 15, "BR": 5}
