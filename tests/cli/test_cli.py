"""The command line as a user meets it: bad input gets a message and exit 2, never a traceback; outputs are whole."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MADE = ("generate", "-n", "8", "--country", "IN=3", "--country", "BR=1", "--seed", "7", "--depth", "60", "--book")
SCRIPT = str(Path(sys.executable).parent / "deeppersona")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    done = run(*MADE, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert str(out / "index.html") in done.stdout
    return out


def test_the_run_folder_is_as_promised(made: Path) -> None:
    names = {p.name for p in made.iterdir()}
    assert {"plan.json", "personas", "failures.jsonl", "usage.json", "run.sqlite", "index.html"} <= names
    lines = (made / "personas" / "part-00000.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 8
    assert sum(r["id"].startswith("in-") for r in records) == 6
    keys = {"id", "kind", "traits", "stories", "narrative", "system_prompt", "provenance"}
    core = {"age", "sex", "country", "region", "city", "urban", "education", "occupation", "income", "marital_status",
            "children", "household_size", "religion", "language", "name"}  # fmt: skip
    for record in records:
        assert keys <= set(record)
        assert {"engine", "taxonomy", "seed", "slot", "model"} <= set(record["provenance"])
        assert core <= {t["path"].removeprefix("demographics.") for t in record["traits"]}
        assert all({"path", "value", "source"} <= set(t) for t in record["traits"])
        assert 1 <= len(record["stories"]) <= 3
        assert len(record["book"].split()) > 500


def test_the_same_command_again_changes_nothing(made: Path) -> None:
    before = (made / "personas" / "part-00000.jsonl").read_bytes()
    again = (*MADE, "--out", str(made))
    assert run(*again).returncode == 0
    assert (made / "personas" / "part-00000.jsonl").read_bytes() == before
    assert run(*again, "--no-resume").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", "--country", "Kenia"), "did you mean Kenya"),
        (("generate", "--country", "KEE"), "unknown country"),
        (("generate", "--country", "KE=many"), "a weight is a number"),
        (("generate", "--country", "KE", "--country", "Kenya"), "given twice"),
        (("generate", "--depth", "401"), "20..400"),
        (("generate", "-n", "0"), "at least one"),
        (("generate", "--anchor", "age"), "NAME=VALUE"),
        (("generate", "--anchor", "age=15"), "--all-ages"),
        (("generate", "--country", "KE", "--anchor", "city=Lyon"), "nobody in Kenya"),
        (("generate", "--focus", "helth=3"), "did you mean health"),
        (("generate", "--focus", "health=much"), "a focus is a number"),
        (("generate", "--focus", "health=-1"), "between 0"),
        (("generate", "--ratio", "5:3"), "near:mid:far"),
        (("generate", "--plan", "missing.toml"), "no plan at"),
        (("generate", "--taxonomy", "missing"), "not a folder"),
        (("generate", "--format", "xml"), "xml"),
        (("show", "missing"), "is not a run"),
        (("export", "missing", "--to", "csv"), "is not a run"),
        (("check", "missing"), "is not a run"),
        (("enrich", "missing.jsonl"), "cannot be read"),
        (("facts", "Kenia"), "did you mean Kenya"),
        (("taxonomy", "show", "lifestile"), "did you mean lifestyle"),
        (("taxonomy", "import", "missing.json"), "cannot be read"),
        (("generat",), "did you mean generate"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_message_and_exit_2(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("plan", "said"),
    [("n = ", "no valid TOML"), ("people = 3", "unknown key"), ('n = "three"', "n cannot be"), ("n = true", "n cannot be"),
     ('seed = 1\n[anchor]\nage = "old"', "age"), ('format = ["xml"]', "unknown format")],
)  # fmt: skip
def test_a_malformed_plan_is_told(plan: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(plan)
    done = run("generate", "--plan", "plan.toml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_file_says_the_same_as_flags(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(
        'n = 4\ncountry = ["KE", "FR=2"]\nseed = 3\ndepth = 40\nratio = "1:1:1"\nout = "a"\n'
        '[focus]\nhealth = 2\n[anchor]\nsex = "female"\nage = "30..50"\n'
    )
    assert run("generate", "--plan", "plan.toml", cwd=tmp_path).returncode == 0
    flags = ("-n", "4", "--country", "KE", "--country", "FR=2", "--seed", "3", "--depth", "40", "--ratio", "1:1:1",
             "--focus", "health=2.0", "--anchor", "sex=female", "--anchor", "age=30..50", "--out", "b")  # fmt: skip
    assert run("generate", *flags, cwd=tmp_path).returncode == 0
    a, b = ((tmp_path / name / "personas" / "part-00000.jsonl").read_bytes() for name in "ab")
    assert a == b


def test_show_reads_a_person_whole(made: Path) -> None:
    listing = run("show", str(made))
    assert "in-000000" in listing.stdout
    person = run("show", str(made), "in-000000")
    record = json.loads(run("show", str(made), "0", "--json").stdout)
    assert record["id"] == "in-000000"
    assert person.returncode == 0
    squeezed = " ".join(person.stdout.split())
    assert " ".join(record["narrative"].split())[:60] in squeezed
    assert record["stories"][0]["title"] in person.stdout
    assert run("show", str(made), "0", "--prompt").stdout.startswith("You are ")
    assert run("show", str(made), "0", "--book").stdout.startswith("# ")
    missing = run("show", str(made), "in-999999")
    assert missing.returncode == 2
    assert "ids run from" in missing.stderr


@pytest.mark.parametrize("name", ["csv", "markdown", "hf", "parquet"])
def test_exports_hold_everybody(made: Path, name: str, tmp_path: Path) -> None:
    done = run("export", str(made), "--to", name, "--out", str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    if name == "csv":
        rows = list(csv.DictReader((tmp_path / "csv" / "personas.csv").read_text().splitlines(keepends=True)))
        assert len(rows) == 8
        assert rows[0]["demographics.country"] == "IN"
    elif name == "markdown":
        assert len(list((tmp_path / "markdown").glob("*.md"))) == 8
    elif name == "hf":
        card = (tmp_path / "hf" / "README.md").read_text()
        assert card.startswith("---\n")
        assert "synthetic" in card
        assert len((tmp_path / "hf" / "data" / "train-00000.jsonl").read_text().splitlines()) == 8
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(tmp_path / "parquet" / "personas.parquet")
        assert table.num_rows == 8
        assert len(table["traits"][0].as_py()) > 60


def test_check_passes_and_finds(made: Path, tmp_path: Path) -> None:
    assert "0 contradictions" in run("check", str(made)).stdout
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(made), str(copy)], check=True)
    part = copy / "personas" / "part-00000.jsonl"
    part.write_text(
        part.read_text().replace(
            '{"path":"demographics.children","value":', '{"path":"demographics.children","value":1', 1
        )
    )
    assert run("check", str(copy)).returncode == 2


def test_help_teaches_and_completion_completes() -> None:
    for arguments in (["--help"], ["generate", "--help"], ["taxonomy", "--help"], ["enrich", "--help"]):
        done = run(*arguments)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
    assert "_DEEPPERSONA_COMPLETE" in run("completion", "bash").stdout
    done = subprocess.run(
        [SCRIPT], capture_output=True, text=True,
        env={**os.environ, "_DEEPPERSONA_COMPLETE": "bash_complete", "COMP_WORDS": "deeppersona gen", "COMP_CWORD": "1"},
    )  # fmt: skip
    assert "generate" in done.stdout
    assert run("--version").stdout.strip().startswith("deeppersona, version")


def test_facts_and_taxonomy_read_well() -> None:
    body = json.loads(run("facts", "KE", "--json").stdout)
    assert body["iso2"] == "KE"
    listed = json.loads(run("facts", "--sources", "--json").stdout)
    assert all({"file", "title", "publisher", "year", "licence"} <= set(entry) for entry in listed)
    shown = run("facts", "--sources")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(entry["file"] in shown.stdout for entry in listed)
    assert run("facts").returncode == run("facts", "KE").returncode == 0
    stats = json.loads(run("taxonomy", "stats", "--json").stdout)
    assert stats["attributes"] >= 2400
    assert stats["by_stage_of_life"]["carers"] >= 40
    assert run("taxonomy", "check").returncode == 0


def test_the_tree_is_browsed_from_the_top_to_a_leaf() -> None:
    assert "demographics" in run("taxonomy", "show").stdout
    assert "debts (" in run("taxonomy", "show", "money").stdout
    branch = run("taxonomy", "show", "money.debts").stdout
    assert "money.debts.owed_to" in branch
    leaf = run("taxonomy", "show", "lifestyle.food.hot_drink").stdout
    assert all(word in leaf for word in ("option", "found in", "applies to", "told as", "rule:"))
    assert "sentences" not in leaf
    found = run("taxonomy", "show", "--find", "dog").stdout.splitlines()
    assert "home.animals_and_plants" in found[0] or "dog" in found[0]
    wrong = run("taxonomy", "show", "money.depts")
    assert wrong.returncode == 2
    assert "money.debts" in wrong.stderr


def test_two_trees_are_compared_and_one_is_told_of_on_a_page(tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "food"
    tree.mkdir(parents=True)
    (tree / "drinks.yaml").write_text(
        "- {path: food.drinks.evening, definition: What they drink late., question: What do you drink late?, kind: choice,\n"
        '   options: [tea, water, milk, beer], phrase: "{They} {drink} {value} late."}\n'
    )
    same = run("taxonomy", "diff", "shipped", "shipped")
    assert (same.returncode, "the same" in same.stdout) == (0, True)
    told = run("taxonomy", "diff", "shipped", str(tree.parent))
    assert "+ food.drinks.evening" in told.stdout
    assert "- money.debts.owed_to" in told.stdout
    body = json.loads(run("taxonomy", "diff", str(tree.parent), "shipped", "--json").stdout)
    assert "money.debts.owed_to" in body["added"]
    assert run("taxonomy", "diff", "shipped", str(tmp_path / "nowhere")).returncode == 2
    done = run("taxonomy", "page", "--taxonomy", str(tree.parent), "--out", str(tmp_path / "page.md"))
    assert done.returncode == 0
    assert "**1 attributes**" in (tmp_path / "page.md").read_text()
    assert "food.drinks.evening" in (tmp_path / "page.svg").read_text()
    tried = run("taxonomy", "check", str(tree.parent), "--people", "300")
    assert (tried.returncode, "300 people drawn: 0 of 4 options never came up" in tried.stdout) == (0, True)
    issues = json.loads(run("taxonomy", "check", str(tree.parent), "--people", "300", "--json").stdout)
    assert issues == []


def test_a_foreign_tree_is_reported_on(tmp_path: Path) -> None:
    (tmp_path / "tree.json").write_text(
        '{"Food": {"Food": {}, "WeekdayBreakfast": {}, "Misc": {}, "SpiderRecipes": {}}}'
    )
    done = run("taxonomy", "import", str(tmp_path / "tree.json"), "--report", str(tmp_path / "report.md"))
    assert done.returncode == 0
    assert "2 rejected" in done.stdout
    report = (tmp_path / "report.md").read_text()
    assert "`food.food`: repeats its parent" in report
    assert "`food.spider_recipes`" in report
    listed = json.loads(run("taxonomy", "import", str(tmp_path / "tree.json"), "--json").stdout)
    assert {item["fate"] for item in listed} <= {"matched", "new", "rejected"}
    (tmp_path / "broken.json").write_text("{")
    assert run("taxonomy", "import", str(tmp_path / "broken.json")).returncode == 2


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "deeppersona", "--version"], capture_output=True, text=True)
    assert done.stdout == run("--version").stdout
