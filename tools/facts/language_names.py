"""English names of languages where CLDR has none or a heavier one, and the CIA's spellings of them."""

from __future__ import annotations

_MISSING = """
cmn Mandarin|cjy Jin Chinese|cdo Eastern Min|hne Chhattisgarhi|skr Saraiki|hno Hindko|mdh Maguindanao
mrw Maranao|tsg Tausug|cbk Chavacano|tyz Tay|mtq Muong|nut Nung|ium Mien|jra Jarai|rad Rade|bdq Bahnar
tts Isan|nod Northern Thai|sou Southern Thai|mfa Pattani Malay|kxm Northern Khmer|ksw Karen|rki Rakhine
cnh Chin|mnw Mon|blk Pa'o|pll Palaung|thl Tharu|taj Tamang|vjk Bajjika|mgp Magar|dty Doteli|lif Limbu
gvr Gurung|bap Bantawa|xsr Sherpa|prs Dari|haz Hazaragi|psh Pashayi|ami Amis|cja Cham|kjg Khmu|pht Phu Thai
ahk Akha|bru Bru|tsj Tshangla|kjz Bumthang|mgm Mambai|mkz Makasae|aoz Baikeno|kem Kemak|bfn Bunak
tkd Tokodede|ddg Fataluku|fia Nubian|fvr Fur|mls Masalit|zag Zaghawa|shy Chaouia|mzb Mozabite|jbn Nafusi
ijc Ijaw|nup Nupe|igl Igala|urh Urhobo|gbr Gbagyi|igb Ebira|idu Idoma|sgw Gurage|hdy Hadiyya|gmv Gamo
drs Gedeo|kbr Kafa|nnb Nande|shr Shi|tll Tetela|sop Songe|yaf Yaka|zne Zande|lea Lega|gog Gogo|hay Haya
haq Ha|heh Hehe|nyy Nyakyusa|rim Nyaturu|ruf Luguru|zaj Zaramo|irk Iraqw|nyf Mijikenda|tuv Turkana|pko Pokot
laj Lango|myx Masaba|lgg Lugbara|ttj Tooro|alz Alur|koo Konjo|kdj Karamojong|adh Adhola|cjk Chokwe
nyk Nyaneka|nba Nganguela|lue Luvale|dag Dagbani|dga Dagaare|xon Konkomba|kus Kusaal|gjn Gonja|ngl Lomwe
chw Chuabo|ndc Ndau|tsc Tswa|cce Chopi|rng Ronga|wes Cameroonian Pidgin|lns Lamnso|tui Tupuri|bci Baoule
any Anyin|sef Senufo|dnj Dan|bet Bete|goa Guro|ati Attie|wob We|aba Abe|lob Lobi|gux Gourmanche|bib Bissa
nnw Gurunsi|bwq Bwamu|dgi Dagara|stj San|rkm Marka|bbo Bobo|dtm Dogon|mwk Maninka|myk Minyanka|bze Bozo
kao Khassonke|toi Tonga|nse Nsenga|leb Lala-Bisa|kqn Kaonde|mgr Mambwe|mwn Namwanga|leh Lenje|mwm Sar
mcn Massa|myb Mbay|mpg Marba|mnk Mandinka|mfv Manjak|bjt Balanta|sav Saafi|kck Kalanga|bba Bariba|ajg Aja
guw Gun|ddn Dendi|ayb Ayizo|tbz Ditammari|gej Mina|pil Yom|emk Maninka|gkp Kpelle|kqs Kissi|tod Loma
ymm Maay|pga Juba Arabic|bfa Bari|shk Shilluk|lot Otuho|toq Toposa|lwo Luwo|mur Murle|anu Anuak|did Didinga
mhi Madi|kbp Kabiye|mfq Moba|kdh Tem|bud Ntcham|ife Ife|nmz Nawdm|las Lama|bsq Bassa|mev Mano|klu Kru
lom Loma|gol Gola|lia Limba|kno Kono|gbp Gbaya|bad Banda|mzv Manza|ktu Kituba|tek Teke|mdw Mbosi|puu Punu
nzb Nzebi|bvb Bubi|cri Forro|aoa Angolar|pov Guinea-Bissau Creole|ble Balanta|pbo Papel|kun Kunama|nrb Nara
zdj Comorian|xkv Kgalagadi|kwn Kavango|rcf Reunion Creole|buc Kibushi|nah Nahuatl|yua Yucatec Maya
mix Mixtec|tzh Tzeltal|tzo Tzotzil|oto Otomi|tot Totonac|pbb Nasa Yuwe|cni Ashaninka|kek Q'eqchi'|mam Mam
cak Kaqchikel|kjb Q'anjob'al|poh Poqomchi'|ixl Ixil|tzj Tz'utujil|acr Achi|miq Miskito|bzk Nicaraguan Creole
cab Garifuna|gym Ngabere|cuk Guna|emp Embera|gyn Guyanese Creole|hns Sarnami Hindustani|djk Ndyuka
srm Saramaccan|bzj Belizean Creole|mop Mopan Maya|acf Antillean Creole|gcr Guianese Creole
gcf Antillean Creole|enq Enga|hui Huli|med Melpa|kue Kuman|ksd Tolai|kwf Kwara'ae|llu Lau|dhv Drehu
wls Wallisian|nee Nemi|crs Seychellois Creole|mrq Marquesan|kmr Kurdish|sef Senufo|cnr Montenegrin
rkt Rangpuri|syl Sylheti|mxc Manyika|lez Lezgian|tly Talysh
"""
_PLAINER = """
wuu Wu Chinese|nan Hokkien|hsn Xiang|hak Hakka|gan Gan|ii Yi|bn Bengali|bug Bugis|bbc Toba Batak
mak Makassarese|bal Balochi|ilo Ilocano|pam Kapampangan|blt Tai Dam|kac Kachin|dtp Kadazan-Dusun|dv Dhivehi
kaa Karakalpak|tet Tetum|lrc Luri|mzn Mazandarani|glk Gilaki|ckb Sorani Kurdish|syr Aramaic|tmh Tuareg
tzm Tamazight|rif Tarifit|bin Edo|lua Tshiluba|kg Kikongo|jmc Chaga|mas Maasai|luy Luhya|guz Gusii
nso Sepedi|st Sesotho|tn Setswana|ss Swazi|nr Ndebele|nd Ndebele|lg Luganda|nyn Runyankole|xog Lusoga
cgg Rukiga|ach Acholi|ada Dangme|ny Chichewa|tog Tonga|ses Songhay|mos Moore|rn Kirundi|tem Temne|dyo Jola
kea Cape Verdean Creole|byn Bilen|mfe Mauritian Creole|ng Oshiwambo|naq Khoekhoe|swb Shimaore|av Avar
sah Yakut|os Ossetian|li Limburgish|fy Frisian|rom Romani|sl Slovene|nb Norwegian|se Sami|arn Mapudungun
qug Kichwa|quc K'iche'|jam Jamaican Patois|mi Maori|gil Gilbertese|tvl Tuvaluan|pis Pijin|ku Kurdish
fa Persian|tl Tagalog|ceb Cebuano|si Sinhala|pap Papiamento|wal Wolaytta|efi Efik|kj Kwanyama|sus Susu
bax Bamum|nnh Ngiemboon|bas Bassa|kr Kanuri|pcm Nigerian Pidgin|sg Sango|shi Tashelhit|ff Fula|mn Mongolian
kab Kabyle|bjn Banjarese|krj Kinaray-a|zza Zazaki|lu Luba|dje Zarma|vmw Makhuwa|gaa Ga|chk Chuukese
na Nauruan
"""


def _named(text: str) -> dict[str, str]:
    entries = [entry.split(" ", 1) for line in text.split("\n") for entry in line.split("|") if entry]
    return {entry[0]: entry[1] for entry in entries}


NAMES: dict[str, str] = _named(_MISSING) | _named(_PLAINER)

# The CIA's spellings, folded to lower case.
ALIASES: dict[str, str] = {
    "mandarin": "cmn", "northern chinese": "cmn", "chinese": "cmn", "putonghua": "cmn", "castilian": "es",
    "castilian spanish": "es", "romani": "rom", "roma": "rom", "balochi": "bal", "bengali": "bn",
    "bangla": "bn",
    "moldovan": "ro", "azeri": "az", "serbo-croat": "sr", "serbo-croatian": "sr", "filipino": "tl",
    "ezidian": "ku",
    "seychellois creole": "crs", "creole": "crs", "maori": "mi", "nauruan": "na", "papiamento": "pap",
    "slovene": "sl", "northern ndebele": "nd", "spanish": "es", "french": "fr", "german": "de",
    "tahitian": "ty",
    "marquesan": "mrq", "palauan": "pau", "marshallese": "mh", "samoan": "sm", "bokmal norwegian": "nb",
    "luxembourgish": "lb", "montenegrin": "cnr", "gagauz": "gag", "english": "en",
}  # fmt: skip
