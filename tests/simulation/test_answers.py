"""Answers on disk: whole, resumed to the same bytes, and read back without keeping what is off the scale."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deeppersona.errors import UsageError
from deeppersona.simulation import answers as module
from deeppersona.simulation.answers import (
    COLUMNS,
    Replay,
    Settings,
    beside,
    commonest,
    read_answers,
    write_answers,
)
from deeppersona.simulation.baselines import Uniform
from deeppersona.simulation.grounded import Grounded
from deeppersona.simulation.inventory import read_inventory
from tests.simulation.test_respondents import person, told

WVS = read_inventory("wvs-iw10")
PEOPLE = [person(k, country=["US", "KE"][k % 2]) for k in range(23)]


def written(
    out: Path, people: list[dict[str, Any]] = PEOPLE, seed: int = 0, draws: int = 2, **more: Any
) -> dict[str, Any]:
    mine = Uniform(WVS, seed)
    plan = Settings("wvs-iw10", WVS.fingerprint, mine.settings, len(people), "run", draws, seed)
    return write_answers(people, WVS, mine, out, plan, draws=draws, **more)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 5)


def test_every_person_item_and_draw_has_a_row(tmp_path: Path) -> None:
    about = written(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 23 * (21 + 2) * 2
    assert {(r["person"], r["item"], r["draw"]) for r in rows} == {
        (p["id"], i, str(d)) for p in PEOPLE for i in [*(x.id for x in WVS.items), "Y002", "Y003"] for d in (0, 1)
    }
    assert {r["country"] for r in rows} == {"US", "KE"}
    assert {r["source"] for r in rows} == {"uniform", "composite"}
    assert about["counts"]["answered"] == 23 * 21 * 2
    assert json.loads(beside(tmp_path / "a.csv").read_text()) == about
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith(".")] == []


@pytest.mark.parametrize("after", [5, 10, 20])
@pytest.mark.parametrize("torn", [False, True])
def test_stopped_and_gone_on_with_it_is_the_same_bytes(tmp_path: Path, after: int, torn: bool) -> None:
    written(tmp_path / "whole.csv")

    def stop(done: int, people: int) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a.csv", progress=stop)
    assert not (tmp_path / "a.csv").exists()
    if torn:  # killed in the middle of the next batch
        with (tmp_path / ".a.csv.part").open("ab") as handle:
            handle.write(b"p-000012,Q7,0,")
    seen: list[int] = []
    written(tmp_path / "a.csv", progress=lambda done, people: seen.append(done))
    assert seen[0] == after + 5 or seen[0] == 23
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert beside(tmp_path / "a.csv").read_bytes() == beside(tmp_path / "whole.csv").read_bytes()


def test_finished_answers_are_not_made_again_and_others_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.csv")
    before = (tmp_path / "a.csv").stat().st_mtime_ns
    written(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="seed"):
        written(tmp_path / "a.csv", seed=1)
    (tmp_path / "b.csv").write_text("somebody's own")
    with pytest.raises(UsageError, match="choose another --out"):
        written(tmp_path / "b.csv")


def test_a_begun_file_is_not_gone_on_with_under_other_settings(tmp_path: Path) -> None:
    def stop(done: int, people: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a.csv", progress=stop)
    with pytest.raises(UsageError, match="draws"):
        written(tmp_path / "a.csv", draws=3)


@pytest.mark.parametrize("wanted", [4, 15])
def test_of_a_begun_file_fewer_or_more_people_may_be_wanted(tmp_path: Path, wanted: int) -> None:
    def stop(done: int, people: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a.csv", progress=stop)
    written(tmp_path / "a.csv", PEOPLE[:wanted])
    written(tmp_path / "whole.csv", PEOPLE[:wanted])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_is_off_the_scale_is_left_out_and_counted(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", draws=1)
    with (tmp_path / "a.csv").open("a") as handle:
        handle.write(
            "p-000000,Q57,1,7,x,1,US,40,female,bachelor\np-000000,Q57,1,often,x,1,,,,\np-000000,Q99,1,1,x,1,,,,\n"
        )
        handle.write("p-000000,Q46,1,-2,x,1,,,,\n")
    table = read_answers(tmp_path / "a.csv", WVS)
    assert table.strange == {"answer off the scale": 2, "not a number": 1, "item not in the inventory": 1}
    assert np.isin(table.of(["Q57"]), (1, 2)).all()
    assert table.about[0]["country"] == "US"
    assert np.isnan(table.of(["never asked"])).all()
    with pytest.raises(UsageError, match="no file"):
        read_answers(tmp_path / "none.csv")
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="no column person, item, answer"):
        read_answers(tmp_path / "odd.csv")


def test_replay_gives_back_what_was_written(tmp_path: Path) -> None:
    written(tmp_path / "a.csv")
    again = Replay(WVS, tmp_path / "a.csv")
    uniform = Uniform(WVS, 0)
    for form in module.forms(WVS, 2):
        assert (told(again, PEOPLE, form).codes == told(uniform, PEOPLE, form).codes).all()
    stranger = told(again, [person(999)], module.forms(WVS, 1)[0]).codes
    assert (stranger == module.NO_ANSWER).all()
    mine = Replay(WVS, tmp_path / "a.csv")
    plan = Settings("wvs-iw10", WVS.fingerprint, mine.settings, 1, "run", 1, 0)
    about = write_answers([person(999)], WVS, mine, tmp_path / "b.csv", plan)
    assert about["counts"] == {"answered": 0, "refused": 0, "invalid": 0, "missing": 21, "assumed": 0}


def test_the_commonest_answer_is_counted_by_weight(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("person,item,answer,weight\na,Q57,1,1\nb,Q57,2,5\nc,Q57,1,1\nd,Q46,3,1\n")
    assert commonest(tmp_path / "h.csv") == {"Q57": 2, "Q46": 3}


def test_grounded_answers_go_to_disk_too(tmp_path: Path) -> None:
    mine = Grounded(WVS)
    plan = Settings("wvs-iw10", WVS.fingerprint, mine.settings, len(PEOPLE), "run", 1, 0)
    about = write_answers(PEOPLE, WVS, mine, tmp_path / "g.csv", plan)
    assert about["counts"]["assumed"] == 23  # these records tell nothing of personality
    assert about["licence"] == WVS.licence
