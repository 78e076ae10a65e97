"""What a run is worth: its scores, what explains it, the report, and predictions."""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ser_pipeline.api.places import CACHE, MANIFESTS, REPORTS, RUNS, OnProgress, Place, check_counts
from ser_pipeline.atomic import check_writable
from ser_pipeline.errors import AudioMissing, ReportError, SettingsError
from ser_pipeline.options import ENSEMBLE, checked
from ser_pipeline.records import PARTS
from ser_pipeline.runs.files import finished_info
from ser_pipeline.runs.find import choose_runs, find_run
from ser_pipeline.runs.findings import findings_in
from ser_pipeline.runs.folder import held

if TYPE_CHECKING:
    from ser_pipeline.api.training import ScoredRun
    from ser_pipeline.report import ReportSummary
    from ser_pipeline.runs.explanation import Explanation, Shares
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.prediction import Prediction, Unusable

Several = list[str] | tuple[str, ...] | Iterable[Path]
"""Recordings; a single text is one of them, not several."""


def evaluate(
    run: Place | None = None,
    *,
    device: str = "auto",
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    runs: Place = RUNS,
) -> "ScoredRun":
    """Predict and score a run again from its network and the store; no audio is read.

    Args:
        run: folder or name; None takes the newest.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        runs: folder of the runs.

    Returns:
        Scores of every part as shares in [0, 1], with intervals over speakers.

    Raises:
        RunError: no such run, or it is incomplete, damaged, or belongs to other recordings; another process
            trains or scores it.
        ManifestError: the manifest is missing or of other recordings; SplitError and StoreMissing alike.
    """
    from ser_pipeline.api.training import ScoredRun, timed
    from ser_pipeline.evaluation.ensemble import score_ensemble
    from ser_pipeline.evaluation.run import evaluate_run

    folder = _found(run, runs)
    with held(folder):
        info = finished_info(folder)
        check_writable(folder)
        score = score_ensemble if info.model == ENSEMBLE else evaluate_run
        scores = score(folder, manifests=Path(manifests), cache=Path(cache), device=device)
        return timed(ScoredRun(folder, info, scores))


def explain(
    run: Place | None = None,
    *,
    part: str = "test",
    repeats: int = 20,
    seed: int = 0,
    device: str = "auto",
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    runs: Place = RUNS,
    on_progress: OnProgress | None = None,
) -> "Explanation | Shares":
    """Say what a run decides by: writes ``explanation.json``, or ``shares.json`` for a run on embeddings.

    Args:
        run: folder or name; None takes the newest.
        part: that importance is measured on: ``train``, ``validation`` or ``test``.
        repeats: permutations of each feature and group of features.
        seed: of permutations and intervals.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        runs: folder of the runs.
        on_progress: called with how many features and groups are permuted, and of how many.

    Returns:
        Of a run on features, importances as losses of UAR, in [-1, 1], and effects as Hedges' g within
        speakers; of a run on embeddings, importances of its inputs, layers and poolings.

    Raises:
        SettingsError: no such part, or a number that is too small.
        RunError: no such run, one of several folds, or one whose model learns from mels.
        ManifestError: the manifest is missing or of other recordings; SplitError and StoreMissing alike.
    """
    from ser_pipeline.evaluation.explain import explain_run

    if part not in PARTS:
        raise SettingsError(f"part '{part}' does not exist; valid are {', '.join(PARTS)}")
    check_counts(1, repeats=repeats)
    check_counts(0, seed=seed)
    done = 0

    def advance(count: int, total: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress(done, total)

    return explain_run(
        _found(run, runs),
        manifests=Path(manifests),
        cache=Path(cache),
        part=part,
        repeats=repeats,
        seed=seed,
        device=device,
        advance=advance,
    )


def make_report(
    chosen: Place | Sequence[Place] = (),
    *,
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    runs: Place = RUNS,
    out: Place = REPORTS,
    png: bool = False,
    pdf: bool = False,
    audio: bool = False,
    data: Place | None = None,
) -> "ReportSummary":
    """Write the report of manifest, runs and experiments; needs no audio and no network.

    Args:
        chosen: run or runs to show, by folder or name, which must be readable; none shows all that are.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        runs: folder of the runs and experiments.
        out: folder to write to.
        png: write each drawing as PNG too.
        pdf: write each drawing as PDF too.
        audio: put the first seconds of each run's most confident mistakes on the page.
        data: folder of the recordings, for ``audio``; by default the one that the manifest was built from.

    Raises:
        ManifestError: the manifest is missing, foreign or broken; SplitError where a run's split is.
        RunError: a chosen run does not exist or cannot be read.
        ReportError: ``out`` is a file; a plain SerError where it cannot be written to.
    """
    from ser_pipeline.report.build import make_report as make

    names = [chosen] if isinstance(chosen, str | PathLike) else chosen
    return make(
        Path(manifests),
        choose_runs(Path(runs), [str(Path(run)) for run in names]),
        Path(out),
        cache=Path(cache),
        experiments=findings_in(Path(runs)),
        strict=bool(names),
        sounds=_sounds(Path(manifests), data) if audio else None,
        also=[suffix for suffix, wanted in (("png", png), ("pdf", pdf)) if wanted],
    )


def _sounds(manifests: Path, data: Place | None) -> Callable[[str], bytes | None]:
    """Excerpts of the recordings of a manifest, by their ids."""
    from ser_pipeline.audio.decode import excerpts
    from ser_pipeline.manifest.read import read_manifest
    from ser_pipeline.manifest.segments import segments_of

    manifest = read_manifest(manifests, ("utterance_id", "path", "start_s", "end_s"))
    folder = manifest.data if data is None else Path(data)
    if not folder.is_dir():
        raise ReportError(f"{folder}: is not a folder; pass the one the manifest was built from with --data")
    ids, paths = (manifest.table[name].to_pylist() for name in ("utterance_id", "path"))
    places = zip(paths, segments_of(manifest.table), strict=True)
    return excerpts(folder, dict(zip(ids, places, strict=True)))


def load_model(source: Place | None = None, *, runs: Place = RUNS) -> "Model":
    """Load a trained model that predicts on recordings.

    Args:
        source: a run, by folder or name, one of its model files, or an ``.onnx`` file of ``ser export``;
            None takes the best run on new people.
        runs: folder of the runs.

    Raises:
        RunError: nothing there, or a file that is damaged, foreign, or does not fit.
        SettingsError: an extra that is not installed.

    Examples:
        >>> load_model("runs/best").predict("a.wav").decision  # doctest: +SKIP
        'anger'
    """
    from ser_pipeline.serving.load import load_model as load

    return load(None if source is None else Path(source), runs=Path(runs))


@overload
def predict(
    recordings: Place | bytes, *, model: "Place | Model | None" = ..., runs: Place = ..., **options: Any
) -> "Prediction": ...


@overload
def predict(
    recordings: Several,
    *,
    model: "Place | Model | None" = ...,
    runs: Place = ...,
    one_speaker: bool = ...,
    **options: Any,
) -> "list[Prediction | Unusable]": ...


def predict(
    recordings: Place | bytes | Several,
    *,
    model: "Place | Model | None" = None,
    runs: Place = RUNS,
    one_speaker: bool = False,
    **options: Any,
) -> "Prediction | list[Prediction | Unusable]":
    """Tell the emotion of recordings, of any format that libsndfile, or ffmpeg where it is installed, reads.

    Args:
        recordings: a file, or the bytes of one, for one prediction; several files, for a list with one
            entry each.
        model: a run, by folder or name, an ``.onnx`` file, or a loaded model; None takes the best run
            on new people.
        runs: folder of the runs.
        one_speaker: several recordings are of one person; for models that normalise by speaker.
        **options: fields of :class:`~ser_pipeline.options.PredictOptions`, as ``abstain=0.5``.

    Raises:
        AudioError: the only recording is not there or cannot be used; of several, one that cannot be used
            is an ``Unusable``.
        TypeError: samples instead of files.
        RunError: no model, or one that needs to know the speaker.
        SettingsError: an option that does not exist, or a value that does not fit.

    Examples:
        >>> predict("a.wav", abstain=0.5).decision  # doctest: +SKIP
        'uncertain'
    """
    from ser_pipeline.options import PredictOptions
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.reading import readable

    how = checked(PredictOptions, options, where="predict")
    loaded = model if isinstance(model, Model) else load_model(model, runs=runs)
    if isinstance(recordings, bytes | bytearray | memoryview):
        return loaded.predict(bytes(recordings), how)
    if isinstance(recordings, str | PathLike):
        if Path(recordings).is_dir():
            inside = f"Path({str(recordings)!r}).rglob('*.wav')"
            raise AudioMissing(f"{recordings or '.'}: is a folder; pass the recordings in it, as in {inside}")
        return loaded.predict(readable(Path(recordings)), how, name=str(recordings))
    several = isinstance(recordings, Iterable) and not hasattr(recordings, "read")
    sources: list[Any] = [*recordings] if several else [recordings]
    if not all(isinstance(each, bytes | str | PathLike) for each in sources):
        raise TypeError(
            "predict() takes files, or the bytes of files; samples are predicted on by "
            "load_model().predict_wave(samples, sample_rate)"
        )
    return list(loaded.predict_many(map(readable, sources), how, one_speaker=one_speaker))


def _found(run: Place | None, runs: Place) -> Path:
    return find_run(None if run is None else Path(run), Path(runs))
