"""Is a model's free text fit to keep? Faults named in words, the wrapping taken off.

Whatever is judged here was written about people, and people refuse, apologise and work on language models. So what
stands inside quotation marks is never held against a text, and a phrase counts only where a model would put it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# ---------------------------------------------------------------------------------------------------------------------
# Words. Scripts written without spaces need a count too: a Chinese or Japanese character is taken for a word, and four
# letters of Thai, Lao, Burmese or Khmer for one, since that is about how long their words are.

_LETTER = re.compile(r"[^\W_]")
_PUNCTUATION = '.,;:!?"()[]{}<>/\\|*_=+#$%&@^`~' + "…—–“”„«»¿¡"
_MARKED_WORD = re.compile(
    r"(?:[^\W_]|[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e00-\u1fff\u200c\u200d])+"
)
_OTHER_SCRIPT = re.compile(r"[\u0300-\u036f\u0591-\u1dff\u3001-\ud7ff\uf900-\U0003ffff]")
_UNSPACED = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{1,4}"
)


def _is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _words(low: str) -> list[str]:
    bare = low
    for mark in _PUNCTUATION:  # looking for what is mostly not there costs less than one pattern over every letter
        if mark in bare:
            bare = bare.replace(mark, " ")
    if not (bare.isascii() or _is_latin_1(bare)) and _OTHER_SCRIPT.search(bare):
        return _MARKED_WORD.findall(_UNSPACED.sub(r" \g<0> ", bare))
    return bare.replace(" - ", " ").split()


# ---------------------------------------------------------------------------------------------------------------------
# Quotation. The single mark opens only where no letter stands before it, so that an apostrophe opens nothing; a line
# that begins with a dash is speech in Spanish, French and Russian print.

_QUOTED = re.compile(
    r"(?<!\d)\"[^\"\n]*+\"?|“[^”\n]*+”?|„[^“”\n]*+[“”]?|«[^»\n]*+»?|「[^」\n]*+」?|『[^』\n]*+』?"
    r"|(?<![^\W_])'(?=[^\W_])(?:[^'\n]|'(?=[^\W_])){1,600}+'|^[ \t]*[—–][^\n]*+",
    re.MULTILINE,
)


def _unquoted(low: str) -> str:
    return _QUOTED.sub(' "" ', low)


# ---------------------------------------------------------------------------------------------------------------------
# Refusals. A person's own words are full of things they cannot do ("I can't help laughing", "I can't provide for all
# of them"), so a verb counts only with the object a model gives it: a request, content, the reader.

_HEAD = 120
_REFUSAL_HINTS = (
    *("can't", "cannot", "can not", "unable", "not able", "decline", "won't", "will not", "comfortable", "as an ai"),
    *("puedo", "modelo de", "inteligencia", "como ia", "peux pas", "puis pas", "en mesure", "en tant qu", "kann"),
    *("als ki", "als ein ki", "sprachmodell", "无法", "無法", "不能", "作为", "作為"),
)
_CANNOT = r"(?:can't|cannot|can not|won't|will not|(?:am|'m) (?:unable to|not able to))"
_ABOUT_TO = r"(?:^|[.!?:;,…—–\n][\s*]*(?:but |so |and |therefore,? |unfortunately,? |however,? |regrettably,? )?)"
_SUCH = r"(?:(?!(?:my|our|his|her|their|them|him|me|people|anyone) )[\w'-]+ ){0,5}?"
_MATERIAL = (
    r"(?:contents?|material|requests?|portraits?|profiles?|personas?|narratives?|responses?|assistance|descriptions?"
    r"|instructions|outputs?|prompts?)\b"
)
_THIS = r"(?:this|that|these|those|such|your|the)\b"
_DEED = "|".join(
    [
        rf"(?:assist|help)(?: you\b(?! \w+ (?:my|our))| (?:with|in|on) (?:{_THIS}|creating|writing|generating)|[.,;!]|$)",
        rf"(?:create|generate|write|produce|provide|draft|compose|craft|offer|share|give|describe|depict) {_SUCH}{_MATERIAL}",
        rf"(?:write|create|generate|produce|portray|depict) (?:{_THIS}|about (?:{_THIS}|someone|a person))(?: (?:for you|as)|[.,;]|$)",
        rf"(?:complete|process|answer|discuss|address|fulfil|fulfill|satisfy|accommodate) (?:{_THIS}) (?:\w+ )?"
        r"(?:request|question|prompt|task|topic|instruction)",
        rf"(?:engage|participate|continue|proceed|comply|take part) (?:with|in) {_SUCH}"
        r"(?:request|conversation|topic|role-?play|task|prompt|discussion|content|instructions?)\b",
        r"comply(?:[.,;!]|$)|do (?:that|this) request|role-?play\b|impersonate\b",
    ]
)
_AFTER_SORRY = (
    r"(?:assist|comply|fulfil|fulfill|create|write|provide|generate|produce|describe|depict|portray|role-?play|answer"
    r"|discuss|participate|engage|continue|proceed|support|complete|process|respond|accommodate|satisfy|comment|draft"
    r"|compose|invent|pretend|help(?! but\b| it\b| myself| \w+ing\b)|do (?:that|this|so)|offer|give you|share)\b"
)
_AN_AI = (
    r"an? (?:(?:\w+ ){0,2}(?:ai|artificial intelligence)(?: (?:language )?model| assistant| system| chatbot|[.,;:!]|,? i\b| (?:and|so|that|without|created"
    r"|designed|developed|trained|built|made)\b|$)|(?:\w+ ){0,3}language model\b)"
    r"(?! (?:\w+ )?(?:engineer|researcher|developer|trainer|specialist|scientist|team|lab|company|project)s?\b)"
)
_REFUSAL = re.compile(
    "|".join(
        [
            rf"{_ABOUT_TO}i(?: simply| really| also)? ?{_CANNOT} (?:{_DEED})",
            rf"{_ABOUT_TO}i(?: am|'m)? ?(?:so |very |truly )?sorry,? (?:but |however,? )?i ?{_CANNOT}(?: {_AFTER_SORRY}|[.,;!]|$)",
            rf"{_ABOUT_TO}(?:(?:i|my) apolog\w+|sorry),? (?:but |however,? )?i ?{_CANNOT}(?: {_AFTER_SORRY}|[.,;!]|$)",
            rf"{_ABOUT_TO}i(?: must| have to|'ll have to| will have to)(?: \w+ly)? decline"
            rf"(?:[.,;!]|$| (?:this|that|your|the) request| to (?:{_DEED}|{_AFTER_SORRY}))",
            rf"{_ABOUT_TO}i(?:'m| am) not comfortable (?:creating|writing|generating|producing|providing|with {_THIS} request)",
            rf"^as {_AN_AI}",
            # Spanish
            r"(?:^|[.,!;] ?)(?:lo siento,? (?:pero )?)?no puedo (?:ayudar(?:te|le|les)? con (?:eso|esto|esa|esta|ese|este|tu|su)\b"
            r"|(?:crear|generar|proporcionar|escribir|producir) (?:\w+ ){0,3}(?:contenido|texto|material|retrato|descripci)"
            r"|cumplir (?:con )?(?:esa|esta|tu|su) )|lo siento,? (?:pero )?no puedo (?:ayudar(?:te|le|les)?|hacer eso|cumplir"
            r"|crear|generar|proporcionar|asistir|responder|continuar)\b",
            r"(?:^|[.,!;] ?)como (?:un |una )?(?:modelo de lenguaje|ia\b|inteligencia artificial)",
            # French
            r"(?:désolée?|excuses)[^.]{0,20}? je ne (?:peux|puis) pas (?:\w+ |[vt]')?(?:aider|créer|générer|écrire|fournir|produire"
            r"|répondre|continuer|faire (?:cela|ça))|je ne (?:peux|puis) pas (?:vous |t')aider (?:avec|à|dans|sur) (?:cel|ce|votre|ta)"
            r"|je ne suis pas en mesure de (?:vous |t'|créer|générer|fournir|répondre|produire|satisfaire)",
            r"(?:^|[.,!;] ?)en tant qu(?:e modèle de langage|'ia\b|e ia\b|'intelligence artificielle|'assistant)",
            # German
            r"leid[^.]{0,12} (?:ich|das|dabei|damit|hierbei|diese\w*) [^.]{0,60}?nicht (?:weiter)?(?:helfen|erstellen|schreiben"
            r"|generieren|bereitstellen|erfüllen|nachkommen|beantworten|unterstützen)",
            r"(?:^|[.!;] ?)(?:ich kann|das kann ich|dabei kann ich) (?:ihnen|dir|dabei|damit|das|diese\w*|hierbei|leider|ich| ){1,12}"
            r"nicht (?:weiter)?(?:helfen|erstellen|schreiben|generieren|bereitstellen|erfüllen|nachkommen|beantworten)",
            r"(?:^|[.,!;] ?)als (?:ein )?(?:ki(?:-| |,)|sprachmodell|künstliche intelligenz)",
            # Chinese
            r"(?:抱歉|对不起|對不起)[，,。！]?.{0,6}?(?:我|作为|作為).{0,12}?(?:无法|不能|無法).{0,4}?(?:提供|协助|帮|幫|协助|協助|生成|创|創|撰写|完成|满足"
            r"|滿足|回答|回应|继续|繼續|写|處理|处理)",
            r"^我(?:无法|不能|無法)(?:协助|協助|提供|帮您|帮你|帮助您|帮助你|满足|滿足|生成|创作|完成(?:您|你|这|该)|回答(?:您|你|这|该))",
            r"作[为為](?:一个|一個|一名)?(?:ai|人工智能|人工智慧|大?语言模型|大?語言模型)",
        ]
    )
)


def _refuses(low: str) -> bool:
    head = low[: 2 * _HEAD]
    if not any(map(head.__contains__, _REFUSAL_HINTS)):
        return False
    found = _REFUSAL.search(_unquoted(head).strip())
    return found is not None and found.start() < _HEAD


# ---------------------------------------------------------------------------------------------------------------------
# The model's own voice. The cheap phrases come first: a pattern is run only on a text that holds one of them, and only
# on what stands outside quotation marks. Someone may well be an AI engineer who trains language models.

_VOICE_HINTS = (
    *(" an ai", "language model", "don't have ", "do not have ", "sure, here", "sure! here", "word count"),
    *("artificial intelligence", "training data", "this helps"),
)
_OPENERS = ("sure", "certainly", "absolutely", "of course", "here's ", "here is ", "as requested")
_LATER_OPENER = re.compile(r"\n\W{0,6}here(?:'s|[ ]is) ")
_MADE = (
    r"(?:portrait|description|profile|persona|paragraph|summary|text|response|version|answer|biography|rewrite|narrative"
    r"|sketch|example|anecdote|draft|json|backstory|self-portrait|(?:short |brief |fictional |possible |first-person )+story)"
)
_VOICE = re.compile(
    "|".join(
        [
            rf"\bas {_AN_AI}",
            rf"\b(?:i'm|i am|being)(?: just| only| merely)? {_AN_AI}",
            r"\bthis language model (?:can't|cannot|can|does|doesn't|is|isn't|has) ",
            r"\bi (?:don't|do not) (?:actually |really )?have (?:any )?(?:personal (?:experiences\b(?! (?:with|of|in))|opinions|feelings"
            r"|beliefs|preferences|memories|history)|(?:human |real )?(?:emotions|feelings|experiences) (?:or|like|as an?)\b"
            r"|a (?:physical )?body\b|the ability to (?:feel|experience|browse|access))",
            r"(?:^|[.!?\n]\s{0,4})sure(?: thing)?[,!.:] +here(?:'s| is| are)\b",
            rf"(?:^|\n)\W{{0,6}}here(?:'s| is) (?:an?|the|your) (?:[\w'-]+ ){{0,4}}?{_MADE}\b(?:[:,]|\n| (?:of|for|about|that|in|based|written)\b)",
            r"^\W*certainly! ",
            r"^\W*(?:sure|certainly|absolutely|of course)[!,.] +(?:i can|i'd be happy|i would be happy|let me|below is)\b",
            r"\[(?:insert|your (?:name|city|town|job|age|hometown))\b",
            r"\(word count|\bword count:? ?\d",
            r"\bmy training data\b",
            r"(?:^|[\n.!?])\s{0,4}i hope this helps\b",
            r"^\W*as requested[,:] (?:here|this|the (?:text|portrait|story|following))",
            r"(?:^|[\n.!?(*\[])[\s*(\[]{0,6}note:[^\n]{0,200}?\b(?:(?:this|the|above) (?:\w+ )?(?:text|portrait|story|character"
            r"|response|description|persona|profile|narrative|piece|answer|paragraph|content|name)|fictional|fictitious|word count"
            r"|generated|i (?:have|'ve|tried|avoided|kept|used|wrote|made))\b[^\n]{0,400}$",
        ]
    )
)


def _speaks_as_model(low: str) -> bool:
    hinted = (
        any(map(low.__contains__, _VOICE_HINTS))
        or low.lstrip(" \n\"'*_#>-").startswith(_OPENERS)
        or "[" in low
        or (":" in low and "note:" in low)
        or ("\n" in low and _LATER_OPENER.search(low))
    )
    return bool(hinted) and _VOICE.search(_unquoted(low).strip()) is not None


# ---------------------------------------------------------------------------------------------------------------------
# What a prompt or a page leaves behind.

_MARKUP = {
    "<": ("<|", "</s>", "<s>", "<<SYS>>", "<think>", "</think>"),
    "|": ("|>",),
    "[": ("[INST]", "[/INST]"),
    "{": ("{{",),
    "}": ("}}",),
    "`": ("```",),
    "#": ("###",),
    "\\": ("\\n",),
}
_SPEAKERS = ("Assistant:", "User:", "Human:", "System:")
_TURN = re.compile(r"(?:^|[\n.!?…>*\"”])\s{0,4}\*{0,3}(?:Assistant|User|Human|System):")
_JSON = re.compile(r"[{,]\s*+\"[^\"\n]{0,80}+\"\s*+:")


def _has_remains(text: str) -> bool:
    for sign, marks in _MARKUP.items():
        if sign in text and any(mark in text for mark in marks):
            return True
    if "{" in text and _JSON.search(text):
        return True
    if ":" in text and any(speaker in text for speaker in _SPEAKERS) and _TURN.search(text):
        return True
    return "*" in text and text.count("**") > 6


# ---------------------------------------------------------------------------------------------------------------------
# Language, or the noise of a model that has lost its way.

_STRANGE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufffd-\uffff]")
_ADDRESS = re.compile(r"\W*(?:https?://|www\.)")
_JOINT = re.compile(r"[-–—/…,;|]+")
_MARK_OVER = re.compile(r"[\u0300-\u036f]")
_LATIN_WORD = re.compile(r"[a-zæøœßıđłð]{3,}")
_UNSAYABLE = re.compile(r"^[^aeiouyæøœı]+$|[bcdfghjklmnpqrstvwxz]{4}|(.)\1\1")
_LONGEST_TOKEN = 60


def _garbled(text: str, low: str, found: list[str], counts: Counter[str]) -> bool:
    line = text.replace("\n", " ") if "\n" in text else text
    if ("\ufffd" in line or not line.isprintable()) and _STRANGE.search(text):
        return True
    if max(map(len, counts)) > _LONGEST_TOKEN and any(map(_overlong, text.split())):
        return True
    size, letters = len(text), len("".join(found))
    if len(found) >= 12 and letters < 1.8 * len(found) and not _UNSPACED.search(text):
        return True
    if size > 40:  # a short text may well be a number, a sum or a date
        letters -= sum([low.count(digit) for digit in "0123456789" if digit in low])
    if size > 4 and letters * 5 < size * 3 and (letters + sum(map(str.isspace, text))) * 5 < size * 3:
        return True
    return (low.count("e") + low.count("a")) * 8 < letters and _unsayable(low, len(found))


def _overlong(token: str) -> bool:
    if len(token) <= _LONGEST_TOKEN or _ADDRESS.match(token) or _UNSPACED.search(token):
        return False
    return max(map(len, _JOINT.split(token))) > _LONGEST_TOKEN


def _unsayable(low: str, size: int) -> bool:
    """Are most words no tongue's? A keyboard hit at random shows in its consonants, once accents are set aside."""
    latin = _LATIN_WORD.findall(_MARK_OVER.sub("", unicodedata.normalize("NFD", low)))
    if len(latin) < 6 or len(latin) * 2 < size:
        return False
    return sum(1 for word in latin if _UNSAYABLE.search(word)) * 5 > len(latin) * 2


# ---------------------------------------------------------------------------------------------------------------------
# Repetition. Each costly count stands behind a cheap one that nearly every sound text fails.

_ENDS = "!?\n…。！？।"


def _repeats(low: str, found: list[str], counts: Counter[str]) -> bool:
    size = len(found)
    for end in _ENDS:
        if end in low:
            low = low.replace(end, ".")
    parts = [part.strip(" \"'”»)") for part in low.split(".") if len(part) > 4]
    if len(set(parts)) < len(parts) and any(n > 1 and len(_words(part)) >= 5 for part, n in Counter(parts).items()):
        return True
    least = max(4, size // 40 + 1)
    often = {word: n for word, n in counts.items() if n >= least}
    if not often:
        return False
    if size >= 12 and any(n * (3 if len(word) > 3 else 2) > size for word, n in often.items()):
        return True
    if size < 30 or b"\1\1\1\1" not in bytes(map(often.__contains__, found)):
        return False
    runs = Counter(zip(found, found[1:], found[2:], found[3:], strict=False))
    return max(runs.values()) >= least


# ---------------------------------------------------------------------------------------------------------------------

_CLOSERS = "\"'”’»)]}」』）】*_ \n\t"
_TERMINAL = frozenset(".!?…。！？｡।؟۔．")
_OPENING = frozenset("\"'“‘„«「『¿¡")


def _wrong_length(size: int, words: tuple[int, int]) -> str:
    low, high = words
    return f"{size} words, wanted {low} to {high}" if size * 5 < low * 4 or size * 5 > high * 6 else ""


def _unfinished(text: str) -> str:
    if text.rstrip(_CLOSERS)[-1:] not in _TERMINAL:
        return "cut off before a full stop"
    start = text.lstrip()[0]
    return "" if start.isalnum() or start in _OPENING else "does not start as a sentence"


def fault(text: str, *, words: tuple[int, int] | None = None, sentence: bool = False) -> str:
    """Why a model's text is not fit to keep, in words to act on; empty when it is.

    ``words`` asks for a length, give or take a fifth; ``sentence`` for a text that starts and ends as sentences do.
    """
    low = text.lower().replace("’", "'").replace("‘", "'")
    found = _words(low)
    if not _LETTER.search(low):
        return "empty"
    if _has_remains(text):
        return "holds markup or a prompt's remains"
    if _refuses(low):
        return "a refusal"
    if _speaks_as_model(low):
        return "speaks as a model"
    counts = Counter(found)
    if _garbled(text, low, found, counts):
        return "not language"
    if _repeats(low, found, counts):
        return "repeats itself"
    return (words and _wrong_length(len(found), words)) or (_unfinished(text) if sentence else "")


# ---------------------------------------------------------------------------------------------------------------------
# What a model wraps round the text it was asked for.

_THOUGHT = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_FENCE_NAME = re.compile(r"[\w+-]*[ \t]*")
_GREETING = re.compile(
    r"(?:(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|understood|got it)[!,.:]+[ ]*"
    r"(?:here(?:'s|’s|[ ]is|[ ]are)|below is|this is|i can|i'd be happy|let me)\b[^\n]{0,200}[:.!][ ]*\n"
    r"|(?:sure(?: thing)?|certainly|of course|absolutely|understood)[!:][ ]*\n"
    rf"|(?:here(?:'s|’s|[ ]is|[ ]are)|below is)[ ][^\n]{{0,120}}?\b{_MADE}\b[^\n]{{0,120}}:[ ]*\n)\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?P<bold>\*\*)?(?:(?:final |revised |short |your |the )?(?:answer|portrait|self-portrait|response|output|result|text"
    r"|story|anecdote|biography|bio|summary|description|narrative|value|paragraph|scene|memory|persona|draft|antwort"
    r"|réponse|respuesta|texte|texto)[ ]?[:：](?(bold)\*\*)|(?:回答|答案|答)[:：])\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[-*•][ \t]+|\d{1,2}[.)][ \t]+)(?=\S)")
_NEXT_BULLET = re.compile(r"\n[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]")
_TALLY = (
    r"[*_(\[]*(?:(?:approximate |total )?word count[:= ]+[^\n]{0,40}|(?:approximately |about |~)?\d+ words)[.)\]*_]*"
)
_FAREWELL = re.compile(
    rf"(?:\n[ \t]*{_TALLY}|[ ]?[(\[][*_]*(?:word count[:= ]+[^\n()]{{0,40}}|\d+ words)[*_]*[)\]]"
    r"|\n[ \t*_]*(?:let me know (?:if|whether|what)|feel free to|i hope (?:this|that) (?:helps|meets|works)"
    r"|would you like me to|if you(?:'d|’d| would) like(?: me)?,?[ ](?:to|i can))\b[^\n]*)\s*$",
    re.IGNORECASE,
)
_WRAPS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "「": "」", "`": "`"}
_TRAILING = re.compile(r"(?<![ \t])[ \t]++(?=\n)")
_GAP = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """The text a model meant, without its thoughts, fence, label, quotes and pleasantries; the inside is left alone."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", ""))
    text = _GAP.sub("\n\n", _TRAILING.sub("", without_thoughts(text)))
    for _ in range(_LAYERS):
        bare = _unwrapped(text.strip())
        if bare == text:
            break
        text = bare
    return text.strip()


_TAIL = 400
_LAYERS = 6  # no model wraps deeper, and a text made of nothing but wrapping must not cost its length squared


def without_thoughts(text: str) -> str:
    """The text without what a reasoning model thought aloud."""
    kept: list[str] = []
    begin, thinking = 0, False
    for tag in _THOUGHT.finditer(text):
        if tag[1]:
            if not thinking:  # the opening tag stood in the prompt, so all that came before was thought
                kept.clear()
            begin, thinking = tag.end(), False
        elif not thinking:
            kept.append(text[begin : tag.start()])
            begin, thinking = tag.start(), True
    if thinking and not "".join(kept).strip():
        return ""
    return "".join(kept) + text[begin:]


def _unwrapped(text: str) -> str:
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2:
        name, line_end, fenced = text[3:-3].partition("\n")
        text = fenced.strip() if line_end and _FENCE_NAME.fullmatch(name) else text
    text = _GREETING.sub("", text, count=1) if _GREETING.match(text) else text
    text = text[label.end() :] if (label := _LABEL.match(text)) else text
    if (bullet := _BULLET.match(text)) and not _NEXT_BULLET.search(text):
        text = text[bullet.end() :]
    text = (text[:-_TAIL] + _FAREWELL.sub("", text[-_TAIL:])).strip()
    closer = _WRAPS.get(text[:1])
    if closer and len(text) > 2 and text[-1] == closer and _wraps_whole(text[1:-1], text[0], closer):
        text = text[1:-1]
    return text


def _wraps_whole(inside: str, opener: str, closer: str) -> bool:
    """Do the outer marks belong to each other? Inside, the same mark may stand only as an apostrophe between letters."""
    if opener not in inside and closer not in inside:
        return True
    if closer not in "'’" or (opener != closer and opener in inside):
        return False
    return all(
        inside[at - 1 : at].isalnum() and inside[at + 1 : at + 2].isalnum()
        for at, sign in enumerate(inside)
        if sign == closer
    )
