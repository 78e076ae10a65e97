"""The options of the named features."""

import pytest

from ser_pipeline.dsp.pitch import TAPS
from ser_pipeline.errors import SettingsError
from ser_pipeline.options import LAG_MARGIN, FeatureOptions, checked


def test_speech_and_song_have_their_ceilings():
    assert FeatureOptions().ceiling_hz("speech") == 500
    assert FeatureOptions().ceiling_hz("song") == 1_000


def test_interpolation_stays_within_the_margin_the_transform_leaves():
    assert TAPS <= LAG_MARGIN


def test_a_lower_voice_needs_a_longer_transform():
    assert FeatureOptions(pitch_floor_hz=50, n_fft=2048).window_length == 960
    with pytest.raises(SettingsError, match="n_fft 1024 is too short for pitch_floor_hz: at least 1304"):
        checked(FeatureOptions, {"pitch_floor_hz": 50}, where="settings")


@pytest.mark.parametrize(
    "ceilings", [{"pitch_ceiling_hz": 100}, {"song_ceiling_hz": 120}, {"song_ceiling_hz": 2_500}]
)
def test_ceilings_leave_room_to_search(ceilings):
    with pytest.raises(SettingsError, match="pitch ceilings must lie between twice the floor and an eighth"):
        checked(FeatureOptions, ceilings, where="settings")


@pytest.mark.parametrize("ceiling", [3_000, 8_500])
def test_formants_are_sought_where_they_are(ceiling):
    with pytest.raises(SettingsError, match="formant_ceiling_hz must lie between 4000 and half of"):
        checked(FeatureOptions, {"formant_ceiling_hz": ceiling}, where="settings")


@pytest.mark.parametrize(
    ("name", "value"), [("sample_rate", 8_000), ("n_fft", 1_025), ("n_mels", 10), ("hop_length", 0)]
)
def test_values_that_do_not_fit_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"settings: {name}: "):
        checked(FeatureOptions, {name: value}, where="settings")
