"""A corpus of tones, segments and facts of every kind, its manifest, and the way out of it and back."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import read_description
from ser_pipeline.exchange import export_manifest, import_dataset
from ser_pipeline.manifest import read_manifest
from ser_pipeline.manifest.build import write_manifest

HEADING = "path,emotion,speaker,gender,age,language,text,part,fold,valence,start,end"
LINES = (
    "f1/a 1.wav,anger,f1,female,30,de,Guten Tag,train,1,-0.5,,",
    "f1/b.wav,happiness,f1,female,30,de,\"Na, so was\",train,2,0.5,,",
    "m1/a 1.wav,other,m1,male,,de,Guten Tag,test,1,,,",
    "m1/b.flac,neutral,m1,male,,de,Wie schön,validation,2,0,,",
    "m1/long.wav,sadness,m1,male,,de,Ach,train,3,,0.25,0.75",
    "m1/long.wav,anger,m1,male,,de,Nein,train,3,,1,1.5",
)  # fmt: skip
TOML = """
name = "tones"
language = "de"
folders = ["tones"]
[[tables]]
file = "list.csv"
rows = true
"""
KEPT = ("emotion_id", "speaker_id", "gender", "language", "text", "part", "duration_s")


class Corpus:
    """A corpus in ``folder/data/tones`` and its manifest in ``folder/manifests``."""

    def __init__(self, folder: Path, lines=LINES, heading=HEADING) -> None:
        self.folder, self.data, self.manifests = folder, folder / "data", folder / "manifests"
        rng = np.random.default_rng(0)
        root = self.data / "tones"
        for path in dict.fromkeys(line.partition(",")[0] for line in lines):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            seconds = 2.0 if "long" in path else 0.4
            wave = rng.uniform(-0.4, 0.4, int(seconds * 8000)).astype(np.float32)
            soundfile.write(root / path, wave, 8000)
        (root / "list.csv").write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
        names = heading.split(",")
        columns = ", ".join(f'{name} = "{name}"' for name in names if not name.startswith("votes_"))
        votes = ", ".join(f'{name[6:]} = "{name}"' for name in names if name.startswith("votes_"))
        (folder / "tones.toml").write_text(f"{TOML}columns = {{ {columns} }}\nvotes = {{ {votes} }}\n")
        write_manifest(self.data, self.manifests, descriptions=[folder / "tones.toml"])

    @property
    def rows(self):
        return read_manifest(self.manifests).table.to_pylist()

    def export(self, kind, **options) -> Path:
        out = self.folder / "away" / "tones"
        export_manifest(kind, out, manifests=self.manifests, data=self.data, **options)
        return out

    def back(self, kind, path, *, data=None, **options):
        """Rows of the manifest that an imported data set gives."""
        data = data or self.data
        made = import_dataset(kind, path, data=data, into=self.folder / "corpora", **options)
        again = self.folder / "again"
        write_manifest(
            data, again, corpora={"tones": Described(read_description(made.description), own=True)}
        )
        return read_manifest(again).table.to_pylist()


def told(rows, facts=KEPT):
    """What rows say, in an order that does not depend on their ids."""
    return sorted(tuple(row[fact] for fact in facts) for row in rows)


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path)


@pytest.fixture
def corpus_of(tmp_path):
    """Make a corpus of these lines."""
    return lambda *lines, heading=HEADING: Corpus(tmp_path, lines, heading)
