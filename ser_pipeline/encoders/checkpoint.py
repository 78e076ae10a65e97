"""The files of an encoder: read, checked and named by their bytes; weights come from safetensors alone."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ser_pipeline.encoders.places import EXTRA, download, locate
from ser_pipeline.errors import EncoderError, SettingsError, some
from ser_pipeline.options import USUAL_ENCODER, EmbeddingOptions, Fused, ModelInputs, WaveOptions
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    import torch

T = TypeVar("T", bound=ModelInputs)

SAMPLE_RATE: Final = 16_000

FAMILIES: Final[Mapping[str, str]] = {
    "whisper": "Whisper",
    "wavlm": "WavLM",
    "wav2vec2": "Wav2Vec2",
    "wav2vec2-bert": "Wav2Vec2Bert",
    "hubert": "Hubert",
    "data2vec-audio": "Data2VecAudio",
    "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeechSat",
}
"""``model_type`` of a configuration -> how transformers' classes begin; XLS-R is a wav2vec 2.0."""

_LEFT_OUT: Final = {
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
    "add_adapter": False,
    "use_intermediate_ffn_before_adapter": False,
}
"""What only training needs, or what comes after the layers."""

_BLOCK_BYTES = 1 << 22
_MISSING_FILES = "an encoder's folder holds config.json, preprocessor_config.json and model.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder's files.

    Attributes:
        folder: that holds them.
        family: key of :data:`FAMILIES`.
        config: content of ``config.json``.
        preprocessor: content of ``preprocessor_config.json``.
        layers: that it has.
        width: numbers in each step of a layer.
        weights: its safetensors.
    """

    folder: Path
    family: str
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    layers: int
    width: int
    weights: tuple[Path, ...]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read what an encoder is, without its weights.

    Args:
        folder: in the layout of a transformers checkpoint.

    Raises:
        EncoderError: a file is missing or cannot be read, the architecture or rate is another one, or the
            weights are not safetensors.
    """
    config = _read_json(folder / "config.json")
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise EncoderError(f"{folder}: is a '{family}', no speech encoder; valid are {', '.join(FAMILIES)}")
    preprocessor = _read_json(folder / "preprocessor_config.json")
    rate = preprocessor.get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise EncoderError(f"{folder}: wants {rate} Hz; encoders at {SAMPLE_RATE} Hz are valid")
    names = ("encoder_layers", "d_model") if family == "whisper" else ("num_hidden_layers", "hidden_size")
    layers, width = (_count(folder, config, name) for name in names)
    return Checkpoint(folder, family, config, preprocessor, layers, width, tuple(_weights(folder)))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EncoderError(f"{path.parent}: no {path.name}; {_MISSING_FILES}") from None
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise EncoderError(f"{path}: holds no settings; get the file again")
    return content


def _count(folder: Path, config: Mapping[str, Any], name: str) -> int:
    found = config.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise EncoderError(
            f"{folder / 'config.json'}: {name}: found {found!r}, a whole number above 0 is valid"
        )
    return found


def _weights(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if index.is_file():
        parts = _read_json(index).get("weight_map")
        names = sorted(set(parts.values())) if isinstance(parts, dict) else []
        if not names or not all(re.fullmatch(r"[\w.-]+\.safetensors", str(name)) for name in names):
            raise EncoderError(f"{index}: names no safetensors of this folder; get the file again")
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise EncoderError(
                f"{folder}: {len(missing)} of {len(names)} parts missing: {some(missing, show=3)}"
            )
        return [folder / name for name in names]
    pickled = next((path.name for path in sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt*"))), None)
    if pickled is not None:
        raise EncoderError(
            f"{folder}: has {pickled} but no model.safetensors; pickled weights can run code and are never "
            "loaded: get the encoder as safetensors, or convert it (docs/encoders.md)"
        )
    raise EncoderError(f"{folder}: no model.safetensors; {_MISSING_FILES}")


def weights_digest(checkpoint: Checkpoint) -> str:
    """BLAKE2b of all that decides an encoder's numbers: settings and weights, 32 hex digits.

    Raises:
        EncoderError: a file cannot be read.
    """
    names = ("config.json", "preprocessor_config.json")
    paths = [*(checkpoint.folder / name for name in names), *checkpoint.weights]
    try:
        stamps = tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
        return _digest(tuple(paths), stamps)
    except OSError as error:
        raise EncoderError(f"{checkpoint.folder}: cannot be read: {error.strerror or error}") from None


@lru_cache(maxsize=8)
def _digest(paths: tuple[Path, ...], stamps: tuple[tuple[int, int], ...]) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for path, (size, _) in zip(paths, stamps, strict=True):
        hashed.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                hashed.update(block)
    return hashed.hexdigest()


def located(
    options: EmbeddingOptions, folders: Sequence[Path] = (), *, fetch: bool = False
) -> tuple[EmbeddingOptions, Checkpoint]:
    """Find the encoder that options name, and complete them by what it is.

    Args:
        options: with the encoder's name or folder.
        folders: folders that hold encoders.
        fetch: fetch it from the hub where it is not on this machine; the network is used for nothing else.

    Returns:
        The options with folder, digest, size and the numbers of all layers that are kept; its files.

    Raises:
        EncoderError: it is not here or cannot be read.
        SettingsError: a layer it does not have.
    """
    try:
        found = locate(options.encoder or USUAL_ENCODER, folders)
    except EncoderError:
        if not fetch:
            raise
        found = download(options.encoder or USUAL_ENCODER)
    checkpoint = read_checkpoint(found.folder)
    above = [layer for layer in options.layers if layer > checkpoint.layers]
    if above:
        raise SettingsError(
            f"layer {above[0]}: {found.name} has layers 0 (what goes into the first) to {checkpoint.layers}"
        )
    changes = {
        "encoder": found.name,
        "folder": str(found.folder),
        "weights": weights_digest(checkpoint),
        "depth": checkpoint.layers,
        "width": checkpoint.width,
        "layers": options.layers or tuple(range(checkpoint.layers + 1)),
    }
    return options.model_copy(update=changes), checkpoint


def found_again(options: T, folders: Sequence[Path] = ()) -> T:
    """What a model is given, with the folders in which its encoders lie today, if it has any.

    Raises:
        EncoderError: one is neither where it was nor among ``folders`` nor in the hub's cache.
    """

    def here(each: EmbeddingOptions) -> dict[str, str]:
        there = each.folder and (Path(each.folder) / "config.json").is_file()
        return {} if there else {"folder": str(locate(each.encoder, folders).folder)}

    return _changed(options, here)


def anywhere(options: T) -> T:
    """What a model is given, with its encoders by name alone: nothing of this machine is told."""
    return _changed(options, lambda each: {"encoder": each.name, "folder": "", "device": "auto"})


def _changed(options: T, change: Callable[[EmbeddingOptions], dict[str, str]]) -> T:
    """The same, with other values for every encoder, if there is any."""
    if isinstance(options, Fused):
        return options.model_copy(update={"parts": tuple(_changed(each, change) for each in options.parts)})
    if isinstance(options, WaveOptions) and options.encoder is not None:
        return options.model_copy(update={"encoder": _changed(options.encoder, change)})
    if isinstance(options, EmbeddingOptions):
        return options.model_copy(update=change(options))
    return options


def need_transformers() -> None:
    """Refuse to go on where the extra is missing.

    Raises:
        EncoderError: transformers is not installed; says how to get it.
    """
    try:
        import transformers  # noqa: F401
    except ImportError:
        raise EncoderError(f"encoders need transformers, which is not installed: {EXTRA}") from None


def load_network(checkpoint: Checkpoint, last: int) -> "torch.nn.Module":
    """Build the encoder up to a layer and fill it with its weights, in fp32 on the processor.

    Args:
        checkpoint: its files.
        last: layers to build at most; what lies above is neither built nor read.

    Returns:
        Whisper's encoder, or the whole network of the other families, in evaluation mode.

    Raises:
        EncoderError: the extra is not installed, a file is damaged, or weights are missing, of another size
            than the configuration says, or not finite.
    """
    need_transformers()
    import torch
    import transformers
    from huggingface_hub.errors import StrictDataclassError

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    stem, folder = FAMILIES[checkpoint.family], checkpoint.folder
    changes = _LEFT_OUT | {"num_hidden_layers": max(1, last)}
    if checkpoint.family == "whisper":
        changes = {"encoder_layers": max(1, last)}
    try:
        config = getattr(transformers, f"{stem}Config").from_dict({**checkpoint.config, **changes})
        kind = _whisper_encoder() if checkpoint.family == "whisper" else getattr(transformers, f"{stem}Model")
        tensors = dict(_tensors(checkpoint, max(1, last)))
        network, info = kind.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=True,
        )
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EncoderError(f"{folder}: cannot be built from its config.json: {reason}") from None
    _check(folder, network, info)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv1d):
            layer.forward = _in_full(layer)  # type: ignore[method-assign, assignment]
    return network.eval().requires_grad_(False)  # type: ignore[no-any-return]


def _in_full(layer: "torch.nn.Conv1d") -> "Callable[[torch.Tensor], torch.Tensor]":
    """Its ``forward``, in fp32 where a processor would compute it in bf16.

    On processors with AMX, oneDNN's convolutions in bf16 give other numbers altogether with few channels in a
    group and a long kernel, or with a stride longer than the kernel (measured with PyTorch 2.13).
    """
    import torch

    usual: Callable[[torch.Tensor], torch.Tensor] = layer.forward

    def forward(x: torch.Tensor) -> torch.Tensor:
        mixed = torch.is_autocast_enabled("cpu")
        if x.device.type != "cpu" or not (mixed or x.dtype == torch.bfloat16):
            return usual(x)
        bias = None if layer.bias is None else layer.bias.float()
        with torch.autocast("cpu", enabled=False):
            made: torch.Tensor = layer._conv_forward(x.float(), layer.weight.float(), bias)
        return made.to(torch.get_autocast_dtype("cpu") if mixed else x.dtype)

    return forward


def _whisper_encoder() -> Any:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder


def _check(folder: Path, network: "torch.nn.Module", info: Mapping[str, Any]) -> None:
    import torch

    other = sorted(str(item[0] if isinstance(item, tuple) else item) for item in info["mismatched_keys"])
    if other:
        raise EncoderError(
            f"{folder}: {plural(len(other), 'weight is', 'weights are')} of another size than config.json "
            f"says: {some(other, show=3)}"
        )
    missing = sorted(name for name in info["missing_keys"] if not name.endswith("masked_spec_embed"))
    if missing:
        raise EncoderError(
            f"{folder}: {plural(len(missing), 'weight is', 'weights are')} missing from its safetensors: "
            f"{some(missing, show=3)}"
        )
    bad = [name for name, value in network.state_dict().items() if not bool(torch.isfinite(value).all())]
    if bad:
        raise EncoderError(
            f"{folder}: {plural(len(bad), 'weight is', 'weights are')} not finite: {some(bad, show=3)}"
        )


def _tensors(checkpoint: Checkpoint, layers: int) -> "Iterator[tuple[str, torch.Tensor]]":
    """Weights of the encoder's first layers by their name in the network; the rest stays on the disk."""
    from safetensors import SafetensorError, safe_open

    whisper, prefix = checkpoint.family == "whisper", checkpoint.family.replace("-", "_")
    own = r"(?:model\.)?encoder\.(.+)" if whisper else rf"(?:{prefix}\.)?((?:feature_|encoder\.).+)"
    for path in checkpoint.weights:
        try:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is not a dictionary
                    name = re.fullmatch(own, key)
                    layer = re.search(r"(?:^|\.)encoder\.layers\.(\d+)\.", key)
                    if name is not None and (layer is None or int(layer[1]) < layers):
                        yield name[1], file.get_tensor(key)
        except (SafetensorError, OSError) as error:
            raise EncoderError(f"{path}: damaged: {error}; get the file again") from None
