import io
import os

from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.audio.splice import Bytes, Spliced

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple), max_size=4)


@given(head=st.binary(max_size=10), data=st.binary(min_size=40, max_size=40), parts=spans, steps=st.data())
def test_it_reads_as_the_parts_put_together(head, data, parts, steps):
    expected = io.BytesIO(head + b"".join(data[start:stop] for start, stop in parts))
    file = Spliced(head, io.BytesIO(data), parts)
    for _ in range(6):
        place, count = steps.draw(st.integers(0, 60)), steps.draw(st.integers(-1, 30))
        assert file.seek(place) == expected.seek(place)
        assert file.read(count) == expected.read(count)
        expected.seek(place)
        file.seek(place)
        room, other = bytearray(max(0, count)), bytearray(max(0, count))
        assert file.readinto(memoryview(room)) == expected.readinto(other)
        assert (room, file.tell()) == (other, expected.tell())
    assert file.seek(0, os.SEEK_END) == expected.seek(0, os.SEEK_END)
    assert file.seek(-1000, os.SEEK_CUR) == 0


def test_bytes_are_read_in_blocks():
    class Counting(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            return super().read(size)

    file = Counting(bytes(range(200)) * 100)
    at = Bytes(file, 20_000)
    assert [at(place, 1)[0] for place in range(0, 20_000, 7)] == [
        place % 200 for place in range(0, 20_000, 7)
    ]
    assert file.reads == 4  # 2, 4, 8 and the rest of 16 KiB
    assert (at(-5, 3), at(20_000, 1), at(19_999, 9)) == (b"", b"", bytes([199]))
