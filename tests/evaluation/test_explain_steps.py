import numpy as np
import pytest
import torch

from ser_pipeline.datasets.batch import Batch, Clips
from ser_pipeline.encoders import located
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.explain_steps import StepClips, Steps, explain_steps, pieces_of, replaced
from ser_pipeline.evaluation.explain_tables import check_part
from ser_pipeline.models.finetune import FineTuned
from ser_pipeline.models.probe import Probe
from ser_pipeline.options import EmbeddingOptions

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
