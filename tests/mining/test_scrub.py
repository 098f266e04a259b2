"""What identifies anybody is taken out of a text, and what does not stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeppersona.mining.scrub import scrub

# A sentence, and the piece of it that must be gone afterwards.
FORMS = [
    ("Write to me at jo.blogs+forum@example-mail.co.uk please.", "jo.blogs"),
    ("My mail is jo.blogs (at) example (dot) org, thanks.", "jo.blogs"),
    ("You reach me at joblogs77 at gmail dot com.", "joblogs77"),
    ("jblogs @ yahoo.com is mine", "jblogs"),
    ("I wrote about it on https://joblogs.example.net/me?id=4711#top.", "joblogs"),
    ("My shop is www.joblogs-cakes.shop, have a look", "joblogs"),
    ("see joblogs.co.uk for more", "joblogs"),
    ("my page is t.me/joblogs77 now", "joblogs77"),
    ("Follow @jo_blogs77 for more of this.", "jo_blogs77"),
    ("I am u/jo_blogs77 over there", "jo_blogs77"),
    ("my instagram is jo.blogs77 if you want", "jo.blogs77"),
    ("Discord: JoBlogs#4711", "JoBlogs"),
    ("snapchat name: joblogs_x", "joblogs_x"),
    ("Call me on +44 20 7946 0958 tonight.", "7946"),
    ("my cell: (555) 014-2299", "014"),
    ("ring 555-014-2299 or 555.014.2298 2 times", "014"),
    ("appelle le 06 12 34 56 78", "34 56"),
    ("meine Nummer ist 030/1234567", "1234567"),
    ("whatsapp me 9876543210", "98765"),
    ("0712 345 678 is my number", "345"),
    ("(11) 91234-5678 is mine in São Paulo", "91234"),
    ("text 138 1234 5678", "1234"),
    ("tel 12 34 56 78", "34 56"),
    ("the card is 4111 1111 1111 1111 and it was declined", "1111"),
    ("amex 3782-822463-10005", "822463"),
    ("IBAN DE89 3704 0044 0532 0130 00 is mine", "3704"),
    ("my iban: GB29NWBK60161331926819", "NWBK"),
    ("my SSN is 219-09-9999", "219"),
    ("my social is 219099999", "219099"),
    ("my NI number is QQ 12 34 56 C", "34 56"),
    ("passport number X4711081 expires soon", "4711081"),
    ("my passport is C01X00T47", "X00T"),
    ("meu CPF é 529.982.247-25", "982"),
    ("my aadhaar is 2345 6789 0123", "6789"),
    ("PAN ABCPE1234F", "ABCPE"),
    ("DNI 12345678Z", "12345678"),
    ("personnummer 850101-1234", "850101"),
    ("account number 00471108", "471108"),
    ("order no. 4711-0815-22", "0815"),
    ("my login ip is 203.0.113.77 or so", "203.0"),
    ("2001:db8:85a3::8a2e:370:7334 is my ip", "85a3"),
    ("mac 00:1A:2B:3C:4D:5E", "3C"),
    ("my car is AB12 CDE, a red one", "CDE"),
    ("the plate KA 01 AB 1234 was stolen", "KA 01"),
    ("M-AB 1234 parked there", "AB 1234"),
    ("license plate number 7ABC123", "ABC123"),
    ("the key is sk-abcdefghijklmnop1234", "abcdefgh"),
    ("token 9f86d081884c7d659a2feaa0c55ad015", "9f86"),
    ("id a408c583-fa26-4e3c-9650-ed1a629a79f3", "fa26"),
    ("my password is hunter2!", "hunter2"),
    ("the pin code is 4711", "4711"),
    ("vin 1HGCM82633A004352", "82633"),
]
ADDRESSES = [
    ("I live at 42 Wobbly Oak Lane, Apt 7B, near the river.", "Wobbly"),
    ("i live at 118 wobbly oak street now", "wobbly"),
    ("Our house, 9 Chemin des Vieux Moulins, is cold.", "Moulins"),
    ("Ich wohne in der Birkenwaldstraße 17a seit Mai.", "Birkenwald"),
    ("We rent at Berliner Allee 210, third floor", "Allee 210"),
    ("Vivo en la Calle de los Olivos 23, piso 2", "Olivos"),
    ("Moro na Rua das Acácias, nº 145 com meus pais", "Acácias"),
    ("abito in via Giuseppe Rossini 12", "Rossini"),
    ("mieszkam na ul. Lipowa 14/3", "Lipowa"),
    ("Keizersplein 88 is where we live", "Keizersplein"),
    ("our flat is at Carrera 45 # 12-34", "45 # 12"),
    ("Plot No 23, Jasmine Nagar, is our home", "Plot No 23"),
    ("send it to PO Box 4711", "4711"),
    ("I moved to 2-14-8 Sakuradai last year", "2-14-8"),
    ("the post code is SW1A 2AB", "SW1A"),
    ("Fairview, CT 06077 is my town", "06077"),
    ("K1A 0B1 is the code of our block", "K1A"),
    ("zip code 10115", "10115"),
    ("my place is 48.20849, 16.37208 on the map", "48.20849"),
]
DATES = [
    ("I was born on 14 March 1987 in a storm.", "14 March"),
    ("DOB: 14/03/1987", "14/03"),
    ("born 14.3.87 in a village", "14.3"),
    ("date of birth 1987-03-14", "03-14"),
    ("my birthday is March 14th", "14th"),
    ("I was born on the 3rd of May", "3rd"),
    ("geboren am 14.03.1987", "14.03"),
    ("married on June 5, 2010", "June 5"),
]
NAMES = [
    ("My name is Torvald Quistgaard.", "Quistgaard"),
    ("my name is torvald quistgaard and i bake", "quistgaard"),
    ("MY NAME IS TORVALD SMITH", "SMITH"),
    ("my name's maria garcia lopez", "lopez"),
    ("name: Xanthe Doe", "Xanthe"),
    ("people call me Bexley", "Bexley"),
    ("I'm Wanjiru, nice to meet you", "Wanjiru"),
    ("im jessica btw", "jessica"),
    ("I am Grace Kelly", "Grace"),
    ("I'm Will.", "Will"),
    ("i go by zippy here", "zippy"),
    ("My sister Anneliese cried.", "Anneliese"),
    ("my best friend lisa moved", "lisa"),
    ("my husband, Oluwaseun, cooks", "Oluwaseun"),
    ("our dog barks; my son mark is five", "mark"),
    ("my uncle bob and aunt Petunia", "Petunia"),
    ("my uncle bob and aunt Petunia", "bob"),
    ("I saw Dr. Featherstonehaugh yesterday", "Feather"),
    ("mrs. jones was kind", "jones"),
    ("Father Brown heard me", "Brown"),
    ("Thanks Gail for that", "Gail"),
    ("hi george, how are you", "george"),
    ("Dear Xochitl, I write", "Xochitl"),
    ("I met Priya Venkataraman at work", "Venkat"),
    ("we talked with Anna and Ludwig van Beethoven", "Beethoven"),
    ("I told Grace everything", "Grace"),
    ("yesterday Will Johnson phoned", "Will"),
    ("she hates jennifer so much", "jennifer"),
    ("John F. Kennedy was a hero of mine", "Kennedy"),
    ("J. Smith signed it", "Smith"),
    ("I wrote to Mary O'Brien", "Brien"),
    ("Sincerely,\nTorvald Q", "Torvald"),
    ("Thanks for all.\nBest,\nXanthe", "Xanthe"),
    ("Jean-Claude left me", "Jean"),
    ("my ex is called Rufus", "Rufus"),
    ("a man named Zebulon helped", "Zebulon"),
    ("her name was Élodie", "lodie"),
    ("I love Łukasz", "ukasz"),
]
HARMLESS = [
    "I am 34 years old and have 2 children, 3 cats and 1 dog.",
    "We paid $2000.00 in 2017 and 350,000 euros in 2019.",
    "In 2017 1000 children were helped.",
    "I earn 45000 a year, about 1 250 000 in all.",
    "I have 1200000 followers.",
    "From 1995-2003 I lived in Berlin, then in New York.",
    "I need 800-1000 words on that.",
    "I paid 35000000 dollars, 100% of it.",
    "A 3.14159265 pie, 0.998638 in all, on a ratio of 16:9:4:5:6:7:8:9.",
    "It is 24/7, from 9-5, and 50/50 or so.",
    "I'm 5'11 and 180 lbs.",
    "I was diagnosed with Parkinson disease in 2015.",
    "He was born in May 1990, 12 years ago, and I 5 minutes after my twin.",
    "Version 3.11.7 runs on port 8080 at 10:30, GPT-4 on an RTX 3080.",
    "We live in San Francisco, near Santa Maria.",
    "I was born in 1987 in São Paulo, Brazil.",
    "Paris, London and Sydney are too dear for me.",
    "I moved from Georgia to North Carolina in May.",
    "I study at the University of Virginia.",
    "I live in Charlotte and work in Austin.",
    "I am from Jordan and she is from Chad.",
    "Lake Victoria and Mount Kenya are in my country.",
    "Virginia Beach is where we go in August.",
    "We fly via London at 5 and pay via email in 2019.",
    "I drive 10 miles on a busy road, a 5 minute drive.",
    "May I ask you something? Will you come?",
    "Hope this helps, and grace is a gift.",
    "Mark my words: Rose wine is fine.",
    "I'm Christian, my wife is Muslim, and my boss is Jewish.",
    "I'm American but my parents are Nigerian.",
    "I like Spanish food, Thai food and Indian food.",
    "On Sunday and in June we go to church.",
    "Merry Christmas and a happy New Year!",
    "I believe in God and Jesus.",
    "I'm Aries, INFJ and a Slytherin.",
    "My mom and my dad split up when I was 5.",
    "my dad beat me and mom left, my dad will not come",
    "My name is not important.",
    "They call me crazy, call me back later.",
    "a city called Springfield, and a game called Minecraft",
    "Thanks for the help, have a nice day.",
    "Hi how are you? Hello there!",
    "Dear Sir or Madam,",
    "I love Harry Potter and drink Dr Pepper, and i like mickey mouse.",
    "Yes, Hope you are well.",
    "I was in the Dr. Jones Hospital.",
    "I ride a Harley Davidson and eat at Burger King.",
    "I use Google Chrome and Amazon Alexa.",
    "Hurricane Harvey took our house.",
    "I work at Johns Hopkins University Hospital.",
    "i like hazel eyes and amber light",
    "The Affordable Care Bill and the First World War.",
    "My password is too weak, my phone is new and my account is 3 years old.",
]


@pytest.mark.parametrize(("text", "piece"), FORMS + ADDRESSES + DATES + NAMES)
def test_what_identifies_is_taken_out(text: str, piece: str) -> None:
    scrubbed = scrub(text)
    assert piece not in scrubbed
    assert "[" in scrubbed


@pytest.mark.parametrize("text", HARMLESS)
def test_what_does_not_identify_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Hi Anna, I'm Wanjiru, 34, from Nyeri.", "Hi [name], I'm [name], 34, from Nyeri."),
        ("my name is ada and my sister's name is bea", "my name is [name] and my sister's name is [name]"),
        ("Dr. Jones's clinic on 12 Oak Street, Leeds", "Dr. [name]'s clinic on [address], Leeds"),
        ("Hello Torvald\nHow are you", "Hello [name]\nHow are you"),
        ("call 555-014-2299 or 555-014-2298.", "call [number] or [number]."),
        ("born on 3 May 1990 in Lima", "born on [date] in Lima"),
        ("see https://a.example/x, it is good", "see [link], it is good"),
        ("(ring 0171 1234567)", "(ring [number])"),
        ("", ""),
    ],
)
def test_the_rest_of_the_sentence_is_kept(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


PIECES = [
    "Anna", "anna", "ANNA", "Will", "van der", "J.", "'s", "my name is ", "hi ", "I'm ", "my sister ", "Dr. ", "St. ", "New ", "Paris", "name: ", "Best,\n",
    "@", "a@b.co", "http://", "www.", "u/", "#1234", "[name]", "[number]", "[", "]", "(", ")", "+", "-", "/", ".", ",", ":", " ", "\n", "1", "12", "1987",
    "555 014 2299", "AB12", "sk-", "phone number ", "password is ", "born on ", "May 5", "12 Oak Street", "rue de la ", "é", "中", "\x00", "’",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=30).map("".join))
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once


@pytest.mark.parametrize(
    "unit",
    [
        "a", "A", "1", "a.", "a@", "1 ", "1-", "1/", "12 ", "123 456 ", "A ", "Anna ", "Anna van der ", "J. ", "my name is ", "my dear friend ", "hi ", "x@x.",
        "http://", "[", "name:", "(at ", "a dot ", "12 A A A A ", "5 aa aa ", "::", "1:", "password is ", "calle a a a ", "12 rue de la ", "\n", "'", "1a", "A1",
        "a1b2", "born on ", "1/1/", "0.1234, ", "+1 ", "u/aa ", "é", "中", "St. Anna ", "eyJ", "\t",
    ],
)  # fmt: skip
def test_hostile_text_takes_no_longer_than_plain(unit: str) -> None:
    scrub("Anna, 5")  # the tables are read once
    began = time.process_time()
    scrub(unit * (100_000 // len(unit)))
    assert time.process_time() - began < 1
