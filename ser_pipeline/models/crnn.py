"""The convolutional recurrent network of the source report: three blocks, BiLSTM, attention.

Sizes  blocks 3x3 of 32, 64, 128 channels, each pooled 2x2; two LSTM layers of 128 units a
       direction; attention 256 -> 64 -> 1; head 256 -> 64 -> classes. 2,227,589 parameters
       with 96 mels and 4 classes.
Layout time is the tall axis of an image and mel bands the wide one, so that a frame is one
       contiguous piece of memory and clips can lie end to end (see ``ragged.py``).
"""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser_pipeline.models.layers import block_steps, blocks
from ser_pipeline.models.network import MelNetwork
from ser_pipeline.options import Pooling

CHANNELS = (32, 64, 128)
HIDDEN = 128


class CRNN(MelNetwork):
    """Mel spectrograms to class scores.

    With ``masked``, invalid frames are zero before every convolution and after every ReLU, and batch
    statistics, LSTM and attention see valid ones alone.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        masked: keep padding out.
        own_scale: put each clip on a scale of its own first.
        attention: weigh steps when pooling them.
        pooling: ``mean`` weighs no step; ``stats`` keeps the standard deviation beside the mean.
        bidirectional: read the steps both ways.
        dropout: share of units dropped in the head and between LSTM layers.
        channels: of the convolutions.
        hidden: units of an LSTM layer, each direction.
    """

    def __init__(
        self,
        n_mels: int,
        n_classes: int,
        *,
        masked: bool = True,
        own_scale: bool = False,
        attention: bool = True,
        pooling: Pooling = "attention",
        bidirectional: bool = True,
        dropout: float = 0.3,
        channels: tuple[int, ...] = CHANNELS,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__(masked=masked, own_scale=own_scale)
        self.convolutions, self.norms = blocks(channels)
        features = channels[-1] * (n_mels // 2 ** len(channels))
        self.lstm = nn.LSTM(
            features, hidden, 2, batch_first=True, bidirectional=bidirectional, dropout=dropout
        )
        self.pool(
            hidden * (2 if bidirectional else 1),
            n_classes,
            attention=attention and pooling != "mean",
            dropout=dropout,
            statistics=pooling == "stats",
        )

    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """States of the LSTM, ``(batch, steps, 2 * hidden)``; a step is of eight frames."""
        x, counts = block_steps(self.convolutions, self.norms, mels, lengths)
        if counts is None:
            states: Tensor = self.lstm(x)[0]
            return states, None
        packed = pack_padded_sequence(x, counts, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0], counts
