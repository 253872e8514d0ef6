"""S3, or any server that speaks it, as an object store with conditional puts.

Design: first-writer-wins is `If-None-Match: *`, compare-and-swap `If-Match`. Every conditional put carries a
random writer token as user metadata; when a put is refused (412), one HEAD tells whether an earlier try of the
very same call had won and only its answer was lost. Calls are tried again with growing pauses until `patience_s`
is over, and counted here, not in botocore. Credentials never enter this object: botocore finds them in the
environment or the cloud's own chain.
Cost: one request a call (and one more per lost race); 1-2 ms of this process's CPU time each.
"""

from __future__ import annotations

import io
import logging
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from boto3.s3.transfer import TransferConfig, create_transfer_manager

from factory.errors import StoreError
from factory.store import retries, s3_client, s3_errors
from factory.store.base import AbsentObjectError, ObjectInfo
from factory.store.keys import check_key, check_prefix
from factory.store.s3_errors import Refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        HeadObjectOutputTypeDef,
        ListMultipartUploadsOutputTypeDef,
        ListObjectsV2OutputTypeDef,
    )

log = logging.getLogger(__name__)
T = TypeVar("T")

WRITER = "factory-writer"
"""User metadata with the token of the conditional put that wrote an object."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
PART_BYTES = 16 << 20
"""More than this goes in parts, so that a connection that breaks costs one part and not all of it: 10,000 parts of
16 MiB hold 160 GB, and boto3 makes them larger beyond."""

PARTS_AT_ONCE = 4


@dataclass(frozen=True)
class S3Store:
    """Objects below `prefix` in `bucket`. `endpoint_url` None means AWS (or AWS_ENDPOINT_URL)."""

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    region: str = "us-east-1"
    patience_s: float = 90.0
    """Seconds a call is tried again before TransientStoreError: three time-outs, and longer than S3 throttles."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", self.prefix.strip("/"))
        if self.prefix:
            check_key(self.prefix)

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    def get(self, key: str) -> bytes:
        return self.get_tagged(key)[0]

    def get_tagged(self, key: str) -> tuple[bytes, str]:
        name = self._name(key)

        def read(s3: S3Client) -> tuple[bytes, str]:
            answer = s3.get_object(Bucket=self.bucket, Key=name)
            return answer["Body"].read(), _stated(answer, "ETag", f"read {key}", self.uri)

        return _present(self._call(f"read {key}", read), key, self.uri)

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        if stop <= start:
            if self.head(key) is None:
                raise AbsentObjectError(key, self.uri)
            return b""
        name, span = self._name(key), f"bytes={start}-{stop - 1}"

        def read(s3: S3Client) -> bytes:
            return s3.get_object(Bucket=self.bucket, Key=name, Range=span)["Body"].read()

        answer = self._call(f"read {key}", read)
        return b"" if answer is Refusal.RANGE_PAST_END else _present(answer, key, self.uri)

    def head(self, key: str) -> ObjectInfo | None:
        found = self._head(key)
        if found is None:
            return None
        return self._info(key, found, "ContentLength", f"look at {key}")

    def put(self, key: str, data: bytes) -> None:
        name = self._name(key)
        if len(data) > PART_BYTES:
            self._upload(key, lambda: io.BytesIO(data))
        else:
            self._call(f"write {key}", lambda s3: s3.put_object(Bucket=self.bucket, Key=name, Body=data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._put_on_condition(key, data, {"IfNoneMatch": "*"})

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        return self._put_on_condition(key, data, {"IfMatch": etag})

    def put_file(self, key: str, path: str) -> None:
        def opened() -> BinaryIO:
            return Path(path).open("rb")

        self._upload(key, opened)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        below = self._below()
        start, token = below + check_prefix(prefix), ""
        while True:
            doing = f"list {start or 'everything'}"
            answer = self._page(start, token)
            for found in answer.get("Contents", ()):
                key = _stated(found, "Key", doing, self.uri).removeprefix(below)
                if not key.endswith("/"):  # markers that consoles leave to show a folder
                    yield self._info(key, found, "Size", doing)
            if not answer.get("IsTruncated"):
                return
            before, token = token, _stated(answer, "NextContinuationToken", doing, self.uri)
            if token == before:
                raise _no_s3(doing, self.uri, "the same page of the listing again and again")

    def delete(self, key: str) -> None:
        name = self._name(key)
        self._call(f"delete {key}", lambda s3: s3.delete_object(Bucket=self.bucket, Key=name))

    def clock(self) -> float:
        below = self._below()
        answer = self._expected(
            "ask the time", lambda s3: s3.list_objects_v2(Bucket=self.bucket, Prefix=below, MaxKeys=1)
        )
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, OverflowError):
            raise _no_s3("ask the time", self.uri, f"no date ({date[:40]!r})") from None

    def discard_unfinished(self, prefix: str, older_than_s: float) -> int:
        start = self._below() + check_prefix(prefix)
        before = self.clock() - older_than_s
        aborted = 0
        doing = "list unfinished uploads"
        markers: dict[str, str] = {}
        while True:
            answer = self._uploads(start, markers)
            for upload in answer.get("Uploads", ()):
                key, begun, upload_id = (
                    _stated(upload, name, doing, self.uri) for name in ("Key", "Initiated", "UploadId")
                )
                if begun.timestamp() <= before:
                    self._abort(key, upload_id)
                    aborted += 1
            if not answer.get("IsTruncated"):
                return aborted
            last = markers
            markers = {
                name: _stated(answer, f"Next{name}", doing, self.uri) for name in ("KeyMarker", "UploadIdMarker")
            }
            if markers == last:
                raise _no_s3(doing, self.uri, "the same page of the listing again and again")

    def _info(self, key: str, found: Mapping[str, Any], size: str, doing: str) -> ObjectInfo:
        length, etag, modified = (_stated(found, name, doing, self.uri) for name in (size, "ETag", "LastModified"))
        return ObjectInfo(key, length, etag, modified.timestamp())

    def _below(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _name(self, key: str) -> str:
        return check_key(self._below() + check_key(key))

    def _head(self, key: str) -> HeadObjectOutputTypeDef | None:
        name = self._name(key)
        answer = self._call(f"look at {key}", lambda s3: s3.head_object(Bucket=self.bucket, Key=name))
        return None if isinstance(answer, Refusal) else answer

    def _page(self, start: str, token: str) -> ListObjectsV2OutputTypeDef:
        more: Any = {"ContinuationToken": token} if token else {}
        return self._expected(
            f"list {start or 'everything'}", lambda s3: s3.list_objects_v2(Bucket=self.bucket, Prefix=start, **more)
        )

    def _uploads(self, start: str, markers: Mapping[str, str]) -> ListMultipartUploadsOutputTypeDef:
        more: Any = markers
        return self._expected(
            "list unfinished uploads",
            lambda s3: s3.list_multipart_uploads(Bucket=self.bucket, Prefix=start, **more),
        )

    def _abort(self, name: str, upload: str) -> None:
        self._call(
            f"abort an upload of {name}",
            lambda s3: s3.abort_multipart_upload(Bucket=self.bucket, Key=name, UploadId=upload),
        )

    def _upload(self, key: str, opened: Callable[[], BinaryIO]) -> None:
        """Sends a stream, opened anew for each try, in parts where it is long; each part is tried again by itself."""
        name = self._name(key)
        parts = TransferConfig(
            multipart_threshold=PART_BYTES + 1, multipart_chunksize=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )

        def upload(s3: S3Client) -> None:
            with opened() as stream, create_transfer_manager(s3, parts) as transfer:
                transfer.upload(stream, self.bucket, name).result()

        self._call(f"upload {key}", upload, tries=s3_client.PART_TRIES)

    def _put_on_condition(self, key: str, data: bytes, condition: Mapping[str, str]) -> bool:
        name, token, tries = self._name(key), secrets.token_hex(16), 0
        given: Any = condition

        def write(s3: S3Client) -> object:
            nonlocal tries
            tries += 1
            return s3.put_object(Bucket=self.bucket, Key=name, Body=data, Metadata={WRITER: token}, **given)

        answer = self._call(f"write {key}", write)
        if not isinstance(answer, Refusal):
            return True
        found = self._head(key)
        if found is None:
            return False
        metadata = {name.lower(): value for name, value in found.get("Metadata", {}).items()}
        if WRITER in metadata:
            return metadata[WRITER] == token
        # A store that drops user metadata: equal bytes after an unanswered try are most likely that try's.
        return tries > 1 and self._equals(key, data)

    def _equals(self, key: str, data: bytes) -> bool:
        try:
            return self.get(key) == data
        except KeyError:
            return False

    def _expected(self, doing: str, operation: Callable[[S3Client], T]) -> T:
        """The answer of a call that has no expected refusal."""
        answer = self._call(doing, operation)
        if isinstance(answer, Refusal):
            raise StoreError(
                f"cannot {doing} in {self.uri}: the server says {answer.value}",
                cause="the endpoint is no S3 server, or does not know this call",
                remedy="check store.endpoint_url",
            )
        return answer

    def _call(self, doing: str, operation: Callable[[S3Client], T], *, tries: int = 1) -> T | Refusal:
        """The answer, or an expected refusal. Tries again while that may help and patience lasts."""
        started, pause, refreshed = time.monotonic(), FIRST_PAUSE_S, False
        while True:
            client = None
            try:
                client = s3_client.client(self.endpoint_url, self.region, tries=tries)
                return operation(client)
            except s3_errors.RAISED as error:
                if isinstance(error, OSError) and not s3_errors.is_about_credentials(error):
                    raise
                refused = s3_errors.refusal(error)
                if refused is not None:
                    return refused
                if client is not None and not refreshed and s3_errors.code_of(error) in s3_errors.STALE_CREDENTIALS:
                    s3_client.forget(client)
                    refreshed = True
                    continue
                waited = time.monotonic() - started
                if not s3_errors.may_pass(error) or waited + pause > self.patience_s:
                    raise s3_errors.explain(error, doing, self.uri) from None
                level = logging.WARNING if waited > 2 else logging.INFO
                log.log(level, "cannot %s in %s (%s): trying again", doing, self.uri, s3_errors.code_of(error))
                retries.note()
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, LONGEST_PAUSE_S)


def _stated(answer: Mapping[str, Any], name: str, doing: str, uri: str) -> Any:
    """What S3 says in every such answer. Raises StoreError where a server left it out: as a KeyError it would be taken
    for an object that is absent."""
    if name not in answer:
        raise _no_s3(doing, uri, f"no {name}")
    return answer[name]


def _no_s3(doing: str, uri: str, said: str) -> StoreError:
    return StoreError(
        f"cannot {doing} in {uri}: the server's answer holds {said}",
        cause="the endpoint is no S3 server: a proxy, a login page, or another service at that address",
        remedy="check store.endpoint_url, or AWS_ENDPOINT_URL",
    )


def _present(answer: T | Refusal, key: str, uri: str) -> T:
    if isinstance(answer, Refusal):
        raise AbsentObjectError(key, uri)
    return answer
