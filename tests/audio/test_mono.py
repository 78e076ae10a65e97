import numpy as np
import pytest
import soundfile as sf

from ser_pipeline.audio import active_span, decode_file
from ser_pipeline.audio.decode import read_channels
from ser_pipeline.audio.mono import SILENT_PEAK, lone_channel, mix_loss_db, mixed, usable
from ser_pipeline.errors import AudioError, AudioSilent
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.manifest.probe import probe
from ser_pipeline.options import FeatureOptions, FrontEnd, WaveOptions

RATE = 16_000


def between_pauses(make_speech):
    quiet, speech = np.zeros(RATE, np.float32), 0.3 * make_speech(rate=RATE)
    return np.concatenate([quiet, speech - speech.mean(), quiet])


def two(left, right):
    return np.stack([left, right], axis=1).astype(np.float32)


@pytest.mark.parametrize("offset", [0.03, -0.3])
@pytest.mark.parametrize("trim_db", [20.0, 30.0])
def test_with_an_offset_as_much_is_kept_as_without(make_speech, offset, trim_db):
    wave = between_pauses(make_speech)
    expected = active_span(mixed(wave), trim_db)
    assert active_span(mixed(wave + np.float32(offset)), trim_db) == expected
    assert active_span(wave + np.float32(offset), trim_db) == (0, wave.size)  # what the offset would do
    assert expected[0] == pytest.approx(RATE, abs=2_048)


@pytest.mark.parametrize(
    "options",
    [
        FrontEnd(sample_rate=RATE),
        FrontEnd(sample_rate=RATE, denoise="none", trim_db=None, level="none"),
        FeatureOptions(),
        WaveOptions(),
    ],
    ids=lambda options: options.kind,
)
def test_no_row_of_a_store_tells_that_there_was_an_offset(make_speech, tmp_path, options):
    wave = between_pauses(make_speech)
    rows = []
    for number, offset in enumerate((0.0, 0.03)):
        sf.write(tmp_path / f"{number}.wav", wave + np.float32(offset), RATE, subtype="FLOAT")
        rows.append(row_of_wave(decode_file(tmp_path / f"{number}.wav", RATE), options))
    assert rows[1].span == rows[0].span
    assert rows[1].level_db == pytest.approx(rows[0].level_db, abs=1e-3)
    assert rows[1].values == pytest.approx(rows[0].values, abs=2e-3, rel=2e-3)


def test_the_share_of_speech_and_the_duration_stay(make_speech):
    wave = between_pauses(make_speech)
    waves = [mixed(wave + np.float32(offset)) for offset in (0.0, 0.038)]
    values = [row_of_wave(wave, FeatureOptions()).values for wave in waves]
    for name in ("duration", "speech_share"):
        without, with_offset = (each[NAMES.index(name)] for each in values)
        assert with_offset == pytest.approx(without, abs=1e-3)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (5_000, 0), (0, 7), (9_000, 4_000)])
def test_zeros_at_the_ends_are_padding(rng, before, after):
    """A tool that pads a recording with an offset leaves steps, which the mean of everything would keep."""
    wave = (0.1 * rng.standard_normal(8_000)).astype(np.float32)
    found = mixed(np.pad(wave + np.float32(0.03), (before, after)))
    assert found == pytest.approx(np.pad(wave - wave.mean(), (before, after)), abs=1e-6)


def test_once_more_changes_nothing(rng):
    once = mixed(rng.uniform(-0.5, 0.6, (8_000, 2)).astype(np.float32))
    assert mixed(once) == pytest.approx(once, abs=1e-8)


def test_what_is_given_stays_as_it_is(rng):
    samples = rng.uniform(0, 0.6, 8_000).astype(np.float32)
    before = samples.copy()
    mixed(samples)
    assert np.array_equal(samples, before)


@pytest.mark.parametrize(
    ("other", "expected"), [(1.0, None), (0.0, None), (-0.5, None), (-0.7, 0), (-1.0, 0), (-1.3, 1)]
)
def test_channels_that_cancel_leave_the_louder_one(make_speech, other, expected):
    left = 0.3 * make_speech(rate=RATE)
    both = two(left + 0.02, other * left - 0.02)  # an offset of each channel counts for nothing
    assert lone_channel(both) == expected
    wave = (1 + other) / 2 * left if expected is None else both[:, expected]
    assert mixed(both) == pytest.approx(wave - wave.mean(), abs=2e-6)


def test_one_live_channel_of_many_stands_alone_if_their_mean_is_12_db_softer(make_speech):
    left = 0.3 * make_speech(rate=RATE)
    for channels, expected in ((15, None), (16, 3)):  # the mean has 1 / channels of their power
        samples = np.zeros((left.size, channels), np.float32)
        samples[:, 3] = left
        assert lone_channel(samples) == expected


def test_the_loss_does_not_depend_on_offsets():
    left = np.sin(np.arange(8_000)).astype(np.float32)
    for offsets in ((0.0, 0.0), (0.5, -0.5), (0.3, 0.3)):
        both = two(0.01 * left + offsets[0], -0.005 * left + offsets[1])
        assert mix_loss_db(both) == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize("samples", [np.zeros((9, 2)), np.full((9, 2), np.nan), np.full((9, 2), 1e30)])
def test_the_loss_of_nothing_is_a_number(samples):
    assert mix_loss_db(samples.astype(np.float32)) == 0


def dither(rng):
    """What 16 bits hold of a pause: triangular noise of one step either way."""
    return np.round(rng.triangular(-1, 0, 1, 8_000)) / 32_768


SILENCES = {
    "zeros": lambda rng: np.zeros(8_000),
    "a constant": lambda rng: np.full(8_000, 0.25),
    "zeros around a constant": lambda rng: np.pad(np.full(8_000, 0.25), 900),
    "dither with an offset": lambda rng: 0.03 + dither(rng),
    "constants of two channels": lambda rng: np.full((8_000, 2), (0.5, -0.2)),
    "below -80 dB": lambda rng: 0.9 * SILENT_PEAK * np.sin(np.arange(8_000)),
}


@pytest.mark.parametrize("kind", SILENCES)
def test_silence_is_silence_to_everybody(tmp_path, rng, kind):
    path = tmp_path / "a.wav"
    sf.write(path, SILENCES[kind](rng), RATE, subtype="FLOAT")
    assert probe(str(path), decode=True).wave_problem.startswith("silent: ")
    for read in (read_channels, lambda path: decode_file(path, 22_050)):
        with pytest.raises(AudioSilent, match=r"a\.wav: silent: no sample is 0\.0001 of full scale away"):
            read(path)


@pytest.mark.parametrize("peak", [1.1 * SILENT_PEAK, 3e-4])  # the second is that of speech of -85 dB RMS
def test_what_is_louder_is_sound_to_everybody(tmp_path, make_speech, peak):
    path, wave = tmp_path / "a.wav", mixed(make_speech(rate=RATE))
    sf.write(path, 0.1 + peak * wave / np.abs(wave).max(), RATE, subtype="DOUBLE")
    assert probe(str(path), decode=True)[-3:] == (None, None, None)
    assert np.abs(decode_file(path, RATE)).max() == pytest.approx(peak, rel=0.05)
    assert read_channels(path).samples.shape == (wave.size, 1)


@pytest.mark.parametrize("peak", [-3 * SILENT_PEAK, 3 * SILENT_PEAK])
def test_a_peak_on_either_side_is_sound(peak):
    wave = np.r_[np.tile([0.0, 1e-5], 4_000), peak, np.tile([0.0, 1e-5], 4_000)].astype(np.float32)
    assert np.abs(usable(wave, RATE, "a")).max() == pytest.approx(abs(peak), rel=0.05)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros((0, 2)), "empty"),
        (np.full(8_000, np.nan), "non-finite: 8,000 samples"),
        (np.r_[np.zeros(8_000), np.inf, -np.inf], "non-finite: 2 samples"),
        (two(np.ones(8_000), np.full(8_000, np.nan)), "non-finite: 8,000 samples"),
        (np.ones(100), "too short: 6 ms; at least 100 ms"),
        (np.linspace(-1e8, 1e8, 8_000), r"no sound: samples up to 1e\+08 times full scale"),
        (np.r_[np.full(8_000, 0.1), -2e6], r"no sound: samples up to 2e\+06 times full scale"),
        (np.r_[np.full(8_000, -0.1), 2e6], r"no sound: samples up to 2e\+06 times full scale"),
    ],
)
def test_what_cannot_be_used_is_refused(samples, says):
    with pytest.raises(AudioError, match=f"^a: {says}"):
        usable(samples.astype(np.float32), RATE, "a")
