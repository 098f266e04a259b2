"""``deeppersona query`` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deeppersona.cli.query import command
from deeppersona.errors import UsageError

SCRIPT = str(Path(sys.executable).parent / "deeppersona")


def query(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_a_question_is_answered(run_folder: Path, tmp_path: Path) -> None:
    table = query(run_folder, "select country, count(*) as n from people group by all order by all")
    assert table.exit_code == 0, table.output
    assert table.output.split() == ["country", "n", "FR", "6", "KE", "6"]
    listed = query(run_folder)
    assert listed.output.startswith("people (one row a person): id varchar")
    done = query(run_folder, "select id, name from people order by slot", "--format", "json")
    assert json.loads(done.stdout)[0]["id"] == "fr-000000"
    out = tmp_path / "x.csv"
    assert query(run_folder, "select id from people", "--out", out).exit_code == 0
    assert len(out.read_text().splitlines()) == 13


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "parquet"), "name a file with --out"),
        (("--format", "table", "--out", "x.txt"), "for the terminal"),
        (("--out", "x.txt"), "name it .csv, .json or .parquet"),
    ],
)
def test_odd_options_are_told(run_folder: Path, options: tuple[str, ...], said: str) -> None:
    done = query(run_folder, "select 1", *options)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_bad_sql_exits_two_and_says_what_there_is(run_folder: Path) -> None:
    done = subprocess.run([SCRIPT, "query", str(run_folder), "select x from people"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert 'Referenced column "x" not found' in done.stderr
    assert "traits (one row a trait" in done.stderr


def test_help_teaches() -> None:
    done = subprocess.run([SCRIPT, "query", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.count('\n    deeppersona query runs/kenya "') == 3
