import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.corpora import known_corpora
from ser_pipeline.synth import MARKER, synth

TINY = ["--seed", "3", "--size", "small", "--corpora", "tess"]

GOOD = 'name = "mine"\npattern = "(?P<speaker>s\\\\d)_(?P<emotion>anger|fear)"\n'


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with two recordings of EMO-DB and a description of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("EmoDB/wav/03a01Fa.wav", "EmoDB/wav/08a01Wa.wav", "voices/f1_rab.wav"):
        path = tmp_path / "DataSets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    own = tmp_path / "corpora" / "voices.toml"
    own.parent.mkdir()
    own.write_text(
        "name = 'voices'\ntitle = 'Voices'\nclips = 1\nspeakers = 1\nlicence = 'CC0, by its makers'\n"
        "pattern = '(?P<speaker>f\\d)_(?P<emotion>rab)'\ncodes.emotion.rab = 'anger'\nnotes = 'Short.'\n"
    )
    return tmp_path


def test_list_has_every_card_and_what_is_found(here):
    rows = {row["corpus"]: row for row in json.loads(run("corpora", "list", "--format", "json").stdout)}
    assert set(rows) == set(known_corpora()) | {"voices"}
    for name, corpus in known_corpora().items():
        row, card = rows[name], corpus.CARD
        assert (row["clips"] or 0, row["speakers"] or 0) == (card.clips, card.speakers)
        assert (row["layout"], row["licence"], row["source"]) == (card.layout, card.licence, card.source)
        assert row["own"] == "no"
    assert (rows["emodb"]["state"], rows["emodb"]["found"]) == ("partial", 2)
    assert rows["emodb"]["missing"].startswith("533 of 535 recordings; 8 speakers of 10: 09, 10,")
    assert (rows["tess"]["state"], rows["tess"]["missing"]) == ("", "")
    assert (rows["voices"]["state"], rows["voices"]["own"]) == ("complete", "yes")
    assert rows["voices"]["emotion_names"] == "anger"


def test_list_as_csv_and_as_a_table_that_marks_own_descriptions(here):
    rows = list(csv.DictReader(io.StringIO(run("corpora", "list", "--format", "csv").stdout)))
    assert "emodb" in [row["corpus"] for row in rows]
    lines = run("corpora", "list").stdout.splitlines()
    assert any(re.match(r"voices \* +und +1 +1 +1 +complete +CC0$", line) for line in lines)
    assert any(re.search(r"emodb .* 2 +free for research$", line) for line in lines)
    assert lines[-1] == "* your own description"


def test_the_list_fits_a_narrow_screen(here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    lines = re.sub(r"\x1b\[\d*m", "", run("corpora", "list").stdout).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("ravdess-song ") for line in lines)


def test_list_without_data_is_a_list_and_a_wrong_folder_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "emodb" in run("corpora", "list").stdout
    wrong = run("corpora", "list", "--data", "gone")
    assert wrong.exit_code == 1
    assert wrong.stderr == "ser: gone: no such folder; pass the folder that holds the recordings\n"


def test_show_tells_all_of_one_corpus(here):
    shown = run("corpora", "show", "emodb").stdout
    for line in ("language           German (de)", "access             open", "sample rate, Hz    16000",
                 "found              2 recordings of 2 speakers in DataSets/EmoDB/wav",
                 "missing            533 of 535 recordings"):  # fmt: skip
        assert line in shown.splitlines()
    assert re.search(r"^W +anger +127 +1$", shown, re.MULTILINE)
    own = run("corpora", "show", "voices").stdout
    assert re.search(r"corpus +voices, by your own description\n", own)
    assert re.search(
        r"tried on +not tried by this toolkit: it is your own description\nnotes +Short\.\n", own
    )
    rows = json.loads(run("corpora", "show", "emodb", "--format", "json").stdout)
    assert {"about": "published recordings", "key": "anger", "value": 127} in rows
    assert {"about": "recordings found", "key": "anger", "value": 1} in rows


def test_check_shows_findings_and_fails_where_one_is_a_fault(here):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000)
    soundfile.write(here / "DataSets" / "voices" / "f1_rab.wav", wave, 16_000)
    good = run("corpora", "check", "voices")
    assert good.exit_code == 0
    assert re.search(
        r"^voices +complete +1 +1 recording of 1 speaker in DataSets/voices$", good.stdout, re.MULTILINE
    )
    bad = run("corpora", "check", "--format", "csv")
    assert bad.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(bad.stdout)))
    assert [(row["corpus"], row["finding"], row["clips"]) for row in rows] == [
        ("voices", "complete", "1"), ("emodb", "unreadable", "2"), ("emodb", "partial", ""),
    ]  # fmt: skip
    assert rows[1]["example"] == "EmoDB/wav/03a01Fa.wav"
    assert bad.stderr.splitlines()[-1] == "emodb: unreadable, partial"
    assert run("corpora", "check", "DataSets/voices").exit_code == 0


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("emodbb", "'emodbb' is neither a folder nor a corpus (did you mean 'emodb'?); pass a folder"),
        ("tess", "DataSets: contains no recording of tess; 'ser corpora show tess' says where to get it"),
        (
            "other",
            "other: contains no recording of a known corpus; 'ser corpora init other' describes a new one",
        ),
        ("corpora", "corpora: no recordings found; put a known corpus there "),
    ],
)
def test_check_of_nothing_is_one_line(here, what, message):
    (here / "other").mkdir()
    (here / "other" / "x.wav").touch()
    refused = run("corpora", "check", what)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"ser: {message}")
    assert refused.stderr.count("\n") == 1


def test_an_unknown_corpus_says_the_nearest(here):
    refused = run("corpora", "show", "Emodbb")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "ser: corpus 'Emodbb' does not exist (did you mean 'emodb'?); 'ser corpora list' shows all\n"
    )


def test_synth_writes_and_names_the_next_command(tmp_path):
    folder = tmp_path / "DataSets"
    result = run("corpora", "synth", folder, *TINY)
    assert result.exit_code == 0
    assert result.stdout.strip() == f"{folder}: 14 synthetic recordings in 1 corpus, 2 voices"
    assert f"next: ser manifest build --data {folder}" in result.stderr
    assert (folder / MARKER).is_file()
    assert len(list(folder.rglob("*.wav"))) == 14
    assert "tess already present" in run("corpora", "synth", folder, *TINY).stdout


def test_synth_next_to_real_recordings_is_one_line(tmp_path):
    (tmp_path / "EmoDB").mkdir()
    result = run("corpora", "synth", tmp_path, *TINY)
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1].startswith(f"ser: {tmp_path}: holds EmoDB and no {MARKER}")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--seed", "-1"], 1, "seed -1 must be 0 or more"),
        (["--clips-per-class", "99"], 1, "clips per class 99: valid are 1 to 8"),
        (["--corpora", "timit"], 1, "corpus 'timit' does not exist"),
        (["--size", "huge"], 2, "huge"),
        (["--jobs", "0"], 2, "jobs"),
    ],
)
def test_wrong_values_are_named_and_nothing_is_written(tmp_path, arguments, status, message):
    result = run("corpora", "synth", tmp_path / "new", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.fixture
def bare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


NAMES = [f"S{s}_{e}_{t}.wav" for s in range(1, 6) for e in ("anger", "joy", "quux") for t in range(4)]


def test_init_shows_what_it_would_read_and_writes_a_draft(bare):
    put(bare / "data" / "Mine", *NAMES)
    result = run("corpora", "init", "data/Mine", "--language", "it")
    assert result.exit_code == 0, result.output
    assert "anger = anger, joy = happiness, quux" in result.stdout
    assert (
        "corpora/mine.toml: draft written; it reads 40 recordings and rejects 20: 20 x emotion"
        in result.stdout
    )
    assert result.stderr.splitlines()[-1] == "next: ser manifest build --data data"
    assert "language = 'it'\n" in (bare / "corpora" / "mine.toml").read_text()
    again = run("corpora", "init", "data/Mine")
    assert (again.exit_code, again.stderr.strip()) == (
        1, "ser: corpora/mine.toml: is there already; edit it, or overwrite it with --force",
    )  # fmt: skip
    assert run("corpora", "init", "data/Mine", "--force", "--name", "other").exit_code == 0
    assert (bare / "corpora" / "other.toml").is_file()


def test_init_of_a_table_says_what_reads_it(bare):
    Path("a.csv").touch()
    said = run("corpora", "init", "a.csv").stderr
    assert said == (
        "ser: a.csv: is not a folder; 'ser corpora add a.csv' describes the recordings beside a table\n"
    )


def test_init_shows_that_the_emotion_comes_from_votes(bare):
    put(bare / "data" / "Mine", *(f"v{n:03d}.wav" for n in range(20)))
    table = "file,anger,fear,other\n" + "".join(f"v{n:03d}.wav,{n % 3},1,{n % 2}\n" for n in range(20))
    (bare / "data" / "Mine" / "l.csv").write_text(table)
    result = run("corpora", "init", "data/Mine")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("emotion")]
    assert line.split() == ["emotion", "votes", "of", "l.csv", "3", "anger,", "fear,", "other"]


def test_init_says_what_of_a_table_is_not_read(bare):
    put(bare / "data" / "Mine", *(f"v{n:03d}.wav" for n in range(20)))
    lines = (f"v{n:03d}.wav,{('sad', 'joy')[n % 2]},0,1,{n % 2}\n" for n in range(20))
    (bare / "data" / "Mine" / "l.csv").write_text("file,emotion,start,end,channel\n" + "".join(lines))
    result = run("corpora", "init", "data/Mine")
    assert "not read, so rows are whole recordings: start, end of l.csv" in result.stderr
    assert "column 'channel' is not read: all channels are mixed" in " ".join(result.stderr.split())
    assert "# column 'channel' is not read" in (bare / "corpora" / "mine.toml").read_text()


def test_init_of_a_known_corpus_says_that_nothing_is_needed(bare):
    put(bare / "EmoDB" / "wav", "03a01Fa.wav", "03a01Wa.wav", "08a01Na.wav", "08b01Ta.wav")
    result = run("corpora", "init", "EmoDB")
    assert result.exit_code == 1
    assert "EmoDB: is EMO-DB, which is known and needs no description" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "new.toml: cannot be read (No such file or directory)"),
        ("name = 3", "new.toml: name: "),
        (
            GOOD.replace("emotion>", "emotoin>"),
            "group 'emotoin' of the pattern is not a fact (did you mean 'emotion'?)",
        ),
    ],
)
def test_add_refuses_what_is_no_description(bare, text, said):
    if text is not None:
        (bare / "new.toml").write_text(text)
    result = run("corpora", "add", "new.toml")
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (bare / "corpora").exists()


def test_names_like_those_of_a_known_corpus_with_other_codes_are_another_corpus(bare):
    speakers = [f"{sex}{number}" for sex in "fm" for number in "123"]
    names = (f"{e}-{s}-b{t}.wav" for e in ("ale", "med", "rai", "tri") for s in speakers for t in "123")
    put(bare / "data" / "Vozes", *names)
    assert "which is known" not in run("corpora", "init", "data/Vozes").stderr
    assert "rai" in (bare / "corpora" / "vozes.toml").read_text()


def test_add_takes_a_description_over_once(bare):
    (bare / "new.toml").write_text(GOOD)
    assert "corpora/mine.toml: mine" in run("corpora", "add", "new.toml").stdout
    assert (bare / "corpora" / "mine.toml").read_text() == GOOD
    assert "is there already" in run("corpora", "add", "new.toml").stderr
    assert run("corpora", "add", "new.toml", "--force").exit_code == 0


def test_add_describes_the_recordings_beside_a_table(bare):
    put(bare / "data" / "Mine", *(f"wav/{n:02d}.wav" for n in range(12)))
    table = bare / "data" / "Mine" / "labels.csv"
    table.write_text("file;emotion;speaker\n" + "".join(f"{n:02d}.wav;joy;p{n % 3}\n" for n in range(12)))
    result = run("corpora", "add", "data/Mine/labels.csv")
    assert result.exit_code == 0, result.output
    assert "it reads 12 recordings and rejects none" in result.stdout
    table.write_text("file;loudness\n01.wav;3\n")
    failed = run("corpora", "add", "data/Mine/labels.csv", "--force")
    assert failed.exit_code == 1
    assert (
        "labels.csv: no column names the recordings below data/Mine, or none says their emotions"
        in failed.stderr
    )


def test_names_of_a_corpus_are_pointed_out_but_not_those_of_ones_own(bare):
    names = [f"{s}_{e}_{t}.wav" for s in ("ann", "bob", "eva") for e in ("anger", "joy") for t in range(4)]
    put(bare / "data" / "Alpha", *names)
    put(bare / "data" / "Beta", *names)
    put(bare / "data" / "Gamma", *(f"{s:02d}{t}0{n}{e}a.wav" for s in (3, 8, 9) for t in "ab" for n in (1, 2)
                                   for e in "WFNT"))  # fmt: skip
    said = [run("corpora", "init", f"data/{name}", "--force").stderr for name in ("Alpha", "Beta", "Gamma")]
    assert ["the file names match" in line for line in said] == [False, False, True]


@pytest.mark.slow
def test_five_commands_lead_from_a_folder_to_a_report(bare):
    synth(bare / "made", seed=1, size="small", corpora=["emodb"])
    words = {"W": "Wut", "F": "Freude", "N": "Neutral", "T": "Trauer", "A": "Angst", "E": "Ekel"}
    for place in (bare / "made").rglob("*.wav"):
        if place.stem[5] in words:
            target = bare / "DataSets" / "Neu" / f"Sprecher {place.stem[:2]}"
            target.mkdir(parents=True, exist_ok=True)
            place.rename(target / f"{words[place.stem[5]]} {place.stem[2:5]}{place.stem[6:]}.wav")
    for command in (
        "corpora init DataSets/Neu",
        "manifest build",
        "cache features",
        "train logreg",
        "report",
    ):
        result = run(*command.split())
        assert result.exit_code == 0, (command, result.output)
    assert (bare / "reports" / "report.html").is_file()
    shown = run("manifest", "show", "--format", "json").stdout
    assert '"neu"' in shown


def test_init_of_a_folder_that_holds_described_corpora_names_them(bare):
    put(bare / "data" / "Mine", *NAMES)
    put(
        bare / "data" / "Yours", *(f"{s}-{e}{t}.wav" for s in "abcd" for e in ("wut", "angst") for t in "123")
    )
    assert run("corpora", "init", "data/Mine").exit_code == 0
    one = run("corpora", "init", "data")
    assert run("corpora", "init", "data/Yours").exit_code == 0
    two = run("corpora", "init", "data")
    todo = (
        "build the manifest with 'ser manifest build --data data', or pass the folder of a corpus that is not"
    )
    for result, said in ((one, "Mine, which is"), (two, "Mine, Yours, which are")):
        assert result.exit_code == 1
        assert result.stderr.strip() == f"ser: data holds {said} already described; {todo}"
    assert not (bare / "corpora" / "data.toml").exists()
    put(bare / "all" / "x" / "EmoDB", "03a01Fa.wav", "03a01Wa.wav", "08a01Na.wav", "08b01Ta.wav")
    assert "all holds EMO-DB, which is already described" in run("corpora", "init", "all").stderr
