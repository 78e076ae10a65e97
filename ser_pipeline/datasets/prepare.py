"""Everything a run reads: manifest, split and store, joined into the clips of one task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Int64s
from ser_pipeline.datasets.batch import RowStore
from ser_pipeline.datasets.examples import (
    UNUSED,
    Examples,
    chosen_rows,
    resolve_task,
    restrict_training,
    select_examples,
)
from ser_pipeline.datasets.layers import LayerRows
from ser_pipeline.datasets.run_data import RunData, Variants
from ser_pipeline.datasets.speakers import Surroundings
from ser_pipeline.errors import StoreMissing, TrainingError
from ser_pipeline.labels import Task
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.options import EmbeddingOptions, Recipe
from ser_pipeline.records import PARTS
from ser_pipeline.runs.types import SplitInfo
from ser_pipeline.splits import Split, fold_number, parts_for, read_split
from ser_pipeline.store import build_command, open_store
from ser_pipeline.store.embeddings import narrowed, open_embeddings


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
    """

    recipe: Recipe
    manifest: Manifest
    split: Split
    store: RowStore
    task: Task
    variants: RowStore | None = None

    def tests(self, fold: int) -> bool:
        """Whether a fold tests any of the clips chosen.

        Raises:
            TrainingError: no clip is left in any part.
        """
        return bool((self._located(fold).examples.part == PARTS.index("test")).any())

    def run_data(self, fold: int | str | None = None) -> RunData:
        """Clips of a run.

        Args:
            fold: number or name; None for a split without folds.

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
            around=self._around(number) if self.recipe.normalise in ("speaker", "adaptive") else None,
            variants=self._variants(located.examples.of_part("train")),
        )

    def _variants(self, examples: Examples) -> Variants | None:
        """Rows of the variants of training clips.

        Raises:
            StoreMissing: some were never computed.
        """
        if self.variants is None:
            return None
        copies = self.recipe.train.copies
        digests, modalities = (examples.table[name].to_pylist() for name in ("audio_digest", "modality"))
        positions = np.stack(
            [self.variants.rows(digests, copy, modalities=modalities) for copy in range(1, copies + 1)]
        )
        lacking = int((positions < 0).sum())
        if lacking:
            command = build_command(self.variants.options, copies)
            raise StoreMissing(
                f"{self.variants.folder}: lacks {lacking} of {positions.size} variants of training clips; "
                f"run '{command}'"
            )
        return Variants(self.variants, positions)

    def _around(self, number: int | None) -> Surroundings:
        """Every clip of the chosen corpora that the split uses and the store has."""
        recipe, parts = self.recipe, parts_for(self.split, self.manifest, number)
        table = self.manifest.table
        used = (parts != UNUSED) & chosen_rows(table, recipe.corpora, recipe.languages)
        chosen = table.select(["audio_digest", "modality", "speaker_id"]).filter(pa.array(used))
        modalities = chosen["modality"].to_pylist()
        positions = self.store.rows(chosen["audio_digest"].to_pylist(), modalities=modalities)
        here = positions >= 0
        speakers = np.asarray(chosen["speaker_id"].to_numpy(zero_copy_only=False), np.str_)
        return Surroundings(positions[here], parts[used][here], speakers[here])

    def every_clip(self, fold: int) -> Examples:
        """Clips of a fold, those that training leaves out too."""
        return self._located(fold, restricted=False).examples

    def _located(self, number: int | None, *, restricted: bool = True) -> Located:
        """Clips of a fold that the store has."""
        recipe, parts = self.recipe, parts_for(self.split, self.manifest, number)
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


def locate(store: RowStore, examples: Examples) -> Located:
    """Look every clip up.

    Raises:
        StoreMissing: clips were neither computed nor failed: the store is not finished. The message
            names the command that finishes it.
        TrainingError: every clip failed.
    """
    digests = examples.table["audio_digest"].to_pylist()
    positions = store.rows(digests, modalities=examples.table["modality"].to_pylist())
    here = positions >= 0
    reasons = {number: store.failures.get(digests[number]) for number in np.flatnonzero(~here).tolist()}
    lacking = sum(reason is None for reason in reasons.values())
    if lacking:
        raise StoreMissing(
            f"the store lacks {lacking} of {len(examples)} clips; run '{build_command(store.options)}'"
        )
    names = examples.table["utterance_id"]
    failed = tuple((names[number].as_py(), str(reason)) for number, reason in reasons.items())
    if len(failed) == len(examples):
        raise TrainingError(
            f"none of {len(examples)} clips could be used, as '{failed[0][0]}': {failed[0][1]}"
        )
    return Located(examples.take(here), positions[here], failed)


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
        cache: folder of the stores.
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
    variants = None if scoring else recipe.variants
    if isinstance(recipe.inputs, EmbeddingOptions):
        layers = () if isinstance(recipe.layers, str) else recipe.layers
        asked = {"layers": layers, "pooling": recipe.embeddings_pooling}
        rows = _layers(cache, recipe.inputs.model_copy(update=asked))
        if recipe.layers == "middle":
            rows = rows.of_layers(rows.chosen.middle)
        settled = "best" if recipe.layers == "best" else rows.chosen.layers
        recipe = recipe.model_copy(update={"embeddings": rows.chosen, "layers": settled})
        more = None if variants is None else _layers(cache, rows.chosen, recipe)
        return Inputs(recipe, manifest, split, rows, learned, more)
    store = open_store(cache, recipe.inputs)
    copies = None if variants is None else open_store(cache, variants, recipe.train.copies)
    return Inputs(recipe, manifest, split, store, learned, copies)


def _layers(cache: Path, asked: EmbeddingOptions, variants: Recipe | None = None) -> LayerRows:
    """Layers of a store of embeddings, or of one of the variants that a recipe learns from."""
    changes = None if variants is None else variants.augment
    copies = 1 if variants is None else variants.train.copies
    store = open_embeddings(cache, asked, changes, copies)
    return LayerRows(store, narrowed(store, asked))


def _task(
    recipe: Recipe, manifest: Manifest, split: Split, own_tasks: Mapping[str, Sequence[str]] | None
) -> Task:
    rows = manifest.table.num_rows
    parts = np.zeros(rows, np.int8) if split.folds else parts_for(split, manifest)
    parts = np.where(chosen_rows(manifest.table, recipe.corpora, recipe.languages), parts, UNUSED)
    return resolve_task(recipe.task, manifest.table, parts, merges=recipe.merges, own=own_tasks)
