import pyarrow as pa
import pytest

from ser_pipeline.errors import StoreMissing
from ser_pipeline.options import EmbeddingOptions, FeatureOptions, FrontEnd, recipe
from ser_pipeline.store import build_store, provenance
from ser_pipeline.store import fingerprint as prints
from ser_pipeline.store.status import build_seconds, details, find_store, settings_in_words, status, stores


def test_a_complete_store_is_current(built, corpus):
    (found,) = status(built, corpus.manifest())
    assert (found.rows, found.failed, found.missing, found.foreign, found.state) == (40, 0, 0, 0, "current")
    assert found.preset == "default denoise=none n_mels=16 max_s=1.0"


def test_a_new_recording_makes_it_incomplete(built, corpus):
    corpus.add("new.wav", 400)
    (found,) = status(built, corpus.manifest())
    assert found.state == "incomplete: 1 recording to compute"


def test_a_changed_recording_is_named(built, corpus):
    corpus.add("c07.wav", 400)
    corpus.add("new.wav", 401)
    (found,) = status(built, corpus.manifest())
    assert found.state == "incomplete: 2 recordings to compute; recording changed: c07.wav; 1 new"
    assert found.changed == ("c07.wav",)


def test_a_recording_that_is_song_now_is_to_be_computed_where_that_counts(corpus, tmp_path):
    corpus.names = corpus.names[:2]
    manifest = corpus.manifest()
    build_store(manifest, corpus.folder, tmp_path, FeatureOptions())
    assert [found.state for found in status(tmp_path, manifest)] == ["current"]
    song = pa.array(["song", "speech"])
    manifest.table = manifest.table.drop_columns("modality").append_column("modality", song)
    (found,) = status(tmp_path, manifest)
    assert (found.missing, found.foreign, found.state) == (1, 1, "incomplete: 1 recording to compute")


def test_details_say_how_a_store_differs_from_today(built, front_end):
    (folder,) = stores(built)
    said = list(details(folder, {"mels": front_end.model_copy(update={"n_mels": 20})}))
    assert ("settings.n_mels", "16") in said
    assert ("differs from today's settings", "settings.n_mels: 16, now 20") in said
    assert [value for what, value in details(folder, {"mels": front_end}) if "differs" in what] == []


def test_a_store_is_found_by_how_its_name_begins(built):
    (folder,) = stores(built)
    assert find_store(built, folder.name[:4]) == folder
    with pytest.raises(StoreMissing, match=f"no store named 'x'; valid are mels/{folder.name}"):
        find_store(built, "x")
    (folder.parent / ("z" * 16)).mkdir()
    with pytest.raises(StoreMissing, match="2 stores named ''"):
        find_store(built, "")
    assert list(details(folder.parent / ("z" * 16), {})) == [("state", "empty")]


def test_another_algorithm_is_another_store(front_end, monkeypatch):
    before = prints(prints_of(front_end))
    monkeypatch.setattr("ser_pipeline.options.stored.FRONT_END_VERSION", 99)
    assert prints(prints_of(front_end)) != before


def prints_of(front_end):
    return provenance(front_end)


def test_settings_are_named_after_the_nearest_preset():
    described = prints_of(recipe("paper", front_end={"n_mels": 80}).front_end)
    assert settings_in_words(described) == "paper n_mels=80"


def test_a_large_encoder_takes_hours_on_a_processor(monkeypatch):
    def takes(depth, width, *layers):
        options = EmbeddingOptions(encoder="x", device="cpu", depth=depth, width=width, layers=layers)
        return build_seconds(options, 10_000)

    base = takes(6, 512, *range(7))
    assert takes(6, 512, 3) == pytest.approx(base / 2)  # nothing is computed above
    assert takes(32, 1280, *range(33)) / base == pytest.approx(32 * 1280**2 / (6 * 512**2))
    assert takes(32, 1280, *range(33)) > 3600 > base
    assert takes(2, 16, 2) == pytest.approx(base / 5)  # recordings are read all the same
    assert takes(0, 0) == base  # not yet read
    assert 0 < build_seconds(FrontEnd(), 10_000) < base
    monkeypatch.setattr("ser_pipeline.store.status.chosen_device", lambda _: "cuda")
    assert takes(32, 1280, 32) < base / 5
