"""The clips of a run, ready to be read in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ser_pipeline.arrays import Float64s, Floats, Int64s
from ser_pipeline.datasets.batch import MEMORY_LIMIT, BesideClips, Clips, FrameClips, MelClips, VectorClips
from ser_pipeline.datasets.examples import Examples
from ser_pipeline.datasets.layers import LayerRows, SideBySide, of_layers, sequence_of_rows
from ser_pipeline.datasets.normalise import Learned, Voice, corpus_gains, first_step, learn_scaling, shifts
from ser_pipeline.datasets.rows import KeyedRows, RowStore, Variants, read_levels, read_vectors
from ser_pipeline.datasets.sampling import draw_chances
from ser_pipeline.datasets.speakers import (
    COPIES,
    Described,
    Surroundings,
    average_voice,
    describe_speakers,
    enrolled,
    nobodys_clips,
    pretended,
)
from ser_pipeline.datasets.targets import JoinedClips, Taught, TrainingClips, intensity_weights, soft_targets
from ser_pipeline.errors import RunError
from ser_pipeline.labels import Task
from ser_pipeline.options import BuiltFor, Recipe, WaveOptions, mels_of
from ser_pipeline.records import PARTS
from ser_pipeline.runs.learned import LayerChoice
from ser_pipeline.runs.types import SplitInfo
from ser_pipeline.store import Store
from ser_pipeline.tables.cells import listed, plural


@dataclass(frozen=True)
class RunData:
    """The clips of a run.

    Attributes:
        recipe: what was asked for.
        task: its classes.
        split: which split, and fold.
        manifest_digest: of the manifest.
        synthetic: some of the manifest's recordings were synthesised.
        store: the open store.
        examples: clips of all parts.
        positions: their rows in the store, shape ``(clips,)``.
        failed: (utterance id, reason) of clips that the store could not use.
        left_out: how many clips the recipe's condition says nothing about, in words; "" for none.
        around: every clip of the split, whatever its emotion; for normalising by speaker alone.
        variants: random variants of the training clips; None for none.
        choice: how layers of encoders were chosen on validation clips; empty where they were given.
        taught: what a teacher says of the training clips; None if there is none.
    """

    recipe: Recipe
    task: Task
    split: SplitInfo
    manifest_digest: str
    synthetic: bool
    store: KeyedRows
    examples: Examples
    positions: Int64s
    failed: tuple[tuple[str, str], ...]
    left_out: str = ""
    around: Surroundings | None = None
    variants: Variants | None = None
    choice: tuple[LayerChoice, ...] = ()
    taught: Taught | None = None

    def __repr__(self) -> str:
        """One line: model, task, and clips by part."""
        counts = ", ".join(f"{part} {clips}" for part, clips in self.counts().items())
        return f"RunData({self.recipe.model.name}, {self.task.name}: {counts} clips)"

    def with_layers(
        self, layers: Sequence[int], choice: tuple[LayerChoice, ...] | None = None, *, encoder: int = 0
    ) -> "RunData":
        """The same clips, seen through these layers of an encoder and no other of its layers.

        Args:
            layers: numbers of layers that the store has.
            choice: how layers were chosen; None leaves what is known of that.
            encoder: which of several it is, counted from 0.

        Raises:
            RunError: the clips are not layers of an encoder.
        """
        store, variants = of_layers(self.store, layers, encoder), self.variants
        if variants is not None:
            variants = Variants(of_layers(variants.store, layers, encoder), variants.positions)
        known = [*self.recipe.encoder_layers]
        known[encoder] = tuple(layers)
        encoders = [each.chosen for each in (store.encoders if isinstance(store, SideBySide) else (store,))]
        recipe = self.recipe.with_encoders(encoders, known)
        chosen = self.choice if choice is None else choice
        return replace(self, recipe=recipe, store=store, variants=variants, choice=chosen)

    def with_taught(self, taught: Taught, *, synthetic: bool) -> "RunData":
        """The same clips, with what a teacher says of them.

        Args:
            taught: of the training clips, and of recordings without a label.
            synthetic: some of these were synthesised.
        """
        return replace(self, taught=taught, synthetic=self.synthetic or synthetic)

    @property
    def n_inputs(self) -> BuiltFor:
        """What a network is built for."""
        inputs = self.recipe.inputs
        if isinstance(inputs, WaveOptions) and inputs.encoder is not None:
            return inputs.encoder
        shape = self.store.shape if self._sequence is None else self._sequence.shape
        return shape if self.recipe.model.architecture.inputs == "frames" else shape[0]

    @property
    def n_beside(self) -> int:
        """Columns of the vectors beside a sequence; 0 for none."""
        return 0 if self._sequence is None else self.store.shape[0]

    def rows(self, part: str) -> Int64s:
        """Numbers of the clips of one part."""
        return np.flatnonzero(self.examples.part == PARTS.index(part))

    def counts(self) -> dict[str, int]:
        """Clips by part."""
        return {part: len(self.rows(part)) for part in PARTS}

    def class_counts(self) -> dict[str, tuple[int, ...]]:
        """Clips of each class by part."""
        classes, targets = len(self.task.emotions), self.examples.target
        counts = {part: np.bincount(targets[self.rows(part)], minlength=classes) for part in PARTS}
        return {part: tuple(each[:classes].tolist()) for part, each in counts.items()}

    def remarks(self) -> list[str]:
        """What training sees, and what it does not, one line each."""
        counts = self.counts()
        parts = ", ".join(f"{part} {clips}" for part, clips in counts.items())
        lines = [f"{self.recipe.model.name}, {self.task.words}: {parts} clips, split '{self.split.name}'"]
        pairs = zip(self.recipe.encoders, self.recipe.encoder_layers, strict=True)
        left = [each.name for each, layers in pairs if layers == "best"]
        if left and "embeddings" in self.recipe.vectors:
            lines.append(f"layers of {' and '.join(left)} are chosen on validation clips")
        speakers = self.examples.column("speaker_id")
        lines += filter(None, (self.left_out, nobodys_clips(speakers) if self.around is not None else ""))
        if self.failed:
            clips, (clip, reason) = plural(len(self.failed), "clip"), self.failed[0]
            lines.append(f"{clips} left out, which the store could not use: {clip}: {reason}")
        if not counts["test"]:
            lines.append(
                f"split '{self.split.name}': no clip chosen is in the test part; there will be no test score"
            )
        clips_by_class = zip(self.task.emotions, self.class_counts()["train"], strict=True)
        if absent := [emotion for emotion, count in clips_by_class if not count]:
            names, them = listed(absent, "or"), "them" if absent[1:] else "it"
            lines.append(f"there are no training clips of {names}, so the model cannot learn {them}")
        return lines

    def names(self, column: str) -> tuple[str, ...]:
        """Different values of a column of the manifest among the clips, sorted."""
        return tuple(sorted(set(self.examples.column(column).tolist())))

    def learned(self) -> Learned:
        """What reading the clips takes from the training part: gains of corpora, and scales of vectors."""
        found = Learned(gains_db=self._gains())
        if not self.recipe.vectors:
            return found
        values = np.concatenate([*self._trained_vectors()])
        scaling = learn_scaling(values, self.store.names, self.recipe.normalise)
        return found.model_copy(update={"scaling": scaling, "voice": self._voice if self._adaptive else None})

    def _gains(self) -> dict[str, float]:
        front_end, rows = mels_of(self.recipe.inputs), self.rows("train")
        if front_end is None or front_end.level != "corpus_rms":
            return {}
        levels = read_levels(*sequence_of_rows(self.store, self.positions[rows]))
        return corpus_gains(levels, self.examples.column("corpus")[rows], front_end.target_rms)

    def clips(self, rows: Int64s, learned: Learned, *, memory_limit: int = MEMORY_LIMIT) -> Clips:
        """Data set of some clips, in the order given.

        Args:
            rows: numbers of the clips.
            learned: from the training part of this run.
            memory_limit: bytes of mels to keep in memory.

        Raises:
            RunError: what was learned is of other inputs than these.
        """
        return self._clips(self.store, self.positions[rows], rows, learned, memory_limit)

    def _clips(
        self, store: KeyedRows, positions: Int64s, rows: Int64s, learned: Learned, memory_limit: int
    ) -> Clips:
        """Rows of a store as what they are variants of."""
        steps = self._steps(store, positions, rows, learned, memory_limit)
        if steps is not None and not self.recipe.vectors:
            return steps
        return self.scaled(self._first_step(store, positions, rows), rows, learned, steps)

    def scaled(
        self, vectors: Floats, rows: Int64s, learned: Learned, steps: Clips | None = None
    ) -> VectorClips | BesideClips:
        """Data set of some clips by their vectors after the first step, alone or beside their sequences.

        Args:
            vectors: shape ``(clips, columns)``.
            rows: numbers of the clips.
            learned: from the training part of this run.
            steps: sequences of the clips; None for vectors alone.

        Raises:
            RunError: what was learned is of other vectors than these.
        """
        if learned.scaling is None or learned.scaling.names != self.store.names:
            raise RunError("the model was trained on other features than the store holds; train it again")
        values, targets = learned.scaling.apply(vectors), self.examples.target[rows]
        return VectorClips(values, targets) if steps is None else BesideClips(steps, values)

    def steps(self, rows: Int64s, learned: Learned, *, memory_limit: int = MEMORY_LIMIT) -> Clips | None:
        """Mels or frames of some clips, without vectors beside them; None for a model of vectors alone."""
        return self._steps(self.store, self.positions[rows], rows, learned, memory_limit)

    def _steps(
        self, store: KeyedRows, positions: Int64s, rows: Int64s, learned: Learned, memory_limit: int
    ) -> Clips | None:
        inputs, targets = self.recipe.model.architecture.inputs, self.examples.target[rows]
        store, positions = sequence_of_rows(store, positions)
        front_end = mels_of(self.recipe.inputs)
        if front_end is not None:
            shift = shifts(learned.gains_db, self.examples.column("corpus")[rows], front_end)
            return MelClips(store, positions, targets, shift, memory_limit=memory_limit)
        if inputs in ("frames", "waves") and isinstance(store, Store | LayerRows):
            return FrameClips(store, positions, targets, memory_limit=memory_limit)
        return None

    def training_clips(self, learned: Learned) -> Clips:
        """Data set of the training part, with its variants and with recordings without a label.

        Its batches have votes or a teacher's probabilities as targets, weights and ratings, where wanted.

        Args:
            learned: from :meth:`learned`.
        """
        examples, options, dimensions = self.learned_examples(), self.recipe.train, self.recipe.rated
        clips, taught = self._with_variants(learned), self.taught
        ratings = examples.ratings(dimensions) if dimensions else None
        if self.recipe.target or not (options.soft_labels or options.intensity_strength or taught):
            return clips if ratings is None else TrainingClips(clips, ratings=ratings)
        votes, strength = examples.table["votes"], options.intensity_strength
        soft = embeddings = None
        if options.soft_labels or taught:
            soft = soft_targets(votes, examples.target, self.task, share=options.soft_labels)
        if taught is not None and soft is not None:
            rows = self._taught_rows()
            soft = taught.mixed(soft, rows, share=options.teacher_weight)
            embeddings = None if taught.embeddings is None else taught.embeddings[rows]
        weights = intensity_weights(examples.table, strength=strength) if strength else None
        return TrainingClips(clips, soft, weights, ratings, embeddings)

    def validation_clips(self, learned: Learned) -> Clips:
        """Data set of the validation part, with its ratings where these are the target."""
        rows, target = self.rows("validation"), self.recipe.target
        clips = self.clips(rows, learned)
        return TrainingClips(clips, ratings=self.examples.take(rows).ratings(target)) if target else clips

    def _taught_rows(self) -> Int64s:
        """Which of what a teacher says belongs to each row that training learns from."""
        unlabelled = 0 if self.taught is None else len(self.taught.unlabelled)
        clips, learned = len(self.rows("train")), len(self.learned_rows())
        return np.concatenate([np.arange(learned) % clips, clips + np.arange(unlabelled)])

    def training_vectors(self, learned: Learned) -> VectorClips:
        """The training part as one set of vectors, for models that are fitted at once.

        Args:
            learned: from :meth:`learned`.
        """
        clips = self._with_variants(learned)
        parts = clips.parts if isinstance(clips, JoinedClips) else (clips,)
        vectors = [each for each in parts if isinstance(each, VectorClips)]
        if len(vectors) < len(parts):
            raise TypeError("a classifier learns from vectors")
        values = np.concatenate([each.values.numpy() for each in vectors])
        return VectorClips(values, np.concatenate([each.targets.numpy() for each in vectors]))

    def _with_variants(self, learned: Learned) -> Clips:
        """The training clips, their variants and recordings without a label, all in memory or none."""
        rows, known, taught = self.rows("train"), self.variants, self.taught
        sets = [(self, self.store, self.positions[rows], rows)]
        if known is not None:
            sets += [(self, known.store, positions, rows) for positions in known.positions]
        if taught is not None and len(taught.unlabelled):
            others = replace(self, examples=taught.unlabelled, positions=taught.positions)
            sets.append((others, self.store, taught.positions, np.arange(len(taught.unlabelled))))
        read = [data._steps(store, at, numbers, learned, 0) for data, store, at, numbers in sets]
        limits = JoinedClips.memory_limits(read, MEMORY_LIMIT)
        parts: list[Clips] = []
        for (data, store, at, numbers), limit in zip(sets, limits, strict=True):
            if self._adaptive and not parts:
                steps = self._steps(store, at, numbers, learned, limit)
                parts += [self.scaled(each, rows, learned, steps) for each in self._trained_vectors()]
            else:
                parts.append(data._clips(store, at, numbers, learned, limit))
        return parts[0] if len(parts) == 1 else JoinedClips(parts)

    def learned_rows(self) -> Int64s:
        """Number of the clip of each labelled row that training learns from: itself, then each variant."""
        copies = 0 if self.variants is None else len(self.variants.positions)
        return np.tile(self.rows("train"), (COPIES if self._adaptive else 1) + copies)

    def learned_examples(self) -> Examples:
        """What training learns from, row by row; recordings without a label come last."""
        labelled = self.examples.take(self.learned_rows())
        return labelled if self.taught is None else labelled.joined(self.taught.unlabelled)

    def chances(self) -> Float64s | None:
        """Chance of each training clip to be drawn; None where the recipe takes every clip once an epoch."""
        balance = self.recipe.train.balance
        if not balance:
            return None
        examples = self.learned_examples()
        return draw_chances(examples.column("corpus"), examples.target, balance)

    def drawn_counts(self) -> Float64s:
        """Training clips of each class that an epoch draws on average, shape ``(classes,)``."""
        targets, chances = self.learned_examples().target, self.chances()
        weights = None if chances is None else len(targets) * chances
        return np.bincount(targets, weights, len(self.task.emotions)).astype(np.float64)

    def vectors(self, rows: Int64s) -> Floats:
        """Features of some clips after the first step of their normalisation, shape ``(clips, features)``.

        They are centred by speaker or related to their own clip where the recipe says so, and not yet
        standardised.
        """
        return self._first_step(self.store, self.positions[rows], rows)

    def _first_step(self, store: KeyedRows, positions: Int64s, rows: Int64s) -> Floats:
        mode = self.recipe.normalise
        values = first_step(read_vectors(store, positions), store.names, mode)
        if mode not in ("speaker", "adaptive"):
            return values
        around = self._surroundings
        who = around.describing(self.examples.part[rows], self.examples.column("speaker_id")[rows])
        if mode == "speaker":
            return self._described.apply(values, who)
        return enrolled(self.store, around, self._voice, values, who)

    def _trained_vectors(self) -> Iterator[Floats]:
        """Training clips after the first step: once, or for ``adaptive`` with several enrolments."""
        rows = self.rows("train")
        if not self._adaptive:
            yield self.vectors(rows)
            return
        values, speakers = read_vectors(self.store, self.positions[rows]), self.examples.column("speaker_id")
        for copy in range(COPIES):
            seed = self.recipe.train.seed * COPIES + copy
            yield pretended(self.store, self._surroundings, self._voice, values, speakers[rows], seed=seed)

    @property
    def _adaptive(self) -> bool:
        return bool(self.recipe.vectors) and self.recipe.normalise == "adaptive"

    @property
    def _sequence(self) -> RowStore | None:
        """The store of mels or frames that vectors stand beside."""
        return self.store.sequence if isinstance(self.store, SideBySide) else None

    @cached_property
    def _voice(self) -> Voice:
        return average_voice(self.store, self._surroundings)

    @property
    def _surroundings(self) -> Surroundings:
        if self.around is None:
            raise RunError("speakers cannot be described without the split's other clips")
        return self.around

    @cached_property
    def _described(self) -> Described:
        return describe_speakers(self.store, self._surroundings)
