from __future__ import annotations

import random

import numpy as np
import pytest
from datasketch import MinHash

from factory.curate.minhash import LshParameters, shingle_hash32, shingle_hashes, signatures, sketch_keys
from factory.curate.shingles import shingled
from factory.curate.words import U64, tokenise

RANDOM = random.Random(5)
VOCABULARY = ["".join(RANDOM.choices("abcdefghij", k=RANDOM.randint(2, 8))) for _ in range(500)]


def sentence(words: int) -> str:
    return " ".join(RANDOM.choices(VOCABULARY, k=words))


def keys_of(texts: list[str], parameters: LshParameters) -> U64:
    array, views = shingled(texts, parameters.shingling)
    return sketch_keys(array, views, parameters)[0]


TEXTS = [*(sentence(RANDOM.randint(1, 60)) for _ in range(60)), "", "one", "one two", "???", "a a a a a a"]


def test_signatures_are_those_of_datasketch() -> None:
    hashes, offsets = shingle_hashes(tokenise(TEXTS), 3)
    ours = signatures(hashes, offsets, 64)
    values = shingle_hash32(hashes)
    for index in range(len(TEXTS)):
        sketch = MinHash(num_perm=64, hashfunc=int)
        sketch.update_batch(values[offsets[index] : offsets[index + 1]].tolist())
        assert np.array_equal(sketch.hashvalues, ours[index])


def test_datasketch_reads_our_signatures_and_estimates_the_same_similarity() -> None:
    one = sentence(80).split()
    other = [*one[:70], *sentence(10).split()]
    hashes, offsets = shingle_hashes(tokenise([" ".join(one), " ".join(other)]), 3)
    first, second = (set(hashes[offsets[i] : offsets[i + 1]].tolist()) for i in (0, 1))
    true = len(first & second) / len(first | second)
    sketches = [MinHash(hashvalues=row, scheme="affine32") for row in signatures(hashes, offsets, 512)]
    assert sketches[0].jaccard(sketches[1]) == pytest.approx(true, abs=0.08)


def test_a_text_shorter_than_a_shingle_is_one_shingle() -> None:
    hashes, offsets = shingle_hashes(tokenise(["one two", "", "one two three", "one two!"]), 3)
    assert np.diff(offsets).tolist() == [1, 1, 1, 1]
    assert hashes[0] == hashes[3] != hashes[2]


@pytest.mark.parametrize(("permutations", "threshold"), [(128, 0.7), (64, 0.5), (256, 0.9), (16, 0.8), (128, 1.0)])
def test_bands_find_a_pair_at_the_threshold(permutations: int, threshold: float) -> None:
    parameters = LshParameters(3, permutations, threshold)
    assert parameters.bands * parameters.rows <= permutations
    assert parameters.found(threshold) >= 0.98


def test_measured_recall_of_bands_at_the_threshold() -> None:
    parameters = LshParameters(1, 128, 0.7)
    texts = []
    for _ in range(300):
        words = RANDOM.sample(VOCABULARY, 85)
        texts += [" ".join(words[:70]), " ".join(words[:62] + words[70:85])]  # Jaccard 62 / 85 = 0.73
    keys = keys_of(texts, parameters)
    met = (keys[0::2] == keys[1::2]).any(axis=1).mean()
    assert met >= 0.95


def test_number_changed_texts_share_no_key() -> None:
    question = "Janet has 16 ducks and sells the eggs of every duck for {} dollars each morning at the market"
    keys = keys_of([question.format(2), question.format(3)], LshParameters(3, 128, 0.7))
    assert not (keys[0] == keys[1]).any()


def test_no_texts_have_no_keys() -> None:
    assert keys_of([], LshParameters(3, 128, 0.7)).shape == (0, 25)
