import librosa
import noisereduce
import numpy as np
import pytest

from ser_pipeline.audio import decode_file
from ser_pipeline.errors import AudioError
from ser_pipeline.front_end.mels import mel_of_wave
from ser_pipeline.settings import FrontEnd, recipe


def plain(path, front_end):
    """The chain as one would write it from the paper, with library calls alone."""
    wave, _ = librosa.load(path, sr=front_end.sample_rate)
    wave = noisereduce.reduce_noise(
        y=wave, sr=front_end.sample_rate, stationary=False, prop_decrease=front_end.prop_decrease
    )
    wave, _ = librosa.effects.trim(wave, top_db=front_end.trim_db)
    wave = (wave * (front_end.target_rms / np.sqrt(np.mean(wave**2))))[:88_200]
    power = librosa.feature.melspectrogram(y=wave, sr=front_end.sample_rate, n_mels=front_end.n_mels)
    if front_end.scale == "clip_minmax":
        level = librosa.power_to_db(power, ref=np.max)
        return 2 * (level - level.min()) / (level.max() - level.min()) - 1
    level = np.maximum(librosa.power_to_db(power, ref=1.0, top_db=None), -80)
    return (level + 80) / 60 - 1


@pytest.mark.real
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_equals_the_plain_pipeline_on_real_clips(real_data, preset):
    front_end = recipe(preset).front_end
    clips = sorted(path for path in real_data.rglob("*") if path.suffix in {".wav", ".flac"})[::61]
    assert clips
    for path in clips:
        mel, expected = (
            mel_of_wave(decode_file(path, front_end.sample_rate), front_end),
            plain(path, front_end),
        )
        assert mel.frames == expected.shape[1], path.name
        assert np.abs(mel.values[:, : mel.frames] - expected).max() < 1e-3, path.name


def test_what_follows_the_clip_is_padding(rng):
    wave = rng.standard_normal(22_050).astype(np.float32)
    mel = mel_of_wave(wave, FrontEnd(denoise="none"))
    assert mel.values.shape == (96, 173)
    assert mel.frames == 44
    assert (mel.values[:, 44:] == -1).all()
    assert (mel.values[:, :44] > -1).any()


def test_a_long_clip_fills_all_frames(rng):
    assert (
        mel_of_wave(rng.standard_normal(200_000).astype(np.float32), FrontEnd(denoise="none")).frames == 173
    )


def test_a_gap_between_words_is_no_padding(rng):
    wave = rng.standard_normal(44_100).astype(np.float32)
    wave[15_000:30_000] = 0
    assert mel_of_wave(wave, FrontEnd(denoise="none")).frames == 87


def test_settings_for_storage_leave_the_corpus_level_open():
    assert FrontEnd(level="corpus_rms").stored == FrontEnd(level="none")
    assert FrontEnd().stored == FrontEnd()


def test_a_wave_without_a_finite_spectrogram_is_refused():
    with pytest.raises(AudioError, match="not finite"), np.errstate(all="ignore"):
        mel_of_wave(np.full(5_000, 1e30, np.float32), FrontEnd(denoise="none", level="none"))
