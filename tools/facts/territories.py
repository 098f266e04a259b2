"""The countries of the tables: codes, names, adjectives, world region, and the sources' names for them."""

from __future__ import annotations

import re
import unicodedata

from babel import Locale

REGIONS: dict[str, str] = {
    "north_america": "US CA",
    "central_america": "MX GT BZ SV HN NI CR PA",
    "caribbean": "CU DO HT JM TT BB BS GD LC VC AG DM KN PR VI GP MQ AW CW",
    "south_america": "BR AR CO PE VE CL EC BO PY UY GY SR GF",
    "northern_europe": "GB IE SE NO DK FI IS EE LV LT",
    "western_europe": "DE FR NL BE LU AT CH LI MC",
    "southern_europe": "IT ES PT GR MT CY AL BA HR ME MK RS SI XK AD SM",
    "eastern_europe": "RU UA BY PL CZ SK HU RO BG MD",
    "north_africa": "EG DZ MA TN LY SD EH",
    "west_africa": "NG GH CI SN ML BF NE GN BJ TG SL LR GM GW MR CV",
    "east_africa": "KE TZ UG ET RW BI SO ER DJ SS MG KM MU SC YT RE",
    "central_africa": "CD CG CM TD CF GA GQ ST AO",
    "southern_africa": "ZA NA BW LS SZ ZM ZW MZ MW",
    "middle_east": "TR IR IQ SA YE SY JO AE IL LB OM KW QA BH PS",
    "central_asia": "KZ UZ TM TJ KG AM AZ GE MN",
    "south_asia": "IN PK BD NP LK BT MV AF",
    "southeast_asia": "ID PH VN TH MM MY KH LA SG TL BN",
    "east_asia": "CN JP KR KP TW HK MO",
    "oceania": "AU NZ",
    "pacific_islands": "PG FJ SB VU NC PF WS TO KI FM GU MH PW NR TV",
}
REGION_OF: dict[str, str] = {iso2: region for region, codes in REGIONS.items() for iso2 in codes.split()}

NAMES: dict[str, str] = {
    "TR": "Turkey", "CI": "Ivory Coast", "MM": "Myanmar", "HK": "Hong Kong", "MO": "Macao", "PS": "Palestine",
    "CD": "DR Congo", "CG": "Republic of the Congo", "BA": "Bosnia and Herzegovina", "LC": "Saint Lucia",
    "VC": "Saint Vincent and the Grenadines", "KN": "Saint Kitts and Nevis", "TT": "Trinidad and Tobago",
    "AG": "Antigua and Barbuda", "ST": "Sao Tome and Principe", "VI": "US Virgin Islands", "RE": "Reunion",
    "CW": "Curacao", "GM": "Gambia", "BS": "Bahamas",
}  # fmt: skip

# Adjectives the CIA text lacks, or gives in a form no sentence wants.
DEMONYMS: dict[str, str] = {
    "AG": "Antiguan", "AE": "Emirati", "AW": "Aruban", "BA": "Bosnian", "CD": "Congolese", "CG": "Congolese",
    "CF": "Central African", "CW": "Curacaoan", "DO": "Dominican", "EH": "Sahrawi", "GB": "British",
    "GF": "French Guianese", "GP": "Guadeloupean", "GU": "Guamanian", "HK": "Hong Kong", "KI": "I-Kiribati",
    "KN": "Kittitian", "LU": "Luxembourgish", "LS": "Basotho", "MM": "Burmese", "MO": "Macanese",
    "MQ": "Martinican", "NL": "Dutch", "PF": "French Polynesian", "PS": "Palestinian", "PR": "Puerto Rican",
    "RE": "Reunionese", "SZ": "Swazi", "TL": "Timorese", "TT": "Trinidadian", "VC": "Vincentian",
    "VI": "Virgin Islander", "VU": "Ni-Vanuatu", "YT": "Mahoran", "XK": "Kosovar", "TR": "Turkish",
    "NZ": "New Zealand", "BW": "Botswanan", "BF": "Burkinabe", "CI": "Ivorian", "NC": "New Caledonian",
    "KR": "South Korean", "KP": "North Korean", "SC": "Seychellois", "ZA": "South African",
    "FM": "Micronesian",
    "KZ": "Kazakh", "AF": "Afghan", "IS": "Icelandic", "US": "American", "GW": "Bissau-Guinean",
    "CH": "Swiss",
    "SR": "Surinamese", "SA": "Saudi", "LI": "Liechtenstein", "SM": "Sammarinese", "MC": "Monegasque",
    "ST": "Sao Tomean", "MG": "Malagasy", "MV": "Maldivian", "CV": "Cape Verdean", "TH": "Thai",
    "SB": "Solomon Islander", "GQ": "Equatorial Guinean", "PH": "Filipino", "SG": "Singaporean",
    "TW": "Taiwanese",
    "LA": "Laotian", "KG": "Kyrgyz", "TJ": "Tajik", "TM": "Turkmen", "UZ": "Uzbek", "KM": "Comorian",
    "BB": "Barbadian", "AZ": "Azerbaijani",
}  # fmt: skip

ISO3_EXTRA: dict[str, str] = {"XK": "XKX"}

# Names the sources use that neither CLDR nor GeoNames knows.
ALIASES: dict[str, str] = {
    "great britain": "GB", "uk": "GB", "korea": "KR", "timor": "TL", "swaziland": "SZ", "macedonia": "MK",
    "the former yugoslav republic of macedonia": "MK", "libyan arab jamahiriya": "LY", "burma": "MM",
    "cape verde": "CV", "cote divoire": "CI", "democratic republic of congo": "CD", "hong kong sar": "HK",
    "hong kong special administrative region of china": "HK", "macau sar": "MO", "macau": "MO",
    "china hong kong sar": "HK",
    "macao special administrative region of china": "MO", "china macao sar": "MO", "taiwan roc": "TW",
    "taiwan province of china": "TW", "occupied palestinian territory": "PS", "state of palestine": "PS",
    "democratic peoples republic of korea": "KP", "dem peoples rep of korea": "KP", "republic of korea": "KR",
    "dem republic of the congo": "CD", "democratic republic of the congo": "CD", "congo": "CG",
    "lao peoples democratic republic": "LA", "lao peoples dem republic": "LA", "micronesia country": "FM",
    "micronesia federated states of": "FM", "bolivia plurinational state of": "BO", "czech republic": "CZ",
    "iran islamic republic of": "IR", "republic of moldova": "MD", "russian federation": "RU",
    "united republic of tanzania": "TZ", "united states of america": "US", "usa": "US", "viet nam": "VN",
    "united states virgin islands": "VI", "venezuela bolivarian republic of": "VE", "reunion": "RE",
    "syrian arab republic": "SY", "brunei darussalam": "BN", "bosnia herzegovina": "BA", "burkina": "BF",
    "united kingdom of great britain and northern ireland": "GB", "turkey": "TR", "timor leste": "TL",
    "micronesia": "FM", "palestine": "PS",
}  # fmt: skip

# CIA files that are no territory of ours, or whose code differs from the one GeoNames keeps.
GEC: dict[str, str] = {
    "kv": "XK",
    "od": "SS",
    "ri": "RS",
    "mj": "ME",
    "we": "PS",
    "rs": "RU",
    "vm": "VN",
    "bm": "MM",
}

# Correlates of War state codes whose first three letters are not the ISO code.
COW: dict[str, str] = {
    "BHM": "BS", "HAI": "HT", "TRI": "TT", "BAR": "BB", "DMA": "DM", "GRN": "GD", "SLU": "LC", "SVG": "VC",
    "AAB": "AG", "SKN": "KN", "GUA": "GT", "HON": "HN", "SAL": "SV", "COS": "CR", "BOL": "BO", "PAR": "PY",
    "URU": "UY", "UKG": "GB", "IRE": "IE", "NTH": "NL", "FRN": "FR", "MNC": "MC", "SWZ": "CH", "SPN": "ES",
    "POR": "PT", "GMY": "DE", "AUS": "AT", "CZR": "CZ", "SLO": "SK", "SNM": "SM", "MNG": "ME", "MAC": "MK",
    "CRO": "HR", "YUG": "RS", "BOS": "BA", "KOS": "XK", "SLV": "SI", "BUL": "BG", "MLD": "MD", "ROM": "RO",
    "LAT": "LV", "LIT": "LT", "GRG": "GE", "SWD": "SE", "DEN": "DK", "ICE": "IS", "CAP": "CV", "GNB": "GW",
    "EQG": "GQ", "GAM": "GM", "MAA": "MR", "NIR": "NE", "CDI": "CI", "GUI": "GN", "BFO": "BF", "SIE": "SL",
    "TOG": "TG", "CAO": "CM", "NIG": "NG", "CEN": "CF", "CHA": "TD", "CON": "CG", "DRC": "CD", "TAZ": "TZ",
    "BUI": "BI", "ANG": "AO", "MZM": "MZ", "ZAM": "ZM", "ZIM": "ZW", "MAW": "MW", "SAF": "ZA", "LES": "LS",
    "BOT": "BW", "SWA": "SZ", "MAG": "MG", "MAS": "MU", "SEY": "SC", "MOR": "MA", "ALG": "DZ", "LIB": "LY",
    "SUD": "SD", "LEB": "LB", "KUW": "KW", "BAH": "BH", "UAE": "AE", "OMA": "OM", "TAJ": "TJ", "KYR": "KG",
    "KZK": "KZ", "MON": "MN", "TAW": "TW", "ROK": "KR", "BHU": "BT", "BNG": "BD", "MYA": "MM", "SRI": "LK",
    "MAD": "MV", "NEP": "NP", "THI": "TH", "CAM": "KH", "DRV": "VN", "MAL": "MY", "SIN": "SG", "BRU": "BN",
    "PHI": "PH", "INS": "ID", "ETM": "TL", "AUL": "AU", "NEW": "NZ", "VAN": "VU", "SOL": "SB", "FIJ": "FJ",
    "NAU": "NR", "MSI": "MH", "PAL": "PW",
}  # fmt: skip


def fold(name: str) -> str:
    """Strip a name of accents, punctuation and capitals, to match the sources' spellings."""
    plain = unicodedata.normalize("NFKD", name.replace("&", "and")).encode("ascii", "ignore").decode()
    plain = re.sub(r"\bst\b\.?", "saint", plain.casefold().replace("'", ""))
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


class Territories:
    """Looks countries up by the code or name a source uses."""

    def __init__(self, geonames: dict[str, dict[str, object]]) -> None:
        english = Locale("en").territories
        self.geonames = geonames
        self.codes = sorted(REGION_OF)
        self.name = {c: NAMES.get(c) or str(english[c]) for c in self.codes}
        self.iso3 = {c: str(geonames.get(c, {}).get("iso3") or ISO3_EXTRA[c]) for c in self.codes}
        self._by_iso3 = {iso3: iso2 for iso2, iso3 in self.iso3.items()}
        self._by_number = {int(str(geonames[c]["isonumeric"])): c for c in self.codes if c in geonames}
        self._by_gec = {str(geonames[c]["fips"]).lower(): c for c in self.codes if c in geonames} | GEC
        self._by_name = {fold(str(english[c])): c for c in self.codes}
        self._by_name |= {fold(str(geonames[c]["name"])): c for c in self.codes if c in geonames}
        self._by_name |= {fold(name): c for c, name in self.name.items()} | ALIASES

    def by_name(self, name: str) -> str | None:
        """Return the alpha-2 code of a country by its name."""
        return self._by_name.get(fold(name))

    def by_iso3(self, iso3: str) -> str | None:
        """Return the alpha-2 code of a country by its ISO alpha-3 code."""
        return self._by_iso3.get(iso3.upper())

    def by_number(self, number: int) -> str | None:
        """Return the alpha-2 code of a country by its ISO number."""
        return self._by_number.get(number)

    def by_gec(self, gec: str) -> str | None:
        """Return the alpha-2 code of a country by its CIA code (GEC)."""
        return self._by_gec.get(gec.lower())

    def by_cow(self, code: str) -> str | None:
        """Return the alpha-2 code of a country by its Correlates of War code."""
        return COW.get(code) or self._by_iso3.get(code)
