import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.datasets.examples import resolve_task
from ser_pipeline.errors import LabelError
from ser_pipeline.labels import emotion_id


def rows(*groups):
    """Manifest and parts of groups (emotion, part, clips, speakers)."""
    emotions, speakers, parts = [], [], []
    for emotion, part, clips, people in groups:
        emotions += [emotion_id(emotion)] * clips
        speakers += [f"{part}-{number % people}" for number in range(clips)]
        parts += [part] * clips
    table = pa.table({"emotion_id": pa.array(emotions, pa.int8()), "speaker_id": speakers})
    return table, np.array(parts, np.int8)


ENOUGH = [("anger", 0, 20, 2), ("anger", 2, 20, 2), ("boredom", 0, 40, 5), ("boredom", 2, 20, 2)]


def test_named_tasks_need_no_recordings():
    assert resolve_task("6class", *rows()).emotions[-1] == "surprise"


def test_all_takes_classes_with_enough_clips_and_speakers_in_each_part():
    table, parts = rows(
        *ENOUGH, ("fear", 0, 99, 9), ("fear", 2, 19, 9), ("calm", 0, 50, 5), ("calm", 2, 50, 1)
    )
    assert resolve_task("all", table, parts).emotions == ("anger", "boredom")


def test_all_counts_after_merging_and_keeps_the_merge():
    table, parts = rows(*ENOUGH, ("neutral", 0, 10, 2), ("neutral", 2, 20, 2), ("calm", 0, 10, 2))
    assert "neutral" not in resolve_task("all", table, parts).emotions
    merged = resolve_task("all", table, parts, merges={"calm": "neutral", "contempt": "disgust"})
    assert merged.emotions == ("anger", "neutral", "boredom")
    assert merged.merges == {"calm": "neutral"}


def test_rows_without_a_part_count_for_nothing():
    table, parts = rows(*ENOUGH, ("fear", -1, 99, 9))
    assert resolve_task("all", table, parts).emotions == ("anger", "boredom")


def test_all_with_one_class_is_an_error():
    with pytest.raises(LabelError, match="task 'all': 1 emotions have 20 clips and 2 speakers in each part"):
        resolve_task("all", *rows(*ENOUGH[:2]))


def test_own_tasks_come_first():
    assert resolve_task("all", *rows(), own={"all": ["fear", "calm"]}).emotions == ("fear", "calm")


def test_unknown_tasks_are_named():
    with pytest.raises(LabelError, match="task '5class' does not exist; valid are 4class"):
        resolve_task("5class", *rows())
