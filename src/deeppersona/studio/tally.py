"""Count a whole run in one pass: what the charts of the gallery are drawn from. Memory does not grow with the run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deeppersona.schema import vocabulary as v

NOT_SAID = "not said"
OTHER = "all others"
BAND = 5
BINS = 20  # the Big Five run from 1 to 5 in tenths: two tenths a bin
_OLDEST = 100
_MOST_WORDS = 2000  # distinct answers kept by one count; later new ones are counted together
_LOOKED_AT = ("demographics.", "personality.big_five.")  # beginnings of paths whose values are counted
_FIELDS = ("education", "employment_status", "occupation", "religion", "urban", "income")
EDUCATION_ORDER = ("not yet at school", "at school", *(word.replace("_", " ") for word in v.EDUCATION))
_ORDER: dict[str, tuple[str, ...]] = {
    "education": EDUCATION_ORDER, "income": v.INCOME, "urban": v.URBAN,
}  # fmt: skip


def in_words(value: Any) -> str:
    """A trait value as text."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def number(value: Any) -> float | None:
    """A trait value as a number, if it is one."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class Words:
    """A count of answers by sex, with a ceiling on how many distinct answers it keeps."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}

    def add(self, word: str, sex: int) -> None:
        """Count one person."""
        if word not in self._counts and len(self._counts) >= _MOST_WORDS:
            word = OTHER
        self._counts.setdefault(word, [0, 0, 0])[sex] += 1

    def rows(self, order: tuple[str, ...] = (), top: int = 0) -> list[list[Any]]:
        """``[answer, women, men, others]``: in the given order if there is one, else the most common first."""
        place = {word: k for k, word in enumerate(order)}

        def key(item: tuple[str, list[int]]) -> tuple[bool, bool, int, int, str]:
            word, counts = item
            return word == NOT_SAID, word == OTHER, place.get(word, len(place)), -sum(counts), word

        rows = sorted(self._counts.items(), key=key)
        if top and len(rows) > top:
            kept = [row for row in rows if row[0] not in (OTHER, NOT_SAID)][:top]
            names = {word for word, _ in kept} | {NOT_SAID}
            rest = [counts for word, counts in rows if word not in names]
            if rest:
                kept.append((OTHER, [sum(c) for c in zip(*rest, strict=True)]))
            rows = kept + [row for row in rows if row[0] == NOT_SAID]
        return [[word, *counts] for word, counts in rows]


class Tally:
    """What is counted of the people of a run, one at a time."""

    def __init__(self) -> None:
        self.n = 0
        self._stories = 0
        self._ages: Counter[int] = Counter()
        self._pyramid: dict[int, list[int]] = {}
        self._sexes = [0, 0, 0]
        self._words = {field: Words() for field in _FIELDS}
        self._countries: Counter[str] = Counter()
        self._country_names: dict[str, str] = {}
        self._five = {trait: [0] * BINS for trait in v.TRAIT_5}
        self._five_sum = dict.fromkeys(v.TRAIT_5, 0.0)
        self._paths: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()

    def add(self, record: dict[str, Any]) -> None:
        """Count one person."""
        self.n += 1
        core: dict[str, Any] = {}
        traits = record.get("traits", ())
        paths = [str(trait["path"]) for trait in traits]
        self._paths.update(paths)  # whole lists at once: the quickest way to count
        self._sources.update([str(trait.get("source", NOT_SAID)) for trait in traits])
        for path, trait in zip(paths, traits, strict=True):
            if not path.startswith(_LOOKED_AT):
                continue
            category, _, leaf = path.partition(".")
            if category != "demographics":
                self._add_five(leaf.rpartition(".")[2], number(trait["value"]))
            elif "." not in leaf:
                core[leaf] = trait["value"]
                if leaf == "country":
                    name = (trait.get("evidence") or {}).get("name")
                    self._country_names.setdefault(in_words(trait["value"]), in_words(name or trait["value"]))
        self._stories += len(record.get("stories") or ())
        self._add_core(core)

    def _add_five(self, trait: str, score: float | None) -> None:
        if trait in self._five and score is not None:
            tenths = min(max(round((score - 1) * 10), 0), 40)
            self._five[trait][min(tenths // 2, BINS - 1)] += 1
            self._five_sum[trait] += score

    def _add_core(self, core: dict[str, Any]) -> None:
        said = core.get("sex")
        sex = v.SEX.index(said) if said in v.SEX else 2
        self._sexes[sex] += 1
        age = number(core.get("age"))
        if age is not None:
            years = max(int(age), 0)
            self._ages[years] += 1
            self._pyramid.setdefault(min(years, _OLDEST) // BAND * BAND, [0, 0, 0])[sex] += 1
        self._countries[in_words(core.get("country", NOT_SAID))] += 1
        for field, words in self._words.items():
            words.add(in_words(core.get(field, NOT_SAID)), sex)

    def _median_age(self) -> int | None:
        seen, half = 0, sum(self._ages.values()) / 2
        for age in sorted(self._ages):
            seen += self._ages[age]
            if seen >= half:
                return age
        return None

    def five_means(self) -> dict[str, float]:
        """The mean of each of the Big Five, for those that anybody has."""
        held = {trait: sum(bins) for trait, bins in self._five.items()}
        return {trait: round(self._five_sum[trait] / held[trait], 2) for trait in v.TRAIT_5 if held[trait]}

    def countries(self) -> list[list[Any]]:
        """``[code, name, people]``, the most people first."""
        rows = sorted(self._countries.items(), key=lambda item: (-item[1], item[0]))
        return [[code, self._country_names.get(code, code), count] for code, count in rows]

    def summary(self, categories: dict[str, str]) -> dict[str, Any]:
        """Everything counted, as plain data. ``categories`` holds key -> title in the order to show."""
        traits: Counter[str] = Counter()
        for path, count in self._paths.items():
            traits[path.partition(".")[0]] += count
        keys = [*categories, *sorted(set(traits) - set(categories))]
        sources = [source for source in v.SOURCE if self._sources[source]]
        sources += sorted(set(self._sources) - set(v.SOURCE))
        bands = range(min(self._pyramid), max(self._pyramid) + BAND, BAND) if self._pyramid else ()
        return {
            "n": self.n,
            "traits": traits.total(),
            "stories": self._stories,
            "sexes": self._sexes,
            "median_age": self._median_age(),
            "pyramid": [[band, *self._pyramid.get(band, [0, 0, 0])] for band in bands],
            "words": {
                field: words.rows(_ORDER.get(field, ()), 12 if field in ("occupation", "religion") else 0)
                for field, words in self._words.items()
            },
            "countries": self.countries(),
            "five": [[trait, self._five[trait], mean] for trait, mean in self.five_means().items()],
            "categories": [[categories.get(key, key), traits[key]] for key in keys],
            "sources": [[source, self._sources[source]] for source in sources],
        }
