import librosa
import numpy as np
import pytest

from ser_pipeline.features.frames import frame_wave
from ser_pipeline.features.tones import PITCH_CLASSES, tone_series
from ser_pipeline.settings import FeatureOptions


def test_chroma_and_tonnetz_equal_librosa(voice):
    series = tone_series(voice.frames)
    power = voice.frames.power.T.astype(np.float64)
    chroma = librosa.feature.chroma_stft(S=power, sr=16_000, n_fft=1024, tuning=0.0)
    tonnetz = librosa.feature.tonnetz(chroma=chroma)
    for number, name in enumerate(PITCH_CLASSES):
        assert series[f"chroma_{name}"] == pytest.approx(chroma[number], abs=1e-4)
    for number in range(6):
        assert series[f"tonnetz_{number + 1}"] == pytest.approx(tonnetz[number], abs=1e-4)


@pytest.mark.parametrize("number", range(12))
def test_a_tone_is_in_its_own_class(tone, number):
    hz = 523.25 * 2 ** (number / 12)  # from C5 up
    series = tone_series(frame_wave(tone(hz), FeatureOptions()))
    means = [series[f"chroma_{name}"].mean() for name in PITCH_CLASSES]
    assert int(np.argmax(means)) == number
    assert max(means) == pytest.approx(1)


def test_silence_has_no_tone():
    for values in tone_series(frame_wave(np.zeros(4_000, np.float32), FeatureOptions())).values():
        assert not values.any()
