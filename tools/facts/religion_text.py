"""Reads the CIA's religion texts: "Christian 71.3% (Catholic 10%, other 12.3%), Muslim 19.9%"."""

from __future__ import annotations

import re
from collections import defaultdict

UNSPECIFIED = "unspecified"
Kind = tuple[str, str]
Shares = dict[Kind, float]

# The first pattern found in a name decides. The order matters: "non-Christian" before "Christian".
_KINDS: tuple[tuple[str, str, str], ...] = (
    (r"non-christian", "other", ""),
    (r"^other religion|^other believers|^others?$|^other non|^other \(", "other", ""),
    (r"other[/ ]none|other or none|unspecified/none|none/unspecified|none or|agnostics? and other"
     r"|other or unaff",
     "none", ""),
    (r"unspecified|unknown|no answer|no response|not stated|refused|objected|undeclared|not applicable|know",
     UNSPECIFIED, ""),
    (r"unaffiliated with a religious", "christian", "other Christian"),
    (r"\bnone\b|no religion|atheist|agnostic|unaffiliated|non-?believer|nothing in|humanist|rationalism",
     "none", ""),
    (r"druze", "other", "Druze"),
    (r"armenian apostolic", "christian", "Orthodox"),
    (r"orthodox|old believer|greek catholic orth", "christian", "Orthodox"),
    (r"catholic(?! apostolic)|maronite|uniate", "christian", "Catholic"),
    (r"jesus christ in madagascar", "christian", "Protestant"),
    (r"anglican|church of (england|ireland|melanesia)", "christian", "Anglican"),
    (r"protestant|evangel|lutheran|baptist|methodist|adventist|pentecost|presbyter|calvin"
     r"|reformed|church of (norway|sweden|god)|congregation|assembl|salvation|salutiste|mennonite|moravian"
     r"|nazarene|uniting|united church|wesleyan|ekalesia|brethren|kiribati|awakening|revival|born again"
     r"|church of christ",
     "christian", "Protestant"),
    (r"christian|jehovah|latter|church|apostolic|kimbangu|zion|mana\b|iglesia|kingdom of god|believer|worship"
     r"|ministry", "christian", "other Christian"),
    (r"sunni", "muslim", "Sunni"),
    (r"shia", "muslim", "Shia"),
    (r"ibadi", "muslim", "Ibadi"),
    (r"ahmadi|qadiani|schismatic", "muslim", "Ahmadi"),
    (r"muslim|islam|bektashi|alawi", "muslim", ""),
    (r"lamaist", "buddhist", "Tibetan"),
    (r"buddh", "buddhist", ""),
    (r"hindu", "hindu", ""),
    (r"sikh", "sikh", ""),
    (r"jewish|judais", "jewish", ""),
    (r"tao|dao", "folk", "Taoist"),
    (r"shinto", "folk", "Shinto"),
    (r"confuc", "folk", "Confucian"),
    (r"kirat", "folk", "Kirat"),
    (r"umbanda|candombl", "folk", "Afro-Brazilian religion"),
    (r"vodou?n?|winti", "folk", "Vodou"),
    (r"folk|tradition|animis|ethnic religion|indigenous|ancestral|badimo|custom|modekngei|shaman|maori"
     r"|tribal", "folk", "traditional religion"),
    (r"rastafari", "other", "Rastafarian"),
    (r"baha", "other", "Baha'i"),
    (r"spir[it]+ism", "other", "Spiritist"),
    (r"jain", "other", "Jain"),
    (r"zoroastr|parsi", "other", "Zoroastrian"),
)  # fmt: skip
_NUMBER = r"(<\s*)?(\d*\.?\d+)(?:\s*(?:-|\u2013)\s*(\d*\.?\d+))?\s*%"


def kind(name: str) -> Kind:
    """Tell the religion and branch a name stands for; what is not known is "other"."""
    lowered = name.strip().lower()
    for pattern, religion, branch in _KINDS:
        if re.search(pattern, lowered):
            return religion, branch
    return "other", ""


def split_items(text: str) -> list[str]:
    """Split at commas and semicolons that no parenthesis encloses."""
    items, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char in ",;" and depth == 0:
            items.append(text[start:place])
            start = place + 1
    return [item.strip() for item in [*items, text[start:]] if item.strip()]


def percentage(item: str) -> float | None:
    """Read an item's share: "81-90%" is the middle, "<1%" half of the bound."""
    found = re.search(_NUMBER, re.sub(r"[(\[][^()\[\]]*(?:\([^()]*\)[^()\[\]]*)*[)\]]", "", item)) or re.search(
        _NUMBER, item
    )
    if not found:
        return None
    low = float(found[2]) / 100
    if found[1]:
        return low / 2
    return (low + float(found[3]) / 100) / 2 if found[3] else low


def parse(text: str) -> Shares:
    """Read shares by (religion, branch), as stated; they need not sum to 1."""
    text = re.sub(r"less than 1\s*(%|percent):.*", "", text, flags=re.S)
    text = re.sub(r"\((?:19|20)\d\d[^()]*\)", "", text)
    shares: Shares = defaultdict(float)
    for item in split_items(text):
        number = percentage(item)
        if number is None:
            continue
        name = re.split(r"[(\[]|<?\s*\d", item, maxsplit=1)[0]
        religion, branch = kind(name)
        details: Shares = defaultdict(float)
        inner = re.search(r"[(\[](.*)[)\]]", item, flags=re.S)
        if inner and religion in ("christian", "muslim"):
            for part in split_items(re.sub(r"^\s*(includes|include|including)\b", "", inner[1])):
                share = percentage(part)
                sub = kind(re.split(r"[(\[]|<?\s*\d", part, maxsplit=1)[0])
                if share and sub[0] == religion:
                    details[sub] += share
        if sum(details.values()) > number * 1.02:
            details = defaultdict(float)
        for sub, share in details.items():
            shares[sub] += share
        shares[religion, branch] += number - sum(details.values())
    return {key: share for key, share in shares.items() if share > 0}
