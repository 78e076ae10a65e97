import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline import load_model
from ser_pipeline.cli import app
from ser_pipeline.errors import RunError
from ser_pipeline.metrics import temper
from ser_pipeline.options import PredictOptions
from ser_pipeline.serving.stream import Stream

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


@pytest.fixture
def cached(corpus, make_encoder):
    """Features, and two encoders."""
    assert ser("cache", "features").exit_code == 0
    for kind, name in (("whisper", "one"), ("hubert", "two")):
        assert ser("cache", "embeddings", "--encoder", make_encoder(kind, name)).exit_code == 0
    return corpus


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
        for more in ((), ("--enrol", clips[0].parent))
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
    exported = ser("export", "net", "--check", cached / "DataSets")
    assert exported.exit_code == 0, exported.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on", "features,mels"), "--on mels: must be a list of features or embeddings"),
        (("--encoder", "one,one"), "'one,one' names an encoder twice"),
        (
            ("--encoder", "one,two", "--layers", "1/2/3"),
            "layers: there are choices for 3 encoders and 2 to learn",
        ),
        (("--on", "features,embeddings", "--normalise", "relative"), "normalise relative is of features"),
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
    assert "not layer 9; run 'ser cache embeddings" in lacking.stderr
    assert len(lacking.stderr.splitlines()) == lacking.exit_code == 1


@pytest.fixture
def averaged(cached):
    """An ensemble of a network on mels, one on features, and a classifier of an encoder."""
    for words in (
        ("cache", "mels", "--n-mels", "16", "--max-s", "1"),
        ("train", "crnn", "--n-mels", "16", "--max-s", "1", "--epochs", "1", "--name", "mels"),
        ("train", "dnn", "--epochs", "1", "--name", "features"),
        ("train", "logreg", "--encoder", "one", "--c", "0.1", "--normalise", "adaptive", "--name", "encoder"),
        ("train", "ensemble", "mels", "features", "encoder", "--name", "all"),
    ):
        result = ser(*words)
        assert result.exit_code == 0, result.output
    return cached


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
    assert ser("predict", clip, "--model", "all", "--enrol", clip.parent).exit_code == 0
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
        ("report",),
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
        ("export", "all"): "all: an ensemble is no network; export one of its members",
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
