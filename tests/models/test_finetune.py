import copy
import re

import numpy as np
import pytest
import torch

from ser_pipeline.encoders import located
from ser_pipeline.encoders.embed import Encoder
from ser_pipeline.errors import EncoderError, SettingsError
from ser_pipeline.models.finetune import FineTuned
from ser_pipeline.options import EmbeddingOptions

FAMILIES = ("whisper", "wavlm", "wav2vec2", "wav2vec2-bert", "hubert")


@pytest.fixture
def tuned(make_encoder):
    def make(family="whisper", *, layers=(1, 3), **changes):
        options, _ = located(EmbeddingOptions(encoder=str(make_encoder(family)), layers=layers))
        torch.manual_seed(0)
        return FineTuned(options, 4, dropout=0.0, **changes), options

    return make


def sounds(rng, *frames):
    """Noise of so many frames each, in one batch, with their lengths."""
    batch = np.full((len(frames), max(frames), 1, 160), 9, np.float32)
    for place, count in enumerate(frames):
        batch[place, :count] = 0.1 * rng.standard_normal((count, 1, 160))
    return torch.from_numpy(batch), torch.tensor(frames)


@pytest.mark.parametrize("family", FAMILIES)
def test_before_training_it_is_a_probe_on_the_encoders_own_steps(tuned, rng, family):
    network, options = tuned(family)
    network.eval()
    clips, lengths = sounds(rng, 40, 31, 260)  # the last one is longer than this Whisper sees at once
    encoder = Encoder(options.model_copy(update={"frames": True}))
    with torch.inference_mode():
        states, counts = network.steps(clips, lengths)
        for clip, frames in enumerate(lengths.tolist()):
            (expected,) = encoder.embed([clips[clip, :frames].flatten().numpy()])
            steps = torch.from_numpy(expected.values.astype(np.float32))
            assert counts[clip] == expected.steps
            alone, _ = super(FineTuned, network).steps(steps[None], None)
            torch.testing.assert_close(states[clip, : expected.steps], alone[0], rtol=1e-2, atol=1e-2)
            logits = network(clips[clip : clip + 1, :frames])
            torch.testing.assert_close(logits, network(clips, lengths)[clip : clip + 1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", [{"lora": 2}, {"unfreeze": 1}, {"unfreeze": 2, "checkpointing": True}])
def test_only_what_is_to_be_trained_moves_and_is_kept(tuned, rng, family, how):
    network, options = tuned(family, **how)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    clips, lengths = sounds(rng, 40, 31)
    optimizer = torch.optim.SGD([each for each in network.parameters() if each.requires_grad], 0.1)
    for _ in range(2):  # the first step moves but one of the two matrices of a correction
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network.train()(clips, lengths), torch.tensor([0, 1])).backward()
        optimizer.step()
    after = network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    within = {name for name in moved if name.startswith("encoder.")}
    layers = {int(re.search(r"layers\.(\d+)\.", name)[1]) for name in within}
    if "lora" in how:
        assert layers == {0, 1, 2}
        assert all(re.search(r"(q|v)(_proj)?\.parametrizations\.weight\.0\.", name) for name in within)
    else:
        assert layers == {3 - each for each in range(1, how["unfreeze"] + 1)}
    kept = network.fitted_state()
    assert moved <= kept.keys()
    frozen = sum(value.numel() for name, value in after.items() if name not in kept)
    assert frozen > sum(value.numel() for value in kept.values() if value.is_floating_point()) / 10
    again = FineTuned(options, 4, dropout=0.0, **how)
    again.load_fitted(kept)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(clips, lengths), network.eval()(clips, lengths))


def test_weights_of_other_layers_are_refused(tuned):
    one, options = tuned(lora=2)
    other = FineTuned(options, 4, unfreeze=1)
    with pytest.raises(RuntimeError, match="weights are of other layers than are trained here"):
        other.load_fitted(one.fitted_state())


@pytest.mark.parametrize("family", ["whisper", "wav2vec2", "wavlm"])
def test_computing_again_gives_the_same_gradient(tuned, rng, family):
    clips, lengths = sounds(rng, 40, 31)
    found = []
    for again in (False, True):
        network, _ = tuned(family, unfreeze=3, checkpointing=again)
        network(clips, lengths).square().sum().backward()
        found.append({name: each.grad for name, each in network.named_parameters() if each.requires_grad})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", [{"lora": 2}, {"unfreeze": 2, "checkpointing": True}])
def test_with_less_precision_it_learns_the_same(tuned, rng, family, how):
    clips, lengths = sounds(rng, 40, 31)
    targets, found = torch.tensor([0, 1]), []
    for autocast in (False, True):
        network, _ = tuned(family, **how)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = network.train()(clips, lengths)
            torch.nn.functional.cross_entropy(logits, targets).backward()
        gradients = [each.grad for each in network.parameters() if each.requires_grad]
        assert all(each is not None and torch.isfinite(each).all() for each in gradients)
        assert {each.dtype for each in gradients} == {torch.float32}
        found.append((logits.float(), torch.cat([each.flatten() for each in gradients])))
    (exact, gradient), (rounded, other) = found
    torch.testing.assert_close(rounded, exact, rtol=0.1, atol=0.05)
    assert not torch.equal(rounded, exact)
    assert torch.cosine_similarity(gradient, other, 0) > 0.95


def test_parts_are_the_head_and_each_layer_from_the_last_one_down(tuned):
    network, _ = tuned(unfreeze=2)
    parts = network.parts_by_depth()
    assert [above for above, _ in parts] == [None, 0, 1]
    assert {id(each) for each in parts[1][1]} == {id(each) for each in network.encoder.layers[2].parameters()}
    every = [each for _, some in parts for each in some]
    assert len(every) == sum(each.requires_grad for each in network.parameters())
    lora, _ = tuned(lora=2)
    assert [(above, len(some)) for above, some in lora.parts_by_depth()[1:]] == [(0, 4), (1, 4), (2, 4)]


@pytest.mark.parametrize("family", ["whisper", "wav2vec2"])
def test_a_copy_is_a_network_of_its_own(tuned, rng, family):
    network, _ = tuned(family)
    other = copy.deepcopy(network)
    clips, lengths = sounds(rng, 40, 31)
    with torch.inference_mode():
        torch.testing.assert_close(other.eval()(clips, lengths), network.eval()(clips, lengths))
        for each in other.encoder.parameters():
            each.mul_(2)
        assert not torch.equal(other(clips, lengths), network(clips, lengths))


def test_dropout_inside_the_encoder_stays_off(tuned):
    network, _ = tuned("wav2vec2")
    network.train()
    assert network.head.training
    assert not any(each.training for each in network.encoder.modules())


def test_what_cannot_be_trained_is_said(tuned, make_encoder):
    with pytest.raises(
        SettingsError, match="--unfreeze 3: of tiny-whisper layers 1 to 2 are used, so that at most 2"
    ):
        tuned(layers=(1, 2), unfreeze=3)
    with pytest.raises(SettingsError, match="--layers 0: is what goes into tiny-whisper"):
        tuned(layers=(0,))
    _, options = tuned()
    make_encoder("whisper", seed=1)
    with pytest.raises(EncoderError, match="holds other weights"):
        FineTuned(options, 4)
