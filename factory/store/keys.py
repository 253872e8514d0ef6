"""Which names an object may have, so that every store can hold it and none can be led outside its root."""

from __future__ import annotations

from factory.errors import StoreError

HIDDEN = ".~"
"""Segments that start so belong to a store itself (temporary files, locks): never listed, never writable."""

MAX_KEY_BYTES = 1024
"""S3's limit on a key, prefix included."""

MAX_SEGMENT_BYTES = 255
"""The limit of ext4, xfs and most others on one file name."""


def check_key(key: str) -> str:
    """`key` itself, or StoreError when some store could not hold it or it would leave the root."""
    fault = _fault(key)
    if fault:
        raise StoreError(
            f"{key!r} cannot name an object: {fault}",
            cause="a key built from text that was never meant as one, or a manifest somebody edited",
            remedy="use relative keys of '/'-separated plain names, like steps/extract-3f9c/plan.json",
        )
    return key


def _fault(key: str) -> str:
    if not key:
        return "it is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in key):
        return "it holds a control character"
    try:
        if len(key.encode()) > MAX_KEY_BYTES:
            return f"it is longer than {MAX_KEY_BYTES} bytes"
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            return f"it holds the segment {segment!r}"
        if segment.startswith(HIDDEN):
            return f"names that start with {HIDDEN!r} are the store's own"
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            return f"a segment of it is longer than {MAX_SEGMENT_BYTES} bytes"
    return ""


def check_prefix(prefix: str) -> str:
    """`prefix` itself, or StoreError when it would leave the root; it may end in the middle of a name."""
    whole_segments = prefix.rpartition("/")[0]
    if whole_segments:
        check_key(whole_segments)
    if prefix.startswith("/") or prefix.rpartition("/")[2] in (".", ".."):
        check_key(prefix)
    return prefix
