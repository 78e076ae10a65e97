from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.errors import SettingsError, SplitError, StoreMissing, TrainingError
from ser_pipeline.labels import Task
from ser_pipeline.manifest import read_manifest


def test_clips_are_those_of_the_split_in_the_manifests_order(toy):
    data = toy.data()
    assert data.counts() == {"train": 72, "validation": 24, "test": 24}
    assert data.class_counts() == {"train": (18,) * 4, "validation": (6,) * 4, "test": (6,) * 4}
    assert data.examples.table["utterance_id"].equals(read_manifest(toy.manifests).table["utterance_id"])


def test_no_speaker_is_in_two_parts(toy):
    data = toy.data()
    speakers = data.examples.column("speaker_id")
    parts = [set(speakers[data.rows(part)].tolist()) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10


def test_gains_come_from_training_clips_only(toy):
    data = toy.data(front_end={"level": "corpus_rms"})
    assert data.learned().gains_db == pytest.approx({"emodb": 0.0, "nemo": 6.0, "*": 3.0})
    asked = []

    class Watched:
        def read(self, positions):
            asked.extend(positions.tolist())
            return data.store.read(positions)

    replace(data, store=Watched()).learned()
    assert sorted(asked) == sorted(data.positions[data.rows("train")].tolist())


def test_other_levels_have_no_gains(toy):
    assert toy.data().learned() == Learned()


def test_gains_reach_the_clips(toy):
    data = toy.data(front_end={"level": "corpus_rms"})
    rows = np.flatnonzero(data.examples.column("corpus") == "nemo")[:3]
    plain, moved = (
        data.clips(rows, gains).__getitems__([0, 1, 2])
        for gains in (Learned(), Learned(gains_db={"nemo": 6.0, "*": 0.0}))
    )
    inside = (slice(None), slice(None), slice(0, 20))
    assert (moved.inputs - plain.inputs)[inside].numpy() == pytest.approx(0.1, abs=1e-6)


def test_filters_reach_the_clips(toy):
    assert toy.data(corpora=("emodb",)).names("language") == ("de",)
    assert toy.data(languages=("pl",)).names("corpus") == ("nemo",)


def test_a_condition_reaches_the_clips_and_says_what_it_leaves_out(toy):
    assert toy.data(where="language = 'pl' and emotion <> 'anger'").class_counts()["test"] == (0, 3, 3, 3)
    toy.write_manifest([0.5 if number % 2 else None for number in range(120)])
    data = toy.data(where="valence > 0", corpora=("emodb",))
    assert sum(data.counts().values()) == 30
    assert "30 recordings have no valence and are left out" in data.remarks()
    assert toy.inputs(where="valence > 0", split="loco", fold="0").tests(0)


def test_a_condition_that_does_not_fit_is_said(toy):
    with pytest.raises(TrainingError, match="holds for none of 120 recordings"):
        toy.data(where="corpus = 'tess'")
    with pytest.raises(SettingsError, match=r"no column 'valance' \(did you mean 'valence'"):
        toy.data(where="valance > 0")


def test_folds_are_chosen_by_number_or_name(toy):
    by_name, by_number = toy.data("nemo", split="loco"), toy.data(1, split="loco")
    assert by_name.split.fold == by_number.split.fold == "1"
    assert by_name.recipe.fold == "1"
    assert set(by_name.examples.column("corpus")[by_name.rows("test")].tolist()) == {"nemo"}
    with pytest.raises(SplitError, match="split loco has folds; choose one with --fold"):
        toy.data(split="loco")
    with pytest.raises(SplitError, match="split loco has no fold '7'"):
        toy.data("7", split="loco")
    with pytest.raises(SplitError, match="has no folds; leave out --fold"):
        toy.data("1")


def test_task_all_is_the_same_in_every_fold(toy):
    inputs = toy.inputs(split="loco", task="all")
    assert inputs.task.emotions == ("anger", "happiness", "neutral", "sadness")


def test_task_all_looks_at_the_corpora_and_languages_chosen_only(toy):
    toy.rows = [
        (*row[:3], 4, row[4]) if row[0] == "nemo" and row[3] == 3 else row
        for row in toy.rows
        for _ in range(2)  # 30 clips of each emotion and corpus
    ]
    toy.rows = [(*row[:4], number) for number, row in enumerate(toy.rows)]
    toy.write_manifest()
    toy.write_store()
    common = ("anger", "happiness", "neutral")
    assert set(toy.inputs(split="loco", task="all").task.emotions) == {*common, "sadness", "fear"}
    for chosen, last in (({"corpora": ("emodb",)}, "sadness"), ({"languages": ("pl",)}, "fear")):
        assert set(toy.inputs(split="loco", task="all", **chosen).task.emotions) == {*common, last}


def test_a_fold_whose_test_clips_are_filtered_out_or_failed_tests_nothing(toy):
    inputs = toy.inputs(split="loco", corpora=("emodb",))
    assert [inputs.tests(fold) for fold in (0, 1)] == [True, False]
    elsewhere = replace(toy.inputs(split="loco"), task=Task("mine", ("anger", "sadness"), {}, ("nemo",)))
    assert [elsewhere.tests(fold) for fold in (0, 1)] == [False, True]
    toy.write_store(failed=range(60))
    assert [toy.inputs(split="loco").tests(fold) for fold in (0, 1)] == [False, True]


def test_missing_inputs_name_their_command(toy):
    with pytest.raises(StoreMissing, match="ser cache mels --n-mels 16"):
        toy.inputs(front_end={"n_mels": 16})
    with pytest.raises(SplitError, match="ser manifest split stratified"):
        toy.inputs(split="stratified")
    with pytest.raises(SettingsError, match="corpus 'savee' is not in the manifest"):
        toy.data(corpora=("savee",))


def test_a_fold_without_training_clips_is_an_error(toy):
    with pytest.raises(TrainingError, match="split 'loco': no training clip of task '4class' is left"):
        toy.data("nemo", split="loco", corpora=("nemo",))


def test_the_store_alone_is_enough(toy):
    assert not list(toy.folder.rglob("*.wav"))  # there never was a recording
    assert len(toy.data().clips(np.arange(120), Learned())) == 120


def test_failed_clips_are_left_out_and_named(toy):
    toy.write_store(failed=[3, 17])
    data = toy.data()
    assert len(data.examples) == 118
    assert data.failed == (("emodb/0-1-0", "silent"), ("emodb/1-1-2", "silent"))
    assert "emodb/0-1-0" not in data.examples.table["utterance_id"].to_pylist()
    assert (data.store.rows(data.examples.table["audio_digest"].to_pylist()) == data.positions).all()


def test_an_unfinished_store_names_the_command_that_finishes_it(toy):
    toy.write_store(missing=[5, 6, 7])
    with pytest.raises(StoreMissing, match=r"the store lacks 3 of 120 clips; run 'ser cache mels --n-mels 8"):
        toy.data()


def test_a_store_of_failures_is_an_error(toy):
    toy.write_store(failed=range(1, 120))
    with pytest.raises(
        TrainingError, match="none of 60 clips could be used, for example 'nemo/0-0-0': silent"
    ):
        toy.data(corpora=("nemo",))
