"""Big Five norms by age and sex, and correlations, from 19,719 answers to the 50 IPIP markers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facts.originals import Originals

TRAITS = {
    "extraversion": ("E", (2, 4, 6, 8, 10)),
    "neuroticism": ("N", (2, 4)),
    "agreeableness": ("A", (1, 3, 5, 7)),
    "conscientiousness": ("C", (2, 4, 6, 8)),
    "openness": ("O", (2, 4, 6)),
}
BANDS = ((13, 17), (18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 100))
SEXES = {"1": "male", "2": "female"}
LEAST_ANSWERED = 8
NORM_HEADER = ("sex", "age_from", "age_to", "trait", "mean", "sd", "n")
CORRELATION_HEADER = ("trait", *TRAITS)

Floats = NDArray[np.float64]


def scores(originals: Originals) -> tuple[Floats, list[tuple[str, int]]]:
    """Return scale means (n x 5, NaN where fewer than 8 of 10 items are answered) and each sex and age."""
    values: list[list[float]] = []
    people: list[tuple[str, int]] = []
    for row in originals.rows("big5_openpsychometrics_19719x57.tsv.gz", delimiter="\t"):
        age = row["age"].strip()
        if row["gender"] not in SEXES or not age.isdigit() or not 13 <= int(age) <= 100:
            continue
        people.append((SEXES[row["gender"]], int(age)))
        values.append([scale(row, letter, reverse) for letter, reverse in TRAITS.values()])
    return np.array(values), people


def scale(row: dict[str, str], letter: str, reverse: tuple[int, ...]) -> float:
    """Return the mean of a scale's items after reversal, NaN where too few are answered."""
    answers = [(item, int(row[f"{letter}{item}"] or 0)) for item in range(1, 11)]
    given = [6 - answer if item in reverse else answer for item, answer in answers if 1 <= answer <= 5]
    return float(np.mean(given)) if len(given) >= LEAST_ANSWERED else float("nan")


def tables(originals: Originals) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return norm rows, and the 5 x 5 correlations of scores standardised within their age-sex group."""
    values, people = scores(originals)
    norms: list[tuple[str, ...]] = []
    standard: list[Floats] = []
    for sex in ("female", "male"):
        for low, high in BANDS:
            group = values[[s == sex and low <= age <= high for s, age in people]]
            mean, sd = np.nanmean(group, axis=0), np.nanstd(group, axis=0, ddof=1)
            standard.append((group - mean) / sd)
            n = np.sum(~np.isnan(group), axis=0)
            norms += [
                (sex, str(low), str(high), trait, f"{mean[i]:.2f}", f"{sd[i]:.2f}", str(n[i]))
                for i, trait in enumerate(TRAITS)
            ]
    pooled = np.concatenate(standard)
    matrix: Floats = np.atleast_2d(np.corrcoef(pooled[~np.isnan(pooled).any(axis=1)], rowvar=False))
    correlations = [(t, *(f"{matrix[i, j]:.2f}" for j in range(len(TRAITS)))) for i, t in enumerate(TRAITS)]
    return norms, correlations
