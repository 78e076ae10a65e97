"""Speakers who are called alike in several of the user's own corpora."""

import pytest

from ser_pipeline.corpora import known_corpora
from ser_pipeline.corpora.listed import listed_corpora

OWN = """
name = "{name}"
folders = ["{name}"]
pattern = '(?P<speaker>[a-z0-9]+)_(?P<emotion>anger|fear)'
{more}
"""


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
