import io
import zipfile

import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli.corpora import app

TOML = """
name = 'voices'
clips = 2
licence = 'CC0'
source = 'https://example.org/voices'
pattern = '(?P<speaker>[fm]1)_(?P<emotion>rab)'
codes.emotion.rab = 'anger'
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path, monkeypatch, server, rng):
    """A working folder with the description of a corpus of two recordings that a server offers."""
    monkeypatch.chdir(tmp_path)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("f1_rab", "m1_rab"):
            with archive.open(f"wav/{name}.wav", "w") as file:
                sound = io.BytesIO()
                soundfile.write(sound, rng.uniform(-0.5, 0.5, 8_000), 16_000, format="WAV")
                file.write(sound.getvalue())
    item = server.offer("voices.zip", out.getvalue())
    told = f"[[downloads]]\nurl = '{item.url}'\nsize = {item.size}\nsha256 = '{item.sha256}'\n"
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "voices.toml").write_text(TOML + told)
    return tmp_path


def test_a_corpus_is_downloaded_once_its_licence_is_accepted(here, server):
    refused = run("download", "voices")
    assert refused.exit_code == 1
    assert refused.stderr.splitlines() == [
        "voices: voices; licence: CC0; https://example.org/voices",
        "ser: voices: its licence is not accepted yet (CC0; https://example.org/voices); "
        "read it, and pass --accept-licence if you accept it",
    ]
    assert server.asked == []
    done = run("download", "voices", "--accept-licence")
    assert done.exit_code == 0
    assert done.stdout == "DataSets/voices: 2 files\n"
    assert done.stderr.splitlines()[-1] == "next: ser corpora check voices"
    assert run("check", "voices").exit_code == 0
    again = run("download", "voices")
    assert again.stdout == "voices: complete in DataSets/voices/wav\n"
    (here / "DataSets" / "voices" / "wav" / "f1_rab.wav").unlink()
    lost = run("download", "voices")
    assert lost.exit_code == 0
    assert lost.stdout == (
        "DataSets/voices: nothing new, since all files were downloaded before; "
        "delete DataSets/voices/.download to download them again\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["voicess"], "corpus 'voicess' does not exist (did you mean 'voices'?)"),
        (
            ["voices", "savee"],
            "savee: must be obtained by hand, because its publisher asks for a registration",
        ),
        (["voices", "--data", "corpora/voices.toml"], "corpora/voices.toml"),
    ],
)
def test_what_cannot_be_downloaded_is_one_line_and_nothing_is_fetched(here, server, arguments, message):
    refused = run("download", *arguments, "--accept-licence")
    assert refused.exit_code == 1
    assert message in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert server.asked == []


def test_a_name_is_needed(here):
    assert run("download").exit_code == 2
