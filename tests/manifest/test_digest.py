import hashlib
import io

import pytest

from ser_pipeline.manifest.digest import CHUNK_BYTES, digest_bytes, digest_file, digest_stream


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
