"""What a model tells is held against the facts: both ways, since other people have ages, husbands and children too."""

import pytest

import deeppersona as dp
from deeppersona.population.validators._subject import Subject
from deeppersona.population.validators.told import faults, validate

CORE = {"name": "Mary Nchoe", "age": 40, "sex": "female", "children": 3, "marital_status": "married"}
MAN = {"name": "Simon Fischer", "age": 26, "sex": "male", "children": 0, "marital_status": "single"}


def said_of(text: str, core: dict[str, object], *changes: tuple[str, object]) -> str:
    record = {"narrative": text, "stories": []}
    return faults(record, core | dict(changes)).get("narrative", "")


@pytest.mark.parametrize(
    ("text", "core", "why"),
    [
        ("Mary opens the stall. He counts the float. He sweeps, and then he waits.", CORE, "she, not he"),
        ("Simon gets up late. She skips breakfast. She runs, since she is late.", MAN, "he, not she"),
        ("Mary Nchoe, 34, sells tomatoes.", CORE, "is 40, not 34"),
        ("Mary was born on March 14, 1941, behind the market.", CORE, "was not born in 1941"),
        ("Mary was born behind the market. Her mother was born there in 1941.", CORE, ""),
        ("Mary was born in 1986, a dry year.", CORE, ""),
        ("Mary is 52 and sells tomatoes.", CORE, "is 40, not 52"),
        ("Mary is thirty-nine, and sells tomatoes.", CORE, "is 40, not thirty-nine"),
        ("Mary is a 34-year-old who sells tomatoes.", CORE, "is 40, not 34"),
        ("Simon mends bicycles in a shed. He is 31 now, and it pays.", MAN, ""),  # 31 now: not the end of a sentence
        ("Simon mends bicycles in a shed. He is 31, and it pays.", MAN, "is 26, not 31"),
        ("Mary sells tomatoes, and she is 52, or says so.", CORE, "is 40, not 52"),
        ("Simon turned 31 this year and told nobody.", MAN, "is 26, not 31"),
        ("Mary and Daniel have five children.", CORE, "«have five children»"),
        ("He and Ines have two children. Simon pays.", MAN, "«have two children»"),
        ("Mary and Daniel have no children.", CORE, "«have no children»"),
        ("Mary has five children and one bed.", CORE, "3 children, but it says «has five children»"),
        ("Mary, mother of four, is up at five.", CORE, "«mother of four»"),
        ("At noon she feeds her six children. Mary eats last.", CORE, "«her six children»"),
        ("Mary raised 7 children in two rooms.", CORE, "«raised 7 children»"),
        ("Simon lives with his two children over a bakery.", MAN, "no children"),
        ("Simon keeps a drawing that his daughter made.", MAN, "«his daughter»"),
        ("Simon sends half of it to his eldest son.", MAN, "«his eldest son»"),
        ("Mary sells tomatoes. Her only child is at school.", (CORE | {"children": 0}), "«Her only child»"),
        ("Mary sells tomatoes. She has no children, and says so.", CORE, "«has no children»"),
        ("Mary, childless, sells tomatoes.", CORE, "«childless»"),
        ("Simon is up before his wife.", MAN, "«his wife»"),
        ("Mary sells tomatoes. Her husband drives a bus.", (CORE | {"marital_status": "single"}), "«Her husband»"),
        ("Mary has never married and sells tomatoes.", CORE, "is married"),
        ("Mary never married; the tomatoes see to that.", (CORE | {"marital_status": "widowed"}), "is widowed"),
        ("Mary is unmarried, and sells tomatoes.", CORE, "is married"),
        ("She sells tomatoes at the gate.", CORE, "does not name Mary Nchoe"),
    ],
)
def test_what_cannot_stand_is_found(text: str, core: dict[str, object], why: str) -> None:
    assert why in said_of(text, core)


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("Mary Nchoe, 40, sells tomatoes.", CORE),
        ("Mary is forty, and sells tomatoes to Faith, 12, and Otieno, 71.", CORE),
        ("Mary is 3 years into a loan. Mary, 2 years ago, bought a scale.", CORE),
        ("Mary is 12 minutes late, and her boss is 29.", CORE),
        ("Mary has a sister upstairs. Her sister is loud. She is 35, and sings.", CORE),
        ("Mary has a son, Otieno, who turned 12 this year.", CORE),
        ("A customer of Mary and Daniel have five children.", CORE),
        ("Emily brings her daughter. Mary opens.", (CORE | {"children": 0})),
        ("Mary pays Joseph Nchoe, 19, to carry the crates.", CORE),
        ("The tea is late, and Mary says: “I am 25 again.”", CORE),
        ("Mary was the second of five children, and her mother sold fish.", CORE),
        ("Her mother raised seven children. Mary slept by the wall.", CORE),
        ("Mary's neighbour has six children, and all of them knock.", CORE),
        ("Mary has two children at home; the eldest is in Mombasa.", CORE),
        ("Mary has three children. Her three children share a bed.", CORE),
        ("Mary has no children at home any more.", CORE),
        ("Mary has a brother who has no children, and envies him.", CORE),
        ("Mary knows a couple without children, and they travel.", CORE),
        ("Mary says that the childless man on the corner pays best.", CORE),
        ("Mary minds the shop. Her sister's children fetch water.", (CORE | {"children": 0})),
        ("Mary is strict with the children she teaches.", (CORE | {"children": 0})),
        ("Mary fetches Fatima, and her daughter comes along.", (CORE | {"children": 0})),
        ("Fatima lives across the landing. Her children are loud. Mary knocks.", (CORE | {"children": 0})),
        ("Mary calls the goat her goddaughter and nobody laughs.", (CORE | {"children": 0})),
        ("Mary keeps the hen as her own child, a lodger said.", (CORE | {"children": 0})),
        ("Mary shares a wall with a tailor and his wife.", (CORE | {"marital_status": "single"})),
        ("Mary still irons the shirts of her late husband.", (CORE | {"marital_status": "widowed"})),
        ("Mary shares a yard with her cousin and her husband.", (CORE | {"marital_status": "single"})),
        ("Simon's landlord lives below. His wife is deaf, and his son is not.", MAN),
        ("Simon was once asked to be as his father was, and to have his children early.", MAN),
        ("Simon drives Hassan, his wife and his three children to the coast.", MAN),
        ('Simon tells it so: "my wife, 30, and my two children". It is a lie for the ticket inspector. He has a seat.', MAN),
        ("Simon looks like her. She laughs, she sings and she pays. He listens.", MAN),
        ("Mary has a bachelor's degree, and a brother who never married.", CORE),
        ("Mary never married her first fiancé. He kept the ring.", CORE),
        ("Mary says that her tenant is single, and her aunt is unmarried.", CORE),
        ("Nchoe is what they shout when the bus comes in.", CORE),
        ("Yuki gets up at four. She is 40, and it shows.", (CORE | {"name": "Tanaka Yuki"})),
    ],
)  # fmt: skip
def test_what_can_stand_is_left_alone(text: str, core: dict[str, object]) -> None:
    assert said_of(text, core) == ""


@pytest.mark.parametrize(
    ("sex", "children", "found"), [("F", "two", "she, not he"), ("Male", 2.5, ""), ("unknown", "", "")]
)
def test_what_was_given_may_be_written_in_any_way(sex: str, children: object, found: str) -> None:
    given = {"sex": sex, "children": children, "age": "about 40", "marital_status": "Married"}
    assert found in said_of("Mary opens up. He counts, he sweeps and he waits.", CORE | given)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Mary was nine. He took the bag, he ran, and he sat down.", True),
        ("Her father took the bag. He ran, he swore, and he sat down.", False),
        ("The foreman came at six. Joseph paid. He spat, he laughed, and he left.", False),
        ("At 12 Mary had no children and no husband: so said Wanja, 40.", False),
    ],
)
def test_stories_are_held_to_the_pronoun_alone(text: str, wrong: bool) -> None:
    record = {"narrative": "Mary sleeps.", "stories": [{"text": "Nothing came of it."}, {"text": text}]}
    assert list(faults(record, CORE)) == (["stories.1.text"] if wrong else [])


def test_what_the_grammar_writes_is_innocent(people: dp.Population) -> None:
    orders = dp.generate(60, ["HU", "CN", "VN", "EG", "ID", "MX"], seed=9, depth=60)
    for person in [*people, *orders]:
        core = {key: person[f"demographics.{key}"] for key in CORE}
        assert faults(person.record(), core) == {}
    assert len(people) == 60


def test_the_validator_looks_only_at_what_a_model_wrote(people: dp.Population) -> None:
    wrong = people[0].model_copy(update={"narrative": "Nobody in particular is here."})
    written = wrong.model_copy(update={"provenance": wrong.provenance.model_copy(update={"model": "scripted:"})})
    stands_in = written.model_copy(update={"missing": (dp.schema.persona.Missing(path="narrative", reason="empty"),)})
    found = [list(validate(Subject.of(p, dp.shipped_taxonomy()))) for p in (wrong, written, stands_in)]
    assert [[issue.path for issue in issues] for issues in found] == [[], ["narrative"], []]
