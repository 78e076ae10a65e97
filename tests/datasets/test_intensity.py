import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.datasets.intensity import COLUMNS, intended_share, intensity_weights
from ser_pipeline.labels import emotion_id
from ser_pipeline.manifest import SCHEMA


def clip(corpus="cremad", intensity="unspecified", votes=None, rated=None, emotion="anger"):
    counts = None if votes is None else [(emotion_id(name), count) for name, count in votes.items()]
    values = (corpus, intensity, emotion_id(emotion), counts, rated)
    return dict(zip(COLUMNS, values, strict=True))


def table(*clips):
    return pa.Table.from_pylist(list(clips), pa.schema([SCHEMA.field(name) for name in COLUMNS]))


def weights(*clips, strength=0.5):
    return intensity_weights(table(*clips), strength=strength)


def test_the_formula():
    found = weights(
        clip(intensity="high", votes={"anger": 3, "fear": 1}, rated=0.6), clip(intensity="low", rated=0.2)
    )
    raw = np.exp(0.5 * np.array([1 + 0.2 + 0.5, -1 - 0.6]))
    assert found == pytest.approx(raw / raw.mean(), rel=1e-6)


@pytest.mark.parametrize(
    "rising",
    [
        [{"intensity": level} for level in ("low", "normal", "high")],
        [{"rated": value} for value in (0.1, 0.5, 0.9)],
        [{"votes": {"anger": heard, "fear": 10 - heard}} for heard in (0, 4, 10)],
    ],
    ids=["acted", "rated", "heard as intended"],
)
def test_weights_rise_with_each_kind_of_evidence(rising):
    found = weights(*(clip(**each) for each in rising))
    assert (np.diff(found) > 0.1).all()
    assert found.mean() == pytest.approx(1)


def test_the_mean_is_one_within_each_corpus(rng):
    levels = rng.choice(["low", "normal", "high"], 60)
    clips = [
        clip(("cremad", "ravdess", "emodb")[i % 3], levels[i], rated=float(i % 7) / 7) for i in range(60)
    ]
    found = weights(*clips, strength=1.5)
    for corpus in range(3):
        assert found[corpus::3].mean() == pytest.approx(1, rel=1e-6)
    assert found.std() > 0.3


def test_unrated_corpora_keep_their_weight_beside_rated_ones():
    found = weights(clip(rated=0.9), clip(rated=0.1), clip("emodb"), clip("emodb"))
    assert found[2:].tolist() == [1, 1]


def test_without_strength_all_weigh_alike():
    assert weights(clip(intensity="high"), clip(intensity="low"), strength=0.0).tolist() == [1, 1]


def test_the_intended_label_counts_and_not_the_most_frequent_answer():
    rows = table(
        clip(votes={"fear": 3, "anger": 1}), clip(emotion="fear", votes={"fear": 3, "anger": 1}), clip()
    )
    assert intended_share(rows).tolist() == [0.25, 0.75, pytest.approx(float("nan"), nan_ok=True)]
