"""Home languages by country, and how many people speak each at all."""

from __future__ import annotations

import re
from collections import defaultdict

from babel import Locale

from facts.language_names import ALIASES, NAMES
from facts.language_overrides import HOME
from facts.originals import Originals
from facts.religion_text import percentage, split_items
from facts.writing import shares as to_shares

HEADER = ("iso2", "code", "language", "home_share", "spoken_share")
LEAST_SHARE = 0.002
SECOND_LANGUAGE = 0.05
# Languages that most speakers outside their homelands have learnt at school or at work, not at home.
LINGUA_FRANCAS = {
    "en", "fr", "ru", "sw", "es", "pt", "ar", "de", "it", "hi", "id", "pcm", "ln", "tpi", "bi", "pis", "ha",
}  # fmt: skip
DISCOUNT = 0.1
# One code for what people themselves call one language, and the other way round: what CLDR counts twice.
SAME = {"zh": "cmn", "fil": "tl", "no": "nb", "man": "emk", "mww": "hmn", "hnj": "hmn"}
SAME |= dict.fromkeys(("arz", "apc", "apd", "arq", "ary", "aeb", "mey", "ars"), "ar")
SAME |= dict.fromkeys(("fuv", "fuq", "ffm", "fuf"), "ff")
COUNTED_TWICE = {"lah", "bar", "vmf", "nqo", "pcd", "ksh", "swg", "vls", "wa", "cop", "zgh", "gos"}
COUNTED_TWICE |= {"aln", "nn", "vro", "abr", "wni", "kro", "lir", "ltg"}
# Chinese as written, not Mandarin as spoken; a language of ancestors; Dari under the name of Persian.
NOT_SPOKEN = {("HK", "cmn"), ("MO", "cmn"), ("RE", "ta"), ("AF", "fa")}


def base(code: str) -> str:
    """Return a CLDR code without its script ("pa_Arab" -> "pa"), spelt one way."""
    code = code.split("_")[0]
    return SAME.get(code, code)


class Languages:
    """English names by code and the other way round."""

    def __init__(self) -> None:
        self.names = {str(code): str(name) for code, name in Locale("en").languages.items()} | NAMES
        self._codes = {name.casefold(): base(code) for code, name in self.names.items()}
        self._codes |= {name.casefold(): code for code, name in NAMES.items()}

    def name(self, code: str) -> str:
        """Return the English name of a code, or an empty string."""
        return self.names.get(code, "")

    def code(self, name: str) -> str | None:
        """Return the code of a name as the CIA spells it."""
        plain = re.sub(r"\s+(only|languages?|dialects?)$", "", name.strip().casefold())
        plain = re.sub(r"^only\s+", "", plain)
        return ALIASES.get(plain) or self._codes.get(plain)


def spoken(originals: Originals, iso2: str) -> dict[str, float]:
    """Return CLDR's share of people who speak each language.

    Scripts are added up; dialects and equal shares are not.
    """
    parts: dict[str, dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
    for code, entry in originals.cldr.get(iso2, {}).get("languagePopulation", {}).items():
        plain = code.split("_")[0]
        if plain not in COUNTED_TWICE:
            parts[base(code)][plain].add(float(entry["_populationPercent"]) / 100)
    return {code: min(1.0, max(sum(shares) for shares in by_name.values())) for code, by_name in parts.items()}


def factbook(languages: Languages, text: str, report: list[str]) -> dict[str, float]:
    """Return the CIA's shares where they sum to 0.75..1.1 and so are one language each.

    "Other" and unspecified are left out, as are names that stand for no one language ("Asian languages").
    """
    text = re.sub(r"\((?:19|20)\d\d[^()]*\)", "", text.split(";")[0] if "note" in text else text)
    found: dict[str, float] = defaultdict(float)
    total = 0.0
    for item in split_items(text):
        number = percentage(item)
        if number is None:
            continue
        total += number
        name = re.split(r"\(|<?\s*\d", item, maxsplit=1)[0]
        if re.search(
            r"\b(other|unspecified|none|unknown|undeclared|not stated|no answer|and|mute|foreign)\b",
            name.lower(),
        ):
            continue
        code = languages.code(name.replace(" or ", "/").split("/")[0])
        if code is None:
            report.append(f"no code for the language {name.strip()!r}")
            continue
        found[code] += number
    return dict(found) if 0.75 <= total <= 1.1 and sum(found.values()) >= 0.6 else {}


def discounted(shares: dict[str, float]) -> dict[str, float]:
    """Turn CLDR speakers into home shares: a lingua franca counts a tenth.

    Where the local languages leave more than a quarter of the people without one, the largest lingua franca
    fills it.
    """
    local = {code: share for code, share in shares.items() if code not in LINGUA_FRANCAS}
    franca = {code: share for code, share in shares.items() if code in LINGUA_FRANCAS}
    missing = 1 - sum(local.values())
    first = max(franca, key=lambda code: franca[code], default="")
    home = dict(local)
    for code, share in franca.items():
        home[code] = share * DISCOUNT
    if first and missing > 0.25:
        home[first] = max(home[first], min(franca[first], missing))
    return home


def home(originals: Originals, languages: Languages, iso2: str, report: list[str]) -> dict[str, float]:
    """Return shares of people by main language at home.

    Our own table comes first, then the CIA's shares, then CLDR discounted.
    """
    if iso2 in HOME:
        return {code: float(share) for code, share in re.findall(r"([a-z]+)([\d.]+)", HOME[iso2])}
    entry = originals.cia.get(iso2, {}).get("Languages")
    text = entry.get("Languages") if isinstance(entry, dict) else entry
    return factbook(languages, str(text or ""), report) or discounted(spoken(originals, iso2))


def table(originals: Originals, report: list[str]) -> list[tuple[str, ...]]:
    """List home languages by country, the largest first, then second languages."""
    languages = Languages()
    rows: list[tuple[str, ...]] = []
    for iso2 in originals.territories.codes:
        speakers = spoken(originals, iso2)
        at_home = to_shares(home(originals, languages, iso2, report), 4, LEAST_SHARE)
        for place, code in NOT_SPOKEN:
            if place == iso2:
                speakers.pop(code, None)
        second = [code for code, share in speakers.items() if share >= SECOND_LANGUAGE and code not in at_home]
        for code in sorted(at_home, key=lambda c: (-at_home[c], c)) + sorted(second):
            share = at_home.get(code, 0.0)
            known = max(speakers[code], share) if code in speakers else None
            name = languages.name(code)
            if not name:
                report.append(f"{iso2}: no English name for {code}")
                continue
            rows.append((iso2, code, name, f"{share:.4f}", "" if known is None else f"{known:.3f}"))
    return rows
