import numpy as np
import pyarrow as pa
import pytest
import torch

from ser_pipeline.datasets.batch import VectorClips
from ser_pipeline.datasets.targets import (
    COLUMNS,
    JoinedClips,
    Taught,
    TrainingClips,
    intended_share,
    intensity_weights,
    soft_targets,
)
from ser_pipeline.errors import StoreMissing, TrainingError
from ser_pipeline.labels import TASKS, emotion_id
from ser_pipeline.manifest import SCHEMA
from ser_pipeline.manifest.ambiguity import vote_cells


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


def column(*rows, chunks=1):
    entries = [
        None if row is None else [(emotion_id(name), count) for name, count in row.items()] for row in rows
    ]
    size = -(-len(entries) // chunks)
    parts = [entries[start : start + size] for start in range(0, len(entries), size)]
    return pa.chunked_array([pa.array(part, SCHEMA.field("votes").type) for part in parts])


def test_votes_are_shares_of_the_tasks_classes():
    votes = column({"anger": 6, "sadness": 2, "disgust": 3}, {"neutral": 1})
    found = soft_targets(votes, np.array([3, 2]), TASKS["4class"])
    assert found.tolist() == [[0.75, 0, 0, 0.25], [0, 0, 1, 0]]  # disgust is no class
    assert found.dtype == np.float32


@pytest.mark.parametrize("nothing", [None, {}, {"disgust": 4, "other": 2}])
def test_without_a_vote_that_counts_the_label_stays(nothing):
    found = soft_targets(column({"anger": 1}, nothing), np.array([0, 3]), TASKS["4class"])
    assert found[1].tolist() == [0, 0, 0, 1]


def test_merged_emotions_count_as_what_they_merge_into():
    votes = column({"happiness": 1, "excitement": 2, "anger": 1})
    assert soft_targets(votes, np.array([0]), TASKS["iemocap4"])[0].tolist() == [0.25, 0.75, 0, 0]


def test_part_of_a_target_can_stay_with_the_label():
    votes = column({"anger": 1, "sadness": 1}, None)
    found = soft_targets(votes, np.array([1, 2]), TASKS["4class"], share=0.6)
    assert found[0].tolist() == pytest.approx([0.3, 0.4, 0, 0.3])
    assert found[1].tolist() == [0, 0, 1, 0]


def test_rows_are_distributions_however_the_column_is_stored(rng):
    rows = [
        {name: int(rng.integers(0, 9)) for name in ("anger", "sadness", "fear", "neutral")} for _ in range(50)
    ]
    targets = rng.integers(0, 6, 50)
    found = soft_targets(column(*rows), targets, TASKS["6class"])
    assert found.sum(1) == pytest.approx(np.ones(50))
    assert (found == soft_targets(column(*rows, chunks=7), targets, TASKS["6class"])).all()
    some = soft_targets(
        column(*rows)[10:30].take(pa.array([3, 0, 19])), targets[[13, 10, 29]], TASKS["6class"]
    )
    assert (some == found[[13, 10, 29]]).all()


def test_no_clips_have_no_votes():
    clip, identity, count = vote_cells(column({"anger": 1})[:0])
    assert (len(clip), len(identity), len(count)) == (0, 0, 0)


@pytest.fixture
def clips(rng):
    return VectorClips(rng.standard_normal((6, 3)).astype(np.float32), np.arange(6) % 2)


def test_batches_carry_their_clips_targets_and_weights(clips):
    soft = np.eye(6, 2, dtype=np.float32)
    batch = TrainingClips(clips, soft, np.arange(6, dtype=np.float32)).__getitems__([4, 1])
    assert batch.weights.tolist() == [4.0, 1.0]
    assert torch.equal(batch.soft, torch.from_numpy(soft[[4, 1]]))
    assert torch.equal(batch.inputs, clips.values[[4, 1]])


def test_without_them_a_batch_has_neither(clips):
    batch = TrainingClips(clips)[3]
    assert (batch.soft, batch.weights) == (None, None)
    assert len(TrainingClips(clips)) == 6


def test_a_run_has_them_where_its_recipe_wants_them_and_in_training_only(toy):
    plain = toy.data()
    assert not isinstance(plain.training_clips(plain.learned()), TrainingClips)
    data = toy.data(train={"soft_labels": 0.5, "intensity_strength": 1.0})
    learned = data.learned()
    training = data.training_clips(learned)
    assert isinstance(training, TrainingClips)
    assert training.carried["weights"].mean() == pytest.approx(1)
    assert torch.equal(
        training.carried["soft"].argmax(1), torch.from_numpy(data.examples.target[data.rows("train")])
    )
    assert not isinstance(data.clips(data.rows("validation"), learned), TrainingClips)


def test_joined_sets_are_numbered_set_after_set(rng):
    parts = [VectorClips(rng.standard_normal((6, 3)).astype(np.float32), np.arange(6)) for _ in range(3)]
    joined = JoinedClips(parts)
    assert len(joined) == 18
    batch = joined.__getitems__([13, 2, 6, 17, 2])
    assert batch.numbers.tolist() == [13, 2, 6, 17, 2]
    assert batch.targets.tolist() == [1, 2, 0, 5, 2]
    expected = [
        parts[2].values[1],
        parts[0].values[2],
        parts[1].values[0],
        parts[2].values[5],
        parts[0].values[2],
    ]
    assert torch.equal(batch.inputs, torch.stack(expected))


def test_joined_sets_may_be_of_any_size():
    parts = [VectorClips(np.full((size, 1), size, np.float32), np.arange(size)) for size in (4, 1, 2)]
    joined = JoinedClips(parts)
    assert len(joined) == 7
    batch = joined.__getitems__([6, 0, 4, 5, 3])
    assert batch.inputs[:, 0].tolist() == [2, 4, 1, 2, 4]
    assert batch.targets.tolist() == [1, 0, 0, 0, 3]


def test_joined_sets_that_are_read_in_pieces_share_no_shard(toy):
    toy.write_variants(1)
    data = toy.data(train={"copies": 1})
    rows = data.rows("train")
    clean = data.clips(rows, data.learned(), memory_limit=0)
    joined = JoinedClips([clean, clean])
    assert set(joined.shards[: len(rows)]).isdisjoint(joined.shards[len(rows) :])
    assert joined.buffer == 2 * clean.buffer


def test_all_that_is_learned_from_is_in_memory_or_none_of_it(toy, monkeypatch):
    data = toy.data()
    rows, some = data.rows("train"), data.rows("test")[:5]  # few recordings without a label
    taught = Taught(None, None, None, data.examples.take(some), data.positions[some])
    every = data.with_taught(taught, synthetic=False)
    clip = data.clips(some[:1], data.learned()).nbytes
    for clips, kept in ((len(rows), False), (len(rows) + 5, True)):
        monkeypatch.setattr("ser_pipeline.datasets.run_data.MEMORY_LIMIT", clips * clip)
        joined = every._with_variants(data.learned())
        assert [part.shards is None for part in (*joined.parts, joined)] == [kept] * 3
        assert joined.buffer == (0 if kept else len(rows) - 1)  # rounded down, set by set


def test_variants_are_of_training_clips_and_in_training_alone(toy):
    toy.write_variants(2)
    data = toy.data(train={"copies": 2, "soft_labels": 0.5})
    rows, learned = data.rows("train"), data.learned()
    training = data.training_clips(learned)
    assert len(training) == 3 * len(rows)
    everything = training.__getitems__(range(len(training)))
    numbers = everything.inputs[:, 0, 0].view(3, -1)[1:] - torch.tensor([[2.0], [3.0]])
    own = [int(digest, 16) for digest in data.examples.table["audio_digest"].to_pylist()]
    expected = torch.tensor([own[row] / 100 for row in rows]).repeat(2, 1)
    assert torch.allclose(numbers, expected, atol=3e-3)
    assert torch.equal(everything.targets, torch.from_numpy(np.tile(data.examples.target[rows], 3)))
    assert torch.equal(everything.soft.argmax(1), everything.targets)
    for part in ("validation", "test"):
        clips = data.clips(data.rows(part), learned)
        assert len(clips) == len(data.rows(part))
        assert clips.__getitems__(range(len(clips))).inputs.max() < 2  # every variant lies above
    assert len(data.chances()) == len(training)
    assert data.drawn_counts().sum() == pytest.approx(len(training))


def test_variants_change_nothing_that_is_learned_from_clean_clips(toy):
    toy.write_variants(1, front_end={"level": "corpus_rms"})
    plain = toy.data(front_end={"level": "corpus_rms"})
    data = toy.data(front_end={"level": "corpus_rms"}, train={"copies": 1})
    assert data.learned() == plain.learned()


def test_another_variant_stands_in_for_one_that_failed(toy):
    number = int(toy.data().examples.of_part("train").column("audio_digest")[0], 16)
    toy.write_variants(2, failed=[(number, 1)])
    data = toy.data(train={"copies": 2})
    first, second = data.variants.positions
    assert first[0] == second[0] >= 0
    assert (first[1:] != second[1:]).all()


def test_a_clip_all_of_whose_variants_failed_is_named(toy):
    number = int(toy.data().examples.of_part("train").column("audio_digest")[0], 16)
    toy.write_variants(1, failed=[(number, 1)])
    with pytest.raises(
        TrainingError, match=r"no variant of 1 training clip could be made, as '.*': too short; "
    ):
        toy.data(train={"copies": 1})


def test_variants_that_were_never_computed_are_asked_for(toy):
    with pytest.raises(StoreMissing, match="ser cache augment --copies 2"):
        toy.data(train={"copies": 2})
    toy.write_variants(1)
    with pytest.raises(StoreMissing, match=r"lacks \d+ of \d+ variants of training clips; .*--copies 2"):
        toy.data(train={"copies": 2})
    assert toy.inputs(train={"copies": 1}).variants is not None
