import os
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from ser_pipeline.audio import decode_file
from ser_pipeline.errors import StoreCorrupt, StoreError, StoreMissing
from ser_pipeline.front_end import mel_of_wave
from ser_pipeline.options import FrontEnd, recipe
from ser_pipeline.store import build_store, open_store, parse_shards, store_folder
from ser_pipeline.store.build import changed_sources, note_sources, read_sources
from ser_pipeline.store.plan import shard_range
from tests.store.forked import Command, run_python


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("shard-*.h5")}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*.h5")}


def build(corpus, cache, front_end, **options):
    return build_store(corpus.manifest(), corpus.folder, cache, front_end, **options)


def test_rows_are_what_the_front_end_says(corpus, tmp_path, front_end):
    summary = build(corpus, tmp_path / "cache", front_end)
    assert (summary.wanted, summary.computed, summary.failures) == (40, 40, ())
    store = open_store(tmp_path / "cache", front_end)
    names = ["c07.wav", "c39.wav", "c07.wav"]
    values, frames, level_db = store.read(store.rows([corpus.digest(name) for name in names]))
    for row, name in enumerate(names):
        mel = mel_of_wave(decode_file(corpus.folder / name, front_end.sample_rate), front_end)
        assert np.array_equal(values[row], mel.values.astype(np.float16))
        assert (frames[row], level_db[row]) == (mel.frames, pytest.approx(mel.level_db, abs=1e-4))


def test_any_number_of_jobs_writes_the_same_bytes(corpus, tmp_path, front_end):
    for jobs in (1, 2):
        build(corpus, tmp_path / f"cache{jobs}", front_end, jobs=jobs)
    one, two = (store_folder(tmp_path / f"cache{jobs}", front_end) for jobs in (1, 2))
    assert contents(one) == contents(two)
    assert len(contents(one)) == 2


def test_a_complete_store_is_left_alone_and_reads_no_audio(corpus, tmp_path, front_end):
    build(corpus, tmp_path / "cache", front_end)
    folder = store_folder(tmp_path / "cache", front_end)
    before = times(folder)
    manifest = corpus.manifest()
    for path in corpus.folder.iterdir():
        path.unlink()
    summary = build_store(manifest, corpus.folder, tmp_path / "cache", front_end)
    assert (summary.present, summary.computed) == (40, 0)
    assert times(folder) == before


@pytest.mark.parametrize("field", sorted(FrontEnd.model_fields))
def test_a_changed_setting_makes_another_store(field, tmp_path):
    other = {
        "denoise": "none",
        "trim_db": None,
        "level": "none",
        "reference": "clip_max",
        "scale": "clip_minmax",
        "prop_decrease": 0.25,
        "max_s": 2.0,
    }
    value = other[field] if field in other else getattr(FrontEnd(), field) + 1
    changed = FrontEnd().model_copy(update={field: value})
    assert store_folder(tmp_path, changed) != store_folder(tmp_path, FrontEnd())


def test_settings_live_side_by_side(corpus, tmp_path, front_end):
    louder = front_end.model_copy(update={"level": "none"})
    build(corpus, tmp_path / "cache", front_end)
    first = times(store_folder(tmp_path / "cache", front_end))
    build(corpus, tmp_path / "cache", louder)
    assert times(store_folder(tmp_path / "cache", front_end)) == first
    digest = [corpus.digest("c00.wav")]
    values = []
    for settings in (front_end, louder):
        store = open_store(tmp_path / "cache", settings)
        values.append(store.read(store.rows(digest))[0])
    assert not np.array_equal(*values)


def test_a_changed_recording_recomputes_itself_alone(corpus, tmp_path, front_end):
    build(corpus, tmp_path / "cache", front_end)
    corpus.add("c35.wav", 999)
    summary = build(corpus, tmp_path / "cache", front_end)
    assert (summary.computed, summary.present) == (1, 39)
    store = open_store(tmp_path / "cache", front_end)
    values, _, _ = store.read(store.rows([corpus.digest("c35.wav")]))
    mel = mel_of_wave(decode_file(corpus.folder / "c35.wav", front_end.sample_rate), front_end)
    assert np.array_equal(values[0], mel.values.astype(np.float16))


def test_a_moved_corpus_recomputes_nothing(corpus, tmp_path, front_end):
    build(corpus, tmp_path / "cache", front_end)
    manifest = corpus.manifest()
    moved = manifest.table.set_column(
        1, "path", [[f"elsewhere/{path}" for path in manifest.table["path"].to_pylist()]]
    )
    manifest.table = moved
    assert build_store(manifest, tmp_path, tmp_path / "cache", front_end).computed == 0


def test_new_recordings_are_added(corpus, tmp_path, front_end):
    build(corpus, tmp_path / "cache", front_end)
    corpus.add("b.wav", 500)  # sorts first, so every chunk moves by one
    summary = build(corpus, tmp_path / "cache", front_end)
    assert (summary.computed, summary.present) == (1, 40)
    store = open_store(tmp_path / "cache", front_end)
    assert (store.rows([corpus.digest(name) for name in corpus.names]) >= 0).all()


def test_one_recording_stored_twice_has_one_row(corpus, tmp_path, front_end):
    (corpus.folder / "copy.wav").write_bytes((corpus.folder / "c00.wav").read_bytes())
    corpus.names.append("copy.wav")
    assert build(corpus, tmp_path / "cache", front_end).computed == 40


def test_a_bad_recording_is_named_and_the_rest_is_built(corpus, tmp_path, front_end):
    sf.write(corpus.folder / "c03.wav", np.zeros(8_000), 16_000)
    (corpus.folder / "c04.wav").write_bytes(b"RIFF, but no more")
    summary = build(corpus, tmp_path / "cache", front_end)
    assert summary.computed == 38
    assert [(failure.path, failure.kept) for failure in summary.failures] == [
        ("c03.wav", True),
        ("c04.wav", True),
    ]
    assert "silent" in summary.failures[0].reason
    assert "not a recording" in summary.failures[1].reason
    again = build(corpus, tmp_path / "cache", front_end)
    assert again.computed == 0
    assert [failure.path for failure in again.failures] == ["c03.wav", "c04.wav"]
    assert open_store(tmp_path / "cache", front_end).failures.keys() == {
        corpus.digest("c03.wav"),
        corpus.digest("c04.wav"),
    }


def test_failed_recordings_can_be_tried_again(corpus, tmp_path, front_end, monkeypatch):
    def refuse(wave, front_end, **described):
        from ser_pipeline.errors import AudioError

        raise AudioError("not today")

    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.work.row_of_variant", refuse)
        assert len(build(corpus, tmp_path / "cache", front_end, limit=1).failures) == 1
    assert build(corpus, tmp_path / "cache", front_end).computed == 39
    summary = build(corpus, tmp_path / "cache", front_end, retry_failed=True)
    assert (summary.computed, summary.failures) == (1, ())
    assert open_store(tmp_path / "cache", front_end).failures == {}


def test_a_recording_that_is_gone_or_changed_is_tried_again_next_time(corpus, tmp_path, front_end):
    manifest = corpus.manifest()
    kept = (corpus.folder / "c05.wav").read_bytes()
    (corpus.folder / "c05.wav").unlink()
    corpus.add("c06.wav", 777)
    summary = build_store(manifest, corpus.folder, tmp_path / "cache", front_end)
    reasons = {failure.path: failure.reason for failure in summary.failures}
    assert "cannot be read: No such file" in reasons["c05.wav"]
    assert "run 'ser manifest build'" in reasons["c06.wav"]
    (corpus.folder / "c05.wav").write_bytes(kept)
    assert build_store(manifest, corpus.folder, tmp_path / "cache", front_end).computed == 1


def test_limit_and_dry_run(corpus, tmp_path, front_end):
    dry = build(corpus, tmp_path / "cache", front_end, dry_run=True)
    assert (dry.wanted, dry.computed) == (40, 0)
    assert not (tmp_path / "cache").exists()
    assert build(corpus, tmp_path / "cache", front_end, limit=5).computed == 5
    assert build(corpus, tmp_path / "cache", front_end).computed == 35


def test_shard_ranges_of_a_job_array_make_the_whole(corpus, tmp_path, front_end):
    first = build(corpus, tmp_path / "cache", front_end, shards=(0, 1))
    second = build(corpus, tmp_path / "cache", front_end, shards=(1, None))
    assert (first.wanted, second.wanted, first.shards) == (32, 8, 2)
    build(corpus, tmp_path / "whole", front_end)
    assert contents(store_folder(tmp_path / "cache", front_end)) == contents(
        store_folder(tmp_path / "whole", front_end)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [("x", "is not a range"), ("3", "is not a range"), ("4:4", "is empty"), ("-1:2", "not a range")],
)
def test_a_wrong_range_is_refused(text, message):
    with pytest.raises(StoreError, match=message):
        parse_shards(text)


def test_two_builds_of_the_same_shards_one_says_so(corpus, tmp_path, front_end):
    folder = store_folder(tmp_path / "cache", front_end)
    folder.mkdir(parents=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\nfrom ser_pipeline.store.plan import shard_range\n"
            "with shard_range(pathlib.Path(sys.argv[1]), 0, 1):\n"
            "    print('held', flush=True)\n    sys.stdin.read()",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match="another build is working on shards 0:2"):
            build(corpus, tmp_path / "cache", front_end)
        assert build(corpus, tmp_path / "cache", front_end, shards=(1, 2)).computed == 8
    finally:
        holder.communicate("")
    with shard_range(folder, 0, 1):
        pass
    assert build(corpus, tmp_path / "cache", front_end).computed == 32


def test_the_data_folder_must_be_there(corpus, tmp_path, front_end):
    with pytest.raises(StoreError, match="pass the folder the manifest was built from with --data"):
        build_store(corpus.manifest(), tmp_path / "nowhere", tmp_path / "cache", front_end)


def test_a_store_that_was_not_built_names_its_command(tmp_path):
    front_end = recipe("paper", front_end={"n_mels": 80}).front_end
    said = re.escape(f"run 'ser cache mels --preset paper --n-mels 80 --cache {tmp_path}'")
    with pytest.raises(StoreMissing, match=said):
        open_store(tmp_path, front_end)


def test_flipped_bytes_are_never_served(corpus, tmp_path, front_end):
    build(corpus, tmp_path / "cache", front_end)
    folder = store_folder(tmp_path / "cache", front_end)
    path = folder / "shard-00000.h5"
    from ser_pipeline.store.shard import read_keys

    data = bytearray(path.read_bytes())
    data[read_keys(path).offset + 100] ^= 0x40
    stamp = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    store = open_store(tmp_path / "cache", front_end)
    with pytest.raises(StoreCorrupt, match="row 0 differs from what was written"):
        store.read(store.rows([corpus.digest("c00.wav")]))


@pytest.mark.parametrize("cut", [0, 100, 5_000, -10])
def test_a_truncated_shard_is_set_aside_and_built_again(corpus, tmp_path, front_end, cut):
    cache = tmp_path / "run: 1"  # as a message has it after a path
    build(corpus, cache, front_end)
    folder = store_folder(cache, front_end)
    before = contents(folder)
    path = folder / "shard-00001.h5"
    path.write_bytes(path.read_bytes()[:cut])
    summary = build(corpus, cache, front_end)
    assert summary.computed == 8
    assert "damaged" in summary.repaired[0]
    assert contents(folder) == before


def test_a_full_disk_says_so_and_the_next_call_continues(corpus, tmp_path, front_end):
    code = (
        "import sys, resource, signal, pathlib, pickle\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from conftest import Corpus\n"
        "from ser_pipeline.options import FrontEnd\n"
        "from ser_pipeline.store import build_store\n"
        "corpus = Corpus(pathlib.Path(sys.argv[2]))\n"
        "corpus.names = [path.name for path in corpus.folder.iterdir()]\n"
        "build_store(corpus.manifest(), corpus.folder, pathlib.Path(sys.argv[3]),\n"
        "            FrontEnd(denoise='none', n_mels=16, max_s=1.0))\n"
    )
    here = os.path.dirname(__file__)
    words = ("-c", code, here, str(corpus.folder), str(tmp_path / "cache"))
    process = Command(tmp_path, run_python, words)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "no space left to write; nothing was lost" in said
    folder = store_folder(tmp_path / "cache", front_end)
    assert not list(folder.glob("*.h5"))
    assert build(corpus, tmp_path / "cache", front_end).computed == 40


def test_shards_beyond_the_plan_are_refused(corpus, tmp_path, front_end):
    with pytest.raises(StoreError, match="the plan has 2 shards, 0 to 1"):
        build(corpus, tmp_path / "cache", front_end, shards=(100, 200))


def sources(**digests):
    return pa.table({"path": [*digests], "audio_digest": [*digests.values()]})


def test_builds_add_to_what_is_known(tmp_path):
    note_sources(tmp_path, sources(a="1", b="2"))
    note_sources(tmp_path, sources(b="3"))
    assert read_sources(tmp_path).equals(sources(a="1", b="3"))


@pytest.mark.parametrize("content", [None, b"", b"PAR1 nonsense"])
def test_without_it_nothing_is_said(tmp_path, content):
    if content is not None:
        (tmp_path / "sources.parquet").write_bytes(content)
    assert len(read_sources(tmp_path)) == 0
    assert changed_sources(tmp_path, sources(a="1")) == []


def test_a_folder_that_cannot_be_written_to_loses_the_explanation_alone(tmp_path):
    (tmp_path / "sources.parquet").mkdir()
    note_sources(tmp_path, sources(a="1"))
    assert len(read_sources(tmp_path)) == 0


def test_only_known_recordings_of_other_bytes_count_as_changed(tmp_path):
    note_sources(tmp_path, sources(a="1", b="2", c="3"))
    assert changed_sources(tmp_path, sources(d="4", c="8", b="9", a="1")) == ["b", "c"]
    assert changed_sources(tmp_path, sources()) == []
