import math

import numpy as np
import pytest
import soundfile as sf
import torch

from ser_pipeline import load_model
from ser_pipeline.audio.decode import resample
from ser_pipeline.audio.mono import mixed
from ser_pipeline.datasets.batch import VectorClips
from ser_pipeline.datasets.normalise import Heard, Learned, Voice, first_step, learn_scaling
from ser_pipeline.datasets.rows import read_vectors
from ser_pipeline.datasets.speakers import Surroundings, describe_speakers
from ser_pipeline.errors import AudioError, AudioMissing, AudioShort, RunError, SettingsError
from ser_pipeline.evaluation.predict import predict_clips
from ser_pipeline.models.network import one_clip
from ser_pipeline.options import FeatureOptions, FrontEnd, PredictOptions, recipe
from ser_pipeline.serving.prediction import Unusable
from ser_pipeline.serving.reading import Window
from ser_pipeline.serving.stream import Stream
from ser_pipeline.serving.voices import check_effect
from ser_pipeline.training.checkpoint import load_model as load_network
from tests.serving.conftest import RATE, SMALL, save_random, shares, voice

PAPER = recipe("paper").front_end.model_copy(update={"n_mels": 16, "max_s": 1.0})


@pytest.mark.parametrize(
    ("inputs", "more"),
    [
        (SMALL, {}),
        (SMALL, {"temperature": 1.7}),
        (FrontEnd(n_mels=16, max_s=1.0), {}),
        (FrontEnd(denoise="none"), {"model": {"name": "resnet"}}),
        (SMALL, {"model": {"name": "mhsa"}}),
        (PAPER, {"model": {"name": "crnn", "masked": False}}),
        (
            FrontEnd(denoise="none", n_mels=16, max_s=1.0, level="corpus_rms"),
            {"learned": Learned(gains_db={"emodb": 6.0, "nemo": -4.0, "*": 1.0})},
        ),
    ],
    ids=["small", "tempered", "gate", "resnet", "mhsa", "paper", "corpus-level"],
)
def test_a_file_is_told_as_its_cached_clip(voices, tmp_path, inputs, more):
    run = save_random(tmp_path / "run", inputs, **more)
    model, options = load_model(run), PredictOptions(corpus="emodb")
    said = shares(model.predict(path, options) for path in voices.paths)
    expected = voices.cached(run)
    assert np.ptp(expected, axis=0).max() > 0.005  # clips differ, so equality says something
    assert said == pytest.approx(expected, abs=1e-5)


def test_an_unknown_corpus_has_the_mean_level(voices, tmp_path):
    inputs = SMALL.model_copy(update={"level": "corpus_rms"})
    gains = {"emodb": 6.0, "nemo": -4.0, "*": 1.0}
    model = load_model(save_random(tmp_path / "run", inputs, Learned(gains_db=gains)))
    said = shares(model.predict(path) for path in voices.paths)
    assert said == pytest.approx(voices.cached(tmp_path / "run", "my own"), abs=1e-5)
    assert np.abs(said - voices.cached(tmp_path / "run", "emodb")).max() > 1e-4
    check_effect("run", [model.card], PredictOptions(corpus="nemo"))
    with pytest.raises(SettingsError, match="--corpus nemi: run knows the levels of emodb, nemo"):
        check_effect("run", [model.card], PredictOptions(corpus="nemi"))


@pytest.mark.parametrize("name", ["dnn", "cnn1d"])
@pytest.mark.parametrize("mode", ["none", "relative"])
def test_models_of_features_tell_files_as_their_cached_vectors(voices, tmp_path, name, mode):
    store = voices.store(FeatureOptions())
    values = first_step(read_vectors(store, store.rows(voices.digests)), store.names, mode)
    learned = Learned(scaling=learn_scaling(values, store.names, mode))
    run = save_random(tmp_path / "run", FeatureOptions(), learned, model={"name": name})
    network, _ = load_network(run)
    clips = VectorClips(learned.scaling.apply(values), np.zeros(len(values), np.int64))
    said = shares(load_model(run).predict(path) for path in voices.paths)
    assert said == pytest.approx(predict_clips(network, clips), abs=1e-5)


@pytest.fixture
def by_speaker(voices, tmp_path):
    store = voices.store(FeatureOptions())
    vectors = read_vectors(store, store.rows(voices.digests))
    count = len(vectors)
    around = Surroundings(np.arange(count), np.zeros(count, np.int8), np.full(count, "v"))
    values = describe_speakers(store, around).apply(vectors, np.full(count, "0/v"))
    learned = Learned(scaling=learn_scaling(values, store.names, "speaker"))
    run = save_random(tmp_path / "run", FeatureOptions(), learned, model={"name": "dnn"})
    clips = VectorClips(learned.scaling.apply(values), np.zeros(count, np.int64))
    return load_model(run), predict_clips(load_network(run)[0], clips)


def test_a_model_by_speaker_describes_the_one_who_speaks(by_speaker, voices):
    model, expected = by_speaker
    said = [*model.predict_many(voices.paths, one_speaker=True)]
    assert shares(said) == pytest.approx(expected, abs=1e-5)
    assert [each.name for each in said] == [str(path) for path in voices.paths]


def test_a_model_by_speaker_refuses_to_guess_the_speaker(by_speaker, voices):
    model, _ = by_speaker
    for ask in (
        lambda: model.predict(voices.paths[0]),
        lambda: [*model.predict_many(voices.paths)],
        lambda: [*model.predict_many(voices.paths[:4], one_speaker=True)],
        lambda: [*model.timeline(voices.paths[0])],
        lambda: model.predict_wave(voice(1.0), RATE),
    ):
        with pytest.raises(RunError, match=r"needs 5 or more recordings of one person .*--one-speaker"):
            ask()


def test_an_adaptive_model_needs_to_know_nobody(adapting, voices):
    model, expected = adapting
    assert shares(model.predict(path) for path in voices.paths) == pytest.approx(expected([]), abs=1e-5)
    assert shares(model.predict_many(voices.paths)) == pytest.approx(expected([]), abs=1e-5)


def test_an_adaptive_model_takes_any_number_of_enrolment_clips(adapting, voices):
    model, expected = adapting
    for known in ([0], [1, 4], [0, 1, 2, 3, 4, 5]):
        adapted, unusable = model.for_speaker([voices.paths[number] for number in known])
        assert unusable == []
        said = shares(adapted.predict(path) for path in voices.paths)
        assert said == pytest.approx(expected(known), abs=1e-5)
        assert np.abs(said - expected([])).max() > 1e-3
    whole = shares(model.predict_many(voices.paths, one_speaker=True))
    assert whole == pytest.approx(expected([0, 1, 2, 3, 4, 5]), abs=1e-5)


def test_enrolment_clips_that_cannot_be_used_are_told(adapting, voices, tmp_path):
    model, expected = adapting
    (tmp_path / "text.wav").write_text("no sound")
    adapted, unusable = model.for_speaker([tmp_path / "text.wav", voices.paths[2]])
    assert [each.name for each in unusable] == [str(tmp_path / "text.wav")]
    assert shares([adapted.predict(voices.paths[0])]) == pytest.approx(expected([2])[:1], abs=1e-5)
    alone, _ = model.for_speaker([])
    assert shares([alone.predict(voices.paths[0])]) == pytest.approx(expected([])[:1], abs=1e-5)


def test_other_models_say_that_they_do_not_adapt(run, voices):
    with pytest.raises(RunError, match=r"was not trained to adapt to a speaker; .*--normalise adaptive"):
        load_model(run).for_speaker(voices.paths)


def test_bytes_are_told_as_their_file(run, voices):
    model = load_model(run)
    for path in voices.paths:
        assert shares([model.predict(path.read_bytes())]) == pytest.approx(shares([model.predict(path)]))


def test_samples_are_told_as_their_file(run, tmp_path):
    wave = voice(1.5)
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    model = load_model(run)
    assert shares([model.predict_wave(wave, RATE)]) == pytest.approx(
        shares([model.predict(tmp_path / "a.wav")])
    )


def test_what_is_shorter_than_a_step_of_the_network_is_refused_and_in_a_window_no_speech(run, tmp_path):
    click = np.concatenate([np.zeros(RATE), voice(0.05), np.zeros(RATE)]).astype(np.float32)
    sf.write(tmp_path / "a.wav", click, RATE)
    model = load_model(run)
    with pytest.raises(AudioShort, match="too short: less than 186 ms of sound"):
        model.predict(tmp_path / "a.wav")
    assert {said.decision for said in model.timeline(tmp_path / "a.wav")} == {"no speech"}


def test_the_seconds_used_are_those_between_the_silences(run, tmp_path):
    wave = np.concatenate([np.zeros(RATE), voice(0.6), np.zeros(RATE // 2)]).astype(np.float32)
    sf.write(tmp_path / "a.wav", wave, RATE)
    said = load_model(run).predict(tmp_path / "a.wav")
    assert said.start_s == pytest.approx(1.0, abs=0.1)
    assert said.end_s == pytest.approx(1.6, abs=0.1)


def test_only_the_longest_stretch_a_network_sees_is_used(run, tmp_path):
    sf.write(tmp_path / "a.wav", voice(3.0), RATE)
    said = load_model(run).predict(tmp_path / "a.wav")
    assert said.end_s - said.start_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("gain", [0.0, 1e-6, 1e-4])
def test_silence_is_no_speech(run, tmp_path, gain):
    sf.write(tmp_path / "a.wav", gain * voice(1.5), RATE, subtype="FLOAT")
    said = load_model(run).predict(tmp_path / "a.wav")
    assert (said.decision, said.emotion, said.confidence, said.probabilities) == ("no speech", None, None, {})
    assert said.end_s == pytest.approx(1.5)


def test_a_constant_is_no_speech(run, tmp_path):
    both = np.full((RATE * 2, 2), (0.3, -0.1), np.float32)
    sf.write(tmp_path / "a.wav", both, RATE, subtype="FLOAT")
    model = load_model(run)
    said = [model.predict(tmp_path / "a.wav"), model.predict_wave(both[:, 0], RATE)]
    said += [*model.timeline(tmp_path / "a.wav"), *Stream(model, RATE).push(both)]
    assert {each.decision for each in said} == {"no speech"}
    assert len(said) > 5


def test_speech_of_minus_85_db_is_heard(run, tmp_path):
    """What the cache takes for a training row is no silence here."""
    wave = voice(1.5)
    faint = wave * np.float32(10 ** (-85 / 20) / np.sqrt(np.mean(wave**2)))
    sf.write(tmp_path / "a.wav", faint, RATE, subtype="FLOAT")
    model = load_model(run)
    said = [model.predict(tmp_path / "a.wav"), *model.timeline(tmp_path / "a.wav")]
    assert "no speech" not in {each.decision for each in said}


@pytest.mark.parametrize("form", ["offset", "wrong cable", "both"])
def test_neither_an_offset_nor_a_wrong_cable_changes_a_prediction(run, tmp_path, rng, form):
    quiet = 1e-5 * rng.standard_normal(RATE)
    wave = np.concatenate([quiet, mixed(voice(2.0)), quiet]).astype(np.float32)
    offset = np.float32(0.0 if form == "wrong cable" else 0.03)
    other = wave + offset if form == "offset" else np.stack([wave + offset, offset - 0.8 * wave], axis=1)
    model, found = load_model(run), []
    for number, samples in enumerate((wave, other)):
        sf.write(tmp_path / f"{number}.wav", samples, RATE, subtype="FLOAT")
        said = [model.predict(tmp_path / f"{number}.wav"), *model.timeline(tmp_path / f"{number}.wav")]
        said += Stream(model, RATE).push(samples)
        found.append(
            [(each.start_s, each.end_s, each.decision, *each.probabilities.values()) for each in said]
        )
    assert [each[:3] for each in found[0]] == [each[:3] for each in found[1]]
    for one, two in zip(*found, strict=True):
        assert one[3:] == pytest.approx(two[3:], abs=1e-3)


def test_low_confidence_abstains_and_still_names_the_likeliest(run, voices):
    model = load_model(run)
    sure = model.predict(voices.paths[3])
    unsure = model.predict(voices.paths[3], PredictOptions(abstain=1.0))
    assert (sure.decision, unsure.decision, unsure.emotion) == (sure.emotion, "uncertain", sure.emotion)


def test_auto_abstains_below_the_threshold_of_the_model(tmp_path, voices):
    for threshold, expected in ((1.0, "uncertain"), (0.0, None), (None, None)):
        model = load_model(save_random(tmp_path / str(threshold), abstain_below=threshold))
        said = model.predict(voices.paths[3], PredictOptions(abstain="auto"))
        assert said.decision == (expected or said.emotion)


def test_more_than_a_minute_is_the_mean_of_its_windows(run, tmp_path):
    sf.write(tmp_path / "a.wav", voice(61.0), RATE)
    model, options = load_model(run), PredictOptions(hop_s=5.0)
    windows = [*model.timeline(tmp_path / "a.wav", options)]
    said = model.predict(tmp_path / "a.wav", options)
    assert said.windows == len(windows) == 13
    assert shares([said])[0] == pytest.approx(shares(windows).mean(axis=0), abs=1e-6)
    assert (said.start_s, said.end_s) == (0.0, 61.0)


def test_all_of_a_long_recording_is_judged_as_that_of_one_speaker(adapting, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.serving.model.WINDOW_S", 1.5)  # instead of a minute
    model, _ = adapting
    sf.write(tmp_path / "a.wav", np.concatenate([np.zeros(RATE), voice(1.0)]), RATE)
    options = PredictOptions(window_s=1.0)
    known, unusable = model.for_speaker([tmp_path / "a.wav"], options)
    assert unusable == []
    (said,) = model.predict_many([tmp_path / "a.wav"], options, one_speaker=True)
    assert said == known.predict(tmp_path / "a.wav", options)
    assert (said.windows, said.start_s, said.end_s) == (2, 0.0, 2.0)


def test_windows_of_a_mean_overlap_by_half_where_nothing_else_is_said(run, tmp_path):
    sf.write(tmp_path / "a.wav", voice(61.0), RATE)
    model, wide = load_model(run), PredictOptions(window_s=4.0)
    said = model.predict(tmp_path / "a.wav", wide)
    assert said == model.predict(tmp_path / "a.wav", wide.model_copy(update={"hop_s": 2.0}))
    assert said.windows == 31
    assert len([*model.timeline(tmp_path / "a.wav", wide)]) == 61


def test_speech_after_a_silent_minute_is_heard(run, tmp_path):
    sf.write(tmp_path / "a.wav", np.concatenate([np.zeros(61 * 8000), voice(2.0, 0, 8000)]), 8000)
    said = load_model(run).predict(tmp_path / "a.wav", PredictOptions(hop_s=1.0))
    assert said.emotion is not None
    assert said.windows == 2  # of three, one holds too little of it


def test_a_window_of_which_too_little_is_left_ends_no_recording(run, monkeypatch):
    model, window = load_model(run), Window(voice(1.0), 0)

    def too_little(*_args, **_more):
        raise AudioShort("0.062 s are left of it, at least 0.1 s are needed")

    monkeypatch.setattr("ser_pipeline.serving.model.clip_of_wave", too_little)
    assert model.predict_window(window, PredictOptions(), "a.wav").decision == "no speech"
    with pytest.raises(AudioShort, match="too short: 50 ms"):  # of the recording itself
        model.window_clip(Window(voice(0.05, 0, model.sample_rate), 0), PredictOptions())


def test_one_bad_file_stops_no_other(run, voices, tmp_path):
    bad = tmp_path / "text.wav"
    bad.write_text("not sound")
    said = [*load_model(run).predict_many([voices.paths[0], bad, tmp_path / "none.wav", voices.paths[1]])]
    assert [type(each) is Unusable for each in said] == [False, True, True, False]
    assert "text.wav: not a recording" in said[1].reason
    assert "none.wav: cannot be read: No such file" in said[2].reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty: 0 bytes"),
        (b"RIFF\x00\x00\x00\x00WAVE", "bad header"),
        (np.zeros(99, np.int8).tobytes(), "not a"),
    ],
)
def test_what_is_no_recording_is_refused(run, tmp_path, content, says):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError, match=says):
        load_model(run).predict(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=says):
        [*load_model(run).timeline(tmp_path / "a.wav")]


def test_too_short_a_clip_is_refused(run, tmp_path):
    sf.write(tmp_path / "a.wav", voice(0.05), RATE)
    with pytest.raises(AudioError, match=r"too short: 50 ms; at least 100 ms"):
        load_model(run).predict(tmp_path / "a.wav")


def test_a_missing_file_is_named(run):
    for ask in (load_model(run).predict, lambda path: [*load_model(run).timeline(path)]):
        with pytest.raises(AudioMissing, match=r"nowhere.wav: cannot be read: No such file"):
            ask("nowhere.wav")


@pytest.mark.parametrize(
    ("wave", "rate", "says"),
    [
        (np.zeros((3, 100), np.float32), RATE, r"shape \(samples,\)"),
        (np.full(RATE, np.nan, np.float32), RATE, "non-finite"),
        (np.zeros(0, np.float32), RATE, "empty"),
        (np.zeros(RATE, np.float32), 7, "sample rate 7 Hz"),
        (np.zeros(RATE, np.float32), -16_000.0, "sample rate -16000.0 Hz"),
        (np.zeros(RATE, np.float32), math.nan, "sample rate nan Hz; between 1,000 and 1,000,000 are valid"),
        (np.zeros(RATE, np.float32), True, "sample rate True Hz"),
        (np.zeros(RATE, np.float32), "16000", "sample rate 16000 Hz"),
        (12_000 * voice(1.0), RATE, "times full scale; .* divide them by their full scale"),
        ([0, 100, -100], RATE, "int64 have no full scale"),
    ],
)
def test_samples_that_say_nothing_are_refused(run, wave, rate, says):
    model = load_model(run)
    with pytest.raises(AudioError, match=says):
        model.predict_wave(wave, rate)
    if not says.startswith(("shape", "non-finite", "empty")):  # a stream waits for more, or mixes channels
        with pytest.raises(AudioError, match=says):
            Stream(model, rate).push(wave)


def test_integers_and_any_rate_are_heard_as_what_they_mean(run):
    model, wave = load_model(run), np.round(voice(1.5) * 32_767).astype(np.int16)
    expected = shares([model.predict_wave((wave / 32_768).astype(np.float32), RATE)])
    for same, rate in (
        (wave, RATE),
        (wave, float(RATE)),
        (wave / 32_768, np.float32(RATE)),
        (wave, np.int16(RATE)),
    ):
        assert shares([model.predict_wave(same, rate)]) == pytest.approx(expected)
    assert model.predict_wave([0.0] * RATE, RATE).decision == "no speech"
    between = resample(wave, RATE, 24_000)[: round(1.5 * 24_000.5)]
    assert shares([model.predict_wave(between, 24_000.5)]) == pytest.approx(expected, abs=0.05)


def test_sound_that_was_not_limited_is_no_mistake(run):
    wave = voice(1.5)
    wave *= np.float32(3 / np.abs(wave).max())
    assert load_model(run).predict_wave(wave, RATE).decision != "no speech"


def test_warming_up_changes_nothing(run, voices):
    cold, warm = load_model(run), load_model(run)
    warm.warm_up()
    assert warm.predict(voices.paths[0]) == cold.predict(voices.paths[0])


def test_a_timeline_can_follow_the_voice_and_never_looks_ahead(adapting, tmp_path):
    model, _ = adapting
    first, second = voice(9.0, 1), voice(6.0, 4)
    sf.write(tmp_path / "whole.wav", np.concatenate([first, second]), RATE)
    sf.write(tmp_path / "first.wav", first, RATE)
    options = PredictOptions(adapt=True, window_s=2.0)
    told = [*model.timeline(tmp_path / "whole.wav", options)]
    usual = [*model.timeline(tmp_path / "whole.wav", PredictOptions(window_s=2.0))]
    assert shares(told[:1]) == pytest.approx(shares(usual[:1]))
    assert np.abs(shares(told[4:]) - shares(usual[4:])).max(axis=1).min() > 1e-4
    before = [*model.timeline(tmp_path / "first.wav", options)]
    assert shares(before) == pytest.approx(shares(told[: len(before)]), abs=1e-6)


def test_a_voice_that_is_followed_is_that_of_windows_side_by_side(adapting, tmp_path):
    model, _ = adapting
    wave = voice(7.0, 2)
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    told = [*model.timeline(tmp_path / "a.wav", PredictOptions(adapt=True, window_s=2.0))]
    heard = []  # the first window lasts a second, the others two; every second one begins where one ended
    for start, end in ((0, 1), (1, 3), (3, 5)):
        heard.append(tmp_path / f"{start}.wav")
        sf.write(heard[-1], wave[start * RATE : end * RATE], RATE, subtype="FLOAT")
    known, _ = model.for_speaker(heard)
    assert shares(told[6:]) == pytest.approx(shares([known.predict_wave(wave[5 * RATE :], RATE)]), abs=1e-5)


def test_silence_says_nothing_of_a_voice(adapting, tmp_path):
    model, _ = adapting
    quiet = np.zeros(4 * RATE, np.float32)
    sf.write(tmp_path / "a.wav", np.concatenate([quiet, voice(4.0)]), RATE)
    options = PredictOptions(adapt=True, window_s=1.0)
    told = [*model.timeline(tmp_path / "a.wav", options)]
    usual = [*model.timeline(tmp_path / "a.wav", PredictOptions(window_s=1.0))]
    assert [each.decision for each in told[:4]] == ["no speech"] * 4
    assert shares(told[4:5]) == pytest.approx(shares(usual[4:5]))


def test_a_voice_heard_clip_by_clip_is_that_of_all_at_once(rng):
    clips = 50 + 0.1 * rng.standard_normal((30, 4))
    usual = Voice(center=(49.0,) * 4, scale=(0.2,) * 4)
    heard = Heard(usual)
    assert heard.voice == usual
    for clip in clips:
        heard.add(clip)
    center = (clips.sum(0) + 8 * 49.0) / 38
    scale = np.sqrt((30 * clips.var(0) + 20 * 0.2**2) / 50)
    assert heard.voice.center == pytest.approx(tuple(center))
    assert heard.voice.scale == pytest.approx(tuple(scale))


@pytest.mark.parametrize("name", ["crnn", "dnn"])
def test_ratings_are_those_of_the_network(voices, tmp_path, name):
    inputs = FrontEnd() if name == "crnn" else FeatureOptions()
    scaling = None
    if name == "dnn":
        store = voices.store(inputs)
        vectors = read_vectors(store, store.rows(voices.digests))
        scaling = learn_scaling(vectors, store.names, "none")
    run = save_random(
        tmp_path / "run", inputs, Learned(scaling=scaling), model={"name": name, "dimensions": True}
    )
    model = load_model(run)
    said = [model.predict(path) for path in voices.paths]
    network, card = load_network(run)
    clip = model.clip(voices.paths[0])
    values = clip.values if scaling is None else scaling.apply(clip.values[None])[0]
    given, lengths = one_clip(values, clip.frames, card.model)
    with torch.inference_mode():
        rated = network.rate(given, lengths)[0].tolist()
    assert [*said[0].ratings.values()] == pytest.approx(rated)
    assert model.dimensions == tuple(said[0].ratings) == ("valence", "arousal", "dominance")
    assert len({each.ratings["valence"] for each in said}) == len(said)
