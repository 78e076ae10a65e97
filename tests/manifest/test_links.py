import numpy as np
import pytest
import soundfile as sf

from ser_pipeline import build_manifest
from ser_pipeline.corpora.files import leading_out
from ser_pipeline.manifest import read_manifest
from ser_pipeline.manifest.examine import examine


@pytest.fixture
def linked(tmp_path, rng):
    """A corpus of one recording, links to it and to two others elsewhere, and links in circles."""
    inside, outside = tmp_path / "DataSets" / "EmoDB" / "wav", tmp_path / "elsewhere"
    for folder, name in ((inside, "03a01Fa"), (outside, "03a01Wa"), (outside / "more", "08a01Na")):
        folder.mkdir(parents=True, exist_ok=True)
        sf.write(folder / f"{name}.wav", rng.uniform(-0.5, 0.5, 8000).astype(np.float32), 16_000)
    (inside / "03a01Wa.wav").symlink_to(outside / "03a01Wa.wav")
    (inside / "more").symlink_to(outside / "more")
    (inside / "08a02Ab.wav").symlink_to("03a01Fa.wav")  # leads out of nothing
    (inside / "circle").symlink_to(tmp_path / "DataSets")
    (inside / "self").symlink_to("self")
    return tmp_path / "DataSets"


OUT = ["EmoDB/wav/03a01Wa.wav", "EmoDB/wav/more/08a01Na.wav"]


def test_links_that_lead_out_are_counted_and_listed(linked, tmp_path):
    made = build_manifest(linked, tmp_path / "m")
    assert made.rows == 3
    (line,) = [line for line in made.warnings if "links lead out" in line]
    assert "for 2 recordings" in line
    assert all(path in line for path in OUT)
    cases = [case for case in examine(tmp_path / "m").cases if case.kind == "links"]
    assert [case.subject for case in cases] == ["emodb/wav/03a01Wa", "emodb/wav/08a01Na"]
    assert cases[0].detail == f"lies at {(tmp_path / 'elsewhere' / '03a01Wa.wav').resolve()}"


def test_links_that_lead_out_are_rejected_unread_if_wanted(linked, tmp_path):
    with_all = build_manifest(linked, tmp_path / "m")
    made = build_manifest(linked, tmp_path / "m", follow_links=False)
    assert (made.rows, made.rejects) == (1, with_all.rejects + 2)
    assert not any("links lead out" in line for line in made.warnings)
    assert read_manifest(tmp_path / "m").table["path"].to_pylist() == ["EmoDB/wav/03a01Fa.wav"]
    assert any("--no-follow-links does not follow" in kind.reason for kind in made.reasons)
    assert build_manifest(linked, tmp_path / "m").rows == 3


def test_the_folder_itself_may_be_a_link(linked, tmp_path):
    (tmp_path / "other").symlink_to(linked)
    assert sorted(leading_out(tmp_path / "other", [*OUT, "EmoDB/wav/03a01Fa.wav"])) == OUT
