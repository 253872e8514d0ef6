"""A few bytes that stand for gigabytes: named as such, in bounded memory, whatever reads them."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from factory.corpus import streams
from factory.corpus.readers import read_range
from factory.corpus.records import SourceDamage, SourceRow
from factory.corpus.small_tables import rows_of
from tests.corpus.shards import range_over
from tests.runs import REPOSITORY

ROW = b'{"text": "before"}\n'


def zstd_bomb(blocks: int, byte: bytes = b"\n") -> bytes:
    """A frame of blocks that each repeat one byte 128 KiB times in 4 bytes (RFC 8878, section 3.1.1.2.2)."""
    header = struct.pack("<I", 0xFD2FB528) + bytes([0, 0x58])  # a window of 2 MiB
    block = struct.pack("<I", ((128 << 10) << 3) | (1 << 1))[:3] + byte
    last = struct.pack("<I", (1 << 3) | (1 << 1) | 1)[:3] + byte
    return header + block * blocks + last


def gzip_bomb(mebibytes: int) -> bytes:
    return gzip.compress(b"\n" * (mebibytes << 20), 9)


BOMBS = {"zst": lambda: zstandard.compress(ROW) + zstd_bomb(100), "gz": lambda: gzip.compress(ROW) + gzip_bomb(12)}


@pytest.mark.parametrize("suffix", ["zst", "gz"])
def test_a_bomb_gives_the_rows_before_it_and_its_own_reason(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BOMB_BYTES", 4 << 20)  # for the time of this test
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(BOMBS[suffix]())
    *rows, damage = list(read_range(range_over(path)))
    assert [row.text for row in rows if isinstance(row, SourceRow)] == ["before"]
    assert isinstance(damage, SourceDamage)
    assert damage.reason == "decompression_bomb"
    assert damage.evidence["decompressed_bytes"] > streams.BOMB_RATIO * damage.evidence["compressed_bytes"]


@pytest.mark.parametrize("suffix", ["zst", "gz"])
def test_a_table_that_is_a_bomb_cannot_be_read(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BOMB_BYTES", 4 << 20)
    with pytest.raises(ValueError, match="decompression_bomb"):
        rows_of(f"benchmark.jsonl.{suffix}", BOMBS[suffix](), "jsonl")
    assert rows_of("a.jsonl.zst", zstandard.compress(ROW), "jsonl") == [{"text": "before"}]


MEASURED = """
import sys
from pathlib import Path
from factory.corpus.readers import read_range
from tests.corpus.shards import range_over
from tests.memory import memory_mib
before = memory_mib("VmHWM")
reasons = [getattr(item, "reason", None) for item in read_range(range_over(Path(sys.argv[1])))]
print(reasons[-1], int(memory_mib("VmHWM") - before))
"""


def test_memory_stays_bounded_however_much_a_few_bytes_stand_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstd_bomb(9_000, b"x"))
    assert path.stat().st_size < 40_000  # for 1,125 MiB
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, cwd=REPOSITORY, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    reason, mebibytes = done.stdout.split()
    assert reason == "decompression_bomb"
    # One feed stands for 64 MiB, of which there may be two copies; 16 KiB of zstd stood for 512.
    assert int(mebibytes) < 350
