"""A residual convolutional network: blocks with a short cut, attentive statistics over time.

Sizes  stem 3x3 of 32 channels; residual blocks of 32, 64, 128 channels, two 3x3 convolutions each;
       2x2 pooling between them; a linear layer from each step's bands and channels to 256;
       attention 256 -> 64 -> 1; mean and standard deviation; head 512 -> 64 -> classes.
Source He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Okabe et al.,
       "Attentive Statistics Pooling for Deep Speaker Embedding", Interspeech 2018.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.models.layers import upright, valid_frames
from ser_pipeline.models.network import MelNetwork
from ser_pipeline.models.ragged import Level, as_image, as_rows, convolved, lay_out, pooled, put, take

CHANNELS = (32, 64, 128)
WIDTH = 256


class ResNet(MelNetwork):
    """Mel spectrograms to class scores by residual blocks.

    With ``masked``, every convolution sees zeros beyond a clip's length, and batch statistics and pooling see
    valid frames alone.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        masked: keep padding out.
        own_scale: put each clip on a scale of its own first.
        attention: weigh steps when pooling them.
        dropout: share of units dropped in the head.
        channels: of the residual blocks; the stem has those of the first.
        width: numbers that describe a step.
    """

    def __init__(
        self,
        n_mels: int,
        n_classes: int,
        *,
        masked: bool = True,
        own_scale: bool = False,
        attention: bool = True,
        dropout: float = 0.3,
        channels: tuple[int, ...] = CHANNELS,
        width: int = WIDTH,
    ) -> None:
        super().__init__(masked=masked, own_scale=own_scale)
        self.stem = Convolution(1, channels[0])
        self.blocks = nn.ModuleList(Residual(*sizes) for sizes in pairwise((channels[0], *channels)))
        self.project = nn.Linear(channels[-1] * (n_mels // 2 ** len(channels)), width)
        self.pool(width, n_classes, attention=attention, dropout=dropout, statistics=True)

    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the blocks find in each step, ``(batch, steps, width)``."""
        if lengths is not None:
            found, counts = self._masked_steps(mels, lengths)
            return self.project(found), counts
        x = F.relu(self.stem(upright(mels)))
        for block in self.blocks:
            x = block(F.max_pool2d(x, 2))  # (batch, channels, frames, mels)
        return self.project(x.permute(0, 2, 3, 1).flatten(2)), None

    def _masked_steps(self, mels: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Steps of each clip, zero beyond its own, and how many it has (on the CPU)."""
        plan = lay_out(lengths, mels.shape[2], len(self.blocks))
        here, *ahead = (*plan.levels, plan.after)
        x = F.relu(self.stem(valid_frames(mels, plan.source), here))  # (valid, mels, channels)
        for block, level in zip(self.blocks, ahead, strict=True):
            strip = put(x, here.arrivals, here.rows)
            x = block(pooled(take(strip, here.leaving), here), level)
            here = level
        return plan.steps_of(x), plan.steps


class Residual(nn.Module):
    """Two convolutions and a short cut around them; a 1x1 convolution where channels differ.

    Args:
        into: channels that come in.
        out: channels that go out.
    """

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first = Convolution(into, out)
        self.second = Convolution(out, out)
        self.short_cut = nn.Conv2d(into, out, 1, bias=False) if into != out else nn.Identity()

    def forward(self, x: Tensor, level: Level | None = None) -> Tensor:
        """Apply to an image, or to the valid frames of a level; the shape but for channels stays."""
        y = self.second(F.relu(self.first(x, level)), level)
        short = self.short_cut(x) if level is None else as_rows(self.short_cut(as_image(x)))
        return F.relu(y + short)


class Convolution(nn.Module):
    """A 3x3 convolution and its batch norm.

    Args:
        into: channels that come in.
        out: channels that go out.
    """

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(into, out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor, level: Level | None = None) -> Tensor:
        """Convolve and normalise.

        Args:
            x: an image ``(batch, channels, frames, mels)``; with ``level``, the valid frames of all
                clips ``(valid, mels, channels)`` in the order of its arrivals.
            level: where the clips lie on a strip.
        """
        if level is None:
            image: Tensor = self.norm(self.convolution(x))
            return image
        strip = convolved(self.convolution, x, level)
        return as_rows(self.norm(as_image(take(strip, level.arrivals))))
