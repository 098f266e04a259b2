"""A persona's preferences in words, five levels of each, and words read back: text and numbers say the same.

``told`` rounds preferences to what words can say; ``in_words`` says them; ``of_words`` reads them. For any preferences p,
``of_words(in_words(p, scale), scale) == told(p, scale)``, so that the text predicts what the rounded persona predicts.
"""

from __future__ import annotations

import math
import re

from deeppersona.errors import UsageError
from deeppersona.refinement.behaviour import Scale
from deeppersona.refinement.preference import Preferences, Taste

HOW_OFTEN = (("hardly ever", 0.02), ("seldom", 0.08), ("now and then", 0.17), ("often", 0.28), ("very often", 0.42))
HOW_DRAWN = (("Strongly drawn to", 0.35), ("Drawn to", 0.12), ("Cool towards", -0.12), ("Put off by", -0.35))
_INDIFFERENT = 0.05  # logits below which a taste is not told: the fifth level, between drawn and cool
_FALL = 1.0 / 3.0  # each level further from the usual one has this part of the nearer one's share
_LETTERS_A_TOKEN = 4
_KIND_WORDS = {"brand": "house", "genre": "genre", "decade": "decade"}
_STYLE = re.compile(r"^Usually answers (\S+), ([a-z ]+) lower, ([a-z ]+) higher; from (\d+) answers?\.$")
_ITEM = re.compile(r"^(.+) \((\d+)\)$")


def told(preferences: Preferences, scale: Scale) -> Preferences:
    """The preferences rounded to five levels of each, as words say them. Rounding twice changes nothing."""
    usual, lower, higher, n = _style(preferences)
    below, above = HOW_OFTEN[lower][1] if usual else 0.0, HOW_OFTEN[higher][1] if usual < len(scale.levels) - 1 else 0.0
    shares = [0.0] * len(scale.levels)
    shares[usual] = 1.0 - below - above
    for share, side in ((below, range(usual - 1, -1, -1)), (above, range(usual + 1, len(shares)))):
        fall = [_FALL**k for k in range(len(side))]
        for k, part in zip(side, fall, strict=True):
            shares[k] = share * part / sum(fall)
    tastes = {f: Taste(HOW_DRAWN[_level(t.shift)][1], float(max(round(t.n), 1))) for f, t in _strongest(preferences)}
    return Preferences(tuple(n * s for s in shares), tastes).rounded()


def in_words(preferences: Preferences, scale: Scale, budget_tokens: int | None = None) -> str:
    """The preferences as text; where ``budget_tokens`` (of four letters) are given, the strongest tastes that fit.

    The style is always told. What is left out is as if the person had no such taste.
    """
    usual, lower, higher, n = _style(preferences)
    first = f"Usually answers {scale.levels[usual]:g}, {HOW_OFTEN[lower][0]} lower, {HOW_OFTEN[higher][0]} higher; from {n} answer{'s' if n != 1 else ''}."
    left = math.inf if budget_tokens is None else budget_tokens * _LETTERS_A_TOKEN - len(first)
    chosen: dict[int, list[str]] = {}
    for feature, taste in _strongest(preferences):
        level, said = _level(taste.shift), f"{_said(feature)} ({max(round(taste.n), 1)})"
        left -= len(said) + 2 + (0 if level in chosen else len(HOW_DRAWN[level][0]) + 3)
        if left < 0:
            break
        chosen.setdefault(level, []).append(said)
    lines = [f"{HOW_DRAWN[level][0]}: {', '.join(chosen[level])}." for level in sorted(chosen)]
    return "\n".join([first, *lines])


def of_words(text: str, scale: Scale) -> Preferences:
    """Read preferences from what ``in_words`` wrote. UsageError names the line that is no such sentence."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    match = _STYLE.match(lines[0]) if lines else None
    often = [words for words, _ in HOW_OFTEN]
    if match is None or match[2] not in often or match[3] not in often:
        raise UsageError(
            f"{lines[0] if lines else ''!r} does not say how somebody answers; expected: Usually answers 4, seldom lower, often higher; from 20 answers."
        )
    n, usual = int(match[4]), scale.code(float(match[1]))
    below, above = (HOW_OFTEN[often.index(match[k])][1] for k in (2, 3))
    counts = [0.0] * len(scale.levels)
    counts[usual] = 1.0 - (below if usual else 0.0) - (above if usual < len(counts) - 1 else 0.0)
    if usual:
        counts[usual - 1] = below
    if usual < len(counts) - 1:
        counts[usual + 1] = above
    tastes: dict[str, Taste] = {}
    drawn = dict(HOW_DRAWN)
    for line in lines[1:]:
        head, _, rest = line.rstrip(".").partition(": ")
        if head not in drawn or not rest:
            raise UsageError(f"{line!r} tells no taste; a line begins with {', '.join(drawn)} and a colon")
        for part in rest.split(", "):
            item = _ITEM.match(part)
            if item is None:
                raise UsageError(f"{part!r} tells no taste; expected a name and a number of answers, as in dragon (3)")
            tastes[_feature(item[1])] = Taste(drawn[head], float(item[2]))
    return told(Preferences(tuple(n * c for c in counts), tastes), scale)


def _style(preferences: Preferences) -> tuple[int, int, int, int]:
    """The usual level, the words for lower and for higher (places in HOW_OFTEN), and the number of answers."""
    total = preferences.n or 1.0
    run, usual, below = 0.0, 0, 0.0
    for k, c in enumerate(preferences.counts):
        if (run + c) / total >= 0.5 - 1e-9:
            usual, below = k, run / total
            break
        run += c
    above = 1.0 - below - preferences.counts[usual] / total
    return usual, _often(below), _often(above), max(round(preferences.n), 1)


def _often(share: float) -> int:
    wanted = _logit(share)
    return min(range(len(HOW_OFTEN)), key=lambda k: abs(_logit(HOW_OFTEN[k][1]) - wanted))


def _logit(share: float) -> float:
    held = min(max(share, 1e-3), 1.0 - 1e-3)
    return math.log(held / (1.0 - held))


def _level(shift: float) -> int:
    return min(range(len(HOW_DRAWN)), key=lambda k: abs(HOW_DRAWN[k][1] - shift))


def _strongest(preferences: Preferences) -> list[tuple[str, Taste]]:
    """The tastes that are told, by what they are told as and how sure they are, then by name."""
    held = [(f, t) for f, t in preferences.tastes.items() if abs(t.shift) >= _INDIFFERENT]
    return sorted(held, key=lambda ft: (-abs(HOW_DRAWN[_level(ft[1].shift)][1]), -max(round(ft[1].n), 1), ft[0]))


def _said(feature: str) -> str:
    kind, _, name = feature.partition(":")
    return f"{_KIND_WORDS[kind]} {name}" if kind in _KIND_WORDS else name


def _feature(said: str) -> str:
    head, _, name = said.partition(" ")
    kind = {words: kind for kind, words in _KIND_WORDS.items()}.get(head)
    return f"{kind}:{name}" if kind and name else f"word:{said}"
