import inspect

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ser_pipeline.encoders import located
from ser_pipeline.errors import SettingsError
from ser_pipeline.models.build import build_model, model_class, parameter_count
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.models.mhsa import MHSA
from ser_pipeline.models.network import EmbeddingNetwork, one_clip
from ser_pipeline.models.resnet import ResNet
from ser_pipeline.options import MODELS, EmbeddingOptions, ModelOptions

LENGTHS = [173, 100, 57, 16, 9, 8, 5, 1]

SMALL = {
    "crnn": lambda **options: CRNN(16, 4, channels=(4, 6, 8), hidden=5, **options),
    "crnn-stats": lambda **options: CRNN(16, 4, channels=(4, 6, 8), hidden=5, pooling="stats", **options),
    "resnet": lambda **options: ResNet(16, 4, channels=(4, 6, 8), width=10, **options),
    "mhsa": lambda **options: MHSA(16, 4, channels=(4, 6, 8), width=16, heads=2, layers=2, **options),
}
NAMES = sorted(SMALL)


def random_network(name, **options):
    """A network whose layers and running statistics are all far from their start."""
    torch.manual_seed(0)
    network = SMALL[name](**options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.2, 1.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        elif isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -0.5, 0.5)
    return network


def clips(lengths=LENGTHS, frames=173, pad=-1.0):
    generator = torch.Generator().manual_seed(1)
    mels = torch.full((len(lengths), 16, frames), pad)
    for number, length in enumerate(lengths):
        mels[number, :, :length] = torch.rand(16, length, generator=generator) * 2 - 1
    return mels, torch.tensor(lengths)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("frames", "fill"), [(173, 7.0), (200, -1.0), (400, 0.0)])
def test_padding_changes_no_decision(name, frames, fill):
    network = random_network(name).eval()
    with torch.no_grad():
        expected = network(*clips())
        assert torch.allclose(network(*clips(frames=frames, pad=fill)), expected, atol=1e-5)
    assert expected.std(0).max() > 0.05  # the network tells these clips apart at all


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_mixed_lengths_equals_its_clips_one_by_one(name):
    network = random_network(name).eval()
    mels, lengths = clips()
    with torch.no_grad():
        together = network(mels, lengths)
        alone = [network(mels[i : i + 1, :, :n], lengths[i : i + 1]) for i, n in enumerate(LENGTHS)]
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_training_sees_no_padding_either(name):
    networks = [random_network(name, dropout=0.0).train() for _ in range(2)]
    outputs = [networks[0](*clips()), networks[1](*clips(frames=260, pad=3.0))]
    assert torch.allclose(*outputs, atol=1e-5)
    statistics = [dict(network.named_buffers()) for network in networks]
    for key, value in statistics[0].items():
        assert torch.allclose(value, statistics[1][key], atol=1e-5), key


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [8, 9, 100, 173])
def test_an_unpadded_clip_needs_no_mask(name, length):
    network = random_network(name).eval()
    mels, lengths = clips([length])
    with torch.no_grad():
        assert torch.allclose(network(mels[:, :, :length]), network(mels, lengths), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_without_mask_padding_counts(name):
    network = random_network(name, masked=False).eval()
    with torch.no_grad():
        mels, lengths = clips()
        assert torch.equal(network(mels, lengths), network(mels))
        assert not torch.allclose(network(clips(frames=400)[0]), network(mels), atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_heads_answer_to_the_embedding(name):
    network = random_network(name).eval()
    mels, lengths = clips()
    with torch.no_grad():
        embedding = network.embed(mels, lengths)
        assert embedding.shape == (len(LENGTHS), network.head[0].in_features)
        assert torch.equal(network.head(embedding), network(mels, lengths))
    assert embedding.std(0).max() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_without_attention_steps_count_alike(name):
    plain = SMALL[name](attention=False)
    assert plain.attention is None
    assert parameter_count(SMALL[name]()) - parameter_count(plain) > 64
    mels, lengths = clips([40, 16])
    assert plain.eval()(mels, lengths).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_steps_in_both_precisions_are_finite_and_close(name):
    network = random_network(name, dropout=0.0).train()
    expected = network(*clips()).detach()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(*clips())
    found.float().square().sum().backward()
    assert torch.allclose(found.float(), expected, atol=0.05 * float(expected.abs().max()) + 0.1)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_silent_clips_have_finite_gradients(name):
    network = random_network(name).train()
    network(torch.full((4, 16, 40), -1.0), torch.tensor([40, 40, 8, 3])).square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_toy_network_learns_eight_clips_by_heart(name):
    torch.manual_seed(0)
    network = SMALL[name](dropout=0.0)
    mels, lengths = clips([30, 22, 16, 8, 25, 14, 11, 30], frames=30)
    labels = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(120):
        loss = F.cross_entropy(network(mels, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network.eval()(mels, lengths).argmax(1) == labels).all()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_is_what_it_declares(name, make_encoder):
    declared, kind = MODELS[name], model_class(name)
    assert issubclass(kind, EmbeddingNetwork) == declared.by_epochs
    frames = declared.inputs == "frames"
    built_for = (2, 8) if frames else 16
    if declared.inputs == "waves":
        built_for, _ = located(EmbeddingOptions(encoder=str(make_encoder("whisper"))))
    network = build_model(ModelOptions(name=name), built_for, 3)
    assert isinstance(network, kind)
    if not declared.by_epochs:
        return
    arguments = inspect.signature(kind).parameters.values()
    read = [each.name for each in arguments if each.name in ModelOptions.model_fields]
    assert sorted(read) == sorted(declared.options)
    if declared.inputs == "waves":
        assert network.eval()(torch.rand(2, 20, 1, 160)).shape == (2, 3)
        return
    if declared.inputs == "features":
        assert declared.frames_per_step == 0
        assert network.eval()(torch.zeros(2, 16)).shape == (2, 3)
        return
    step = declared.frames_per_step
    lengths = torch.tensor([5 * step, 5 * step - 1])
    shape = (5 * step, 2, 8) if frames else (16, 5 * step)
    _, weights = network.eval().summarise(torch.rand(2, *shape), lengths)
    assert (weights > 0).sum(1).tolist() == (lengths // step).tolist()
    assert network(torch.rand(1, step, 2, 8) if frames else torch.rand(1, 16, step)).shape == (1, 3)
    if step > 1:
        with pytest.raises((RuntimeError, ValueError)):
            network(torch.rand(1, 16, step - 1))


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("crnn", {"pooling": "stats"}, 2_243_973),
        ("resnet", {}, 749_477),
        ("mhsa", {}, 704_389),
        ("cnn1d", {}, 1_156_996),
        ("dnn", {}, 98_436),
        ("probe", {}, 39_048),
    ],
)
def test_parameters_are_as_documented(name, options, count):
    inputs = {"mels": 96, "features": 253, "frames": (3, 512)}[MODELS[name].inputs]
    assert parameter_count(build_model(ModelOptions(name=name, **options), inputs, 4)) == count


@pytest.mark.parametrize("name", sorted(name for name in MODELS if MODELS[name].inputs == "mels"))
def test_options_reach_the_network(name):
    options = ModelOptions(name=name, masked=False, attention=False, dropout=0.12)
    network = build_model(options, 80, 6)
    assert (network.masked, network.attention, network.classes) == (False, None, 6)
    assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.12}
    assert network(torch.zeros(2, 80, 16)).shape == (2, 6)


def test_one_clip_without_its_padding_scores_as_with_a_mask():
    torch.manual_seed(0)
    network = build_model(ModelOptions(name="crnn"), 16, 4).eval()
    values = np.full((16, 40), -1, np.float32)
    values[:, :27] = np.random.default_rng(0).normal(size=(16, 27))
    inputs, lengths = one_clip(values, 27, ModelOptions())
    assert (inputs.shape, lengths) == ((1, 16, 27), None)
    with torch.inference_mode():
        expected = network(torch.from_numpy(values)[None], torch.tensor([27]))
        torch.testing.assert_close(network(inputs, lengths), expected, atol=1e-5, rtol=1e-5)
    for frames, masked in ((27, False), (5, True)):
        inputs, lengths = one_clip(values, frames, ModelOptions(masked=masked))
        assert (inputs.shape, lengths.tolist()) == ((1, 16, 40), [frames])
    assert one_clip(values[:, 0], 1, ModelOptions())[0].shape == (1, 16)


@pytest.mark.parametrize("name", ["crnn", "resnet", "mhsa", "dnn", "cnn1d"])
def test_every_network_can_have_the_head(name):
    torch.manual_seed(0)
    network = build_model(ModelOptions(name=name, dimensions=True), 16, 4).eval()
    inputs = torch.randn(3, 16) if name in ("dnn", "cnn1d") else torch.rand(3, 16, 40)
    lengths = torch.tensor([40, 20, 9])
    rated = network.rate(inputs, lengths)
    assert rated.shape == (3, 3)
    assert rated.abs().max() <= 1
    assert torch.equal(rated, network.dimensions(network.embed(inputs, lengths)))


def test_the_head_adds_its_own_parameters_alone():
    with_head, without = (build_model(ModelOptions(dimensions=on), 96, 4) for on in (True, False))
    assert parameter_count(with_head) - parameter_count(without) == 256 * 64 + 64 + 64 * 3 + 3
    assert parameter_count(without) == 2_227_589


def test_a_network_without_the_head_does_not_rate():
    assert build_model(ModelOptions(dimensions=True), 96, 4).rates
    assert not build_model(ModelOptions(), 96, 4).rates
    assert build_model(ModelOptions(name="svm", dimensions=True), 16, 4).rate(torch.zeros(1, 16)).shape == (
        1,
        3,
    )


@pytest.mark.parametrize("name", ["crnn", "resnet", "mhsa", "probe"])
def test_vectors_beside_a_sequence_join_what_is_pooled_of_it(name):
    built_for = (2, 6) if name == "probe" else 16
    network = build_model(ModelOptions(name=name), built_for, 4, n_beside=5).eval()
    inputs = torch.randn(3, 20, 2, 6) if name == "probe" else torch.randn(3, 16, 40)
    lengths, beside = torch.tensor([20, 12, 9]), torch.randn(3, 5)
    pooled, _ = network.summarise(inputs, lengths)
    joined = network.embed(inputs, lengths, beside)
    assert joined.shape == (3, network.width) == (3, pooled.shape[1] + 64)
    assert torch.equal(joined[:, : pooled.shape[1]], pooled)
    assert torch.equal(network(inputs, lengths, beside), network.head(joined))
    assert not torch.equal(network(inputs, lengths, beside), network(inputs, lengths, beside + 1))
    with pytest.raises(TypeError, match="was built for vectors beside its inputs"):
        network(inputs, lengths)
    alone = build_model(ModelOptions(name=name), built_for, 4).eval()
    with pytest.raises(TypeError, match="was built for no vectors beside its inputs"):
        alone(inputs, lengths, beside)


def test_dimensions_are_rated_from_mels_and_vectors_together():
    network = build_model(ModelOptions(name="crnn", dimensions=True), 16, 4, n_beside=5).eval()
    mels = torch.randn(2, 16, 40)
    rated = [network.rate(mels, None, torch.full((2, 5), value)) for value in (0.0, 1.0)]
    assert rated[0].shape == (2, 3)
    assert not torch.equal(*rated)


@pytest.mark.parametrize("name", ["dnn", "svm"])
def test_a_model_of_vectors_takes_none_beside_them(name):
    with pytest.raises(SettingsError, match=f"model '{name}' takes no vectors beside its inputs"):
        build_model(ModelOptions(name=name), 16, 4, n_beside=5)
