import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.audio.decode import resample
from ser_pipeline.errors import AudioError
from ser_pipeline.serving.prediction import PredictOptions
from ser_pipeline.serving.stream import Stream, Windows
from tests.serving.conftest import RATE, shares, voice

OPTIONS = PredictOptions(hop_s=0.5)


def windows(wave, pieces, *, rate=RATE, wanted=RATE, window_s=1.0, hop_s=0.5):
    cutter = Windows(rate, wanted, window_s, hop_s)
    found = []
    for piece in np.split(wave, pieces):
        found += cutter.push(piece)
    return [*found, *cutter.finish()]


def by_hand(wave, *, rate, window_s, hop_s):
    """Start and end of each window, from the words of the documentation."""
    hop, length, total = round(hop_s * rate), round(window_s * rate), wave.size
    ends = [end for end in range(hop, total + 1, hop) if end >= rate]
    if not ends or ends[-1] < total:
        ends.append(total)
    return [(max(0, end - length), end) for end in ends]


@pytest.mark.parametrize("seconds", [0.2, 0.99, 1.0, 1.3, 2.0, 3.26])
@pytest.mark.parametrize(("window_s", "hop_s"), [(1.0, 0.5), (2.0, 0.3), (0.5, 0.75), (1.0, 2.0)])
def test_windows_are_those_of_the_whole_wave(seconds, window_s, hop_s):
    wave = voice(seconds)
    found = windows(wave, [wave.size // 3, wave.size // 2], window_s=window_s, hop_s=hop_s)
    expected = by_hand(wave, rate=RATE, window_s=window_s, hop_s=hop_s)
    assert [(window.start, window.start + window.wave.size) for window in found] == expected
    for window, (start, end) in zip(found, expected, strict=True):
        assert np.array_equal(window.wave, wave[start:end])


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_any_size_give_the_same_windows(seed):
    rng = np.random.default_rng(seed)
    wave = voice(3.0, seed, 44_100)
    cuts = np.sort(rng.integers(0, wave.size, 40))
    whole = windows(wave, [], rate=44_100, wanted=22_050)
    pieces = windows(wave, cuts, rate=44_100, wanted=22_050)
    assert [window.start for window in pieces] == [window.start for window in whole]
    for one, other in zip(whole, pieces, strict=True):
        assert one.wave == pytest.approx(other.wave, abs=1e-6)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_stream_is_resampled_as_a_file_is(rate):
    wave = voice(2.3, 0, rate)
    last = windows(wave, range(1000, wave.size, 1000), rate=rate, wanted=22_050, window_s=60)[-1]
    assert last.wave == pytest.approx(resample(wave, rate, 22_050), abs=1e-6)


def test_the_sum_of_pushes_equals_the_offline_windows(run, tmp_path):
    wave = voice(4.3, 2, 44_100)
    sf.write(tmp_path / "a.wav", wave, 44_100, subtype="FLOAT")
    model = load_model(run)
    stream = Stream(model, 44_100, OPTIONS)
    said = [each for block in np.split(wave, range(997, wave.size, 997)) for each in stream.push(block)]
    said += stream.finish()
    offline = [*model.timeline(tmp_path / "a.wav", OPTIONS)]
    assert [(each.start_s, each.end_s) for each in said] == [(each.start_s, each.end_s) for each in offline]
    assert shares(said) == pytest.approx(shares(offline), abs=1e-5)
    rate = model.sample_rate
    heard = resample(wave, 44_100, rate)
    each = [
        model.predict_wave(heard[round(one.start_s * rate) : round(one.end_s * rate)], rate) for one in said
    ]
    assert shares(said) == pytest.approx(shares(each), abs=1e-5)


def test_channels_are_averaged(run):
    model = load_model(run)
    wave = voice(1.6)
    two = np.stack([1.5 * wave, 0.5 * wave], axis=1)
    one, both = (Stream(model, RATE, OPTIONS).push(samples) for samples in (wave, two))
    assert shares(one) == pytest.approx(shares(both), abs=1e-5)
    assert len(one) == 2


def test_a_live_stream_answers_every_half_second(run):
    stream = Stream(load_model(run), RATE)
    block = RATE // 10
    wave = voice(3.1)  # a little more than 3: resampling looks ahead
    ends = [
        said.end_s
        for start in range(0, wave.size, block)
        for said in stream.push(wave[start : start + block])
    ]
    assert ends == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])


def test_pauses_are_no_speech(run):
    stream = Stream(load_model(run), RATE, OPTIONS)
    said = stream.push(np.concatenate([voice(1.0), np.zeros(RATE * 2), voice(1.0)]))
    assert [each.decision == "no speech" for each in said] == [False, False, True, True, True, False, False][
        : len(said)
    ]


def test_what_is_no_sound_is_refused(run):
    model = load_model(run)
    with pytest.raises(AudioError, match=r"shape \(n,\) or \(n, channels\)"):
        Stream(model, RATE).push(np.zeros((1, 2, 3)))
    with pytest.raises(AudioError, match="non-finite"):
        Stream(model, RATE).push(np.full(2 * RATE, np.inf))
    with pytest.raises(AudioError, match="empty"):
        Stream(model, RATE).finish()


@pytest.mark.slow
def test_two_hours_need_no_more_memory_than_two_minutes(tmp_path):
    script = (
        "import sys, resource, numpy as np\n"
        "from ser_pipeline.serving.reading import file_blocks\n"
        "from ser_pipeline.serving.stream import Windows\n"
        "with file_blocks(sys.argv[1], 'a') as blocks:\n"
        "    cutter, count = Windows(blocks.sample_rate, 22050, 4.0, 1.0), 0\n"
        "    for block in blocks:\n"
        "        count += sum(1 for _ in cutter.push(block))\n"
        "    count += sum(1 for _ in cutter.finish())\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks, minute = [], voice(60.0)
    for minutes in (2, 120):
        path = tmp_path / f"{minutes}.flac"
        with sf.SoundFile(path, "w", 16_000, 1) as file:
            for _ in range(minutes):
                file.write(minute)
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        )
        count, peak = map(int, done.stdout.split())
        assert count == 60 * minutes
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 20 * 1024  # KiB
