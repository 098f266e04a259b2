"""The whole of stage 1: a corpus is listened to, decided about, and a taxonomy written. Resumable at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from deeppersona.corpus.conversations import Conversation, Corpus, Read, corpus_files
from deeppersona.errors import StoreError, UsageError
from deeppersona.mining.build import Entry, build, log_lines, review_table, reviewed
from deeppersona.mining.listen import Heard, digest, listen, unit_of, without_quotes
from deeppersona.mining.merge import Terms, decide
from deeppersona.mining.reader import ModelReader
from deeppersona.mining.shelf import Shelf
from deeppersona.runtime.executor import over_parts
from deeppersona.runtime.store import told, write_whole
from deeppersona.schema.taxonomy import Taxonomy
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy, taxonomy_files
from deeppersona.taxonomy.write import write_taxonomy
from deeppersona.version import __version__

CHUNK = 200  # conversations entered at once: what a kill can cost
FOLDER = "mining"  # beside the YAML: the shelf, the log, the report, the review
_SEEN = "seen.bin"
_HASH = 16


@dataclass(frozen=True)
class Wanted:
    """What a run of mining is asked for. Everything that changes the result is here."""

    sources: tuple[str, ...]
    base: str = "shipped"
    terms: Terms = field(default_factory=Terms)
    layout: Mapping[str, str] = field(default_factory=dict)
    keep_evidence: bool = False
    model: str | None = None


@dataclass
class Tally:
    """How far a run is."""

    conversations: int = 0
    kept: int = 0
    disclosures: int = 0
    file: str = ""
    tokens: int = 0
    cost: float = 0.0


@dataclass
class Mined:
    """What came of it: the base, the taxonomy, the log, how each file was read, and the shelf's counts."""

    base: Taxonomy
    taxonomy: Taxonomy
    log: list[Entry]
    reads: list[Read]
    out: Path


def base_taxonomy(name: str) -> tuple[Taxonomy, Path | None]:
    """The base by name: ``shipped``, ``empty``, or a folder; with the folder it stands in."""
    if name == "empty":
        return Taxonomy([], read_taxonomy(SHIPPED).categories, ()), None
    if name == "shipped":
        return read_taxonomy(SHIPPED), None
    folder = Path(name)
    if not folder.is_dir():
        raise UsageError(f"--base {name}: write shipped, empty, or the folder of a taxonomy")
    return read_taxonomy(folder), folder


def mine(
    wanted: Wanted, out: Path, *, workers: int = 1, review: Path | None = None, reader: ModelReader | None = None,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> Mined:  # fmt: skip
    """Mine a corpus into ``out``, or go on with it.

    Args:
        wanted: the corpus, the base, the terms.
        out: the folder of the taxonomy to be; ``out/mining`` holds what was heard, the log and the report.
        workers: processes that listen.
        review: a table written by an earlier run and edited by a person (see ``mining.build.reviewed``).
        reader: a model that reads scrubbed words a second time (see ``mining.reader``).
        progress: told after every chunk.

    Raises:
        UsageError: what is asked cannot be. StoreError: the folder is in use, or holds another run.

    """
    base, base_folder = base_taxonomy(wanted.base)
    corpus = Corpus(corpus_files(wanted.sources), wanted.layout)
    with _held(out):
        shelf = Shelf(out / FOLDER / "heard.sqlite")
        try:
            shelf.hold_to(_plan(wanted, base, corpus))
            if base_folder is not None and (seen := base_folder / FOLDER / _SEEN).exists():
                shelf.knew(_hashes(seen.read_bytes()))
            reads = _listen_all(corpus, shelf, wanted, workers, reader, progress)
            log = decide(shelf, base, wanted.terms, reader.words if reader is not None else None)
            if review is not None:
                log = reviewed(log, review)
            taxonomy = build(base, log)
            write_taxonomy(taxonomy, out)
            write_whole(out / FOLDER / "log.jsonl", log_lines(log))
            write_whole(out / FOLDER / _SEEN, b"".join(shelf.hashes()))
            write_whole(out / FOLDER / "review.csv", review_table(log))
        finally:
            shelf.close()
    return Mined(base, taxonomy, log, reads, out)


def replay(log: Sequence[Entry], base_name: str, out: Path) -> Taxonomy:
    """Make the taxonomy of a log again from its base, without the corpus."""
    base, _ = base_taxonomy(base_name)
    taxonomy = build(base, log)
    with _held(out):
        write_taxonomy(taxonomy, out)
        write_whole(out / FOLDER / "log.jsonl", log_lines(log))
    return taxonomy


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Hold a folder for one process; one with a taxonomy that was not mined is not written over."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder")
    if out.exists() and any(out.iterdir()) and not (out / FOLDER).is_dir():
        raise UsageError(f"{out} holds something that was not mined; choose another --out")
    with told("creating", out):
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / FOLDER / ".lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise StoreError(f"{out} is being written by another process; wait for it or choose another --out") from None


def _plan(wanted: Wanted, base: Taxonomy, corpus: Corpus) -> dict[str, Any]:
    """What the listening rests on: not the terms, which may be changed and asked of the same shelf again."""
    return {
        "engine": __version__, "base": base.fingerprint, "files": [p.name for p in corpus.files], "layout": dict(wanted.layout),
        "keep evidence": wanted.keep_evidence, "model": wanted.model,
    }  # fmt: skip


def _hashes(packed: bytes) -> Iterable[bytes]:
    return (packed[k : k + _HASH] for k in range(0, len(packed), _HASH))


@dataclass(frozen=True)
class _Chunk:
    number: int
    digest: str
    conversations: list[tuple[int, Conversation]]
    twice: int
    known: int
    keep_words: bool


def _listen_all(
    corpus: Corpus, shelf: Shelf, wanted: Wanted, workers: int, reader: ModelReader | None, progress: Callable[[Tally], None]
) -> list[Read]:  # fmt: skip
    """Listen to every conversation that is new, a chunk at a time over processes; chunks already entered are passed over."""
    reads: list[Read] = []
    tally = Tally()
    done = shelf.done()

    def chunks() -> Iterator[_Chunk]:
        stream = ((len(reads) - 1, read, conversation) for read, conversation in corpus.stream(reads))
        for number, items in enumerate(iter(lambda: list(islice(stream, CHUNK)), [])):
            tally.conversations += len(items)
            tally.file = reads[-1].file
            units = [unit_of(conversation) for _, _, conversation in items]
            whole = digest(b"".join(units).hex()).hex()
            if number in done:
                if done[number] != whole:
                    raise StoreError(
                        f"the corpus is not as it was when this run began (conversations {number * CHUNK + 1} to "
                        f"{number * CHUNK + len(items)} differ); restore it or choose another --out"
                    )
                progress(tally)
                continue
            here = shelf.known(units, "unit")
            before = shelf.known(units, "seen")
            new: dict[bytes, tuple[int, Conversation]] = {}
            for unit, (file, _, conversation) in zip(units, items, strict=True):
                if unit not in here and unit not in before:
                    new.setdefault(unit, (file, conversation))
            known = sum(unit in before for unit in units)
            yield _Chunk(number, whole, list(new.values()), len(units) - known - len(new), known, reader is not None)

    for chunk, found in over_parts(_listen_chunk, chunks(), workers):
        heard = reader.read(found) if reader is not None else found
        shown = [
            (file, _stored(h, wanted.keep_evidence)) for (file, _), h in zip(chunk.conversations, heard, strict=True)
        ]
        shelf.enter(chunk.number, chunk.digest, shown, chunk.twice, chunk.known)
        if reader is not None:
            usage = reader.models.usage()
            tally.tokens, tally.cost = usage.tokens_in + usage.tokens_out, reader.models.purse.spent
        tally.kept += sum(h.verdict.kind != "not" for h in heard)
        tally.disclosures += sum(len(h.disclosures) for h in heard)
        progress(tally)
    return reads


def _listen_chunk(chunk: _Chunk) -> list[Heard]:
    return [listen(conversation, keep_words=chunk.keep_words) for _, conversation in chunk.conversations]


def _stored(heard: Heard, keep_evidence: bool) -> Heard:
    """What may be stored: quotations as hashes unless evidence is to be kept; a person's words never as a whole."""
    from dataclasses import replace

    shown = heard.disclosures if keep_evidence else tuple(without_quotes(heard.disclosures))
    return replace(heard, disclosures=shown, own_words="")


def is_mined(folder: Path) -> bool:
    """Whether a folder holds a taxonomy that was mined."""
    return (folder / FOLDER / "log.jsonl").exists() and bool(taxonomy_files(folder))
