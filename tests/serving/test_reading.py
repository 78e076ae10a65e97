import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.testing import assert_allclose

from ser_pipeline.audio.decode import decode_file, resample
from ser_pipeline.audio.mono import mixed
from ser_pipeline.corpora.tables import read_text
from ser_pipeline.errors import AudioError, AudioMissing, CorpusError
from ser_pipeline.serving import reading
from ser_pipeline.serving.reading import Windows, expand, file_blocks, readable
from tests.serving.conftest import RATE, voice


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/2.wav", "a/1.flac", "a/b/3.MP3", "a/notes.txt", "a/.git/4.wav", "[x].wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], ["a/1.flac", "a/2.wav", "a/b/3.MP3"]),
        (["a/*.wav"], ["a/2.wav"]),
        (["**/*.wav"], ["[x].wav", "a/2.wav"]),
        (["[x].wav"], ["[x].wav"]),  # a file's own name comes before a pattern
        (["-", "gone.wav", "a/notes.txt"], ["-", "gone.wav", "a/notes.txt"]),
    ],
)
def test_words_name_recordings(folder, words, expected):
    assert expand(words) == ([Path(name) for name in expected], [])


@pytest.mark.parametrize(
    ("word", "says"), [("empty", "empty: holds no recording"), ("*.ogg", "*.ogg: matches no file")]
)
def test_what_names_no_recording_is_told(folder, word, says):
    paths, failures = expand([word, "a/2.wav"])
    assert paths == [Path("a/2.wav")]
    assert [(failure.name, failure.reason) for failure in failures] == [(word, says)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "my clips.CSV",
            "if it has labels: ser manifest build --csv 'my clips.CSV'; and then: ser predict manifests",
        ),
        (
            "a.xlsx",
            "a.xlsx: a table, not a recording; if it has labels: ser manifest build --csv a.xlsx; and",
        ),
        ("manifest.parquet", "not a recording; of a manifest, --out FILE.parquet predicts every recording"),
    ],
)
def test_a_table_says_how_tables_are_used(folder, name, says):
    (folder / name).write_text("path\na.wav\n")
    paths, (failure,) = expand([name, "a/2.wav"])
    assert (paths, failure.name) == ([Path("a/2.wav")], name)
    assert says in failure.reason


@pytest.mark.parametrize(
    ("kind", "coding"),
    [("WAV", "PCM_16"), ("AU", "G721_32"), ("AU", "G723_24"), ("AIFF", "GSM610"), ("XI", "DPCM_16")],
)
def test_blocks_are_the_whole_also_of_codings_that_cannot_be_sought_in(kind, coding, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_S", 0.3)
    held = io.BytesIO()
    sf.write(held, voice(1.0, 1, 44_100), 44_100, format=kind, subtype=coding)
    with file_blocks(held.getvalue(), "a") as blocks:
        found = list(blocks)
    assert len(found) >= 4
    assert np.array_equal(
        np.concatenate(found)[:, 0], sf.read(io.BytesIO(held.getvalue()), dtype="float32")[0]
    )


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
        assert np.array_equal(window.wave, mixed(wave[start:end]))


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_any_size_give_the_same_windows(seed):
    rng = np.random.default_rng(seed)
    wave = voice(3.0, seed, 44_100)
    cuts = np.sort(rng.integers(0, wave.size, 40))
    whole = windows(wave, [], rate=44_100, wanted=22_050)
    pieces = windows(wave, cuts, rate=44_100, wanted=22_050)
    assert [window.start for window in pieces] == [window.start for window in whole]
    for one, other in zip(whole, pieces, strict=True):
        assert_allclose(one.wave, other.wave, rtol=0, atol=1e-6, equal_nan=False)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 22_050.5])
def test_a_stream_is_resampled_as_a_file_is(rate):
    wave = voice(2.3, 0, round(rate))
    last = windows(wave, range(1000, wave.size, 1000), rate=rate, wanted=22_050, window_s=60)[-1]
    whole = mixed(resample(wave - wave[0], rate, 22_050))
    assert_allclose(last.wave, whole, rtol=0, atol=1e-6, equal_nan=False)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_constant_stays_one_from_the_first_sample_on(rate):
    for window in windows(np.full(3 * rate, 0.5, np.float32), range(0, 3 * rate, 999), rate=rate):
        assert np.abs(window.wave).max() < 1e-6


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("other", [-1.0, 0.5])
def test_windows_of_several_channels_are_one_wave_each(rate, other):
    wave = voice(2.3, 0, rate)
    both = np.stack([wave, other * wave], axis=1)
    expected = windows((1.0 if other < 0 else 0.75) * wave, [700], rate=rate)
    for one, alone in zip(windows(both, [5_000, 9_000], rate=rate), expected, strict=True):
        assert_allclose(one.wave, alone.wave, rtol=0, atol=1e-6, equal_nan=False)


def test_the_number_of_channels_stays():
    cutter = Windows(RATE, RATE, 1.0, 0.5)
    assert not [*cutter.push(np.zeros((9, 2), np.float32)), *cutter.push(np.zeros((0, 1), np.float32))]
    with pytest.raises(AudioError, match="1 channels after 2; always push as many"):
        [*cutter.push(np.zeros(9, np.float32))]


@pytest.mark.slow
def test_two_hours_need_no_more_memory_than_two_minutes(tmp_path):
    script = (
        "import sys, resource, numpy as np\n"
        "from ser_pipeline.serving.reading import Windows, file_blocks\n"
        "for path in sys.argv[1:]:\n"
        "    with file_blocks(path, 'a') as blocks:\n"
        "        cutter, count = Windows(blocks.sample_rate, 11025, 4.0, 1.0), 0\n"
        "        for block in blocks:\n"
        "            count += sum(1 for _ in cutter.push(block))\n"
        "        count += sum(1 for _ in cutter.finish())\n"
        "    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    paths, minute = [], voice(60.0, 0, 8_000)
    for minutes in (2, 120):
        paths.append(tmp_path / f"{minutes}.flac")
        with sf.SoundFile(paths[-1], "w", 8_000, 1) as file:
            for _ in range(minutes):
                file.write(minute)
    done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True)
    (few, peak), (many, higher) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (few, many) == (60 * 2, 60 * 120)
    assert higher - peak < 10 * 1024  # KiB; two hours are 220 MB of samples


@pytest.fixture
def pipe(tmp_path):
    """A named pipe in a folder with a recording."""
    sf.write(tmp_path / "a.wav", voice(1.0), RATE)
    os.mkfifo(tmp_path / "b.wav")
    return tmp_path / "b.wav"


def test_a_pipe_in_a_folder_is_told_and_not_waited_for(pipe):
    paths, failures = expand([str(pipe.parent)])
    assert paths == [pipe.parent / "a.wav"]
    assert [failure.reason for failure in failures] == [f"{pipe}: cannot be read: not a regular file"]
    pipe.with_name("a.wav").unlink()
    assert expand([str(pipe.parent)]) == ([], failures)


def test_a_pipe_that_is_named_is_read_once_and_whole(pipe):
    content = pipe.with_name("a.wav").read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert readable(pipe) == content
    writer.join()
    assert readable(content) is content
    assert readable(pipe.with_name("none.wav")) == pipe.with_name("none.wav")


def test_decoding_waits_for_no_pipe_and_reads_no_device(pipe):
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(AudioMissing, match="cannot be read: not a regular file"):
            decode_file(path, RATE)
    with pytest.raises(AudioMissing, match="not a regular file"), file_blocks("/dev/zero", "zero"):
        pass


def test_a_table_that_is_a_pipe_is_not_waited_for(pipe):
    with pytest.raises(CorpusError, match="not a regular file"):
        read_text(pipe)
