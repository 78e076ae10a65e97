import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from ser_pipeline.api import fit_and_score
from ser_pipeline.datasets.targets import TrainingClips
from ser_pipeline.datasets.taught import without
from ser_pipeline.errors import ManifestError, RunError, SettingsError, StoreMissing, TrainingError
from ser_pipeline.evaluation.run import evaluate_run
from ser_pipeline.manifest import SCHEMA, read_manifest
from ser_pipeline.manifest.schema import write_table
from ser_pipeline.options import TrainOptions
from ser_pipeline.options.made import chosen_recipe
from ser_pipeline.runs.card import read_card, write_card
from ser_pipeline.runs.files import read_info, write_info
from ser_pipeline.training import classifiers
from ser_pipeline.training import teacher as teachers
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.folds import train_folds
from ser_pipeline.training.run import train_run
from ser_pipeline.training.teacher import Teacher, taught
from tests.training.conftest import Silent


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def teach(toy, runs):
    """Train a run that can teach others; a classifier of features."""

    def made(name="teacher", **changes):
        if not (toy.cache / "features").exists():
            toy.write_features()
        data = toy.data(changes.pop("number", None), **{"model": {"name": "logreg", "c": 1.0}, **changes})
        train_run(data, runs / name, Silent(), command="c")
        return runs / name

    return made


@pytest.fixture
def pupil(toy, runs):
    """Clips of a network that learns from the run ``teacher``, or as its options say."""

    def made(fold=None, **train):
        inputs = toy.inputs(train={"teacher": "teacher", **train}, fold=fold)
        return taught(inputs, inputs.run_data(fold), runs)

    return made


@pytest.fixture
def add_rows(toy):
    """Write a manifest of further recordings, which the toy's stores have or lack."""

    def made(folder, rows, facts=(), **values):
        first = read_manifest(toy.manifests).table.slice(0, 1).to_pylist()[0]
        table = [
            {**first, "utterance_id": f"{corpus}/x{number}", "path": f"{corpus}/x{number}.wav",
             "corpus": corpus, "speaker_id": speaker, "audio_digest": toy.digest(number), **values}
            for number, corpus, speaker in rows
        ]  # fmt: skip
        write_table(pa.Table.from_pylist(table, SCHEMA), dict(facts), folder / "manifest.parquet")
        return folder

    return made


def soft(data):
    clips = data.training_clips(data.learned())
    assert isinstance(clips, TrainingClips)
    return clips.carried["soft"].numpy()


def answers(toy):
    (path,) = (toy.cache / "teachers").iterdir()
    return path


def test_targets_follow_the_teacher_by_the_share_asked_for(teach, pupil, toy):
    teach()
    labels = np.eye(4)[toy.data().examples.of_part("train").target]
    wholly = soft(pupil(teacher_weight=1.0))
    assert wholly.sum(1) == pytest.approx(1)
    assert not np.allclose(wholly, labels)
    assert soft(pupil(teacher_weight=0.25)) == pytest.approx(0.25 * wholly + 0.75 * labels, abs=1e-6)
    assert soft(pupil(teacher_weight=0.0)) == pytest.approx(labels)


def test_temperature_softens_beyond_that_of_validation_clips(teach, pupil, toy):
    folder = teach()
    write_card(folder, read_card(folder).model_copy(update={"temperature": 1.5}))
    one, two = (soft(pupil(teacher_weight=1.0, teacher_temperature=t)) for t in (1.0, 2.0))
    table = pq.read_table(answers(toy))
    place = {digest: row for row, digest in enumerate(table["audio_digest"].to_pylist())}
    logits = np.array(table["logits"].to_pylist())
    asked = toy.data().examples.of_part("train").column("audio_digest")
    wanted = torch.tensor(logits[[place[digest] for digest in asked]]) / 1.5
    assert one == pytest.approx(wanted.softmax(1).numpy(), abs=1e-5)
    assert two == pytest.approx((wanted / 2).softmax(1).numpy(), abs=1e-5)


def test_training_clips_are_judged_by_a_teacher_that_does_not_know_their_speakers(teach, pupil, toy):
    folder = teach()
    own = toy.data(model={"name": "logreg"})
    network, card = load_model(folder)
    learned = network(own.clips(own.rows("train"), card.learned).values).softmax(1).numpy()
    targets = own.examples.target[own.rows("train")]
    known = soft(pupil(teacher_held_out="never", teacher_weight=1.0))
    assert known == pytest.approx(learned, abs=1e-5)
    honest = soft(pupil(teacher_weight=1.0))
    right = np.arange(len(targets)), targets
    assert honest[right].mean() < known[right].mean()
    assert not read_info(folder).teacher
    assert pupil().taught.info.held_out
    assert not pupil(teacher_held_out="never").taught.info.held_out


def test_a_network_teaches_as_it_is(teach, pupil):
    teach(model={"name": "dnn"}, train={"epochs": 1})
    data = pupil(teacher_weight=1.0, teacher_embedding_weight=0.5)
    assert data.taught.embeddings.shape == (72, 128)
    assert not data.taught.info.held_out
    assert data.taught.info.what == "dnn on features"
    said = data.taught.info.sentences(data.recipe.train)
    assert "That teacher had learned the training clips itself, so it is surer of them." in said


def test_a_network_is_trained_again_without_the_speakers_it_judges(teach, pupil, toy, monkeypatch):
    folder = teach(model={"name": "dnn"}, train={"epochs": 6})
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    targets = toy.data().examples.of_part("train").target
    right = np.arange(len(targets)), targets
    known = soft(pupil(teacher_weight=1.0))
    seen = []
    monkeypatch.setattr(
        teachers,
        "train_run",
        lambda data, *rest, **named: [seen.append(data), train_run(data, *rest, **named)],
    )
    data = pupil(teacher_weight=1.0, teacher_held_out="always", teacher_embedding_weight=0.5)
    assert data.taught.info.held_out
    assert "refitted without their speakers" in data.taught.info.sentences(data.recipe.train)
    assert soft(data)[right].mean() < known[right].mean()
    everyone = set(toy.data().examples.of_part("train").column("speaker_id").tolist())
    left = [set(each.examples.of_part("train").column("speaker_id").tolist()) for each in seen]
    assert len(left) == 5
    assert set.union(*(everyone - some for some in left)) == everyone
    assert all(len(each.rows("validation")) == len(toy.data().rows("validation")) for each in seen)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    as_it_is = pupil(teacher_weight=1.0, teacher_embedding_weight=0.5)
    assert np.array_equal(data.taught.embeddings, as_it_is.taught.embeddings)
    assert data.taught.info.digest != as_it_is.taught.info.digest


def test_a_network_that_was_taught_itself_is_asked_as_it_is(teach, pupil, toy, runs):
    teach("first")
    inputs = toy.inputs(model={"name": "dnn"}, train={"teacher": "first", "epochs": 1})
    train_run(taught(inputs, inputs.run_data(None), runs), runs / "teacher", Silent(), command="c")
    assert not pupil(teacher_held_out="always").taught.info.held_out


@pytest.mark.parametrize(("old", "new"), [(True, "auto"), (False, "never"), ("always", "always")])
def test_settings_of_before_there_were_three_values_are_read(old, new):
    assert TrainOptions.model_validate({"teacher_held_out": old}).teacher_held_out == new


def test_it_is_asked_once(teach, pupil, toy, monkeypatch):
    teach()
    first = pupil()
    before = answers(toy).read_bytes()
    monkeypatch.setattr(Teacher, "own", property(lambda self: pytest.fail("the teacher was asked again")))
    again = pupil()
    assert np.array_equal(first.taught.probabilities, again.taught.probabilities)
    assert answers(toy).read_bytes() == before
    assert answers(toy).stem == first.taught.info.digest


def test_answers_that_are_damaged_are_said(teach, pupil, toy):
    teach()
    pupil()
    path = answers(toy)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"\.parquet: cannot be read: .*; delete it, and the teacher is asked"):
        pupil()
    pq.write_table(pa.table({"audio_digest": ["a"]}), path)
    with pytest.raises(RunError, match="does not hold a teacher's answers; delete it"):
        pupil()
    columns = {"audio_digest": ["a"], "logits": [[1.0, 2.0]], "embedding": [[]]}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(RunError, match="holds 2 scores a clip, not one for each class; delete it"):
        pupil()


def test_variants_are_judged_as_what_they_are_variants_of(teach, pupil, toy):
    teach()
    toy.write_variants(2)
    found = soft(pupil(teacher_weight=1.0, copies=2))
    assert found.reshape(3, 72, 4) == pytest.approx(np.stack([soft(pupil(teacher_weight=1.0))] * 3))


def test_a_clip_that_the_teacher_cannot_read_keeps_its_label(teach, pupil, toy):
    values = toy.write_features()
    lost = next(number for number, row in enumerate(toy.rows) if toy.data().examples.part[number] == 0)
    rows = [number for number in range(len(toy.rows)) if number != lost]
    rewrite_features(toy, rows, values[rows], failed=((toy.digest(lost), "silent"),))
    teach()
    found = soft(pupil(teacher_weight=1.0))
    clip = toy.data().examples.of_part("train").column("audio_digest").tolist().index(toy.digest(lost))
    assert found[clip] == pytest.approx(np.eye(4)[toy.rows[lost][3]])
    assert (np.delete(found, clip, 0).max(1) < 1).all()


def rewrite_features(toy, numbers, values, failed):
    from ser_pipeline.front_end import layout_of
    from ser_pipeline.options import FeatureOptions, feature_options
    from ser_pipeline.store import provenance, store_folder
    from ser_pipeline.store.shard import ShardRows, shard_path, write_shard

    options = feature_options("named", FeatureOptions())
    count = len(numbers)
    rows = ShardRows(
        values,
        np.ones(count, np.int16),
        np.full(count, -20, np.float32),
        np.array([toy.digest(number) for number in numbers], "S32"),
        np.zeros(count, np.int16),
        np.array(["speech"] * count, "S8"),
        failed,
    )
    folder, described = store_folder(toy.cache, options), provenance(options)
    write_shard(shard_path(folder, 0), rows, layout=layout_of(options), name=folder.name, described=described)


def test_recordings_without_a_label_are_learned_from_the_teacher_alone(teach, toy, runs):
    teach(train_share=0.5)
    train = {"teacher": "teacher", "unlabelled": str(toy.manifests)}
    inputs = toy.inputs(train=train, train_share=0.5)
    data = taught(inputs, inputs.run_data(), runs)
    labelled = len(data.rows("train"))
    assert 0 < labelled < 72
    assert data.taught.info.unlabelled == 72 - labelled == len(data.taught.unlabelled)
    assert len(data.learned_examples()) == 72
    found = soft(data)
    assert found[labelled:] == pytest.approx(data.taught.probabilities[labelled:])
    assert (data.taught.unlabelled.target == found[labelled:].argmax(1)).all()
    assert set(data.taught.unlabelled.table["emotion_id"].to_pylist()) == {-1}
    clips = data.training_clips(data.learned())
    assert clips.clips.ends.tolist() == [labelled, 72]
    batch = clips.__getitems__([71, 0])
    assert batch.targets.tolist() == [
        data.taught.unlabelled.target[-1],
        data.examples.target[data.rows("train")[0]],
    ]


def test_nobody_who_is_judged_is_learned_without_a_label(teach, toy, pupil, add_rows, tmp_path):
    teach()
    data = toy.data()
    judged = data.examples.part > 0
    person = data.examples.column("speaker_id")[judged][0]
    clip = data.examples.column("audio_digest")[judged][0]
    more = len(toy.rows)
    toy.rows = [*toy.rows, toy.rows[0], toy.rows[0]]
    toy.write_store()
    rewrite_features(toy, range(more + 2), np.ones((more + 2, 253), np.float32), ())
    rows = [(more, "nemo", "nemo-new"), (more + 1, "nemo", person), (int(clip, 16), "nemo", "nemo-other"),
            (0 if clip != toy.digest(0) else 1, "emodb", "emodb-0")]  # fmt: skip
    other = add_rows(tmp_path / "other", rows, emotion_id=4)
    found = pupil(unlabelled=str(other)).taught.unlabelled.column("audio_digest").tolist()
    assert toy.digest(more) in found
    assert toy.digest(more + 1) not in found
    assert clip not in found


def test_synthetic_recordings_without_a_label_make_a_run_synthetic(
    teach, toy, pupil, add_rows, runs, tmp_path
):
    teach()
    more = len(toy.rows)
    toy.rows = [*toy.rows, toy.rows[0]]
    toy.write_store()
    rewrite_features(toy, range(more + 1), np.ones((more + 1, 253), np.float32), ())
    rows, facts = [(more, "nemo", "nemo-new")], {"synthetic_corpora": ["nemo"]}
    other = add_rows(tmp_path / "other", rows, facts, emotion_id=4)
    data = pupil(unlabelled=str(other), epochs=1)
    assert train_run(data, runs / "pupil", Silent(), command="c").synthetic
    assert read_card(runs / "pupil").synthetic
    again = toy.inputs(train={"teacher": "teacher", "unlabelled": str(other), "epochs": 1}).run_data()
    assert train_run(again, runs / "pupil", Silent(), command="c").synthetic


def refused(pupil, kind, match, **changes):
    with pytest.raises(kind, match=match):
        pupil(**changes)


def test_a_teacher_that_may_not_teach_is_refused_in_one_line(teach, toy, pupil, runs):
    refused(pupil, RunError, "run 'teacher' does not exist; the newest in .* are: none")
    teach("task", task="4class", merges={"calm": "neutral"})
    refused(pupil, RunError, "task: the teacher predicts .*, this run anger, .*; both must", teacher="task")
    teach("other", number=0, split="loco")
    refused(pupil, RunError, "on another split, so it may have learned from clips that", teacher="other")
    folder = teach()
    info = read_info(folder)
    for change, match in (
        ({"emotions": ("anger", "fear")}, "the teacher predicts anger, fear, this run anger, happiness"),
        ({"manifest_digest": "0"}, "on another manifest, so it may have .*; train it on the same manifest"),
        ({"split": info.split.model_copy(update={"digest": "0"})}, "trained on another split"),
        ({"split": info.split.model_copy(update={"fold": "1"})}, "trained on another fold"),
        ({"stopped": None}, "the teacher's training has not ended; 'ser train --resume .*teacher' ends it"),
        ({"counts": {"train": 72, "validation": 0}}, "the teacher has no validation clips, so nothing"),
    ):
        write_info(folder, info.model_copy(update=change))
        refused(pupil, RunError, match)
    write_info(folder, info)
    (folder / "model.safetensors").unlink()
    refused(pupil, RunError, "not found; the run has no trained network")


def test_a_teacher_whose_store_is_gone_or_lacks_clips_is_refused(teach, toy, pupil):
    teach()
    values = toy.write_features()
    rewrite_features(toy, range(len(toy.rows) - 40), values[:-40], ())
    refused(pupil, StoreMissing, r"the store lacks \d+ of \d+ clips; run 'ser cache features --cache ")
    shutil.rmtree(toy.cache / "features")
    refused(pupil, StoreMissing, "no features for these settings; run 'ser cache features --cache ")


def test_recordings_without_a_label_must_be_there(teach, toy, pupil, add_rows, tmp_path):
    teach()
    refused(
        pupil, ManifestError, "nowhere/manifest.parquet: .*not found", unlabelled=str(tmp_path / "nowhere")
    )
    other = add_rows(tmp_path / "other", [(5000, "nemo", "nemo-new")])
    what = f"1 of 1 recordings of {other} as mels; run 'ser cache mels .*--manifests {other}'"
    refused(pupil, StoreMissing, f"the store lacks {what}", unlabelled=str(other))
    none = "none of 120 recordings can be learned without a label"
    refused(pupil, TrainingError, none, unlabelled=str(toy.manifests))


def test_options_of_a_teacher_need_one():
    for name, value in (("teacher_weight", 0.1), ("unlabelled", "manifests"), ("teacher_held_out", "never")):
        with pytest.raises(SettingsError, match=f"train.{name}: has no effect on training without a teacher"):
            chosen_recipe("crnn", **{name: value})
    with pytest.raises(SettingsError, match=r"train\.teacher: has no effect on model svm"):
        chosen_recipe("svm", teacher="a")
    assert chosen_recipe("crnn", teacher=Path("runs/a")).train.teacher == "runs/a"


@pytest.mark.parametrize("model", ["crnn", "resnet", "mhsa", "dnn", "cnn1d"])
def test_every_network_can_be_taught(teach, toy, runs, model):
    teach()
    train = {"teacher": "teacher", "teacher_embedding_weight": 0.5, "epochs": 1}
    inputs = toy.inputs(model={"name": model}, train=train)
    data = taught(inputs, inputs.run_data(), runs)
    info = train_run(data, runs / "pupil", Silent(), command="c")
    assert info.teacher.run == "teacher"
    assert info.taught.startswith("Beside the labels, it learned the probabilities that run teacher (logreg")
    network, _ = load_model(runs / "pupil")
    assert not any("projection" in name for name in network.state_dict())
    assert info.parameters == sum(each.numel() for each in network.parameters())


def test_a_taught_run_goes_on_as_if_it_had_never_stopped(teach, runs, pupil):
    teach()
    options = {"teacher_embedding_weight": 1.0, "mixup": {"alpha": 0.2}}
    for name, parts in (("whole", (3,)), ("parts", (1, 3))):
        for epochs in parts:
            train_run(pupil(epochs=epochs, **options), runs / name, Silent(), command="c")
    one, other = (torch.load(runs / name / "last.ckpt", weights_only=True) for name in ("whole", "parts"))
    assert "projection.weight" in one["state_dict"]
    for key, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][key]), key


def test_a_run_does_not_go_on_with_another_teacher(teach, runs, pupil):
    teach()
    train_run(pupil(), runs / "pupil", Silent(), command="c")
    shutil.rmtree(runs / "teacher")
    teach(model={"name": "logreg", "c": 0.01})
    with pytest.raises(RunError, match="the teacher is not the one this run was trained on"):
        train_run(pupil(epochs=3), runs / "pupil", Silent(), command="c")


def test_scoring_needs_no_teacher(teach, toy, runs):
    teach()
    inputs = toy.inputs(train={"teacher": "teacher", "epochs": 1})
    run = fit_and_score(runs / "pupil", inputs, command="c")
    shutil.rmtree(runs / "teacher")
    shutil.rmtree(toy.cache / "teachers")
    again = fit_and_score(runs / "pupil", inputs, command="c")
    assert again.info == run.info
    assert evaluate_run(runs / "pupil", manifests=toy.manifests, cache=toy.cache) == run.scores


def test_each_fold_is_taught_by_the_same_fold(toy, runs):
    toy.write_features()
    teacher = toy.inputs(split="loco", fold="all", model={"name": "logreg", "c": 1.0}, train_share=0.5)
    train_folds(teacher, runs / "teacher", Silent(), command="c")
    train = {"teacher": "teacher", "epochs": 1, "unlabelled": str(toy.manifests)}
    inputs = toy.inputs(split="loco", fold="all", train=train, train_share=0.5)
    info = train_folds(inputs, runs / "pupil", Silent(), command="c")
    folds = [read_info(runs / "pupil" / f"fold-{number}").teacher for number in (0, 1)]
    assert [each.run for each in folds] == ["teacher/fold-0", "teacher/fold-1"]
    assert (info.teacher.run, info.teacher.unlabelled) == ("teacher", sum(each.unlabelled for each in folds))
    shutil.rmtree(runs / "teacher" / "fold-1")
    with pytest.raises(RunError, match="fold-1: not found; the teacher was not trained on this fold"):
        train_folds(inputs, runs / "again", Silent(), command="c")
    assert not (runs / "again" / "fold-0").exists()


def test_clips_are_left_out_with_their_variants(toy):
    toy.write_variants(2)
    data = toy.data(train={"copies": 2})
    dropped = np.arange(len(data.examples)) % 3 == 0
    found = without(data, dropped)
    assert len(found.examples) == (~dropped).sum()
    assert (
        found.examples.column("audio_digest").tolist()
        == data.examples.column("audio_digest")[~dropped].tolist()
    )
    assert found.rows("validation").size == (~dropped[data.rows("validation")]).sum()
    wanted = data.variants.positions[:, ~dropped[data.rows("train")]]
    assert np.array_equal(found.variants.positions, wanted)
    learned = found.learned()
    whole = data.training_clips(data.learned())
    kept = np.flatnonzero(~np.tile(dropped[data.rows("train")], 3))
    some = found.training_clips(learned)
    assert len(some) == len(kept)
    for place in (0, len(found.rows("train")), len(some) - 1):
        assert torch.equal(some[place].inputs, whole[int(kept[place])].inputs)


@pytest.mark.parametrize(
    ("own", "its", "flag"),
    [
        ({"train_corpora": ("emodb",)}, {}, "train-corpora"),
        ({"corpora": ("emodb",)}, {}, "corpora"),
        ({"where": "gender = 'male'"}, {}, "where"),
        ({"train_share": 0.5}, {"train_share": 1.0}, "train-share"),
        ({"train_share": 0.5}, {"train_share": 0.5, "train": {"seed": 3}}, "train-share"),
    ],
)
def test_a_teacher_that_knows_more_than_its_pupil_may_is_refused(teach, toy, runs, own, its, flag):
    teach(**its)
    inputs = toy.inputs(train={"teacher": "teacher"}, **own)
    with pytest.raises(RunError, match=f"without this run's --{flag}, so it may know clips"):
        taught(inputs, inputs.run_data(), runs)


def test_a_teacher_with_the_same_clips_teaches(teach, toy, runs):
    teach(train_share=0.5, train_corpora=("emodb",))
    inputs = toy.inputs(train={"teacher": "teacher"}, train_share=0.5, train_corpora=("emodb",))
    assert taught(inputs, inputs.run_data(), runs).taught is not None


def test_probabilities_of_an_svm_that_is_fitted_again_come_of_held_out_speakers(teach, pupil, monkeypatch):
    seen = []
    parted = classifiers.speaker_folds

    def noted(data, targets, rows=None):
        seen.append(rows)
        return parted(data, targets, rows)

    teach(model={"name": "svm", "c": 0.01})
    monkeypatch.setattr(classifiers, "speaker_folds", noted)
    pupil()
    assert len(seen) > 1
    assert all(rows is not None for rows in seen)
