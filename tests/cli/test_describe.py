"""``ser corpora init`` and ``add``, and the road from a folder that nobody described to a report."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.synth import synth

GOOD = 'name = "mine"\npattern = "(?P<speaker>s\\\\d)_(?P<emotion>anger|fear)"\n'


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


NAMES = [f"S{s}_{e}_{t}.wav" for s in range(1, 6) for e in ("anger", "joy", "quux") for t in range(4)]


def test_init_shows_what_it_would_read_and_writes_a_draft(here):
    put(here / "data" / "Mine", *NAMES)
    result = run("corpora", "init", "data/Mine", "--language", "it")
    assert result.exit_code == 0, result.output
    assert "anger = anger, joy = happiness, quux" in result.stdout
    assert (
        "corpora/mine.toml: draft written; it reads 40 recordings and rejects 20: 20 x emotion"
        in result.stdout
    )
    assert result.stderr.splitlines()[-1] == "next: ser manifest build --data data"
    assert "language = 'it'\n" in (here / "corpora" / "mine.toml").read_text()
    again = run("corpora", "init", "data/Mine")
    assert (again.exit_code, again.stderr.strip()) == (
        1, "ser: corpora/mine.toml: is there already; edit it, or write over it with --force",
    )  # fmt: skip
    assert run("corpora", "init", "data/Mine", "--force", "--name", "other").exit_code == 0
    assert (here / "corpora" / "other.toml").is_file()


def test_init_shows_that_the_emotion_comes_from_votes(here):
    put(here / "data" / "Mine", *(f"v{n:03d}.wav" for n in range(20)))
    table = "file,anger,fear,other\n" + "".join(f"v{n:03d}.wav,{n % 3},1,{n % 2}\n" for n in range(20))
    (here / "data" / "Mine" / "l.csv").write_text(table)
    result = run("corpora", "init", "data/Mine")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("emotion")]
    assert line.split() == ["emotion", "votes", "of", "l.csv", "3", "anger,", "fear,", "other"]


def test_init_says_what_of_a_table_is_not_read(here):
    put(here / "data" / "Mine", *(f"v{n:03d}.wav" for n in range(20)))
    lines = (f"v{n:03d}.wav,{('sad', 'joy')[n % 2]},0,1,{n % 2}\n" for n in range(20))
    (here / "data" / "Mine" / "l.csv").write_text("file,emotion,start,end,channel\n" + "".join(lines))
    result = run("corpora", "init", "data/Mine")
    assert "not read, so rows are whole recordings: start, end of l.csv" in result.stderr
    assert "column 'channel' is not read: all channels are mixed" in " ".join(result.stderr.split())
    assert "# column 'channel' is not read" in (here / "corpora" / "mine.toml").read_text()


def test_init_of_a_known_corpus_says_that_nothing_is_needed(here):
    put(here / "EmoDB" / "wav", "03a01Fa.wav", "03a01Wa.wav", "08a01Na.wav", "08b01Ta.wav")
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
            "group 'emotoin' of the pattern is no fact (did you mean 'emotion'?)",
        ),
    ],
)
def test_add_refuses_what_is_no_description(here, text, said):
    if text is not None:
        (here / "new.toml").write_text(text)
    result = run("corpora", "add", "new.toml")
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (here / "corpora").exists()


def test_names_like_those_of_a_known_corpus_with_other_codes_are_another_corpus(here):
    speakers = [f"{sex}{number}" for sex in "fm" for number in "123"]
    names = (f"{e}-{s}-b{t}.wav" for e in ("ale", "med", "rai", "tri") for s in speakers for t in "123")
    put(here / "data" / "Vozes", *names)
    assert "which is known" not in run("corpora", "init", "data/Vozes").stderr
    assert "rai" in (here / "corpora" / "vozes.toml").read_text()


def test_add_takes_a_description_over_once(here):
    (here / "new.toml").write_text(GOOD)
    assert "corpora/mine.toml: mine" in run("corpora", "add", "new.toml").stdout
    assert (here / "corpora" / "mine.toml").read_text() == GOOD
    assert "is there already" in run("corpora", "add", "new.toml").stderr
    assert run("corpora", "add", "new.toml", "--force").exit_code == 0


def test_add_describes_the_recordings_beside_a_table(here):
    put(here / "data" / "Mine", *(f"wav/{n:02d}.wav" for n in range(12)))
    table = here / "data" / "Mine" / "labels.csv"
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


def test_names_of_a_corpus_are_pointed_out_but_not_those_of_ones_own(here):
    names = [f"{s}_{e}_{t}.wav" for s in ("ann", "bob", "eva") for e in ("anger", "joy") for t in range(4)]
    put(here / "data" / "Alpha", *names)
    put(here / "data" / "Beta", *names)
    put(here / "data" / "Gamma", *(f"{s:02d}{t}0{n}{e}a.wav" for s in (3, 8, 9) for t in "ab" for n in (1, 2)
                                   for e in "WFNT"))  # fmt: skip
    said = [run("corpora", "init", f"data/{name}", "--force").stderr for name in ("Alpha", "Beta", "Gamma")]
    assert ["the names are those of" in line for line in said] == [False, False, True]


@pytest.mark.slow
def test_five_commands_lead_from_a_folder_to_a_report(here):
    synth(here / "made", seed=1, size="small", corpora=["emodb"])
    words = {"W": "Wut", "F": "Freude", "N": "Neutral", "T": "Trauer", "A": "Angst", "E": "Ekel"}
    for place in (here / "made").rglob("*.wav"):
        if place.stem[5] in words:
            target = here / "DataSets" / "Neu" / f"Sprecher {place.stem[:2]}"
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
    assert (here / "reports" / "report.html").is_file()
    shown = run("manifest", "show", "--format", "json").stdout
    assert '"neu"' in shown


def test_init_of_a_folder_that_holds_described_corpora_names_them(here):
    put(here / "data" / "Mine", *NAMES)
    put(
        here / "data" / "Yours", *(f"{s}-{e}{t}.wav" for s in "abcd" for e in ("wut", "angst") for t in "123")
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
    assert not (here / "corpora" / "data.toml").exists()
    put(here / "all" / "x" / "EmoDB", "03a01Fa.wav", "03a01Wa.wav", "08a01Na.wav", "08b01Ta.wav")
    assert "all holds EMO-DB, which is already described" in run("corpora", "init", "all").stderr
