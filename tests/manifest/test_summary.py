import pytest

from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.describe import RejectReason
from ser_pipeline.manifest.summary import CorpusSummary, ManifestSummary, refuse_rejects
from ser_pipeline.records import MissingAudio


@pytest.fixture
def summary(tmp_path):
    return ManifestSummary(
        path=tmp_path / "manifest.parquet",
        digest="d",
        corpora=(CorpusSummary("emodb", 3, 2, 1, 2, 0.5, 7),),
        files=3,
        rows=2,
        rejects=1,
        read=3,
        speakers=2,
        reasons=(RejectReason("emodb", "too short", "a/b.wav", 1, "a"),),
        missing=(MissingAudio("nemo", "data.tsv", 7, ("x",)),),
        warnings=("careful",),
        synthetic=("emodb",),
        rejects_digest="r",
    )


def test_json_makes_the_same_summary_again_but_for_what_was_read(summary):
    again = ManifestSummary.from_json(summary.to_json(), summary.path)
    assert again.read == 0
    assert ManifestSummary.from_json({**summary.to_json(), "read": 3}, summary.path) == summary


def test_no_path_is_kept(summary, tmp_path):
    assert str(tmp_path) not in str(summary.to_json())


def test_warnings_are_added(summary):
    assert summary.with_warnings(["more"]).warnings == ("careful", "more")


def test_strict(summary):
    with pytest.raises(
        ManifestError, match=r"1 of 3 recordings was rejected: 1 x too short \(a/b.wav\); all are in"
    ):
        refuse_rejects(summary)
    refuse_rejects(ManifestSummary(**{**vars(summary), "rejects": 0, "reasons": ()}))
