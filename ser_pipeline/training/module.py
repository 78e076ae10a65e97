"""One network in training: steps, scores of epochs, learning rate, and the running mean of its weights."""

import copy
import math
import time
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from ser_pipeline.datasets.augment import augment_batch
from ser_pipeline.datasets.batch import Batch
from ser_pipeline.losses import RATING_LOSSES, CrossEntropy
from ser_pipeline.losses.auxiliary import cosine_distance, supervised_contrastive
from ser_pipeline.metrics import RATING_SUMS, accuracy, mean_ccc, rating_scores, uar
from ser_pipeline.models.network import EmbeddingNetwork, Network
from ser_pipeline.options import FrontEnd, TrainOptions
from ser_pipeline.processes import multiply_in
from ser_pipeline.training.device import keep_freed_memory

_EARLY: Final = 10
"""While there are few steps the mean forgets faster, so that fresh weights do not stay in it."""

Reduce = Callable[[Tensor], Tensor]


class Totals:
    """Confusion counts and summed loss; they stay on the device until scores are asked for.

    Args:
        classes: number of classes.
        device: to count on.

    Attributes:
        seconds: wall time between making and stopping this.
    """

    def __init__(self, classes: int, device: torch.device | str = "cpu") -> None:
        self.classes = classes
        self.confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), dtype=_exact(device), device=device)
        self.seconds = 0.0
        self._started = time.perf_counter()

    def add(self, losses: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            losses: of each clip, shape ``(batch,)``.
            logits: shape ``(batch, classes)``.
            targets: class numbers, shape ``(batch,)``.
        """
        cells = targets * self.classes + logits.detach().argmax(1)
        self.confusion.index_add_(0, cells, torch.ones_like(cells))  # bincount would wait for the device
        self.loss += losses.detach().sum(dtype=self.loss.dtype)

    def stop(self) -> None:
        """Take the time; only the first call counts."""
        self.seconds = self.seconds or time.perf_counter() - self._started

    def scores(self, reduce: Reduce) -> dict[str, float | None]:
        """Mean loss, accuracy and UAR; None without clips.

        Args:
            reduce: sums a tensor over all processes.
        """
        confusion = reduce(self.confusion).cpu().numpy().reshape(self.classes, self.classes)
        loss = float(reduce(self.loss))
        clips = int(confusion.sum())
        if clips == 0:
            return {"clips": 0, "loss": None, "accuracy": None, "uar": None}
        return {
            "clips": clips,
            "loss": loss / clips,
            "accuracy": float(accuracy(confusion)),
            "uar": float(uar(confusion)),
        }


class RatingTotals(Totals):
    """The same for ratings: sums of which concordance and mean square error are made.

    Args:
        dimensions: that are rated.
        rating_loss: which of the two is the loss.
        device: to count on.
    """

    def __init__(self, dimensions: int, rating_loss: str, device: torch.device | str = "cpu") -> None:
        super().__init__(1, device)
        self.rating_loss = rating_loss
        self.sums = torch.zeros(dimensions, RATING_SUMS, dtype=_exact(device), device=device)

    def add(self, losses: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            losses: not looked at: the concordance of all clips is not a mean over batches.
            logits: ratings of the network, shape ``(batch, dimensions)``.
            targets: ratings of listeners, NaN where a clip has none, same shape.
        """
        x, y = targets.to(self.sums.dtype), logits.detach().to(self.sums.dtype)
        columns = torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y, (x - y).abs()])
        self.sums += columns.masked_fill(x.isnan(), 0).sum(1).T

    def scores(self, reduce: Reduce) -> dict[str, float | None]:
        """Loss, NaN where the network diverged, and mean concordance over dimensions; None without ratings.

        Args:
            reduce: sums a tensor over all processes.
        """
        sums = reduce(self.sums).cpu().numpy().astype(np.float64)
        rated = sums[sums[:, 0] > 0]
        if not np.isfinite(rated).all():
            return {"clips": int(sums[:, 0].max()), "loss": math.nan, "ccc": None}
        found = rating_scores(rated)
        concordance = mean_ccc(found["ccc"])
        if concordance is None:
            return {"clips": 0, "loss": None, "ccc": None}
        loss = 1 - concordance if self.rating_loss == "ccc" else float((found["rmse"] ** 2).mean())
        return {"clips": int(sums[:, 0].max()), "loss": loss, "ccc": concordance}


def _exact(device: torch.device | str) -> torch.dtype:
    """The most exact floats of a device: MPS has none with 64 bits."""
    return torch.float32 if torch.device(device).type == "mps" else torch.float64


class TrainedNetwork(LightningModule):
    """A network with its objective, its optimizer, and the sums of the current epoch.

    Every epoch starts torch's generator again from (seed, epoch, process), so an epoch's draws do
    not depend on what ran before it: a resumed run repeats them.

    Args:
        network: to train.
        loss: objective; None for a network that rates clips, whose loss is that of the options.
        options: how.
        front_end: of the mels: their scale, and what masks are filled with.
        steps_per_epoch: batches of an epoch.
        taught_width: numbers of a teacher's embedding that the network learns as well; 0 for none. The
            projection to it is fitted beside the network and kept in no model.
    """

    draws: torch.Generator

    def __init__(
        self,
        network: Network,
        loss: CrossEntropy | None,
        options: TrainOptions,
        front_end: FrontEnd,
        *,
        steps_per_epoch: int,
        taught_width: int = 0,
    ) -> None:
        super().__init__()
        self.network = network
        self.mean = copy.deepcopy(network).requires_grad_(False) if options.averaging else None
        self.projection = _projection(network, taught_width) if taught_width else None
        self.loss = loss
        self.options = options
        self.steps_per_epoch = steps_per_epoch
        self.front_end = front_end
        self.learning_rate = 0.0
        self.strict_loading = False  # what fitting does not change is in no checkpoint
        self.train_totals = self.totals(torch.device("cpu"))
        self.validation_totals = self.totals(torch.device("cpu"))

    def totals(self, device: torch.device) -> Totals:
        """Sums of an epoch that begins."""
        if self.loss is None:
            return RatingTotals(self.network.classes, self.options.rating_loss, device)
        return Totals(self.loss.classes, device)

    @property
    def kept(self) -> Network:
        """What is scored and saved: the network, or the running mean of its weights."""
        return self.network if self.mean is None else self.mean

    def on_fit_start(self) -> None:
        """Prepare this process."""
        if self.device.type == "cpu":
            keep_freed_memory()

    def on_train_epoch_start(self) -> None:
        """Set all generators by seed, epoch and process."""
        key = np.random.SeedSequence((self.options.seed, self.current_epoch, self.global_rank))
        network, masks = (int(word) for word in key.generate_state(2))
        torch.manual_seed(network)
        self.draws = torch.Generator().manual_seed(masks)
        self.train_totals = self.totals(self.device)
        self.validation_totals = self.totals(self.device)
        multiply_in("tf32" if self.options.precision == "tf32" else "ieee")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch, a scalar."""
        batch = augment_batch(batch, self.options, self.front_end, self.network.classes, self.draws)
        self.learning_rate = cast(Any, self.optimizers()).param_groups[0]["lr"]
        if self.loss is None:
            return self._share(batch) * self._rated(self.network, batch, self.train_totals)
        logits, embeddings = self._scored(batch)
        losses = self.loss.per_clip(logits, batch.targets, soft=batch.soft, weights=batch.weights)
        self.train_totals.add(losses, logits, batch.targets)
        loss = losses.mean() if embeddings is None else losses.mean() + self._beside(embeddings, batch)
        return self._share(batch) * loss

    def _share(self, batch: Batch) -> float | Tensor:
        """What this process's loss counts where the mean over processes is taken: as many as it has clips."""
        if self.options.devices == 1:
            return 1.0
        own = torch.tensor(float(len(batch.numbers)), device=self.device)
        return own / cast(Tensor, self.all_gather(own)).mean()

    def _rated(self, network: Network, batch: Batch, totals: Totals) -> Tensor:
        """Loss of a network's ratings of one batch, a scalar, and count them."""
        if batch.ratings is None:
            raise TypeError("a network that rates clips learns from clips with ratings")
        rated = network.rate(*batch.given())
        loss = RATING_LOSSES[self.options.rating_loss](rated, batch.ratings)
        totals.add(loss, rated, batch.ratings)
        return loss

    def _beside(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """What the objective wants of embeddings: classes apart, ratings met, the teacher's followed."""
        options, wanted = self.options, embeddings.new_zeros(())
        if options.contrastive_weight:
            apart = supervised_contrastive(
                embeddings, batch.targets, temperature=options.contrastive_temperature
            )
            wanted = wanted + options.contrastive_weight * apart
        head = getattr(self.network, "dimensions", None)
        if head is not None and batch.ratings is not None:
            rating_loss = RATING_LOSSES[options.rating_loss]
            wanted = wanted + options.dimension_weight * rating_loss(head(embeddings), batch.ratings)
        if self.projection is not None and batch.taught is not None:
            away = cosine_distance(self.projection(embeddings), batch.taught)
            wanted = wanted + options.teacher_embedding_weight * away
        return wanted

    def _scored(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Class scores, and embeddings where the objective looks at them."""
        needed = self.options.contrastive_weight or self.projection is not None
        if not needed and getattr(self.network, "dimensions", None) is None:
            return self.network(*batch.given()), None
        if not isinstance(self.network, EmbeddingNetwork):
            raise TypeError(f"{type(self.network).__name__} has no embedding that a loss could look at")
        embeddings = self.network.embed(*batch.given())
        return self.network.head(embeddings), embeddings

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Take the step's weights into their mean."""
        if self.mean is not None:
            step = self.global_step - 1
            average_into(self.mean, self.network, step=step, averaging=self.options.averaging)

    def on_validation_epoch_start(self) -> None:
        """Start the clock of validation."""
        self.train_totals.stop()
        multiply_in("ieee")
        self.validation_totals = self.totals(self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count one batch, always in fp32."""
        with torch.autocast(self.device.type, enabled=False):
            if self.loss is None:
                self._rated(self.kept, batch, self.validation_totals)
                return
            logits = self.kept(*batch.given())
            losses = self.loss.per_clip(logits, batch.targets)
        self.validation_totals.add(losses, logits, batch.targets)

    def on_validation_epoch_end(self) -> None:
        """Stop the clock of validation."""
        self.validation_totals.stop()

    def configure_optimizers(self) -> Any:
        """Optimizer, and a schedule that moves with every step."""
        options = self.options
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[options.optimizer]
        optimizer = kind(
            [{"params": some, "lr": self._rate(above)} for above, some in self._parts()],
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=self.device.type in {"cpu", "cuda"},
        )
        steps = self.steps_per_epoch
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_factor(step, steps, options)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Limit the norm of all gradients together.

        Done here because Lightning refuses to clip for fused optimizers, out of care for fp16's
        loss scaling, which bf16 does not use.
        """
        torch.nn.utils.clip_grad_norm_(self._fitted(), self.options.clip_norm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out what fitting does not change, such as frozen layers of an encoder."""
        fitted = self.network.fitted_state().keys()
        state = checkpoint["state_dict"]
        for name in [*state]:
            place, _, inner = name.partition(".")
            if place in ("network", "mean") and inner not in fitted:
                del state[name]

    def _fitted(self) -> list[nn.Parameter]:
        """All that steps move."""
        return [each for _, some in self._parts() for each in some]

    def _parts(self) -> list[tuple[int | None, list[nn.Parameter]]]:
        """The same, with how many layers of an encoder lie above each part."""
        beside = () if self.projection is None else self.projection.parameters()
        (above, head), *rest = self.network.parts_by_depth()
        return [(above, [*head, *beside]), *rest]

    def _rate(self, above: int | None) -> float:
        """Peak learning rate of what has this many layers of an encoder above it."""
        options = self.options
        if above is None:
            return options.learning_rate
        return options.encoder_learning_rate * options.layer_decay**above


def _projection(network: Network, width: int) -> nn.Linear:
    """From the network's own embedding to a teacher's."""
    if not isinstance(network, EmbeddingNetwork):
        raise TypeError(f"{type(network).__name__} has no embedding to project")
    return nn.Linear(network.width, width)


def rate_factor(step: int, steps_per_epoch: int, options: TrainOptions) -> float:
    """Share of the peak learning rate for one optimizer step.

    The rate moves with every step, not once an epoch. Over the warm-up it rises linearly and
    reaches 1 with the warm-up's last step. Then each cycle falls from 1 towards 0 as half a cosine,
    the first over ``restart_epochs`` and each further one ``restart_factor`` times as long.

    Args:
        step: number of the step, counted from 0.
        steps_per_epoch: batches of an epoch.
        options: ``warmup_epochs``, ``restart_epochs`` and ``restart_factor``.

    References:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.

    Examples:
        >>> options = TrainOptions(warmup_epochs=2, restart_epochs=10, restart_factor=2)
        >>> [round(rate_factor(step, 1, options), 3) for step in (0, 1, 2, 7, 12, 22, 32)]
        [0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 1.0]
    """
    warmup = options.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    if options.restart_epochs is None:
        return 1.0
    place, length = step - warmup, options.restart_epochs * steps_per_epoch
    while place >= length:
        place, length = place - length, length * options.restart_factor
    return (1 + math.cos(math.pi * place / length)) / 2


def average_into(mean: Network, network: Network, *, step: int, averaging: float) -> None:
    """Move a mean of weights towards the weights of a step, in place.

    The mean keeps ``min(averaging, step / (step + 9))`` of itself; with that its first value is
    the first step's weights. Running statistics of batch norms are averaged alike, counters copied.

    Args:
        mean: network of the same shape.
        network: after the step.
        step: number of the step, counted from 0.
        averaging: share that the mean keeps, below 1.

    References:
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control
        and Optimization 30, 1992; as a running mean in Tarvainen and Valpola, "Mean teachers are better
        role models", NeurIPS 2017.
    """
    kept = min(averaging, step / (step + _EARLY - 1))
    with torch.no_grad():
        for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - kept)
            else:
                old.copy_(new)
