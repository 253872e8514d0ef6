"""E-mail addresses: what makes something around an "@" one, and what only looks like it.

Design: the domain decides first (a top-level domain people have mail at, not reserved by RFC 2606 or RFC 6761 and
no stand-in), then the local part and what stands around. `git@`, `name@2x.png`, `user@host`, decorators, TeX
internals, matrix products, message ids and remote paths are not addresses of anybody.
"""

from __future__ import annotations

import re
import unicodedata

from factory.select.pii_context import says

Span = tuple[int, int]
Match = re.Match[str]

COMMON_DOMAINS = frozenset({
    "com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "aero", "coop", "museum", "mobi",
    "jobs", "travel", "tel", "cat", "asia", "post", "app", "dev", "xyz", "online", "site", "website", "web", "tech",
    "store", "shop", "blog", "cloud", "email", "club", "top", "space", "world", "live", "life", "today", "news",
    "media", "agency", "group", "team", "company", "solutions", "services", "systems", "digital", "design", "studio",
    "academy", "school", "university", "college", "science", "institute", "care", "health", "clinic", "hospital",
    "bank", "finance", "money", "legal", "law", "tax", "consulting", "engineering", "software", "network", "host",
    "hosting", "center", "foundation", "church", "global", "international", "city", "berlin", "hamburg", "bayern",
    "koeln", "wien", "paris", "london", "nyc", "amsterdam", "tokyo", "swiss", "ngo", "ong", "gmbh", "ltd", "inc",
    "llc", "art", "music", "games", "game", "photo", "video", "film", "press", "radio", "social", "community",
    "wiki", "one", "zone", "link", "click", "page", "earth", "energy", "green", "farm", "garden", "house", "home",
    "estate", "properties", "fund", "capital", "ventures", "partners", "management", "expert", "guru", "coach",
    "training", "education", "courses", "jetzt", "versicherung", "immobilien", "reise", "haus", "kaufen", "arpa",
})  # fmt: skip
"""Top-level domains of more than two letters that people have mail at. Another one counts with a word about mail."""

_NO_COUNTRIES = frozenset({
    "js", "ts", "cs", "rb", "hs", "go", "kt", "vb", "jl",
})  # fmt: skip
"""Two letters that end file names and are no country."""

_RESERVED_DOMAINS = re.compile(
    r"(?:.*\.)?(?:example(?:\.[a-z]{2,3})?(?:\.[a-z]{2})?|test|invalid|localhost|local|localdomain|internal|lan|home\.arpa"
    r"|(?:domain|mydomain|yourdomain|your-domain|yourcompany|mycompany|company|somewhere|foo|bar|baz|foobar|host|hostname"
    r"|server|website|yoursite|mysite|site|users\.noreply\.github)\.(?:com|org|net|tld|edu|bar|domain))"
)
_TECHNICAL_USERS = re.compile(
    r"(?:git|hg|svn|bzr|cvs|anoncvs|anonymous|user\w?|username|user[._-]?name|name|you|your[._-]?\w*|my[._-]?e?mail|e?mail"
    r"|foo|bar|baz|foobar|someone|somebody|nobody|anyone|example|test|no[._-]?reply|do[._-]?not[._-]?reply"
    r"|mailer-daemon)(?:\+.*)?",
    re.IGNORECASE,
)
_SERIAL = re.compile(r"[0-9A-Fa-f]{8,}[.$-][\w.$-]+")
"""The left side of a message id, where it stands without its header."""

_LOCAL_PART = re.compile(r"(?<![\w%+\-])[\w%+\-][\w.%+'\-]*\Z")
_REMOTE_SHELL = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id|sshfs)\s[^\n]{0,90}\Z")
_MESSAGE_ID = re.compile(r"(?:message-id|in-reply-to|references|content-id|resent-message-id):[^\n]{0,150}\Z")
_MAIL = re.compile(r"mail|contact|write to|schreib|kontakt|courriel|correo|<\Z")
LONGEST_LOCAL_PART = 64  # RFC 5321, section 4.5.3.1.1


_QUOTED_LOCAL_PART = re.compile(r"\"[^\"\n]{1,64}\"\Z")
"""RFC 5321, section 4.1.2: `"jane doe"@acme.org`."""


def email(found: Match) -> Span | None:
    """`found` begins at the "@", or what stands for it, and has the domain as its group."""
    text, at = found.string, found.start()
    local = _LOCAL_PART.search(text, max(0, at - LONGEST_LOCAL_PART), at)
    if local is None:
        local = _QUOTED_LOCAL_PART.search(text, max(0, at - LONGEST_LOCAL_PART - 2), at)
    if local is None or _TECHNICAL_USERS.fullmatch(local[0].strip('"')) or _SERIAL.fullmatch(local[0]):
        return None
    start = local.start()
    if text[start - 1 : start] in ("\\", "@") or (text[at] == "@" and _in_address(text, start)):
        return None  # TeX commands; the user in an address, where another sign than "@" is part of a name
    end = _domain_end(found, local[0])
    if end is None or text[end : end + 1] == "(":
        return None
    if _REMOTE_PATH.match(text, end) or says(_REMOTE_SHELL, text, start, 100):
        return None
    return None if says(_MESSAGE_ID, text, start, 160) else (start, end)


def broken_email(found: Match) -> Span | None:
    """An address with a line break beside a dot or behind the "@"; without one it is `email`'s."""
    return email(found) if "\n" in found[0] else None


def _in_address(text: str, start: int) -> bool:
    return _IN_ADDRESS.search(text, max(0, start - 150), start) is not None


_IN_ADDRESS = re.compile(r"://[^\s/]*\Z")
_REMOTE_PATH = re.compile(r":(?:[/~]|[\w./-]{1,100}\.git\b)")


def _domain_end(found: Match, local: str) -> int | None:
    """Where the domain ends: at the last label that can be a top-level domain; None where no label can."""
    text, at = found.string, found.start()
    labels = found[1].replace("\uff0e", ".").split(".")
    for count in range(len(labels), 1, -1):
        top, name = _plain(labels[count - 1]), _plain(labels[count - 2])
        if not _likely_top(top) and not (len(top) > 2 and says(_MAIL, text, at - len(local), 24)):
            continue
        if top in _FILE_ENDINGS or name.isdigit() or (len(name) == 1 and len(local) == 1):
            continue
        domain = ".".join(map(_plain, labels[:count]))
        end = found.start(1) + len(".".join(labels[:count]))
        return None if "_" in domain or _RESERVED_DOMAINS.fullmatch(domain) else end
    return None


def _plain(label: str) -> str:
    """Lower case, without a line break and its hyphen, full-width letters as ASCII's."""
    if not label.isascii():
        label = unicodedata.normalize("NFKC", label)
    return _BREAK.sub("", label).lower()


_BREAK = re.compile(r"-?\s+")


_FILE_ENDINGS = frozenset({
    "png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "ico", "pdf", "html", "htm", "css", "json", "yaml", "yml",
    "toml", "txt", "csv", "xml", "exe", "dll", "jar", "class", "java", "cpp", "hpp", "tex", "bib", "conf", "cfg",
    "ini", "log", "service", "socket", "target", "timer", "mount", "path", "slice", "scope", "device", "automount",
    "swap",
})  # fmt: skip


def spelled_email(found: Match) -> Span | None:
    """`name (at) place (dot) org`; the last label must be a common domain or a country."""
    if _TECHNICAL_USERS.fullmatch(found["local"]):
        return None
    labels = [label for label in _LABEL.finditer(found["domain"]) if label[0].lower() not in {"dot", "punkt"}]
    while len(labels) > 1 and not _likely_top(labels[-1][0].lower()):
        labels.pop()
    if len(labels) < 2:
        return None
    domain = ".".join(label[0] for label in labels).lower()
    end = found.start("domain") + labels[-1].end()
    return None if _RESERVED_DOMAINS.fullmatch(domain) else (found.start(), end)


_LABEL = re.compile(r"[\w-]+")


def _likely_top(label: str) -> bool:
    return label in COMMON_DOMAINS or label.startswith("xn--") or (len(label) == 2 and label not in _NO_COUNTRIES)
