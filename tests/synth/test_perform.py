import numpy as np
import pytest

from ser_pipeline.errors import LabelError, SettingsError
from ser_pipeline.synth import ROOMS, synth_recording
from ser_pipeline.synth.perform import Part, perform, traits_of
from ser_pipeline.synth.profiles import PROFILES, draw_speaker


@pytest.mark.parametrize("emotion", sorted(PROFILES))
def test_every_emotion_can_be_spoken(emotion):
    wave = synth_recording(emotion, 4)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert np.isfinite(wave).all()
    assert 0.01 < np.abs(wave).max() <= 0.9
    assert 0.8 < len(wave) / 16_000 < 4


@pytest.mark.parametrize("corpus", sorted(ROOMS))
@pytest.mark.parametrize("modality", ["speech", "song"])
def test_every_corpus_can_be_recorded_in(corpus, modality):
    wave = synth_recording("happiness", 1, corpus=corpus, modality=modality, language="pl", sex="male")
    assert 0.8 < len(wave) / ROOMS[corpus].sample_rate < 5


def test_the_same_clip_is_the_same_and_any_change_is_heard():
    base = synth_recording("anger", 3)
    assert np.array_equal(base, synth_recording("anger", 3))
    changes = [
        {"take": "b"}, {"sex": "male"}, {"intensity": "low"}, {"sentence": "demo/2"}, {"corpus": "cremad"},
        {"language": "de"}, {"modality": "song"},
    ]  # fmt: skip
    for change in changes:
        assert not np.array_equal(base, synth_recording("anger", 3, **change)), change
    assert not np.array_equal(base, synth_recording("anger", 4))
    assert not np.array_equal(base, synth_recording("fear", 3))


def test_anger_is_louder_than_sadness_on_the_whole():
    def loudness(emotion):
        return np.mean([20 * np.log10(synth_recording(emotion, seed).std()) for seed in range(8)])

    assert loudness("anger") > loudness("sadness") + 6


def test_emotions_in_conversation_are_milder():
    speaker = draw_speaker(0, "v", "male")
    parts = [Part(corpus, "v", "male", "anger", "s") for corpus in ("cremad", "iemocap")]
    levels = [np.mean([traits_of(part, speaker, seed)[2] for seed in range(400)]) for part in parts]
    assert levels[1] < levels[0] - 0.5


def test_unknown_names_are_refused():
    with pytest.raises(LabelError, match="emotion 'joy' has no profile"):
        synth_recording("joy", 0)
    with pytest.raises(SettingsError, match="corpus 'timit' does not exist; valid are cremad"):
        synth_recording("anger", 0, corpus="timit")
    with pytest.raises(SettingsError, match="language 'fr' has no vowels here; valid are en, de, pl"):
        synth_recording("anger", 0, language="fr")


def test_the_seed_of_the_set_changes_the_voice():
    part = Part("emodb", "emodb-03", "male", "neutral", "emodb/a01")
    assert not np.array_equal(perform(part, 0)[:8000], perform(part, 1)[:8000])
