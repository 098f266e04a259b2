"""Inventories: the shipped ones, a user's own, and what the checker will not take."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import pytest

from deeppersona.errors import UsageError
from deeppersona.schema.inventory import Inventory
from deeppersona.simulation.inventory import check, from_csv, read_inventory, shipped
from deeppersona.simulation.response import response_model

OWN = """
id = "mine"
title = "Mine"
source = "made up for a test"
licence = "CC0"
[responses.default]
options = [{value = 1, label = "no"}, {value = 2, label = "yes"}]
[[items]]
id = "a"
text = "I like it."
[[items]]
id = "b"
text = "I do not like it."
[[scales]]
id = "liking"
title = "Liking"
items = ["a", "b"]
reversed = ["b"]
measures = "extraversion"
"""


def own(tmp_path: Path, text: str = OWN, name: str = "mine.toml") -> Inventory:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return read_inventory(file)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_inventory_is_whole_and_has_a_response_model(name: str) -> None:
    inventory = read_inventory(name)
    assert inventory.id == name
    assert inventory.source
    assert inventory.licence
    assert [i for i in check(inventory) if i.severity == "error"] == []
    assert len({item.text for item in inventory.items}) == len(inventory)
    model = response_model(inventory)
    assert model.items == tuple(item.id for item in inventory.items)
    for cuts in model.cuts:
        assert all(a <= b for a, b in pairwise(cuts))


def test_the_keys_of_the_markers_are_those_of_the_codebook() -> None:
    turned = {i for scale in read_inventory("ipip-50").scales for i in scale.reversed}
    assert turned == {
        *["E2", "E4", "E6", "E8", "E10", "N2", "N4", "A1", "A3", "A5", "A7", "C2", "C4", "C6", "C8", "O2", "O4", "O6"]
    }


def test_neo_has_thirty_facets_of_four_in_five_domains_of_24() -> None:
    inventory = read_inventory("ipip-neo-120")
    assert len(inventory) == 120
    facets = [s for s in inventory.scales if not s.measures]
    domains = {s.measures: s for s in inventory.scales if s.measures}
    assert [len(s.items) for s in facets] == [4] * 30
    for trait, scale in domains.items():
        mine = [f for f in facets if set(f.items) <= set(scale.items)]
        assert len(scale.items) == 24
        assert len(mine) == 6, trait
        assert {i for f in mine for i in f.reversed} == set(scale.reversed)


def test_the_two_indices_are_coded_as_the_survey_codes_them() -> None:
    y002, y003 = read_inventory("wvs-iw10").composites
    wanted = {(1, 3): 1, (3, 1): 1, (2, 4): 3, (4, 2): 3}
    for a, b in product(range(1, 5), repeat=2):
        if a != b:
            assert y002.of({"Q154": a, "Q155": b}) == wanted.get((a, b), 2)
    believing = {"Q15": 1, "Q17": 1, "Q8": 2, "Q14": 2}
    assert y003.of(believing) == -2
    assert y003.of({k: 3 - v for k, v in believing.items()}) == 2
    assert y003.of({"Q15": 1}) is None
    assert read_inventory("wvs-iw10").values("Y003") == (-2, -1, 0, 1, 2)
    assert read_inventory("wvs-iw10").values("Y002") == (1, 2, 3)


def test_ones_own_is_read_from_toml_and_answered_by_assumption(tmp_path: Path) -> None:
    inventory = own(tmp_path)
    assert inventory.keyed(inventory.scales[0], "b", 1) == 2
    assert response_model(inventory, str(tmp_path / "mine.toml")).assumed


def test_ones_own_is_read_from_csv(tmp_path: Path) -> None:
    text = (
        "# source: ours\n# licence: CC0\nitem,text,options,scale,reversed,measures\n"
        "a,I like it,1=no|2=maybe|3=yes,liking,,openness\nb,I do not,,liking,yes,\n"
    )
    inventory = own(tmp_path, text, "mine.csv")
    assert inventory.values("b") == (1, 2, 3)
    assert inventory.scales[0].reversed == ("b",)
    assert inventory.scales[0].measures == "openness"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('licence = "CC0"\n', "", "licence"),
        ('source = "made up for a test"\n', "", "source"),
        ('reversed = ["b"]', 'reversed = ["c"]', "reverses"),
        ('items = ["a", "b"]', 'items = ["a", "z"]', "no item"),
        ('id = "b"', 'id = "a"', "two items"),
        ("value = 2", "value = 1", "two answers"),
        ('title = "Mine"', 'titel = "Mine"', "titel"),
        ("[responses.default]", "[responses.other]", "responses"),
        ('id = "mine"', "id = ", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in OWN
    with pytest.raises(UsageError, match=told):
        own(tmp_path, OWN.replace(old, new, 1))


def test_csv_without_licence_or_with_strange_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="licence"):
        own(tmp_path, "# source: ours\nitem,text,options\na,hm,1=no|2=yes\n", "x.csv")
    with pytest.raises(UsageError, match="did you mean options"):
        from_csv(["item,text,optons", "a,b,c"], "x")
    with pytest.raises(UsageError, match="1=agree"):
        own(tmp_path, "# source: ours\n# licence: CC0\nitem,text,options\na,hm,no|yes\n", "y.csv")


def test_the_nearest_inventory_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean ipip-50"):
        read_inventory("ipip50")
    with pytest.raises(UsageError, match="no file"):
        read_inventory("nowhere.toml")


def test_items_nobody_can_answer_are_refused_with_the_fix(tmp_path: Path) -> None:
    inventory = own(tmp_path, OWN.replace('measures = "extraversion"\n', ""))
    with pytest.raises(UsageError, match=r"mine\.model\.toml"):
        response_model(inventory, str(tmp_path / "mine.toml"))


def test_some_items_can_be_asked_alone() -> None:
    whole = read_inventory("wvs-iw10")
    part = whole.only(("Q57", "Q154", "Q155"))
    assert [i.id for i in part.items] == ["Q57", "Q154", "Q155"]
    assert [c.id for c in part.composites] == ["Y002"]
    assert part.limits == ()
    assert response_model(part).items == ("Q57", "Q154", "Q155")
    with pytest.raises(UsageError, match="did you mean"):
        whole.only(("Q57x",))
