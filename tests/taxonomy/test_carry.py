"""A taxonomy taken along to a machine without its folder is the same taxonomy; another is refused."""

from pathlib import Path

import pytest

import deeppersona as dp
from deeppersona.taxonomy.carry import at_hand, carried
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy

CATEGORIES = "- {key: work, title: Work, about: What they do.}\n"
ATTRIBUTE = """\
- path: work.bag
  kind: choice
  definition: The bag they carry to work.
  question: What bag do you carry to work?
  phrase: "{They} goes to work with {value}."
  options:
    - a satchel – worn
    - a plastic bag
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "attributes").mkdir(parents=True)
    (tmp_path / "tree" / "categories.yaml").write_text(CATEGORIES, "utf-8")
    (tmp_path / "tree" / "attributes" / "work.yaml").write_text(ATTRIBUTE, "utf-8")
    return tmp_path / "tree"


def test_a_taxonomy_of_ones_own_travels(folder: Path) -> None:
    own = read_taxonomy(folder)
    place = at_hand(carried(folder), own.fingerprint)
    assert place != folder
    assert read_taxonomy(place).fingerprint == own.fingerprint
    assert at_hand(carried(folder), own.fingerprint) == place
    with pytest.raises(dp.UsageError, match="same version"):
        at_hand(carried(folder), "sha256:another")


def test_the_shipped_one_is_wherever_the_package_is(taxonomy: dp.Taxonomy) -> None:
    assert carried(SHIPPED) == b""
    assert at_hand(b"", taxonomy.fingerprint) == SHIPPED
    with pytest.raises(dp.UsageError, match="same version"):
        at_hand(b"", "sha256:another")
