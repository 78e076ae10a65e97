from ser_pipeline.settings import recipe
from ser_pipeline.store import fingerprint as prints
from ser_pipeline.store import provenance
from ser_pipeline.store.status import settings_in_words, status


def test_a_complete_store_is_current(built, corpus):
    (found,) = status(built, corpus.manifest())
    assert (found.rows, found.failed, found.missing, found.foreign, found.state) == (40, 0, 0, 0, "current")
    assert found.preset == "default denoise=none n_mels=16 max_s=1.0"


def test_a_new_recording_makes_it_incomplete(built, corpus):
    corpus.add("new.wav", 400)
    (found,) = status(built, corpus.manifest())
    assert found.state == "incomplete: 1 recordings to compute"


def test_another_algorithm_is_another_store(front_end, monkeypatch):
    before = prints(prints_of(front_end))
    monkeypatch.setattr("ser_pipeline.store.identity.FRONT_END_VERSION", 99)
    assert prints(prints_of(front_end)) != before


def prints_of(front_end):
    return provenance(front_end)


def test_settings_are_named_after_the_nearest_preset(tmp_path):
    described = prints_of(recipe("paper", front_end={"n_mels": 80}).front_end)
    assert settings_in_words(described) == "paper n_mels=80"
