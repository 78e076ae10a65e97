"""What stays of each epoch: a line of metrics, the best weights, and a state to go on from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import TrainingError
from ser_pipeline.options import TrainOptions
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.curves import METRIC_COLUMNS, RATING_COLUMNS, write_metrics
from ser_pipeline.training.checkpoint import save_model
from ser_pipeline.training.device import hush
from ser_pipeline.training.module import TrainedNetwork

Row = dict[str, float | int | None]
"""One epoch by the names of :data:`ser_pipeline.runs.curves.METRIC_COLUMNS`."""

LAST = "last.ckpt"


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch, as a watcher is told of it.

    Attributes:
        row: by the names of :data:`ser_pipeline.runs.curves.METRIC_COLUMNS`.
        epochs: at most this many.
        best_epoch: best so far, counted from 1.
        clips_per_second: training clips.
        patience_seconds: until training stops if nothing gets better; None if it would not.
        word: what an epoch is called.
        note: what sets this one apart from the others.
    """

    row: Row
    epochs: int
    best_epoch: int
    clips_per_second: float
    patience_seconds: float | None
    word: str = "epoch"
    note: str = ""


class Listener(Protocol):
    """Follows a training; called from the first process only."""

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Epoch ``epoch`` (counted from 1) begins; it has ``clips`` clips."""

    def step_done(self, clips: int) -> None:
        """A step with ``clips`` clips is done."""

    def epoch_done(self, report: EpochReport) -> None:
        """An epoch is done and its files are written."""


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
        """Write what stays of the epoch, then the state that goes on from it.

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


def monitored(history: Sequence[Row], options: TrainOptions) -> str:
    """Column of the score by which the best epoch is picked: of ratings, it is always their concordance."""
    return "validation_ccc" if history and "validation_ccc" in history[0] else f"validation_{options.monitor}"


def best_row(history: Sequence[Row], options: TrainOptions) -> Row:
    """The epoch whose weights count: the first with the highest monitored score.

    Without validation clips no epoch can be told to be better, and the last one counts.

    Examples:
        >>> rows = [{"epoch": 1, "validation_uar": 0.5}, {"epoch": 2, "validation_uar": 0.7}]
        >>> best_row([*rows, {"epoch": 3, "validation_uar": 0.7}], TrainOptions())["epoch"]
        2
    """
    key = monitored(history, options)
    scored = [row for row in history if row.get(key) is not None]
    if not scored:
        return history[-1]
    return max(scored, key=lambda row: (row[key], -(row["epoch"] or 0)))


def out_of_patience(history: Sequence[Row], options: TrainOptions) -> bool:
    """Whether the best epoch lies ``patience`` epochs back."""
    if options.patience is None or not history:
        return False
    return len(history) - int(best_row(history, options)["epoch"] or 0) >= options.patience
