"""What an item is known by: the words of its name, its brand or house, genres, decade. Features are strings ``kind:name``.

A feature is made of letters, figures and single blanks alone, so that it can stand in a path and in a sentence and be read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

KINDS = {
    "word": "words",
    "brand": "brands",
    "genre": "genres",
    "decade": "decades",
}  # kind of feature: branch of the trunk
_WORD = re.compile(r"[^\W_]+")
_YEAR = re.compile(r"\((1[89]\d\d|20\d\d)\)")
_PLACE = re.compile(
    r"^([^,]{2,60}), .*\d"
)  # a name, then an address with figures in it: a shop or place, its name the house
_EMPTY = frozenset(
    ["the", "a", "an", "of", "and", "in", "for", "to", "with", "on", "by", "at", "from", "s", "or", "is", "it", "as"]
)
_LONGEST = 24  # words of one name that are looked at


def plain(text: str) -> str:
    """A name as features have it: small letters and figures, single blanks."""
    return " ".join(_WORD.findall(text.casefold()))


@lru_cache(maxsize=1 << 17)
def of_name(item: str) -> tuple[str, ...]:
    """The features an item's name alone gives: its words, a decade where a year stands in brackets, a house before an address."""
    found: dict[str, None] = {}
    place = _PLACE.match(item)
    if place and plain(place[1]):
        found[f"brand:{plain(place[1])}"] = None
    year = _YEAR.search(item)
    if year:
        found[f"decade:{year[1][:3]}0s"] = None
    for word in _WORD.findall(_YEAR.sub(" ", item).casefold())[:_LONGEST]:
        if len(word) > 1 and word not in _EMPTY:
            found[f"word:{word}"] = None
    return tuple(found)


def of_item(item: str, more: Mapping[str, Iterable[str]] | None = None) -> tuple[str, ...]:
    """All features of an item: those of its name, and what the stream says of it (``brand``, ``genre``, ``decade``)."""
    if not more:
        return of_name(item)
    told = [f"{kind}:{plain(name)}" for kind, names in more.items() for name in names if plain(name)]
    return tuple(dict.fromkeys((*told, *of_name(item))))
