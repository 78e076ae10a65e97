"""``ser manifest``: what each command prints, writes and refuses."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli.common import say_short
from ser_pipeline.cli.manifest import app
from ser_pipeline.manifest import digest_file, read_manifest
from ser_pipeline.splits import read_split

NAMES = [
    *(f"EmoDB/wav/{speaker}a01{emotion}a.wav" for speaker in ("03", "08", "09", "10") for emotion in "WFNT"),
    *(
        f"RAVDESS/Actor_{actor:02d}/03-01-{emotion}-01-01-01-{actor:02d}.wav"
        for actor in (1, 2, 3)
        for emotion in ("01", "03", "04", "05")
    ),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder that holds nothing but ``DataSets``, as a user's would."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = tmp_path / "DataSets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.standard_normal(4000) * 0.1, 16_000)
    return tmp_path


def run(*words, status=0):
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == status, result.output
    if status == 1:
        assert result.stderr.strip().splitlines()[-1].startswith("ser: ")
        assert "Traceback" not in result.stderr
    return result


@pytest.fixture
def built(here):
    run("build")
    return here


def test_bare_build_writes_everything_and_names_what_comes_next(here):
    result = run("build")
    assert sorted(path.name for path in (here / "manifests").rglob("*.parquet")) == [
        ".probe.parquet", "manifest.parquet", "rejects.parquet", "speaker.parquet",
    ]  # fmt: skip
    assert "emodb" in result.stdout
    assert "ravdess" in result.stdout
    assert "28 recordings by 7 speakers, 0 rejected" in result.stderr
    assert result.stderr.strip().endswith("next: ser cache mels")
    assert "reading: 28 clips" in result.stderr


def test_building_again_says_that_nothing_changed(built):
    before = digest_file(built / "manifests/manifest.parquet")
    result = run("build")
    assert "nothing has changed since the last build" in result.stderr
    assert "reading" not in result.stderr
    assert digest_file(built / "manifests/manifest.parquet") == before


def test_other_folders_reach_the_next_command(here):
    (here / "DataSets").rename(here / "Corpora")
    result = run("build", "--data", "Corpora", "--out", "out", "--jobs", "2")
    assert "next: ser cache mels --data Corpora --manifests out" in result.stderr
    assert (here / "out/manifest.parquet").is_file()


def test_rejects_are_listed_with_their_reasons(here):
    for number in range(11):
        (here / f"DataSets/EmoDB/wav/odd{number:02d}.wav").write_bytes(b"")
    (here / "DataSets/EmoDB/wav/two\nlines.wav").write_bytes(b"")
    result = run("build")
    assert "28 recordings by 7 speakers, 12 rejected" in result.stderr
    assert "  12 x name does not follow 'wav/03a01Fa.wav' (EmoDB/wav/odd00.wav)\n" in result.stderr
    rows = json.loads(run("query", "SELECT path FROM rejects ORDER BY path", "--format", "json").stdout)
    assert len(rows) == 12


def test_a_line_break_in_a_name_stays_on_its_line(here):
    (here / "DataSets/EmoDB/wav/two\nlines.wav").write_bytes(b"")
    assert "(EmoDB/wav/two\\nlines.wav)" in run("build").stderr


def test_a_new_corpus_is_named_with_the_command_that_describes_it(here):
    for name in ("New one/a/1.wav", "New one/b/2.wav", "Other/3.wav", "4.wav"):
        (here / "DataSets" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "DataSets" / name).write_bytes(b"")
    result = run("build")
    assert "  2 x follows the layout of no known corpus (New one/a/1.wav)" in result.stderr
    assert (
        "  New one looks like a corpus of its own: ser corpora init 'DataSets/New one'\n"
        "  Other looks like a corpus of its own: ser corpora init DataSets/Other\n"
    ) in result.stderr
    assert "init DataSets\n" not in result.stderr
    alone = run("build", "--data", "DataSets/Other", status=1).stderr
    assert "1 x follows the layout of no known corpus (3.wav); a new corpus is described with" in alone
    assert "'ser corpora init DataSets/Other'; all reasons are in" in alone


def test_ten_reasons_are_shown_and_the_others_counted(here):
    for number in range(12):
        (here / f"DataSets/New{number:02d}").mkdir()
        (here / f"DataSets/New{number:02d}/{number}.wav").write_bytes(b"")
    result = run("build").stderr
    assert result.count(" 1 x ") == 10
    assert "and 2 rejects for 2 other reasons: ser manifest query 'SELECT * FROM rejects'" in result


def test_a_terminal_gets_each_reason_on_one_line(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    say_short("  7 x name does not follow 'wav/03a01Fa.wav' (a.wav)")
    assert "(a.wav)" in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    say_short("  7 x name does not follow 'wav/03a01Fa.wav' (a.wav)")
    assert capsys.readouterr().err == "  7 x name does not follow…\n"


def test_strict_ends_with_1_after_writing(here):
    (here / "DataSets/EmoDB/wav/03a02Wa.wav").write_bytes(b"")
    result = run("build", "--strict", status=1)
    assert "29 recordings was rejected: 1 x empty: 0 bytes (EmoDB/wav/03a02Wa.wav)" in result.stderr
    assert read_manifest(here / "manifests").table.num_rows == 28
    run("build")
    run("build", "--strict", status=1)


def test_decode_finds_silence(here):
    soundfile.write(here / "DataSets/EmoDB/wav/03a01Wa.wav", np.zeros(8000), 16_000)
    assert "0 rejected" in run("build").stderr
    result = run("build", "--decode")
    why = "silent: no sample is 0.0001 of full scale away from their mean"
    assert f"1 x {why} (EmoDB/wav/03a01Wa.wav)" in result.stderr


def test_limit_and_rehash(built):
    assert "--limit left out 24 recordings" in run("build", "--limit", "2").stderr
    assert "reading: 28 clips" in run("build", "--rehash").stderr


def test_missing_data_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("build", status=1)
    assert "ser: DataSets: no such folder; put the corpora's folders there" in result.stderr
    assert "--data" in result.stderr
    assert not (tmp_path / "manifests").exists()


def test_an_interrupt_says_how_to_continue(built, monkeypatch):
    before = digest_file(built / "manifests/manifest.parquet")

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("ser_pipeline.api.build_manifest", interrupt)
    result = CliRunner().invoke(app, ["build"])
    assert result.exit_code == 130
    assert "the old manifest is unchanged; run the same command again to continue" in result.stderr
    assert digest_file(built / "manifests/manifest.parquet") == before


def test_the_tables_rows_without_audio_and_warnings_are_said(here):
    table = here / "DataSets/nEMO/data.tsv"
    soundfile.write(here / "DataSets/WR0_anger_1.wav", np.linspace(0, 0.5, 4000), 16_000)
    (table.parent / "samples").mkdir(parents=True)
    (here / "DataSets/WR0_anger_1.wav").rename(table.parent / "samples/WR0_anger_1.wav")
    head = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    table.write_text(
        head + "".join(f"WR0_anger_{n}.wav\tanger\tA\ta\tWR0\tfemale\t20\n" for n in range(1, 9))
    )
    (here / "DataSets/SAVEE/AudioData/DC").mkdir(parents=True)
    result = run("build")
    assert "missing: 7 recordings of nemo that data.tsv lists" in result.stderr
    assert "savee" in result.stderr
    assert "erkennung.txt: not found" in result.stderr


@pytest.mark.parametrize(
    "words", [("--jobs", "0"), ("--limit", "0"), ("--jobs", "many"), ("--no-such-option",), ("x",)]
)
def test_wrong_options_are_wrong_usage(here, words):
    run("build", *words, status=2)


def test_show_counts_by_corpus_language_and_emotion(built):
    shown = run("show").stdout
    for word in (
        "by corpus",
        "by language",
        "by emotion",
        "ravdess",
        "en-US",
        "sadness",
        "published",
        "1,440",
    ):
        assert word in shown


def test_show_as_json_and_csv_agree(built):
    rows = json.loads(run("show", "--format", "json").stdout)
    assert {row["by"] for row in rows} == {"corpus", "language", "emotion"}
    emodb = next(row for row in rows if row["name"] == "emodb")
    assert (emodb["clips"], emodb["speakers"], emodb["anger"]) == (16, 4, 4)
    lines = list(csv.DictReader(io.StringIO(run("show", "--format", "csv").stdout)))
    assert [line["clips"] for line in lines] == [str(row["clips"]) for row in rows]


def test_show_by_something_else(built):
    rows = json.loads(run("show", "--by", "gender", "--by", "speaker", "--format", "json").stdout)
    assert {row["by"] for row in rows} == {"gender", "speaker"}
    assert "--by mood does not exist" in run("show", "--by", "mood", status=1).stderr


def test_ambiguity_says_which_corpora_have_no_votes(built):
    shown = run("show", "--ambiguity")
    assert shown.stderr.strip() == "neither votes nor agreement of listeners are known for ravdess, emodb"
    assert shown.stdout == ""
    assert run("show", "--ambiguity", "--format", "json").stdout == "[]\n"
    assert "does not go with --ambiguity" in run("show", "--ambiguity", "--by", "gender", status=2).stderr


def test_a_condition_picks_recordings_to_show_and_to_split(built):
    shown = run("show", "--where", "corpus = 'emodb'", "--by", "corpus", "--format", "json")
    assert [row["name"] for row in json.loads(shown.stdout)] == ["emodb"]
    assert "28 recordings have no agreement" in run("show", "--where", "agreement > 0", status=1).stderr
    made = run("split", "speaker", "--where", "corpus = 'emodb'", "--as", "german", "--format", "json")
    assert {row["corpus"] for row in json.loads(made.stdout)} == {"emodb"}
    assert "Only recordings with corpus = 'emodb'." in made.stderr
    assert "no problems; splits: german, speaker" in run("validate").stdout
    refused = run("split", "speaker", "--where", "corpus = 'emodb'", status=1).stderr
    assert "split speaker of some recordings needs a name of its own; add --as NAME" in refused


def test_synthetic_recordings_are_called_so(here):
    (here / "DataSets/EmoDB/SYNTHETIC.txt").write_text("made")
    assert "synthetic recordings" in run("build").stderr
    assert "synthetic recordings, made by 'ser corpora synth': emodb" in run("show").stderr


@pytest.mark.parametrize("words", [("show",), ("validate",), ("split", "kfold"), ("query", "SELECT 1")])
def test_without_a_manifest_its_command_is_named(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert "manifest.parquet: not found; make it with 'ser manifest build'" in run(*words, status=1).stderr


def test_validate_a_good_manifest(built):
    assert "28 recordings, no problems; splits: speaker" in run("validate").stdout
    (built / "DataSets").rename(built / "gone")
    assert "no problems" in run("validate", "--no-audio").stdout
    assert "no problems" in run("validate", "--data", "gone").stdout
    assert "no such folder" in run("validate", status=1).stderr


def test_validate_lists_ten_problems_and_counts_them(built):
    for path in (built / "DataSets/EmoDB/wav").glob("*.wav"):
        path.unlink()
    result = run("validate", status=1)
    assert result.stderr.count(" is missing below ") == 10
    assert "ser: manifests/manifest.parquet: 16 problems; 6 of them not shown" in result.stderr


@pytest.mark.parametrize("kind", ["speaker", "stratified", "loso", "kfold", "loco", "lolo"])
def test_every_split_shows_its_real_shares(built, kind):
    result = run("split", kind, "--format", "json")
    rows = [row for row in json.loads(result.stdout) if row["corpus"] == "all"]
    assert sum(row["clips"] for row in rows) == 28
    assert "speakers" in rows[0]
    assert f"manifests/splits/{kind}.parquet: " in result.stderr
    assert "next: ser cache features" in result.stderr  # there is nothing to learn from yet
    (built / "cache" / "mels" / f"{0:016}").mkdir(parents=True, exist_ok=True)
    result = run("split", kind)
    assert f"next: ser train --split {kind}" in result.stderr
    assert ("--fold all" in result.stderr) == (kind in {"loso", "kfold", "loco", "lolo"})
    read_split(built / "manifests", kind, read_manifest(built / "manifests"))


def test_options_of_splits(built):
    run("split", "stratified", "--ratios", "80/0/20", "--seed", "3", "--as", "s80")
    run("split", "kfold", "--folds", "2")
    manifest = read_manifest(built / "manifests")
    split = read_split(built / "manifests", "s80", manifest)
    assert (split.recipe.seed, split.recipe.ratios) == (3, (80.0, 0.0, 20.0))
    assert read_split(built / "manifests", "kfold", manifest).folds == ("0", "1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("half",), "split 'half' does not exist; valid are speaker"),
        (("speaker", "--ratios", "60/40"), "ratios '60/40' are not three numbers"),
        (("loso", "--folds", "3"), "split loso takes no --folds"),
        (("kfold", "--folds", "99"), "does not fit 7 speakers"),
        (("speaker", "--as", "../x"), "cannot name a split"),
        (("own", "--from", "none.csv"), "none.csv: cannot be read"),
    ],
)
def test_splits_that_cannot_be_made(built, words, message):
    assert message in run("split", *words, status=1).stderr


@pytest.mark.parametrize(
    "words", [("--ratios", "60/20/20"), ("--folds", "3"), ("--as", "x"), ("--where", "1")]
)
def test_options_that_do_not_go_with_an_import(built, words):
    (built / "a.csv").write_text("utterance_id,part\n")
    assert "does not go with --from" in run("split", "own", "--from", "a.csv", *words, status=2).stderr


def test_importing_names_what_does_not_match(built):
    names = read_manifest(built / "manifests").table["utterance_id"].to_pylist()
    lines = ["utterance_id,part", "emodb/nobody,train", *(f"{name},train" for name in names[1:])]
    (built / "a.csv").write_text("\n".join(lines))
    result = run("split", "own", "--from", "a.csv")
    assert "not in the manifest: 1 name of a.csv: emodb/nobody" in result.stderr
    assert f"not in a.csv, and so in no part: 1 recording: {names[0]}" in result.stderr
    assert "Published parts, read from a.csv." in result.stderr


def test_importing_says_which_of_folds_and_parts_is_read(built):
    names = read_manifest(built / "manifests").table["utterance_id"].to_pylist()
    lines = ["utterance_id,part,fold", *(f"{name},train,{at % 2}" for at, name in enumerate(names))]
    (built / "a.csv").write_text("\n".join(lines))
    said = "a.csv has both folds and parts, and the folds are read; for the parts, use --column part"
    assert said in run("split", "own", "--from", "a.csv", "--leaks-speakers").stderr
    assert "Published parts" in run("split", "own", "--from", "a.csv", "--column", "part").stderr
    assert "--column needs --from" in run("split", "speaker", "--column", "part", status=2).stderr


def test_importing_leaks_needs_consent(built):
    names = read_manifest(built / "manifests").table["utterance_id"].to_pylist()
    parts = ["train", "test"] * len(names)
    lines = ["utterance_id,part", *(f"{name},{part}" for name, part in zip(names, parts, strict=False))]
    (built / "a.csv").write_text("\n".join(lines))
    assert "--leaks-speakers" in run("split", "own", "--from", "a.csv", status=1).stderr
    assert "do not hold for new speakers" in run("split", "own", "--from", "a.csv", "--leaks-speakers").stderr


def test_a_terminal_gets_a_summary_that_fits_one_screen(built, terminal, monkeypatch):
    monkeypatch.setattr("ser_pipeline.cli.manifest.MOST_ROWS", 3)
    shown = terminal("manifest", "split", "loso")
    assert len(shown) < 24
    assert "4 more rows are not shown; --full shows all." in shown
    assert not [line for line in terminal("manifest", "split", "loso", "--full") if "more rows" in line]
    assert "more rows" not in run("split", "loso").output


@pytest.mark.parametrize("words", [("show",), ("split", "speaker"), ("split", "kfold"), ("build",)])
def test_a_summary_has_all_clips_and_full_has_each_corpus(built, terminal, words):
    shown = terminal("manifest", *words)
    assert len(shown) < 24
    assert max(map(len, shown)) <= 80
    if words[0] == "show":
        assert shown[0] == "28 recordings of 7 speakers in 2 corpora"
        assert "Languages: de 16, en-US 12." in shown
    elif words[0] == "split":
        assert "ravdess" not in " ".join(shown)
        assert "ravdess" in " ".join(terminal("manifest", *words, "--full"))
        assert "ravdess" in run(*words).stdout  # what is no terminal gets all of it


def test_query_in_every_format(built):
    sql = "SELECT emotion, count(*) AS n FROM manifest GROUP BY 1 ORDER BY 1 LIMIT 2"
    assert "anger" in run("query", sql).stdout
    assert json.loads(run("query", sql, "--format", "json").stdout) == [
        {"emotion": "anger", "n": 7},
        {"emotion": "happiness", "n": 7},
    ]
    assert run("query", sql, "--format", "csv").stdout == "emotion,n\nanger,7\nhappiness,7\n"


@pytest.mark.parametrize("sql", ["SELECT * FROM '/etc/passwd'", "DROP VIEW manifest", "SELEKT"])
def test_a_query_that_is_refused_is_one_line(built, sql):
    result = run("query", sql, status=1)
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
