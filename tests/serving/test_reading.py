from pathlib import Path

import pytest

from ser_pipeline.serving.reading import expand


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/2.wav", "a/1.flac", "a/b/3.MP3", "a/notes.txt", "a/.git/4.wav", "[x].wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], ["a/1.flac", "a/2.wav", "a/b/3.MP3"]),
        (["a/*.wav"], ["a/2.wav"]),
        (["**/*.wav"], ["[x].wav", "a/2.wav"]),
        (["[x].wav"], ["[x].wav"]),  # a file's own name comes before a pattern
        (["-", "gone.wav", "a/notes.txt"], ["-", "gone.wav", "a/notes.txt"]),
    ],
)
def test_words_name_recordings(folder, words, expected):
    assert expand(words) == ([Path(name) for name in expected], [])


@pytest.mark.parametrize(
    ("word", "says"), [("empty", "empty: holds no recording"), ("*.ogg", "*.ogg: matches no file")]
)
def test_what_names_no_recording_is_told(folder, word, says):
    paths, failures = expand([word, "a/2.wav"])
    assert paths == [Path("a/2.wav")]
    assert [(failure.name, failure.reason) for failure in failures] == [(word, says)]
