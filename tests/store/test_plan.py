import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.options import Augmented, FeatureOptions, FrontEnd
from ser_pipeline.store.plan import MAX_CLIPS, MIN_CLIPS, Plan, Todo, chunk_ends, clips_per_shard


def made(count, **columns):
    """A manifest's table of different recordings of a second each."""
    table = {
        "path": [f"{number}.wav" for number in range(count)],
        "audio_digest": [f"{number:032x}" for number in range(count)],
        "duration_s": [1.0] * count,
        "modality": ["speech"] * count,
    }
    schema = pa.schema([(name, pa.float64() if name == "duration_s" else pa.string()) for name in table])
    return pa.table(table | columns, schema)


def paths(todo):
    return [clip.path for place in range(len(todo)) for clip in todo.chunk(place).clips]


def everything(plan):
    return Todo(plan, range(len(plan)), np.ones(len(plan.keys), bool))


@given(st.integers(1, 3_000_000))
def test_shards_are_neither_tiny_nor_huge(count):
    size = clips_per_shard(count)
    assert MIN_CLIPS <= size <= MAX_CLIPS
    assert count / size <= 64 or size == MAX_CLIPS


@given(st.integers(0, 3_000))
def test_every_recording_is_in_exactly_one_chunk(count):
    table = made(count)
    todo = everything(Plan.of(table, FrontEnd()))
    assert paths(todo) == table["path"].to_pylist()
    assert [todo.chunk(place).number for place in range(len(todo))] == [*range(len(todo))]


def test_what_lies_in_archives_is_computed_from_front_to_back():
    names = ["parquet:/x/10::b", "a.wav", "tar:/b::c", "parquet:/x/9::b", "tar:/a::c"]
    todo = everything(Plan.of(made(5, path=names), FrontEnd()))
    assert paths(todo) == [names[n] for n in (1, 3, 0, 2, 4)]
    assert todo.chunk(0).clips[1].digest == f"{3:032x}"


@given(st.lists(st.floats(0.01, 60), max_size=1_500))
def test_chunks_hold_about_as_much_sound_each(durations):
    ends = chunk_ends(np.array(durations)).tolist()
    quota = clips_per_shard(len(durations)) * sum(durations) / max(1, len(durations))
    for start, end in zip([0, *ends], ends, strict=False):
        assert 0 < end - start <= MAX_CLIPS
        assert end - start == 1 or sum(durations[start:end]) <= quota * 1.0001
    assert ends[-1:] == [len(durations)][: len(ends)]


@given(st.lists(st.floats(0.0, 60), max_size=600))
def test_chunks_are_cut_as_they_always_were(durations):
    """One clip after another: a store that was begun by an earlier version goes on in the same shards."""
    size = clips_per_shard(len(durations))
    quota = size * sum(durations) / max(1, len(durations))
    ends, held, seconds = [], 0, 0.0
    for number, duration in enumerate(durations):
        full = seconds + duration > quota * (1 + 1e-9) if quota else held == size
        if held and (full or held == 2 * size):
            ends.append(number)
            held, seconds = 0, 0.0
        held, seconds = held + 1, seconds + duration
    assert chunk_ends(np.array(durations)).tolist() == [*ends, *[len(durations)] * bool(durations)]


def test_a_corpus_of_long_clips_is_cut_finer_than_one_of_short_clips():
    durations = np.repeat([2.0, 12.0], 4_000)
    ends = chunk_ends(durations)
    starts = np.append(0, ends[:-1])
    assert np.add.reduceat(durations, starts)[:-1].max() < 1.1 * clips_per_shard(8_000) * 7
    assert ends[0] > 1.5 * (ends[-2] - starts[-2])


def test_clips_of_unknown_length_are_cut_by_count():
    assert chunk_ends(np.zeros(40)).tolist() == [32, 40]


@given(st.sets(st.integers(0, 99)), st.integers(0, 120))
def test_only_what_is_lacking_is_done_up_to_the_limit(done, limit):
    plan = Plan.of(made(100), FrontEnd())
    needed = np.ones(100, bool)
    needed[[*done]] = False
    todo = Todo(plan, range(len(plan)), needed, limit)
    expected = [number for number in range(100) if number not in done][:limit]
    assert paths(todo) == [f"{number}.wav" for number in expected]
    assert (todo.clips, todo.seconds.sum()) == (len(expected), len(expected))


def test_a_part_of_the_plan_is_some_of_its_chunks():
    plan = Plan.of(made(100), FrontEnd())
    clips = plan.span(range(1, 3))
    todo = Todo(plan, range(1, 3), np.arange(clips.stop - clips.start) % 2 == 1)
    assert [todo.chunk(place).number for place in range(len(todo))] == [1, 2]
    assert paths(todo) == [f"{number}.wav" for number in range(33, 96, 2)]


def test_variants_lie_side_by_side_and_differ_in_their_keys():
    options = Augmented(inputs=FrontEnd())
    table = pa.concat_tables([made(3), made(1)])
    plan = Plan.of(table, options, copies=2)
    clips = everything(plan).chunk(0).clips
    assert [(clip.path, clip.variant) for clip in clips] == [
        (f"{number}.wav", variant) for number in range(3) for variant in (1, 2)
    ]
    assert len(np.unique(plan.keys, axis=0)) == 6
    assert [clip.variant for clip in plan.clips(np.array([1, 4]))] == [2, 1]


def two_alike(modality):
    digests = [f"{number:032x}" for number in (1, 2, 1)]
    return made(3, audio_digest=digests, modality=modality)


def test_a_recording_counts_once():
    plan = Plan.of(two_alike(["speech", "song", "speech"]), FrontEnd())
    assert paths(everything(plan)) == ["0.wav", "1.wav"]
    sources = plan.sources(np.array([1]))
    assert sources.to_pylist() == [{"path": "1.wav", "audio_digest": f"{2:032x}"}]


def test_one_recording_called_speech_and_song_counts_twice_where_that_changes_numbers():
    table = two_alike(["speech", "song", "song"])
    assert paths(everything(Plan.of(table, FrontEnd()))) == ["0.wav", "1.wav"]
    clips = everything(Plan.of(table, FeatureOptions())).chunk(0).clips
    assert [clip.aspect for clip in clips] == ["speech", "song", "song"]
