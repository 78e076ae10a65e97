import pytest

from ser_pipeline.corpora import known_corpora
from ser_pipeline.corpora.listed import listed_corpora
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.describe import RejectReason
from ser_pipeline.manifest.summary import CorpusSummary, ManifestSummary, refuse_rejects
from ser_pipeline.records import MissingAudio

OWN = """
name = "{name}"
folders = ["{name}"]
pattern = '(?P<speaker>[a-z0-9]+)_(?P<emotion>anger|fear)'
{more}
"""


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


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (("anna", "eva", "p2"), ["'anna' (field, lab)", "'eva' (field, lab)"]),
        (("1", "p2", "spk3"), []),
    ],
)
def test_tables_that_share_names(tmp_path, record, built, people, said):
    files = []
    for at, name in enumerate(("lab", "field")):
        names = [*people, "ann" if at else "eva"]
        for number, _ in enumerate(names):
            record(tmp_path / name / f"{number}.wav", seconds=0.3, seed=10 * at + number)
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_text(
            "path,emotion,speaker\n"
            + "".join(f"{name}/{number}.wav,sad,{who}\n" for number, who in enumerate(names) if who)
        )
    corpora, found = listed_corpora(files, tmp_path)
    summary = built(tmp_path, tmp_path / "m", corpora=corpora, find=lambda _: found)
    lines = [line for line in summary.warnings if "same name" in line]
    assert [all(each in line for each in said) for line in lines] == [True] * bool(said)


@pytest.mark.parametrize("more", ["", 'speakers_of = "lab"'])
def test_descriptions_that_share_names(tmp_path, record, built, more):
    files = []
    for at, name in enumerate(("lab", "field")):
        record(tmp_path / "data" / name / "anna_anger.wav", seconds=0.3, seed=at)
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(OWN.format(name=name, more=more if at else ""))
    summary = built(tmp_path / "data", tmp_path / "m", corpora=known_corpora(files))
    said = (
        "speakers of the same name in several corpora count as different people: 'anna' (field, lab); if "
        "they are the same people, pass one table, or say speakers_of in a description"
    )
    assert [line for line in summary.warnings if "same" in line] == ([] if more else [said])
