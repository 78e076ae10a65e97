"""Everything a run reads: manifest, split and store, joined into the clips of one task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Int8s, Int64s, texts_of
from ser_pipeline.datasets.examples import (
    UNUSED,
    Examples,
    chosen_rows,
    classes_of,
    drawn_as,
    resolve_task,
    restrict_training,
    select_examples,
)
from ser_pipeline.datasets.layers import LayerRows, SideBySide, stores_of
from ser_pipeline.datasets.rows import RowStore, Variants
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.datasets.speakers import Surroundings
from ser_pipeline.encoders import encoder_folders, found_again, located
from ser_pipeline.errors import SettingsError, StoreMissing, TrainingError
from ser_pipeline.labels import Task, rating_task
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.manifest.where import Chosen, chosen_by, no_match
from ser_pipeline.options import Augmented, EmbeddingOptions, Layers, Recipe, WaveOptions, inputs_of
from ser_pipeline.records import PARTS
from ser_pipeline.runs.types import SplitInfo
from ser_pipeline.splits import Split, fold_number, parts_for, read_split
from ser_pipeline.store import build_again, open_store
from ser_pipeline.store.embeddings import narrowed, open_embeddings
from ser_pipeline.store.mirror import local_cache
from ser_pipeline.tables.cells import plural


@dataclass(frozen=True)
class Located:
    """Clips that the store holds.

    Attributes:
        examples: the clips.
        positions: their rows in the store, shape ``(clips,)``.
        failed: (utterance id, reason) of each clip whose recording could not be used.
    """

    examples: Examples
    positions: Int64s
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What the runs of one recipe share, whatever the fold.

    Attributes:
        recipe: task, split, fold, corpora, languages and inputs.
        manifest: the recordings.
        split: its parts or folds.
        store: mels, features, or layers of an encoder.
        task: the classes; all folds of a split have the same, so that their scores can be pooled.
        variants: store of random variants, where the recipe learns from some.
        cache: folder of the stores.
    """

    recipe: Recipe
    manifest: Manifest
    split: Split
    store: RowStore | SideBySide
    task: Task
    variants: RowStore | SideBySide | None = None
    cache: Path = Path()

    @cached_property
    def chosen(self) -> Chosen:
        """Recordings for which the recipe's condition holds.

        Raises:
            SettingsError: the condition does not fit the manifest.
            TrainingError: it holds for none.
        """
        return _chosen(self.manifest, self.recipe)

    def parts(self, fold: int | None) -> Int8s:
        """Part code of each row of the manifest; unused where the recipe's condition does not hold."""
        parts: Int8s = np.where(self.chosen.rows, parts_for(self.split, self.manifest, fold), UNUSED)
        return parts

    def tests(self, fold: int) -> bool:
        """Whether a fold tests any of the clips chosen.

        Raises:
            TrainingError: no clip is left in any part.
        """
        return bool((self._located(fold).examples.part == PARTS.index("test")).any())

    def run_data(self, fold: int | str | None = None) -> RunData:
        """Clips of a run.

        Args:
            fold: number, or the name that it is asked for by; None for a split without folds.

        Raises:
            SplitError: the fold does not fit the split, or the split leaks.
            SettingsError: a corpus or language that the manifest does not have.
            StoreMissing: the store is not finished.
            TrainingError: no clip, or no training clip, is left.
        """
        number = None if fold is None else fold_number(self.split, fold)
        located = self._located(number)
        if not (located.examples.part == 0).any():
            raise TrainingError(
                f"split '{self.split.name}': no training clip of task '{self.task.name}' is left"
            )
        name = None if number is None else str(number)
        return RunData(
            recipe=self.recipe.model_copy(update={"fold": name}),
            task=self.task,
            split=self.split_info(name),
            manifest_digest=self.manifest.digest,
            synthetic=self.manifest.synthetic,
            store=self.store,
            examples=located.examples,
            positions=located.positions,
            failed=located.failed,
            left_out=self._left_out(number),
            around=self._around(number, located.examples)
            if self.recipe.normalise in ("speaker", "adaptive")
            else None,
            variants=self._variants(located.examples.of_part("train")),
        )

    def _variants(self, examples: Examples) -> Variants | None:
        """Rows of the variants of training clips; another variant of a clip stands in for one that failed.

        Raises:
            StoreMissing: some were never computed.
            TrainingError: every variant of a clip failed.
        """
        if self.variants is None:
            return None
        copies = self.recipe.train.copies
        digests, modalities = (examples.table[name].to_pylist() for name in ("audio_digest", "modality"))
        for part in stores_of(self.variants):
            found = [part.rows(digests, copy, modalities=modalities) for copy in range(1, copies + 1)]
            absent = np.stack(found) < 0
            absent[:, np.isin(digests, [*part.failures])] = False
            if lacking := int(absent.sum()):
                command = build_again(part.folder, part.options, copies)
                raise StoreMissing(
                    f"{part.folder}: lacks {lacking} of {copies * len(digests)} variants of training clips; "
                    f"run '{command}'"
                )
        every = [self.variants.rows(digests, copy, modalities=modalities) for copy in range(1, copies + 1)]
        positions = np.stack(every)
        others = positions.max(0)
        if none := np.flatnonzero(others < 0).tolist():
            name, reason = examples.table["utterance_id"][none[0]], self.variants.failures[digests[none[0]]]
            raise TrainingError(
                f"no variant of {plural(len(none), 'training clip')} could be made, as '{name}': {reason}; "
                "leave out --copies, or choose milder changes of it"
            )
        return Variants(self.variants, np.where(positions < 0, others, positions))

    def _around(self, number: int | None, examples: Examples) -> Surroundings:
        """Every clip of the chosen corpora that the split uses and the store has.

        Args:
            number: of the fold.
            examples: of the run; training speakers that it leaves out are left out here, too.
        """
        recipe, parts = self.recipe, self.parts(number)
        table = self.manifest.table
        used = (parts != UNUSED) & chosen_rows(table, recipe.corpora, recipe.languages)
        if recipe.train_corpora or recipe.train_share < 1:
            heard = drawn_as(examples.of_part("train").table, recipe.train_share)
            used &= (parts != 0) | np.isin(drawn_as(table, recipe.train_share), heard)
        chosen = table.select(["audio_digest", "modality", "speaker_id"]).filter(pa.array(used))
        modalities = chosen["modality"].to_pylist()
        positions = self.store.rows(chosen["audio_digest"].to_pylist(), modalities=modalities)
        here = positions >= 0
        return Surroundings(positions[here], parts[used][here], texts_of(chosen["speaker_id"])[here])

    def _left_out(self, number: int | None) -> str:
        """How many clips of the task the condition says nothing about, in words."""
        recipe, table = self.recipe, self.manifest.table
        asked = classes_of(table, self.task) >= 0
        asked &= parts_for(self.split, self.manifest, number) != UNUSED
        return self.chosen.among(asked & chosen_rows(table, recipe.corpora, recipe.languages)).left_out

    def every_clip(self, fold: int) -> Examples:
        """Clips of a fold, those that training leaves out too."""
        return self._located(fold, restricted=False).examples

    def _located(self, number: int | None, *, restricted: bool = True) -> Located:
        """Clips of a fold that the store has."""
        recipe, parts = self.recipe, self.parts(number)
        examples = select_examples(
            self.manifest.table, parts, self.task, corpora=recipe.corpora, languages=recipe.languages
        )
        if restricted:
            chosen_rows(self.manifest.table, recipe.train_corpora, ())  # a corpus that is not there is said
            examples = restrict_training(
                examples, corpora=recipe.train_corpora, share=recipe.train_share, seed=recipe.train.seed
            )
        return locate(self.store, examples)

    def split_info(self, fold: str | None) -> SplitInfo:
        """The split as results name it."""
        split = self.split
        return SplitInfo(
            name=split.name,
            digest=split.digest,
            leaks_speakers=split.leaks_speakers,
            note=split.note,
            fold=fold,
        )


def locate(store: RowStore | SideBySide, examples: Examples) -> Located:
    """Look every clip up.

    Raises:
        StoreMissing: clips were neither computed nor failed: the store is not finished. The message
            names the command that finishes it.
        TrainingError: every clip failed.
    """
    positions, failed = looked_up(store, examples)
    here = positions >= 0
    if len(failed) == len(examples):
        raise TrainingError(
            f"none of {plural(len(examples), 'clip')} could be used, for example "
            f"'{failed[0][0]}': {failed[0][1]}"
        )
    return Located(examples.take(here), positions[here], failed)


def looked_up(
    store: RowStore | SideBySide, examples: Examples, *, manifests: Path | None = None
) -> tuple[Int64s, tuple[tuple[str, str], ...]]:
    """Rows of clips in a store.

    Args:
        store: to look into.
        examples: the clips.
        manifests: folder of their manifest, where it is not the run's own; for the message.

    Returns:
        Positions, -1 for a recording that could not be used, shape ``(clips,)``; and (utterance id, reason)
        of each of these.

    Raises:
        StoreMissing: some were never computed.
    """
    digests, modalities = (examples.table[name].to_pylist() for name in ("audio_digest", "modality"))
    for part in stores_of(store):
        absent = np.flatnonzero(part.rows(digests, modalities=modalities) < 0).tolist()
        if lacking := sum(digests[number] not in part.failures for number in absent):
            command = build_again(part.folder, part.options)
            command += f" --manifests {manifests}" if manifests else ""
            what = f"recordings of {manifests} as {part.kind}" if manifests else "clips"
            raise StoreMissing(f"the store lacks {lacking} of {len(examples)} {what}; run '{command}'")
    positions = store.rows(digests, modalities=modalities)
    reasons = {number: store.failures[digests[number]] for number in np.flatnonzero(positions < 0).tolist()}
    names = examples.table["utterance_id"]
    return positions, tuple((names[number].as_py(), reason) for number, reason in reasons.items())


def read_inputs(
    recipe: Recipe,
    *,
    manifests: Path,
    cache: Path,
    task: Task | None = None,
    own_tasks: Mapping[str, Sequence[str]] | None = None,
    scoring: bool = False,
) -> Inputs:
    """Read manifest, split and store.

    Args:
        recipe: task, split and inputs.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores, or its address.
        task: classes, where they are known; otherwise the recipe's task is resolved.
        own_tasks: tasks of ``ser.toml``.
        scoring: nothing is to be learned, so no store of variants is opened.

    Raises:
        ManifestError: no manifest, or a foreign one.
        SplitError: no such split, or one of another manifest.
        StoreMissing: no store of these settings; the message names the command that makes it.
        LabelError: a task that does not exist.
    """
    manifest = read_manifest(manifests)
    split = read_split(manifests, recipe.split, manifest)
    learned = task or _task(recipe, manifest, split, own_tasks)
    cache = local_cache(cache)
    recipe, store = _opened(cache, recipe)
    variants = None if scoring or not recipe.train.copies else _variants_of(cache, recipe, store)
    return Inputs(recipe, manifest, split, store, learned, variants, cache)


def _opened(cache: Path, recipe: Recipe) -> tuple[Recipe, RowStore | SideBySide]:
    """Open what a recipe learns from; the recipe then names the encoders and layers that were found."""
    asked = iter(recipe.encoder_layers)
    stores: list[RowStore] = []
    encoders: list[EmbeddingOptions] = []
    for part in recipe.parts:
        if isinstance(part, WaveOptions) and part.encoder is not None:
            encoders.append(_trained_encoder(part.encoder, next(asked)))
            stores.append(open_store(cache, part))
        elif isinstance(part, EmbeddingOptions):
            rows = _layers(cache, part, next(asked), recipe)
            encoders.append(rows.chosen)
            stores.append(rows)
        else:
            stores.append(open_store(cache, part))
    if len({each.weights for each in encoders}) < len(encoders):
        raise SettingsError(f"embeddings.encoder: '{recipe.embeddings.encoder}' names one encoder twice")
    if encoders:
        pairs = zip(recipe.encoder_layers, encoders, strict=True)
        recipe = recipe.with_encoders(encoders, ["best" if a == "best" else e.layers for a, e in pairs])
    return recipe, _joined(stores)


def _trained_encoder(encoder: EmbeddingOptions, asked: Layers) -> EmbeddingOptions:
    """The encoder that is a part of the model, with the layers that are used."""
    if encoder.weights:
        return found_again(encoder, encoder_folders())
    found, _ = located(
        encoder.model_copy(update={"layers": () if isinstance(asked, str) else asked}), encoder_folders()
    )
    return found.model_copy(update={"layers": found.middle}) if asked == "middle" else found


def _layers(cache: Path, part: EmbeddingOptions, asked: Layers, recipe: Recipe) -> LayerRows:
    """Layers of a store of embeddings."""
    numbers = () if isinstance(asked, str) else asked
    options = part.model_copy(update={"layers": numbers, "pooling": recipe.embeddings_pooling})
    store = open_embeddings(cache, options)
    rows = LayerRows(store, narrowed(store, options))
    return rows.of_layers(rows.chosen.middle) if asked == "middle" else rows


def _variants_of(cache: Path, recipe: Recipe, store: RowStore | SideBySide) -> RowStore | SideBySide:
    """Open the stores of variants of what a recipe learns from, likewise side by side."""
    copies, stores = recipe.train.copies, list[RowStore]()
    for part in stores_of(store):
        if isinstance(part, LayerRows):
            variants = open_embeddings(cache, part.chosen, recipe.augment, copies)
            stores.append(LayerRows(variants, narrowed(variants, part.chosen)))
        else:
            changed = Augmented(inputs=inputs_of(part.options), changes=recipe.augment)
            stores.append(open_store(cache, changed, copies))
    return _joined(stores)


def _joined(stores: Sequence[RowStore]) -> RowStore | SideBySide:
    return stores[0] if len(stores) == 1 else SideBySide(stores)


def _task(
    recipe: Recipe, manifest: Manifest, split: Split, own_tasks: Mapping[str, Sequence[str]] | None
) -> Task:
    if recipe.target:
        return rating_task(recipe.target)
    rows = manifest.table.num_rows
    parts = np.zeros(rows, np.int8) if split.folds else parts_for(split, manifest)
    used = chosen_rows(manifest.table, recipe.corpora, recipe.languages) & _chosen(manifest, recipe).rows
    parts = np.where(used, parts, UNUSED)
    return resolve_task(recipe.task, manifest.table, parts, merges=recipe.merges, own=own_tasks)


def _chosen(manifest: Manifest, recipe: Recipe) -> Chosen:
    found = chosen_by(manifest.table, recipe.where)
    if not found.rows.any():
        raise TrainingError(no_match(recipe.where, found, manifest.table.num_rows))
    return found
