import shutil

import numpy as np
import pytest

from ser_pipeline.datasets.layers import LayerRows, SideBySide
from ser_pipeline.errors import RunError, SettingsError, StoreError, StoreMissing
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
    with pytest.raises(RunError, match="holds mels, not layers to choose from"):
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

    with pytest.raises(SettingsError, match="normalise relative is for features; embeddings take none"):
        recipe(model={"name": "svm"}, on="embeddings", normalise="relative")


def test_rows_are_found_as_in_the_store(toy):
    toy.write_embeddings()
    store = open_embeddings(toy.cache, EmbeddingOptions())
    rows = LayerRows(store, narrowed(store, EmbeddingOptions(layers=(0,))))
    assert rows.rows([toy.digest(3), "f" * 32]).tolist() == [store.rows([toy.digest(3)])[0], -1]
    assert (rows.fingerprint, rows.folder, rows.options) == (store.fingerprint, store.folder, store.options)


def beside(toy, **changes):
    """Features, and two encoders of which the second is four wide."""
    asked = {
        "on": "features,embeddings",
        "embeddings": {"encoder": "toy,other"},
        "layers": "2,3/2",
        **changes,
    }
    return toy.data(model={"name": "logreg"}, **asked)


@pytest.fixture
def two_encoders(toy):
    toy.write_embeddings()
    return toy.write_embeddings(encoder="other", weights="0b" * 16, width=4)


def test_several_inputs_lie_side_by_side(toy, two_encoders):
    features = toy.write_features()
    data = beside(toy)
    assert (data.store.kind, data.store.shape) == ("features+embeddings+embeddings", (253 + 2 * 8 + 4,))
    assert data.store.names[253] == "encoder1.layer2.mean.0"
    assert data.store.names[-1] == "encoder2.layer2.mean.3"
    order = [int(digest, 16) for digest in data.examples.column("audio_digest")]
    vectors = data.vectors(np.arange(len(order)))
    np.testing.assert_array_equal(vectors[:, :253], features[order].astype(np.float32))
    np.testing.assert_array_equal(vectors[:, -4:], two_encoders[order, 2, 0])
    assert [each.name for each in data.recipe.encoders] == ["toy", "other"]
    assert data.recipe.layers == ((2, 3), (2,))
    alone = beside(toy, on="embeddings", layers=(2,))
    assert alone.store.shape == (8 + 4,)


def test_a_clip_that_one_of_them_could_not_use_is_left_out_and_told(toy, two_encoders):
    toy.write_features(failed=(3, 4))
    data = beside(toy)
    left_out = {"features: silent"}
    assert {reason for _, reason in data.failed} == left_out
    assert len(data.failed) == 2
    assert toy.digest(3) not in data.examples.column("audio_digest")
    assert any("2 clips left out" in line for line in data.remarks())


def test_what_one_of_them_lacks_is_said_with_its_command(toy, two_encoders):
    with pytest.raises(StoreMissing, match="no features for these settings; run 'ser cache features --cache"):
        beside(toy)
    toy.write_features(missing=(5,))
    with pytest.raises(StoreMissing, match=r"the store lacks 1 of .* clips; run 'ser cache features --cache"):
        beside(toy)
    with pytest.raises(StoreMissing, match="no embeddings of third; there are those of"):
        beside(toy, embeddings={"encoder": "toy,third"}, layers="middle")


def test_one_encoder_under_two_names_is_refused(toy):
    toy.write_embeddings()
    with pytest.raises(SettingsError, match="'toy,/gone/toy' names one encoder twice"):
        beside(toy, on="embeddings", embeddings={"encoder": "toy,/gone/toy"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"on": "features,mels"},
            "on: logreg learns from vectors, which are features and embeddings; mels are",
        ),
        (
            {"layers": "2/2/2"},
            "there are choices for 3 encoders and 2 to learn from; name one choice for all",
        ),
        ({"embeddings": {"encoder": "toy,toy"}}, "'toy,toy' names an encoder twice"),
        (
            {"features": {"sample_rate": 32000, "n_fft": 2048}},
            "beside embeddings, which hear that rate; it is 32000",
        ),
        ({"normalise": "relative"}, "normalise relative is for features"),
    ],
)
def test_what_does_not_go_together_is_one_line(toy, changes, message):
    with pytest.raises(SettingsError, match=message):
        beside(toy, **changes)


def test_variants_lie_side_by_side_too(toy):
    toy.write_features()
    toy.write_embeddings()
    of = {"model": {"name": "dnn"}, "on": "features,embeddings"}
    for part in toy.recipe(**{**of, "embeddings": toy.embedding_options().model_dump()}).parts:
        toy.write_variants(1, part=part)
    data = toy.data(**of, train={"copies": 1})
    assert data.variants.store.shape == data.store.shape
    learned = data.learned()
    assert len(data.training_clips(learned)) == 2 * len(data.rows("train"))
    shutil.rmtree(toy.cache / "augmented-features")
    with pytest.raises(StoreMissing, match="run 'ser cache augment --copies 1 --of features --cache "):
        toy.data(**of, train={"copies": 1})


def test_speakers_are_normalised_over_all_columns(toy, two_encoders):
    toy.write_features()
    for mode in ("speaker", "adaptive"):
        data = beside(toy, normalise=mode)
        learned = data.learned()
        assert data.clips(data.rows("test"), learned).values.shape[1] == data.store.shape[0]


def test_more_rows_than_can_be_counted_are_one_line(toy, two_encoders):
    data = beside(toy, on="embeddings", layers=(2,))
    part = data.store.parts[0]
    part.shards = np.broadcast_to(np.int32(0), (10**7,))
    with pytest.raises(StoreError, match="3 stores of 10000000 rows are too many to join"):
        SideBySide([part, part, part])
