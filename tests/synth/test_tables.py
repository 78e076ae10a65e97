import io
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.layouts import PLANS, SIZES, planned
from ser_pipeline.synth.tables import (
    AFFECT,
    TABLES,
    WORDS,
    Votes,
    affect,
    cast_votes,
    hearing,
    iemocap_tables,
    recognised,
)

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


CLIPS = planned("cremad", SIZES["medium"])
CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")


def test_votes_count_ties_and_levels():
    votes = Votes(("anger", "fear", "anger", "fear", "neutral"), (50, 20, 70, 40, 10))
    assert votes.winners == ("anger", "fear")
    assert votes.mean_level("anger") == 60
    assert votes.mean_level("sadness") == -1


def test_raters_mostly_hear_what_was_meant_but_not_always():
    votes = [cast_votes(clip, CLASSES, 7, "voice", sharpness=0.5) for clip in CLIPS]
    shares = [v.counts[clip.part.emotion] / len(v.answers) for v, clip in zip(votes, CLIPS, strict=True)]
    assert 0.4 < np.mean(shares) < 0.85
    assert {len(v.answers) for v in votes} == set(range(8, 13))
    assert all(1 <= level <= 100 for v in votes for level in v.levels)


def test_sharper_raters_agree_more():
    blunt, sharp = (np.mean([hearing(c, CLASSES, 7, sharpness=s).max() for c in CLIPS]) for s in (0.5, 3.0))
    assert sharp > blunt + 0.1


def test_listeners_percentages_come_in_steps_of_twenty_listeners():
    for clip in CLIPS[:20]:
        for share in recognised(clip, CLASSES, 7):
            assert 0 <= share <= 100
            assert share % 5 == 0


@pytest.mark.parametrize("code", sorted(AFFECT))
def test_affect_stays_on_the_scale_around_the_label(code):
    values = np.array([affect(code, named_rng(code, n)) for n in range(300)])
    assert values.min() >= 1
    assert values.max() <= 5
    assert values.mean(axis=0) == pytest.approx(AFFECT[code], abs=0.2)


TURNS = planned("iemocap", SIZES["medium"])
FILES = {name: content.decode() for name, content in iemocap_tables(TURNS, [1.25] * len(TURNS), 7).items()}
TURN = re.compile(r"\[(\S+) - (\S+)\]\t(\S+)\t(\w{3})\t\[(\S+), (\S+), (\S+)\]")
EVALUATIONS = sorted(name for name in FILES if "EmoEvaluation" in name)


def blocks(name):
    return [block.strip().splitlines() for block in FILES[name].split("\n\n")[1:]]


def test_every_turn_stands_in_its_dialogues_files_once():
    turns = [TURN.fullmatch(block[0])[3] for name in EVALUATIONS for block in blocks(name)]
    assert sorted(turns) == sorted(clip.path.stem for clip in TURNS)
    assert all(
        name.startswith(f"Session{name[7]}/dialog/EmoEvaluation/Ses0{name[7]}") for name in EVALUATIONS
    )


@pytest.mark.parametrize("name", EVALUATIONS)
def test_turns_follow_one_another_and_last_as_long_as_their_recording(name):
    spans = [TURN.fullmatch(block[0]) for block in blocks(name)]
    times = [(float(span[1]), float(span[2])) for span in spans]
    assert all(end - start == pytest.approx(1.25, abs=1e-3) for start, end in times)
    assert all(later[0] > earlier[1] for earlier, later in pairwise(times))
    assert {span[3][-4] for span in spans} == {"F", "M"}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_labels_are_what_most_raters_said(name):
    for block in blocks(name):
        label = TURN.fullmatch(block[0])[4]
        said = [re.match(r"C-E\d:\t(\w+);\t\(\)$", line) for line in block[1:]]
        counts = Counter(match[1] for match in said if match)
        assert counts.total() == 3
        if label == "xxx":
            assert len(counts) == 3
        else:
            assert counts[WORDS[label]] >= 2


@pytest.mark.parametrize("name", EVALUATIONS)
def test_dimensions_are_the_mean_of_the_raters_lines(name):
    for block in blocks(name):
        mean = [float(TURN.fullmatch(block[0])[place]) for place in (5, 6, 7)]
        lines = [re.match(r"A-E\d:\tval (\d); act (\d); dom  (\d);", line) for line in block]
        ratings = [[int(value) for value in line.groups()] for line in lines if line]
        assert len(ratings) == 2
        assert mean == pytest.approx([sum(column) / 2 for column in zip(*ratings, strict=True)])


def test_transcripts_carry_the_same_times():
    for name in EVALUATIONS:
        lines = FILES[name.replace("EmoEvaluation", "transcriptions")].splitlines()
        spans = [TURN.fullmatch(block[0]) for block in blocks(name)]
        for line, span in zip(lines, spans, strict=True):
            match = re.fullmatch(r"(\S+) \[(\d{3}\.\d{4})-(\d{3}\.\d{4})\]: Synthetic line \d+\.", line)
            assert match[1] == span[3]
            assert float(match[2]) == pytest.approx(float(span[1]))
