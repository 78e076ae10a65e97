"""One more kind of store: the same promises for what a pretrained encoder makes of recordings."""

import shutil

import h5py
import numpy as np
import pytest
import soundfile as sf
from joblib.externals.loky import get_reusable_executor

from ser_pipeline.audio import read_recording
from ser_pipeline.encoders import located
from ser_pipeline.errors import EncoderError, SettingsError
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.options import Augmented, EmbeddingOptions, WaveAugment, inputs_of
from ser_pipeline.store import build_command, build_store, fingerprint, open_store, provenance
from ser_pipeline.store.maintenance import garbage, merge_caches, verify
from ser_pipeline.store.shard import read_rows
from ser_pipeline.store.status import details, status


def options_of_encoder(folder, **changes):
    return located(EmbeddingOptions(encoder=str(folder), **changes))[0]


@pytest.fixture
def options(make_encoder):
    return options_of_encoder(make_encoder("whisper"))


def build(corpus, cache, options, **how):
    return build_store(corpus.manifest(), corpus.folder, cache, options, **how)


def rows_of(cache, options, corpus):
    store = open_store(cache, options)
    values, frames, _ = store.read(store.rows([corpus.digest(name) for name in sorted(corpus.names)]))
    return values, frames


def test_a_row_is_what_the_recording_gives_by_the_one_front_end(corpus, options, tmp_path):
    corpus.add("long.wav", 3, seconds=3.0)
    summary = build(corpus, tmp_path / "cache", options)
    assert (summary.computed, summary.failures) == (41, ())
    values, frames = rows_of(tmp_path / "cache", options, corpus)
    assert values.shape == (41, 4, 3, 32)
    for number, name in enumerate(sorted(corpus.names)):
        wave = read_recording(corpus.folder / name, 16_000).wave
        row = row_of_wave(wave, options)
        assert row.values.tobytes() == values[number].tobytes()
        assert row.frames == frames[number]


@pytest.mark.parametrize("jobs", [1, 2])
def test_any_number_of_jobs_and_sittings_gives_the_same_bytes(corpus, options, tmp_path, jobs):
    get_reusable_executor().shutdown()  # those that have built mels would grow and be replaced
    build(corpus, tmp_path / "whole", options)
    build(corpus, tmp_path / "parts", options, limit=7)
    build(corpus, tmp_path / "parts", options, jobs=jobs)
    whole, parts = (rows_of(tmp_path / name, options, corpus)[0] for name in ("whole", "parts"))
    assert whole.tobytes() == parts.tobytes()


def test_a_shard_says_what_it_holds(corpus, options, tmp_path):
    folder = build(corpus, tmp_path / "cache", options).folder
    assert folder.parent.name == "embeddings"
    with h5py.File(folder / "shard-00000.h5") as shard:
        assert shard.attrs["values"] == "embeddings"
        assert shard["embeddings"].dtype == np.float32
        assert "layer (0, 1, 2, 3), pooling (mean, std, max)" in shard["embeddings"].attrs["unit"]


def test_frames_keep_the_true_length_of_each_recording(corpus, make_encoder, tmp_path):
    corpus.add("long.wav", 3, seconds=1.1)
    options = options_of_encoder(make_encoder("wavlm"), layers=(1, 3), frames=True)
    folder = build(corpus, tmp_path / "cache", options, limit=20).folder
    build(corpus, tmp_path / "cache", options)
    assert folder.parent.name == "frames"
    values, frames = rows_of(tmp_path / "cache", options, corpus)
    assert values.shape == (41, 110, 2, 32)
    assert values.dtype == np.float16
    for number, name in enumerate(sorted(corpus.names)):
        row = row_of_wave(read_recording(corpus.folder / name, 16_000).wave, options)
        assert frames[number] == row.frames == len(row.values)
        assert row.values.tobytes() == values[number, : row.frames].tobytes()
        assert not values[number, row.frames :].any()
    paths = sorted(folder.glob("shard-*.h5"))
    assert sum(len(read_rows(path).values) for path in paths) == frames.sum()  # no padding on the disk
    report = verify(folder, corpus.manifest(), corpus.folder, sample=5)
    assert (report.rows, report.recomputed, report.problems) == (41, 5, ())


def test_rows_of_any_length_can_be_dropped_from_a_shard(corpus, make_encoder, tmp_path):
    options = options_of_encoder(make_encoder("wavlm"), layers=(1,), frames=True)
    folder = build(corpus, tmp_path / "cache", options).folder
    rows = read_rows(folder / "shard-00000.h5")
    kept = rows.take([2, 0], ())
    first = kept.values[: kept.frames[0]]
    starts = np.cumsum(rows.frames)
    assert first.tobytes() == rows.values[starts[1] : starts[2]].tobytes()
    assert len(kept.values) == rows.frames[2] + rows.frames[0]
    assert rows.take([], ()).values.shape == (0, 1, 32)


CHANGES = {
    "layers": {"layers": (1, 2)},
    "pooling": {"pooling": ("mean",)},
    "frames": {"frames": True, "layers": (1,)},
    "crop_s": {"crop_s": 0.2},
    "trim_db": {"trim_db": 20.0},
    "precision": {"precision": "bf16"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_setting_is_another_store(make_encoder, name):
    folder = make_encoder("whisper")
    names = {fingerprint(provenance(options_of_encoder(folder, **change))) for change in ({}, CHANGES[name])}
    assert len(names) == 2


def test_every_setting_that_moves_a_number_is_tried():
    known = {"encoder", "folder", "weights", "width", "depth", "device", "sample_rate"}
    assert set(EmbeddingOptions.model_fields) == known | set(CHANGES)


def test_another_encoder_is_another_store_and_a_moved_one_is_not(make_encoder, options, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(options.folder, moved)
    there = options_of_encoder(moved, device="cpu")
    assert fingerprint(provenance(there)) == fingerprint(provenance(options))
    other = options_of_encoder(make_encoder("whisper", seed=1))
    assert fingerprint(provenance(other)) != fingerprint(provenance(options))


def test_library_versions_are_part_of_the_name(options, monkeypatch):
    from ser_pipeline.store import identity

    described = provenance(options)
    assert {"torch", "transformers", "soxr"} <= described["libraries"].keys()
    assert "+" not in described["libraries"]["torch"]
    monkeypatch.setattr(identity, "version", lambda name: "9" if name == "transformers" else "1")
    assert fingerprint(provenance(options)) != fingerprint(described)


def test_an_encoder_nobody_has_looked_for_names_no_store():
    with pytest.raises(SettingsError, match="encoder 'whisper-base': must be located first"):
        provenance(EmbeddingOptions())


def test_without_the_extra_a_store_says_how_to_get_it(options, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from ser_pipeline.store import identity

    def version(name):
        if name == "transformers":
            raise PackageNotFoundError
        return "1"

    monkeypatch.setattr(identity, "version", version)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[encoders\]'"):
        provenance(options)


def test_a_changed_recording_recomputes_itself_alone(corpus, options, tmp_path):
    build(corpus, tmp_path / "cache", options)
    corpus.add("c00.wav", 99)
    assert build(corpus, tmp_path / "cache", options).computed == 1


def test_a_recording_without_numbers_is_recorded_and_the_rest_is_built(corpus, make_encoder, tmp_path):
    sf.write(corpus.folder / "c01.wav", np.zeros(8_000), 16_000)
    click = np.zeros(8_000)
    click[4_000:4_002] = 0.5, -0.5
    sf.write(corpus.folder / "c02.wav", click, 16_000)
    options = options_of_encoder(make_encoder("wav2vec2"), crop_s=0.001)
    summary = build(corpus, tmp_path / "cache", options, limit=40)
    assert summary.computed == 0
    reasons = {failure.path: failure.reason for failure in summary.failures}
    assert "silent" in reasons["c01.wav"]
    assert "shorter than one step of the encoder" in reasons["c02.wav"]
    assert build(corpus, tmp_path / "cache", options).computed == 0  # they are not tried again


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_encoder_that_changed_under_way_ends_the_build_with_nothing_stored(
    corpus, make_encoder, options, tmp_path, jobs
):
    make_encoder("whisper", seed=1)
    with pytest.raises(EncoderError, match="holds other weights"):
        build(corpus, tmp_path / "cache", options, jobs=jobs)
    assert not list(tmp_path.glob("cache/*/*/shard-*"))


def test_status_names_the_encoder_and_verify_finds_it_again(corpus, options, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    folder = build(corpus, cache, options).folder
    (found,) = status(cache, corpus.manifest())
    assert (found.kind, found.preset, found.state) == ("embeddings", "tiny-whisper", "current")
    assert ("about.encoder", "tiny-whisper") in list(details(folder, {}))
    assert garbage(cache, corpus.manifest()) == []
    moved = tmp_path / "moved" / "tiny-whisper"
    shutil.move(options.folder, moved)
    (found,) = status(cache, corpus.manifest())
    assert found.state == "current"  # what is stored can be learned from without its encoder
    report = verify(folder, corpus.manifest(), corpus.folder, sample=3)
    assert report.rows == 40
    assert len(report.problems) == 1
    assert report.problems[0].startswith(
        "no row can be recomputed: encoder 'tiny-whisper': not on this machine"
    )
    monkeypatch.setenv("SER_ENCODERS", str(moved.parent))
    report = verify(folder, corpus.manifest(), corpus.folder, sample=3)
    assert (report.recomputed, report.problems) == (3, ())


def test_stores_made_apart_are_merged(corpus, options, tmp_path):
    corpus_of_shards = [(0, 1), (1, None)]
    for number, shards in enumerate(corpus_of_shards):
        build(corpus, tmp_path / f"part{number}", options, shards=shards)
    (merged,) = merge_caches(tmp_path / "cache", [tmp_path / "part0", tmp_path / "part1"])
    assert (merged.rows, merged.refused) == (40, ())
    assert rows_of(tmp_path / "cache", options, corpus)[0].shape == (40, 4, 3, 32)


def test_variants_are_heard_by_the_encoder_too(corpus, options, tmp_path):
    augmented = Augmented(inputs=options, changes=WaveAugment(seed=3))
    summary = build(corpus, tmp_path / "cache", augmented, copies=2)
    assert (summary.computed, summary.folder.parent.name) == (80, "augmented-embeddings")
    report = verify(summary.folder, corpus.manifest(), corpus.folder, sample=4)
    assert (report.recomputed, report.problems) == (4, ())
    assert inputs_of(augmented) == options


def test_the_command_that_builds_a_store_is_told(make_encoder, monkeypatch):
    folder = make_encoder("whisper")
    options = options_of_encoder(folder)
    assert build_command(options) == f"ser cache embeddings --encoder {folder}"
    monkeypatch.setenv("SER_ENCODERS", str(folder.parent))
    changed = options_of_encoder(folder, layers=(1, 2), pooling=("max", "mean"), crop_s=3.0)
    told = "ser cache embeddings --encoder tiny-whisper --layers 1,2 --pooling mean,max --crop-s 3.0"
    assert build_command(changed) == told
    frames = options_of_encoder(folder, layers=(2,), frames=True)
    assert build_command(frames) == "ser cache embeddings --encoder tiny-whisper --layers 2 --frames"
    variants = Augmented(inputs=options)
    assert build_command(variants, 2) == "ser cache embeddings --copies 2 --encoder tiny-whisper"
