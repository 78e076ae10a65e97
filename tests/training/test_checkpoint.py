import json

import numpy as np
import pytest
import safetensors.torch
import torch

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.errors import RunError
from ser_pipeline.models.build import build_model
from ser_pipeline.options import FRONT_END_VERSION, FrontEnd, ModelOptions
from ser_pipeline.runs.card import ModelCard, write_card
from ser_pipeline.runs.types import CARD, WEIGHTS
from ser_pipeline.training.checkpoint import load_model, save_model

CARD_FOR_TWO = ModelCard(
    model=ModelOptions(attention=False, bidirectional=False),
    emotions=("anger", "sadness"),
    inputs=FrontEnd(n_mels=8, level="corpus_rms"),
    learned=Learned(gains_db={"emodb": 1.5, "*": 1.5}),
    store_fingerprint="f" * 16,
    synthetic=True,
    epoch=3,
    inputs_version=FRONT_END_VERSION,
)


@pytest.fixture
def saved(tmp_path):
    network = build_model(CARD_FOR_TWO.model, 8, 2)
    save_model(tmp_path, network, CARD_FOR_TWO)
    return tmp_path, network.eval()


def test_a_network_comes_back_as_it_was(saved):
    folder, network = saved
    again, card = load_model(folder)
    mels = torch.rand(2, 8, 40)
    assert not again.training
    assert torch.equal(again(mels, torch.tensor([40, 17])), network(mels, torch.tensor([40, 17])))
    assert card == CARD_FOR_TWO.model_copy(update={"weights_digest": card.weights_digest})


def test_the_files_are_plain_tensors_and_json(saved):
    folder, network = saved
    assert safetensors.torch.load_file(folder / WEIGHTS).keys() == network.state_dict().keys()
    card = json.loads((folder / CARD).read_text())
    assert (card["temperature"], card["abstain_below"]) == (None, None)
    assert card["emotions"] == ["anger", "sadness"]
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]


@pytest.mark.parametrize(
    ("version", "found"), [(FRONT_END_VERSION - 1, "version"), (None, "an earlier version")]
)
def test_a_network_of_an_earlier_front_end_is_refused(saved, version, found):
    folder, _ = saved
    write_card(folder, CARD_FOR_TWO.model_copy(update={"inputs_version": version}))
    with pytest.raises(RunError, match=f"inputs_version: trained on mels of {found}.*train it again"):
        load_model(folder)


def test_a_flipped_byte_is_found(saved):
    folder, _ = saved
    content = np.fromfile(folder / WEIGHTS, np.uint8)
    content[-5] ^= 1
    content.tofile(folder / WEIGHTS)
    with pytest.raises(RunError, match=r"model.safetensors: is not the file that model.json was written for"):
        load_model(folder)


def test_missing_files_are_named(saved):
    folder, _ = saved
    (folder / WEIGHTS).unlink()
    with pytest.raises(RunError, match=r"model.safetensors: not found; the run has no trained network"):
        load_model(folder)
    (folder / WEIGHTS).mkdir()
    with pytest.raises(RunError, match=r"model.safetensors: cannot be read \(Is a directory\)"):
        load_model(folder)
    (folder / CARD).unlink()
    with pytest.raises(RunError, match=r"model.json: not found"):
        load_model(folder)


def rewrite(folder, **changes):
    card = json.loads((folder / CARD).read_text()) | changes
    (folder / CARD).write_text(json.dumps(card))


def test_a_card_of_before_there_was_a_temperature_is_read(saved):
    folder, _ = saved
    card = json.loads((folder / CARD).read_text())
    old = {name: value for name, value in card.items() if name not in ("temperature", "abstain_below")}
    (folder / CARD).write_text(json.dumps(old | {"calibration": None}))
    assert load_model(folder)[1].temperature is None


def test_the_card_alone_can_be_written_again(saved):
    folder, _ = saved
    _, card = load_model(folder)
    weights = (folder / WEIGHTS).read_bytes()
    write_card(folder, card.model_copy(update={"temperature": 1.5}))
    assert load_model(folder)[1].temperature == 1.5
    assert (folder / WEIGHTS).read_bytes() == weights


def test_a_temperature_of_zero_is_refused(saved):
    folder, _ = saved
    rewrite(folder, temperature=0)
    with pytest.raises(RunError, match=r"model.json: temperature: Input should be greater than 0"):
        load_model(folder)


def test_weights_of_another_shape_are_refused(saved):
    folder, _ = saved
    rewrite(folder, emotions=["anger", "sadness", "fear"])
    with pytest.raises(RunError, match=r"does not fit model.json: .*; train it again"):
        load_model(folder)


def test_a_card_of_another_version_is_refused(saved):
    folder, _ = saved
    rewrite(folder, colour="blue")
    with pytest.raises(RunError, match=r"model.json: colour: .*written by another version"):
        load_model(folder)


def test_bytes_that_are_no_tensors_are_refused(saved):
    folder, _ = saved
    (folder / WEIGHTS).write_bytes(b"not tensors")
    import hashlib

    rewrite(folder, weights_digest=hashlib.blake2b(b"not tensors", digest_size=16).hexdigest())
    with pytest.raises(RunError, match=r"does not fit model.json"):
        load_model(folder)
