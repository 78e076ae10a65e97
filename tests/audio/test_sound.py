import contextlib
import io
import itertools
import re

import numpy as np
import pytest
import soundfile

from ser_pipeline.audio.mpeg import before_tags, find_stream, leading_tags
from ser_pipeline.audio.sound import FORMATS, opened, sentence
from ser_pipeline.audio.splice import Bytes
from ser_pipeline.errors import AudioCut, AudioEmpty, AudioError, AudioMissing
from tests.audio.conftest import bare_mp3, bursts, encoded

pytestmark = pytest.mark.usefixtures("no_ffmpeg")


def heard(data):
    """All that is read of a file, shape ``(samples, channels)``, and its length by its head."""
    with opened(io.BytesIO(data), "a") as sound:
        sound.check_end()
        blocks = [block.copy() for block in sound.blocks(10_000)]
        wave = np.concatenate(blocks) if blocks else np.empty((0, sound.channels))
        assert len(wave) == sound.frames
        return wave, sound.duration_s


FORMS = [
    (form, sub)
    for form in soundfile.available_formats()
    for sub in soundfile.available_subtypes(form)
    if form not in ("RAW", "SD2") and not sub.startswith("MPEG_LAYER_I")
]
"""All that libsndfile can write; RAW has no head, and SD2 keeps it in another file."""

UNWRITABLE = {("AIFF", "DWVW_12"), ("HTK", "PCM_16")}
"""One cannot be written after all; the head of the other has no mark by which a cut file would be known."""


@pytest.mark.parametrize(("form", "sub"), [each for each in FORMS if each not in UNWRITABLE])
def test_a_whole_file_of_every_codec_is_read_to_its_end(form, sub):
    rate = 16_000
    wave = bursts(1.3, rate)[:, 0]
    made, duration_s = heard(encoded(wave, rate, format=form, subtype=sub))
    kept = {"XI": 44_100, "WVE": 8_000}.get(form, rate)  # two have a rate of their own
    assert duration_s == pytest.approx(1.3 * rate / kept, abs=0.07)
    assert np.abs(made).max() > 0.1


CUT = [(form, sub) for form, sub in FORMS
       if form in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "NIST")]  # fmt: skip


@pytest.mark.parametrize(("form", "sub"), [each for each in CUT if each not in UNWRITABLE])
def test_a_cut_file_of_every_codec_is_told(form, sub):
    data = encoded(bursts(1.3, 16_000)[:, 0], 16_000, format=form, subtype=sub)
    for kept in (len(data) * 2 // 3, len(data) - 40):
        with pytest.raises(AudioError, match=r"^a: truncated: "):
            heard(data[:kept])


@pytest.mark.parametrize(
    ("form", "sub"), [("WAV", "GSM610"), ("AU", "G721_32"), ("PAF", "PCM_24"), ("WAV", "PCM_16")]
)
def test_any_place_is_found_where_the_codec_has_none(form, sub):
    data = encoded(bursts(1.3, 16_000)[:, 0], 16_000, format=form, subtype=sub)
    whole, _ = heard(data)
    with opened(io.BytesIO(data)) as sound:
        for place in (9_000, 0, 123, 15_000):
            sound.seek(place)
            found = sound.read(np.empty((500, 1), np.float32))
            assert np.array_equal(found, whole[place : place + 500])


def test_what_comes_before_a_place_in_mp3_is_decoded_for_it():
    data = encoded(bursts(2.0)[:, 0], 44_100, format="MP3", bitrate_mode="VARIABLE", compression_level=0.9)
    whole, _ = heard(data)
    with opened(io.BytesIO(data)) as sound:
        for place in (70_000, 29_000, 64_000, 800):
            sound.seek(place)
            found = sound.read(np.empty((500, 1), np.float32))
            assert found == pytest.approx(whole[place : place + 500], abs=1e-6)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("rate", [44_100, 16_000, 8_000])
def test_a_stream_that_does_not_say_its_length_is_read_whole(mode, rate):
    wave = bursts(4.0, rate)
    made, duration_s = heard(bare_mp3(wave, rate, bitrate_mode=mode))
    assert duration_s == pytest.approx(4.0, abs=0.2)
    assert np.abs(made[-rate // 2 :]).max() > 0.1  # the last burst is there


ID3V1 = b"TAG" + bytes(125)
LYRICS3 = b"LYRICSBEGIN" + b"la" * 50 + b"000111LYRICS200"


def ape(held: int, *, head: bool) -> bytes:
    """An APE tag of so many bytes of items; its size counts the footer and not the header."""
    mark = b"APETAGEX" + (2000).to_bytes(4, "little") + (held + 32).to_bytes(4, "little") + bytes(4)
    flags = (0x80000000 * head).to_bytes(4, "little") + bytes(8)
    return (mark + flags if head else b"") + b"i" * held + mark + flags


def test_what_surrounds_a_stream_is_no_part_of_it(rng):
    data = bare_mp3(bursts(), 44_100, bitrate_mode="VARIABLE")
    whole, _ = heard(data)
    junk = rng.integers(0, 255, 5000).astype(np.uint8).tobytes()
    tag = b"ID3\x04\0\0" + bytes([0, 0, 39, 8]) + junk  # 39 * 128 + 8
    for ends in (b"", ID3V1, ape(100, head=False) + ID3V1, LYRICS3 + ID3V1):
        assert np.array_equal(heard(tag + data + ends)[0], whole)
    assert np.array_equal(heard(tag + tag + data)[0], whole)


TAGS = [ID3V1, LYRICS3, ape(70_000, head=True), ape(10, head=False)]


@pytest.mark.parametrize("size", [0, 1000])
def test_where_a_stream_ends_and_its_tags_begin(size):
    for tags in (*itertools.permutations(TAGS), *itertools.permutations(TAGS, 1)):
        data = bytes(size) + b"".join(tags)
        assert before_tags(Bytes(io.BytesIO(data), len(data))) == size


@pytest.mark.parametrize("tag", [ID3V1, LYRICS3, ape(10, head=True)], ids=["id3v1", "lyrics3", "ape"])
def test_a_tag_whose_end_is_cut_or_that_says_nothing_of_its_size_is_sound(tag):
    broken = tag.replace(b"000111", b"00 111").replace(b"TAG", b"GAT")
    for data in (b"s" + tag[:-1], b"s" * 3, broken):
        assert before_tags(Bytes(io.BytesIO(data), len(data))) == len(data)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 5000, 2**14, 2**21 + 2**14 + 3])
@pytest.mark.parametrize("flag", [0, 0x10])
def test_the_tags_that_come_first_say_their_size_in_seven_bits_each(size, flag):
    said = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\0" + bytes([flag]) + said + bytes(size + (10 if flag else 0))
    for data, begins in ((tag + b"sound", len(tag)), (tag + tag + b"sound", 2 * len(tag)), (tag[:9], 0)):
        assert leading_tags(Bytes(io.BytesIO(data), len(data))) == begins


def test_a_length_that_is_wrong_is_corrected():
    data = encoded(bursts(), 44_100, format="MP3", bitrate_mode="VARIABLE")
    twice, duration_s = heard(data + data)
    assert duration_s == pytest.approx(8.0, abs=0.15)
    assert np.abs(twice[-44_100 // 2 :]).max() > 0.1


def test_an_mp3_of_several_parts_is_named_where_ffmpeg_is_needed():
    parts = [bare_mp3(bursts()[::step], 44_100 // step, bitrate_mode="VARIABLE") for step in (1, 2)]
    with pytest.raises(AudioError, match=r"^a: MP3 of several parts .*ffmpeg"):
        heard(b"".join(parts))


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("made", [bare_mp3, lambda *a, **k: encoded(*a, format="MP3", **k)])
def test_a_cut_stream_is_told(made, mode):
    data = made(bursts(), 44_100, bitrate_mode=mode)
    with pytest.raises(AudioError, match=r"^a: truncated: (its last frame lacks \d+|\d+ of the \d+ frames)"):
        heard(data[: len(data) * 2 // 3 + 1])


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\0\x05hello"])
def test_of_a_stream_cut_between_frames_those_that_its_head_announces_are_missed(tag):
    data = encoded(bursts(), 44_100, format="MP3", bitrate_mode="VARIABLE")
    announced = find_stream(io.BytesIO(data), 0, len(data)).announced
    place = len(data) * 2 // 3
    cut = find_stream(io.BytesIO(data), 0, place)
    lacking = announced - cut.frames - 1  # the last frame is completed
    with pytest.raises(
        AudioCut, match=f"^a: truncated: {lacking} of the {announced} frames its header announces"
    ):
        heard(tag + data[: place + cut.lacking])


def test_layer_2_is_as_long_as_its_frames():
    frame = bytes.fromhex("fffd80c4") + bytes(413)
    assert heard(frame * 100)[1] == pytest.approx(100 * 1152 / 44_100)


def test_a_stream_inside_wav_is_read_whole():
    data = bare_mp3(bursts(), 44_100, bitrate_mode="VARIABLE")
    fmt = bytes.fromhex("5500010044ac0000803e000001000000") + bytes.fromhex("0c00010002000000a10101007105")
    wav = (
        b"RIFF" + (len(data) + 58).to_bytes(4, "little") + b"WAVEfmt " + len(fmt).to_bytes(4, "little") + fmt
    )
    wav += b"data" + len(data).to_bytes(4, "little") + data
    assert np.array_equal(heard(wav)[0], heard(data)[0])


def edited(data, mark, after, new):
    place = data.index(mark) + after
    return data[:place] + new + data[place + len(new) :]


FULL = b"\xff" * 8
LEFT_OPEN = {
    "WAV": [(b"data", 4, size.to_bytes(4, "little")) for size in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)],
    "RF64": [(b"ds64", 16, bytes(8)), (b"ds64", 16, FULL)],
    "W64": [(b"data\xf3", 16, size) for size in (bytes(8), FULL, FULL[:7] + b"\x7f")],
    "AIFF": [(b"SSND", 4, size) for size in (bytes(4), FULL[:4], b"\x7f\xff\xff\xff")],
    "AU": [(b".snd", 8, FULL[:4]), (b".snd", 8, bytes(4)), (b".snd", 8, b"\x7f\xff\xff\xff")],
    "CAF": [(b"data", 4, FULL)],
    "FLAC": [(b"fLaC", 22, bytes(4))],
}
"""Container -> mark, distance and bytes of a length that a pipe left open."""


@pytest.mark.parametrize(
    ("form", "edit"), [(form, edit) for form, edits in LEFT_OPEN.items() for edit in edits]
)
def test_a_length_left_open_goes_on_to_the_end(form, edit):
    data = encoded(bursts(2.0, 16_000), 16_000, format=form, subtype="PCM_16")
    left_open = edited(data, *edit)
    if form == "FLAC":  # the length has 36 bits
        left_open = edited(left_open, b"fLaC", 21, bytes([left_open[21] & 0xF0]))
    assert np.array_equal(heard(left_open)[0][:32_000], heard(data)[0])
    with opened(io.BytesIO(left_open)) as sound:
        assert sound.frames == pytest.approx(32_000, abs=8)


def test_a_length_left_open_is_counted_no_further_than_is_asked_for():
    data = encoded(bursts(10.0, 16_000), 16_000, format="FLAC", subtype="PCM_16")
    left_open = edited(data, b"fLaC", 21, bytes([data[21] & 0xF0, 0, 0, 0, 0]))
    with opened(io.BytesIO(left_open), most_s=1.0) as sound:
        assert 16_000 <= sound.frames < 10 * 16_000
        assert np.array_equal(
            sound.read(np.empty((16_000, sound.channels), np.float32)), heard(data)[0][:16_000]
        )


@pytest.mark.parametrize(
    ("container", "form"), [("WAV", "WAV"), ("WAVEX", "WAV"), ("FLAC", "FLAC"), ("AIFF", "AIFF")]
)
def test_the_form_is_that_of_container_and_samples(container, form):
    with opened(io.BytesIO(encoded(bursts(), 16_000, format=container, subtype="PCM_24"))) as sound:
        assert sound.form == f"{form} PCM_24"


@pytest.mark.parametrize("rate", [1, 999, 1_000_001])
def test_a_rate_that_no_recording_has_is_a_bad_header(rate):
    data = encoded(np.ones(200), rate, format="WAV")
    says = f"^a: bad header: a sample rate of {rate} Hz$"
    with pytest.raises(AudioError, match=says), opened(io.BytesIO(data), "a"):
        pass


def test_nothing_is_nothing():
    data = encoded(np.zeros(0), 16_000, format="WAV")
    assert heard(data)[1] == 0
    with pytest.raises(AudioEmpty, match=r"^a: empty: 0 bytes$"):
        heard(b"")


def test_several_recordings_in_one_ogg_file_are_not_taken_for_one():
    data = encoded(bursts(1.0), 44_100, format="OGG")
    with pytest.raises(
        AudioMissing, match=r"^a: Ogg, several in one file, needs ffmpeg, which is not installed"
    ):
        heard(data + data)


@pytest.mark.parametrize("form", [form for form in FORMATS if not form.native])
def test_a_format_that_needs_another_decoder_has_its_name(form):
    data = bytes(form.place) + form.mark + bytes(200)
    with pytest.raises(
        AudioError, match=rf"^a: {re.escape(form.name)} (needs ffmpeg.*install|cannot be decoded)"
    ):
        heard(data)


@pytest.mark.parametrize(
    "start", [b"\xff\xf1\x50\x80", b"\xff\xf9\x50\x80", b"ID3\x04\0\0\0\0\0\0\xff\xf1\x50\x80"]
)
def test_aac_is_no_mp3(start):
    with pytest.raises(AudioMissing, match=r"^a: AAC needs ffmpeg"):
        heard(start + bytes(500))


def test_a_name_says_nothing_of_the_format(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(range(256)) * 20)
    with (
        (tmp_path / "a.raw").open("rb") as file,
        pytest.raises(AudioError, match=r"^a\.raw: not a recording"),
    ):
        opened(file, "a.raw").__enter__()


def test_no_word_of_libsndfile_reaches_the_user():
    texts = {soundfile._ffi.string(soundfile._snd.sf_error_number(number)).decode() for number in range(200)}
    said = {sentence(text) for text in texts}
    assert len(texts) > 150
    assert len(said) <= 5
    for text in said:
        assert re.match(r"(not a recording|bad header|empty|cannot be decoded): [a-z]", text)
    assert sentence("Format not recognised.").startswith("not a recording")
    assert sentence("Error : Unsupported encoding.").endswith("convert it to WAV or FLAC")


def test_damaged_samples_are_told_in_words():
    data = bytearray(encoded(bursts(3.0, 16_000), 16_000, format="FLAC"))
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    with pytest.raises(
        AudioError, match=r"^a: (cannot be decoded: its samples are damaged|truncated: \d+ of)"
    ):
        heard(bytes(data))


@pytest.mark.parametrize(
    "form", ["WAV", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "W64", "NIST", "RF64", "VOC", "XI"]
)
def test_whatever_is_broken_is_an_error_of_ours(form, rng):
    data = np.frombuffer(encoded(bursts(0.5, 16_000)[:, 0], 16_000, format=form), np.uint8)
    for _ in range(60):
        bad = data.copy()
        places = rng.integers(0, min(len(bad), 200), 4)
        bad[places] = rng.integers(0, 256, 4)
        with contextlib.suppress(AudioError):
            heard(bad.tobytes()[: rng.integers(1, len(bad) + 1)])
