import numpy as np
import pytest

from ser_pipeline.errors import AudioError, SettingsError
from ser_pipeline.features.catalogue import FEATURES, NAMES
from ser_pipeline.features.extract import extract, measure
from ser_pipeline.options import FeatureOptions

OPTIONS = FeatureOptions()
SILENT = {"level_mean", "level_p10", "level_p50", "level_p90", "level_max", "peak_level", "clip_level"}
VOICED = {feature.name for feature in FEATURES if feature.group in ("pitch", "voice", "formants")}


def named(wave, **changes):
    return dict(zip(NAMES, extract(np.asarray(wave, np.float32), OPTIONS, **changes).tolist(), strict=True))


def made(kind):
    rng, time = np.random.default_rng(5), np.arange(32_000) / 16_000
    gap = np.sin(2 * np.pi * 200 * time)
    gap[8_000:20_000] = 0
    return {
        "silence": np.zeros(16_000),
        "constant": np.full(16_000, 0.3),
        "one sample": np.ones(1),
        "two samples": np.array([0.1, -0.1]),
        "shorter than a window": rng.standard_normal(500),
        "100 ms of noise": rng.standard_normal(1_600),
        "100 ms of voice": np.sin(2 * np.pi * 150 * time[:1_600]),
        "whisper": 0.1 * rng.standard_normal(32_000),
        "silence inside": gap,
        "clipped": np.clip(5 * np.sin(2 * np.pi * 120 * time), -1, 1),
        "square": np.sign(np.sin(2 * np.pi * 100 * time + 0.1)),
        "click": np.eye(1, 16_000, 8_000)[0],
        "offset": 0.9 + 0.05 * np.sin(2 * np.pi * 220 * time),
        "rumble": np.sin(2 * np.pi * 20 * time),
        "highest frequency": np.tile([1.0, -1.0], 8_000),
        "last bit": (rng.random(32_000) < 0.001) / 32_768,
        "huge": 1e38 * np.sin(2 * np.pi * 150 * time),
        "tiny": 1e-4 * np.sin(2 * np.pi * 150 * time),
        "denormal": np.full(16_000, 1e-42),
    }[kind]


KINDS = (
    "silence", "constant", "one sample", "two samples", "shorter than a window", "100 ms of noise",
    "100 ms of voice", "whisper", "silence inside", "clipped", "square", "click", "offset", "rumble",
    "highest frequency", "last bit", "huge", "tiny", "denormal",
)  # fmt: skip


@pytest.mark.parametrize("modality", ["speech", "song"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_wave_has_finite_features(kind, modality):
    vector = extract(made(kind).astype(np.float32), OPTIONS, modality=modality)
    assert vector.shape == (253,)
    assert vector.dtype == np.float32
    assert [name for name, value in zip(NAMES, vector, strict=True) if not np.isfinite(value)] == []


@pytest.mark.parametrize("kind", ["silence", "constant", "denormal"])
def test_a_silent_clip_is_zero_but_for_its_levels_and_duration(kind):
    found = named(made(kind))
    assert found.pop("duration") == 1.0
    assert {name for name in found if found[name] == -120} == SILENT
    assert [found[name] for name in found if name not in SILENT] == pytest.approx([0] * 245, abs=1e-3)


@pytest.mark.parametrize("kind", ["rumble", "click", "silence"])
def test_without_a_voiced_frame_what_is_of_the_voice_is_zero(kind):
    found = named(made(kind))
    assert {name: found[name] for name in VOICED if found[name] != 0} == {}
    assert found["voiced_share"] == found["voiced_duration"] == found["zero_crossings_voiced_mean"] == 0


def test_gain_moves_levels_and_amplitudes_alone(voice):
    loud, quiet = named(voice.wave), named(voice.wave * 0.1)
    for feature in FEATURES:
        expected = loud[feature.name]
        if feature.unit == "dBFS":
            expected -= 20
        elif feature.name.startswith("rms"):
            expected /= 10
        assert quiet[feature.name] == pytest.approx(expected, rel=2e-3, abs=2e-3), feature.name


def test_silence_around_the_clip_moves_no_feature_of_the_voice(voice):
    plain = named(voice.wave)
    padded = named(np.concatenate([np.zeros(8_000), voice.wave, np.zeros(8_000)]))
    for name in ("pitch_hz_mean", "formant_1_mean", "jitter_local", "hnr_mean", "mfcc_02_mean", "level_p50"):
        assert padded[name] == pytest.approx(plain[name], rel=0.05), name


def test_the_same_wave_has_the_same_features(voice):
    assert extract(voice.wave, OPTIONS).tobytes() == extract(voice.wave.copy(), OPTIONS).tobytes()


def test_the_wave_is_left_as_it_was(voice):
    wave = voice.wave.copy()
    wave.flags.writeable = False
    extract(wave, OPTIONS)
    assert wave.tobytes() == voice.wave.tobytes()


def test_song_is_searched_higher_than_speech(tone):
    assert named(tone(800), modality="song")["pitch_hz_p50"] == pytest.approx(800, rel=1e-3)
    assert named(tone(800))["pitch_hz_p50"] == pytest.approx(400, rel=1e-3)


def test_a_minute_has_features(rng):
    assert np.isfinite(extract(rng.standard_normal(60 * 16_000).astype(np.float32), OPTIONS)).all()


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_another_rate_and_transform_give_near_the_same(voice, rate):
    soxr = pytest.importorskip("soxr")
    options = FeatureOptions(
        sample_rate=rate, n_fft=2048 if rate < 40_000 else 4096, hop_length=round(rate / 100)
    )
    names = ("pitch_hz_mean", "voiced_share", "formant_1_mean", "centroid_mean", "level_mean", "duration")
    wave = soxr.resample(voice.wave, 16_000, rate) if rate != 16_000 else voice.wave
    found = extract(wave, options)
    plain = named(voice.wave)
    for name in names:
        assert found[NAMES.index(name)] == pytest.approx(plain[name], rel=0.04), name


def test_everything_measured_is_in_the_table(voice):
    series, singles = measure(voice.frames, 500.0)
    in_frames = {feature.series for feature in FEATURES if feature.over != "clip"}
    assert set(series) == in_frames
    assert set(singles) == {feature.series for feature in FEATURES if feature.over == "clip"}


def test_there_is_speech_and_song():
    with pytest.raises(SettingsError, match="modality 'whistle' does not exist; valid are speech, song"):
        extract(np.ones(100, np.float32), OPTIONS, modality="whistle")


def test_a_wave_with_a_gap_in_its_numbers_is_refused():
    with pytest.raises(AudioError, match="need finite samples"):
        extract(np.full(100, np.nan, np.float32), OPTIONS)
