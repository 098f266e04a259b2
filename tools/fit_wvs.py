"""Fit the response model of the ten Inglehart-Welzel items to shares of answers by country; write wvs-iw10.model.toml.

    python tools/fit_wvs.py --originals DIR

DIR holds ivs_answer_shares_by_country_wave_owid.csv.gz (shares of answers in the Integrated Values Surveys by country and wave,
Our World in Data) and iw_projection_weights_item_means_sds.json (means, spreads and projection of the ten items, Tao et al. 2024).
Neither is shipped, and no share is: what is written are the coefficients of a model.

Four items have shares (trust, petitions, homosexuality, abortion). Their cut points, and what a country adds to where its people
stand and how far they are apart, are fitted on the cumulative shares, ridge and predictors chosen by leaving countries out: the place
on the map with squares and product, main languages, Catholic and Protestant shares, East and South Asia, decades of communist rule.
For the others means, spreads and the loadings L = W (W'W)^-1 that belong to the projection W are what is known: shares of all
people are those of greatest entropy with that mean and spread, and a country's mean moves along L. Effects of faith, age, schooling
and the like *within* countries are our approximations (``WITHIN``), with the person's own place on the map at the loading that the
projection gives it; they order people among compatriots and leave the country as it is (simulation.response).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError
from deeppersona.facts.tables import shipped_facts
from deeppersona.simulation.grounds import country_features

Floats = NDArray[np.float64]
INVENTORIES = Path(__file__).resolve().parent.parent / "src" / "deeppersona" / "simulation" / "inventories"
OUT = INVENTORIES / "wvs-iw10.model.toml"
SHARES, PROJECTION = "ivs_answer_shares_by_country_wave_owid.csv.gz", "iw_projection_weights_item_means_sds.json"
SINCE = 2008  # waves from then on; a country's last one counts
# What a country is fitted on: feature, unit, and how dearly a coefficient is bought (ridge).
PREDICTORS: dict[str, tuple[float, float]] = {
    "country_x": (1.5, 0.001), "country_y": (1.5, 0.001), "country_xx": (2.25, 0.05), "country_xy": (2.25, 0.05),
    "country_yy": (2.25, 0.05), "country_english": (1.0, 0.03), "country_iberian": (1.0, 0.03), "country_russian": (1.0, 0.03),
    "country_catholic": (1.0, 0.03), "country_protestant": (1.0, 0.03), "country_east_asia": (1.0, 0.03),
    "country_south_asia": (1.0, 0.03), "country_communist": (1.0, 0.03),
}  # fmt: skip
WIDTH = {name: (PREDICTORS[name][0], 0.05)
         for name in ("country_x", "country_y", "country_communist", "country_east_asia", "country_catholic")}  # fmt: skip
MAP = {name: PREDICTORS[name] for name in ("country_x", "country_y", "country_xx", "country_xy", "country_yy")}
CODES = {"a008": "Q46", "a165": "Q57", "e018": "Q45", "e025": "Q209", "f063": "Q164", "f118": "Q182", "f120": "Q184",
         "g006": "Q254", "y002": "Y002", "y003": "Y003"}  # fmt: skip
RANGES = {"Q46": (1, 4), "Q45": (1, 3), "Q164": (1, 10), "Q254": (1, 4), "Y002": (1, 3), "Y003": (-2, 2)}
# Within countries, in standard deviations of the propensity, up with the code of the answer; besides the place on the map. Faith on
# homosexuality, and abortion alike: between what believers and others differ in the United States (66% and 88% accept it, .76) and in
# Sweden (hardly; Pew Research Center 2020).
WITHIN: dict[str, dict[str, float]] = {
    "Q45": {"age": -0.06, "education": 0.04},
    "Q46": {"income": -0.15, "partnered": -0.22, "unemployed": 0.30, "neuroticism": 0.20, "extraversion": -0.10},
    "Q57": {"education": -0.08, "income": -0.06, "agreeableness": -0.10, "neuroticism": 0.05},
    "Q164": {"believer": 1.10, "muslim": 0.35, "female": 0.12, "age": 0.06},
    "Q182": {"believer": -0.45, "muslim": -0.20, "female": 0.13, "age": -0.12, "openness": 0.08, "urban": 0.05},
    "Q184": {"believer": -0.45, "female": 0.02, "age": -0.04, "openness": 0.05, "urban": 0.05},
    "Q209": {"education": -0.14, "openness": -0.08, "extraversion": -0.05, "urban": -0.03},
    "Q254": {"age": -0.08, "believer": -0.10, "education": 0.03},
}
PERMISSIVE = 0.45  # what homosexuality and abortion share besides (minor factor)
_SPREAD = 1.25  # of people about their country on the map
_X, _Y = 1.81, 1.61  # map units to factor scores (Tao et al. 2024)
# Shares of all people who choose each quality, and shares that name each aim first: our approximations, of which Y002 and Y003 have
# the mean that is known.
QUALITIES = {"Q7": 0.72, "Q8": 0.47, "Q9": 0.50, "Q10": 0.62, "Q11": 0.19, "Q12": 0.62, "Q13": 0.36, "Q14": 0.37, "Q15": 0.35,
             "Q16": 0.28, "Q17": 0.29}  # fmt: skip
_AUTONOMY = {"Q8": 1.0, "Q14": 1.0, "Q15": -1.0, "Q17": -1.0}
_NAMES = {"Great Britain": "GB", "Hong Kong SAR": "HK", "Macau SAR": "MO", "Taiwan ROC": "TW", "Dominican Rep.": "DO",
          "Czechia": "CZ", "Russia": "RU", "Palestine": "PS", "Kosovo": "XK", "Northern Cyprus": ""}  # fmt: skip
_normal = NormalDist()
_probit = np.vectorize(_normal.inv_cdf, otypes=[float])
_cdf = np.vectorize(_normal.cdf, otypes=[float])


def _file(folder: Path, name: str) -> Path:
    found = next(iter(sorted(folder.rglob(name))), None)
    if found is None:
        raise SystemExit(f"{name} is not under {folder}; see the docstring")
    return found


def country_of(name: str) -> str:
    """The code of a country as the shares name it; nothing where we have no place of it on the map."""
    facts = shipped_facts()
    try:
        code = _NAMES[name] if name in _NAMES else facts.country(name).iso2
    except UsageError:
        return ""
    return code if code in facts.countries and facts.countries[code].figures["iw_x"] is not None else ""


def shares(folder: Path) -> dict[str, dict[str, Floats]]:
    """Shares of answers among those who answered, by item and country, of the last wave since ``SINCE``.

    Trust (2), petitions (3); homosexuality and abortion in the groups 1, 2-4, 5, 6-9, 10.
    """
    with gzip.open(_file(folder, SHARES), "rt", encoding="utf-8") as handle:
        rows = sorted(csv.DictReader(handle), key=lambda row: int(row["year"]))
    out: dict[str, dict[str, Floats]] = {item: {} for item in ("Q57", "Q209", "Q182", "Q184")}

    def add(item: str, code: str, parts: Sequence[float]) -> None:
        p = np.array(parts)
        if (p >= 0).all() and p.sum() > 0:
            out[item][code] = p / p.sum()

    for row in rows:
        code = country_of(row["country"])
        if int(row["year"]) < SINCE or not code:
            continue
        if row["trust"]:
            add("Q57", code, (float(row["trust"]), 100 - float(row["trust"])))
        if row["never_political_action_E025"]:
            add("Q209", code, [float(row[f"{k}_political_action_E025"]) for k in ("have_done", "might_do", "never")])
        for item, key in (("Q182", "F118"), ("Q184", "F120")):
            never, low, middle, always, dk, gone = (
                float(row[f"{k}_{key}"] or "nan")
                for k in ("never_just", "never_just_agg", "neutral", "always_just", "dont_know", "missing")
            )
            if not np.isnan([never, low, middle, always]).any():
                rest = 100 - low - middle - always - np.nan_to_num(dk) - np.nan_to_num(gone)
                add(item, code, (never, max(low - never, 0), middle, max(rest, 0), always))
    return out


def projection(folder: Path) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """By item (mean, sd) of all people, and loadings on the two factor scores."""
    raw = json.loads(_file(folder, PROJECTION).read_text("utf-8"))
    w = np.array(raw["weights"])
    loadings = w @ np.linalg.inv(w.T @ w)
    names = [CODES[i] for i in raw["items"]]
    return (
        dict(zip(names, zip(raw["center"], raw["scale"], strict=True), strict=True)),
        {name: (float(a), float(b)) for name, (a, b) in zip(names, loadings, strict=True)},
    )


def place(code: str) -> Floats:
    """A country's place on the map, (2,)."""
    told = country_features(code)
    return np.array([told["country_x"], told["country_y"]])


def own_place(loading: tuple[float, float]) -> dict[str, float]:
    """Loads of a propensity on the person's own place, where an item's loadings on the factor scores are known."""
    return {"self_expression": loading[0] * _SPREAD / _X, "secular": loading[1] * _SPREAD / _Y}


@dataclass(frozen=True)
class CountryFit:
    """Cut points (cuts,), what features of a country add to where its people stand, and to the logarithm of their spread."""

    cuts: Floats
    where: dict[str, float]
    wide: dict[str, float]

    def below(self, code: str) -> Floats:
        """Shares of a country's people below each cut, (cuts,)."""
        told = country_features(code)
        middle, wide = (sum(w * told[name] for name, w in of.items()) for of in (self.where, self.wide))
        return np.asarray(_cdf((self.cuts - middle) * np.exp(-wide)))


def _columns(codes: Sequence[str], predictors: Mapping[str, tuple[float, float]]) -> Floats:
    """Predictors of countries in their units, (countries, predictors)."""
    rows = [[country_features(c)[name] / unit for name, (unit, _) in predictors.items()] for c in codes]
    return np.array(rows).reshape(len(codes), len(predictors))


def fitted(
    seen: Mapping[str, Floats], predictors: Mapping[str, tuple[float, float]] = PREDICTORS,
    width: Mapping[str, tuple[float, float]] = WIDTH,
) -> CountryFit:  # fmt: skip
    """Fit shares (options,) by country: Phi((cut - where) exp(-wide)) below each cut, by Gauss and Newton.

    Misses count by their size rather than their square (weights 1 / sqrt(miss^2 + .1^2)): some countries are far off whatever one
    fits, and the rest should not bend to them. Two options leave no room for a spread.
    """
    codes = sorted(seen)
    below = np.array([np.cumsum(seen[c])[:-1] for c in codes])
    (n, cuts), width = below.shape, width if below.shape[1] > 1 else {}
    x, w = _columns(codes, predictors), _columns(codes, width)
    dearly = [1e-8] * cuts + [r for _, r in predictors.values()] + [r for _, r in width.values()]
    ridge = np.diag(dearly) * 0.03 * below.size
    at = np.concatenate([_probit(below.mean(axis=0).clip(0.005, 0.995)), np.zeros(x.shape[1] + w.shape[1])])
    for _ in range(40):
        c, b, s = np.split(at, [cuts, cuts + x.shape[1]])
        narrow = np.exp(-w @ s)[:, None]
        z = (c - (x @ b)[:, None]) * narrow
        miss, density = below - _cdf(z), np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        slope = np.zeros((n, cuts, len(at)))
        slope[:, np.arange(cuts), np.arange(cuts)] = density * narrow
        slope[:, :, cuts : cuts + x.shape[1]] = -(density * narrow)[:, :, None] * x[:, None, :]
        slope[:, :, cuts + x.shape[1] :] = -(density * z)[:, :, None] * w[:, None, :]
        a, weight = slope.reshape(below.size, -1), (1.0 / np.sqrt(miss**2 + 0.1**2)).ravel()
        weight /= weight.mean()
        step = np.linalg.solve(
            a.T @ (weight[:, None] * a) + ridge + 1e-3 * np.eye(len(at)), a.T @ (weight * miss.ravel()) - ridge @ at
        )
        at = at + step.clip(-0.5, 0.5)
        at[:cuts] = np.sort(at[:cuts])
        if np.abs(step).max() < 1e-6:
            break
    c, b, s = np.split(at, [cuts, cuts + x.shape[1]])
    return CountryFit(c, _per_unit(predictors, b), _per_unit(width, s))


def _per_unit(predictors: Mapping[str, tuple[float, float]], found: Floats) -> dict[str, float]:
    return {name: float(b) / unit for (name, (unit, _)), b in zip(predictors.items(), found, strict=True)}


def entropy(low: int, high: int, mean: float, sd: float) -> Floats:
    """Shares of the whole numbers low..high of greatest entropy with a mean and standard deviation, by Newton's method."""
    k = np.arange(low, high + 1) - (low + high) / 2
    wanted = np.array([mean - (low + high) / 2, sd**2 + (mean - (low + high) / 2) ** 2])
    s = np.stack([k, k * k])
    theta = np.zeros(2)
    for _ in range(200):
        p = np.exp(theta @ s - (theta @ s).max())
        p /= p.sum()
        gap = wanted - s @ p
        cov = (s * p) @ s.T - np.outer(s @ p, s @ p)
        theta += 0.5 * np.linalg.solve(cov + 1e-9 * np.eye(2), gap)
        if np.abs(gap).max() < 1e-10:
            break
    return np.asarray(p)


def moved(p: Floats, low: int, mean: Floats, within: float) -> tuple[Floats, float]:
    """Cut points and a slope by which countries whose means lie at ``mean`` (countries,) about that of ``p`` move.

    The propensity of people in a country has spread ``within`` 1; cuts are such that all countries together answer as ``p``.
    """
    values = np.arange(low, low + len(p))
    aim = mean - mean.mean()
    slope, cuts = 1.0, _probit(np.cumsum(p)[:-1].clip(1e-4, 1 - 1e-4))
    for _ in range(60):
        shift = slope * aim
        for _ in range(6):  # cuts by which the mean over countries of shares below is as wanted
            below = _cdf((cuts[None, :] - shift[:, None]) / within)
            density = np.exp(-0.5 * ((cuts[None, :] - shift[:, None]) / within) ** 2) / np.sqrt(2 * np.pi) / within
            cuts = cuts - (below.mean(axis=0) - np.cumsum(p)[:-1]) / density.mean(axis=0).clip(1e-6)
        answers = (
            np.diff(np.concatenate([np.zeros((len(aim), 1)), below, np.ones((len(aim), 1))], axis=1), axis=1) @ values
        )
        found = float(((answers - answers.mean()) @ aim) / (aim @ aim))
        slope *= 1.0 + 0.5 * (1.0 / max(found, 0.05) - 1.0)
    return cuts, slope


def spread_out(cuts: Floats) -> Floats:
    """Nine cut points of ten answers from the four between the groups 1, 2-4, 5, 6-9, 10: groups in equal parts of people."""
    edges = _cdf(cuts)
    inner = np.concatenate([np.linspace(edges[0], edges[1], 4), np.linspace(edges[2], edges[3], 5)])
    return np.asarray(_probit(inner.clip(1e-5, 1 - 1e-5)))


def _noise(loads: dict[str, float], minor: float = 0.0) -> float:
    share = {"believer": 0.12, "muslim": 0.05, "partnered": 0.24, "unemployed": 0.05}
    return float(np.sqrt(max(1.0 - sum(w * w * share.get(k, 1.0) for k, w in loads.items()) - minor**2, 0.1)))


def fit(folder: Path, without: Collection[str] = ()) -> dict[str, Any]:
    """The model as plain data, fitted on all countries but those named."""
    moments, loadings = projection(folder)
    items: dict[str, Any] = {}
    known = shares(folder)
    for item, seen in known.items():
        found = fitted({c: p for c, p in seen.items() if c not in without})
        away = float(np.mean([_where(found, c) for c in seen if c not in without]))
        cuts = spread_out(found.cuts - away) + away if len(found.cuts) == 4 else found.cuts
        minor = PERMISSIVE if item in ("Q182", "Q184") else 0.0
        items[item] = _item(cuts, WITHIN[item] | own_place(loadings[item]), minor)
        items[item] |= {"country": _rounded(found.where)} | ({"spread": _rounded(found.wide)} if found.wide else {})
    codes = sorted({c for seen in known.values() for c in seen} - set(without))
    scores = np.array([((place(c)[0] - 0.38) / _X, (place(c)[1] + 0.01) / _Y) for c in codes])
    for item in ("Q45", "Q46", "Q164", "Q254"):
        mean, sd = moments[item]
        low, high = RANGES[item]
        p = entropy(low, high, mean, sd)
        means = mean + sd * scores @ np.array(loadings[item])
        cuts, slope = moved(p, low, means, 1.0)
        direct = {"country_x": slope * sd * loadings[item][0] / _X, "country_y": slope * sd * loadings[item][1] / _Y}
        cuts = cuts + slope * sd * float(scores.mean(axis=0) @ np.array(loadings[item]))
        a = slope * sd * (loadings[item][0] * -0.38 / _X + loadings[item][1] * 0.01 / _Y)
        items[item] = _item(cuts - a, WITHIN[item] | own_place(loadings[item])) | {"country": _rounded(direct)}
    _qualities(items, loadings["Y003"])
    items |= {"Q154": {}, "Q155": {}}  # Q155 is the second choice of the ranking that Q154 begins
    return {
        "kind": "propensity", "item_stability": 0.5, "minor_stability": 0.8, "items": items,
        "source": "Coefficients fitted by us to country shares of the Integrated Values Surveys (WVS Association and EVS, 1981-2022, as "
                  "tabulated by Our World in Data) and to the item means and projection of Tao et al. (2024, PNAS Nexus); effects within "
                  "countries are our approximations",
        "choices": _aims(loadings["Y002"]),
    }  # fmt: skip


def _where(found: CountryFit, code: str) -> float:
    told = country_features(code)
    return sum(w * told[name] for name, w in found.where.items())


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {k: round(float(w), 3) for k, w in values.items() if abs(w) >= 0.0005}


def _item(cuts: Floats, loads: dict[str, float], minor: float = 0.0) -> dict[str, Any]:
    body: dict[str, Any] = {"thresholds": [round(float(c), 3) for c in cuts]}
    body["loads"] = _rounded(loads)
    body["noise"] = round(_noise(loads, minor), 3)
    if minor:
        body["minor"] = [minor]
    return body


def _qualities(items: dict[str, Any], loading: tuple[float, float]) -> None:
    """Cut points of the qualities chosen for children; the four of the autonomy index lean on the map, faith on faith."""
    for item, share in QUALITIES.items():
        sign = -_AUTONOMY.get(item, 0.0)  # code 2 is not chosen
        part = 0.62 if sign else 0.0
        loads = {k: sign * part * w for k, w in own_place(loading).items()}
        world = {"country_x": sign * part * loading[0] / _X * 1.15, "country_y": sign * part * loading[1] / _Y * 1.15}
        cut = float(_probit(np.array(share)))
        if item == "Q15":
            loads |= {"believer": -0.9, "muslim": -0.4}
            cut -= 0.9 * 0.85 + 0.4 * 0.22
        items[item] = _item(np.array([cut]), loads)
        items[item]["loads"] |= _rounded(world)


def _aims(loading: tuple[float, float]) -> dict[str, Any]:
    """Utilities of the four aims of the country: two of them materialist (1, 3), two postmaterialist (2, 4)."""
    base = {1: 1.20, 2: 0.85, 3: 1.15, 4: 0.0}
    out: dict[str, Any] = {}
    for value, start in base.items():
        sign = 1.0 if value in (2, 4) else -1.0
        loads = {k: sign * 0.75 * w for k, w in own_place(loading).items()}
        loads |= {
            "country_x": sign * 0.75 * loading[0] / _X,
            "country_y": sign * 0.75 * loading[1] / _Y,
            "education": sign * 0.08,
        }
        out[str(value)] = {"base": start, "loads": {k: round(w, 3) for k, w in loads.items() if abs(w) >= 0.0005}}
    return {"Q154": out}


def written(model: dict[str, Any]) -> str:
    """The model as TOML."""

    def table(values: dict[str, float]) -> str:
        return "{" + ", ".join(f"{k} = {w:.3f}" for k, w in values.items()) + "}"

    out = [
        "# Made by tools/fit_wvs.py; do not edit. Coefficients only: no share of answers of any country stands here.",
        "",
    ]
    out += [f'{key} = "{model[key]}"' for key in ("kind", "source")]
    out += [f"{key} = {model[key]}" for key in ("item_stability", "minor_stability")]
    for item in sorted(model["items"], key=lambda i: int(i[1:])):
        body = model["items"][item]
        if not body:
            out += ["", f"[items.{item}]"]
            continue
        out += ["", f"[items.{item}]", "thresholds = [" + ", ".join(f"{c:.3f}" for c in body["thresholds"]) + "]",
                f"loads = {table(body['loads'])}", f"noise = {body['noise']}"]  # fmt: skip
        out += [f"minor = {body['minor']}"] if "minor" in body else []
        out += [f"{key} = {table(body[key])}" for key in ("country", "spread") if key in body]
    for first, options in model["choices"].items():
        out += ["", f"[choices.{first}]"]
        out += [
            f"{value} = {{base = {body['base']:.3f}, loads = {table(body['loads'])}}}"
            for value, body in options.items()
        ]
    return "\n".join(out) + "\n"


def main() -> None:
    """Read the command line, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--originals", type=Path, required=True, help="folder of the downloaded originals")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    arguments = parser.parse_args()
    model = fit(arguments.originals)
    arguments.out.write_text(written(model), "utf-8")
    count = sum(len(seen) for seen in shares(arguments.originals).values())
    print(f"{count} country shares; written to {arguments.out}")


if __name__ == "__main__":
    main()
