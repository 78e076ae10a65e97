"""From a split to the part of every recording, and what each part or fold contains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Int8s, Int64s
from ser_pipeline.errors import SplitError, some
from ser_pipeline.manifest.read import Codes, Manifest, codes
from ser_pipeline.manifest.schema import EMOTION_NAMES, NO_PART, PART_CODES
from ser_pipeline.records import PARTS
from ser_pipeline.splits.assign import AssignableRows, Sizes, assign_family, in_shares
from ser_pipeline.splits.leaks import check_sides, torn_apart
from ser_pipeline.splits.make import seeded
from ser_pipeline.splits.split import Split, row_places
from ser_pipeline.tables import Entry, Table, cells, table_of

ALL: Final = "all"
"""Stands for all corpora together."""

TRAIN, VALIDATION, TEST = (PART_CODES[part] for part in PARTS)


def fold_number(split: Split, fold: int | str) -> int:
    """Position of a fold, given by it or by name; of a text, a name wins over a position.

    Raises:
        SplitError: the split has no such fold, or no folds at all.
    """
    if not split.folds:
        raise SplitError(f"split {split.name} has no folds; leave out --fold {fold}")
    if fold in split.folds:
        return split.folds.index(str(fold))
    text = str(fold)
    if text.isascii() and text.isdecimal() and int(text) < len(split.folds):
        return int(text)
    raise SplitError(
        f"split {split.name} has no fold '{fold}'; valid are 0 to {len(split.folds) - 1}, "
        f"or their names: {some(list(split.folds))}"
    )


def parts_for(split: Split, manifest: Manifest, fold: int | str | None = None) -> Int8s:
    """Part of every row of the manifest.

    The recordings of a fold are its test part. The validation part consists of whole speakers of the
    rest, chosen by the split's seed, so that it is the same every time.

    Args:
        split: made for this manifest.
        manifest: has at least ``SPLIT_COLUMNS``.
        fold: position or name of the fold; None where the split has no folds.

    Returns:
        Shape ``(rows,)``: 0 train, 1 validation, 2 test, -1 in no part.

    Raises:
        SplitError: the fold does not fit the split, or something stands on both sides.
    """
    if fold is None and split.folds:
        raise SplitError(
            f"split {split.name} has folds; choose one with --fold 0 to {len(split.folds) - 1}, or 'all'"
        )
    number = None if fold is None else fold_number(split, fold)
    where = f"split {split.name}" + ("" if number is None else f", fold {split.folds[number]}")
    places = row_places(split, manifest)
    column = pc.index_in(split.table["part"], pa.array(PARTS)) if number is None else split.table["fold"]
    parts = np.full(manifest.table.num_rows, NO_PART, np.int64)
    parts[places] = column.to_numpy()
    if number is not None:
        parts = _fold_parts(split, manifest.table, parts, number)
    check_sides(manifest.table, parts, where, speakers=not split.leaks_speakers)
    return parts.astype(np.int8)


def _fold_parts(split: Split, table: pa.Table, folds: Int64s, number: int) -> Int64s:
    rest = (folds != number) & (folds != NO_PART)
    parts = np.full(len(folds), NO_PART, np.int64)
    parts[folds == number] = TEST
    parts[rest] = TRAIN
    train, validation, _ = split.recipe.ratios
    if validation == 0:
        return parts
    rows = AssignableRows.of(table)
    name = split.folds[number]
    for group, chosen, smallest in _groups(rows, rest):
        sizes = _validation_sizes(validation / (train + validation), smallest)
        rng = seeded(split.recipe.seed, name, group)
        parts[chosen] = assign_family(rows, chosen, sizes, in_shares((train, validation), sizes), rng)
    if not (parts == VALIDATION).any():
        raise SplitError(
            f"split {split.name}, fold {name}: one speaker is left to train and validate; two are needed"
        )
    return parts


def _groups(rows: AssignableRows, rest: Bools) -> list[tuple[str, Bools, int]]:
    """Groups whose speakers are assigned together, each with the fewest it needs to spare one.

    These are the families of corpora; but if none has three speakers, all of the rest is one group.
    """
    families = rows.people.families
    groups = [(name, rest & (families.of == number), 3) for number, name in enumerate(families.names)]
    groups = [group for group in groups if group[1].any()]
    units = [len(np.unique(rows.people.units.of[chosen])) for _, chosen, _ in groups]
    return groups if max(units, default=0) >= 3 else [("+".join(families.names), rest, 2)]


def _validation_sizes(share: float, smallest: int) -> Sizes:
    """How many of some speakers train, and how many validate."""

    def sizes(count: int) -> tuple[int, int]:
        validating = 0 if count < smallest else min(count - 1, max(1, int(count * share + 0.5)))
        return count - validating, validating

    return sizes


@dataclass(frozen=True)
class Share:
    """What one side of a split holds of one corpus, or of all together.

    Attributes:
        corpus: corpus id, or ``ALL``.
        side: name of the part or fold.
        clips: recordings.
        share: of the corpus's recordings, in [0, 1].
        speakers: people.
        genders: gender -> speakers.
        emotions: emotion -> recordings, in id order.
    """

    corpus: str
    side: str
    clips: int
    share: float
    speakers: int
    genders: Mapping[str, int]
    emotions: Mapping[str, int]


@dataclass(frozen=True)
class CheckedSplit:
    """A split, counted and checked against a manifest, whatever is wrong with it.

    Attributes:
        split: that was checked.
        stale: it was made for another manifest.
        shares: what each side holds of all corpora together, then of each; nothing of what is empty.
        shared_speakers: people with recordings on more than one side.
        shared_audio: recordings whose very bytes stand on more than one side.
        strangers: rows of the split that are not in the manifest.
        left_out: rows of the manifest that the split does not place.
    """

    split: Split
    stale: bool
    shares: tuple[Share, ...]
    shared_speakers: int
    shared_audio: int
    strangers: int
    left_out: int

    @property
    def broken(self) -> bool:
        """Whether something is in two parts although the split does not declare it."""
        return bool(self.shared_audio or (self.shared_speakers and not self.split.leaks_speakers))


def checked_split(split: Split, manifest: Manifest) -> CheckedSplit:
    """Count a split and look for leaks across its parts, or across its folds.

    Args:
        split: of this manifest or another.
        manifest: has at least ``SPLIT_COLUMNS``.
    """
    sides, names, strangers = _sides(split, manifest.table)
    return CheckedSplit(
        split=split,
        stale=split.manifest_digest != manifest.digest,
        shares=tuple(_shares(manifest, sides, names)),
        shared_speakers=len(torn_apart(manifest.table, sides, "speaker_id")),
        shared_audio=len(torn_apart(manifest.table, sides, "audio_digest")),
        strangers=strangers,
        left_out=int((sides == NO_PART).sum()),
    )


def shares_table(split: Split, manifest: Manifest) -> Table:
    """Lay out the contents of each part or fold: one row per corpus and side, all corpora together first.

    Args:
        split: made for this manifest.
        manifest: has at least ``SPLIT_COLUMNS``.
    """
    sides, names, _ = _sides(split, manifest.table)
    shares = _shares(manifest, sides, names)
    if len({share.corpus for share in shares}) == 2:  # one corpus is all there is
        shares = [share for share in shares if share.corpus != ALL]
    rows = [
        [share.corpus, *_row(share), *map(cells.count, [*share.genders.values(), *share.emotions.values()])]
        for share in shares
    ]
    counted = [*shares[0].genders, *shares[0].emotions] if shares else []
    return table_of(f"split {split.name}", ["corpus", *_heads(split), *counted], rows)


def shares_at_a_glance(split: Split, manifest: Manifest) -> Table:
    """Lay out each part or fold of all corpora together, and of parts the classes, for one screen.

    Args:
        split: made for this manifest.
        manifest: has at least ``SPLIT_COLUMNS``.
    """
    sides, names, _ = _sides(split, manifest.table)
    shares = [share for share in _shares(manifest, sides, names) if share.corpus == ALL]
    counted = [*shares[0].emotions] if shares and not split.folds else []
    rows = [[*_row(share), *(cells.count(share.emotions[name]) for name in counted)] for share in shares]
    return table_of(f"split {split.name}", [*_heads(split), *counted], rows)


def _row(share: Share) -> list[Any]:
    clips, speakers = cells.count(share.clips), cells.count(share.speakers)
    return [share.side, clips, Entry(f"{share.share:.3f}", round(share.share, 3)), speakers]


def _heads(split: Split) -> list[str]:
    return ["fold" if split.folds else "part", "clips", "share", "speakers"]


def _sides(split: Split, table: pa.Table) -> tuple[Int64s, tuple[str, ...], int]:
    """Side of each row of the manifest, names of the sides, and rows that are not in the manifest."""
    places = pc.index_in(split.table["utterance_id"], table["utterance_id"].combine_chunks())
    column = split.table["fold"] if split.folds else pc.index_in(split.table["part"], pa.array(PARTS))
    side = column.cast(pa.int64()).fill_null(NO_PART).to_numpy()
    known = places.is_valid().to_numpy()
    sides = np.full(table.num_rows, NO_PART, np.int64)
    sides[places.fill_null(0).to_numpy()[known]] = np.maximum(side, NO_PART)[known]
    names = split.folds or PARTS
    beyond = map(str, range(len(names), int(sides.max(initial=NO_PART)) + 1))  # of a file that is odd
    return sides, (*names, *beyond), int((~known).sum())


def _shares(manifest: Manifest, sides: Int64s, names: tuple[str, ...]) -> list[Share]:
    table = manifest.table
    corpora, genders = codes(table["corpus"]), codes(table["gender"])
    places = table["emotion_id"].to_numpy() % len(EMOTION_NAMES)  # `other` comes last
    emotions, emotion = np.unique(places, return_inverse=True)
    classes = [EMOTION_NAMES[number] for number in emotions]
    found = []
    for group in (Codes(np.zeros(len(sides), np.int64), (ALL,)), corpora):
        place = group.of * len(names) + sides
        place[sides == NO_PART] = NO_PART
        totals = np.bincount(group.of, minlength=len(group.names))
        clips = _counts(place, emotion, len(group.names) * len(names), len(emotions))
        heard = _speakers(place, table, genders, len(group.names) * len(names))
        for number in np.flatnonzero(clips.sum(axis=1)).tolist():
            corpus, side = divmod(number, len(names))
            count = int(clips[number].sum())
            found.append(
                Share(
                    group.names[corpus], names[side], count, count / int(totals[corpus]),
                    int(heard[number].sum()),
                    dict(zip(genders.names, heard[number].tolist(), strict=True)),
                    dict(zip(classes, clips[number].tolist(), strict=True)),
                )
            )  # fmt: skip
    return found


def _counts(place: Int64s, value: Int64s, places: int, values: int) -> Int64s:
    """Count rows by place and value; rows without a place are left out."""
    taken = place != NO_PART
    cells = place[taken] * values + value[taken]
    return np.bincount(cells, minlength=places * values).reshape(places, values)


def _speakers(place: Int64s, table: pa.Table, genders: Codes, places: int) -> Int64s:
    """Count speakers by place and gender."""
    speakers = codes(table["speaker_id"])
    first = np.unique(place * len(speakers.names) + speakers.of, return_index=True)[1]
    return _counts(place[first], genders.of[first], places, len(genders.names))
