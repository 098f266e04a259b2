"""Whether answers hold up: reliability of each scale, people's factor structure, steadiness, and what the form alone changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.evaluation.psychometrics import (
    acquiescence,
    correlations,
    intraclass,
    structure,
    summary,
)
from deeppersona.runtime.seed import Floats
from deeppersona.schema.inventory import Inventory, Scale
from deeppersona.simulation.respondent import (
    NO_ANSWER,
    Answered,
    Form,
    ManyForms,
    Record,
    Respondent,
    answers_to,
    reworded,
    shuffled,
    turned,
)

_FEWEST = 0.8  # share of a scale's items that must be answered for it to be scored
_POOR = 0.6  # alpha below which a scale does not hold together


def keyed(inventory: Inventory, scale: Scale, answers: Floats) -> Floats:
    """Answers (people, items of the inventory) to the items of a scale, in its sense: (people, items of the scale)."""
    at = {item.id: k for k, item in enumerate(inventory.items)}
    columns = []
    for item in scale.items:
        values, column = inventory.values(item), answers[:, at[item]]
        columns.append(min(values) + max(values) - column if item in scale.reversed else column)
    return np.stack(columns, axis=1)


def scores(inventory: Inventory, answers: Floats) -> Floats:
    """Scores of people, shape (people, scales): mean or sum of the keyed answers.

    NaN where fewer than 80% of the items are answered; a sum with gaps is the mean times the number of items.
    """
    out = np.full((len(answers), len(inventory.scales)), np.nan)
    for j, scale in enumerate(inventory.scales):
        x = keyed(inventory, scale, answers)
        enough = (~np.isnan(x)).mean(axis=1) >= _FEWEST
        if enough.any():
            mean = np.nanmean(x[enough], axis=1)
            out[enough, j] = mean if scale.score == "mean" else mean * len(scale.items)
    return out


def _scale_rows(inventory: Inventory, answers: Floats) -> list[dict[str, Any]]:
    rows = []
    for scale in inventory.scales:
        row = {
            "scale": scale.id,
            "title": scale.title,
            "items": len(scale.items),
            **summary(keyed(inventory, scale, answers)),
        }
        if scale.score == "sum":
            row |= {"mean": row["mean"] * len(scale.items), "sd": row["sd"] * len(scale.items)}
        if scale.norm is not None:
            row["people"] = scale.norm.model_dump()
        rows.append(row)
    return rows


def _reversals(inventory: Inventory, answers: Floats) -> dict[str, Any]:
    """What agreeing adds, over scales that have items of both keys alike in number, and how both halves of a scale agree."""
    out: dict[str, Any] = {"acquiescence": {}, "halves": {}}
    for scale in inventory.scales:
        at = {item.id: k for k, item in enumerate(inventory.items)}
        back = np.array([i in scale.reversed for i in scale.items])
        if not back.any() or back.all():
            continue
        columns = answers[:, [at[i] for i in scale.items]]
        values = inventory.values(scale.items[0])
        out["acquiescence"][scale.id] = acquiescence(columns, back, (min(values) + max(values)) / 2.0)
        x = keyed(inventory, scale, answers)
        both = np.stack([np.nanmean(x[:, ~back], axis=1), np.nanmean(x[:, back], axis=1)], axis=1)
        out["halves"][scale.id] = float(correlations(both)[0, 1])
    return out


def reliability(
    inventory: Inventory, codes: NDArray[np.float64], human: tuple[Sequence[str], Floats] | None = None
) -> dict[str, Any]:
    """What is known of answers (people, draws, items of the inventory): scales, structure, steadiness over draws.

    ``human`` are items and people's loadings on factors (items, factors): the answers to these items are compared with them.
    """
    first = codes[:, 0]
    held = scores(inventory, first)
    out: dict[str, Any] = {
        "people": len(codes), "draws": codes.shape[1], "answered": float((~np.isnan(codes)).mean()) if codes.size else 0.0,
        "scales": _scale_rows(inventory, first), "correlations": correlations(held).tolist() if len(held) else [],
        **_reversals(inventory, first),
    }  # fmt: skip
    if human is not None:
        out["congruence"] = _congruence(inventory, first, *human)
    if codes.shape[1] > 1:
        out["steadiness"] = _steadiness(inventory, codes)
    return out


def _congruence(inventory: Inventory, answers: Floats, items: Sequence[str], loadings: Floats) -> list[float]:
    """Tucker's congruence with people's factors, (factors,), of answers keyed as the scales that name a trait key them."""
    at = {item.id: k for k, item in enumerate(inventory.items)}
    columns = []
    for item in items:
        scale = next((s for s in inventory.scales if item in s.items and s.measures), None)
        values, column = inventory.values(item), answers[:, at[item]]
        columns.append(min(values) + max(values) - column if scale and item in scale.reversed else column)
    return [float(c) for c in structure(np.stack(columns, axis=1), loadings)[1]]


def _steadiness(inventory: Inventory, codes: Floats) -> dict[str, Any]:
    """How far a second asking finds the same: of scale scores and of single answers."""
    held = np.stack([scores(inventory, codes[:, d]) for d in range(codes.shape[1])], axis=1)
    retest = {s.id: float(correlations(held[:, :2, j])[0, 1]) for j, s in enumerate(inventory.scales)}
    between = {s.id: intraclass(held[:, :, j]) for j, s in enumerate(inventory.scales)}
    single = [float(correlations(codes[:, :2, k])[0, 1]) for k in range(codes.shape[2])]
    both = ~np.isnan(codes[:, 0]) & ~np.isnan(codes[:, 1])
    same = (codes[:, 0] == codes[:, 1])[both]
    told = [r for r in single if r == r]
    return {
        "retest": retest, "intraclass": between, "item_retest": float(np.median(told)) if told else float("nan"),
        "same_answer": float(same.mean()) if same.size else float("nan"),
    }  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """Answers to the forms: as it is, again, with options turned round, with items in another order; (people, items).

    ``reworded``: with other words of ours round the items, where the respondent reads words. ``beside``: the mean share of
    chances that fell on none of the options, where the respondent knows chances.
    """

    plain: Floats
    again: Floats
    turned: Floats
    reordered: Floats
    why: Mapping[str, int]
    reworded: Floats | None = None
    beside: float | None = None

    @property
    def others(self) -> dict[str, Floats]:
        """The answers to all forms but the plain one, by name."""
        found = {"again": self.again, "turned": self.turned, "reordered": self.reordered, "reworded": self.reworded}
        return {name: table for name, table in found.items() if table is not None}


def ask_forms(inventory: Inventory, respondent: Respondent, people: Sequence[Record], seed: int = 0) -> Asked:
    """Put the forms to people."""
    return asyncio.run(forms_asked(inventory, respondent, people, seed))


async def forms_asked(
    inventory: Inventory, respondent: Respondent, people: Sequence[Record], seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, people: None,
) -> Asked:  # fmt: skip
    """``ask_forms`` for those who wait already."""
    plain = Form(inventory)
    put = [plain, Form(inventory, draw=1), turned(plain), shuffled(plain, seed)]
    if isinstance(respondent, ManyForms) and respondent.wordings > 1:
        put.append(reworded(plain))
    found = await answers_to(respondent, people, put, lambda done: progress(done, len(people)))
    why: dict[str, int] = {}
    for answered in found:
        for word in answered.why.values():
            why[word] = why.get(word, 0) + 1
    a, b, c, d, *more = (np.where(f.codes == NO_ANSWER, np.nan, f.codes.astype(np.float64)) for f in found)
    return Asked(a, b, c, d, why, more[0] if more else None, _beside(found))


def _beside(found: Sequence[Answered]) -> float | None:
    shares = [row for answered in found for row in answered.beside.values()]
    return float(np.nanmean(np.concatenate(shares))) if shares else None


def validity(
    inventory: Inventory, respondent: Respondent, people: Sequence[Record], *, seed: int = 0,
    human: tuple[Sequence[str], Floats] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The whole kit: reliability, structure and steadiness, and what turning options round and reordering items change.

    ``primacy`` is by how much an option is likelier to be chosen where it is shown first than where it is shown last, over
    items whose order of options is no scale's and those where it is alike. ``changed`` are shares of answers that
    differ from the plain form's, to be read beside ``again``, what merely asking twice changes; ``reworded`` is among them
    where the respondent reads words.
    """
    return judged(inventory, ask_forms(inventory, respondent, people, seed), human)


def judged(inventory: Inventory, asked: Asked, human: tuple[Sequence[str], Floats] | None = None) -> dict[str, Any]:
    """The kit of answers to the forms."""
    report = reliability(inventory, np.stack([asked.plain, asked.again], axis=1), human)
    report["forms"] = {
        "primacy": _primacy(inventory, asked),
        "changed": {name: _changed(asked.plain, table) for name, table in asked.others.items()},
        "shift": {name: _shift(inventory, asked.plain, table) for name, table in asked.others.items()},
    }
    n = asked.plain.size + sum(table.size for table in asked.others.values())
    report["unanswered"] = {word: count / n for word, count in sorted(asked.why.items())} if n else {}
    if asked.beside is not None:
        report["beside_options"] = asked.beside
    report["warnings"] = _warnings(report)
    return report


def _primacy(inventory: Inventory, asked: Asked) -> float:
    gains = []
    for k, item in enumerate(inventory.items):
        values = inventory.values(item.id)
        first, last = values[0], values[-1]
        plain, turned_ = asked.plain[:, k], asked.turned[:, k]
        plain, turned_ = plain[~np.isnan(plain)], turned_[~np.isnan(turned_)]
        if len(plain) and len(turned_):
            shown_first = (plain == first).mean() + (turned_ == last).mean()
            shown_last = (plain == last).mean() + (turned_ == first).mean()
            gains.append((shown_first - shown_last) / 2.0)
    return float(np.mean(gains)) if gains else float("nan")


def _changed(one: Floats, other: Floats) -> float:
    both = ~np.isnan(one) & ~np.isnan(other)
    return float((one[both] != other[both]).mean()) if both.any() else float("nan")


def _shift(inventory: Inventory, one: Floats, other: Floats) -> float:
    """Mean over items of how far the mean answer moves, as a share of the range of the item's options."""
    moved = []
    for k, item in enumerate(inventory.items):
        values = inventory.values(item.id)
        a, b = one[:, k][~np.isnan(one[:, k])], other[:, k][~np.isnan(other[:, k])]
        if len(a) and len(b):
            moved.append(abs(float(a.mean() - b.mean())) / (max(values) - min(values)))
    return float(np.mean(moved)) if moved else float("nan")


def _warnings(report: Mapping[str, Any]) -> list[str]:
    """What a reader should know before using the answers, in words."""
    out = [
        f"the items of {row['scale']} do not hold together (alpha {row['alpha']:.2f})"
        for row in report["scales"]
        if row["items"] > 1 and row["alpha"] < _POOR
    ]
    forms = report["forms"]
    for name, words in (
        ("turned", "turning the options round"),
        ("reordered", "putting items in another order"),
        ("reworded", "other words round the items"),
    ):
        if forms["changed"].get(name, 0.0) > forms["changed"]["again"] + 0.05:
            out.append(
                f"{words} changes {forms['changed'][name]:.0%} of answers, asking twice {forms['changed']['again']:.0%}"
            )
    if forms["primacy"] == forms["primacy"] and abs(forms["primacy"]) > 0.05:
        out.append(f"an option gains {forms['primacy']:+.0%} of answers where it is shown first instead of last")
    if poor := [c for c in report.get("congruence", []) if not c >= 0.85]:
        out.append(f"{len(poor)} of people's factors are not found again (congruence below 0.85)")
    return out
