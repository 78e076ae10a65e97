"""Distillation: what a trained run says of the clips that another network learns from.

A teacher must never have learned from clips that its pupil is judged by, or leaves out, so it must be of
the same manifest, split and fold, and of the same choice of training clips. It is asked about each recording
once, as it lies in the teacher's store; what it answers is kept in
``cache/teachers/<digest of the teacher>.parquet`` by the recording's own digest.
"""

import hashlib
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ser_pipeline.arrays import Float32s, Int64s, Strings
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.datasets.examples import Examples
from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.datasets.prepare import Inputs, looked_up, read_inputs
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.datasets.taught import find_unlabelled, with_teacher, without
from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.labels import Task
from ser_pipeline.models.fitted import EstimatorNetwork
from ser_pipeline.models.network import EmbeddingNetwork, Network
from ser_pipeline.options import EmbeddingOptions, TrainOptions
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.curves import EpochReport
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.find import find_run
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.runs.names import fold_folder
from ser_pipeline.runs.types import ALL_FOLDS, SETTINGS, RunInfo
from ser_pipeline.tables.cells import plural
from ser_pipeline.training.answers import Answers, answers_path, read_answers, write_answers
from ser_pipeline.training.apply import apply_network
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.classifiers import fit_classifier, speaker_folds
from ser_pipeline.training.info import check_same
from ser_pipeline.training.layers import as_trained
from ser_pipeline.training.run import train_run


def taught(inputs: Inputs, data: RunData, runs: Path) -> RunData:
    """The clips of a run with what its teacher says of them; as they are where it has none.

    Args:
        inputs: of the run.
        data: its clips.
        runs: folder in which a teacher is looked for by name.

    Raises:
        RunError: there is no such run, it is not trained, or it may have learned from clips that this run is
            judged by.
        ManifestError: the manifest of recordings without a label is missing; likewise StoreMissing.
        TrainingError: no recording without a label is left.
    """
    options = data.recipe.train
    if options.teacher is None or data.recipe.target:
        return data
    teacher = Teacher.of(find_teacher(data, runs), inputs, options)
    spare = find_unlabelled(inputs, data)
    asked = data.examples.of_part("train").joined(spare.examples)
    source = spare.manifest
    logits, embeddings = teacher.answers(asked, None if source is None else source.path.parent)
    temperature = options.teacher_temperature * (teacher.card.temperature or 1.0)
    probabilities = (torch.from_numpy(logits) / temperature).softmax(1).numpy()
    info = teacher.described("" if source is None else source.digest)
    return with_teacher(data, info, spare, probabilities, embeddings if teacher.embed else None)


def find_teacher(data: RunData, runs: Path) -> Path:
    """Folder of the run that teaches, after checking that it may.

    Raises:
        RunError: as :func:`taught`.
    """
    folder = find_run(str(data.recipe.train.teacher), runs)
    if read_info(folder).split.fold == ALL_FOLDS and data.split.number is not None:
        folder = fold_folder(folder, data.split.number)
        if not (folder / SETTINGS).is_file():
            raise RunError(f"{folder}: not found; the teacher was not trained on this fold")
    _check(read_info(folder), data, folder)
    return folder


def _check(info: RunInfo, data: RunData, folder: Path) -> None:
    """Make sure that a run may teach another: same task, and nothing learned that the other is judged by."""
    if (info.emotions, info.merges) != (data.task.emotions, dict(data.task.merges)):
        raise RunError(
            f"{folder}: the teacher predicts {info.words}, this run {data.task.words}; both must have the "
            "same task and merges"
        )
    pairs = {
        "manifest": (info.manifest_digest, data.manifest_digest),
        "split": ((info.split.name, info.split.digest), (data.split.name, data.split.digest)),
        "fold": (info.split.fold, data.split.fold),
    }
    for what, (its, own) in pairs.items():
        if its != own:
            raise RunError(
                f"{folder}: the teacher was trained on another {what}, so it may have learned from clips "
                f"that this run is judged by; train it on the same {what}"
            )
    recipe, others = data.recipe, info.recipe
    for flag in ("corpora", "languages", "where", "train_corpora", "train_share"):
        kept = getattr(recipe, flag)
        drawn = flag == "train_share" and recipe.train.seed != others.train.seed
        if kept not in ((), "", 1.0) and (kept != getattr(others, flag) or drawn):
            raise RunError(
                f"{folder}: the teacher was trained without this run's --{flag.replace('_', '-')}, so it may "
                "know clips that this run must not; train it with the same one, and the same --seed"
            )
    if info.stopped is None:
        raise RunError(
            f"{folder}: the teacher's training has not ended; 'ser train --resume {folder}' ends it"
        )
    if not info.counts.get("validation"):
        raise RunError(
            f"{folder}: the teacher has no validation clips, so nothing says how sure it may be; "
            "choose one that has"
        )


@dataclass(frozen=True)
class Teacher:
    """A trained run that is asked about clips.

    Attributes:
        folder: of the run.
        info: its settings.
        network: its model.
        card: of the model.
        inputs: of the run that it teaches; manifest and cache are the same.
        held_out: training clips are asked about as if it had not learned from them. A network that had a
            teacher itself is never fitted again.
        embed: it is asked for embeddings.
    """

    folder: Path
    info: RunInfo
    network: Network
    card: ModelCard
    inputs: Inputs
    held_out: bool
    embed: bool

    @classmethod
    def of(cls, folder: Path, inputs: Inputs, options: TrainOptions) -> "Teacher":
        """Load a run.

        Args:
            folder: of the run.
            inputs: of the run that it teaches.
            options: of that run.

        Raises:
            RunError: its model is damaged.
        """
        info, (network, card) = read_info(folder), load_model(folder)
        again = ("always", "auto") if isinstance(network, EstimatorNetwork) else ("always",)
        held_out = options.teacher_held_out in again and info.teacher is None
        return cls(folder, info, network, card, inputs, held_out, options.teacher_embedding_weight > 0)

    @cached_property
    def own(self) -> Inputs:
        """Manifest, split and store that it was trained on.

        Raises:
            StoreMissing: its store is missing.
        """
        recipe, info = self.info.recipe, self.info
        task = Task(recipe.task, info.emotions, info.merges, info.corpora)
        manifests = self.inputs.manifest.path.parent
        return read_inputs(
            recipe, manifests=manifests, cache=self.inputs.cache, task=task, scoring=not self._fits
        )

    @property
    def _fits(self) -> bool:
        """Whether its network is trained again, for which its variants are needed."""
        return self.held_out and not isinstance(self.network, EstimatorNetwork)

    @cached_property
    def data(self) -> RunData:
        """The clips that it was trained on.

        Raises:
            RunError: they are other ones now.
        """
        data = as_trained(self.own.run_data(self.info.split.number), self.card)
        check_same(self.info, data, self.folder)
        return data

    @cached_property
    def digest(self) -> str:
        """Of its model, of what it learned from, and of how it is asked; 16 hexadecimal digits."""
        facts = (
            self.card.weights_digest,
            self.info.model_dump_json(include={"recipe", "manifest_digest", "split", "store_fingerprint"}),
            f"held out {self.held_out}, embeddings {self.embed}",
        )
        return hashlib.blake2b("\n".join(facts).encode(), digest_size=8).hexdigest()

    def described(self, unlabelled_manifest: str) -> TeacherInfo:
        """What its pupil's settings say of it.

        Args:
            unlabelled_manifest: digest of the manifest of recordings without a label; "" for none.
        """
        place, parts = self.folder, self.info.recipe.parts
        return TeacherInfo(
            run=place.name if self.info.split.fold is None else f"{place.parent.name}/{place.name}",
            what=self.info.recipe.words,
            encoders=tuple(part.name for part in parts if isinstance(part, EmbeddingOptions)),
            digest=self.digest,
            held_out=self.held_out,
            unlabelled_manifest=unlabelled_manifest,
        )

    def answers(self, asked: Examples, manifests: Path | None) -> tuple[Float32s, Float32s]:
        """Class scores and embeddings of clips; those that were asked for before are read from the cache.

        Args:
            asked: the clips, of training or without a label.
            manifests: folder of the manifest of the latter; for messages.

        Returns:
            Shapes ``(clips, classes)`` and ``(clips, d)``; NaN where its store could not use a clip.

        Raises:
            StoreMissing: its store is missing, or lacks clips.
            TrainingError: its store could use none of them.
            RunError: the cached answers are damaged.
        """
        path = answers_path(self.inputs.cache, self.digest)
        known, digests = read_answers(path, self.network.classes), asked.column("audio_digest")
        new = np.ones(len(asked), bool) if known is None else ~np.isin(digests, known.digests)
        fresh = self._asked(asked.take(new), manifests) if new.any() else None
        if fresh is not None:
            known = fresh if known is None else known.joined(fresh)
            write_answers(path, known)
        if known is None:
            raise TrainingError(
                f"{self.folder}: the teacher's store could use none of {plural(len(asked), 'clip')}"
            )
        return known.of(digests)

    def _asked(self, asked: Examples, manifests: Path | None) -> Answers | None:
        """Ask about clips; None where its store could use none of them."""
        positions, _ = looked_up(self.own.store, asked, manifests=manifests)
        here = positions >= 0
        if not here.any():
            return None
        asked = asked.take(here)
        known = replace(self.data, examples=asked, positions=positions[here])
        logits, embeddings = self._scored(known)
        if self.held_out:
            self._hold_out(known, logits)
        return Answers(tuple(asked.column("audio_digest").tolist()), logits, embeddings)

    def _scored(self, asked: RunData) -> tuple[Float32s, Float32s]:
        """Class scores and embeddings; the embedding of a classifier is the vector that it reads."""
        network, clips = self.network, _clips(asked, self.card.learned)
        if not self.embed:
            return apply_network(network, clips, network), np.zeros((len(clips), 0), np.float32)
        if not isinstance(network, EmbeddingNetwork):
            return apply_network(network, clips, network), apply_network(network, clips, _inputs)
        embeddings = apply_network(network, clips, network.embed)
        with torch.inference_mode():
            return network.head(torch.from_numpy(embeddings)).numpy(), embeddings

    def _hold_out(self, asked: RunData, logits: Float32s) -> None:
        """Put in what the model says of training speakers when it is fitted without them, in place.

        Embeddings stay those of the one model: several would not lie in the same space.
        """
        own = self.data.examples.take(self.data.learned_rows())
        digests, speakers = (own.column(name) for name in ("audio_digest", "speaker_id"))
        wanted, people = (asked.examples.column(name) for name in ("audio_digest", "speaker_id"))
        learned = np.isin(wanted, digests)
        for fit, held in speaker_folds(self.data, own.target):
            theirs = np.where(learned, np.isin(wanted, digests[held]), np.isin(people, speakers[held]))
            if not theirs.any():
                continue
            network, again = self._fitted_again(fit, digests[held])
            rows = np.flatnonzero(theirs)
            logits[rows] = apply_network(network, _clips(asked, again, rows), network)

    def _fitted_again(self, fit: Int64s, held: Strings) -> tuple[Network, Learned]:
        """The model fitted to a part of its training clips, and what it learned of its inputs.

        Args:
            fit: numbers of the clips that a classifier is fitted to.
            held: digests of the clips that a network must not know.
        """
        if isinstance(self.network, EstimatorNetwork):
            train, c = self.data.training_vectors(self.card.learned), float(self.info.extra["c"])
            return fit_classifier(self.data, train, c, fit)[0], self.card.learned
        dropped = np.isin(self.data.examples.column("audio_digest"), held)
        with tempfile.TemporaryDirectory(prefix="ser-teacher-") as folder:
            train_run(without(self.data, dropped), Path(folder), _Nobody(), command="")
            network, card = load_model(Path(folder))
        return network, card.learned


class _Nobody:
    """Follows no training."""

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Pay no attention."""

    def step_done(self, clips: int) -> None:
        """Pay no attention."""

    def epoch_done(self, report: EpochReport) -> None:
        """Pay no attention."""


def _clips(asked: RunData, learned: Learned, rows: Int64s | None = None) -> Clips:
    return asked.clips(np.arange(len(asked.examples)) if rows is None else rows, learned, memory_limit=0)


def _inputs(inputs: torch.Tensor, *_: torch.Tensor | None) -> torch.Tensor:
    return inputs
