import io
import os

from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.audio.memory_file import MemoryFile

moves = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 40)),
    st.tuples(st.just("readinto"), st.integers(0, 40)),
    st.tuples(st.sampled_from([os.SEEK_SET, os.SEEK_END]), st.integers(0, 50)),
)


def answer(file, move, count):
    if move == "read":
        return file.read(count)
    if move == "readinto":
        part = bytearray(count)
        return file.readinto(memoryview(part)), part
    return file.seek(count, move)


@given(data=st.binary(max_size=60), steps=st.lists(moves, max_size=12))
def test_answers_as_a_file_of_pythons_own(data, steps):
    own, expected = MemoryFile(memoryview(data)), io.BytesIO(data)
    for move, count in steps:
        assert answer(own, move, count) == answer(expected, move, count)
        assert own.tell() == expected.tell()


def test_no_place_lies_before_the_start():
    file = MemoryFile(memoryview(b"abc"))
    assert file.seek(-10, os.SEEK_END) == 0
    assert file.seek(-1, os.SEEK_CUR) == 0
