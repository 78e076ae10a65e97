import re
from collections import Counter
from itertools import pairwise

import pytest

from ser_pipeline.synth.layouts import SIZES, planned
from ser_pipeline.synth.tables import WORDS, iemocap_tables

CLIPS = planned("iemocap", SIZES["medium"])
FILES = {name: content.decode() for name, content in iemocap_tables(CLIPS, [1.25] * len(CLIPS), 7).items()}
TURN = re.compile(r"\[(\S+) - (\S+)\]\t(\S+)\t(\w{3})\t\[(\S+), (\S+), (\S+)\]")
EVALUATIONS = sorted(name for name in FILES if "EmoEvaluation" in name)


def blocks(name):
    return [block.strip().splitlines() for block in FILES[name].split("\n\n")[1:]]


def test_every_turn_stands_in_its_dialogues_files_once():
    turns = [TURN.fullmatch(block[0])[3] for name in EVALUATIONS for block in blocks(name)]
    assert sorted(turns) == sorted(clip.path.stem for clip in CLIPS)
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
