import json
import os
import sys

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

pytest.importorskip("transformers")

from ser_pipeline.cli import app


@pytest.fixture
def home(tmp_path, monkeypatch):
    """EMO-DB with four tones, and its manifest; a machine without encoders but those that are made."""
    folder = tmp_path / "DataSets" / "EmoDB" / "wav"
    folder.mkdir(parents=True)
    for number, name in enumerate(["03a01Wa", "03a01Fa", "08a01Wa", "08a01Na"]):
        wave = 0.2 * np.sin(2 * np.pi * (150 + 20 * number) * np.arange(8_000) / 16_000)
        sf.write(folder / f"{name}.wav", wave, 16_000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    assert ser("manifest", "build").exit_code == 0
    return tmp_path


def ser(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_all_layers_of_every_recording_are_kept(home, make_encoder):
    folder = make_encoder("whisper")
    result = ser("cache", "embeddings", "--encoder", folder, "--jobs", 2)
    assert result.exit_code == 0, result.stderr
    assert f"tiny-whisper: layers 0, 1, 2, 3 of {folder}" in result.stderr
    assert "4 of 4 recordings (4 computed now, 0 failed)" in result.stdout
    again = ser("cache", "embeddings", "--encoder", "tiny-whisper", "--encoders", folder.parent)
    assert "(0 computed now" in again.stdout
    (row,) = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert (row["kind"], row["settings"], row["state"]) == ("embeddings", "tiny-whisper", "current")


def test_flags_and_settings_file_reach_the_store(home, make_encoder):
    folder = make_encoder("hubert")
    (home / "ser.toml").write_text(f"[embeddings]\nencoder = '{folder}'\ntrim_db = 30\n")
    result = ser("cache", "embeddings", "--layers", "1-2", "--pooling", "mean,std", "--dry-run")
    assert "would compute 4 of 4 recordings" in result.stdout
    assert ser("cache", "embeddings", "--layers", "1-2", "--pooling", "mean,std").exit_code == 0
    assert ser("cache", "embeddings", "--layers", "3", "--frames", "--crop-s", "0.3").exit_code == 0
    rows = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert {row["kind"]: row["settings"] for row in rows} == {
        "embeddings": "tiny-hubert layers=1,2 pooling=mean,std trim_db=30.0",
        "frames": "tiny-hubert layers=3 frames=True crop_s=0.3 trim_db=30.0",
    }


def test_random_variants_are_made_for_training(home, make_encoder):
    result = ser("cache", "embeddings", "--encoder", make_encoder("whisper"), "--copies", 2, "--layers", "1")
    assert result.exit_code == 0, result.stderr
    assert "augmented-embeddings" in result.stdout
    assert "8 of 8 variants (8 computed now, 0 failed)" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--encoder", "nobody"), "encoder 'nobody': not on this machine"),
        (("--layers", "7"), "layer 7: tiny-whisper has layers 0 (what goes into the first) to 3"),
        (("--layers", "3-1"), "layers '3-1': '3-1' is no layer; valid are lists such as 2,3 or 0-6, and all"),
        (("--layers", "two"), "layers 'two': 'two' is no layer"),
        (("--pooling", "median"), "embeddings.pooling: must be a list of mean, std or max"),
        (("--frames",), "--frames: needs --layers, as in --layers 3"),
        (("--crop-s", "0"), "settings: embeddings.crop_s: must be a number above 0"),
        (("--precision", "int8"), "settings: embeddings.precision: must be fp32, bf16 or fp16"),
        (("--device", "tpu"), "settings: embeddings.device: must be auto, cpu, cuda or mps"),
        (("--crop-s", "0.001"), "recordings have no row"),
    ],
)
def test_a_wrong_value_is_one_line_and_nothing_is_stored(home, make_encoder, words, said):
    result = ser("cache", "embeddings", "--encoder", make_encoder("whisper"), *words)
    assert result.exit_code == 1
    assert said in result.stderr
    if "no row" not in said:
        assert result.stderr.splitlines()[-1].startswith("ser: ")
        assert not (home / "cache").exists()


def test_a_damaged_encoder_is_one_line_and_nothing_is_stored(home, make_encoder):
    folder = make_encoder("whisper")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    result = ser("cache", "embeddings", "--encoder", folder)
    assert result.exit_code == 1
    assert "model.safetensors: damaged:" in result.stderr
    assert not list(home.glob("cache/*/*/shard-*"))


def test_without_the_extra_the_command_says_how_to_get_it(home, make_encoder, monkeypatch):
    folder = make_encoder("whisper")
    monkeypatch.setitem(sys.modules, "transformers", None)
    result = ser("cache", "embeddings", "--encoder", folder)
    assert result.exit_code == 1
    assert (
        "ser: encoders need transformers, which is not installed: pip install 'ser-pipeline[encoders]'"
        in (result.stderr)
    )


def test_encoders_are_listed_with_what_is_known_of_them(home, make_encoder):
    folder = make_encoder("whisper", "whisper-base").parent
    make_encoder("wavlm", "mine")
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{}")
    result = ser("cache", "encoders", "--encoders", folder, "--format", "json")
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["whisper-base"]["here"] == str(folder / "whisper-base")
    assert rows["whisper-large-v3"]["here"] == "no"
    assert rows["wavlm-large"]["licence"] == "CC BY-SA 3.0"
    assert rows["mine"]["layers"] == 3
    assert "broken: is a 'None', no speech encoder" in result.stderr


@pytest.mark.real
def test_a_real_encoder_on_real_recordings(real_encoders, real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_ENCODERS", str(real_encoders))
    assert ser("manifest", "build", "--data", real_data, "--limit", "40").exit_code in (0, 1)
    result = ser("cache", "embeddings", "--data", real_data, "--encoder", "whisper-tiny.en", "--limit", "8")
    assert result.exit_code == 0, result.stderr
    assert ser("cache", "verify", "--data", real_data, "--sample", "2").exit_code == 0
    assert os.listdir(tmp_path / "cache") == ["embeddings"]
