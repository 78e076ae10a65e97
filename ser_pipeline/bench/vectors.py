"""How fast the named features are, against openSMILE and against librosa's own numbers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ser_pipeline.audio import decode_file
from ser_pipeline.bench.measure import Figure, paired
from ser_pipeline.bench.plain import plain_features
from ser_pipeline.errors import SettingsError
from ser_pipeline.front_end.rows import row_of_wave
from ser_pipeline.manifest import Manifest
from ser_pipeline.settings import FeatureOptions, InputOptions, SmileOptions

ROUNDS = 3
WORK = "253 features"


def feature_figures(manifest: Manifest, data: Path) -> Iterator[Figure]:
    """Clips a second from file to features, on one thread, in processor time.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
    """
    paths = [data / path for path in manifest.table["path"].to_pylist()]
    clips, sound_s = len(paths), sum(manifest.table["duration_s"].to_pylist())
    own = _each(paths, FeatureOptions())
    smile = _each(paths, SmileOptions(feature_set="egemaps"))

    def librosas() -> None:
        for path in paths:
            plain_features(path, FeatureOptions().sample_rate)

    for reference, floor, goal, other in (
        ("openSMILE eGeMAPS (88 numbers)", 1.0, 2.5, smile),
        ("librosa (183 numbers)", None, None, librosas),
    ):
        try:
            mine, theirs = paired(own, other, ROUNDS, time.process_time)
        except SettingsError as error:
            yield Figure(f"{WORK}, {reference} left out", 0.0, "clips/s", note=str(error))
            continue
        note = f"{clips} clips, processor time, {sound_s / mine:.0f} x real time; {_stages(paths, mine)}"
        yield Figure(WORK, clips / mine, "clips/s", reference, clips / theirs, floor, goal, note)


def _each(paths: list[Path], options: InputOptions) -> Callable[[], None]:
    def work() -> None:
        for path in paths:
            row_of_wave(decode_file(path, options.sample_rate), options)

    return work


def _stages(paths: list[Path], total_s: float) -> str:
    """Milliseconds a clip of decoding, and of all that comes after it."""
    start = time.process_time()
    for path in paths:
        decode_file(path, FeatureOptions().sample_rate)
    decoding = 1000 * (time.process_time() - start) / len(paths)
    rest = max(0.0, 1000 * total_s / len(paths) - decoding)
    return f"decode and resample {decoding:.2f} ms, trim and features {rest:.2f} ms"
