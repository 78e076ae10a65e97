"""Make the splits this package knows: which clips train a model, tune it, and test it."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Int64s
from ser_pipeline.corpora.languages import language_of
from ser_pipeline.errors import SplitError, some
from ser_pipeline.manifest.describe import nobody
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.read import Codes, Manifest, codes, read_manifest
from ser_pipeline.manifest.where import manifest_where
from ser_pipeline.records import MAX_FOLDS, PARTS
from ser_pipeline.splits.assign import AssignableRows, assign_family, evenly, in_shares, quota
from ser_pipeline.splits.leaks import (
    BY_SPEAKER,
    SIDES,
    SPLIT_COLUMNS,
    joined,
    joined_names,
    occurring,
    official,
    unknown_speakers,
)
from ser_pipeline.splits.split import (
    FOLDS,
    RATIOS,
    Ratios,
    Split,
    SplitRecipe,
    checked_name,
    checked_ratios,
    fold_rows,
    load_split,
    part_rows,
    ratios_text,
    split_names,
    split_path,
    write_split,
)
from ser_pipeline.tables.cells import plural

Body = tuple[pa.Table, tuple[str, ...], str]
"""Rows, names of the folds, and a note."""

DEFAULT_SPLIT: Final = "speaker"


def make_split(
    manifest: Manifest,
    name: str = "speaker",
    *,
    seed: int = 0,
    ratios: Ratios | None = None,
    folds: int | None = None,
    save_as: str | None = None,
    where: str = "",
) -> Split:
    """Make one of the splits this package knows.

    Args:
        manifest: has at least ``SPLIT_COLUMNS``, and all columns if there is a condition.
        name: one of ``KINDS``.
        seed: another seed gives another split.
        ratios: of train, validation and test, in any unit; 60/20/20 by default.
        folds: number of folds, for ``kfold``; 5 by default.
        save_as: name of the split; ``name`` by default.
        where: share out only recordings for which this condition holds, as in ``agreement >= 0.6``; such a
            split needs a name of its own.

    Raises:
        SplitError: no such split, options that do not fit it, or too few people for it.
        SettingsError: the condition does not fit.
        ManifestError: it holds for no recording.
    """
    if name not in KINDS:
        raise SplitError(
            f"split '{name}' does not exist; valid are {', '.join(KINDS)}; "
            f"published ones are read with --from FILE, as in '{official(manifest.path)}'"
        )
    if folds is not None and name != "kfold":
        raise SplitError(f"split {name} takes no --folds; only kfold does")
    if save_as in KINDS and save_as != name:
        raise SplitError(f"'{save_as}' is the name of another split; choose one of your own")
    if where and save_as in (None, *KINDS):
        raise SplitError(f"split {name} of some recordings needs a name of its own; add --as NAME")
    if not manifest.table.num_rows:
        raise SplitError(f"{manifest.path}: has no recordings to split")
    shares = checked_ratios(ratios or RATIOS)
    recipe = SplitRecipe(name, seed, shares, FOLDS if folds is None else folds, where.strip())
    rows = manifest_where(manifest, recipe.where)[0].table if recipe.where else manifest.table
    if name in BY_SPEAKER and (unknown := unknown_speakers(rows, manifest.path)):
        raise SplitError(f"split {name}: {unknown}")
    table, fold_names, note = KINDS[name](rows, recipe)
    if recipe.where:
        note = f"{note} Only recordings with {recipe.where}."
    leaks = name == "stratified"
    split = Split(checked_name(save_as or name), recipe, table, fold_names, leaks, note, manifest.digest)
    return split.sealed()


def seeded(seed: int, *names: str) -> np.random.Generator:
    """A separate generator for each name, so that a further corpus changes no other's split."""
    return np.random.default_rng([seed, *(int(digest_bytes(name.encode())[:16], 16) for name in names)])


def _speaker(table: pa.Table, recipe: SplitRecipe) -> Body:
    rows = AssignableRows.of(table)
    parts = np.empty(len(rows), np.int64)
    sizes = partial(quota, ratios=recipe.ratios)
    for number, family in enumerate(rows.people.families.names):
        chosen = rows.people.families.of == number
        rng = seeded(recipe.seed, family)
        parts[chosen] = assign_family(rows, chosen, sizes, in_shares(recipe.ratios, sizes), rng)
    note = f"Whole speakers, {ratios_text(recipe.ratios)} within each corpus: no speaker is in two parts."
    return part_rows(table["utterance_id"], parts), (), note


def _stratified(table: pa.Table, recipe: SplitRecipe) -> Body:
    emotion = table["emotion_id"].to_numpy().astype(np.int64)
    corpus = codes(table["corpus"]).of
    _, stratum, sizes = np.unique(
        np.stack([corpus, emotion]), axis=1, return_inverse=True, return_counts=True
    )
    ends = np.cumsum([quota(size, recipe.ratios) for size in sizes.tolist()], axis=1)
    stratum = stratum.reshape(-1)  # numpy 2.0.0 gives one column
    order = np.lexsort((_shuffled(table["audio_digest"], recipe.seed), stratum))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    rank -= (np.cumsum(sizes) - sizes)[stratum]
    parts = (rank[:, None] >= ends[stratum]).sum(axis=1)
    named = not pc.all(nobody(table)).as_py()
    who = "the same people speak" if named else "nothing says who speaks, so the same people may be"
    note = (
        f"By clip, {ratios_text(recipe.ratios)} within each corpus and emotion: {who} in training and test, "
        "so its scores do not hold for new speakers."
    )
    return part_rows(table["utterance_id"], parts), (), note


def _shuffled(digests: pa.ChunkedArray, seed: int) -> "np.typing.NDArray[np.uint64]":
    """A random number per recording that depends on its bytes and the seed alone."""
    heads = pc.utf8_slice_codeunits(digests, 0, 16).to_numpy().astype("S16")
    digits = heads.view(np.uint8).reshape(-1, 16)
    nibbles = np.where(digits > ord("9"), digits - (ord("a") - 10), digits - ord("0")).astype(np.uint64)
    key = np.zeros(len(nibbles), np.uint64)
    for place in range(16):
        key = (key << np.uint64(4)) | nibbles[:, place]
    # splitmix64 mixes the seed in; its sums wrap around on purpose
    key += np.uint64(int(digest_bytes(str(seed).encode())[:16], 16))
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def _loso(table: pa.Table, recipe: SplitRecipe) -> Body:
    rows = AssignableRows.of(table)
    note = "Each fold tests one speaker, or the two partners of a session, that are not in training."
    return _whole(table, rows, rows.people.units, recipe.kind, note)


def _kfold(table: pa.Table, recipe: SplitRecipe) -> Body:
    rows = AssignableRows.of(table)
    count, k = len(rows.people.units.names), recipe.folds
    if not 2 <= k <= count:
        possible = f"2 to {count} are possible" if count > 1 else "two speakers are needed"
        raise SplitError(f"kfold: --folds {k} does not fit {plural(count, 'speaker')}; {possible}")
    folds, families = np.empty(len(rows), np.int64), rows.people.families
    clips = np.zeros(k, np.int64)
    for number in np.argsort(-np.bincount(families.of), kind="stable").tolist():
        chosen = families.of == number
        sizes = partial(_smallest_first, clips)
        rng = seeded(recipe.seed, families.names[number])
        folds[chosen] = assign_family(rows, chosen, sizes, evenly(k), rng)
        clips = clips + np.bincount(folds[chosen], minlength=k)
    note = f"{k} folds of whole speakers, tested in turn: no speaker is in both training and test."
    return _whole(table, rows, Codes(folds, tuple(map(str, range(k)))), recipe.kind, note)


def _smallest_first(clips: Int64s, units: int) -> list[int]:
    """Units of each fold; those that cannot be shared evenly go to the folds with fewest clips."""
    sizes = np.full(len(clips), units // len(clips))
    sizes[np.argsort(clips, kind="stable")[: units % len(clips)]] += 1
    return [int(size) for size in sizes]


def _loco(table: pa.Table, recipe: SplitRecipe) -> Body:
    rows = AssignableRows.of(table)
    note = (
        "Each fold tests a corpus that is not in training; corpora that share speakers are tested together."
    )
    return _whole(table, rows, rows.people.families, recipe.kind, note)


def _lolo(table: pa.Table, recipe: SplitRecipe) -> Body:
    tags = table["language"].combine_chunks().dictionary_encode()
    spoken = pa.array([language_of(tag) for tag in tags.dictionary.to_pylist()], pa.string()).take(
        tags.indices
    )
    known = pc.not_equal(spoken, "")
    odd, table, spoken = table.filter(pc.invert(known)), table.filter(known), spoken.filter(known)
    if not table.num_rows:
        raise SplitError("lolo needs to know the language of recordings; no corpus says it")
    rows = AssignableRows.of(table)
    languages = codes(pa.chunked_array([spoken]))
    units, unknown = rows.people.units, nobody(table).to_numpy(zero_copy_only=False)
    apart = np.where(unknown, len(units.names) + languages.of, units.of)  # nobody speaks several languages
    links = occurring(languages.of, apart)
    together = joined(links[0], links[1])
    groups = Codes(together[languages.of], joined_names(together, languages.names))
    note = (
        "Each fold tests a language that is not in training (en-US and en-GB are one language); "
        "languages that share speakers are tested together."
    )
    if odd.num_rows:
        corpora = some(sorted(pc.unique(odd["corpus"]).to_pylist()))
        those = plural(odd.num_rows, "recording is", "recordings are")
        note += f" {those} left out, as their language is not one or not known ({corpora})."
    return _whole(table, rows, groups, recipe.kind, note)


def _whole(table: pa.Table, rows: AssignableRows, folds: Codes, kind: str, note: str) -> Body:
    """A split whose folds are whole groups, if there are people left to train each fold."""
    what = {"loco": "corpus", "lolo": "language"}.get(kind, "fold")
    if len(folds.names) < 2:
        raise SplitError(
            f"{kind} needs at least two to leave one out, but there is only one {what}: {folds.names[0]}"
        )
    if len(folds.names) > MAX_FOLDS:
        raise SplitError(f"{kind} would have {len(folds.names)} folds; {MAX_FOLDS} at most: use kfold")
    pairs = occurring(folds.of, rows.people.units.of)
    left = len(rows.people.units.names) - np.bincount(pairs[0], minlength=len(folds.names))
    if left.min() < 2:
        name = folds.names[int(left.argmin())]
        unsaid = ", and all of a corpus that do not say who speaks count as one"
        whose = unsaid if pc.any(nobody(table)).as_py() else ""
        raise SplitError(
            f"{kind}: fold {name} leaves {left.min()} speaker for training and validation; two are needed"
            f"{whose}"
        )
    return fold_rows(table["utterance_id"], folds.of), folds.names, note


KINDS: Final[Mapping[str, Callable[[pa.Table, SplitRecipe], Body]]] = MappingProxyType(
    {
        "speaker": _speaker,
        "stratified": _stratified,
        "loso": _loso,
        "kfold": _kfold,
        "loco": _loco,
        "lolo": _lolo,
    }
)
"""Name -> how the split is made."""


def renew_splits(manifest: Path, digest: str) -> list[str]:
    """Write the default split, made as it was before, beside a manifest that was just built.

    Args:
        manifest: the manifest's file.
        digest: of the manifest.

    Returns:
        A line for each split that no longer fits, for speakers whom the default split now puts into another
        part, and for each of its parts that is empty.
    """
    out = manifest.parent
    recipe, lines, fits, before = SplitRecipe(DEFAULT_SPLIT), list[str](), False, None
    for name in split_names(out):
        try:
            old = load_split(split_path(out, name))
        except SplitError as error:
            if name != DEFAULT_SPLIT:
                lines.append(str(error))
            continue
        same = old.manifest_digest == digest
        if name == DEFAULT_SPLIT and old.recipe.kind == DEFAULT_SPLIT:
            recipe, fits, before = old.recipe, same, old
        elif not same:
            again = old.command(manifest)
            lines.append(f"split {name} was made for an earlier manifest; make it again with '{again}'")
    built = None if fits else read_manifest(out, (*SPLIT_COLUMNS, *SIDES))
    if built is not None and (unknown := unknown_speakers(built.table, manifest)):
        lines.append(f"there is no split {DEFAULT_SPLIT}: {unknown}")
    elif built is not None:
        split = make_split(built, DEFAULT_SPLIT, seed=recipe.seed, ratios=recipe.ratios)
        write_split(out, split)
        lines += _moved(built.table, before, split) if before else []
        lines += empty_parts(split)
    return lines


def _moved(table: pa.Table, before: Split, now: Split) -> list[str]:
    """A line if two splits put speakers of a manifest into different parts."""
    ids, speakers = table["utterance_id"].combine_chunks(), codes(table["speaker_id"]).of
    was, stands = (
        pc.take(split.table["part"], pc.index_in(ids, split.table["utterance_id"].combine_chunks()))
        for split in (before, now)
    )
    known = np.asarray(pc.and_(was.is_valid(), stands.is_valid()), np.bool_)
    other = np.asarray(pc.fill_null(pc.not_equal(was, stands), False), np.bool_)
    moved, people = len(np.unique(speakers[other])), len(np.unique(speakers[known]))
    if not moved:
        return []
    return [
        f"split {now.name} was made again: {moved} of {plural(people, 'speaker')} "
        f"{'is' if moved == 1 else 'are'} in another part, so earlier runs were tested on other people"
    ]


def empty_parts(split: Split) -> list[str]:
    """A line for each part of a split that is empty."""
    filled = set(split.table["part"].unique().to_pylist())
    wanted = [part for part, ratio in zip(PARTS, split.recipe.ratios, strict=True) if ratio > 0]
    return [
        f"split {split.name}: part {part} is empty; three speakers of one corpus are needed to fill all parts"
        for part in wanted
        if part not in filled
    ]
