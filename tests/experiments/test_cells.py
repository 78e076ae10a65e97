import shutil
from dataclasses import replace

import pyarrow as pa
import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.arms import designed
from ser_pipeline.experiments.cells import cells_of
from ser_pipeline.experiments.schedule import wanted_stores
from ser_pipeline.experiments.spec import find_experiment, shipped_names
from ser_pipeline.experiments.verdicts import write_findings
from ser_pipeline.splits import split_names
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent

HEAD = 'title = "T"\nseeds = [0]\n'


def arm(settings, rest=""):
    return f"{HEAD}[arms.a]\nsettings = {{ {settings} }}\n{rest}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            arm('model = { name = "crn" }'),
            "experiment 'x': arm 'a': .*model.name: must be crnn, resnet",
        ),
        (
            arm("train = { epoch = 3 }"),
            "arm 'a': .*train.epoch: there is no such setting .*'epochs'",
        ),
        (arm('train = { loss = "mse" }'), "arm 'a': .*train.loss: must be ce, distance_ce"),
        (arm('encoder = "x"'), "there is no such setting .did you mean 'embeddings.encoder'"),
        (arm('preset = "report"'), "arm 'a': preset 'report' does not exist; valid are default, paper"),
        (arm('train_corpora = ["emo"]'), "arm 'a': corpus 'emo' is not in the manifest; it has emodb, nemo"),
        (arm('task = "5class"'), "arm 'a': task '5class' does not exist; valid are 4class"),
        (
            arm('model = { name = "svm" }, train = { loss = "focal" }'),
            "arm 'a': 'train.loss' has no effect on model svm; leave it out",
        ),
        (
            arm("", '[protocols]\np = { split = "tenfold" }\n'),
            "protocol 'p': split 'tenfold' does not exist; valid are kfold, loco",
        ),
        (arm("", '[protocols]\np = { split = "loco" }\n'), "split 'loco' needs fold = 'all'"),
        (arm("", '[protocols]\np = { split = "speaker", fold = "all" }\n'), "split 'speaker' has no folds"),
    ],
)
def test_wrong_settings_name_the_arm_before_anything_is_trained(lab, text, message):
    with pytest.raises(SettingsError, match=message) as caught:
        lab.progress(text, name="x")
    assert "\n" not in str(caught.value)


def test_a_missing_split_is_made_when_it_is_needed(lab):
    text = arm('model = { name = "logreg", c = 0.1 }', '[protocols]\np = { split = "stratified" }\n')
    before = lab.progress(text)
    assert "stratified" not in split_names(lab.toy.manifests)
    after, _ = lab.run(text)
    assert "stratified" in split_names(lab.toy.manifests)
    assert [cell.key for cell in before.cells] == [cell.key for cell in after.cells]
    assert lab.progress(text).cells[0].key == after.cells[0].key


def test_a_split_that_these_recordings_do_not_allow_fails_its_cells_alone(lab, monkeypatch):
    from ser_pipeline.errors import SplitError
    from ser_pipeline.experiments import cells

    def refused(manifest, name):
        raise SplitError("too few people")

    monkeypatch.setattr(cells, "make_split", refused)
    progress, _ = lab.run(arm("", '[protocols]\np = { split = "lolo", fold = "all" }\n'))
    state = progress.state(progress.cells[0])
    assert (state.status, state.reason) == ("failed", "too few people")


def test_settings_of_ser_toml_come_before_those_of_the_experiment(lab, tmp_path):
    (tmp_path / "ser.toml").write_text("[train]\nbatch_size = 7\nepochs = 9\n")
    recipe = lab.progress(arm("train = { epochs = 4 }")).cells[0].recipe
    assert (recipe.train.batch_size, recipe.train.epochs) == (7, 4)


def test_epochs_of_the_command_are_the_most(lab):
    for most, epochs in ((2, 2), (9, 4)):
        recipe = lab.progress(arm("train = { epochs = 4 }"), epochs=most).cells[0].recipe
        assert recipe.train.epochs == epochs


def test_groups_are_corpora_and_languages(lab):
    found = lab.ground().groups()
    assert found.corpora == ("emodb", "nemo")
    assert found.languages == {"de": ("emodb",), "pl": ("nemo",)}


def test_few_clips_and_tags_of_no_language_are_no_group(lab):
    ground = lab.ground()
    table, tags = ground.manifest.table, ["de-DE"] * 25 + ["DE_AT"] * 20 + ["fr"] * 15 + ["und"] * 60
    table = table.set_column(table.column_names.index("language"), "language", pa.array(tags))
    ground.manifest = replace(ground.manifest, table=table)
    assert ground.groups().languages == {"de": ("emodb",)}


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_experiment_can_be_laid_out_on_any_recordings(lab, name):
    ground = lab.ground()
    design = designed(find_experiment(name), ground.groups())
    cells = cells_of(design, ground)
    assert len({(cell.arm, cell.protocol, cell.seed) for cell in cells}) == len(cells)
    assert not [cell.label for cell in cells if cell.problem and not cell.lacking]
    assert {cell.arm for cell in cells if cell.lacking} <= {"encoder"}  # it need not be on this machine
    arms = {claim.first for claim in design.claims} | {
        claim.second for claim in design.claims if claim.second
    }
    assert arms <= {cell.arm for cell in cells}


ENCODER = (
    f"{HEAD}[arms.encoder]\nsettings = {{ model = {{ name = 'logreg', c = 0.1 }}, on = 'embeddings', "
    "embeddings = { encoder = 'tiny-whisper' } }\n[arms.logreg]\nsettings = { model = { name = 'logreg' } }\n"
    "[[claims]]\ntext = 'It is better'\nfirst = 'encoder'\nsecond = 'logreg'\n"
)


def test_an_encoder_that_is_not_here_leaves_its_cells_out_and_fails_nothing(lab, monkeypatch, tmp_path):
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    progress, _ = lab.run(ENCODER)
    assert "tiny-whisper" in progress.state(progress.cells[0]).reason
    found = write_findings(progress, lab.runs)
    assert found.cells() == {"done": 1, "failed": 0, "not run": 1}
    (claim,) = found.claims
    assert claim.outcome == "not run"
    assert "encoder, speaker, seed 0 did not run: " in claim.reason


def test_an_encoder_is_found_where_its_layers_were_cached(lab, monkeypatch, tmp_path, make_encoder):
    folder = make_encoder("whisper")
    monkeypatch.setenv("SER_ENCODERS", str(folder.parent))
    (key,) = {cell.key for cell in lab.progress(ENCODER).cells if cell.arm == "encoder"}
    monkeypatch.delenv("SER_ENCODERS")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert lab.progress(ENCODER).cells[0].lacking
    lab.toy.write_embeddings(encoder="tiny-whisper", folder=str(folder), numbers=range(2))
    assert lab.progress(ENCODER).cells[0].key == key


def test_an_encoder_that_is_not_named_is_none_of_those_that_are_cached(
    lab, monkeypatch, tmp_path, make_encoder
):
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    lab.toy.write_embeddings(encoder="tiny-whisper", folder=str(make_encoder("whisper")), numbers=range(2))
    (cell,) = lab.progress(arm("model = { name = 'logreg', c = 0.1 }, on = 'embeddings'")).cells
    assert "whisper-base" in cell.problem


def test_the_weights_of_an_encoder_are_part_of_a_cells_key(lab, monkeypatch, make_encoder):
    keys = set()
    for seed in (0, 0, 1):
        folder = make_encoder("whisper", seed=seed)
        monkeypatch.setenv("SER_ENCODERS", str(folder.parent))
        cell = lab.progress(ENCODER).cells[0]
        keys.add(cell.key)
        ((wanted, copies),) = wanted_stores(cell.recipe)
        assert (wanted.folder, wanted.layers, copies) == (str(folder), (0, 1, 2, 3), 0)
    assert len(keys) == 2


@pytest.mark.parametrize("model", ["probe", "finetune"])
def test_so_they_are_where_a_model_hears_frames_or_samples(lab, monkeypatch, make_encoder, model):
    text = arm(f"model = {{ name = '{model}' }}, embeddings = {{ encoder = 'tiny-whisper' }}")
    keys = set()
    for seed in (0, 1):
        monkeypatch.setenv("SER_ENCODERS", str(make_encoder("whisper", seed=seed).parent))
        (cell,) = lab.progress(text).cells
        assert not cell.problem
        keys.add(cell.key)
    assert len(keys) == 2
    monkeypatch.setenv("SER_ENCODERS", "")
    monkeypatch.setenv("HF_HOME", str(lab.runs))
    (cell,) = lab.progress(text).cells
    assert cell.lacking


def test_a_teacher_is_found_beside_the_runs_and_known_by_its_model(lab):
    text = arm("model = { name = 'dnn' }, train = { teacher = 'old', epochs = 1 }")
    (cell,) = lab.progress(text).cells
    assert "run 'old' does not exist" in cell.problem
    keys = set()
    for c in (0.01, 1.0):
        shutil.rmtree(lab.runs / "old", ignore_errors=True)
        train_run(lab.toy.data(model={"name": "logreg", "c": c}), lab.runs / "old", Silent(), command="c")
        (cell,) = lab.progress(text).cells
        assert not cell.problem
        keys.add(cell.key)
    assert len(keys) == 2
    progress, _ = lab.run(text)
    assert progress.state(progress.cells[0]).status == "done"
