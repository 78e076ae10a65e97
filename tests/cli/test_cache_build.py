import json

import h5py
import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.cli import app


def ser(*words):
    return CliRunner().invoke(app, words)


def test_features_stand_in_a_shard_with_names_and_units(home):
    result = ser("cache", "features")
    assert "4 of 4 recordings (4 computed now, 0 failed)" in result.stdout
    assert "next: ser train logreg\n" in result.stderr
    (path,) = (home / "cache" / "features").glob("*/shard-*.h5")
    with h5py.File(path) as shard:
        names = [name.decode() for name in shard["feature_name"][()]]
        units = [unit.decode() for unit in shard["feature_unit"][()]]
        values = shard["features"][()]
        assert set(shard["aspect"][()].tolist()) == {b"speech"}
    assert values.shape == (4, 253)
    assert values.dtype == np.float32
    assert units[names.index("pitch_hz_mean")] == "Hz"
    pitches = sorted(values[:, names.index("pitch_hz_mean")].tolist())
    assert pitches == pytest.approx([150, 170, 190, 210], abs=0.5)
    assert "(0 computed now" in ser("cache", "features").stdout


def test_settings_of_the_store_are_in_the_next_command(home):
    assert (
        "next: ser train logreg --pitch-ceiling-hz 600.0"
        in ser("cache", "features", "--pitch-ceiling-hz", "600").stderr
    )
    rows = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert [row["settings"] for row in rows] == ["default pitch_ceiling_hz=600.0"]
    result = ser("train", "logreg", "--pitch-ceiling-hz", "700")
    assert "run 'ser cache features --pitch-ceiling-hz 700.0'" in result.stderr


def test_what_is_not_complete_is_built_before_anything_learns_from_it(home):
    words = ("--cache", "my cache", "--n-mels", "16")
    part = ser("cache", "mels", "--limit", "1", *words)
    assert part.stderr.splitlines()[-1] == "next: ser cache mels --n-mels 16 --cache 'my cache'"
    failed = ser("train", "crnn", *words)
    assert "run 'ser cache mels --n-mels 16 --cache 'my cache''" in failed.stderr
    assert "next: ser cache status" in ser("cache", "mels", "--shards", "0:1", *words).stderr
    assert "next: ser train crnn --n-mels 16" in ser("cache", "mels", *words).stderr


def test_where_nothing_says_who_speaks_the_next_training_does_without(home):
    (home / "manifests" / "splits" / "speaker.parquet").unlink()
    assert ser("cache", "features").stderr.splitlines()[-1] == "next: ser manifest split stratified"
    made = ser("manifest", "split", "stratified")
    assert made.stderr.splitlines()[-1] == "next: ser train --split stratified"
    assert ser("cache", "features").stderr.splitlines()[-1] == "next: ser train logreg --split stratified"


def test_a_settings_file_reaches_the_store(home):
    (home / "ser.toml").write_text("[features]\ntrim_db = false\nspeech_db = 25\n")
    assert ser("cache", "features").exit_code == 0
    (row,) = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert row["settings"] == "default speech_db=25.0 trim_db=none"


def test_opensmiles_sets_are_kinds_of_their_own(home):
    pytest.importorskip("opensmile")
    result = ser("cache", "features", "--set", "egemaps")
    assert "next: ser train logreg --set egemaps" in result.stderr
    assert len(list((home / "cache" / "egemaps").glob("*/shard-*.h5"))) == 1


def test_variants_are_built_and_the_next_command_learns_from_them(home):
    result = ser("cache", "augment", "--copies", "2", "--denoise", "none", "--n-mels", "16")
    assert result.exit_code == 0, result.stderr
    assert "augmented-mels" in result.stdout
    assert "8 of 8 variants (8 computed now, 0 failed)" in result.stdout
    assert "next: ser train crnn --denoise none --n-mels 16 --copies 2" in result.stderr
    dry = ser("cache", "augment", "--copies", "3", "--denoise", "none", "--n-mels", "16", "--dry-run")
    assert "would compute 4 of 12 variants" in dry.stdout


def test_variants_follow_the_settings_file(home):
    ser("cache", "augment", "--copies", "1", "--denoise", "none", "--n-mels", "16", "--limit", "1")
    (home / "ser.toml").write_text("[augment]\ntelephone_p = 1.0\n")
    ser("cache", "augment", "--copies", "1", "--denoise", "none", "--n-mels", "16", "--limit", "1")
    folders = sorted((home / "cache" / "augmented-mels").iterdir(), key=lambda path: path.stat().st_mtime)
    assert len(folders) == 2
    (home / "ser.toml").write_text(
        "[augment]\ntelephone_p = 1.0\n[front_end]\ndenoise = 'none'\nn_mels = 16\n"
    )
    said = [
        [
            line["value"]
            for line in json.loads(ser("cache", "status", folder.name, "--format", "json").stdout)
            if "differs" in line["what"]
        ]
        for folder in folders
    ]
    assert ["telephone_p" in line for line in said[0]] == [True]
    assert said[1] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--copies", "2", "--of", "words"), "--of words: does not exist; valid are mels, features"),
        (("--copies", "2", "--of", "features", "--n-mels", "16"), "--n-mels: has no effect on features"),
    ],
)
def test_wrong_words_about_variants_are_one_line(home, words, line):
    result = ser("cache", "augment", *words)
    assert result.exit_code == 1
    assert line in result.stderr
    assert not (home / "cache").exists()


@pytest.mark.parametrize("words", [(), ("--copies", "0"), ("--copies", "many")])
def test_the_number_of_variants_must_be_said(home, words):
    assert ser("cache", "augment", *words).exit_code == 2


def test_hours_of_work_ask_for_a_budget_and_what_does_not_fit_is_left(home, monkeypatch):
    monkeypatch.setattr("ser_pipeline.cli.budget.LONG_S", 0)
    asked = ser("cache", "mels").stderr
    assert asked.startswith("ser: 4 recordings are left, which take about 0 s: pass --budget")
    monkeypatch.setattr("ser_pipeline.cli.cache_build.parse_budget", lambda _: -1.0)
    left = ser("cache", "mels", "--budget", "1s")
    assert "0 of 4 recordings (0 computed now, 0 failed)" in left.stdout
    assert "the budget was used up; the same command continues" in left.stderr
    assert "next:" not in left.stderr
    monkeypatch.undo()
    monkeypatch.chdir(home)
    done = ser("cache", "mels", "--budget", "1h")
    assert "4 of 4 recordings (4 computed now, 0 failed)" in done.stdout
    assert "next: ser train crnn" in done.stderr


def test_worker_processes_of_an_earlier_call_work_where_this_one_is(tmp_path, monkeypatch):
    for words in (
        "corpora synth DataSets --corpora emodb,savee --size small --jobs 2",
        "manifest build",
        "cache mels --denoise none --n-mels 16 --jobs 2",
    ):
        for name in ("first", "second"):
            (tmp_path / name).mkdir(exist_ok=True)
            monkeypatch.chdir(tmp_path / name)
            result = ser(*words.split())
            assert result.exit_code == 0, result.output
    assert "56 of 56 recordings (56 computed now, 0 failed)" in result.stdout
    assert len([*(tmp_path / "second" / "cache").glob("mels/*/shard-*.h5")]) == 2


def test_recordings_of_which_a_minute_is_read_are_counted(home):
    assert "longer than a minute" not in ser("cache", "features", "--dry-run").stderr
    sf.write(home / "DataSets" / "EmoDB" / "wav" / "09a01Wa.wav", np.tile([0.1, -0.1], 30_500), 1_000)
    ser("manifest", "build")
    said = ser("cache", "features", "--dry-run").stderr
    assert (
        "1 recording is longer than a minute: training and its scores hear the first minute, predictions all"
    ) in said
