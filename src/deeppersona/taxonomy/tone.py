"""Is a value good news or bad? A word list, so that a tree in which everybody's life is all sunshine is noticed.

The list says of a value whether it holds a word that is plainly favourable or plainly unfavourable. It is meant for
shares over hundreds of options, not for one: most values are plain, and irony is beyond it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from deeppersona.schema.taxonomy import Taxonomy

Tone = Literal["favourable", "unfavourable", "plain"]

_FAVOURABLE = """
admire admired agree beautiful beloved best better bless blessed blessing bliss calm cared careful certain charm cheer
cheerful clean clear comfort comfortable confident content cosy delight delighted ease easily easy enjoy enjoyed
enjoys enjoyment enough excellent fair famous favourite fine forgave forgiven fortune free freely fresh friendly fun
funny gain generous generously gentle gently gift glad gladly good grateful great handy happily happy harmony healed
healthy help helped helpful helping helps honest honour hope hopeful hug improved interesting joined joy joyful kind
kindly kindness laugh laughing laughs laughter liked likes lively love loved lovely loves loving loyal luck lucky
mended merry neat nice patience patient peace peaceful perfect pleasant pleased pleasure plenty polite praise praised
pride prize proper properly proud quietly ready relaxed relief respect respected rested rich safe safely satisfied
secure share shared smile smiles smiling smooth soft solid songs sound steady strength strong succeed succeeded success
sunny support supported sweet thank thanked thanks tidy treat treasured trust trusted trusting truth united useful
victory warm warmly welcome well whole willing willingly win wins wise won wonderful
"""
_UNFAVOURABLE = """
abandoned accident ache aches aching afraid alarm alone angry anger anxious argue argued arguing argument arguments
arrest ashamed avoid avoided avoids awful awkward bad badly beaten begging betrayed bitter bitten blame blamed blaming
blind blocked bored boredom boring bothers breakdown bribe broke broken bruised burglary burn burned burning burns burnt
burst cancer cannot cheated cheating clogged clumsy cold collapsed complain complained complaint complaints cough cramp
cramped cracked crash crashed cried cries crime crowded cruel cruelty cry crying cut damp danger dangerous death debt
debts delayed denied despair died dirty dies disappointed disappointing discomfort disliked dislike dismissed disputed
divorce divorced doubt doubts dread drought drunk dull dust dusty embarrassed embarrassing empty enemy envy evicted
exhausted fail failed failing failure fails false fault fear fearful feared fell fever fight fights filthy flood
floods forced forgets forgetting forgot forgotten fraud fright frightened frozen grave grief grudge grudges grumbles
grumbling guilt guilty hard hardship hardly harsh hate hated hates headache heartburn helpless hit hopeless hungry
hunger hurt hurts ignored ill illness impatient infection injured injury insult insults interrupted irritable
irritated itching jammed jealous jealousy lack lame late laziness lazy leak leaking leaks leaky left lied lies limp
loneliness lonely lose loses losing loss lost mess messy mislaid misses missed missing mistake mistakes mocked mouldy
mugged neglected nerves nervous nightmare nightmares noise noisy overdue overslept overworked owe owed owes owing pain
painful pains panic pawned poor poorly poverty prison punished punishment quarrel quarrels queue queues queuing rage
rash refusal refused refuses regret regrets rejected reluctantly resentment robbed rows rude ruined rusty sad sadness
scar scared scarce scolded scolding scorn scratched shame shortage shout shouted shouting shouts sick sickness skip
skipped skips sleepless slept slow smashed smell smells sore spoiled stained stale stalled steal stealing stiff stifling
stole stolen strain strained strangers stress strike struggle struggled struggles stubborn stuck suffer suffered suffers
sulks suspicion suspicious swearing swollen teased tears tense theft thief thieves threat threatened tired tiredness
tiring torn trouble troubles ugly unable unanswered uncertain uneasy unfair unfinished unhappy unpaid unread unsafe
unwell upset useless vomiting wars waste wasted weak weary weeping wet worn worried worries worry worse worst wound
wrong yelling
"""
_WORDS: dict[str, Tone] = {
    **dict.fromkeys(_FAVOURABLE.split(), "favourable"),
    **dict.fromkeys(_UNFAVOURABLE.split(), "unfavourable"),
}
_TURNS = re.compile(r"\b(?:not|no|never|without|nothing|hardly|cannot|less|too|nobody)\s+(?:\w+\s+)?$")


def tone(value: str) -> Tone:
    """The tone of a value: of its last telling word, turned round where a negation stands before it."""
    text = value.lower()
    found: Tone = "plain"
    for word in re.finditer(r"[a-z]+", text):
        told = _WORDS.get(word.group())
        if told is None:
            continue
        if _TURNS.search(text[: word.start()]):
            told = "unfavourable" if told == "favourable" else "plain"
        found = told if found != "unfavourable" else found
    return found


def shares(values: Iterable[str]) -> dict[Tone, float]:
    """Share of values by tone."""
    counts = Counter(tone(value) for value in values)
    whole = max(counts.total(), 1)
    return {"favourable": counts["favourable"] / whole, "unfavourable": counts["unfavourable"] / whole,
            "plain": counts["plain"] / whole}  # fmt: skip


def by_category(taxonomy: Taxonomy) -> dict[str, dict[Tone, float]]:
    """Category -> share of its options by tone."""
    return {
        c.key: shares(o.value for a in taxonomy if a.category == c.key for o in a.options) for c in taxonomy.categories
    }
