from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq
import pytest

from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import read_description, tables_beside
from ser_pipeline.errors import CorpusError, SerError
from ser_pipeline.exchange import import_dataset
from ser_pipeline.exchange.items import Places
from ser_pipeline.manifest import read_manifest
from ser_pipeline.manifest.build import write_manifest


def rows_of(corpus, made, folder):
    """Rows of the manifest that an imported data set gives."""
    write_manifest(corpus.data, folder, descriptions=[made.description])
    return read_manifest(folder).table.to_pylist()


def table(folder, *lines, heading="file,label"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "list.csv"
    path.write_text("\n".join([heading, *lines]) + "\n")
    return path


@pytest.fixture
def bring(corpus):
    """Import a table of the corpus's recordings, or another data set."""

    def run(*lines, kind="csv", path=None, heading="file,label", **options):
        path = path or table(corpus.data / "tones", *lines, heading=heading)
        given = {"data": corpus.data, "into": corpus.folder / "corpora", **options}
        return import_dataset(kind, path, **given)

    return run


def test_recordings_stay_where_they_are(corpus, bring):
    made = bring("f1/b.wav,joy", "m1/b.flac,sad")
    assert made.table.read_text() == "path,emotion\nf1/b.wav,joy\nm1/b.flac,sad\n"
    assert made.emotions == {"happiness": 1, "sadness": 1}
    assert read_description(made.description).folders == ("tones",)
    assert tables_beside(made.description) == [made.table]
    built = write_manifest(corpus.data, corpus.folder / "again", descriptions=[made.description])
    assert (built.rows, built.rejects) == (2, 3)


@pytest.mark.parametrize("heading", ["file,label,start,duration", "file,label,start_ms,dur_ms"])
def test_segments_by_durations_and_in_milliseconds(corpus, bring, heading):
    one, two, three = ("0", "750", "x") if "ms" in heading else ("0", "0.75", "x")
    lines = (f"m1/long.wav,joy,{one},{two}", f"m1/long.wav,sad,{two},{two}", f"m1/long.wav,sad,{two},{three}")
    made = bring(*lines, heading=heading)
    corpus_made = Described(read_description(made.description))
    found = list(corpus_made.scan(corpus.data / "tones", [PurePosixPath("m1/long.wav")]))
    assert [str(each.segment) for each in found[:2]] == ["0.000-0.750", "0.750-1.500"]
    assert "is not a time" in found[2].reason


def test_an_edited_table_is_read_again(corpus, bring):
    made = bring("f1/b.wav,joy")
    build = lambda: write_manifest(corpus.data, corpus.folder / "again", descriptions=[made.description])  # noqa: E731
    assert build().rows == 1
    assert build().unchanged
    made.table.write_text("path,emotion\nf1/b.wav,joy\nm1/b.flac,joy\n")
    assert build().rows == 2


def test_recordings_elsewhere_are_copied(corpus, bring, tmp_path):
    path = table(tmp_path / "elsewhere", f"{corpus.data / 'tones' / 'f1' / 'b.wav'},joy")
    made = bring(path=path, copy=True, name="Mein Satz", data=tmp_path / "other")
    assert made.description.name == "mein-satz.toml"
    assert (tmp_path / "other" / "mein-satz" / "b.wav").is_file()


def test_other_words_become_those_of_a_description(bring):
    made = bring("f1/b.wav,joy,list-7,Frau,4,6", heading="file,label,speaker,sex,valence,arousal")
    told = read_description(made.description)
    assert made.table.read_text().splitlines()[1] == "f1/b.wav,joy,7,female,4,6"
    assert told.scales == {"valence": (1, 7), "arousal": (1, 7)}


@pytest.mark.parametrize("first", ["joy", "blah"])
def test_labels_that_are_no_emotion_are_counted_and_asked_for(bring, corpus, tmp_path, first):
    made = bring(f"f1/b.wav,{first}", "m1/b.flac,blah", "f1/a 1.wav,7", heading="file,label")
    assert f"labels that are not emotions: 'blah' ({1 + (first == 'blah')}), '7' (1);" in made.remarks[0]
    text = made.description.read_text()
    assert '# "7" = "?"    # 1 recording: say which emotion, or "other"' in text
    for label in ("blah", "7"):
        text = text.replace(f'# "{label}" = "?"', f'"{label}" = "fear"')
    made.description.write_text(text)
    built = write_manifest(corpus.data, tmp_path / "told", descriptions=[made.description])
    assert built.rows == 3


def test_what_is_missing_or_repeated_is_left_out_and_said(bring):
    made = bring("f1/b.wav,joy", "gone.wav,sad", "f1/b.wav,joy")
    assert made.rows == 1
    several, gone, again, nobody = made.remarks
    assert several.startswith(
        "several lines name the same recording; if they are answers of listeners, add a"
    )
    assert gone == "not there, and left out: 1 recording (gone.wav)"
    assert again == "named again, and left out: 1 line (f1/b.wav)"
    assert nobody.startswith("nothing says who speaks")


def test_lines_of_several_listeners_are_their_votes(bring, corpus, tmp_path):
    lines = ["f1/b.wav,joy,1,2", "f1/b.wav,sad,2,4", "f1/b.wav,joy,3,3", "m1/b.flac,sad,1,1"]
    made = bring(*lines, heading="file,label,annotator,valence")
    assert (made.rows, made.emotions) == (4, {"happiness": 2, "sadness": 2})
    assert not any("named again" in remark for remark in made.remarks)
    rows = rows_of(corpus, made, tmp_path / "told")
    assert [(row["source_label"], dict(row["votes"] or ())) for row in rows] == [
        ("happiness", {1: 2, 3: 1}),
        ("sad", {}),
    ]
    assert [round(row["valence"], 2) for row in rows] == [0, -1]


@pytest.mark.parametrize("gold", ["", "sad"])
def test_columns_of_several_listeners_are_their_votes(bring, corpus, tmp_path, gold):
    heading = f"file,ann1,ann2,ann3{',gold_label' if gold else ''}"
    more = f",{gold}" if gold else ""
    made = bring(f"f1/b.wav,joy,fear,joy{more}", f"m1/b.flac,sad,sad,anger{more}", heading=heading)
    (remark,) = [remark for remark in made.remarks if "votes" in remark]
    chosen = "column 'gold_label'" if gold else "what most chose"
    assert not any("not emotions" in remark for remark in made.remarks)
    columns = "columns 'ann1', 'ann2', 'ann3' are read as the votes of one listener each"
    assert remark == f"{columns}; the emotion is {chosen}"
    rows = rows_of(corpus, made, tmp_path / "told")
    assert [row["source_label"] for row in rows] == [gold or "happiness", gold or "sadness"]
    assert [sum(dict(row["votes"]).values()) for row in rows] == [3, 3]


def test_counts_of_listeners_in_their_lines_add_up_and_nobody_answers_twice(bring, corpus, tmp_path):
    lines = ["f1/b.wav,a,1,0,0", "f1/b.wav,b,0,1,0", "f1/b.wav,c,0,1,0", "f1/b.wav,c,1,0,0"]
    made = bring(*lines, heading="file,rater,anger,sad,joy")
    (row,) = rows_of(corpus, made, tmp_path / "told")
    assert (row["source_label"], sorted(dict(row["votes"]).values())) == ("sadness", [1, 2])
    rejects = pq.read_table(tmp_path / "told" / "rejects.parquet").to_pylist()
    assert "duplicate line: 5 of 'list.csv' is an answer of 'c' again" in {row["reason"] for row in rejects}


def test_columns_of_intensities_beside_a_label_are_no_votes(bring, corpus, tmp_path):
    made = bring("f1/b.wav,joy,10,20,30", "m1/b.flac,sad,10,9,8", heading="file,label,anger,sad,joy")
    assert not any("votes" in remark or "listeners" in remark for remark in made.remarks)
    assert [row["votes"] for row in rows_of(corpus, made, tmp_path / "told")] == [None, None]


def test_a_bare_name_that_two_recordings_have_is_told(bring, corpus):
    where = r"2 recordings|two recordings are called .*a 1.*write the folder of the right one"
    with pytest.raises(CorpusError, match=where):
        bring(path=table(corpus.data / "lists", "a 1.wav,joy"))
    made = bring(path=table(corpus.data / "lists", "a 1.wav,joy", "long.wav,sad"))
    assert any(remark.startswith("1 name fits several recordings: two") for remark in made.remarks)


def test_columns_of_counts_are_votes(bring, corpus, tmp_path):
    made = bring("f1/b.wav,2,0,1", heading="file,anger,fear,joy")
    (row,) = rows_of(corpus, made, tmp_path / "told")
    assert (row["source_label"], sum(dict(row["votes"]).values())) == ("anger", 3)


def test_bare_names_are_looked_for_below_the_data_folder(bring, corpus, tmp_path):
    made = bring(path=table(corpus.data / "lists", "LONG,joy", "b.flac,sad"))
    assert made.table.read_text().splitlines()[1:] == ["m1/long.wav,joy", "m1/b.flac,sad"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["x.wav,joy"], r"not one of its recordings is there \(x.wav\); --recordings is the folder"),
        (["f1/b.wav,"], r"none of its labels is an emotion: '' \(1\); valid are anger, "),
        ([], r"list.csv: holds only a heading \(file, label\)"),
    ],
)
def test_a_table_of_no_use_is_an_error(bring, lines, reason):
    with pytest.raises(CorpusError, match=reason):
        bring(*lines)


def test_a_table_without_labels_is_an_error(bring):
    with pytest.raises(
        CorpusError, match=r"no column gives the emotion; name it 'emotion' \(found file, x\)"
    ):
        bring("f1/b.wav,joy", heading="file,x")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"path": Path("gone")}, r"gone: no such file or folder"),
        ({"recordings": Path("gone")}, r"gone: no such folder; --recordings is the folder of the recordings"),
        ({"data": Path("other")}, r"outside other: 1 recording of 1 .*, or copy them there with --copy"),
    ],
)
def test_a_wrong_path_is_an_error(bring, options, reason):
    with pytest.raises(CorpusError, match=reason):
        bring("f1/b.wav,joy", **options)


def test_recordings_of_several_corpora_need_a_folder_of_their_own(corpus, bring, tmp_path):
    (corpus.data / "more").mkdir()
    (corpus.data / "more" / "c.wav").write_bytes(b"x")
    path = table(tmp_path / "lists", "tones/f1/b.wav,joy", "more/c.wav,sad")
    with pytest.raises(CorpusError, match=r"lie in 2 places of .* \(more, tones\).*with --copy"):
        bring(path=path)
    assert bring(path=path, copy=True).rows == 2


def test_a_description_is_never_replaced(bring):
    bring("f1/b.wav,joy")
    with pytest.raises(CorpusError, match=r"list.toml: exists already; choose another --name"):
        bring("f1/b.wav,joy")


def test_a_copy_never_replaces_another_file(corpus, bring, tmp_path):
    path = table(tmp_path / "elsewhere", f"{corpus.data / 'tones' / 'f1' / 'b.wav'},joy")
    (corpus.data / "x").mkdir()
    (corpus.data / "x" / "b.wav").write_bytes(b"other")
    with pytest.raises(SerError, match=r"b.wav: holds something else already"):
        bring(path=path, copy=True, name="x")


def test_values_that_cannot_be_read_are_left_out_and_said(bring):
    lines = ("f1/b.wav,joy,German,n/a,4,2", "m1/b.flac,sad,German,1,5,x")
    made = bring(*lines, heading="file,label,language,valence,arousal,votes_blah")
    assert made.table.read_text().splitlines() == [
        "path,emotion,language,arousal", "f1/b.wav,joy,de,4", "m1/b.flac,sad,de,5",
    ]  # fmt: skip
    assert any(line.startswith("'valence' is left out: ") for line in made.remarks)


def test_genders_and_styles_that_nobody_knows_are_said(bring):
    lines = ("f1/b.wav,joy,M,nan,posed", "m1/b.flac,sad,H,nan,loud", "f1/a 1.wav,sad,?,male,")
    made = bring(*lines, heading="file,label,sex,speaker,style")
    written = [line.split(",") for line in made.table.read_text().splitlines()[1:]]
    assert [(line[3], line[4]) for line in written] == [
        ("female", "acted"),
        ("male", "unknown"),
        ("unknown", ""),
    ]
    odd = "styles that are not known: 'loud' (1); they count as unknown, valid are acted, elicited, "
    assert f"{odd}conversational" in made.remarks
    assert not any(line.startswith("genders") for line in made.remarks)


def test_languages_that_nobody_knows_are_said(bring):
    made = bring("f1/b.wav,joy,Englisch", "m1/b.flac,sad,Klingon", heading="file,label,language")
    assert made.table.read_text().splitlines()[1:] == ["f1/b.wav,joy,en", "m1/b.flac,sad,Klingon"]
    assert any(line.startswith("unknown languages: 'Klingon' (1)") for line in made.remarks)


def test_corpora_that_an_imported_one_holds_are_not_looked_for(corpus, bring, tmp_path):
    path = table(tmp_path / "elsewhere", f"{corpus.data / 'tones' / 'f1' / 'b.wav'},joy")
    (tmp_path / "other" / "mine" / "emodb").mkdir(parents=True)
    made = bring(path=path, copy=True, name="mine", data=tmp_path / "other")
    built = write_manifest(tmp_path / "other", tmp_path / "again", descriptions=[made.description])
    assert (built.rows, built.warnings) == (1, ())


@pytest.mark.parametrize("name", ["~x\0/a.wav", "a\0.wav", "~\ud800/a.wav", "\ud800.wav"])
def test_a_path_that_no_file_can_have_leads_to_no_recording(tmp_path, name):
    assert Places([tmp_path]).find(name) is None
