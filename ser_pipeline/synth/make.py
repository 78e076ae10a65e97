"""Small synthetic corpora in the official layout and naming of all eight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ser_pipeline.atomic import explained
from ser_pipeline.errors import SettingsError
from ser_pipeline.processes import processes
from ser_pipeline.synth.folders import (
    FOLDERS,
    MARKER,
    STAGING,
    check_replaceable,
    claim,
    files_in,
    is_complete,
    marker_text,
    put_in_place,
    wav_bytes,
)
from ser_pipeline.synth.layouts import MAX_CLIPS_PER_CLASS, PLANS, SIZES, Size, SynthClip, planned
from ser_pipeline.synth.perform import perform
from ser_pipeline.synth.tables import TABLES
from ser_pipeline.synth.voice import ROOMS

if TYPE_CHECKING:
    from joblib import Parallel

DEFAULT_SIZE: Final = "medium"


@dataclass(frozen=True, slots=True)
class SynthSummary:
    """Contents of the folder after :func:`synth`.

    Attributes:
        folder: that holds the corpora.
        clips: corpus id -> recordings.
        speakers: number of different voices (RAVDESS's singers are its speakers).
        kept: ids of corpora that an earlier call had already written with the same settings.
        seconds: length of the recordings made by this call.
    """

    folder: Path
    clips: dict[str, int]
    speakers: int
    kept: tuple[str, ...]
    seconds: float

    @property
    def total(self) -> int:
        """Recordings in all corpora."""
        return sum(self.clips.values())


def plan(
    size: str = DEFAULT_SIZE, clips_per_class: int | None = None, corpora: Sequence[str] = ()
) -> dict[str, tuple[SynthClip, ...]]:
    """Clips that :func:`synth` would make, by corpus.

    Args:
        size: key of :data:`~ser_pipeline.synth.layouts.SIZES`.
        clips_per_class: of each class by each speaker; None takes the size's own.
        corpora: ids; empty means all eight.

    Raises:
        SettingsError: no such size or corpus, or a number of clips that the official names can't hold.
    """
    wanted = _size(size, clips_per_class)
    for name in corpora:
        if name not in PLANS:
            raise SettingsError(f"corpus '{name}' does not exist; valid are {', '.join(PLANS)}")
    return {name: planned(name, wanted) for name in PLANS if not corpora or name in corpora}


def synth(
    folder: Path,
    *,
    seed: int,
    size: str = DEFAULT_SIZE,
    clips_per_class: int | None = None,
    corpora: Sequence[str] = (),
    jobs: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> SynthSummary:
    """Write synthetic corpora below ``folder``.

    The same seed and size give the same bytes, whatever the number of jobs and the choice of
    corpora. A corpus takes its place only when all of it is written; one that already stands
    there with the same settings is kept, so an interrupted call can simply be repeated.

    Args:
        folder: new, empty, or written by an earlier call.
        seed: of all voices and clips, from 0.
        size: ``small`` (212 clips) or ``medium`` (708 clips).
        clips_per_class: of each class by each speaker, 1 to 8; None takes the size's own.
        corpora: ids; empty means all eight.
        jobs: processes that synthesise.
        on_progress: called with the number of clips that were finished since the last call.

    Raises:
        CorpusError: the folder, or a corpus's folder in it, holds something this function did
            not write.
        SerError: the files cannot be written.
        SettingsError: a seed, size, number or corpus that does not exist.
    """
    from joblib import Parallel

    if seed < 0:
        raise SettingsError(f"seed {seed} must be 0 or more")
    clips_of = plan(size, clips_per_class, corpora)
    per_class = _size(size, clips_per_class).clips_per_class
    settings = f"program {_program()}, seed {seed}, size {size}, {per_class} clips per class and speaker"
    report = on_progress or (lambda done: None)
    try:
        with claim(folder):
            for name in clips_of:
                check_replaceable(folder / FOLDERS[name])
            kept = [name for name in clips_of if is_complete(folder / FOLDERS[name], settings)]
            report(sum(len(clips_of[name]) for name in kept))
            with Parallel(n_jobs=processes(jobs), return_as="generator") as pool:
                made = [
                    _write_corpus(folder, name, clips, seed, settings, pool, report)
                    for name, clips in clips_of.items()
                    if name not in kept
                ]
    except OSError as error:
        raise explained(error, Path(error.filename or folder)) from None
    voices = {clip.part.voice for clips in clips_of.values() for clip in clips}
    counts = {name: len(clips) for name, clips in clips_of.items()}
    return SynthSummary(folder, counts, len(voices), tuple(kept), sum(made))


def _program() -> str:
    """Digest of these modules: files written by an older version of them are made again."""
    digest = blake2b(digest_size=6)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _size(name: str, clips_per_class: int | None) -> Size:
    if name not in SIZES:
        raise SettingsError(f"size '{name}' does not exist; valid are {', '.join(SIZES)}")
    if clips_per_class is None:
        return SIZES[name]
    if not 1 <= clips_per_class <= MAX_CLIPS_PER_CLASS:
        raise SettingsError(f"clips per class {clips_per_class}: valid are 1 to {MAX_CLIPS_PER_CLASS}")
    return replace(SIZES[name], clips_per_class=clips_per_class)


def _write_corpus(
    folder: Path,
    corpus: str,
    clips: Sequence[SynthClip],
    seed: int,
    settings: str,
    pool: "Parallel",
    report: Callable[[int], None],
) -> float:
    """Build one corpus beside its place and move it there; returns seconds of audio."""
    from joblib import delayed

    staged = folder / STAGING / FOLDERS[corpus]
    for parent in {clip.path.parent for clip in clips}:
        (staged / parent).mkdir(parents=True, exist_ok=True)
    seconds: list[float] = []
    target = staged.absolute()  # workers stay where the first call of this process was
    for length in pool(delayed(_write_clip)(clip, seed, target) for clip in clips):
        seconds.append(length)
        report(1)
    tables = TABLES[corpus](clips, seconds, seed)
    for name, content in tables.items():
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_bytes(content)
    (staged / MARKER).write_text(marker_text(settings, files_in(staged)), encoding="utf-8", newline="\n")
    put_in_place(staged, folder / FOLDERS[corpus])
    return sum(seconds)


def _write_clip(clip: SynthClip, seed: int, folder: Path) -> float:
    sample_rate = ROOMS[clip.part.corpus].sample_rate
    wave = perform(clip.part, seed)
    (folder / clip.path).write_bytes(wav_bytes(wave, sample_rate))
    return len(wave) / sample_rate
