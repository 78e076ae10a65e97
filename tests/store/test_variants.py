"""Stores of random variants of recordings."""

import numpy as np
import pytest

from ser_pipeline.audio import read_recording
from ser_pipeline.audio.augment import augment
from ser_pipeline.errors import StoreMissing
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.options import Augmented, FeatureOptions, WaveAugment
from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store.maintenance import verify
from ser_pipeline.store.shard import read_rows
from ser_pipeline.store.status import status

ALWAYS = WaveAugment(pitch_p=0.0, stretch_p=1.0, noise_p=1.0)


@pytest.fixture
def variants(front_end) -> Augmented:
    return Augmented(inputs=front_end, changes=ALWAYS)


def build(corpus, cache, options, **more):
    return build_store(corpus.manifest(), corpus.folder, cache, options, **more)


def test_each_row_is_the_changed_wave_through_the_front_end(corpus, tmp_path, variants):
    summary = build(corpus, tmp_path, variants, copies=2)
    assert (summary.computed, summary.wanted, summary.folder.parent.name) == (80, 80, "augmented-mels")
    store = open_store(tmp_path, variants)
    wave = read_recording(corpus.folder / "c07.wav", variants.sample_rate).wave
    found = []
    for variant in (1, 2):
        values, frames, _ = store.read(store.rows([corpus.digest("c07.wav")], variant))
        changed = augment(
            wave, variants.sample_rate, ALWAYS, digest=corpus.digest("c07.wav"), variant=variant
        )
        expected = row_of_wave(changed, variants.inputs)
        assert frames[0] == expected.frames
        assert np.array_equal(values[0], expected.values.astype(np.float16))
        found.append(values[0])
    assert not np.array_equal(*found)
    assert store.rows([corpus.digest("c07.wav")], 0).tolist() == [-1]


@pytest.mark.slow
def test_any_number_of_jobs_makes_the_same_bytes(corpus, tmp_path, variants):
    one, two = (build(corpus, tmp_path / str(jobs), variants, copies=2, jobs=jobs).folder for jobs in (1, 2))
    shards = sorted(path.name for path in one.glob("shard-*.h5"))
    assert len(shards) > 1
    for name in shards:
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_more_copies_keep_those_that_are_there(corpus, tmp_path, variants):
    build(corpus, tmp_path, variants, copies=1)
    before = open_store(tmp_path, variants)
    first = before.read(before.rows([corpus.digest("c07.wav")], 1))[0]
    summary = build(corpus, tmp_path, variants, copies=2)
    assert (summary.present, summary.computed) == (40, 40)
    after = open_store(tmp_path, variants)
    assert np.array_equal(after.read(after.rows([corpus.digest("c07.wav")], 1))[0], first)
    assert build(corpus, tmp_path, variants, copies=2).computed == 0


def test_they_leave_the_clean_store_alone_and_other_changes_are_another_store(front_end, tmp_path):
    stores = [
        front_end,
        Augmented(inputs=front_end),
        Augmented(inputs=front_end, changes=ALWAYS),
        Augmented(inputs=front_end, changes=WaveAugment(seed=1)),
        Augmented(inputs=front_end.model_copy(update={"n_mels": 12})),
        Augmented(inputs=FeatureOptions()),
    ]
    assert len({store_folder(tmp_path, options) for options in stores}) == len(stores)
    levelled = front_end.model_copy(update={"level": "corpus_rms"})
    assert store_folder(tmp_path, Augmented(inputs=levelled)) == store_folder(
        tmp_path, Augmented(inputs=front_end.model_copy(update={"level": "none"}))
    )


def test_status_and_verify_know_them(corpus, tmp_path, variants, monkeypatch):
    build(corpus, tmp_path, variants, copies=2, limit=70)
    (found,) = status(tmp_path, corpus.manifest())
    assert found.kind == "augmented-mels"
    assert found.state == "incomplete: 5 recordings to compute"
    assert "stretch_p=1.0" in found.preset
    build(corpus, tmp_path, variants, copies=2)
    (found,) = status(tmp_path, corpus.manifest())
    assert (found.state, found.rows) == ("current", 80)
    folder = store_folder(tmp_path, variants)
    report = verify(folder, corpus.manifest(), corpus.folder, sample=8)
    assert (report.rows, report.recomputed, report.problems) == (80, 8, ())
    monkeypatch.setattr("ser_pipeline.audio.augment.augment", lambda wave, *_, **__: wave[: wave.size // 2])
    assert len(verify(folder, corpus.manifest(), corpus.folder, sample=8).problems) == 8


def test_a_bad_recording_has_no_variant_and_is_named(corpus, tmp_path, variants):
    (corpus.folder / "c04.wav").write_bytes(b"RIFF, but no more")
    summary = build(corpus, tmp_path, variants, copies=2)
    assert {failure.path for failure in summary.failures} == {"c04.wav"}
    assert summary.computed == 78
    rows = [read_rows(path) for path in summary.folder.glob("shard-*.h5")]
    assert sum(len(shard) for shard in rows) == 78


def test_a_store_that_is_not_there_names_its_command(tmp_path, variants):
    with pytest.raises(
        StoreMissing, match=r"no augmented mels .* run 'ser cache augment --copies 3 --denoise"
    ):
        open_store(tmp_path, variants, copies=3)
