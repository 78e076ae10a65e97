"""Keep the steps of a few recordings beside a store, for who wants to see what the front end does."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio import prepare, read_recording, spectral_gate
from ser_pipeline.errors import AudioError, StoreCorrupt
from ser_pipeline.front_end.mels import mel_of_wave
from ser_pipeline.settings import FrontEnd, StoreOptions
from ser_pipeline.steps import ClipSteps, outline, read_steps, write_steps
from ser_pipeline.store.index import read_index
from ser_pipeline.store.read import store_folder

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

MOST: Final = 4
"""Recordings whose steps are kept, each of another corpus."""


def keep_steps(manifest: "Manifest", data: Path, cache: Path, options: StoreOptions) -> int:
    """Write ``steps.parquet`` beside a store of mels, unless it is there for the same recordings.

    The recordings are chosen by the manifest alone: of each of the first :data:`MOST` corpora the one of
    median length. A recording that cannot be used is left out; the store names it anyway.

    Args:
        manifest: whose recordings the store holds.
        data: folder its paths are relative to.
        cache: folder of all stores.
        options: of the store; other kinds than mels have no steps.

    Returns:
        Recordings whose steps are kept; 0 where the store does not hold them.
    """
    folder = store_folder(cache, options)
    if not isinstance(options, FrontEnd) or not folder.is_dir():
        return 0
    rows = read_index(folder, write=False).keys()
    held = {digest for digest, _, _ in rows}
    chosen = [row for row in _chosen(manifest) if row[2] in held]
    if [clip.audio_digest for clip in _there(folder)] == [digest for _, _, digest in chosen]:
        return len(chosen)
    clips = []
    for name, path, digest in chosen:
        try:
            recording = read_recording(data / path, options.sample_rate)
            if recording.digest == digest:
                clips.append(_steps(name, digest, recording.wave, options))
        except AudioError:
            continue
    if clips:
        write_steps(folder, clips)
    return len(clips)


def _there(folder: Path) -> list[ClipSteps]:
    try:
        return read_steps(folder)
    except StoreCorrupt:
        return []  # it is written anew


def _chosen(manifest: "Manifest") -> list[tuple[str, str, str]]:
    """Utterance, path and digest of the recording of median length of each of the first corpora."""
    columns = ("corpus", "duration_s", "utterance_id", "path", "audio_digest")
    by_corpus: dict[str, list[tuple[float, str, str, str]]] = {}
    for corpus, seconds, name, path, digest in zip(
        *(manifest.table[column].to_pylist() for column in columns), strict=True
    ):
        by_corpus.setdefault(corpus, []).append((seconds, name, path, digest))
    chosen = []
    for corpus in sorted(by_corpus)[:MOST]:
        rows = sorted(by_corpus[corpus])
        _, name, path, digest = rows[len(rows) // 2]
        chosen.append((name, path, digest))
    return chosen


def _steps(name: str, digest: str, wave: npt.NDArray[np.float32], options: FrontEnd) -> ClipSteps:
    rate = options.sample_rate
    gated = wave
    if options.denoise != "none":
        reference = options.denoise == "reference"
        gated = spectral_gate(wave, rate, prop_decrease=options.prop_decrease, reference=reference)
    prepared, row = prepare(wave, options), mel_of_wave(wave, options)
    start, end = prepared.span
    return ClipSteps(
        utterance_id=name,
        audio_digest=digest,
        seconds=wave.size / rate,
        trim_start_s=start / rate,
        trim_end_s=end / rate,
        level_db=prepared.level_db,
        decoded=outline(wave),
        denoised=outline(gated),
        levelled=outline(prepared.wave),
        frame_s=options.hop_length / rate,
        mel=row.values[:, : row.frames],
    )
