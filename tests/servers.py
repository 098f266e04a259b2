"""A real OpenAI-compatible HTTP server on loopback that answers deterministically and fails on purpose.

Tests use it as a context manager, benchmarks as a process of its own (``python -m tests.servers --help``).
Every answer is a function of the request, so what a client kept, lost or paid for twice can be counted exactly.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import math
import pkgutil
import random
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import cache
from itertools import product
from typing import Any, Self

import orjson
from aiohttp import web

KINDS = (
    "rate_limit",
    "error_500",
    "reset",
    "cut_json",
    "cut_length",
    "refusal",
    "garbage",
    "empty",
    "slow_drip",
    "wrong_schema",
    "duplicate_keys",
    "huge",
    "not_json",
    "prose_around",
)
JSON_KINDS = frozenset({"wrong_schema", "duplicate_keys", "prose_around"})  # these mean nothing to an answer in prose
MODES = frozenset({"schema", "json", "plain"})
REFUSAL = "I'm sorry, but I can't help with that."
HTML = b"<!doctype html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
HUGE_BYTES = 20 * 2**20
DRIP_S = 0.2
RETRY_AFTER = {"Retry-After": "0.05"}
RANGE = re.compile(r"\((\d+) to (\d+) words\)")
NUMBERED = re.compile(r"^\s*(\d+)\. (.*)$", re.MULTILINE)
KEYED = re.compile(r"^\W*(\w(?:[\w.-]*\w)?)\b.*?\((\d+) to (\d+) words\)", re.MULTILINE)
NAMED = re.compile(r"^[-* ]*Name: *(\S.*?)\s*$", re.MULTILINE)
Body = dict[str, Any]
Script = Callable[[Body], str | None]


def _pool(words: str) -> tuple[str, ...]:
    """Keep a prime number of the words, so that stepping through them at any stride meets every one."""
    found = tuple(dict.fromkeys(words.split("|") if "|" in words else words.split()))
    size = next(n for n in range(len(found), 1, -1) if all(n % d for d in range(2, math.isqrt(n) + 1)))
    return found[:size]


DETERMINERS = ("the", "that", "the", "one", "another", "our", "their")
PEOPLE = _pool(
    """neighbour baker cousin teacher fisherman aunt carpenter nurse driver tailor gardener clerk grandmother uncle
    plumber student widow captain librarian butcher farmer sister brother painter mechanic weaver potter cook porter
    shepherd lodger landlord postman sailor welder singer drummer coach midwife pharmacist barber mason beekeeper
    ferryman translator guard cashier miller cyclist goalkeeper"""
)
NOUNS = _pool(
    """kettle bicycle ladder lantern basket blanket radio umbrella satchel hammer mirror teapot shovel notebook
    calendar wardrobe bucket violin trumpet compass anchor saddle candle pillow carpet curtain drawer envelope fence
    gate handle jacket kite ledger mattress needle oven paddle quilt rope saucepan scarf shelf spoon stool suitcase
    table thermos towel tractor tray trolley typewriter vase wallet wheelbarrow whistle window wrench apron bench
    bottle bracelet brush cabinet camera canoe chair chessboard clock coat comb cradle cupboard dictionary doorbell
    drum engine feather flute goat guitar hen hook jar jug keyboard lamp loaf map melon newspaper onion orange oar
    padlock parcel pencil photograph pumpkin puzzle raincoat ribbon sandal saw scooter sieve sofa stamp stove
    telescope tent ticket torch trunk van watch wheel whetstone yarn"""
)
VERBS = _pool(
    """mended carried painted cleaned counted polished borrowed sold bought kept found lost lifted moved wrapped
    weighed sketched photographed measured repaired stored guarded admired noticed remembered forgot described
    inspected dusted covered returned chose traded hid washed dried tied dragged labelled shared packed unpacked
    ordered delivered rented patched hung praised wanted tested replaced collected rescued mislaid auctioned
    inherited restored balanced recognised pawned"""
)
ADJECTIVES = _pool(
    """copper rusty heavy narrow painted wooden faded green striped borrowed crooked polished cracked woollen silver
    dusty small square yellow broken spare worn bright hollow patched grey plain sturdy leather blue battered folded
    round expensive cheap foreign tin red stained handmade brown quiet clean loose woven tall"""
)
MANNERS = _pool(
    """patient cheerful stubborn careful thrifty generous shy talkative restless punctual gentle blunt curious proud
    sleepy honest nervous cautious witty tireless elderly young busy friendly serious calm forgetful modest tidy"""
)
ADVERBS = _pool(
    "slowly quietly carefully gladly finally often rarely simply gently proudly promptly nearly calmly secretly "
    "eagerly barely patiently"
)
PREPOSITIONS = _pool("near behind beside beyond outside under inside above opposite past beneath")
PLACES = _pool(
    """harbour orchard market bakery station chapel mill workshop library bridge quarry school clinic courtyard
    vineyard warehouse ferry playground bakehouse stable attic cellar garage greenhouse theatre canteen pharmacy
    lighthouse mosque temple stadium museum bookshop canal tunnel barracks pier"""
)
OPENERS_2 = _pool(
    "Last winter,|Every Sunday,|After supper,|Before dawn,|Most evenings,|That spring,|Some mornings,|Years later,"
    "|Around noon,|On Fridays,|During Lent,|At night,|Once again,"
)
OPENERS_3 = _pool(
    "On market days,|In early autumn,|After the rain,|Before the wedding,|During the harvest,|Since the flood,"
    "|On quiet afternoons,|At first light,|Between two shifts,|For several months,|In dry weather,"
)
COORDINATORS = ("and", "then", "but")
DET, PERSON, NOUN, VERB, ADJ, MANNER, ADVERB, PREP, PLACE, OPEN_2, OPEN_3, AND, NAME = range(13)
POOLS = (
    DETERMINERS, PEOPLE, NOUNS, VERBS, ADJECTIVES, MANNERS, ADVERBS, PREPOSITIONS, PLACES, OPENERS_2, OPENERS_3,
    COORDINATORS,
)  # fmt: skip
BY_LENGTH: dict[int, tuple[str, ...]] = {
    n: tuple(w for w in (*NOUNS, *PLACES, *PEOPLE) if len(w) == n) for n in range(3, 12)
}


def _patterns(subjects: Sequence[tuple[int, ...]], opened: bool = True) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Every order of slots a sentence can have, by its number of words (a name counts as none)."""
    found: dict[int, list[tuple[int, ...]]] = {}
    for (opener, words), subject, adverb, adjective, place, more in product(
        (((), 0), ((OPEN_2,), 2), ((OPEN_3,), 3)) if opened else (((), 0),),
        subjects,
        ((), (ADVERB,)),
        ((), (ADJ,)),
        ((), (PREP, DET, PLACE), (PREP, DET, ADJ, PLACE)),
        ((), (AND, VERB, DET, NOUN), (AND, VERB, DET, ADJ, NOUN)),
    ):
        slots = (*subject, *adverb, VERB, DET, *adjective, NOUN, *place, *more)
        found.setdefault(words + len(slots) - slots.count(NAME), []).append((*opener, *slots))
    return {n: tuple(slots) for n, slots in found.items()}


SENTENCES = _patterns(((DET, PERSON), (DET, MANNER, PERSON)))
NAMED_SENTENCES = _patterns(((NAME,),))
PHRASES = _patterns(((),), opened=False) | {1: ((NOUN,),), 2: ((ADJ, NOUN),)}


class Prose:
    """English sentences of exact lengths; each word list is walked at a stride of its own, so that nothing loops."""

    def __init__(self, seed: bytes) -> None:
        self.rng = random.Random(int.from_bytes(seed[:8], "big"))  # noqa: S311 - text, not secrets
        self._at = [self.rng.randrange(len(pool)) for pool in POOLS]
        self._step = [self.rng.randrange(1, len(pool)) for pool in POOLS]

    def _fill(self, patterns: dict[int, tuple[tuple[int, ...], ...]], words: int, name: str = "") -> str:
        slots = self.rng.choice(patterns[min(max(words, min(patterns)), max(patterns))])
        at, out = self._at, []
        for slot in slots:
            if slot == NAME:
                out.append(name)
                continue
            pool = POOLS[slot]
            at[slot] = (at[slot] + self._step[slot]) % len(pool)
            out.append(pool[at[slot]])
        return " ".join(out)

    def phrase(self, words: int) -> str:
        """A few words without a full stop, as one fills in a form."""
        return self._fill(PHRASES, words)

    def sentence(self, words: int, name: str = "") -> str:
        """A sentence of that many words (5 to 20), told of ``name`` where one is given."""
        own = len(name.split())
        text = self._fill(NAMED_SENTENCES, words - own, name) if own else self._fill(SENTENCES, words)
        return text[0].upper() + text[1:] + "."

    def sentences(self, words: int, name: str = "") -> list[str]:
        """Sentences of 7 to 16 words, that many words in all; the first tells of ``name``, some later ones too."""
        out = []
        if name:
            opening = max(self.rng.randint(7, 12), len(name.split()) + 3)
            opening = words if words - opening < 7 else opening
            out.append(self.sentence(opening, name))
            words -= opening
        elif words < 7:
            return [self.sentence(words) if words >= 5 else self.phrase(words)]
        if words < 7:
            return out
        count = self.rng.randint(math.ceil(words / 16), words // 7)
        spare, first = words - 7 * count, name.split()[0] if name else ""
        for left in range(count, 0, -1):
            wanted = round(spare / left + self.rng.uniform(-3, 3))
            extra = min(max(wanted, spare - 9 * (left - 1), 0), 9, spare)
            spare -= extra
            out.append(self.sentence(7 + extra, first if self.rng.random() < 0.3 else ""))
        return out

    def paragraphs(self, low: int, high: int, name: str = "") -> str:
        """From ``low`` to ``high`` words in paragraphs of about seventy."""
        paragraphs: list[list[str]] = [[]]
        words = 0
        for sentence in self.sentences(self.rng.randint(low, max(low, high)), name):
            if words >= 65:
                paragraphs.append([])
                words = 0
            paragraphs[-1].append(sentence)
            words += sentence.count(" ") + 1
        return "\n\n".join(" ".join(p) for p in paragraphs)

    def text(self, low: int, high: int) -> str:
        """From ``low`` to ``high`` words on one line."""
        return " ".join(self.sentences(self.rng.randint(low, max(low, high))))

    def fitted(self, least: int, most: int, words: tuple[int, int] | None) -> str:
        """A text of ``least`` to ``most`` characters, and of that many words where both can be had."""
        sentence = least >= 20
        text = ""
        for _ in range(12):
            if words:
                text = self.text(*words)
            elif least or most < 60:
                aim = self.rng.uniform(least, min(most, least + max(40, least // 3)))
                text = self.text(*[max(round(aim / 6.1), 1)] * 2)
            else:
                text = self.phrase(self.rng.randint(4, 10))
            text = text if not sentence or text.endswith(".") else self.sentence(5)
            if least <= len(text) <= most:
                return text
        while len(text) < least:
            text += " " + self.sentence(7)
        return text if len(text) <= most else self._cut(text, least, most, "." if sentence else "")

    def _cut(self, text: str, least: int, most: int, stop: str) -> str:
        """End a text that is too long at a whole word, and the odd gap that leaves with a word that fits it."""
        room = most - len(stop)
        text = text[: room + 1].rpartition(" ")[0].rstrip(".,") if " " in text[: room + 1] else text[:room]
        if len(text) + len(stop) < least:
            gap = room - len(text) - 1
            text = f"{text} {self.rng.choice(BY_LENGTH[gap])}" if gap in BY_LENGTH else (text + "s" * most)[:room]
        return text + stop


def _content(message: Body) -> str:
    """What a message says, also where it is given in parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _mode(body: Body) -> str:
    kind = (body.get("response_format") or {}).get("type", "text")
    return {"json_schema": "schema", "json_object": "json"}.get(kind, "plain")


def _last_asked(body: Body) -> str:
    return next((_content(m) for m in reversed(body["messages"]) if m.get("role") == "user"), "")


def _wants_json(body: Body) -> bool:
    return _mode(body) != "plain" or "JSON" in _last_asked(body)


def _word_range(text: str) -> tuple[int, int] | None:
    found = RANGE.search(text)
    return (int(found[1]), int(found[2])) if found else None


class Instance:
    """Values that obey a JSON schema of the kind model servers accept."""

    def __init__(self, prose: Prose, schema: Body, lines: dict[str, tuple[int, int]]) -> None:
        self._prose, self._root, self._lines = prose, schema, lines

    def value(self, schema: Body, key: str = "") -> Any:
        """A value of the schema; ``key`` is the property it is for."""
        schema = self._resolved(schema)
        rng = self._prose.rng
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = self._kind(schema)
        if kind == "object":
            return {name: self.value(of, name) for name, of in schema.get("properties", {}).items()}
        if kind == "array":
            return self._array(schema, key)
        if kind == "boolean":
            return rng.random() < 0.5
        if kind in {"integer", "number"}:
            return self._number(schema, kind)
        if kind == "null":
            return None
        words = _word_range(schema.get("description", "")) or self._lines.get(key)
        return self._prose.fitted(schema.get("minLength", 0), schema.get("maxLength", 10**9), words)

    def _resolved(self, schema: Body) -> Body:
        while True:
            choices = [c for name in ("anyOf", "oneOf", "allOf") for c in schema.get(name, ())]
            if "$ref" in schema:
                found: Any = self._root
                for step in schema["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
                schema = found
            elif choices:
                schema = next((c for c in choices if c.get("type") != "null"), choices[0])
            else:
                return schema

    def _kind(self, schema: Body) -> str:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        return kind if isinstance(kind, str) else next((k for k in kind if k != "null"), "null")

    def _array(self, schema: Body, key: str) -> list[Any]:
        least = schema.get("minItems", 0)
        size = self._prose.rng.randint(max(least, min(1, schema.get("maxItems", 1))), schema.get("maxItems", least + 3))
        items = self._resolved(schema.get("items", {}))
        options = items.get("enum", ())
        if len(options) >= size:  # no option twice while there are enough of them
            return self._prose.rng.sample(options, size)
        return [self.value(items, key) for _ in range(size)]

    def _number(self, schema: Body, kind: str) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", min(0, schema.get("maximum", 0))))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 100))
        if kind == "integer":
            return self._prose.rng.randint(
                math.ceil(low) + ("exclusiveMinimum" in schema), math.floor(high) - ("exclusiveMaximum" in schema)
            )
        drawn = round(self._prose.rng.uniform(low, high), 2)
        return float(min(max(drawn, low), high))


def answer(body: Body) -> str:
    """The text a flawless model gives: a function of the messages, response_format, temperature and seed alone."""
    asked = [body["messages"], body.get("response_format"), body.get("temperature"), body.get("seed")]
    prose = Prose(hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest())
    last, mode = _last_asked(body), _mode(body)
    if mode == "schema":
        schema = body["response_format"]["json_schema"].get("schema", {})
        lines = {key: (int(low), int(high)) for key, low, high in KEYED.findall(last)}
        return orjson.dumps(Instance(prose, schema, lines).value(schema)).decode()
    if _wants_json(body):
        text = _numbered(prose, last)
        return text if mode == "json" else f"```json\n{text}\n```"
    low, high = _word_range(last) or (40, 60)
    name = next((found[1] for m in body["messages"] if (found := NAMED.search(_content(m)))), "")
    return prose.paragraphs(low, high, name)


def _numbered(prose: Prose, asked: str) -> str:
    """The object asked for by numbered lines, each saying how long its text is to be."""
    out = {}
    for key, line in NUMBERED.findall(asked):
        words = _word_range(line)
        out[key] = prose.text(*words) if words else prose.phrase(prose.rng.randint(4, 10))
    return orjson.dumps(out or {"answer": prose.phrase(prose.rng.randint(4, 10))}).decode()


def spoilt(kind: str, text: str, rng: random.Random) -> tuple[str | None, str, str | None]:
    """What a kind of fault makes of a good answer: content, finish_reason and message.refusal."""
    if kind in {"cut_json", "cut_length"}:
        return text[: int(len(text) * rng.uniform(0.3, 0.8))], "length" if kind == "cut_length" else "stop", None
    if kind == "refusal":
        return (None, "stop", REFUSAL) if rng.random() < 0.5 else (REFUSAL, "stop", None)
    if kind == "empty":
        return ("" if rng.random() < 0.5 else None), "stop", None
    if kind == "garbage":
        return _garbage(rng), "stop", None
    if kind == "huge":
        return text + _filler(), "stop", None
    if kind == "prose_around":
        before, after = "Sure! Here is the JSON you asked for:", "Let me know if you would like anything changed."
        inner = text if text.startswith("```") or rng.random() < 0.5 else f"```json\n{text}\n```"
        return f"{before}\n\n{inner}\n\n{after}", "stop", None
    fence = text.startswith("```")
    found = _object(text)
    if kind == "wrong_schema":
        wrong = {f"field_{i}": v for i, v in enumerate(found.values())}
        text = orjson.dumps(wrong if rng.random() < 0.5 else {k: _other_type(v) for k, v in found.items()}).decode()
    if kind == "duplicate_keys" and found:
        key, value = rng.choice(list(found.items()))
        again = orjson.dumps({key: _altered(value)}).decode()
        text = orjson.dumps(found).decode()[:-1] + "," + again[1:]
    return (f"```json\n{text}\n```" if fence and not text.startswith("```") else text), "stop", None


def _object(text: str) -> Body:
    try:
        found = orjson.loads(text.removeprefix("```json").removesuffix("```"))
    except orjson.JSONDecodeError:
        found = text
    return found if isinstance(found, dict) else {"answer": found}


def _other_type(value: Any) -> Any:
    if isinstance(value, str):
        return len(value)
    return [value] if isinstance(value, dict) else "several"


def _altered(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return " ".join(reversed(value.split())) + " again"
    return value[1:] if isinstance(value, list) else {}


def _garbage(rng: random.Random) -> str:
    symbols = "".join(rng.choices("#@$%^&*~|<>{}[]=+_\\/§¶†‡░▒▓█", k=300))
    return rng.choice((symbols, f"{rng.choice(NOUNS)} " * 200, "\ufffd" * 200))


@cache
def _filler() -> str:
    """Twenty megabytes of sentences, built where they are wanted: a quarter of a megabyte over and over."""
    block = " " + " ".join(Prose(b"filler").sentences(40_000))
    return block * (HUGE_BYTES // len(block) + 1)


def first_token(text: str, count: int, rng: random.Random) -> list[Body]:
    """The log probabilities of an answer's first token, with ``count`` alternatives of the same sort."""
    token = (re.match(r"\s*\w+|\s*\S", text) or [text[:1]])[0]
    sort = "0123456789" if token.isdigit() else "ABCDEFGHIJKLMNOPQRST" if len(token) == 1 else rng.sample(NOUNS, 21)
    others = [t for t in sort if t != token][: max(count - 1, 0)]
    ratio = rng.uniform(0.2, 0.7)
    weights = [ratio**i for i in range(len(others) + 1)]
    top = [
        {"token": t, "logprob": math.log(0.98 * w / sum(weights)), "bytes": list(t.encode())}
        for t, w in zip((token, *others), weights, strict=True)
    ]
    return [{**top[0], "top_logprobs": top[:count]}]


def _error(status: int, message: str, kind: str, headers: dict[str, str] | None = None, **more: str) -> web.Response:
    body = orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": None} | more})
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


class FaultyServer:
    """The server: ``with FaultyServer(faults=0.1, seed=1) as server: ask(server.url)``.

    It runs on a thread and an event loop of its own. A fault is drawn from the seed, the body and how often that body
    has come before, so a run is repeatable whatever the order of arrival, and a retry usually succeeds; ``persistent``
    makes a faulty body faulty every time. Kinds that mean nothing to prose are never drawn for a request in prose.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        per_token: float = 0.0,
        faults: float = 0.0,
        kinds: Iterable[str] = KINDS,
        seed: int = 0,
        modes: Iterable[str] = MODES,
        script: Script | None = None,
        capacity: int | None = None,
        require_key: str | None = None,
        persistent: bool = False,
        model: str = "faulty-1",
    ) -> None:
        self.port, self.latency, self.per_token, self.faults, self.seed = port, latency, per_token, faults, seed
        self.kinds, self.modes = tuple(kinds), frozenset(modes)
        if unknown := (set(self.kinds) - set(KINDS)) | (self.modes - MODES):
            raise ValueError(f"unknown kinds or modes: {', '.join(sorted(unknown))}")
        self.script, self.capacity, self.require_key = script, capacity, require_key
        self.persistent, self.model = persistent, model
        self._thread = threading.Thread()
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget every request so far: counters, arrivals and the prompt cache."""
        self.requests = self.good = self.answered_twice = self.disconnected = 0
        self.max_in_flight = self.in_flight
        self.by_kind = dict.fromkeys(KINDS, 0)
        self.rejected = dict.fromkeys(("malformed", "key", "mode", "capacity"), 0)
        self._arrivals: dict[bytes, int] = {}
        self._answered: dict[bytes, int] = {}
        self._prefixes: set[bytes] = set()
        self._busy = 0.0
        self._first = self._changed = time.perf_counter() if self.in_flight else 0.0

    @property
    def url(self) -> str:
        """The base URL a client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def distinct(self) -> int:
        """How many different bodies were let in."""
        return len(self._arrivals)

    @property
    def busy_s(self) -> float:
        """Requests in flight, integrated over time since the first one."""
        return self._busy + self.in_flight * (time.perf_counter() - self._changed)

    @property
    def wall_s(self) -> float:
        """Seconds from the first request to the last answer, or to now while any is in flight."""
        return (time.perf_counter() if self.in_flight else self._changed) - self._first

    def stats(self) -> dict[str, Any]:
        """The counters, as /stats gives them. ``good`` answers were written whole and without any fault."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            # asked of the loop, so that no request is seen half done
            return asyncio.run_coroutine_threadsafe(self._snapshot(), self._loop).result()
        return self._counters()

    async def _snapshot(self) -> dict[str, Any]:
        return self._counters()

    def _counters(self) -> dict[str, Any]:
        names = ("requests", "good", "distinct", "answered_twice", "in_flight", "max_in_flight", "busy_s", "wall_s",
                 "disconnected")  # fmt: skip
        return {name: getattr(self, name) for name in names} | {
            "by_kind": dict(self.by_kind),
            "rejected": dict(self.rejected),
        }

    def __enter__(self) -> Self:
        started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        self.port = started.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, started: Future[int]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/reset", self._forget)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port, backlog=4096).start()
            started.set_result(runner.addresses[0][1])
            await self._stop.wait()
        except OSError as problem:
            started.set_exception(problem)
        finally:
            await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        models = [{"id": self.model, "object": "model", "created": 0, "owned_by": "tests"}]
        return web.json_response(body=orjson.dumps({"object": "list", "data": models}))

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(self._counters()))

    async def _forget(self, _: web.Request) -> web.Response:
        self.reset()
        return web.Response(status=204)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests += 1
        self._first = self._first or time.perf_counter()
        body = _parsed(raw)
        if (refused := self._refused(request, body)) is not None:
            self._mark(0)
            return refused
        self._mark(1)
        try:
            return await self._answer(request, body)
        except ConnectionResetError:
            self.disconnected += 1
            return web.Response()  # nobody is left to read it
        finally:
            self._mark(-1)

    def _mark(self, change: int) -> None:
        now = time.perf_counter()
        self._busy += self.in_flight * (now - (self._changed or now))
        self._changed = now
        self.in_flight += change
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def _refused(self, request: web.Request, body: Body) -> web.Response | None:
        """The answer to a request that is not let in at all."""
        if self.require_key and request.headers.get("Authorization") != f"Bearer {self.require_key}":
            self.rejected["key"] += 1
            return _error(401, "Incorrect API key provided.", "invalid_request_error", code="invalid_api_key")
        if not body or body.get("stream"):
            self.rejected["malformed"] += 1
            return _error(400, "The body must be JSON with messages, and not ask to stream.", "invalid_request_error")
        if _mode(body) not in self.modes:
            self.rejected["mode"] += 1
            kind = (body.get("response_format") or {}).get("type", "text")
            said = f"Invalid parameter: 'response_format' of type '{kind}' is not supported with this model."
            return _error(400, said, "invalid_request_error", param="response_format")
        if self.capacity is not None and self.in_flight >= self.capacity:
            self.rejected["capacity"] += 1
            return _error(429, "Too many requests at once.", "rate_limit_error", RETRY_AFTER)
        return None

    async def _answer(self, request: web.Request, body: Body) -> web.StreamResponse:
        """Answer a request that was let in, well or badly."""
        digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()[:16]
        arrival = self._arrivals[digest] = self._arrivals.get(digest, 0) + 1
        kind, rng = self._drawn(digest, arrival, _wants_json(body))
        prompt = "".join(f"{m.get('role')}\n{_content(m)}\n" for m in body["messages"])
        cached = self._cached_tokens(prompt)
        if kind == "rate_limit":
            return _error(429, "Rate limit reached.", "rate_limit_error", RETRY_AFTER, code="rate_limit_exceeded")
        text = self.script(body) if self.script else None
        text = answer(body) if text is None else text
        content, finish, refusal = spoilt(kind, text, rng) if kind else (text, "stop", None)
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        if limit and content and len(content) > 4 * limit:
            content, finish = content[: 4 * limit], "length"
        tokens = math.ceil(len(content or refusal or "") / 4)
        if delay := self.latency + self.per_token * (tokens if kind != "huge" else len(text) // 4):
            await asyncio.sleep(delay)
        if kind == "error_500":
            return _error(500, "The server had an error while processing your request.", "server_error")
        if kind == "reset":
            return _hung_up(request, rng)
        if kind == "not_json":
            return web.Response(body=HTML, content_type="text/html")
        choice: Body = {
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": refusal},
            "finish_reason": finish,
            "logprobs": None,
        }
        if body.get("logprobs"):
            count = body.get("top_logprobs") or 0
            choice["logprobs"] = {"content": first_token(content, count, random.Random(digest)) if content else []}  # noqa: S311
        asked = math.ceil(len(prompt) / 4)
        payload = orjson.dumps(
            {
                "id": f"chatcmpl-{digest.hex()}-{arrival}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body.get("model") or self.model,
                "choices": [choice],
                "usage": {
                    "prompt_tokens": asked,
                    "completion_tokens": tokens,
                    "total_tokens": asked + tokens,
                    "prompt_tokens_details": {"cached_tokens": cached},
                },
            }
        )
        if kind in {"slow_drip", "huge"}:
            return await self._streamed(request, payload, drip=kind == "slow_drip")
        response = web.Response(body=payload, content_type="application/json")
        if kind is None:  # counted before it is written: whoever has read an answer must find it in the counters
            self._count_good(digest, 1)
        try:
            await response.prepare(request)
            await response.write_eof()
        except BaseException:
            if kind is None:
                self._count_good(digest, -1)
            raise
        return response

    def _count_good(self, digest: bytes, change: int) -> None:
        self.good += change
        before = self._answered.get(digest, 0)
        self._answered[digest] = after = before + change
        self.answered_twice += (after > 1) - (before > 1)

    def _drawn(self, digest: bytes, arrival: int, in_json: bool) -> tuple[str | None, random.Random]:
        """Which fault this arrival of a body meets, if any, and the dice that shape it."""
        count = 0 if self.persistent else arrival
        rng = random.Random(f"{self.seed}:{count}:{digest.hex()}")  # noqa: S311
        kinds = [k for k in self.kinds if in_json or k not in JSON_KINDS]
        if not kinds or rng.random() >= self.faults:
            return None, rng
        kind = rng.choice(kinds)
        self.by_kind[kind] += 1
        return kind, rng

    def _cached_tokens(self, prompt: str) -> int:
        """How much of the prompt an earlier one began with too, in blocks of 64 tokens (256 characters)."""
        running, known = hashlib.blake2b(digest_size=8), 0
        for start in range(0, len(prompt) - 255, 256):
            running.update(prompt[start : start + 256].encode("utf-8", "surrogatepass"))
            mark = running.digest()
            if mark in self._prefixes:
                known += 64
            else:
                self._prefixes.add(mark)
        return known

    async def _streamed(self, request: web.Request, payload: bytes, drip: bool) -> web.StreamResponse:
        """Write the headers at once and the body in pieces: so slowly that it never ends, or because it is huge."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(payload)
        await response.prepare(request)
        size = 1 if drip else 2**18
        for start in range(0, len(payload), size):
            await response.write(payload[start : start + size])
            if drip:
                await asyncio.sleep(DRIP_S)
            if self._stop.is_set():
                break
        return response


def _parsed(raw: bytes) -> Body:
    """The body of a request, or nothing where it is not one."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    messages = body.get("messages") if isinstance(body, dict) else None
    return body if isinstance(messages, list) and messages and all(isinstance(m, dict) for m in messages) else {}


def _hung_up(request: web.Request, rng: random.Random) -> web.Response:
    """Close the connection without an answer: half the time politely (FIN), half the time not (RST)."""
    if request.transport is not None:
        if rng.random() < 0.5:
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--per-token", type=float, default=0.0, help="seconds for each token of an answer")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that go wrong")
    parser.add_argument("--kinds", type=lambda s: s.split(","), default=KINDS, help=f"of {','.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modes", type=lambda s: s.split(","), default=MODES, help="of schema,json,plain")
    parser.add_argument("--script", type=pkgutil.resolve_name, help="module:function that gives the text of an answer")
    parser.add_argument("--capacity", type=int, help="more than that many at once get a 429")
    parser.add_argument("--require-key")
    parser.add_argument("--persistent", action="store_true", help="a faulty body is faulty every time")
    parser.add_argument("--model", default="faulty-1", help="the name /v1/models gives")
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    with FaultyServer(**vars(parser.parse_args(arguments))) as server:
        print(server.url, flush=True)
        told.wait()


if __name__ == "__main__":
    main()
