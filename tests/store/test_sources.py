import pytest

from ser_pipeline.store.sources import changed_sources, note_sources, read_sources


def test_builds_add_to_what_is_known(tmp_path):
    note_sources(tmp_path, {"a.wav": "1", "b.wav": "2"})
    note_sources(tmp_path, {"b.wav": "3"})
    assert read_sources(tmp_path) == {"a.wav": "1", "b.wav": "3"}


@pytest.mark.parametrize("content", [None, b"", b"PAR1 nonsense"])
def test_without_it_nothing_is_said(tmp_path, content):
    if content is not None:
        (tmp_path / "sources.parquet").write_bytes(content)
    assert read_sources(tmp_path) == {}
    assert changed_sources(tmp_path, {"a.wav": "1"}, set()) == []


def test_a_folder_that_cannot_be_written_to_loses_the_explanation_alone(tmp_path):
    (tmp_path / "sources.parquet").mkdir()
    note_sources(tmp_path, {"a.wav": "1"})
    assert read_sources(tmp_path) == {}


def test_only_other_bytes_that_are_not_there_yet_count_as_changed(tmp_path):
    note_sources(tmp_path, {"a.wav": "1", "b.wav": "2", "c.wav": "3"})
    wanted = {"a.wav": "1", "b.wav": "9", "c.wav": "8", "d.wav": "4"}
    assert changed_sources(tmp_path, wanted, {"1", "8"}) == ["b.wav"]
