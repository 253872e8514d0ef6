"""Where source files lie: finding them, and reading bytes of one version of them.

Design: local paths, `s3://` and `docstrings://` behind one function that reads bytes [start, stop). A file is
read only in the version that was planned: S3 is asked with `If-Match`, a local file must still have its size
and time of change, so a run never mixes two versions of a corpus. `docstrings://` names a file of the built-in
corpus without saying where a machine keeps it; each machine that reads makes its own copy.

Cost: one listing request a thousand S3 objects; one ranged GET a read.
"""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from factory.corpus.ranges import SourceFile
from factory.errors import CorpusError, TransientStoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

S3_SCHEME = "s3://"
DOCSTRINGS_SCHEME = "docstrings://"
_WILDCARD = re.compile(r"[*?\[]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")

LEFT_BY_WRITERS = {"_temporary", "_delta_log"}
"""Folders in which Spark and Delta keep unfinished files and their own log."""

BODY_TRIES = 8
"""Answers of S3 can break off in the middle, which botocore does not retry. Pauses double from 0.2 s: 25 s in all."""


@dataclass(frozen=True)
class Found:
    """A file that a path of the configuration led to. `base` is the folder its name is relative to;
    `direct` says the path named the file itself or matched it by a pattern, rather than a folder above it."""

    uri: str
    size: int
    etag: str
    base: str
    direct: bool


class SourceBytes(Protocol):
    """One version of one file."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, stop: int) -> bytes:
        """Bytes [start, stop), cut at the end of the file. Raises CorpusError when the file is gone or has
        changed, StoreError when the object store fails."""
        ...


def find(path: str) -> Iterator[Found]:
    """Files that a configured path means, in no promised order; none when nothing is there."""
    if path.startswith(S3_SCHEME):
        return _find_s3(path)
    if _SCHEME.match(path):
        raise CorpusError(
            f"corpus.paths: {path} has an unknown scheme",
            cause="sources are read from local folders and from S3",
            remedy="name a local path or s3://bucket/prefix (other clouds: through their S3 interface and "
            "AWS_ENDPOINT_URL)",
        )
    try:
        return _find_local(str(Path(path).expanduser().absolute()))
    except RuntimeError as error:  # "~name" of nobody
        raise _no_path(path, str(error)) from None


def open_source(file: SourceFile) -> SourceBytes:
    """The planned version of `file`. Raises CorpusError when this machine does not have it."""
    if file.uri.startswith(S3_SCHEME):
        bucket, _, key = file.uri.removeprefix(S3_SCHEME).partition("/")
        return S3Bytes(bucket, key, file.size, file.etag)
    if file.uri.startswith(DOCSTRINGS_SCHEME):
        from factory.corpus.docstrings import path_of

        path = path_of(file.uri, file.etag)
        return LocalBytes(str(path), path.stat().st_size, str(path.stat().st_mtime_ns))
    return LocalBytes(file.uri, file.size, file.etag)


def _find_local(path: str) -> Iterator[Found]:
    place = Path(path)
    try:
        place.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        # A permission is for what reads it to say; a name too long or with a zero byte is no path at all.
        if not isinstance(error, PermissionError | NotADirectoryError):
            raise _no_path(path, str(error)) from None
    if place.is_file():
        yield _local(place, str(place.parent), direct=True)
    elif place.is_dir():
        for file in _walk(place, set()):
            yield _local(file, path, direct=False)
    elif _WILDCARD.search(path):
        base = _WILDCARD.split(path, maxsplit=1)[0].rpartition("/")[0] or "/"
        for match in sorted(glob.glob(path, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
            if Path(match).is_file():
                yield _local(Path(match), base, direct=True)
            elif not path.endswith("**"):
                for file in _walk(Path(match), set()):
                    yield _local(file, base, direct=False)


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Files below `folder`, links followed, each folder once."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(str(folder), error) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:  # a link to where this user may not look
            raise _unreadable(entry.path, error) from error
        if is_folder:
            if entry.name not in LEFT_BY_WRITERS:
                yield from _walk(Path(entry.path), seen)
        elif is_file:
            yield Path(entry.path)


def _local(path: Path, base: str, *, direct: bool) -> Found:
    status = path.stat()
    return Found(str(path), status.st_size, str(status.st_mtime_ns), base, direct)


def _find_s3(path: str) -> Iterator[Found]:
    bucket, _, pattern = path.removeprefix(S3_SCHEME).partition("/")
    if not bucket:
        raise CorpusError(f"corpus.paths: {path} names no bucket", remedy="write s3://bucket/prefix")
    wildcard = _WILDCARD.search(pattern)
    prefix = pattern[: wildcard.start()] if wildcard else pattern.rstrip("/")
    matches = _matcher(path, pattern) if wildcard else None
    folder = f"{prefix}/" if prefix else ""
    base = f"{S3_SCHEME}{bucket}/" + (prefix.rpartition("/")[0] if wildcard else prefix)
    for key, size, etag in _list_s3(bucket, prefix):
        uri = f"{S3_SCHEME}{bucket}/{key}"
        if matches is not None:
            if matches.fullmatch(key):
                yield Found(uri, size, etag, base.rstrip("/"), direct=True)
        elif key == prefix:
            yield Found(uri, size, etag, uri.rpartition("/")[0], direct=True)
        elif key.startswith(folder):
            parts = key.removeprefix(folder).split("/")
            if not any(part.startswith(".") for part in parts) and not LEFT_BY_WRITERS.intersection(parts[:-1]):
                yield Found(uri, size, etag, base.rstrip("/"), direct=False)


def _matcher(path: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(_glob_expression(pattern))
    except re.error as error:
        raise _no_path(path, f"its pattern is none ({error.msg})") from None


def _no_path(path: str, why: str) -> CorpusError:
    shown = path.encode(errors="backslashreplace").decode()
    return CorpusError(
        f"corpus.paths: {shown[:200]} is no path: {why}"[:500],
        cause="a slip in the name or in its pattern",
        remedy="name a file, a folder, or a pattern with *, ?, [a-z] and **",
    )


def _glob_expression(pattern: str) -> str:
    """A regular expression with the meaning of local globs: `*` and `?` stop at "/", `**` is any folders."""
    *folders, last = pattern.split("/")
    parts = ["(?:[^/]+/)*" if part == "**" else _segment_expression(part) + "/" for part in folders]
    return "".join(parts) + (".+" if last == "**" else _segment_expression(last))


def _segment_expression(segment: str) -> str:
    parts = []
    for token in re.findall(r"\[!?\]?[^\]]*\]|.", segment, flags=re.DOTALL):
        if token == "*":
            parts.append("[^/]*")
        elif token == "?":
            parts.append("[^/]")
        elif len(token) > 1:
            # What would begin a nested set or a set operation stands for itself.
            inner = re.sub(r"([\\\[\]&~|])", r"\\\1", token[1:-1])
            parts.append(f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]")
        else:
            parts.append(re.escape(token))
    return "".join(parts)


def _list_s3(bucket: str, prefix: str) -> Iterator[tuple[str, int, str]]:
    from factory.store import s3_errors

    try:
        pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):  # markers that consoles leave to show a folder
                    yield item["Key"], item["Size"], item["ETag"].strip('"')
    except s3_errors.RAISED as error:
        raise _s3_failure(error, f"list {prefix or 'everything'}", bucket) from None


@dataclass(frozen=True)
class LocalBytes:
    path: str
    size: int
    etag: str

    def read(self, start: int, stop: int) -> bytes:
        try:
            with Path(self.path).open("rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if (status.st_size, str(status.st_mtime_ns)) != (self.size, self.etag):
                    raise changed(self.path)
                parts, at, stop = [], start, min(stop, self.size)
                while at < stop:
                    part = os.pread(file.fileno(), stop - at, at)
                    if not part:
                        raise changed(self.path)
                    parts.append(part)
                    at += len(part)
                return parts[0] if len(parts) == 1 else b"".join(parts)
        except OSError as error:
            raise _unreadable(self.path, error) from error


@dataclass(frozen=True)
class S3Bytes:
    bucket: str
    key: str
    size: int
    etag: str

    def read(self, start: int, stop: int) -> bytes:
        from factory.store import s3_errors

        stop = min(stop, self.size)
        if stop <= start:
            return b""
        pause = 0.2
        for tries_left in reversed(range(BODY_TRIES)):
            try:
                answer = _s3().get_object(
                    Bucket=self.bucket, Key=self.key, IfMatch=f'"{self.etag}"', Range=f"bytes={start}-{stop - 1}"
                )
                body = answer["Body"].read()
                if len(body) == stop - start:
                    return body
                failure: Exception = TransientStoreError(f"an answer about {self.key} broke off")
            except s3_errors.RAISED as error:
                refused = s3_errors.refusal(error)
                if refused is not None:
                    gone = refused is s3_errors.Refusal.ABSENT
                    uri = f"{S3_SCHEME}{self.bucket}/{self.key}"
                    raise (missing(uri) if gone else changed(uri)) from None
                failure = _s3_failure(error, f"read {self.key}", self.bucket)
                if not s3_errors.may_pass(error):
                    raise failure from None
            if tries_left:
                time.sleep(pause)
                pause *= 2
        raise failure


def _s3() -> S3Client:
    from factory.store.s3_client import PART_TRIES, client

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return client(None, region, tries=PART_TRIES)


def _s3_failure(error: Exception, doing: str, bucket: str) -> Exception:
    from factory.store.s3_errors import explain, may_pass

    found = explain(error, doing, f"{S3_SCHEME}{bucket}")
    if may_pass(error):
        return found
    remedy = found.remedy.replace("store.root and store.endpoint_url", "corpus.paths and AWS_ENDPOINT_URL")
    remedy = remedy.replace("store.root", "corpus.paths").replace("store.endpoint_url", "AWS_ENDPOINT_URL")
    return CorpusError(found.what, cause=found.cause, remedy=remedy.replace("store.region", "AWS_REGION"))


def changed(uri: str) -> CorpusError:
    return CorpusError(
        f"{uri} is not the file that was planned",
        cause="it was written to since this run began",
        remedy="run the same command again when nobody writes there: what has not changed is not read again",
    )


def missing(uri: str) -> CorpusError:
    return CorpusError(
        f"{uri} is gone",
        cause="it was removed since this run began, or lies on a disk that only another machine sees",
        remedy="put it back, or sources where every worker reaches them, and run the same command again",
    )


def _unreadable(path: str, error: OSError) -> CorpusError:
    if isinstance(error, FileNotFoundError):
        return missing(path)
    return CorpusError(
        f"{path} cannot be read: {error.strerror or error}",
        cause="its permissions keep this user out" if isinstance(error, PermissionError) else "the disk failed",
        remedy="grant read permission, or take it out of corpus.paths",
    )
