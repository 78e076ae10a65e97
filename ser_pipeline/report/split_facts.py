"""What a split really holds, and whether people or recordings stand on two sides of it."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.records import PARTS
from ser_pipeline.report.cells import plural
from ser_pipeline.report.sources import Data, SplitFile


@dataclass(frozen=True)
class Share:
    """Clips and people of one part, or of one fold."""

    clips: int
    speakers: int


@dataclass(frozen=True)
class SplitFacts:
    """A split, counted and checked.

    Attributes:
        split: the file.
        parts: part -> its size; of a split with folds ``test`` alone.
        folds: size of each fold's test clips; empty where there are none.
        corpora: corpus -> part -> clips; empty for a split with folds.
        shared_speakers: people with clips on more than one side.
        shared_audio: recordings whose very bytes stand on more than one side.
        strangers: rows that are not in the manifest.
        left_out: rows of the manifest that the split does not place.
    """

    split: SplitFile
    parts: dict[str, Share]
    folds: tuple[Share, ...]
    corpora: dict[str, dict[str, int]]
    shared_speakers: int
    shared_audio: int
    strangers: int
    left_out: int

    @property
    def broken(self) -> bool:
        """Something stands on two sides that the split does not own up to."""
        return bool(self.shared_audio or (self.shared_speakers and not self.split.leaks_speakers))

    @property
    def verdict(self) -> str:
        """The result of the leakage check, in words."""
        if self.shared_audio:
            return f"broken: {plural(self.shared_audio, 'recording')} on two sides"
        if self.shared_speakers and not self.split.leaks_speakers:
            return f"broken: {plural(self.shared_speakers, 'speaker')} on two sides"
        if self.shared_speakers:
            return "leaks speakers, as it says"
        return "passed"


def split_facts(data: Data, split: SplitFile) -> SplitFacts:
    """Count a split and look for leaks across its parts, or across its folds."""
    columns = ["utterance_id", "speaker_id", "audio_digest", "corpus"]
    rows = split.table.join(data.table.select(columns), keys="utterance_id", join_type="left outer")
    known = rows.filter(pc.is_valid(rows["speaker_id"]))
    side = "fold" if split.has_folds else "part"
    return SplitFacts(
        split=split,
        parts=_shares(known, "part"),
        folds=tuple(_shares(known, "fold").values()) if split.has_folds else (),
        corpora={} if split.has_folds else _by_corpus(known),
        shared_speakers=_on_two_sides(known, "speaker_id", side),
        shared_audio=_on_two_sides(known, "audio_digest", side),
        strangers=rows.num_rows - known.num_rows,
        left_out=data.table.num_rows - known.num_rows,
    )


def _on_two_sides(rows: pa.Table, column: str, side: str) -> int:
    sides = rows.group_by(column).aggregate([(side, "count_distinct")])[f"{side}_count_distinct"]
    return int(pc.sum(pc.greater(sides, 1)).as_py() or 0)


def _shares(rows: pa.Table, side: str) -> dict[str, Share]:
    counted = rows.group_by(side).aggregate([([], "count_all"), ("speaker_id", "count_distinct")])
    found = {
        row[side]: Share(row["count_all"], row["speaker_id_count_distinct"]) for row in counted.to_pylist()
    }
    order = PARTS if side == "part" else sorted(key for key in found if key is not None)
    return {str(key): found[key] for key in order if key in found}


def _by_corpus(rows: pa.Table) -> dict[str, dict[str, int]]:
    counted = rows.group_by(["corpus", "part"]).aggregate([([], "count_all")])
    found: dict[str, dict[str, int]] = {}
    for row in counted.to_pylist():
        found.setdefault(row["corpus"], {})[row["part"]] = row["count_all"]
    return found
