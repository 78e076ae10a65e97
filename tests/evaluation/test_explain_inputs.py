from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline import explain, train
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.explain import explain_run
from ser_pipeline.evaluation.explain_inputs import explain_inputs, pieces_of
from ser_pipeline.evaluation.explain_tables import PropertyColumn, RunClips
from ser_pipeline.front_end import vector_names
from ser_pipeline.options import EmbeddingOptions, FeatureOptions, Fused
from ser_pipeline.report import make_report
from ser_pipeline.runs.explanation import SHARES, read_shares

ENCODER = EmbeddingOptions(encoder="one", layers=(1, 2), pooling=("mean", "std"), width=2)
EMOTIONS = ("anger", "neutral")


@pytest.fixture
def clips(rng):
    """Clips whose emotion is in the mean of layer 2 alone, in column 4 of 8, for a rule that looks there."""
    targets = np.arange(40) % 2
    values = rng.standard_normal((40, 8))
    values[:, 4] = 2.0 * targets - 1
    speakers = np.array([f"s{number // 10}" for number in range(40)])
    parts = np.array(["train"] * 20 + ["test"] * 20)
    return RunClips(
        values=values, targets=targets, speakers=speakers, languages=np.array(["de"] * 40), parts=parts,
        features=[PropertyColumn(name) for name in vector_names(ENCODER)],
        predict=lambda table: (table[:, 4] > 0.1).astype(int),
    )  # fmt: skip


def shares_of(clips, inputs=ENCODER, part="test", advance=lambda done, total: None):
    return explain_inputs(clips, inputs, EMOTIONS, part=part, repeats=8, seed=0, advance=advance)


def test_the_layer_that_decides_has_all_of_the_share(clips):
    seen = []
    found = shares_of(clips, advance=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 8)] * 8
    assert [table.kind for table in found.tables] == ["layer", "pooling", "layer and pooling"]
    layers, poolings, pieces = ({each.name: each for each in table.entries} for table in found.tables)
    assert (found.uar.value, found.clips, found.speakers) == (1, 20, 2)
    assert [layers[name].share for name in ("layer 1", "layer 2")] == [0, 1]
    assert [poolings[name].share for name in ("mean", "std")] == [1, 0]
    assert pieces["layer 2, mean"].share == 1
    assert pieces["layer 2, mean"].columns == 2
    assert layers["layer 2"].drop.value == pytest.approx(0.5, abs=0.2)
    assert layers["layer 2"].without == 0.5  # the mean of a balanced column tells nothing
    assert layers["layer 1"].drop.value == layers["layer 1"].without == 0
    assert "layer 2 100 %" in str(found)


def test_pieces_cover_every_column_once():
    inputs = Fused(parts=(FeatureOptions(), ENCODER, ENCODER.model_copy(update={"encoder": "two"})))
    names = [name for part in inputs.parts for name in vector_names(part)]
    features = [PropertyColumn(name, group="energy" if at % 2 else "") for at, name in enumerate(names)]
    pieces = pieces_of(inputs, features)
    kinds = dict.fromkeys(piece.kind for piece in pieces)
    assert [*kinds] == ["input", "layer", "pooling", "layer and pooling", "group of features"]
    assert [piece.name for piece in pieces if piece.kind == "input"] == ["features", "one", "two"]
    assert "two, layer 2, std" in {piece.name for piece in pieces}
    for kinds_together in ({"input"}, {"layer", "group of features"}, {"pooling", "group of features"}):
        columns = [piece.columns for piece in pieces if piece.kind in kinds_together]
        assert sorted(np.concatenate(columns).tolist()) == list(range(len(names)))


def test_one_layer_with_one_pooling_is_one_piece():
    one = ENCODER.model_copy(update={"layers": (2,), "pooling": ("mean",)})
    assert [piece.name for piece in pieces_of(one, ())] == ["layer 2"]


def test_an_emotion_that_is_absent_is_noted(clips):
    clips.targets[20:] = 0
    (note,) = shares_of(clips).notes
    assert note == "no clips of neutral in this part: importance is about the other emotions"


@pytest.fixture
def run(toy, tmp_path):
    toy.write_embeddings()
    recipe = toy.recipe(model={"name": "logreg", "c": 0.1}, on="embeddings", layers=(1, 2))
    return train(
        recipe, manifests=toy.manifests, cache=toy.cache, runs=tmp_path / "runs", settings=None
    ).folder


def test_a_run_is_explained_and_shown_in_the_report(run, toy, tmp_path):
    found = explain(run, manifests=toy.manifests, cache=toy.cache, repeats=3)
    assert read_shares(run) == found
    (layers,) = found.tables
    assert [each.name for each in layers.entries] == ["layer 1", "layer 2"]
    assert layers.entries[1].share > 0.8  # alone knows emotions
    make_report(toy.manifests, [run], tmp_path / "out")
    page = (tmp_path / "out" / "report.md").read_text()
    assert "importance of its inputs" in page
    assert "layer 2" in page


@pytest.mark.parametrize("content", ["{", '{"schema_version": 2}', '{"schema_version": 1, "tables": []}'])
def test_a_file_that_is_damaged_is_refused(run, content):
    (run / SHARES).write_text(content)
    with pytest.raises(RunError, match=r"shares.json.*explain it again with 'ser explain"):
        read_shares(run)


def test_what_cannot_be_explained_is_refused(run, toy, clips):
    alone = replace(clips, parts=np.array(["train"] * 40))
    with pytest.raises(RunError, match="part test: the run has no clips of it; valid are train"):
        explain_run(run, manifests=toy.manifests, cache=toy.cache, load=lambda *_, **places: alone)
    assert not (run / SHARES).exists()
