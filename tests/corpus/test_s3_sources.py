from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from factory.corpus.readers import read_range
from factory.corpus.records import SourceRow
from factory.corpus.sources import list_sources, plan_ranges
from factory.errors import CorpusError
from factory.store.s3_client import client
from tests.corpus.shards import corpus, read, texts, write_jsonl, write_parquet

if TYPE_CHECKING:
    from tests.conftest import S3


def upload(s3: S3, root: str, files: dict[str, bytes]) -> None:
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    for name, data in files.items():
        client(s3.endpoint_url, s3.region).put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=data)


@pytest.fixture
def shards(s3: S3, tmp_path: Path) -> tuple[str, dict[str, bytes]]:
    """A prefix with one shard of each format, and their bytes."""
    rows = [{"text": text} for text in texts(120)]
    files = {
        "c/a.parquet": write_parquet(tmp_path / "a.parquet", {"text": texts(120)}).read_bytes(),
        "c/deep/b.jsonl": write_jsonl(tmp_path / "b.jsonl", rows).read_bytes(),
        "c/deep/d.jsonl.gz": write_jsonl(tmp_path / "d.jsonl.gz", rows).read_bytes(),
        "c/e e+é.jsonl.zst": write_jsonl(tmp_path / "e.jsonl.zst", rows).read_bytes(),
        "c/_temporary/x.jsonl": b'{"text": "unfinished"}\n',
        "cc/other.jsonl": b'{"text": "of another prefix"}\n',
    }
    root = s3.root()
    upload(s3, root, files)
    return root, files


def test_every_format_is_read_from_s3(shards: tuple[str, dict[str, bytes]]) -> None:
    root, files = shards
    config = corpus(f"{root}/c")
    sources = list_sources(config)
    assert [(file.name, file.size) for file in sources] == [
        (name, len(files[f"c/{path}"]))
        for name, path in [
            ("c/a.parquet", "a.parquet"),
            ("deep/b.jsonl", "deep/b.jsonl"),
            ("deep/d.jsonl.gz", "deep/d.jsonl.gz"),
            ("c/e e+é.jsonl.zst", "e e+é.jsonl.zst"),
        ]
    ]
    for range_ in plan_ranges(sources, config):
        reader = read_range(range_)
        assert [item.text for item in reader if isinstance(item, SourceRow)] == texts(120)
        assert reader.summary.sha256 == hashlib.sha256(files[range_.files[0].uri.removeprefix(f"{root}/")]).hexdigest()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("c/*.parquet", ["c/a.parquet"]),
        ("**/*.jsonl", ["other.jsonl", "b.jsonl", "x.jsonl"]),
        ("c/deep/[b].jsonl", ["b.jsonl"]),
        ("c*/*.jsonl", ["other.jsonl"]),
        ("c/deep/b.jsonl", ["b.jsonl"]),
        ("c/deep/", ["b.jsonl", "d.jsonl.gz"]),
    ],
)
def test_patterns_and_prefixes(shards: tuple[str, dict[str, bytes]], pattern: str, expected: list[str]) -> None:
    root, _ = shards
    found = {file.uri.rpartition("/")[2] for file in list_sources(corpus(f"{root}/{pattern}"))}
    assert found == {name.rpartition("/")[2] for name in expected}


def test_an_object_replaced_since_the_plan_is_refused(s3: S3, shards: tuple[str, dict[str, bytes]]) -> None:
    root, _ = shards
    config = corpus(f"{root}/c/deep/b.jsonl")
    ranges = plan_ranges(list_sources(config), config)
    upload(s3, root, {"c/deep/b.jsonl": b'{"text": "something else"}\n'})
    with pytest.raises(CorpusError, match="not the file that was planned"):
        read(*ranges)
    again = plan_ranges(list_sources(config), config)
    assert {range_.range_id for range_ in again}.isdisjoint(range_.range_id for range_ in ranges)
    client(s3.endpoint_url, s3.region).delete_object(
        Bucket=s3.bucket, Key=f"{root.removeprefix(f's3://{s3.bucket}/')}/c/deep/b.jsonl"
    )
    with pytest.raises(CorpusError, match="is gone"):
        read(*again)


def test_what_is_not_there_is_named(s3: S3) -> None:
    with pytest.raises(CorpusError, match="leads to no file"):
        list_sources(corpus(f"{s3.root()}/nothing"))
    with pytest.raises(CorpusError, match=r"NoSuchBucket[\s\S]*corpus\.paths"):
        list_sources(corpus("s3://no-such-bucket-here/x"))
    with pytest.raises(CorpusError, match="names no bucket"):
        list_sources(corpus("s3:///x"))
