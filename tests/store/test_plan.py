import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.options import FeatureOptions, FrontEnd
from ser_pipeline.store.plan import (
    MAX_CLIPS,
    MIN_CLIPS,
    PlannedClip,
    chunks,
    clips_per_shard,
    lacking,
    recordings,
)


def made(count):
    return [PlannedClip(f"{number}.wav", f"{number:032d}", 1.0) for number in range(count)]


@given(st.integers(1, 3_000_000))
def test_shards_are_neither_tiny_nor_huge(count):
    size = clips_per_shard(count)
    assert MIN_CLIPS <= size <= MAX_CLIPS
    assert count / size <= 64 or size == MAX_CLIPS


@given(st.integers(0, 3_000))
def test_every_recording_is_in_exactly_one_chunk(count):
    plan = chunks(made(count))
    assert [clip for chunk in plan for clip in chunk.clips] == made(count)
    assert [chunk.number for chunk in plan] == list(range(len(plan)))


@given(st.lists(st.floats(0.01, 60), max_size=1_500))
def test_chunks_hold_about_as_much_sound_each(durations):
    clips = [PlannedClip(str(number), str(number), seconds) for number, seconds in enumerate(durations)]
    plan = chunks(clips)
    assert [clip for chunk in plan for clip in chunk.clips] == clips
    quota = clips_per_shard(len(clips)) * sum(durations) / max(1, len(clips))
    for chunk in plan:
        assert len(chunk.clips) <= MAX_CLIPS
        assert len(chunk.clips) == 1 or chunk.seconds <= quota * 1.0001


def test_a_corpus_of_long_clips_is_cut_finer_than_one_of_short_clips():
    clips = [
        PlannedClip(str(number), str(number), 2.0 if number < 4_000 else 12.0) for number in range(8_000)
    ]
    plan = chunks(clips)
    seconds = [chunk.seconds for chunk in plan[:-1]]
    assert max(seconds) < 1.1 * clips_per_shard(8_000) * 7
    assert len(plan[0].clips) > 1.5 * len(plan[-2].clips)


def test_clips_of_unknown_length_are_cut_by_count():
    assert [len(chunk.clips) for chunk in chunks([PlannedClip(str(n), str(n), 0.0) for n in range(40)])] == [
        32,
        8,
    ]


@given(st.sets(st.integers(0, 99)), st.integers(0, 120))
def test_only_what_is_lacking_is_done_up_to_the_limit(done, limit):
    clips = made(100)
    todo = lacking(chunks(clips), {clips[number].key for number in done}, limit)
    expected = [clip for number, clip in enumerate(clips) if number not in done][:limit]
    assert [clip for chunk in todo for clip in chunk.clips] == expected


def test_a_recording_counts_once():
    columns = {"path": ["a", "b", "c"], "audio_digest": ["1", "2", "1"], "duration_s": [1.0, 2.0, 1.0]}
    table = pa.table(columns | {"modality": ["speech", "song", "speech"]})
    assert [clip.path for clip in recordings(table, FrontEnd())] == ["a", "b"]


def test_one_recording_called_speech_and_song_counts_twice_where_that_changes_numbers():
    columns = {"path": ["a", "b"], "audio_digest": ["1", "1"], "duration_s": [1.0, 1.0]}
    table = pa.table(columns | {"modality": ["speech", "song"]})
    assert [clip.path for clip in recordings(table, FrontEnd())] == ["a"]
    assert [clip.aspect for clip in recordings(table, FeatureOptions())] == ["speech", "song"]
