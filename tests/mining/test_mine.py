"""The whole of stage 1 on talk made for it: what is found, what is kept private, and that nothing depends on order or luck."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from deeppersona.errors import StoreError, UsageError
from deeppersona.mining.build import build, read_log
from deeppersona.mining.merge import Terms
from deeppersona.mining.mine import FOLDER, Mined, Wanted, mine, replay
from deeppersona.mining.report import write_report
from deeppersona.taxonomy.check import check
from deeppersona.taxonomy.read import read_taxonomy, shipped_taxonomy
from tests.mining.corpus import talk, write

PET = "home.animals_and_plants.pets"


def mined(sources: list[Path], out: Path, base: str = "shipped", terms: Terms | None = None, **more: bool) -> Mined:
    return mine(Wanted(tuple(map(str, sources)), base, terms or Terms(), **more), out)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mined]:
    folder = tmp_path_factory.mktemp("mined")
    corpus = write(folder / "talk.jsonl", talk(120))
    return corpus, mined([corpus], folder / "out")


def test_what_people_told_is_found_with_its_support(once: tuple[Path, Mined]) -> None:
    _, found = once
    support = found.taxonomy[PET].support
    assert support is not None
    assert support.speakers >= 10
    weights = {o.value: o.weight for o in found.taxonomy[PET].options}
    before = {o.value: o.weight for o in shipped_taxonomy()[PET].options}
    assert weights["a cat"] > before["a cat"]
    assert weights["fish in a tank"] < before["fish in a tank"]


def test_the_machine_s_own_words_are_nobody_s(once: tuple[Path, Mined]) -> None:
    told = json.dumps(once[1].log)
    assert "polka" not in told
    assert "goat" not in told


def test_the_grown_tree_passes_the_check_and_reads_back(once: tuple[Path, Mined]) -> None:
    _, found = once
    assert read_taxonomy(found.out).fingerprint == found.taxonomy.fingerprint
    base = {(i.path, i.rule) for i in check(shipped_taxonomy())}
    assert [i for i in check(found.taxonomy) if i.severity == "error" and (i.path, i.rule) not in base] == []


@pytest.mark.parametrize("keep", [False, True])
def test_no_identifier_is_left_anywhere(tmp_path: Path, keep: bool) -> None:
    corpus = write(tmp_path / "talk.jsonl", talk(60))
    found = mined([corpus], tmp_path / "out", keep_evidence=keep)
    write_report(found, Wanted((str(corpus),)))
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            body = file.read_bytes().lower()
            for secret in (b"szymanski", b"wolfgang", b"5550199", b"baker street", b"example.org", b"wolfszy"):
                assert secret not in body, (file.name, secret)
            if not keep:
                assert b"i wish he would stop" not in body and b"this is letter" not in body, file.name


def test_the_order_of_the_corpus_does_not_matter(once: tuple[Path, Mined], tmp_path: Path) -> None:
    shuffled = talk(120)
    random.Random(3).shuffle(shuffled)  # noqa: S311 - an order, no secret
    parts = [write(tmp_path / "b.jsonl", shuffled[:50]), write(tmp_path / "a.jsonl", shuffled[50:])]
    other = mined(parts, tmp_path / "out")
    assert other.log == once[1].log
    assert other.taxonomy.fingerprint == once[1].taxonomy.fingerprint


def test_mining_twice_adds_nothing(once: tuple[Path, Mined], tmp_path: Path) -> None:
    corpus, first = once
    again = mined([corpus], tmp_path / "again", base=str(first.out))
    assert again.taxonomy.fingerprint == first.taxonomy.fingerprint
    twice = mined([corpus, write(tmp_path / "copy.jsonl", talk(120))], tmp_path / "twice")
    assert twice.taxonomy.fingerprint == first.taxonomy.fingerprint


def test_a_log_is_replayed_without_the_corpus(once: tuple[Path, Mined], tmp_path: Path) -> None:
    log = read_log(once[1].out / FOLDER / "log.jsonl")
    assert replay(log, "shipped", tmp_path / "replayed").fingerprint == once[1].taxonomy.fingerprint
    assert read_taxonomy(tmp_path / "replayed").fingerprint == once[1].taxonomy.fingerprint


def test_a_review_is_fed_back(once: tuple[Path, Mined], tmp_path: Path) -> None:
    corpus, first = once
    added = [e for e in first.log if e["do"] == "add"]
    assert len(added) >= 2
    rows = list(csv.DictReader(io.StringIO((first.out / FOLDER / "review.csv").read_text())))
    rows[0]["keep"] = "no"
    rows[1]["question"] = "What would you say about it?"
    table = tmp_path / "edited.csv"
    with table.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "out"
    mine(Wanted((str(corpus),)), out)
    now = mine(Wanted((str(corpus),)), out, review=table).taxonomy
    assert added[0]["path"] not in now
    assert now[added[1]["path"]].question == "What would you say about it?"
    table.write_text("keep,path\nyes,x\n")
    with pytest.raises(UsageError, match="review"):
        mine(Wanted((str(corpus),)), out, review=table)


def test_values_of_few_people_stay_out(tmp_path: Path) -> None:
    rare = [
        {
            "id": f"r{k}",
            "messages": [{"role": "user", "content": f"I have a chinchilla named Bo. My dog is old. Letter {k}."}],
        }
        for k in range(4)
    ]
    corpus = write(tmp_path / "rare.jsonl", talk(60, secrets=False) + rare)
    few = mined([corpus], tmp_path / "few")
    assert "chinchilla" not in json.dumps([a.model_dump(mode="json") for a in few.taxonomy])
    many = mined([corpus], tmp_path / "many", terms=Terms(min_support=4))
    assert any("chinchilla" in o.value for o in many.taxonomy[PET].options)


def test_an_empty_base_holds_only_what_was_told(tmp_path: Path) -> None:
    corpus = write(tmp_path / "talk.jsonl", talk(120))
    found = mined([corpus], tmp_path / "out", base="empty")
    assert 0 < len(found.taxonomy) < 60
    assert PET in found.taxonomy
    assert all(a.support is not None for a in found.taxonomy)
    assert [i for i in check(read_taxonomy(tmp_path / "out")) if i.severity == "error"] == []


def test_killed_at_any_moment_it_ends_the_same(once: tuple[Path, Mined], tmp_path: Path) -> None:
    corpus, first = once
    out = tmp_path / "out"
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom deeppersona.mining import mine as stage\nstage.CHUNK = 20\n"
        "seen = []\n"
        "def tell(tally):\n    seen.append(1)\n    os._exit(9) if len(seen) == 3 else None\n"
        "stage.mine(stage.Wanted((sys.argv[1],)), Path(sys.argv[2]), progress=tell)\n"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", script, str(corpus), str(out)], check=False).returncode in (0, 9)
    import deeppersona.mining.mine as stage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "CHUNK", 20)
        assert mined([corpus], out).taxonomy.fingerprint == first.taxonomy.fingerprint


def test_another_corpus_or_base_in_one_folder_is_refused(once: tuple[Path, Mined], tmp_path: Path) -> None:
    corpus = write(tmp_path / "talk.jsonl", talk(30))
    mined([corpus], tmp_path / "out")
    with pytest.raises(StoreError, match="base"):
        mined([corpus], tmp_path / "out", base="empty")
    write(corpus, talk(31)[1:])
    with pytest.raises(StoreError, match="corpus"):
        mined([corpus], tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="not mined"):
        mined([corpus], tmp_path / "mine")


def test_the_mined_taxonomy_makes_people(once: tuple[Path, Mined]) -> None:
    import deeppersona as dp

    people = dp.generate(3, "KE", seed=1, depth=60, taxonomy=read_taxonomy(once[1].out))
    assert all(len(p.traits) >= 60 for p in people)


def test_applying_a_log_twice_changes_nothing_more(once: tuple[Path, Mined]) -> None:
    """Options and attributes are added once; only what was counted anew may count again."""
    _, found = once
    log = [e for e in found.log if e["do"] != "support"]
    one = build(shipped_taxonomy(), log)
    assert build(one, log).fingerprint == one.fingerprint
