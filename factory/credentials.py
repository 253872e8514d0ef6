"""Credentials: refused where a configuration holds one, and blanked out of every word that leaves a process.

Design: two lines of defence. Configurations are repeated in run records, reports and manifests, so one that holds a
credential (a password or a signature in an address, a token among `engine.extra`, a value that the environment holds as
a secret) is refused before anything starts; the error names the key, never the value. And what a process says or
records (errors, notes, tracebacks) passes `blanked`, which knows the secrets of this process's environment, passwords
in addresses, values behind telling names, and the forms of common tokens. The second line is for what servers and
libraries quote; it cannot know a secret that looks like any other word.
Cost: some 90 microseconds a line.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from factory.errors import ConfigError
from factory.printable import printable

BLANK = "***"

SHORTEST = 8
"""Characters of a secret of the environment that is blanked: shorter ones are words, and no secrets."""

SHORTEST_REFUSED = 16
"""Characters of one that a configuration must not hold; a shorter one may stand in a path by chance."""

_VARIABLE = re.compile(
    r"(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|(?:^|_)TOKEN|(?:^|_)API_?KEY|_KEY|ACCESS_KEY_ID)$", re.IGNORECASE
)
"""Environment variables that hold secrets, by name: AWS_SECRET_ACCESS_KEY, HF_TOKEN, OPENAI_API_KEY, …"""

_USER_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s'\"]+@")
_SIGNED = re.compile(
    r"(?<=[?&])((?:X-Amz-(?:Signature|Security-Token|Credential)|Signature|sig|sign|token|access_token|api_?key|key|"
    r"password|secret)=)[^&\s'\"]+",
    re.IGNORECASE,
)
_NAME = re.compile(r"secret|password|passwd|credential|api_?key$|(^|_)token$", re.IGNORECASE)
_NAMED = re.compile(
    r"(?P<name>\b[\w.+-]{0,64}(?:secret|password|passwd|api[_-]?key|access[_-]key|(?<![a-z])token)"
    r"(?:_id|_key|_access_key)?['\"]?\s*[=:]\s*)(?P<quote>['\"]?)[^\s'\",;)}\]]+",
    re.IGNORECASE,
)
_FORMS = re.compile(
    r"\b(?:sk-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[\w-]{10,})"
    r"|(?<=\bBearer )[\w.~+/-]{8,}=*"
)


def blanked(text: str) -> str:
    """`text` with what is or looks like a credential replaced by `BLANK`."""
    for secret in _of_the_environment(SHORTEST):
        text = text.replace(secret, BLANK)
    text = _USER_IN_ADDRESS.sub(f"{BLANK}@", text)
    text = _SIGNED.sub(rf"\g<1>{BLANK}", text)
    text = _NAMED.sub(rf"\g<name>\g<quote>{BLANK}", text)
    return _FORMS.sub(BLANK, text)


def said(text: str) -> str:
    """`text` as it may be written to a terminal or a log: without credentials, and with nothing a terminal obeys."""
    return printable(blanked(text))


def without_credentials(value: Any) -> Any:
    """A configuration as it may be shown. It should hold none; those from before they were refused may."""
    if isinstance(value, dict):
        return {
            key: "(hidden)" if _NAME.search(str(key)) and item else without_credentials(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_credentials(item) for item in value]
    return _SIGNED.sub(rf"\g<1>{BLANK}", _USER_IN_ADDRESS.sub("…@", value)) if isinstance(value, str) else value


def is_secret_name(name: str) -> bool:
    """Whether an environment variable of that name holds a secret, as far as a name can tell."""
    return bool(_VARIABLE.search(name) or _NAME.search(name))


def holds_a_secret(data: bytes) -> bool:
    """Whether a file's content holds a secret of this process's environment, word for word."""
    return any(secret.encode() in data for secret in _of_the_environment(SHORTEST_REFUSED))


def refuse_credentials(values: Mapping[str, Any]) -> None:
    """Raises ConfigError for a configuration that holds a credential, by its key."""
    secrets = _of_the_environment(SHORTEST_REFUSED)
    for path, value in _texts(values):
        if "canaries" in path:  # planted to be looked for: they are secrets on purpose, and kept as hashes
            continue
        what = _held(path, value, secrets)
        if what:
            raise ConfigError(
                f"{'.'.join(path)} holds {what}",
                cause="configurations are kept with the run and shown in its report: whoever reads these would have it",
                remedy="take it out, and regard it as known to whoever saw this command. Credentials come from the "
                "environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), HF_TOKEN, and the variable "
                "that engine.api_key_env names",
            )


def print_blanked(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """For sys.excepthook: a stack as Python prints it, without credentials."""
    sys.stderr.write(said("".join(traceback.format_exception(kind, error, where))))


def _held(path: tuple[str, ...], value: str, secrets: list[str]) -> str:
    if _USER_IN_ADDRESS.search(value):
        return "a user name or password in an address"
    if _SIGNED.search(value):
        return "a signed address"
    if "extra" in path and value and _NAME.search(path[-1]):
        return "a credential, by its name"
    if any(secret in value for secret in secrets):
        return "a credential that this process's environment also holds"
    return ""


def _texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, str(number)))
    elif isinstance(value, str):
        yield path, value


def _of_the_environment(shortest: int) -> list[str]:
    """Longest first, so that a secret that holds another goes whole."""
    found = {value.strip() for name, value in os.environ.items() if _VARIABLE.search(name)}
    return sorted((value for value in found if len(value) >= shortest), key=len, reverse=True)
