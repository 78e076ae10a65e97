import json
import shutil

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.run import score_run
from ser_pipeline.options import FeatureOptions, ModelOptions
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.files import read_info, read_scores, write_info, write_scores
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.serving.load import load_model
from ser_pipeline.serving.model_card import _opening, _use, caveats, write_model_card
from ser_pipeline.tables.table import NOTHING
from ser_pipeline.training.run import train_run
from tests.conftest import Toy
from tests.training.conftest import Silent


@pytest.fixture(scope="module")
def scored(toy_files, small_crnn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored") / "toy"
    data = Toy(toy_files).data()
    train_run(data, folder, Silent(), command="ser train crnn")
    score_run(folder, data)
    return folder


@pytest.fixture
def trained(scored, tmp_path):
    return shutil.copytree(scored, tmp_path / "runs" / "toy")


def test_the_card_says_what_a_reader_must_know(trained):
    text = write_model_card(trained)
    for heading in ("Training data and its licences", "Scores", "By emotion (test)", "By group (test)",
                    "Confidence", "Limits", "Intended use", "What it must not be used for"):  # fmt: skip
        assert f"# {heading}\n" in text
    for words in ("CC BY-NC-SA", "nemo", "emodb", "Article 5(1)(f)", "workplace or in education",
                  "weights inherit", "`ser train crnn`", "temperature"):  # fmt: skip
        assert words in text
    scores = json.loads((trained / "scores.json").read_text())["parts"]["test"]["pooled"]
    assert f"{scores['uar']['value']:.3f}" in text
    assert "speaker |" not in text.split("By group")[1].split("Confidence")[0].replace("speakers |", "")


def test_the_card_names_the_version_that_trained(trained):
    info, card = read_info(trained), read_card(trained)
    for versions, says in (({"ser-pipeline": "0.0.7"}, " with ser 0.0.7, `"), ({}, f"{info.created}, `")):
        assert says in "\n".join(_opening(info.model_copy(update={"versions": versions}), card))


def test_the_card_names_emotions_without_test_clips(trained):
    info = read_info(trained)
    scores = read_scores(trained, info)
    test = scores.parts["test"]
    first = test.pooled.classes[0].model_copy(update={"clips": 0, "recall": 0.0})
    pooled = test.pooled.model_copy(update={"classes": (first, *test.pooled.classes[1:])})
    parts = scores.parts | {"test": test.model_copy(update={"pooled": pooled})}
    write_scores(trained, scores.model_copy(update={"parts": parts}))
    text = write_model_card(trained)
    assert f"There are no test clips of {first.emotion}" in text
    assert f", no clips of {first.emotion}" in text.partition("# Model card")[0]
    row = next(line for line in text.splitlines() if line.startswith(f"| {first.emotion} "))
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["0", NOTHING, NOTHING]
    assert "untested" in [caveat.key for caveat in caveats(load_model(trained), trained)]


def test_the_card_says_who_taught_and_under_which_terms(trained):
    info = read_info(trained)
    what = "logreg on layers 2, 3 of whisper-base"
    teacher = TeacherInfo(run="big", what=what, encoders=("whisper-base",), digest="0", held_out=True)
    write_info(trained, info.model_copy(update={"teacher": teacher}))
    text = write_model_card(trained)
    assert "- teacher: Beside the labels, it learned the probabilities that run big (logreg on lay" in text
    assert "Its teacher learned from the encoder `whisper-base` (openai/whisper-base; licence: MIT)" in text
    assert "It is not needed to predict." in text


def test_corpora_of_the_test_alone_are_not_said_to_be_learned_from(trained):
    write_info(trained, read_info(trained).model_copy(update={"train_corpora": ("nemo",)}))
    text = write_model_card(trained)
    assert "| nemo " in text
    assert "| emodb " not in text.partition("## Scores")[0]
    assert "It was tested on recordings of emodb, and did not learn from them." in text


def test_tables_are_whole(trained):
    widths = []
    for line in write_model_card(trained).splitlines():
        if line.startswith("|"):
            widths.append(line.replace(r"\|", "").count("|"))
        elif widths:
            assert len(set(widths)) == 1
            widths = []


def test_limits_are_those_of_this_model(trained):
    info, card = read_info(trained), read_card(trained)
    said = "\n".join((*_opening(info, card), *_use(info, card)))
    for words in ("It learned from actors", "A network of mels", "- epoch kept: "):
        assert words in said
    info = info.model_copy(update={"corpora": ("mine",), "train_corpora": ("mine",)})
    classifier = ModelOptions(name="logreg")
    card = card.model_copy(update={"inputs": FeatureOptions(), "model": classifier, "weights_digest": "0"})
    said = "\n".join((*_opening(info, card), *_use(info, card)))
    for words in ("It learned from actors", "A network of mels", "epoch"):
        assert words not in said.partition("## Intended use")[0].replace(str(info.stopped), "")
    assert "People who speak to each other sound different from those who were asked to" in said
    assert f"- fitted: {info.stopped}" in said


def test_synthetic_voices_are_named(trained):
    settings = json.loads((trained / "settings.json").read_text())
    (trained / "settings.json").write_text(json.dumps(settings | {"synthetic": True}))
    header, text = write_model_card(trained).split("---\n")[1:3]
    assert "- synthetic-voices" in header
    assert "synthetic voices" in text.splitlines()[3]


def test_a_run_without_scores_has_no_card(trained):
    (trained / "scores.json").unlink()
    with pytest.raises(RunError, match=r"scores\.json: not found"):
        write_model_card(trained)


def test_a_model_of_another_run_is_refused(trained):
    card = json.loads((trained / "model.json").read_text())
    card["emotions"] = card["emotions"][::-1]
    (trained / "model.json").write_text(json.dumps(card))
    with pytest.raises(RunError, match="name different emotions"):
        write_model_card(trained)
