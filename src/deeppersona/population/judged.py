"""A finished run before a judge: what was written of each person beside what was drawn of them near it in meaning.

Rules find what can be named; this is for the rest. What a judge says is a warning: it is a model's word, not a proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from deeppersona.errors import UsageError
from deeppersona.models.journal import Journal
from deeppersona.models.spec import Spec, Traffic, opened, stopping_on_interrupt
from deeppersona.population.revise import Judge, near_pairs, one_line, sentences
from deeppersona.prompts import say
from deeppersona.runtime.seed import label_key
from deeppersona.runtime.store import RunFolder
from deeppersona.schema.persona import Persona
from deeppersona.schema.phrase import Person as Pronoun
from deeppersona.schema.phrase import say as say_phrase
from deeppersona.schema.report import Issue
from deeppersona.schema.taxonomy import Taxonomy

_AT_ONCE = 64  # people whose pairs are looked for ahead of the judge
_PRONOUN: Mapping[str, Pronoun] = {"female": "she", "male": "he"}
_WRITTEN = ("model", "story", "edited", "learnt")  # where a trait's words are somebody's, not a table's or a prior's


def told_pairs(persona: Persona, taxonomy: Taxonomy) -> list[tuple[str, str, str]]:
    """Pairs of one person likely to clash: (place, what is told there, a sentence of a drawn trait)."""
    told: list[tuple[str, str]] = [
        (f"stories.{k}.text", s) for k, story in enumerate(persona.stories) for s in sentences(story.text)
    ]
    told += [("narrative", s) for s in sentences(persona.narrative)]
    drawn: list[str] = []
    pronoun = _PRONOUN.get(str(persona.get("demographics.sex")), "they")
    for trait in persona.traits:
        if trait.path not in taxonomy:
            continue
        attribute = taxonomy[trait.path]
        words = "; ".join(map(str, trait.value)) if isinstance(trait.value, list) else str(trait.value)
        sentence = say_phrase(attribute.phrase, pronoun, words, persona.name)
        if trait.source in _WRITTEN:
            told.append((trait.path, sentence))
        else:
            drawn.append(sentence)
    return near_pairs(told, drawn)


def judge_run(
    folder: RunFolder, people: Sequence[Persona], taxonomy: Taxonomy, roles: Mapping[str, Spec], traffic: Traffic,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Issue]:  # fmt: skip
    """Show the pairs of every person to the judge. Answers are kept in the run's journal: none is paid for twice.

    Raises:
        Stopped: the budget or the server ended it; the same command goes on.

    """
    spec = roles.get("judge") or roles.get("writer")
    if spec is None:
        raise UsageError("an actor does not judge: name the judge with --model judge=SPEC")
    judge_of = {"judge": spec}
    journal = Journal(folder.path / "run.sqlite")

    async def all_of_them() -> list[Issue]:
        async with opened(judge_of, journal, traffic, say("writing/system")) as models:
            judge = Judge(models.models["judge"], models.shapes["judge"])
            places = asyncio.Semaphore(max(_AT_ONCE, models.steadies[0].gate.limit))
            done = 0

            async def one(persona: Persona) -> list[Issue]:
                nonlocal done
                async with places:
                    pairs = told_pairs(persona, taxonomy)
                    found = (
                        await judge.clashes(
                            [(text, drawn) for _, text, drawn in pairs], int(label_key(persona.id)) & 0x7FFFFFFF
                        )
                        if pairs
                        else {}
                    )
                done += 1
                progress(done)
                return [_issue(persona, pairs[k], why) for k, why in sorted(found.items())]

            with stopping_on_interrupt(models.stop):
                found = await asyncio.gather(*(asyncio.create_task(one(p)) for p in people), return_exceptions=True)
            for trouble in found:
                if isinstance(trouble, BaseException):
                    raise trouble
            return [issue for issues in found if not isinstance(issues, BaseException) for issue in issues]

    try:
        return asyncio.run(all_of_them())
    finally:
        journal.close()


def _issue(persona: Persona, pair: tuple[str, str, str], why: str) -> Issue:
    place, text, drawn = pair
    reason = f" ({one_line(why)})" if why else ""
    return Issue(
        path=place, rule="judge", severity="warning",
        message=f"{persona.id}: «{one_line(text)}» beside «{one_line(drawn)}»{reason}",
    )  # fmt: skip
