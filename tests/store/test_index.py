import pyarrow.parquet as pq

from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store.index import read_index


def test_a_missing_or_broken_index_is_made_from_the_shards(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    before = pq.read_table(folder / "index.parquet")
    for content in (None, b"", b"PAR1 nonsense"):
        (folder / "index.parquet").unlink()
        if content is not None:
            (folder / "index.parquet").write_bytes(content)
        assert read_index(folder).table.equals(before)
    assert pq.read_table(folder / "index.parquet").equals(before)


def test_an_index_of_other_shards_is_not_believed(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    (folder / "shard-00001.h5").unlink()
    assert read_index(folder).table.num_rows == 32


def test_index_holds_what_the_shards_say(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    store = open_store(tmp_path, front_end)
    position = store.rows([corpus.digest("c33.wav")])[0]
    assert (store.shards[position], store.shard_rows[position]) == (1, 1)


def test_a_shard_of_another_store_is_never_served(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    other = store_folder(tmp_path, front_end.model_copy(update={"n_mels": 24}))
    other.mkdir()
    (other / "shard-00000.h5").write_bytes((folder / "shard-00000.h5").read_bytes())
    index = read_index(other)
    assert index.table.num_rows == 0
    assert "made with other settings or library versions than its store" in index.damaged[0]
