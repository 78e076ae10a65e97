import pytest
import torch

from ser_pipeline.models.ragged import ROW_STEP, lay_out, pooled, put, take

LENGTHS = [
    [1],
    [2],
    [8, 8, 8],
    [173, 5, 1, 40, 41, 7],
    [3, 1, 1, 200],
    [173, 90, 200, 121, 7, 150, 160, 33, 1, 40],
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_every_valid_frame_has_its_own_row_and_clips_never_touch(lengths):
    for level in lay_out(torch.tensor(lengths), 200, 3).levels:
        rows = level.arrivals.tolist()
        assert len(rows) == len(set(rows)) == int(level.counts.sum())
        assert max(rows) < level.rows
        assert level.rows % ROW_STEP == 0
        assert level.rows % level.pieces == 0
        size = level.rows // level.pieces
        ends = [end for run in split_runs(rows) for end in (run[0] // size, (run[-1] + 1) // size)]
        assert ends[::2] == ends[1::2]  # each clip and the zero row after it lie in one piece
        runs = sum(b != a + 1 for a, b in zip(sorted(rows), sorted(rows)[1:], strict=False)) + 1
        assert runs == len(lengths)


def split_runs(rows):
    """Rows in ascending order, cut where one is left out."""
    runs = []
    for row in sorted(rows):
        if runs and runs[-1][-1] + 1 == row:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def test_short_strips_are_one_piece_and_long_ones_hardly_longer_than_their_clips(rng):
    assert [level.pieces for level in lay_out(torch.tensor([173, 100, 5]), 173, 3).levels] == [1, 1, 1]
    lengths = torch.from_numpy(rng.integers(40, 174, 40))
    for level in lay_out(lengths, 173, 3).levels:
        assert level.pieces > 5
        assert level.rows < 1.15 * int((level.counts + 1).sum())


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_pooling_sees_every_valid_frame_once_and_pairs_are_neighbours(lengths):
    for level in lay_out(torch.tensor(lengths), 200, 3).levels:
        leaving = level.leaving.tolist()
        assert sorted(leaving) == sorted(level.arrivals.tolist())
        first, second = leaving[: level.paired : 2], leaving[1 : level.paired : 2]
        assert [row + 1 for row in first] == second


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_steps_are_an_eighth_and_at_least_one(lengths):
    plan = lay_out(torch.tensor(lengths), 200, 3)
    assert plan.steps.tolist() == [max(1, length // 8) for length in lengths]
    assert len(set(plan.places.tolist())) == int(plan.steps.sum())


def test_lengths_outside_the_batch_are_brought_into_it():
    plan = lay_out(torch.tensor([0, 99]), 16, 1)
    assert plan.levels[0].counts.tolist() == [1, 16]


def test_taking_undoes_putting(rng):
    values = torch.from_numpy(rng.standard_normal((5, 2)))
    rows = torch.from_numpy(rng.permutation(9)[:5])
    strip = put(values, rows, 9)
    assert torch.equal(take(strip, rows), values)
    assert int((strip != 0).sum()) == values.numel()


def test_gradients_of_take_and_put_are_exact(rng):
    values = torch.from_numpy(rng.standard_normal((6, 2))).requires_grad_()
    rows = torch.tensor([4, 0, 5])
    assert torch.autograd.gradcheck(lambda x: take(x, rows), values)
    assert torch.autograd.gradgradcheck(lambda x: take(x, rows), values)
    assert torch.autograd.gradcheck(lambda x: put(x[:3], rows, 7), values)


@pytest.mark.parametrize("lengths", LENGTHS[:-1], ids=str)
def test_what_is_pooled_arrives_on_the_next_strip_clip_by_clip(lengths):
    plan = lay_out(torch.tensor(lengths), 200, 1)
    level = plan.levels[0]
    frames = [[100 * clip + frame for frame in range(length)] for clip, length in enumerate(lengths)]
    rows = torch.tensor([float(value) for clip in frames for value in clip])[:, None, None].expand(-1, 2, 1)
    strip = put(rows, level.arrivals, level.rows)
    halves = pooled(take(strip, level.leaving), level)
    after = put(halves, plan.after.arrivals, plan.after.rows)[:, 0, 0]
    expected = [clip[1::2] if len(clip) > 1 else clip for clip in frames]
    starts = torch.tensor([len(half) + 1 for half in expected]).cumsum(0).tolist()
    for half, end in zip(expected, starts, strict=True):
        assert after[end - 1 - len(half) : end - 1].tolist() == half
