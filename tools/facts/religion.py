"""Religion and branch by country: Correlates of War 2010, or the CIA's text where it is nearer today."""

from __future__ import annotations

import re
from collections import defaultdict

from facts.originals import Originals
from facts.religion_text import UNSPECIFIED, Kind, Shares, parse
from facts.territories import REGION_OF
from facts.writing import shares as to_shares

HEADER = ("iso2", "religion", "branch", "share", "basis")
FAR_OFF = 0.15
FAR_OFF_RECENT = 0.10
RECENT = 2018
VAGUE = 0.2
# One figure for the whole island (COW) fits the population table; the CIA's is for the south alone.
KEEP_COW = {"CY"}
# COW's Christian branches are the wrong way round here (Saint Vincent two-thirds Catholic).
KEEP_CIA = {"DM", "VC"}
BRANCHED = {"christian", "muslim", "buddhist"}
LEAST_SHARE = 0.0005
MOST_UNSPECIFIED = 0.25

COLUMNS: dict[str, Kind] = {
    "chrstprot": ("christian", "Protestant"), "chrstcat": ("christian", "Catholic"),
    "chrstorth": ("christian", "Orthodox"), "chrstang": ("christian", "Anglican"),
    "chrstothr": ("christian", "other Christian"), "total jews": ("jewish", ""),
    "islmsun": ("muslim", "Sunni"), "islmshi": ("muslim", "Shia"), "islmibd": ("muslim", "Ibadi"),
    "islmnat": ("muslim", "Nation of Islam"), "islmalw": ("muslim", "Alawite"), "islmahm": ("muslim",
    "Ahmadi"),
    "islmothr": ("muslim", ""), "budmah": ("buddhist", "Mahayana"), "budthr": ("buddhist", "Theravada"),
    "budothr": ("buddhist", ""), "total zoroastrains/parsis": ("other", "Zoroastrian"),
    "total hindus": ("hindu", ""), "total sikhs": ("sikh", ""), "total shinto": ("folk", "Shinto"),
    "total baha'i": ("other", "Baha'i"), "total taoists": ("folk", "Taoist"), "total jains": ("other",
    "Jain"),
    "total confucists": ("folk", "Confucian"), "total syncretics": ("folk", "mixed folk tradition"),
    "total animists": ("folk", "traditional religion"), "non religious": ("none", ""),
    "other religions": ("other", ""),
}  # fmt: skip

# Where neither source can be used as it stands; rounded, from surveys and censuses generally known.
OWN: dict[str, dict[Kind, float]] = {
    # COW counts each Japanese in several religions; surveys of personal belief say most have none.
    "JP": {("none", ""): 58, ("buddhist", "Mahayana"): 34, ("folk", "Shinto"): 4, ("christian",
    "Protestant"): 1,
           ("christian", "Catholic"): 0.5, ("other", ""): 2.5},
    # The CIA text covers the West Bank with its settlers; this is the Palestinian population of both parts.
    "PS": {("muslim", "Sunni"): 98.5, ("christian", "Orthodox"): 0.8, ("christian", "Catholic"): 0.4,
    ("none", ""): 0.3},
    "EH": {("muslim", "Sunni"): 99.5, ("christian", "Catholic"): 0.2, ("none", ""): 0.3},
    # Overseas France has no entry of its own in either source.
    "GF": {("christian", "Catholic"): 72, ("christian", "Protestant"): 13, ("folk",
    "traditional religion"): 6,
           ("none", ""): 6, ("muslim", "Sunni"): 1, ("hindu", ""): 1, ("other", ""): 1},
    "GP": {("christian", "Catholic"): 84, ("christian", "Protestant"): 8, ("christian", "other Christian"): 3,
           ("none", ""): 4, ("hindu", ""): 0.5, ("muslim", "Sunni"): 0.5},
    "MQ": {("christian", "Catholic"): 83, ("christian", "Protestant"): 9, ("christian", "other Christian"): 3,
           ("none", ""): 4, ("hindu", ""): 0.5, ("muslim", "Sunni"): 0.5},
    "RE": {("christian", "Catholic"): 78, ("christian", "Protestant"): 5, ("hindu", ""): 6, ("muslim",
    "Sunni"): 4,
           ("buddhist", "Mahayana"): 1, ("none", ""): 5, ("other", ""): 1},
    # The CIA's "other or unspecified" hides most minorities of the Nordic registers; COW is of before the
    # exits.
    "SE": {("christian", "Protestant"): 55, ("christian", "Catholic"): 1.5, ("christian", "Orthodox"): 1.8,
           ("muslim", "Sunni"): 4, ("muslim", "Shia"): 1, ("none", ""): 35, ("other", ""): 1.2, ("buddhist",
           ""): 0.5},
    "NO": {("christian", "Protestant"): 67, ("christian", "Catholic"): 3.1, ("christian",
    "other Christian"): 3,
           ("muslim", "Sunni"): 3, ("none", ""): 22, ("other", ""): 1.5, ("buddhist", ""): 0.4},
    "IS": {("christian", "Protestant"): 66, ("christian", "Catholic"): 4, ("christian", "other Christian"): 2,
           ("muslim", "Sunni"): 0.5, ("none", ""): 24, ("other", ""): 3, ("buddhist", ""): 0.5},
    # The CIA's text runs two surveys into one; COW has far too few without religion.
    "UY": {("christian", "Catholic"): 38, ("christian", "Protestant"): 6, ("christian",
    "other Christian"): 2.5,
           ("folk", "Afro-Brazilian religion"): 3, ("none", ""): 49, ("other", ""): 1.5},
    "YT": {("muslim", "Sunni"): 97, ("christian", "Catholic"): 2.5, ("none", ""): 0.5},
}  # fmt: skip

# What an unnamed branch of Islam is taken to be: Sunni everywhere but here.
MIXED_ISLAM = {"IR", "IQ", "AZ", "BH", "LB", "YE", "OM", "SY", "AF", "KW", "SA", "AE", "QA"}
SUNNI = {"KM", "MV"}
# Countries whose Buddhists are nearly all of one branch, whatever a source calls them.
BUDDHISM = {"MN": "Tibetan", "BT": "Tibetan"} | dict.fromkeys(
    ("CN", "TW", "HK", "MO", "KR", "KP", "VN", "SG", "MY", "BN", "JP"), "Mahayana"
)
BUDDHISM |= dict.fromkeys(("TH", "MM", "KH", "LA", "LK", "BD"), "Theravada")
CHINESE_FOLK = {"CN", "TW", "HK", "MO", "SG", "MY", "BN"}


def correlates_of_war(originals: Originals) -> tuple[dict[str, Shares], set[str]]:
    """Return shares of 2010 by country, and the countries that count people twice.

    Two faults of the file are mended. A branch total can fall short of its religion's: the rest goes to the
    unnamed branch. Where the sum of adherents misses the population by just the "other religions", those are
    people of unstated religion and are left out.
    """
    found: dict[str, Shares] = {}
    twice: set[str] = set()
    for row in originals.rows("cow_world_religion_2010_194states.csv"):
        iso2 = originals.territories.by_cow(row["name"])
        if iso2 is None:
            raise SystemExit(f"no ISO code for the state {row['name']} of the Correlates of War file")
        counts = {column: float(row[column] or 0) for column in COLUMNS}
        people = float(row["population in independent states"])
        short = people - float(row["sum of religious adherents"])
        if short < -0.05 * people:
            twice.add(iso2)
        others = counts["other religions"]
        if others > 0 and abs(short - others) < 0.25 * others:
            counts["other religions"] = 0.0
        for total, parts, rest in (
            ("total christians", "chrst", "chrstothr"), ("total muslims", "islm", "islmothr"),
            ("total buddhists", "bud", "budothr"),
        ):  # fmt: skip
            missing = float(row[total] or 0) - sum(v for column, v in counts.items() if column.startswith(parts))
            counts[rest] += max(0.0, missing)
        whole = sum(counts.values())
        shares: Shares = defaultdict(float)
        for column, count in counts.items():
            shares[COLUMNS[column]] += count / whole
        found[iso2] = {key: share for key, share in shares.items() if share > 0}
    return found, twice


def factbook(text: str) -> Shares:
    """Return the CIA's shares without the unspecified, summing to 1; nothing where it is no full account."""
    stated = parse(text)
    total = sum(stated.values())
    unspecified = sum(share for (religion, _), share in stated.items() if religion == UNSPECIFIED)
    if not 0.85 <= total <= 1.15 or unspecified > MOST_UNSPECIFIED:
        return {}
    known = {key: share for key, share in stated.items() if key[0] != UNSPECIFIED}
    return {key: share / sum(known.values()) for key, share in known.items()}


def groups(shares: Shares) -> dict[str, float]:
    """Add up branches to religions."""
    by_group: dict[str, float] = defaultdict(float)
    for (religion, _), share in shares.items():
        by_group[religion] += share
    return dict(by_group)


def with_branches(shares: Shares, pattern: Shares) -> Shares:
    """Spread a religion without any branch over the branches another source has for it."""
    spread: Shares = defaultdict(float)
    for (religion, branch), share in shares.items():
        vague = religion in BRANCHED and branch in ("", "other Christian") and share > 0.5 * groups(shares)[religion]
        like = {key: part for key, part in pattern.items() if key[0] == religion} if vague else {}
        if like:
            for key, part in like.items():
                spread[key] += share * part / sum(like.values())
        else:
            spread[religion, branch] += share
    return spread


def named_branches(iso2: str, shares: Shares) -> Shares:
    """Give unnamed branches the name all of a country's people of that religion share."""
    named: Shares = defaultdict(float)
    for (religion, branch), share in shares.items():
        if religion == "muslim" and (iso2 in SUNNI or (branch == "" and iso2 not in MIXED_ISLAM)):
            branch = "Sunni"
        elif religion == "buddhist":
            branch = BUDDHISM.get(iso2, branch)
        elif (iso2 in CHINESE_FOLK and branch == "mixed folk tradition") or (
            iso2 in {"CN", "TW", "MO"} and branch == "traditional religion"
        ):
            branch = "Chinese folk religion"
        named[religion, branch] += share
    return named


def choose(iso2: str, cow: Shares, cia: Shares, year: int, counted_twice: bool) -> tuple[str, Shares]:
    """Choose COW's shares or the CIA's.

    COW, unless it is missing or counts people twice, or is far from the CIA's figure in the main group of
    either: by more than 15 points, or 10 where the CIA's figure is of 2018 or later and the change may be
    real. A text that gives much as "other" is not used.
    """
    if iso2 in OWN:
        return "own", {key: float(share) for key, share in OWN[iso2].items()}
    if not cow or not cia:
        return ("cow", cow) if cow else ("cia", cia)
    ours, theirs = groups(cow), groups(cia)
    if iso2 in KEEP_COW or theirs.get("other", 0) > VAGUE:
        return "cow", cow
    if iso2 in KEEP_CIA:
        return "cia", cia
    main = {max(ours, key=lambda g: ours[g]), max(theirs, key=lambda g: theirs[g])}
    limit = FAR_OFF_RECENT if year >= RECENT else FAR_OFF
    if counted_twice or max(abs(ours.get(g, 0) - theirs.get(g, 0)) for g in main) > limit:
        return "cia", with_branches(cia, cow)
    return "cow", cow


def table(originals: Originals, report: list[str] | None = None) -> list[tuple[str, ...]]:
    """List all countries with figures.

    `report` gathers the largest differences between the sources.
    """
    cow, twice = correlates_of_war(originals)
    rows: list[tuple[str, ...]] = []
    for iso2 in originals.territories.codes:
        text = str(originals.cia.get(iso2, {}).get("Religions") or "")
        cia, years = factbook(text), re.findall(r"20\d\d", text)
        basis, chosen = choose(iso2, cow.get(iso2, {}), cia, int(years[-1]) if years else 0, iso2 in twice)
        chosen = named_branches(iso2, chosen)
        final = to_shares({f"{g}|{b}": share for (g, b), share in chosen.items()}, 4, LEAST_SHARE)
        rows += [(iso2, *key.split("|"), f"{share:.4f}", basis) for key, share in sorted(final.items())]
        if report is not None:
            ours, theirs = groups(cow.get(iso2, {})), groups(cia)
            apart = {g: ours.get(g, 0) - theirs.get(g, 0) for g in ours | theirs}
            widest = max(apart, key=lambda g: abs(apart[g]), default="")
            if widest and ours and theirs:
                report.append(
                    f"{iso2} {REGION_OF[iso2]} {basis}: {widest} COW {ours.get(widest, 0):.2f}"
                    f" CIA {theirs.get(widest, 0):.2f}"
                )
            elif not chosen:
                report.append(f"{iso2}: no religion")
    return rows
