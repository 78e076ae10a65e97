import numpy as np
import pytest

from ser_pipeline.datasets.normalise import PULL_CENTER, PULL_SCALE, Voice
from ser_pipeline.datasets.speakers import (
    COPIES,
    ENROLMENTS,
    Surroundings,
    average_voice,
    describe_speakers,
    enrolled,
    nobodys_clips,
    pretended,
)


class Rows:
    def __init__(self, values):
        self.values, self.shape = values.astype(np.float32), values.shape[1:]

    def read(self, positions):
        return self.values[np.asarray(positions, np.int64)], None, None


@pytest.fixture
def people(rng):
    """Three training speakers and a new one, of 40 clips each, with voices far apart."""
    places = np.array([[0.0, 50.0], [10.0, 60.0], [20.0, 70.0], [400.0, -300.0]])
    values = np.concatenate([place + rng.normal(0, [1.0, 3.0], (40, 2)) for place in places])
    part = np.repeat([0, 0, 0, 2], 40).astype(np.int8)
    around = Surroundings(np.arange(160), part, np.repeat(["a", "b", "c", "new"], 40))
    return Rows(values), around, average_voice(Rows(values), around)


def test_the_average_voice_is_of_training_speakers_alone(people):
    store, around, voice = people
    assert voice.center == pytest.approx([10, 60], abs=0.5)
    assert voice.scale == pytest.approx([1, 3], rel=0.15)
    store.values[around.part == 2] = 1e9
    assert average_voice(store, around) == voice


def test_no_clip_leaves_the_average_voice_and_many_replace_it(rng):
    voice = Voice(center=(0.0,), scale=(1.0,))
    assert voice.pulled(np.zeros((0, 1))) is voice
    one = voice.pulled(np.array([[9.0]]))
    assert one.center == pytest.approx([9 / (1 + PULL_CENTER)])
    assert one.scale == (1.0,)
    many = rng.normal(5, 2, (20_000, 1))
    assert voice.pulled(many).center == pytest.approx([5], abs=0.05)
    assert voice.pulled(many).scale == pytest.approx([2], abs=0.05)


def test_the_pull_is_a_mean_over_real_and_average_clips(rng):
    own = rng.normal(3, 1, (4, 2))
    found = Voice(center=(1.0, 2.0), scale=(1.0, 2.0)).pulled(own)
    expected = (own.sum(0) + PULL_CENTER * np.array([1, 2])) / (4 + PULL_CENTER)
    assert found.center == pytest.approx(expected)
    variance = (4 * own.var(0) + PULL_SCALE * np.array([1, 4])) / (4 + PULL_SCALE)
    assert found.scale == pytest.approx(np.sqrt(variance))


def test_a_column_that_does_not_move_says_nothing():
    store = Rows(np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0], [4.0, 5.0]]))
    around = Surroundings(np.arange(4), np.zeros(4, np.int8), np.array(["a", "a", "b", "b"]))
    voice = average_voice(store, around)
    assert voice.scale[1] == 0
    assert voice.apply(store.values)[:, 1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("second", [0, 1, 3])
def test_speakers_of_one_clip_each_show_how_widely_voices_move(rng, second):
    store = Rows(rng.normal([5.0, 900.0], [0.1, 80.0], (200, 2)))
    names = np.arange(200).astype(str)
    names[:second] = names[100 : 100 + second]  # some have two, which say little
    voice = average_voice(store, Surroundings.of(names))
    assert voice.scale == pytest.approx(store.values.std(0), rel=0.2)


def test_a_speaker_is_described_by_their_own_part(people):
    store, around, voice = people
    who = around.describing(around.part, around.speakers)
    normal = enrolled(store, around, voice, store.values, who)
    for name in ("a", "new"):
        own = store.values[around.speakers == name]
        expected = voice.pulled(own).apply(own)
        assert normal[around.speakers == name] == pytest.approx(expected, abs=1e-4)


def test_training_sees_a_clip_under_several_enrolments_by_its_seed(people):
    store, around, voice = people
    trained = around.part == 0
    values, speakers = store.values[trained], around.speakers[trained]
    first, again, other = (pretended(store, around, voice, values, speakers, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    nothing_known = voice.apply(values)
    groups = np.isclose(first, nothing_known, atol=1e-5).all(1).mean()
    assert groups == pytest.approx(1 / len(ENROLMENTS), abs=0.02)


def test_no_clip_outside_training_is_looked_at(people):
    store, around, voice = people
    trained = around.part == 0
    values, speakers = store.values[trained].copy(), around.speakers[trained]
    clean = pretended(store, around, voice, values, speakers, seed=0)
    store.values[around.part == 2] = 1e9
    assert np.array_equal(clean, pretended(store, around, voice, values, speakers, seed=0))


def test_a_run_learns_each_clip_several_times(toy):
    toy.write_features()
    data = toy.data(model={"name": "logreg"}, normalise="adaptive")
    learned = data.learned()
    assert learned.voice is not None
    clips = data.training_clips(learned)
    rows = data.rows("train")
    assert len(clips) == COPIES * len(rows)
    assert data.learned_rows().tolist() == np.tile(rows, COPIES).tolist()
    assert len(data.training_vectors(learned)) == len(clips)
    assert len(data.clips(rows, learned)) == len(rows)


def test_clips_of_nobody_are_not_one_speaker(people):
    store, around, voice = people
    names = np.repeat(["a", "b", "c", "x-unknown"], 40)
    for part in (around.part, np.repeat([0, 0, 0, 0], 40).astype(np.int8)):
        mixed = Surroundings(around.positions, part, names)
        who, nobody = mixed.describing(part, names), names == "x-unknown"
        average = average_voice(store, mixed)
        assert average == voice
        described = describe_speakers(store, mixed)
        own = store.values[part == 0].astype(np.float64)
        expected = (store.values[nobody] - own.mean(0)) / own.std(0)
        assert described.apply(store.values, who)[nobody] == pytest.approx(expected, rel=1e-4)
        normal = enrolled(store, mixed, average, store.values, who)
        assert normal[nobody] == pytest.approx(voice.apply(store.values[nobody]), rel=1e-4)
    seen = pretended(store, mixed, average, store.values, names, seed=0)
    assert seen[nobody] == pytest.approx(voice.apply(store.values[nobody]), rel=1e-4)
    assert nobodys_clips(names) == (
        "40 clips do not say who speaks and are normalised like unknown voices, not by speaker"
    )
    assert nobodys_clips(around.speakers) == ""


def test_without_any_name_the_average_voice_is_that_of_all_clips(people):
    store, around, _ = people
    found = average_voice(store, Surroundings(around.positions, around.part, np.full(160, "x-unknown")))
    assert found.center == pytest.approx(store.values[:120].mean(0), rel=1e-5)


class Names(np.ndarray):
    """Names that are never all compared with one of them, which would take clips times speakers."""

    def __eq__(self, other):
        raise AssertionError


def test_names_are_sorted_once_and_not_compared_for_each_speaker(people):
    store, around, voice = people
    sought = Surroundings(around.positions, around.part, around.speakers.view(Names))
    trained = np.flatnonzero(around.part == 0)
    assert average_voice(store, sought) == voice
    given = store.values[trained], sought.speakers[trained]
    assert pretended(store, sought, voice, *given, seed=0).shape == (120, 2)
    who = around.describing(around.part, around.speakers)
    normal = enrolled(store, sought, voice, store.values, who.view(Names))
    assert np.array_equal(normal, enrolled(store, around, voice, store.values, who))
