"""What the shipped tree promises: breadth, balance, regions, stages of life; and that its page is of today."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

import deeppersona as dp
from deeppersona.generation.fill import UNSET
from deeppersona.schema import vocabulary as v
from deeppersona.taxonomy import tone
from deeppersona.taxonomy.coverage import LIFE_STAGES, by_region, by_stage, is_regional, options_in, regions_reached
from deeppersona.taxonomy.page import page, sunburst
from tests.generation.whole import whole_people

DOCS = Path(__file__).parents[2] / "docs"


def test_breadth(taxonomy: dp.Taxonomy) -> None:
    counts = Counter(a.category for a in taxonomy)
    assert len(taxonomy) >= 2400
    assert len(counts) == 12
    assert min(counts.values()) >= 150
    assert {a.path.count(".") + 1 for a in taxonomy} <= {2, 3, 4, 5}
    assert sum(a.kind != "text" for a in taxonomy) >= 0.75 * len(taxonomy)
    assert sum(a.kind == "text" for a in taxonomy) >= 60
    assert len(taxonomy.rules) >= 150


def test_choices_offer_enough(taxonomy: dp.Taxonomy) -> None:
    choices = [len(a.options) for a in taxonomy if a.kind == "choice"]
    assert sum(5 <= n <= 12 for n in choices) > 0.6 * len(choices)
    assert sum(n < 4 for n in choices) < 0.02 * len(choices)


def test_every_region_has_options_of_its_own_and_four_of_each_regional_attribute(taxonomy: dp.Taxonomy) -> None:
    regional = [a for a in taxonomy if is_regional(a)]
    assert len(regional) >= 250
    assert all(len(options_in(a, r)) >= 4 for a in regional for r in regions_reached(a))
    assert min(by_region(taxonomy).values()) >= 300


@pytest.mark.parametrize("stage", LIFE_STAGES)
def test_every_stage_of_life_has_attributes_of_its_own(taxonomy: dp.Taxonomy, stage: str) -> None:
    assert by_stage(taxonomy)[stage] >= 40


def test_no_category_is_all_sunshine(taxonomy: dp.Taxonomy) -> None:
    for category, share in tone.by_category(taxonomy).items():
        assert share["unfavourable"] > 0.03, category
        assert share["unfavourable"] > share["favourable"] / 2, category


@pytest.mark.parametrize(
    ("value", "told"),
    [("a bad knee", "unfavourable"), ("debts to a cousin", "unfavourable"), ("a happy one", "favourable"),
     ("not happy", "unfavourable"), ("never late", "plain"), ("rice and beans", "plain"), ("nothing", "plain")],
)  # fmt: skip
def test_tone(value: str, told: str) -> None:
    assert tone.tone(value) == told


def test_what_is_found_in_twenty_countries_exists_there(taxonomy: dp.Taxonomy) -> None:
    """Drawn for whoever they apply to, no option comes up outside its regions and countries."""
    countries = ["NE", "JP", "BR", "IN", "US", "EG", "ID", "NG", "PL", "MX",
                 "FR", "KE", "CN", "TR", "PG", "KZ", "JM", "GB", "CD", "IR"]  # fmt: skip
    fill = whole_people(taxonomy, countries, 400)
    seen = set()
    for i, a in enumerate(fill.priors.attributes):
        for j, option in enumerate(a.options):
            if not any(option.places):
                continue
            codes = fill.codes[:, i]
            has = codes >> j & 1 == 1 if a.kind == "many" else codes == j
            for row in ((codes != UNSET) & has).nonzero()[0]:
                region = v.REGION[fill.cohort.columns["region"][row]]
                country = str(fill.cohort.country[row])
                assert region in option.places[0] or country in option.places[1], (a.path, option.value, country)
                seen.add(country)
    assert seen == set(countries)


def test_rules_hold_for_everything_that_can_be_drawn(taxonomy: dp.Taxonomy) -> None:
    """Scales and numbers included, and rules that look at core facts."""
    fill = whole_people(taxonomy, ["IN", "DE", "NG", "BR"], 300)
    priors = fill.priors
    for rule in taxonomy.rules:
        when = fill.cohort.mask(rule.condition, fill.attribute_mask)
        for ban in rule.bans:
            if ban.key in priors.index:
                assert not (when & fill.attribute_mask(ban)).any(), (rule.because, ban.key)


def test_the_page_in_docs_is_of_this_tree(taxonomy: dp.Taxonomy) -> None:
    again = "run: deeppersona taxonomy page --out docs/taxonomy.md"
    assert (DOCS / "taxonomy.md").read_text() == page(taxonomy, "taxonomy.svg"), again
    assert (DOCS / "taxonomy.svg").read_text() == sunburst(taxonomy), again


def test_the_sunburst_is_whole(taxonomy: dp.Taxonomy) -> None:
    root = ElementTree.fromstring(sunburst(taxonomy))  # noqa: S314 - our own text
    titles = {t.text for t in root.iter("{http://www.w3.org/2000/svg}title")}
    assert {a.path for a in taxonomy} <= titles
    for category in taxonomy.categories:
        assert any(title and title.startswith(f"{category.title}: ") for title in titles)
