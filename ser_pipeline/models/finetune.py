"""A pretrained encoder that is trained itself, and a probe on its layers.

Either the last layers that are used are trained as a whole, or a correction of low rank to the queries and
values of every one: ``W + B A``, where ``B`` begins at 0. The correction stands beside the weight and not
beside the layer, for some encoders read the weights of a layer without calling it. What is not trained is
read from the encoder's own files and is kept in no run. Dropout inside the encoder stays off.

Source Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
"""

import copy
import math
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint as recomputed

from ser_pipeline.encoders import read_checkpoint
from ser_pipeline.encoders.checkpoint import load_network
from ser_pipeline.encoders.embed import same_weights
from ser_pipeline.encoders.network import Network as EncoderNetwork
from ser_pipeline.encoders.network import network_of
from ser_pipeline.errors import SettingsError
from ser_pipeline.models.probe import Probe
from ser_pipeline.options import EmbeddingOptions

USUAL_RANK: Final = 8
"""Of a correction where nothing is said."""

WITHOUT_GRADIENT: Final = 8
"""Stretches that the encoder sees at once where nothing is learned; all of a batch would fill the memory."""

_CORRECTED: Final = re.compile(r"(q_proj|v_proj|linear_q|linear_v)")
"""Queries and values, as the families name them."""


class LowRank(nn.Module):
    """A correction of low rank to a matrix, 0 before it is trained.

    Args:
        weight: to correct, shape ``(out, into)``.
        rank: of the correction.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        out, into = weight.shape
        self.down = nn.Parameter(torch.randn(rank, into) / math.sqrt(into))
        self.up = nn.Parameter(torch.zeros(out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The corrected matrix, of the same shape."""
        return weight + self.up @ self.down


class FineTuned(Probe):
    """Samples ``(batch, frames, 1, 160)`` to class scores; padding beyond a clip's own frames is not heard.

    Args:
        encoder: located, with the layers that are used.
        n_classes: number of outputs.
        unfreeze: train this many layers as a whole, from the last one that is used down.
        lora: train corrections of this rank instead.
        checkpointing: compute layers again for the gradient instead of keeping what happens in them.
        attention: weigh steps when pooling them.
        dropout: share of units dropped before the pooling and in the head.

    Raises:
        EncoderError: the encoder cannot be loaded, or is another one than the options say.
        SettingsError: more layers are to be trained than are used.
    """

    def __init__(
        self,
        encoder: EmbeddingOptions,
        n_classes: int,
        *,
        unfreeze: int | None = None,
        lora: int | None = None,
        checkpointing: bool = False,
        attention: bool = True,
        dropout: float = 0.3,
    ) -> None:
        last, used = max(encoder.layers), encoder.layers
        if unfreeze is not None and unfreeze > last:
            raise SettingsError(
                f"--unfreeze {unfreeze}: of {encoder.name} layers 1 to {last} are used, so that at most "
                f"{last} can be trained; use higher ones (--layers), or train fewer"
            )
        if last == 0:
            raise SettingsError(
                f"--layers 0: is what goes into {encoder.name}, of which nothing can be trained"
            )
        files = read_checkpoint(Path(encoder.folder))
        same_weights(files, encoder)
        super().__init__(len(used), encoder.width, n_classes, attention=attention, dropout=dropout)
        self._made_of: dict[str, Any] = {
            "encoder": encoder, "n_classes": n_classes, "unfreeze": unfreeze, "lora": lora,
            "checkpointing": checkpointing, "attention": attention, "dropout": dropout,
        }  # fmt: skip
        self._used = used
        self.encoder = load_network(files, last)
        self._runs = network_of(files, self.encoder, last)
        place = "layers" if files.family == "whisper" else "encoder.layers"
        self._blocks = [*self.encoder.get_submodule(place).children()][:last]
        if unfreeze is None:
            self._correct(lora or USUAL_RANK)
        else:
            for block in self._blocks[-unfreeze:]:
                block.requires_grad_(True)
        if checkpointing:
            for block in self._blocks:
                block.forward = _recomputed(block.forward)
        fitted = {name for name, each in self.named_parameters() if each.requires_grad}
        self._frozen = {name for name in self.state_dict() if name.startswith("encoder.")} - fitted

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Another network of the same weights, whose encoder hands its layers to it alone."""
        other = type(self)(**self._made_of)
        other.only_rates, other.dimensions = self.only_rates, copy.deepcopy(self.dimensions)
        other.load_state_dict(self.state_dict())
        return other

    def train(self, mode: bool = True) -> Self:
        """Set the head's mode; the encoder stays in that of evaluation."""
        super().train(mode)
        self.encoder.eval()
        return self

    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the probe makes of the encoder's steps, ``(batch, steps, width)``, and each clip's own."""
        return super().steps(*self.heard(mels, lengths))

    def heard(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Steps of the encoder's layers, ``(batch, steps, layers, width)``, and each clip's own."""
        frames, _, size = mels.shape[1:]
        waves = mels.flatten(1)  # (batch, samples)
        samples = [frames * size] * len(mels) if lengths is None else (lengths * size).tolist()
        parts: list[Tensor] = []
        owners: list[int] = []
        for clip, (wave, count) in enumerate(zip(waves, samples, strict=True)):
            found = wave[:count].tensor_split(max(1, -(-count // self._runs.window)))
            parts += found
            owners += [clip] * len(found)
        counts = [self._runs.steps(part.numel()) for part in parts]
        at_once = len(parts) if torch.is_grad_enabled() else WITHOUT_GRADIENT
        states: list[Tensor] = []
        for start in range(0, len(parts), at_once):
            batch = slice(start, start + at_once)
            states += self._states(parts[batch], counts[batch])
        clips = [
            torch.cat([some for some, owner in zip(states, owners, strict=True) if owner == clip])
            for clip in range(len(mels))
        ]
        own = torch.tensor([len(clip) for clip in clips])
        return pad_sequence(clips, batch_first=True), None if lengths is None else own

    def _states(self, parts: list[Tensor], counts: list[int]) -> list[Tensor]:
        """Layers of stretches that the encoder sees at once, each ``(steps, layers, width)``."""
        found: dict[int, Tensor] = {}
        self._runs.run([self._runs.inputs(part) for part in parts], counts, found.__setitem__)
        states = torch.stack([found[layer].float() for layer in self._used], 2)
        return [each[:count] for each, count in zip(states, counts, strict=True)]

    def fitted_state(self) -> dict[str, Tensor]:
        """All but those weights of the encoder that are not trained."""
        return {name: value for name, value in self.state_dict().items() if name not in self._frozen}

    def load_fitted(self, state: Mapping[str, Tensor]) -> None:
        """Take what :meth:`fitted_state` gave; the rest is the encoder's own.

        Raises:
            RuntimeError: it is of another network.
        """
        if state.keys() != self.fitted_state().keys():
            raise RuntimeError("its weights are of other layers than are trained here")
        self.load_state_dict(state, strict=False)

    def apart(self) -> tuple[EncoderNetwork, Probe]:
        """Copies of the encoder, with corrections added to its weights, and of the probe on its layers."""
        other = copy.deepcopy(self).eval()
        for layer in other.encoder.modules():
            if parametrize.is_parametrized(layer, "weight"):
                parametrize.remove_parametrizations(layer, "weight")
        made = self._made_of
        probe = Probe(len(self._used), made["encoder"].width, made["n_classes"], attention=made["attention"])
        probe.norm, probe.layers = other.norm, other.layers
        probe.attention, probe.scale, probe.head = other.attention, other.scale, other.head
        probe.only_rates, probe.dimensions = other.only_rates, other.dimensions
        return other._runs, probe.eval()

    @property
    def trained(self) -> dict[int, int]:
        """How many weights are trained of each layer of the encoder of which any are."""
        counts = [sum(each.numel() for each in self._trainable(block)) for block in self._blocks]
        return {layer: count for layer, count in enumerate(counts, 1) if count}

    def before_training(self, layer: int) -> Self:
        """A copy in which one layer of the encoder, counted from 1, is as it was before it was trained."""
        other = copy.deepcopy(self).eval()
        fresh = type(self)(**self._made_of)
        other._blocks[layer - 1].load_state_dict(fresh._blocks[layer - 1].state_dict())
        return other

    def parts_by_depth(self) -> list[tuple[int | None, list[nn.Parameter]]]:
        """The head, then each layer that is trained from the last one down."""
        within = [self._trainable(block) for block in self._blocks]
        inside = {id(each) for some in within for each in some}
        head = [each for each in self._trainable(self) if id(each) not in inside]
        layers = [(above, some) for above, some in enumerate(reversed(within)) if some]
        return [(None, head), *layers]

    @staticmethod
    def _trainable(part: nn.Module) -> list[nn.Parameter]:
        return [each for each in part.parameters() if each.requires_grad]

    def _correct(self, rank: int) -> None:
        for block in self._blocks:
            for name, layer in [*block.named_modules()]:
                if isinstance(layer, nn.Linear) and _CORRECTED.fullmatch(name.rpartition(".")[2]):
                    parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def quiet(*given: Any, **named: Any) -> Any:
        with warnings.catch_warnings():  # as in encoders/network.py, for when it is computed again
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            return forward(*given, **named)

    def run(*given: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*given, **named)
        return recomputed(quiet, *given, use_reentrant=False, **named)

    return run
