import numpy as np
import pytest
import torch

from ser_pipeline.datasets.batch import BesideClips, FrameClips, MelClips, VectorClips
from ser_pipeline.datasets.rows import read_levels
from ser_pipeline.datasets.targets import JoinedClips, TrainingClips


class CountingStore:
    """Wraps a store and counts how often it is read."""

    def __init__(self, store):
        self.store, self.shape, self.shards, self.reads = store, store.shape, store.shards, []

    def read(self, positions):
        self.reads.append(len(positions))
        return self.store.read(positions)


@pytest.fixture
def clips(toy):
    data = toy.data()
    return CountingStore(data.store), data


def test_a_batch_is_what_the_store_holds(clips):
    store, data = clips
    batch = MelClips(store, data.positions, data.examples.target).__getitems__([5, 0, 7])
    values, frames, _ = data.store.read(data.positions[[5, 0, 7]])
    assert batch.inputs.dtype == torch.float32
    assert (batch.inputs.numpy() == values.astype(np.float32)).all()
    assert batch.lengths.tolist() == frames.tolist()
    assert batch.targets.tolist() == data.examples.target[[5, 0, 7]].tolist()
    assert batch.numbers.tolist() == [5, 0, 7]


def test_clips_that_fit_are_read_once(clips):
    store, data = clips
    kept = MelClips(store, data.positions, data.examples.target)
    assert sum(store.reads) == len(kept) == 120
    kept.__getitems__([1, 2])
    assert sum(store.reads) == 120


def test_clips_that_do_not_fit_are_read_a_batch_at_a_time_with_the_same_result(clips):
    store, data = clips
    shift = np.linspace(-0.3, 0.3, len(data.positions)).astype(np.float32)
    kept = MelClips(store, data.positions, data.examples.target, shift)
    store.reads.clear()
    read = MelClips(store, data.positions, data.examples.target, shift, memory_limit=1000)
    assert store.reads == []
    one, other = (clips.__getitems__([9, 100, 3]) for clips in (read, kept))
    assert store.reads == [3]
    assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


def test_reading_twice_shifts_once(clips):
    store, data = clips
    kept = MelClips(store, data.positions, data.examples.target, np.full(120, 0.25, np.float32))
    first, again = kept[4].inputs.clone(), kept[4].inputs
    assert torch.equal(first, again)
    plain = MelClips(store, data.positions, data.examples.target)[4]
    inside = slice(0, int(plain.lengths[0]))
    assert torch.allclose(first[..., inside], plain.inputs[..., inside] + 0.25)


def test_levels_are_the_stores(clips):
    store, data = clips
    levels = read_levels(store, data.positions)
    assert set(levels.tolist()) == {-20.0, -26.0}
    assert read_levels(store, data.positions[:0]).shape == (0,)


def test_only_clips_that_do_not_fit_are_shuffled_by_shards(clips):
    store, data = clips
    assert MelClips(store, data.positions, data.examples.target).shards is None
    read = MelClips(store, data.positions, data.examples.target, memory_limit=10 * 8 * 44 * 2)
    assert read.shards.tolist() == [0] * 120
    assert read.buffer == 10


class RaggedRows:
    """Rows of 1, 2, 3, ... steps of two layers, three wide; each number says where it lies."""

    shape = (2, 3)

    def __init__(self, count):
        self.frames = np.arange(1, count + 1, dtype=np.int16)
        self.shards = np.arange(count, dtype=np.int32) // 2
        self.reads = []

    def read(self, positions):
        frames = self.frames[positions].astype(np.int64)
        self.reads.append(len(frames))
        values = np.zeros((len(frames), frames.max(), 2, 3), np.float16)
        for place, (position, count) in enumerate(zip(positions, frames, strict=True)):
            values[place, :count] = 10 * position + np.arange(count)[:, None, None]
        return values, frames, np.zeros(len(frames), np.float32)


def test_clips_of_any_length_are_padded_to_the_longest_of_their_batch():
    store, positions = RaggedRows(6), np.array([5, 0, 3])
    kept = FrameClips(store, positions, np.array([1, 0, 1]))
    assert store.reads == [1, 1, 1]
    read = FrameClips(store, positions, np.array([1, 0, 1]), memory_limit=10)
    for clips in (kept, read):
        batch = clips.__getitems__([2, 1])
        assert batch.inputs.shape == (2, 4, 2, 3)
        assert batch.inputs.dtype == torch.float32
        assert batch.inputs[0, :, 0, 0].tolist() == [30, 31, 32, 33]
        assert batch.inputs[1, :, 1, 2].tolist() == [0, 0, 0, 0]
        assert batch.lengths.tolist() == [4, 1]
        assert batch.targets.tolist() == [1, 0]
        assert batch.numbers.tolist() == [2, 1]
    assert kept.shards is None
    assert read.shards.tolist() == [2, 0, 1]
    assert read.buffer == 1


def test_clips_of_several_sets_are_as_long_as_the_longest_of_a_batch():
    one = FrameClips(RaggedRows(6), np.array([5, 0, 3]), np.array([1, 0, 1]))
    other = FrameClips(RaggedRows(6), np.array([1, 2, 4]), np.array([0, 1, 0]))
    batch = JoinedClips([one, other]).__getitems__([4, 0, 1])
    assert batch.lengths.tolist() == [3, 6, 1]
    assert batch.inputs.shape == (3, 6, 2, 3)
    assert batch.inputs[0, :, 0, 0].tolist() == [20, 21, 22, 0, 0, 0]
    assert batch.inputs[1, :, 0, 0].tolist() == [50, 51, 52, 53, 54, 55]
    assert batch.targets.tolist() == [1, 1, 0]


def held_and_not(toy, kind, device):
    """The same clips twice, read from the store batch by batch: one of them is then held on a device."""
    if kind == "vectors":
        values = np.arange(24, dtype=np.float32).reshape(6, 4)
        both = [VectorClips(values, np.arange(6) % 2) for _ in range(2)]
    elif kind == "frames":
        positions = np.array([5, 0, 3, 1, 2, 4])
        both = [FrameClips(RaggedRows(6), positions, np.arange(6) % 2, memory_limit=0) for _ in range(2)]
    else:
        data = toy.data()
        shift = np.linspace(-0.3, 0.3, len(data.positions)).astype(np.float32)
        given = data.store, data.positions, data.examples.target, shift
        both = [MelClips(*given, memory_limit=0) for _ in range(2)]
    if kind == "joined":
        both = [JoinedClips([each, each]) for each in both]
    if kind == "beside":
        both = [BesideClips(each, np.eye(len(each), 3, dtype=np.float32)) for each in both]
    if kind == "carried":
        both = [TrainingClips(each, np.eye(len(each), 4, dtype=np.float32)) for each in both]
    both[0].hold(device)
    return both


KINDS = ("mels", "frames", "vectors", "joined", "beside", "carried")


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_clips_that_are_held_are_the_same_bit_for_bit(toy, kind):
    held, read = held_and_not(toy, kind, "cpu")
    assert held.shards is None
    assert held.nbytes == read.nbytes > 0
    for numbers in ([4, 0, 5], [1]):
        one, other = held.__getitems__(numbers), read.__getitems__(numbers)
        for made, expected in zip(one, other, strict=True):
            assert (made is None) == (expected is None)
            assert made is None or torch.equal(made, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_made_where_clips_are_held_and_their_lengths_are_known_at_once(toy, kind):
    held, _ = held_and_not(toy, kind, "meta")
    batch = held.__getitems__([4, 0, 5])
    for name, value in zip(batch._fields, batch, strict=True):
        assert value is None or value.device.type == ("cpu" if name in ("lengths", "numbers") else "meta")


def test_a_batch_moves_but_for_its_lengths(toy):
    data = toy.data()
    batch = MelClips(data.store, data.positions, data.examples.target).__getitems__([0, 1]).to("meta")
    inputs, lengths, beside = batch.given()
    assert (inputs.device.type, batch.targets.device.type, lengths.device.type) == ("meta", "meta", "cpu")
    assert beside is None


def test_what_is_held_takes_as_many_bytes_as_it_says(toy):
    data = toy.data()
    mels = MelClips(data.store, data.positions, data.examples.target, memory_limit=0)
    assert mels.nbytes == 120 * 8 * 44 * 2
    assert FrameClips(RaggedRows(6), np.arange(6), np.zeros(6, np.int64)).nbytes == 21 * 6 * 2
