"""Speakers that must stay together, and what must never be on both sides of a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Int64s
from ser_pipeline.errors import SplitError, some
from ser_pipeline.manifest.describe import nobody
from ser_pipeline.manifest.read import Codes, codes
from ser_pipeline.manifest.schema import NO_PART
from ser_pipeline.tables.cells import plural

SPLIT_COLUMNS: Final = (
    "utterance_id", "corpus", "audio_digest", "emotion_id", "speaker_id", "session_id", "gender", "language",
)  # fmt: skip
"""Columns of the manifest that splits are made from and checked against."""

NAMED: Final = "speaker_id not like '%-unknown'"
"""Condition on recordings that say who speaks."""

SIDES: Final = ("part", "fold")
"""Columns of the manifest that say what corpora publish."""

BY_SPEAKER: Final = ("speaker", "kfold", "loso")
"""Splits that keep speakers apart, and so need to know them."""


@dataclass(frozen=True)
class People:
    """Rows of a manifest by who is heard in them.

    Attributes:
        units: smallest groups that may be parted: a speaker with all their corpora, or the
            speakers of one session, whose voices are in each other's recordings.
        families: corpora that share a unit, named ``ravdess+ravdess-song``.
        corpora: of the rows.
    """

    units: Codes
    families: Codes
    corpora: Codes


def joined(items: Int64s, groups: Int64s) -> Int64s:
    """Number the sets of items that are linked by groups, directly or through others.

    Args:
        items: shape ``(links,)``, an item of each link, from 0.
        groups: shape ``(links,)``, the group that link puts it in, from 0.

    Returns:
        Shape ``(items.max() + 1,)``, the set of each item.

    Examples:
        >>> joined(np.array([0, 1, 1, 2, 3]), np.array([0, 0, 1, 1, 2])).tolist()
        [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(items):
        return items
    n_items, n_groups = int(items.max()) + 1, int(groups.max()) + 1
    shape = (n_items + n_groups,) * 2
    links = coo_array((np.ones(len(items), np.int8), (items, groups + n_items)), shape=shape)
    _, labels = connected_components(links, directed=False)
    first_seen = np.unique(labels[:n_items], return_inverse=True)[1]
    return np.asarray(first_seen, np.int64)


def people(table: pa.Table) -> People:
    """Group the rows of a manifest; the table needs ``SPLIT_COLUMNS``."""
    speakers, corpora = codes(table["speaker_id"]), codes(table["corpus"])
    sessions = _sessions(table, speakers)
    pairs = occurring(speakers.of, sessions.of)
    unit_of_speaker = joined(pairs[0], pairs[1])
    units = Codes(unit_of_speaker[speakers.of], _unit_names(unit_of_speaker, speakers, sessions, pairs))
    links = occurring(corpora.of, units.of)
    family_of_corpus = joined(links[0], links[1])
    names = joined_names(family_of_corpus, corpora.names)
    return People(units, Codes(family_of_corpus[corpora.of], names), corpora)


def occurring(one: Int64s, other: Int64s) -> Int64s:
    """Each pair of numbers of a row that occurs, once and sorted.

    Args:
        one: shape ``(rows,)``, from 0.
        other: likewise.

    Returns:
        Shape ``(2, pairs)``.

    Examples:
        >>> occurring(np.array([1, 0, 1]), np.array([2, 3, 2])).tolist()
        [[0, 1], [3, 2]]
    """
    width = int(other.max(initial=0)) + 1
    return np.stack(np.divmod(np.unique(one * width + other), width))


def _sessions(table: pa.Table, speakers: Codes) -> Codes:
    """Session of each row, within its corpus unless its name begins with a slash; else its speaker alone."""
    if table["session_id"].null_count == len(table):
        return Codes(speakers.of, tuple(f"a\n{name}" for name in speakers.names))
    corpora = pc.if_else(pc.starts_with(table["session_id"], "/"), "", table["corpus"])
    own = pc.binary_join_element_wise("s", corpora, table["session_id"], "\n")
    alone = pc.binary_join_element_wise("a", table["speaker_id"], "\n")
    return codes(pa.chunked_array(pc.coalesce(own, alone)))


def joined_names(group_of: Int64s, names: Sequence[str]) -> tuple[str, ...]:
    """Name each group of things by the things in it."""
    members: list[list[str]] = [[] for _ in range(int(group_of.max(initial=-1)) + 1)]
    for name, group in zip(names, group_of.tolist(), strict=True):
        members[group].append(name)
    return tuple("+".join(sorted(group)) for group in members)


def _unit_names(unit_of_speaker: Int64s, speakers: Codes, sessions: Codes, pairs: Int64s) -> tuple[str, ...]:
    """A unit of one speaker is named by the speaker, one of partners by corpus and session."""
    names = list(joined_names(unit_of_speaker, speakers.names))
    unit_of_pair = unit_of_speaker[pairs[0]]
    order = np.argsort(unit_of_pair, kind="stable")
    ends = np.cumsum(np.bincount(unit_of_pair, minlength=len(names)))
    for unit in np.flatnonzero(np.bincount(unit_of_speaker) > 1).tolist():
        mine = np.unique(pairs[1][order[ends[unit - 1] if unit else 0 : ends[unit]]])
        kinds = (sessions.names[session].split("\n") for session in mine.tolist())
        named = sorted("-".join(kind[1:]).removeprefix("-/") for kind in kinds if kind[0] == "s")
        names[unit] = "+".join(named) if named else names[unit]
    return tuple(names)


def on_both_sides(things: Codes, sides: Int64s) -> list[str]:
    """Names of the things that stand on more than one side.

    Args:
        things: what each row is of.
        sides: shape ``(rows,)``, the side of each row; ``NO_PART`` is not a side.
    """
    taken = sides != NO_PART
    thing, side = things.of[taken], sides[taken]
    first = np.full(len(things.names), NO_PART, np.int64)
    first[thing] = side
    torn = np.unique(thing[first[thing] != side])
    return [things.names[number] for number in torn.tolist()]


def torn_apart(table: pa.Table, sides: Int64s, column: str) -> list[str]:
    """Speakers, or digests of recordings, that stand on more than one side, sorted.

    Args:
        table: rows of the manifest.
        sides: shape ``(rows,)``, part or fold of each row; ``NO_PART`` is none.
        column: ``speaker_id`` or ``audio_digest``.
    """
    found = table[column].combine_chunks().dictionary_encode()
    if len(found.dictionary) == len(found):  # as audio in a whole manifest: each stands once
        return []
    things = Codes(found.indices.to_numpy().astype(np.int64), tuple(found.dictionary.to_pylist()))
    return sorted(on_both_sides(things, sides))


def check_sides(table: pa.Table, sides: Int64s, where: str, *, speakers: bool = True) -> None:
    """Check that no speaker and no audio stands on two sides.

    Args:
        table: rows of the manifest.
        sides: shape ``(rows,)``, part or fold of each row; ``NO_PART`` is none.
        where: what is checked, for messages.
        speakers: look at speakers too; a split that says it leaks them need not be.

    Raises:
        SplitError: something stands on two sides; the first ten are named.
    """
    torn = torn_apart(table, sides, "speaker_id") if speakers else []
    if torn:
        raise SplitError(f"{where}: speakers are in more than one part: {some(torn)}")
    if torn := torn_apart(table, sides, "audio_digest"):
        raise SplitError(f"{where}: the same audio is in more than one part: {some(torn)}")


def official(manifest: Path) -> str:
    """The command that reads the parts or folds which corpora publish in their own tables.

    Args:
        manifest: the manifest's file.

    Examples:
        >>> official(Path("pm/manifest.parquet"))
        'ser manifest split official --manifests pm --from pm/manifest.parquet'
    """
    return f"ser manifest split official{in_folder(manifest)} --from {quote(str(manifest))}"


def in_folder(manifest: Path) -> str:
    """What a command is told of the folder of a manifest, with a blank before it; "" for the usual one.

    Examples:
        >>> in_folder(Path("pm/manifest.parquet")), in_folder(Path("manifests/manifest.parquet"))
        (' --manifests pm', '')
    """
    return "" if manifest.parent == Path("manifests") else f" --manifests {quote(str(manifest.parent))}"


def unknown_speakers(table: pa.Table, manifest: Path) -> str:
    """Why recordings cannot be split by speaker, and what to do; "" if every one says who speaks.

    Args:
        table: rows of the manifest; with the columns ``SIDES``, published parts are pointed out.
        manifest: its file.
    """
    unknown = table.filter(nobody(table))
    if not unknown.num_rows:
        return ""
    corpora, where = some(sorted(pc.unique(unknown["corpus"]).to_pylist())), in_folder(manifest)
    ways = []
    if unknown.num_rows < table.num_rows:
        ways.append(f'split the others by ser manifest split speaker{where} --as named --where "{NAMED}"')
    ways.append(
        "name the speakers in the corpus's description, in a column 'speaker' of a table, or with --csv "
        "and --speaker-from 'REGEX', whose one group finds them in paths"
    )
    if any(table[name].null_count < table.num_rows for name in SIDES if name in table.column_names):
        ways.append(f"read the published parts with '{official(manifest)}'")
    ways.append(
        f"use 'ser manifest split stratified{where}' and 'ser train{where} --split stratified', whose scores "
        "do not hold for new speakers"
    )
    does = "does" if unknown.num_rows == 1 else "do"
    return (
        f"{unknown.num_rows} of {plural(table.num_rows, 'recording')} ({corpora}) {does} not say who speaks, "
        f"so speakers cannot be kept apart; {'; or '.join(ways)}"
    )
