"""How long whole commands take, start-up included, and other work that is waited for at a keyboard."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

import ser_pipeline
from ser_pipeline.audio import decode_file
from ser_pipeline.benchmarks.measure import Measurement, paired, seconds, spent
from ser_pipeline.benchmarks.plain import plain_store
from ser_pipeline.errors import SerError
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.manifest import Manifest
from ser_pipeline.options import FeatureOptions, FrontEnd, PredictOptions

ROUNDS: Final = 3

MANY: Final = 640
"""Recordings of what is too short on few."""

MOST: Final = 2_000
"""Recordings that a command is measured on, of all there are."""

RUNS: Final = 10
"""Runs on a page of the report."""


def command_figures(whole: Manifest, some: Manifest, data: Path, work: Path) -> Iterator[Measurement]:
    """The help, and mels by the command itself of up to 2,000 recordings, against the plain pipeline's rate.

    Args:
        whole: manifest of all recordings, in its folder.
        some: of those that the plain pipeline computes.
        data: folder its paths are relative to.
        work: folder to write to.
    """
    helped = median(spent("--help") for _ in range(ROUNDS))
    note = "processor time of the whole process; at most 0.4 s, goal 0.25 s"
    yield Measurement("ser --help", helped, "s", note=note)
    paths = [data / path for path in some.table["path"].to_pylist()]
    plain_store(paths[:2], work / "plain.h5", FrontEnd())  # loads and compiles what librosa needs
    plain = seconds(partial(plain_store, paths, work / "plain.h5", FrontEnd()), time.process_time)
    places = ("--manifests", whole.path.parent, "--data", data, "--cache", work / "command")
    own = spent("cache", "mels", *places, "--limit", MOST)
    clips = min(MOST, whole.table.num_rows)
    yield Measurement(
        "ser cache mels, one job", clips / own, "clips/s", "plain pipeline", len(paths) / plain, 8.0, 10.0,
        f"{clips} clips in {own:.1f} s, the plain pipeline on {len(paths)} of them; processor time",
    )  # fmt: skip


def first_figure(manifest: Manifest, data: Path, work: Path) -> Measurement:
    """Seconds until the mels and features of one recording are there, where nothing is compiled yet.

    Args:
        manifest: whose first recording is taken.
        data: folder its paths are relative to.
        work: folder that the package is copied to, since machine code is kept beside it.
    """
    package = Path(ser_pipeline.__file__).parent
    shutil.copytree(package, work / "fresh" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys\nfrom pathlib import Path\nfrom ser_pipeline.audio import decode_file\n"
        "from ser_pipeline.front_end import row_of_wave\n"
        "from ser_pipeline.options import FeatureOptions, FrontEnd\n"
        "for each in (FrontEnd(), FeatureOptions()):\n"
        "    row_of_wave(decode_file(Path(sys.argv[1]), each.sample_rate), each)"
    )
    own = {**os.environ, "PYTHONPATH": str(work / "fresh"), "NUMBA_CACHE_DIR": str(work / "fresh" / "code")}
    path = data / manifest.table["path"][0].as_py()
    words = [sys.executable, "-c", code, str(path.resolve())]
    took = seconds(lambda: subprocess.run(words, check=True, capture_output=True, env=own, cwd=work))
    note = "by the clock, everything compiled and no byte code either; at most 15 s, goal 5 s"
    return Measurement("first mels and features, nothing compiled", took, "s", note=note)


def penalty_figure(manifest: Manifest, data: Path) -> Measurement:
    """How fast an svm's penalty is chosen on features of real clips, against logistic regression's.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
    """
    from ser_pipeline.models.estimators import CANDIDATES, folds_by, make_estimator

    _, targets = np.unique(manifest.table["emotion_id"].to_numpy(), return_inverse=True)
    often = np.isin(targets, np.argsort(-np.bincount(targets), kind="stable")[:4])
    options = FeatureOptions()
    paths = np.array(manifest.table["path"].to_pylist())[often]
    rows = [row_of_wave(decode_file(data / path, options.sample_rate), options).values for path in paths]
    values = np.stack(rows).astype(np.float32).reshape(len(paths), -1)
    values = (values - values.mean(0)) / np.maximum(values.std(0), 1e-6)
    speakers = manifest.table["speaker_id"].to_numpy()[often]

    def choose(name: str) -> None:
        folds = folds_by(targets[often], speakers, 0) if name == "svm" else None
        for c in CANDIDATES[name]:
            make_estimator(name, c, balanced=True, seed=0, splits=folds).fit(values, targets[often])

    own, other = paired(partial(choose, "svm"), partial(choose, "logreg"), ROUNDS, time.process_time)
    note = f"{len(paths)} clips of four emotions, {values.shape[1]} features, processor time"
    return Measurement("choice of the svm's penalty", 1 / own, "1/s", "logreg's", 1 / other, 1.0, 1.0, note)


def archive_figure(manifest: Manifest, data: Path, work: Path) -> Measurement:
    """Recordings a second that two jobs of ``ser predict FOLDER --out`` judge, against one.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
        work: folder to write to.
    """
    from ser_pipeline.serving.archive import ArchiveClip, predict_archive
    from ser_pipeline.serving.load import BUILT_IN

    clips = [ArchiveClip.of(data / path) for path in manifest.table["path"].to_pylist()]

    def judge(jobs: int) -> None:
        out = work / f"jobs{jobs}.parquet"
        out.unlink(missing_ok=True)
        predict_archive(BUILT_IN, clips, out, PredictOptions(), jobs=jobs)

    two, one = paired(partial(judge, 2), partial(judge, 1), ROUNDS)
    note = f"{len(clips)} recordings, the built-in model, warm workers, by the clock"
    work_done = len(clips) / two
    return Measurement(
        "ser predict FOLDER, two jobs", work_done, "clips/s", "one job", len(clips) / one, 1.7, 1.9, note
    )


def report_figure(manifests: Path, cache: Path, work: Path) -> Measurement:
    """Seconds of a report page of ten runs: copies of one, trained on the features that are cached.

    Args:
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        work: folder to write to.
    """
    from ser_pipeline.api import make_report, train
    from ser_pipeline.runs.files import write_info

    runs, out = work / "runs", work / "report"
    try:
        first = train("logreg", settings=None, manifests=manifests, cache=cache, runs=runs, name="run-0")
    except SerError as error:
        return Measurement("report of ten runs, left out", 0.0, "s", note=str(error))
    for number in range(1, RUNS):
        folder = Path(shutil.copytree(first.folder, runs / f"run-{number}"))
        write_info(folder, first.info.model_copy(update={"name": folder.name}))
    report = partial(make_report, manifests=manifests, cache=cache, runs=runs, out=out)
    took = median(seconds(report, time.process_time) for _ in range(ROUNDS))
    size = (out / "report.html").stat().st_size / 1e6
    note = f"processor time, {size:.1f} MB; at most 15 s, goal 8 s"
    return Measurement(f"report of {RUNS} runs", took, "s", note=note)
