import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ser_pipeline import build_manifest, build_store
from ser_pipeline.errors import ManifestError, SettingsError
from ser_pipeline.options import Augmented, FrontEnd
from ser_pipeline.store import open_store
from ser_pipeline.synth import synth


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A working folder with a small corpus and its manifest."""
    monkeypatch.chdir(tmp_path)
    synth(tmp_path / "DataSets", corpora=["emodb"], size="small", clips_per_class=1, seed=1)
    return build_manifest()


def test_a_store_is_built_of_settings_by_their_own_names(corpus, tmp_path):
    told = []
    made = build_store(n_mels=8, on_progress=lambda done, total: told.append((done, total)))
    assert made.computed == corpus.rows
    assert (told[0], told[-1]) == ((0, corpus.rows), (corpus.rows, corpus.rows))
    assert len(open_store(tmp_path / "cache", FrontEnd(n_mels=8))) == corpus.rows
    again = build_store(FrontEnd(n_mels=8), dry_run=True)
    assert (again.folder, again.present, again.computed) == (made.folder, corpus.rows, 0)


def test_variants_have_a_store_of_their_own(corpus, tmp_path):
    made = build_store("mels", copies=2, n_mels=8, pitch_p=1.0, limit=3)
    options = Augmented(inputs=FrontEnd(n_mels=8), changes={"pitch_p": 1.0})
    assert made.wanted == 2 * corpus.rows
    assert made.folder == open_store(tmp_path / "cache", options, 2).folder.relative_to(tmp_path)


def test_stores_are_of_the_preset_asked_for(corpus):
    kinds = {build_store(kind, dry_run=True).folder.parent.name for kind in ("mels", "features")}
    assert kinds == {"mels", "features"}
    assert build_store(preset="paper", dry_run=True).folder != build_store(dry_run=True).folder


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"inputs": "mel"},
            "inputs 'mel' do not exist; valid are mels, features, egemaps, compare, embeddings, or",
        ),
        ({"jobs": 0}, "jobs: must be at least 1"),
        ({"copies": -1}, "copies: must be at least 0"),
        ({"n_mel": 8}, "settings: n_mel: there is no such setting"),
        ({"n_mels": 1}, "front_end.n_mels"),
        ({"inputs": FrontEnd(), "n_mels": 8}, "n_mels: does not go with all options of a store"),
        ({"inputs": FrontEnd(), "copies": 2}, "copies: these options are of a store without variants; pass"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, given, line):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=line):
        build_store(**given)


def test_a_manifest_is_not_built_by_nobody():
    with pytest.raises(SettingsError, match=r"^jobs: must be at least 1 \(found 0\)$"):
        build_manifest(jobs=0)


def test_a_manifest_that_is_not_there_names_what_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManifestError, match="ser manifest build"):
        build_store()


def test_what_is_offered_is_loaded_when_it_is_asked_for():
    code = (
        "import sys, ser_pipeline; print(sorted(sys.modules.keys() & heavy));"
        "ser_pipeline.train; print(sorted(sys.modules.keys() & (heavy - {'numpy'})))"
    )
    heavy = "heavy = {'numpy', 'torch', 'librosa', 'h5py', 'pandas', 'matplotlib', 'ser_pipeline.api'}\n"
    done = subprocess.run([sys.executable, "-c", heavy + code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['ser_pipeline.api']"]


def test_tables_that_list_recordings_are_read_again_only_when_something_changes(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    for place in ("here/a", "here/b", "there/c"):
        path = tmp_path / f"{place}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, 4000).astype(np.float32), 8000)
    table = tmp_path / "here" / "l.csv"
    table.write_text(f"path,emotion\na.wav,joy\nb.wav,fear\n{tmp_path}/there/c.wav,anger\nd.wav,anger\n")

    def build(**options):
        return build_manifest(csv=[table], manifests="m", **options)

    assert [build().unchanged, build().unchanged] == [False, True]
    assert not build(speaker_from="(.)\\.wav").unchanged
    assert not build().unchanged
    soundfile.write(tmp_path / "there" / "c.wav", np.zeros(4001, np.float32) + 0.1, 8000)
    assert [build().unchanged, build().unchanged] == [False, True]
    soundfile.write(tmp_path / "here" / "d.wav", rng.uniform(-0.5, 0.5, 4000).astype(np.float32), 8000)
    assert build().rows == 4
    table.write_text(table.read_text().replace("joy", "sadness"))
    assert [build().unchanged, build().unchanged] == [False, True]
