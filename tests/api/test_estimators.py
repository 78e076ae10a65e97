"""SerFeatures and SerClassifier: scikit-learn's own checks, and what they share with the commands."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from ser_pipeline import SerClassifier, SerFeatures
from ser_pipeline.api.estimators import TRUSTED
from ser_pipeline.audio.decode import resample
from ser_pipeline.datasets.normalise import Voice
from ser_pipeline.datasets.rows import read_vectors
from ser_pipeline.datasets.speakers import MIN_CLIPS
from ser_pipeline.errors import AudioError, AudioMissing, SerError, SettingsError
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.models.estimators import CANDIDATES, folds_by, make_estimator
from ser_pipeline.options import FeatureOptions, FrontEnd
from ser_pipeline.store import open_store

RATE = 16_000
ANY_LENGTH = "recordings have any length: the number of samples is not a number of features"
TOO_SHORT = "the rows of the check are less than a millisecond of sound"
COLUMNS = {"check_n_features_in": ANY_LENGTH, "check_n_features_in_after_fitting": ANY_LENGTH}
SHORT = dict.fromkeys(
    [
        "check_array_api_input",
        "check_dict_unchanged",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_pipeline_consistency",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_transformers_unfitted_stateless",
    ],
    TOO_SHORT,
)


TONE = 0.1 * np.sin(2 * np.pi * 200 * np.arange(3200) / RATE)


class Looped(SerFeatures):
    """Hears each row of numbers again and again for 0.2 s, with a tone, as no row of a check is a sound."""

    def _recordings(self, X):  # noqa: N803
        rows = np.asarray(super()._recordings(X), np.float64)
        return [np.resize(0.4 * row / np.abs(row).max(initial=1e-9), 3200) + TONE for row in rows]


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")


@parametrize_with_checks(
    [SerClassifier(c=0.01), SerFeatures(sample_rate=RATE), Looped("mels", sample_rate=RATE)],
    expected_failed_checks=lambda each: {
        SerClassifier: {},
        SerFeatures: COLUMNS | SHORT,
        Looped: COLUMNS,
    }[type(each)],
)
def test_scikit_learns_own_checks(estimator, check, request):
    try:
        check(estimator)
    except Exception as error:
        if request.node.get_closest_marker(
            "xfail"
        ):  # pytest parses the files of a traceback, here for nobody
            raise error.with_traceback(None) from None
        raise


@pytest.fixture
def recordings(tmp_path, make_speech):
    """Paths of four recordings of half a second."""
    paths = [tmp_path / f"{number}.wav" for number in range(4)]
    for number, path in enumerate(paths):
        soundfile.write(path, make_speech(number, seconds=0.5), RATE, subtype="FLOAT")
    return paths


def test_recordings_come_in_any_form(recordings):
    features = SerFeatures("mels")
    wanted = features.transform(recordings)
    assert (wanted.shape, wanted.dtype) == ((4, 2 * FrontEnd().n_mels), np.float32)
    texts = [str(path) for path in recordings]
    table = pd.DataFrame({"path": texts}, index=[3, 1, 4, 5])
    for given in (texts, tuple(texts), np.array(texts), np.array(texts, object), np.array(texts)[:, None],
                  [[text] for text in texts], table, table["path"]):  # fmt: skip
        assert np.array_equal(features.fit_transform(given), wanted)
    shown = SerFeatures("mels").set_output(transform="pandas").transform(table["path"])
    assert shown.index.tolist() == [3, 1, 4, 5]
    assert shown.columns.tolist() == features.get_feature_names_out().tolist()
    assert shown.columns[[0, -1]].tolist() == ["mel.mean.0", f"mel.std.{FrontEnd().n_mels - 1}"]


def test_samples_are_heard_as_the_recording_of_them_is(recordings):
    wanted = SerFeatures().transform(recordings)
    waves = [soundfile.read(path, dtype="float32")[0] for path in recordings]
    features = SerFeatures(sample_rate=RATE)
    assert np.array_equal(features.fit_transform(np.stack(waves)), wanted)
    ragged = np.empty(2, object)
    ragged[:] = waves[0], waves[1][:4000]
    found = features.transform(ragged)
    assert np.array_equal(found, features.transform([*ragged]))
    assert np.array_equal(found[0], wanted[0])
    assert not np.array_equal(found[1], wanted[1])
    whole = np.round(np.stack(waves) * 32767).astype(np.int16)
    assert np.array_equal(features.transform(whole), features.transform(whole / np.float32(32768)))
    assert np.array_equal(features.transform(recordings), wanted)  # whose rate is their own


def test_of_samples_the_first_minute_is_described_as_of_recordings(tmp_path, make_speech):
    long = np.tile(make_speech(seconds=5.0, rate=8_000), 13)
    soundfile.write(tmp_path / "a.wav", long, 8_000, subtype="FLOAT")
    features = SerFeatures("mels", sample_rate=8_000)
    assert np.array_equal(features.transform([long]), features.transform([tmp_path / "a.wav"]))


def test_values_are_those_of_the_front_end(recordings):
    wave = soundfile.read(recordings[0], dtype="float32")[0]
    heard = wave - wave[wave != 0].mean(dtype=np.float64).astype(np.float32)
    assert np.allclose(
        SerFeatures().transform(recordings[:1])[0], row_of_wave(heard, FeatureOptions()).values, atol=1e-4
    )
    front_end = FrontEnd(n_mels=16)
    row = row_of_wave(resample(heard, RATE, front_end.sample_rate), front_end)
    mel = row.values[:, : row.frames]
    found = SerFeatures("mels", pooling=("max", "mean"), options={"n_mels": 16}).transform(recordings[:1])[0]
    assert np.allclose(found, [*mel.mean(1), *mel.max(1)], atol=1e-2)
    related = SerFeatures(normalise="relative").transform(recordings)
    assert not np.array_equal(related, SerFeatures().transform(recordings))


@pytest.mark.parametrize("inputs", ["features", "mels", "embeddings"])
def test_a_cache_is_a_store_of_the_commands_and_changes_nothing(
    recordings, tmp_path, inputs, make_encoder, monkeypatch
):
    encoder = str(make_encoder("wav2vec2")) if inputs == "embeddings" else None
    twice = [*recordings, recordings[0]]
    wanted = SerFeatures(inputs, encoder=encoder).transform(twice)
    features = SerFeatures(inputs, encoder=encoder, cache=tmp_path / "cache")
    features.transform(recordings[:2])
    assert np.allclose(features.transform(twice), wanted, atol=1e-5)
    store = open_store(tmp_path / "cache", features._vectors().kept)
    assert (store.kind, len(store)) == (inputs, 4)
    monkeypatch.setattr("ser_pipeline.store.work.read_recording", None)  # nothing is decoded again
    monkeypatch.setattr("ser_pipeline.api.vectors.lock_file", None)  # and nothing is written
    assert np.allclose(features.transform(twice[::-1]), wanted[::-1], atol=1e-5)


def test_layers_and_poolings_of_an_encoder_are_chosen(recordings, tmp_path, make_encoder):
    encoder = make_encoder("wav2vec2")
    every = SerFeatures(encoder=str(encoder), layers="all", pooling=("mean", "std"))
    names, values = every.get_feature_names_out(), every.transform(recordings[:1])
    assert values.shape == (1, 4 * 2 * 32)
    assert (names[0], names[-1]) == ("layer0.mean.0", "layer3.std.31")
    for layers in ("2", (2,), [2]):
        one = SerFeatures(encoder=str(encoder), layers=layers, cache=tmp_path / "cache")
        chosen = [name.startswith("layer2.mean") for name in names]
        assert np.allclose(one.transform(recordings[:1]), values[:, chosen], atol=1e-5)
    assert {name.partition(".")[0] for name in SerFeatures(encoder=str(encoder)).get_feature_names_out()} == {
        "layer1"
    }


@pytest.mark.parametrize("cached", [False, True])
def test_a_recording_that_cannot_be_used_is_said_or_becomes_a_row_of_nan(recordings, tmp_path, cached):
    short, text, gone = (tmp_path / name for name in ("short.wav", "text.wav", "gone.wav"))
    soundfile.write(short, np.zeros(100), RATE)
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    text.write_text("hello")
    features = SerFeatures("mels", cache=tmp_path / "cache" if cached else None)
    for bad, said in (
        (short, "short.wav: too short"),
        (text, "text.wav: not a recording"),
        (silent, "silent.wav: silent"),
        (gone, "gone.wav: cannot be read: No such file"),
    ):
        with pytest.raises(AudioError, match=f"^row 1: {said}") as error:
            features.transform([recordings[0], bad])
        assert "\n" not in str(error.value)
        assert isinstance(error.value, AudioMissing) == (bad == gone)
    features.set_params(errors="nan")
    with pytest.warns(
        UserWarning, match="^2 recordings could not be used: row 0: gone.wav: .*, row 2: silent"
    ):
        found = features.transform([gone, recordings[0], silent])
    assert np.isnan(found).all(axis=1).tolist() == [True, False, True]
    with pytest.warns(UserWarning, match="^1 recording could") as warned:
        assert np.isnan(features.transform([gone])).all()
    assert warned[0].filename == __file__  # where transform was called
    with pytest.raises(ValueError, match="contains NaN"), pytest.warns(UserWarning, match="gone"):
        SerClassifier(features=features).fit([gone, *recordings], [*"ababa"])


def test_samples_that_cannot_be_used_are_rows_of_nan_too(make_speech):
    waves = np.stack([make_speech(0, seconds=0.5), np.full(8000, np.nan, np.float32)])
    with pytest.raises(ValueError, match="contains NaN"):
        SerFeatures("mels", sample_rate=RATE).transform(waves)
    with pytest.warns(UserWarning, match="row 1: samples: non-finite"):
        found = SerFeatures("mels", sample_rate=RATE, errors="nan").transform(waves)
    assert np.isnan(found).all(axis=1).tolist() == [False, True]


def test_several_processes_give_the_same(recordings):
    found = SerFeatures("mels", n_jobs=2).transform(recordings)
    assert np.array_equal(found, SerFeatures("mels").transform(recordings))


def test_processes_that_fill_one_cache_wait_for_each_other(recordings, tmp_path):
    features = SerFeatures("mels", cache=tmp_path / "cache")
    with ThreadPoolExecutor(2) as both:
        found = [*both.map(features.transform, (recordings[:3], recordings[1:]))]
    wanted = features.transform(recordings)
    assert np.array_equal(found[0], wanted[:3])
    assert np.array_equal(found[1], wanted[1:])


@pytest.mark.parametrize("rate", [0, "16000", 1e9])
def test_a_sample_rate_that_no_recording_has_is_said_at_once(rate):
    with pytest.raises(AudioError, match=f"sample rate {rate} Hz; between 1,000 and 1,000,000 are valid"):
        SerFeatures(sample_rate=rate, errors="nan").fit(np.zeros((2, 9000)))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"inputs": "mel"},
            "inputs 'mel' do not exist; valid are features, egemaps, compare, mels, embeddings",
        ),
        (
            {"inputs": "mels", "encoder": "whisper-base"},
            "encoder: has no effect on mels; leave it out, or ask",
        ),
        ({"layers": (2,)}, "layers: has no effect on features"),
        ({"pooling": ("mean",)}, "pooling: has no effect on features"),
        ({"inputs": "mels", "pooling": ("median",)}, "mels: pooling"),
        ({"inputs": "mels", "pooling": ()}, "mels: pooling"),
        ({"normalise": "speaker"}, "normalise: must be none or relative"),
        ({"inputs": "mels", "normalise": "relative"}, "normalise relative is for the named features"),
        ({"errors": "skip"}, "errors: must be raise or nan"),
        ({"options": {"n_mel": 8}}, "options: n_mel"),
        ({"options": ["n_mels"]}, r"options: must be a mapping, as in {'n_mels': 80}, or None \(found"),
        ({"n_jobs": "2"}, "n_jobs: must be a whole number, or None"),
        ({"cache": 5}, "cache: must be a folder, or None"),
        ({"options": {"n_mels": -1}}, "options: n_mels"),
        ({"inputs": "embeddings", "options": {"frames": True}}, "options.frames: is not a further option"),
        ({"inputs": "embeddings", "encoder": "nonesuch"}, "nonesuch"),
    ],
    ids=str,
)
def test_an_argument_that_does_not_fit_is_one_line(given, line):
    with pytest.raises(SerError, match=line) as error:
        SerFeatures(**given).fit(["a.wav"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("layers", "line"), [("best", "layers"), ((9,), "layer 9: .* has layers 0 to 3")])
def test_layers_that_an_encoder_has_not_are_said(make_encoder, layers, line):
    with pytest.raises(SettingsError, match=line):
        SerFeatures(encoder=str(make_encoder("wav2vec2")), layers=layers).fit(["a.wav"])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("a.wav", r"one recording is not a list of them; pass \['a.wav'\]"),
        (["a.wav", 3], "row 1: 3 is not a path of a recording"),
        (pd.Series(["a.wav", None]), "row 1: .* is not a path of a recording"),
        (np.zeros((2, 9)), "X holds no paths; samples need a rate"),
        ([], "X is empty; pass one recording or more"),
        (pd.Series([], dtype=object), "X is empty; pass one recording or more"),
        (
            pd.DataFrame({"path": ["a.wav"], "speaker": [3]}),
            r"X has 2 columns \(path, speaker\); pass the one with the paths, as in X\['path'\]",
        ),
        (np.array([["a.wav", "b.wav"]]), r"X has 2 columns; pass the one with the paths, as in X\[:, 0\]"),
        ([["a.wav", "b.wav"]], r"row 0: \['a.wav', 'b.wav'\] is not a path of a recording; give each path"),
        ([None], "row 0: None is not a path of a recording"),
        ([b"RIFF" * 99], "row 0: b'RIFFRIFF.* is not a path of a recording"),
        (None, r"X: pass a list of paths, or an array of samples and their rate \(found NoneType\)"),
        ({"a.wav": 1}, r"X: pass a list of paths, .* \(found dict\)"),
    ],
    ids=str,
)
def test_what_are_no_recordings_is_said(given, line):
    with pytest.raises(SettingsError, match=line):
        SerFeatures().fit(given)


def test_no_samples_are_said_as_no_paths_are():
    for given in ([], pd.Series([], dtype=object)):
        with pytest.raises(SettingsError, match="X is empty; pass one recording or more"):
            SerFeatures(sample_rate=16_000).transform(given)
    with pytest.raises(SettingsError, match=r"X has 2 columns \(path, who\)"):
        SerClassifier().fit(pd.DataFrame({"path": ["a", "b"], "who": ["c", "d"]}), ["anger", "fear"])


@pytest.fixture
def people(rng):
    """Vectors of 12 people who say four clips of each of three emotions, and shift all of their columns."""
    emotions, who = np.tile(np.repeat([*"abc"], 4), 12), np.repeat(np.arange(12), 12)
    values = rng.normal(size=(144, 8)) + 3 * rng.normal(size=(12, 8))[who]
    for number, emotion in enumerate("abc"):
        values[emotions == emotion, number] += 2
    return values, emotions, who


@pytest.mark.parametrize("normalise", ["none", "speaker", "adaptive"])
def test_it_is_the_classifier_that_the_commands_train(toy, normalise):
    toy.write_features()
    data = toy.data(model={"name": "logreg", "c": 0.01}, normalise=normalise)
    learned = data.learned()
    clips = data.training_vectors(learned)
    fitted = make_estimator("logreg", 0.01, balanced=True, seed=0)
    fitted.fit(clips.values.numpy(), clips.targets.numpy())
    rows = data.rows("train")
    values, who = read_vectors(data.store, data.positions[rows]), data.examples.column("speaker_id")[rows]
    model = SerClassifier(c=0.01, normalise=normalise).fit(values, data.examples.target[rows], groups=who)
    assert np.allclose(model.estimator_.coef_, fitted.coef_, atol=1e-5)
    test = data.rows("test")
    heard, groups = read_vectors(data.store, data.positions[test]), data.examples.column("speaker_id")[test]
    wanted = fitted.predict_proba(data.clips(test, learned).values.numpy())
    assert np.allclose(model.predict_proba(heard, groups), wanted, atol=1e-4)


def test_the_penalty_is_chosen_by_clips_of_other_speakers(people, monkeypatch):
    values, emotions, who = people
    seen = []

    def folds(targets, speakers, *others):
        seen.append(folds_by(targets, speakers, *others))
        return seen[-1]

    monkeypatch.setattr("ser_pipeline.models.estimators.folds_by", folds)
    model = SerClassifier().fit(values, emotions, groups=who)
    assert model.c_ in CANDIDATES["logreg"]
    for fit, held in seen[0]:
        assert not {*who[fit]} & {*who[held]}
    assert SerClassifier(c=0.5).fit(values, emotions).c_ == 0.5
    seen.clear()
    one = np.zeros(6, int)  # a single speaker, so that the folds are of clips
    SerClassifier("svm", c=0.01, normalise="adaptive").fit(values[:6], emotions[:6], groups=one)
    for fit, held in seen[0]:
        assert not {*fit % 6} & {*held % 6}
    alone = SerClassifier().fit(values[[0, 4, 5, 9]], emotions[[0, 4, 5, 9]])  # a class of one clip
    assert alone.c_ == CANDIDATES["logreg"][1]


def test_models_that_know_speakers_hear_emotions_better(people):
    values, emotions, who = people
    scores = {}
    with config_context(enable_metadata_routing=True):
        for normalise in ("none", "adaptive", "speaker"):
            model = SerClassifier(c=0.03, normalise=normalise)
            model.set_fit_request(groups=True).set_score_request(groups=True)
            found = cross_val_score(model, values, emotions, params={"groups": who}, cv=GroupKFold(4))
            scores[normalise] = found.mean()
    assert scores["none"] < scores["adaptive"]
    assert scores["none"] < scores["speaker"]
    model = SerClassifier(c=0.03, normalise="adaptive").fit(values, emotions, groups=who)
    usual = Voice(center=tuple(model.voice_center_), scale=tuple(model.voice_scale_))
    plain = SerClassifier(c=0.03, normalise="none")
    assert np.isfinite(model.predict_proba(values[:1])).all()  # of somebody of whom nothing is known
    assert model.predict_proba(values[:3]).shape == (3, 3)
    assert usual.center == pytest.approx(values.mean(0))
    with pytest.raises(SettingsError, match="normalise adaptive: pass groups, which say who speaks"):
        plain.set_params(normalise="adaptive").fit(values, emotions)
    speaker = SerClassifier(c=0.03, normalise="speaker").fit(values, emotions, groups=who)
    with pytest.raises(SettingsError, match="normalise speaker: pass groups, which say who speaks"):
        speaker.predict(values)
    few = MIN_CLIPS - 1
    found = speaker.predict_proba(values[:few], groups=who[:few])  # too few clips to describe somebody
    assert np.array_equal(found, speaker.predict_proba(values[:few], groups=[*"wxyz"]))


@pytest.mark.parametrize("normalise", ["speaker", "adaptive"])
@pytest.mark.parametrize("nobody", [None, np.nan, pd.NA, "unknown", "mesd-unknown"], ids=str)
def test_clips_of_nobody_are_not_one_person(people, normalise, nobody):
    values, emotions, who = people
    groups = pd.Series([nobody if name > 7 else f"p{name}" for name in who], dtype=object)
    model = SerClassifier(c=0.03, normalise=normalise).fit(values, emotions, groups=groups)
    named = np.where(who > 7, "mesd-unknown", np.char.add("p", who.astype(str)))
    again = SerClassifier(c=0.03, normalise=normalise).fit(values, emotions, groups=named)
    assert np.array_equal(model.estimator_.coef_, again.estimator_.coef_)
    if normalise == "adaptive":
        assert model.voice_center_ == pytest.approx(values[who < 8].mean(0))
        alone = model.predict_proba(values[:9])
    else:
        alone = model.predict_proba(values[:9], groups=[*"abcdefghi"])  # of each too little is known
    assert model.predict_proba(values[:9], groups=[nobody] * 9) == pytest.approx(alone, abs=1e-6)


def test_it_scores_uar(people):
    values, emotions, who = people
    model = SerClassifier(c=0.03).fit(values, emotions)
    chosen = np.flatnonzero((emotions != "c") | (who == 0))
    told, true = model.predict(values[chosen]), emotions[chosen]
    recalls = [np.mean(told[true == emotion] == emotion) for emotion in "abc"]
    assert model.score(values[chosen], true) == pytest.approx(np.mean(recalls))
    assert model.score(values[chosen], true) != pytest.approx(np.mean(told == true))
    assert model.score(values[:4], emotions[:4]) == np.mean(model.predict(values[:4]) == "a")


def test_recordings_are_learned_from_in_a_pipeline_or_alone(recordings, tmp_path):
    paths = pd.Series([str(path) for path in recordings] * 3)
    emotions, who = np.tile([*"abab"], 3), np.repeat([0, 1, 2], 4)
    features = SerFeatures("mels", cache=tmp_path / "cache")
    alone = SerClassifier(c=0.01, features=features).fit(paths, emotions, groups=who)
    piped = make_pipeline(features, SerClassifier(c=0.01)).fit(paths, emotions)
    assert alone.predict(paths).tolist() == piped.predict(paths).tolist() == emotions.tolist()
    assert np.array_equal(alone.predict_proba(features.transform(paths)), piped.predict_proba(paths))
    search = GridSearchCV(piped, {"serclassifier__c": [0.01, 0.1], "serfeatures__pooling": [("mean",), None]},
                          cv=GroupKFold(3))  # fmt: skip
    assert search.fit(paths, emotions, groups=who).best_score_ == 1.0
    with pytest.raises(SettingsError, match="X holds paths, and the classifier was fitted to vectors"):
        SerClassifier(c=0.01).fit(features.transform(paths), emotions).predict(paths)
    assert SerClassifier(c=0.01).fit([str(path) for path in recordings], [*"abab"]).n_features_in_ == 253


def test_samples_are_learned_from_as_recordings_are(recordings):
    waves, emotions = [soundfile.read(path, dtype="float32")[0] for path in recordings], [*"abab"]
    features = SerFeatures("mels", sample_rate=RATE)
    model = SerClassifier(c=0.01, features=features).fit(np.stack(waves), emotions)
    wanted = SerClassifier(c=0.01, features=features).fit(recordings, emotions).predict_proba(recordings)
    assert np.array_equal(model.predict_proba(waves), wanted)
    assert np.array_equal(model.predict_proba(recordings), wanted)


@pytest.mark.parametrize("model", ["logreg", "svm", "gboost"])
def test_it_is_kept_without_a_pickle(people, model):
    import skops.io  # loads all of scikit-learn

    values, emotions, who = people
    features = SerFeatures(cache="cache", options={"n_mels": 30})
    fitted = SerClassifier(model, c=0.1, normalise="adaptive", features=features).fit(
        values, emotions, groups=who
    )
    kept = skops.io.dumps(fitted)
    assert {*TRUSTED[:2]} <= {*skops.io.get_untrusted_types(data=kept)} <= {*TRUSTED}
    again = skops.io.loads(kept, trusted=[*TRUSTED])
    assert np.array_equal(again.predict_proba(values, who), fitted.predict_proba(values, who))
    assert again.get_params()["features__options"] == {"n_mels": 30}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"model": "crnn"}, "model: must be svm or logreg or gboost \\(found 'crnn'\\)"),
        ({"normalise": "relative"}, "normalise: must be none or speaker or adaptive"),
        ({"c": 0}, "c: must be a number above 0, or None"),
        ({"c": "1"}, "c: must be a number above 0, or None"),
        ({"class_weights": "balanced"}, r"class_weights: must be True or False \(found 'balanced'\)"),
        (
            {"features": "egemaps"},
            r"features: must be an estimator, such as SerFeatures\('egemaps'\) \(found 'egemaps'\)",
        ),
        ({"features": SerFeatures}, "features: must be an estimator, such as SerFeatures"),
    ],
    ids=str,
)
def test_an_argument_that_does_not_fit_the_classifier_is_one_line(people, given, line):
    with pytest.raises(SettingsError, match=f"^{line}"):
        clone(SerClassifier(**given)).fit(*people[:2])
    with pytest.raises(SettingsError, match=f"^{line}"):
        SerClassifier(**given).fit(["a.wav", "b.wav"], ["anger", "fear"])


def test_classes_that_cannot_be_told_apart_are_refused(people):
    values, emotions, who = people
    with pytest.raises(ValueError, match=r"y: at least two classes are needed, found 1 class \(a\)"):
        SerClassifier().fit(values[:4], emotions[:4])
    with pytest.raises(ValueError, match="svm needs two training clips of each class"):
        SerClassifier("svm", c=0.1).fit(values[[0, 1, 4]], emotions[[0, 1, 4]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SerClassifier(c=0.1).fit(values, emotions, groups=who[:3])


def test_estimators_are_loaded_when_they_are_asked_for():
    code = (
        "import sys, ser_pipeline.api; print('sklearn' in sys.modules);"
        "from ser_pipeline.api import SerClassifier, SerFeatures; SerFeatures().get_feature_names_out();"
        "print(sorted(sys.modules.keys() & {'torch', 'librosa', 'h5py', 'matplotlib'}));"
        "values, emotions = [[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]], [*'aaabbb'];"
        "SerClassifier(normalise='adaptive').fit(values, emotions, groups=[*'abcabc']).predict(values);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "[]", "False"]
