from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.compare import Decided, RunDecisions, compare_runs
from ser_pipeline.manifest import read_manifest
from ser_pipeline.metrics import ccc
from ser_pipeline.runs.files import read_info, write_info
from ser_pipeline.runs.predictions import prediction_schema, write_predictions, write_ratings
from ser_pipeline.training.info import describe

EMOTIONS = ("anger", "happiness", "neutral", "sadness")


@pytest.fixture
def bench(toy):
    return Bench(toy)


class Bench:
    """Runs whose decisions on all 120 clips of the toy are made up."""

    def __init__(self, toy):
        self.toy, self.manifest = toy, read_manifest(toy.manifests)
        self.target = self.manifest.table["emotion_id"].to_numpy().astype(np.int64)
        self.said = {}

    def run(self, name, right, seed=0, clips=slice(None), **changes):
        folder = self.toy.folder / "runs" / name
        folder.mkdir(parents=True)
        data = self.toy.data(train={"seed": seed, **changes.pop("train", {})}, **changes)
        info = describe(data, folder, command="ser train", parameters=1)
        write_info(folder, info.model_copy(update={"stopped": "done"}))
        rng = np.random.default_rng((seed, len(name)))
        hit = rng.random(len(self.target)) < right
        predicted = np.where(hit, self.target, (self.target + rng.integers(1, 4, len(self.target))) % 4)
        self.said[folder] = predicted[clips]
        count = len(self.target[clips])
        columns = {
            "utterance_id": self.manifest.table["utterance_id"].to_pylist()[clips],
            "part": ["test"] * count,
            "fold": [None] * count,
            "target": self.target[clips],
            "predicted": predicted[clips],
            **{f"p_{name}": np.full(count, 0.25, np.float32) for name in EMOTIONS},
        }
        write_predictions(folder, pa.table(columns, prediction_schema(EMOTIONS)))
        return folder


def test_scores_are_scikit_learns_and_a_large_difference_is_found(bench):
    good, bad = bench.run("good", 0.9), bench.run("bad", 0.4, train={"loss": "focal"})
    found = compare_runs([bad, good], bench.manifest)
    assert (found.base.name, found.clips, found.left_out) == ("bad", 120, 0)
    by_score = {row.score: row for row in found.scores}
    assert by_score["uar"].found.first == pytest.approx(
        balanced_accuracy_score(bench.target, bench.said[good])
    )
    assert by_score["accuracy"].found.second == pytest.approx(accuracy_score(bench.target, bench.said[bad]))
    assert {row.answer for row in found.scores} == {"higher"}
    turned = compare_runs([good, bad], bench.manifest)
    assert {row.answer for row in turned.scores} == {"lower"}
    assert turned.scores[0].found.difference == pytest.approx(-found.scores[0].found.difference)


def test_runs_that_differ_in_seed_alone_are_one_arm(bench):
    seeds = [bench.run(f"a{seed}", 0.6, seed) for seed in range(3)]
    other = bench.run("b", 0.6, train={"loss": "focal"})
    found = compare_runs([*seeds, other], bench.manifest)
    assert found.base.folders == tuple(seeds)
    assert found.base.name == "a0 and 2 more seeds"
    assert found.scores[0].found.seeds == (1, 3)
    assert {row.arm.name for row in found.scores} == {"b"}
    alone = compare_runs(seeds, bench.manifest)
    assert {row.arm.name for row in alone.scores} == {"a1", "a2"}


def test_where_a_run_was_trained_makes_no_other_arm(bench):
    one = bench.run("a0", 0.6, train={"workers": 2, "log": ("tensorboard",)})
    two = bench.run("a1", 0.6, 1, train={"data_on": "host", "device": "cpu"})
    other = bench.run("b", 0.6, train={"loss": "focal"})
    found = compare_runs([one, two, other], bench.manifest)
    assert found.base.name == "a0 and 1 more seed"
    assert {row.arm.name for row in found.scores} == {"b"}
    again = bench.run("elsewhere", 0.6, train={"workers": 1})
    found = compare_runs([one, again, other], bench.manifest)
    assert (found.base.name, {row.arm.name for row in found.scores}) == ("a0", {"elsewhere", "b"})


def test_ensembles_of_other_members_are_other_arms(bench):
    first, second = (bench.run(name, 0.6) for name in ("e1", "e2"))
    for folder, digest in ((first, "0a"), (second, "0b")):
        info = read_info(folder)
        write_info(folder, info.model_copy(update={"extra": info.extra | {"members": [{"digest": digest}]}}))
    other = bench.run("b", 0.6, train={"loss": "focal"})
    found = compare_runs([other, first, second], bench.manifest)
    assert {row.arm.name for row in found.scores} == {"e1", "e2"}


def test_a_run_trained_again_is_not_another_seed(bench):
    one, again = bench.run("a", 0.6), bench.run("a2", 0.6)
    other = bench.run("b", 0.6, train={"loss": "focal"})
    with pytest.raises(RunError, match=r"a2: has the settings and the seed of a, .*; pass one of the two"):
        compare_runs([other, one, again], bench.manifest)
    assert {row.arm.name for row in compare_runs([one, again], bench.manifest).scores} == {"a2"}


def test_p_values_are_corrected_over_the_arms(bench):
    folders = [bench.run("a", 0.5), *(bench.run(name, 0.9, model={"dropout": 0.1 * number})
               for number, name in enumerate(("b", "bb", "bbb")))]  # fmt: skip
    found = compare_runs(folders, bench.manifest)
    smallest = min(row.found.p for row in found.scores if row.score == "uar")
    assert min(row.corrected_p for row in found.scores if row.score == "uar") == pytest.approx(3 * smallest)


def test_clips_of_nobody_are_no_speaker(rated_bench):
    table = rated_bench.manifest.table
    people = [
        name if name.startswith("emodb") else "nemo-unknown" for name in table["speaker_id"].to_pylist()
    ]
    place = table.column_names.index("speaker_id")
    manifest = replace(
        rated_bench.manifest, table=table.set_column(place, "speaker_id", pa.array(people, pa.string()))
    )
    good, bad = rated_bench.run("good", 0.99), rated_bench.run("bad", 0.3, train={"loss": "focal"})
    rated = [rated_run(rated_bench, f"r{noise}", noise)[0] for noise in (0.8, 0.1)]
    for folders in ([bad, good], rated):
        rows = compare_runs(folders, manifest).scores
        assert {row.found.speakers for row in rows} == {5}
        assert {row.answer for row in rows} == {"not decidable here"}


def test_only_clips_that_all_were_tested_on_count(bench):
    every, half = bench.run("a", 0.9), bench.run("b", 0.5, clips=slice(0, 60), train={"loss": "focal"})
    found = compare_runs([every, half], bench.manifest)
    assert (found.clips, found.left_out) == (60, 60)


def test_what_cannot_be_compared_is_said(bench, toy):
    one = bench.run("a", 0.9)
    with pytest.raises(RunError, match="a comparison needs two runs"):
        compare_runs([one], bench.manifest)
    with pytest.raises(RunError, match="is named twice; a comparison needs different runs"):
        compare_runs([one, one], bench.manifest)
    two = bench.run("b", 0.9, clips=slice(0, 60), train={"loss": "focal"})
    three = bench.run("c", 0.9, 1, clips=slice(60, 120), train={"loss": "focal"})
    with pytest.raises(RunError, match="no clip was tested by all of these runs"):
        compare_runs([two, three, one], bench.manifest)
    toy.write_manifest(ratings=[0.1] * 120)
    with pytest.raises(RunError, match="was trained on other recordings than the manifest holds"):
        compare_runs([one, two], read_manifest(toy.manifests))


@pytest.fixture
def decisions(toy):
    return RunDecisions(toy.folder.joinpath, read_manifest(toy.manifests))


def put(decisions, key, clips, rng):
    names = np.array(sorted(clips))
    target = np.array([int(name.split("/")[1].split("-")[1]) for name in names])
    decisions._read[key] = Decided(names, target, rng.integers(0, 4, len(names)), EMOTIONS)
    return decisions._read[key]


def clips_of(*corpora, speakers=range(5)):
    return [
        f"{corpus}/{speaker}-{emotion}-0"
        for corpus in corpora
        for speaker in speakers
        for emotion in range(4)
    ]


def test_common_clips_are_those_that_all_were_tested_on(decisions, rng):
    put(decisions, "a", clips_of("emodb", "nemo"), rng)
    put(decisions, "b", clips_of("nemo", speakers=(1, 2)), rng)
    assert decisions.common(["a", "b"]).tolist() == sorted(clips_of("nemo", speakers=(1, 2)))
    assert len(decisions.common(["a"], corpora=("emodb",))) == 20
    assert len(decisions.common(["a"], languages=("pl",))) == 20
    assert len(decisions.common(["a", "b"], corpora=("emodb",))) == 0
    assert decisions.common(["a"], languages=("PL",)).size == 20
    assert decisions.common(["b"], languages=("de",)).size == 0


def test_counts_are_confusions_by_speaker_and_seed(decisions, rng):
    first, second = (put(decisions, key, clips_of("emodb", "nemo"), rng) for key in "ab")
    counts = decisions.counts(["a", "b"], first.clips)
    assert counts.shape == (2, 10, 4, 4)
    for seed, tested in enumerate((first, second)):
        expected = confusion_matrix(tested.target, tested.predicted, labels=range(4))
        assert np.array_equal(counts[seed].sum(0), expected)
    of_first = np.char.startswith(first.clips, "emodb/0-")
    expected = confusion_matrix(first.target[of_first], first.predicted[of_first], labels=range(4))
    assert np.array_equal(counts[0, 0], expected)


def rated_run(bench, name, noise, dimensions=("valence", "arousal"), seed=0, beside=False):
    """A run that says what listeners said, and some noise."""
    folder = bench.toy.folder / "runs" / name
    folder.mkdir(parents=True)
    changes = (
        {"model": {"name": "logreg", "dimensions": True}} if beside else {"target": ",".join(dimensions)}
    )
    data = bench.toy.data(**({"model": {"name": "logreg"}} | changes))
    info = describe(data, folder, command="ser train", parameters=1)
    write_info(folder, info.model_copy(update={"stopped": "done"}))
    rows = data.examples.table
    rng = np.random.default_rng(seed)
    columns = {"utterance_id": rows["utterance_id"], "part": ["test"] * rows.num_rows}
    for dimension in dimensions:
        rated = rows[dimension].to_numpy()
        columns |= {f"rated_{dimension}": rated, dimension: rated + noise * rng.standard_normal(len(rated))}
    write_ratings(folder, pa.table(columns))
    return folder, columns


@pytest.fixture
def rated_bench(toy):
    toy.write_features()
    toy.write_manifest([(row[3] - 1.5) / 2 if row[4] else None for row in toy.rows])
    return Bench(toy)


def test_runs_of_ratings_are_compared_by_their_concordance(rated_bench):
    (good, said), (bad, _) = rated_run(rated_bench, "good", 0.1), rated_run(rated_bench, "bad", 0.8, seed=1)
    found = compare_runs([bad, good], rated_bench.manifest)
    assert (found.base.name, found.clips, found.left_out) == ("bad", 80, 0)
    assert [(row.score, row.answer) for row in found.scores] == [
        ("ccc valence", "higher"),
        ("ccc arousal", "higher"),
    ]
    valence = found.scores[0].found
    assert valence.first == pytest.approx(ccc(said["rated_valence"], said["valence"]))
    assert valence.difference == pytest.approx(valence.first - valence.second)
    assert 0 < valence.low < valence.difference < valence.high
    assert valence.speakers == 10


def test_only_ratings_in_common_are_compared(rated_bench):
    alone, _ = rated_run(rated_bench, "alone", 0.1, ("arousal",))
    beside, _ = rated_run(rated_bench, "beside", 0.1, ("valence", "arousal", "dominance"), beside=True)
    assert [row.score for row in compare_runs([beside, alone], rated_bench.manifest).scores] == [
        "ccc arousal"
    ]
    other, _ = rated_run(rated_bench, "other", 0.1, ("valence",))
    message = r"other: predicts valence, but alone predicts arousal; only runs that predict the same emotions"
    with pytest.raises(RunError, match=message):
        compare_runs([alone, other], rated_bench.manifest)
