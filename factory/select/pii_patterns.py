"""Patterns of secrets, addresses and telephones: an expression, what must be in a text for it to be tried, a check.

Design: data only. Expressions have bounded repetitions, possessive where they could fail late, so that no text makes
them slow. They begin with a plain character and look behind it afterwards: `re` skips ahead to a first character it
knows, and an assertion in front would make it stop at every position (27 to 34 instead of 7 to 13 microseconds a
document). `literals` and `words` are substrings one of which must occur (words in the lower-case text), `digits` says
that seven digits must stand near each other, `anchors` are the words at which alone the expression is tried. Checks
(pii_email.py, pii_contacts.py, pii_secrets.py) settle what a regular expression cannot: context, reserved ranges.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from factory.select import pii_contacts as contacts
from factory.select import pii_email as emails
from factory.select import pii_secrets as secrets

Span = tuple[int, int]
Check = Callable[[re.Match[str]], Span | None]


@dataclass(frozen=True)
class Pattern:
    kind: str
    expression: re.Pattern[str]
    check: Check
    literals: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    digits: bool = False


def standing_alone(first: str, rest: str) -> re.Pattern[str]:
    """`first` (one character) and `rest`, neither part of a longer word or number."""
    return re.compile(rf"{first}(?<![\w.+\-]{first})(?<![0-9],{first})(?:{rest})(?!\w|[.\-][0-9])")


GAP = "[ \u00a0\u202f]"
DASH = "[-\u2010\u2011]"
_BREAK = "[ \u00a0\u202f().\\-/\u2010\u2011]"
_EXTENSION = r"(?:\s?(?:x|ext\.?|#)\s?[0-9]{1,6}+)?"
_AMERICAN = rf"[2-9][0-9]{{2}}(?:{DASH}|[. ])[0-9]{{4}}{_EXTENSION}"
_DOT = r"(?:\.|\s?[\[({<]\s?(?:dot|DOT|punkt|\.)\s?[\])}>]\s?)"
_LINE_BREAK = r"\n[ \t]{0,16}"
_STATES = r"(?:=>|:=|={1,2}|:|→|\b(?:is|ist|est|es)\b)"
_QUALIFIED_KEY = "|".join(
    rf"(?<={word}[_ -])"
    for word in ("api", "access", "auth", "account", "encryption", "signing", "private", "secret", "shared", "master")
)

SECRETS = (
    Pattern(
        "private_key",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,12}+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?P<body>(?:(?!-----)[\s\S]){40,20000}+)"
            r"(?:-----END (?:[A-Z0-9]{1,12}+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
        secrets.private_key,
        literals=("PRIVATE KEY",),
    ),
    Pattern(
        "url_credentials",
        re.compile(
            r"://(?P<credentials>[^\s/?#@:<>\"'`\\]{1,128}+:[^\s/?#<>\"'`\\]{1,256})@"
            r"(?P<host>[\w.-]{1,255}+|\[[0-9a-fA-F:.]{2,45}+\])"
        ),
        secrets.url_credentials,
        literals=("://",),
    ),
    Pattern(
        "jwt",
        re.compile(r"(?<![\w-])(?P<header>eyJ[\w-]{8,1500}+)\.eyJ[\w-]{8,8000}+\.[\w-]{0,2000}+"),
        secrets.jwt,
        literals=("eyJ",),
    ),
    Pattern(
        "aws_key",
        re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)(?P<body>[A-Z2-7]{16})(?![A-Za-z0-9])"),
        secrets.token,
        literals=("AKIA", "ASIA"),
    ),
    Pattern(
        "github_token",
        re.compile(r"(?<!\w)(?:gh[pousr]_(?P<body>[A-Za-z0-9]{36,251}+)|github_pat_[A-Za-z0-9_]{22,255}+)(?!\w)"),
        secrets.token,
        literals=("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    Pattern(
        "gitlab_token",
        re.compile(r"(?<!\w)gl(?:pat|dt|rt|ft|soat|ptt|cbt|agent|imt|oas)-(?P<body>[\w-]{20,64}+)"),
        secrets.token,
        literals=("glpat-", "gldt-", "glrt-", "glft-", "glsoat-", "glptt-", "glcbt-", "glagent-", "glimt-", "gloas-"),
    ),
    Pattern(
        "slack_token",
        re.compile(
            r"(?<!\w)(?:xox[abeoprs]|xapp)-(?P<body>[A-Za-z0-9-]{16,250}+)"
            r"|hooks\.slack\.com/services/T\w{6,14}/B\w{6,14}/\w{18,30}"
        ),
        secrets.token,
        literals=("xox", "xapp-", "hooks.slack.com"),
    ),
    Pattern(
        "stripe_key",
        re.compile(r"(?<!\w)(?:[sr]k_live_|whsec_)(?P<body>[A-Za-z0-9]{16,255}+)"),
        secrets.token,
        literals=("_live_", "whsec_"),
    ),
    Pattern(
        "google_api_key",
        re.compile(r"(?<![\w-])(?:AIza(?P<body>[\w-]{35})|GOCSPX-[\w-]{28}|ya29\.[\w-]{40,500}+)(?![\w-])"),
        secrets.token,
        literals=("AIza", "GOCSPX-", "ya29."),
    ),
    Pattern(
        "openai_key",
        re.compile(r"(?<![\w-])sk-(?:(?:proj|svcacct|admin|ant|or)-)?(?P<body>[\w-]{20,250}+)"),
        secrets.mixed_token,
        literals=("sk-",),
    ),
    Pattern(
        "api_token",
        re.compile(
            r"(?<![\w-])(?:(?:hf_|npm_|pypi-AgEI|glsa_|xai-|r8_|lin_api_|nvapi-)(?P<body>[A-Za-z0-9][\w-]{29,250}+)"
            r"|dop_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|SG\.[\w-]{22}\.[\w-]{43}"
            r"|[0-9]{8,10}:AA[\w-]{33})(?![\w-])"
        ),
        secrets.cased_token,
        literals=(
            "hf_", "npm_", "pypi-AgEI", "dop_v1_", "shpat_", "shpca_", "shppa_", "shpss_", "glsa_", "xai-", "r8_",
            "lin_api_", "nvapi-", "SG.", ":AA",
        ),
    ),
    Pattern(
        "password",
        re.compile(
            r"(?:pass(?:word|wd|phrase|wort|code)|kennwort|mot de passe|contraseña|senha|(?<![a-z])pwd?|secret"
            rf"|credential|(?:{_QUALIFIED_KEY})key|token)s?[\"'`\])]{{0,2}}"
            rf"(?:\s{{0,4}}{_STATES}\s{{0,4}}|(?<=-password) |(?<=-passwd) |(?<=-token) |(?<=-secret) |(?<=-key) )"
            r"(?:(?P<quote>[\"'`])(?P<quoted>(?:(?!(?P=quote))[^\s\\]){8,200}+)(?P=quote)|(?P<bare>[^\s\"'`,;\\]{8,200}+))",
            re.IGNORECASE,
        ),
        secrets.password,
        anchors=("pass", "kennwort", "mot de", "contraseña", "senha", "pw", "secret", "credential", "key", "token"),
    ),
)  # fmt: skip

CONTACTS = (
    Pattern(
        "email",
        re.compile(r"@((?:[\w-]{1,63}+\.){1,8}[^\W\d_]{2,24})(?![\w@])"),
        emails.email,
        literals=("@",),
    ),
    Pattern(
        "email",
        re.compile(
            r"(?:[\uff20\ufe6b]|&#(?:0{0,4}64|[xX]0{0,4}40);|&commat;|%40|\\@|\\u0040)"
            r"((?:[\w-]{1,63}+[.\uff0e]){1,8}[^\W\d_]{2,24})(?!\w)"
        ),
        emails.email,
        literals=("\uff20", "\ufe6b", "&#", "&commat;", "%40", "\\@", "\\u0040"),
    ),
    Pattern(
        # Only domains whose last label is no word that a sentence begins with: "see user@host.\nIt is".
        "email",
        re.compile(
            rf"@(?:{_LINE_BREAK})?((?:[\w-]{{1,63}}+(?:(?<=-){_LINE_BREAK}[\w-]{{1,63}}+|{_LINE_BREAK})?\.(?:{_LINE_BREAK})?){{1,8}}"
            r"(?:com|net|org|edu|gov))(?![\w@-]|\.\w)"
        ),
        emails.broken_email,
        literals=("@",),
    ),
    Pattern(
        "email",
        re.compile(
            r"(?<![\w%+\-.])(?P<local>[\w%+\-][\w.%+\-]{0,63}+)\s?[\[({<]\s?(?:at|AT|@|ät)\s?[\])}>]\s?"
            rf"(?P<domain>[\w-]{{1,63}}+(?:{_DOT}[\w-]{{1,63}}+){{1,5}})"
        ),
        emails.spelled_email,
        words=("(at)", "[at]", "{at}", "<at>", "( at", "[ at", "(@", "[@", "(ät"),
    ),
    Pattern(
        "phone",
        re.compile(
            rf"[+0](?<![\w+.,/\-][+0])(?:(?<=\+)|(?<=0)0)[1-9](?:{_BREAK}{{0,2}}[0-9]){{7,14}}{_EXTENSION}"
            r"(?!\w|[.\-][0-9])"
        ),
        contacts.international_phone,
        literals=("+", "00"),
        digits=True,
    ),
    Pattern(
        "phone",
        standing_alone(
            "[(1-9]",
            rf"(?<=\()[2-9][0-9]{{2}}\){GAP}?{_AMERICAN}|(?<=[2-9])[0-9]{{2}}(?:{DASH}|[. /]){_AMERICAN}"
            rf"|(?<=1)[-. ]\(?[2-9][0-9]{{2}}(?:\){GAP}?|{DASH}|[. /]){_AMERICAN}",
        ),
        contacts.american_phone,
        digits=True,
    ),
    Pattern(
        "phone",
        standing_alone(
            "[(0]",
            rf"(?:(?<=0)|(?<=\()0)[1-9][0-9]{{1,4}}\)?(?:{GAP}|{DASH})?[0-9]{{3,8}}(?:(?:{GAP}|{DASH})[0-9]{{3,4}})?",
        ),
        contacts.british_phone,
        literals=("0",),
        digits=True,
    ),
    Pattern(
        "phone",
        standing_alone(
            "0", r"[1-9](?P<gap>[ .\-\u00a0\u202f])[0-9]{2}(?:(?P=gap)[0-9]{2}){3}(?![ .\-]?[0-9a-fA-F]{2}\b)"
        ),
        contacts.french_phone,
        literals=("0",),
        digits=True,
    ),
    Pattern(
        "phone",
        standing_alone("[(0]", rf"(?:(?<=0)|(?<=\()0)[1-9](?:{_BREAK}{{0,3}}[0-9]){{5,12}}"),
        contacts.phone_in_context,
        literals=("0",),
        words=(
            "tel", "tél", "fon", "phone", "mobil", "handy", "fax", "ruf", "portable", "durchwahl", "erreich", "call",
            "reach", "appele", "joindre", "contact", "cell", "☎", "📞",
        ),
        digits=True,
    ),
    Pattern(
        "phone",
        re.compile(
            r"(?<!\w)(?:tel(?:efono?|éfono|efone|efoon|ephone|efax)?|tél(?:éphone)?|(?:smart)?phone|fon|mobile?|móvil|handy"
            r"|cell(?:ulare|phone)?|celular|fax|puh|tlf|whatsapp|тел|电话|電話)(?:\.|(?!\w))"
            r"(?:\s?(?:no|nr|num|number|nummer|#)\.?)?[\s:.=*\"'|>\-]{0,5}"
            rf"(?P<number>\(?\+?\(?[0-9](?:{_BREAK}{{0,2}}[0-9]){{6,14}})(?!\w|[.\-][0-9])",
            re.IGNORECASE,
        ),
        contacts.labelled_phone,
        anchors=(
            "tel", "tél", "phone", "fon", "mobil", "móvil", "handy", "cel", "fax", "puh", "tlf", "whatsapp", "тел",
            "电话", "電話", "smartphone",
        ),
        digits=True,
    ),
    Pattern(
        "ip_address",
        re.compile(r"[0-9](?<![\w.+\-][0-9])[0-9]{0,2}\.(?:[0-9]{1,3}\.){2}[0-9]{1,3}(?!\w|\.[0-9i]|-[0-9])"),
        contacts.ipv4,
        literals=(".",),
    ),
    Pattern(
        "ip_address",
        re.compile(r"[23](?<![\w:.][23])[0-9a-fA-F]{3}:(?:[0-9a-fA-F]{0,4}:){1,6}[0-9a-fA-F]{0,4}(?![\w:])"),
        contacts.ipv6,
        literals=(":",),
    ),
)  # fmt: skip
