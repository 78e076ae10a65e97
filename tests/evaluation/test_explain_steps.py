from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_pipeline.datasets.batch import Batch, Clips
from ser_pipeline.encoders import located
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.explain_steps import (
    StepClips,
    Steps,
    explain_steps,
    mean_mel,
    pieces_of,
    replaced,
    write_moved,
)
from ser_pipeline.evaluation.explain_tables import check_part
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.models.finetune import FineTuned
from ser_pipeline.models.probe import Probe
from ser_pipeline.options import EmbeddingOptions, FrontEnd
from ser_pipeline.runs.internals import AttendedClip, read_attention, write_attention

EMOTIONS = ("anger", "neutral")
LENGTHS = (7, 12, 9, 30)


class Kept(Clips):
    """Clips of any lengths that lie in memory."""

    def __init__(self, clips):
        self.clips = clips

    def __len__(self):
        return len(self.clips)

    def __getitems__(self, indices):
        some = [self.clips[number] for number in indices]
        inputs = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
        lengths = torch.tensor([len(clip) for clip in some])
        return Batch(inputs, lengths, torch.zeros(len(some)), torch.tensor(indices))


@pytest.fixture
def heard(rng):
    """Clips whose emotion is in a unit of their second layer and first third alone, and such a probe."""
    torch.manual_seed(0)
    probe = Probe(2, 4, 2, attention=False, dropout=0.0).eval()
    with torch.no_grad():
        probe.layers.copy_(torch.tensor([0.0, 0.1]))
        probe.head[0].weight.zero_()
        probe.head[0].bias.zero_()
        probe.head[0].weight[1, 4] = 1.0  # the mean of the first unit of the second layer
    targets, clips = np.arange(40) % 2, []
    for number in range(40):
        count = LENGTHS[number % 4]
        clip = torch.from_numpy(0.01 * rng.standard_normal((count, 2, 4)).astype(np.float32))
        clip[: round(count / 3), 1, 0] = 8.0 * targets[number] - 4
        clips.append(clip)
    speakers = np.array([f"s{number // 10}" for number in range(40)])
    return StepClips(probe, (3, 5), Kept(clips), targets, speakers, "cpu")


def shares_of(heard, advance=lambda done, total: None):
    return explain_steps(heard, EMOTIONS, part="test", repeats=6, seed=0, advance=advance)


def test_layer_and_third_that_decide_have_all_of_the_share(heard):
    seen = []
    found = shares_of(heard, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 5)] * 5
    assert (found.uar.value, found.clips, found.speakers) == (1, 40, 4)
    layers, thirds = ({each.name: each for each in table.entries} for table in found.tables)
    assert [*layers] == ["layer 3", "layer 5"]
    assert [layers[name].share for name in layers] == [0, 1]
    assert layers["layer 5"].drop.value == pytest.approx(0.5, abs=0.15)
    assert layers["layer 5"].without == layers["layer 5"].drop.value or layers["layer 5"].without >= 0.3
    assert layers["layer 3"].drop.value == layers["layer 3"].without == 0
    assert [each.columns for each in layers.values()] == [4, 4]
    assert [each.weight for each in layers.values()] == pytest.approx(
        [1 / (1 + np.e), np.e / (1 + np.e)], abs=1e-5
    )
    assert [thirds[name].share for name in thirds] == [1, 0, 0]
    assert thirds["first third"].weight is None
    assert found.weighted


def test_a_part_without_clips_is_refused():
    with pytest.raises(RunError, match="part test: the run has no clips of it; valid are train, validation"):
        check_part("test", ["train", "validation"])


def test_a_piece_of_another_clip_is_stretched_to_its_place(heard):
    steps = Steps.of(heard)
    whole = pieces_of(heard)[1]  # all of layer 5
    order = np.roll(np.arange(40), 1)
    swapped = [*steps._swapped(whole, order.tolist())]
    for number, clip in enumerate(swapped):
        own, other = steps.states[number], steps.states[order[number]]
        assert clip.shape == own.shape
        assert torch.equal(clip[:, :4], own[:, :4])
        for step in (0, len(own) - 1):
            nearest = int((step + 0.5) * len(other) / len(own))
            assert torch.equal(clip[step, 4:], other[nearest, 4:])
    assert (steps.permuted(whole, order[None])[0] == heard.targets[order]).all()


def test_thirds_are_all_of_a_clip(heard):
    thirds = pieces_of(heard)[2:]
    mean = torch.zeros(8)
    for count in (1, 2, 7, 30):
        clip = torch.ones(count, 8)
        for piece in thirds:
            clip = replaced(clip, mean.expand(len(clip), -1), piece)
        assert not clip.any()


@pytest.mark.parametrize("how", [{"lora": 2}, {"unfreeze": 1}])
def test_the_training_of_a_layer_is_undone(make_encoder, rng, how):
    options, _ = located(EmbeddingOptions(encoder=str(make_encoder("whisper")), layers=(1, 2)))
    torch.manual_seed(0)
    network = FineTuned(options, 2, dropout=0.0, **how).eval()
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if ".layers.1." in name and weights.requires_grad and weights.ndim > 1:
                weights.add_(torch.randn(weights.shape))
    clips = [
        torch.from_numpy(0.1 * rng.standard_normal((frames, 1, 160)).astype(np.float32))
        for frames in (40, 31, 55, 47, 20, 62)
    ]
    heard = StepClips(network, (1, 2), Kept(clips), np.arange(6) % 2, np.array(["a", "b", "c"] * 2), "cpu")
    found = shares_of(heard)
    assert [table.kind for table in found.tables] == ["layer", "part of the clip", "training of a layer"]
    undone = {each.name: each for each in found.tables[2].entries}
    assert [*undone] == (["layer 1", "layer 2"] if "lora" in how else ["layer 2"])
    weights = [each for name, each in network.named_parameters() if ".layers.1." in name]
    assert undone["layer 2"].columns == sum(each.numel() for each in weights if each.requires_grad)
    assert "undone" in found.notes[-1]
    before = network.before_training(2)
    fresh = FineTuned(options, 2, dropout=0.0, **how).eval()
    waves = clips[0][None]
    with torch.inference_mode():
        one, other = (each.heard(waves, None)[0] for each in (before, fresh))
        torch.testing.assert_close(one, other)
        assert not torch.allclose(network.heard(waves, None)[0], other, atol=1e-3)


BANDS = 24
"""Of the planted cue's mels: two rows of patches."""


class Mels(Kept):
    """Mels of any lengths, padded as the store pads them."""

    def __getitems__(self, indices):
        some = [self.clips[number] for number in indices]
        inputs = torch.full((len(some), BANDS, 64), -1.0)
        for place, clip in zip(inputs, some, strict=True):
            place[:, : clip.shape[1]] = clip
        lengths = torch.tensor([clip.shape[1] for clip in some])
        return Batch(inputs, lengths, torch.zeros(len(some)), torch.tensor(indices))


def planted(rng, number):
    """Noise with a bright patch: for odd numbers in the upper bands, for even ones in the lower, anywhere."""
    frames = (40, 48, 56, 64)[number % 4]
    mel = torch.from_numpy(rng.normal(-0.5, 0.1, (BANDS, frames)).astype(np.float32))
    row, column = 12 * (number % 2), 8 * int(rng.integers(frames // 8))
    mel[row : row + 12, column : column + 8] += 1.0
    return mel, (number % 2, column // 8)


@pytest.fixture(scope="module")
def seeing():
    """A small network that was trained on planted cues, clips that it never saw, and where their cues are."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = CRNN(BANDS, 2, channels=(4, 8, 8), hidden=8, dropout=0.0)
    clips, places = zip(*(planted(rng, number) for number in range(48)), strict=True)
    learned = Mels(clips[:32])
    batch, targets = learned.__getitems__([*range(32)]), torch.arange(32) % 2
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(batch.inputs, batch.lengths), targets).backward()
        optimiser.step()
    front_end = FrontEnd(n_mels=BANDS)
    speakers = np.array([f"s{number % 4}" for number in range(16)])
    names = np.array([f"clip-{number}" for number in range(16)])
    heard = StepClips(
        network.eval(),
        (),
        Mels(clips[32:]),
        np.arange(16) % 2,
        speakers,
        "cpu",
        front_end,
        mean_mel(learned),
        names,
    )
    return heard, places[32:]


def test_the_map_points_at_the_planted_cue(seeing, tmp_path):
    heard, places = seeing
    steps = Steps.of(heard)
    assert (steps.decisions(steps.states) == heard.targets).all()
    mels = [clip.numpy() for clip in heard.clips.clips]
    kept = [
        AttendedClip(name, "test", number % 2, number % 2, 0.9, mel, np.ones(1, np.float32))
        for number, (name, mel) in enumerate(zip(heard.names.tolist(), mels, strict=True))
    ]
    write_attention(tmp_path, [*kept, replace(kept[0], utterance_id="of another part")])
    write_moved(tmp_path, heard)
    *found, other = read_attention(tmp_path)
    assert other.moved.size == 0
    assert [each.moved.shape for each in found[:4]] == [(2, 5), (2, 6), (2, 7), (2, 8)]
    seen = [np.unravel_index(int(each.moved.argmax()), each.moved.shape) for each in found]
    assert sum(tuple(map(int, one)) == place for one, place in zip(seen, places, strict=True)) == 16


def test_bands_and_thirds_of_mels_are_permuted(seeing):
    heard, _ = seeing
    found = shares_of(heard)
    bands, thirds = found.tables
    assert (bands.kind, thirds.kind) == ("band of frequencies", "part of the clip")
    assert [each.columns for each in bands.entries] == [4] * 6
    assert bands.entries[0].name == "133 to 532 Hz"
    assert not found.weighted
    assert max(each.drop.value for each in bands.entries) > 0
    assert [each.name for each in thirds.entries] == ["first third", "middle third", "last third"]


def test_a_network_without_mask_is_shown_the_padding_it_knows(seeing):
    heard, _ = seeing
    plain = CRNN(BANDS, 2, masked=False, channels=(4, 8, 8), hidden=8)
    assert {len(state) for state in Steps.of(replace(heard, network=plain)).states} == {64}
    assert {len(state) for state in Steps.of(heard).states} == {40, 48, 56, 64}


def test_a_run_that_keeps_no_attention_is_left_as_it_is(seeing, tmp_path):
    write_moved(tmp_path, seeing[0])
    assert [*tmp_path.iterdir()] == []
