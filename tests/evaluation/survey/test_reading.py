"""Tables are read in every layout; codes that are no answer are counted, never kept in silence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from deeppersona.errors import UsageError
from deeppersona.evaluation.survey.comparison import matched
from deeppersona.evaluation.survey.items import Index, Item, ItemMap, code_of, inferred, of_inventory, read_map
from deeppersona.evaluation.survey.reading import COUNTS, LONG, SHARES, WIDE, read_answers
from deeppersona.evaluation.survey.side import bands_in, side_of
from deeppersona.simulation.inventory import read_inventory
from tests.evaluation.survey.made import MAP, humans_file, map_file, ours_file, table

HAPPY = Item("happy", (1.0, 2.0, 3.0, 4.0), missing=frozenset(["9"]))


def shares(path: Path, *, human: bool = True) -> np.ndarray:
    raw = read_answers(path, ["happy"])
    return side_of(raw, [HAPPY], human=human, coding=ItemMap()).shares("happy", 4)


def test_the_four_layouts_tell_the_same(tmp_path: Path) -> None:
    answers = [1, 1, 2, 2, 2, 3, 4, 4, 4, 4]
    wide = table(tmp_path / "w.csv", ("id", "happy"), enumerate(answers))
    long = table(tmp_path / "l.csv", ("person", "item", "answer"), [(k, "happy", a) for k, a in enumerate(answers)])
    counts = table(
        tmp_path / "c.csv", ("item", "option", "count"), [("happy", o, answers.count(o)) for o in range(1, 5)]
    )
    percent = table(
        tmp_path / "s.csv",
        ("item", "option", "share", "n"),
        [("happy", o, 10 * answers.count(o), 10) for o in range(1, 5)],
    )
    for path, kind in ((wide, WIDE), (long, LONG), (counts, COUNTS), (percent, SHARES)):
        assert read_answers(path, ["happy"]).kind == kind
        assert shares(path) == pytest.approx([0.2, 0.3, 0.1, 0.4])


def test_shares_are_exact_where_n_times_a_share_is_no_whole_number(tmp_path: Path) -> None:
    given = [0.003, 0.333, 0.333, 0.331]
    path = table(
        tmp_path / "s.csv", ("item", "option", "share", "n"), [("happy", k + 1, s, 50) for k, s in enumerate(given)]
    )
    raw = read_answers(path)
    assert shares(path) == pytest.approx(given)
    assert not raw.joint
    assert 48 <= len(raw.ids) <= 52


def test_separators_gzip_and_a_mark_of_byte_order(tmp_path: Path) -> None:
    text = "\ufeffperson;happy;weight\na;1;2\nb;2.0;1\n"
    (tmp_path / "h.csv").write_text(text, "utf-8")
    with gzip.open(tmp_path / "h.tsv.gz", "wt", encoding="utf-8") as handle:
        handle.write(text.replace(";", "\t"))
    for name in ("h.csv", "h.tsv.gz"):
        assert shares(tmp_path / name) == pytest.approx([2 / 3, 1 / 3, 0, 0])


def test_missing_and_off_scale_are_told_apart_and_counted(tmp_path: Path) -> None:
    codes = ["1", "2", "-1", "9", "", "refused", "5", "5", "1.333", "many"]
    path = table(tmp_path / "h.csv", ("happy", "age"), [(c, 30) for c in codes])
    side = side_of(read_answers(path, ["happy"]), [HAPPY], human=True, coding=ItemMap())
    left = side.left["happy"]
    assert left.total == 10
    assert dict(left.missing) == {"-1": 1, "9": 1, "blank": 1, "refused": 1}
    assert dict(left.off_scale) == {"5": 2, "1.333": 1, "many": 1}
    assert side.n("happy") == 2


def test_weights_and_people_without_one(tmp_path: Path) -> None:
    path = table(tmp_path / "h.csv", ("happy", "weight"), [(1, 3), (2, 1), (4, ""), (4, -2)])
    raw = read_answers(path, ["happy"])
    assert shares(path) == pytest.approx([0.75, 0.25, 0, 0])
    assert raw.weighted
    assert "2 people" in raw.notes[0]
    empty = table(tmp_path / "e.csv", ("happy", "weight"), [(1, ""), (2, "")])
    assert shares(empty) == pytest.approx([0.5, 0.5, 0, 0])


def test_a_persons_draws_share_one_weight(tmp_path: Path) -> None:
    rows = [("a", "happy", d, 1) for d in range(3)] + [("b", "happy", 0, 4)]
    path = table(tmp_path / "a.csv", ("person", "item", "draw", "answer"), rows)
    assert shares(path, human=False) == pytest.approx([0.5, 0, 0, 0.5])


def test_indices_are_made_of_their_parts(tmp_path: Path) -> None:
    rows = [(1, 3, 1, 2, 2, 2), (4, 2, 2, 1, 2, 2), (1, 2, 1, 1, 2, 2), (1, -1, 1, 1, 1, 1)]
    head = ("Q154", "Q155", "Q8", "Q14", "Q15", "Q17")
    coding = read_map("wvs7")
    items = [i for i in coding.items if i.key in ("Y002", "Y003")]
    raw = read_answers(table(tmp_path / "h.csv", head, rows), head, coding.columns)
    side = side_of(raw, items, human=True, coding=coding)
    assert [items[0].options[k] for k in side.answers["Y002"].option] == [1, 3, 2]
    assert side.left["Y002"].missing == {"blank": 1}
    assert [items[1].options[k] for k in side.answers["Y003"].option] == [1, 1, 2, 0]


def test_a_questionnaire_says_items_and_options() -> None:
    inventory = read_inventory("wvs-iw10")
    ours, shipped = {i.key: i for i in of_inventory(inventory).items}, {i.key: i for i in read_map("wvs7").items}
    for key, item in shipped.items():
        assert ours[key].options == item.options
    assert isinstance(ours["Y003"].index, Index)
    for codes in ((1.0, 3.0), (3.0, 1.0), (2.0, 4.0), (1.0, 2.0)):
        assert ours["Y002"].index and shipped["Y002"].index
        assert ours["Y002"].index.of(codes) == shipped["Y002"].index.of(codes)


def test_groups_are_put_into_common_words(tmp_path: Path) -> None:
    m = matched(ours_file(tmp_path), humans_file(tmp_path), read_map(str(map_file(tmp_path))))
    for side in m.sides:
        assert set(side.groups["sex"].tolist()) == {"male", "female"}
        assert set(side.groups["age"].tolist()) == {"18-29", "30-44", "45-59", "60+"}


def test_bands_follow_the_humans_labels(tmp_path: Path) -> None:
    path = table(
        tmp_path / "c.csv", ("item", "option", "count", "age"), [("happy", 1, 5, "16-34"), ("happy", 2, 5, "35+")]
    )
    assert bands_in(read_answers(path).groups["age"]) == ("16-34", "35+")
    m = matched(ours_file(tmp_path), path)
    assert set(m.sides[0].groups["age"].tolist()) == {"16-34", "35+"}


def test_options_are_told_from_humans_where_nothing_says_them() -> None:
    item = inferred("x", ["1", "2", "4", "-2", "NA"])
    assert item.options == (1, 2, 3, 4)
    assert item.missing == {"-2"}
    assert item.inferred
    with pytest.raises(UsageError, match="--items"):
        inferred("x", ["tea", "coffee"])


@pytest.mark.parametrize(
    ("code", "told"), [("2.0", "2"), (" 3 ", "3"), (-1, "-1"), ("1.5", "1.5"), ("A", "A"), ("007", "7")]
)
def test_codes(code: object, told: str) -> None:
    assert code_of(code) == told


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("options = [1, 2, 3, 4]", "options = [4, 2]", "ascending"),
        ("options = [1, 2, 3, 4]", "choices = 4", "options"),
        ('"rather", ', "", "labels"),
        ("[recode.sex]", "[recode.sect]", "sex"),
        ("missing = [-1, 9]", "missing = [", "TOML"),
        ('weight = "w"', 'wait = "w"', "weight"),
    ],
)
def test_faults_of_a_map_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(MAP.replace(old, new), "utf-8")
    with pytest.raises(UsageError, match=says):
        read_map(str(path))


def test_faults_of_a_table_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_answers(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match="column n"):
        read_answers(table(tmp_path / "s.csv", ("item", "option", "share"), [("a", 1, 1)]))
    with pytest.raises(UsageError, match="line 3"):
        read_answers(table(tmp_path / "w.csv", ("person", "happy"), [("a", 1), ("b",)]), ["happy"])
    with pytest.raises(UsageError, match="twice"):
        read_answers(
            table(tmp_path / "t.csv", ("person", "item", "draw", "answer"), [("a", "x", 0, 1), ("a", "x", 0, 2)])
        )
    with pytest.raises(UsageError, match="happy"):
        read_answers(table(tmp_path / "n.csv", ("person", "hapy"), [("a", 1)]), ["happy"])
    with pytest.raises(UsageError, match="no rows"):
        read_answers(table(tmp_path / "z.csv", ("person", "happy"), []), ["happy"])
