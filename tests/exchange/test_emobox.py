import json

import pytest

from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange import import_dataset

LINE = {
    "key": "cafe-08-P-2-1", "dataset": "cafe", "wav": "downloads/cafe/Peur/08-P-2-1.wav", "type": "raw",
    "sample_rate": 48000, "num_frame": 168833.0, "task": "category", "length": 3.517354166666667, "emo": "p",
    "channel": 1,
}  # fmt: skip
"""A line as EmoBox publishes it."""


def box(tmp_path, *names, lines=(LINE,)):
    """A data set in the layout of EmoBox, beside the recordings."""
    folder = tmp_path / "EmoBox" / "data" / "cafe"
    for name in names or ("cafe.jsonl",):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    for line in lines:
        if "wav" in line:
            (tmp_path / "EmoBox" / line["wav"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "EmoBox" / line["wav"]).touch()
    (folder / "label_map.json").write_text('{"p": "Fear", "c": "Angry"}')
    return folder


def brought(tmp_path, path):
    return import_dataset("emobox", path, data=tmp_path / "EmoBox" / "downloads", into=tmp_path / "corpora")


def test_a_published_line_is_read_by_its_label_map(tmp_path):
    made = brought(tmp_path, box(tmp_path))
    assert made.emotions == {"fear": 1}
    assert made.table.read_text() == "path,emotion\nPeur/08-P-2-1.wav,p\n"


def test_one_fold_gives_parts_and_several_give_folds(tmp_path):
    made = brought(tmp_path, box(tmp_path, "cafe.jsonl", "fold_1/cafe_train_fold_1.jsonl"))
    assert made.table.read_text().splitlines()[1] == "Peur/08-P-2-1.wav,p,train"
    made.description.unlink()
    made.table.unlink()
    box(tmp_path, "fold_2/cafe_test_fold_2.jsonl", "fold_2/cafe_train_fold2.jsonl")
    made = brought(tmp_path, tmp_path / "EmoBox" / "data" / "cafe")
    assert made.table.read_text().splitlines() == ["path,emotion,fold", "Peur/08-P-2-1.wav,p,2"]


def test_lines_have_the_keys_of_emobox(corpus):
    out = corpus.export("emobox", copy=True)
    lines = [json.loads(line) for line in (out / "tones.jsonl").read_text("utf-8").splitlines()]
    assert set(lines[0]) == {*LINE, "speaker", "gender", "age", "language", "text"}
    assert lines[0]["wav"] == "audio/tones/f1/a 1.wav"
    assert (lines[-1]["start_time"], lines[-1]["end_time"], lines[-1]["num_frame"]) == (1.0, 1.5, 4000)
    assert json.loads((out / "label_map.json").read_text())["happiness"] == "Happy"
    assert {path.name for path in (out / "fold_1").iterdir()} == {
        "tones_train_fold_1.jsonl", "tones_valid_fold_1.jsonl", "tones_test_fold_1.jsonl",
    }  # fmt: skip


def test_wrong_input_is_an_error(tmp_path):
    folder = box(tmp_path, lines=({"wav": "x.wav"},))
    with pytest.raises(CorpusError, match=r"cafe.jsonl: a line of EmoBox has 'wav' and 'emo' \(found wav\)"):
        brought(tmp_path, folder)
    box(tmp_path)
    (folder / "label_map.json").write_text("[1]")
    with pytest.raises(CorpusError, match=r"label_map.json: is not a JSON object of labels"):
        brought(tmp_path, folder)
    (folder / "cafe.jsonl").unlink()
    with pytest.raises(CorpusError, match=r"cafe: holds no '\*.jsonl'"):
        brought(tmp_path, folder)
