import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import (
    KINDS,
    Augmented,
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    SmileOptions,
    WaveAugment,
    WaveOptions,
    algorithm_version,
    feature_options,
    options_of,
    recipe,
)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_options_come_back_from_what_a_store_says_of_itself(kind):
    made = {
        "mels": FrontEnd(n_mels=80),
        "features": FeatureOptions(speech_db=25.0),
        "egemaps": SmileOptions(feature_set="egemaps"),
        "compare": SmileOptions(feature_set="compare", trim_db=None),
        "embeddings": EmbeddingOptions(layers=(3, 2), pooling=("std",)),
        "frames": EmbeddingOptions(layers=(2,), frames=True),
        "waves": WaveOptions(trim_db=None),
        "augmented-mels": Augmented(inputs=FrontEnd(n_mels=80), changes=WaveAugment(seed=3)),
        "augmented-features": Augmented(inputs=FeatureOptions()),
        "augmented-egemaps": Augmented(inputs=SmileOptions(feature_set="egemaps")),
        "augmented-compare": Augmented(inputs=SmileOptions(feature_set="compare")),
        "augmented-embeddings": Augmented(inputs=EmbeddingOptions(crop_s=4.0)),
        "augmented-frames": Augmented(inputs=EmbeddingOptions(layers=(1,), frames=True)),
        "augmented-waves": Augmented(inputs=WaveOptions(crop_s=4.0)),
    }[kind]
    assert made.kind == kind
    assert options_of({"kind": kind, "settings": made.model_dump(mode="json")}) == made


def test_what_a_store_says_of_its_encoder_comes_back_too():
    options = EmbeddingOptions(encoder="some/folder", folder="/some/folder", device="cpu")
    for made in (options, Augmented(inputs=options)):
        settings = made.stored.model_dump(mode="json")
        back = options_of({"kind": made.kind, "settings": settings, "about": options.about})
        inputs = back.inputs if isinstance(back, Augmented) else back
        assert (inputs.encoder, inputs.folder, inputs.device) == ("folder", "/some/folder", "auto")


def test_neither_name_nor_place_nor_device_decide_a_store():
    options = EmbeddingOptions(encoder="a", folder="/a", device="cpu", layers=(3, 1, 3))
    assert options.stored == EmbeddingOptions(encoder="b", folder="/b", layers=(1, 3)).stored
    frames = options.model_copy(update={"frames": True})
    assert frames.model_copy(update={"pooling": ("max",)}).stored == frames.stored


@pytest.mark.parametrize(
    ("idle", "alike"),
    [
        ({"level": "none", "target_rms": 0.2}, {"level": "none"}),
        ({"level": "corpus_rms", "target_rms": 0.2}, {"level": "none"}),
        ({"denoise": "none", "prop_decrease": 0.5}, {"denoise": "none"}),
        ({"scale": "clip_minmax", "ceiling_db": -90.0}, {"scale": "clip_minmax"}),
    ],
)
def test_what_has_no_effect_decides_no_store(idle, alike):
    assert FrontEnd(**idle).stored == FrontEnd(**alike).stored == FrontEnd(**alike)
    assert FrontEnd(target_rms=0.2).stored.target_rms == 0.2


def test_a_kind_that_does_not_exist_is_named():
    with pytest.raises(SettingsError, match="store kind 'noises' does not exist; valid are mels, features"):
        options_of({"kind": "noises", "settings": {}})


def test_each_model_finds_its_store():
    assert recipe().inputs.kind == "mels"
    assert recipe(model={"name": "svm"}).inputs == FeatureOptions()
    assert recipe(model={"name": "svm"}, feature_set="egemaps").inputs == SmileOptions(feature_set="egemaps")
    assert feature_options("named", FeatureOptions(speech_db=20.0)).speech_db == 20.0


def test_embeddings_in_bf16_are_of_a_newer_version():
    """Their convolutions are computed in fp32 now; all other embeddings are as they were."""
    assert algorithm_version(EmbeddingOptions(precision="bf16")) == 3
    assert {algorithm_version(EmbeddingOptions(precision=each)) for each in ("fp32", "fp16")} == {2}
