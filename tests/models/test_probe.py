import pytest
import torch

from ser_pipeline.models.probe import Probe


@pytest.fixture
def probe():
    torch.manual_seed(0)
    return Probe(3, 8, 4, dropout=0.0)


def test_padding_changes_no_decision_and_no_statistic(probe):
    clips, lengths = torch.randn(3, 9, 3, 8), torch.tensor([9, 5, 2])
    other = clips.clone()
    for clip, length in enumerate(lengths.tolist()):
        other[clip, length:] = 1e4
    one, padded = probe(clips, lengths), probe(other, lengths)
    assert torch.equal(one, padded)
    own = torch.cat([clip[:length] for clip, length in zip(clips, lengths, strict=True)])
    mean = probe.norm.running_mean.view(3, 8)
    torch.testing.assert_close(mean, (0.1 + 0.9 * 0.1) * own.mean(0))
    probe.eval()
    for clip, length in enumerate(lengths.tolist()):
        alone = probe(clips[clip : clip + 1, :length])
        torch.testing.assert_close(alone, probe(other, lengths)[clip : clip + 1], rtol=1e-4, atol=1e-5)


def test_layers_count_as_their_weights_say(probe):
    probe.eval()
    clips = torch.randn(2, 6, 3, 8)
    with torch.no_grad():
        probe.layers.copy_(torch.tensor([0.0, 5.0, 0.0]))
    changed = clips.clone()
    changed[:, :, [0, 2]] = torch.randn(2, 6, 2, 8)
    torch.testing.assert_close(probe(clips), probe(changed))
    assert not torch.allclose(probe(clips), probe(clips.flip(2) + 1))


def test_units_of_any_scale_count_alike(probe):
    clips = torch.randn(4, 6, 3, 8)
    scaled = clips * torch.linspace(1, 100, 8) + 60
    torch.testing.assert_close(probe(clips), probe(scaled), rtol=1e-3, atol=1e-3)


def test_a_single_step_in_training_has_no_statistics_of_its_own(probe):
    before = probe.norm.running_mean.clone()
    assert torch.isfinite(probe(torch.randn(1, 1, 3, 8), torch.tensor([1]))).all()
    assert torch.equal(probe.norm.running_mean, before)


def test_it_learns_which_layer_knows(probe):
    optimizer = torch.optim.Adam(probe.parameters(), 0.01)
    draws = torch.Generator().manual_seed(0)
    for _ in range(60):
        targets = torch.randint(4, (32,), generator=draws)
        clips = torch.randn(32, 5, 3, 8, generator=draws)
        clips[:, :, 1, :4] += 2 * torch.nn.functional.one_hot(targets, 4)[:, None]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(probe(clips), targets).backward()
        optimizer.step()
    assert probe.layers.argmax() == 1
    assert (probe(clips).argmax(1) == targets).float().mean() > 0.9


def test_layers_stay_side_by_side_and_are_standardised_over_clips(probe):
    clips = torch.randn(200, 4, 3, 8) + 3 * torch.randn(200, 1, 3, 8)
    for _ in range(2):
        pooled, weights = probe.summarise(clips)
    assert pooled.shape == (200, 3 * 8)
    assert weights.shape == (200, 4)
    torch.testing.assert_close(pooled.mean(0), torch.zeros(24), atol=1e-4, rtol=0)
    torch.testing.assert_close(pooled.std(0, correction=0), torch.ones(24), atol=2e-2, rtol=0)


def test_without_attention_all_steps_count_alike():
    probe = Probe(3, 8, 4, attention=False).eval()
    clips = torch.randn(2, 6, 3, 8)
    assert probe.summarise(clips)[1] is None
    torch.testing.assert_close(probe(clips), probe(clips.flip(1)))
