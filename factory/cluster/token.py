"""The token that this process shows to a cluster, found as Ray finds it and never said.

Design: Ray itself answers a missing token with an exception, one that no header can carry with another, and some of
those quote it. Here each is an error of ours, which names the variable or the file that holds it and not what it holds.
"""

from __future__ import annotations

import os
from pathlib import Path

from factory.errors import ClusterError

RIGHT_ONE = (
    "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH, or the file ~/.ray/auth_token) to the head's; "
    "on the head: `ray get-auth-token`"
)


def token_headers() -> dict[str, str]:
    """What is sent with every question: nothing where RAY_AUTH_MODE is not `token`.

    Raises ClusterError where there is no token, or one that no header can carry.
    """
    from ray._private.authentication.http_token_authentication import get_auth_headers_if_auth_enabled
    from ray.exceptions import AuthenticationError

    try:
        headers = dict(get_auth_headers_if_auth_enabled({}))
    except AuthenticationError:
        raise _absent() from None
    except UnicodeError:
        raise _unusable() from None
    for value in headers.values():
        if not all(" " <= letter <= "~" for letter in value):
            raise _unusable()
    return headers


def _absent() -> ClusterError:
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if path and not os.environ.get("RAY_AUTH_TOKEN"):
        cause = f"RAY_AUTH_TOKEN_PATH={path}: there is no such file, it cannot be read, or it is empty"
    else:
        cause = "neither RAY_AUTH_TOKEN nor RAY_AUTH_TOKEN_PATH is set, and there is no file " + str(_default_file())
    return ClusterError("RAY_AUTH_MODE is `token`, and no token was found", cause=cause, remedy=RIGHT_ONE)


def _unusable() -> ClusterError:
    return ClusterError(
        f"the token in {_source()} cannot be sent: it holds a line break, or a character outside of ASCII",
        cause="more than the token was copied, or the file is another",
        remedy=RIGHT_ONE,
    )


def _source() -> str:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return f"the file {path} (RAY_AUTH_TOKEN_PATH)" if path else f"the file {_default_file()}"


def _default_file() -> Path:
    return Path("~/.ray/auth_token").expanduser()
