import numpy as np
import pytest
import safetensors.torch
import torch

from ser_pipeline.datasets.speakers import MIN_CLIPS
from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.evaluation.run import evaluate_run, score_run
from ser_pipeline.models.estimators import CANDIDATES, RATER_CANDIDATES, make_rater
from ser_pipeline.models.fitted import EstimatorNetwork, ratings_of
from ser_pipeline.runs.card import content_digest, read_card
from ser_pipeline.runs.curves import read_curves
from ser_pipeline.runs.files import read_info, write_info
from ser_pipeline.runs.types import CARD, WEIGHTS
from ser_pipeline.training.checkpoint import load_model, save_model
from ser_pipeline.training.classifiers import speaker_folds
from ser_pipeline.training.run import train_run, unfinished
from tests.training.conftest import Silent

CLASSIFIERS = sorted(CANDIDATES)


class Watch(Silent):
    def __init__(self):
        self.reports = []

    def epoch_done(self, report):
        self.reports.append(report)


@pytest.fixture
def featured(toy):
    toy.vectors = toy.write_features()
    return toy


@pytest.fixture
def fitted(featured, tmp_path):
    def run(name, model, watch=None, c=None, **changes):
        data = featured.data(model={"name": model, "c": c}, **changes)
        folder = tmp_path / "runs" / name
        info = train_run(data, folder, watch or Watch(), command=f"ser train {model}")
        return folder, info, data

    return run


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_a_run_has_the_files_of_any_other(fitted, featured, model):
    folder, info, data = fitted("a", model, c=0.05, normalise="speaker")
    scores = score_run(folder, data)
    assert {path.name for path in folder.iterdir()} == {
        "settings.json", "metrics.csv", "model.json", "model.safetensors", "predictions.parquet",
        "scores.json",
    }  # fmt: skip
    assert scores.parts["test"].pooled.uar.value > 0.6  # the emotions are there to be found
    assert (info.store_kind, info.best_epoch, info.extra["c"]) == ("features", 1, 0.05)
    assert info.parameters > 0
    again = evaluate_run(folder, manifests=featured.manifests, cache=featured.cache)
    assert again == scores


def test_the_penalty_is_chosen_on_validation_clips(fitted):
    watch = Watch()
    _, info, _ = fitted("a", "logreg", watch)
    tried = info.extra["candidates"]
    assert [entry["c"] for entry in tried] == list(CANDIDATES["logreg"])
    best = max(entry["uar"] for entry in tried)
    assert info.extra["c"] == next(entry["c"] for entry in tried if entry["uar"] == best)
    assert [report.note for report in watch.reports][:2] == ["c 0.003", "c 0.01"]


def test_a_finished_folder_is_left_as_it_is(fitted, featured):
    folder, info, data = fitted("a", "logreg", c=0.01)
    stamp = (folder / WEIGHTS).stat().st_mtime_ns
    assert not unfinished(folder, data.recipe)
    (folder / "scores.json").touch()
    assert train_run(data, folder, Watch(), command="") == info
    assert (folder / WEIGHTS).stat().st_mtime_ns == stamp
    assert (folder / "scores.json").is_file()


def test_a_classifier_of_an_earlier_version_is_trained_again_by_resuming(fitted):
    folder, info, data = fitted("a", "logreg", c=0.01)
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).rename(folder / "model.skops")
    with pytest.raises(
        RunError, match=r"not found; an earlier version wrote model\.skops instead; 'ser train --res"
    ):
        load_model(folder)
    assert unfinished(folder, data.recipe)
    again = train_run(data, folder, Watch(), command="")
    assert (again.created, again.extra["c"]) == (info.created, info.extra["c"])
    assert (folder / WEIGHTS).read_bytes() == content
    load_model(folder)


def test_the_same_seed_gives_the_same_probabilities(fitted):
    tables = []
    for name in "ab":
        folder, _, data = fitted(name, "gboost", c=0.1)
        score_run(folder, data)
        tables.append((folder / "predictions.parquet").read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_a_classifier_comes_back_as_it_was(fitted, model):
    folder, _, data = fitted("a", model, c=0.05)
    network, card = load_model(folder)
    assert isinstance(network, EstimatorNetwork)
    clips = data.clips(np.arange(10), card.learned)
    batch = clips.__getitems__(range(10))
    assert network(batch.inputs).exp().sum(1).numpy() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_a_foreign_file_is_refused(fitted, model):
    folder, _, _ = fitted("a", model, c=0.01)
    (folder / WEIGHTS).write_bytes(b"PK nonsense")
    with pytest.raises(RunError, match=r"is not the file that model\.json was written for"):
        load_model(folder)
    for content in (b"PK nonsense", safetensors.torch.save({"a": torch.ones(3)})):
        (folder / WEIGHTS).write_bytes(content)
        card = read_card(folder).model_copy(update={"weights_digest": content_digest(content)})
        (folder / CARD).write_text(card.model_dump_json())
        with pytest.raises(
            RunError, match=r"model\.safetensors: does not fit model\.json: .*; train it again"
        ):
            load_model(folder)


@pytest.mark.parametrize("normalise", ["none", "relative", "speaker"])
def test_a_poisoned_validation_row_changes_nothing_that_is_learned(featured, fitted, normalise):
    """Statistics come from training rows only: a wild value elsewhere must not move them."""
    clean = featured.data(model={"name": "logreg"}, normalise=normalise)
    learned = clean.learned()
    fitted_clean, _, _ = fitted("clean", "logreg", c=0.01, normalise=normalise)

    values = featured.vectors.copy()
    ids = clean.examples.table["audio_digest"].to_pylist()
    for part in ("validation", "test"):
        values[int(ids[clean.rows(part)[0]], 16)] = 1e6
    featured.write_features(values=values)
    poisoned = featured.data(model={"name": "logreg"}, normalise=normalise)
    assert poisoned.learned() == learned
    rows = clean.rows("train")
    assert np.array_equal(poisoned.vectors(rows), clean.vectors(rows))
    fitted_poisoned, _, _ = fitted("poisoned", "logreg", c=0.01, normalise=normalise)
    models = [load_model(folder)[0].scores.weight.detach() for folder in (fitted_clean, fitted_poisoned)]
    assert np.array_equal(*models)


def test_normalising_by_speaker_finds_emotions_under_loud_speakers(fitted):
    uar = {}
    for mode in ("none", "speaker"):
        folder, _, data = fitted(mode, "logreg", c=0.01, normalise=mode)
        uar[mode] = score_run(folder, data).parts["test"].pooled.uar.value
    assert uar["speaker"] >= uar["none"]
    assert uar["speaker"] > 0.9


def test_speakers_are_described_by_clips_of_other_emotions_too(featured):
    two = featured.data(model={"name": "logreg"}, normalise="speaker", task="4class", corpora=("emodb",))
    assert len(two.around.positions) == 60
    assert len(two.around.positions) / featured.SPEAKERS >= MIN_CLIPS


def test_probabilities_of_the_svm_come_from_held_out_speakers(featured):
    data = featured.data(model={"name": "svm"})
    rows = data.rows("train")
    speakers = data.examples.column("speaker_id")[rows]
    for fit, held in speaker_folds(data, data.examples.target[rows]):
        assert not set(speakers[fit]) & set(speakers[held])


def test_a_variant_of_a_clip_is_held_out_with_it(featured):
    data = featured.data(
        model={"name": "svm"}, normalise="adaptive", train_corpora=("emodb",), train_share=0.1
    )
    rows = data.learned_rows()
    assert len(np.unique(data.examples.column("speaker_id")[rows])) == 1
    assert len(rows) > len(np.unique(rows))
    folds = speaker_folds(data, data.examples.target[rows])
    for fit, held in folds:
        assert not {*rows[fit]} & {*rows[held]}
    assert sorted(np.concatenate([held for _, held in folds])) == [*range(len(rows))]
    some = np.flatnonzero(rows != rows[0])
    for fit, held in speaker_folds(data, data.examples.target[rows], some):
        assert sorted([*fit, *held]) == [*range(len(some))]


def test_the_average_speaker_is_one_of_those_learned_from(featured):
    def positions(**changes):
        around = featured.data(model={"name": "logreg"}, normalise="adaptive", **changes).around
        return around.speakers[around.part == 0]

    assert {name.partition("-")[0] for name in positions()} == {"emodb", "nemo"}
    assert {name.partition("-")[0] for name in positions(train_corpora=("emodb",))} == {"emodb"}
    assert len({*positions(train_share=0.1)}) == 2  # of each corpus one


def test_a_fit_that_was_cut_before_its_last_word_is_done_again(fitted):
    folder, info, data = fitted("a", "logreg", c=1.0)
    write_info(folder, info.model_copy(update={"stopped": None}))
    assert unfinished(folder, data.recipe)
    assert train_run(data, folder, Watch(), command="").stopped == info.stopped


def test_too_few_clips_for_an_svm_say_so(featured, tmp_path):
    data = featured.data(model={"name": "svm"})
    data.examples.target[:] = 0
    data.examples.target[data.rows("train")[0]] = 1
    with pytest.raises(TrainingError, match="svm needs two training clips of each class"):
        train_run(data, tmp_path / "r", Watch(), command="")


@pytest.mark.parametrize("model", ["cnn1d", "dnn"])
def test_networks_learn_from_features_too(fitted, featured, model):
    train = {"epochs": 6, "learning_rate": 0.01}
    folder, info, data = fitted("a", model, train=train, normalise="speaker")
    assert score_run(folder, data).parts["test"].pooled.uar.value > 0.6
    assert info.store_kind == "features"
    assert load_model(folder)[1].learned.scaling.mode == "speaker"
    assert evaluate_run(folder, manifests=featured.manifests, cache=featured.cache).parts.keys()


def test_opensmiles_sets_are_stores_like_any_other(featured, fitted):
    pytest.importorskip("opensmile")
    featured.write_features("egemaps")
    folder, info, _ = fitted("a", "logreg", c=0.01, feature_set="egemaps", normalise="speaker")
    assert info.store_kind == "egemaps"
    assert len(load_model(folder)[1].learned.scaling.names) == 88


def test_every_fold_is_fitted(featured, tmp_path):
    from ser_pipeline.training.folds import train_folds

    inputs = featured.inputs(model={"name": "logreg", "c": 0.01}, split="loco", fold="all")
    info = train_folds(inputs, tmp_path / "all", Watch(), command="")
    assert info.stopped == "all 2 folds are done"
    assert read_info(tmp_path / "all" / "fold-1").extra["c"] == 0.01
    assert "precision" not in read_info(tmp_path / "all" / "fold-1").extra  # of networks alone


@pytest.fixture
def rated(toy):
    """Ratings of one corpus alone, one number a class, and vectors from which classes can be told."""
    toy.write_manifest([row[3] / 4 - 0.4 if row[0] == "emodb" else None for row in toy.rows])
    toy.write_features()
    return toy


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_a_classifier_rates_clips_and_is_scored_on_rated_ones(rated, tmp_path, name):
    data = rated.data(model={"name": name, "c": 0.05, "dimensions": True})
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    ratings = {
        (each.dimension, each.name): each
        for each in scores.parts["test"].ratings
        if each.by in (None, "corpus")
    }
    assert ratings["valence", ""].pearson.value > 0.2
    assert ratings["valence", ""].clips == ratings["valence", "emodb"].clips == 12
    assert evaluate_run(tmp_path / "run", manifests=rated.manifests, cache=rated.cache) == scores
    chosen = read_info(tmp_path / "run").extra["raters"]
    assert [*chosen] == ["valence", "arousal", "dominance"]
    assert {*chosen.values()} <= {*RATER_CANDIDATES[name]}


def test_ratings_change_no_decision(rated, tmp_path):
    found = []
    for on in (True, False):
        data, folder = rated.data(model={"name": "logreg", "dimensions": on}), tmp_path / str(on)
        train_run(data, folder, Silent(), command="c")
        found.append(score_run(folder, data).parts["test"])
    assert found[0].pooled == found[1].pooled
    assert found[1].ratings == ()


def test_what_is_loaded_rates_as_what_was_fitted(rated, tmp_path):
    data = rated.data(model={"name": "logreg", "dimensions": True})
    info = train_run(data, tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    clips = data.training_vectors(card.learned)
    ratings = data.learned_examples().ratings()[:, 0]
    known = ~np.isnan(ratings)
    values = clips.values.numpy()[known].astype(np.float64)
    away = values - values.mean(0)
    square = away.T @ away + np.eye(values.shape[1]) / info.extra["raters"]["valence"]
    wanted = np.linalg.solve(square, away.T @ (ratings[known] - ratings[known].mean()))
    assert network.ratings.weight[0].detach().numpy() == pytest.approx(wanted, abs=1e-4)
    assert network.rate(torch.zeros(0, values.shape[1])).shape == (0, 3)


def test_a_classifier_needs_rated_clips(toy, tmp_path):
    toy.write_features()
    data = toy.data(model={"name": "logreg", "dimensions": True})
    with pytest.raises(
        TrainingError,
        match=r"^--dimensions: 0 training clips are rated for valence, 2 are needed; choose corpora",
    ):
        train_run(data, tmp_path / "run", Silent(), command="c")


def test_without_rated_validation_clips_the_middle_penalty_is_taken(toy, tmp_path):
    toy.write_features()
    validation = set(toy.data().examples.of_part("validation").column("utterance_id"))
    names = [f"{corpus}/{speaker}-{emotion}-{take}" for corpus, _, speaker, emotion, take in toy.rows]
    toy.write_manifest([None if name in validation else number / 120 for number, name in enumerate(names)])
    data = toy.data(model={"name": "logreg", "dimensions": True})
    info = train_run(data, tmp_path / "run", Silent(), command="c")
    assert {*info.extra["raters"].values()} == {RATER_CANDIDATES["logreg"][1]}


def test_a_model_file_of_other_features_is_refused(rated, tmp_path):
    data = rated.data(model={"name": "logreg", "dimensions": True})
    train_run(data, tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    network.ratings = ratings_of(
        "logreg", [make_rater("logreg", 1.0, seed=0).fit(np.eye(3), np.arange(3))] * 3
    )
    save_model(tmp_path / "run", network, card)
    with pytest.raises(RunError, match=r"does not fit model\.json: "):
        load_model(tmp_path / "run")


@pytest.mark.parametrize("name", sorted(RATER_CANDIDATES))
def test_ratings_alone_are_the_target(rated, tmp_path, name):
    data = rated.data(model={"name": name}, target="dominance,valence")
    assert data.counts() == {"train": 36, "validation": 12, "test": 12}
    info = train_run(data, tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    assert (card.emotions, card.target, info.emotions) == ((), ("valence", "dominance"), ())
    assert [*info.extra["raters"]] == ["valence", "dominance"]
    assert (network.only_rates, network.classes) == (True, 2)
    epochs = read_curves(tmp_path / "run")[0].epochs
    scores = score_run(tmp_path / "run", data)
    assert epochs[0]["validation_ccc"] == pytest.approx(scores.rated["validation"].ccc, abs=1e-4)
    assert epochs[0]["train_ccc"] == pytest.approx(scores.rated["train"].ccc, abs=1e-4)
    assert train_run(data, tmp_path / "run", Silent(), command="c") == info


def test_every_rated_clip_is_used_whatever_its_emotion(rated):
    with_emotions = rated.data(model={"name": "logreg"}, task="4class", target="valence")
    rated.rows = [(*row[:3], 11 if row[3] == 3 else row[3], row[4]) for row in rated.rows]  # contempt
    rated.write_manifest([row[4] / 10 if row[0] == "emodb" else None for row in rated.rows])
    assert rated.data(model={"name": "logreg"}).counts()["train"] == 54
    assert rated.data(model={"name": "logreg"}, target="valence").counts() == with_emotions.counts()


def test_a_penalty_that_is_given_is_taken(rated, tmp_path):
    info = train_run(
        rated.data(model={"name": "logreg", "c": 0.5}, target="valence"),
        tmp_path / "a",
        Silent(),
        command="c",
    )
    assert info.extra["raters"] == {"valence": 0.5}


def test_ratings_that_are_missing_or_all_alike_are_said(toy, tmp_path):
    toy.write_features()
    with pytest.raises(TrainingError, match=r"^task 'valence': no clip is rated for valence in the corpora"):
        toy.data(model={"name": "logreg"}, target="valence")
    toy.write_manifest([0.25] * len(toy.rows))
    data = toy.data(model={"name": "logreg"}, target="valence")
    alike = r"^target valence: 72 training clips of split 'speaker' are all rated 0.25, and 2 different"
    with pytest.raises(TrainingError, match=alike):
        train_run(data, tmp_path / "run", Silent(), command="c")
    assert not (tmp_path / "run").exists()


def test_too_few_rated_validation_clips_are_said(toy, tmp_path):
    toy.write_features()
    spared = sorted(toy.data().examples.of_part("validation").column("utterance_id"))[1:]
    names = [f"{corpus}/{speaker}-{emotion}-{take}" for corpus, _, speaker, emotion, take in toy.rows]
    toy.write_manifest([None if name in spared else number / 120 for number, name in enumerate(names)])
    data = toy.data(model={"name": "logreg"}, target="valence,arousal")
    said = r"^target valence: 1 validation clip of split 'speaker' is rated, and 2 .* leave valence out$"
    with pytest.raises(TrainingError, match=said):
        train_run(data, tmp_path / "run", Silent(), command="c")


@pytest.mark.parametrize("loss", ["ccc", "mse"])
def test_a_network_learns_ratings_and_goes_on_as_if_it_had_never_stopped(rated, tmp_path, loss):
    def trained(name, epochs):
        train = {"epochs": epochs, "rating_loss": loss}
        data = rated.data(model={"name": "dnn"}, target="valence,arousal", train=train)
        return train_run(data, tmp_path / name, Silent(), command="c"), data

    whole, data = trained("whole", 8)
    trained("parts", 3)
    trained("parts", 8)
    curves = [read_curves(tmp_path / name)[0].epochs for name in ("whole", "parts")]
    seconds = ("train_seconds", "validation_seconds")
    for one, other in zip(*curves, strict=True):
        assert {k: v for k, v in one.items() if k not in seconds} == {
            k: v for k, v in other.items() if k not in seconds
        }
    agreement = [epoch["validation_ccc"] for epoch in curves[0]]
    assert whole.best_epoch == int(np.argmax(agreement)) + 1
    assert curves[0][-1]["train_loss"] < curves[0][0]["train_loss"]
    scores = score_run(tmp_path / "whole", data)
    assert scores.rated["validation"].ccc == pytest.approx(max(agreement), abs=1e-3)
    assert scores == score_run(tmp_path / "parts", data)


def test_a_model_file_of_other_ratings_is_refused(rated, tmp_path):
    train_run(rated.data(model={"name": "logreg"}, target="valence"), tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    save_model(tmp_path / "run", network, card.model_copy(update={"target": ("valence", "arousal")}))
    with pytest.raises(RunError, match=r"does not fit model\.json: size mismatch for "):
        load_model(tmp_path / "run")
