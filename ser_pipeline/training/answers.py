"""What teachers said of recordings, in ``cache/teachers``: one file for each teacher and way of asking it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Float32s, Strings
from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import RunError
from ser_pipeline.runs.files import read_info, read_table
from ser_pipeline.runs.find import list_runs
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.store.maintenance import Garbage
from ser_pipeline.store.status import StoreStatus

FOLDER: Final = "teachers"
"""Of the answers, in the folder of the stores."""

COLUMNS: Final = ("audio_digest", "logits", "embedding")
"""Of a file of answers."""

REMEDY: Final = "delete it, and the teacher is asked again"


@dataclass(frozen=True)
class Answers:
    """What a teacher says of recordings.

    Attributes:
        digests: of the recordings' bytes.
        logits: shape ``(recordings, classes)``.
        embeddings: shape ``(recordings, d)``; of no numbers where they are not wanted.
    """

    digests: tuple[str, ...]
    logits: Float32s
    embeddings: Float32s

    def joined(self, others: "Answers") -> "Answers":
        """These recordings, and others after them."""
        return Answers(
            self.digests + others.digests,
            np.concatenate([self.logits, others.logits]),
            np.concatenate([self.embeddings, others.embeddings]),
        )

    def of(self, digests: Strings) -> tuple[Float32s, Float32s]:
        """Class scores and embeddings of recordings, NaN for those that are not here."""
        place = {digest: number for number, digest in enumerate(self.digests)}
        rows = np.array([place.get(digest, len(place)) for digest in digests.tolist()], np.int64)
        logits, embeddings = (
            np.concatenate([values, np.full((1, values.shape[1]), np.nan, np.float32)])
            for values in (self.logits, self.embeddings)
        )
        return logits[rows], embeddings[rows]


def answers_path(cache: Path, digest: str) -> Path:
    """File of what a teacher said.

    Args:
        cache: folder of the stores.
        digest: of the teacher and of how it is asked.
    """
    return cache / FOLDER / f"{digest}.parquet"


def read_answers(path: Path, classes: int) -> Answers | None:
    """Read what a teacher said; None where it was not asked yet.

    Args:
        path: of the file.
        classes: that it tells apart.

    Raises:
        RunError: the file is damaged, or holds something else.
    """
    if not path.exists():
        return None
    table = read_table(path, remedy=REMEDY)
    if table.schema.names != list(COLUMNS) or not table.num_rows:
        raise RunError(f"{path}: does not hold a teacher's answers; {REMEDY}")
    digests = tuple(table["audio_digest"].to_pylist())
    logits, embeddings = (_matrix(table[name]) for name in COLUMNS[1:])
    if logits.shape[1] != classes:
        raise RunError(f"{path}: holds {logits.shape[1]} scores a clip, not one for each class; {REMEDY}")
    return Answers(digests, logits, embeddings)


def write_answers(path: Path, known: Answers) -> None:
    """Keep what a teacher said.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    columns = (pa.array(known.digests, pa.string()), *map(_rows, (known.logits, known.embeddings)))
    write_parquet(path, pa.table(dict(zip(COLUMNS, columns, strict=True))))


def answers_status(cache: Path, runs: Path) -> list[StoreStatus]:
    """Describe every file of answers.

    Args:
        cache: folder of the stores.
        runs: folder of the runs that may have learned from them.

    Raises:
        RunError: ``runs`` cannot be listed.
    """
    taught, unread = _taught(runs)
    return [_status(path, taught.get(path.stem), unread) for path in _files(cache)]


def unused_answers(cache: Path, runs: Path) -> list[Garbage]:
    """Files of answers that no run learned from; none while a run's settings cannot be read.

    Args:
        cache: folder of the stores.
        runs: folder of the runs.

    Raises:
        RunError: ``runs`` cannot be listed.
    """
    taught, unread = _taught(runs)
    unused = [] if unread else [path for path in _files(cache) if path.stem not in taught]
    return [
        Garbage(path, f"no run in {runs} learned from this teacher", path.stat().st_size) for path in unused
    ]


def _files(cache: Path) -> Iterator[Path]:
    yield from sorted((cache / FOLDER).glob("*.parquet"))


def _taught(runs: Path) -> tuple[dict[str, str], bool]:
    """What each teacher is that a run learned from, by digest; and whether some run cannot be read."""
    there, taught, unread = list_runs(runs), dict[str, str](), False
    for found in there.read:
        for folder in (found.folder, *fold_folders(found.folder).values()):
            try:
                teacher = read_info(folder).teacher
            except RunError:
                unread = True
                continue
            if teacher is not None:
                taught[teacher.digest] = teacher.what
    return taught, unread or bool(there.unread)


def _status(path: Path, what: str | None, unread: bool) -> StoreStatus:
    try:
        rows, state = read_table(path, remedy=REMEDY, columns=[COLUMNS[0]]).num_rows, "current"
    except RunError:
        rows, state = 0, "damaged: cannot be read"
    if what is None and state == "current" and not unread:
        state = "unused: no run learned from it"
    return StoreStatus(
        folder=path.with_suffix(""),
        kind=FOLDER,
        preset=what or "unknown",
        rows=rows,
        failed=0,
        missing=None,
        foreign=None,
        size_bytes=path.stat().st_size,
        state=state,
    )


def _matrix(column: pa.ChunkedArray) -> Float32s:
    """Lists of equal length as rows."""
    flat: Float32s = pc.list_flatten(column).to_numpy().astype(np.float32)
    return flat.reshape(len(column), len(flat) // len(column))


def _rows(values: Float32s) -> pa.Array:
    """Rows as lists of equal length, of which 400,000 of openSMILE's have more numbers than 32 bits count."""
    starts = np.arange(len(values) + 1, dtype=np.int64) * values.shape[1]
    return pa.LargeListArray.from_arrays(starts, pa.array(values.ravel(), pa.float32()))
