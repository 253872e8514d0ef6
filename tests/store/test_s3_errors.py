from __future__ import annotations

import pickle

import pytest
from botocore.exceptions import ClientError

from factory.errors import StoreError, TransientStoreError
from factory.store.s3_errors import Refusal, explain, may_pass, refusal

SECRET = "FwoGZXIvYXdzEXAMPLETOKEN"


def answer(code: str, status: int) -> ClientError:
    """An answer as AWS words it: some quote the token or the key id in fields of their own."""
    error = {"Code": code, "Message": f"refused ({SECRET})", "Token-0": SECRET, "AWSAccessKeyId": SECRET}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ConditionalRequestConflict", 409),
        ("SlowDown", 503),
        ("InternalError", 500),
        ("502", 502),
        ("RequestTimeout", 400),
        ("TooManyRequests", 429),
        ("Unheard", 503),
    ],
)
def test_what_may_pass_is_tried_again(code: str, status: int) -> None:
    assert may_pass(answer(code, status))
    assert isinstance(explain(answer(code, status), "write a", "s3://b"), TransientStoreError)


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("AccessDenied", 403, "s3:PutObject|PutObject"),
        ("403", 403, "lack a permission"),
        ("NoSuchBucket", 404, "bucket does not exist"),
        ("InvalidAccessKeyId", 403, "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "secret key is wrong"),
        ("ExpiredToken", 400, "have expired"),
        ("PermanentRedirect", 301, "store.region"),
        ("RequestTimeTooSkewed", 403, "clock"),
        ("NotImplemented", 501, "conditional writes"),
        ("Unheard", 400, "the server refused"),
    ],
)
def test_what_will_not_pass_is_explained_without_quoting_the_answer(code: str, status: int, said: str) -> None:
    error = explain(answer(code, status), "write a", "s3://b/p")
    assert not isinstance(error, TransientStoreError)
    with pytest.raises(StoreError, match=said):
        raise error
    for shown in (str(error), repr(error), str(pickle.loads(pickle.dumps(error)))):
        assert SECRET not in shown
    assert "cannot write a in s3://b/p" in str(error)


def test_expected_refusals_are_told_apart() -> None:
    assert refusal(answer("NoSuchKey", 404)) is Refusal.ABSENT
    assert refusal(answer("404", 404)) is Refusal.ABSENT
    assert refusal(answer("PreconditionFailed", 412)) is Refusal.CONDITION_FAILED
    assert refusal(answer("InvalidRange", 416)) is Refusal.RANGE_PAST_END
    assert refusal(answer("NoSuchBucket", 404)) is None
    assert refusal(answer("AccessDenied", 403)) is None
