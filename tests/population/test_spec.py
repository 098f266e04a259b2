"""Specifications: what is written is what is read; whatever cannot be meant is refused with its place and the fix."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deeppersona.errors import UsageError
from deeppersona.population.spec import PRESETS, Spec, canonical, parse_spec, preset, preset_text, read_spec, schema

QUOTA = {"over": "sex", "people": {"female": 6, "male": 4}}


def written(folder: Path, text: str, **files: str) -> Path:
    for name, body in files.items():
        (folder / name.replace("_csv", ".csv")).write_text(body)
    (folder / "spec.toml").write_text(text)
    return folder / "spec.toml"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_being_kept(name: str) -> None:
    spec = preset(name)
    assert parse_spec(json.loads(canonical(spec)), "kept") == spec
    assert canonical(parse_spec(json.loads(canonical(spec)), "kept")) == canonical(spec)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_by_the_json_schema(name: str) -> None:
    Draft202012Validator = pytest.importorskip("jsonschema").Draft202012Validator  # noqa: N806
    Draft202012Validator(schema()).validate(tomllib.loads(preset_text(name)))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"quotas": [QUOTA]}, "unknown key in here: 'quotas'; did you mean quota"),
        ({"base": {"contry": "KE"}}, r"\[base\]: 'contry'; did you mean country"),
        ({"quota": [{"over": "sex", "poeple": {"female": 1}}]}, r"\[quota\]: 'poeple'; did you mean people"),
        ({"report": {"way": 2}}, "did you mean ways"),
        ({"quota": [{"over": "sex"}]}, "give one of people, share, file or base = true"),
        ({"quota": [{**QUOTA, "base": True}]}, "people and base"),
        ({"quota": [{"over": ["sex", "sex"], "base": True}]}, "each once"),
        ({"quota": [{"over": [], "base": True}]}, "one dimension or several"),
        ({"quota": [{"over": "sex", "people": {"female": "6"}}]}, "a number, 0 or more, not '6'"),
        ({"quota": [{"over": "sex", "people": {"female": float("nan")}}]}, "not nan"),
        ({"quota": [{"over": "sex", "share": {"female": float("inf")}}]}, "not inf"),
        ({"quota": [{"over": "sex", "people": {"female": True}}]}, "not True"),
        ({"quota": [{"over": ["sex", "age"], "people": [["female", "18..", "6"]]}]}, "not '6'"),
        ({"n": 0}, "n: .*greater than or equal to 1"), ({"n": 2.5}, "n: "), ({"depth": 5}, "depth"), ({"check": -1}, "check"),
        ({"weights": {"trim": [2, 5]}}, "smallest ratio to the mean"), ({"weights": {"trim": [0.2, 0.9]}}, "from 1"),
        ({"kind": "pets"}, "kind"), ({"duplicates": "maybe"}, "duplicates"), ({"spread": "odd"}, "spread"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_spec(raw, "here")


def test_rows_must_fit_their_dimensions() -> None:
    spec = parse_spec({"quota": [{"over": ["sex", "age"], "people": [["female", 6]]}]}, "here")
    with pytest.raises(UsageError, match="must be sex, age, then a number"):
        spec.quota[0].rows()


@pytest.mark.parametrize(("text", "told"), [("n = = 3", "no valid TOML"), ("\xff\xfe", "cannot be read|no valid")])
def test_bad_files_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bad.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=told):
        read_spec(tmp_path / "bad.toml")
    with pytest.raises(UsageError, match="--preset national --show"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_spec(tmp_path)


def test_a_file_of_figures_is_looked_for_beside_the_specification(tmp_path: Path) -> None:
    body = "sex,age,people\nfemale,18..34,3\nmale,18..34,2\n"
    spec = read_spec(written(tmp_path, '[[quota]]\nover = ["sex", "age"]\nfile = "q.csv"\n', q_csv=body))
    assert spec.quota[0].rows() == ("people", [(("female", "18..34"), 3.0), (("male", "18..34"), 2.0)])
    inner = tmp_path / "inner"
    inner.mkdir()
    outside = read_spec(written(inner, '[[quota]]\nover = ["sex", "age"]\nfile = "../q.csv"\n'))
    assert outside.quota[0].rows() == spec.quota[0].rows()
    with pytest.raises(UsageError, match="beside the specification"):
        read_spec(written(inner, '[[quota]]\nover = "sex"\nfile = "q.csv"\n'))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sex,x\nfemale,3\n", "needs sex, age"), ("sex,age\nfemale,18..\n", "one of people, share, count, weight"),
        ("sex,age,people,share\nfemale,18..,1,1\n", "one of people"), ("sex,age,people\nfemale,18..,many\n", "row 2: people is 'many'"),
        ("sex,age,people\nfemale,18..,3\nmale,18..,-1\n", "row 3: people is '-1'"), ("sex,age,people\nfemale,18..,nan\n", "nan"),
        ("sex,age,people\n", "no rows"), ("sex,age,people\nfemale,3\n", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_tables_are_told_by_row(tmp_path: Path, body: str, told: str) -> None:
    path = written(tmp_path, '[[quota]]\nover = ["sex", "age"]\nfile = "q.csv"\n', q_csv=body)
    with pytest.raises(UsageError, match=told):
        read_spec(path)


def test_a_table_of_your_own_is_a_joint_or_several_margins(tmp_path: Path) -> None:
    text = '[base]\ncountry = "KE"\ntable = "own.csv"\n'
    joint = read_spec(written(tmp_path, text, own_csv="sex,age,count\nfemale,18..34,40\nmale,18..34,60\n"))
    assert [(m.over, m.of_base) for m in joint.target] == [(("sex", "age"), True)]
    several = read_spec(
        written(tmp_path, text, own_csv="dimension,category,count\nsex,female,4\nsex,male,6\nurban,urban,10\n")
    )
    assert [m.over for m in several.target] == [("sex",), ("urban",)]
    assert several.target[0].rows()[1] == [(("female",), 4.0), (("male",), 6.0)]
    for body in ("count\n3\n", "sex\nfemale\n"):
        with pytest.raises(UsageError, match="a column a dimension"):
            read_spec(written(tmp_path, text, own_csv=body))


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"sex": ["female", "male"], "weight": [0.3, 0.9]}), tmp_path / "own.parquet")
    spec = read_spec(written(tmp_path, '[base]\ntable = "own.parquet"\n'))
    assert spec.target[0].rows()[1] == [(("female",), 0.3), (("male",), 0.9)]
    (tmp_path / "own.parquet").write_bytes(b"no parquet")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        read_spec(tmp_path / "spec.toml")


def test_unknown_presets_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean national"):
        preset("nationl")


def test_nothing_given_is_a_thousand_of_the_world() -> None:
    assert Spec().base.country == "world"
    assert Spec().n is None
