"""Fixtures that many tests share."""

import functools
import gc
import io
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import soundfile
import typer.testing

from ser_pipeline.dsp.kept import prepare_librosa
from tests.store.forked import fork_workers

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before a test imports onnxruntime itself
hypothesis.settings.register_profile("loaded", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("loaded")
prepare_librosa()  # the processes of one test run start at once

LOOK = """(frames) => {
  const framed = (element) => frames && element.closest(frames);
  const seen = (element) => element.checkVisibility() && !element.closest("svg") && !framed(element);
  const shown = [...document.querySelectorAll("body *")].filter(seen);
  const wide = shown.filter((each) => each.getBoundingClientRect().right > innerWidth + 1);
  const broken = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const parent = text.parentElement;
    if (!parent.checkVisibility() || parent.closest("code, pre, dd, svg, script")) continue;
    for (const word of text.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (tops.size > 1) broken.push(word[0]);
    }
  }
  const width = document.documentElement.scrollWidth;
  return [width, wide.map((each) => each.outerHTML.slice(0, 120)), broken];
}"""


def check_page(tab, width: int, frames: str = "") -> None:
    """Fail where a page is wider than its screen, an element is, or a word is broken.

    Args:
        tab: the page, as playwright opened it.
        width: of the screen, in CSS pixels.
        frames: selector of elements that scroll by themselves.
    """
    assert tab.evaluate(LOOK, frames) == [width, [], []]


@pytest.fixture(scope="session", autouse=True)
def workers_are_forked():
    """Workers of tests load nothing; those of commands that run as a process of their own start as ever."""
    fork_workers()


@pytest.fixture(scope="session", autouse=True)
def no_graphs():
    """Trainings of tests write no graph, which takes half a second; gives what would write it."""
    from ser_pipeline.api import training

    with pytest.MonkeyPatch.context() as patch:
        original = training.with_graph
        patch.setattr(training, "with_graph", lambda folder: None)
        yield original


@pytest.fixture(scope="session", autouse=True)
def commands_are_built_once():
    """Typer builds all commands anew for each that a test runs, which takes longer than most of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.testing._get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def few_trees():
    """A quarter of the trees, and as many bins as there are toy clips: fewer are weighed one by one."""
    from ser_pipeline.models import estimators

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimators, "_TREES", {**estimators._TREES, "max_iter": 40, "max_bins": 120})
        yield


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, a share for each worker; short ones fill the end."""
    files = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow = {path for path, those in files.items() if any(map(_is_slow, those))}
    order = sorted(files, key=lambda path: path not in slow)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shares = (order[worker::workers] for worker in range(workers))
    items[:] = [item for share in shares for path in share for item in files[path]]


def _is_slow(item) -> bool:
    return any(item.get_closest_marker(name) for name in ("slow", "real"))


def pytest_collection_finish():
    """Take what is loaded by now, which stays to the end, out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks():
    """Write files without waiting for the disk: no test takes away the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        patch.setattr(soundfile.SoundFile, "flush", lambda sound: None)
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh generator with a fixed seed for every test."""
    return np.random.default_rng(20_250_101)


@pytest.fixture
def as_nobody():
    """Run a command as a user who owns nothing and may read everything; gives what it prints."""
    reads_all = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *reads_all]
    if shutil.which("setpriv") is None or os.getuid() != 0:
        pytest.skip("only the administrator can run commands as another user, and needs setpriv to")
    if subprocess.run([*user, "true"], capture_output=True).returncode:
        pytest.skip("this system gives no user the right to read everything")

    def run(words: list[str], *, status: int = 0, **environment: str) -> str:
        own = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": "", **environment}
        own.pop("XDG_CACHE_HOME", None)
        done = subprocess.run([*user, *words], env=own, capture_output=True, text=True, timeout=300)
        assert done.returncode == status, done.stderr
        return done.stdout

    return run


@pytest.fixture
def locks_of_handles():
    """A system whose locks belong to an open file; elsewhere they belong to the process."""
    if not hasattr(pytest.importorskip("fcntl"), "F_OFD_SETLK"):
        pytest.skip("this system locks for whole processes")


@pytest.fixture
def make_speech():
    """Make a wave with the harmonics, syllables and pauses of speech; another seed is another take."""

    def make(seed: int = 0, *, seconds: float = 2.0, rate: int = 16_000) -> np.ndarray:
        rng = np.random.default_rng(seed)
        times = np.arange(round(seconds * rate)) / rate

        def smooth(low: float, high: float, per_s: float) -> np.ndarray:
            points = rng.uniform(low, high, round(seconds * per_s) + 2)
            return np.interp(times * per_s, np.arange(points.size), points)

        turns = 2 * np.pi * np.cumsum(smooth(110, 240, 4)) / rate
        wave = sum(smooth(0, 1, 12) / number * np.sin(number * turns) for number in range(1, 25))
        wave = wave + 0.1 * rng.standard_normal(times.size)  # breath
        wave = wave * np.maximum(smooth(-0.3, 1, 6), 0) + 0.003 * rng.standard_normal(times.size)
        return (0.3 * wave / np.abs(wave).max()).astype(np.float32)

    return make


def _folder_in(variable: str, what: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set: no {what} here")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"{variable}={folder} is not a folder")
    return path


@pytest.fixture
def real_data() -> Path:
    """Folder of real recordings; the test is skipped where there is none."""
    return _folder_in("SER_REAL_DATA", "real recordings")


@pytest.fixture
def real_encoders() -> Path:
    """Folder of real encoders; the test is skipped where there is none."""
    return _folder_in("SER_REAL_ENCODERS", "real encoders")


_CONVOLUTIONS = {
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 4),
    "conv_stride": (5, 4, 8),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embedding_groups": 4,
}
_ENCODERS = {
    "whisper": {"d_model": 32, "encoder_layers": 3, "encoder_attention_heads": 4, "encoder_ffn_dim": 64}
    | {"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 64, "vocab_size": 64}
    | {"max_source_positions": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    | {"decoder_start_token_id": 1, "num_mel_bins": 80},
    "wavlm": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "num_conv_pos_embeddings": 16},
    "wav2vec2": {"num_conv_pos_embeddings": 16},
    "wav2vec2-bert": {"feature_projection_input_dim": 160},
    "hubert": {"num_conv_pos_embeddings": 16},
    "data2vec-audio": {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5},
    "unispeech": {"num_conv_pos_embeddings": 16, "num_codevectors_per_group": 8, "codevector_dim": 16},
    "unispeech-sat": {
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "num_conv_pos_embeddings": 16,
    },
}
"""Family -> what makes a tiny one of it."""


@pytest.fixture(scope="session")
def encoder_files(tmp_path_factory):
    """Write a tiny random encoder once for all who ask for the same."""

    @functools.cache
    def written(family, seed, **changes) -> Path:
        import json

        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        layers = {
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 64,
        }
        convolutions = {} if family in ("whisper", "wav2vec2-bert") else _CONVOLUTIONS
        settings = ({} if family == "whisper" else layers) | convolutions | _ENCODERS[family] | changes
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = transformers.AutoModel.from_config(
                transformers.AutoConfig.for_model(family, **settings)
            )
        folder = tmp_path_factory.mktemp(family)
        network.save_pretrained(folder)
        extractor = {"whisper": "WhisperFeatureExtractor", "wav2vec2-bert": "SeamlessM4TFeatureExtractor"}
        said = {
            "feature_extractor_type": extractor.get(family, "Wav2Vec2FeatureExtractor"),
            "sampling_rate": 16_000,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(said))
        return folder

    return written


@pytest.fixture
def make_encoder(encoder_files, tmp_path):
    """Make a tiny random encoder of a family, as its folder lies on a disk: 3 layers, 32 wide."""

    def make(family="wav2vec2", name=None, *, seed=0, **changes) -> Path:
        folder = tmp_path / "encoders" / (name or f"tiny-{family}")
        made = encoder_files(family, seed, **changes)
        return shutil.copytree(made, folder, copy_function=shutil.copy, dirs_exist_ok=True)

    return make


class Toy:
    """A manifest with splits, and a store of made-up mels: enough to train on, in a second.

    Two corpora of five speakers; each says three clips of each of four emotions. An emotion is a
    loud pair of bands, so a network can learn it. No recording exists.

    Attributes:
        manifests: folder of the manifest, with the splits ``speaker`` and ``loco``.
        cache: folder of the stores, for ``front_end`` and the same without levelling.
        front_end: 8 bands, at most one second (44 frames).
    """

    EMOTIONS = 4
    SPEAKERS = 5

    def __init__(self, folder: Path) -> None:
        from ser_pipeline.options import FrontEnd

        self.folder = folder
        self.manifests = folder / "manifests"
        self.cache = folder / "cache"
        self.front_end = FrontEnd(n_mels=8, max_s=1.0)
        self.rows = [
            (corpus, language, speaker, emotion, take)
            for corpus, language in (("emodb", "de"), ("nemo", "pl"))
            for speaker in range(self.SPEAKERS)
            for emotion in range(self.EMOTIONS)
            for take in range(3)
        ]
        if not self.manifests.exists():
            self.write_manifest()
            self.write_store()

    def recipe(self, **changes):
        from ser_pipeline.options import recipe

        train = {"batch_size": 16, "epochs": 2, "warmup_epochs": 0, **changes.pop("train", {})}
        front_end = {"n_mels": 8, "max_s": 1.0, **changes.pop("front_end", {})}
        return recipe(front_end=front_end, train=train, **changes)

    def inputs(self, **changes):
        from ser_pipeline.datasets.prepare import read_inputs

        return read_inputs(self.recipe(**changes), manifests=self.manifests, cache=self.cache)

    def data(self, fold=None, **changes):
        return self.inputs(**changes).run_data(fold)

    def digest(self, number: int) -> str:
        return f"{number:032x}"

    def write_manifest(self, ratings=None) -> None:
        """Write it with its splits; ``ratings`` gives each row's valence, arousal and dominance, or None."""
        import pyarrow as pa

        from ser_pipeline.manifest import SCHEMA, read_manifest
        from ser_pipeline.manifest.schema import write_table
        from ser_pipeline.splits import make_split, write_split

        rows = [
            {
                "utterance_id": f"{corpus}/{speaker}-{emotion}-{take}",
                "corpus": corpus,
                "path": f"{corpus}/{speaker}-{emotion}-{take}.wav",
                "audio_digest": self.digest(number),
                "source_label": "x",
                "emotion_id": emotion,
                "intensity": "unspecified",
                "speaker_id": f"{corpus}-{speaker}",
                "gender": ("female", "male")[speaker % 2],
                "language": language,
                "modality": "speech",
                "style": "acted",
                "duration_s": 1.0,
                "sample_rate": 16_000,
                "channels": 1,
                **dict.fromkeys(("valence", "arousal", "dominance"), ratings and ratings[number]),
            }
            for number, (corpus, language, speaker, emotion, take) in enumerate(self.rows)
        ]
        write_table(pa.Table.from_pylist(rows, SCHEMA), {}, self.manifests / "manifest.parquet")
        manifest = read_manifest(self.manifests)
        for name in ("speaker", "loco"):
            write_split(self.manifests, make_split(manifest, name))

    def write_features(self, feature_set="named", values=None, failed=(), missing=()) -> np.ndarray:
        """Write a store of vectors, those given or made ones: emotions move some columns, speakers all.

        Rows whose numbers are given failed, or were never computed.
        """
        from ser_pipeline.front_end import layout_of
        from ser_pipeline.options import FeatureOptions, feature_options
        from ser_pipeline.store import provenance, store_folder
        from ser_pipeline.store.shard import ShardRows, shard_path, write_shard

        rng = np.random.default_rng(1)
        options = feature_options(feature_set, FeatureOptions())
        layout = layout_of(options)
        count, columns = len(self.rows), layout.shape[0]
        speakers = {key: 5 * rng.standard_normal(columns) for key in sorted({row[:3] for row in self.rows})}
        if values is None:
            values = 20 + rng.standard_normal((count, columns))
            for number, row in enumerate(self.rows):
                values[number] += speakers[row[:3]]
                values[number, 10 * row[3] : 10 * row[3] + 10] += 3
        kept = [number for number in range(count) if number not in {*failed, *missing}]
        rows = ShardRows(
            values[kept].astype(np.float32),
            np.ones(len(kept), np.int16),
            np.full(len(kept), -20, np.float32),
            np.array([self.digest(number) for number in kept], "S32"),
            np.zeros(len(kept), np.int16),
            np.array(["speech" if feature_set == "named" else ""] * len(kept), "S8"),
            tuple((self.digest(number), "silent") for number in sorted(failed)),
        )
        folder = store_folder(self.cache, options)
        described = provenance(options)
        write_shard(shard_path(folder, 0), rows, layout=layout, name=folder.name, described=described)
        return values.astype(np.float32)

    def embedding_options(self, **changes):
        """Options of a store of pooled layers: an encoder of three layers, eight wide, that lies nowhere."""
        from ser_pipeline.options import EmbeddingOptions

        facts = {"encoder": "toy", "folder": "/gone/toy", "weights": "0a" * 16, "depth": 3, "width": 8}
        return EmbeddingOptions.model_validate({**facts, "layers": (0, 1, 2, 3), **changes})

    def write_embeddings(self, numbers=None, values=None, **changes) -> np.ndarray:
        """Write a store of pooled layers, those given or made ones, of which layer 2 alone knows emotions."""
        from ser_pipeline.front_end import layout_of
        from ser_pipeline.store import provenance, store_folder
        from ser_pipeline.store.shard import ShardRows, shard_path, write_shard

        options = self.embedding_options(**changes)
        numbers = range(len(self.rows)) if numbers is None else numbers
        if values is None:
            rng = np.random.default_rng(2)
            values = rng.standard_normal((len(numbers), *layout_of(options).shape)).astype(np.float32)
            for place, number in enumerate(numbers):
                if 2 in options.layers:
                    values[place, options.layers.index(2), 0, self.rows[number][3]] += 4
        rows = ShardRows(
            values,
            np.full(len(numbers), 50, np.int16),
            np.full(len(numbers), -20, np.float32),
            np.array([self.digest(number) for number in numbers], "S32"),
            np.zeros(len(numbers), np.int16),
            np.zeros(len(numbers), "S8"),
        )
        folder, described = store_folder(self.cache, options), provenance(options)
        path = shard_path(folder, 0)
        write_shard(path, rows, layout=layout_of(options), name=folder.name, described=described)
        return values

    def write_variants(self, copies: int, part=None, failed=(), **changes) -> None:
        """Write variants of every recording, as mels or as ``part``; cells are 1 + variant + number / 100.

        The (number, variant) pairs given failed.
        """
        from ser_pipeline.front_end import aspect_of, layout_of
        from ser_pipeline.options import Augmented
        from ser_pipeline.store import provenance, store_folder
        from ser_pipeline.store.shard import ShardRows, shard_path, write_shard

        made = self.recipe(train={"copies": copies}, **changes)
        options = Augmented(inputs=part or made.front_end, changes=made.augment)
        every = [(number, copy) for number in range(len(self.rows)) for copy in range(1, copies + 1)]
        keys = [key for key in every if key not in failed]
        values = np.empty((len(keys), *layout_of(options).shape), layout_of(options).dtype)
        for place, (number, copy) in enumerate(keys):
            values[place] = 1 + copy + number / 100
        rows = ShardRows(
            values,
            np.full(len(keys), self.front_end.max_frames, np.int16),
            np.full(len(keys), -20, np.float32),
            np.array([self.digest(number) for number, _ in keys], "S32"),
            np.array([copy for _, copy in keys], np.int16),
            np.array([aspect_of(options, "speech")] * len(keys), "S8"),
            tuple((self.digest(number), "too short") for number in sorted({number for number, _ in failed})),
        )
        folder, described = store_folder(self.cache, options), provenance(options)
        path = shard_path(folder, 0)
        write_shard(path, rows, layout=layout_of(options), name=folder.name, described=described)

    def write_store(self, failed=(), missing=()) -> None:
        """Write one shard; rows whose numbers are given failed, or were never computed."""
        from ser_pipeline.front_end import layout_of
        from ser_pipeline.store import provenance, store_folder
        from ser_pipeline.store.shard import ShardRows, shard_path, write_shard

        rng = np.random.default_rng(0)
        kept = [number for number in range(len(self.rows)) if number not in {*failed, *missing}]
        frames = rng.integers(20, self.front_end.max_frames + 1, len(kept))
        values = np.full((len(kept), self.front_end.n_mels, self.front_end.max_frames), -1, np.float16)
        levels = np.array([-20 - 6 * (self.rows[number][0] == "nemo") for number in kept], np.float32)
        for place, number in enumerate(kept):
            clip = rng.normal(-0.4, 0.15, (self.front_end.n_mels, frames[place]))
            band = 2 * self.rows[number][3]
            clip[band : band + 2] += 0.9
            values[place, :, : frames[place]] = np.maximum(clip, -1)
        rows = ShardRows(
            values,
            frames.astype(np.int16),
            levels,
            np.array([self.digest(number) for number in kept], "S32"),
            np.zeros(len(kept), np.int16),
            np.zeros(len(kept), "S8"),
            tuple((self.digest(number), "silent") for number in sorted(failed)),
        )
        for level in ("clip_rms", "none"):
            front_end = self.front_end.model_copy(update={"level": level})
            folder = store_folder(self.cache, front_end)
            described = provenance(front_end)
            write_shard(
                shard_path(folder, 0),
                rows,
                layout=layout_of(front_end),
                name=folder.name,
                described=described,
            )


@pytest.fixture(scope="module")
def small_crnn():
    """A CRNN whose size suits made-up clips: a fiftieth of the weights."""
    from ser_pipeline.models.crnn import CRNN

    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("channels", (8, 8, 16)), ("hidden", 16)):
            patch.setitem(CRNN.__init__.__kwdefaults__, name, size)
        yield


@pytest.fixture(scope="session")
def toy_files(tmp_path_factory) -> Path:
    """The files of made-up clips, written once."""
    return Toy(tmp_path_factory.mktemp("toy")).folder


@pytest.fixture
def toy(tmp_path, toy_files, small_crnn, monkeypatch) -> Toy:
    """Made-up clips to train on."""
    monkeypatch.setattr("ser_pipeline.evaluation.run.REPEATS", 1)  # no test asks how long decisions take
    monkeypatch.setattr("ser_pipeline.evaluation.internals.place", lambda vectors: vectors[:, :2])  # no t-SNE
    shutil.copytree(toy_files, tmp_path, dirs_exist_ok=True)
    return Toy(tmp_path)


@pytest.fixture
def server(monkeypatch):
    """A server on this machine; the tests reach no other."""
    monkeypatch.setenv("NO_PROXY", "*")
    from tests.acquire.http import Server

    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


FAKE = """#!{python}
import json, os, sys, time
if sys.argv[1:] == ["-version"]:
    print("ffmpeg version {version} Copyright")
    sys.exit()
given = sys.argv[sys.argv.index("-i") + 1].removeprefix("file:")
seen = dict(args=sys.argv[1:], given=open(given, "rb").read().hex(), there=os.listdir(), env=[*os.environ])
json.dump(seen, open({seen!r}, "w"))
{action}
"""


@pytest.fixture
def fake_ffmpeg(tmp_path, monkeypatch):
    """Put a program in the place of ffmpeg, which gives samples, or does something else."""

    def make(
        action: str = "", *, wave: np.ndarray | None = None, rate: int = 16_000, version: str = "9.1"
    ) -> Path:
        folder = tmp_path / f"bin{version}-{len(list(tmp_path.glob('bin*')))}"
        folder.mkdir()
        if wave is not None:
            held = io.BytesIO()
            soundfile.write(held, wave, rate, format="WAV", subtype="FLOAT")
            data = bytearray(held.getvalue())
            place = data.index(b"data") + 4
            data[place : place + 4] = b"\xff" * 4  # as ffmpeg leaves it in a pipe
            (folder / "made.wav").write_bytes(data)
            action = f"sys.stdout.buffer.write(open({str(folder / 'made.wav')!r}, 'rb').read())"
        script = folder / "ffmpeg"
        text = {"python": sys.executable, "version": version, "seen": str(folder / "seen.json")}
        script.write_text(FAKE.format(**text, action=action))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return make


@pytest.fixture
def no_ffmpeg(tmp_path, monkeypatch):
    """A machine on which ffmpeg is not installed."""
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))
