"""Home languages where the general rule misleads, in per cent; authored.

CLDR counts everybody who can speak a language, so that lingua francas and school languages swamp the mother
tongues, and many of its territories lack the local languages altogether; the CIA's text often gives no
shares, shares of speakers, or shares of an old census. The figures here follow the countries' own censuses
and surveys in their broad lines, rounded, small languages left out. Codes are ISO 639 (cmn Mandarin, ar any
Arabic, ff any Fula, qu any Quechua). Each block says why its countries are here.
"""

from __future__ import annotations

# CIA and CLDR count speakers, or fold large home languages (Bhojpuri, Isan, Hokkien) into the official one.
ASIA: dict[str, str] = {
    "CN": "cmn70 wuu6 yue5 cjy4 nan3.5 hsn3 hak2.5 gan2 za1.2 ug.8 cdo.7 ii.5 mn.4 bo.4",
    "IN": "hi34.5 bn8 mr6.9 te6.7 ta5.7 gu4.6 bho4.2 ur4.2 kn3.6 or3.1 ml2.9 pa2.7 raj2.1 hne1.3 as1.3"
          " mai1.1 mag1"
          " sat.6 ks.6 ne.25 kok.2 en.2",
    "ID": "jv31 id25 su14.5 ms3.2 mad3 min2 bew1.6 bjn1.6 bug1.5 ban1.4 ace1.3 bbc1 sas1 mak.7 cmn.4",
    "PK": "pa38.8 ps18.2 sd14.6 skr12.2 ur7.1 bal3 hno2.4 brh1.2 ks.2",
    "JP": "ja98.5 cmn.6 ko.4 pt.2 vi.2",
    "PH": "tl39.9 ceb22.5 hil7.3 ilo7.1 bik3.9 war2.6 pam2.4 mdh1.4 pag1.3 mrw1.2 tsg1 cbk.7 krj.5 en.3",
    "VN": "vi86.5 tyz1.9 blt1.8 mtq1.4 hmn1.4 km1.3 nut1.1 ium.8 yue.6 jra.5 rad.4 bdq.3",
    "TH": "th52 tts24 nod9 sou8 mfa2 kxm1.8 my1 nan.3",
    "MM": "my68 shn8 ksw5 rki3.5 cnh2 kac1.6 mnw1.5 rhg1.5 blk1.3 pll1",
    "KR": "ko98.3 cmn.8 vi.4 en.3",
    "KP": "ko100",
    "MY": "ms54 cmn9 nan6 ta5.5 yue4.5 hak3.5 en3 iba2.7 id2 dtp1.5 bn.8 ne.6",
    "NP": "ne44.9 mai11.1 bho6.2 thl5.9 taj4.9 vjk3.9 awa3 new3 mgp2.8 dty1.7 ur1.4 lif1.2 gvr1.1 bap.5"
          " xsr.4 hi.3",
    "LK": "si75 ta24.3 en.6",
    "AF": "ps42 prs32 haz9 uz9.5 tk3 bal1.5 psh1.5",
    "TW": "cmn66.5 nan31.5 hak1.5 ami.3 en.2",
    "KH": "km96 cja1.5 vi.6 cmn.5 lo.2",
    "LA": "lo57 kjg11 hmn9 blt4 pht3.5 ahk1.8 bru1.2 vi.4",
    "HK": "yue88 en4.6 cmn2.4 tl1.6 nan.9 hak.6",
    "SG": "en48.3 cmn29.9 ms9.2 nan5 yue2.5 ta2.5 hi.6",
    "BN": "ms80 cmn8 en5 iba2",
    "BT": "tsj28 dz24 ne22 kjz5",
    "MV": "dv88 bn9 en.5",
    "MN": "mn94 kk4",
    "AZ": "az96 tly1.2 lez1.2 ru.7",
    "KZ": "kk62 ru27 uz3.2 ug1.4 az.6 uk.5 tt.4 de.3",
    "UZ": "uz82.5 tg4.8 ru4 kaa2.2 kk2.2 ky.8 tt.6",
    "KG": "ky74 uz14.5 ru7 tg.9",
    "TL": "tet36.7 mgm16.6 mkz10.5 aoz5.9 kem5.8 bfn5.5 tkd4 ddg3.5",
}  # fmt: skip

# No shares in the CIA's text; CLDR gives migrants' languages of the Gulf hardly at all.
MIDDLE_EAST_NORTH_AFRICA: dict[str, str] = {
    "EG": "ar99.3 fia.5",
    "IR": "fa55 az16 ku9 lrc6 mzn4 glk3.5 bal2 ar2 tk2",
    "TR": "tr84 ku12 ar1.6 zza1.4 ady.2",
    "IQ": "ar75 ckb13 ku6 az3.5 syr.6 fa.5",
    "SA": "ar78 bn5 ur4 hi2.5 ml2.2 tl1.8 id1 en1 ta.6 ps.6 ne.5",
    "SD": "ar80 bej5 fvr2.5 fia1.5 ha1.5 mls1.2 ff1 zag.8",
    "DZ": "ar74 kab16 shy6 fr1 mzb.5 tmh.2",
    "MA": "ar75.5 shi13 tzm7 rif4 fr.5",
    "YE": "ar98.5 so.8",
    "SY": "ar88 ku9 az1.3 hy.5 syr.5 ady.4",
    "TN": "ar98.8 fr.6 shi.5",
    "LY": "ar94 jbn4 tmh.5",
    "JO": "ar98.5 ady.6 hy.2 en.3",
    "LB": "ar93 hy3 fr1.2 ku1 en1",
    "PS": "ar99.5 he.3",
    "IL": "he62 ar21 ru10 yi2.5 en2 am1 fr1 ro.4",
    "AE": "ar27 hi13 ur13 ml11 bn8 tl6 en5 ta4 ps3.5 ne3 fa2.5 te2 si1.5",
    "QA": "ar27 ne12 hi12 bn11 ml10 tl8 ur5 ta5 en4 si4",
    "KW": "ar60 hi8 bn6 ml6 tl5 ur4 te3 fa3 ne2 en2 si2",
    "BH": "ar57 ml8 ur7 bn7 hi6 fa4 tl4 en3 ta2 ne2",
    "OM": "ar62 bn10 ml6 hi5 ur5 bal5 sw2 en1.5 tl1",
    "EH": "ar96 tzm3 es.5",
    "MR": "ar74 ff13 snk7 wo6",
}  # fmt: skip

# English, French, Portuguese and Swahili are learnt; the home languages have no shares in the CIA's text and
# are few and low in CLDR. Swahili at home is a matter of the towns in Kenya and of much of Tanzania.
AFRICA: dict[str, str] = {
    "NG": "ha28 yo19 ig17 ff6 pcm4 kr3.5 ibb3 en2.5 tiv2.4 ijc2 bin1.5 nup1.2 igl1 efi.8 urh.8 gbr.8"
          " igb.7 idu.7",
    "ET": "om33.8 am29.3 so6.2 ti5.9 sid4 wal2.2 sgw2 aa1.7 hdy1.7 gmv1.5 drs1.3 kbr1.1",
    "CD": "sw25 ln20 lua14 kg12 fr4 nnb3 lu3 lol3 shr2.5 tll2 sop2 yaf2 rw1.5 zne1.5 bem1 lea1",
    "TZ": "sw15 suk13 jmc3.5 gog3.3 hay3 nym3 haq2.8 kde2.5 heh2.3 nyy2.3 ksb1.8 rim1.6 ruf1.5 mas1.3"
          " zaj1.2 yao1.2"
          " irk1.2 luo1 en.3",
    "KE": "ki15.5 luy13 sw13 kln12.5 luo9.5 kam8.8 so5.5 guz5.2 nyf4.8 mer3.9 mas2.4 en2 tuv1.9 pko1.2"
          " ebu.8 teo.8"
          " om.6 dav.6 saq.5",
    "ZA": "zu24.8 xh15.8 af11.2 nso10 en8.6 tn8.7 st7.8 ts4 ss2.8 ve2.5 nr1.6 sn.9",
    "UG": "lg18 nyn10.5 xog9 teo7.5 cgg7 laj6.5 ach5 myx5 rw4 lgg4 nyo3 ttj2.8 alz2.8 koo2.5 kdj1.8 en1.5"
          " sw1.5 adh1.5",
    "AO": "pt45 umb21 kg8 kmb7 cjk6 nyk3 nba2.8 kj2 lue.8",
    "GH": "ak47 ee13.5 dag4.8 ada4.2 dga3.9 xon3.5 gaa3.1 gur2.5 kus2 gjn1.5 en1.5 ha1.2 nzi1.2",
    "MZ": "vmw26.1 pt16.6 ts8.6 ny8.1 seh7.1 ngl7.1 chw4.7 ndc3.8 tsc3.8 yao2 kde1.5 cce1.2 rng1",
    "CM": "fr20 ff12 ewo8 wes7 bbj4 ybb4 bum4 bax4 en4 bas3.5 byv3 lns3 maf3 bkm2.5 tui2.5 nnh2 dua2 mua2"
          " ar1.5 ha1.5",
    "CI": "bci17 dyu16 fr14 any6 sef6 dnj6 mos6 bet5 goa3 ati3 wob3 bm2 aba1.5 lob1.5",
    "MG": "mg98.8 fr.8",
    "NE": "ha55 dje21 ff8.5 tmh8 kr5 fr.6 ar.5 gux.4",
    "BF": "mos52.9 ff7.8 gux6.8 dyu5.7 bib3.3 nnw3.2 fr2.2 bwq2 dgi2 stj1.7 rkm1.6 bbo1.5 sef1.5 lob1.2",
    "ML": "bm46 ff9.4 dtm7.2 snk6.4 mwk5.6 ses5.6 myk4.3 tmh3.5 sef2.6 bbo2.1 bze1.9 kao1.5 ar1.2 fr.5",
    "MW": "ny58 tum10 yao10 ngl3.5 seh3 nyy2 tog2 en.3",
    "ZM": "bem33.5 ny19 toi11.4 loz5.5 nse2.9 leb2.8 tum2.5 lun1.9 kqn1.8 lam1.8 en1.7 lue1.5 mgr1.3"
          " mwn1.2 leh1.1",
    "TD": "ar26 sba12 kbl6 dzg6 mde4 mwm4 mcn4 ff3 mua2.5 tui2.5 myb2.5 zag2 mpg2 fr1.5",
    "SN": "wo47 ff23 srr13 dyo4 mnk4 snk1.8 fr1 mfv.6 bjt.5 sav.3",
    "ZW": "sn79 nd12 ndc2 ny1.2 toi1 kck.8 ve.7 ts.5 en.4",
    "BJ": "fon33 yo14 bba8 ajg8 guw7 ff6 ddn4.5 ayb3.5 tbz3 gej3 pil2.5 fr2.5",
    "GN": "ff34 emk28 sus21 gkp5 kqs4.5 tod2 fr1",
    "RW": "rw98.5 sw.8 en.3",
    "BI": "rn98.5 sw1 fr.3",
    "SO": "so84 ymm13 sw1 ar.5",
    "SS": "din34 nus16 pga10 bfa6 zne6 shk4 lot3 toq3 lwo2 mur2 anu1.5 did1.5 mhi1.5 ach1",
    "TG": "ee23 kbp16 gej13 mfq6 kdh6 bud4 ife3 ajg3 nmz3 gux3 las2.5 fr2 ha1",
    "LR": "en28 kpe19 bsq13 grb9 dnj7.5 mev7.5 klu5.5 lom5 kqs4.5 gol4 vai3.5",
    "SL": "men31 tem29 kri20 lia8 kno4.5 ff3 sus2 mnk2",
    "CF": "sg40 gbp15 bad15 mzv6 ar4 ff3.5 fr2",
    "CG": "ktu35 ln30 fr12 kg8 tek8 mdw4",
    "GA": "fr35 fan25 puu8 nzb7 mye3",
    "GQ": "fan60 es25 bvb7 fr2",
    "ST": "pt65 cri22 kea6 aoa5",
    "GW": "pov35 ff18 ble15 mnk8 mfv6 pbo4 pt3",
    "GM": "mnk38 ff21 wo18 dyo10 snk7 srr2.5 en1",
    "CV": "kea97 pt2.5",
    "DJ": "so60 aa33 ar4 fr2",
    "ER": "ti55 tig28 aa4 ssy4 bej2.3 byn2.2 kun2 ar2 nrb1.5",
    "KM": "zdj98 fr1 ar.5",
    "MU": "mfe87 bho5.3 fr4.2 en.8 hi.6",
    "LS": "st96 xh1.5 zu1 en.5",
    "SZ": "ss92 zu4 en2 ts1.5",
    "BW": "tn77.3 kck7.4 xkv3.4 en2.8 sn2 nd1",
    "NA": "ng49.7 naq11 kwn10.4 af9.4 hz9.2 loz4.9 en2.3 de.6",
    "RE": "rcf72 fr26",
    "YT": "swb65 buc22 fr9 zdj4",
}  # fmt: skip

# English and the neighbours' languages are second languages; newcomers' languages are missing or low in CLDR.
EUROPE: dict[str, str] = {
    "RU": "ru88 tt2.6 ce1.1 ba.8 cv.6 av.6 hy.6 uk.5 az.4 kk.3 sah.3 os.3 dar.3",
    "DE": "de88 tr2.2 ru2 ar1.4 pl1.1 en.7 ro.6 it.5 uk.5 sq.4 hr.4 sr.4 ku.4 fa.3",
    "GB": "en90 pl1 cy.9 ro.8 pa.6 ur.6 pt.4 es.4 ar.4 bn.4 gu.4 it.4 ta.3 fr.3 lt.3 cmn.3 tr.2 bg.25 so.2",
    "FR": "fr88.5 ar4 pt1 kab1 es.8 tr.6 gsw.6 it.5 en.5 br.25 oc.2",
    "IT": "it84 nap3 scn3 vec2 ro1.5 ar.9 lmo.8 sq.7 sc.6 de.6 cmn.4 uk.3",
    "ES": "es79 ca12 gl4.5 eu1.5 ar1.2 ro1.1 en.5",
    "UA": "uk68 ru29 ro.8 hu.4 crh.3",
    "PL": "pl97 uk1.5 szl1",
    "NL": "nl85 nds4 li3 fy2.2 en1.6 tr1.3 ar1.3 pl.9",
    "BE": "nl54 fr36 ar2.3 tr1.5 en1.5 it.8 de.7 ro.5 pl.5",
    "SE": "sv85 ar2.5 fi1.2 fa1.1 pl1 en1 ku.9 so.8 bs.7 es.7 tr.6 sq.6 ti.5",
    "GR": "el94 sq2.8 tr1 ru.6 en.4 bg.3 ro.3",
    "PT": "pt98 kea.5 uk.3 ro.2 en.3",
    "HU": "hu98.2 rom.6 de.4 ro.2",
    "AT": "de84 sr2.6 tr2.4 hr1.8 bs1.8 ro1.4 hu1 ar1 pl.8 en.7 sq.6 sl.3",
    "CH": "gsw60 fr21 it7 pt2.5 sq2.4 de2 en2 sr1.4 es1.2 tr.6 rm.4",
    "BG": "bg85 tr9 rom4.2 ru.3",
    "IE": "en88.5 pl2.6 ga1.7 ro1.2 uk1 pt.8 lt.7 es.6",
    "DK": "da90.5 ar1 pl.8 tr.7 de.6 en.8 ro.6",
    "NO": "nb88 pl2.2 ar.8 lt.8 en.8 so.6 sv.6 ti.4 se.3 ur.4",
    "IS": "is86 pl6 lt1.2 en1.5 tl.6 ro.8",
    "CY": "el64 tr22 en4 ro2.2 ru2 bg1.6 ar1",
    "AD": "es40 ca39 pt12 fr6 en2",
    "MC": "fr62 it18 en11 pt3",
    "SM": "it98",
}  # fmt: skip

# CLDR counts learners of English and Spanish; the CIA counts speakers, or has one figure for all indigenous
# languages.
AMERICAS: dict[str, str] = {
    "US": "en78.3 es13.5 cmn.8 yue.4 tl.6 vi.6 ar.5 fr.5 ko.4 hi.4 ru.35 ht.35 pt.35 de.3 pl.2 ur.2 te.2",
    "BR": "pt98.5 de.5 it.3 es.3 ja.2",
    "MX": "es94 nah1.2 yua.6 mix.4 zap.4 tzh.4 tzo.4 oto.25 tot.2 en.3",
    "CO": "es99 guc.4 pbb.2",
    "AR": "es97.5 qu.8 gn.6 it.5 arn.2 cmn.2",
    "CA": "en64 fr20 cmn1.9 pa1.7 yue1.3 es1.1 ar1.1 tl1.1 fa.6 it.5 ur.5 pt.5 ru.5 hi.5 de.4 vi.4 ta.4"
          " ko.4 pl.3 cr.2",
    "PE": "es83 qu14 ay1.7 cni.3",
    "VE": "es98.5 guc.8",
    "CL": "es98 arn.8 ht.7",
    "EC": "es94.5 qug4.5",
    "GT": "es69.9 kek8.3 quc7.8 mam4.4 cak3 kjb1.2 poh1 ixl.8 tzj.6 acr.4",
    "HT": "ht96.5 fr3",
    "CU": "es100",
    "DO": "es97 ht2.5",
    "BO": "es70 qu17.5 ay10.7 gn.6",
    "PY": "gn53 es42 pt2.5 de.6",
    "NI": "es96.5 miq2.5 bzk.6",
    "SV": "es99.8",
    "HN": "es98 cab.5 miq.5",
    "CR": "es98.5 en.7",
    "PA": "es90 gym5 en2 cuk1.2 emp.8 cmn.5",
    "UY": "es98.8 pt1",
    "PR": "es94.5 en5.3",
    "JM": "jam85 en15",
    "TT": "en96 es3",
    "BB": "en100",
    "GY": "gyn85 en12 pt1 arw.5",
    "SR": "nl47 hns16 srn12 djk8 jv6 srm3 pt2 cmn1.5",
    "BZ": "es40 bzj28 en18 kek6 mop3 de3 cab1",
    "BS": "en89 ht10",
    "LC": "en60 acf40",
    "DM": "en82 acf18",
    "GD": "en98", "VC": "en98", "AG": "en97", "KN": "en99",
    "GF": "fr45 gcr20 pt9 ht9 djk7 srn3",
    "GP": "gcf55 fr44",
    "MQ": "fr51 gcf48",
}  # fmt: skip

# Hundreds of small languages, or speakers counted several times.
OCEANIA: dict[str, str] = {
    "AU": "en75 cmn3 ar1.6 vi1.4 yue1.3 pa1.1 el1 it1 tl1 hi.9 es.8 ne.6 ko.6 fa.6 ur.5 ta.5 id.4 tr.4"
          " de.4 fr.4 si.4 ml.35"
          " bn.35 te.3 gu.3 sr.3 hr.3 mk.3 th.3 ru.3 sm.3 pt.3 pl.25 ja.25",
    "NZ": "en87 cmn2 mi1.5 sm1.2 hi1 yue.9 tl.9 pa.8 to.5 ko.5",
    "PG": "tpi32 enq6.5 hui4.5 med4.5 kue4.5 en4 ksd3.2 ho.8",
    "FJ": "fj54 hif36 en4 rtm1.2",
    "SB": "pis45 kwf10 llu6 en2",
    "VU": "bi85 en6 fr4",
    "NC": "fr65 dhv9 wls6 nee4 mfe.4",
    "FM": "chk47 pon25 kos7 yap6 en4",
    "TO": "to98.5 en1",
    "TV": "tvl98.5 gil1",
    "KI": "gil99.5",
    "GU": "en43.3 tl24.9 ch16 chk4 ko1.5",
}  # fmt: skip

HOME: dict[str, str] = ASIA | MIDDLE_EAST_NORTH_AFRICA | AFRICA | EUROPE | AMERICAS | OCEANIA
