import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app

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
