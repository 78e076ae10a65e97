import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ser_pipeline.encoders import located, read_checkpoint, weights_digest
from ser_pipeline.encoders.checkpoint import found_again, load_network
from ser_pipeline.errors import EncoderError, SettingsError
from ser_pipeline.options import EmbeddingOptions


def change(folder, name="config.json", **changes):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def load(folder, last=3):
    return load_network(read_checkpoint(folder), last)


def test_options_are_completed_by_what_the_encoder_is(make_encoder):
    folder = make_encoder("whisper", "mine")
    options, checkpoint = located(EmbeddingOptions(encoder=str(folder)))
    assert (options.encoder, options.folder) == ("mine", str(folder))
    assert (options.layers, options.width) == ((0, 1, 2, 3), 32)
    assert options.weights == weights_digest(checkpoint)
    assert located(EmbeddingOptions(encoder="mine", layers=(3, 1)), (folder.parent,))[0].layers == (1, 3)


def test_an_encoder_without_a_place_is_not_the_folder_that_one_works_in(make_encoder, monkeypatch):
    folder = make_encoder()
    monkeypatch.chdir(folder)  # as every folder for the hub, it holds a config.json
    found = found_again(EmbeddingOptions(encoder=folder.name, folder=""), [folder.parent])
    assert found.folder == str(folder)


def test_a_layer_it_does_not_have_is_named(make_encoder):
    with pytest.raises(SettingsError, match=r"layer 4: tiny-whisper has layers 0 .* to 3"):
        located(EmbeddingOptions(encoder=str(make_encoder("whisper")), layers=(4,)))


def test_it_is_fetched_only_when_it_is_not_here_and_only_when_asked(make_encoder, monkeypatch):
    folder = make_encoder()
    fetched = []

    def download(name):
        fetched.append(name)
        from ser_pipeline.encoders import Found

        return Found("fetched", folder)

    monkeypatch.setattr("ser_pipeline.encoders.checkpoint.download", download)
    located(EmbeddingOptions(encoder=str(folder)), fetch=True)
    assert fetched == []
    with pytest.raises(EncoderError, match="not on this machine"):
        located(EmbeddingOptions(encoder="someone/mine"))
    assert located(EmbeddingOptions(encoder="someone/mine"), fetch=True)[0].encoder == "fetched"
    assert fetched == ["someone/mine"]


def test_the_digest_covers_settings_and_weights(make_encoder):
    folder = make_encoder()
    digests = {weights_digest(read_checkpoint(folder))}
    change(folder, layer_norm_eps=1e-6)
    digests.add(weights_digest(read_checkpoint(folder)))
    change(folder, "preprocessor_config.json", do_normalize=False)
    digests.add(weights_digest(read_checkpoint(folder)))
    make_encoder(seed=1)
    digests.add(weights_digest(read_checkpoint(folder)))
    assert len(digests) == 4


def test_weights_in_several_parts_are_read_through_their_index(make_encoder):
    folder = make_encoder()
    whole = load(folder).state_dict()
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, keys in parts.items():
        save_file({key: weights[key] for key in keys}, folder / part, {"format": "pt"})
    index = {"weight_map": {key: part for part, keys in parts.items() for key in keys}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    again = load(folder).state_dict()
    assert all(torch.equal(again[name], value) for name, value in whole.items())
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"1 of 2 parts missing: model-00002-of-00002\.safetensors"):
        read_checkpoint(folder)
    for wrong in ({}, {"weight_map": {"a": "../else/model.safetensors"}}, {"weight_map": 3}):
        (folder / "model.safetensors.index.json").write_text(json.dumps(wrong))
        with pytest.raises(EncoderError, match="names no safetensors of this folder"):
            read_checkpoint(folder)


def test_weights_of_a_network_with_a_head_are_found_below_its_prefix(make_encoder):
    folder = make_encoder("wavlm")
    plain = load(folder).state_dict()
    weights = {f"wavlm.{key}": value for key, value in load_file(folder / "model.safetensors").items()}
    save_file(weights | {"lm_head.weight": torch.zeros(2)}, folder / "model.safetensors", {"format": "pt"})
    again = load(folder).state_dict()
    assert all(torch.equal(again[name], value) for name, value in plain.items())


def test_half_precision_weights_are_computed_with_in_full(make_encoder):
    folder = make_encoder("whisper")
    weights = {key: value.half() for key, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert {value.dtype for value in load(folder).state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("whole", [False, True])
def test_convolutions_are_computed_in_full_on_the_processor(make_encoder, whole):
    network = load(make_encoder("wavlm"))
    layers = [each for each in network.modules() if isinstance(each, torch.nn.Conv1d)]
    torch.manual_seed(0)
    waves = [torch.randn(2, each.in_channels, 40).bfloat16() for each in layers]
    network = network.to(torch.bfloat16) if whole else network
    exact = [
        torch.nn.functional.conv1d(
            wave.float(), each.weight.float(), None if each.bias is None else each.bias.float(), each.stride,
            each.padding, groups=each.groups,
        )
        for each, wave in zip(layers, waves, strict=True)
    ]  # fmt: skip
    with torch.autocast("cpu", torch.bfloat16, enabled=not whole):
        found = [each(wave if whole else wave.float()) for each, wave in zip(layers, waves, strict=True)]
    assert len(found) == 4
    assert all(torch.equal(one, other.bfloat16()) for one, other in zip(found, exact, strict=True))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_that_is_missing_is_named(make_encoder, name):
    folder = make_encoder()
    (folder / name).unlink()
    with pytest.raises(EncoderError, match=f"no {name}; an encoder's folder holds config.json"):
        read_checkpoint(folder)


def test_pickled_weights_are_never_loaded(make_encoder):
    folder = make_encoder()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"has pytorch_model\.bin but no model\.safetensors; pickled"):
        read_checkpoint(folder)


def test_another_architecture_is_refused(make_encoder):
    folder = make_encoder()
    change(folder, model_type="bert", auto_map={"AutoModel": "modeling.Evil"})
    with pytest.raises(EncoderError, match="is a 'bert', no speech encoder; valid are whisper, wavlm"):
        read_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_settings_that_are_no_settings_are_refused(make_encoder, text):
    folder = make_encoder()
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(EncoderError, match=r"config.json: (cannot be read|holds no settings)"):
        read_checkpoint(folder)


def test_settings_that_make_no_network_are_refused(make_encoder):
    folder = make_encoder()
    change(folder, num_attention_heads=5)
    with pytest.raises(EncoderError, match=r"tiny-wav2vec2: cannot be built from its config.json: .*5"):
        load(folder)
    change(folder, num_hidden_layers="many")
    with pytest.raises(
        EncoderError, match="num_hidden_layers: found 'many', a whole number above 0 is valid"
    ):
        read_checkpoint(folder)


def test_another_sample_rate_is_refused(make_encoder):
    folder = make_encoder()
    change(folder, "preprocessor_config.json", sampling_rate=8_000)
    with pytest.raises(EncoderError, match="wants 8000 Hz; encoders at 16000 Hz are valid"):
        read_checkpoint(folder)


@pytest.mark.parametrize("keep", [0.9, 0.1, 0.0])
def test_a_truncated_file_is_refused(make_encoder, keep):
    folder = make_encoder("whisper")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(EncoderError, match=r"model.safetensors: damaged: .*; get the file again"):
        load(folder)


@pytest.mark.parametrize("family", ["whisper", "hubert"])
def test_weights_of_another_size_than_the_settings_say_are_refused(make_encoder, family):
    folder = make_encoder(family)
    change(folder, **{"encoder_ffn_dim" if family == "whisper" else "intermediate_size": 48})
    with pytest.raises(
        EncoderError, match=r"9 weights are of another size than config.json says: .*layers\.0"
    ):
        load(folder)


def test_missing_weights_are_refused(make_encoder):
    folder = make_encoder("whisper")
    weights = load_file(folder / "model.safetensors")
    name = next(key for key in weights if key.endswith("encoder.layers.1.fc1.weight"))
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        EncoderError, match=r"1 weight is missing from its safetensors: layers\.1\.fc1\.weight"
    ):
        load(folder)
    load(folder, last=1)  # a layer that nobody asked for may be missing


def test_weights_that_are_not_finite_are_refused(make_encoder):
    folder = make_encoder("hubert")
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layers.2.final_layer_norm.bias"][3] = torch.inf
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        EncoderError, match=r"1 weight is not finite: encoder\.layers\.2\.final_layer_norm\.bias"
    ):
        load(folder)


def test_loading_touches_no_network(make_encoder, monkeypatch):
    import socket

    def refused(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    load(make_encoder("whisper"))
    load(make_encoder("wavlm"))


def test_without_the_extra_it_says_how_to_get_it(make_encoder, monkeypatch):
    import sys

    folder = make_encoder()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EncoderError, match=r"need transformers.*pip install 'ser-pipeline\[encoders\]'"):
        load(folder)
