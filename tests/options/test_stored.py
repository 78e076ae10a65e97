import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import (
    KINDS,
    Augmented,
    FeatureOptions,
    FrontEnd,
    SmileOptions,
    WaveAugment,
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
        "augmented-mels": Augmented(inputs=FrontEnd(n_mels=80), changes=WaveAugment(seed=3)),
        "augmented-features": Augmented(inputs=FeatureOptions()),
        "augmented-egemaps": Augmented(inputs=SmileOptions(feature_set="egemaps")),
        "augmented-compare": Augmented(inputs=SmileOptions(feature_set="compare")),
    }[kind]
    assert made.kind == kind
    assert options_of(kind, made.model_dump(mode="json")) == made


def test_a_kind_that_does_not_exist_is_named():
    with pytest.raises(SettingsError, match="store kind 'waves' does not exist; valid are mels, features"):
        options_of("waves", {})


def test_each_model_finds_its_store():
    assert recipe().inputs.kind == "mels"
    assert recipe(model={"name": "svm"}).inputs == FeatureOptions()
    assert recipe(model={"name": "svm"}, feature_set="egemaps").inputs == SmileOptions(feature_set="egemaps")
    assert feature_options("named", FeatureOptions(speech_db=20.0)).speech_db == 20.0
