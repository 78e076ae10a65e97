import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
from PIL import Image
from typer.testing import CliRunner

from ser_pipeline.cli import app
from tests.serving.conftest import RATE, adapting, fake, rows, save_random, voice, voices

__all__ = ["adapting", "fake", "rows", "voices"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_random(tmp_path / "runs" / "small")
    for number in range(3):
        (tmp_path / "clips").mkdir(exist_ok=True)
        sf.write(tmp_path / "clips" / f"{number}.wav", voice(1.0 + number, number), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    sf.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    return tmp_path


def ser(*words, status=0, **more):
    result = CliRunner().invoke(app, ["predict", "--model", "small", *map(str, words)], **more)
    assert result.exit_code == status, result.output
    return result


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_folder_is_told_as_json_lines(here):
    result = ser("clips", "--format", "json")
    said = lines(result)
    assert [each["file"] for each in said] == [f"clips/{number}.wav" for number in range(3)]
    for each in said:
        assert sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert each["confidence"] == pytest.approx(max(each["probabilities"].values()))
        assert each["decision"] == max(each["probabilities"], key=each["probabilities"].get)
    assert "predicting: 3 recordings in" in result.stderr


def test_recordings_too_short_to_judge_are_counted(here):
    assert "shorter than" not in ser("clips").stderr
    for number in range(2):
        sf.write(here / "clips" / f"short{number}.wav", voice(0.6, number), RATE)
    told = "2 recordings are shorter than 1 s; models are often surer of so little sound than they are right"
    assert told in ser("clips").stderr
    assert "shorter than" not in ser("clips/2.wav", "--timeline", "--window", "0.5").stderr


def test_csv_has_a_line_for_each_and_a_header(here):
    rows = [*csv.DictReader(io.StringIO(ser("clips", "silent.wav", "--format", "csv").stdout))]
    assert [row["file"] for row in rows] == ["clips/0.wav", "clips/1.wav", "clips/2.wav", "silent.wav"]
    assert rows[3]["decision"] == "no speech"
    assert rows[3]["confidence"] == rows[3]["anger"] == ""
    assert float(rows[0]["anger"]) > 0


def test_the_table_shows_files_and_decisions(here):
    shown = ser("clips/1.wav").stdout
    for word in ("clips/1.wav", "decision", "anger", "sadness"):
        assert word in shown


def test_a_bad_file_is_told_and_the_others_are_done(here):
    result = ser("clips/0.wav", "text.wav", "gone.wav", "*.ogg", "clips/1.wav", "--format", "json", status=1)
    said = lines(result)
    assert [each["file"] for each in said if "error" not in each] == ["clips/0.wav", "clips/1.wav"]
    assert {each["file"] for each in said if "error" in each} == {"*.ogg", "text.wav", "gone.wav"}
    for reason in ("not a recording", "gone.wav: cannot be read", "*.ogg: matches no file"):
        assert reason in result.stderr
    assert "3 recordings could not be used" in result.stderr


def test_standard_input_is_a_recording(here):
    content = (here / "clips" / "1.wav").read_bytes()
    (piped,) = lines(ser("-", "--format", "json", input=content))
    (named,) = lines(ser("clips/1.wav", "--format", "json"))
    assert piped == named | {"file": "recording"}


def test_uncertain_where_confidence_is_low(here):
    (said,) = lines(ser("clips/1.wav", "--abstain", "1", "--format", "json"))
    assert said["decision"] == "uncertain"
    assert said["emotion"] is not None


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_timeline_and_its_picture(here, kind):
    sf.write(here / "long.wav", np.concatenate([voice(5.0), np.zeros(2 * RATE), voice(3.0, 1)]), RATE)
    words = ("long.wav", "--timeline", "--hop", "0.5", "--picture", f"a.{kind}", "--format", "json")
    said = lines(ser(*words))
    assert [each["end_s"] for each in said] == [1 + 0.5 * number for number in range(19)]
    assert {each["decision"] == "no speech" for each in said} == {True, False}
    if kind == "png":
        with Image.open(here / "a.png") as image:
            assert image.size[0] > 1000
            assert len(image.convert("RGB").resize((90, 32)).getcolors(10_000)) > 10
    else:
        assert "</svg>" in (here / "a.svg").read_text()


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([], 2, "Missing argument"),
        (["clips", "--abstain", "2"], 1, "ser: --abstain 2: must be a number from 0 to 1 or auto"),
        (["clips", "--hop", "0"], 1, "ser: --hop 0: must be a number from 0.05 to 60"),
        (["clips", "--window", "0.01"], 1, "ser: --window 0.01: must be a number from 0.5 to 60"),
        (["clips", "--modality", "dance"], 1, "ser: --modality dance: must be speech or song"),
        (["clips", "--format", "xml"], 2, "xml"),
        (["clips", "--picture", "a.png"], 1, "--picture draws the timeline of one recording"),
        (["clips/0.wav", "--timeline", "--picture", "a.gif"], 1, "must end in .png, .svg or .pdf"),
        (["clips", "--threads", "0"], 2, "threads"),
        (["clips", "--adapt"], 1, "ser: --adapt follows a voice through the windows of a --timeline"),
        (["clips", "--one-speaker"], 1, "ser: --one-speaker: has no effect on small; leave it out"),
        (["clips", "--modality", "song"], 1, "ser: --modality song: has no effect on small; leave it out"),
        (["clips", "--corpus", "nope"], 1, "ser: --corpus nope: has no effect on small; leave it out"),
        (["clips", "--out", "p.parquet", "--modality", "song"], 1, "has no effect on small"),
        (["clips", "--adapt", "--timeline"], 1, "was not trained to adapt to a speaker; train one with"),
    ],
)
def test_wrong_words_are_one_clear_line(here, words, status, says):
    result = CliRunner().invoke(app, ["predict", "--model", "small", *words])
    assert result.exit_code == status
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("model", ["nowhere", "text.wav", "clips"])
def test_what_is_no_model_is_one_clear_line(here, model):
    result = CliRunner().invoke(app, ["predict", "clips/0.wav", "--model", model])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("ser: ")


def test_a_model_of_synthetic_voices_says_so(here):
    save_random(here / "runs" / "synthetic", synthetic=True)
    result = CliRunner().invoke(app, ["predict", "clips/0.wav", "--model", "synthetic"])
    assert "trained on synthetic voices" in result.stderr


def test_who_answers_stands_on_stderr_and_in_every_object(here, rows, fake):
    folder = fake.run(here / "runs", "scored", rows, "d", skill=0.6, epochs=1)
    save_random(folder)
    words = ["predict", "clips/0.wav", "gone.wav", "--format", "json"]
    result = CliRunner().invoke(app, words)
    assert result.stderr.startswith("answered by scored: crnn, task 4class, trained on ")
    assert [each["answered_by"]["name"] for each in lines(result)] == ["scored", "scored"]
    assert {each["answered_by"]["on_whom"] for each in lines(result)} == {"new people"}
    named = CliRunner().invoke(app, [*words, "--model", "small"])
    assert "answered by small: crnn; its file does not say how good it is" in named.stderr
    assert {each["answered_by"]["uar"] for each in lines(named)} == {None}


def test_a_model_that_knows_its_people_answers_with_a_warning_only_when_named(here, rows, fake):
    split = {"name": "stratified", "digest": "ab12", "leaks_speakers": True, "note": "by clip"}
    save_random(fake.run(here / "runs", "knows", rows, "d", skill=0.6, epochs=1, split=split))
    refused = CliRunner().invoke(app, ["predict", "clips/0.wav"])
    assert refused.exit_code == 1
    assert "knows was tested on people it learned from" in refused.stderr
    assert refused.stderr.count("\n") == 1
    named = CliRunner().invoke(app, ["predict", "clips/0.wav", "--model", "knows"])
    assert "people it knows" in named.stderr
    assert "warning: knows was tested on people it learned from" in named.stderr


def test_a_terminal_gets_what_tells_predictions_apart(here, terminal):
    whole = " ".join(terminal("predict", "clips", "--model", "small"))
    assert "clips/0.wav" in whole
    assert "to s" not in whole
    timeline = terminal("predict", "clips/2.wav", "--timeline", "--model", "small")
    assert "predictions on clips/2.wav" in timeline
    assert any(line.startswith("from s ") for line in timeline)
    both = " ".join(terminal("predict", "clips/1.wav", "clips/2.wav", "--timeline", "--model", "small"))
    assert both.count("clips/1.wav") == both.count("clips/2.wav") == 1
    assert "from s,to s" in ser("clips/2.wav", "--timeline", "--format", "csv").stdout.splitlines()[0]


def test_errors_stand_above_the_bar(here, terminal):
    shown = terminal("predict", "clips", "gone.wav", "--model", "small", status=1)
    assert "ser: gone.wav: cannot be read: No such file or directory" in shown
    assert max(map(len, shown)) <= 80


def test_asking_for_help_loads_nothing_heavy(here):
    script = (
        "import sys; from typer.testing import CliRunner; from ser_pipeline.cli import app\n"
        "assert CliRunner().invoke(app, ['predict', '--help']).exit_code == 0\n"
        "print({'torch', 'numpy', 'pandas', 'soundfile', 'numba', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_enrolment_needs_a_model_that_adapts(here):
    said = ser("clips/0.wav", "--enrol", "clips/1.wav", status=1).stderr
    assert "was not trained to adapt to a speaker; train one with --normalise adaptive" in said


def test_enrolment_that_cannot_be_used_ends_before_predicting(adapting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "run").rename(tmp_path / "runs" / "small")
    sf.write("a.wav", voice(2.0), RATE)
    sf.write("silent.wav", np.zeros(RATE), RATE)
    for words, why in (
        (["nonesuch"], "--enrol: nonesuch: cannot be read"),
        (["a.wav", "nonesuch"], "--enrol: nonesuch: cannot be read"),
        (["silent.wav"], "--enrol: silent.wav: no speech is heard in it"),
    ):
        named = [word for name in words for word in ("--enrol", name)]
        refused = ser("a.wav", *named, status=1)
        assert refused.stdout == ""
        assert why in refused.stderr
        assert "ser: --enrol: name recordings of the speaker that can be used" in refused.stderr
    assert "with 1 recording" in ser("a.wav", "--enrol", "*.wav").stderr


def test_enrolment_by_the_recording_that_is_judged_is_said(adapting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a.wav", 1), ("b.wav", 2)):
        sf.write(tmp_path / name, voice(1.0, seed), RATE)
    (tmp_path / "copy.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    for enrol, named in (("a.wav", "a.wav"), ("./a.wav", "a.wav"), ("copy.wav", "copy.wav"), ("b.wav", "")):
        words = ["predict", "a.wav", "--enrol", enrol, "--model", "run"]
        said = CliRunner().invoke(app, words)
        assert said.exit_code == 0, said.output
        assert (f"ser: --enrol: {named}: judged as well, so that nothing new" in said.stderr) == bool(named)


def test_a_model_without_a_threshold_says_that_it_always_decides(here):
    note = "small: has no threshold for abstaining, so --abstain auto changes nothing"
    assert note in ser("clips/1.wav", "--abstain", "auto").stderr
    assert note not in ser("clips/1.wav", "--abstain", "0.5").stderr


def test_ratings_stand_beside_the_emotions(here):
    save_random(here / "runs" / "small", model={"name": "crnn", "dimensions": True})
    (said,) = lines(ser("clips/1.wav", "--format", "json"))
    assert [*said["ratings"]] == ["valence", "arousal", "dominance"]
    rows = [*csv.DictReader(io.StringIO(ser("clips/1.wav", "silent.wav", "--format", "csv").stdout))]
    assert float(rows[0]["arousal"]) == said["ratings"]["arousal"]
    assert rows[1]["arousal"] == ""
