"""Loaders of a run's batches, made by each process for itself."""

import numpy as np
import numpy.typing as npt
from lightning.pytorch import LightningDataModule
from torch import Generator
from torch.utils.data import DataLoader

from ser_pipeline.datasets.batch import Batch, Clips, whole_batch
from ser_pipeline.datasets.sampler import EpochBatches, ordered_batches
from ser_pipeline.settings import TrainOptions

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
    """

    def __init__(
        self,
        train: Clips,
        validation: Clips,
        options: TrainOptions,
        *,
        chances: npt.NDArray[np.float64] | None = None,
        first_epoch: int = 0,
    ) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.options = options
        self.chances = chances
        self.first_epoch = first_epoch
        self.batches: EpochBatches | None = None

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

    def _loader(self, clips: Clips, batches: EpochBatches | list[list[int]]) -> DataLoader[Batch]:
        # a loader draws from its generator when it starts; torch's own must stay as the epoch set it
        return DataLoader(
            clips,
            batch_sampler=batches,
            collate_fn=whole_batch,
            num_workers=self.options.workers,
            persistent_workers=False,
            generator=Generator(),
        )

    def _process(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
