"""What a person says, cut into clauses that can be looked at one by one.

Quoted words, code and texts handed over to be worked on are set aside: they are not the speaker's own. Contractions are
written out, so that one pattern finds ``I'm``, ``im`` and ``I am``. A clause that goes on without its subject (*I am a nurse
and live in Perth*) gets it back. Each clause says whether it asks, supposes, denies or tells of the past.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 400  # letters of a clause that are looked at: nobody says more in one breath, and patterns stay quick on what is no talk
_STRETCH = 4000  # letters of a sentence that are cut into clauses at a time

_BLANKS = re.compile(r"[^\S\n]{2,}")
_QUOTED = re.compile(r"[“\"«][^”\"»\n]{0,600}[”\"»]|(?<![\w’'])'[^'\n]{2,300}'(?![\w])")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|<[^<>\n]{1,200}>|\{[^{}\n]{0,400}\}", re.S)
_CODE_LINE = re.compile(
    r"^[^\S\n]*(?:[>#$|*]{1,3}\s|//|def |class |import |from \S+ import|return [\w.()\[\]{}-]+\s*$|if ?\(|for ?\(|\w[\w.]* ?[:=]{1,2} ?[\[({\"'\d]|[\w.]+\(.*\)\s*$)|[;{}]\s*$"
)
_HANDED_OVER = re.compile(  # what follows such a line is material to be worked on, not the person's own words
    r"\b(?:the following|this|below|given)\b[^.\n]{0,60}\b(?:text|essay|article|paragraph|passage|email|e-mail|letter|story|code|script|poem|sentence|review|document|"
    r"transcript|conversation|lyrics|song|abstract|report|cv|resume|prompt|question|dialogue|message|statement|bio)s?\b[^.\n]{0,40}:\s*\n?|^[^\S\n]*(?:text|input|context|"
    r"passage|article|example|question|q|data|document|transcript|dialogue|email|prompt)\s*:", re.I | re.M)  # fmt: skip
_ACT = re.compile(
    r"\b(?:act as|pretend (?:to be|that|you)|imagine (?:that )?(?:you are|you're|i am|i'm)|role-?play|in the (?:style|voice|first person)|from the (?:perspective|point of view)|"
    r"(?:speak(?:ing)?|respond|reply|answer) as (?:if|an?|the)|i want you to|your task|you will (?:be|act|play|respond|write|receive)|correct (?:the|my|this))\b"
    r"|^\W{0,5}you(?: are|'re) (?:an?|the|now|my)\b|\byou are (?:an? )?(?:\w+ ){0,2}(?:assistant|expert|language model|chatbot|ai|copywriter)\b"
    r"|(?:^|[.!?:\n]\s{0,9}|\b(?:please|can you|could you|would you|will you|help me|to|and)\s)(?:re)?(?:write|compose|draft|generate|paraphrase|translate|summari[sz]e|proofread) "
    r"(?:me |us |up |this|it|the|my|an?|some|in|out|for)", re.I)  # fmt: skip

_SHORT = {
    "im": "i am", "i'm": "i am", "i 'm": "i am", "i m": "i am", "iam": "i am", "i've": "i have", "ive": "i have", "i'v": "i have", "i'll": "i will",
    "i'd": "i would", "we're": "we are", "we've": "we have", "we'd": "we would", "we'll": "we will", "you're": "you are", "they're": "they are",
    "you've": "you have", "they've": "they have", "he's": "he is", "she's": "she is", "it's": "it is", "that's": "that is", "what's": "what is",
    "there's": "there is", "who's": "who is", "can't": "cannot", "cant": "cannot", "can not": "cannot", "won't": "will not", "wont": "will not",
    "dont": "do not", "didnt": "did not", "doesnt": "does not", "isnt": "is not", "ain't": "am not", "aint": "am not", "wasnt": "was not",
    "havent": "have not", "couldnt": "could not", "wouldnt": "would not", "wanna": "want to", "gonna": "going to", "gotta": "have to", "favourite": "favorite",
    "favourites": "favorites", "favrite": "favorite", "favorit": "favorite", "fav": "favorite", "fave": "favorite", "my self": "myself", "alot": "a lot",
    "hubby": "husband", "wifey": "wife", "u": "you", "ur": "your", "bf": "boyfriend", "gf": "girlfriend", "mum": "mom", "mums": "moms", "mummy": "mom",
    "lots of": "a lot of", "a bunch of": "a lot of", "plenty of": "a lot of", "tons of": "a lot of", "loads of": "a lot of", "thats": "that is",
}  # fmt: skip
_CONTRACTED = re.compile(
    r"\b(?:"
    + "|".join(sorted(map(re.escape, _SHORT), key=len, reverse=True))
    + r")\b(?!['’]\w|\.\w\b)|\b(\w{2,7})n't\b"
)
_HAVE_GOT = re.compile(r"\b(i|we|you|they) have got\b(?! to\b)")
_OPENERS = re.compile(
    r"^(?:(?:well|yes|yeah|yep|yup|no|nope|nah|ok|okay|oh|ah|aha|haha+h?|hehe|lol|so|and|but|also|actually|honestly|hi|hello|hey|sure|right|cool|wow|nice|great|good|fine|hmm+|um+|"
    r"however|though|because|cause|as(?! an? )|since|then|now|plus|or|that|which|where|when|while|after|before|until|once|btw|basically|currently|recently|lately|apparently|maybe|perhaps|"
    r"unfortunately|fortunately|sometimes|sorry|thanks|too|really|obviously|personally|anyway|indeed|thank you|of course|for sure|by the way|in fact|at the moment|funny|"
    r"these days|right now|to be honest|for me|the problem is|the thing is|my problem is|i think|i guess|i feel like(?= (?:i|my|we|he|she|they|it|you|there|this|that|the|no|nobody|everyone)\b)|i mean|i know(?= (?:that|i|my|we|he|she|they|it|you|there|this|the)\b)|i believe(?! in\b)|i suppose|i must say|i have to say|"
    r"i must admit|i have to admit|the truth is|the fact is|it is just|it seems|it feels like|the issue is|me|same here|me too|very)(?:\s+that)?[,\s]+)+"
)
_SPLIT = re.compile(
    r"(?<=[.?!;])\s+|\n+|\s+-{1,2}\s+|(?<=[a-z]{3})[.](?=[A-Za-z]{2})|:\s+|\s?\.{2,}\s?|[😀-🙏🌀-🗿🚀-🛿🤀-🧿☺♥❤]+|\s[:;=]-?[)(DPp](?=\s|$)"
)
_CUT = re.compile(
    r",?\s+(?=(?:but|because|although|though|however|so that|which|unless|except|whereas|even though|since|and then)\b)"
    r"|,\s+(?=(?:(?:and|so|or|then|also|well)\s)?(?:i|my|we|our|he|she|they|it|me|you)\b)"
    r"|\s+and\s+(?=(?:i|my|we|our|he|she|they|you)\s)"
    r"|\s+(?=(?:when|while|if|after|before|until|once)\s+(?:i|my|we|he|she|they|you|it|the)\b)"
    r"|\s+so\s+(?=(?:i|my|we)\s)"
    r"|,?\s+(?=(?:(?:and|so|but)\s)?(?:do|have|can|are) you\b|(?:(?:and|so|but)\s)?(?:what|how) about\b|(?:(?:and|so|but)\s)?(?:what|where|how) (?:do|are|is|kind) (?:you|your|of)\b)"
)
_GOES_ON = re.compile(
    r",? and (?:also |now |currently |still |usually |often )?(?=(?:live|work|have|own|rent|love|like|enjoy|play|study|speak|teach|run my|drive|hate|am|prefer|collect|moved|got married|suffer|earn|make|smoke|drink|vote|wear|"
    r"do not|cannot|never)\b)"
    r"|, (?=(?:live|work|have|own|love|enjoy|speak|teach|am|married|living|working|studying) (?!me\b|you\b|it\b))"
)
_BARE = re.compile(
    r"^(?:happily )?(?:married|divorced|single|retired|unemployed|widowed|pregnant|living|working|studying|based)\b(?= (?:with|in|at|as|for|to|since|and|mom|mum|dad|mother|father)\b|,|$)"
)
_BORN = re.compile(r"^(?:born|raised|born and raised) (?=in\b)")
_DOING = re.compile(r"^(?:living|working|studying|married)\b")
_AS = re.compile(
    r"^(?:so |and |but |also |well |speaking )?as (an? (?!child|kid|teen|boy|girl|minor|student|baby|toddler|young|result|rule|matter|whole|gift|reward|test|joke|treat|start|first|way|means|sign|last|final)[\w' -]{2,60})$"
)
_COUPLE = re.compile(
    r"\b(?:me and )?(my|our) ((?:[\w-]+ )?(?:husband|wife|boyfriend|girlfriend|partner|spouse|fianc[eé]e?)) and i (?=\w)"
)
_OWN = re.compile(
    r"^(i|we) (?!(?:do not |also |just |really )*(?:want|would|hope|wish|need|plan|will|could|should|might|used to|going|try|like to|love to|wonder|have to|did|let|can|decided|tend|get to))"
)
_SUPPOSES = re.compile(
    r"^(?:(?:and|but|so|or|even|only|maybe|well|just|not sure|i (?:do not|cannot) know|i (?:am not sure|wonder)),? )*(?:if|unless|suppose|supposing|imagine|let us say|what if|say i|assuming|assume|whether|in case|pretend)\b"
    r"|\b(?:i|we) (?:would|could|might|may|should)\b(?! (?:like|love|prefer|rather|say|describe|consider|add|never|not)\b)"
    r"|\b(?:as if|as though|like|pretend|pretending|imagine|suppose|assume|say|if|whether|wish|wished|wishes|hope|hoping) (?:that )?(?:i|we|my)\b|\bwould have\b"
)
_SOMEBODY_SAYS = re.compile(  # what others say of the speaker is not what the speaker says
    r"\b(?:he|she|they|you|it|people|everyone|everybody|someone|somebody|who|mother|father|mom|dad|wife|husband|boyfriend|girlfriend|partner|friends?|sister|brother|boss|doctor|therapist|parents|family|ex)"
    r" (?:\w+ ){0,2}?(?:says?|said|saying|tells?|told|telling|thinks?|thought|thinking|claims?|claimed|accus\w+|believes?|believed|assumes?|assumed|insists?|suspects?|convinced|swears?|asks?|asked|knows?|knew)"
    r" (?:to )?(?:me |us |him |her |them |everyone |people )?(?:that |if |whether )?(?:i|we)\b"
    r"|\bi (?:am|was|have been|get|keep getting) (?:\w+ )?(?:told|accused of|labell?ed)\b"
)
_LATER = re.compile(r"^(?:and |but |so )?(?:when|once|until|before|after|as soon as|by the time) (?:i|we|my)\b")
_COMING = re.compile(r"\b(?:will|would|going to|want to|plan to|hope to|until|someday|one day)\b")
_ASKS = re.compile(
    r"^(?:(?:so|and|but|well|ok|okay|hi|hey|hello|or|oh|cool|nice|great|wow|yes|no),? )*(?:what|who|where|why|how|which|when (?:do|does|did|is|are|was|will|can|should)|(?:do|did|have|had|are|were|can|could|should|would|will|shall|may|must|am) (?:i|you|we|they|your|my|not|these|those|people|any)\b"
    r"|(?:does|did|is|are|was|has|can|could|should|would|will) (?:he|she|it|this|that|there|the|my|your|our|his|her|a|anyone|anybody|someone|any)\b|any\b|and you\b|you\?)"
)
_PAST = re.compile(
    r"\b(?:was|were|used to|had|did|went|grew up|ago|as a (?:child|kid|teenager)|when i was|back then|in the past|once|last (?:year|month|week|summer|night))\b"
)
_DENIES = re.compile(r"\b(?:not|never|no longer|cannot|hardly|barely|neither|nor|without|no)\b")
_RIDDLE = re.compile(
    r"\bhow (?:many|much|old|far|long|fast|tall) (?:[\w']+ ){0,6}?(?:do|does|did|am|is|are|was|were|will|would) (?:i|my|we|he|she|they|the|there|it)\b"
)
_FIGURES = re.compile(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|half|twice)\b")


@dataclass(frozen=True)
class Clause:
    """One clause in lower case without its opening words; ``spot`` is its number in the text.

    ``supposes`` is also set where somebody else is said to say it, and in a riddle: the speaker does not vouch for it.
    """

    text: str
    asks: bool
    supposes: bool
    past: bool
    denies: bool
    spot: int


def own_words(text: str) -> str:
    """A text without quotations, code, and what was handed over to be worked on."""
    text = _CODE.sub(" ", _BLANKS.sub(" ", text.replace("’", "'").replace("‘", "'"))).replace("`", "'")
    if (handed := _HANDED_OVER.search(text)) is not None:
        text = text[: handed.start()]
    lines = [line for line in text.split("\n") if not _CODE_LINE.search(line[:LONGEST])]
    return _BLANKS.sub(" ", _QUOTED.sub(" ", "\n".join(lines)))


def is_commissioned(text: str) -> bool:
    """Whether a text asks for another to be written or played: an ``I`` in it may be anybody's."""
    return _ACT.search(text[:1500]) is not None


def clauses(text: str) -> Iterator[Clause]:
    """The clauses of a speaker's own words, in order."""
    spot = 0
    sentences = [_folded(sentence) for sentence in _SPLIT.split(own_words(text)) if sentence and sentence.strip()]
    riddle = any(_RIDDLE.search(s) for s in sentences) and sum(_FIGURES.search(s) is not None for s in sentences) > 1
    for sentence in sentences:
        for part, asks in _asked(_parts(sentence), sentence):
            bare = part.strip(" .,!?;:()-\"'*~_=+/\\")
            supposes = (
                riddle
                or _SUPPOSES.search(bare) is not None
                or _SOMEBODY_SAYS.search(bare) is not None
                or (_LATER.match(bare) is not None and _COMING.search(sentence) is not None)
            )
            bare = _OPENERS.sub("", bare + " ").strip(" ,")
            if len(bare) > 1:
                yield Clause(
                    bare, asks, supposes, _PAST.search(bare) is not None, _DENIES.search(bare) is not None, spot
                )
                spot += 1


def _folded(sentence: str) -> str:
    """A sentence in lower case, single spaces, contractions written out."""
    folded = _HAVE_GOT.sub(r"\1 have", _CONTRACTED.sub(_written_out, " ".join(sentence.casefold().split())))
    folded = _BORN.sub("i was born ", _COUPLE.sub(r"\1 \2, we ", folded))
    return f"i am {folded}" if _BARE.match(folded) else folded


def _written_out(match: re.Match[str]) -> str:
    return f"{match[1]} not" if match[1] else _SHORT[match[0]]


def _parts(sentence: str) -> Iterator[str]:
    """A sentence cut into clauses, none longer than anybody says; the subject goes along where it was left out."""
    for start in range(0, len(sentence), _STRETCH):
        parts = [part[:LONGEST] for part in _CUT.split(sentence[start : start + _STRETCH])]
        for k, part in enumerate(parts):
            being = _AS.match(part) if parts[k + 1 : k + 2] and parts[k + 1].startswith(("i ", "my ")) else None
            subject = _OWN.match(_OPENERS.sub("", part))
            if being is not None:  # as a nurse, I ...
                yield f"i am {being[1]}"
            elif subject is None:
                yield part
            else:
                first, *rest = _GOES_ON.split(part)
                yield first
                yield from (f"{subject[1]} {'am ' if _DOING.match(more) else ''}{more}" for more in rest)


def _asked(parts: Iterator[str], sentence: str) -> Iterator[tuple[str, bool]]:
    """Each part and whether it asks. *I have a dog, do you?* asks from its second part on."""
    listed = list(parts)
    if not sentence.rstrip("'\" )*").endswith("?"):
        yield from ((part, _ASKS.match(part.lstrip(" (\"'*")) is not None) for part in listed)
        return
    begins = next((k for k, part in enumerate(listed) if _ASKS.match(part.lstrip(" (\"'*"))), 0)
    yield from ((part, k >= begins) for k, part in enumerate(listed))
