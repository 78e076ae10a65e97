"""Test decisions of runs, joined with who said each clip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ser_pipeline.evaluation.predictions import read_predictions
from ser_pipeline.manifest import Manifest
from ser_pipeline.metrics import speaker_confusions
from ser_pipeline.results import RunInfo, read_result

Names = npt.NDArray[np.str_]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decided:
    """What a run said of its test clips.

    Attributes:
        clips: utterance ids, sorted, shape ``(clips,)``.
        target: true class numbers, shape ``(clips,)``.
        predicted: decided class numbers, shape ``(clips,)``.
        emotions: class names.
    """

    clips: Names
    target: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    emotions: tuple[str, ...]


def read_decided(folder: Path) -> Decided:
    """Read the test decisions of a run.

    Raises:
        RunError: its result files are missing or damaged.
    """
    emotions = read_result(RunInfo, folder / "settings.json").emotions
    table = read_predictions(folder, emotions)
    rows = table.filter(pc.equal(table["part"], "test")).sort_by("utterance_id")
    return Decided(
        clips=np.asarray(rows["utterance_id"].to_pylist(), np.str_),
        target=rows["target"].to_numpy().astype(np.int64),
        predicted=rows["predicted"].to_numpy().astype(np.int64),
        emotions=emotions,
    )


@dataclass
class RunDecisions:
    """Test decisions of runs by key, read once.

    Attributes:
        folder: of the run of a key.
        manifest: of the recordings.
    """

    folder: Callable[[str], Path]
    manifest: Manifest
    _read: dict[str, Decided] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort what is looked up by utterance."""
        table = self.manifest.table.select(["utterance_id", "speaker_id", "corpus", "language"])
        table = table.sort_by("utterance_id")
        self._facts = {
            name: np.asarray(table[name].to_numpy(zero_copy_only=False), np.str_)
            for name in table.column_names
        }

    def of(self, key: str) -> Decided:
        """RunDecisions of a run that is scored."""
        if key not in self._read:
            self._read[key] = read_decided(self.folder(key))
        return self._read[key]

    def fact(self, clips: Names, name: str) -> Names:
        """``speaker_id``, ``corpus`` or ``language`` of some clips, shape ``(clips,)``."""
        values: Names = self._facts[name][np.searchsorted(self._facts["utterance_id"], clips)]
        return values

    def common(
        self, keys: Sequence[str], *, corpora: Sequence[str] = (), languages: Sequence[str] = ()
    ) -> Names:
        """Clips that every one of some runs was tested on.

        Args:
            keys: of runs that are scored.
            corpora: only clips of these; none takes all.
            languages: only clips of these; ``en`` takes ``en-US`` too.
        """
        clips = self.of(keys[0]).clips
        for key in keys[1:]:
            clips = np.intersect1d(clips, self.of(key).clips, assume_unique=True)
        if corpora:
            clips = clips[np.isin(self.fact(clips, "corpus"), list(corpora))]
        if languages:
            tags = self.fact(clips, "language")
            base = np.char.partition(tags, "-")[:, 0] if len(tags) else tags
            clips = clips[np.isin(tags, list(languages)) | np.isin(base, list(languages))]
        return clips

    def counts(self, keys: Sequence[str], clips: Names) -> Counts:
        """Count decisions on some clips by speaker.

        Args:
            keys: of the seeds of an arm.
            clips: that all of them were tested on, sorted.

        Returns:
            Shape ``(seeds, speakers, classes, classes)``, speakers sorted by name.
        """
        speakers, found = self.fact(clips, "speaker_id"), []
        for key in keys:
            tested = self.of(key)
            place = np.searchsorted(tested.clips, clips)
            classes = len(tested.emotions)
            found.append(
                speaker_confusions(tested.target[place], tested.predicted[place], speakers, classes)[0]
            )
        return np.stack(found)
