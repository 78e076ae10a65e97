import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ser_pipeline
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.digest import (
    CHUNK_BYTES,
    Places,
    digest_bytes,
    digest_file,
    digest_stream,
    first_of_each,
    packed,
    packed_texts,
    source_digest,
    unpacked,
)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_file_and_bytes_agree_whatever_the_chunks(tmp_path, rng, size):
    data = rng.bytes(size)
    path = tmp_path / "a"
    path.write_bytes(data)
    assert digest_file(path) == digest_bytes(data) == hashlib.blake2b(data, digest_size=16).hexdigest()


def test_a_stream_is_digested_from_where_it_stands():
    stream = io.BytesIO(b"xyz")
    stream.seek(1)
    assert digest_stream(stream) == digest_bytes(b"yz")


def test_one_bit_makes_another_digest():
    assert digest_bytes(b"\x00") != digest_bytes(b"\x01")


def test_code_is_digested_with_its_version_and_its_names():
    content = (Path(ser_pipeline.__file__).parent / "labels.py").read_bytes()
    assert source_digest("labels.py") == digest_bytes(
        ser_pipeline.__version__.encode() + b"labels.py" + content
    )


FOLD = 0x9E3779B97F4A7C15
"""What the second number of a key is multiplied by, to fold it."""


def numbered(numbers):
    return packed_texts([f"{number:032x}" for number in numbers])


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 25)))
def test_keys_are_found_where_they_stand_first(held, wanted):
    expected = [held.index(number) if number in held else -1 for number in wanted]
    assert Places(numbered(held)).find(numbered(wanted)).tolist() == expected
    firsts = [held.index(number) == place for place, number in enumerate(held)]
    assert first_of_each(numbered(held)).tolist() == firsts


def test_of_very_many_equal_keys_the_first_counts():
    keys = numbered([3, *[7] * 1_000])
    assert Places(keys).find(keys[[1000]]).tolist() == [1]
    for held, firsts in ((keys, [0, 1]), (keys[:2], [0, 1])):
        assert first_of_each(held).dtype == np.bool_
        assert np.flatnonzero(first_of_each(held)).tolist() == firsts


def test_keys_that_fold_into_one_number_are_told_apart():
    keys = np.array([(2**64 - number * FOLD % 2**64, number) for number in (3, 1, 4, 1, 5)], np.uint64)
    assert not Places(keys).distinct
    assert Places(keys).find(keys[::-1]).tolist() == [4, 1, 2, 1, 0]
    assert Places(keys[:3]).find(keys).tolist() == [0, 1, 2, 1, -1]


def test_very_many_keys_are_looked_up_in_blocks(monkeypatch, rng):
    monkeypatch.setattr("ser_pipeline.manifest.digest._BLOCK", 7)
    digests = [rng.bytes(16).hex() for _ in range(50)]
    keys = packed([pa.array(digests[:20]), pa.array([], pa.string()), pa.array(digests).slice(20)])
    assert unpacked(keys).to_pylist() == digests
    order = rng.permutation(50)
    assert Places(keys).find(keys[order]).tolist() == order.tolist()


@pytest.mark.parametrize("digest", ["", "12", "g" * 32, "0" * 33, "é" * 16])
def test_a_text_of_another_form_is_no_digest(digest):
    for read in (packed_texts, lambda texts: packed([pa.array(texts)])):
        with pytest.raises(
            ManifestError, match="a digest is not 32 hexadecimal digits; run 'ser manifest build'"
        ):
            read(["0" * 32, digest])
