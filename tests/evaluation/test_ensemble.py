import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.api import ensemble, evaluate, resume, train
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.evaluation.explain import explain_run
from ser_pipeline.metrics import temper
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.predictions import read_predictions
from ser_pipeline.runs.read import read_runs
from tests.conftest import Toy


def places_of(toy):
    return {"manifests": toy.manifests, "cache": toy.cache, "runs": toy.folder / "runs"}


@pytest.fixture
def places(toy):
    toy.write_features()
    toy.write_embeddings()
    return places_of(toy)


def trained(toy, places, name, **changes):
    given = {"model": {"name": "logreg", "c": 0.01}, **changes}
    return train(toy.recipe(**given), name=name, settings=None, **places)


def of(places, *members, name="both"):
    return ensemble(members, name=name, manifests=places["manifests"], runs=places["runs"])


@pytest.fixture(scope="module")
def files(toy_files, small_crnn, tmp_path_factory):
    """A network on mels, and classifiers of features and of an encoder."""
    toy = Toy(shutil.copytree(toy_files, tmp_path_factory.mktemp("ensemble"), dirs_exist_ok=True))
    toy.write_features()
    toy.write_embeddings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ser_pipeline.evaluation.run.REPEATS", 1)
        trained(toy, places_of(toy), "mels", model={"name": "crnn"})
        trained(toy, places_of(toy), "features")
        trained(toy, places_of(toy), "encoder", on="embeddings", layers=(2,))
    return toy.folder


@pytest.fixture
def runs(toy, files):
    """A copy of them to work on."""
    shutil.copytree(files, toy.folder, dirs_exist_ok=True)
    return places_of(toy)


def table_of(places, name):
    return read_predictions(places["runs"] / name, ("anger", "happiness", "neutral", "sadness"))


def test_it_states_the_weighted_mean_of_what_its_members_state(runs):
    made = of(runs, "mels", "features", "encoder")
    card = read_card(made.folder)
    weights = [member.weight for member in card.members]
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    tables = [
        table_of(runs, name).to_pandas().set_index("utterance_id") for name in ("mels", "features", "encoder")
    ]
    found = table_of(runs, "both").to_pandas().set_index("utterance_id")
    columns = [name for name in found.columns if name.startswith("p_")]
    mean = sum(weight * each.loc[found.index, columns] for weight, each in zip(weights, tables, strict=True))
    np.testing.assert_allclose(found[columns], temper(mean.to_numpy(), card.temperature), atol=1e-6)
    assert (found["predicted"] == found[columns].to_numpy().argmax(1)).all()
    assert made.info.model == card.model.name == "ensemble"
    assert card.inputs.kind == made.info.store_kind == "mels+features+embeddings"
    assert made.info.counts == {part: scores.pooled.clips for part, scores in made.scores.parts.items()}
    assert not (made.folder / "latency.json").exists()  # its encoder is nowhere


def test_it_is_scored_anew_from_its_members_networks(runs):
    made = of(runs, "features", "encoder", "mels")
    before = table_of(runs, "both")
    for name in ("predictions.parquet", "scores.json"):
        (made.folder / name).unlink()
    again = evaluate("both", **runs)
    assert again.scores == made.scores
    columns = [name for name in before.column_names if name.startswith("p_")]
    for name in columns:
        np.testing.assert_allclose(table_of(runs, "both")[name], before[name], atol=1e-5)


def test_members_on_another_drive_are_found_by_their_whole_path(runs, monkeypatch):
    assert {each.place for each in read_card(of(runs, "mels", "features").folder).members} == {
        "../mels", "../features",
    }  # fmt: skip

    def apart(path, start):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr("os.path.relpath", apart)
    made = of(runs, "mels", "features", name="apart")
    monkeypatch.undo()
    assert [each.place for each in read_card(made.folder).members] == [
        (runs["runs"].resolve() / name).as_posix() for name in ("mels", "features")
    ]
    evaluate("apart", **runs)


def test_test_clips_have_no_say_in_weights_and_temperature(runs):
    first = read_card(of(runs, "features", "encoder").folder)
    path = runs["runs"] / "encoder" / "predictions.parquet"
    frame = pq.read_table(path).to_pandas()
    test = frame["part"] == "test"
    frame.loc[test, "p_anger"], frame.loc[test, "p_sadness"] = frame["p_sadness"], frame["p_anger"]
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    other = read_card(of(runs, "features", "encoder", name="again").folder)
    assert [member.weight for member in other.members] == [member.weight for member in first.members]
    assert other.temperature == first.temperature


def test_it_stands_beside_other_runs_in_the_results(runs):
    made = of(runs, "features", "encoder")
    (run,), _ = read_runs([made.folder])
    assert run.info.stopped.startswith("probabilities of features (0.")
    assert {member["name"] for member in run.info.extra["members"]} == {"features", "encoder"}
    assert run.predictions is not None


def test_runs_of_all_folds_make_an_ensemble_of_each(toy, places):
    trained(toy, places, "one", split="loco", fold="all")
    trained(toy, places, "two", split="loco", fold="all", on="embeddings", layers=(2,))
    made = of(places, "one", "two")
    inner = json.loads((made.folder / "fold-0" / "model.json").read_text())
    assert [member["name"] for member in inner["members"]] == ["one/fold-0", "two/fold-0"]
    assert inner["members"][0]["place"] == "../../one/fold-0"
    assert made.part().pooled.clips == len(toy.rows)
    assert evaluate("both", **places).scores == made.scores
    shutil.rmtree(places["runs"] / "two" / "fold-1")
    with pytest.raises(RunError, match="both/fold-1: its member two/fold-1 is not at"):
        evaluate("both", **places)
    with pytest.raises(RunError, match="two/fold-1: not trained; continue with 'ser train --resume"):
        of(places, "one", "two", name="third")


def test_a_clip_that_one_member_could_not_use_is_left_out(toy, places):
    shutil.rmtree(places["cache"] / "features")
    toy.write_features(failed=(0, 1))
    trained(toy, places, "features", where="duration_s > 0")
    trained(toy, places, "encoder", on="embeddings", layers=(2,), where="duration_s < 99")
    made = of(places, "features", "encoder")
    assert made.info.recipe.where == "(duration_s > 0) AND (duration_s < 99)"
    assert made.info.extra["left_out"] == 2
    assert made.info.stopped.endswith("averaged; 2 clips that not all of them know are left out")
    assert len(table_of(places, "both")) == len(table_of(places, "encoder")) - 2


def test_members_that_are_gone_or_changed_are_one_line(toy, runs):
    of(runs, "features", "encoder")
    folder = runs["runs"] / "encoder"
    folder.rename(runs["runs"] / "elsewhere")
    with pytest.raises(
        RunError, match=r"both: its member encoder is not at .* any more; restore it, or make"
    ):
        evaluate("both", **runs)
    trained(toy, runs, "encoder", on="embeddings", layers=(1,))
    with pytest.raises(RunError, match=r"its member encoder at .* was changed since; restore it"):
        evaluate("both", **runs)


def test_what_cannot_be_averaged_is_one_line(toy, runs):
    trained(toy, runs, "folded", split="loco", fold="0")
    trained(toy, runs, "another", split="loco", fold="1")
    both = of(runs, "features", "encoder")
    made = "an ensemble is made of runs of one task, manifest, split and fold"
    wrong = {
        ("features",): "two or more different runs, found one",
        (): "two or more different runs, found none",
        ("features", "features"): "two or more different runs, found the same one twice",
        ("features", "nonesuch"): "run 'nonesuch' does not exist; the newest in",
        ("features", "folded"): f"folded: its split is loco .*, that of features is speaker .*; {made}",
        ("folded", "another"): f"another: its fold is 1, that of folded is 0; {made}",
        ("features", both.folder): "both: is an ensemble itself; name its members",
    }
    for members, message in wrong.items():
        with pytest.raises((RunError, SettingsError), match=message):
            of(runs, *members, name="wrong")
        assert not (runs["runs"] / "wrong").exists()
    with pytest.raises(RunError, match="both: exists; choose another"):
        of(runs, "features", "encoder")


def test_other_emotions_and_unfinished_runs_are_one_line(toy, runs):
    trained(toy, runs, "more", task="6class")
    with pytest.raises(RunError, match=r"more: its list of emotions is .*, that of features is anger"):
        of(runs, "features", "more", name="wrong")
    (runs["runs"] / "encoder" / "scores.json").unlink()
    with pytest.raises(RunError, match="encoder: not finished; continue with 'ser train --resume"):
        of(runs, "features", "encoder", name="wrong")


def test_another_manifest_is_one_line(toy, runs):
    table = toy.manifests / "manifest.parquet"
    of(runs, "features", "encoder")
    toy.rows.pop()
    toy.write_manifest()
    with pytest.raises(RunError, match="features: the manifest is not the one this run was trained on"):
        of(runs, "features", "encoder", name="wrong")
    assert table.is_file()


def test_what_an_ensemble_cannot_do_is_one_line(runs):
    made = of(runs, "features", "encoder")
    with pytest.raises(RunError, match="an ensemble decides by what its members say; explain one of them"):
        explain_run(made.folder, manifests=runs["manifests"], cache=runs["cache"])
    with pytest.raises(RunError, match="both: an ensemble reads no store itself; name one of its members"):
        resume("both", **runs)
    with pytest.raises(SettingsError, match="an ensemble is made of runs: name two or more"):
        train("ensemble", settings=None, **runs)
