"""Names of people in a text: those that something announces, and those that show by their capitals.

In doubt a harmless word is lost rather than a name kept, but a word that is both (``Grace``, ``Will``) needs something that
speaks for a name. English patterns; every quantifier that could be walked again and again is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from deeppersona.facts.tables import shipped_facts
from deeppersona.mining.words import kinds

NAME = "[name]"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FUNCTION = _set("""
a an the this that these those some any every each all both either no none another other such what which who whom whose where when why how here there i me my mine myself you your yours u ur he him his she her hers it its we us our
they them their is are was were be been being am do does did has have had having would can could should shall may might must let lets and or but nor so yet because since although though while if unless until as than then at
by for from in into of off on onto out over to up with without about after before between under again also too very really just only even still now not never always ever maybe perhaps please thank thanks sorry yes yeah yep yea ya
nope nah naw ok okay okey oke kay hi hello hey hiya bye goodbye good great nice fine well sure right oh ah aha wow lol lmao haha hehe hmm omg btw im i'm i've i'll i'd ive ill id iam whats what's hows how's thats that's it's he's
she's there's let's don't dont can't cant wont didnt thx pls plz gonna wanna got get gets back more much many mr mrs ms dr later like unknown
""")  # fmt: skip
NO_PERSON = _FUNCTION | _set("""
mom mum mommy mama momma dad daddy papa mother father sister brother son daughter wife husband baby babe honey sweetie dear darling friend friends buddy pal bro bruh dude man guy guys girl boy sir madam maam everyone everybody
anyone anybody someone somebody nobody folks people team world doctor professor teacher boss god lord jesus christ allah buddha satan santa monday tuesday wednesday thursday friday saturday sunday jan january feb february march
apr april jun june jul july aug august sept september oct october nov november dec december spring summer autumn winter christian christians christianity muslim catholic jewish hindu buddhist islam bible quran christmas easter
ramadan diwali hanukkah siri alexa cortana chatgpt gpt claude bard gemini copilot ai bot chatbot robot assistant google chase karma alpha beta delta nazi hurricane der die das una une las los les del mee hai tes eng soo yaa
yah thu lai charity safari mars line data peace thant naa tou min dev chia ele hoa burger roman rehab mercedes taurus virgo libra scorpio sagittarius capricorn aquarius pisces aries latino latina hispanic arab sikh shia sunni mormon pagan quaker chicano
chicana pinoy desi lutheran wiccan pentecostal filipina pashtun cajun ashkenazi texan londoner afrikaner malayali zulu maori cherokee navajo gay trans batman superman spiderman groot gryffindor slytherin hufflepuff ravenclaw boomer asian african white black introduce suppose among sensei latin imma okie
""")  # fmt: skip
_MORE_GIVEN = """
gregory terry billy randy russell eugene todd allen dustin jared corey jeff jim bob matt phil doug pete chuck hank stan vince gus ernie bernie ted ned cole cody spencer garrett devin wyatt aiden landon colton parker ewan kathryn
judy lori becky jen jess tammy candace morgan haley kaylee skylar zoey rosie imogen eleanor mildred hazel lillian lucille mabel maxine gail jill josie kendra krista lindsey margie meg meghan shelly sherry whitney georgie gracie
jackie jamie johnnie josh kristy libby lizzie marty mickey mikey minnie nate ollie patsy patty robbie ronnie sammy stevie susie terri trish val vicki wes zach zack xiao jin jurgen bjorn dmitri katya sergei yulia larry kyle shane
brent derrick darren darrell terrence tyrone dwayne dwight jermaine lamar marlon malik darius andre antoine deshawn trent preston bryce brody chance grayson easton jaxon kaden bentley weston emmett silas lacey kelsey kaitlyn
katelyn jocelyn marisol yesenia latoya tamika keisha shanice ebony deanna darlene charlene marlene earlene loretta roberta geraldine bernice eunice hattie jeanette jeannie kerri kari carrie carly cassie cassidy casey dana dawn deb
debby elaine ellen fay gwen hilary ivana janie jeanne jodi jodie jo kaitlin karla kristi lana leanne lena liz luann lynda lynne mckenzie mackenzie mae mellissa nadine natalia rhoda rochelle rosanne shauna sheri shari sierra sondra
staci suzie tabatha tania tasha tonya tori traci trudy vickie wanda yolanda alfie archie barney barry cliff colin damian desmond dominick edgar elliot elliott ethan felicity fergus finley floyd francis geoff gilbert glenda greta
gretchen guillermo harriet herb herman hubert ike ira irving jasper jeb jerome johnny jonah josiah julian juliet kirk lance lars leila lester lila lionel lloyd lonnie lorenzo luther lyle marian marion mavis melinda merle micah
monty moses murray myra nikki noel nora ophelia otis pam percy perry reggie rex rhonda riley rodney roland roscoe ross rowan rufus sadie sally saul selena shelby sherman simone sonya stewart sylvester tabby tamara tiana tess tessa
theodore toby tracey trudie ty tyson ursula vernon virgil wallace wally wilbur wilfred winston zeke zelda
"""  # forenames of English-speaking countries that the tables lack, and short forms
_EVERYDAY = "sue earl chase tanner miles chelsea savannah sydney autumn summer penny rusty sandy sonny will bill mark pat art gene dean drew rob jack frank dick don grant dale rose grace hope faith joy max"
_SAFE_SHORT = _set("""
ann ana amy ali amir anh ava ben bob bea dan deb don eva eve fay ian ida ivo jen jim jin joe jon ken kim leo les liz lou mae meg mia mya ned nia pam pat pia raj ray ron roy sam stan sue ted tia tim tom ugo uma val wes zoe
""")  # fmt: skip
_FROM_ENGLISH = _set(
    "american british irish australian new_zealand anglo_canadian hispanic_us american_jewish cape_english"
)
# In the dictionary, but hardly used as words; and others that are words, but hardly ever with a capital.
_LOWER_TOO = _set("mike peter bobby harry nick rick ken jimmy tim tom jim joe amy ian jen liz meg zoe roy jon sam")
_AS_GIVEN = _LOWER_TOO | _set(
    "carol dale derrick dexter holly jack jay lance martin mason rob sally tommy victor warren eddy"
)
_NOT_LOWER = _AS_GIVEN - _LOWER_TOO | _set("""
norma alma yang vida destiny krishna rama ella ariel mari alpha howdy dawn chance cliff herb ross rex lance tori tess sierra jasper val kari barney rowan moses marian riley parker cole spencer taylor carter wallace hazel chuck
luke donna clara juan
""")  # fmt: skip
_AREAS = """
africa america asia europe oceania antarctica caribbean scandinavia balkans england scotland wales britain ireland alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois
indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia washington wisconsin
wyoming dakota carolina ontario quebec alberta manitoba queensland tasmania kerala punjab gujarat bihar bengal siam persia burma ceylon korea sahara paris london sydney houston dallas brooklyn manhattan orlando israel france peru
iran argentina india china oman salvador judea jordan chad madison savannah chelsea jackson lincoln
"""
_NAME_FIRST = _set("""
sofia jordan chad leon rosario santiago aba milan charlotte austin victoria florence madison savannah chelsea jackson lincoln guadalupe soledad minna
""")  # fmt: skip
_BEFORE_A_PLACE = _set("""
hurricane hurrican huricane storm typhoon cyclone lake mount mt saint st san santa sao new north south east west fort port cape camp los las el university republic
""")  # fmt: skip
_AFTER_A_PLACE = _set("""
university college school hospital church cathedral street avenue road county city island islands river park bay beach institute foundation project house award prize syndrome day festival industries inc museum falls springs desert
state states bridge stadium center centre company bank airlines motors childrens children hotel airport library society disease theorem index law act scale test method distribution
""")  # fmt: skip
_BRANDS = frozenset("""
harley davidson|calvin klein|tommy hilfiger|louis vuitton|ralph lauren|jack daniels|jack daniel's|burger king|ronald mcdonald|papa john's|papa johns|tim hortons|trader joe's|trader joes|victoria's secret|johns hopkins
|dr pepper|levi's|wendy's|santa claus|john deere|harry potter|peter pan|pizza hut|burj khalifa|don juan|aston martin|alfa romeo|saint laurent|jimmy john's|super mario|mario kart|marie curie|peppa pig|mickey mouse|rolls royce|uncle sam
|ann arbor|st jude|st judes|st. jude|st. judes|st jude's|st. jude's|mona lisa|mary jane|jesus christ|uncle ben's|aunt jemima|amber alert|mother teresa|la la land|costa rica|amazon turk|mechanical turk
""".replace("\n", "").split("|"))  # fmt: skip
_TITLE_KEPT = _set("""
robot right who pepper president speaker universe america world christmas gaga act hospital no evil strange nice perfect teresa
""")  # fmt: skip
_KIN = (
    r"(?:(?:step|half|grand|god|great)-?)?(?:(?:mother|father|sister|brother|son|daughter)[- ]in[- ]law|mother|father|mom|mum|dad|brother|sister|sibling|son|daughter|wife|husband|hubby|spouse|boyfriend|girlfriend|bf|gf|fianc[ée]e?"
    r"|partner|friend|bestie|cousin|uncle|aunt|auntie|niece|nephew|boss|manager|supervisor|coworker|co-worker|colleague|ex|roommate|housemate|flatmate|classmate|neighbou?r|baby|child|kid|twin|dog|puppy|cat|kitten|horse|teacher"
    r"|tutor|professor|therapist|coach|doctor|landlord|pastor|grandma|grandpa|granny|nana|crush|name)"
)  # fmt: skip
_MONTH_NAMES = frozenset(["april", "june", "august"])
_PARTICLES = _set("van von der den de da dos del della di la le el al bin ibn ben ter af mac")
_OF_A_PEOPLE = re.compile(r"(?:ish|ese|ian|ean|ist|ite|ic|ern)$")  # I am Flemish
_GENITIVE = re.compile(r"['’]s$")
_SOMEBODY = re.compile(rf"\b(?:{_KIN}|man|woman|person|guy|girl|boy|lady|someone)\b")
_ONE = r"(?:(?:[A-Z]\.){1,3}|[^\W\d_][\w'’-]{0,40})"
_SPOTS = re.compile(_ONE)
_NEXT = rf"(?P<name>{_ONE}(?:[ ]{_ONE}){{0,4}})"
_CALLS = (  # what announces a name, and how sure it is that one follows
    ("told", rf"\b(?:(?:my|his|her|their|whose|{_KIN}['’]?s)[ ](?:(?:full|real|first|last|given|family|middle|maiden|birth)[ ])?(?:name|surname|nickname)(?:['’]s|[ ]is|[ ]was|:|[ ]=)|my[ ]names|i(?:['’]?m|[ ]am)[ ]called|i[ ]go[ ]by)[ :]{{1,2}}"),
    ("call", r"\bcalls?[ ]me[ ]"),
    ("named", r"\b(?:named|nicknamed|(?:goes|went)[ ]by|names[ ]are|my[ ]name|the[ ]name[ ]is)[ ]"),
    ("called", r"\b(?:called|known[ ]as)[ ]"),
    ("field", r"(?:^|(?<=\n))[ \t>*-]{0,6}(?:(?:full|first|last|given|family|middle|maiden|patient|student|client|customer|contact|employee)[ ])?(?:name|surname|forename|vorname|nachname|nombre|apellidos?|prénom|patient|client|student)[ ]{0,2}:[ ]{0,2}"),
    ("field", r"\b(?:sincerely|regards|wishes|the best|cheers|yours(?:[ ]\w{1,12})?|respectfully|love|thanks|thank you|best|xoxo|signed)[,.!]{0,2}[ \t]{0,4}\n{1,2}[ \t]{0,8}[-–~]?[ ]?"),
    ("title", r"\b(?:mr|mrs|ms|mx|dr|prof|professor|herr|frau|señora?|monsieur|madame|signora?)\b\.?[ ]"),
    ("kin", r"\b(?-i:Miss|Sir|Madam|Lady|Lord|Pastor|Father|Mother|Sister|Brother|Reverend|Rev\.?|Judge|Senator|Coach|Captain|Rabbi|Imam|Doctor|Sr\.|Sra\.|Don|Doña)[ ]"),
    ("aunt", r"\b(?:aunt|auntie|aunty|uncle|grandma|grandpa|granny|cousin)[ ]"),
    ("kin", rf"\b(?:my|our|his|her|their|your|a|the|['’]s)[ ](?:[\w'’-]{{1,15}}[ ]){{0,3}}{_KIN}s?,?[ ]"),
    ("hello", r"\b(?:hi|hello|hey|dear|thanks|thank[ ]you|thx|good[ ](?:morning|afternoon|evening|night)|bye|goodbye|to[ ]meet[ ]you|welcome|congrats|congratulations|sincerely|regards|cheers|sorry)(?:[ ](?:there|again))?,?[ ]"),
    ("this", r"\b(?:this[ ]is|it['’]?s|it[ ]is|here['’]?s|here[ ]is)[ ]"),
    ("self", r"\b(?:i['’]?m|i[ ]am)[ ]"),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """What names people and places, folded: ``given`` are no words, ``everyday`` are, ``lower`` are names in any case."""

    given: frozenset[str]
    everyday: frozenset[str]
    lower: frozenset[str]
    family: frozenset[str]
    places: frozenset[str]
    nations: frozenset[str]


@lru_cache(maxsize=1)
def known() -> Known:
    """The shipped tables of names, countries and cities, with the lists of this module."""
    facts = shipped_facts()
    borne: dict[str, set[str]] = {}
    for key, tradition in facts.traditions.items():
        for kept in (tradition.given, tradition.older, tradition.younger):
            for part in (p for listed in kept.values() for name in listed for p in _plain(name.casefold()).split()):
                borne.setdefault(part, set()).add(key)
    more = frozenset(_MORE_GIVEN.split())
    nations = {w.strip("()") for c in facts.countries.values() for w in re.split(r"[,/ ]+", c.demonym.casefold())}
    for name, column in (("language.csv", "language"), ("religion.csv", "branch")):
        nations |= {w for r in facts.rows(name) for w in re.split(r"\W+", r[column].casefold())}
    everyday = frozenset(_EVERYDAY.split()) | {n for n in borne if len(n) > 2 and kinds(n)}
    rare = {n for n in nations if len(borne.get(n, ())) < 3}
    given = _AS_GIVEN | {n for n in (borne.keys() | more) - everyday - NO_PERSON - rare if len(n) > 2}
    cities = [(_plain(r["city"].casefold()), float(r["population_k"])) for r in facts.rows("cities.csv.gz")]
    places = {c for c, people in cities if people > 250 or (c not in given and c not in everyday)}
    places |= {_plain(c.name.casefold()) for c in facts.countries.values()} | set(_AREAS.split())
    spoken = {n for n, where in borne.items() if len(where) > 2 or where & _FROM_ENGLISH} | more
    spoken = {n for n in spoken & given - _AS_GIVEN if len(n) > 3}
    lower = (spoken - places - _NOT_LOWER - nations) | _LOWER_TOO
    families = (listed for t in facts.traditions.values() for listed in t.family.values())
    family = frozenset(_plain(name.casefold()) for listed in families for name in listed)
    return Known(given, everyday, frozenset(lower), family - _FUNCTION, frozenset(places), frozenset(nations))


@lru_cache(maxsize=200_000)
def _bare(word: str) -> str:
    """A word folded, without accents and the ``'s`` of the genitive."""
    folded = _plain(word.casefold().replace("’", "'").strip("'-"))
    return folded.removesuffix("'s") or folded


def _plain(word: str) -> str:
    """A word without its accents."""
    apart = unicodedata.normalize("NFKD", word.replace("ł", "l"))
    return "".join(c for c in apart if not unicodedata.combining(c))


def is_word(word: str) -> bool:
    """Whether a folded word means something else than a person."""
    return word in NO_PERSON or bool(kinds(word)) or word in known().nations or bool(kinds(word.removesuffix("s")))


def _capital(word: str) -> bool:
    return word[0].isupper() and not (len(word) > 3 and word.isupper())


def _starts(how: str, words: list[str], lead: str, after: str) -> bool:
    """Whether the first of these words is a name, where ``how`` announced it."""
    first, k = _bare(words[0]), known()
    follows = _bare(words[1]) if len(words) > 1 else ""
    settled = how == "told" or first in _MONTH_NAMES or first not in NO_PERSON
    if first in _FUNCTION or not settled or (len(first) < 2 and not follows):
        return False
    capital, given, everyday = _capital(words[0]), first in k.given, first in k.everyday
    strange = not is_word(first) and not {first, f"{first} {follows}"} & k.places
    if how == "told":
        return capital or given or everyday or strange or "NOUN" in kinds(first)
    if how in ("title", "kin") and first in _TITLE_KEPT:
        return False
    if how in ("title", "aunt", "call"):
        return capital or given or (how != "aunt" and (strange or (how == "title" and first in k.family)))
    if how == "called":
        return given or (capital and (everyday or (strange and _SOMEBODY.search(lead) is not None)))
    if not capital:
        return _starts_small(how, first, follows, strange, after)
    surname = follows in k.family and _capital(words[1])
    if how == "self" and strange and words[0][1:].islower() and len(first) > 2 and not _OF_A_PEOPLE.search(first):
        return not follows or follows in _FUNCTION or follows in k.family
    if how in ("self", "this"):
        return given or (surname and (everyday or strange)) or (everyday and follows in ("", "and", "from", "by"))
    if follows in _FUNCTION - {"and", "is", "was", "has", "who"}:
        return given or strange
    return given or strange or everyday or (how != "hello" and first in k.family)


def _starts_small(how: str, first: str, follows: str, strange: bool, after: str) -> bool:
    """The same for a word in small letters (or all in capitals), which must be a name in itself."""
    k = known()
    if first in k.lower or (first in k.given and first in _SAFE_SHORT):
        return True
    if first in k.given and len(first) > 3 and first not in _NOT_LOWER and first not in k.places:
        return True
    ends = how == "hello" and not follows and after in ("", ".", ",", "!", "\n")
    told = how == "kin" and follows in ("is", "was", "who", "has") and first not in ("may", "june")
    return (how == "named" and strange and len(first) > 2) or (first in k.everyday and (ends or told))


def _reach(words: list[str], told: bool) -> int:
    """How many of these words belong to the name that the first begins."""
    k, n = known(), 1
    loose = not _capital(words[0])
    while n < min(len(words), 5):
        if _GENITIVE.search(words[n - 1]):
            break
        here = _bare(words[n])
        if here in _PARTICLES and n + 1 < len(words) and _capital(words[n + 1]) and not words[n][0].isupper():
            n += 2
            continue
        named = here in k.given or here in k.family or here.endswith(".")
        strange = not is_word(here) and here not in k.places
        if here in NO_PERSON or here in _AFTER_A_PLACE or (len(here) < 2 and not words[n][0].isupper()):
            break
        if loose:
            fits = (named and (told or _bare(words[0]) in k.given)) or (strange and (told or named))
        else:
            fits = _capital(words[n]) and (named or strange or told or here in k.everyday)
        if not fits:
            break
        n += 1
    return n


def _announced(how: str, pattern: re.Pattern[str], text: str) -> str:
    """The text without the names that a pattern announces. What follows a word that is no name is looked at again."""
    out, done, here = [], 0, 0
    while (match := pattern.search(text, here)) is not None:
        spots = list(_SPOTS.finditer(match["name"]))
        words = [spot[0] for spot in spots]
        here = begin = match.start("name")
        lead, after = text[max(0, match.start() - 40) : match.start()], text[match.end() : match.end() + 1]
        if not _starts(how, words, lead.casefold(), after):
            continue
        n = _reach(words, how in ("told", "title", "field"))
        if n == len(words) or not words[n][0].isupper() or _bare(words[n]) not in _AFTER_A_PLACE:  # Dr. Jones Hospital
            out += [text[done:begin], NAME]
            here = done = begin + _end(spots[n - 1])
    return "".join(out) + text[done:]


def _end(spot: re.Match[str]) -> int:
    """Where a name ends, without the ``'s`` of the genitive."""
    return spot.end() - (2 if _GENITIVE.search(spot[0]) else 0)


# --- names that nothing announces -----------------------------------------------------------------

_UP = r"[^\W\d_a-zß-öø-ÿ][\w'’-]{0,40}"
_RUN = rf"(?<![\w’'@#/-])(?:(?:[A-Z]\.){{1,3}}[ ]?)?{_UP}(?:[ ](?:(?:van|von|der|den|de|da|dos|del|della|di|la|le|el|al|bin|ibn|ter|af)[ ]){{0,2}}(?:(?:[A-Z]\.){{1,3}}|{_UP})){{0,12}}"
_IN_A_PLACE = re.compile(
    r"\b(?:in|near|around|outside|inside|throughout|across|visit(?:ed|ing)?|downtown|city of|state of|(?:mov|fl[yie]|go|gon|went|trip|travel|driv|drov|way|com|came|head|mov)\w{0,6} (?:back )?to"
    r"|(?:am|'m|’m|im|is|are|was|were|be|come|came|comes|hail|hails|moved|people|born|live|lives|lived|living|family|someone|originally) (?:originally )?(?:from|in))[ ]$",
    re.I,
)
_DETERMINED = re.compile(
    r"\b(?:the|an?|th[ia][st]|my|your|his|her|our|their|in|of|on|last|next|every|some|no|more)[ ]$", re.I
)
_NO_NAME_AFTER = re.compile(r"[ ](?:of|you|i|it|we|they|this|that|the|to|all|my|your)\b", re.I)


def _phrase(words: list[str], among: frozenset[str]) -> int:
    """How many words the longest phrase of a set has that these begin with."""
    return next((n for n in (4, 3, 2, 1) if n <= len(words) and " ".join(words[:n]) in among), 0)


def _person(words: list[str], before: str, after: str) -> tuple[bool, int]:
    """Whether these capital words begin with a person, and how many words that settles."""
    k, bare = known(), [_bare(w) for w in words]
    first, follows = bare[0], bare[1] if len(words) > 1 else ""
    given, everyday = first in k.given, first in k.everyday
    brand, place = _phrase([w.casefold().replace("’", "'") for w in words], _BRANDS), _phrase(bare, k.places)
    cousin = follows in k.family and _capital(words[1])
    surname = cousin and not is_word(follows) and follows not in k.places
    if brand or place > 1 or not _capital(words[0]) or (first in NO_PERSON and not (everyday and surname)):
        return False, max(brand, place, 1)
    if _bare((before.split(" ")[-2:-1] or [""])[0]).strip(".") in _BEFORE_A_PLACE:
        return False, 1
    if place and ((first not in _NAME_FIRST and not surname) or _IN_A_PLACE.search(before) is not None):
        return False, 1
    if first.endswith("."):
        return follows in k.family and words[0] not in ("U.S.", "U.K.", "D.C.", "E.U."), 2
    n = _reach(words, told=False)
    if (bare[n] if n < len(words) else "".join(after.split(" ")[1:2]).casefold()) in _AFTER_A_PLACE:
        return False, n
    if given or place or k.given.issuperset(first.split("-")):
        return len(first) > 3 or first in _SAFE_SHORT or (n > 1 and follows in k.family), n
    if everyday:
        within = len(words) == 1 and words[0][1:].islower() and re.search(r"[a-z,][ ]$", before) is not None
        return cousin or (within and not _DETERMINED.search(before) and not _NO_NAME_AFTER.match(after)), n
    return not is_word(first) and (surname or follows in ("van", "von", "der", "bin", "ibn", "al")), n


def _capitals(match: re.Match[str]) -> str:
    """Capital words in a row, with every person among them taken out."""
    raw, text = match[0], match.string
    spots = list(_SPOTS.finditer(raw))
    after = text[match.end() : match.end() + 30]
    out, done, i = [], 0, 0
    while i < len(spots):
        start = match.start() + spots[i].start()
        is_person, n = _person([s[0] for s in spots[i:]], text[max(0, start - 40) : start], after)
        if is_person:
            out += [raw[done : spots[i].start()], NAME]
            done = _end(spots[min(i + n, len(spots)) - 1])
        i += n
    return "".join(out) + raw[done:]


def _small(text: str) -> str:
    """Names that are no words at all, in a text whose writer does without capitals (or has nothing else)."""
    found = {w for w in re.findall(r"[a-z]{3,}|[A-Z]{4,}", text) if w.lower() in known().lower}
    if not found:
        return text

    def instead(match: re.Match[str]) -> str:
        before, after = text[: match.start()][-30:].split(), text[match.end() : match.end() + 30].split()
        brand = " ".join([match[0], *after[:1]]).casefold().rstrip(".,!?") in _BRANDS
        return match[0] if brand or (before and before[-1].casefold().strip(".") in _BEFORE_A_PLACE) else NAME

    after = "|".join(sorted(_AFTER_A_PLACE))
    return re.sub(rf"(?<![\w@#./’'-])(?:{'|'.join(sorted(found))})(?![\w@/-]|\.\w|[ ](?:{after})\b)", instead, text)


_ANNOUNCING = tuple((how, re.compile(rf"(?i:{before}){_NEXT}")) for how, before in _CALLS)
_RUNS = re.compile(_RUN)
_LETTERS = re.compile(r"[^\W\d_][\w'’-]{0,40}")
_TRIGGERS = {  # what a lower-case copy must hold for a step to be worth trying, however unlikely a name
    "told": ("name", "called", "go by"), "call": ("call me", "calls me"), "named": ("name",), "title": ("mr", "ms", "mx", "dr", "prof", "frau", "herr", "señor", "mons", "madame", "signor"),
}  # fmt: skip


@lru_cache(maxsize=200_000)
def _may_name(word: str) -> bool:
    """Whether a word can be a name where a weak sign or none announces it."""
    bare, k = _bare(word), known()
    if bare in NO_PERSON and bare not in _MONTH_NAMES:
        return False
    if bare in k.given or bare in k.everyday or bare in k.lower or "-" in bare:
        return True
    return _capital(word) and (bare in k.family or not is_word(bare))


def names_taken(text: str) -> str:
    """The text without names of people."""
    low = text.casefold()
    weak = any(_may_name(word) for word in set(_LETTERS.findall(text)))
    for how, pattern in _ANNOUNCING:
        if any(t in low for t in _TRIGGERS[how]) if how in _TRIGGERS else weak:
            text = _announced(how, pattern, text)
    return _small(_RUNS.sub(_capitals, text)) if weak else text
