"""Which of several stores of embeddings a model learns from."""

import h5py
import pytest

from ser_pipeline.errors import StoreCorrupt, StoreMissing
from ser_pipeline.options import EmbeddingOptions, WaveAugment
from ser_pipeline.store import store_folder
from ser_pipeline.store.embeddings import open_embeddings

OTHER = {"encoder": "other", "folder": "/gone/other", "weights": "0b" * 16}


def found(toy, **asked):
    return open_embeddings(toy.cache, EmbeddingOptions.model_validate(asked)).options


def test_the_only_encoder_need_not_be_named(toy):
    toy.write_embeddings()
    assert found(toy) == toy.embedding_options()


def test_one_of_several_is_found_by_name_folder_or_weights(toy):
    toy.write_embeddings()
    toy.write_embeddings(**OTHER)
    assert found(toy, encoder="toy").name == "toy"
    assert found(toy, encoder="/gone/other").name == "other"
    assert found(toy, encoder="", weights="0b" * 16).name == "other"
    with pytest.raises(
        StoreMissing, match=r"embeddings of (toy, other|other, toy); choose one with --encoder"
    ):
        found(toy)


def test_a_store_with_more_layers_than_asked_for_will_do_and_one_with_fewer_will_not(toy):
    toy.write_embeddings(layers=(2, 3), numbers=range(10))
    assert found(toy, layers=(3,)).layers == (2, 3)
    with pytest.raises(StoreMissing, match=r"holds toy layers=2,3, not layer 1; run 'ser cache embeddings"):
        found(toy, layers=(1, 2))
    with pytest.raises(
        StoreMissing, match=r"layers are 0 to 3; there is no layer 9, so name others with --l"
    ):
        found(toy, layers=(2, 9))
    toy.write_embeddings()
    assert found(toy, layers=(3,)).layers == (0, 1, 2, 3)  # it has more recordings


def test_commands_name_the_only_encoder_that_is_cached(toy):
    toy.write_embeddings(layers=(2, 3))
    held = r"run 'ser cache embeddings --encoder \S*toy "
    with pytest.raises(StoreMissing, match=rf"not layer 1; {held}--layers 1"):
        found(toy, layers=(1,))
    with pytest.raises(StoreMissing, match=rf"no frames of toy; {held}--layers 1 --frames"):
        found(toy, frames=True)
    toy.write_embeddings(**OTHER)
    with pytest.raises(StoreMissing, match=r"no frames; run 'ser cache embeddings --encoder whisper-base "):
        found(toy, frames=True)


def test_poolings_must_be_there(toy):
    toy.write_embeddings(pooling=("mean",))
    assert found(toy, pooling=("mean",)).pooling == ("mean",)
    with pytest.raises(StoreMissing, match="not every requested pooling; run 'ser cache embeddings"):
        found(toy, pooling=("mean", "max"))


def test_how_recordings_were_heard_counts_where_there_is_a_choice(toy):
    toy.write_embeddings(trim_db=40.0)
    assert found(toy).trim_db == 40
    toy.write_embeddings()
    assert found(toy).trim_db == 30
    assert found(toy, trim_db=40.0).trim_db == 40
    toy.write_embeddings(trim_db=20.0)
    with pytest.raises(StoreMissing, match="choose one with --encoder"):
        found(toy, trim_db=10.0)


def test_where_there_is_none_the_command_is_named(toy):
    with pytest.raises(
        StoreMissing, match=r"cache: no embeddings; run 'ser cache embeddings --encoder whisper-b"
    ):
        found(toy)
    toy.write_embeddings()
    told = "no embeddings of mine; there are those of toy; run 'ser cache embeddings --encoder mine"
    with pytest.raises(StoreMissing, match=told):
        found(toy, encoder="mine")
    told = "no variants of embeddings of toy with these changes; run 'ser cache embeddings --copies 3"
    with pytest.raises(StoreMissing, match=told):
        open_embeddings(toy.cache, EmbeddingOptions(encoder="toy"), WaveAugment(), copies=3)


def test_a_store_of_other_library_versions_is_said_to_be_outdated(toy, monkeypatch):
    from ser_pipeline.store import identity

    toy.write_embeddings()
    true = identity.version
    monkeypatch.setattr(identity, "version", lambda name: "99" if name == "transformers" else true(name))
    with pytest.raises(
        StoreMissing, match=r"outdated: libraries.transformers: .*, now 99; run 'ser cache embedd"
    ):
        found(toy)


def test_a_damaged_shard_is_said(toy):
    toy.write_embeddings(numbers=range(5))
    folder = store_folder(toy.cache, toy.embedding_options())
    (folder / "shard-00001.h5").write_bytes(b"no shard")
    with pytest.raises(StoreCorrupt, match=r"shard-00001\.h5: damaged"):
        found(toy)
    with h5py.File(folder / "shard-00000.h5") as shard:
        assert shard["embeddings"].shape == (5, 4, 3, 8)
