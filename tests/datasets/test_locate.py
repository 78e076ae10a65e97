import pytest

from ser_pipeline.errors import StoreMissing, TrainingError


def test_failed_clips_are_left_out_and_named(toy):
    toy.write_store(failed=[3, 17])
    data = toy.data()
    assert len(data.examples) == 118
    assert data.failed == (("emodb/0-1-0", "silent"), ("emodb/1-1-2", "silent"))
    assert "emodb/0-1-0" not in data.examples.table["utterance_id"].to_pylist()
    assert (data.store.rows(data.examples.table["audio_digest"].to_pylist()) == data.positions).all()


def test_an_unfinished_store_names_the_command_that_finishes_it(toy):
    toy.write_store(missing=[5, 6, 7])
    with pytest.raises(StoreMissing, match=r"the store lacks 3 of 120 clips; run 'ser cache mels --n-mels 8"):
        toy.data()


def test_a_store_of_failures_is_an_error(toy):
    toy.write_store(failed=range(1, 120))
    with pytest.raises(TrainingError, match="none of 60 clips could be used, as 'nemo/0-0-0': silent"):
        toy.data(corpora=("nemo",))
