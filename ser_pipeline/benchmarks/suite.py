"""All benches by name, run one after another on the same clips."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ser_pipeline.api.places import SETTINGS_FILE
from ser_pipeline.benchmarks import caching, commands, learning, measure, predicting, scale, workers
from ser_pipeline.benchmarks.measure import Measurement
from ser_pipeline.errors import SettingsError
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.options import FrontEnd
from ser_pipeline.options.made import chosen_recipe
from ser_pipeline.store import open_store

NAMED: Final = frozenset({"gpu", "scale"})
"""Benches that run only when they are named, for they take half an hour or want a graphics card. They read no
recordings."""

SECONDS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "mels": (0, 2.9), "mels-noisy": (0, 0.9), "workers": (590, 0), "memory": (70, 0),
        "features": (0, 3.6), "complete": (26, 0), "manifest": (15, 0), "scale": (1800, 0),
    }
)  # fmt: skip
"""Seconds that a bench takes, and seconds for each clip, on two busy cores; others are not counted."""


def bench_seconds(names: list[str], clips: int) -> float:
    """Seconds that benches should take; empty ``names`` are those of :func:`run_benches`."""
    parts = [SECONDS.get(name, (0, 0)) for name in chosen(names)]
    return sum(fixed + clips * each for fixed, each in parts)


def chosen(names: list[str]) -> list[str]:
    """The benches that run: those named, or all that are not :data:`NAMED`."""
    return names or [name for name in BENCHES if name not in NAMED]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the benches work on.

    Attributes:
        manifest: of the sampled clips.
        whole: manifest they were sampled from.
        data: folder its paths are relative to.
        work: folder to write to.
        cache: folder of stores that are there already.
        device: to compute on, where a bench can.
    """

    manifest: Manifest
    whole: Manifest
    data: Path
    work: Path
    cache: Path
    device: str


def _mels(setting: Setting) -> Iterator[Measurement]:
    yield from caching.against_plain(
        setting.manifest, setting.data, setting.work, FrontEnd(), "noise reduced", (10.0, 16.0)
    )


def _mels_noisy(setting: Setting) -> Iterator[Measurement]:
    front_end = FrontEnd(denoise="none")
    yield from caching.against_plain(
        setting.manifest, setting.data, setting.work, front_end, "noise kept", (1.6, 2.5)
    )


def _workers(setting: Setting) -> Iterator[Measurement]:
    clips = max(setting.manifest.table.num_rows, workers.LEAST_CLIPS)
    manifest = caching.sampled(setting.whole, clips)
    yield from workers.worker_figures(manifest, setting.data, setting.work, FrontEnd())


def _memory(setting: Setting) -> Iterator[Measurement]:
    manifest = caching.sampled(setting.whole, measure.SHARD_CLIPS)
    yield from measure.memory_figures(manifest, setting.data, setting.work, FrontEnd())


def _features(setting: Setting) -> Iterator[Measurement]:
    yield from caching.feature_figures(setting.manifest, setting.data)


def _embeddings(setting: Setting) -> Iterator[Measurement]:
    from ser_pipeline.benchmarks import embeddings  # loads torch

    clips = caching.sampled(setting.manifest, embeddings.CLIPS)
    yield from embeddings.embedding_figures(clips, setting.data, setting.work)


def _complete(setting: Setting) -> Iterator[Measurement]:
    yield caching.complete(setting.work, FrontEnd())


def _read(setting: Setting) -> Iterator[Measurement]:
    yield caching.shuffled_batches(setting.manifest, setting.data, setting.work, FrontEnd(denoise="none"))


def _manifest(setting: Setting) -> Iterator[Measurement]:
    yield from caching.manifest_figures(setting.data, setting.work)


def _train(setting: Setting) -> Iterator[Measurement]:
    from ser_pipeline.store import build_store

    front_end = FrontEnd(denoise="none")
    build_store(setting.manifest, setting.data, setting.work / "read", front_end)
    store = open_store(setting.work / "read", front_end)
    _, frames, _ = store.read(range(min(len(store), learning.BATCH)))
    yield from learning.training_steps(frames)


def _many(setting: Setting) -> Manifest:
    return caching.sampled(setting.whole, commands.MANY)


def _gpu(setting: Setting) -> Iterator[Measurement]:
    from ser_pipeline.benchmarks.cards import card_figures  # loads torch

    recipe = chosen_recipe("crnn", settings=SETTINGS_FILE)
    yield from card_figures(recipe, setting.whole.path.parent, setting.cache, setting.work, setting.device)


BENCHES: Final[Mapping[str, Callable[[Setting], Iterator[Measurement]]]] = MappingProxyType(
    {
        "mels": _mels,
        "mels-noisy": _mels_noisy,
        "workers": _workers,
        "memory": _memory,
        "features": _features,
        "embeddings": _embeddings,
        "complete": _complete,
        "read": _read,
        "layouts": lambda s: workers.layouts(s.manifest, s.data, s.work, FrontEnd()),
        "manifest": _manifest,
        "train": _train,
        "predict": lambda s: predicting.predict_figures(s.manifest, s.data),
        "commands": lambda s: commands.command_figures(s.whole, s.manifest, s.data, s.work),
        "first": lambda s: iter([commands.first_figure(s.manifest, s.data, s.work)]),
        "penalty": lambda s: iter([commands.penalty_figure(_many(s), s.data)]),
        "archive": lambda s: iter([commands.archive_figure(_many(s), s.data, s.work)]),
        "report": lambda s: iter([commands.report_figure(s.whole.path.parent, s.cache, s.work)]),
        "scale": lambda s: scale.figures(s.work),
        "gpu": _gpu,
    }
)
"""Benches by name, in the order they run."""


def run_benches(
    manifests: Path,
    data: Path,
    names: list[str],
    clips: int,
    *,
    cache: Path = Path("cache"),
    device: str = "auto",
) -> Iterator[Measurement]:
    """Run benches and give each figure as soon as it is measured.

    Args:
        manifests: folder of the manifest.
        data: folder its paths are relative to.
        names: which benches; empty runs all.
        clips: recordings to work on, chosen at random.
        cache: folder of the stores that are there already.
        device: to compute on, where a bench can.

    Raises:
        SettingsError: no such bench, or fewer than 40 recordings.
    """
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SettingsError(f"bench '{unknown[0]}' does not exist; valid are {', '.join(BENCHES)}")
    if not data.is_dir() and not NAMED.issuperset(names or BENCHES):
        raise SettingsError(
            f"{data}: is not a folder; pass the folder the manifest was built from with --data"
        )
    whole = read_manifest(manifests)
    manifest = caching.sampled(whole, clips)
    if manifest.table.num_rows < learning.BATCH:
        raise SettingsError(f"{manifests}: {manifest.table.num_rows} recordings; benches need 40 or more")
    with tempfile.TemporaryDirectory(prefix="ser-bench-") as folder:
        setting = Setting(manifest, whole, data, Path(folder), cache, device)
        for name in chosen(names):
            yield from BENCHES[name](setting)
