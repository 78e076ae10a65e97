import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.score import score_predictions, training_priors
from ser_pipeline.labels import EMOTIONS, distance_matrix
from ser_pipeline.runs.predictions import prediction_schema

FOUR = EMOTIONS[:4]
CLIPS = 240


@pytest.fixture
def manifest(rng):
    corpus = rng.choice(["emodb", "nemo", "ravdess"], CLIPS, p=[0.5, 0.3, 0.2])
    speaker = np.char.add(np.char.add(corpus, "-"), rng.integers(0, 6, CLIPS).astype(str))
    return pa.table(
        {
            "utterance_id": [f"u{number}" for number in range(CLIPS)],
            "corpus": corpus,
            "language": [{"emodb": "de", "nemo": "pl"}.get(name, "en-US") for name in corpus],
            "gender": rng.choice(["female", "male"], CLIPS),
            "intensity": rng.choice(["normal", "high"], CLIPS),
            "modality": ["speech"] * CLIPS,
            "speaker_id": speaker,
        }
    )


def predicted(rng, emotions=FOUR, fold=None, clips=CLIPS):
    probabilities = rng.dirichlet(np.ones(len(emotions)), clips).astype(np.float32)
    columns = [
        [f"u{number}" for number in range(clips)],
        rng.choice(["train", "validation", "test"], clips),
        pa.array([fold] * clips, pa.int16()),
        rng.integers(0, len(emotions), clips).astype(np.int8),
        probabilities.argmax(1).astype(np.int8),
        *probabilities.T,
    ]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=prediction_schema(emotions))


@pytest.fixture
def predictions(rng):
    return predicted(rng)


@pytest.fixture
def scored(predictions, manifest):
    priors = {None: training_priors(predictions, manifest, 4)}
    return score_predictions(predictions, manifest, FOUR, priors)


def part(predictions, manifest, name="test"):
    frame = predictions.to_pandas().merge(manifest.to_pandas(), on="utterance_id")
    return frame[frame["part"] == name]


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_each_part_is_scored_over_its_own_clips(scored, predictions, manifest, name):
    rows, pooled = part(predictions, manifest, name), scored.parts[name].pooled
    assert pooled.clips == len(rows)
    assert pooled.speakers == rows["speaker_id"].nunique()
    assert pooled.accuracy.value == pytest.approx(sk.accuracy_score(rows["target"], rows["predicted"]))
    assert pooled.uar.value == pytest.approx(sk.balanced_accuracy_score(rows["target"], rows["predicted"]))
    f1 = sk.f1_score(rows["target"], rows["predicted"], average="macro")
    assert pooled.macro_f1.value == pytest.approx(f1)
    matrix = sk.confusion_matrix(rows["target"], rows["predicted"], labels=range(4))
    assert pooled.confusion == tuple(map(tuple, matrix.tolist()))
    assert [each.emotion for each in pooled.classes] == list(FOUR)
    assert pooled.uar.low < pooled.uar.value < pooled.uar.high


@pytest.mark.parametrize(
    ("kind", "column"),
    [("corpus", "corpus"), ("language", "language"), ("gender", "gender"), ("speaker", "speaker_id")],
)
def test_groups_are_scored_over_their_own_clips(scored, predictions, manifest, kind, column):
    rows = part(predictions, manifest)
    groups = {group.name: group for group in scored.parts["test"].groups if group.by == kind}
    assert sorted(groups) == sorted(rows[column].unique())
    for name, mine in rows.groupby(column):
        assert groups[name].clips == len(mine)
        assert groups[name].emotions == mine["target"].nunique()
        assert groups[name].speakers == mine["speaker_id"].nunique()
        assert groups[name].accuracy == pytest.approx((mine["target"] == mine["predicted"]).mean())
        recalls = (mine["target"] == mine["predicted"]).groupby(mine["target"]).mean()
        assert groups[name].uar == pytest.approx(recalls.mean())


def test_the_mean_of_corpora_gives_each_the_same_weight(scored):
    test = scored.parts["test"]
    corpora = [group for group in test.groups if group.by == "corpus"]
    assert test.macro_corpora["uar"] == pytest.approx(np.mean([group.uar for group in corpora]))


def test_the_guess_knows_training_clips_of_the_corpus_only(scored, predictions, manifest):
    train, test = (part(predictions, manifest, name) for name in ("train", "test"))
    best = train.groupby("corpus")["target"].agg(lambda column: column.value_counts().sort_index().idxmax())
    guess = test["corpus"].map(best)
    pooled = scored.parts["test"].pooled
    assert pooled.confound_accuracy == pytest.approx((guess == test["target"]).mean())
    assert pooled.confound_uar == pytest.approx(sk.recall_score(test["target"], guess, average="macro"))


def test_errors_have_a_distance_where_the_task_has_a_matrix(scored, predictions, manifest, rng):
    rows = part(predictions, manifest)
    wrong = rows[rows["target"] != rows["predicted"]]
    expected = np.array(distance_matrix(FOUR))[wrong["target"], wrong["predicted"]].mean()
    assert scored.parts["test"].pooled.error_distance == pytest.approx(expected)
    odd = ("anger", "boredom")
    without = score_predictions(predicted(rng, odd), manifest, odd, {None: {}})
    assert without.parts["test"].pooled.error_distance is None


def test_each_fold_is_guessed_by_its_own_priors(manifest, rng):
    both = pa.concat_tables([predicted(rng, fold=fold).slice(60 * fold, 60) for fold in (0, 1)])
    both = both.set_column(1, both.schema.field("part"), pa.array(["test"] * 120))
    every = set(manifest["corpus"].to_pylist())
    priors = {fold: {name: tuple(np.eye(4, dtype=int)[fold] * 9) for name in every} for fold in (0, 1)}
    pooled = score_predictions(both, manifest, FOUR, priors).parts["test"].pooled
    guess = np.repeat([0, 1], 60)
    assert pooled.confound_accuracy == pytest.approx((both["target"].to_numpy() == guess).mean())


def test_parts_without_clips_are_left_out(predictions, manifest):
    only = predictions.filter(pa.array([name == "test" for name in predictions["part"].to_pylist()]))
    assert list(score_predictions(only, manifest, FOUR, {None: {}}).parts) == ["test"]


def test_the_same_seed_gives_the_same_scores(predictions, manifest):
    priors = {None: training_priors(predictions, manifest, 4)}
    one, again, other = (
        score_predictions(predictions, manifest, FOUR, priors, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_a_recording_that_the_manifest_lacks_is_named(predictions, manifest):
    with pytest.raises(RunError, match="the manifest has no recording u200, which was predicted"):
        score_predictions(predictions, manifest.slice(0, 200), FOUR, {None: {}})


def test_an_emotion_of_which_one_speaker_has_clips_is_named(predictions, manifest):
    facts = (
        manifest.select(["utterance_id", "speaker_id"]).to_pandas().set_index("utterance_id")["speaker_id"]
    )
    rows = predictions.to_pandas()
    first = facts[rows["utterance_id"]].to_numpy() == facts.min()
    kept = predictions.filter(pa.array((rows["target"] != 1).to_numpy() | first))
    said = score_predictions(kept, manifest, FOUR, {None: {}}).parts["test"].pooled.interval
    assert f"because clips of {FOUR[1]} do not come from several known speakers" in said


def test_whoever_is_not_named_is_no_test_speaker(predictions, manifest):
    speakers = pa.array([f"{corpus}-unknown" for corpus in manifest["corpus"].to_pylist()])
    unnamed = manifest.set_column(manifest.column_names.index("speaker_id"), "speaker_id", speakers)
    scores = score_predictions(predictions, unnamed, FOUR, {None: training_priors(predictions, unnamed, 4)})
    assert scores.parts["test"].pooled.speakers == 0
    assert scores.parts["test"].pooled.line.endswith("clips of unknown speakers")
    assert {group.speakers for group in scores.parts["test"].groups} == {0}
    assert scores.parts["test"].pooled.uar.low is None
    clips = scores.parts["test"].pooled.clips
    assert scores.parts["test"].pooled.interval == f"no interval: {clips} clips do not say who speaks"
