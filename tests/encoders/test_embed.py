"""Every family against transformers' own hidden states; Whisper against its padded windows too."""

import numpy as np
import pytest
import torch
import transformers

from ser_pipeline.encoders import located
from ser_pipeline.encoders.checkpoint import FAMILIES
from ser_pipeline.encoders.embed import Encoder, encoder_of
from ser_pipeline.errors import AudioError, EncoderError
from ser_pipeline.options import EmbeddingOptions

LENGTHS = (9_000, 3_333, 6_400, 9_100)


def options(folder, **changes):
    return located(EmbeddingOptions(encoder=str(folder), **changes))[0]


def waves(rng, lengths=LENGTHS):
    return [(0.1 * rng.standard_normal(length)).astype(np.float32) for length in lengths]


def of_transformers(folder, family, wave):
    """Hidden states as transformers gives them for one clip: a list of (steps, width)."""
    network = transformers.AutoModel.from_pretrained(folder).eval()
    if family == "whisper":
        network = network.encoder
        extract = transformers.WhisperFeatureExtractor(chunk_length=2)  # 100 positions of 20 ms
        inputs = extract(wave, sampling_rate=16_000, return_tensors="pt")["input_features"]
    elif family == "wav2vec2-bert":
        extract = transformers.SeamlessM4TFeatureExtractor()
        made = extract(wave, sampling_rate=16_000, return_tensors="pt")
        inputs = made["input_features"][:, : int(made["attention_mask"].sum())]
    else:
        extract = transformers.Wav2Vec2FeatureExtractor()
        inputs = extract(wave, sampling_rate=16_000, return_tensors="pt")["input_values"]
    with torch.inference_mode():
        return [states[0].numpy() for states in network(inputs, output_hidden_states=True).hidden_states]


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_those_of_transformers(make_encoder, rng, family):
    folder = make_encoder(family)
    (wave,) = waves(rng, [32_000 if family == "whisper" else 9_000])
    (made,) = Encoder(options(folder)).embed([wave])
    expected = of_transformers(folder, family, wave)
    assert made.values.shape == (4, 3, 32)
    assert made.values.dtype == np.float32
    assert made.steps == len(expected[0])
    for layer, states in enumerate(expected):
        pooled = np.stack([states.mean(0), states.std(0), states.max(0)])
        np.testing.assert_allclose(made.values[layer], pooled, atol=2e-5, err_msg=f"layer {layer}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_gives_the_same_numbers_in_any_batch(make_encoder, rng, family):
    folder = make_encoder(family)
    clips = waves(rng)
    alone = Encoder(options(folder)).embed(clips)
    together = Encoder(options(folder), batch_s=1_000).embed(clips)
    for one, other in zip(alone, together, strict=True):
        assert one.steps == other.steps
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)


def test_alone_a_clip_gives_the_same_bytes_whatever_is_beside_it(make_encoder, rng):
    encoder = Encoder(options(make_encoder("whisper")))
    clips = waves(rng)
    for clip, made in zip(clips, encoder.embed(clips), strict=True):
        (again,) = encoder.embed([clip])
        assert again.values.tobytes() == made.values.tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_frames_are_the_steps_that_are_pooled(make_encoder, rng, family):
    folder = make_encoder(family)
    clips = waves(rng)
    pooled = Encoder(options(folder, layers=(1, 3))).embed(clips)
    steps = Encoder(options(folder, layers=(1, 3), frames=True), batch_s=1_000).embed(clips)
    for whole, sequence in zip(pooled, steps, strict=True):
        assert sequence.values.dtype == np.float16
        assert sequence.values.shape == (whole.steps, 2, 32)
        states = sequence.values.astype(np.float32)
        np.testing.assert_allclose(states.mean(0), whole.values[:, 0], atol=2e-3)
        np.testing.assert_allclose(states.max(0), whole.values[:, 2], atol=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layers", [(0,), (0, 2), (1, 2)])
def test_nothing_is_built_above_the_last_layer_asked_for(make_encoder, rng, family, layers):
    folder = make_encoder(family)
    (wave,) = waves(rng, [9_000])
    (every,) = Encoder(options(folder)).embed([wave])
    encoder = Encoder(options(folder, layers=layers))
    (some,) = encoder.embed([wave])
    assert some.values.tobytes() == every.values[list(layers)].tobytes()
    network = encoder.network.network
    stack = network.layers if family == "whisper" else network.encoder.layers
    assert len(stack) == max(1, *layers)


def test_poolings_are_kept_in_their_own_order(make_encoder, rng):
    folder = make_encoder()
    (wave,) = waves(rng, [9_000])
    (whole,) = Encoder(options(folder)).embed([wave])
    (part,) = Encoder(options(folder, pooling=("max", "mean"))).embed([wave])
    assert part.values.tobytes() == whole.values[:, [0, 2]].tobytes()


@pytest.mark.parametrize("family", ["whisper", "wav2vec2"])
def test_long_clips_go_in_equal_windows_and_are_pooled_as_one(make_encoder, rng, monkeypatch, family):
    if family != "whisper":  # its position table is two seconds long by itself
        monkeypatch.setattr("ser_pipeline.encoders.network.WINDOW_S", 2.0)
    folder = make_encoder(family)
    (wave,) = waves(rng, [80_000])  # five seconds
    (pooled,) = Encoder(options(folder)).embed([wave])
    (steps,) = Encoder(options(folder, layers=(0, 1, 2, 3), frames=True)).embed([wave])
    assert pooled.steps == steps.steps == len(steps.values)
    halves = Encoder(options(folder)).embed(np.array_split(wave, 3))
    assert pooled.steps == sum(half.steps for half in halves)
    states = steps.values.astype(np.float32)
    np.testing.assert_allclose(states.std(0), pooled.values[:, 1], atol=2e-3)
    np.testing.assert_allclose(np.max([half.values[:, 2] for half in halves], 0), pooled.values[:, 2])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_shorter_than_a_step_is_an_error_of_its_own(make_encoder, rng, family):
    encoder = Encoder(options(make_encoder(family)))
    short, whole = encoder.embed(waves(rng, [60, 9_000]))
    assert isinstance(short, AudioError)
    assert "shorter than one step of the encoder" in str(short)
    assert whole.steps > 0


def test_a_clip_that_gives_no_finite_numbers_is_an_error_of_its_own(make_encoder, rng):
    encoder = Encoder(options(make_encoder("hubert")))
    loud, whole = encoder.embed([np.full(9_000, np.nan, np.float32), *waves(rng, [9_000])])
    assert isinstance(loud, AudioError)
    assert "is not finite" in str(loud)
    assert np.isfinite(whole.values).all()


def test_weights_that_changed_since_are_refused(make_encoder):
    folder = make_encoder("whisper")
    chosen = options(folder)
    make_encoder("whisper", seed=1)
    with pytest.raises(
        EncoderError, match=r"holds other weights \(\w{8}\) than the embeddings or the model were made with"
    ):
        Encoder(chosen)


def test_an_encoder_is_loaded_once_in_a_process(make_encoder):
    chosen = options(make_encoder())
    assert encoder_of(chosen) is encoder_of(chosen)


def test_lower_precision_moves_numbers_a_little(make_encoder, rng):
    folder = make_encoder("whisper")
    (wave,) = waves(rng, [9_000])
    (full,) = Encoder(options(folder)).embed([wave])
    (half,) = Encoder(options(folder, precision="bf16")).embed([wave])
    assert half.values.dtype == np.float32
    assert 0 < np.abs(full.values - half.values).max() < 0.1


def test_a_device_that_is_not_there_is_named(make_encoder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Exception, match="device 'cuda' is not there"):
        Encoder(options(make_encoder(), device="cuda"))


@pytest.mark.real
@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
def test_real_whisper_equals_transformers_on_a_whole_window(real_encoders, rng, name):
    folder = real_encoders / name
    wave = (0.05 * rng.standard_normal(480_000)).astype(np.float32)
    network = transformers.WhisperModel.from_pretrained(folder, dtype=torch.float32).encoder.eval()
    extract = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    inputs = extract(wave, sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.inference_mode():
        expected = network(inputs, output_hidden_states=True).hidden_states
    (made,) = Encoder(options(folder)).embed([wave])
    assert made.steps == 1_500
    for layer, states in enumerate(expected):
        np.testing.assert_allclose(made.values[layer, 0], states[0].mean(0), atol=1e-4)
        np.testing.assert_allclose(made.values[layer, 2], states[0].amax(0), rtol=1e-4, atol=1e-3)
