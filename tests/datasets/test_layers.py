import numpy as np
import pytest

from ser_pipeline.datasets.layers import LayerRows
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.options import EmbeddingOptions
from ser_pipeline.store.embeddings import narrowed, open_embeddings


def on_embeddings(toy, **changes):
    asked = changes.pop("embeddings", {})
    return toy.data(model={"name": "logreg"}, on="embeddings", embeddings=asked, **changes)


def test_layers_and_poolings_lie_side_by_side(toy):
    values = toy.write_embeddings()
    data = on_embeddings(toy, layers=(1, 3), embeddings_pooling=("mean", "max"))
    assert data.store.shape == (2 * 2 * 8,)
    assert data.store.names[8] == "layer1.max.0"
    order = [int(digest, 16) for digest in data.examples.column("audio_digest")]
    expected = values[order][:, [1, 3]][:, :, [0, 2]].reshape(len(order), -1)
    np.testing.assert_array_equal(data.vectors(np.arange(len(order))), expected)


def test_none_named_means_the_means_of_the_middle_layers_of_the_only_encoder(toy):
    toy.write_embeddings()
    data = on_embeddings(toy)
    assert data.recipe.embeddings == toy.embedding_options(layers=(1,), pooling=("mean",))
    assert data.store.names == tuple(f"layer1.mean.{unit}" for unit in range(8))


def test_all_means_every_layer(toy):
    toy.write_embeddings()
    data = on_embeddings(toy, layers="all", embeddings_pooling=("mean", "std", "max"))
    assert data.recipe.embeddings == toy.embedding_options()
    assert data.store.shape == (4 * 3 * 8,)
    assert data.store.kind == "embeddings"


def test_other_layers_of_the_same_clips_can_be_looked_at(toy):
    values = toy.write_embeddings()
    data = on_embeddings(toy).with_layers((2,))
    assert data.recipe.embeddings.layers == (2,)
    assert data.recipe.layers == (2,)
    order = [int(digest, 16) for digest in data.examples.column("audio_digest")]
    np.testing.assert_array_equal(
        data.vectors(np.arange(len(order))), values[order, 2, 0].reshape(len(order), -1)
    )
    with pytest.raises(RunError, match="holds mels, no layers to choose from"):
        toy.data().with_layers((2,))


def test_speakers_are_described_by_their_own_clips(toy):
    toy.write_embeddings()
    data = on_embeddings(toy, normalise="speaker", layers=(2,))
    vectors = data.vectors(data.rows("train"))
    speakers = data.examples.column("speaker_id")[data.rows("train")]
    for speaker in np.unique(speakers):
        np.testing.assert_allclose(vectors[speakers == speaker].mean(0), 0, atol=1e-6)


def test_relating_a_clip_to_itself_is_for_features():
    from ser_pipeline.options import recipe

    with pytest.raises(SettingsError, match="normalise relative is of features; embeddings take none, speak"):
        recipe(model={"name": "svm"}, on="embeddings", normalise="relative")


def test_rows_are_found_as_in_the_store(toy):
    toy.write_embeddings()
    store = open_embeddings(toy.cache, EmbeddingOptions())
    rows = LayerRows(store, narrowed(store, EmbeddingOptions(layers=(0,))))
    assert rows.rows([toy.digest(3), "f" * 32]).tolist() == [store.rows([toy.digest(3)])[0], -1]
    assert (rows.fingerprint, rows.folder, rows.options) == (store.fingerprint, store.folder, store.options)
