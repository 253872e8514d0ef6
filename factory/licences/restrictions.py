"""Words that forbid, in statements that name no licence we know: what they forbid, as one of our terms.

Design: errs on the side of a prohibition, with three guards against finding one where there is none. Phrases that
allow both sides ("commercial and non-commercial use") or deny a limit ("not limited to personal use") are taken out
first. Words such as "confidential" count only in a short statement, because licence texts use them in their clauses.
"All rights reserved" is the formula of a copyright notice and stands above BSD licence texts: beside a named
licence (`without_notice`) or words that grant something it forbids nothing. Of 958 different licence files of
installed programs 6 are read as forbidding, one of them wrongly; 25 were before the guards (docs/select.md). Cost:
cached by statement, like parsing.
"""

from __future__ import annotations

import re

from factory.licences.stated import (
    BOTH,
    COMMONS_CLAUSE,
    NO_DERIVATIVES,
    NON_COMMERCIAL,
    RESERVED,
    RESTRICTED,
    is_known,
)
from factory.licences.wording import folded

SHORT_STATEMENT = 300
"""Characters of what is a statement rather than a licence's wording."""


def restrictions(stated: str) -> str | None:
    """The term for words that forbid: commercial use, derivatives, some other use, or everything; None: no such
    words."""
    text = _without_allowances(re.sub(r"\bn\. ?([cd])\b\.?", r"n\1", folded(stated)))
    short = len(text) <= SHORT_STATEMENT
    commercial = _FORBIDS_COMMERCE.search(text) or (short and _FORBIDS_COMMERCE_BRIEFLY.search(text))
    if commercial:
        return BOTH if _FORBIDS_DERIVATIVES.search(text) else NON_COMMERCIAL
    if _FORBIDS_DERIVATIVES.search(text):
        return NO_DERIVATIVES
    if _COMMONS_CLAUSE.search(text):
        return COMMONS_CLAUSE
    if short and _KEEPS_RIGHTS.search(text):
        return RESERVED
    if short and _RESTRICTS_USE.search(text):
        return RESTRICTED
    grants = _GRANTS.search(_NO_GRANT.sub(" ", text))
    reserves = _ALL_RIGHTS.search(text) or (short and _MARK.match(text))
    return RESERVED if reserves and not grants else None


def forbidden_by_name(term: str) -> str | None:
    """What the words of a LicenseRef forbid: "LicenseRef-Proprietary" is all rights reserved. Its words never permit
    anything, because the text behind it is not known. None for SPDX ids and for references that we made ourselves,
    whose statement was read in full when they were made."""
    if not term.startswith("LicenseRef-") or is_known(term) or _OUR_MARK.search(term):
        return None
    return restrictions(term.removeprefix("LicenseRef-").replace("-", " "))


def without_notice(stated: str) -> str | None:
    """What a statement says beside its copyright notice, folded; None where it has no notice or says nothing else."""
    text = folded(stated)
    if _ALL_RIGHTS.search(text):
        rest = _NOTICE.sub(" ", text)
    elif _MARK.match(text):
        # A holder may be called like a licence: "(c) MIT", "(c) Python Software Foundation".
        rest = _MARK.sub("", _CLAUSES.split(text.rstrip(" ."))[-1])
        rest = rest if _LOOKS_LIKE_A_LICENCE.search(rest) else ""
    else:
        return None
    return rest.strip(" .,;:|-") or None


def is_notice(stated: str) -> bool:
    """Whether a statement begins with a copyright mark, so that what follows is a holder before it is a licence."""
    return _MARK.match(folded(stated)) is not None


def _without_allowances(text: str) -> str:
    for allowance in _ALLOWANCES:
        text = allowance.sub(" ", text)
    return _ENUMERATION.sub(_allowed, text)


def _allowed(found: re.Match[str]) -> str:
    """Nothing for a list of uses that has the commercial one among them, unless the list is what is forbidden."""
    forbids = _NEGATION.search(found.string[max(0, found.start() - 60) : found.start()])
    return " " if _COMMERCIAL.search(found[0]) and not forbids else found[0]


_USE = (
    "(?:non[- ]?commercial|nicht[- ]?kommerziell|commercial|kommerziell"
    "|personal|private|academic|educational|research|home|internal)"
)
_PURPOSE = r"(?:ly|e|en|er)?(?: (?:use|usage|purposes?|projects?|distribution))?"
_JOINED = r",? ?(?:and/or|and|or|und|oder|ou|&|/|,) ?(?:for )?"
_ENUMERATION = re.compile(rf"\b{_USE}{_PURPOSE}(?:{_JOINED}{_USE}{_PURPOSE})+")
_COMMERCIAL = re.compile(r"(?<!non)(?<!non[- ])(?<!nicht)(?<!nicht[- ])\b(?:commercial|kommerziell)")
_NEGATION = re.compile(r"(?:\b(?:no|not|never|nicht|without|prohibit\w*|forbid\w*)|n't) (?:\w+ ){0,4}$")
_ALLOWANCES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\bnot (?:\w+ )?(?:limited|restricted|confined|reserved) to (?:\w+ ){{0,2}}{_USE}{_PURPOSE}(?: only)?",
        rf"\bnot (?:only|just|merely|solely) (?:for |to )?(?:\w+ )?{_USE}{_PURPOSE}",
        rf"\bno (?:restrictions?|limitations?|limits?) (?:on|to|of|for|regarding) (?:\w+ )?{_USE}{_PURPOSE}",
        r"\bcommercial\w* or non-?commercial\w*",
        # LGPL-2.1, section 5: what a program is that only works with the library.
        r"\bcontains no derivative of",
        # GPL-2.0, section 3c, and GPL-3.0, section 6c: one of several ways to hand out binaries.
        r"\ballowed only for non-?commercial distribution",
        r"\bonly occasionally and non-?commercially",
        r"\bcommerciale?s? (?:ou|et|o|e|y) non[- ]commerciale?s?",
        r"\bcomercial(?:es)? [oey] no comercial(?:es)?",
    )
)

_FIELDS = (
    "(?:research|academic|educational?|personal|private|home|study|scholarly|teaching|non-?profit|not-for-profit"
    "|hobby|student)"
)
"""Of use, that say by naming one of them that commerce is left out."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_FORBIDS_COMMERCE = _any(
    r"\bnon[-_ ]?comm?(?:erc\w*)?\b", r"\bnon[-_ ]?commercial", r"\bno[-_ ]commercial",
    r"\b(?:cc[-_ ]?)?by[-_ ]?(?:n[cd][-_ ])?(?:sa[-_ ])?nc(?=\b|_|sa|nd)",
    r"\b(?:cc|by)[-_ ](?:by[-_ ])?(?:n[cd][-_ ])?nc(?:\b|_)", r"\bnc[-_ ](?:sa|nd)\b",
    r"\b(?:not|never) (?:\w+ ){0,3}commercial", r"\bcommercial (?:use|usage) (?:is )?(?:not|prohibited|forbidden)",
    rf"\b{_FIELDS}(?:,? (?:and|or) \w+)? (?:use |purposes? )?only", rf"\bonly for (?:\w+ ){{0,2}}{_FIELDS}",
    r"nicht[-_ ]?(?:kommerziell|gewerblich)", "keine kommerzielle", r"\bno[-_ ]comercial", r"nao[-_ ]comercial",
    "utili[sz]ation commerciale interdite", "pas d.utilisation commerciale", r"\bsin fines? (?:comercial|de lucro)",
    r"\bsem fins (?:comerciais|lucrativos)", "niet[-_ ]commerc", "ic?k?ke[-_ ]kommer[sc]i", "nie[-_ ]?komercyjn",
    "nekomercn", "nem kereskedelmi", "necomercial", "ei[-_ ]kaupalli", "epakaupalli", "ticari olmayan",
    "gayri ticari", "phi thuong mai", "non-?komersial",
    *map(folded, (
        "некоммерческ", "некомерційн", "μη εμπορικ", "非商业", "非商業", "非商用", "不得商用", "禁止商用",
        "不可商用", "禁止商业", "仅供个人", "仅供学习", "仅限个人", "商用利用不可", "商用利用禁止", "商用不可",
        "非営利", "비영리", "비상업", "غير تجاري", "غير التجاري",
    )),
)  # fmt: skip
_FORBIDS_COMMERCE_BRIEFLY = _any(
    rf"\bfor (?:\w+,? ){{0,3}}{_FIELDS}(?: (?:use|usage|purposes?)|$|[.,;])", rf"\b{_FIELDS} (?:use|usage)$",
    r"\b(?:cc|by|creative commons|attribution)\b.*\b(?:nc|noncom)\b",
    r"\b(?:usage|gebrauch|uso) (?:personnel|prive|personal)", r"\b(?:privaten|personlichen) gebrauch",
    r"\buso personale", r"\bnot[- ]for[- ]profit (?:use|only)",
)  # fmt: skip
_FORBIDS_DERIVATIVES = _any(
    r"\bno[-_ ]?deriv", r"\b(?:cc|by)[-_ ](?:by[-_ ])?(?:nc[-_ ])?nd\b", r"\bno[-_ ](?:modification|adaptation)",
    r"\bverbatim (?:copies|copying) only", r"\bkeine (?:bearbeitung|ableitung)", r"\bpas de (?:modification|derive)",
    r"\bsin (?:obras? )?deriva", r"\bsem deriva", r"\bnon opere derivate", "禁止演绎", "禁止改作", folded("改変禁止"),
)  # fmt: skip
_COMMONS_CLAUSE = re.compile(r"\bcommons[-_ ]?clause")

_KEEPS_RIGHTS = _any(
    r"(?<!non-)(?<!non )(?<!not )\bproprietary\b",
    r"(?<!non-)(?<!non )(?<!not )(?<!no longer )\bconfidential\b",
    r"\btrade secret", r"\bunlicen[sc]ed\b", r"\binternal use\b",
    r"\bdo not (?:re)?(?:distribute|publish|copy|share)",
    r"\b(?:not|no|never) (?:\w+ ){0,3}(?:redistribut|distribution|reproduction)",
    r"\b(?:redistribution|reproduction|copying) (?:is )?(?:strictly )?(?:not|prohibited|forbidden)",
    r"\bmay not be (?:\w+,? ){0,3}(?:re)?(?:distributed|produced|copied|published|used)(?! except| unless| to )",
    r"\bunauthori[sz]ed (?:\w+ ){1,4}(?:is |are )?(?:strictly )?(?:prohibited|forbidden)",
)  # fmt: skip
_RESTRICTS_USE = _any(
    r"\b(?:evaluation|trial|demo|demonstration|test|testing|review|preview)(?: (?:use|purposes?|version|copy))? only\b",
    r"\bonly for (?:\w+ ){0,2}(?:evaluation|demonstration|testing)", r"\bfor evaluation\b",
    r"\bsource[- ]available\b", r"\bopenrail", r"\bbusiness source\b",
    r"\bnot? (?:be )?(?:(?:re)?sold\b|(?:re)?sell(?:ing)?\b)", r"\b(?:not for|no) (?:re)?sale\b", r"\bno-?ai\b",
    r"\bnot? (?:\w+ ){0,4}(?:ai|ml|llms?|machine learning|(?:text and )?data mining|model training)\b",
)  # fmt: skip
_ALL_RIGHTS_IN_WORDS = (
    r"\ball rights? reserved", r"tous (?:les )?droits(?: \w+){0,6} reserves", r"alle rechte(?: \w+){0,2} vorbehalten",
    r"todos los derechos(?: \w+){0,2} reservados", r"reservados todos los derechos",
    r"todos os direitos(?: \w+){0,2} reservados", r"tutti i diritti(?: \w+){0,2} riservati",
    r"tots els drets reservats", r"alle rechten(?: \w+){0,2} voorbehouden",
    r"alla rattigheter (?:forbehall\w*|reserverade)", r"alle rettighed?t?er (?:forbeholdt|forbeholdes|reservere?t)",
    r"(?:wszelkie|wszystkie) prawa(?: \w+)? zastrzezone", "vsechna prava vyhrazena", "vsetky prava vyhradene",
    "minden jog fenntartva", "toate drepturile rezervate", "kaikki oikeudet (?:pidate|varattu)",
    "tum haklari saklidir", "hak cipta dilindungi", "moi quyen duoc bao luu", "bao luu moi quyen",
    *map(folded, (
        "все права (?:защищены|сохранены)", "всі права (?:захищені|застережені)", "всички права запазени",
        "με επιφύλαξη παντός δικαιώματος", "版权所有", "版權所有", "保留所有权利", "保留所有權利", "保留一切权利",
        "保留一切權利", "全著作権所有", "無断転載", "不許複製", "모든 권리", "판권 소유", "무단 전재",
        "(?:جميع|كل) الحقوق محفوظة", "(?:تمامی|کلیه|تمام) حقوق", "כל הזכויות שמורות", "सर्वाधिकार सुरक्षित",
    )),
)  # fmt: skip
_ALL = "|".join(_ALL_RIGHTS_IN_WORDS)
_ALL_RIGHTS = re.compile(_ALL)
_SIGN = r"(?:copyright\b|copr\.|©|\(c\))"
_MARK = re.compile(rf"\s*(?:{_SIGN}\s*)+")
_NOTICE = re.compile(rf"(?:{_SIGN}(?:(?!{_ALL}).){{0,200}})?(?:{_ALL})(?:[ ,.:]*{_SIGN}[^.;]{{0,100}})?")
_CLAUSES = re.compile(r"[.,;:|] |\s[-|]\s|\s(?:licen[sc]ed |released |distributed |available )?under (?:the )?")
_LOOKS_LIKE_A_LICENCE = re.compile(r"licen|\d\.\d|^cc\b|gpl")
_GRANTS = _any(
    r"\bpermission (?:is |to )(?:hereby )?\w+", r"\bpermitted\b", r"\bredistribution and use\b",
    r"\bgrant(?:s|ed)\b", r"\byou (?:may|can)\b", r"\b(?:licen[sc]ed|released|distributed|available) under\b",
    r"\bmay be (?:\w+ ){0,3}(?:used|copied|distributed)",
    r"\bfree(?:ly)? (?:to|for|available|use|distribut|redistribut)",
    r"\blicen[sc]e: ?(?:[al]?gpl|apache|bsd|cc[- ](?:by|0)|expat|isc|mit|mpl|openldap|unicode)",
)  # fmt: skip
_NO_GRANT = re.compile(
    r"\b(?:no|not|without|unless)\b(?: \w+){0,5} (?:permission|permitted|granted?)\b(?: (?:is|to) \w+)?"
)
_OUR_MARK = re.compile(r"-[0-9a-f]{8}$")
