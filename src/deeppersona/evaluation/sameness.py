"""How alike the people of a run are told, before and after worn phrasings were ruled out.

The first few people of a run are written without a list of worn phrasings (see ``generation.writing.worn``); as many of
the later ones are set beside them. Numbers of texts are equal, since every one of these measures depends on it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deeppersona.evaluation.diversity import distinct, identical_openings, mean_similarity, self_bleu
from deeppersona.generation.writing.worn import MILESTONES
from deeppersona.runtime.store import RunFolder, write_whole
from deeppersona.taxonomy.tone import tone

_FIRST = MILESTONES[0][0]
_SAMPLE = 200
FILE = "diversity.json"
MEASURES = {
    "distinct_2": "distinct-2 over the corpus (higher is more various)",
    "self_bleu": "self-BLEU (lower is more various)",
    "similarity": "mean cosine of embeddings (lower is more various)",
    "same_opening": "share with an opening of five words that another has",
    "positive": "share of sentences with a plain tone that are favourable",
}


def measures(texts: Sequence[str]) -> dict[str, float]:
    """The measures of sameness of some texts."""
    return {
        "distinct_2": round(distinct(texts), 3), "self_bleu": round(self_bleu(texts), 3),
        "similarity": round(mean_similarity(texts), 3), "same_opening": round(identical_openings(texts), 3),
        "positive": round(positivity(texts), 3),
    }  # fmt: skip


def positivity(texts: Sequence[str]) -> float:
    """Of the sentences that are plainly favourable or unfavourable, the share of the favourable; 0.5 where there is none."""
    tones = [tone(sentence) for text in texts for sentence in text.replace("\n", " ").split(". ")]
    good, bad = tones.count("favourable"), tones.count("unfavourable")
    return good / (good + bad) if good + bad else 0.5


def sameness(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sameness of portraits and of stories over a run, and before and after worn phrasings were ruled out.

    ``name_repeated`` is the share of people whose whole name another bears.
    """
    names = [str(t["value"]) for r in records for t in r["traits"] if t["path"] == "demographics.name"]
    borne = Counter(names)
    out: dict[str, Any] = {"people": len(records)}
    out["name_repeated"] = round(sum(borne[name] > 1 for name in names) / max(len(names), 1), 3)
    for kind in ("portraits", "stories"):
        out[kind] = {"all": measures(_texts(records[:_SAMPLE], kind))}
        later = [r for r in records if r["provenance"]["slot"] >= _FIRST]
        first = [r for r in records if r["provenance"]["slot"] < _FIRST]
        if len(first) == _FIRST and len(later) >= _FIRST:
            before, after = _texts(first, kind), _texts(later[-_FIRST:], kind)
            n = min(len(before), len(after))  # people have one to three stories each
            out[kind] |= {"before": measures(before[:n]), "after": measures(after[:n])}
    return out


def _texts(records: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    if kind == "portraits":
        return [str(r["narrative"]) for r in records]
    return [str(story["text"]) for r in records for story in r["stories"]]


def write_sameness(run: Path) -> dict[str, Any]:
    """Measure a run and write ``diversity.json`` into it."""
    found = sameness(list(RunFolder(run).records()))
    write_whole(run / FILE, json.dumps(found, indent=2).encode() + b"\n")
    return found
