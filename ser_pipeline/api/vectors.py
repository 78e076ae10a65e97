"""One vector for each of some recordings, computed in memory or kept in a feature store."""

import os
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from ser_pipeline.api.places import Place
from ser_pipeline.arrays import Float32s, Floats
from ser_pipeline.atomic import lock_file
from ser_pipeline.encoders import encoder_folders, located
from ser_pipeline.errors import AudioError, AudioMissing, SettingsError, some
from ser_pipeline.front_end import layout_of, row_of_wave, vector_names
from ser_pipeline.manifest.probe import Probe, probe
from ser_pipeline.manifest.read import Manifest
from ser_pipeline.options import (
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    InputOptions,
    SmileOptions,
    checked,
)
from ser_pipeline.processes import processes
from ser_pipeline.records import WINDOW_S
from ser_pipeline.serving.reading import rate_in_hz

if TYPE_CHECKING:
    from ser_pipeline.datasets.layers import LayerRows
    from ser_pipeline.store import Store

VectorKind = Literal["features", "egemaps", "compare", "mels", "embeddings"]

USUAL_POOLING: Final = {"mels": ("mean", "std"), "embeddings": ("mean",)}
"""Statistics of frames or steps that stand for a recording where none are named."""

OWN_ARGUMENTS: Final = ("encoder", "layers", "pooling", "frames")
"""Options of encoders that are not further options: they have arguments of their own, or give no vectors."""

READ_AT_ONCE: Final = 512
"""Rows of a store that are in memory before they are pooled."""

KINDS: Final[Mapping[str, tuple[Any, str]]] = {
    "options": (Mapping, "a mapping, as in {'n_mels': 80}, or None"),
    "cache": ((str, os.PathLike), "a folder, or None"),
    "n_jobs": (Integral, "a whole number, or None"),
    "class_weights": ((bool, np.bool_), "True or False"),
}
"""Types of arguments of estimators that nothing else looks at before they are used, and their names."""

Row = Float32s | AudioError
"""Vector of a recording, or why it has none."""


@dataclass(frozen=True)
class Vectors:
    """What is computed of a recording.

    Attributes:
        kept: what a store of it holds.
        read: the part of it that is wanted: of an encoder, some layers and poolings.
        pooling: statistics of the frames of mels; empty for what is a vector already.
    """

    kept: InputOptions
    read: InputOptions
    pooling: tuple[str, ...] = ()

    @classmethod
    def chosen(
        cls,
        kind: str | None,
        *,
        encoder: str | None,
        layers: Any,
        pooling: Sequence[str] | None,
        options: Mapping[str, Any] | None,
    ) -> Self:
        """What some arguments mean; see :class:`~ser_pipeline.api.estimators.SerFeatures`.

        Raises:
            SettingsError: one that does not fit.
            EncoderError: the encoder is not on this machine.
        """
        kind = kind or ("embeddings" if encoder is not None else "features")
        if kind not in get_args(VectorKind):
            raise SettingsError(f"inputs {kind!r} do not exist; valid are {', '.join(get_args(VectorKind))}")
        for name, value in (("encoder", encoder), ("layers", layers)):
            if value is not None and kind != "embeddings":
                raise SettingsError(f"{name}: has no effect on {kind}; leave it out, or ask for embeddings")
        if pooling is not None and kind not in USUAL_POOLING:
            raise SettingsError(f"pooling: has no effect on {kind}; leave it out")
        values = dict(options or {})
        if wrong := [name for name in OWN_ARGUMENTS if name in values]:
            raise SettingsError(
                f"options.{wrong[0]}: is not a further option; pass encoder, layers or pooling itself"
            )
        if kind != "embeddings":
            made = _options(kind, values)
            return cls(made, made, _pooling(kind, pooling) if kind == "mels" else ())
        asked = checked(EmbeddingOptions, {**values, "encoder": encoder or ""}, where="options")
        kept = located(asked, encoder_folders())[0]
        wanted = {"layers": _layers(layers, kept), "pooling": _pooling(kind, pooling)}
        return cls(kept, kept.model_copy(update=wanted))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns.

        Raises:
            SettingsError: openSMILE, which alone knows its names, is not installed.
        """
        if isinstance(self.read, FrontEnd):
            return tuple(f"mel.{name}.{band}" for name in self.pooling for band in range(self.read.n_mels))
        return vector_names(self.read)

    def of_wave(self, wave: Float32s) -> Float32s:
        """Vector of a mono wave at the rate of these options, rounded as a store rounds it.

        Raises:
            AudioError: it gives none.
        """
        row = row_of_wave(wave, self.read)
        values = np.asarray(row.values, layout_of(self.read).dtype)
        made: Float32s = self.of_rows(values[None], [row.frames])[0]
        return made

    def of_rows(self, values: Floats, frames: Iterable[int]) -> Float32s:
        """Vectors of rows of a store, shape ``(rows, columns)``.

        Args:
            values: shape ``(rows, ...)``.
            frames: of each row that hold sound.
        """
        if not isinstance(self.read, FrontEnd):
            return values.reshape(len(values), -1).astype(np.float32, copy=False)
        pooled = [
            [getattr(np, name)(mel[:, :count].astype(np.float32), axis=1) for name in self.pooling]
            for mel, count in zip(values, frames, strict=True)
        ]
        made: Float32s = np.array(pooled, np.float32).reshape(len(values), -1)
        return made


def _options(kind: str, values: Mapping[str, Any]) -> InputOptions:
    if kind == "mels":
        return checked(FrontEnd, values, where="options").stored
    if kind == "features":
        return checked(FeatureOptions, values, where="options")
    return checked(SmileOptions, {**values, "feature_set": kind}, where="options")


def _pooling(kind: str, asked: Sequence[str] | None) -> tuple[str, ...]:
    given = USUAL_POOLING[kind] if asked is None else asked
    return checked(EmbeddingOptions, {"pooling": given}, where=kind).pooling


def _layers(asked: Any, kept: EmbeddingOptions) -> tuple[int, ...]:
    if asked is None or asked == "middle":
        return kept.middle
    found = checked(EmbeddingOptions, {"layers": asked}, where="embeddings").layers or kept.layers
    if above := [layer for layer in found if layer not in kept.layers]:
        raise SettingsError(f"layer {above[0]}: {kept.name} has layers 0 to {kept.depth}")
    return found


def recordings_in(values: Any) -> list[Path] | None:
    """The paths that a list, an array of one column, or a column of pandas holds; None where it holds none.

    Raises:
        SettingsError: a single path, several columns with texts, or texts among which one is not a path.

    Examples:
        >>> recordings_in(np.array([["a.wav"], ["b.wav"]]))
        [PosixPath('a.wav'), PosixPath('b.wav')]
    """
    if isinstance(values, str | bytes | os.PathLike):
        raise SettingsError(f"one recording is not a list of them; pass [{os.fspath(values)!r}]")
    column = values if isinstance(values, list | tuple) else np.asarray(values)
    if isinstance(column, np.ndarray):
        if column.dtype.kind not in "OUST" or column.ndim == 0:
            return None
        if column.shape[1:] not in ((), (1,)):
            _check_columns(values, column)
            return None
        column = column.reshape(-1)
    cells = [each[0] if isinstance(each, list | tuple) and len(each) == 1 else each for each in column]
    named = [isinstance(each, str | os.PathLike) for each in cells]
    if several := [number for number, each in enumerate(cells) if _texts_in(each)]:
        row = several[0]
        raise SettingsError(
            f"row {row}: {cells[row]!r} is not a path of a recording; give each path its own row"
        )
    if not any(named):
        return None
    if not all(named):
        number = named.index(False)
        raise SettingsError(
            f"row {number}: {cells[number]!r} is not a path of a recording, unlike the others"
        )
    return [Path(each) for each in cells]


def are_recordings(values: Any, features: Any) -> bool:
    """Whether these are paths, or samples as ``features`` with a ``sample_rate`` take them; else vectors."""
    return getattr(features, "sample_rate", None) is not None or recordings_in(values) is not None


def recordings_of(values: Any, sample_rate: float | None, *, finite: bool) -> Sequence[Any]:
    """The paths or samples that were given, one recording each.

    Args:
        values: as :class:`ser_pipeline.SerFeatures` takes them.
        sample_rate: of samples, in Hz; None takes paths alone.
        finite: refuse samples that are not finite.

    Raises:
        SettingsError: neither paths nor samples.
    """
    paths = recordings_in(values)
    if paths is not None:
        return paths
    if sample_rate is None:
        raise SettingsError(why_no_paths(values))
    rate_in_hz(sample_rate)
    rows = values if isinstance(values, list | tuple) else np.asarray(values)
    if isinstance(rows, np.ndarray) and (rows.ndim != 1 or rows.dtype.kind != "O"):
        return [*check_array(values, dtype="numeric", ensure_all_finite=finite)]
    if not len(rows):
        raise SettingsError(why_no_paths(values))
    return [np.asarray(each) for each in rows]  # of any length


def check_kinds(estimator: Any, *names: str) -> None:
    """Refuse arguments of an estimator that are of another type than :data:`KINDS` says.

    Raises:
        SettingsError: names the first.
    """
    for name in names:
        value, (kind, said) = getattr(estimator, name), KINDS[name]
        if not isinstance(value, kind) and (value is not None or "None" not in said):
            raise SettingsError(f"{name}: must be {said} (found {value!r})")


def why_no_paths(values: Any) -> str:
    """What is wrong with what :func:`recordings_in` found no paths in, where no samples are expected."""
    shape = getattr(values, "shape", None)
    if (shape and shape[0] == 0) or (isinstance(values, Sized) and shape is None and not len(values)):
        return "X is empty; pass one recording or more"
    if isinstance(values, Sequence) and (isinstance(values[0], bytes) or not isinstance(values[0], Sized)):
        return f"row 0: {reprlib.repr(values[0])} is not a path of a recording"
    if shape is None and not isinstance(values, Sequence):
        return (
            f"X: pass a list of paths, or an array of samples and their rate (found {type(values).__name__})"
        )
    return "X holds no paths; samples need a rate: SerFeatures(sample_rate=...)"


def _check_columns(values: Any, table: npt.NDArray[Any]) -> None:
    """Refuse a table of texts."""
    if not any(isinstance(each, str | os.PathLike) for each in table.flat):
        return
    names = [*map(str, getattr(values, "columns", ()))]
    said, one = (f" ({some(names)})", f"X[{names[0]!r}]") if names else ("", "X[:, 0]")
    raise SettingsError(f"X has {table.shape[1]} columns{said}; pass the one with the paths, as in {one}")


def _texts_in(cell: Any) -> bool:
    return isinstance(cell, list | tuple) and any(isinstance(each, str | os.PathLike) for each in cell)


def computed(
    recordings: Sequence[Path] | Sequence[Floats],
    vectors: Vectors,
    sample_rate: float | None,
    cache: Place | None,
    jobs: int | None,
) -> Iterator[Row]:
    """Vectors of recordings, one after another.

    Args:
        recordings: paths, or mono samples of shape ``(samples,)`` each.
        vectors: what is computed.
        sample_rate: of samples, in Hz.
        cache: folder of the stores that paths are looked up in; None computes all.
        jobs: as of scikit-learn.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    workers = processes(effective_n_jobs(jobs))
    paths = [each for each in recordings if isinstance(each, Path)]
    if cache is not None and paths:
        yield from _kept(paths, vectors, Path(cache), workers)
    elif workers == 1 or len(recordings) == 1:
        yield from (_row(each, vectors, sample_rate) for each in recordings)
    else:
        each = Parallel(workers, return_as="generator")
        # workers stay where the first call of this process was
        given = (place.absolute() if isinstance(place, Path) else place for place in recordings)
        yield from each(delayed(_row)(recording, vectors, sample_rate) for recording in given)


def _row(recording: Path | Floats, vectors: Vectors, sample_rate: float | None) -> Row:
    from ser_pipeline.audio import decode_file
    from ser_pipeline.serving.reading import mono

    rate = vectors.read.sample_rate
    try:
        if isinstance(recording, Path):
            return vectors.of_wave(decode_file(recording, rate))
        return vectors.of_wave(mono(recording, sample_rate or 0, rate, name="samples", max_s=WINDOW_S))
    except AudioError as error:
        return error


def _kept(paths: Sequence[Path], vectors: Vectors, cache: Path, jobs: int) -> list[Row]:
    """Vectors from the store of these options, once it has been asked for all of the recordings."""
    found = [_probed(path) for path in paths]
    known = {path: each for path, each in zip(paths, found, strict=True) if not isinstance(each, AudioError)}
    rows = _built(known, vectors, cache, jobs) if known else {}
    return [each if isinstance(each, AudioError) else rows[each.digest] for each in found]


def _built(known: Mapping[Path, Probe], vectors: Vectors, cache: Path, jobs: int) -> dict[str, Row]:
    """Digest -> vector; processes that ask for the same store at once, as those of a search, wait in turn."""
    from ser_pipeline.store import build_store, open_store, store_folder

    listed, digests = _listed(known), {str(path.absolute()): each.digest for path, each in known.items()}
    there = build_store(listed, Path(), cache, vectors.kept, dry_run=True)
    lacking = there.present + len(there.failures) < there.wanted
    lock = store_folder(cache, vectors.kept) / "vectors.lock"
    with lock_file(lock, None) if lacking else nullcontext():  # a complete cache may be read-only
        built = build_store(listed, Path(), cache, vectors.kept, jobs=jobs)
        rows: dict[str, Row] = {digests[each.path]: AudioError(each.reason) for each in built.failures}
        left = [digest for digest in dict.fromkeys(digests.values()) if digest not in rows]
        if left:
            rows |= zip(left, _stored(open_store(cache, vectors.kept), left, vectors), strict=True)
    return rows


def _probed(path: Path) -> Probe | AudioError:
    """Digest and length of a recording, or why it has none."""
    if not path.exists():
        return AudioMissing(f"{path.name}: cannot be read: No such file or directory")
    found = probe(str(path))
    return found if found.problem is None else AudioError(f"{path.name}: {found.problem}")


def _listed(known: Mapping[Path, Probe]) -> Manifest:
    """As much of a manifest as a store is built from."""
    import pyarrow as pa

    columns = {
        "path": [str(path.absolute()) for path in known],
        "audio_digest": [each.digest for each in known.values()],
        "duration_s": [each.duration_s for each in known.values()],
        "modality": ["speech"] * len(known),
    }
    return Manifest(pa.table(columns), "", Path(), {})


def _stored(store: "Store", digests: Sequence[str], vectors: Vectors) -> Iterator[Float32s]:
    rows = store if not isinstance(vectors.read, EmbeddingOptions) else _of_layers(store, vectors.read)
    positions = rows.rows(digests)
    for start in range(0, len(positions), READ_AT_ONCE):
        values, frames, _ = rows.read(positions[start : start + READ_AT_ONCE])
        yield from vectors.of_rows(values, frames.tolist())


def _of_layers(store: "Store", chosen: EmbeddingOptions) -> "LayerRows":
    from ser_pipeline.datasets.layers import LayerRows  # loads torch

    return LayerRows(store, chosen)
