import io
from collections import Counter

import pandas as pd
import pytest

from ser_pipeline.synth.layouts import PLANS, SIZES, planned
from ser_pipeline.synth.tables import TABLES

SEED = 7


def tables(corpus):
    clips = planned(corpus, SIZES["small"])
    return clips, TABLES[corpus](clips, [1.5] * len(clips), SEED)


def frame(content, **options):
    return pd.read_csv(io.BytesIO(content), **options)


def test_every_corpus_has_its_own_tables_and_no_others():
    names = {corpus: set(tables(corpus)[1]) for corpus in PLANS}
    assert names["cremad"] == {
        "VideoDemographics.csv", "SentenceFilenames.csv", "processedResults/tabulatedVotes.csv",
        "processedResults/summaryTable.csv",
    }  # fmt: skip
    assert names["nemo"] == {"data.tsv"}
    assert names["emodb"] == {"erkennung.txt"}
    assert len(names["iemocap"]) == 8  # two dialogues in each of two sessions, two files each
    assert not names["ravdess"] | names["ravdess-song"] | names["savee"] | names["tess"]


@pytest.mark.parametrize("corpus", sorted(PLANS))
def test_tables_are_the_same_for_the_same_seed_alone(corpus):
    clips, first = tables(corpus)
    assert first == TABLES[corpus](clips, [1.5] * len(clips), SEED)
    if first:
        other = TABLES[corpus](clips, [1.5] * len(clips), SEED + 1)
        assert other.keys() == first.keys()
        assert other != first


def test_cremad_votes_add_up():
    clips, files = tables("cremad")
    votes = frame(files["processedResults/tabulatedVotes.csv"], index_col=0)
    letters = ["A", "D", "F", "H", "N", "S"]
    assert len(votes) == 3 * len(clips)
    assert (votes[letters].sum(axis=1) == votes["numResponses"]).all()
    assert votes["agreement"].to_numpy() == pytest.approx(votes[letters].max(axis=1) / votes["numResponses"])
    assert Counter(str(name)[0] for name in votes.index) == dict.fromkeys("123", len(clips))
    for _, row in votes.iterrows():
        top = [letter for letter in letters if row[letter] == row[letters].max()]
        assert row["emoVote"].split(":") == top
        heard = [row[f"mean{word}Resp"] for word in ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad")]
        assert [level == -1 for level in heard] == [row[letter] == 0 for letter in letters]


def test_cremad_summary_and_numbers_agree_with_the_votes():
    clips, files = tables("cremad")
    votes = frame(files["processedResults/tabulatedVotes.csv"])
    summary = frame(files["processedResults/summaryTable.csv"], dtype=str)
    numbers = frame(files["SentenceFilenames.csv"])
    names = [clip.path.stem for clip in clips]
    assert summary["FileName"].tolist() == numbers["Filename"].tolist() == names
    assert summary["VoiceVote"].tolist() == votes["emoVote"].tolist()[: len(names)]
    assert summary["MultiModalVote"].tolist() == votes["emoVote"].tolist()[2 * len(names) :]


def test_cremad_text_is_quoted_and_numbers_are_bare():
    _, files = tables("cremad")
    lines = files["VideoDemographics.csv"].decode().splitlines()
    assert lines[0] == '"ActorID","Age","Sex","Race","Ethnicity"'
    assert lines[1].startswith("1001,")
    assert '"Male","Synthetic"' in lines[1]


def test_nemo_table_is_utf8_with_blanks_before_the_speaker():
    clips, files = tables("nemo")
    rows = frame(files["data.tsv"], sep="\t")
    assert rows.columns.tolist() == [
        "file_id", "emotion", "raw_text", "normalized_text", "speaker_id", "gender", "age",
    ]  # fmt: skip
    assert rows["file_id"].tolist() == [clip.path.name for clip in clips]
    assert rows["speaker_id"].str.startswith("        ").all()
    assert rows["raw_text"].str.contains("głos").all()


def test_emodb_table_is_latin1_with_decimal_commas():
    clips, files = tables("emodb")
    content = files["erkennung.txt"]
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    lines = content.decode("latin-1").splitlines()
    assert lines[0] == "Nr.\tSatz\terkannt\tnatuerlich"
    assert [line.split("\t")[1] for line in lines[1:]] == [clip.path.name for clip in clips]
    assert all(",00\xa0" in line for line in lines[1:])
