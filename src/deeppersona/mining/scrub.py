"""Take what identifies a person out of a text, before anything of it is stored or shown to a model.

E-mails, links, handles, addresses, long numbers and codes, full dates, and names of people are replaced by words in
brackets. Ages, counts, prices, years, places and brands stay: they are what an attribute is about. In doubt a harmless
word is lost rather than a name kept, but a word that is both (``Grace``, ``Will``) needs something that speaks for a name.

The steps run until nothing changes, so that scrubbing twice is scrubbing once. Every quantifier that could be walked
again and again is bounded: texts come from strangers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from deeppersona.mining.people import NO_PERSON, is_word, names_taken

NUMBER, ADDRESS, DATE = "[number]", "[address]", "[date]"
EMAIL, LINK, HANDLE = "[email]", "[link]", "[handle]"
Instead = str | Callable[[re.Match[str]], str]


# --- what has a form of its own ------------------------------------------------------------------

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)\d\d"
_DOMAIN = r"(?:com|org|net|io|edu|gov|info|biz|app|dev|ai|xyz|tv|eu|uk|ca|de|fr|nl|pl|ru|ua|br|mx|ke|jp|cn|ch|online|shop|blog|site|store|(?:co|ac|com|org|gov)\.[a-z]{2})"
_TYPES = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Close|Crescent|Cres|Highway|Hwy|Parkway|Pkwy"
    r"|Circle|Cir|Trail|Row|Gardens|Grove|Mews|Marg|Nagar|Alley)"
)
_ANYCASE_TYPES = r"(?:street|st|avenue|ave|road|rd|lane|boulevard|blvd)"
_WORDS = r"[^\W\d_][\w'’.-]{0,40}"
_UPPER = r"[A-ZÀ-ÖØ-Þ][\w'’-]{0,40}"
_NO = r"(?:n[º°o]?\.?[ ]?|д\.?[ ]?|dom[ ])?"
_STREETS: tuple[str, ...] = (
    rf"\b(?:(?:Apt|Apartment|Unit|Flat|Suite|Plot|House|Door|Block|H\.?)\.?\s?(?:No\.?|Number|#)?\s?)?\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,4}}){{0,3}},?[ ](?:(?:[NSEW]\.?|North|South|East|West)[ ])?"
    rf"(?:(?:[A-Z][\w'’.-]{{0,40}}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}{_TYPES}\b\.?(?:[ ](?:North|South|East|West|[NSEW])\b)?(?:,?[ ](?:Apt|Apartment|Unit|Flat|Suite|#)\.?[ ]?#?\w{{1,6}})?",
    rf"(?i:\b\d{{1,5}}[ ](?!(?:\w+[ ])?(?:minutes?|hours?|miles?|km|lanes?|blocks?|ways?|days?|weeks?|years?|of|on|in|the|for|that|this|from|more|new|main)[ ])(?:[a-z]{{2,20}}[ ]){{1,2}}{_ANYCASE_TYPES}\b)",
    r"(?i:\bp\.?\s?o\.?\s?box\s\d{1,7})",
    r"\b[A-ZÄÖÜ][\wäöüß-]{1,40}(?:straße|strasse|str\.|weg|allee|platz|gasse|damm|ufer|straat|laan|plein|gracht|gatan|vägen|vej|veien|katu)\s(?!(?:19|20)\d\d\b)\d{1,4}\s?[a-zA-Z]?\b",
    r"\b(?:[A-ZÄÖÜ][\wäöüß-]{1,40}[ ]){1,2}(?:Straße|Strasse|Str\.|Allee|Platz|Weg|Ring|Damm)[ ]\d{1,4}\s?[a-zA-Z]?\b",
    rf"(?i:\b\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ](?:rue|avenue|boulevard|bd|place|allée|chemin|impasse|quai|route|cours|passage)[ ](?:(?:de|du|des|la|le|les)[ ]|d['’]|l['’]){{0,2}}(?-i:{_UPPER})(?:[ -](?-i:{_UPPER})){{0,3}})",
    rf"(?i:\b(?:calle|c/|avenida|avda|rua|travessa|praça|ulica|ulitsa|ul\.|ул\.?|улица|проспект)\.?[ ](?:{_WORDS}[ ,]{{1,2}}){{1,5}}{_NO}\d{{1,5}}(?:[ ]?[-/][ ]?\d{{1,4}})?[a-z]?\b)",
    rf"(?i:\b(?:via|viale|piazza|corso|vicolo|plaza|paseo|av\.|carrera|alameda|jalan|jl\.?)[ ](?:{_WORDS}[ ]){{0,4}}(?-i:{_UPPER})[ ,]{{1,2}}{_NO}(?!(?:19|20)\d\d\b)\d{{1,5}}(?:[ ]?[-/][ ]?\d{{1,4}})?[a-z]?\b)",
    r"(?i:\b(?:calle|carrera|cra|cl)\.?[ ]\d{1,3}[a-z]?[ ]?(?:#|no\.?)[ ]?\d{1,3}[a-z]?[ ]?-[ ]?\d{1,3}\b)",
    r"\b(?:[^\W\d_][\w'’.-]{1,30}[ ]){1,2}(?:Caddesi|Cad\.|Sokak|Sokağı|Sok\.|Bulvarı)(?:[ ]No)?[ .:]{0,3}\d{1,4}\b",
    r"\b\d{1,2}-\d{1,2}-\d{1,2}[ ,]{1,2}[A-Z][a-z]{2,20}(?:-(?:ku|cho|machi|shi))?\b",
    r"\b[A-Z][a-z]{2,20}(?:-(?:ku|cho|machi|shi|dong|gu))?[ ]\d{1,2}-\d{1,2}-\d{1,2}\b",
    r"\b(?!(?:[A-Z]\d){2})[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[ABD-HJLNP-UW-Z]{2}\b|\b[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d\b",
    r"\b(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]),?[ ]\d{5}(?:-\d{4})?\b",
    r"-?\b(?:\d{2,3}\.\d{4,20}\s?,\s?-?\d{1,3}|\d\.\d{4,20}\s?,\s?-?\d{2,3})\.\d{4,20}\b",
)  # fmt: skip
_DOB = r"\b(?:born|dob|d\.o\.b\.?|b-?day|birthday|birth ?date|date of birth|geboren am|née? le|nacid[oa] el)\b[^\n.\d\[]{0,20}?"
_DATES = (
    rf"(?<![\d.])\d{{1,2}}([./-])\d{{1,2}}\1{_YEAR}(?!\w)|(?<![\w.])(?:{_YEAR})(?:[/-]\d{{1,2}}[/-]\d{{1,2}}|\.\d\d\.\d\d)(?!\.?\d|[a-z])"
    r"|(?<![\d./])(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])/\d\d(?![\d/])|(?<![\d.])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.\d\d(?![\d.])"
    rf"|\b{_DAY}(?:[ ]of)?[ -]{_MONTH},?[ -]{_YEAR}\b|\b{_MONTH}[ ]{_DAY},?[ ]{_YEAR}\b"
)
_DATE_OF_BIRTH = (
    rf"(?P<before>{_DOB})(?:\d{{1,2}}[ ]?[./-][ ]?\d{{1,2}}(?:[ ]?[./-][ ]?\d{{2,4}})?|(?:{_DAY}|[a-z]{{4,7}}(?:th|rst|ond|ird|eth))(?:[ ]of)?[ ]{_MONTH}(?:,?[ ]\d{{2,4}})?"
    rf"|{_MONTH}[ ](?:the[ ])?{_DAY}(?:,?[ ]{_YEAR})?)\b(?![ ](?:years|months|weeks|days)\b)"
)
_CODES = (  # passports, tax and insurance numbers, accounts, plates and addresses of machines that show by their shape
    r"\b(?=[A-Z\dÄÖÜ])(?:[A-Z]{2}\d{2}(?:[ ]?[A-Z\d]{4}){3,7}(?:[ ]?[A-Z\d]{1,3})?|[A-Z]{1,3}\d{6,9}[A-Z]?|[A-Z]{2}[ ]?\d{2}[ ]?\d{2}[ ]?\d{2}[ ]?[A-D]"
    r"|[A-Z]{5}\d{4}[A-Z]|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]|[A-Z]{4}\d{6}[A-Z]{6}[A-Z\d]\d|\d{7,8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]"
    r"|\d{6}[-+A]\d{3}[\dA-Z]|[A-Z]{2}\d{2}[ ]?[A-Z]{3}|[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{4}|[A-Z]{2}[ -]\d{3}[ -][A-Z]{2}"
    r"|[A-ZÄÖÜ]{1,3}-[A-ZÄÖÜ]{1,2}[ ](?!(?:19|20)\d\d)\d{2,4}[EH]?|K[A-Z]{2}[ ]?\d{3}[A-Z]|\d[A-Z]{3}\d{3}|(?:(?<![\w.]))(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\.\d))\b"
)  # fmt: skip
_HEX = r"\b(?:[\da-fA-F]{2}[:-]){5}[\da-fA-F]{2}\b|(?<![\w:])(?=[\d:]{0,30}[a-fA-F])(?:[\da-fA-F]{1,4}:){7}[\da-fA-F]{1,4}(?![\w:])|(?<![\w:])(?=[a-fA-F:]{0,15}\d)(?:[\da-fA-F]{1,4}:){1,6}:(?:[\da-fA-F]{1,4}(?::[\da-fA-F]{1,4}){0,5})?(?![\w:])"
_SECRET = r"\b(?:[spr]k[-_][\w-]{16,200}|gh[pousr]_\w{16,200}|glpat-[\w-]{16,200}|xox[abp]-[\w-]{10,200}|AKIA[A-Z\d]{12,20}\b|AIza[\w-]{20,60}|eyJ[\w-]{10,2000}(?:\.[\w-]{4,4000}){0,2})"  # noqa: S105  # a pattern
_KEYED = (
    r"passport|driver['’]?s? licen[cs]e|driving licen[cs]e|licen[cs]e|national|identity|id|student|employee|member|membership|patient|account|acct|routing|sort|ssn|social security|social insurance|sin|nino"
    r"|national insurance|insurance|policy|tax|tin|steuer-?id|nhs|medicare|medicaid|aadhaar|aadhar|pan|cpf|cnpj|curp|rfc|dni|nie|nif|bsn|pesel|bvn|nin|voter|visa|case|booking|reservation|confirmation"
    r"|tracking|order|serial|imei|vin|number plate|licen[cs]e plate|registration|reg|zip|post|postal|postcode|pincode|pin|otp|cvv|cvc|security|phone|mobile|cell|tel|telephone|whatsapp|fax|contact"
)  # fmt: skip
_VALUE = r"(?P<v>(?=[\w./+-]{0,30}\d)\+?[A-Za-z\d][\w./-]{1,40}(?:[ -](?=\w{0,8}\d)[A-Z\d]{1,8}){0,6})"
_ANNOUNCED = (
    rf"(?P<before>\b(?:{_KEYED}|my|your|his|her|their)[ ](?:(?:card|id|plate)[ ])?(?:number|no\.?|num|nr\.?|#|code|plate|id)[ ]{{0,2}}(?:is|was|:|=|#)?[ :]{{0,2}}(?:also[ ])?)"
    + _VALUE
)
_SIMPLY = rf"(?P<before>\b(?:{_KEYED}|plate|zip ?code|iban|user ?id)[ ]{{0,2}}(?:is|was|:|=|#)[ ]{{0,2}})" + _VALUE
_PASSWORD = r"(?P<before>\b(?:password|passwd|pwd|passwort|passcode|passphrase)[ ]{0,2}(?:is|was|:|=)[ ]{0,2}[\"']?)(?P<v>[^\s\"'\[\]]{4,64})"  # noqa: S105  # a pattern
_KEY = r"(?<![A-Za-z\d_-])(?=[A-Za-z_-]{0,40}\d)[A-Za-z\d_-]{16,}"
_HANDLE_TOLD = (
    r"(?P<before>\b(?:insta(?:gram)?|ig|snap(?:chat)?|twitter|discord|telegram|tik ?tok|kik|skype|steam|psn|xbox|gamertag|user ?name|nick ?name|login|handle|facebook|fb|reddit|wechat)(?:[ ](?:name|id|handle|username|account|user|tag))?"
    r"[ ]{0,2}(?:is|:|=|at|as)[ ]{0,2})(?P<v>[A-Za-z\d_][\w.#-]{2,40})"
)
_NUMERIC = r"(?<![\w.])[+(]{0,2}\d(?:[  .()/-]{0,3}\d){6,30}(?!\w)"
_CURRENCY_BEFORE = re.compile(r"(?:[$€£¥₹]|\b(?:usd|eur|gbp|inr|rs\.?|kes|ngn|ksh|php))\s?$", re.I)
_UNIT_AFTER = re.compile(
    r"\s?(?:[$€£¥₹%]|(?:dollars?|euros?|pounds?|rupees?|usd|eur|people|children|users|followers|views|steps|words|times|miles|km|years|bytes)\b)", re.I
)  # fmt: skip
_CALLED = re.compile(r"\b(?:call|phone|tel|telephone|mobile|cell|whatsapp|text|reach|fax|number)\b[^\d\n]{0,25}$", re.I)
_GROUPINGS = frozenset([  # how telephone, card, tax and insurance numbers are written
    (3, 3, 4), (1, 3, 3, 4), (5, 5), (4, 3, 3), (3, 4, 4), (5, 6), (4, 6), (4, 4, 4), (3, 2, 4), (3, 3, 3), (2, 5, 4), (2, 4, 4), (3, 3, 3, 2), (4, 4, 4, 4),
    (4, 6, 5), (6, 4), (2, 3, 3, 4), (2, 10), (1, 10), (3, 4), (4, 4), (5, 3), (3, 8), (3, 7), (1, 2, 2, 2, 3, 3, 2),
])  # fmt: skip


def _is_number(groups: list[str], seps: list[str], called: bool) -> bool:
    """Whether digits grouped so belong to a telephone, a card or a person, and are no count, price, year or list."""
    digits, sizes = "".join(groups), tuple(map(len, groups))
    n, round_ = len(digits), all(g.endswith("0") for g in groups)
    if n > 24 or all(re.fullmatch(_YEAR, g) for g in groups):
        return False
    if called and (len(groups) == 1 or min(sizes) > 1):
        return True
    if len(groups) == 1:
        return digits[0] == "0" or not digits.endswith("00000" if n > 8 else "000")
    if len(groups) == 2 and (seps == ["."] or round_ or (seps == [" "] and re.fullmatch(_YEAR, groups[0]))):
        return False  # 3944.17, 800-1000, in 2017 1000 people
    if set(sizes[1:]) == {3} and sizes[0] < 4 and digits[0] != "0" and (set(seps) == {"."} or round_):
        return False  # thousands
    if sizes in ((3, 4), (5, 3), (6, 4)):
        return seps == ["-"]
    return sizes in _GROUPINGS or (min(sizes) > 1 and not round_ and (12 < n < 20 or (digits[0] == "0" and n > 8)))


def _numbers(match: re.Match[str]) -> str:
    """A run of digit groups with the longest stretches of it that are numbers of a person taken out."""
    raw, text = match[0], match.string
    if _CURRENCY_BEFORE.search(text[max(0, match.start() - 6) : match.start()]):
        return raw
    groups = list(re.finditer(r"\d+", raw))
    if max(len(g[0]) for g in groups) < 2:  # 4 8 1 5
        return raw
    called = _CALLED.search(text[max(0, match.start() - 40) : match.start()]) is not None
    if len(groups) == 1 and not called and _UNIT_AFTER.match(text, match.end()):
        return raw
    plus = raw[0] == "+" or raw[:2] == "(+" or (len(groups[0][0]) > 1 and groups[0][0][:2] == "00" and len(groups) > 1)
    if plus and sum(len(g[0]) for g in groups) > 7:
        return NUMBER
    seps = [raw[a.end() : b.start()].strip() or " " for a, b in pairwise(groups)]
    for size in range(min(len(groups), 8), 0, -1):
        for first in range(len(groups) - size + 1):
            last = first + size - 1
            part = [g[0] for g in groups[first : last + 1]]
            apart = [*seps[max(0, first - 1) : first], *seps[last : last + 1]]  # half of 0.9957 or of 12-34 is nothing
            if (
                all(sep in " ()" for sep in apart)
                and sum(map(len, part)) > 6
                and _is_number(part, seps[first:last], called)
            ):
                lead = raw[: groups[first].start()]
                lead = lead.removesuffix("(") if ")" in raw[groups[first].end() : groups[last].end()] else lead
                return lead.rstrip("+") + NUMBER + raw[groups[last].end() :]
    return raw


def _told_code(match: re.Match[str]) -> str:
    """``account number 12345678`` and ``passport: AB12345``, but not ``policy number 2`` or ``registration is 2019``."""
    value, lead = match["v"], match["before"].casefold()
    if value.isdigit() and (
        re.fullmatch(_YEAR, value) or (len(value) < 6 and "number" not in lead and "code" not in lead)
    ):
        return match[0]
    spelt = re.search(r"[a-z]{5}|[._]{2}|[a-z]_[a-z]", value) is not None  # a name of a program
    return match[0] if spelt or len(value) < 4 or len(re.findall(r"\d", value)) < 2 else match["before"] + NUMBER


def _told_secret(match: re.Match[str]) -> str:
    return match["before"] + NUMBER if re.search(r"\d|\w[^\w\s.,!?]\w", match["v"]) else match[0]


def _told_handle(match: re.Match[str]) -> str:
    bare, lead = match["v"].strip(".").casefold(), match["before"].casefold().rstrip()
    announced = lead[-1] in ":=" or "name" in lead or " id " in lead
    odd = re.search(r"[\d_.#]", bare) is not None or (announced and not is_word(bare))
    return match["before"] + HANDLE if odd and bare not in NO_PERSON else match[0]


def _random(match: re.Match[str]) -> str:
    """A key looks shuffled: letters and figures change often. ``AutoModelForSeq2SeqLM`` does not."""
    changes = len(re.findall(r"[A-Za-z]\d|\d[A-Za-z]", match[0]))
    return NUMBER if changes > 2 else match[0]


def _steps(*pairs: tuple[str, Instead]) -> tuple[tuple[re.Pattern[str], Instead], ...]:
    return tuple((re.compile(pattern), instead) for pattern, instead in pairs)


_WITH_AT = _steps(
    (r"[\w.+-]{1,64}[ ]?@[ ]?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", EMAIL),
    (r"(?<![\w@/.])@[A-Za-z_]\w{1,29}(?:\.\w{1,30}){0,3}", HANDLE),
)
_DOTTED = re.compile(r"\.[A-Za-z\d]|://")
_LINKS = _steps(
    (r"(?i:\b(?:https?|ftp)://\S{1,2000}|\bwww\.\S{1,2000})(?<![.,!?;:)\]'\"])", LINK),
    (rf"\b(?!(?i:asp|vb|std|ado)\.net\b|(?i:node|socket)\.io\b)(?:[\w-]{{1,63}}\.){{1,4}}{_DOMAIN}\b(?:/[^\s\[\]]{{0,2000}})?(?![\w@'’])|\b[\w-]{{1,63}}\.[a-z]{{2,4}}/[\w-][^\s\[\]]{{0,300}}", LINK),
)  # fmt: skip
_TOLD_FORMS = tuple((triggers, _steps((pattern, instead))[0]) for triggers, pattern, instead in (
    (("(at", "[at", "{at", "( at", "[ at"), r"(?i:[\w.+-]{1,64}[ ]?[(\[{][ ]?at[ ]?[)\]}][ ]?[\w-]{1,63}(?:[ ]?(?:\.|[(\[{][ ]?dot[ ]?[)\]}]|[ ]dot[ ])[ ]?[\w-]{1,63}){1,4})", EMAIL),
    ((" dot ", "gmail", "yahoo", "hotmail", "outlook", "icloud", "protonmail", "gmx", "aol"),
     r"(?i:\b[\w.+-]{2,64}[ ](?:at|@)[ ](?:(?:gmail|yahoo|hotmail|outlook|icloud|protonmail|gmx|aol)(?:\.| dot )\w{2,4}|[\w-]{2,40}(?: dot [a-z]{2,6}){1,3})\b)", EMAIL),
    (("u/", "#"), r"(?<![\w/])/?u/[\w-]{2,30}|\b(?!(?i:issue|bug|ticket|pull|item|case|order|track|page|part)#)[A-Za-z][\w.]{2,32}#\d{4}\b", HANDLE),
    (("insta", " ig ", "snap", "twitter", "discord", "telegram", "tiktok", "tik tok", " kik ", "skype", "steam", "psn", "xbox", "gamertag", "username", "user name", "nickname", "login", "handle", "facebook", "fb", "reddit", "wechat"), rf"(?i:{_HANDLE_TOLD})", _told_handle),
    (("password", "passcode", "passphrase", "passwd", "passwort", "pwd"), rf"(?i:{_PASSWORD})", _told_secret),
))  # fmt: skip
_WITH_DIGITS = (
    *_steps(*((pattern, ADDRESS) for pattern in _STREETS)),
    *_steps((rf"(?i:{_DATE_OF_BIRTH})", lambda m: m["before"] + DATE), (rf"(?i:{_DATES})", DATE), (_SECRET, NUMBER), (_CODES, NUMBER), (_KEY, _random), (rf"(?i:{_ANNOUNCED})", _told_code), (rf"(?i:{_SIMPLY})", _told_code), (_NUMERIC, _numbers)),
)  # fmt: skip
_WITH_COLONS = _steps((_HEX, NUMBER))
_DIGIT = re.compile(r"\d")


def _identifiers(text: str) -> str:
    """The text without what has a form of its own."""
    if "@" in text:
        text = _applied(_WITH_AT, text)
    if _DOTTED.search(text) is not None:
        text = _applied(_LINKS, text)
    low = text.casefold()
    for triggers, step in _TOLD_FORMS:
        if any(t in low for t in triggers):
            text = _applied((step,), text)
    if _DIGIT.search(text) is None:
        return text
    if "::" in text or text.count(":") > 4 or text.count("-") > 4:
        text = _applied(_WITH_COLONS, text)
    return _applied(_WITH_DIGITS, text)


def _applied(steps: tuple[tuple[re.Pattern[str], Instead], ...], text: str) -> str:
    for pattern, instead in steps:
        text = pattern.sub(instead, text)
    return text


def scrub(text: str) -> str:
    """The text without what identifies anybody."""
    while (left := names_taken(_identifiers(text))) != text:
        text = left
    return text
