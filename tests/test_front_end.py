import librosa
import noisereduce
import numpy as np
import pytest

from ser_pipeline.audio import decode_file
from ser_pipeline.audio.decode import resample
from ser_pipeline.errors import AudioError
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.front_end import aspect_of, layout_of, mel_of_wave, row_of_wave
from ser_pipeline.options import FeatureOptions, FrontEnd, Fused, SmileOptions, WaveOptions, recipe


def plain(path, front_end):
    """The chain as one would write it from the paper, with library calls alone."""
    wave, own_rate = librosa.load(path, sr=None)
    sound = np.flatnonzero(wave)
    wave[sound[0] : sound[-1] + 1] -= wave[sound[0] : sound[-1] + 1].mean()
    wave = librosa.resample(wave, orig_sr=own_rate, target_sr=front_end.sample_rate)
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


RATE = 16_000


def tone(hz, seconds, amplitude=0.3):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def named(row):
    return dict(zip(NAMES, row.values.tolist(), strict=True))


def test_mels_are_the_front_ends(rng):
    wave = rng.standard_normal(22_050).astype(np.float32) * 0.1
    options = FrontEnd(denoise="none")
    row, mel = row_of_wave(wave, options), mel_of_wave(wave, options)
    assert np.array_equal(row.values, mel.values)
    assert (row.frames, row.level_db) == (mel.frames, mel.level_db)


def test_features_are_of_what_trimming_keeps():
    quiet = np.zeros(RATE, np.float32)
    padded = np.concatenate([quiet, tone(200, 1.0), quiet])
    trimmed, whole = (named(row_of_wave(padded, FeatureOptions(trim_db=trim_db))) for trim_db in (30.0, None))
    assert whole["duration"] == pytest.approx(3.0)
    assert trimmed["duration"] == pytest.approx(1.0, abs=0.2)  # frames of 128 ms every 32 ms
    assert trimmed["pitch_hz_mean"] == pytest.approx(200, abs=0.5)


def test_song_is_searched_higher_than_speech():
    high = tone(700, 1.0) + tone(1_400, 1.0, 0.15)
    found = {modality: named(row_of_wave(high, FeatureOptions(), modality=modality)) for modality in
             ("speech", "song")}  # fmt: skip
    assert found["song"]["pitch_hz_p50"] == pytest.approx(700, abs=2)
    assert found["speech"]["pitch_hz_p50"] <= 500
    assert aspect_of(FeatureOptions(), "song") == "song"
    assert aspect_of(FrontEnd(), "song") == aspect_of(SmileOptions(feature_set="egemaps"), "song") == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.standard_normal(RATE) * 0.1,  # nothing voiced
        lambda rng: np.concatenate([tone(150, 0.4), np.zeros(RATE), tone(150, 0.4)]),  # silence inside
        lambda rng: tone(150, 0.1),  # the shortest clip
        lambda rng: np.concatenate([np.zeros(3_000), [0.9], np.zeros(3_000)]),  # one click
        lambda rng: np.sign(tone(100, 0.5)),  # clipped
        lambda rng: np.full(RATE, 0.25),  # a constant
    ],
)
@pytest.mark.parametrize("options", [FeatureOptions(), SmileOptions(feature_set="egemaps")])
def test_every_decodable_clip_has_finite_features(rng, make, options):
    if options.kind != "features":
        pytest.importorskip("opensmile")
    row = row_of_wave(np.asarray(make(rng), np.float32), options)
    assert row.values.shape == layout_of(options).shape
    assert row.values.dtype == np.float32
    assert np.isfinite(row.values).all()
    assert row.frames == 1


def test_features_that_are_not_finite_fail_the_clip(monkeypatch):
    monkeypatch.setattr(
        "ser_pipeline.features.extract.extract", lambda wave, options, modality: np.full(253, np.nan)
    )
    with pytest.raises(AudioError, match="253 of its features are not finite"):
        row_of_wave(tone(100, 0.5), FeatureOptions())


def test_layouts_name_every_column():
    layout = layout_of(FeatureOptions())
    assert layout.shape == (253,)
    assert len(set(layout.names)) == len(layout.units) == 253
    assert layout_of(FrontEnd(n_mels=80)).shape == (80, 173)
    assert layout_of(FrontEnd()).names == ()


def test_samples_for_an_encoder_are_whole_frames_of_what_is_left_after_trimming(rng):
    wave = np.zeros(32_000, np.float32)
    wave[8_000:16_100] = 0.1 * rng.standard_normal(8_100)
    row = row_of_wave(wave, WaveOptions())
    first, last = row.span
    assert row.values.shape == (row.frames, 1, 160)
    assert last - first == row.frames * 160
    np.testing.assert_array_equal(row.values.flatten(), wave[first:last])
    assert first < 8_000
    assert 16_100 - 160 < last < 18_000
    assert row_of_wave(wave, WaveOptions(trim_db=None)).frames == 200
    assert row_of_wave(wave, WaveOptions(crop_s=0.255)).frames == 25
    assert layout_of(WaveOptions()).shape == (1, 160)
    assert layout_of(WaveOptions()).ragged


def test_too_few_samples_for_an_encoder_are_told(rng):
    wave = 0.1 * rng.standard_normal(1_599).astype(np.float32)
    assert row_of_wave(np.append(wave, wave[:1]), WaveOptions(trim_db=None)).frames == 10
    with pytest.raises(AudioError, match=r"0.100 s are left of it, at least 0.1 s are needed"):
        row_of_wave(wave, WaveOptions(trim_db=None))


def test_mels_and_vectors_of_a_wave_are_each_made_at_their_own_rate(rng):
    sound = {rate: 0.1 * rng.standard_normal(rate).astype(np.float32) for rate in (16_000, 22_050)}
    mels, features = FrontEnd(n_mels=16, denoise="none"), FeatureOptions()
    row = row_of_wave(sound[22_050], Fused(parts=(mels, features)), at=sound.__getitem__)
    own, vector = row_of_wave(sound[22_050], mels), row_of_wave(sound[16_000], features)
    np.testing.assert_array_equal(row.values, own.values)
    np.testing.assert_array_equal(row.beside, vector.values)
    assert (row.frames, row.level_db) == (own.frames, own.level_db)
    assert row.span == pytest.approx((0, 22_050), abs=300)
    alone = row_of_wave(sound[22_050], Fused(parts=(mels, features)))
    resampled = row_of_wave(resample(sound[22_050], 22_050, 16_000), features)
    np.testing.assert_array_equal(alone.beside, resampled.values)
