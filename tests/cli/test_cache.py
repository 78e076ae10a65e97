import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.cli.cache import _again


@pytest.fixture
def home(tones):
    """Twelve tones and their manifest."""
    return tones([f"{speaker}a01{letter}a" for speaker in ("03", "08", "09", "10") for letter in "WFN"], 200)


def ser(*words):
    return CliRunner().invoke(app, words)


def test_build_then_nothing_to_do_then_status(home):
    first = ser("cache", "mels")
    assert first.exit_code == 0
    assert "12 of 12 recordings (12 computed now, 0 failed)" in first.stdout
    assert "mels: 12 clips in" in first.stderr
    assert "next: ser train crnn" in first.stderr
    assert "(0 computed now" in ser("cache", "mels").stdout
    (row,) = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert (row["settings"], row["rows"], row["missing"], row["state"]) == ("default", 12, 0, "current")


def test_presets_are_two_stores(home):
    ser("cache", "mels", "--denoise", "none")
    assert "next: ser manifest split stratified" in ser("cache", "mels", "--preset", "paper").stderr
    ser("manifest", "split", "stratified")
    assert "next: ser train crnn --preset paper" in ser("cache", "mels", "--preset", "paper").stderr
    rows = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert {row["settings"] for row in rows} == {"paper", "default denoise=none"}


def test_a_bad_recording_is_named_and_the_status_tells(home):
    path = home / "DataSets" / "EmoDB" / "wav" / "03a01Wa.wav"
    sf.write(path, np.zeros(8_000), 16_000)
    ser("manifest", "build")
    result = ser("cache", "mels", "--denoise", "none")
    assert result.exit_code == 1
    assert "1 x silent: no sample" in result.stderr
    assert "03a01Wa.wav)" in result.stderr
    assert "11 of 12 recordings (11 computed now, 1 failed)" in result.stdout
    (row,) = json.loads(ser("cache", "status", "--failures", "--format", "json").stdout)
    assert "silent" in row["reason"]
    name = Path(row["store"]).name[:6]
    assert json.loads(ser("cache", "status", name, "--failures", "--format", "json").stdout) == [row]


def test_one_store_in_full_names_what_changed(home):
    ser("cache", "mels", "--denoise", "none")
    path = home / "DataSets" / "EmoDB" / "wav" / "03a01Wa.wav"
    sf.write(path, 0.1 * np.sin(np.arange(9_000)), 16_000)
    ser("manifest", "build")
    (row,) = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert row["state"] == "incomplete: 1 recording to compute; recording changed: EmoDB/wav/03a01Wa.wav"
    rows = json.loads(ser("cache", "status", row["store"][:6], "--format", "json").stdout)
    said = [(line["what"], line["value"]) for line in rows]
    assert ("differs from today's settings", "settings.denoise: none, now gate") in said
    assert ("recording changed", "EmoDB/wav/03a01Wa.wav") in said
    assert "no store named 'nope'" in ser("cache", "status", "nope").stderr


def test_dry_run_writes_nothing(home):
    result = ser("cache", "mels", "--dry-run")
    assert "would compute 12 of 12" in result.stdout
    assert not (home / "cache").exists()


def test_verify_finds_damage_and_repair_heals_it(home):
    ser("cache", "mels", "--denoise", "none")
    assert ser("cache", "verify", "--sample", "3").exit_code == 0
    (shard,) = (home / "cache").rglob("shard-*.h5")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    found = ser("cache", "verify")
    assert found.exit_code == 1
    assert "1 problem" in found.stdout
    again = "1 shard set aside; to build it again, run 'ser cache mels --denoise none'"
    assert again in ser("cache", "verify", "--repair").stderr
    assert "12 computed now" in ser("cache", "mels", "--denoise", "none").stdout
    assert ser("cache", "verify").exit_code == 0


def test_repair_names_the_command_of_the_damaged_store(home):
    again = "run 'ser cache features --pitch-ceiling-hz 600.0'"
    ser("cache", "features", "--pitch-ceiling-hz", "600")
    (shard,) = (home / "cache").rglob("shard-*.h5")
    assert _again(shard.parent.relative_to(home), Path("manifests")) == again
    moved = home / "other" / shard.parent.relative_to(home / "cache")
    shutil.copytree(shard.parent, moved)
    found = _again(moved.relative_to(home), Path("my manifests"))
    assert found == again[:-1] + " --cache other --manifests 'my manifests''"


def test_gc_lists_before_it_deletes(home):
    ser("cache", "mels", "--denoise", "none")
    (shard,) = (home / "cache").rglob("shard-*.h5")
    shard.with_suffix(".h5.damaged").write_bytes(b"x")
    assert "damaged shard that was set aside" in ser("cache", "gc").stdout
    assert shard.with_suffix(".h5.damaged").exists()
    assert ser("cache", "gc", "--yes").exit_code == 0
    assert not shard.with_suffix(".h5.damaged").exists()
    assert "there is nothing to delete" in ser("cache", "gc").stderr


def test_status_without_a_store_names_the_command(home):
    assert "run 'ser cache mels'" in ser("cache", "status").stderr


def test_a_read_only_folder_is_said(home):
    (home / "cache").write_text("a file where the folder should be")
    result = ser("cache", "mels", "--denoise", "none")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--denoise", "magic"], "ser: --denoise magic: must be gate, reference or none"),
        (["--level", "loud"], "ser: --level loud: must be clip_rms, corpus_rms or none"),
        (["--prop-decrease", "2"], "ser: --prop-decrease 2: must be a number from 0 to 1"),
        (["--preset", "papr"], "ser: --preset papr: must be default or paper"),
        (["--shards", "2"], "is not a range"),
        (["--shards", "7:9"], "the plan has 1 shard"),
        (["--n-mels", "5000"], "ser: --n-mels 5000: must be a whole number from 8 to 256"),
        (["--data", "nowhere"], "nowhere: is not a folder; pass the folder"),
    ],
)
def test_wrong_values_are_one_line(home, words, message):
    result = ser("cache", "mels", *words)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_settings_come_from_the_file(home):
    (home / "ser.toml").write_text("[front_end]\ndenoise = 'none'\nn_mels = 32\n")
    ser("cache", "mels")
    (row,) = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert row["settings"] == "default denoise=none n_mels=32"


def test_verifying_nothing_is_no_success(home):
    result = ser("cache", "verify", "--cache", "nowhere")
    assert result.exit_code == 1
    assert "nowhere: holds no store" in result.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["features", "--set", "magic"], 1),
        (["features", "--voice", "hal"], 1),
        (["features", "--pitch-floor-hz", "-1"], 1),
        (["features", "--pitch-floor-hz", "600"], 1),
        (["features", "--pitch-ceiling-hz", "9000"], 1),
        (["features", "--song-ceiling-hz", "nan"], 1),
        (["features", "--set", "egemaps", "--voice", "own"], 1),
        (["features", "--shards", "9:1"], 1),
        (["features", "--data", "nowhere"], 1),
        (["features", "--manifests", "nowhere"], 1),
        (["features", "--jobs", "0"], 2),
        (["features", "--limit", "0"], 2),
        (["mels", "--jobs", "many"], 2),
        (["mels", "--limit", "-3"], 2),
        (["mels", "--n-mels", "2"], 1),
        (["mels", "--manifests", "nowhere"], 1),
        (["mels", "--prop-decrease", "nan"], 1),
        (["mels", "--unknown"], 2),
        (["mels", "--backend", "slurm"], 2),
        (["mels", "--backend", "dask"], 1),
        (["features", "--scheduler", "tcp://127.0.0.1:9"], 1),
        (["merge", "nowhere"], 1),
        (["status", "--format", "xml"], 2),
        (["verify", "--sample", "-1"], 2),
        (["verify", "--seed", "x"], 2),
        (["verify", "--cache", "nowhere"], 1),
        (["gc", "--yes", "please"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_wrong_value_is_said_and_loses_nothing(home, words, status):
    assert ser("cache", "mels", "--denoise", "none").exit_code == 0
    before = {path: path.read_bytes() for path in home.rglob("cache/**/*.h5")}
    result = ser("cache", *words)
    assert result.exit_code == status
    if status == 1:
        said = [line for line in result.stderr.strip().splitlines() if "without a manifest" not in line]
        assert len(said) == 1
        assert said[0].startswith("ser: ")
    else:
        assert (
            "Invalid value" in result.stderr
            or "No such option" in result.stderr
            or "unexpected" in result.stderr
        )
    assert {path: path.read_bytes() for path in home.rglob("cache/**/*.h5")} == before
