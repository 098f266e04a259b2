"""The gallery page: what is in the file, and what a browser makes of it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deeppersona.cli.gallery import command
from deeppersona.errors import DeepPersonaError, UsageError
from deeppersona.runtime.store import RunFolder, lines_of
from deeppersona.schema.plan import Plan
from deeppersona.studio.gallery import write_gallery
from deeppersona.studio.pack import ALPHABET, Pack, numbers
from deeppersona.studio.tally import NOT_SAID, OTHER, Tally, Words

EVIL = "</script><img src=x onerror=\"document.title='owned'\"><!--"
PLACES = (("KE", "Kenya", "Kisumu"), ("DE", "Germany", "Bonn"), ("IN", "India", "Chennai"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed"
)


def person(slot: int, **changes: Any) -> dict[str, Any]:
    code, country, city = PLACES[slot % 3]
    core = {
        "country": code, "region": "Somewhere", "age": 18 + (slot * 7) % 70, "sex": ("female", "male")[slot % 2],
        "education": ("primary", "upper secondary", "bachelor")[slot % 3], "urban": ("urban", "rural")[slot % 2],
        "city": city, "marital_status": "married", "children": slot % 4, "household_size": 1 + slot % 5,
        "religion": ("Hindu", "no religion")[slot % 2], "language": "Luo", "employment_status": "employed",
        "occupation": f"potter of kind {slot % 20}", "income": "middle fifth", "name": f"Ada {slot} Ôtieno",
    }  # fmt: skip
    core |= changes
    traits = [
        {
            "path": f"demographics.{key}", "value": value, "source": "table",
            "evidence": {"name": country} if key == "country" else {"table": "age_sex_education", "of": country},
        }
        for key, value in core.items()
    ]  # fmt: skip
    traits += [
        {"path": f"personality.big_five.{trait}", "value": 1.0 + (slot + k) % 41 / 10, "source": "table",
         "evidence": {"table": "personality", "scale": "1-5"}}
        for k, trait in enumerate(("extraversion", "neuroticism", "agreeableness", "conscientiousness", "openness"))
    ]  # fmt: skip
    traits += [
        {"path": "relationships.kin.lives_with", "value": ["partner", "two children"], "source": "derived"},
        {"path": "lifestyle.food.weekday_breakfast", "value": ("tea and bread", "cold rice")[slot % 2], "source": "prior",
         "evidence": {"stratum": "near", "p": 0.23}},
        {"path": "culture.interests.first", "value": "cattle prices", "source": "story", "evidence": {"story": "The cow"}},
    ]  # fmt: skip
    portrait = f"{core['name']} turns clay. Nobody asks why.\n\nA second paragraph, number {slot}."
    return {
        "id": f"{code.lower()}-{slot:06d}", "kind": "demographic", "traits": traits,
        "stories": [{"age": 9, "title": "The cow", "text": "It was sold. Then it came back."},
                    {"age": 9, "title": "The well", "text": "It was dry."}],
        "narrative": portrait, "system_prompt": f"You are {core['name']}.\n\n{portrait}\n- You drink tea: always.",
        "provenance": {"engine": "0.1.0", "taxonomy": "sha256:0", "seed": 7, "slot": slot, "model": None},
    }  # fmt: skip


def make_run(path: Path, records: list[dict[str, Any]]) -> Path:
    plan = Plan(
        n=max(len(records), 1), countries={"KE": 1, "DE": 1, "IN": 1}, seed=7, taxonomy="sha256:0", engine="0.1.0"
    )
    folder = RunFolder(path)
    with folder.writing(plan):
        for number, first in enumerate(range(0, len(records), 500)):
            part = records[first : first + 500]
            folder.commit(number, lines_of(part), len(part), [])
    return path


def payload_of(page: Path) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert len(found) == 1
    loaded: dict[str, Any] = json.loads(found[0])
    return loaded


def unpacked(text: str) -> list[int]:
    out, value, scale = [], 0, 1
    for letter in text:
        digit = ALPHABET.index(letter)
        value += digit % 32 * scale
        scale *= 32
        if digit < 32:
            out.append(value)
            value, scale = 0, 1
    return out


@pytest.mark.parametrize("items", [[], [0], [31, 32, 33], [1023, 1024, 10**9, 0, 7]])
def test_numbers_come_back(items: list[int]) -> None:
    assert unpacked(numbers(items)) == items


@pytest.mark.parametrize(
    "text", ["", "One. Two.", "\n\nA: b.  Two spaces.\n- c! \n", "no end", " . . ", "x.\n\ny.\n"]
)  # fmt: skip
def test_texts_come_back_letter_for_letter(text: str) -> None:
    pack = Pack()
    pack.add({"id": "x", "narrative": text})
    sentences = pack.tables()["sentences"]
    lines: list[list[str]] = [[]]
    for place in unpacked(pack.people[0]["n"]):
        lines.append([]) if place == 0 else lines[-1].append(sentences[place])
    assert "\n".join(" ".join(parts) for parts in lines) == text


def test_same_run_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [person(k) for k in range(12)])
    first = write_gallery(run).read_bytes()
    assert write_gallery(run).read_bytes() == first
    assert str(tmp_path).encode() not in first


def test_what_people_say_stays_data(tmp_path: Path) -> None:
    evil = person(0, name=EVIL, occupation=EVIL)
    evil["traits"][-1]["evidence"] = {"story": EVIL, EVIL: EVIL}
    evil["stories"][0] |= {"title": EVIL, "text": EVIL}
    evil |= {"narrative": EVIL, "system_prompt": EVIL, "book": f"# {EVIL}\n\n{EVIL}", "id": EVIL}
    text = write_gallery(make_run(tmp_path / "run", [evil])).read_text("utf-8")
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>") == 2
    assert EVIL in json.dumps(payload_of(tmp_path / "run" / "index.html"), ensure_ascii=False).replace('\\"', '"')


def test_policy_lets_only_the_pages_own_script_run(tmp_path: Path) -> None:
    text = write_gallery(make_run(tmp_path / "run", [person(0)])).read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(", text)
    assert not re.findall(r"(?:src|href)=[\"']?https?:", text)


def test_limit_gives_pages_and_charts_count_everybody(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [person(k) for k in range(620)])
    payload = payload_of(write_gallery(run, limit=25))
    assert [p["i"] for p in payload["people"]] == [person(k)["id"] for k in range(25)]
    counted = payload["population"]
    assert counted["n"] == 620
    assert counted["sexes"] == [310, 310, 0]
    assert sum(sum(row[1:]) for row in counted["pyramid"]) == 620
    for field, rows in counted["words"].items():
        assert sum(sum(row[1:]) for row in rows) == 620, field
    assert len(counted["words"]["occupation"]) == 13
    assert counted["words"]["occupation"][-1][0] == OTHER
    assert sorted(row[2] for row in counted["countries"]) == [206, 207, 207]
    assert all(sum(bins) == 620 for _, bins, _ in counted["five"])
    assert sum(n for _, n in counted["categories"]) == sum(n for _, n in counted["sources"]) == counted["traits"]
    assert not payload_of(write_gallery(run, limit=0))["people"]


def test_two_hundred_people_stay_small(tmp_path: Path) -> None:
    records = [person(k) for k in range(200)]
    for k, record in enumerate(records):
        record["traits"] += [
            {"path": f"home.rooms.thing_{j}", "value": f"answer {j * 7 % 90 + k % 9} to question {j}", "source": "prior",
             "evidence": {"stratum": "mid", "p": (j + k) % 99 / 100}}
            for j in range(230)
        ]  # fmt: skip
        record["book"] = "\n\n".join(f"## Chapter {c}\n\nThe {k}th person did a thing {c}. " * 30 for c in range(12))
    page = write_gallery(make_run(tmp_path / "run", records))
    assert page.stat().st_size < 2_500_000


def test_books_stop_at_the_budget() -> None:
    pack = Pack()
    pack.add({"id": "a"})
    pack.add({"id": "b"})
    assert pack.add_book(0, "A book.", 10**6)
    assert not pack.add_book(1, "Another.", pack.size)
    assert ["b" in p for p in pack.people] == [True, False]


def test_people_without_facts_are_counted_as_not_said(tmp_path: Path) -> None:
    bare = {"id": "x-1", "traits": [], "provenance": {}}
    counted = payload_of(write_gallery(make_run(tmp_path / "run", [bare, person(1)])))["population"]
    assert counted["words"]["religion"][-1] == [NOT_SAID, 0, 0, 1]
    assert counted["sexes"] == [0, 1, 1]
    assert Tally().summary({"work": "Work"})["categories"] == [["Work", 0]]


def test_a_count_of_words_has_a_ceiling() -> None:
    words = Words()
    for k in range(3000):
        words.add(f"word {k}", k % 2)
    rows = words.rows()
    assert len(rows) == 2001
    assert rows[-1] == [OTHER, 500, 500, 0]


def test_command_prints_the_path_and_errors_say_what_to_do(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [person(k) for k in range(3)])
    done = CliRunner().invoke(command, [str(run), "--limit", "2"])
    assert done.exit_code == 0
    assert Path(done.output.strip()) == run / "index.html"
    assert len(payload_of(run / "index.html")["people"]) == 2
    with pytest.raises(UsageError, match="--limit 200"):
        write_gallery(run, limit=-1)
    with pytest.raises(DeepPersonaError, match="not a run"):
        write_gallery(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="not a run"):
        write_gallery(tmp_path / "empty")


# ---- in a browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [person(k) for k in range(30)]
    records[4] = person(4, name=EVIL, occupation="miller")
    records[4]["traits"][-1]["value"] = EVIL
    records[5]["book"] = "# Ada\n\nIt began.\n\n## Work\n\nThen <b>clay</b>.\n\n## Home\n\nA house."
    return write_gallery(make_run(tmp_path_factory.mktemp("gallery") / "a run", records), limit=20)


class Tags(HTMLParser):
    """The names of the elements in a document."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def rendered(page: Path, hash_: str, profile: Path) -> str:
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--enable-logging=stderr",
         "--window-size=1280,900", "--virtual-time-budget=2000", "--dump-dom", page.as_uri() + hash_],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    assert not said, said
    dom = done.stdout.decode()
    tags = Tags()
    tags.feed(dom)
    assert "svg" in tags.seen
    assert "img" not in tags.seen
    assert "<title>owned" not in dom
    return re.sub(r"<script.*?</script>", "", dom, flags=re.S)


@needs_browser
def test_the_list_shows_cards(page: Path, tmp_path: Path) -> None:
    dom = rendered(page, "", tmp_path)
    assert dom.count('class="card"') == 20
    assert 'href="#/p/ke-000003"' in dom
    assert "the first 20 of 30 people; the rest are in personas/" in dom
    assert ">20 people<" in dom
    assert html.escape(EVIL, quote=False) in dom


@needs_browser
def test_the_list_is_searched_and_filtered_by_its_address(page: Path, tmp_path: Path) -> None:
    dom = rendered(page, "#/?q=otieno+RICE&country=Kenya&sort=oldest", tmp_path)
    assert ">3 of 20 people<" in dom
    assert re.findall(r'data-id="([^"]*)"', dom) == ["ke-000009", "ke-000015", "ke-000003"]
    assert "Weekday breakfast: cold <mark>rice</mark>" in dom


@needs_browser
def test_a_person_is_shown_whole(page: Path, tmp_path: Path) -> None:
    dom = rendered(page, "#/p/in-000005", tmp_path)
    for told in (
        "Ada 5 Ôtieno", "A second paragraph, number 5.", "The cow", "It was dry.", "tea and bread" if 5 % 2 == 0 else "cold rice",
        "from table age_sex_education of India", "prior: 23% of people like this would say so; stratum near",
        "told in the story “The cow”", "Show system prompt", "You drink tea: always.", "6 of 20", "Read the life book",
        "Lifestyle and daily routine", 'href="#/p/de-000004"',
    ):  # fmt: skip
        assert told in dom, told
    assert dom.count('class="five-row"') == 5
    assert dom.count('<details class="cat"') == 5
    assert dom.count('class="dot') == 2


@needs_browser
def test_markup_in_a_person_stays_words(page: Path, tmp_path: Path) -> None:
    assert html.escape(EVIL, quote=False) in rendered(page, "#/p/de-000004", tmp_path)
    assert "&lt;b&gt;clay&lt;/b&gt;" in rendered(page, "#/p/in-000005/book", tmp_path)


@needs_browser
def test_the_population_is_drawn(page: Path, tmp_path: Path) -> None:
    dom = rendered(page, "#/population", tmp_path)
    pictures = re.findall(r'<svg role="img" aria-label="([^"]*)"[^>]*>(.*?)</svg>', dom, re.S)
    assert len(pictures) == 15
    assert all("<rect" in marks for _, marks in pictures)
    assert pictures[0][0].startswith("Age and sex. 15 women, 15 men; median age")
    assert "Kenya" in dom
    assert "10 · 33%" in dom


@needs_browser
def test_an_unknown_person_and_an_empty_run_say_so(page: Path, tmp_path: Path) -> None:
    assert "There is no page for xx-1 here" in rendered(page, "#/p/xx-1", tmp_path / "a")
    empty = write_gallery(make_run(tmp_path / "empty", []))
    assert "This run holds nobody yet" in rendered(empty, "#/population", tmp_path / "b")
    assert "carries no people" in rendered(empty, "", tmp_path / "c")


PLAY = """
const out = {};
const key = (name) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
const at = () => document.activeElement;
const wait = () => new Promise((done) => setTimeout(done, 60));
(async () => {
  key('/'); out.slash = at().id;
  at().value = 'RICE'; at().dispatchEvent(new Event('input')); out.found = document.getElementById('count').textContent;
  out.address = location.hash;
  key('ArrowDown'); out.down = at().dataset.id;
  key('ArrowRight'); out.right = at().dataset.id;
  at().click(); await wait(); out.person = location.hash;
  key('ArrowRight'); await wait(); out.next = location.hash;
  document.querySelectorAll('details.cat').forEach((box) => { box.open = true; });
  document.querySelector('button.src-prior').focus(); out.tip = document.getElementById('tip').textContent;
  key('Escape'); out.tipGone = document.getElementById('tip').hidden;
  key('Escape'); await wait(); out.back = location.hash; out.backAt = at().dataset.id;
  document.getElementById('clear').click(); await wait(); out.cleared = document.getElementById('count').textContent;
  const root = document.documentElement.dataset;
  document.getElementById('theme').click(); out.theme = [root.theme];
  document.getElementById('theme').click(); out.theme.push(root.theme);
  const wide = document.documentElement;
  out.overflow = wide.scrollWidth - wide.clientWidth;
  const pre = document.createElement('pre'); pre.id = 'out'; pre.textContent = JSON.stringify(out); document.body.append(pre);
})();
"""


@needs_browser
def test_the_page_is_used_by_keyboard(page: Path, tmp_path: Path) -> None:
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    played = tmp_path / "played.html"
    played.write_text(text.replace("</body>", f"<script>{PLAY}</script></body>"), "utf-8")
    found = re.search(r'<pre id="out">(.*?)</pre>', rendered(played, "", tmp_path / "profile"))
    assert found is not None
    out = json.loads(html.unescape(found[1]))
    assert out == {
        "slash": "q", "found": "10 of 20 people", "address": "#/?q=RICE", "down": "de-000001", "right": "ke-000003",
        "person": "#/p/ke-000003", "next": "#/p/in-000005", "tip": "prior: 23% of people like this would say so; stratum near",
        "tipGone": True, "back": "#/?q=RICE", "backAt": "in-000005", "cleared": "20 people",
        "theme": [out["theme"][0], "light" if out["theme"][0] == "dark" else "dark"], "overflow": 0,
    }  # fmt: skip
