"""What an S3 server's or botocore's error means: try again, an expected refusal, or the user's to mend.

Design: decided by error code and HTTP status, never by message text, which differs between servers. Messages
carry code, operation and key only: some answers (SignatureDoesNotMatch, ExpiredToken) quote key ids or tokens.
"""

from __future__ import annotations

import os
from enum import Enum

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from factory.errors import StoreError, TransientStoreError

RAISED = (BotoCoreError, ClientError, ResponseParserError, HTTPError, RecursionError, ValueError, OSError)
"""All that a call may raise; urllib3's own come from answers that break off inside TLS. Where every answer is a 301,
botocore asks for the bucket's region, is redirected again, and so on until Python's stack ends. ValueError is what it
raises on times that are none (`Last-Modified: x`); OSError: the token by which a pod shows who it is cannot be read."""


class Refusal(Enum):
    """Answers that are part of normal work."""

    ABSENT = "absent"
    CONDITION_FAILED = "condition failed"
    RANGE_PAST_END = "range past end"


_REFUSALS = {
    "NoSuchKey": Refusal.ABSENT,
    "NotFound": Refusal.ABSENT,
    "404": Refusal.ABSENT,
    "PreconditionFailed": Refusal.CONDITION_FAILED,
    "412": Refusal.CONDITION_FAILED,
    "InvalidRange": Refusal.RANGE_PAST_END,
    "416": Refusal.RANGE_PAST_END,
}

_PASSING_CODES = {
    "ConditionalRequestConflict",  # 409: another conditional put of this key is under way
    "OperationAborted",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequests",
    "RequestTimeout",  # 400: the body came too slowly
    "BadDigest",  # the body was damaged on the way
    "IncompleteBody",
    "InternalError",
    "ServiceUnavailable",
}

STALE_CREDENTIALS = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "400"}
"""Worth one try with credentials read afresh: a profile or a mounted token may have been renewed meanwhile. "400": an
answer to HEAD has no body and so no code, and expired credentials are what S3 refuses a HEAD with 400 for."""

_CAUSES: dict[str, tuple[str, str]] = {
    "AccessDenied": (
        "these credentials lack a permission (S3 also says this of a missing object when s3:ListBucket is not granted)",
        "grant s3:GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload and "
        "ListBucketMultipartUploads on the bucket and prefix",
    ),
    "NoSuchBucket": ("the bucket does not exist there", "create it, or correct store.root and store.endpoint_url"),
    "InvalidBucketName": ("S3 allows no bucket of this name", "correct the bucket in store.root"),
    "InvalidAccessKeyId": (
        "the server does not know this access key; perhaps it belongs to another endpoint",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) for this endpoint",
    ),
    "SignatureDoesNotMatch": (
        "the secret key is wrong, or a proxy changed the request",
        "set AWS_SECRET_ACCESS_KEY to the secret of this access key",
    ),
    "RequestTimeTooSkewed": ("this machine's clock is off by more than 15 minutes", "set the clock (NTP)"),
    "NotImplemented": (
        "this store does not know a part of S3 that the factory needs (most often conditional writes)",
        "use a store with conditional writes (AWS S3, SeaweedFS, MinIO, Ceph from Squid on), or a local folder",
    ),
    "MethodNotAllowed": ("the endpoint is no S3 server, or a proxy filters it", "correct store.endpoint_url"),
    "QuotaExceeded": ("the bucket's quota is used up", "raise the quota; the same command goes on"),
    "EntityTooLarge": ("the object is larger than this store takes at once", "write smaller shards"),
}
_CAUSES["RecursionError"] = (
    "the server sends every request on to another region",
    "set store.region to the bucket's region, and check store.endpoint_url",
)
_CAUSES["ValueError"] = (
    "the endpoint is no S3 server: its answers hold times that are none, or its address is none",
    "check store.endpoint_url, or AWS_ENDPOINT_URL",
)
_CAUSES["403"] = _CAUSES["Forbidden"] = _CAUSES["AllAccessDisabled"] = _CAUSES["AccessDenied"]
_CAUSES["501"] = _CAUSES["NotImplemented"]
_EXPIRED = (
    "the temporary credentials have expired",
    "renew them (for example `aws sso login`, or a fresh AWS_SESSION_TOKEN) and run the same command again",
)
_REGION = ("the bucket lies in another region", "set store.region to the bucket's region")
_REGION_CODES = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_BUSY = (
    "the server or the way to it is down or overloaded",
    "run the same command again; what was committed is kept and not done again",
)
_NO_CREDENTIALS = (
    "no credentials were found in the environment, in ~/.aws or from the machine's role",
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; on a cluster give the pods a role",
)
_NO_TOKEN = (
    "this pod should show who it is by a token, and there is none: no identity is bound to its service account",
    "bind one to the service account of the pod (docs/kubernetes.md, Identity), or take AWS_ROLE_ARN and "
    "AWS_WEB_IDENTITY_TOKEN_FILE out of its environment",
)
_NO_ROLE = (
    "the role does not exist, or does not trust this pod's service account, namespace and cluster",
    "correct the role's trust policy, or the service account's annotation (docs/kubernetes.md, Identity)",
)
ROLE_CALLS = {"AssumeRoleWithWebIdentity", "AssumeRole"}
_CERTIFICATE = (
    "the endpoint's certificate is not trusted here",
    "set AWS_CA_BUNDLE to the file with your authority's certificate",
)

_PASSING_ERRORS = (
    HTTPError,
    ResponseParserError,  # an answer cut short
    botocore_errors.ConnectionError,
    botocore_errors.HTTPClientError,  # time-outs, streams that break off
    botocore_errors.IncompleteReadError,
    botocore_errors.ResponseStreamingError,
    botocore_errors.CredentialRetrievalError,  # the machine's metadata service did not answer
)
_CREDENTIAL_ERRORS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.NoAuthTokenError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.SSOTokenLoadError,
    botocore_errors.UnauthorizedSSOTokenError,
    botocore_errors.ProfileNotFound,
)


def code_of(error: Exception) -> str:
    """The S3 error code, or the name of botocore's exception."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__


def status_of(error: Exception) -> int:
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def refusal(error: Exception) -> Refusal | None:
    """The expected answer this error stands for, if it is one."""
    return _REFUSALS.get(code_of(error)) if isinstance(error, ClientError) else None


def may_pass(error: Exception) -> bool:
    """Whether the same call may go through later."""
    if isinstance(error, ClientError):
        status = status_of(error)
        return code_of(error) in _PASSING_CODES or status == 429 or (status >= 500 and status != 501)
    if isinstance(error, botocore_errors.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" not in str(error)
    return isinstance(error, _PASSING_ERRORS)


def _cause_of(error: Exception, code: str, status: int) -> tuple[str, str]:
    """Likely cause and remedy of an error that will not pass."""
    if isinstance(error, OSError):
        return _NO_TOKEN
    if _asked_for_role(error):
        return _NO_ROLE
    if code in STALE_CREDENTIALS:
        return _EXPIRED
    if code in _REGION_CODES:
        return _REGION
    if isinstance(error, _CREDENTIAL_ERRORS):
        return _NO_CREDENTIALS
    if isinstance(error, botocore_errors.SSLError):
        return _CERTIFICATE
    if isinstance(error, BotoCoreError):
        return "the S3 settings do not fit together", "check store.root, store.endpoint_url and ~/.aws/config"
    return _CAUSES.get(code) or _CAUSES.get(str(status)) or ("the server refused", "see the code above")


def is_about_credentials(error: OSError) -> bool:
    """Whether this is the file of a token that the environment names; any other is the caller's."""
    return error.filename is not None and error.filename in {os.environ.get(name) for name in TOKEN_FILES}


TOKEN_FILES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
"""Of EKS: IRSA and Pod Identity."""


def _asked_for_role(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.operation_name in ROLE_CALLS


def explain(error: Exception, doing: str, where: str) -> StoreError:
    """The error to raise when `doing` (a verb and a key) failed for good at `where`."""
    code, status = code_of(error), status_of(error)
    what = f"cannot {doing} in {where}: {code}" + (f" (HTTP {status})" if status else "")
    if _asked_for_role(error):
        what += ", asking for the pod's role"
    if may_pass(error):
        cause, remedy = _BUSY
        return TransientStoreError(what, cause=cause, remedy=remedy)
    cause, remedy = _cause_of(error, code, status)
    return StoreError(what, cause=cause, remedy=remedy)
