"""Every command on terminals of 80, 100 and 160 columns: no line is wider, and so no word is broken."""

import re
import shutil

import numpy as np
import pytest
import soundfile as sf
from rich.cells import cell_len
from typer.testing import CliRunner

from ser_pipeline.cli import app
from tests.cli.conftest import TOML
from tests.cli.test_app import commands

WIDTHS = (80, 100, 160)
LONG = "a-recording-whose-name-is-longer-than-a-terminal-of-eighty-columns-is-wide-as-those-of-phones-are"
ODD = "clear\x1b[2J\x07screen.wav"
RUN = "a-run-that-somebody-gave-a-name-of-more-than-fifty-letters"

LOOKS = [
    "corpora list",
    "corpora list --full",
    "corpora show emodb",
    "corpora show nemo --data elsewhere",
    "corpora check",
    "manifest build",
    "manifest show",
    "manifest show --full",
    "manifest show --by speaker",
    "manifest show --ambiguity",
    "manifest show --ambiguity --full",
    "manifest split speaker",
    "manifest split speaker --full",
    "manifest split loso",
    "manifest split kfold --folds 3 --full",
    "manifest validate",
    "manifest doctor",
    "manifest doctor --full",
    "manifest query",
    "cache status",
    "cache status --failures",
    "cache verify",
    "cache gc",
    "cache merge",
    "cache encoders",
    "runs list",
    "runs show",
    "runs show --full",
    "experiment list",
    "experiment show hypotheses",
    "experiment show hypotheses --full",
    "experiment run ablations --dry-run",
    "paper --dry-run",
    "predict DataSets",
    "predict gone.wav",
    "predict one.wav --timeline",
    "export --model-card",
]
"""Commands that are shown at each width; those below take longer and are shown at one."""

WORKS = [
    "corpora init Unknown",
    "corpora add Unknown/new.toml",
    "manifest export kaldi out",
    "manifest import table files.csv",
    "cache mels",
    "cache features",
    "cache augment --copies 1",
    "train crnn",
    "evaluate",
    "evaluate --full",
    "explain --repeats 2",
    "compare a b",
    "runs delete gone",
    "export --format onnx",
    "cache embeddings --encoder gone",
    "cache waves --limit 1",
    "warm",
    "experiment search gone.toml",
]

ELSEWHERE = {
    "listen": "it needs a microphone",
    "demo": "it serves until it is stopped",
    "bench": "it measures for minutes",
    "quickstart": "tests/cli/test_report.py",
    "report": "part of quickstart",
    "corpora download": "it needs a server",
    "corpora synth": "part of quickstart",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a corpus of odd names, its manifest, a store and two runs."""
    folder = tmp_path_factory.mktemp("screens")
    rng, t = np.random.default_rng(0), np.arange(6_400) / 16_000
    wavs = folder / "DataSets" / "EmoDB" / "wav"
    wavs.mkdir(parents=True)
    for voice, speaker in enumerate(("03", "08", "09", "10", "11", "12")):
        for number, letter in enumerate("WFNT"):
            for take in "ab":
                wave = 0.1 * np.sin(2 * np.pi * (150 * 1.4**number + 3 * voice) * t)
                sf.write(
                    wavs / f"{speaker}a01{letter}{take}.wav", wave + 0.01 * rng.normal(size=t.size), 16_000
                )
    sf.write(folder / "one.wav", np.concatenate([wave] * 5), 16_000)
    for name in (f"{LONG}.wav", ODD, f"{ODD.removesuffix('.wav')} with spaces and \u6050\u6016.wav"):
        (wavs / name).write_bytes(b"not a recording")
    shutil.copytree(wavs, folder / "Unknown" / "New corpus" / "wav")
    (folder / "files.csv").write_text(
        "path,emotion\nEmoDB/wav/03a01Wa.wav,anger\nEmoDB/wav/03a01Fa.wav,happiness\n"
    )
    (folder / "ser.toml").write_text(TOML)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (
            ["manifest", "build"],
            ["cache", "mels"],
            ["train", "crnn", "--threads", "1", "--epochs", "1", "--name", "a"],
            ["train", "crnn", "--threads", "1", "--epochs", "1", "--name", "b", "--seed", "1"],
            ["train", "crnn", "--threads", "1", "--epochs", "1", "--name", RUN],
        ):
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def looked(made, monkeypatch, terminal):
    """Look at a command as a person sees it, whatever its status; gives its lines without those of bars."""
    monkeypatch.chdir(made)
    monkeypatch.setenv("HF_HOME", str(made / "hf"))
    monkeypatch.delenv("SER_ENCODERS", raising=False)

    def look(line, width):
        words = line.split()
        if line == "manifest query":
            words.append(
                "SELECT path, corpus, emotion, speaker_id, audio_digest, duration_s FROM manifest LIMIT 3"
            )
        if words[0] == "predict":
            words += ["--model", RUN]
        return terminal(*words, width=width, status=None)

    return look


def check(lines, width):
    for line in lines:
        assert cell_len(line) <= width or " " not in line.strip(), line  # a name alone is not cut
        assert line.isprintable(), repr(line)
        for word in re.findall(r"\S*\u2026", line):  # what is cut still says what it is
            assert len(word) > 5, line


@pytest.mark.parametrize("line", LOOKS)
def test_no_line_is_wider_than_the_terminal(looked, line):
    for width in WIDTHS:
        check(looked(line, width), width)


@pytest.mark.slow
@pytest.mark.parametrize("line", WORKS)
def test_no_line_of_long_work_is_wider_than_the_terminal(looked, line):
    check(looked(line, 80), 80)


@pytest.mark.parametrize(
    ("path", "command"), commands(), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_help_fits_and_breaks_no_flag(terminal, path, command):
    lines = terminal(*path, "--help")
    assert any("Usage: " in line for line in lines)
    check(lines, 80)
    flags = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    context = command.make_context(path[-1], [], resilient_parsing=True)
    flags |= {flag for each in command.get_params(context) for flag in (*each.opts, *each.secondary_opts)}
    shown = {word for line in lines for word in re.findall(r"^\u2502 {1,3}(--[\w-]+)", line)}
    assert shown <= flags


def test_every_command_is_looked_at():
    every = {" ".join(path) for path, _ in commands()}
    shown = {name for name in every for line in [*LOOKS, *WORKS] if f"{line} ".startswith(f"{name} ")}
    assert every - shown == {*ELSEWHERE}, "add the command to LOOKS, WORKS or ELSEWHERE"
