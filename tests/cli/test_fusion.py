import json
import shutil

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline import load_model
from ser_pipeline.cli import app
from ser_pipeline.errors import RunError
from ser_pipeline.metrics import temper
from ser_pipeline.options import PredictOptions
from ser_pipeline.runs.files import read_info
from ser_pipeline.serving.stream import Stream

pytestmark = pytest.mark.usefixtures("small_crnn")

BOTH = ("--on", "features,embeddings", "--c", "0.1")


def ser(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def cached_and_predicted(home, name):
    """Probabilities of some clips as evaluation wrote them, and as prediction on the recordings says."""
    table = pq.read_table(home / "runs" / name / "predictions.parquet").to_pylist()[:3]
    clips = [
        home / "DataSets" / "EmoDB" / "wav" / f"{row['utterance_id'].rpartition('/')[2]}.wav" for row in table
    ]
    said = ser("predict", *clips, "--model", name, "--format", "json")
    assert said.exit_code == 0, said.output
    spoken = [json.loads(line)["probabilities"] for line in said.stdout.splitlines()]
    return [
        [row[f"p_{emotion}"] for emotion in probabilities]
        for row, probabilities in zip(table, spoken, strict=True)
    ], [[*probabilities.values()] for probabilities in spoken]


def of_one_speaker(home):
    """A folder with some of the recordings of speaker 03."""
    folder = home / "voice"
    folder.mkdir()
    for clip in sorted((home / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))[:5]:
        shutil.copy(clip, folder)
    return folder


def made_in(tmp_path_factory, start, *commands):
    """A copy of a folder in which commands have run, each of which ended well."""
    home = shutil.copytree(start, tmp_path_factory.mktemp("fusion"), dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr("ser_pipeline.evaluation.run.REPEATS", 1)
        patch.setattr("ser_pipeline.evaluation.internals.place", lambda vectors: vectors[:, :2])
        for words in commands:
            result = ser(*words)
            assert result.exit_code == 0, result.output
    return home


@pytest.fixture(scope="module")
def cached_files(corpus_files, encoder_files, tmp_path_factory):
    """The corpus with features, and two encoders."""
    folder = tmp_path_factory.mktemp("encoders")
    for kind, name in (("whisper", "one"), ("hubert", "two")):
        shutil.copytree(encoder_files(kind, 0), folder / name)
    embeddings = [("cache", "embeddings", "--encoder", folder / name) for name in ("one", "two")]
    home = made_in(tmp_path_factory, corpus_files, ("cache", "features"), *embeddings)
    shutil.copytree(folder, home / "encoders")
    return home


@pytest.fixture
def cached(corpus, cached_files):
    """Features, and two encoders."""
    return shutil.copytree(cached_files, corpus, dirs_exist_ok=True)


def test_features_and_two_encoders_side_by_side_from_training_to_prediction(cached):
    words = ("--encoder", "one,two", "--layers", "2,3/1", "--name", "fused")
    result = ser("train", "logreg", *BOTH, *words)
    assert result.exit_code == 0, result.stderr
    assert "layers 2, 3 of one; layers 1 of two" in result.stderr
    stored, predicted = cached_and_predicted(cached, "fused")
    np.testing.assert_allclose(stored, predicted, atol=2e-4)
    clip = next((cached / "DataSets" / "EmoDB" / "wav").glob("*.wav"))
    assert ser("predict", clip, "--model", "fused", "--timeline").exit_code == 0
    before = (cached / "runs" / "fused" / "scores.json").read_text()
    assert ser("evaluate", "fused").exit_code == 0
    assert (cached / "runs" / "fused" / "scores.json").read_text() == before
    assert ser("report").exit_code == 0
    assert ser("export", "fused", "--model-card", "--out", cached / "card.md").exit_code == 0
    card = (cached / "card.md").read_text()
    assert "253 features (features); layers 2, 3 of the encoder one" in card
    assert "side by side as" in card
    shown = ser("runs", "show", "fused").stdout
    assert "recipe.more_encoders.1.encoder" in shown
    explained = ser("explain", "fused", "--repeats", "2", "--format", "csv")
    assert explained.exit_code == 0, explained.output
    inputs = [line.split(",")[1] for line in explained.stdout.splitlines() if line.startswith("input,")]
    assert inputs == ["features", "one", "two"]


def test_a_speaker_can_be_enrolled(cached):
    words = ("--encoder", "two", "--normalise", "adaptive", "--name", "adapting")
    assert ser("train", "logreg", *BOTH, *words).exit_code == 0
    clips = sorted((cached / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))
    alone, known = (
        json.loads(ser("predict", clips[0], "--model", "adapting", "--format", "json", *more).stdout)
        for more in ((), ("--enrol", of_one_speaker(cached)))
    )
    assert alone["probabilities"] != known["probabilities"]


def test_a_fused_network_is_exported(cached):
    assert (
        ser(
            "train",
            "dnn",
            "--on",
            "features,embeddings",
            "--encoder",
            "one",
            "--epochs",
            "1",
            "--name",
            "net",
        ).exit_code
        == 0
    )
    exported = ser("export", "net", "--check", of_one_speaker(cached))
    assert exported.exit_code == 0, exported.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--on", "features,mels"),
            "on: logreg learns from vectors, which are features and embeddings; mels are read by crnn",
        ),
        (("--encoder", "one,one"), "'one,one' names an encoder twice"),
        (
            ("--encoder", "one,two", "--layers", "1/2/3"),
            "layers: there are choices for 3 encoders and 2 to learn",
        ),
        (("--on", "features,embeddings", "--normalise", "relative"), "normalise relative is for features"),
        (("--on", "features,embeddings"), "no features for these settings; run 'ser cache features'"),
    ],
)
def test_wrong_words_are_one_line(home, words, said):
    result = ser("train", "logreg", *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_encoder_or_a_layer_that_is_not_cached_is_one_line(cached):
    absent = ser("train", "logreg", "--encoder", "one,three")
    assert "no embeddings of three" in absent.stderr
    assert len(absent.stderr.splitlines()) == absent.exit_code == 1
    lacking = ser("train", "logreg", "--encoder", "one,two", "--layers", "1/9")
    assert "holds two, whose layers are 0 to 3; there is no layer 9" in lacking.stderr
    assert len(lacking.stderr.splitlines()) == lacking.exit_code == 1


@pytest.fixture(scope="module")
def averaged_files(cached_files, small_crnn, tmp_path_factory):
    """An ensemble of a network on mels, one on features, and a classifier of an encoder."""
    learned = ("--encoder", "one", "--c", "0.1", "--normalise", "adaptive")
    return made_in(
        tmp_path_factory,
        cached_files,
        ("cache", "mels", "--n-mels", "16", "--max-s", "1"),
        ("train", "crnn", "--n-mels", "16", "--max-s", "1", "--epochs", "1", "--name", "mels"),
        ("train", "dnn", "--epochs", "1", "--name", "features"),
        ("train", "logreg", *learned, "--name", "encoder"),
        ("train", "ensemble", "mels", "features", "encoder", "--name", "all"),
    )


@pytest.fixture
def averaged(corpus, averaged_files):
    """A copy of it to work in."""
    return shutil.copytree(averaged_files, corpus, dirs_exist_ok=True)


def test_an_ensemble_predicts_on_recordings_what_it_said_of_the_cached_clips(averaged):
    clips = sorted((averaged / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))[:3]
    card = json.loads((averaged / "runs" / "all" / "model.json").read_text())
    said = {
        name: [
            json.loads(line)["probabilities"]
            for line in ser("predict", *clips, "--model", name, "--format", "json").stdout.splitlines()
        ]
        for name in ("mels", "features", "encoder", "all")
    }
    weights = {member["name"]: member["weight"] for member in card["members"]}
    for number in range(len(clips)):
        mean = sum(weights[name] * np.array([*said[name][number].values()]) for name in weights)
        found = [*said["all"][number].values()]
        assert found == pytest.approx(temper(mean[None], card["temperature"])[0], abs=1e-5)
    model = load_model("all")
    wave = np.sin(np.arange(44_100) / 30).astype(np.float32) * np.linspace(0.1, 0.5, 44_100, dtype=np.float32)
    lived = Stream(model, 44_100).push(np.tile(wave, 3))
    assert len(lived) > 1
    followed = Stream(model, 44_100, PredictOptions(adapt=True)).push(np.tile(wave, 3))
    assert [each.end_s for each in followed] == [each.end_s for each in lived]
    model.warm_up()
    adapted, unusable = model.for_speaker([*clips, averaged / "nonesuch.wav"])
    voices = [[each.card.learned.voice for each in made.members] for made in (model, adapted)]
    assert voices[0][:2] == voices[1][:2] == [None, None]
    assert voices[0][2] != voices[1][2]
    assert len(unusable) == 1
    assert repr(model) == "Model(all: ensemble, anger, happiness, neutral, sadness)"
    with pytest.raises(RunError, match="an ensemble predicts on recordings and waves"):
        model.predict_clip(model.clip(clips[0]))
    with pytest.raises(RunError, match="an ensemble has no network of its own"):
        model.scorer.logits(wave, 1)


def test_an_ensemble_goes_through_every_command(averaged):
    clip = next((averaged / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))
    assert ser("predict", clip, "--model", "all", "--enrol", of_one_speaker(averaged)).exit_code == 0
    timeline = ser("predict", clip, "--model", "all", "--timeline", "--adapt", "--format", "json")
    assert timeline.exit_code == 0, timeline.output
    silent = averaged / "silent.wav"
    sf.write(silent, np.zeros(16_000), 16_000)
    assert (
        json.loads(ser("predict", silent, "--model", "all", "--format", "json").stdout)["decision"]
        == "no speech"
    )
    (averaged / "broken.wav").write_bytes(b"RIFF")
    broken = ser("predict", averaged / "broken.wav", "--model", "all")
    assert (broken.exit_code, len(broken.stderr.splitlines()) > 0) == (1, True)
    for words in (
        ("evaluate", "all"),
        ("report", "--runs", "all,mels"),
        ("compare", "all", "mels"),
        ("runs", "show", "all"),
        ("runs",),
    ):
        result = ser(*words)
        assert result.exit_code == 0, result.output
    assert ser("export", "all", "--model-card", "--out", averaged / "card.md").exit_code == 0
    assert "that of each member: 16 mel bands" in (averaged / "card.md").read_text()
    for words, said in {
        ("explain", "all"): "an ensemble decides by what its members say; explain one of them",
        ("export", "all"): "all: an ensemble is not a network; export one of its members",
        ("train", "--resume", "runs/all"): "an ensemble reads no store itself",
        ("train", "ensemble", "mels"): "two or more different runs, found one",
        ("train", "ensemble"): "two or more different runs, found none",
        ("train", "ensemble", "mels", "features", "--epochs", "3"): "--epochs: has no effect on an ensemble",
        ("train", "svm", "mels"): "mels: only an ensemble is made of runs",
    }.items():
        refused = ser(*words)
        assert refused.exit_code == 1, words
        assert said in refused.stderr
    shutil.rmtree(averaged / "runs" / "features")
    gone = ser("predict", clip, "--model", "all")
    assert gone.exit_code == 1
    assert "all: its member features is not at" in gone.stderr
    assert len(gone.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def files_with_mels(cached_files, tmp_path_factory):
    """Small mels at a rate of their own beside features and encoders."""
    home = shutil.copytree(cached_files, tmp_path_factory.mktemp("mels"), dirs_exist_ok=True)
    (home / "ser.toml").write_text("[front_end]\nn_mels = 8\nmax_s = 1.0\n[train]\nbatch_size = 16\n")
    return made_in(tmp_path_factory, home, ("cache", "mels"))


@pytest.fixture
def with_mels(corpus, files_with_mels):
    """A copy of them to work in."""
    return shutil.copytree(files_with_mels, corpus, dirs_exist_ok=True)


def test_mels_beside_vectors_go_through_every_command(with_mels):
    words = ("--on", "mels,features,embeddings", "--encoder", "one", "--layers", "2")
    trained = ser("train", "crnn", *words, "--epochs", "1", "--name", "early")
    assert trained.exit_code == 0, trained.output
    again = ser("train", "--resume", "early", "--epochs", "2")
    assert again.exit_code == 0, again.output
    run = with_mels / "runs" / "early"
    assert read_info(run).recipe.words == "crnn on mels and features and layers 2 of one"
    stored, predicted = cached_and_predicted(with_mels, "early")
    np.testing.assert_allclose(stored, predicted, atol=2e-4)
    before = (run / "scores.json").read_text()
    assert ser("evaluate", "early").exit_code == 0
    assert (run / "scores.json").read_text() == before
    explained = ser("explain", "early", "--repeats", "2", "--format", "csv")
    assert explained.exit_code == 0, explained.output
    inputs = [line.split(",")[1] for line in explained.stdout.splitlines() if line.startswith("input,")]
    assert inputs == ["mels", "features", "one"]
    assert ser("report").exit_code == 0
    assert ser("export", "early", "--model-card", "--out", with_mels / "card.md").exit_code == 0
    assert "the latter as 285 numbers beside the former" in (with_mels / "card.md").read_text()


def test_an_exported_network_on_mels_beside_vectors_decides_as_the_run(with_mels):
    words = ("--on", "mels,features", "--normalise", "adaptive", "--epochs", "1", "--name", "early")
    assert ser("train", "crnn", *words).exit_code == 0
    voice = of_one_speaker(with_mels)
    exported = ser("export", "early", "--check", voice)
    assert exported.exit_code == 0, exported.output
    assert "takes 'mel' and 'features'" in exported.output
    clips = sorted((with_mels / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))
    graph = with_mels / "runs" / "early" / "model.onnx"
    told = [
        json.loads(ser("predict", clips[1], "--model", model, "--format", "json", *more).stdout)[
            "probabilities"
        ]
        for more in ((), ("--enrol", voice))
        for model in ("early", graph)
    ]
    assert told[0] == pytest.approx(told[1], abs=1e-5)
    assert told[2] == pytest.approx(told[3], abs=1e-5)
    assert told[0] != told[2]
    assert ser("predict", clips[0], "--model", "early", "--timeline", "--adapt").exit_code == 0
    refused = ser("export", "early", "--front-end")
    assert "--front-end needs a model of mels alone" in refused.stderr
    whole = onnx.load(graph)
    (facts,) = [entry for entry in whole.metadata_props if entry.key == "ser"]
    said = json.loads(facts.value)
    for column in ("names", "center", "scale"):
        said["card"]["learned"]["scaling"][column].pop()
    facts.value = json.dumps(said)
    onnx.save(whole, graph)
    refused = ser("predict", clips[0], "--model", graph)
    assert refused.exit_code == 1
    assert "its input 'features' has shape [1, 253], its metadata say 252 numbers beside" in refused.stderr


def test_a_probe_takes_features_beside_its_frames(with_mels):
    encoder = with_mels / "encoders" / "one"
    assert ser("cache", "embeddings", "--encoder", encoder, "--frames", "--layers", "2").exit_code == 0
    words = ("--on", "frames,features", "--normalise", "speaker", "--epochs", "1", "--name", "probed")
    trained = ser("train", "probe", *words)
    assert trained.exit_code == 0, trained.output
    clips = sorted((with_mels / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))
    refused = ser("predict", clips[0], "--model", "probed")
    assert "needs 5 or more recordings of one person at once" in refused.stderr
    said = ser("predict", *clips, "--model", "probed", "--one-speaker", "--format", "json")
    told = {json.loads(line)["file"]: json.loads(line)["probabilities"] for line in said.stdout.splitlines()}
    table = pq.read_table(with_mels / "runs" / "probed" / "predictions.parquet").to_pylist()
    rows = {row["utterance_id"].rpartition("/")[2]: row for row in table}
    for clip in clips:
        row, probabilities = rows[clip.stem], told[str(clip)]
        assert [row[f"p_{name}"] for name in probabilities] == pytest.approx(
            [*probabilities.values()], abs=1e-3
        )
    refused = ser("export", "probed")
    assert refused.exit_code == 1
    assert "a probe with vectors beside its frames cannot be exported" in refused.stderr


def test_folds_and_ensembles_of_mels_beside_features(with_mels):
    words = ("--on", "mels,features", "--epochs", "1", "--split", "loso", "--fold")
    assert ser("manifest", "split", "loso").exit_code == 0
    for fold in ("0", "1"):
        trained = ser("train", "crnn", *words, fold, "--name", f"fold{fold}")
        assert trained.exit_code == 0, trained.output
    assert ser("train", "crnn", "--on", "mels,features", "--epochs", "1", "--name", "both").exit_code == 0
    assert ser("train", "logreg", "--c", "0.1", "--name", "plain").exit_code == 0
    assert ser("train", "ensemble", "both", "plain", "--name", "late").exit_code == 0
    stored, predicted = cached_and_predicted(with_mels, "late")
    np.testing.assert_allclose(stored, predicted, atol=2e-4)
    assert ser("compare", "both", "plain").exit_code == 0
    shutil.rmtree(with_mels / "cache" / "features")
    lost = ser("evaluate", "both")
    assert lost.exit_code == 1
    assert "run 'ser cache features'" in lost.stderr
