"""The taxonomy checker: one function a rule, each returning issues; ``check`` runs them all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeppersona.errors import UsageError
from deeppersona.models.embedder import cosine, default_embedder
from deeppersona.schema import vocabulary as v
from deeppersona.schema.condition import ALWAYS, Clause, Condition
from deeppersona.schema.phrase import PERSONS, faults, say
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Attribute, ScaleSpec, Taxonomy
from deeppersona.taxonomy import tone
from deeppersona.taxonomy.coverage import LEAST_PER_REGION, LEAST_PER_STAGE, by_stage, thin_regions
from deeppersona.taxonomy.read import Reading, read_folder

NEAR_DUPLICATE, NEAR_DUPLICATE_ANYWHERE = 0.93, 0.95
SHARED_STEMS = 0.75
WHOLE_TREE = 1000  # a tree of this size means to tell any life, so every stage of life is wanted in it
VALUE_NAMES = re.compile(r"(^|_)(is|has|likes|loves|hates|owns|never|always)_|_(yes|no|true|false)$")
PLUMBING = re.compile(
    r"(^|\.)(misc|miscellaneous|general|others?|attributes?|properties|various|info|details|data|unspecified)(\.|$)"
    r"|_(misc|general|attributes|properties|info|details|data|unspecified)(\.|$)|userprofile"
)
LEAST_BAD, LOPSIDED = 0.03, 2.0
_COMMON_STEMS = frozenset(
    [
        "the",
        "and",
        "you",
        "your",
        "what",
        "which",
        "who",
        "how",
        "does",
        "did",
        "are",
        "was",
        "has",
        "have",
        "had",
        "for",
        "with",
        "that",
        "this",
        "person",
        "their",
        "they",
        "them",
        "most",
        "when",
        "where",
        "from",
        "not",
        "any",
        "all",
        "one",
        "much",
        "many",
        "often",
        "kind",
        "would",
        "could",
        "about",
        "into",
        "peopl",
        "thing",
        "usual",
    ]
)
_VAGUE = re.compile(
    r"^(various|other|others|moderate|balanced|mixed|not applicable|n/a|prefer not to say|unspecified)$"
)
# A verb that does not go with its subject, except after a helping verb ("would she go"). You and they are judged where they
# begin a sentence ("what comes to you is" is good English).
_UNBENT = re.compile(
    r"(?<!would )(?<!should )(?<!could )(?<!does )(?<!will )(?<!can )(?<!did )(?<!may )(?<!must )\b([Ss]he|[Hh]e) (have|are|do|go|were)\b"
    r"|(?:^|[.;-] )(You|They) (has|is|does|goes|was)\b"
)
_CLUMSY = re.compile(r"\{value\}[a-z]|  |\.\.$|\{label\}[a-z]")


def _issue(path: str, rule: str, message: str, severity: str = "error") -> Issue:
    return Issue.model_validate({"path": path, "rule": rule, "message": message, "severity": severity})


def names(taxonomy: Taxonomy) -> Iterable[Issue]:
    """Leaves are questions: no plumbing, no answers posing as attributes, no child equal to its parent."""
    for a in taxonomy:
        parts = a.path.split(".")
        leaf = parts[-1]
        if leaf == parts[-2] or leaf.rstrip("s") == parts[-2].rstrip("s"):
            yield _issue(
                a.path, "child-equals-parent", f"the leaf repeats its parent {parts[-2]!r}; name what is asked"
            )
        if PLUMBING.search(a.path):
            yield _issue(a.path, "plumbing", "a plumbing name says nothing of a person; name what is asked")
        if VALUE_NAMES.search(leaf):
            yield _issue(a.path, "value-as-attribute", "reads like an answer; ask the question and make it an option")
        if len(parts) < 3 and parts[0] == "demographics":
            yield _issue(a.path, "reserved", "demographics.<name> belongs to the engine; add a sub-tree")
        if any(other.startswith(a.path + ".") for other in taxonomy.index):
            yield _issue(a.path, "leaf-with-children", "is both an attribute and a branch; move it below")


def sibling_values(taxonomy: Taxonomy) -> Iterable[Issue]:
    """No leaf is named after an option of a sibling: ``ethnicity_latino`` beside ``ethnicity: latino``."""
    by_parent: dict[str, list[Attribute]] = defaultdict(list)
    for a in taxonomy:
        by_parent[a.subtree].append(a)
    for siblings in by_parent.values():
        values = {re.sub(r"\W+", "_", o.value.lower()): a for a in siblings for o in a.options}
        for a in siblings:
            owner = values.get(a.path.rpartition(".")[2])
            if owner is not None and owner is not a:
                yield _issue(a.path, "value-as-attribute", f"is an option of {owner.path}; an answer is no attribute")


def near_duplicates(taxonomy: Taxonomy) -> Iterable[Issue]:
    """No two siblings ask the same, and none anywhere else (cosine of title, definition and question)."""
    attributes = list(taxonomy)
    if not attributes:
        return
    vectors = default_embedder().embed([f"{a.title} {a.title} {a.definition} {a.question}" for a in attributes])
    similar = np.triu(cosine(vectors, vectors), 1)
    shared = np.triu(_shared_stems([f"{a.title} {a.definition} {a.question}" for a in attributes]), 1)
    for x, y in zip(*np.nonzero((similar > NEAR_DUPLICATE) | (shared > SHARED_STEMS)), strict=True):
        one, two = attributes[x], attributes[y]
        if _clash(one.condition & two.condition):  # asked of different people
            continue
        if one.subtree == two.subtree or similar[x, y] > NEAR_DUPLICATE_ANYWHERE or shared[x, y] > SHARED_STEMS:
            how = f"cosine {similar[x, y]:.2f}, {shared[x, y]:.0%} of the words"
            yield _issue(two.path, "near-duplicate", f"asks nearly what {one.path} asks ({how}); merge them")


def stem(word: str) -> str:
    """A word without its commonest endings: crude, but the same for *tease*, *teased*, *teasing*."""
    for ending in ("ingly", "edly", "ings", "ing", "ies", "ied", "es", "ed", "ly", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _shared_stems(texts: list[str]) -> NDArray[np.float32]:
    """Jaccard overlap of the telling word stems of every two texts, (texts, texts)."""
    bags = [{stem(w) for w in re.findall(r"[a-z]{3,}", text.lower())} - _COMMON_STEMS for text in texts]
    column = {s: k for k, s in enumerate(sorted(set().union(*bags)))}
    holds = np.zeros((len(texts), len(column)), dtype=np.float32)
    for row, bag in enumerate(bags):
        holds[row, [column[s] for s in bag]] = 1.0
    both, size = holds @ holds.T, holds.sum(axis=1)
    return np.asarray(both / np.maximum(size[:, None] + size[None, :] - both, 1.0), dtype=np.float32)


def phrases(taxonomy: Taxonomy) -> Iterable[Issue]:
    """Every phrase reads for every pronoun and value."""
    for a in taxonomy:
        templates = [(o.phrase, False) for o in a.options if o.phrase]
        if a.phrase:
            templates.append((a.phrase, True))
        for template, needs_value in templates:
            for fault in faults(template, needs_value=needs_value):
                yield _issue(a.path, "phrase", f"{fault}: {template!r}")
            if _CLUMSY.search(template):
                yield _issue(a.path, "phrase", f"words run together or spaces doubled: {template!r}")
        said_of = [(o.phrase or a.phrase, o.value) for o in a.options] or [(a.phrase, "some")]
        for template, value in said_of:
            if fault := next(filter(None, (_unsaid(say(template, person, value)) for person in PERSONS)), ""):
                yield _issue(a.path, "phrase", f"{value!r}: {fault}")


def _unsaid(sentence: str) -> str:
    """What is wrong with a sentence as said."""
    if wrong := _UNBENT.search(sentence):
        return f"{wrong[0].strip()!r}: put the verb in braces, in its base form: {sentence!r}"
    return f"does not come out whole: {sentence!r}" if "{" in sentence or "  " in sentence else ""


def values(taxonomy: Taxonomy) -> Iterable[Issue]:
    """Options say something, and there are enough of them."""
    for a in taxonomy:
        if a.kind == "choice" and len(a.options) < 2:
            yield _issue(a.path, "options", "one option is no choice")
        for o in a.options:
            if _VAGUE.match(o.value.lower()):
                yield _issue(a.path, "vague-value", f"{o.value!r} says nothing; name the habit or thing")
            if len(o.value) > 90:
                yield _issue(a.path, "long-value", f"{o.value[:40]!r}... is too long for a value (90 letters at most)")
        folded = [re.sub(r"\W+", " ", o.value.lower()).strip() for o in a.options]
        for twice in sorted({x for x in folded if folded.count(x) > 1}):
            yield _issue(a.path, "options", f"option {twice!r} is there twice")


def _clash(condition: Condition) -> str:
    """Two clauses of a conjunction that cannot both hold: the reason in words, or nothing."""
    seen: dict[str, Clause] = {}
    for clause in condition.clauses:
        other = seen.setdefault(clause.key, clause)
        if other is clause or clause.negated or other.negated:
            continue
        if clause.words is not None and other.words is not None and not clause.words & other.words:
            return f"{clause.key} would have to be in {sorted(clause.words)} and {sorted(other.words)}"
        if clause.words is None and other.words is None and max(clause.low, other.low) > min(clause.high, other.high):
            return f"no {clause.key} satisfies both ranges"
    age = seen.get("age")
    status = seen.get("status")
    if age and status and status.words and age.high < 15 and not status.words & {"child", "student"}:
        return "no child under 15 has that status"
    children = seen.get("children")
    youngest = seen.get("youngest_child")
    if children and youngest and children.high < 1:
        return "somebody without children has no youngest child"
    return ""


def reachable(taxonomy: Taxonomy) -> Iterable[Issue]:
    """Every option is reachable for someone; every region that an attribute reaches has an option."""
    for a in taxonomy:
        if why := _clash(a.condition):
            yield _issue(a.path, "unreachable", f"applies to nobody: {why}")
        for o in a.options:
            if why := _clash(a.condition & o.condition):
                yield _issue(a.path, "unreachable", f"option {o.value!r} can be drawn for nobody: {why}")
        yield from _bare_regions(a)


def coverage(taxonomy: Taxonomy) -> Iterable[Issue]:
    """Wherever a choice is tied to a place there are four options; a whole tree has something for every stage of life."""
    for a in taxonomy:
        if thin := [f"{region} {n}" for region, n in thin_regions(a)]:
            message = f"fewer than {LEAST_PER_REGION} options in {', '.join(thin)}; add some of that place"
            yield _issue(a.path, "thin-region", message, "warning")
    if len(taxonomy) >= WHOLE_TREE:
        for stage, n in by_stage(taxonomy).items():
            if n < LEAST_PER_STAGE:
                message = (
                    f"{n} attributes for {stage} in particular; {LEAST_PER_STAGE} are wanted in a tree of this size"
                )
                yield _issue("", "coverage", message, "warning")


def balance(taxonomy: Taxonomy) -> Iterable[Issue]:
    """No category of a whole tree is all sunshine, nor all rain (by the word list of ``taxonomy.tone``)."""
    if len(taxonomy) < WHOLE_TREE:
        return
    for category, share in tone.by_category(taxonomy).items():
        good, bad = share["favourable"], share["unfavourable"]
        if not bad >= LEAST_BAD or bad < good / LOPSIDED or bad > good * LOPSIDED * 3:
            message = (
                f"{good:.0%} of the options of {category} sound favourable, {bad:.0%} unfavourable; mend the balance"
            )
            yield _issue("", "balance", message, "warning")


def _bare_regions(a: Attribute) -> Iterable[Issue]:
    if not a.options or any(not any(o.places) for o in a.options):
        return
    wanted = next((c.words for c in a.condition.clauses if c.key == "region" and c.words), frozenset(v.REGION))
    if any(c.key == "country" for c in a.condition.clauses):
        return
    covered = frozenset().union(*(o.places[0] for o in a.options))
    if bare := sorted(wanted - covered):
        yield _issue(a.path, "bare-region", f"no option exists in {', '.join(bare)}; add one without regions")


def _check_reference(taxonomy: Taxonomy, where: str, clause: Clause) -> Iterable[Issue]:
    path = clause.key
    if path not in taxonomy:
        try:
            taxonomy[path]
        except UsageError as error:
            yield _issue(where, "reference", str(error))
        return
    target = taxonomy[path]
    measured = target.scale or target.number
    if target.kind == "text" or bool(measured) != (clause.words is None):
        how = 'by a range such as ">=4"' if measured else "by options" if target.options else "not at all"
        yield _issue(where, "reference", f"{path} is of kind {target.kind}, which is referred to {how}")
        return
    if measured:
        low, high = (1, len(measured.labels)) if isinstance(measured, ScaleSpec) else (measured.min, measured.max)
        if clause.low > high or clause.high < low or (clause.low <= low and clause.high >= high):
            yield _issue(where, "reference", f"{path} runs from {low} to {high}; the range holds all of it or none")
        return
    known = {o.value for o in target.options}
    for word in sorted((clause.words or frozenset()) - known):
        yield _issue(where, "reference", f"{path} has no option {word!r}; it has {sorted(known)}")


def _conditions(a: Attribute) -> Iterable[Condition]:
    yield a.condition
    yield from (o.condition for o in a.options if o.condition is not ALWAYS)


def references(taxonomy: Taxonomy) -> Iterable[Issue]:
    """Conditions and rules name attributes and options that exist."""
    for a in taxonomy:
        for condition in _conditions(a):
            for clause in condition.clauses:
                if not clause.is_fact:
                    yield from _check_reference(taxonomy, a.path, clause)
    for rule in taxonomy.rules:
        for clause in (*rule.condition.clauses, *rule.bans):
            if not clause.is_fact:
                yield from _check_reference(taxonomy, clause.key, clause)
        for clause in rule.bans:
            if clause.is_fact:
                yield _issue(
                    clause.key, "reference", f"{clause.key} is a core fact, drawn before any rule; turn it around"
                )


def circles(taxonomy: Taxonomy) -> Iterable[Issue]:
    """No attribute applies only after itself; rules make no circles, since whichever is settled last gives way."""
    needs: dict[str, set[str]] = {a.path: set().union(*(c.paths() for c in _conditions(a))) for a in taxonomy}
    state: dict[str, int] = {}

    def visit(path: str, trail: tuple[str, ...]) -> tuple[str, ...]:
        if state.get(path) == 2 or path not in needs:
            return ()
        if path in trail:
            return (*trail[trail.index(path) :], path)
        for need in sorted(needs[path]):
            if loop := visit(need, (*trail, path)):
                return loop
        state[path] = 2
        return ()

    for path in needs:
        if loop := visit(path, ()):
            yield _issue(
                path, "circle", f"depends on itself: {' -> '.join(loop)}; loosen one condition, or make it a rule"
            )
            return


CHECKS: tuple[Callable[[Taxonomy], Iterable[Issue]], ...] = (
    names, sibling_values, near_duplicates, phrases, values, reachable, coverage, balance, references, circles,
)  # fmt: skip


def check(taxonomy: Taxonomy) -> list[Issue]:
    """Run every check on a taxonomy."""
    return [issue for rule in CHECKS for issue in rule(taxonomy)]


def check_folder(folder: Path) -> tuple[Reading, list[Issue]]:
    """Read a folder and check it; every issue carries its file and line where they are known."""
    reading = read_folder(folder)
    issues = list(reading.issues)
    issues += [reading.placed(issue) for issue in check(reading.taxonomy)]
    return reading, sorted(issues, key=lambda i: (i.file, i.line, i.path, i.message))
