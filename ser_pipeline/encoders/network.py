"""How each family of encoders turns waves into steps: what goes in, how many steps, what padding must not do.

A clip that is padded to the length of its batch gives the steps it gives alone: convolutions see zeros
beyond its end, as they do at the end of a wave, and attention sees no padding.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ser_pipeline.encoders.checkpoint import SAMPLE_RATE, Checkpoint
from ser_pipeline.errors import EncoderError

WINDOW_S: Final = 30.0
"""Longest stretch an encoder sees at once."""

_N_FFT: Final = 400
_HOP: Final = 160

Take = Callable[[int, torch.Tensor], None]
"""Called with the number of each layer and its states, shape ``(clips, steps, width)``."""


class Network(Protocol):
    """An encoder of any family.

    Attributes:
        window: samples it can see at once.
        network: its weights.
    """

    window: int
    network: nn.Module

    def steps(self, samples: int) -> int:
        """Steps that a wave of this many samples gives."""

    def inputs(self, wave: torch.Tensor) -> torch.Tensor:
        """What goes into the network for a wave of shape ``(samples,)``: ``(length, channels)``."""

    def run(self, clips: Sequence[torch.Tensor], steps: Sequence[int], take: Take) -> None:
        """Run inputs of several clips as one batch, handing each layer's states to ``take``."""

    def whole(self, waves: torch.Tensor, take: Take) -> None:
        """Run waves of one length, shape ``(clips, samples)``, in steps that a graph can hold."""


class Whisper:
    """Whisper on a clip's own length: its position table is cut to the clip's steps."""

    def __init__(self, checkpoint: Checkpoint, network: Any, last: int) -> None:
        settings = {
            "n_fft": 400,
            "hop_length": 160,
            "feature_size": checkpoint.config.get("num_mel_bins", 80),
        }
        for name, wanted in settings.items():
            found = checkpoint.preprocessor.get(name, wanted)
            if found != wanted:
                raise EncoderError(f"{checkpoint.folder}: {name} {found}; for this Whisper {wanted} is valid")
        self.network = network
        self._top = network.layer_norm if last == checkpoint.layers else nn.Identity()
        self._last = last
        positions = network.embed_positions.num_embeddings
        self.window = min(round(WINDOW_S * SAMPLE_RATE), positions * 2 * _HOP)
        self._filters = torch.from_numpy(_mel_filters(settings["feature_size"]).T).float().contiguous()
        self._fft_window = torch.hann_window(_N_FFT)

    def steps(self, samples: int) -> int:
        """Two frames of 10 ms make a step; a last single frame makes one too."""
        return -(-(samples // _HOP) // 2) if samples > _N_FFT // 2 else 0

    def inputs(self, wave: torch.Tensor) -> torch.Tensor:
        """The log-mel spectrogram of the clip alone, shape ``(frames, mels)``."""
        self._filters, self._fft_window = self._filters.to(wave.device), self._fft_window.to(wave.device)
        spectrum = torch.stft(wave, _N_FFT, _HOP, window=self._fft_window, return_complex=True)[:, :-1]
        return self._log_mel(torch.view_as_real(spectrum).square().sum(-1))

    def _log_mel(self, power: torch.Tensor) -> torch.Tensor:
        """Power of shape ``(..., bins, frames)`` to log-mels ``(..., frames, mels)``."""
        mel = torch.clamp(self._filters @ power, min=1e-10).log10()
        mel = torch.maximum(mel, mel.amax((-2, -1), keepdim=True) - 8.0)
        return ((mel + 4.0) / 4.0).transpose(-2, -1)

    def run(self, clips: Sequence[torch.Tensor], steps: Sequence[int], take: Take) -> None:
        """As transformers runs it, without its padding to 30 s."""
        mel = pad_sequence(list(clips), batch_first=True)
        frames = [len(clip) for clip in clips]
        self._encode(mel, valid_steps(frames, mel.device), valid_steps(steps, mel.device), take)

    def whole(self, waves: torch.Tensor, take: Take) -> None:
        """As one batch without padding; ONNX's own transform is slower than a convolution, and less exact."""
        around = F.pad(waves, (_N_FFT // 2, _N_FFT // 2), mode="reflect")
        frames = torch.eye(_N_FFT, dtype=torch.float64) * torch.hann_window(_N_FFT, dtype=torch.float64)
        power = _powers(around, frames, _N_FFT)[:, :, :-1]
        self._encode(self._log_mel(power), None, None, take)

    def _encode(
        self, mel: torch.Tensor, inside: torch.Tensor | None, valid: torch.Tensor | None, take: Take
    ) -> None:
        """Convolutions over frames, of which some are inside their clip, then layers over valid steps."""
        network = self.network
        bands = mel.to(network.conv1.weight.dtype).transpose(1, 2)
        x = F.gelu(network.conv1(bands))  # (clips, width, frames)
        if inside is not None:
            x = x * inside[:, None]
        x = F.gelu(network.conv2(x)).transpose(1, 2)  # (clips, steps, width)
        x = x + network.embed_positions.weight[: x.shape[1]]
        mask = None if valid is None else valid[:, None, None]
        take(0, x)
        for number, layer in enumerate(network.layers[: self._last], 1):
            x = layer(x, mask)
            take(number, self._top(x) if number == self._last else x)


class _Hooked:
    """A family whose own loop over layers is run; states are taken where they pass."""

    def __init__(self, checkpoint: Checkpoint, network: Any, last: int) -> None:
        self.network = network
        self.window = round(WINDOW_S * SAMPLE_RATE)
        self._take: Take = _nowhere
        layers = network.encoder.layers
        layers[0].register_forward_pre_hook(lambda _, given: self._take(0, given[0]))
        for number, layer in enumerate(layers[:last], 1):
            layer.register_forward_hook(self._hook(number))

    def _hook(self, number: int) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, made: Any) -> None:
            self._take(number, made[0] if isinstance(made, tuple) else made)

        return hook

    def _encode(self, hidden: torch.Tensor, valid: torch.Tensor | None, take: Take) -> None:
        self._take = take
        try:
            with warnings.catch_warnings():
                # WavLM in transformers hands torch a mask of one type and a bias of another
                warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
                self.network.encoder(hidden, attention_mask=valid)
        finally:
            self._take = _nowhere


class Waves(_Hooked):
    """Encoders that begin with convolutions over samples: wav2vec 2.0 and all that are built like it."""

    def __init__(self, checkpoint: Checkpoint, network: Any, last: int) -> None:
        super().__init__(checkpoint, network, last)
        self._normalise = bool(checkpoint.preprocessor.get("do_normalize", True))
        config = network.config
        self._strides = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
        # a group norm looks at all of a clip, so that padding would change it: one clip at a time
        self._alone = getattr(config, "feat_extract_norm", "layer") == "group"
        self._valid: torch.Tensor | None = None
        for layer in getattr(network.encoder.pos_conv_embed, "layers", [])[
            1:
        ]:  # data2vec has several in a row
            layer.register_forward_pre_hook(self._silence)

    def _silence(self, _: nn.Module, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return given if self._valid is None else (given[0] * self._valid[:, None],)

    def steps(self, samples: int) -> int:
        """What the convolutions leave."""
        for kernel, stride in self._strides:
            samples = (samples - kernel) // stride + 1
        return max(0, samples)

    def inputs(self, wave: torch.Tensor) -> torch.Tensor:
        """The wave, of mean 0 and variance 1 where the encoder was trained so, shape ``(samples, 1)``."""
        return self._levelled(wave)[:, None]

    def _levelled(self, wave: torch.Tensor) -> torch.Tensor:
        if not self._normalise:
            return wave
        variance = wave.var(-1, correction=0, keepdim=True)
        return (wave - wave.mean(-1, keepdim=True)) / torch.sqrt(variance + 1e-7)

    def run(self, clips: Sequence[torch.Tensor], steps: Sequence[int], take: Take) -> None:
        """Convolutions, then layers under a mask."""
        network = self.network
        waves = [clip[:, 0].to(network.dtype) for clip in clips]
        batches = [wave[None] for wave in waves] if self._alone else [pad_sequence(waves, batch_first=True)]
        made = [clip for batch in batches for clip in network.feature_extractor(batch).transpose(1, 2)]
        cut = [x[:count] for x, count in zip(made, steps, strict=True)]
        self._layers(pad_sequence(cut, batch_first=True), valid_steps(steps, made[0].device), take)

    def whole(self, waves: torch.Tensor, take: Take) -> None:
        """As one batch without padding."""
        made = self.network.feature_extractor(self._levelled(waves).to(self.network.dtype))
        self._layers(made.transpose(1, 2), None, take)

    def _layers(self, made: torch.Tensor, valid: torch.Tensor | None, take: Take) -> None:
        hidden = self.network.feature_projection(made)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden  # (clips, steps, width)
        self._valid = valid
        self._encode(hidden, valid, take)


class FilterBank(_Hooked):
    """wav2vec2-BERT, which begins with two frames of a filter bank side by side."""

    def __init__(self, checkpoint: Checkpoint, network: Any, last: int) -> None:
        super().__init__(checkpoint, network, last)
        from transformers import SeamlessM4TFeatureExtractor

        self._extract = SeamlessM4TFeatureExtractor.from_dict(checkpoint.preprocessor)
        self._stride = int(self._extract.stride)

    def steps(self, samples: int) -> int:
        """Two whole frames make a step."""
        return (max(0, samples - 400) // 160 + (samples >= 400)) // self._stride

    def inputs(self, wave: torch.Tensor) -> torch.Tensor:
        """The filter bank, each band of mean 0 and variance 1, shape ``(steps, bands)``."""
        made = self._extract(wave.cpu().numpy(), sampling_rate=SAMPLE_RATE, return_tensors="np")
        features = made["input_features"][0][: self.steps(wave.numel())]
        return torch.from_numpy(features).to(wave.device)

    def run(self, clips: Sequence[torch.Tensor], steps: Sequence[int], take: Take) -> None:
        """Layers under a mask."""
        features = pad_sequence(list(clips), batch_first=True).to(self.network.dtype)
        hidden, _ = self.network.feature_projection(features)
        self._encode(hidden, valid_steps(steps, hidden.device), take)

    def whole(self, waves: torch.Tensor, take: Take) -> None:
        """As one batch without padding; the filter bank is what the extractor computes, in torch."""
        extract = self._extract
        kept = torch.eye(_N_FFT, dtype=torch.float64) - 1 / _N_FFT  # without the mean of each frame
        before = torch.cat([kept[:1], kept[:-1]])
        shaped = torch.from_numpy(extract.window).double()[:, None] * (kept - 0.97 * before)
        powers = _powers(waves * 2**15, shaped, 512)
        filters = torch.from_numpy(extract.mel_filters.T).float()
        bank = (filters @ powers).clamp(min=1.192092955078125e-07).log()  # (clips, bands, frames)
        variance, mean = torch.var_mean(bank, 2, correction=1, keepdim=True)
        level = ((bank - mean) / torch.sqrt(variance + 1e-7)).transpose(1, 2)
        frames = level.shape[1] // self._stride * self._stride
        pairs = level[:, :frames].reshape(level.shape[0], -1, self._stride * level.shape[2])
        hidden, _ = self.network.feature_projection(pairs.to(self.network.dtype))
        self._encode(hidden, None, take)


def network_of(checkpoint: Checkpoint, network: nn.Module, last: int) -> Network:
    """The family's own way to run an encoder.

    Args:
        checkpoint: its files.
        network: as loaded up to layer ``last``.
        last: number of the last layer wanted.

    Raises:
        EncoderError: settings that are not understood.
    """
    if checkpoint.family == "whisper":
        return Whisper(checkpoint, network, last)
    if checkpoint.family == "wav2vec2-bert":
        return FilterBank(checkpoint, network, last)
    return Waves(checkpoint, network, last)


def valid_steps(steps: Sequence[int], device: torch.device) -> torch.Tensor | None:
    """Which steps of a padded batch belong to their clip, shape ``(clips, most)``; None for all of them."""
    if len(set(steps)) == 1:
        return None
    return torch.arange(max(steps), device=device) < torch.tensor(steps, device=device)[:, None]


def _mel_filters(bands: int) -> Any:
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(
        num_frequency_bins=1 + _N_FFT // 2,
        num_mel_filters=bands,
        min_frequency=0.0,
        max_frequency=SAMPLE_RATE / 2,
        sampling_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )


def _powers(waves: torch.Tensor, shaped: torch.Tensor, n_fft: int) -> torch.Tensor:
    """Power spectra of frames every 10 ms as one convolution, shape ``(clips, bins, frames)``.

    Args:
        waves: shape ``(clips, samples)``.
        shaped: what is done to a frame before its transform, as a matrix ``(frame, frame)``.
        n_fft: of the transform; frames are filled up with zeros.
    """
    bins = torch.arange(1 + n_fft // 2, dtype=torch.float64)[:, None]
    angle = 2 * torch.pi * bins * torch.arange(len(shaped)) / n_fft
    kernel = torch.cat([torch.cos(angle), torch.sin(angle)]) @ shaped
    cosines, sines = F.conv1d(waves[:, None], kernel[:, None].float(), stride=_HOP).square().chunk(2, 1)
    return cosines + sines


def _nowhere(number: int, states: torch.Tensor) -> None:
    """Take nothing."""
