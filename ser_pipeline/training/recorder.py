"""What Lightning is told to train: the batches, what stays of each epoch, and on which device."""

import math
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as lightning
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from ser_pipeline.arrays import Float64s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.datasets.batch import Batch, Clips
from ser_pipeline.datasets.sampling import EpochBatches, ordered_batches, whole_batch
from ser_pipeline.errors import TrainingError
from ser_pipeline.options import TrainOptions
from ser_pipeline.processes import processes
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.curves import (
    LAST,
    METRIC_COLUMNS,
    RATING_COLUMNS,
    EpochReport,
    Listener,
    Row,
    best_row,
    out_of_patience,
    write_metrics,
)
from ser_pipeline.training.checkpoint import save_model
from ser_pipeline.training.device import choose_precision, holds_data, hush, quiet_lightning
from ser_pipeline.training.module import TrainedNetwork

SCORING_BATCH = 64
"""Clips scored at once; decisions do not depend on it."""


class RunBatches(LightningDataModule):
    """Training and validation batches.

    Args:
        train: clips to fit.
        validation: clips to score after each epoch; may be empty.
        options: batch size, seed and workers.
        chances: of each training clip to be drawn; None takes every clip once an epoch.
        first_epoch: the epoch that comes first, counted from 0; not 0 in a resumed run.

    Attributes:
        on_device: all clips are held on the device that trains.
    """

    def __init__(
        self,
        train: Clips,
        validation: Clips,
        options: TrainOptions,
        *,
        chances: Float64s | None = None,
        first_epoch: int = 0,
    ) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.options = options
        self.chances = chances
        self.first_epoch = first_epoch
        self.batches: EpochBatches | None = None
        self.on_device = False

    def setup(self, stage: str) -> None:
        """Hold all clips on the device of this process, where that is wanted."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self.on_device = holds_data(self.options, device, self.train.nbytes + self.validation.nbytes)
        if self.on_device:
            self.train.hold(device)
            self.validation.hold(device)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches; the order depends on seed and epoch alone."""
        rank, world = self._process()
        self.batches = EpochBatches(
            len(self.train),
            self.options.batch_size,
            seed=self.options.seed,
            rank=rank,
            world=world,
            shards=self.train.shards,
            buffer=self.train.buffer,
            chances=self.chances,
        )
        self.batches.set_epoch(self.first_epoch)
        return self._loader(self.train, self.batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        """All validation clips in order, shared among processes."""
        rank, world = self._process()
        batches = ordered_batches(len(self.validation), SCORING_BATCH, rank=rank, world=world)
        return self._loader(self.validation, batches)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Bring a batch to the device, but for the lengths of its clips."""
        return batch.to(device)

    def _loader(self, clips: Clips, batches: EpochBatches | list[list[int]]) -> DataLoader[Batch]:
        workers = 0 if self.on_device else processes(self.options.workers, alone=0)
        # a loader draws from its generator when it starts; torch's own must stay as the epoch set it
        return DataLoader(
            clips,
            batch_sampler=batches,
            collate_fn=whole_batch,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,  # each takes seconds to import torch
            generator=Generator(),
        )

    def _process(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


class Recorder(Callback):
    """Writes a run's files after each epoch and stops when patience is over.

    All it knows is the list of epochs so far. It is part of ``last.ckpt``, so a resumed run has the
    same best epoch and patience as one that was never interrupted.

    Args:
        folder: of the run.
        card: of the model; its epoch is filled in.
        options: monitored score, patience, epochs.
        clips: number of training clips.
        listener: is told of steps and epochs.
    """

    def __init__(
        self, folder: Path, card: ModelCard, options: TrainOptions, *, clips: int, listener: Listener
    ) -> None:
        self.folder = folder
        self.card = card
        self.options = options
        self.clips = clips
        self.listener = listener
        self.history: list[Row] = []

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in a process that Lightning started: it is as quiet as the one that started it."""
        self.__dict__.update(state)
        hush()

    def state_dict(self) -> dict[str, Any]:
        """The epochs so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the epochs of a checkpoint."""
        self.history = list(state_dict["history"])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say that an epoch begins, and choose its order of clips."""
        trainer.datamodule.batches.set_epoch(trainer.current_epoch)  # type: ignore[attr-defined]
        if trainer.is_global_zero:
            self.listener.epoch_began(trainer.current_epoch + 1, self.clips)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say that a step is done."""
        if trainer.is_global_zero:
            self.listener.step_done(len(batch.targets) * trainer.world_size)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is kept of the epoch, then the state that training goes on from.

        Raises:
            TrainingError: a loss is not finite; the files of the epoch before are kept.
        """
        if not isinstance(pl_module, TrainedNetwork):
            raise TypeError(f"a Recorder watches a TrainedNetwork, not {type(pl_module).__name__}")
        row = self._row(trainer, pl_module)
        if not all(math.isfinite(row[f"{part}_loss"] or 0.0) for part in ("train", "validation")):
            raise TrainingError(
                f"epoch {row['epoch']}: the loss is not finite; lower --lr, "
                "or check the store with 'ser cache verify'"
            )
        self.history.append(row)
        best = best_row(self.history, self.options)
        trainer.should_stop = out_of_patience(self.history, self.options)
        last = self.folder / LAST
        if not trainer.is_global_zero:
            trainer.save_checkpoint(last)  # takes part; only the first process writes
            return
        write_metrics(self.folder, self.history)
        if best is row:
            save_model(self.folder, pl_module.kept, self.card.model_copy(update={"epoch": row["epoch"]}))
        with write_atomically(last) as part:
            trainer.save_checkpoint(part)
        self.listener.epoch_done(self._report(row, int(best["epoch"] or 0)))

    def _row(self, trainer: Trainer, module: TrainedNetwork) -> Row:
        def summed(tensor: Tensor) -> Tensor:
            return cast(Tensor, trainer.strategy.reduce(tensor.clone(), reduce_op="sum"))

        module.train_totals.stop()
        row: Row = {"epoch": trainer.current_epoch + 1, "learning_rate": module.learning_rate}
        for part, totals in (("train", module.train_totals), ("validation", module.validation_totals)):
            row |= {f"{part}_{name}": value for name, value in totals.scores(summed).items()}
            row[f"{part}_seconds"] = round(totals.seconds, 3)
        columns = RATING_COLUMNS if "validation_ccc" in row else METRIC_COLUMNS
        return {column: row[column] for column in columns}

    def _report(self, row: Row, best_epoch: int) -> EpochReport:
        train_seconds = float(row["train_seconds"] or 0)
        seconds = train_seconds + float(row["validation_seconds"] or 0)
        epoch, patience = int(row["epoch"] or 0), self.options.patience
        stops = self.options.epochs if patience is None else min(self.options.epochs, best_epoch + patience)
        return EpochReport(
            row=row,
            epochs=self.options.epochs,
            best_epoch=best_epoch,
            clips_per_second=self.clips / max(train_seconds, 1e-9),
            patience_seconds=(stops - epoch) * seconds,
        )


def fit(
    module: TrainedNetwork, batches: RunBatches, recorder: Recorder, device: str, checkpoint: Path | None
) -> None:
    """Let Lightning train a network to the end, or until patience is over.

    Args:
        module: network and objective.
        batches: of its clips.
        recorder: writes what stays.
        device: as Lightning or torch calls it.
        checkpoint: to go on from; None begins.
    """
    options = module.options
    with quiet_lightning():
        trainer = lightning.Trainer(
            accelerator={"cuda": "gpu"}.get(device, device),
            devices=options.devices,
            strategy="auto" if options.devices == 1 else "ddp_spawn",
            precision=choose_precision(options, device),
            max_epochs=options.epochs,
            limit_val_batches=1.0 if len(batches.validation) else 0,
            callbacks=[recorder],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            benchmark=False,
            default_root_dir=recorder.folder,
        )
        start = None if checkpoint is None else str(checkpoint)
        trainer.fit(module, datamodule=batches, ckpt_path=start, weights_only=True)
