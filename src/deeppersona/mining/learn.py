"""Option weights from what people said, smoothed towards the base; and options nobody had thought of.

The share of an option becomes (m p + c) / (m + N): p its share in the base, c the people who said it, N all who told of the
attribute, m the ``smoothing`` in people (a Dirichlet prior of that strength). People who talk are no sample of a country,
so m is large and the base is left only where many speak. An option of its own needs ``least`` people: k-anonymity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deeppersona.mining.match import options_for, stems
from deeppersona.mining.shelf import Support
from deeppersona.mining.words import is_noun, lemma
from deeppersona.schema.taxonomy import Attribute

_MOST_NEW = 12  # options added to one attribute at a time, the commonest first
_LONGEST = 4  # words of an option taken from talk


def learnt(attribute: Attribute, found: Support, least: int, smoothing: float) -> Iterator[dict[str, Any]]:
    """Log entries that add options to an attribute and set its weights; none where too few told values of it."""
    if not attribute.options or not found.values:
        return
    counts = [0.0] * len(attribute.options)
    weights = [o.weight for o in attribute.options]
    whole = sum(weights)
    fresh: dict[str, int] = {}
    said = 0
    for value, people in _folded(found.values).items():
        meant = options_for(attribute, value)
        if meant:
            said += people
            share = sum(weights[k] for k in meant)
            for k in meant:  # a dog: among the dogs of the base as they stand to one another
                counts[k] += people * weights[k] / share
        elif people >= least and _fit(value):
            said += people
            fresh[_as_the_others(attribute, value)] = people
    if said < least:
        return
    kept = sorted(fresh.items(), key=lambda item: (-item[1], item[0]))[:_MOST_NEW]
    total = sum(counts) + sum(n for _, n in kept)
    scale = whole / (smoothing + total)
    for value, people in kept:
        weight = round(max(people * scale, 0.01), 4)
        yield {"do": "option", "path": attribute.path, "value": value, "weight": weight, "speakers": people}
    learned = {
        o.value: round(max((smoothing * w / whole + c) * scale, 0.001), 4)
        for o, w, c in zip(attribute.options, weights, counts, strict=True)
    }
    yield {"do": "weights", "path": attribute.path, "weights": learned, "speakers": said}


def _fit(value: str) -> bool:
    """Whether a value can stand as an option: a few plain words."""
    words = value.split()
    return 0 < len(words) <= _LONGEST and "[" not in value and any(len(w) > 2 for w in words) and not value.isdigit()


def _folded(values: Mapping[str, int]) -> dict[str, int]:
    """Values that differ in form alone, as one: ``read`` with ``reading``, ``cats`` with ``cat``; the form told most stands.

    People who gave two forms count twice; they are few.
    """
    forms: dict[frozenset[str] | str, list[tuple[str, int]]] = {}
    for value, people in sorted(values.items()):
        forms.setdefault(stems(value) or value, []).append((value, people))
    out: dict[str, int] = {}
    for group in forms.values():
        best = max(group, key=lambda item: (item[0].endswith("ing"), item[1], item[0]))[0]
        out[best] = sum(people for _, people in group)
    return dict(sorted(out.items()))


def _as_the_others(attribute: Attribute, value: str) -> str:
    """``dog`` -> ``a dog``, ``violin`` -> ``the violin``: with the article most options of the base have."""
    firsts = [o.value.split()[0] for o in attribute.options]
    some, the = sum(w in ("a", "an") for w in firsts), firsts.count("the")
    words = value.split()
    single = is_noun(words[-1]) and lemma(words[-1], "NOUN") == words[-1] and not words[-1].endswith("ing")
    if 2 * (some + the) < len(firsts) or not single or words[0] in ("a", "an", "the", "no", "my"):
        return value
    if the > some:
        return f"the {value}"
    return f"{'an' if value[0] in 'aeiou' else 'a'} {value}"
